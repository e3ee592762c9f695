"""Tests marked `real` run against real servers. Where they cannot, they are skipped, and the run says so aloud."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest

from connectors.bluesky import BlueskyConnector
from social.clock import RealClock
from social.ports import Clock, ConnectorContext, Secrets
from tests.real.bluesky_network import Account, BlueskyNetwork, NetworkUnavailable, bluesky_network
from tests.real.losing_proxy import losing_answers

_HERE = Path(__file__).parent
_missing: list[str] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.real)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reason in _missing:
        terminalreporter.write_line(f"NOT TESTED AGAINST THE REAL BLUESKY: {reason}", red=True, bold=True)


@pytest.fixture(scope="session")
def network() -> Iterator[BlueskyNetwork]:
    """The servers, started once a session. DYZUR_REAL=required turns the skip into a failure (for CI)."""
    running = bluesky_network()
    try:
        started = running.__enter__()
    except NetworkUnavailable as error:
        _missing.append(str(error))
        if os.environ.get("DYZUR_REAL") == "required":
            pytest.fail(f"DYZUR_REAL=required, but {error}", pytrace=False)
        pytest.skip(str(error))
    try:
        yield started
    finally:
        running.__exit__(None, None, None)


@pytest.fixture(scope="session")
def new_account(network: BlueskyNetwork) -> Iterator[Callable[[str], Account]]:
    """Every test takes its own accounts, so that none sees another's notifications."""
    numbers = count(1)
    made: list[Account] = []

    def make(name: str) -> Account:
        made.append(network.create_account(f"{name}{next(numbers)}"))
        return made[-1]

    yield make
    for account in made:
        account.client.request.close()


@pytest.fixture
def brand(new_account: Callable[[str], Account]) -> Account:
    return new_account("brand")


@pytest.fixture
def customer(new_account: Callable[[str], Account]) -> Account:
    return new_account("customer")


@pytest.fixture
def answers_lost(network: BlueskyNetwork) -> Iterator[Callable[[str], BlueskyNetwork]]:
    """The same network over a line that loses the answers to some paths, after the server has done its work."""
    with ExitStack() as proxies:
        yield lambda path: replace(network, pds=proxies.enter_context(losing_answers(network.pds, path)))


class KeptInMemory:
    """A credential store that remembers what was saved."""

    def __init__(self, **parts: str) -> None:
        self.parts = dict(parts)

    def load(self, name: str) -> Secrets:
        return Secrets(self.parts)

    def save(self, name: str, parts: Mapping[str, str]) -> None:
        self.parts.update(parts)


class Opener(Protocol):
    def __call__(
        self,
        account: Account,
        network: BlueskyNetwork | None = None,
        store: KeptInMemory | None = None,
        clock: Clock | None = None,
        **settings: Any,
    ) -> BlueskyConnector: ...


@pytest.fixture
def open_for(network: BlueskyNetwork) -> Iterator[Opener]:
    """Open connectors for an account; all are closed after the test."""
    here = network
    opened: list[BlueskyConnector] = []

    def open_one(
        account: Account,
        network: BlueskyNetwork | None = None,
        store: KeptInMemory | None = None,
        clock: Clock | None = None,
        **settings: Any,
    ) -> BlueskyConnector:
        context = ConnectorContext(
            profile="shop-bluesky",
            options={"handle": account.handle},
            settings={"base_url": (network or here).pds, **settings},
            credential="shop",
            credentials=store or KeptInMemory(app_password=account.password),
            clock=clock or RealClock(),
        )
        opened.append(BlueskyConnector.open(context))
        return opened[-1]

    yield open_one
    for connector in opened:
        connector.close()


# a desk with its people, as the pages' own tests have it
from tests.web.conftest import make_shop, password_hash  # noqa: E402, F401 - fixtures
