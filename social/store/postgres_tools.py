"""PostgreSQL's own tools for copies, ``pg_dump`` and ``pg_restore``, run with the desk's address. The password goes through
their environment, where other users of the machine cannot read it; it is never part of a command."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import inspect

from social.domain.errors import Conflict, NotFound, StoreError
from social.store import copies, schema
from social.store.session import Database

#: Options of a PostgreSQL address that its tools know by an environment variable (libpq, "Environment Variables").
_OPTIONS = {
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "options": "PGOPTIONS",
    "host": "PGHOST",
    "port": "PGPORT",
    "service": "PGSERVICE",
    "passfile": "PGPASSFILE",
}


def backup(database: Database, folder: Path, *, label: str, now: datetime) -> Path:
    """A complete copy in ``pg_dump``'s custom format, consistent though the desk runs, readable by its owner alone. Raises
    ``NotFound`` where ``pg_dump`` is missing, and ``StoreError``."""
    target = folder / f"{database.url.database}-{label}-{now:%Y%m%dT%H%M%S}.dump"
    command = ["pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--no-password"]
    program = _found("pg_dump", [*command, f"--file={target}"], database)
    if target.exists():
        raise StoreError("there is already a backup of this name.", resource=str(target), next_step="Move it away.")
    draft = copies.draft_of(target)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        copies.sweep(folder, rf"{re.escape(str(database.url.database))}-.+\.dump", now=now)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _run([program, *command[1:], f"--file={draft}"], database, "the backup failed")
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError as error:
        raise StoreError(
            f"the backup cannot be written ({error.strerror}).",
            resource=str(target),
            next_step="Choose a folder that is writable and has room: --to FOLDER",
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return target


def restore(database: Database, file: Path) -> None:
    """Put ``file`` into an empty database, all or nothing, and bring it to this program's form. No desk works on it before
    ``schema.finished``. Raises ``NotFound``, ``Conflict`` where the database is not empty, and ``StoreError``, also for a copy
    of a newer program."""
    if not file.is_file():
        raise NotFound(
            "there is no such file.", resource=str(file), next_step="Give a file that social db backup made."
        )
    command = [
        "pg_restore",
        "--no-owner",
        "--no-privileges",
        "--no-password",
        "--single-transaction",
        "--exit-on-error",
    ]
    command.append(f"--dbname={database.url.database}")
    program = _found("pg_restore", [*command, str(file)], database)
    with database.read() as session:
        tables = inspect(session.connection()).get_table_names()
    if tables:
        raise Conflict(
            f"this database holds {len(tables)} tables already, and nothing is written over.",
            resource=database.url.render_as_string(hide_password=True),
            next_step="Make an empty one (createdb NAME), name it in [database] url, and repeat; the old one stays.",
        )
    _refuse_newer(program, database, file)
    schema.unfinished(database)
    try:
        _run([program, *command[1:], str(file)], database, "the restore failed, and nothing was changed")
    except StoreError:
        with database.write() as session:
            schema.finished(session)
        raise
    schema.upgrade_copy(database)


def _refuse_newer(program: str, database: Database, file: Path) -> None:
    """The copy's own words on its form, before anything is written."""
    what = [program, "--data-only", "--table=alembic_version", "--file=-", str(file)]
    said = _run(what, database, "this is no copy that can be read").splitlines()
    start = next((number for number, line in enumerate(said) if line.startswith("COPY ")), None)
    found = said[start + 1].strip() if start is not None and len(said) > start + 1 else ""
    if found and found != "\\." and not schema.knows(found):
        raise StoreError(
            f"the copy was made by a newer program (schema {found}).",
            resource=str(file),
            next_step="Install that version of the program, or take an older copy.",
        )


def _found(name: str, command: list[str], database: Database) -> str:
    program = shutil.which(name)
    if program is None:
        raise NotFound(
            f"{name} is not on this machine, so nothing was done.",
            resource=database.url.render_as_string(hide_password=True),
            next_step="Install PostgreSQL's client programs, or run this where they are (PGHOST, PGUSER and PGDATABASE "
            f"say which database): {shlex.join(command)}",
        )
    return program


def _run(command: list[str], database: Database, what: str) -> str:
    done = subprocess.run(  # noqa: S603 our own words and a path; no shell
        command, env=_environment(database), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[:400] or f"it ended with {done.returncode}"
        password = database.url.password
        raise StoreError(
            f"{what} ({said.replace(str(password), '***') if password else said}).",
            resource=database.url.render_as_string(hide_password=True),
            next_step="See that the server can be reached and that its programs here are not older than it.",
        )
    return done.stdout


def _environment(database: Database) -> dict[str, str]:
    url = database.url
    given: dict[str, object] = {
        "PGHOST": url.host,
        "PGPORT": url.port,
        "PGUSER": url.username,
        "PGDATABASE": url.database,
        "PGPASSWORD": url.password,
    }
    given |= {_OPTIONS[key]: value for key, value in url.query.items() if key in _OPTIONS}
    return os.environ | {name: str(value) for name, value in given.items() if value}
