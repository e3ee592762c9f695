"""A copy is whole or not there, is made while everybody works, and going back to it loses only what came after."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, insert, inspect, make_url, select, text

from social import clock
from social.clock import SteppedClock
from social.domain.errors import Conflict, NotFound, StoreError
from social.domain.post import Author
from social.engine import upkeep
from social.engine.desk import Copies
from social.store import control, copies, erasure, mentions, postgres_tools, posts, restoring, schema
from social.store.credentials import StoredCredentials
from social.store.erasure import find, forget, forgotten
from social.store.mapping import Profile
from social.store.rows import c, t
from social.store.session import Database
from social.store.tables import AuthorRow, ChoreRow, CredentialRow, EventRow, ForgottenRow, PostRow
from tests.cast import ANNA, MAREK, PIOTR, at
from tests.cli.processes import environment
from tests.engine.looking import eventually, rows
from tests.factories import desk_for, post, profile, remembered
from tests.fakes import FakeConnector

NOW = at("2026-11-20 10:00")
TREE = Path(__file__).parents[2]
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
#: Numbers of a user and a group that the desk runs as.
DESK = (4711, 4712)


def sound(file: Path) -> int:
    """How many posts a copy holds; fails where it is not a whole database by itself."""
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return int(connection.execute("SELECT count(*) FROM post").fetchone()[0])
    finally:
        connection.close()


def restore(database: Database, file: Path, **how: Any) -> restoring.Restored:
    assert database.path is not None
    return restoring.restore_sqlite(database.path, file, by=MAREK, machine=clock.machine_now(), now=NOW, **how)


def backed_up(database: Database, folder: Path, label: str = "backup") -> Path:
    made = copies.backup_sqlite(database, label=label, now=NOW, folder=folder)
    assert made is not None
    return made


# --- backup -------------------------------------------------------------------------------------------------------------


def test_a_copy_made_while_somebody_writes_is_whole(new_database: Callable[[], Database], tmp_path: Path) -> None:
    """Pages of posts come in as fast as they can, each in one transaction with its cursor."""
    database, writer = new_database(), new_database()
    shop, stop, pages = profile(database), threading.Event(), [0]

    def hammer() -> None:
        while not stop.is_set():
            page = pages[0]
            batch = [post(f"{page}", when=NOW, native_id=f"p{page}-{n}") for n in range(20)]
            with writer.write() as session:
                posts.remember(session, shop, batch, now=NOW)
                session.execute(text("UPDATE profile SET cursor = :page"), {"page": str(page + 1)})
            pages[0] += 1

    hammering = threading.Thread(target=hammer)
    hammering.start()
    try:
        for number in range(5):
            seen = pages[0]
            eventually(lambda seen=seen: pages[0] > seen + 2, what="more pages")
            made = backed_up(database, tmp_path / "copies", f"n{number}")
            connection = sqlite3.connect(made)
            cursor = int(connection.execute("SELECT cursor FROM profile").fetchone()[0])
            connection.close()
            assert sound(made) == 20 * cursor  # a transaction is in it whole or not at all
            assert cursor >= seen
            assert stat.S_IMODE(made.stat().st_mode) == 0o600
    finally:
        stop.set()
        hammering.join()
    assert [path for path in (tmp_path / "copies").iterdir() if path.suffix != ".db"] == []


def test_a_kill_in_the_midst_leaves_no_half_copy(database: Database, tmp_path: Path) -> None:
    """Killed at eight moments around the copying, and once by itself while SQLite copies: what bears a copy's name is whole."""
    shop = profile(database)
    page = [post("x" * 2000, when=NOW, native_id=f"n{number}") for number in range(3000)]
    remembered(database, shop, *page)
    folder = tmp_path / "copies"
    folder.mkdir()
    program = (
        "import os, signal, sys; from pathlib import Path; from social import clock; from social.store import copies\n"
        "from social.store.session import Database\n"
        f"database = Database('sqlite:///{database.path}')\n"
        "stop = (lambda: os.kill(os.getpid(), signal.SIGKILL)) if sys.argv[1] == 'dies' else lambda: False\n"
        "print('ready', flush=True)\n"
        "now, folder = clock.machine_now(), Path(sys.argv[2])\n"
        "made = copies.backup_sqlite(database, label=sys.argv[1], now=now, folder=folder, stop=stop)\n"
    )
    for number in (*range(8), None):
        process = subprocess.Popen(
            [sys.executable, "-c", program, "dies" if number is None else f"k{number}", str(folder)],
            env=environment(),
            cwd=TREE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if number is None:
            assert process.wait(60) == -signal.SIGKILL
        else:
            threading.Event().wait(0.006 * number**1.7)
            process.kill()
            process.wait()
        process.stdout.close()
        for made in folder.glob("*.db"):
            assert sound(made) == 3000
    assert list(folder.glob(".*-dies-*.part"))  # killed half written, and nobody takes it for a copy
    later = clock.machine_now() + timedelta(days=3)
    assert copies.backup_sqlite(database, label="next", now=later, folder=folder) is not None
    assert list(folder.glob(".*")) == []  # the next one sweeps up what was left


def test_one_that_is_given_up_leaves_nothing(database: Database, tmp_path: Path) -> None:
    shop = profile(database)
    remembered(database, shop, *(post("x" * 500, when=NOW, native_id=f"n{number}") for number in range(2000)))

    assert copies.backup_sqlite(database, label="x", now=NOW, folder=tmp_path / "c", stop=lambda: True) is None

    assert list((tmp_path / "c").iterdir()) == []


def test_a_full_or_closed_folder_is_told_in_a_sentence(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="the backup failed"):
        copies.backup_sqlite(database, label="x", now=NOW, folder=tmp_path / "file" / "inside")


def test_it_sweeps_up_its_own_leavings_and_nobody_elses(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "somewhere"
    folder.mkdir()
    assert database.path is not None
    stem = database.path.stem
    ours = [f".{stem}-backup-20261101T100000.db.0123456789ab.part", f".{database.path.name}.0123456789ab.part-journal"]
    theirs = [
        ".film.mkv.partial",
        ".film.mkv.part",
        ".other.db.0123456789ab.part",
        f".{stem}.notes.0123456789ab.part",
        f".{database.path.name}.0123456789ab.partial",
    ]
    for name in ours + theirs:
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (0, 0))

    backed_up(database, folder)

    assert {path.name for path in folder.iterdir() if path.name.startswith(".")} == set(theirs)


# --- daily ---------------------------------------------------------------------------------------------------------------


def test_the_daemon_makes_a_copy_a_day_and_keeps_so_many(database: Database, tmp_path: Path) -> None:
    desk = desk_for(database, SteppedClock(NOW), FakeConnector())
    desk.copies = Copies(keep=3, folder=tmp_path / "backups")
    backed_up(database, tmp_path / "backups", "by-hand")

    assert upkeep.back_up(desk, NOW, stop=lambda: False) == 0  # an hour after the first start
    made = [upkeep.back_up(desk, NOW + timedelta(hours=1 + 12 * half), stop=lambda: False) for half in range(14)]

    assert made == [1, 0] * 7
    names = sorted(path.name for path in (tmp_path / "backups").iterdir())
    assert len([name for name in names if "-daily-" in name]) == 3
    assert len([name for name in names if "-by-hand-" in name]) == 1  # what people made is theirs
    assert all("20261125" in name or "20261126" in name or "20261124" in name for name in names if "-daily-" in name)


def test_a_failed_daily_copy_is_said_aloud_and_tried_again_in_an_hour(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    desk = desk_for(database, SteppedClock(NOW), FakeConnector())
    desk.copies = Copies(keep=3, folder=tmp_path / "file" / "inside")
    upkeep.back_up(desk, NOW, stop=lambda: False)

    upkeep.back_up(desk, NOW + timedelta(hours=1), stop=lambda: False)

    assert "THE DAILY BACKUP FAILED" in caplog.text
    (chore,) = [row for row in _chores(database) if row.name == "backup"]
    assert chore.due_at == NOW + timedelta(hours=2)


def _chores(database: Database) -> list[Any]:
    with database.read() as session:
        found = list(session.execute(select(ChoreRow)).scalars())
        session.expunge_all()
    return found


def test_none_is_made_where_none_is_wanted(database: Database, tmp_path: Path) -> None:
    desk = desk_for(database, SteppedClock(NOW), FakeConnector())
    for kept in (None, Copies(keep=0, folder=tmp_path / "backups")):
        desk.copies = kept
        assert upkeep.back_up(desk, NOW + timedelta(days=9), stop=lambda: False) == 0
    assert not (tmp_path / "backups").exists()


# --- restore -------------------------------------------------------------------------------------------------------------


def texts(file: Path) -> set[str]:
    database = Database(f"sqlite:///{file}")
    try:
        with database.read() as session:
            return set(session.execute(select(c(PostRow).text)).scalars())
    finally:
        database.close()


def test_it_goes_back_to_the_copy_and_keeps_the_present_aside(database: Database, tmp_path: Path) -> None:
    shop = profile(database)
    remembered(database, shop, post("Przed.", when=NOW))
    copy = backed_up(database, tmp_path / "copies")
    remembered(database, shop, post("Po.", when=NOW + timedelta(minutes=1)))
    database.close()
    assert database.path is not None

    done = restore(database, copy)

    assert texts(database.path) == {"Przed."}
    assert done.aside is not None
    assert texts(done.aside) == {"Przed.", "Po."}
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600
    assert sound(database.path) == 1
    assert [row.verb for row in rows(Database(f"sqlite:///{database.path}"), EventRow)][-1] == "restored a backup"
    assert sound(copy) == 1  # the copy itself is untouched


def test_a_link_leads_to_the_restored_database_on_the_same_disk(database: Database, tmp_path: Path) -> None:
    remembered(database, profile(database), post("Przed.", when=NOW))
    copy = backed_up(database, tmp_path / "copies")
    database.close()
    assert database.path is not None
    link = tmp_path / "etc" / "desk.db"
    link.parent.mkdir()
    link.symlink_to(database.path)

    done = restoring.restore_sqlite(link, copy, by=MAREK, machine=clock.machine_now(), now=NOW)

    assert link.is_symlink() and list(link.parent.iterdir()) == [link]
    assert done.aside is not None and done.aside.parent == database.path.parent
    assert (sound(link), sound(done.aside)) == (1, 1)
    assert [row.verb for row in rows(Database(f"sqlite:///{database.path}"), EventRow)][-1] == "restored a backup"


def owner(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid


@only_root
def test_what_root_restores_belongs_to_whom_the_database_did(database: Database, tmp_path: Path) -> None:
    profile(database)
    copy = backed_up(database, tmp_path / "copies")
    database.close()
    assert database.path is not None
    os.chown(database.path, *DESK)

    done = restore(database, copy)

    assert owner(database.path) == DESK
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600
    assert done.aside is not None
    assert owner(done.aside) == DESK


@only_root
def test_what_root_restores_on_a_new_machine_belongs_to_whom_the_folder_does(
    database: Database, tmp_path: Path
) -> None:
    profile(database)
    copy = backed_up(database, tmp_path / "copies")
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, *DESK)
    place = home / "var" / "desk" / "dyzur.db"
    machine = clock.machine_now()

    restoring.restore_sqlite(place, copy, by=MAREK, machine=machine, now=NOW)

    assert {owner(path) for path in (place, place.parent, place.parent.parent)} == {DESK}


def test_it_waits_for_the_daemon_to_stop(database: Database, tmp_path: Path) -> None:
    profile(database)
    copy = backed_up(database, tmp_path / "copies")
    with database.write() as session:
        name, now = f"somewhere:{os.getpid()}", clock.machine_now()
        control.beat(session, name=name, parts="poll", started_at=now, at=now, model=None)

    with pytest.raises(Conflict, match=r"a daemon works on this database.*Stop it first"):
        restore(database, copy)

    assert list(tmp_path.glob("*before-restore*")) == []
    assert list(tmp_path.glob(".*.part*")) == []


def test_a_daemon_that_was_killed_on_this_machine_holds_nobody_up(database: Database, tmp_path: Path) -> None:
    import socket

    profile(database)
    copy = backed_up(database, tmp_path / "copies")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with database.write() as session:
        now = clock.machine_now()
        name = f"{socket.gethostname()}:{dead.pid}"
        control.beat(session, name=name, parts="poll", started_at=now, at=now, model=None)
    database.close()

    assert restore(database, copy).aside is not None


def test_an_older_copy_is_brought_up_to_date(database: Database, tmp_path: Path) -> None:
    from tests.reliability.old_schema import made_by

    copy = made_by("0003", tmp_path / "old.db")
    database.close()

    done = restore(database, copy)

    assert done.upgraded_from == "0003"
    assert database.path is not None
    again = Database(f"sqlite:///{database.path}")
    assert schema.status(again).up_to_date
    assert schema.differences(again) == []
    again.close()


def test_a_copy_of_a_newer_program_is_refused(database: Database, tmp_path: Path) -> None:
    shop = profile(database)
    remembered(database, shop, post("Przed.", when=NOW))
    copy = backed_up(database, tmp_path / "copies")
    connection = sqlite3.connect(copy)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    database.close()

    with pytest.raises(StoreError, match=r"newer program \(schema 9999\)"):
        restore(database, copy)

    assert database.path is not None
    assert texts(database.path) == {"Przed."}
    assert list(tmp_path.glob(".*.part*")) == []


@pytest.mark.parametrize(
    "harm", ["cut", "flipped", "no database", "another program's", "missing", "the database itself"]
)
def test_what_is_no_sound_copy_is_refused_and_changes_nothing(database: Database, tmp_path: Path, harm: str) -> None:
    shop = profile(database)
    remembered(database, shop, *(post("x" * 500, when=NOW, native_id=f"n{number}") for number in range(300)))
    copy = backed_up(database, tmp_path / "copies")
    content = copy.read_bytes()
    assert database.path is not None
    if harm == "cut":
        copy.write_bytes(content[: len(content) // 2])
    elif harm == "flipped":
        copy.write_bytes(content[:20_000] + b"\x5a" * 40_000 + content[60_000:])
    elif harm == "no database":
        copy.write_bytes(b"this is no database" * 1000)
    elif harm == "another program's":
        copy.unlink()
        connection = sqlite3.connect(copy)
        connection.execute("CREATE TABLE something (id INTEGER)")
        connection.commit()
        connection.close()
    elif harm == "missing":
        copy.unlink()
    else:
        copy = database.path
    database.close()

    with pytest.raises((StoreError, NotFound, Conflict)) as told:
        restore(database, copy)

    assert told.value.next_step
    assert sound(database.path) == 300
    assert list(tmp_path.glob("*before-restore*")) == []
    assert list(tmp_path.glob(".*.part*")) == []


def test_a_damaged_database_is_replaced_once_somebody_says_so(database: Database, tmp_path: Path) -> None:
    shop = profile(database)
    remembered(database, shop, post("Przed.", when=NOW))
    copy = backed_up(database, tmp_path / "copies")
    database.close()
    assert database.path is not None
    database.path.write_bytes(b"this is no database at all" * 500)
    database.path.with_name(database.path.name + "-wal").write_bytes(b"a log of something else" * 100)

    with pytest.raises(StoreError, match=r"cannot be asked.*--yes"):
        restore(database, copy)
    done = restore(database, copy, even_if_unread=True)

    assert done.unread
    assert done.aside is not None
    assert done.aside.read_bytes().startswith(b"this is no database at all")
    assert texts(database.path) == {"Przed."}


def test_who_was_forgotten_since_the_copy_stays_forgotten(database: Database, tmp_path: Path) -> None:
    shop = profile(database)
    remembered(database, shop, post("Słowa Anny.", when=NOW), post("Słowa Piotra.", when=NOW, by=PIOTR))
    copy = backed_up(database, tmp_path / "copies")
    with database.write() as session:
        known = erasure.find(session, "fake", ANNA.native_id)
        erasure.forget(session, known, by=MAREK, reason="asked", now=NOW)
    database.close()

    done = restore(database, copy)

    assert done.forgotten == 1
    assert database.path is not None
    assert texts(database.path) == {"", "Słowa Piotra."}
    assert "Słowa Anny".encode() not in database.path.read_bytes()
    again = Database(f"sqlite:///{database.path}")
    remembered_again = post("Znowu Anna.", when=NOW + timedelta(hours=1))
    with again.write() as session:
        assert posts.remember(session, shop, [remembered_again], now=NOW).left_out == 1
        assert not session.execute(select(AuthorRow).where(c(AuthorRow).native_id == ANNA.native_id)).first()
    again.close()


KASIA = Author(native_id="77", handle="kowalska_77", display_name="Kasia Kowalska")
SAYS_SO_TOO = post("@kowalska_77 u mnie też nie ma.", when=NOW, by=PIOTR, native_id="piotr-1")


def forgotten_as_the_command_does(database: Database) -> None:
    with database.write() as session:
        kasia = find(session, "fake", KASIA.native_id)
        forget(session, kasia, by=MAREK, reason="asked", now=NOW)
    mentions.scrub(database, mentions.Names.of(kasia))


def check_that_kasia_is_nowhere(restored: Database, shop: Profile) -> None:
    """Neither in what others had written, nor in what they write from now on; and her old name still leads to her."""
    again = post("@Kowalska_77 ma rację.", when=NOW + timedelta(hours=1), by=PIOTR, native_id="piotr-2")
    with restored.write() as session:
        known = set(session.execute(select(c(PostRow).text)).scalars())
        assert known == {"", "[…] u mnie też nie ma."}
        posts.remember(session, shop, [SAYS_SO_TOO, again], now=NOW + timedelta(hours=2))
    assert {row.text for row in rows(restored, PostRow)} == known | {"[…] ma rację."}
    assert {row.revision_number for row in rows(restored, PostRow)} == {1}  # nothing looks edited
    with restored.write() as session:
        assert find(session, "fake", "@kowalska_77").erased
        erasure.allow(session, "fake", "@kowalska_77", by=MAREK, now=NOW)
        assert forgotten(session) == []


def test_others_name_nobody_who_was_forgotten_since_the_copy(database: Database, tmp_path: Path) -> None:
    shop = profile(database)
    remembered(database, shop, post("Gdzie paczka?", when=NOW, by=KASIA), SAYS_SO_TOO)
    copy = backed_up(database, tmp_path / "copies")
    forgotten_as_the_command_does(database)
    database.close()

    assert restore(database, copy).forgotten == 1

    assert database.path is not None
    assert b"kowalska_77" not in database.path.read_bytes()
    again = Database(f"sqlite:///{database.path}")
    check_that_kasia_is_nowhere(again, shop)
    again.close()


@pytest.mark.parametrize("earlier", [None, "panna_77"])
def test_a_handle_that_the_copy_does_not_know_is_still_recognised(
    database: Database, tmp_path: Path, earlier: str | None
) -> None:
    """She took her handle after the copy was made."""
    shop = profile(database)
    remembered(database, shop, post("Gdzie?", when=NOW, by=replace(KASIA, handle=earlier), native_id="kasia-1"))
    copy = backed_up(database, tmp_path / "copies")
    remembered(database, shop, post("Halo?", when=NOW, by=KASIA, native_id="kasia-2"))
    forgotten_as_the_command_does(database)
    before = [row.handle_digest for row in rows(database, ForgottenRow)]
    database.close()

    restore(database, copy)

    again = Database(f"sqlite:///{database.path}")
    assert [row.handle_digest for row in rows(again, ForgottenRow)] == before
    remembered(again, shop, SAYS_SO_TOO)
    assert {row.text for row in rows(again, PostRow)} == {"", "[…] u mnie też nie ma."}
    again.close()


def test_renewed_keys_are_taken_along(database: Database, tmp_path: Path) -> None:
    StoredCredentials(database, lambda: NOW).change("x", lambda _: b"old")
    copy = backed_up(database, tmp_path / "copies")
    StoredCredentials(database, lambda: NOW + timedelta(hours=1)).change("x", lambda _: b"renewed")
    database.close()

    restore(database, copy)

    again = Database(f"sqlite:///{database.path}")
    assert StoredCredentials(again, lambda: NOW).load("x") == b"renewed"
    again.close()


def test_a_kill_during_a_restore_leaves_a_whole_database(database: Database, tmp_path: Path) -> None:
    shop = profile(database)
    page = [post("x" * 1000, when=NOW, native_id=f"n{number}") for number in range(2000)]
    remembered(database, shop, *page)
    copy = backed_up(database, tmp_path / "copies")
    remembered(database, shop, post("Po.", when=NOW))
    database.close()
    assert database.path is not None
    program = (
        "import sys; from pathlib import Path; from social import clock; from social.store import restoring\n"
        "print('ready', flush=True); now = clock.machine_now()\n"
        f"restoring.restore_sqlite(Path({str(database.path)!r}), Path({str(copy)!r}), by='x', machine=now, now=now)\n"
    )
    seen = set()
    for number in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", program], env=environment(), cwd=TREE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        threading.Event().wait(0.1 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        seen.add(sound(database.path))
    assert seen <= {2000, 2001}


# --- PostgreSQL ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def postgres(_postgres_template: Callable[[], str]) -> Database:
    return Database(_postgres_template())


def empty_beside(database: Database) -> Database:
    name = f"{database.url.database}_empty"
    administration = create_engine(make_url(database.url), isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    administration.dispose()
    return Database(database.url.set(database=name).render_as_string(hide_password=False))


@pytest.mark.postgres
def test_postgresql_is_copied_by_its_own_tool_and_restored_into_an_empty_database(
    postgres: Database, tmp_path: Path
) -> None:
    shop = profile(postgres)
    remembered(postgres, shop, post("Zażółć.", when=NOW))
    folder = tmp_path / "copies"
    folder.mkdir()
    left, theirs = (folder / f".{name}-backup-1.dump.0123456789ab.part" for name in (postgres.url.database, "other"))
    for half in (left, theirs):  # half done by killed processes long ago
        half.touch()
        os.utime(half, (0, 0))

    made = postgres_tools.backup(postgres, folder, label="backup", now=NOW)

    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert set(folder.iterdir()) == {made, theirs}
    with pytest.raises(StoreError, match="already a backup"):
        postgres_tools.backup(postgres, tmp_path / "copies", label="backup", now=NOW)
    with pytest.raises(Conflict, match=r"tables already, and nothing is written over.*createdb"):
        postgres_tools.restore(postgres, made)
    target = empty_beside(postgres)
    postgres_tools.restore(target, made)
    with target.write() as session:
        schema.finished(session)  # what the whole restore says at its end
    with target.read() as session:
        assert list(session.execute(select(c(PostRow).text)).scalars()) == ["Zażółć."]
    assert schema.differences(target) == []
    target.close()
    postgres.close()


@pytest.mark.postgres
def test_who_was_forgotten_since_stays_forgotten_on_postgresql_too(postgres: Database, tmp_path: Path) -> None:
    shop = profile(postgres)
    remembered(postgres, shop, post("Anna pyta.", when=NOW))
    remembered(postgres, shop, post("Piotr pyta.", by=PIOTR, when=NOW))
    made = postgres_tools.backup(postgres, tmp_path, label="backup", now=NOW)
    with postgres.write() as session:
        forget(session, find(session, shop.network, ANNA.native_id), by="anna", reason="letter", now=NOW)
        session.execute(insert(t(CredentialRow)).values(name="own", sealed=b"new", saved_at=NOW))
    target = empty_beside(postgres)

    again = restoring.restore_postgresql(target, made, previous=postgres, by="anna", machine=NOW, now=NOW)

    assert again == 1
    with target.read() as session:
        texts = set(session.execute(select(c(PostRow).text)).scalars())
        assert "Piotr pyta." in texts and "Anna pyta." not in texts
        assert [(row.network, row.reason) for row in forgotten(session)] == [(shop.network, "letter")]
        assert list(session.execute(select(c(CredentialRow).sealed)).scalars()) == [b"new"]
        assert "restored a backup" in list(session.execute(select(c(EventRow).verb)).scalars())
    target.close()
    postgres.close()


@pytest.mark.postgres
def test_others_name_nobody_who_was_forgotten_since_on_postgresql_too(postgres: Database, tmp_path: Path) -> None:
    shop = profile(postgres)
    remembered(postgres, shop, post("Gdzie paczka?", when=NOW, by=KASIA), SAYS_SO_TOO)
    made = postgres_tools.backup(postgres, tmp_path, label="backup", now=NOW)
    forgotten_as_the_command_does(postgres)
    target = empty_beside(postgres)

    assert restoring.restore_postgresql(target, made, previous=postgres, by="anna", machine=NOW, now=NOW) == 1

    check_that_kasia_is_nowhere(target, shop)
    target.close()
    postgres.close()


@pytest.mark.postgres
def test_a_copy_goes_beside_no_living_daemon_of_postgresql(postgres: Database, tmp_path: Path) -> None:
    made = postgres_tools.backup(postgres, tmp_path, label="backup", now=NOW)
    with postgres.write() as session:
        control.beat(session, name="elsewhere:1", parts="poll", started_at=NOW, at=NOW, model=None)
    target = empty_beside(postgres)

    with pytest.raises(Conflict, match="a daemon works on this database"):
        restoring.restore_postgresql(target, made, previous=postgres, by="anna", machine=NOW, now=NOW)

    with target.read() as session:
        assert inspect(session.connection()).get_table_names() == []
    target.close()
    postgres.close()


@pytest.mark.postgres
def test_a_newer_copy_of_postgresql_is_refused_before_anything_is_written(postgres: Database, tmp_path: Path) -> None:
    with postgres.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    made = postgres_tools.backup(postgres, tmp_path, label="backup", now=NOW)
    target = empty_beside(postgres)

    with pytest.raises(StoreError, match=r"newer program \(schema 9999\)"):
        postgres_tools.restore(target, made)

    with target.read() as session:
        assert session.execute(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).scalar() == 0
    target.close()
    postgres.close()


@pytest.mark.postgres
def test_the_password_stands_in_no_command_and_no_complaint(
    postgres: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tool is another one here, which writes down how it was called."""
    password = str(postgres.url.password)
    spy = tmp_path / "bin" / "pg_dump"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\ncat /proc/$$/cmdline > "{tmp_path}/called"\necho "no: $PGPASSWORD" >&2\nexit 1\n')
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{spy.parent}{os.pathsep}{os.environ['PATH']}")

    with pytest.raises(StoreError, match="the backup failed") as told:
        postgres_tools.backup(postgres, tmp_path / "copies", label="backup", now=NOW)

    assert password not in str(told.value)
    assert "no: ***" in str(told.value)
    called = (tmp_path / "called").read_bytes()
    assert b"--format=custom" in called
    assert password.encode() not in called
    assert list((tmp_path / "copies").iterdir()) == []
    postgres.close()


def test_a_missing_tool_is_told_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    database = Database("postgresql+psycopg://desk:open-sesame@127.0.0.1:9/desk")

    with pytest.raises(NotFound, match=r"pg_dump is not on this machine.*Install.*pg_dump --format=custom") as told:
        postgres_tools.backup(database, tmp_path, label="backup", now=NOW)

    assert "open-sesame" not in str(told.value)


def test_two_copies_of_one_second_are_two_copies(database: Database, tmp_path: Path) -> None:
    made = [copies.backup_sqlite(database, label="before", now=NOW, folder=tmp_path) for _ in range(3)]

    assert len({path for path in made if path is not None and path.exists()}) == 3
