"""Whoever has something to do hears of it at once, from this process or another machine; the tick is the net below."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, current_thread

import pytest
from sqlalchemy import text

from social.clock import RealClock, machine_now, monotonic
from social.domain.reply import SentBy
from social.engine import people
from social.engine.desk import Desk
from social.engine.lanes import Lane
from social.engine.schedule import PARTS, Daemon
from social.store import control, wakes
from social.store.session import Database
from social.store.tables import PostRow, ReplyRow
from tests.cast import MAREK
from tests.engine.looking import eventually, rows
from tests.factories import case, planned, post, profile, remembered
from tests.machines.conftest import Start
from tests.machines.worker import open_desk
from tests.story.telling import NETWORK_RULES

Open = Callable[[], Database]
#: Nothing that happens within a test can come from a tick so far away.
AN_HOUR = 3600.0


@contextmanager
def running(desk: Desk, *parts: str) -> Iterator[Daemon]:
    """A daemon whose first ticks are over: from here on only a wake makes it work."""
    daemon = Daemon(desk, parts or PARTS, tick_seconds=AN_HOUR)
    daemon.start()
    try:
        idle(daemon)
        yield daemon
    finally:
        daemon.stop()


def idle(daemon: Daemon) -> None:
    Event().wait(1.0)
    eventually(lambda: not daemon._at_work, what="the end of the first ticks")


def judged(database: Database) -> list[bool]:
    return [row.state == "judged" for row in rows(database, PostRow)]


def sent(database: Database) -> list[str]:
    return [row.state for row in rows(database, ReplyRow)]


def test_a_new_post_is_judged_and_answered_without_a_tick(store_database: Database, tmp_path: Path) -> None:
    desk = open_desk(store_database, tmp_path, "one", ["shop"])
    with running(desk):
        remembered(store_database, profile(store_database, "shop"), post(when=machine_now()))
        eventually(lambda: judged(store_database) == [True], what="the judging")
        eventually(lambda: sent(store_database) == ["sent"], what="the answer that was due at once")


def test_what_a_person_does_at_the_desk_wakes_the_sender(store_database: Database, tmp_path: Path) -> None:
    desk = open_desk(store_database, tmp_path, "one", ["shop"])
    asked = remembered(store_database, profile(store_database, "shop"), post(when=machine_now()))
    case_id = case(store_database, asked)
    with running(desk, "respond"):
        people.answer(store_database, NETWORK_RULES, case_id, "Już sprawdzam.", user=MAREK, now=machine_now())
        eventually(lambda: sent(store_database) == ["sent"], what="the answer")
        with store_database.write() as session:
            control.pause(session, by=MAREK, now=machine_now())
        other = remembered(store_database, profile(store_database, "shop"), post(when=machine_now(), native_id="other"))
        case(store_database, other)
        planned(store_database, other, due_at=machine_now(), sent_by=SentBy.PERSON)
        assert sent(store_database) == ["sent", "planned"]
        with store_database.write() as session:
            control.unpause(session, by=MAREK, now=machine_now())
        eventually(lambda: sent(store_database) == ["sent", "sent"], what="what the pause had stopped")


@pytest.mark.postgres
def test_a_commit_of_another_process_is_heard(server: str, machine: Open, tmp_path: Path, start: Start) -> None:
    database = machine()
    asked = remembered(database, profile(database, "shop", now=machine_now()), post("Pierwszy.", when=machine_now()))
    case(database, asked)
    with running(open_desk(database, tmp_path, "one", ["shop"]), "triage", "respond"):
        remembering = start("tests.machines.remember", server, "shop")
        eventually(lambda: remembering.poll() is not None, what="the other process")
        assert remembering.returncode == 0
        committed = monotonic()
        eventually(lambda: all(judged(database)) and len(judged(database)) == 2, what="the judging")
        assert monotonic() - committed < 15  # of an hour


@pytest.mark.postgres
def test_a_listener_whose_connection_dies_hears_again(machine: Open, tmp_path: Path) -> None:
    database, elsewhere = machine(), machine()
    shop = profile(database, "shop", now=machine_now())
    ears = text(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'dyzur'"
        " AND state = 'idle' AND query IN ('LISTEN dyzur', 'SELECT 1')"
    )

    def listening() -> set[int]:
        with elsewhere.read() as session:
            return set(session.execute(ears).scalars())

    with running(open_desk(database, tmp_path, "one", ["shop"]), "triage"):
        eventually(listening, what="the ear")
        (deaf,) = listening()
        with elsewhere.write() as session:
            session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": deaf})
        eventually(lambda: listening() and deaf not in listening(), what="a new connection")
        remembered(elsewhere, shop, post(when=machine_now()))
        eventually(lambda: judged(database) == [True], what="the judging")


# --- a lane -----------------------------------------------------------------------------------------------------------


def test_a_wake_in_the_middle_of_the_work_is_not_lost_and_many_are_one() -> None:
    began, go_on = [], Event()

    def work() -> None:
        began.append(monotonic())
        go_on.wait(60)

    lane = Lane("test", work, woken_by=wakes.TRIAGE, at_least_every=AN_HOUR)
    lane.start()
    lane.wake()
    eventually(lambda: len(began) == 1, what="the first work")
    for _ in range(100):
        lane.wake()
    go_on.set()
    eventually(lambda: len(began) == 2, what="the second work")
    lane.ask_to_stop()
    assert lane.stopped(by=monotonic() + 60)
    assert len(began) == 2


def test_a_lane_works_although_its_ticker_stands_still() -> None:
    """As it does for an hour after somebody sets the machine's clock back by one."""
    began: list[float] = []
    lane = Lane("test", lambda: began.append(monotonic()), woken_by="", at_least_every=0.05)
    lane.start()
    eventually(lambda: len(began) > 3, what="work")
    lane.ask_to_stop()
    assert lane.stopped(by=monotonic() + 60)


class Counting(RealClock):
    """How often the first poller looked."""

    looks = 0

    def now(self) -> datetime:
        if current_thread().name == "poll-1":
            self.looks += 1
        return super().now()


def test_a_night_in_which_the_machine_slept_is_one_tick(database: Database, tmp_path: Path) -> None:
    desk = open_desk(database, tmp_path, "one", ["shop"])
    desk.clock = clock = Counting()
    with running(desk, "poll") as daemon:
        before = clock.looks
        daemon._scheduler.modify_job("poll-1", next_run_time=machine_now() - 8 * timedelta(seconds=AN_HOUR))
        eventually(lambda: clock.looks > before, what="the tick that was missed")
        Event().wait(1.0)
        assert clock.looks - before <= 2  # one tick: a look that finds the profile due, and one that finds nothing
