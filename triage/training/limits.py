"""From which probability on an answer is given: for heads of many answers, and for who waits for a reply."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triage.calibrate import answers
from triage.training.data import ABSENT

#: Fewer positives than this choose no limit of their own: all labels of the head are pooled for them.
ENOUGH = 50
GRID = np.round(np.arange(0.1, 0.951, 0.05), 2)
#: Of those who wait for an answer so many must be seen to wait.
REPLY_RECALL = 0.97


def fit_many_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The temperature of a grid with the least log-loss over the answers that are known; logits, truth [N, labels]."""
    known = truth != ABSENT

    def loss(temperature: float) -> float:
        chances = np.clip(answers(logits, temperature), 1e-6, 1 - 1e-6)
        losses = -np.where(truth == 1, np.log(chances), np.log(1 - chances))
        return float(losses[known].mean())

    return float(min(np.arange(0.3, 4.01, 0.02), key=loss).round(2))


def fit_limits(chances: np.ndarray, truth: np.ndarray, *, precision: float) -> list[float]:
    """For each label the limit with the best F1 among those that reach ``precision``; where none does the most precise one."""
    pooled = _limit(chances[truth != ABSENT], truth[truth != ABSENT], precision)
    limits = []
    for label in range(truth.shape[1]):
        known = truth[:, label] != ABSENT
        enough = (truth[known, label] == 1).sum() >= ENOUGH
        limits.append(_limit(chances[known, label], truth[known, label], precision) if enough else pooled)
    return limits


def _limit(chances: np.ndarray, truth: np.ndarray, precision: float) -> float:
    scored = [(limit, *precision_recall(chances >= limit, truth == 1)) for limit in GRID]
    reached = [entry for entry in scored if entry[1] >= precision]
    if not reached:
        return round(float(max(scored, key=lambda entry: entry[1])[0]), 2)
    return round(float(max(reached, key=lambda entry: 2 * entry[1] * entry[2] / max(entry[1] + entry[2], 1e-9))[0]), 2)


def fit_reply_limit(chances: np.ndarray, truth: np.ndarray, recall: float = REPLY_RECALL) -> float:
    """The highest limit at which ``recall`` of those who wait are seen to wait; chances of "yes" [N], truth [N] 0 or 1."""
    fine = [limit for limit in GRID if (chances[truth == 1] >= limit).mean() >= recall]
    return round(float(max(fine, default=GRID[0])), 2)


def precision_recall(given: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """0 where nothing was given, or where there was nothing to find."""
    hits = float((given & right).sum())
    return hits / max(float(given.sum()), 1.0), hits / max(float(right.sum()), 1.0)


def f1(given: np.ndarray, right: np.ndarray) -> float:
    precision, recall = precision_recall(given, right)
    return 2 * precision * recall / max(precision + recall, 1e-9)


def labels_of(rows: Sequence[Sequence[int]], count: int) -> np.ndarray:
    """[N, count]; a row that says nothing is unknown throughout."""
    return np.array([tuple(row) or (ABSENT,) * count for row in rows], dtype=int).reshape(-1, count)
