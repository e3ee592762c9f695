"""What teachers think of texts, kept in a file: one line a text, so that a student learns from it whatever order it reads in.

No torch here. A file is an ``.npz`` with ``digest`` [N] (``S32``, hexadecimal, of the text) and for each head of ``TAUGHT`` its
probabilities [N, labels] as float16.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from triage.training.data import Example

#: What a text without a label can be asked as well: what people feel and how long they can wait.
TAUGHT = ("sentiment", "urgency", "needs_reply")

Thoughts = Mapping[bytes, Mapping[str, tuple[float, ...]]]


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32].encode()


def write_thoughts(path: Path, texts: Sequence[str], probabilities: Mapping[str, np.ndarray]) -> None:
    arrays = {name: probabilities[name].astype(np.float16) for name in TAUGHT}
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, digest=np.array([digest(text) for text in texts]), **arrays)


def read_thoughts(path: Path) -> Thoughts:
    """Digest of a text -> head -> probabilities. Raises ValueError where the file is none of ours."""
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            digests, arrays = kept["digest"].tolist(), {name: kept[name].astype(float).tolist() for name in TAUGHT}
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise ValueError(f"{path} holds no teachers' thoughts ({error}): make it with triage.training.teach") from error
    rows = zip(*arrays.values(), strict=True)
    return {
        key: {name: tuple(row) for name, row in zip(arrays, values, strict=True)}
        for key, values in zip(digests, rows, strict=True)
    }


def with_teachers(examples: Sequence[Example], thoughts: Thoughts) -> list[Example]:
    """Each example with what the teachers think of its text; one that they have not read stays as it is."""
    return [replace(example, taught=thoughts.get(digest(example.text), {})) for example in examples]
