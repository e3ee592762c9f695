"""The few words that systemd wants to hear of a daemon (sd_notify(3)): it is ready, it is well, it stops. Silent where
nobody listens."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from social.clock import monotonic


def tell(message: str) -> None:
    """Send ``message`` (``READY=1``) to the socket that systemd named, if there is one."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # an abstract socket
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.connect(address)
        line.sendall(message.encode())


class Watchdog:
    """Tells systemd twice in its own interval that the daemon is well. Where it is not, it keeps silent, and systemd starts
    it anew."""

    def __init__(self) -> None:
        microseconds = os.environ.get("WATCHDOG_USEC", "")
        mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._every = int(microseconds) / 2_000_000 if microseconds.isdigit() and mine else None
        self._last = 0.0

    def pat(self, *, well: bool) -> None:
        """Call often; it tells when it is time."""
        if self._every is not None and well and monotonic() - self._last >= self._every:
            self._last = monotonic()
            tell("WATCHDOG=1")
