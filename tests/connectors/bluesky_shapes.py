"""The key trees of Bluesky's answers: recorded from the makers' own servers, compared with the simulator's.

`bluesky_shapes.json` was written by `tests/real/test_bluesky_shapes.py` (DYZUR_RECORD=1), which also checks that the
servers still answer so. Values are left out; `$type` is part of a shape.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).with_suffix(".json")
NAMES = {bool: "boolean", int: "number", float: "number", str: "text", type(None): "null"}

#: Ask one XRPC method: (GET or POST, name, parameters or body) -> (status, answer).
Ask = Callable[[str, str, Mapping[str, Any]], tuple[int, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What must have happened before the questions are asked; all of it seen by the shop's account.

    `asked`: a mention with a reply of the shop's under it. `below`: a customer's reply to a post of the shop's. `quoting`
    quotes one. `pictured`: a mention with a photo. `gated`: a mention whose author closed the replies. `blocking`: a post
    of somebody who then blocked the shop. `gone`: a deleted one.
    """

    did: str
    handle: str
    asked: str
    below: str
    pictured: str
    gated: str
    blocking: str
    gone: str


def shape_of(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: inner if key == "$type" else shape_of(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return [_merged([shape_of(item) for item in value])] if value else []
    return NAMES[type(value)]


def _merged(shapes: list[Any]) -> Any:
    """One shape for all items of a list: a key that only some have is marked with `?`."""
    if all(isinstance(shape, dict) for shape in shapes):
        keys = sorted({key for shape in shapes for key in shape})
        merged = {}
        for key in keys:
            present = [shape[key] for shape in shapes if key in shape]
            merged[key if len(present) == len(shapes) else f"{key}?"] = _merged(present)
        return merged
    if all(isinstance(shape, list) for shape in shapes):
        items = [item for shape in shapes for item in shape]
        return [_merged(items)] if items else []
    different = sorted({json.dumps(shape) for shape in shapes})
    return shapes[0] if len(different) == 1 else " or ".join(different)


def key_of(uri: str) -> dict[str, str]:
    repository, collection, key = uri.removeprefix("at://").split("/")
    return {"repo": repository, "collection": collection, "rkey": key}


def shapes(ask: Ask, scene: Scene) -> dict[str, Any]:
    """Ask everything that the connector asks, the refusals too."""
    thread = "app.bsky.feed.getPostThread"
    absent = {**key_of(scene.asked), "rkey": "3zzzzzzzzzzzz"}
    record = {"$type": "app.bsky.feed.post", "text": "ż" * 301, "createdAt": "2026-11-22T10:00:00.000Z"}
    post = {"repo": scene.did, "collection": "app.bsky.feed.post", "rkey": "3lbexample222", "record": record}
    short = {**post, "record": {**record, "text": "krótko"}}
    notifications = {"reasons": ["mention", "quote", "reply"], "limit": 50, "priority": "false"}
    asked: list[tuple[str, str, str, Mapping[str, Any]]] = [
        ("notifications", "GET", "app.bsky.notification.listNotifications", notifications),
        ("own posts", "GET", "app.bsky.feed.getAuthorFeed", {"actor": scene.did, "limit": 50}),
        ("posts", "GET", "app.bsky.feed.getPosts", {"uris": [scene.asked, scene.pictured, scene.gated]}),
        ("posts that may not be seen", "GET", "app.bsky.feed.getPosts", {"uris": [scene.blocking, scene.gone]}),
        ("thread", "GET", thread, {"uri": scene.asked, "depth": 10, "parentHeight": 10}),
        ("thread upwards", "GET", thread, {"uri": scene.below, "depth": 0, "parentHeight": 10}),
        ("thread of a blocker", "GET", thread, {"uri": scene.blocking, "depth": 0, "parentHeight": 0}),
        ("thread of nothing", "GET", thread, {"uri": scene.gone, "depth": 0, "parentHeight": 0}),
        ("record", "GET", "com.atproto.repo.getRecord", key_of(scene.asked)),
        ("no record", "GET", "com.atproto.repo.getRecord", absent),
        ("no repository", "GET", "com.atproto.repo.getRecord", {**absent, "repo": "did:plc:" + "a" * 24}),
        ("post too long", "POST", "com.atproto.repo.createRecord", post),
        ("post under a key that is no TID", "POST", "com.atproto.repo.createRecord", {**short, "rkey": "hello"}),
        ("post", "POST", "com.atproto.repo.createRecord", short),
        ("post under a key that is taken", "POST", "com.atproto.repo.createRecord", short),
        ("sign-in", "POST", "com.atproto.server.createSession", {"identifier": scene.handle, "password": "right"}),
        ("session", "GET", "com.atproto.server.getSession", {}),
        ("sign-in refused", "POST", "com.atproto.server.createSession", {"identifier": "x.test", "password": "wrong"}),
        ("unknown method", "GET", "app.bsky.feed.getNothing", {}),
    ]
    found = {}
    for name, verb, method, given in asked:
        status, answer = ask(verb, method, given)
        error = {"error": answer["error"]} if status >= 400 else {}
        found[name] = {"status": status, **error, "answer": shape_of(answer)}
    return found
