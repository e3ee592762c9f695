"""The database is the queue. These promises hold on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest

from social.clock import machine_now
from social.domain.reply import ReplyState, SentBy
from social.engine.claims import MAXIMUM_ATTEMPTS, Claim, Claimed, claim, finish, release, renew, still_mine
from social.store import escalations, outbox, posts, users
from social.store.session import Database
from social.store.tables import PostRow, ProfileRow, ReplyRow
from tests.cast import MAREK, at
from tests.factories import case, planned, post, profile, remembered, row_of
from tests.story.telling import leases_run_out

NOW = at("2026-11-20 10:00")
LEASE = timedelta(minutes=5)
EVERY_PROFILE = range(1, 10)
OVER = timedelta(seconds=-1)  # a lease that ended before it began: its holder died


def take(database: Database, kind: Claimed = Claimed.POST, *, limit: int = 10, lease: timedelta = LEASE) -> Claim:
    return claim(database, kind, now=NOW, limit=limit, lease=lease, profiles=EVERY_PROFILE)


def some_posts(database: Database, count: int) -> list[int]:
    """Row ids, the oldest first."""
    shop = profile(database)
    found = [post(f"number {n}", when=NOW - timedelta(minutes=count - n), native_id=f"n{n}") for n in range(count)]
    for item in found[:-1]:
        remembered(database, shop, item)
    last = remembered(database, shop, found[-1])
    return [last - count + 1 + n for n in range(count)]


def test_it_gives_what_is_due_the_longest_waiting_first(store_database: Database) -> None:
    ids = some_posts(store_database, 5)
    assert take(store_database, limit=2).ids == (ids[0], ids[1])
    assert take(store_database, limit=2).ids == (ids[2], ids[3])
    assert take(store_database).ids == (ids[4],)
    assert not take(store_database)


def test_it_gives_nothing_before_its_time(store_database: Database) -> None:
    asked = remembered(store_database, profile(store_database), post(when=NOW))
    reply = planned(store_database, asked, due_at=NOW + timedelta(minutes=40))
    assert not take(store_database, Claimed.REPLY)
    then = NOW + timedelta(minutes=40)
    later = claim(store_database, Claimed.REPLY, now=then, limit=1, lease=LEASE, profiles=EVERY_PROFILE)
    assert later.ids == (reply,)


def test_it_gives_only_the_profiles_that_are_asked_for(store_database: Database) -> None:
    one, two = profile(store_database, "one"), profile(store_database, "two")
    remembered(store_database, one, post(when=NOW))
    second = remembered(store_database, two, post(when=NOW))
    mine = claim(store_database, Claimed.POST, now=NOW, limit=9, lease=LEASE, profiles=[two.id])
    assert mine.ids == (second,)
    assert not claim(store_database, Claimed.POST, now=NOW, limit=9, lease=LEASE, profiles=[])


def test_it_gives_a_row_to_somebody_else_once_the_lease_is_over(store_database: Database) -> None:
    (asked,) = some_posts(store_database, 1)
    died = take(store_database, lease=OVER)
    heir = take(store_database)
    assert died.ids == heir.ids == (asked,)
    assert died.token != heir.token


def test_it_drops_the_work_of_a_holder_whose_lease_is_over(store_database: Database) -> None:
    (asked,) = some_posts(store_database, 1)
    late, heir = take(store_database, lease=OVER), take(store_database)
    with store_database.write() as session:
        assert still_mine(session, late) == set()
        assert not finish(session, late, asked, state="judged", reason="by the late one")
    with store_database.write() as session:
        assert still_mine(session, heir) == {asked}
        assert finish(session, heir, asked, state="judged", reason="by the heir")
    row = row_of(store_database, PostRow, asked)
    assert (row["reason"], row["token"], row["leased_until"]) == ("by the heir", None, None)


def test_it_writes_a_result_only_once(store_database: Database) -> None:
    (asked,) = some_posts(store_database, 1)
    mine = take(store_database)
    with store_database.write() as session:
        assert finish(session, mine, asked, state="judged")
        assert not finish(session, mine, asked, state="waiting")
    assert row_of(store_database, PostRow, asked)["state"] == "judged"


def test_it_renews_only_what_is_still_its_own(store_database: Database) -> None:
    (asked,) = some_posts(store_database, 1)
    late, heir = take(store_database, lease=OVER), take(store_database)
    before = row_of(store_database, PostRow, asked)["leased_until"]
    with store_database.write() as session:
        renew(session, late, LEASE * 9)
    assert row_of(store_database, PostRow, asked)["leased_until"] == before
    with store_database.write() as session:
        renew(session, heir, LEASE * 9)
    assert row_of(store_database, PostRow, asked)["leased_until"] > before


def test_it_never_gives_one_row_to_two(new_store_database: Callable[[], Database]) -> None:
    first, second = new_store_database(), new_store_database()
    ids = some_posts(first, 40)
    start = Barrier(2)

    def work(database: Database) -> list[int]:
        got: list[int] = []
        start.wait()
        while mine := take(database, limit=3):
            got += mine.ids
        return got

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(work, (first, second))
    assert sorted(one + two) == ids


@pytest.mark.parametrize(
    ("kind", "table", "aside"), [(Claimed.POST, PostRow, "failed"), (Claimed.REPLY, ReplyRow, "refused")]
)
def test_it_sets_aside_what_kills_everybody_who_holds_it(
    store_database: Database, kind: Claimed, table: type, aside: str
) -> None:
    asked = remembered(store_database, profile(store_database), post(when=NOW))
    row_id = planned(store_database, asked, due_at=NOW) if kind is Claimed.REPLY else asked
    for _ in range(MAXIMUM_ATTEMPTS):
        assert take(store_database, kind, lease=OVER).ids == (row_id,)
    assert not take(store_database, kind)
    row = row_of(store_database, table, row_id)
    assert (row["state"], row["token"]) == (aside, None)


def test_it_never_gives_up_on_a_profile(store_database: Database) -> None:
    shop = profile(store_database, now=NOW)
    for _ in range(MAXIMUM_ATTEMPTS + 3):
        assert take(store_database, Claimed.PROFILE, lease=OVER).ids == (shop.id,)
    assert row_of(store_database, ProfileRow, shop.id)["state"] == "active"


def test_it_forgives_the_attempts_of_work_that_was_finished(store_database: Database) -> None:
    (asked,) = some_posts(store_database, 1)
    take(store_database, lease=OVER)
    mine = take(store_database)
    with store_database.write() as session:
        finish(session, mine, asked, state="waiting", due_at=NOW)
    assert row_of(store_database, PostRow, asked)["attempts"] == 0


def test_who_lost_the_lease_over_a_slow_network_gets_a_longer_one(store_database: Database) -> None:
    asked = remembered(store_database, profile(store_database), post(when=NOW))

    def leases(kind: Claimed, table: type[PostRow | ProfileRow], row: int) -> list[int]:
        """Of five claims in a row that come to no end: how many times ``LEASE``."""
        found = []
        for _ in range(5):
            assert take(store_database, kind)
            until = row_of(store_database, table, row)["leased_until"]
            assert isinstance(until, datetime)
            found.append(round((until - machine_now()) / LEASE))
            leases_run_out(store_database)
        return found

    assert leases(Claimed.PROFILE, ProfileRow, 1) == [1, 2, 4, 8, 8]
    assert leases(Claimed.POST, PostRow, asked) == [1, 1, 1, 1, 1]
    again = take(store_database, Claimed.PROFILE)
    with store_database.write() as session:
        finish(session, again, 1, due_at=NOW)
    assert leases(Claimed.PROFILE, ProfileRow, 1)[0] == 1


def test_failures_that_came_to_an_end_make_no_lease_longer(store_database: Database) -> None:
    """A network in trouble is no slow one: whoever dies over the next poll is followed within one lease."""
    profile(store_database)
    for _ in range(4):
        claimed = take(store_database, Claimed.PROFILE)
        attempts = row_of(store_database, ProfileRow, 1)["attempts"]
        with store_database.write() as session:
            finish(session, claimed, 1, due_at=NOW, attempts=attempts)
    assert take(store_database, Claimed.PROFILE)
    until = row_of(store_database, ProfileRow, 1)["leased_until"]
    assert isinstance(until, datetime)
    assert round((until - machine_now()) / LEASE) == 1


def test_it_counts_the_attempts_of_work_that_was_given_back(store_database: Database) -> None:
    (asked,) = some_posts(store_database, 1)
    release(store_database, take(store_database))
    assert row_of(store_database, PostRow, asked)["attempts"] == 1
    release(store_database, take(store_database), due_at=NOW + timedelta(minutes=1))
    assert not take(store_database)


# --- every change of state takes the row away from whoever holds it ---------------------------------------------------


def test_it_fences_off_a_sender_when_the_text_is_cancelled(store_database: Database) -> None:
    asked = remembered(store_database, profile(store_database), post(when=NOW))
    reply = planned(store_database, asked, due_at=NOW)
    sender = take(store_database, Claimed.REPLY)
    with store_database.write() as session:
        outbox.cancel_planned(session, now=NOW, reason="a person answered", post_id=asked, sent_by=SentBy.ROBOT)
    with store_database.write() as session:
        row = session.get(ReplyRow, reply)
        assert row is not None
        assert not outbox.intend(session, row, token=sender.token, now=NOW, leased_until=NOW)
        session.rollback()
    row = row_of(store_database, ReplyRow, reply)
    assert (row["state"], row["token"], row["leased_until"]) == ("cancelled", None, None)


def test_it_keeps_the_token_of_the_sender_who_commits_the_intent(store_database: Database) -> None:
    asked = remembered(store_database, profile(store_database), post(when=NOW))
    reply = planned(store_database, asked, due_at=NOW)
    sender = take(store_database, Claimed.REPLY)
    with store_database.write() as session:
        row = session.get(ReplyRow, reply)
        assert row is not None
        assert outbox.intend(session, row, token=sender.token, now=NOW, leased_until=NOW)
    row = row_of(store_database, ReplyRow, reply)
    assert (row["state"], row["token"]) == (ReplyState.SENDING, sender.token)


def test_it_fences_off_a_judge_when_the_post_is_edited(store_database: Database) -> None:
    shop = profile(store_database)
    asked = post("Gdzie paczka?", when=NOW)
    row_id = remembered(store_database, shop, asked)
    judge = take(store_database)
    changed = post("Gdzie są obie paczki?", when=NOW, revision="2", edited_at=NOW)
    remembered(store_database, shop, changed, now=NOW)
    with store_database.write() as session:
        assert not finish(session, judge, row_id, state="judged")
    assert row_of(store_database, PostRow, row_id)["state"] == "new"


def test_it_fences_off_a_judge_when_the_post_is_deleted(store_database: Database) -> None:
    from social.domain.post import Gone

    shop = profile(store_database)
    row_id = remembered(store_database, shop, post(when=NOW, native_id="gone-1"))
    judge = take(store_database)
    with store_database.write() as session:
        posts.forget_deleted(session, shop, [Gone(native_id="gone-1")], now=NOW)
    with store_database.write() as session:
        assert not finish(session, judge, row_id, state="judged")


def test_it_fences_off_whoever_holds_a_case_that_a_person_takes(store_database: Database) -> None:
    asked = remembered(store_database, profile(store_database), post(when=NOW))
    case_id = case(store_database, asked)
    holder = take(store_database, Claimed.ESCALATION)
    with store_database.write() as session:
        marek = users.user_id(session, MAREK, now=NOW)
        escalations.take(session, case_id, user=marek, name=MAREK, now=NOW)
    with store_database.write() as session:
        assert still_mine(session, holder) == set()
