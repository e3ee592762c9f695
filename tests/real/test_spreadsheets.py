"""The exported files in the real LibreOffice: numbers arrive as numbers, nothing in them runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest

from social.reports.buckets import By
from social.reports.formats import csv as csv_format
from social.reports.formats import xlsx as xlsx_format
from social.reports.report import SentimentReport
from social.reports.wording import BUCKET_COLUMNS
from social.store.session import Database
from tests.reports.happened import made, with_names

FORMULA = '=HYPERLINK("http://evil.invalid";"click")'
#: How somebody opens a CSV: separator, text mark, UTF-8, from the first line, columns as they are, language.
COMMAS, POLISH = "CSV:44,34,76,1,,1033", "CSV:59,34,76,1,,1045"


@pytest.fixture(scope="module")
def reopened(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """``reopened(content, ending, reading=None)``: the workbook that LibreOffice makes of a file."""
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if program is None:
        reason = "LibreOffice is not on this machine (apt install libreoffice-calc)"
        if os.environ.get("DYZUR_REAL") == "required":
            pytest.fail(f"DYZUR_REAL=required, but {reason}", pytrace=False)
        pytest.skip(reason)
    home = tmp_path_factory.mktemp("office")

    def opened(content: bytes, ending: str, reading: str | None = None) -> Any:
        folder = tmp_path_factory.mktemp("sheet")
        file = folder / f"report{ending}"
        file.write_bytes(content)
        made = folder / "made"
        command = [program, f"-env:UserInstallation={home.as_uri()}", "--headless", "--norestore"]
        command += [f"--infilter={reading}"] if reading else []
        done = subprocess.run(
            [*command, "--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", str(made), str(file)],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return openpyxl.load_workbook(made / "report.xlsx")

    return opened


def figures(book: Any) -> list[list[Any]]:
    lines = list(book.worksheets[0].iter_rows(min_row=2, values_only=True))
    return [list(line[len(BUCKET_COLUMNS) :]) for line in lines]


def in_file(report: SentimentReport) -> list[list[Any]]:
    return [list(row.counts.values().values()) for row in report.rows] + [list(report.totals.values().values())]


@pytest.mark.parametrize("by", [By.DAY, By.WEEK])
def test_the_workbook_opens_with_its_figures_and_its_charts(
    database: Database, reopened: Callable[..., Any], by: By
) -> None:
    report = made(database, by)

    book = reopened(xlsx_format.render(report), ".xlsx")

    assert figures(book) == in_file(report)
    assert [len(sheet._charts) for sheet in book.worksheets] == [0, 2, 0]


@pytest.mark.parametrize(
    ("excel_pl", "reading"), [(False, COMMAS), (True, POLISH)], ids=["csv", "csv for a Polish Excel"]
)
def test_the_csv_opens_with_numbers_that_are_numbers(
    database: Database, reopened: Callable[..., Any], excel_pl: bool, reading: str
) -> None:
    report = made(database, By.DAY)

    book = reopened(csv_format.render(report, excel_pl=excel_pl), ".csv", reading)

    columns = len(report.totals.values())
    assert [line[:columns] for line in figures(book)] == in_file(report)


@pytest.mark.parametrize(("ending", "reading"), [(".csv", COMMAS), (".xlsx", None)])
def test_a_name_that_looks_like_a_formula_does_not_run(
    database: Database, reopened: Callable[..., Any], ending: str, reading: str | None
) -> None:
    report = with_names(made(database, By.DAY), FORMULA)
    content = csv_format.render(report) if ending == ".csv" else xlsx_format.render(report)

    book = reopened(content, ending, reading)

    cells = [cell for sheet in book.worksheets for line in sheet.iter_rows() for cell in line]
    assert [cell for cell in cells if isinstance(cell.value, str) and "evil.invalid" in cell.value]
    assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]
