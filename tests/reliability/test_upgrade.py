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
from sqlalchemy import create_engine, make_url, text

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
    file = tmp_path / "old.db"
    upgrade.fill(file, "0003", 10_000)
    columns = upgrade.columns_of(file)
    before = upgrade.checksum(file, columns)
    untouched = file.read_bytes()
    begun = monotonic()
    assert ended(started(f"sqlite:///{file}"))
    whole = monotonic() - begun
    undone = finished = 0
    for number in range(6):
        for left in tmp_path.glob("old*"):
            left.unlink()
        file.write_bytes(untouched)
        process = started(f"sqlite:///{file}")
        threading.Event().wait(whole * 0.6 * number / 6)  # the start of the process is a part of it too
        process.send_signal(signal.SIGKILL)
        ended(process)
        database = Database(f"sqlite:///{file}")
        assert schema.check_integrity(database) is None
        found = schema.status(database)
        assert found.current in ("0003", found.head)
        undone, finished = undone + (not found.up_to_date), finished + found.up_to_date
        schema.upgrade(database, now=upgrade.clock.machine_now())
        assert schema.status(database).up_to_date
        assert schema.differences(database) == []
        database.close()
        assert upgrade.checksum(file, columns) == before
    assert undone  # else nothing was killed in time


def test_killed_within_the_transaction_an_upgrade_is_undone(tmp_path: Path) -> None:
    """The same, but sure to hit it: held up by a lock until all of its statements but the commit are done."""
    file = tmp_path / "old.db"
    upgrade.fill(file, "0003", 1000)
    reader = sqlite3.connect(file, isolation_level=None)
    program = _PROGRAM.replace(
        'print("ready", flush=True)\n',
        "from sqlalchemy import event\n"
        "import os, signal\n"
        "event.listen(database.engine, 'commit', lambda connection: os.kill(os.getpid(), signal.SIGKILL)"
        " if connection.get_execution_options().get('write') else None)\n",
    )
    done = subprocess.run(
        [sys.executable, "-c", program, f"sqlite:///{file}"], env=environment(), cwd=TREE, check=False
    )
    reader.close()

    assert done.returncode == -signal.SIGKILL
    database = Database(f"sqlite:///{file}")
    assert schema.status(database).current == "0003"
    assert schema.check_integrity(database) is None
    with database.read() as session:
        names = set(session.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars())
    assert "chore" not in names
    schema.upgrade(database, now=upgrade.clock.machine_now())
    assert schema.differences(database) == []
    database.close()


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
    undone = 0
    for number in range(4):
        url = old_postgres("0003")
        process = started(url)
        threading.Event().wait(0.04 * number**2)
        process.send_signal(signal.SIGKILL)
        ended(process)
        database = Database(url)
        found = schema.status(database)
        assert found.current in ("0003", found.head)
        undone += not found.up_to_date
        schema.upgrade(database, now=upgrade.clock.machine_now())
        assert schema.differences(database) == []
        with database.read() as session:
            assert session.execute(text("SELECT count(*) FROM author")).scalar() == 5000
        database.close()
    assert undone


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
