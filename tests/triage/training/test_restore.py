"""A checkpoint from the model that is shipped."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from triage.checkpoint import SHIPPED
from triage.training.data import HEADS, SHIPPED_HEADS

MISSING = [name for name in ("torch", "transformers", "safetensors") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        bool(MISSING), reason=f"{', '.join(MISSING).upper()} NOT INSTALLED: restoring was NOT tested here"
    ),
]
TEXTS = ["Gdzie jest moja paczka?", "Dziękuję, wszystko działa", "the app is down for everyone, again"]


def test_what_comes_back_says_what_the_shipped_model_says(tmp_path: Path) -> None:
    import torch

    from triage.training.evaluate import onnx_runner, predict
    from triage.training.export import MAX_TOKENS, PREFIX
    from triage.training.model import encode, pad
    from triage.training.restore import restore
    from triage.training.train import load_checkpoint

    restore(SHIPPED, tmp_path / "out")
    network, tokenizer = load_checkpoint(tmp_path / "out")
    said = predict(onnx_runner(SHIPPED / "model.onnx"), tokenizer, TEXTS, prefix=PREFIX, tokens=MAX_TOKENS)
    with torch.no_grad():
        found = network(*pad(encode(tokenizer, TEXTS, MAX_TOKENS), tokenizer.pad_token_id))
    for head in SHIPPED_HEADS:
        np.testing.assert_allclose(found[head.name].numpy(), said[head.name], atol=2e-3)
    for head in HEADS:
        if not head.shipped:
            assert not found[head.name].any()
    told = json.loads((tmp_path / "out/training.json").read_text())
    assert told["shipped"] == json.loads((SHIPPED / "heads.json").read_text())["version"]


def test_a_folder_without_a_model_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from triage.training.restore import main

    with pytest.raises(SystemExit):
        main(["--of", str(tmp_path), "--out", str(tmp_path / "out")])
    assert "model.onnx is missing" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
