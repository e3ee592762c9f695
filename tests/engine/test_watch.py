"""What nobody asks for and everybody needs: the owner's warning, the latest time, who else works here."""

from __future__ import annotations

from datetime import timedelta

import pytest

from social.clock import SteppedClock, machine_now
from social.engine import people, watch
from social.engine.desk import Desk
from social.engine.schedule import run_stepped
from social.store import control
from social.store.session import Database
from tests.cast import HANNA, MAREK, OFFICE, at
from tests.factories import case, desk_for, planned, post, profile, remembered
from tests.fakes import FakeConnector
from tests.story.telling import alerts

ASKED = at("2026-11-20 10:00")
FIFTY = at("2026-11-20 10:50")


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(ASKED)


@pytest.fixture
def desk(database: Database, clock: SteppedClock) -> Desk:
    return desk_for(database, clock, FakeConnector(clock))


def waiting(database: Database) -> int:
    row_id = remembered(database, profile(database), post(when=ASKED))
    case_id = case(database, row_id)
    planned(database, row_id)
    return case_id


def test_it_warns_the_owner_of_a_taken_case_at_minute_50_and_once(
    database: Database, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    case_id = waiting(database)
    people.take(database, case_id, user=MAREK, now=ASKED + timedelta(minutes=5), calendar=OFFICE)

    assert watch.watch_over(desk, FIFTY - timedelta(seconds=1)) == 0
    assert alerts(database) == []
    for second in range(0, 60, 5):  # it looks every five seconds
        watch.watch_over(desk, FIFTY + timedelta(seconds=second))

    (alert,) = alerts(database)
    assert (alert.kind, alert.escalation_id) == ("owner", case_id)
    assert alert.message.startswith(f"marek: case {case_id} is yours")
    assert [record.message.split()[0] for record in caplog.records] == ["ALERT"]


def test_it_warns_nobody_of_a_case_that_nobody_took(database: Database, desk: Desk) -> None:
    waiting(database)
    assert watch.watch_over(desk, FIFTY) == 0
    assert alerts(database) == []


def test_it_warns_nobody_whose_answer_is_on_its_way(database: Database, desk: Desk, clock: SteppedClock) -> None:
    case_id = waiting(database)
    people.take(database, case_id, user=MAREK, now=ASKED, calendar=OFFICE)
    with database.write() as session:
        control.pause(session, by=HANNA, now=ASKED)  # it stays on its way
    clock.advance_to(at("2026-11-20 10:45"))
    context = people.AnswerContext(rules=FakeConnector().reply_rules, private_channel=False)
    people.answer(database, context, case_id, "Już sprawdzam.", user=MAREK, now=clock.now())
    run_stepped(desk, clock, until=at("2026-11-20 10:59"))
    assert alerts(database) == []


def test_it_keeps_the_latest_time_and_never_an_earlier_one(database: Database, desk: Desk, clock: SteppedClock) -> None:
    with database.write() as session:
        control.set_clock(session, mode="paced", anchor=None)
    for moment in (at("2026-11-20 10:30"), at("2026-11-20 10:31")):
        clock.advance_to(moment)
        watch.beat(desk, name="here:1", parts="poll", started_at=machine_now())
    earlier = desk_for(database, SteppedClock(ASKED), FakeConnector())
    watch.beat(earlier, name="there:2", parts="poll", started_at=machine_now())
    with database.read() as session:
        found = control.clock_anchor(session)
    assert found is not None
    assert found[2] == at("2026-11-20 10:31")


def test_it_sees_other_daemons_and_not_itself(database: Database, desk: Desk) -> None:
    started = machine_now()
    for name in ("here:1", "there:2"):
        watch.beat(desk, name=name, parts="poll,triage", started_at=started)
    assert [(other.name, other.parts) for other in watch.others(desk, name="here:1")] == [("there:2", "poll,triage")]
    with database.write() as session:
        control.leave(session, "there:2")
    assert watch.others(desk, name="here:1") == []
