"""`social backfill PROFILE --since`: an estimate, a question, and a profile's past read and judged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.simulated.faults import Fault
from connectors.simulated.library import WorldOptions
from connectors.simulated.server import SimulatedServer
from connectors.simulated.world import World
from social.clock import RealClock, machine_now
from social.store.session import Database
from social.store.tables import AlertRow, PostRow, ProfileRow, ReplyRow
from tests.cli.conftest import SHOP, Social
from tests.engine.looking import rows

BUSY = WorldOptions(posts_per_day=0, history_posts_per_day=60, history_days=10, outage="none", scene=False)
SINCE = f"{machine_now() - timedelta(days=8):%Y-%m-%d}"
ON_X = """
[[profiles]]
name = "shop-x"
brand = "Shop"
connector = "twitter"
mode = "dry-run"
credential = "shop-page"
[profiles.options]
monthly_budget_usd = 0.02
"""


@pytest.fixture
def network(shop: Path, social: Social) -> Iterator[SimulatedServer]:
    """A shop with ten days behind it that nobody has read, on Facebook and X."""
    now = machine_now()
    with SimulatedServer(World(start=now - timedelta(hours=1), options=BUSY), RealClock()) as server:
        server.now()
        head, networks = SHOP.replace("http://127.0.0.1:9/facebook", server.base_url("facebook")).split("[connectors")
        text = f'{head}{ON_X}\n[connectors{networks}\n[connectors.twitter]\nbase_url = "{server.base_url("twitter")}"\n'
        (shop / "config.toml").write_text(text, encoding="utf-8")
        assert social("db", "upgrade").code == 0
        yield server


def stored(shop: Path, table: type[Any]) -> list[Any]:
    database = Database(f"sqlite:///{shop}/var/shop.db")
    try:
        return rows(database, table)
    finally:
        database.close()


def test_it_reads_and_judges_the_past_and_answers_nobody(network: SimulatedServer, shop: Path, social: Social) -> None:
    done = social("backfill", "shop-page", "--since", SINCE, "--yes", "--json")
    assert done.code == 0, done.err
    found = done.json
    posts = stored(shop, PostRow)
    assert found["read"] == found["new"] == len(posts) > 50
    assert found["judged"] == sum(found["sentiment"].values()) == sum(not row.ours for row in posts)
    assert (found["known"], found["left_to_the_poll"], found["unreadable"]) == (0, 0, 0)
    assert all(row.history and row.state == "judged" for row in posts)
    assert stored(shop, ReplyRow) == stored(shop, AlertRow) == []
    page, _ = sorted(stored(shop, ProfileRow), key=lambda row: row.name)
    assert (page.cursor, page.first_polled_at) == (None, None)
    assert "canary" not in done.out + done.err

    again = social("backfill", "shop-page", "--since", SINCE, "--yes")
    assert again.code == 0, again.err
    assert "It was read before" in again.err
    assert f"known             {len(posts)}" in again.out
    assert len(stored(shop, PostRow)) == len(posts)


def test_it_says_how_far_and_at_what_price_and_asks(network: SimulatedServer, shop: Path, social: Social) -> None:
    done = social("backfill", "shop-x", "--since", SINCE, stdin="n\n")
    assert done.code == 0, done.err
    assert "newest 800 mentions" in done.err
    assert "at most $4.00" in done.err
    assert "Nothing was read." in done.err
    assert stored(shop, PostRow) == []
    thoughtless = social("backfill", "shop-x", "--since", SINCE, stdin="\n")
    assert "Nothing was read." in thoughtless.err
    free = social("backfill", "shop-page", "--since", SINCE, stdin="n\n")
    assert "cost      nothing" in free.err
    assert "not watched for a day yet" in free.err


def test_nobody_who_could_be_asked_is_no_yes(network: SimulatedServer, shop: Path, social: Social) -> None:
    done = social("backfill", "shop-page", "--since", SINCE)
    assert done.code == 2
    assert "--yes" in done.err
    assert stored(shop, PostRow) == []


def test_it_stops_at_the_operators_own_budget_and_goes_on_once_that_is_raised(
    network: SimulatedServer, shop: Path, social: Social
) -> None:
    done = social("backfill", "shop-x", "--since", SINCE, "--yes")
    assert done.code == 5
    assert "limit of $0.02 is used up" in done.err and "Raise the limit" in done.err
    assert "the same command goes on" in done.err
    read = len(stored(shop, PostRow))
    _give_money(shop)
    again = social("backfill", "shop-x", "--since", SINCE, "--yes", "--json")
    assert again.code == 0, again.err
    assert "It goes on" in again.err
    assert again.json["new"] == len(stored(shop, PostRow)) > read
    assert again.json["judged"] == sum(not row.ours for row in stored(shop, PostRow))


def test_it_waits_where_the_network_asks_to_and_goes_on(network: SimulatedServer, shop: Path, social: Social) -> None:
    _give_money(shop)
    network.faults.add(Fault(kind="status", status=429, path="/mentions$", reset_after=1))
    done = social("backfill", "shop-x", "--since", SINCE, "--yes", "--json")
    assert done.code == 0, done.err
    assert "429" in done.err and "Waiting until" in done.err
    assert done.json["judged"] > 0


def test_in_a_simulated_world_it_says_when_to_come_back(network: SimulatedServer, shop: Path, social: Social) -> None:
    _give_money(shop)
    with (shop / "config.toml").open("a", encoding="utf-8") as config:
        config.write(f'\n[clock]\nmode = "paced"\nspeed = 1\nstart = "{machine_now().isoformat()}"\n')
    network.faults.add(Fault(kind="status", status=429, path="/mentions$", reset_after=900))
    done = social("backfill", "shop-x", "--since", SINCE, "--yes")
    assert done.code == 5
    assert "Come back at" in done.err and "Waiting" not in done.err
    again = social("backfill", "shop-x", "--since", SINCE, "--yes")
    assert again.code == 5
    assert "asked to wait" in again.err and "It goes on" in again.err


def _give_money(shop: Path) -> None:
    config = (shop / "config.toml").read_text(encoding="utf-8")
    (shop / "config.toml").write_text(config.replace("= 0.02", "= 5.0"), encoding="utf-8")


@pytest.mark.parametrize(("status", "code"), [(401, 4), (503, 5)])
def test_a_network_that_is_ill_ends_it_in_a_sentence_and_nothing_is_lost(
    network: SimulatedServer, shop: Path, social: Social, status: int, code: int
) -> None:
    network.faults.add(Fault(kind="status", status=status, count=None))
    done = social("backfill", "shop-page", "--since", SINCE, "--yes")
    assert done.code == code
    assert "the same command goes on" in done.err
    network.faults.clear()
    assert social("backfill", "shop-page", "--since", SINCE, "--yes").code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("shop-pgae", "--since", "2026-01-01"), "Known: shop-page"),
        (("shop-page", "--since", "yesterday"), "Write it as 2026-01-01"),
        (("shop-page", "--since", "2999-01-01"), "has not come yet"),
        (("shop-page",), "--since"),
    ],
)
def test_what_cannot_be_meant_is_told(
    network: SimulatedServer, social: Social, arguments: tuple[str, ...], told: str
) -> None:
    done = social("backfill", *arguments)
    assert done.code == 2
    assert told in done.err
