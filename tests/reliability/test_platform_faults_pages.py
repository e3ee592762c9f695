"""Pages that repeat, overlap, come out of order or never end; items and answers that make no sense. Every post is stored
once, what cannot be read is kept aside, requests are bounded, and nothing is skipped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from social.engine.poll import PAGES_A_TURN
from social.store.session import Database
from social.store.tables import QuarantineRow
from tests.engine.looking import profile_row, rows
from tests.reliability.networks import KINDS, NEWS, Asked, Town, town
from tests.story.telling import alerts, posts

MANY = 230


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Town]:
    with town(request.param, database, tmp_path) as opened:
        yield opened


def numbers(place: Town) -> list[int]:
    found = (re.search(r"nowy (\d+)$", post.text) for post in posts(place.database))
    return sorted(int(match.group(1)) for match in found if match is not None)


def many_write(place: Town, count: int = MANY) -> None:
    """While nobody polls."""
    for number in range(count):
        place.stage.pass_time(seconds=2)
        place.customer_says(f"nowy {number}", author=f"customer-{number % 40}")
    place.stage.pass_time(minutes=3)


def pages(place: Town) -> list[Asked]:
    """The requests of polls; reading a thread is another matter."""
    own = place.stage.world.brand(place.kind).number
    return place.requests("GET", rf"{NEWS[place.kind]}|/{own}_\d+/comments$")


@pytest.mark.parametrize(
    "fault",
    ["duplicate-page", "overlap-page", "reorder", "empty-page", "expired-cursor", "extra-fields", "endless-pages"],
)
@pytest.mark.parametrize("count", [1, 3])
def test_odd_pages_bring_every_post_once_and_cost_a_few_requests(place: Town, fault: str, count: int) -> None:
    many_write(place)
    before = len(pages(place))
    place.fault(fault, method="GET", count=count)
    place.run(minutes=6)
    assert len(pages(place)) - before <= 25
    if count > 1:  # it may spoil a page of every poll until it is used up
        place.run(minutes=16)
    assert numbers(place) == list(range(MANY))


@pytest.mark.parametrize("fault", ["duplicate-page", "endless-pages"])
def test_pages_without_an_end_are_left_and_read_again_once_the_network_is_well(place: Town, fault: str) -> None:
    """The newest posts are stored meanwhile, and the gap below them is not forgotten."""
    many_write(place)
    place.fault(fault, method="GET", count=None)
    before = len(pages(place))
    place.run(minutes=16)
    polls = 4
    assert len(pages(place)) - before <= polls * 2 * PAGES_A_TURN
    assert 20 <= len(numbers(place)) < MANY
    assert len(set(numbers(place))) == len(numbers(place))

    place.clear()
    place.run(minutes=11)
    assert numbers(place) == list(range(MANY))


@pytest.mark.parametrize("fault", ["html", "truncated", "huge-body", "gzip-bomb", "status", "reset", "drop-answer"])
def test_an_answer_that_is_none_costs_a_minute_and_no_post(place: Town, fault: str) -> None:
    place.run(minutes=4)
    for number in range(3):
        place.customer_says(f"nowy {number}", author=f"customer-{number}")
    cursor = profile_row(place.desk)["cursor"]
    place.fault(fault, method="GET", status=502)
    place.run(minutes=1)
    assert profile_row(place.desk)["cursor"] == cursor
    assert profile_row(place.desk)["last_error"]
    assert numbers(place) == []

    place.run(minutes=2)
    assert numbers(place) == [0, 1, 2]
    assert profile_row(place.desk)["last_error"] is None
    assert alerts(place.database) == []


def test_an_answer_under_a_wrong_name_is_read_by_what_it_is(place: Town) -> None:
    place.customer_says("nowy 0")
    place.fault("content-type", method="GET", count=None)
    place.run(minutes=6)
    assert numbers(place) == [0]


def test_an_item_that_cannot_be_read_is_kept_aside_with_its_reason_and_the_others_are_stored(place: Town) -> None:
    for number in range(3):
        place.stage.pass_time(minutes=1)
        place.customer_says(f"nowy {number}", author=f"customer-{number}")
    place.fault("missing-fields", method="GET")
    place.run(minutes=6)

    (aside,) = rows(place.database, QuarantineRow)
    assert aside.reason and aside.raw
    assert len(numbers(place)) == 2
    place.run(minutes=20)
    assert len(rows(place.database, QuarantineRow)) == 1
    assert len(numbers(place)) == len(set(numbers(place))) >= 2
