"""The daemon in the foreground, with the simulated networks beside it where the configuration asks for them."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from social.cli import logs
from social.cli.opening import simulator_port, somebody_listens
from social.domain.errors import DyzurError
from social.domain.post import ProfileMode
from social.ports import Clock
from social.settings import ClockMode, Settings, load_settings
from social.settings_problems import unusable
from social.store.session import Database

log = logging.getLogger("social.daemon")


def run(config: Path | None, *, only: Sequence[str] = (), level: str = "INFO") -> None:
    """``social run``: upgrade, open, tick until told to stop."""
    run_settings(load_settings(config), only=only, level=level, command=called_as(config))


def run_settings(
    settings: Settings, *, only: Sequence[str] = (), level: str = "INFO", seed: int | None = None, command: str
) -> None:
    from social.cli.inspection import problems_in
    from social.engine import build
    from social.engine.schedule import PARTS, Daemon
    from social.engine.watch import others

    if problems := problems_in(settings):  # a profile that a typo keeps unwatched would be a silent failure
        raise unusable(problems)
    unknown = [part for part in only if part not in PARTS]
    if unknown:
        raise DyzurError(f"there is no part {unknown[0]!r}.", next_step=f"Parts are: {', '.join(PARTS)}.")
    logs.set_up(level=level)
    database = build.open_database(settings)
    try:
        build.prepare_database(database)
        _say(f"Dyżur is opening. {_loading(settings)}")
        judge = build.load_judge(settings)  # before the clock: a simulated world starts when we are ready to watch it
        with _world(settings, database, seed) as world:
            zone = settings.brands[0].timezone
            logs.set_up(clock=world, zone=zone, level=level)
            desk = build.open_desk(settings, database, world, judge=judge)
            logs.set_up(clock=world, zone=zone, level=level, secrets=_secrets(settings, database))
            daemon = Daemon(desk, only or PARTS)
            _banner(settings, desk.broken, str(desk.classifier.identity), world, command)
            for other in others(desk, name=daemon.name):
                if database.dialect == "sqlite":
                    log.warning(
                        "another daemon (%s) works on this SQLite file: safe, but useless; stop one of them", other.name
                    )
            try:
                daemon.start()
                _wait_for_a_signal()
            finally:
                _say("Stopping: finishing the current steps.")
                daemon.stop()
                desk.close()
    finally:
        database.close()


@contextmanager
def _world(settings: Settings, database: Database, seed: int | None) -> Iterator[Clock]:
    """The real clock; or a paced one with the simulated networks, which are stopped with us but outlive a kill."""
    from social.engine.build import open_clock

    if settings.clock.mode is ClockMode.REAL:
        yield open_clock(settings, database)
        return
    from connectors.simulated import process
    from connectors.simulated.library import WorldOptions
    from social.cli.demo_secrets import ensure_demo_secrets
    from social.clock import PacedClock

    ensure_demo_secrets(settings)
    folder = settings.path("var")
    folder.mkdir(parents=True, exist_ok=True)
    state, history = folder / "simulator.json", folder / "simulator-history.jsonl"
    running = process.find_running(state)
    if running is None and somebody_listens(port := simulator_port(settings)):
        raise DyzurError(
            f"port {port} is taken by another program, so the simulated networks cannot listen there.",
            resource="[connectors.*] base_url",
            next_step="Stop that program, or write another port into every base_url.",
        )
    world = open_clock(settings, database, resume=running is None)
    assert isinstance(world, PacedClock)
    if running is None:
        options = WorldOptions() if seed is None else WorldOptions(seed=seed)
        running = process.start_simulator(
            state_file=state,
            history=history,
            anchor=world.anchor,
            options=options,
            start=settings.clock.start,
            port=simulator_port(settings),
        )
    else:
        log.info("the simulated networks from before are still running; the world went on without the desk")
    try:
        yield world
    finally:
        process.stop(running)


def _wait_for_a_signal() -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(0.5):
        pass


def _secrets(settings: Settings, database: Database) -> list[str]:
    from social.engine.build import open_credentials

    store = open_credentials(settings, database)
    values: list[str] = []
    for profile in settings.profiles:
        try:
            values.extend(store.load(profile.credential).values())
        except DyzurError:
            continue  # the profile is broken and says so itself
    return values


def _loading(settings: Settings) -> str:
    return "Loading the classifier ..." if settings.triage.backend != "rules" else "No model: rules only."


def _banner(settings: Settings, broken: object, model: str, world: Clock, command: str) -> None:
    """What runs, what is simulated, what goes unanswered, and the exact next commands."""
    zone = ZoneInfo(settings.brands[0].timezone)
    lines = [
        "",
        f"  Brands       {', '.join(brand.name for brand in settings.brands)}",
        f"  Profiles     {', '.join(f'{item.name} ({item.mode.value})' for item in settings.profiles)}",
        f"  Classifier   {model}",
        f"  Database     {settings.database.url}",
    ]
    if settings.clock.mode is ClockMode.PACED:
        now = world.now().astimezone(zone)
        lines += [
            "",
            "  SIMULATED    networks, customers and every time that starts a line below: in that world it is",
            f"               {now:%A %d %B %Y, %H:%M} ({zone.key}) and runs {settings.clock.speed:g} times as fast as yours.",
            "               Real are the classifier, the rules, the queue and the database. Nothing leaves this machine.",
        ]
    rehearsing = [item.name for item in settings.profiles if item.mode is ProfileMode.DRY_RUN]
    if rehearsing:
        lines += ["", f"  DRY-RUN      {', '.join(rehearsing)}: customers get NO automatic answer."]
    lines += [
        "",
        "  Try next, in another terminal:",
        f"    {command} queue list",
        f"    {command} queue show 1",
        f'    {command} queue answer 1 "Dzień dobry, już sprawdzamy." --as anna',
        f'    {command} simulate "Paczka nie doszła, chcę rozmawiać z człowiekiem!" --at 2026-11-21T02:10',
        f"    {command} pause        (and: {command} unpause)",
        "",
        "  Stop with Ctrl-C.",
        "",
    ]
    _say("\n".join(lines))
    if isinstance(broken, dict):
        for name, reason in broken.items():
            log.error("%s IS NOT WATCHED: %s", name, reason)


def called_as(config: Path | None) -> str:
    """How this program was called, for commands that people can copy."""
    program = sys.argv[0]
    if program.endswith("__main__.py"):
        program = "python -m social.cli"
    elif os.sep in program:
        program = os.path.relpath(program)
        program = shlex.quote(program if program.startswith(".") else f".{os.sep}{program}")
    return f"{program} --config {shlex.quote(str(config))}" if config is not None else program


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
