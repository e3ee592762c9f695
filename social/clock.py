"""The only place that reads the time.

*World time* is when customers post and shops open: an aware datetime from a ``Clock``. It is ``RealClock``,
``PacedClock`` (the demo: a fast world) or ``SteppedClock`` (self-test, tests, benchmarks: it only moves when told).
*Machine time* is for leases and time-outs and comes from ``machine_now`` (or the database). The two are never compared.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from social.domain.post import require_aware


def machine_now() -> datetime:
    """The machine's wall clock in UTC: leases on SQLite, log lines, the anchor of a paced clock."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that never go back, for durations within this process."""
    return time.monotonic()


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
