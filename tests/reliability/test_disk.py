"""D1 the disk is full, D2 somebody else holds the database, D3 it is damaged, gone or replaced, K9 the power goes: nothing is
sent that is not written down, nothing is lost, and the desk says what is wrong."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import event

from social.clock import SteppedClock
from social.domain.errors import StoreError
from social.domain.post import PostRef
from social.domain.reply import Receipt, SentBy
from social.engine import line, people
from social.engine.schedule import Daemon, run_stepped
from social.store.session import Database
from tests.cast import ANNA, MAREK, PIOTR, at
from tests.cli.processes import Shop, social
from tests.engine.looking import eventually
from tests.factories import case, desk_for, planned, post, profile, remembered
from tests.fakes import FakeConnector
from tests.story.telling import NETWORK_RULES, leases_run_out, posts, replies

NOW = at("2026-11-20 10:00")


# --- D1 ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "step"), [(0, 7), pytest.param(1, 1, marks=pytest.mark.slow)])
def test_a_disk_that_is_full_at_any_write_stops_the_desk_and_costs_nothing(
    first: int, step: int, new_database: Callable[[], Database]
) -> None:
    database = new_database()
    path = database.path
    assert path is not None
    command = [sys.executable, "-m", "tests.reliability.full_disk", str(path), str(first), str(step)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert run.returncode == 0, run.stderr[-3000:]
    outcomes = [json.loads(told) for told in run.stdout.splitlines()]
    assert len(outcomes) > 5
    assert outcomes[0]["public_while_full"] == 0  # not a byte left: nothing at all was said
    for told in outcomes:
        assert (told["without_intent"], told["twice"]) == (0, 0), told
        assert (told["judged"], told["cases"], told["sound"]) == (2, 2, "ok"), told
        # its hour was not over when there was room again: each customer got the one text
        assert (told["public"], told["states"]) == (2, ["sent", "sent"]), told
        assert all("disk is full or failing, nothing was sent or lost" in words for words in told["words"]), told


def test_a_daemon_on_a_full_disk_says_so_and_goes_on_by_itself(new_database: Callable[[], Database]) -> None:
    path = new_database().path
    assert path is not None
    command = [sys.executable, "-m", "tests.reliability.full_disk", str(path), "daemon"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert run.returncode == 0, run.stderr[-3000:]
    told = json.loads(run.stdout)
    assert told["public_while_full"] == 0, told
    assert told["posts"] == 2  # polling went on, too
    assert told["states"].count("sent") == 1, told


# --- D2 ------------------------------------------------------------------------------------------------------------------


def hold(file: Path, seconds: float, held: Event) -> Thread:
    """Another program writes for so long."""

    def run() -> None:
        connection = sqlite3.connect(file, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        held.set()
        Event().wait(seconds)
        connection.execute("ROLLBACK")
        connection.close()

    thread = Thread(target=run)
    thread.start()
    assert held.wait(30)
    return thread


@pytest.mark.parametrize("seconds", [0.1, 3.0])
def test_nobody_is_told_of_a_database_that_is_held_for_a_moment(database: Database, seconds: float) -> None:
    clock = SteppedClock(NOW)
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    row = remembered(database, profile(database), network.publishes(post(when=NOW)))
    waiting = case(database, row)
    network.publishes(post(when=NOW, by=PIOTR))
    assert database.path is not None
    holder = hold(database.path, seconds, Event())
    people.answer(database, NETWORK_RULES, waiting, "Sprawdzam, chwilkę.", user=MAREK, now=clock.now())
    line.take_in(desk, clock.now())
    holder.join()
    assert len(posts(database)) == 2
    assert [reply.state for reply in replies(database)] == ["planned"]


def test_a_database_that_is_held_for_long_loses_nothing_and_nothing_is_sent_meanwhile(database: Database) -> None:
    clock = SteppedClock(NOW)
    network = FakeConnector(clock)
    impatient = Database(database.url.render_as_string(hide_password=False))
    event.listen(impatient.engine, "connect", lambda connection, record: connection.execute("PRAGMA busy_timeout=100"))
    desk = desk_for(impatient, clock, network)
    row = remembered(impatient, profile(impatient), network.publishes(post(when=NOW)))
    case(impatient, row)
    planned(impatient, row)
    network.publishes(post(when=NOW, by=PIOTR))
    clock.advance_to(at("2026-11-20 10:40"))
    assert impatient.path is not None
    holder = hold(impatient.path, 3.0, Event())
    for step in (line.take_in, line.send_out):
        with pytest.raises(StoreError, match="held by another program") as told:
            step(desk, clock.now())
        assert "locked" not in str(told.value)
    assert network.written == []
    holder.join()
    run_stepped(desk, clock, until=at("2026-11-20 11:30"))
    assert len(network.public_replies) == 2
    impatient.close()


# --- D3 ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("replaced", [False, True], ids=["gone", "replaced"])
def test_a_database_that_vanishes_under_a_running_desk_stops_it(
    database: Database, replaced: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A blank one in its place must not lead to anything being said; nor may the desk go on in a file that no restart
    will see."""
    clock = SteppedClock(NOW)
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    row = remembered(database, profile(database), network.publishes(post(when=NOW)))
    case(database, row)
    planned(database, row)
    assert database.path is not None
    if replaced:
        shutil.copyfile(database.path, tmp_path / "other.db")
        (tmp_path / "other.db").replace(database.path)
    else:
        database.path.unlink()
    clock.advance_to(at("2026-11-20 10:41"))
    network.publishes(post(when=clock.now(), by=PIOTR))
    words = "was replaced while the program runs" if replaced else "the database file is gone"
    for step in (line.take_in, line.work_through, line.send_out):
        with pytest.raises(StoreError, match=words):
            step(desk, clock.now())
    daemon = Daemon(desk)
    daemon.start()
    eventually(lambda: words in caplog.text, what="the complaint")
    daemon.stop()
    assert network.written == []
    assert replaced or not database.path.exists()  # and no blank one was made


@pytest.mark.parametrize("ill", ["random bytes", "no database"])
def test_the_desk_refuses_to_run_on_a_database_that_is_ill_and_says_what_to_do(
    database: Database, ill: str, tmp_path: Path
) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    shop = Shop.make(folder)
    file = folder / "var" / "demo.db"
    file.parent.mkdir()
    assert database.path is not None
    asked = [post(when=NOW + timedelta(minutes=number)) for number in range(300)]
    remembered(database, profile(database), *asked)
    with database.read() as session:
        session.connection().exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    content = bytearray(database.path.read_bytes())
    if ill == "random bytes":
        content[8192:-4096] = random.Random(5).randbytes(len(content) - 8192 - 4096)
    elif ill == "no database":
        content = bytearray(b"not a database at all " * 1000)
    file.write_bytes(content)
    before = file.read_bytes()
    told = social("--config", "config.toml", "run", cwd=folder, timeout=120)
    assert told.returncode not in (0, 2), told.stderr
    assert "restore the newest backup" in told.stderr, told.stderr
    assert "Traceback" not in told.stderr
    assert file.read_bytes() == before  # left for whoever can save it
    shop.close()


# --- K9 ------------------------------------------------------------------------------------------------------------------


def test_a_power_cut_at_any_byte_of_the_log_leaves_the_last_committed_state(database: Database, tmp_path: Path) -> None:
    """With ``synchronous=FULL`` what was committed is on the disk. Copies of file and log are cut at random places, as after
    a power cut in the middle of a write: each opens, is sound, and holds a whole story up to some commit; a reply that was
    sent before the cut is known as sent, or at least as on its way, so that it is looked up and never sent blindly."""
    clock = SteppedClock(NOW)
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    path = database.path
    assert path is not None
    log = path.with_name(path.name + "-wal")
    for number, by in enumerate((ANNA, PIOTR)):
        network.publishes(post(when=NOW + timedelta(minutes=number), by=by))
    marks: list[tuple[int, int, int]] = []  # length of the log, published by then, posts known by then

    def committed(connection: Any) -> None:
        marks.append((log.stat().st_size if log.exists() else 0, len(network.written), known_posts[0]))

    known_posts = [0]
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_autocheckpoint=0")
    event.listen(database.engine, "commit", committed)
    for minutes in range(0, 60, 5):
        clock.advance_to(NOW + timedelta(minutes=minutes))
        for step in (line.take_in, line.work_through, line.send_out):
            while step(desk, clock.now()):
                known_posts[0] = len(posts(database))
    assert [reply.state for reply in replies(database)] == ["sent", "sent"]
    whole, after = path.read_bytes(), log.read_bytes()
    assert len(marks) > 20
    chance = random.Random(11)
    for _ in range(500):
        cut = chance.randrange(len(after) + 1)
        copy = tmp_path / "cut.db"
        for left in tmp_path.glob("cut.db*"):
            left.unlink()
        copy.write_bytes(whole)
        copy.with_name("cut.db-wal").write_bytes(after[:cut])
        connection = sqlite3.connect(copy)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        known = connection.execute("SELECT count(*) FROM post").fetchone()[0]
        intended = connection.execute("SELECT count(*) FROM reply WHERE intended_at IS NOT NULL").fetchone()[0]
        connection.close()
        # every commit event stands just before its own fsync: what stood in the log at the one before is safe
        safe = [mark for mark in marks if mark[0] <= cut]
        if safe:
            published = max(mark[1] for mark in safe)
            assert intended >= published, cut
            assert known >= max(mark[2] for mark in safe), cut


def test_the_database_is_opened_for_power_cuts(database: Database) -> None:
    with database.read() as session:
        connection = session.connection()
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL


def test_after_a_power_cut_the_robot_looks_before_it_says_anything_again(database: Database, tmp_path: Path) -> None:
    """The cut comes after the network took the text and before we wrote that down."""
    saved: list[bytes] = []
    file = database.path
    assert file is not None

    class Saved(FakeConnector):
        def reply(self, ref: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
            receipt = super().reply(ref, text, key=key, sent_by=sent_by)
            saved.extend([file.read_bytes(), file.with_name(file.name + "-wal").read_bytes()])
            return receipt

    clock = SteppedClock(NOW)
    network = Saved(clock)
    desk = desk_for(database, clock, network)
    row = remembered(database, profile(database), network.publishes(post(when=NOW)))
    case(database, row)
    planned(database, row)
    clock.advance_to(at("2026-11-20 10:40"))
    line.send_out(desk, clock.now())
    after = tmp_path / "after.db"
    after.write_bytes(saved[0])
    after.with_name("after.db-wal").write_bytes(saved[1])
    restarted = Database(f"sqlite:///{after}")
    again = desk_for(restarted, clock, network)
    leases_run_out(restarted)
    run_stepped(again, clock, until=at("2026-11-20 11:30"))
    assert len(network.public_replies) == 1
    assert [found.state for found in replies(restarted)] == ["sent"]
    restarted.close()
