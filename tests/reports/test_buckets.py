"""Days, weeks and hours are those of the clock on the wall, also when it is put forward or back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from social.domain.assessment import Sentiment
from social.domain.reply import ReplyKind
from social.reports.buckets import By, bucket_of, buckets_between, midnight
from social.reports.queries import SentimentQuery
from social.reports.report import SentimentReport, make_report
from social.store.session import Database
from tests.cast import WARSAW
from tests.reports.happened import Asked, Judged, Past, Replied, filled, write

KOLKATA, KATHMANDU = ZoneInfo("Asia/Kolkata"), ZoneInfo("Asia/Kathmandu")
SPRING, AUTUMN = date(2027, 3, 28), date(2027, 10, 31)
QUARTER = timedelta(minutes=15)


def every_quarter(database: Database, day: date, zone: ZoneInfo, by: By) -> SentimentReport:
    """A post each quarter of an hour from two days before ``day`` to two days after it; counted around it."""
    first, end = day - timedelta(days=1), day + timedelta(days=2)
    start = midnight(first, zone).astimezone(UTC) - timedelta(days=1)
    asked = tuple(Asked(at=start + QUARTER * number, judged=(Judged(),)) for number in range(5 * 24 * 4))
    name = write(database, Past(asked=asked), since=start)
    query = SentimentQuery(from_day=first, to_day=end, by=by, time_zone=zone, profiles=(name,))
    with database.read() as session:
        return make_report(session, query, now=start + timedelta(days=9))


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25)])
def test_the_day_on_which_the_clocks_change_has_its_real_length(database: Database, day: date, hours: int) -> None:
    counted = filled(every_quarter(database, day, WARSAW, By.DAY))

    assert {label: counts.posts / 4 for label, counts in counted.items()} == {
        (day - timedelta(days=1)).isoformat(): 24,
        day.isoformat(): hours,
        (day + timedelta(days=1)).isoformat(): 24,
    }


@pytest.mark.parametrize(("day", "posts"), [(SPRING, 0), (AUTUMN, 8)])
def test_the_hour_that_is_skipped_is_empty_and_the_one_that_comes_twice_counts_both(
    store_database: Database, day: date, posts: int
) -> None:
    rows = {
        row.bucket.label: row.counts.posts for row in every_quarter(store_database, day, WARSAW, By.HOUR_OF_WEEK).rows
    }

    assert rows["Sun 02:00"] == posts
    assert rows["Sun 01:00"] == rows["Sun 03:00"] == rows["Sat 02:00"] == 4
    assert rows["Wed 02:00"] == 0
    assert len(rows) == 168


@pytest.mark.parametrize("zone", [KOLKATA, KATHMANDU], ids=str)
def test_a_day_begins_at_midnight_also_where_that_is_no_whole_hour_elsewhere(
    store_database: Database, zone: ZoneInfo
) -> None:
    for by in (By.DAY, By.HOUR_OF_WEEK):
        counted = filled(every_quarter(store_database, SPRING, zone, by))

        assert {counts.posts for counts in counted.values()} == {96 if by is By.DAY else 4}


def test_weeks_are_iso_weeks_and_the_first_days_of_a_year_may_belong_to_the_last_one() -> None:
    weeks = buckets_between(date(2026, 12, 30), date(2027, 1, 5), WARSAW, By.WEEK)

    assert [week.label for week in weeks] == ["2026-W53", "2027-W01"]
    assert [str(week.start) for week in weeks] == ["2026-12-28 00:00:00+01:00", "2027-01-04 00:00:00+01:00"]


def test_every_row_is_there_also_where_nothing_happened() -> None:
    assert len(buckets_between(date(2027, 3, 1), date(2027, 4, 1), WARSAW, By.DAY)) == 31
    assert len(buckets_between(date(2027, 3, 1), date(2027, 3, 2), WARSAW, By.HOUR_OF_WEEK)) == 168


def test_a_day_whose_midnight_is_skipped_begins_when_the_clocks_are_put_forward() -> None:
    assert midnight(date(2027, 3, 28), ZoneInfo("Asia/Beirut")).astimezone(UTC) == datetime(2027, 3, 27, 22, tzinfo=UTC)


def test_an_hour_of_the_week_has_a_name_in_each_language() -> None:
    hour = bucket_of(datetime(2027, 3, 24, 9, 30, tzinfo=WARSAW), By.HOUR_OF_WEEK)

    assert (hour.label, hour.name("en"), hour.name("pl"), hour.hour_of_week) == (
        "Wed 09:00",
        "Wed 09:00",
        "śr. 09:00",
        57,
    )


def test_what_lies_outside_of_the_range_by_a_microsecond_is_not_in_it(store_database: Database) -> None:
    start, end = midnight(SPRING, WARSAW), midnight(SPRING + timedelta(days=1), WARSAW)
    microsecond = timedelta(microseconds=1)
    moments = [start.astimezone(UTC) - microsecond, start, end.astimezone(UTC) - microsecond, end]
    negative = (Judged(sentiment=Sentiment.NEGATIVE),)
    name = write(store_database, Past(asked=tuple(Asked(at=at, judged=negative) for at in moments)), since=start)
    query = SentimentQuery(
        from_day=SPRING, to_day=SPRING + timedelta(days=1), by=By.DAY, time_zone=WARSAW, profiles=(name,)
    )
    with store_database.read() as session:
        assert make_report(session, query, now=end + timedelta(days=1)).totals.negative == 2


def test_the_last_hour_of_a_day_is_an_hour_also_where_the_clocks_skip_midnight(store_database: Database) -> None:
    beirut = ZoneInfo("Asia/Beirut")
    asked = datetime(2027, 3, 27, 21, 59, tzinfo=UTC)
    answer = Replied(at=asked + timedelta(minutes=50), kind=ReplyKind.ANSWER)
    name = write(store_database, Past(asked=(Asked(at=asked),), replied=(answer,)), since=asked)
    query = SentimentQuery(
        from_day=date(2027, 3, 27), to_day=date(2027, 3, 28), by=By.DAY, time_zone=beirut, profiles=(name,)
    )
    with store_database.read() as session:
        assert make_report(session, query, now=asked + timedelta(days=9)).totals.answered_within_hour == 1
