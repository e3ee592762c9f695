"""Somebody is forgotten while the desk answers them: one waits for the other, and nobody for both."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text
from sqlmodel import Session

from social.domain.errors import Conflict
from social.engine.claims import Claim, Claimed, claim
from social.store import erasure, locks, outbox
from social.store.session import Database
from social.store.tables import PostRow, ReplyRow
from tests.cast import ANNA, MAREK, at
from tests.engine.looking import eventually, rows
from tests.factories import case, planned, post, profile, remembered, row_of
from tests.machines.racing import PATIENCE

pytestmark = pytest.mark.postgres  # SQLite has one writer at a time
NOW = at("2026-11-20 10:40")
TEXT = "Dziękujemy za wiadomość. To automatyczna odpowiedź."

Machine = Callable[[], Database]


def forget(database: Database) -> dict[str, int]:
    with database.write() as session:
        anna = erasure.find(session, "fake", ANNA.native_id)
        return erasure.forget(session, anna, by=MAREK, reason="asked", now=NOW)


def asked(database: Database) -> tuple[int, int]:
    """Anna's post, whose case is open, and the robot's acknowledgement that is due."""
    shop = profile(database)
    post_id = remembered(database, shop, post("Gdzie paczka?", when=NOW - timedelta(minutes=40)))
    case(database, post_id)
    return post_id, planned(database, post_id, text=TEXT, due_at=NOW)


def waits_for_a_lock(database: Database) -> bool:
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with database.read() as session:
        return bool(session.execute(query).scalar_one())


def meanwhile(open_database: Machine, held: Session) -> Future[dict[str, int]]:
    """Another machine begins to forget Anna, and is as far as it comes while ``held`` is open."""
    pool = ThreadPoolExecutor(1)
    forgetting = pool.submit(forget, open_database())
    pool.shutdown(wait=False)
    eventually(partial(waits_for_a_lock, open_database()), seconds=PATIENCE, what="the erasure's waiting")
    return forgetting


def intend(session: Session, claimed: Claim) -> bool:
    """As ``deliver`` does: the conversation, then the intent."""
    (reply_id,) = claimed.ids
    row = session.get(ReplyRow, reply_id)
    assert row is not None
    locks.hold_conversations(session, [row.conversation_id])
    return outbox.intend(session, row, token=claimed.token, now=NOW, leased_until=NOW + timedelta(minutes=5))


def test_an_intent_that_is_just_being_committed_is_waited_for_and_keeps_its_text(machine: Machine) -> None:
    sending = machine()
    post_id, reply_id = asked(sending)
    claimed = claim(sending, Claimed.REPLY, now=NOW, limit=1, lease=timedelta(minutes=5), profiles=[1])

    with sending.write() as session:
        assert intend(session, claimed)
        forgetting = meanwhile(machine, session)

    with pytest.raises(Conflict, match=f"reply {reply_id} to them is on its way"):
        forgetting.result(PATIENCE)
    reply = row_of(sending, ReplyRow, reply_id)
    assert (reply["state"], reply["text"]) == ("sending", TEXT)  # the text by which its outcome is looked up
    assert row_of(sending, PostRow, post_id)["text"] == "Gdzie paczka?"
    with sending.read() as session:
        assert erasure.forgotten(session) == []


def test_an_intent_that_comes_second_finds_its_plan_cancelled(machine: Machine) -> None:
    sending, erasing = machine(), machine()
    _, reply_id = asked(sending)
    claimed = claim(sending, Claimed.REPLY, now=NOW, limit=1, lease=timedelta(minutes=5), profiles=[1])

    def intended() -> bool:
        with sending.write() as session:
            return intend(session, claimed)

    with ThreadPoolExecutor(1) as pool:
        with erasing.write() as session:
            anna = erasure.find(session, "fake", ANNA.native_id)
            erasure.forget(session, anna, by=MAREK, reason="asked", now=NOW)
            intending = pool.submit(intended)
            eventually(partial(waits_for_a_lock, machine()), seconds=PATIENCE, what="the intent's waiting")
        assert intending.result(PATIENCE) is False

    assert row_of(sending, ReplyRow, reply_id)["state"] == "cancelled"


def test_an_answer_that_is_just_being_written_and_an_erasure_do_not_wait_for_each_other(machine: Machine) -> None:
    """The answer's row refers to the author whom the erasure holds, and its conversation is what the erasure waits for."""
    writing = machine()
    post_id, first = asked(writing)

    with writing.write() as session:
        row = session.get(PostRow, post_id)
        assert row is not None
        locks.hold_conversations(session, [row.conversation_id])
        forgetting = meanwhile(machine, session)
        of_the_first = session.get(ReplyRow, first)
        assert of_the_first is not None
        copied = {name: getattr(of_the_first, name) for name in ReplyRow.model_fields if name not in ("id", "key")}
        session.add(ReplyRow(**copied | {"sent_by": "person", "key": "another"}))

    assert forgetting.result(PATIENCE)["replies to them"] == 2
    assert {(reply.state, reply.text) for reply in rows(writing, ReplyRow)} == {("cancelled", "")}
