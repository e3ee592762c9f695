"""Fifty reports of one outage ring one bell; what is dangerous rings by itself, and what turns out worse rings again."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from social.clock import SteppedClock
from social.domain.assessment import Flag, Sentiment, Urgency
from social.domain.errors import Conflict
from social.domain.incident import Incident, IncidentState
from social.domain.post import Author
from social.engine import statements
from social.engine.crisis import look_for_crises
from social.engine.desk import Desk
from social.engine.schedule import run_stepped
from social.store import incidents
from social.store.session import Database
from tests.cast import HANNA, at
from tests.factories import desk_for, post
from tests.fakes import FakeClassifier, FakeConnector
from tests.story.telling import alerts, cases

NIGHT = at("2026-11-21 02:00")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(NIGHT - 10 * MINUTE)


@pytest.fixture
def desk(database: Database, clock: SteppedClock, network: FakeConnector) -> Desk:
    """None of it counts as a complaint: an outage is looked at without the brake."""
    model = (
        FakeClassifier()
        .judges("gaz", sentiment=Sentiment.NEGATIVE, urgency=Urgency.CRITICAL, flags={Flag.OUTAGE, Flag.SAFETY})
        .judges("u wszystkich", urgency=Urgency.CRITICAL, flags={Flag.OUTAGE})
        .judges("nie działa", urgency=Urgency.HIGH, flags={Flag.OUTAGE})
    )
    return desk_for(database, clock, network, classifier=model, closed_notice=False)


def burst(network: FakeConnector, text: str, *, count: int, begin: datetime = NIGHT, name: str = "c") -> None:
    """Different customers, one a minute."""
    for number in range(count):
        network.publishes(
            post(f"{text} ({number})", when=begin + number * MINUTE, by=Author(native_id=f"{name}{number}"))
        )


def told(database: Database) -> list[Incident]:
    with database.read() as session:
        return [view.incident for view in reversed(incidents.views(session, now=NIGHT))]


def outage_of(database: Database) -> Incident:
    (found,) = told(database)
    return found


def test_fifty_reports_of_one_outage_ring_one_bell(desk: Desk, network: FakeConnector, clock: SteppedClock) -> None:
    burst(network, "Płatność nie działa", count=50)
    run_stepped(desk, clock, until=NIGHT + HOUR)
    outage = outage_of(desk.database)
    assert (outage.kind, outage.profile_id, outage.detail["cases"]) == ("outage", None, 50)
    assert {case.incident_id for case in cases(desk.database)} == {outage.id}
    (alert,) = alerts(desk.database)
    assert (alert.kind, alert.subject, alert.incident_id) == ("case", f"incident:{outage.id}", outage.id)
    assert (alert.urgency, alert.escalation_id) == ("high", cases(desk.database)[0].id)


def test_an_outage_that_turns_out_worse_rings_once_more(
    desk: Desk, network: FakeConnector, clock: SteppedClock
) -> None:
    burst(network, "Płatność nie działa", count=5)
    burst(network, "U mnie też nie działa, u wszystkich", begin=NIGHT + 6 * MINUTE, count=5, name="worse")
    run_stepped(desk, clock, until=NIGHT + HOUR)
    assert [alert.urgency for alert in alerts(desk.database)] == ["high", "critical"]


def test_safety_rings_by_itself_in_the_middle_of_an_outage(
    desk: Desk, network: FakeConnector, clock: SteppedClock
) -> None:
    burst(network, "Płatność nie działa", count=5)
    burst(network, "Czuć gaz, piec nie działa", begin=NIGHT + 6 * MINUTE, count=2, name="danger")
    run_stepped(desk, clock, until=NIGHT + HOUR)
    dangerous = [case for case in cases(desk.database) if case.rule == "no-robot-here"]
    assert [case.incident_id for case in dangerous] == [None, None]
    assert [alert.subject for alert in alerts(desk.database)[1:]] == [f"{case.id}:critical" for case in dangerous]


def test_after_two_hours_without_a_report_it_is_another_outage(
    desk: Desk, network: FakeConnector, clock: SteppedClock
) -> None:
    burst(network, "Płatność nie działa", count=2)
    burst(network, "Płatność nie działa", begin=NIGHT + 3 * HOUR, count=2, name="again")
    run_stepped(desk, clock, until=NIGHT + 4 * HOUR)
    assert [(item.state, item.detail["cases"]) for item in told(desk.database)] == [
        (IncidentState.ENDED, 2),
        (IncidentState.RUNNING, 2),
    ]
    assert len(alerts(desk.database)) == 2
    look_for_crises(desk, NIGHT + 6 * HOUR)
    assert {item.state for item in told(desk.database)} == {IncidentState.ENDED}


def test_the_same_customer_counts_once_however_often_it_is_decided(
    desk: Desk, network: FakeConnector, clock: SteppedClock
) -> None:
    first = post("Płatność nie działa", when=NIGHT, by=Author(native_id="c0"))
    again = post("Dalej nie działa", when=NIGHT + 5 * MINUTE, by=first.author, thread_root=first.native_id)
    network.publishes(first, again)
    run_stepped(desk, clock, until=NIGHT + HOUR)
    assert outage_of(desk.database).detail["cases"] == 1


def test_an_outage_has_nothing_to_approve_and_can_be_ended(
    desk: Desk, network: FakeConnector, clock: SteppedClock
) -> None:
    burst(network, "Płatność nie działa", count=2)
    run_stepped(desk, clock, until=NIGHT + HOUR)
    outage = outage_of(desk.database)
    for act in (
        lambda: statements.context_of(desk.database, outage.id),
        lambda: statements.reject(desk.database, outage.id, user=HANNA, now=clock.now()),
    ):
        with pytest.raises(Conflict, match="no holding statement"):
            act()
    assert statements.end(desk.database, outage.id, user=HANNA, now=clock.now()).state is IncidentState.ENDED
