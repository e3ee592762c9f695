"""The way out: no request waits for ever, grows without a bound, is sent twice, goes elsewhere or tells a token."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from connectors.kit import MAX_BODY, NetworkSettings, guard
from connectors.session import NetworkSession
from social.clock import SteppedClock, Window, boot_seconds, leaving_within, machine_now
from social.domain.errors import ConnectorError, Refused, Uncertain, Unreachable

ORIGIN = "https://api.network.example"
TOKEN = "canary-token-of-the-session"
Respond = Callable[["Place"], None]


class Place(BaseHTTPRequestHandler):
    """One request; what comes back is the test's affair."""

    protocol_version = "HTTP/1.1"
    server: Network  # type: ignore[assignment]

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        if len(self.body) < length:  # cut off: not a request
            self.close_connection = True
            return
        self.server.requests.append(f"{self.command} {self.path}")
        self.server.headers.append(dict(self.headers))
        self.server.respond(self)

    do_GET = do_POST = _any  # noqa: N815 - http.server's names

    def answer(self, body: bytes = b"{}", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Network(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Place)
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.respond: Respond = Place.answer
        self.over = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what is tested here."""

    def session(self, *, timeout: float = 5.0, total: float = 10.0, path: str = "") -> NetworkSession:
        base_url = f"http://127.0.0.1:{self.server_address[1]}{path}"
        return NetworkSession(
            origin=ORIGIN,
            settings=NetworkSettings(base_url=base_url, timeout=timeout, total_timeout=total),
            clock=SteppedClock(datetime(2026, 8, 5, tzinfo=UTC)),
            resource='profile "x"',
        )


@pytest.fixture
def network() -> Iterator[Network]:
    server = Network()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def failed(call: Callable[[], object]) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        call()
    return caught.value


def test_it_sends_to_the_base_url_instead_of_the_built_in_host(network: Network) -> None:
    assert network.session(path="/behind/a/proxy").get(f"{ORIGIN}/2/me?a=1").json() == {}
    assert network.requests == ["GET /behind/a/proxy/2/me?a=1"]


def test_it_sends_nothing_to_any_other_host(network: Network) -> None:
    for address in (
        "https://evil.example/2/me",
        f"{ORIGIN}.evil.example/2/me",
        "http://127.0.0.1:1/",
        "file:///etc/passwd",
    ):
        assert type(failed(lambda address=address: network.session().get(address))) is Unreachable
    assert network.requests == []


def test_it_follows_no_redirect(network: Network) -> None:
    network.respond = lambda place: place.answer(status=307, Location="https://evil.example/")
    session = network.session()
    assert type(failed(lambda: session.get(f"{ORIGIN}/x", headers={"Authorization": f"Bearer {TOKEN}"}))) is Unreachable
    assert type(failed(lambda: session.post(f"{ORIGIN}/x", json={}))) is Uncertain
    assert len(network.requests) == 2


def test_it_never_sends_a_write_twice(network: Network) -> None:
    def hang_up(place: Place) -> None:
        place.close_connection = True

    network.respond = hang_up
    assert type(failed(lambda: network.session().post(f"{ORIGIN}/x", json={}))) is Uncertain
    network.respond = lambda place: place.answer(b"{}", 503, Retry_After="0")
    assert type(failed(lambda: network.session().post(f"{ORIGIN}/x", json={}))) is Uncertain
    assert network.requests == ["POST /x"] * 2


@pytest.mark.parametrize("clock", ["boot", "wall"])
def test_what_is_too_late_by_either_clock_never_leaves(network: Network, clock: str) -> None:
    """A process that slept between its decision and the wire: somebody else may have taken the work over by now."""
    session, hour = network.session(), timedelta(hours=1)
    boot, wall = boot_seconds() + hour.total_seconds(), machine_now() + hour
    over = Window(boot - 7200, wall) if clock == "boot" else Window(boot, wall - 2 * hour)
    session.post(f"{ORIGIN}/write", json={})  # a connection is open already
    with leaving_within(over):
        error = failed(lambda: session.post(f"{ORIGIN}/write", json={"text": "late"}))
    assert isinstance(error, Unreachable)  # surely not published
    assert "too late" in str(error)
    with leaving_within(Window.lasting(hour)):
        session.post(f"{ORIGIN}/write", json={})
    session.post(f"{ORIGIN}/write", json={})
    assert network.requests == ["POST /write"] * 3


def test_what_becomes_too_late_between_head_and_body_is_acted_on_by_nobody(network: Network) -> None:
    session = network.session()
    window = Window.lasting(timedelta(hours=1))
    heads: list[bytes] = []

    def body() -> Iterator[bytes]:
        heads.append(b"sent")
        object.__setattr__(window, "boot", 0.0)  # the process is paused here
        yield b"late"

    with leaving_within(window):
        error = failed(lambda: session.post(f"{ORIGIN}/write", data=body(), headers={"Content-Length": "4"}))
    assert isinstance(error, Unreachable)
    assert heads
    assert network.requests == []


def test_it_reads_no_endless_answer(network: Network) -> None:
    def endless(place: Place) -> None:
        place.send_response(200)
        place.end_headers()
        place.close_connection = True
        while not network.over.is_set():
            place.wfile.write(b" " * 65536)

    network.respond = endless
    assert "longer than" in str(failed(lambda: network.session().get(f"{ORIGIN}/x")))


def test_it_is_not_blown_up_by_a_compressed_answer(network: Network) -> None:
    bomb = gzip.compress(b" " * (MAX_BODY * 4))
    network.respond = lambda place: place.answer(bomb, Content_Encoding="gzip")
    assert "longer than" in str(failed(lambda: network.session().get(f"{ORIGIN}/x")))
    network.respond = lambda place: place.answer(gzip.compress(b'{"a": 1}'), Content_Encoding="gzip")
    assert network.session().get(f"{ORIGIN}/x").json() == {"a": 1}


@pytest.mark.parametrize("part", ["header", "body"])
def test_it_waits_for_no_dribbling_answer(network: Network, part: str) -> None:
    def dribble(place: Place) -> None:
        if part == "body":
            place.send_response(200)
            place.end_headers()
        else:
            place.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        place.close_connection = True
        while not network.over.wait(0.05):
            place.wfile.write(b"x")

    network.respond = dribble
    session = network.session(timeout=1.0, total=0.4)
    assert type(failed(lambda: session.get(f"{ORIGIN}/x"))) is Unreachable
    assert type(failed(lambda: session.post(f"{ORIGIN}/x"))) is Uncertain


def test_it_works_again_after_a_broken_answer(network: Network) -> None:
    session = network.session()
    network.respond = lambda place: place.answer(b'{"torn": ', Content_Length="500")
    place_closes = Place.answer

    def torn(place: Place) -> None:
        place.close_connection = True
        place_closes(place, b'{"torn": ', Content_Length="500")

    network.respond = torn
    assert type(failed(lambda: session.get(f"{ORIGIN}/x"))) is Unreachable
    network.respond = Place.answer
    assert session.get(f"{ORIGIN}/x").json() == {}


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'"text"', b'{"a": NaN', b"\xff\xfe", b"[" * 100_000, b"1" * 5000]
)
def test_only_a_json_object_is_an_answer(network: Network, body: bytes) -> None:
    network.respond = lambda place: place.answer(body)
    assert type(failed(lambda: network.session().get(f"{ORIGIN}/x"))) is Unreachable
    assert type(failed(lambda: network.session().post(f"{ORIGIN}/x"))) is Uncertain


def test_a_read_that_needs_a_post_is_told_apart(network: Network) -> None:
    network.respond = lambda place: place.answer(status=500)
    assert type(failed(lambda: network.session().exchange("POST", f"{ORIGIN}/x", publishes=False))) is Unreachable
    network.respond = lambda place: place.answer(status=422)
    assert type(failed(lambda: network.session().exchange("POST", f"{ORIGIN}/x", publishes=True))) is Refused


def test_a_token_in_the_address_is_in_no_error(network: Network) -> None:
    guard([TOKEN])
    address = f"{ORIGIN}/x?access_token={TOKEN}"
    network.server_close()
    error = failed(lambda: network.session().get(address))
    assert TOKEN not in str(error)
    assert error.__context__ is None
    assert "; GET /x)." in str(error)


def test_a_netrc_password_does_not_replace_our_token(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    network.session().get(f"{ORIGIN}/x", headers={"Authorization": f"Bearer {TOKEN}"})
    assert network.headers[0]["Authorization"] == f"Bearer {TOKEN}"


def test_a_library_that_knows_requests_can_use_it(network: Network) -> None:
    session = network.session()
    assert isinstance(session, requests.Session)
    with session.get(f"{ORIGIN}/x") as response:
        assert response.json() == {}
    session.close()
