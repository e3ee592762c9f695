"""Business hours, against a slow oracle that looks at every minute's wall clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from social.domain.hours import HORIZON, BusinessCalendar, Slot, parse_slots, parse_weekly
from social.holiday_calendar import holiday_lookup

WARSAW = ZoneInfo("Europe/Warsaw")
MINUTE = timedelta(minutes=1)
SPRING, AUTUMN = date(2027, 3, 28), date(2027, 10, 31)  # the clocks go forward; back


def warsaw(text: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=WARSAW, fold=fold)


def calendar(table: dict[str, str | list[str]], **extra: object) -> BusinessCalendar:
    return BusinessCalendar(timezone=WARSAW, weekly=parse_weekly(table), **extra)  # type: ignore[arg-type]


OFFICE = calendar({"mon-fri": "09:00-17:00"}, holiday=holiday_lookup("PL"))
ALWAYS = calendar({"mon-sun": "00:00-24:00"})
NEVER = calendar({})


def slot_minutes(day: date, slot: Slot) -> set[datetime]:
    """The oracle: every minute between the first and the last whose wall clock reads inside the slot."""
    start = datetime.combine(day, slot.start)
    end = datetime.combine(day + timedelta(days=slot.end <= slot.start), slot.end)
    minute = datetime.combine(day, time(0), tzinfo=UTC) - timedelta(hours=4)
    inside = []
    while minute < datetime.combine(day, time(0), tzinfo=UTC) + timedelta(hours=54):
        if start <= minute.astimezone(WARSAW).replace(tzinfo=None, fold=0) < end:
            inside.append(minute)
        minute += MINUTE
    if not inside:
        return set()
    return {inside[0] + MINUTE * step for step in range((inside[-1] - inside[0]) // MINUTE + 1)}


wall_times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 10, 29, 30, 45, 59]))


@st.composite
def days_of_slots(draw: st.DrawFn) -> tuple[Slot, ...]:
    """Up to two slots in a day; the last may run over midnight, and neighbours may touch."""
    edges = sorted(draw(st.lists(wall_times, min_size=2, max_size=4, unique=True)))
    slots = [Slot(start, end) for start, end in zip(edges[::2], edges[1::2], strict=False)]
    if draw(st.booleans()):
        end = draw(st.sampled_from([time(0), time(1, 30), time(2), time(2, 30), time(3)]))
        if end < slots[-1].start:
            slots[-1] = Slot(slots[-1].start, end)
    return tuple(slots)


@pytest.mark.parametrize("change", [SPRING, AUTUMN], ids=["clocks-forward", "clocks-back"])
@settings(max_examples=25, deadline=None)
@given(before=days_of_slots(), on=days_of_slots(), after=days_of_slots())
def test_it_agrees_with_the_wall_clock_minute_by_minute_when_the_clocks_change(
    change: date, before: tuple[Slot, ...], on: tuple[Slot, ...], after: tuple[Slot, ...]
) -> None:
    days = {change - timedelta(days=1): before, change: on, change + timedelta(days=1): after}
    tested = calendar({}, open_dates=days)
    expected = set().union(*(slot_minutes(day, slot) for day, slots in days.items() for slot in slots), set())

    start = datetime.combine(change, time(0), tzinfo=UTC) - timedelta(hours=2)
    minutes = [start + MINUTE * step for step in range(27 * 60)]
    assert [minute for minute in minutes if tested.is_open(minute)] == [
        minute for minute in minutes if minute in expected
    ]
    assert tested.open_time_between(minutes[0], minutes[-1] + MINUTE) == MINUTE * len(expected & set(minutes))


@pytest.mark.parametrize(
    ("day", "slot", "opens", "closes"),
    [
        (SPRING, "02:30-05:00", "01:00", "03:00"),  # 02:30 does not exist: opens at the change
        (SPRING, "00:00-02:30", "23:00", "01:00"),  # ends at the change
        (AUTUMN, "02:30-05:00", "00:30", "04:00"),  # the first 02:30
        (AUTUMN, "00:00-02:30", "22:00", "01:30"),  # the second 02:30
        (AUTUMN, "00:00-02:00", "22:00", "00:00"),  # 01:59 is shown once
    ],
)
def test_it_says_what_the_missing_and_the_doubled_hour_do_to_a_slot(
    day: date, slot: str, opens: str, closes: str
) -> None:
    tested = calendar({}, open_dates={day: parse_slots(slot)})
    before = datetime.combine(day, time(0), tzinfo=UTC) - timedelta(hours=12)

    opening = tested.next_opening(before)
    assert opening is not None
    assert (f"{opening:%H:%M}", f"{tested.closes_at(opening):%H:%M}") == (opens, closes)


def test_it_drops_a_slot_that_lies_in_the_missing_hour() -> None:
    tested = calendar({}, open_dates={SPRING: parse_slots("02:10-02:50")})
    assert tested.next_opening(warsaw("2027-03-27T12:00")) is None


def test_it_counts_the_length_of_the_days_on_which_the_clocks_change() -> None:
    for day, hours in ((SPRING, 23), (AUTUMN, 25)):
        start, end = (datetime.combine(day + timedelta(days=n), time(0), tzinfo=WARSAW) for n in (0, 1))
        assert ALWAYS.open_time_between(start, end) == timedelta(hours=hours)


def test_it_is_open_from_the_first_minute_and_not_at_the_closing_itself() -> None:
    friday = "2027-01-08T"
    opened = [OFFICE.is_open(warsaw(friday + at)) for at in ("08:59", "09:00", "16:59", "17:00")]
    assert opened == [False, True, True, False]


def test_it_knows_the_last_open_minute_and_the_next_opening_over_a_weekend() -> None:
    friday = warsaw("2027-01-08T16:45")
    assert OFFICE.closes_at(friday) == warsaw("2027-01-08T17:00")
    assert OFFICE.last_open_minute_before_close(friday) == warsaw("2027-01-08T16:59")
    assert OFFICE.first_open_minute(friday) == friday
    assert OFFICE.first_open_minute(warsaw("2027-01-08T17:00")) == warsaw("2027-01-11T09:00")
    assert OFFICE.closes_at(warsaw("2027-01-09T12:00")) is None


def test_it_joins_slots_that_touch_over_midnight_into_one_stretch() -> None:
    night = calendar({"fri": "22:00-24:00", "sat": "00:00-06:00"})
    assert night.closes_at(warsaw("2027-01-08T23:00")) == warsaw("2027-01-09T06:00")
    assert night.next_opening(warsaw("2027-01-08T23:00")) == warsaw("2027-01-15T22:00")


def test_it_lets_a_night_shift_run_into_a_holiday_that_it_did_not_begin_on() -> None:
    night = calendar({"mon-sun": "22:00-06:00"}, holiday=holiday_lookup("PL"))
    assert night.is_open(warsaw("2027-01-06T05:59"))  # Epiphany; the shift began on the fifth
    assert not night.is_open(warsaw("2027-01-06T23:00"))


@pytest.mark.parametrize(
    ("day", "is_holiday"),
    [
        ("2024-12-24", False),
        ("2025-12-24", True),
        ("2027-12-24", True),
        ("2027-01-06", True),
        ("2027-03-29", True),  # Easter Monday
        ("2027-05-27", True),  # Corpus Christi
        ("2027-11-12", False),
    ],
)
def test_it_knows_polish_holidays(day: str, is_holiday: bool) -> None:
    assert (holiday_lookup("PL")(date.fromisoformat(day)) is not None) is is_holiday


def test_it_refuses_a_country_that_nobody_knows_holidays_of() -> None:
    with pytest.raises(ValueError, match='"XQ"'):
        holiday_lookup("XQ")


def test_it_puts_own_dates_over_holidays_and_weekdays() -> None:
    own = calendar(
        {"mon-fri": "09:00-17:00"},
        holiday=holiday_lookup("PL"),
        closed_dates=frozenset({date(2027, 1, 4)}),
        open_dates={date(2027, 1, 6): parse_slots("10:00-12:00")},
    )
    assert own.next_opening(warsaw("2027-01-04T08:00")) == warsaw("2027-01-05T09:00")
    assert own.next_opening(warsaw("2027-01-05T18:00")) == warsaw("2027-01-06T10:00")


def test_it_never_opens_where_there_are_no_hours() -> None:
    at = warsaw("2027-01-08T12:00")
    assert (NEVER.is_open(at), NEVER.next_opening(at), NEVER.first_open_minute(at)) == (False, None, None)
    assert NEVER.add_open_time(at, MINUTE) is None


def test_it_never_closes_where_it_is_always_open() -> None:
    at = warsaw("2027-01-08T00:00")
    assert (ALWAYS.is_open(at), ALWAYS.closes_at(at), ALWAYS.next_opening(at)) == (True, None, None)
    assert ALWAYS.first_open_minute(at) == at
    assert ALWAYS.add_open_time(at, timedelta(days=30)) == at + timedelta(days=30)


def test_it_carries_open_time_over_the_weekend() -> None:
    assert OFFICE.add_open_time(warsaw("2027-01-08T16:45"), timedelta(hours=1)) == warsaw("2027-01-11T09:45")
    assert OFFICE.open_time_between(warsaw("2027-01-08T16:45"), warsaw("2027-01-11T09:45")) == timedelta(hours=1)


instants = st.integers(0, 364 * 24 * 60).map(lambda minute: datetime(2027, 1, 1, tzinfo=UTC) + MINUTE * minute)


@st.composite
def calendars(draw: st.DrawFn) -> BusinessCalendar:
    weekly = tuple(draw(days_of_slots()) if draw(st.booleans()) else () for _ in range(7))
    return BusinessCalendar(timezone=WARSAW, weekly=weekly, holiday=holiday_lookup("PL"))


@settings(max_examples=80, deadline=None)
@given(tested=calendars(), at=instants)
def test_its_answers_fit_together(tested: BusinessCalendar, at: datetime) -> None:
    opening, closing = tested.next_opening(at), tested.closes_at(at)
    if opening is not None:
        assert at <= opening <= at + HORIZON
        assert tested.is_open(opening)
        assert not tested.is_open(opening - timedelta(microseconds=1))
    if tested.is_open(at):
        assert tested.first_open_minute(at) == at
        assert closing is not None
        assert closing > at
        assert not tested.is_open(closing)
        assert tested.is_open(closing - timedelta(microseconds=1))
        assert tested.open_time_between(at, closing) == closing - at
    else:
        assert closing is None
        assert tested.first_open_minute(at) == opening


@settings(max_examples=80, deadline=None)
@given(tested=calendars(), at=instants, minutes=st.integers(0, 3000))
def test_open_time_added_is_open_time_measured(tested: BusinessCalendar, at: datetime, minutes: int) -> None:
    amount = MINUTE * minutes
    reached = tested.add_open_time(at, amount)
    if reached is not None:
        assert tested.open_time_between(at, reached) == amount


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"mon": "9:00-17:00"}, '"9:00-17:00" is not a slot'),
        ({"mon": "09:00-25:00"}, "hours go from"),
        ({"mon": "09:00-09:00"}, "cannot begin and end"),
        ({"mon": "17:00-00:00"}, "24:00"),
        ({"mon": ["09:00-13:00", "12:00-17:00"]}, "overlap"),
        ({"mon": ["22:00-06:00", "23:00-24:00"]}, "overlap"),
        ({"monday": "09:00-17:00"}, '"monday" is not a day'),
        ({"mon-fri": "09:00-17:00", "wed": "10:00-12:00"}, '"wed" names wed a second time'),
    ],
)
def test_it_says_what_is_wrong_with_a_table_of_hours(table: dict[str, str | list[str]], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_weekly(table)


def test_it_reads_ranges_lists_and_whole_days() -> None:
    week = parse_weekly({"fri-mon": ["09:00-13:00", "14:00-17:00"], "tue, wed": "00:00-24:00", "thu": []})
    assert [" ".join(map(str, day)) for day in week] == [
        "09:00-13:00 14:00-17:00",
        "00:00-24:00",
        "00:00-24:00",
        "",
        "09:00-13:00 14:00-17:00",
        "09:00-13:00 14:00-17:00",
        "09:00-13:00 14:00-17:00",
    ]


def test_it_refuses_a_naive_time_and_a_date_that_is_open_and_closed() -> None:
    with pytest.raises(ValueError, match="aware"):
        OFFICE.is_open(datetime.fromisoformat("2027-01-08T12:00"))
    with pytest.raises(ValueError, match="2027-01-06"):
        calendar({}, closed_dates=frozenset({date(2027, 1, 6)}), open_dates={date(2027, 1, 6): ()})
