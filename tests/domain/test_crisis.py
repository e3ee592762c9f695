"""The brake's arithmetic: improbable and large, at 0.05 complaining customers an hour as at 50; one angry person is no
crisis, and who has watched for a few hours calls nothing one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from social.domain.crisis import (
    FAR_ABOVE,
    HISTORY,
    HOUR,
    IMPROBABLE,
    MINIMUM_CUSTOMERS,
    MINIMUM_POSTS,
    TOO_RECENT_HOURS,
    WATCHED_AT_LEAST,
    Volume,
    is_calm,
    is_crisis,
    read,
    worth_a_look,
)
from tests.cast import WARSAW, at

NOON = at("2026-11-20 12:00")  # a Friday
WEEK = 7 * 24
LOOKS = 12  # an hour is looked at every five minutes

many = settings(max_examples=60, deadline=None)
rates = st.floats(0.0, 60.0)


def volume(
    customers: int,
    *,
    usual: float = 0.0,
    posts: int | None = None,
    watched: timedelta = HISTORY,
    now: datetime = NOON,
    before: dict[int, int] | None = None,
    unusual: frozenset[int] = frozenset(),
) -> Volume:
    """A profile with ``usual`` customers in every hour of four weeks (spread evenly), and ``customers`` in this one."""
    hours = range(1, int(watched / HOUR) + 1)
    history = {ago: int((ago + 1) * usual) - int(ago * usual) for ago in hours}
    counts = {**history, **(before or {}), 0: customers}
    return Volume(
        now=now,
        zone=WARSAW,
        posts=customers if posts is None else posts,
        customers=counts,
        watched=watched,
        unusual=unusual,
    )


def crisis(seen: Volume) -> bool:
    return is_crisis(seen, read(seen))


# --- what a crisis is --------------------------------------------------------------------------------------------------


def test_six_complaints_in_an_hour_where_there_is_one_a_day_are_a_crisis() -> None:
    assert crisis(volume(6, usual=1 / 24))
    assert not crisis(volume(4, usual=1 / 24))


def test_the_same_six_are_an_ordinary_hour_of_a_busy_shop() -> None:
    assert not crisis(volume(6, usual=2))
    assert not crisis(volume(60, usual=50))


def test_one_angry_person_is_no_crisis_however_much_they_write() -> None:
    assert not crisis(volume(1, posts=300))
    assert not crisis(volume(MINIMUM_CUSTOMERS - 1, posts=300))
    assert not crisis(volume(MINIMUM_POSTS - 1, posts=MINIMUM_POSTS - 1))


def test_a_little_more_than_much_is_improbable_and_still_no_crisis() -> None:
    seen = volume(140, usual=50)
    assert read(seen).probability < IMPROBABLE
    assert not crisis(seen)
    assert crisis(volume(int(50 * FAR_ABOVE) + 2, usual=50))


def test_it_says_what_is_usual_at_this_hour() -> None:
    assert read(volume(9, usual=2)).usual == pytest.approx(2, abs=0.1)
    busy = volume(5000, usual=1000)
    assert read(busy).usual == pytest.approx(1000, rel=0.01)
    assert crisis(busy)


# --- what is usual -----------------------------------------------------------------------------------------------------


def by_hour(busy_hour: int, count: int, *, now: datetime) -> dict[int, int]:
    """``count`` customers at every ``busy_hour`` o'clock on the wall, nobody else."""
    first = int(HISTORY / HOUR)
    ends = {ago: (now.astimezone(UTC) - ago * HOUR).astimezone(WARSAW) for ago in range(1, first + 1)}
    return {ago: count for ago, end in ends.items() if end.hour == busy_hour}


def test_the_usual_is_that_of_the_hour_and_not_of_the_day() -> None:
    evening, night = at("2026-11-20 20:00"), at("2026-11-21 03:00")
    assert not crisis(volume(12, now=evening, before=by_hour(20, 10, now=evening)))
    assert crisis(volume(12, now=night, before=by_hour(20, 10, now=night)))


def test_the_hour_stays_the_same_on_the_wall_when_the_clocks_change() -> None:
    evenings = [at("2026-11-20 20:00"), at("2026-11-02 20:00"), at("2027-03-29 20:00")]  # the second: they went back
    usual = [read(volume(12, now=now, before=by_hour(20, 10, now=now))).usual for now in evenings]
    assert usual == [pytest.approx(usual[0], rel=0.01)] * 3
    assert usual[0] > 5


def test_a_crisis_of_last_week_does_not_become_the_usual() -> None:
    last_friday = dict.fromkeys(range(WEEK - 2, WEEK + 3), 200)
    assert not crisis(volume(40, usual=1, before=last_friday))
    assert crisis(volume(40, usual=1, before=last_friday, unusual=frozenset(last_friday)))


def test_what_grows_slowly_does_not_measure_itself() -> None:
    growing = {ago: 40 - 6 * ago for ago in range(1, TOO_RECENT_HOURS)}
    assert read(volume(40, usual=1, before=growing)).usual == read(volume(40, usual=1)).usual


# --- the first week ----------------------------------------------------------------------------------------------------


def test_nothing_is_a_crisis_before_a_day_was_watched() -> None:
    for hours in (0, 1, 23):
        assert not crisis(volume(1000, watched=timedelta(hours=hours)))
    assert crisis(volume(1000, watched=WATCHED_AT_LEAST))


def test_in_the_first_week_it_takes_more_than_later() -> None:
    def least(watched: timedelta) -> int:
        return next(count for count in range(1, 500) if crisis(volume(count, usual=1, watched=watched)))

    needed = [least(timedelta(days=days)) for days in (1, 3, 8, 28)]
    assert needed == sorted(needed, reverse=True)
    assert needed[0] > needed[-1]


# --- calm --------------------------------------------------------------------------------------------------------------


def test_two_quiet_hours_are_calm_and_one_is_not() -> None:
    assert is_calm(volume(2, usual=1, before={1: 2}))
    assert not is_calm(volume(2, usual=1, before={1: 12}))
    assert not is_calm(volume(12, usual=1, before={1: 2}))


def test_what_is_too_little_to_begin_a_crisis_may_be_too_much_to_end_it() -> None:
    raised = volume(7, usual=1, before={1: 7})
    assert not crisis(raised)
    assert not is_calm(raised)


# --- for every count and scale -----------------------------------------------------------------------------------------


@many
@given(customers=st.integers(0, 400), more=st.integers(0, 100), usual=rates, days=st.integers(1, 28))
def test_more_customers_are_never_less_of_a_crisis(customers: int, more: int, usual: float, days: int) -> None:
    watched = timedelta(days=days)
    fewer, many = (volume(count, usual=usual, watched=watched) for count in (customers, customers + more))
    assert read(many).probability <= read(fewer).probability
    assert crisis(many) or not crisis(fewer)
    assert read(fewer).quiet or not read(many).quiet


@many
@given(customers=st.integers(0, 200), usual=rates, more=st.floats(0, 20))
def test_the_same_hour_is_never_more_of_a_crisis_where_more_is_usual(customers: int, usual: float, more: float) -> None:
    calm, busy = volume(customers, usual=usual), volume(customers, usual=usual + more)
    assert crisis(calm) or not crisis(busy)


@many
@given(usual=rates, customers=st.integers(0, 400))
def test_a_crisis_is_never_quiet(usual: float, customers: int) -> None:
    seen = volume(customers, usual=usual)
    assert not (crisis(seen) and read(seen).quiet)
    assert worth_a_look(posts=seen.posts, customers=customers) or not crisis(seen)


# --- false alarms and detection ----------------------------------------------------------------------------------------

#: The bound that the module states: at constant traffic one false alarm in 50 weeks.
FALSE_ALARMS_A_WEEK = 1 / 50
DAY = np.array([1.5, 0.9, 0.6, 0.5, 0.7, 1.4, 2, 3, 4, 5, 6, 6, 5.5, 5, 5, 5, 5.5, 6, 6.5, 7, 6.5, 5, 3.5, 2.5])
FLAT = np.ones(24)


def alarms(rate: float, *, weeks: int, known: int, day: np.ndarray = FLAT, seed: int) -> int:
    """Hours with an alarm in ``weeks`` weeks of a Poisson process, each after ``known`` watched hours, looked at every five
    minutes. ``rate`` is the mean of a day that is shaped like ``day``."""
    dice, found = np.random.default_rng(seed), 0
    hours = known + WEEK
    means = rate * (day / day.mean())[np.arange(hours) % 24]
    for _ in range(weeks):
        cells = dice.poisson(np.repeat(means / LOOKS, LOOKS))
        running = np.convolve(cells, np.ones(LOOKS, dtype=int))[: len(cells)].reshape(hours, LOOKS).max(axis=1)
        counts = cells.reshape(hours, LOOKS).sum(axis=1)
        for hour in range(known, hours):
            peak = int(running[hour])
            if not worth_a_look(posts=peak, customers=peak):
                continue
            before = {ago: int(counts[hour - ago]) for ago in range(1, min(hour, int(HISTORY / HOUR)) + 1)}
            now = at("2026-11-02 00:00") + (hour + 1) * HOUR
            found += crisis(volume(peak, before=before, watched=hour * HOUR, now=now))
    return found


@pytest.mark.parametrize("day", [FLAT, DAY], ids=["steady", "day and night"])
def test_it_rings_no_false_bell_in_constant_traffic(day: np.ndarray) -> None:
    weeks = {0.05: 10, 0.2: 10, 0.5: 10, 1: 10, 2: 8, 5: 4, 10: 2, 20: 1, 50: 1}
    found = sum(alarms(rate, weeks=count, known=int(HISTORY / HOUR), day=day, seed=3) for rate, count in weeks.items())
    assert found <= sum(weeks.values()) * FALSE_ALARMS_A_WEEK


@pytest.mark.parametrize("rate", [0.5, 5, 50])
def test_it_rings_no_false_bell_in_the_first_week(rate: float) -> None:
    assert alarms(rate, weeks=2, known=24, day=DAY, seed=5) == 0


@pytest.mark.parametrize("rate", [5, 10, 20, 50])
def test_six_times_the_usual_is_found_within_its_hour(rate: float) -> None:
    dice = np.random.default_rng(11)
    found = 0
    for _ in range(60):
        before = {ago: int(count) for ago, count in enumerate(dice.poisson(rate, int(HISTORY / HOUR)), start=1)}
        found += crisis(volume(int(dice.poisson(6 * rate)), before=before))
    assert found >= 57  # 95 of 100


def test_it_takes_any_order_and_gap_of_hours() -> None:
    dice = Random(1)
    hours = {ago: dice.randrange(3) for ago in dice.sample(range(1, 700), 300)}
    seen = volume(9, before=hours)
    assert read(seen) == read(replace(seen, customers=dict(sorted(seen.customers.items(), reverse=True))))


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        volume(1, now=datetime(2026, 11, 20, 12))  # noqa: DTZ001 the naive time is the point
