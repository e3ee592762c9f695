"""A restore goes back to what the copy held, except for what must not: keys, who may come in, the pause, deleted words. And
nothing takes the database's place that a full disk left incomplete."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from social import clock
from social.domain.errors import StoreError
from social.domain.post import Gone
from social.store import control, copies, postgres_tools, posts, restoring, schema
from social.store.credentials import StoredCredentials
from social.store.rows import c, t
from social.store.session import Database
from social.store.tables import CredentialRow, InvitationRow, PostRow, UserRow, WebSessionRow
from tests.cast import MAREK, PIOTR, at
from tests.engine.looking import rows
from tests.factories import post, profile, remembered
from tests.reliability.test_backup_restore import empty_beside

NOW = at("2026-11-20 10:00")
HOUR = timedelta(hours=1)


class Place:
    """A database that goes back to a copy of itself, as its kind does."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.copy = folder

    def copy_now(self) -> None:
        if self.database.dialect == "postgresql":
            self.copy = postgres_tools.backup(self.database, self.folder, label="backup", now=NOW)
            return
        made = copies.backup_sqlite(self.database, label="backup", now=NOW, folder=self.folder)
        assert made is not None
        self.copy = made

    def restored(self) -> Database:
        how: dict[str, Any] = {"by": MAREK, "machine": clock.machine_now(), "now": NOW + HOUR}
        if self.database.dialect == "postgresql":
            target = empty_beside(self.database)
            restoring.restore_postgresql(target, self.copy, previous=self.database, **how)
            return target
        self.database.close()
        assert self.database.path is not None
        restoring.restore_sqlite(self.database.path, self.copy, **how)
        return Database(f"sqlite:///{self.database.path}")


@pytest.fixture
def postgres(_postgres_template: Callable[[], str]) -> Iterator[Database]:
    with closing(Database(_postgres_template())) as database:
        yield database


@pytest.fixture
def place(store_database: Database, tmp_path: Path) -> Place:
    return Place(store_database, tmp_path / "copies")


def test_a_paused_desk_stays_paused(place: Place) -> None:
    place.copy_now()
    with place.database.write() as session:
        control.pause(session, by="marta", now=NOW)

    with closing(place.restored()) as again, again.read() as session:
        assert control.paused_since(session) == (NOW, "marta")


def test_who_was_let_go_since_stays_out_and_everybody_signs_in_anew(place: Place) -> None:
    with place.database.write() as session:
        people = [{"name": name, "role": "agent", "created_at": NOW, "password_hash": "old"} for name in ("ola", "jan")]
        session.execute(insert(t(UserRow)), people)
    ola = next(row.id for row in rows(place.database, UserRow) if row.name == "ola")
    with place.database.write() as session:
        session.execute(
            insert(t(WebSessionRow)),
            [
                {"token_hash": "h", "user_id": ola, "browser": ""}
                | dict.fromkeys(("created_at", "seen_at", "expires_at"), NOW)
            ],
        )
        session.execute(
            insert(t(InvitationRow)),
            [{"token_hash": "i", "role": "admin", "created_at": NOW, "expires_at": NOW + 24 * HOUR}],
        )
    place.copy_now()
    with place.database.write() as session:
        session.execute(update(UserRow).where(c(UserRow).name == "ola").values(disabled_at=NOW))
        session.execute(update(UserRow).where(c(UserRow).name == "jan").values(password_hash="new", role="manager"))
        session.execute(
            insert(t(UserRow)), [{"name": "ewa", "role": "agent", "created_at": NOW, "password_hash": "hers"}]
        )

    with closing(place.restored()) as again:
        people = {row.name: (row.role, row.password_hash, row.disabled_at) for row in rows(again, UserRow)}
        assert people["ola"] == ("agent", "old", NOW)
        assert people["jan"] == ("manager", "new", None)
        assert people["ewa"] == ("agent", "hers", None)
        assert rows(again, WebSessionRow) == []
        assert rows(again, InvitationRow) == []


def test_what_was_deleted_at_the_network_since_is_deleted_again(place: Place) -> None:
    shop = profile(place.database)
    remembered(place.database, shop, post("Słowa Anny.", when=NOW), post("Słowa Piotra.", when=NOW, by=PIOTR))
    theirs = {row.text: row.native_id for row in rows(place.database, PostRow)}
    place.copy_now()
    with place.database.write() as session:
        posts.forget_deleted(session, shop, [Gone(native_id=theirs["Słowa Anny."])], now=NOW)

    with closing(place.restored()) as again:
        found = {row.native_id: (row.text, row.deleted_at is not None) for row in rows(again, PostRow)}
    assert found == {theirs["Słowa Anny."]: ("", True), theirs["Słowa Piotra."]: ("Słowa Piotra.", False)}


def test_a_credential_that_was_sealed_with_a_newer_key_since_is_taken(place: Place) -> None:
    """A rotation seals anew what is there, and says nothing of when it was renewed."""
    StoredCredentials(place.database, lambda: NOW).change("x", lambda _: b"sealed with the old key")
    place.copy_now()
    with place.database.write() as session:
        session.execute(update(CredentialRow).values(sealed=b"sealed with the new key"))

    with closing(place.restored()) as again:
        assert StoredCredentials(again, lambda: NOW).load("x") == b"sealed with the new key"


# --- a disk that is full ------------------------------------------------------------------------------------------------


@contextmanager
def no_file_above(bytes_: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_copy_that_could_not_be_written_out_takes_nobodys_place(database: Database, tmp_path: Path) -> None:
    """There is room for the log, and none for the file to grow: SQLite commits, and is silent when it is closed."""
    shop = profile(database)
    remembered(database, shop, *(post("x" * 4000, when=NOW, native_id=f"n{number}") for number in range(400)))
    place = Place(database, tmp_path / "copies")
    place.copy_now()
    with database.write() as session:
        newer = [{"name": f"c{number}", "sealed": b"s" * 8000, "saved_at": NOW} for number in range(60)]
        session.execute(insert(t(CredentialRow)), newer)
    database.close()
    assert database.path is not None

    with (
        no_file_above(place.copy.stat().st_size + 100_000),
        pytest.raises(StoreError, match="cannot be written out") as told,
    ):
        place.restored()

    assert "Make room" in (told.value.next_step or "")
    assert list(tmp_path.glob("*before-restore*")) == []
    assert list(tmp_path.glob(".*.part*")) == []
    with closing(sqlite3.connect(database.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM credential").fetchone() == (60,)


def test_long_words_that_are_taken_out_leave_no_byte(database: Database) -> None:
    """A long raw answer lies on pages of its own, which are given back as a whole."""
    word = "canary-long-words"
    shop = profile(database)
    (first,) = [remembered(database, shop, post(word * 900, when=NOW))]
    remembered(database, shop, post(word * 900, when=NOW, by=PIOTR))
    with database.write() as session:
        session.execute(update(PostRow).where(c(PostRow).id == first).values(text=""))
    kept = next(row.native_id for row in rows(database, PostRow) if row.text)
    with database.write() as session:
        posts.forget_deleted(session, shop, [Gone(native_id=kept)], now=NOW)
    with closing(database.engine.raw_connection()) as raw:
        raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    database.close()

    assert database.path is not None
    assert word.encode() not in database.path.read_bytes()


# --- PostgreSQL: between the copy's arrival and its last step -----------------------------------------------------------


@pytest.mark.postgres
def test_no_desk_starts_on_a_restore_that_did_not_end(
    postgres: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(postgres, tmp_path)
    place.copy_now()
    target = empty_beside(postgres)

    def breaks(*_: Any, **__: Any) -> None:
        raise KeyError("a mistake")

    how: dict[str, Any] = {"previous": postgres, "by": MAREK, "machine": clock.machine_now(), "now": NOW}
    with monkeypatch.context() as broken:
        broken.setattr(restoring, "_take_along", breaks)
        with pytest.raises(StoreError, match="not yet who was forgotten"):
            restoring.restore_postgresql(target, place.copy, **how)
    with pytest.raises(StoreError, match="did not come to its end"):
        schema.require_current(target)
    target.close()


@pytest.mark.postgres
def test_a_restore_that_failed_leaves_the_database_empty(postgres: Database, tmp_path: Path) -> None:
    place = Place(postgres, tmp_path)
    place.copy_now()
    target = empty_beside(postgres)
    content = place.copy.read_bytes()
    place.copy.write_bytes(content[: len(content) // 2])
    how: dict[str, Any] = {"previous": postgres, "by": MAREK, "machine": clock.machine_now(), "now": NOW}
    with pytest.raises(StoreError):
        restoring.restore_postgresql(target, place.copy, **how)
    place.copy.write_bytes(content)

    restoring.restore_postgresql(target, place.copy, **how)

    schema.require_current(target)
    assert schema.differences(target) == []
    target.close()
