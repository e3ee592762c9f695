"""A workbook: the rows, native charts of them, and a sheet that says what each number means and where it comes from."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

from social.reports.counts import OUTCOMES, SENTIMENTS, Value
from social.reports.palette import COLOURS
from social.reports.report import SentimentReport
from social.reports.wording import ALL_COLUMNS, BUCKET_COLUMNS, COUNT_COLUMNS, PROVENANCE_COLUMNS, TOTAL, Wording

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

_COLUMNS = (*BUCKET_COLUMNS, *COUNT_COLUMNS)
_PLACE = {column.key: number for number, column in enumerate(_COLUMNS)}
_REPORT, _CHARTS, _ABOUT = Wording("Report", "Raport"), Wording("Charts", "Wykresy"), Wording("About", "O raporcie")
_SENTIMENT = Wording("Sentiment", "Wydźwięk")
_OUTCOME = Wording("What customers got within the hour", "Co klienci otrzymali w ciągu godziny")
_ABOUT_HEADINGS = (Wording("Name", "Nazwa"), Wording("Key", "Klucz"), Wording("Meaning", "Znaczenie"))
_DRY_RUN = Wording("Days of dry run, by profile", "Dni próby na sucho według profili")


def render(report: SentimentReport, *, language: str = "en") -> bytes:
    """The file's bytes. ``language`` is that of the headings, ``en`` or ``pl``; the keys stand on the sheet "About"."""
    from xlsxwriter import Workbook

    target = io.BytesIO()
    # whatever looks like a formula or a link in a name stays text, even where somebody forgets write_string
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with Workbook(target, options) as workbook:
        # without it the library would write this machine's time, which is not the world's
        workbook.set_properties({"created": report.provenance.made_at.astimezone(UTC).replace(tzinfo=None)})
        _Sheets(workbook, report, language).write()
    return target.getvalue()


class _Sheets:
    """The three sheets of one workbook."""

    def __init__(self, workbook: Workbook, report: SentimentReport, language: str) -> None:
        self.workbook, self.report, self.language = workbook, report, language
        self.bold = workbook.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        self.wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
        self.decimal = workbook.add_format({"num_format": "0.0"})
        self.day = workbook.add_format({"num_format": "yyyy-mm-dd"})

    def write(self) -> None:
        numbers = self.workbook.add_worksheet(_REPORT.say(self.language))
        self._rows(numbers)
        self._charts(self.workbook.add_worksheet(_CHARTS.say(self.language)))
        self._about(self.workbook.add_worksheet(_ABOUT.say(self.language)))

    def _rows(self, sheet: Worksheet) -> None:
        for place, column in enumerate(_COLUMNS):
            sheet.write_string(0, place, column.title.say(self.language), self.bold)
        for line, row in enumerate(self.report.rows, start=1):
            sheet.write_string(line, 0, row.bucket.name(self.language))
            if row.bucket.start is not None:
                sheet.write_datetime(line, 1, row.bucket.start.replace(tzinfo=None), self.day)
            self._figures(sheet, line, row.counts.values())
        last = len(self.report.rows) + 1
        sheet.write_string(last, 0, TOTAL.say(self.language), self.bold)
        self._figures(sheet, last, self.report.totals.values())
        sheet.freeze_panes(1, 1)
        sheet.set_column(0, len(_COLUMNS) - 1, 13)

    def _figures(self, sheet: Worksheet, line: int, figures: dict[str, int | float | None]) -> None:
        for key, figure in figures.items():
            if figure is not None:
                sheet.write_number(line, _PLACE[key], figure, self.decimal if isinstance(figure, float) else None)

    def _charts(self, sheet: Worksheet) -> None:
        for line, (title, keys) in enumerate(((_SENTIMENT, SENTIMENTS), (_OUTCOME, OUTCOMES))):
            sheet.insert_chart(line * 25, 0, self._chart(title, keys))

    def _chart(self, title: Wording, keys: Sequence[str]) -> Any:
        chart = self.workbook.add_chart({"type": "column", "subtype": "stacked"})
        sheet, last = _REPORT.say(self.language), len(self.report.rows)
        for key in keys:
            place = _PLACE[key]
            chart.add_series(
                {
                    "name": [sheet, 0, place],
                    "categories": [sheet, 1, 0, last, 0],
                    "values": [sheet, 1, place, last, place],
                    "fill": {"color": COLOURS[key]},
                    "gap": 40,
                }
            )
        chart.set_title({"name": title.say(self.language)})
        chart.set_legend({"position": "bottom"})
        chart.set_size({"width": 960, "height": 460})
        return chart

    def _about(self, sheet: Worksheet) -> None:
        told = self.report.provenance
        origin = self.report.origin()
        by_profile: Value = ", ".join(f"{name}: {days}" for name, days in told.dry_run.items()) or "0"
        facts = [(column.title.say(self.language), origin[column.key]) for column in PROVENANCE_COLUMNS]
        for line, (name, value) in enumerate([*facts, (_DRY_RUN.say(self.language), by_profile)]):
            sheet.write_string(line, 0, name, self.bold)
            sheet.write_string(line, 1, str(value), self.wrapped)
        first = len(facts) + 2
        self._line(sheet, first, [heading.say(self.language) for heading in _ABOUT_HEADINGS], self.bold)
        for line, column in enumerate(ALL_COLUMNS, start=first + 1):
            words = [column.title.say(self.language), column.key, column.meaning.say(self.language)]
            self._line(sheet, line, words, self.wrapped)
        sheet.set_column(0, 1, 30)
        sheet.set_column(2, 2, 100)

    def _line(self, sheet: Worksheet, line: int, words: Sequence[str], form: Format) -> None:
        for place, word in enumerate(words):
            sheet.write_string(line, place, word, form)
