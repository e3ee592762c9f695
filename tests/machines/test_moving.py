"""From the SQLite file to PostgreSQL: everything or nothing, and what comes out is what was there."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, inspect, select, text
from sqlmodel import Session

from connectors.simulated.world import World, WorldOptions
from social.clock import machine_now
from social.domain.errors import Conflict, ServerAway, StoreError
from social.domain.post import Quarantined
from social.engine import build
from social.engine.schedule import run_stepped
from social.settings import TriageBackend, load_settings
from social.store import control, moving, posts, profiles, schema
from social.store.rows import upsert
from social.store.session import Database
from social.store.tables import AuthorRow, ConversationRow, PostRow, ReplyRow
from tests.cast import MAREK, at
from tests.cli.conftest import SHOP, Social
from tests.engine.looking import eventually, rows
from tests.factories import case, planned, post, profile, remembered
from tests.machines.conftest import Start

pytestmark = pytest.mark.postgres

NOW = at("2026-12-01 09:00")

#: What PostgreSQL cannot hold as it is, and what a careless escape would confuse with that.
STRANGE = [
    "NUL \x00 inside",
    "half a pair \ud83d",
    "\ufdd0 begins with the mark",
    "żółć 🙂 \u202e",
    "\\N",
    "tab\tand\nline",
    "",
]


@pytest.fixture
def empty(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A PostgreSQL database without a table."""
    url: str = request.getfixturevalue("_postgres_template")()
    database = Database(url)
    with database.write() as session:
        session.execute(text("DROP SCHEMA public CASCADE"))
        session.execute(text("CREATE SCHEMA public"))
    yield database
    database.close()


@pytest.fixture(scope="module")
def a_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of the simulated shop, as the real desk leaves it, with strange texts added."""
    from social.cli.selftest import People
    from social.cli.stepped_desk import stepped_desk

    settings = load_settings(None)
    settings = settings.model_copy(
        update={
            "triage": settings.triage.model_copy(update={"backend": TriageBackend.RULES}),
            "profiles": tuple(
                item.model_copy(update={"poll_every": timedelta(minutes=30)}) for item in settings.profiles
            ),
        }
    )
    assert settings.clock.start is not None
    world = World(start=settings.clock.start, options=WorldOptions(seed=7, posts_per_day=150.0))
    kept = tmp_path_factory.mktemp("day") / "day.db"
    with stepped_desk(settings, world) as stage:
        people = People(stage.database, stage.settings)
        for hour in range(24):
            run_stepped(stage.desk, stage.clock, until=world.start + timedelta(hours=hour + 1))
            people.work(stage.clock.now())
        with stage.database.write() as session:
            shop = profiles.by_ids(session, list(stage.desk.profiles))[0]
            now = stage.clock.now()
            strange = [post(words, when=now, native_id=f"strange-{n}") for n, words in enumerate(STRANGE)]
            posts.remember(session, shop, strange, now=now)
            posts.quarantine(session, shop.id, [Quarantined(native_id=None, reason="?", raw="\x00\ud800")], now=now)
        raw = sqlite3.connect(str(stage.database.path))
        raw.execute("VACUUM INTO ?", (str(kept),))
        raw.close()
    return kept


@pytest.fixture
def day(a_day: Path, tmp_path: Path) -> Iterator[Database]:
    file = tmp_path / "day.db"
    shutil.copyfile(a_day, file)
    database = Database(f"sqlite:///{file}")
    yield database
    database.close()


def everything(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables as the program reads them."""
    found = {}
    with database.read() as session:
        for table in moving.tables():
            lines = [tuple(row) for row in session.execute(select(table))]
            found[table.name] = sorted(lines, key=repr)
    return found


def tables_of(database: Database) -> list[str]:
    with database.engine.connect() as connection:
        return inspect(connection).get_table_names()


def test_a_day_of_the_desk_reads_the_same_on_both_sides(day: Database, empty: Database) -> None:
    moved = moving.move(day, empty, now=NOW)

    before, after = everything(day), everything(empty)
    assert before.keys() == after.keys() == {table.name for table in moving.tables()}
    assert len(before["post"]) > 100
    filled = {name for name, lines in before.items() if lines}
    assert {"author", "assessment", "decision", "reply", "escalation", "alert", "event", "quarantine", "user"} <= filled
    for name, lines in before.items():
        assert after[name] == lines, name
    assert {item.table: item.rows for item in moved} == {name: len(lines) for name, lines in before.items()}
    assert set(STRANGE) <= {row.text for row in rows(empty, PostRow)}
    with day.read() as here, empty.read() as there:
        for table in moving.tables():
            assert moving.digest_of(table, here) == moving.digest_of(table, there)


def test_the_desk_goes_on_where_it_stopped(day: Database, empty: Database) -> None:
    moving.move(day, empty, now=NOW)
    highest = max(row.id for row in rows(empty, PostRow))
    shop = profile(empty, "new-shop")
    new = remembered(empty, shop, post(when=at("2026-12-01 10:00"), native_id="first-there"))
    assert new > highest
    case(empty, new)
    assert planned(empty, new) > max(row.id for row in rows(day, ReplyRow))


def test_a_digest_sees_one_changed_letter_and_one_moved_row(day: Database, empty: Database) -> None:
    moving.move(day, empty, now=NOW)
    table = next(table for table in moving.tables() if table.name == "post")
    with empty.write() as session:
        before = moving.digest_of(table, session)
        session.execute(text("UPDATE post SET text = text || '.' WHERE id = (SELECT min(id) FROM post)"))
        assert moving.digest_of(table, session) != before
        session.rollback()
    with empty.read() as session:
        assert moving.digest_of(table, session) == before


@pytest.mark.parametrize("what", ["a row of ours", "a table of somebody else's"])
def test_it_touches_no_database_that_holds_anything(day: Database, empty: Database, server: str, what: str) -> None:
    target = Database(server)
    with target.write() as session:
        if what == "a row of ours":
            upsert(
                session, AuthorRow, [{"network": "n", "native_id": "1", "is_bot": False, "deleted": False}], key=("id",)
            )
        else:
            session.execute(text("CREATE TABLE recipes (id int)"))
    before = tables_of(target)
    with pytest.raises(Conflict, match=r"not empty \(it has (author|recipes)\)"):
        moving.move(day, target, now=NOW)
    assert tables_of(target) == before
    assert rows(target, PostRow) == []
    target.close()


def test_what_cannot_be_taken_leaves_nothing_behind(day: Database, empty: Database) -> None:
    with day.write() as session:  # a thread that no network names so, in a column for plain words
        session.execute(text("UPDATE conversation SET silence_reason = 'a' || char(0) || 'b' WHERE id = 1"))
    with pytest.raises(StoreError, match="conversation cannot be copied"):
        moving.move(day, empty, now=NOW)
    assert tables_of(empty) == []


def test_a_move_that_is_killed_in_the_middle_leaves_an_empty_target(
    day: Database, empty: Database, tmp_path: Path, start: Start
) -> None:
    template = rows(day, PostRow)[0].model_dump()
    many = [{**template, "id": 100_000 + n, "native_id": f"many-{n}"} for n in range(25_000)]
    with day.write() as session:
        upsert(session, PostRow, many, key=("id",))
    (tmp_path / "config.toml").write_text(SHOP.replace("sqlite:///var/shop.db", f"sqlite:///{day.path}"))
    url = empty.url.render_as_string(hide_password=False)
    moving_away = start("social.cli", "--config", str(tmp_path / "config.toml"), "db", "migrate-to", url)
    copying = text(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY post %' AND datname = current_database()"
    )

    def in_the_middle() -> bool:
        assert moving_away.poll() is None, (tmp_path / "log").read_text()
        with empty.read() as session:
            return bool(session.execute(copying).scalar())

    eventually(in_the_middle, what="the middle of the move")
    moving_away.kill()
    moving_away.wait()
    eventually(lambda: not in_the_air(empty), what="the end of its connection")
    assert tables_of(empty) == []
    moving.move(day, empty, now=NOW)  # and the next one goes through
    assert len(rows(empty, ConversationRow)) == len(rows(day, ConversationRow))


# --- the old file afterwards ---------------------------------------------------------------------------------------------


def test_nothing_in_the_old_file_can_be_changed_any_more_also_by_who_had_it_open(
    day: Database, empty: Database
) -> None:
    """A daemon that started while the move looked for daemons, and has not said so yet."""
    just_started = Database(f"sqlite:///{day.path}")
    assert rows(just_started, PostRow)

    moving.move(day, empty, now=NOW)

    before = everything(just_started)
    with pytest.raises(StoreError, match="moved"), just_started.write() as session:
        session.execute(text("UPDATE post SET state = 'judged' WHERE id = (SELECT min(id) FROM post)"))
    with pytest.raises(StoreError, match="moved"), just_started.write() as session:
        session.execute(text("DELETE FROM conversation"))
    with pytest.raises(StoreError, match="moved"):
        profile(just_started, "new-shop")
    with pytest.raises(Conflict, match="moved to postgresql"), just_started.write() as session:
        control.beat(session, name="here:1", parts="poll", started_at=NOW, at=NOW, model=None)
    assert everything(just_started) == before == everything(empty)
    just_started.close()
    for opens in (schema.require_current, build.prepare_database):
        with pytest.raises(Conflict, match=r"moved to postgresql\+psycopg://postgres@.*\[database\] url") as told:
            opens(day)
        assert str(empty.url.password) not in str(told.value)


def test_it_looks_for_daemons_when_nobody_else_can_write_any_more(day: Database, empty: Database) -> None:

    def somebody_lives() -> None:
        late = sqlite3.connect(str(day.path), timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            late.execute("UPDATE daemon SET parts = 'poll'")
        late.close()
        raise Conflict("a daemon works on this database.")

    with pytest.raises(Conflict, match="a daemon works"):
        moving.move(day, empty, now=NOW, still_idle=somebody_lives)

    assert tables_of(empty) == []
    schema.require_current(day)
    profile(day, "new-shop")


class BreaksOff(Database):
    """Its server is lost around the commit, ``late``: just after it."""

    def __init__(self, database: Database, *, late: bool) -> None:
        super().__init__(database.url.render_as_string(hide_password=False))
        self.late = late

    @contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
            if not self.late:
                raise ServerAway("the database server cannot be reached.")
        raise ServerAway("the database server cannot be reached.")


@pytest.mark.parametrize("late", [False, True])
def test_a_move_that_breaks_off_at_its_last_step_is_repeated(day: Database, empty: Database, late: bool) -> None:
    """Nobody knows then which side has it, so nobody may go on with the old one."""
    target = BreaksOff(empty, late=late)

    with pytest.raises(StoreError, match=r"at its last step.*Repeat it"):
        moving.move(day, target, now=NOW)

    target.close()
    with pytest.raises(Conflict, match="moved to"):
        schema.require_current(day)
    assert bool(tables_of(empty)) == late
    moved = moving.move(day, empty, now=NOW)
    assert everything(day) == everything(empty)
    assert {item.table: item.rows for item in moved} == {name: len(lines) for name, lines in everything(day).items()}


def test_what_was_changed_there_since_is_not_taken_for_the_same(day: Database, empty: Database) -> None:
    moving.move(day, empty, now=NOW)
    profile(empty, "new-shop")

    with pytest.raises(Conflict, match="not empty"):
        moving.move(day, empty, now=NOW)


def test_an_old_file_without_room_for_the_mark_keeps_the_desk(day: Database, empty: Database) -> None:
    """Nothing is there then, and the desk goes on here."""
    with day.engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    event.listen(day.engine, "connect", lambda raw, record: raw.execute(f"PRAGMA max_page_count={pages}"))
    day.engine.dispose()

    with pytest.raises(StoreError, match=r"day\.db: .*cannot be marked as moved"):
        moving.move(day, empty, now=NOW)

    assert tables_of(empty) == []
    schema.require_current(day)


def in_the_air(database: Database) -> int:
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND state <> 'idle'"
    )
    with database.read() as session:
        return int(session.execute(query).scalar_one())


# --- the command ------------------------------------------------------------------------------------------------------


def sealed(folder: Path) -> tuple[str, str]:
    """A token that was refreshed at run time."""
    settings = load_settings(folder / "config.toml")
    database = build.open_database(settings)
    build.prepare_database(database)
    build.open_credentials(settings, database).save("shop-page", {"access_token": "refreshed-canary"})
    database.close()
    return "shop-page", "refreshed-canary"


def test_the_command_moves_everything_and_says_what_to_write_next(
    social: Social, shop: Path, empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, token = sealed(shop)
    url = empty.url.render_as_string(hide_password=False)

    done = social("db", "migrate-to", url.replace("+psycopg", ""))

    assert done.code == 0, done.err
    assert "both sides hold the same" in done.out
    written = empty.url.render_as_string(hide_password=False).replace(f":{empty.url.password}@", "@")
    assert f'    [database]\n    url = "{written}"\n' in done.out
    assert "PGPASSWORD" in done.out
    assert empty.url.password is not None
    assert empty.url.password not in done.out + done.err
    key = shop / "dyzur.key"
    assert str(key) in done.out
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    config = shop / "config.toml"
    config.write_text(config.read_text().replace("sqlite:///var/shop.db", written))
    monkeypatch.setenv("PGPASSWORD", empty.url.password)
    settings = load_settings(config)
    database = build.open_database(settings)
    build.prepare_database(database)
    assert build.open_credentials(settings, database).load(name)["access_token"] == token
    database.close()


def test_the_command_says_what_becomes_of_the_old_file(social: Social, shop: Path, empty: Database) -> None:
    social("db", "upgrade")
    done = social("db", "migrate-to", empty.url.render_as_string(hide_password=False))

    assert f"delete it, and its copies: {shop}/var/shop.db" in done.out
    refused = social("run")
    assert refused.code == 8
    assert "moved to postgresql+psycopg://postgres@" in refused.err
    assert str(empty.url.password) not in refused.err


def test_the_command_refuses_a_password_behind_the_question_mark(social: Social, shop: Path) -> None:
    social("db", "upgrade")
    for command in (["migrate-to"], ["restore", "copy.dump", "--yes", "--previous"]):
        done = social("db", *command, "postgresql://desk@127.0.0.1:9/desk?password=open-sesame")
        assert done.code == (3 if command == ["migrate-to"] else 2)
        assert "open-sesame" not in done.out + done.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_key_that_root_moves_belongs_to_whom_it_did(social: Social, shop: Path, empty: Database) -> None:
    sealed(shop)
    os.chown(shop / "var" / "shop.key", 4711, 4712)

    assert social("db", "migrate-to", empty.url.render_as_string(hide_password=False)).code == 0

    found = (shop / "dyzur.key").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (4711, 4712, 0o600)
    assert (shop / "dyzur.key").read_bytes() == (shop / "var" / "shop.key").read_bytes()
    assert [path.name for path in shop.glob(".*key*")] == []


def test_the_command_tells_scripts_what_it_moved(social: Social, shop: Path, empty: Database) -> None:
    social("db", "upgrade")
    told = social("db", "migrate-to", empty.url.render_as_string(hide_password=False), "--json").json
    assert {item["table"] for item in told["tables"]} == {table.name for table in moving.tables()}
    assert told["to"].startswith("postgresql+psycopg://postgres@")
    assert told["key_file"] is None


def test_the_command_refuses_while_a_daemon_lives_but_not_for_a_dead_one(
    social: Social, shop: Path, empty: Database
) -> None:
    import socket

    social("db", "upgrade")
    url = empty.url.render_as_string(hide_password=False)
    database = Database(f"sqlite:///{shop}/var/shop.db")

    def beats(pid: int) -> None:
        with database.write() as session:
            now = machine_now()
            name = f"{socket.gethostname()}:{pid}"
            control.beat(session, name=name, parts="poll", started_at=now, at=now, model=MAREK)

    beats(os.getpid())
    done = social("db", "migrate-to", url)
    assert done.code == 8
    assert "a daemon works on this database" in done.err and "Stop it first" in done.err
    assert tables_of(empty) == []
    with database.write() as session:
        control.leave(session, f"{socket.gethostname()}:{os.getpid()}")
    beats(2**22 + 1)  # above the highest number that Linux gives
    database.close()
    assert social("db", "migrate-to", url).code == 0


def test_the_command_keeps_no_key_of_a_move_that_failed(social: Social, shop: Path, server: str) -> None:
    sealed(shop)
    target = Database(server)
    profile(target, "somebody")
    target.close()
    assert social("db", "migrate-to", server).code == 8
    assert not (shop / "dyzur.key").exists()


def test_the_command_refuses_another_key_and_another_kind_of_target(
    social: Social, shop: Path, empty: Database
) -> None:
    sealed(shop)
    (shop / "dyzur.key").write_text("another\n")
    done = social("db", "migrate-to", empty.url.render_as_string(hide_password=False))
    assert done.code == 8 and "another key" in done.err
    assert tables_of(empty) == []
    done = social("db", "migrate-to", "sqlite:///other.db")
    assert done.code == 2 and "must be PostgreSQL" in done.err


def test_the_command_has_nothing_to_move_where_nothing_ran(social: Social, shop: Path, empty: Database) -> None:
    done = social("db", "migrate-to", empty.url.render_as_string(hide_password=False))
    assert done.code == 6
    assert "nothing has to be moved" in done.err
