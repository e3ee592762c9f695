"""``social doctor``: looks at everything that the desk needs, and says what to mend."""

from __future__ import annotations

import shlex
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import typer

from social.cli.command import Config, Json, columns, new_app, print_json

if TYPE_CHECKING:
    from social.settings import Settings
    from social.store.session import Database

app = new_app()

FOUND_ERRORS = 9
_LITTLE_SPACE, _NO_SPACE = 1_000_000_000, 100_000_000
_REACH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """``level``: ok, note (nothing to do), warning, error (exit code 9)."""

    level: str
    subject: str
    sentence: str


@app.command()
def doctor(
    config: Config = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not try to reach the networks.")] = False,
    as_json: Json = False,
) -> None:
    """Look at the configuration, secrets, database, model, networks, mail server, disk and time zones.

    Changes nothing and sends nothing. Exit code 9 where something must be mended.
    """
    from social.domain.errors import DyzurError
    from social.settings import load_settings

    findings = [*_machine()]
    settings = None
    try:
        settings = load_settings(config)
    except DyzurError as error:
        findings += [Finding("error", "configuration", line) for line in str(error).splitlines()]
    if settings is not None:
        checks: list[Callable[[Settings], Iterator[Finding]]] = [
            _configuration,
            _time_zones,
            _secrets,
            _database,
            _copies,
            _disk,
            _notify,
        ]
        checks += [_model] if offline else [_model, _networks, _mail_server]
        for check in checks:
            findings += _guarded(check, settings)
    if as_json:
        print_json([{"level": item.level, "subject": item.subject, "sentence": item.sentence} for item in findings])
    else:
        print(columns([(item.level, item.subject, item.sentence) for item in findings], indent=0))
    if any(item.level == "error" for item in findings):
        raise typer.Exit(FOUND_ERRORS)


def _guarded(check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> list[Finding]:
    """One sick organ must not hide the others."""
    from social.domain.errors import DyzurError
    from social.redaction import redact
    from social.trace import told

    subject = check.__name__.strip("_").replace("_", " ")
    try:
        return list(check(settings))
    except DyzurError as error:
        return [Finding("error", subject, redact(str(error)))]
    except Exception as error:  # noqa: BLE001 whatever is wrong here, the other checks still help
        return [Finding("error", subject, redact(told(error)))]


def _machine() -> Iterator[Finding]:
    from social import __version__

    version = ".".join(map(str, sys.version_info[:3]))
    level = "ok" if sys.version_info >= (3, 11) else "error"
    yield Finding(level, "program", f"Dyżur {__version__} on Python {version}")


def _configuration(settings: Settings) -> Iterator[Finding]:
    from social.cli.inspection import problems_in
    from social.domain.post import ProfileMode
    from social.engine.rules import rule_doubts

    problems = problems_in(settings)
    yield from (Finding("error", "configuration", problem) for problem in problems)
    if not problems:
        yield Finding("ok", "configuration", str(settings.source or "the demo that comes along"))
    yield from (Finding("warning", "rules", doubt) for doubt in rule_doubts(settings))
    for profile in settings.profiles:
        if profile.mode is not ProfileMode.ACKNOWLEDGE:
            sentence = f"{profile.name} is {profile.mode.value}: its customers get no automatic answer"
            yield Finding("warning", "configuration", sentence)


def _time_zones(settings: Settings) -> Iterator[Finding]:
    zones = sorted({brand.timezone for brand in settings.brands})
    summer, winter = datetime(2026, 7, 1, 12), datetime(2026, 1, 1, 12)  # noqa: DTZ001 wall times, given a zone below
    offsets = [
        f"{zone} (UTC{winter.replace(tzinfo=ZoneInfo(zone)):%z} in winter, {_summer(zone, summer)})" for zone in zones
    ]
    yield Finding("ok", "time zones", f"{', '.join(offsets)}; tzdata {metadata.version('tzdata')}")


def _summer(zone: str, moment: datetime) -> str:
    return f"{moment.replace(tzinfo=ZoneInfo(zone)):%z} in summer"


def _secrets(settings: Settings) -> Iterator[Finding]:
    from social.cli.inspection import credential_problems
    from social.settings import ClockMode

    problems = credential_problems(settings)
    yield from (Finding("error", "secrets", f"{item.profile}: {item.sentence}") for item in problems)
    if not problems:
        simulated = settings.clock.mode is ClockMode.PACED
        told = "made up by the demo" if simulated else "closed to other users"
        yield Finding("ok", "secrets", f"{len(settings.profiles)} credential(s), {told}")


def _database(settings: Settings) -> Iterator[Finding]:
    from social import clock
    from social.cli.opening import world_now
    from social.cli.standing import standing
    from social.engine import build
    from social.store import control, moved_away, schema
    from social.store.health import quarantine_of

    url = settings.database.url
    if url.startswith("sqlite:///"):
        file = settings.path(url.removeprefix("sqlite:///"))
        if not file.exists():
            yield _future_file(file)
            return
    database = build.open_database(settings)
    try:
        damage = schema.check_integrity(database)
        if damage is not None:
            yield Finding("error", "database", f"damaged: {damage}. Move it away and restore the newest backup.")
            return
        found = schema.status(database)
        if not found.up_to_date:
            level = "note" if found.known and database.dialect == "sqlite" else "error"
            cure = "social run upgrades it" if level == "note" else "social db upgrade"
            yield Finding(level, "database", f"has form {found.current}, needs {found.head}: {cure}")
            return
        moved_away.refuse_opening(database)
        yield _writable(database)
        yield from _open_to_others(database)
        with database.read() as session:
            daemons = control.running(session, at=clock.machine_now())
            zone = ZoneInfo(settings.brands[0].timezone)
            for sentence in standing(session, now=world_now(settings), zone=zone):
                yield Finding("warning", "desk", sentence)
            aside = quarantine_of(session)
        for profile, count, reason in aside:
            told = f"{profile}: {count} post(s) could not be read and are kept aside; the newest: {reason}"
            yield Finding("warning", "posts", told)
        names = ", ".join(daemon.name for daemon in daemons)
        yield Finding(
            "ok" if daemons else "note", "desk", f"running: {names}" if daemons else "not running: social run"
        )
    finally:
        database.close()


def _future_file(file: Path) -> Finding:
    import os

    folder = next(parent for parent in file.parents if parent.exists())
    if not os.access(folder, os.W_OK):
        return Finding("error", "database", f"{folder} is not writable, so {file} cannot be made")
    return Finding("note", "database", f"{file} is not there yet; social run makes it")


def _writable(database: Database) -> Finding:
    """A write that is written and taken back: the only honest answer, also on a read-only or full disk."""
    from social import clock
    from social.store.tables import PersonRow

    probe = PersonRow(created_at=clock.machine_now())
    with database.write() as session:
        session.add(probe)
        session.flush()
        session.delete(probe)
    size = f", {database.path.stat().st_size / 1_000_000:.1f} MB" if database.path else ""
    return Finding("ok", "database", f"{database.url.render_as_string(hide_password=True)}, sound, writable{size}")


def _open_to_others(database: Database) -> Iterator[Finding]:
    """Customers' words are the owner's alone; an older program made the file as the umask said."""
    if database.path is None:
        return
    files = [database.path.with_name(database.path.name + ending) for ending in ("", "-wal", "-shm")]
    found = [str(file) for file in files if file.exists() and file.stat().st_mode & 0o077]
    if found:
        yield Finding("warning", "database", f"other users can read it: chmod 600 {shlex.join(found)}")


def _copies(settings: Settings) -> Iterator[Finding]:
    """The daily copies: a folder that takes none is found out on the day when one is needed."""
    import os

    database = settings.database
    if not database.url.startswith("sqlite:///") or not database.daily_backups:
        return
    folder = settings.path(database.backup_folder)
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "is no folder" if not there.is_dir() else "is not writable"
        cure = "mend that, or name another in [database] backup_folder"
        yield Finding("error", "copies", f"{there} {why}, so no daily copy can lie in {folder}: {cure}")
    elif there == folder:
        yield Finding("ok", "copies", f"{folder} takes the daily copies")
    else:
        yield Finding("note", "copies", f"{folder} is not there yet; the first daily copy makes it")


def _disk(settings: Settings) -> Iterator[Finding]:
    url = settings.database.url
    file = settings.path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else settings.home
    folder = next(parent for parent in (file, *file.parents) if parent.is_dir())
    free = shutil.disk_usage(folder).free
    level = "error" if free < _NO_SPACE else "warning" if free < _LITTLE_SPACE else "ok"
    yield Finding(level, "disk", f"{free / 1_000_000_000:.1f} GB free at {folder}")


def _model(settings: Settings) -> Iterator[Finding]:
    import logging

    from social.domain.assessment import RULES_ONLY, TextToAssess
    from social.engine.build import load_judge

    shouting = logging.getLogger("social.build")
    before = shouting.level
    shouting.setLevel(logging.CRITICAL)  # what it would shout is told here
    try:
        judge, _ = load_judge(settings)
    finally:
        shouting.setLevel(before)
    assessment = judge.assess([TextToAssess(text="Paczka nie doszła, a minęły dwa tygodnie.")])[0]
    health = getattr(judge, "health", None)
    state = health() if callable(health) else health
    if assessment.model.id == RULES_ONLY.id and settings.triage.backend.value != "rules":
        why = state.summary if state is not None else "the model cannot be loaded"
        yield Finding("error", "model", f"rules only: {why}")
    else:
        yield Finding("ok", "model", str(assessment.model))


def _networks(settings: Settings) -> Iterator[Finding]:
    from connectors import registry
    from social.settings import ClockMode

    for kind in sorted({profile.connector for profile in settings.profiles}):
        table = registry.load(kind).Settings.model_validate(settings.connectors.get(kind, {}))
        address = str(getattr(table, "base_url", ""))
        problem = _reach(address)
        if problem is None:
            yield Finding("ok", "network", f"{kind}: {address} answers")
        elif settings.clock.mode is not ClockMode.REAL:
            yield Finding("note", "network", f"{kind}: the simulated network is not running; social run starts it")
        else:
            yield Finding("error", "network", f"{kind}: {address} cannot be reached ({problem})")


def _notify(settings: Settings) -> Iterator[Finding]:
    from social.cli.opening import world_now
    from social.engine.on_call import configured_credentials, open_on_call
    from social.notifiers.services import ServicesNotifier
    from social.settings import LOOPBACK, SmtpSecurity

    on_call = open_on_call(settings, configured_credentials(settings))
    if not on_call.people:
        yield Finding("note", "notify", "nobody is told of anything: there is nobody in [[notify.people]]")
        return
    now = world_now(settings)
    for brand in settings.brands:
        names = on_call.rota.on_call(now, brand.name)
        gap = "nobody (until the next shift only what is critical is told, to everybody in order)"
        yield Finding("ok", "notify", f"{brand.name}: on call now: {', then '.join(names) or gap}")
    services = on_call.notifiers.get(ServicesNotifier.channel)
    if isinstance(services, ServicesNotifier):
        for person in on_call.people.values():
            if where := person.ways.get(services.channel):
                services.check(where)
    smtp = settings.notify.smtp
    if smtp is not None and smtp.security is SmtpSecurity.NONE and smtp.host not in LOOPBACK:
        yield Finding("warning", "notify", f"messages, with customers' words in them, go to {smtp.host} in clear")


def _mail_server(settings: Settings) -> Iterator[Finding]:
    """Connects and signs in; sends nothing."""
    from social.engine.on_call import configured_credentials, open_on_call
    from social.notifiers.smtp import SmtpNotifier

    notifier = open_on_call(settings, configured_credentials(settings)).notifiers.get(SmtpNotifier.channel)
    if isinstance(notifier, SmtpNotifier):
        notifier.check()
        smtp = settings.notify.smtp
        assert smtp is not None
        signed_in = "takes our sign-in" if smtp.credential else "answers"
        yield Finding("ok", "mail server", f"{smtp.host}:{smtp.port} {signed_in}; try: social notify test")


def _reach(address: str) -> str | None:
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_REACH_SECONDS).close()
    except OSError as error:
        return error.strerror or str(error)
    return None
