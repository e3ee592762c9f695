"""Two daemons and a person at the desk meet in one conversation: whatever they do, they do it one after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import text

from social.clock import SteppedClock
from social.domain.assessment import Flag
from social.domain.errors import Conflict
from social.domain.post import Author
from social.domain.reply import SentBy
from social.engine import line, people
from social.engine.desk import Desk
from social.store.session import Database
from social.store.tables import AuthorRow, EscalationRow, PostRow, ReplyRow
from tests.cast import MAREK, at
from tests.engine.looking import rows
from tests.factories import case, desk_for, planned, post, profile, remembered
from tests.fakes import FakeClassifier, FakeConnector
from tests.machines.racing import Race
from tests.story.telling import NETWORK_RULES

NOW = at("2026-11-20 10:00")
ROUNDS = 60

Open = Callable[[], Database]


def two_desks(open_database: Open, network: FakeConnector | None = None) -> tuple[Desk, Desk]:
    """Two machines' views of one desk, each with a connection of its own; a batch is one post."""
    clock, wire = SteppedClock(NOW), network or FakeConnector()
    judge = FakeClassifier().judges("STOP", needs_reply=False, flags={Flag.OPT_OUT})
    desks = [desk_for(open_database(), clock, wire, classifier=judge) for _ in range(2)]
    for desk in desks:
        desk.batch = 1
    return desks[0], desks[1]


def judge_all(one: Desk, two: Desk, *, rounds: int = ROUNDS) -> None:
    """Post by post, both at once."""
    with Race(2) as race:
        for _ in range(rounds):
            race.round(lambda: line.work_through(one, NOW), lambda: line.work_through(two, NOW))


def customer(number: int) -> Author:
    return Author(native_id=f"customer-{number}", handle=f"customer{number}")


def deadlocks(database: Database) -> int:
    """How often PostgreSQL had to end a transaction of this database so that another could go on."""
    if database.dialect == "sqlite":
        return 0
    with database.read() as session:
        session.execute(text("SELECT pg_stat_force_next_flush()"))
        query = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(session.execute(query).scalar_one())


def active(database: Database) -> list[ReplyRow]:
    return [row for row in rows(database, ReplyRow) if row.sent_by == "robot" and row.state != "cancelled"]


def test_two_posts_of_one_conversation_are_one_contact(new_store_database: Open) -> None:
    one, two = two_desks(new_store_database)
    shop = profile(one.database)
    for number in range(ROUNDS):
        first = post("Gdzie paczka?", when=NOW, by=customer(number), native_id=f"a{number}")
        again = post("Halo?", when=NOW, by=customer(number), native_id=f"b{number}", thread_root=f"a{number}")
        remembered(one.database, shop, first, again, now=NOW)

    judge_all(one, two)

    judged = rows(one.database, PostRow)
    assert {(row.state, row.outcome, row.attempts, row.token) for row in judged} == {("judged", "escalated", 0, None)}
    assert Counter(row.conversation_id for row in active(one.database)) == {row.conversation_id: 1 for row in judged}
    assert Counter(row.conversation_id for row in rows(one.database, EscalationRow)) == {
        row.conversation_id: 1 for row in judged
    }


def test_the_hourly_limit_of_an_author_holds_over_two_machines(new_store_database: Open) -> None:
    one, two = two_desks(new_store_database)
    shop = profile(one.database)
    for number in range(ROUNDS):  # two threads each, at most one text an author
        for name in ("a", "b"):
            asked = post("Gdzie paczka?", when=NOW, by=customer(number), native_id=f"{name}{number}")
            remembered(one.database, shop, asked, now=NOW)
    for desk in (one, two):
        desk.limits = type(desk.limits)(per_author_an_hour=1, per_profile_an_hour=1000)

    judge_all(one, two)

    assert {row.state for row in rows(one.database, PostRow)} == {"judged"}
    texts = Counter(row.author_id for row in active(one.database))
    assert texts == {row.id: 1 for row in rows(one.database, AuthorRow)}


def test_nobody_hears_from_the_robot_after_a_stop_that_another_machine_reads(new_store_database: Open) -> None:
    one, two = two_desks(new_store_database)
    shop = profile(one.database)
    for number in range(ROUNDS):
        asked = post("Gdzie paczka?", when=NOW, by=customer(number), native_id=f"a{number}")
        stop = post("STOP, nie pisz do mnie.", when=NOW, by=customer(number), native_id=f"b{number}")
        remembered(one.database, shop, *((asked, stop) if number % 2 else (stop, asked)), now=NOW)

    judge_all(one, two)

    assert {row.state for row in rows(one.database, PostRow)} == {"judged"}
    assert all(row.opted_out_at is not None for row in rows(one.database, AuthorRow))
    assert active(one.database) == []


def test_a_person_and_the_robot_never_both_answer(new_store_database: Open) -> None:
    network = FakeConnector()
    one, two = two_desks(new_store_database, network)
    shop = profile(one.database)
    answers: list[people.PlannedAnswer | None] = []

    def answered(case_id: int) -> people.PlannedAnswer | None:
        try:
            return people.answer(
                two.database, NETWORK_RULES, case_id, "Już sprawdzam.", user=MAREK, now=NOW, even_if_changed=True
            )
        except Conflict:
            return None  # somebody was quicker, and the person is told so

    with Race(3) as race:
        for number in range(ROUNDS):
            asked = network.publishes(
                post(when=NOW - timedelta(minutes=40), by=customer(number), native_id=f"a{number}")
            )
            post_id = remembered(one.database, shop, asked)
            case_id = case(one.database, post_id)
            planned(one.database, post_id, due_at=NOW)
            again = post("Halo?", when=NOW, by=customer(number), native_id=f"b{number}", thread_root=f"a{number}")
            remembered(one.database, shop, again, now=NOW)
            works = (lambda: line.send_out(one, NOW), lambda: line.work_through(two, NOW), partial(answered, case_id))
            answers.append(race.round(*works)[2])
            while line.send_out(one, NOW):
                pass

    robot = Counter(item.to for item in network.written if item.sent_by is SentBy.ROBOT)
    asked_in = {row.id: row.native_id.removeprefix("a").removeprefix("b") for row in rows(one.database, PostRow)}
    texts = rows(one.database, ReplyRow)
    for number, answer in enumerate(answers):
        mine = [row for row in texts if asked_in[row.post_id] == str(number)]
        said = sum(robot[native_id] for native_id in (f"a{number}", f"b{number}"))
        assert said <= 1
        if answer is not None and not answer.robot_on_its_way:
            sent_before = [
                row for row in mine if row.sent_by == "robot" and row.state == "sent" and row.id < answer.reply_id
            ]
            assert said == len(sent_before), "the robot spoke after a person's answer was planned"
        assert not any(row.sent_by == "robot" and row.state == "planned" and answer is not None for row in mine)
        assert [row.state for row in mine if row.sent_by == "person"] == (["sent"] if answer is not None else [])
    assert deadlocks(one.database) == 0, "somebody takes the locks in another order"
