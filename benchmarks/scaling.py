"""How many posts a second one, two, three and four triage workers judge together, each a process of its own on PostgreSQL.

    python benchmarks/scaling.py [--posts 1200] [--rules-posts 6000] [--workers 1,2,3,4] [--url postgresql+psycopg://...]

The whole second loop runs (claim, assess, recall, decide, compose, record, one transaction a batch), on posts of the
project's corpus that lie in the database already; each worker's model has one thread. ``cores`` is how many cores workers
and server kept busy. ``ms/post`` is their processor time for a post, workers + server: as long as it does not grow with the
workers, posts a second grow until the cores are full, and ``ceiling`` is what they would then be on this machine, if it had
nothing else to do. On a busy machine believe these two columns and not the seconds.

Without ``--url`` it makes a cluster of its own and throws it away (fsync off, so the figure is not the disk's); with one, the
server's role must be allowed to make databases.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from sqlalchemy import create_engine, make_url, text  # noqa: E402 the checkout is found first

from social.clock import RealClock, machine_now, monotonic  # noqa: E402
from social.domain.post import Author  # noqa: E402
from social.engine import line  # noqa: E402
from social.settings import TriageBackend  # noqa: E402
from social.store import posts, schema  # noqa: E402
from social.store.session import Database  # noqa: E402
from tests.factories import desk_for, post, profile  # noqa: E402
from tests.fakes import FakeConnector  # noqa: E402
from tests.postgres_cluster import temporary_cluster  # noqa: E402

CORPUS = ROOT / "triage" / "training" / "corpus"
#: Small enough that no worker stands idle behind the last batches of the others.
BATCH = 50
SHOP = "scaling"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=1200, help="for the model")
    parser.add_argument("--rules-posts", type=int, default=6000, help="for rules only")
    parser.add_argument("--workers", default="1,2,3,4", help="how many at once, run after run")
    parser.add_argument("--url", help="a PostgreSQL server to make the databases on")
    parser.add_argument("--work", nargs=2, metavar=("URL", "BACKEND"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(*given.work)
        return
    counts = [int(count) for count in given.workers.split(",")]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, batches of {BATCH}")
    print(
        f"{'judge':8} {'workers':>7} {'posts':>6} {'seconds':>8} {'posts/s':>8} {'times':>6} {'cores':>6} "
        f"{'ms/post':>11} {'ceiling':>8} {'load':>5}"
    )
    with server(given.url) as url:
        for backend, amount in ((TriageBackend.RULES, given.rules_posts), (TriageBackend.AUTO, given.posts)):
            alone = 0.0
            for count in counts:
                seconds, theirs, servers, done = run(url, backend, count, amount)
                cost = f"{1000 * theirs / done:.1f}+{1000 * servers / done:.1f}"
                ceiling = (os.cpu_count() or 1) * done / (theirs + servers)
                rate = done / seconds
                alone = alone or rate / count
                print(
                    f"{'rules' if backend is TriageBackend.RULES else 'model':8} {count:>7} {done:>6} {seconds:>8.1f} "
                    f"{rate:>8.0f} {rate / alone:>6.2f} {(theirs + servers) / seconds:>6.2f} "
                    f"{cost:>11} {ceiling:>8.0f} {os.getloadavg()[0]:>5.1f}",
                    flush=True,
                )


@contextmanager
def server(url: str | None) -> Iterator[str]:
    if url:
        yield url
        return
    with temporary_cluster() as found:
        yield make_url(found).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def run(url: str, backend: TriageBackend, workers: int, amount: int) -> tuple[float, float, float, int]:
    """(wall seconds from the start signal to the last worker's end, their processor seconds, the server's, posts)"""
    with fresh(url, f"scaling_{backend.value}_{workers}") as place:
        fill(place, amount)
        command = [sys.executable, str(Path(__file__)), "--work", place, backend.value]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started = [
            subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, **pipes) for _ in range(workers)
        ]
        for process in started:
            process.stdout.readline()  # the model is loaded
        begun, before = monotonic(), server_seconds(place)
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        told = [json.loads(process.stdout.readline()) for process in started]
        seconds = monotonic() - begun
        for process in started:
            process.communicate()
        servers = server_seconds(place) - before
    done = sum(item["posts"] for item in told)
    if done != amount:
        raise SystemExit(f"{amount} posts were there and {done} were judged: this figure would be a lie")
    return seconds, sum(item["processor"] for item in told), servers, done


def server_seconds(url: str) -> float:
    """Processor seconds of a server on this machine with all its processes, those that ended included; else 0."""
    database = Database(url)
    with database.read() as session:
        backend = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    used = 0.0
    if Path(f"/proc/{backend}/stat").exists():
        postmaster = _stat(backend)[1]
        used = sum(_stat(postmaster)[11:15])  # utime, stime, and of its children that ended
        for child in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
            used += sum(_stat(int(child))[11:13])
    database.close()
    return used / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[int]:
    """The numbers of ``/proc/PID/stat`` behind the program's name; [1] is the parent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [int(field) if field.lstrip("-").isdigit() else 0 for field in fields]


def work(url: str, backend: str) -> None:
    """A triage worker: loads its judge, waits for the signal, and works until nothing is due."""
    from triage.load import load_classifier, rules_only

    database = Database(url)
    judge = (
        rules_only("measured without a model", languages=("pl", "en"))
        if backend == TriageBackend.RULES.value
        else load_classifier(backend=TriageBackend(backend), model="", threads=1, languages=("pl", "en"))
    )
    desk = desk_for(database, RealClock(), FakeConnector(), name=SHOP, classifier=judge)
    desk.batch = BATCH
    desk.rings = False  # a corpus of complaints is a crisis, which would have posts decided twice
    logging.disable(logging.WARNING)
    print("ready", flush=True)
    sys.stdin.readline()
    before, done = os.times(), 0
    while claimed := line.work_through(desk, desk.now()):
        done += claimed
    after = os.times()
    print(json.dumps({"posts": done, "processor": after.user + after.system - before.user - before.system}), flush=True)
    database.close()


@contextmanager
def fresh(url: str, name: str) -> Iterator[str]:
    """A database of its own, gone afterwards."""
    administration = create_engine(url, isolation_level="AUTOCOMMIT")
    place = make_url(url).set(database=name).render_as_string(hide_password=False)
    with administration.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        database = Database(place)
        schema.upgrade(database, now=machine_now())
        database.close()
        yield place
    finally:
        with administration.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        administration.dispose()


def fill(url: str, amount: int) -> None:
    """Posts of as many customers, each in a thread of its own, not judged yet."""
    database = Database(url)
    now = machine_now()
    shop = profile(database, SHOP, now=now, first_polled_at=now - timedelta(days=1))
    words = texts(amount)
    for start in range(0, amount, 200):
        page = [
            post(words[number], when=now, by=Author(native_id=f"c{number}"), native_id=f"p{number}")
            for number in range(start, min(start + 200, amount))
        ]
        with database.write() as session:
            posts.remember(session, shop, page, now=now)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    database.close()


def texts(amount: int) -> Sequence[str]:
    lines = [line for file in sorted(CORPUS.glob("*.jsonl")) for line in file.read_text(encoding="utf-8").splitlines()]
    found = [json.loads(line)["text"] for line in lines]
    return [found[number * 7 % len(found)] for number in range(amount)]


if __name__ == "__main__":
    main()
