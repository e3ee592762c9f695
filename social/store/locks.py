"""Who goes first. Two daemons, and a person at the desk, decide about one conversation one after another.

Each step that decides about a conversation takes its row before it looks: ``FOR NO KEY UPDATE``, which two cannot hold
at once and which does not stand in the way of rows that only refer to it. The order is the same for everybody, so that
nobody waits in a circle:

    authors (by id)  ->  conversations (by id)  ->  posts, replies, cases, alerts, incidents

SQLite knows one writer at a time, and SQLAlchemy leaves the clauses out there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import BigInteger, Select, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Session

from social.store.rows import among, c
from social.store.tables import AuthorRow, ConversationRow, PostRow, ReplyRow

#: Names for what has no row of its own to hold.
START, PROFILE_LIMIT = 1, 2


def hold_authors(session: Session, ids: Collection[int]) -> None:
    column = c(AuthorRow).id
    if ids and are_needed(session):
        session.execute(held(select(column).where(column.in_(_listed(ids))), column))


def hold_conversations(session: Session, ids: Collection[int]) -> None:
    column = c(ConversationRow).id
    if ids and are_needed(session):
        session.execute(held(select(column).where(column.in_(_listed(ids))), column))


def _listed(ids: Collection[int]) -> Select[Any]:
    """As one value: two hundred in a prepared statement are compared one by one with every row of a small table."""
    return select(func.unnest(literal([*ids], ARRAY(BigInteger))))


def held(rows: Select[Any], by: Any) -> Select[Any]:
    """These rows, held in the order that everybody keeps."""
    return rows.order_by(by).with_for_update(key_share=True)


def hold_around_posts(session: Session, post_ids: Collection[int]) -> None:
    """The authors and conversations of these posts: what is decided about them looks at nothing else that others change."""
    columns = c(PostRow)
    if not are_needed(session):
        return
    rows = session.execute(select(columns.author_id, columns.conversation_id).where(among(columns.id, post_ids))).all()
    hold_authors(session, {author_id for author_id, _ in rows})
    hold_conversations(session, {conversation_id for _, conversation_id in rows})


def hold_conversation_of_reply(session: Session, reply_id: int) -> None:
    column = c(ReplyRow).conversation_id
    if not are_needed(session):
        return
    hold_conversations(session, session.execute(select(column).where(c(ReplyRow).id == reply_id)).scalars().all())


def hold_name(session: Session, name: int, number: int = 0) -> None:
    """``name`` (and ``number``, a row's id) is ours until the transaction ends, on PostgreSQL."""
    if are_needed(session):
        session.execute(select(func.pg_advisory_xact_lock(name, number)))


def are_needed(session: Session) -> bool:
    """Not on SQLite, which has one writer at a time."""
    return session.get_bind().dialect.name == "postgresql"
