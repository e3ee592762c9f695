"""The simulated Bluesky beside the real one: the same scene, the same questions, the same key trees."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from connectors.bluesky import BlueskyConnector, record_key
from connectors.simulated.bluesky import TID, token_for
from connectors.simulated.faults import Fault
from connectors.simulated.library import WorldOptions
from connectors.simulated.records import WorldPost
from connectors.simulated.server import SimulatedResponse, SimulatedServer
from connectors.simulated.world import World
from social.clock import SteppedClock
from social.domain.errors import CredentialsExpired, RateLimited, RefusalReason, Refused, Unreachable
from social.domain.post import Author, FetchedPost, MediaKind, PostKind
from social.domain.reply import SentBy
from social.ports import ConnectorContext
from tests.connectors.bluesky_shapes import RECORDED, Scene, shapes
from tests.connectors.contract import RememberedCredentials, texts, whole_round

START = datetime(2026, 8, 5, 10, 0, tzinfo=UTC)
QUIET = WorldOptions(posts_per_day=0, history_posts_per_day=0, history_days=0, outage="none", scene=False)
HANDLE = "sklep-lawenda.test"


@dataclass
class Stage:
    world: World
    clock: SteppedClock
    server: SimulatedServer
    credentials: RememberedCredentials

    def open(self, *, page_size: int = 100, **options: Any) -> BlueskyConnector:
        context = ConnectorContext(
            profile="sklep",
            options={"handle": HANDLE, **options},
            settings={"base_url": self.server.base_url("bluesky"), "page_size": page_size},
            credential="own",
            credentials=self.credentials,
            clock=self.clock,
        )
        return BlueskyConnector.open(context)

    def says(self, text: str, author: str = "ola_wrona", **more: Any) -> WorldPost:
        self.clock.advance(timedelta(seconds=1))
        self.server.now()
        return self.world.publish("bluesky", self.world.open_account("bluesky", author), text, via="native", **more)

    def shop_says(self, text: str, parent: int | None = None) -> WorldPost:
        self.clock.advance(timedelta(seconds=1))
        self.server.now()
        return self.world.publish("bluesky", self.world.brand("bluesky"), text, parent, via="native")

    def ask(self, verb: str, method: str, given: Mapping[str, Any], token: str = "") -> tuple[int, Any]:
        how = {"params": given} if verb == "GET" else {"json": given}
        address = f"{self.server.base_url('bluesky')}/xrpc/{method}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with requests.request(verb, address, headers=headers, timeout=10, **how) as answer:
            return answer.status_code, answer.json()

    def signed_in(self) -> str:
        asked = {"identifier": HANDLE, "password": "right"}
        return str(self.ask("POST", "com.atproto.server.createSession", asked)[1]["accessJwt"])

    def uri(self, post: WorldPost) -> str:
        """As the network tells it."""
        feed = self.ask("GET", "app.bsky.notification.listNotifications", {"limit": 100}, self.signed_in())[1]
        return next(item["uri"] for item in feed["notifications"] if item["record"]["text"] == post.text)


@pytest.fixture
def stage() -> Iterator[Stage]:
    clock = SteppedClock(START)
    world = World(start=START, options=QUIET)
    with SimulatedServer(world, clock) as server:
        yield Stage(
            world=world,
            clock=clock,
            server=server,
            credentials=RememberedCredentials("own", {"app_password": "canary-app-password"}),
        )


@pytest.fixture
def connector(stage: Stage) -> Iterator[BlueskyConnector]:
    opened = stage.open()
    yield opened
    opened.close()


def the_one(connector: BlueskyConnector, text: str) -> FetchedPost:
    (post,) = [post for post in whole_round(connector, None).posts if text in post.text]
    return post


def test_its_answers_have_the_key_trees_of_the_real_servers(stage: Stage) -> None:
    for post in stage.world.posts("bluesky"):
        stage.world.delete(post.sequence)  # the world begins with a post of the shop's that has a picture
    ours = stage.shop_says("Nowy zapach")
    asked = stage.says(f"@{HANDLE} gdzie paczka?")
    stage.shop_says("Sprawdzamy", asked.sequence)
    below = stage.says("ładny", parent=ours.sequence)
    stage.says("zobaczcie", kind=PostKind.QUOTE, quoted=ours.sequence)
    pictured = stage.says(f"@{HANDLE} taki przyszedł", photo="pęknięty kubek")
    gated = stage.says(f"@{HANDLE} nie odpisujcie")
    blocking, gone = stage.says(f"@{HANDLE} i tyle", author="marta"), stage.says(f"@{HANDLE} to usunę")
    uris = {
        name: stage.uri(post)
        for name, post in {
            "asked": asked,
            "below": below,
            "pictured": pictured,
            "gated": gated,
            "blocking": blocking,
            "gone": gone,
        }.items()
    }
    stage.world.disable_replies(gated.sequence)
    stage.world.block("bluesky", "marta")
    stage.world.delete(gone.sequence)
    token = stage.signed_in()
    brand = stage.open().identity()
    scene = Scene(did=brand.native_id, handle=HANDLE, **uris)
    seen = shapes(lambda verb, method, given: stage.ask(verb, method, given, token), scene)
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    assert list(seen) == list(recorded)
    for name, shape in recorded.items():
        assert seen[name] == shape, name


# --- what only Bluesky has --------------------------------------------------------------------------------------------


def test_a_record_key_is_a_tid_and_depends_on_nothing_but_the_key() -> None:
    keys = [f"reply-{number}" for number in range(500)]
    chosen = [record_key(key) for key in keys]
    assert all(TID.fullmatch(key) for key in chosen)
    assert len(set(chosen)) == len(keys)
    assert chosen == [record_key(key) for key in keys]
    # a reply that was on its way while the desk was updated must be found again
    assert record_key("reply-1") == "2l5yyjkbnucob"


def test_a_second_copy_under_the_same_key_is_refused_by_the_server_and_taken_for_the_first(
    stage: Stage, connector: BlueskyConnector
) -> None:
    stage.says(f"@{HANDLE} gdzie paczka?")
    post = the_one(connector, "paczka")
    first = connector.reply(post.ref, "Już sprawdzamy", key="k", sent_by=SentBy.ROBOT)
    second = connector.reply(post.ref, "Już sprawdzamy", key="k", sent_by=SentBy.ROBOT)
    assert first.native_id == second.native_id
    assert [own.text for own in stage.world.by_author("bluesky", "shop") if own.parent is not None] == [
        "Już sprawdzamy"
    ]


def test_it_does_not_write_where_the_author_blocked_the_shop_or_closed_the_replies(
    stage: Stage, connector: BlueskyConnector
) -> None:
    gated = stage.says(f"@{HANDLE} nie odpisujcie")
    stage.says(f"@{HANDLE} i tyle", author="marta")
    closed, blocker = the_one(connector, "nie odpisujcie"), the_one(connector, "i tyle")
    stage.world.disable_replies(gated.sequence)
    stage.world.block("bluesky", "marta")
    for post, reason in ((closed, RefusalReason.REPLIES_DISABLED), (blocker, RefusalReason.BLOCKED)):
        assert not connector.can_reply(post.ref).allowed
        with pytest.raises(Refused) as refused:
            connector.reply(post.ref, "Dzień dobry", key=f"k-{reason}", sent_by=SentBy.ROBOT)
        assert refused.value.reason is reason
    assert connector.refresh([blocker.ref]) == {}


def test_a_customers_clock_that_is_slow_hides_nothing(stage: Stage, connector: BlueskyConnector) -> None:
    """The network files a post under its author's clock: below what is already known."""
    stage.says(f"@{HANDLE} pierwsza")
    late = stage.says(f"@{HANDLE} spóźniona")
    stage.says(f"@{HANDLE} druga")
    stage.server.dialects = {"bluesky": Retold(stage.server.dialects["bluesky"], withholding(late.text))}
    first = whole_round(connector, None)
    assert texts(first) == [f"@{HANDLE} pierwsza", f"@{HANDLE} druga"]
    stage.server.dialects["bluesky"].ill = False
    second = whole_round(connector, first.cursor)
    assert [post.text for post in second.posts] == [late.text]


def test_once_an_hour_it_looks_a_whole_day_back(stage: Stage, connector: BlueskyConnector) -> None:
    stage.says(f"@{HANDLE} pierwsza")
    cursor = whole_round(connector, None).cursor
    late = stage.says(f"@{HANDLE} spóźniona")
    stage.server.dialects = {"bluesky": Retold(stage.server.dialects["bluesky"], withholding(late.text))}
    for number in range(7):
        stage.clock.advance(timedelta(minutes=8))
        stage.says(f"@{HANDLE} nowa {number}")
        cursor = whole_round(connector, cursor).cursor
    stage.server.dialects["bluesky"].ill = False
    assert whole_round(connector, cursor).posts == ()
    stage.clock.advance(timedelta(minutes=8))
    found = [post.text for post in whole_round(connector, cursor).posts]
    assert late.text in found


class Watched:
    """The network with somebody in between."""

    def __init__(self, dialect: Any) -> None:
        self.network = dialect.network
        self.refuse = dialect.refuse
        self._dialect = dialect

    def handle(self, request: Any, world: World) -> Any:
        return self._dialect.handle(request, world)


class Retold(Watched):
    """The network tells something else than it knows, as long as ``ill``: ``change`` is given the method and the answer."""

    def __init__(self, dialect: Any, change: Callable[[str, dict[str, Any]], None]) -> None:
        super().__init__(dialect)
        self._change = change
        self.ill = True

    def handle(self, request: Any, world: World) -> Any:
        response = super().handle(request, world)
        if not self.ill:
            return response
        body = json.loads(json.dumps(response.body))
        self._change(request.path.rpartition(".")[2], body)
        return replace(response, body=json.dumps(body).encode())


def withholding(text: str) -> Callable[[str, dict[str, Any]], None]:
    """One post is indexed late."""

    def change(method: str, body: dict[str, Any]) -> None:
        if method == "listNotifications":
            body["notifications"] = [item for item in body["notifications"] if item["record"]["text"] != text]

    return change


def misdating(text: str, time: str = "2015-10-06T00:00:00.000Z") -> Callable[[str, dict[str, Any]], None]:
    """One notification has a time of years ago, or another one."""

    def change(method: str, body: dict[str, Any]) -> None:
        for item in body["notifications"] if method == "listNotifications" else ():
            if item["record"]["text"] == text:
                item["indexedAt"] = time

    return change


@pytest.mark.parametrize("place", ["\ud800", 7, [], "x" * 5000])
def test_a_next_page_that_nobody_can_ask_for_is_neither_kept_nor_taken_for_the_end(
    stage: Stage, connector: BlueskyConnector, place: object
) -> None:
    cursor = whole_round(connector, None).cursor
    stage.says(f"@{HANDLE} pierwsza")

    def astray(method: str, body: dict[str, Any]) -> None:
        if method == "listNotifications":
            body["cursor"] = place

    network = Retold(stage.server.dialects["bluesky"], astray)
    stage.server.dialects = {"bluesky": network}
    with pytest.raises(Unreachable, match="no usable place"):
        connector.fetch(cursor)
    network.ill = False
    assert texts(whole_round(connector, cursor)) == [f"@{HANDLE} pierwsza"]


def test_a_session_that_cannot_be_used_is_told_and_the_next_sign_in_mends_it(
    stage: Stage, connector: BlueskyConnector
) -> None:
    stage.says(f"@{HANDLE} pierwsza")

    def unusable(method: str, body: dict[str, Any]) -> None:
        if "accessJwt" in body:
            body["accessJwt"] = "\ud83d"

    network = Retold(stage.server.dialects["bluesky"], unusable)
    stage.server.dialects = {"bluesky": network}
    for _ in range(2):
        with pytest.raises(Unreachable, match="a session that cannot be used"):
            connector.fetch(None)
    network.ill = False
    assert texts(whole_round(connector, None)) == [f"@{HANDLE} pierwsza"]


def test_a_wrong_time_of_one_post_hides_neither_it_nor_those_on_the_pages_below(stage: Stage) -> None:
    connector = stage.open(page_size=10)
    stage.says(f"@{HANDLE} stara")
    cursor = whole_round(connector, None).cursor
    stage.clock.advance(timedelta(minutes=8))
    said = [stage.says(f"@{HANDLE} nowa {number}", author=f"c{number}").text for number in range(15)]
    network = Retold(stage.server.dialects["bluesky"], misdating(said[9]))
    stage.server.dialects = {"bluesky": network}
    page = whole_round(connector, cursor)
    assert sorted(post.text for post in page.posts) == sorted(set(said) - {said[9]})
    network.ill = False
    stage.clock.advance(timedelta(minutes=3))
    assert texts(whole_round(connector, page.cursor)) == [said[9]]
    connector.close()


def test_a_time_of_next_year_at_the_end_of_the_first_page_does_not_make_it_deaf(stage: Stage) -> None:
    connector = stage.open(page_size=10)
    said = [stage.says(f"@{HANDLE} dawna {number}", author=f"c{number}").text for number in range(15)]
    last = misdating(said[5], "2027-08-05T00:00:00.000Z")  # of its page
    stage.server.dialects = {"bluesky": Retold(stage.server.dialects["bluesky"], last)}
    page = whole_round(connector, None)
    assert len([post for post in page.posts if not post.ours]) == 10
    stage.clock.advance(timedelta(minutes=3))
    new = stage.says(f"@{HANDLE} nowa")
    assert new.text in texts(whole_round(connector, page.cursor))
    connector.close()


def test_an_account_without_a_name_and_a_bot_are_told_as_such(stage: Stage, connector: BlueskyConnector) -> None:
    members = stage.world.library.members.values()
    for who in (next(member.key for member in members if member.is_bot), "ola_wrona"):
        stage.says(f"@{HANDLE} od {who}", author=who)
    authors: list[Author] = [post.author for post in whole_round(connector, None).posts if not post.ours]
    assert [author.is_bot for author in authors] == [True, False]


def test_a_picture_is_a_reference_with_its_description(stage: Stage, connector: BlueskyConnector) -> None:
    stage.says(f"@{HANDLE} taki przyszedł", photo="pęknięty kubek")
    (media,) = the_one(connector, "taki").media
    assert (media.kind, media.description) == (MediaKind.IMAGE, "pęknięty kubek")
    assert media.url is not None
    assert media.url.startswith("https://cdn.bsky.app/img/feed_fullsize/plain/did:plc:")


def test_it_reads_no_own_posts_where_it_was_told_not_to(stage: Stage) -> None:
    stage.shop_says("Nowy zapach")
    connector = stage.open(watch_own_posts=False)
    assert whole_round(connector, None).posts == ()
    connector.close()


def test_own_posts_that_are_switched_on_in_the_middle_of_a_walk_bring_no_history(stage: Stage) -> None:
    for number in range(30):
        stage.shop_says(f"dawny {number}")
    silent = stage.open(page_size=10, watch_own_posts=False)
    cursor = whole_round(silent, None).cursor
    for number in range(25):
        stage.clock.advance(timedelta(minutes=5))
        stage.says(f"@{HANDLE} nowa {number}")
    middle = silent.fetch(cursor)
    assert middle.more
    watching = stage.open(page_size=10)
    page = whole_round(watching, json.loads(json.dumps(middle.cursor)))
    page = whole_round(watching, page.cursor)  # the first page of our own posts sets their mark
    assert len([post for post in page.posts if post.ours]) <= 10
    assert whole_round(watching, page.cursor).posts == ()
    silent.close()
    watching.close()


class Refusing(Watched):
    """The network refuses one method."""

    def __init__(self, dialect: Any, method: str, status: int, **headers: str) -> None:
        super().__init__(dialect)
        self._method, self._status, self._headers = method, status, headers

    def handle(self, request: Any, world: World) -> Any:
        if request.path.endswith(self._method):
            body = {"error": "Forbidden", "message": "not for you"}
            return SimulatedResponse(status=self._status, body=body, headers=self._headers)
        return super().handle(request, world)


@pytest.mark.parametrize(("status", "kind"), [(403, CredentialsExpired), (500, Unreachable), (400, Unreachable)])
def test_own_posts_that_are_refused_keep_no_customers_news_back(
    stage: Stage, connector: BlueskyConnector, caplog: pytest.LogCaptureFixture, status: int, kind: type[Exception]
) -> None:
    stage.shop_says("Nowy zapach")
    cursor = whole_round(connector, None).cursor
    network = stage.server.dialects["bluesky"]
    stage.server.dialects = {"bluesky": Refusing(network, "getAuthorFeed", status)}
    for number in range(3):
        stage.clock.advance(timedelta(minutes=3))
        stage.says(f"@{HANDLE} nowa {number}")
        page = whole_round(connector, cursor)
        assert [post.text for post in page.posts] == [f"@{HANDLE} nowa {number}"]
        assert page.cursor["own"] == cursor["own"]
        assert [type(error) for error in page.unread if isinstance(error, kind)] != []
        cursor = page.cursor
    assert len([record for record in caplog.records if "cannot be read at the moment" in record.message]) == 1
    stage.server.dialects = {"bluesky": network}
    stage.shop_says("Już jest")
    page = whole_round(connector, cursor)
    assert ([post.text for post in page.posts], page.unread) == (["Już jest"], ())


def test_customers_are_read_where_a_walk_over_own_posts_is_stuck(stage: Stage) -> None:
    connector = stage.open(page_size=10)
    cursor = whole_round(connector, None).cursor
    for number in range(25):
        stage.clock.advance(timedelta(minutes=5))
        stage.shop_says(f"kampania {number}")
    middle = json.loads(json.dumps(connector.fetch(cursor).cursor))
    assert middle["own"]["token"]
    network = stage.server.dialects["bluesky"]
    stage.server.dialects = {"bluesky": Refusing(network, "getAuthorFeed", 403)}
    stage.says(f"@{HANDLE} gdzie paczka?")
    page = whole_round(connector, middle)
    assert [post.text for post in page.posts] == [f"@{HANDLE} gdzie paczka?"]
    assert page.cursor["own"] == middle["own"]
    connector.close()


def test_a_limit_and_refused_notifications_are_never_passed_over(stage: Stage, connector: BlueskyConnector) -> None:
    cursor = whole_round(connector, None).cursor
    network = stage.server.dialects["bluesky"]
    for method, status, kind in (
        ("getAuthorFeed", 429, RateLimited),
        ("listNotifications", 403, CredentialsExpired),
        ("listNotifications", 500, Unreachable),
    ):
        stage.server.dialects = {"bluesky": Refusing(network, method, status)}
        with pytest.raises(kind):
            connector.fetch(cursor)


def test_a_session_is_kept_for_its_server_only(stage: Stage) -> None:
    """A session of the simulated network must not be shown to another one, nor the other way round."""
    first = stage.open()
    first.identity()
    first.close()
    saved = len(stage.credentials.saved)
    again = stage.open()
    again.identity()
    again.close()
    assert len(stage.credentials.saved) == saved
    stage.credentials.parts["own"]["session_for"] = "sklep-lawenda.test at https://bsky.social"
    elsewhere = stage.open()
    elsewhere.identity()
    elsewhere.close()
    assert len(stage.credentials.saved) == saved + 1


def test_a_sign_in_that_cannot_be_read_says_so(stage: Stage, connector: BlueskyConnector) -> None:
    stage.server.faults.add(Fault(kind="html", network="bluesky", method="POST"))
    with pytest.raises(Unreachable):
        connector.identity()
    assert connector.identity().handle == HANDLE


def test_a_session_that_is_about_to_end_is_renewed_without_the_password_and_kept_before_its_first_use(
    stage: Stage,
) -> None:
    first = stage.open()
    first.identity()
    first.close()
    parts = stage.credentials.parts["own"]
    handle, did, _, refresh, server = parts["session"].split(":::")
    brand = stage.world.brand("bluesky")
    parts["session"] = ":::".join((handle, did, token_for(brand, timedelta(minutes=5)), refresh, server))
    parts["app_password"] = "wrong-by-now"
    used: list[str] = []

    class Watching(Watched):
        def handle(self, request: Any, world: World) -> Any:
            used.append(f"{request.path.rpartition('.')[2]} {request.bearer() in parts['session']}")
            return super().handle(request, world)

    stage.server.dialects = {"bluesky": Watching(stage.server.dialects["bluesky"])}
    again = stage.open()
    again.fetch(None)
    again.close()
    assert used == ["refreshSession True", "listNotifications True", "getAuthorFeed True"]


def test_it_signs_in_again_where_a_session_ended_for_good(stage: Stage) -> None:
    first = stage.open()
    first.identity()
    first.close()
    parts = stage.credentials.parts["own"]
    brand = stage.world.brand("bluesky")
    ended = token_for(brand, timedelta(minutes=-5))
    handle, did, _, _, server = parts["session"].split(":::")
    parts["session"] = ":::".join((handle, did, ended, ended, server))
    again = stage.open()
    assert again.fetch(None) is not None
    again.close()
    assert ended not in parts["session"]
