"""At most once in public: history, gaps, crashes between the wire and the commit, a backup from yesterday."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from social.clock import SteppedClock
from social.domain.errors import Uncertain
from social.engine import people
from social.engine.schedule import run_stepped
from social.ports import Idempotency
from social.store import schema
from social.store.session import Database
from tests.cast import MAREK, PIOTR, SHOP, at
from tests.factories import desk_for, post
from tests.fakes import FAKE_RULES, FakeConnector, Killed
from tests.story.telling import NETWORK_RULES, alerts, case_of, cases, leases_run_out, posts, replies, the_case


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(at("2026-11-20 09:55"))


def test_it_never_answers_a_post_from_before_the_first_poll(database: Database, clock: SteppedClock) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, first_polled_at=None)
    network.publishes(post("Czy jesteście?", when=at("2026-11-20 09:40")))
    network.publishes(post("A teraz?", when=at("2026-11-20 10:00"), by=PIOTR))

    run_stepped(desk, clock, until=at("2026-11-20 12:00"))

    assert [reply.in_reply_to for reply in network.public_replies] == ["customer-piotr-1120T100000"]


def test_it_leaves_exactly_one_public_reply_when_it_is_killed_between_send_and_commit(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    network.publishes(post("Gdzie paczka?", when=at("2026-11-20 10:00")))
    network.fails("reply", Killed(), after_effect=True)
    with pytest.raises(Killed):
        run_stepped(desk, clock, until=at("2026-11-20 12:00"))
    assert [row.state for row in replies(database)] == ["sending"]

    leases_run_out(database)
    restarted = desk_for(new_database(), clock, network)
    run_stepped(restarted, clock, until=at("2026-11-20 12:00"))

    assert len(network.public_replies) == 1
    assert [row.state for row in replies(database)] == ["sent"]
    assert replies(database)[0].external_id == network.public_replies[0].native_id


def test_it_sends_the_reply_once_when_it_is_killed_between_intent_and_wire(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    network.publishes(post("Gdzie paczka?", when=at("2026-11-20 10:00")))
    network.fails("reply", Killed())
    with pytest.raises(Killed):
        run_stepped(desk, clock, until=at("2026-11-20 12:00"))

    leases_run_out(database)
    restarted = desk_for(new_database(), clock, network)
    run_stepped(restarted, clock, until=at("2026-11-20 12:00"))

    assert len(network.public_replies) == 1


def test_it_does_not_follow_a_person_with_a_reply_that_came_back_from_the_wire(
    database: Database, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    network.publishes(post("Gdzie paczka?", when=at("2026-11-20 10:00")))
    network.fails("reply", Uncertain("time-out"))  # it never arrived, but nobody knows yet
    run_stepped(desk, clock, until=at("2026-11-20 10:41"))
    assert [row.state for row in replies(database)] == ["sending"]

    people.answer(database, NETWORK_RULES, the_case(database), "Jutro u Pani.", user=MAREK, now=clock.now())
    run_stepped(desk, clock, until=at("2026-11-20 10:45"))
    leases_run_out(database)
    run_stepped(desk, clock, until=at("2026-11-20 12:00"))

    assert [reply.text for reply in network.public_replies] == ["Jutro u Pani."]
    assert [row.state for row in replies(database)] == ["cancelled", "sent"]


def test_it_decides_again_for_the_post_that_stands_when_the_first_was_deleted(
    database: Database, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    first = network.publishes(post("Gdzie pazcka?", when=at("2026-11-20 10:00")))
    second = network.publishes(post("Gdzie paczka?", when=at("2026-11-20 10:03"), thread_root=first.native_id))
    run_stepped(desk, clock, until=at("2026-11-20 10:10"))
    network.deletes(first.native_id)

    run_stepped(desk, clock, until=at("2026-11-20 12:00"))

    assert [reply.in_reply_to for reply in network.public_replies] == [second.native_id]


def test_it_knows_a_second_part_of_an_answer_from_an_answer_to_everybody(
    database: Database, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    announced = network.publishes(post("Nowość!", when=at("2026-11-20 09:56"), by=SHOP, ours=True))
    hers = network.publishes(post("Ile?", when=at("2026-11-20 10:00"), thread_root=announced.native_id))
    his = network.publishes(post("Kiedy?", when=at("2026-11-20 10:01"), by=PIOTR, thread_root=announced.native_id))
    part_one = network.answers_by_hand(hers, "Dziesięć", when=at("2026-11-20 10:10"))
    network.answers_by_hand(part_one, "złotych.", when=at("2026-11-20 10:11"))

    run_stepped(desk, clock, until=at("2026-11-20 12:00"))

    assert [written.to for written in network.written] == [his.native_id]


def test_it_asks_a_person_where_nobody_can_tell_whether_a_reply_appeared(
    database: Database, clock: SteppedClock
) -> None:
    rules = replace(FAKE_RULES, idempotency=Idempotency.NONE)
    network = FakeConnector(clock, rules=rules)
    network.lookup_blind = True
    desk = desk_for(database, clock, network)
    network.publishes(post("Gdzie paczka?", when=at("2026-11-20 10:00")))
    network.fails("reply", Uncertain("time-out"))

    run_stepped(desk, clock, until=at("2026-11-20 11:00"))
    leases_run_out(database)
    run_stepped(desk, clock, until=at("2026-11-20 14:00"))

    assert [row.state for row in replies(database)] == ["unknown"]
    assert network.calls.count("reply") == 1  # the robot never sends it again
    assert "unknown" in [alert.kind for alert in alerts(database)]
    assert case_of(database).state == "open"


def test_it_answers_nothing_twice_after_a_day_old_backup_is_restored(
    database: Database, new_database: Callable[[], Database], clock: SteppedClock, tmp_path: Path
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    network.publishes(post("Przed kopią.", when=at("2026-11-20 10:00")))
    run_stepped(desk, clock, until=at("2026-11-20 11:00"))
    backup = schema.backup_sqlite(database, label="yesterday", now=clock.now(), folder=tmp_path)
    assert backup is not None
    network.publishes(post("Po kopii.", when=at("2026-11-20 14:00"), by=PIOTR))
    run_stepped(desk, clock, until=at("2026-11-20 16:00"))
    before = [reply.native_id for reply in network.public_replies]
    assert len(before) == 2

    database.close()
    assert database.path is not None
    for leftover in database.path.parent.glob(f"{database.path.name}-*"):
        leftover.unlink()
    shutil.copyfile(backup, database.path)
    restored = desk_for(new_database(), clock, network)
    run_stepped(restored, clock, until=at("2026-11-21 12:00"))

    assert [reply.native_id for reply in network.public_replies] == before
    assert {row.text for row in posts(restored.database)} >= {"Przed kopią.", "Po kopii."}
    assert {case.state for case in cases(restored.database)} <= {"open", "answered"}


def test_it_answers_a_post_that_came_in_a_gap_only_once_its_thread_was_read(
    database: Database, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    run_stepped(desk, clock, until=at("2026-11-20 09:58"))
    network.publishes(post("W czasie przerwy.", when=at("2026-11-20 10:00")))
    clock.advance_to(at("2026-11-20 10:30"))  # nobody polled for half an hour

    run_stepped(desk, clock, until=at("2026-11-20 12:00"))

    assert "thread" in network.calls[: network.calls.index("reply")]
    assert [reply.created_at for reply in network.public_replies] == [at("2026-11-20 10:40")]
