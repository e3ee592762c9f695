"""The desk's web server, in a thread of the daemon or alone."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn

from social.domain.errors import DyzurError
from social.web.app import create_app
from social.web.desk import WebDesk

#: A stream of signals stays open for ever: a stop ends it after so many seconds instead of waiting for the browser.
GRACE_SECONDS = 3


class _Server(uvicorn.Server):
    """Leaves signals to the daemon, and tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.up.set()


class WebServer:
    """``start`` listens before it returns (or says why it cannot); ``stop`` ends within seconds."""

    def __init__(self, desk: WebDesk) -> None:
        self._desk = desk
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.port = desk.settings.web.port

    def start(self) -> None:
        web = self._desk.settings.web
        config = uvicorn.Config(
            create_app(self._desk),
            host=web.host,
            port=web.port,
            log_config=None,
            access_log=False,  # addresses hold one-time links
            server_header=False,
            proxy_headers=web.behind_proxy,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        server = _Server(config)
        try:
            listener = socket.create_server((web.host, web.port), family=_family(web.host), backlog=config.backlog)
        except OSError:
            raise DyzurError(
                f"port {web.port} of {web.host} cannot be listened on.",
                resource="[web] port",
                next_step="Another program has it: stop that one, or choose another port (0: a free one).",
            ) from None
        self.port = listener.getsockname()[1]
        self._server = server
        self._thread = threading.Thread(target=server.run, args=([listener],), name="web", daemon=True)
        self._thread.start()
        if not server.up.wait(15):
            raise DyzurError("the desk's pages did not start.", next_step="The log says why.")

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(GRACE_SECONDS + 5)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
