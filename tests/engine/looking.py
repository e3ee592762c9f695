"""What the engine's tests look at, and how a machine's troubles are made."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

from sqlalchemy import select

from social.clock import monotonic
from social.engine.desk import Desk
from social.store.rows import c
from social.store.session import Database
from social.store.tables import ProfileRow
from tests.factories import row_of


def rows(database: Database, model: type[Any]) -> list[Any]:
    """Every row of a table, in the order in which they were written."""
    with database.read() as session:
        found = list(session.execute(select(model).order_by(c(model).id)).scalars())
        session.expunge_all()
    return found


def profile_row(desk: Desk) -> dict[str, Any]:
    """The desk's only profile, as the database has it."""
    (profile_id,) = desk.profiles
    return row_of(desk.database, ProfileRow, profile_id)


def pragma(database: Database, words: str) -> None:
    """``max_page_count=1``: the disk is full. ``query_only=ON``: it is read-only. For this connection only."""
    with database.engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA {words}")


def eventually(condition: Callable[[], object], *, seconds: float = 180.0, what: str = "it") -> None:
    """Wait for what other threads or processes do. How long that takes is no part of any promise; that it comes, is."""
    end = monotonic() + seconds
    while not condition():
        if monotonic() > end:
            raise AssertionError(f"{what} did not happen within {seconds:g} seconds")
        Event().wait(0.02)
