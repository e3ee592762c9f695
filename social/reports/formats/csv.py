"""CSV by RFC 4180; the last line is the total, and every line says where its numbers come from."""

from __future__ import annotations

import csv
import io

from social.reports.counts import Value
from social.reports.report import SentimentReport
from social.reports.wording import ALL_COLUMNS, TOTAL

#: A cell that begins with one of these is run as a formula by spreadsheets (OWASP, "CSV Injection"; the wide forms are
#: taken for the narrow ones by some).
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def render(report: SentimentReport, *, excel_pl: bool = False) -> bytes:
    """The file's bytes, UTF-8. ``excel_pl``: with a byte order mark, semicolons and decimal commas, as a Polish Excel opens
    it with a double click."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";" if excel_pl else ",")  # the module's default form is RFC 4180's
    keys = [column.key for column in ALL_COLUMNS]
    origin = report.origin()
    total: dict[str, Value] = {"bucket": TOTAL.en, "bucket_start": None, **report.totals.values()}
    writer.writerow(keys)
    for values in (*(row.values() for row in report.rows), total):
        line = {**values, **origin}
        writer.writerow([_cell(line[key], comma=excel_pl) for key in keys])
    return text.getvalue().encode("utf-8-sig" if excel_pl else "utf-8")


def _cell(value: Value, *, comma: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_STARTS_A_FORMULA) else value
    return str(value).replace(".", ",") if comma else str(value)
