"""`social demo`: a shop in a folder that is gone afterwards, and the self-test that keeps every promise."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.simulated.process import find_running
from tests.cli.processes import environment, social
from tests.engine.looking import eventually


def test_it_lives_in_a_folder_of_its_own_that_is_gone_when_it_is_stopped(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as words:
        process = subprocess.Popen(
            [sys.executable, "-m", "social.cli", "demo", "--rules-only", "--speed", "300", "--seed", "7"],
            cwd=tmp_path,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
        )
    try:
        eventually(lambda: "polled " in log.read_text() or process.poll() is not None, what="the first poll")
        said = log.read_text()
        found = re.search(r"This demo lives in (\S+) and is gone", said)
        assert found is not None, said
        folder = Path(found[1])
        assert "300 times as fast" in said
        assert f"python -m social.cli --config {folder}/config.toml queue list" in said
        networks = find_running(folder / "var" / "simulator.json")
        assert networks is not None
        assert networks.get("history")["lines"][0]["options"]["seed"] == 7

        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
        assert not folder.exists()
        assert find_running(networks.state_file) is None
        assert [entry.name for entry in tmp_path.iterdir()] == ["log"]
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_it_keeps_every_promise_in_a_simulated_week(tmp_path: Path) -> None:
    done = social("demo", "--selftest", "--json", cwd=tmp_path, timeout=1200)

    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert report["kept"] is True
    assert len(report["checks"]) == 11
    assert [check["broken"] for check in report["checks"]] == [[]] * 11
    assert all(check["checked"] > 0 for check in report["checks"])
    inbound = report["checks"][0]
    assert inbound["promise"].startswith("every inbound post ends as")
    assert inbound["checked"] > 1500
    assert report["counts"]["people's answers"] > 0
    assert list(tmp_path.iterdir()) == []
