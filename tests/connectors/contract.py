"""What every connector promises, told once. A connector gets all of it with three lines:

    class TestSomewhere(ConnectorContract):
        kind = "somewhere"
        secrets: ClassVar = {"access_token": "canary-token-of-somewhere"}

The promises are kept (or not) against the simulated network of the same name, over real sockets on 127.0.0.1, with faults
from its script. ``secrets`` must be made up and long enough to be found again: no test may leave one in a log line or an
exception. ``checked`` may put a judge of the network's official contract around the simulated network.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, ClassVar

import pytest

from connectors import registry
from connectors.setup import LANGUAGES, guide
from connectors.simulated.control import customer_posts
from connectors.simulated.faults import Fault
from connectors.simulated.library import WorldOptions
from connectors.simulated.records import BRAND, WorldPost
from connectors.simulated.server import (
    Dialect,
    SimulatedRequest,
    SimulatedResponse,
    SimulatedServer,
    discover_dialects,
)
from connectors.simulated.world import World
from social.clock import SteppedClock
from social.domain.errors import (
    ConfigurationError,
    ConnectorError,
    CredentialsExpired,
    RateLimited,
    RefusalReason,
    Refused,
    Uncertain,
    Unreachable,
)
from social.domain.post import FetchedPost, Gone, PostKind
from social.domain.reply import SentBy
from social.ports import Connector, ConnectorContext, Cursor, Goes, Meter, Page, Secrets, SetupContext

START = datetime(2026, 8, 5, 10, 0, tzinfo=UTC)
QUIET = WorldOptions(posts_per_day=0, history_posts_per_day=0, history_days=0, outage="none", scene=False)
#: Right-to-left override, joined emoji, NUL, a decomposed letter, zero width, many combining marks, markup.
STRANGE = "\u202egnirts 👩‍👩‍👧‍👦 a\x00b Łódź e\u0301 \u200b" + "z" + "\u0301" * 40 + " <b>&amp;</b> \t \u2028 koniec"


class RememberedCredentials:
    """A ``CredentialStore`` in memory; ``saved`` keeps what was saved, in order."""

    def __init__(self, name: str, parts: Mapping[str, str]) -> None:
        self.parts = {name: dict(parts)}
        self.saved: list[Mapping[str, str]] = []

    def load(self, name: str) -> Secrets:
        return Secrets(self.parts[name])

    def save(self, name: str, parts: Mapping[str, str]) -> None:
        self.saved.append(dict(parts))
        self.parts[name].update(parts)


class Escaped:
    """Half an emoji has no UTF-8: such an answer travels in JSON's ASCII form, as real networks send it."""

    def __init__(self, dialect: Dialect) -> None:
        self.network = dialect.network
        self.refuse = dialect.refuse
        self._dialect = dialect

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        response = self._dialect.handle(request, world)
        try:
            response.encoded()
        except UnicodeEncodeError:
            return replace(response, body=json.dumps(response.body).encode())
        return response


#: Anything of JSON's kind that may stand where something else was expected.
ODD: tuple[Any, ...] = (
    None,
    True,
    7,
    -1,
    3.5,
    "",
    "x",
    "\ud83d",
    [],
    {},
    [None],
    [7],
    {"id": 7},
    {"data": []},
    10**30,
    [[]],
)


class Breaking:
    """Breaks one to three places of every JSON answer, not the errors."""

    def __init__(self, dialect: Dialect, random: Random) -> None:
        self.network = dialect.network
        self.refuse = dialect.refuse
        self._dialect = dialect
        self._random = random

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        response = self._dialect.handle(request, world)
        if response.status >= 400 or not isinstance(response.body, dict):
            return response
        body = json.loads(json.dumps(response.body))
        for _ in range(self._random.choice((1, 1, 2, 3))):
            self._break(body)
        return replace(response, body=json.dumps(body).encode())

    def _break(self, body: Any) -> None:
        holder, key = self._random.choice(list(_places(body)) or [({"": 0}, "")])
        if isinstance(holder, dict) and self._random.random() < 0.3:
            del holder[key]
        else:
            holder[key] = json.loads(json.dumps(self._random.choice(ODD)))


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of everything in a JSON value."""
    pairs = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    for key, value in pairs:
        yield node, key
        yield from _places(value)


@dataclass
class Stage:
    """One simulated network, its clock, and a desk that connects to it."""

    kind: str
    world: World
    clock: SteppedClock
    server: SimulatedServer
    credentials: RememberedCredentials
    options: Mapping[str, Any] = field(default_factory=dict)
    opened: list[Connector] = field(default_factory=list)

    def connector(
        self,
        *,
        options: Mapping[str, Any] | None = None,
        credentials: RememberedCredentials | None = None,
        meter: Meter | None = None,
        **settings: Any,
    ) -> Connector:
        """``settings`` are those of ``[connectors.<kind>]``."""
        context = ConnectorContext(
            profile="sklep",
            options={**self.options, **(options or {})},
            settings={"base_url": self.server.base_url(self.kind), "timeout": 5.0, "total_timeout": 10.0, **settings},
            credential="own",
            credentials=credentials or self.credentials,
            clock=self.clock,
            meter=meter,
        )
        connector = registry.load(self.kind).open(context)
        self.opened.append(connector)
        return connector

    def set_up(self, answers: Mapping[str, str], **settings: Any) -> SetupContext:
        """What ``social connect`` gives after asking."""
        hidden = {ask.name for ask in registry.load(self.kind).setup.asks if ask.hidden}
        return SetupContext(
            answers={name: value for name, value in answers.items() if name not in hidden},
            secrets=Secrets({name: value for name, value in answers.items() if name in hidden}),
            settings={"base_url": self.server.base_url(self.kind), "timeout": 5.0, "total_timeout": 10.0, **settings},
            clock=self.clock,
        )

    def pass_time(self, **by: float) -> None:
        self.clock.advance(timedelta(**by))
        self.server.now()

    def customer_says(self, text: str, *, author: str = "ola_wrona", parent: int | None = None) -> WorldPost:
        """In the network's commonest way; a comment goes under a post of the shop's."""
        with self.world.lock:
            way = max((ways := self.world.library.networks[self.kind].ways), key=lambda kind: ways[kind])
            if parent is None and way in {PostKind.COMMENT, PostKind.REPLY}:
                parent = self.shop_post().sequence
            return customer_posts(self.world, self.kind, text, author=author, parent=parent)

    def shop_post(self) -> WorldPost:
        """The shop's newest post of its own."""
        posts = self.world.brand_posts(self.kind)
        return posts[-1] if posts else self.world.publish(self.kind, self.world.brand(self.kind), "Nowy zapach.")

    def shop_answers_in_the_app(self, post: WorldPost, text: str) -> WorldPost:
        return self.world.publish(self.kind, self.world.brand(self.kind), text, post.sequence, via="native")

    def fault(self, kind: str, **how: Any) -> None:
        self.server.faults.add(Fault(kind=kind, network=self.kind, **how))

    def published(self, *, after: int = 0) -> list[WorldPost]:
        """What the shop published by API, later than the post ``after``."""
        said = self.world.by_author(self.kind, BRAND, after=after)
        return [post for post in said if post.via == "api" and post.parent is not None]


def _patience(fault: str) -> dict[str, float]:
    """Time limits for a fault that is noticed only by them; what works is asked under the same limits, on a busy machine."""
    return {"timeout": 2.5, "total_timeout": 3.0} if fault in {"half-open", "trickle"} else {}


def whole_round(connector: Connector, cursor: Cursor | None, *, meanwhile: Callable[[], object] = lambda: None) -> Page:
    """Fetch until there is no more, sending every cursor through JSON, as the database does."""
    posts: list[FetchedPost] = []
    quarantined = []
    for _ in range(100):
        page = connector.fetch(cursor)
        assert list(page.posts) == sorted(page.posts, key=lambda post: post.created_at)
        posts += page.posts
        quarantined += page.quarantined
        cursor = json.loads(json.dumps(page.cursor))
        if not page.more:
            return Page(
                posts=tuple(posts),
                quarantined=tuple(quarantined),
                cursor=cursor,
                unread=page.unread,
                missed=page.missed,
            )
        meanwhile()
    raise AssertionError("fetch asks for more without an end")


def whole_history(connect: Callable[[], Connector], since: datetime) -> Page:
    """Read back until there is no more, each page by another connector, as after a restart."""
    posts: list[FetchedPost] = []
    quarantined = []
    cursor: Cursor | None = None
    for _ in range(100):
        page = connect().history(since, cursor)
        assert list(page.posts) == sorted(page.posts, key=lambda post: post.created_at)
        posts += page.posts
        quarantined += page.quarantined
        if not page.more:
            return Page(posts=tuple(posts), quarantined=tuple(quarantined), cursor=page.cursor)
        following = json.loads(json.dumps(page.cursor))
        assert following != cursor
        cursor = following
    raise AssertionError("history asks for more without an end")


def texts(page: Page) -> list[str]:
    return [post.text for post in page.posts if not post.ours]


class ConnectorContract:
    kind: ClassVar[str]
    secrets: ClassVar[Mapping[str, str]]
    public_secrets: ClassVar[frozenset[str]] = frozenset()  # parts of the credential that may be shown
    options: ClassVar[Mapping[str, Any]] = {}
    answers: ClassVar[Mapping[str, str]] = {}  # to the set-up's questions, where those are not secrets and options

    def checked(self, dialect: Dialect) -> Dialect:
        """Put a judge of the official contract around the network."""
        return dialect

    @pytest.fixture
    def stage(self) -> Iterator[Stage]:
        clock = SteppedClock(START)
        world = World(start=START, options=QUIET)
        dialects = {self.kind: Escaped(self.checked(discover_dialects()[self.kind]))}
        with SimulatedServer(world, clock, dialects=dialects) as server:
            credentials = RememberedCredentials("own", self.secrets)
            stage = Stage(
                kind=self.kind, world=world, clock=clock, server=server, credentials=credentials, options=self.options
            )
            yield stage
            for connector in stage.opened:
                connector.close()

    @pytest.fixture(autouse=True)
    def no_secret_and_no_customers_words_in_any_log_line(self) -> Iterator[None]:
        lines: list[str] = []

        class Listener(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                lines.append(self.format(record))

        root = logging.getLogger()
        listener, level = Listener(), root.level
        root.addHandler(listener)
        root.setLevel(logging.DEBUG)
        yield
        root.removeHandler(listener)
        root.setLevel(level)
        assert not [line for line in lines if self._tells_a_secret(line) or "nowy " in line]

    def _tells_a_secret(self, text: str) -> bool:
        return any(value in text for name, value in self.secrets.items() if name not in self.public_secrets)

    def _fails(self, kind: type[ConnectorError], call: Callable[[], object]) -> ConnectorError:
        with pytest.raises(ConnectorError) as caught:
            call()
        assert isinstance(caught.value, kind), f"{type(caught.value).__name__}: {caught.value}"
        assert not self._tells_a_secret("".join(traceback.format_exception(caught.value)))
        return caught.value

    # --- opening -------------------------------------------------------------------------------------------------------

    def test_it_is_found_by_its_name(self, stage: Stage) -> None:
        assert self.kind in registry.kinds()
        assert isinstance(stage.connector(), Connector)

    def test_it_opens_without_the_network(self, stage: Stage) -> None:
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        assert stage.connector(base_url=f"http://127.0.0.1:{port}/x").kind == self.kind

    def test_it_names_the_part_that_a_credential_lacks(self, stage: Stage) -> None:
        part = registry.load(self.kind).credential_parts[0]
        rest = {name: value for name, value in self.secrets.items() if name != part}
        with pytest.raises(ConfigurationError, match=part) as caught:
            stage.connector(credentials=RememberedCredentials("own", rest))
        assert not self._tells_a_secret(str(caught.value))

    def test_it_names_an_unknown_option_and_an_unknown_setting(self, stage: Stage) -> None:
        with pytest.raises(ConfigurationError, match="no_such_option"):
            stage.connector(options={"no_such_option": 1})
        with pytest.raises(ConfigurationError, match="no_such_setting"):
            stage.connector(no_such_setting=1)

    def test_it_refuses_plain_http_beyond_this_machine(self, stage: Stage) -> None:
        with pytest.raises(ConfigurationError, match="base_url"):
            stage.connector(base_url="http://somewhere.example/api")

    def test_every_declared_rule_has_a_source_and_a_date(self) -> None:
        rules = registry.load(self.kind).reply_rules
        assert rules.length_limit > 0
        assert rules.sources
        assert all(source.rule and source.source and source.as_of for source in rules.sources)

    def test_it_knows_who_it_is(self, stage: Stage) -> None:
        identity = stage.connector().identity()
        assert identity.native_id
        assert identity == stage.connector().identity()

    # --- connecting ----------------------------------------------------------------------------------------------------

    def _answers(self) -> Mapping[str, str]:
        return self.answers or {**self.options, **self.secrets}

    def test_its_set_up_asks_for_what_it_needs_and_has_words_for_it(self) -> None:
        connector = registry.load(self.kind)
        form = connector.setup
        assert len({ask.name for ask in form.asks}) == len(form.asks)
        assert [ask for ask in form.asks if ask.hidden]
        assert {ask.name for ask in form.asks if ask.goes is Goes.OPTION} <= set(connector.Options.model_fields)
        if form.confirmations:
            connector.Options.model_validate({**self.options, "confirmed": form.confirmations})
        for language in LANGUAGES:
            words = guide(connector, language)
            assert words.steps
            assert set(words.ask) == {ask.name for ask in form.asks}
            assert set(words.confirm) == set(form.confirmations)

    def test_prices_have_a_source_and_a_date(self) -> None:
        assert all(price.amount > 0 and price.source and price.as_of for price in registry.load(self.kind).prices)

    def test_whatever_the_answers_open_works(self, stage: Stage) -> None:
        accesses = registry.load(self.kind).accesses(stage.set_up(self._answers()))
        assert accesses
        for access in accesses:
            assert set(registry.load(self.kind).credential_parts) <= set(access.credential)
            kept = RememberedCredentials("own", access.credential)
            found = stage.connector(options=access.options, credentials=kept).inspect()
            assert access.native_id in {"", found.identity.native_id}
            assert not found.missing
            assert not found.problems
            assert found.expires_at is None or found.expires_at > stage.clock.now()

    def test_it_says_what_an_access_may_do_in_words_that_the_guide_knows(self, stage: Stage) -> None:
        connector = stage.connector()
        found = connector.inspect()
        assert found.identity == connector.identity()
        for language in LANGUAGES:
            words = guide(registry.load(self.kind), language)
            assert set(found.notes) <= set(words.notes)
            assert set(found.problems) <= set(words.problems)

    def test_a_dead_access_is_told_from_a_network_that_is_away(self, stage: Stage) -> None:
        connector = stage.connector()
        connector.identity()
        stage.fault("status", status=401, count=None)
        self._fails(CredentialsExpired, connector.inspect)
        stage.server.faults.clear()
        stage.fault("html", count=None)
        self._fails(Unreachable, connector.inspect)

    def test_a_set_up_whose_network_is_ill_says_no_secret(self, stage: Stage) -> None:
        connector = registry.load(self.kind)
        for fault in ("html", "reset", "truncated", "status"):
            stage.fault(fault, count=None, status=503)
            with suppress(ConnectorError):
                accesses = connector.accesses(stage.set_up(self._answers()))
                # nothing was asked, so nothing is known yet
                assert accesses[0].native_id == ""
            stage.server.faults.clear()

    # --- fetching ------------------------------------------------------------------------------------------------------

    def test_an_empty_network_gives_an_empty_page(self, stage: Stage) -> None:
        connector = stage.connector()
        page = whole_round(connector, None)
        assert texts(page) == []
        assert whole_round(connector, page.cursor).posts == ()

    def test_it_brings_what_is_new_and_nothing_twice(self, stage: Stage) -> None:
        connector = stage.connector()
        stage.customer_says("przed pierwszym pytaniem")
        page = whole_round(connector, None)
        seen = [post.native_id for post in page.posts]
        for number in range(3):
            stage.pass_time(minutes=5)
            stage.customer_says(f"nowy {number}", author=f"customer-{number}")
            page = whole_round(connector, page.cursor)
            assert numbers(page) == [number]
            seen += [post.native_id for post in page.posts]
        stage.pass_time(minutes=5)
        assert whole_round(connector, page.cursor).posts == ()
        assert len(seen) == len(set(seen))

    def test_nothing_is_lost_or_repeated_over_page_boundaries(self, stage: Stage) -> None:
        connector = stage.connector()
        stage.customer_says("stary")
        cursor = whole_round(connector, None).cursor
        for number in range(230):
            stage.pass_time(seconds=3)
            stage.customer_says(f"nowy {number}", author=f"customer-{number % 40}")
        page = whole_round(connector, cursor)
        assert sorted(numbers(page)) == list(range(230))
        assert texts(whole_round(connector, page.cursor)) == []

    def test_what_comes_in_during_a_long_round_is_not_lost(self, stage: Stage) -> None:
        connector = stage.connector()
        stage.customer_says("stary")
        cursor = whole_round(connector, None).cursor
        for number in range(150):
            stage.pass_time(seconds=3)
            stage.customer_says(f"nowy {number}")
        later = iter(range(150, 200))

        def another() -> None:
            stage.pass_time(seconds=3)
            stage.customer_says(f"nowy {next(later)}")

        first = whole_round(connector, cursor, meanwhile=another)
        stage.pass_time(seconds=3)
        second = whole_round(connector, first.cursor)
        assert sorted(numbers(first, second)) == list(range(next(later)))

    def test_posts_of_the_same_second_all_come(self, stage: Stage) -> None:
        connector = stage.connector()
        stage.customer_says("nowy 0")
        first = whole_round(connector, None)
        for number in (1, 2, 3):
            stage.customer_says(f"nowy {number}", author=f"customer-{number}")
        assert sorted(numbers(whole_round(connector, first.cursor))) == [1, 2, 3]

    def test_ids_are_unique_and_the_same_for_everybody_who_asks(self, stage: Stage) -> None:
        for number in range(20):
            stage.pass_time(seconds=1)
            stage.customer_says(f"nowy {number}")
        once, again = (whole_round(stage.connector(), None) for _ in range(2))
        ids = [post.native_id for post in once.posts]
        assert ids == [post.native_id for post in again.posts]
        assert len(ids) == len(set(ids))
        assert len({post.author.native_id for post in once.posts if not post.ours}) == 1

    def test_times_are_aware_and_true(self, stage: Stage) -> None:
        said = stage.customer_says("kiedy?")
        stage.pass_time(minutes=1)
        (post,) = [post for post in whole_round(stage.connector(), None).posts if not post.ours]
        assert post.created_at.utcoffset() == timedelta(0)
        assert abs(post.created_at - said.created_at) < timedelta(seconds=1)

    def test_every_letter_survives(self, stage: Stage) -> None:
        stage.customer_says(STRANGE)
        (text,) = texts(whole_round(stage.connector(), None))
        assert text.endswith(STRANGE)

    def test_half_an_emoji_survives(self, stage: Stage) -> None:
        stage.customer_says("pół \ud83d emoji")
        (text,) = texts(whole_round(stage.connector(), None))
        assert text.endswith("pół \ud83d emoji")

    def test_a_post_of_a_deleted_account_comes_through(self, stage: Stage) -> None:
        nobody = next(member.key for member in stage.world.library.members.values() if member.deleted)
        stage.customer_says("nowy 1", author=nobody)
        page = whole_round(stage.connector(), None)
        (post,) = [post for post in page.posts if not post.ours]
        assert post.author.native_id
        assert not page.quarantined

    def test_one_unreadable_item_is_set_aside_and_blocks_nobody(self, stage: Stage) -> None:
        connector = stage.connector()
        stage.customer_says("stary")
        cursor = whole_round(connector, None).cursor
        for number in range(3):
            stage.pass_time(minutes=3)
            stage.customer_says(f"nowy {number}")
        stage.fault("missing-fields", method="GET")
        page = whole_round(connector, cursor)
        assert len(page.quarantined) == 1
        assert page.quarantined[0].reason
        again = whole_round(connector, page.cursor)
        assert not again.quarantined
        assert len(set(numbers(page, again))) >= 2

    @pytest.mark.parametrize("fault", ["duplicate-page", "reorder", "extra-fields", "expired-cursor", "empty-page"])
    def test_odd_pages_lose_nothing(self, stage: Stage, fault: str) -> None:
        connector = stage.connector()
        stage.customer_says("stary")
        cursor = whole_round(connector, None).cursor
        for number in range(160):
            stage.pass_time(seconds=30)
            stage.customer_says(f"nowy {number}")
        stage.fault(fault, method="GET")
        read: set[int] = set()
        for _ in range(6):
            try:
                page = connector.fetch(cursor)
            except Unreachable:
                continue
            read |= set(numbers(page))
            cursor = json.loads(json.dumps(page.cursor))
        assert read == set(range(160))

    def test_the_desk_recognises_its_own_posts(self, stage: Stage) -> None:
        connector = stage.connector()
        said = stage.customer_says("nowy 1")
        cursor = whole_round(connector, None).cursor
        stage.pass_time(minutes=3)
        stage.shop_answers_in_the_app(said, "Już pomagamy, prosimy o numer zamówienia.")
        (own,) = [post for post in whole_round(connector, cursor).posts if post.ours]
        assert own.kind is PostKind.OWN
        assert own.author.native_id == connector.identity().native_id

    # --- reading the past ----------------------------------------------------------------------------------------------

    def test_it_says_how_far_its_network_lets_us_read_back(self) -> None:
        reach = registry.load(self.kind).capabilities.history
        assert reach.page > 0
        assert reach.note and reach.source and reach.as_of
        assert all(limit is None or limit > 0 for limit in (reach.posts, reach.own_posts, reach.days))

    def test_history_brings_every_post_since_a_moment_once_and_nothing_older(self, stage: Stage) -> None:
        for number in range(20):
            stage.pass_time(minutes=1)
            stage.customer_says(f"nowy {number}", author=f"customer-{number}")
        stage.pass_time(minutes=1)
        since = stage.clock.now()
        for number in range(20, 250):
            stage.pass_time(seconds=3)
            said = stage.customer_says(f"nowy {number}", author=f"customer-{number % 40}")
        stage.pass_time(seconds=3)
        stage.shop_answers_in_the_app(said, "Już pomagamy, prosimy o numer zamówienia.")
        page = whole_history(stage.connector, since)
        assert sorted(numbers(page)) == list(range(20, 250))
        assert all(post.created_at >= since for post in page.posts)
        ids = [post.native_id for post in page.posts]
        assert len(ids) == len(set(ids))
        (own,) = [post for post in page.posts if post.ours]
        assert own.kind is PostKind.OWN and own.in_reply_to is not None

    def test_history_is_shaped_as_a_poll_shapes_it(self, stage: Stage) -> None:
        polled = whole_round(stage.connector(), None)
        stage.customer_says("nowy 1")
        stage.pass_time(minutes=1)
        (poll,) = [post for post in whole_round(stage.connector(), polled.cursor).posts if not post.ours]
        found = whole_history(stage.connector, START - timedelta(days=1))
        assert [post for post in found.posts if not post.ours] == [poll]

    def test_an_empty_past_ends(self, stage: Stage) -> None:
        assert texts(whole_history(stage.connector, START)) == []

    @pytest.mark.parametrize("fault", ["reorder", "extra-fields", "expired-cursor", "empty-page"])
    def test_an_odd_page_of_history_loses_nothing(self, stage: Stage, fault: str) -> None:
        for number in range(230):
            stage.pass_time(seconds=30)
            stage.customer_says(f"nowy {number}")
        stage.fault(fault, method="GET")
        assert set(numbers(whole_history(stage.connector, START))) == set(range(230))

    def test_history_ends_where_the_network_repeats_its_pages(self, stage: Stage) -> None:
        for number in range(230):
            stage.pass_time(seconds=30)
            stage.customer_says(f"nowy {number}")
        stage.fault("duplicate-page", method="GET", count=None)
        assert numbers(whole_history(stage.connector, START))

    def test_an_unreadable_item_of_history_is_set_aside(self, stage: Stage) -> None:
        for number in range(3):
            stage.pass_time(minutes=3)
            stage.customer_says(f"nowy {number}")
        stage.connector().identity()
        stage.fault("missing-fields", method="GET", count=None)
        page = whole_history(stage.connector, START)
        assert page.quarantined and all(item.reason for item in page.quarantined)
        assert len(set(numbers(page))) == 2

    @pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (401, CredentialsExpired), (503, Unreachable)])
    def test_a_history_that_is_refused_says_so_and_goes_on_from_its_cursor(
        self, stage: Stage, status: int, error: type[ConnectorError]
    ) -> None:
        for number in range(230):
            stage.pass_time(seconds=30)
            stage.customer_says(f"nowy {number}")
        connector = stage.connector()
        pages = [connector.history(START, None)]
        stage.fault("status", method="GET", status=status, count=None)
        failed = self._fails(error, lambda: connector.history(START, pages[0].cursor))
        assert not isinstance(failed, RateLimited) or failed.until > stage.clock.now()
        stage.server.faults.clear()
        stage.pass_time(hours=1)
        while pages[-1].more:
            pages.append(stage.connector().history(START, json.loads(json.dumps(pages[-1].cursor))))
        assert sorted(numbers(*pages)) == list(range(230))

    # --- answering -----------------------------------------------------------------------------------------------------

    @pytest.fixture
    def post(self, stage: Stage) -> FetchedPost:
        """A customer's post that is waiting for an answer."""
        stage.customer_says("nowy 1")
        (post,) = [post for post in whole_round(stage.connector(), None).posts if not post.ours]
        stage.pass_time(minutes=5)
        return post

    def test_a_reply_is_published_once_under_the_post(self, stage: Stage, post: FetchedPost) -> None:
        connector = stage.connector()
        assert connector.can_reply(post.ref).allowed
        assert connector.find_own_reply(post.ref, "Dziękujemy!", key="k1") is None
        receipt = connector.reply(post.ref, "Dziękujemy!", key="k1", sent_by=SentBy.ROBOT)
        assert receipt.native_id
        (published,) = stage.published()
        assert published.text.endswith("Dziękujemy!")
        found = connector.find_own_reply(post.ref, "Dziękujemy!", key="k1")
        assert found is not None
        assert found.native_id == receipt.native_id
        (own,) = [item for item in connector.thread(post.ref) if item.ours]
        assert own.native_id == receipt.native_id
        assert own.thread_root == post.thread_root

    def test_an_answer_in_the_networks_own_app_is_seen_and_is_not_ours_to_adopt(
        self, stage: Stage, post: FetchedPost
    ) -> None:
        connector = stage.connector()
        said = next(item for item in stage.world.posts(self.kind) if not item.ours)
        stage.shop_answers_in_the_app(said, "Oddzwonimy dziś.")
        assert [item.ours for item in connector.thread(post.ref) if "Oddzwonimy" in item.text] == [True]
        assert connector.find_own_reply(post.ref, "Dziękujemy!", key="k1") is None

    def test_nothing_of_ours_is_seen_where_nobody_answered(self, stage: Stage, post: FetchedPost) -> None:
        assert [item for item in stage.connector().thread(post.ref) if item.ours and item.in_reply_to] == []

    @pytest.mark.parametrize("fault", ["drop-answer", "truncated"])
    def test_an_answer_that_was_lost_is_adopted_and_not_repeated(
        self, stage: Stage, post: FetchedPost, fault: str
    ) -> None:
        connector = stage.connector()
        connector.can_reply(post.ref)  # whoever needs a session has it now
        stage.fault(fault, method="POST")
        self._fails(Uncertain, lambda: connector.reply(post.ref, "Dziękujemy!", key="k1", sent_by=SentBy.ROBOT))
        stage.pass_time(minutes=1)
        found = connector.find_own_reply(post.ref, "Dziękujemy!", key="k1")
        assert found is not None
        assert len(stage.published()) == 1

    @pytest.mark.parametrize("fault", ["status", "reset", "html", "truncated"])
    def test_a_look_up_that_nobody_answered_is_no_verdict(self, stage: Stage, post: FetchedPost, fault: str) -> None:
        connector = stage.connector()
        connector.reply(post.ref, "Dziękujemy!", key="k1", sent_by=SentBy.ROBOT)
        stage.fault(fault, method="GET", status=503)
        self._fails(Unreachable, lambda: connector.find_own_reply(post.ref, "Dziękujemy!", key="k1"))
        assert connector.find_own_reply(post.ref, "Dziękujemy!", key="k1") is not None

    @pytest.mark.parametrize("fault", ["reset", "html", "half-open", "status"])
    def test_a_write_that_may_have_arrived_is_never_called_a_failure(
        self, stage: Stage, post: FetchedPost, fault: str
    ) -> None:
        connector = stage.connector(**_patience(fault))
        connector.can_reply(post.ref)
        stage.fault(fault, method="POST", status=503)
        self._fails(Uncertain, lambda: connector.reply(post.ref, "Dziękujemy!", key="k1", sent_by=SentBy.ROBOT))
        assert connector.find_own_reply(post.ref, "Dziękujemy!", key="k1") is None
        assert stage.published() == []

    def test_a_write_that_surely_never_left_is_told_apart(self, stage: Stage, post: FetchedPost) -> None:
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        connector = stage.connector(base_url=f"http://127.0.0.1:{port}/x")
        self._fails(Unreachable, lambda: connector.reply(post.ref, "Dziękujemy!", key="k1", sent_by=SentBy.ROBOT))

    def test_a_definite_no_is_refused(self, stage: Stage, post: FetchedPost) -> None:
        connector = stage.connector()
        connector.can_reply(post.ref)
        stage.fault("status", method="POST", status=403)
        self._fails(Refused, lambda: connector.reply(post.ref, "Dziękujemy!", key="k1", sent_by=SentBy.ROBOT))

    def test_a_busy_network_names_the_time_to_come_back(self, stage: Stage, post: FetchedPost) -> None:
        connector = stage.connector()
        connector.can_reply(post.ref)
        stage.fault("status", method="POST", status=429, reset_after=600)
        error = self._fails(
            RateLimited, lambda: connector.reply(post.ref, "Dziękujemy!", key="k1", sent_by=SentBy.ROBOT)
        )
        assert isinstance(error, RateLimited)
        assert abs(error.until - stage.clock.now() - timedelta(minutes=10)) <= timedelta(minutes=1)

    def test_a_deleted_post_is_not_answered(self, stage: Stage, post: FetchedPost) -> None:
        connector = stage.connector()
        stage.world.delete(next(item.sequence for item in stage.world.posts(self.kind) if not item.ours))
        assert not connector.can_reply(post.ref).allowed
        error = self._fails(Refused, lambda: connector.reply(post.ref, "Dziękujemy!", key="k1", sent_by=SentBy.ROBOT))
        assert isinstance(error, Refused)
        assert error.reason is RefusalReason.GONE
        assert stage.published() == []

    # --- what becomes of a post ----------------------------------------------------------------------------------------

    def test_a_deletion_is_seen(self, stage: Stage, post: FetchedPost) -> None:
        connector = stage.connector()
        stage.customer_says("nowy 2")
        other = next(item for item in whole_round(connector, None).posts if item.text.endswith("nowy 2"))
        stage.world.delete(next(item.sequence for item in stage.world.posts(self.kind) if not item.ours))
        state = connector.refresh([post.ref, other.ref])
        assert isinstance(state[post.native_id], Gone)
        assert isinstance(state[other.native_id], FetchedPost)
        assert all(found.native_id == native_id for native_id, found in state.items())

    def test_an_unchanged_post_reads_the_same(self, stage: Stage, post: FetchedPost) -> None:
        state = stage.connector().refresh([post.ref])[post.native_id]
        assert isinstance(state, FetchedPost)
        assert (state.native_id, state.revision, state.text, state.thread_root) == (
            post.native_id,
            post.revision,
            post.text,
            post.thread_root,
        )

    def test_an_edit_is_seen_and_keeps_the_first_id(self, stage: Stage, post: FetchedPost) -> None:
        connector = stage.connector()
        if not connector.capabilities.edits:
            pytest.skip(f"{connector.label} has no edits")
        sequence = next(item.sequence for item in stage.world.posts(self.kind) if not item.ours)
        stage.world.edit(sequence, post.text.replace("nowy 1", "poprawiony 1"))
        state = connector.refresh([post.ref])[post.native_id]
        assert isinstance(state, FetchedPost)
        assert state.native_id == post.native_id
        assert state.revision != post.revision
        assert state.text.endswith("poprawiony 1")

    @pytest.mark.parametrize("seed", range(8))
    def test_no_answer_however_broken_raises_anything_but_our_errors(
        self, stage: Stage, post: FetchedPost, seed: int
    ) -> None:
        """Parts of true answers are taken away or replaced by something else of JSON's kind."""
        connector = stage.connector()
        cursor, past = whole_round(connector, None).cursor, connector.history(START, None).cursor
        past = past if connector.history(START, None).more else None
        stage.customer_says("nowy 2")
        stage.server.dialects[self.kind] = Breaking(stage.server.dialects[self.kind], Random(seed))
        asks: list[Callable[[], object]] = [
            connector.inspect,
            lambda: registry.load(self.kind).accesses(stage.set_up(self._answers())),
            lambda: connector.fetch(None),
            lambda: connector.fetch(cursor),
            lambda: connector.history(START, None),
            lambda: connector.history(START, past),
            lambda: connector.refresh([post.ref]),
            lambda: connector.thread(post.ref),
            lambda: connector.can_reply(post.ref),
            lambda: connector.find_own_reply(post.ref, "Dziękujemy!", key="k1"),
            lambda: connector.reply(post.ref, "Dziękujemy!", key="k1", sent_by=SentBy.ROBOT),
        ]
        for _ in range(3):
            for ask in asks:
                with suppress(ConnectorError):
                    answer = ask()
                    if isinstance(answer, Page):
                        json.dumps(answer.cursor)
        assert len(stage.published()) <= 3

    # --- a network that is ill -----------------------------------------------------------------------------------------

    @pytest.mark.parametrize("fault", ["reset", "html", "half-open", "status", "truncated", "trickle", "drop-answer"])
    def test_a_read_that_fails_says_so_and_the_next_one_works(self, stage: Stage, fault: str) -> None:
        connector = stage.connector(**_patience(fault))
        stage.customer_says("nowy 1")
        connector.identity()
        stage.fault(fault, method="GET", status=502, seconds=0.1 if fault == "trickle" else 0.0)
        self._fails(Unreachable, lambda: connector.fetch(None))
        stage.server.faults.clear()
        assert texts(whole_round(connector, None))

    @pytest.mark.parametrize("reset", ["valid", "missing", "broken"])
    def test_a_limit_ends_at_an_aware_time_ahead(self, stage: Stage, reset: str) -> None:
        connector = stage.connector()
        connector.identity()
        stage.fault("status", method="GET", status=429, reset=reset, reset_after=600)
        error = self._fails(RateLimited, lambda: connector.fetch(None))
        assert isinstance(error, RateLimited)
        wait = error.until - stage.clock.now()
        assert timedelta(minutes=9) <= wait <= timedelta(minutes=15)

    def test_a_dead_token_asks_for_a_person(self, stage: Stage) -> None:
        connector = stage.connector()
        connector.identity()
        stage.fault("status", status=401, count=None)
        error = self._fails(CredentialsExpired, lambda: connector.fetch(None))
        assert error.permanent
        assert error.next_step

    def test_a_lost_permission_asks_for_a_person(self, stage: Stage) -> None:
        connector = stage.connector()
        connector.identity()
        stage.fault("status", method="GET", status=403, count=None)
        self._fails(CredentialsExpired, lambda: connector.fetch(None))

    def test_limits_are_told_as_the_network_tells_them(self, stage: Stage) -> None:
        connector = stage.connector()
        connector.fetch(None)
        assert connector.quota()
        assert {quota.stops for quota in connector.quota()} & {"read", "all"}, "which limit stops a poll?"
        for quota in connector.quota():
            assert quota.stops in {"", "read", "write", "all"}
            assert quota.remaining is None or quota.limit is None or quota.remaining <= quota.limit
            assert quota.resets_at is None or quota.resets_at.tzinfo is not None


def numbers(*pages: Page) -> list[int]:
    """The numbers of customers' posts "nowy 7", in order of reading."""
    found = (re.search(r"nowy (\d+)$", text) for page in pages for text in texts(page))
    return [int(match.group(1)) for match in found if match is not None]
