"""A brand's hours as the configuration words them -> the calendar that everything is timed by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

from social.domain.errors import ConfigurationError
from social.domain.hours import BusinessCalendar, parse_slots, parse_weekly
from social.holiday_calendar import holiday_lookup
from social.settings import BrandSettings, Settings


def calendar_of(brand: BrandSettings) -> BusinessCalendar:
    """Raises ``ConfigurationError`` for a country without known holidays, an own date with a bad slot, or a date that is
    both open and closed."""
    try:
        holiday = {} if brand.holidays is None else {"holiday": holiday_lookup(brand.holidays)}
        return BusinessCalendar(
            timezone=ZoneInfo(brand.timezone),
            weekly=parse_weekly(brand.hours),
            closed_dates=frozenset(brand.closed_dates),
            open_dates={date.fromisoformat(day): parse_slots(slots) for day, slots in brand.open_dates.items()},
            **holiday,
        )
    except ValueError as error:
        raise ConfigurationError(
            f"{error}.",
            resource=f'brand "{brand.name}"',
            next_step="Mend hours, holidays, closed_dates or open_dates of that brand.",
        ) from error


def calendars_of(settings: Settings) -> Mapping[str, BusinessCalendar]:
    """The calendar of every brand, by its name."""
    return {brand.name: calendar_of(brand) for brand in settings.brands}
