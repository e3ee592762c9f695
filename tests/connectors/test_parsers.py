"""Whatever a network answers, a connector either reads it or says what is wrong: it never crashes, never lets an item
through that the desk could not keep, keeps the good ones of a bad page, and never moves its cursor over a post that was
neither handed out nor set aside.

Tried with true answers that were wounded and with anything that is JSON (``broken_answers``), over real sockets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import kit, registry
from connectors.simulated.facebook import APP_ID
from connectors.simulated.limits import RateLimits
from connectors.simulated.server import SimulatedResponse, SimulatedServer, discover_dialects
from connectors.simulated.twitter import TwitterDialect
from connectors.simulated.world import World
from social.clock import SteppedClock
from social.domain.errors import ConnectorError, RateLimited, Uncertain
from social.domain.post import FetchedPost, Gone
from social.domain.reply import SentBy
from social.ports import Connector, Page, Verdict
from social.store import posts
from social.store.session import Database
from tests.connectors.broken_answers import (
    ODD_TIMES,
    Plan,
    Spoiled,
    anything,
    plans,
    readable,
    require_author,
    require_well_formed,
    shown,
    texts,
    tried,
)
from tests.connectors.contract import QUIET, START, RememberedCredentials, Stage, whole_round
from tests.factories import profile

NOBODY = "z konta, którego nie ma"
TEXT = "Dziękujemy, już sprawdzamy."


@dataclass(frozen=True)
class Net:
    """A network as these tests need it. ``spare``: requests that are answered truly, so that a case reaches what it is about."""

    kind: str
    secrets: Mapping[str, str]
    spare: str
    options: Mapping[str, Any] = field(default_factory=dict)


NETS = (
    Net("twitter", {"access_token": "canary-access-token-of-x"}, r"/users/me$"),
    Net("facebook", {"access_token": "canary-page-token", "app_secret": "canary-app-secret"}, r"/me$"),
    Net("bluesky", {"app_password": "canary-app-password-1"}, r"server\.", {"handle": "sklep-lawenda.test"}),
)


class Trial:
    """One network in which a few people wrote and the shop answered one of them. No dataclass: a failing case would be shown
    with all of it."""

    def __init__(self, stage: Stage, spoiled: Spoiled, well: Connector, cursor: Mapping[str, Any]) -> None:
        self.stage, self.spoiled, self.well, self.cursor = stage, spoiled, well, cursor
        self.known = {post.native_id: post for post in whole_round(well, cursor).posts}
        (self.own,) = [post for post in self.known.values() if post.ours]
        self.waiting = next(post for post in self.known.values() if post.text.endswith("nowy 2"))
        self.last_reply = 0

    def __repr__(self) -> str:
        return f"<{self.stage.kind}>"

    def connector(self) -> Connector:
        """A new one for every case, so that none pays for what another has met."""
        for old in self.stage.opened[1:]:
            old.close()
        del self.stage.opened[1:]
        self.stage.world.limits = RateLimits()
        return self.stage.connector()


@pytest.fixture(params=NETS, ids=lambda net: net.kind)
def trial(request: pytest.FixtureRequest) -> Iterator[Trial]:
    net: Net = request.param
    clock = SteppedClock(START)
    world = World(start=START, options=QUIET)
    dialect = TwitterDialect() if net.kind == "twitter" else discover_dialects()[net.kind]
    spoiled = Spoiled(dialect, spare=net.spare)
    with SimulatedServer(world, clock, dialects={net.kind: spoiled}) as server:
        credentials = RememberedCredentials("own", net.secrets)
        stage = Stage(
            kind=net.kind, world=world, clock=clock, server=server, credentials=credentials, options=net.options
        )
        well = stage.connector()
        stage.shop_post()
        stage.customer_says("stary")
        cursor = whole_round(well, None).cursor
        stage.pass_time(minutes=30)
        said = [stage.customer_says(f"nowy {number}", author=f"customer-{number}") for number in range(3)]
        stage.pass_time(minutes=1)
        stage.shop_answers_in_the_app(said[0], TEXT)
        nobody = next(member.key for member in world.library.members.values() if member.deleted)
        stage.customer_says(f"nowy {NOBODY}", author=nobody)
        stage.customer_says("nowy pod naszym", author="ola_wrona", parent=said[0].sequence)
        stage.pass_time(minutes=1)
        yield Trial(stage, spoiled, well, cursor)
        for connector in stage.opened:
            connector.close()


def whole(page: Page, now: datetime) -> None:
    for post in page.posts:
        require_well_formed(post, now)
    for bad in page.quarantined:
        assert bad.reason and isinstance(bad.raw, str)
        assert bad.native_id is None or bad.native_id.isascii()
    assert json.loads(json.dumps(page.cursor)) == page.cursor


@tried()
@given(plan=plans)
def test_a_broken_page_costs_only_its_broken_items(trial: Trial, plan: Plan) -> None:
    connector, now = trial.connector(), trial.stage.clock.now()
    trial.spoiled.begin(plan)
    page = None
    with suppress(ConnectorError):
        page = connector.fetch(trial.cursor)
    before, after = shown(trial.spoiled.whole), shown(trial.spoiled.sent)
    taken = shown(readable(trial.spoiled.sent))
    trial.spoiled.begin(None)
    found: set[str] = set()
    cursor = trial.cursor
    if page is not None:
        whole(page, now)
        # an item that calls itself a version of another post is handed out as that
        found = {native_id for post in page.posts for native_id in (post.native_id, post.revision)}
        cursor = json.loads(json.dumps(page.cursor))
        untouched = {native_id for native_id, item in before.items() if taken.get(native_id) == item}
        assert untouched & trial.known.keys() <= found, untouched & trial.known.keys() - found
        found |= {bad.native_id for bad in page.quarantined if bad.native_id is not None}
    for _ in range(2):  # a walk under way goes to its end first, and the others begin after it
        later = whole_round(trial.well, cursor)
        found |= {post.native_id for post in later.posts}
        cursor = later.cursor
    # what the network did not show, or showed under another id, nobody can miss
    hidden = before.keys() - after.keys() if page is not None else set()
    assert trial.known.keys() - hidden <= found


@tried()
@given(
    plan=plans, ask=st.sampled_from(("first page", "past", "refresh", "refresh", "thread", "may we reply", "our reply"))
)
def test_whatever_is_looked_up_is_read_or_refused_and_nothing_is_declared_gone_by_mistake(
    trial: Trial, plan: Plan, ask: str
) -> None:
    connector, now = trial.connector(), trial.stage.clock.now()
    trial.spoiled.begin(plan)
    try:
        with suppress(ConnectorError):
            match ask:
                case "first page":
                    whole(connector.fetch(None), now)
                case "past":
                    whole(connector.history(START - timedelta(days=1), None), now)
                case "refresh":
                    living = [post.ref for post in trial.known.values() if not post.text.endswith(NOBODY)]
                    state = connector.refresh(living)
                    assert set(state) <= set(trial.known)
                    for found in state.values():
                        assert not isinstance(found, Gone)
                        require_well_formed(found, now)
                case "thread":
                    for post in connector.thread(trial.waiting.ref):
                        require_well_formed(post, now)
                case "may we reply":
                    verdict = connector.can_reply(trial.waiting.ref)
                    assert isinstance(verdict, Verdict) and isinstance(verdict.reason, str)
                case _:
                    look_for_our_reply(trial, connector)
    finally:
        trial.spoiled.begin(None)


def look_for_our_reply(trial: Trial, connector: Connector) -> None:
    """It is there. A broken answer must not make the desk believe that it is surely absent: it would say it again."""
    asked = trial.known[trial.own.in_reply_to or ""]
    receipt = connector.find_own_reply(asked.ref, TEXT, key="k1")
    if receipt is not None:
        assert receipt.native_id.isascii() and receipt.native_id
    elif trial.stage.kind != "bluesky":  # there it is looked up under its key, and what was said in the app has none
        before, after = shown(trial.spoiled.whole), shown(trial.spoiled.sent)
        assert before[trial.own.native_id] != after.get(trial.own.native_id)
        # our words were taken out of the page, or changed in it; but there was a page
        assert all(isinstance(body, dict) and isinstance(body.get("data", []), list) for _, body in trial.spoiled.sent)


@tried()
@given(plan=plans)
def test_a_reply_that_may_be_public_is_never_called_refused(trial: Trial, plan: Plan) -> None:
    connector = trial.connector()
    trial.stage.pass_time(days=2)  # the same words again would be a duplicate
    trial.spoiled.begin(plan)
    problem: ConnectorError | None = None
    try:
        receipt = connector.reply(trial.waiting.ref, TEXT, key=f"k{trial.last_reply}", sent_by=SentBy.ROBOT)
        assert receipt.native_id.isascii() and receipt.native_id
    except ConnectorError as error:
        problem = error
    trial.spoiled.begin(None)
    public = trial.stage.published(after=trial.last_reply)
    if public:
        trial.last_reply = public[-1].sequence
        assert problem is None or isinstance(problem, Uncertain), f"{type(problem).__name__}: {problem}"
        assert len(public) == 1


statuses = st.sampled_from(
    (300, 304, 400, 401, 402, 403, 404, 408, 409, 418, 420, 422, 425, 429, 451, 500, 502, 503, 599)
)
header_words = st.one_of(
    st.sampled_from(
        ("", "soon", "0", "-1", "1e9", "1785924000", "1785924000000", "99999999999999999999", "NaN", "\u00e9")
    ),
    st.sampled_from(
        ("Wed, 05 Aug 2026 10:05:00 GMT", "Wed, 99 Xxx 0000 99:99:99 GMT", "Fri, 31 Dec 9999 23:59:59 -2359")
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
    st.builds(json.dumps, anything).filter(lambda text: text.isascii() and "\n" not in text and len(text) < 4000),
)
HEADERS = (
    *("retry-after", "date", "x-access-level", "x-app-usage", "x-page-usage", "x-business-use-case-usage"),
    *(f"{prefix}{name}" for prefix in ("x-rate-limit-", "ratelimit-") for name in ("limit", "remaining", "reset")),
    *(f"x-app-limit-24hour-{name}" for name in ("limit", "remaining", "reset")),
)


@tried()
@given(
    status=statuses,
    body=st.one_of(
        anything,
        st.fixed_dictionaries({"error": anything}),
        st.fixed_dictionaries({"errors": anything, "detail": anything}),
        st.fixed_dictionaries({"error": st.fixed_dictionaries({"code": anything, "error_subcode": anything})}),
        st.builds(lambda code: {"error": {"code": code, "message": "x"}}, st.integers(-5, 700)),
    ),
    headers=st.dictionaries(st.sampled_from(HEADERS), header_words, max_size=6),
)
def test_an_error_says_what_is_wrong_and_a_limit_ends_soon_enough(
    trial: Trial, status: int, body: Any, headers: dict[str, str]
) -> None:
    connector, now = trial.connector(), trial.stage.clock.now()
    connector.identity()
    trial.spoiled.begin(None, SimulatedResponse(status=status, body=json.dumps(body).encode(), headers=headers))
    asks = (
        lambda: connector.fetch(trial.cursor),
        lambda: connector.reply(trial.waiting.ref, TEXT, key="k", sent_by=SentBy.ROBOT),
        connector.inspect,
    )
    for ask in asks:
        with pytest.raises(ConnectorError) as caught:
            ask()
        assert str(caught.value) and "\n" not in str(caught.value)
        if isinstance(caught.value, RateLimited):
            assert now <= caught.value.until <= now + timedelta(days=8)
    trial.spoiled.begin(None)
    for quota in connector.quota():
        assert quota.limit is None or 0 <= quota.limit < 2**31
        assert quota.remaining is None or 0 <= quota.remaining < 2**31
        assert quota.used_percent is None or 0 <= quota.used_percent <= 1000
        assert quota.resets_at is None or quota.resets_at <= now + timedelta(days=8)
        assert len(quota.scope) <= 100 and quota.scope.isascii()


@tried()
@given(plan=plans)
def test_a_broken_sign_in_says_so(plan: Plan, everything: Trial) -> None:
    """Who we are, what the access may do, a token renewed, the set-up: nothing here is answered truly."""
    stage = everything.stage
    parts = dict(next(net.secrets for net in NETS if net.kind == stage.kind))
    answers: dict[str, str] = {**stage.options, **parts}
    if stage.kind == "twitter":
        parts = {"access_token": "expired-token", "refresh_token": f"refresh-{len(stage.opened)}", "client_id": "shop"}
    if stage.kind == "facebook":
        parts["app_id"] = APP_ID
        answers = {"app_id": APP_ID, "app_secret": parts["app_secret"], "user_token": "user-canary"}
    kept = RememberedCredentials("own", parts)
    connector = stage.connector(credentials=kept)
    everything.spoiled.begin(plan)
    for ask in (connector.identity, lambda: connector.inspect().identity):
        with suppress(ConnectorError):
            require_author(ask())
    with suppress(ConnectorError):
        for access in registry.load(stage.kind).accesses(stage.set_up(answers)):
            assert all(isinstance(value, str) and value for value in access.credential.values())
    everything.spoiled.begin(None)
    assert all(isinstance(value, str) and value for saved in kept.saved for value in saved.values())
    stage.opened.remove(connector)
    connector.close()


@pytest.fixture
def everything(trial: Trial) -> Trial:
    """The same, but no request is spared."""
    trial.spoiled.spare = re.compile(r"$^")
    return trial


# --- the tools of all connectors ---------------------------------------------------------------------------------------


@tried()
@given(word=header_words | texts, past=st.integers(-(10**6), 10**6))
def test_the_end_of_a_limit_is_never_before_now_and_never_far(word: str, past: int) -> None:
    now = START + timedelta(hours=past)
    for ends in (kit.reset_at(word, now=now), kit.retry_after(word, now=now)):
        assert now <= ends <= now + kit.LONGEST_WAIT
    told = kit.http_date(word)
    assert told is None or told.tzinfo is UTC


@tried()
@given(
    text=st.sampled_from(ODD_TIMES) | texts | st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat())
)
def test_a_time_is_one_that_can_be_reckoned_with_or_an_error(text: str) -> None:
    try:
        told = kit.written_at(text, now=START)
    except ValueError:
        return
    assert datetime(1899, 12, 30, tzinfo=UTC) <= told <= START
    assert told - timedelta(days=400) < told + timedelta(days=400)


@tried()
@given(items=anything)
def test_a_page_of_anything_is_items_and_what_was_set_aside(items: Any) -> None:
    def read(item: Mapping[str, Any]) -> FetchedPost:
        raise KeyError(item["id"])

    with suppress(ConnectorError):
        posts, bad = kit.read_items(items, read)
        assert posts == []
        assert len(bad) == len(items or ())
        assert all(one.reason.isprintable() and (one.native_id is None or one.native_id.isascii()) for one in bad)


@tried(0.2)
@given(plan=plans)
def test_whatever_gets_through_can_be_kept(trial: Trial, database: Database, plan: Plan) -> None:
    connector, now = trial.connector(), trial.stage.clock.now()
    trial.spoiled.begin(plan)
    page = None
    with suppress(ConnectorError):
        page = connector.fetch(trial.cursor)
    trial.spoiled.begin(None)
    if page is None:
        return
    shop = profile(database, network=trial.stage.kind, now=START, first_polled_at=START)
    with database.write() as session:
        posts.remember(session, shop, page.posts, now=now)
        posts.quarantine(session, shop.id, page.quarantined, now=now)
    with database.read() as session:
        assert posts.known(session, shop, [post.native_id for post in page.posts]) == {
            post.native_id for post in page.posts
        }
