"""What a profile in dry-run would have said, to whom, and who got no answer at all meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session

from social.domain.reply import ReplyKind, ReplyState
from social.store.queue import excerpt
from social.store.rows import c
from social.store.tables import AuthorRow, ConversationRow, PostRow, ProfileRow, ReplyRow
from social.store.threads import name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """One text that was never sent. ``excerpt`` is empty where the customer deleted the post."""

    at: datetime
    kind: ReplyKind
    author: str
    excerpt: str
    text: str
    permalink: str | None
    conversation_id: int
    answered_at: datetime | None  # by a person, after the customer's post


def rehearsed(session: Session, profile_id: int, *, since: datetime) -> list[Rehearsed]:
    """Replies that would have been sent since, oldest first."""
    replies = c(ReplyRow)
    rows = session.execute(
        select(ReplyRow, PostRow, AuthorRow, c(ConversationRow).person_answered_at)
        .join(PostRow, c(PostRow).id == replies.post_id)
        .join(AuthorRow, c(AuthorRow).id == replies.author_id)
        .join(ConversationRow, c(ConversationRow).id == replies.conversation_id)
        .where(
            replies.profile_id == profile_id,
            replies.state == ReplyState.WOULD_HAVE_SENT.value,
            replies.due_at >= since,
        )
        .order_by(replies.due_at, replies.id)
    ).all()
    return [
        Rehearsed(
            at=reply.due_at or reply.created_at,
            kind=ReplyKind(reply.kind),
            author=name_of(author),
            excerpt="" if post.deleted_at else excerpt(post.text),
            text=reply.text,
            permalink=post.permalink,
            conversation_id=reply.conversation_id,
            answered_at=answered_at if answered_at is not None and answered_at >= post.created_at else None,
        )
        for reply, post, author, answered_at in rows
    ]


def unanswered(found: list[Rehearsed]) -> int:
    """How many customers would have heard of us and have had no answer from a person either."""
    return len({item.conversation_id for item in found if item.answered_at is None})


def dry_run_since(session: Session, profile_id: int) -> datetime | None:
    """Since when the profile is in dry-run; ``None`` where it is not."""
    columns = c(ProfileRow)
    return session.execute(select(columns.dry_run_since).where(columns.id == profile_id)).scalar()
