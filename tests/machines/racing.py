"""Several machines at one starting line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

#: Longer than anything may take on a busy machine; a race that hangs is a deadlock, and fails.
PATIENCE = 120.0


class Race:
    """Threads that are kept, and start each round at the same moment."""

    def __init__(self, runners: int) -> None:
        self._pool = ThreadPoolExecutor(runners)
        self._line = Barrier(runners)

    def __enter__(self) -> Race:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    def round(self, *works: Callable[[], Any]) -> Sequence[Any]:
        """What each of them gives back, or raises."""

        def started(work: Callable[[], Any]) -> Any:
            self._line.wait(PATIENCE)
            return work()

        return [future.result(PATIENCE) for future in [self._pool.submit(started, work) for work in works]]
