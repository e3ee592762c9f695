"""Real conversations from JSON Lines, plain or gzip: whatever cannot be used is named with its line, never fatal.

One object a line: ``thread``, ``tweet_id``, ``author``, ``inbound`` (true: a customer wrote it), ``created_at`` (ISO 8601
with its zone), ``text``; and, where there is something to say, ``brand``, ``in_response_to`` (a ``tweet_id`` of the same
thread), ``parent_missing``. Other keys are left alone. ``docs/replay.md`` tells how to export one's own.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from social.cli.packed_lines import LONGEST_LINE, numbered_lines, unpacked
from social.domain.errors import NotFound

#: Longer texts are cut.
LONGEST_TEXT = 10_000
#: Times that the simulated networks can put into their ids.
EARLIEST, LATEST = datetime(2011, 1, 1, tzinfo=UTC), datetime(2079, 1, 1, tzinfo=UTC)

#: What no network stores: NUL, and halves of a surrogate pair that JSON can write and UTF-8 cannot.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One line. ``at`` is in UTC, whole seconds; ``answers`` is the ``id`` of another message of its thread."""

    thread: str
    id: str
    brand: str
    author: str
    inbound: bool
    at: datetime
    text: str
    answers: str | None
    parent_missing: bool
    line: int


@dataclass(frozen=True, slots=True)
class Skipped:
    line: int
    reason: str


@dataclass(slots=True)
class ThreadFile:
    """What was read: messages in the order of the file, lines that could not be used, and what was mended in passing."""

    messages: list[Message] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    mended: Counter[str] = field(default_factory=Counter)


class _Unusable(ValueError):
    """Why a line cannot be used."""


def read_threads(path: Path) -> ThreadFile:
    """Read the whole file. Raises ``NotFound`` where it cannot be opened."""
    found = ThreadFile()
    seen: dict[tuple[str, str], int] = {}
    number = 0
    try:
        with path.open("rb") as raw, closing(unpacked(raw)) as stream:
            for number, line in numbered_lines(stream):
                try:
                    message = _message(number, line, found.mended)
                    first = seen.setdefault((message.thread, message.id), number)
                    if first != number:
                        raise _Unusable(f"the same thread and tweet_id as line {first}")
                except _Unusable as error:
                    found.skipped.append(Skipped(number, str(error)))
                else:
                    found.messages.append(message)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        found.skipped.append(Skipped(number + 1, "the compressed file is damaged or ends here"))
    except OSError as error:
        raise NotFound(f"this file cannot be read ({error.strerror}).", resource=str(path)) from error
    return found


def _message(number: int, line: bytes, mended: Counter[str]) -> Message:
    item = _object(number, line)
    inbound = item.get("inbound")
    if not isinstance(inbound, bool):
        raise _Unusable('"inbound" must be true (a customer wrote it) or false (the brand did)')
    answers = item.get("in_response_to")
    return Message(
        thread=_name(item, "thread"),
        id=_name(item, "tweet_id"),
        brand=_name(item, "brand") if item.get("brand") is not None else "",
        author=_name(item, "author"),
        inbound=inbound,
        at=_time(item.get("created_at")),
        text=_text(item.get("text"), mended),
        answers=_name(item, "in_response_to") if answers is not None else None,
        parent_missing=item.get("parent_missing") is True,
        line=number,
    )


def _object(number: int, line: bytes) -> Mapping[str, Any]:
    if len(line) > LONGEST_LINE:
        raise _Unusable(f"longer than {LONGEST_LINE:,} bytes")
    try:
        item = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        raise _Unusable("not UTF-8 text") from None
    except (ValueError, RecursionError):
        raise _Unusable("not JSON") from None
    if not isinstance(item, dict):
        raise _Unusable("not an object with thread, tweet_id, author, inbound, created_at and text")
    return item


def _name(item: Mapping[str, Any], key: str) -> str:
    """An id or a name: a text or a whole number."""
    value = item.get(key)
    if value is None or value == "":
        raise _Unusable(f'"{key}" is missing')
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > 200:
        raise _Unusable(f'"{key}" must be a text of at most 200 characters, or a whole number')
    return _UNSTORABLE.sub("\ufffd", str(value))


def _time(value: object) -> datetime:
    if not isinstance(value, str):
        raise _Unusable('"created_at" is missing or not a text')
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise _Unusable('"created_at" is not a time like 2026-11-20T09:30:00Z') from None
    if moment.tzinfo is None:
        raise _Unusable('"created_at" has no time zone; write it like 2026-11-20T09:30:00Z or ...+01:00') from None
    try:
        moment = moment.astimezone(UTC).replace(microsecond=0)
    except OverflowError:  # the year 1 or 9999, and a zone
        moment = EARLIEST.replace(year=1)
    if not EARLIEST <= moment < LATEST:
        raise _Unusable(f'"created_at" lies outside {EARLIEST.year} to {LATEST.year - 1}')
    return moment


def _text(value: object, mended: Counter[str]) -> str:
    if not isinstance(value, str):
        raise _Unusable('"text" is missing or not a text')
    text = _UNSTORABLE.sub("\ufffd", value)
    if text != value:
        mended["texts with characters that no network stores (replaced)"] += 1
    if len(text) > LONGEST_TEXT:
        mended[f"texts longer than {LONGEST_TEXT:,} characters (cut)"] += 1
    return text[:LONGEST_TEXT]
