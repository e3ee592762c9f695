"""A real desk on a simulated world and a clock that only moves when told, in a folder that is gone afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from connectors.simulated.server import SimulatedServer
from connectors.simulated.world import World
from social.clock import SteppedClock
from social.domain.errors import DyzurError
from social.engine.desk import Desk
from social.ports import Classifier
from social.settings import ClockMode, ClockSettings, DatabaseSettings, Settings
from social.store.session import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class SteppedDesk:
    desk: Desk
    clock: SteppedClock
    database: Database
    settings: Settings


@contextmanager
def stepped_desk(
    settings: Settings, world: World, *, judge: tuple[Classifier, Classifier] | None = None
) -> Iterator[SteppedDesk]:
    """Everything real but the networks and the time, from ``world.start`` on: store, triage, policy, delivery, connectors
    over HTTP. Of ``settings`` only what decides is used; nobody is told anything outside. ``judge`` as in ``open_desk``."""
    from social.cli.demo_secrets import ensure_demo_secrets
    from social.engine import build

    clock = SteppedClock(world.start)
    with tempfile.TemporaryDirectory(prefix="dyzur-stepped-") as folder, SimulatedServer(world, clock) as server:
        adapted = _adapted(settings, Path(folder), world, server)
        ensure_demo_secrets(adapted)
        database = build.open_database(adapted)
        try:
            build.prepare_database(database)
            desk = build.open_desk(adapted, database, clock, judge=judge)
            try:
                if desk.broken:
                    raise DyzurError(f"profiles could not be opened: {dict(desk.broken)}")
                yield SteppedDesk(desk=desk, clock=clock, database=database, settings=adapted)
            finally:
                for live in desk.profiles.values():
                    live.connector.close()
        finally:
            database.close()


def _adapted(settings: Settings, folder: Path, world: World, server: SimulatedServer) -> Settings:
    """Brands, policy and judge as they are; every network on this machine, a database and secrets of its own, and the
    defaults for all the rest: neither the desk of the browser nor a message to people belongs into a simulation."""
    kinds = {profile.connector for profile in settings.profiles}
    return Settings(
        clock=ClockSettings(mode=ClockMode.PACED, start=world.start),
        database=DatabaseSettings(url="sqlite:///stepped.db"),
        triage=settings.triage,
        responders=settings.responders,
        connectors={kind: _here(settings.connectors.get(kind, {}), server.base_url(kind)) for kind in kinds},
        brands=settings.brands,
        # made-up credentials: no real one of the configuration is looked up, or sent to a simulator
        profiles=tuple(
            profile.model_copy(update={"credential": f"simulated-{number}"})
            for number, profile in enumerate(settings.profiles, start=1)
        ),
        home=folder,
        source=settings.source,
        text=settings.text,
    )


def _here(table: Mapping[str, object], base_url: str) -> dict[str, object]:
    return {**table, "base_url": base_url}
