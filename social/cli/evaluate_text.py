"""What ``social evaluate`` found, for people and as JSON."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from social.cli.command import columns
from social.cli.wording import indented
from triage.evaluation_report import ALL, HeadReport, Report, Slice, Suggestion
from triage.measures import Estimate, LabelScore, Threshold

if TYPE_CHECKING:
    from social.cli.labelled_file import LabelledFile

#: With more languages than this only the whole has its tables; JSON has them all.
_TABLES = 3
#: So many labels fit beside each other.
_WIDEST = 8
_TWO_CLASSES = (
    "Nobody called a text neutral, so only negative and positive are compared, the likelier of the two being the answer; "
    "without neutral texts nothing can be said about calibration or thresholds. --three-class counts neutral as wrong."
)
_ASKED_FOR_TWO = (
    "As asked, only negative and positive are answers; texts that people called neutral all count as wrong."
)


def as_text(labelled: LabelledFile, model: str, found: Report, target_precision: float | None, *, errors: int) -> str:
    """Everything for a terminal; a customer's text stands only under the mistakes."""
    parts = [f"{labelled.path}: {found.count:,} texts, judged by {model}"]
    if labelled.lost:
        parts[0] += f"; {labelled.lost:,} rows left out"
    parts.append(
        "Gold labels: " + ", ".join(f"{head} (column {column})" for head, column in sorted(labelled.used.items()))
    )
    if found.two_class:
        parts.append(_two_class_sentence(found))
    by_head: dict[str, list[HeadReport]] = {}
    for report in found.heads:
        by_head.setdefault(report.head.value, []).append(report)
    for head, reports in by_head.items():
        parts += _head(head, reports)
    parts += _slices(found.slices)
    if target_precision is not None:
        parts += _suggestions(found.suggestions, target_precision)
    if errors:
        parts += _mistakes(found)
    return "\n".join(parts)


def _two_class_sentence(found: Report) -> str:
    neutral = any(
        label.label == "neutral" and label.gold
        for report in found.heads
        if report.head.value == "sentiment"
        for label in report.labels
    )
    return _ASKED_FOR_TWO if neutral else _TWO_CLASSES


# --- tables -----------------------------------------------------------------------------------------------------------


def _head(head: str, reports: Sequence[HeadReport]) -> Iterator[str]:
    title = head.replace("_", " ")
    heading = ("", "n", "accuracy", "macro-F1", "macro-recall", "ECE", "Brier", "sure of", "right when sure")
    yield ""
    yield f"{title.upper()}  (95 % of 1,000 resamplings lie in the brackets)"
    yield columns([heading, *map(_scores, reports)])
    with_tables = reports if len(reports) <= _TABLES + 1 else reports[:1]
    if len(reports) == 2:  # one language and texts of another: the whole says nothing new
        with_tables = reports[:1]
    for report in with_tables:
        yield ""
        yield f"  {title}, {report.language}: what people said (rows); what was answered (columns, where they fit)"
        yield columns(_labels(report), indent=4)


def _scores(report: HeadReport) -> tuple[str, ...]:
    score = report.score
    return (
        report.language,
        f"{score.count:,}",
        *(_estimate(one) for one in (score.accuracy, score.macro_f1, score.macro_recall)),
        _number(report.ece),
        _number(report.brier),
        f"{report.covered:.0%}",
        _number(report.accuracy_when_sure),
    )


def _labels(report: HeadReport) -> list[tuple[str, ...]]:
    """One row a label that occurs, the confusion beside it."""
    shown = [place for place, label in enumerate(report.labels) if label.gold or label.chosen]
    table = report.table if len(shown) <= _WIDEST else None
    names = [report.labels[place].label for place in shown] if table is not None else []
    rows = [("", "n", "precision", "recall", "F1", *names)]
    for place in shown:
        label = report.labels[place]
        counts = [f"{table[place][other]:,}" for other in shown] if table is not None else []
        cells = (_number(label.precision), _number(label.recall), _number(label.f1))
        rows.append((label.label, f"{label.gold:,}", *cells, *counts))
    return rows


def _slices(slices: Sequence[Slice]) -> Iterator[str]:
    if slices:
        yield ""
        yield "WORST SLICES  (of at least 30 texts; accuracy, and that of all texts)"
        yield columns(
            [
                (
                    one.head.value.replace("_", " "),
                    one.name,
                    f"{one.count:,}",
                    f"{one.accuracy:.3f}",
                    f"{one.whole:.3f}",
                )
                for one in slices
            ]
        )


def _suggestions(suggestions: Sequence[Suggestion], target: float) -> Iterator[str]:
    yield ""
    yield f"THRESHOLDS for a precision of {target:.0%}  (chosen on these texts: try them on others before you trust them)"
    if not suggestions:
        yield "  no head with probabilities has gold labels here"
        return
    rows = [("", "label", "languages", "from", "precision", "finds", "answers", "positives", "")]
    for one in suggestions:
        found = one.threshold
        cells = ("-",) * 4 if found is None else _threshold(found)
        rows.append((one.head.value, one.label, ", ".join(one.languages), *cells, f"{one.positives:,}", one.note))
    yield columns(rows)


def _threshold(found: Threshold) -> tuple[str, str, str, str]:
    precision = f"{found.precision:.3f} ({found.low:.3f} to {found.high:.3f})"
    return (f"{found.value:.3f}", precision, f"{found.recall:.0%}", f"{found.answers:,}")


def _mistakes(found: Report) -> Iterator[str]:
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    for head, mistakes in found.mistakes.items():
        if not mistakes:
            continue
        yield ""
        yield f"SUREST MISTAKES, {head.value.replace('_', ' ')}"
        for mistake in mistakes:
            sure = f" ({mistake.confidence:.0%})" if mistake.confidence < 1 else ""
            yield f"  line {mistake.line}: {mistake.gold}, was answered {mistake.chosen}{sure}"
            yield indented(mistake.text[:1_000], width=width)


def _estimate(one: Estimate) -> str:
    if math.isnan(one.value):
        return "-"
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


# --- JSON -------------------------------------------------------------------------------------------------------------


def described(labelled: LabelledFile, model: str, found: Report, target_precision: float | None) -> dict[str, Any]:
    """The report as JSON: no customer's text, mistakes by their lines."""
    return {
        "file": str(labelled.path),
        "model": model,
        "texts": found.count,
        "left_out": [
            {"reason": reason, "line": left.line, "count": left.count} for reason, left in labelled.left_out.items()
        ],
        "columns": dict(sorted(labelled.used.items())),
        "two_class": found.two_class,
        "heads": [_head_described(report) for report in found.heads],
        "slices": [
            {
                "head": one.head.value,
                "slice": one.name,
                "n": one.count,
                "accuracy": _rounded(one.accuracy),
                "accuracy_of_all": _rounded(one.whole),
            }
            for one in found.slices
        ],
        "target_precision": target_precision,
        "thresholds": [_suggestion_described(one) for one in found.suggestions],
        "mistakes": [
            {
                "head": head.value,
                "line": mistake.line,
                "gold": mistake.gold,
                "answered": mistake.chosen,
                "confidence": _rounded(mistake.confidence),
            }
            for head, mistakes in found.mistakes.items()
            for mistake in mistakes
        ],
    }


def _head_described(report: HeadReport) -> dict[str, Any]:
    score = report.score
    return {
        "head": report.head.value,
        "language": None if report.language == ALL else report.language,
        "n": score.count,
        "accuracy": _estimate_described(score.accuracy),
        "macro_f1": _estimate_described(score.macro_f1),
        "macro_recall": _estimate_described(score.macro_recall),
        "ece": _rounded(report.ece),
        "brier": _rounded(report.brier),
        "coverage": _rounded(report.covered),
        "accuracy_when_sure": _rounded(report.accuracy_when_sure),
        "labels": [_label_described(label) for label in report.labels],
        "confusion": report.table,
    }


def _label_described(label: LabelScore) -> dict[str, Any]:
    return {
        "label": label.label,
        "gold": label.gold,
        "answered": label.chosen,
        "right": label.hits,
        "precision": _rounded(label.precision),
        "recall": _rounded(label.recall),
        "f1": _rounded(label.f1),
    }


def _estimate_described(one: Estimate) -> dict[str, float | None]:
    return {"value": _rounded(one.value), "low": _rounded(one.low), "high": _rounded(one.high)}


def _suggestion_described(one: Suggestion) -> dict[str, Any]:
    found = one.threshold
    return {
        "head": one.head.value,
        "label": one.label,
        "languages": list(one.languages),
        "positives": one.positives,
        "threshold": _rounded(found.value) if found else None,
        "precision": {"value": _rounded(found.precision), "low": _rounded(found.low), "high": _rounded(found.high)}
        if found
        else None,
        "recall": _rounded(found.recall) if found else None,
        "answers": found.answers if found else None,
        "note": one.note,
    }


def _rounded(value: float | None) -> float | None:
    """JSON has no not-a-number."""
    return None if value is None or math.isnan(value) else round(value, 6)
