"""Bluesky (AT Protocol), through the atproto SDK.

Reads the account's notifications and its own posts back to a water mark; publishes replies under record keys that it
chooses itself, so that the server refuses a second copy. Facts marked "seen" were observed on the real servers
(PDS 0.4, AppView 0.0.221; ``tests/real`` runs against them).
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from connectors import kit
from connectors.setup import sole_access
from social.domain.errors import (
    CannotTell,
    ConnectorError,
    CredentialsExpired,
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
    SetupContext,
    SetupForm,
    Verdict,
)

if TYPE_CHECKING:
    import requests
    from atproto import Client, Session, SessionEvent

    from connectors.session import NetworkSession

log = logging.getLogger(__name__)

POST = "app.bsky.feed.post"
#: What a notification must be about to be a customer's post; likes, follows and reposts are none.
REASONS = {"mention": PostKind.MENTION, "quote": PostKind.QUOTE, "reply": PostKind.REPLY}
#: What else there is to hear of (lexicon app.bsky.notification.listNotifications).
OTHER_REASONS = frozenset(
    {"like", "repost", "follow", "starterpack-joined", "verified", "unverified", "like-via-repost", "repost-via-repost"}
    | {"subscribed-post", "contact-match"}
)
#: getPosts takes 25 ids.
LOOKUP_SIZE = 25
#: How far a thread is read up and down (the AppView's own limits are 1,000 both ways).
PARENTS, DEPTH = 80, 100
#: The AppView files a post under the earlier of its author's clock and its own ("seen"). A customer whose clock is slow,
#: or a backlog of the network's, puts new posts BELOW the newest one that we know, so every walk goes on for a while.
OVERLAP = timedelta(minutes=10)
#: Once an hour a walk goes back a whole day for those that came later still.
SWEEP_EVERY, SWEEP_BACK = timedelta(hours=1), timedelta(hours=24)
#: Ids kept in the cursor to tell new posts of the overlap from known ones; beyond it some come twice, none is lost.
MOST_SEEN = 2000
#: So many pages in a row that bring nothing older go in a circle, whatever their tokens look like.
IDLE_PAGES = 3
#: How often a walk into the past begins anew where the network forgets its place, before it ends there.
WALKS_AGAIN = 2
#: What ``since`` is where the first poll found nothing: whatever comes, however late, is new.
BEGINNING = "1970-01-01T00:00:00.000Z"
END = "9999"
RENEWED_PART, RENEWED_FOR = "session", "session_for"
TID_DIGITS = "234567abcdefghijklmnopqrstuvwxyz"
VISIBILITY = "app.bsky.feed.getPostThread"
#: What a session may do, as its token says (atproto.com/specs/xrpc): by an app password, by one that may also read direct
#: messages, by the account's own password.
APP_PASSWORD, PRIVILEGED, OWN_PASSWORD = "com.atproto.appPass", "com.atproto.appPassPrivileged", "com.atproto.access"
_ADDRESS = re.compile(r"at://[^/]+/[^/]+/[^/]+")
IMAGES = "https://cdn.bsky.app/img/feed_fullsize/plain"


class BlueskyOptions(BaseModel):
    """``[profiles.options]``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: The account, such as "shop.bsky.social"; its app password is the credential.
    handle: str = Field(min_length=3, max_length=253)
    #: Read our own posts in every poll, so that an answer given in the network's app is seen by itself.
    watch_own_posts: bool = True
    #: What the operator confirmed, as Bluesky asks of automatic replies: "automated-label".
    confirmed: tuple[Annotated[str, Field(pattern="^automated-label$")], ...] = ()

    @field_validator("handle")
    @classmethod
    def _a_handle(cls, value: str) -> str:
        handle = value.removeprefix("@").lower()
        if "." not in handle or "@" in handle or any(character.isspace() for character in handle):
            raise ValueError('must be the whole handle, for example "shop.bsky.social" (not a mail address)')
        return handle


class BlueskySettings(kit.NetworkSettings):
    """``[connectors.<kind>]``. ``base_url`` is where the account signs in: bsky.social, which passes requests on to the
    account's own server (docs.bsky.app/docs/advanced-guides/entryway), or the address of a PDS of one's own. Nothing is
    ever sent anywhere else, whatever the account's DID document says."""

    base_url: str = "https://bsky.social"
    page_size: int = Field(default=100, ge=10, le=100)


class _SessionEnded(CredentialsExpired):
    """The session, not the app password, is no longer good."""


class _Absent(Unreachable):
    """The network has no such post or record."""


class _ServerFailed(Uncertain):
    """The server answered a write with 5xx."""


class _NoAccount(Unreachable):
    """The author's account is deleted, deactivated or taken down, and with it whatever it held."""


class _BadRequest(Unreachable):
    """400 on a read: a paging token that is no longer good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """A walk over a list that is shown newest first, from its top back to ``floor``. Times are ISO 8601.

    ``mark``: the newest time of the last whole walk. ``since``: how far the first page went; what is older is history.
    ``seen``: id -> time of what was handed out and may be met again. The rest is the state of an unfinished walk.
    """

    mark: str | None = None
    since: str | None = None
    swept_at: str | None = None
    seen: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    top: str | None = None
    floor: str | None = None
    low: str | None = None  # how far down it went so far
    idle: int = 0  # pages in a row that went no further down

    @classmethod
    def resumed(cls, kept: Any) -> _Walk:
        """From the cursor; keys of another version of this file are left out."""
        return cls(**{name: value for name, value in (kept or {}).items() if name in cls.__dataclass_fields__})

    def begun(self, now: datetime) -> _Walk:
        """Choose how far back this walk goes; nothing to choose in the middle of one."""
        if self.token is not None:
            return self
        if self.mark is None or self.swept_at is None:
            return replace(self, swept_at=_iso(now))
        due = kit.moment(self.swept_at) + SWEEP_EVERY <= now
        floor = max(_back(self.mark, SWEEP_BACK if due else OVERLAP), self.since or BEGINNING)
        return replace(self, floor=floor, swept_at=_iso(now) if due else self.swept_at)

    def wants(self, native_id: str | None, time: str | None) -> bool:
        """Neither known nor below the floor, where a page that reaches below it ends in known posts."""
        return native_id not in self.seen and (self.floor is None or time is None or time >= self.floor)

    def turned(self, token: str | None, met: Mapping[str, str], *, now: datetime, stop: bool) -> _Walk:
        """After a page with the items ``met`` (id -> time, as listed): on with ``token``, or arrived. How far down it went is
        told by its last item: one wrong time in its midst must not end the walk. A mark is never ahead of our clock: it would
        hide everything that is filed until then."""
        times = [*met.values()]
        newest, bottom = (max(times), times[-1]) if times else (None, None)
        top = max(filter(None, (self.top, min(newest, _iso(now)) if newest else None)), default=None)
        low = min(filter(None, (self.low, bottom)), default=None)
        idle = self.idle + 1 if low == self.low else 0
        following = _token_with_ties(token, one_time=len(set(times)) <= 1)
        # what was left out as too old is not known: where its time was wrong, it comes again with the right one
        known = {id_: time for id_, time in met.items() if id_ in self.seen or self.wants(id_, time)}
        seen = self._still_needed({**self.seen, **known}, top, bottom)
        walk = replace(self, top=top, token=following, low=low, idle=idle, seen=seen)
        arrived = replace(walk, token=None, top=None, floor=None, low=None, idle=0)
        below = bottom is not None and self.floor is not None and bottom < self.floor
        if token is None or stop or below:
            mark = max(filter(None, (self.mark, top)), default=None)
            # what lies below is history; a wrong time must not make the future of it
            since = self.since or (min(times) if token is not None and times else BEGINNING)
            return replace(arrived, mark=mark, since=since)
        if following == self.token or idle >= IDLE_PAGES:
            return arrived  # paging in a circle: read again from the old mark rather than lose something
        return walk

    def _still_needed(self, seen: Mapping[str, str], top: str | None, edge: str | None) -> Mapping[str, str]:
        """The next walk's overlap, the last one's, and the ties at the edge of this page."""
        ranges = [(_back(self.mark, OVERLAP), self.mark)] if self.mark else []
        ranges += [(_back(top, OVERLAP), END)] if top else []
        ranges += [(edge, edge)] if edge else []
        wanted = [item for item in seen.items() if any(low <= item[1] <= high for low, high in ranges)]
        return dict(sorted(wanted, key=lambda item: item[1], reverse=True)[:MOST_SEEN])


class BlueskyConnector:
    """One account. See ``social.ports.Connector``."""

    kind: ClassVar[str] = "bluesky"
    label: ClassVar[str] = "Bluesky"
    Options: ClassVar[type[BaseModel]] = BlueskyOptions
    Settings: ClassVar[type[BaseModel]] = BlueskySettings
    credential_parts: ClassVar[tuple[str, ...]] = ("app_password",)
    # The official app edits nothing, but other clients can overwrite a record; the AppView shows the new text ("seen").
    capabilities: ClassVar[Capabilities] = Capabilities(
        threads=True,
        own_reply_lookup=True,
        edits=True,
        deletions=True,
        history=HistoryReach(
            posts=None,
            own_posts=None,
            days=None,
            page=100,
            note="Bluesky names no limit for notifications and the account's own posts: they are read until they end.",
            source="lexicons app.bsky.notification.listNotifications and app.bsky.feed.getAuthorFeed",
            as_of=date(2026, 11, 22),
        ),
        texts_may_teach=True,
        teaching_rule=RuleSource(
            rule="Bluesky: the developer guidelines do not speak of training; whatever a user wants deleted must go.",
            source="https://docs.bsky.app/docs/support/developer-guidelines",
            as_of=date(2026, 11, 26),
        ),
    )
    reply_rules: ClassVar[ReplyRules] = ReplyRules(
        length_limit=300,
        length_unit=LengthUnit.GRAPHEMES,
        idempotency=Idempotency.SERVER_KEY,
        read_lag=timedelta(0),  # our own server answers for our own records, not the index
        automation_label_required=True,
        sources=(
            RuleSource(
                rule="A post has at most 300 graphemes and 3,000 bytes.",
                source="lexicon app.bsky.feed.post",
                as_of=date(2026, 11, 22),
            ),
            RuleSource(
                rule="A record key that is taken is refused; a post's key must be a TID.",
                source="PDS 0.4 (com.atproto.repo.createRecord), tests/real",
                as_of=date(2026, 11, 22),
            ),
            RuleSource(
                rule="Automation interacts only with people who addressed the account (opt-in).",
                source="https://atproto.com/guides/bot-tutorial",
                as_of=date(2026, 10, 2),
            ),
            RuleSource(
                rule="An automated account should say so with the self-label on its profile.",
                source="https://atproto.com/guides/bot-tutorial",
                as_of=date(2026, 10, 2),
            ),
            RuleSource(
                rule="Creating records: 5,000 points an hour and 35,000 a day, 3 points each; 300 sign-ins a day.",
                source="https://docs.bsky.app/docs/advanced-guides/rate-limits",
                as_of=date(2026, 11, 21),
            ),
        ),
    )

    setup: ClassVar[SetupForm] = SetupForm(
        asks=(
            Ask(name="handle", goes=Goes.OPTION),
            Ask(name="app_password", goes=Goes.CREDENTIAL, hidden=True),
        ),
        confirmations=("automated-label",),
    )
    prices: ClassVar[tuple[Price, ...]] = ()

    def __init__(self, context: ConnectorContext) -> None:
        from connectors.session import NetworkSession

        self._context = context
        self._clock = context.clock
        self._resource = f'profile "{context.profile}"'
        self._settings = kit.opened_settings(BlueskySettings, context, self.kind)
        self._options = kit.opened_options(BlueskyOptions, context)
        kit.opened_secrets(context, self.credential_parts, public=(RENEWED_FOR,))
        self._quota = kit.QuotaBook()
        self._left_out = kit.LeftOut(self._resource)
        self._signing_in = threading.Lock()
        self._session = NetworkSession(
            origin=self._settings.base_url,
            settings=self._settings,
            clock=context.clock,
            resource=self._resource,
            inspect=self._inspect,
        )
        self._sign_out()

    @classmethod
    def accesses(cls, context: SetupContext) -> tuple[Access, ...]:
        return (sole_access(cls.setup, context),)

    @classmethod
    def open(cls, context: ConnectorContext) -> BlueskyConnector:
        return cls(context)

    @property
    def clock_ahead(self) -> timedelta | None:
        ahead: timedelta | None = self._session.ahead
        return ahead

    @property
    def threads_add_nothing(self) -> bool:
        return False

    def identity(self) -> Author:
        if self._me is None:
            self._sign_in(stale=None)
        assert self._me is not None  # a sign-in that comes back has told who we are
        return self._me

    def inspect(self) -> Inspection:
        """The session's token says what it may do. An app password ends only when somebody deletes it."""
        answer = self._read("com.atproto.server.getSession")
        if answer.get("did") != self.identity().native_id:
            raise Unreachable("the network did not say who we are.", resource=self._resource)
        scope = self._scope_of_session()
        enough = {APP_PASSWORD, PRIVILEGED, OWN_PASSWORD}
        return Inspection(
            identity=self.identity(),
            needed=(APP_PASSWORD,),
            granted=frozenset({scope, APP_PASSWORD} if scope in enough else {scope}) if scope else None,
            problems=("own-password",) if scope == OWN_PASSWORD else (),
            notes=("direct-messages",) if scope == PRIVILEGED else (),
        )

    def _scope_of_session(self) -> str | None:
        from atproto import Session
        from atproto_core.exceptions import AtProtocolError

        try:
            return kit.text_or_none(Session.decode(self._session_text or "").access_jwt_payload.scope)
        except (AtProtocolError, ValueError):
            return None  # a server that makes its tokens in another way

    def quota(self) -> tuple[Quota, ...]:
        return self._quota.seen()

    def close(self) -> None:
        self._session.close()

    # --- reading ------------------------------------------------------------------------------------------------------

    def fetch(self, cursor: Cursor | None) -> Page:
        """Mentions, quotes and replies, and our own posts. The cursor holds one walk a stream.

        An account that our account mutes, blocks or is blocked by is left out by the network itself. Own posts that cannot be
        read keep their walk as it was, and customers do not wait for them.
        """
        kept = cursor or {}
        streams = self._streams()
        walks = {stream: _Walk.resumed(kept.get(stream)) for stream in streams}
        under_way = [stream for stream in walks if walks[stream].token]
        posts: list[FetchedPost] = []
        quarantined: list[Quarantined] = []
        read_on: set[str] = set()
        for turn in (under_way, [stream for stream in walks if stream not in under_way]):
            for stream in turn:
                # the first poll sets the mark; a stream that is switched on later does the same
                step = self._step_or_leave_out(stream, streams[stream], walks[stream], first=stream not in kept)
                if step is None:
                    continue
                walks[stream], read, bad = step
                posts += read
                quarantined += bad
                read_on.add(stream)
            if read_on:
                break
        posts.sort(key=lambda post: (post.created_at, post.native_id))
        return Page(
            posts=tuple(posts),
            quarantined=tuple(quarantined),
            # without those that were never read: their first page is still to come
            cursor={stream: asdict(walk) for stream, walk in walks.items() if stream in kept or stream in read_on},
            more=any(walks[stream].token for stream in walks if stream not in self._left_out),
            unread=tuple(self._left_out.errors.values()),
        )

    def _step_or_leave_out(
        self, stream: str, page: Callable[[str | None], tuple[object, str | None]], walk: _Walk, *, first: bool
    ) -> tuple[_Walk, list[FetchedPost], list[Quarantined]] | None:
        """``None``: this stream cannot be read at the moment. What would meet the customers' too is met there in its turn."""
        try:
            step = self._step(page, walk, first=first)
        except RateLimited:
            raise  # it counts every request
        except ConnectorError as error:
            if stream == "customers":
                raise
            self._left_out.add(stream, error)
            return None
        self._left_out.read_again(stream)
        return step

    def _streams(self) -> Mapping[str, Callable[[str | None], tuple[object, str | None]]]:
        """What is walked: name -> a call that takes the place to go on from."""
        streams = {"customers": self._notifications}
        if self._options.watch_own_posts:
            streams["own"] = self._own_posts
        return streams

    def history(self, since: datetime, cursor: Cursor | None) -> Page:
        """Our own posts, so that an answer is known before what it answers, then what was addressed to us."""
        streams = self._streams()
        kept = cursor or {"left": ["own", "customers"]}
        if kept["left"][0] not in streams:  # our own posts: the option may have changed meanwhile
            kept = {"left": kept["left"][1:]}
        left, again = list(kept["left"]), kept.get("again", 0)
        walk = replace(_Walk.resumed(kept.get("walk")), floor=_iso(since))
        walk, posts, quarantined = self._step(streams[left[0]], walk, first=False)
        if walk.token is not None:
            rest = {"left": left, "walk": asdict(walk), "again": again}
        elif walk.since is None and again < WALKS_AGAIN:
            # the network forgot its own token, or went in a circle: from the top, some posts come a second time
            rest = {"left": left, "walk": asdict(walk), "again": again + 1}
        else:
            if walk.since is None:
                log.error("%s: the pages of %s go in a circle; the walk ends here.", self._resource, left[0])
            rest = {"left": left[1:]}
        found = [post for post in posts if post.created_at >= since]
        return Page(
            posts=tuple(sorted(found, key=lambda post: (post.created_at, post.native_id))),
            quarantined=tuple(quarantined),
            cursor=rest,
            more=bool(rest["left"]),
        )

    def _step(
        self, page: Callable[[str | None], tuple[object, str | None]], walk: _Walk, *, first: bool
    ) -> tuple[_Walk, list[FetchedPost], list[Quarantined]]:
        walk = walk.begun(self._clock.now())
        try:
            items, token = page(walk.token)
        except _BadRequest:
            if walk.token is None:
                raise
            # the network forgot its own token: from the top again, with what was already handed out left out
            return replace(walk, token=None, top=None, floor=None, low=None, idle=0), [], []
        if not isinstance(items, list):  # an empty page says so: one without a list is none
            raise Unreachable("a page of items was expected.", resource=self._resource)
        met = _times(items)
        items = [item for item in items if walk.wants(_uri(item), _times([item]).get(_uri(item) or ""))]
        posts, bad = kit.read_items(items, self._post, id_key="uri")
        return walk.turned(token, met, now=self._clock.now(), stop=first), posts, bad

    def _notifications(self, token: str | None) -> tuple[object, str | None]:
        answer = self._read(
            "app.bsky.notification.listNotifications",
            reasons=list(REASONS),
            limit=self._settings.page_size,
            cursor=token,
            # without it an account that chose "priority notifications" in the app would see those it follows only
            priority="false",
        )
        items = answer.get("notifications")
        if isinstance(items, list):
            # what a server sends that knows no ``reasons``; a reason that nobody knows does not make a post vanish
            items = [
                item for item in items if not isinstance(item, dict) or str(item.get("reason")) not in OTHER_REASONS
            ]
        return items, kit.place_or_none(answer.get("cursor"))

    def _own_posts(self, token: str | None) -> tuple[object, str | None]:
        answer = self._read(
            "app.bsky.feed.getAuthorFeed",
            actor=self.identity().native_id,
            filter="posts_with_replies",
            limit=self._settings.page_size,
            cursor=token,
        )
        items = answer.get("feed")
        if isinstance(items, list):
            # an entry with a reason is a repost, or a post pinned to the top
            entries = [item for item in items if isinstance(item, dict) and not item.get("reason")]
            items = [entry["post"] for entry in entries if "post" in entry]
        return items, kit.place_or_none(answer.get("cursor"))

    def refresh(self, posts: Sequence[PostRef]) -> Mapping[str, FetchedPost | Gone]:
        ids = [post.native_id for post in posts]
        state: dict[str, FetchedPost | Gone] = {}
        for start in range(0, len(ids), LOOKUP_SIZE):
            part = ids[start : start + LOOKUP_SIZE]
            views = self._read("app.bsky.feed.getPosts", uris=part).get("posts")
            read, _ = kit.read_items(views, self._post, id_key="uri")
            state.update({post.native_id: post for post in read if post.native_id in part})
            for native_id in part:
                if native_id not in state and (gone := self._gone(native_id)) is not None:
                    state[native_id] = gone
        return state

    def _gone(self, native_id: str) -> Gone | None:
        """The index also leaves out posts of those who blocked us; only the author's repository knows the truth."""
        try:
            return Gone(native_id=native_id) if self._record(native_id) is None else None
        except _NoAccount:
            return Gone(native_id=native_id, reason="the account is closed")

    def thread(self, post: PostRef) -> Sequence[FetchedPost]:
        """The branch of the conversation that ``post`` is in: from the root where its own author wrote that, else from the
        first post under the root, so that a popular root is not read with all that is under it."""
        found = self._branch(post.native_id)
        chain = [found[post.native_id]] if post.native_id in found else []
        while chain and (above := found.get(chain[-1].in_reply_to or "")) is not None and above not in chain:
            chain.append(above)
        if not chain:
            # the post itself is gone; the rest of its thread may stand
            found = self._branch(post.thread_root) if post.thread_root != post.native_id else {}
        else:
            top = chain[-1] if chain[-1].author.native_id == post.author_id or len(chain) == 1 else chain[-2]
            if top.native_id != post.native_id:
                found |= self._branch(top.native_id)
        return sorted(found.values(), key=lambda item: (item.created_at, item.native_id))

    def _branch(self, native_id: str) -> dict[str, FetchedPost]:
        """A post with everything above and below it that we may see."""
        try:
            answer = self._read("app.bsky.feed.getPostThread", uri=native_id, depth=DEPTH, parentHeight=PARENTS)
        except _Absent:
            return {}
        views: list[Any] = []
        waiting = [answer.get("thread")]
        while waiting:
            node = waiting.pop()
            if isinstance(node, dict) and "post" in node:  # else not found, or blocked
                views.append(node["post"])
                replies = node.get("replies")
                waiting += [node.get("parent"), *(replies if isinstance(replies, list) else ())]
        return {post.native_id: post for post in kit.read_items(views, self._post, id_key="uri")[0]}

    # --- replying -----------------------------------------------------------------------------------------------------

    def can_reply(self, post: PostRef) -> Verdict:
        hindrance = self._hindrance(post)
        if hindrance is None:
            return ALLOWED
        return Verdict(permission=Permission.OPEN_IN_APP, reason=hindrance[1], source=VISIBILITY)

    def _hindrance(self, post: PostRef) -> tuple[RefusalReason, str] | None:
        """The server accepts a reply to a deleted post, to somebody who blocked us, and where replies are closed; nobody
        would see it ("seen"). So we look before we write."""
        try:
            answer = self._read("app.bsky.feed.getPostThread", uri=post.native_id, depth=0, parentHeight=0)
        except _Absent:
            return RefusalReason.GONE, "The post is deleted."
        node = kit.mapping(answer.get("thread"))
        view = kit.mapping(node.get("post"))
        viewer = kit.mapping(kit.mapping((view or node).get("author")).get("viewer"))
        if viewer.get("blockedBy"):
            return RefusalReason.BLOCKED, "The author blocked the profile."
        if viewer.get("blocking") or viewer.get("blockingByList") or node.get("blocked"):
            return RefusalReason.BLOCKED, "The profile blocked the author."
        if node.get("notFound"):
            return RefusalReason.GONE, "The post is no longer visible to the profile."
        if not view:
            # no answer at all, and no reason to give up for good
            raise Unreachable("the thread's form is not understood.", resource=self._resource)
        if kit.mapping(view.get("viewer")).get("replyDisabled"):
            return RefusalReason.REPLIES_DISABLED, "The author closed the replies."
        return None

    def reply(self, post: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
        cid, root_cid = post.native.get("cid"), post.native.get("root_cid")
        if not cid or not root_cid:
            raise Refused("the post's content id is unknown.", reason=RefusalReason.INVALID, resource=self._resource)
        hindrance = self._hindrance(post)
        if hindrance is not None:
            raise Refused(hindrance[1], reason=hindrance[0], resource=self._resource)
        record = {
            "$type": POST,
            "text": text,
            "createdAt": _iso(self._clock.now()),
            "reply": {
                "root": {"uri": post.thread_root, "cid": root_cid},
                "parent": {"uri": post.native_id, "cid": cid},
            },
        }
        asked = {"repo": self.identity().native_id, "collection": POST, "rkey": record_key(key), "record": record}
        uri = f"at://{asked['repo']}/{POST}/{asked['rkey']}"
        try:
            answer = self._call("com.atproto.repo.createRecord", asked)
        except (_ServerFailed, Refused):
            # a key that is taken is answered with a bare 500 ("seen"), like any other mishap
            existing = self._known_reply(post, key)
            if existing is None:
                raise
            return existing
        if answer.get("uri") != uri:
            raise Uncertain("the network accepted the reply without telling its address.", resource=self._resource)
        return Receipt(native_id=uri, published_at=kit.moment(record["createdAt"]), permalink=_permalink(uri))

    def _known_reply(self, post: PostRef, key: str) -> Receipt | None:
        """What a failed attempt may have left behind; an unanswered question is none, the engine asks again later."""
        try:
            return self.find_own_reply(post, "", key=key)
        except ConnectorError:
            return None

    def find_own_reply(self, post: PostRef, text: str, *, key: str) -> Receipt | None:
        """Exact and at once: our own server is asked for the record under the key that we chose. A question that nobody answered
        is asked again: only a record that is there and is no reply to ``post`` is for a person to look at."""
        uri = f"at://{self.identity().native_id}/{POST}/{record_key(key)}"
        record = self._record(uri)
        if record is None:
            return None
        if kit.mapping(kit.mapping(record.get("reply")).get("parent")).get("uri") != post.native_id:
            raise CannotTell(f"{uri} is no reply to {post.native_id}.", resource=self._resource)
        return Receipt(native_id=uri, published_at=_moment_or_none(record.get("createdAt")), permalink=_permalink(uri))

    def _record(self, uri: str) -> Mapping[str, Any] | None:
        """A record from its author's repository; ``None`` where it is surely absent."""
        repository, collection, key = uri.removeprefix("at://").split("/")
        try:
            answer = self._read("com.atproto.repo.getRecord", repo=repository, collection=collection, rkey=key)
        except _Absent:
            return None
        value = answer.get("value")
        if not isinstance(value, dict):
            raise Unreachable("a record without a value.", resource=self._resource)
        return value

    # --- the wire -----------------------------------------------------------------------------------------------------

    def _read(self, name: str, **params: Any) -> Mapping[str, Any]:
        return self._call(name, {key: value for key, value in params.items() if value is not None}, read=True)

    def _call(self, name: str, given: dict[str, Any], *, read: bool = False) -> Mapping[str, Any]:
        """One request. A session that ended is renewed once: such an answer means that nothing was done."""
        from atproto_client.models.dot_dict import DotDict
        from atproto_core.exceptions import AtProtocolError

        def once() -> Mapping[str, Any]:
            try:
                if read:
                    answer = self._client.invoke_query(name, params=DotDict(given))
                else:
                    headers = {"Content-Type": "application/json"}
                    answer = self._client.invoke_procedure(name, data=DotDict(given), headers=headers)
            except AtProtocolError as error:
                # the SDK renews the session before a request and could not read the answer to that
                raise Unreachable(kit.quoted(f"{type(error).__name__}: {error}"), resource=self._resource) from None
            content: Mapping[str, Any] = answer.content  # the session lets only objects pass
            return content

        self.identity()
        used = self._session_text
        try:
            return once()
        except _SessionEnded:
            self._sign_in(stale=used)
            return once()

    def _inspect(self, response: requests.Response, publishes: bool) -> None:
        """Note the limits; turn the network's own refusals into our errors before the SDK sees them."""
        method = urlsplit(response.request.url or "").path.rpartition("/")[2]
        scope = _scope(method)
        stops = scope if scope in {"read", "write"} else ""
        now = self._clock.now()
        self._quota.note_headers(scope, response.headers, now=now, prefix="ratelimit-", stops=stops)
        status = response.status_code
        if status < 400:
            return
        name, words = _complaint(response)
        answered = f"the network answered {status} ({kit.quoted(name or 'no reason')})"
        said = kit.sentence(f"{answered}: {kit.quoted(words or 'no words')}")
        if status in kit.TOO_MANY:
            until = kit.reset_at(response.headers.get("ratelimit-reset"), now=now)
            # reading is counted by the address that asks, together with all the rest; only writing has points of its own
            raise RateLimited(said, until=until, scope="write" if scope == "write" else "all", resource=self._resource)
        if name in {"AccountTakedown", "AccountDeactivated", "AccountSuspended"}:
            next_step = "Look into the account in the network's app."
            raise CredentialsExpired(said, resource=self._resource, next_step=next_step)
        if status == 401 or name in {"ExpiredToken", "InvalidToken"}:
            if method == "com.atproto.server.createSession":
                next_step = f"Make a new app password, then: {kit.renewal(self._context, self.kind)}"
                raise CredentialsExpired(said, resource=self._resource, next_step=next_step)
            raise _SessionEnded(
                said, resource=self._resource, next_step=f"Renew its access: {kit.renewal(self._context, self.kind)}"
            )
        if status == 400 and name in {"RecordNotFound", "NotFound"}:
            raise _Absent(said, resource=self._resource)
        if status == 400 and words.startswith("Could not find repo"):
            raise _NoAccount(said, resource=self._resource)
        if publishes and status >= 500:
            raise _ServerFailed(said, over=status != 504, resource=self._resource)
        if status == 400 and publishes:
            long = "too big" in words or "too long" in words
            reason = RefusalReason.TOO_LONG if long else RefusalReason.INVALID
            raise Refused(said, reason=reason, resource=self._resource)
        if status == 400:
            raise _BadRequest(said, resource=self._resource)

    # --- the session --------------------------------------------------------------------------------------------------

    @property
    def _session_text(self) -> str | None:
        """The SDK's own text form of the session: handle, DID, both tokens, server."""
        return self._client.export_session_string() if self._me is not None else None

    def _sign_in(self, *, stale: str | None) -> None:
        """A session in the place of ``stale``: another thread's, another process's, or a new one by the app password.

        Sign-ins are counted by the network (300 a day), so a session is kept and outlives restarts.
        """
        from atproto_core.exceptions import AtProtocolError

        with self._signing_in:
            if self._me is not None and self._session_text != stale:
                return
            secrets = kit.stored_anew(self._context, self.credential_parts, public=(RENEWED_FOR,))
            if secrets is None:
                next_step = f"Renew its access: {kit.renewal(self._context, self.kind)}"
                raise CredentialsExpired("the credential cannot be read.", resource=self._resource, next_step=next_step)
            kept = secrets.get(RENEWED_PART)
            if kept and kept != stale and secrets.get(RENEWED_FOR) == self._belongs_to and self._adopted(kept):
                return
            try:
                self._client.login(self._options.handle, secrets["app_password"], fetch_bsky_profile=False)
            except (AtProtocolError, ValueError) as error:
                told = f"the answer to the sign-in cannot be read ({type(error).__name__})"
                raise Unreachable(told, resource=self._resource) from None

    def _sign_out(self) -> None:
        """Without a session, so that the next request signs in. The SDK would send even an unusable one along with that."""
        self._client: Client = _client_on(self._session, self._settings)
        self._client.on_session_change(self._session_changed)
        self._me: Author | None = None

    @property
    def _belongs_to(self) -> str:
        """A kept session is used only for the account and the server that it was made with."""
        return f"{self._options.handle} at {self._settings.base_url}"

    def _adopted(self, kept: str) -> bool:
        from atproto import Session
        from atproto_core.exceptions import AtProtocolError

        try:
            if not Session.decode(kept).access_jwt_payload.exp:
                return False
            self._client.login(session_string=kept, fetch_bsky_profile=False)
        except (AtProtocolError, Unreachable, ValueError, KeyError, TypeError):
            return False  # damaged, or written by another version: the app password makes a new one
        return True

    def _session_changed(self, event: SessionEvent, session: Session) -> None:
        """Called by the SDK before the first use of new tokens."""
        kit.guard([session.access_jwt, session.refresh_jwt])
        # the SDK would now go to whatever server the account's DID document names
        self._client.update_base_url(self._settings.base_url)
        did = kit.identifier_or_none(session.did)
        if did is None or None in (kit.token_or_none(session.access_jwt), kit.token_or_none(session.refresh_jwt)):
            self._sign_out()
            raise Unreachable("the network gave a session that cannot be used.", resource=self._resource)
        account = Author(native_id=did, handle=kit.text_or_none(session.handle))
        if event.value != "import":
            parts = {RENEWED_PART: session.encode(), RENEWED_FOR: self._belongs_to}
            self._context.credentials.save(self._context.credential, parts)
        self._me = account

    # --- items --------------------------------------------------------------------------------------------------------

    def _post(self, item: Mapping[str, Any]) -> FetchedPost:
        """A notification or a post view: both have ``uri cid author record indexedAt``."""
        me = self.identity()
        uri, cid = _address(item.get("uri")), kit.identifier(item.get("cid"), "cid")
        record = item.get("record")
        if not isinstance(record, dict) or not isinstance(record.get("text"), str):
            raise ValueError("the post has no text")
        author = _author(item.get("author"))
        ours = author.native_id == me.native_id
        root = _reference(record, "root")
        kind = REASONS.get(str(item.get("reason"))) or _kind(record, me.native_id)
        languages = record.get("langs")
        return FetchedPost(
            native_id=uri,
            revision=cid,
            author=me if ours else author,
            text=record["text"],
            created_at=kit.written_at(item.get("indexedAt"), now=self._clock.now()),
            thread_root=_address(root["uri"]) if root.get("uri") else uri,
            kind=PostKind.OWN if ours else kind,
            in_reply_to=_in_reply_to(record),
            summoned=not ours and kind is not PostKind.REPLY,
            ours=ours,
            permalink=_permalink(uri),
            language_hint=kit.language_or_none(languages[0]) if isinstance(languages, list) and languages else None,
            media=_media(record.get("embed"), author.native_id),
            native={"cid": cid, "root_cid": kit.identifier(root["cid"], "the root's cid") if root.get("cid") else cid},
            raw=kit.small(item),
        )


def record_key(key: str) -> str:
    """A valid TID (13 digits of 5 bits, top bit 0; atproto.com/specs/tid) that depends on nothing but ``key``."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") >> 1
    return "".join(TID_DIGITS[(number >> shift) & 31] for shift in range(60, -1, -5))


def _client_on(session: NetworkSession, settings: BlueskySettings) -> Client:
    """The SDK's client on our own session: its built-in one knows no total time-out and follows redirects."""
    from atproto import Client
    from atproto_client.request import RequestBase, Response

    class BoundedRequest(RequestBase):  # type: ignore[misc]  # the SDK has no types
        """What the SDK asks of its HTTP half."""

        def get(self, url: str, **asked: Any) -> Response:
            return self._send("GET", url, asked)

        def post(self, url: str, **asked: Any) -> Response:
            return self._send("POST", url, asked)

        def _send(self, method: str, url: str, asked: Mapping[str, Any]) -> Response:
            answer = session.exchange(
                method,
                url,
                publishes=url.endswith("/com.atproto.repo.createRecord"),
                headers=self.get_headers(asked.get("headers")),
                params=asked.get("params"),
                data=(asked.get("content") or "").encode(),
            )
            status, content = answer.status_code, answer.json()
            return Response(success=True, status_code=status, content=content, headers=dict(answer.headers))

    return Client(settings.base_url, request=BoundedRequest())


def _scope(method: str) -> str:
    if method == "com.atproto.repo.createRecord":
        return "write"
    return "session" if method.startswith("com.atproto.server.") else "read"


def _complaint(response: requests.Response) -> tuple[str, str]:
    """The ``error`` and ``message`` of an XRPC error."""
    try:
        answer = response.json()
    except ValueError:
        return "", response.reason or ""
    answer = answer if isinstance(answer, dict) else {}
    return str(answer.get("error") or ""), str(answer.get("message") or "")


def _iso(time: datetime) -> str:
    """As the network writes times; texts of this form sort like the times."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _back(time: str, by: timedelta) -> str:
    return _iso(kit.moment(time) - by)


def _moment_or_none(value: object) -> datetime | None:
    try:
        return kit.moment(value)
    except ValueError:
        return None


def _token_with_ties(token: str | None, *, one_time: bool) -> str | None:
    """Where the next page starts. A page of notifications may end between two posts of the same millisecond, and the
    token, which is that time, goes on BELOW it: the others would be lost ("seen"). So the next page starts a millisecond
    higher, and what comes twice is left out by its id. No use where a whole page has one time; tokens of another form are
    left alone."""
    time = _moment_or_none(token)
    if time is None or one_time:
        return token
    return _iso(time + timedelta(milliseconds=1))


def _uri(item: object) -> str | None:
    return kit.text_or_none(item.get("uri")) if isinstance(item, dict) else None


def _times(items: object) -> dict[str, str]:
    """Id -> time of a page's items; those without either cannot be told apart and are left out."""
    found = {}
    for item in items if isinstance(items, list) else ():
        uri, time = _uri(item), _moment_or_none(item.get("indexedAt")) if isinstance(item, dict) else None
        if uri is not None and time is not None:
            found[uri] = _iso(time)
    return found


def _permalink(uri: str) -> str:
    author, _, key = uri.removeprefix("at://").split("/")
    return f"https://bsky.app/profile/{author}/post/{key}"


def _author(told: object) -> Author:
    if not isinstance(told, dict):
        raise ValueError("the post has no author")
    did = kit.identifier(told.get("did"), "the author's did")
    labels = told.get("labels")
    return Author(
        native_id=did,
        # the network's own word for a handle that does not lead back to the account
        handle=None if told.get("handle") == "handle.invalid" else kit.text_or_none(told.get("handle")),
        display_name=kit.text_or_none(told.get("displayName")),
        is_bot=any(
            isinstance(label, dict) and label.get("val") == "bot" and label.get("src") == did
            for label in (labels if isinstance(labels, list) else ())
        ),
    )


def _reference(record: Mapping[str, Any], which: str) -> Mapping[str, Any]:
    reply = record.get("reply")
    found = reply.get(which) if isinstance(reply, dict) else None
    return found if isinstance(found, dict) else {}


def _in_reply_to(record: Mapping[str, Any]) -> str | None:
    uri = _reference(record, "parent").get("uri")
    return _address(uri) if uri else None


def _address(value: object) -> str:
    """An ``at://`` address of a record. Raises ``ValueError``."""
    uri = kit.identifier(value, "an address")
    if not _ADDRESS.fullmatch(uri):
        raise ValueError(f"an address of a record was expected, got {kit.quoted(uri, 80)}")
    return uri


def _kind(record: Mapping[str, Any], me: str) -> PostKind:
    """From the post alone: does it mention us, quote us, or is it merely in the same thread?"""
    if me in _mentioned(record):
        return PostKind.MENTION
    embed = record.get("embed")
    for quoted in (embed, embed.get("record")) if isinstance(embed, dict) else ():
        record_of = quoted.get("record") if isinstance(quoted, dict) else None
        reference = record_of if isinstance(record_of, dict) else quoted
        if isinstance(reference, dict) and str(reference.get("uri", "")).startswith(f"at://{me}/"):
            return PostKind.QUOTE
    return PostKind.REPLY


def _mentioned(record: Mapping[str, Any]) -> Iterable[str]:
    """The accounts that the text @mentions."""
    for facet in record.get("facets") or ():
        for feature in (facet.get("features") if isinstance(facet, dict) else None) or ():
            if isinstance(feature, dict) and feature.get("did"):
                yield str(feature["did"])


def _media(embed: object, author: str) -> tuple[Media, ...]:
    """References, from the record itself: a notification has no other form of them."""
    if not isinstance(embed, dict):
        return ()
    if isinstance(embed.get("media"), dict):  # a quote with pictures
        return _media(embed["media"], author)
    found = []
    for image in embed.get("images") or ():
        if isinstance(image, dict):
            link = (image.get("image") or {}).get("ref") or {}
            cid = link.get("$link") if isinstance(link, dict) else None
            url = f"{IMAGES}/{author}/{cid}" if cid else None
            found.append(Media(kind=MediaKind.IMAGE, url=url, description=kit.text_or_none(image.get("alt"))))
    if isinstance(embed.get("video"), dict):
        found.append(Media(kind=MediaKind.VIDEO, description=kit.text_or_none(embed.get("alt"))))
    external = embed.get("external")
    if isinstance(external, dict):
        link_to, title = kit.text_or_none(external.get("uri")), kit.text_or_none(external.get("title"))
        found.append(Media(kind=MediaKind.LINK, url=link_to, description=title))
    return tuple(found)
