"""A reply meets a network that fails: it is public once or not at all, and nobody guesses which."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.simulated.server import SimulatedRequest, SimulatedResponse
from connectors.simulated.world import World
from social.domain.reply import ReplyState
from social.store.session import Database
from tests.reliability.networks import KINDS, WRITE, Town, town
from tests.story.telling import alerts, case_of, posts, replies


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Town]:
    with town(request.param, database, tmp_path) as opened:
        yield opened


def states(place: Town) -> list[str]:
    return [reply.state for reply in replies(place.database)]


@pytest.mark.parametrize("fault", ["drop-answer", "bad-gateway", "truncated"])
def test_a_reply_whose_answer_was_lost_is_looked_up_and_never_sent_again(place: Town, fault: str) -> None:
    """The platform accepted it; then the connection was dropped, a gateway said 502, or half an answer came."""
    place.customer_says("Gdzie jest moja paczka?")
    place.fault(fault, method="POST", path=WRITE[place.kind])

    place.run(minutes=45)
    place.run_and_settle(minutes=10)
    place.run_and_settle(hours=1)

    assert states(place) == [ReplyState.SENT]
    assert len(place.writes()) == 1
    (public,) = place.published()
    assert replies(place.database)[0].text in public.text
    assert replies(place.database)[0].external_id


def test_a_doubtful_reply_that_nobody_can_look_up_is_a_persons_affair(place: Town) -> None:
    place.customer_says("Gdzie jest moja paczka?")
    place.run(minutes=35)
    place.fault("drop-answer", method="POST", path=WRITE[place.kind])
    place.run(minutes=5)
    assert states(place) == [ReplyState.SENDING]

    place.fault("status", method="GET", status=503, count=None)
    for _ in range(2):
        place.run_and_settle(hours=1)
    assert states(place) == [ReplyState.UNKNOWN]
    assert [alert.kind for alert in alerts(place.database) if alert.kind == "unknown"] == ["unknown"]

    place.clear()
    place.run_and_settle(hours=1)
    assert states(place) == [ReplyState.SENT]  # a poll shows it at last, and nobody has to look
    assert len(place.writes()) == 1 == len(place.published())


def test_a_reply_that_surely_never_arrived_is_sent_once_more(place: Town) -> None:
    place.customer_says("Gdzie jest moja paczka?")
    place.run(minutes=35)
    place.fault("reset", method="POST", path=WRITE[place.kind])  # before the platform saw it; nobody here can know
    place.run(minutes=6)
    place.run_and_settle(minutes=10)

    assert states(place) == [ReplyState.SENT]
    assert [asked.status is None for asked in place.writes()] == [True, False]
    assert len(place.published()) == 1


@pytest.mark.parametrize("status", [403, 404])
def test_a_definite_no_is_taken_once_and_a_person_reads_why(place: Town, status: int) -> None:
    place.customer_says("Gdzie jest moja paczka?")
    place.run(minutes=35)
    place.fault("status", method="POST", path=WRITE[place.kind], status=status, count=None)
    place.run(minutes=30)
    place.run_and_settle(hours=1)

    assert states(place) == [ReplyState.REFUSED]
    assert len(place.writes()) == 1
    assert place.published() == []
    reason = replies(place.database)[0].reason or ""
    assert reason.startswith("gone" if status == 404 else "permission")
    assert case_of(place.database).state == "open"
    assert reason[:20] in (case_of(place.database).note or "")


def test_a_network_that_calls_it_a_duplicate_is_not_asked_again(place: Town) -> None:
    """The words stand there already, it says. They are not to be seen under the customer's post: a person looks."""
    if place.kind == "bluesky":
        pytest.skip(
            "Bluesky knows no duplicates: a record key that is taken leads to the record (test_bluesky_connector)"
        )
    place.customer_says("Gdzie jest moja paczka?")
    place.run(minutes=35)
    says = {
        "twitter": (403, {"detail": "You are not allowed to create a Tweet with duplicate content.", "status": 403}),
        "facebook": (400, {"error": {"code": 506, "message": "(#506) Duplicate status message"}}),
    }
    before = place.ear.handle
    status, body = says[place.kind]

    def duplicate(request: SimulatedRequest, world: World) -> SimulatedResponse:
        return SimulatedResponse(status=status, body=body) if request.method == "POST" else before(request, world)

    place.stage.server.dialects[place.kind] = Saying(place, duplicate)
    place.run(minutes=10)
    place.run_and_settle(hours=2)

    assert states(place) == [ReplyState.UNKNOWN]
    assert len(place.writes()) == 1


class Saying:
    """A network that says something else."""

    def __init__(self, place: Town, handle: object) -> None:
        self.network, self.refuse, self.handle = place.kind, place.ear.refuse, handle


def test_what_was_deleted_before_the_reply_went_out_gets_none(place: Town) -> None:
    said = place.customer_says("Gdzie jest moja paczka?")
    place.run(minutes=20)
    assert states(place) == [ReplyState.PLANNED]
    place.stage.world.delete(said.sequence)
    place.run(hours=2)

    assert states(place) == [ReplyState.CANCELLED]
    assert place.writes() == []
    (kept,) = [post for post in posts(place.database) if not post.ours]
    assert (kept.text, kept.deleted_at is not None) == ("", True)


def test_what_was_edited_before_the_reply_went_out_is_judged_anew_and_answered_once(place: Town) -> None:
    said = place.customer_says("Gdzie jest moja paczka?")
    place.run(minutes=35)
    place.stage.world.edit(said.sequence, said.text.replace("paczka", "DRUGA paczka"))
    place.run(hours=2)

    (kept,) = [post for post in posts(place.database) if not post.ours]
    assert ("DRUGA" in kept.text, kept.revision_number) == (True, 2)
    assert len(place.published()) == 1
    assert states(place).count(ReplyState.SENT) == 1
    assert states(place)[0] == ReplyState.CANCELLED


def test_somebody_who_blocked_the_shop_gets_no_reply_and_is_not_asked_again(place: Town) -> None:
    place.customer_says("Gdzie jest moja paczka?", author="ola_wrona")
    place.run(minutes=20)
    place.stage.world.block(place.kind, "ola_wrona")
    place.run(hours=1)

    assert states(place) == [ReplyState.REFUSED]
    assert len(place.writes()) <= 1  # one network says it only then
    assert place.published() == []
    assert case_of(place.database).note


def test_a_reply_waits_for_a_network_that_is_away_and_its_time_is_kept(place: Town) -> None:
    """Nothing of it is sent after its hour: then a person answers."""
    place.customer_says("Gdzie jest moja paczka?")
    place.run(minutes=35)
    place.fault("status", status=503, count=None)
    place.run(minutes=30)
    place.clear()
    place.run_and_settle(hours=2)

    assert place.published() == []
    assert states(place) == [ReplyState.LATE]
    assert case_of(place.database).state == "open"
    assert all(asked.at < place.clock.now() - timedelta(hours=2) for asked in place.writes())
