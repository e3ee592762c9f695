"""A newer word of the customer, an access that ended, a network that refuses all we say, a send that never succeeds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from social.domain.assessment import Flag, Urgency
from social.domain.errors import CredentialsExpired, RefusalReason, Refused, Uncertain
from social.domain.post import Author, FetchedPost
from social.domain.reply import ReplyState
from social.engine import line, people, watch
from social.engine.refusals import ABUSE_PAUSE, TOLD_AFTER
from social.engine.schedule import run_stepped
from social.ports import ALLOWED, Verdict
from social.store import control, outbox, profiles
from social.store.tables import PostRow, ReplyRow
from tests.cast import MAREK, PIOTR, at
from tests.engine.looking import rows
from tests.engine.one_text import DUE, WORDS, Told
from tests.factories import case, planned, post, remembered, row_of
from tests.fakes import FakeClassifier, FakeConnector
from tests.story.telling import NETWORK_RULES, alerts, leases_run_out

NEWS = "Zabiję się przez was."


# --- the customer wrote more ------------------------------------------------------------------------------------------


def news(told: Told) -> FetchedPost:
    return post(NEWS, when=at("2026-11-20 10:39"), thread_root=told.asked.thread_root, in_reply_to=told.asked.native_id)


def test_a_text_waits_until_what_the_customer_wrote_meanwhile_is_judged(told: Told, network: FakeConnector) -> None:
    told.desk.classifier = FakeClassifier().judges("Zabiję", urgency=Urgency.CRITICAL, flags={Flag.SELF_HARM})
    more = remembered(told.database, told.shop, network.publishes(news(told)))

    assert told.deliver()["state"] == "planned"
    assert network.calls.count("thread") == 0  # waiting costs the network nothing

    line.work_through(told.desk, told.clock.now())
    assert row_of(told.database, PostRow, more)["state"] == "judged"
    told.clock.advance(timedelta(minutes=2))
    line.send_out(told.desk, told.clock.now())
    assert told.reply["state"] == "cancelled"
    assert network.public_replies == []


def test_what_the_last_look_brings_in_holds_the_text_back_too(told: Told, network: FakeConnector) -> None:
    """The thread shows what no poll has brought yet."""
    network.publishes(news(told))

    assert told.deliver()["state"] == "planned"
    assert [row.state for row in rows(told.database, PostRow)] == ["judged", "new"]
    assert network.public_replies == []


def test_another_customers_news_hold_nothing_back(told: Told, network: FakeConnector) -> None:
    remembered(told.database, told.shop, network.publishes(post(NEWS, when=at("2026-11-20 10:39"), by=PIOTR)))
    assert told.deliver()["state"] == "sent"


def test_what_a_backfill_holds_is_no_news(told: Told) -> None:
    remembered(told.database, told.shop, replace(news(told), created_at=at("2026-11-20 09:00")), history=True)
    assert told.deliver()["state"] == "sent"


# --- an access that ended ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["refresh", "reply"])
def test_an_access_that_ended_is_asked_every_quarter_of_an_hour(told: Told, network: FakeConnector, where: str) -> None:
    people.answer(told.database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=told.clock.now())
    network.fails(where, CredentialsExpired("the password was revoked."), times=99)
    told.clock.advance_to(DUE)
    until = DUE + timedelta(minutes=59)
    asked = 0
    while told.clock.now() < until:
        before = network.calls.count(where)
        line.send_out(told.desk, told.clock.now())
        asked += network.calls.count(where) - before
        told.clock.advance(timedelta(minutes=1))
    assert asked == 5  # and once when its writer is told


# --- the account ------------------------------------------------------------------------------------------------------


def refused(told: Told, network: FakeConnector, reason: RefusalReason, *, number: int) -> None:
    """Another customer's acknowledgement meets a refusal."""
    item = network.publishes(post(f"Gdzie paczka {number}?", when=at("2026-11-20 10:00"), by=someone(number)))
    row = remembered(told.database, told.shop, item)
    case(told.database, row)
    planned(told.database, row, due_at=told.clock.now())
    network.fails("reply", Refused("blocked.", reason=reason))


def someone(number: int) -> Author:
    return Author(native_id=f"somebody-{number}")


def sending(told: Told) -> list[str]:
    return [alert.message for alert in alerts(told.database) if alert.subject.endswith("/sending")]


def test_after_an_abuse_nothing_is_sent_for_an_hour_and_people_are_told(told: Told, network: FakeConnector) -> None:
    told.clock.advance_to(DUE)
    network.fails("reply", Refused("you are posting too much.", reason=RefusalReason.ABUSE))
    told.deliver()
    assert told.reply["state"] == "refused"
    (message,) = sending(told)
    assert "nothing is sent there for an hour" in message

    item = network.publishes(post("A moja?", when=DUE, by=PIOTR))
    waiting = case(told.database, remembered(told.database, told.shop, item))
    people.answer(told.database, NETWORK_RULES, waiting, WORDS, user=MAREK, now=told.clock.now())
    run_stepped(told.desk, told.clock, until=DUE + ABUSE_PAUSE - timedelta(minutes=1))
    assert network.calls.count("reply") == 1
    run_stepped(told.desk, told.clock, until=DUE + ABUSE_PAUSE + timedelta(minutes=5))
    assert [reply.text for reply in network.public_replies] == [WORDS]
    assert sending(told) == []


def test_a_pause_after_abuse_does_not_keep_a_doubtful_text_from_being_looked_up(
    told: Told, network: FakeConnector
) -> None:
    told.clock.advance_to(DUE)
    network.fails("reply", Uncertain("time-out."), after_effect=True)
    told.deliver()
    with told.database.write() as session:
        profiles.record_pause(session, told.shop.id, "write", DUE + ABUSE_PAUSE, now=DUE)
    leases_run_out(told.database)
    line.send_out(told.desk, told.clock.now())
    assert told.reply["state"] == "sent"


def test_several_refusals_for_want_of_a_permission_are_told_and_one_is_not(told: Told, network: FakeConnector) -> None:
    told.clock.advance_to(DUE)
    outbox_is_empty(told)
    for number in range(TOLD_AFTER):
        assert sending(told) == []
        refused(told, network, RefusalReason.PERMISSION, number=number)
        line.send_out(told.desk, told.clock.now())
    (message,) = sending(told)
    assert f"{TOLD_AFTER} replies in a row" in message


def test_a_post_that_may_not_be_answered_is_no_affair_of_the_account(told: Told, network: FakeConnector) -> None:
    told.clock.advance_to(DUE)
    outbox_is_empty(told)
    for number in range(TOLD_AFTER + 1):
        refused(told, network, RefusalReason.BLOCKED, number=number)
        line.send_out(told.desk, told.clock.now())
    assert sending(told) == []


def outbox_is_empty(told: Told) -> None:
    with told.database.write() as session:
        outbox.cancel_planned(session, now=told.clock.now(), reason="a test", post_id=told.post_id)


# --- a send that never succeeds ---------------------------------------------------------------------------------------


def test_an_answer_that_is_never_accepted_is_told_of_and_tried_less_and_less(
    told: Told, network: FakeConnector
) -> None:
    """The post breaks with a 503, the look-up finds it absent, again and again."""
    people.answer(told.database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=told.clock.now())
    network.fails("reply", Uncertain("503.", over=True), times=999)
    until = told.clock.now() + timedelta(hours=2)
    while told.clock.now() < until:
        line.send_out(told.desk, told.clock.now())
        leases_run_out(told.database)
        watch.look_around(told.desk, told.clock.now())
        told.clock.advance(timedelta(seconds=10))
    assert network.calls.count("reply") <= 2 * 60 + 10
    (alert,) = [alert for alert in alerts(told.database) if alert.kind == "late-answer"]
    assert alert.raised_at <= at("2026-11-20 11:02")

    network._faults["reply"].clear()
    for _ in range(4):
        told.clock.advance(timedelta(minutes=2))
        leases_run_out(told.database)
        line.send_out(told.desk, told.clock.now())
    assert [reply.text for reply in network.public_replies] == [WORDS]
    assert [alert for alert in alerts(told.database) if alert.kind == "late-answer"] == []


@pytest.mark.parametrize("paused", [False, True])
def test_an_answer_on_a_profile_that_cannot_be_opened_is_told_of(told: Told, paused: bool) -> None:
    people.answer(told.database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=told.clock.now())
    told.desk.profiles = {}
    if paused:
        with told.database.write() as session:
            control.pause(session, by=MAREK, now=told.clock.now())

    assert late_answers(told, at("2026-11-20 10:59")) == []
    assert late_answers(told, at("2026-11-20 11:01")) == ([] if paused else [told.case_id])
    assert late_answers(told, at("2026-11-20 11:11")) == ([] if paused else [told.case_id])


def test_an_answer_that_waited_through_a_long_pause_is_no_late_one_when_it_ends(told: Told) -> None:
    people.answer(told.database, NETWORK_RULES, told.case_id, WORDS, user=MAREK, now=told.clock.now())
    assert late_answers(told, at("2026-11-20 15:00")) == []


def late_answers(told: Told, now: datetime) -> list[int | None]:
    watch.look_around(told.desk, now)
    return [alert.escalation_id for alert in alerts(told.database) if alert.kind == "late-answer"]


def test_a_text_that_came_too_late_while_its_thread_was_read_is_noted_in_the_case(
    told: Told, network: FakeConnector
) -> None:
    """Its last moment passed between the look and the intent."""
    told.clock.advance_to(DUE)
    end = told.reply["not_after"]
    assert isinstance(end, datetime)

    def slow(_: object) -> Verdict:
        told.clock.advance_to(end + timedelta(seconds=1))
        return ALLOWED

    network.can_reply = slow  # type: ignore[method-assign]
    line.send_out(told.desk, told.clock.now())
    assert told.reply["state"] == "late"
    assert "its time passed" in told.note


def test_a_text_that_was_given_up_and_is_public_all_the_same_was_the_automatic_one(
    told: Told, network: FakeConnector
) -> None:
    """The look-up called it absent too early; then it was cancelled; then it shows."""
    network.fails("reply", Uncertain("time-out."), after_effect=True)
    told.deliver()
    with told.database.write() as session:
        row = session.get_one(ReplyRow, told.reply_id)
        outbox.change_state(session, told.reply_id, ReplyState.SENDING, ReplyState.PLANNED)
        outbox.release_cap(session, row)
        outbox.cancel_planned(session, now=DUE, reason="a test", post_id=told.post_id)
    assert told.cap is None
    line.take_in(told.desk, told.clock.now())
    assert told.reply["external_id"] == network.public_replies[0].native_id
    assert told.cap == DUE
