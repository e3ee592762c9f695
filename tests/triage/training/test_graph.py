"""The int8 grid of an exported file."""

from __future__ import annotations

import numpy as np

from triage.training.graph import quantise


def unfolded(matrix: np.ndarray, seed: int) -> np.ndarray:
    values, scale = quantise(matrix, seed=seed)
    found: np.ndarray = values.astype(np.float32) * scale
    return found


def test_a_row_is_off_by_half_a_step_at_most_and_a_row_of_nothing_stays_nothing() -> None:
    matrix = np.random.default_rng(1).normal(size=(40, 64)).astype(np.float32)
    matrix[3] = 0
    values, scale = quantise(matrix, seed=5)
    assert values.dtype == np.int8 and scale.shape == (40, 1)
    assert (np.abs(unfolded(matrix, 5) - matrix) <= scale / 2 + 1e-7).all()
    assert not unfolded(matrix, 5)[3].any()
    assert np.abs(values[np.arange(40) != 3]).max(axis=1).min() >= 108


def test_small_changes_to_a_restored_network_survive_the_next_export() -> None:
    random = np.random.default_rng(2)
    shipped = unfolded(random.normal(size=(200, 384)).astype(np.float32), seed=1)
    learnt = random.normal(size=shipped.shape).astype(np.float32)
    learnt *= np.abs(shipped).max() / 127 / 6  # a sixth of a step

    def kept(seed: int) -> float:
        """How much of what was learnt comes back: 1 all of it, 0 nothing."""
        return float(((unfolded(shipped + learnt, seed) - shipped) * learnt).sum() / (learnt**2).sum())

    assert kept(seed=2) > 0.9
    assert kept(seed=1) < 0.5  # rounded back to where it began, which is why an export draws a grid of its own
