"""People who can be told, and what they were told, in memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from social.domain.errors import Unreachable
from social.domain.hours import BusinessCalendar, parse_weekly
from social.domain.rota import Rota
from social.engine.desk import Desk
from social.engine.on_call import OnCall, Person
from social.ports import Clock, Message, Notifier
from tests.cast import BRAND, HANNA, MAREK, OFFICE, WARSAW

QUIET = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon-sun": ["22:00-07:00"]}))
ROTA = Rota(people=(MAREK, HANNA), quiet=QUIET)
ADDRESS = "https://desk.example.com"


@dataclass(frozen=True, slots=True)
class Arrived:
    at: datetime
    message: Message


class FakeNotifier:
    """Every ``fails`` is used up by one message; with ``after_effect`` the message arrives all the same. Before
    ``down_until`` nothing arrives."""

    channel: ClassVar[str] = "email"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._faults: deque[tuple[BaseException, bool]] = deque()
        self.down_until: datetime | None = None
        self.arrived: list[Arrived] = []
        self.tried: list[datetime] = []

    def fails(self, error: BaseException, *, times: int = 1, after_effect: bool = False) -> None:
        self._faults.extend([(error, after_effect)] * times)

    def send(self, message: Message) -> None:
        self.tried.append(self._clock.now())
        if self.down_until is not None and self._clock.now() < self.down_until:
            raise Unreachable("the mail server cannot be reached.", resource="mail:587")
        error, after_effect = self._faults.popleft() if self._faults else (None, True)
        if after_effect:
            self.arrived.append(Arrived(self._clock.now(), message))
        if error is not None:
            raise error

    @property
    def told(self) -> list[tuple[str, datetime]]:
        return [(arrived.message.name, arrived.at) for arrived in self.arrived]

    @property
    def bodies(self) -> list[str]:
        return [arrived.message.body for arrived in self.arrived]

    @property
    def subjects(self) -> list[str]:
        return [arrived.message.subject for arrived in self.arrived]


def on_call(notifier: Notifier, *, rota: Rota = ROTA, **more: object) -> OnCall:
    """Marek reads Polish, Hanna English; both have an e-mail address."""
    languages = {MAREK: "pl", HANNA: "en"}
    people = {
        name: Person(name=name, language=languages[name], ways={"email": f"{name}@example.com"}) for name in rota.people
    }
    values: dict[str, object] = {
        "rota": rota,
        "people": people,
        "notifiers": {notifier.channel: notifier},
        "timezone": WARSAW,
        "calendars": {BRAND: OFFICE},
        "address": ADDRESS,
    }
    return OnCall(**{**values, **more})  # type: ignore[arg-type]


def with_digest(desk: Desk, before: timedelta = timedelta(minutes=15)) -> None:
    assert desk.on_call is not None
    desk.on_call = replace(desk.on_call, digest_before_opening=before)
