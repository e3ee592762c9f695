"""A whole SQLite database into an empty PostgreSQL one: all rows or none, and both sides compared afterwards.

Values pass through the column types of ``tables``, so what was stored by a rule (NUL and lone surrogates in outside text,
times, JSON) is stored by the same rule there. The source is held for the time: nobody writes what would be left behind.
Before the target counts, the source is marked as moved: after a kill at any moment at most one of the two can be worked on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import URL, func, inspect, select, text
from sqlalchemy import Table as SqlTable
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from social.domain.errors import Conflict, StoreError
from social.store import moved_away, schema
from social.store.session import Database
from social.store.tables import Table

BATCH = 1000

#: ``progress(table, rows done, rows in all)``; called for each batch.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedTable:
    """``digest``: of all rows in whatever order, equal on both sides."""

    table: str
    rows: int
    digest: str


def tables() -> list[SqlTable]:
    """All tables, none before one that it refers to."""
    return list(Table.metadata.sorted_tables)


def move(
    source: Database,
    target: Database,
    *,
    now: datetime,
    still_idle: Callable[[], None] = lambda: None,
    progress: Progress = lambda *_: None,
) -> list[MovedTable]:
    """Move, and leave ``source`` marked as moved; ``now`` is machine time. ``still_idle`` is asked once nobody else can write
    to ``source``, and raises where a daemon works on it.

    Raises ``Conflict`` for a target that holds anything, ``StoreError`` where the two sides differ in the end; in both
    cases, and if this process dies, the target stays as it was. Only where the very last step fails (the target's commit, of
    which nobody knows then whether it came through) is the source marked all the same; the move can be repeated."""
    schema.require_current(source, even_moved=True)
    marked = False
    try:
        with source.write() as reading, target.write() as writing:
            reading.connection()  # a session begins when it is first used
            still_idle()
            moved = _there_already(reading, writing)
            if moved is None:
                _require_empty(writing, target)
                schema.create(writing)
                moved = _copy_all(reading, writing, target, progress)
            _mark(source, reading, target, now)
            marked = True
    except StoreError as error:
        if not marked:
            raise
        raise StoreError(
            f"the move broke off at its last step: {error}",
            next_step="Repeat it; until then no desk starts on the old file.",
        ) from error
    return moved


def without_password(url: URL) -> str:
    """``URL.set(password=None)`` would leave it as it is."""
    return (
        type(url)
        .create(url.drivername, url.username, None, url.host, url.port, url.database, url.query)
        .render_as_string()
    )


def digest_of(table: SqlTable, session: Session) -> MovedTable:
    """What a table holds, as one number: the sum of its rows' hashes, since the databases sort text differently."""
    total, count = 0, 0
    for batch in _batches(table, session):
        total += sum(map(_hash, batch))
        count += len(batch)
    return _told(table, count, total)


# --- pieces ------------------------------------------------------------------------------------------------------------


def _there_already(reading: Session, writing: Session) -> list[MovedTable] | None:
    """What a move that broke off at its last step brought over all the same, row by row; ``None``: nothing, or not the same."""
    there = set(inspect(writing.connection()).get_table_names())
    if moved_away.find(reading) is None or not there.issuperset(table.name for table in tables()):
        return None
    here = [digest_of(table, reading) for table in tables()]
    return here if here == [digest_of(table, writing) for table in tables()] else None


def _copy_all(reading: Session, writing: Session, target: Database, progress: Progress) -> list[MovedTable]:
    moved = [_copy(table, reading, writing, target, progress) for table in tables()]
    for table, done in zip(tables(), moved, strict=True):
        found = digest_of(table, writing)
        if found != done:
            raise StoreError(
                f"{table.name} came out different ({done.rows} rows here, {found.rows} there).",
                resource=_name(target),
                next_step="Nothing was kept there. Please report this.",
            )
        _set_sequence(table, writing)
    return moved


def _mark(source: Database, reading: Session, target: Database, now: datetime) -> None:
    """Committed here, before the target's rows are: the other way round both sides could be worked on after a kill."""
    try:
        moved_away.close(reading, to=without_password(target.url), at=now)
        reading.commit()
    except DBAPIError as error:
        raise StoreError(
            f"the old file cannot be marked as moved ({str(error.orig).splitlines()[0][:200]}).",
            resource=str(source.path),
            next_step="Nothing was kept at the target, and all is as it was. Make room, and see that it can be written.",
        ) from error


def _require_empty(session: Session, target: Database) -> None:
    """Nothing there, or this program's tables without a row (``social db upgrade`` was run on it)."""
    there = set(inspect(session.connection()).get_table_names())
    ours = {table.name: table for table in tables()}
    foreign = there - set(ours) - {"alembic_version"}
    filled = [
        name for name in sorted(there & set(ours)) if session.execute(select(ours[name]).limit(1)).first() is not None
    ]
    if foreign or filled:
        raise Conflict(
            f"the target is not empty (it has {', '.join(sorted(foreign) or filled)}).",
            resource=_name(target),
            next_step="Make a new database for it: createdb dyzur",
        )


def _copy(table: SqlTable, reading: Session, writing: Session, target: Database, progress: Progress) -> MovedTable:
    in_all = reading.execute(select(func.count()).select_from(table)).scalar_one()
    dialect = writing.get_bind().dialect
    to_driver = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in table.columns]
    quote = dialect.identifier_preparer.quote
    columns = ", ".join(quote(column.name) for column in table.columns)
    driver_errors: Any = target.engine.dialect.dbapi
    driver: Any = writing.connection().connection.driver_connection
    total, count = 0, 0
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {quote(table.name)} ({columns}) FROM STDIN") as rows:
            progress(table.name, 0, in_all)
            for batch in _batches(table, reading):
                for row in batch:
                    total += _hash(row)
                    rows.write_row(
                        [value if to is None else to(value) for to, value in zip(to_driver, row, strict=True)]
                    )
                count += len(batch)
                progress(table.name, count, in_all)
    except driver_errors.DataError as error:
        raise StoreError(
            f"{table.name} cannot be copied ({str(error).splitlines()[0][:200]}).",
            resource=_name(target),
            next_step="Nothing was kept there; the source is as it was.",
        ) from error
    return _told(table, count, total)


def _batches(table: SqlTable, session: Session) -> Iterator[Sequence[Any]]:
    """Rows as the program sees them, a thousand at a time."""
    statement = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=BATCH)
    yield from session.connection().execute(statement).partitions()


def _hash(row: Sequence[Any]) -> int:
    line = json.dumps([_plain(value) for value in row], sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(line.encode()).digest(), "big")


def _plain(value: Any) -> Any:
    """The same for both databases: times in UTC, bytes as hex, everything else as JSON has it (ASCII, so that a lone
    surrogate has a form)."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value


def _told(table: SqlTable, rows: int, total: int) -> MovedTable:
    return MovedTable(table=table.name, rows=rows, digest=f"{total % (1 << 256):064x}")


def _set_sequence(table: SqlTable, session: Session) -> None:
    """The next row gets the next number: COPY brought the numbers along and moved no sequence."""
    for column in table.primary_key.columns:
        asked = {"table": f'"{table.name}"', "column": column.name}
        name = session.execute(text("SELECT pg_get_serial_sequence(:table, :column)"), asked).scalar()
        highest = session.execute(select(func.max(column))).scalar()
        if name is not None and highest is not None:
            session.execute(text("SELECT setval(:name, :highest)"), {"name": name, "highest": highest})


def _name(database: Database) -> str:
    return database.url.render_as_string(hide_password=True)
