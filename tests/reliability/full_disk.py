"""A disk that fills up at every single write of one customer's story, and is freed afterwards. A process of its own, since
the limit (RLIMIT_FSIZE) is one of the whole process:

    python -m tests.reliability.full_disk DATABASE FIRST STEP      one line of JSON for every place in which it was full
    python -m tests.reliability.full_disk DATABASE daemon          one line of JSON for the real loops on such a disk

Customers' question and the robot's answer: take in, judge, send. At every place the disk takes no more; whatever the desk then
does, nothing may be public that is not in the database, and once there is room again the story ends as it would have."""

from __future__ import annotations

import io
import json
import logging
import resource
import shutil
import sqlite3
import sys
from datetime import timedelta
from pathlib import Path

from social.clock import SteppedClock
from social.domain.errors import StoreError
from social.domain.post import PostRef
from social.domain.reply import Receipt, SentBy
from social.engine import line, watch
from social.engine.schedule import Daemon, run_stepped
from social.store.session import Database
from tests.cast import ANNA, PIOTR, at
from tests.engine.looking import eventually
from tests.factories import desk_for, post
from tests.fakes import FakeConnector
from tests.story.telling import leases_run_out

FRAME = 4096 + 24
STORY = at("2026-11-20 10:00")


class Careful(FakeConnector):
    """Looks into the database, past our own code, whether what comes in was written down as on its way."""

    file: Path
    without_intent: int = 0

    def reply(self, ref: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
        with sqlite3.connect(self.file) as connection:
            states = connection.execute("SELECT state FROM reply WHERE key = ?", (key,)).fetchall()
        self.without_intent += states != [("sending",)]
        return super().reply(ref, text, key=key, sent_by=sent_by)


def room_for(bytes_: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_ if bytes_ >= 0 else hard, hard))


def told(template: Path, folder: Path, frames: int) -> dict[str, object]:
    """The story on a disk that takes ``frames`` more pages of the log; then with room again."""
    file = folder / f"full-{frames}.db"
    shutil.copyfile(template, file)
    clock = SteppedClock(STORY)
    network = Careful(clock)
    network.file = file
    database = Database(f"sqlite:///{file}")
    desk = desk_for(database, clock, network, poll_every=timedelta(minutes=5))
    for by in (ANNA, PIOTR):
        network.publishes(post(when=STORY, by=by))
    wal = file.with_name(file.name + "-wal")
    room_for(max(wal.stat().st_size, 32 * 1024) + frames * FRAME)
    refused: list[str] = []
    for minutes in (0, 40, 45):
        clock.advance_to(STORY + timedelta(minutes=minutes))
        for step in (line.take_in, line.work_through, line.send_out, line.send_out):
            try:
                step(desk, clock.now())
            except StoreError as error:
                refused.append(str(error))
        try:
            watch.beat(desk, name="daemon", parts="poll", started_at=clock.now())
        except StoreError as error:
            refused.append(str(error))
    public_while_full = len(network.public_replies)
    room_for(-1)
    leases_run_out(database)
    run_stepped(desk, clock, until=STORY + timedelta(hours=2))
    with sqlite3.connect(file) as connection:
        sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
        judged = connection.execute("SELECT count(*) FROM post WHERE ours = 0 AND state = 'judged'").fetchone()[0]
        cases = connection.execute("SELECT count(*) FROM escalation").fetchone()[0]
        states = sorted(state for (state,) in connection.execute("SELECT state FROM reply"))
    database.close()
    for left in folder.glob(f"{file.name}*"):
        left.unlink()
    asked = [reply.in_reply_to for reply in network.public_replies]
    return {
        "frames": frames,
        "refused": len(refused),
        "words": sorted(set(refused)),
        "public_while_full": public_while_full,
        "without_intent": network.without_intent,
        "twice": len(asked) - len(set(asked)),
        "public": len(asked),
        "judged": judged,
        "cases": cases,
        "states": states,
        "sound": sound,
    }


def daemon(template: Path) -> dict[str, object]:
    """The real loops on a disk without any room, until they complain; then with room, until the customer is answered."""
    clock = SteppedClock(STORY)
    network = Careful(clock)
    network.file = template
    database = Database(f"sqlite:///{template}")
    desk = desk_for(database, clock, network, poll_every=timedelta(minutes=5))
    network.publishes(post(when=STORY, by=ANNA))
    line.take_in(desk, clock.now())
    line.work_through(desk, clock.now())
    network.publishes(post(when=STORY, by=PIOTR))
    clock.advance_to(STORY + timedelta(minutes=45))
    room_for(max(template.with_name(template.name + "-wal").stat().st_size, 32 * 1024))
    said = io.StringIO()
    logging.basicConfig(stream=said, level=logging.ERROR)
    running = Daemon(desk, ("poll", "respond"))
    running.start()
    try:
        eventually(lambda: {"poll", "respond"} <= complaining(said.getvalue()), seconds=180, what="the complaints")
        public_while_full = len(network.public_replies)
        room_for(-1)
        eventually(lambda: network.public_replies, seconds=180, what="the answer")
    finally:
        running.stop()
    known = database.engine.connect()
    with known as connection:
        posts = connection.exec_driver_sql("SELECT count(*) FROM post WHERE ours = 0").scalar()
        states = [state for (state,) in connection.exec_driver_sql("SELECT state FROM reply")]
    return {"public_while_full": public_while_full, "posts": posts, "states": states, "said": said.getvalue()}


def complaining(log: str) -> set[str]:
    """Which parts said that there is no room."""
    lines = [text for text in log.splitlines() if "disk is full or failing, nothing was sent or lost" in text]
    return {part for part in ("poll", "respond") for text in lines if f":{part}-1:" in text}


def main(template: Path, first: int, step: int) -> None:
    frames = first
    while True:
        outcome = told(template, template.parent, frames)
        print(json.dumps(outcome), flush=True)
        if not outcome["refused"]:
            return  # the whole story fits: every place was tried
        frames += step


if __name__ == "__main__":
    if sys.argv[2] == "daemon":
        print(json.dumps(daemon(Path(sys.argv[1]))))
    else:
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
