"""The history file: JSON Lines, append-only, flushed at every line, so that it outlives whoever is killed.

First line ``{"history": 1, "start": ..., "options": {...}, "texts": fingerprint}``. Then one object a line: requests
(``{"request": ...}``: method, path, status, network; never a query string, a header or a body, so never a token) and
events (``{"event": ..., "by": "outside" | "world", "at": ...}``). Events by ``outside`` are done again at a restart.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from connectors.simulated.library import WorldOptions
from social.domain.errors import ConfigurationError

VERSION = 1


class History:
    """Appends to one file. Thread-safe. Use ``open``."""

    def __init__(self, path: Path, start: datetime, options: WorldOptions, events: list[dict[str, Any]]) -> None:
        self.path = path
        self.start = start
        self.options = options
        self.events = events  # those that the file held when it was opened
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8")
        try:
            _lock_whole(self._file)
        except OSError:
            self._file.close()
            raise ConfigurationError(
                "is being written by another simulator",
                resource=str(path),
                next_step="Stop that one or choose another --history file.",
            ) from None

    @classmethod
    def open(cls, path: Path, start: datetime, options: WorldOptions, texts: str = "") -> History:
        """Open or create. ``texts`` is the library's fingerprint. An existing file keeps its own ``start``; raises
        ``ConfigurationError`` where it belongs to a world with other options or texts, or another simulator writes it.
        A line cut off by a crash is dropped if it is the last.
        """
        wanted = json.loads(json.dumps(asdict(options)))
        lines = _lines(path)
        if not lines:
            history = cls(path, start, options, [])
            history._append({"history": VERSION, "start": start.isoformat(), "options": wanted, "texts": texts})
            return history
        head = lines[0]
        if head.get("history") != VERSION:
            raise ConfigurationError(
                "is not a history of this version", resource=f"{path}:1", next_step="Choose another --history file."
            )
        if head["options"] != wanted:
            other = ", ".join(
                f"{name} = {value!r}" for name, value in head["options"].items() if wanted.get(name) != value
            )
            raise ConfigurationError(
                f"belongs to another world ({other})",
                resource=f"{path}:1",
                next_step="Give the same options or another --history file.",
            )
        if head["texts"] != texts:
            raise ConfigurationError(
                "was written over other texts, so it would not lead to the same world",
                resource=f"{path}:1",
                next_step="Choose another --history file.",
            )
        return cls(
            path, datetime.fromisoformat(head["start"]), options, [line for line in lines[1:] if "event" in line]
        )

    def event(self, event: Mapping[str, Any]) -> None:
        """What happened in the world: pass it as ``World(record=...)``."""
        self._append(event)

    def request(
        self, *, method: str, path: str, status: int | None, network: str, at: datetime, fault: str = ""
    ) -> None:
        """One request; ``status`` is ``None`` where no answer was sent."""
        line = {"request": method, "path": path, "status": status, "network": network, "at": at.isoformat()}
        self._append({**line, "fault": fault} if fault else line)

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def _append(self, line: Mapping[str, Any]) -> None:
        with self._lock:
            if not self._file.closed:
                self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
                self._file.flush()


def _lock_whole(file: TextIO) -> None:
    """Keep other simulators off the file until it is closed. Raises ``OSError`` where one has it."""
    if sys.platform != "win32":
        import fcntl  # not on Windows, where nothing stops a second writer

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def read_history(path: Path) -> list[dict[str, Any]]:
    """All lines of a history, the first included, for demos and reports."""
    return _lines(path)


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    raw = path.read_bytes()
    whole, cut = raw.rpartition(b"\n")[0], raw.rpartition(b"\n")[2]
    if cut:  # the writer died within a line: it was never acknowledged to anybody
        path.write_bytes(whole + b"\n" if whole else b"")
    found: list[dict[str, Any]] = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise ConfigurationError(
                f"is not a history ({error})", resource=f"{path}:{number}", next_step="Choose another --history file."
            ) from None
    return found
