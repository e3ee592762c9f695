"""What people do with a case: take, answer, close, settle. One transaction each, and no network: an answer goes into the
same outbox, past the same guard and platform rules as the robot's texts, and the daemon delivers it.

Two people never answer one customer: the second is refused and told who was first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session

from responders import timing
from responders.compose import CLOSING, OPENING
from responders.snapshot import Timing
from social.domain.decision import PlannedReply
from social.domain.errors import Conflict, NotFound
from social.domain.escalation import EscalationState
from social.domain.hours import BusinessCalendar
from social.domain.reply import ReplyKind, ReplyState, SentBy
from social.engine import alerts, aside
from social.engine.answering import (
    AnswerContext,
    PlannedAnswer,
    UnfitText,
    answer,
    context_of,
    customers_posts,
    locked_case,
    refuse_if_changed,
    refuse_second_answer,
    user_name,
)
from social.store import escalations, locks, outbox, posts, users
from social.store.journal import note
from social.store.queue import Seen
from social.store.rows import c
from social.store.session import Database
from social.store.tables import (
    ConversationRow,
    EscalationRow,
    PostRow,
    ReplyRow,
)

__all__ = [
    "AnswerContext",
    "PlannedAnswer",
    "Settled",
    "Taken",
    "UnfitText",
    "answer",
    "close",
    "context_of",
    "settle",
    "take",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """``acknowledgement_at``: when the robot steps in if nobody has answered by then; ``None`` where it says nothing."""

    case_id: int
    user: str
    acknowledgement_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    reply_id: int
    state: ReplyState
    case_id: int | None  # the case that still waits for an answer


# --- take --------------------------------------------------------------------------------------------------------------


def take(
    database: Database,
    case_id: int,
    *,
    user: str,
    now: datetime,
    calendar: BusinessCalendar,
    waits: Timing | None = None,
    over: bool = False,
    over_from: str | None = None,
) -> Taken:
    """The case is ``user``'s. A planned acknowledgement moves to minute 55, so that they have the time to write first.
    ``over`` takes it from whoever has it (who is ill, or gone home), unless their answer is already on its way; with
    ``over_from``, from that person only. Raises ``Conflict``."""

    def take_it(session: Session) -> datetime | None:
        case = locked_case(session, case_id)
        who = users.user_id(session, user, now=now)
        if over and case.state == EscalationState.TAKEN.value and case.taken_by != who:
            _take_over(session, case, who, over_from, user=user, now=now)
        else:
            escalations.take(session, case_id, user=who, name=user.strip(), now=now)
        return _postpone_acknowledgement(session, case.conversation_id, calendar, waits or Timing(), now)

    at = database.step(take_it)
    return Taken(case_id=case_id, user=user.strip(), acknowledgement_at=at)


def _take_over(
    session: Session, case: EscalationRow, who: int, over_from: str | None, *, user: str, now: datetime
) -> None:
    refuse_second_answer(session, case)
    before = user_name(session, case.taken_by)
    if over_from is not None and before != over_from:
        # somebody else took it over meanwhile, and is at work
        raise Conflict(f"case {case.id} is taken by {before} now.", next_step="Talk to them first.")
    case.taken_by, case.taken_at = who, now
    session.add(case)
    note(
        session,
        at=now,
        actor=user.strip(),
        verb="took over",
        subject="case",
        subject_id=case.id,
        detail={"from": before},
    )


def _postpone_acknowledgement(
    session: Session, conversation_id: int, calendar: BusinessCalendar, waits: Timing, now: datetime
) -> datetime | None:
    columns = c(ReplyRow)
    reply = session.execute(
        select(ReplyRow)
        .where(
            columns.conversation_id == conversation_id,
            columns.state == ReplyState.PLANNED.value,
            columns.sent_by == SentBy.ROBOT.value,
            columns.kind == ReplyKind.ACKNOWLEDGEMENT.value,
        )
        .with_for_update()
    ).scalar_one_or_none()
    conversation = session.get(ConversationRow, conversation_id)
    if reply is None or reply.due_at is None or reply.not_after is None or conversation is None:
        return None
    moved = timing.when_taken(
        PlannedReply(
            kind=ReplyKind.ACKNOWLEDGEMENT,
            due_at=reply.due_at,
            not_after=reply.not_after,
            opening=_fact(reply, OPENING),
            closing=_fact(reply, CLOSING),
        ),
        calendar,
        waits,
        since=conversation.waiting_since or reply.created_at,
        now=now,
    )
    if moved.due_at != reply.due_at:
        # without its token, a worker that holds it at this moment finds that it is not its own any more
        reply.due_at, reply.token, reply.leased_until = moved.due_at, None, None
        session.add(reply)
    return moved.due_at


def _fact(reply: ReplyRow, name: str) -> datetime | None:
    value = reply.facts.get(name)
    return datetime.fromisoformat(value) if value else None


# --- close -------------------------------------------------------------------------------------------------------------


def close(
    database: Database, case_id: int, *, user: str, now: datetime, reason: str = "", seen: Seen | None = None
) -> None:
    """End the case without an answer. A formal complaint needs a reason; one that somebody else has taken is theirs to
    close. ``seen`` is what was on the screen; without it, what was there when ``user`` took the case. Raises ``Conflict``
    for these, where the customer wrote since, and where the case is answered: its end would be lost."""
    reason = reason.strip()

    def end_it(session: Session) -> None:
        case = locked_case(session, case_id)
        who = users.user_id(session, user, now=now)
        if case.state == EscalationState.TAKEN.value and case.taken_by != who:
            raise Conflict(
                f"case {case_id} is taken by {user_name(session, case.taken_by)}.",
                next_step=f"Talk to them, or take it over first: social queue take {case_id} --over",
            )
        if case.state == EscalationState.ANSWERED.value:
            raise Conflict(f"case {case_id} is answered already, so there is nothing to close.")
        refuse_second_answer(session, case)
        taken_at = case.taken_at if case.state == EscalationState.TAKEN.value else None
        theirs = customers_posts(session, case.conversation_id)
        refuse_if_changed(session, case_id, theirs, seen, taken_at, again="close it with --seen {mark}")
        if not reason and case.formal:
            raise Conflict(
                f"case {case_id} is a formal complaint with a deadline; it ends with an answer or a reason.",
                next_step='Say why: --reason "settled by letter on 3 May"',
            )
        escalations.close(session, case_id, reason=reason or "no answer needed", name=user.strip(), now=now)

    database.step(end_it)


# --- settle ------------------------------------------------------------------------------------------------------------


def settle(
    database: Database,
    reply_id: int,
    *,
    sent: bool,
    user: str,
    now: datetime,
    external_id: str | None = None,
    permalink: str | None = None,
) -> Settled:
    """A person looked at a reply of unknown outcome and says whether it is there. The robot never sends it again: what
    was not published stays with the case, for a person to answer. Raises ``NotFound``, ``Conflict``."""

    def say_it(session: Session) -> Settled:
        users.user_id(session, user, now=now)
        locks.hold_conversation_of_reply(session, reply_id)
        reply = session.execute(select(ReplyRow).where(c(ReplyRow).id == reply_id).with_for_update()).scalar()
        if reply is None:
            raise NotFound(f"there is no reply {reply_id}.", next_step="See what is unsettled with: social queue list")
        if reply.state != ReplyState.UNKNOWN.value:
            raise Conflict(
                f"reply {reply_id} is {reply.state}; only an unknown one is settled by a person.",
                next_step="It is still being looked up; wait." if reply.state == ReplyState.SENDING.value else "",
            )
        if sent:
            _settle_sent(session, reply, external_id, permalink, user=user.strip(), now=now)
        else:
            _settle_not_sent(session, reply, user=user.strip(), now=now)
        alerts.settle(session, kind="unknown", subject=str(reply_id))
        waiting = escalations.waiting_case(session, reply.conversation_id)
        state = ReplyState.SENT if sent else ReplyState.REFUSED
        return Settled(reply_id=reply_id, state=state, case_id=waiting.id if waiting else None)

    return database.step(say_it)


def _settle_sent(
    session: Session, reply: ReplyRow, external_id: str | None, permalink: str | None, *, user: str, now: datetime
) -> None:
    at = reply.intended_at or now
    outbox.change_state(
        session,
        reply.id or 0,
        ReplyState.UNKNOWN,
        ReplyState.SENT,
        external_id=external_id,
        permalink=permalink,
        sent_at=at,
        reason=f"{user} saw it on the network",
    )
    note(session, at=now, actor=user, verb="settled as sent", subject="reply", subject_id=reply.id)
    conversation = session.get(ConversationRow, reply.conversation_id)
    if reply.sent_by == SentBy.PERSON.value and conversation is not None:
        posts.record_person_answer(
            session, conversation, at=at, now=now, natively=False, actor=user, seen_until=reply.created_at
        )


def _settle_not_sent(session: Session, reply: ReplyRow, *, user: str, now: datetime) -> None:
    """The conversation's cap is kept: a person's eyes may err, and a second automatic text would be worse than none."""
    reason = f"{user} looked: it was not published"
    outbox.change_state(session, reply.id or 0, ReplyState.UNKNOWN, ReplyState.REFUSED, reason=reason)
    note(session, at=now, actor=user, verb="settled as not sent", subject="reply", subject_id=reply.id)
    if _still_waits(session, reply):
        missed = f"the {reply.kind} did not reach the customer: {reason}"
        case = aside.case_of_reply(session, reply, missed, state=ReplyState.REFUSED, now=now)
    else:
        case = escalations.waiting_case(session, reply.conversation_id)
    if case is not None:
        case.note = f"{reply.kind}: {reason}"
        session.add(case)


def _still_waits(session: Session, reply: ReplyRow) -> bool:
    """Nobody answered the customer since: a case that ended for another reason does not come back for the robot's text."""
    conversation = session.get(ConversationRow, reply.conversation_id)
    if conversation is None or reply.sent_by != SentBy.PERSON.value:
        return False
    last = session.execute(
        select(func.max(c(PostRow).created_at)).where(
            c(PostRow).conversation_id == conversation.id, c(PostRow).ours.is_(False)
        )
    ).scalar()
    answered = conversation.person_answered_at
    return answered is None or last is None or answered < last
