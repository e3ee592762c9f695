"""A checkpoint as a folder: weights, the files beside them, and what is known of how it came to be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

WEIGHTS = "model.safetensors"
ABOUT = "training.json"
BESIDE = ("config.json", "tokenizer.json", "tokenizer_config.json")


def write_checkpoint(weights: Mapping[str, np.ndarray], out: Path, *, like: Path, about: Mapping[str, Any]) -> None:
    """What the other commands take for a finished stage's folder. Tokenizer and shape are those of ``like``."""
    out.mkdir(parents=True, exist_ok=True)
    for name in BESIDE:
        shutil.copyfile(like / name, out / name)
    save_file({name: np.ascontiguousarray(values, dtype=np.float32) for name, values in weights.items()}, out / WEIGHTS)
    (out / ABOUT).write_text(json.dumps({**about, "finished": True}, indent=1), encoding="utf-8")
