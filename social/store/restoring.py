"""Going back to a copy without losing what must not go back: who was forgotten, and renewed keys."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import inspect, select
from sqlmodel import Session

from social.domain.errors import Conflict, DyzurError, StoreError
from social.store import control, copies, erasure, mentions, postgres_tools, schema, traces
from social.store.erasure import Known
from social.store.journal import note
from social.store.rows import t, upsert
from social.store.session import Database
from social.store.tables import CredentialRow, ForgottenRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """``aside``: where the database from before lies. ``upgraded_from``: the copy's older form, if it had one. ``forgotten``:
    authors who were forgotten since the copy was made, and again now. ``unread``: why the database from before could not be
    asked for those and for running daemons; empty: it could."""

    aside: Path | None
    upgraded_from: str | None
    forgotten: int
    unread: str


def living_daemons(database: Database, *, machine: datetime) -> list[str]:
    """Names of daemons that work on ``database``. One that was killed on this machine is not counted."""
    with database.read() as session:
        names = [daemon.name for daemon in control.running(session, at=machine)]
    return [name for name in names if _lives(name)]


def restore_sqlite(
    database_file: Path, file: Path, *, by: str, machine: datetime, now: datetime, even_if_unread: bool = False
) -> Restored:
    """``file`` becomes the database; the present one is kept aside. Raises ``Conflict`` where a daemon lives on it;
    ``StoreError`` for a damaged copy, a copy of a newer program, and a present database that cannot be asked (unless
    ``even_if_unread``). After any error everything is as it was."""
    draft = copies.copy_of(file, database_file)
    try:
        with _opened(draft) as copy:
            form = schema.status(copy).current
            schema.upgrade_copy(copy)
            older = form if form != schema.status(copy).current else None
            unread, again = _carry_over(database_file, copy, machine=machine, now=now, even_if_unread=even_if_unread)
            with copy.write() as session:
                control.nobody_runs(session)
                note(session, at=now, actor=by, verb="restored a backup", subject="desk", subject_id=None)
            _forget_the_rest(copy, again)
        made = copies.exchange(database_file, draft, now=machine)
    finally:
        copies.discard(draft)
    return Restored(aside=made.aside, upgraded_from=older, forgotten=len(again), unread=unread)


def restore_postgresql(
    database: Database, file: Path, *, previous: Database | None, by: str, machine: datetime, now: datetime
) -> int:
    """``file`` into the empty ``database``; who was forgotten in ``previous``, the database that it replaces, since the copy was
    made is forgotten in it too: returns how many. Raises ``Conflict`` where a daemon lives on ``previous`` or ``database`` is
    not empty, and ``StoreError``; only where the last step fails is the copy in the database all the same, and the error
    says so."""
    if previous is not None:
        _refuse_while_a_daemon_lives(previous, machine=machine)
    postgres_tools.restore(database, file)
    try:
        again = _take_along(previous, database, now=now) if previous is not None else ()
        with database.write() as session:
            control.nobody_runs(session)
            note(session, at=now, actor=by, verb="restored a backup", subject="desk", subject_id=None)
        _forget_the_rest(database, again)
    except DyzurError as error:
        raise StoreError(
            f"the copy is in the database, but not yet who was forgotten since it was made: {error}",
            resource=database.url.render_as_string(hide_password=True),
            next_step="Do not start the desk on it. Drop it, make an empty one, and repeat.",
        ) from error
    return len(again)


def _refuse_while_a_daemon_lives(present: Database, *, machine: datetime) -> None:
    if names := living_daemons(present, machine=machine):
        raise Conflict(
            f"a daemon works on this database ({', '.join(names)}).",
            resource=str(present.path or present.url.render_as_string(hide_password=True)),
            next_step="Stop it first; half a minute after its end at the latest this goes on.",
        )


def _take_along(present: Database, copy: Database, *, now: datetime) -> tuple[Known, ...]:
    """Newer credentials and forgotten authors, in one step. Returns the authors who were forgotten again."""
    with present.read() as before, copy.write() as after:
        _take_newer_credentials(before, after)
        if not inspect(before.connection()).has_table(t(ForgottenRow).name):
            return ()  # an older form, in which nobody could be forgotten
        return erasure.carry_over(before, after, now=now)


def _forget_the_rest(copy: Database, again: Collection[Known]) -> None:
    """What ``social author forget`` does after the erasure. Apart from asking the present database: a failure here is none of
    its, and nobody may go on in spite of it."""
    if not again:
        return
    for author in again:
        mentions.scrub(copy, mentions.Names.of(author))
    traces.sweep(copy)


def _carry_over(
    database_file: Path, copy: Database, *, machine: datetime, now: datetime, even_if_unread: bool
) -> tuple[str, tuple[Known, ...]]:
    if not database_file.exists():
        return "", ()
    try:
        with _opened(database_file) as present:
            _refuse_while_a_daemon_lives(present, machine=machine)
            return "", _take_along(present, copy, now=now)
    except StoreError as error:
        if not even_if_unread:
            raise StoreError(
                f"the present database cannot be asked whether a daemon runs and who was forgotten: {error}",
                next_step="Stop every daemon, and repeat with --yes. Who was forgotten since the copy must be forgotten anew.",
            ) from error
        return str(error), ()


def _take_newer_credentials(before: Session, after: Session) -> None:
    """A network that renews its keys takes each only once: the copy's would be refused."""
    there = {row.name: row.saved_at for row in after.execute(select(CredentialRow)).scalars()}
    rows = [
        {"name": row.name, "sealed": row.sealed, "saved_at": row.saved_at}
        for row in before.execute(select(CredentialRow)).scalars()
        if row.name not in there or row.saved_at > there[row.name]
    ]
    upsert(after, CredentialRow, rows, key=("name",), change=("sealed", "saved_at"))


@contextmanager
def _opened(file: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{file.absolute()}")
    try:
        yield database
    finally:
        database.close()


def _lives(name: str) -> bool:
    host, _, number = name.rpartition(":")
    if host != socket.gethostname() or not number.isdigit():
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
