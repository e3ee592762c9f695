"""Outside opening hours: the truth and nothing but, people found when they are needed, silence where silence is due."""

from __future__ import annotations

import pytest

from social.clock import SteppedClock
from social.domain.assessment import Flag, Sentiment, Urgency
from social.engine.schedule import run_stepped
from social.store.session import Database
from tests.cast import at
from tests.factories import desk_for, post
from tests.fakes import FakeClassifier, FakeConnector
from tests.story.telling import alerts, case_of, cases, posts, replies

NIGHT = at("2026-11-21 02:00")  # a Saturday; the shop opens on Monday at nine


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(at("2026-11-21 01:55"))


@pytest.fixture
def judge() -> FakeClassifier:
    return (
        FakeClassifier()
        .judges("człowiekiem", flags={Flag.WANTS_HUMAN})
        .judges("Stop", flags={Flag.OPT_OUT}, needs_reply=False, urgency=Urgency.LOW)
        .judges("alergi", urgency=Urgency.CRITICAL, flags={Flag.SAFETY}, sentiment=Sentiment.NEGATIVE)
        .judges("skarga", sentiment=Sentiment.NEGATIVE)
    )


def test_it_queues_a_night_complaint_and_tells_when_the_team_is_back(
    database: Database, clock: SteppedClock, judge: FakeClassifier
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, classifier=judge)
    network.publishes(post("To jest skarga: krem się rozlał.", when=NIGHT))

    run_stepped(desk, clock, until=at("2026-11-21 12:00"))

    (said,) = network.public_replies
    assert at("2026-11-21 02:02") <= said.created_at <= at("2026-11-21 02:05")
    assert "w poniedziałek o 9:00" in said.text
    assert case_of(database).state == "open"


def test_it_queues_a_night_complaint_in_silence_where_notices_are_off(
    database: Database, clock: SteppedClock, judge: FakeClassifier
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, classifier=judge, closed_notice=False)
    network.publishes(post("To jest skarga: krem się rozlał.", when=NIGHT))

    run_stepped(desk, clock, until=at("2026-11-21 12:00"))

    assert network.public_replies == []
    assert case_of(database).state == "open"


def test_it_confirms_once_at_two_in_the_morning_that_a_person_takes_over_and_then_keeps_quiet(
    database: Database, clock: SteppedClock, judge: FakeClassifier
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, classifier=judge)
    asked = network.publishes(post("Chcę rozmawiać z człowiekiem.", when=NIGHT))
    for minute in ("02:20", "03:10"):
        network.publishes(post("Naprawdę z człowiekiem.", when=at(f"2026-11-21 {minute}"), thread_root=asked.native_id))

    run_stepped(desk, clock, until=at("2026-11-21 12:00"))

    (said,) = network.public_replies
    assert said.created_at <= at("2026-11-21 02:05")
    assert [row.kind for row in replies(database) if row.state == "sent"] == ["hand-over"]
    assert len(cases(database)) == 1


def test_it_rings_for_an_opted_out_authors_emergency_and_says_nothing_to_them(
    database: Database, clock: SteppedClock, judge: FakeClassifier
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, classifier=judge)
    network.publishes(post("Stop, nie piszcie do mnie.", when=NIGHT))
    network.publishes(post("Po kremie mam alergię i duszności!", when=at("2026-11-21 02:30")))

    run_stepped(desk, clock, until=at("2026-11-21 12:00"))

    assert network.public_replies == []
    assert [(case.urgency, case.state) for case in cases(database)] == [("critical", "open")]
    assert [alert.kind for alert in alerts(database)] == ["case"]


def test_it_cancels_what_was_planned_when_a_second_message_is_an_emergency(
    database: Database, judge: FakeClassifier
) -> None:
    clock = SteppedClock(at("2026-11-20 09:55"))
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, classifier=judge)
    first = network.publishes(post("Czy krem jest dla dzieci?", when=at("2026-11-20 10:00")))
    network.publishes(post("Syn ma po nim alergię!", when=at("2026-11-20 10:20"), thread_root=first.native_id))

    run_stepped(desk, clock, until=at("2026-11-20 13:00"))

    assert network.public_replies == []
    assert case_of(database).urgency == "critical"


def test_it_forgets_what_a_customer_deleted_and_says_nothing_under_it(
    database: Database, judge: FakeClassifier
) -> None:
    clock = SteppedClock(at("2026-11-20 09:55"))
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, classifier=judge)
    written = network.publishes(post("Mój adres to Lipowa 5.", when=at("2026-11-20 10:00")))
    run_stepped(desk, clock, until=at("2026-11-20 10:10"))

    network.deletes(written.native_id)
    run_stepped(desk, clock, until=at("2026-11-20 12:00"))

    assert network.public_replies == []
    (row,) = posts(database)
    assert (row.text, row.raw) == ("", None)
    assert row.deleted_at is not None
