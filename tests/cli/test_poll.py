"""`social poll PROFILE --once`: what is new on a network, looked at or kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.simulated.control import customer_posts
from connectors.simulated.faults import Fault
from connectors.simulated.library import WorldOptions
from connectors.simulated.server import SimulatedServer
from connectors.simulated.world import World
from social.clock import RealClock, machine_now
from social.store.session import Database
from social.store.tables import PostRow, ProfileRow
from tests.cli.conftest import SHOP, Social
from tests.engine.looking import rows

CALM = WorldOptions(posts_per_day=0, history_posts_per_day=2, history_days=2, outage="none", scene=False)


@pytest.fixture
def network(shop: Path, social: Social) -> Iterator[SimulatedServer]:
    """The simulated page of the shop, with a customer's question on it, and an empty database."""
    now = machine_now()
    with SimulatedServer(World(start=now - timedelta(hours=1), options=CALM), RealClock()) as server:
        server.now()
        customer_posts(server.world, "facebook", "Czy jest mydło?\nZ lawendą.", author="kanarek")
        text = SHOP.replace("http://127.0.0.1:9/facebook", server.base_url("facebook"))
        (shop / "config.toml").write_text(text, encoding="utf-8")
        assert social("db", "upgrade").code == 0
        yield server


def stored(shop: Path) -> tuple[list[str], dict[str, Any]]:
    database = Database(f"sqlite:///{shop}/var/shop.db")
    try:
        (row,) = rows(database, ProfileRow)
        kept = {"cursor": row.cursor, "first": row.first_polled_at, "last": row.last_polled_at}
        return [post.text for post in rows(database, PostRow)], kept
    finally:
        database.close()


def test_it_shows_what_is_new_and_stores_nothing_in_a_dry_run(
    network: SimulatedServer, shop: Path, social: Social
) -> None:
    for _ in range(2):
        done = social("poll", "shop-page", "--once", "--dry-run")
        assert done.code == 0, done.err
        (line,) = [line for line in done.out.splitlines() if "mydło" in line]
        assert line.endswith("Czy jest mydło? Z lawendą.")  # one line a post, whatever its text holds
        assert done.out.rstrip().endswith("nothing stored.")
        assert "canary" not in done.out + done.err
    assert stored(shop) == ([], {"cursor": None, "first": None, "last": None})


def test_it_stores_posts_and_cursor_and_goes_on_from_there(
    network: SimulatedServer, shop: Path, social: Social
) -> None:
    done = social("poll", "shop-page", "--once", "--json")
    assert done.code == 0, done.err
    assert (done.json["profile"], done.json["stored"], done.json["unreadable"]) == ("shop-page", True, 0)
    first = done.json["posts"]
    assert "Czy jest mydło?\nZ lawendą." in [post["text"] for post in first]
    assert all(datetime.fromisoformat(post["created_at"]).tzinfo for post in first)
    texts, kept = stored(shop)
    assert len(texts) == len(first)
    assert kept["cursor"] is not None and kept["first"] is not None

    customer_posts(network.world, "facebook", "A świece?", author="wrona")
    again = social("poll", "shop-page", "--once", "--json")
    assert [post["text"] for post in again.json["posts"]] == ["A świece?"]


@pytest.mark.parametrize("dry_run", [["--dry-run"], []])
def test_it_ends_with_the_networks_own_trouble_in_one_sentence(
    network: SimulatedServer, shop: Path, social: Social, dry_run: list[str]
) -> None:
    network.faults.add(Fault(kind="html", count=None))
    done = social("poll", "shop-page", "--once", *dry_run)
    assert done.code == 5
    assert done.out == ""
    assert len(done.err.strip().splitlines()) == 1
    assert "shop-page" in done.err and "Something unexpected" not in done.err
    assert stored(shop)[0] == []


@pytest.mark.parametrize("dry_run", [["--dry-run"], []])
def test_a_network_that_is_away_is_told_once_and_in_words(
    network: SimulatedServer, social: Social, dry_run: list[str]
) -> None:
    host = network.base_url("facebook").split("/")[2]
    network.stop()
    done = social("poll", "shop-page", "--once", *dry_run)
    assert done.code == 5
    (line,) = done.err.strip().splitlines()
    assert f"{host} cannot be reached (Connection refused; GET " in line
    assert line.endswith("). Check the network: social doctor")


def test_it_names_the_profiles_that_there_are(network: SimulatedServer, social: Social) -> None:
    done = social("poll", "shop-pgae", "--once")
    assert done.code == 2
    assert "there is no profile 'shop-pgae'" in done.err and "Known: shop-page." in done.err


def test_it_asks_only_once_and_says_so(network: SimulatedServer, social: Social) -> None:
    done = social("poll", "shop-page")
    assert done.code != 0
    assert "social poll shop-page --once" in done.err


def test_a_look_needs_no_database_and_makes_none(network: SimulatedServer, social: Social, shop: Path) -> None:
    (shop / "var" / "shop.db").unlink()
    before = {file for file in shop.rglob("*") if file.is_file()}
    done = social("poll", "shop-page", "--once", "--dry-run", "--json")
    assert done.code == 0
    assert done.json["posts"]
    assert {file for file in shop.rglob("*") if file.is_file()} == before


def test_it_never_makes_a_database(social: Social, shop: Path) -> None:
    done = social("poll", "shop-page", "--once")
    assert done.code != 0
    assert "social run" in done.err
    assert not (shop / "var" / "shop.db").exists()
