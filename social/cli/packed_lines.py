"""Lines of a file that may be packed (gzip) and may hold anything: numbered, and none of them larger than memory likes."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from io import BufferedReader

#: Bytes: far above the longest post that any network takes.
LONGEST_LINE = 1_000_000

Stream = gzip.GzipFile | BufferedReader

_GZIP = b"\x1f\x8b"


def unpacked(raw: BufferedReader) -> Stream:
    """By what the file begins with, whatever it is called."""
    return gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == _GZIP else raw


def numbered_lines(stream: Stream) -> Iterator[tuple[int, bytes]]:
    """Those that are not empty. Of a line longer than ``LONGEST_LINE`` only its beginning is kept, one byte too many."""
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = stream.readline(LONGEST_LINE + 1)
        if line.strip():
            yield number, line
