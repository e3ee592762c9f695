"""``social hours``."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from social.cli.command import Config, Json, columns, new_app, print_json

if TYPE_CHECKING:
    from social.domain.hours import BusinessCalendar

app = new_app()

HOLIDAYS_SHOWN = 10
_DAYS_SEARCHED = 800


@app.command()
def hours(
    config: Config = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Ask for 2026-12-24T18:00 (the brand's time) instead.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Is somebody there now? The next opening, and the next ten closed days, for every brand."""
    from social.cli.opening import world_now
    from social.engine.calendars import calendar_of
    from social.settings import load_settings

    settings = load_settings(config)
    told = []
    for brand in settings.brands:
        zone = ZoneInfo(brand.timezone)
        now = _moment(at, zone) if at else world_now(settings)
        told.append({"brand": brand.name, "timezone": brand.timezone, **_facts(calendar_of(brand), now, zone)})
    if as_json:
        print_json(told)
        return
    for facts in told:
        print(_sentences(facts))


def _facts(calendar: BusinessCalendar, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    def local(moment: datetime | None) -> datetime | None:
        return moment.astimezone(zone) if moment is not None else None

    return {
        "at": local(now),
        "open": calendar.is_open(now),
        "closes_at": local(calendar.closes_at(now)),
        "next_opening": local(calendar.next_opening(now)),
        "closed_days": _closed_days(calendar, now.astimezone(zone).date()),
    }


def _closed_days(calendar: BusinessCalendar, today: date) -> list[dict[str, Any]]:
    """The next holidays and own closed days; days with own opening hours are not among them."""
    found: list[dict[str, Any]] = []
    for step in range(_DAYS_SEARCHED):
        day = today + timedelta(days=step)
        name = calendar.holiday(day)
        own = day in calendar.closed_dates
        if (name or own) and not calendar.slots_on(day):
            found.append({"date": day, "name": name or "own closed day"})
        if len(found) == HOLIDAYS_SHOWN:
            break
    return found


def _sentences(facts: dict[str, Any]) -> str:
    at: datetime = facts["at"]
    lines = [f"{facts['brand']}, {at:%A %Y-%m-%d %H:%M} ({facts['timezone']})"]
    if facts["open"]:
        until = facts["closes_at"]
        lines.append(f"  Open, until {until:%A %Y-%m-%d %H:%M}." if until else "  Open, without a break in sight.")
    else:
        lines.append("  Closed.")
    opening = facts["next_opening"]
    lines.append(f"  Next opening: {opening:%A %Y-%m-%d %H:%M}." if opening else "  No opening in the next 400 days.")
    days = [(f"{day['date']:%a %Y-%m-%d}", day["name"]) for day in facts["closed_days"]]
    if days:
        lines += ["  Closed days to come:", columns(days, indent=4)]
    return "\n".join(lines)


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time; write it like 2026-12-24T18:00") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
