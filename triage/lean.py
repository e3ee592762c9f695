"""``transformers`` imports torch wherever it is installed, 366 MB and seconds of it, also to read a tokenizer only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_torch() -> Iterator[None]:
    """Import ``transformers`` inside this, and the process stays without torch for good: for a daemon whose model is run
    by another runtime. Does nothing where either is imported already."""
    modules: dict[str, Any] = sys.modules
    if "torch" in modules or "transformers" in modules:
        yield
        return
    modules["torch"] = None  # what importlib takes for "not installed"
    try:
        yield
    finally:
        del modules["torch"]
