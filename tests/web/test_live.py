"""Signals: that something changed, never what."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPConnection

import pytest

from social.domain.errors import DyzurError
from social.store import control
from social.web.live import Pulse
from social.web.serve import WebServer
from tests.web.conftest import CONFIG, NOW, Browser, Shop


def test_the_pulse_changes_with_the_desk_and_says_nothing_else(shop: Shop) -> None:
    async def watch() -> list[str]:
        pulse = Pulse(shop.desk)
        seen = [await pulse.value(), await pulse.value()]
        with shop.database.write() as session:
            control.pause(session, by="hanna", now=NOW)
        seen.append(await pulse.value())  # looked up a moment ago: all streams share one look a second
        pulse._looked -= 5
        seen.append(await pulse.value())
        return seen

    first, again, soon, later = asyncio.run(watch())
    assert first == again == soon
    assert later != first
    assert len(later) == 16


def test_the_stream_is_for_those_who_are_signed_in(shop: Shop) -> None:
    assert Browser(shop).get("/live", **{"hx-request": "true"}).status == 401


def test_it_serves_signals_and_stops_within_seconds_while_a_stream_is_open(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(CONFIG + "\n[web]\nport = 0\n")
    cookie = shop.browser().client.cookies["dyzur_session"]
    server = WebServer(shop.desk)
    server.start()
    try:
        line = HTTPConnection("127.0.0.1", server.port, timeout=10)
        line.request("GET", "/live", headers={"Cookie": f"dyzur_session={cookie}"})
        answer = line.getresponse()
        assert answer.getheader("Content-Type", "").startswith("text/event-stream")
        first = json.loads(answer.readline().decode().removeprefix("data: "))
        answer.readline()
        with shop.database.write() as session:
            control.pause(session, by="hanna", now=NOW)
        second = json.loads(answer.readline().decode().removeprefix("data: "))
        assert set(second) == {"seen"}
        assert second != first
    finally:
        stopper = threading.Thread(target=server.stop)
        begun = time.monotonic()
        stopper.start()
        stopper.join(15)
        assert not stopper.is_alive()
        line.close()
    assert time.monotonic() - begun < 12
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0


def test_a_port_that_is_taken_is_told(make_shop: Callable[..., Shop]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        shop = make_shop(CONFIG + f"\n[web]\nport = {port}\n")
        with pytest.raises(DyzurError, match=f"port {port} of 127.0.0.1"):
            WebServer(shop.desk).start()


def test_it_answers_over_a_real_socket(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(CONFIG + "\n[web]\nport = 0\n")
    server = WebServer(shop.desk)
    server.start()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/sign-in", timeout=10) as answer:
            assert answer.status == 200
            assert "server" not in answer.headers
    finally:
        server.stop()
