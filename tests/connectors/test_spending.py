"""What a network costs: counted once a day and item, warned of at 80 %, stopped at 100 %, by the UTC month."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta

import pytest

from connectors.spending import SCOPE, CountedHere, Purse
from social.clock import SteppedClock
from social.domain.errors import RateLimited
from social.ports import Charge, Price

START = datetime(2026, 11, 29, 22, 0, tzinfo=UTC)
PRICES = tuple(
    Price(charge=charge, amount=amount, source="the test's own list", as_of=date(2026, 1, 1))
    for charge, amount in ((Charge.OWN_READ, 1), (Charge.REPLY, 15))
)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


def purse(clock: SteppedClock, budget_usd: float | None = 0.1, meter: CountedHere | None = None) -> Purse:
    return Purse(PRICES, budget_usd=budget_usd, meter=meter, clock=clock, resource='profile "shop-x"')


def reads(count: int, *, first: int = 0) -> list[str]:
    return [str(number) for number in range(first, first + count)]


def test_it_stops_at_the_limit_and_says_what_to_do(clock: SteppedClock) -> None:
    mine = purse(clock)
    mine.pay(Charge.OWN_READ, reads(99))
    mine.require_money()
    mine.pay(Charge.OWN_READ, ["another"])

    with pytest.raises(
        RateLimited, match=r'profile "shop-x": this month\'s limit of \$0\.10 is used up.*Raise'
    ) as told:
        mine.require_money()

    assert told.value.scope == SCOPE
    assert told.value.until == START + timedelta(hours=1)  # not the month's end: a raised limit must be seen soon


def test_it_warns_once_a_month_at_four_fifths(clock: SteppedClock, caplog: pytest.LogCaptureFixture) -> None:
    mine = purse(clock)
    mine.pay(Charge.OWN_READ, reads(79))
    assert not caplog.records
    mine.pay(Charge.OWN_READ, reads(2, first=79))
    mine.pay(Charge.OWN_READ, reads(2, first=90))
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "$0.08 of this month's $0.10" in record.getMessage()


def test_what_is_read_again_on_the_same_day_is_billed_once(clock: SteppedClock) -> None:
    meter = CountedHere()
    mine = purse(clock, meter=meter)

    def spent() -> int:
        return meter.add(0, budget=100, now=clock.now())

    mine.pay(Charge.OWN_READ, reads(10))
    mine.pay(Charge.OWN_READ, reads(12))
    assert spent() == 12
    mine.pay(Charge.REPLY, reads(1))  # an answer with the same id is another thing
    assert spent() == 27
    clock.advance(timedelta(hours=3))  # over midnight UTC
    mine.pay(Charge.OWN_READ, reads(10))
    assert spent() == 37


def test_a_new_month_begins_at_nothing(clock: SteppedClock) -> None:
    mine = purse(clock)
    mine.pay(Charge.OWN_READ, reads(200))
    with pytest.raises(RateLimited):
        mine.require_money()
    clock.advance(timedelta(days=2))
    mine.require_money()


def test_without_a_limit_nothing_is_counted_and_nothing_stops(clock: SteppedClock) -> None:
    meter = CountedHere()
    mine = purse(clock, budget_usd=None, meter=meter)
    mine.pay(Charge.REPLY, reads(100_000))
    mine.require_money()
    assert meter.add(0, budget=0, now=START) == 0
