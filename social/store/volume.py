"""How many customers of a profile complain: cheap counts along the index of (profile, time)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Integer, cast, distinct, extract, func, or_, select, update
from sqlmodel import Session

from social.domain.assessment import Sentiment
from social.domain.crisis import HISTORY, HOUR
from social.domain.incident import IncidentKind
from social.store.rows import c
from social.store.tables import AssessmentRow, IncidentRow, PostRow, ProfileRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A profile as the brake looks at it. ``due_at`` is what the row says, to see whether somebody else was quicker."""

    profile_id: int
    due_at: datetime | None
    first_polled_at: datetime
    last_polled_at: datetime


def due(session: Session, profile_ids: Collection[int], *, now: datetime) -> list[Watched]:
    """The polled profiles whose volume is to be looked at."""
    columns = c(ProfileRow)
    rows = session.execute(
        select(columns.id, columns.crisis_due_at, columns.first_polled_at, columns.last_polled_at).where(
            columns.id.in_(profile_ids),
            columns.first_polled_at.is_not(None),
            columns.last_polled_at.is_not(None),
            or_(columns.crisis_due_at.is_(None), columns.crisis_due_at <= now),
        )
    )
    return [
        Watched(profile_id=id_, due_at=due_at, first_polled_at=first, last_polled_at=last)
        for id_, due_at, first, last in rows
    ]


def looked(session: Session, watched: Watched, *, due_at: datetime) -> bool:
    """``False``: somebody else looked, or new complaints came in since."""
    columns = c(ProfileRow)
    changed: Any = session.execute(
        update(ProfileRow)
        .where(columns.id == watched.profile_id, columns.crisis_due_at.is_not_distinct_from(watched.due_at))
        .values(crisis_due_at=due_at)
    )
    return bool(changed.rowcount == 1)


def look_soon(session: Session, profile_ids: Collection[int], *, now: datetime) -> None:
    """New complaints came in on these profiles."""
    columns = c(ProfileRow)
    session.execute(
        update(ProfileRow)
        .where(columns.id.in_(profile_ids), columns.crisis_due_at > now)
        .values(crisis_due_at=now)
        .execution_options(synchronize_session=False)
    )


def running_hour(session: Session, profile_id: int, *, now: datetime) -> tuple[int, int]:
    """(negative posts, customers who wrote them) within the last hour."""
    query = _negative(select(func.count(), func.count(distinct(c(PostRow).author_id))), profile_id, now - HOUR, now)
    posts, customers = session.execute(query).one()
    return posts, customers


def customers_by_hour(session: Session, profile_id: int, *, now: datetime) -> dict[int, int]:
    """hours ago -> how many customers wrote something negative in that hour (0: within the last one); hours with nobody
    are left out. Four weeks."""
    # PostgreSQL counts with fractions of a second, SQLite without; a whole number is divided alike by both
    seconds = cast(int(now.timestamp()) - extract("epoch", c(PostRow).created_at), Integer)
    hours_ago = (seconds // int(HOUR.total_seconds())).label("hours_ago")
    customers = func.count(distinct(c(PostRow).author_id))
    query = _negative(select(hours_ago, customers), profile_id, now - HISTORY, now).group_by(hours_ago)
    return {ago: count for ago, count in session.execute(query)}


def hours_of_crises(session: Session, profile_id: int, *, now: datetime) -> frozenset[int]:
    """Hours ago in which a crisis ran on the profile, the hour in which it broke out included."""
    columns = c(IncidentRow)
    rows = session.execute(
        select(columns.opened_at, columns.ended_at).where(
            columns.profile_id == profile_id,
            columns.kind == IncidentKind.CRISIS.value,
            or_(columns.ended_at.is_(None), columns.ended_at > now - HISTORY),
        )
    )
    hours: set[int] = set()
    for opened_at, ended_at in rows:
        last, first = (now - (opened_at - HOUR)) / HOUR, (now - (ended_at or now)) / HOUR
        hours.update(range(max(0, int(first)), int(last) + 1))
    return frozenset(hours)


def everything_is_judged(session: Session, profile_id: int, *, now: datetime, within: timedelta) -> bool:
    """No post of the last hours still waits for its judgement: what is not judged is not known to be harmless."""
    columns = c(PostRow)
    waiting = session.execute(
        select(columns.id)
        .where(
            columns.profile_id == profile_id,
            columns.created_at > now - within,
            columns.state == "new",
            columns.due_at.is_not(None),  # what a backfill holds is of the past
        )
        .limit(1)
    ).first()
    return waiting is None


def _negative(query: Any, profile_id: int, since: datetime, until: datetime) -> Any:
    """Customers' posts that are negative as they read now; what lay there before the first poll tells nothing of it."""
    posts, assessments = c(PostRow), c(AssessmentRow)
    return (
        query.select_from(PostRow)
        .join(
            AssessmentRow,
            (assessments.post_id == posts.id) & (assessments.revision_number == posts.revision_number),
        )
        .where(
            posts.profile_id == profile_id,
            posts.created_at > since,
            posts.created_at <= until,
            posts.ours.is_(False),
            posts.history.is_(False),
            assessments.sentiment == Sentiment.NEGATIVE.value,
        )
    )
