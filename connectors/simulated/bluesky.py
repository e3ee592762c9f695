"""Bluesky's XRPC as the connector uses it: session, notifications, own feed, threads, posts, records.

Shaped as the makers' own servers answer (PDS 0.4, AppView 0.0.221): the key trees of both are compared in the tests. With
their habits too: lists run backwards and are cut by time alone, so that a page's token skips posts of the same millisecond;
a record key that is taken is a bare 500; a reply to somebody who blocked us, or where replies are closed, is accepted.
Record keys of the world's posts are TIDs that hold their time and sequence; posts by API have the key that was chosen.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import regex

from connectors.simulated.faults import OVERLAP
from connectors.simulated.records import Account, DuplicateKey, UnknownPost, WorldPost
from connectors.simulated.server import SimulatedRequest, SimulatedResponse
from connectors.simulated.world import World
from social.clock import machine_now

NETWORK = "bluesky"
POST = "app.bsky.feed.post"
DEFS = "app.bsky.feed.defs"
TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
TID_DIGITS = "234567abcdefghijklmnopqrstuvwxyz"
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
CDN = "https://cdn.bsky.app/img"
#: An ancestor's author hears of a reply up to this many steps below.
NOTIFIED_DEPTH = 5
LOOKUP_SIZE = 25
GRAPHEMES, BYTES = 300, 3000
#: Windows as the servers announce them: requests of one address; points of one account for writes; sign-ins.
READS = (3000, timedelta(minutes=5))
POINTS, CREATE_COSTS = (5000, timedelta(hours=1)), 3
SIGN_INS = (30, timedelta(minutes=5))
ACCESS, REFRESH = "com.atproto.appPass", "com.atproto.refresh"
#: What a password opens is told by how it begins; any other is an ordinary app password.
SCOPES = {"privileged": "com.atproto.appPassPrivileged", "own": "com.atproto.access"}
ACCESS_SCOPES = frozenset({ACCESS, *SCOPES.values()})
ACCESS_LIFETIME, REFRESH_LIFETIME = timedelta(hours=2), timedelta(days=90)
#: Tokens outlive a restart of the simulator, as a network's do, so the key is no secret and always the same.
SIGNING_KEY = b"the simulated network signs with this"


class Refusal(Exception):
    """Carries the answer out of the depths."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.response = SimulatedResponse(status=status, body={"error": error, "message": message})


class BlueskyDialect:
    """See ``connectors.simulated.server.Dialect``. Keeps nothing of its own."""

    network = NETWORK

    def native_id(self, post: WorldPost, world: World) -> str:
        return _uri(post)

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        method = request.path.removeprefix("/xrpc/")
        try:
            answer = ROUTES.get((request.method, method))
            if answer is None or not request.path.startswith("/xrpc/"):
                raise Refusal(501, "MethodNotImplemented", "Method Not Implemented")
            if method not in {"com.atproto.server.createSession", "com.atproto.server.refreshSession"}:
                _require_token(request, world, ACCESS_SCOPES)
            return _limited(method, request, world, answer)
        except Refusal as refusal:
            return refusal.response

    def refuse(
        self, status: int, request: SimulatedRequest, world: World, *, resets_at: datetime | None, reset: str
    ) -> SimulatedResponse:
        error, message = {
            400: ("InvalidRequest", "Input/params must be valid"),
            401: ("AuthMissing", "Authentication Required"),
            403: ("Forbidden", "Forbidden"),
            404: ("XRPCNotSupported", "XRPCNotSupported"),
            429: ("RateLimitExceeded", "Rate Limit Exceeded"),
            502: ("UpstreamFailure", "Upstream Failure"),
        }.get(status, ("InternalServerError", "Internal Server Error"))
        headers: dict[str, str] = {}
        if status == 429:
            headers = {"ratelimit-limit": "3000", "ratelimit-remaining": "0", "ratelimit-policy": "3000;w=300"}
            if reset == "valid" and resets_at is not None:
                headers["ratelimit-reset"] = str(int(resets_at.timestamp()))
            elif reset == "broken":
                headers["ratelimit-reset"] = "soon"
        return SimulatedResponse(status=status, body={"error": error, "message": message}, headers=headers)


# --- sessions and limits ----------------------------------------------------------------------------------------------


def _create_session(request: SimulatedRequest, world: World) -> SimulatedResponse:
    asked = _body(request)
    brand = world.brand(NETWORK)
    password = asked.get("password")
    known = asked.get("identifier") in {brand.handle, _did(brand)}
    if not known or not isinstance(password, str) or not password or password.startswith("wrong"):
        raise Refusal(401, "AuthenticationRequired", "Invalid identifier or password")
    scope = next((scope for start, scope in SCOPES.items() if password.startswith(start)), ACCESS)
    return SimulatedResponse(
        body={**_session(request, brand, scope), "email": "shop@example.test", "emailConfirmed": False}
    )


def _refresh_session(request: SimulatedRequest, world: World) -> SimulatedResponse:
    _require_token(request, world, frozenset({REFRESH}))
    return SimulatedResponse(
        body={**_session(request, world.brand(NETWORK)), "email": "shop@example.test", "emailConfirmed": False}
    )


def _get_session(request: SimulatedRequest, world: World) -> SimulatedResponse:
    session = _session(request, world.brand(NETWORK))
    told = {name: value for name, value in session.items() if not name.endswith("Jwt")}
    return SimulatedResponse(body={**told, "email": "shop@example.test", "emailConfirmed": False})


def _session(request: SimulatedRequest, account: Account, scope: str = ACCESS) -> dict[str, Any]:
    return {
        "accessJwt": token_for(account, ACCESS_LIFETIME, scope),
        "refreshJwt": token_for(account, REFRESH_LIFETIME, REFRESH),
        "did": _did(account),
        "handle": account.handle,
        "active": True,
        "didDoc": {
            "@context": ["https://www.w3.org/ns/did/v1"],
            "id": _did(account),
            "alsoKnownAs": [f"at://{account.handle}"],
            "verificationMethod": [
                {
                    "id": "#atproto",
                    "type": "EcdsaSecp256k1VerificationKey2019",
                    "controller": _did(account),
                    "publicKeyMultibase": f"z{_digest(account.number)}",
                }
            ],
            "service": [
                {
                    "id": "#atproto_pds",
                    "type": "AtprotoPersonalDataServer",
                    "serviceEndpoint": request.base_url,
                }
            ],
        },
    }


def token_for(account: Account, lifetime: timedelta, scope: str = ACCESS) -> str:
    """A JWT. Its end is machine time: the SDK compares it with the machine's clock, however fast the world runs."""
    now = machine_now()
    claims = {
        "scope": scope,
        "aud": "did:web:simulated",
        "sub": _did(account),
        "jti": secrets.token_urlsafe(16),
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
    }
    signed = f"{_part({'typ': 'JWT', 'alg': 'HS256'})}.{_part(claims)}"
    return f"{signed}.{_signature(signed)}"


def _part(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _signature(signed: str) -> str:
    digest = hmac.new(SIGNING_KEY, signed.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _require_token(request: SimulatedRequest, world: World, scopes: frozenset[str]) -> None:
    token = request.bearer()
    if token is None:
        raise Refusal(401, "AuthMissing", "Authentication Required")
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature, _signature(signed)):
        raise Refusal(400, "InvalidToken", "Token could not be verified")
    payload = signed.partition(".")[2]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if claims["scope"] not in scopes or claims["sub"] != _did(world.brand(NETWORK)):
        raise Refusal(400, "InvalidToken", "Bad token scope")
    if claims["exp"] <= machine_now().timestamp():
        raise Refusal(400, "ExpiredToken", "Token has expired")


def _limited(
    method: str,
    request: SimulatedRequest,
    world: World,
    answer: Callable[[SimulatedRequest, World], SimulatedResponse],
) -> SimulatedResponse:
    """The tightest limit is the one that the headers tell."""
    states = {READS: world.limits.take(f"{NETWORK}/all", limit=READS[0], window=READS[1], now=request.now)}
    if method == "com.atproto.server.createSession":
        states[SIGN_INS] = world.limits.take(
            f"{NETWORK}/sign-ins", limit=SIGN_INS[0], window=SIGN_INS[1], now=request.now
        )
    if method == "com.atproto.repo.createRecord":
        states[POINTS] = world.limits.take(
            f"{NETWORK}/points", limit=POINTS[0], window=POINTS[1], now=request.now, cost=CREATE_COSTS
        )
    (limit, window), state = min(states.items(), key=lambda item: (item[1].allowed, item[1].remaining))
    headers = {
        "ratelimit-limit": str(limit),
        "ratelimit-remaining": str(state.remaining),
        "ratelimit-reset": str(int(state.resets_at.timestamp())),
        "ratelimit-policy": f"{limit};w={int(window.total_seconds())}",
    }
    try:
        if not state.allowed:
            raise Refusal(429, "RateLimitExceeded", "Rate Limit Exceeded")
        given = answer(request, world)
    except Refusal as refusal:
        given = refusal.response
    return SimulatedResponse(status=given.status, body=given.body, headers=headers)


# --- lists ------------------------------------------------------------------------------------------------------------


def _list_notifications(request: SimulatedRequest, world: World) -> SimulatedResponse:
    size, cursor = _size(request, 50), request.param("cursor")
    if cursor and request.fault("expired-cursor"):
        raise Refusal(400, "InvalidRequest", "Malformed cursor")
    wanted = set(request.query.get("reasons", ())) or {"mention", "quote", "reply"}
    told = [(post, reason) for post in world.posts(NETWORK) if (reason := _reason(world, post)) in wanted]
    told.sort(key=lambda item: item[0].created_at, reverse=True)
    endless = cursor if cursor and request.fault("endless-pages") else None
    if cursor and not endless and not request.fault("duplicate-page"):
        times = [_iso(post.created_at) for post, _ in reversed(told) if _iso(post.created_at) >= cursor]
        if times and request.fault("overlap-page"):
            cursor = times[:OVERLAP][-1] + "~"  # above that post, below the next one
        told = [item for item in told if _iso(item[0].created_at) < cursor]
    if told and request.fault("empty-page"):
        above = told[0][0].created_at + timedelta(milliseconds=1)
        return SimulatedResponse(body={"notifications": [], "cursor": _iso(above), "priority": False})
    shown = told[:size]
    body: dict[str, Any] = {"notifications": [], "priority": False}
    # the AppView looks on until it has half a page; a shorter one is the last
    if len(shown) >= (size + 1) // 2:
        body["cursor"] = _iso(shown[-1][0].created_at)
    if endless:
        body["cursor"] = _iso(datetime.fromisoformat(endless) + timedelta(milliseconds=7))
    if shown:
        body["seenAt"] = _iso(shown[0][0].created_at)
    if request.fault("reorder"):
        random.Random(len(shown)).shuffle(shown)
    for post, reason in shown:
        view = _bare(world, post)
        view["author"] |= {"indexedAt": _day(post.author)}
        if reason in {"reply", "quote"}:
            view["reasonSubject"] = _subject(world, post, reason)
        body["notifications"].append({**view, "reason": reason, "isRead": False})
    if shown and request.fault("missing-fields"):
        for name in ("record", "cid"):
            body["notifications"][0].pop(name, None)
    return SimulatedResponse(body=body)


def _reason(world: World, post: WorldPost) -> str | None:
    """Why the shop hears of a post: the first that fits."""
    if post.ours or world.blocked(post.author):
        return None
    if post.mentions_brand:
        return "mention"
    quoted = world.post(post.quoted) if post.quoted is not None else None
    if quoted is not None and quoted.ours:
        return "quote"
    return "reply" if _our_ancestor(world, post) is not None else None


def _our_ancestor(world: World, post: WorldPost) -> WorldPost | None:
    above: WorldPost | None = post
    for _ in range(NOTIFIED_DEPTH - 1):
        above = world.post(above.parent) if above is not None and above.parent is not None else None
        if above is not None and above.ours and not above.deleted:
            return above
    return None


def _subject(world: World, post: WorldPost, reason: str) -> str:
    subject = world.post(post.quoted) if reason == "quote" and post.quoted is not None else _our_ancestor(world, post)
    return _uri(subject) if subject is not None else _uri(post)


def _get_author_feed(request: SimulatedRequest, world: World) -> SimulatedResponse:
    brand = world.brand(NETWORK)
    if request.param("actor") not in {_did(brand), brand.handle}:
        raise Refusal(400, "InvalidRequest", "Profile not found")
    size, cursor = _size(request, 50), request.param("cursor")
    posts = sorted(world.by_author(NETWORK, brand.key), key=_place, reverse=True)
    if cursor:
        if not re.fullmatch(r"\d+__\w+", cursor):
            raise Refusal(400, "InvalidRequest", "Malformed cursor")
        time, _, cid = cursor.partition("__")
        posts = [post for post in posts if _place(post) < (int(time), cid)]
    shown = posts[:size]
    body: dict[str, Any] = {"feed": [_feed_item(world, post) for post in shown]}
    if shown:
        body["cursor"] = "{}__{}".format(*_place(shown[-1]))
    return SimulatedResponse(body=body)


def _place(post: WorldPost) -> tuple[int, str]:
    return int(post.created_at.timestamp() * 1000), _cid(post)


def _feed_item(world: World, post: WorldPost) -> dict[str, Any]:
    item: dict[str, Any] = {"post": _view(world, post)}
    if post.parent is not None:
        item["reply"] = {
            "root": _reply_context(world, post.root, post),
            "parent": _reply_context(world, post.parent, post),
        }
    return item


def _reply_context(world: World, sequence: int, below: WorldPost) -> dict[str, Any]:
    post = world.post(sequence)
    if post is None or post.deleted:
        # only the reply's own record still knows the address
        reference = _record(world, below)["reply"]["root" if sequence == below.root else "parent"]["uri"]
        return {"$type": f"{DEFS}#notFoundPost", "uri": reference, "notFound": True}
    if world.blocked(post.author):
        return _blocked(post)
    return {"$type": f"{DEFS}#postView", **_view(world, post)}


# --- posts ------------------------------------------------------------------------------------------------------------


def _get_posts(request: SimulatedRequest, world: World) -> SimulatedResponse:
    uris = request.query.get("uris", ())
    if not 1 <= len(uris) <= LOOKUP_SIZE:
        raise Refusal(400, "InvalidRequest", f"Error: Params must have at most {LOOKUP_SIZE} uris")
    found = [post for uri in uris if (post := _at(world, uri)) is not None and not world.blocked(post.author)]
    return SimulatedResponse(body={"posts": [_view(world, post) for post in found]})


def _get_post_thread(request: SimulatedRequest, world: World) -> SimulatedResponse:
    uri = request.param("uri") or ""
    post = _at(world, uri)
    if post is None:
        raise Refusal(400, "NotFound", f"Post not found: {uri}")
    if world.blocked(post.author):
        return SimulatedResponse(body={"thread": _blocked(post)})
    depth, height = int(request.param("depth", "6") or 6), int(request.param("parentHeight", "80") or 80)
    return SimulatedResponse(body={"thread": _node(world, post, depth=depth, height=height)})


def _node(world: World, post: WorldPost, *, depth: int, height: int) -> dict[str, Any]:
    if world.blocked(post.author):
        return _blocked(post)
    node: dict[str, Any] = {"$type": f"{DEFS}#threadViewPost", "post": _view(world, post), "threadContext": {}}
    if height > 0 and post.parent is not None:
        parent = world.post(post.parent)
        if parent is None or parent.deleted:
            node["parent"] = _reply_context(world, post.parent, post)
        else:
            node["parent"] = _node(world, parent, depth=0, height=height - 1)
    if depth > 0:
        node["replies"] = [_node(world, reply, depth=depth - 1, height=0) for reply in world.replies(post.sequence)]
    return node


def _blocked(post: WorldPost) -> dict[str, Any]:
    author = {"did": _did(post.author), "viewer": {"blockedBy": True}}
    return {"$type": f"{DEFS}#blockedPost", "uri": _uri(post), "blocked": True, "author": author}


def _view(world: World, post: WorldPost) -> dict[str, Any]:
    """A ``postView``."""
    view = _bare(world, post)
    viewer = {"bookmarked": False, "threadMuted": False, "embeddingDisabled": False}
    root = world.post(post.root)
    if post.replies_disabled or (root is not None and root.replies_disabled):
        viewer["replyDisabled"] = True
        gate = {
            "$type": "app.bsky.feed.threadgate",
            "post": _uri(root or post),
            "allow": [],
            "createdAt": view["indexedAt"],
        }
        address = _uri(root or post).replace(POST, "app.bsky.feed.threadgate")
        view["threadgate"] = {"uri": address, "cid": _hash("gate", post.root), "record": gate, "lists": []}
    counts = {"bookmarkCount": 0, "repostCount": 0, "likeCount": 0, "quoteCount": 0}
    view |= {**counts, "replyCount": len(world.replies(post.sequence)), "viewer": viewer}
    if post.photo:
        picture = f"{_did(post.author)}/{_picture(post)}"
        shown = {
            "thumb": f"{CDN}/feed_thumbnail/plain/{picture}",
            "fullsize": f"{CDN}/feed_fullsize/plain/{picture}",
            "alt": post.photo,
        }
        view["embed"] = {"$type": "app.bsky.embed.images#view", "images": [shown]}
    return view


def _bare(world: World, post: WorldPost) -> dict[str, Any]:
    """What a notification and a ``postView`` have in common."""
    return {
        "uri": _uri(post),
        "cid": _cid(post),
        "author": _profile(post.author),
        "record": _record(world, post),
        "indexedAt": _iso(post.created_at),
        "labels": [],
    }


def _profile(account: Account) -> dict[str, Any]:
    did = _did(account)
    labels = []
    if account.is_bot:
        labels = [{"src": did, "uri": f"at://{did}/app.bsky.actor.profile/self", "val": "bot", "cts": _day(account)}]
    profile: dict[str, Any] = {
        "did": did,
        "handle": "handle.invalid" if account.deleted else account.handle,
        "associated": {"activitySubscription": {"allowSubscriptions": "followers"}},
        "viewer": {"muted": False, "blockedBy": False},
        "labels": labels,
    }
    if not account.deleted:
        profile["displayName"] = account.name
    return profile


def _day(account: Account) -> str:
    return f"{account.joined.isoformat()}T00:00:00.000Z"


def _record(world: World, post: WorldPost) -> dict[str, Any]:
    """What lies in the author's repository."""
    record: dict[str, Any] = {"$type": POST, "text": post.text, "createdAt": _iso(post.created_at)}
    if not post.ours:
        record["langs"] = [post.language]
    if post.parent is not None:
        record["reply"] = {"root": _reference(world, post.root), "parent": _reference(world, post.parent)}
    brand = world.brand(NETWORK)
    mention = re.search(rf"@{re.escape(brand.handle)}\b", post.text, re.IGNORECASE)
    if mention is not None:
        start, end = (len(post.text[:place].encode("utf-8", "surrogatepass")) for place in mention.span())
        feature = {"$type": "app.bsky.richtext.facet#mention", "did": _did(brand)}
        record["facets"] = [{"index": {"byteStart": start, "byteEnd": end}, "features": [feature]}]
    if post.quoted is not None:
        record["embed"] = {"$type": "app.bsky.embed.record", "record": _reference(world, post.quoted)}
    elif post.photo:
        blob = {"$type": "blob", "ref": {"$link": _picture(post)}, "mimeType": "image/jpeg", "size": 48_213}
        record["embed"] = {"$type": "app.bsky.embed.images", "images": [{"alt": post.photo, "image": blob}]}
    return record


def _reference(world: World, sequence: int) -> dict[str, str]:
    """The world never forgets a post, deleted or not."""
    post = world.post(sequence)
    if post is None:
        raise Refusal(500, "InternalServerError", "Internal Server Error")
    return {"uri": _uri(post), "cid": _cid(post)}


# --- records ----------------------------------------------------------------------------------------------------------


def _get_record(request: SimulatedRequest, world: World) -> SimulatedResponse:
    repository, key = request.param("repo") or "", request.param("rkey") or ""
    uri = f"at://{repository}/{request.param('collection')}/{key}"
    author = _account(world, repository)
    if author is None or author.deleted:
        raise Refusal(400, "InvalidRequest", f"Could not find repo: {repository}")
    post = _at(world, uri)
    if post is None:
        raise Refusal(400, "RecordNotFound", f"Could not locate record: {uri}")
    return SimulatedResponse(body={"uri": uri, "cid": _cid(post), "value": _record(world, post)})


def _create_record(request: SimulatedRequest, world: World) -> SimulatedResponse:
    asked = _body(request)
    brand = world.brand(NETWORK)
    record = asked.get("record")
    if asked.get("repo") not in {_did(brand), brand.handle} or asked.get("collection") != POST:
        raise Refusal(400, "InvalidRequest", "Only posts of the account itself are simulated.")
    if not isinstance(record, dict) or not isinstance(record.get("text"), str) or not record.get("createdAt"):
        raise Refusal(400, "InvalidRequest", f"Invalid {POST} record: missing required key")
    key = asked.get("rkey")
    if key is not None and not TID.fullmatch(str(key)):
        raise Refusal(400, "InvalidRequest", f'Invalid record key for {POST}: Invalid TID string (got "{key}") at $')
    _require_length(record["text"])
    parent = None
    if "reply" in record:
        parent = _at(world, str(record["reply"]["parent"]["uri"]))
        if parent is None:
            # the real server accepts it; here there is no place for a reply to nothing
            raise Refusal(400, "InvalidRequest", "Could not find the parent of the reply.")
    under = parent.sequence if parent is not None else None
    try:
        post = world.publish(NETWORK, brand, record["text"], under, key=str(key) if key is not None else None)
    except (DuplicateKey, UnknownPost):
        raise Refusal(500, "InternalServerError", "Internal Server Error") from None
    commit = {"cid": _hash("commit", post.sequence), "rev": _tid(post)}
    body = {"uri": _uri(post), "cid": _cid(post), "commit": commit, "validationStatus": "valid"}
    return SimulatedResponse(body=body)


def _require_length(text: str) -> None:
    graphemes, size = len(regex.findall(r"\X", text)), len(text.encode("utf-8", "surrogatepass"))
    for name, value, most in (("string", size, BYTES), ("grapheme", graphemes, GRAPHEMES)):
        if value > most:
            complaint = f"{name} too big (maximum {most}, got {value}) at $.record.text"
            raise Refusal(400, "InvalidRequest", f"Invalid {POST} record: {complaint}")


# --- ids --------------------------------------------------------------------------------------------------------------


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _digest(*parts: object) -> str:
    """52 letters of base 32."""
    return base64.b32encode(hashlib.sha256(repr(parts).encode()).digest()).decode().lower().rstrip("=")


def _hash(*parts: object) -> str:
    return f"bafyrei{_digest(*parts)}"


def _cid(post: WorldPost) -> str:
    return _hash(post.sequence, len(post.edits))


def _picture(post: WorldPost) -> str:
    return f"bafkrei{_digest('picture', post.sequence)}"


def _did(account: Account) -> str:
    """24 letters, of which the last seven are the account's number."""
    number = "".join(BASE32[(account.number >> shift) & 31] for shift in range(30, -1, -5))
    return f"did:plc:{_digest(account.number)[:17]}{number}"


def _account(world: World, did: str) -> Account | None:
    number = 0
    for letter in did[-7:]:
        number = number << 5 | max(BASE32.find(letter), 0)
    account = world.account_by_number(NETWORK, number)
    return account if account is not None and _did(account) == did else None


def _tid(post: WorldPost) -> str:
    """13 digits of 5 bits: microseconds, then 10 bits. Here the sequence fills what milliseconds leave free."""
    milliseconds = int(post.created_at.timestamp() * 1000)
    value = (milliseconds * 1000 + post.sequence // 1024 % 1000) << 10 | post.sequence % 1024
    return "".join(TID_DIGITS[(value >> shift) & 31] for shift in range(60, -1, -5))


def _uri(post: WorldPost) -> str:
    return f"at://{_did(post.author)}/{POST}/{post.key or _tid(post)}"


def _at(world: World, uri: str) -> WorldPost | None:
    """The living post at an address."""
    found = re.fullmatch(rf"at://([^/]+)/{re.escape(POST)}/({TID.pattern})", uri)
    author = _account(world, found.group(1)) if found is not None else None
    if found is None or author is None:
        return None
    post = world.by_key(NETWORK, found.group(2)) if author.is_brand else None
    if post is None:
        value = 0
        for digit in found.group(2):
            value = value << 5 | TID_DIGITS.index(digit)
        post = world.post((value >> 10) % 1000 * 1024 + value % 1024)
    return post if post is not None and not post.deleted and _uri(post) == uri else None


# --- requests ---------------------------------------------------------------------------------------------------------


def _body(request: SimulatedRequest) -> Mapping[str, Any]:
    asked = request.json()
    if not isinstance(asked, dict):
        raise Refusal(400, "InvalidRequest", "Input must be an object")
    return asked


def _size(request: SimulatedRequest, default: int) -> int:
    size = request.param("limit", str(default)) or ""
    if not size.isdigit() or not 1 <= int(size) <= 100:
        raise Refusal(400, "InvalidRequest", "Error: limit must be an integer between 1 and 100")
    return int(size)


Route = Callable[[SimulatedRequest, World], SimulatedResponse]
ROUTES: Mapping[tuple[str, str], Route] = {
    ("POST", "com.atproto.server.createSession"): _create_session,
    ("POST", "com.atproto.server.refreshSession"): _refresh_session,
    ("GET", "com.atproto.server.getSession"): _get_session,
    ("POST", "com.atproto.repo.createRecord"): _create_record,
    ("GET", "com.atproto.repo.getRecord"): _get_record,
    ("GET", "app.bsky.notification.listNotifications"): _list_notifications,
    ("GET", "app.bsky.feed.getAuthorFeed"): _get_author_feed,
    ("GET", "app.bsky.feed.getPosts"): _get_posts,
    ("GET", "app.bsky.feed.getPostThread"): _get_post_thread,
}

DIALECT = BlueskyDialect()
