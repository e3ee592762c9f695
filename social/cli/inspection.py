"""What is wrong with a configuration beyond its own words: unknown networks, wrong options, countries without holidays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from connectors import registry
from responders import compose
from social.domain.errors import ConfigurationError
from social.engine.calendars import calendar_of
from social.engine.rules import rule_problems
from social.secrets import configured_parts
from social.settings import ClockMode, ProfileSettings, Settings, explain, require_loopback


def problems_in(settings: Settings) -> list[str]:
    """Every mistake with its line; empty where the desk can start. Credentials are looked at by ``missing_credentials``."""
    return [
        *_clock(settings),
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
