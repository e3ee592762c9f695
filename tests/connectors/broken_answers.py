"""Answers of a network as no contract foresees them: true ones with parts taken away or exchanged, and anything that is JSON.

``DYZUR_PROPERTY_CASES`` says how many cases each promise is tried with (500). Without it the cases are the same every time.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from connectors import kit
from connectors.session import DEEPEST
from connectors.simulated.server import Dialect, SimulatedRequest, SimulatedResponse
from connectors.simulated.world import World
from social.domain.errors import Unreachable
from social.domain.post import Author, FetchedPost

CASES = int(os.environ.get("DYZUR_PROPERTY_CASES") or 500)


def tried(share: float = 1.0) -> settings:
    """How a promise is tried; a costly one with a ``share`` of the cases."""
    return settings(
        max_examples=max(1, round(CASES * share)),
        derandomize="DYZUR_PROPERTY_CASES" not in os.environ,
        database=None,
        deadline=None,  # a promise about answers, not about a quiet machine
        print_blob=True,
        # one network for all cases of a test: a case leaves nothing behind in it
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


#: Half an emoji, NUL, a text that runs backwards, a byte order mark, a digit that is no ASCII, markup, a line of its own.
ODD_TEXTS = (
    "",
    " ",
    "\ud83d",
    "a\x00b",
    "\u202egnirts",
    "\ufeff",
    "٣",
    "<b>&amp;",
    "a\r\nInjected: yes",
    "x" * 5000,
    "z\u0301" * 99,
)
ODD_TIMES = (
    "0001-01-01T00:00:00+23:59",
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59.999Z",
    "2199-01-01T00:00:00Z",
    "2026-08-05T10:00:00",
    "2026-02-30T10:00:00Z",
    "1785924000",
)
ODD_NUMBERS = (
    0,
    -1,
    1,
    7,
    2**31,
    2**63,
    -(2**63),
    10**30,
    10**400,
    3.5,
    1e308,
    float("nan"),
    float("inf"),
    True,
    False,
)
#: Names that answers of these networks have, so that made-up ones hold them in wrong places.
KEYS = re.findall(
    r"\w+",
    "data id meta newest_id result_count next_token includes users errors author_id created_at "
    "created_time text message from parent paging cursors after next comments notifications cursor feed "
    "post posts uri cid author did record reply root reason indexedAt thread replies value labels "
    "entities urls mentions referenced_tweets edit_history_tweet_ids type error code error_subcode "
    "is_transient detail title viewer embed images facets langs attachment message_tags note_tweet "
    "accessJwt refreshJwt handle access_token refresh_token expires_in scopes expires_at is_valid tasks "
    "name username",
)

texts = st.sampled_from(ODD_TEXTS) | st.text(st.characters(), max_size=8)
scalars = st.none() | texts | st.sampled_from(ODD_TIMES) | st.sampled_from(ODD_NUMBERS) | st.integers(-99, 99)
anything = st.recursive(
    scalars,
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | texts, parts, max_size=5),
    max_leaves=12,
)


@dataclass(frozen=True, slots=True)
class Wound:
    """One change of an answer. ``where`` counts through all its places, around and around."""

    how: str
    where: int
    value: Any


wounds = st.lists(
    st.builds(
        Wound,
        st.sampled_from(("drop", "exchange", "exchange", "twice", "swap", "grow", "wrap", "deepen")),
        st.integers(0, 100_000),
        anything,
    ),
    min_size=1,
    max_size=4,
)
#: What becomes of an answer: it is wounded, or something else stands in its place, or it is not even JSON.
Plan = list[Wound] | dict[str, Any] | bytes
plans = st.one_of(
    wounds,
    wounds,
    st.dictionaries(st.sampled_from(KEYS), anything, max_size=4),
    st.builds(lambda value: json.dumps(value).encode(), anything),
    st.binary(max_size=40),
    st.sampled_from(
        (b"", b"<html>", b"[]", b"[" * 5000, b'{"a":' * 300 + b"1" + b"}" * 300, b'{"data": [', b"1" * 5000)
    ),
)


def wounded(body: Mapping[str, Any], changes: list[Wound]) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(body))
    for change in changes:
        places = list(_places(changed))
        if not places:
            break
        holder, key = places[change.where % len(places)]
        value = json.loads(json.dumps(change.value))
        match change.how:
            case "drop":
                del holder[key]
            case "twice" if isinstance(holder, list):
                holder.append(json.loads(json.dumps(holder[key])))
            case "swap":
                other, there = places[(change.where * 7 + 3) % len(places)]
                holder[key], other[there] = json.loads(json.dumps([other[there], holder[key]]))
            case "grow" if isinstance(holder, dict):
                holder["field_from_next_year"] = value
            case "grow":
                holder.insert(0, value)
            case "wrap":
                holder[key] = [holder[key]]
            case "deepen":
                for _ in range(change.where % 90):
                    value = {"id": value}
                holder[key] = value
            case _:
                holder[key] = value
    return changed


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    pairs = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    for key, value in pairs:
        yield node, key
        yield from _places(value)


class Spoiled:
    """A network whose answers go through ``plan`` where there is one. ``whole`` and ``sent`` keep what it would have said and
    what it said."""

    def __init__(self, dialect: Dialect, *, spare: str = r"$^") -> None:
        self.network, self.refuse = dialect.network, dialect.refuse
        self._dialect = dialect
        self.spare = re.compile(spare)
        self.plan: Plan | None = None
        self.instead: SimulatedResponse | None = None
        self.whole: list[tuple[str, Any]] = []
        self.sent: list[tuple[str, Any]] = []

    def begin(self, plan: Plan | None, instead: SimulatedResponse | None = None) -> None:
        self.plan, self.instead, self.whole, self.sent = plan, instead, [], []

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        if self.instead is not None:
            return self.instead
        if self.spare.search(request.path):
            return self._dialect.handle(request, world)
        response = self._dialect.handle(request, world)
        if self.plan is None or response.status >= 400:
            return response
        changed: Any = self.plan
        if isinstance(self.plan, list):
            changed = wounded(response.body, self.plan)
        self.whole.append((request.path, json.loads(json.dumps(response.body))))
        if isinstance(changed, bytes):
            self.sent.append((request.path, None))
            return replace(response, body=changed)
        self.sent.append((request.path, changed))
        return replace(response, body=json.dumps(changed).encode())


# --- what an answer shows ----------------------------------------------------------------------------------------------


def readable(answers: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Without what is refused as a whole, and asked for again: answers that have no bottom, and pages that do not say where
    the next one begins."""
    return [(path, _without_lost_places(body)) for path, body in answers if _depth(body) <= DEEPEST]


def _without_lost_places(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_lost_places(part) for part in node]
    if not isinstance(node, dict):
        return node
    meta, paging = kit.mapping(node.get("meta")), kit.mapping(node.get("paging"))
    try:
        for place in (node.get("cursor"), meta.get("next_token"), kit.mapping(paging.get("cursors")).get("after")):
            kit.place_or_none(place)
    except Unreachable:
        return {}
    return {name: _without_lost_places(part) for name, part in node.items()}


def shown(answers: list[tuple[str, Any]]) -> dict[str, set[str]]:
    """Native id -> the item, of all that pages show, whichever network's they are; several where they contradict each other."""
    found: dict[str, set[str]] = {}
    for _, body in answers:
        for item in _items(body):
            native_id = item.get("uri") or item.get("id")
            if isinstance(native_id, str):
                found.setdefault(native_id, set()).add(json.dumps(item, sort_keys=True))
    return found


def _depth(node: Any) -> int:
    held = node.values() if isinstance(node, dict) else node if isinstance(node, list) else None
    return 0 if held is None else 1 + max(map(_depth, held), default=0)


def _items(body: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(body, dict):
        return
    for name in ("data", "notifications", "posts"):
        listed = body.get(name)
        for item in listed if isinstance(listed, list) else ():
            if isinstance(item, dict):
                # what stands under a post is not part of it, and what it stands under is part of where it stands
                yield {key: value for key, value in item.items() if key != "comments"}
                for comment in _items(item.get("comments")):
                    yield {**comment, "under": item.get("id")}
    feed = body.get("feed")
    for entry in feed if isinstance(feed, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("post"), dict):
            yield entry["post"]


# --- what may come out of a connector ----------------------------------------------------------------------------------

ID = re.compile(r"[!-~]{1,1024}")


def require_well_formed(post: FetchedPost, now: datetime) -> None:
    """Of the types that the port promises, so that the database takes it and arithmetic with its times works."""
    for native_id in (post.native_id, post.thread_root, *filter(lambda one: one is not None, [post.in_reply_to])):
        assert isinstance(native_id, str) and ID.fullmatch(native_id), repr(native_id)
    assert post.revision == "" or ID.fullmatch(post.revision), repr(post.revision)
    require_author(post.author)
    assert isinstance(post.text, str)
    assert datetime(1900, 1, 1, tzinfo=UTC) <= post.created_at <= now, post.created_at
    assert post.edited_at is None or post.created_at - timedelta(days=1) <= post.edited_at <= now
    for text in (
        post.permalink,
        post.language_hint,
        *(part for one in post.media for part in (one.url, one.description)),
    ):
        assert text is None or (isinstance(text, str) and text), repr(text)
    assert post.language_hint is None or post.language_hint.isascii()
    assert type(post.summoned) is bool and type(post.ours) is bool
    json.loads(json.dumps([dict(post.native), dict(post.raw)]))


def require_author(author: Author) -> None:
    assert isinstance(author.native_id, str) and ID.fullmatch(author.native_id), repr(author.native_id)
    assert author.handle is None or (isinstance(author.handle, str) and author.handle)
    assert author.display_name is None or (isinstance(author.display_name, str) and author.display_name)
    assert type(author.is_bot) is bool and type(author.deleted) is bool
