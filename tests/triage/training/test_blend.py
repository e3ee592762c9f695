"""The mean of checkpoints."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("safetensors") is None, reason="SAFETENSORS NOT INSTALLED: blending was NOT tested here"
)


def checkpoint(folder: Path, value: float, width: int = 2) -> Path:
    from safetensors.numpy import save_file

    folder.mkdir()
    layer = np.full((width, 2), value, dtype=np.float32)
    save_file({"encoder.layer": layer, "urgency.weight": layer.copy()}, folder / "model.safetensors")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text(folder.name)
    return folder


def test_a_blend_is_the_weighted_mean_of_the_encoders_with_the_first_ones_heads(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    from triage.training.blend import blend

    blend({checkpoint(tmp_path / "a", 1.0): 0.75, checkpoint(tmp_path / "b", 3.0): 0.25}, tmp_path / "out")
    blended = load_file(tmp_path / "out/model.safetensors")
    assert blended["encoder.layer"].tolist() == [[1.5, 1.5], [1.5, 1.5]]
    assert blended["urgency.weight"].tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert (tmp_path / "out/tokenizer.json").read_text() == "a"


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.5, -0.5)])
def test_shares_that_are_none_are_refused(tmp_path: Path, shares: tuple[float, float]) -> None:
    from triage.training.blend import blend

    folders = [checkpoint(tmp_path / name, 1.0) for name in "ab"]
    with pytest.raises(ValueError, match="must be above 0 and sum to 1"):
        blend(dict(zip(folders, shares, strict=True)), tmp_path / "out")


def test_checkpoints_of_other_encoders_do_not_mix(tmp_path: Path) -> None:
    from triage.training.blend import blend

    parts = {checkpoint(tmp_path / "a", 1.0): 0.5, checkpoint(tmp_path / "b", 1.0, width=3): 0.5}
    with pytest.raises(ValueError, match="b has other matrices than the first"):
        blend(parts, tmp_path / "out")
    assert not (tmp_path / "out").exists()
