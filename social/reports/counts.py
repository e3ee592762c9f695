"""The figures of one row. Three groups of them, each of which sums to ``posts``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import add
from typing import TypeAlias

from social.reports.wording import COUNT_COLUMNS

Value: TypeAlias = str | int | float | None

SENTIMENTS = ("negative", "neutral", "positive", "unscored")
URGENCIES = ("urgency_critical", "urgency_high", "urgency_normal", "urgency_low", "urgency_unscored")
OUTCOMES = (
    "answered_within_hour",
    "acknowledged_within_hour",
    "told_closed_within_hour",
    "nothing_within_hour",
    "not_measured",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Numbers of posts; what each means stands in ``social.reports.wording``."""

    posts: int = 0
    negative: int = 0
    neutral: int = 0
    positive: int = 0
    unscored: int = 0
    urgency_critical: int = 0
    urgency_high: int = 0
    urgency_normal: int = 0
    urgency_low: int = 0
    urgency_unscored: int = 0
    answered_within_hour: int = 0
    acknowledged_within_hour: int = 0
    told_closed_within_hour: int = 0
    nothing_within_hour: int = 0
    not_measured: int = 0
    no_answer_needed: int = 0
    corrected: int = 0

    def __add__(self, other: Counts) -> Counts:
        names = [field.name for field in fields(self)]
        return Counts(**{name: add(getattr(self, name), getattr(other, name)) for name in names})

    @property
    def net_sentiment(self) -> float | None:
        """Percentage points, -100 to 100; None where nothing is scored."""
        return _percent(self.positive - self.negative, self.negative + self.neutral + self.positive)

    @property
    def corrected_share(self) -> float | None:
        """Per cent of all posts; None where there are none."""
        return _percent(self.corrected, self.posts)

    def values(self) -> dict[str, int | float | None]:
        """Every figure by its key, in the order of the columns."""
        return {column.key: getattr(self, column.key) for column in COUNT_COLUMNS}


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None
