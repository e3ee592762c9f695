"""Facebook's walks back to what is known: whatever of the network ends between two pages, nothing is lost and nothing stops."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from connectors.simulated.control import customer_posts
from connectors.simulated.facebook import native_id
from connectors.simulated.records import WorldPost
from connectors.simulated.server import (
    SimulatedRequest,
    SimulatedResponse,
    SimulatedServer,
    discover_dialects,
)
from connectors.simulated.world import World
from social.clock import SteppedClock
from social.domain.errors import CredentialsExpired, Unreachable
from social.domain.post import Quarantined
from social.ports import Cursor, Page
from tests.connectors.contract import QUIET, START, RememberedCredentials, Stage, numbers, whole_round
from tests.connectors.test_facebook import Interposed, graph_error

SECRETS = {"access_token": "canary-page-token-of-meta", "app_secret": "canary-app-secret-of-meta"}


@pytest.fixture
def stage() -> Iterator[Stage]:
    clock, world = SteppedClock(START), World(start=START, options=QUIET)
    dialects = {"facebook": discover_dialects()["facebook"]}
    with SimulatedServer(world, clock, dialects=dialects) as server:
        stage = Stage(
            kind="facebook",
            world=world,
            clock=clock,
            server=server,
            credentials=RememberedCredentials("own", SECRETS),
        )
        yield stage
        for connector in stage.opened:
            connector.close()


def kept(page: Page) -> Cursor:
    """The cursor as the database gives it back."""
    cursor: dict[str, Any] = json.loads(json.dumps(page.cursor))
    return cursor


def under(stage: Stage, post: WorldPost, count: int, *, first: int = 0) -> list[WorldPost]:
    said = []
    for number in range(first, first + count):
        stage.pass_time(seconds=5)
        text, author = f"nowy {number}", f"c{number % 40}"
        said.append(customer_posts(stage.world, "facebook", text, author=author, parent=post.sequence))
    return said


def refusing(stage: Stage, when: Callable[[SimulatedRequest], bool]) -> Interposed:
    return Interposed(stage, instead=lambda request: graph_error(100) if when(request) else None)


def test_a_post_that_is_deleted_while_it_is_read_stops_nothing_else(stage: Stage) -> None:
    campaign = stage.shop_post()
    cursor = kept(whole_round(stage.connector(), None))
    under(stage, campaign, 60)
    page = stage.connector().fetch(cursor)
    assert page.more
    stage.world.delete(campaign.sequence)
    customer_posts(stage.world, "facebook", "nowy 999", author="ola_wrona", kind="visitor-post")
    page = whole_round(stage.connector(), kept(page))
    read = numbers(page)
    for _ in range(3):
        stage.pass_time(minutes=11)
        page = whole_round(stage.connector(), kept(page))
        read += numbers(page)
    assert read == [999]
    assert native_id(stage.world, campaign) not in page.cursor["marks"]
    assert not page.cursor["given_up"]


def test_a_post_that_may_not_be_read_any_more_stops_nothing_else_and_is_told_of(stage: Stage) -> None:
    campaign = stage.shop_post()
    cursor = kept(whole_round(stage.connector(), None))
    under(stage, campaign, 60)
    page = stage.connector().fetch(cursor)
    assert page.more
    dialect = stage.server.dialects["facebook"]
    path = f"/{native_id(stage.world, campaign)}/comments"
    Interposed(stage, instead=lambda request: graph_error(10) if request.path.endswith(path) else None)
    read, told = numbers(page), list(page.quarantined)
    for number in range(100, 106):
        stage.pass_time(minutes=5)
        customer_posts(stage.world, "facebook", f"nowy {number}", author=f"d{number}", kind="visitor-post")
        page = whole_round(stage.connector(), kept(page))
        read, told = [*read, *numbers(page)], [*told, *page.quarantined]
    assert set(range(100, 106)) <= set(read)
    assert {bad.native_id for bad in told} == {native_id(stage.world, campaign)}
    stage.server.dialects["facebook"] = dialect
    assert set(range(60)) <= {*read, *numbers(whole_round(stage.connector(), kept(page)))}


def test_an_edge_that_may_not_be_read_any_more_is_an_error(stage: Stage) -> None:
    options = {"watched_posts": 10}
    cursor = kept(whole_round(stage.connector(options=options), None))
    for number in range(30):
        stage.pass_time(minutes=4)
        customer_posts(stage.world, "facebook", f"nowy {number}", author=f"c{number}", kind="visitor-post")
    page = stage.connector(options=options).fetch(cursor)
    assert page.more
    Interposed(stage, instead=lambda r: graph_error(10) if r.path.endswith("/visitor_posts") else None)
    with pytest.raises(CredentialsExpired):
        stage.connector(options=options).fetch(kept(page))


def test_a_place_whose_comment_is_deleted_loses_nothing(stage: Stage) -> None:
    campaign = stage.shop_post()
    cursor = kept(whole_round(stage.connector(), None))
    said = under(stage, campaign, 160)
    page = stage.connector().fetch(cursor)
    stage.world.delete(said[135].sequence)  # the last of the first 25
    rest = whole_round(stage.connector(), kept(page))
    assert set(numbers(page, rest)) == set(range(160))
    assert not rest.quarantined
    assert whole_round(stage.connector(), rest.cursor).posts == ()


def test_the_next_round_begins_at_once_after_a_place_ended(stage: Stage) -> None:
    campaign = stage.shop_post()
    cursor = kept(whole_round(stage.connector(), None))
    said = under(stage, campaign, 60)
    first = stage.connector().fetch(cursor)
    stage.world.delete(said[35].sequence)
    second = stage.connector().fetch(kept(first))
    assert (second.posts, second.more) == ((), True)


def test_a_visitors_post_at_a_place_is_deleted_and_the_older_ones_still_come(stage: Stage) -> None:
    options = {"watched_posts": 10}
    cursor = kept(whole_round(stage.connector(options=options), None))
    said = []
    for number in range(64):
        stage.pass_time(minutes=4)
        author = f"c{number}"
        said.append(customer_posts(stage.world, "facebook", f"nowy {number}", author=author, kind="visitor-post"))
    page = stage.connector(options=options).fetch(cursor)
    stage.world.delete(said[54].sequence)
    rest = whole_round(stage.connector(options=options), kept(page))
    assert set(numbers(page, rest)) == set(range(64))


@pytest.mark.parametrize("ends", [0, 1])
def test_a_post_of_two_edges_loses_nothing_where_one_of_its_walks_ends(stage: Stage, ends: int) -> None:
    """A second walk under the same post begins at a younger mark; the first one's is the one that counts."""
    asked = customer_posts(stage.world, "facebook", "gdzie paczka?", author="ola_wrona", kind="visitor-post")
    cursor = kept(whole_round(stage.connector(), None))
    for number in range(160):
        stage.pass_time(seconds=1)
        text, author = f"nowy {number}", f"c{number}"
        customer_posts(stage.world, "facebook", text, author=author, parent=asked.sequence)
    shown = {}

    def tagged_too(request: SimulatedRequest, response: SimulatedResponse) -> SimulatedResponse:
        if request.path.endswith("/visitor_posts"):
            shown["page"] = response
        return shown["page"] if request.path.endswith("/tagged") else response

    network = stage.server.dialects["facebook"]
    Interposed(stage, after=tagged_too)
    page = stage.connector().fetch(cursor)
    assert len(page.cursor["pending"]) == 2
    stage.server.dialects["facebook"] = network
    refused = iter([number == ends for number in range(2)])
    refusing(stage, lambda request: request.param("after") is not None and next(refused, False))
    rest = whole_round(stage.connector(), kept(page))
    assert set(numbers(page, rest)) == set(range(160))


def test_an_old_post_that_newer_ones_pushed_away_is_read_on_after_its_place_ended(stage: Stage) -> None:
    """Its last known word is older than what is looked back at otherwise."""
    campaign = stage.shop_post()
    cursor = kept(whole_round(stage.connector(), None))
    while len(stage.world.brand_posts("facebook")) < 25:
        stage.pass_time(hours=6)
    assert stage.clock.now() > START + timedelta(days=20)
    said = under(stage, campaign, 60)
    page = stage.connector().fetch(cursor)
    stage.world.delete(said[35].sequence)
    stage.world.publish("facebook", stage.world.brand("facebook"), "Nowa kampania.")
    pages = [page]
    for _ in range(2):
        pages.append(whole_round(stage.connector(), kept(pages[-1])))
        stage.pass_time(minutes=11)
    assert set(numbers(*pages)) == set(range(60))


def test_a_network_that_refuses_every_place_keeps_nothing_else_away_and_is_told_of(stage: Stage) -> None:
    campaign = stage.shop_post()
    page = whole_round(stage.connector(), None)
    under(stage, campaign, 60)
    network = refusing(stage, lambda request: request.param("after") is not None)
    told: list[Quarantined] = []
    for number in range(100, 106):
        stage.pass_time(minutes=5)
        customer_posts(stage.world, "facebook", f"nowy {number}", author=f"d{number}", kind="visitor-post")
        network.seen.clear()
        page = whole_round(stage.connector(), kept(page))
        assert number in numbers(page)
        assert len(network.seen) < 15, "one poll must not go on for ever"
        told += page.quarantined
    assert {bad.native_id for bad in told} == {native_id(stage.world, campaign)}
    assert len({bad.raw for bad in told}) == 1  # kept aside once
    assert "time and again" in told[0].reason
    stage.server.dialects["facebook"] = discover_dialects()["facebook"]
    page = whole_round(stage.connector(), kept(page))
    assert set(range(60)) <= set(numbers(page))
    assert not page.cursor["given_up"]


def test_a_request_that_is_wrong_in_itself_is_an_error_and_no_loop(stage: Stage) -> None:
    campaign = stage.shop_post()
    cursor = kept(whole_round(stage.connector(), None))
    under(stage, campaign, 60)
    page = stage.connector().fetch(cursor)
    network = stage.server.dialects["facebook"]
    refusing(stage, lambda request: request.path.endswith("/comments"))
    for _ in range(3):
        with pytest.raises(Unreachable, match="100/0"):
            stage.connector().fetch(kept(page))
    stage.server.dialects["facebook"] = network
    assert set(numbers(page, whole_round(stage.connector(), kept(page)))) == set(range(60))


def test_a_wrong_time_of_one_comment_hides_neither_it_nor_those_on_the_pages_below(stage: Stage) -> None:
    campaign = stage.shop_post()
    cursor = kept(whole_round(stage.connector(), None))
    stage.pass_time(minutes=8)
    under(stage, campaign, 60)
    network = stage.server.dialects["facebook"]

    def misdated(node: Any) -> Any:
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            misdated(value)
        if isinstance(node, dict) and str(node.get("message")) == "nowy 50":
            node["created_time"] = "2015-10-06T00:00:00+0000"
        return node

    Interposed(
        stage, after=lambda request, response: replace(response, body=misdated(json.loads(json.dumps(response.body))))
    )
    page = whole_round(stage.connector(), cursor)
    assert set(numbers(page)) == set(range(60)) - {50}
    stage.server.dialects["facebook"] = network
    stage.pass_time(minutes=3)
    assert numbers(whole_round(stage.connector(), kept(page))) == [50]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_deleted_between_two_pages_all_that_stays_is_read(stage: Stage, seed: int) -> None:
    random = Random(seed)
    campaign = stage.shop_post()
    page = whole_round(stage.connector(), None)
    alive = {post.sequence: number for number, post in enumerate(under(stage, campaign, 230))}
    read = set()
    for step in range(40):
        page = stage.connector().fetch(kept(page))
        read |= set(numbers(page))
        # where the next page begins, every other time
        places = [int(walk["after"][1:]) for walk in page.cursor["pending"] if random.random() < 0.5]
        for sequence in [*places, *random.sample(sorted(alive), 3)] if step < 25 else ():
            if alive.pop(sequence, None) is not None:
                stage.world.delete(sequence)
        stage.pass_time(seconds=20)
    assert read >= set(alive.values())
    assert not page.more


def test_an_edge_that_is_switched_on_later_brings_no_history_as_news(stage: Stage) -> None:
    off = {"visitor_posts": False}
    page = whole_round(stage.connector(options=off), None)
    for number in range(40):
        stage.pass_time(hours=6)
        said = customer_posts(stage.world, "facebook", f"nowy {number}", author=f"c{number}", kind="visitor-post")
    customer_posts(stage.world, "facebook", "nowy 100", author="ola_wrona", parent=said.sequence)
    stage.pass_time(hours=6)
    page = whole_round(stage.connector(options=off), kept(page))
    page = whole_round(stage.connector(), kept(page))
    assert numbers(page) == []
    stage.pass_time(minutes=1)
    customer_posts(stage.world, "facebook", "nowy 200", author="ola_wrona", kind="visitor-post")
    customer_posts(stage.world, "facebook", "nowy 201", author="ola_wrona", parent=said.sequence)
    assert sorted(numbers(whole_round(stage.connector(), kept(page)))) == [200, 201]


def test_what_came_while_an_edge_was_switched_off_is_no_news_either(stage: Stage) -> None:
    page = whole_round(stage.connector(), None)
    stage.pass_time(minutes=5)
    page = whole_round(stage.connector(options={"visitor_posts": False}), kept(page))
    for number in range(3):
        stage.pass_time(days=2)
        customer_posts(stage.world, "facebook", f"nowy {number}", author=f"c{number}", kind="visitor-post")
    stage.clock.advance(timedelta(hours=1))
    page = whole_round(stage.connector(options={"visitor_posts": False}), kept(page))
    assert numbers(whole_round(stage.connector(), kept(page))) == []


def visitor(stage: Stage, text: str, *, author: str = "ola_wrona", under: WorldPost | None = None) -> WorldPost:
    if under is not None:
        return customer_posts(stage.world, "facebook", text, author=author, parent=under.sequence)
    return customer_posts(stage.world, "facebook", text, author=author, kind="visitor-post")


@pytest.mark.parametrize("way", ["a deletion", "a walk"])
def test_what_comes_onto_the_page_after_an_edge_was_switched_on_is_no_news_either(stage: Stage, way: str) -> None:
    off, on = {"watched_posts": 2, "visitor_posts": False}, {"watched_posts": 2}
    page = whole_round(stage.connector(options=off), None)
    said = []
    for number in range(4):
        stage.pass_time(hours=6)
        said.append(visitor(stage, f"nowy {number}"))
        visitor(stage, f"nowy {number + 10}", author="c1", under=said[-1])
    stage.pass_time(hours=6)
    page = whole_round(stage.connector(options=on), kept(page))
    stage.pass_time(minutes=5)
    stage.world.delete(said[-1].sequence)
    if way == "a deletion":
        stage.world.delete(said[-2].sequence)
    else:
        for number in range(20, 24):
            visitor(stage, f"nowy {number}", author=f"d{number}")
    page = whole_round(stage.connector(options=on), kept(page))
    assert [number for number in numbers(page) if number < 20] == []
    stage.pass_time(minutes=5)
    visitor(stage, "nowy 30", under=said[1])
    read = numbers(page)
    for _ in range(2):
        page = whole_round(stage.connector(options=on), kept(page))
        read += numbers(page)
        stage.pass_time(minutes=11)
    assert [number for number in read if not 20 <= number < 24] == [30]


def test_nobody_looks_under_the_posts_of_an_edge_that_was_switched_off(stage: Stage) -> None:
    off = {"visitor_posts": False}
    campaign = stage.shop_post()
    page = whole_round(stage.connector(), None)
    stage.pass_time(minutes=1)
    asked = visitor(stage, "nowy 1")
    page = whole_round(stage.connector(), kept(page))
    assert numbers(page) == [1]
    for number in range(2, 5):
        stage.pass_time(minutes=11)
        visitor(stage, f"nowy {number}", author="c1", under=asked)
        under(stage, campaign, 1, first=number + 10)
        page = whole_round(stage.connector(options=off), kept(page))
        assert numbers(page) == [number + 10]
    stage.pass_time(minutes=11)
    page = whole_round(stage.connector(), kept(page))
    assert numbers(page) == []  # what was said meanwhile is history
    stage.pass_time(minutes=1)
    visitor(stage, "nowy 5", under=asked)
    assert numbers(whole_round(stage.connector(), kept(page))) == [5]


@pytest.mark.parametrize("edges", [("visitor_posts", "tagged"), ("published_posts", "tagged")])
def test_a_post_of_two_edges_is_looked_under_while_one_of_them_is_on(stage: Stage, edges: tuple[str, str]) -> None:
    options = {"watched_posts": 1}
    both = stage.shop_post() if edges[0] == "published_posts" else None
    page = whole_round(stage.connector(options=options), None)
    stage.pass_time(minutes=4)
    both = both or visitor(stage, "nowy 1")
    shown = {}

    def tagged_too(request: SimulatedRequest, response: SimulatedResponse) -> SimulatedResponse:
        if request.path.endswith(f"/{edges[0]}"):
            shown["page"] = response
        return shown["page"] if request.path.endswith(f"/{edges[1]}") else response

    Interposed(stage, after=tagged_too)
    page = whole_round(stage.connector(options=options), kept(page))
    for number in range(2, 5):  # pushed away
        stage.pass_time(minutes=4)
        if edges[0] == "visitor_posts":
            visitor(stage, "spam", author=f"c{number}")
        else:
            stage.world.publish("facebook", stage.world.brand("facebook"), "Nowa kampania.")
    page = whole_round(stage.connector(options=options), kept(page))
    off = {**options, "tagged": False}
    page = whole_round(stage.connector(options=off), kept(page))
    stage.pass_time(minutes=11)
    visitor(stage, "nowy 5", author="c9", under=both)
    assert numbers(whole_round(stage.connector(options=off), kept(page))) == [5]
