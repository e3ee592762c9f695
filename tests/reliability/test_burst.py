"""L1: a hundred thousand posts in five minutes. The urgent ones come first, the memory stays flat, and what cannot be
acknowledged within the hour is said so: in every case, and once to people, with the honest number."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, update

from responders.snapshot import Limits
from social.clock import SteppedClock
from social.domain.assessment import Urgency
from social.domain.post import Author
from social.domain.reply import SentBy
from social.engine import backlog, line, watch
from social.engine.claims import Claimed, claim
from social.store.session import Database
from social.store.tables import EscalationRow, PostRow, ReplyRow
from tests.cast import ANNA, PIOTR, at
from tests.factories import case, desk_for, planned, post, post_id, profile, remembered, row_of
from tests.fakes import FakeClassifier, FakeConnector
from tests.reliability.flood import BEGINS, NORMAL, URGENT
from tests.story.telling import alerts, cases, posts, replies
from triage.load import rules_only

NOON = at("2026-11-20 12:00")
LEASE = timedelta(minutes=5)


@pytest.mark.parametrize("count", [2_500, pytest.param(100_000, marks=pytest.mark.slow)])
def test_it_stays_flat_urgent_first_and_honest(count: int, new_database: Callable[[], Database]) -> None:
    """The automatic texts of a profile are limited to 200 an hour: of so many customers most cannot get one."""
    url = new_database().url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.reliability.flood", url, str(count)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert run.returncode == 0, run.stderr[-3000:]
    told: dict[str, Any] = json.loads(run.stdout)

    assert told["peak_kb"] <= 1.5 * told["idle_kb"], told
    assert (told["posts"], told["unjudged"]) == (count, 0)  # every post was judged, once

    # the first batch is not looked at: one pass takes it anyway
    assert count // 100 - 2 <= told["urgent"] <= count // 100
    # a batch of 200 is judged for every 1,000 that come in: the normal ones wait for the end of the queue, the urgent not
    assert told["last_urgent_judged_at"] < count * 0.4
    sent, late = told["states"]["sent"], told["states"]["late"]
    assert sent == 200
    assert sent + late == count - told["states"].get("cancelled", 0)
    urgent_sent = min(count // 100, 200)
    assert (told["urgent_sent"], told["urgent_sent_first"]) == (urgent_sent, True)
    assert told["longest_urgent_wait_minutes"] <= 10

    assert told["late_with_a_case"] == late
    ((kind, message),) = told["alerts"]
    assert kind == "behind"
    assert re.match(rf"{late} customers on fikcja-net wait who could not be acknowledged within their hour$", message)
    assert set(told["queue"]) == {"high"}


# --- the claim ---------------------------------------------------------------------------------------------------------


def ask(database: Database, count: int, *, priority: Urgency, since: str) -> list[int]:
    """Posts of as many customers, a minute apart, as the quick look of a poll left them; their ids."""
    shop = profile(database)
    first = at(since)
    found = [
        post(when=first + timedelta(minutes=n), by=Author(native_id=f"{priority}-{since}-{n}")) for n in range(count)
    ]
    bands = {item.native_id: priority.band for item in found}
    for item in found:
        remembered(database, shop, item, priorities=bands)
    return [post_id(database, shop, item.native_id) for item in found]


def take(database: Database, kind: Claimed, limit: int) -> list[int]:
    shop = profile(database)
    found = claim(database, kind, now=NOON, limit=limit, lease=LEASE, profiles=[shop.id]).ids
    return list(found)


def test_the_critical_are_judged_before_the_high_and_these_before_the_rest(store_database: Database) -> None:
    normal = ask(store_database, 3, priority=Urgency.NORMAL, since="2026-11-20 08:00")
    high = ask(store_database, 1, priority=Urgency.HIGH, since="2026-11-20 09:00")
    critical = ask(store_database, 1, priority=Urgency.CRITICAL, since="2026-11-20 10:00")
    assert take(store_database, Claimed.POST, 3) == [*critical, *high, normal[0]]


def test_a_stream_of_urgent_posts_never_starves_who_waits_longest(store_database: Database) -> None:
    normal = ask(store_database, 6, priority=Urgency.NORMAL, since="2026-11-20 08:00")
    ask(store_database, 40, priority=Urgency.CRITICAL, since="2026-11-20 09:00")
    batches = [take(store_database, Claimed.POST, 8) for _ in range(3)]
    assert [[id_ for id_ in batch if id_ in normal] for batch in batches] == [normal[:2], normal[2:4], normal[4:]]
    assert [len(set(batch)) for batch in batches] == [8, 8, 8]


def test_urgent_texts_are_sent_first_and_a_persons_answer_with_them(
    database: Database,
) -> None:
    shop = profile(database)
    ids = []
    for number, (sent_by, urgency) in enumerate(
        [(SentBy.ROBOT, Urgency.NORMAL), (SentBy.ROBOT, Urgency.HIGH), (SentBy.PERSON, Urgency.NORMAL)]
    ):
        asked = remembered(database, shop, post(when=at("2026-11-20 11:00"), by=Author(native_id=f"c{number}")))
        case(database, asked)
        ids.append(planned(database, asked, sent_by=sent_by, urgency=urgency, due_at=at("2026-11-20 11:40")))
    assert [take(database, Claimed.REPLY, 1) for _ in ids] == [[ids[2]], [ids[1]], [ids[0]]]


@pytest.mark.parametrize("kind", [Claimed.POST, Claimed.REPLY])
def test_a_claim_reads_the_rows_in_order_and_sorts_nothing(kind: Claimed, database: Database) -> None:
    """Otherwise each of a thousand batches would read and sort all that wait, or (worse) all that ever came in."""
    seen: list[tuple[str, Any]] = []

    def keep(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.startswith("SELECT"):
            seen.append((statement, parameters))

    ask(database, 8, priority=Urgency.NORMAL, since="2026-11-20 08:00")
    with database.read() as session:  # as on a desk that has worked for a while
        session.connection().exec_driver_sql("SELECT 1")
    event.listen(database.engine, "before_cursor_execute", keep)
    shop = row_of(database, PostRow, 1)["profile_id"]
    if kind is Claimed.REPLY:
        for asked in range(1, 9):
            planned(database, asked)
    seen.clear()
    claim(database, kind, now=NOON, limit=8, lease=LEASE, profiles=[shop])
    event.remove(database.engine, "before_cursor_execute", keep)
    table = kind.value.table.__tablename__
    statements = [(statement, parameters) for statement, parameters in seen if f"{table}.attempts" in statement]
    assert len(statements) == 2  # the urgent ones, and those that wait longest
    with database.engine.connect() as connection:
        for statement, parameters in statements:
            steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            assert any(f"ix_{table}_urgent" in step or f"ix_{table}_active" in step for step in steps), steps
            assert not any("TEMP B-TREE" in step for step in steps), steps


# --- the quick look ----------------------------------------------------------------------------------------------------


def test_the_rules_look_at_what_comes_in_and_what_they_find_is_judged_first(database: Database) -> None:
    clock = SteppedClock(BEGINS)
    network, model = FakeConnector(clock), FakeClassifier()
    desk = desk_for(database, clock, network, classifier=model, fallback=rules_only("the quick look"))
    desk.batch = 2
    for number in range(4):
        network.publishes(post(f"{NORMAL} {number}", when=BEGINS, by=Author(native_id=f"c{number}")))
    network.publishes(post(URGENT, when=BEGINS, by=PIOTR))
    line.take_in(desk, clock.now())
    line.work_through(desk, clock.now())
    assert URGENT in model.asked
    assert len(model.asked) == 2


def test_an_edit_that_turns_urgent_is_judged_first(database: Database) -> None:
    clock = SteppedClock(BEGINS)
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, fallback=rules_only("the quick look"))
    asked = network.publishes(post(NORMAL, when=BEGINS))
    line.take_in(desk, clock.now())
    line.work_through(desk, clock.now())
    assert posts(database)[0].priority == Urgency.NORMAL.band
    network.edits(asked.native_id, URGENT, when=BEGINS + timedelta(minutes=1))
    clock.advance(timedelta(minutes=41))
    desk.batch = 0  # more waits than one pass takes
    line.send_out(desk, clock.now())
    assert [(row.state, row.priority) for row in posts(database)] == [("new", Urgency.HIGH.band)]


def test_a_post_that_breaks_the_quick_look_is_remembered_all_the_same(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FakeClassifier):
        def assess(self, texts: object) -> Any:
            raise ZeroDivisionError("Gdzie jest moja paczka?")

    clock = SteppedClock(BEGINS)
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, fallback=Broken())
    network.publishes(post(NORMAL, when=BEGINS))
    desk.batch = 0  # more waits than one pass takes
    line.take_in(desk, clock.now())
    desk.batch = 200
    line.work_through(desk, clock.now())
    assert [row.state for row in posts(database)] == ["judged"]
    assert "ZeroDivisionError" in caplog.text
    assert "paczka" not in caplog.text


# --- what cannot be done in time ---------------------------------------------------------------------------------------


def test_a_text_waits_for_room_under_the_hourly_limit_and_goes_out_inside_its_hour(database: Database) -> None:
    clock = SteppedClock(at("2026-11-20 10:00"))
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    desk.limits = Limits(per_profile_an_hour=1)
    shop = profile(database)
    for who, minute in ((ANNA, 0), (PIOTR, 59)):
        asked = network.publishes(post(when=at(f"2026-11-20 10:{minute:02}"), by=who))
        clock.advance_to(asked.created_at)
        case(database, remembered(database, shop, asked))
    first, second = cases(database)
    planned(database, first.post_id, due_at=at("2026-11-20 10:40"))
    planned(database, second.post_id, due_at=at("2026-11-20 11:39"))
    moments = {"2026-11-20 10:59": 1, "2026-11-20 11:39": 1, "2026-11-20 11:58": 1, "2026-11-20 11:59": 2}
    for moment, said in moments.items():  # each in the last minute of its hour
        clock.advance_to(at(moment))
        while line.send_out(desk, clock.now()):
            pass
        assert (moment, len(network.public_replies)) == (moment, said)


def test_what_waits_for_room_costs_the_network_nothing(database: Database) -> None:
    clock = SteppedClock(at("2026-11-20 10:00"))
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    desk.limits = Limits(per_profile_an_hour=1)
    shop = profile(database)
    for number in range(5):
        asked = network.publishes(post(when=clock.now(), by=Author(native_id=f"c{number}")))
        row = remembered(database, shop, asked)
        case(database, row)
        planned(database, row)
    clock.advance_to(at("2026-11-20 10:40"))
    while line.send_out(desk, clock.now()):
        pass
    assert network.calls.count("reply") == network.calls.count("thread") == 1
    assert [row.state for row in replies(database)] == ["sent", *["late"] * 4]
    assert all("limit of 1 automatic texts an hour" in (row.note or "") for row in cases(database)[1:])


def test_texts_whose_time_passed_are_given_up_together_also_during_a_pause(store_database: Database) -> None:
    clock = SteppedClock(at("2026-11-20 10:00"))
    network = FakeConnector(clock)
    desk = desk_for(store_database, clock, network)
    shop = profile(store_database)
    for number in range(7):
        row = remembered(store_database, shop, post(when=clock.now(), by=Author(native_id=f"c{number}")))
        case(store_database, row)
        planned(store_database, row)
    answer = planned(store_database, 1, sent_by=SentBy.PERSON, due_at=at("2026-11-20 10:40"))
    clock.advance_to(at("2026-11-20 11:01"))
    assert line.send_out(desk, clock.now()) == 7
    assert [row.state for row in replies(store_database)] == [*["late"] * 7, "planned"]
    assert {row.note for row in cases(store_database)} == {"acknowledgement: its time passed before it could be sent"}
    line.send_out(desk, clock.now())  # a person's answer has no such end
    assert row_of(store_database, ReplyRow, answer)["state"] == "sent"


def test_people_are_told_once_how_many_wait_and_again_after_they_have_worked_them_off(store_database: Database) -> None:
    clock = SteppedClock(at("2026-11-20 10:00"))
    desk = desk_for(store_database, clock, FakeConnector(clock))
    shop = profile(store_database)

    def too_late(count: int) -> None:
        for number in range(count):
            by = Author(native_id=f"c{number}-{clock.now():%H%M}")
            row = remembered(store_database, shop, post(when=clock.now(), by=by))
            case(store_database, row)
            planned(store_database, row)
        clock.advance(timedelta(minutes=61))
        line.send_out(desk, clock.now())

    def behind() -> list[str]:
        watch.look_around(desk, clock.now())
        return [row.message for row in alerts(store_database) if row.kind == backlog.KIND]

    too_late(backlog.MANY - 1)
    assert behind() == []
    too_late(3)
    assert behind() == ["12 customers on fikcja-net wait who could not be acknowledged within their hour"]
    (first,) = [row.id for row in alerts(store_database)]
    too_late(4)
    assert behind() == ["16 customers on fikcja-net wait who could not be acknowledged within their hour"]
    assert [row.id for row in alerts(store_database)] == [first]

    with store_database.write() as session:
        session.execute(update(EscalationRow).values(state="answered"))
    assert behind() == []


def test_people_are_told_of_posts_that_nobody_judged_for_an_hour(database: Database) -> None:
    clock = SteppedClock(at("2026-11-20 10:00"))
    desk = desk_for(database, clock, FakeConnector(clock))
    ask(database, 30, priority=Urgency.NORMAL, since="2026-11-20 10:00")
    clock.advance_to(at("2026-11-20 11:11"))
    watch.look_around(desk, clock.now())
    (alert,) = alerts(database)
    assert alert.message.endswith("30 posts are not judged yet, 12 of them for more than an hour")
