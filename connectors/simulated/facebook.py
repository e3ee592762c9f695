"""Meta's Graph API as the connector uses it: a page's posts, their comments with field expansion, nodes, a new comment.

Ids are like the network's: a post is ``<owner>_<number>``, a comment ``<number of its post>_<number>``. As there, nothing
tells that a text was edited, a deleted account has no ``from``, and ``paging.next`` repeats the caller's token.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from connectors.simulated.faults import OVERLAP
from connectors.simulated.records import Account, UnknownPost, WorldPost
from connectors.simulated.server import SimulatedRequest, SimulatedResponse
from connectors.simulated.world import World
from social.domain.post import PostKind

NETWORK = "facebook"
#: Object numbers are the world's sequences above this.
NUMBERS = 122_000_000_000_000
HOUR = timedelta(hours=1)
#: Calls per hour of a page with some thousand active users.
CALLS_AN_HOUR = 4800
DUPLICATE_WITHIN = timedelta(minutes=5)
DEFAULT_PAGE = 25
IDS_AT_ONCE = 50
#: The app of every token here; a token tells by its beginning whose it is: ``user-`` a person's, any other a page's.
APP_ID = "1029384756"
PERMISSIONS = ("pages_show_list", "pages_read_engagement", "pages_read_user_content", "pages_manage_engagement")
#: Beginning of a person's token -> the permissions that it lacks.
LACKING = {"user-few": frozenset({"pages_manage_engagement"})}
LONG_TOKEN = timedelta(days=60)
DATA_ACCESS = timedelta(days=90)
#: A second page of the same owner, on which nothing happens, and one that the owner may only look at.
SECOND_PAGE = ("200300400500", "Lawenda Hurt")
WATCHED_PAGE = ("200300400501", "Lawenda Inspiracje")
NODE_FIELDS: Mapping[str, frozenset[str]] = {
    "Page": frozenset({"id", "name", "username", "access_token", "tasks"}),
    "PagePost": frozenset(
        {"id", "message", "from", "created_time", "permalink_url", "full_picture", "story", "comments", "is_published"}
    ),
    "Comment": frozenset(
        {
            "id",
            "message",
            "from",
            "created_time",
            "permalink_url",
            "parent",
            "message_tags",
            "attachment",
            "can_comment",
            "comments",
            "comment_count",
        }
    ),
}
DEFAULT_FIELDS = {
    "Page": ("id", "name"),
    "PagePost": ("created_time", "message", "id"),
    "Comment": ("created_time", "from", "message", "id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One entry of a ``fields`` parameter: ``comments.limit(5){id}`` is a name, its modifiers and its own entries."""

    name: str
    modifiers: Mapping[str, str] = field(default_factory=dict)
    inner: tuple[Wanted, ...] = ()


class GraphError(Exception):
    """Carries the network's error out of the depths."""

    def __init__(self, code: int, message: str, *, subcode: int | None = None, status: int = 400) -> None:
        super().__init__(message)
        error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A1b2C3d4"}
        if subcode is not None:
            error["error_subcode"] = subcode
        self.response = SimulatedResponse(status=status, body={"error": error})


def parse_fields(text: str) -> tuple[Wanted, ...]:
    """Read a ``fields`` parameter. Raises ``GraphError`` 2500 for what Graph would not understand."""
    tokens = re.findall(r"[^.,(){}]+|[.,(){}]", text)
    wanted, rest = _entries(tokens)
    if rest:
        raise GraphError(2500, f"Syntax error: unexpected {rest[0]!r} in fields.")
    return wanted


def _entries(tokens: list[str]) -> tuple[tuple[Wanted, ...], list[str]]:
    entries: list[Wanted] = []
    while tokens and tokens[0] != "}":
        name, tokens = _word(tokens)
        modifiers: dict[str, str] = {}
        inner: tuple[Wanted, ...] = ()
        while tokens[:1] == ["."]:
            modifier, tokens = _word(tokens[1:])
            if tokens[:1] != ["("] or tokens[2:3] != [")"]:
                raise GraphError(2500, f"Syntax error: the modifier {modifier} needs one value in brackets.")
            modifiers[modifier] = tokens[1]
            tokens = tokens[3:]
        if tokens[:1] == ["{"]:
            inner, tokens = _entries(tokens[1:])
            if tokens[:1] != ["}"]:
                raise GraphError(2500, "Syntax error: a bracket is not closed in fields.")
            tokens = tokens[1:]
        entries.append(Wanted(name=name, modifiers=modifiers, inner=inner))
        if tokens[:1] == [","]:
            tokens = tokens[1:]
    return tuple(entries), tokens


def _word(tokens: list[str]) -> tuple[str, list[str]]:
    if not tokens or not re.fullmatch(r"[a-z_]+", tokens[0]):
        raise GraphError(2500, "Syntax error: a field name was expected.")
    return tokens[0], tokens[1:]


class FacebookDialect:
    """See ``connectors.simulated.server.Dialect``."""

    network = NETWORK

    def native_id(self, post: WorldPost, world: World) -> str:
        return native_id(world, post)

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        try:
            if (answered := _about_tokens(request, world)) is not None:
                return answered
            _require_token(request)
            state = world.limits.take(f"{NETWORK}/calls", limit=CALLS_AN_HOUR, window=HOUR, now=request.now)
            if not state.allowed:
                raise GraphError(32, "Page request limit reached")
            answer = SimulatedResponse(body=_route(request, world))
        except GraphError as error:
            answer = error.response
        used = world.limits.used(f"{NETWORK}/calls", request.now, HOUR)
        return SimulatedResponse(status=answer.status, body=answer.body, headers=usage_headers(world, used))

    def refuse(
        self, status: int, request: SimulatedRequest, world: World, *, resets_at: datetime | None, reset: str
    ) -> SimulatedResponse:
        """The network says nearly everything with status 400 and a code of its own."""
        if status == 429:
            wait = max(1, round((resets_at - request.now).total_seconds() / 60)) if resets_at is not None else 0
            headers = usage_headers(world, CALLS_AN_HOUR, wait=wait if reset == "valid" else 0)
            if reset == "broken":
                headers["x-business-use-case-usage"] = "{soon"
            error = GraphError(80001, "There have been too many calls to this Page account.").response
            return SimulatedResponse(status=400, body=error.body, headers=headers)
        code, subcode, message = {
            400: (100, None, "Invalid parameter"),
            401: (190, 463, "Error validating access token: Session has expired"),
            403: (200, None, "Permissions error"),
            404: (100, 33, "Object does not exist, or cannot be loaded due to missing permissions"),
        }.get(status, (2, None, "An unexpected error has occurred. Please retry your request later."))
        return GraphError(code, f"(#{code}) {message}", subcode=subcode, status=min(status, 500)).response


def usage_headers(world: World, used: int, *, wait: int = 0) -> dict[str, str]:
    """``wait``: minutes until calls are allowed again."""
    percent = min(100, 100 * used // CALLS_AN_HOUR)
    page = world.brand(NETWORK).number
    numbers = f'"call_count":{percent},"total_cputime":{percent // 2},"total_time":{percent // 2}'
    business = f'{{"{page}":[{{"type":"pages",{numbers},"estimated_time_to_regain_access":{wait}}}]}}'
    return {"x-app-usage": f"{{{numbers}}}", "x-business-use-case-usage": business}


# --- requests ----------------------------------------------------------------------------------------------------------


def _given(request: SimulatedRequest, name: str) -> str | None:
    return request.form().get(name) if request.method == "POST" else request.param(name)


def _about_tokens(request: SimulatedRequest, world: World) -> SimulatedResponse | None:
    """The two endpoints that are asked in the name of an app, and the pages of a person."""
    path = request.path.partition("/v")[2].partition("/")[2]
    if request.method != "GET" or path not in {"oauth/access_token", "debug_token", "me/accounts"}:
        return None
    if path == "oauth/access_token":
        return SimulatedResponse(body=_exchanged(request))
    if path == "debug_token":
        return SimulatedResponse(body={"data": _debugged(request, world)})
    _require_token(request)
    return SimulatedResponse(body=_accounts(request, world))


def _require_app(app_id: str, secret: str) -> None:
    if app_id != APP_ID:
        told = "Error validating application. Cannot get application info due to a system error."
        raise GraphError(101, told)
    if secret.startswith("wrong"):
        raise GraphError(1, "Error validating client secret.")


def _exchanged(request: SimulatedRequest) -> dict[str, Any]:
    """https://developers.facebook.com/docs/facebook-login/guides/access-tokens/get-long-lived"""
    _require_app(request.param("client_id") or "", request.param("client_secret") or "")
    token = request.param("fb_exchange_token") or ""
    if request.param("grant_type") != "fb_exchange_token" or not token.startswith("user-"):
        raise GraphError(100, "Invalid parameter")
    long = f"{token}-long"
    return {"access_token": long, "token_type": "bearer", "expires_in": int(LONG_TOKEN.total_seconds())}


def _debugged(request: SimulatedRequest, world: World) -> dict[str, Any]:
    """https://developers.facebook.com/docs/graph-api/reference/debug_token"""
    app_id, _, secret = (request.param("access_token") or "").partition("|")
    _require_app(app_id, secret)
    token = request.param("input_token") or ""
    if token.startswith("user-other-app"):
        raise GraphError(100, "(#100) The App_id in the input_token did not match the Viewing App")
    if token.startswith(("user-expired", "expired", "wrong")):
        error = {"code": 190, "message": "Error validating access token: Session has expired", "subcode": 463}
        return {"is_valid": False, "error": error, "scopes": []}
    person = token.startswith("user-")
    lacking = next((lacks for start, lacks in LACKING.items() if start in token), frozenset())
    told = {
        "app_id": APP_ID,
        "type": "USER" if person else "PAGE",
        "application": "Lawenda desk",
        "data_access_expires_at": int((request.now + DATA_ACCESS).timestamp()),
        "expires_at": int((request.now + LONG_TOKEN).timestamp()) if person else 0,
        "is_valid": True,
        "scopes": [name for name in PERMISSIONS if name not in lacking],
        "user_id": "10220000000000001",
    }
    return told if person else {**told, "profile_id": str(world.brand(NETWORK).number)}


def _accounts(request: SimulatedRequest, world: World) -> dict[str, Any]:
    token = request.param("access_token") or ""
    if not token.startswith("user-"):
        raise GraphError(100, "(#100) Tried accessing nonexisting field (accounts) on node type (Page)")
    brand = world.brand(NETWORK)
    pages = [(str(brand.number), brand.name, "MODERATE"), (*SECOND_PAGE, "MODERATE"), (*WATCHED_PAGE, "ANALYZE")]
    if "one-page" in token:
        del pages[1]
    if "no-page" in token:
        del pages[:2]
    asked = {entry.name for entry in _fields(request)}
    data = []
    for number, name, task in pages:
        page = {"name": name, "access_token": f"page-{number}-{token}", "tasks": [task]}
        data.append({**{key: value for key, value in page.items() if key in asked}, "id": number})
    return {"data": data, "paging": {"cursors": {"before": "a", "after": "b"}}}


def _require_token(request: SimulatedRequest) -> None:
    token = _given(request, "access_token") or request.bearer()
    if not token:
        raise GraphError(104, "An access token is required to request this resource.", status=401)
    if token.startswith("expired"):
        raise GraphError(190, "Error validating access token: Session has expired", subcode=463, status=401)
    if not re.fullmatch(r"[0-9a-f]{64}", _given(request, "appsecret_proof") or ""):
        raise GraphError(100, "API calls from the server require an appsecret_proof argument")


def _route(request: SimulatedRequest, world: World) -> dict[str, Any]:
    path = re.fullmatch(r"/v\d+\.\d+/(?:([A-Za-z0-9_]+)(?:/([a-z_]+))?)?", request.path)
    if path is None:
        raise GraphError(2500, f"Unknown path components: {request.path}")
    node, edge = path.group(1), path.group(2)
    brand = world.brand(NETWORK)
    if (_given(request, "access_token") or "").startswith(f"page-{SECOND_PAGE[0]}-"):
        return {"data": []} if edge else {"id": SECOND_PAGE[0], "name": SECOND_PAGE[1]}
    if request.method == "POST":
        if edge != "comments" or node is None:
            raise GraphError(100, f"Unsupported post request to {edge!r}.", subcode=33)
        return _comment(request, world, node)
    if node is None:
        return _several(request, world)
    if edge is None:
        return _node(world, brand if node in {"me", str(brand.number)} else _find(world, node), _fields(request))
    if edge == "comments":
        return _comments_page(request, world, _find(world, node))
    if node not in {"me", str(brand.number)}:
        raise GraphError(100, f"Tried accessing nonexisting field ({edge})")
    edges = {"published_posts": world.brand_posts, "visitor_posts": world.visitor_posts, "tagged": world.tagged}
    if edge not in edges:
        raise GraphError(100, f"Tried accessing nonexisting field ({edge}) on node type (Page)")
    newest = list(reversed(edges[edge](NETWORK)))
    return _page(request, world, newest, _fields(request), descending=True)


def _fields(request: SimulatedRequest) -> tuple[Wanted, ...]:
    return parse_fields(request.param("fields") or "")


def _several(request: SimulatedRequest, world: World) -> dict[str, Any]:
    ids = [native_id for native_id in (request.param("ids") or "").split(",") if native_id]
    if not 1 <= len(ids) <= IDS_AT_ONCE:
        raise GraphError(100, f"ids must be 1 to {IDS_AT_ONCE} ids.")
    return {native_id: _node(world, _find(world, native_id), _fields(request)) for native_id in ids}


def _comments_page(request: SimulatedRequest, world: World, target: WorldPost) -> dict[str, Any]:
    modifiers = {name: value for name in ("filter", "order") if (value := request.param(name))}
    found = _comments(world, target, modifiers)
    descending = modifiers.get("order") == "reverse_chronological"
    return _page(request, world, found, _fields(request), descending=descending)


def _comments(world: World, target: WorldPost, modifiers: Mapping[str, str]) -> list[WorldPost]:
    """``filter=stream``: at any depth; else only the direct ones. Oldest first unless asked otherwise."""
    under = {target.sequence}
    found = []
    for post in world.comments(target.root):
        if _filed_under(world, post) in under:
            found.append(post)
            if modifiers.get("filter", "toplevel") == "stream":
                under.add(post.sequence)
    return found[::-1] if modifiers.get("order", "chronological") == "reverse_chronological" else found


def _filed_under(world: World, post: WorldPost) -> int | None:
    """The sequence of what a comment stands under: what it answers or, with ``World.two_levels``, the top comment above that."""
    place = post.parent
    while world.two_levels and place is not None and place != post.root:
        above = world.post(place)
        if above is None or above.parent in (None, post.root):
            break
        place = above.parent
    return place


def _page(
    request: SimulatedRequest, world: World, posts: Sequence[WorldPost], wanted: tuple[Wanted, ...], *, descending: bool
) -> dict[str, Any]:
    limit = request.param("limit", str(DEFAULT_PAGE)) or ""
    if not limit.isdigit() or not 1 <= int(limit) <= 100:
        raise GraphError(100, "(#100) param limit must be 1 to 100")
    after = request.param("after")
    if after and (request.fault("expired-cursor") or not re.fullmatch(r"c\d+", after)):
        raise GraphError(100, "(#100) Invalid cursors values passed")
    if after and (pointed := world.post(int(after[1:]))) is not None and pointed.deleted:
        # a place is an item, and ends with it: https://developers.facebook.com/docs/graph-api/results
        raise GraphError(100, "(#100) Invalid cursors values passed")
    endless = after if after and request.fault("endless-pages") else None
    place = int(after[1:]) if after and not endless and not request.fault("duplicate-page") else None
    if place is not None and descending and request.fault("overlap-page"):
        place = [place, *(post.sequence for post in reversed(posts) if post.sequence >= place)][:OVERLAP][-1] + 1
    if place is None:
        left = list(posts)
    else:
        left = [post for post in posts if (post.sequence < place if descending else post.sequence > place)]
    shown = left[: int(limit)]
    if left and request.fault("empty-page"):
        return {"data": [], "paging": _paging_to(request, left[0].sequence + (1 if descending else -1))}
    body: dict[str, Any] = {"data": [], "paging": _paging(request, shown, more=len(left) > len(shown))}
    if endless:
        body["paging"] = _paging_to(request, int(endless[1:]) + 1)
    if request.fault("reorder"):
        random.Random(len(shown)).shuffle(shown)
    body["data"] = [_node(world, post, wanted) for post in shown]
    if shown and request.fault("missing-fields"):
        first = body["data"][0]
        for item in first.get("comments", {}).get("data", [first])[:1]:
            item.pop("created_time", None)
    return body if shown else {"data": []}


def _paging(request: SimulatedRequest | None, shown: Sequence[WorldPost], *, more: bool) -> dict[str, Any]:
    if not shown:
        return {}
    before = f"c{shown[0].sequence}"
    if not more:
        return {"cursors": {"before": before, "after": f"c{shown[-1].sequence}"}}
    paging = _paging_to(request, shown[-1].sequence)
    return {**paging, "cursors": {"before": before, **paging["cursors"]}}


def _paging_to(request: SimulatedRequest | None, place: int) -> dict[str, Any]:
    """There is more behind ``place``; an empty page may say so too, where the network left all of it out."""
    after = f"c{place}"
    query = {name: values[0] for name, values in request.query.items()} if request is not None else {}
    address = f"{request.base_url}{request.path}" if request is not None else "https://graph.facebook.com/"
    return {"cursors": {"after": after}, "next": f"{address}?{urlencode({**query, 'after': after})}"}


def _comment(request: SimulatedRequest, world: World, node: str) -> dict[str, Any]:
    text = request.form().get("message", "")
    if not text.strip():
        raise GraphError(100, "(#100) Missing message or attachment")
    target = _find(world, node)
    brand = world.brand(NETWORK)
    if world.blocked(target.author) or target.replies_disabled:
        raise GraphError(200, "(#200) The page may not comment here.", status=403)
    if world.find_duplicate(NETWORK, brand, text, within=DUPLICATE_WITHIN, parent=target.sequence) is not None:
        raise GraphError(506, "(#506) Duplicate status message")
    try:
        post = world.publish(NETWORK, brand, text, target.sequence)
    except UnknownPost:
        raise _missing(node) from None
    return {"id": native_id(world, post)}


# --- nodes -------------------------------------------------------------------------------------------------------------


def _node(world: World, what: Account | WorldPost, wanted: tuple[Wanted, ...]) -> dict[str, Any]:
    node_type = "Page" if isinstance(what, Account) else "PagePost" if what.parent is None else "Comment"
    chosen = wanted or tuple(Wanted(name=name) for name in DEFAULT_FIELDS[node_type])
    for entry in chosen:
        if entry.name not in NODE_FIELDS[node_type]:
            told = f"(#100) Tried accessing nonexisting field ({entry.name}) on node type ({node_type})"
            raise GraphError(100, told)
    if isinstance(what, Account):
        known: dict[str, Any] = {"name": what.name, "username": what.handle}
        return {**{entry.name: known[entry.name] for entry in chosen if entry.name in known}, "id": str(what.number)}
    values = {entry.name: value for entry in chosen for value in _value(world, what, entry)}
    return {**values, "id": native_id(world, what)}


def _value(world: World, post: WorldPost, entry: Wanted) -> Iterator[Any]:
    """The value of one field, or nothing where the network leaves it out."""
    place = _filed_under(world, post)
    parent = world.post(place) if place is not None else None
    match entry.name:
        case "message":
            yield post.text
        case "created_time":
            yield post.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
        case "permalink_url":
            yield f"https://www.facebook.com/{native_id(world, post)}"
        case "from" if not post.author.deleted:
            yield {"id": str(post.author.number), "name": post.author.name}
        case "is_published":
            yield True
        case "full_picture" if post.photo:
            yield f"https://scontent.example/{post.photo}"
        case "attachment" if post.photo:
            yield {"type": "photo", "url": f"https://scontent.example/{post.photo}"}
        case "can_comment":
            yield not (world.blocked(post.author) or post.replies_disabled)
        case "comment_count":
            yield len(_comments(world, post, {}))
        case "parent" if parent is not None and parent.parent is not None:
            yield _node(world, parent, entry.inner)
        case "message_tags" if tags := _tags(world, post):
            yield tags
        case "comments":
            yield from _embedded(world, post, entry)


def _embedded(world: World, post: WorldPost, entry: Wanted) -> Iterator[dict[str, Any]]:
    limit = int(entry.modifiers.get("limit", DEFAULT_PAGE))
    found = _comments(world, post, entry.modifiers)
    shown = found[:limit]
    if shown:
        yield {
            "data": [_node(world, comment, entry.inner) for comment in shown],
            "paging": _paging(None, shown, more=len(found) > limit),
        }


def _tags(world: World, post: WorldPost) -> list[dict[str, Any]]:
    brand = world.brand(NETWORK)
    found = re.search(rf"@?{re.escape(brand.handle)}\b", post.text, re.IGNORECASE) if post.mentions_brand else None
    if found is None:
        return []
    start, end = found.span()
    return [{"id": str(brand.number), "name": brand.name, "type": "page", "offset": start, "length": end - start}]


def native_id(world: World, post: WorldPost) -> str:
    """The network's id of a post or a comment."""
    if post.parent is not None:
        return f"{NUMBERS + post.root}_{NUMBERS + post.sequence}"
    owner = post.author if post.kind is PostKind.TAGGED else world.brand(NETWORK)
    return f"{owner.number}_{NUMBERS + post.sequence}"


def _find(world: World, node: str) -> WorldPost:
    number = node.rpartition("_")[2]
    post = world.post(int(number) - NUMBERS) if number.isdigit() else None
    if post is None or post.deleted or post.network != NETWORK or native_id(world, post) != node:
        raise _missing(node)
    return post


def _missing(node: str) -> GraphError:
    told = (
        f"Unsupported get request. Object with ID '{node}' does not exist, cannot be loaded due to missing permissions, "
        "or does not support this operation."
    )
    return GraphError(100, told, subcode=33)


DIALECT = FacebookDialect()
