"""A ``requests`` session for client libraries that would wait for ever, retry, follow redirects or leak a token.

Given to the library as its session: it sends to ``base_url`` instead of the library's fixed host, bounds every wait and
every answer, never sends anything twice, and turns whatever goes wrong into ``social.domain.errors`` before the library
sees it.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import requests
from requests.adapters import HTTPAdapter
from requests.utils import should_bypass_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError

from connectors.breaker import Breaker
from connectors.kit import MAX_BODY, NetworkSettings, failure, http_date, lost, quoted, unreached
from social.clock import monotonic, too_late_to_leave
from social.domain.errors import ConnectorError, Unreachable
from social.ports import Clock

#: Looks at every answer first: notes quotas, raises the network's own errors. ``publishes`` as in ``exchange``.
Inspect = Callable[[requests.Response, bool], None]
READS = frozenset({"GET", "HEAD"})
#: No answer of any network is nested so deeply; what is would break whoever reads it further down.
DEEPEST = 64


class NetworkSession(requests.Session):
    """One connector's way out. ``origin`` is the address that its library has built in (``https://host``).

    Raises only ``ConnectorError`` kinds: for a request that publishes, ``Unreachable`` if it surely never left,
    ``Uncertain`` if it may have been accepted.
    """

    def __init__(
        self, *, origin: str, settings: NetworkSettings, clock: Clock, resource: str, inspect: Inspect | None = None
    ) -> None:
        super().__init__()
        self._origin = origin.rstrip("/")
        self._base_url = settings.base_url
        self._timeout = settings.timeout
        self._total = settings.total_timeout
        self._clock = clock
        self._resource = resource
        self._inspect = inspect
        self._breaker = Breaker(clock, resource)
        #: How far the network's clock was ahead of ours at its last answer; ``None`` where it does not say.
        self.ahead: timedelta | None = None
        self._follow_environment()
        adapter = _BoundedAdapter(settings.total_timeout)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def _follow_environment(self) -> None:
        # trust_env would also read ~/.netrc and put its password over our token; take only proxies and certificates
        self.trust_env = False
        if not should_bypass_proxies(self._base_url, no_proxy=None):
            self.proxies.update(getproxies())
        self.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """What the library calls. Whatever is not a read counts as publishing."""
        if args:
            raise TypeError("pass everything but method and url by name")
        verb, address = (value.decode() if isinstance(value, bytes) else value for value in (method, url))
        return self.exchange(verb, address, publishes=verb.upper() not in READS, **kwargs)

    def exchange(self, method: str, url: str, *, publishes: bool, **kwargs: Any) -> requests.Response:
        """One request, one answer with its whole body, status 2xx and a JSON object in it; anything else is raised."""
        # before signing, so that a signature is made for the address that is really called
        kwargs.update(timeout=(self._timeout, self._timeout), allow_redirects=False, stream=True)
        target = self._directed(url)
        self._breaker.require_closed()
        deadline = monotonic() + self._total
        problem: ConnectorError | None = None
        try:
            response = super().request(method, target, **kwargs)
            with _connection_of(response):
                _read_body(response, deadline)
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            problem = self._lost_in_transport(method, target, error, publishes)
        if problem is not None:
            self._breaker.failed()
            # outside the except block: the library's exception holds the URL, and the URL may hold the token
            raise problem
        self._note(response)
        if self._inspect is not None:
            self._inspect(response, publishes)
        self._require_success(response, publishes)
        return response

    def _note(self, response: requests.Response) -> None:
        """Whether the network is well, and what its clock says."""
        well = response.status_code < 500 and (response.status_code >= 300 or answer_of(response) is not None)
        (self._breaker.answered if well else self._breaker.failed)()
        told = http_date(response.headers.get("date"))
        self.ahead = None if told is None else told - self._clock.now()

    def _directed(self, url: str) -> str:
        if not url.startswith(self._origin + "/"):
            elsewhere = quoted(urlsplit(url).netloc or "nowhere")
            raise Unreachable(f"a request to {elsewhere}, not this network, was stopped.", resource=self._resource)
        return self._base_url + url.removeprefix(self._origin)

    def _lost_in_transport(self, method: str, url: str, error: Exception, publishes: bool) -> ConnectorError:
        where = urlsplit(url)
        left, cure = not _never_left(error), "Check the network: social doctor"
        told = unreached(f"{method} {where.path}", where.netloc, _root(error), connected=left)
        return lost(told, publishes=publishes and left, resource=self._resource, next_step="" if left else cure)

    def _require_success(self, response: requests.Response, publishes: bool) -> None:
        if not 200 <= response.status_code < 300:
            raise failure(
                response.status_code,
                publishes=publishes,
                resource=self._resource,
                now=self._clock.now(),
                headers=response.headers,
                detail=response.reason or "",
            )
        if answer_of(response) is None:
            told = f"the network answered {response.status_code} without a JSON object"
            raise lost(told, publishes=publishes, resource=self._resource)


def answer_of(response: requests.Response) -> Mapping[str, Any] | None:
    """The JSON object in an answer, or ``None``: a proxy's HTML page, a torn text, a bare list, a bottomless nesting."""
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) and not _bottomless(answer, response.content) else None


def _bottomless(answer: Any, body: bytes) -> bool:
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return False  # not enough brackets for it
    level, depth = [answer], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            return True
        level = [
            part
            for node in level
            for part in (node.values() if isinstance(node, dict) else node)
            if isinstance(part, dict | list)
        ]
    return False


@contextmanager
def _connection_of(response: requests.Response) -> Any:
    """Give the connection back to the pool after a whole answer, throw it away after a broken one."""
    try:
        yield
    except BaseException:
        response.raw.close()
        raise
    response.raw.release_conn()


def _read_body(response: requests.Response, deadline: float) -> None:
    body = bytearray()
    # 16 KiB a step also bounds what a compressed bomb can become before the size is looked at
    while chunk := response.raw.read1(16 * 1024, decode_content=True):
        body += chunk
        if len(body) > MAX_BODY:
            raise requests.ConnectionError(f"the answer is longer than {MAX_BODY} bytes")
        if monotonic() > deadline:
            raise requests.Timeout("the answer took too long as a whole")
    response._content = bytes(body)
    response._content_consumed = True  # type: ignore[attr-defined]  # requests' own mark that the stream is used up


def _root(error: BaseException) -> str:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return str(reason if reason is not None else error)


def _never_left(error: Exception) -> bool:
    """No connection was made, so nothing was sent."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    # not InvalidURL or UnicodeDecodeError: requests raises these for the answer's Location header as well
    return isinstance(error, requests.ConnectTimeout | UnicodeEncodeError) or isinstance(reason, NewConnectionError)


class _BoundedAdapter(HTTPAdapter):
    """Also bounds the time until the last header, which a read time-out (between two bytes) does not."""

    def __init__(self, total: float) -> None:
        self._total = total
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pools(self._total)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _pools(self._total)
        return manager


def _pools(total: float) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def send(self, data: Any) -> None:
            _require_in_time(self)
            super().send(data)

        def getresponse(self) -> Any:
            with _hanging_up(self, total):
                return super().getresponse()

    class Encrypted(HTTPSConnection):
        def send(self, data: Any) -> None:
            _require_in_time(self)
            super().send(data)

        def getresponse(self) -> Any:
            with _hanging_up(self, total):
                return super().getresponse()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


def _require_in_time(connection: HTTPConnection) -> None:
    """The last line before the wire: if this process slept since it decided to send, somebody else may be sending by now.
    What has left so far is at most a head without its body, which no server acts on."""
    if connection.sock is None:
        connection.connect()
    if too_late_to_leave():
        raise NewConnectionError(connection, "stopped: too late to send this now")


@contextmanager
def _hanging_up(connection: HTTPConnection, after: float) -> Any:
    def hang_up() -> None:
        if connection.sock is not None:
            with suppress(OSError):
                # not the TLS socket's own shutdown, which would first wait for the other side
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    with _WATCH.unless_done_within(after, hang_up):
        yield


class _Watch:
    """One thread for the deadlines of all requests: a timer each would start a thread for every request."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[object, tuple[float, Callable[[], None]]] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def unless_done_within(self, seconds: float, action: Callable[[], None]) -> Any:
        mine, deadline = object(), monotonic() + seconds
        with self._changed:
            soonest = all(deadline < other for other, _ in self._waiting.values())
            self._waiting[mine] = (deadline, action)
            if self._thread is None or not self._thread.is_alive():  # not alive: this process was forked
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            elif soonest:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._waiting.pop(mine, None)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = monotonic()
                for mine, (deadline, action) in list(self._waiting.items()):
                    if deadline <= now:
                        del self._waiting[mine]
                        action()
                soonest = min((deadline for deadline, _ in self._waiting.values()), default=None)
                self._changed.wait(None if soonest is None else max(0.0, soonest - monotonic()))


_WATCH = _Watch()
