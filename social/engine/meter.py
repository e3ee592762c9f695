"""A profile's spending, kept in the database: what a connector that costs money is given as its ``Meter``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from social.store import spending
from social.store.session import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMeter:
    """See ``social.ports.Meter``."""

    database: Database
    profile: str

    def add(self, amount: int, *, budget: int, now: datetime) -> int:
        if amount == 0:
            with self.database.read() as session:
                return spending.spent(session, self.profile, now=now)
        with self.database.write() as session:
            return spending.spend(session, self.profile, amount, budget=budget, now=now)
