"""A real desk on a page that has nearly used up its limit: news waits, answers go out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.simulated.server import SimulatedServer, discover_dialects
from connectors.simulated.world import World
from social.clock import SteppedClock
from social.engine.desk import Desk
from social.engine.schedule import run_stepped
from social.store.session import Database
from tests.connectors.contract import QUIET, START, RememberedCredentials, Stage
from tests.connectors.test_facebook import Interposed, every, graph_error, usage
from tests.factories import desk_for
from tests.story.telling import posts, replies

SECRETS = {"access_token": "canary-page-token-of-meta", "app_secret": "canary-app-secret-of-meta"}


@pytest.fixture
def stage() -> Iterator[Stage]:
    clock, world = SteppedClock(START), World(start=START, options=QUIET)
    with SimulatedServer(world, clock, dialects={"facebook": discover_dialects()["facebook"]}) as server:
        credentials = RememberedCredentials("own", SECRETS)
        stage = Stage(kind="facebook", world=world, clock=clock, server=server, credentials=credentials)
        yield stage
        for connector in stage.opened:
            connector.close()


@pytest.fixture
def desk(stage: Stage, database: Database) -> Desk:
    return desk_for(database, stage.clock, stage.connector(), first_polled_at=None)


def run(desk: Desk, stage: Stage, **by: float) -> None:
    run_stepped(desk, stage.clock, until=stage.clock.now() + timedelta(**by))
    stage.server.now()


def test_at_96_percent_an_acknowledgement_is_sent_and_news_waits(stage: Stage, desk: Desk) -> None:
    run(desk, stage, minutes=1)
    stage.customer_says("gdzie jest moja paczka?")
    run(desk, stage, minutes=30)
    assert not stage.published()
    network = Interposed(stage, after=lambda request, response: replace(response, headers=usage(96, minutes=60)))
    run(desk, stage, minutes=6)  # a poll, which tells the desk
    stage.customer_says("nowy 1", author="beata_kuras")
    network.seen.clear()
    run(desk, stage, minutes=20)
    assert [reply.state for reply in replies(desk.database)] == ["sent"]
    assert len(stage.published()) == 1
    assert not [request for request in network.seen if request.path.endswith("/published_posts")]
    assert "nowy 1" not in [post.text for post in posts(desk.database)]


def test_a_throttle_of_the_networks_own_still_stops_answers_too(stage: Stage, desk: Desk) -> None:
    run(desk, stage, minutes=1)
    stage.customer_says("gdzie jest moja paczka?")
    run(desk, stage, minutes=30)
    throttled = replace(graph_error(80001), headers=usage(100, minutes=60))
    network = Interposed(stage, instead=every("GET", throttled))
    run(desk, stage, minutes=6)
    network.seen.clear()
    run(desk, stage, minutes=20)
    assert [reply.state for reply in replies(desk.database)] == ["planned"]
    assert not network.seen
