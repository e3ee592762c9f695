"""Column types that keep the two promises of the store: time is aware and in UTC, outside text survives unchanged.

They give the driver its values directly (``bind_processor``): a page of posts has thousands of them, and SQLAlchemy's own
way through a decorated type costs more than the insert itself.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

from social.domain.post import require_aware

#: A noncharacter that no honest text starts with: what follows it is the text as an ASCII JSON string.
_ESCAPED = "\ufdd0"
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_COMPACT = json.JSONEncoder(separators=(",", ":"), default=str)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware in, UTC out, on both databases. A naive datetime is refused, because it would be silently wrong."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        return _utc if dialect.name == "postgresql" else _utc_text

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _utc(value: datetime | None) -> datetime | None:
    if value is None or value.tzinfo is UTC:
        return value
    return require_aware(value, "a stored time").astimezone(UTC)


def _utc_text(value: datetime | None) -> str | None:
    """``2026-11-20 09:00:00.000000``, always with microseconds, so that texts sort as times do."""
    value = _utc(value)
    return None if value is None else value.replace(tzinfo=None).isoformat(" ", "microseconds")


def escape_text(text: str) -> str:
    """NUL and lone surrogates cannot be stored by PostgreSQL (nor written as UTF-8): such a text is kept as JSON."""
    if text.startswith(_ESCAPED) or _UNSTORABLE.search(text):
        return _ESCAPED + json.dumps(text)
    return text


def unescape_text(stored: str) -> str:
    if stored.startswith(_ESCAPED):
        text = json.loads(stored[len(_ESCAPED) :])
        if isinstance(text, str):
            return text
    return stored


def _escaped(value: str | None) -> str | None:
    return None if value is None else escape_text(value)


def _json(value: Any) -> str | None:
    return None if value is None else _COMPACT.encode(value)


class OutsideText(TypeDecorator[str]):
    """Text from a network, stored without loss."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:
        return _escaped

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else unescape_text(value)


class JsonText(TypeDecorator[Any]):
    """JSON in a text column: ASCII only, so that whatever a network sent can be stored."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        return _json

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)
