"""The daemon in the foreground, with the simulated networks beside it where the configuration asks for them."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from social.cli import logs, systemd
from social.cli.opening import simulator_port, somebody_listens
from social.cli.standing import standing
from social.domain.errors import DyzurError, UsageError
from social.ports import Classifier, Clock
from social.redaction import redact
from social.settings import ClockMode, Settings, load_settings
from social.settings_problems import unusable
from social.store.session import Database

if TYPE_CHECKING:
    from social.engine.desk import Desk, Leases
    from social.engine.schedule import Daemon
    from social.web.serve import WebServer

log = logging.getLogger("social.daemon")

#: The part of a daemon that shows the desk in the browser.
WEB = "web"


def run(config: Path | None, *, only: Sequence[str] = (), level: str = "INFO") -> None:
    """``social run``: upgrade, open, tick until told to stop."""
    run_settings(load_settings(config), only=only, level=level, command=called_as(config))


def run_settings(
    settings: Settings,
    *,
    only: Sequence[str] = (),
    level: str = "INFO",
    seed: int | None = None,
    command: str,
    judge: tuple[Classifier, Classifier] | None = None,
    leases: Leases | None = None,
) -> None:
    """``judge`` and ``leases`` as in ``build.open_desk``: for those who try the daemon itself."""
    from social.cli.inspection import problems_in
    from social.engine import build, failpoints
    from social.engine.schedule import Daemon
    from social.engine.watch import others
    from social.store.control import PARTS

    if problems := problems_in(settings):  # a profile that a typo keeps unwatched would be a silent failure
        raise unusable(problems)
    known = (*PARTS, WEB)
    unknown = [part for part in only if part not in known]
    if unknown:
        raise UsageError(f"there is no part {unknown[0]!r}.", next_step=f"Parts are: {', '.join(known)}.")
    logs.set_up(level=level)
    failpoints.arm_from_environment()
    database = build.open_database(settings)
    try:
        build.prepare_database(database)
        parts = [part for part in PARTS if part in only] if only else PARTS
        judges = "triage" in parts
        _say(f"Dyżur is opening. {_loading(settings)}" if judges else "Dyżur is opening.")
        # before the clock: a simulated world starts when we are ready to watch it
        judge = judge or build.judge_for(settings, parts)
        with _world(settings, database, seed) as world:
            zone = settings.brands[0].timezone
            logs.set_up(clock=world, zone=zone, level=level)
            desk = build.open_desk(settings, database, world, judge=judge, leases=leases, parts=parts)
            logs.set_up(clock=world, zone=zone, level=level, secrets=_secrets(settings, database))
            daemon = Daemon(desk, parts)
            pages = _web_server(desk, settings) if not only or WEB in only else None
            stop = _stop_by_signal()  # from the first thing on that has to be stopped in order
            address = _start_pages(pages, settings)
            model = str(desk.classifier.identity) if judges else "none here: this one does not judge"
            _banner(settings, database, desk.broken, model, world, command, address)
            for other in others(desk, name=daemon.name):
                if database.dialect == "sqlite":
                    log.warning(
                        "another daemon (%s) works on this SQLite file: safe, but useless; stop one of them", other.name
                    )
            left: list[str] = []
            try:
                daemon.start()
                systemd.tell("READY=1")
                _wait(stop, daemon)
            finally:
                systemd.tell("STOPPING=1")
                _say("Stopping: finishing the current steps.")
                with ThreadPoolExecutor(1) as beside:  # both may take seconds, and a supervisor gives us ten
                    closing = beside.submit(pages.stop) if pages is not None else None
                    left = daemon.stop()
                    if closing is not None:
                        closing.result()
                if not left:
                    desk.close()
        if left:
            _leave_at_once()
    finally:
        database.close()


def _leave_at_once() -> None:
    """A thread hangs in a network or a database: Python would wait for it, or pull its libraries away under it. All that
    counts is committed, and what it holds is free when its lease ends."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


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
        if not _others_run(database):  # they still live in this world
            process.stop(running)


def _others_run(database: Database) -> bool:
    """Does another daemon of this machine live on this database? Ours has withdrawn its heartbeat by now."""
    return any(name.startswith(f"{socket.gethostname()}:") for name in living_daemons(database))


def living_daemons(database: Database) -> list[str]:
    """Names of the daemons on this database; without those of this machine that were killed, whose heartbeat stays fresh
    for a while."""
    from social.clock import machine_now
    from social.store import control

    with database.read() as session:
        names = [daemon.name for daemon in control.running(session, at=machine_now())]
    here = f"{socket.gethostname()}:"
    return [name for name in names if not name.startswith(here) or _is_alive(int(name.rpartition(":")[2]))]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _web_server(desk: Desk, settings: Settings) -> WebServer:
    from social.engine.build import timing_of
    from social.engine.calendars import calendars_of
    from social.web.desk import WebDesk
    from social.web.serve import WebServer

    return WebServer(
        WebDesk(
            database=desk.database,
            clock=desk.clock,
            settings=settings,
            calendars=calendars_of(settings),
            waits=timing_of(settings),
        )
    )


def _start_pages(pages: WebServer | None, settings: Settings) -> str:
    """Where the desk can be opened; empty where this process has no pages."""
    if pages is None:
        return ""
    from social.web.links import base_address

    pages.start()
    return base_address(settings, f"{settings.web.host}:{pages.port}")


def _way_in(database: Database, settings: Settings, address: str, world: Clock) -> list[str]:
    """The desk's address; at the first start, the one-time link with which the first account is made."""
    from urllib.parse import urlsplit

    from social.clock import machine_now
    from social.store import access
    from social.web.links import welcome_link

    if not address:
        return []
    lines = [f"  The desk     {address}"]
    with database.read() as session:
        first = access.nobody_yet(session)
    if first:
        with database.write() as session:
            token, _ = access.invite(session, role=access.Role.ADMIN, at=machine_now(), now=world.now(), by="system")
        lines.append(f"  Come in      {welcome_link(settings, token, urlsplit(address).netloc)}")
        lines.append("               This link makes the first account. It works once; whoever has it can come in.")
    return lines


def _stop_by_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _wait(stop: threading.Event, daemon: Daemon) -> None:
    watchdog = systemd.Watchdog()
    while not stop.wait(0.5):
        # only what hangs is worth a new start: a network or a database that is away is waited for
        watchdog.pat(well=not daemon.hanging())


def _secrets(settings: Settings, database: Database) -> list[str]:
    from social.engine.build import open_credentials
    from social.engine.on_call import credentials_of

    store = open_credentials(settings, database)
    values: list[str] = []
    names = [profile.credential for profile in settings.profiles]
    for name in [*names, *(name for name, _ in credentials_of(settings.notify))]:
        try:
            values.extend(store.load(name).values())
        except DyzurError:
            continue  # whoever needs it says so itself
    return values


def _loading(settings: Settings) -> str:
    return "Loading the classifier ..." if settings.triage.backend != "rules" else "No model: rules only."


def _banner(
    settings: Settings, database: Database, broken: object, model: str, world: Clock, command: str, address: str
) -> None:
    """What runs, what is simulated, what goes unanswered, and the exact next commands."""
    zone = ZoneInfo(settings.brands[0].timezone)
    lines = [
        "",
        f"  Brands       {', '.join(brand.name for brand in settings.brands)}",
        f"  Profiles     {', '.join(f'{item.name} ({item.mode.value})' for item in settings.profiles)}",
        f"  Classifier   {model}",
        f"  Database     {redact(settings.database.url)}",
        *_way_in(database, settings, address, world),
    ]
    if settings.clock.mode is ClockMode.PACED:
        now = world.now().astimezone(zone)
        lines += [
            "",
            "  SIMULATED    networks, customers and every time that starts a line below: in that world it is",
            f"               {now:%A %d %B %Y, %H:%M} ({zone.key}) and runs {settings.clock.speed:g} times as fast as yours.",
            "               Real are the classifier, the rules, the queue and the database. Nothing leaves this machine.",
        ]
    with database.read() as session:
        lines += ["", *(f"  {line}" for line in standing(session, now=world.now(), zone=zone))]
    if settings.clock.mode is ClockMode.PACED:
        lines += [
            "  Try next, in another terminal:",
            f"    {command} queue list",
            f"    {command} queue show 1",
            f'    {command} queue answer 1 "Dzień dobry, już sprawdzamy." --as anna',
            f'    {command} simulate "Paczka nie doszła, chcę rozmawiać z człowiekiem!" --at 2026-11-21T02:10',
            f"    {command} pause        (and: {command} unpause)",
            "",
        ]
    _say("\n".join([*lines, "  Stop with Ctrl-C.", ""]))
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
