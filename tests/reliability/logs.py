"""Is anything in a log that must not be there? By value: the secrets themselves, and any piece of what customers wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

#: So many characters in a row of a customer's words, from wherever in them, are no accident.
PIECE = 24


def leaks(logs: Sequence[Path], *, secrets: Sequence[str], words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(file and line, what stands there). ``words``: whose words -> the words. A secret itself is never repeated."""
    pieces = {
        text[start : start + PIECE]: whose for whose, text in words.items() for start in range(len(text) - PIECE + 1)
    }
    for log in logs:
        with log.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                if ' simulate "' in line:  # the banner's own example of a customer
                    continue
                where = f"{log.name}:{number}"
                if any(secret in line for secret in secrets if len(secret) >= 8):
                    yield where, "a secret"
                found = (pieces.get(line[at : at + PIECE]) for at in range(len(line) - PIECE + 1))
                whose = next(filter(None, found), None)
                if whose is not None:
                    yield where, f"the words of {whose}"
