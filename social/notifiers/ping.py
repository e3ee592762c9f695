"""A dead man's switch: an address that is asked while all is well. Whoever runs it tells people when the asking stops."""

from __future__ import annotations

from urllib.parse import urlsplit

from social.domain.errors import ConfigurationError, Unreachable
from social.notifiers import hush_libraries
from social.ports import CredentialStore

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
#: Machine seconds: to connect, and between two bytes of the answer.
_TIMEOUT = (5.0, 10.0)


class Ping:
    """``address``: an https address, or the name of a credential whose part ``url`` is one."""

    def __init__(self, address: str, credentials: CredentialStore) -> None:
        self._resource = "[notify] ping"
        self._url = address if "://" in address else credentials.load(address).get("url", "")
        parts = urlsplit(self._url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            # not repeated: such addresses are secrets
            raise ConfigurationError(
                "it is not an https address.",
                resource=self._resource,
                next_step='Its credential needs one line: url = "https://...".',
            )

    def send(self) -> None:
        """Ask once. Raises ``Unreachable``."""
        import requests

        hush_libraries()
        try:
            # no redirect: it could lead to another host, or out of TLS
            with requests.get(self._url, timeout=_TIMEOUT, allow_redirects=False, stream=True) as answer:
                status = answer.status_code
        except requests.RequestException as error:
            raise Unreachable(f"nobody answers ({type(error).__name__}).", resource=self._resource) from None
        if not 200 <= status < 300:
            raise Unreachable(f"the answer is {status}.", resource=self._resource)
