"""What commands open first: the configuration, the database, the world's clock."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from social.domain.errors import ConfigurationError, StoreError
from social.ports import Clock
from social.settings import ClockMode, Settings, load_settings
from social.store.session import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An upgraded database with the clock that it lives by."""

    settings: Settings
    database: Database
    clock: Clock


@contextmanager
def opened_store(config: Path | None) -> Iterator[Opened]:
    """For commands that look at or change the queue. They never make a database: ``social run`` does."""
    from social.engine import build
    from social.store import schema

    settings = load_settings(config)
    missing = _missing_file(settings)
    if missing is not None:
        raise StoreError(
            "there is no database yet.", resource=str(missing), next_step="Start the desk once: social run"
        )
    database = build.open_database(settings)
    try:
        schema.require_current(database)
        yield Opened(settings=settings, database=database, clock=_clock_of(settings, database))
    finally:
        database.close()


@contextmanager
def opened_for_a_look(config: Path | None) -> Iterator[Opened]:
    """As ``opened_store``; where there is no database yet, one that is gone afterwards: looking needs none."""
    from social.engine import build

    settings = load_settings(config)
    if _missing_file(settings) is None:
        with opened_store(config) as opened:
            yield opened
        return
    with tempfile.TemporaryDirectory(prefix="dyzur-look-") as folder:
        url = f"sqlite:///{folder}/look.db"
        passing = settings.model_copy(update={"database": settings.database.model_copy(update={"url": url})})
        database = build.open_database(passing)
        try:
            build.prepare_database(database)
            yield Opened(settings=passing, database=database, clock=_clock_of(passing, database))
        finally:
            database.close()


def world_now(settings: Settings) -> datetime:
    """The world's time: the machine's, or what the demo's clock (kept in its database) shows."""
    from social.clock import machine_now
    from social.engine import build

    if settings.clock.mode is ClockMode.REAL or settings.clock.start is None:
        return machine_now()
    if _missing_file(settings) is not None:
        return settings.clock.start.astimezone(UTC)
    database = build.open_database(settings)
    try:
        return _clock_of(settings, database).now()
    finally:
        database.close()


def _missing_file(settings: Settings) -> Path | None:
    """The SQLite file that is not there yet. Asked before a database is opened, since opening makes its folder."""
    name = settings.database.url.removeprefix("sqlite:///")
    if name == settings.database.url or settings.path(name).exists():
        return None
    return settings.path(name)


def _clock_of(settings: Settings, database: Database) -> Clock:
    """The clock of the running daemon. A simulated world stands still while none runs: then it is its latest time."""
    from social.clock import SteppedClock, machine_now
    from social.engine import build
    from social.store import control

    if settings.clock.mode is ClockMode.PACED:
        with database.read() as session:
            alive = control.running(session, at=machine_now())
            found = control.clock_anchor(session)
        if not alive and found is not None and found[2] is not None:
            return SteppedClock(found[2])
    return build.open_clock(settings, database)


def simulator_port(settings: Settings) -> int:
    """The one loopback port that all ``[connectors.*] base_url`` of a simulated configuration share."""
    ports = {urlsplit(str(table["base_url"])).port for table in settings.connectors.values() if table.get("base_url")}
    ports.discard(None)
    if settings.clock.mode is not ClockMode.PACED or len(ports) != 1:
        raise ConfigurationError(
            "the simulated networks need one port for all.",
            resource="[connectors.*] base_url",
            next_step="Write http://127.0.0.1:8711/<network> in each.",
        )
    port = ports.pop()
    assert port is not None
    return port


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def somebody_listens(port: int) -> bool:
    """Does a program of this machine answer on ``port``?"""
    import socket

    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def with_port(config: str, port: int) -> str:
    """The text of a simulated configuration with its networks on another port."""
    return re.sub(r"(http://127\.0\.0\.1:)\d+", rf"\g<1>{port}", config)
