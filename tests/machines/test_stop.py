"""SIGTERM ends a daemon within ten seconds and with code 0, even while a network holds the line and says nothing."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from connectors.simulated.process import find_running
from social.clock import monotonic
from social.store.rows import c
from social.store.session import Database
from social.store.tables import EscalationRow, PostRow, ProfileRow, ReplyRow
from tests.cli.processes import Shop, social
from tests.engine.looking import eventually, rows

#: What a supervisor gives: the promise itself, and no wish about a quiet machine.
SECONDS = 10


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop.make(tmp_path, only="facebook", poll_every="10m")
    yield shop
    shop.close()


@pytest.fixture
def where(new_store_database: Callable[[], Database]) -> Database:
    return new_store_database()


def hang(shop: Shop, *, method: str, path: str = "") -> None:
    """From now on the network takes such requests and never answers."""
    shop.networks.post("fault", kind="half-open", network="facebook", method=method, path=path, count=None, seconds=120)


def in_the_air(shop: Shop) -> bool:
    return any(line.get("fault") == "half-open" or "half-open" in str(line) for line in history(shop))


def history(shop: Shop) -> list[dict[str, object]]:
    found: list[dict[str, object]] = shop.networks.get("history")["lines"]
    return found


@pytest.mark.slow_on("postgresql")
def test_it_stops_in_time_while_a_poll_hangs(page: Shop, where: Database) -> None:
    url = where.url.render_as_string(hide_password=False)
    process = page.run(DYZUR_DATABASE__URL=url)
    page.logs("polled ")
    hang(page, method="GET")
    poll_now(where)
    eventually(lambda: in_the_air(page), what="a poll that hangs")
    browser = open_pages(page)  # somebody's browser, in the middle of a request

    began = monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    assert monotonic() - began < SECONDS
    browser.close()
    assert "left in the middle, for whoever comes after its lease: poll-1" in page.log
    assert "Traceback" not in page.log
    assert find_running(page.state_file) is None  # the networks that it had started are gone as well


@pytest.mark.slow_on("postgresql")
def test_it_stops_in_time_while_a_reply_hangs_and_never_sends_it_twice(page: Shop, where: Database) -> None:
    url = where.url.render_as_string(hide_password=False)
    process = page.run(DYZUR_DATABASE__URL=url)
    page.logs("polled ")
    asked = page.networks.post("post", network="facebook", text="Gdzie moja paczka?", author="kanarek")
    poll_now(where)

    def case_ids() -> list[int]:
        mine = {post.id for post in rows(where, PostRow) if asked["text"] in post.text}
        return [case.id for case in rows(where, EscalationRow) if case.post_id in mine]

    eventually(case_ids, what="the case")
    hang(page, method="POST", path="/comments$")
    done = social(
        "--config", "config.toml", "queue", "answer", str(case_ids()[0]), "Już sprawdzam.", "--as", "anna",
        cwd=page.folder, DYZUR_DATABASE__URL=url,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    eventually(lambda: in_the_air(page), what="a reply that hangs")

    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    assert [row.state for row in rows(where, ReplyRow) if row.sent_by == "person"] == ["sending"]  # the look-up decides


def poll_now(database: Database) -> None:
    with database.write() as session:
        session.execute(update(ProfileRow).values(due_at=c(ProfileRow).first_polled_at))


def open_pages(shop: Shop) -> socket.socket:
    found = re.search(r"http://127\.0\.0\.1:(\d+)", shop.log)
    assert found is not None
    browser = socket.create_connection(("127.0.0.1", int(found[1])))
    browser.sendall(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    return browser
