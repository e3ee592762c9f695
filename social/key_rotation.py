"""A new key for what is sealed: at no moment, and after no kill, is anything unreadable.

The new key is in the file before anything is sealed with it, and an old one leaves the file only when everything is proven
to open without it. In between the file holds both, and whoever reads it (a running desk does so for every use) opens both.
All of it happens in transactions that exclude every save, in other processes and on other machines too, so that nobody
can seal with a key that has gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from social.domain.errors import ConfigurationError, Conflict
from social.secrets import KeyFile, SealedParts, SealedRows


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """``sealed``: names of the credentials sealed anew. ``keys``: how many the file holds now."""

    sealed: tuple[str, ...]
    keys: int


def _quiet(step: str) -> None:
    """Nobody watches."""


class KeyRotation:
    """``at`` hears of every step that has just happened; the tests kill the program there.

    On one machine ``rotate`` does it all. Where several have a copy of the file each, ``add``, ``seal`` and ``drop`` are
    called on one of them, and the file is copied to the others after each.
    """

    def __init__(self, key: KeyFile, sealed: SealedParts, *, at: Callable[[str], None] = _quiet) -> None:
        self._key = key
        self._sealed = sealed
        self._at = at

    def rotate(self) -> Rotated:
        """A new key, everything sealed with it, the old ones gone. Raises ``ConfigurationError``, ``Conflict``."""
        with self._sealed.exclusive() as rows:
            keys = self._keys(rows)
            names = self._seal_with([Fernet.generate_key(), *keys], rows)
        self._at("committed")
        return Rotated(sealed=names, keys=self.drop().keys)

    def add(self) -> Rotated:
        """A new key at the end of the file: it opens, and seals nothing yet."""
        with self._sealed.exclusive() as rows:
            keys = [*self._keys(rows), Fernet.generate_key()]
            self._key.replace(keys)
        return Rotated(sealed=(), keys=len(keys))

    def seal(self) -> Rotated:
        """The last key of the file becomes the first, and seals everything anew; the others stay."""
        with self._sealed.exclusive() as rows:
            keys = self._keys(rows)
            if len(keys) < 2:
                raise Conflict(
                    "the key file holds one key only, so there is no new one to seal with.",
                    resource=str(self._key.path),
                    next_step="Begin with: social secrets rotate-key --step add",
                )
            names = self._seal_with([keys[-1], *keys[:-1]], rows)
        self._at("committed")
        return Rotated(sealed=names, keys=len(keys))

    def drop(self) -> Rotated:
        """All keys but the first leave the file. What another machine sealed with one of them meanwhile is sealed anew."""
        with self._sealed.exclusive() as rows:
            keys = self._keys(rows)
            strays = [name for name, sealed in rows.all().items() if not _opens(keys[:1], sealed)]
            _seal_anew(keys, rows, strays)
        self._at("strays sealed")
        with self._sealed.exclusive() as rows:
            keys = self._keys(rows)
            if left := [name for name, sealed in rows.all().items() if not _opens(keys[:1], sealed)]:
                raise Conflict(
                    f"{', '.join(left)}: sealed with an old key just now, so the old keys stay.",
                    resource=str(self._key.path),
                    next_step="Give every machine this file, then try again.",
                )
            if len(keys) > 1:
                self._key.replace(keys[:1])
        self._at("old keys dropped")
        return Rotated(sealed=tuple(strays), keys=1)

    def _seal_with(self, keys: Sequence[bytes], rows: SealedRows) -> tuple[str, ...]:
        self._key.replace(keys)
        self._at("new key written")
        names = tuple(rows.all())
        _seal_anew(keys, rows, names)
        self._at("sealed")
        return names

    def _keys(self, rows: SealedRows) -> list[bytes]:
        """The file's keys, proven to open everything: a rotation must not bury what is lost already."""
        there = rows.all()
        if not there and not self._key.path.exists():
            raise Conflict(
                "nothing has been sealed yet, so there is no key to change.",
                resource=str(self._key.path),
                next_step="The desk makes one when it first renews a credential.",
            )
        self._key.cipher()  # says what is wrong with the file
        keys = self._key.keys()
        if shut := [name for name, sealed in there.items() if not _opens(keys, sealed)]:
            raise ConfigurationError(
                f"none of its keys opens what was kept for {', '.join(shut)}; nothing was changed.",
                resource=str(self._key.path),
                next_step="Bring the old key back as a further line of that file.",
            )
        return keys


def _opens(keys: Sequence[bytes], sealed: bytes) -> bool:
    try:
        MultiFernet([Fernet(key) for key in keys]).decrypt(sealed)
    except InvalidToken:
        return False
    return True


def _seal_anew(keys: Sequence[bytes], rows: SealedRows, names: Sequence[str]) -> None:
    cipher = MultiFernet([Fernet(key) for key in keys])
    there = rows.all()
    for name in names:
        rows.put(name, cipher.rotate(there[name]))
