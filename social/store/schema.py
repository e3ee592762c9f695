"""The schema's version: look, upgrade with a backup first, refuse what is newer than this program."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlmodel import Session

from social.domain.errors import StoreError
from social.store import moved_away
from social.store.copies import backup_sqlite
from social.store.session import Database
from social.store.tables import Table

_MIGRATIONS = Path(__file__).parent / "migrations"
#: An empty table of this name marks a database (PostgreSQL) into which a restore has begun and not ended.
_UNFINISHED = "unfinished_restore"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaStatus:
    """``current`` is ``None`` for an empty database."""

    current: str | None
    head: str
    known: bool

    @property
    def up_to_date(self) -> bool:
        return self.current == self.head


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def status(database: Database) -> SchemaStatus:
    scripts = ScriptDirectory.from_config(_config())
    head = scripts.get_current_head()
    if head is None:
        raise StoreError("the program has no migrations.", next_step="Install it again.")
    with database.read() as session:
        current = MigrationContext.configure(session.connection()).get_current_revision()
    return SchemaStatus(current=current, head=head, known=current is None or knows(current))


def knows(revision: str) -> bool:
    """Is this a form that the program had, or has?"""
    scripts = ScriptDirectory.from_config(_config())
    return revision in {script.revision for script in scripts.walk_revisions()}


def upgrade(database: Database, *, now: datetime) -> Path | None:
    """Bring the schema to this program's form, all or nothing. Returns the backup that was made before (SQLite only,
    and only where there was something to lose). Refuses a schema from a newer program, and a file that was moved."""
    before = status(database)
    _refuse_newer(before, database)
    moved_away.refuse_opening(database)
    if before.up_to_date:
        return None
    backup = backup_sqlite(database, label=f"before-{before.head}", now=now) if before.current else None
    _migrate(database)
    return backup


def create(session: Session) -> None:
    """The schema in its present form, in a transaction of the caller's."""
    command.upgrade(_config(session.connection()), "head")


def upgrade_copy(database: Database) -> None:
    """As ``upgrade``, of a database that is a copy itself, also of one that was moved. Refuses a schema from a newer program."""
    found = status(database)
    _refuse_newer(found, database)
    if found.current is None:
        raise StoreError("this copy holds no desk's data.", next_step="Give a file that social db backup made.")
    with database.write() as session:
        moved_away.reopen(session)
    if not found.up_to_date:
        _migrate(database)


def _migrate(database: Database) -> None:
    with database.write() as session:  # one transaction: killed in the midst of it, nothing has happened
        command.upgrade(_config(session.connection()), "head")


def unfinished(database: Database) -> None:
    """A restore begins: until it is ``finished``, ``require_current`` refuses. Who was forgotten since the copy was made may be
    in it again, and a supervisor would start the desk on it."""
    with database.write() as session:
        session.execute(text(f"CREATE TABLE {_UNFINISHED} ()"))


def finished(session: Session) -> None:
    session.execute(text(f"DROP TABLE IF EXISTS {_UNFINISHED}"))


def require_current(database: Database, *, even_moved: bool = False) -> None:
    """Refuse to work on another form of the schema, and name the command that mends it; and on a file that was moved."""
    with database.read() as session:
        if inspect(session.connection()).has_table(_UNFINISHED):
            raise StoreError(
                "a restore into this database did not come to its end: who was forgotten since may be in it again.",
                resource=database.url.render_as_string(hide_password=True),
                next_step="Drop it, make an empty one, and repeat social db restore.",
            )
    if not even_moved:
        moved_away.refuse_opening(database)
    found = status(database)
    _refuse_newer(found, database)
    if not found.up_to_date:
        raise StoreError(
            "the database has an older form." if found.current else "the database is empty.",
            resource=database.url.render_as_string(hide_password=True),
            next_step="Upgrade it with: social db upgrade",
        )


def _refuse_newer(found: SchemaStatus, database: Database) -> None:
    if not found.known:
        raise StoreError(
            f"the database was made by a newer program (schema {found.current}).",
            resource=database.url.render_as_string(hide_password=True),
            next_step="Install that version of the program, or restore an older backup.",
        )


def differences(database: Database) -> list[Any]:
    """What the tables say and the migrated database does not: empty unless a migration was forgotten."""
    with database.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": False})
        return list(compare_metadata(context, Table.metadata))


def check_integrity(database: Database) -> str | None:
    """A corrupt SQLite file, described in one sentence; ``None`` if sound (or not SQLite)."""
    if database.path is None or not database.path.exists():
        return None
    with database.read() as session:
        answer = session.connection().exec_driver_sql("PRAGMA quick_check(1)").scalar()
        inspect(session.connection()).get_table_names()
    return None if answer == "ok" else str(answer)
