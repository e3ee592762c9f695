"""Copies of an SQLite database, made while it is in use, and going back to one.

A copy is made under another name and gets its own once it is whole and on the disk: after a kill at any moment there is the
complete copy or none, never half a one that looks whole.
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, count
from pathlib import Path
from typing import Any

from social.domain.errors import Conflict, NotFound, StoreError
from social.ownership import make_folder, same_owner
from social.store.session import Database

#: SQLite asks this often (in its own instructions) whether a copy is to be given up; some thousands of times a second.
_ASK_EVERY = 50_000
_UNFINISHED = ".part"
#: An unfinished copy older than this belongs to a process that was killed.
_LEFT_BEHIND = timedelta(days=1)
_DAILY = "daily"


def backup_sqlite(
    database: Database,
    *,
    label: str,
    now: datetime,
    folder: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Path | None:
    """A complete copy beside the database (or in ``folder``), readable by its owner alone. ``None`` where the database is no
    file, or ``stop`` said to give up. Raises ``StoreError``."""
    if database.path is None:
        return None
    target = _free_name((folder or database.path.parent) / f"{database.path.stem}-{label}-{now:%Y%m%dT%H%M%S}.db")
    draft = draft_of(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent, database.path, now)
        with closing(database.engine.raw_connection()) as raw:
            connection: Any = raw.driver_connection
            whole = _vacuum_into(connection, draft, stop)
        if not whole:
            return None
        _put_in_place(draft, target)
    except Exception as error:
        raise StoreError(
            f"the backup failed ({error}).",
            resource=str(target),
            next_step="Look whether the database is sound (social doctor), the folder writable and the disk not full.",
        ) from error
    finally:
        _remove(draft)
    return target


def _free_name(wanted: Path) -> Path:
    """A copy never takes another's place: whoever was killed during an upgrade may be back within the same second."""
    again = (wanted.with_name(f"{wanted.stem}~{number}{wanted.suffix}") for number in count(2))
    return next(name for name in chain([wanted], again) if not name.exists())


def daily(database: Database, folder: Path, *, keep: int, now: datetime, stop: Callable[[], bool]) -> Path | None:
    """Today's copy in ``folder``; of the daily ones the newest ``keep`` stay."""
    made = backup_sqlite(database, label=_DAILY, now=now, folder=folder, stop=stop)
    if made is not None and database.path is not None:
        for old in of(database, folder, label=_DAILY)[keep:]:
            old.unlink(missing_ok=True)
    return made


def of(database: Database, folder: Path, *, label: str = "*") -> list[Path]:
    """Copies of this database in ``folder``, the newest first (their names hold the time)."""
    if database.path is None or not folder.is_dir():
        return []
    found = [path for path in folder.glob(f"{database.path.stem}-{label}-*.db") if path != database.path]
    return sorted(found, key=lambda path: path.stem.rpartition("-")[2], reverse=True)


# --- going back --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """``aside`` is where the database from before lies now; ``None`` where there was none."""

    aside: Path | None


def copy_of(file: Path, beside: Path) -> Path:
    """A sound copy of ``file`` under an unfinished name in the folder of ``beside``. Raises ``NotFound``, ``StoreError``."""
    if not file.is_file():
        raise NotFound(
            "there is no such file.", resource=str(file), next_step="Give a file that social db backup made."
        )
    if beside.exists() and file.samefile(beside):
        raise Conflict("this is the database itself.", resource=str(file), next_step="Give a copy of it.")
    draft = draft_of(beside)
    try:
        # as a file that is only read: a copy may lie where nobody can write
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                raise StoreError(f"this copy is damaged ({found}).", resource=str(file), next_step="Take another one.")
            make_folder(beside.parent)
            _vacuum_into(connection, draft, lambda: False)
    except sqlite3.Error as error:
        _remove(draft)
        raise StoreError(
            f"this is no database that can be read ({error}).",
            resource=str(file),
            next_step="Give a file that social db backup made.",
        ) from error
    except BaseException:
        _remove(draft)
        raise
    return draft


def exchange(database_file: Path, draft: Path, *, now: datetime) -> Restored:
    """``draft`` takes the place of ``database_file``, which is kept under another name. No program may use either. After a
    kill at any moment there is a whole database in its place."""
    try:
        return Restored(aside=_exchange(database_file, draft, now))
    except OSError as error:
        raise StoreError(
            f"the files cannot be exchanged ({error.strerror}).",
            resource=str(database_file),
            next_step="Make its folder writable for this user, and see that there is room.",
        ) from error


def _exchange(database_file: Path, draft: Path, now: datetime) -> Path | None:
    aside = None
    same_owner(draft, database_file if database_file.exists() else database_file.parent)
    if database_file.exists():
        aside = database_file.with_name(f"{database_file.stem}-before-restore-{now:%Y%m%dT%H%M%S}.db")
        if aside.exists():
            raise StoreError("there is already a file of this name.", resource=str(aside), next_step="Move it away.")
        _empty_log(database_file)
        os.link(database_file, aside)
        # a log that is still there (the file was damaged) belongs to the old database; beside the new one it would ruin it
        for ending in ("-wal", "-shm"):
            log = database_file.with_name(database_file.name + ending)
            if log.exists():
                log.replace(aside.with_name(aside.name + ending))
    _put_in_place(draft, database_file)
    return aside


def discard(draft: Path) -> None:
    """A copy that is not wanted after all."""
    _remove(draft)


def _empty_log(database_file: Path) -> None:
    with suppress(sqlite3.Error), closing(sqlite3.connect(database_file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


# --- files -------------------------------------------------------------------------------------------------------------


def draft_of(target: Path) -> Path:
    """The name under which ``target`` is written, until it is whole."""
    return target.with_name(f".{target.name}.{secrets.token_hex(6)}{_UNFINISHED}")


def _vacuum_into(connection: sqlite3.Connection, draft: Path, stop: Callable[[], bool]) -> bool:
    """``False``: given up. The file is nobody else's to read from its first byte on."""
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    stopped = False

    def asked() -> bool:
        nonlocal stopped
        stopped = stopped or stop()
        return stopped

    connection.set_progress_handler(asked, _ASK_EVERY)
    try:
        connection.execute("VACUUM INTO ?", (str(draft),))
    except sqlite3.OperationalError:
        if stopped:
            return False
        raise
    finally:
        connection.set_progress_handler(None, 0)
    return True


def _put_in_place(draft: Path, target: Path) -> None:
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove(draft: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        with suppress(OSError):
            draft.with_name(draft.name + ending).unlink(missing_ok=True)


def _sweep(folder: Path, database_file: Path, now: datetime) -> None:
    copy = rf"{re.escape(database_file.stem)}-.+\.db"
    # SQLite may have left a journal of it too
    sweep(folder, rf"({re.escape(database_file.name)}|{copy})", now=now, endings="(-wal|-shm|-journal)?")


def sweep(folder: Path, names: str, *, now: datetime, endings: str = "") -> None:
    """What killed processes left half done in ``folder`` of copies that would be called ``names`` (a regular expression);
    others may keep files that look nearly so. ``now``: machine time."""
    ours = re.compile(rf"\.{names}\.[0-9a-f]{{12}}\{_UNFINISHED}{endings}")
    with suppress(OSError):  # of a folder that may not be listed nothing can be swept
        for draft in [path for path in folder.iterdir() if ours.fullmatch(path.name)]:
            if draft.stat().st_mtime < (now - _LEFT_BEHIND).timestamp():
                draft.unlink()
