"""One key at a time from a terminal; one line at a time from whatever else stands at standard input."""

from __future__ import annotations

import codecs
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from social.cli.command import say

_END, _ESCAPE = "\x04", "\x1b"
#: What a key sends in several bytes comes within this.
_REST_SECONDS = 0.02


class Keys(Protocol):
    """``key`` is ``""`` for Enter; ``None`` says that nobody types any more."""

    def key(self) -> str | None: ...

    def line(self, prompt: str) -> str | None: ...


@contextmanager
def keys_of_stdin() -> Iterator[Keys]:
    """The terminal is as it was afterwards, whatever happens. Ctrl-C interrupts as everywhere."""
    if not sys.stdin.isatty():
        yield _Lines()
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor, termios.TCSADRAIN)
    try:
        yield _Terminal(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class _Lines:
    """For pipes and scripts."""

    def key(self) -> str | None:
        return self.line("")

    def line(self, prompt: str) -> str | None:
        line = sys.stdin.readline()
        return line.strip() if line else None


class _Terminal:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def key(self) -> str | None:
        character = self._character()
        if character == _ESCAPE:  # an arrow or a function key: what follows is its rest, not answers
            while select.select([self._descriptor], [], [], _REST_SECONDS)[0] and os.read(self._descriptor, 16):
                pass
            return _ESCAPE
        return "" if character in ("\r", "\n") else None if character in (_END, "") else character

    def line(self, prompt: str) -> str | None:
        print(prompt, end="", file=sys.stderr, flush=True)
        typed = ""
        while (character := self._character()) not in ("\r", "\n"):
            if character in (_END, ""):
                say()
                return None
            if character in ("\x7f", "\b"):
                typed = typed[:-1]
                print("\b \b", end="", file=sys.stderr, flush=True)
            elif character.isprintable():
                typed += character
                print(character, end="", file=sys.stderr, flush=True)
        say()
        return typed.strip()

    def _character(self) -> str:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while byte := os.read(self._descriptor, 1):
            if character := decoder.decode(byte):
                return character
        return ""
