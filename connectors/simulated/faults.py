"""What can go wrong between a client and a network, scripted: per network, method, path and count.

Generic faults act in the server, so no dialect needs to know them. Page faults (``PAGE_FAULTS``) are asked for by the
dialect where it makes a page: ``if request.fault("duplicate-page"): ...``.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

#: Before the dialect sees the request (nothing is applied).
BEFORE = frozenset({"latency", "reset", "half-open", "status", "html"})
#: After the dialect has answered (a write is applied). ``content-type``: the same JSON under another name. ``date``: a
#: ``Date`` header that is ``seconds`` ahead of the world; without it a simulated network has no clock to tell.
AFTER = frozenset(
    {
        "drop-answer",
        "truncated",
        "trickle",
        "extra-fields",
        "bad-gateway",
        "huge-body",
        "gzip-bomb",
        "content-type",
        "date",
    }
)
#: Asked for by dialects with ``request.fault(kind)``.
#: ``duplicate-page``: the first page again, and its token. ``endless-pages``: the first page again under an ever new token.
#: ``overlap-page``: a page begins with the last posts of the one before.
PAGE_FAULTS = frozenset(
    {"duplicate-page", "endless-pages", "overlap-page", "reorder", "missing-fields", "empty-page", "expired-cursor"}
)
KINDS = BEFORE | AFTER | PAGE_FAULTS
#: What a 429 says of its end: the truth, nothing, nonsense, a time that is over, one that nobody lives to see.
RESETS = ("valid", "missing", "broken", "past", "years")
#: How many posts of the page before an overlapping page repeats.
OVERLAP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """``count`` requests that match get it; ``None`` means until cleared. Empty ``network``/``method`` match all;
    ``path`` is a regular expression searched in the path without the network prefix.

    ``seconds``: machine time, of the latency, of each byte (``trickle``) or until a half-open connection is closed; for
    ``date``, world time. ``status``: for ``status`` faults (401, 403, 429, 5xx ...). ``reset``: for 429, one of ``RESETS``;
    ``reset_after``: world seconds until the limit resets.
    """

    kind: str
    network: str = ""
    method: str = ""
    path: str = ""
    count: int | None = 1
    seconds: float = 0.0
    status: int = 500
    reset: str = "valid"
    reset_after: float = 900.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known: {', '.join(sorted(KINDS))}")
        if self.reset not in RESETS:
            raise ValueError(f"reset must be one of {', '.join(RESETS)}, got {self.reset!r}")
        if self.count is not None and self.count < 1:
            raise ValueError(f"count must be at least 1 (or null for every request), got {self.count}")
        if self.seconds < 0 and self.kind != "date":
            raise ValueError(f"seconds must not be negative, got {self.seconds}")
        if not 400 <= self.status <= 599:
            raise ValueError(f"status must be an error's, 400 to 599, got {self.status}")
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"path is not a regular expression: {error}") from None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Fault:
        """From the control API. Raises ``ValueError`` naming what is wrong."""
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"a fault does not fit: {error}") from None

    def matches(self, network: str, method: str, path: str) -> bool:
        return (
            self.network in ("", network)
            and self.method.upper() in ("", method)
            and (not self.path or re.search(self.path, path) is not None)
        )


class FaultScript:
    """The faults still to come. Thread-safe."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._over = threading.Event()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """No more of them; whoever still hangs in one is let go."""
        with self._lock:
            self._faults.clear()
            self._over.set()
            self._over = threading.Event()

    def hold(self, seconds: float) -> bool:
        """Hang for so long (machine time), or until the faults are cleared: then true."""
        return self._over.wait(seconds)

    def pending(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def take(self, kinds: frozenset[str], network: str, method: str, path: str) -> list[Fault]:
        """The faults of ``kinds`` that hit this request, at most one a kind, and count them down."""
        taken: dict[str, Fault] = {}
        with self._lock:
            kept: list[Fault] = []
            for fault in self._faults:
                if fault.kind in kinds and fault.kind not in taken and fault.matches(network, method, path):
                    taken[fault.kind] = fault
                    if fault.count is None:
                        kept.append(fault)
                    elif fault.count > 1:
                        kept.append(replace(fault, count=fault.count - 1))
                else:
                    kept.append(fault)
            self._faults = kept
        return list(taken.values())
