"""Clocks that are wrong: the network's, ours, and those that customers' posts claim."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.simulated.server import SimulatedRequest, SimulatedResponse
from connectors.simulated.world import World
from social.clock import SteppedClock
from social.domain.reply import ReplyState
from social.store.session import Database
from tests.connectors.contract import START
from tests.reliability.networks import KINDS, Town, town
from tests.story.telling import alerts, posts, replies


class WallClock(SteppedClock):
    """As far as the desk can tell, the machine's own."""

    mode = "real"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("minutes", [-60, 6, 60 * 24])
def test_nothing_automatic_goes_out_while_the_clocks_differ_and_people_are_told_once(
    kind: str, minutes: int, database: Database, tmp_path: Path
) -> None:
    with town(kind, database, tmp_path, clock=WallClock(START)) as place:
        place.customer_says("Gdzie jest moja paczka?")
        place.fault("date", count=None, seconds=60 * minutes)
        place.run(minutes=50)
        assert place.writes() == []
        assert [reply.state for reply in replies(database)] == [ReplyState.PLANNED]
        (alert,) = alerts(database)
        assert alert.kind == "clock"
        assert ("behind" if minutes > 0 else "ahead of") in alert.message

        place.clear()
        place.fault("date", count=None, seconds=20)
        place.run(minutes=8)
        assert [reply.state for reply in replies(database)] == [ReplyState.SENT]
        assert alerts(database) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_minutes_and_a_simulated_worlds_clock_are_no_trouble(
    kind: str, database: Database, tmp_path: Path
) -> None:
    with town(kind, database, tmp_path, clock=WallClock(START)) as place:
        place.customer_says("Gdzie jest moja paczka?")
        place.fault("date", count=None, seconds=240)
        place.run(minutes=45)
        assert [reply.state for reply in replies(database)] == [ReplyState.SENT]
        assert alerts(database) == []


class Telling:
    """A network that tells other times and ids than those of its world."""

    def __init__(self, place: Town, change: Callable[[dict[str, Any]], None]) -> None:
        self._dialect, self._change = place.stage.server.dialects[place.kind], change
        self.network, self.refuse = self._dialect.network, self._dialect.refuse
        place.stage.server.dialects[place.kind] = self

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        response = self._dialect.handle(request, world)
        body = json.loads(json.dumps(response.body))
        self._walk(body)
        return replace(response, body=body)

    def _walk(self, node: Any) -> None:
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            self._walk(value)
        if isinstance(node, dict):
            self._change(node)


@pytest.mark.parametrize("kind", KINDS)
def test_a_post_from_the_future_hides_none_that_come_after_it_and_nobody_waits_a_negative_time(
    kind: str, database: Database, tmp_path: Path
) -> None:
    def into_the_future(node: dict[str, Any]) -> None:
        if "nowy 0" in json.dumps(node.get("text") or node.get("message") or node.get("record") or ""):
            for name, value in (
                ("created_at", "2101-01-01T00:00:00.000Z"),
                ("created_time", "2101-01-01T00:00:00+0000"),
                ("indexedAt", "2101-01-01T00:00:00.000Z"),
            ):
                if name in node:
                    node[name] = value

    with town(kind, database, tmp_path) as place:
        Telling(place, into_the_future)
        for number in range(4):
            place.customer_says(f"nowy {number}", author=f"c{number}")
            place.run(minutes=12)
        found = [post for post in posts(database) if not post.ours]
        assert sorted(post.text[-6:] for post in found) == [f"nowy {number}" for number in range(4)]
        assert all(post.created_at <= post.received_at for post in found)
        place.run(hours=1)
        assert len(place.published()) == 4


def test_an_id_from_the_future_or_of_an_absurd_length_does_not_move_the_mark(
    database: Database, tmp_path: Path
) -> None:
    def absurd(node: dict[str, Any]) -> None:
        if str(node.get("text", "")).endswith("nowy 0"):
            node["id"], node["edit_history_tweet_ids"] = "9" * 19, ["9" * 19]
        if str(node.get("text", "")).endswith("nowy 1"):
            node["id"], node["edit_history_tweet_ids"] = "8" * 30, ["8" * 30]
        if "newest_id" in node:
            node["newest_id"] = "9" * 19

    with town("twitter", database, tmp_path) as place:
        Telling(place, absurd)
        for number in range(4):
            place.customer_says(f"nowy {number}", author=f"c{number}")
            place.run(minutes=6)
        found = [post.text[-6:] for post in posts(database) if not post.ours]
        assert sorted(found) == [f"nowy {number}" for number in range(4)]
