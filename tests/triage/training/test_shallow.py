"""Half a checkpoint's layers."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("safetensors") is None,
    reason="SAFETENSORS NOT INSTALLED: shallow models were NOT tested here",
)


def checkpoint(folder: Path) -> Path:
    from safetensors.numpy import save_file

    folder.mkdir()
    layers = {f"encoder.encoder.layer.{i}.weight": np.full((2, 2), float(i), dtype=np.float32) for i in range(12)}
    save_file({**layers, "urgency.weight": np.ones((4, 2), dtype=np.float32)}, folder / "model.safetensors")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text("{}")
    (folder / "config.json").write_text(json.dumps({"num_hidden_layers": 12, "hidden_size": 2}))
    return folder


def test_the_layers_that_stay_move_together_and_the_rest_is_as_it_was(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    from triage.training.shallow import keep_layers

    keep_layers(checkpoint(tmp_path / "deep"), (0, 5, 11), tmp_path / "out")
    kept = load_file(tmp_path / "out/model.safetensors")
    assert {name: float(values[0, 0]) for name, values in kept.items()} == {
        "encoder.encoder.layer.0.weight": 0.0,
        "encoder.encoder.layer.1.weight": 5.0,
        "encoder.encoder.layer.2.weight": 11.0,
        "urgency.weight": 1.0,
    }
    assert json.loads((tmp_path / "out/config.json").read_text())["num_hidden_layers"] == 3


@pytest.mark.parametrize("keep", [(), (3, 1), (1, 1), (0, 12), (-1, 2)])
def test_layers_that_are_not_there_are_refused(tmp_path: Path, keep: tuple[int, ...]) -> None:
    from triage.training.shallow import keep_layers

    with pytest.raises(ValueError, match="from 0 to 11"):
        keep_layers(checkpoint(tmp_path / "deep"), keep, tmp_path / "out")
    assert not (tmp_path / "out").exists()
