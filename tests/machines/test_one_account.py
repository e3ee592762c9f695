"""A network's limits belong to the account: what one machine is told, all of them keep to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from social.clock import SteppedClock
from social.domain.errors import RateLimited
from social.domain.post import Author
from social.engine import line, watch
from social.engine.desk import Desk
from social.engine.meter import StoredMeter
from social.ports import Quota
from social.store import profiles, spending
from social.store.session import Database
from social.store.tables import BudgetRow, ReplyRow
from tests.cast import PROFILE, at
from tests.engine.looking import rows
from tests.factories import case, desk_for, planned, post, profile, remembered
from tests.fakes import FakeConnector
from tests.machines.racing import Race
from tests.story.telling import leases_run_out

NOW = at("2026-11-20 10:40")
RESET = at("2026-11-20 10:55")

Open = Callable[[], Database]


class Two:
    """Two machines, each with its own connector of the one account."""

    def __init__(self, open_database: Open) -> None:
        self.clock = SteppedClock(NOW)
        self.networks = FakeConnector(self.clock), FakeConnector(self.clock)
        self.desks: list[Desk] = [desk_for(open_database(), self.clock, network) for network in self.networks]
        self.database = self.desks[0].database
        self.shop = profile(self.database, now=NOW)

    def due_replies(self, count: int, *, first: int = 0) -> None:
        for number in range(first, first + count):
            asked = post(when=NOW - timedelta(minutes=40), by=Author(native_id=f"c{number}"), native_id=f"q{number}")
            for network in self.networks:
                network.publishes(asked)
            row_id = remembered(self.database, self.shop, asked)
            case(self.database, row_id)
            planned(self.database, row_id, due_at=NOW)

    def everything(self) -> None:
        """Each loop of both, until nothing is left to do at this moment."""
        for desk in self.desks:
            for step in (line.take_in, line.work_through, line.send_out):
                while step(desk, self.clock.now()):
                    pass
            watch.ask_when_accesses_end(desk, self.clock.now())

    def calls(self) -> int:
        return sum(len(network.calls) for network in self.networks)


@pytest.fixture
def two(new_store_database: Open) -> Two:
    return Two(new_store_database)


@pytest.mark.parametrize(
    ("method", "scope"),
    [
        *((method, scope) for method in ("fetch", "refresh", "thread", "can_reply") for scope in ("all", "read")),
        ("reply", "all"),
    ],
)
def test_a_network_that_said_wait_hears_nothing_from_any_machine_before_that(two: Two, method: str, scope: str) -> None:
    two.due_replies(3)
    one = two.networks[0]
    one.fails(method, RateLimited("too many requests.", until=RESET, scope=scope))
    step = line.take_in if method == "fetch" else line.send_out
    step(two.desks[0], NOW)
    assert one.calls[-1] == method
    before = two.calls()

    for minute in range(15):
        two.clock.advance_to(NOW + timedelta(minutes=minute))
        two.everything()
    assert two.calls() == before

    two.clock.advance_to(RESET)
    two.everything()
    two.clock.advance(timedelta(minutes=1))
    two.everything()
    assert two.calls() > before
    assert sorted(row.state for row in rows(two.database, ReplyRow)) == ["sent"] * 3


def test_a_look_up_that_was_told_to_wait_keeps_all_machines_from_sending(two: Two) -> None:
    two.due_replies(2)
    one = two.networks[0]
    one.fails("reply", OSError("the cable was cut"))
    with pytest.raises(OSError, match="cable"):
        line.send_out(two.desks[0], NOW)
    leases_run_out(two.database)
    one.fails("find_own_reply", RateLimited("too many requests.", until=RESET))
    line.send_out(two.desks[0], NOW)
    before = two.calls()
    two.everything()
    assert two.calls() == before


def test_a_limit_of_one_kind_of_request_does_not_silence_the_answers(two: Two) -> None:
    two.due_replies(1)
    two.networks[0].fails("fetch", RateLimited("too many requests.", until=RESET, scope="mentions"))
    line.take_in(two.desks[0], NOW)
    two.everything()
    assert [row.state for row in rows(two.database, ReplyRow)] == ["sent"]
    assert "fetch" not in two.networks[1].calls


def test_a_later_word_never_shortens_a_wait(two: Two) -> None:
    with two.database.write() as session:
        profiles.record_pause(session, two.shop.id, "all", RESET, now=NOW)
        profiles.record_pause(session, two.shop.id, "all", RESET - timedelta(minutes=9), now=NOW)
    with two.database.read() as session:
        assert profiles.paused_until(session, two.shop.id, ("all",), now=NOW) == RESET


def quota(remaining: int, resets_at: datetime = RESET) -> Quota:
    return Quota(scope="posts", stops="write", limit=100, remaining=remaining, resets_at=resets_at)


def test_what_one_machine_was_told_long_ago_does_not_hide_what_another_knows(two: Two) -> None:
    one, other = two.networks
    one.quotas = (quota(40),)
    line.take_in(two.desks[0], NOW)
    other.quotas = (quota(0, RESET + timedelta(minutes=15)),)  # of the window after that
    two.clock.advance(timedelta(minutes=5))
    line.take_in(two.desks[1], two.clock.now())
    two.due_replies(1)

    two.clock.advance(timedelta(minutes=5))
    line.take_in(two.desks[0], two.clock.now())  # its connector still says 40

    (kept,) = rows(two.database, BudgetRow)
    assert kept.remaining == 0
    two.everything()
    assert one.written == other.written == []


def test_of_answers_that_come_in_out_of_order_the_least_is_left_until_the_reset(two: Two) -> None:
    with two.database.write() as session:
        profiles.record_quota(session, two.shop.id, [quota(3)], now=NOW)
        profiles.record_quota(session, two.shop.id, [quota(7)], now=NOW)
    (kept,) = rows(two.database, BudgetRow)
    assert kept.remaining == 3
    with two.database.write() as session:
        profiles.record_quota(session, two.shop.id, [quota(99, RESET + timedelta(minutes=15))], now=RESET)
    (kept,) = rows(two.database, BudgetRow)
    assert kept.remaining == 99


def test_the_hourly_limit_of_a_profile_holds_over_two_machines(two: Two) -> None:
    rounds = 25
    with Race(2) as race:
        for number in range(1, rounds + 1):  # there is room for one, and both come at once
            two.due_replies(2, first=2 * number)
            for desk in two.desks:
                desk.limits = type(desk.limits)(per_author_an_hour=3, per_profile_an_hour=number)
            race.round(*(lambda desk=desk: line.send_out(desk, NOW) for desk in two.desks))
            assert sum(len(network.written) for network in two.networks) == number
    states = [row.state for row in rows(two.database, ReplyRow)]
    # who found no room would find none within the customer's hour
    assert (states.count("sent"), states.count("late")) == (rounds, rounds)


def test_no_cent_is_lost_when_two_machines_pay_at_once(new_store_database: Open) -> None:
    databases = new_store_database(), new_store_database()
    for number in range(20):  # the first payment of each profile is the one that makes its row
        name = f"{PROFILE}-{number}"
        profile(databases[0], name)
        meters = [StoredMeter(database=database, profile=name) for database in databases]
        with Race(2) as race:
            race.round(*(lambda meter=meter: meter.add(5, budget=1000, now=NOW) for meter in meters))
        with databases[0].read() as session:
            assert spending.spent(session, name, now=NOW) == 10
