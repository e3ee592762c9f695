"""What must hold for every snapshot there can be, not only for those that we thought of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from responders.policy import decide
from responders.snapshot import Snapshot
from social.domain.assessment import NOBODY_FLAGS, SILENT_FLAGS, Assessment, Flag, Head, Sentiment, Urgency
from social.domain.decision import AuthorFacts, ConversationFacts, Outcome, PlannedReply
from social.domain.hours import BusinessCalendar, parse_weekly
from social.domain.post import PostKind, ProfileMode
from social.domain.reply import ReplyKind
from social.ports import ALLOWED, Permission, Verdict
from tests.responders.situations import (
    ALWAYS,
    FREE_RULES,
    NEVER,
    OFFICE,
    STRICT_RULES,
    WARSAW,
    assessment,
    customer_post,
    snapshot,
)

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SHIFTS = BusinessCalendar(
    timezone=WARSAW, weekly=parse_weekly({"mon-fri": ["08:00-12:00", "12:30-16:00"], "sat,sun": "22:00-06:00"})
)

# Often harmless, so that the rows far down are reached as well as those at the top.
rarely = st.integers(0, 5).map(lambda drawn: drawn == 0)
judgements: st.SearchStrategy[Assessment] = st.builds(
    assessment,
    urgency=st.sampled_from(Urgency),
    sentiment=st.sampled_from(Sentiment),
    needs_reply=rarely.map(lambda drawn: not drawn),
    flags=st.one_of(st.just(frozenset[Flag]()), st.frozensets(st.sampled_from(Flag), max_size=3)),
    abstained=st.one_of(st.just(frozenset[Head]()), st.frozensets(st.sampled_from(Head), max_size=2)),
)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Snapshot, datetime]:
    posted = datetime(2027, 1, 1, tzinfo=UTC) + MINUTE * draw(st.integers(0, 365 * 24 * 60))
    since = posted - MINUTE * draw(st.one_of(st.just(0), st.integers(0, 180)))
    seen = posted + timedelta(seconds=draw(st.one_of(st.integers(0, 600), st.integers(0, 3 * 3600))))
    automated_ago = draw(st.one_of(st.none(), st.integers(1, 60)))
    conversation = ConversationFacts(
        waiting_since=since,
        last_automated_at=None if automated_ago is None else since - HOUR * automated_ago,
        automated_pending=draw(rarely),
        noticed=draw(rarely),
        acknowledged=draw(rarely),
        handed_over=draw(rarely),
        silenced=draw(rarely),
        person_acting=draw(rarely),
        automatic_replies=draw(st.integers(0, 2)),
    )
    drawn = snapshot(
        posted,
        judged=draw(judgements),
        post=customer_post(
            posted,
            kind=draw(st.sampled_from([PostKind.MENTION, PostKind.COMMENT, PostKind.DIRECT, PostKind.MENTION])),
            summoned=draw(rarely.map(lambda no: not no)),
            private=draw(rarely),
            ours=draw(rarely),
            history=draw(rarely),
            answered=draw(rarely),
            answered_since=draw(rarely),
            after_gap=draw(rarely),
            gap_cleared=draw(st.booleans()),
        ),
        conversation=conversation,
        author=AuthorFacts(
            is_bot=draw(rarely), opted_out=draw(rarely), automatic_replies_last_hour=draw(st.integers(0, 4))
        ),
        mode=draw(st.sampled_from([ProfileMode.ACKNOWLEDGE, ProfileMode.DRY_RUN, ProfileMode.OFF])),
        closed_notice=draw(st.booleans()),
        crisis=draw(rarely),
        holding=draw(st.booleans()),
        calendar=draw(st.sampled_from([OFFICE, OFFICE, SHIFTS, ALWAYS, NEVER])),
        rules=draw(st.sampled_from([FREE_RULES, STRICT_RULES])),
        network=draw(st.sampled_from([ALLOWED, ALLOWED, ALLOWED, Verdict(permission=Permission.OPEN_IN_APP)])),
    )
    return drawn, seen


def planned(situation: tuple[Snapshot, datetime]) -> PlannedReply | None:
    return decide(*situation).reply


many = settings(max_examples=150, deadline=None)


@many
@given(situations())
def test_an_acknowledgement_is_only_planned_for_an_open_minute(situation: tuple[Snapshot, datetime]) -> None:
    reply = planned(situation)
    if reply is not None and reply.kind is ReplyKind.ACKNOWLEDGEMENT:
        assert situation[0].calendar.is_open(reply.due_at)


@many
@given(situations())
def test_a_closed_notice_is_only_planned_for_a_closed_minute_and_names_the_next_opening(
    situation: tuple[Snapshot, datetime],
) -> None:
    reply = planned(situation)
    if reply is not None and reply.kind is ReplyKind.CLOSED_NOTICE:
        calendar = situation[0].calendar
        assert situation[0].profile.closed_notice
        assert not calendar.is_open(reply.due_at)
        assert calendar.next_opening(reply.due_at) == reply.opening


@many
@given(situations())
def test_no_automatic_text_is_due_in_the_past_or_after_the_hour(situation: tuple[Snapshot, datetime]) -> None:
    reply = planned(situation)
    if reply is not None:
        seen, post = situation[1], situation[0].post
        began = post.created_at if reply.kind is ReplyKind.HAND_OVER else situation[0].conversation.waiting_since
        assert seen <= reply.due_at <= reply.not_after == began + HOUR


@many
@given(situations())
def test_a_conversation_never_gets_two_texts_a_hand_over_excepted(situation: tuple[Snapshot, datetime]) -> None:
    reply = planned(situation)
    if reply is not None:
        conversation, rules = situation[0].conversation, situation[0].rules
        assert not conversation.handed_over
        limit = rules.automatic_replies_per_interaction
        assert limit is None or conversation.automatic_replies < limit
        if reply.kind is not ReplyKind.HAND_OVER:
            assert not (conversation.automated_pending or conversation.acknowledged or conversation.noticed)
            last = conversation.last_automated_at
            assert last is None or situation[1] - last >= 24 * HOUR


@many
@given(situations())
def test_the_robot_says_nothing_where_it_must_be_silent(situation: tuple[Snapshot, datetime]) -> None:
    view = situation[0]
    must_be_silent = (
        bool(view.assessment.flags & (SILENT_FLAGS | NOBODY_FLAGS | {Flag.OPT_OUT}))
        or view.post.ours
        or view.post.history
        or (view.post.after_gap and not view.post.gap_cleared)
        or view.author.is_bot
        or view.author.opted_out
        or view.conversation.silenced
        or view.conversation.person_acting
        or bool(view.assessment.abstained & {Head.LANGUAGE, Head.FLAGS})
        or view.profile.mode is ProfileMode.OFF
        or not view.network.allowed
        or view.author.automatic_replies_last_hour >= view.limits.per_author_an_hour
    )
    if must_be_silent:
        assert planned(situation) is None


@many
@given(situations())
def test_in_a_crisis_the_robot_says_what_a_person_approved_and_nothing_else_but_a_hand_over(
    situation: tuple[Snapshot, datetime],
) -> None:
    reply, profile = planned(situation), situation[0].profile
    if reply is not None and reply.kind is not ReplyKind.HAND_OVER:
        assert (reply.kind is ReplyKind.HOLDING) is profile.crisis
        assert profile.holding or not profile.crisis


@many
@given(situations())
def test_nobody_who_needs_a_person_is_lost(situation: tuple[Snapshot, datetime]) -> None:
    view, decision = situation[0], decide(*situation)
    human = not (view.post.ours or view.author.is_bot or NOBODY_FLAGS & view.assessment.flags)
    if view.post.answered:
        assert decision.reply is None
    answered_later = view.post.answered_since and not view.assessment.urgency.at_least(Urgency.HIGH)
    needs = view.assessment.needs_reply or view.assessment.urgency.at_least(Urgency.HIGH)
    if human and needs and not (view.post.answered or answered_later):
        assert decision.escalate
        fresh = not view.post.history
        assert decision.alert or view.assessment.urgency is not Urgency.CRITICAL or not fresh
    if decision.outcome is Outcome.IGNORED:
        assert (decision.reply, decision.alert, decision.decide_again_at) == (None, False, None)


@many
@given(situations())
def test_stop_is_always_heard(situation: tuple[Snapshot, datetime]) -> None:
    view, decision = situation[0], decide(*situation)
    if Flag.OPT_OUT in view.assessment.flags and not view.post.ours:
        assert (decision.opt_out, decision.silence, decision.reply) == (True, True, None)


@many
@given(situations())
def test_the_same_facts_give_the_same_decision_and_a_second_look_comes_at_an_opening(
    situation: tuple[Snapshot, datetime],
) -> None:
    decision = decide(*situation)
    assert decide(*situation) == decision
    assert decision.reason
    if decision.decide_again_at is not None:
        assert decision.reply is None
        assert decision.decide_again_at > situation[1]
        assert situation[0].calendar.is_open(decision.decide_again_at)
