"""Canaries in every place that a secret has, the real thing as processes through a bad day, and then a search for them in
everything that it left: logs at their finest, tracebacks, the database, exports, mails, command lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from connectors import registry
from social.cli.logs import UNDER
from social.clock import machine_now
from social.secrets import EncryptedCredentials
from social.store.credentials import StoredCredentials
from tests.engine.looking import eventually
from tests.reliability.planted import Planted, echoing_network, judged, planted_shop

DESK_PASSWORD, WRONG_PASSWORD = "canary desk password 11", "canary wrong password 22"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Planted]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("_postgres_template")()
    with planted_shop(tmp_path / "shop", url) as planted:
        yield planted


def come_in(shop: Planted) -> None:
    """The first account by the one-time link, a wrong password, a session, pages that are there and that are not."""
    address = re.search(r"The desk\s+(\S+)", shop.log)[1]  # type: ignore[index]
    link = re.search(r"Come in\s+(\S+)", shop.log)[1]  # type: ignore[index]
    with httpx.Client(base_url=address, follow_redirects=True, trust_env=False) as browser:
        fields = {"name": "anna", "password": DESK_PASSWORD, "again": DESK_PASSWORD}
        answer = browser.post(link, data={"form": _field(browser.get(link).text), **fields})
        assert answer.url.path == "/queue", answer.text
        for path in (
            "/queue",
            "/health",
            "/people",
            "/reports/sentiment",
            "/account",
            "/case/999999",
            "/nothing",
            "/case/x",
        ):
            browser.get(path)
        shop.plant("a session", browser.cookies["dyzur_session"])
        browser.post("/people", data={"csrf": "wrong", "password": DESK_PASSWORD})
    with httpx.Client(base_url=address, trust_env=False) as stranger:
        form = _field(stranger.get("/sign-in").text)
        refused = stranger.post("/sign-in", data={"form": form, "name": "anna", "password": WRONG_PASSWORD})
        assert refused.status_code == 403
        stranger.cookies.set("dyzur_session", shop.plant("a made-up session", "canary-session-55-zyxwvutsrq"))
        stranger.get("/queue")
    shop.plant("the password of a person", DESK_PASSWORD)
    shop.plant("a wrong password", WRONG_PASSWORD)
    # this link is shown on purpose, once, to whoever starts the desk
    shop.shown_on_purpose = link
    shop.plant("the first link", link.rpartition("/")[2])


def _field(page: str) -> str:
    return re.search(r'name="form" value="([^"]+)"', page)[1]  # type: ignore[index]


def a_bad_day(shop: Planted) -> None:
    """Every network refuses, breaks or lies to the desk, once each (it then stays away for a while), and to commands."""
    shop.visits.statuses.extend([500, 404, 401])
    for kind in registry.kinds():
        shop.customer("Mój syn dostał duszności po waszym produkcie, co robić?!", kind=kind)
    eventually(lambda: judged(shop) >= len(registry.kinds()), what="the judging")
    shop.wait_for("ALERT", "told ")
    shop.break_recording()
    length = len(shop.log)
    shop.customer("Czy ktoś to przeczyta?", kind="facebook")
    shop.wait_for("Traceback", after=length)
    length = len(shop.log)
    troubles = ({"status": 401}, {"status": 500}, {"status": 403}, {"status": 429, "reset": "broken"})
    for number, kind in enumerate(registry.kinds()):
        shop.fault("status", network=kind, method="GET", count=None, **troubles[number % len(troubles)])
    for kind in registry.kinds():
        shop.wait_for(f"warning: fikcja-{kind}", after=length)
    for number, kind in enumerate(registry.kinds()):
        shop.networks.faults.clear()
        shop.fault(("truncated", "html", "reset")[number % 3], network=kind, count=None)
        shop.call("poll", f"fikcja-{kind}", "--once")
    shop.networks.faults.clear()


def an_echo(shop: Planted) -> None:
    """A network that repeats what it was sent: now a secret does stand in an error, and must be masked in it."""
    with echoing_network() as port:
        for kind in registry.kinds():
            address = f"http://127.0.0.1:{port}/{kind}"
            shop.call(
                "poll",
                f"fikcja-{kind}",
                "--once",
                "--debug",
                **{f"DYZUR_CONNECTORS__{kind.upper()}__BASE_URL": address},
            )
            said = shop.told[f"stderr of poll fikcja-{kind} --once --debug"]
            assert "***" in said, said


def commands(shop: Planted) -> None:
    shop.call("doctor", "--json")
    shop.call("check-config", "--json")
    shop.call("queue", "list", "--json")
    shop.call("queue", "show", "1", "--json")
    today = machine_now().date()
    days = ("--from", str(today), "--to", str(today + timedelta(days=1)))
    for form in ("csv", "xlsx"):
        shop.call("export", "sentiment", *days, "--format", form, "--output", f"report.{form}")
    shop.call("db", "backup", "--json")
    shop.call("notify", "test")
    secret = shop.plant("a secret that was typed in", "canary-typed-33-0a1b2c3d")
    shop.call("connect", "bluesky", "--secret-from-stdin", "--debug", stdin=f"sklep-lawenda.test\n{secret}\n")
    link = shop.call("people", "invite", "--json")
    token = json.loads(link)["link"].rpartition("/")[2]
    shop.told["stdout of people invite --json"] = link.replace(token, "(asked for)")
    shop.plant("an invitation", token)


def sealed_parts(shop: Planted) -> dict[str, str]:
    """What the desk itself has renewed at run time, opened with its own key."""
    with shop.opened() as database:
        key = shop.folder / "dyzur.key" if database.path is None else database.path.with_suffix(".key")
        store = EncryptedCredentials(
            directory=shop.folder / "secrets",
            key_file=key,
            sealed=StoredCredentials(database, machine_now),
            environment={},
        )
        parts: dict[str, str] = dict(store.load("fikcja-bluesky"))
        for line in key.read_text().split():
            shop.plant("a key of the key file", line)
    return parts


@pytest.mark.slow
def test_no_secret_is_anywhere_but_where_it_belongs(shop: Planted) -> None:
    shop.start("debug")
    come_in(shop)
    a_bad_day(shop)
    an_echo(shop)
    commands(shop)
    before = sealed_parts(shop)
    shop.call("secrets", "rotate-key", "--json")
    shop.networks.stop()
    shop.call("poll", "fikcja-facebook", "--once", "--debug")
    shop.stop()
    for name, value in {**before, **sealed_parts(shop)}.items():
        if name != "session_for":
            shop.plant(f"renewed: {name}", value)
    assert any(name.startswith("renewed: session") for name in shop.secrets)
    assert len(shop.command_lines) >= 3
    assert shop.mails.envelopes and shop.visits.bodies  # the bad day was told

    assert shop.hits() == []


def test_the_search_finds_what_is_there(shop: Planted) -> None:
    """Or else its silence would prove nothing."""
    shop.log_file.write_text("nothing yet", encoding="utf-8")
    with shop.opened() as database:
        from social.store import schema

        schema.upgrade(database, now=machine_now())
    assert shop.hits() == []
    name, value = next(iter(shop.secrets.items()))
    (shop.folder / "leak.txt").write_text(f"?token={value}", encoding="utf-8")
    shop.told["stderr of a command"] = value
    assert shop.hits() == [f"{name} in stderr of a command", f"{name} in {shop.folder / 'leak.txt'}"]


# --- what customers wrote ----------------------------------------------------------------------------------------------

WORDS = "kanarkowe słowa klienta o zaginionej paczce"
HANDLE = "kanarek_znany"


def test_no_word_and_no_name_of_a_customer_is_in_the_log(shop: Planted) -> None:
    shop.start("info")
    for kind in registry.kinds():
        shop.customer(f"{WORDS}\r\nFri 10:00:00  sent fikcja-{kind} #1 \x1b[31m \u202e", kind=kind, author=HANDLE)
        shop.customer(f"{WORDS}, a moja córka ma duszności!", kind=kind, author=HANDLE)
    eventually(lambda: judged(shop) >= 6, what="all judged")
    shop.wait_for("ALERT", "told ")
    shop.call("queue", "answer", "1", "Dzień dobry, już sprawdzamy.", "--as", "anna")
    shop.wait_for("sent ")
    shop.break_recording()
    length = len(shop.log)
    for kind in registry.kinds():
        shop.fault("status", network=kind, status=403, method="POST", count=3)
        shop.customer(f"{WORDS} po raz trzeci", kind=kind, author=f"{HANDLE}_2")
    shop.wait_for("Traceback", after=length)
    shop.stop()

    log = shop.log
    assert "kanark" not in log.lower() and "kanarek" not in log.lower() and "duszności" not in log
    events = log[log.index("Stop with Ctrl-C.") :].split("\n")[2:]
    lines = [line for line in events if line and not line.startswith((UNDER, "Stopping"))]
    assert lines
    assert [line for line in lines if not re.match(r"[A-Z][a-z]{2} \d\d:\d\d:\d\d  ", line)] == []
    assert all(line.isprintable() for line in events)
    # by contrast, the words are where people need them
    assert WORDS in shop.call("queue", "list") + shop.call("queue", "show", "1")
