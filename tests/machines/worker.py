"""One machine, as a process: a daemon on a network that lies in a folder, so that several processes share it.

    python -m tests.machines.worker URL FOLDER NAME --parts poll,respond --profiles a,b --hang fetch

It notes in ``FOLDER/calls.jsonl`` what it asks of the network, with its name and the machine's monotonic time; what it
publishes stands in ``FOLDER/replies.jsonl``. ``--hang`` stops for ever in the first such call, after the network has done
what it was asked. Leases are LEASE_SECONDS long, or ``--lease``.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from responders.snapshot import Timing
from social.clock import RealClock, machine_now, monotonic
from social.domain.assessment import Assessment, TextToAssess
from social.domain.hours import BusinessCalendar, parse_weekly
from social.domain.post import FetchedPost, Gone, PostRef
from social.domain.reply import Receipt, SentBy
from social.engine.desk import Desk, Leases
from social.engine.schedule import Daemon
from social.ports import Cursor, Page
from social.store.session import Database
from tests.cast import WARSAW
from tests.factories import desk_for
from tests.fakes import FakeClassifier, FakeConnector

LEASE_SECONDS = 3.0
ALWAYS_OPEN = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon-sun": ["00:00-24:00"]}))
FOR_EVER = threading.Event()


class FolderNetwork(FakeConnector):
    """What was published is what all processes read."""

    def __init__(self, folder: Path, name: str, profile: str, hang: str) -> None:
        super().__init__()
        self._folder, self._name, self._profile, self._hang = folder, name, profile, hang

    def fetch(self, cursor: Cursor | None) -> Page:
        began = monotonic()
        threading.Event().wait(0.01)
        page = super().fetch(cursor)
        self._note("fetch", began)
        return page

    def refresh(self, posts: Sequence[PostRef]) -> Mapping[str, FetchedPost | Gone]:
        return {}

    def thread(self, post: PostRef) -> Sequence[FetchedPost]:
        return []

    def reply(self, post: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
        receipt = Receipt(native_id=f"own-{key[:12]}", published_at=machine_now())
        line = {"to": post.native_id, "text": text, "key": key, "id": receipt.native_id, "by": self._name}
        with (self._folder / "replies.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._note("reply", monotonic())
        return receipt

    def find_own_reply(self, post: PostRef, text: str, *, key: str) -> Receipt | None:
        self._note("find_own_reply", monotonic())
        for line in lines(self._folder, "replies"):
            if line["key"] == key:
                return Receipt(native_id=line["id"], published_at=machine_now())
        return None

    def _note(self, method: str, began: float) -> None:
        line = {"call": method, "profile": self._profile, "by": self._name, "began": began, "ended": monotonic()}
        with (self._folder / "calls.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        if method == self._hang:
            FOR_EVER.wait()


class HangingClassifier(FakeClassifier):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
        with (self._folder / "calls.jsonl").open("a") as file:
            file.write(json.dumps({"call": "assess"}) + "\n")
        FOR_EVER.wait()
        return super().assess(texts)


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    file = folder / f"{name}.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def open_desk(
    database: Database,
    folder: Path,
    name: str,
    profiles: Sequence[str],
    hang: str = "",
    *,
    lease_seconds: float = LEASE_SECONDS,
) -> Desk:
    since = machine_now() - timedelta(hours=1)
    judge = HangingClassifier(folder) if hang == "assess" else FakeClassifier()
    opened = [
        desk_for(
            database,
            RealClock(),
            FolderNetwork(folder, name, profile, hang),
            name=profile,
            calendar=ALWAYS_OPEN,
            first_polled_at=since,
            classifier=judge,
            poll_every=timedelta(seconds=2),
        )
        for profile in profiles
    ]
    lease = timedelta(seconds=lease_seconds)
    desk = opened[0]
    desk.profiles = {
        id_: replace(live, longest_attempt=timedelta(seconds=1))
        for each in opened
        for id_, live in each.profiles.items()
    }
    desk.timing = Timing(acknowledge_after=timedelta(0), urgent_acknowledge_after=timedelta(0))
    desk.leases = Leases(poll=lease, triage=lease, reply=lease, settle=timedelta(seconds=2))
    return desk


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--parts", default="poll,triage,respond")
    parser.add_argument("--profiles", default="shop")
    parser.add_argument("--hang", default="")
    parser.add_argument("--lease", type=float, default=LEASE_SECONDS)
    given = parser.parse_args()
    database = Database(given.url)
    desk = open_desk(
        database, given.folder, given.name, given.profiles.split(","), given.hang, lease_seconds=given.lease
    )
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    daemon = Daemon(desk, given.parts.split(","))
    daemon.start()
    stop.wait()
    daemon.stop()
    database.close()


if __name__ == "__main__":
    main()
