"""The sockets: what the engine expects of a network, a judge and a place for secrets.

Everything here is a Protocol or a frozen value, so that a plug-in needs nothing else of the desk but ``social.domain``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from social.domain.assessment import Assessment, ModelIdentity, TextToAssess
from social.domain.post import Author, FetchedPost, Gone, PostRef, Quarantined
from social.domain.reply import Receipt, SentBy

#: Opaque to everybody but the connector that made it; survives a JSON round trip.
Cursor = Mapping[str, Any]


class Clock(Protocol):
    """World time. ``social.clock`` has the only implementations that read a clock."""

    def now(self) -> datetime: ...


# --- secrets -----------------------------------------------------------------------------------------------------------


class Secrets(Mapping[str, str]):
    """The parts of one credential (``access_token``, ``app_password`` ...). Its repr shows names, never values."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Mapping[str, str]) -> None:
        self._parts = dict(parts)

    def __getitem__(self, name: str) -> str:
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(f'{name}=***' for name in self._parts)})"

    __str__ = __repr__


class CredentialStore(Protocol):
    """Named credentials: read from environment, secret files or systemd; what is refreshed at run time is kept encrypted."""

    def load(self, name: str) -> Secrets:
        """All parts of ``name``; run-time parts win over configured ones. Raises ``ConfigurationError`` where unknown."""
        ...

    def save(self, name: str, parts: Mapping[str, str]) -> None:
        """Keep ``parts`` (merged into the older ones), committed and encrypted before this returns."""
        ...


# --- networks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer of ``fetch``. ``cursor`` may be committed once ``posts`` and ``quarantined`` are. ``more`` asks for
    another ``fetch(cursor)`` at once."""

    posts: tuple[FetchedPost, ...]
    cursor: Cursor
    more: bool = False
    quarantined: tuple[Quarantined, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a network said about one of its limits. ``scope`` is the connector's name for it, stable over time."""

    scope: str
    remaining: int | None = None
    limit: int | None = None
    used_percent: float | None = None
    resets_at: datetime | None = None


class LengthUnit(StrEnum):
    CHARACTERS = "characters"
    GRAPHEMES = "graphemes"
    X_WEIGHTED = "x-weighted"  # twitter-text: most of Latin counts 1, CJK and emoji 2, a URL 23


class Idempotency(StrEnum):
    """What keeps a repeated write from being published twice."""

    SERVER_KEY = "server-key"  # the caller chooses the id; a second create fails
    LOOKUP = "lookup"  # our own replies can be read back
    NONE = "none"  # a doubtful write stays unknown until a person looks


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSource:
    """Where a platform rule was read, and when it was true."""

    rule: str
    source: str
    as_of: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRules:
    """A platform's rules about replies, as data. The evaluator in ``responders.permission`` is the same for all."""

    length_limit: int
    length_unit: LengthUnit
    idempotency: Idempotency
    read_lag: timedelta  # how long an accepted reply may stay invisible to ``find_own_reply``
    summoned_only: bool = False  # reply by API only if the author mentioned or quoted us
    automatic_replies_per_interaction: int | None = None
    automatic_window: timedelta | None = None  # after the customer's last post; None = no limit
    human_window: timedelta | None = None
    private_reply_window: timedelta | None = None
    private_replies_per_comment: int | None = None
    links_allowed: bool = True
    automation_label_required: bool = False  # the account must carry the platform's own label
    sources: tuple[RuleSource, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a connector can tell. The engine never guesses around a missing one."""

    threads: bool  # ``thread`` shows our own posts by any client
    own_reply_lookup: bool
    edits: bool
    deletions: bool
    private_channel: bool = False


class Permission(StrEnum):
    ALLOWED = "allowed"
    DRAFT_ONLY = "draft-only"
    OPEN_IN_APP = "open-in-app"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """May this reply be published? ``reason`` is the platform's rule in one sentence for people."""

    permission: Permission
    reason: str = ""
    source: str = ""

    @property
    def allowed(self) -> bool:
        return self.permission is Permission.ALLOWED


ALLOWED = Verdict(permission=Permission.ALLOWED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorContext:
    """What ``Connector.open`` is given. ``options`` is the raw ``[profiles.options]``, ``settings`` the raw
    ``[connectors.<kind>]``; the connector validates both with its own frozen models."""

    profile: str
    options: Mapping[str, Any]
    settings: Mapping[str, Any]
    credential: str
    credentials: CredentialStore
    clock: Clock


@runtime_checkable
class Connector(Protocol):
    """One profile on one network. Never sleeps, never touches the database, always has a time-out (machine time).

    Raises only ``social.domain.errors.ConnectorError`` kinds. Ids are opaque strings.
    """

    kind: ClassVar[str]  # the name in config.toml
    label: ClassVar[str]  # the name for people
    Options: ClassVar[type[BaseModel]]  # [profiles.options]
    Settings: ClassVar[type[BaseModel]]  # [connectors.<kind>]
    credential_parts: ClassVar[tuple[str, ...]]  # the parts of the credential that must be there
    capabilities: ClassVar[Capabilities]
    reply_rules: ClassVar[ReplyRules]

    @classmethod
    def open(cls, context: ConnectorContext) -> Connector:
        """Validate options, settings and credential (``ConfigurationError`` names what is wrong); no network use."""
        ...

    def identity(self) -> Author:
        """Who we are on the network (our own account)."""
        ...

    def fetch(self, cursor: Cursor | None) -> Page:
        """What is new since ``cursor``, oldest first within a page, our own posts included where the network shows them.
        ``None`` is the first poll: the newest page or two, enough to set the water mark."""
        ...

    def refresh(self, posts: Sequence[PostRef]) -> Mapping[str, FetchedPost | Gone]:
        """The present state of known posts by ``native_id``; those that could not be read are left out."""
        ...

    def thread(self, post: PostRef) -> Sequence[FetchedPost]:
        """The conversation around ``post``, oldest first, our own posts by any client with ``ours=True``."""
        ...

    def can_reply(self, post: PostRef) -> Verdict:
        """What only the network knows: blocked, replies switched off, gone. Declared rules are not repeated here."""
        ...

    def reply(self, post: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
        """Publish ``text`` under ``post``, exactly one attempt on the wire. ``key`` is stable over attempts."""
        ...

    def find_own_reply(self, post: PostRef, text: str, *, key: str) -> Receipt | None:
        """Our reply if it is there, ``None`` if it is surely absent, ``CannotTell`` otherwise."""
        ...

    def quota(self) -> tuple[Quota, ...]:
        """Limits as last seen in the network's own headers since this object was made; empty if none was seen."""
        ...

    def close(self) -> None: ...


# --- judgement ---------------------------------------------------------------------------------------------------------


@runtime_checkable
class Classifier(Protocol):
    """Judges texts. The result for a text does not depend on the other texts of the batch."""

    @property
    def identity(self) -> ModelIdentity: ...

    def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
        """One assessment a text, in order. Never raises for a text; raises ``ModelUnavailable`` if the model is broken."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a part says about itself, for the banner, ``doctor`` and later the desk."""

    ok: bool
    summary: str
    details: Mapping[str, str] = field(default_factory=dict)
