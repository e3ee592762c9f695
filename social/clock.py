"""The only place that reads the time.

*World time* is when customers post and shops open: an aware datetime from a ``Clock``. It is ``RealClock``,
``PacedClock`` (the demo: a fast world) or ``SteppedClock`` (self-test, tests, benchmarks: it only moves when told).
*Machine time* is for leases and time-outs and comes from ``lease_now`` and ``machine_now`` (or the database). The two are
never compared.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from social.domain.post import require_aware


def machine_now() -> datetime:
    """The machine's wall clock in UTC: log lines, sessions, the anchor of a paced clock."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that never go back, for durations within this process."""
    return time.monotonic()


def boot_seconds() -> float:
    """Seconds since the machine was started, its sleep included: what nobody can set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


_STARTED = machine_now(), boot_seconds()


def lease_now() -> datetime:
    """Machine time for leases on SQLite: what it was when this process began, and what has passed since. Whoever sets the
    machine's clock makes no lease end early, under somebody who is on the wire just now."""
    began, seconds = _STARTED
    return began + timedelta(seconds=boot_seconds() - seconds)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of machine time from its making on. Two clocks must both say that it is still open: the one that nobody
    can set, and the wall's, which alone knows that a whole virtual machine was frozen."""

    boot: float
    wall: datetime

    @classmethod
    def lasting(cls, length: timedelta) -> Window:
        return cls(boot_seconds() + length.total_seconds(), machine_now() + length)

    @property
    def open(self) -> bool:
        return boot_seconds() <= self.boot and machine_now() <= self.wall


_leaving: ContextVar[Window | None] = ContextVar("leaving", default=None)


@contextmanager
def leaving_within(window: Window) -> Iterator[None]:
    """What this thread sends inside the block must leave within ``window``; whoever owns the socket asks
    ``too_late_to_leave`` last of all. A process may be paused between any two of its lines."""
    token = _leaving.set(window)
    try:
        yield
    finally:
        _leaving.reset(token)


def too_late_to_leave() -> bool:
    window = _leaving.get()
    return window is not None and not window.open


class RealClock:
    """World time is the machine's time, as long as that goes on as time does.

    It never goes back: where the machine's clock was set back, it goes on from the latest time seen (``latest`` brings that
    over a restart). A jump ahead is believed once it has lasted for ``BELIEVED_AFTER``: a clock that is wrong for a moment
    must not make the desk late for a day. Where such a leap is undone later, it goes at half the pace until the machine has
    caught up, so that posts are read all the time.

    What the machine showed at the start nobody can doubt from within. The networks can: ``witnessed`` hears what time it is
    there. Only what one of them agreed to is kept for the next start, so that a start under a wrong clock can be undone.
    """

    mode = "real"
    #: What the network's own time service corrects now and then.
    TOLERANCE = timedelta(minutes=5)
    BELIEVED_AFTER = timedelta(minutes=10)

    def __init__(
        self,
        latest: datetime | None = None,
        *,
        machine: Callable[[], datetime] = machine_now,
        seconds: Callable[[], float] = boot_seconds,
    ) -> None:
        self._machine, self._seconds = machine, seconds
        self._lock = threading.Lock()
        self._ran = seconds()
        self._world = max(machine(), latest.astimezone(UTC)) if latest else machine()
        self._ahead_since: float | None = None
        self._leapt = self._agreed = self._refuted = False
        self._astray = machine() - self._world

    @property
    def astray(self) -> timedelta:
        """How far the machine's clock is ahead of world time (below zero: behind it); nothing, while it is in order."""
        return self._astray if abs(self._astray) > self.TOLERANCE else timedelta(0)

    @property
    def sure(self) -> bool:
        """A network agreed, and no jump ahead was followed since: what it shows may be kept for the next start."""
        return self._agreed and not self._leapt

    @property
    def refuted(self) -> bool:
        """The machine and a network agree that world time is ahead: it comes from a clock that was wrong. It goes at half the
        pace until they meet; a new start is right at once."""
        return self._refuted

    def witnessed(self, ahead: timedelta) -> None:
        """A network's time is ``ahead`` of world time (below zero: behind it)."""
        with self._lock:
            if abs(ahead) <= self.TOLERANCE:
                if self._leapt and self._astray < -self.TOLERANCE:
                    return  # on its way back: nearly there by the network's time, not yet by the machine's
                self._agreed, self._leapt, self._refuted = True, False, False
            elif ahead < timedelta(0) and abs(self._astray - ahead) <= self.TOLERANCE:
                self._agreed, self._leapt, self._refuted = False, True, True

    def now(self) -> datetime:
        with self._lock:
            machine, ran = self._machine(), self._seconds()
            went = timedelta(seconds=max(0.0, ran - self._ran))
            passed = self._world + went
            self._ran = ran
            self._astray = machine - passed
            ahead = self._astray > self.TOLERANCE
            if ahead and not self._is_believed(ran):
                self._world = passed
            elif self._astray < -self.TOLERANCE:
                self._world, self._ahead_since = (self._world + went / 2 if self._leapt else passed), None
            else:
                self._world, self._ahead_since, self._leapt = max(self._world, machine), None, self._leapt or ahead
            return self._world

    def _is_believed(self, ran: float) -> bool:
        if self._ahead_since is None:
            self._ahead_since = ran
        return ran - self._ahead_since >= self.BELIEVED_AFTER.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Ties world time to machine time: at ``machine`` it was ``world``, and a machine second is ``speed`` world seconds.
    Kept in one database row, so that every process and every restart reads the same time."""

    machine: datetime
    world: datetime
    speed: float

    def __post_init__(self) -> None:
        require_aware(self.machine, "machine")
        require_aware(self.world, "world")
        if not 0 < self.speed <= 100_000:
            raise ValueError(f"speed must be above 0 and at most 100000, got {self.speed}")


class PacedClock:
    """A fast (or slow) world. Never goes back, even if the machine's clock is set back."""

    mode = "paced"

    def __init__(self, anchor: Anchor) -> None:
        self.anchor = anchor
        self._latest = anchor.world.astimezone(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        elapsed = (machine_now() - self.anchor.machine).total_seconds()
        world = self.anchor.world.astimezone(UTC) + timedelta(seconds=elapsed * self.anchor.speed)
        with self._lock:
            self._latest = max(self._latest, world)
            return self._latest

    def machine_seconds(self, world: timedelta) -> float:
        """How long ``world`` lasts on the machine, in seconds."""
        return world.total_seconds() / self.anchor.speed


class SteppedClock:
    """Moves only when told, and only forward."""

    mode = "stepped"

    def __init__(self, start: datetime) -> None:
        self._now = require_aware(start, "start").astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> datetime:
        if by < timedelta(0):
            raise ValueError(f"time does not go back, got {by}")
        self._now += by
        return self._now

    def advance_to(self, at: datetime) -> datetime:
        """Jump to ``at``; an earlier time changes nothing."""
        self._now = max(self._now, require_aware(at, "at").astimezone(UTC))
        return self._now
