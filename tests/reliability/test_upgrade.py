"""An upgrade keeps every value, makes a copy first, and is done whole or not at all, however it is ended."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, make_url, text

from benchmarks import upgrade
from social.store import schema
from social.store.session import Database
from tests.cli.processes import environment
from tests.reliability.old_schema import at_revision, made_by

TREE = Path(__file__).parents[2]
OLDER = [script.revision for script in ScriptDirectory.from_config(schema._config()).walk_revisions()][1:]

_PROGRAM = """
import sys
from social import clock
from social.store import schema
from social.store.session import Database
database = Database(sys.argv[1])
print("ready", flush=True)
schema.upgrade(database, now=clock.machine_now())
print("done", flush=True)
"""


def started(url: str) -> subprocess.Popen[str]:
    """An upgrade in a process of its own, about to begin."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, url], env=environment(), cwd=TREE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def ended(process: subprocess.Popen[str]) -> bool:
    """Did it say that it was done, before it was killed?"""
    assert process.stdout is not None
    with process:
        said = process.stdout.read()
    return "done" in said


@pytest.mark.parametrize("older", [*OLDER])
def test_every_value_of_every_older_form_is_kept_and_a_copy_made_first(older: str, tmp_path: Path) -> None:
    if older in ("0001", "0002"):
        made_by(older, tmp_path / f"from-{older}.db")
        database = Database(f"sqlite:///{tmp_path}/from-{older}.db")
        assert schema.upgrade(database, now=upgrade.clock.machine_now()) is not None
        assert schema.differences(database) == []
        database.close()
        return

    (found,) = upgrade.run(tmp_path, posts=2000, older=[older])  # compares every column that both forms have

    assert (found.older, found.posts) == (older, 2000)


def test_the_comparison_sees_a_changed_value(tmp_path: Path) -> None:
    file = tmp_path / "one.db"
    upgrade.fill(file, "0004", 100)
    columns = upgrade.columns_of(file)
    before = upgrade.checksum(file, columns)
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE post SET text = text || ' ' WHERE id = 77")
    connection.close()

    after = upgrade.checksum(file, columns)

    assert {table for table in before if before[table] != after[table]} == {"post"}


def test_killed_at_any_moment_an_upgrade_is_whole_or_undone_and_the_next_start_finishes_it(tmp_path: Path) -> None:
    """Wherever the clock strikes: before, in the copy, in the transaction, after it. What is sure to hit the transaction is a
    test of its own."""
    file = tmp_path / "old.db"
    upgrade.fill(file, "0003", 10_000)
    columns = upgrade.columns_of(file)
    before = upgrade.checksum(file, columns)
    untouched = file.read_bytes()
    process = started(f"sqlite:///{file}")
    begun = monotonic()
    assert ended(process)
    whole = monotonic() - begun
    for number in range(6):
        for left in tmp_path.glob("old*"):
            left.unlink()
        file.write_bytes(untouched)
        process = started(f"sqlite:///{file}")
        threading.Event().wait(whole * number / 6)
        process.send_signal(signal.SIGKILL)
        ended(process)
        database = Database(f"sqlite:///{file}")
        assert schema.check_integrity(database) is None
        found = schema.status(database)
        assert found.current in ("0003", found.head)
        schema.upgrade(database, now=upgrade.clock.machine_now())
        assert schema.status(database).up_to_date
        assert schema.differences(database) == []
        database.close()
        assert upgrade.checksum(file, columns) == before


@pytest.fixture
def old_postgres(_postgres_template: Callable[[], str]) -> Callable[[str], str]:
    """The URL of an own database on PostgreSQL, in the form of a revision, with some posts."""
    url = make_url(_postgres_template())

    def make(revision: str) -> str:
        name = f"{url.database}_old"
        administration = create_engine(url, isolation_level="AUTOCOMMIT")
        with administration.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {name}"))
        administration.dispose()
        there = url.set(database=name).render_as_string(hide_password=False)
        database = at_revision(Database(there), revision)
        with database.write() as session:
            session.execute(text("INSERT INTO brand (id, name) VALUES (1, 'Fikcja')"))
            session.execute(
                text("INSERT INTO author (network, native_id, is_bot, deleted) SELECT 'fake', 'a' || n, false, false "
                     "FROM generate_series(1, 5000) n")
            )  # fmt: skip
        database.close()
        return there

    return make


@pytest.mark.postgres
def test_killed_on_postgresql_too_it_is_whole_or_undone(old_postgres: Callable[[str], str]) -> None:
    for number in range(4):
        url = old_postgres("0003")
        process = started(url)
        threading.Event().wait(0.04 * number**2)
        process.send_signal(signal.SIGKILL)
        ended(process)
        database = Database(url)
        found = schema.status(database)
        assert found.current in ("0003", found.head)
        schema.upgrade(database, now=upgrade.clock.machine_now())
        assert schema.differences(database) == []
        with database.read() as session:
            assert session.execute(text("SELECT count(*) FROM author")).scalar() == 5000
        database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def old_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database in the form of 0003, with 5,000 authors."""
    if request.param == "postgresql":
        make: Callable[[str], str] = request.getfixturevalue("old_postgres")
        return make("0003")
    upgrade.fill(tmp_path / "old.db", "0003", 25_000)
    return f"sqlite:///{tmp_path}/old.db"


#: Where the program kills itself: all of its statements are done, and the commit is not; or some of them are.
_DIES = {
    "at the commit": "'commit', lambda connection: die() if connection.get_execution_options().get('write') else None",
    "in the midst": "'after_cursor_execute', lambda *now: die() if 'CREATE TABLE chore' in now[2] else None",
}


@pytest.mark.parametrize("where", _DIES)
def test_killed_within_the_transaction_an_upgrade_is_undone(old_database: str, where: str) -> None:
    """Sure to hit it, on both databases."""
    program = _PROGRAM.replace(
        'print("ready", flush=True)\n',
        "import os, signal\n"
        "from sqlalchemy import event\n"
        "die = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"event.listen(database.engine, {_DIES[where]})\n",
    )
    done = subprocess.run([sys.executable, "-c", program, old_database], env=environment(), cwd=TREE, check=False)

    assert done.returncode == -signal.SIGKILL
    database = Database(old_database)
    assert schema.status(database).current == "0003"
    assert schema.check_integrity(database) is None
    assert "chore" not in inspect(database.engine).get_table_names()
    schema.upgrade(database, now=upgrade.clock.machine_now())
    assert schema.status(database).up_to_date
    assert schema.differences(database) == []
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM author")).scalar() == 5000
    database.close()


@pytest.mark.slow
def test_a_million_posts_are_upgraded_without_a_change_to_any_of_them(tmp_path: Path) -> None:
    """``run`` compares every column before and after; how long it takes is for benchmarks/upgrade.py to say."""
    for found in upgrade.run(tmp_path, posts=1_000_000):
        print(found)
        assert found.posts == 1_000_000


def test_a_report_that_is_killed_half_written_leaves_the_old_one(tmp_path: Path) -> None:
    """K6: whoever reads the file sees the old one or the complete new one; the writer is killed at random moments."""
    target = tmp_path / "week.json"
    program = (
        "import json, sys\nfrom pathlib import Path\nfrom social.reports.files import replacing\n"
        "print('ready', flush=True)\nnumber = 0\n"
        "while True:\n"
        "    number += 1\n"
        "    with replacing(Path(sys.argv[1])) as file:\n"
        "        for part in json.JSONEncoder().iterencode({'number': number, 'rows': list(range(20000))}):\n"
        "            file.write(part.encode())\n"
    )
    seen = set()
    for number in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(target)], env=environment(), cwd=TREE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        threading.Event().wait(0.05 + 0.03 * number)
        os.kill(process.pid, signal.SIGKILL)
        ended(process)
        if target.exists():
            import json

            document = json.loads(target.read_bytes())
            assert len(document["rows"]) == 20_000
            seen.add(document["number"])
    assert seen  # some were written whole before the kill
    assert list(tmp_path.glob(".*.part"))  # and some were killed half written
