"""What the simulator promises as a process: it outlives who is killed, comes back from its file, and never stays behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.simulated.library import WorldOptions
from connectors.simulated.process import RunningSimulator, SimulatorError, find_running, start_simulator, stop
from social.clock import Anchor, machine_now

WORLD = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
CALM = WorldOptions(posts_per_day=20, history_posts_per_day=2, outage="none")


@pytest.fixture
def anchor() -> Anchor:
    return Anchor(machine=machine_now(), world=WORLD, speed=600)


@pytest.fixture
def running(tmp_path: Path, anchor: Anchor) -> Iterator[RunningSimulator]:
    simulator = start_simulator(
        state_file=tmp_path / "state.json", history=tmp_path / "history.jsonl", anchor=anchor, options=CALM
    )
    yield simulator
    left = find_running(simulator.state_file)
    if left is not None:
        assert stop(left)


def test_it_starts_is_found_and_stops(running: RunningSimulator, anchor: Anchor) -> None:
    assert find_running(running.state_file) == running
    assert os.getsid(running.pid) != os.getsid(0)
    again = start_simulator(state_file=running.state_file, history=running.history, anchor=anchor, options=CALM)
    assert again == running
    assert stop(running)
    assert find_running(running.state_file) is None
    assert not running.state_file.exists()
    assert not stop(running)


def test_it_comes_back_from_its_history_after_a_kill(running: RunningSimulator, anchor: Anchor) -> None:
    network = running.get("posts")["posts"][0]["network"]
    question = running.post("post", network=network, text="Jest mydło?", author="ola_wrona")
    running.post("native-answer", parent=question["sequence"], text="Jest. Hanna")
    thread = running.get(f"thread?root={question['sequence']}")
    os.kill(running.pid, signal.SIGKILL)
    os.waitpid(running.pid, 0)
    assert find_running(running.state_file) is None

    again = start_simulator(state_file=running.state_file, history=running.history, anchor=anchor, options=CALM)
    assert again.pid != running.pid
    assert again.get(f"thread?root={question['sequence']}")["posts"][:2] == thread["posts"][:2]
    assert datetime.fromisoformat(again.get("clock")["now"]) > datetime.fromisoformat(question["created_at"])


def test_it_says_why_it_did_not_start(running: RunningSimulator, anchor: Anchor, tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match="another simulator"):
        start_simulator(state_file=tmp_path / "other.json", history=running.history, anchor=anchor, options=CALM)
    with pytest.raises(SimulatorError, match="another world is running"):
        start_simulator(state_file=running.state_file, history=tmp_path / "other.jsonl", anchor=anchor)
    with pytest.raises(OSError, match="409"):
        running.post("step", seconds=1)


def test_it_ends_by_itself_when_nobody_asks_any_more(tmp_path: Path) -> None:
    process = subprocess.run(
        [
            *(sys.executable, "-m", "connectors.simulated", "--history", str(tmp_path / "history.jsonl")),
            *("--clock", "stepped", "--start", WORLD.isoformat(), "--idle-exit", "0.1", "--history-posts-per-day", "1"),
        ],
        capture_output=True,
        timeout=60,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    ready = json.loads(process.stdout)
    assert ready["port"] > 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--clock", "paced"], "--anchor-machine"),
        (["--clock", "stepped"], "--start"),
        (["--clock", "stepped", "--start", "2026-11-20"], "--start must be an ISO time with its offset"),
        (["--clock", "real", "--outage", "soon"], "soon"),
    ],
)
def test_it_names_the_argument_that_is_wrong(
    arguments: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from connectors.simulated.__main__ import main

    with pytest.raises(SystemExit) as ended:
        main(["--history", str(tmp_path / "history.jsonl"), *arguments])
    assert ended.value.code == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize(("ending", "left"), [("", False), ("os.kill(os.getpid(), 9)", True)])
def test_it_ends_with_who_started_it_in_order_and_outlives_who_is_killed(
    ending: str, left: bool, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    program = (
        "import os; from pathlib import Path; from datetime import UTC, datetime\n"
        "from connectors.simulated.process import start_simulator; from social.clock import Anchor, machine_now\n"
        "anchor = Anchor(machine=machine_now(), world=datetime(2026, 11, 20, tzinfo=UTC), speed=60)\n"
        f"start_simulator(state_file=Path({str(state)!r}), history=Path({str(tmp_path / 'history')!r}), anchor=anchor)\n"
        f"{ending}\n"
    )
    subprocess.run([sys.executable, "-c", program], check=not left, timeout=60, cwd=Path(__file__).parents[2])
    orphan = find_running(state)
    assert (orphan is not None) is left
    if orphan is not None:
        assert stop(orphan)


def test_it_does_not_mistake_another_process_for_its_own(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    assert find_running(state) is None
    state.write_text("{broken")
    assert find_running(state) is None
    state.write_text(json.dumps({"port": 9, "pid": os.getpid(), "history": "x"}))
    assert find_running(state) is None


def test_it_starts_live_posts_where_it_is_told(tmp_path: Path, anchor: Anchor) -> None:
    simulator = start_simulator(
        state_file=tmp_path / "state.json",
        history=tmp_path / "history.jsonl",
        anchor=anchor,
        options=CALM,
        start=WORLD - timedelta(days=1),
    )
    try:
        head = simulator.get("history")["lines"][0]
    finally:
        assert stop(simulator)
    assert datetime.fromisoformat(head["start"]) == WORLD - timedelta(days=1)
