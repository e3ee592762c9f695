"""What becomes of a reply: at most once in public."""

from __future__ import annotations

from itertools import product

import pytest

from responders.delivery import (
    AGAINST_THE_ROBOT,
    FROM_OUTSIDE,
    STEPS,
    Consequence,
    Event,
    advance,
    event_of,
)
from social.clock import machine_now
from social.domain.errors import (
    CannotTell,
    ConnectorError,
    CredentialsExpired,
    RateLimited,
    RefusalReason,
    Refused,
    Uncertain,
    Unreachable,
)
from social.domain.reply import ReplyState, SentBy, may_follow


def after(*events: Event, sent_by: SentBy = SentBy.ROBOT) -> ReplyState:
    state = ReplyState.PLANNED
    for event in events:
        state = advance(state, event, sent_by=sent_by).state
    return state


@pytest.mark.parametrize(
    ("events", "end"),
    [
        ([Event.DUE, Event.PUBLISHED], ReplyState.SENT),
        ([Event.DUE, Event.REFUSED], ReplyState.REFUSED),
        ([Event.DUE, Event.UNCERTAIN, Event.FOUND], ReplyState.SENT),
        ([Event.DUE, Event.UNCERTAIN, Event.ABSENT, Event.DUE, Event.PUBLISHED], ReplyState.SENT),
        ([Event.DUE, Event.UNCERTAIN, Event.CANNOT_TELL], ReplyState.UNKNOWN),
        ([Event.DUE, Event.CANNOT_TELL, Event.FOUND], ReplyState.SENT),
        ([Event.DUE, Event.CANNOT_TELL, Event.PERSON_SAW_IT], ReplyState.SENT),
        ([Event.DUE, Event.CANNOT_TELL, Event.PERSON_MISSED_IT], ReplyState.REFUSED),
        ([Event.DUE, Event.NOT_ACCEPTED, Event.TOO_LATE], ReplyState.LATE),
        ([Event.DUE, Event.NOT_ACCEPTED, Event.ANSWERED], ReplyState.CANCELLED),
        ([Event.DUE_IN_DRY_RUN], ReplyState.WOULD_HAVE_SENT),
        ([Event.ANSWERED], ReplyState.CANCELLED),
        ([Event.DELETED], ReplyState.CANCELLED),
        ([Event.OPTED_OUT], ReplyState.CANCELLED),
        ([Event.SILENCED], ReplyState.CANCELLED),
        ([Event.FACT_STALE], ReplyState.CANCELLED),
        ([Event.TOO_LATE], ReplyState.LATE),
        ([Event.NOT_PERMITTED], ReplyState.REFUSED),
    ],
)
def test_it_goes_the_way_that_is_drawn(events: list[Event], end: ReplyState) -> None:
    assert after(*events) is end


def test_every_step_is_one_that_the_states_allow_and_says_why() -> None:
    for (state, _), step in STEPS.items():
        assert step.state is state or may_follow(state, step.state)
        assert step.reason


def test_an_unknown_outcome_never_leads_to_another_attempt() -> None:
    reached = {ReplyState.UNKNOWN}
    for state, event in product(ReplyState, Event):
        if state in reached and (state, event) in STEPS:
            reached.add(STEPS[state, event].state)
    assert not reached & {ReplyState.PLANNED, ReplyState.SENDING}
    assert advance(ReplyState.UNKNOWN, Event.ABSENT).state is ReplyState.UNKNOWN


@pytest.mark.parametrize("event", sorted(FROM_OUTSIDE))
def test_news_from_outside_comes_too_late_once_the_text_is_on_its_way(event: Event) -> None:
    for state in set(ReplyState) - {ReplyState.PLANNED}:
        assert advance(state, event).state is state


def test_the_wire_says_nothing_about_a_reply_that_was_never_sent() -> None:
    for state, event in product(
        (ReplyState.CANCELLED, ReplyState.LATE, ReplyState.WOULD_HAVE_SENT), (Event.DUE, Event.PUBLISHED)
    ):
        with pytest.raises(ValueError, match="cannot happen"):
            advance(state, event)
    with pytest.raises(ValueError, match="cannot happen"):
        advance(ReplyState.SENDING, Event.DUE)  # two workers, one reply


@pytest.mark.parametrize("event", sorted(AGAINST_THE_ROBOT))
def test_a_persons_answer_is_not_stopped_by_what_stops_the_robot(event: Event) -> None:
    assert after(event, Event.DUE, Event.PUBLISHED, sent_by=SentBy.PERSON) is ReplyState.SENT


def test_a_persons_answer_is_stopped_by_a_deletion_and_by_the_platform() -> None:
    assert after(Event.DELETED, sent_by=SentBy.PERSON) is ReplyState.CANCELLED
    assert after(Event.NOT_PERMITTED, sent_by=SentBy.PERSON) is ReplyState.REFUSED


def test_a_persons_answer_is_really_sent_in_dry_run() -> None:
    with pytest.raises(ValueError, match="really sent"):
        advance(ReplyState.PLANNED, Event.DUE_IN_DRY_RUN, sent_by=SentBy.PERSON)


def test_people_hear_of_every_text_that_the_customer_did_not_get() -> None:
    for state, event, consequence in [
        (ReplyState.PLANNED, Event.TOO_LATE, Consequence.ESCALATE),
        (ReplyState.PLANNED, Event.NOT_PERMITTED, Consequence.ESCALATE),
        (ReplyState.SENDING, Event.REFUSED, Consequence.ESCALATE),
        (ReplyState.SENDING, Event.CANNOT_TELL, Consequence.ESCALATE),
        (ReplyState.PLANNED, Event.FACT_STALE, Consequence.DECIDE_AGAIN),
        (ReplyState.PLANNED, Event.ANSWERED, Consequence.NOTHING),
        (ReplyState.SENDING, Event.PUBLISHED, Consequence.NOTHING),
    ]:
        assert advance(state, event).consequence is consequence


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (Refused("no", reason=RefusalReason.BLOCKED), Event.REFUSED),
        (RateLimited("slow", until=machine_now()), Event.NOT_ACCEPTED),
        (CredentialsExpired("old"), Event.NOT_ACCEPTED),
        (Unreachable("down"), Event.NOT_ACCEPTED),
        (Uncertain("time-out"), Event.UNCERTAIN),
        (CannotTell("perhaps"), Event.CANNOT_TELL),
        (ConnectorError("something new"), Event.UNCERTAIN),
    ],
)
def test_an_error_that_is_not_understood_is_uncertain(error: ConnectorError, event: Event) -> None:
    assert event_of(error) is event
