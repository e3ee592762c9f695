"""The days on which a profile only rehearsed: what customers saw of the robot then was nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlmodel import Session

from social.domain.post import ProfileMode
from social.reports.queries import SentimentQuery
from social.store.rows import c
from social.store.tables import EventRow, ProfileRow

_DRY = ProfileMode.DRY_RUN.value


def days_of_dry_run(
    session: Session, profiles: Sequence[ProfileRow], query: SentimentQuery, *, now: datetime
) -> dict[str, set[date]]:
    """The local days of the range that each profile (by name) spent in dry run, wholly or in part, up to ``now``."""
    events = c(EventRow)
    changes: dict[int | None, list[EventRow]] = defaultdict(list)
    noted = select(EventRow).where(
        events.subject_kind == "profile",
        events.verb == "changed mode",
        events.subject_id.in_([profile.id for profile in profiles]),
    )
    for event in session.execute(noted.order_by(events.at, events.id)).scalars():
        changes[event.subject_id].append(event)
    return {
        profile.name: {day for period in _periods(profile, changes[profile.id], now) for day in _days(period, query)}
        for profile in profiles
    }


def _periods(profile: ProfileRow, changes: Sequence[EventRow], now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """When the profile was in dry run. Its first period, once over, has no stamp: it was new then, so it began with the
    first poll."""
    since = profile.first_polled_at if changes else profile.dry_run_since
    for change in changes:
        detail = change.detail or {}
        if detail.get("from") == _DRY and since is not None:
            yield since, change.at
        since = change.at if detail.get("to") == _DRY else None
    if profile.mode == _DRY and since is not None:
        yield since, now


def _days(period: tuple[datetime, datetime], query: SentimentQuery) -> Iterator[date]:
    start, end = max(period[0], query.start), min(period[1], query.end)
    if start >= end:
        return
    day, last = (moment.astimezone(query.time_zone).date() for moment in (start, end - timedelta(microseconds=1)))
    while day <= last:
        yield day
        day += timedelta(days=1)
