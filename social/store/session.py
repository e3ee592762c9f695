"""The database connection: one transaction a step, short writes, and errors that say what to do."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import QueuePool
from sqlmodel import Session

from social.clock import machine_now, monotonic
from social.database_url import secret_parameters
from social.domain.errors import ConfigurationError, Contended, ServerAway, StoreError
from social.ownership import make_folder, same_owner
from social.redaction import remember
from social.store import wakes

_BUSY_MILLISECONDS = 10_000
_SERVER_SECONDS = {
    "connect_timeout": 5,
    # a server whose machine vanished is noticed within a minute, not after the two hours of TCP's own default
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
#: Also for a machine that vanishes, or is paused, in the middle of a write: what it holds is free again after this.
_WRITE_MAY_IDLE, _WRITE_MAY_WAIT = "60s", "20s"
#: A step that lost against another one is run so often, with up to so many seconds between.
_STEP_ATTEMPTS, _STEP_PAUSE_SECONDS = 6, 0.1
_AWAY_PAUSE_SECONDS = 0.5
#: PostgreSQL's SQLSTATE codes (manual, appendix A): read_only_sql_transaction; undefined_table, undefined_column.
_READ_ONLY = "25006"
_OTHER_FORM = frozenset({"42P01", "42703"})
#: serialization_failure, deadlock_detected: the server ended one transaction so that another could go on.
_CONTENDED = frozenset({"40001", "40P01"})
_UNIQUE_VIOLATION = "23505"

T = TypeVar("T")


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
        _refuse_secret_parameters(parsed)
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
        else:
            # pre-ping: a server that was restarted costs nobody a failed step, only a new connection
            options |= {"connect_args": _server_options(parsed), "pool_pre_ping": True}
        if self.dialect == "postgresql" and find_spec("psycopg") is None:
            raise ConfigurationError(
                "the driver for PostgreSQL is not installed.",
                resource="[database] url",
                next_step="Install the extra [postgres] (pip install '.[postgres]' in its folder), or 'psycopg[binary]'.",
            )
        self._bells: list[Callable[[frozenset[str]], None]] = []
        self._file: tuple[int, int] | None = None
        self.engine: Engine = create_engine(parsed, **options)
        if self.dialect == "sqlite":
            event.listen(self.engine, "do_connect", self._make_file)
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "connect", self._remember_file)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "begin", _begin_postgresql)
        self._writing = self.engine.execution_options(write=True)

    @staticmethod
    def _make_folder(path: Path) -> None:
        try:
            make_folder(path.parent)
        except OSError as error:
            raise StoreError(
                f"the folder for the database cannot be made ({error.strerror}).",
                resource=str(path.parent),
                next_step="Choose a writable place in [database] url.",
            ) from error

    def _make_file(self, *_: Any) -> None:
        """SQLite would make it as the umask says, mostly for everybody to read; its log has the same mode as the file."""
        if self.path is None or str(self.path).startswith("file:"):  # a URI is SQLite's to read
            return
        place = Path(os.path.realpath(self.path))
        # one that is there is not even opened: closing it would end this process's locks on it. SQLite tells what is wrong
        with suppress(OSError):
            os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            same_owner(place, place.parent)

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
        """One step, one transaction: committed at the end of the block, rolled back on any error. Whom the step wakes
        (``social.store.wakes``) hears of it once it is committed, on this machine and on the others."""
        self._require_same_file()
        with _explained(self), self._write_lock, Session(self._writing) as session:
            yield session
            woken = wakes.of(session)
            if woken and self.dialect == "postgresql":
                session.execute(select(func.pg_notify(wakes.CHANNEL, ",".join(sorted(woken)))))
            session.commit()
        if woken:
            for bell in self._bells:
                bell(woken)

    def step(self, work: Callable[[Session], T], *, patience: float = 0.0) -> T:
        """``work`` in one transaction, and again from its beginning where another's came in between (a deadlock, the same
        row inserted by two). Whatever ``work`` changes must lie in the session. Raises ``Contended`` in the end.

        ``patience``: for so many seconds also again where the server went away, for work that took long and would be
        lost. Then ``work`` must see for itself (by its token) that it is done already: the commit may have come through."""
        attempt, until = 1, monotonic() + patience
        while True:
            pause = random.uniform(0, _STEP_PAUSE_SECONDS * attempt)
            try:
                with self.write() as session:
                    return work(session)
            except Contended:
                if attempt >= _STEP_ATTEMPTS:
                    raise
                attempt += 1
            except IntegrityError as error:
                if attempt >= _STEP_ATTEMPTS or getattr(error.orig, "sqlstate", None) != _UNIQUE_VIOLATION:
                    raise
                attempt += 1
            except ServerAway:
                if monotonic() >= until:
                    raise
                pause = _AWAY_PAUSE_SECONDS
            threading.Event().wait(pause)

    def on_wake(self, bell: Callable[[frozenset[str]], None]) -> None:
        """Call ``bell`` after every commit of this process that wakes somebody. It must not block."""
        self._bells.append(bell)

    def driver_connection(self) -> Any:
        """A connection of PostgreSQL's driver outside the pool, for whoever holds one for as long as it lives."""
        given, options = self.engine.dialect.create_connect_args(self.url)
        return self.engine.dialect.connect(*given, **{**options, **_server_options(self.url)}, autocommit=True)

    def close(self) -> None:
        self.engine.dispose()


def _refuse_secret_parameters(url: URL) -> None:
    """Nothing that shows an address hides them, and pg_dump is not given them."""
    if not (found := secret_parameters(url.query)):
        return
    remember(value for name in found for value in _values(url.query[name]))
    raise ConfigurationError(
        f"a database URL that holds a secret as a parameter ({', '.join(found)}) is refused: it would be shown.",
        resource="[database] url",
        next_step="Give the password as PGPASSWORD in the environment or in ~/.pgpass (another file: ?passfile=FILE), and "
        "what has no variable of its own in PostgreSQL's pg_service.conf (?service=NAME). Renew it if others saw it.",
    )


def _values(given: str | tuple[str, ...]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else given


def machine_time_of(session: Session) -> datetime:
    """Machine time that all daemons of this database share: the server's clock, where there is one."""
    if session.get_bind().dialect.name != "postgresql":
        return machine_now()
    at: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return at


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
    # secure_delete: what is deleted is overwritten (FAST would leave the pages that a long text or raw answer gives back)
    pragmas = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
    for pragma in (*pragmas, f"busy_timeout={_BUSY_MILLISECONDS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _server_options(url: URL) -> dict[str, Any]:
    """What the URL does not say itself."""
    wanted: dict[str, Any] = {**_SERVER_SECONDS, "tcp_user_timeout": 40_000, "application_name": "dyzur"}
    return {name: value for name, value in wanted.items() if name not in url.query}


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("write", False):
        connection.exec_driver_sql(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, true), set_config('lock_timeout', %s, true)",
            (_WRITE_MAY_IDLE, _WRITE_MAY_WAIT),
        )


@contextmanager
def _explained(database: Database) -> Iterator[None]:
    """Turn the driver's failures into one sentence that says what, where and what to do."""
    try:
        yield
    except NoConnectionFree as error:
        raise StoreError(
            "all connections to the database are in use.",
            resource=_resource(database),
            next_step="It is overloaded, or something holds them; it is tried again.",
        ) from error
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) in _CONTENDED:
            raise Contended(
                "somebody else worked on the same in this moment.",
                resource=_resource(database),
                next_step="Nothing was changed; try again.",
            ) from error
        kind = ServerAway if database.dialect == "postgresql" and _is_away(error) else StoreError
        raise kind(_explain(error), resource=_resource(database)) from error
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
        if MOVED in text:
            raise StoreError(
                "the rows of this database were moved to another one.",
                resource=_resource(database),
                next_step="Stop this program; social db status says where they are.",
            ) from error
        if "not a database" in text or "malformed" in text:
            raise StoreError(
                "the database file is damaged.",
                resource=_resource(database),
                next_step="Move it away and restore the newest backup beside it.",
            ) from error
        raise


#: What SQLite says by the triggers of a file whose rows were moved away (``social.store.moved_away``).
MOVED = "this database was moved to another one"


def _is_away(error: OperationalError) -> bool:
    """No connection, or a broken one: without a SQLSTATE the words are libpq's; 57Pxx is the server shutting down."""
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or state.startswith(("08", "57P"))


def _resource(database: Database) -> str:
    return str(database.path) if database.path else database.url.render_as_string(hide_password=True)


def _explain(error: OperationalError) -> str:
    text = str(error.orig).lower()
    if "readonly" in text or "read-only" in text:
        return "the database is read-only. Make the file and its folder writable for this user."
    if "disk is full" in text or "no space" in text or "disk i/o" in text:
        return "the disk is full or failing, nothing was sent or lost. Free some space; work goes on by itself."
    if "locked" in text or "busy" in text or "lock timeout" in text:
        return "the database is held by another program. Wait, or stop the other program."
    if "unable to open" in text:
        return "the database cannot be opened. Check that the folder exists and is writable."
    if "no such table" in text or "no such column" in text:
        return "the database has an older form. Upgrade it with: social db upgrade"
    if _is_away(error) or "connection" in text or "could not connect" in text or "refused" in text:
        return "the database server cannot be reached. Check [database] url and that it is running."
    return f"the database refused ({str(error.orig).splitlines()[0][:200]})."
