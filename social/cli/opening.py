"""What commands open first: the configuration, the database, the world's clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from social.domain.errors import ConfigurationError, DyzurError
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
    database = build.open_database(settings)
    try:
        if database.path is not None and not database.path.exists():
            raise DyzurError(
                "there is no database yet.",
                resource=str(database.path),
                next_step="Start the desk once: social run",
            )
        schema.require_current(database)
        yield Opened(settings=settings, database=database, clock=build.open_clock(settings, database))
    finally:
        database.close()


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


def with_port(config: str, port: int) -> str:
    """The text of a simulated configuration with its networks on another port."""
    return re.sub(r"(http://127\.0\.0\.1:)\d+", rf"\g<1>{port}", config)
