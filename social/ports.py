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
from social.domain.errors import ConnectorError
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


class Meter(Protocol):
    """What one profile has cost in this calendar month (UTC), kept over restarts. Amounts are thousandths of a US dollar."""

    def add(self, amount: int, *, budget: int, now: datetime) -> int:
        """Add ``amount`` (0 only asks) and return the month's sum, committed before this returns. ``budget`` is kept beside
        it, for people."""
        ...


# --- networks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer of ``fetch``. ``cursor`` may be committed once ``posts`` and ``quarantined`` are. ``more`` asks for
    another ``fetch(cursor)`` at once. ``unread``: why our own posts are left out for now, where customers' are read;
    ``thread`` and ``find_own_reply`` may need them too. ``missed``: why some that customers write are left out for now, where
    the others are read. The place of what is left out is kept."""

    posts: tuple[FetchedPost, ...]
    cursor: Cursor
    more: bool = False
    quarantined: tuple[Quarantined, ...] = ()
    unread: tuple[ConnectorError, ...] = ()
    missed: tuple[ConnectorError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a network said about one of its limits. ``scope`` is the connector's name for it, stable over time; ``stops``
    what waits until ``resets_at`` once nothing is ``remaining``, also after a restart: ``read`` (fetch), ``write`` (reply),
    ``all``, or nothing where only a part of ``fetch`` would be missed."""

    scope: str
    stops: str = ""
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
class HistoryReach:
    """How far back a network lets an account read, where that was read, and when it was true. ``None``: it names no limit.
    ``page`` is what one request brings at most; ``note`` is for people."""

    posts: int | None  # the newest so many posts of customers ...
    own_posts: int | None  # ... and of our own
    days: int | None
    page: int
    note: str
    source: str
    as_of: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a connector can tell. The engine never guesses around a missing one.

    ``texts_may_teach``: the network's terms leave it open to train a classifier on what its users wrote. Where nobody has
    read that they do, they do not. ``teaching_rule`` says what was read; it is shown to people.
    """

    threads: bool  # ``thread`` shows our own posts by any client
    own_reply_lookup: bool
    edits: bool
    deletions: bool
    history: HistoryReach
    private_channel: bool = False
    texts_may_teach: bool = False
    teaching_rule: RuleSource | None = None


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
    meter: Meter | None = None  # None: what is spent is counted in this process only


# --- connecting a profile ----------------------------------------------------------------------------------------------


class Goes(StrEnum):
    """Where an answer of the set-up ends."""

    OPTION = "option"  # [profiles.options]
    CREDENTIAL = "credential"  # the secret file
    EXCHANGE = "exchange"  # nowhere: it is exchanged for something that is kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question of ``social connect``. Its words stand in the guide, under ``name``. ``optional``: no answer is one."""

    name: str
    goes: Goes
    hidden: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupForm:
    """What a network's set-up asks, in order. The operator's word for each of ``confirmations`` stands in the option
    ``confirmed``; none of them can be read from the network."""

    asks: tuple[Ask, ...]
    confirmations: tuple[str, ...] = ()
    off_until_confirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupContext:
    """The answers to a ``SetupForm``, hidden ones in ``secrets``; ``settings`` is the raw ``[connectors.<kind>]``."""

    answers: Mapping[str, str]
    secrets: Secrets
    settings: Mapping[str, Any]
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One account that the answers open, and what would be kept of it. Names are empty where there is nothing to pick."""

    options: Mapping[str, Any]
    credential: Secrets
    native_id: str = ""
    label: str = ""


class SetupProblem(ConnectorError):
    """A wrong turn in a set-up. ``key`` finds its sentence in the guide's ``[problems]``, ``words`` fill it in; ``what`` is
    for whoever has no guide."""

    permanent = True
    exit_code = 4

    def __init__(self, key: str, what: str, *, resource: str = "", **words: str) -> None:
        super().__init__(what, resource=resource)
        self.key = key
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a network says about an access. ``problems`` and ``notes`` are keys of the guide's tables: the first keep a
    profile from working, the second are good to know."""

    identity: Author
    needed: tuple[str, ...] = ()
    granted: frozenset[str] | None = None  # None: the network does not say
    expires_at: datetime | None = None  # None: it does not end by itself
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        granted = self.granted
        return () if granted is None else tuple(scope for scope in self.needed if scope not in granted)


class Charge(StrEnum):
    """What a network may bill."""

    OWN_READ = "own-read"  # a mention of the account, or a post of its own
    READ = "read"  # any other post
    AUTHOR_READ = "author-read"
    REPLY = "reply"
    REPLY_WITH_LINK = "reply-with-link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One item's price in thousandths of a US dollar, where that was read, and when it was true."""

    charge: Charge
    amount: int
    source: str
    as_of: date


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
    setup: ClassVar[SetupForm]
    prices: ClassVar[tuple[Price, ...]]  # empty: the network bills nothing

    @classmethod
    def accesses(cls, context: SetupContext) -> tuple[Access, ...]:
        """What the answers of a set-up open, never empty: usually one; several where the owner has to pick. Short-lived
        tokens are exchanged here. Raises ``SetupProblem`` where the answers cannot work."""
        ...

    @classmethod
    def open(cls, context: ConnectorContext) -> Connector:
        """Validate options, settings and credential (``ConfigurationError`` names what is wrong); no network use."""
        ...

    @property
    def threads_add_nothing(self) -> bool:
        """Whether ``fetch`` brings all that ``thread`` could show, so that the regular look for answers in the network's app
        need not pay for threads. Just before a text goes out the thread is read all the same."""
        ...

    @property
    def clock_ahead(self) -> timedelta | None:
        """How far the network's clock was ahead of ours at its last answer (negative: behind); ``None`` where it does not
        say. Only where ours is the real one does it mean anything."""
        ...

    def identity(self) -> Author:
        """Who we are on the network (our own account)."""
        ...

    def inspect(self) -> Inspection:
        """What this access may do and until when, asked from the network anew. Reads only."""
        ...

    def fetch(self, cursor: Cursor | None) -> Page:
        """What is new since ``cursor``, oldest first within a page, our own posts included where the network shows them.
        ``None`` is the first poll: the newest page or two, enough to set the water mark."""
        ...

    def history(self, since: datetime, cursor: Cursor | None) -> Page:
        """Customers' posts that address us and our own ones, as ``fetch`` shapes them and not older than ``since`` (aware):
        one request, a page further back with each call (oldest first within it). ``None`` begins at the newest. The cursor
        is not that of ``fetch``; it survives a restart, and goes with the ``since`` that it was made for."""
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
        """Our reply if it is there, ``None`` if it is surely absent, ``CannotTell`` where asking again would not help; a network
        that does not answer raises as it does for every read."""
        ...

    def quota(self) -> tuple[Quota, ...]:
        """Limits as last seen in the network's own headers since this object was made; empty if none was seen."""
        ...

    def close(self) -> None: ...


# --- telling people ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Plain words for one of the brand's own people. ``to`` is where the channel finds them: an e-mail address, the name of
    a credential. ``key`` is the same over all attempts, so that a repeated message can be known for one."""

    key: str
    to: str
    name: str
    subject: str
    body: str


@runtime_checkable
class Notifier(Protocol):
    """One way to reach people. Never sleeps, never touches the database, always has a time-out (machine time)."""

    channel: ClassVar[str]  # stands on every message that went this way

    def send(self, message: Message) -> None:
        """One attempt. Raises ``Unreachable`` (surely not taken, later perhaps), ``Refused`` (not taken, and a repeat helps
        only once somebody mends something) or ``Uncertain`` (it may have been taken)."""
        ...


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
