"""Heads that are fitted anew on vectors that stay."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from triage.training.data import HEADS, Example

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="TORCH NOT INSTALLED: fitting heads was NOT tested here"
)
BY_NAME = {head.name: head for head in HEADS}


def some(count: int) -> tuple[np.ndarray, list[Example]]:
    """Vectors whose first number says who waits, and whose second says abuse; of every third nobody knows the latter."""
    vectors = np.random.default_rng(3).normal(size=(count, 8)).astype(np.float32)
    rows = [
        Example(
            text=str(i),
            lang="pl",
            source="corpus",
            needs_reply=int(vectors[i, 0] > 0),
            harm=() if i % 3 == 0 else (int(vectors[i, 1] > 0), -1),
        )
        for i in range(count)
    ]
    return vectors, rows


def test_a_head_finds_what_the_vectors_know() -> None:
    import torch

    from triage.training.heads import fit_head

    vectors, rows = some(400)
    layer = fit_head(torch.from_numpy(vectors), rows, BY_NAME["needs_reply"])
    said = layer(torch.from_numpy(vectors)).argmax(1).tolist()
    assert np.mean([answer == row.needs_reply for answer, row in zip(said, rows, strict=True)]) > 0.97


def test_a_head_of_many_answers_learns_from_those_that_are_known_only() -> None:
    import torch

    from triage.training.heads import fit_head

    vectors, rows = some(600)
    logits = fit_head(torch.from_numpy(vectors), rows, BY_NAME["harm"])(torch.from_numpy(vectors)).detach().numpy()
    assert np.mean((logits[:, 0] > 0) == (vectors[:, 1] > 0)) > 0.97
    assert np.abs(logits[:, 1]).max() < np.abs(logits[:, 0]).max() / 2  # nobody ever said anything of hate


def test_it_is_the_same_every_time() -> None:
    import torch

    from triage.training.heads import fit_head

    vectors, rows = some(60)
    first, second = (fit_head(torch.from_numpy(vectors), rows, BY_NAME["needs_reply"]) for _ in range(2))
    assert torch.equal(first.weight, second.weight)
