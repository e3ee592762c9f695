"""Passwords: argon2id by its library's own parameters, a few at a time, because each costs half a second of a core."""

from __future__ import annotations

import threading

from social.domain.errors import DyzurError

SHORTEST = 10
LONGEST = 200
_AT_ONCE = threading.Semaphore(2)


def checked(password: str, again: str) -> str:
    """A password that may be kept. Raises ``DyzurError``."""
    if password != again:
        raise DyzurError("the two passwords differ.", next_step="Type the same one twice.")
    if not SHORTEST <= len(password) <= LONGEST:
        raise DyzurError(
            f"a password has {SHORTEST} to {LONGEST} characters.", next_step="Three or four words make a good one."
        )
    return password


def hashed(password: str) -> str:
    from argon2 import PasswordHasher

    with _AT_ONCE:
        return PasswordHasher().hash(password)


def matches(password: str, stored: str | None) -> bool:
    """Costs the same for a name that does not exist (``stored`` is ``None``), so that nobody can find out names."""
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    hasher = PasswordHasher()
    with _AT_ONCE:
        try:
            return hasher.verify(stored or _nobodys(hasher), password[:LONGEST]) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


_nobody: list[str] = []


def _nobodys(hasher: object) -> str:
    from argon2 import PasswordHasher

    assert isinstance(hasher, PasswordHasher)
    if not _nobody:
        _nobody.append(hasher.hash("nobody's"))
    return _nobody[0]
