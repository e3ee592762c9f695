"""What the robot cannot say in time any more is given up, hundreds in one transaction: after a burst, a pause, a night in
which nothing ran. Every case says so, and ``social.engine.backlog`` tells people how many wait."""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import datetime

from sqlalchemy import or_, select, text, update
from sqlmodel import Session

from responders import delivery
from responders.delivery import Event
from social.domain.escalation import WAITING_STATES
from social.domain.reply import ReplyState, SentBy
from social.engine.claims import machine_time
from social.engine.desk import Desk
from social.store.rows import c
from social.store.tables import EscalationRow, ReplyRow

log = logging.getLogger("social.deliver")

AT_ONCE = 500
TOO_LATE = delivery.advance(ReplyState.PLANNED, Event.TOO_LATE).reason


def give_up_late(desk: Desk, now: datetime) -> int:
    """End texts of the robot whose time is over as ``late``. Returns how many; 0 means that there are none left. Looks with
    a plain read first, so that an idle tick never takes the write lock."""
    with desk.database.read() as session:
        if not _ids(session, before=now, limit=1):
            return 0
    with desk.database.write() as session:
        return give_up(session, before=now)


def give_up(session: Session, *, before: datetime, why: str = "", profile_id: int | None = None) -> int:
    """The same inside a transaction, perhaps of one profile: texts whose time is over ``before`` they could go
    out. ``why``: what stands in their way until then; without it, what each of them was put off for."""
    columns, cases = c(ReplyRow), c(EscalationRow)
    ids = _ids(session, before=before, limit=AT_ONCE, profile_id=profile_id)
    notes: dict[str, list[int]] = defaultdict(list)
    found = select(columns.kind, columns.conversation_id, columns.reason).where(columns.id.in_(ids))
    for kind, conversation_id, put_off_for in session.execute(found):
        notes[f"{kind}: {_because(why or put_off_for)}"[:500]].append(conversation_id)
    session.execute(
        update(ReplyRow)
        .where(columns.id.in_(ids))
        .values(state=ReplyState.LATE.value, token=None, leased_until=None, reason=_because(why))
        .execution_options(synchronize_session=False)
    )
    for words, conversations in notes.items():
        session.execute(
            update(EscalationRow)
            .where(cases.conversation_id.in_(conversations), cases.state.in_([state.value for state in WAITING_STATES]))
            .values(note=words)
            .execution_options(synchronize_session=False)
        )
    if ids:
        log.warning("late         %d automatic texts: %s", len(ids), _because(why))
    return len(ids)


def _because(why: str | None) -> str:
    return f"it could not be sent in time: {why}" if why else TOO_LATE


def _ids(session: Session, *, before: datetime, limit: int, profile_id: int | None = None) -> list[int]:
    """Those that nobody is sending just now, locked, the most overdue first."""
    columns = c(ReplyRow)
    query = (
        select(columns.id)
        .where(
            text("reply.state = 'planned'"),  # written out: SQLite proves by it that the partial index will do
            columns.sent_by == SentBy.ROBOT.value,
            columns.not_after < before,
            or_(columns.leased_until.is_(None), columns.leased_until < machine_time(session)),
        )
        .order_by(columns.not_after)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if profile_id is not None:
        query = query.where(columns.profile_id + 0 == profile_id)
    return list(session.execute(query).scalars())
