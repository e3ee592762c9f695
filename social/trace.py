"""A traceback as text: where it went wrong always, an exception's own words only where they cannot quote a customer."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from social.domain.errors import DyzurError

#: Python's own sentences about code, files and memory. A ValueError or a database's error may repeat what it was given.
_ABOUT_THE_PROGRAM = (AttributeError, ImportError, MemoryError, NameError, OSError, RecursionError, TypeError)
_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"
#: More than anybody reads; an exception that is its own distant context must not make an endless text.
_LONGEST_CHAIN = 20


def told(error: BaseException, *, words: bool = False) -> str:
    """``TypeError: its words``, or ``ValueError`` alone where the words may quote somebody and ``words`` is false."""
    kind = type(error)
    name = kind.__name__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__name__}"
    ours = isinstance(error, DyzurError)
    plain = kind.__module__ == "builtins" and isinstance(error, _ABOUT_THE_PROGRAM)
    if not (words or ours or plain):
        return name
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 an exception that cannot be told must not hide that it happened
        said = "(it cannot be told)"
    return f"{name}: {said}" if said else name


def trace_lines(error: BaseException, *, words: bool = False) -> list[str]:
    """The lines of a traceback, causes first, as Python prints it but for the words. Locals are never shown."""
    chain: list[tuple[str, BaseException]] = []
    link, seen = "", set[int]()
    following: BaseException | None = error
    while following is not None and id(following) not in seen and len(chain) < _LONGEST_CHAIN:
        chain.append((link, following))
        seen.add(id(following))
        if following.__cause__ is not None:
            link, following = _CAUSE, following.__cause__
        else:
            link, following = _CONTEXT, None if following.__suppress_context__ else following.__context__
    lines: list[str] = []
    for place, (_, item) in reversed(list(enumerate(chain))):
        lines += [*_one(item, words=words)]
        if place:
            lines += ["", chain[place][0], ""]
    return lines


def _one(error: BaseException, *, words: bool) -> Iterator[str]:
    yield "Traceback (most recent call last):"
    for frame in traceback.extract_tb(error.__traceback__).format():
        yield from frame.rstrip("\n").split("\n")
    yield from told(error, words=words).split("\n")
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions[:_LONGEST_CHAIN]:
            yield from (f"  | {line}" for line in trace_lines(part, words=words))
