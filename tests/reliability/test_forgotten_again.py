"""Forgetting is not for once: whoever is let in again can be forgotten again, an interrupted erasure is repeated to its end, and
a copy brings nothing back and drops nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from social import clock
from social.domain.errors import Conflict, NotFound
from social.domain.post import Author, FetchedPost, PostKind
from social.store import copies, erasure, mentions, notes, posts, profiles, restoring, users
from social.store.erasure import Known
from social.store.mapping import Profile
from social.store.rows import c, t
from social.store.session import Database
from social.store.subject_access import export_author
from social.store.tables import AuthorRow, ConversationRow, ForgottenRow, NoteRow, PostRow, QuarantineRow, ReplyRow
from tests.cast import ANNA, MAREK, PIOTR, SHOP, at
from tests.engine.looking import rows
from tests.factories import case, planned, post, profile, remembered, row_of
from tests.fakes import Killed

NOW = at("2026-11-21 10:00")
ASKED = at("2026-11-20 10:00")
KASIA = Author(native_id="did:plc:kasia77", handle="kowalska_77", display_name="Kasia Kowalska")
KASIAS = {KASIA.native_id, "kowalska_77", "Kowalska"}


def known(database: Database, who: str, network: str = "fake") -> Known:
    with database.read() as session:
        return erasure.find(session, network, who)


def forget(database: Database, who: str, **how: Any) -> tuple[dict[str, int], int]:
    author = known(database, who)
    return mentions.forget_everywhere(database, author, by=MAREK, reason="asked", now=how.pop("now", NOW), **how)


def allow(database: Database, who: str) -> None:
    with database.write() as session:
        erasure.allow(session, "fake", who, by=MAREK, now=NOW)


def words(database: Database) -> str:
    """Everything that the rows say."""
    with database.read() as session:
        tables = [t(model) for model in (AuthorRow, ConversationRow, PostRow, ReplyRow, NoteRow, QuarantineRow)]
        return "\n".join(str(tuple(row)) for table in tables for row in session.execute(select(table)))


def is_read_in(database: Database, shop: Profile, said: FetchedPost) -> bool:
    with database.write() as session:
        return posts.remember(session, shop, [said], now=NOW).left_out == 0


def wrote_again(database: Database, shop: Profile, *, by: Author = KASIA, times: int = 1) -> int:
    """Forgotten, let in again, and back with a post; ``times`` over. The row of the last one."""
    remembered(database, shop, post("Pierwsza skarga.", when=ASKED, by=by))
    row_id = 0
    for number in range(1, times + 1):
        forget(database, by.native_id, now=NOW + timedelta(hours=number))
        allow(database, by.native_id)
        said = post(f"Wracam po raz {number}.", when=NOW + timedelta(hours=number, minutes=5), by=by)
        row_id = remembered(database, shop, said)
    return row_id


# --- again ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", [KASIA.native_id, "@kowalska_77", "Kowalska_77"])
def test_who_was_let_in_again_is_forgotten_again(store_database: Database, who: str) -> None:
    shop = profile(store_database)
    row_id = wrote_again(store_database, shop)
    case_id, reply_id = case(store_database, row_id), planned(store_database, row_id)
    before = len(rows(store_database, AuthorRow))

    forget(store_database, who)

    assert row_of(store_database, PostRow, row_id)["text"] == ""
    assert row_of(store_database, ReplyRow, reply_id)["state"] == "cancelled"
    assert case_id
    assert not any(word in words(store_database) for word in KASIAS)
    assert len(rows(store_database, AuthorRow)) == before  # the reports count them
    with store_database.read() as session:
        assert len(erasure.forgotten(session)) == 1
    assert not is_read_in(store_database, shop, post("Znowu ja.", when=NOW + timedelta(days=1), by=KASIA))
    allow(store_database, KASIA.handle or "")
    assert is_read_in(store_database, shop, post("I znowu.", when=NOW + timedelta(days=2), by=KASIA))


def test_it_can_be_done_as_often_as_it_is_asked_for(store_database: Database) -> None:
    shop = profile(store_database)
    wrote_again(store_database, shop, times=3)

    for who in (KASIA.native_id, "@kowalska_77"):
        forget(store_database, who)  # the second time they are forgotten already

    assert [row.native_id.partition("-")[2] for row in rows(store_database, AuthorRow)] == ["", "2", "3", "4"]
    assert not any(word in words(store_database) for word in KASIAS)
    for who in (KASIA.native_id, "@kowalska_77"):
        assert known(store_database, who).native_id.endswith("-4")


def test_an_export_by_number_is_of_the_one_who_is_there(store_database: Database) -> None:
    shop = profile(store_database)
    wrote_again(store_database, shop)

    document = export_author(store_database, known(store_database, KASIA.native_id), now=NOW)

    assert [row["text"] for row in document["data"]["posts"]] == ["Wracam po raz 1."]


def test_who_was_let_in_by_mistake_is_shut_out_again_without_having_written(store_database: Database) -> None:
    shop = profile(store_database)
    remembered(store_database, shop, post("Pierwsza skarga.", when=ASKED, by=KASIA))
    forget(store_database, KASIA.native_id)
    allow(store_database, KASIA.native_id)

    forget(store_database, KASIA.native_id)

    assert not is_read_in(store_database, shop, post("Wracam.", when=NOW, by=KASIA))


def test_the_address_of_their_old_thread_goes_from_our_side_too(store_database: Database) -> None:
    """They went on writing below what had been erased, and were answered there in the network's own app."""
    shop = profile(store_database)
    root = "at://did:plc:kasia77/post/1"
    below: dict[str, Any] = {"thread_root": root}
    hand: dict[str, Any] = {"by": SHOP, "kind": PostKind.OWN, "ours": True, **below}
    remembered(store_database, shop, post("Gdzie paczka?", when=ASKED, by=KASIA, native_id=root))
    remembered(store_database, shop, post("W drodze.", when=ASKED + timedelta(hours=1), in_reply_to=root, **hand))
    for day in (1, 2):
        forget(store_database, KASIA.native_id)
        allow(store_database, KASIA.native_id)
        when, more = ASKED + timedelta(days=day), f"at://did:plc:kasia77/post/more-{day}"
        remembered(store_database, shop, post("Nadal nie ma.", when=when, by=KASIA, native_id=more, **below))
        answer = post("Szukamy.", when=when + timedelta(hours=1), in_reply_to=more, **hand)
        remembered(store_database, shop, answer)

    forget(store_database, KASIA.native_id)

    assert not any(word in words(store_database) for word in KASIAS)
    assert {row.text for row in rows(store_database, PostRow)} == {""}


def test_two_accounts_with_one_handle_are_asked_about_also_where_one_is_forgotten(store_database: Database) -> None:
    """Else the wrong one would be found, and nothing happen to the one who was meant."""
    shop = profile(store_database)
    second = replace(KASIA, native_id="did:plc:other")
    remembered(store_database, shop, post("Pierwsza.", when=ASKED, by=KASIA))
    forget(store_database, "@kowalska_77")
    remembered(store_database, shop, post("Druga.", when=ASKED, by=second))

    with pytest.raises(Conflict, match=r"several accounts.*did:plc:other, erased:"):
        known(store_database, "@kowalska_77")

    assert known(store_database, second.native_id).native_id == second.native_id
    gone = next(row.native_id for row in rows(store_database, AuthorRow) if row.native_id.startswith("erased:"))
    assert known(store_database, KASIA.native_id).native_id == known(store_database, gone).native_id == gone


# --- interrupted ---------------------------------------------------------------------------------------------------------


def mentioned_by_others(database: Database, shop: Profile) -> None:
    """In a post, its raw answer, a note of our people and a reply to somebody else."""
    remembered(database, shop, post("Gdzie paczka?", when=ASKED, by=KASIA, native_id="kasia-1"))
    raw = {"embed": {"author": {"handle": "kowalska_77", "displayName": "Kasia Kowalska"}}}
    said = post("@kowalska_77 mam to samo.", when=ASKED, by=PIOTR, native_id="piotr-1", raw=raw)
    row_id = remembered(database, shop, said)
    case(database, row_id)
    planned(database, row_id, text="Jak u kowalska_77: sprawdzamy.")
    with database.write() as session:
        conversation_id = session.get_one(PostRow, row_id).conversation_id
        marek = users.user_id(session, MAREK, now=NOW)
        notes.add(session, conversation_id, user_id=marek, text="Znajomy Kasia Kowalska.", now=NOW)


def killed_at(step: int) -> Callable[[], object]:
    """A power cut at the so-many-th pause."""
    left = iter(range(step))

    def pause() -> None:
        if next(left, None) is None:
            raise Killed

    return pause


@pytest.mark.parametrize("step", [0, 1, 2])
def test_who_is_interrupted_repeats_it_and_nothing_is_missed(store_database: Database, step: int) -> None:
    shop = profile(store_database)
    mentioned_by_others(store_database, shop)
    with pytest.raises(Killed):
        forget(store_database, "@kowalska_77", pause=killed_at(step))

    _, mentioned = forget(store_database, "@kowalska_77")

    assert mentioned == 3 - step  # the rest
    assert not any(word in words(store_database) for word in KASIAS)


@pytest.mark.parametrize("who", ["@kowalska_77", KASIA.native_id])
def test_who_is_forgotten_already_is_searched_for_by_what_was_asked_for(store_database: Database, who: str) -> None:
    """Something was written while it was searched, and the last search was interrupted."""
    shop = profile(store_database)
    mentioned_by_others(store_database, shop)
    author = known(store_database, who)
    with store_database.write() as session:
        erasure.forget(session, author, by=MAREK, reason="asked", now=NOW)
        said = session.execute(select(NoteRow)).scalar_one()
        said.text = f"Pisała jako kowalska_77, czyli {KASIA.native_id}."
        session.add(said)

    _, mentioned = forget(store_database, who)

    assert mentioned > 0
    assert known(store_database, who).erased
    assert who.lstrip("@") not in words(store_database)


def test_nothing_of_theirs_is_changed_before_all_of_it_is(store_database: Database) -> None:
    """A planned answer with a gap in it could go out meanwhile."""
    shop = profile(store_database)
    raw = {"author": {"did": KASIA.native_id, "handle": KASIA.handle}}
    row_id = remembered(store_database, shop, post("Ja, kowalska_77.", when=ASKED, by=KASIA, raw=raw))
    reply_id = planned(store_database, row_id, text="@kowalska_77 sprawdzamy.")
    remembered(store_database, shop, post("@kowalska_77 ja też.", when=ASKED, by=PIOTR))
    pauses = []

    _, mentioned = forget(
        store_database,
        KASIA.native_id,
        pause=lambda: pauses.append(row_of(store_database, ReplyRow, reply_id)["text"]),
    )

    assert pauses == ["@kowalska_77 sprawdzamy."]
    assert mentioned == 1  # elsewhere
    assert row_of(store_database, ReplyRow, reply_id)["text"] == ""


def test_our_own_account_loses_no_mention_either(store_database: Database) -> None:
    shop = profile(store_database)
    remembered(store_database, shop, post("Nasze.", when=ASKED, by=SHOP, kind=PostKind.OWN, ours=True))
    row_id = remembered(store_database, shop, post("@fikcja gdzie paczka?", when=ASKED, by=ANNA))
    with store_database.write() as session:
        profiles.know_account(session, shop.id, SHOP)

    with pytest.raises(Conflict, match="our own account"):
        forget(store_database, "@fikcja")

    assert row_of(store_database, PostRow, row_id)["text"] == "@fikcja gdzie paczka?"


# --- copies --------------------------------------------------------------------------------------------------------------


def copied(database: Database, folder: Path) -> Path:
    made = copies.backup_sqlite(database, label="backup", now=NOW, folder=folder)
    assert made is not None
    return made


def restored(database: Database, file: Path) -> tuple[Database, int]:
    assert database.path is not None
    database.close()
    done = restoring.restore_sqlite(database.path, file, by=MAREK, machine=clock.machine_now(), now=NOW)
    assert done.aside is not None
    done.aside.unlink()
    return Database(f"sqlite:///{database.path}"), done.forgotten


def test_what_was_erased_stays_so_after_a_restore_also_of_who_was_let_in_again(
    database: Database, tmp_path: Path
) -> None:
    shop = profile(database)
    mentioned_by_others(database, shop)
    copy = copied(database, tmp_path / "copies")
    forget(database, KASIA.native_id)
    allow(database, KASIA.native_id)

    again, count = restored(database, copy)

    assert count == 1
    assert not any(word in words(again) for word in KASIAS)
    assert again.path is not None
    assert b"kowalska_77" not in again.path.read_bytes()
    assert is_read_in(again, shop, post("Wracam.", when=NOW, by=KASIA))  # let in, as before
    assert not is_read_in(again, shop, post("Gdzie paczka?", when=ASKED, by=KASIA, native_id="kasia-1"))
    again.close()


def test_who_was_let_in_since_the_copy_is_not_dropped_again(database: Database, tmp_path: Path) -> None:
    shop = profile(database)
    remembered(database, shop, post("Pierwsza.", when=ASKED, by=KASIA))
    forget(database, KASIA.native_id)
    copy = copied(database, tmp_path / "copies")
    allow(database, KASIA.native_id)

    again, count = restored(database, copy)

    assert count == 0
    with again.read() as session:
        assert erasure.forgotten(session) == []
    assert is_read_in(again, shop, post("Wracam.", when=NOW, by=KASIA))
    again.close()


def test_what_they_wrote_after_they_were_let_in_is_kept(database: Database, tmp_path: Path) -> None:
    shop = profile(database)
    row_id = wrote_again(database, shop)
    copy = copied(database, tmp_path / "copies")

    again, count = restored(database, copy)

    assert count == 0
    assert row_of(again, PostRow, row_id)["text"] == "Wracam po raz 1."
    again.close()


@pytest.mark.parametrize("let_in", [False, True])
def test_a_second_wish_is_carried_over_as_the_first(database: Database, tmp_path: Path, let_in: bool) -> None:
    shop = profile(database)
    row_id = wrote_again(database, shop)
    copy = copied(database, tmp_path / "copies")
    forget(database, KASIA.native_id, now=NOW + timedelta(days=1))
    if let_in:
        allow(database, KASIA.native_id)

    again, count = restored(database, copy)

    assert count == 1
    assert row_of(again, PostRow, row_id)["text"] == ""
    assert len(rows(again, ForgottenRow)) == 1
    assert is_read_in(again, shop, post("Wracam.", when=NOW + timedelta(days=2), by=KASIA)) is let_in
    # and a copy of the restored one knows it as well
    second, count = restored(again, copied(again, tmp_path / "copies-2"))
    assert count == 0
    second.close()


def test_who_the_copy_never_met_is_let_in_all_the_same(database: Database, tmp_path: Path) -> None:
    """Forgotten, back to a copy that does not know them, let in there, and back to the later copy."""
    shop = profile(database)
    first = copied(database, tmp_path / "copies")
    remembered(database, shop, post("Pierwsza.", when=ASKED, by=KASIA))
    forget(database, KASIA.native_id)
    later = copied(database, tmp_path / "copies-2")
    again, _ = restored(database, first)
    assert not is_read_in(again, shop, post("Nowa.", when=ASKED, by=KASIA))
    allow(again, KASIA.native_id)

    once_more, _ = restored(again, later)

    assert is_read_in(once_more, shop, post("Wracam.", when=NOW, by=KASIA))
    once_more.close()


@pytest.mark.postgres
def test_postgresql_is_told_the_same(request: pytest.FixtureRequest) -> None:
    new_url: Callable[[], str] = request.getfixturevalue("_postgres_template")
    present, copy = Database(new_url()), Database(new_url())
    shop = profile(present)
    for database in (present, copy):
        profile(database)
        said = [post(f"Od {by.handle}.", when=ASKED, by=by) for by in (KASIA, ANNA, PIOTR)]
        remembered(database, shop, *said)
    for who in (KASIA, ANNA):
        forget(present, who.native_id)
    allow(present, KASIA.native_id)

    told = []
    for _ in range(2):
        with present.read() as before, copy.write() as after:
            told.append({author.handle for author in erasure.carry_over(before, after, now=NOW)})

    assert told == [{KASIA.handle, ANNA.handle}, set()]
    assert {row.text for row in rows(copy, PostRow)} == {"", "Od piotrek."}
    assert is_read_in(copy, shop, post("Wracam.", when=NOW, by=KASIA))
    assert not is_read_in(copy, shop, post("Wracam.", when=NOW, by=ANNA))
    for database in (present, copy):
        database.close()


# --- raw answers ---------------------------------------------------------------------------------------------------------

QUOTES: dict[str, dict[str, Any]] = {
    "a quoted post": {
        "embed": {
            "record": {
                "author": {"did": KASIA.native_id, "handle": "kowalska_77", "displayName": "Kasia Kowalska"},
                "value": {"text": "Moje zdanie."},
            }
        }
    },
    "an address": {"record": {"reply": {"parent": {"uri": f"at://{KASIA.native_id}/app.bsky.feed.post/3k"}}}},
    "a number in a list": {"message_tags": [{"id": KASIA.native_id, "name": "Kasia Kowalska"}]},
    "a handle in a sentence": {"message": "Pozdrawiam\nkowalska_77, hej"},
    "a part of an address": {"url": "https://fake.invalid/u/Kowalska_77?lang=pl"},
}


@pytest.mark.parametrize("raw", QUOTES.values(), ids=QUOTES)
def test_a_raw_answer_that_tells_of_somebody_forgotten_is_not_kept(
    store_database: Database, raw: dict[str, Any]
) -> None:
    shop = profile(store_database)
    remembered(store_database, shop, post("Gdzie?", when=ASKED, by=KASIA))
    forget(store_database, KASIA.native_id)

    row_id = remembered(store_database, shop, post("Też tak uważam.", when=NOW, by=PIOTR, raw=raw))

    assert row_of(store_database, PostRow, row_id)["text"] == "Też tak uważam."
    assert not row_of(store_database, PostRow, row_id)["raw"]
    allow(store_database, KASIA.native_id)
    row_id = remembered(store_database, shop, post("Wciąż.", when=NOW + timedelta(hours=1), by=PIOTR, raw=raw))
    assert row_of(store_database, PostRow, row_id)["raw"] == raw


@pytest.mark.parametrize("raw", QUOTES.values(), ids=QUOTES)
def test_one_that_is_there_already_goes_as_a_whole(store_database: Database, raw: dict[str, Any]) -> None:
    shop = profile(store_database)
    remembered(store_database, shop, post("Gdzie?", when=ASKED, by=KASIA))
    row_id = remembered(store_database, shop, post("Też tak uważam.", when=ASKED, by=PIOTR, raw=raw))

    forget(store_database, KASIA.native_id)

    with store_database.read() as session:
        query = select(c(PostRow).id).where(c(PostRow).id == row_id, c(PostRow).raw.is_(None))
        assert session.execute(query).first() is not None
    assert row_of(store_database, PostRow, row_id)["text"] == "Też tak uważam."


def test_a_short_name_is_known_by_standing_alone_and_a_long_number_by_its_digits(store_database: Database) -> None:
    shop = profile(store_database)
    plain = Author(native_id="1234567890", handle="kawa", display_name="Kawa")
    remembered(store_database, shop, post("Dobra.", when=ASKED, by=plain))
    forget(store_database, "1234567890")
    told = {
        "kawa": {"user": {"username": "Kawa"}},
        "number": {"in_reply_to_user_id": 1234567890},
        "common": {"text": "Wasza kawa jest zimna.", "likes": 77, "longer": "12345678901", "sure": True},
    }

    kept = {}
    for number, (name, raw) in enumerate(told.items()):
        said = post(f"Zdanie {number}.", when=NOW + timedelta(minutes=number), by=PIOTR, raw=raw)
        kept[name] = row_of(store_database, PostRow, remembered(store_database, shop, said))["raw"]

    assert kept == {"kawa": {}, "number": {}, "common": told["common"]}


def test_nobody_is_looked_for_on_another_network(store_database: Database) -> None:
    shop = profile(store_database)
    elsewhere = profile(store_database, "elsewhere", network="other")
    remembered(store_database, shop, post("Gdzie?", when=ASKED, by=KASIA))
    forget(store_database, KASIA.native_id)
    raw = {"author": {"handle": "kowalska_77"}}

    row_id = remembered(store_database, elsewhere, post("Hej.", when=NOW, by=PIOTR, raw=raw))

    assert row_of(store_database, PostRow, row_id)["raw"] == raw
    with pytest.raises(NotFound):
        known(store_database, KASIA.native_id, "other")
