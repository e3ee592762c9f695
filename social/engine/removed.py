"""A profile left the configuration: nobody has it open any more, so nobody would ever claim what it still had to say.

What is planned is cancelled. What may have been published cannot be looked up without the network: people look. What customers
wrote and nobody judged is shown to people too.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import or_, select
from sqlmodel import Session

from social.domain.decision import Outcome
from social.domain.reply import ReplyState
from social.engine import alerts, aside
from social.engine.claims import LONGEST_LEASE, Claimed, machine_time, nobody_holds
from social.store import locks, outbox
from social.store.rows import active, among, c
from social.store.session import Database
from social.store.tables import PostRow, ProfileRow, ReplyRow

log = logging.getLogger("social.deliver")

#: So many replies, or a few more, in one transaction.
AT_ONCE = 200
NOT_SENT = "not sent, its profile was removed from the configuration"
NOT_JUDGED = "was not judged before its profile was removed from the configuration"
NOBODY_LOOKS = "its profile was removed from the configuration before anybody could tell whether it was published; look"


def end_replies(database: Database, now: datetime, *, besides: Collection[int] = ()) -> int:
    """Cancel what removed profiles still plan, and give people what is doubtful. Returns how many replies; an idle look
    never takes the write lock. What somebody still holds on the wire is left alone until its lease ends: ask again.
    ``besides``: profiles that this process has open all the same, and looks up itself."""
    ended = 0
    while True:
        with database.read() as session:
            removed = [profile_id for profile_id in _removed(session) if profile_id not in besides]
            conversations = _conversations(session, removed) if removed else set()
        done = database.step(partial(_end_some, removed, conversations, now)) if conversations else 0
        if not done:
            return ended
        ended += done


def show_unjudged(database: Database, now: datetime, *, besides: Collection[int] = ()) -> int:
    """Give people what came in on removed profiles and was not judged. Returns how many posts; otherwise as
    ``end_replies``."""
    shown = 0
    while True:
        with database.read() as session:
            removed = [profile_id for profile_id in _removed(session) if profile_id not in besides]
            query = select(c(PostRow).id, c(PostRow).conversation_id).where(*_unjudged(session, removed)).limit(AT_ONCE)
            found = {post_id: conversation_id for post_id, conversation_id in session.execute(query)} if removed else {}
        done = database.step(partial(_show_some, removed, found, now)) if found else 0
        if not done:
            return shown
        shown += done


def _unjudged(session: Session, removed: Collection[int]) -> list[Any]:
    """Due at some time (what a backfill holds is not), and held by nobody any more."""
    columns, machine = c(PostRow), machine_time(session)
    return [
        Claimed.POST.value.waits(),
        columns.due_at.is_not(None),
        among(columns.profile_id + 0, removed),
        nobody_holds(columns, machine, machine + LONGEST_LEASE),
    ]


def _show_some(removed: Collection[int], found: Mapping[int, int], now: datetime, session: Session) -> int:
    locks.hold_conversations(session, sorted(set(found.values())))
    names = _removed(session)
    rows = session.execute(
        select(PostRow)
        .where(*_unjudged(session, names.keys() & set(removed)), among(c(PostRow).id, list(found)))
        .order_by(c(PostRow).id)
        .with_for_update(key_share=True)
    )
    posts = rows.scalars().all()
    for row in posts:
        row.state, row.token, row.leased_until = "failed", None, None
        row.outcome, row.reason = Outcome.ESCALATED.value, f"failed: {NOT_JUDGED}"
        session.add(row)
        aside.open_case_of_post(session, row, NOT_JUDGED, now=now)
        log.warning("%-12s %s #%d: %s", "escalated", names[row.profile_id], row.id, NOT_JUDGED)
    return len(posts)


def _removed(session: Session) -> dict[int, str]:
    columns = c(ProfileRow)
    found = session.execute(select(columns.id, columns.name).where(columns.state == "removed"))
    return {profile_id: name for profile_id, name in found}


def _conversations(session: Session, removed: Collection[int]) -> set[int]:
    """Not by DISTINCT: for that SQLite would read all replies, one conversation after another."""
    query = select(c(ReplyRow).conversation_id).where(*_stranded(session, removed)).limit(AT_ONCE)
    return set(session.execute(query).scalars())


def _stranded(session: Session, removed: Collection[int]) -> list[Any]:
    """Planned, whoever holds it: its token goes. Or sending, by nobody any more, as ``claims`` sees it."""
    columns, machine = c(ReplyRow), machine_time(session)
    return [
        active(ReplyRow),
        among(columns.profile_id + 0, removed),  # + 0: SQLite would rather read all that the profile ever said
        or_(
            columns.state == ReplyState.PLANNED.value,
            nobody_holds(columns, machine, machine + LONGEST_LEASE),
        ),
    ]


def _end_some(removed: Collection[int], conversations: Collection[int], now: datetime, session: Session) -> int:
    locks.hold_conversations(session, conversations)
    names = _removed(session)  # a daemon that started meanwhile may have brought one back
    columns = c(ReplyRow)
    rows = session.execute(
        select(ReplyRow)
        .where(*_stranded(session, names.keys() & set(removed)), among(columns.conversation_id, conversations))
        .order_by(columns.id)
        .with_for_update()
    )
    said: dict[int, list[str]] = defaultdict(list)
    ended = rows.scalars().all()
    for row in ended:
        doubtful = row.state == ReplyState.SENDING.value
        if doubtful:
            outbox.change_state(session, row.id or 0, ReplyState.SENDING, ReplyState.UNKNOWN, reason=NOBODY_LOOKS)
        else:
            outbox.cancel_planned(session, now=now, reason=NOT_SENT, conversation_id=row.conversation_id)
        words = f"{row.kind}: {NOBODY_LOOKS if doubtful else NOT_SENT}"
        log.warning("%-12s %s #%d: %s", row.state, names[row.profile_id], row.post_id, words)
        ended_as = ReplyState.UNKNOWN if doubtful else ReplyState.REFUSED
        case = aside.case_of_reply(session, row, words, state=ended_as, now=now)
        if case is None:
            continue
        said[row.conversation_id].append(words)
        case.note = "; ".join(said[row.conversation_id])[:500]
        session.add(case)
        if doubtful:
            alerts.nobody_can_tell(session, row.id, case, profile=names[row.profile_id], now=now)
    return len(ended)
