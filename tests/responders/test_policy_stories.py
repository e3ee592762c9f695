"""Rows 10 and 11 as customers live them: when the automatic text comes, if it comes."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from responders.policy import decide
from social.domain.assessment import Flag, Sentiment, Urgency
from social.domain.decision import ConversationFacts, Decision, PlannedReply
from social.domain.hours import BusinessCalendar, parse_weekly
from social.domain.reply import ReplyKind
from tests.responders.situations import (
    ALWAYS,
    NEVER,
    OFFICE,
    WARSAW,
    assessment,
    customer_post,
    snapshot,
    warsaw,
)

MINUTE = timedelta(minutes=1)


def planned(decision: Decision) -> PlannedReply:
    assert decision.reply is not None, decision.reason
    return decision.reply


def acknowledged_at(posted: str, *, seen: str | None = None, **changes: object) -> datetime:
    """When the acknowledgement of a post of ``posted`` is due if the robot decides at ``seen``."""
    at = warsaw(posted)
    reply = planned(decide(snapshot(at, **changes), warsaw(seen) if seen else at + MINUTE))  # type: ignore[arg-type]
    assert reply.kind is ReplyKind.ACKNOWLEDGEMENT
    assert reply.not_after == at + timedelta(minutes=60)
    return reply.due_at


def test_a_question_at_noon_is_acknowledged_forty_minutes_later_unless_a_person_is_quicker() -> None:
    assert acknowledged_at("2027-01-08 12:00") == warsaw("2027-01-08 12:40")


@pytest.mark.parametrize("urgency", [Urgency.CRITICAL, Urgency.HIGH])
def test_an_urgent_one_is_acknowledged_after_five_minutes(urgency: Urgency) -> None:
    due = acknowledged_at("2027-01-08 12:00", judged=assessment(urgency=urgency))
    assert due == warsaw("2027-01-08 12:05")


def test_friday_1645_is_acknowledged_in_the_last_open_minute_and_not_on_monday() -> None:
    assert acknowledged_at("2027-01-08 16:45") == warsaw("2027-01-08 16:59")


def test_within_the_last_open_minute_it_is_acknowledged_at_once() -> None:
    seen = warsaw("2027-01-08 16:59") + timedelta(seconds=30)
    assert planned(decide(snapshot(warsaw("2027-01-08 16:58")), seen)).due_at == seen


def test_a_break_at_noon_moves_it_behind_the_break_or_before_it() -> None:
    short = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon-fri": ["09:00-13:00", "13:15-17:00"]}))
    long = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon-fri": ["09:00-13:00", "14:00-17:00"]}))
    assert acknowledged_at("2027-01-08 12:30", calendar=short) == warsaw("2027-01-08 13:15")
    assert acknowledged_at("2027-01-08 12:30", calendar=long) == warsaw("2027-01-08 12:59")


def test_a_post_that_arrives_late_but_within_its_hour_is_acknowledged_now() -> None:
    assert acknowledged_at("2027-01-08 12:00", seen="2027-01-08 12:55") == warsaw("2027-01-08 12:55")


def test_after_an_hour_it_is_too_late_to_acknowledge_and_people_are_told_so() -> None:
    decision = decide(snapshot(warsaw("2027-01-08 12:00")), warsaw("2027-01-08 13:01"))
    assert (decision.escalate, decision.reply) == (True, None)
    assert "too late to acknowledge" in decision.reason


def test_a_desk_that_never_closes_acknowledges_at_night() -> None:
    assert acknowledged_at("2027-01-09 03:00", calendar=ALWAYS) == warsaw("2027-01-09 03:40")


def test_monday_0830_gets_one_truthful_notice_while_the_door_is_closed() -> None:
    posted = warsaw("2027-01-11 08:30")
    decision = decide(snapshot(posted), posted + MINUTE)
    notice = planned(decision)
    assert (notice.kind, notice.opening) == (ReplyKind.CLOSED_NOTICE, warsaw("2027-01-11 09:00"))
    assert posted + 2 * MINUTE <= notice.due_at <= posted + 5 * MINUTE
    assert notice.not_after == posted + timedelta(minutes=60)
    assert decision.decide_again_at is None


def test_monday_0830_without_notices_is_decided_again_at_nine_and_acknowledged_at_ten_past() -> None:
    posted, opening = warsaw("2027-01-11 08:30"), warsaw("2027-01-11 09:00")
    first = decide(snapshot(posted, closed_notice=False), posted + MINUTE)
    assert (first.rule, first.reply, first.decide_again_at) == ("closed", None, opening)

    again = decide(snapshot(posted, closed_notice=False), opening)
    assert (again.rule, planned(again).due_at) == ("open", warsaw("2027-01-11 09:10"))


def test_a_notice_that_got_out_is_not_followed_by_an_acknowledgement_at_opening() -> None:
    posted, opening = warsaw("2027-01-11 08:30"), warsaw("2027-01-11 09:00")
    told = ConversationFacts(
        waiting_since=posted, noticed=True, last_automated_at=posted + 2 * MINUTE, automatic_replies=1
    )
    assert decide(snapshot(posted, conversation=told), opening).reply is None


def test_a_minute_before_opening_no_notice_says_that_we_are_closed() -> None:
    posted = warsaw("2027-01-11 08:58")
    decision = decide(snapshot(posted), posted + timedelta(seconds=30))
    assert (decision.reply, decision.decide_again_at) == (None, warsaw("2027-01-11 09:00"))


def test_friday_evening_is_told_about_monday_and_christmas_about_the_working_day_after_it() -> None:
    friday, eve = warsaw("2027-01-08 20:00"), warsaw("2026-12-23 20:00")
    assert planned(decide(snapshot(friday), friday)).opening == warsaw("2027-01-11 09:00")
    assert planned(decide(snapshot(eve), eve)).opening == warsaw("2026-12-28 09:00")


def test_without_notices_a_night_post_waits_for_people_in_silence() -> None:
    night = warsaw("2027-01-08 23:00")
    decision = decide(snapshot(night, closed_notice=False), night)
    assert (decision.escalate, decision.reply, decision.decide_again_at) == (True, None, None)


def test_no_notice_names_an_opening_that_is_not_in_the_calendar() -> None:
    night = warsaw("2027-01-08 23:00")
    decision = decide(snapshot(night, calendar=NEVER), night)
    assert (decision.escalate, decision.reply) == (True, None)
    assert "no opening" in decision.reason


def test_no_notice_goes_out_an_hour_after_the_post() -> None:
    night = warsaw("2027-01-08 23:00")
    decision = decide(snapshot(night), night + timedelta(minutes=61))
    assert (decision.escalate, decision.reply) == (True, None)
    assert "too late" in decision.reason


def test_a_second_message_two_minutes_later_joins_the_contact_and_moves_nothing() -> None:
    first = warsaw("2027-01-08 12:00")
    joined = ConversationFacts(waiting_since=first, automated_pending=True, acknowledged=True)
    decision = decide(snapshot(first + 2 * MINUTE, conversation=joined), first + 3 * MINUTE)
    assert (decision.escalate, decision.reply, decision.urgency) == (True, None, Urgency.NORMAL)
    assert "joins the contact" in decision.reason


def test_a_contact_is_timed_from_its_first_message() -> None:
    first = warsaw("2027-01-08 12:00")
    second = snapshot(first + timedelta(minutes=20), waiting_since=first)
    assert planned(decide(second, first + timedelta(minutes=21))).due_at == first + timedelta(minutes=40)


@pytest.mark.parametrize(("hours", "text_again"), [(23, False), (25, True)])
def test_a_conversation_gets_at_most_one_automatic_text_a_day(hours: int, text_again: bool) -> None:
    at = warsaw("2027-01-08 12:00")
    earlier = ConversationFacts(waiting_since=at, last_automated_at=at - timedelta(hours=hours), automatic_replies=1)
    decision = decide(snapshot(at, conversation=earlier), at)
    assert (decision.reply is not None) is text_again
    assert text_again or "24 hours" in decision.reason


def test_a_confident_complaint_gets_the_words_for_complaints() -> None:
    noon, night = warsaw("2027-01-08 12:00"), warsaw("2027-01-08 23:00")
    angry = assessment(sentiment=Sentiment.NEGATIVE)
    assert planned(decide(snapshot(noon, judged=angry), noon)).complaint
    assert planned(decide(snapshot(night, judged=angry), night)).complaint


def test_an_acknowledgement_carries_the_closing_that_it_must_be_sent_before() -> None:
    at = warsaw("2027-01-08 16:45")
    assert planned(decide(snapshot(at), at)).closing == warsaw("2027-01-08 17:00")


def test_a_formal_complaint_at_night_gets_the_notice_and_its_own_deadline() -> None:
    night = warsaw("2027-01-08 23:00")
    decision = decide(snapshot(night, judged=assessment(flags={Flag.FORMAL})), night)
    assert decision.formal
    assert planned(decision).kind is ReplyKind.CLOSED_NOTICE


def test_a_private_message_is_served_like_a_public_one() -> None:
    at = warsaw("2027-01-08 12:00")
    private = snapshot(at, post=customer_post(at, private=True, summoned=False))
    assert planned(decide(private, at)).due_at == at + timedelta(minutes=40)


def test_the_missing_hour_of_march_takes_nothing_from_the_customers_hour() -> None:
    night_desk = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon-sun": "22:00-06:00"}))
    posted = warsaw("2027-03-28 01:30")
    reply = planned(decide(snapshot(posted, calendar=night_desk), posted))
    assert reply.due_at == warsaw("2027-03-28 03:10")
    assert OFFICE.is_open(reply.due_at) is False
