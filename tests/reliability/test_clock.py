"""T1 the machine's clock jumps, T2 the clocks of Warsaw change, T3 the machine sleeps: no customer is told anything at a
wrong time, and people learn that time jumped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from social.clock import RealClock, SteppedClock, lease_now
from social.domain.hours import BusinessCalendar, parse_weekly
from social.domain.post import Author
from social.engine import line, watch
from social.engine.build import open_clock
from social.engine.claims import Claimed, claim
from social.engine.schedule import run_stepped
from social.settings import ClockSettings, Settings
from social.store import control, profiles
from social.store.profiles import WantedProfile
from social.store.session import Database
from social.store.tables import AlertRow, PostRow, ProfileRow
from tests.cast import WARSAW, at
from tests.engine.looking import rows
from tests.factories import desk_for, planned, post, profile, remembered, row_of
from tests.fakes import FakeConnector
from tests.story.telling import alerts, replies

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Machine:
    """Its clock shows the truth and an error; what has passed since it was started is always true."""

    def __init__(self, start: datetime) -> None:
        self.truth = SteppedClock(start)
        self.error = timedelta(0)
        self.began = start

    def shows(self) -> datetime:
        return self.truth.now() + self.error

    def seconds(self) -> float:
        return (self.truth.now() - self.began).total_seconds()

    def clock(self, latest: datetime | None = None) -> RealClock:
        return RealClock(latest, machine=self.shows, seconds=self.seconds)

    def is_set_to(self, wanted: datetime) -> None:
        self.error = wanted - self.truth.now()


# --- the clock itself --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-HOUR, -DAY, -365 * DAY], ids=str)
def test_world_time_goes_on_where_the_machine_is_set_back(jump: timedelta) -> None:
    machine = Machine(at("2026-11-20 10:00"))
    clock = machine.clock()
    machine.error = jump
    for _ in range(3):
        machine.truth.advance(HOUR)
        assert clock.now() == machine.truth.now()
    assert clock.astray == jump
    machine.error = timedelta(0)
    assert (clock.now(), clock.astray) == (machine.truth.now(), timedelta(0))


def test_a_clock_that_is_wrong_for_a_moment_is_not_believed() -> None:
    machine = Machine(at("2026-11-20 10:00"))
    clock = machine.clock()
    machine.error = 1_000 * DAY
    for _ in range(9):
        machine.truth.advance(MINUTE)
        assert clock.now() == machine.truth.now()
    machine.error = timedelta(0)
    machine.truth.advance(MINUTE)
    assert clock.now() == machine.truth.now()


def test_a_clock_that_stays_ahead_is_right() -> None:
    """A machine without a clock of its own starts anywhere, and learns the time minutes later."""
    machine = Machine(at("2026-11-20 10:00"))
    clock = machine.clock()
    machine.error = DAY
    for _ in range(11):
        machine.truth.advance(MINUTE)
        clock.now()
    assert clock.now() == machine.shows()


def test_sleep_is_no_jump() -> None:
    machine = Machine(at("2026-11-20 22:00"))
    clock = machine.clock()
    machine.truth.advance(8 * HOUR)
    assert (clock.now(), clock.astray) == (machine.truth.now(), timedelta(0))


def test_small_corrections_are_followed_and_nobody_goes_back_for_them() -> None:
    machine = Machine(at("2026-11-20 10:00"))
    clock = machine.clock()
    seen = []
    for seconds in (0, 20, -20, -120, 60):
        machine.error = timedelta(seconds=seconds)
        machine.truth.advance(timedelta(seconds=50))
        seen.append(clock.now())
        assert abs(seen[-1] - machine.shows()) <= timedelta(seconds=120)
    assert seen == sorted(seen)
    assert clock.astray == timedelta(0)


@pytest.mark.parametrize("network", [-240, -30, 0, 30, 240], ids=str)
def test_a_network_that_is_a_little_off_lets_the_world_meet_the_machine_all_the_same(network: int) -> None:
    """Started an hour ahead and set right; the network's time is ``network`` seconds ahead of the machine's."""
    machine = Machine(at("2026-11-20 10:00"))
    machine.error = HOUR
    clock = machine.clock()
    machine.error = timedelta(0)
    for _ in range(3 * 60):
        machine.truth.advance(MINUTE)
        clock.witnessed(machine.truth.now() + timedelta(seconds=network) - clock.now())
    assert abs(clock.now() - machine.truth.now()) <= RealClock.TOLERANCE
    assert (clock.astray, clock.sure, clock.refuted) == (timedelta(0), True, False)


@pytest.mark.parametrize("start", ["1970-01-01 01:00", "2026-11-19 10:00"])
def test_a_restart_under_a_clock_that_was_set_back_goes_on_from_the_latest_time_seen(
    database: Database, start: str
) -> None:
    latest = at("2026-11-20 10:00")
    machine = Machine(latest)
    machine.is_set_to(at(start))
    with database.write() as session:
        control.set_clock(session, mode=RealClock.mode, anchor=None)
        session.flush()
        control.saw_time(session, latest)
    with database.read() as session:
        found = control.clock_anchor(session)
    assert found is not None
    clock = machine.clock(found[2])
    assert clock.now() == latest
    machine.truth.advance(HOUR)
    assert clock.now() == latest + HOUR
    assert clock.astray < timedelta(0)


def test_the_daemon_opens_its_clock_with_the_latest_time_seen(database: Database) -> None:
    ahead = datetime.now(UTC) + 3 * HOUR  # as after a clock that was set back by three hours
    settings = Settings.model_construct(clock=ClockSettings())
    open_clock(settings, database)
    with database.write() as session:
        control.saw_time(session, ahead)
    assert open_clock(settings, database).now() >= ahead


# --- the desk under it ------------------------------------------------------------------------------------------------


JUMPS: dict[str, Callable[[Machine], None]] = {
    "an hour ahead": lambda machine: setattr(machine, "error", HOUR),
    "an hour back": lambda machine: setattr(machine, "error", -HOUR),
    "a day ahead": lambda machine: setattr(machine, "error", DAY),
    "a day back": lambda machine: setattr(machine, "error", -DAY),
    "to 1970": lambda machine: machine.is_set_to(at("1970-01-01 01:00")),
}


@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("jump", JUMPS)
def test_no_customer_is_acknowledged_at_a_wrong_time_and_people_are_told(
    database: Database, jump: str, restart: bool
) -> None:
    """A question every twenty minutes from ten to half past two; at noon the machine's clock jumps, for two hours."""
    machine = Machine(at("2026-11-20 09:55"))
    network = FakeConnector(machine.truth)
    clock = machine.clock()
    desk = desk_for(database, clock, network)
    asked = {}
    for number in range(14):
        by = Author(native_id=f"c{number}")
        item = network.publishes(post(when=at("2026-11-20 10:00") + number * 20 * MINUTE, by=by))
        asked[item.native_id] = item
    told: set[str] = set()
    with database.write() as session:
        control.set_clock(session, mode=RealClock.mode, anchor=None)
    while machine.truth.now() < at("2026-11-20 16:00"):
        now = machine.truth.advance(5 * MINUTE)
        if now == at("2026-11-20 12:00"):
            JUMPS[jump](machine)
            if restart:
                desk = replace_clock(desk, started(database, machine))
        if now == at("2026-11-20 14:00"):
            machine.error = timedelta(0)
        work(desk, network, machine)
        told |= {row.kind for row in alerts(database)}
    for reply in network.public_replies:
        assert reply.in_reply_to is not None
        waited = reply.created_at - asked[reply.in_reply_to].created_at
        assert waited <= HOUR, (jump, waited)
        # under a clock that is ahead a text may come early, true as it is; the networks' own time stops that
        assert waited >= 40 * MINUTE or "ahead" in jump, (jump, waited)
    ahead = "ahead" in jump
    assert "clock" in told
    assert len(network.public_replies) == 14 or ahead
    assert len(network.public_replies) >= 4  # those of the morning at least
    waiting = {row.state for row in rows(database, PostRow) if not row.ours}
    assert waiting == {"judged"}  # nobody was forgotten


def work(desk: Any, network: FakeConnector, machine: Machine) -> None:
    """Five minutes' work of a daemon whose network says what time it is, as HTTP does."""
    network.clock_ahead = machine.truth.now() - desk.now()
    for step in (line.take_in, line.work_through, line.send_out):
        while step(desk, desk.now()):
            pass
    watch.beat(desk, name="daemon", parts="poll", started_at=machine.truth.now())
    watch.look_around(desk, desk.now())


def started(database: Database, machine: Machine) -> RealClock:
    with database.read() as session:
        found = control.clock_anchor(session)
    return machine.clock(found[2] if found else None)


@pytest.mark.parametrize("poisoned", [False, True], ids=["", "kept by an earlier version"])
@pytest.mark.parametrize("restart", [True, False], ids=["restarted", "running"])
def test_a_start_under_a_clock_that_is_ahead_is_undone(database: Database, restart: bool, poisoned: bool) -> None:
    """Started six hours ahead at ten, repaired at eleven: nothing automatic goes out in that hour, people are told, and then
    customers are acknowledged again, at once after a new start, or when the world met the machine at half the pace."""
    machine = Machine(at("2026-11-16 10:00"))
    with database.write() as session:
        control.set_clock(session, mode=RealClock.mode, anchor=None)
        if poisoned:
            control.saw_time(session, machine.truth.now() + 6 * HOUR)
    network = FakeConnector(machine.truth)
    machine.error = 6 * HOUR
    desk = desk_for(database, started(database, machine), network, first_polled_at=None)
    while machine.truth.now() < at("2026-11-16 11:00"):
        machine.truth.advance(5 * MINUTE)
        work(desk, network, machine)
    assert [row.kind for row in alerts(database)] == ["clock"]
    machine.error = timedelta(0)
    machine.truth.advance(5 * MINUTE)
    work(desk, network, machine)
    assert "Start it again" in " ".join(row.message for row in alerts(database))

    if restart:
        desk = replace_clock(desk, started(database, machine))
        with database.write() as session:
            (live,) = desk.profiles.values()
            wanted = WantedProfile(name=live.name, brand=live.brand, network=network.kind, mode=live.mode)
            profiles.synchronise(session, [wanted], now=desk.now())
        hour = "2026-11-16 12"
    else:
        hour = "2026-11-17 10"
    while machine.truth.now() < at(f"{hour}:00"):
        machine.truth.advance(10 * MINUTE)
        work(desk, network, machine)
    assert desk.now() == machine.truth.now()
    asked = network.publishes(post(when=at(f"{hour}:02"), by=Author(native_id="c1")))
    while machine.truth.now() < at(f"{hour}:59"):
        machine.truth.advance(5 * MINUTE)
        work(desk, network, machine)
    assert [reply.in_reply_to for reply in network.public_replies] == [asked.native_id]
    assert [row.state for row in rows(database, AlertRow) if row.kind == "clock" and row.state != "over"] == []
    assert started(database, machine).now() == machine.truth.now()


def replace_clock(desk: Any, clock: RealClock) -> Any:
    return replace(desk, clock=clock)


def test_a_lease_outlives_whatever_the_machines_clock_shows(database: Database) -> None:
    """Of the same process; and one that a clock from before left far ahead is nobody's."""
    shop = profile(database)
    row = remembered(database, shop, post(when=at("2026-11-20 10:00")))

    def take() -> tuple[int, ...]:
        now = at("2026-11-20 10:00")
        return claim(database, Claimed.POST, now=now, limit=1, lease=5 * MINUTE, profiles=[shop.id]).ids

    assert take() == (row,)
    assert take() == ()
    held = row_of(database, PostRow, row)["leased_until"]
    assert abs(held - lease_now() - 5 * MINUTE) < MINUTE
    with database.write() as session:
        found = session.get(PostRow, row)
        assert found is not None
        found.leased_until = lease_now() + DAY  # the clock was set back by a day since
    assert take() == (row,)


# --- T2: the days on which the clocks change ------------------------------------------------------------------------------


SHIFTS = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon-sun": ["09:00-17:00", "22:00-04:00"]}))


def open_by_the_sign(now: datetime) -> bool:
    """The brute-force oracle: what the sign on the door says of the wall clock. The doubled hour counts twice."""
    wall = now.astimezone(WARSAW)
    minute = wall.hour * 60 + wall.minute
    return minute >= 22 * 60 or minute < 4 * 60 or 9 * 60 <= minute < 17 * 60


@pytest.mark.parametrize("night", ["2027-03-27 21:00", "2027-10-30 21:00"])
def test_every_minute_of_the_night_on_which_the_clocks_change(database: Database, night: str) -> None:
    """A poll every five minutes, none skipped and none twice; a question every eight minutes, each acknowledged 40 to 60
    minutes of true time later, in a minute that the sign on the door calls open, or told that nobody is there."""
    start = at(night).astimezone(UTC)
    clock = SteppedClock(start)
    polls: list[datetime] = []

    class Watched(FakeConnector):
        def fetch(self, cursor: Any) -> Any:
            polls.append(clock.now())
            return super().fetch(cursor)

    network = Watched(clock)
    desk = desk_for(database, clock, network, calendar=SHIFTS)
    desk.limits = replace(desk.limits, per_profile_an_hour=10_000)
    asked = {}
    for number in range(60):
        item = network.publishes(post(when=start + number * 8 * MINUTE, by=Author(native_id=f"c{number}")))
        asked[item.native_id] = item
    run_stepped(desk, clock, until=start + 11 * HOUR)
    assert {later - earlier for earlier, later in pairwise(polls)} == {5 * MINUTE}
    assert len(polls) == 11 * 12 + 1
    kinds = {row.external_id: row.kind for row in replies(database)}
    answered = set()
    for reply in network.public_replies:
        assert reply.in_reply_to is not None
        assert reply.in_reply_to not in answered
        answered.add(reply.in_reply_to)
        waited = reply.created_at - asked[reply.in_reply_to].created_at
        wall = reply.created_at.astimezone(WARSAW)
        is_open = open_by_the_sign(reply.created_at)
        if kinds[reply.native_id] == "acknowledgement":
            assert is_open, wall
            assert waited <= HOUR, (wall, waited)
            # earlier only where the desk closes: at the last open minute
            assert waited >= 40 * MINUTE or not open_by_the_sign(reply.created_at + MINUTE), (wall, waited)
        else:
            assert not is_open, wall
            assert 2 * MINUTE <= waited <= 10 * MINUTE, (wall, waited)
    assert answered == set(asked)


# --- T3: the machine sleeps --------------------------------------------------------------------------------------------


def test_a_machine_that_sleeps_for_eight_hours_polls_once_and_sends_nothing_late(database: Database) -> None:
    clock = SteppedClock(at("2026-11-20 08:00"))
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    run_stepped(desk, clock, until=at("2026-11-20 09:02"))
    planned_before = network.publishes(post(when=at("2026-11-20 09:03"), by=Author(native_id="before")))
    run_stepped(desk, clock, until=at("2026-11-20 09:10"))
    for hour in range(10, 18):
        network.publishes(post(when=at(f"2026-11-20 {hour}:30"), by=Author(native_id=f"c{hour}")))
    polled = network.calls.count("fetch")
    clock.advance(8 * HOUR)  # 17:10: a lunch break, a closed lid
    for step in (line.take_in, line.work_through, line.send_out):
        while step(desk, clock.now()):
            pass
    assert network.calls.count("fetch") == polled + 1
    assert [reply.in_reply_to for reply in network.public_replies] == ["c16-1120T163000"]  # 40 minutes ago: a notice
    (late,) = [row for row in replies(database) if row.state == "late"]
    assert row_of(database, PostRow, late.post_id)["native_id"] == planned_before.native_id
    assert row_of(database, ProfileRow, 1)["due_at"] == clock.now() + timedelta(minutes=5)


def test_planned_texts_of_before_the_sleep_never_go_out_after_their_hour(database: Database) -> None:
    clock = SteppedClock(at("2026-11-20 10:00"))
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    shop = profile(database)
    planned(database, remembered(database, shop, network.publishes(post(when=clock.now()))))
    clock.advance(8 * HOUR)
    while line.send_out(desk, clock.now()):
        pass
    assert network.written == []
    assert [row.state for row in replies(database)] == ["late"]
