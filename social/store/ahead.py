"""What a daemon under a clock that was ahead left in the future: it would not be looked at again before that time comes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import Session

from social.domain.reply import ReplyState, SentBy
from social.store.rows import active, c
from social.store.tables import PostRow, ProfileRow, ReplyRow

#: So far apart may the clocks of machines that work together be.
APART = timedelta(minutes=5)


def pull_back(session: Session, now: datetime) -> int:
    """For a daemon's start: profiles are looked at again, and posts to be judged, answers of people and texts in doubt are due
    now. A robot's text that waits for its time keeps it. Returns how many rows it changed."""
    late = now + APART
    profiles, posts, replies = c(ProfileRow), c(PostRow), c(ReplyRow)
    found = [
        # one that counts as read until then would hide an outage; a second look may be planned for hours ahead, by a limit
        update(ProfileRow)
        .where(profiles.last_polled_at > late)
        .values(last_polled_at=now, refresh_due_at=None, crisis_due_at=None),
        update(PostRow).where(active(PostRow), posts.state == "new", posts.due_at > late).values(due_at=now),
        update(ReplyRow)
        .where(active(ReplyRow), replies.state == ReplyState.SENDING.value, replies.intended_at > late)
        .values(due_at=now, intended_at=now),
        update(ReplyRow)
        .where(
            active(ReplyRow),
            replies.state == ReplyState.PLANNED.value,
            replies.sent_by == SentBy.PERSON.value,
            replies.created_at > late,
            replies.due_at > late,
        )
        .values(due_at=now),
    ]
    changed = 0
    for statement in found:
        result: Any = session.execute(statement.execution_options(synchronize_session=False))
        changed += result.rowcount
    return changed
