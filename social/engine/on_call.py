"""``[notify]`` with its parts open: who can be told, who is on call when, and the ways to reach them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

from social.domain.errors import ConfigurationError
from social.domain.hours import BusinessCalendar, parse_weekly
from social.domain.rota import Rota, Shift
from social.engine.calendars import calendars_of
from social.notifiers.ping import Ping
from social.notifiers.services import ServicesNotifier
from social.notifiers.smtp import SmtpNotifier
from social.ports import CredentialStore, Notifier
from social.secrets import EncryptedCredentials, NothingSealed
from social.settings import NotifySettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """``ways``: channel -> where that channel finds them (an e-mail address, the name of a credential)."""

    name: str
    language: str
    ways: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCall:
    """``calendars`` by the brand's name, brands without a working profile included; ``timezone`` is what alerts tell times
    in; ``address`` is the desk's in links, empty where it has none."""

    rota: Rota
    people: Mapping[str, Person]
    notifiers: Mapping[str, Notifier]
    timezone: ZoneInfo
    calendars: Mapping[str, BusinessCalendar] = field(default_factory=dict)
    excerpt: bool = True
    digest_before_opening: timedelta = timedelta(0)  # zero: no digest
    address: str = ""
    ping: Ping | None = None


def open_on_call(settings: Settings, credentials: CredentialStore) -> OnCall:
    """Raises ``ConfigurationError`` for a credential that is not there and for a missing extra: somebody who cannot be told
    would otherwise be found out in the night."""
    notify = settings.notify
    for name, parts in credentials_of(notify):
        found = credentials.load(name)
        if missing := [part for part in parts if not found.get(part)]:
            raise ConfigurationError(
                f"it lacks {', '.join(missing)}.",
                resource=f"credential {name!r}",
                next_step=f'Add a line for each: {missing[0]} = "..."',
            )
    return OnCall(
        rota=rota_of(settings),
        people=people_of(notify),
        notifiers={notifier.channel: notifier for notifier in _notifiers(settings, credentials)},
        timezone=_timezone(settings),
        calendars=calendars_of(settings),
        excerpt=notify.excerpt,
        digest_before_opening=notify.digest_before_opening,
        address=settings.web.address,
        ping=Ping(notify.ping, credentials) if notify.ping else None,
    )


def configured_credentials(settings: Settings) -> CredentialStore:
    """Credentials as the operator gave them, for a look without a database; nothing of ``[notify]`` is ever refreshed."""

    return EncryptedCredentials(
        directory=settings.path(settings.secrets.directory), key_file=settings.path("dyzur.key"), sealed=NothingSealed()
    )


def people_of(notify: NotifySettings) -> dict[str, Person]:
    return {
        item.name: Person(
            name=item.name,
            language=item.language,
            ways={
                channel: where
                for channel, where in ((SmtpNotifier.channel, item.email), (ServicesNotifier.channel, item.services))
                if where
            },
        )
        for item in notify.people
    }


def credentials_of(notify: NotifySettings) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names of all credentials that ``[notify]`` uses, each with the parts that it needs."""
    if notify.smtp is not None and notify.smtp.credential:
        yield notify.smtp.credential, ("username", "password")
    if notify.ping and "://" not in notify.ping:
        yield notify.ping, ("url",)
    for person in notify.people:
        if person.services:
            yield person.services, ()


def rota_of(settings: Settings) -> Rota:
    notify, zone = settings.notify, _timezone(settings)
    night = {"mon-sun": notify.quiet_hours}
    return Rota(
        people=tuple(person.name for person in notify.people),
        shifts=tuple(
            Shift(
                people=shift.people,
                hours=BusinessCalendar(timezone=zone, weekly=parse_weekly(shift.hours)) if shift.hours else None,
                brand=shift.brand,
            )
            for shift in notify.rota
        ),
        quiet=BusinessCalendar(timezone=zone, weekly=parse_weekly(night)) if notify.quiet_hours else None,
        high_at_night=notify.high_at_night,
        next_after=notify.second_after,
    )


def _timezone(settings: Settings) -> ZoneInfo:
    return ZoneInfo(settings.notify.timezone or settings.brands[0].timezone)


def _notifiers(settings: Settings, credentials: CredentialStore) -> Iterator[Notifier]:
    notify, smtp = settings.notify, settings.notify.smtp
    if smtp is not None:
        yield SmtpNotifier(
            host=smtp.host,
            port=smtp.port,
            security=smtp.security.value,
            sender=smtp.sender,
            credentials=credentials,
            credential=smtp.credential,
            timeout=smtp.timeout,
            ca_file=None if smtp.ca_file is None else settings.path(smtp.ca_file),
        )
    if any(person.services for person in notify.people):
        yield ServicesNotifier(credentials)
