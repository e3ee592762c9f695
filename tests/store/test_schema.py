"""The database's form and its failures: nothing is lost, and every message says what to do next."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event, text

from social.domain.errors import ConfigurationError, StoreError
from social.redaction import redact
from social.store import posts, schema
from social.store.session import Database
from social.store.tables import PostRow, Table
from tests.cast import at
from tests.factories import post, profile, remembered, row_of

NOW = at("2026-11-20 10:00")


def pragma(database: Database, statement: str) -> None:
    """From now on every new connection of ``database`` lives with this."""
    event.listen(database.engine, "connect", lambda connection, record: connection.execute(f"PRAGMA {statement}"))


def test_it_migrates_to_exactly_what_the_tables_say(store_database: Database) -> None:
    assert schema.differences(store_database) == []
    assert schema.status(store_database).up_to_date


def test_its_indexes_are_those_of_the_tables_their_conditions_included(store_database: Database) -> None:
    """What the comparison above does not look at, and what a table that is made anew on the way could lose."""

    def told(database: Database) -> dict[str, str]:
        with database.read() as session:
            if database.dialect == "postgresql":
                found = session.execute(text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"))
            else:
                found = session.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql > ''"))
            return {
                name: " ".join(sql.replace('"', "").split()) for name, sql in found if name != "alembic_version_pkc"
            }

    migrated = told(store_database)
    with store_database.write() as session:
        connection = session.connection()
        connection.execute(text("DROP TABLE alembic_version"))
        Table.metadata.drop_all(connection)
        Table.metadata.create_all(connection)
    assert migrated == told(store_database)
    assert "'told'" in migrated["ix_alert_active"]


def test_it_migrates_an_empty_database_without_a_backup(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new/dyzur.db")
    assert schema.upgrade(database, now=NOW) is None
    assert schema.upgrade(database, now=NOW) is None
    schema.require_current(database)
    assert [file.name for file in (tmp_path / "new").glob("*.db")] == ["dyzur.db"]
    database.close()


def test_it_copies_a_database_that_is_in_use(database: Database, tmp_path: Path) -> None:
    with database.write() as session:
        session.execute(text("INSERT INTO brand (name) VALUES ('Fikcja')"))
    with database.read() as session:
        session.execute(text("SELECT 1"))
        made = schema.backup_sqlite(database, label="before-0002", now=NOW, folder=tmp_path)
    assert made is not None
    assert made.name == "dyzur-before-0002-20261120T100000.db"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    copy = Database(f"sqlite:///{made}")
    schema.require_current(copy)
    with copy.read() as session:
        assert session.execute(text("SELECT name FROM brand")).scalars().all() == ["Fikcja"]
    copy.close()


def test_it_does_not_write_over_an_older_backup(database: Database, tmp_path: Path) -> None:
    made = [schema.backup_sqlite(database, label="x", now=NOW, folder=tmp_path) for _ in range(3)]
    names = ["dyzur-x-20261120T100000.db", "dyzur-x-20261120T100000~2.db", "dyzur-x-20261120T100000~3.db"]
    assert [file.name for file in made if file is not None] == names
    assert sorted(file.name for file in tmp_path.glob("dyzur-x-*")) == sorted(names)


def test_it_refuses_a_database_of_a_newer_program(store_database: Database) -> None:
    with store_database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999_from_the_future'"))
    for look in (schema.require_current, lambda database: schema.upgrade(database, now=NOW)):
        with pytest.raises(StoreError, match=r"newer program \(schema 9999_from_the_future\).*Install that version"):
            look(store_database)


def test_it_names_the_command_for_an_empty_database(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/dyzur.db")
    with pytest.raises(StoreError, match=r"empty.*social db upgrade"):
        schema.require_current(database)
    with pytest.raises(StoreError, match="social db upgrade"), database.read() as session:
        session.execute(text("SELECT * FROM post"))
    database.close()


def test_it_says_that_a_database_is_read_only(new_database: Callable[[], Database]) -> None:
    database = new_database()
    pragma(database, "query_only=ON")
    with (
        pytest.raises(StoreError, match=r"dyzur\.db: the database is read-only.*writable"),
        database.write() as session,
    ):
        session.execute(text("INSERT INTO brand (name) VALUES ('x')"))


def test_it_says_that_the_disk_is_full_and_goes_on_once_there_is_room(new_database: Callable[[], Database]) -> None:
    roomy = new_database()
    shop = profile(roomy)
    full = new_database()
    pragma(full, "max_page_count=1")  # never below the present size: no page more
    with pytest.raises(StoreError, match=r"disk is full.*nothing was sent or lost"):
        remembered(full, shop, post("x" * 100_000, when=NOW))
    row_id = remembered(roomy, shop, post("x" * 100_000, when=NOW))
    assert len(row_of(roomy, PostRow, row_id)["text"]) == 100_000


def test_it_says_where_no_folder_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file.*cannot be made.*\[database\] url"):
        Database(f"sqlite:///{tmp_path}/file/dyzur.db")


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "sqlite://", "sqlite:///:memory:"])
def test_it_refuses_a_database_that_it_cannot_use(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\[database\] url"):
        Database(url)


def test_it_never_tells_a_databases_password() -> None:
    database = Database("postgresql+psycopg://desk:open-sesame@127.0.0.1:9/none?connect_timeout=1")
    with pytest.raises(StoreError, match="cannot be reached") as caught, database.read() as session:
        session.execute(text("SELECT 1"))
    assert "open-sesame" not in str(caught.value)


@pytest.mark.parametrize("name", ["password", "PASSWORD", "pass%77ord", "passwd", "sslpassword"])
def test_it_refuses_a_password_where_nothing_hides_it_and_does_not_repeat_it(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\[database\] url: .*PGPASSWORD") as caught:
        Database(f"postgresql+psycopg://desk@127.0.0.1:9/none?connect_timeout=1&{name}=open-sesame")
    assert "open-sesame" not in str(caught.value)
    assert redact("it was open-sesame") == "it was ***"


def test_an_address_may_name_a_file_that_holds_the_password() -> None:
    Database("postgresql+psycopg://desk@127.0.0.1:9/none?passfile=/etc/dyzur/pgpass&sslkey=/etc/dyzur/key").close()


def test_a_new_database_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        database = Database(f"sqlite:///{tmp_path}/var/dyzur.db")
        assert not (tmp_path / "var" / "dyzur.db").exists()  # only looked at so far
        schema.upgrade(database, now=NOW)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "var").iterdir()}
    finally:
        os.umask(before)
    assert modes == {"dyzur.db": 0o600, "dyzur.db-wal": 0o600, "dyzur.db-shm": 0o600}
    database.close()


def test_a_link_leads_to_a_new_database_that_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link, file = tmp_path / "dyzur.db", tmp_path / "disk" / "real.db"
    link.symlink_to(file)
    database = Database(f"sqlite:///{link}")
    schema.upgrade(database, now=NOW)
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    database.close()


def test_a_database_that_is_there_keeps_its_mode(new_database: Callable[[], Database]) -> None:
    database = new_database()
    assert database.path is not None
    database.path.chmod(0o640)
    schema.check_integrity(database)
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_belongs_to_whom_the_folder_does(tmp_path: Path) -> None:
    os.chown(tmp_path, 4711, 4712)
    database = Database(f"sqlite:///{tmp_path}/var/dyzur.db")
    schema.upgrade(database, now=NOW)
    made = [tmp_path / "var", *(tmp_path / "var").iterdir()]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(4711, 4712)}
    assert len(made) == 4
    database.close()


def test_it_describes_a_damaged_file(new_database: Callable[[], Database], tmp_path: Path) -> None:
    assert schema.check_integrity(new_database()) is None
    rubbish = tmp_path / "rubbish.db"
    rubbish.write_bytes(b"this is no database at all" * 500)
    database = Database(f"sqlite:///{rubbish}")
    with pytest.raises(StoreError, match=r"rubbish\.db: the database file is damaged.*newest backup"):
        schema.check_integrity(database)
    database.close()


def test_it_rolls_a_step_back_whole(store_database: Database) -> None:
    shop = profile(store_database)

    def step() -> None:
        with store_database.write() as session:
            posts.remember(session, shop, [post(when=NOW)], now=NOW)
            session.execute(text("SELECT * FROM a_table_of_the_next_version"))

    with pytest.raises(StoreError, match="social db upgrade"):
        step()
    with store_database.read() as session:
        assert session.execute(text("SELECT count(*) FROM post")).scalar() == 0


def test_it_lets_readers_read_while_somebody_writes(new_store_database: Callable[[], Database]) -> None:
    writer, reader = new_store_database(), new_store_database()
    with writer.write() as session:
        session.execute(text("INSERT INTO brand (name) VALUES ('Fikcja')"))
        with reader.read() as other:
            assert other.execute(text("SELECT count(*) FROM brand")).scalar() == 0
    with reader.read() as other:
        assert other.execute(text("SELECT count(*) FROM brand")).scalar() == 1


def test_it_says_why_a_backup_failed_where_the_database_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "dyzur.db").write_bytes(b"this is no database" * 300)
    damaged = Database(f"sqlite:///{tmp_path}/dyzur.db")
    with pytest.raises(StoreError, match="the backup failed") as failed:
        schema.backup_sqlite(damaged, label="x", now=NOW)
    assert "social doctor" in str(failed.value)
    assert not list(tmp_path.glob("dyzur-x-*"))
    damaged.close()
