"""What the daemon holds in memory: at rest with the model loaded, and how that grows with the posts that pass through.

    python benchmarks/memory.py idle             the daemon beside a Hugging Face pipeline on torch, same checkpoint
    python benchmarks/memory.py growth           1,000,000 posts with rules only
    python benchmarks/memory.py growth --model   50,000 posts with the shipped model

``idle`` starts the real daemon with the pages (`social run`, an empty database, the shipped model) in a process of its own
and reads its resident memory once it is ready and again after a minute of ticking; the peer is a process that has the same
checkpoint in ``transformers.pipeline`` on torch and has judged a few texts. Promise: at most half.

``growth`` lets posts pass through the whole line of one process on a stepped clock, and reads its resident memory along the
way, after others that warm up (a tenth as many; 20,000 with the model, until the runtime's bounded caches are full). What goes to
people is closed by them within the minute.
Promise: at most 1 MB per 100,000 posts.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import update

from benchmarks.crowd import corpus_texts
from social.clock import SteppedClock
from social.domain.post import Author, FetchedPost, PostKind
from social.engine import line
from social.engine.desk import Desk
from social.ports import Cursor, Page
from social.settings import TriageBackend
from social.store import schema
from social.store.rows import active, t
from social.store.session import Database
from social.store.tables import EscalationRow
from tests.factories import desk_for
from tests.fakes import FakeConnector
from triage.load import load_classifier

BEGIN = datetime(2026, 11, 2, 8, tzinfo=UTC)
MEGABYTE = 1_000_000
WARM_UP_MODEL = 20_000
#: One post in so many needs people.
NEEDS_PEOPLE = 25
THANKS = ("Dziękuję bardzo!", "dzięki wielkie", "Super, dziękuję za pomoc", "Thanks a lot!", "Thank you so much", "❤️")
PEER = """
import sys, torch, numpy as np
from transformers import AutoConfig, BertForSequenceClassification, pipeline
from triage.checkpoint import SHIPPED
from triage.encoder import load_tokenizer
network = BertForSequenceClassification(AutoConfig.from_pretrained(SHIPPED, local_files_only=True)).eval()
judge = pipeline("text-classification", model=network.float(), tokenizer=load_tokenizer(SHIPPED), device="cpu")
judge(["Gdzie jest moja paczka?", "Where is my parcel?"] * 8)
print("ready", flush=True)
sys.stdin.read()
"""


def resident(pid: int | str = "self") -> int:
    """Bytes of memory that the process has in use just now (``VmRSS``)."""
    for line_ in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line_.startswith("VmRSS:"):
            return int(line_.split()[1]) * 1024
    raise SystemExit("this system does not tell how much memory a process has")


# --- at rest --------------------------------------------------------------------------------------------------------------


def idle() -> int:
    with tempfile.TemporaryDirectory(prefix="dyzur-memory-") as folder:
        ours = measure_daemon(Path(folder))
        measure_daemon(Path(folder), "--only", "poll,triage,respond")
    theirs = measure_pipeline()
    if theirs is None:
        print("the Hugging Face pipeline is not here: torch is not installed")
        return 0
    print(f"the daemon holds {ours / theirs:.2f} of what the pipeline holds (promise: at most 0.5)")
    return 0 if ours <= 0.5 * theirs else 1


def measure_daemon(folder: Path, *only: str) -> int:
    config = folder / "config.toml"
    config.write_text(
        '[database]\nurl = "sqlite:///desk.db"\n[web]\nport = 0\n'
        '[[brands]]\nname = "Quiet"\nlanguages = ["pl", "en"]\ntimezone = "Europe/Warsaw"\n'
        '[brands.hours]\nmon-fri = ["09:00-17:00"]\n'
        # a network that nobody serves: there is nothing to do, and it is asked less and less
        '[connectors.facebook]\nbase_url = "http://127.0.0.1:9"\n'
        '[[profiles]]\nname = "quiet"\nbrand = "Quiet"\nconnector = "facebook"\nmode = "dry-run"\n'
        'closed_notice = false\ncredential = "quiet"\n[profiles.options]\npage_id = "1"\n',
        encoding="utf-8",
    )
    daemon = subprocess.Popen(
        [sys.executable, "-m", "social.cli", "--config", str(config), "run", *only],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "DYZUR_SECRET_QUIET__ACCESS_TOKEN": "made-up-of-nothing",
            "DYZUR_SECRET_QUIET__APP_SECRET": "made-up-too",
        },
    )
    try:
        assert daemon.stderr is not None
        said = []
        for line_ in daemon.stderr:
            said.append(line_)
            if "Stop with Ctrl-C" in line_:
                break
        else:
            raise SystemExit("the daemon did not start:\n" + "".join(said))
        time.sleep(10)
        first = resident(daemon.pid)
        time.sleep(50)
        second = resident(daemon.pid)
        print(
            f"social {' '.join(('run', *only))}, model loaded, at rest: {first / MEGABYTE:.0f} MB, "
            f"a minute later {second / MEGABYTE:.0f} MB"
        )
        return max(first, second)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=60)


def measure_pipeline() -> int | None:
    peer = subprocess.Popen(
        [sys.executable, "-c", PEER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert peer.stdout is not None
    if not any("ready" in line_ for line_ in peer.stdout):
        peer.wait()
        return None
    held = resident(peer.pid)
    peer.communicate("")
    print(f"Hugging Face pipeline, float32: {held / MEGABYTE:.0f} MB")
    return held


# --- growth ---------------------------------------------------------------------------------------------------------------


class Stream(FakeConnector):
    """An endless network in no memory at all: page ``n`` is made when it is asked for."""

    def __init__(self, clock: SteppedClock, *, page: int) -> None:
        super().__init__(clock)
        self.page = page
        natural = corpus_texts()
        self.asking = [text for level in ("normal", "high") for text in natural[level]]

    def fetch(self, cursor: Cursor) -> Page:
        number = int(cursor["page"]) if cursor else 0
        posts = tuple(self._posts_of(number)) if number else ()  # the first look only says since when we look
        return Page(posts=posts, cursor={"page": number + 1}, more=False)

    def thread(self, post: object) -> list[FetchedPost]:
        return []

    def refresh(self, posts: object) -> dict[str, FetchedPost]:
        return {}

    def _posts_of(self, number: int) -> Iterator[FetchedPost]:
        assert self.clock is not None
        now = self.clock.now()
        for index in range(number * self.page, (number + 1) * self.page):
            asks = index % NEEDS_PEOPLE == 0
            yield FetchedPost(
                native_id=f"post-{index}",
                author=Author(native_id=f"customer-{index % 250_000}", handle=f"customer{index % 250_000}"),
                text=self.asking[index % len(self.asking)] if asks else THANKS[index % len(THANKS)],
                created_at=now,
                thread_root=f"post-{index}",
                kind=PostKind.COMMENT,
                summoned=True,
                raw={"id": index},
            )


def growth(posts: int, *, model: bool) -> int:
    logging.disable(logging.CRITICAL)
    backend = TriageBackend.AUTO if model else TriageBackend.RULES
    with tempfile.TemporaryDirectory(prefix="dyzur-memory-") as folder:
        database = Database(f"sqlite:///{folder}/desk.db")
        schema.upgrade(database, now=BEGIN)
        clock = SteppedClock(BEGIN)
        page = 500
        desk = desk_for(
            database,
            clock,
            Stream(clock, page=page),
            classifier=load_classifier(backend=backend),
            # the real quick look: a test's stand-in keeps a list of all that it was asked
            fallback=load_classifier(backend=TriageBackend.RULES),
            first_polled_at=BEGIN - timedelta(minutes=1),
            poll_every=timedelta(minutes=1),
        )
        line.take_in(desk, clock.now())
        seen: list[tuple[int, int]] = []
        started = time.perf_counter()
        warm_up = WARM_UP_MODEL if model else posts // 10
        for done in range(page, warm_up + posts + page, page):
            clock.advance(timedelta(minutes=1))
            pass_through(desk, clock)
            if done % (posts // 40) < page:
                gc.collect()
                seen.append((done, resident()))
                print(f"{done:9} posts {seen[-1][1] / MEGABYTE:8.1f} MB", flush=True)
        seconds = time.perf_counter() - started
        database.close()
    counted = np.array([point for point in seen if point[0] > warm_up], dtype=float)
    slope = float(np.polyfit(counted[:, 0] / 100_000, counted[:, 1] / MEGABYTE, 1)[0])
    print(
        f"{posts} posts after {warm_up} with {'the model' if model else 'rules only'} in {seconds:.0f} s: memory grows by "
        f"{slope:+.2f} MB per 100,000 posts (promise: at most 1)"
    )
    return 0 if slope <= 1 else 1


def pass_through(desk: Desk, clock: SteppedClock) -> None:
    """Everything that is due, and people who close what came to them."""
    steps = (line.take_in, line.work_through, line.send_out)
    while sum(step(desk, clock.now()) for step in steps):
        pass
    closed = {"state": "closed", "closed_at": clock.now(), "close_reason": "answered by phone", "token": None}
    with desk.database.write() as session:
        session.connection().execute(update(t(EscalationRow)).where(active(EscalationRow)).values(closed))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("idle", "growth"))
    parser.add_argument("--model", action="store_true", help="growth: with the shipped model")
    parser.add_argument("--posts", type=int, help="growth: default 1,000,000, with the model 50,000")
    options = parser.parse_args()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if options.what == "idle":
        return idle()
    return growth(options.posts or (50_000 if options.model else 1_000_000), model=options.model)


if __name__ == "__main__":
    raise SystemExit(main())
