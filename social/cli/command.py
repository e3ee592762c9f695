"""What all verbs share: how a Typer app is made, the options of all, how results are printed.

A verb's file looks like this::

    app = new_app()

    @app.command()
    def pause(config: Config = None, as_json: Json = False) -> None:
        \"\"\"The first line is the summary of `social pause --help`.\"\"\"
"""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Default: config.toml in this folder, else the demo."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Acting = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who you are. Default: your login.")]


def new_app(**options: Any) -> typer.Typer:
    """Plain help, no completion, no coloured tracebacks: those cost start-up time and hide the sentence that matters."""
    return typer.Typer(
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )


def acting(name: str | None) -> str:
    """``--as``, or who is logged in on this machine. Raises ``UsageError`` for the names of what acts by itself: in the
    journal nobody could tell them apart."""
    from social.domain.errors import UsageError
    from social.store.users import is_a_name

    who = name or _login()
    if not is_a_name(who.strip()) or not who.isprintable():
        raise UsageError(f"{who!r} cannot be a person's name.", next_step="Say who you are: --as anna")
    return who


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without an entry for its user
        return "operator"


def text_given(text: str) -> str:
    """``-`` stands for standard input, as in other programs. Raises ``UsageError`` where nothing comes."""
    from social.domain.errors import UsageError

    if text != "-":
        return text
    read = sys.stdin.buffer.read().decode("utf-8", "replace").strip()
    if not read:
        raise UsageError("nothing came from standard input.", next_step="Pipe a text in, or write it in place of -.")
    return read


def print_json(value: object, *, pretty: bool = True) -> None:
    """One JSON document (``pretty``) or one line of JSON Lines on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2 if pretty else None, default=_plain))


def say(text: str = "") -> None:
    """For people, on stderr."""
    print(text, file=sys.stderr)


def columns(rows: Sequence[tuple[str, ...]], *, indent: int = 2) -> str:
    """Rows of text under each other."""
    if not rows:
        return ""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]) - 1)]
    padded = ((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]) for row in rows)
    return "\n".join((" " * indent + "  ".join(row)).rstrip() for row in padded)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
