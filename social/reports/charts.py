"""Drawings of a report for the desk's page and the docs: plain SVG, made here, without a library.

Nothing in it is refused by a strict Content Security Policy: no ``style``, no script. Text and lines take the colour of the
page (``currentColor``), so that they can be read on a light and on a dark one; a style sheet may recolour everything by its
class (``chart-negative`` ...). One unit is one pixel at the width of 720: on a narrow screen let it scroll sideways.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil

from social.reports.counts import OUTCOMES, SENTIMENTS, Counts
from social.reports.palette import COLOURS
from social.reports.report import SentimentReport
from social.reports.wording import COUNT_COLUMNS, Wording

WIDTH = 720
_LEFT, _RIGHT = 48, WIDTH - 8
_PLOT_HEIGHT = 220
_LINE = 20
_LEGEND_COLUMNS = 2
_TICKS = 5
#: Room for a label such as 2027-03-28 under the bars, and for one letter of it.
_LABEL_WIDTH, _LETTER = 84, 7.5
_HOURS_OF_A_DAY = 24
_TITLES = {column.key: column.title for column in COUNT_COLUMNS}

_SENTIMENT = Wording("Sentiment of posts", "Wydźwięk wpisów")
_OUTCOME = Wording("What customers got within the hour", "Co klienci otrzymali w ciągu godziny")


def sentiment_chart(report: SentimentReport, *, language: str = "en") -> str:
    """Negative, neutral, positive and unscored posts of every row, on top of each other."""
    return _chart(report, "chart-sentiment", _SENTIMENT.say(language), SENTIMENTS, language)


def outcome_chart(report: SentimentReport, *, language: str = "en") -> str:
    """What customers got within their hour, of every row, on top of each other."""
    return _chart(report, "chart-outcome", _OUTCOME.say(language), OUTCOMES, language)


def _chart(report: SentimentReport, name: str, title: str, keys: Sequence[str], language: str) -> str:
    top = _LINE * (1 + ceil(len(keys) / _LEGEND_COLUMNS))
    base = top + _PLOT_HEIGHT
    highest = max(row.counts.posts for row in report.rows)
    ticks = ticks_up_to(highest)
    scale = _PLOT_HEIGHT / ticks[-1]
    size = f'viewBox="0 0 {WIDTH} {base + 2 * _LINE}" font-size="13"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" {size} role="img" aria-labelledby="{name}-title {name}-desc">',
        f'<title id="{name}-title">{escape(title)}</title>',
        f'<desc id="{name}-desc">{escape(_told(report.totals, ("posts", *keys), language))}</desc>',
        *_legend(report.totals, keys, language),
        *_scale(ticks, base, scale),
        *_bars(report, keys, base, scale, language),
        *_labels(report, base, language),
        "</svg>",
    ]
    return "\n".join(parts)


def ticks_up_to(highest: int) -> list[int]:
    """Zero and some round numbers, the last one at least ``highest``."""
    step, power = 1, 1
    while step * _TICKS < highest:
        step, power = next(
            (factor * size, size) for size in (power, power * 10) for factor in (1, 2, 5) if factor * size > step
        )
    return list(range(0, max(highest, 1) + step, step))


def _told(counts: Counts, keys: Sequence[str], language: str) -> str:
    values = counts.values()
    return ", ".join(f"{_TITLES[key].say(language)}: {values[key]}" for key in keys)


def _legend(totals: Counts, keys: Sequence[str], language: str) -> Iterator[str]:
    width = (_RIGHT - _LEFT) / _LEGEND_COLUMNS
    for number, key in enumerate(keys):
        line, column = divmod(number, _LEGEND_COLUMNS)
        x, y = _LEFT + column * width, _LINE * line + 4
        yield f'<rect class="chart-{key}" fill="{COLOURS[key]}" x="{x:.0f}" y="{y}" width="12" height="12"/>'
        yield _text(_told(totals, [key], language), x + 18, y + 11)


def _scale(ticks: Sequence[int], base: int, scale: float) -> Iterator[str]:
    for tick in ticks:
        y = base - tick * scale
        yield (
            f'<line class="chart-line" stroke="currentColor" stroke-opacity="{0.2 if tick else 0.8}" '
            f'x1="{_LEFT}" y1="{y:.1f}" x2="{_RIGHT}" y2="{y:.1f}"/>'
        )
        yield _text(str(tick), _LEFT - 6, y + 4, anchor="end")


def _bars(report: SentimentReport, keys: Sequence[str], base: int, scale: float, language: str) -> Iterator[str]:
    step = (_RIGHT - _LEFT) / len(report.rows)
    width = step * 0.8
    for number, row in enumerate(report.rows):
        values = row.counts.values()
        x, below = _LEFT + step * number + (step - width) / 2, 0
        yield f"<g><title>{escape(f'{row.bucket.name(language)}: {_told(row.counts, keys, language)}')}</title>"
        for key in keys:
            posts = int(values[key] or 0)
            if posts:
                y, height = base - (below + posts) * scale, posts * scale
                # a hair of the page between two parts, so that they differ without colour too
                shown = height - 1 if height > 3 else height
                yield (
                    f'<rect class="chart-{key}" fill="{COLOURS[key]}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                    f'height="{shown:.1f}"/>'
                )
            below += posts
        yield "</g>"


def _labels(report: SentimentReport, base: int, language: str) -> Iterator[str]:
    rows = report.rows
    step = (_RIGHT - _LEFT) / len(rows)
    hours = rows[0].bucket.hour_of_week is not None
    every = _HOURS_OF_A_DAY if hours else ceil(_LABEL_WIDTH / step)
    for number in range(0, len(rows), every):
        name, x = rows[number].bucket.name(language), _LEFT + step * (number + 0.5)
        if x + len(name) * _LETTER / 2 <= WIDTH:
            yield _text(name, x, base + _LINE, anchor="start" if hours else "middle")


def _text(words: str, x: float, y: float, *, anchor: str = "start") -> str:
    return (
        f'<text class="chart-text" fill="currentColor" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )
