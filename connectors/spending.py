"""What a network that bills by the item has cost this month, and the stop at the operator's own limit.

An estimate from declared prices: the network's own bill counts. It never guesses low: where a price depends on what only
the network knows, the higher one is taken; what is read twice on one UTC day is billed once, and so it is here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from social.domain.errors import RateLimited
from social.ports import Charge, Clock, Meter, Price

log = logging.getLogger(__name__)

WARN_AT_PERCENT = 80
#: An empty purse is looked at again after this: the operator may have raised the limit.
LOOK_AGAIN_AFTER = timedelta(hours=1)
SCOPE = "money"


class CountedHere:
    """A ``Meter`` for whoever gave none: this process only."""

    def __init__(self) -> None:
        self._month, self._sum = "", 0

    def add(self, amount: int, *, budget: int, now: datetime) -> int:
        month = f"{now.astimezone(UTC):%Y-%m}"
        if month != self._month:
            self._month, self._sum = month, 0
        self._sum += amount
        return self._sum


class Purse:
    """One profile's spending against its limit; without a limit it does nothing. Safe for several threads."""

    def __init__(
        self, prices: Sequence[Price], *, budget_usd: float | None, meter: Meter | None, clock: Clock, resource: str
    ) -> None:
        self._prices = {price.charge: price.amount for price in prices}
        self._budget = None if budget_usd is None else round(budget_usd * 1000)
        self._meter = meter or CountedHere()
        self._clock = clock
        self._resource = resource
        self._lock = threading.Lock()
        self._day: date | None = None
        self._billed: set[tuple[Charge, str]] = set()
        self._warned = ""

    @property
    def limited(self) -> bool:
        return self._budget is not None

    def require_money(self) -> None:
        """Raises ``RateLimited`` once the month's limit is reached."""
        if self._budget is None:
            return
        now = self._clock.now()
        spent = self._meter.add(0, budget=self._budget, now=now)
        if spent < self._budget:
            return
        raise RateLimited(
            f"this month's limit of ${self._budget / 1000:.2f} is used up (by our own estimate); nothing is read or sent.",
            until=now + LOOK_AGAIN_AFTER,
            scope=SCOPE,
            resource=self._resource,
            next_step="Raise the limit in the profile's options, or wait for the first day of the next month.",
        )

    def pay(self, charge: Charge, items: Iterable[str]) -> None:
        """Note what a request brought. ``items`` are ids: each is billed once a UTC day."""
        if self._budget is None:
            return
        now = self._clock.now()
        with self._lock:
            today = now.astimezone(UTC).date()
            if today != self._day:
                self._day, self._billed = today, set()
            fresh = {(charge, item) for item in items} - self._billed
            self._billed |= fresh
        if not fresh:
            return
        spent = self._meter.add(len(fresh) * self._prices.get(charge, 0), budget=self._budget, now=now)
        self._warn(spent, self._budget, f"{now.astimezone(UTC):%Y-%m}")

    def _warn(self, spent: int, budget: int, month: str) -> None:
        if spent * 100 < budget * WARN_AT_PERCENT or self._warned == month:
            return
        self._warned = month
        log.warning(
            "%s: about $%.2f of this month's $%.2f are spent; at 100 %% nothing is read or sent.",
            self._resource,
            spent / 1000,
            budget / 1000,
        )
