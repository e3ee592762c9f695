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

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from social.domain.assessment import Flag, Urgency
from social.domain.errors import ConfigurationError
from social.domain.hours import parse_slot, parse_slots, parse_weekly
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
#: What every mail server takes: an address outside ASCII needs SMTPUTF8, which many refuse.
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
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


def _credential_name(value: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,59}", value) is None or looks_like_a_secret(value):
        # the value is not repeated: it may be the secret itself
        raise ValueError(
            "must be the NAME of a credential (small letters, digits, - and _), not a token: put the token into "
            "secrets/NAME.toml (mode 0600) or the environment, and renew it, since it stood in a file"
        )
    return value


def _plain_name(value: str) -> str:
    """What stands on the command line and in addresses."""
    if re.fullmatch(r"[a-z0-9][a-z0-9-]*", value) is None:
        raise ValueError(f"{value!r} must be small letters without accents, digits and dashes, such as shop-page")
    return value


def _language_code(value: str) -> str:
    if re.fullmatch(r"[a-z]{2}", value) is None:
        raise ValueError(f"{value!r} is not the code of a language; write two small letters, such as pl")
    return value


def _closed_day(value: object) -> object:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f'"{value}" is not a date; write it like 2026-12-31') from None


def _existing_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"{value!r} is not an IANA time zone; write for example Europe/Warsaw") from error
    return value


def _as_lists(value: object) -> object:
    """One slot may be written as a string."""
    if isinstance(value, Mapping):
        return {key: [slots] if isinstance(slots, str) else slots for key, slots in value.items()}
    return value


def _email_address(value: str) -> str:
    if value and _EMAIL.fullmatch(value) is None:
        raise ValueError("must be one e-mail address in plain letters, such as anna@example.com")
    return value


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
    daily_backups: int = Field(
        7, ge=0, le=400, description="SQLite: a copy a day, made while the desk runs; so many are kept. 0: none."
    )
    backup_folder: Path = Field(
        Path("var/backups"), description="Where the daily copies lie, relative to this file; another disk is better."
    )


class RetentionSettings(Section):
    """[retention]: how long words are kept, counted from when they came in. Counts are kept for ever; open cases and formal
    complaints are never purged. See docs/data.md."""

    raw_answers: Duration = Field(
        timedelta(days=30), description="The networks' raw answers, and what could not be read."
    )
    texts: Duration = Field(
        timedelta(days=396),
        description="Customers' posts, our answers, notes, and the names of those of whom nothing else is left.",
    )
    vectors: Duration = Field(
        timedelta(days=396),
        description="The posts' sentence vectors, which say nearly what the texts say; never longer than texts.",
    )
    notifications: Duration = Field(timedelta(days=90), description="Who was told of what, and whether it arrived.")
    audit: Duration = Field(timedelta(days=1096), description="Who did what at the desk.")

    @field_validator("raw_answers", "texts", "vectors", "notifications", "audit")
    @classmethod
    def _neither_hasty_nor_endless(cls, value: timedelta) -> timedelta:
        if not timedelta(days=7) <= value <= timedelta(days=3660):
            raise ValueError("must lie between 7d (an ended case can come back for three days) and 3660d")
        return value

    @model_validator(mode="after")
    def _nothing_outlives_the_texts_it_repeats(self) -> RetentionSettings:
        for name in ("raw_answers", "vectors"):
            if name in self.model_fields_set and getattr(self, name) > self.texts:
                raise misplaced(("retention", name), "would outlive texts, and holds the same words")
        return self


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
    languages: tuple[Annotated[str, AfterValidator(_language_code)], ...] = Field(
        min_length=1, description="Languages of the texts, the main one first: pl, en."
    )
    timezone: str = Field(description="IANA name such as Europe/Warsaw; no default, since a wrong one tells lies.")
    hours: dict[str, tuple[str, ...]] = Field(
        description='When people answer: mon-fri = ["09:00-17:00"]; several slots a day, over midnight allowed.'
    )
    holidays: str | None = Field(None, description="Country whose public holidays are closed days, such as PL.")
    closed_dates: tuple[Annotated[date, BeforeValidator(_closed_day)], ...] = Field((), description="Own closed days.")
    open_dates: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description='Own hours on single days, over holidays too: "2026-12-24" = ["09:00-12:00"].'
    )

    @field_validator("hours", "open_dates", mode="before")
    @classmethod
    def _one_slot_may_be_a_string(cls, value: object) -> object:
        return _as_lists(value)

    @field_validator("closed_dates", mode="before")
    @classmethod
    def _closed_dates_can_be_read(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            raise ValueError("write a list of dates, for example [2026-12-31]")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        return _existing_zone(value)

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

    name: str = Field(max_length=60, description="Your name for it: small letters, digits, -.")
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

    @field_validator("name")
    @classmethod
    def _name_is_plain(cls, value: str) -> str:
        return _plain_name(value)

    @field_validator("poll_every")
    @classmethod
    def _not_too_often(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=5) <= value <= timedelta(days=1):
            raise ValueError("poll_every must lie between 5s and 1d")
        return value

    @field_validator("credential")
    @classmethod
    def _a_name_not_a_token(cls, value: str) -> str:
        return _credential_name(value)

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


class OwnRuleSettings(Section):
    """[[triage.rules.own]]: a rule of your own. Patterns are written as in docs/rules.md; `social rules try` shows what
    they find."""

    name: str = Field(
        max_length=60,
        description="Stands beside every hit: small letters without accents, digits, -. Not the name of a shipped rule.",
    )
    flag: Flag | None = Field(None, description="Set on a hit. A rule needs flag, floor or both.")
    floor: Urgency | None = Field(None, description="A hit is at least as urgent as this.")
    pl: tuple[str, ...] = Field((), max_length=200, description="Patterns in Polish; one must be found.")
    en: tuple[str, ...] = Field((), max_length=200, description="Patterns in English. All are tried on every text.")
    any: tuple[str, ...] = Field((), max_length=200, description="Patterns that belong to no language, such as names.")
    also: tuple[str, ...] = Field((), max_length=200, description="One of these must be in the text too.")
    unless: tuple[str, ...] = Field((), max_length=200, description="Where one of these is in the text, no hit.")
    beside: tuple[Flag, ...] = Field((), description="Only where another rule has set one of these flags.")

    @field_validator("name")
    @classmethod
    def _name_is_plain(cls, value: str) -> str:
        return _plain_name(value)

    @model_validator(mode="after")
    def _does_something(self) -> OwnRuleSettings:
        if self.flag is None and self.floor in (None, Urgency.LOW):
            raise ValueError(f"rule {self.name!r} does nothing: give it a flag, or a floor of normal, high or critical")
        if not (self.pl or self.en or self.any):
            raise ValueError(f"rule {self.name!r} looks for nothing: give it words under pl, en or any")
        return self


class RulesSettings(Section):
    """[triage.rules]: words that raise urgency or set a flag, whatever the model says. `social rules list` shows those that
    come along; docs/rules.md explains how to write your own."""

    off: tuple[str, ...] = Field((), description="Names of shipped rules that stay silent.")
    idioms: tuple[str, ...] = Field(
        (), max_length=200, description="Patterns that are said so and not meant so: no rule reads their words."
    )
    own: tuple[OwnRuleSettings, ...] = Field((), max_length=200, description="Your own rules.")

    @model_validator(mode="after")
    def _names_differ(self) -> RulesSettings:
        names = [rule.name for rule in self.own]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise misplaced(("triage", "rules", "own", index, "name"), f"two rules are called {name!r}")
        return self


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
    rules: RulesSettings = Field(
        default_factory=RulesSettings, description="Rules switched off, and rules of your own."
    )


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


class WebSettings(Section):
    """[web]: the desk in the browser."""

    host: str = Field(
        "127.0.0.1", description="The address to listen on; another than this machine needs behind_proxy."
    )
    port: int = Field(8710, ge=0, le=65535, description="0: a free one, which is printed.")
    behind_proxy: bool = Field(
        False, description="true: a reverse proxy with TLS stands before the desk; its forwarded headers are believed."
    )
    address: str = Field(
        "", description="How people reach the desk, such as https://desk.example.com; stands in the links of messages."
    )
    session_hours: int = Field(12, ge=1, le=24 * 30, description="Who did nothing for so long signs in again.")

    @field_validator("address")
    @classmethod
    def _a_web_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment):
            raise ValueError("must be a web address such as https://desk.example.com")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _a_proxy_has_a_name(self) -> WebSettings:
        if self.behind_proxy and not self.address:
            raise ValueError('behind_proxy needs the name that people use: address = "https://desk.example.com"')
        return self

    @model_validator(mode="after")
    def _only_a_proxy_opens_it_to_others(self) -> WebSettings:
        if self.host not in LOOPBACK and not self.behind_proxy:
            raise ValueError(
                f"the desk would listen on {self.host}, where others reach it without TLS: keep 127.0.0.1, or put a "
                "reverse proxy before it and set behind_proxy = true"
            )
        return self


class PersonSettings(Section):
    """[[notify.people]]: who can be told, the first one first where there is no rota."""

    name: str = Field(
        min_length=1, max_length=60, description="As this person signs in at the desk, or works with --as NAME."
    )
    email: str = Field("", description="Needs [notify.smtp].")
    language: Annotated[str, Field(pattern=r"^(pl|en)$")] = Field("pl", description="Of the messages: pl or en.")
    services: str = Field(
        "",
        description="The NAME of a credential; each of its parts is an address for apprise, such as a push service or "
        "a chat (needs the extra [notify]).",
    )

    @field_validator("name")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if value != value.strip() or not value.isprintable():
            raise ValueError("must be a plain name on one line, without spaces around it")
        return value

    @field_validator("email")
    @classmethod
    def _an_address(cls, value: str) -> str:
        return _email_address(value)

    @field_validator("services")
    @classmethod
    def _a_name(cls, value: str) -> str:
        return _credential_name(value) if value else value

    @model_validator(mode="after")
    def _can_be_reached(self) -> PersonSettings:
        if not self.email and not self.services:
            raise ValueError(f"{self.name} cannot be reached; give email, services or both")
        return self


class ShiftSettings(Section):
    """[[notify.rota]]: who is on call when. Without any, everybody is, in the order of [[notify.people]]."""

    people: tuple[str, ...] = Field(min_length=1, description="Names of [[notify.people]], the first one first.")
    hours: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description='Days and hours as of a brand, over midnight allowed: mon-fri = ["17:00-09:00"]. None: always.',
    )
    brand: str | None = Field(None, description="Only for this brand; none: for all.")

    @field_validator("hours", mode="before")
    @classmethod
    def _one_slot_may_be_a_string(cls, value: object) -> object:
        return _as_lists(value)

    @field_validator("hours")
    @classmethod
    def _hours_can_be_read(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        parse_weekly(value)
        return value


class SmtpSecurity(StrEnum):
    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class SmtpSettings(Section):
    """[notify.smtp]: the mail server that takes the messages."""

    host: str = Field(min_length=1, description="Its name, such as smtp.example.com.")
    port: int = Field(587, ge=1, le=65535, description="587 with starttls, 465 with tls.")
    security: SmtpSecurity = Field(
        SmtpSecurity.STARTTLS,
        description="starttls: encrypted after the greeting, never without; tls: from the start; none: not at all. The "
        "server's certificate is always checked.",
    )
    sender: str = Field(description="The address that the messages come from.")
    credential: str = Field("", description="The NAME of a credential with username and password. None: no sign-in.")
    timeout: Duration = Field(timedelta(seconds=20), description="For each answer of the server, 1s to 30s.")
    ca_file: Path | None = Field(
        None, description="Certificates (PEM) to trust instead of the machine's own, for a server of your own."
    )

    @field_validator("sender")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if not value:
            raise ValueError("must be an e-mail address")
        return _email_address(value)

    @field_validator("credential")
    @classmethod
    def _a_name(cls, value: str) -> str:
        return _credential_name(value) if value else value

    @field_validator("timeout")
    @classmethod
    def _neither_hasty_nor_endless(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= value <= timedelta(seconds=30):
            raise ValueError("timeout must lie between 1s and 30s")
        return value

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> SmtpSettings:
        if self.security is SmtpSecurity.NONE and self.credential and self.host not in LOOPBACK:
            raise ValueError('a password would cross the network in clear: use security = "starttls" or "tls"')
        return self


class NotifySettings(Section):
    """[notify]: who is told, by what, and when they may sleep."""

    timezone: str | None = Field(None, description="Of rota and quiet hours, an IANA name. None: the first brand's.")
    second_after: Duration = Field(
        timedelta(minutes=15), description="Nobody took it for so long: the next person on call is told."
    )
    quiet_hours: str = Field(
        "22:00-07:00", description="Only critical rings then, everything else waits for their end. Empty: none."
    )
    high_at_night: bool = Field(False, description="true: high rings in quiet hours too.")
    excerpt: bool = Field(True, description="Show the first 140 characters of the customer's words; false: never.")
    digest_before_opening: Duration = Field(
        timedelta(minutes=15), description='The morning digest comes so long before a brand opens. "0s": none.'
    )
    ping: str = Field(
        "",
        description="A dead man's switch: an https address that is asked every minute while all is well, or the NAME of "
        "a credential whose part url is one.",
    )
    smtp: SmtpSettings | None = Field(None, description="The mail server.")
    people: tuple[PersonSettings, ...] = Field((), description="Who can be told; none: nobody is.")
    rota: tuple[ShiftSettings, ...] = Field((), description="Who is on call when.")

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str | None) -> str | None:
        return value if value is None else _existing_zone(value)

    @field_validator("second_after")
    @classmethod
    def _in_time(cls, value: timedelta) -> timedelta:
        if not timedelta(minutes=1) <= value <= timedelta(hours=12):
            raise ValueError("second_after must lie between 1m and 12h")
        return value

    @field_validator("digest_before_opening")
    @classmethod
    def _the_same_morning(cls, value: timedelta) -> timedelta:
        if not timedelta(0) <= value <= timedelta(hours=4):
            raise ValueError("digest_before_opening must lie between 0s and 4h")
        return value

    @field_validator("quiet_hours")
    @classmethod
    def _one_night(cls, value: str) -> str:
        if value and str(parse_slot(value)) == "00:00-24:00":
            raise ValueError("nobody would ever be told of anything but critical; leave some hours of the day")
        return value

    @field_validator("ping")
    @classmethod
    def _an_address_or_a_name(cls, value: str) -> str:
        if "://" not in value:
            return _credential_name(value) if value else value
        parts = urlsplit(value)
        if parts.username or parts.password:
            raise ValueError("a password must never stand in this file: put the address into a credential's part url")
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError("must be an https address")
        return value

    @model_validator(mode="after")
    def _names_meet(self) -> NotifySettings:
        names = [person.name for person in self.people]
        for index, person in enumerate(self.people):
            if person.name in names[:index]:
                raise misplaced(("notify", "people", index, "name"), f"two people are called {person.name!r}")
            if person.email and self.smtp is None:
                raise misplaced(("notify", "people", index, "email"), "an e-mail needs [notify.smtp], which is missing")
        for index, shift in enumerate(self.rota):
            for name in shift.people:
                if name not in names:
                    known = ", ".join(names) or "nobody"
                    message = f"{name!r} stands in no [[notify.people]]; there is: {known}"
                    raise misplaced(("notify", "rota", index, "people"), message)
        return self


class Settings(Section):
    """The whole of config.toml."""

    clock: ClockSettings = Field(default_factory=ClockSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    secrets: SecretsSettings = Field(default_factory=SecretsSettings)
    triage: TriageSettings = Field(default_factory=TriageSettings)
    responders: RespondersSettings = Field(default_factory=RespondersSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    notify: NotifySettings = Field(default_factory=NotifySettings)
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
        for index, shift in enumerate(self.notify.rota):
            if shift.brand is not None and shift.brand not in brands:
                raise misplaced(("notify", "rota", index, "brand"), f"there is no brand {shift.brand!r}")
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
    _require_that_nobody_outside_is_told(settings)


def _require_that_nobody_outside_is_told(settings: Settings) -> None:
    """Customers who do not exist wake nobody: a simulated world may only talk to a mail server on this machine."""
    notify = settings.notify
    location: tuple[str | int, ...] | None
    if notify.smtp is not None and notify.smtp.host not in LOOPBACK:
        location = ("notify", "smtp", "host")
    elif notify.ping and urlsplit(notify.ping).hostname not in LOOPBACK:
        location = ("notify", "ping")
    else:
        services = (
            ("notify", "people", index, "services") for index, item in enumerate(notify.people) if item.services
        )
        location = next(services, None)
    if location is not None:
        raise ConfigurationError(
            f"the clock is {settings.clock.mode}, and people outside would be told of customers who do not exist.",
            resource=settings.where(*location),
            next_step='Set [clock] mode = "real", or a mail server on 127.0.0.1 and nothing else.',
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
