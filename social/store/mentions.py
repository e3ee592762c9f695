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
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, null, or_, select, type_coerce, update
from sqlmodel import SQLModel

from social.store import erasure, tombstones
from social.store.columns import JsonText
from social.store.erasure import Known
from social.store.personal import HELD
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
    only, ``whole`` where it is all that a value of a raw answer says."""

    handle: str
    sure: tuple[str, ...]
    likely: tuple[str, ...]
    whole: tuple[str, ...]

    @classmethod
    def of(cls, author: Known) -> Names:
        handle, name = (author.handle or "").strip().lstrip("@"), (author.display_name or "").strip()
        sure = [f"@{handle}"] if len(handle) >= 2 else []
        if len(handle) >= 6 and not handle.isalpha():
            sure.append(handle)
        number = (author.asked_number if author.erased else author.native_id) or ""
        if len(number) >= 6:
            sure.append(number)
        likely = [handle] if len(handle) >= 6 and handle.isalpha() else []
        if len(name) >= 6 and " " in name:
            likely.append(name)
        whole = tuple(value for value in (handle, number) if len(value) >= 2)
        return cls(handle=handle.casefold(), sure=tuple(sure), likely=tuple(likely), whole=whole)


def forget_everywhere(
    database: Database,
    author: Known,
    *,
    by: str,
    reason: str,
    now: datetime,
    pause: Callable[[], object] = lambda: None,
) -> tuple[dict[str, int], int]:
    """``erasure.forget`` and what others' rows repeat. That goes first, while the author's row still tells the names: whoever
    is interrupted repeats it, and nothing is missed; and once more afterwards, for what came in meanwhile. Returns the rows of
    each title that changed, and the cells of others. Raises ``Conflict`` as ``erasure.forget``."""
    with database.read() as session:
        erasure.check(session, author)
    names = Names.of(author)
    mentioned = scrub(database, names, besides=author, pause=pause)
    rows = database.step(lambda session: erasure.forget(session, author, by=by, reason=reason, now=now))
    return rows, mentioned + scrub(database, names, pause=pause)


def scrub(
    database: Database, names: Names, *, besides: Known | None = None, pause: Callable[[], object] = lambda: None
) -> int:
    """Returns how many cells changed. The rows of ``besides`` stay as they are: they are still to be erased, and a planned
    reply with a gap in it could go out before. ``pause`` is called between transactions."""

    def without_handle(text: str) -> str:
        return tombstones.redact(text, lambda name: name.lstrip("@").casefold() == names.handle)

    everything = names.sure + names.likely
    places = (
        (OF_CUSTOMERS, (names.handle,) if names.handle else (), without_handle),
        (OF_ANYBODY, names.sure, _without(names.sure)),
        (OF_OURS, everything, _without(everything)),
    )
    changed = sum(
        _scrub_column(database, model, column, _forms(wanted), _for(model, column, mend), besides, pause)
        for tables, wanted, mend in places
        if wanted
        for model, columns in tables
        for column in columns
    )
    # beside a handle in a raw answer stand the display name and quoted words: as where one is read in, nothing of it stays
    in_raw = _forms(names.sure) | {json.dumps(value) for value in names.whole}
    if in_raw:
        changed += _scrub_column(database, PostRow, "raw", in_raw, _nothing_with(names), besides, pause)
    return changed


def _forms(names: Iterable[str]) -> set[str]:
    """As they stand in a text, and in JSON."""
    return {form for name in names for form in (name, json.dumps(name)[1:-1])}


def _without(names: Iterable[str]) -> Callable[[str], str]:
    pattern = _pattern(names)
    return lambda text: pattern.sub(tombstones.GONE, text)


def _nothing_with(names: Names) -> Callable[[str], str | None]:
    """A raw answer as it is, or nothing."""
    pattern, whole = _pattern(names.sure), {value.casefold() for value in names.whole}

    def mend(raw: str) -> str | None:
        said = tombstones.texts_in(json.loads(raw))
        told = any(text.strip().casefold() in whole or (names.sure and pattern.search(text)) for text in said)
        return None if told else raw

    return mend


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    """A name inside a longer word, or a number inside a longer number, is another one."""
    words = "|".join(re.escape(form) for form in sorted(_forms(names), key=len, reverse=True))
    return re.compile(rf"(?<![\w@])(?:{words})(?!\w)", re.IGNORECASE)


def _for(model: type[SQLModel], column: str, mend: Callable[[str], str]) -> Callable[[str], str]:
    """``mend`` for the column as it is stored. In JSON every text by itself: the escape before a name (``\\n``) would seem to
    belong to it, and a number without its digits would be none."""
    if not isinstance(c(model)[column].type, JsonText):
        return mend

    def mended(value: Any) -> Any:
        if isinstance(value, dict):
            return {mend(key): mended(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [mended(inner) for inner in value]
        if isinstance(value, str):
            return mend(value)
        if isinstance(value, int):
            return value if mend(str(value)) == str(value) else tombstones.GONE
        return value

    def stored(words: str) -> str:
        found = json.loads(words)
        changed = mended(found)
        return words if changed == found else json.dumps(changed, separators=(",", ":"))

    return stored


def _not_theirs(model: type[SQLModel], author: Known | None) -> list[ColumnElement[bool]]:
    if author is None:
        return []
    return [c(model).id.not_in(held.whose(author.id)) for held in HELD if held.model is model]


def _scrub_column(
    database: Database,
    model: type[SQLModel],
    column: str,
    forms: Collection[str],
    mend: Callable[[str], str | None],
    besides: Known | None,
    pause: Callable[[], object],
) -> int:
    table, stored = t(model), type_coerce(c(model)[column], String)
    like = or_(*(stored.ilike(f"%{_escaped(form)}%", escape="\\") for form in forms))
    others, changed = _not_theirs(model, besides), 0
    for first, last in _windows(database, model):
        with database.read() as session:
            query = select(c(model).id, stored).where(c(model).id > first, c(model).id <= last, like, *others)
            found = [(row_id, words) for row_id, words in session.execute(query) if mend(words) != words]
        for start in range(0, len(found), _BATCH):
            with database.write() as session:
                for row_id, words in found[start : start + _BATCH]:
                    unchanged = stored == words  # a daemon may have written since
                    mended = mend(words)
                    # past the column's type, as it was read
                    new = {column: null() if mended is None else type_coerce(mended, String)}
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
