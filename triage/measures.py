"""How good labels and probabilities are, counted. Pure numpy: the product, ``triage/training`` and tests may all use it.

``truth`` and ``chosen`` are [N] whole numbers, the places of labels in a list; ``chances`` are [N, labels] probabilities
whose rows sum to 1. A macro mean goes over the labels that occur in ``truth``: a label that nobody gave cannot be missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triage.calibrate import Floats

Counts = NDArray[np.int64]
Places = NDArray[Any]

#: Bins of equal width for the calibration error (Guo et al. 2017, "On calibration of modern neural networks").
BINS = 15
#: Samples of the bootstrap, and where it begins: the same file gives the same intervals.
DRAWS, SEED = 1_000, 1
#: A threshold that is chosen on fewer texts with the label, or that fewer answers then stand on, says nothing.
LEAST_POSITIVES, LEAST_ANSWERS = 50, 20
#: The standard normal's quantile of a two-sided interval of 95 %.
_Z = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A share from 0 to 1, and the interval of 95 % that resampling the same texts gives it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScore:
    """One label: how many texts bear it, how many were given it, how many of these rightly. None: nothing to divide by."""

    label: str
    gold: int
    chosen: int
    hits: int

    @property
    def precision(self) -> float | None:
        return self.hits / self.chosen if self.chosen else None

    @property
    def recall(self) -> float | None:
        return self.hits / self.gold if self.gold else None

    @property
    def f1(self) -> float | None:
        return 2 * self.hits / (self.gold + self.chosen) if self.gold + self.chosen else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Of N texts, with intervals."""

    count: int
    accuracy: Estimate
    macro_f1: Estimate
    macro_recall: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Everything at or above ``value`` is said: ``answers`` of it, with this ``precision`` (and its Wilson interval), which
    finds ``recall`` of the ``positives``."""

    value: float
    precision: float
    low: float
    high: float
    recall: float
    answers: int
    positives: int


# --- one label a text -------------------------------------------------------------------------------------------------


def confusion(truth: Places, chosen: Places, labels: int) -> Counts:
    """[labels, labels]: how many texts of the row's label were given the column's."""
    places = np.asarray(truth, dtype=np.int64) * labels + np.asarray(chosen, dtype=np.int64)
    return np.bincount(places, minlength=labels * labels).reshape(labels, labels)


def label_scores(table: Counts, labels: list[str]) -> tuple[LabelScore, ...]:
    """One for each label of a confusion ``table``, in its order."""
    return tuple(
        LabelScore(
            label=label,
            gold=int(table[place].sum()),
            chosen=int(table[:, place].sum()),
            hits=int(table[place, place]),
        )
        for place, label in enumerate(labels)
    )


def rates(tables: Counts) -> tuple[Floats, Floats, Floats]:
    """Accuracy, macro-F1 and macro-recall of confusion ``tables`` [..., labels, labels], each [...]. None may be empty."""
    hits = np.diagonal(tables, axis1=-2, axis2=-1)
    gold, chosen = tables.sum(axis=-1), tables.sum(axis=-2)
    return (hits.sum(axis=-1) / gold.sum(axis=-1), *_macro(hits, gold, chosen))


def score(truth: Places, chosen: Places, labels: int, *, draws: int = DRAWS, seed: int = SEED) -> Score:
    """Of at least one text. The bootstrap draws whole tables: N texts drawn with replacement are N draws from the cells of
    their confusion table, which costs the same for a hundred texts and for a million."""
    table = confusion(truth, chosen, labels)
    count = int(table.sum())
    cells = np.random.default_rng(seed).multinomial(count, table.reshape(-1) / count, size=draws)
    return _score(count, rates(table), rates(cells.reshape(draws, labels, labels)))


# --- several labels a text --------------------------------------------------------------------------------------------


def set_label_scores(gold: NDArray[np.bool_], chosen: NDArray[np.bool_], labels: list[str]) -> tuple[LabelScore, ...]:
    """``gold`` and ``chosen`` are [N, labels]."""
    hits, of, said = (table.sum(axis=0) for table in (gold & chosen, gold, chosen))
    return tuple(
        LabelScore(label=label, gold=int(of[place]), chosen=int(said[place]), hits=int(hits[place]))
        for place, label in enumerate(labels)
    )


def score_sets(gold: NDArray[np.bool_], chosen: NDArray[np.bool_], *, draws: int = DRAWS, seed: int = SEED) -> Score:
    """``gold`` and ``chosen`` are [N, labels]; accuracy counts texts whose whole set is right. Macro means of texts none of
    which bears a label are not-a-number."""
    count, width = gold.shape
    patterns, times = np.unique(np.concatenate([gold, chosen], axis=1), axis=0, return_counts=True)
    weights = np.random.default_rng(seed).multinomial(count, times / count, size=draws)
    of, said = patterns[:, :width].astype(np.int64), patterns[:, width:].astype(np.int64)
    right = (of == said).all(axis=1).astype(np.int64)

    def measured(drawn: Counts) -> tuple[Floats, Floats, Floats]:
        return (drawn @ right / count, *_macro(drawn @ (of * said), drawn @ of, drawn @ said))

    return _score(count, measured(times.astype(np.int64)), measured(weights))


def _macro(hits: Counts, gold: Counts, chosen: Counts) -> tuple[Floats, Floats]:
    """F1 and recall, the mean over the labels (the last axis) that occur."""
    there = gold > 0
    labels = there.sum(axis=-1)
    f1 = np.where(there, 2 * hits / np.maximum(gold + chosen, 1), 0.0).sum(axis=-1)
    recall = np.where(there, hits / np.maximum(gold, 1), 0.0).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return f1 / labels, recall / labels


def _score(count: int, found: tuple[Floats, ...], drawn: tuple[Floats, ...]) -> Score:
    def estimate(value: Any, values: Floats) -> Estimate:
        known = values[np.isfinite(values)]  # a sample may hold none of the labels
        low, high = np.percentile(known, (2.5, 97.5)) if known.size else (np.nan, np.nan)
        return Estimate(value=float(value), low=float(low), high=float(high))

    accuracy, f1, recall = (estimate(*pair) for pair in zip(found, drawn, strict=True))
    return Score(count=count, accuracy=accuracy, macro_f1=f1, macro_recall=recall)


# --- probabilities ----------------------------------------------------------------------------------------------------


def calibration_error(truth: Places, chances: Floats, bins: int = BINS) -> float:
    """Expected calibration error, 0 to 1: how far the top probability lies from the share of right answers, over ``bins``
    equal bins weighted by their texts."""
    sure, right = chances.max(axis=1), (chances.argmax(axis=1) == truth).astype(np.float64)
    places = np.minimum((sure * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(places, weights=right - sure, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))


def brier(truth: Places, chances: Floats) -> float:
    """Brier's score of all labels (Brier 1950): the mean over texts of the summed squares of probability less outcome; 0 is
    perfect, 2 is sure of the wrong label every time."""
    outcomes = np.eye(chances.shape[1])[np.asarray(truth, dtype=np.int64)]
    return float(((chances - outcomes) ** 2).sum(axis=1).mean())


def threshold_for(scores: Floats, positive: NDArray[np.bool_], target: float) -> Threshold | None:
    """The lowest threshold on ``scores`` [N] at which at least ``target`` of what lies at or above it is ``positive`` [N].
    None: no threshold reaches that on at least twenty answers. Equal scores are never torn apart."""
    order = np.argsort(-scores, kind="stable")
    sorted_scores, hits = scores[order], np.cumsum(positive[order])
    answers = np.arange(1, len(scores) + 1)
    ends = np.append(sorted_scores[:-1] > sorted_scores[1:], True)[: len(scores)]
    reached = np.flatnonzero(ends & (hits >= target * answers - 1e-9) & (answers >= LEAST_ANSWERS))
    if not reached.size:
        return None
    last = int(reached[-1])
    # half-way to the next lower score, so that rounding the figure moves no text over it
    below = float(sorted_scores[last + 1]) if last + 1 < len(scores) else float(sorted_scores[last])
    said, right, of = int(answers[last]), int(hits[last]), int(positive.sum())
    low, high = wilson(right, said)
    return Threshold(
        value=(float(sorted_scores[last]) + below) / 2,
        precision=right / said,
        low=low,
        high=high,
        recall=right / of if of else 0.0,
        answers=said,
        positives=of,
    )


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The interval of 95 % of a share (Wilson 1927): honest for few texts and for shares near 0 and 1."""
    share = hits / of
    middle = (share + _Z**2 / (2 * of)) / (1 + _Z**2 / of)
    half = _Z / (1 + _Z**2 / of) * np.sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))
