"""A network that fails again and again is left alone for a while, so that it holds up nobody who waits for another one.

Every lane of the desk would else stand in a time-out of the sick network, over and over. The pause is in world time, grows
with every further failure up to a cap, and differs a little from profile to profile, so that they do not all come back at
once. Whoever asks meanwhile is told at once that nothing was sent.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from random import Random

from social.domain.errors import Unreachable
from social.ports import Clock

#: So many failures in a row are bad luck.
FAILURES = 3
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=5)


class Breaker:
    """Of one way out. Safe for several threads: those whose requests were on their way already may still fail or answer."""

    def __init__(self, clock: Clock, resource: str) -> None:
        self._clock = clock
        self._resource = resource
        # the same for the same profile, so that a stepped world goes the same way every time
        self._dice = Random(resource)
        self._lock = threading.Lock()
        self._failures = 0
        self._until: datetime | None = None

    def require_closed(self) -> None:
        """Raises ``Unreachable`` during a pause: nothing was sent."""
        with self._lock:
            until, failures = self._until, self._failures
        now = self._clock.now()
        # a pause that seems longer than any can be: the machine's clock was set back
        if until is not None and now < until <= now + LONGEST_PAUSE:
            seconds = max(1, round((until - now).total_seconds()))
            told = f"the network failed {failures} times in a row and is not asked again for {seconds} s."
            raise Unreachable(told, resource=self._resource)

    def failed(self) -> None:
        """No usable answer."""
        with self._lock:
            self._failures += 1
            beyond = self._failures - FAILURES
            if beyond >= 0:
                pause = min(FIRST_PAUSE * 2 ** min(beyond, 16), LONGEST_PAUSE)
                self._until = self._clock.now() + pause * self._dice.uniform(0.8, 1.0)

    def answered(self) -> None:
        """An answer, be it a refusal."""
        with self._lock:
            self._failures, self._until = 0, None
