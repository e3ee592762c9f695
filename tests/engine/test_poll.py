"""What a poll keeps whatever the network does: nothing lost, nothing twice, and no profile pays for another's trouble."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from social.clock import SteppedClock
from social.domain.errors import ConnectorError, CredentialsExpired, RateLimited, StoreError, Unreachable
from social.domain.post import FetchedPost, PostRef, Quarantined
from social.engine import line
from social.engine.desk import Desk
from social.engine.poll import PAGES_A_TURN, REFRESH_EVERY, THREADS_AT_ONCE
from social.engine.schedule import run_stepped
from social.ports import Cursor, Page, Quota
from social.store.session import Database
from social.store.tables import AlertRow, BudgetRow, ConversationRow, PostRow, ProfileRow, QuarantineRow
from tests.cast import ANNA, PIOTR, SHOP, at
from tests.engine.looking import pragma, profile_row, rows
from tests.factories import case, desk_for, post, profile, remembered
from tests.fakes import FakeConnector
from tests.story.telling import alerts, case_of, leases_run_out, posts

TEN = at("2026-11-20 10:00")  # a Friday


def beside(desk: Desk, name: str, network: FakeConnector) -> Desk:
    """A second profile of the same shop on the same desk."""
    (first,) = desk.profiles.values()
    other = profile(desk.database, name, network=network.kind, now=desk.now())
    desk.profiles = {**desk.profiles, other.id: replace(first, id=other.id, name=name, connector=network)}
    return desk


# --- what networks do wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["all", "read", "mentions"])
def test_it_honours_a_rate_limit_over_a_restart_without_a_single_call(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock, scope: str
) -> None:
    network = FakeConnector(clock)
    network.publishes(post(when=TEN))
    network.fails("fetch", RateLimited("too many requests.", until=at("2026-11-20 10:30"), scope=scope))
    assert line.take_in(desk_for(database, clock, network), TEN) == 1
    calls = list(network.calls)

    restarted = desk_for(new_database(), clock, network)
    run_stepped(restarted, clock, until=at("2026-11-20 10:29"))
    assert network.calls == calls
    assert posts(database) == []

    run_stepped(restarted, clock, until=at("2026-11-20 10:30"))
    assert [found.text for found in posts(database)] == ["Gdzie jest moja paczka?"]


@pytest.mark.parametrize("stops", ["read", "all"])
def test_it_does_not_ask_where_a_known_limit_has_nothing_left(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock, stops: str
) -> None:
    network = FakeConnector(clock)
    network.quotas = (
        Quota(scope="mentions", stops=stops, remaining=0, limit=15, resets_at=at("2026-11-20 10:15")),
        Quota(scope="search", remaining=0, limit=15, resets_at=at("2026-11-20 12:00")),  # a poll goes on without it
    )
    desk = desk_for(database, clock, network)
    line.take_in(desk, TEN)
    budget, _ = rows(database, BudgetRow)
    assert (budget.scope, budget.remaining, budget.resets_at) == ("mentions", 0, at("2026-11-20 10:15"))
    calls = list(network.calls)

    restarted = desk_for(new_database(), clock, network)
    run_stepped(restarted, clock, until=at("2026-11-20 10:14"))
    assert network.calls == calls
    run_stepped(restarted, clock, until=at("2026-11-20 10:15"))
    assert network.calls.count("fetch") == 2


def test_it_tells_people_once_of_an_expired_credential_and_again_only_after_it_was_mended(
    database: Database, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    network = FakeConnector(clock)
    expired = CredentialsExpired("the token is no longer valid.", next_step="Connect the profile again.")
    network.fails("fetch", expired, times=4)
    desk = desk_for(database, clock, network)

    run_stepped(desk, clock, until=at("2026-11-20 10:46"))
    assert network.calls.count("fetch") == 4  # every quarter of an hour, in case somebody mended it
    (alert,) = alerts(database)
    assert (alert.kind, "Connect the profile again." in alert.message) == ("connector", True)
    assert sum(record.message.startswith("ALERT") for record in caplog.records) == 1
    assert "the token is no longer valid" in profile_row(desk)["last_error"]

    run_stepped(desk, clock, until=at("2026-11-20 11:10"))
    assert alerts(database) == []
    assert profile_row(desk)["last_error"] is None

    network.fails("fetch", expired)
    run_stepped(desk, clock, until=at("2026-11-20 11:20"))
    assert len(alerts(database)) == 1


def test_it_tries_an_unreachable_network_again_within_a_minute(database: Database, clock: SteppedClock) -> None:
    network = FakeConnector(clock)
    network.publishes(post(when=TEN))
    network.fails("fetch", Unreachable("no answer.", resource="fake"))
    desk = desk_for(database, clock, network)

    line.take_in(desk, TEN)
    assert "no answer" in profile_row(desk)["last_error"]
    assert alerts(database) == []  # it happens, and mends itself

    run_stepped(desk, clock, until=TEN + timedelta(minutes=1))
    assert len(posts(database)) == 1
    assert profile_row(desk)["last_error"] is None


@pytest.mark.parametrize("method", ["identity", "fetch", "refresh", "thread"])
@pytest.mark.parametrize(
    "error",
    [
        Unreachable("HTML instead of JSON."),
        RateLimited("slow down.", until=at("2026-11-20 10:02")),
        CredentialsExpired("renew the token."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_it_loses_nothing_whichever_question_fails(
    database: Database, clock: SteppedClock, method: str, error: ConnectorError
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    shop = profile(database, network="fake", now=TEN)
    case(database, remembered(database, shop, network.publishes(post("Stare.", when=at("2026-11-20 09:00")))))
    network.publishes(post("Nowe.", when=TEN, by=PIOTR))
    network.fails(method, error)

    run_stepped(desk, clock, until=at("2026-11-20 10:20"))

    assert method in network.calls
    assert [found.text for found in posts(database)] == ["Stare.", "Nowe."]


@pytest.mark.parametrize("error", [Unreachable("down."), RuntimeError("a mistake in the connector")])
def test_it_goes_on_with_the_other_profile_when_one_is_broken(
    database: Database, clock: SteppedClock, error: Exception
) -> None:
    broken, well = FakeConnector(clock), FakeConnector(clock)
    broken.fails("fetch", error, times=99)
    well.publishes(post(when=TEN))
    desk = beside(desk_for(database, clock, broken, name="broken"), "well", well)

    for _ in range(2):
        with suppress(RuntimeError):  # the ticker logs it; the lease keeps the profile from being asked at once again
            line.take_in(desk, TEN)

    assert broken.calls.count("fetch") == 1
    assert [found.text for found in posts(database)] == ["Gdzie jest moja paczka?"]
    wrong = [str(row.last_error) for row in rows(database, ProfileRow)]
    assert type(error).__name__ in wrong[0] or str(error) in wrong[0]
    assert wrong[1] == "None"


def test_a_second_look_that_fails_is_seen_on_the_profile_and_stops_no_poll(
    database: Database, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    shop = profile(database, network="fake", now=TEN)
    case(database, remembered(database, shop, network.publishes(post("Stare.", when=at("2026-11-20 09:00")))))
    network.fails("refresh", Unreachable("HTML instead of JSON."), times=99)

    run_stepped(desk, clock, until=at("2026-11-20 10:20"))

    assert rows(database, ProfileRow)[0].last_error == "HTML instead of JSON."
    assert network.calls.count("fetch") >= 4


# --- pages and cursors ------------------------------------------------------------------------------------------------


class Stuck(FakeConnector):
    """A network that says "there is more" for ever and shows the same page."""

    def fetch(self, cursor: Cursor | None) -> Page:
        return replace(super().fetch(None), more=True)


def test_it_ends_when_a_network_repeats_its_cursor(database: Database, clock: SteppedClock) -> None:
    network = Stuck(clock)
    network.publishes(post(when=TEN))
    desk = desk_for(database, clock, network)

    line.take_in(desk, TEN)

    assert network.calls.count("fetch") == 2  # only the repeat tells
    assert len(posts(database)) == 1
    assert profile_row(desk)["due_at"] == TEN + timedelta(minutes=5)


def test_it_takes_a_long_backlog_in_turns_so_that_no_profile_starves_the_others(
    database: Database, clock: SteppedClock
) -> None:
    network = FakeConnector(clock, page_size=1)
    for number in range(PAGES_A_TURN + 2):
        network.publishes(post(when=at("2026-11-20 09:00") + timedelta(minutes=number)))
    desk = desk_for(database, clock, network)

    line.take_in(desk, TEN)
    assert len(posts(database)) == PAGES_A_TURN
    assert profile_row(desk)["due_at"] == TEN  # at once, but behind whoever else is due

    line.take_in(desk, TEN)
    assert len(posts(database)) == PAGES_A_TURN + 2
    assert not line.take_in(desk, TEN)


def test_it_keeps_cursor_and_posts_as_they_were_when_the_disk_is_full(database: Database, clock: SteppedClock) -> None:
    network = FakeConnector(clock, page_size=1)
    network.publishes(post("Krótkie.", when=at("2026-11-20 09:00")))
    network.publishes(post("x" * 200_000, when=at("2026-11-20 09:01")))
    desk = desk_for(database, clock, network)
    pragma(database, "max_page_count=60")  # room for the first page of posts, not for the second

    with pytest.raises(StoreError, match="disk is full"):
        line.take_in(desk, TEN)
    assert [found.text for found in posts(database)] == ["Krótkie."]
    assert profile_row(desk)["cursor"] == {"seen": 1}  # each page and its cursor are one transaction
    assert profile_row(desk)["last_polled_at"] != TEN

    pragma(database, "max_page_count=100000")
    leases_run_out(database)
    line.take_in(desk, TEN)
    assert [len(found.text) for found in posts(database)] == [8, 200_000]
    assert profile_row(desk)["cursor"] == {"seen": 2}


class TakenOver(FakeConnector):
    """A network so slow that the lease ends meanwhile and another process polls."""

    meanwhile: Callable[[], object]

    def fetch(self, cursor: Cursor | None) -> Page:
        page = super().fetch(cursor)
        self.meanwhile()
        return page


def test_it_drops_a_page_that_another_process_took_over(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock
) -> None:
    slow, quick = TakenOver(clock), FakeConnector(clock)
    for network in (slow, quick):
        network.publishes(post(when=TEN))
    late, heir = desk_for(database, clock, slow), desk_for(new_database(), clock, quick)

    def take_over() -> None:
        leases_run_out(database)
        assert line.take_in(heir, TEN)

    slow.meanwhile = take_over
    line.take_in(late, TEN)

    assert len(posts(database)) == 1
    assert profile_row(late)["due_at"] == TEN + timedelta(minutes=5)
    assert (profile_row(late)["token"], profile_row(late)["last_polled_at"]) == (None, TEN)


def test_it_keeps_what_cannot_be_read_once_and_stores_the_rest_of_the_page(
    database: Database, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="social.poll")
    network = FakeConnector(clock)
    garbled = Quarantined(native_id="p7", reason="no author", raw='{"id": "p7", "text": "\ud83d"}')
    desk = desk_for(database, clock, network)
    for minute in (0, 5):
        network.garbles(garbled)
        network.publishes(post(f"Numer {minute}.", when=TEN + timedelta(minutes=minute)))
        run_stepped(desk, clock, until=TEN + timedelta(minutes=minute))

    (kept,) = rows(database, QuarantineRow)
    assert (kept.native_id, kept.reason, kept.raw) == (garbled.native_id, garbled.reason, garbled.raw)
    assert [found.text for found in posts(database)] == ["Numer 0.", "Numer 5."]
    assert "1 new, 1 unreadable, kept aside" in caplog.text


def test_it_learns_once_which_account_is_its_own(database: Database, clock: SteppedClock) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)

    run_stepped(desk, clock, until=at("2026-11-20 10:20"))

    assert (profile_row(desk)["account_id"], profile_row(desk)["account_handle"]) == (SHOP.native_id, SHOP.handle)
    assert network.calls.count("identity") == 1
    assert network.calls.count("fetch") == 5


def test_it_marks_what_was_there_before_the_first_poll_as_history(database: Database, clock: SteppedClock) -> None:
    network = FakeConnector(clock)
    network.publishes(post("Dawno.", when=at("2026-11-20 09:00")))
    desk = desk_for(database, clock, network, first_polled_at=None)

    line.take_in(desk, TEN)
    network.publishes(post("Teraz.", when=TEN + timedelta(minutes=1), by=PIOTR))
    run_stepped(desk, clock, until=at("2026-11-20 10:05"))

    assert [(found.text, found.history) for found in posts(database)] == [("Dawno.", True), ("Teraz.", False)]
    assert profile_row(desk)["first_polled_at"] == TEN


@pytest.mark.parametrize(("silence", "gap"), [(5, False), (14, False), (16, True)])
def test_it_marks_what_came_while_nobody_polled(
    database: Database, clock: SteppedClock, silence: int, gap: bool
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    line.take_in(desk, TEN)
    network.publishes(post(when=TEN + timedelta(minutes=1)))

    clock.advance(timedelta(minutes=silence))
    line.take_in(desk, clock.now())

    assert [found.after_gap for found in posts(database)] == [gap]


# --- looking again ----------------------------------------------------------------------------------------------------


class InThreadsOnly(FakeConnector):
    """A network whose news never show what our own account wrote."""

    read: list[str]

    def fetch(self, cursor: Cursor | None) -> Page:
        page = super().fetch(cursor)
        return replace(page, posts=tuple(item for item in page.posts if not item.ours))

    def thread(self, ref: PostRef) -> Sequence[FetchedPost]:
        self.read = [*getattr(self, "read", []), ref.thread_root]
        return super().thread(ref)


def asked_and_waiting(desk: Desk, network: FakeConnector, *, when: datetime = TEN) -> FetchedPost:
    """A question that became a case; the robot has nothing to say about it."""
    asked = network.publishes(post("Gdzie jest moja paczka?", when=when, by=ANNA))
    (shop,) = desk.profiles.values()
    case(desk.database, remembered(desk.database, profile(desk.database, shop.name, network="fake", now=when), asked))
    return asked


def test_it_sees_an_edit_of_an_open_post_and_has_it_judged_again(database: Database, clock: SteppedClock) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    asked = asked_and_waiting(desk, network)
    run_stepped(desk, clock, until=at("2026-11-20 10:05"))

    network.edits(asked.native_id, "Gdzie są moje DWIE paczki?", when=at("2026-11-20 10:06"))
    run_stepped(desk, clock, until=TEN + REFRESH_EVERY)

    (found,) = posts(database)
    assert (found.text, found.revision_number, found.state) == ("Gdzie są moje DWIE paczki?", 2, "judged")


def test_it_sees_that_an_open_post_was_deleted(database: Database, clock: SteppedClock) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    asked = asked_and_waiting(desk, network)
    run_stepped(desk, clock, until=at("2026-11-20 10:05"))

    network.deletes(asked.native_id)
    run_stepped(desk, clock, until=TEN + REFRESH_EVERY)

    (found,) = posts(database)
    assert (found.text, found.deleted_at is not None) == ("", True)
    assert case_of(database).note == "The customer deleted this post."


def test_it_sees_an_answer_in_the_networks_own_app_that_no_news_show(database: Database, clock: SteppedClock) -> None:
    network = InThreadsOnly(clock)
    desk = desk_for(database, clock, network)
    asked = asked_and_waiting(desk, network)
    run_stepped(desk, clock, until=at("2026-11-20 10:05"))

    network.answers_by_hand(asked, "Już jedzie.", when=at("2026-11-20 10:07"))
    run_stepped(desk, clock, until=TEN + REFRESH_EVERY)

    found = case_of(database)
    assert (found.state, found.answered_natively, found.answered_at) == ("answered", True, at("2026-11-20 10:07"))


def test_it_reads_the_threads_of_open_cases_in_rotation(database: Database, clock: SteppedClock) -> None:
    network = InThreadsOnly(clock)
    desk = desk_for(database, clock, network)
    asked = [
        asked_and_waiting(desk, network, when=at("2026-11-20 09:00") + timedelta(minutes=number)).native_id
        for number in range(THREADS_AT_ONCE + 3)
    ]

    line.take_in(desk, TEN)
    assert network.read == asked[:THREADS_AT_ONCE]  # the longest waiting first
    assert {conversation.looked_at for conversation in rows(database, ConversationRow)} == {
        TEN
    }  # refreshed they all were

    network.read = []
    clock.advance(REFRESH_EVERY)
    line.take_in(desk, clock.now())
    assert network.read[:3] == asked[THREADS_AT_ONCE:]
    assert len(network.read) == THREADS_AT_ONCE


def test_it_reads_no_threads_of_open_cases_where_the_news_bring_all_of_them(
    database: Database, clock: SteppedClock
) -> None:
    network = InThreadsOnly(clock)
    network.threads_add_nothing = True
    desk = desk_for(database, clock, network)
    asked_and_waiting(desk, network)

    line.take_in(desk, TEN)

    assert (network.calls.count("refresh"), network.calls.count("thread")) == (1, 0)
    assert [conversation.looked_at for conversation in rows(database, ConversationRow)] == [
        TEN
    ]  # others have their turn


def test_it_reads_the_thread_of_what_lay_there_before_the_first_poll_once(
    database: Database, clock: SteppedClock
) -> None:
    network = InThreadsOnly(clock)
    network.threads_add_nothing = True
    desk = desk_for(database, clock, network)
    asked = network.publishes(post("Gdzie jest moja paczka?", when=TEN - timedelta(hours=3)))
    (shop,) = desk.profiles.values()
    known = profile(database, shop.name, network="fake", now=TEN)
    case(database, remembered(database, known, asked, history=True))

    line.take_in(desk, TEN)
    clock.advance(REFRESH_EVERY)
    line.take_in(desk, clock.now())

    assert network.read == [asked.thread_root]


@pytest.mark.parametrize("where", ["refresh", "thread"])
def test_a_second_look_that_is_refused_rings_once_and_does_not_hold_up_the_polls(
    database: Database, clock: SteppedClock, where: str
) -> None:
    network = InThreadsOnly(clock)
    desk = desk_for(database, clock, network, poll_every=timedelta(minutes=1))
    asked = [asked_and_waiting(desk, network, when=TEN - timedelta(minutes=number)) for number in (1, 2)]
    network.fails(where, CredentialsExpired("you may not."), times=3)
    network.deletes(asked[0].native_id)

    run_stepped(desk, clock, until=TEN + timedelta(minutes=29))

    (alert,) = [row for row in rows(database, AlertRow) if row.kind == "connector"]
    assert alert.subject.endswith("/look") and alert.raised_at == TEN
    assert network.calls.count(where) == 2  # 10:00, 10:15
    gone = {row.native_id: row.deleted_at is not None for row in rows(database, PostRow)}
    assert gone[asked[0].native_id] is (where == "thread")  # what could be refreshed is kept

    run_stepped(desk, clock, until=TEN + timedelta(minutes=50))
    assert [row for row in rows(database, AlertRow) if row.kind == "connector"] == []


@pytest.mark.parametrize(
    ("left_out", "part", "told_of"),
    [("unread", "own", "answers may not be sent"), ("missed", "missed", "some of what customers write is not read")],
)
def test_what_may_not_be_read_rings_once_until_it_is_read_again(
    database: Database, clock: SteppedClock, left_out: str, part: str, told_of: str
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)

    def told() -> list[AlertRow]:
        return [row for row in rows(database, AlertRow) if row.kind == "connector"]

    setattr(network, left_out, (Unreachable("over capacity."),))
    run_stepped(desk, clock, until=TEN + timedelta(minutes=5))
    assert told() == []  # it happens, and mends itself

    setattr(network, left_out, (CredentialsExpired("the network answered 403."),))
    run_stepped(desk, clock, until=TEN + timedelta(minutes=20))
    (alert,) = told()
    assert alert.subject.endswith(f"/{part}") and told_of in alert.message and "403" in alert.message
    assert profile_row(desk)["last_error"] is None  # the news come in
    first = alert.id

    setattr(network, left_out, (Unreachable("over capacity."),))  # not mended, only asked in vain
    run_stepped(desk, clock, until=TEN + timedelta(minutes=25))
    assert [alert.id for alert in told()] == [first]
    setattr(network, left_out, ())
    run_stepped(desk, clock, until=TEN + timedelta(minutes=30))
    assert told() == []


def test_a_second_look_that_goes_on_failing_is_told_after_half_an_hour(database: Database, clock: SteppedClock) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    asked_and_waiting(desk, network)
    network.fails("refresh", Unreachable("HTML instead of JSON."), times=99)

    run_stepped(desk, clock, until=TEN + timedelta(minutes=25))
    assert [row for row in rows(database, AlertRow) if row.kind == "connector"] == []
    run_stepped(desk, clock, until=TEN + timedelta(minutes=40))
    (alert,) = [row for row in rows(database, AlertRow) if row.kind == "connector"]
    assert "HTML instead of JSON." in alert.message


def test_it_looks_again_every_quarter_of_an_hour_and_not_at_what_is_done(
    database: Database, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    asked = asked_and_waiting(desk, network)
    run_stepped(desk, clock, until=at("2026-11-20 10:44"))
    assert network.calls.count("refresh") == 3  # 10:00, 10:15, 10:30

    network.answers_by_hand(asked, "Już jedzie.", when=at("2026-11-20 10:44"))
    run_stepped(desk, clock, until=at("2026-11-20 11:44"))
    assert network.calls.count("refresh") <= 4  # the one at 10:45 may come before the answer is polled
    assert case_of(database).state == "answered"
