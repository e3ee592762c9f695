"""The brake: a burst of complaints pauses the robot, rings once, and says only what a person approved; calm or a person
lifts it. Fifty reports of one outage ring one bell."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from social.clock import SteppedClock
from social.domain.assessment import Sentiment, Urgency
from social.domain.errors import Conflict, NotFound, Unreachable
from social.domain.incident import Incident, IncidentState, StatementState
from social.domain.post import Author, FetchedPost, ProfileMode
from social.engine import people, statements
from social.engine.crisis import LOOK_EVERY, look_for_crises
from social.engine.desk import Desk
from social.engine.schedule import run_stepped
from social.engine.statements import StatementContext, UnfitStatement
from social.store import control, incidents
from social.store.session import Database
from social.store.tables import EventRow, ProfileRow
from tests.cast import BRAND, HANNA, MAREK, OFFICE, at
from tests.engine.looking import rows
from tests.factories import desk_for, post
from tests.fakes import FAKE_RULES, FakeClassifier, FakeConnector
from tests.story.telling import NETWORK_RULES, alerts, cases, posts, replies, robot_said

NIGHT = at("2026-11-21 02:00")
NOON = at("2026-11-20 12:00")  # a Friday; the desk polls since the first of the month
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
CONTEXT = StatementContext(brand=BRAND, rules=FAKE_RULES, private_channel=False)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(NOON - 20 * MINUTE)


@pytest.fixture
def model() -> FakeClassifier:
    return (
        FakeClassifier()
        .judges("scandal", sentiment=Sentiment.NEGATIVE, language="en")
        .judges("skandal", sentiment=Sentiment.NEGATIVE)
    )


@pytest.fixture
def desk(database: Database, clock: SteppedClock, network: FakeConnector, model: FakeClassifier) -> Desk:
    return desk_for(database, clock, network, classifier=model)


def live(desk: Desk, end: datetime) -> None:
    assert isinstance(desk.clock, SteppedClock)
    run_stepped(desk, desk.clock, until=end)


def burst(
    network: FakeConnector,
    text: str = "To skandal!",
    *,
    count: int = 12,
    begin: datetime = NOON,
    every: timedelta = MINUTE,
    name: str = "c",
) -> list[FetchedPost]:
    """Different customers, one after the other."""
    written = [
        post(f"{text} ({number})", when=begin + number * every, by=Author(native_id=f"{name}{number}"))
        for number in range(count)
    ]
    network.publishes(*written)
    return written


def told(database: Database) -> list[Incident]:
    with database.read() as session:
        return [view.incident for view in reversed(incidents.views(session, now=NOON))]


def crisis_of(database: Database) -> Incident:
    (found,) = told(database)
    return found


def approve(desk: Desk, incident: Incident, **how: object) -> Incident:
    return statements.approve(desk.database, CONTEXT, incident.id, user=HANNA, now=desk.now(), **how)  # type: ignore[arg-type]


# --- the brake ---------------------------------------------------------------------------------------------------------


def test_a_burst_at_noon_pauses_the_acknowledgements_and_rings_once(desk: Desk, network: FakeConnector) -> None:
    network.publishes(post("Kiedy otwieracie?", when=NOON - 45 * MINUTE))
    burst(network)
    live(desk, NOON + 20 * MINUTE)

    (before, *of_the_burst) = replies(desk.database)
    assert before.state == "sent"  # at 11:55, before it broke out
    assert {(reply.state, reply.reason) for reply in of_the_burst} == {("cancelled", "a crisis on the profile")}
    assert {row.reason for row in posts(desk.database)[2:] if not row.ours} == {
        "crisis: a crisis on the profile: acknowledgements wait"
    }
    (alert,) = alerts(desk.database)
    incident = crisis_of(desk.database)
    assert (alert.kind, alert.subject, alert.urgency) == ("crisis", f"incident:{incident.id}", "critical")
    assert alert.incident_id == incident.id
    assert "customers complained within an hour" in alert.message
    assert "skandal" not in alert.message

    live(desk, NOON + 90 * MINUTE)
    assert len(robot_said(network)) == 1
    assert len(alerts(desk.database)) == 1
    assert {case.state for case in cases(desk.database)} == {"open"}


def test_it_counts_what_it_saw_and_whose_cases_they_are(desk: Desk, network: FakeConnector) -> None:
    network.publishes(post("Kiedy otwieracie?", when=NOON + 3 * MINUTE, by=Author(native_id="asks")))
    burst(network)
    live(desk, NOON + 30 * MINUTE)
    incident = crisis_of(desk.database)
    assert incident.detail["customers"] == 12
    assert incident.detail["usual"] < 0.1
    assert incident.detail["probability"] < 1e-5
    assert incident.detail["cases"] == 12
    assert [case.incident_id for case in cases(desk.database)].count(None) == 1  # who only asks is no part of it


def test_people_answer_as_always(desk: Desk, network: FakeConnector, clock: SteppedClock) -> None:
    burst(network)
    live(desk, NOON + 20 * MINUTE)
    case = cases(desk.database)[0]
    people.answer(desk.database, NETWORK_RULES, case.id or 0, "Już działamy.", user=MAREK, now=clock.now())
    live(desk, NOON + 22 * MINUTE)
    assert [written.text for written in network.written] == ["Już działamy."]


def test_one_angry_person_pulls_no_brake(desk: Desk, network: FakeConnector) -> None:
    angry = Author(native_id="angry")
    network.publishes(*(post(f"To skandal! {n}", when=NOON + n * MINUTE, by=angry) for n in range(40)))
    live(desk, NOON + 50 * MINUTE)
    assert told(desk.database) == []


def test_it_pulls_no_brake_before_a_day_was_watched(
    database: Database, clock: SteppedClock, network: FakeConnector, model: FakeClassifier
) -> None:
    desk = desk_for(database, clock, network, classifier=model, first_polled_at=NOON - 23 * HOUR)
    burst(network, count=30)
    live(desk, NOON + 35 * MINUTE)
    assert told(database) == []
    assert {reply.state for reply in replies(database)} == {"planned"}


def test_it_holds_the_closed_notice_back_too(desk: Desk, network: FakeConnector, clock: SteppedClock) -> None:
    night = at("2026-11-20 22:01")
    clock.advance_to(night - MINUTE)
    burst(network, begin=night, every=timedelta(seconds=10))
    live(desk, night + HOUR)
    assert {(reply.kind, reply.state) for reply in replies(desk.database)} == {("closed-notice", "cancelled")}
    assert network.written == []


def test_it_pauses_what_the_network_did_not_take_and_gave_back(desk: Desk, network: FakeConnector) -> None:
    network.publishes(post("Kiedy otwieracie?", when=NOON - 39 * MINUTE, by=Author(native_id="asks")))
    network.fails("reply", Unreachable("the network is away."), times=30)
    burst(network, begin=NOON - 10 * MINUTE)
    live(desk, NOON + 10 * MINUTE)
    assert network.public_replies == []
    first = replies(desk.database)[0]
    assert (first.state, first.reason) == ("cancelled", "a crisis on the profile")


def test_it_looks_only_where_it_is_due_and_at_once_after_a_complaint(
    desk: Desk, database: Database, network: FakeConnector
) -> None:
    def due_at() -> datetime:
        (row,) = rows(database, ProfileRow)
        assert row.crisis_due_at is not None
        return row.crisis_due_at

    live(desk, NOON)
    before = due_at()
    assert NOON < before <= NOON + LOOK_EVERY
    look_for_crises(desk, NOON)
    assert due_at() == before
    burst(network, begin=NOON, every=timedelta(seconds=5))
    live(desk, NOON + 5 * MINUTE)  # the next poll
    assert crisis_of(database).opened_at == NOON + 5 * MINUTE


# --- calm, or a person, lifts it ---------------------------------------------------------------------------------------


def test_calm_lifts_it_and_nothing_is_said_late(desk: Desk, network: FakeConnector) -> None:
    burst(network)
    late = network.publishes(post("Kiedy otwieracie?", when=NOON + 65 * MINUTE, by=Author(native_id="late")))
    asks = network.publishes(post("Kiedy otwieracie?", when=NOON + 100 * MINUTE, by=Author(native_id="asks")))
    live(desk, NOON + 2 * HOUR)
    assert crisis_of(desk.database).state is IncidentState.RUNNING

    live(desk, NOON + 4 * HOUR)

    incident = crisis_of(desk.database)
    assert (incident.state, incident.ended_by) == (IncidentState.ENDED, "calm")
    assert {statement.state for statement in incident.statements} == {StatementState.ENDED}
    assert incident.ended_at is not None
    assert NOON + 2 * HOUR < incident.ended_at < NOON + 2 * HOUR + 20 * MINUTE  # two hours after the last complaint
    assert late.created_at + HOUR < incident.ended_at
    (acknowledged,) = robot_said(network)
    assert (acknowledged.in_reply_to, acknowledged.created_at) == (asks.native_id, asks.created_at + 40 * MINUTE)
    assert alerts(desk.database) == []


def test_nobody_calls_it_calm_who_cannot_see(desk: Desk, network: FakeConnector) -> None:
    burst(network)
    live(desk, NOON + 20 * MINUTE)
    network.fails("fetch", Unreachable("the network is away."), times=1000)
    live(desk, NOON + 150 * MINUTE)
    assert crisis_of(desk.database).state is IncidentState.RUNNING


def test_a_person_lifts_it_and_it_does_not_come_back_by_itself(
    desk: Desk, network: FakeConnector, clock: SteppedClock
) -> None:
    written = burst(network, every=4 * MINUTE)
    live(desk, NOON + 40 * MINUTE)
    statements.end(desk.database, crisis_of(desk.database).id, user=HANNA, now=clock.now())
    live(desk, NOON + 2 * HOUR)

    incident = crisis_of(desk.database)
    assert (incident.state, incident.ended_by) == (IncidentState.LIFTED, HANNA)
    acknowledged = [own.to for own in network.written]
    assert acknowledged == [item.native_id for item in written]  # each inside the hour
    for own in robot_said(network):
        (asked,) = (item for item in written if item.native_id == own.in_reply_to)
        assert own.created_at - asked.created_at <= HOUR

    live(desk, NOON + 4 * HOUR)
    assert crisis_of(desk.database).state is IncidentState.ENDED
    assert crisis_of(desk.database).ended_by == HANNA
    evening = at("2026-11-20 18:00")
    burst(network, begin=evening, name="evening", every=timedelta(seconds=10))
    live(desk, evening + 10 * MINUTE)
    assert [incident.state for incident in told(desk.database)] == [IncidentState.ENDED, IncidentState.RUNNING]


def test_nobody_ends_it_twice(desk: Desk, network: FakeConnector, clock: SteppedClock) -> None:
    burst(network)
    live(desk, NOON + 20 * MINUTE)
    incident = crisis_of(desk.database)
    statements.end(desk.database, incident.id, user=HANNA, now=clock.now())
    for act in (
        lambda: statements.end(desk.database, incident.id, user=MAREK, now=clock.now()),
        lambda: statements.reject(desk.database, incident.id, user=MAREK, now=clock.now()),
        lambda: approve(desk, incident),
    ):
        with pytest.raises(Conflict, match="ended by hanna"):
            act()
    with pytest.raises(NotFound, match="no incident 99"):
        statements.end(desk.database, 99, user=HANNA, now=clock.now())


# --- what the robot may say --------------------------------------------------------------------------------------------


def test_it_prepares_a_statement_in_each_language_and_says_nothing_of_it(desk: Desk, network: FakeConnector) -> None:
    burst(network)
    live(desk, NOON + 50 * MINUTE)
    incident = crisis_of(desk.database)
    assert [(item.language, item.state) for item in incident.statements] == [
        ("pl", StatementState.WAITING),
        ("en", StatementState.WAITING),
    ]
    assert all(BRAND in item.text for item in incident.statements)
    assert network.written == []


def test_an_approved_statement_reaches_each_waiting_customer_once_and_new_ones_too(
    desk: Desk, network: FakeConnector
) -> None:
    waiting = burst(network)
    stranger = network.publishes(post("A scandal!", when=NOON + 5 * MINUTE, by=Author(native_id="stranger")))
    network.publishes(post("Kiedy otwieracie?", when=NOON + 6 * MINUTE, by=Author(native_id="asks")))
    later = burst(network, begin=NOON + 40 * MINUTE, count=3, name="later")
    live(desk, NOON + 30 * MINUTE)
    approved = approve(desk, crisis_of(desk.database))
    live(desk, NOON + 90 * MINUTE)

    polish, english = (item.text for item in approved.statements)
    told = {own.to: own.text for own in network.written}
    assert told == {**{item.native_id: polish for item in (*waiting, *later)}, stranger.native_id: english}
    assert len(network.written) == len(told)
    assert {reply.kind for reply in replies(desk.database) if reply.state == "sent"} == {"holding"}
    assert alerts(desk.database) == []  # somebody cares, nobody else is rung


def test_it_tells_nobody_whose_hour_is_over_or_whom_a_person_answers(
    desk: Desk, network: FakeConnector, clock: SteppedClock
) -> None:
    waiting = burst(network, every=5 * MINUTE)
    live(desk, NOON + 45 * MINUTE)
    taken, answered = cases(desk.database)[6:8]
    people.take(desk.database, taken.id or 0, user=MAREK, now=clock.now(), calendar=OFFICE)
    people.answer(desk.database, NETWORK_RULES, answered.id or 0, "Już działamy.", user=MAREK, now=clock.now())
    live(desk, NOON + 67 * MINUTE)
    approve(desk, crisis_of(desk.database))
    live(desk, NOON + 3 * HOUR)
    told = {own.in_reply_to for own in robot_said(network)}
    assert told == {item.native_id for item in [*waiting[2:6], *waiting[8:]]}


def test_a_rejected_or_unanswered_language_is_not_replaced_by_another(desk: Desk, network: FakeConnector) -> None:
    burst(network)
    network.publishes(post("A scandal!", when=NOON + 5 * MINUTE, by=Author(native_id="stranger")))
    live(desk, NOON + 20 * MINUTE)
    approve(desk, crisis_of(desk.database), language="pl")
    live(desk, NOON + 40 * MINUTE)
    assert "stranger" not in " ".join(own.to for own in network.written)
    assert len(network.written) == 12


def test_a_statement_that_is_taken_back_is_not_sent_any_more(
    desk: Desk, network: FakeConnector, clock: SteppedClock
) -> None:
    burst(network)
    live(desk, NOON + 20 * MINUTE)
    incident = crisis_of(desk.database)
    approve(desk, incident)
    with desk.database.write() as session:
        control.pause(session, by=HANNA, now=clock.now())
    live(desk, NOON + 22 * MINUTE)
    assert [reply.state for reply in replies(desk.database)].count("planned") == 12

    statements.reject(desk.database, incident.id, user=HANNA, now=clock.now())
    with desk.database.write() as session:
        control.unpause(session, by=HANNA, now=clock.now())
    live(desk, NOON + 50 * MINUTE)
    assert network.written == []
    assert {item.state for item in crisis_of(desk.database).statements} == {StatementState.REJECTED}
    with pytest.raises(Conflict, match="rejected"):
        approve(desk, incident)
    approve(desk, incident, language="pl")  # by name, if somebody means it


def test_a_person_chooses_the_words_and_their_name_is_kept(desk: Desk, network: FakeConnector) -> None:
    burst(network)
    live(desk, NOON + 20 * MINUTE)
    incident = crisis_of(desk.database)
    own = "Wiemy o awarii w magazynie i ją usuwamy. (Wysłane automatycznie)"
    with pytest.raises(Conflict, match="one language"):
        approve(desk, incident, text=own)
    with pytest.raises(UnfitStatement, match="automatically"):
        approve(desk, incident, language="pl", text="Wiemy o awarii i ją usuwamy.")
    with pytest.raises(NotFound, match=r"no words for 'pogoda'.*payments"):
        approve(desk, incident, language="pl", problem="pogoda")
    with pytest.raises(NotFound, match="in 'de'"):
        approve(desk, incident, language="de")
    approve(desk, incident, language="pl", text=own)
    chosen = approve(desk, incident, language="en", problem="payments")
    with pytest.raises(Conflict, match="approved already, by hanna"):
        approve(desk, incident)
    live(desk, NOON + 25 * MINUTE)

    assert {written.text for written in network.written} == {own}
    assert "with payments" in chosen.statements[1].text
    assert [item.decided_by for item in chosen.statements] == [HANNA, HANNA]
    noted = [
        (row.actor, row.verb, row.detail["language"])
        for row in rows(desk.database, EventRow)
        if row.subject_kind == "statement"
    ]
    assert noted == [(HANNA, "approved", "pl"), (HANNA, "approved", "en")]


# --- dry-run -----------------------------------------------------------------------------------------------------------


def test_in_dry_run_it_does_all_but_send(
    database: Database, clock: SteppedClock, network: FakeConnector, model: FakeClassifier
) -> None:
    desk = desk_for(database, clock, network, classifier=model, mode=ProfileMode.DRY_RUN)
    burst(network)
    live(desk, NOON + 20 * MINUTE)
    assert {reply.state for reply in replies(database)} == {"cancelled"}
    assert [alert.kind for alert in alerts(database)] == ["crisis"]
    approve(desk, crisis_of(database))
    live(desk, NOON + 90 * MINUTE)
    rehearsed = [reply for reply in replies(database) if reply.kind == "holding"]
    assert {reply.state for reply in rehearsed} == {"would-have-sent"}
    assert len(rehearsed) == 12
    assert network.written == []


def test_a_critical_complaint_in_a_crisis_rings_and_a_high_one_does_not(
    desk: Desk, network: FakeConnector, model: FakeClassifier, clock: SteppedClock
) -> None:
    model.judges("oburzające", sentiment=Sentiment.NEGATIVE, urgency=Urgency.HIGH)
    model.judges("koszmar", sentiment=Sentiment.NEGATIVE, urgency=Urgency.CRITICAL)
    clock.advance_to(NIGHT - 5 * MINUTE)
    burst(network, begin=NIGHT, every=timedelta(seconds=10))
    burst(network, "To oburzające", begin=NIGHT + 10 * MINUTE, count=3, name="high")
    burst(network, "To koszmar", begin=NIGHT + 15 * MINUTE, count=1, name="critical")
    live(desk, NIGHT + 30 * MINUTE)
    assert [(alert.kind, alert.urgency) for alert in alerts(desk.database)] == [
        ("crisis", "critical"),
        ("case", "critical"),
    ]
