"""Sealed credentials: bytes in, bytes out. The key is not here."""

from __future__ import annotations

from datetime import datetime

from social.store.rows import upsert
from social.store.session import Database
from social.store.tables import CredentialRow


def load_sealed(database: Database, name: str) -> bytes | None:
    with database.read() as session:
        row = session.get(CredentialRow, name)
        return None if row is None else row.sealed


def save_sealed(database: Database, name: str, sealed: bytes, *, now: datetime) -> None:
    """Committed when this returns: a rotated refresh token must be safe before its first use."""
    with database.write() as session:
        upsert(
            session,
            CredentialRow,
            [{"name": name, "sealed": sealed, "saved_at": now}],
            key=("name",),
            change=("sealed", "saved_at"),
        )
