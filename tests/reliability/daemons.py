"""A shop's desk on simulated networks that outlive it: daemons are started, killed, paused, and go on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.simulated import process
from connectors.simulated.library import WorldOptions
from social.cli.opening import free_port, with_port
from social.clock import Anchor, machine_now
from social.engine.failpoints import VARIABLE
from social.engine.schedule import PARTS
from social.settings import shipped_config
from social.store import control
from social.store.session import Database
from social.store.tables import ProfileRow
from tests.cast import at
from tests.cli.processes import environment
from tests.engine.looking import eventually, rows

#: World seconds in a machine second: the customer's hour is a minute, a lease of three seconds three minutes.
SPEED = 60
START = at("2026-11-20 10:00")
#: Nobody writes by themselves: who writes, and when, is the test's affair.
QUIET = WorldOptions(posts_per_day=0, history_posts_per_day=0, outage="none", scene=False)
#: A whole answer of a network takes no longer; three of them and a bit is what an intent waits before it is looked up.
TOTAL_TIMEOUT = 2.0


class Nursery:
    """The process that forks daemons (``nursery.py``), and what became of them."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(),
            cwd=Path(__file__).parents[2],
        )
        self.ended: dict[int, int] = {}
        self.stopped: set[int] = set()
        self._started: list[int] = []
        self._ready = threading.Event()
        self._news = threading.Thread(target=self._listen, daemon=True)
        self._news.start()
        assert self._ready.wait(120), "the nursery did not start"

    def fork(
        self, folder: Path, log: str, *, parts: Sequence[str] = PARTS, naive: bool = False, **environment: str
    ) -> int:
        order = {"folder": str(folder), "log": log, "parts": list(parts), "naive": naive, "environment": environment}
        known = len(self._started)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        eventually(lambda: len(self._started) > known, what="the fork of a daemon")
        return self._started[known]

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            news = json.loads(line)
            if "started" in news:
                self._started.append(news["started"])
            elif "stopped" in news:
                self.stopped.add(news["stopped"])
            elif "ended" in news:
                self.ended[news["ended"]] = news["code"]
            else:
                self._ready.set()

    def close(self) -> None:
        """End it and all that it forked."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._news.join(60)
        assert self._process.stdout is not None
        self._process.stdout.close()


def _environment() -> dict[str, str]:
    """That of every process of a test, but the speed stands in the configuration; a numeric library's threads would not
    survive a fork."""
    kept = {name: value for name, value in environment().items() if name != "DYZUR_CLOCK__SPEED"}
    return {**kept, "OPENBLAS_NUM_THREADS": "1"}


@dataclass
class Daemon:
    """One forked daemon."""

    nursery: Nursery
    pid: int

    @property
    def lives(self) -> bool:
        return self.pid not in self.nursery.ended

    @property
    def paused(self) -> bool:
        return self.lives and self.pid in self.nursery.stopped

    @property
    def code(self) -> int:
        """How it ended; minus the signal where one ended it."""
        return self.nursery.ended[self.pid]

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        eventually(lambda: not self.lives, what="the end of a killed daemon")

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.nursery.stopped.discard(self.pid)
        self._signal(signal.SIGCONT)

    def end_in_order(self, seconds: float) -> int:
        """SIGTERM; the exit code."""
        self._signal(signal.SIGTERM)
        eventually(lambda: not self.lives, seconds=seconds, what="the end of a daemon that was told to stop")
        return self.code

    def _signal(self, number: int) -> None:
        if self.lives:
            os.kill(self.pid, number)


@dataclass
class Place:
    """A folder with a configuration, a database and running networks. ``database`` is a connection of our own to look at."""

    folder: Path
    nursery: Nursery
    networks: process.RunningSimulator
    database: Database
    anchor: Anchor
    daemons: list[Daemon] = field(default_factory=list)

    def start(self, failpoints: str = "", *, parts: Sequence[str] = PARTS, naive: bool = False) -> Daemon:
        """A daemon with these ``parts``; ``naive``: the sender that the checker must catch (``naive.py``)."""
        # the URL of a server holds a password, which must not stand in the file
        url = self.database.url.render_as_string(hide_password=False)
        given = {VARIABLE: failpoints, "DYZUR_DATABASE__URL": url}
        self.daemons.append(
            Daemon(self.nursery, self.nursery.fork(self.folder, "log", parts=parts, naive=naive, **given))
        )
        return self.daemons[-1]

    @property
    def now(self) -> datetime:
        return self.anchor.world + (machine_now() - self.anchor.machine) * self.anchor.speed

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def secrets(self) -> list[str]:
        """What must be in no log: the credentials' values and the key that seals the others."""
        files = [*(self.folder / "var" / "demo-secrets").glob("*.toml"), *self.folder.rglob("*.key")]
        texts = [file.read_text(encoding="utf-8") for file in files]
        return [value for text in texts for value in re.findall(r'"(.+)"', text) or text.split()]

    def first_polls(self) -> None:
        """Wait until the running daemon has read every profile once: what was there before is history, never answered."""

        def read() -> bool:
            profiles = rows(self.database, ProfileRow)
            return bool(profiles) and all(profile.first_polled_at is not None for profile in profiles)

        eventually(lambda: read() or not self.daemons[-1].lives, seconds=120, what="the first poll of every profile")
        assert self.daemons[-1].lives, f"a daemon ended with code {self.daemons[-1].code}; its log is {self.log}"

    def post(self, **values: Any) -> dict[str, Any]:
        """A customer writes."""
        return self.networks.post("post", **values)


@contextmanager
def a_place(
    folder: Path, nursery: Nursery, database: Database, *, only: str = "", speed: float = SPEED
) -> Iterator[Place]:
    """Open around the clock, every post acknowledged at once; all networks, or ``only`` this one. Ends what it started."""
    port = free_port()
    (folder / "config.toml").write_text(_config(port, only, speed), encoding="utf-8")
    (folder / "var").mkdir(exist_ok=True)
    anchor = Anchor(machine=machine_now(), world=START, speed=speed)
    with database.write() as session:
        control.set_clock(session, mode="paced", anchor=anchor)
    networks = process.start_simulator(
        state_file=folder / "var" / "simulator.json",
        history=folder / "var" / "simulator-history.jsonl",
        anchor=anchor,
        options=QUIET,
        start=START,
        port=port,
    )
    # nothing but the desk keeps a text from being published twice
    networks.post("accept-repeats")
    place = Place(folder, nursery, networks, database, anchor)
    try:
        yield place
    finally:
        for daemon in place.daemons:
            daemon.kill()
        left = process.find_running(networks.state_file)
        if left is not None:
            process.stop(left)


def _config(port: int, only: str, speed: float) -> str:
    text = with_port(shipped_config(), port)
    if only:
        head, *profiles = text.split("[[profiles]]")
        last, separator, tail = profiles[-1].partition("# --- how the networks")
        kept = [table for table in [*profiles[:-1], last] if f'connector = "{only}"' in table]
        text = "[[profiles]]".join([head, *kept]) + separator + tail
    changes = {
        r"^start = .*": f"start = {START.isoformat()}",
        r"^speed = .*": f"speed = {speed}",
        r'^# backend = "auto"': 'backend = "rules"',
        r"^# acknowledge_after = .*": 'acknowledge_after = "0m"',
        r"^# urgent_acknowledge_after = .*": 'urgent_acknowledge_after = "0m"',
        r"^# per_author_an_hour = .*": "per_author_an_hour = 100",
        r"^# per_profile_an_hour = .*": "per_profile_an_hour = 10000",
        r"^mon-fri = .*": 'mon-sun = ["00:00-24:00"]',
        r"^holidays = .*": "",
        r"^closed_dates = .*": "",
        r'^"2026-11-29" = .*': "",
        r"^poll_every = .*": 'poll_every = "30s"',
        r"^(base_url = .*)": rf"\1\ntimeout = {TOTAL_TIMEOUT / 2}\ntotal_timeout = {TOTAL_TIMEOUT}",
    }
    for pattern, replacement in changes.items():
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        assert count, f"{pattern} stands no more in the shipped configuration"
    return text
