"""Logits into probabilities that mean what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def probabilities(logits: NDArray[Any], temperature: float = 1.0, bias: Sequence[float] = ()) -> Floats:
    """Softmax of ``logits`` [B, labels] divided by ``temperature`` (Guo et al. 2017, "On calibration of modern neural
    networks"): the order stays, the confidence becomes honest. ``bias`` [labels], added after that, corrects for labels
    that were made more frequent in training than they are among posts (Menon et al. 2021, "Long-tail learning via
    logit adjustment"); empty means none. Rows sum to 1; not-a-number stays not-a-number."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    if len(bias):
        scaled = scaled + np.asarray(bias, dtype=np.float64)
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def answers(logits: NDArray[Any], temperature: float, bias: Sequence[float] = ()) -> Floats:
    """Sigmoid of ``logits`` [B, labels], each label a question of its own, scaled and shifted as in ``probabilities``."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    if len(bias):
        scaled = scaled + np.asarray(bias, dtype=np.float64)
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(scaled, -60.0, 60.0))))
