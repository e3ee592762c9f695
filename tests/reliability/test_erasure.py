"""Who asks to be forgotten is: no byte of theirs is left, nothing of theirs comes back, and the reports stay as they were."""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import LargeBinary, String, Text, select, update
from sqlalchemy.types import TypeDecorator

from social.domain.errors import Conflict, NotFound
from social.domain.post import Author, PostKind
from social.domain.reply import ReplyState
from social.engine import backfill, line
from social.engine.schedule import run_stepped
from social.store import copies, erasure, mentions, postgres_tools, posts, traces
from social.store.erasure import Known
from social.store.personal import ELSEWHERE, HELD, Special
from social.store.rows import c, t
from social.store.session import Database
from social.store.subject_access import export_author
from social.store.tables import (
    AuthorRow,
    EscalationRow,
    ForgottenRow,
    NoteRow,
    NotificationRow,
    PostRow,
    ReplyRow,
    Table,
)
from tests.cast import ANNA, MAREK, PIOTR, PROFILE, SHOP, at
from tests.factories import case, planned, post, profile, remembered, row_of
from tests.reliability.lived import Canary, cases_of, living_desk, numbers, poll_all_again, posts_of, report, words_of

NOW = at("2026-11-21 10:00")


def known(database: Database, who: Author, network: str = "fake") -> Known:
    with database.read() as session:
        return erasure.find(session, network, who.native_id)


def forget(database: Database, who: Author, network: str = "fake") -> Known:
    """As ``social author forget``."""
    author = known(database, who, network)
    with database.write() as session:
        erasure.forget(session, author, by=MAREK, reason="asked by letter", now=NOW)
    mentions.scrub(database, mentions.Names.of(author))
    return author


def bytes_of(database: Database, folder: Path) -> bytes:
    """Everything that lies on the disk of it (SQLite), or what its server tells of it (PostgreSQL)."""
    if database.path is not None:
        return b"".join(
            path.read_bytes() for path in database.path.parent.glob(f"{database.path.name}*") if path.is_file()
        )
    return subprocess.run(
        ["pg_dump", "--no-password"], env=postgres_tools._environment(database), capture_output=True, check=True
    ).stdout


# --- the table that drives export and erasure ---------------------------------------------------------------------------


def is_text(column: Any) -> bool:
    kind = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
    return isinstance(kind, String | Text | LargeBinary)


def test_every_table_has_its_place_once() -> None:
    held = {t(place.model).name for place in HELD}

    assert held | set(ELSEWHERE) == set(Table.metadata.tables)
    assert held & set(ELSEWHERE) == set()


def test_every_table_that_leads_to_an_author_is_held() -> None:
    leads = {"author"}
    while True:
        more = {
            table.name
            for table in Table.metadata.tables.values()
            if {key.column.table.name for key in table.foreign_keys} & leads
        }
        if more <= leads:
            break
        leads |= more

    assert leads - {t(place.model).name for place in HELD} == set()


@pytest.mark.parametrize("place", HELD, ids=lambda place: place.title)
def test_every_column_of_theirs_is_erased_or_kept_for_a_reason(place: Any) -> None:
    columns = {column.name for column in t(place.model).columns}
    if place.rows_go:
        assert place.erased == place.kept == {}
        return

    told = [*place.erased, *place.kept, *place.internal]
    assert set(told) == columns, f"{place.title}: say in social/store/personal.py what becomes of them"
    assert len(told) == len(set(told))
    assert all(place.kept.values())


def test_every_other_column_with_text_is_named_with_its_tables_reason() -> None:
    for name, (reason, columns) in ELSEWHERE.items():
        there = {column.name for column in Table.metadata.tables[name].columns if is_text(column)}
        assert columns == there, f"{name}: say in social/store/personal.py whose words these are"
        assert reason


def test_free_text_is_never_kept_of_an_author() -> None:
    """Columns for words from outside are erased wherever they can be an author's."""
    from social.store.columns import OutsideText

    kept = [
        f"{place.title}.{column.name}"
        for place in HELD
        if not place.rows_go
        for column in t(place.model).columns
        if isinstance(column.type, OutsideText) and column.name not in place.erased
    ]
    assert kept == []


# --- no byte is left ----------------------------------------------------------------------------------------------------


@pytest.mark.slow_on("postgresql")
def test_fifty_forgotten_authors_leave_no_byte(
    store_database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    canaries = [Canary(number) for number in range(50)]
    desk, clock, network = living_desk(store_database, canaries)
    before, rows = report(store_database, now=NOW), posts_of(store_database)
    found = bytes_of(store_database, tmp_path)
    assert [word for word in words_of(canaries) if word not in found] == []  # they are all there to be found

    for canary in canaries:
        forget(store_database, canary.author)
    assert traces.sweep(store_database) == ""

    left = bytes_of(store_database, tmp_path)
    assert [word for word in words_of(canaries) if word in left] == []
    assert numbers(report(store_database, now=NOW)) == numbers(before)
    assert posts_of(store_database) == rows
    assert "ptak kanarek" not in left.decode("utf-8", "replace").lower()

    # the network shows it all again, and they write anew
    clock.advance_to(NOW)
    network.publishes(*(canary.asks(NOW + timedelta(seconds=canary.number)) for canary in canaries))
    clock.advance_to(NOW + timedelta(hours=2))
    poll_all_again(desk, clock)
    run_stepped(desk, clock, until=NOW + timedelta(hours=4))

    assert posts_of(store_database) == rows
    left = bytes_of(store_database, tmp_path)
    assert [word for word in words_of(canaries) if word in left] == []
    assert [word for word in words_of(canaries) if word.decode() in caplog.text] == []
    if store_database.path is not None:
        made = copies.backup_sqlite(store_database, label="after", now=NOW, folder=tmp_path / "copies")
    else:
        made = postgres_tools.backup(store_database, tmp_path / "copies", label="after", now=NOW)
    assert made is not None
    assert [word for word in words_of(canaries) if word in made.read_bytes()] == []
    with store_database.read() as session:
        assert all(stone.left_out > 0 for stone in erasure.forgotten(session))


def test_other_customers_keep_what_is_theirs(store_database: Database) -> None:
    first, second = Canary(1), Canary(2)
    living_desk(store_database, [first, second])
    with store_database.read() as session:
        theirs = [
            (row.native_id, row.text, row.raw)
            for row in session.execute(
                select(PostRow)
                .join(AuthorRow, c(AuthorRow).id == c(PostRow).author_id)
                .where(c(AuthorRow).native_id == second.author.native_id)
                .order_by(c(PostRow).id)
            ).scalars()
        ]

    forget(store_database, first.author)

    with store_database.read() as session:
        after = {row.native_id: (row.text, row.raw) for row in session.execute(select(PostRow)).scalars()}
        other = session.execute(
            select(c(PostRow).text)
            .join(AuthorRow, c(AuthorRow).id == c(PostRow).author_id)
            .where(c(AuthorRow).native_id == PIOTR.native_id)
        ).scalar_one()
    assert theirs
    assert all(after[native_id] == (text, raw) for native_id, text, raw in theirs)
    assert other == "Zgadzam się z […], mam to samo."


# --- what happens to what was going on ----------------------------------------------------------------------------------


def test_their_plans_are_cancelled_and_their_cases_closed_with_the_reason(store_database: Database) -> None:
    shop = profile(store_database)
    row_id = remembered(store_database, shop, post("Gdzie?", when=at("2026-11-20 10:00")))
    case_id, reply_id = case(store_database, row_id), planned(store_database, row_id)

    forget(store_database, ANNA)

    assert row_of(store_database, ReplyRow, reply_id)["state"] == "cancelled"
    assert row_of(store_database, ReplyRow, reply_id)["text"] == ""
    ended = row_of(store_database, EscalationRow, case_id)
    assert (ended["state"], ended["close_reason"]) == ("closed", "their author was forgotten")
    assert row_of(store_database, PostRow, row_id)["text"] == ""


@pytest.mark.parametrize(
    ("state", "says"),
    [(ReplyState.SENDING, "on its way.*Try again"), (ReplyState.UNKNOWN, "nobody knows.*social queue settle")],
)
def test_a_reply_that_may_be_public_is_waited_for(store_database: Database, state: ReplyState, says: str) -> None:
    shop = profile(store_database)
    row_id = remembered(store_database, shop, post("Gdzie?", when=at("2026-11-20 10:00")))
    reply_id = planned(store_database, row_id)
    with store_database.write() as session:
        session.execute(update(t(ReplyRow)).where(c(ReplyRow).id == reply_id).values(state=state.value))

    with pytest.raises(Conflict, match=says):
        forget(store_database, ANNA)

    assert row_of(store_database, PostRow, row_id)["text"] == "Gdzie?"  # all or nothing
    with store_database.read() as session:
        assert erasure.forgotten(session) == []


def test_our_own_account_is_not_forgotten_by_mistake(store_database: Database) -> None:
    shop = profile(store_database)
    own = post("Nasze.", when=at("2026-11-20 10:00"), by=SHOP, kind=PostKind.OWN, ours=True)
    remembered(store_database, shop, own)
    with store_database.write() as session:
        from social.store import profiles

        profiles.know_account(session, shop.id, SHOP)

    with pytest.raises(Conflict, match="our own account"):
        forget(store_database, SHOP)


def test_what_is_being_judged_meanwhile_is_dropped(store_database: Database) -> None:
    canary = Canary(3)
    desk, clock, network = living_desk(store_database, [canary])
    clock.advance_to(NOW)
    network.publishes(canary.asks(NOW))
    line.take_in(desk, clock.now())
    from social.engine import judge
    from social.engine.claims import Claimed, claim

    claimed = claim(
        store_database, Claimed.POST, now=clock.now(), limit=5, lease=timedelta(minutes=5), profiles=desk.profiles
    )
    assert claimed
    forget(store_database, canary.author)

    judge.assess_and_record(desk, claimed, clock.now())

    (row_id,) = claimed.ids
    row = row_of(store_database, PostRow, row_id)
    assert (row["text"], row["reason"]) == ("", "the author was forgotten")
    case_id = next(case_id for who, case_id in cases_of(store_database).items() if who.startswith("erased:"))
    assert row_of(store_database, EscalationRow, case_id)["state"] == "closed"


# --- tombstones ---------------------------------------------------------------------------------------------------------


def test_a_tombstone_tells_nobodys_name(store_database: Database) -> None:
    shop = profile(store_database)
    remembered(store_database, shop, post("Gdzie?", when=at("2026-11-20 10:00")))
    forget(store_database, ANNA)

    with store_database.read() as session:
        (stone,) = session.execute(select(ForgottenRow)).scalars()
        author = session.execute(select(AuthorRow)).scalar_one()
        told = " ".join(str(value) for value in stone.__dict__.values())
        session.expunge_all()
    assert ANNA.native_id not in told
    assert "anna" not in told
    assert (author.handle, author.display_name) == (None, None)
    assert author.native_id.startswith("erased:")
    import hashlib

    plain = hashlib.sha256(ANNA.native_id.encode()).hexdigest()  # what anybody could make from a list of accounts
    assert plain[:20] not in told


def test_a_backfill_leaves_them_out(store_database: Database) -> None:
    canary = Canary(2)
    desk, clock, _ = living_desk(store_database, [canary])
    rows = posts_of(store_database)
    forget(store_database, canary.author)
    (live,) = desk.profiles.values()
    since = at("2026-11-01 00:00")
    clock.advance_to(NOW)

    work = backfill.begin(desk, live, since, clock.now())
    while work.state.value == "reading":
        work = backfill.read_page(desk, live, work, clock.now())

    assert work.read > 0
    assert posts_of(store_database) == rows


@pytest.mark.slow_on("postgresql")
def test_they_can_be_let_in_again_and_nothing_old_is_answered_twice(store_database: Database) -> None:
    canary = Canary(2)
    desk, clock, network = living_desk(store_database, [canary])
    said = len(network.public_replies)
    rows = posts_of(store_database)
    forget(store_database, canary.author)

    with store_database.write() as session:
        with pytest.raises(NotFound, match="nobody called 'somebody'"):
            erasure.allow(session, "fake", "somebody", by=MAREK, now=NOW)
        erasure.allow(session, "fake", f"@{canary.author.handle}", by=MAREK, now=NOW)
    clock.advance_to(NOW)
    poll_all_again(desk, clock)
    run_stepped(desk, clock, until=NOW + timedelta(hours=2))

    assert posts_of(store_database) == rows  # what was erased does not come back
    assert len(network.public_replies) == said
    network.publishes(canary.asks(at("2026-11-23 10:00")))
    run_stepped(desk, clock, until=at("2026-11-23 12:00"))
    assert posts_of(store_database) > rows
    assert len(network.public_replies) == said + 1


def test_forgetting_again_finds_them_by_their_old_name_and_changes_nothing_more(store_database: Database) -> None:
    canary = Canary(1)
    living_desk(store_database, [canary])
    author = forget(store_database, canary.author)

    with store_database.read() as session:
        for name in (canary.author.native_id, canary.author.handle or ""):
            again = erasure.find(session, "fake", name)
            assert (again.id, again.erased) == (author.id, True)
    with store_database.write() as session:
        erasure.forget(session, again, by=MAREK, reason="again", now=NOW)
    with store_database.read() as session:
        assert len(erasure.forgotten(session)) == 1


def test_two_accounts_that_had_one_name_are_told_apart_by_their_numbers(store_database: Database) -> None:
    shop = profile(store_database)
    for number in ("1", "2"):
        by = Author(native_id=f"n{number}", handle="Kasia")
        remembered(store_database, shop, post("?", when=at("2026-11-20 10:00"), by=by, native_id=number))

    with store_database.read() as session:
        with pytest.raises(Conflict, match=r"several accounts.*n1, n2"):
            erasure.find(session, "fake", "@kasia")
        assert erasure.find(session, "fake", "n2").native_id == "n2"
        with pytest.raises(NotFound, match="nobody called 'nobody'"):
            erasure.find(session, "fake", "nobody")


def test_a_page_that_is_read_in_at_the_same_moment_brings_nothing_back(
    new_store_database: Callable[[], Database],
) -> None:
    """The page was fetched before the erasure and is written after it began: one waits for the other."""
    polling, erasing = new_store_database(), new_store_database()
    shop = profile(polling)
    remembered(polling, shop, post("Pierwszy.", when=at("2026-11-20 10:00")))
    author = known(erasing, ANNA)
    begun, go_on = threading.Event(), threading.Event()

    def read_in() -> None:
        with polling.write() as session:
            posts.remember(session, shop, [post("Drugi.", when=at("2026-11-20 10:05"))], now=NOW)
            begun.set()
            go_on.wait(30)

    reader = threading.Thread(target=read_in)
    reader.start()
    assert begun.wait(30)
    threading.Timer(0.5, go_on.set).start()
    with erasing.write() as session:
        erasure.forget(session, author, by=MAREK, reason="asked", now=NOW)
    reader.join()

    with erasing.read() as session:
        assert set(session.execute(select(c(PostRow).text)).scalars()) == {""}


def test_a_page_that_comes_while_somebody_is_being_forgotten_waits_and_leaves_them_out(
    new_store_database: Callable[[], Database],
) -> None:
    polling, erasing = new_store_database(), new_store_database()
    shop = profile(polling)
    remembered(polling, shop, post("Pierwszy.", when=at("2026-11-20 10:00")))
    author = known(erasing, ANNA)
    seen: list[posts.Remembered] = []

    def read_in() -> None:
        with polling.write() as session:
            seen.append(posts.remember(session, shop, [post("Drugi.", when=at("2026-11-20 10:05"))], now=NOW))

    reader = threading.Thread(target=read_in)
    with erasing.write() as session:
        erasure.forget(session, author, by=MAREK, reason="asked", now=NOW)
        reader.start()
        reader.join(1.0)
        assert seen == []  # it waits
    reader.join()

    assert seen == [posts.Remembered(left_out=1)]
    with erasing.read() as session:
        assert set(session.execute(select(c(PostRow).text)).scalars()) == {""}


# --- mentions -----------------------------------------------------------------------------------------------------------


def test_a_common_word_is_not_taken_for_a_name(store_database: Database) -> None:
    shop = profile(store_database)
    plain = Author(native_id="77", handle="kawa", display_name="Kawa")
    remembered(store_database, shop, post("Dobra kawa.", when=at("2026-11-20 10:00"), by=plain))
    other = post("Wasza kawa 77 jest zimna, @kawa też tak mówi.", when=at("2026-11-20 10:05"), by=PIOTR)
    row_id = remembered(store_database, shop, other)

    forget(store_database, plain)

    there = row_of(store_database, PostRow, row_id)
    assert there["text"] == "Wasza kawa 77 jest zimna, […] też tak mówi."
    remembered(store_database, shop, other)  # seen again
    assert row_of(store_database, PostRow, row_id) == there


# --- deleted at the network ---------------------------------------------------------------------------------------------


def test_what_is_deleted_at_the_network_leaves_no_byte_either(database: Database, tmp_path: Path) -> None:
    canary = Canary(7)  # waits for a person; its first words were edited
    _, _, network = living_desk(database, [canary])
    shown = [item.native_id for item in network._posts.values() if not item.ours]
    assert canary.word.encode() in bytes_of(database, tmp_path)
    for native_id in shown:
        network.deletes(native_id)
    with database.write() as session:
        from social.domain.post import Gone
        from social.store import profiles

        shop = profiles.by_name(session, PROFILE)
        assert shop is not None
        posts.forget_deleted(session, shop, [Gone(native_id=native_id) for native_id in shown], now=NOW)

    with database.read() as session:
        texts = list(session.execute(select(c(PostRow).text).where(c(PostRow).ours.is_(False))).scalars())
        said = list(session.execute(select(c(NoteRow).text)).scalars())
        bodies = list(session.execute(select(c(NotificationRow).body)).scalars())
    assert set(texts) == {""}
    assert len(bodies) == 1
    assert all(canary.word not in text for text in [*said, *bodies])
    assert any("zna ją Marek" in text for text in said)  # what is not theirs stays


# --- export -------------------------------------------------------------------------------------------------------------


def test_an_export_holds_everything_of_one_author_and_nothing_of_others(store_database: Database) -> None:
    first, second = Canary(5), Canary(10)
    living_desk(store_database, [first, second])
    author = known(store_database, first.author)

    document = export_author(store_database, author, now=NOW)

    import json

    text = json.dumps(document, ensure_ascii=False)
    assert second.word not in text
    for place in HELD:
        rows = document["data"][place.title]
        with store_database.read() as session:
            assert len(rows) == len(set(session.execute(place.whose(author.id)).scalars()))
        for row in rows:
            assert set(row) == {column.name for column in t(place.model).columns} - set(place.internal)
    filled = {title for title, rows in document["data"].items() if rows}
    assert filled >= {
        "author", "person", "conversations", "posts", "judgements", "decisions", "replies to them", "cases",
        "notes of our people", "alerts", "messages to people on call", "audit log",
    }  # fmt: skip
    assert document["data"]["author"][0]["handle"] == first.author.handle
    assert document["data"]["posts"][0]["raw"]["author"]["did"] == first.author.native_id


def test_every_special_value_is_known() -> None:
    used = {value for place in HELD for value in place.erased.values() if isinstance(value, Special)}

    assert used == set(Special)
