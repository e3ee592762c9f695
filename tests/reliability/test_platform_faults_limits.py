"""A network asks to wait: no request of ours comes before the time that it names, and a time that makes no sense costs a
quarter of an hour, not a year."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from social.domain.reply import ReplyState
from social.store.session import Database
from tests.reliability.networks import KINDS, NEWS, WRITE, Town, town
from tests.story.telling import posts, replies


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Town]:
    with town(request.param, database, tmp_path) as opened:
        yield opened


#: Where a limit covers one kind of request only, the others go on.
COVERED = {"twitter": NEWS["twitter"], "facebook": r".", "bluesky": r"."}


@pytest.mark.parametrize("status", [429, 420])
def test_nothing_is_asked_before_the_time_that_the_network_named(place: Town, status: int) -> None:
    place.customer_says("Gdzie jest moja paczka?")
    place.fault("status", method="GET", path=NEWS[place.kind], status=status, reset_after=40 * 60)
    if status == 420 and place.kind == "facebook":
        pytest.skip("Facebook says everything with codes of its own")
    place.run(minutes=6)
    asked = [one.at for one in place.requests("GET", NEWS[place.kind])][-1]
    count = len(place.requests("GET", COVERED[place.kind]))

    wait = 39 if status == 429 else 14  # the reset of a 429; the old number has none, so a quarter of an hour
    place.clock.advance_to(asked)
    place.run(seconds=(asked + timedelta(minutes=wait) - place.clock.now()).total_seconds())
    assert len(place.requests("GET", COVERED[place.kind])) == count
    assert place.writes() == []

    place.run(minutes=4)
    assert len(place.requests("GET", COVERED[place.kind])) > count
    assert [post.text for post in posts(place.database) if not post.ours]


@pytest.mark.parametrize("reset", ["missing", "broken", "past", "years"])
def test_without_a_sane_end_it_waits_a_quarter_of_an_hour(place: Town, reset: str) -> None:
    place.fault("status", method="GET", path=NEWS[place.kind], status=429, reset=reset)
    place.run(minutes=5)
    count = len(place.news())
    place.run(minutes=0.9)
    assert len(place.news()) == count
    if reset != "past" or place.kind != "facebook":  # minutes to go cannot lie in the past: "one" is what it says
        place.run(minutes=13)
        assert len(place.news()) == count
    place.run(minutes=6)
    assert len(place.news()) > count


def test_a_reply_that_meets_a_limit_waits_for_its_end_and_goes_out_once(place: Town) -> None:
    for number in range(3):
        place.customer_says(f"Gdzie jest paczka numer {number}?", author=f"customer-{number}")
    place.run(minutes=35)
    place.fault("status", method="POST", path=WRITE[place.kind], status=429, reset_after=600)
    place.run(minutes=14)
    assert [asked.status for asked in place.writes()] == [400 if place.kind == "facebook" else 429]
    assert [reply.state for reply in replies(place.database)] == [ReplyState.PLANNED] * 3

    place.run(minutes=10)
    assert [reply.state for reply in replies(place.database)] == [ReplyState.SENT] * 3
    assert len(place.writes()) == 4
    assert len(place.published()) == 3
