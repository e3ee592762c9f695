"""compose, and into the outbox: the text is chosen once, read by the guard, and sent byte-identical or not at all."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlmodel import Session

from responders import compose, guard
from social.domain.assessment import Assessment
from social.domain.decision import Decision, PlannedReply
from social.domain.incident import Statement
from social.domain.post import ProfileMode
from social.domain.reply import Composed, ReplyKind, SentBy
from social.engine.desk import LiveProfile
from social.engine.recording import Recording
from social.store import outbox
from social.store.journal import ROBOT, note
from social.store.recall import RecalledPost

log = logging.getLogger("social.judge")


def plan(
    session: Session,
    recording: Recording,
    live: LiveProfile,
    post: RecalledPost,
    decision: Decision,
    planned: PlannedReply,
    assessment: Assessment,
    statement: Statement | None,
    now: datetime,
) -> str:
    """``statement`` is what a person approved for this customer, where there is a crisis. Returns what to add to the log
    line."""
    approved = statement if planned.kind is ReplyKind.HOLDING else None
    composed = _approved(approved) if approved else _composed(session, recording, live, post, planned, assessment)
    if composed is None:
        note(session, at=now, actor=ROBOT, verb="found no text", subject="post", subject_id=post.id)
        return ", no fitting text"
    problems = guard.check(
        composed.text,
        rules=live.connector.reply_rules,
        sent_by=SentBy.ROBOT,
        formal=decision.formal,
        private_channel=live.connector.capabilities.private_channel,
        private=post.post.private,
    )
    if problems:
        log.error("the guard stopped the text %s: %s", composed.variant, "; ".join(str(item) for item in problems))
        return ", the guard stopped the text"
    _into_the_outbox(session, recording, post, planned, composed, decision, now)
    rehearsed = "would be " if live.mode is ProfileMode.DRY_RUN else ""
    return f", {planned.kind.value} {rehearsed}due {planned.due_at.astimezone(live.calendar.timezone):%a %H:%M}"


def _approved(statement: Statement) -> Composed:
    return Composed(text=statement.text, language=statement.language, variant=f"statement-{statement.id}")


def _composed(
    session: Session,
    recording: Recording,
    live: LiveProfile,
    post: RecalledPost,
    planned: PlannedReply,
    assessment: Assessment,
) -> Composed | None:
    return compose.compose(
        planned.kind,
        language=assessment.language,
        brand=live.brand,
        at=planned.due_at,
        timezone=live.calendar.timezone,
        rules=live.connector.reply_rules,
        complaint=planned.complaint,
        opening=planned.opening,
        closing=planned.closing,
        recent_variants=recording.recent_variants(session, post.profile_id),
        private=post.post.private,
        fallback_language=live.languages[0],
    )


def _into_the_outbox(
    session: Session,
    recording: Recording,
    post: RecalledPost,
    planned: PlannedReply,
    composed: Composed,
    decision: Decision,
    now: datetime,
) -> None:
    if post.planned:
        outbox.cancel_planned(
            session,
            now=now,
            reason=f"replaced by a {planned.kind.value}",
            conversation_id=post.conversation_id,
            sent_by=SentBy.ROBOT,
        )
    recording.plans(
        outbox.NewReply(
            brand_id=post.brand_id,
            profile_id=post.profile_id,
            conversation_id=post.conversation_id,
            post_id=post.id,
            author_id=post.author_id,
            kind=ReplyKind(planned.kind),
            sent_by=SentBy.ROBOT,
            composed=composed,
            due_at=planned.due_at,
            not_after=planned.not_after,
            urgency=decision.urgency,
        )
    )
