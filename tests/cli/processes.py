"""The program as people start it: a process of its own, in a folder of its own, on a port of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.simulated.process import RunningSimulator, find_running
from social.cli.opening import free_port, with_port
from social.settings import shipped_config
from tests.engine.looking import eventually

TREE = Path(__file__).parents[2]
#: Fast enough for a test, slow enough for the customer's hour: a minute of the world in a quarter of a second.
SPEED = 240


def environment(**more: str) -> dict[str, str]:
    """Ours without any DYZUR_* of this machine; rules only, since no promise here is about the model."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DYZUR_")}
    return {
        **kept,
        "PYTHONPATH": str(TREE),
        "DYZUR_TRIAGE__BACKEND": "rules",
        "DYZUR_WEB__PORT": "0",
        "DYZUR_CLOCK__SPEED": str(SPEED),
        "LC_ALL": "C.UTF-8",
        **more,
    }


def social(*arguments: str, cwd: Path, timeout: float = 120, **more: str) -> subprocess.CompletedProcess[str]:
    """One command, to its end; killed after ``timeout`` seconds."""
    command = [sys.executable, "-m", "social.cli", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment(**more), capture_output=True, text=True, timeout=timeout, check=False
    )


@dataclass
class Shop:
    """A folder with a config.toml, and the daemons that were started in it."""

    folder: Path
    port: int
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def make(cls, folder: Path, *, only: str = "", poll_every: str = "1m") -> Shop:
        """The shipped configuration; with ``only``, this one of its profiles."""
        port = free_port()
        text = with_port(shipped_config(), port).replace('poll_every = "5m"', f'poll_every = "{poll_every}"')
        if only:
            head, *profiles = text.split("[[profiles]]")
            last, separator, networks = profiles[-1].partition("# --- how the networks")
            kept = [table for table in [*profiles[:-1], last] if f'connector = "{only}"' in table]
            text = "[[profiles]]".join([head, *kept]) + separator + networks
        (folder / "config.toml").write_text(text, encoding="utf-8")
        return cls(folder, port)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    @property
    def state_file(self) -> Path:
        return self.folder / "var" / "simulator.json"

    def run(self, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        """``social run``, its words in ``log`` (appended); ``more`` in its environment."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "social.cli", "--config", "config.toml", "run", *arguments],
                cwd=self.folder,
                env=environment(**more),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.started.append(process)
        return process

    def logs(self, *words: str, after: int = 0) -> None:
        """Wait until each of ``words`` stands in the log (behind its first ``after`` characters)."""
        for word in words:
            eventually(lambda word=word: word in self.log[after:] or self._died(), what=f"{word!r} in the log")
            assert word in self.log[after:], self.log

    def _died(self) -> bool:
        return self.started[-1].poll() is not None

    @property
    def networks(self) -> RunningSimulator:
        eventually(lambda: find_running(self.state_file), what="the start of the simulated networks")
        found = find_running(self.state_file)
        assert found is not None
        return found

    def published(self) -> list[dict[str, Any]]:
        """What came into the simulated networks from outside, from their own history."""
        lines: list[dict[str, Any]] = self.networks.get("history")["lines"]
        return [line for line in lines if line.get("event") == "publish"]

    def replies_to(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        return [line for line in self.published() if line["via"] == "api" and line["parent"] == asked["sequence"]]

    def close(self) -> None:
        """End what this shop started, and nothing else."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
        left = find_running(self.state_file)
        if left is not None:
            os.kill(left.pid, signal.SIGTERM)
            eventually(lambda: find_running(self.state_file) is None, what="the end of the simulated networks")


def lines_of(log: str, word: str) -> Sequence[str]:
    return [line for line in log.splitlines() if word in line]
