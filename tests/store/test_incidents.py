"""Incidents and what they are counted from, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from social.domain.assessment import Sentiment
from social.domain.crisis import HISTORY
from social.domain.errors import Conflict, NotFound
from social.domain.incident import OUTAGE_WINDOW, IncidentKind, IncidentState, StatementState
from social.domain.post import Author
from social.domain.reply import Composed, ReplyKind, SentBy
from social.store import incidents, statements, volume
from social.store.mapping import Profile
from social.store.rows import c
from social.store.session import Database
from social.store.tables import EscalationRow, EventRow, PostRow, ReplyRow
from tests.cast import HANNA, at
from tests.factories import FIRST_POLL, assessment, case, judged, planned, post, profile, remembered, row_of

NOON = at("2026-11-20 12:00")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NEGATIVE = assessment(sentiment=Sentiment.NEGATIVE)


def complains(
    database: Database, shop: Profile, when: datetime, *, name: str = "c0", sentiment: Sentiment = Sentiment.NEGATIVE
) -> int:
    asked = post("Skandal.", when=when, by=Author(native_id=name), native_id=f"{name}-{when.isoformat()}")
    row_id = remembered(database, shop, asked)
    judged(database, row_id, assessment(sentiment=sentiment))
    return row_id


def opened(session: Session, shop: Profile, *, now: datetime = NOON, customers: int = 9) -> int:
    detail = {"customers": customers, "cases": 0}
    return incidents.open_crisis(session, brand_id=shop.brand_id, profile_id=shop.id, detail=detail, now=now).id


# --- one at a time -----------------------------------------------------------------------------------------------------


def test_a_profile_has_one_crisis_at_a_time(store_database: Database) -> None:
    shop, other = profile(store_database), profile(store_database, "other")
    with store_database.write() as session:
        first = opened(session, shop)
        opened(session, other)
    with pytest.raises(IntegrityError), store_database.write() as session:
        opened(session, shop)
    with store_database.write() as session:
        incidents.end(session, first, following=IncidentState.LIFTED, by=HANNA, now=NOON)
    with pytest.raises(IntegrityError), store_database.write() as session:
        opened(session, shop)  # while it is lifted, too
    with store_database.write() as session:
        incidents.end(session, first, following=IncidentState.ENDED, by=incidents.CALM, now=NOON + HOUR)
        second = opened(session, shop, now=NOON + HOUR)
        assert incidents.crises_of(session, [shop.id])[shop.id].id == second
        ended = incidents.get(session, first)
    assert (ended.ended_by, ended.ended_at) == (HANNA, NOON)  # who was first to end it


def test_a_lifted_crisis_brakes_nothing(store_database: Database) -> None:
    shop = profile(store_database)
    with store_database.write() as session:
        incidents.end(session, opened(session, shop), following=IncidentState.LIFTED, by=HANNA, now=NOON)
    with store_database.read() as session:
        assert incidents.crises_of(session, [shop.id]) == {}
        assert list(incidents.crises_of(session, [shop.id], lifted=True)) == [shop.id]


def test_a_running_crisis_stops_acknowledgements_at_the_last_moment_and_no_hand_over(store_database: Database) -> None:
    shop, other = profile(store_database), profile(store_database, "other")

    def stopped() -> set[ReplyKind]:
        with store_database.read() as session:
            assert not incidents.stops(session, other.id, ReplyKind.ACKNOWLEDGEMENT, "Dziękujemy.")
            return {kind for kind in ReplyKind if incidents.stops(session, shop.id, kind, "Dziękujemy.")}

    assert stopped() == {ReplyKind.HOLDING}  # that needs a crisis, and a person's word
    with store_database.write() as session:
        incident_id = opened(session, shop)
    assert stopped() == {ReplyKind.ACKNOWLEDGEMENT, ReplyKind.CLOSED_NOTICE, ReplyKind.HOLDING}
    with store_database.write() as session:
        incidents.end(session, incident_id, following=IncidentState.LIFTED, by=HANNA, now=NOON)
    assert stopped() == {ReplyKind.HOLDING}


def test_an_incident_that_is_over_stays_over(store_database: Database) -> None:
    shop = profile(store_database)
    with store_database.write() as session:
        incident_id = opened(session, shop)
        incidents.end(session, incident_id, following=IncidentState.ENDED, by=incidents.CALM, now=NOON)
        for following in (IncidentState.LIFTED, IncidentState.ENDED):
            with pytest.raises(Conflict, match="is ended and cannot become"):
                incidents.end(session, incident_id, following=following, by=HANNA, now=NOON)
        with pytest.raises(NotFound, match="no incident 4711"):
            incidents.get(session, 4711)


def test_outages_join_within_two_hours_of_the_last_report(store_database: Database) -> None:
    shop, other = profile(store_database), profile(store_database, "other", brand="Inna")

    def report(minutes: float, brand_id: int = shop.brand_id) -> int:
        now = NOON + minutes * MINUTE
        with store_database.write() as session:
            found = incidents.outage_of(session, brand_id=brand_id, now=now)
            incidents.seen_again(session, found.id, now=now)
            return found.id

    window = OUTAGE_WINDOW / MINUTE
    first = report(0)
    assert report(window - 1) == first
    assert report(2 * window - 2) == first  # it goes on from report to report
    assert report(0, other.brand_id) != first
    second = report(3 * window - 2)
    assert second != first
    with store_database.read() as session:
        assert incidents.get(session, first).state is IncidentState.ENDED
        assert [item.id for item in incidents.quiet_outages(session, now=NOON + 4 * window * MINUTE)] != []


def test_two_daemons_open_one_outage(new_store_database: Callable[[], Database]) -> None:
    one, two = new_store_database(), new_store_database()
    shop = profile(one)

    def report(database: Database) -> int:
        with database.write() as session:
            return incidents.outage_of(session, brand_id=shop.brand_id, now=NOON).id

    with ThreadPoolExecutor(1) as pool:
        with one.write() as session:
            first = incidents.outage_of(session, brand_id=shop.brand_id, now=NOON).id
            other = pool.submit(report, two)  # waits for us, in one way or the other
        assert other.result() == first


def test_a_case_is_counted_once_in_its_incident(store_database: Database) -> None:
    shop = profile(store_database)
    case_id = case(store_database, remembered(store_database, shop, post(when=NOON)))
    with store_database.write() as session:
        outage = incidents.outage_of(session, brand_id=shop.brand_id, now=NOON)
        for minute in range(3):
            incidents.join(session, outage.id, case_id, now=NOON + minute * MINUTE)
        found = incidents.get(session, outage.id)
        assert (found.kind, found.detail["cases"], found.last_seen_at) == (
            IncidentKind.OUTAGE,
            1,
            NOON + 2 * MINUTE,
        )
        (view,) = incidents.views(session, now=NOON + 59 * MINUTE)
        assert (view.waiting, view.in_time, view.profile, view.brand) == (1, 1, None, "Fikcja")
        assert incidents.views(session, now=NOON + 61 * MINUTE)[0].in_time == 0
    assert row_of(store_database, EscalationRow, case_id)["incident_id"] == outage.id


# --- statements --------------------------------------------------------------------------------------------------------


def test_statements_move_only_as_drawn_and_end_with_their_incident(store_database: Database) -> None:
    shop = profile(store_database)
    with store_database.write() as session:
        incident_id = opened(session, shop)
        for language in ("pl", "en"):
            composed = Composed(text=f"Sprawdzamy ({language}).", language=language, variant="v")
            statements.prepare(session, incident_id, composed, now=NOON)
        polish, english = incidents.get(session, incident_id).statements
        statements.move(session, polish, StatementState.APPROVED, decided_at=NOON)
        with pytest.raises(Conflict, match="somebody else"):
            statements.move(session, polish, StatementState.REJECTED)  # as it was seen before
        approved = incidents.get(session, incident_id)
        assert not incidents.stops(session, shop.id, ReplyKind.HOLDING, polish.text)
        assert incidents.stops(session, shop.id, ReplyKind.HOLDING, english.text)
        assert approved.approved_for("pl-PL", fallback="pl") == approved.statements[0]
        assert approved.approved_for("de", fallback="pl") == approved.statements[0]
        assert approved.approved_for("en", fallback="pl") is None  # it waits
        statements.move(session, english, StatementState.REJECTED)
        assert incidents.get(session, incident_id).approved_for("en", fallback="pl") is None
        incidents.end(session, incident_id, following=IncidentState.LIFTED, by=HANNA, now=NOON)
        ended = incidents.get(session, incident_id)
        assert {item.state for item in ended.statements} == {StatementState.ENDED}
        assert incidents.stops(session, shop.id, ReplyKind.HOLDING, polish.text)
        with pytest.raises(Conflict, match="is ended and cannot become approved"):
            statements.move(session, ended.statements[0], StatementState.APPROVED)


# --- counting ----------------------------------------------------------------------------------------------------------


def test_it_counts_customers_by_the_hour_and_not_their_posts(store_database: Database) -> None:
    shop = profile(store_database, first_polled_at=NOON - timedelta(days=40))
    for minutes, name in ((0, "a"), (59, "a"), (30, "b"), (60, "a"), (119, "c"), (125, "c")):
        complains(store_database, shop, NOON - minutes * MINUTE, name=name)
    complains(store_database, shop, at("2026-10-23 12:00"), name="four weeks ago")
    complains(store_database, shop, NOON - HISTORY - MINUTE, name="too long ago")
    complains(store_database, shop, NOON + MINUTE, name="ahead of us")
    with store_database.read() as session:
        assert volume.running_hour(session, shop.id, now=NOON) == (3, 2)
        assert volume.customers_by_hour(session, shop.id, now=NOON) == {
            0: 2,
            1: 2,
            2: 1,
            4 * 7 * 24 + 1: 1,
        }  # the clocks went back


def test_it_counts_only_customers_complaints_since_the_first_poll(store_database: Database) -> None:
    shop, other = profile(store_database), profile(store_database, "other")
    complains(store_database, shop, NOON - MINUTE, name="fine", sentiment=Sentiment.NEUTRAL)
    complains(store_database, other, NOON - MINUTE, name="elsewhere")
    complains(store_database, shop, FIRST_POLL - MINUTE, name="before")
    edited = complains(store_database, shop, NOON - MINUTE, name="edited")
    ours = complains(store_database, shop, NOON - MINUTE, name="ours")
    unjudged = remembered(store_database, shop, post(when=NOON - MINUTE, by=Author(native_id="new")))
    with store_database.write() as session:
        session.execute(update(PostRow).where(c(PostRow).id == edited).values(revision_number=2))
        session.execute(update(PostRow).where(c(PostRow).id == ours).values(ours=True))
    with store_database.read() as session:
        assert volume.running_hour(session, shop.id, now=NOON) == (0, 0)
        assert volume.customers_by_hour(session, shop.id, now=NOON) == {}
        assert not volume.everything_is_judged(session, shop.id, now=NOON, within=HOUR)
    judged(store_database, unjudged, NEGATIVE)
    judged(store_database, edited, NEGATIVE)
    with store_database.read() as session:
        assert volume.running_hour(session, shop.id, now=NOON) == (2, 2)
        assert volume.everything_is_judged(session, shop.id, now=NOON, within=HOUR)


def test_its_counts_go_along_the_index(database: Database) -> None:
    shop, ran = profile(database), []
    event.listen(database.engine, "before_cursor_execute", lambda *call: ran.append(call[2:4]))
    with database.read() as session:
        volume.customers_by_hour(session, shop.id, now=NOON)
        statement, parameters = ran[-1]
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        steps = " | ".join(row[-1] for row in plan)
    assert "ix_post_profile_created" in steps
    assert "SCAN" not in steps


def test_the_hours_of_earlier_crises_are_known(store_database: Database) -> None:
    shop = profile(store_database)
    with store_database.write() as session:
        first = opened(session, shop, now=NOON - 10 * HOUR)
        incidents.end(session, first, following=IncidentState.ENDED, by=incidents.CALM, now=NOON - 8 * HOUR)
    with store_database.read() as session:
        assert volume.hours_of_crises(session, shop.id, now=NOON) == {8, 9, 10, 11}
        assert volume.hours_of_crises(session, shop.id, now=NOON + HISTORY) == frozenset()
    with store_database.write() as session:
        opened(session, shop, now=NOON)
    with store_database.read() as session:
        assert {0, 1} <= volume.hours_of_crises(session, shop.id, now=NOON + MINUTE)


# --- when it is looked -------------------------------------------------------------------------------------------------


def test_a_look_is_due_every_while_and_after_a_complaint_and_one_of_two_daemons_does_it(
    store_database: Database,
) -> None:
    shop = profile(store_database)
    with store_database.write() as session:
        (first,) = volume.due(session, [shop.id], now=NOON)
        assert volume.due(session, [shop.id + 1], now=NOON) == []
        assert volume.looked(session, first, due_at=NOON + 5 * MINUTE)
        assert not volume.looked(session, first, due_at=NOON + 5 * MINUTE)  # the other one comes too late
        assert volume.due(session, [shop.id], now=NOON + 4 * MINUTE) == []
        volume.look_soon(session, [shop.id], now=NOON + 4 * MINUTE)
        (again,) = volume.due(session, [shop.id], now=NOON + 4 * MINUTE)
        volume.look_soon(session, [shop.id], now=NOON + 3 * MINUTE)
        assert not volume.looked(session, again, due_at=NOON + 9 * MINUTE)  # there is something new to see


def test_a_profile_that_was_never_polled_is_not_looked_at(store_database: Database) -> None:
    shop = profile(store_database, first_polled_at=None)
    with store_database.read() as session:
        assert volume.due(session, [shop.id], now=NOON) == []


# --- what the brake does to plans --------------------------------------------------------------------------------------


def test_it_cancels_the_robots_acknowledgements_and_nobody_elses_words(store_database: Database) -> None:
    shop, other = profile(store_database), profile(store_database, "other")
    mine = complains(store_database, shop, NOON)
    acknowledgement = planned(store_database, mine)
    notice = planned(store_database, complains(store_database, shop, NOON, name="b"), kind=ReplyKind.CLOSED_NOTICE)
    confirmation = planned(store_database, mine, kind=ReplyKind.HAND_OVER)
    answer = planned(store_database, mine, kind=ReplyKind.ANSWER, sent_by=SentBy.PERSON)
    elsewhere = planned(store_database, complains(store_database, other, NOON))
    kinds = incidents.PAUSED_KINDS
    with store_database.write() as session:
        assert incidents.cancel_plans(session, shop.id, kinds, now=NOON, reason="a crisis") == 2
        assert incidents.cancel_plans(session, shop.id, kinds, now=NOON, reason="a crisis") == 0
        noted = session.execute(select(c(EventRow).subject_id).where(c(EventRow).verb == "cancelled")).scalars()
        assert sorted(noted) == [acknowledgement, notice]
    states = {id_: row_of(store_database, ReplyRow, id_)["state"] for id_ in (acknowledgement, notice)}
    assert set(states.values()) == {"cancelled"}
    for id_ in (confirmation, answer, elsewhere):
        assert row_of(store_database, ReplyRow, id_)["state"] == "planned"


def test_it_decides_again_whose_hour_still_runs(store_database: Database) -> None:
    shop = profile(store_database)
    early, late = (complains(store_database, shop, NOON - minutes * MINUTE, name=str(minutes)) for minutes in (61, 59))
    for row_id in (early, late):
        case(store_database, row_id, judgement=NEGATIVE)
    nobody_waits = complains(store_database, shop, NOON - MINUTE, name="answered")
    with store_database.write() as session:
        assert incidents.decide_again(session, shop.id, now=NOON) == 1
    found = {id_: row_of(store_database, PostRow, id_) for id_ in (early, late, nobody_waits)}
    assert [found[id_]["state"] for id_ in (early, late, nobody_waits)] == ["judged", "waiting", "judged"]
    assert found[late]["due_at"] == NOON
