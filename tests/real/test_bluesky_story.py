"""The whole line over the makers' own servers: a real customer's post, and what she finds under it in the end.

The servers' time is the machine's; the desk's clock starts there and jumps ahead, so that minute 40 comes at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from social.clock import SteppedClock
from social.domain.hours import BusinessCalendar, parse_weekly
from social.engine.desk import Desk, Leases
from social.engine.schedule import run_stepped
from social.ports import Connector
from social.store.session import Database
from tests.cast import WARSAW
from tests.factories import desk_for
from tests.real.bluesky_network import Account, BlueskyNetwork, ask, replies_in, wait_until
from tests.real.conftest import Opener
from tests.story.telling import case_of, cases, replies
from triage.load import load_classifier

ALWAYS_OPEN = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon-sun": ["00:00-24:00"]}))
#: A doubtful send is looked up after this long on the machine, which a story can wait for.
SHORT = Leases(settle=timedelta(seconds=3))


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(datetime.now(UTC))


def open_desk(database: Database, clock: SteppedClock, connector: Connector) -> Desk:
    """Polled once, so that whatever comes from now on is answered."""
    desk = desk_for(
        database,
        clock,
        connector,
        classifier=load_classifier(),  # the shipped model: the whole line is real here
        calendar=ALWAYS_OPEN,
        first_polled_at=None,
        poll_every=timedelta(minutes=10),
    )
    desk.leases = SHORT
    desk.profiles = {row: replace(live, longest_attempt=timedelta(0)) for row, live in desk.profiles.items()}
    run_stepped(desk, clock, until=clock.now() + timedelta(seconds=1))
    return desk


def asked_for_real(customer: Account, brand: Account, clock: SteppedClock) -> dict[str, str]:
    """The customer writes, and the network has told the brand. The desk's clock does not lag behind the network's."""
    post = ask(customer, brand)

    def told() -> bool:
        answer = brand.query("app.bsky.notification.listNotifications", limit=20)
        return any(item["uri"] == post["uri"] for item in answer["notifications"])

    wait_until("the mention in the brand's notifications", told)
    clock.advance_to(datetime.now(UTC))
    return post


def test_a_customer_is_acknowledged_once_and_sees_it_in_her_thread(
    database: Database, clock: SteppedClock, brand: Account, customer: Account, open_for: Opener
) -> None:
    desk = open_desk(database, clock, open_for(brand, clock=clock))
    post = asked_for_real(customer, brand, clock)

    run_stepped(desk, clock, until=clock.now() + timedelta(minutes=38))
    assert [row.state for row in replies(database)] == ["planned"]
    assert replies_in(customer, post["uri"]) == []

    run_stepped(desk, clock, until=clock.now() + timedelta(hours=2))
    wait_until("the acknowledgement in the customer's thread", lambda: replies_in(customer, post["uri"]))
    run_stepped(desk, clock, until=clock.now() + timedelta(hours=2))

    (said,) = replies_in(customer, post["uri"])
    assert "automat" in said
    (row,) = replies(database)
    assert (row.state, row.text) == ("sent", said)
    assert case_of(database).state == "open"


def test_a_customer_answered_by_hand_in_the_app_hears_nothing_from_the_robot(
    database: Database, clock: SteppedClock, brand: Account, customer: Account, open_for: Opener
) -> None:
    desk = open_desk(database, clock, open_for(brand, clock=clock))
    post = asked_for_real(customer, brand, clock)
    run_stepped(desk, clock, until=clock.now() + timedelta(minutes=20))

    brand.post("Paczka jest już w drodze. Hanna", reply_to=(post, post))
    wait_until("the answer in the customer's thread", lambda: replies_in(customer, post["uri"]))
    run_stepped(desk, clock, until=clock.now() + timedelta(hours=2))

    assert replies_in(customer, post["uri"]) == ["Paczka jest już w drodze. Hanna"]
    found = case_of(database)
    assert (found.state, found.answered_natively) == ("answered", True)
    assert [row.state for row in replies(database)] == ["cancelled"]


def test_an_acknowledgement_whose_answer_was_lost_is_in_the_thread_once(
    database: Database,
    clock: SteppedClock,
    brand: Account,
    customer: Account,
    open_for: Opener,
    answers_lost: Callable[[str], BlueskyNetwork],
) -> None:
    desk = open_desk(database, clock, open_for(brand, answers_lost("com.atproto.repo.createRecord"), clock=clock))
    post = asked_for_real(customer, brand, clock)

    run_stepped(desk, clock, until=clock.now() + timedelta(minutes=45))
    assert [row.state for row in replies(database)] == ["sending"]

    def settled() -> bool:
        run_stepped(desk, clock, until=clock.now() + timedelta(seconds=1))
        return replies(database)[0].state != "sending"

    wait_until("the look-up of the doubtful reply", settled)
    wait_until("the acknowledgement in the customer's thread", lambda: replies_in(customer, post["uri"]))
    run_stepped(desk, clock, until=clock.now() + timedelta(hours=2))

    (said,) = replies_in(customer, post["uri"])
    (row,) = replies(database)
    assert (row.state, row.text) == ("sent", said)
    assert row.external_id is not None
    assert row.external_id.startswith(f"at://{brand.did}/")


def test_a_customer_who_deleted_her_post_hears_nothing(
    database: Database, clock: SteppedClock, brand: Account, customer: Account, open_for: Opener
) -> None:
    desk = open_desk(database, clock, open_for(brand, clock=clock))
    post = asked_for_real(customer, brand, clock)
    run_stepped(desk, clock, until=clock.now() + timedelta(minutes=12))
    assert [row.state for row in replies(database)] == ["planned"]

    customer.delete(post["uri"])
    wait_until("the deletion", lambda: not brand.query("app.bsky.feed.getPosts", uris=[post["uri"]])["posts"])
    run_stepped(desk, clock, until=clock.now() + timedelta(hours=2))

    assert [row.state for row in replies(database)] == ["cancelled"]
    own = brand.query("app.bsky.feed.getAuthorFeed", actor=brand.did)["feed"]
    assert own == []


def test_a_customer_who_blocked_the_brand_is_left_to_people(
    database: Database, clock: SteppedClock, brand: Account, customer: Account, open_for: Opener
) -> None:
    desk = open_desk(database, clock, open_for(brand, clock=clock))
    post = asked_for_real(customer, brand, clock)
    run_stepped(desk, clock, until=clock.now() + timedelta(minutes=12))
    assert [row.state for row in replies(database)] == ["planned"]

    customer.block(brand)
    wait_until("the block", lambda: not brand.query("app.bsky.feed.getPosts", uris=[post["uri"]])["posts"])
    run_stepped(desk, clock, until=clock.now() + timedelta(hours=2))

    (row,) = replies(database)
    assert row.state == "refused"
    assert "blocked" in (row.reason or "")
    assert [case.state for case in cases(database)] == ["open"]
