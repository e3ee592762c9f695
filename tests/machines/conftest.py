"""PostgreSQL for whoever needs no SQLite beside it, and processes that end with their test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from social.store.session import Database
from tests.cli.conftest import own_environment, shop, social
from tests.cli.processes import TREE, environment

__all__ = ["own_environment", "shop", "social"]  # the command line's fixtures serve here, too

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def server(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh, migrated PostgreSQL database."""
    url: str = request.getfixturevalue("_postgres_template")()
    return url


@pytest.fixture
def machine(server: str) -> Iterator[Callable[[], Database]]:
    """Connections to it, each as another machine would have it."""
    opened: list[Database] = []

    def open_another() -> Database:
        opened.append(Database(server))
        return opened[-1]

    yield open_another
    for database in opened:
        database.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """``start("module", *arguments)``: a Python process, its words in ``log``; killed at the end of the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(module: str, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], cwd=TREE, env=environment(**more), stdout=log, stderr=log
            )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
