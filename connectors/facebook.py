"""A Facebook Page, Graph API, through facebook-sdk.

Watches the comments under the page's newest posts, what visitors wrote on the page and what tags it; publishes
comments. One request an edge brings the posts with their newest comments in it; only a post with more news than that
costs another.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from connectors import kit
from connectors.setup import on_trial
from social.domain.errors import (
    CannotTell,
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
    Secrets,
    SetupContext,
    SetupForm,
    SetupProblem,
    Verdict,
)

if TYPE_CHECKING:
    import requests

    from connectors.session import NetworkSession

log = logging.getLogger(__name__)

ORIGIN = "https://graph.facebook.com"  # built into facebook-sdk
COMMENT_FIELDS = "id,message,from,created_time,parent{id},permalink_url,message_tags,attachment"
POST_FIELDS = "id,message,story,from,created_time,permalink_url,full_picture"
NEWEST_FIRST = {"filter": "stream", "order": "reverse_chronological"}
COMMENTS_WITH_POST = 25
COMMENTS_OF_POST = (
    "comments"
    + "".join(f".{name}({value})" for name, value in NEWEST_FIRST.items())
    + f".limit({COMMENTS_WITH_POST}){{{COMMENT_FIELDS}}}"
)
COMMENTS_PAGE = 100
#: Comments since a customer's post that are looked through for our answer: ten pages.
THREAD_PAGES = 10
#: A walk through the past that is longer goes in a circle: 20,000 comments.
LONGEST_WALK = 200
#: So many pages in a row that bring nothing older go in a circle, whatever their places look like. Times have whole seconds
#: here, so a storm may fill some pages with one of them: this is a thousand comments of one second.
IDLE_PAGES = 10
#: Posts of an edge that a page of history brings, each with its newest comments.
HISTORY_POSTS = 25
#: An old post may have comments of the time that is read: so much older ones are looked under.
LOOKED_UNDER = timedelta(days=90)
#: How often an edge is read anew where the network forgets its place.
WALKS_AGAIN = 2
#: Posts of an edge that are searched for a user's words, as a proof that these can be read.
CONTROL_POSTS = 10
#: The network's ``ids`` parameter takes 50.
IDS_AT_ONCE = 50
#: So many single objects that may not be read are left out of one question; more are an affair of the access.
FORBIDDEN_AT_MOST = 10
#: Marks that are kept, for every post that is watched at once: one an edge, and some for posts that slid off.
MARKS_A_POST = 8
#: Customers go on under a post that newer ones pushed off the first page: so long after the last word there, ...
WATCHED_FOR = timedelta(days=14)
#: ... and so often. A round alone would never see it.
LOOK_BACK_EVERY = timedelta(minutes=10)
#: Comments appear a little out of order; this much before the newest is looked at again.
OVERLAP = timedelta(minutes=2)
#: Clocks of two machines differ.
SKEW = timedelta(minutes=10)
SLOW_DOWN_AT = 95.0
REPORT_AT = 80.0

#: Edges of the page with posts, and what a stranger's post there is.
EDGES: Mapping[str, PostKind] = {
    "published_posts": PostKind.OWN,
    "visitor_posts": PostKind.VISITOR_POST,
    "tagged": PostKind.TAGGED,
}
#: Those that an option of the same name switches off.
SWITCHED = frozenset({"visitor_posts", "tagged"})

# Error codes: https://developers.facebook.com/docs/graph-api/guides/error-handling and .../overview/rate-limiting
THROTTLED = frozenset({4, 17, 32, 341, 613, *range(80000, 80015)})
TRANSIENT = frozenset({1, 2})
TOKEN = frozenset({102, 190})
PERMISSION = frozenset({3, 10, *range(200, 300)})
ABUSE = 368
DUPLICATE = 506
ALIAS_UNKNOWN = 803
INVALID = 100
MISSING_SUBCODE = 33
#: What may be shown of a credential.
PUBLIC_PARTS = ("app_id",)
#: What users wrote on the page; the page's own posts need another one.
USERS_WORDS = "pages_read_user_content"
#: What a page token needs; the first is for the list of pages that the set-up offers.
PERMISSIONS = ("pages_show_list", "pages_read_engagement", USERS_WORDS, "pages_manage_engagement")
#: What somebody must be allowed to do on a page so that their token may answer comments.
MODERATE = "MODERATE"
ACCOUNTS_PAGES = 10
#: The network's words about an app that is not the token's, or is none -> key of the guide.
APP_TROUBLE = {
    "Error validating application": "app-secret",
    "Error validating client secret": "app-secret",
    "did not match the Viewing App": "other-app",
}
TOKEN_SUBCODES = {
    458: "the app was removed by the account",
    459: "the account must log in at facebook.com first",
    460: "the password was changed",
    463: "the token has expired",
    464: "the account is not confirmed",
    467: "the token is invalid",
}


class FacebookOptions(BaseModel):
    """``[profiles.options]``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Refuse to work if the token belongs to another page.
    page_id: str | None = Field(default=None, pattern=r"^[0-9]{1,32}$")
    #: How many of the newest posts of each edge are watched for comments.
    watched_posts: int = Field(default=25, ge=1, le=100)
    visitor_posts: bool = True
    tagged: bool = True


class FacebookSettings(kit.NetworkSettings):
    """``[connectors.<kind>]``."""

    base_url: str = ORIGIN
    graph_version: str = Field(default="v25.0", pattern=r"^v[0-9]{1,2}\.[0-9]$")


class _Invalid(Unreachable):
    """A parameter is not valid: a place in an edge that is no longer good."""


class _Missing(Unreachable):
    """The object does not exist or is not visible to this token."""


class _NotAllowed(CredentialsExpired):
    """The token lacks the permission for this. Of the page and its edges that is a person's affair; a single object may be
    out of reach while all the others are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """Everything before ``since`` is known, and of the time after it what ``seen`` holds (id -> time)."""

    since: datetime
    seen: Mapping[str, datetime] = field(default_factory=dict)

    def is_new(self, native_id: str, at: datetime) -> bool:
        return at >= self.since and native_id not in self.seen

    def after(self, items: Mapping[str, datetime]) -> _Mark:
        seen = {**self.seen, **items}
        since = max([self.since, *(at - OVERLAP for at in seen.values())])
        return _Mark(since=since, seen={native_id: at for native_id, at in seen.items() if at >= since})

    def knowing(self, unread: Iterable[str]) -> _Mark:
        """Items that could not be read have no time to trust: while they stand on the page, they are known by id."""
        return replace(self, seen={**dict.fromkeys(unread, self.since), **self.seen})

    def to_json(self) -> dict[str, Any]:
        """Whole seconds, which is all that the network tells; a mark stands in every cursor."""
        return {
            "since": int(self.since.timestamp()),
            "seen": {key: int(at.timestamp()) for key, at in self.seen.items()},
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> _Mark:
        seen = {key: datetime.fromtimestamp(at, UTC) for key, at in kept["seen"].items()}
        return cls(since=datetime.fromtimestamp(kept["since"], UTC), seen=seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Came:
    """How a walk came to its present page. ``low``: how far down it went (seconds since 1970); ``idle``: pages in a row that
    brought nothing older."""

    after: str | None = None
    pages: int = 0
    low: int | None = None
    idle: int = 0


BEGINNING = _Came()


@dataclass(slots=True)
class _Round:
    """One ``fetch`` in the making: what was read, the marks as they become, the walks that are not at their end."""

    floor: datetime
    marks: dict[str, _Mark]
    most_marks: int
    first: bool
    looked_back: datetime
    posts: dict[tuple[str, str], FetchedPost] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)
    pending: list[dict[str, Any]] = field(default_factory=list)
    #: Edges and posts with a walk that could not go on -> how often, since they were last read to the end.
    given_up: dict[str, int] = field(default_factory=dict)
    #: Edges that were switched on after the first poll -> since when something there, or under its posts, is news.
    floors: dict[str, datetime] = field(default_factory=dict)
    #: Posts that only edges show which may be switched off -> these edges.
    shown_by: dict[str, list[str]] = field(default_factory=dict)
    at_once: bool = False
    on_page: set[str] = field(default_factory=set)

    @classmethod
    def begin(cls, cursor: Cursor | None, now: datetime, most_marks: int) -> _Round:
        if cursor is None:
            return cls(floor=now - SKEW, marks={}, most_marks=most_marks, first=True, looked_back=now)
        return cls(
            floor=kit.moment(cursor["floor"]),
            marks={name: _Mark.from_json(kept) for name, kept in cursor["marks"].items()},
            most_marks=most_marks,
            first=False,
            looked_back=kit.moment(cursor.get("looked_back") or cursor["floor"]),
            pending=list(cursor.get("pending") or ()),
            given_up=dict(cursor.get("given_up") or {}),
            floors={edge: kit.moment(at) for edge, at in (cursor.get("floors") or {}).items()},
            shown_by={post_id: list(edges) for post_id, edges in (cursor.get("shown_by") or {}).items()},
        )

    def mark(self, name: str, born: datetime | None = None) -> _Mark:
        """``born``: nothing under a post is older than the post."""
        return self.marks.get(name) or _Mark(since=max(self.floor, born or self.floor))

    def slid_off(self, since: datetime) -> list[str]:
        """Posts with a word since then, or with words that could not be read, that are on no edge's first page any more."""
        gone = self.marks.keys() - EDGES.keys() - self.on_page
        return sorted(post_id for post_id in gone if self.marks[post_id].since >= since or post_id in self.given_up)

    def forget(self, name: str) -> None:
        """An edge or a post; of an edge also the posts that no other one shows."""
        for kept in (self.marks, self.given_up, self.floors, self.shown_by):
            kept.pop(name, None)
        for post_id in [post_id for post_id, edges in self.shown_by.items() if name in edges]:
            self.shown_by[post_id].remove(name)
            if not self.shown_by[post_id]:
                self.forget(post_id)

    def shows(self, edge: str, post_id: str) -> None:
        """To be called before the post has a mark."""
        self.on_page.add(post_id)
        if edge not in SWITCHED:
            self.shown_by.pop(post_id, None)
        elif post_id in self.shown_by or post_id not in self.marks:
            edges = self.shown_by.setdefault(post_id, [])
            if edge not in edges:
                edges.append(edge)

    def take(self, name: str, mark: _Mark, page: _Items) -> bool:
        """Keep what is new by ``mark``, move the mark of ``name``; true if the page ended before reaching ``mark``."""
        times = {post.native_id: post.created_at for post in page.posts}
        for post in page.posts:
            if self.first or mark.is_new(post.native_id, post.created_at):
                self.posts.setdefault((post.native_id, post.revision), post)
        self.quarantined += [bad for bad in page.quarantined if bad.native_id is None or bad.native_id not in mark.seen]
        unread = [bad.native_id for bad in page.quarantined if bad.native_id is not None]
        self.marks[name] = self.marks.get(name, mark).after(times).knowing(unread)
        goes_on = page.after is not None and not self.first and (page.bottom is None or page.bottom >= mark.since)
        if not goes_on and not any(walk["edge"] == name for walk in self.pending):
            self.given_up.pop(name, None)
        return goes_on

    def walk_on(self, name: str, mark: _Mark, page: _Items, came: _Came) -> None:
        """Go on behind ``page`` in the next call, back to ``mark`` as it was before this walk; unless that goes in a circle:
        then the next round begins again from the old mark, rather than lose something."""
        low = None if page.bottom is None else int(page.bottom.timestamp())
        idle = came.idle + 1 if low is None or (came.low is not None and low >= came.low) else 0
        if page.after == came.after or idle >= IDLE_PAGES:
            log.error("the pages of %s go in a circle after %d; they are read again.", name, came.pages + 1)
            self.begin_again(name, mark)
            return
        low = min(filter(None, (low, came.low)), default=None)
        walk = {"edge": name, "after": page.after, "mark": mark.to_json(), "pages": came.pages + 1}
        self.pending.append({**walk, "low": low, "idle": idle})

    def begin_again(self, name: str, mark: _Mark) -> None:
        """Give up the walk that was to end at ``mark``. A later round reads from the newest back to there, so nothing between
        is lost; a post of two edges may have two walks, and the one that goes further back then counts for both."""
        marks = [mark, *(_Mark.from_json(walk["mark"]) for walk in self.pending if walk["edge"] == name)]
        self.pending = [walk for walk in self.pending if walk["edge"] != name]
        self.marks[name] = min(marks, key=lambda mark: mark.since)
        self.given_up[name] = self.given_up.get(name, 0) + 1

    def cannot_go_on(self, name: str, mark: _Mark, error: ConnectorError) -> None:
        """The network refuses a walk: as a rule the post, or the item that the place pointed at, was deleted, and a new round
        gets other places. Where it refuses those too, that must not go on unseen."""
        self.begin_again(name, mark)
        again = self.given_up[name]
        # later ones wait for the next poll: this may never end
        self.at_once = again == 1 and isinstance(error, _Invalid)
        if again > WALKS_AGAIN:
            log.error("%s could not be read to its end, %d times in a row; it is read again.", name, again)
            told = f"what is older here could not be read, time and again: {error.what}"
            self.quarantined.append(
                Quarantined(native_id=name, reason=told, raw=json.dumps({"not read to its end": name}))
            )

    def _kept(self) -> list[str]:
        """The edges and the posts that have something left to read or were touched last: a post that is not watched any more
        may come back."""
        posts = [name for name in self.marks if name not in EDGES]
        posts.sort(key=lambda name: (name in self.given_up, self.marks[name].since), reverse=True)
        return [*(edge for edge in EDGES if edge in self.marks), *posts[: self.most_marks]]

    def page(self) -> Page:
        kept = self._kept()
        return Page(
            posts=tuple(sorted(self.posts.values(), key=lambda post: (post.created_at, post.native_id))),
            quarantined=tuple(self.quarantined),
            cursor={
                "floor": self.floor.isoformat(),
                "looked_back": self.looked_back.isoformat(),
                "marks": {name: self.marks[name].to_json() for name in kept},
                "pending": self.pending,
                "given_up": {name: self.given_up[name] for name in kept if name in self.given_up},
                "floors": {edge: at.isoformat() for edge, at in self.floors.items()},
                "shown_by": {name: self.shown_by[name] for name in kept if name in self.shown_by},
            },
            more=bool(self.pending) or self.at_once,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Items:
    """One page of an edge. ``after`` is the place to go on from, ``None`` at the end."""

    posts: Sequence[FetchedPost]
    quarantined: Sequence[Quarantined]
    raw: Sequence[Mapping[str, Any]]
    after: str | None

    @property
    def bottom(self) -> datetime | None:
        """How far down it goes, told by its last item: one wrong time in its midst must not end a walk."""
        return self.posts[-1].created_at if self.posts else None


class FacebookConnector:
    """One page. See ``social.ports.Connector``."""

    kind: ClassVar[str] = "facebook"
    label: ClassVar[str] = "Facebook"
    Options: ClassVar[type[BaseModel]] = FacebookOptions
    Settings: ClassVar[type[BaseModel]] = FacebookSettings
    credential_parts: ClassVar[tuple[str, ...]] = ("access_token", "app_secret")
    capabilities: ClassVar[Capabilities] = Capabilities(
        threads=True,
        own_reply_lookup=True,
        edits=True,
        deletions=True,
        history=HistoryReach(
            posts=None,
            own_posts=None,
            days=None,
            page=HISTORY_POSTS,
            note="Facebook shows about 600 of a page's posts a year, and names no limit for their comments. These are looked "
            f"for under posts up to {LOOKED_UNDER.days} days older than the day that is asked for.",
            source="https://developers.facebook.com/docs/graph-api/reference/page/published_posts",
            as_of=date(2026, 11, 26),
        ),
    )
    reply_rules: ClassVar[ReplyRules] = ReplyRules(
        length_limit=8000,
        length_unit=LengthUnit.CHARACTERS,
        idempotency=Idempotency.LOOKUP,
        read_lag=timedelta(seconds=30),  # nobody states it; a text sent twice all the same is refused as a duplicate
        private_reply_window=timedelta(days=7),
        private_replies_per_comment=1,
        sources=(
            RuleSource(
                rule="A page may comment under its own posts, visitors' posts and posts that tag it, without a window.",
                source="https://developers.facebook.com/docs/graph-api/reference/object/comments",
                as_of=date(2026, 9, 1),
            ),
            RuleSource(
                rule="One private reply a comment, within 7 days of it.",
                source="https://developers.facebook.com/docs/messenger-platform/discovery/private-replies",
                as_of=date(2026, 9, 1),
            ),
            RuleSource(
                rule="A comment has at most 8,000 characters.",
                source="Facebook's own comment form; the Graph API reference states no number",
                as_of=date(2026, 9, 1),
            ),
        ),
    )

    setup: ClassVar[SetupForm] = SetupForm(
        asks=(
            Ask(name="app_id", goes=Goes.CREDENTIAL),
            Ask(name="app_secret", goes=Goes.CREDENTIAL, hidden=True),
            Ask(name="user_token", goes=Goes.EXCHANGE, hidden=True),
        ),
    )
    prices: ClassVar[tuple[Price, ...]] = ()

    def __init__(self, context: ConnectorContext) -> None:
        import facebook

        from connectors.session import NetworkSession

        self._settings = kit.opened_settings(FacebookSettings, context, self.kind)
        self._options = kit.opened_options(FacebookOptions, context)
        secrets = kit.opened_secrets(context, self.credential_parts, public=PUBLIC_PARTS)
        self._context = context
        self._clock = context.clock
        self._resource = f'profile "{context.profile}"'
        self._quota = kit.QuotaBook()
        self._pause: tuple[str, datetime] | None = None
        self._regained: dict[str, datetime | None] = {}  # as the network told it, by limit
        self._reported: set[str] = set()  # limits
        self._forbidden: set[str] = set()  # posts
        self._me: Author | None = None
        self._session: NetworkSession = NetworkSession(
            origin=ORIGIN, settings=self._settings, clock=self._clock, resource=self._resource, inspect=self._inspect
        )
        self._graph = facebook.GraphAPI(session=self._session)
        # the constructor only knows versions up to 3.1
        self._graph.version = self._settings.graph_version
        self._renewing = threading.Lock()
        self._use(secrets)

    def _use(self, secrets: Mapping[str, str]) -> None:
        token = self._graph.access_token = secrets["access_token"]
        # proves with every call that the token is used by the app that it was made for
        self._proof = hmac.new(secrets["app_secret"].encode(), token.encode(), hashlib.sha256).hexdigest()
        kit.guard([self._proof])
        self._app = (secrets["app_id"], secrets["app_secret"]) if secrets.get("app_id") else None

    def _renewed_by_a_person(self, stale: str) -> bool:
        """Whether another token than ``stale`` lies in the credential by now; it is used from here on."""
        with self._renewing:
            if self._graph.access_token != stale:
                return True
            stored = kit.stored_anew(self._context, self.credential_parts, public=PUBLIC_PARTS)
            if stored is None or stored["access_token"] == stale:
                return False
            self._use(stored)
            return True

    @classmethod
    def open(cls, context: ConnectorContext) -> FacebookConnector:
        return cls(context)

    # --- connecting ---------------------------------------------------------------------------------------------------

    @classmethod
    def accesses(cls, context: SetupContext) -> tuple[Access, ...]:
        """A user's short token becomes a long one, and that opens a token for each page, which does not end by itself:
        https://developers.facebook.com/docs/facebook-login/guides/access-tokens/get-long-lived"""
        app = {"app_id": context.answers["app_id"], "app_secret": context.secrets["app_secret"]}
        token = context.secrets["user_token"]
        with closing(cls(on_trial(context, {**app, "access_token": token}))) as user:
            user._require_user_token()
            token = user._longer_token()
        with closing(cls(on_trial(context, {**app, "access_token": token}))) as user:
            found = tuple(
                Access(
                    native_id=page["id"],
                    label=page["name"],
                    options={"page_id": page["id"]},
                    credential=Secrets({**app, "access_token": page["access_token"]}),
                )
                for page in user._pages()
            )
        if not found:
            raise SetupProblem("no-page", "the token opens no page on which it may moderate.")
        return found

    def _require_user_token(self) -> None:
        try:
            told = self._debugged()
        except CredentialsExpired as error:
            # asked as the app itself, so that it is the app that is refused
            raise SetupProblem("app-secret", error.what) from None
        except Unreachable as error:
            key = next((key for words, key in APP_TROUBLE.items() if words in error.what), None)
            if key is None:
                raise
            raise SetupProblem(key, error.what) from None
        if told.get("is_valid") is not True:
            words = kit.quoted(str(kit.mapping(told.get("error")).get("message") or "invalid"))
            raise SetupProblem("token-ended", "the user token is no longer good.", words=words)
        if told.get("type") not in (None, "USER"):
            raise SetupProblem("not-a-user-token", f"this is a token of type {kit.quoted(str(told.get('type')))}.")
        missing = [name for name in PERMISSIONS if name not in kit.listing(told.get("scopes"))]
        if missing:
            listed = ", ".join(missing)
            raise SetupProblem("scopes", f"the token lacks {listed}.", missing=listed)

    def _longer_token(self) -> str:
        assert self._app is not None  # the form asks for it
        answer = self._graph.extend_access_token(*self._app)
        token = kit.token_or_none(kit.mapping(answer).get("access_token"))
        if token is None:
            raise Unreachable("the network exchanged the token for nothing.", resource=self._resource)
        kit.guard([token])
        return token

    def _pages(self) -> Iterator[dict[str, str]]:
        """The pages that this user's token may moderate."""
        after = None
        for _ in range(ACCOUNTS_PAGES):
            asked = {"fields": "id,name,access_token,tasks", "limit": 100, "after": after}
            answer = self._call(self._graph.get_connections, "me", "accounts", **asked)
            for item in kit.listing(answer.get("data")):
                page = kit.mapping(item)
                parts = {name: str(page.get(name) or "") for name in ("id", "name")}
                parts["access_token"] = kit.token_or_none(page.get("access_token")) or ""
                if all(parts.values()) and MODERATE in kit.listing(page.get("tasks")):
                    kit.guard([parts["access_token"]])
                    yield parts
            after = _next_place(answer)
            if after is None:
                return

    def _debugged(self) -> Mapping[str, Any]:
        """What the network says about our own token, asked in the name of the app."""
        assert self._app is not None
        answer = self._graph.debug_access_token(self._graph.access_token, *self._app)
        return kit.mapping(kit.mapping(answer).get("data"))

    def inspect(self) -> Inspection:
        identity = self._me = self._who()
        if self._app is None:
            return Inspection(identity=identity, needed=PERMISSIONS[1:], notes=("not-asked",))
        told = self._debugged()
        scopes = kit.listing(told.get("scopes"))
        ends, data_ends = _epoch(told.get("expires_at")), _epoch(told.get("data_access_expires_at"))
        return Inspection(
            identity=identity,
            needed=PERMISSIONS[1:],
            granted=frozenset(scope for scope in scopes if isinstance(scope, str)),
            expires_at=min(filter(None, (ends, data_ends)), default=None),
            notes=("until-password", *(["data-access"] if ends is None and data_ends is not None else [])),
        )

    # --- reading ------------------------------------------------------------------------------------------------------

    @property
    def clock_ahead(self) -> timedelta | None:
        return self._session.ahead

    @property
    def threads_add_nothing(self) -> bool:
        return False

    def identity(self) -> Author:
        if self._me is None:
            self._me = self._who()
        return self._me

    def _who(self) -> Author:
        page = self._object("me", "id,name,username")
        native_id = str(page.get("id") or "")
        if not (native_id.isascii() and native_id.isdecimal()):
            raise Unreachable("the network did not say who we are.", resource=self._resource)
        if self._options.page_id not in {None, native_id}:
            raise CredentialsExpired(
                f"the token belongs to page {native_id}, the options name page {self._options.page_id}.",
                resource=self._resource,
                next_step="Connect the profile with a token of its own page.",
            )
        handle, name = kit.text_or_none(page.get("username")), kit.text_or_none(page.get("name"))
        return Author(native_id=native_id, handle=handle, display_name=name)

    def fetch(self, cursor: Cursor | None) -> Page:
        """A round over the edges; where one holds more news than a page, the next calls walk on before a new round."""
        self._slow_down()
        turn = _Round.begin(cursor, self._clock.now(), MARKS_A_POST * self._options.watched_posts)
        if turn.pending:
            self._walk_on(turn, turn.pending.pop(0))
            return turn.page()
        watched = self._edges()
        for edge in EDGES.keys() - set(watched):
            turn.forget(edge)  # what comes in while it is off is no news once it is on again
        for edge in watched:
            # an edge that was switched on after the first poll: what lies there is history, also under its posts
            if not turn.first and edge not in turn.marks:
                turn.floors[edge] = self._clock.now() - OVERLAP
            page = self._posts(edge, limit=self._options.watched_posts)
            self._take_posts(turn, edge, turn.mark(edge, turn.floors.get(edge)), page)
        if self._clock.now() - turn.looked_back >= LOOK_BACK_EVERY:
            self._look_back(turn)
        return turn.page()

    def _look_back(self, turn: _Round) -> None:
        """What was said under older posts since."""
        older = turn.slid_off(self._clock.now() - WATCHED_FOR)
        found = self._objects(older, COMMENTS_OF_POST)
        for post_id in older:
            post = found.get(post_id)
            if isinstance(post, dict):
                comments = self._embedded(post_id, post.get("comments"))
                self._take_comments(turn, post_id, turn.mark(post_id), comments)
            elif post_id in found:
                turn.forget(post_id)
        turn.looked_back = self._clock.now()

    def _edges(self) -> list[str]:
        return [edge for edge in EDGES if edge not in SWITCHED or getattr(self._options, edge)]

    def _walk_on(self, turn: _Round, walk: Mapping[str, Any]) -> None:
        """One page further. A cursor lives longer than what it points at: where a post or a place is gone, only this walk
        ends, for an error here would come again with every later call."""
        mark = _Mark.from_json(walk["mark"])
        edge, after = walk["edge"], walk["after"]
        came = _Came(after=after, pages=walk["pages"], low=walk.get("low"), idle=walk.get("idle", 0))
        try:
            page = self._walked(edge, after)
        except _of_one_object(edge) as error:
            turn.cannot_go_on(edge, mark, error)  # if it is deleted, the look back forgets it
        except _Invalid as error:
            with suppress(*_of_one_object(edge)):
                # what is refused without a place too is wrong in itself: people must see that
                self._walked(edge, None)
            turn.cannot_go_on(edge, mark, error)
        else:
            if edge in EDGES:
                self._take_posts(turn, edge, mark, page, came)
            else:
                self._take_comments(turn, edge, mark, page, came)

    def _walked(self, edge: str, after: str | None) -> _Items:
        if edge in EDGES:
            return self._posts(edge, limit=self._options.watched_posts, after=after)
        return self._comments(edge, after=after)

    def _take_posts(self, turn: _Round, edge: str, mark: _Mark, page: _Items, came: _Came = BEGINNING) -> None:
        # our own old posts are of no interest, so that edge is never walked
        if turn.take(edge, mark, page) and edge != "published_posts":
            turn.walk_on(edge, mark, page, came)
        since = turn.floors.get(edge, turn.floor)
        born = {post.native_id: max(post.created_at, since) for post in page.posts}
        for item in page.raw:
            post_id = kit.identifier_or_none(item.get("id"))
            if post_id is not None:
                turn.shows(edge, post_id)
                comments = self._embedded(post_id, item.get("comments"))
                self._take_comments(turn, post_id, turn.mark(post_id, born.get(post_id, since)), comments)

    def _take_comments(self, turn: _Round, post_id: str, mark: _Mark, page: _Items, came: _Came = BEGINNING) -> None:
        if turn.take(post_id, mark, page):
            turn.walk_on(post_id, mark, page, came)

    def _posts(self, edge: str, *, limit: int, after: str | None = None) -> _Items:
        fields = f"{POST_FIELDS},{COMMENTS_OF_POST}"
        me = self.identity().native_id
        answer = self._call(self._graph.get_connections, me, edge, fields=fields, limit=limit, after=after)
        return self._read_page(answer, lambda item: self._post(item, EDGES[edge]))

    def _embedded(self, post_id: str, listed: object) -> _Items:
        """The comments that came with a post; broken ones must not block the other posts."""
        try:
            return self._read_page({"data": []} if listed is None else listed, self._comment_of(post_id))
        except Unreachable as error:
            broken = Quarantined(native_id=f"{post_id}/comments", reason=error.what, raw=repr(listed)[:1000])
            return _Items(posts=(), quarantined=(broken,), raw=(), after=None)

    def _comments(self, node: str, *, post_id: str | None = None, after: str | None = None) -> _Items:
        asked = {**NEWEST_FIRST, "limit": COMMENTS_PAGE, "fields": COMMENT_FIELDS, "after": after}
        answer = self._call(self._graph.get_connections, node, "comments", **asked)
        return self._read_page(answer, self._comment_of(post_id or node))

    def _read_page(self, answer: Any, read: Callable[[Mapping[str, Any]], FetchedPost]) -> _Items:
        # an empty page says so: one without a list is none, and "nothing there" would be a guess
        items = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(items, list):
            raise Unreachable("a page of items was expected.", resource=self._resource)
        posts, quarantined = kit.read_items(items, read)
        after = _next_place(answer)
        raw = [item for item in items if isinstance(item, dict)]
        return _Items(posts=posts, quarantined=quarantined, raw=raw, after=after)

    def history(self, since: datetime, cursor: Cursor | None) -> Page:
        """An edge after the other, each from its newest post back; after a page the further comments of its posts. The
        cursor's ``walks`` are what is left to read, the next one first."""
        self._slow_down()
        kept = cursor or {"walks": [{"node": edge, "after": None, "pages": 0} for edge in self._edges()]}
        walk, *left = kept["walks"]
        read: list[_Items] = []
        more: list[dict[str, Any]] = []
        try:
            read, more = self._back(walk, since)
        except _of_one_object(walk["node"]) as error:
            # as a rule deleted since, and its comments with it
            if isinstance(error, _NotAllowed):
                log.warning("%s: what is said under %s is left out: %s", self._resource, walk["node"], error.what)
        except _Invalid:
            if walk["after"] is None:
                raise
            # the place has ended, as it may over a restart: from the newest, some posts come a second time
            again = walk.get("again", 0) + 1
            if again > WALKS_AGAIN:
                log.error("%s: the network forgets its place in %s; the walk ends there.", self._resource, walk["node"])
            else:
                more = [{**walk, "after": None, "pages": 0, "again": again}]
        found = {post.native_id: post for items in read for post in items.posts if post.created_at >= since}
        walks = [*more, *left]
        return Page(
            posts=tuple(sorted(found.values(), key=lambda post: (post.created_at, post.native_id))),
            quarantined=tuple(bad for items in read for bad in items.quarantined),
            cursor={"walks": walks},
            more=bool(walks),
        )

    def _back(self, walk: Mapping[str, Any], since: datetime) -> tuple[list[_Items], list[dict[str, Any]]]:
        """One request of a walk into the past: what it brought, and the walks that go on from there."""
        node, after = walk["node"], walk["after"]
        if node not in EDGES:
            page = self._comments(node, after=after)
            return [page], self._further(walk, page, since)
        page = self._posts(node, limit=HISTORY_POSTS, after=after)
        found, more = [page], []
        for item in page.raw:
            post_id = kit.identifier_or_none(item.get("id"))
            if post_id is not None:
                comments = self._embedded(post_id, item.get("comments"))
                found.append(comments)
                more += self._further({"node": post_id, "after": None, "pages": 0}, comments, since)
        return found, [*more, *self._further(walk, page, since - LOOKED_UNDER)]

    def _further(self, walk: Mapping[str, Any], page: _Items, floor: datetime) -> list[dict[str, Any]]:
        """The walk behind ``page``, where that did not end or reach ``floor``."""
        if page.after is None or (page.bottom is not None and page.bottom < floor):
            return []
        if page.after == walk["after"] or walk["pages"] >= LONGEST_WALK:
            log.error("%s: the pages of %s go in a circle; the walk ends here.", self._resource, walk["node"])
            return []
        return [{**walk, "after": page.after, "pages": walk["pages"] + 1}]

    def refresh(self, posts: Sequence[PostRef]) -> Mapping[str, FetchedPost | Gone]:
        # near the limit too: every answer begins with this look
        state: dict[str, FetchedPost | Gone] = {}
        for node, fields in (("comment", COMMENT_FIELDS), ("post", POST_FIELDS)):
            refs = {post.native_id: post for post in posts if post.native.get("node", "comment") == node}
            found = self._objects(list(refs), fields)
            for native_id, item in found.items():
                if item is None:
                    state[native_id] = Gone(native_id=native_id)
                    continue
                ref = refs[native_id]
                reading = self._comment_of(ref.thread_root) if node == "comment" else self._post_of(ref.kind)
                now = kit.read_items([item], reading)[0]
                state.update({post.native_id: post for post in now if post.native_id == native_id})
        gone = {native_id for native_id, found in state.items() if isinstance(found, Gone)}
        read = [found for found in state.values() if isinstance(found, FetchedPost)]
        proven = any(not post.ours and post.kind is not PostKind.TAGGED for post in read)
        if not gone or proven or self._sees_users_words(gone):
            return state
        log.warning("%s: %d posts cannot be read, and nothing proves that they are deleted.", self._resource, len(gone))
        return {post.native_id: post for post in read}

    def _sees_users_words(self, gone: Collection[str]) -> bool:
        """The network gives one answer for "deleted" and "you may not see it", and what is called deleted is erased here. So
        it is believed only where the permission to read what users wrote (which is not the one for our own posts) is proven
        in the same breath: by another asked post that came back; by a user's words on the page, those that are said to be
        gone not among them; or, on a page where nobody else says anything, by the token's own list of permissions. What tags
        the page stands elsewhere and proves nothing here."""
        for edge in self._edges():  # what is switched off may be what this page does not have
            if edge == "tagged":
                continue
            page = self._posts(edge, limit=CONTROL_POSTS)
            items = [*page.posts]
            for item in page.raw:
                items += self._embedded(str(item.get("id")), item.get("comments")).posts
            users = {item.native_id for item in items if not item.ours and not item.author.deleted}
            if users:
                return users.isdisjoint(gone)
        if self._app is None:
            return False
        try:
            scopes = kit.listing(self._debugged().get("scopes"))
        except Unreachable:
            return False
        return USERS_WORDS in scopes

    def _objects(
        self, ids: Sequence[str], fields: str, forbidden: list[str] | None = None
    ) -> dict[str, Mapping[str, Any] | None]:
        """What the network says of ``ids``, ``None`` for those that it does not have. One id that is missing, or that may not be
        read, spoils a whole answer, so such a batch is halved; the latter is left out, for it is not deleted. Where that are many
        (``forbidden``), it is an affair of the access."""
        forbidden = [] if forbidden is None else forbidden
        if not ids:
            return {}
        if len(ids) <= IDS_AT_ONCE:
            try:
                answer = self._call(self._graph.get_objects, list(ids), fields=fields)
                return {native_id: item for native_id, item in answer.items() if native_id in ids and item is not None}
            except _Missing:
                if len(ids) == 1:
                    return {ids[0]: None}
            except _NotAllowed as error:
                if len(forbidden) == FORBIDDEN_AT_MOST:
                    raise
                if len(ids) == 1:
                    forbidden += ids
                    if ids[0] not in self._forbidden:  # not with every look back for a fortnight
                        self._forbidden.add(ids[0])
                        log.warning("%s: %s is left out: %s", self._resource, ids[0], error.what)
                    return {}
        half = (len(ids) + 1) // 2
        return {**self._objects(ids[:half], fields, forbidden), **self._objects(ids[half:], fields, forbidden)}

    def thread(self, post: PostRef) -> Sequence[FetchedPost]:
        """The answers around ``post`` since it was written: under its top comment, or under the visitor's post."""
        try:
            found = {item.native_id: item for item in self._since(_top(post), post)}
        except _Missing:
            return ()  # gone, and its answers with it; refresh and can_reply say so
        except _NotAllowed as error:  # this one, and no affair of the others
            raise CannotTell(error.what, resource=self._resource) from None
        return sorted(found.values(), key=lambda item: (item.created_at, item.native_id))

    def _since(self, node: str, post: PostRef) -> list[FetchedPost]:
        """The comments under ``node`` not older than ``post``; complete, or ``CannotTell``."""
        found: list[FetchedPost] = []
        after = None
        for _ in range(THREAD_PAGES):
            page = self._comments(node, post_id=post.thread_root, after=after)
            if page.quarantined:  # one of them may be the very reply that is looked for
                raise CannotTell("a comment in this thread cannot be read.", resource=self._resource)
            recent = [item for item in page.posts if item.created_at >= post.created_at]
            found += recent
            after = page.after
            if after is None or (page.bottom is not None and page.bottom < post.created_at):
                return found
        raise CannotTell(f"more than {len(found)} comments since then.", resource=self._resource)

    def quota(self) -> tuple[Quota, ...]:
        return self._quota.seen()

    def close(self) -> None:
        self._session.close()

    # --- replying -----------------------------------------------------------------------------------------------------

    def can_reply(self, post: PostRef) -> Verdict:
        is_comment = post.native.get("node", "comment") == "comment"
        try:
            found = self._object(post.native_id, "id,can_comment" if is_comment else "id")
        except _Missing:
            return Verdict(permission=Permission.OPEN_IN_APP, reason="The post is deleted or no longer visible to us.")
        if found.get("can_comment") is False:
            return Verdict(permission=Permission.OPEN_IN_APP, reason="Facebook lets the page not answer this comment.")
        return ALLOWED

    def reply(self, post: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
        """The network knows no idempotency key: after an ``Uncertain`` only ``find_own_reply`` can tell."""
        token = self._graph.access_token
        try:
            created = self._once(self._graph.put_object, post.native_id, "comments", message=text)
        except CredentialsExpired:
            if not self._renewed_by_a_person(token):
                raise
            told = "the token had ended and was renewed; nothing was published."
            raise Unreachable(told, resource=self._resource) from None
        native_id = kit.identifier_or_none(created.get("id"))
        if native_id is None:
            raise Uncertain("the network accepted the reply without telling its id.", resource=self._resource)
        return Receipt(native_id=native_id, permalink=_permalink(native_id))

    def find_own_reply(self, post: PostRef, text: str, *, key: str) -> Receipt | None:
        try:
            return self._own_reply(post, text)
        except _Missing as error:
            # deleted with our answer in it, or hidden from this token for a while: not "surely absent"
            raise CannotTell(error.what, resource=self._resource) from None

    def _own_reply(self, post: PostRef, text: str) -> Receipt | None:
        doubtful = False
        for node in dict.fromkeys((post.native_id, _top(post))):
            for own in self._since(node, post):
                if not own.ours or _said(own.text) != _said(text):
                    continue
                if own.in_reply_to == post.native_id:
                    return Receipt(native_id=own.native_id, published_at=own.created_at, permalink=own.permalink)
                # the same words under the same top comment: ours to this customer, or to another one there
                doubtful = doubtful or own.in_reply_to == _top(post)
        if doubtful:
            raise CannotTell("the same words stand in this thread, perhaps for somebody else.", resource=self._resource)
        return None

    # --- the wire -----------------------------------------------------------------------------------------------------

    def _object(self, native_id: str, fields: str) -> Mapping[str, Any]:
        return self._call(self._graph.get_object, native_id, fields=fields)

    def _call(self, call: Callable[..., Any], *args: Any, **params: Any) -> Mapping[str, Any]:
        """A read, repeated once where a person renewed the credential meanwhile."""
        token = self._graph.access_token
        try:
            return self._once(call, *args, **params)
        except CredentialsExpired:
            if not self._renewed_by_a_person(token):
                raise
        return self._once(call, *args, **params)

    def _once(self, call: Callable[..., Any], *args: Any, **params: Any) -> Mapping[str, Any]:
        given = {name: value for name, value in params.items() if value is not None}
        answer: Mapping[str, Any] = call(*args, appsecret_proof=self._proof, **given)
        return answer

    def _slow_down(self) -> None:
        """Reading customers' news stops near the limit, so that answering them still works: the looks before a text too."""
        if self._pause is not None and self._clock.now() < self._pause[1]:
            scope, until = self._pause
            told = f"more than {SLOW_DOWN_AT:g} % of the network's limit ({scope}) is used."
            raise RateLimited(told, until=until, scope=scope, resource=self._resource)

    def _inspect(self, response: requests.Response, publishes: bool) -> None:
        """Note the usage; turn the network's own errors into ours before facebook-sdk sees them."""
        from connectors.session import answer_of

        self._note_usage(response.headers)
        answer = answer_of(response)
        if answer is None:
            return
        error = answer.get("error")
        over = kit.is_over(response.status_code)
        if isinstance(error, dict) and not (publishes and response.status_code < 400):  # else both yes and no
            raise self._problem(error, publishes, status=response.status_code)
        if error:
            told = "the network reported an error without saying which."
            raise kit.lost(told, publishes=publishes, resource=self._resource, over=over)
        # facebook-sdk looks for "json" in a header that it takes for granted
        response.headers["content-type"] = "application/json"

    def _problem(self, error: Mapping[str, Any], publishes: bool, *, status: int) -> ConnectorError:
        code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
        said = kit.sentence(f"the network answered {code}/{subcode or 0}: {kit.quoted(str(error.get('message', '')))}")
        at, over = self._resource, kit.is_over(status)
        if code in TRANSIENT or (error.get("is_transient") is True and code not in THROTTLED):
            return kit.lost(said, publishes=publishes, resource=at, over=over)
        if code in THROTTLED:
            # every one of its limits counts all calls
            return RateLimited(said, until=self._regained_at(), scope="all", resource=at)
        if code in TOKEN:
            why = TOKEN_SUBCODES.get(subcode or 0)
            again = f"Renew its access: {kit.renewal(self._context, self.kind)}"
            return CredentialsExpired(kit.sentence(why or said), resource=at, next_step=again)
        if code is None:
            return kit.lost(said, publishes=publishes, resource=at, over=over)
        missing = code == ALIAS_UNKNOWN or (code == INVALID and subcode == MISSING_SUBCODE)
        if not publishes:
            if code in PERMISSION or code == ABUSE:
                return (_NotAllowed if code in PERMISSION else CredentialsExpired)(
                    said,
                    resource=at,
                    next_step=f"Give the token its permissions back: {kit.renewal(self._context, self.kind)}",
                )
            return (_Missing if missing else _Invalid if code == INVALID else Unreachable)(said, resource=at)
        if code == DUPLICATE:
            return Duplicate(said, resource=at)
        if status >= 500 or not over or code < 0:
            # the network broke, perhaps after it had published: only a 4xx with a code that Meta's lists know is a no
            return kit.lost(said, publishes=True, resource=at, over=over)
        if missing:
            return Refused(said, reason=RefusalReason.GONE, resource=at)
        if code == ABUSE:
            next_step = "Stop posting from this page and read its Page Quality."
            return Refused(said, reason=RefusalReason.ABUSE, resource=at, next_step=next_step)
        reason = RefusalReason.PERMISSION if code in PERMISSION else RefusalReason.INVALID
        return Refused(said, reason=reason, resource=at)

    def _note_usage(self, headers: Mapping[str, str]) -> None:
        """Percentages of the app's, the page's and the business use case's hourly limits."""
        now = self._clock.now()
        for scope, usage in _usages(headers):
            numbers = (usage.get(name) for name in ("call_count", "total_time", "total_cputime"))
            # a percentage: "nan" compares with nothing, and beyond some hundreds it only means "too much"
            told = (number for number in numbers if isinstance(number, int | float) and number == number)
            used = max((float(min(max(number, 0), 1000)) for number in told), default=None)
            if used is None:
                continue
            minutes = usage.get("estimated_time_to_regain_access")
            regained = now + timedelta(minutes=minutes) if isinstance(minutes, int) and 0 < minutes < 10_000 else None
            full = used >= SLOW_DOWN_AT
            self._regained[scope] = regained
            until = regained or (now + kit.DEFAULT_WAIT if full else None)
            if full and until is not None:
                self._pause = (scope, until)
            left = 0 if full else None
            # our own reserve, not the network's word: that is a RateLimited, and stops all
            self._quota.note(Quota(scope=scope, stops="read", remaining=left, used_percent=used, resets_at=until))
            if used < REPORT_AT:
                self._reported.discard(scope)
            elif scope not in self._reported:
                self._reported.add(scope)
                log.warning("%s: %g %% of the network's limit (%s) is used.", self._resource, used, scope)

    def _regained_at(self) -> datetime:
        now = self._clock.now()
        told = (at for at in self._regained.values() if at is not None and at > now)
        return max(told, default=now + kit.DEFAULT_WAIT)

    # --- items --------------------------------------------------------------------------------------------------------

    def _comment_of(self, post_id: str) -> Callable[[Mapping[str, Any]], FetchedPost]:
        return lambda item: self._comment(item, post_id)

    def _post_of(self, kind: PostKind) -> Callable[[Mapping[str, Any]], FetchedPost]:
        return lambda item: self._post(item, kind)

    def _comment(self, item: Mapping[str, Any], post_id: str) -> FetchedPost:
        native_id = kit.identifier(item.get("id"), "id")
        author, text = _author(item, native_id), _text(item)
        ours = author.native_id == self.identity().native_id
        above = item.get("parent")
        parent = kit.identifier(above.get("id"), "the parent's id") if above else None
        tagged = {str(tag.get("id")) for tag in item.get("message_tags") or ()}
        return FetchedPost(
            native_id=native_id,
            revision=_fingerprint(text),
            author=author,
            text=text,
            created_at=kit.written_at(item.get("created_time"), now=self._clock.now()),
            thread_root=post_id,
            kind=PostKind.OWN if ours else PostKind.COMMENT,
            in_reply_to=parent or post_id,
            summoned=not ours and self.identity().native_id in tagged,
            ours=ours,
            permalink=kit.text_or_none(item.get("permalink_url")) or _permalink(native_id),
            media=_attachment(item),
            native={"node": "comment", "parent": parent},
            raw=kit.small(item),
        )

    def _post(self, item: Mapping[str, Any], kind: PostKind) -> FetchedPost:
        native_id = kit.identifier(item.get("id"), "id")
        author, text = _author(item, native_id), _text(item)
        ours = author.native_id == self.identity().native_id or kind is PostKind.OWN
        picture = item.get("full_picture")
        return FetchedPost(
            native_id=native_id,
            revision=_fingerprint(text),
            author=author if author.native_id != self.identity().native_id else self.identity(),
            text=text,
            created_at=kit.written_at(item.get("created_time"), now=self._clock.now()),
            thread_root=native_id,
            kind=PostKind.OWN if ours else kind,
            summoned=kind is PostKind.TAGGED,
            ours=ours,
            permalink=kit.text_or_none(item.get("permalink_url")) or _permalink(native_id),
            media=(Media(kind=MediaKind.IMAGE, url=picture),) if isinstance(picture, str) and picture else (),
            native={"node": "post"},
            raw=kit.small({name: value for name, value in item.items() if name != "comments"}),
        )


def _top(post: PostRef) -> str:
    """The node whose comments are the conversation: the top comment, or the post itself."""
    return str(post.native.get("parent") or post.native_id)


def _author(item: Mapping[str, Any], native_id: str) -> Author:
    told = item.get("from")
    if not isinstance(told, dict) or not told.get("id"):
        # the account is deleted or hides itself; one unknown must not be taken for another
        return Author(native_id=f"unknown:{native_id}", deleted=True)
    native_id = kit.identifier(str(told["id"]), "the author's id")
    return Author(native_id=native_id, display_name=kit.text_or_none(told.get("name")))


def _text(item: Mapping[str, Any]) -> str:
    """A picture or a sticker alone has no message; a post then may have a story ("X added a photo")."""
    text = item.get("message", item.get("story", ""))
    if not isinstance(text, str):
        raise ValueError(f"message must be a text, got {type(text).__name__}")
    return text


def _said(text: str) -> list[str]:
    """A text without what the network may change: forms of letters and white space."""
    return unicodedata.normalize("NFC", text).split()


def _fingerprint(text: str) -> str:
    """The network tells neither that a comment was edited nor when, so the text itself is the revision."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _of_one_object(node: str) -> tuple[type[ConnectorError], ...]:
    """What a read under ``node`` may meet that says nothing of the others. Whoever may not read an edge misses all of it."""
    return (_Missing,) if node in EDGES else (_Missing, _NotAllowed)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31 else None


def _epoch(value: object) -> datetime | None:
    """Seconds since 1970; the network says 0 for never."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**33:
        return datetime.fromtimestamp(value, UTC)
    return None


def _next_place(answer: Mapping[str, Any]) -> str | None:
    """Where the next page begins. ``next`` is an address with the token in it: only the place is taken from the answer."""
    paging = kit.mapping(answer.get("paging"))
    return kit.place_or_none(kit.mapping(paging.get("cursors")).get("after")) if paging.get("next") else None


def _permalink(native_id: str) -> str:
    return f"https://www.facebook.com/{native_id}"


def _attachment(item: Mapping[str, Any]) -> tuple[Media, ...]:
    attachment = item.get("attachment")
    if not isinstance(attachment, dict):
        return ()
    shape = str(attachment.get("type", ""))
    kinds = {"photo": MediaKind.IMAGE, "sticker": MediaKind.IMAGE, "video": MediaKind.VIDEO, "share": MediaKind.LINK}
    kind = next((kind for word, kind in kinds.items() if word in shape), MediaKind.OTHER)
    url, title = kit.text_or_none(attachment.get("url")), kit.text_or_none(attachment.get("title"))
    return (Media(kind=kind, url=url, description=title),)


def _usages(headers: Mapping[str, str]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """``(scope, usage)`` of every usage header that can be read."""
    for name, scope in (("x-app-usage", "app"), ("x-page-usage", "page"), ("x-business-use-case-usage", None)):
        try:
            told = json.loads(headers.get(name) or "{}")
        except (ValueError, RecursionError):
            continue
        if not isinstance(told, dict):
            continue
        if scope is not None:
            yield scope, told
            continue
        for listed in told.values():
            for usage in listed if isinstance(listed, list) else ():
                if isinstance(usage, dict):
                    what = kit.identifier_or_none(usage.get("type")) or "unknown"
                    yield f"business:{what[:64]}", usage
