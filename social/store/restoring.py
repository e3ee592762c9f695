"""Going back to a copy without losing what must not go back: who was forgotten, what was deleted at the networks, renewed keys,
who may come in, and that the desk is paused."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, inspect, select
from sqlmodel import Session

from social.domain.errors import Conflict, DyzurError, StoreError
from social.domain.post import Gone
from social.store import control, copies, erasure, mentions, postgres_tools, posts, profiles, schema, traces
from social.store.erasure import Known
from social.store.journal import note
from social.store.rows import c, t, upsert
from social.store.session import Database
from social.store.tables import (
    CredentialRow,
    ForgottenRow,
    InvitationRow,
    PostRow,
    ProfileRow,
    UserRow,
    WebSessionRow,
)


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
    # a link goes on to lead to the database, on whatever disk that is
    database_file = database_file.resolve()
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
            _write_out(copy, draft)
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
        with database.write() as session:
            schema.finished(session)
    except Exception as error:
        why = str(error) if isinstance(error, DyzurError) else type(error).__name__
        raise StoreError(
            f"the copy is in the database, but not yet who was forgotten since it was made: {why}",
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
    """What must not go back, in one step. Returns the authors who were forgotten again."""
    with present.read() as before, copy.write() as after:
        _take_newer_credentials(before, after)
        _take_who_may_come_in(before, after)
        _take_the_pause(before, after)
        _delete_again(before, after, now=now)
        if not inspect(before.connection()).has_table(t(ForgottenRow).name):
            return ()  # an older form, in which nobody could be forgotten
        return erasure.carry_over(before, after, now=now)


def _take_who_may_come_in(before: Session, after: Session) -> None:
    """Who was let go, or has another password or role since, has them still. Everybody signs in anew, and an unused link
    must be made anew: which of them were ended or used since, only the present database knows."""
    after.execute(delete(WebSessionRow))
    after.execute(delete(InvitationRow).where(c(InvitationRow).used_at.is_(None)))
    there = {column["name"] for column in inspect(before.connection()).get_columns(t(UserRow).name)}
    columns = [column.name for column in t(UserRow).columns if column.name in there - {"id"}]
    people = before.execute(select(*(c(UserRow)[name] for name in columns))).mappings()
    upsert(
        after, UserRow, [dict(person) for person in people], key=("name",), change=set(columns) - {"name", "created_at"}
    )


def _take_the_pause(before: Session, after: Session) -> None:
    paused = control.paused_since(before)
    if paused is not None and control.paused_since(after) is None:
        since, by = paused
        control.pause(after, by=by, now=since)


def _delete_again(before: Session, after: Session, *, now: datetime) -> None:
    """What its author deleted at the network since the copy was made."""
    gone = select(c(ProfileRow).name, c(PostRow).native_id).where(
        c(PostRow).profile_id == c(ProfileRow).id, c(PostRow).deleted_at.is_not(None)
    )
    since: dict[str, list[Gone]] = {}
    for name, native_id in sorted(
        {tuple(row) for row in before.execute(gone)} - {tuple(row) for row in after.execute(gone)}
    ):
        since.setdefault(name, []).append(Gone(native_id=native_id))
    for name, items in since.items():
        profile = profiles.by_name(after, name)
        if profile is not None:
            posts.forget_deleted(after, profile, items, now=now)


def _forget_the_rest(copy: Database, again: Collection[Known]) -> None:
    """What ``social author forget`` does after the erasure. Apart from asking the present database: a failure here is none of
    its, and nobody may go on in spite of it."""
    if not again:
        return
    for author in again:
        mentions.scrub(copy, mentions.Names.of(author))
    left = traces.sweep(copy)
    if left and copy.dialect == "sqlite":  # PostgreSQL's own vacuum comes by anyway
        raise StoreError(left, resource=str(copy.path), next_step="Make room on that disk, and repeat.")


def _write_out(copy: Database, draft: Path) -> None:
    """All of the copy into its file: only that one takes the database's place. On a full disk SQLite keeps what it committed in
    the log beside it, and says nothing when it is closed."""
    try:
        why = "" if traces.empty_log(copy) else "another program reads it"
    except sqlite3.Error as error:
        why = str(error)
    log = draft.with_name(draft.name + "-wal")
    if why or (log.exists() and log.stat().st_size > 0):
        raise StoreError(
            f"the restored copy cannot be written out ({why or 'its log is not empty'}).",
            resource=str(draft.parent),
            next_step="Make room on that disk, and repeat; nothing was changed.",
        )


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
        if row.name not in there or row.saved_at >= there[row.name]  # the same one may be sealed with a newer key
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
