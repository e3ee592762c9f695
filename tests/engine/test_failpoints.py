"""The named points: each is passed by the line as it runs, none costs anything when off, and a wrong name is told."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from social.clock import SteppedClock
from social.domain.assessment import Urgency
from social.domain.errors import Uncertain, UsageError
from social.engine import failpoints, line
from social.engine.failpoints import POINTS
from social.engine.schedule import run_stepped
from social.store.session import Database
from tests.cast import ANNA, PIOTR, at
from tests.cli.processes import social
from tests.engine.on_call import FakeNotifier, on_call
from tests.factories import desk_for, post
from tests.fakes import FakeClassifier, FakeConnector
from tests.story.telling import leases_run_out

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _off_again() -> Iterator[None]:
    yield
    failpoints.arm("")


def names_in_the_code() -> set[str]:
    found: set[str] = set()
    for file in (ROOT / "social").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr == "reach":
                values = [item.value for item in ast.walk(node) if isinstance(item, ast.Constant)]
                found |= {value for value in values if isinstance(value, str)}
    return found


def test_every_point_in_the_table_stands_in_the_code_and_every_one_in_the_code_in_the_table() -> None:
    assert names_in_the_code() == set(POINTS)


def test_the_line_passes_through_every_point_of_the_table(database: Database) -> None:
    """A stepped afternoon: several pages at once after a silence, an urgent case that rings, a reply that is lost."""
    clock = SteppedClock(at("2026-11-20 10:00"))
    network, mail = FakeConnector(clock, page_size=1), FakeNotifier(clock)
    desk = desk_for(database, clock, network, classifier=FakeClassifier().judges("pilne", urgency=Urgency.CRITICAL))
    desk.on_call = on_call(mail)
    network.publishes(post("To pilne: gdzie jest paczka?", when=at("2026-11-20 09:58"), by=ANNA))
    network.publishes(post("Kiedy otwieracie?", when=at("2026-11-20 09:59"), by=PIOTR))
    network.fails("reply", Uncertain("time-out"))
    failpoints.arm(",".join(f"{name}=count" for name in POINTS))

    run_stepped(desk, clock, until=at("2026-11-20 10:50"))
    leases_run_out(database)
    run_stepped(desk, clock, until=at("2026-11-20 11:00"))

    assert {name for name, count in failpoints.passes().items() if count == 0} == set()
    assert len(network.public_replies) == 2


def test_nothing_is_counted_where_nothing_was_asked_for(database: Database) -> None:
    clock = SteppedClock(at("2026-11-20 10:00"))
    desk = desk_for(database, clock, FakeConnector(clock))
    failpoints.arm("")
    assert line.take_in(desk, clock.now()) == 1
    assert failpoints.passes() == {}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("deliver.after-wrie=kill", "there is no point 'deliver.after-wrie'"),
        ("deliver.after-wire", "'deliver.after-wire' cannot be done"),
        ("deliver.after-wire=explode", "'deliver.after-wire=explode' cannot be done"),
        ("deliver.after-wire=kill@0", "cannot be done"),
        ("poll.fetched=stop@2, deliver.after-wire=kill@often", "cannot be done"),
    ],
)
def test_a_wrong_word_is_told_before_anything_starts(words: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)) as told:
        failpoints.arm(words)
    assert failpoints.VARIABLE in str(told.value)
    assert failpoints.passes() == {}


def test_a_daemon_with_a_wrong_word_does_not_start(tmp_path: Path) -> None:
    done = social("run", cwd=tmp_path, **{failpoints.VARIABLE: "poll.fetchd=kill"})
    assert done.returncode == UsageError.exit_code
    assert "DYZUR_FAILPOINTS: there is no point 'poll.fetchd'" in done.stderr
    assert not (tmp_path / "var").exists()


def test_a_process_dies_at_the_pass_that_was_named_and_not_before() -> None:
    said, _ = (killed := passing(3, "poll.fetched=kill@3")).communicate(timeout=60)
    assert (killed.returncode, said.split()) == (-signal.SIGKILL, ["1", "2"])


def test_a_process_pauses_at_the_pass_that_was_named_and_goes_on_when_told() -> None:
    paused = passing(3, "poll.fetched=stop@2")
    _, status = os.waitpid(paused.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    os.kill(paused.pid, signal.SIGCONT)
    said, _ = paused.communicate(timeout=60)
    assert (paused.returncode, said.split()) == (0, ["1", "2", "3"])


def passing(times: int, words: str) -> subprocess.Popen[str]:
    """A process that passes through ``poll.fetched`` and counts aloud."""
    code = (
        "from social.engine import failpoints\n"
        "failpoints.arm_from_environment()\n"
        f"for number in range(1, {times + 1}):\n"
        "    failpoints.reach('poll.fetched')\n"
        "    print(number, flush=True)\n"
    )
    environment = {**os.environ, failpoints.VARIABLE: words, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
