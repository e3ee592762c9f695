"""How long the upgrade of a database of a million posts takes, its backup included.

    python benchmarks/upgrade.py [--posts 1000000] [--from 0003 --from 0004] [--folder DIR]

Makes a database in the form that an older program left, fills it by SQL alone (posts with texts and raw answers, judgements,
decisions, cases, replies, audit log), upgrades it as `social run` does, and checks that every column that both forms have holds
what it held before. The promise is 60 seconds. Needs some 3 GB of disk for a million posts, and removes them again.
"""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from alembic import command

from social import clock
from social.store import schema
from social.store.session import Database

PROMISED_SECONDS = 60.0
OLDER = ("0003", "0004")

#: A post in eight opens a case, one in four gets a reply; two entries of the audit log a case. Texts are as long as people's.
_FILL = """
INSERT INTO brand (id, name) VALUES (1, 'Fikcja');
INSERT INTO user (id, name, role, created_at, failed_sign_ins) VALUES (1, 'marek', 'agent', '2026-01-01 08:00:00.000000', 0);
INSERT INTO profile (id, state, attempts, brand_id, name, network, mode, due_at)
SELECT value, 'active', 0, 1, 'fikcja-' || value, 'fake', 'acknowledge', '2026-11-20 08:00:00.000000' FROM generate WHERE value <= 10;
INSERT INTO author (id, network, native_id, handle, display_name, is_bot, deleted)
SELECT value, 'fake', 'author-' || value, 'klient.' || value, 'Klient ' || value, 0, 0 FROM generate WHERE value <= :authors;
INSERT INTO conversation (id, brand_id, profile_id, author_id, thread_root, opened_at, last_customer_at)
SELECT value, 1, 1 + value % 10, 1 + value % :authors, 'root-' || value, '2026-03-01 08:00:00.000000', '2026-03-01 08:00:00.000000'
FROM generate WHERE value <= :posts / 2;
INSERT INTO post (id, state, attempts, brand_id, profile_id, conversation_id, author_id, network, native_id, revision,
  revision_number, kind, thread_root, text, created_at, received_at, summoned, private, ours, history, after_gap, permalink,
  media, native, raw, outcome, reason)
SELECT value, 'judged', 0, 1, 1 + (1 + value / 2) % 10, 1 + value % (:posts / 2), 1 + value % :authors, 'fake', 'post-' || value, '',
  1, 'comment', 'root-' || (1 + value % (:posts / 2)),
  'Zamówienie ' || value || ' miało przyjść we wtorek, a status stoi na „w sortowni”. Czy ktoś może to sprawdzić? Dziękuję!',
  datetime('2026-01-01', '+' || (value * 26) || ' seconds') || '.000000',
  datetime('2026-01-01', '+' || (value * 26 + 40) || ' seconds') || '.000000',
  1, 0, 0, 0, 0, 'https://fake.invalid/p/' || value, '[]', '{"id":"post-' || value || '"}',
  '{"id":"post-' || value || '","author":{"id":"author-' || (1 + value % :authors) || '"},"padding":"' || hex(zeroblob(120)) || '"}',
  'escalated', 'open: a person answers'
FROM generate WHERE value <= :posts;
INSERT INTO assessment (id, post_id, revision_number, made_at, language, sentiment, sentiment_scores, urgency, urgency_scores,
  needs_reply, flags, topics, abstained, reasons, truncated, model_id, model_version, vector)
SELECT value, value, 1, '2026-11-20 08:00:00.000000', 'pl', 'negative', '{"negative":0.8,"neutral":0.1,"positive":0.1}', 'normal',
  '{"critical":0.1,"high":0.1,"normal":0.7,"low":0.1}', 1, '[]', '["delivery"]', '[]', '[["rule","delivery","status stoi","topic"]]',
  0, 'fake', '1', CASE WHEN value % 10 = 0 THEN zeroblob(384) END
FROM generate WHERE value <= :posts;
INSERT INTO decision (id, post_id, revision_number, made_at, rule, reason, policy_version, outcome, urgency, detail)
SELECT value, value, 1, '2026-11-20 08:00:00.000000', 'open', 'open: a person answers', '1', 'escalated', 'normal', '{"alert":false}'
FROM generate WHERE value <= :posts;
INSERT INTO escalation (id, state, attempts, brand_id, profile_id, conversation_id, post_id, urgency, urgency_rank, rule, reason,
  formal, opened_at, waiting_since, answered_natively, closed_at, close_reason)
SELECT value, 'closed', 0, 1, 1 + value % 10, value, value, 'normal', 1, 'open', 'open: a person answers', 0,
  '2026-03-01 08:00:00.000000', '2026-03-01 08:00:00.000000', 0, '2026-03-02 08:00:00.000000', 'answered'
FROM generate WHERE value <= :posts / 8;
INSERT INTO reply (id, state, attempts, brand_id, profile_id, conversation_id, post_id, author_id, kind, sent_by, text, language,
  variant, facts, key, created_at, sent_at, external_id)
SELECT value, 'sent', 0, 1, 1 + value % 10, 1 + value % (:posts / 2), value, 1 + value % :authors, 'acknowledgement', 'robot',
  'Dziękujemy za wiadomość. To automatyczna odpowiedź; zespół odpisze dziś do 17:00.', 'pl', 'test', '{}', 'key-' || value,
  '2026-03-01 08:00:00.000000', '2026-03-01 08:40:00.000000', 'reply-' || value
FROM generate WHERE value <= :posts / 4;
INSERT INTO event (id, at, actor, verb, subject_kind, subject_id, detail)
SELECT value, '2026-03-01 08:00:00.000000', 'robot', 'opened', 'case', value / 2, '{"rule":"open"}'
FROM generate WHERE value <= :posts / 4;
"""  # noqa: E501 a statement is read more easily than its folding


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Seconds of an upgrade as `social run` does it, and what it found."""

    older: str
    newer: str
    posts: int
    megabytes: float
    seconds: float
    backup_seconds: float

    @property
    def migration_seconds(self) -> float:
        return self.seconds - self.backup_seconds


def fill(file: Path, revision: str, posts: int) -> None:
    """A database of ``revision`` with so many posts. Its own checks are off meanwhile: it is made of whole cloth."""
    database = Database(f"sqlite:///{file}")
    with database.write() as session:
        command.upgrade(schema._config(session.connection()), revision)
    database.close()
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-200000;")
        connection.execute("CREATE TEMP TABLE generate (value INTEGER PRIMARY KEY)")
        counting = "WITH RECURSIVE up(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM up WHERE value < ?)"
        connection.execute(f"INSERT INTO generate {counting} SELECT value FROM up", (max(posts, 10),))
        connection.execute("BEGIN")
        known = {"posts": posts, "authors": max(1, posts // 5)}
        for statement in filter(str.strip, _FILL.split(";\n")):
            connection.execute(statement, known)
        connection.execute("COMMIT")
    Database(f"sqlite:///{file}").close()


def columns_of(file: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(file)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: sorted(row[1] for row in connection.execute(f'PRAGMA table_info("{table}")'))
            for table in tables
            if table != "alembic_version" and not table.startswith("sqlite_")
        }


def checksum(file: Path, columns: dict[str, list[str]]) -> dict[str, str]:
    """A digest of these columns of every table, in the order of their rows."""
    digests = {}
    with closing(sqlite3.connect(file)) as connection:
        connection.text_factory = bytes
        for table, names in columns.items():
            wanted = ", ".join(f'quote("{name}")' for name in names)
            running = hashlib.blake2b()
            for row in connection.execute(f'SELECT {wanted} FROM "{table}" ORDER BY rowid'):
                running.update(b"\x1f".join(row) + b"\x1e")
            digests[table] = running.hexdigest()
    return digests


def measure(file: Path, *, older: str, posts: int) -> Measured:
    database = Database(f"sqlite:///{file}")
    try:
        size = file.stat().st_size / 1e6
        started = perf_counter()
        backup = schema.upgrade(database, now=clock.machine_now())
        seconds = perf_counter() - started
        newer = str(schema.status(database).current)
        assert backup is not None
        with closing(sqlite3.connect(backup)) as copy:
            assert copy.execute("SELECT version_num FROM alembic_version").fetchone() == (older,)
            assert copy.execute("SELECT count(*) FROM post").fetchone() == (posts,)
        backup.unlink()
        started = perf_counter()
        again = schema.backup_sqlite(database, label="again", now=clock.machine_now())
        backup_seconds = perf_counter() - started
        assert again is not None
        again.unlink()
    finally:
        database.close()
    return Measured(
        older=older, newer=newer, posts=posts, megabytes=size, seconds=seconds, backup_seconds=backup_seconds
    )


def run(folder: Path, *, posts: int, older: Sequence[str] = OLDER) -> Iterator[Measured]:
    for revision in older:
        file = folder / f"from-{revision}.db"
        fill(file, revision, posts)
        columns = columns_of(file)
        before = checksum(file, columns)
        yield measure(file, older=revision, posts=posts)
        if checksum(file, columns) != before:
            raise AssertionError(f"from {revision}: a column that both forms have changed")
        file.unlink()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--posts", type=int, default=200_000)
    parser.add_argument("--from", dest="older", action="append", help="a form of the database; may be repeated")
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args(arguments)
    kept = True
    with tempfile.TemporaryDirectory(prefix="dyzur-upgrade-", dir=options.folder) as folder:
        for found in run(Path(folder), posts=options.posts, older=options.older or OLDER):
            scaled = found.seconds * max(1.0, 1_000_000 / found.posts)
            kept = kept and scaled <= PROMISED_SECONDS
            print(
                f"{found.posts:,} posts ({found.megabytes:,.0f} MB), {found.older} -> {found.newer}: {found.seconds:.1f} s "
                f"in all, {found.backup_seconds:.1f} s of them a backup; for a million {scaled:.0f} s of {PROMISED_SECONDS:.0f}"
            )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
