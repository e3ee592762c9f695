"""The people's cases: one a conversation, raised by what is more urgent, back within 72 hours."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from social.domain.assessment import Urgency
from social.domain.errors import Conflict, NotFound
from social.domain.escalation import EscalationState
from social.domain.reply import ReplyState
from social.store import escalations, users
from social.store.session import Database
from social.store.tables import EscalationRow, PostRow, ReplyRow
from tests.cast import HANNA, MAREK, at
from tests.factories import case, planned, post, profile, remembered, row_of

NOW = at("2026-11-20 10:00")


def asked(database: Database, minute: int = 0) -> int:
    when = NOW + timedelta(minutes=minute)
    return remembered(database, profile(database), post(when=when, thread_root="t1"))


def end(database: Database, case_id: int, how: str, *, now: datetime) -> None:
    with database.write() as session:
        if how == "closed":
            escalations.close(session, case_id, reason="by phone", name=MAREK, now=now)
        else:
            conversation = row_of_case(session, case_id)
            escalations.answered(session, conversation, at=now, now=now, natively=False, actor=MAREK)


def row_of_case(session: object, case_id: int) -> int:
    return escalations.get(session, case_id).conversation_id  # type: ignore[arg-type]


def take(database: Database, case_id: int, name: str) -> None:
    with database.write() as session:
        user = users.user_id(session, name, now=NOW)
        escalations.take(session, case_id, user=user, name=name, now=NOW)


def test_it_joins_a_second_post_to_the_waiting_case(store_database: Database) -> None:
    first = case(store_database, asked(store_database))
    second = case(store_database, asked(store_database, minute=2))
    assert first == second
    assert row_of(store_database, EscalationRow, first)["waiting_since"] == NOW


def test_it_raises_the_urgency_and_says_why(store_database: Database) -> None:
    case_id = case(store_database, asked(store_database), urgency=Urgency.NORMAL, reason="a question")
    case(store_database, asked(store_database, minute=2), urgency=Urgency.CRITICAL, reason="gas smell")
    case(store_database, asked(store_database, minute=4), urgency=Urgency.LOW, reason="thanks")
    row = row_of(store_database, EscalationRow, case_id)
    assert (row["urgency"], row["urgency_rank"], row["reason"]) == ("critical", 0, "gas smell")


def test_it_keeps_a_taken_case_with_its_owner_when_the_customer_writes_again(store_database: Database) -> None:
    case_id = case(store_database, asked(store_database))
    take(store_database, case_id, MAREK)
    assert case(store_database, asked(store_database, minute=5)) == case_id
    row = row_of(store_database, EscalationRow, case_id)
    assert row["state"] == EscalationState.TAKEN
    assert row["taken_by"] is not None


@pytest.mark.parametrize("how", ["answered", "closed"])
def test_it_brings_an_ended_case_back_within_72_hours(store_database: Database, how: str) -> None:
    case_id = case(store_database, asked(store_database))
    take(store_database, case_id, MAREK)
    end(store_database, case_id, how, now=NOW + timedelta(minutes=10))
    back = case(store_database, asked(store_database, minute=60), now=NOW + timedelta(minutes=10, hours=72))
    assert back == case_id
    row = row_of(store_database, EscalationRow, case_id)
    assert (row["state"], row["taken_by"], row["answered_at"], row["closed_at"], row["close_reason"]) == (
        EscalationState.OPEN,
        None,
        None,
        None,
        None,
    )


@pytest.mark.parametrize("how", ["answered", "closed"])
def test_it_opens_a_new_case_after_72_hours(store_database: Database, how: str) -> None:
    case_id = case(store_database, asked(store_database))
    end(store_database, case_id, how, now=NOW)
    later = NOW + timedelta(hours=72, seconds=1)
    assert case(store_database, asked(store_database, minute=60), now=later) != case_id
    assert row_of(store_database, EscalationRow, case_id)["state"] == how


def test_it_tells_the_second_who_was_first(store_database: Database) -> None:
    case_id = case(store_database, asked(store_database))
    take(store_database, case_id, MAREK)
    take(store_database, case_id, MAREK)
    with pytest.raises(Conflict, match="taken by marek"):
        take(store_database, case_id, HANNA)


def test_it_drops_the_robots_plan_when_a_case_is_closed(store_database: Database) -> None:
    row_id = asked(store_database)
    case_id, reply = case(store_database, row_id), planned(store_database, row_id)
    end(store_database, case_id, "closed", now=NOW)
    assert row_of(store_database, ReplyRow, reply)["state"] == ReplyState.CANCELLED


def test_it_closes_nothing_without_a_reason_and_nothing_twice(store_database: Database) -> None:
    case_id = case(store_database, asked(store_database))
    with store_database.write() as session, pytest.raises(Conflict, match="without a reason"):
        escalations.close(session, case_id, reason="  ", name=MAREK, now=NOW)
    end(store_database, case_id, "closed", now=NOW)
    with store_database.write() as session, pytest.raises(Conflict, match="closed already"):
        escalations.close(session, case_id, reason="again", name=MAREK, now=NOW)


def test_it_keeps_the_earliest_deadline_of_a_formal_complaint(store_database: Database) -> None:
    days = timedelta(days=14)
    case_id = case(store_database, asked(store_database), formal_deadline=days)
    case(store_database, asked(store_database, minute=60), formal_deadline=days)
    case(store_database, asked(store_database, minute=90))
    row = row_of(store_database, EscalationRow, case_id)
    assert (row["formal"], row["deadline_at"]) == (True, NOW + days)


@pytest.mark.parametrize("formal", [True, False])
def test_a_case_that_comes_back_has_the_deadline_of_what_brought_it_back(
    store_database: Database, formal: bool
) -> None:
    days = timedelta(days=14)
    case_id = case(store_database, asked(store_database), formal_deadline=days)
    end(store_database, case_id, "closed", now=NOW + timedelta(days=13))
    hours = timedelta(days=13, hours=2)
    brought = asked(store_database, minute=int(hours.total_seconds() / 60))

    assert case(store_database, brought, formal_deadline=days if formal else None) == case_id

    row = row_of(store_database, EscalationRow, case_id)
    assert (row["formal"], row["deadline_at"]) == (True, NOW + hours + days if formal else None)


def test_it_says_that_there_is_no_such_case(store_database: Database) -> None:
    with store_database.read() as session, pytest.raises(NotFound, match="no case 404"):
        escalations.get(session, 404)


def test_a_closed_case_takes_what_was_to_be_decided_again_with_it_but_not_an_edit(store_database: Database) -> None:
    waiting, edited = asked(store_database), asked(store_database, minute=2)
    other = remembered(store_database, profile(store_database), post(when=NOW + timedelta(minutes=3)))
    case_id = case(store_database, waiting)
    case(store_database, edited)
    with store_database.write() as session:
        for row_id, state in ((waiting, "waiting"), (edited, "new"), (other, "waiting")):
            row = session.get_one(PostRow, row_id)
            row.state, row.token, row.leased_until = state, "held", NOW
            session.add(row)

    end(store_database, case_id, "closed", now=NOW + timedelta(minutes=10))

    found = [row_of(store_database, PostRow, row_id) for row_id in (waiting, edited, other)]
    assert [row["state"] for row in found] == ["judged", "new", "waiting"]
    assert [(row["token"], row["leased_until"]) for row in found] == [(None, None), ("held", NOW), ("held", NOW)]
