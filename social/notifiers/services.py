"""Push services, chats and whatever else apprise knows an address for. apprise is the extra ``[notify]``."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any, ClassVar

from social.domain.errors import ConfigurationError, RefusalReason, Refused, Unreachable
from social.notifiers import hush_libraries
from social.ports import CredentialStore, Message

log = logging.getLogger("social.notify")


def require_apprise() -> None:
    """Raises ``ConfigurationError`` where the extra is not installed."""
    if find_spec("apprise") is None:
        raise ConfigurationError(
            "apprise is not installed, and without it no service can be reached.",
            resource="[[notify.people]] services",
            next_step="Install it with: pip install 'dyzur[notify]'",
        )


class ServicesNotifier:
    """``Message.to`` is the name of a credential; every part of it is one address. One service that takes the message is
    enough: whoever has two would otherwise be told twice when the other one is ill."""

    channel: ClassVar[str] = "services"

    def __init__(self, credentials: CredentialStore) -> None:
        require_apprise()
        self._credentials = credentials

    def send(self, message: Message) -> None:
        services = self._opened(message.to)
        took = [part for part, service in services.items() if _took(service, message)]
        silent = sorted(set(services) - set(took))
        if not took:
            raise Unreachable("no service took the message.", resource=f"credential {message.to!r}")
        if silent:
            log.warning("%s was told, but not by: %s", message.name, ", ".join(silent))

    def check(self, credential: str) -> None:
        """Are the addresses of ``credential`` understood? Sends nothing."""
        self._opened(credential)

    def _opened(self, credential: str) -> dict[str, Any]:
        """Part -> one service. An address is never repeated: it holds the token."""
        import apprise

        hush_libraries()
        opened = {part: apprise.Apprise(url) for part, url in self._credentials.load(credential).items()}
        if wrong := sorted(part for part, service in opened.items() if len(service) != 1):
            raise Refused(
                f"apprise does not understand the address in {', '.join(wrong)}.",
                reason=RefusalReason.INVALID,
                resource=f"credential {credential!r}",
                next_step="How addresses look: https://appriseit.com/services/",
            )
        return opened


def _took(service: Any, message: Message) -> bool:
    """One attempt; apprise gives each of its requests four seconds to connect and four between two answers."""
    from apprise import NotifyFormat

    try:
        return bool(service.notify(title=message.subject, body=message.body, body_format=NotifyFormat.TEXT))
    except Exception as error:  # noqa: BLE001 a hundred plug-ins by as many authors, whose errors may quote a token
        log.warning("a service broke: %s", type(error).__name__)
        return False
