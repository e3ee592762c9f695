"""P9: two people and the robot on one thread in the same second. P10: another bot that never stops talking."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from social.clock import SteppedClock
from social.domain.post import Author, PostRef
from social.domain.reply import Receipt, ReplyState, SentBy
from social.engine import people
from social.engine.schedule import run_stepped
from social.store.session import Database
from social.store.tables import ReplyRow
from tests.cast import HANNA, MAREK, ZENEK, at
from tests.engine.looking import rows
from tests.factories import assessment, case, desk_for, planned, post, profile, remembered
from tests.fakes import FakeClassifier, FakeConnector
from tests.reliability.crowd import Crowded, Happened, check, race, send_all
from tests.story.telling import NETWORK_RULES, alerts, cases, replies, robot_said

START = at("2026-11-20 09:30")
SEED = 4


@pytest.mark.parametrize("races", [60, pytest.param(440, marks=pytest.mark.slow)])
def test_people_and_the_robot_never_talk_over_each_other(
    races: int, new_store_database: Callable[[], Database]
) -> None:
    """Marek answers at the desk; Hanna at the desk too, or in the network's own app; two lanes send the robot's text.
    What lands between the last look at a thread and the network's taking of a text nobody can prevent, and only that is
    forgiven. The long run makes it a thousand races on both databases."""
    chance = random.Random(SEED)
    clock = SteppedClock(START)
    network = Crowded(clock, chance)
    first, second, at_the_desk, beside_it = (new_store_database() for _ in range(4))
    shop = profile(first)
    lanes = [desk_for(each, clock, network) for each in (first, second)]
    for lane in lanes:
        lane.limits = type(lane.limits)(per_profile_an_hour=10_000)
    seen = {"robot": 0, "person": 0, "app": 0, "refused": 0}
    for number in range(races):
        clock.advance(timedelta(seconds=20))
        asked = network.publishes(post(when=clock.now() - timedelta(minutes=40), by=Author(native_id=f"c{number}")))
        row = remembered(first, shop, asked)
        number_of_case = case(first, row)
        planned(first, row, due_at=clock.now())
        answer = partial(people.answer, context=NETWORK_RULES, case_id=number_of_case, now=clock.now())
        in_the_app = number % 2 == 1
        outcome = race(
            *(partial(send_all, lane, network, clock.now()) for lane in lanes),
            partial(answer, at_the_desk, text="Sprawdzam, Marek.", user=MAREK),
            partial(network.by_hand, asked)
            if in_the_app
            else partial(answer, beside_it, text="Sprawdzam, Hanna.", user=HANNA),
            chance=chance,
            robot_first=number % 6 < 2,
        )
        assert not outcome.broken, (number, outcome.broken)
        for _ in range(3):  # what was put off while another text was on the wire
            clock.advance(timedelta(seconds=6))
            send_all(lanes[0], network, clock.now())
        happened = network.happened.get(asked.thread_root, [])
        check(happened, (number, happened, outcome.refused))
        if not in_the_app:
            (told,) = outcome.refused
            winner = MAREK if "Marek." in network.written[-1].text else HANNA
            assert winner in told, (number, told)
        for what in ("robot", "person", "app"):
            seen[what] += sum(kind == what for kind, _ in happened)
        seen["refused"] += len(outcome.refused)
    settled = {ReplyState.SENT.value, ReplyState.CANCELLED.value, ReplyState.REFUSED.value}
    assert {reply.state for reply in rows(first, ReplyRow)} <= settled
    assert min(seen.values()) > 0, f"nobody was in anybody's way, so nothing was tried: {seen}"


@pytest.mark.parametrize(
    "history",
    [
        [("look", 1), ("robot", 1), ("look", 2), ("person", 2), ("app", 0)],
        [("look", 1), ("look", 2), ("robot", 1), ("app", 0), ("person", 2)],
        [("app", 0), ("look", 1), ("look", 2)],
    ],
)
def test_the_check_forgives_what_came_after_the_last_look(history: list[Happened]) -> None:
    check(history)


@pytest.mark.parametrize(
    "history",
    [
        [("look", 1), ("app", 0), ("look", 1), ("robot", 1)],  # it had looked again
        [("look", 1), ("app", 0), ("look", 2), ("person", 2)],  # the robot's look is none of the person's
        [("look", 1), ("robot", 1), ("person", 2)],
        [("look", 2), ("person", 2), ("look", 1), ("robot", 1)],
        [("look", 2), ("person", 2), ("look", 3), ("person", 3)],
    ],
)
def test_the_check_sees_who_wrote_without_a_look_or_against_it(history: list[Happened]) -> None:
    with pytest.raises(AssertionError):
        check(history)


# --- another bot ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("declared", "turns"), [(True, 100), (False, 1_000)])
def test_a_war_of_a_thousand_turns_with_another_bot_gets_one_reply(
    database: Database, declared: bool, turns: int
) -> None:
    """``declared``: the network says that it is one. Otherwise it looks like a customer who answers every text at once."""
    clock = SteppedClock(at("2026-11-23 09:00"))
    bot = ZENEK if declared else Author(native_id="zenek", handle="zenek")

    class Quarrelsome(FakeConnector):
        turns = 0

        def speaks(self, to: str | None) -> None:
            self.turns += 1
            root = {} if self.turns == 1 else {"thread_root": "war", "in_reply_to": to}
            number = f"turn-{self.turns}" if self.turns > 1 else "war"
            self.publishes(
                post(f"A co z moją paczką? {self.turns}", when=clock.now(), by=bot, native_id=number, **root)
            )

        def reply(self, ref: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
            receipt = super().reply(ref, text, key=key, sent_by=sent_by)
            self.speaks(receipt.native_id)
            return receipt

    network = Quarrelsome(clock)
    desk = desk_for(database, clock, network, classifier=FakeClassifier(assessment()))
    network.speaks(None)
    while network.turns < turns:
        for _ in range(20):
            network.speaks(f"turn-{network.turns}")
            clock.advance(timedelta(seconds=20))
        # a moment passes: what was just read is judged before anything is said
        run_stepped(desk, clock, until=clock.now() + timedelta(seconds=10))
    run_stepped(desk, clock, until=clock.now() + timedelta(hours=2))
    assert len(robot_said(network)) == (0 if declared else 1)
    assert len(cases(database)) == (0 if declared else 1)  # people see one quarrel, not a thousand
    assert len(replies(database)) <= 1
    assert len(alerts(database)) <= 1


def test_a_bot_that_begins_anew_every_time_gets_three_replies_an_hour(database: Database) -> None:
    clock = SteppedClock(at("2026-11-23 09:00"))
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    bot = Author(native_id="zenek", handle="zenek")
    for minute in range(60):
        when = clock.now() + timedelta(minutes=minute)
        network.publishes(post(f"A co z moją paczką? {minute}", when=when, by=bot))
    run_stepped(desk, clock, until=clock.now() + timedelta(hours=2))
    sent = [row.sent_at for row in replies(database) if row.sent_at is not None]
    assert sent
    assert all(sum(one <= other < one + timedelta(hours=1) for other in sent) <= 3 for one in sent)
