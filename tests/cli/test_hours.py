"""`social hours` answers with the brand's own clock and calendar."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Social


def test_on_christmas_eve_the_desk_is_closed_until_the_monday_after(social: Social, shop: Path) -> None:
    facts = social("hours", "--at", "2026-12-24T11:00", "--json").json[0]

    assert facts["open"] is False
    assert facts["closes_at"] is None
    assert facts["next_opening"] == "2026-12-28T09:00:00+01:00"


def test_it_lists_ten_closed_days_with_their_names_and_the_own_ones(social: Social, shop: Path) -> None:
    days = social("hours", "--at", "2026-12-01T11:00", "--json").json[0]["closed_days"]

    assert [day["date"] for day in days][:5] == ["2026-12-24", "2026-12-25", "2026-12-26", "2026-12-31", "2027-01-01"]
    assert len(days) == 10
    assert days[3]["name"] == "own closed day"


def test_in_words_it_says_until_when_somebody_is_there(social: Social, shop: Path) -> None:
    done = social("hours", "--at", "2026-11-20T16:45")

    assert "Shop, Friday 2026-11-20 16:45 (Europe/Warsaw)" in done.out
    assert "Open, until Friday 2026-11-20 17:00." in done.out
    assert "Next opening: Monday 2026-11-23 09:00." in done.out


def test_without_a_time_it_asks_for_now(social: Social, shop: Path) -> None:
    assert isinstance(social("hours", "--json").json[0]["open"], bool)


@pytest.mark.parametrize("time", ["tomorrow", "2026-13-01T10:00", ""])
def test_a_time_that_is_none_is_refused(social: Social, shop: Path, time: str) -> None:
    done = social("hours", f"--at={time}")

    assert done.code == 2 or time == ""


def test_the_demo_world_has_its_own_time(social: Social, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    done = social("hours")

    assert "Sklep Lawenda, Friday 2026-11-20 15:30 (Europe/Warsaw)" in done.out
    assert list(tmp_path.iterdir()) == []
