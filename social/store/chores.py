"""What some daemon does once a day, however many there are: claimed for a lease, its progress kept over restarts."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlmodel import Session

from social.store.rows import c, upsert
from social.store.session import Database
from social.store.tables import ChoreRow

PURGE, BACKUP = "purge", "backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    """A claimed chore. ``progress`` is what the last step left."""

    name: str
    token: str
    progress: Mapping[str, Any]


def claim(
    database: Database, name: str, *, now: datetime, first_at: datetime, machine: datetime, lease: timedelta
) -> Chore | None:
    """The chore, if it is due (world time) and nobody has it (machine time). Where it was never done, it is due at
    ``first_at``."""
    columns = c(ChoreRow)
    with database.read() as session:
        due_at = session.execute(select(columns.due_at).where(columns.name == name)).scalar()
    if due_at is not None and due_at > now:
        return None
    token = secrets.token_hex(16)
    with database.write() as session:
        upsert(session, ChoreRow, [{"name": name, "due_at": first_at}], key=("name",))
        here: Any = func.clock_timestamp() if database.dialect == "postgresql" else machine
        free = or_(columns.leased_until.is_(None), columns.leased_until < here)
        row = session.execute(
            select(ChoreRow).where(columns.name == name, columns.due_at <= now, free).with_for_update(skip_locked=True)
        ).scalar_one_or_none()
        if row is None:
            return None
        progress = dict(row.progress or {})
        taken = {"token": token, "leased_until": here + lease}
        session.execute(
            update(ChoreRow).where(columns.name == name).values(**taken).execution_options(synchronize_session=False)
        )
    return Chore(name=name, token=token, progress=progress)


def keep(session: Session, chore: Chore, progress: Mapping[str, Any]) -> bool:
    """A step is done, anybody may do the next. ``False``: it is not ours any more, so roll the step back."""
    return _give_back(session, chore, progress=dict(progress))


def finish(session: Session, chore: Chore, *, now: datetime, due_at: datetime) -> bool:
    """Done until ``due_at``. ``False``: it is not ours any more."""
    return _give_back(session, chore, progress=None, done_at=now, due_at=due_at)


def done_at(session: Session, name: str) -> datetime | None:
    return session.execute(select(c(ChoreRow).done_at).where(c(ChoreRow).name == name)).scalar()


def _give_back(session: Session, chore: Chore, **values: Any) -> bool:
    columns = c(ChoreRow)
    result: Any = session.execute(
        update(ChoreRow)
        .where(columns.name == chore.name, columns.token == chore.token)
        .values(token=None, leased_until=None, **values)
        .execution_options(synchronize_session=False)
    )
    return bool(result.rowcount == 1)
