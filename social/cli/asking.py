"""Questions on the terminal, in the user's language; or (``silent``) what was given and the defaults."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import typer

from social.cli.command import say
from social.redaction import remember

LANGUAGES = ("pl", "en")
NOTHING = "-"


def spoken_language(given: str | None) -> str:
    """``--lang``, or what this terminal speaks."""
    if given is not None:
        if given not in LANGUAGES:
            raise typer.BadParameter(f"{given!r}: choose {' or '.join(LANGUAGES)}", param_hint="--lang")
        return given
    spoken = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "pl" if spoken.lower().startswith("pl") else "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks on stderr, reads from stdin. ``words`` has ``again``, ``yes_no``, ``yes``, ``no`` in the user's language."""

    words: Mapping[str, Any]
    silent: bool
    silenced_by: str = "--yes"

    def text(
        self, question: str, *, given: str | None, default: str | None, check: Callable[[str], Any], option: str
    ) -> Any:
        """The checked answer; a wrong one is asked again, or refused where nobody can be asked. ``check`` raises
        ``ValueError``; ``option`` is how a script answers."""
        while True:
            answer = given if given is not None else (default if self.silent else self._read(question, default))
            if answer is None:
                raise typer.BadParameter(f"{question}: {self.silenced_by} needs {option}")
            try:
                return check("" if answer.strip() == NOTHING else answer.strip())
            except ValueError as problem:
                if given is not None or self.silent:
                    raise typer.BadParameter(f"{question}: {problem}") from None
                say(self.words["again"].format(problem=problem))

    def hidden(self, question: str) -> str:
        """A secret, never shown while it is typed; a line of stdin where that is no terminal."""
        while True:
            secret = self._typed_blindly(question) if sys.stdin.isatty() else self._line(f"{question}: ")
            if secret.strip():
                remember([secret.strip()])
                return secret.strip()
            if self.silent:
                raise typer.BadParameter(f"{question}: an empty line came from standard input")

    def _typed_blindly(self, question: str) -> str:
        try:
            return getpass.getpass(f"{question}: ", stream=sys.stderr)
        except EOFError:
            say()
            raise self._nobody() from None

    def choice(self, question: str, *, given: bool | None, default: bool) -> bool:
        if given is not None or self.silent:
            return default if given is None else given
        letters = self.words["yes_no"]
        shown = letters.split("/")[0 if default else 1]
        while True:
            answer = self._read(f"{question} ({letters})", shown).strip().lower()
            if answer in self.words["yes"]:
                return True
            if answer in self.words["no"]:
                return False

    def _read(self, question: str, default: str | None) -> str:
        return self._line(f"{question}{f' [{default}]' if default else ''}: ").strip() or (default or "")

    def _line(self, prompt: str) -> str:
        print(prompt, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            say()
            raise self._nobody()
        return line

    def _nobody(self) -> typer.BadParameter:
        return typer.BadParameter(f"nobody answers: give the answers as options, with {self.silenced_by}")
