"""Ways to reach the brand's own people: e-mail, other services, a dead man's switch; and the words of the messages."""

from __future__ import annotations

import logging


def hush_libraries() -> None:
    """They log whole addresses, and an address of a service, or of a dead man's switch, is a secret."""
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
