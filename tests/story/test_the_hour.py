"""The customer's hour: one acknowledgement, at minute 40, inside opening hours, unless a person was quicker."""

from __future__ import annotations

from datetime import timedelta

import pytest

from social.clock import SteppedClock
from social.domain.assessment import Sentiment
from social.engine import people
from social.engine.schedule import run_stepped
from social.store.session import Database
from tests.cast import ANNA, MAREK, OFFICE, SHOP, ZENEK, at
from tests.factories import desk_for, post
from tests.fakes import FakeClassifier, FakeConnector
from tests.story.telling import NETWORK_RULES, alerts, case_of, replies, robot_said, the_case


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(at("2026-11-20 09:55"))  # a Friday


def test_it_acknowledges_a_daytime_question_once_at_minute_40(database: Database, clock: SteppedClock) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    network.publishes(post("Czy macie mydło lawendowe?", when=at("2026-11-20 10:00")))

    run_stepped(desk, clock, until=at("2026-11-20 12:00"))

    (said,) = network.public_replies
    assert said.created_at == at("2026-11-20 10:40")
    assert "automat" in said.text
    assert case_of(database).state == "open"  # an automatic text never stops the clock of the human answer


def test_it_stays_silent_when_a_person_answered_at_minute_39(database: Database, clock: SteppedClock) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    network.publishes(post("Czy macie mydło lawendowe?", when=at("2026-11-20 10:00")))
    run_stepped(desk, clock, until=at("2026-11-20 10:39"))

    people.answer(database, NETWORK_RULES, the_case(database), "Tak, mamy.", user=MAREK, now=clock.now())
    run_stepped(desk, clock, until=at("2026-11-20 12:00"))

    assert [reply.text for reply in network.public_replies] == ["Tak, mamy."]
    assert case_of(database).state == "answered"


def test_it_stays_silent_when_a_colleague_answered_at_minute_39_in_the_networks_own_app(
    database: Database, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, poll_every=timedelta(minutes=30))  # no poll between 39 and 40
    asked = network.publishes(post("Czy macie mydło lawendowe?", when=at("2026-11-20 10:00")))
    network.answers_by_hand(asked, "Tak, mamy.", when=at("2026-11-20 10:39"))

    run_stepped(desk, clock, until=at("2026-11-20 12:00"))

    assert robot_said(network) == []
    found = case_of(database)
    assert (found.state, found.answered_natively, found.answered_at) == ("answered", True, at("2026-11-20 10:39"))


def test_it_speaks_at_the_last_open_minute_when_the_hour_reaches_past_closing(
    database: Database, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    network.publishes(post("Kiedy wyślecie paczkę?", when=at("2026-11-20 16:45")))

    run_stepped(desk, clock, until=at("2026-11-21 10:00"))

    (said,) = network.public_replies
    assert said.created_at == at("2026-11-20 16:59")


def test_it_waits_for_opening_when_the_hour_reaches_past_it_and_notices_are_off(
    database: Database, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, closed_notice=False)
    network.publishes(post("Kiedy wyślecie paczkę?", when=at("2026-11-23 08:30")))  # Monday

    run_stepped(desk, clock, until=at("2026-11-23 12:00"))

    (said,) = network.public_replies
    assert said.created_at == at("2026-11-23 09:10")


def test_it_leaves_a_taken_case_to_its_owner_until_minute_55_and_warns_at_50(
    database: Database, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    network.publishes(post("Kiedy wyślecie paczkę?", when=at("2026-11-20 10:00")))
    run_stepped(desk, clock, until=at("2026-11-20 10:35"))

    people.take(database, the_case(database), user=MAREK, now=clock.now(), calendar=OFFICE)
    run_stepped(desk, clock, until=at("2026-11-20 10:54"))
    assert network.public_replies == []
    assert [alert.kind for alert in alerts(database)] == ["owner"]

    run_stepped(desk, clock, until=at("2026-11-20 12:00"))
    assert [reply.created_at for reply in network.public_replies] == [at("2026-11-20 10:55")]


def test_it_counts_a_second_message_two_minutes_later_as_the_same_contact(
    database: Database, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    first = network.publishes(post("Gdzie paczka?", when=at("2026-11-20 10:00")))
    network.publishes(post("Numer podałam w mailu.", when=at("2026-11-20 10:02"), thread_root=first.native_id))

    run_stepped(desk, clock, until=at("2026-11-20 13:00"))

    (said,) = network.public_replies
    assert said.created_at == at("2026-11-20 10:40")  # timed from the first
    assert len(replies(database)) == 1


def test_it_says_sorry_only_to_a_confident_complaint(database: Database, clock: SteppedClock) -> None:
    network = FakeConnector(clock)
    judge = FakeClassifier().judges("pęknięte", sentiment=Sentiment.NEGATIVE)
    desk = desk_for(database, clock, network, classifier=judge)
    network.publishes(post("Mydło przyszło pęknięte.", when=at("2026-11-20 10:00")))

    run_stepped(desk, clock, until=at("2026-11-20 12:00"))

    (said,) = replies(database)
    assert "complaint" in said.variant


def test_it_never_answers_its_own_posts_or_bots(database: Database, clock: SteppedClock) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    announced = network.publishes(post("Nowa dostawa!", when=at("2026-11-20 10:00"), by=SHOP, ours=True))
    network.publishes(post("Beep", when=at("2026-11-20 10:01"), by=ZENEK, thread_root=announced.native_id))
    network.publishes(post("Ile kosztuje?", when=at("2026-11-20 10:02"), by=ANNA, thread_root=announced.native_id))

    run_stepped(desk, clock, until=at("2026-11-20 12:00"))

    assert [written.to for written in network.written] == ["customer-anna-1120T100200"]
