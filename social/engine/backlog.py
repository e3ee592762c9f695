"""More customers than the robot can acknowledge in their hour: one alert a profile says how many wait. It stays until
people have worked them off, its figures kept true; each case says for itself that its text was too late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlmodel import Session

from social.domain.assessment import Urgency
from social.domain.deadline import CUSTOMERS_HOUR
from social.domain.reply import ReplyState, SentBy
from social.engine import alerts
from social.engine.desk import Desk, LiveProfile
from social.store.rows import active, c
from social.store.tables import AlertRow, ConversationRow, EscalationRow, PostRow, ReplyRow

KIND = "behind"
#: Fewer are told by their cases alone.
MANY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Customers of one profile: ``late`` wait in the queue without the text that they were to get within their hour,
    ``overdue`` and ``unjudged`` are posts that nobody has looked at yet, for more than an hour and in all."""

    profile: LiveProfile
    late: int
    overdue: int
    unjudged: int

    @property
    def many(self) -> bool:
        return self.late + self.overdue >= MANY

    def __str__(self) -> str:
        said = f"{self.late} customers on {self.profile.name} wait who could not be acknowledged within their hour"
        if self.unjudged:
            said += f"; {self.unjudged} posts are not judged yet, {self.overdue} of them for more than an hour"
        return said


def look(desk: Desk, now: datetime) -> int:
    """Raise, keep true and settle the alert of every profile. Returns how many are new."""
    with desk.database.read() as session:
        found = list(_backlogs(session, desk, now))
        known = dict(_known(session))
    new = [item for item in found if item.many and item.profile.name not in known]
    changed = [item for item in found if item.many and known.get(item.profile.name, str(item)) != str(item)]
    over = [item for item in found if not item.many and item.profile.name in known]
    if not new and not changed and not over:
        return 0
    columns = c(AlertRow)
    with desk.database.write() as session:
        for item in over:
            alerts.settle(session, kind=KIND, subject=item.profile.name)
        for item in changed:
            alert = session.execute(
                select(AlertRow).where(columns.kind == KIND, columns.subject == item.profile.name).with_for_update()
            ).scalar()
            if alert is not None:
                alert.message = str(item)
                session.add(alert)
        for item in new:
            alerts.raise_once(
                session,
                kind=KIND,
                subject=item.profile.name,
                message=str(item),
                now=now,
                urgency=Urgency.HIGH,
                brand_id=item.profile.brand_id,
                profile_id=item.profile.id,
            )
    return len(new)


def _known(session: Session) -> Iterator[tuple[str, str]]:
    """(profile, what its alert says)."""
    columns = c(AlertRow)
    for row in session.execute(select(columns.subject, columns.message).where(columns.kind == KIND)):
        yield row.subject, row.message


def _backlogs(session: Session, desk: Desk, now: datetime) -> Iterator[Backlog]:
    late = _late(session)
    overdue, unjudged = _unjudged(session, before=now - CUSTOMERS_HOUR), _unjudged(session, before=now)
    for id_, live in desk.profiles.items():
        yield Backlog(profile=live, late=late.get(id_, 0), overdue=overdue.get(id_, 0), unjudged=unjudged.get(id_, 0))


def _late(session: Session) -> dict[int, int]:
    """By profile: customers who wait, whose text was too late, and who got no other since they wait."""
    cases, replies, conversations = c(EscalationRow), c(ReplyRow), c(ConversationRow)
    too_late = exists().where(
        replies.conversation_id == cases.conversation_id,
        replies.state == ReplyState.LATE.value,
        replies.sent_by == SentBy.ROBOT.value,
        replies.created_at >= conversations.waiting_since,
    )
    profile = cases.profile_id + 0  # else SQLite would read all of the profile's for the sake of their order
    rows = session.execute(
        select(profile, func.count())
        .join(ConversationRow, conversations.id == cases.conversation_id)
        .where(
            active(EscalationRow),
            too_late,
            conversations.last_automated_at.is_(None) | (conversations.last_automated_at < conversations.waiting_since),
        )
        .group_by(profile)
    )
    return {profile_id: count for profile_id, count in rows}


def _unjudged(session: Session, *, before: datetime) -> dict[int, int]:
    """By profile: customers' posts that came in ``before`` and have no judgement yet. A post of the night that waits for
    the opening has one."""
    columns = c(PostRow)
    profile = columns.profile_id + 0
    rows = session.execute(
        select(profile, func.count())
        .where(active(PostRow), columns.state == "new", columns.due_at <= before, columns.history.is_(False))
        .group_by(profile)
    )
    return {profile_id: count for profile_id, count in rows}
