"""Leases go by the server's clock, no profile is polled twice, and what a dead machine held is taken over."""

from __future__ import annotations

import signal
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from threading import Barrier, Event

import pytest
from sqlalchemy import text

from social.clock import machine_now, monotonic
from social.domain.post import ProfileMode
from social.engine import line
from social.engine.claims import Claimed, claim
from social.store import control, profiles
from social.store.session import Database
from social.store.tables import BrandRow, ClockRow, PostRow, ProfileRow, ReplyRow
from tests.cast import BRAND
from tests.engine.looking import eventually, rows
from tests.factories import case, planned, post, profile, remembered
from tests.machines.conftest import Start
from tests.machines.worker import LEASE_SECONDS, lines, open_desk

Open = Callable[[], Database]
WORKER = "tests.machines.worker"


# --- skewed clocks ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["an hour ahead", "an hour behind"])
def skewed(server: str, request: pytest.FixtureRequest) -> str:
    """A server whose clock is not this machine's: its own function stands before PostgreSQL's."""
    sign = "+" if request.param == "an hour ahead" else "-"
    database = Database(server)
    with database.write() as session:
        session.execute(text("CREATE SCHEMA skewed"))
        session.execute(
            text(
                "CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE "
                f"AS $$ SELECT pg_catalog.clock_timestamp() {sign} interval '1 hour' $$"
            )
        )
    database.close()
    return f"{server}?options=-csearch_path%3Dskewed,pg_catalog,public"


@pytest.mark.postgres
def test_a_lease_lives_and_ends_by_the_servers_clock(skewed: str) -> None:
    one, two = Database(skewed), Database(skewed)
    now = machine_now()
    row_id = remembered(one, profile(one, now=now), post(when=now))

    def take(database: Database, seconds: float) -> tuple[int, ...]:
        lease = timedelta(seconds=seconds)
        return claim(database, Claimed.POST, now=now, limit=9, lease=lease, profiles=range(9)).ids

    assert take(one, 300) == (row_id,)
    assert take(two, 300) == ()
    with one.write() as session:
        session.execute(text("UPDATE post SET leased_until = clock_timestamp() + interval '1 second'"))
    eventually(lambda: take(two, 300) == (row_id,), what="the end of the lease")
    assert take(one, 300) == ()
    one.close()
    two.close()


@pytest.mark.postgres
def test_a_daemon_on_a_machine_with_a_wrong_clock_lives_and_works(skewed: str, start: Start, tmp_path: Path) -> None:
    database = Database(skewed)
    start(WORKER, skewed, str(tmp_path), "one")
    eventually(lambda: len(lines(tmp_path, "calls")) > 3, seconds=180, what="polls")
    with database.read() as session:
        assert [daemon.parts for daemon in control.running(session, at=machine_now())] == ["poll,triage,respond"]
    remembered(database, profile(database, "shop"), post(when=machine_now()))
    eventually(lambda: [row.state for row in rows(database, ReplyRow)] == ["sent"], seconds=180, what="the reply")
    assert len(lines(tmp_path, "replies")) == 1
    database.close()


# --- two that start at once -------------------------------------------------------------------------------------------


def test_daemons_that_start_at_once_on_an_empty_database_make_everything_once(new_store_database: Open) -> None:
    databases = [new_store_database() for _ in range(4)]
    line_up = Barrier(len(databases))

    def begin(database: Database) -> None:
        wanted = [
            profiles.WantedProfile(name=f"p{n}", brand=BRAND, network="fake", mode=ProfileMode.ACKNOWLEDGE)
            for n in range(5)
        ]
        line_up.wait(60)
        with database.write() as session:
            control.set_clock(session, mode="real", anchor=None)
        with database.write() as session:
            profiles.synchronise(session, wanted, now=machine_now())

    with ThreadPoolExecutor(len(databases)) as pool:
        list(pool.map(begin, databases))
    assert [row.name for row in rows(databases[0], BrandRow)] == [BRAND]
    assert sorted(row.name for row in rows(databases[0], ProfileRow)) == [f"p{n}" for n in range(5)]
    assert len(rows(databases[0], ClockRow)) == 1


# --- two pollers ------------------------------------------------------------------------------------------------------


#: So long that no stall of a busy machine ends it: who polls twice here does so in spite of a living lease.
LONG = 120.0
EVERY = 2.0  # seconds between two polls of a profile


def calls_of(folder: Path) -> dict[str, list[tuple[float, float, str]]]:
    by_profile = defaultdict(list)
    for call in lines(folder, "calls"):
        by_profile[call["profile"]].append((call["began"], call["ended"], call["by"]))
    return {name: sorted(calls) for name, calls in by_profile.items()}


def enough(folder: Path) -> bool:
    """A few rounds of all profiles."""
    found = calls_of(folder)
    return len(found) == 12 and all(len(calls) >= 4 for calls in found.values())


def fetched_once(folder: Path, *, by_several: bool = True) -> None:
    """No two fetches of one profile overlap, and there are no more of them than were due. Not ``by_several``: whoever ticks
    first after all are due may be so quick that the others never find one."""
    found = calls_of(folder)
    for calls in found.values():
        for (_, ended, _), (again, _, _) in pairwise(calls):
            assert again >= ended
        # due again from when a turn was wanted, so a busy machine may begin two a little closer, but never one more
        assert len(calls) <= (calls[-1][1] - calls[0][0]) / EVERY + 2
    assert not by_several or len({by for calls in found.values() for *_, by in calls}) > 1, "only one of them polled"


def test_no_profile_is_fetched_twice_by_desks_in_threads(new_store_database: Open, tmp_path: Path) -> None:
    names = [f"shop-{n}" for n in range(12)]
    desks = [open_desk(new_store_database(), tmp_path, f"desk-{n}", names, lease_seconds=LONG) for n in range(4)]
    end = Event()

    def poll(number: int) -> None:
        while not end.is_set():
            if not line.take_in(desks[number], desks[number].now()):
                Event().wait(0.02)

    with ThreadPoolExecutor(len(desks)) as pool:
        polling = [pool.submit(poll, number) for number in range(len(desks))]
        try:
            eventually(lambda: enough(tmp_path), seconds=180, what="a few rounds of polls")
        finally:
            end.set()
        for future in polling:
            future.result()
    fetched_once(tmp_path)


@pytest.mark.slow_on("sqlite")
def test_no_profile_is_fetched_twice_by_processes(new_store_database: Open, tmp_path: Path, start: Start) -> None:
    database = new_store_database()
    url = database.url.render_as_string(hide_password=False)
    names = [f"shop-{n}" for n in range(12)]
    for name in names:
        profile(database, name, now=machine_now())
    options = ("--parts", "poll", "--profiles", ",".join(names), "--lease", str(LONG))
    workers = [start(WORKER, url, str(tmp_path), f"machine-{n}", *options) for n in range(3)]

    def running() -> int:
        with database.read() as session:
            return len(control.running(session, at=machine_now()))

    eventually(lambda: running() == 3, seconds=180, what="three daemons")
    # a new start polls at once, whatever was due; from here on they only go on
    (tmp_path / "calls.jsonl").unlink(missing_ok=True)
    eventually(lambda: enough(tmp_path), seconds=180, what="a few rounds of polls")
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    fetched_once(tmp_path, by_several=database.dialect == "postgresql")


# --- taken over -------------------------------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.parametrize("hangs_in", ["fetch", "assess", "reply"])
def test_what_a_killed_machine_held_is_taken_over_within_its_lease(
    server: str, machine: Open, tmp_path: Path, start: Start, hangs_in: str
) -> None:
    database = machine()
    now = machine_now()
    shop = profile(database, "shop", now=now, first_polled_at=now - timedelta(hours=1))
    asked = remembered(database, shop, post(when=now))
    if hangs_in == "reply":
        case(database, asked)
        planned(database, asked, due_at=now)
    first = start(WORKER, server, str(tmp_path), "first", "--hang", hangs_in)
    eventually(
        lambda: any(call["call"] == hangs_in for call in lines(tmp_path, "calls")), seconds=180, what=f"the {hangs_in}"
    )
    first.kill()
    first.wait()
    killed = monotonic()
    start(WORKER, server, str(tmp_path), "second")

    def done() -> bool:
        (row,) = [row for row in rows(database, PostRow) if not row.ours]
        polled = any(call["call"] == "fetch" and call["by"] == "second" for call in lines(tmp_path, "calls"))
        return polled and row.state == "judged" and [reply.state for reply in rows(database, ReplyRow)] == ["sent"]

    eventually(done, seconds=120, what="the heir's work")
    assert len(lines(tmp_path, "replies")) == 1  # found by the look-up, not said again
    # the lease, the start of a process and a tick; a busy machine takes its time
    assert monotonic() - killed < LEASE_SECONDS + 90
