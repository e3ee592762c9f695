"""What people write to each other about a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session

from social.domain.errors import DyzurError
from social.store.rows import c
from social.store.tables import NoteRow, UserRow

LONGEST = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    at: datetime
    who: str
    text: str


def add(session: Session, conversation_id: int, *, user_id: int, text: str, now: datetime) -> None:
    """Raises ``DyzurError`` for an empty or endless one."""
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise DyzurError(f"a note has 1 to {LONGEST} characters.", next_step="Write it anew.")
    session.add(NoteRow(conversation_id=conversation_id, user_id=user_id, text=text, made_at=now))


def notes_of(session: Session, conversation_id: int) -> tuple[Note, ...]:
    """Oldest first."""
    columns = c(NoteRow)
    rows = session.execute(
        select(NoteRow, c(UserRow).name)
        .join(UserRow, c(UserRow).id == columns.user_id)
        .where(columns.conversation_id == conversation_id)
        .order_by(columns.id)
    )
    return tuple(Note(at=row.made_at, who=name, text=row.text) for row, name in rows)
