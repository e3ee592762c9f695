"""A profile's month of spending is in the database: it outlives a restart, and the limit may change."""

from __future__ import annotations

from datetime import UTC, datetime

from social.engine.meter import StoredMeter
from social.store.session import Database
from social.store.tables import BudgetRow
from tests.engine.looking import rows
from tests.factories import profile

NOVEMBER, DECEMBER = datetime(2026, 11, 30, 23, 59, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)


def test_it_adds_up_over_processes_and_months(store_database: Database) -> None:
    shop = profile(store_database)
    assert StoredMeter(database=store_database, profile=shop.name).add(0, budget=1000, now=NOVEMBER) == 0
    assert StoredMeter(database=store_database, profile=shop.name).add(300, budget=1000, now=NOVEMBER) == 300
    again = StoredMeter(database=store_database, profile=shop.name)
    assert again.add(500, budget=1000, now=NOVEMBER) == 800
    (row,) = rows(store_database, BudgetRow)
    assert (row.scope, row.limit, row.remaining, row.used_percent) == ("money", 1000, 200, 80.0)
    assert row.resets_at == DECEMBER

    assert again.add(1, budget=2000, now=NOVEMBER) == 801  # a raised limit forgets nothing
    assert again.add(0, budget=2000, now=DECEMBER) == 0
    assert again.add(5, budget=2000, now=DECEMBER) == 5


def test_two_profiles_have_two_purses(store_database: Database) -> None:
    first, second = profile(store_database, "first"), profile(store_database, "second")
    StoredMeter(database=store_database, profile=first.name).add(10, budget=100, now=NOVEMBER)
    assert StoredMeter(database=store_database, profile=second.name).add(0, budget=100, now=NOVEMBER) == 0


def test_a_profile_that_is_not_there_costs_nothing(store_database: Database) -> None:
    assert StoredMeter(database=store_database, profile="nobody").add(10, budget=100, now=NOVEMBER) == 0
    assert rows(store_database, BudgetRow) == []
