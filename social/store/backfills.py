"""How far a profile's own past was read and judged, and what that brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from social.domain.assessment import Sentiment
from social.ports import Cursor
from social.store.rows import c, upsert
from social.store.tables import AssessmentRow, BackfillRow, PostRow


class BackfillState(StrEnum):
    READING = "reading"
    JUDGING = "judging"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """One reading of a profile's past back to ``since``. Counts are of posts, our own ones included: ``read`` is all of
    them, ``kept`` what was new, ``known`` what was there, ``later`` what the profile's own poll has yet to bring."""

    id: int
    profile_id: int
    since: datetime
    state: BackfillState
    cursor: Cursor | None
    pages: int
    read: int
    kept: int
    known: int
    later: int
    unreadable: int
    oldest_at: datetime | None
    posts_after: int


def begin(session: Session, profile_id: int, since: datetime, *, now: datetime) -> Backfill:
    """Go on with the one that is not done, or begin: the first one, or one that is done anew."""
    fresh: dict[str, Any] = {
        **dict.fromkeys(("pages", "read", "kept", "known", "later", "unreadable"), 0),
        **dict.fromkeys(("cursor", "oldest_at", "finished_at")),
        "state": BackfillState.READING.value,
        "posts_after": session.execute(select(func.max(c(PostRow).id))).scalar() or 0,
        "made_at": now,
    }
    key = {"profile_id": profile_id, "since": since}
    upsert(session, BackfillRow, [{**key, **fresh}], key=tuple(key))
    row = session.execute(_of(profile_id, since).with_for_update()).scalar_one()
    return save(session, row, **fresh) if row.state == BackfillState.DONE.value else _from(row)


def find(session: Session, profile_id: int, since: datetime) -> Backfill | None:
    row = session.execute(_of(profile_id, since)).scalar_one_or_none()
    return None if row is None else _from(row)


def _of(profile_id: int, since: datetime) -> Any:
    columns = c(BackfillRow)
    return select(BackfillRow).where(columns.profile_id == profile_id, columns.since == since)


def still_there(session: Session, work: Backfill) -> BackfillRow | None:
    """The row, locked; ``None`` where another process went on with it since ``work`` was read."""
    query = select(BackfillRow).where(c(BackfillRow).id == work.id).with_for_update()
    row = session.execute(query).scalar_one_or_none()
    return row if row is not None and (row.state, row.pages) == (work.state.value, work.pages) else None


def save(session: Session, row: BackfillRow, **changes: Any) -> Backfill:
    for name, value in changes.items():
        setattr(row, name, value)
    session.add(row)
    session.flush()
    return _from(row)


def held(session: Session, profile_id: int) -> int:
    """How many posts of the past wait to be judged."""
    query = select(func.count()).select_from(PostRow).where(*is_held(profile_id))
    return session.execute(query).scalar_one()


def is_held(profile_id: int) -> tuple[Any, ...]:
    """Conditions for a post that a backfill read in and did not judge yet: due at no time, so that no daemon takes it."""
    columns = c(PostRow)
    return (
        columns.profile_id == profile_id,
        columns.history.is_(True),
        columns.state == "new",
        columns.due_at.is_(None),
    )


def sentiments(session: Session, work: Backfill) -> Mapping[Sentiment, int]:
    """Customers' posts that came in with it and are judged, by sentiment."""
    posts, assessments = c(PostRow), c(AssessmentRow)
    rows = session.execute(
        select(assessments.sentiment, func.count())
        .join(PostRow, (posts.id == assessments.post_id) & (posts.revision_number == assessments.revision_number))
        .where(
            posts.profile_id == work.profile_id,
            posts.id > work.posts_after,
            posts.history.is_(True),
            posts.created_at >= work.since,
        )
        .group_by(assessments.sentiment)
    )
    found = {Sentiment(name): count for name, count in rows}
    return {sentiment: found.get(sentiment, 0) for sentiment in Sentiment}


def posts_between(session: Session, profile_id: int, start: datetime, end: datetime) -> int:
    """How many posts of a profile, our own ones included, were written in that time."""
    columns = c(PostRow)
    query = (
        select(func.count())
        .select_from(PostRow)
        .where(columns.profile_id == profile_id, columns.created_at >= start, columns.created_at < end)
    )
    return session.execute(query).scalar_one()


def _from(row: BackfillRow) -> Backfill:
    assert row.id is not None
    return Backfill(
        id=row.id,
        profile_id=row.profile_id,
        since=row.since,
        state=BackfillState(row.state),
        cursor=row.cursor,
        pages=row.pages,
        read=row.read,
        kept=row.kept,
        known=row.known,
        later=row.later,
        unreadable=row.unreadable,
        oldest_at=row.oldest_at,
        posts_after=row.posts_after,
    )
