"""The rows of a report over time: days, ISO weeks, or the hours of a week, as the clock on the brand's wall shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from social.reports.wording import WEEKDAYS

HOURS_OF_WEEK = 168


class By(StrEnum):
    DAY = "day"
    WEEK = "week"
    HOUR_OF_WEEK = "hour-of-week"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One row. ``start`` is the local midnight that it begins with, aware; an hour of the week comes every week and has
    ``hour_of_week`` instead, 0 (Monday 00:00) to 167. ``label`` is ``2027-03-28``, ``2027-W12`` or ``Mon 13:00``."""

    label: str
    start: datetime | None = None
    hour_of_week: int | None = None

    def name(self, language: str) -> str:
        """The label as people read it in ``language`` (``en``, ``pl``)."""
        return self.label if self.hour_of_week is None else _hour_name(self.hour_of_week, language)


def bucket_of(local: datetime, by: By) -> Bucket:
    """Where a moment belongs; ``local`` is aware, in the report's time zone."""
    if by is By.HOUR_OF_WEEK:
        hour = local.weekday() * 24 + local.hour
        return Bucket(label=_hour_name(hour, "en"), hour_of_week=hour)
    if by is By.WEEK:
        year, week, weekday = local.isocalendar()
        monday = local.date() - timedelta(days=weekday - 1)
        return Bucket(label=f"{year}-W{week:02}", start=_midnight(monday, local))
    return Bucket(label=local.date().isoformat(), start=_midnight(local.date(), local))


def buckets_between(first: date, end: date, zone: ZoneInfo, by: By) -> list[Bucket]:
    """Every row from ``first`` up to ``end``, which is not in it, in order; also those in which nothing happened. A week
    that the range cuts is there as a whole row; the hours of the week are always all 168."""
    if by is By.HOUR_OF_WEEK:
        return [Bucket(label=_hour_name(hour, "en"), hour_of_week=hour) for hour in range(HOURS_OF_WEEK)]
    days = (first + timedelta(days=number) for number in range((end - first).days))
    return list(dict.fromkeys(bucket_of(midnight(day, zone), by) for day in days))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When ``day`` begins; where the clocks skip midnight, the moment at which they do."""
    return datetime.combine(day, time.min, tzinfo=zone)


def _midnight(day: date, local: datetime) -> datetime:
    return datetime.combine(day, time.min, tzinfo=local.tzinfo)


def _hour_name(hour_of_week: int, language: str) -> str:
    weekday, hour = divmod(hour_of_week, 24)
    return f"{WEEKDAYS[weekday].say(language)} {hour:02}:00"
