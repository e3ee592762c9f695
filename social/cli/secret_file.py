"""A credential's file: mode 0600 from its first byte, whole or not at all, over another only where that is renewed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from social.domain.errors import ConfigurationError, Conflict
from social.ownership import same_owner
from social.ports import Secrets
from social.secrets import keep_out_of_sight


class SecretFile:
    """A ``CredentialStore`` over one file that is being made. What a network renews while the access is tried is written
    down at once if it was asked for; the rest (a session) is the running desk's to make again."""

    def __init__(self, path: Path, parts: Mapping[str, str]) -> None:
        keep_out_of_sight(parts)
        self.path = path
        self._kept = dict(parts)
        self._passing: dict[str, str] = {}

    def create(self, *, like: Path) -> None:
        """Write it; ``like`` has the owner that it gets. Raises ``Conflict`` where it is there already."""
        folder = self.path.parent
        try:
            if not folder.is_dir():
                folder.mkdir(parents=True, mode=0o700)
                same_owner(folder, like)
            fresh = self._written()
            try:
                same_owner(fresh, like)
                if not self._linked(fresh):
                    raise taken(self.path)
            finally:
                fresh.unlink()
        except OSError as error:
            raise self._trouble(error) from None

    def _linked(self, fresh: Path) -> bool:
        """Unlike a rename, a link never goes over another file."""
        try:
            os.link(fresh, self.path)
        except FileExistsError:
            return False
        return True

    def take_place_of(self, old: Path) -> None:
        """An access that was tried goes over the one that it renews, in one step; a link stays a link."""
        place = Path(os.path.realpath(old))
        try:
            if place.exists():
                same_owner(self.path, place)
            self.path.replace(place)
        except OSError as error:
            raise self._trouble(error) from None
        self.path = old

    def remove(self) -> None:
        with suppress(OSError):
            self.path.unlink()

    def load(self, name: str) -> Secrets:
        return Secrets({**self._kept, **self._passing})

    def save(self, name: str, parts: Mapping[str, str]) -> None:
        keep_out_of_sight(parts)
        self._passing.update({part: value for part, value in parts.items() if part not in self._kept})
        renewed = {part: value for part, value in parts.items() if part in self._kept}
        if renewed:
            self._kept.update(renewed)
            try:
                fresh = self._written()
                same_owner(fresh, self.path)
                fresh.replace(self.path)
            except OSError as error:
                raise self._trouble(error) from None

    def _written(self) -> Path:
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        with suppress(FileNotFoundError):
            fresh.unlink()
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            # a JSON string is a TOML basic string
            stream.writelines(
                f"{part} = {json.dumps(value, ensure_ascii=False)}\n" for part, value in self._kept.items()
            )
            stream.flush()
            os.fsync(stream.fileno())
        return fresh

    def _trouble(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(
            f"the secret cannot be written ({error.strerror}).",
            resource=str(self.path),
            next_step="Make that folder writable, or name another in [secrets] directory.",
        )


def taken(path: Path) -> Conflict:
    return Conflict(
        "this secret file is there already and is never overwritten.",
        resource=str(path),
        next_step="Move it away, or choose another name for the profile.",
    )
