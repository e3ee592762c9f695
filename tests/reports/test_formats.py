"""The same numbers in every file, nothing in them that runs, and never half a file."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import openpyxl
import pytest

from social.domain.errors import DyzurError
from social.reports.buckets import By
from social.reports.files import replacing
from social.reports.formats import csv as csv_format
from social.reports.formats import json as json_format
from social.reports.formats import xlsx as xlsx_format
from social.reports.report import SentimentReport
from social.reports.wording import ALL_COLUMNS, BUCKET_COLUMNS, COUNT_COLUMNS
from social.store.session import Database
from tests.cast import at
from tests.reports.happened import CANARY, made, with_names

KEYS = [column.key for column in COUNT_COLUMNS]
FORMULA = '=HYPERLINK("http://evil.invalid";"click")'


@pytest.fixture
def report(database: Database) -> SentimentReport:
    return made(database, By.DAY)


def read_csv(content: bytes, *, excel_pl: bool = False) -> list[dict[str, str]]:
    text = content.decode("utf-8-sig" if excel_pl else "utf-8")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if excel_pl else ","))


def read_xlsx(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))


def figures_of_sheet(content: bytes) -> list[list[Any]]:
    """Every line of the first sheet below the headings, from the first figure on."""
    lines = list(read_xlsx(content).worksheets[0].iter_rows(min_row=2, values_only=True))
    return [list(line[len(BUCKET_COLUMNS) :]) for line in lines]


# --- one truth ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", list(By))
@pytest.mark.parametrize("excel_pl", [False, True])
def test_csv_json_and_xlsx_tell_the_same_rows_and_totals(database: Database, by: By, excel_pl: bool) -> None:
    report = made(database, by)
    lines = read_csv(csv_format.render(report, excel_pl=excel_pl), excel_pl=excel_pl)
    document = json.loads(json_format.render(report))
    sheet = figures_of_sheet(xlsx_format.render(report))

    expected = [row.counts.values() for row in report.rows] + [report.totals.values()]
    assert document["rows"] == [row.values() for row in report.rows]
    assert document["totals"] == expected[-1]
    assert sheet == [list(values.values()) for values in expected]
    numbers = [{key: line[key].replace(",", ".") if excel_pl else line[key] for key in KEYS} for line in lines]
    assert numbers == [
        {key: "" if value is None else str(value) for key, value in values.items()} for values in expected
    ]
    assert [line["bucket"] for line in lines] == [*(row.bucket.label for row in report.rows), "total"]


def test_the_week_is_what_happened_in_it(report: SentimentReport) -> None:
    totals = json.loads(json_format.render(report))["totals"]

    assert {key: totals[key] for key in ("posts", "negative", "positive", "unscored", "net_sentiment")} == {
        "posts": 4,
        "negative": 2,
        "positive": 1,
        "unscored": 1,
        "net_sentiment": -33.3,
    }
    assert (totals["acknowledged_within_hour"], totals["nothing_within_hour"], totals["no_answer_needed"]) == (1, 3, 1)


def test_every_key_of_the_json_is_defined_in_it(report: SentimentReport) -> None:
    document = json.loads(json_format.render(report))

    assert document["schema_version"] == 1
    used = {*document["totals"], *document["origin"]}.union(*document["rows"])
    assert used == set(document["definitions"])
    assert all(document["definitions"].values())


@pytest.mark.parametrize("render", [csv_format.render, json_format.render], ids=["csv", "json"])
def test_no_text_and_no_name_of_a_customer_is_in_a_file(report: SentimentReport, render: Any) -> None:
    assert CANARY not in render(report).decode()


def test_no_text_and_no_name_of_a_customer_is_in_the_workbook(report: SentimentReport) -> None:
    with zipfile.ZipFile(io.BytesIO(xlsx_format.render(report))) as archive:
        assert not [name for name in archive.namelist() if CANARY.encode() in archive.read(name)]


# --- CSV ---------------------------------------------------------------------------------------------------------------


def test_csv_is_rfc_4180(report: SentimentReport) -> None:
    content = csv_format.render(report)

    assert content.startswith(b"bucket,bucket_start,posts,")
    assert content.endswith(b"\r\n")
    assert content.count(b"\n") == content.count(b"\r\n") == len(report.rows) + 2
    assert read_csv(content)[0]["bucket_start"] == "2026-11-16T00:00:00+01:00"


def test_a_polish_excel_gets_its_mark_its_semicolons_and_its_commas(report: SentimentReport) -> None:
    content = csv_format.render(report, excel_pl=True)

    assert content.startswith(b"\xef\xbb\xbfbucket;bucket_start;posts;")
    assert read_csv(content, excel_pl=True)[-1]["net_sentiment"] == "-33,3"
    assert "Dyżur" in read_csv(content, excel_pl=True)[-1]["source"]


@pytest.mark.parametrize("excel_pl", [False, True])
@pytest.mark.parametrize("name", [FORMULA, "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", 'a";=1\r\n"=2'])
def test_a_name_that_looks_like_a_formula_is_only_text(report: SentimentReport, name: str, excel_pl: bool) -> None:
    lines = read_csv(csv_format.render(with_names(report, name), excel_pl=excel_pl), excel_pl=excel_pl)

    assert len(lines) == len(report.rows) + 1
    for cell in (lines[0][key] for key in ("profiles", "source", "models")):
        assert name in cell
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))


# --- XLSX --------------------------------------------------------------------------------------------------------------


def test_a_name_that_looks_like_a_formula_or_a_link_is_only_text_in_the_workbook(report: SentimentReport) -> None:
    for name in (FORMULA, "http://evil.invalid", "{=1}"):
        book = read_xlsx(xlsx_format.render(with_names(report, name)))
        cells = [cell for sheet in book.worksheets for line in sheet.iter_rows() for cell in line]

        assert [cell.value for cell in cells if isinstance(cell.value, str) and name in cell.value]
        assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]


def test_the_workbook_has_native_charts_of_the_rows_without_the_total(report: SentimentReport) -> None:
    content = xlsx_format.render(report)

    sentiment, outcome = read_xlsx(content).worksheets[1]._charts
    assert sentiment.series[0].val.numRef.f == "Report!$D$2:$D$8"
    assert (len(sentiment.series), len(outcome.series)) == (4, 5)


@pytest.mark.parametrize(
    ("language", "sheets", "heading"),
    [("en", ["Report", "Charts", "About"], "Negative"), ("pl", ["Raport", "Wykresy", "O raporcie"], "Negatywne")],
)
def test_the_workbook_speaks_the_readers_language_and_defines_every_column(
    report: SentimentReport, language: str, sheets: list[str], heading: str
) -> None:
    book = read_xlsx(xlsx_format.render(report, language=language))

    assert book.sheetnames == sheets
    assert heading in [cell.value for cell in book.worksheets[0][1]]
    about = {line[1]: line for line in book.worksheets[2].iter_rows(values_only=True)}
    for column in ALL_COLUMNS:
        title, _, meaning = about[column.key]
        assert (title, meaning) == (column.title.say(language), column.meaning.say(language))
    facts = [(line[0], line[1]) for line in book.worksheets[2].iter_rows(values_only=True)]
    zone = next(column for column in ALL_COLUMNS if column.key == "time_zone")
    assert (zone.title.say(language), "Europe/Warsaw") in facts


def test_days_are_dates_and_the_book_is_as_old_as_the_report(report: SentimentReport) -> None:
    book = read_xlsx(xlsx_format.render(report))

    assert book.worksheets[0]["B2"].value == datetime(2026, 11, 16)  # noqa: DTZ001 - a workbook knows no time zones
    assert book.properties.created == at("2026-11-24 09:00").astimezone(UTC).replace(tzinfo=None)
    assert xlsx_format.render(report) == xlsx_format.render(report)


# --- files -------------------------------------------------------------------------------------------------------------


def test_a_reader_sees_the_old_file_until_the_new_one_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "week.csv"
    target.write_bytes(b"old")
    with replacing(target) as file:
        file.write(b"new")
        file.flush()
        assert target.read_bytes() == b"old"

    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def _break_off(file: BinaryIO) -> None:
    file.write(b"half")
    file.flush()
    raise ZeroDivisionError


@pytest.mark.parametrize("before", [b"old", None])
def test_an_exception_in_the_middle_leaves_what_was_there(tmp_path: Path, before: bytes | None) -> None:
    target = tmp_path / "week.csv"
    if before is not None:
        target.write_bytes(before)

    with pytest.raises(ZeroDivisionError), replacing(target) as file:
        _break_off(file)

    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([before] if before else [])


def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_bytes(b"old")
    link.symlink_to(real)

    with replacing(link) as file:
        file.write(b"new")

    assert link.is_symlink()
    assert real.read_bytes() == b"new"


@pytest.mark.parametrize("target", [os.devnull, "folder", "missing/week.csv"])
def test_what_cannot_be_a_file_is_refused_and_left_alone(tmp_path: Path, target: str) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(DyzurError, match=r"not a file|cannot be written"), replacing(tmp_path / target) as file:
        file.write(b"new")

    assert not Path(os.devnull).is_file()
    assert (tmp_path / "folder").is_dir()
