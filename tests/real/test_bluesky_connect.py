"""From nothing to a live profile on the makers' own servers: `social connect`, `social go-live`, a customer who is heard."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from social.clock import SteppedClock
from social.engine import build
from social.engine.schedule import run_stepped
from social.secrets import configured_parts
from social.settings import load_settings
from tests.cli.processes import environment
from tests.fakes import FakeClassifier
from tests.real.bluesky_network import Account, BlueskyNetwork, ask, replies_in, wait_until

SHOP = """\
[database]
url = "sqlite:///var/shop.db"

[triage]
backend = "rules"

[[brands]]
name = "Sklep"
languages = ["pl"]
timezone = "Europe/Warsaw"

[brands.hours]
mon-sun = ["00:00-24:00"]

[[profiles]]
name = "other"
brand = "Sklep"
connector = "bluesky"
mode = "off"
credential = "nobody-has-it"

[profiles.options]
handle = "other.test"

[connectors.bluesky]
base_url = "{pds}"
"""


@pytest.fixture
def shop(tmp_path: Path, network: BlueskyNetwork) -> Path:
    (tmp_path / "config.toml").write_text(SHOP.format(pds=network.pds), encoding="utf-8")
    return tmp_path


def social(*arguments: str, cwd: Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "social.cli", *arguments],
        cwd=cwd,
        env=environment(),
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def app_password(account: Account, *, privileged: bool = False) -> str:
    """As its owner makes one in the app's settings."""
    asked = {"name": f"desk {privileged}", "privileged": privileged}
    return str(account.procedure("com.atproto.server.createAppPassword", asked)["password"])


def test_a_new_profile_is_connected_goes_live_and_a_customer_is_acknowledged(
    shop: Path, brand: Account, customer: Account
) -> None:
    password = app_password(brand)
    ask(customer, brand, "czy to działa?")
    wait_until("the mention", lambda: brand.query("app.bsky.notification.listNotifications", limit=5)["notifications"])

    typed = f"\n{brand.handle}\n{password}\n\n"
    connected = social("connect", "bluesky", "--lang", "en", cwd=shop, typed=typed)

    assert connected.returncode == 0, connected.stderr
    assert brand.did in connected.stdout and "czy to działa?" in connected.stdout
    assert "all that is needed (com.atproto.appPass)" in connected.stdout
    assert password not in connected.stdout + connected.stderr + (shop / "config.toml").read_text()
    name = "sklep-bluesky"
    assert configured_parts(name, directory=shop / "secrets", environment={}) == {"app_password": password}

    assert social("db", "upgrade", cwd=shop).returncode == 0
    live = social("go-live", name, "--yes", "--confirm", "automated-label", "--json", cwd=shop)
    assert live.returncode == 0, live.stderr
    assert json.loads(live.stdout)["changed"] is True

    settings = load_settings(shop / "config.toml", environment={})
    database, clock, judge = build.open_database(settings), SteppedClock(datetime.now(UTC)), FakeClassifier()
    desk = build.open_desk(settings, database, clock, judge=(judge, judge))
    try:
        assert list(desk.broken) == ["other"]  # the other one's fault stays its own
        run_stepped(desk, clock, until=clock.now() + timedelta(seconds=1))
        post = ask(customer, brand, "a gdzie paczka?")
        wait_until("the second mention", lambda: uri_told(brand, post["uri"]))
        clock.advance_to(datetime.now(UTC))
        run_stepped(desk, clock, until=clock.now() + timedelta(hours=1))
        wait_until("the acknowledgement", lambda: replies_in(customer, post["uri"]))
        (said,) = replies_in(customer, post["uri"])
        assert "automat" in said
    finally:
        desk.close()


def uri_told(brand: Account, uri: str) -> bool:
    told = brand.query("app.bsky.notification.listNotifications", limit=20)["notifications"]
    return any(item["uri"] == uri for item in told)


@pytest.mark.parametrize(
    ("which", "told"), [("own", "This is the account's own password"), ("wrong", "does not accept this access")]
)
def test_the_accounts_own_password_and_a_wrong_one_are_not_taken(
    shop: Path, brand: Account, which: str, told: str
) -> None:
    before = (shop / "config.toml").read_text()
    password = brand.password if which == "own" else "abcd-efgh-ijkl-mnop"
    arguments = ("--lang", "en", "--option", f"handle={brand.handle}", "--secret-from-stdin")

    done = social("connect", "bluesky", *arguments, cwd=shop, typed=f"{password}\n")

    assert done.returncode == 4
    assert told in done.stderr
    assert (shop / "config.toml").read_text() == before
    assert not list((shop / "secrets").glob("*"))


def test_a_password_that_reads_direct_messages_is_taken_and_named(shop: Path, brand: Account) -> None:
    arguments = ("--lang", "en", "--option", f"handle={brand.handle}", "--secret-from-stdin", "--json")

    done = social("connect", "bluesky", *arguments, cwd=shop, typed=f"{app_password(brand, privileged=True)}\n")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["notes"] == ["direct-messages"]
