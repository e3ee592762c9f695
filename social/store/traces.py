"""What a database file still holds of deleted words, and getting rid of it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from social.store.personal import HELD
from social.store.rows import t
from social.store.session import Database


def sweep(database: Database) -> str:
    """Write the file anew without what was deleted, and empty its log (SQLite); give the space of old row versions back
    (PostgreSQL). Other programs go on, but wait to write meanwhile. Returns what could not be done; empty: nothing."""
    if database.dialect == "sqlite":
        return _sweep_sqlite(database)
    tables = sorted({t(held.model).name for held in HELD})
    with database.engine.connect() as connection:
        alone = connection.execution_options(isolation_level="AUTOCOMMIT")
        try:
            for name in tables:
                alone.execute(text(f'VACUUM "{name}"'))
        except DBAPIError as error:
            return f"PostgreSQL did not vacuum ({type(error.orig).__name__}); autovacuum will."
    return ""


def _sweep_sqlite(database: Database) -> str:
    with closing(database.engine.raw_connection()) as raw:
        connection: Any = raw.driver_connection
        try:
            connection.execute("VACUUM")
        except Exception as error:  # noqa: BLE001 the words are gone from the tables already; what is left is told
            return f"the file could not be written anew ({error})."
    return "" if empty_log(database) else "another program kept reading, so the file's log (-wal) could not be emptied."


def empty_log(database: Database) -> bool:
    """Write all that SQLite's log holds into the file. ``False``: another program kept reading. Raises ``sqlite3.Error``."""
    with closing(database.engine.raw_connection()) as raw:
        connection: Any = raw.driver_connection
        blocked, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not blocked
