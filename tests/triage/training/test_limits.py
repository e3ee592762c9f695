"""From which probability on an answer is given. Pure arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from triage.calibrate import answers
from triage.training.data import ABSENT
from triage.training.limits import (
    ENOUGH,
    f1,
    fit_limits,
    fit_many_temperature,
    fit_reply_limit,
    labels_of,
    precision_recall,
)


def test_it_chooses_the_limit_with_the_best_f1_that_is_precise_enough() -> None:
    chances = np.array([0.9] * 60 + [0.5] * 40 + [0.2] * 100)
    truth = np.array([1] * 60 + [1] * 20 + [0] * 20 + [0] * 100)
    precise, found = (fit_limits(chances[:, None], truth[:, None], precision=wanted)[0] for wanted in (0.95, 0.7))
    assert 0.5 < precise <= 0.9
    assert 0.2 < found <= 0.5
    assert precision_recall(chances >= found, truth == 1) == (0.8, 1.0)


def test_it_takes_the_most_precise_limit_where_none_is_precise_enough() -> None:
    chances = np.linspace(0, 1, 200)
    truth = (np.arange(200) % 2 == 0).astype(int)
    truth[-10:] = 1
    (limit,) = fit_limits(chances[:, None], truth[:, None], precision=0.999)
    assert limit == pytest.approx(0.95)


def test_a_label_with_few_positives_gets_the_limit_of_all() -> None:
    random = np.random.default_rng(1)
    truth = np.zeros((400, 2), dtype=int)
    truth[: ENOUGH * 2, 0] = 1
    truth[:5, 1] = 1
    truth[300:, 1] = ABSENT
    chances = np.clip(truth.clip(min=0) * 0.5 + random.uniform(0, 0.45, size=truth.shape), 0, 1)
    limits = fit_limits(chances, truth, precision=0.9)
    known = truth != ABSENT
    pooled = fit_limits(chances[known][:, None], truth[known][:, None], precision=0.9)
    assert limits[1] == pooled[0]


def test_nobody_who_waits_is_missed_more_often_than_promised() -> None:
    random = np.random.default_rng(2)
    truth = (random.uniform(size=1000) < 0.6).astype(int)
    chances = np.clip(truth * 0.4 + random.uniform(0.1, 0.6, size=1000), 0, 1)
    limit = fit_reply_limit(chances, truth)
    assert (chances[truth == 1] >= limit).mean() >= 0.97
    assert (chances[truth == 1] >= limit + 0.05).mean() < 0.97


def test_a_temperature_makes_answers_honest() -> None:
    random = np.random.default_rng(3)
    honest = random.uniform(0.05, 0.95, size=(5000, 2))
    truth = (random.uniform(size=honest.shape) < honest).astype(int)
    truth[:100] = ABSENT
    logits = np.log(honest / (1 - honest)) * 2.0
    assert fit_many_temperature(logits, truth) == pytest.approx(2.0, abs=0.1)
    assert answers(np.array([[0.0, -800.0, 800.0]]), 1.0).tolist()[0] == pytest.approx([0.5, 0.0, 1.0])


def test_rows_that_say_nothing_are_unknown_throughout() -> None:
    assert labels_of([(1, 0), ()], 2).tolist() == [[1, 0], [ABSENT, ABSENT]]
    assert f1(np.array([True, False]), np.array([True, True])) == pytest.approx(2 / 3)
