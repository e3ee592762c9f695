"""The control API under ``/_world/``: tests and demos make things happen from outside. JSON in, JSON out.

GET  health                      {"pid", "networks", "now"}
GET  clock                       {"now", "mode"}
POST step      {"to": ISO} or {"seconds": n}          stepped clocks only
POST post      {"network", "text" | "key" | "role", "author"?, "parent"?, "kind"?, "quoted"?, "photo"?}
               a customer's post now; by "key" or "role" a shipped text, with all that follows from it
POST native-answer {"parent", "text"}   a person answers in the network's own app
POST edit      {"sequence", "text"}      POST delete {"sequence"}      POST disable-replies {"sequence", "disabled"?}
POST block     {"network", "author", "blocked"?}
POST accept-repeats {"accepted"?}   networks that refuse the same words under the same post take them twice
POST fault     a Fault's fields (faults.py), or {"clear": true}       GET faults
GET  thread?root=N               {"posts": [...]}, deleted ones too
GET  posts?network=X&after=N&ours=1                   {"posts": [...]}, each with its network's own "native_id"
GET  history?after=N             {"lines": [...]}, the history file from line N on
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connectors.simulated.faults import Fault
from connectors.simulated.history import read_history
from connectors.simulated.library import SceneItem
from connectors.simulated.world import World, WorldError, WorldPost, described
from social.clock import SteppedClock
from social.domain.errors import ConfigurationError
from social.domain.post import PostKind, require_aware

if TYPE_CHECKING:  # the server imports this module
    from connectors.simulated.server import SimulatedServer


class WrongClock(Exception):
    """The clock of this server does not do that."""


Query = Mapping[str, Sequence[str]]
Answer = tuple[int, dict[str, Any]]


def handle(server: SimulatedServer, method: str, path: str, query: Query, body: bytes) -> Answer:
    """Answer one control request: status and JSON."""
    action = path.removeprefix("/_world/").strip("/")
    try:
        if method == "GET" and action in READS:
            return 200, READS[action](server, {name: values[0] for name, values in query.items()})
        if method == "POST" and action in WRITES:
            values = json.loads(body or b"{}")
            if not isinstance(values, dict):
                raise ValueError("the body must be a JSON object")
            server.now()
            return 200, WRITES[action](server, values)
    except KeyError as error:
        return 400, {"error": f"{action}: {error} is missing or unknown"}
    except (ValueError, TypeError) as error:
        return 400, {"error": f"{action}: {error}"}
    except WrongClock as error:
        return 409, {"error": f"{action}: {error}"}
    except (WorldError, ConfigurationError) as error:
        return 404, {"error": f"{action}: {error}"}
    return 404, {"error": f"no {method} {action!r}; GET {', '.join(READS)}; POST {', '.join(WRITES)}"}


def _health(server: SimulatedServer, _query: Mapping[str, str]) -> dict[str, Any]:
    return {"pid": os.getpid(), "networks": sorted(server.dialects), "now": server.now().isoformat()}


def _clock(server: SimulatedServer, _query: Mapping[str, str]) -> dict[str, Any]:
    return {"now": server.now().isoformat(), "mode": getattr(server.clock, "mode", "unknown")}


def _thread(server: SimulatedServer, query: Mapping[str, str]) -> dict[str, Any]:
    server.now()
    post = server.world.post(int(query["root"]))
    posts = server.world.thread(post.root, deleted=True) if post is not None else []
    return {"posts": [described(post) for post in posts]}


def _posts(server: SimulatedServer, query: Mapping[str, str]) -> dict[str, Any]:
    server.now()
    world = server.world
    networks = [query["network"]] if "network" in query else list(world.networks)
    after = int(query.get("after", "0"))
    found = [post for network in networks for post in world.posts(network, after=after, deleted=True)]
    if query.get("ours") in ("1", "true"):
        found = [post for post in found if post.ours]
    return {"posts": [_as_shown(server, post) for post in sorted(found, key=lambda post: post.sequence)]}


def _as_shown(server: SimulatedServer, post: WorldPost) -> dict[str, Any]:
    native_id = server.dialects[post.network].native_id(post, server.world)
    return {**described(post), "native_id": native_id, "mentions_brand": post.mentions_brand}


def _history(server: SimulatedServer, query: Mapping[str, str]) -> dict[str, Any]:
    if server.history is None:
        raise ValueError("this server keeps no history file")
    return {"lines": read_history(server.history.path)[int(query.get("after", "0")) :]}


def _faults(server: SimulatedServer, _query: Mapping[str, str]) -> dict[str, Any]:
    return {"faults": [asdict(fault) for fault in server.faults.pending()]}


def _step(server: SimulatedServer, values: Mapping[str, Any]) -> dict[str, Any]:
    clock = server.clock
    if not isinstance(clock, SteppedClock):
        raise WrongClock("only a stepped clock can be stepped")
    if "to" in values:
        clock.advance_to(require_aware(datetime.fromisoformat(values["to"]), "to"))
    else:
        clock.advance(timedelta(seconds=values["seconds"]))
    return {"now": server.now().isoformat()}


def _post(server: SimulatedServer, values: Mapping[str, Any]) -> dict[str, Any]:
    return described(customer_posts(server.world, **values))


def customer_posts(
    world: World,
    network: str,
    text: str | None = None,
    *,
    key: str | None = None,
    role: str | None = None,
    author: str | None = None,
    parent: int | None = None,
    kind: str | None = None,
    quoted: int | None = None,
    photo: str | None = None,
) -> WorldPost:
    """A customer writes now. ``kind`` defaults to the network's commonest way (its reply kind under a ``parent``); a
    comment, reply or quote without one goes to the shop's newest post. Where the network needs it, the shop's handle
    is put into the text. Raises ``KeyError``, ``ValueError``, ``WorldError``.
    """
    plan = world.library.networks[network]
    shipped = None
    if text is None:
        if key is None and role is None:
            raise KeyError("text")
        shipped = world.library.scene_text(SceneItem(after=timedelta(0), network=network, key=key, role=role))
        text, author, photo = shipped.text, author or shipped.author, photo or shipped.photo
    commonest = max(plan.ways, key=lambda way: plan.ways[way])
    chosen = PostKind(kind) if kind is not None else plan.conversation if parent is not None else commonest
    if parent is None and quoted is None:
        chosen, under = world.place(network, chosen)
        parent, quoted = (None, under) if chosen is PostKind.QUOTE else (under, None)
    return world.publish(
        network,
        world.open_account(network, author or "passer-by"),
        text if f"@{plan.brand_handle}" in text else plan.addressed(text, chosen),
        parent,
        via="native",
        kind=chosen,
        quoted=quoted,
        photo=photo,
        text_key=shipped.key if shipped else None,
    )


def _native_answer(server: SimulatedServer, values: Mapping[str, Any]) -> dict[str, Any]:
    world = server.world
    parent = world.post(int(values["parent"]))
    if parent is None:
        raise WorldError(f"there is no post {values['parent']}")
    brand = world.brand(parent.network)
    return described(world.publish(parent.network, brand, values["text"], parent.sequence, via="native"))


def _edit(server: SimulatedServer, values: Mapping[str, Any]) -> dict[str, Any]:
    return described(server.world.edit(int(values["sequence"]), values["text"]))


def _delete(server: SimulatedServer, values: Mapping[str, Any]) -> dict[str, Any]:
    server.world.delete(int(values["sequence"]))
    return {"deleted": int(values["sequence"])}


def _disable_replies(server: SimulatedServer, values: Mapping[str, Any]) -> dict[str, Any]:
    disabled = bool(values.get("disabled", True))
    return described(server.world.disable_replies(int(values["sequence"]), disabled=disabled))


def _block(server: SimulatedServer, values: Mapping[str, Any]) -> dict[str, Any]:
    blocked = bool(values.get("blocked", True))
    server.world.block(values["network"], values["author"], blocked=blocked)
    return {"author": values["author"], "blocked": blocked}


def _accept_repeats(server: SimulatedServer, values: Mapping[str, Any]) -> dict[str, Any]:
    server.world.accepts_repeats = bool(values.get("accepted", True))
    return {"accepted": server.world.accepts_repeats}


def _fault(server: SimulatedServer, values: Mapping[str, Any]) -> dict[str, Any]:
    if values.get("clear"):
        server.faults.clear()
    else:
        server.faults.add(Fault.from_json(values))
    return _faults(server, {})


READS: Mapping[str, Callable[[SimulatedServer, Mapping[str, str]], dict[str, Any]]] = {
    "health": _health,
    "clock": _clock,
    "thread": _thread,
    "posts": _posts,
    "history": _history,
    "faults": _faults,
}
WRITES: Mapping[str, Callable[[SimulatedServer, Mapping[str, Any]], dict[str, Any]]] = {
    "step": _step,
    "post": _post,
    "native-answer": _native_answer,
    "edit": _edit,
    "delete": _delete,
    "disable-replies": _disable_replies,
    "block": _block,
    "accept-repeats": _accept_repeats,
    "fault": _fault,
}
