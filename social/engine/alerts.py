"""Somebody must be reached: alert rows, one for each cause, raised in the same transaction as their cause.

``social.engine.ringing`` tells people of them; without anybody in ``[notify]`` they stay ``raised``.
"""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import delete, select
from sqlmodel import Session

from social.domain.assessment import Urgency
from social.store import wakes
from social.store.rows import c, upsert
from social.store.session import Database
from social.store.tables import AlertRow, EscalationRow

log = logging.getLogger("social.alert")


def raise_once(
    session: Session,
    *,
    kind: str,
    subject: str,
    message: str,
    now: datetime,
    urgency: Urgency | None = None,
    brand_id: int | None = None,
    profile_id: int | None = None,
    escalation_id: int | None = None,
    incident_id: int | None = None,
) -> None:
    """One alert a cause (``kind`` and ``subject``), however often it shows. ``message`` never carries a customer's text.
    ``urgency`` says whether it may ring at night; without one it is that of its case, else high. Of all alerts of one
    incident only the first is told."""
    columns = c(AlertRow)
    if session.execute(select(columns.id).where(columns.kind == kind, columns.subject == subject)).first():
        return  # people were told
    upsert(
        session,
        AlertRow,
        [
            {
                "kind": kind,
                "subject": subject,
                "message": message[:500],
                "raised_at": now,
                "due_at": now,
                "state": "raised",
                "step": 0,
                "attempts": 0,
                "urgency": None if urgency is None else urgency.value,
                "brand_id": brand_id,
                "profile_id": profile_id,
                "escalation_id": escalation_id,
                "incident_id": incident_id,
            }
        ],
        key=("kind", "subject"),
    )
    wakes.wake(session, wakes.RING)
    log.warning("ALERT        %s", message)


def nobody_can_tell(
    session: Session, reply_id: int | None, case: EscalationRow, *, profile: str, now: datetime
) -> None:
    """A reply may be public and may not: a person looks and says."""
    raise_once(
        session,
        kind="unknown",
        subject=str(reply_id),
        message=f"nobody can tell whether a reply on {profile} appeared; look and say: "
        f"social queue settle {reply_id} --sent or --not-sent",
        now=now,
        brand_id=case.brand_id,
        profile_id=case.profile_id,
        escalation_id=case.id,
    )


def is_known(session: Session, *, kind: str, subject: str) -> bool:
    columns = c(AlertRow)
    query = select(columns.id).where(columns.kind == kind, columns.subject == subject)
    return session.execute(query).first() is not None


def settle(session: Session, *, kind: str, subject: str) -> None:
    """The cause is gone: the next time it shows is a new alert."""
    session.execute(delete(AlertRow).where(c(AlertRow).kind == kind, c(AlertRow).subject == subject))


def settle_known(database: Database, *, kind: str, subject: str) -> None:
    """``settle`` in a step of its own; where nobody was told, nothing is written."""
    with database.read() as session:
        known = is_known(session, kind=kind, subject=subject)
    if known:
        with database.write() as session:
            settle(session, kind=kind, subject=subject)
