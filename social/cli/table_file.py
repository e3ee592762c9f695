"""Rows of a JSON Lines or CSV file, plain or gzip, one at a time: each a mapping of column names, or why it is none."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from social.cli.packed_lines import LONGEST_LINE, Stream, numbered_lines, unpacked
from social.domain.errors import NotFound, UsageError

#: Spreadsheets of many countries, the Polish one among them, write semicolons.
DELIMITERS = ",;\t"

Row = dict[str, object]

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_TABLES, _OBJECTS = (".csv", ".tsv"), (".jsonl", ".ndjson", ".json")
_NOT_UTF8 = "not UTF-8 text (a spreadsheet can save it again as CSV UTF-8)"


class UnusableRow(ValueError):
    """Why a row cannot be used."""


def column_name(name: object) -> str:
    """Columns are the same whatever the case and the spaces around them."""
    return str(name).strip().casefold()


def numbered_rows(path: Path) -> Iterator[tuple[int, Row | UnusableRow]]:
    """Line and row, in the order of the file; names of columns as ``column_name`` makes them. Raises ``NotFound`` for a
    file that cannot be read, ``UsageError`` for one that is no table at all."""
    number = 0
    try:
        with path.open("rb") as raw, closing(unpacked(raw)) as stream:
            start = stream.peek(2)[:2]
            if start in _UTF16:
                raise UsageError("the file is UTF-16.", resource=str(path), next_step="Save it again as UTF-8.")
            for number, row in _table(path, stream) if _is_table(path, stream) else _objects(stream):
                yield number, row
    except (EOFError, zlib.error, gzip.BadGzipFile):
        yield number + 1, UnusableRow("the compressed file is damaged or ends here")
    except OSError as error:
        raise NotFound(f"this file cannot be read ({error.strerror}).", resource=str(path)) from error


def _is_table(path: Path, stream: Stream) -> bool:
    """By the name; where that says nothing, by whether the file begins as an object does."""
    name = path.name.casefold().removesuffix(".gz")
    if name.endswith(_TABLES + _OBJECTS):
        return name.endswith(_TABLES)
    return not stream.peek(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


# --- JSON Lines -------------------------------------------------------------------------------------------------------


def _objects(stream: Stream) -> Iterator[tuple[int, Row | UnusableRow]]:
    for number, line in numbered_lines(stream):
        yield number, _object(number, line)


def _object(number: int, line: bytes) -> Row | UnusableRow:
    if len(line) > LONGEST_LINE:
        return UnusableRow(f"longer than {LONGEST_LINE:,} bytes")
    try:
        item = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        return UnusableRow(_NOT_UTF8)
    except (ValueError, RecursionError):
        return UnusableRow("not JSON")
    if not isinstance(item, dict):
        return UnusableRow('not an object like {"text": "...", "sentiment": "negative"}')
    return {column_name(key): value for key, value in item.items()}


# --- CSV --------------------------------------------------------------------------------------------------------------


def _table(path: Path, stream: Stream) -> Iterator[tuple[int, Row | UnusableRow]]:
    # bytes that are no UTF-8 become lone surrogates, so that one bad row costs only itself
    with io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        first = lines.readline(LONGEST_LINE)
        if not first.strip():
            return
        delimiter = max(DELIMITERS, key=first.count)
        header = [column_name(name) for name in next(csv.reader([first], delimiter=delimiter))]
        if "\0" in first or len(set(header)) < len(header):
            raise UsageError(
                "its first line does not name its columns, each once.",
                resource=f"{path}:1",
                next_step="The first line of a CSV file names the columns: text,sentiment",
            )
        yield from _cells_of(csv.reader(lines, delimiter=delimiter), header)


def _cells_of(reader: Any, header: list[str]) -> Iterator[tuple[int, Row | UnusableRow]]:
    while True:
        line = reader.line_num + 2  # the header was read before
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, UnusableRow(f"not CSV ({error})")
            continue
        if any(cell.strip() for cell in cells):
            yield line, _cells(header, cells)


def _cells(header: list[str], cells: list[str]) -> Row | UnusableRow:
    if len(cells) != len(header):
        return UnusableRow("another number of cells than the first line has")
    if any("\udc80" <= character <= "\udcff" for cell in cells for character in cell):
        return UnusableRow(_NOT_UTF8)
    return {name: cell if cell.strip() else None for name, cell in zip(header, cells, strict=True)}
