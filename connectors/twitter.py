"""X (Twitter), API v2, through tweepy.

Reads the mentions of the account and its own timeline back to a water mark; publishes replies. Prices and limits are
the pay-per-use ones of docs.x.com (August 2026): own mentions and own posts are the cheapest reads there are, so
nothing else is read unless an option or a decision about one post asks for it.
"""

from __future__ import annotations

import logging
import re
import threading
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from connectors import kit
from connectors.setup import sole_access
from connectors.spending import SCOPE, Purse
from social.domain.errors import (
    CannotTell,
    ConfigurationError,
    ConnectorError,
    CredentialsExpired,
    Duplicate,
    RateLimited,
    RefusalReason,
    Refused,
    Uncertain,
    Unreachable,
)
from social.domain.post import Author, FetchedPost, Gone, Media, MediaKind, PostKind, PostRef, Quarantined
from social.domain.reply import Receipt, SentBy
from social.ports import (
    ALLOWED,
    Access,
    Ask,
    Capabilities,
    Charge,
    ConnectorContext,
    Cursor,
    Goes,
    HistoryReach,
    Idempotency,
    Inspection,
    LengthUnit,
    Page,
    Permission,
    Price,
    Quota,
    ReplyRules,
    RuleSource,
    SetupContext,
    SetupForm,
    Verdict,
)

if TYPE_CHECKING:
    import requests

    from connectors.session import NetworkSession

log = logging.getLogger(__name__)

ORIGIN = "https://api.twitter.com"  # built into tweepy
POST_FIELDS = [
    "author_id",
    "conversation_id",
    "created_at",
    "edit_history_tweet_ids",
    "entities",
    "id",
    "in_reply_to_user_id",
    "lang",
    "note_tweet",
    "referenced_tweets",
    "reply_settings",
    "text",
]
USER_FIELDS = ["id", "name", "username"]
PAGE_SIZE = 100
LOOKUP_SIZE = 100
#: Own posts since a customer's post that are looked through for our answer: ten pages.
OWN_PAGES = 10
#: Ids are only about as old as they say ("k-sorted", https://github.com/twitter-archive/snowflake), and a post may be
#: listed later than a newer one: every walk goes on below the newest id that we know. What is read twice within a UTC day
#: is billed once (docs.x.com, pricing), so this costs at most the last posts before a quiet night a second time.
OVERLAP = timedelta(minutes=2)
#: Ids kept in the cursor to tell new posts of the overlap from known ones; beyond it some come twice, none is lost.
MOST_SEEN = 1000
#: The network keeps 800 mentions and 3,200 own posts; a walk over them that is longer goes in a circle. A search may truly
#: have more hits: it ends here, for it would begin again for ever, at five times the price.
LONGEST_WALK = 60
#: So many pages in a row that bring nothing older go in a circle, whatever their tokens look like.
IDLE_PAGES = 3
#: No post is older; the network takes no earlier ``start_time``.
FIRST_POST_AT = datetime(2010, 11, 6, tzinfo=UTC)
#: A post may be edited for up to an hour after it was written.
EDIT_WINDOW = timedelta(hours=2)
#: Ids of a post's versions that are kept; the network allows five edits.
MOST_VERSIONS = 20
#: The stream of our own posts.
OWN = "own"
#: Begins the names of the streams that are searches.
SEARCH = "search "
RENEW_BEFORE = timedelta(minutes=2)
#: From the network's answer to a renewal until it is stored. Shorter than the pause after which a poll asks again.
RENEWAL_TAKES = timedelta(seconds=2)
CREDITS_WAIT = timedelta(hours=1)

OAUTH1_PARTS = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
OAUTH2_PARTS = ("access_token", "refresh_token", "client_id")
#: What may be shown of a credential.
#: Without mentions a poll sees nothing; without the others it misses a part.
STOPS = {"mentions": "read", "write": "write"}
PUBLIC_PARTS = ("client_id", "expires_at", "scope")
#: OAuth 1.0a has levels, which the network tells in the header x-access-level; OAuth 2.0 has scopes.
OAUTH1_NEEDS = ("read", "write")
OAUTH2_NEEDS = ("tweet.read", "tweet.write", "users.read", "offline.access")
PRICES_SOURCE, PRICES_AS_OF = "https://docs.x.com/x-api/getting-started/pricing", date(2026, 8, 22)

#: What the network's own words in a 403 mean for a reply; the first match wins.
DENIALS: tuple[tuple[re.Pattern[str], RefusalReason], ...] = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (r"mentioned or are the author|not been mentioned|engaged by the author", RefusalReason.NOT_SUMMONED),
        (r"deleted or not visible|no longer available", RefusalReason.GONE),
        (r"\bblocked\b", RefusalReason.BLOCKED),
        (
            r"restricted who can reply|reply settings|not allowed to reply|can ?not reply",
            RefusalReason.REPLIES_DISABLED,
        ),
        (r"too long|shorter|character limit", RefusalReason.TOO_LONG),
        (r"automated|spam|suspended|locked", RefusalReason.ABUSE),
    )
)
DUPLICATE = re.compile(r"duplicate content")
_ID = re.compile(r"[0-9]{1,32}")


class TwitterOptions(BaseModel):
    """``[profiles.options]``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Also ask for the authors' names. Costs ten times the mention itself.
    expand_authors: bool = False
    #: Read the own timeline in every poll, so that an answer given in the network's app is seen by itself.
    watch_own_posts: bool = True
    #: ``thread`` searches the whole conversation (seven days, a full-price read a post), not only our own timeline.
    read_conversations: bool = False
    #: Recent-search queries that are followed too (full-price reads): posts that merely name the brand, or quote it.
    search: tuple[Annotated[str, Field(min_length=1, max_length=512)], ...] = Field(default=(), max_length=5)
    #: How many of the newest mentions the first poll reads.
    first_posts: int = Field(default=50, ge=10, le=100)
    #: US dollars a calendar month, by our own estimate: a warning at 80 %, at 100 % nothing is read or sent any more.
    monthly_budget_usd: float | None = Field(default=None, gt=0, le=1_000_000)
    #: What the operator confirmed, as X demands of automatic replies: "automated-label", "reply-rules".
    confirmed: tuple[Annotated[str, Field(pattern="^(automated-label|reply-rules)$")], ...] = ()


class TwitterSettings(kit.NetworkSettings):
    """``[connectors.<kind>]``."""

    base_url: str = ORIGIN


class _Unauthorized(CredentialsExpired):
    """401: an OAuth 2 token may simply have reached its two hours."""


class _BadRequest(Unreachable):
    """400 on a read: a paging token that is no longer good, or a search that X does not understand."""

    permanent = True


class _Forbidden(CredentialsExpired):
    """403 on a read: the access may not read this; it may still read the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """A walk from the newest item back to a little below ``mark``. ``top`` becomes the mark when the walk has arrived."""

    mark: str | None = None
    floor: str | None = None  # an earlier walk ended here before its end; what is older stays unread
    seen: list[str] = field(default_factory=list)  # what was handed out and may be met again, newest first
    top: str | None = None
    token: str | None = None
    pages: int = 0
    low: str | None = None  # the oldest id met so far
    idle: int = 0  # pages in a row that went no further down

    @classmethod
    def resumed(cls, kept: Any) -> _Walk:
        """From the cursor; keys of another version of this file are left out."""
        known = {name: value for name, value in (kept or {}).items() if name in cls.__dataclass_fields__}
        return cls(**known)

    @property
    def since(self) -> str | None:
        """The network is asked for what is newer than this id."""
        return max(filter(None, (_before(self.mark), self.floor)), key=_age, default=None)

    def met(self, ids: Iterable[str], *, told: Sequence[str], now: datetime) -> _Walk:
        """After a page that handed out ``ids`` and on which the network named those ``told``. ``top`` takes no id of a time to
        come: a mark up there would hide everything that is written until then."""
        low = min(filter(None, (self.low, *told)), key=_age, default=None)
        top = max(filter(None, (self.top, *(one for one in told if _is_past(one, now)))), key=_age, default=None)
        idle = self.idle + 1 if low == self.low else 0
        return replace(self, top=top, low=low, idle=idle, seen=self._still_needed({*self.seen, *ids}, top))

    def _still_needed(self, ids: Iterable[str], top: str | None) -> list[str]:
        """The overlap of this walk, below the mark, and that of the next one, below what will be the mark."""
        mark = _newest(self.mark, top)
        spans = [(_age(_before(low) or ""), high) for low, high in ((self.mark, self.mark), (mark, None)) if low]
        kept = [
            one for one in ids if any(low < _age(one) and (not high or _age(one) <= _age(high)) for low, high in spans)
        ]
        return sorted(kept, key=_age, reverse=True)[:MOST_SEEN]

    def circles(self, token: str | None) -> bool:
        return token is not None and (token == self.token or self.idle >= IDLE_PAGES)

    def is_too_long(self, token: str | None) -> bool:
        return token is not None and self.pages + 1 >= LONGEST_WALK

    def turned(self, token: str | None, *, stop: bool) -> _Walk:
        """After a page: on with ``token``, or arrived. ``stop``: here, whatever lies below."""
        if token is None or stop:
            mark = _newest(self.top, self.mark)
            # an id of a time to come would be a floor that nothing gets over
            cut = token is not None and self.low is not None and mark is not None and _age(self.low) <= _age(mark)
            arrived = _Walk(mark=mark, floor=self.low if cut else self.floor)
            return replace(arrived, seen=arrived._still_needed(self.seen, None))
        if self.circles(token) or self.is_too_long(token):
            return self.again(self.mark)  # paging in a circle: read again from the old mark rather than lose something
        return replace(self, token=token, pages=self.pages + 1)

    def again(self, mark: str | None) -> _Walk:
        """From the newest item down to ``mark``; what was handed out stays known."""
        return _Walk(mark=mark, floor=self.floor if mark is not None else None, seen=self.seen)


class TwitterConnector:
    """One account. See ``social.ports.Connector``."""

    kind: ClassVar[str] = "twitter"
    label: ClassVar[str] = "X (Twitter)"
    Options: ClassVar[type[BaseModel]] = TwitterOptions
    Settings: ClassVar[type[BaseModel]] = TwitterSettings
    credential_parts: ClassVar[tuple[str, ...]] = ("access_token",)
    capabilities: ClassVar[Capabilities] = Capabilities(
        threads=True,
        own_reply_lookup=True,
        edits=True,
        deletions=True,
        history=HistoryReach(
            posts=800,
            own_posts=3200,
            days=None,
            page=PAGE_SIZE,
            note="X shows an account its newest 800 mentions and its own newest 3,200 posts. Searches are not repeated; with "
            "expand_authors every author costs $0.010 more.",
            source="https://docs.x.com/x-api/posts/timelines/migrate/overview",
            as_of=date(2026, 11, 26),
        ),
        teaching_rule=RuleSource(
            rule="X: no model is trained on its content.",
            source="https://docs.x.com/developer-guidelines",
            as_of=date(2026, 8, 22),
        ),
    )
    reply_rules: ClassVar[ReplyRules] = ReplyRules(
        length_limit=280,
        length_unit=LengthUnit.X_WEIGHTED,
        idempotency=Idempotency.LOOKUP,
        read_lag=timedelta(seconds=30),  # nobody states it; a text sent twice all the same is refused as a duplicate
        summoned_only=True,
        automatic_replies_per_interaction=1,
        links_allowed=False,
        automation_label_required=True,
        sources=(
            RuleSource(
                rule="A self-serve app may reply only to an author who @mentioned or quoted the account.",
                source="https://docs.x.com/changelog (2026-02-23)",
                as_of=date(2026, 8, 22),
            ),
            RuleSource(
                rule="At most one automated reply per interaction; the account carries the Automated label.",
                source="https://docs.x.com/developer-guidelines",
                as_of=date(2026, 8, 22),
            ),
            RuleSource(
                rule="A post with a link costs $0.20 instead of $0.01 to $0.015.",
                source="https://docs.x.com/changelog (2026-04-16)",
                as_of=date(2026, 8, 22),
            ),
            RuleSource(
                rule="A post has at most 280 weighted characters.",
                source="https://docs.x.com/fundamentals/counting-characters",
                as_of=date(2026, 8, 22),
            ),
        ),
    )

    setup: ClassVar[SetupForm] = SetupForm(
        # the four keys of one's own account; OAuth 2.0 would need a browser that comes back to this machine
        asks=(
            *(Ask(name=name, goes=Goes.CREDENTIAL, hidden=True) for name in OAUTH1_PARTS),
            Ask(name="monthly_budget_usd", goes=Goes.OPTION, optional=True),
        ),
        confirmations=("automated-label", "reply-rules"),
        off_until_confirmed=True,
    )
    prices: ClassVar[tuple[Price, ...]] = tuple(
        Price(charge=charge, amount=amount, source=PRICES_SOURCE, as_of=PRICES_AS_OF)
        for charge, amount in (
            (Charge.OWN_READ, 1),
            (Charge.READ, 5),
            (Charge.AUTHOR_READ, 10),
            (Charge.REPLY, 15),  # 10 where the author summoned us: only the bill tells
            (Charge.REPLY_WITH_LINK, 200),
        )
    )

    def __init__(self, context: ConnectorContext) -> None:
        import tweepy

        from connectors.session import NetworkSession

        self._settings = kit.opened_settings(TwitterSettings, context, self.kind)
        self._options = kit.opened_options(TwitterOptions, context)
        self._secrets = dict(kit.opened_secrets(context, self.credential_parts, public=PUBLIC_PARTS))
        self._context = context
        self._clock = context.clock
        self._resource = f'profile "{context.profile}"'
        self._oauth1 = self._chosen_flow()
        self._quota = kit.QuotaBook()
        self._purse = Purse(
            self.prices,
            budget_usd=self._options.monthly_budget_usd,
            meter=context.meter,
            clock=context.clock,
            resource=self._resource,
        )
        self._level: str | None = None
        self._left_out = kit.LeftOut(self._resource)
        self._renewing = threading.Lock()
        #: A refresh token that the network refused, and when it first did.
        self._refused: tuple[str, datetime] | None = None
        self._me: Author | None = None
        self._session: NetworkSession = NetworkSession(
            origin=ORIGIN, settings=self._settings, clock=self._clock, resource=self._resource, inspect=self._inspect
        )
        tokens = {name: self._secrets[name] for name in OAUTH1_PARTS} if self._oauth1 else {}
        # at DEBUG tweepy logs whole answers: what customers write is for nobody's log
        logging.getLogger("tweepy").setLevel(logging.INFO)
        # tweepy's own models choke on whole-second times, and its wait for a limit sleeps in our thread
        self._client = tweepy.Client(
            bearer_token=None if self._oauth1 else self._secrets["access_token"],
            return_type=dict,
            wait_on_rate_limit=False,
            **tokens,
        )
        self._client.session = self._session

    @classmethod
    def accesses(cls, context: SetupContext) -> tuple[Access, ...]:
        return (sole_access(cls.setup, context),)

    @classmethod
    def open(cls, context: ConnectorContext) -> TwitterConnector:
        return cls(context)

    def _chosen_flow(self) -> bool:
        """True for OAuth 1.0a, false for OAuth 2.0 (PKCE). A token alone works until it ends."""
        for parts, needed in ((OAUTH1_PARTS, "access_token_secret"), (OAUTH2_PARTS, "refresh_token")):
            missing = [name for name in parts if not self._secrets.get(name)]
            if self._secrets.get(needed) and missing:
                raise ConfigurationError(
                    f"the credential has {needed} but no {', '.join(missing)}.",
                    resource=f'{self._resource}, credential "{self._context.credential}"',
                    next_step=f"OAuth 1.0a needs {', '.join(OAUTH1_PARTS)}; OAuth 2.0 needs {', '.join(OAUTH2_PARTS)}.",
                )
        return bool(self._secrets.get("access_token_secret"))

    # --- reading ------------------------------------------------------------------------------------------------------

    @property
    def clock_ahead(self) -> timedelta | None:
        return self._session.ahead

    @property
    def threads_add_nothing(self) -> bool:
        """Both read our own timeline; a thread reads it back to the customer's post, which is dear for an old case."""
        return self._options.watch_own_posts and not self._options.read_conversations

    def identity(self) -> Author:
        if self._me is None:
            self._me = self._who()
        return self._me

    def _who(self) -> Author:
        user = kit.mapping(self._read(self._client.get_me).get("data"))
        try:
            native_id = _native_id(user.get("id"))
        except ValueError as error:
            raise Unreachable(f"the network did not say who we are: {error}.", resource=self._resource) from None
        return _author(native_id, {native_id: user}, complete=True)

    def inspect(self) -> Inspection:
        identity = self._me = self._who()
        told = self._level.split("-") if self._oauth1 and self._level else (self._secrets.get("scope") or "").split()
        needed, granted = OAUTH1_NEEDS if self._oauth1 else OAUTH2_NEEDS, frozenset(told) if told else None
        return Inspection(
            identity=identity,
            needed=needed,
            granted=granted,
            expires_at=self._ends_at(),
            problems=("read-only",) if self._oauth1 and granted is not None and "write" not in granted else (),
            notes=("permission-unknown",) if granted is None else (),
        )

    def _ends_at(self) -> datetime | None:
        """Of a token that nothing renews."""
        if self._oauth1 or self._secrets.get("refresh_token"):
            return None
        try:
            return kit.moment(self._secrets.get("expires_at"))
        except ValueError:
            return None

    def fetch(self, cursor: Cursor | None) -> Page:
        """Mentions, unless switched off our own posts, and searches. The cursor holds one walk a stream.

        A stream besides the mentions that cannot be read keeps its walk as it was, and nobody else's news waits for it.
        """
        kept = cursor or {}
        streams = self._streams()
        walks = {stream: _Walk.resumed(kept.get(stream)) for stream in streams}
        under_way = [stream for stream in walks if walks[stream].token]
        posts: dict[tuple[str, str], FetchedPost] = {}
        quarantined: list[Quarantined] = []
        read_on: set[str] = set()
        for turn in (under_way, [stream for stream in walks if stream not in under_way]):
            for stream in turn:
                # the first poll sets the mark; a stream that is switched on later does the same
                step = self._step_or_leave_out(stream, streams[stream], walks[stream], first=stream not in kept)
                if step is None:
                    continue
                walks[stream], read, bad = step
                posts.update({(post.native_id, post.revision): post for post in read})
                quarantined += bad
                read_on.add(stream)
            if read_on:
                break
        return Page(
            posts=tuple(sorted(posts.values(), key=lambda post: (post.created_at, _age(post.native_id)))),
            quarantined=tuple(quarantined),
            # without those that were never read: their first page is still to come
            cursor={stream: asdict(walk) for stream, walk in walks.items() if stream in kept or stream in read_on},
            more=any(walks[stream].token for stream in walks if stream not in self._left_out),
            unread=tuple(error for stream, error in self._left_out.errors.items() if stream == OWN),
            missed=tuple(error for stream, error in self._left_out.errors.items() if stream.startswith(SEARCH)),
        )

    def _streams(self) -> dict[str, Callable[..., Any]]:
        """What is walked: name -> a call that takes ``place`` (the paging token) besides the rest."""
        me, client = self.identity().native_id, self._client

        def timeline(call: Callable[..., Any]) -> Callable[..., Any]:
            return lambda place, **asked: call(me, pagination_token=place, **asked)

        def search(query: str) -> Callable[..., Any]:
            return lambda place, **asked: client.search_recent_tweets(query, next_token=place, **asked)

        streams = {"mentions": timeline(client.get_users_mentions)}
        if self._options.watch_own_posts:
            streams[OWN] = timeline(client.get_users_tweets)
        # named by the query, so that a changed query starts a walk of its own
        return streams | {f"{SEARCH}{query}": search(query) for query in self._options.search}

    def _step_or_leave_out(
        self, stream: str, call: Callable[..., Any], walk: _Walk, *, first: bool
    ) -> tuple[_Walk, list[FetchedPost], list[Quarantined]] | None:
        """``None``: this stream cannot be read at the moment, the others can."""
        left_out = self._left_out.errors.get(stream)
        if isinstance(left_out, RateLimited) and self._clock.now() < left_out.until:
            return None
        try:
            step = self._step(stream, call, walk, first=first)
        except ConnectorError as error:
            if stream == "mentions" or _concerns_all(error):
                raise
            error.resource = f"{self._resource}, {stream}"
            self._left_out.add(stream, error)
            return None
        self._left_out.read_again(stream)
        return step

    def _step(
        self, stream: str, call: Callable[..., Any], walk: _Walk, *, first: bool
    ) -> tuple[_Walk, list[FetchedPost], list[Quarantined]]:
        """One page, without what was handed out before."""
        size = self._options.first_posts if first else PAGE_SIZE
        try:
            answer = self._read(call, walk.token, max_results=size, since_id=walk.since, **self._fields())
        except _BadRequest:
            if walk.token is None and walk.since is None:
                raise
            # the paging token has ended, or the mark is older than a search reaches: walk again from the newest
            walk = walk.again(walk.mark if walk.token else None)
            answer = self._read(call, None, max_results=size, since_id=walk.since, **self._fields())
        known, newest = set(walk.seen), kit.mapping(answer.get("meta")).get("newest_id")
        # the mark may pass what cannot be read, by the word of the network; but not what was left out of the page
        told = [*_ids(answer.get("data")), *_ids([{"id": newest}] if _is_whole(answer) else [])]
        walk = walk.met(_undoubted(answer.get("data")), told=told, now=self._clock.now())
        if isinstance(answer.get("data"), list):
            answer = {**answer, "data": [item for item in answer["data"] if not known.intersection(_ids([item]))]}
        place = _next_place(answer)
        given_up = stream.startswith(SEARCH) and walk.is_too_long(place) and not walk.circles(place)
        if given_up:
            log.error(
                "%s: %s has more hits than %d pages; the older ones are left out.", self._resource, stream, LONGEST_WALK
            )
        return walk.turned(place, stop=first or given_up), *self._items(answer)

    def history(self, since: datetime, cursor: Cursor | None) -> Page:
        """Our own posts, so that an answer is known before what it answers, then the mentions."""
        streams = self._streams()
        kept = cursor or {"left": [OWN, "mentions"]}
        if kept["left"][0] not in streams:  # our own posts: the option may have changed meanwhile
            kept = {"left": kept["left"][1:]}
        left = list(kept["left"])
        token, until, below = kept.get("token"), kept.get("until"), kept.get("below")
        # an edit keeps a post's first time and has a newer id, so the network's own limit leaves none out
        asked = {"start_time": max(since, FIRST_POST_AT), "max_results": PAGE_SIZE, **self._fields()}
        call = streams[left[0]]
        try:
            answer = self._read(call, token, until_id=until, **asked)
        except _BadRequest:
            if token is None or below is None:
                raise
            # the paging token has ended, as it may over a restart; the id of the oldest post that was read never does
            token, until = None, below
            answer = self._read(call, None, until_id=until, **asked)
        posts, quarantined = self._items(answer)
        place, pages = _next_place(answer), kept.get("pages", 0) + 1
        if place is not None and (place == token or pages >= LONGEST_WALK):
            log.error("%s: the pages of %s go in a circle; the walk ends here.", self._resource, left[0])
            place = None
        following: dict[str, Any] = {"left": left[1:]}
        if place is not None:
            below = min([*_ids(answer.get("data")), *filter(None, [below])], key=_age, default=None)
            following = {"left": left, "token": place, "until": until, "below": below, "pages": pages}
        found = [post for post in posts if post.created_at >= since]
        return Page(
            posts=tuple(sorted(found, key=lambda post: (post.created_at, _age(post.native_id)))),
            quarantined=tuple(quarantined),
            cursor=following,
            more=bool(following["left"]),
        )

    def refresh(self, posts: Sequence[PostRef]) -> Mapping[str, FetchedPost | Gone]:
        wanted = {_current(post): post.native_id for post in posts}
        state: dict[str, FetchedPost | Gone] = {}
        later: dict[str, str] = {}
        for current, found in self._lookup(wanted).items():
            if isinstance(found, FetchedPost) and _current(found.ref) != found.native["latest"]:
                later[found.native["latest"]] = wanted[current]
            else:
                state[wanted[current]] = found
        # an id shows its own version for ever; an edited post's newest version has a new id
        state.update({later[latest]: found for latest, found in self._lookup(later).items()})
        # what is gone was asked for by the id of a version; it is known by its first
        return {
            first: replace(found, native_id=first) if isinstance(found, Gone) else found
            for first, found in state.items()
        }

    def _lookup(self, ids: Iterable[str]) -> dict[str, FetchedPost | Gone]:
        asked = list(ids)
        state: dict[str, FetchedPost | Gone] = {}
        for start in range(0, len(asked), LOOKUP_SIZE):
            part = asked[start : start + LOOKUP_SIZE]
            answer = self._read(self._client.get_tweets, part, **self._fields())
            read, _ = self._items(answer)
            state.update({_current(post.ref): post for post in read if _current(post.ref) in part})
            state.update(_gone(answer.get("errors"), part))
        return state

    def thread(self, post: PostRef) -> Sequence[FetchedPost]:
        """Our own posts in the conversation since ``post``; with ``read_conversations`` everybody's of seven days."""
        found = {own.native_id: own for own in self._own_posts_since(post) if own.thread_root == post.thread_root}
        if self._options.read_conversations:
            query = f"conversation_id:{post.thread_root}"
            answer = self._read(self._client.search_recent_tweets, query, max_results=PAGE_SIZE, **self._fields())
            found.update({other.native_id: other for other in self._items(answer)[0]})
        return sorted(found.values(), key=lambda item: (item.created_at, _age(item.native_id)))

    def _own_posts_since(self, post: PostRef) -> list[FetchedPost]:
        """Complete, or ``CannotTell``."""
        found: list[FetchedPost] = []
        token = None
        for _ in range(OWN_PAGES):
            answer = self._read(
                self._client.get_users_tweets,
                self.identity().native_id,
                since_id=post.native_id,
                max_results=PAGE_SIZE,
                pagination_token=token,
                **self._fields(),
            )
            readable, unreadable = self._items(answer)
            if unreadable or not _is_whole(answer):  # one of them may be the very reply that is looked for
                raise CannotTell("an own post cannot be read.", resource=self._resource)
            found += readable
            token = _next_place(answer)
            if not token:
                return found
        raise CannotTell(f"more than {len(found)} own posts since then.", resource=self._resource)

    def quota(self) -> tuple[Quota, ...]:
        return self._quota.seen()

    def close(self) -> None:
        self._session.close()

    # --- replying -----------------------------------------------------------------------------------------------------

    def can_reply(self, post: PostRef) -> Verdict:
        current = _current(post)
        found = self.refresh([post]).get(post.native_id)
        if isinstance(found, Gone):
            return Verdict(permission=Permission.OPEN_IN_APP, reason="The post is deleted or no longer visible to us.")
        if found is None:
            raise Unreachable(f"post {current} could not be looked up.", resource=self._resource)
        audience = found.raw.get("reply_settings", "everyone")
        if audience == "everyone" or (audience == "mentionedUsers" and found.summoned):
            return ALLOWED
        return Verdict(permission=Permission.OPEN_IN_APP, reason=f"The author restricted replies ({audience}).")

    def reply(self, post: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
        """The network knows no idempotency key: after an ``Uncertain`` only ``find_own_reply`` can tell."""
        self._purse.require_money()
        self._renew_if_due()
        token = self._secrets["access_token"]
        answer = None
        with suppress(_Unauthorized):
            answer = self._client.create_tweet(text=text, in_reply_to_tweet_id=_current(post), user_auth=self._oauth1)
        if answer is None:
            self._renew(token)
            told = "the token had ended and was renewed; nothing was published."
            raise Unreachable(told, resource=self._resource)
        created = answer.get("data")
        native_id = next(iter(_ids([created])), None)
        if native_id is None:
            raise Uncertain("the network accepted the reply without telling its id.", resource=self._resource)
        return Receipt(native_id=native_id, published_at=_snowflake_time(native_id), permalink=_permalink(native_id))

    def find_own_reply(self, post: PostRef, text: str, *, key: str) -> Receipt | None:
        # whether an answer names the first id or that of the version it was given to, the network's documents do not say
        targets = {post.native_id, _current(post), *map(str, kit.listing(post.native.get("versions")))}
        for own in self._own_posts_since(post):
            if own.in_reply_to in targets and _said(own.text) == _said(text):
                return Receipt(native_id=own.native_id, published_at=own.created_at, permalink=own.permalink)
        return None

    # --- the wire -----------------------------------------------------------------------------------------------------

    def _fields(self) -> dict[str, Any]:
        asked: dict[str, Any] = {"tweet_fields": POST_FIELDS}
        if self._options.expand_authors:
            asked |= {"expansions": ["author_id"], "user_fields": USER_FIELDS}
        return asked

    def _read(self, call: Callable[..., Any], *args: Any, **params: Any) -> Mapping[str, Any]:
        """A read may be repeated: once, with a renewed token."""
        self._purse.require_money()
        self._renew_if_due()
        token = self._secrets["access_token"]
        given = {name: value for name, value in params.items() if value is not None}
        with suppress(_Unauthorized):
            first: Mapping[str, Any] = call(*args, user_auth=self._oauth1, **given)
            return first
        self._renew(token)
        second: Mapping[str, Any] = call(*args, user_auth=self._oauth1, **given)
        return second

    def _inspect(self, response: requests.Response, publishes: bool) -> None:
        """Note the limits; turn the network's own refusals into our errors before tweepy sees them."""
        path = urlsplit(response.request.url or "").path
        scope = _scope(response.request.method or "GET", path)
        stops = STOPS.get(scope, "")
        now = self._clock.now()
        self._quota.note_headers(scope, response.headers, now=now, prefix="x-rate-limit-", stops=stops)
        for whose in ("app", "user"):
            day = f"{scope}-{whose}-24h"
            self._quota.note_headers(day, response.headers, now=now, prefix=f"x-{whose}-limit-24hour-", stops=stops)
        self._level = response.headers.get("x-access-level") or self._level
        if response.status_code < 400:
            self._pay(response, scope)
            return
        problem = self._problem(response, scope, publishes)
        if problem is not None:
            raise problem

    def _pay(self, response: requests.Response, scope: str) -> None:
        from connectors.session import answer_of

        if not self._purse.limited or scope == "token":
            return
        answer = answer_of(response) or {}
        data, users = answer.get("data"), kit.mapping(answer.get("includes")).get("users")
        if scope == "write":
            link = "http" in str(response.request.body)
            self._purse.pay(Charge.REPLY_WITH_LINK if link else Charge.REPLY, _ids([data]))
        elif scope == "account":
            self._purse.pay(Charge.AUTHOR_READ, _ids([data]))
        else:
            self._purse.pay(Charge.OWN_READ if scope in {"mentions", "own-posts"} else Charge.READ, _ids(data))
            self._purse.pay(Charge.AUTHOR_READ, _ids(users))

    def _problem(self, response: requests.Response, scope: str, publishes: bool) -> ConnectorError | None:
        from connectors.session import answer_of

        status, now = response.status_code, self._clock.now()
        words = _complaint(answer_of(response) or {})
        said = kit.sentence(f"the network answered {status}: {kit.quoted(words) or response.reason}")
        if scope == "token" and status < 500:
            return self._must_connect("the network refused to renew the token.")
        if status == 401:
            return _Unauthorized(
                said, resource=self._resource, next_step=f"Renew its access: {kit.renewal(self._context, self.kind)}"
            )
        if status == 402:
            until = now + CREDITS_WAIT
            return RateLimited(said, until=until, scope="credits", resource=self._resource, next_step="Buy credits.")
        if status in kit.TOO_MANY:
            spent = (
                "x-app-limit-24hour-"
                if response.headers.get("x-app-limit-24hour-remaining") == "0"
                else "x-rate-limit-"
            )
            until = kit.reset_at(response.headers.get(f"{spent}reset"), now=now)
            return RateLimited(said, until=until, scope=scope, resource=self._resource)
        if status == 400 and not publishes:
            return _BadRequest(said, resource=self._resource)
        if status == 403 and not publishes:
            next_step = f"Give the token the permission, then: {kit.renewal(self._context, self.kind)}"
            return _Forbidden(said, resource=self._resource, next_step=next_step)
        if status in {400, 403} and publishes:
            return self._denial(status, words, said)
        return None

    def _denial(self, status: int, words: str, said: str) -> ConnectorError:
        lowered = words.lower()
        if DUPLICATE.search(lowered):
            return Duplicate(said, resource=self._resource)
        other = RefusalReason.PERMISSION if status == 403 else RefusalReason.INVALID
        reason = next((reason for pattern, reason in DENIALS if pattern.search(lowered)), other)
        return Refused(said, reason=reason, resource=self._resource)

    # --- tokens -------------------------------------------------------------------------------------------------------

    def _renew_if_due(self) -> None:
        ends = self._secrets.get("expires_at")
        if not self._oauth1 and ends and self._secrets.get("refresh_token"):
            try:
                due = kit.moment(ends) - RENEW_BEFORE <= self._clock.now()
            except ValueError:
                return  # written by somebody else in another way; a 401 will tell
            if due:
                self._renew(self._secrets["access_token"])

    def _renew(self, stale: str) -> None:
        """Put a new access token in the place of ``stale``: another process's, one that a person put there meanwhile, or a
        fresh one of the network's. One thread at a time."""
        with self._renewing:
            if self._secrets["access_token"] != stale or self._adopted_stored(stale):
                return
            if self._oauth1 or not self._secrets.get("refresh_token"):
                raise self._must_connect("the token is no longer valid.")
            try:
                self._adopt(self._renewed())
            except CredentialsExpired as error:
                # a refresh token works once: another process may have been quicker between our look and our question
                if self._adopted_stored(stale):
                    return
                # ... and have its answer still to store
                if not self._refused_before(self._secrets["refresh_token"]):
                    told = "the token could not be renewed just now; another process may be at it."
                    raise Unreachable(told, resource=self._resource, next_step=f"If not: {error.next_step}") from None
                raise

    def _refused_before(self, refresh_token: str) -> bool:
        """Whether it was refused so long ago that whoever renewed it has stored the new one since."""
        now = self._clock.now()
        if self._refused is None or self._refused[0] != refresh_token:
            self._refused = refresh_token, now
        return self._refused[1] + RENEWAL_TAKES <= now

    def _adopted_stored(self, stale: str) -> bool:
        stored = kit.stored_anew(self._context, self.credential_parts, public=PUBLIC_PARTS)
        if stored is None or stored["access_token"] == stale:
            return False
        self._adopt(stored)
        return True

    def _must_connect(self, what: str) -> CredentialsExpired:
        next_step = f"Renew its access: {kit.renewal(self._context, self.kind)}"
        return CredentialsExpired(what, resource=self._resource, next_step=next_step)

    def _renewed(self) -> Mapping[str, str]:
        client_secret = self._secrets.get("client_secret")
        asked = {
            "grant_type": "refresh_token",
            "refresh_token": self._secrets["refresh_token"],
            "client_id": self._secrets["client_id"],
        }
        answer = self._session.exchange(
            "POST",
            f"{ORIGIN}/2/oauth2/token",
            publishes=False,
            data=asked,
            auth=(self._secrets["client_id"], client_secret) if client_secret else None,
        ).json()
        if kit.token_or_none(answer.get("access_token")) is None:
            raise self._must_connect("the network renewed no token.")
        parts = {name: kit.token_or_none(answer.get(name)) for name in ("access_token", "refresh_token", "scope")}
        fresh = {name: value for name, value in parts.items() if value is not None}
        lifetime = answer.get("expires_in")
        if isinstance(lifetime, int) and 0 < lifetime < 10**8:  # three years
            fresh["expires_at"] = (self._clock.now() + timedelta(seconds=lifetime)).isoformat()
        kit.guard(fresh[name] for name in fresh if name not in PUBLIC_PARTS)
        # the old refresh token is dead from now on: keep the new one before anything else can fail
        self._context.credentials.save(self._context.credential, fresh)
        return fresh

    def _adopt(self, parts: Mapping[str, str]) -> None:
        self._secrets.update(parts)
        client = self._client
        if self._oauth1:
            client.consumer_key, client.consumer_secret = (self._secrets[name] for name in OAUTH1_PARTS[:2])
            client.access_token, client.access_token_secret = (self._secrets[name] for name in OAUTH1_PARTS[2:])
        else:
            client.bearer_token = self._secrets["access_token"]

    # --- items --------------------------------------------------------------------------------------------------------

    def _items(self, answer: Mapping[str, Any]) -> tuple[list[FetchedPost], list[Any]]:
        users = kit.listing(kit.mapping(answer.get("includes")).get("users"))
        known = {str(user["id"]): user for user in users if isinstance(user, dict) and user.get("id")}
        return kit.read_items(answer.get("data"), lambda item: self._post(item, known))

    def _post(self, item: Mapping[str, Any], users: Mapping[str, Mapping[str, Any]]) -> FetchedPost:
        me = self.identity()
        current = _native_id(item.get("id"))
        versions = _either(item, "edit_history_tweet_ids", "edit_history_post_ids") or [current]
        history = [_native_id(version) for version in versions]
        if current not in history:
            raise ValueError("a post must be one of its own versions")
        author_id = _native_id(item.get("author_id"))
        references = _references(item)
        told_at = kit.written_at(item.get("created_at"), now=self._clock.now())
        edited = current != history[0]
        native: dict[str, Any] = {"id": current, "latest": history[-1]}
        if len(history) > 1:
            native["versions"] = history[-MOST_VERSIONS:]
        ours = author_id == me.native_id
        return FetchedPost(
            native_id=history[0],
            revision=current if edited else "",
            author=_author(author_id, users, complete=self._options.expand_authors) if not ours else me,
            text=_plain_text(item),
            created_at=_first_written(history[0], told_at) if edited else told_at,
            edited_at=told_at if edited else None,
            thread_root=_native_id(item.get("conversation_id") or history[0]),
            kind=PostKind.OWN if ours else _kind(item, references, me.native_id),
            in_reply_to=references.get("replied_to"),
            summoned=not ours and (_mentions(item, me) or _quotes(item, references, me)),
            ours=ours,
            permalink=_permalink(current),
            language_hint=_language(item.get("lang")),
            media=_media(item),
            native=native,
            raw=kit.small(item),
        )


def _either(item: Mapping[str, Any], old: str, new: str) -> Any:
    """The network is renaming "tweet" to "post" in its field names; both are met."""
    return item[old] if item.get(old) is not None else item.get(new)


def _age(native_id: str) -> tuple[int, str]:
    """Sorts ids by age without trusting them to fit any number."""
    return len(native_id), native_id


def _newest(*ids: str | None) -> str | None:
    return max(filter(None, ids), key=_age, default=None)


def _before(native_id: str | None) -> str | None:
    """The first id of the time ``OVERLAP`` before ``native_id``; the same id where that holds no time."""
    if native_id is None or _snowflake_time(native_id) is None:
        return native_id
    return str(max(0, (int(native_id) >> 22) - OVERLAP // timedelta(milliseconds=1)) << 22)


def _concerns_all(error: ConnectorError) -> bool:
    """Whether what one request met would meet every other one too."""
    if isinstance(error, RateLimited):
        return error.scope in {"credits", SCOPE}
    return isinstance(error, CredentialsExpired) and not isinstance(error, _Forbidden)


def _ids(items: object) -> list[str]:
    found = [item.get("id") for item in kit.listing(items) if isinstance(item, dict)]
    return [native_id for native_id in found if isinstance(native_id, str) and _ID.fullmatch(native_id)]


def _undoubted(items: object) -> list[str]:
    """The ids of a page's items, without those that call another item of it an earlier version of themselves: a post is listed
    once, so one of the two is wrong, and is read again while it can be."""
    listed = set(_ids(items))
    named = [(item, _versions(item)) for item in kit.listing(items) if isinstance(item, dict)]
    return [one for item, versions in named for one in _ids([item]) if not (listed & set(versions)) - {one}]


def _versions(item: Mapping[str, Any]) -> list[str]:
    history = kit.listing(_either(item, "edit_history_tweet_ids", "edit_history_post_ids"))
    return [one for one in history if isinstance(one, str)]


def _native_id(value: object) -> str:
    """An id as the network's own document describes it: digits. Ids go into later requests. Raises ``ValueError``."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ValueError(f"an id must be digits, got {kit.quoted(repr(value), 60)}")
    return value


def _is_whole(answer: Mapping[str, Any]) -> bool:
    """Whether a page holds as many items as it says. An empty one may have no list at all."""
    listed, told = answer.get("data"), kit.mapping(answer.get("meta")).get("result_count")
    return bool(told == (len(listed) if isinstance(listed, list) else 0))


def _next_place(answer: Mapping[str, Any]) -> str | None:
    """The paging token of the next page, if there is one."""
    return kit.place_or_none(kit.mapping(answer.get("meta")).get("next_token"))


def _current(post: PostRef) -> str:
    """The id of the version that we know; replies go to it."""
    return str(post.native.get("id") or post.native_id)


def _permalink(native_id: str) -> str:
    return f"https://x.com/i/web/status/{native_id}"


def _snowflake_time(native_id: str) -> datetime | None:
    """Post ids since 2010 hold their time: milliseconds since 2010-11-04T01:42:54.657Z, shifted by 22 bits."""
    if not _ID.fullmatch(native_id) or not 15 <= len(native_id) <= 19:
        return None
    return datetime.fromtimestamp(((int(native_id) >> 22) + 1_288_834_974_657) / 1000, UTC)


def _is_past(native_id: str, now: datetime) -> bool:
    """By the time that an id holds. Longer ids than the network has are none of its own."""
    told = _snowflake_time(native_id)
    return len(native_id) <= 19 if told is None else told <= now


def _first_written(first_id: str, told_at: datetime) -> datetime:
    """An edit carries its own time; the first id tells when the post was first written."""
    told_by_id = _snowflake_time(first_id)
    if told_by_id is not None and told_at - EDIT_WINDOW <= told_by_id <= told_at:
        return told_by_id
    return told_at


def _references(item: Mapping[str, Any]) -> dict[str, str]:
    """Relation (``replied_to``, ``quoted``, ``retweeted``) -> id."""
    listed = _either(item, "referenced_tweets", "referenced_posts") or []
    return {str(reference["type"]): _native_id(reference["id"]) for reference in listed}


def _kind(item: Mapping[str, Any], references: Mapping[str, str], me: str) -> PostKind:
    if "replied_to" in references and item.get("in_reply_to_user_id") == me:
        return PostKind.REPLY
    return PostKind.QUOTE if "quoted" in references else PostKind.MENTION


def _note(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The full form of a long post, or the post itself."""
    note = _either(item, "note_tweet", "note_post")
    return note if isinstance(note, dict) and isinstance(note.get("text"), str) else item


def _entities(item: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = (_note(item).get("entities") or item.get("entities") or {}).get(name) or []
    return [entity for entity in found if isinstance(entity, dict)]


def _mentions(item: Mapping[str, Any], me: Author) -> bool:
    # a long post lists its mentions in its full form, and the first 280 characters' ones outside it
    listed = [*_entities(item, "mentions"), *((item.get("entities") or {}).get("mentions") or [])]
    ids = {str(entity.get("id")) for entity in listed}
    handles = {str(entity.get("username")).lower() for entity in listed}
    return me.native_id in ids or (me.handle or "@").lower() in handles


def _quotes(item: Mapping[str, Any], references: Mapping[str, str], me: Author) -> bool:
    """A quoting post holds the quoted one's address; the reference alone does not say whose post that is."""
    address = f"/{me.handle}/status/{references.get('quoted')}".lower()
    listed = [*_entities(item, "urls"), *((item.get("entities") or {}).get("urls") or [])]
    return any(urlsplit(str(entity.get("expanded_url"))).path.lower() == address for entity in listed)


def _plain_text(item: Mapping[str, Any]) -> str:
    """As the author wrote it: entities unescaped, short links spelled out, the link to an own photo left out."""
    text = _note(item).get("text")
    if not isinstance(text, str):
        raise ValueError("text is missing")
    for entity in _entities(item, "urls"):
        short, full = entity.get("url"), entity.get("expanded_url")
        if isinstance(short, str) and short.startswith("http") and isinstance(full, str):
            text = text.replace(short, "" if entity.get("media_key") else full, 1)  # every link has its own entity
    return unescape(text).rstrip(" ")


def _media(item: Mapping[str, Any]) -> tuple[Media, ...]:
    kinds = {"photo": MediaKind.IMAGE, "video": MediaKind.VIDEO}
    found = []
    for entity in _entities(item, "urls"):
        url = kit.text_or_none(entity.get("expanded_url"))
        if url is not None and entity.get("media_key"):
            shape = re.search(r"/(photo|video)/\d+$", url)
            found.append(Media(kind=kinds[shape.group(1)] if shape else MediaKind.OTHER, url=url))
        elif url is not None:
            found.append(Media(kind=MediaKind.LINK, url=url, description=kit.text_or_none(entity.get("title"))))
    return tuple(found)


def _language(told: object) -> str | None:
    # "und" and the private codes q.. and zxx mean: only hashtags, only media, too short ...
    code = kit.language_or_none(told)
    return None if code is None or code in {"und", "zxx"} or re.fullmatch(r"q[a-z]{2}", code) else code


def _author(author_id: str, users: Mapping[str, Mapping[str, Any]], *, complete: bool) -> Author:
    """``complete``: names were asked for, so an author without any has no account now."""
    user = users.get(author_id)
    if user is None:
        return Author(native_id=author_id, deleted=complete)
    handle, name = kit.text_or_none(user.get("username")), kit.text_or_none(user.get("name"))
    return Author(native_id=author_id, handle=handle, display_name=name)


def _gone(errors: object, asked: Sequence[str]) -> dict[str, FetchedPost | Gone]:
    """A lookup answers 200 and lists what it cannot show."""
    state: dict[str, FetchedPost | Gone] = {}
    for error in kit.listing(errors):
        if not isinstance(error, dict):
            continue
        native_id = str(error.get("resource_id") or error.get("value") or "")
        problem = str(error.get("type", ""))
        if native_id in asked and problem.endswith("/resource-not-found"):
            state[native_id] = Gone(native_id=native_id)
        elif native_id in asked and problem.endswith("/not-authorized-for-resource"):
            state[native_id] = Gone(native_id=native_id, reason="no longer visible to us")
    return state


def _complaint(answer: Mapping[str, Any]) -> str:
    listed = answer.get("errors")
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    told = (answer.get("detail"), first.get("message"), first.get("detail"), answer.get("title"), answer.get("error"))
    return next((words for words in told if isinstance(words, str) and words), "")


def _scope(method: str, path: str) -> str:
    if path.endswith("/2/oauth2/token"):
        return "token"
    if method == "POST":
        return "write"
    for ending, scope in (("/mentions", "mentions"), ("/users/me", "account"), ("/search/recent", "search")):
        if path.endswith(ending):
            return scope
    return "own-posts" if re.search(r"/users/\d+/tweets$", path) else "lookup"


def _said(text: str) -> str:
    """A reply without what the network adds or may change: the leading @names, forms of letters, white space."""
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    return re.sub(r"^(?:@\w+ )+", "", plain)
