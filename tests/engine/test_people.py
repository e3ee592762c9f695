"""What people do with a case, and what the robot leaves alone once they do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from social.clock import SteppedClock
from social.domain.errors import Conflict, DyzurError, NotFound, Uncertain
from social.domain.escalation import EscalationState
from social.domain.post import Gone, PostKind, ProfileMode
from social.domain.reply import ReplyKind, ReplyState, SentBy
from social.engine import line, people
from social.engine.claims import Claimed, claim
from social.engine.people import AnswerContext, PlannedAnswer, UnfitText
from social.store import control, outbox, posts, profiles, queue
from social.store.queue import Seen
from social.store.session import Database
from social.store.tables import AlertRow, ConversationRow, EscalationRow, EventRow, PostRow, ReplyRow
from tests.cast import BRAND, HANNA, MAREK, OFFICE, PROFILE, SHOP, at
from tests.factories import case, desk_for, planned, post, profile, remembered, row_of
from tests.fakes import FAKE_RULES, FakeConnector

NOW = at("2026-11-20 10:35")
ASKED_AT = at("2026-11-20 10:00")
CONTEXT = AnswerContext(rules=FAKE_RULES, private_channel=False)
WORDS = "Paczka wyjechała dziś rano, będzie jutro."


class Waiting:
    """Anna's question of 10:00 in the queue, the robot's acknowledgement planned for 10:40."""

    def __init__(self, database: Database, **asked: Any) -> None:
        self.database = database
        self.shop = profile(database)
        self.asked = post(when=ASKED_AT, native_id="q1", **asked)
        self.post_id = remembered(database, self.shop, self.asked)
        self.case_id = case(database, self.post_id)
        facts = {"closing": at("2026-11-20 17:00").isoformat()}
        self.acknowledgement = planned(database, self.post_id, facts=facts)

    def writes_again(self, when: datetime, text: str = "Halo?") -> int:
        return remembered(self.database, self.shop, post(text, when=when, thread_root="q1", native_id=f"{when:%H%M}"))

    def take(self, user: str = MAREK, **how: Any) -> people.Taken:
        values: dict[str, Any] = {"now": NOW, "calendar": OFFICE, **how}
        return people.take(self.database, self.case_id, user=user, **values)

    def answer(
        self, text: str = WORDS, *, user: str = MAREK, context: AnswerContext = CONTEXT, **how: Any
    ) -> PlannedAnswer:
        return people.answer(self.database, context, self.case_id, text, user=user, **{"now": NOW, **how})

    @property
    def state(self) -> dict[str, Any]:
        return row_of(self.database, EscalationRow, self.case_id)

    def reply(self, reply_id: int | None = None) -> dict[str, Any]:
        return row_of(self.database, ReplyRow, reply_id or self.acknowledgement)


@pytest.fixture
def waiting(database: Database) -> Waiting:
    return Waiting(database)


def stuck(waiting: Waiting, reply_id: int) -> None:
    """Nobody can tell whether this reply was published."""
    with waiting.database.write() as session:
        row = session.get(ReplyRow, reply_id)
        assert row is not None
        row.state, row.intended_at = ReplyState.UNKNOWN.value, at("2026-11-20 10:40")


# --- take ---------------------------------------------------------------------------------------------------------------


def test_it_gives_the_owner_of_a_case_until_minute_55(waiting: Waiting) -> None:
    taken = waiting.take()
    assert (taken.user, taken.acknowledgement_at) == (MAREK, at("2026-11-20 10:55"))
    assert (waiting.state["state"], waiting.state["taken_at"]) == (EscalationState.TAKEN, NOW)
    assert waiting.reply()["due_at"] == at("2026-11-20 10:55")


def test_it_does_not_bring_the_acknowledgement_forward_when_taken_twice(waiting: Waiting) -> None:
    waiting.take()
    assert waiting.take(now=NOW + timedelta(minutes=3)).acknowledgement_at == at("2026-11-20 10:55")


def test_it_leaves_an_acknowledgement_that_must_go_out_before_closing(database: Database) -> None:
    shop = profile(database)
    asked = remembered(database, shop, post(when=at("2026-11-20 16:15")))
    case_id = case(database, asked)
    closing = {"closing": at("2026-11-20 17:00").isoformat()}
    planned(database, asked, due_at=at("2026-11-20 16:55"), facts=closing)
    taken = people.take(database, case_id, user=MAREK, now=at("2026-11-20 16:30"), calendar=OFFICE)
    assert taken.acknowledgement_at == at("2026-11-20 16:55")


def test_it_takes_the_moved_text_out_of_the_hands_of_a_sender(waiting: Waiting) -> None:
    due = at("2026-11-20 10:40")
    sender = claim(
        waiting.database, Claimed.REPLY, now=due, limit=1, lease=timedelta(minutes=1), profiles=[waiting.shop.id]
    )
    waiting.take(now=due)
    with waiting.database.write() as session:
        row = session.get(ReplyRow, waiting.acknowledgement)
        assert row is not None
        assert not outbox.intend(session, row, token=sender.token, now=due, leased_until=due)
        session.rollback()
    assert waiting.reply()["state"] == ReplyState.PLANNED


def test_it_says_that_the_robot_has_nothing_to_say(waiting: Waiting) -> None:
    with waiting.database.write() as session:
        outbox.cancel_planned(session, now=NOW, reason="stop", post_id=waiting.post_id)
    assert waiting.take().acknowledgement_at is None


def test_it_tells_the_second_who_was_first(waiting: Waiting) -> None:
    waiting.take(MAREK)
    with pytest.raises(Conflict, match=rf"case {waiting.case_id} is taken by marek"):
        waiting.take(HANNA)


def test_it_lets_somebody_take_over_from_a_colleague_who_went_home(waiting: Waiting) -> None:
    waiting.take(MAREK)
    waiting.take(HANNA, over=True)
    with waiting.database.read() as session:
        view = queue.case(session, waiting.case_id, now=NOW, calendars={BRAND: OFFICE})
    assert view.item.taken_by == HANNA
    assert [done.verb for done in view.history][-1] == "took over"


def test_it_takes_nothing_over_while_the_colleagues_answer_is_on_its_way(waiting: Waiting) -> None:
    waiting.answer(user=MAREK)
    with pytest.raises(Conflict, match="answer of marek is already on its way"):
        waiting.take(HANNA, over=True)


def test_it_takes_over_only_from_whom_it_was_said(waiting: Waiting) -> None:
    waiting.take(MAREK)
    with pytest.raises(Conflict, match="taken by marek now"):
        waiting.take(HANNA, over=True, over_from="cela")
    assert waiting.state["taken_at"] == NOW
    waiting.take(HANNA, over=True, over_from=MAREK)


@pytest.mark.parametrize("name", ["", "   ", "robot", "network-app", "x" * 61])
def test_it_wants_to_know_who_acts(waiting: Waiting, name: str) -> None:
    with pytest.raises(DyzurError, match=r"--as anna"):
        waiting.take(name)


# --- answer -------------------------------------------------------------------------------------------------------------


def test_it_plans_an_answer_and_silences_the_robot(waiting: Waiting) -> None:
    done = waiting.answer()
    reply = waiting.reply(done.reply_id)
    assert (reply["kind"], reply["sent_by"], reply["state"]) == (ReplyKind.ANSWER, SentBy.PERSON, ReplyState.PLANNED)
    assert (reply["text"], reply["due_at"], reply["not_after"], reply["language"]) == (WORDS, NOW, None, "pl")
    assert waiting.reply()["state"] == ReplyState.CANCELLED
    assert (done.cancelled, done.robot_on_its_way, done.paused_since, done.profile) == (1, False, None, PROFILE)
    assert waiting.state["state"] == EscalationState.TAKEN


def test_it_delivers_the_answer_once_and_ends_the_case(database: Database) -> None:
    clock = SteppedClock(ASKED_AT)
    network = FakeConnector(clock)
    asked = network.publishes(post(when=ASKED_AT))
    desk = desk_for(database, clock, network)
    line.take_in(desk, clock.now())
    line.work_through(desk, clock.now())
    clock.advance_to(NOW)
    people.answer(database, CONTEXT, 1, WORDS, user=MAREK, now=NOW)
    while line.send_out(desk, clock.now()):
        pass
    clock.advance_to(at("2026-11-20 12:00"))
    line.take_in(desk, clock.now())
    while line.send_out(desk, clock.now()):
        pass
    assert [(own.text, own.in_reply_to) for own in network.public_replies] == [(WORDS, asked.native_id)]
    assert [use.sent_by for use in network.written] == [SentBy.PERSON]
    ended = row_of(database, EscalationRow, 1)
    assert (ended["state"], ended["answered_at"], ended["answered_natively"]) == (EscalationState.ANSWERED, NOW, False)


def test_it_really_sends_a_persons_answer_from_a_profile_in_dry_run(database: Database) -> None:
    clock = SteppedClock(ASKED_AT)
    network = FakeConnector(clock)
    network.publishes(post(when=ASKED_AT))
    desk = desk_for(database, clock, network, mode=ProfileMode.DRY_RUN)
    line.take_in(desk, clock.now())
    line.work_through(desk, clock.now())
    people.answer(database, CONTEXT, 1, WORDS, user=MAREK, now=clock.now())
    line.send_out(desk, clock.now())
    assert [own.text for own in network.public_replies] == [WORDS]


def test_it_ends_the_case_when_the_answer_got_out_and_its_outcome_got_lost(database: Database) -> None:
    clock = SteppedClock(ASKED_AT)
    network = FakeConnector(clock)
    network.publishes(post(when=ASKED_AT))
    desk = desk_for(database, clock, network)
    line.take_in(desk, clock.now())
    line.work_through(desk, clock.now())
    people.answer(database, CONTEXT, 1, WORDS, user=MAREK, now=clock.now())
    network.fails("reply", Uncertain("time-out"), after_effect=True)
    line.send_out(desk, clock.now())
    clock.advance(desk.profiles[1].poll_every)
    line.take_in(desk, clock.now())  # the poll sees our own post before the look-up does
    assert row_of(database, EscalationRow, 1)["state"] == EscalationState.ANSWERED
    assert len(network.written) == 1


def test_it_never_lets_two_people_answer_one_customer(new_store_database: Callable[[], Database]) -> None:
    first, second = new_store_database(), new_store_database()
    waiting = Waiting(first)
    start = Barrier(2)

    def write(database: Database, name: str) -> str:
        start.wait()
        try:
            people.answer(database, CONTEXT, waiting.case_id, f"{WORDS} {name}", user=name, now=NOW)
        except Conflict as error:
            return str(error)
        return "planned"

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(write, (first, second), (MAREK, HANNA)))
    assert outcomes.count("planned") == 1
    refused = next(outcome for outcome in outcomes if outcome != "planned")
    winner = MAREK if outcomes[0] == "planned" else HANNA
    assert f"taken by {winner}" in refused


def test_it_takes_a_double_press_for_one_answer(waiting: Waiting) -> None:
    waiting.answer()
    with pytest.raises(Conflict, match="an answer of marek is already on its way"):
        waiting.answer()


def test_it_does_not_answer_what_is_answered(waiting: Waiting) -> None:
    own = post(
        "Odpisane w aplikacji", when=NOW, by=SHOP, thread_root="q1", in_reply_to="q1", ours=True, kind=PostKind.OWN
    )
    remembered(waiting.database, waiting.shop, own)
    with pytest.raises(Conflict, match="is answered"):
        waiting.answer()


def test_it_answers_the_customers_last_message(waiting: Waiting) -> None:
    again = waiting.writes_again(at("2026-11-20 10:20"))
    assert waiting.answer().post_id == again


def test_it_stops_an_answer_to_what_has_changed_since_it_was_shown(waiting: Waiting) -> None:
    seen = Seen(post_id=waiting.post_id, revision_number=1, posts=1, revisions=1)
    again = waiting.writes_again(at("2026-11-20 10:34"), "Już doszła, dziękuję!")
    with pytest.raises(Conflict, match=rf"Już doszła.*--seen {again}:1.*--even-if-changed"):
        waiting.answer(seen=seen)
    assert waiting.state["state"] == EscalationState.OPEN  # nothing was taken either
    assert waiting.reply()["state"] == ReplyState.PLANNED
    assert waiting.answer(seen=seen, even_if_changed=True).post_id == again


def test_it_stops_an_answer_to_a_message_that_was_edited_since_it_was_shown(waiting: Waiting) -> None:
    changed = replace(waiting.asked, text="Nieważne, jest!", revision="2", edited_at=NOW)
    remembered(waiting.database, waiting.shop, changed, now=NOW)
    with pytest.raises(Conflict, match="Nieważne"):
        waiting.answer(seen=Seen(post_id=waiting.post_id, revision_number=1, posts=1, revisions=1))
    now_seen = Seen(post_id=waiting.post_id, revision_number=2, posts=1, revisions=2)
    assert waiting.answer(seen=now_seen).post_id == waiting.post_id


def test_it_stops_an_answer_where_an_older_message_was_edited(waiting: Waiting) -> None:
    newest = waiting.writes_again(at("2026-11-20 10:20"))
    seen = Seen(post_id=newest, revision_number=1, posts=2, revisions=2)
    changed = replace(waiting.asked, text="Dziecko się dusi!", revision="2", edited_at=NOW)
    remembered(waiting.database, waiting.shop, changed, now=NOW)
    with pytest.raises(Conflict, match=rf"Dziecko się dusi.*--seen {newest}:1:2:3"):
        waiting.answer(seen=seen)
    waiting.answer(seen=replace(seen, revisions=3))


def test_it_stops_an_answer_where_an_older_message_came_late(waiting: Waiting) -> None:
    newest = waiting.writes_again(at("2026-11-20 10:20"))
    seen = Seen(post_id=newest, revision_number=1, posts=2, revisions=2)
    late = post("Dziecko się dusi!", when=at("2026-11-20 10:15"), thread_root="q1", native_id="late")
    remembered(waiting.database, waiting.shop, late, now=NOW)
    with pytest.raises(Conflict, match=rf"Dziecko się dusi.*--seen {newest}:1:3:3"):
        waiting.answer(seen=seen)


def test_it_does_not_go_by_a_mark_that_tells_of_one_message_only(waiting: Waiting) -> None:
    with pytest.raises(Conflict, match=rf"nobody can tell.*--seen {waiting.post_id}:1:1:1"):
        waiting.answer(seen=Seen(post_id=waiting.post_id, revision_number=1))


@pytest.mark.parametrize(
    ("told", "mark"),
    [
        ("12:2:3:5", Seen(post_id=12, revision_number=2, posts=3, revisions=5)),
        ("12:2", Seen(post_id=12, revision_number=2)),
        ("12", Seen(post_id=12, revision_number=1)),
        ("", None),
        ("12:", None),
        ("12:2:3", None),
        ("12:2:3:5:6", None),
        ("-1:1:1:1", None),
        ("١:1:1:1", None),
        ("9" * 5000, None),
    ],
)
def test_it_reads_the_mark_that_it_writes_and_an_earlier_versions(told: str, mark: Seen | None) -> None:
    assert queue.read_mark(told) == mark
    assert mark is None or queue.read_mark(str(mark)) == mark


def test_it_remembers_what_was_there_when_the_case_was_taken(waiting: Waiting) -> None:
    waiting.take(now=at("2026-11-20 10:10"))
    waiting.writes_again(at("2026-11-20 10:20"), "I jeszcze jedno")
    with pytest.raises(Conflict, match="I jeszcze jedno"):
        waiting.answer()
    waiting.take(HANNA, over=True, now=at("2026-11-20 10:30"))
    waiting.answer(user=HANNA)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("   \n", "The text is empty"),
        ("x" * 301, r"301 long and the network takes 300 .*shorten it"),
        ("zły znak \x07", r"U\+0007.*write it again without it"),
        ("PESEL 44051401359 się zgadza", "Everybody can read this reply.*leave it out"),
    ],
)
def test_it_says_what_to_change_in_a_text(waiting: Waiting, text: str, advice: str) -> None:
    with pytest.raises(UnfitText, match=advice) as caught:
        waiting.answer(text, accept_warnings=True)
    assert not caught.value.only_warnings
    assert "44051401359" not in str(caught.value)
    assert waiting.state["state"] == EscalationState.OPEN
    assert waiting.reply()["state"] == ReplyState.PLANNED


def test_it_keeps_to_a_network_without_links(waiting: Waiting) -> None:
    context = AnswerContext(rules=replace(FAKE_RULES, links_allowed=False), private_channel=False)
    with pytest.raises(UnfitText, match="without links"):
        waiting.answer("Zobacz fikcja.pl/zwroty", context=context)


def test_it_asks_again_where_a_text_may_be_meant_so(waiting: Waiting) -> None:
    with pytest.raises(UnfitText, match=r"private message.*--yes") as caught:
        waiting.answer("Napisz do nas na priv")
    assert caught.value.only_warnings
    assert waiting.answer("Napisz do nas na priv", accept_warnings=True).reply_id


def test_it_sends_people_to_the_networks_app_where_its_rules_close_the_api(waiting: Waiting) -> None:
    rules = replace(FAKE_RULES, human_window=timedelta(hours=24))
    late = ASKED_AT + timedelta(hours=25)
    with pytest.raises(Conflict, match=r"within 24 hours.*https://fake\.invalid/p/q1.*close the case"):
        waiting.answer(context=AnswerContext(rules=rules, private_channel=False), now=late)


def test_it_answers_the_message_that_may_be_answered(database: Database) -> None:
    waiting = Waiting(database, summoned=True)
    remembered(database, waiting.shop, post("no?", when=NOW, thread_root="q1", native_id="bare", summoned=False))
    rules = replace(FAKE_RULES, summoned_only=True)
    done = waiting.answer(context=AnswerContext(rules=rules, private_channel=False))
    assert done.post_id == waiting.post_id


def test_it_does_not_answer_what_was_deleted(waiting: Waiting) -> None:
    with waiting.database.write() as session:
        posts.forget_deleted(session, waiting.shop, [Gone(native_id="q1")], now=NOW)
    with pytest.raises(Conflict, match=r"deleted everything.*queue close"):
        waiting.answer()


def test_it_says_that_the_robot_cannot_be_stopped_any_more(waiting: Waiting) -> None:
    with waiting.database.write() as session:
        outbox.change_state(session, waiting.acknowledgement, ReplyState.PLANNED, ReplyState.SENDING)
    done = waiting.answer()
    assert (done.robot_on_its_way, done.cancelled) == (True, 0)


def test_it_says_that_the_desk_is_paused(waiting: Waiting) -> None:
    with waiting.database.write() as session:
        control.pause(session, by=HANNA, now=NOW)
    assert waiting.answer().paused_since == NOW


def test_it_refuses_an_answer_that_nobody_would_send(waiting: Waiting) -> None:
    with waiting.database.write() as session:
        profiles.synchronise(session, [], now=NOW)
    with pytest.raises(Conflict, match="no longer in the configuration"):
        waiting.answer()


def test_it_reads_a_networks_rules_without_opening_it(database: Database) -> None:
    shop = profile(database, network="bluesky")
    case_id = case(database, remembered(database, shop, post(when=ASKED_AT)))
    context = people.context_of(database, case_id)
    assert (context.rules.length_limit, context.private_channel) == (300, False)
    with pytest.raises(NotFound, match="no case 99"):
        people.context_of(database, 99)


# --- close --------------------------------------------------------------------------------------------------------------


def test_it_closes_a_case_with_its_reason(waiting: Waiting) -> None:
    people.close(waiting.database, waiting.case_id, user=MAREK, now=NOW, reason="answered by phone")
    assert (waiting.state["state"], waiting.state["close_reason"]) == (EscalationState.CLOSED, "answered by phone")
    assert waiting.reply()["state"] == ReplyState.CANCELLED
    assert row_of(waiting.database, ConversationRow, 1)["waiting_since"] is None


def test_it_closes_a_plain_question_without_one(waiting: Waiting) -> None:
    people.close(waiting.database, waiting.case_id, user=MAREK, now=NOW)
    assert waiting.state["close_reason"] == "no answer needed"


def test_it_closes_no_formal_complaint_without_an_answer_or_a_reason(database: Database) -> None:
    asked = remembered(database, profile(database), post("Reklamacja", when=ASKED_AT))
    case_id = case(database, asked, formal_deadline=timedelta(days=14))
    with pytest.raises(Conflict, match=r"formal complaint.*--reason"):
        people.close(database, case_id, user=MAREK, now=NOW, reason="  ")
    people.close(database, case_id, user=MAREK, now=NOW, reason="settled by letter")
    assert row_of(database, EscalationRow, case_id)["state"] == EscalationState.CLOSED


def test_it_closes_no_case_of_a_colleague(waiting: Waiting) -> None:
    waiting.take(MAREK)
    with pytest.raises(Conflict, match=r"taken by marek.*--over"):
        people.close(waiting.database, waiting.case_id, user=HANNA, now=NOW, reason="done")
    people.close(waiting.database, waiting.case_id, user=MAREK, now=NOW, reason="done")


def test_it_closes_nothing_under_an_answer_that_is_on_its_way(waiting: Waiting) -> None:
    waiting.answer()
    with pytest.raises(Conflict, match="on its way"):
        people.close(waiting.database, waiting.case_id, user=MAREK, now=NOW, reason="done")


def test_it_closes_nothing_over_what_the_customer_wrote_since(waiting: Waiting) -> None:
    seen = Seen(post_id=waiting.post_id, revision_number=1, posts=1, revisions=1)
    again = waiting.writes_again(at("2026-11-20 10:34"), "Dziecko połknęło część!")
    with pytest.raises(Conflict, match=rf"Dziecko połknęło.*close it with --seen {again}:1:2:2"):
        people.close(waiting.database, waiting.case_id, user=MAREK, now=NOW, reason="done", seen=seen)
    assert waiting.state["state"] == EscalationState.OPEN
    now_seen = Seen(post_id=again, revision_number=1, posts=2, revisions=2)
    people.close(waiting.database, waiting.case_id, user=MAREK, now=NOW, reason="done", seen=now_seen)


def test_it_remembers_at_closing_what_was_there_when_the_case_was_taken(waiting: Waiting) -> None:
    waiting.take(now=at("2026-11-20 10:10"))
    waiting.writes_again(at("2026-11-20 10:20"), "I jeszcze jedno")
    with pytest.raises(Conflict, match="I jeszcze jedno"):
        people.close(waiting.database, waiting.case_id, user=MAREK, now=NOW, reason="done")


def test_it_leaves_an_answered_case_answered(waiting: Waiting) -> None:
    own = post("Odpisane", when=NOW, by=SHOP, thread_root="q1", in_reply_to="q1", ours=True, kind=PostKind.OWN)
    remembered(waiting.database, waiting.shop, own)
    with pytest.raises(Conflict, match="answered already"):
        people.close(waiting.database, waiting.case_id, user=MAREK, now=NOW, reason="done")
    assert waiting.state["state"] == EscalationState.ANSWERED


# --- settle -------------------------------------------------------------------------------------------------------------


def test_it_records_what_a_person_saw_of_the_robots_text(waiting: Waiting) -> None:
    stuck(waiting, waiting.acknowledgement)
    done = people.settle(
        waiting.database,
        waiting.acknowledgement,
        sent=True,
        user=MAREK,
        now=NOW,
        external_id="own-9",
        permalink="https://fake.invalid/9",
    )
    reply = waiting.reply()
    assert (reply["state"], reply["external_id"], reply["sent_at"]) == ("sent", "own-9", at("2026-11-20 10:40"))
    assert (done.state, done.case_id) == (ReplyState.SENT, waiting.case_id)  # an automatic text answers nothing
    assert waiting.state["state"] == EscalationState.OPEN


def test_it_ends_the_case_with_a_persons_answer_that_was_seen(waiting: Waiting) -> None:
    answer = waiting.answer().reply_id
    stuck(waiting, answer)
    done = people.settle(waiting.database, answer, sent=True, user=HANNA, now=NOW)
    assert (done.case_id, waiting.state["state"]) == (None, EscalationState.ANSWERED)
    assert waiting.state["answered_at"] == at("2026-11-20 10:40")


def test_it_never_sends_again_what_a_person_did_not_find(waiting: Waiting) -> None:
    answer = waiting.answer().reply_id
    stuck(waiting, answer)
    done = people.settle(waiting.database, answer, sent=False, user=HANNA, now=NOW)
    reply = waiting.reply(answer)
    assert (reply["state"], reply["reason"]) == (ReplyState.REFUSED, "hanna looked: it was not published")
    assert done.case_id == waiting.case_id
    assert "hanna looked" in waiting.state["note"]
    later = NOW + timedelta(days=1)
    again = claim(
        waiting.database, Claimed.REPLY, now=later, limit=9, lease=timedelta(minutes=1), profiles=[waiting.shop.id]
    )
    assert not again
    assert waiting.answer(now=later).reply_id != answer  # a person may


def test_it_brings_a_closed_case_back_for_an_answer_that_never_arrived(waiting: Waiting) -> None:
    answer = waiting.answer().reply_id
    stuck(waiting, answer)
    with waiting.database.write() as session:
        row = session.get(EscalationRow, waiting.case_id)
        assert row is not None
        row.state, row.closed_at = EscalationState.CLOSED.value, NOW
    done = people.settle(waiting.database, answer, sent=False, user=HANNA, now=NOW)
    assert (done.case_id, waiting.state["state"]) == (waiting.case_id, EscalationState.OPEN)


@pytest.mark.parametrize("state", [state for state in ReplyState if state is not ReplyState.UNKNOWN])
def test_it_settles_only_what_is_unknown(waiting: Waiting, state: ReplyState) -> None:
    with waiting.database.write() as session:
        row = session.get(ReplyRow, waiting.acknowledgement)
        assert row is not None
        row.state = state.value
    with pytest.raises(Conflict, match=f"is {state.value}"):
        people.settle(waiting.database, waiting.acknowledgement, sent=True, user=MAREK, now=NOW)


def test_it_says_that_there_is_no_such_reply(waiting: Waiting) -> None:
    with pytest.raises(NotFound, match="no reply 99"):
        people.settle(waiting.database, 99, sent=True, user=MAREK, now=NOW)


def test_it_stops_ringing_once_the_reply_is_settled(waiting: Waiting) -> None:
    from social.engine import alerts

    stuck(waiting, waiting.acknowledgement)
    with waiting.database.write() as session:
        alerts.raise_once(session, kind="unknown", subject=str(waiting.acknowledgement), message="look", now=NOW)
    people.settle(waiting.database, waiting.acknowledgement, sent=True, user=MAREK, now=NOW)
    with waiting.database.read() as session:
        assert session.get(AlertRow, 1) is None


def test_it_writes_down_who_did_what_without_anybodys_words(waiting: Waiting) -> None:
    from sqlalchemy import select

    from social.store.rows import t

    waiting.take()
    stuck(waiting, waiting.answer().reply_id)
    people.settle(waiting.database, 2, sent=True, user=HANNA, now=NOW)
    with waiting.database.read() as session:
        rows = [dict(row) for row in session.execute(select(t(EventRow))).mappings()]
    assert {(row["actor"], row["verb"]) for row in rows} >= {
        (MAREK, "took"),
        (MAREK, "planned an answer"),
        (HANNA, "settled as sent"),
        (HANNA, "answered"),
    }
    text = row_of(waiting.database, PostRow, waiting.post_id)["text"]
    assert not any(words in str(row["detail"]) for row in rows for words in (WORDS, text))
