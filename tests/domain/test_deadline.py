"""The two clocks of a waiting customer."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from social.domain.assessment import Urgency
from social.domain.deadline import Clocks, Targets, clocks, queue_key
from social.domain.hours import BusinessCalendar, parse_weekly

WARSAW = ZoneInfo("Europe/Warsaw")
OFFICE = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon-fri": "09:00-17:00"}))


def warsaw(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=WARSAW)


def waiting(since: str, *, answered_at: datetime | None = None, formal: bool = False) -> Clocks:
    return clocks(waiting_since=warsaw(since), calendar=OFFICE, answered_at=answered_at, formal=formal)


def test_the_customers_clock_runs_through_the_weekend_and_the_business_clock_stands() -> None:
    contact = waiting("2027-01-08T16:45")
    assert contact.business is not None
    assert contact.wall.due_at == warsaw("2027-01-08T17:45")
    assert contact.business.due_at == warsaw("2027-01-11T09:45")

    sunday = warsaw("2027-01-10T12:00")
    assert contact.wall.breached(sunday)
    assert not contact.business.breached(sunday)


def test_the_last_moment_of_the_hour_is_kept_and_the_next_is_not() -> None:
    wall = waiting("2027-01-08T10:00").wall
    assert not wall.breached(warsaw("2027-01-08T11:00"))
    assert wall.breached(warsaw("2027-01-08T11:00") + timedelta(seconds=1))
    assert wall.time_left(warsaw("2027-01-08T10:50")) == timedelta(minutes=10)


def test_an_answer_stops_both_clocks_at_its_own_time() -> None:
    contact = waiting("2027-01-08T10:00", answered_at=warsaw("2027-01-08T10:20"))
    much_later = warsaw("2027-02-01T10:00")
    assert not contact.running
    assert [clock.time_left(much_later) for clock in contact] == [timedelta(minutes=40)] * 2
    assert contact.next_to_break(much_later) is None


def test_a_formal_complaint_has_fourteen_days_beside_the_hour() -> None:
    contact = waiting("2027-01-08T10:00", formal=True)
    assert contact.formal is not None
    assert contact.formal.due_at == warsaw("2027-01-22T10:00")


def test_a_desk_that_never_opens_has_no_business_clock() -> None:
    never = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({}))
    contact = clocks(waiting_since=warsaw("2027-01-08T10:00"), calendar=never)
    assert contact.business is None
    assert contact.next_to_break(warsaw("2027-01-08T10:30")) == warsaw("2027-01-08T11:00")


def test_the_queue_puts_danger_first_then_the_next_clock_to_break_then_the_longest_waiting() -> None:
    now = warsaw("2027-01-11T09:30")
    cases = {
        "critical, new": (Urgency.CRITICAL, waiting("2027-01-11T09:29")),
        "high, new": (Urgency.HIGH, waiting("2027-01-11T09:28")),
        "both clocks broken": (Urgency.LOW, waiting("2027-01-08T10:00")),
        "before opening, 10 minutes of its hour left": (Urgency.LOW, waiting("2027-01-11T08:40")),
        "friday evening, 15 minutes of business left": (Urgency.NORMAL, waiting("2027-01-08T16:45")),
        "saturday, half an hour of business left": (Urgency.LOW, waiting("2027-01-09T12:00")),
        "sunday, half an hour of business left": (Urgency.NORMAL, waiting("2027-01-10T12:00")),
        "fresh": (Urgency.NORMAL, waiting("2027-01-11T09:20")),
        "answered": (Urgency.NORMAL, waiting("2027-01-08T09:00", answered_at=now)),
    }
    order = sorted(sorted(cases), key=lambda name: queue_key(*cases[name], now))
    assert order == list(cases)


def test_it_refuses_a_target_of_no_time() -> None:
    with pytest.raises(ValueError, match="longer than nothing"):
        Targets(wall=timedelta(0))
