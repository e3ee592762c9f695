"""The only place that reads the time.

*World time* is when customers post and shops open: an aware datetime from a ``Clock``. It is ``RealClock``,
``PacedClock`` (the demo: a fast world) or ``SteppedClock`` (self-test, tests, benchmarks: it only moves when told).
*Machine time* is for leases and time-outs and comes from ``machine_now`` (or the database). The two are never compared.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from social.domain.post import require_aware


def machine_now() -> datetime:
    """The machine's wall clock in UTC: leases on SQLite, log lines, the anchor of a paced clock."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that never go back, for durations within this process."""
    return time.monotonic()


def since_boot() -> float:
    """Seconds that never go back and, where the system can tell (Linux), go on while the machine sleeps."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of machine time from its making on. Two clocks must both say that it is still open: the one that nobody
    can set, and the wall's, which alone knows that a whole virtual machine was frozen."""

    boot: float
    wall: datetime

    @classmethod
    def lasting(cls, length: timedelta) -> Window:
        return cls(since_boot() + length.total_seconds(), machine_now() + length)

    @property
    def open(self) -> bool:
        return since_boot() <= self.boot and machine_now() <= self.wall


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
    """World time is the machine's time."""

    mode = "real"

    def now(self) -> datetime:
        return machine_now()


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
