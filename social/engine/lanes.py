"""The threads that work: a lane for each loop, and the ear that hears other machines."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from contextlib import closing
from typing import Any

from social import clock
from social.store import wakes
from social.store.session import Database

log = logging.getLogger("social.daemon")

#: How often the ear asks whether its connection still lives, and how long it waits before a new one (machine seconds).
LISTEN_SECONDS, RECONNECT_SECONDS = 1.0, (0.5, 1.0, 2.0, 5.0)


class Lane:
    """One thread that works whenever it is woken; a wake in the middle of the work makes it work once more, so that none is
    lost and a hundred are one. It is a daemon thread: what hangs in it does not hold up the end of the process."""

    def __init__(self, name: str, work: Callable[[], None], *, woken_by: str, at_least_every: float) -> None:
        self.name = name
        self.woken_by = woken_by
        self._work = work
        self._at_least_every = at_least_every
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wanted.set()

    def ask_to_stop(self) -> None:
        self._stopping.set()
        self._wanted.set()

    def stopped(self, *, by: float) -> bool:
        """Wait for its end until ``by`` (monotonic)."""
        if self._thread.ident is None:
            return True
        self._thread.join(max(0.0, by - clock.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._wanted.wait(self._at_least_every)
            self._wanted.clear()
            if self._stopping.is_set():
                return
            self._work()


class Listener:
    """Hears PostgreSQL's NOTIFY on a connection of its own and passes it on. What it misses while it has none is found by
    the ticks; after a new connection everybody looks once."""

    def __init__(self, database: Database, bell: Callable[[Collection[str]], None]) -> None:
        self._database = database
        self._bell = bell
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._stopping.set()

    def stopped(self, *, by: float) -> bool:
        """Wait for its end until ``by`` (monotonic)."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, by - clock.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                with closing(self._database.driver_connection()) as connection:
                    connection.execute(f"LISTEN {wakes.CHANNEL}")
                    if failures:
                        log.info("hears the other machines again")
                    failures = 0
                    self._bell(wakes.EVERYBODY)
                    self._listen(connection)
            except Exception as error:  # noqa: BLE001 whatever happened to it: the ticks go on, and it tries again
                if not failures and not self._stopping.is_set():
                    log.warning(
                        "does not hear the other machines, looks at every tick instead: %s", type(error).__name__
                    )
                self._stopping.wait(RECONNECT_SECONDS[min(failures, len(RECONNECT_SECONDS) - 1)])
                failures += 1

    def _listen(self, connection: Any) -> None:
        while not self._stopping.is_set():
            for heard in connection.notifies(timeout=LISTEN_SECONDS):
                self._bell(frozenset(heard.payload.split(",")))
                if self._stopping.is_set():
                    return
            connection.execute("SELECT 1")  # silence may be the network's, not the others'
