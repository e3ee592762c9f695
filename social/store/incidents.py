"""Incidents: one cause behind many posts. At most one crisis a profile and one outage a brand is not ended at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from social.domain.deadline import CUSTOMERS_HOUR
from social.domain.errors import Conflict, NotFound
from social.domain.escalation import WAITING_STATES
from social.domain.incident import (
    OUTAGE_WINDOW,
    TRANSITIONS,
    Incident,
    IncidentKind,
    IncidentState,
    StatementState,
)
from social.domain.post import ProfileMode
from social.domain.reply import ReplyKind, ReplyState, SentBy
from social.store import outbox, statements, wakes
from social.store.journal import ROBOT, note
from social.store.rows import c
from social.store.tables import (
    BrandRow,
    ConversationRow,
    EscalationRow,
    IncidentRow,
    PostRow,
    ProfileRow,
    ReplyRow,
)

#: Who ends what nobody reports any more.
CALM = "calm"
#: What the robot does not say in a crisis. A hand-over that was asked for is confirmed.
PAUSED_KINDS = (ReplyKind.ACKNOWLEDGEMENT, ReplyKind.CLOSED_NOTICE)
_UNFINISHED = (IncidentState.RUNNING.value, IncidentState.LIFTED.value)


# --- look --------------------------------------------------------------------------------------------------------------


def crises_of(session: Session, profile_ids: Collection[int], *, lifted: bool = False) -> dict[int, Incident]:
    """profile -> its running crisis, with its statements; with ``lifted`` also those that a person lifted."""
    columns = c(IncidentRow)
    rows = session.execute(
        select(IncidentRow).where(
            columns.state.in_(_UNFINISHED if lifted else (IncidentState.RUNNING.value,)),
            columns.kind == IncidentKind.CRISIS.value,
            columns.profile_id.in_(profile_ids),
        )
    ).scalars()
    return {incident.profile_id or 0: incident for incident in _told(session, list(rows))}


def get(session: Session, incident_id: int, *, lock: bool = False) -> Incident:
    """Raises ``NotFound``. ``lock``: of two people at once, the second looks after the first has finished."""
    query = select(IncidentRow).where(c(IncidentRow).id == incident_id)
    row = session.execute(query.with_for_update() if lock else query).scalar_one_or_none()
    if row is None:
        raise NotFound(f"there is no incident {incident_id}.", next_step="See them with: social statement list")
    return _told(session, [row])[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """An incident for people. ``waiting`` are its open cases (of a crisis also the outage reports on its profile, which its
    statement speaks of), ``in_time`` those whose customers' hour still runs."""

    incident: Incident
    brand: str
    profile: str | None
    mode: ProfileMode | None
    waiting: int
    in_time: int


def views(
    session: Session, *, now: datetime, limit: int | None = None, incident_id: int | None = None
) -> list[IncidentView]:
    """What runs first, then what began last."""
    columns, cases = c(IncidentRow), c(EscalationRow)
    query = select(IncidentRow).order_by(columns.state == IncidentState.ENDED.value, columns.id.desc()).limit(limit)
    if incident_id is not None:
        query = query.where(columns.id == incident_id)
    found = _told(session, list(session.execute(query).scalars()))
    grouped = session.execute(
        select(cases.incident_id, cases.profile_id, cases.waiting_since).where(
            cases.incident_id.is_not(None), cases.state.in_([state.value for state in WAITING_STATES])
        )
    ).all()
    waiting = {
        incident.id: [
            case.waiting_since for case in grouped if incident.id == case.incident_id or _concerns(incident, case)
        ]
        for incident in found
    }
    brands = {row.id: row.name for row in session.execute(select(BrandRow)).scalars()}
    profiles = {row.id: row for row in session.execute(select(ProfileRow)).scalars()}
    return [
        IncidentView(
            incident=incident,
            brand=brands[incident.brand_id],
            profile=profile.name if (profile := profiles.get(incident.profile_id)) else None,
            mode=ProfileMode(profile.mode) if profile else None,
            waiting=len(waiting[incident.id]),
            in_time=sum(since > now - CUSTOMERS_HOUR for since in waiting[incident.id]),
        )
        for incident in found
    ]


def _concerns(incident: Incident, case: Any) -> bool:
    return incident.state is IncidentState.RUNNING and incident.profile_id == case.profile_id


def stops(session: Session, profile_id: int, kind: ReplyKind, text: str) -> bool:
    """Must a text of the robot's not go out at this moment, because of a crisis, or for want of one? Asked before the intent:
    what comes back from an attempt on the wire was out of reach when the brake was pulled, or the statement taken back."""
    crisis = crises_of(session, [profile_id]).get(profile_id)
    if kind is ReplyKind.HOLDING:
        prepared = crisis.statements if crisis is not None else ()
        return not any(item.text == text and item.state is StatementState.APPROVED for item in prepared)
    return crisis is not None and kind in PAUSED_KINDS


# --- open, join, see again ---------------------------------------------------------------------------------------------


def open_crisis(
    session: Session, *, brand_id: int, profile_id: int, detail: Mapping[str, Any], now: datetime
) -> Incident:
    return _open(session, IncidentKind.CRISIS, brand_id=brand_id, profile_id=profile_id, detail=detail, now=now)


def outage_of(session: Session, *, brand_id: int, now: datetime) -> Incident:
    """The outage that this brand's customers report; another one where the last report is too long ago."""
    columns = c(IncidentRow)
    running = (
        select(IncidentRow)
        .where(
            columns.state.in_(_UNFINISHED),
            columns.kind == IncidentKind.OUTAGE.value,
            columns.brand_id == brand_id,
        )
        .with_for_update()
    )
    row = session.execute(running).scalar_one_or_none()
    if row is not None and row.last_seen_at > now - OUTAGE_WINDOW:
        return _told(session, [row])[0]
    if row is not None:
        end(session, row.id or 0, following=IncidentState.ENDED, by=CALM, now=now)
    try:
        with session.begin_nested():
            return _open(session, IncidentKind.OUTAGE, brand_id=brand_id, profile_id=None, detail={"cases": 0}, now=now)
    except IntegrityError:  # another daemon opened it in the same moment
        return _told(session, [session.execute(running).scalar_one()])[0]


def join(session: Session, incident_id: int, case_id: int, *, now: datetime) -> None:
    """The case belongs to the incident, and is counted there once."""
    row, case = _locked(session, incident_id), session.get_one(EscalationRow, case_id)
    row.last_seen_at = max(row.last_seen_at, now)
    if case.incident_id != incident_id:
        case.incident_id = incident_id
        row.detail = {**row.detail, "cases": row.detail.get("cases", 0) + 1}
        session.add(case)
    session.add(row)
    session.flush()


def seen_again(session: Session, incident_id: int, *, now: datetime, **detail: Any) -> None:
    """It goes on; ``detail`` are its newest numbers."""
    row = _locked(session, incident_id)
    row.last_seen_at = max(row.last_seen_at, now)
    row.detail = {**row.detail, **detail}
    session.add(row)
    session.flush()


def _open(
    session: Session,
    kind: IncidentKind,
    *,
    brand_id: int,
    profile_id: int | None,
    detail: Mapping[str, Any],
    now: datetime,
) -> Incident:
    row = IncidentRow(
        brand_id=brand_id,
        profile_id=profile_id,
        kind=kind.value,
        state=IncidentState.RUNNING.value,
        opened_at=now,
        last_seen_at=now,
        detail=dict(detail),
    )
    session.add(row)
    session.flush()
    note(
        session, at=now, actor=ROBOT, verb="opened", subject="incident", subject_id=row.id, detail={"kind": kind.value}
    )
    return _told(session, [row])[0]


# --- end ---------------------------------------------------------------------------------------------------------------


def end(session: Session, incident_id: int, *, following: IncidentState, by: str, now: datetime) -> None:
    """``running -> lifted`` or ``ended``. Who was first to end it, and when, is kept. Its statements end with it."""
    row = _locked(session, incident_id)
    if following not in TRANSITIONS[IncidentState(row.state)]:
        raise Conflict(f"incident {incident_id} is {row.state} and cannot become {following}.")
    if row.ended_at is None:
        row.ended_at, row.ended_by = now, by
    row.state = following.value
    session.add(row)
    statements.end_with(session, incident_id)
    actor = ROBOT if by == CALM else by
    note(session, at=now, actor=actor, verb=following.value, subject="incident", subject_id=incident_id)
    session.flush()


def quiet_outages(session: Session, *, now: datetime) -> list[Incident]:
    """Outages that nobody reported for so long that they are over."""
    columns = c(IncidentRow)
    rows = session.execute(
        select(IncidentRow).where(
            columns.state == IncidentState.RUNNING.value,
            columns.kind == IncidentKind.OUTAGE.value,
            columns.last_seen_at <= now - OUTAGE_WINDOW,
        )
    ).scalars()
    return _told(session, list(rows))


# --- what it does to the profile's plans -------------------------------------------------------------------------------


def cancel_plans(session: Session, profile_id: int, kinds: Collection[ReplyKind], *, now: datetime, reason: str) -> int:
    """Cancel the robot's planned texts of these kinds on the profile; people's answers, and what is already on its way,
    are left. Returns how many."""
    columns = c(ReplyRow)
    planned = session.execute(
        select(columns.id)
        .where(
            columns.state == ReplyState.PLANNED.value,
            columns.profile_id == profile_id,
            columns.sent_by == SentBy.ROBOT.value,
            columns.kind.in_([kind.value for kind in kinds]),
        )
        .with_for_update()
    ).scalars()
    cancelled = 0
    for reply_id in list(planned):
        if outbox.change_state(session, reply_id, ReplyState.PLANNED, ReplyState.CANCELLED, reason=reason):
            detail = {"why": reason}
            note(session, at=now, actor=ROBOT, verb="cancelled", subject="reply", subject_id=reply_id, detail=detail)
            cancelled += 1
    return cancelled


def decide_again(session: Session, profile_id: int, *, now: datetime) -> int:
    """Whatever the customers wrote whose hour still runs is decided anew; later nothing is sent to them anyway. Returns how
    many posts."""
    wakes.wake(session, wakes.TRIAGE)
    since = now - CUSTOMERS_HOUR
    columns, conversations = c(PostRow), c(ConversationRow)
    waits = exists().where(conversations.id == columns.conversation_id, conversations.waiting_since > since)
    changed: Any = session.execute(
        update(PostRow)
        .where(
            columns.profile_id == profile_id,
            columns.created_at > since,
            columns.ours.is_(False),
            columns.history.is_(False),
            columns.deleted_at.is_(None),
            columns.state.in_(("judged", "waiting")),
            columns.outcome == "escalated",
            waits,
        )
        .values(state="waiting", due_at=now, token=None, leased_until=None, attempts=0)
        .execution_options(synchronize_session=False)
    )
    return int(changed.rowcount)


# --- pieces ------------------------------------------------------------------------------------------------------------


def _locked(session: Session, incident_id: int) -> IncidentRow:
    return session.execute(select(IncidentRow).where(c(IncidentRow).id == incident_id).with_for_update()).scalar_one()


def _told(session: Session, rows: list[IncidentRow]) -> list[Incident]:
    crises = [row.id or 0 for row in rows if row.kind == IncidentKind.CRISIS.value]
    prepared = statements.of_incidents(session, crises)
    return [
        Incident(
            id=row.id or 0,
            kind=IncidentKind(row.kind),
            state=IncidentState(row.state),
            brand_id=row.brand_id,
            profile_id=row.profile_id,
            opened_at=row.opened_at,
            last_seen_at=row.last_seen_at,
            ended_at=row.ended_at,
            ended_by=row.ended_by,
            detail=row.detail or {},
            statements=prepared.get(row.id or 0, ()),
        )
        for row in rows
    ]
