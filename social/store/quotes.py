"""What our people and our messages repeat of a customer's words, found again where the words themselves must go."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlmodel import Session

from social.store.rows import c
from social.store.tables import AlertRow, EscalationRow, NoteRow, NotificationRow, PostRow, RevisionRow
from social.store.tombstones import GONE

#: A line with fewer letters and digits than this says nothing by itself ("ok", an order's last digits).
_SHORTEST = 8


def unquote(session: Session, post: PostRow) -> None:
    """Take the words of ``post``, also those from before its edits, out of the notes of its conversation and of messages that
    wait to be sent."""
    earlier = session.execute(select(c(RevisionRow).text).where(c(RevisionRow).post_id == post.id)).scalars()
    words = [said for said in (post.text, *earlier) if said.strip()]
    notes = select(NoteRow).where(c(NoteRow).conversation_id == post.conversation_id)
    for note in session.execute(notes).scalars():
        note.text = _without_all(note.text, words)
        session.add(note)
    cases = select(c(EscalationRow).id).where(c(EscalationRow).conversation_id == post.conversation_id)
    alerts = select(c(AlertRow).id).where(c(AlertRow).escalation_id.in_(cases))
    waiting = select(NotificationRow).where(
        c(NotificationRow).alert_id.in_(alerts), c(NotificationRow).state == "planned"
    )
    for message in session.execute(waiting).scalars():
        message.body = _without_all(message.body, words)
        session.add(message)


def without(text: str, quoted: str) -> str:
    """``text`` without ``quoted`` as a whole, and without lines that repeat a part of it, however they are marked, wrapped or
    cut: only letters and digits are compared."""
    text, whole = text.replace(quoted.strip(), GONE), _letters(quoted)
    lines = (GONE if len(said := _letters(line)) >= _SHORTEST and said in whole else line for line in text.split("\n"))
    return "\n".join(lines)


def _without_all(text: str, words: Sequence[str]) -> str:
    for said in words:
        text = without(text, said)
    return text


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
