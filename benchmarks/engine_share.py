"""How much of the triage loop's time is the engine's own: recalling, deciding, composing, recording.

    python benchmarks/engine_share.py [--posts 3000] [--rules]

Posts wait in a database; the line's second loop works through them in its batches, with the shipped model. What the
classifier takes is the model's; the rest is the engine's. The promise is a share of at most 20 %. With ``--rules`` the
model is left out: what the engine could do beside a judge that costs nearly nothing.
"""

from __future__ import annotations

import argparse
import gc
import logging
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from benchmarks.crowd import PagingConnector, crowd, delivered
from social.clock import SteppedClock
from social.domain.assessment import Assessment, ModelIdentity, TextToAssess
from social.engine import line
from social.ports import Classifier
from social.settings import TriageBackend
from social.store import schema
from social.store.session import Database
from tests.factories import desk_for
from tests.postgres_cluster import find_binaries, temporary_cluster
from triage.load import load_classifier

BEGIN = datetime(2026, 11, 2, 8, tzinfo=UTC)
PROMISE = 0.2


class TimedClassifier:
    """Passes everything on and adds up how long the judge behind it took, in seconds by the wall."""

    def __init__(self, judge: Classifier) -> None:
        self.judge = judge
        self.seconds = 0.0

    @property
    def identity(self) -> ModelIdentity:
        return self.judge.identity

    def assess(self, texts: Sequence[TextToAssess]) -> Sequence[Assessment]:
        started = time.perf_counter()
        try:
            return self.judge.assess(texts)
        finally:
            self.seconds += time.perf_counter() - started


def main() -> int:
    logging.disable(logging.CRITICAL)  # a line a post is the daemon's, but not on this screen
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=3_000)
    parser.add_argument("--rules", action="store_true", help="rules only, no model")
    options = parser.parse_args()
    if options.posts < 500:
        parser.error("--posts: at least 500, since a first batch is not counted")
    backend = TriageBackend.RULES if options.rules else TriageBackend.AUTO
    judge = TimedClassifier(load_classifier(backend=backend, model="", threads=0, languages=("pl", "en")))
    judge.assess([TextToAssess(text="Gdzie jest moja paczka?")])
    gc.collect()
    gc.freeze()  # as the daemon does at its start
    print(f"{options.posts} posts, judged by {judge.identity}")
    shares = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dyzur-engine-"))
        urls = [f"sqlite:///{folder}/desk.db"]
        if find_binaries() is not None:
            urls.append(stack.enter_context(temporary_cluster()).replace("postgresql:", "postgresql+psycopg:"))
        for url in urls:
            shares.append(measure(Database(url), judge, options.posts))
    return 0 if options.rules or max(shares) <= PROMISE else 1


def measure(database: Database, judge: TimedClassifier, posts: int) -> float:
    schema.upgrade(database, now=BEGIN)
    pages = delivered(list(crowd(posts, begin=BEGIN, every=timedelta(seconds=2))), page=100, again=0.0)
    clock = SteppedClock(BEGIN + posts * timedelta(seconds=2))
    desk = desk_for(
        database, clock, PagingConnector(pages), classifier=judge, first_polled_at=BEGIN - timedelta(days=1)
    )
    pages.insert(0, [])
    line.take_in(desk, clock.now())  # so that what follows was not written while nobody looked
    clock.advance(timedelta(minutes=5))
    while database_waits(database) < posts:
        line.take_in(desk, clock.now())
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")  # which the server's own watch does within a minute, this run is shorter
    line.work_through(desk, clock.now())  # a first batch warms statements up and is not counted
    judge.seconds, counted, started = 0.0, posts - desk.batch, time.perf_counter()
    while line.work_through(desk, clock.now()):
        pass
    whole = time.perf_counter() - started
    own = whole - judge.seconds
    share = own / whole
    print(
        f"{database.dialect}: {counted / whole:.0f} posts/s; engine {own / counted * 1e6:.0f} us a post, judge "
        f"{judge.seconds / counted * 1e6:.0f} us; the engine's share is {share:.0%} (promise: at most {PROMISE:.0%})"
    )
    database.close()
    return share


def database_waits(database: Database) -> int:
    with database.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM post").scalar() or 0)


if __name__ == "__main__":
    raise SystemExit(main())
