"""The sentiment report on the screen, and the same numbers as a file: one query feeds both."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup

from social.domain.errors import DyzurError, NotFound
from social.reports import charts
from social.reports.buckets import By
from social.reports.formats import Format, csv, json, xlsx
from social.reports.queries import SentimentQuery, UnusableQuery, query_for
from social.reports.report import SentimentReport, make_report
from social.reports.wording import BUCKET_COLUMNS, COUNT_COLUMNS
from social.web.rendering import page
from social.web.visitor import Viewer, desk_of

router = APIRouter()

_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSON: "application/json",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
#: What the page opens with: the last seven days, today included.
DAYS = 7


@router.get("/reports/sentiment")
def show(request: Request, visitor: Viewer) -> Response:
    asked = _asked(request)
    report: SentimentReport | None = None
    problem: DyzurError | None = None
    try:
        report = _report(request, _query(request, asked))
    except (UnusableQuery, NotFound) as error:
        problem = error
    language = visitor.words.language
    return page(
        request,
        "report.html",
        visitor,
        status=200 if report is not None or not request.query_params else 400,
        asked=asked,
        report=report,
        problem=problem,
        columns=(BUCKET_COLUMNS[0], *COUNT_COLUMNS),
        charts=[]
        if report is None
        else [_drawn(charts.sentiment_chart, report, language), _drawn(charts.outcome_chart, report, language)],
        profiles=[profile.name for profile in desk_of(request).settings.profiles],
        ways=list(By),
        formats=list(Format),
    )


@router.get("/reports/sentiment.{format}")
def file(request: Request, format: Format, visitor: Viewer) -> Response:  # noqa: A002 the usual name
    asked = _asked(request)
    report = _report(request, _query(request, asked))
    if format is Format.CSV:
        content = csv.render(report, excel_pl=asked["excel_pl"] == "yes")
    else:
        content = json.render(report) if format is Format.JSON else xlsx.render(report)
    name = f"sentiment-{report.query.from_day}-{report.query.to_day}.{format.value}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=_TYPES[format], headers=headers)


def _asked(request: Request) -> dict[str, str]:
    """What the address says; the last week where it says nothing."""
    desk = desk_of(request)
    zone = next(iter(desk.calendars.values())).timezone
    tomorrow = desk.now().astimezone(zone).date() + timedelta(days=1)
    given = request.query_params
    return {
        "from": given.get("from") or (tomorrow - timedelta(days=DAYS)).isoformat(),
        "to": given.get("to") or tomorrow.isoformat(),
        "by": given.get("by") or By.DAY.value,
        "profile": given.get("profile") or "",
        "language": given.get("language") or "",
        "excel_pl": given.get("excel_pl") or "",
    }


def _query(request: Request, asked: dict[str, str]) -> SentimentQuery:
    try:
        first, end, by = date.fromisoformat(asked["from"]), date.fromisoformat(asked["to"]), By(asked["by"])
    except ValueError:
        raise UnusableQuery("that is not a range of days.", next_step="Choose both days again.") from None
    return query_for(
        desk_of(request).settings,
        from_day=first,
        to_day=end,
        by=by,
        profiles=[asked["profile"]] if asked["profile"] else (),
        languages=[asked["language"]] if asked["language"] else (),
    )


def _report(request: Request, query: SentimentQuery) -> SentimentReport:
    desk = desk_of(request)
    with desk.database.read() as session:
        return make_report(session, query, now=desk.now())


def _drawn(draw: Any, report: SentimentReport, language: str) -> Markup:
    """Our own drawing, whose texts it has escaped itself."""
    return Markup(draw(report, language=language))  # noqa: S704 nothing of a customer's is in it
