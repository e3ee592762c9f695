"""What the default daemon does not carry: torch and transformers, also where they are installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.processes import environment

#: A poll cycle as the shipped configuration makes it: the simulated networks, the default model, one post judged.
CYCLE = """
import sys, tempfile
from datetime import timedelta
from pathlib import Path
from connectors.simulated.server import SimulatedServer
from connectors.simulated.world import World, WorldOptions
from social.cli.demo_secrets import ensure_demo_secrets
from social.clock import SteppedClock
from social.engine import build
from social.engine.schedule import run_stepped
from social.settings import load_settings

settings = load_settings(Path("config.toml"))
clock = SteppedClock(settings.clock.start)
with tempfile.TemporaryDirectory() as folder, SimulatedServer(World(start=clock.now(), options=WorldOptions()), clock) as server:
    networks = {kind: {**table, "base_url": server.base_url(kind)} for kind, table in settings.connectors.items()}
    changed = {"home": Path(folder), "connectors": networks}
    settings = settings.model_copy(update=changed)
    ensure_demo_secrets(settings)
    database = build.open_database(settings)
    build.prepare_database(database)
    desk = build.open_desk(settings, database, clock)
    run_stepped(desk, clock, until=clock.now() + timedelta(minutes=6))
    print(desk.classifier.identity.id, "torch" in sys.modules, "transformers" in sys.modules)
    desk.close()
"""


def after_a_poll_cycle() -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", CYCLE],
        cwd=Path(__file__).parents[2],
        env=environment(DYZUR_TRIAGE__BACKEND="auto"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-3:]


def test_it_has_judged_with_the_shipped_model_without_torch_and_transformers() -> None:
    assert after_a_poll_cycle() == ["dyzur-triage-small", "False", "False"]


@pytest.mark.torch
def test_it_has_not_imported_torch_where_torch_is_installed() -> None:
    import importlib.util

    assert importlib.util.find_spec("torch") is not None
    assert after_a_poll_cycle() == ["dyzur-triage-small", "False", "False"]
