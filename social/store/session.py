"""The database connection: one transaction a step, short writes, and errors that say what to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import QueuePool
from sqlmodel import Session

from social.domain.errors import ConfigurationError, StoreError
from social.redaction import remember

_BUSY_MILLISECONDS = 10_000
#: PostgreSQL's SQLSTATE codes (manual, appendix A): read_only_sql_transaction; undefined_table, undefined_column.
_READ_ONLY = "25006"
_OTHER_FORM = frozenset({"42P01", "42703"})


class Database:
    """Sessions on SQLite or PostgreSQL.

    SQLite runs in WAL mode with ``synchronous=FULL`` (an intent survives power loss), reads with a plain BEGIN, writes
    with BEGIN IMMEDIATE behind a lock of this process, because SQLite's own waiting is not fair.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except (SQLAlchemyError, ValueError):
            raise ConfigurationError(
                "the database URL cannot be read.",
                resource="[database] url",
                next_step="Write sqlite:///var/dyzur.db or postgresql+psycopg://user@host/name.",
            ) from None  # the library's own words may repeat it, password and all
        if parsed.password:
            remember([str(parsed.password)])
        self.dialect = parsed.get_backend_name()
        if self.dialect not in {"sqlite", "postgresql"}:
            raise ConfigurationError(
                f"{self.dialect!r} is not supported.",
                resource="[database] url",
                next_step="Use sqlite:///var/dyzur.db or postgresql+psycopg://user@host/name.",
            )
        self.path = Path(parsed.database) if self.dialect == "sqlite" and parsed.database else None
        self.url = parsed
        self._write_lock: Any = threading.Lock() if self.dialect == "sqlite" else _NoLock()
        # an error of the database is told without what was to be written: it is what customers wrote
        options: dict[str, Any] = {"poolclass": QueuePool, "hide_parameters": True}
        if self.dialect == "sqlite":
            if self.path is None or str(self.path) == ":memory:":
                raise ConfigurationError("an in-memory database forgets everything.", resource="[database] url")
            self._make_folder(self.path)
            options["connect_args"] = {"timeout": _BUSY_MILLISECONDS / 1000}
        self._file: tuple[int, int] | None = None
        self.engine: Engine = create_engine(parsed, **options)
        if self.dialect == "sqlite":
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "connect", self._remember_file)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writing = self.engine.execution_options(write=True)

    @staticmethod
    def _make_folder(path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the folder for the database cannot be made ({error.strerror}).",
                resource=str(path.parent),
                next_step="Choose a writable place in [database] url.",
            ) from error

    def _remember_file(self, connection: Any, record: Any) -> None:
        self._file = self._file or _identity(self.path)

    def _require_same_file(self) -> None:
        """SQLite would go on with a file that is gone, for whoever has it open, and make a blank one for the next."""
        if self._file is None or (found := _identity(self.path)) == self._file:
            return
        raise StoreError(
            "the database file is gone." if found is None else "the database file was replaced while the program runs.",
            resource=_resource(self),
            next_step="Stop the program, restore the newest backup in this place, and start it again."
            if found is None
            else "Start the program again.",
        )

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A read-only look; nothing is committed."""
        self._require_same_file()
        with _explained(self), Session(self.engine) as session:
            yield session
            session.rollback()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One step, one transaction: committed at the end of the block, rolled back on any error."""
        self._require_same_file()
        with _explained(self), self._write_lock, Session(self._writing) as session:
            yield session
            session.commit()

    def close(self) -> None:
        self.engine.dispose()


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Which file lies there; ``None`` where none does."""
    try:
        found = path.stat() if path is not None else None
    except FileNotFoundError:
        return None
    return None if found is None else (found.st_dev, found.st_ino)


class _NoLock:
    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin_sqlite
    cursor = connection.cursor()
    # secure_delete: what is deleted is overwritten in the pages that are written anyway
    pragmas = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=FAST")
    for pragma in (*pragmas, f"busy_timeout={_BUSY_MILLISECONDS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def _explained(database: Database) -> Iterator[None]:
    """Turn the driver's failures into one sentence that says what, where and what to do."""
    try:
        yield
    except OperationalError as error:
        raise StoreError(_explain(error), resource=_resource(database)) from error
    except DBAPIError as error:
        text = str(error).lower()
        state = getattr(error.orig, "sqlstate", None)
        if "readonly" in text or state == _READ_ONLY:
            raise StoreError("the database is read-only.", resource=_resource(database)) from error
        if state in _OTHER_FORM:
            raise StoreError(
                "the database has another form than this program.",
                resource=_resource(database),
                next_step="Upgrade it with: social db upgrade",
            ) from error
        if "not a database" in text or "malformed" in text:
            raise StoreError(
                "the database file is damaged.",
                resource=_resource(database),
                next_step="Move it away and restore the newest backup beside it.",
            ) from error
        raise


def _resource(database: Database) -> str:
    return str(database.path) if database.path else database.url.render_as_string(hide_password=True)


def _explain(error: OperationalError) -> str:
    text = str(error.orig).lower()
    if "readonly" in text or "read-only" in text:
        return "the database is read-only. Make the file and its folder writable for this user."
    if "disk is full" in text or "no space" in text or "disk i/o" in text:
        return "the disk is full or failing, nothing was sent or lost. Free some space; work goes on by itself."
    if "locked" in text or "busy" in text:
        return "the database is held by another program. Wait, or stop the other program."
    if "unable to open" in text:
        return "the database cannot be opened. Check that the folder exists and is writable."
    if "no such table" in text or "no such column" in text:
        return "the database has an older form. Upgrade it with: social db upgrade"
    if "connection" in text or "could not connect" in text or "refused" in text:
        return "the database server cannot be reached. Check [database] url and that it is running."
    return f"the database refused ({str(error.orig).splitlines()[0][:200]})."
