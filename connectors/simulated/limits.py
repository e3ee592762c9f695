"""Rate limits of the simulated networks: fixed windows in world time, as the networks' own headers describe them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """One limit after one call. ``remaining`` counts the calls that are still allowed until ``resets_at``."""

    allowed: bool
    limit: int
    remaining: int
    resets_at: datetime


class RateLimits:
    """Counts calls per name and window. A window starts with its first call and lasts ``window`` of world time."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[datetime, int]] = {}

    def take(self, name: str, *, limit: int, window: timedelta, now: datetime, cost: int = 1) -> LimitState:
        """Count ``cost`` calls of ``name``. A refused call costs nothing."""
        started, used = self._windows.get(name, (now, 0))
        if now >= started + window:
            started, used = now, 0
        allowed = used + cost <= limit
        if allowed:
            used += cost
        self._windows[name] = (started, used)
        return LimitState(
            allowed=allowed,
            limit=limit,
            remaining=max(0, limit - used),
            resets_at=(started + window).astimezone(UTC),
        )

    def used(self, name: str, now: datetime, window: timedelta) -> int:
        """Calls of ``name`` in the window that is open at ``now``."""
        started, used = self._windows.get(name, (now, 0))
        return used if now < started + window else 0
