"""Sealed credentials: bytes in, bytes out. The key is not here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import select, text, update
from sqlmodel import Session

from social.store.rows import c, upsert
from social.store.session import Database
from social.store.tables import CredentialRow


class StoredCredentials:
    """``social.secrets.SealedParts`` in the database. ``clock`` is machine time, for when something was saved."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def load(self, name: str) -> bytes | None:
        with self._database.read() as session:
            row = session.get(CredentialRow, name)
            return None if row is None else row.sealed

    def change(self, name: str, make: Callable[[bytes | None], bytes]) -> None:
        """Committed when this returns: a rotated refresh token must be safe before its first use."""
        with self._database.write() as session:
            _lock(session, "ROW EXCLUSIVE")
            row = session.get(CredentialRow, name, with_for_update=True)
            upsert(
                session,
                CredentialRow,
                [{"name": name, "sealed": make(None if row is None else row.sealed), "saved_at": self._clock()}],
                key=("name",),
                change=("sealed", "saved_at"),
            )

    @contextmanager
    def exclusive(self) -> Iterator[StoredRows]:
        """Every ``change`` waits, in other processes and on other machines too."""
        with self._database.write() as session:
            _lock(session, "SHARE ROW EXCLUSIVE")
            yield StoredRows(session)


class StoredRows:
    """``social.secrets.SealedRows``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> Mapping[str, bytes]:
        columns = c(CredentialRow)
        rows = self._session.execute(select(columns.name, columns.sealed).order_by(columns.name))
        return {name: sealed for name, sealed in rows}

    def put(self, name: str, sealed: bytes) -> None:
        """The same parts under another key: when they were saved does not change."""
        self._session.execute(update(CredentialRow).where(c(CredentialRow).name == name).values(sealed=sealed))


def _lock(session: Session, mode: str) -> None:
    """SQLite's writers come one after the other anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"LOCK TABLE credential IN {mode} MODE"))
