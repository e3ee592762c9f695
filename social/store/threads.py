"""The thread as people read it: the customer's posts, ours by any client, and our replies with their states."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import Select, select
from sqlmodel import Session

from social.domain.post import Media
from social.domain.reply import ReplyKind, ReplyState, SentBy
from social.store.journal import NETWORK_APP
from social.store.mapping import media_from
from social.store.rows import c
from social.store.tables import AuthorRow, ConversationRow, PostRow, ReplyRow, RevisionRow, UserRow

#: The case's own conversation is shown whole; of other people's posts in its thread, the newest so many.
OTHERS_IN_THREAD = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One text of ours in the conversation. ``at``: when it was sent, was to be sent, or is due."""

    reply_id: int
    kind: ReplyKind
    state: ReplyState
    sent_by: SentBy
    at: datetime
    text: str
    by: str | None = None  # the person's name
    reason: str | None = None
    permalink: str | None = None
    post_id: int


class Side(StrEnum):
    CUSTOMER = "customer"
    OTHER = "other"  # somebody else in the same thread
    ROBOT = "robot"
    PERSON = "person"  # of the brand, from here or in the network's own app


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One post or reply of the thread. ``state`` stands on our replies; ``earlier_texts`` are revisions, oldest first."""

    at: datetime
    side: Side
    who: str
    text: str
    post_id: int | None = None
    reply_id: int | None = None
    kind: str = ""
    state: ReplyState | None = None
    reason: str | None = None
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    earlier_texts: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    permalink: str | None = None


def conversations_in(profile_id: int, thread_root: str) -> Select[tuple[int]]:
    """The ids of everybody's conversations in one thread, ours included: through them all of its posts are found by index."""
    columns = c(ConversationRow)
    return select(columns.id).where(columns.profile_id == profile_id, columns.thread_root == thread_root)


def thread(
    session: Session,
    conversation: ConversationRow,
    posts: Sequence[PostRow],
    replies: Sequence[ReplyRow],
    names: Mapping[int, str],
) -> tuple[Entry, ...]:
    columns = c(PostRow)
    others = list(
        session.execute(
            select(PostRow)
            .where(
                columns.conversation_id.in_(conversations_in(conversation.profile_id, conversation.thread_root)),
                columns.conversation_id != conversation.id,
            )
            .order_by(columns.created_at.desc())
            .limit(OTHERS_IN_THREAD)
        ).scalars()
    )
    shown = [*posts, *others]
    authors = {
        row.id: row
        for row in session.execute(
            select(AuthorRow).where(c(AuthorRow).id.in_({item.author_id for item in shown}))
        ).scalars()
    }
    earlier: dict[int, list[str]] = defaultdict(list)
    revisions = select(RevisionRow).where(c(RevisionRow).post_id.in_([item.id for item in shown]))
    for revision in session.execute(revisions.order_by(c(RevisionRow).number)).scalars():
        earlier[revision.post_id].append(revision.text)
    explained = _replies_by_own_post(session, conversation.profile_id, [item for item in others if item.ours])
    mine = {reply.external_id for reply in replies if reply.external_id}
    entries = [_reply_entry(reply, names) for reply in replies]
    for item in shown:
        if item.ours and item.native_id in mine:
            continue  # it stands there as the reply that it is
        side, who = Side.CUSTOMER, name_of(authors[item.author_id])
        if item.ours:
            reply = explained.get(item.native_id)
            robot = reply is not None and reply.sent_by == SentBy.ROBOT.value
            side, who = (Side.ROBOT, "robot") if robot else (Side.PERSON, NETWORK_APP)
            if reply is not None and reply.user_id is not None:
                who = names_of(session, [reply])[reply.user_id]
        elif item.conversation_id != conversation.id:
            side = Side.OTHER
        entries.append(_post_entry(item, side, who, earlier[item.id or 0]))
    return tuple(sorted(entries, key=lambda entry: (entry.at, entry.reply_id is not None)))


def _post_entry(item: PostRow, side: Side, who: str, earlier: Sequence[str]) -> Entry:
    return Entry(
        at=item.created_at,
        side=side,
        who=who,
        text=item.text,
        post_id=item.id,
        kind=item.kind,
        edited_at=item.edited_at,
        deleted_at=item.deleted_at,
        earlier_texts=tuple(earlier),
        media=media_from(item),
        permalink=item.permalink,
    )


def _reply_entry(reply: ReplyRow, names: Mapping[int, str]) -> Entry:
    said = said_of(reply, names)
    robot = said.sent_by is SentBy.ROBOT
    return Entry(
        at=said.at,
        side=Side.ROBOT if robot else Side.PERSON,
        who="robot" if robot else said.by or "somebody",
        text=reply.text,
        reply_id=reply.id,
        kind=reply.kind,
        state=said.state,
        reason=reply.reason,
        permalink=reply.permalink,
    )


def _replies_by_own_post(session: Session, profile_id: int, own: Sequence[PostRow]) -> dict[str, ReplyRow]:
    columns = c(ReplyRow)
    query = select(ReplyRow).where(
        columns.profile_id == profile_id, columns.external_id.in_([item.native_id for item in own])
    )
    return {row.external_id: row for row in session.execute(query).scalars() if row.external_id}


def name_of(author: AuthorRow) -> str:
    """What to call an author: the handle, else the name, else that the account is gone."""
    if author.handle:
        return f"@{author.handle.removeprefix('@')}"
    return author.display_name or ("(deleted account)" if author.deleted else "(no name)")


def said_of(row: ReplyRow, names: Mapping[int, str]) -> Said:
    return Said(
        reply_id=row.id or 0,
        kind=ReplyKind(row.kind),
        state=ReplyState(row.state),
        sent_by=SentBy(row.sent_by),
        at=(row.sent_at or row.intended_at or row.due_at or row.created_at).astimezone(UTC),
        text=row.text,
        by=names.get(row.user_id) if row.user_id is not None else None,
        reason=row.reason,
        permalink=row.permalink,
        post_id=row.post_id,
    )


def names_of(session: Session, replies: Collection[ReplyRow]) -> dict[int, str]:
    ids = {row.user_id for row in replies if row.user_id is not None}
    if not ids:
        return {}
    return {row.id or 0: row.name for row in session.execute(select(UserRow).where(c(UserRow).id.in_(ids))).scalars()}
