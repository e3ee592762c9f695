"""An honest confidence, and the reader of the weights on broken files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from triage.calibrate import probabilities
from triage.measures import calibration_error
from triage.training.data import Example
from triage.training.evaluate import fit_temperature, measure
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


def test_a_set_of_two_languages_is_measured_in_each_and_in_both_together() -> None:
    rows = [Example(text=str(i), lang="pl" if i < 3 else "en", source="set", urgency=i % 4) for i in range(8)]
    outputs = {"urgency": np.eye(4)[[row.urgency for row in rows]] * 4}
    outputs["urgency"][0] = [0, 0, 4, 0]  # a Polish one that is wrong
    heads = {
        "labels": {"urgency": []},
        "temperature": {"urgency": 1.0},
        "by_language": {"pl": {"temperature": {"urgency": 2.0}}},
    }
    lines = {line["lang"]: line for line in measure("set", rows, outputs, heads)}
    assert {lang: (line["count"], line["accuracy"][0]) for lang, line in lines.items()} == {
        "pl": (3, pytest.approx(2 / 3, abs=1e-4)),
        "en": (5, 1.0),
        "all": (8, 0.875),
    }
    # each language keeps its own temperature: Polish is told to be less sure
    pooled = (3 * lines["pl"]["brier"] + 5 * lines["en"]["brier"]) / 8
    assert lines["all"]["brier"] == pytest.approx(pooled) and lines["pl"]["brier"] > lines["en"]["brier"]
