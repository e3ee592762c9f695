"""Where an address of a database must hold no secret: behind its question mark nothing hides one."""

from __future__ import annotations

from collections.abc import Iterable

#: Parameters of libpq that are secrets themselves (manual, "Parameter Key Words"), and what people write for one.
_SECRET = frozenset(
    {"password", "passwd", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}
)


def secret_parameters(names: Iterable[str]) -> list[str]:
    """Those of ``names``, the parameters of an address, whose values are secrets."""
    return [name for name in names if name.strip().lower() in _SECRET]
