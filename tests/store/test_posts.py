"""What a network shows is remembered once, without loss, and our own words are recognised as ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from social.domain.escalation import EscalationState
from social.domain.post import FetchedPost, Gone, PostKind, Quarantined
from social.domain.reply import ReplyState
from social.store import posts
from social.store.mapping import Profile
from social.store.rows import c, t
from social.store.session import Database
from social.store.tables import (
    AssessmentRow,
    AuthorRow,
    ConversationRow,
    EscalationRow,
    PostRow,
    QuarantineRow,
    ReplyRow,
    RevisionRow,
)
from tests.cast import ANNA, PIOTR, SHOP, at
from tests.factories import assessment, case, judged, planned, post, profile, remembered, row_of
from tests.store.test_plans import reads_too_much, written_down

NOW = at("2026-11-20 10:00")


def count(database: Database, model: type[Any]) -> int:
    with database.read() as session:
        return session.execute(select(func.count()).select_from(t(model))).scalar_one()


def take_in(database: Database, shop: Profile, *found: FetchedPost, **how: Any) -> posts.Remembered:
    with database.write() as session:
        return posts.remember(session, shop, found, now=how.pop("now", NOW), **how)


def by_hand(to: FetchedPost, text: str = "Już sprawdzam!", **more: Any) -> FetchedPost:
    """An answer that the network shows as ours."""
    values: dict[str, Any] = {"native_id": "own-1", "in_reply_to": to.native_id, "ours": True, "kind": PostKind.OWN}
    return post(text, when=NOW + timedelta(minutes=20), by=SHOP, **{**values, "thread_root": to.thread_root, **more})


def sending(database: Database, row_id: int, state: str = "sending", **values: Any) -> int:
    """A reply whose outcome is not known yet."""
    reply = planned(database, row_id)
    with database.write() as session:
        row = session.get(ReplyRow, reply)
        assert row is not None
        row.state, row.intended_at = state, NOW + timedelta(minutes=19)
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)
    return reply


# --- once ---------------------------------------------------------------------------------------------------------------


def test_it_remembers_a_page_once_however_often_it_comes(store_database: Database) -> None:
    shop = profile(store_database)
    page = [post(f"number {n}", when=NOW, native_id=f"n{n}") for n in range(5)]
    assert take_in(store_database, shop, *page) == posts.Remembered(new=5)
    assert take_in(store_database, shop, *reversed(page)) == posts.Remembered()
    assert take_in(store_database, shop, page[2], page[2], post("six", when=NOW, native_id="n6")).new == 1
    assert count(store_database, PostRow) == 6


def test_it_keeps_one_conversation_for_a_customer_in_a_thread(store_database: Database) -> None:
    shop = profile(store_database)
    first = post("Gdzie paczka?", when=NOW)
    again = post("Halo?", when=NOW + timedelta(minutes=2), thread_root=first.thread_root)
    other = post("U mnie to samo", when=NOW + timedelta(minutes=3), by=PIOTR, thread_root=first.thread_root)
    take_in(store_database, shop, first)
    take_in(store_database, shop, again, other)
    assert count(store_database, ConversationRow) == 2
    conversation = row_of(store_database, ConversationRow, 1)
    assert conversation["opened_at"] == first.created_at
    assert conversation["last_customer_at"] == again.created_at


def test_it_does_not_answer_what_was_there_before_the_first_poll(store_database: Database) -> None:
    shop = profile(store_database, first_polled_at=NOW)
    old = remembered(store_database, shop, post(when=NOW - timedelta(minutes=1)))
    new = remembered(store_database, shop, post(when=NOW + timedelta(minutes=1)))
    assert row_of(store_database, PostRow, old)["history"] is True
    assert row_of(store_database, PostRow, new)["history"] is False


def test_it_learns_an_authors_new_name_and_keeps_it_when_a_page_shows_none(store_database: Database) -> None:
    shop = profile(store_database)
    renamed = replace(ANNA, handle="anna.nowa")
    nameless = replace(ANNA, handle=None, display_name=None)
    remembered(store_database, shop, post(when=NOW))
    remembered(store_database, shop, post(when=NOW + timedelta(minutes=1), by=renamed))
    remembered(store_database, shop, post(when=NOW + timedelta(minutes=2), by=nameless))
    assert count(store_database, AuthorRow) == 1
    assert row_of(store_database, AuthorRow, 1)["handle"] == "anna.nowa"


# --- without loss -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zażółć gęślą jaźń 🙈👩‍👩‍👧",
        "a\x00b",
        "half \ud83d of a pair",
        "\ufdd0 begins like an escape",
        '\\u0000 "quoted" \ufdd0',
        "x" * 100_000,
        "ą" * 99_999 + "\x00",
    ],
    ids=["empty", "unicode", "nul", "surrogate", "escape-sign", "looks-escaped", "100k", "100k-nul"],
)
def test_it_gives_a_text_back_as_it_came(store_database: Database, text: str) -> None:
    shop = profile(store_database)
    row_id = remembered(store_database, shop, post(text, when=NOW, raw={"text": text}, native={"cid": text[:50]}))
    row = row_of(store_database, PostRow, row_id)
    assert row["text"] == text
    assert row["raw"] == {"text": text}
    assert row["native"] == {"cid": text[:50]}


def test_it_keeps_what_cannot_be_read_beside_what_can(store_database: Database) -> None:
    shop = profile(store_database)
    broken = Quarantined(native_id=None, reason="no author", raw='{"text": "\x00\ud800"}')
    with store_database.write() as session:
        posts.remember(session, shop, [post(when=NOW)], now=NOW)
        posts.quarantine(session, shop.id, [broken, broken], now=NOW)
        posts.quarantine(session, shop.id, [broken], now=NOW)
    assert count(store_database, PostRow) == 1
    assert count(store_database, QuarantineRow) == 1
    assert row_of(store_database, QuarantineRow, 1)["raw"] == broken.raw


# --- edits and deletions ------------------------------------------------------------------------------------------------


def test_it_judges_an_edited_post_again_and_drops_the_plan(store_database: Database) -> None:
    shop = profile(store_database)
    asked = post("Dziękuję!", when=NOW, native_id="e1")
    row_id = remembered(store_database, shop, asked)
    judged(store_database, row_id)
    reply = planned(store_database, row_id)
    changed = post("Oddajcie pieniądze!", when=NOW, native_id="e1", revision="2", edited_at=NOW + timedelta(minutes=3))
    assert take_in(store_database, shop, changed).edited == 1
    row = row_of(store_database, PostRow, row_id)
    assert (row["text"], row["state"], row["revision_number"]) == ("Oddajcie pieniądze!", "new", 2)
    assert row_of(store_database, RevisionRow, 1)["text"] == "Dziękuję!"
    assert row_of(store_database, ReplyRow, reply)["state"] == ReplyState.CANCELLED


def test_it_takes_the_same_revision_for_no_edit(store_database: Database) -> None:
    shop = profile(store_database)
    asked = post(when=NOW)
    row_id = remembered(store_database, shop, asked)
    judged(store_database, row_id)
    assert take_in(store_database, shop, asked).edited == 0
    assert row_of(store_database, PostRow, row_id)["state"] == "judged"


def test_it_erases_a_deleted_post_and_leaves_a_tombstone(store_database: Database) -> None:
    shop = profile(store_database)
    asked = post("Mój PESEL to ...", when=NOW, native_id="d1", raw={"everything": "Mój PESEL to ..."})
    row_id = remembered(store_database, shop, asked)
    remembered(store_database, shop, post("Mój PESEL!", when=NOW, native_id="d1", revision="2"), now=NOW)
    case_id = case(store_database, row_id, judgement=assessment(vector=b"1234"))
    reply = planned(store_database, row_id)
    with store_database.write() as session:
        assert posts.forget_deleted(session, shop, [Gone(native_id="d1"), Gone(native_id="never seen")], now=NOW) == 1
        assert posts.forget_deleted(session, shop, [Gone(native_id="d1")], now=NOW) == 0
    row = row_of(store_database, PostRow, row_id)
    assert (row["text"], row["raw"], row["deleted_at"]) == ("", None, NOW)
    assert row_of(store_database, AssessmentRow, 1)["vector"] is None
    assert row_of(store_database, ReplyRow, reply)["state"] == ReplyState.CANCELLED
    assert "deleted" in row_of(store_database, EscalationRow, case_id)["note"]
    assert count(store_database, RevisionRow) == 0
    assert take_in(store_database, shop, asked) == posts.Remembered()
    assert row_of(store_database, PostRow, row_id)["text"] == ""


# --- our own words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["sending", "unknown"])
def test_it_adopts_an_own_post_as_the_reply_of_unknown_outcome(store_database: Database, state: str) -> None:
    shop = profile(store_database)
    asked = post(when=NOW)
    row_id = remembered(store_database, shop, asked)
    case_id = case(store_database, row_id)
    reply = sending(store_database, row_id, state)
    text = row_of(store_database, ReplyRow, reply)["text"]
    take_in(store_database, shop, by_hand(asked, f"@anna.n  {text}\n", permalink="https://fake.invalid/own-1"))
    row = row_of(store_database, ReplyRow, reply)
    assert (row["state"], row["external_id"], row["sent_at"]) == ("sent", "own-1", NOW + timedelta(minutes=20))
    assert row_of(store_database, EscalationRow, case_id)["state"] == EscalationState.OPEN


def test_it_does_not_take_a_known_reply_for_a_persons_answer(store_database: Database) -> None:
    shop = profile(store_database)
    asked = post(when=NOW)
    row_id = remembered(store_database, shop, asked)
    case_id = case(store_database, row_id)
    sending(store_database, row_id, "sent", external_id="own-1")
    take_in(store_database, shop, by_hand(asked, "as the network shows it"))
    assert row_of(store_database, EscalationRow, case_id)["state"] == EscalationState.OPEN


@pytest.mark.parametrize("state", ["sent", "refused"])
def test_it_recognises_a_reply_that_a_person_settled_without_its_id(store_database: Database, state: str) -> None:
    shop = profile(store_database)
    asked = post(when=NOW)
    row_id = remembered(store_database, shop, asked)
    case_id = case(store_database, row_id)
    reply = sending(store_database, row_id, state, external_id=None)
    take_in(store_database, shop, by_hand(asked, row_of(store_database, ReplyRow, reply)["text"]))
    assert row_of(store_database, ReplyRow, reply)["external_id"] == "own-1"
    assert row_of(store_database, EscalationRow, case_id)["state"] == EscalationState.OPEN


def test_it_sends_nothing_again_that_turns_up_after_all(store_database: Database) -> None:
    shop = profile(store_database)
    asked = post(when=NOW)
    row_id = remembered(store_database, shop, asked)
    case_id = case(store_database, row_id)
    reply = sending(store_database, row_id, "planned")  # tried once, "surely absent", to be tried again
    take_in(store_database, shop, by_hand(asked, row_of(store_database, ReplyRow, reply)["text"]))
    assert row_of(store_database, ReplyRow, reply)["state"] == ReplyState.SENT
    found = row_of(store_database, EscalationRow, case_id)
    assert found["state"] == EscalationState.OPEN
    conversation = row_of(store_database, ConversationRow, found["conversation_id"])
    assert conversation["last_automated_at"] == NOW + timedelta(minutes=20)


@pytest.mark.parametrize("state", ["sending", "unknown", "refused"])
def test_it_ends_the_case_when_a_persons_answer_is_seen_before_its_outcome_is_recorded(
    store_database: Database, state: str
) -> None:
    shop = profile(store_database)
    asked = post(when=NOW)
    row_id = remembered(store_database, shop, asked)
    case_id = case(store_database, row_id)
    reply = sending(store_database, row_id, state, sent_by="person", kind="answer", text="Paczka jest w drodze.")
    take_in(store_database, shop, by_hand(asked, "Paczka jest w drodze."))
    assert row_of(store_database, ReplyRow, reply)["external_id"] == "own-1"
    ended = row_of(store_database, EscalationRow, case_id)
    assert (ended["state"], ended["answered_natively"]) == (EscalationState.ANSWERED, False)


def test_it_takes_an_answer_in_the_networks_own_app_for_a_persons(store_database: Database) -> None:
    shop = profile(store_database)
    asked = post(when=NOW)
    row_id = remembered(store_database, shop, asked)
    case_id, reply = case(store_database, row_id), planned(store_database, row_id)
    take_in(store_database, shop, by_hand(asked), now=NOW + timedelta(minutes=25))
    answered = row_of(store_database, EscalationRow, case_id)
    assert (answered["state"], answered["answered_natively"]) == (EscalationState.ANSWERED, True)
    assert answered["answered_at"] == NOW + timedelta(minutes=20)
    assert row_of(store_database, ReplyRow, reply)["state"] == ReplyState.CANCELLED
    assert row_of(store_database, ConversationRow, answered["conversation_id"])["waiting_since"] is None


def versions(asked: FetchedPost, *ids: str) -> FetchedPost:
    """``asked`` as edited, on a network where every edit has an id of its own."""
    native = {"id": ids[-1], "versions": [asked.native_id, *ids]}
    text = f"Gdzie jest paczka {ids[-1]}?"
    return replace(asked, text=text, revision=ids[-1], edited_at=NOW + timedelta(minutes=len(ids)), native=native)


@pytest.mark.parametrize("named", ["asked-1", "v2", "v3"])
def test_it_takes_an_answer_to_any_version_of_an_edited_post_for_one_to_the_post(
    store_database: Database, named: str
) -> None:
    shop = profile(store_database)
    asked = versions(post(when=NOW, native_id="asked-1"), "v2", "v3")
    case_id = case(store_database, remembered(store_database, shop, asked))
    other = post("U mnie też nie ma", when=NOW, by=PIOTR, thread_root=asked.thread_root, in_reply_to=asked.native_id)
    others = case(store_database, remembered(store_database, shop, other))
    take_in(store_database, shop, by_hand(asked, in_reply_to=named))
    assert row_of(store_database, EscalationRow, case_id)["state"] == EscalationState.ANSWERED
    assert row_of(store_database, EscalationRow, others)["state"] == EscalationState.OPEN


def test_it_explains_an_answer_that_came_in_before_the_edit_that_it_answers(store_database: Database) -> None:
    shop = profile(store_database)
    asked = post(when=NOW, native_id="asked-1")
    row_id = remembered(store_database, shop, asked)
    case_id = case(store_database, row_id)
    take_in(store_database, shop, by_hand(asked, in_reply_to="v2"))
    assert row_of(store_database, EscalationRow, case_id)["state"] == EscalationState.OPEN
    take_in(store_database, shop, versions(asked, "v2"))
    assert row_of(store_database, EscalationRow, case_id)["state"] == EscalationState.ANSWERED


def test_it_explains_an_answer_that_came_in_before_the_edited_post(store_database: Database) -> None:
    shop = profile(store_database)
    asked = versions(post(when=NOW, native_id="asked-1"), "v2")
    take_in(store_database, shop, by_hand(asked, in_reply_to="v2"))
    row_id = remembered(store_database, shop, asked)
    conversation = row_of(store_database, PostRow, row_id)["conversation_id"]
    assert row_of(store_database, ConversationRow, conversation)["person_answered_at"] == NOW + timedelta(minutes=20)


def test_it_adopts_a_reply_that_went_to_an_earlier_version(store_database: Database) -> None:
    shop = profile(store_database)
    asked = versions(post(when=NOW, native_id="asked-1"), "v2", "v3")
    row_id = remembered(store_database, shop, asked)
    case_id = case(store_database, row_id)
    reply = sending(store_database, row_id, "unknown")
    text = row_of(store_database, ReplyRow, reply)["text"]
    take_in(store_database, shop, by_hand(asked, text, in_reply_to="v2"))
    assert row_of(store_database, ReplyRow, reply)["external_id"] == "own-1"
    assert row_of(store_database, EscalationRow, case_id)["state"] == EscalationState.OPEN


def test_it_finds_the_version_that_is_answered_by_an_index(database: Database) -> None:
    shop = profile(database)
    asked = versions(post(when=NOW, native_id="asked-1"), "v2")
    case(database, remembered(database, shop, asked))
    with written_down(database) as statements:
        take_in(database, shop, by_hand(asked, in_reply_to="v2"))
    assert any("edited_at IS NOT NULL" in statement for statement in statements)
    assert not [step for told in statements.items() for step in reads_too_much(database, *told)]


def test_it_leaves_the_case_open_for_what_the_customer_wrote_after_the_answer(store_database: Database) -> None:
    shop = profile(store_database)
    asked = post(when=NOW)
    later = post("A faktura?", when=NOW + timedelta(minutes=30), thread_root=asked.thread_root)
    first, second = remembered(store_database, shop, asked), remembered(store_database, shop, later)
    case_id = case(store_database, first)
    assert case(store_database, second) == case_id
    take_in(store_database, shop, by_hand(asked))
    found = row_of(store_database, EscalationRow, case_id)
    assert found["state"] == EscalationState.OPEN
    assert row_of(store_database, ConversationRow, found["conversation_id"])["waiting_since"] == later.created_at


def test_it_leaves_other_customers_of_the_thread_waiting(store_database: Database) -> None:
    shop = profile(store_database)
    anna = post(when=NOW)
    piotr = post("U mnie też nie ma", when=NOW + timedelta(minutes=1), by=PIOTR, thread_root=anna.thread_root)
    annas = case(store_database, remembered(store_database, shop, anna))
    piotrs = case(store_database, remembered(store_database, shop, piotr))
    take_in(store_database, shop, by_hand(anna))
    assert row_of(store_database, EscalationRow, annas)["state"] == EscalationState.ANSWERED
    assert row_of(store_database, EscalationRow, piotrs)["state"] == EscalationState.OPEN


def test_it_takes_an_announcement_for_no_answer(store_database: Database) -> None:
    shop = profile(store_database)
    asked = post(when=NOW)
    case_id = case(store_database, remembered(store_database, shop, asked))
    take_in(store_database, shop, by_hand(asked, "Od jutra wyprzedaż", in_reply_to=None, thread_root="own-1"))
    assert row_of(store_database, EscalationRow, case_id)["state"] == EscalationState.OPEN


def test_it_keeps_the_profiles_of_one_network_apart(store_database: Database) -> None:
    first, second = profile(store_database, "one"), profile(store_database, "two")
    asked = post(when=NOW)
    remembered(store_database, first, asked)
    remembered(store_database, second, asked)
    with store_database.read() as session:
        owners = set(session.execute(select(c(PostRow).profile_id)).scalars())
    assert owners == {first.id, second.id}
