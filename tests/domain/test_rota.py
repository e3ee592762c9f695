"""Who is woken, when, and after whom; on the two nights when the clocks change as well."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from social.domain.assessment import Urgency
from social.domain.hours import BusinessCalendar, parse_weekly
from social.domain.rota import TOO_OLD, AlertFacts, Over, Rota, Shift, Tell, Told, Wait, next_step
from tests.cast import BRAND, HANNA, MAREK, WARSAW, at

ZOFIA = "zofia"
FIFTEEN = timedelta(minutes=15)


def week(table: dict[str, list[str]]) -> BusinessCalendar:
    return BusinessCalendar(timezone=WARSAW, weekly=parse_weekly(table))


QUIET = week({"mon-sun": ["22:00-07:00"]})
TWO = Rota(people=(MAREK, HANNA), quiet=QUIET)


def alert(urgency: Urgency = Urgency.CRITICAL, *, wanted_at: datetime, **more: object) -> AlertFacts:
    return AlertFacts(urgency=urgency, wanted_at=wanted_at, **more)  # type: ignore[arg-type]


def told(*people: str, when: datetime, reached: bool = True) -> tuple[Told, ...]:
    return tuple(Told(person=person, at=when + index * FIFTEEN, reached=reached) for index, person in enumerate(people))


NIGHT = at("2026-11-21 02:00")


# --- one after the other ------------------------------------------------------------------------------------------------


def test_it_tells_the_first_person_at_once_and_says_when_the_second_is_told() -> None:
    assert next_step(alert(wanted_at=NIGHT), TWO, NIGHT) == Tell(MAREK, next_at=NIGHT + FIFTEEN)


def test_it_gives_the_first_person_a_quarter_of_an_hour() -> None:
    facts = alert(wanted_at=NIGHT, told=told(MAREK, when=NIGHT))

    assert next_step(facts, TWO, NIGHT + timedelta(minutes=14, seconds=59)) == Wait(NIGHT + FIFTEEN)
    assert next_step(facts, TWO, NIGHT + FIFTEEN) == Tell(HANNA)


def test_it_goes_on_at_once_where_the_first_person_cannot_be_reached() -> None:
    facts = alert(wanted_at=NIGHT, told=told(MAREK, when=NIGHT, reached=False))

    assert next_step(facts, TWO, NIGHT + timedelta(seconds=5)) == Tell(HANNA)


def test_it_is_over_when_everybody_was_told() -> None:
    facts = alert(wanted_at=NIGHT, told=told(MAREK, HANNA, when=NIGHT))

    assert next_step(facts, TWO, NIGHT + FIFTEEN) == Wait(NIGHT + 2 * FIFTEEN)
    assert next_step(facts, TWO, NIGHT + 2 * FIFTEEN) == Over("everybody on call was told")


def test_it_tells_nobody_of_what_is_over() -> None:
    assert next_step(alert(wanted_at=NIGHT, over="case 1 is taken"), TWO, NIGHT) == Over("case 1 is taken")


def test_it_does_not_ring_for_what_nobody_was_there_to_tell_of_for_a_day() -> None:
    later = NIGHT + TOO_OLD + timedelta(seconds=1)

    assert isinstance(next_step(alert(wanted_at=NIGHT), TWO, NIGHT + TOO_OLD), Tell)
    assert isinstance(next_step(alert(wanted_at=NIGHT), TWO, later), Over)


def test_it_tells_the_one_whom_it_concerns_at_any_hour_and_nobody_else() -> None:
    mine = alert(Urgency.NORMAL, wanted_at=NIGHT, only=HANNA)

    assert next_step(mine, TWO, NIGHT) == Tell(HANNA)
    assert isinstance(next_step(alert(wanted_at=NIGHT, only=HANNA, told=told(HANNA, when=NIGHT)), TWO, NIGHT), Over)
    assert isinstance(next_step(alert(wanted_at=NIGHT, only="nobody"), TWO, NIGHT), Over)


# --- who may sleep ------------------------------------------------------------------------------------------------------


def test_high_waits_for_seven_and_critical_does_not() -> None:
    late = at("2026-11-20 23:00")

    assert next_step(alert(Urgency.HIGH, wanted_at=late), TWO, late) == Wait(at("2026-11-21 07:00"))
    assert next_step(alert(Urgency.CRITICAL, wanted_at=late), TWO, late) == Tell(MAREK, next_at=late + FIFTEEN)


def test_high_rings_at_night_where_the_setting_says_so_and_normal_does_not() -> None:
    loud = Rota(people=(MAREK, HANNA), quiet=QUIET, high_at_night=True)

    assert isinstance(next_step(alert(Urgency.HIGH, wanted_at=NIGHT), loud, NIGHT), Tell)
    assert isinstance(next_step(alert(Urgency.NORMAL, wanted_at=NIGHT), loud, NIGHT), Wait)


def test_it_says_that_the_second_person_is_told_only_in_the_morning() -> None:
    evening = at("2026-11-20 21:50")

    step = next_step(alert(Urgency.HIGH, wanted_at=evening), TWO, evening)

    assert step == Tell(MAREK, next_at=at("2026-11-21 07:00"))


@pytest.mark.parametrize(
    ("evening", "morning"),
    [
        ("2026-03-28 23:00", "2026-03-29 07:00"),  # the clocks go forward: a night of eight hours
        ("2026-10-24 23:00", "2026-10-25 07:00"),  # and back: ten
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_wall_when_the_clocks_change(evening: str, morning: str) -> None:
    now = at(evening)

    assert next_step(alert(Urgency.HIGH, wanted_at=now), TWO, now) == Wait(at(morning))


# --- shifts -------------------------------------------------------------------------------------------------------------

NIGHT_SHIFT = Shift(people=(MAREK, HANNA), hours=week({"mon-fri": ["17:00-09:00"]}))
WEEKEND = Shift(people=(HANNA,), hours=week({"sat": ["09:00-24:00"], "sun": ["00:00-24:00"]}))
ROTA = Rota(people=(ZOFIA, MAREK, HANNA), shifts=(NIGHT_SHIFT, WEEKEND), quiet=QUIET)


@pytest.mark.parametrize(
    ("when", "people"),
    [
        ("2026-11-19 16:59", ()),  # a Thursday
        ("2026-11-19 17:00", (MAREK, HANNA)),
        ("2026-11-20 08:59", (MAREK, HANNA)),
        ("2026-11-20 09:00", ()),
        ("2026-11-21 08:59", (MAREK, HANNA)),  # Friday's shift ends on Saturday
        ("2026-11-21 09:00", (HANNA,)),
        ("2026-11-22 23:59", (HANNA,)),
        ("2026-11-23 00:00", ()),
    ],
)
def test_it_knows_who_is_on_call(when: str, people: tuple[str, ...]) -> None:
    assert ROTA.on_call(at(when), BRAND) == people


def test_without_a_rota_everybody_is_on_call_in_order() -> None:
    assert TWO.on_call(NIGHT, BRAND) == (MAREK, HANNA)


def test_in_a_gap_critical_reaches_whoever_there_is_and_the_rest_waits_for_the_next_shift() -> None:
    noon = at("2026-11-19 12:00")

    assert next_step(alert(wanted_at=noon), ROTA, noon) == Tell(ZOFIA, next_at=noon + FIFTEEN)
    assert next_step(alert(Urgency.HIGH, wanted_at=noon), ROTA, noon) == Wait(at("2026-11-19 17:00"))


def test_a_night_shift_that_begins_in_quiet_hours_keeps_nothing_waiting_for_ever() -> None:
    nights = Rota(
        people=(MAREK, HANNA), shifts=(Shift(people=(HANNA,), hours=week({"mon-sun": ["22:00-06:00"]})),), quiet=QUIET
    )
    late, morning = at("2026-11-20 23:00"), at("2026-11-21 07:00")

    assert next_step(alert(Urgency.HIGH, wanted_at=late), nights, late) == Wait(morning)
    assert next_step(alert(Urgency.HIGH, wanted_at=morning), nights, morning) == Tell(MAREK, next_at=morning + FIFTEEN)


def test_where_the_shift_ends_before_somebody_took_it_the_next_one_goes_on() -> None:
    change = Rota(
        people=(MAREK, HANNA),
        shifts=(
            Shift(people=(MAREK,), hours=week({"mon-sun": ["09:00-17:00"]})),
            Shift(people=(HANNA,), hours=week({"mon-sun": ["18:00-20:00"]})),
        ),
    )
    facts = alert(Urgency.HIGH, wanted_at=at("2026-11-20 16:50"), told=told(MAREK, when=at("2026-11-20 16:50")))

    assert next_step(facts, change, at("2026-11-20 17:05")) == Wait(at("2026-11-20 18:00"))
    assert next_step(facts, change, at("2026-11-20 18:00")) == Tell(HANNA)


def test_a_brand_has_its_own_shifts_and_those_of_all() -> None:
    rota = Rota(
        people=(ZOFIA, MAREK, HANNA),
        shifts=(Shift(people=(MAREK,), brand=BRAND), Shift(people=(HANNA,))),
    )

    assert rota.on_call(NIGHT, BRAND) == rota.everybody(BRAND) == (MAREK, HANNA)
    assert rota.on_call(NIGHT, "Other") == rota.everybody("Other") == (HANNA,)


def test_a_brand_without_a_shift_of_its_own_or_of_all_has_everybody() -> None:
    rota = Rota(people=(ZOFIA, MAREK), shifts=(Shift(people=(MAREK,), brand="Other"),))

    assert rota.on_call(NIGHT, BRAND) == rota.everybody(BRAND) == (ZOFIA, MAREK)


# --- whatever the rota, the hour and the year ---------------------------------------------------------------------------

#: Around both changes of the clocks, and a plain week.
INSTANTS = st.one_of(
    st.datetimes(datetime(2026, 3, 27), datetime(2026, 3, 31)),  # noqa: DTZ001 UTC is given below
    st.datetimes(datetime(2026, 10, 23), datetime(2026, 10, 27)),  # noqa: DTZ001
    st.datetimes(datetime(2026, 11, 16), datetime(2026, 11, 23)),  # noqa: DTZ001
).map(lambda wall: wall.replace(tzinfo=UTC, second=0, microsecond=0))
TIMES = st.times().map(lambda moment: moment.replace(second=0, microsecond=0))
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@st.composite
def slots(draw: st.DrawFn) -> tuple[time, time]:
    start, end = draw(TIMES), draw(TIMES)
    assume(start != end)
    assume(end != time(0))
    return start, end


@st.composite
def rotas(draw: st.DrawFn) -> Rota:
    names = tuple(draw(st.permutations([MAREK, HANNA, ZOFIA])))[: draw(st.integers(1, 3))]
    shifts = []
    for _ in range(draw(st.integers(0, 3))):
        start, end = draw(slots())
        days = draw(st.sets(st.sampled_from(DAYS), min_size=1))
        table = {day: [f"{start:%H:%M}-{end:%H:%M}"] for day in days}
        shifts.append(Shift(people=(draw(st.sampled_from(names)),), hours=week(table)))
    quiet = None
    if draw(st.booleans()):
        start, end = draw(slots())
        quiet = week({"mon-sun": [f"{start:%H:%M}-{end:%H:%M}"]})
    return Rota(people=names, shifts=tuple(shifts), quiet=quiet, high_at_night=draw(st.booleans()))


@given(slot=slots(), days=st.sets(st.sampled_from(DAYS), min_size=1), now=INSTANTS)
def test_a_shift_holds_whenever_the_wall_shows_a_time_inside_it(
    slot: tuple[time, time], days: set[str], now: datetime
) -> None:
    start, end = slot
    shift = Shift(people=(MAREK,), hours=week({day: [f"{start:%H:%M}-{end:%H:%M}"] for day in days}))
    wall = now.astimezone(WARSAW)
    today, yesterday = DAYS[wall.weekday()] in days, DAYS[wall.weekday() - 1] in days
    clock = wall.time()
    over_midnight = end <= start
    inside = (today and clock >= start and (over_midnight or clock < end)) or (
        yesterday and over_midnight and clock < end
    )

    if inside:
        assert shift.holds(now)
    elif wall.utcoffset() == (now - 2 * timedelta(hours=1)).astimezone(WARSAW).utcoffset():
        # where the clocks went back, the repeated hour belongs to the slot as a whole
        assert not shift.holds(now)


@given(rota=rotas(), now=INSTANTS, urgency=st.sampled_from(Urgency))
def test_it_comes_to_an_end_waits_only_ahead_and_tells_nobody_twice(
    rota: Rota, now: datetime, urgency: Urgency
) -> None:
    start, told_so_far, wanted = now, [], now
    for _ in range(20):
        step = next_step(alert(urgency, wanted_at=wanted, told=tuple(told_so_far)), rota, now)
        if isinstance(step, Over):
            break
        if isinstance(step, Wait):
            assert step.until > now
            now = wanted = step.until
        else:
            told_so_far.append(Told(person=step.person, at=now))
    else:
        pytest.fail("it goes on for ever")
    names = [item.person for item in told_so_far]

    assert len(names) == len(set(names))
    assert names
    if urgency is Urgency.CRITICAL:
        assert told_so_far[0].at == start


@given(rota=rotas(), now=INSTANTS, urgency=st.sampled_from(Urgency))
def test_nobody_is_told_in_quiet_hours_of_what_may_wait(rota: Rota, now: datetime, urgency: Urgency) -> None:
    step = next_step(alert(urgency, wanted_at=now), rota, now)

    quiet = rota.quiet is not None and rota.quiet.is_open(now)
    may_wait = urgency is not Urgency.CRITICAL and not (urgency is Urgency.HIGH and rota.high_at_night)
    assert not (quiet and may_wait and isinstance(step, Tell))
    if isinstance(step, Tell):
        assert step.person == (rota.on_call(now) or rota.people)[0]
