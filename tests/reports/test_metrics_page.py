"""docs/metrics.md holds the one definition of each column, and both languages have one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from social.reports.counts import OUTCOMES, SENTIMENTS, URGENCIES, Counts
from social.reports.wording import ALL_COLUMNS, COUNT_COLUMNS, Column

PAGE = (Path(__file__).parent.parent.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([a-z_]+)` \| (.+?) \| (.+) \|$", PAGE, flags=re.MULTILINE)


def test_the_page_defines_every_column_in_the_order_of_the_files() -> None:
    assert [(key, meaning) for key, meaning, _ in ROWS] == [(column.key, column.meaning.en) for column in ALL_COLUMNS]


def test_every_definition_has_an_example() -> None:
    assert [key for key, _, example in ROWS if not example.strip()] == []


@pytest.mark.parametrize("column", ALL_COLUMNS, ids=lambda column: column.key)
def test_every_column_has_a_name_and_a_meaning_in_both_languages(column: Column) -> None:
    for wording in (column.title, column.meaning):
        assert wording.en.strip()
        assert wording.pl.strip()
        assert wording.en != wording.pl or wording is column.title


def test_every_figure_has_a_column_and_every_column_a_figure() -> None:
    keys = [column.key for column in COUNT_COLUMNS]

    assert list(Counts().values()) == keys
    assert {"posts", *SENTIMENTS, *URGENCIES, *OUTCOMES} <= set(keys)
    assert len({column.key for column in ALL_COLUMNS}) == len(ALL_COLUMNS)


def test_the_examples_of_the_page_add_up() -> None:
    example = {key: re.match(r"\d+", text) for key, _, text in ROWS}

    def number(key: str) -> int:
        found = example[key]
        assert found is not None
        return int(found.group())

    for group in (SENTIMENTS, URGENCIES, OUTCOMES):
        assert sum(number(key) for key in group) == number("posts")
