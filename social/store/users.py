"""People who act."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session

from social.domain.errors import DyzurError
from social.store.tables import UserRow

#: Actors of the audit log that are nobody.
RESERVED_NAMES = frozenset({"robot", "network-app", "outbox", "system"})


def is_a_name(name: str) -> bool:
    """Whether a person can be called so (without spaces around it); the audit log tells them from what acts by itself."""
    return 0 < len(name) <= 60 and name.isprintable() and name.casefold() not in RESERVED_NAMES


def user_id(session: Session, name: str, *, now: datetime) -> int:
    """The user of this name; made when it acts for the first time (the command line trusts its operator)."""
    name = name.strip()
    if not is_a_name(name):
        raise DyzurError(f"{name!r} cannot be a person's name.", next_step="Say who you are: --as anna")
    row = session.execute(select(UserRow).where(UserRow.name == name)).scalar_one_or_none()  # type: ignore[arg-type]
    if row is None:
        row = UserRow(name=name, created_at=now)
        session.add(row)
        session.flush()
    assert row.id is not None
    return row.id
