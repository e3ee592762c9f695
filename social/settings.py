"""config.toml and the environment -> frozen ``Settings``. Unknown keys are refused by name and line.

Precedence: environment (``DYZUR_SECTION__KEY``) over config.toml over the defaults here. Credentials are never values of
a setting, only names: see ``social.secrets``. ``options`` and ``[connectors.*]`` stay opaque here; each connector
validates its own when the engine is built.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from social.domain.errors import ConfigurationError
from social.domain.hours import parse_slots, parse_weekly
from social.domain.post import ProfileMode
from social.settings_problems import (
    NEVER_HERE,
    Location,
    dotted,
    literal_secrets,
    looks_like_a_secret,
    misplaced,
    place,
    problems_of,
    source_name,
    unusable,
)

ENVIRONMENT_PREFIX = "DYZUR_"
SECRET_PREFIX = "DYZUR_SECRET_"  # noqa: S105 the beginning of a variable's name: see social.secrets
DEFAULT_CONFIG = "config.toml"

#: The only hosts that a simulated world may be reached at.
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_DURATION = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m(?:in)?)?\s*(?:(\d+)s)?")


def parse_duration(value: object) -> object:
    """``"40m"``, ``"1h 30m"``, ``"60s"``, ``"2d"`` or a number of seconds -> ``timedelta``."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None or not any(match.groups()):
            raise ValueError(f'{value!r} is not a duration; write for example "60s", "40m", "1h 30m" or "2d"')
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if isinstance(value, bool):
        raise ValueError('a duration is written for example "60s", "40m" or "1h 30m"')
    if isinstance(value, int | float):
        return timedelta(seconds=value)
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


class Section(BaseModel):
    """Base of every table: frozen, and a key that nobody reads is an error, not a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ClockMode(StrEnum):
    REAL = "real"
    PACED = "paced"


class ClockSettings(Section):
    """[clock]: which time it is in the world of the customers."""

    mode: ClockMode = Field(
        ClockMode.REAL, description="real; or paced: a simulated world that runs faster (demo only)."
    )
    start: datetime | None = Field(
        None, description="paced: the world's time at the first start, with its zone offset."
    )
    speed: float = Field(1.0, gt=0, le=100_000, description="paced: world seconds in a machine second.")

    @model_validator(mode="after")
    def _paced_needs_a_start(self) -> ClockSettings:
        if self.mode is ClockMode.PACED and self.start is None:
            raise ValueError('a paced clock needs start = "2026-11-20T15:20:00+01:00" (any time with its zone offset)')
        if self.start is not None and self.start.tzinfo is None:
            raise ValueError("start needs its zone offset, for example 2026-11-20T15:20:00+01:00")
        return self


class DatabaseSettings(Section):
    """[database]"""

    url: str = Field(
        "sqlite:///var/dyzur.db",
        description="sqlite:///path (relative to this file) or postgresql+psycopg://user@host/name.",
    )


class SecretsSettings(Section):
    """[secrets]: where credentials lie. They never stand in this file."""

    directory: Path = Field(
        Path("secrets"),
        description="One file a credential, NAME.toml with mode 0600; relative to this file. Environment and systemd win.",
    )


class Tone(StrEnum):
    FORMAL = "formal"
    FRIENDLY = "friendly"


class BrandSettings(Section):
    """[[brands]]: who answers, in which languages, and when somebody is there."""

    name: str = Field(min_length=1, max_length=60, description="As customers know it; stands in the texts.")
    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{2}$")], ...] = Field(
        min_length=1, description="Languages of the texts, the main one first: pl, en."
    )
    timezone: str = Field(description="IANA name such as Europe/Warsaw; no default, since a wrong one tells lies.")
    hours: dict[str, tuple[str, ...]] = Field(
        description='When people answer: mon-fri = ["09:00-17:00"]; several slots a day, over midnight allowed.'
    )
    holidays: str | None = Field(None, description="Country whose public holidays are closed days, such as PL.")
    closed_dates: tuple[date, ...] = Field((), description="Own closed days.")
    open_dates: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description='Own hours on single days, over holidays too: "2026-12-24" = ["09:00-12:00"].'
    )

    @field_validator("hours", "open_dates", mode="before")
    @classmethod
    def _one_slot_may_be_a_string(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return {key: [slots] if isinstance(slots, str) else slots for key, slots in value.items()}
        return value

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
            raise ValueError(f"{value!r} is not an IANA time zone; write for example Europe/Warsaw") from error
        return value

    @field_validator("hours")
    @classmethod
    def _hours_can_be_read(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        parse_weekly(value)
        return value

    @field_validator("open_dates")
    @classmethod
    def _dates_can_be_read(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for day, slots in value.items():
            try:
                date.fromisoformat(day)
            except ValueError:
                raise ValueError(f'"{day}" is not a date; write it like "2026-12-24"') from None
            try:
                parse_slots(slots)
            except ValueError as error:
                raise ValueError(f'"{day}": {error}') from None
        return value

    @model_validator(mode="after")
    def _no_day_is_both(self) -> BrandSettings:
        closed = {day.isoformat() for day in self.closed_dates}
        if both := sorted(closed & set(self.open_dates)):
            raise ValueError(f"{both[0]} stands in closed_dates and in open_dates; keep one")
        return self


class ProfileSettings(Section):
    """[[profiles]]: one account of a brand on one network."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60, description="Your name for it: letters, digits, -."
    )
    brand: str = Field(description="The name of one of [[brands]].")
    connector: str = Field(description="The network: see docs/networks.md for the kinds.")
    mode: ProfileMode = Field(
        ProfileMode.DRY_RUN,
        description="off: read and judge only; dry-run: also plan texts, never send them; acknowledge: send them.",
    )
    closed_notice: bool | None = Field(
        None,
        description="Tell customers outside hours when the team is back (once, truthfully). "
        "No default where mode is acknowledge.",
    )
    poll_every: Duration = Field(timedelta(seconds=60), description="How often the network is asked.")
    credential: str = Field(description="The NAME of a credential, never the token itself.")
    options: dict[str, Any] = Field(default_factory=dict, description="The connector's own options.")

    @field_validator("poll_every")
    @classmethod
    def _not_too_often(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=5) <= value <= timedelta(days=1):
            raise ValueError("poll_every must lie between 5s and 1d")
        return value

    @field_validator("credential")
    @classmethod
    def _a_name_not_a_token(cls, value: str) -> str:
        if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,59}", value) is None or looks_like_a_secret(value):
            # the value is not repeated: it may be the secret itself
            raise ValueError(
                "must be the NAME of a credential (small letters, digits, - and _), not a token: put the token into "
                "secrets/NAME.toml (mode 0600) or the environment, and renew it, since it stood in a file"
            )
        return value

    @model_validator(mode="after")
    def _closed_notice_is_never_silent(self) -> ProfileSettings:
        if self.mode is ProfileMode.ACKNOWLEDGE and self.closed_notice is None:
            raise ValueError(
                f'profile {self.name!r} answers customers (mode = "acknowledge"), so say what happens outside hours: '
                "closed_notice = true (recommended) or closed_notice = false"
            )
        return self


class TriageBackend(StrEnum):
    AUTO = "auto"
    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"
    TRANSFORMERS = "transformers"
    RULES = "rules"


class TriageSettings(Section):
    """[triage]: the judge."""

    backend: TriageBackend = Field(
        TriageBackend.AUTO,
        description="auto: the quickest installed runtime of the shipped model; transformers: any Hugging Face checkpoint "
        "(needs the extra [torch]); rules: no model.",
    )
    model: str = Field(
        "", description="Folder (or hub name, transformers only) of the checkpoint; empty: the shipped one."
    )
    threads: int = Field(0, ge=0, le=256, description="Threads of the model; 0: as many as there are cores.")
    batch: int = Field(200, ge=1, le=2000, description="Posts judged in one transaction.")


class RespondersSettings(Section):
    """[responders]: when automatic texts are due, counted from the customer's first waiting post."""

    acknowledge_after: Duration = Field(timedelta(minutes=40), description="A person has this long before the robot.")
    urgent_acknowledge_after: Duration = Field(timedelta(minutes=5), description="The same for critical and high.")
    per_author_an_hour: int = Field(3, ge=1, le=100, description="Automatic texts to one author in a running hour.")
    per_profile_an_hour: int = Field(
        200, ge=1, le=10_000, description="Automatic texts of one profile in a running hour."
    )
    formal_deadline: Duration = Field(timedelta(days=14), description="Time to answer a formal complaint.")

    @field_validator("acknowledge_after", "urgent_acknowledge_after")
    @classmethod
    def _inside_the_hour(cls, value: timedelta) -> timedelta:
        if not timedelta(0) <= value < timedelta(minutes=60):
            raise ValueError("must be less than 60m, since customers are promised an hour")
        return value


class Settings(Section):
    """The whole of config.toml."""

    clock: ClockSettings = Field(default_factory=ClockSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    secrets: SecretsSettings = Field(default_factory=SecretsSettings)
    triage: TriageSettings = Field(default_factory=TriageSettings)
    responders: RespondersSettings = Field(default_factory=RespondersSettings)
    connectors: dict[str, dict[str, Any]] = Field(default_factory=dict)
    brands: tuple[BrandSettings, ...] = Field(min_length=1)
    profiles: tuple[ProfileSettings, ...] = Field(min_length=1)
    #: The folder that relative paths start from, the file for messages and what it says; not keys of the file.
    home: Path = Field(Path(), exclude=True)
    source: Path | None = Field(None, exclude=True)
    text: str = Field("", exclude=True, repr=False)

    @model_validator(mode="after")
    def _names_meet(self) -> Settings:
        brands = [brand.name for brand in self.brands]
        profiles = [profile.name for profile in self.profiles]
        for table, names in (("brands", brands), ("profiles", profiles)):
            for index, name in enumerate(names):
                if name in names[:index]:
                    raise misplaced((table, index, "name"), f"two {table} are called {name!r}; give each its own name")
        for index, profile in enumerate(self.profiles):
            if profile.brand not in brands:
                known = ", ".join(repr(name) for name in brands)
                message = f"profile {profile.name!r} belongs to brand {profile.brand!r}, but there is only {known}"
                raise misplaced(("profiles", index, "brand"), message)
        return self

    def brand(self, name: str) -> BrandSettings:
        return next(brand for brand in self.brands if brand.name == name)

    def profile(self, name: str) -> ProfileSettings | None:
        return next((profile for profile in self.profiles if profile.name == name), None)

    def path(self, value: Path | str) -> Path:
        """A path of the file, made absolute: relative ones start at the file's folder."""
        path = Path(value).expanduser()
        return path if path.is_absolute() else (self.home / path)

    def where(self, *location: str | int) -> str:
        """``file:line`` of a key, for messages: ``where("profiles", 0, "options", "handle")``."""
        return place(self.text, location, source_name(self.source, DEFAULT_CONFIG))


def require_loopback(settings: Settings) -> None:
    """Refuse a simulated clock unless every network in use is a simulated one on this machine: a world that runs 120
    times too fast must never reach real customers. Raises ``ConfigurationError``."""
    if settings.clock.mode is ClockMode.REAL:
        return
    for index, profile in enumerate(settings.profiles):
        table = settings.connectors.get(profile.connector, {})
        address = table.get("base_url")
        if isinstance(address, str) and urlsplit(address).hostname in LOOPBACK:
            continue
        says = f"goes to {address!r}" if address else "has no base_url, so it would go to the real network"
        location = ("connectors", profile.connector, "base_url") if table else ("profiles", index, "connector")
        raise ConfigurationError(
            f"the clock is {settings.clock.mode}, but [connectors.{profile.connector}] {says}.",
            resource=settings.where(*location),
            next_step='Set [clock] mode = "real" for real networks, or a base_url on 127.0.0.1 for simulated ones.',
        )


def shipped_config() -> str:
    """The demo configuration that comes with the product (the repository's config.toml; in the wheel beside this file)."""
    packaged = resources.files("social") / DEFAULT_CONFIG
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parent.parent / DEFAULT_CONFIG).read_text(encoding="utf-8")


def load_settings(path: Path | None = None, *, environment: Mapping[str, str] | None = None) -> Settings:
    """Read ``path`` (default: ``config.toml`` here, else the shipped demo). Raises ``ConfigurationError`` with every
    problem at once, each with its line."""
    environment = os.environ if environment is None else environment
    if path is None:
        local = Path(DEFAULT_CONFIG)
        if not local.is_file():
            return parse_settings(shipped_config(), source=None, home=Path.cwd(), environment=environment)
        path = local
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigurationError(
            "there is no such file.", resource=str(path), next_step="Make one with: social init"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(
            f"this file cannot be read ({reason}).",
            resource=str(path),
            next_step="It must be a readable text file in UTF-8.",
        ) from error
    return parse_settings(text, source=path, home=path.resolve().parent, environment=environment)


def parse_settings(
    text: str, *, source: Path | None, home: Path, environment: Mapping[str, str] | None = None
) -> Settings:
    """As ``load_settings``, from the text of a file."""
    name = source_name(source, DEFAULT_CONFIG)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        where = f"{name}:{line.group(1)}" if line else name
        raise ConfigurationError(
            f"this is not valid TOML: {error}.", resource=where, next_step="Mend that line."
        ) from error
    problems = [f"{place(text, path, name)}: {dotted(path)}: {NEVER_HERE}." for path in literal_secrets(document)]
    problems += [f"{place(text, (key,), name)}: unknown key {key!r}." for key in sorted(_NOT_KEYS & set(document))]
    if problems:
        raise unusable(problems)
    given = _apply_environment(document, environment or {})
    try:
        return Settings.model_validate({**document, "home": home, "source": source, "text": text})
    except ValidationError as error:
        raise unusable(
            problems_of(error, text=text, name=name, model=Settings, given=given, hidden=_NOT_KEYS)
        ) from None


def explain(error: ValidationError, settings: Settings, *location: str | int, model: type[BaseModel]) -> list[str]:
    """The problems of an opaque table (``[profiles.options]``, ``[connectors.x]``) in the same words, with their lines.
    ``location`` is where the table stands, ``model`` what it was checked against."""
    name = source_name(settings.source, DEFAULT_CONFIG)
    return problems_of(error, text=settings.text, name=name, model=model, prefix=location)


_NOT_KEYS = frozenset({"home", "source", "text"})


def _apply_environment(document: dict[str, Any], environment: Mapping[str, str]) -> dict[Location, str]:
    """``DYZUR_TRIAGE__BACKEND=rules`` sets ``[triage] backend`` and ``DYZUR_CONNECTORS__KIND__TIMEOUT=5`` what stands in
    ``[connectors.kind]``; lists of tables are set in the file only. Returns which variable set which key."""
    given: dict[Location, str] = {}
    sections = [name for name in Settings.model_fields if name not in _NOT_KEYS | {"brands", "profiles"}]
    for variable, value in sorted(environment.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX) or "__" not in variable:
            continue
        if variable.startswith(SECRET_PREFIX):
            continue
        path = tuple(variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
        if path[0] not in sections or len(path) != (3 if path[0] == "connectors" else 2):
            raise ConfigurationError(
                "this environment variable sets nothing.",
                resource=variable,
                next_step=f"{ENVIRONMENT_PREFIX}SECTION__KEY sets a key; the sections are {', '.join(sections)}.",
            )
        table: Any = document
        for part in path[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                break  # the file is wrong here, and is told so below
        else:
            table[path[-1]] = value
            given[path] = variable
    return given
