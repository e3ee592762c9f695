"""Replies on their way to the public. Every change of state clears the token, except the holder's own
``planned -> sending``; only ``planned`` can be cancelled; whoever comes later finds ``sending`` and is told so."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, text, update
from sqlmodel import Session

from social.domain.assessment import Urgency
from social.domain.reply import Composed, ReplyKind, ReplyState, SentBy, may_follow
from social.store import wakes
from social.store.journal import ROBOT, note
from social.store.rows import among, c, insert_rows
from social.store.tables import ConversationRow, ReplyRow

#: At most one automatic text a conversation within this time (the hand-over confirmation has its own column).
AUTOMATIC_PAUSE = timedelta(hours=24)
_LIMITED_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReply:
    """A reply to be planned. ``due_at`` and ``not_after`` are world time; a person's answer has no ``not_after``, and goes
    with the most urgent, whatever its ``urgency``."""

    brand_id: int
    profile_id: int
    conversation_id: int
    post_id: int
    author_id: int
    kind: ReplyKind
    sent_by: SentBy
    composed: Composed
    due_at: datetime
    not_after: datetime | None
    user_id: int | None = None
    urgency: Urgency = Urgency.NORMAL


def plan(session: Session, new: NewReply, *, now: datetime) -> ReplyRow:
    """Put a text, chosen once, into the outbox. Its key is stable over attempts and unique for ever."""
    row = ReplyRow(**_values(new, _earlier(session, [new])[new.post_id, new.kind.value], now))
    session.add(row)
    session.flush()
    if new.due_at <= now:
        wakes.wake(session, wakes.RESPOND)
    return row


def plan_all(session: Session, plans: Sequence[NewReply], *, now: datetime) -> None:
    """The same for many, in a few statements; one text of a kind a post."""
    if not plans:
        return
    earlier = _earlier(session, plans)
    insert_rows(session, ReplyRow, [_values(new, earlier[new.post_id, new.kind.value], now) for new in plans])
    if any(new.due_at <= now for new in plans):
        wakes.wake(session, wakes.RESPOND)


def _earlier(session: Session, plans: Sequence[NewReply]) -> Counter[tuple[int, str]]:
    """How many texts of a kind a post had before."""
    columns = c(ReplyRow)
    found = session.execute(
        select(columns.post_id, columns.kind).where(among(columns.post_id, [new.post_id for new in plans]))
    )
    return Counter((post_id, kind) for post_id, kind in found)


def _values(new: NewReply, earlier: int, now: datetime) -> dict[str, Any]:
    parts = (new.profile_id, new.post_id, new.kind.value, earlier, new.composed.text)
    return {
        "brand_id": new.brand_id,
        "profile_id": new.profile_id,
        "conversation_id": new.conversation_id,
        "post_id": new.post_id,
        "author_id": new.author_id,
        "kind": new.kind.value,
        "sent_by": new.sent_by.value,
        "user_id": new.user_id,
        "text": new.composed.text,
        "language": new.composed.language,
        "variant": new.composed.variant,
        "facts": dict(new.composed.facts),
        "key": hashlib.sha256("|".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest(),
        "state": ReplyState.PLANNED.value,
        "due_at": new.due_at,
        "not_after": new.not_after,
        "priority": new.urgency.band if new.sent_by is SentBy.ROBOT else 0,
        "created_at": now,
    }


def cancel_planned(
    session: Session,
    *,
    now: datetime,
    reason: str,
    conversation_id: int | None = None,
    post_id: int | None = None,
    author_id: int | None = None,
    sent_by: SentBy | None = None,
    keep: ReplyKind | None = None,
) -> int:
    """Cancel what is still only planned, but no text of the kind ``keep``, and fence off the worker that may hold it. Returns how
    many."""
    columns = c(ReplyRow)
    where = [columns.state == ReplyState.PLANNED.value]
    for column, value in (
        (columns.conversation_id, conversation_id),
        (columns.post_id, post_id),
        (columns.author_id, author_id),
        (columns.sent_by, sent_by.value if sent_by else None),
    ):
        if value is not None:
            where.append(column == value)
    if len(where) == 1:
        raise ValueError("say which conversation, post or author; cancelling everything is what the pause is for")
    if keep is not None:
        where.append(columns.kind != keep.value)
    ids = list(session.execute(select(columns.id).where(*where).with_for_update()).scalars())
    for reply_id in ids:
        change_state(session, reply_id, ReplyState.PLANNED, ReplyState.CANCELLED, reason=reason)
        note(
            session, at=now, actor=ROBOT, verb="cancelled", subject="reply", subject_id=reply_id, detail={"why": reason}
        )
    return len(ids)


def change_state(
    session: Session,
    reply_id: int,
    state: ReplyState,
    following: ReplyState,
    *,
    token: str | None = None,
    **values: Any,
) -> bool:
    """``state -> following`` if it is still in ``state`` (and, where given, still ours). ``False``: somebody was quicker."""
    if not may_follow(state, following):
        raise ValueError(f"a reply never goes from {state} to {following}")
    columns = c(ReplyRow)
    where = [columns.id == reply_id, columns.state == state.value]
    if token is not None:
        where.append(columns.token == token)
    result: Any = session.execute(
        update(ReplyRow)
        .where(*where)
        .values(state=following.value, token=None, leased_until=None, **values)
        .execution_options(synchronize_session="fetch")
    )
    return bool(result.rowcount == 1)


def intend(session: Session, row: ReplyRow, *, token: str, now: datetime, leased_until: Any) -> bool:
    """The intent, committed before the wire: ``planned -> sending`` keeps the holder's token. For the robot it is one
    transaction with the conversation's cap; ``False`` = do not send."""
    columns, conversations = c(ReplyRow), c(ConversationRow)
    prior = None
    if row.sent_by == SentBy.ROBOT.value:
        if row.kind == ReplyKind.HAND_OVER.value:
            column, free = conversations.handed_over_at, conversations.handed_over_at.is_(None)
        else:
            column = conversations.last_automated_at
            free = or_(column.is_(None), column < now - AUTOMATIC_PAUSE)
        prior = session.execute(select(column).where(conversations.id == row.conversation_id)).scalar()
        capped: Any = session.execute(
            update(ConversationRow).where(conversations.id == row.conversation_id, free).values({column.name: now})
        )
        if capped.rowcount != 1:
            return False
    result: Any = session.execute(
        update(ReplyRow)
        .where(columns.id == row.id, columns.state == ReplyState.PLANNED.value, columns.token == token)
        .values(
            state=ReplyState.SENDING.value,
            intended_at=now,
            due_at=now,
            leased_until=leased_until,
            prior_automated_at=prior,
            attempts=0,
        )
        .execution_options(synchronize_session=False)
    )
    return bool(result.rowcount == 1)


def room_at(session: Session, profile_id: int, *, an_hour: int, now: datetime) -> datetime | None:
    """When the profile may say something automatic again, if it said ``an_hour`` texts in the running hour; else ``None``."""
    columns = c(ReplyRow)
    filling = session.execute(
        select(columns.intended_at)
        .where(
            columns.profile_id == profile_id,
            columns.sent_by == SentBy.ROBOT.value,
            columns.intended_at > now - _LIMITED_WITHIN,
            columns.state.in_((ReplyState.SENDING.value, ReplyState.SENT.value, ReplyState.UNKNOWN.value)),
        )
        .order_by(columns.intended_at.desc())
        .offset(an_hour - 1)
        .limit(1)
    ).scalar()
    return None if filling is None else filling + _LIMITED_WITHIN


def put_off(session: Session, profile_id: int, *, until: datetime, reason: str) -> None:
    """The robot's planned texts of a profile that may still go out by ``until`` wait till then, whoever holds them."""
    columns = c(ReplyRow)
    session.execute(
        update(ReplyRow)
        .where(
            columns.profile_id == profile_id,
            text("reply.state = 'planned'"),  # written out: the condition of the partial index
            columns.sent_by == SentBy.ROBOT.value,
            columns.due_at < until,
            columns.not_after >= until,
        )
        .values(due_at=until, token=None, leased_until=None, attempts=0, reason=reason)
        .execution_options(synchronize_session=False)
    )


#: How the reason of a reply in doubt begins that its network called a duplicate.
DUPLICATE = "duplicate"


def called_duplicate(session: Session, reply_id: int, said: str) -> None:
    """The network says that these words stand there already. Kept with the reply, whoever holds it by now: not to be seen is no
    proof of absence from here, also for another process."""
    columns = c(ReplyRow)
    session.execute(
        update(ReplyRow)
        .where(columns.id == reply_id, columns.state == ReplyState.SENDING.value)
        .values(reason=f"{DUPLICATE}: {said}")
        .execution_options(synchronize_session=False)
    )


def is_called_duplicate(row: ReplyRow) -> bool:
    return (row.reason or "").startswith(f"{DUPLICATE}: ")


def release_cap(session: Session, row: ReplyRow) -> None:
    """A send that surely did not happen gives the conversation's cap back."""
    if row.sent_by == SentBy.ROBOT.value:
        take_cap(session, row, at=row.prior_automated_at)


def take_cap(session: Session, row: ReplyRow, *, at: datetime | None) -> None:
    """Set the time of the conversation's automatic text (of the hand-over confirmation, for that kind)."""
    name = "handed_over_at" if row.kind == ReplyKind.HAND_OVER.value else "last_automated_at"
    session.execute(update(ConversationRow).where(c(ConversationRow).id == row.conversation_id).values({name: at}))


def settle_sent(
    session: Session, reply_id: int, *, external_id: str, permalink: str | None, at: datetime, now: datetime
) -> bool:
    """The outcome is always recorded, whoever learns it first; only ``sending`` and ``unknown`` can become ``sent``."""
    for state in (ReplyState.SENDING, ReplyState.UNKNOWN):
        if change_state(
            session,
            reply_id,
            state,
            ReplyState.SENT,
            external_id=external_id,
            permalink=permalink,
            sent_at=at,
            reason=None,
        ):
            note(session, at=now, actor=ROBOT, verb="sent", subject="reply", subject_id=reply_id)
            return True
    return False


def settle_public(
    session: Session, row: ReplyRow, *, external_id: str, permalink: str | None, at: datetime, now: datetime
) -> None:
    """The network itself shows the text, or has said that it took it: stronger than whatever a look-up made of it meanwhile.
    The caller holds the conversation. Where it was settled already, or given up, its place stays with it all the same."""
    robot = row.sent_by == SentBy.ROBOT.value
    if row.state == ReplyState.PLANNED.value:  # the look-up said "surely absent" and erred: it must not go out again
        change_state(session, row.id or 0, ReplyState.PLANNED, ReplyState.SENDING)
        if robot:
            take_cap(session, row, at=at)
    if settle_sent(session, row.id or 0, external_id=external_id, permalink=permalink, at=at, now=now):
        return
    row.external_id, row.permalink = external_id, permalink
    session.add(row)
    if robot and row.state != ReplyState.SENT.value:
        # it was called absent, given up, and is public all the same: that was this conversation's automatic text
        conversation = session.get_one(ConversationRow, row.conversation_id)
        take_cap(session, row, at=max(filter(None, (conversation.last_automated_at, at))))


#: So many of the last texts are not said again where there are others.
RECENT = 6


def recent_variants(session: Session, profile_id: int) -> list[str]:
    """Variants that this profile used or planned last, newest first."""
    columns = c(ReplyRow)
    return list(
        session.execute(
            select(columns.variant)
            .where(columns.profile_id == profile_id, columns.sent_by == SentBy.ROBOT.value)
            .order_by(columns.id.desc())
            .limit(RECENT)
        ).scalars()
    )


def of_conversations(session: Session, conversation_ids: Sequence[int]) -> list[ReplyRow]:
    columns = c(ReplyRow)
    return list(
        session.execute(
            select(ReplyRow).where(among(columns.conversation_id, conversation_ids)).order_by(columns.id)
        ).scalars()
    )
