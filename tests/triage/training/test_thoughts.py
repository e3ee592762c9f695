"""What teachers think of texts, and a student that listens."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from triage.training.data import Example
from triage.training.thoughts import TAUGHT, read_thoughts, with_teachers, write_thoughts

WIDTHS = {"sentiment": 3, "urgency": 4, "needs_reply": 2}


def written(folder: Path, *texts: str) -> Path:
    thought = {name: np.eye(WIDTHS[name])[[place % WIDTHS[name] for place in range(len(texts))]] for name in TAUGHT}
    write_thoughts(folder / "thoughts.npz", texts, thought)
    return folder / "thoughts.npz"


def test_a_text_finds_what_was_thought_of_it_and_another_finds_nothing(tmp_path: Path) -> None:
    thoughts = read_thoughts(written(tmp_path, "Gdzie paczka?", "Super!"))
    known, unknown = with_teachers(
        [Example(text=text, lang="pl", source="x", sentiment=2) for text in ("Super!", "Co?")], thoughts
    )
    assert known.taught == {"sentiment": (0, 1, 0), "urgency": (0, 1, 0, 0), "needs_reply": (0, 1)}
    assert known.sentiment == 2
    assert unknown.taught == {}


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half of one"])
def test_it_says_what_is_wrong_with_a_broken_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "thoughts.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"thoughts\.npz holds no teachers' thoughts .* triage\.training\.teach"):
        read_thoughts(tmp_path / "thoughts.npz")


@pytest.mark.torch
@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="TORCH NOT INSTALLED: training was NOT tested here"
)
def test_the_loss_is_least_where_the_student_thinks_as_the_teachers_do() -> None:
    import torch

    from triage.training.model import taught_loss

    taught = torch.tensor([[0.7, 0.2, 0.1], [0.0, 0.0, 0.0]])  # nobody has read the second text
    alike = taught_loss(torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.9, 0.05, 0.05]])), taught)
    surer = taught_loss(torch.log(torch.tensor([[0.9, 0.05, 0.05], [0.9, 0.05, 0.05]])), taught)
    other = taught_loss(torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])), taught)
    assert alike < surer
    assert float(alike) == pytest.approx(float(other))
    assert float(taught_loss(torch.zeros(1, 3), torch.zeros(1, 3))) == 0.0
