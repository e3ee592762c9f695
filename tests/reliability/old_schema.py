"""Databases as older programs left them."""

from __future__ import annotations

from pathlib import Path

from alembic import command

from social.store import schema
from social.store.session import Database


def at_revision(database: Database, revision: str) -> Database:
    """Bring an empty database to the form that it had then."""
    with database.write() as session:
        command.upgrade(schema._config(session.connection()), revision)
    return database


def made_by(revision: str, file: Path) -> Path:
    database = at_revision(Database(f"sqlite:///{file}"), revision)
    database.close()
    return file
