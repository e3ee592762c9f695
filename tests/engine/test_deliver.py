"""One reply through its states, at most once in public: what stops it, what puts it off, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from responders.snapshot import Limits
from social.clock import SteppedClock
from social.domain.assessment import Flag, Urgency
from social.domain.errors import (
    ConnectorError,
    CredentialsExpired,
    RateLimited,
    RefusalReason,
    Refused,
    Uncertain,
    Unreachable,
)
from social.domain.hours import BusinessCalendar, parse_weekly
from social.domain.post import Author, FetchedPost, PostRef, ProfileMode
from social.domain.reply import Receipt, ReplyKind, ReplyState, SentBy
from social.engine import line, people, ringing
from social.engine.claims import MAXIMUM_ATTEMPTS
from social.engine.desk import Leases
from social.engine.schedule import run_stepped
from social.ports import Permission, Verdict
from social.store import control, escalations, outbox
from social.store.session import Database
from social.store.tables import BudgetRow, ConversationRow, ReplyRow
from tests.cast import HANNA, MAREK, PIOTR, WARSAW, at
from tests.engine.looking import rows
from tests.engine.on_call import FakeNotifier, on_call
from tests.engine.one_text import ASKED, DUE, WORDS, Told
from tests.factories import case, desk_for, planned, post, profile, remembered, row_of
from tests.fakes import FAKE_RULES, FakeClassifier, FakeConnector
from tests.story.telling import NETWORK_RULES, alerts, case_of, cases, leases_run_out, posts, replies


def test_it_sends_a_due_text_once_with_the_words_that_were_planned(told: Told, network: FakeConnector) -> None:
    text = told.reply["text"]
    assert told.deliver()["state"] == "sent"
    assert [written.text for written in network.written] == [text]
    assert (told.reply["external_id"], told.reply["sent_at"]) == (network.public_replies[0].native_id, DUE)
    assert told.cap == DUE
    assert case_of(told.database).state == "open"
    assert line.send_out(told.desk, DUE) == 0


# --- modes ------------------------------------------------------------------------------------------------------------


def test_it_never_releases_later_what_was_rehearsed_in_dry_run(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock, network: FakeConnector
) -> None:
    rehearsal = desk_for(database, clock, network, mode=ProfileMode.DRY_RUN)
    network.publishes(post(when=ASKED))
    network.publishes(post(when=at("2026-11-20 10:30"), by=PIOTR))
    run_stepped(rehearsal, clock, until=at("2026-11-20 10:50"))
    assert [row.state for row in replies(database)] == ["would-have-sent", "planned"]
    assert network.written == []
    assert {row.state for row in cases(database)} == {"open"}  # customers wait for people all the same

    earnest = desk_for(new_database(), clock, network, mode=ProfileMode.ACKNOWLEDGE)
    network.publishes(post(when=at("2026-11-20 10:55"), by=Author(native_id="c3")))
    run_stepped(earnest, clock, until=at("2026-11-20 12:30"))

    assert [row.state for row in replies(database)] == ["would-have-sent", "cancelled", "sent"]
    assert [written.to for written in network.written] == ["c3-1120T105500"]


def test_it_looks_and_checks_in_dry_run_as_in_earnest(
    database: Database, clock: SteppedClock, network: FakeConnector
) -> None:
    told = Told(database, clock, network, mode=ProfileMode.DRY_RUN)
    network.verdict = Verdict(permission=Permission.OPEN_IN_APP, reason="Replies are switched off there.")
    assert told.deliver()["state"] == "refused"
    assert "Replies are switched off there." in told.note


def test_it_sends_a_persons_answer_in_dry_run_too_and_closes_the_case(
    database: Database, clock: SteppedClock, network: FakeConnector
) -> None:
    told = Told(database, clock, network, mode=ProfileMode.DRY_RUN)
    people.answer(database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=clock.now())
    told.deliver()
    assert [reply.text for reply in network.public_replies] == [WORDS]
    assert (case_of(database).state, case_of(database).answered_natively) == ("answered", False)
    assert [row.state for row in replies(database)] == ["cancelled", "sent"]


def test_it_says_nothing_on_a_profile_that_is_off_but_lets_people_answer(told: Told, network: FakeConnector) -> None:
    (live,) = told.desk.profiles.values()
    told.desk.profiles = {live.id: replace(live, mode=ProfileMode.OFF)}
    assert told.deliver()["state"] == "cancelled"
    people.answer(told.database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=told.clock.now())
    told.deliver()
    assert [reply.text for reply in network.public_replies] == [WORDS]


# --- the pause --------------------------------------------------------------------------------------------------------


def pause(database: Database, *, on: bool = True) -> None:
    with database.write() as session:
        (control.pause if on else control.unpause)(session, by=HANNA, now=DUE)


def test_it_stops_before_the_wire_while_paused_and_goes_on_afterwards(told: Told, network: FakeConnector) -> None:
    pause(told.database)
    assert told.deliver()["state"] == "planned"
    assert network.calls == []  # not even a look

    pause(told.database, on=False)
    assert told.deliver()["state"] == "sent"


class PausedMeanwhile(FakeConnector):
    """Somebody presses pause while the thread is read."""

    press: Callable[[], None]

    def can_reply(self, ref: PostRef) -> Verdict:
        self.press()
        return super().can_reply(ref)


def test_it_stops_before_the_wire_when_the_pause_comes_at_the_last_moment(
    database: Database, clock: SteppedClock
) -> None:
    network = PausedMeanwhile(clock)
    told = Told(database, clock, network)
    network.press = lambda: pause(database)
    for _ in range(MAXIMUM_ATTEMPTS + 1):  # a pause is no fault of the reply's, however often
        pause(database, on=False)
        assert told.deliver()["state"] == "planned"
    assert (network.written, told.cap) == ([], None)

    pause(database, on=False)
    network.press = lambda: None
    assert told.deliver()["state"] == "sent"
    assert len(network.public_replies) == 1


def test_it_looks_doubtful_replies_up_even_while_paused(told: Told, network: FakeConnector) -> None:
    network.fails("reply", Uncertain("time-out."), after_effect=True)
    assert told.deliver()["state"] == "sending"
    pause(told.database)
    leases_run_out(told.database)
    assert told.deliver()["state"] == "sent"


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("permission", [Permission.OPEN_IN_APP, Permission.DRAFT_ONLY])
def test_it_refuses_what_the_network_does_not_take_and_notes_why_in_the_case(
    told: Told, network: FakeConnector, permission: Permission
) -> None:
    network.verdict = Verdict(permission=permission, reason="The author limits who can reply.")
    reply = told.deliver()
    assert (reply["state"], reply["reason"]) == ("refused", "The author limits who can reply.")
    assert (network.written, told.cap) == ([], None)
    assert told.note == "acknowledgement: The author limits who can reply."
    assert case_of(told.database).state == "open"


def test_it_refuses_what_the_declared_rules_stopped_allowing_since_it_was_planned(
    database: Database, clock: SteppedClock
) -> None:
    network = FakeConnector(clock, rules=replace(FAKE_RULES, automatic_window=timedelta(minutes=30)))
    told = Told(database, clock, network)
    assert told.deliver()["state"] == "refused"
    assert "The network takes automatic texts only within" in told.note
    assert network.written == []


def test_it_gives_the_cap_back_when_the_network_says_a_definite_no(told: Told, network: FakeConnector) -> None:
    network.fails("reply", Refused("You are blocked.", reason=RefusalReason.BLOCKED))
    reply = told.deliver()
    assert reply["state"] == "refused"
    assert told.cap is None
    assert told.note == "acknowledgement: blocked: You are blocked."
    told.clock.advance(timedelta(minutes=5))
    assert line.send_out(told.desk, told.clock.now()) == 0  # no repeat would help


@pytest.mark.parametrize(
    "text", ["Zajrzyj na https://example.com/a albo https://example.com/b", "Napisz do nas: biuro@example.com", ""]
)
def test_it_stops_what_the_guard_does_not_let_through(
    database: Database, clock: SteppedClock, network: FakeConnector, text: str
) -> None:
    shop = profile(database)
    desk = desk_for(database, clock, network)
    row_id = remembered(database, shop, network.publishes(post(when=ASKED)))
    case(database, row_id)
    reply_id = planned(database, row_id, text=text)
    clock.advance_to(DUE)

    line.send_out(desk, DUE)

    assert row_of(database, ReplyRow, reply_id)["state"] == "refused"
    assert network.written == []
    kind, _, why = (case_of(database).note or "").partition(": ")
    assert kind == "acknowledgement"
    assert len(set(why.split("; "))) == len(why.split("; "))  # two links are one reason


def test_an_answer_that_goes_out_late_does_not_close_the_case_over_what_came_in_meanwhile(
    told: Told, network: FakeConnector
) -> None:
    told.clock.advance_to(at("2026-11-20 10:04"))
    people.answer(told.database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=told.clock.now())
    network.fails("reply", RateLimited("slow down.", until=at("2026-11-20 10:20"), scope="write"))
    later = post(
        "A teraz zniknęły mi pieniądze z konta.", when=at("2026-11-20 10:06"), thread_root=told.asked.thread_root
    )
    network.publishes(later)

    run_stepped(told.desk, told.clock, until=at("2026-11-20 10:19"))
    assert [row.outcome for row in posts(told.database)] == ["escalated", "escalated"]
    run_stepped(told.desk, told.clock, until=at("2026-11-20 10:40"))

    assert [said.text for said in network.public_replies] == [WORDS]
    assert case_of(told.database).state == "taken"
    assert rows(told.database, ConversationRow)[0].waiting_since == at("2026-11-20 10:06")


def hold_marek_back(told: Told, *, since: datetime) -> None:
    """His answer lies in the outbox while the desk is paused."""
    told.clock.advance_to(since)
    pause(told.database)
    people.answer(told.database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=told.clock.now())


@pytest.mark.parametrize("written", ["10:04", "10:20"], ids=["seen after it", "written after it"])
def test_no_second_answer_follows_a_colleagues_in_the_app_though_the_customer_wrote_again(
    told: Told, network: FakeConnector, written: str
) -> None:
    network.answers_by_hand(told.asked, "Już wyjechała.", when=at(f"2026-11-20 {written}"))
    hold_marek_back(told, since=at("2026-11-20 10:05"))
    network.publishes(post("A kiedy dojdzie?", when=at("2026-11-20 10:29"), thread_root=told.asked.thread_root))
    run_stepped(told.desk, told.clock, until=at("2026-11-20 10:35"))
    assert case_of(told.database).state == "open"
    pause(told.database, on=False)

    run_stepped(told.desk, told.clock, until=at("2026-11-20 10:40"))

    assert [said.text for said in network.public_replies] == ["Już wyjechała."]
    answer = replies(told.database)[-1]
    assert (answer.state, answer.reason) == (
        "refused",
        f"a colleague was quicker, in the network's own app at {written}",
    )
    assert case_of(told.database).state == "open"
    assert told.note.startswith("answer: a colleague was quicker")


def test_an_earlier_answer_in_the_app_holds_nobody_back(told: Told, network: FakeConnector) -> None:
    network.answers_by_hand(told.asked, "Sprawdzę.", when=at("2026-11-20 10:01"))
    run_stepped(told.desk, told.clock, until=at("2026-11-20 10:05"))
    assert case_of(told.database).state == "answered"
    network.publishes(post("I co?", when=at("2026-11-20 10:06"), thread_root=told.asked.thread_root))
    run_stepped(told.desk, told.clock, until=at("2026-11-20 10:10"))
    hold_marek_back(told, since=at("2026-11-20 10:11"))
    pause(told.database, on=False)

    run_stepped(told.desk, told.clock, until=at("2026-11-20 10:30"))

    assert [said.text for said in network.public_replies] == ["Sprawdzę.", WORDS]


@pytest.mark.parametrize("lost", [True, False], ids=["in doubt", "cancelled"])
def test_no_hand_over_is_confirmed_beside_what_is_no_matter_for_a_robot(
    database: Database, clock: SteppedClock, network: FakeConnector, lost: bool
) -> None:
    judge = FakeClassifier().judges("człowiek", flags={Flag.WANTS_HUMAN})
    judge.judges("Zabiję", urgency=Urgency.CRITICAL, flags={Flag.SELF_HARM})
    desk = desk_for(database, clock, network, classifier=judge, poll_every=timedelta(minutes=1))
    asked = network.publishes(post("Chcę rozmawiać z człowiekiem!", when=ASKED))
    line.take_in(desk, clock.now())
    line.work_through(desk, clock.now())
    if lost:
        network.fails("reply", Uncertain("time-out"))  # it never arrived, but nobody knows yet
        line.send_out(desk, clock.now())
    assert [row.state for row in replies(database)] == ["sending" if lost else "planned"]
    clock.advance_to(at("2026-11-20 10:01"))
    network.publishes(post("Zabiję się.", when=at("2026-11-20 10:00:30"), thread_root=asked.native_id))
    line.take_in(desk, clock.now())
    line.work_through(desk, clock.now())
    leases_run_out(database)
    network.publishes(post("Halo, jest tu człowiek?", when=at("2026-11-20 10:05"), thread_root=asked.native_id))
    network.publishes(post("Czy macie otwarte?", when=at("2026-11-20 10:06"), thread_root=asked.native_id))

    run_stepped(desk, clock, until=at("2026-11-20 12:00"))

    assert network.public_replies == []
    assert {row.state for row in replies(database)} == {"cancelled"}
    assert rows(database, ConversationRow)[0].silence_reason == "no-robot-here"


def test_a_request_for_a_person_is_still_confirmed_after_a_doubtful_try(
    database: Database, clock: SteppedClock, network: FakeConnector
) -> None:
    desk = desk_for(database, clock, network, classifier=FakeClassifier().judges("człowiek", flags={Flag.WANTS_HUMAN}))
    network.publishes(post("Chcę rozmawiać z człowiekiem!", when=ASKED))
    network.fails("reply", Uncertain("time-out"))
    run_stepped(desk, clock, until=at("2026-11-20 10:01"))
    leases_run_out(database)

    run_stepped(desk, clock, until=at("2026-11-20 10:10"))

    assert [row.state for row in replies(database)] == ["sent"]
    assert rows(database, ConversationRow)[0].silence_reason == "wants-human"


def test_it_notes_a_refused_answer_of_a_person_in_their_case(told: Told, network: FakeConnector) -> None:
    people.answer(told.database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=told.clock.now())
    network.fails("reply", Refused("Replies are off.", reason=RefusalReason.REPLIES_DISABLED))
    told.deliver()
    assert case_of(told.database).state == "taken"  # still Marek's, and not answered
    assert told.note == "answer: replies-disabled: Replies are off."


def end_case(told: Told) -> None:
    """The case ends while an answer is on its way; people cannot do that, another client of the database could."""
    with told.database.write() as session:
        escalations.close(session, told.case_id, reason="answered", name=HANNA, now=told.clock.now())


def test_it_reopens_a_case_that_was_closed_while_its_answer_was_refused(told: Told, network: FakeConnector) -> None:
    people.answer(told.database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=told.clock.now())
    end_case(told)
    network.fails("reply", Refused("Replies are off.", reason=RefusalReason.REPLIES_DISABLED))
    told.deliver()
    found = case_of(told.database)
    assert (found.state, found.urgency, found.rule) == ("open", "high", "reply-refused")
    assert "Replies are off." in (found.note or "")


# --- surely not published: planned again, sent once -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (RateLimited("slow down.", until=at("2026-11-20 10:47"), scope="write"), at("2026-11-20 10:47")),
        (CredentialsExpired("renew the token."), at("2026-11-20 10:55")),
        (Unreachable("connection refused."), at("2026-11-20 10:41")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_it_plans_again_what_was_surely_not_accepted_and_sends_it_once(
    told: Told, network: FakeConnector, error: ConnectorError, again: object
) -> None:
    network.fails("reply", error)
    reply = told.deliver()
    assert (reply["state"], reply["due_at"]) == ("planned", again)
    assert told.cap is None  # it never reached the customer, so it is not counted
    assert network.public_replies == []

    run_stepped(told.desk, told.clock, until=at("2026-11-20 12:00"))

    assert [own.created_at for own in network.public_replies] == [again]
    assert network.calls.count("reply") == 2
    assert told.reply["state"] == "sent"
    assert told.cap == again
    assert {written.key for written in network.written} == {told.reply["key"]}


def test_it_leaves_all_writing_alone_while_the_network_asks_to_wait(
    told: Told, new_database: Callable[[], Database], network: FakeConnector
) -> None:
    second = remembered(told.database, told.shop, network.publishes(post(when=ASKED, by=PIOTR)))
    case(told.database, second)
    planned(told.database, second)
    network.fails("reply", RateLimited("slow down.", until=at("2026-11-20 10:50"), scope="write"))
    told.deliver()
    calls = list(network.calls)

    restarted = desk_for(new_database(), told.clock, network)
    assert line.send_out(restarted, told.clock.now()) == 1  # the second one is put off without a call
    assert network.calls == calls
    assert [(row.state, row.due_at) for row in replies(told.database)] == [("planned", at("2026-11-20 10:50"))] * 2
    assert [budget.paused_until for budget in rows(told.database, BudgetRow)] == [at("2026-11-20 10:50")]

    run_stepped(restarted, told.clock, until=at("2026-11-20 11:30"))
    assert sorted(written.to for written in network.written) == sorted(
        [told.asked.native_id, "customer-piotr-1120T100000"]
    )


def test_it_tells_people_when_the_credential_expires_between_two_polls(told: Told, network: FakeConnector) -> None:
    network.fails("reply", CredentialsExpired("renew the token.", next_step="Connect the profile again."))
    told.deliver()
    (alert,) = alerts(told.database)
    assert (alert.kind, alert.subject) == ("connector", "fikcja-net")
    assert "Connect the profile again." in alert.message


@pytest.mark.parametrize("method", ["refresh", "thread", "can_reply"])
def test_it_sends_nothing_without_a_last_look_and_looks_again_in_a_minute(
    told: Told, network: FakeConnector, method: str
) -> None:
    network.fails(method, Unreachable("HTML instead of JSON."))
    assert told.deliver()["state"] == "planned"
    assert network.written == []
    told.clock.advance(timedelta(minutes=1))
    assert told.deliver()["state"] == "sent"


# --- time and facts ---------------------------------------------------------------------------------------------------


def test_it_does_not_send_what_is_too_late_and_says_so_in_the_case(told: Told, network: FakeConnector) -> None:
    told.clock.advance_to(at("2026-11-20 11:01"))  # the machine slept
    assert told.deliver()["state"] == "late"
    assert network.written == []
    assert told.note.startswith("acknowledgement: its time passed")
    assert case_of(told.database).state == "open"


def test_it_sends_a_persons_answer_however_late(told: Told, network: FakeConnector) -> None:
    people.answer(told.database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=told.clock.now())
    told.clock.advance_to(at("2026-11-22 03:00"))
    told.deliver()
    assert [reply.text for reply in network.public_replies] == [WORDS]


def closing_of(reply: ReplyRow) -> datetime:
    return datetime.fromisoformat(reply.facts["closing"])


def test_it_decides_again_with_a_new_text_when_a_fact_is_no_longer_true(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock, network: FakeConnector
) -> None:
    desk = desk_for(database, clock, network)
    network.publishes(post(when=ASKED))
    run_stepped(desk, clock, until=at("2026-11-20 10:30"))
    assert [closing_of(row) for row in replies(database)] == [at("2026-11-20 17:00")]

    short = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon-fri": ["09:00-15:00"]}))
    changed = desk_for(new_database(), clock, network, calendar=short)  # the boss lets everybody go home at three
    run_stepped(changed, clock, until=at("2026-11-20 12:00"))

    stale, fresh = replies(database)
    assert (stale.state, stale.reason) == ("cancelled", "a fact in the text is no longer true")
    assert fresh.state == "sent"
    assert closing_of(fresh) == at("2026-11-20 15:00")
    assert [own.text for own in network.public_replies] == [fresh.text]
    assert "17:00" not in fresh.text


def test_it_turns_an_acknowledgement_into_a_notice_when_the_shop_closed_meanwhile(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock, network: FakeConnector
) -> None:
    desk = desk_for(database, clock, network)
    network.publishes(post(when=ASKED))
    run_stepped(desk, clock, until=at("2026-11-20 10:30"))

    shut = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon": ["09:00-17:00"]}))
    changed = desk_for(new_database(), clock, network, calendar=shut)
    run_stepped(changed, clock, until=at("2026-11-20 12:00"))

    (said,) = network.public_replies
    assert "w poniedziałek o 9:00" in said.text
    assert [(row.kind, row.state) for row in replies(database)] == [
        ("acknowledgement", "cancelled"),
        ("closed-notice", "sent"),
    ]


# --- caps -------------------------------------------------------------------------------------------------------------


def test_it_stops_at_the_profiles_hourly_limit_but_not_for_people(told: Told, network: FakeConnector) -> None:
    told.desk.limits = Limits(per_profile_an_hour=1)
    second = remembered(told.database, told.shop, network.publishes(post(when=ASKED, by=PIOTR)))
    second_case = case(told.database, second)
    planned(told.database, second)
    told.deliver()
    told.deliver()
    assert [row.state for row in replies(told.database)] == ["sent", "late"]
    assert "limit of 1 automatic texts an hour" in (replies(told.database)[1].reason or "")
    assert "limit of 1 automatic texts an hour" in (cases(told.database)[1].note or "")

    people.answer(told.database, NETWORK_RULES, second_case, WORDS, user=MAREK, now=told.clock.now())
    told.deliver()
    assert len(network.public_replies) == 2


def test_it_sends_one_automatic_text_a_conversation_whatever_was_planned(told: Told, network: FakeConnector) -> None:
    planned(told.database, told.post_id, kind=ReplyKind.CLOSED_NOTICE, text="To automatyczna wiadomość: wracamy rano.")
    told.deliver()
    told.deliver()
    assert [row.state for row in replies(told.database)] == ["sent", "cancelled"]
    assert len(network.public_replies) == 1


def test_it_confirms_a_hand_over_beside_an_acknowledgement_but_only_once(told: Told, network: FakeConnector) -> None:
    told.deliver()
    for number in range(2):
        text = f"To automatyczna wiadomość: przekazujemy sprawę człowiekowi ({number})."
        planned(told.database, told.post_id, kind=ReplyKind.HAND_OVER, text=text)
        told.deliver()
    assert [(row.kind, row.state) for row in replies(told.database)] == [
        ("acknowledgement", "sent"),
        ("hand-over", "sent"),
        ("hand-over", "cancelled"),
    ]
    assert len(network.public_replies) == 2


# --- nobody knows whether it appeared ---------------------------------------------------------------------------------


@pytest.mark.parametrize("appeared", [True, False])
def test_it_looks_for_a_doubtful_reply_before_anything_else(told: Told, network: FakeConnector, appeared: bool) -> None:
    network.fails("reply", Uncertain("502."), after_effect=appeared)
    assert told.deliver()["state"] == "sending"
    assert line.send_out(told.desk, told.clock.now()) == 0  # not before its lease is over
    leases_run_out(told.database)

    run_stepped(told.desk, told.clock, until=at("2026-11-20 11:30"))

    assert told.reply["state"] == "sent"
    assert len(network.public_replies) == 1
    assert network.calls.count("reply") == (1 if appeared else 2)


def test_a_look_up_that_fails_once_comes_again_in_seconds(told: Told, network: FakeConnector) -> None:
    network.fails("reply", Uncertain("502.", over=True))
    told.deliver()
    network.fails("find_own_reply", Unreachable("502."))
    leases_run_out(told.database)
    line.send_out(told.desk, told.clock.now())
    assert told.reply["state"] == "sending"
    told.clock.advance(timedelta(seconds=5))
    for _ in range(2):  # looked up, surely absent; then said
        line.send_out(told.desk, told.clock.now())
    assert told.reply["state"] == "sent"
    assert len(network.public_replies) == 1


def test_it_leaves_a_reply_to_the_look_up_when_the_connector_breaks_in_its_own_way(
    told: Told, network: FakeConnector
) -> None:
    network.fails("reply", KeyError("id"), after_effect=True)
    with pytest.raises(KeyError):
        told.deliver()
    assert told.reply["state"] == "sending"
    leases_run_out(told.database)
    assert told.deliver()["state"] == "sent"
    assert len(network.public_replies) == 1


@pytest.mark.parametrize("scope", ["write", "all"])
def test_a_limit_of_a_day_keeps_no_answer_from_people_without_a_word(
    told: Told, network: FakeConnector, scope: str
) -> None:
    people.answer(told.database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=told.clock.now())
    network.fails("reply", RateLimited("enough for today.", until=at("2026-11-21 10:41"), scope=scope))

    run_stepped(told.desk, told.clock, until=at("2026-11-20 12:00"))

    assert network.calls.count("reply") == 1
    assert "late-answer" in [alert.kind for alert in alerts(told.database)]
    assert "could not be sent yet" in told.note
    run_stepped(told.desk, told.clock, until=at("2026-11-21 11:00"))
    assert [said.text for said in network.public_replies] == [WORDS]


def test_a_look_up_under_a_limit_of_a_day_ends_in_an_hour(told: Told, network: FakeConnector) -> None:
    network.fails("reply", Uncertain("time-out."))
    told.deliver()
    leases_run_out(told.database)
    network.fails(
        "find_own_reply", RateLimited("enough for today.", until=at("2026-11-21 10:41"), scope="all"), times=9
    )

    run_stepped(told.desk, told.clock, until=at("2026-11-20 12:00"))

    assert told.reply["state"] == "unknown"
    assert network.calls.count("find_own_reply") == 1


def test_a_look_up_that_the_connector_breaks_in_its_own_way_ends_too(told: Told, network: FakeConnector) -> None:
    network.fails("reply", Uncertain("time-out."))
    told.deliver()
    network.fails("find_own_reply", KeyError("id"), times=99)
    leases_run_out(told.database)
    with pytest.raises(KeyError):
        line.send_out(told.desk, told.clock.now())
    leases_run_out(told.database)
    told.clock.advance(timedelta(hours=1))
    line.send_out(told.desk, told.clock.now())

    assert told.reply["state"] == "unknown"


def test_it_gives_up_looking_after_an_hour_and_asks_people_once(told: Told, network: FakeConnector) -> None:
    network.fails("reply", Uncertain("time-out."))
    told.deliver()
    network.fails("find_own_reply", Unreachable("no answer."), times=99)
    for _ in range(7):
        leases_run_out(told.database)
        told.clock.advance(timedelta(minutes=10))
        line.send_out(told.desk, told.clock.now())
        line.send_out(told.desk, told.clock.now())

    assert told.reply["state"] == "unknown"
    (alert,) = alerts(told.database)
    assert f"social queue settle {told.reply_id} --sent or --not-sent" in alert.message
    assert told.note.startswith("acknowledgement: nobody can tell")
    assert network.calls.count("reply") == 1
    assert told.cap == DUE  # perhaps the customer read it: no second text


@pytest.mark.parametrize("by", [SentBy.ROBOT, SentBy.PERSON])
def test_look_ups_that_fail_do_not_count_against_the_text(told: Told, network: FakeConnector, by: SentBy) -> None:
    """A network is ill for a minute, in which a text is sent and looked up again and again."""
    reply_id = told.reply_id
    if by is SentBy.PERSON:
        told.clock.advance_to(DUE)
        answer = people.answer(told.database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=told.clock.now())
        reply_id = answer.reply_id
    network.fails("reply", Uncertain("503.", over=True))
    network.fails("find_own_reply", Unreachable("no answer."), times=6)
    told.deliver()
    for _ in range(15):
        leases_run_out(told.database)
        line.send_out(told.desk, told.clock.now())
        told.clock.advance(timedelta(minutes=1))

    assert network.calls.count("find_own_reply") == 7
    assert row_of(told.database, ReplyRow, reply_id)["state"] == "sent"
    assert len(network.public_replies) == 1
    assert "broke" not in told.note


def test_it_settles_an_unknown_by_itself_when_the_reply_shows_after_all(told: Told, network: FakeConnector) -> None:
    network.lookup_blind = True
    network.fails("reply", Uncertain("time-out."), after_effect=True)
    told.deliver()
    leases_run_out(told.database)
    assert told.deliver()["state"] == "unknown"

    run_stepped(told.desk, told.clock, until=at("2026-11-20 11:00"))  # a poll sees our own post

    assert (told.reply["state"], told.reply["external_id"]) == ("sent", network.public_replies[0].native_id)
    assert case_of(told.database).state == "open"  # it was the robot's, so a person still answers


def test_nobody_else_is_rung_for_an_unknown_that_showed_by_itself(told: Told, network: FakeConnector) -> None:
    told.desk.on_call = on_call(mail := FakeNotifier(told.clock))
    network.lookup_blind = True
    network.fails("reply", Uncertain("time-out."), after_effect=True)
    told.deliver()
    leases_run_out(told.database)
    assert told.deliver()["state"] == "unknown"
    ringing.ring(told.desk, told.clock.now())
    assert len(mail.arrived) == 1

    run_stepped(told.desk, told.clock, until=at("2026-11-20 12:00"))  # nobody takes the case

    assert told.reply["state"] == "sent"
    assert len([body for body in mail.bodies if f"settle {told.reply_id}" in body]) == 1


@pytest.mark.parametrize("seen", [True, False])
def test_it_takes_a_persons_word_for_an_unknown_answer(told: Told, network: FakeConnector, seen: bool) -> None:
    answer = people.answer(told.database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=told.clock.now())
    network.lookup_blind = True
    network.fails("reply", Uncertain("time-out."))
    told.deliver()
    leases_run_out(told.database)
    told.deliver()
    assert row_of(told.database, ReplyRow, answer.reply_id)["state"] == "unknown"

    people.settle(told.database, answer.reply_id, sent=seen, user=HANNA, now=told.clock.now())

    assert row_of(told.database, ReplyRow, answer.reply_id)["state"] == ("sent" if seen else "refused")
    assert case_of(told.database).state == ("answered" if seen else "taken")
    run_stepped(told.desk, told.clock, until=at("2026-11-20 12:00"))
    assert network.calls.count("reply") == 1


class SlowToAnswer(FakeConnector):
    """The wire takes so long that the lease ends and another process looks the reply up and settles it."""

    meanwhile: Callable[[], object]

    def reply(self, ref: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
        receipt = super().reply(ref, text, key=key, sent_by=sent_by)
        self.meanwhile()
        return receipt


def test_it_records_an_outcome_once_when_two_learn_it(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock
) -> None:
    network = SlowToAnswer(clock)
    told = Told(database, clock, network)
    other = desk_for(new_database(), clock, network)

    def look_up() -> None:
        leases_run_out(database)
        assert line.send_out(other, clock.now())
        assert told.reply["state"] == "sent"

    network.meanwhile = look_up
    assert told.deliver()["state"] == "sent"
    assert len(network.public_replies) == 1
    assert alerts(database) == []


class Hides(SlowToAnswer):
    """It takes long, and does not list the text at first."""

    hidden = True

    def find_own_reply(self, ref: PostRef, text: str, *, key: str) -> Receipt | None:
        found = super().find_own_reply(ref, text, key=key)
        return None if self.hidden else found


@pytest.mark.parametrize("by", [SentBy.ROBOT, SentBy.PERSON])
def test_a_receipt_outweighs_a_look_up_that_saw_nothing(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock, by: SentBy
) -> None:
    network = Hides(clock)
    told = Told(database, clock, network)
    other = desk_for(new_database(), clock, network)
    if by is SentBy.PERSON:
        clock.advance_to(DUE)
        people.answer(database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=clock.now())
    kinds: list[str] = []

    def look_up() -> None:
        leases_run_out(database)
        assert line.send_out(other, clock.now())
        kinds.extend(row.state for row in rows(database, ReplyRow) if row.sent_by == by)

    network.meanwhile = look_up
    told.deliver()
    assert kinds == ["planned"]  # "surely absent"
    assert [row.state for row in rows(database, ReplyRow) if row.sent_by == by] == ["sent"]
    assert told.cap == (DUE if by is SentBy.ROBOT else None)
    for _ in range(30):
        leases_run_out(database)
        clock.advance(timedelta(minutes=2))
        line.send_out(other, clock.now())
    assert network.calls.count("reply") == 1
    assert case_of(database).state == ("open" if by is SentBy.ROBOT else "answered")


def test_a_receipt_of_a_persons_answer_that_was_given_up_meanwhile_ends_the_case(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock
) -> None:
    network = Hides(clock)
    told = Told(database, clock, network)
    clock.advance_to(DUE)
    answer = people.answer(database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=clock.now())
    beside = new_database()

    def gives_up() -> None:
        with beside.write() as session:
            outbox.change_state(session, answer.reply_id, ReplyState.SENDING, ReplyState.REFUSED, reason="absent")

    network.meanwhile = gives_up
    told.deliver()
    assert case_of(database).state == "answered"
    assert row_of(database, ReplyRow, answer.reply_id)["external_id"] == network.public_replies[0].native_id


# --- what breaks every time -------------------------------------------------------------------------------------------


class Broken(FakeConnector):
    """A connector with a mistake in it."""

    def thread(self, ref: PostRef) -> Sequence[FetchedPost]:
        raise KeyError("parent")


@pytest.mark.parametrize("by", [SentBy.ROBOT, SentBy.PERSON])
def test_it_gives_people_a_text_that_broke_every_attempt(database: Database, clock: SteppedClock, by: SentBy) -> None:
    network = Broken(clock)
    told = Told(database, clock, network)
    if by is SentBy.PERSON:
        people.answer(database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=clock.now())
        end_case(told)
    told.desk.leases = Leases(reply=timedelta(0))
    for _ in range(MAXIMUM_ATTEMPTS):
        with pytest.raises(KeyError):
            told.deliver()
    told.deliver()

    assert network.written == []
    assert replies(database)[-1].state == "refused"
    assert case_of(database).state == "open"
    assert "broke the program each time" in (case_of(database).note or "")


def test_it_never_answers_what_was_answered_or_deleted_at_the_last_moment(told: Told, network: FakeConnector) -> None:
    other = network.publishes(post(when=ASKED, by=PIOTR))
    second = remembered(told.database, told.shop, other)
    case(told.database, second)
    planned(told.database, second)
    network.answers_by_hand(told.asked, "Już jedzie.", when=at("2026-11-20 10:39"))
    told.clock.advance_to(DUE)
    network.deletes(other.native_id)
    told.deliver()
    told.deliver()
    assert [row.state for row in replies(told.database)] == ["cancelled", "cancelled"]
    assert network.written == []
    assert [row.text for row in posts(told.database) if row.author_id != 1 and not row.ours] == [""]
