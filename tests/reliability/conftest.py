"""One nursery for all tests here, and places that are gone after a test."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from social.store.session import Database
from tests.reliability.daemons import Nursery, Place, a_place


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    opened = Nursery()
    yield opened
    opened.close()


@pytest.fixture
def open_place(nursery: Nursery, tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """``open_place(database, only="facebook")``: see ``daemons.a_place``."""
    with ExitStack() as stack:

        def opened(database: Database, **how: object) -> Place:
            return stack.enter_context(a_place(tmp_path, nursery, database, **how))  # type: ignore[arg-type]

        yield opened


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Another one each time, unless ``DYZUR_SEED`` gives that of a run that failed. Shown where a test fails."""
    import os

    chosen = int(os.environ.get("DYZUR_SEED") or random.randrange(1_000_000))
    print(f"DYZUR_SEED={chosen}")
    return chosen
