"""``social export``: reports for the marketer, as files."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from social.cli.command import Config, new_app, say
from social.reports.buckets import By
from social.reports.formats import Format

if TYPE_CHECKING:
    from social.reports.report import SentimentReport

app = new_app(help="Reports for the marketer: aggregates only, no texts and no names.", no_args_is_help=True)


@app.callback()
def reports() -> None:
    """One report so far; its name is part of the command, so that others can come beside it."""


@app.command()
def sentiment(
    from_day: Annotated[str, typer.Option("--from", metavar="DAY", help="The first day: 2026-11-16.")],
    to_day: Annotated[str, typer.Option("--to", metavar="DAY", help="The first day that is not counted: 2026-11-23.")],
    config: Config = None,
    by: Annotated[By, typer.Option("--by", help="A row for each day, ISO week, or hour of the week.")] = By.DAY,
    profile: Annotated[
        list[str] | None, typer.Option("--profile", "-p", metavar="NAME", help="Only this profile; may be repeated.")
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option("--language", metavar="CODE", help="Only posts in this language (pl, en); may be repeated."),
    ] = None,
    format: Annotated[Format, typer.Option("--format", "-f", help="What to write.")] = Format.CSV,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write here instead of standard output.")
    ] = None,
    excel_pl: Annotated[
        bool, typer.Option("--excel-pl", help="CSV as a Polish Excel opens it: byte order mark, ; and decimal comma.")
    ] = False,
) -> None:
    """Sentiment, urgency, and what customers got within the hour, over time.

    Days are those of the brand's time zone. docs/metrics.md defines every column. A file is replaced in one step.
    """
    from social.cli.opening import opened_store
    from social.reports.files import replacing
    from social.reports.queries import query_for
    from social.reports.report import make_report

    first, end = _day(from_day, "--from"), _day(to_day, "--to")
    _refuse_what_does_not_fit(format, output, excel_pl=excel_pl)
    with opened_store(config) as opened:
        query = query_for(
            opened.settings, from_day=first, to_day=end, by=by, profiles=profile or (), languages=language or ()
        )
        with opened.database.read() as session:
            report = make_report(session, query, now=opened.clock.now())
    content = _rendered(report, format, excel_pl=excel_pl)
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        with replacing(output) as file:
            file.write(content)
    _tell(report, output)


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option}: {text!r} is not a day; write it like 2026-11-16") from None


def _refuse_what_does_not_fit(format: Format, output: Path | None, *, excel_pl: bool) -> None:
    if excel_pl and format is not Format.CSV:
        raise typer.BadParameter(f"--excel-pl is a form of CSV; leave it out, or leave out --format {format.value}")
    if format is Format.XLSX and output is None:
        raise typer.BadParameter("a workbook is no text for a terminal; say where to write it: --output week.xlsx")
    if output is None:
        return
    suffix = output.suffix.lower().removeprefix(".")
    if suffix in set(Format) and suffix != format.value:
        raise typer.BadParameter(
            f"{output.name} is called .{suffix} and would hold {format.value}; say --format {suffix}, or name it "
            f"{output.stem}.{format.value}"
        )


def _rendered(report: SentimentReport, format: Format, *, excel_pl: bool) -> bytes:
    from social.reports.formats import csv, json, xlsx

    if format is Format.CSV:
        return csv.render(report, excel_pl=excel_pl)
    return json.render(report) if format is Format.JSON else xlsx.render(report)


def _tell(report: SentimentReport, output: Path | None) -> None:
    query, totals = report.query, report.totals
    where = f"{output}: " if output else ""
    say(f"{where}{totals.posts} posts from {query.from_day} up to {query.to_day} ({query.time_zone.key}).")
    for name, days in report.provenance.dry_run.items():
        say(f"{name} was in dry run on {days} of these days: what the robot would have sent then counts as nothing.")
    if totals.corrected:
        say(f"People corrected the judgement of {totals.corrected} posts ({totals.corrected_share} %).")
