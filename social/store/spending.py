"""What a profile has cost in this calendar month, beside its limits in ``budget``. Thousandths of a US dollar."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select
from sqlmodel import Session

from social.store.rows import c, upsert
from social.store.tables import BudgetRow, ProfileRow

#: Its row in ``budget``: ``limit`` is the operator's own, ``remaining`` what is left of it.
SCOPE = "money"


def spend(session: Session, profile: str, amount: int, *, budget: int, now: datetime) -> int:
    """Add ``amount`` and return the month's sum. 0 for a profile that is not in the database."""
    budgets, profiles = c(BudgetRow), c(ProfileRow)
    profile_id = session.execute(select(profiles.id).where(profiles.name == profile)).scalar()
    if profile_id is None:
        return 0
    found = select(BudgetRow).where(budgets.profile_id == profile_id, budgets.scope == SCOPE).with_for_update()
    # made first where it is not there: of two daemons that pay for the first time, the second finds the first one's sum
    upsert(
        session, BudgetRow, [{"profile_id": profile_id, "scope": SCOPE, "seen_at": now}], key=("profile_id", "scope")
    )
    row = session.execute(found).scalar_one()
    spent = amount + _spent(row, now)
    row.limit, row.remaining = budget, budget - spent
    row.used_percent = round(100 * spent / budget, 1) if budget else 100.0
    row.resets_at, row.seen_at = _next_month(now), now
    session.add(row)
    return spent


def spent(session: Session, profile: str, *, now: datetime) -> int:
    """The month's sum, changing nothing."""
    budgets, profiles = c(BudgetRow), c(ProfileRow)
    row = session.execute(
        select(BudgetRow)
        .join(ProfileRow, profiles.id == budgets.profile_id)
        .where(profiles.name == profile, budgets.scope == SCOPE)
    ).scalar_one_or_none()
    return 0 if row is None else _spent(row, now)


def _spent(row: BudgetRow, now: datetime) -> int:
    if row.resets_at is None or row.resets_at <= now or row.limit is None or row.remaining is None:
        return 0
    return row.limit - row.remaining


def _next_month(now: datetime) -> datetime:
    day = now.astimezone(UTC)
    return datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC)
