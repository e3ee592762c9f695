"""A reply in doubt is looked up: what one bad answer to that question means, and what a network's "duplicate" means, by which
process and connector however it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.simulated.server import SimulatedRequest, SimulatedResponse
from connectors.simulated.world import World
from social.clock import SteppedClock
from social.domain.errors import Duplicate, Unreachable
from social.domain.post import PostRef
from social.domain.reply import Receipt, ReplyState, SentBy
from social.engine import line
from social.store.session import Database
from social.store.tables import ReplyRow
from tests.cast import at
from tests.factories import case, desk_for, planned, post, profile, remembered, row_of
from tests.fakes import FakeConnector
from tests.reliability.networks import KINDS, WRITE, Town, town
from tests.story.telling import alerts, case_of, leases_run_out, replies

#: What the networks that refuse the same words a second time say then.
REPEATED = {
    "twitter": (403, {"detail": "You are not allowed to create a Tweet with duplicate content.", "status": 403}),
    "facebook": (400, {"error": {"code": 506, "message": "(#506) Duplicate status message"}}),
}
#: Where each network looks for a reply of ours.
LOOK_UP = {"twitter": r"/users/\d+/tweets$", "facebook": r"/comments$", "bluesky": r"repo\.getRecord$"}


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Town]:
    with town(request.param, database, tmp_path) as opened:
        yield opened


def states(place: Town) -> list[str]:
    return [reply.state for reply in replies(place.database)]


@pytest.mark.parametrize("published", [True, False], ids=["published", "never arrived"])
def test_one_bad_answer_to_the_look_up_is_asked_again_and_troubles_nobody(place: Town, published: bool) -> None:
    place.customer_says("Gdzie jest moja paczka?")
    place.run(minutes=35)
    place.fault("drop-answer" if published else "reset", method="POST", path=WRITE[place.kind])
    place.run(minutes=5)
    assert states(place) == [ReplyState.SENDING]

    place.fault("status", method="GET", path=LOOK_UP[place.kind], status=503)
    leases_run_out(place.database)
    assert line.send_out(place.desk, place.clock.now())
    assert states(place) == [ReplyState.SENDING]
    place.run(minutes=5)

    assert states(place) == [ReplyState.SENT]
    assert len(place.published()) == 1
    assert len(place.writes()) == (1 if published else 2)
    assert [alert.kind for alert in alerts(place.database)] == []


# --- "duplicate" -------------------------------------------------------------------------------------------------------


class Repeats:
    """A network that calls every text a repetition."""

    def __init__(self, place: Town) -> None:
        self.network, self.refuse, self._before = place.kind, place.ear.refuse, place.ear.handle

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        answer = self._before(request, world) if request.method == "GET" else None
        status, body = REPEATED[self.network]
        return answer or SimulatedResponse(status=status, body=body)


def restarted(place: Town) -> None:
    """Another process does the rest: it remembers what the database holds, and nothing else."""
    ((number, live),) = place.desk.profiles.items()
    place.desk.profiles = {number: replace(live, connector=place.stage.connector())}


@pytest.mark.parametrize("kind", sorted(REPEATED))
def test_a_duplicate_is_tried_once_whoever_looks_it_up(kind: str, database: Database, tmp_path: Path) -> None:
    with town(kind, database, tmp_path) as place:
        place.customer_says("Gdzie jest moja paczka?")
        place.run(minutes=35)
        place.stage.server.dialects[kind] = Repeats(place)
        place.run(minutes=5)
        assert states(place) == [ReplyState.SENDING]
        for _ in range(4):
            restarted(place)
            place.run_and_settle(minutes=4)

        assert states(place) == [ReplyState.UNKNOWN]
        assert len(place.writes()) == 1
        assert "duplicate" in (replies(database)[0].reason or "")
        assert "duplicate" in (case_of(database).note or "")
        assert [alert.kind for alert in alerts(database)] == ["unknown"]


class SlowToRefuse(FakeConnector):
    """Something happens before its answer comes: that it has these words already."""

    meanwhile: Callable[[], object]

    def reply(self, ref: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
        self.calls.append("reply")
        self.meanwhile()
        raise Duplicate("it stands there.")


def doubtful(database: Database, clock: SteppedClock, network: FakeConnector) -> int:
    """Anna's acknowledgement was due, and the network said that it stands there already; whether it does is the test's."""
    asked = network.publishes(post(when=clock.now()))
    row = remembered(database, profile(database), asked)
    case(database, row)
    clock.advance_to(at("2026-11-20 10:40"))
    return planned(database, row)


@pytest.mark.parametrize("there", [True, False], ids=["it does", "it does not"])
def test_a_duplicate_that_is_found_is_ours_and_one_that_is_not_is_a_persons_affair(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock, there: bool
) -> None:
    network = FakeConnector(clock)
    network.fails("reply", Duplicate("it stands there."), after_effect=there)
    reply_id = doubtful(database, clock, network)
    first = desk_for(database, clock, network)
    line.send_out(first, clock.now())
    assert row_of(database, ReplyRow, reply_id)["state"] == ReplyState.SENDING

    network.fails("find_own_reply", Unreachable("502."))  # the fact outlives a look-up that failed
    other = desk_for(new_database(), clock, network)
    for _ in range(2):
        leases_run_out(database)
        line.send_out(other, clock.now())
        clock.advance_to(at("2026-11-20 10:41"))

    assert row_of(database, ReplyRow, reply_id)["state"] == (ReplyState.SENT if there else ReplyState.UNKNOWN)
    assert network.calls.count("reply") == 1


def test_what_another_daemon_looks_up_while_the_refusal_is_on_its_way_is_still_called_a_duplicate(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock
) -> None:
    """The lease ended over a slow answer: who learns of the refusal does not hold the reply any more."""
    network = SlowToRefuse(clock)
    reply_id = doubtful(database, clock, network)
    other = desk_for(new_database(), clock, network)

    def taken_over() -> None:
        leases_run_out(database)
        network.fails("find_own_reply", Unreachable("502."))
        line.send_out(other, clock.now())

    network.meanwhile = taken_over
    line.send_out(desk_for(database, clock, network), clock.now())
    clock.advance_to(at("2026-11-20 10:41"))
    leases_run_out(database)
    line.send_out(other, clock.now())

    assert row_of(database, ReplyRow, reply_id)["state"] == ReplyState.UNKNOWN
    assert network.calls.count("reply") == 1
