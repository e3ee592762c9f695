"""What is known of an alert: whom it concerns, who was told, why nobody has to be told any more; and what may be told."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from sqlalchemy import or_, select
from sqlmodel import Session

from social.domain.assessment import Urgency
from social.domain.escalation import WAITING_STATES, EscalationState
from social.domain.reply import ReplyState
from social.domain.rota import AlertFacts, Told
from social.engine.desk import Desk
from social.engine.on_call import OnCall
from social.notifiers.words import AlertNews
from social.store.rows import c
from social.store.tables import (
    AlertRow,
    BrandRow,
    ConversationRow,
    EscalationRow,
    IncidentRow,
    NotificationRow,
    PostRow,
    ProfileRow,
    ReplyRow,
    UserRow,
)

CASE, OWNER, UNKNOWN = "case", "owner", "unknown"


def facts_of(session: Session, alert: AlertRow) -> AlertFacts:
    """For ``social.domain.rota.next_step``. Of several alerts of one incident only one caller at a time gets its facts."""
    case = _case(session, alert)
    if alert.incident_id is not None:
        session.get(IncidentRow, alert.incident_id, with_for_update=True)
    told = _told(session, alert.id)
    over = ended(session, alert)
    if not over and told and case is not None and case.state == EscalationState.TAKEN.value and alert.kind != OWNER:
        over = f"case {case.id} is taken"
    return AlertFacts(
        urgency=urgency_of(session, alert),
        wanted_at=alert.due_at or alert.raised_at,
        brand=_brand(session, alert),
        told=told,
        over=over,
        only=_owner(session, case) if alert.kind == OWNER else None,
    )


def ended(session: Session, alert: AlertRow) -> str:
    """Why nobody has to be told of it, not even who was to be; empty while somebody has."""
    if alert.kind == UNKNOWN:
        reply = session.get(ReplyRow, int(alert.subject))
        if reply is not None and reply.state != ReplyState.UNKNOWN.value:
            return f"reply {reply.id} is {reply.state}"  # it showed by itself, or somebody looked
    case = _case(session, alert)
    if alert.incident_id is not None and case is not None:
        return _why_incident_is_over(session, alert)
    if case is not None:
        if case.state not in {state.value for state in WAITING_STATES}:
            return f"case {case.id} is {case.state}"
        taken = case.state == EscalationState.TAKEN.value
        if alert.kind == CASE and taken:
            return f"case {case.id} is taken"
        if alert.kind == OWNER and not taken:
            return f"case {case.id} is nobody's"
        if alert.kind == CASE and _has_a_newer(session, alert):
            return f"case {case.id} has a newer alert"
    if alert.incident_id is not None and _was_told(session, alert.incident_id, but=alert):
        return f"people know of incident {alert.incident_id}"
    return ""


def _why_incident_is_over(session: Session, alert: AlertRow) -> str:
    """The alert hangs on the incident's first case, but rings for all of them."""
    assert alert.incident_id is not None
    if _was_told(session, alert.incident_id, but=alert):
        return f"people know of incident {alert.incident_id}"
    columns = c(EscalationRow)
    nobody_s = session.execute(
        select(columns.id)
        .where(columns.incident_id == alert.incident_id, columns.state == EscalationState.OPEN.value)
        .limit(1)
    ).first()
    return "" if nobody_s else f"every case of incident {alert.incident_id} is taken or ended"


def news_of(
    session: Session,
    desk: Desk,
    on_call: OnCall,
    alert: AlertRow,
    person: str,
    *,
    now: datetime,
    next_at: datetime | None,
) -> AlertNews:
    case = _case(session, alert)
    profile = session.get(ProfileRow, alert.profile_id) if alert.profile_id is not None else None
    live = desk.profiles.get(alert.profile_id or 0)
    newest = waiting = None
    if case is not None:
        conversation = session.get(ConversationRow, case.conversation_id)
        waiting = (conversation.waiting_since if conversation is not None else None) or case.waiting_since
        newest = _newest_post(session, case)
    page = f"/case/{case.id}" if case is not None else ""
    return AlertNews(
        kind=alert.kind,
        urgency=urgency_of(session, alert),
        person=person,
        now=now,
        timezone=on_call.timezone,
        profile=profile.name if profile is not None else "",
        network=live.connector.label if live is not None else profile.network if profile is not None else "",
        case_id=case.id if case is not None else None,
        reply_id=alert.subject if alert.kind == UNKNOWN else "",
        waiting_since=waiting,
        deadline_at=case.deadline_at if case is not None else profile.access_ends_at if profile is not None else None,
        excerpt=newest.text if newest is not None and on_call.excerpt else "",
        permalink=(newest.permalink or "") if newest is not None else "",
        link=f"{on_call.address}{page}" if on_call.address else "",
        detail=alert.message,
        next_at=next_at,
    )


def _case(session: Session, alert: AlertRow) -> EscalationRow | None:
    return None if alert.escalation_id is None else session.get(EscalationRow, alert.escalation_id)


def urgency_of(session: Session, alert: AlertRow) -> Urgency:
    case = _case(session, alert)
    return Urgency(alert.urgency or (case.urgency if case is not None else Urgency.HIGH))


def _brand(session: Session, alert: AlertRow) -> str | None:
    brand_id = alert.brand_id
    if brand_id is None and alert.profile_id is not None:
        profile = session.get(ProfileRow, alert.profile_id)
        brand_id = profile.brand_id if profile is not None else None
    brand = session.get(BrandRow, brand_id) if brand_id is not None else None
    return brand.name if brand is not None else None


def _owner(session: Session, case: EscalationRow | None) -> str:
    owner = session.get(UserRow, case.taken_by) if case is not None and case.taken_by is not None else None
    return owner.name if owner is not None else ""


def _told(session: Session, alert_id: int | None) -> tuple[Told, ...]:
    columns = c(NotificationRow)
    by_person: dict[str, list[NotificationRow]] = defaultdict(list)
    query = select(NotificationRow).where(columns.alert_id == alert_id).order_by(columns.created_at, columns.id)
    for row in session.execute(query).scalars():
        by_person[row.recipient].append(row)
    return tuple(
        Told(
            person=person,
            at=rows[0].created_at,
            reached=any(row.state == "sent" or row.error is None for row in rows),
        )
        for person, rows in by_person.items()
    )


def _has_a_newer(session: Session, alert: AlertRow) -> bool:
    """A case that became more urgent has an alert of its own for that."""
    columns = c(AlertRow)
    newer = or_(columns.raised_at > alert.raised_at, (columns.raised_at == alert.raised_at) & (columns.id > alert.id))
    query = select(columns.id).where(columns.kind == CASE, columns.escalation_id == alert.escalation_id, newer)
    return session.execute(query.limit(1)).first() is not None


def _was_told(session: Session, incident: int, *, but: AlertRow) -> bool:
    columns = c(AlertRow)
    query = select(columns.id).where(columns.incident_id == incident, columns.id != but.id, columns.step > 0)
    return session.execute(query.limit(1)).first() is not None


def _newest_post(session: Session, case: EscalationRow) -> PostRow | None:
    """What made the case as urgent as it is, most likely: the customer's last word."""
    columns = c(PostRow)
    query = select(PostRow).where(
        columns.conversation_id == case.conversation_id, columns.ours.is_(False), columns.deleted_at.is_(None)
    )
    return session.execute(query.order_by(columns.created_at.desc(), columns.id.desc()).limit(1)).scalar_one_or_none()
