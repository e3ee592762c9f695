"""A daemon lived under a clock that was far ahead. After a new start under the right one, nothing waits for that time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from social.clock import SteppedClock
from social.domain.errors import Uncertain, Unreachable
from social.engine import line, people
from social.engine.desk import Desk
from social.engine.schedule import run_stepped
from social.store import ahead
from social.store.session import Database
from social.store.tables import PostRow, ProfileRow, ReplyRow
from tests.cast import MAREK, at
from tests.engine.looking import rows
from tests.factories import case, desk_for, planned, post, profile, remembered, row_of
from tests.fakes import FakeConnector
from tests.story.telling import NETWORK_RULES, alerts, leases_run_out

NOON = at("2026-11-20 12:00")
WRONG = NOON + timedelta(days=30)
RIGHT = NOON + timedelta(minutes=10)


class Ahead:
    """What such a daemon leaves: a post that nobody has judged, a person's answer in doubt, another one planned."""

    def __init__(self, database: Database) -> None:
        self.database, wrong = database, SteppedClock(WRONG)
        self.network = FakeConnector(wrong)
        self.desk = desk = desk_for(database, wrong, self.network)
        shop = profile(database)
        line.take_in(desk, WRONG)
        self.asked = [
            self.network.publishes(
                post(f"Gdzie paczka {number}?", when=NOON, native_id=f"q{number}", thread_root=f"q{number}")
            )
            for number in range(2)
        ]
        first, second = (remembered(database, shop, asked, now=WRONG) for asked in self.asked)
        for row_id in (first, second):
            case_id = case(database, row_id)
            if row_id == first:
                self.network.fails("reply", Uncertain("time-out."), after_effect=True)
            people.answer(database, NETWORK_RULES, case_id, f"Jutro, {row_id}.", user=MAREK, now=WRONG)
            if row_id == first:
                line.send_out(desk, WRONG)
        self.new = remembered(database, shop, post("A ja?", when=NOON, native_id="q9", thread_root="q9"), now=WRONG)
        self.waits = planned(database, self.new, due_at=WRONG + timedelta(minutes=40))

    def after_a_new_start(self) -> Desk:
        self.right = self.network.clock = SteppedClock(RIGHT)  # where the network lived all the time
        leases_run_out(self.database)
        with self.database.write() as session:
            assert ahead.pull_back(session, RIGHT) > 0
            assert ahead.pull_back(session, RIGHT) == 0
            session.execute(update(ProfileRow).values(due_at=RIGHT))  # as every start does
        return replace(self.desk, clock=self.right)


@pytest.fixture
def left(database: Database) -> Ahead:
    return Ahead(database)


def test_what_waited_is_done_at_once_and_a_text_that_waits_for_its_time_keeps_it(left: Ahead) -> None:
    states = [row.state for row in rows(left.database, ReplyRow) if row.sent_by == "person"]
    assert states == ["sending", "planned"]
    kept = row_of(left.database, ReplyRow, left.waits)["due_at"]
    desk = left.after_a_new_start()
    assert row_of(left.database, ReplyRow, left.waits)["due_at"] == kept

    run_stepped(desk, left.right, until=RIGHT + timedelta(minutes=5))
    assert [row.state for row in rows(left.database, ReplyRow) if row.sent_by == "person"] == ["sent", "sent"]
    assert row_of(left.database, PostRow, left.new)["state"] == "judged"


def test_a_second_look_that_a_limit_put_off_for_hours_is_left_alone(database: Database) -> None:
    profile(database)
    later = RIGHT + timedelta(hours=8)
    with database.write() as session:
        session.execute(update(ProfileRow).values(last_polled_at=RIGHT, refresh_due_at=later, crisis_due_at=later))
        assert ahead.pull_back(session, RIGHT) == 0
    assert [row.refresh_due_at for row in rows(database, ProfileRow)] == [later]


def test_profiles_are_looked_at_again_and_an_outage_is_told(left: Ahead) -> None:
    assert all(row.last_polled_at >= WRONG and row.refresh_due_at > WRONG for row in rows(left.database, ProfileRow))
    desk = left.after_a_new_start()
    left.network.deletes("q1")
    run_stepped(desk, left.right, until=RIGHT + timedelta(minutes=5))
    gone = [row.deleted_at for row in rows(left.database, PostRow) if row.native_id == "q1"]
    assert gone != [None]

    left.network.fails("fetch", Unreachable("no answer."), times=99)
    run_stepped(desk, left.right, until=RIGHT + timedelta(minutes=50))
    assert "connector" in [alert.kind for alert in alerts(left.database)]
