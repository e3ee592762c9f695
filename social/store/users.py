"""People who act."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session

from social.domain.errors import DyzurError
from social.store.tables import UserRow

#: Actors of the audit log that are nobody.
RESERVED_NAMES = frozenset({"robot", "network-app", "outbox", "system"})


def user_id(session: Session, name: str, *, now: datetime) -> int:
    """The user of this name; made when it acts for the first time (the command line trusts its operator)."""
    name = name.strip()
    if not name or len(name) > 60 or not name.isprintable() or name in RESERVED_NAMES:
        raise DyzurError(f"{name!r} cannot be a person's name.", next_step="Say who you are: --as anna")
    row = session.execute(select(UserRow).where(UserRow.name == name)).scalar_one_or_none()  # type: ignore[arg-type]
    if row is None:
        row = UserRow(name=name, created_at=now)
        session.add(row)
        session.flush()
    assert row.id is not None
    return row.id
