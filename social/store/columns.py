"""Column types that keep the two promises of the store: time is aware and in UTC, outside text survives unchanged."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

from social.domain.post import require_aware

#: A noncharacter that no honest text starts with: what follows it is the text as an ASCII JSON string.
_ESCAPED = "\ufdd0"


class UtcDateTime(TypeDecorator[datetime]):
    """Aware in, UTC out, on both databases. A naive datetime is refused, because it would be silently wrong."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = require_aware(value, "a stored time").astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def escape_text(text: str) -> str:
    """NUL and lone surrogates cannot be stored by PostgreSQL (nor written as UTF-8): such a text is kept as JSON."""
    if "\x00" in text or text.startswith(_ESCAPED) or any("\ud800" <= character <= "\udfff" for character in text):
        return _ESCAPED + json.dumps(text)
    return text


def unescape_text(stored: str) -> str:
    if stored.startswith(_ESCAPED):
        text = json.loads(stored[len(_ESCAPED) :])
        if isinstance(text, str):
            return text
    return stored


class OutsideText(TypeDecorator[str]):
    """Text from a network, stored without loss."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else escape_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else unescape_text(value)


class JsonText(TypeDecorator[Any]):
    """JSON in a text column: ASCII only, so that whatever a network sent can be stored."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"), default=str)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)
