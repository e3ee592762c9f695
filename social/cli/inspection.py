"""What is wrong with a configuration beyond its own words: unknown networks, wrong options, countries without holidays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from connectors import registry
from responders import compose
from social.domain.errors import ConfigurationError
from social.engine.calendars import calendar_of
from social.engine.on_call import configured_credentials, credentials_of, open_on_call
from social.engine.rules import rule_problems
from social.secrets import configured_parts
from social.settings import ClockMode, ProfileSettings, Settings, explain, require_loopback

#: What can be written behind the dialect of a database's address; nothing stands for the usual one.
_DRIVERS = {"sqlite": ("", "pysqlite"), "postgresql": ("", "psycopg")}


def problems_in(settings: Settings) -> list[str]:
    """Every mistake with its line; empty where the desk can start. Credentials are looked at by ``missing_credentials``."""
    return [
        *_clock(settings),
        *_database(settings),
        *_brands(settings),
        *_networks(settings),
        *_profiles(settings),
        *rule_problems(settings),
    ]


def _clock(settings: Settings) -> Iterator[str]:
    try:
        require_loopback(settings)
    except ConfigurationError as error:
        yield str(error)


def _database(settings: Settings) -> Iterator[str]:
    """Its address alone: opening it would make it. Never repeated, since it may hold a password."""
    place = f"{settings.where('database', 'url')}: database.url"
    cure = "write sqlite:///var/dyzur.db or postgresql+psycopg://user@host/name."
    try:
        address = make_url(settings.database.url)
    except (SQLAlchemyError, ValueError):
        yield f"{place}: it cannot be read; {cure}"
        return
    dialect, _, driver = address.drivername.partition("+")
    if driver not in _DRIVERS.get(dialect, ()):
        yield f"{place}: {address.drivername!r} is not supported; {cure}"
    elif dialect == "sqlite" and address.database in (None, "", ":memory:"):
        yield f"{place}: a database in memory forgets everything; {cure}"
    elif dialect == "postgresql" and find_spec("psycopg") is None:
        yield f"{place}: the driver for PostgreSQL is not installed; install the extra [postgres]."


def _brands(settings: Settings) -> Iterator[str]:
    known = compose.languages()
    for index, brand in enumerate(settings.brands):
        try:
            calendar_of(brand)
        except ConfigurationError as error:
            place = settings.where("brands", index, "holidays" if "holiday" in error.what else "hours")
            yield f"{place}: brands.{index}: {error.what}"
        for language in brand.languages:
            if language not in known:
                place = settings.where("brands", index, "languages")
                yield (
                    f"{place}: brands.{index}.languages: there are no automatic texts in {language!r}; "
                    f"there are: {', '.join(known)}."
                )


def _networks(settings: Settings) -> Iterator[str]:
    for kind, table in settings.connectors.items():
        try:
            registry.load(kind).Settings.model_validate(table)
        except ConfigurationError as error:
            yield f"{settings.where('connectors', kind)}: {error.what} {error.next_step}".rstrip()
        except ValidationError as error:
            yield from explain(error, settings, "connectors", kind, model=registry.load(kind).Settings)


def _profiles(settings: Settings) -> Iterator[str]:
    for index, profile in enumerate(settings.profiles):
        try:
            registry.load(profile.connector).Options.model_validate(profile.options)
        except ConfigurationError as error:
            yield f"{settings.where('profiles', index, 'connector')}: {error.what} {error.next_step}".rstrip()
        except ValidationError as error:
            model = registry.load(profile.connector).Options
            yield from explain(error, settings, "profiles", index, "options", model=model)


def notify_problems(settings: Settings) -> list[str]:
    """Why nobody could be told: the desk does not start without what ``[notify]`` names. All of it, each with its line."""
    directory: Path = settings.path(settings.secrets.directory)
    place = settings.where("notify")
    found = []
    for name, needed in dict(credentials_of(settings.notify)).items():
        try:
            parts = configured_parts(name, directory=directory)
        except ConfigurationError as error:
            found.append(f"{place}: notify: {error}")
            continue
        if missing := [part for part in needed if not parts.get(part)]:
            file = directory / f"{name}.toml"
            found.append(
                f'{place}: notify: {file}: lacks {", ".join(missing)}. Add a line for each: {missing[0]} = "..."'
            )
    if not found:
        try:
            open_on_call(settings, configured_credentials(settings))
        except ConfigurationError as error:
            found.append(f"{place}: notify: {error}")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialProblem:
    profile: str
    sentence: str


def credential_problems(settings: Settings) -> list[CredentialProblem]:
    """Profiles whose credential is not there, can be read by others, or lacks a part. Values are never looked at."""
    found = []
    for profile in settings.profiles:
        sentence = _credential_problem(settings, profile)
        if sentence:
            found.append(CredentialProblem(profile=profile.name, sentence=sentence))
    return found


def _credential_problem(settings: Settings, profile: ProfileSettings) -> str:
    if profile.connector not in registry.kinds():
        return ""  # told as a problem of the file
    directory: Path = settings.path(settings.secrets.directory)
    try:
        needed = registry.load(profile.connector).credential_parts
        parts = configured_parts(profile.credential, directory=directory)
    except ConfigurationError as error:
        if settings.clock.mode is not ClockMode.REAL and not (directory / f"{profile.credential}.toml").exists():
            return ""  # a simulated world gets made-up ones at its first start
        return str(error)
    missing = [part for part in needed if not parts.get(part)]
    if not missing:
        return ""
    file = directory / f"{profile.credential}.toml"
    return f'{file}: lacks {", ".join(missing)}. Add a line for each: {missing[0]} = "..."'
