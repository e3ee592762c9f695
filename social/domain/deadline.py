"""The two clocks of a waiting customer, and the order of the queue that follows from them.

Both run from the first message that nobody answered, and only a person's answer stops them; an automatic text never
does. The customer's clock is the wall; the business clock stands still while the desk is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from social.domain.assessment import Urgency
from social.domain.escalation import FORMAL_DEADLINE
from social.domain.hours import BusinessCalendar
from social.domain.post import require_aware

#: 42 % of those who write to a brand expect an answer within it (Convince & Convert, 2012).
CUSTOMERS_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """One running or stopped clock. ``due_at`` is the last moment that still counts as kept."""

    due_at: datetime
    stopped_at: datetime | None = None

    def __post_init__(self) -> None:
        require_aware(self.due_at, "due_at")
        if self.stopped_at is not None:
            require_aware(self.stopped_at, "stopped_at")

    @property
    def running(self) -> bool:
        return self.stopped_at is None

    def time_left(self, now: datetime) -> timedelta:
        """Wall time until it breaks, below zero once it has; a stopped clock keeps what was left."""
        return self.due_at - (self.stopped_at or require_aware(now, "now"))

    def breached(self, now: datetime) -> bool:
        return self.time_left(now) < timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """How soon a person answers: by the wall, and in open time."""

    wall: timedelta = CUSTOMERS_HOUR
    business: timedelta = CUSTOMERS_HOUR
    formal: timedelta = FORMAL_DEADLINE

    def __post_init__(self) -> None:
        if min(self.wall, self.business, self.formal) <= timedelta(0):
            raise ValueError(f"targets must be longer than nothing, got {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """All clocks of one contact. ``business`` is ``None`` where the calendar never opens for so long; ``formal`` is the
    statutory one of a formal complaint."""

    waiting_since: datetime
    wall: Deadline
    business: Deadline | None
    formal: Deadline | None = None

    def __iter__(self) -> Iterator[Deadline]:
        return (clock for clock in (self.wall, self.business, self.formal) if clock is not None)

    @property
    def running(self) -> bool:
        return self.wall.running

    def next_to_break(self, now: datetime) -> datetime | None:
        """The due time of the next clock that is still whole; once all have broken, the first that broke; ``None`` when
        they are stopped."""
        if not self.running:
            return None
        whole = [clock.due_at for clock in self if not clock.breached(now)]
        return min(whole or [clock.due_at for clock in self])


def clocks(
    *,
    waiting_since: datetime,
    calendar: BusinessCalendar,
    answered_at: datetime | None = None,
    formal: bool = False,
    targets: Targets | None = None,
) -> Clocks:
    """Start (and, with ``answered_at``, stop) the clocks of a contact. ``answered_at`` is a PERSON's answer, wherever it
    was written. The fourteen days of a formal complaint are counted from the message itself, by the wall."""
    targets = targets or Targets()
    since = require_aware(waiting_since, "waiting_since").astimezone(UTC)
    open_due = calendar.add_open_time(since, targets.business)
    return Clocks(
        waiting_since=since,
        wall=Deadline(due_at=since + targets.wall, stopped_at=answered_at),
        business=None if open_due is None else Deadline(due_at=open_due, stopped_at=answered_at),
        formal=Deadline(due_at=since + targets.formal, stopped_at=answered_at) if formal else None,
    )


def queue_key(urgency: Urgency, waiting: Clocks, now: datetime) -> tuple[int, datetime, datetime]:
    """Sorts the people's queue: critical, high, then the next clock to break, then the longest waiting.

    Normal and low wait side by side: between them only time decides. A case's key changes only when one of its clocks
    breaks, so that the list does not jump under the hand.
    """
    return urgency.band, waiting.next_to_break(now) or datetime.max.replace(tzinfo=UTC), waiting.waiting_since
