"""The people's queue: at most one waiting case a conversation; new posts join it, ended ones come back within 72 h."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlmodel import Session

from social.domain.assessment import Urgency, most_urgent
from social.domain.errors import Conflict, NotFound
from social.domain.escalation import REOPEN_WITHIN, WAITING_STATES, EscalationState, may_follow
from social.domain.reply import SentBy
from social.store import outbox
from social.store.journal import ROBOT, note, note_all
from social.store.rows import among, c, insert_rows
from social.store.tables import AlertRow, ConversationRow, EscalationRow, PostRow, UserRow

WAITING = tuple(state.value for state in WAITING_STATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """Why a post must be seen by people."""

    brand_id: int
    profile_id: int
    conversation_id: int
    post_id: int
    urgency: Urgency
    rule: str
    reason: str
    waiting_since: datetime
    formal_deadline: timedelta | None = None

    @property
    def deadline(self) -> datetime | None:
        return None if self.formal_deadline is None else self.waiting_since + self.formal_deadline


def open_or_join(session: Session, case: NewCase, *, now: datetime) -> int:
    """The number of the conversation's waiting case, raised if the new post is more urgent; else of the one that ended
    within 72 h, open again; else of a new one."""
    return open_or_join_all(session, [case], now=now)[0]


def open_or_join_all(session: Session, cases: Sequence[NewCase], *, now: datetime) -> list[int]:
    """The same for many, each of another conversation, in a few statements."""
    session.flush()
    conversations = [case.conversation_id for case in cases]
    latest = {
        row.conversation_id: row for row in session.connection().execute(_KNOWN, {"conversations": conversations})
    }
    new = [case for case in cases if _begins_anew(latest.get(case.conversation_id), now)]
    numbers = _open_all(session, new, now=now)
    for case in cases:
        if case.conversation_id not in numbers:
            numbers[case.conversation_id] = _join(session, latest[case.conversation_id], case, now=now)
    return [numbers[conversation_id] for conversation_id in conversations]


#: The newest case of a conversation last, after it the one that waits.
_KNOWN = (
    select(
        c(EscalationRow).conversation_id,
        c(EscalationRow).id,
        c(EscalationRow).state,
        c(EscalationRow).opened_at,
        c(EscalationRow).answered_at,
        c(EscalationRow).closed_at,
    )
    .where(among(c(EscalationRow).conversation_id, "conversations"))
    .order_by(c(EscalationRow).state.in_(WAITING), c(EscalationRow).id)
)


def _begins_anew(latest: Any, now: datetime) -> bool:
    if latest is None:
        return True
    ended_at = latest.answered_at or latest.closed_at or latest.opened_at
    return latest.state not in WAITING and ended_at < now - REOPEN_WITHIN


def _open_all(session: Session, cases: Sequence[NewCase], *, now: datetime) -> dict[int, int]:
    """Conversation -> the number of its new case."""
    if not cases:
        return {}
    rows = [
        {
            "brand_id": case.brand_id,
            "profile_id": case.profile_id,
            "conversation_id": case.conversation_id,
            "post_id": case.post_id,
            "state": EscalationState.OPEN.value,
            "due_at": now,
            "attempts": 0,
            "urgency": case.urgency.value,
            "urgency_rank": case.urgency.rank,
            "rule": case.rule,
            "reason": case.reason,
            "formal": case.formal_deadline is not None,
            "opened_at": now,
            "waiting_since": case.waiting_since,
            "deadline_at": case.deadline,
            "answered_natively": False,
        }
        for case in cases
    ]
    insert_rows(session, EscalationRow, rows)
    opened = {"conversations": [case.conversation_id for case in cases]}
    numbers = {row.conversation_id: row.id for row in session.connection().execute(_WAITING, opened)}
    details = {numbers[case.conversation_id]: {"rule": case.rule} for case in cases}
    note_all(session, at=now, actor=ROBOT, verb="opened", subject="case", details=details)
    return numbers


#: One waits in each conversation at most; asked for afterwards, since rows that return their numbers are written one by one.
_WAITING = select(c(EscalationRow).id, c(EscalationRow).conversation_id).where(
    among(c(EscalationRow).conversation_id, "conversations"),
    c(EscalationRow).state.in_(WAITING),
)


def _join(session: Session, latest: Any, case: NewCase, *, now: datetime) -> int:
    row, deadline = get(session, latest.id), case.deadline
    ended = latest.state not in WAITING
    if ended:
        row.state, row.token, row.leased_until = EscalationState.OPEN.value, None, None
        row.taken_by, row.taken_at, row.answered_at, row.closed_at, row.close_reason = None, None, None, None, None
        row.answered_natively, row.waiting_since = False, case.waiting_since
        row.urgency, row.urgency_rank = case.urgency.value, case.urgency.rank
        row.post_id, row.rule, row.reason = case.post_id, case.rule, case.reason
        row.deadline_at = None  # what it was for has been answered; that it was a formal complaint is kept
        session.execute(  # a case that comes back may ring again
            delete(AlertRow).where(c(AlertRow).kind == "case", c(AlertRow).escalation_id == row.id)
        )
        note(session, at=now, actor=ROBOT, verb="reopened", subject="case", subject_id=row.id)
    else:
        urgency = most_urgent(Urgency(row.urgency), case.urgency)
        if urgency.value != row.urgency:
            row.rule, row.reason = case.rule, case.reason
        row.urgency, row.urgency_rank = urgency.value, urgency.rank
        note(session, at=now, actor=ROBOT, verb="joined", subject="case", subject_id=row.id)
    if deadline is not None:
        row.formal, row.deadline_at = True, min(deadline, row.deadline_at or deadline)
    session.add(row)
    session.flush()
    return int(latest.id)


def take(session: Session, case_id: int, *, user: int, name: str, now: datetime) -> EscalationRow:
    """Two people never answer one customer: the second is told who was first."""
    row = get(session, case_id)
    if row.state == EscalationState.TAKEN.value and row.taken_by == user:
        return row
    if row.state != EscalationState.OPEN.value:
        raise Conflict(
            f"case {case_id} is {row.state}{_by(session, row)}.",
            next_step="Choose another: social queue list"
            if row.state != "taken"
            else f"Talk to them, or take it over first: social queue take {case_id} --over",
        )
    _move(session, row, EscalationState.TAKEN, taken_by=user, taken_at=now)
    note(session, at=now, actor=name, verb="took", subject="case", subject_id=case_id)
    return get(session, case_id)


def close(session: Session, case_id: int, *, reason: str, name: str, now: datetime) -> EscalationRow:
    row = get(session, case_id)
    reason = reason.strip()
    if not reason:
        raise Conflict(
            f"case {case_id} cannot be closed without a reason.", next_step='Say why: --reason "answered by phone"'
        )
    if row.state == EscalationState.CLOSED.value:
        raise Conflict(f"case {case_id} is closed already.")
    _move(session, row, EscalationState.CLOSED, closed_at=now, close_reason=reason)
    session.execute(
        update(ConversationRow).where(c(ConversationRow).id == row.conversation_id).values(waiting_since=None)
    )
    outbox.cancel_planned(
        session,
        now=now,
        reason="the case was closed",
        conversation_id=row.conversation_id,
        sent_by=SentBy.ROBOT,
    )
    # what was to be decided again at opening would bring the case back; what was edited is "new", and does
    session.execute(
        update(PostRow)
        .where(c(PostRow).conversation_id == row.conversation_id, c(PostRow).state == "waiting")
        .values(state="judged", token=None, leased_until=None)
    )
    note(session, at=now, actor=name, verb="closed", subject="case", subject_id=case_id, detail={"reason": reason})
    return get(session, case_id)


def answered(
    session: Session, conversation_id: int, *, at: datetime, now: datetime, natively: bool, actor: str
) -> None:
    """A person's answer is public: the case ends at the answer's own time."""
    row = waiting_case(session, conversation_id)
    if row is None:
        return
    _move(session, row, EscalationState.ANSWERED, answered_at=at, answered_natively=natively)
    note(
        session,
        at=now,
        actor=actor,
        verb="answered",
        subject="case",
        subject_id=row.id,
        detail={"natively": natively, "at": at.isoformat()},
    )


def mark_deleted(session: Session, conversation_id: int, *, post_id: int, now: datetime) -> None:
    row = waiting_case(session, conversation_id)
    if row is not None and row.post_id == post_id:
        row.note = "The customer deleted this post."
        session.add(row)
        note(session, at=now, actor=ROBOT, verb="post deleted", subject="case", subject_id=row.id)


def waiting_case(session: Session, conversation_id: int) -> EscalationRow | None:
    columns = c(EscalationRow)
    return session.execute(
        select(EscalationRow).where(columns.conversation_id == conversation_id, columns.state.in_(WAITING))
    ).scalar_one_or_none()


def get(session: Session, case_id: int) -> EscalationRow:
    row = session.get(EscalationRow, case_id)
    if row is None:
        raise NotFound(f"there is no case {case_id}.", next_step="See them with: social queue list")
    return row


def _move(session: Session, row: EscalationRow, following: EscalationState, **values: Any) -> None:
    if not may_follow(EscalationState(row.state), following):
        raise Conflict(f"case {row.id} is {row.state} and cannot become {following.value}.")
    columns = c(EscalationRow)
    changed: Any = session.execute(
        update(EscalationRow)
        .where(columns.id == row.id, columns.state == row.state)
        .values(state=following.value, token=None, leased_until=None, **values)
        .execution_options(synchronize_session="fetch")
    )
    if changed.rowcount != 1:
        raise Conflict(f"case {row.id} was changed by somebody else just now.", next_step="Look again and repeat.")


def _by(session: Session, row: EscalationRow) -> str:
    if row.taken_by is None:
        return ""
    user = session.get(UserRow, row.taken_by)
    return f" by {user.name}" if user is not None else ""
