"""Business hours: several slots a day, over midnight, holidays and own dates, right on the two days a year when the
clocks change.

Everything is computed on UTC instants; wall times are resolved with ``zoneinfo``. **A slot is the shortest unbroken
stretch of time that holds every instant whose wall clock reads inside the slot.** So where the clocks go forward, a
slot that begins (or ends) in the missing hour begins (or ends) at the change, and one that lies wholly inside it is not
there; where they go back, a slot begins at the first and ends at the last time that the clock shows its edge, so that
the desk is never closed at a wall time that the sign on the door calls open.

A slot belongs to the day on which it begins: Friday's 22:00-06:00 ends at six on Saturday, even if that is a holiday.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from social.domain.post import require_aware

#: How far ahead an opening is looked for; beyond it the desk counts as closed for good.
HORIZON = timedelta(days=400)
#: Who is open for so long without a break has no closing time that is worth telling.
CLOSING_HORIZON = timedelta(days=31)
_NEAR = timedelta(days=8)  # where most answers lie; looking further costs more
#: No slot or merged pair of neighbours begins earlier than this before the instants that it holds.
_LOOK_BACK = timedelta(days=2)
_MINUTE = timedelta(minutes=1)
_TICK = timedelta(microseconds=1)
_MIDNIGHT = time(0)

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SLOT = re.compile(r"(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)")

Stretch = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Slot:
    """Wall times of one day, whole minutes. ``end <= start`` runs over midnight; 00:00 to 00:00 is the whole day."""

    start: time
    end: time

    def __post_init__(self) -> None:
        for edge in (self.start, self.end):
            if edge.tzinfo is not None or edge.second or edge.microsecond:
                raise ValueError(f"a slot's edges are wall times in whole minutes, got {edge!r}")
        if self.start == self.end != _MIDNIGHT:
            raise ValueError(f"a slot cannot begin and end at {self.start:%H:%M}; the whole day is 00:00-24:00")

    @property
    def over_midnight(self) -> bool:
        return self.end <= self.start

    def __str__(self) -> str:
        end = "24:00" if self.end == _MIDNIGHT else f"{self.end:%H:%M}"
        return f"{self.start:%H:%M}-{end}"


def _no_holidays(_: date) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessCalendar:
    """When people are at the desk. ``weekly`` has seven entries, Monday first; ``holiday`` names a day's holiday or
    gives ``None``; ``open_dates`` gives a date its own slots and wins over everything. All results are UTC."""

    timezone: ZoneInfo
    weekly: tuple[tuple[Slot, ...], ...]
    holiday: Callable[[date], str | None] = _no_holidays
    closed_dates: frozenset[date] = frozenset()
    open_dates: Mapping[date, tuple[Slot, ...]] = field(default_factory=dict)
    # Resolving wall times is the slow part and a day's slots never change: remembered per day, no part of the value.
    _resolved: dict[date, tuple[Stretch, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.weekly) != len(DAYS):
            raise ValueError(f"weekly needs 7 days, Monday first, got {len(self.weekly)}")
        if both := sorted(self.closed_dates & set(self.open_dates)):
            raise ValueError(f"{both[0].isoformat()} cannot be a closed and an open date at once; keep one")

    # --- questions ----------------------------------------------------------------------------------------------------

    def slots_on(self, day: date) -> tuple[Slot, ...]:
        """The slots that begin on ``day``."""
        if day in self.open_dates:
            return self.open_dates[day]
        if day in self.closed_dates or self.holiday(day) is not None:
            return ()
        return self.weekly[day.weekday()]

    def is_open(self, at: datetime) -> bool:
        return self._current(at) is not None

    def next_opening(self, at: datetime) -> datetime | None:
        """The next beginning of open time at or after ``at``; ``None`` if there is none within ``HORIZON``."""
        at = require_aware(at, "at").astimezone(UTC)
        return next((start for start, _ in self._stretches(at, at + HORIZON) if at <= start <= at + HORIZON), None)

    def first_open_minute(self, at: datetime) -> datetime | None:
        """The earliest open instant at or after ``at``; ``None`` if there is none within ``HORIZON``."""
        at = require_aware(at, "at").astimezone(UTC)
        return at if self.is_open(at) else self.next_opening(at)

    def closes_at(self, at: datetime) -> datetime | None:
        """The end of the open stretch that holds ``at``; ``None`` if closed at ``at``, or open for all of
        ``CLOSING_HORIZON``."""
        at = require_aware(at, "at").astimezone(UTC)
        current = self._current(at, until=at + CLOSING_HORIZON)
        return current[1] if current is not None and current[1] <= at + CLOSING_HORIZON else None

    def last_open_minute_before_close(self, at: datetime) -> datetime | None:
        """16:59 where the stretch that holds ``at`` ends at 17:00; may lie before ``at``. ``None`` as ``closes_at``."""
        closing = self.closes_at(at)
        return None if closing is None else closing - _MINUTE

    def open_time_between(self, start: datetime, end: datetime) -> timedelta:
        """What the business clock shows at ``end`` if it was zero at ``start``; zero where ``end`` is not later."""
        total = timedelta(0)
        for opened, closed in self.open_stretches(start, end):
            total += closed - opened
        return total

    def add_open_time(self, start: datetime, amount: timedelta) -> datetime | None:
        """When ``amount`` of open time has passed since ``start``; ``None`` if ``HORIZON`` does not hold so much."""
        if amount < timedelta(0):
            raise ValueError(f"open time cannot be taken back, got {amount}")
        start = require_aware(start, "start").astimezone(UTC)
        for ahead in (_NEAR, HORIZON):
            left = amount
            for opened, closed in self.open_stretches(start, start + ahead):
                if left <= closed - opened:
                    return opened + left
                left -= closed - opened
        return None

    def open_stretches(self, start: datetime, end: datetime) -> Iterator[Stretch]:
        """The unbroken open stretches within ``start`` to ``end``, cut at both, in order, UTC, half-open."""
        start = require_aware(start, "start").astimezone(UTC)
        end = require_aware(end, "end").astimezone(UTC)
        for opened, closed in self._stretches(start, end):
            if opened >= end:
                return
            yield max(opened, start), min(closed, end)

    # --- machinery ----------------------------------------------------------------------------------------------------

    def _current(self, at: datetime, *, until: datetime | None = None) -> Stretch | None:
        at = require_aware(at, "at").astimezone(UTC)
        for start, end in self._stretches(at, until or at):
            return (start, end) if start <= at else None
        return None

    def _stretches(self, since: datetime, until: datetime) -> Iterator[Stretch]:
        """Stretches that end after ``since`` and belong to days up to ``until``, neighbours merged, in order."""
        merged: Stretch | None = None
        day = (since - _LOOK_BACK).astimezone(self.timezone).date()
        last = until.astimezone(self.timezone).date()
        while day <= last:
            for start, end in self._on(day):
                if merged is not None and start <= merged[1]:
                    merged = (merged[0], max(merged[1], end))
                    continue
                if merged is not None and merged[1] > since:
                    yield merged
                merged = (start, end)
            day += timedelta(days=1)
        if merged is not None and merged[1] > since:
            yield merged

    def _on(self, day: date) -> tuple[Stretch, ...]:
        found = self._resolved.get(day)
        if found is None:
            resolved = (self._resolve(day, slot) for slot in self.slots_on(day))
            found = tuple(sorted(stretch for stretch in resolved if stretch[0] < stretch[1]))
            self._resolved[day] = found
        return found

    def _resolve(self, day: date, slot: Slot) -> Stretch:
        start = datetime.combine(day, slot.start)
        end = datetime.combine(day + timedelta(days=1) if slot.over_midnight else day, slot.end)
        # The last instant inside, not the edge itself: 02:00 is shown twice in October, 01:59 once.
        return self._instant(start, fold=0), self._instant(end - _TICK, fold=1) + _TICK

    def _instant(self, wall: datetime, *, fold: int) -> datetime:
        """``wall`` in UTC; for a wall time that the clocks skip, the moment of the change."""
        instant = wall.replace(tzinfo=self.timezone, fold=fold).astimezone(UTC)
        if instant.astimezone(self.timezone).replace(tzinfo=None, fold=0) == wall:
            return instant
        change = self._change(wall)
        return change if fold == 0 else change - _TICK

    def _change(self, missing: datetime) -> datetime:
        """When the clocks jumped over ``missing``: the first instant with the new offset, by bisection on seconds."""
        before = missing.replace(tzinfo=self.timezone, fold=1, microsecond=0).astimezone(UTC)  # PEP 495, in a gap
        after = missing.replace(tzinfo=self.timezone, fold=0, microsecond=0).astimezone(UTC) + timedelta(seconds=1)
        old_offset = before.astimezone(self.timezone).utcoffset()
        while (width := int((after - before).total_seconds())) > 1:
            middle = before + timedelta(seconds=width // 2)
            if middle.astimezone(self.timezone).utcoffset() == old_offset:
                before = middle
            else:
                after = middle
        return after


def parse_slot(text: str) -> Slot:
    """``"09:00-17:00"``, ``"22:00-06:00"`` (over midnight), ``"00:00-24:00"`` (the whole day)."""
    match = _SLOT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" is not a slot; write it like "09:00-17:00"')
    start_hour, start_minute, end_hour, end_minute = map(int, match.groups())
    if (end_hour, end_minute) == (0, 0):
        raise ValueError(f'"{text}" ends at 00:00; write the midnight at the end of a day as 24:00')
    if (end_hour, end_minute) == (24, 0):
        end_hour = 0
    if start_hour > 23 or end_hour > 23 or start_minute > 59 or end_minute > 59:
        raise ValueError(f'"{text}" is not a slot; hours go from 00:00 to 24:00')
    return Slot(time(start_hour, start_minute), time(end_hour, end_minute))


def parse_slots(texts: str | Sequence[str]) -> tuple[Slot, ...]:
    """The slots of one day, in order. One text may hold several, with commas; an empty list is a closed day.

    Raises ``ValueError`` where a text is no slot or two slots overlap.
    """
    parts = [part for text in ([texts] if isinstance(texts, str) else texts) for part in text.split(",")]
    slots = tuple(sorted((parse_slot(part) for part in parts), key=lambda slot: slot.start))
    for earlier, later in pairwise(slots):
        if earlier.over_midnight or later.start < earlier.end:
            raise ValueError(f"the slots {earlier} and {later} overlap; join them into one")
    return slots


def parse_weekly(table: Mapping[str, str | Sequence[str]]) -> tuple[tuple[Slot, ...], ...]:
    """Seven days, Monday first, from ``{"mon-fri": ["09:00-13:00", "14:00-17:00"], "sat": ["10:00-14:00"]}``.

    A key is a day, a range of days or several of both with commas; a day that is not named is closed. Raises
    ``ValueError`` for an unknown day, a day named twice or a bad slot.
    """
    week: list[tuple[Slot, ...] | None] = [None] * len(DAYS)
    for key, texts in table.items():
        try:
            slots = parse_slots(texts)
        except ValueError as error:
            raise ValueError(f'"{key}": {error}') from None
        for day in _days(key):
            if week[day] is not None:
                raise ValueError(f'"{key}" names {DAYS[day]} a second time; every day stands in one line')
            week[day] = slots
    return tuple(slots or () for slots in week)


def _days(key: str) -> Iterator[int]:
    for part in key.lower().split(","):
        names = [name.strip() for name in part.split("-")]
        if len(names) > 2 or any(name not in DAYS for name in names):
            raise ValueError(
                f'"{key}" is not a day or a range of days; use {", ".join(DAYS)}, or for example "mon-fri"'
            )
        first, last = DAYS.index(names[0]), DAYS.index(names[-1])
        for step in range((last - first) % len(DAYS) + 1):
            yield (first + step) % len(DAYS)
