"""Whoever answers at the desk has seen what we had stored by then, and nothing else: the rest is judged and waits for people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from social.clock import SteppedClock
from social.domain.assessment import Flag, Urgency
from social.domain.errors import RateLimited
from social.domain.post import FetchedPost
from social.engine import line, people, poll
from social.engine.desk import Desk
from social.engine.schedule import run_stepped
from social.ports import Cursor, Page
from social.store import profiles
from social.store.session import Database
from social.store.tables import ConversationRow, RevisionRow
from tests.cast import MAREK, at
from tests.engine.looking import rows
from tests.factories import desk_for, post
from tests.fakes import FakeClassifier, FakeConnector
from tests.story.telling import NETWORK_RULES, alerts, case_of, posts, the_case

ASKED = at("2026-11-20 10:00")  # a Friday
DANGER = "Dziecko się dusi po waszym leku!"
ANSWER = "Paczka jest w drodze."


class Slow(FakeConnector):
    """Something happens while the network is asked for its news."""

    meanwhile: Callable[[], object] | None = None

    def fetch(self, cursor: Cursor | None) -> Page:
        page = super().fetch(cursor)
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        return page


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(at("2026-11-20 09:55"))


@pytest.fixture
def network(clock: SteppedClock) -> Slow:
    return Slow(clock)


@pytest.fixture
def desk(database: Database, clock: SteppedClock, network: Slow) -> Desk:
    danger = FakeClassifier().judges("dusi", urgency=Urgency.CRITICAL, flags={Flag.SAFETY})
    return desk_for(database, clock, network, classifier=danger)


@pytest.fixture
def asked(desk: Desk, clock: SteppedClock, network: Slow) -> FetchedPost:
    """Her question waits in the queue; nobody polled before 9:55."""
    run_stepped(desk, clock, until=at("2026-11-20 09:56"))
    found = network.publishes(post("Gdzie paczka?", when=ASKED))
    run_stepped(desk, clock, until=at("2026-11-20 10:35"))
    return found


def answers(desk: Desk, when: datetime) -> None:
    people.answer(desk.database, NETWORK_RULES, the_case(desk.database), ANSWER, user=MAREK, now=when)


def assert_danger_waits(desk: Desk, network: FakeConnector) -> None:
    assert [said.text for said in network.public_replies] == [ANSWER]  # a person's word goes out all the same
    (found,) = [row for row in posts(desk.database) if row.text == DANGER]
    assert (found.state, found.outcome) == ("judged", "escalated")
    waiting = case_of(desk.database)
    assert (waiting.state in ("open", "taken"), waiting.urgency, waiting.rule) == (True, "critical", "no-robot-here")
    assert rows(desk.database, ConversationRow)[0].waiting_since == found.created_at
    assert [alert.kind for alert in alerts(desk.database)] == ["case"]


def test_an_edit_that_only_the_delivery_found_is_not_answered_with_the_old_words(
    desk: Desk, clock: SteppedClock, network: Slow, asked: FetchedPost
) -> None:
    clock.advance_to(at("2026-11-20 10:37"))
    network.edits(asked.native_id, DANGER, when=at("2026-11-20 10:36"))
    answers(desk, clock.now())

    run_stepped(desk, clock, until=at("2026-11-20 11:30"))

    assert_danger_waits(desk, network)


def test_an_edit_from_before_the_answer_that_is_seen_long_after_it_brings_the_case_back(
    desk: Desk, clock: SteppedClock, network: Slow, asked: FetchedPost
) -> None:
    """The network showed it late, and says when it was made."""
    clock.advance_to(at("2026-11-20 10:37"))
    answers(desk, clock.now())
    network.fails("reply", RateLimited("slow down.", until=at("2026-11-20 10:45"), scope="write"))
    run_stepped(desk, clock, until=at("2026-11-20 10:44"))
    network.edits(asked.native_id, DANGER, when=at("2026-11-20 10:36"))

    run_stepped(desk, clock, until=at("2026-11-20 11:30"))

    assert_danger_waits(desk, network)


def test_a_message_that_came_in_while_the_network_was_asked_is_not_taken_for_seen(
    desk: Desk, clock: SteppedClock, network: Slow, asked: FetchedPost
) -> None:
    network.publishes(post(DANGER, when=at("2026-11-20 10:39:58"), thread_root=asked.native_id))

    def answered_meanwhile() -> None:
        clock.advance_to(at("2026-11-20 10:40:03"))
        answers(desk, clock.now())
        clock.advance_to(at("2026-11-20 10:40:05"))

    clock.advance_to(at("2026-11-20 10:40"))
    network.meanwhile = answered_meanwhile
    line.take_in(desk, clock.now())

    run_stepped(desk, clock, until=at("2026-11-20 11:30"))

    assert_danger_waits(desk, network)


def test_a_second_look_stores_an_edit_with_the_time_when_it_was_kept(
    desk: Desk, clock: SteppedClock, network: Slow, asked: FetchedPost
) -> None:
    network.edits(asked.native_id, DANGER, when=at("2026-11-20 10:36"))
    begun = clock.now()
    clock.advance_to(at("2026-11-20 10:36:30"))
    ((profile_id, live),) = desk.profiles.items()
    with desk.database.read() as session:
        shop = profiles.by_ids(session, [profile_id])[0]

    poll.look_again(desk, live, shop, begun)

    assert [row.seen_at for row in rows(desk.database, RevisionRow)] == [clock.now()]


def test_an_edit_that_was_on_the_screen_is_answered(
    desk: Desk, clock: SteppedClock, network: Slow, asked: FetchedPost
) -> None:
    network.edits(asked.native_id, DANGER, when=at("2026-11-20 10:36"))
    clock.advance_to(at("2026-11-20 11:00"))
    run_stepped(desk, clock, until=at("2026-11-20 11:05"))
    clock.advance_to(at("2026-11-20 11:06"))
    answers(desk, clock.now())

    run_stepped(desk, clock, until=at("2026-11-20 12:30"))

    assert case_of(desk.database).state == "answered"


def test_an_answer_in_the_app_from_before_the_edit_that_is_read_after_it_closes_nothing(
    desk: Desk, clock: SteppedClock, network: Slow, asked: FetchedPost
) -> None:
    """A colleague answered the old words at 10:35:30; the network lists it late, when the new ones are judged already."""
    network.edits(asked.native_id, DANGER, when=at("2026-11-20 10:36"))
    clock.advance_to(at("2026-11-20 11:00"))
    run_stepped(desk, clock, until=at("2026-11-20 11:05"))
    assert case_of(desk.database).urgency == "critical"
    network.answers_by_hand(asked, ANSWER, when=at("2026-11-20 10:35:30"))

    run_stepped(desk, clock, until=at("2026-11-20 12:30"))

    assert_danger_waits(desk, network)
