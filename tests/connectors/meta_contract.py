"""A judge between connector and simulated network that knows only what Meta's own generated SDK knows.

The package ``facebook-business`` is generated from Meta's API description: every node's edges, their parameters with types
and enums, and every field. The judge asks the installed package, so it has no opinion of its own. Names and types only: what a
call means is not in there, and the paging and field parameters that all of Graph shares are not either.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from connectors.simulated.facebook import Wanted, parse_fields
from connectors.simulated.server import Dialect, SimulatedRequest, SimulatedResponse
from connectors.simulated.world import World

#: https://developers.facebook.com/docs/graph-api/results and .../guides/secure-requests
SHARED_READ = frozenset({"access_token", "appsecret_proof", "fields", "limit", "after", "before", "ids"})
SHARED_WRITE = frozenset({"access_token", "appsecret_proof", "fields"})
SHARED_MODIFIERS = frozenset({"limit", "after", "before"})
#: No nodes, so the SDK has no class for them: asked in the name of the app.
ABOUT_TOKENS = frozenset({"oauth/access_token", "debug_token"})
#: Fields that an edge adds to its nodes, which the generated class of the node does not know:
#: https://developers.facebook.com/docs/graph-api/reference/user/accounts
OF_AN_EDGE: Mapping[tuple[str, str], Mapping[str, str]] = {("User", "accounts"): {"tasks": "list<string>"}}


@dataclass(frozen=True)
class Call:
    """One thing that a node can be asked for: the declared parameters and the type of what comes back."""

    checker: Any
    target: str


@cache
def node_class(name: str) -> type[Any] | None:
    try:
        return getattr(import_module(f"facebook_business.adobjects.{name.lower()}"), name, None)
    except ModuleNotFoundError:
        return None


@cache
def calls(node: str) -> Mapping[tuple[str, str], Call]:
    """(HTTP method, edge) -> call; the edge is empty for the node itself. Asked from the SDK without any network."""
    from facebook_business.api import FacebookAdsApi, FacebookSession

    described = node_class(node)
    assert described is not None
    subject = described("1", api=FacebookAdsApi(FacebookSession(access_token="x")))
    known: dict[tuple[str, str], Call] = {}
    for method in vars(described).values():
        if inspect.isfunction(method) and "pending" in inspect.signature(method).parameters:
            request = method(subject, pending=True)
            target = request._target_class.__name__ if request._target_class else ""
            known[request._method, request._endpoint] = Call(checker=request._param_checker, target=target)
    return known


@cache
def field_types(node: str) -> Mapping[str, str]:
    described = node_class(node)
    return dict(described._field_types) if described is not None else {}


class MetaJudge:
    """Wraps a dialect; ``violations`` says in words what either side did against the SDK, ``seen`` what was judged."""

    def __init__(self, dialect: Dialect) -> None:
        self.network = dialect.network
        self.refuse = dialect.refuse
        self.violations: list[str] = []
        self.seen: list[str] = []
        self._dialect = dialect
        self._types: dict[str, str] = {"me": "Page"}

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        response = self._dialect.handle(request, world)
        self._judge(request, response)
        return response

    def _judge(self, request: SimulatedRequest, response: SimulatedResponse) -> None:
        if re.sub(r"^/v\d+\.\d+/", "", request.path) in ABOUT_TOKENS:
            return
        path = re.fullmatch(r"/v\d+\.\d+/([A-Za-z0-9_]*)(?:/([a-z_]+))?", request.path)
        if path is None:
            self.violations.append(f"no such path: {request.path}")
            return
        node, edge = path.group(1), path.group(2) or ""
        ids = [node] if node else (request.param("ids") or "").split(",")
        for name in ids:
            kind = "User" if (name, edge) == ("me", "accounts") else self._types.get(name)
            if kind is None:
                if response.status < 400:
                    self.violations.append(f"{name} was never seen before, yet it is read")
                continue
            self._judge_call(kind, edge, request, response, name if not node else None)

    def _judge_call(
        self, kind: str, edge: str, request: SimulatedRequest, response: SimulatedResponse, key: str | None
    ) -> None:
        call = calls(kind).get((request.method, edge))
        self.seen.append(f"{request.method} {kind} {edge}".strip())
        if call is None:
            self.violations.append(f"{kind} has no {request.method} /{edge}")
            return
        writes = request.method == "POST"
        given = request.form() if writes else {name: values[0] for name, values in request.query.items()}
        self._judge_parameters(f"{request.method} {kind}/{edge}", call, given, SHARED_WRITE if writes else SHARED_READ)
        target = call.target if edge else kind
        added = OF_AN_EDGE.get((kind, edge), {})
        wanted = [entry for entry in parse_fields(given.get("fields", "")) if entry.name not in added]
        self._judge_fields(target, wanted)
        if response.status < 400 and isinstance(response.body, dict):
            if writes:
                self._types[str(response.body["id"])] = target
            elif edge:
                listed = response.body.get("data", ())
                self._judge_items(target, [{key: item[key] for key in item if key not in added} for item in listed])
            else:
                self._judge_item(target, response.body[key] if key is not None else response.body)

    def _judge_parameters(self, where: str, call: Call, given: Mapping[str, str], shared: frozenset[str]) -> None:
        for name, value in given.items():
            if name in shared and not call.checker.is_valid_key(name):
                continue
            if not call.checker.is_valid_key(name):
                self.violations.append(f"{where}: unknown parameter {name}")
            elif not call.checker.is_valid_pair(name, value):
                self.violations.append(f"{where}: {name} may not be {value!r}")

    def _judge_fields(self, kind: str, wanted: Iterable[Wanted]) -> None:
        for entry in wanted:
            edge = calls(kind).get(("GET", entry.name))
            declared = field_types(kind).get(entry.name)
            if edge is not None and (entry.inner or entry.modifiers):
                modifiers = {name: value for name, value in entry.modifiers.items() if name not in SHARED_MODIFIERS}
                self._judge_parameters(f"{kind}{{{entry.name}}}", edge, modifiers, frozenset())
                self._judge_fields(edge.target, entry.inner)
            elif declared is None:
                self.violations.append(f"{kind} has no field {entry.name}")
            elif node_class(declared) is not None:
                self._judge_fields(declared, entry.inner)

    def _judge_items(self, kind: str, items: Iterable[Mapping[str, Any]]) -> None:
        for item in items:
            self._judge_item(kind, item)

    def _judge_item(self, kind: str, item: Mapping[str, Any]) -> None:
        self._types[str(item["id"])] = kind
        checker = next(iter(calls(kind).values())).checker
        for name, value in item.items():
            edge = calls(kind).get(("GET", name))
            declared = field_types(kind).get(name)
            if edge is not None and isinstance(value, dict) and "data" in value:
                self._judge_items(edge.target, value["data"])
            elif declared is None:
                self.violations.append(f"an answer has the field {name}, which {kind} has not")
            elif declared.startswith("list<"):
                if not isinstance(value, list):
                    self.violations.append(f"{kind}.{name} must be {declared}, not {value!r}")
            elif not checker.is_type(declared, value):
                self.violations.append(f"{kind}.{name} must be {declared}, not {value!r}")
