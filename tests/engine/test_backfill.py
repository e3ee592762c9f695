"""A profile's past: every post of it once, judged for the reports, answered by nobody, whatever ends the reading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from social.clock import SteppedClock
from social.domain.assessment import RULES_ONLY, Assessment, Sentiment, TextToAssess, Urgency
from social.domain.errors import Conflict, ModelUnavailable, RateLimited
from social.domain.post import Quarantined
from social.engine import backfill, line
from social.engine.claims import MAXIMUM_ATTEMPTS
from social.engine.desk import Desk
from social.engine.schedule import run_stepped
from social.ports import Cursor, Page
from social.store import backfills
from social.store.backfills import Backfill, BackfillState
from social.store.session import Database
from social.store.tables import AssessmentRow, DecisionRow, IncidentRow, PostRow
from tests.cast import PIOTR, at
from tests.engine.looking import profile_row, rows
from tests.factories import assessment, desk_for, post, profile, remembered
from tests.fakes import FakeClassifier, FakeConnector, Killed
from tests.story.telling import alerts, cases, leases_run_out, posts, replies

TEN = at("2026-11-20 10:00")  # a Friday
SINCE = at("2026-09-01 00:00")
SPRING = at("2026-05-01 12:00")


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(TEN)


@pytest.fixture
def network(clock: SteppedClock) -> FakeConnector:
    """Twelve posts, five a page, and one that is older than what is asked for."""
    network = FakeConnector(clock, page_size=5)
    network.publishes(post("Zbyt dawno", when=SPRING))
    for number in range(12):
        network.publishes(post(f"Gdzie paczka {number}?", when=at("2026-10-01 12:00") + timedelta(days=number)))
    return network


def desk_of(database: Database, clock: SteppedClock, network: FakeConnector, **how: Any) -> Desk:
    """As the command opens it. ``how`` goes to ``desk_for``."""
    desk = desk_for(database, clock, network, **how)
    desk.rings, desk.batch = False, 5
    return desk


def whole(desk: Desk, since: datetime = SINCE) -> Backfill:
    """As the command does it; the row as it is at the end."""
    (live,) = desk.profiles.values()
    work = backfill.begin(desk, live, since, desk.now())
    while work.state is BackfillState.READING:
        work = backfill.read_page(desk, live, work, desk.now())
    while backfill.judge_batch(desk, live, work, desk.now()):
        pass
    with desk.database.read() as session:
        found = backfills.find(session, live.id, since)
    assert found is not None
    return found


def moods(desk: Desk, work: Backfill) -> dict[Sentiment, int]:
    with desk.database.read() as session:
        return dict(backfills.sentiments(session, work))


# --- what it brings ---------------------------------------------------------------------------------------------------


def test_it_reads_and_judges_every_post_since_a_day_once(
    store_database: Database, clock: SteppedClock, network: FakeConnector
) -> None:
    judge = FakeClassifier().judges("paczka 7", sentiment=Sentiment.NEGATIVE)
    database, desk = store_database, desk_of(store_database, clock, network, classifier=judge)
    done = whole(desk)
    assert (done.state, done.read, done.kept, done.known, done.later) == (BackfillState.DONE, 12, 12, 0, 0)
    assert sorted(row.text for row in posts(database)) == sorted(f"Gdzie paczka {number}?" for number in range(12))
    assert all(row.history and row.state == "judged" for row in posts(database))
    assert moods(desk, done) == {Sentiment.NEGATIVE: 1, Sentiment.NEUTRAL: 11, Sentiment.POSITIVE: 0}
    assert done.oldest_at == at("2026-10-01 12:00")


def test_the_profiles_own_poll_and_its_cursor_are_left_alone(
    database: Database, clock: SteppedClock, network: FakeConnector
) -> None:
    desk = desk_of(database, clock, network)
    before = profile_row(desk)
    whole(desk)
    assert profile_row(desk) == before


def test_what_is_known_stays_as_it_is(database: Database, clock: SteppedClock, network: FakeConnector) -> None:
    desk = desk_of(database, clock, network)
    whole(desk)
    network.edits("customer-anna-1001T120000", "Ktoś to zmienił", when=TEN)
    before = rows(database, PostRow), rows(database, AssessmentRow), rows(database, DecisionRow)
    again = whole(desk)
    assert (again.read, again.kept, again.known) == (12, 0, 12)
    assert (rows(database, PostRow), rows(database, AssessmentRow), rows(database, DecisionRow)) == before


def test_what_cannot_be_read_is_set_aside(database: Database, clock: SteppedClock, network: FakeConnector) -> None:
    network.garbles(Quarantined(native_id="x", reason="no text", raw="{}"))
    done = whole(desk_of(database, clock, network))
    assert (done.unreadable, done.kept) == (1, 12)


def test_an_answer_in_the_networks_app_belongs_to_what_it_answers(
    database: Database, clock: SteppedClock, network: FakeConnector
) -> None:
    asked = network.publishes(post("A faktura?", when=at("2026-10-20 09:00"), by=PIOTR))
    network.answers_by_hand(asked, "Już wysyłamy.", when=at("2026-10-20 09:30"))
    done = whole(desk_of(database, clock, network))
    assert done.kept == 14
    assert sum(moods(desk_of(database, clock, network), done).values()) == 13  # our own words have no sentiment
    assert cases(database) == []


# --- nobody is answered, nobody is rung -------------------------------------------------------------------------------


def test_nothing_of_the_past_is_answered_or_rung_for_however_critical(
    database: Database, clock: SteppedClock, network: FakeConnector
) -> None:
    network.publishes(post("Mydło pali skórę!", when=TEN - timedelta(hours=2), by=PIOTR))
    judge = FakeClassifier(assessment(urgency=Urgency.CRITICAL, sentiment=Sentiment.NEGATIVE))
    desk = desk_of(database, clock, network, classifier=judge, first_polled_at=None)
    done = whole(desk)
    assert done.kept == 13
    (case,) = cases(database)  # of today's, as a first poll would open it
    assert case.rule == "history"
    assert (replies(database), alerts(database), rows(database, IncidentRow)) == ([], [], [])

    daemon = desk_for(database, clock, network, classifier=judge, first_polled_at=None)
    run_stepped(daemon, clock, until=TEN + timedelta(hours=3))
    assert (network.written, replies(database), alerts(database)) == ([], [], [])


def test_a_daemon_beside_it_neither_takes_nor_waits_behind_what_was_read(
    database: Database, clock: SteppedClock, network: FakeConnector
) -> None:
    desk = desk_of(database, clock, network)
    (live,) = desk.profiles.values()
    work = backfill.read_page(desk, live, backfill.begin(desk, live, SINCE, TEN), TEN)
    assert line.work_through(desk_for(database, clock, network), TEN) == 0
    with database.read() as session:
        assert backfills.held(session, live.id) == work.kept == 5


def test_what_the_poll_has_yet_to_bring_is_left_to_it_and_answered(
    database: Database, clock: SteppedClock, network: FakeConnector
) -> None:
    daemon = desk_for(database, clock, network)
    line.take_in(daemon, TEN)
    network.publishes(post("A dziś?", when=TEN + timedelta(minutes=1), by=PIOTR))
    clock.advance_to(TEN + timedelta(minutes=2))
    done = whole(desk_of(database, clock, network))
    assert done.later >= 1
    run_stepped(daemon, clock, until=TEN + timedelta(hours=1))
    assert [written.to for written in network.written] == ["customer-piotr-1120T100100"]


# --- whatever ends it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [1, 2, 3])
def test_it_goes_on_where_a_killed_process_was_reading(
    database: Database,
    new_database: Callable[[], Database],
    clock: SteppedClock,
    network: FakeConnector,
    call: int,
) -> None:
    desk = desk_of(database, clock, network)
    (live,) = desk.profiles.values()
    work = backfill.begin(desk, live, SINCE, TEN)
    for _ in range(call - 1):
        work = backfill.read_page(desk, live, work, TEN)
    network.fails("history", Killed(), after_effect=True)
    with pytest.raises(Killed):
        backfill.read_page(desk, live, work, TEN)
    calls = network.calls.count("history")
    done = whole(desk_of(new_database(), clock, network))
    assert (done.read, done.kept) == (12, 12)
    assert network.calls.count("history") == calls + 3 - (call - 1)  # no page is asked for twice but the lost one
    assert len(posts(database)) == 12


def test_it_goes_on_where_a_killed_process_was_judging(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock, network: FakeConnector
) -> None:
    class Dying(FakeClassifier):
        def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
            if len(self.asked) >= 5:
                raise Killed
            return super().assess(texts)

    with pytest.raises(Killed):
        whole(desk_of(database, clock, network, classifier=Dying()))
    assert sum(row.state == "judged" for row in posts(database)) == 5
    leases_run_out(database)
    restarted = desk_of(new_database(), clock, network)
    calls = network.calls.count("history")
    done = whole(restarted)
    assert network.calls.count("history") == calls
    assert done.state is BackfillState.DONE and sum(moods(restarted, done).values()) == 12


def test_a_post_that_kills_each_time_is_set_aside_without_a_case(
    database: Database, clock: SteppedClock, network: FakeConnector
) -> None:
    class Deadly(FakeClassifier):
        def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
            if any("paczka 3" in item.text for item in texts):
                raise Killed
            return super().assess(texts)

    desk = desk_of(database, clock, network, classifier=Deadly())
    desk.batch = 1
    for _ in range(MAXIMUM_ATTEMPTS):
        with pytest.raises(Killed):
            whole(desk)
        leases_run_out(database)
    assert whole(desk).state is BackfillState.DONE
    assert [row.text for row in posts(database) if row.state == "failed"] == ["Gdzie paczka 3?"]
    assert cases(database) == []


def test_a_limit_of_the_network_is_kept_and_stops_the_next_try_without_a_call(
    database: Database, clock: SteppedClock, network: FakeConnector
) -> None:
    desk = desk_of(database, clock, network)
    (live,) = desk.profiles.values()
    work = backfill.begin(desk, live, SINCE, TEN)
    until = TEN + timedelta(minutes=15)
    network.fails("history", RateLimited("too many requests.", until=until, scope="mentions"))
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            backfill.read_page(desk, live, work, TEN)
        assert caught.value.until == until
    assert network.calls.count("history") == 1
    clock.advance_to(until)
    assert whole(desk).kept == 12


def test_two_processes_do_not_read_one_past_at_once(
    database: Database, clock: SteppedClock, network: FakeConnector
) -> None:
    desk = desk_of(database, clock, network)
    (live,) = desk.profiles.values()
    work = backfill.begin(desk, live, SINCE, TEN)
    backfill.read_page(desk, live, work, TEN)
    with pytest.raises(Conflict, match="another process"):
        backfill.read_page(desk, live, work, TEN)
    assert len(posts(database)) == 5


def test_it_ends_where_the_network_repeats_its_cursor(
    database: Database, clock: SteppedClock, network: FakeConnector
) -> None:
    class Circling(FakeConnector):
        def history(self, since: datetime, cursor: Cursor | None) -> Page:
            page = super().history(since, None)
            return replace(page, more=True)

    circling = Circling(clock, page_size=5)
    circling.publishes(*(post(f"nowy {number}", when=TEN - timedelta(days=number + 1)) for number in range(9)))
    done = whole(desk_of(database, clock, circling, first_polled_at=None))
    assert (done.pages, done.kept, done.state) == (2, 5, BackfillState.DONE)


def test_rules_alone_do_not_judge_a_sentiment(database: Database, clock: SteppedClock, network: FakeConnector) -> None:
    desk = desk_of(database, clock, network)
    desk.expects_model = True
    (live,) = desk.profiles.values()
    work = backfill.begin(desk, live, SINCE, TEN)
    while work.state is BackfillState.READING:
        work = backfill.read_page(desk, live, work, TEN)

    desk.classifier = FakeClassifier(replace(assessment(), model=RULES_ONLY))
    with pytest.raises(ModelUnavailable, match="goes on"):
        backfill.judge_batch(desk, live, work, TEN)
    desk.classifier = FakeClassifier()
    assert whole(desk).state is BackfillState.DONE


# --- before it -------------------------------------------------------------------------------------------------------


def test_its_estimate_follows_the_profiles_pace_up_to_what_the_network_shows(
    database: Database, clock: SteppedClock, network: FakeConnector
) -> None:
    desk = desk_of(database, clock, network)
    (live,) = desk.profiles.values()
    nothing = backfill.estimate(desk, live, TEN - timedelta(days=60), TEN)
    assert (nothing.posts, nothing.most, nothing.cost) == (0, None, 0)
    remembered(
        database,
        profile(database),
        *(post(f"Paczka {number}", when=TEN - timedelta(days=1, minutes=number)) for number in range(38)),
    )
    found = backfill.estimate(desk, live, TEN - timedelta(days=38), TEN)
    # 38 posts in the 19 days since the first poll
    assert (found.posts, found.requests) == (76, 3)
