"""The workshop of all connectors: settings and secrets read with care, answers taken apart item by item, errors mapped.

Nothing here knows a network or an HTTP library; ``connectors.session`` is the ``requests`` half.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from social import redaction
from social.domain.errors import (
    ConfigurationError,
    ConnectorError,
    CredentialsExpired,
    DyzurError,
    RateLimited,
    RefusalReason,
    Refused,
    Uncertain,
    Unreachable,
)
from social.domain.post import FetchedPost, Quarantined, require_aware
from social.ports import ConnectorContext, Quota, Secrets

log = logging.getLogger("connectors.kit")

#: An answer longer than this is not read: no page of any network comes near it.
MAX_BODY = 10 * 1024 * 1024
#: How long to stay away after a limit whose end the network did not tell (or told nonsense).
DEFAULT_WAIT = timedelta(minutes=15)
LONGEST_WAIT = timedelta(hours=25)
#: "Too many requests", and what networks said before there was a number for it.
TOO_MANY = frozenset({420, 429})
MAX_RAW = 16 * 1024
#: Times outside these years are nonsense, and arithmetic with the very first and last ones overflows.
FIRST_YEAR, LAST_YEAR = 1900, 2199
#: What a column of a database holds; a limit of a network's is far below.
LARGEST_NUMBER = 2**31 - 1
#: What the operating system said, and what an HTTP library puts before its own words.
_OS_ERROR = re.compile(r"\[Errno -?\d+\] ([^\])]+)|\w+Error\(\d+, '([^']+)'\)")
_LIBRARY = re.compile(r"^\w+\(host=[^)]*\): ")
_RENEWS = "social connect --renew PROFILE"
_IDENTIFIER = re.compile(r"[!-~]{1,1024}")
_PLACE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,2048}")
_TOKEN = re.compile(r"[ -~]{1,8192}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")

# --- secrets never reach a log line or an exception text --------------------------------------------------------------

MASK, scrub = redaction.MASK, redaction.redact


def guard(values: Iterable[str]) -> None:
    """From now on ``scrub`` masks these values, and so does every log record of this process, whoever writes it."""
    redaction.remember(values)
    redaction.guard_logging()


def quoted(text: str, limit: int = 200) -> str:
    """Words of a network for an error text: scrubbed, on one line, cut."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in scrub(text)).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def sentence(text: str) -> str:
    """``text`` with a full stop, so that the next step can follow it."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


# --- settings and credentials -----------------------------------------------------------------------------------------

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
Model = TypeVar("Model", bound=BaseModel)


class NetworkSettings(BaseModel):
    """What every ``[connectors.<kind>]`` table has. Times are machine seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    timeout: float = Field(default=15.0, gt=0, le=120)  # for a connection, and between two bytes
    total_timeout: float = Field(default=45.0, gt=0, le=300)  # for a whole answer

    @field_validator("base_url")
    @classmethod
    def _a_web_address(cls, value: str) -> str:
        parts = urlsplit(value)
        extra = parts.query or parts.fragment or parts.username
        if parts.scheme not in {"http", "https"} or not parts.hostname or extra:
            raise ValueError("must be an http or https address without user, query or fragment")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("plain http is only for this machine (127.0.0.1): a token would travel in clear")
        return value.rstrip("/")


def validated(model: type[Model], raw: Mapping[str, Any], *, resource: str) -> Model:
    """``raw`` as ``model``; every complaint at once in one ``ConfigurationError``, never showing a value."""
    try:
        return model.model_validate(dict(raw))
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
    told = []
    for problem in problems:
        key = ".".join(str(part) for part in problem["loc"])
        reason = "unknown key" if problem["type"] == "extra_forbidden" else problem["msg"].removeprefix("Value error, ")
        told.append(f"{key}: {reason}" if key else reason)
    known = ", ".join(model.model_fields) or "none"
    raise ConfigurationError(f"{'; '.join(told)}.", resource=resource, next_step=f"Known keys: {known}.")


def opened_settings(model: type[Model], context: ConnectorContext, kind: str) -> Model:
    return validated(model, context.settings, resource=f"[connectors.{kind}]")


def opened_options(model: type[Model], context: ConnectorContext) -> Model:
    return validated(model, context.options, resource=f'profile "{context.profile}", [profiles.options]')


def opened_secrets(context: ConnectorContext, required: Sequence[str], *, public: Collection[str] = ()) -> Secrets:
    """The credential with all ``required`` parts, guarded from now on. ``public`` names parts that may be shown."""
    secrets = context.credentials.load(context.credential)
    guard(value for name, value in secrets.items() if name not in public)
    missing = [name for name in required if not secrets.get(name)]
    if missing:
        raise ConfigurationError(
            f"the credential has no {', '.join(missing)}.",
            resource=f'profile "{context.profile}", credential "{context.credential}"',
            next_step=f"It needs {', '.join(required)}.",
        )
    return secrets


def stored_anew(context: ConnectorContext, required: Sequence[str], *, public: Collection[str] = ()) -> Secrets | None:
    """The credential as it is stored now: a person may have renewed it since it was opened. ``None`` where it cannot be
    used; what is wrong with it is then the next start's to say."""
    try:
        return opened_secrets(context, required, public=public)
    except DyzurError:
        return None


# --- errors -----------------------------------------------------------------------------------------------------------


class LeftOut:
    """Streams of an account that could not be read when they were last asked, and why. Their place is kept, and the others
    are read; it is told once, not with every poll."""

    def __init__(self, resource: str) -> None:
        self._resource = resource
        self.errors: dict[str, ConnectorError] = {}

    def __contains__(self, stream: str) -> bool:
        return stream in self.errors

    def add(self, stream: str, error: ConnectorError) -> None:
        if stream not in self.errors:
            log.warning("%s cannot be read at the moment, its place is kept: %s", stream, error)
        self.errors[stream] = error

    def read_again(self, stream: str) -> None:
        if self.errors.pop(stream, None) is not None:
            log.info("%s: %s can be read again.", self._resource, stream)


def renewal(context: ConnectorContext, kind: str) -> str:
    """The command that puts a new access in the place of a dead one."""
    return f"social connect {kind} --renew {context.profile}"


def unreached(request: str, host: str, said: str, *, connected: bool) -> str:
    """A request that ended without an answer, for people. ``said`` is the library's: ``Plain(host='127.0.0.1', port=9):
    Failed to establish a new connection: [Errno 111] Connection refused``."""
    found = _OS_ERROR.search(said)
    reason = next(filter(None, found.groups())) if found else _LIBRARY.sub("", said)
    what = "gave no whole answer" if connected else "cannot be reached"
    return f"{host} {what} ({reason.rstrip('.')}; {request})."


def lost(what: str, *, publishes: bool, resource: str, next_step: str = "", over: bool = False) -> ConnectorError:
    """No usable answer: a write may have been accepted, a read was not. ``over``: an answer it was all the same."""
    if publishes:
        return Uncertain(quoted(what), over=over, resource=resource, next_step=next_step)
    return Unreachable(quoted(what), resource=resource, next_step=next_step)


def is_over(status: int) -> bool:
    """Whether an answer without success means that nobody works on the request any more: behind a gateway that lost its
    patience (504) somebody may."""
    return status >= 400 and status not in {408, 425, 504}


def failure(
    status: int,
    *,
    publishes: bool,
    resource: str,
    now: datetime,
    headers: Mapping[str, str],
    detail: str = "",
    scope: str = "all",
) -> ConnectorError:
    """The error for an HTTP status outside 200 to 299, where the network's own words said nothing more exact.

    ``publishes``: the request was to make something public. Only a 4xx is a definite no.
    """
    said = sentence(f"the network answered {status}" + (f": {quoted(detail)}" if detail else ""))
    if status == 401:
        return CredentialsExpired(said, resource=resource, next_step=f"Renew its access: {_RENEWS}")
    if status in TOO_MANY:
        until = retry_after(headers.get("retry-after"), now=now)
        return RateLimited(said, until=until, scope=scope, resource=resource)
    if status < 400 or status >= 500 or status in {408, 425}:
        return lost(said, publishes=publishes, resource=resource, over=is_over(status))
    if publishes:
        reasons = {403: RefusalReason.PERMISSION, 404: RefusalReason.GONE, 410: RefusalReason.GONE}
        return Refused(said, reason=reasons.get(status, RefusalReason.INVALID), resource=resource)
    if status == 403:
        return CredentialsExpired(
            said,
            resource=resource,
            next_step=f"Give the token the permission, then: {_RENEWS}",
        )
    return Unreachable(said, resource=resource)


def reset_at(epoch: str | None, *, now: datetime, default: timedelta = DEFAULT_WAIT) -> datetime:
    """The end of a limit from a header with seconds since 1970; ``now + default`` where that is missing or nonsense."""
    told = _from_epoch(whole_number(epoch))
    return told if told is not None and now <= told <= now + LONGEST_WAIT else now + default


def _from_epoch(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None and 0 <= seconds < 2**33 else None


def retry_after(value: str | None, *, now: datetime, default: timedelta = DEFAULT_WAIT) -> datetime:
    """The end of a limit from ``Retry-After`` (seconds or an HTTP date); ``now + default`` for nonsense."""
    seconds = whole_number(value)
    if seconds is not None:
        return now + timedelta(seconds=seconds) if 0 <= seconds <= LONGEST_WAIT.total_seconds() else now + default
    told = http_date(value)
    return told if told is not None and now <= told <= now + LONGEST_WAIT else now + default


def http_date(value: str | None) -> datetime | None:
    """The time in a ``Date`` or ``Retry-After`` header, aware and in UTC; ``None`` for nonsense."""
    try:
        told = parsedate_to_datetime(value or "")
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


# --- limits as the network tells them ---------------------------------------------------------------------------------


class QuotaBook:
    """The last word of the network about each of its limits. Safe for several threads."""

    def __init__(self) -> None:
        self._seen: dict[str, Quota] = {}
        self._lock = threading.Lock()

    def note(self, quota: Quota) -> None:
        with self._lock:
            self._seen[quota.scope] = quota

    def note_headers(
        self, scope: str, headers: Mapping[str, str], *, now: datetime, prefix: str, stops: str = ""
    ) -> None:
        """Read ``<prefix>limit``, ``<prefix>remaining``, ``<prefix>reset`` (seconds since 1970); skip broken ones."""
        limit, remaining, reset = (whole_number(headers.get(prefix + name)) for name in ("limit", "remaining", "reset"))
        if limit is None and remaining is None:
            return
        resets_at = _from_epoch(reset)
        if resets_at is not None and resets_at > now + LONGEST_WAIT:
            resets_at = None  # nobody waits for years because of one broken header
        used = None
        if limit and remaining is not None:
            used = round(100 * (1 - min(max(remaining, 0), limit) / limit), 1)
        limit, remaining = _storable(limit), _storable(remaining)
        self.note(
            Quota(scope=scope, stops=stops, limit=limit, remaining=remaining, used_percent=used, resets_at=resets_at)
        )

    def seen(self) -> tuple[Quota, ...]:
        with self._lock:
            return tuple(self._seen[scope] for scope in sorted(self._seen))


# --- items ------------------------------------------------------------------------------------------------------------


def read_items(
    items: object, read: Callable[[Mapping[str, Any]], FetchedPost], *, id_key: str = "id"
) -> tuple[list[FetchedPost], list[Quarantined]]:
    """Read a page's items one by one; what cannot be read is quarantined with its reason and blocks nobody.

    The same content twice (native id and revision) counts once. ``items`` may be ``None`` for an empty page; anything
    else but a list is no page: ``Unreachable``.
    """
    if items is None:
        return [], []
    if not isinstance(items, list):
        raise Unreachable(f"a page of items was expected, not {type(items).__name__}.")
    posts: dict[tuple[str, str], FetchedPost] = {}
    bad: list[Quarantined] = []
    for item in items:
        try:
            post = read(item)
        except ConnectorError:
            raise  # the network failed, not the item
        except Exception as error:  # noqa: BLE001 - whatever one item holds, the others must come through
            native_id = item.get(id_key) if isinstance(item, dict) else None
            reason = quoted(f"{type(error).__name__}: {error}")
            bad.append(Quarantined(native_id=identifier_or_none(native_id), reason=reason, raw=_shown(item)))
        else:
            posts[post.native_id, post.revision] = post
    return list(posts.values()), bad


def small(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """``item`` as it came, or only its short values where the whole is longer than 16 KiB of JSON."""
    if len(json.dumps(item)) <= MAX_RAW:
        return item
    return {key: value for key, value in item.items() if len(json.dumps(value)) <= MAX_RAW // 32}


def moment(text: object) -> datetime:
    """An aware UTC time from ISO 8601 (``Z``, ``+0000`` and ``+00:00``). Raises ``ValueError``, also for absurd years."""
    if not isinstance(text, str):
        raise ValueError(f"a time was expected, not {type(text).__name__}")
    told = require_aware(datetime.fromisoformat(text), "time")
    if not FIRST_YEAR <= told.year <= LAST_YEAR:
        raise ValueError(f"a time in the year {told.year}")
    return told.astimezone(UTC)


def written_at(text: object, *, now: datetime) -> datetime:
    """When something was written. Clocks differ, but nobody has waited since a time to come: that is ``now``."""
    return min(moment(text), now.astimezone(UTC))


def words(value: object, name: str) -> str:
    """``value`` if it is a text that is not empty. Raises ``ValueError``."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be a text, got {type(value).__name__}")
    return value


def identifier(value: object, name: str) -> str:
    """``value`` if it can be an id: it goes into later requests and is a key of the database. Raises ``ValueError``."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise ValueError(f"{name} cannot be an id: {quoted(repr(value), 60)}")
    return value


def identifier_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else None


def place_or_none(value: object) -> str | None:
    """Where the next page begins, in the network's own words; ``None`` where there is none. Raises ``Unreachable`` for what no
    request can carry: kept, it would be refused for ever, and taken for the end it would hide what lies behind."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _PLACE.fullmatch(value):
        raise Unreachable(f"the next page has no usable place: {quoted(repr(value), 60)}.")
    return value


def token_or_none(value: object) -> str | None:
    """``value`` if it can be an access token, which goes into headers and signatures (RFC 6749, appendix A.12)."""
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else None


def text_or_none(value: object) -> str | None:
    """``value`` if it is a text that is not empty: for names, addresses and other parts that may be missing or broken."""
    return value if isinstance(value, str) and value else None


def language_or_none(value: object) -> str | None:
    """``value`` if it has the form of a language code (BCP 47)."""
    return value if isinstance(value, str) and _LANGUAGE.fullmatch(value) else None


def mapping(value: object) -> Mapping[str, Any]:
    """``value`` if it is a JSON object, else an empty one: for parts of an answer that may be missing or broken."""
    return value if isinstance(value, dict) else {}


def listing(value: object) -> list[Any]:
    """``value`` if it is a JSON list, else an empty one."""
    return value if isinstance(value, list) else []


def _storable(number: int | None) -> int | None:
    return None if number is None else min(max(number, 0), LARGEST_NUMBER)


def whole_number(text: str | None) -> int | None:
    """A header's number, or ``None``."""
    stripped = (text or "").strip()
    return int(stripped) if re.fullmatch(r"-?[0-9]{1,18}", stripped) else None


def _shown(item: object) -> str:
    try:
        return json.dumps(item)[:MAX_RAW]
    except (TypeError, ValueError, RecursionError):
        return repr(type(item))
