"""Temperature, bias and abstention are fitted as they promise. Pure arithmetic."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from triage.calibrate import probabilities
from triage.measures import calibration_error
from triage.training.evaluate import (
    MOST_ABSTENTIONS,
    cross_validate,
    fit_abstention,
    fit_bias,
    fit_temperature,
    macro_f1,
)

needs_scipy = pytest.mark.skipif(importlib.util.find_spec("scipy") is None, reason="scipy belongs to the training only")


def skewed(count: int = 800) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a head that says its first label far too often, and the truth."""
    random = np.random.default_rng(4)
    truth = random.choice(4, size=count, p=[0.1, 0.3, 0.4, 0.2])
    logits = random.normal(size=(count, 4))
    logits[np.arange(count), truth] += 1.5
    logits[:, 0] += 2.0
    return logits * 2, truth


def test_a_temperature_never_changes_a_label_and_lowers_a_false_confidence() -> None:
    logits, truth = skewed()
    temperature = fit_temperature(logits * 5, truth)
    assert (probabilities(logits * 5, temperature).argmax(1) == logits.argmax(1)).all()
    assert calibration_error(truth, probabilities(logits * 5, temperature)) < calibration_error(
        truth, probabilities(logits * 5)
    )


@needs_scipy
def test_a_bias_takes_back_what_a_head_says_too_often() -> None:
    logits, truth = skewed()
    temperature, bias = fit_bias(logits, truth, np.ones(len(truth)))
    chosen = probabilities(logits, temperature, bias).argmax(1)
    assert min(bias) == bias[0] < 0
    assert macro_f1(truth, chosen, 4) > macro_f1(truth, logits.argmax(1), 4) + 0.05
    honest = cross_validate(logits, truth, np.ones(len(truth)), ["x"] * len(truth))
    assert macro_f1(truth, honest, 4) == pytest.approx(macro_f1(truth, chosen, 4), abs=0.04)


def test_it_does_not_abstain_on_nearly_everything() -> None:
    random = np.random.default_rng(2)
    truth = random.integers(0, 4, size=500)
    chances = probabilities(random.normal(size=(500, 4)))  # wrong three times in four, whatever it says
    limit = fit_abstention(chances, truth)
    assert (chances.max(1) < limit).mean() <= MOST_ABSTENTIONS
