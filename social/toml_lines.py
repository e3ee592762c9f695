"""Which line of a TOML text a key stands on: ``tomllib`` gives values only, and a message without its line is a riddle."""

from __future__ import annotations

import re
from collections.abc import Sequence

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'))*)\s*="""
)
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_STRING = re.compile(r'''"""|\'\'\'|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*|[\[\]{}]''')


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line (from 1) of ``path``, such as ``("profiles", 1, "mode")`` or ``("brands", 0, "languages", 2)``; of its
    nearest table where the key itself is not written; ``None`` where nothing of it is."""
    known = lines(text)
    for length in range(len(path), 0, -1):
        if (found := known.get(tuple(path[:length]))) is not None:
            element = path[length] if length == len(path) - 1 else None
            return found + (_lines_down(text, found, element) if isinstance(element, int) else 0)
    return None


def _lines_down(text: str, key: int, element: int) -> int:
    """How many lines below its key (on line ``key``) the string number ``element`` of a list begins; 0 where that cannot
    be told."""
    rest = "\n".join(text.splitlines()[key - 1 :])
    start = _KEY.match(rest)
    depth, strings = 0, -1
    for token in _STRING.finditer(rest, start.end() if start else 0):
        sign = token.group()
        if sign in ('"""', "'''"):
            return 0
        depth += (sign in "[{") - (sign in "]}")
        if depth == 0:
            return 0
        strings += sign[0] in "\"'" and depth == 1
        if strings == element:
            return rest.count("\n", 0, token.start())
    return 0


def lines(text: str) -> dict[Path, int]:
    """Every table and key of ``text`` with its line. Keys inside inline tables count as the key that holds them."""
    found: dict[Path, int] = {}
    counted: dict[Path, int] = {}
    table: Path = ()
    open_brackets, quote = 0, ""
    for number, whole in enumerate(text.splitlines(), start=1):
        line = whole
        if not quote and open_brackets == 0:
            if header := _HEADER.match(line):
                table = _table(header, counted)
                for length in range(1, len(table) + 1):
                    found.setdefault(table[:length], number)
                continue
            if key := _KEY.match(line):
                path: Path = (*table, *_parts(key.group(1)))
                for length in range(len(table) + 1, len(path) + 1):
                    found.setdefault(path[:length], number)
                line = line[key.end() :]
        open_brackets, quote = _still_open(line, open_brackets, quote)
    return found


def _table(header: re.Match[str], counted: dict[Path, int]) -> Path:
    """``[[brands]]`` -> ("brands", n); ``[brands.hours]`` belongs to the newest of them."""
    table: Path = ()
    parts = _parts(header.group(2))
    for position, part in enumerate(parts):
        table = (*table, part)
        if header.group(1) == "[[" and position == len(parts) - 1:
            counted[table] = counted.get(table, -1) + 1
        if table in counted:
            table = (*table, counted[table])
    return table


def _parts(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _still_open(line: str, brackets: int, quote: str) -> tuple[int, str]:
    """How many brackets, and which long string, go on in the next line."""
    position = 0
    while position < len(line):
        if quote:
            end = line.find(quote, position)
            if end < 0:
                return brackets, quote
            position, quote = end + len(quote), ""
            continue
        token = _STRING.search(line, position)
        if token is None:
            break
        position = token.end()
        sign = token.group()
        if sign in ('"""', "'''"):
            quote = sign
        elif sign in "[{":
            brackets += 1
        elif sign in "]}":
            brackets = max(0, brackets - 1)
    return brackets, quote
