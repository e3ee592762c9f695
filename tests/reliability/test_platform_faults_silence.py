"""A network that says nothing, or a byte a second, or has no address: it costs its own profile a bounded time, it is asked
less and less, and the others go on."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from social.clock import monotonic
from social.domain.errors import Unreachable
from social.domain.reply import SentBy
from social.engine import line
from social.store.session import Database
from social.store.tables import ProfileRow
from tests.engine.looking import eventually
from tests.factories import profile, row_of
from tests.fakes import FakeConnector
from tests.reliability.networks import KINDS, town


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["half-open", "trickle"])
def test_one_that_hangs_holds_its_own_lane_and_nobody_elses(
    kind: str, fault: str, database: Database, tmp_path: Path
) -> None:
    """Another profile is polled, at its time, while the first one still hangs; how long that is, this test decides."""
    with town(kind, database, tmp_path, timeout=100.0, total_timeout=100.0) as place:
        (ill,) = place.desk.profiles.values()
        well = FakeConnector(place.clock)
        other = profile(database, "well", network=well.kind, now=place.clock.now())
        place.desk.profiles = {**place.desk.profiles, other.id: replace(ill, id=other.id, name="well", connector=well)}
        place.fault(fault, method="GET", count=None, seconds=1000)
        place.stage.pass_time(minutes=6)
        now = place.clock.now()

        lanes = [threading.Thread(target=line.take_in, args=(place.desk, now)) for _ in range(2)]
        for lane in lanes:
            lane.start()
        eventually(lambda: "fetch" in well.calls, what="the other profile's poll")
        eventually(lambda: row_of(database, ProfileRow, other.id)["token"] is None)
        assert row_of(database, ProfileRow, other.id)["last_polled_at"] == now
        eventually(lambda: sum(lane.is_alive() for lane in lanes) == 1, what="the end of that poll")
        assert row_of(database, ProfileRow, ill.id)["last_polled_at"] != now

        place.clear()
        for lane in lanes:
            lane.join(timeout=60)
            assert not lane.is_alive()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["half-open", "trickle"])
def test_the_whole_of_a_request_has_its_time(kind: str, fault: str, database: Database, tmp_path: Path) -> None:
    """At this pace an answer would take the better part of an hour."""
    with town(kind, database, tmp_path, timeout=5.0, total_timeout=1.5) as place:
        place.fault(fault, method="GET", count=None, seconds=0.5 if fault == "trickle" else 3000)
        begun = monotonic()
        with pytest.raises(Unreachable):
            place.connector.fetch(None)
        assert monotonic() - begun < 60


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_that_stays_away_is_asked_less_and_less_and_then_as_ever(
    kind: str, database: Database, tmp_path: Path
) -> None:
    with town(kind, database, tmp_path) as place:
        place.fault("status", status=503, count=None)
        place.run(hours=1)
        first = len(place.requests("GET", r".")) + len(place.requests("POST", r"."))
        place.run(hours=1)
        second = len(place.requests("GET", r".")) + len(place.requests("POST", r".")) - first
        assert second <= 12 <= first

        place.clear()
        place.customer_says("nowy 1")
        place.run(minutes=11)
        before = len(place.news())
        place.run(minutes=20)
        assert len(place.news()) - before == 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_cannot_be_found_surely_sent_nothing(kind: str, database: Database, tmp_path: Path) -> None:
    with town(kind, database, tmp_path) as place:
        place.customer_says("nowy 1")
        (post,) = [post for post in place.connector.fetch(None).posts if not post.ours]
        lost = place.stage.connector(base_url="https://network.invalid")
        with pytest.raises(Unreachable):
            lost.fetch(None)
        with pytest.raises(Unreachable):
            lost.reply(post.ref, "Dziękujemy!", key="k", sent_by=SentBy.ROBOT)
