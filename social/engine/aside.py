"""What cannot be worked on goes to people, in the same transaction that sets it aside: nothing ends in silence."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlmodel import Session

from social.domain.assessment import Urgency
from social.domain.decision import Outcome
from social.domain.reply import ReplyState, SentBy
from social.store import escalations
from social.store.tables import Claimable, EscalationRow, NotificationRow, PostRow, ReplyRow

#: Said of rows that were claimed again and again and never finished: the process died, or the step raised, each time.
POISON = "broke the program each time it was tried"


def show_poison(session: Session, table: type[Claimable], ids: Collection[int], *, now: datetime) -> None:
    """Rows of ``table`` were set aside as poison: give people the case, or the reason in the case that is there."""
    for row_id in ids:
        row = session.get(table, row_id)
        if isinstance(row, PostRow):
            row.outcome, row.reason = Outcome.ESCALATED.value, f"failed: {POISON}"
            session.add(row)
            open_case_of_post(session, row, POISON, now=now)
        elif isinstance(row, ReplyRow):
            row.reason = POISON
            session.add(row)
            _note_reply(session, row, now=now)
        elif isinstance(row, NotificationRow):
            row.subject = row.body = ""  # words are kept no longer than they are needed
            session.add(row)


def open_case_of_post(session: Session, row: PostRow, reason: str, *, now: datetime) -> None:
    """``reason`` goes on after "this post"."""
    escalations.open_or_join(
        session,
        escalations.NewCase(
            brand_id=row.brand_id,
            profile_id=row.profile_id,
            conversation_id=row.conversation_id,
            post_id=row.id or 0,
            urgency=Urgency.HIGH,
            rule="failed",
            reason=f"this post {reason}; read it in the network's own app if it looks empty",
            waiting_since=row.created_at,
        ),
        now=now,
    )


def case_of_reply(
    session: Session, row: ReplyRow, reason: str, *, state: ReplyState, now: datetime
) -> EscalationRow | None:
    """The waiting case in which people read that a reply ended as ``state``. One is opened for a person's answer and for what
    is doubtful; ``None`` for a text of the robot's that nobody waits for."""
    case = escalations.waiting_case(session, row.conversation_id)
    if case is not None or (row.sent_by == SentBy.ROBOT.value and state is not ReplyState.UNKNOWN):
        return case
    post = session.get_one(PostRow, row.post_id)
    opened = escalations.open_or_join(
        session,
        escalations.NewCase(
            brand_id=row.brand_id,
            profile_id=row.profile_id,
            conversation_id=row.conversation_id,
            post_id=row.post_id,
            urgency=Urgency.HIGH,
            rule=f"reply-{state.value}",
            reason=reason,
            waiting_since=post.created_at,
        ),
        now=now,
    )
    return session.get_one(EscalationRow, opened)


def _note_reply(session: Session, row: ReplyRow, *, now: datetime) -> None:
    case = escalations.waiting_case(session, row.conversation_id)
    if case is None and row.sent_by == SentBy.PERSON.value:
        post = session.get(PostRow, row.post_id)
        assert post is not None
        open_case_of_post(session, post, "has an answer that could not be sent", now=now)
        case = escalations.waiting_case(session, row.conversation_id)
    if case is not None:
        case.note = f"{row.kind}: not sent, it {POISON}"
        session.add(case)
