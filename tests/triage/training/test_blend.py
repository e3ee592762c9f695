"""The mean of checkpoints."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("safetensors") is None, reason="SAFETENSORS NOT INSTALLED: blending was NOT tested here"
)


def checkpoint(folder: Path, value: float, width: int = 2, stage: str = "brand") -> Path:
    from safetensors.numpy import save_file

    folder.mkdir()
    layer = np.full((width, 2), value, dtype=np.float32)
    save_file({"encoder.layer": layer, "urgency.weight": layer.copy()}, folder / "model.safetensors")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text(folder.name)
    (folder / "training.json").write_text(json.dumps({"stage": {"name": stage}}))
    return folder


def test_a_blend_is_the_weighted_mean_and_only_those_who_learnt_the_other_heads_have_a_say_in_them(
    tmp_path: Path,
) -> None:
    from safetensors.numpy import load_file

    from triage.training.blend import blend

    parts = {checkpoint(tmp_path / "a", 1.0): 0.5, checkpoint(tmp_path / "b", 3.0): 0.25}
    blend(parts | {checkpoint(tmp_path / "c", 9.0, stage="public"): 0.25}, tmp_path / "out")
    blended = load_file(tmp_path / "out/model.safetensors")
    assert blended["encoder.layer"].tolist() == [[3.5, 3.5], [3.5, 3.5]]
    assert blended["urgency.weight"] == pytest.approx(np.full((2, 2), 5 / 3))
    assert (tmp_path / "out/tokenizer.json").read_text() == "a"


def test_it_takes_the_other_heads_of_those_that_are_named(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    from triage.training.blend import blend

    first, second, third = (checkpoint(tmp_path / name, value) for name, value in (("a", 1.0), ("b", 3.0), ("c", 9.0)))
    blend({first: 0.5, second: 0.3, third: 0.2}, tmp_path / "out", heads=[second, third])
    assert load_file(tmp_path / "out/model.safetensors")["urgency.weight"].tolist() == [[6.0, 6.0], [6.0, 6.0]]
    with pytest.raises(ValueError, match="only what is blended"):
        blend({first: 1.0}, tmp_path / "out", heads=[second])


def test_a_blend_that_nobody_taught_urgency_is_refused(tmp_path: Path) -> None:
    from triage.training.blend import blend

    with pytest.raises(ValueError, match="public stage"):
        blend({checkpoint(tmp_path / "a", 1.0, stage="public"): 1.0}, tmp_path / "out")


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
