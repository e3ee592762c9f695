"""The drawings of a report: whole, told in words too, and nothing in them that a strict page would refuse."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date

import pytest

from social.domain.assessment import Sentiment
from social.reports.buckets import By
from social.reports.charts import WIDTH, outcome_chart, sentiment_chart, ticks_up_to
from social.reports.counts import OUTCOMES, SENTIMENTS, Counts
from social.reports.palette import COLOURS
from social.reports.queries import SentimentQuery
from social.reports.report import SentimentReport, make_report
from social.store.session import Database
from tests.cast import WARSAW, at
from tests.reports.happened import Asked, Judged, Past, write

SVG = "{http://www.w3.org/2000/svg}"
CHARTS = pytest.mark.parametrize("chart", [sentiment_chart, outcome_chart])


def made(database: Database, by: By = By.DAY, days: int = 7) -> SentimentReport:
    moods = [Sentiment.NEGATIVE, Sentiment.NEGATIVE, Sentiment.POSITIVE]
    asked = tuple(
        Asked(at=at(f"2026-11-{16 + day} 10:00"), conversation=day, judged=(Judged(sentiment=mood),))
        for day in range(3)
        for mood in moods
    )
    name = write(database, Past(asked=asked), since=at("2026-11-01 08:00"))
    query = SentimentQuery(
        from_day=date(2026, 11, 16),
        to_day=date.fromordinal(date(2026, 11, 16).toordinal() + days),
        by=by,
        time_zone=WARSAW,
        profiles=(name,),
    )
    with database.read() as session:
        return make_report(session, query, now=at("2028-01-01 08:00"))


@CHARTS
@pytest.mark.parametrize("by", list(By))
@pytest.mark.parametrize("language", ["en", "pl"])
def test_it_is_sound_svg_without_style_or_script_and_inside_its_frame(
    database: Database, chart: type, by: By, language: str
) -> None:
    drawn = chart(made(database, by, days=365), language=language)
    root = ET.fromstring(drawn)

    _, _, width, height = (float(number) for number in root.attrib["viewBox"].split())
    assert width == WIDTH
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in {"svg", "title", "desc", "g", "rect", "line", "text"}
        assert not [name for name in element.attrib if name == "style" or name.startswith("on") or "href" in name]
        x, y = float(element.get("x", 0)), float(element.get("y", 0))
        assert 0 <= x <= x + float(element.get("width", 0) if element is not root else 0) <= WIDTH
        assert 0 <= y <= y + float(element.get("height", 0)) <= height
        written = 7 * len(element.text or "") if element.tag == f"{SVG}text" else 0
        part = {"start": (0, 1), "middle": (0.5, 0.5), "end": (1, 0)}[element.get("text-anchor", "start")]
        assert 0 <= x - written * part[0] <= x + written * part[1] <= WIDTH


@CHARTS
def test_it_is_told_in_words(database: Database, chart: type) -> None:
    root = ET.fromstring(chart(made(database), language="pl"))

    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert root.attrib["aria-labelledby"] == f"{title.attrib['id']} {description.attrib['id']}"
    assert (description.text or "").startswith("Wpisy: 9, ")
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert "2026-11-16" in words
    assert [word for word in words if word in ("Negatywne: 6", "Nic w ciągu godziny: 9")]


def test_the_parts_of_a_bar_are_as_high_as_their_numbers(database: Database) -> None:
    root = ET.fromstring(sentiment_chart(made(database)))
    first = next(iter(root.iter(f"{SVG}g")))

    heights = {bar.attrib["class"]: float(bar.attrib["height"]) + 1 for bar in first.iter(f"{SVG}rect")}
    assert heights["chart-negative"] == pytest.approx(2 * heights["chart-positive"], abs=0.2)
    assert set(heights) == {"chart-negative", "chart-positive"}


def test_a_row_without_posts_has_no_bar_and_a_report_of_zeros_is_still_drawn(database: Database) -> None:
    report = made(database)
    zeros = replace(report, rows=tuple(replace(row, counts=Counts()) for row in report.rows), totals=Counts())

    root = ET.fromstring(outcome_chart(zeros))

    assert [list(group.iter(f"{SVG}rect")) for group in root.iter(f"{SVG}g")] == [[]] * 7


@pytest.mark.parametrize("highest", [0, 1, 5, 6, 9, 10, 11, 49, 51, 99, 100, 101, 999, 12_345, 1_000_000])
def test_the_scale_has_few_round_steps_and_reaches_the_highest_bar(highest: int) -> None:
    ticks = ticks_up_to(highest)

    assert ticks[0] == 0
    assert highest <= ticks[-1] <= max(1, 2 * highest)
    assert 2 <= len(ticks) <= 6
    assert str(ticks[1]).rstrip("0") in ("1", "2", "5")


def test_every_figure_has_a_colour_that_can_be_seen_on_a_light_and_on_a_dark_page() -> None:
    assert set(COLOURS) == {*SENTIMENTS, *OUTCOMES}
    for colour in COLOURS.values():
        assert min(contrast(colour, "#ffffff"), contrast(colour, "#121212")) >= 3


def contrast(first: str, second: str) -> float:
    """By WCAG 2.2, "contrast ratio"."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
