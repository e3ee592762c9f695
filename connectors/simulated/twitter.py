"""X's API v2 as the connector uses it: mentions, own timeline, lookup, recent search of a conversation, create, token.

Ids are like X's: milliseconds since X's epoch, then 22 bits that tell posts of the same millisecond apart (here: the
world's sequence), so ids rise with time. Every edit has its own id; an old id goes on showing the old text. An answer
names the version that stood when it was written: X's documents leave open whether it is that or the first one.
"""

from __future__ import annotations

import html
import random
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.simulated.faults import OVERLAP
from connectors.simulated.limits import LimitState
from connectors.simulated.records import BRAND, Account, UnknownPost, WorldPost
from connectors.simulated.server import SimulatedRequest, SimulatedResponse
from connectors.simulated.world import World
from social.domain.post import PostKind

NETWORK = "twitter"
EPOCH_MS = 1_288_834_974_657
SEQUENCE_BITS = 22
SEQUENCE_MASK = (1 << SEQUENCE_BITS) - 1
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
SEARCH_REACH = timedelta(days=7)
DUPLICATE_WITHIN = timedelta(days=1)
TOKEN_LIFETIME = timedelta(hours=2)
PROBLEMS = "https://api.twitter.com/2/problems"
#: Calls per 15 minutes (docs.x.com, rate limits, August 2026).
LIMITS = {"mentions": 300, "own": 900, "lookup": 900, "me": 75, "search": 300, "write": 100}
WRITES_A_DAY = 10_000
REACH = {"mentions": 800, "own": 3200}
DEFAULT_FIELDS = frozenset({"id", "text", "edit_history_tweet_ids"})
WEIGHT_LIMIT = 280
NOT_SUMMONED = (
    "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author "
    "of the post you are replying to."
)
NOT_PERMITTED = "Your client app is not configured with the appropriate oauth1 app permissions for this endpoint."
READ_ONLY = "read"

#: A version of a post: the post and which of its revisions (0 is the first).
Version = tuple[WorldPost, int]


class Refusal(Exception):
    """Carries the answer out of the depths."""

    def __init__(self, status: int, detail: str, *, title: str = "Forbidden", kind: str = "about:blank") -> None:
        super().__init__(detail)
        self.response = _problem(status, title, detail, kind)


class TwitterDialect:
    """See ``connectors.simulated.server.Dialect``. Keeps only what a token server keeps: the tokens it gave and took."""

    network = NETWORK

    def __init__(self) -> None:
        self._ends: dict[str, datetime] = {}
        self._spent: set[str] = set()

    def native_id(self, post: WorldPost, world: World) -> str:
        return str(_number((post, 0)))

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        try:
            if request.path == "/2/oauth2/token" and request.method == "POST":
                return self._token(request)
            level = self._require_token(request)
            if request.method == "POST" and level == READ_ONLY:
                raise Refusal(403, NOT_PERMITTED, kind=f"{PROBLEMS}/oauth1-permissions")
            name, answer = self._route(request, world)
            given = self._limited(name, request, world, answer)
            return replace(given, headers={**given.headers, "x-access-level": level}) if level else given
        except Refusal as refusal:
            return refusal.response

    def refuse(
        self, status: int, request: SimulatedRequest, world: World, *, resets_at: datetime | None, reset: str
    ) -> SimulatedResponse:
        title = {400: "Invalid Request", 401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests"}
        response = _problem(status, title.get(status, "Service Unavailable"), title.get(status, "Service Unavailable"))
        headers = {"x-rate-limit-limit": "300", "x-rate-limit-remaining": "0"}
        if status == 429 and reset == "valid" and resets_at is not None:
            headers["x-rate-limit-reset"] = str(int(resets_at.timestamp()))
        elif status == 429 and reset == "broken":
            headers["x-rate-limit-reset"] = "soon"
        return SimulatedResponse(
            status=status,
            body=response.body,
            headers=headers if status == 429 else {},
            content_type="application/problem+json",
        )

    # --- who asks -----------------------------------------------------------------------------------------------------

    def _require_token(self, request: SimulatedRequest) -> str | None:
        """The level of an OAuth 1.0a token, which its beginning tells here."""
        token = request.bearer()
        found = re.search(r'oauth_token="([^"]+)"', request.headers.get("authorization", ""))
        signed = found.group(1) if found is not None else ""
        ended = token is not None and (token.startswith("expired") or self._ends.get(token, request.now) < request.now)
        if ended or signed.startswith("wrong") or not (token or signed):
            raise Refusal(401, "Unauthorized", title="Unauthorized")
        if not signed:
            return None
        return READ_ONLY if signed.startswith("readonly") else "read-write"

    def _token(self, request: SimulatedRequest) -> SimulatedResponse:
        """Refresh tokens rotate: each works once."""
        form = request.form()
        old = form.get("refresh_token", "")
        if form.get("grant_type") != "refresh_token" or not form.get("client_id") or not old or old in self._spent:
            told = {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}
            return SimulatedResponse(status=400, body=told)
        self._spent.add(old)
        access, refresh = (f"sim-{secrets.token_urlsafe(24)}" for _ in range(2))
        self._ends[access] = request.now + TOKEN_LIFETIME
        return SimulatedResponse(
            body={
                "token_type": "bearer",
                "expires_in": int(TOKEN_LIFETIME.total_seconds()),
                "access_token": access,
                "refresh_token": refresh,
                "scope": "tweet.read tweet.write users.read offline.access",
            }
        )

    def _limited(
        self, name: str, request: SimulatedRequest, world: World, answer: Callable[[], SimulatedResponse]
    ) -> SimulatedResponse:
        state = world.limits.take(f"{NETWORK}/{name}", limit=LIMITS[name], window=QUARTER, now=request.now)
        headers = _limit_headers("x-rate-limit", state)
        allowed = state.allowed
        if name == "write":
            daily = world.limits.take(f"{NETWORK}/day", limit=WRITES_A_DAY, window=DAY, now=request.now)
            headers |= _limit_headers("x-app-limit-24hour", daily)
            allowed = allowed and daily.allowed
        if not allowed:
            refused = _problem(429, "Too Many Requests", "Too Many Requests")
            return SimulatedResponse(
                status=429, body=refused.body, headers=headers, content_type="application/problem+json"
            )
        try:
            given = answer()
        except Refusal as refusal:
            given = refusal.response
        return SimulatedResponse(status=given.status, body=given.body, headers=headers, content_type=given.content_type)

    # --- routes -------------------------------------------------------------------------------------------------------

    def _route(self, request: SimulatedRequest, world: World) -> tuple[str, Callable[[], SimulatedResponse]]:
        brand = world.brand(NETWORK)
        timeline = re.fullmatch(r"/2/users/(\d+)/(mentions|tweets)", request.path)
        match (request.method, request.path):
            case ("GET", "/2/users/me"):
                return "me", lambda: SimulatedResponse(body={"data": _user(brand)})
            case ("GET", "/2/tweets"):
                return "lookup", lambda: _lookup(request, world)
            case ("GET", "/2/tweets/search/recent"):
                return "search", lambda: _search(request, world)
            case ("POST", "/2/tweets"):
                return "write", lambda: _create(request, world)
            case ("GET", _) if timeline is not None:
                name = "mentions" if timeline.group(2) == "mentions" else "own"
                if timeline.group(1) != str(brand.number):
                    raise Refusal(403, "Only the account itself may read this here.")
                return name, lambda: _page(request, world, _timeline(world, name, request), reach=REACH[name])
        raise Refusal(404, f"There is no {request.method} {request.path}.", title="Not Found Error")


# --- reading ----------------------------------------------------------------------------------------------------------


def _timeline(world: World, name: str, request: SimulatedRequest) -> list[WorldPost]:
    """What is newer than ``since_id`` and not older than ``start_time``, by the newest version of each post."""
    since = request.param("since_id") or "0"
    start = request.param("start_time")
    oldest = datetime.fromisoformat(start) if start else datetime.min.replace(tzinfo=UTC)
    posts = world.by_author(NETWORK, BRAND) if name == "own" else world.posts(NETWORK)
    oldest = max(oldest, _earliest(int(since))) if since.isdigit() else oldest
    fresh = [post for post in posts if (post.edited_at or post.created_at) >= oldest]
    if name == "own":
        return fresh
    return [post for post in fresh if not post.ours and (post.mentions_brand or _answers_brand(world, post))]


def _newest(post: WorldPost) -> int:
    return post.edits[-1].sequence if post.edits else post.sequence


def _answers_brand(world: World, post: WorldPost) -> bool:
    """A reply begins with its addressee's @name, so it is a mention too."""
    parent = world.post(post.parent) if post.parent is not None else None
    return parent is not None and parent.ours


def _search(request: SimulatedRequest, world: World) -> SimulatedResponse:
    """``conversation_id:ID``, ``url:...`` (here: who quotes the shop), or words that must all be in the text."""
    query = request.param("query") or ""
    if wanted := re.fullmatch(r"conversation_id:(\d+)", query):
        root = _version(world, wanted.group(1))
        found = world.thread(root[0].sequence) if root is not None else []
    elif query.startswith("url:"):
        found = world.quotes(NETWORK)
    else:
        sought = re.findall(r'"([^"]+)"|(?<!\S)([^\s:"-][^\s:"]*)(?!\S)', query)
        words = [phrase or word for phrase, word in sought]
        if not words:
            raise Refusal(400, "The query is not valid.", title="Invalid Request", kind=f"{PROBLEMS}/invalid-request")
        found = world.search(NETWORK, words[0])
        found = [post for post in found if all(word.casefold() in post.text.casefold() for word in words)]
    oldest = request.now - SEARCH_REACH
    since = request.param("since_id")
    if since and _time_of(int(since)) < oldest:
        raise Refusal(400, "since_id must be of the last 7 days.", title="Invalid Request")
    recent = [post for post in found if post.created_at >= oldest]
    return _page(request, world, recent, reach=len(recent), place_name="next_token", smallest=10)


def _page(
    request: SimulatedRequest,
    world: World,
    posts: Sequence[WorldPost],
    *,
    reach: int,
    place_name: str = "pagination_token",
    smallest: int = 5,
) -> SimulatedResponse:
    """Newest first, each post once, as its newest version."""
    size = request.param("max_results", "10") or ""
    if not size.isdigit() or not smallest <= int(size) <= 100:
        raise Refusal(400, f"max_results must be {smallest} to 100.", title="Invalid Request")
    token = request.param(place_name) or request.param("next_token")
    if token and (request.fault("expired-cursor") or not re.fullmatch(r"t\d{19}", token)):
        raise Refusal(
            400, f"The {place_name} is not valid.", title="Invalid Request", kind=f"{PROBLEMS}/invalid-request"
        )
    # ids rise with sequences, and a number is made only for what is shown
    newest = sorted(posts, key=_newest, reverse=True)[:reach]
    since = int(request.param("since_id") or 0)
    endless = token if token and request.fault("endless-pages") else None
    below = int(token[1:]) if token and not endless and not request.fault("duplicate-page") else None
    if below is not None and request.fault("overlap-page"):
        above = [number for post in newest if (number := _number((post, len(post.edits)))) >= below]
        below = [below, *reversed(above)][:OVERLAP][-1] + 1
    if until := request.param("until_id"):
        below = int(until) if below is None else min(below, int(until))
    asked = [(post, len(post.edits)) for post in newest if (post.edited_at or post.created_at) >= _earliest(since)]
    asked = [version for version in asked if since < _number(version) and (below is None or _number(version) < below)]
    shown = asked[: int(size)]
    if request.fault("empty-page"):
        return SimulatedResponse(body={"meta": {"result_count": 0, "next_token": f"t{_number(asked[0]) + 1:019d}"}})
    meta: dict[str, Any] = {"result_count": len(shown)}
    if shown:
        meta |= {"newest_id": str(_number(shown[0])), "oldest_id": str(_number(shown[-1]))}
    if len(asked) > len(shown):
        meta["next_token"] = f"t{_number(shown[-1]):019d}"
    if endless:
        meta["next_token"] = f"t{int(endless[1:]) + 1:019d}"
    if request.fault("reorder"):
        random.Random(len(shown)).shuffle(shown)
    body = _listed(request, world, shown)
    if request.fault("missing-fields") and body.get("data"):
        for name in ("author_id", "created_at"):
            body["data"][0].pop(name, None)  # the newest: the oldest may be known already
    return SimulatedResponse(body={**body, "meta": meta})


def _lookup(request: SimulatedRequest, world: World) -> SimulatedResponse:
    asked = (request.param("ids") or "").split(",")
    if not 1 <= len(asked) <= 100 or not all(re.fullmatch(r"\d{1,19}", native_id) for native_id in asked):
        raise Refusal(400, "ids must be 1 to 100 ids.", title="Invalid Request", kind=f"{PROBLEMS}/invalid-request")
    found = {native_id: _version(world, native_id) for native_id in asked}
    body = _listed(request, world, [version for version in found.values() if version is not None])
    missing = [_not_found("tweet", "ids", native_id) for native_id, version in found.items() if version is None]
    if missing:
        body["errors"] = [*body.get("errors", ()), *missing]
    return SimulatedResponse(body=body)


def _listed(request: SimulatedRequest, world: World, versions: Iterable[Version]) -> dict[str, Any]:
    fields = DEFAULT_FIELDS | set((request.param("tweet.fields") or "").split(","))
    shown = list(versions)
    body: dict[str, Any] = {}
    if shown:
        items = [_tweet(world, version) for version in shown]
        body["data"] = [{name: value for name, value in item.items() if name in fields} for item in items]
    if shown and "author_id" in (request.param("expansions") or "").split(","):
        authors = {post.author.number: post.author for post, _ in shown}
        if known := [_user(author) for author in authors.values() if not author.deleted]:
            body["includes"] = {"users": known}
        if gone := [
            _not_found("user", "author_id", str(author.number)) for author in authors.values() if author.deleted
        ]:
            body["errors"] = gone
    return body


def _tweet(world: World, version: Version) -> dict[str, Any]:
    post, _ = version
    brand = world.brand(NETWORK)
    text, addressee = _text(world, version), _addressee(world, post)
    item: dict[str, Any] = {
        "id": str(_number(version)),
        "edit_history_tweet_ids": [str(_number((post, index))) for index in range(len(post.edits) + 1)],
        "author_id": str(post.author.number),
        "created_at": _written_at(version).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "conversation_id": _first_id(world, post.root),
        "lang": post.language,
        "reply_settings": "following" if post.replies_disabled else "everyone",
    }
    references = [("replied_to", _answered_id(world, post)), ("quoted", _first_id(world, post.quoted))]
    if listed := [{"type": kind, "id": to} for kind, to in references if to is not None]:
        item["referenced_tweets"] = listed
    if addressee is not None:
        item["in_reply_to_user_id"] = str(addressee.number)
    entities: dict[str, Any] = {}
    if mentions := [_mention(text, account) for account in (brand, addressee) if account and _named(text, account)]:
        entities["mentions"] = list({mention["id"]: mention for mention in mentions}.values())
    quoted = world.post(post.quoted) if post.quoted is not None else None
    links = [(f"https://x.com/{post.author.handle}/status/{item['id']}/photo/1", True)] if post.photo else []
    if quoted is not None:
        links.append((f"https://x.com/{quoted.author.handle}/status/{_first_id(world, quoted.sequence)}", False))
    for index, (address, is_photo) in enumerate(links):
        short = f"https://t.co/{post.sequence:09d}{index}"
        entity: dict[str, Any] = {"start": len(text) + 1, "end": len(text) + 1 + len(short), "url": short}
        entity |= {"expanded_url": address} | ({"media_key": f"3_{item['id']}"} if is_photo else {})
        entities.setdefault("urls", []).append(entity)
        text = f"{text} {short}"
    if entities:
        item["entities"] = entities
    return {**item, "text": html.escape(text, quote=False)}


def _text(world: World, version: Version) -> str:
    post, revision = version
    text = post.edits[revision - 1].text if revision else post.original_text or post.text
    addressee = _addressee(world, post)
    return f"@{addressee.handle} {text}" if addressee and not _named(text, addressee) else text


def _addressee(world: World, post: WorldPost) -> Account | None:
    """Whom a reply's text names first. Nobody answers themselves by name."""
    parent = world.post(post.parent) if post.parent is not None else None
    return parent.author if parent is not None and parent.author.key != post.author.key else None


def _named(text: str, account: Account) -> re.Match[str] | None:
    return re.search(rf"@{re.escape(account.handle)}\b", text, re.IGNORECASE)


def _mention(text: str, account: Account) -> dict[str, Any]:
    found = _named(text, account)
    start, end = found.span() if found else (0, 1)
    return {"start": start, "end": end, "username": account.handle, "id": str(account.number)}


def _user(account: Account) -> dict[str, Any]:
    return {"id": str(account.number), "name": account.name, "username": account.handle}


# --- writing ----------------------------------------------------------------------------------------------------------


def _create(request: SimulatedRequest, world: World) -> SimulatedResponse:
    asked = request.json()
    text = asked.get("text") if isinstance(asked, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise Refusal(400, "text is required.", title="Invalid Request", kind=f"{PROBLEMS}/invalid-request")
    brand = world.brand(NETWORK)
    target = (asked.get("reply") or {}).get("in_reply_to_tweet_id")
    parent = _version(world, str(target)) if target is not None else None
    if target is not None and parent is None:
        raise Refusal(403, "You attempted to reply to a Tweet that is deleted or not visible to you.")
    if parent is not None:
        _require_permission(world, parent[0])
    if _weight(text) > WEIGHT_LIMIT:
        raise Refusal(403, "Tweet needs to be a bit shorter.")
    under = parent[0].sequence if parent is not None else None
    if world.find_duplicate(NETWORK, brand, text, within=DUPLICATE_WITHIN, parent=under) is not None:
        raise Refusal(403, "You are not allowed to create a Tweet with duplicate content.")
    try:
        post = world.publish(NETWORK, brand, text, under)
    except UnknownPost:
        raise Refusal(403, "You attempted to reply to a Tweet that is deleted or not visible to you.") from None
    return SimulatedResponse(status=201, body={"data": {"id": str(_number((post, 0))), "text": text}})


def _require_permission(world: World, parent: WorldPost) -> None:
    """X's rules of February 2026 for a reply by API, then what the author chose."""
    quotes = parent.kind is PostKind.QUOTE
    summoned = parent.ours or parent.mentions_brand or quotes or _answers_brand(world, parent)
    if world.blocked(parent.author):
        raise Refusal(403, "You have been blocked from the author of this post.")
    if not summoned:
        raise Refusal(403, NOT_SUMMONED)
    if parent.replies_disabled:
        raise Refusal(403, "The author of this post restricted who can reply.")


def _weight(text: str) -> int:
    """twitter-text's weighted length: Latin and the like 1, everything else 2, a link 23."""
    plain = re.sub(r"https?://\S+", "." * 23, text)
    light = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
    return sum(1 if any(low <= ord(letter) <= high for low, high in light) else 2 for letter in plain)


# --- ids --------------------------------------------------------------------------------------------------------------


def _written_at(version: Version) -> datetime:
    post, revision = version
    return (post.edits[revision - 1].at if revision else post.created_at).astimezone(UTC)


def _number(version: Version) -> int:
    post, revision = version
    milliseconds = int(_written_at(version).timestamp() * 1000) - EPOCH_MS
    return (milliseconds << SEQUENCE_BITS) | (post.sequences[revision] & SEQUENCE_MASK)


def _time_of(number: int) -> datetime:
    return datetime.fromtimestamp(((number >> SEQUENCE_BITS) + EPOCH_MS) / 1000, UTC)


def _earliest(since: int) -> datetime:
    """No post with a higher id is older. An id may be made of a time alone, so that its sequence tells nothing."""
    return _time_of(min(since, 10**19)) - timedelta(milliseconds=1)


def _first_id(world: World, sequence: int | None) -> str | None:
    if sequence is None:
        return None
    post = world.post(sequence)
    return str(_number((post, 0))) if post is not None else str(sequence)


def _answered_id(world: World, post: WorldPost) -> str | None:
    parent = world.post(post.parent) if post.parent is not None else None
    if parent is None:
        return _first_id(world, post.parent)
    earlier = [revision for revision, sequence in enumerate(parent.sequences) if sequence < post.sequence]
    return str(_number((parent, earlier[-1])))


def _version(world: World, native_id: str) -> Version | None:
    """The living post with this id, and which version the id means."""
    if not native_id.isdigit() or len(native_id) > 19:
        return None
    sequence = int(native_id) & SEQUENCE_MASK
    post = world.post(sequence)
    if post is None or post.network != NETWORK or post.deleted or sequence not in post.sequences:
        return None
    version = (post, post.sequences.index(sequence))
    return version if _number(version) == int(native_id) else None


# --- answers ----------------------------------------------------------------------------------------------------------


def _limit_headers(prefix: str, state: LimitState) -> dict[str, str]:
    return {
        f"{prefix}-limit": str(state.limit),
        f"{prefix}-remaining": str(state.remaining),
        f"{prefix}-reset": str(int(state.resets_at.timestamp())),
    }


def _problem(status: int, title: str, detail: str, kind: str = "about:blank") -> SimulatedResponse:
    body: Mapping[str, Any] = {"title": title, "detail": detail, "type": kind, "status": status}
    return SimulatedResponse(status=status, body=body, content_type="application/problem+json")


def _not_found(resource: str, parameter: str, native_id: str) -> dict[str, Any]:
    return {
        "value": native_id,
        "detail": f"Could not find {resource} with {parameter}: [{native_id}].",
        "title": "Not Found Error",
        "resource_type": resource,
        "parameter": parameter,
        "resource_id": native_id,
        "type": f"{PROBLEMS}/resource-not-found",
    }


DIALECT = TwitterDialect()
