"""No question on the way of a post may cost more because the database is old: each finds its rows by an index.

A busy day is lived through while every statement is written down; then SQLite is asked how it answers each of them. A table
that grows with every post must never be read whole, nor by its profile alone (a profile may have a million posts).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import event

from social.clock import SteppedClock
from social.domain.assessment import Flag, Urgency
from social.domain.errors import Uncertain
from social.engine import people
from social.engine.schedule import run_stepped
from social.store.session import Database
from tests.cast import MAREK, OFFICE, PIOTR, at
from tests.factories import desk_for, post
from tests.fakes import FakeClassifier, FakeConnector
from tests.story.telling import NETWORK_RULES

#: The tables that get rows with every post.
GROWING = ("post", "post_revision", "author", "conversation", "assessment", "decision", "reply", "audit", "escalation")

#: What may read more, and why that does not grow.
ALLOWED = {
    "ix_post_active": "holds only what waits to be judged",
    "ix_post_urgent": "holds only what waits to be judged",
    "ix_reply_urgent": "holds only what is planned",
    "ix_reply_expiring": "holds only what is planned",
    "ix_reply_active": "holds only what is on its way",
    "uq_reply_one_active_of_a_kind": "holds only what is on its way",
    "ix_escalation_active": "holds only the open cases",
    "uq_escalation_one_waiting": "holds only the open cases",
    "ix_reply_profile_newest": "is read from its newest end and left after a few rows",
}
FIRST_CASE = 1
_STEP = re.compile(r"^(SCAN|SEARCH) (\S+)(?: USING (?:COVERING )?INDEX (\S+))?(?: \((.*)\))?")


@contextmanager
def written_down(database: Database) -> Iterator[dict[str, Any]]:
    """Every statement of the block, with one set of its parameters."""
    statements: dict[str, Any] = {}

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            statements.setdefault(statement, parameters[0] if many else parameters)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def reads_too_much(database: Database, statement: str, parameters: Any) -> list[str]:
    """The steps of SQLite's plan that read a growing table whole, or all that one profile has of it."""
    with database.engine.connect() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    tables = dict(re.findall(r'(?:FROM|JOIN|UPDATE) "?(\w+)"? AS "?(\w+)"?', statement))
    names = {alias: table for table, alias in tables.items()}
    found = []
    for step in plan:
        seen = _STEP.match(step)
        if seen is None or names.get(seen[2], seen[2]) not in GROWING or seen[3] in ALLOWED:
            continue
        if seen[1] == "SCAN" or seen[4] == "profile_id=?":
            found.append(step)
    return found


def a_busy_day(database: Database) -> None:
    clock = SteppedClock(at("2026-11-20 08:55"))
    network = FakeConnector(clock)
    judge = FakeClassifier().judges("pali", urgency=Urgency.CRITICAL).judges("człowiek", flags={Flag.WANTS_HUMAN})
    desk = desk_for(database, clock, network, classifier=judge, poll_every=timedelta(minutes=2))
    asked = network.publishes(post("Gdzie paczka?", when=at("2026-11-20 09:05")))
    network.publishes(post("Kiedy otwieracie?", when=at("2026-11-20 09:06"), by=PIOTR, thread_root=asked.native_id))
    network.publishes(post("Ładowarka się pali!", when=at("2026-11-20 09:20"), by=PIOTR))
    network.publishes(post("Chcę rozmawiać: człowiek!", when=at("2026-11-20 09:30"), by=PIOTR))
    handled = network.publishes(post("A gdzie druga?", when=at("2026-11-20 10:00")))
    edited = network.publishes(post("Zwrot?", when=at("2026-11-20 10:30")))
    deleted = network.publishes(post("Cofam to", when=at("2026-11-20 10:31")))
    network.answers_by_hand(handled, "Już sprawdzam", when=at("2026-11-20 10:20"))
    network.fails("reply", Uncertain("time-out"), after_effect=True)
    run_stepped(desk, clock, until=at("2026-11-20 10:35"))
    network.edits(edited.native_id, "Zwrot pieniędzy?", when=clock.now())
    network.deletes(deleted.native_id)
    people.take(database, FIRST_CASE, user=MAREK, now=clock.now(), calendar=OFFICE)
    people.answer(database, NETWORK_RULES, FIRST_CASE, "Sprawdzam i wracam.", user=MAREK, now=clock.now())
    run_stepped(desk, clock, until=at("2026-11-20 18:00"))


def test_no_question_of_a_busy_day_reads_a_growing_table_whole(database: Database) -> None:
    with written_down(database) as statements:
        a_busy_day(database)
    assert len(statements) > 60, "the day was not busy"

    slow = {
        statement: steps
        for statement, parameters in statements.items()
        if (steps := reads_too_much(database, statement, parameters))
    }

    assert not slow, "\n\n".join(f"{' ; '.join(steps)}\n{statement}" for statement, steps in slow.items())


def test_it_would_notice_a_question_that_reads_all_posts_of_a_profile(database: Database) -> None:
    careless = "SELECT id FROM post WHERE profile_id = ? AND native_id = ?"

    assert reads_too_much(database, careless, (1, "x")) == [
        "SEARCH post USING INDEX ix_post_profile_created (profile_id=?)"
    ]
    assert reads_too_much(database, "SELECT count(*) FROM author WHERE handle = ?", ("x",)) == ["SCAN author"]
