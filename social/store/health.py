"""How the profiles are: what the last poll said, what the network's limits say, what a dry-run leaves unanswered."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from social.domain.post import ProfileMode
from social.domain.reply import ReplyState
from social.store.rows import c
from social.store.tables import BrandRow, BudgetRow, PostRow, ProfileRow, QuarantineRow, ReplyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit of the network as last told. ``used_percent`` is 0 to 100."""

    scope: str
    used_percent: float | None
    remaining: int | None
    limit: int | None
    resets_at: datetime | None
    paused_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileHealth:
    """``to_judge``: posts that nobody judged yet; ``rehearsed``: customers who would have had an automatic text."""

    id: int
    name: str
    network: str
    brand: str
    mode: ProfileMode
    account: str | None
    first_polled_at: datetime | None
    last_polled_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    dry_run_since: datetime | None
    to_judge: int
    rehearsed: int
    limits: tuple[Limit, ...]
    access_ends_at: datetime | None = None


def of_profiles(session: Session, *, now: datetime) -> list[ProfileHealth]:
    """Every profile of the configuration. A limit whose reset has passed is not told any more."""
    rows = session.execute(
        select(ProfileRow, c(BrandRow).name)
        .join(BrandRow, c(BrandRow).id == c(ProfileRow).brand_id)
        .where(c(ProfileRow).state == "active")
        .order_by(c(ProfileRow).name)
    ).all()
    limits: dict[int, list[Limit]] = defaultdict(list)
    for row in session.execute(select(BudgetRow).order_by(c(BudgetRow).scope)).scalars():
        if (row.resets_at is None or row.resets_at > now) or (row.paused_until is not None and row.paused_until > now):
            limits[row.profile_id].append(
                Limit(
                    scope=row.scope,
                    used_percent=row.used_percent,
                    remaining=row.remaining,
                    limit=row.limit,
                    resets_at=row.resets_at,
                    paused_until=row.paused_until if row.paused_until is not None and row.paused_until > now else None,
                )
            )
    waiting = _count_by_profile(session, PostRow, (c(PostRow).state == "new") & c(PostRow).due_at.is_not(None))
    rehearsed = _count_by_profile(session, ReplyRow, c(ReplyRow).state == ReplyState.WOULD_HAVE_SENT.value)
    return [
        ProfileHealth(
            id=row.id,
            name=row.name,
            network=row.network,
            brand=brand,
            mode=ProfileMode(row.mode),
            account=row.account_handle or row.account_id,
            first_polled_at=row.first_polled_at,
            last_polled_at=row.last_polled_at,
            last_error=row.last_error,
            last_error_at=row.last_error_at,
            dry_run_since=row.dry_run_since,
            to_judge=waiting.get(row.id, 0),
            rehearsed=rehearsed.get(row.id, 0),
            limits=tuple(limits[row.id]),
            access_ends_at=row.access_ends_at,
        )
        for row, brand in rows
    ]


def _count_by_profile(session: Session, table: type[PostRow] | type[ReplyRow], condition: Any) -> dict[int, int]:
    columns = c(table)
    rows = session.execute(select(columns.profile_id, func.count()).where(condition).group_by(columns.profile_id))
    return {profile_id: count for profile_id, count in rows}


def quarantine_of(session: Session) -> list[tuple[str, int, str]]:
    """(profile, how many, the newest one's reason) of posts that could not be read and are kept aside."""
    columns = c(QuarantineRow)
    newest = select(columns.profile_id, func.count().label("count"), func.max(columns.id).label("newest"))
    counted = newest.group_by(columns.profile_id).subquery()
    rows = session.execute(
        select(c(ProfileRow).name, counted.c.count, columns.reason)
        .join(counted, counted.c.newest == columns.id)
        .join(ProfileRow, c(ProfileRow).id == columns.profile_id)
        .order_by(c(ProfileRow).name)
    )
    return [(name, count, reason) for name, count, reason in rows]
