"""An honest confidence, and the reader of the weights on broken files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from triage.calibrate import probabilities
from triage.measures import calibration_error
from triage.training.evaluate import fit_temperature
from triage.weights import WeightsUnreadable, load_torch_state


def test_it_counts_overconfidence_as_an_error_of_calibration() -> None:
    truth = np.array([0, 1, 0, 1])
    sure_and_half_right = np.array([[0.99, 0.01]] * 4)
    assert calibration_error(truth, sure_and_half_right) == pytest.approx(0.49)
    assert calibration_error(np.zeros(4, dtype=int), np.array([[1.0, 0.0]] * 4)) == pytest.approx(0.0)


def test_it_softens_an_overconfident_head() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 600)
    logits = np.eye(3)[np.where(rng.random(600) < 0.6, truth, rng.integers(0, 3, 600))] * 9.0
    temperature = fit_temperature(logits, truth)
    assert temperature > 2.0
    assert calibration_error(truth, probabilities(logits, temperature)) < calibration_error(
        truth, probabilities(logits)
    )


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x3a\xff\xff\x03abc"])
def test_it_says_what_is_wrong_with_a_broken_weights_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(WeightsUnreadable, match="export"):
        load_torch_state(tmp_path)


def test_it_says_which_weights_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnreadable, match="missing"):
        load_torch_state(tmp_path)
