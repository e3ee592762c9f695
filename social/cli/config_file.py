"""The user's own config.toml, changed by a command: a line, or a table at its end. Comments and order stay.

Every change is read back before it is written: where a line cannot be changed without changing something else, the user
is told what to write.
"""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from social.cli.inspection import problems_in
from social.domain.errors import ConfigurationError
from social.ownership import same_owner
from social.settings import DEFAULT_CONFIG, Settings, load_settings, parse_settings
from social.settings_problems import unusable
from social.toml_lines import lines

_VALUE = re.compile(r"""(\s*)("(?:\\.|[^"\\])*"|'[^']*'|\[[^\[\]]*\]|[^\s#]+)(\s*(?:#.*)?)""")


def own_settings(config: Path | None) -> tuple[Settings, Path]:
    """The user's own file, without mistakes: the shipped demo is not for real accounts."""
    settings = load_settings(config)
    if settings.source is None:
        raise ConfigurationError(
            "there is no config.toml in this folder, so nobody knows which brand answers.",
            resource=DEFAULT_CONFIG,
            next_step="Make one with: social init",
        )
    if problems := problems_in(settings):
        raise unusable(problems)
    return settings, settings.source


def called(config: Path) -> str:
    """How the next command is written down for the user."""
    return "social" if config == Path(DEFAULT_CONFIG) else f"social --config {config}"


def require_usable(text: str, settings: Settings) -> None:
    """Never write what the desk could not start with. Raises ``ConfigurationError``; ``settings`` are the present ones."""
    changed = parse_settings(text, source=settings.source, home=settings.home, environment=os.environ)
    if problems := problems_in(changed):
        raise unusable(problems)


def with_value(text: str, path: tuple[str | int, ...], value: str, *, after: str = "") -> str:
    """``text`` with ``value`` (TOML) under ``path``, such as ``("profiles", 1, "mode")``. A key that is not there yet comes
    below the key ``after`` of its table, or first in it; a table that is not there, at the end of the one that holds it.
    Raises ``ConfigurationError`` with the line to write by hand."""
    known, rows = lines(text), text.split("\n")
    key, table = str(path[-1]), path[:-1]
    if path in known:
        _replace(rows, known[path] - 1, key, value)
    elif table in known:
        below = known.get((*table, after), known[table])
        rows.insert(below, f"{key} = {value}")
    else:
        name = ".".join(str(part) for part in table if isinstance(part, str))
        place = _end_of(known, rows, table[:-1])
        rows[place:place] = ["", f"[{name}]", f"{key} = {value}"]
    changed = "\n".join(rows)
    if not _says(changed, text, path, value):
        shown = ".".join(f"{part}" for part in path)
        raise ConfigurationError(
            f"{shown} cannot be changed without touching something else.",
            resource=f"line {known.get(path) or known.get(table) or 1}",
            next_step=f"Write it by hand: {key} = {value}",
        )
    return changed


def _replace(rows: list[str], number: int, key: str, value: str) -> None:
    before, sign, rest = rows[number].partition("=")
    found = _VALUE.fullmatch(rest)
    if sign and found is not None and key in before:
        rows[number] = f"{before}={found.group(1) or ' '}{value}{found.group(3)}"


def _end_of(known: Mapping[tuple[str | int, ...], int], rows: list[str], table: tuple[str | int, ...]) -> int:
    """The row behind a table and what belongs to it; comments above the next table are that one's."""
    begins = known.get(table, len(rows))
    others = [
        line
        for path, line in known.items()
        if line > begins and path[: len(table)] != table and rows[line - 1].lstrip().startswith("[")
    ]
    end = min(others, default=len(rows) + 1) - 1
    while end > begins and (not rows[end - 1].strip() or rows[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _says(changed: str, before: str, path: tuple[str | int, ...], value: str) -> bool:
    """Does the new text say the old thing, but for ``path``?"""
    try:
        wanted, found = tomllib.loads(before), tomllib.loads(changed)
        holder: Any = wanted
        for part in path[:-1]:
            holder = holder.setdefault(part, {}) if isinstance(holder, dict) else holder[int(part)]
        holder[path[-1]] = tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, TypeError, AttributeError, IndexError):
        return False
    return bool(wanted == found)


def require_writable(path: Path) -> None:
    """Told before anything is asked: whoever typed four keys must not lose them to a read-only folder."""
    target = path.resolve()
    probe = _beside(target)
    try:
        probe.touch(mode=0o600)
        probe.unlink()
        if not os.access(target, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise ConfigurationError(
            f"this file cannot be changed ({error.strerror}).",
            resource=str(path),
            next_step="Make it and its folder writable, or let the profile be printed instead: --print",
        ) from None


def replace_text(path: Path, text: str) -> None:
    """All of it or nothing; mode and owner stay. Raises ``ConfigurationError``."""
    target = path.resolve()  # a link goes on pointing to it
    fresh = _beside(target)
    try:
        ending = "\r\n" if b"\r\n" in target.read_bytes() else "\n"
        fresh.write_text(text, encoding="utf-8", newline=ending)
        shutil.copymode(target, fresh)
        same_owner(fresh, target)
        fresh.replace(target)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise ConfigurationError(
            f"this file cannot be written ({error.strerror}).", resource=str(path), next_step="Nothing was changed."
        ) from None


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.new")
