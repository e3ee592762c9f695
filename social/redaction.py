"""No secret in anything that is told: log lines, tracebacks, error texts.

Two nets. By value: whatever was read or renewed as a secret in this process is remembered here and masked wherever it
turns up, also as a URL, JSON or ``repr`` would write it. By shape: what stands where a token would (``access_token=``,
``Authorization:``, ``://user:password@``), for secrets that nobody remembered.

Every log record of the process passes through it, whoever writes it and whichever handler shows it: the client libraries
log headers and addresses with tokens in them, so a filter on our own handlers would not do.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

from social.trace import trace_lines

MASK = "***"
#: Shorter values would mask ordinary words, and nothing that deserves the name of a secret is so short.
_SHORTEST = 6
#: Sessions and one-time links come and go; only the newest are worth their place.
_PASSING = 1_000

_lock = threading.Lock()
_lasting: set[str] = set()
_passing: dict[str, None] = {}
#: All of them, the longest first, so that no part of one hides the rest of it. Replaced, never changed.
_known: tuple[str, ...] = ()


# --- by value ----------------------------------------------------------------------------------------------------------


def remember(values: Iterable[str]) -> None:
    """Secrets that this process works with: masked from now on, for good."""
    forms = {form for value in values for form in _forms(value)}
    with _lock:
        if forms <= _lasting:
            return
        _lasting.update(forms)
        _settle()


def remember_passing(value: str) -> None:
    """A secret that many come after, such as a session of the desk or a one-time link: the oldest are forgotten."""
    if len(value) < _SHORTEST or value in _passing:
        return
    with _lock:
        _passing[value] = None
        while len(_passing) > _PASSING:
            del _passing[next(iter(_passing))]
        _settle()


def forget() -> None:
    """Nothing is remembered any more: for tests, each of which is a process of its own in spirit."""
    with _lock:
        _lasting.clear()
        _passing.clear()
        _settle()


def _settle() -> None:
    global _known  # noqa: PLW0603 the one list of the process, like the record factory of logging
    _known = tuple(sorted({*_lasting, *_passing}, key=len, reverse=True))


def _forms(value: str) -> Iterator[str]:
    """``value`` as it may stand in a text: as it is, in a URL, in JSON, in a ``repr``; of an address its parts too."""
    for plain in (value, *_parts(value)):
        if len(plain) >= _SHORTEST:
            yield plain
            written = plain.encode("utf-8", "backslashreplace").decode()
            yield quote(written, safe="")
            yield quote_plus(written)
            yield json.dumps(plain)[1:-1]
            yield json.dumps(plain, ensure_ascii=False)[1:-1]
            yield repr(plain)[1:-1]


def _parts(value: str) -> Iterator[str]:
    """Of an address that is itself a secret: the password, and whatever in it looks random enough to be a token."""
    if "://" not in value:
        return
    try:
        password = urlsplit(value).password
    except ValueError:
        password = None
    if password:
        yield from (password, unquote(password))
    for piece in re.split(r"[/:@?&=#,;]+", value.partition("://")[2]):
        if len(piece) >= 8 and re.search(r"\d", piece) and re.search(r"[A-Za-z_-]", piece):
            yield from (piece, unquote(piece))


# --- by shape ----------------------------------------------------------------------------------------------------------

#: The first two groups stay, the rest is masked. Every expression is bounded and starts at a mark of its own: a text from
#: outside must not make it slow.
_SHAPES: tuple[re.Pattern[str], ...] = (
    re.compile(
        r"(?i)\b([\w-]{0,20}(?:access_?token|refresh_?token|id_token|user_token|exchange_token|input_token|verify_token"
        r"|(?:access|refresh)_?jwt|appsecret_proof|client_secret|app_secret|api_?key|password|passwd"
        r"|oauth_(?:token|signature|consumer_key|nonce|token_secret)|code_verifier|dyzur_(?:session|form)))"
        r"([\"']?\s{0,9}[=:]\s{0,9}b?[\"']?)(?!\.{3})[^&\s\"',}]{1,4000}"  # "..." stands in our own advice
    ),
    re.compile(
        r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)([\"']?\s{0,9}[:=]\s{0,9}b?[\"']?)(?!\*{3})[^\r\n\"']{4,2000}"
    ),
    re.compile(r"(?i)\b(bearer|basic)(\s{1,9})[\w\-.~+/=|%]{8,4000}"),
    re.compile(r"(://[^/\s:@]{0,200}:)()[^/\s@]{1,500}(?=@)"),
    re.compile(r"(/welcome/)()[\w-]{20,200}"),
    # what needs no name before it: tokens that begin alike, a bot's token in an address, a key of ours
    re.compile(r"(?<![\w-])()()EAA[A-Za-z0-9]{20,4000}"),
    re.compile(r"(?<![\w-])()()eyJ[\w-]{10,4000}\.[\w-]{1,4000}(?:\.[\w-]{1,4000})?"),
    re.compile(r"(?<![\w-])(bot)?()\d{6,12}:[\w-]{30,64}(?![\w-])"),
    re.compile(r"(?<![\w-])()()[\w-]{43}=(?!=)"),
)


def redact(text: str) -> str:
    """``text`` without remembered values and without whatever stands where a secret would."""
    for value in _known:
        if value in text:
            text = text.replace(value, MASK)
    for shape in _SHAPES:
        text = shape.sub(rf"\1\2{MASK}", text)
    return text


# --- on one line -------------------------------------------------------------------------------------------------------


def one_line(text: str) -> str:
    """``text`` so that it cannot end its line, colour the terminal or turn the reading direction: white space becomes a
    space, anything else that does not print its escape."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else " " if letter.isspace() else letter.encode("unicode_escape").decode()
        for letter in text
    )


# --- every log record --------------------------------------------------------------------------------------------------


def guard_logging() -> None:
    """From now on every record of this process is redacted when it is made, before any handler sees it."""
    with _lock:
        factory = logging.getLogRecordFactory()
        if not getattr(factory, "redacts", False):
            logging.setLogRecordFactory(_redacting(factory))


def _redacting(factory: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = factory(*args, **kwargs)
        try:
            said = record.getMessage()
        except Exception:  # noqa: BLE001 a library's badly written call: told as it is, since logging would print it raw
            said = f"{record.msg!s} {record.args!r}"
        record.msg, record.args = redact(said), ()
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            # a formatter keeps an exc_text that is already there, and finds no words in what it could format anew
            record.exc_text = redact("\n".join(trace_lines(error, words=words_shown())))
            record.exc_info = (type(error), Exception(type(error).__name__), None)
        return record

    make.redacts = True  # type: ignore[attr-defined]  # the mark that guard_logging looks for
    return make


def words_shown() -> bool:
    """May a traceback show the words of any exception? They may quote a customer, so only at ``--log-level debug``."""
    return logging.getLogger().getEffectiveLevel() <= logging.DEBUG
