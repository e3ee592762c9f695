"""What other people's rows repeat of a forgotten author: searched for by the names that the account had, in small steps.

An ``@handle`` goes wherever text stands; a bare handle, a name or the account's number only where it cannot be a common word
by chance. Addresses (the thread that an answer to somebody else hangs in) stay: without them that customer could not be
answered, and would be answered twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import String, or_, select, type_coerce, update
from sqlmodel import SQLModel

from social.store import tombstones
from social.store.erasure import Known
from social.store.rows import c, t
from social.store.session import Database
from social.store.tables import (
    AlertRow,
    AssessmentRow,
    BackfillRow,
    EscalationRow,
    EventRow,
    ForgottenRow,
    NoteRow,
    NotificationRow,
    PostRow,
    ProfileRow,
    QuarantineRow,
    ReplyRow,
    RevisionRow,
)

#: What other customers wrote: only a handle is taken out, exactly as it is when such a post is read in
#: (``tombstones.leave_out``), or the desk would take the difference for an edit.
OF_CUSTOMERS: tuple[tuple[type[SQLModel], tuple[str, ...]], ...] = (
    (PostRow, ("text",)),
    (RevisionRow, ("text",)),
)
#: Words of anybody: only what surely means the account is taken out of them.
OF_ANYBODY: tuple[tuple[type[SQLModel], tuple[str, ...]], ...] = (
    (PostRow, ("raw",)),
    (AssessmentRow, ("reasons",)),
    (QuarantineRow, ("raw",)),
    (ProfileRow, ("cursor", "last_error")),
    (BackfillRow, ("cursor",)),
)
#: Words of our own people and of the program: a whole name in them is this person's too.
OF_OURS: tuple[tuple[type[SQLModel], tuple[str, ...]], ...] = (
    (ReplyRow, ("text", "reason")),
    (NoteRow, ("text",)),
    (EscalationRow, ("reason", "note", "close_reason")),
    (EventRow, ("detail",)),
    (AlertRow, ("message",)),
    (NotificationRow, ("subject", "body")),
    (ForgottenRow, ("reason",)),
)
#: Rows that are rewritten in one transaction, and ids that are looked through in one.
_BATCH, _WINDOW = 200, 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What is searched for: the handle wherever people write, ``sure`` everywhere, ``likely`` in the words of our own people
    only."""

    handle: str
    sure: tuple[str, ...]
    likely: tuple[str, ...]

    @classmethod
    def of(cls, author: Known) -> Names:
        handle, name = (author.handle or "").strip().lstrip("@"), (author.display_name or "").strip()
        sure = [f"@{handle}"] if len(handle) >= 2 else []
        if len(handle) >= 6 and not handle.isalpha():
            sure.append(handle)
        if len(author.native_id) >= 6 and not author.erased:
            sure.append(author.native_id)
        likely = [handle] if len(handle) >= 6 and handle.isalpha() else []
        if len(name) >= 6 and " " in name:
            likely.append(name)
        return cls(handle=handle.casefold(), sure=tuple(sure), likely=tuple(likely))


def scrub(database: Database, names: Names, *, pause: Callable[[], object] = lambda: None) -> int:
    """Returns how many cells changed. ``pause`` is called between transactions."""

    def without_handle(text: str) -> str:
        return tombstones.redact(text, lambda name: name.lstrip("@").casefold() == names.handle)

    everything = names.sure + names.likely
    places = (
        (OF_CUSTOMERS, (names.handle,) if names.handle else (), without_handle),
        (OF_ANYBODY, names.sure, _without(names.sure)),
        (OF_OURS, everything, _without(everything)),
    )
    return sum(
        _scrub_column(database, model, column, _forms(wanted), mend, pause)
        for tables, wanted, mend in places
        if wanted
        for model, columns in tables
        for column in columns
    )


def _forms(names: Iterable[str]) -> set[str]:
    """As they stand in a text, and in JSON."""
    return {form for name in names for form in (name, json.dumps(name)[1:-1])}


def _without(names: Iterable[str]) -> Callable[[str], str]:
    """A name inside a longer word, or a number inside a longer number, is another one."""
    words = "|".join(re.escape(form) for form in sorted(_forms(names), key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w@])(?:{words})(?!\w)", re.IGNORECASE)
    return lambda text: pattern.sub(tombstones.GONE, text)


def _scrub_column(
    database: Database,
    model: type[SQLModel],
    column: str,
    forms: Collection[str],
    mend: Callable[[str], str],
    pause: Callable[[], object],
) -> int:
    table, stored = t(model), type_coerce(c(model)[column], String)
    like = or_(*(stored.ilike(f"%{_escaped(form)}%", escape="\\") for form in forms))
    changed = 0
    for first, last in _windows(database, model):
        with database.read() as session:
            query = select(c(model).id, stored).where(c(model).id > first, c(model).id <= last, like)
            found = [(row_id, words) for row_id, words in session.execute(query) if mend(words) != words]
        for start in range(0, len(found), _BATCH):
            with database.write() as session:
                for row_id, words in found[start : start + _BATCH]:
                    unchanged = stored == words  # a daemon may have written since
                    new = {column: type_coerce(mend(words), String)}  # past the column's type, as it was read
                    session.execute(update(table).where(c(model).id == row_id, unchanged).values(new))
                    changed += 1
            pause()
    return changed


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _windows(database: Database, model: type[SQLModel]) -> Iterator[tuple[int, int]]:
    with database.read() as session:
        highest = session.execute(select(c(model).id).order_by(c(model).id.desc()).limit(1)).scalar() or 0
    for first in range(0, highest, _WINDOW):
        yield first, first + _WINDOW
