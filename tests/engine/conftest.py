"""What several files of the engine's tests begin with; a file with another clock has its own."""

from __future__ import annotations

import pytest

from social.clock import SteppedClock
from social.store.session import Database
from tests.engine.one_text import ASKED, Told
from tests.fakes import FakeConnector


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(ASKED)


@pytest.fixture
def network(clock: SteppedClock) -> FakeConnector:
    return FakeConnector(clock)


@pytest.fixture
def told(database: Database, clock: SteppedClock, network: FakeConnector) -> Told:
    return Told(database, clock, network)
