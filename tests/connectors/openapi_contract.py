"""A judge between connector and simulated network: every request and every answer against an official OpenAPI document.

The whole document takes ten seconds to load, so it is cut to the paths that are used and what these refer to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from connectors.simulated.server import Dialect, SimulatedRequest, SimulatedResponse
from connectors.simulated.world import World


@lru_cache(maxsize=2)
def cut_document(path: Path, paths: tuple[str, ...]) -> Mapping[str, Any]:
    """The document at ``path`` with nothing but ``paths`` and their references."""
    whole = json.loads(path.read_text(encoding="utf-8"))
    document: dict[str, Any] = {name: whole[name] for name in ("openapi", "info", "servers")}
    document["paths"] = {name: whole["paths"][name] for name in paths}
    # the library judges a bearer token, not which of the network's kinds of tokens it is
    bearer = {name: {"type": "http", "scheme": "bearer"} for name in whole["components"]["securitySchemes"]}
    document["components"] = {"securitySchemes": bearer}
    wanted = list(_references(document["paths"]))
    while wanted:
        reference = wanted.pop()
        section, name = reference.removeprefix("#/components/").split("/")
        kept = document["components"].setdefault(section, {})
        if name not in kept:
            kept[name] = whole["components"][section][name]
            wanted += _references(kept[name])
    return document


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref" and isinstance(value, str):
                yield value
            elif name == "mapping" and isinstance(value, dict):  # of a discriminator
                yield from (target for target in value.values() if str(target).startswith("#/"))
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


@lru_cache(maxsize=2)
def _loaded(path: Path, paths: tuple[str, ...]) -> Any:
    from openapi_core import OpenAPI

    return OpenAPI.from_dict(dict(cut_document(path, paths)))


class OpenApiJudge:
    """Wraps a dialect; ``violations`` says in words what either side did against the document, ``seen`` what was judged."""

    def __init__(self, dialect: Dialect, document: Path, paths: Collection[str], *, unjudged: Collection[str]) -> None:
        self.network = dialect.network
        self.refuse = dialect.refuse
        self.violations: list[str] = []
        self.seen: list[str] = []
        self._dialect = dialect
        self._unjudged = frozenset(unjudged)
        self._document = cut_document(document, tuple(paths))
        self._openapi = _loaded(document, tuple(paths))

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        response = self._dialect.handle(request, world)
        if request.path not in self._unjudged:
            self._judge(request, response)
        return response

    def _judge(self, request: SimulatedRequest, response: SimulatedResponse) -> None:
        from openapi_core.exceptions import OpenAPIError
        from openapi_core.testing import MockRequest, MockResponse

        asked = MockRequest(
            self._document["servers"][0]["url"],
            request.method.lower(),
            request.path,
            args={name: values[0] for name, values in request.query.items()},
            # a signature (OAuth 1.0a) is a way to bear a token too, which the library does not know
            headers={name.title(): re.sub("^OAuth ", "Bearer ", value) for name, value in request.headers.items()},
            data=request.body or None,
            content_type=request.headers.get("content-type", "application/json"),
        )
        told = response.body if isinstance(response.body, bytes) else json.dumps(response.body).encode()
        given = MockResponse(told, status_code=response.status, content_type="application/json")
        self.seen.append(f"{request.method} {request.path}")
        try:
            self._openapi.validate_request(asked)
        except OpenAPIError as error:
            self._blame("request", request, error)
        else:
            self._judge_names(asked, request)
        if response.status < 300:  # the document says nothing about errors that a client could rely on
            try:
                self._openapi.validate_response(asked, given)
            except OpenAPIError as error:
                self._blame("answer", request, error)

    def _judge_names(self, asked: Any, request: SimulatedRequest) -> None:
        """Unknown query parameters, which the library lets pass."""
        known = {self._name(parameter) for parameter in self._operation(request)["parameters"]}
        if unknown := set(request.query) - known:
            self.violations.append(f"request {request.method} {request.path}: unknown {', '.join(sorted(unknown))}")

    def _operation(self, request: SimulatedRequest) -> Mapping[str, Any]:
        parts = request.path.split("/")
        for path, operations in self._document["paths"].items():
            pattern = path.split("/")
            fits = len(parts) == len(pattern) and all(
                wanted == part or wanted.startswith("{") for wanted, part in zip(pattern, parts, strict=True)
            )
            if fits and request.method.lower() in operations:
                return {"parameters": (), **operations[request.method.lower()]}
        raise AssertionError(f"{request.path} is not in the document")

    def _name(self, parameter: Mapping[str, Any]) -> str:
        if "$ref" in parameter:
            section, name = str(parameter["$ref"]).removeprefix("#/components/").split("/")
            parameter = self._document["components"][section][name]
        return str(parameter["name"])

    def _blame(self, what: str, request: SimulatedRequest, error: Exception) -> None:
        cause: BaseException | None = error.__cause__ or error
        details = [str(detail) for detail in getattr(cause, "schema_errors", ())] or [str(cause)]
        self.violations.append(f"{what} {request.method} {request.path}: {'; '.join(details)[:600]}")
