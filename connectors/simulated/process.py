"""Start, find and stop the simulator's process from the command line.

The process has a session of its own, so that it outlives a killed desk (customers do not vanish when our program dies);
whoever started it stops it at a normal end, and an orphan ends by itself after ``--idle-exit`` seconds of silence.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.simulated.library import WorldOptions
from social.clock import Anchor, monotonic
from social.domain.errors import DyzurError

START_SECONDS = 30.0
STOP_SECONDS = 10.0


#: Simulators started by this process: they are meant to go on without it, but while it is there it takes their exit
#: status.
_children: dict[int, subprocess.Popen[bytes]] = {}


class SimulatorError(DyzurError):
    """The simulator could not be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSimulator:
    """A simulator that answers. ``history`` is where it writes what happened."""

    port: int
    pid: int
    history: Path
    state_file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def base_url(self, network: str) -> str:
        """The ``base_url`` of a connector for this network."""
        return f"{self.url}/{network}"

    def get(self, action: str) -> dict[str, Any]:
        """Read from the control API, for instance ``get("clock")``. Raises ``OSError``."""
        return _call(f"{self.url}/_world/{action}")

    def post(self, action: str, **values: Any) -> dict[str, Any]:
        """Make something happen, for instance ``post("native-answer", parent=7, text="...")``. Raises ``OSError``."""
        return _call(f"{self.url}/_world/{action}", values)


def start_simulator(
    *,
    state_file: Path,
    history: Path,
    anchor: Anchor,
    options: WorldOptions | None = None,
    start: datetime | None = None,
    port: int = 0,
    idle_exit: float = 900.0,
    stop_at_exit: bool = True,
) -> RunningSimulator:
    """Start a simulator on a paced clock, or return the one that already runs for ``state_file`` and ``history``.

    ``start`` is the world time at which live posts begin (default: the anchor's; an existing history keeps its own).
    ``stop_at_exit``: end it when this process ends in order; a killed one leaves it alone.
    What the process complains about goes to ``<history>.stderr``. Raises ``SimulatorError``.
    """
    running = find_running(state_file)
    if running is not None:
        if running.history != history.absolute():
            raise SimulatorError(
                f"another world is running already (its history is {running.history})",
                resource=str(state_file),
                next_step="Stop it first.",
            )
        return _kept(running, stop_at_exit)
    chosen = options or WorldOptions()
    command = [
        *(sys.executable, "-m", "connectors.simulated", "--clock", "paced"),
        *("--port", str(port), "--history", str(history.absolute()), "--state", str(state_file.absolute())),
        *("--anchor-machine", anchor.machine.isoformat(), "--anchor-world", anchor.world.isoformat()),
        *("--speed", str(anchor.speed), "--idle-exit", str(idle_exit), "--seed", str(chosen.seed)),
        *("--posts-per-day", str(chosen.posts_per_day), "--outage", str(chosen.outage)),
        *("--history-posts-per-day", str(chosen.history_posts_per_day)),
        *(() if chosen.scene else ("--no-scene",)),
        *(("--start", start.isoformat()) if start is not None else ()),
    ]
    complaints = history.with_name(f"{history.name}.stderr")
    ready = _launch(command, complaints)
    running = RunningSimulator(
        port=ready["port"], pid=ready["pid"], history=history.absolute(), state_file=state_file.absolute()
    )
    return _kept(running, stop_at_exit)


def find_running(state_file: Path) -> RunningSimulator | None:
    """The simulator that ``state_file`` tells of, if it is that process that answers there; a stale file means
    ``None``.
    """
    try:
        state = json.loads(state_file.read_text(encoding="utf-8"))
        running = RunningSimulator(
            port=state["port"], pid=state["pid"], history=Path(state["history"]), state_file=state_file.absolute()
        )
        return running if running.get("health")["pid"] == running.pid else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def stop(running: RunningSimulator) -> bool:
    """End the simulator and wait until it is gone. ``False`` where it was gone before or did not end in time."""
    if find_running(running.state_file) != running:
        return False
    with suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    deadline = monotonic() + STOP_SECONDS
    pause = threading.Event()
    while monotonic() < deadline:
        _reap()
        if find_running(running.state_file) is None and not _alive(running.pid):
            return True
        pause.wait(0.05)
    return False


def _kept(running: RunningSimulator, stop_at_exit: bool) -> RunningSimulator:
    if stop_at_exit:
        atexit.register(stop, running)
    return running


def _launch(command: Sequence[str], complaints: Path) -> dict[str, Any]:
    """Start the process in a session of its own and wait for its ready line."""
    _reap()
    with complaints.open("ab") as errors:
        process = subprocess.Popen(  # noqa: S603 our own module and numbers, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            env=_environment(),
        )
    assert process.stdout is not None
    line = _first_line(process.stdout.readline, START_SECONDS)
    process.stdout.close()
    try:
        ready: dict[str, Any] = json.loads(line)
        _children[process.pid] = process
        return {"port": int(ready["port"]), "pid": int(ready["pid"])}
    except (ValueError, KeyError, TypeError):
        process.kill()
        process.wait()
        said = complaints.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise SimulatorError(
            f"the simulator did not start: {said[-1] if said else 'it said nothing'}", resource=str(complaints)
        ) from None


def _first_line(read: Callable[[], bytes], seconds: float) -> bytes:
    """The first line that ``read`` gives, or nothing after ``seconds``."""
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=lambda: lines.put(read()), daemon=True).start()
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        return b""


def _environment() -> dict[str, str]:
    """Ours, with the packages of this very tree first, so that the child runs the same code from any directory."""
    tree = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{known}" if known else tree}


def _call(url: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
    body = None if values is None else json.dumps(values).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 always http://127.0.0.1
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy
    try:
        with opener.open(request, timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        with error:
            said = error.read().decode(errors="replace")
        raise OSError(f"{url}: {error.code} {said}") from None


def _alive(pid: int) -> bool:
    """Is the process still doing anything? A zombie that nobody reaps (containers without an init) is gone."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except (OSError, IndexError):  # not ours to signal, or no /proc here
        return True


def _reap() -> None:
    """Take the exit status of children that ended, or they would look alive as zombies."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            del _children[pid]
