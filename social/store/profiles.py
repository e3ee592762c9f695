"""Brands and profiles as the configuration names them, their cursors, errors and budgets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlmodel import Session

from social.domain.post import Author, ProfileMode
from social.domain.reply import SentBy
from social.ports import Quota
from social.store import locks, outbox, wakes
from social.store.journal import note
from social.store.mapping import Profile, profile_from
from social.store.rows import c, upsert
from social.store.tables import BrandRow, BudgetRow, ProfileRow, ReplyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedProfile:
    """A ``[[profiles]]`` table as far as the store cares."""

    name: str
    brand: str
    network: str
    mode: ProfileMode


def synchronise(session: Session, wanted: Iterable[WantedProfile], *, now: datetime, change_modes: bool = True) -> None:
    """Make the rows say what the configuration says. A profile that is gone from it is switched off, never deleted; its
    replies are ended after the commit (``social.engine.removed``), which waits for nobody who is still at one.
    Entering dry-run stamps since when; leaving it forgets the stamp (its plans are never released).

    ``change_modes`` is for whoever acts by the mode from here on. Were it changed beside a daemon that still rehearses,
    that daemon's later plans would be released at its next start."""
    names = set()
    wakes.wake(session, wakes.POLL)
    locks.hold_name(session, locks.START)  # two daemons that start on an empty database make each row once
    for item in wanted:
        names.add(item.name)
        brand = session.execute(select(BrandRow).where(c(BrandRow).name == item.brand)).scalar_one_or_none()
        if brand is None:
            brand = BrandRow(name=item.brand)
            session.add(brand)
            session.flush()
        row = session.execute(select(ProfileRow).where(c(ProfileRow).name == item.name)).scalar_one_or_none()
        dry = item.mode is ProfileMode.DRY_RUN
        if row is None:
            assert brand.id is not None
            session.add(
                ProfileRow(
                    brand_id=brand.id,
                    name=item.name,
                    network=item.network,
                    mode=item.mode.value,
                    state="active",
                    due_at=now,
                    dry_run_since=now if dry else None,
                )
            )
            continue
        if change_modes and row.mode != item.mode.value:
            note(
                session,
                at=now,
                actor="configuration",
                verb="changed mode",
                subject="profile",
                subject_id=row.id,
                detail={"from": row.mode, "to": item.mode.value},
            )
            row.mode = item.mode.value
            row.dry_run_since = now if dry else None
            _drop_plans(session, row.id or 0, now=now)
        if row.network != item.network:
            row.network, row.cursor, row.account_id = item.network, None, None
            row.access_ends_at = None
            row.first_polled_at, row.last_polled_at = None, None  # what lies there is history to us
        if row.state != "active":
            row.state, row.due_at = "active", now
        if row.due_at is not None and row.due_at > now:
            row.due_at = now  # a new start polls at once
        row.brand_id = brand.id or row.brand_id
    for row in session.execute(select(ProfileRow).where(c(ProfileRow).state == "active")).scalars():
        if row.name not in names:
            row.state, row.token, row.leased_until = "removed", None, None


def _drop_plans(session: Session, profile_id: int, *, now: datetime) -> None:
    """What was planned under another mode is never released."""
    columns = c(ReplyRow)
    planned = session.execute(
        select(columns.conversation_id).where(
            columns.profile_id == profile_id, columns.state == "planned", columns.sent_by == SentBy.ROBOT.value
        )
    ).scalars()
    for conversation_id in set(planned):
        outbox.cancel_planned(
            session,
            now=now,
            reason="the profile's mode was changed",
            conversation_id=conversation_id,
            sent_by=SentBy.ROBOT,
        )


def by_ids(session: Session, ids: Sequence[int]) -> list[Profile]:
    rows = session.execute(select(ProfileRow).where(c(ProfileRow).id.in_(ids)).order_by(c(ProfileRow).id)).scalars()
    return [profile_from(row) for row in rows]


def by_name(session: Session, name: str) -> Profile | None:
    row = session.execute(select(ProfileRow).where(c(ProfileRow).name == name)).scalar_one_or_none()
    return None if row is None else profile_from(row)


def know_account(session: Session, profile_id: int, account: Author) -> None:
    session.execute(
        update(ProfileRow)
        .where(c(ProfileRow).id == profile_id)
        .values(account_id=account.native_id, account_handle=account.handle)
    )


def record_error(session: Session, profile_id: int, message: str, *, now: datetime) -> None:
    session.execute(
        update(ProfileRow).where(c(ProfileRow).id == profile_id).values(last_error=message[:500], last_error_at=now)
    )


def access_ends(session: Session, profile_id: int, ends_at: datetime | None) -> None:
    """What the network says of the access; ``None``: it does not end by itself."""
    session.execute(update(ProfileRow).where(c(ProfileRow).id == profile_id).values(access_ends_at=ends_at))


def accesses_ending(session: Session, *, before: datetime) -> list[ProfileRow]:
    columns = c(ProfileRow)
    rows = session.execute(select(ProfileRow).where(columns.state == "active", columns.access_ends_at <= before))
    return list(rows.scalars())


def record_quota(session: Session, profile_id: int, quotas: Iterable[Quota], *, now: datetime) -> None:
    """What the network told just now. Within one window the least that anybody was told is what is left: answers to
    requests of several lanes and machines come in in any order."""
    before = _held_budgets(session, profile_id)

    def left(quota: Quota) -> int | None:
        row = before.get(quota.scope)
        if row is None or row.remaining is None or quota.remaining is None or row.resets_at != quota.resets_at:
            return quota.remaining
        return min(row.remaining, quota.remaining)

    upsert(
        session,
        BudgetRow,
        [
            {
                "profile_id": profile_id,
                "scope": quota.scope,
                "stops": quota.stops,
                "remaining": left(quota),
                "limit": quota.limit,
                "used_percent": quota.used_percent,
                "resets_at": quota.resets_at,
                "seen_at": now,
            }
            for quota in sorted(quotas, key=lambda quota: quota.scope)
        ],
        key=("profile_id", "scope"),
        change=("stops", "remaining", "limit", "used_percent", "resets_at", "seen_at"),
    )


def record_pause(session: Session, profile_id: int, scope: str, until: datetime, *, now: datetime) -> None:
    """The network said "not before ``until``"; kept, so that neither a restart nor another machine goes on before that."""
    known = _held_budgets(session, profile_id).get(scope)
    latest = max(until, known.paused_until) if known is not None and known.paused_until is not None else until
    upsert(
        session,
        BudgetRow,
        [{"profile_id": profile_id, "scope": scope, "paused_until": latest, "seen_at": now}],
        key=("profile_id", "scope"),
        change=("paused_until", "seen_at"),
    )


def _held_budgets(session: Session, profile_id: int) -> dict[str, BudgetRow]:
    """By scope, ours until the transaction ends, so that of two daemons' news none is lost."""
    columns = c(BudgetRow)
    rows = select(BudgetRow).where(columns.profile_id == profile_id).order_by(columns.id)
    found = session.execute(rows.with_for_update(key_share=True).execution_options(populate_existing=True)).scalars()
    return {row.scope: row for row in found}


def paused_until(session: Session, profile_id: int, scopes: Sequence[str], *, now: datetime) -> datetime | None:
    """Until when the network asked us to wait in any of ``scopes`` (``read``, ``write``, ``all``); also where a known limit
    that stops one of them has nothing left."""
    columns = c(BudgetRow)
    rows = session.execute(
        select(BudgetRow).where(columns.profile_id == profile_id, columns.scope.in_(scopes) | columns.stops.in_(scopes))
    ).scalars()
    waits = []
    for row in rows:
        if row.paused_until is not None and row.paused_until > now:
            waits.append(row.paused_until)
        if row.remaining == 0 and row.resets_at is not None and row.resets_at > now:
            waits.append(row.resets_at)
    return max(waits, default=None)


def refreshed(session: Session, profile_id: int, *, due_at: datetime) -> None:
    session.execute(update(ProfileRow).where(c(ProfileRow).id == profile_id).values(refresh_due_at=due_at))
