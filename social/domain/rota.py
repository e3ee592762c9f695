"""Whom an alert reaches, and when: the rota of people on call, quiet hours, and one pure decision over both.

The first person on call is told at once, the next one ``next_after`` later if nobody took it, and so on down the shift;
then the alert is over. Quiet hours hold back everything but critical.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from social.domain.assessment import Urgency
from social.domain.hours import BusinessCalendar
from social.domain.post import require_aware

#: An alert that nobody was there to tell of for so long rings no more: its case stands in the queue and in the digest.
TOO_OLD = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Who is on call, the first one first. ``hours`` are wall times of a week, over midnight allowed; ``None``: always.
    ``brand`` is a brand's name; ``None``: every brand."""

    people: tuple[str, ...]
    hours: BusinessCalendar | None = None
    brand: str | None = None

    def holds(self, at: datetime) -> bool:
        return self.hours is None or self.hours.is_open(at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rota:
    """``people`` are all who can be told, in order: they are on call by turns where there are no shifts. ``quiet`` is
    "open" in the hours in which only critical rings (and high, with ``high_at_night``)."""

    people: tuple[str, ...]
    shifts: tuple[Shift, ...] = ()
    quiet: BusinessCalendar | None = None
    high_at_night: bool = False
    next_after: timedelta = timedelta(minutes=15)

    def on_call(self, at: datetime, brand: str | None = None) -> tuple[str, ...]:
        """Names in the order in which they are told at ``at``; empty in a gap between shifts. ``brand=None`` asks for
        whoever is on call for any brand."""
        require_aware(at, "at")
        shifts = self._shifts_of(brand)
        if not shifts:
            return self.people
        return _once(person for shift in shifts if shift.holds(at) for person in shift.people)

    def next_shift(self, at: datetime, brand: str | None = None) -> datetime | None:
        """When the next shift begins, for a gap between two; ``None`` where none comes."""
        starts = [shift.hours.next_opening(at) for shift in self._shifts_of(brand) if shift.hours is not None]
        return min((start for start in starts if start is not None), default=None)

    def everybody(self, brand: str) -> tuple[str, ...]:
        """All who are on call for ``brand`` at any time."""
        return _once(person for shift in self._shifts_of(brand) for person in shift.people) or self.people

    def quiet_until(self, urgency: Urgency, at: datetime) -> datetime | None:
        """When something of ``urgency`` may ring that may not at ``at``; ``None``: it may now."""
        loud = urgency is Urgency.CRITICAL or (urgency is Urgency.HIGH and self.high_at_night)
        if loud or self.quiet is None or not self.quiet.is_open(at):
            return None
        return self.quiet.closes_at(at)

    def _shifts_of(self, brand: str | None) -> tuple[Shift, ...]:
        return tuple(shift for shift in self.shifts if brand is None or shift.brand in (None, brand))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Somebody was told at ``at``. ``reached`` is false once every way to them has failed at least once."""

    person: str
    at: datetime
    reached: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFacts:
    """What is known of an alert. ``wanted_at``: when it last was to be looked at. ``told``: oldest first. ``over``: why
    nobody has to be told (any more), empty while somebody has. ``only``: the one person whom it concerns."""

    urgency: Urgency
    wanted_at: datetime
    brand: str | None = None
    told: tuple[Told, ...] = ()
    over: str = ""
    only: str | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """``next_at``: when the next person is told if nobody takes it; ``None`` where there is no next one."""

    person: str
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    until: datetime


@dataclass(frozen=True, slots=True)
class Over:
    reason: str


Step = Tell | Wait | Over


def next_step(alert: AlertFacts, rota: Rota, now: datetime) -> Step:
    """What happens with ``alert`` at ``now`` (world time, aware). ``Wait.until`` is always later than ``now``."""
    require_aware(now, "now")
    if alert.over:
        return Over(alert.over)
    if not alert.told and now - alert.wanted_at > TOO_OLD:
        return Over("nobody was there to tell of it in time")
    if alert.only is not None:
        return _tell_one(alert.only, alert, rota)
    if alert.told and alert.told[-1].reached and now < (following := alert.told[-1].at + rota.next_after):
        return Wait(following)
    told = {earlier.person for earlier in alert.told}
    if (start := _shift_to_wait_for(alert, rota, now)) is not None:
        return Wait(start)
    left = [person for person in rota.on_call(now, alert.brand) or rota.people if person not in told]
    if not left:
        return Over("everybody on call was told")
    if (until := rota.quiet_until(alert.urgency, now)) is not None:
        return Wait(until)
    if len(left) == 1:
        return Tell(left[0])
    following = now + rota.next_after
    return Tell(left[0], next_at=rota.quiet_until(alert.urgency, following) or following)


def _tell_one(person: str, alert: AlertFacts, rota: Rota) -> Step:
    if person not in rota.people:
        return Over(f"{person} stands in no [[notify.people]]")
    return Over(f"{person} was told") if alert.told else Tell(person)


def _shift_to_wait_for(alert: AlertFacts, rota: Rota, now: datetime) -> datetime | None:
    """When the next shift begins, in a gap of the rota. ``None``: somebody is on call, or it must not wait. What is critical
    must not, nor what could not ring when that shift begins, in quiet hours: then everybody may be told, in order."""
    if alert.urgency is Urgency.CRITICAL or rota.on_call(now, alert.brand):
        return None
    start = rota.next_shift(now, alert.brand)
    return None if start is None or rota.quiet_until(alert.urgency, start) is not None else start


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
