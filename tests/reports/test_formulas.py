"""Sixty ways to begin a formula, in every column that holds words: a file of ours runs none of them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from itertools import product
from typing import Any

import openpyxl
import pytest

from social.reports.buckets import By
from social.reports.formats import csv as csv_format
from social.reports.formats import xlsx as xlsx_format
from social.reports.report import SentimentReport
from social.reports.wording import ALL_COLUMNS
from social.store.session import Database
from tests.reports.happened import made, with_names

_STARTS = ("=", "+", "-", "@", "\t=", "\r=", "\n=", "＝", "＋", "－", "＠", "\t", "\r\n@")
_BODIES = ('HYPERLINK("http://evil.invalid";"x")', "cmd|' /C calc'!A0", 'A1";=1+1\r\n"=2', "1+1", "SUM(A1:A9)")
PAYLOADS = [start + body for start, body in product(_STARTS, _BODIES)]
_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: The columns that hold words of somebody: names of profiles, models and languages, the source.
TEXT_COLUMNS = ("profiles", "source", "models", "languages")


@pytest.fixture
def report(database: Database) -> SentimentReport:
    return made(database, By.WEEK)


def named(report: SentimentReport, words: str) -> SentimentReport:
    renamed = with_names(report, words)
    return replace(renamed, query=replace(renamed.query, languages=(words,)))


def cells_of(book: Any) -> list[Any]:
    return [cell for sheet in book.worksheets for line in sheet.iter_rows() for cell in line]


def test_there_are_sixty_of_them_and_the_columns_are_there() -> None:
    assert len(PAYLOADS) >= 60
    assert set(TEXT_COLUMNS) <= {column.key for column in ALL_COLUMNS}


@pytest.mark.parametrize("excel_pl", [False, True])
def test_no_cell_of_the_csv_begins_a_formula_and_no_word_is_lost(report: SentimentReport, excel_pl: bool) -> None:
    for payload in PAYLOADS:
        content = csv_format.render(named(report, payload), excel_pl=excel_pl)
        text = content.decode("utf-8-sig" if excel_pl else "utf-8")
        lines = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if excel_pl else ","))

        assert len(lines) == len(report.rows) + 1, payload
        for line in lines:
            for key in TEXT_COLUMNS:
                assert payload in line[key], (payload, key)
            words = [value for key, value in line.items() if not _is_number(value)]
            assert [value for value in words if value.startswith(_RUNS)] == [], payload


def _is_number(value: str) -> bool:
    try:
        float(value.replace(",", "."))
    except ValueError:
        return False
    return True


def test_no_cell_of_the_workbook_is_a_formula_or_a_link(report: SentimentReport) -> None:
    for payload in PAYLOADS:
        book = openpyxl.load_workbook(io.BytesIO(xlsx_format.render(named(report, payload))))
        cells = cells_of(book)

        assert [cell for cell in cells if cell.data_type == "f" or cell.hyperlink] == [], payload
        # a workbook cannot hold every white space as it was; the rest of the words is there
        body = payload.strip().split("\r\n")[0]
        assert [cell for cell in cells if isinstance(cell.value, str) and body in cell.value], payload
