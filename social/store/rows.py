"""Column access without the ORM's guesswork: ``c(PostRow).state`` is a SQL column, also for the type checker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel


def t(model: type[SQLModel]) -> Table:
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table


def c(model: type[SQLModel]) -> Any:
    return t(model).c


def upsert(
    session: Session,
    model: type[SQLModel],
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Iterable[str],
    change: Iterable[str] = (),
) -> None:
    """Core bulk insert, a list of dicts in one statement: row by row through the ORM reaches 2 % of this speed.
    Rows that are there already get the columns in ``change`` (none: they stay as they are)."""
    if not rows:
        return
    statement: Any
    if session.get_bind().dialect.name == "postgresql":
        statement = postgresql.insert(t(model))
    else:
        statement = sqlite.insert(t(model))
    names = list(change)
    key = list(key)
    if names:
        statement = statement.on_conflict_do_update(
            index_elements=key, set_={name: statement.excluded[name] for name in names}
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=key)
    checked: Insert = statement
    session.execute(checked, [dict(row) for row in rows])
