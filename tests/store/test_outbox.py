"""A text on its way to the public: nothing but the drawn transitions, one automatic text a conversation and day."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from social.domain.reply import ReplyKind, ReplyState, SentBy, may_follow
from social.store import outbox
from social.store.session import Database
from social.store.tables import ConversationRow, ReplyRow
from tests.cast import ANNA, at
from tests.factories import planned, post, profile, remembered, row_of

NOW = at("2026-11-20 10:00")


def asked(database: Database, minute: int = 0) -> int:
    return remembered(database, profile(database), post(when=NOW + timedelta(minutes=minute), thread_root="t1"))


def put(database: Database, reply: int, state: ReplyState, token: str | None = "mine") -> None:
    with database.write() as session:
        row = session.get(ReplyRow, reply)
        assert row is not None
        row.state, row.token = state.value, token
        session.add(row)


def intend(database: Database, reply: int, *, now: object = NOW, token: str = "mine") -> bool:
    """The engine's step: what fails is rolled back."""
    with database.write() as session:
        row = session.get(ReplyRow, reply)
        assert row is not None
        done = outbox.intend(session, row, token=token, now=now, leased_until=now)  # type: ignore[arg-type]
        if not done:
            session.rollback()
        return done


@pytest.mark.parametrize("state", list(ReplyState))
def test_it_moves_only_as_drawn(database: Database, state: ReplyState) -> None:
    reply = planned(database, asked(database))
    for following in ReplyState:
        put(database, reply, state)
        with database.write() as session:
            if may_follow(state, following):
                assert outbox.change_state(session, reply, state, following)
            else:
                with pytest.raises(ValueError, match="never goes"):
                    outbox.change_state(session, reply, state, following)
        row = row_of(database, ReplyRow, reply)
        expected = (following, None) if may_follow(state, following) else (state, "mine")
        assert (row["state"], row["token"]) == expected


def test_it_lets_only_the_first_of_two_move_it(store_database: Database) -> None:
    reply = planned(store_database, asked(store_database))
    with store_database.write() as session:
        assert outbox.change_state(session, reply, ReplyState.PLANNED, ReplyState.CANCELLED)
        assert not outbox.change_state(session, reply, ReplyState.PLANNED, ReplyState.LATE)
    assert row_of(store_database, ReplyRow, reply)["state"] == ReplyState.CANCELLED


def test_it_cancels_only_what_is_still_planned(store_database: Database) -> None:
    row_id = asked(store_database)
    going = planned(store_database, row_id, kind=ReplyKind.CLOSED_NOTICE)
    put(store_database, going, ReplyState.SENDING)
    waiting = planned(store_database, row_id)
    with store_database.write() as session:
        assert outbox.cancel_planned(session, now=NOW, reason="a person answered", post_id=row_id) == 1
    assert row_of(store_database, ReplyRow, waiting)["state"] == ReplyState.CANCELLED
    assert row_of(store_database, ReplyRow, going)["state"] == ReplyState.SENDING


def test_it_does_not_cancel_a_persons_words_with_the_robots(store_database: Database) -> None:
    row_id = asked(store_database)
    answer = planned(store_database, row_id, kind=ReplyKind.ANSWER, sent_by=SentBy.PERSON)
    planned(store_database, row_id)
    with store_database.write() as session:
        outbox.cancel_planned(session, now=NOW, reason="closed", post_id=row_id, sent_by=SentBy.ROBOT)
    assert row_of(store_database, ReplyRow, answer)["state"] == ReplyState.PLANNED


def test_it_refuses_to_cancel_everything(database: Database) -> None:
    with database.write() as session, pytest.raises(ValueError, match="say which"):
        outbox.cancel_planned(session, now=NOW, reason="panic")


def test_it_holds_one_planned_text_of_a_kind(store_database: Database) -> None:
    row_id = asked(store_database)
    planned(store_database, row_id)
    with pytest.raises(IntegrityError):
        planned(store_database, row_id)


def test_it_sends_one_automatic_text_in_a_day(store_database: Database) -> None:
    first = planned(store_database, asked(store_database))
    put(store_database, first, ReplyState.PLANNED)
    assert intend(store_database, first)
    put(store_database, first, ReplyState.SENT)

    second = planned(store_database, asked(store_database, minute=90))
    put(store_database, second, ReplyState.PLANNED)
    assert not intend(store_database, second, now=NOW + timedelta(hours=24))
    assert row_of(store_database, ReplyRow, second)["state"] == ReplyState.PLANNED
    assert intend(store_database, second, now=NOW + timedelta(hours=24, seconds=1))


def test_it_confirms_a_hand_over_beside_the_cap_but_once(store_database: Database) -> None:
    row_id = asked(store_database)
    acknowledged = planned(store_database, row_id)
    put(store_database, acknowledged, ReplyState.PLANNED)
    assert intend(store_database, acknowledged)
    first = planned(store_database, row_id, kind=ReplyKind.HAND_OVER)
    put(store_database, first, ReplyState.PLANNED)
    assert intend(store_database, first, now=NOW + timedelta(minutes=1))
    put(store_database, first, ReplyState.SENT)
    again = planned(store_database, row_id, kind=ReplyKind.HAND_OVER)
    put(store_database, again, ReplyState.PLANNED)
    assert not intend(store_database, again, now=NOW + timedelta(days=3))


def test_it_does_not_cap_people(store_database: Database) -> None:
    row_id = asked(store_database)
    for _ in range(2):
        answer = planned(store_database, row_id, kind=ReplyKind.ANSWER, sent_by=SentBy.PERSON)
        put(store_database, answer, ReplyState.PLANNED)
        assert intend(store_database, answer)
    assert row_of(store_database, ConversationRow, 1)["last_automated_at"] is None


def test_it_gives_the_cap_back_for_a_text_that_surely_did_not_go_out(store_database: Database) -> None:
    reply = planned(store_database, asked(store_database))
    put(store_database, reply, ReplyState.PLANNED)
    assert intend(store_database, reply)
    with store_database.write() as session:
        outbox.change_state(session, reply, ReplyState.SENDING, ReplyState.PLANNED)
        row = session.get(ReplyRow, reply)
        assert row is not None
        outbox.release_cap(session, row)
    assert row_of(store_database, ConversationRow, 1)["last_automated_at"] is None
    put(store_database, reply, ReplyState.PLANNED)
    assert intend(store_database, reply, now=NOW + timedelta(minutes=1))


def test_it_commits_no_intent_with_another_ones_token(store_database: Database) -> None:
    reply = planned(store_database, asked(store_database))
    put(store_database, reply, ReplyState.PLANNED, token="somebody else's")
    assert not intend(store_database, reply)
    assert row_of(store_database, ConversationRow, 1)["last_automated_at"] is None


def test_it_records_an_outcome_whoever_learns_it_first(store_database: Database) -> None:
    reply = planned(store_database, asked(store_database))
    put(store_database, reply, ReplyState.UNKNOWN)
    with store_database.write() as session:
        assert outbox.settle_sent(session, reply, external_id="r1", permalink=None, at=NOW, now=NOW)
        assert not outbox.settle_sent(session, reply, external_id="r2", permalink=None, at=NOW, now=NOW)
    assert row_of(store_database, ReplyRow, reply)["external_id"] == "r1"


def test_it_gives_every_text_its_own_lasting_key(store_database: Database) -> None:
    row_id = asked(store_database)
    answers = [planned(store_database, row_id, kind=ReplyKind.ANSWER, sent_by=SentBy.PERSON) for _ in range(3)]
    keys = {row_of(store_database, ReplyRow, answer)["key"] for answer in answers}
    assert len(keys) == 3


def test_it_keeps_a_persons_text_to_the_last_sign(store_database: Database) -> None:
    text = f"Dzień dobry {ANNA.display_name} 👩‍👩‍👧\n\n\x00 \ud800 – pozdrawiam"
    answer = planned(store_database, asked(store_database), text=text, kind=ReplyKind.ANSWER, sent_by=SentBy.PERSON)
    assert row_of(store_database, ReplyRow, answer)["text"] == text
