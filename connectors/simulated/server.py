"""The simulator's HTTP server and the interface of a dialect.

A dialect is one module in this package with ``DIALECT = TheDialect()``. Its requests come under ``/<network>/...`` with
that prefix stripped. ``/_world/`` is the control API (``control.py``). HTTP/1.1 with keep-alive, on 127.0.0.1 only.
"""

from __future__ import annotations

import gzip
import importlib
import json
import pkgutil
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable
from urllib.parse import parse_qs, unquote, urlsplit

import connectors.simulated as package
from connectors.simulated import control
from connectors.simulated.faults import AFTER, BEFORE, Fault, FaultScript
from connectors.simulated.history import History
from connectors.simulated.world import World, WorldPost
from social.clock import monotonic
from social.ports import Clock

#: A request body above this is refused (413): the networks' own limits are far below.
LARGEST_BODY = 4 * 1024 * 1024
HALF_OPEN_SECONDS = 300.0
#: Longer than anybody should read.
HUGE = 11 * 1024 * 1024


class BadRequest(Exception):
    """The body is not what the dialect asked for; the server answers with the dialect's ``refuse(400)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedRequest:
    """One request to a network. ``path`` starts with ``/`` and has no prefix and no query; it is percent-decoded.
    ``query`` keeps every value of a name; ``headers`` have lower-case names. ``now`` is world time, to which the world
    has been advanced. ``base_url`` is this network's own (``http://127.0.0.1:PORT/<network>``), for links in answers.
    """

    network: str
    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes
    now: datetime
    base_url: str
    take_fault: Callable[[str], Fault | None] = lambda _kind: None

    def param(self, name: str, default: str | None = None) -> str | None:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default

    def json(self) -> Any:
        """The body as JSON (``{}`` where empty). Raises ``BadRequest``."""
        if not self.body:
            return {}
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise BadRequest(f"the body is not JSON: {error}") from None

    def form(self) -> dict[str, str]:
        """The body as ``application/x-www-form-urlencoded``, the first value of each name. Raises ``BadRequest``."""
        try:
            return {name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}
        except UnicodeDecodeError as error:
            raise BadRequest(f"the body is not a form: {error}") from None

    def bearer(self) -> str | None:
        """The token of ``Authorization: Bearer ...`` (never to be stored)."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None

    def fault(self, kind: str) -> Fault | None:
        """The scripted page fault of this kind for this request, if one is due (it is counted down)."""
        return self.take_fault(kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedResponse:
    """``body``: anything JSON can hold, or ready bytes (then give ``content_type``), or ``None`` for an empty body."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body, ensure_ascii=False).encode()


@runtime_checkable
class Dialect(Protocol):
    """One network's HTTP API, translated into calls of the world. Stateless but for what the world does not hold."""

    network: str

    def native_id(self, post: WorldPost, world: World) -> str:
        """The id under which this network shows the post (its first one, where an edit has another)."""
        ...

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        """Answer one request. Called with the world's lock held and the world advanced to ``request.now``."""
        ...

    def refuse(
        self, status: int, request: SimulatedRequest, world: World, *, resets_at: datetime | None, reset: str
    ) -> SimulatedResponse:
        """A scripted error in the network's own shape (400, 401, 403, 404, 429, 5xx). For 429, ``reset`` is ``"valid"``
        (headers say ``resets_at``), ``"missing"`` (no such header) or ``"broken"`` (nonsense in it)."""
        ...


def discover_dialects() -> dict[str, Dialect]:
    """Every dialect in this package, by network."""
    found: dict[str, Dialect] = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        dialect = getattr(importlib.import_module(f"{package.__name__}.{info.name}"), "DIALECT", None)
        if dialect is not None:
            found[dialect.network] = dialect
    return found


class SimulatedServer:
    """The world over HTTP on 127.0.0.1. A context manager for tests and the self-test, or ``start``/``stop``.

        with SimulatedServer(World(start=start), SteppedClock(start)) as server:
            requests.get(f"{server.base_url('somewhere')}/...")

    ``port`` 0 takes a free one. ``dialects`` defaults to all that are found in the package.
    """

    def __init__(
        self,
        world: World,
        clock: Clock,
        *,
        port: int = 0,
        dialects: Mapping[str, Dialect] | None = None,
        history: History | None = None,
    ) -> None:
        self.world = world
        self.clock = clock
        self.faults = FaultScript()
        self.history = history
        self.dialects = dict(dialects) if dialects is not None else discover_dialects()
        self.closing = threading.Event()
        self.last_request = monotonic()
        self._listener = _Listener(("127.0.0.1", port), self)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        return int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def base_url(self, network: str) -> str:
        """Where the network's API starts, without a slash at the end."""
        return f"{self.url}/{network}"

    def start(self) -> SimulatedServer:
        """Answer requests in a thread of its own."""
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.05,), daemon=True, name="simulator"
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        self.closing.set()
        self.faults.clear()
        if self._thread is not None:
            self._listener.shutdown()
            self._thread.join()
        self._listener.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def now(self) -> datetime:
        """World time; the world has happened up to it."""
        with self.world.lock:
            self.world.advance(self.clock.now())
            return self.world.now


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], simulator: SimulatedServer) -> None:
        self.simulator = simulator
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are the daily business of a simulator of broken networks; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener
    # Answers are small and written at once; without this every keep-alive round trip costs 40 ms.
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class names it so
        """Nothing: the request line may hold a token. The history is the log."""

    def _answer(self) -> None:
        simulator = self.server.simulator
        simulator.last_request = monotonic()
        body = self._body()
        if body is None:
            return
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        path = unquote(parts.path)
        if path.startswith("/_world/"):
            status, answer = control.handle(simulator, self.command, path, query, body)
            self._send(SimulatedResponse(status=status, body=answer))
            return
        network, _, rest = path.removeprefix("/").partition("/")
        dialect = simulator.dialects.get(network)
        if dialect is None:
            known = ", ".join(sorted(simulator.dialects)) or "none"
            self._send(
                SimulatedResponse(status=404, body={"error": f"no network {network!r} here; there are: {known}"})
            )
            return
        self._network(dialect, network, f"/{rest}", query, body)

    def _network(
        self, dialect: Dialect, network: str, path: str, query: Mapping[str, Sequence[str]], body: bytes
    ) -> None:
        """One request to a network: faults before, the dialect, faults after, the history."""
        simulator = self.server.simulator
        script = simulator.faults

        def page_fault(kind: str) -> Fault | None:
            taken = script.take(frozenset({kind}), network, self.command, path)
            return taken[0] if taken else None

        before = {fault.kind: fault for fault in script.take(BEFORE, network, self.command, path)}
        if "latency" in before:
            script.hold(before["latency"].seconds)
        now = simulator.now()

        def note(status: int | None, *faults: str) -> None:
            if simulator.history is not None:
                simulator.history.request(
                    method=self.command, path=path, status=status, network=network, at=now, fault=" ".join(faults)
                )

        if "reset" in before:
            note(None, "reset")
            self._reset()
            return
        if "half-open" in before:
            note(None, "half-open")
            script.hold(before["half-open"].seconds or HALF_OPEN_SECONDS)
            self.close_connection = True
            return
        request = SimulatedRequest(
            network=network,
            method=self.command,
            path=path,
            query=query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            now=now,
            base_url=simulator.base_url(network),
            take_fault=page_fault,
        )
        response = self._respond(dialect, request, before)
        after = {fault.kind: fault for fault in script.take(AFTER, network, self.command, path)}
        if "bad-gateway" in after:
            response = SimulatedResponse(status=502, body=b"<html>Bad Gateway</html>", content_type="text/html")
        note(None if "drop-answer" in after else response.status, *before, *after)
        if "drop-answer" in after:
            self._reset()
        else:
            if "date" in after:
                told = format_datetime(now + timedelta(seconds=after["date"].seconds), usegmt=True)
                response = replace(response, headers={**response.headers, "Date": told})
            self._send(_damaged(response, after), trickle=after.get("trickle"))

    def _respond(self, dialect: Dialect, request: SimulatedRequest, before: Mapping[str, Fault]) -> SimulatedResponse:
        world = self.server.simulator.world
        with world.lock:
            if "html" in before:
                page = b"<!DOCTYPE html><html><body><h1>We'll be right back</h1></body></html>"
                return SimulatedResponse(body=page, content_type="text/html; charset=utf-8")
            if "status" in before:
                fault = before["status"]
                after = {"past": -fault.reset_after, "years": 3e9}.get(fault.reset, fault.reset_after)
                reset = fault.reset if fault.reset in ("missing", "broken") else "valid"
                resets_at = request.now + timedelta(seconds=after)
                return dialect.refuse(fault.status, request, world, resets_at=resets_at, reset=reset)
            try:
                return dialect.handle(request, world)
            except BadRequest:
                return dialect.refuse(400, request, world, resets_at=None, reset="missing")
            except Exception as error:  # noqa: BLE001 a dialect's bug must be seen as one, not as a broken line
                traceback.print_exc()
                said = f"bug in the simulated {request.network}: {error!r}"
                return SimulatedResponse(status=500, body={"error": said})

    def _body(self) -> bytes | None:
        """The request's body; ``None`` after an answer of its own where it cannot be read."""
        if self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self._send(SimulatedResponse(status=411, body={"error": "send a Content-Length"}))
            return None
        length = self.headers.get("Content-Length") or "0"
        if not length.isdigit() or int(length) > LARGEST_BODY:
            self.close_connection = True
            self._send(SimulatedResponse(status=413, body={"error": f"at most {LARGEST_BODY} bytes"}))
            return None
        return self.rfile.read(int(length))

    def _send(self, response: SimulatedResponse, *, trickle: Fault | None = None) -> None:
        payload = response.encoded()
        # no Date: the machine's would have nothing to do with the world's time
        self.send_response_only(response.status, _reason(response.status))
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(payload)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if trickle is None:
            self.wfile.write(payload)
            return
        self.wfile.flush()
        for place in range(len(payload)):
            if self.server.simulator.faults.hold(trickle.seconds or 1.0):
                self.close_connection = self.server.simulator.closing.is_set()
                self.wfile.write(payload[place:])
                return
            self.wfile.write(payload[place : place + 1])
            self.wfile.flush()

    def _reset(self) -> None:
        """Hang up with RST instead of FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _answer


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # a status of a network's own
        return ""


def _damaged(response: SimulatedResponse, after: Mapping[str, Fault]) -> SimulatedResponse:
    if "extra-fields" in after and isinstance(response.body, dict):
        response = replace(response, body=_with_extra_fields(response.body))
    if "content-type" in after:
        response = replace(response, content_type="text/plain; charset=iso-8859-1")
    if "huge-body" in after:
        response = replace(response, body=response.encoded() + b" " * HUGE)
    if "gzip-bomb" in after:
        packed = gzip.compress(response.encoded() + b" " * (4 * HUGE))
        response = replace(response, body=packed, headers={**response.headers, "Content-Encoding": "gzip"})
    if "truncated" in after:
        payload = response.encoded()
        response = replace(response, body=payload[: max(1, len(payload) // 2)])
    return response


def _with_extra_fields(value: Any) -> Any:
    """Every object gets a field that no contract knows."""
    if isinstance(value, dict):
        return {
            **{name: _with_extra_fields(inner) for name, inner in value.items()},
            "field_from_next_year": {"beta": True},
        }
    return [_with_extra_fields(inner) for inner in value] if isinstance(value, list) else value
