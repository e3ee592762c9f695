"""What nobody asks for and everybody needs: the owner's warning, the latest time, the daemon's own heartbeat."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from social import clock
from social.domain.escalation import EscalationState
from social.domain.reply import ReplyKind, ReplyState, SentBy
from social.engine import alerts
from social.engine.desk import Desk
from social.store import control
from social.store.rows import c
from social.store.tables import ConversationRow, EscalationRow, ReplyRow, UserRow

#: The owner of a taken case is warned five minutes before the robot steps in at minute 55.
WARN_OWNER_AFTER = timedelta(minutes=50)


def watch_over(desk: Desk, now: datetime) -> int:
    """Warn the owners of taken cases whose acknowledgement is near."""
    replies, cases, conversations = c(ReplyRow), c(EscalationRow), c(ConversationRow)
    with desk.database.read() as session:
        rows = session.execute(
            select(replies.id, cases.id, cases.profile_id, cases.brand_id, c(UserRow).name)
            .join(ConversationRow, conversations.id == replies.conversation_id)
            .join(EscalationRow, cases.conversation_id == conversations.id)
            .join(UserRow, c(UserRow).id == cases.taken_by)
            .where(
                replies.state == ReplyState.PLANNED.value,
                replies.kind == ReplyKind.ACKNOWLEDGEMENT.value,
                replies.sent_by == SentBy.ROBOT.value,
                cases.state == EscalationState.TAKEN.value,
                conversations.waiting_since <= now - WARN_OWNER_AFTER,
            )
        ).all()
    if not rows:
        return 0
    with desk.database.write() as session:
        for reply_id, case_id, profile_id, brand_id, owner in rows:
            alerts.raise_once(
                session,
                kind="owner",
                subject=str(reply_id),
                message=f"{owner}: case {case_id} is yours and the customer waits for 50 minutes; "
                "the robot acknowledges at minute 55",
                now=now,
                brand_id=brand_id,
                profile_id=profile_id,
                escalation_id=case_id,
            )
    return len(rows)


def beat(desk: Desk, *, name: str, parts: str, started_at: datetime) -> None:
    """Say that this daemon lives (machine time), and keep the latest world time for the next start."""
    with desk.database.write() as session:
        control.saw_time(session, desk.now())
        control.beat(
            session,
            name=name,
            parts=parts,
            started_at=started_at,
            at=clock.machine_now(),
            model=str(desk.classifier.identity),
        )


def others(desk: Desk, *, name: str) -> list[control.Daemon]:
    """Other daemons on the same database with a fresh heartbeat."""
    with desk.database.read() as session:
        return [daemon for daemon in control.running(session, at=clock.machine_now()) if daemon.name != name]
