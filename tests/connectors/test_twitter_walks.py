"""The X connector's walks: what is listed late, streams that come later, and a stream that cannot be read."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from connectors.simulated.control import customer_posts
from connectors.simulated.server import SimulatedRequest, SimulatedResponse, SimulatedServer
from connectors.simulated.twitter import TwitterDialect
from connectors.simulated.world import World
from connectors.spending import CountedHere
from connectors.twitter import LONGEST_WALK, MOST_SEEN, _before, _Walk
from social.clock import SteppedClock
from social.domain.errors import CredentialsExpired, RateLimited, Unreachable
from social.domain.post import PostKind
from social.ports import Charge
from tests.connectors.contract import QUIET, START, Escaped, RememberedCredentials, Stage, numbers, whole_round
from tests.connectors.test_twitter import Interposed, only, problem

SEARCH = {"search": ['"Sklep Lawenda"']}
STREAM = 'search "Sklep Lawenda"'


@pytest.fixture
def stage() -> Iterator[Stage]:
    clock = SteppedClock(START)
    world = World(start=START, options=QUIET)
    with SimulatedServer(world, clock, dialects={"twitter": Escaped(TwitterDialect())}) as server:
        credentials = RememberedCredentials("own", {"access_token": "canary-access-token-of-x"})
        stage = Stage(kind="twitter", world=world, clock=clock, server=server, credentials=credentials)
        yield stage
        for connector in stage.opened:
            connector.close()


class Unlisted(Interposed):
    """A network whose lists do not show yet what ends with ``words``."""

    def __init__(self, stage: Stage, words: str, *, path: str = "") -> None:
        super().__init__(stage, after=self._without)
        self.words: str | None = words
        self._path = path

    def _without(self, request: SimulatedRequest, body: Any) -> Any:
        if self.words is None or "data" not in body or not request.path.endswith(self._path or request.path):
            return body
        shown = [item for item in body["data"] if not str(item.get("text")).endswith(self.words)]
        newest = {"newest_id": shown[0]["id"]} if shown else {}
        return {"data": shown, "meta": {**body["meta"], "result_count": len(shown), **newest}}


def names_the_brand(stage: Stage, text: str, *, author: str = "stranger") -> None:
    """Only a search finds it."""
    with stage.world.lock:
        who = stage.world.open_account("twitter", author)
        stage.world.publish("twitter", who, f"Sklep Lawenda {text}", kind=PostKind.MENTION)


def asked(network: Interposed, ending: str) -> list[SimulatedRequest]:
    return [request for request in network.seen if request.path.endswith(ending)]


# --- what is listed late --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["mentions", "own", "search"])
def test_a_post_that_is_listed_after_a_newer_one_is_not_lost(stage: Stage, stream: str) -> None:
    def say(number: int) -> None:
        if stream == "mentions":
            stage.customer_says(f"nowy {number}")
        elif stream == "search":
            names_the_brand(stage, f"nowy {number}")
        else:
            stage.world.publish("twitter", stage.world.brand("twitter"), f"nowy {number}")

    connector = stage.connector(options=SEARCH)
    cursor = whole_round(connector, None).cursor
    stage.pass_time(minutes=5)
    say(1)
    stage.pass_time(seconds=0.3)
    say(2)
    network = Unlisted(stage, "nowy 1")
    first = whole_round(connector, cursor)
    network.words = None
    stage.pass_time(minutes=1)
    second = whole_round(connector, first.cursor)
    assert [post.text[-6:] for post in first.posts if "nowy" in post.text] == ["nowy 2"]
    assert [post.text[-6:] for post in second.posts] == ["nowy 1"]
    assert whole_round(connector, second.cursor).posts == ()


def test_the_overlap_is_paid_for_once_a_day(stage: Stage) -> None:
    meter = CountedHere()
    connector = stage.connector(options={"monthly_budget_usd": 5}, meter=meter)
    cursor = whole_round(connector, None).cursor
    stage.pass_time(minutes=5)
    stage.customer_says("nowy 1")
    paid = []
    for _ in range(4):
        stage.pass_time(minutes=3)
        cursor = whole_round(connector, cursor).cursor
        paid.append(meter.add(0, budget=5000, now=stage.clock.now()))
    own_read = next(price.amount for price in connector.prices if price.charge is Charge.OWN_READ)
    assert paid == [paid[0]] * 4
    stage.pass_time(days=1)
    whole_round(connector, cursor)
    assert meter.add(0, budget=5000, now=stage.clock.now()) == paid[0] + 2 * own_read  # the newest of either stream


def test_a_cursor_of_the_version_before_is_read(stage: Stage) -> None:
    connector = stage.connector()
    stage.customer_says("nowy 0")
    cursor = whole_round(connector, None).cursor
    older = {
        stream: {name: value for name, value in walk.items() if name not in {"seen", "floor"}}
        for stream, walk in cursor.items()
    }
    stage.pass_time(minutes=5)
    stage.customer_says("nowy 1")
    page = whole_round(connector, older)
    assert numbers(page)[-1] == 1
    assert whole_round(connector, page.cursor).posts == ()


def test_what_lay_below_the_first_page_stays_history(stage: Stage) -> None:
    for number in range(30):
        stage.pass_time(seconds=1)
        stage.customer_says(f"nowy {number}")
    connector = stage.connector(options={"first_posts": 10})
    page = whole_round(connector, None)
    assert numbers(page) == list(range(20, 30))
    assert numbers(whole_round(connector, page.cursor)) == []


def test_an_id_without_a_time_is_its_own_mark() -> None:
    assert [_before(native_id) for native_id in (None, "1234", "99999999999999")] == [None, "1234", "99999999999999"]
    day, two_minutes = 86_400_000, 120_000
    assert _before(str((day << 22) | 77)) == str((day - two_minutes) << 22)


def test_what_the_cursor_remembers_is_bounded() -> None:
    newest = 2084942487352246276
    walk = _Walk(mark=str(newest - 1))
    walk = walk.met(map(str, range(newest, newest + 5000)), told=[str(newest)], now=START + timedelta(days=1))
    assert len(walk.seen) == MOST_SEEN
    assert walk.seen[0] == str(newest + 4999)


# --- streams that come later ----------------------------------------------------------------------------------------------


def test_a_search_that_is_switched_on_later_begins_with_its_first_page(stage: Stage) -> None:
    plain = stage.connector()
    cursor = whole_round(plain, None).cursor
    for number in range(130):
        stage.pass_time(minutes=20)
        names_the_brand(stage, f"nowy {number}")
    cursor = whole_round(plain, cursor).cursor
    page = whole_round(stage.connector(options=SEARCH), cursor)
    assert numbers(page) == list(range(80, 130))
    stage.pass_time(minutes=20)
    names_the_brand(stage, "nowy 130")
    assert numbers(whole_round(stage.connector(options=SEARCH), page.cursor)) == [130]


def test_a_search_that_is_switched_on_in_the_middle_of_a_walk_is_no_other(stage: Stage) -> None:
    cursor = whole_round(stage.connector(), None).cursor
    for number in range(130):
        stage.pass_time(minutes=20)
        names_the_brand(stage, f"nowy {number}")
        stage.customer_says(f"pod spodem {number}")
    middle = stage.connector().fetch(cursor)
    assert middle.more
    page = whole_round(stage.connector(options=SEARCH), json.loads(json.dumps(middle.cursor)))
    page = whole_round(stage.connector(options=SEARCH), page.cursor)
    assert numbers(page) == list(range(80, 130))


def test_a_search_with_ever_more_hits_is_given_up_and_not_begun_again(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    connector = stage.connector(options={**SEARCH, "watch_own_posts": False})
    names_the_brand(stage, "nowy 0")
    cursor = whole_round(connector, None).cursor
    stage.pass_time(hours=20)
    names_the_brand(stage, "nowy 1")
    shown: list[int] = []

    def crowded(request: SimulatedRequest, body: Any) -> Any:
        """Every page holds one older hit, and tells of more."""
        if not request.path.endswith("/search/recent"):
            return body
        item = body["data"][0]
        shown.append(int(item["id"]) - (len(shown) << 34))
        item |= {"id": str(shown[-1]), "edit_history_tweet_ids": [str(shown[-1])]}
        # above every id, so that the simulated network finds the newest again
        token = f"t{9 * 10**18 + len(shown)}"
        return {"data": [item], "meta": {"result_count": 1, "newest_id": item["id"], "next_token": token}}

    Interposed(stage, after=crowded)
    page = whole_round(connector, cursor)
    assert len(shown) == LONGEST_WALK
    assert "has more hits than" in caplog.text
    walk = page.cursor[STREAM]
    assert (walk["mark"], walk["floor"], walk["token"]) == (str(shown[0]), str(shown[-1]), None)


# --- a stream that cannot be read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/search/recent", problem(403, "not enrolled")),
        ("/search/recent", problem(400, "the query is too long")),
        ("/search/recent", problem(503, "over capacity")),
        ("/search/recent", SimulatedResponse(body={"data": "no page"})),
        ("/search/recent", problem(429, "Too Many Requests")),
        ("/tweets", problem(403, "not enrolled")),
    ],
)
def test_a_stream_that_is_refused_keeps_nobody_elses_news_back(
    stage: Stage, caplog: pytest.LogCaptureFixture, path: str, answer: Any
) -> None:
    connector = stage.connector(options=SEARCH)
    names_the_brand(stage, "nowy 0")
    cursor = whole_round(connector, None).cursor
    dialect = stage.server.dialects["twitter"]
    Interposed(stage, instead=only("GET", path, answer))
    stream = "own" if path == "/tweets" else STREAM
    for number in (1, 2):
        stage.pass_time(minutes=3)
        stage.customer_says(f"nowy {number}")
        page = whole_round(connector, cursor)
        assert set(numbers(page)) == {number}
        assert page.cursor[stream] == cursor[stream]
        cursor = page.cursor
    told = [record for record in caplog.records if record.levelno == logging.WARNING and stream in record.getMessage()]
    assert len(told) == 1

    stage.server.dialects["twitter"] = dialect
    stage.pass_time(minutes=20)
    names_the_brand(stage, "nowy 3")
    assert 3 in numbers(whole_round(connector, cursor))


@pytest.mark.parametrize(
    ("path", "answer", "told", "for_good"),
    [
        ("/tweets", problem(403, "not enrolled"), CredentialsExpired, True),
        ("/tweets", problem(503, "over capacity"), Unreachable, False),
        ("/tweets", problem(429, "Too Many Requests"), RateLimited, False),
        ("/search/recent", problem(403, "not enrolled"), CredentialsExpired, True),
        ("/search/recent", problem(400, "the query is too long"), Unreachable, True),
        ("/search/recent", problem(503, "over capacity"), Unreachable, False),
    ],
)
def test_what_cannot_be_read_is_told_of_while_it_lasts(
    stage: Stage, path: str, answer: Any, told: type[Exception], for_good: bool
) -> None:
    connector = stage.connector(options=SEARCH)
    cursor = whole_round(connector, None).cursor
    dialect = stage.server.dialects["twitter"]
    Interposed(stage, instead=only("GET", path, answer))
    for _ in range(3):
        page = whole_round(connector, cursor)
        left_out, nothing = (page.unread, page.missed) if path == "/tweets" else (page.missed, page.unread)
        assert [(isinstance(error, told), error.permanent) for error in left_out] == [(True, for_good)]
        assert nothing == ()
        assert ("own" if path == "/tweets" else STREAM) in str(left_out[0])
        cursor = page.cursor
    stage.server.dialects["twitter"] = dialect
    stage.pass_time(minutes=20)
    page = whole_round(connector, cursor)
    assert (page.unread, page.missed) == ((), ())


def test_a_limit_of_one_stream_is_waited_for(stage: Stage) -> None:
    connector = stage.connector(options=SEARCH)
    cursor = whole_round(connector, None).cursor
    ends = str(int((START + timedelta(minutes=10)).timestamp()))
    network = Interposed(stage, instead=only("GET", "/search/recent", problem(429, "Slow", x_rate_limit_reset=ends)))
    for _ in range(5):
        cursor = whole_round(connector, cursor).cursor
        stage.pass_time(minutes=3)
    assert len(asked(network, "/search/recent")) == 2
    assert len(asked(network, "/mentions")) == 5


def test_a_walk_that_is_stuck_in_its_middle_does_not_hold_up_the_mentions(stage: Stage) -> None:
    connector = stage.connector(options=SEARCH)
    cursor = whole_round(connector, None).cursor
    for number in range(130):
        stage.pass_time(minutes=1)
        names_the_brand(stage, f"nowy {number}")
    middle = json.loads(json.dumps(connector.fetch(cursor).cursor))
    assert middle[STREAM]["token"]
    dialect = stage.server.dialects["twitter"]
    Interposed(stage, instead=only("GET", "/search/recent", problem(503, "over capacity")))
    customer_posts(stage.world, "twitter", "@sklep_lawenda nowy 500", author="ola_wrona")
    page = whole_round(connector, middle)
    assert numbers(page) == [500]
    assert page.cursor[STREAM] == middle[STREAM]
    stage.server.dialects["twitter"] = dialect
    assert numbers(whole_round(connector, page.cursor)) == list(range(30))


@pytest.mark.parametrize(
    ("answer", "error"), [(problem(401, "Unauthorized"), CredentialsExpired), (problem(402, "Credits"), RateLimited)]
)
def test_what_would_meet_every_stream_is_raised(stage: Stage, answer: Any, error: type[Exception]) -> None:
    connector = stage.connector(options=SEARCH)
    cursor = whole_round(connector, None).cursor
    Interposed(stage, instead=only("GET", "/search/recent", answer))
    with pytest.raises(error):
        connector.fetch(cursor)


def test_mentions_that_cannot_be_read_are_never_passed_over(stage: Stage) -> None:
    connector = stage.connector(options=SEARCH)
    cursor = whole_round(connector, None).cursor
    Interposed(stage, instead=only("GET", "/mentions", problem(503, "over capacity")))
    with pytest.raises(Unreachable):
        connector.fetch(cursor)
