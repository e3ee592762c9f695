"""What taking posts in costs, beside the bare database writing the same rows in the same transactions.

    python benchmarks/ingest.py [--posts 20000] [--page 100] [--again 0.2] [--postgres URL]

Ours is the line's first loop as the daemon runs it: claim the profile, fetch (from memory), remember posts, authors and
conversations, the cursor in the same transaction. The peers are handed the finished rows: ``sqlite3.executemany`` with
``ON CONFLICT DO NOTHING`` (WAL, synchronous=FULL, the same indexes), and on PostgreSQL a ``COPY`` of the new rows of each
page into the same tables. Both sides take turns every ten pages, so that a busy machine costs both the same.

SQLite is compared by processor time (the disk is the same for both) and by the wall; PostgreSQL, whose work is done in
another process, by the wall. Without ``--postgres`` a cluster of our own is started where the programs are found.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.crowd import PagingConnector, crowd, delivered
from social.clock import SteppedClock
from social.domain.post import FetchedPost
from social.engine import line, poll
from social.store import schema
from social.store.rows import t
from social.store.session import Database
from social.store.tables import AuthorRow, ConversationRow, PostRow
from tests.factories import desk_for
from tests.postgres_cluster import find_binaries, temporary_cluster

BEGIN = datetime(2026, 11, 2, 8, tzinfo=UTC)
TABLES = (AuthorRow, ConversationRow, PostRow)
FLOORS = {"sqlite": (0.3, 0.5), "postgresql": (0.15, 0.3)}


@dataclass(slots=True)
class Spent:
    """Seconds by the wall and of this process' processor time."""

    wall: float = 0.0
    cpu: float = 0.0

    @contextlib.contextmanager
    def measuring(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--page", type=int, default=100)
    parser.add_argument("--again", type=float, default=0.2, help="share of each page that was delivered before")
    parser.add_argument("--postgres", metavar="URL", help="an empty database; default: a cluster of our own")
    options = parser.parse_args()
    posts = list(crowd(options.posts, begin=BEGIN, every=timedelta(seconds=5)))
    pages = delivered(posts, page=options.page, again=options.again)
    print(f"{len(pages)} pages of {options.page}, {options.again:.0%} of each delivered again")
    passed = measure_sqlite(pages)
    with contextlib.ExitStack() as stack:
        url = options.postgres
        if url is None and find_binaries() is not None:
            url = stack.enter_context(temporary_cluster())
        if url is None:
            print("postgresql: no server programs here, not measured")
        else:
            passed = measure_postgres(pages, url.replace("postgresql://", "postgresql+psycopg://")) and passed
    return 0 if passed else 1


# --- ours ---------------------------------------------------------------------------------------------------------------


class Ours:
    """The desk taking in ten pages a turn."""

    def __init__(self, database: Database, pages: Sequence[Sequence[FetchedPost]]) -> None:
        self.database = database
        self.clock = SteppedClock(BEGIN + timedelta(days=30))
        self.connector = PagingConnector(pages)
        self.desk = desk_for(database, self.clock, self.connector, first_polled_at=BEGIN - timedelta(days=1))
        self.spent = Spent()
        line.take_in(self.desk, self.clock.now())  # the first turn warms statements up and is not counted

    def turn(self) -> None:
        with self.spent.measuring():
            line.take_in(self.desk, self.clock.now())


def rows_of(database: Database, model: type[Any]) -> list[dict[str, Any]]:
    """All rows in the form in which the driver is given them."""
    with database.engine.connect() as connection:
        names = [column.name for column in t(model).columns]
        quoted = ", ".join(f'"{name}"' for name in names)
        found = connection.exec_driver_sql(f'SELECT {quoted} FROM "{t(model).name}" ORDER BY id')
        return [dict(zip(names, row, strict=True)) for row in found]


class Pieces:
    """For each page, the rows of each table that belong to it: all of them, or only those that were not there before."""

    def __init__(self, database: Database, pages: Sequence[Sequence[FetchedPost]]) -> None:
        self.columns = {model: [column.name for column in t(model).columns] for model in TABLES}
        posts = {row["native_id"]: row for row in rows_of(database, PostRow)}
        authors = {row["id"]: row for row in rows_of(database, AuthorRow)}
        conversations = {row["id"]: row for row in rows_of(database, ConversationRow)}
        self.all: list[dict[type[Any], list[tuple[Any, ...]]]] = []
        self.new: list[dict[type[Any], list[tuple[Any, ...]]]] = []
        seen: dict[type[Any], set[int]] = {model: set() for model in TABLES}
        for page in pages:
            wanted = [posts[post.native_id] for post in page]
            whole = {
                AuthorRow: {row["author_id"]: authors[row["author_id"]] for row in wanted},
                ConversationRow: {row["conversation_id"]: conversations[row["conversation_id"]] for row in wanted},
                PostRow: {row["id"]: row for row in wanted},
            }
            self.all.append({model: [tuple(row.values()) for row in whole[model].values()] for model in TABLES})
            self.new.append(
                {
                    model: [tuple(row.values()) for row_id, row in whole[model].items() if row_id not in seen[model]]
                    for model in TABLES
                }
            )
            for model in TABLES:
                seen[model].update(whole[model])


# --- SQLite ---------------------------------------------------------------------------------------------------------------


def measure_sqlite(pages: Sequence[Sequence[FetchedPost]]) -> bool:
    with tempfile.TemporaryDirectory(prefix="dyzur-ingest-") as folder:
        pieces = Pieces(_filled(Database(f"sqlite:///{folder}/first.db"), pages), pages)
        database = Database(f"sqlite:///{folder}/ours.db")
        schema.upgrade(database, now=BEGIN)
        ours = Ours(database, pages)
        bare = _bare_sqlite(Path(folder) / "bare.db", database)
        raw = Spent()
        statements = {
            model: 'INSERT INTO "{}" ({}) VALUES ({}) ON CONFLICT DO NOTHING'.format(
                t(model).name, ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
            )
            for model, names in pieces.columns.items()
        }

        def write(number: int) -> None:
            bare.execute("BEGIN IMMEDIATE")
            for model in TABLES:
                bare.executemany(statements[model], pieces.all[number][model])
            bare.execute("UPDATE profile SET cursor = ?", (json.dumps({"page": number + 1}),))
            bare.execute("COMMIT")

        _take_turns(ours, raw, write, len(pages))
        same = bare.execute("SELECT count(*) FROM post").fetchone()[0]
        bare.close()
        count = _count(database, same)
        database.close()
    return _verdict("sqlite", "sqlite3.executemany", ours.spent, raw, count, by_processor=True)


def _filled(database: Database, pages: Sequence[Sequence[FetchedPost]]) -> Database:
    schema.upgrade(database, now=BEGIN)
    ours = Ours(database, pages)
    while _cursor(database) < len(pages):
        ours.turn()
    return database


def _cursor(database: Database) -> int:
    with database.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT cursor FROM profile").scalar()
        return int(json.loads(found)["page"])


def _bare_sqlite(path: Path, like: Database) -> sqlite3.Connection:
    """The same tables and indexes, the same durability."""
    bare = sqlite3.connect(path, isolation_level=None)
    bare.execute("PRAGMA journal_mode=WAL")
    bare.execute("PRAGMA synchronous=FULL")
    with like.engine.connect() as connection:
        for statement in connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").scalars():
            bare.execute(statement)
        for model in ("brand", "profile"):
            for row in connection.exec_driver_sql(f'SELECT * FROM "{model}"'):
                bare.execute(f'INSERT INTO "{model}" VALUES ({", ".join("?" * len(row))})', tuple(row))
    return bare


# --- PostgreSQL -----------------------------------------------------------------------------------------------------------


def measure_postgres(pages: Sequence[Sequence[FetchedPost]], url: str) -> bool:
    import psycopg

    plain = url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain, autocommit=True) as server:
        for name in ("ingest_first", "ingest_ours", "ingest_bare"):
            server.execute(f"DROP DATABASE IF EXISTS {name}")
            server.execute(f"CREATE DATABASE {name}")

    def at(name: str, base: str) -> str:
        return f"{base.rpartition('/')[0]}/{name}"

    first = _filled(Database(at("ingest_first", url)), pages)
    pieces = Pieces(first, pages)
    first.close()
    database, like = Database(at("ingest_ours", url)), Database(at("ingest_bare", url))
    for each in (database, like):
        schema.upgrade(each, now=BEGIN)
    Ours(like, ()).desk.close()  # the same brand and profile rows
    ours = Ours(database, pages)
    raw = Spent()
    with psycopg.connect(at("ingest_bare", plain)) as bare:
        statements = {
            model: 'COPY "{}" ({}) FROM STDIN'.format(t(model).name, ", ".join(f'"{name}"' for name in names))
            for model, names in pieces.columns.items()
        }

        def write(number: int) -> None:
            with bare.cursor() as cursor:
                for model in TABLES:
                    with cursor.copy(statements[model]) as copy:
                        for row in pieces.new[number][model]:
                            copy.write_row(row)
                cursor.execute("UPDATE profile SET cursor = %s", (json.dumps({"page": number + 1}),))
            bare.commit()

        _take_turns(ours, raw, write, len(pages))
        row = bare.execute("SELECT count(*) FROM post").fetchone()
        assert row is not None
    count = _count(database, row[0])
    database.close()
    return _verdict("postgresql", "COPY", ours.spent, raw, count, by_processor=False)


# --- both -----------------------------------------------------------------------------------------------------------------


def _take_turns(ours: Ours, raw: Spent, write: Any, pages: int) -> None:
    for number in range(poll.PAGES_A_TURN):
        write(number)  # the peer's warm-up: what ours took in its first turn
    for start in range(poll.PAGES_A_TURN, pages, poll.PAGES_A_TURN):
        ours.turn()
        with raw.measuring():
            for number in range(start, min(start + poll.PAGES_A_TURN, pages)):
                write(number)


def _count(database: Database, expected: int) -> int:
    with database.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM post").scalar()
    if found != expected:
        raise SystemExit(f"the two sides do not hold the same: {found} posts and {expected}")
    return expected


def _verdict(dialect: str, peer: str, ours: Spent, raw: Spent, rows: int, *, by_processor: bool) -> bool:
    floor, goal = FLOORS[dialect]
    by_wall, by_cpu = raw.wall / ours.wall, raw.cpu / ours.cpu
    ratio = min(by_wall, by_cpu) if by_processor else by_wall
    print(
        f"{dialect}: {rows} posts; ours {rows / ours.wall:.0f} posts/s, {peer} {rows / raw.wall:.0f} posts/s by the wall"
    )
    print(f"  {ours.cpu / rows * 1e6:.0f} us of processor a post beside {raw.cpu / rows * 1e6:.0f}")
    print(f"  ratio {by_wall:.2f} by the wall, {by_cpu:.2f} by processor time of this process", end="")
    print(f"   (promise: at least {floor}, goal {goal}: {'kept' if ratio >= floor else 'MISSED'})")
    return ratio >= floor


if __name__ == "__main__":
    raise SystemExit(main())
