"""The mark of an SQLite file whose rows were moved to another database: it can be read, and nothing in it can be changed.

SQLite itself refuses every change then, by triggers: also to a daemon that had the file open already, and to an older program.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, MetaData, Text, delete, insert, inspect, select, text
from sqlalchemy import Table as SqlTable
from sqlmodel import Session

from social.domain.errors import Conflict
from social.store.columns import UtcDateTime
from social.store.session import MOVED, Database
from social.store.tables import Table

#: No table of the schema: it is in such a file alone.
_MARK = SqlTable("moved_away", MetaData(), Column("at", UtcDateTime), Column("place", Text))
_TRIGGER = "moved_away_"


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedAway:
    """``to``: an address without its password. ``at``: machine time."""

    to: str
    at: datetime


def find(session: Session) -> MovedAway | None:
    connection = session.connection()
    if connection.dialect.name != "sqlite" or not inspect(connection).has_table(_MARK.name):
        return None
    row = session.execute(select(_MARK.c.place, _MARK.c.at)).first()
    return None if row is None else MovedAway(to=row.place, at=row.at)


def refuse(session: Session) -> None:
    """Raises ``Conflict`` in a file that was moved: whoever worked on it would be alone there."""
    away = find(session)
    if away is None:
        return
    raise Conflict(
        f"its rows were moved to {away.to} on {away.at:%Y-%m-%d at %H:%M} UTC, and nothing is changed here any more.",
        resource=str(session.connection().engine.url.database),
        next_step="Name that in [database] url. If it holds nothing, the move broke off at its last step: repeat it (social db "
        "migrate-to). To work on this file again after all: social db backup, then social db restore with that copy.",
    )


def refuse_opening(database: Database) -> None:
    """``refuse``, for who is about to work on ``database``."""
    with database.read() as session:
        refuse(session)


def close(session: Session, *, to: str, at: datetime) -> None:
    """From its commit on nothing in this database can be changed. May be done again."""
    connection = session.connection()
    _MARK.create(connection, checkfirst=True)
    session.execute(delete(_MARK))
    session.execute(insert(_MARK).values(place=to, at=at))
    quote = connection.dialect.identifier_preparer.quote
    for table in Table.metadata.sorted_tables:
        for change in ("INSERT", "UPDATE", "DELETE"):
            name = quote(f"{_TRIGGER}{table.name}_{change.lower()}")
            session.execute(
                text(
                    f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {change} ON {quote(table.name)} "
                    f"BEGIN SELECT RAISE(ABORT, '{MOVED}'); END"
                )
            )


def reopen(session: Session) -> None:
    """Take the mark away, where there is one: in a copy that somebody goes back to."""
    if find(session) is None:
        return
    connection = session.connection()
    names = session.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
    for name in names:
        if name.startswith(_TRIGGER):
            session.execute(text(f"DROP TRIGGER {connection.dialect.identifier_preparer.quote(name)}"))
    _MARK.drop(connection)
