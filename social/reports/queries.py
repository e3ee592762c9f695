"""What somebody wants to know. The command line, the desk's page and the API all ask with this one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from social.domain.errors import DyzurError, NotFound
from social.reports.buckets import By, midnight
from social.settings import Settings

#: No network had posts for brands before, and no report looks further ahead.
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 1, 1)


class UnusableQuery(DyzurError):
    """The question cannot be answered as it was asked."""

    permanent = True
    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SentimentQuery:
    """``from_day`` is in the report and ``to_day`` is the first day that is not, both in ``time_zone``. ``profiles`` are
    names, at least one; no ``languages`` means all. Raises ``UnusableQuery`` for a range that holds no day."""

    from_day: date
    to_day: date
    by: By
    time_zone: ZoneInfo
    profiles: tuple[str, ...]
    languages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.from_day == self.to_day:
            raise UnusableQuery(
                f"the range from {self.from_day} to {self.to_day} holds no day.",
                next_step=f"The second date is the first day that is not counted; for that one day write "
                f"{self.from_day + timedelta(days=1)}.",
            )
        if self.from_day > self.to_day:
            raise UnusableQuery(
                f"the range begins on {self.from_day}, after its end, {self.to_day}.",
                next_step="Give the earlier date first.",
            )
        if self.from_day < EARLIEST or self.to_day > LATEST:
            raise UnusableQuery(
                f"the range from {self.from_day} to {self.to_day} lies outside of what can be counted.",
                next_step=f"Choose days from {EARLIEST} to {LATEST}.",
            )

    @property
    def start(self) -> datetime:
        """In UTC, so that an hour added to it is an hour also where the clocks change."""
        return midnight(self.from_day, self.time_zone).astimezone(UTC)

    @property
    def end(self) -> datetime:
        return midnight(self.to_day, self.time_zone).astimezone(UTC)


def query_for(
    settings: Settings,
    *,
    from_day: date,
    to_day: date,
    by: By = By.DAY,
    profiles: Sequence[str] = (),
    languages: Sequence[str] = (),
) -> SentimentQuery:
    """The query in the time zone of the profiles' brand; no ``profiles`` means every configured one. Raises ``NotFound``
    for a profile that is not configured and ``UnusableQuery`` where brands live by different clocks."""
    configured = {profile.name: profile for profile in settings.profiles}
    for name in profiles:
        if name not in configured:
            raise NotFound(f"there is no profile {name!r}.", next_step=f"There are: {', '.join(configured)}.")
    names = tuple(dict.fromkeys(profiles or configured))
    zones = sorted({settings.brand(configured[name].brand).timezone for name in names})
    if len(zones) > 1:
        raise UnusableQuery(
            f"these profiles live in {len(zones)} time zones ({', '.join(zones)}), so a day of one is not a day of all.",
            next_step="Choose the profiles of one time zone, and make a report for each.",
        )
    return SentimentQuery(
        from_day=from_day,
        to_day=to_day,
        by=by,
        time_zone=ZoneInfo(zones[0]),
        profiles=names,
        languages=tuple(dict.fromkeys(languages)),
    )
