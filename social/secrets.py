"""Named credentials: from systemd, the environment or files of mode 0600; what is refreshed at run time is encrypted.

Order, first found wins for the configured part: ``$CREDENTIALS_DIRECTORY/NAME`` (systemd ``LoadCredential``),
``DYZUR_SECRET_NAME__PART`` in the environment, ``[secrets] directory``/NAME.toml. A credential is a small TOML table of
parts (``access_token = "..."``). Parts saved at run time (a rotated refresh token) win over configured ones until the
configured ones change.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from social.domain.errors import ConfigurationError
from social.ownership import make_folder, same_owner
from social.ports import Secrets
from social.redaction import remember

_FINGERPRINT = "__configured__"
#: Parts of a credential that people may see, and that would blot out half of a log.
_NO_SECRET = re.compile(r"(?:^|_)(?:id|username|user|handle|expires_at|scopes?|for|configured__)$")


def environment_name(name: str, part: str) -> str:
    return f"DYZUR_SECRET_{name.upper().replace('-', '_')}__{part.upper()}"


def configured_parts(name: str, *, directory: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The parts of ``name`` as the operator gave them; ``ConfigurationError`` says where they were looked for."""
    environment = os.environ if environment is None else environment
    parts: dict[str, str] = {}
    file = directory / f"{name}.toml"
    if file.is_file():
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            raise ConfigurationError(
                f"other users can read this secret (mode {mode:04o}).",
                resource=str(file),
                next_step=f"Close it: chmod 600 {file}",
            )
        parts.update(_read(file))
    prefix = environment_name(name, "")
    parts.update(
        {key.removeprefix(prefix).lower(): value for key, value in environment.items() if key.startswith(prefix)}
    )
    systemd = environment.get("CREDENTIALS_DIRECTORY")
    if systemd and (Path(systemd) / name).is_file():
        parts.update(_read(Path(systemd) / name))
    if not parts:
        raise ConfigurationError(
            f"the credential {name!r} was not found.",
            resource=str(file),
            next_step=f"Write that file (mode 0600) with one line a part, or set {prefix}<PART> in the environment.",
        )
    keep_out_of_sight(parts)
    return parts


def _read(file: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        # never the parser's own message: it may quote the secret
        raise ConfigurationError(
            "this secret file cannot be read as TOML.",
            resource=str(file),
            next_step='It holds lines such as access_token = "...".',
        ) from None
    wrong = [key for key, value in document.items() if not isinstance(value, str)]
    if wrong:
        raise ConfigurationError(f"the part {wrong[0]!r} is not a text in quotes.", resource=str(file))
    return document


class SealedParts(Protocol):
    """Where sealed bytes lie: the database. The key is never there."""

    def load(self, name: str) -> bytes | None: ...

    def change(self, name: str, make: Callable[[bytes | None], bytes]) -> None:
        """``make`` the new bytes of what is there now, in one transaction that is committed when this returns and that
        no ``exclusive`` one overlaps."""
        ...

    def exclusive(self) -> AbstractContextManager[SealedRows]:
        """One transaction over all of them, committed at the end of the block; every ``change`` waits for it."""
        ...


class SealedRows(Protocol):
    """What ``SealedParts.exclusive`` opens."""

    def all(self) -> Mapping[str, bytes]: ...

    def put(self, name: str, sealed: bytes) -> None: ...


class NothingSealed:
    """``SealedParts`` of whoever only reads what the operator gave."""

    def load(self, name: str) -> bytes | None:
        return None

    def change(self, name: str, make: Callable[[bytes | None], bytes]) -> None:
        raise NotImplementedError(f"{name} is only read")

    def exclusive(self) -> AbstractContextManager[SealedRows]:
        raise NotImplementedError("nothing is sealed here")


class EncryptedCredentials:
    """The run-time ``CredentialStore``. Sealed bytes lie in the database; the key lies in its own file beside it and is
    read for every use, so that a rotation reaches a running daemon at once."""

    def __init__(
        self,
        *,
        directory: Path,
        key_file: Path,
        sealed: SealedParts,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory
        self._key = KeyFile(key_file)
        self._sealed = sealed
        self._environment = environment

    def load(self, name: str) -> Secrets:
        configured = configured_parts(name, directory=self._directory, environment=self._environment)
        saved = self._saved(name)
        if saved.pop(_FINGERPRINT, None) != _fingerprint(configured):
            saved = {}  # the operator gave new ones: those win
        return Secrets({**configured, **saved})

    def save(self, name: str, parts: Mapping[str, str]) -> None:
        keep_out_of_sight(parts)
        configured = configured_parts(name, directory=self._directory, environment=self._environment)

        def merged(there: bytes | None) -> bytes:
            # inside the transaction, the reading of the key too: a rotation comes before all of it or after all of it
            saved = self._opened(name, there)
            if saved.get(_FINGERPRINT) != _fingerprint(configured):
                saved = {}
            saved.update(parts)
            saved[_FINGERPRINT] = _fingerprint(configured)
            return self._key.cipher(make=True).encrypt(json.dumps(saved).encode())

        self._sealed.change(name, merged)

    def _saved(self, name: str) -> dict[str, str]:
        sealed = self._sealed.load(name)
        try:
            return self._opened(name, sealed)
        except ConfigurationError:
            again = self._sealed.load(name)
            if again == sealed:
                raise
            return self._opened(name, again)  # the key was changed between the two readings

    def _opened(self, name: str, sealed: bytes | None) -> dict[str, str]:
        if sealed is None:
            return {}
        try:
            opened: dict[str, str] = json.loads(self._key.cipher().decrypt(sealed))
        except InvalidToken:
            raise ConfigurationError(
                f"what was kept for the credential {name!r} was sealed with another key.",
                resource=str(self._key.path),
                next_step="Bring the old key back as a further line of that file, or renew the credential.",
            ) from None
        keep_out_of_sight(opened)
        return opened


class KeyFile:
    """The keys, one a line: the first seals, all open. Mode 0600; replaced in one step, never half written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def cipher(self, *, make: bool = False) -> MultiFernet:
        """``make``: a first key where there is no file yet."""
        if make and not self.path.exists():
            self.create([Fernet.generate_key()], like=self.path.parent)
        return _cipher(self.keys(), self.path)

    def keys(self) -> list[bytes]:
        """Raises ``ConfigurationError`` where the file cannot be read."""
        try:
            return self.path.read_bytes().split()
        except OSError:
            raise _unreadable(self.path) from None

    def replace(self, keys: Sequence[bytes]) -> None:
        """Whoever opens the file sees the old lines or the new ones, also after a power cut."""
        place = Path(os.path.realpath(self.path))  # a link stays a link, to the one file of several machines
        try:
            with _written_beside(place, keys) as fresh:
                there = place.stat()
                if (there.st_uid, there.st_gid) != (os.geteuid(), os.getegid()):
                    # the desk may run as another user than who rotates; not what another file in its place leads to
                    os.chown(fresh, there.st_uid, there.st_gid, follow_symlinks=False)
                fresh.replace(place)
                _make_last(place.parent)
        except OSError as error:
            raise self._trouble(error) from None

    def create(self, keys: Sequence[bytes], *, like: Path) -> bool:
        """The file where there is none, with the owner of ``like``. ``False``: there is one, and it stays."""
        try:
            make_folder(self.path.parent)
            with _written_beside(self.path, keys) as fresh:
                same_owner(fresh, like)
                try:
                    os.link(fresh, self.path)  # unlike a rename, never over a key that is there
                except FileExistsError:
                    return False
            _make_last(self.path.parent)
        except OSError as error:
            raise self._trouble(error) from None
        return True

    def _trouble(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(
            f"the key file cannot be written ({error.strerror}).",
            resource=str(self.path),
            next_step="Make its folder writable for the user that the desk runs as.",
        )


def keep_out_of_sight(parts: Mapping[str, str]) -> None:
    """From now on no log line and no traceback of this process shows them; names and numbers that are no secret may."""
    remember(value for name, value in parts.items() if not _NO_SECRET.search(name))


def _cipher(keys: Sequence[bytes], path: Path) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        raise _unreadable(path) from None


def _unreadable(path: Path) -> ConfigurationError:
    return ConfigurationError(
        "the key for refreshed credentials cannot be read.",
        resource=str(path),
        next_step="Restore that file from your backup, or delete it and renew the credentials.",
    )


@contextmanager
def _written_beside(place: Path, keys: Sequence[bytes]) -> Iterator[Path]:
    """A complete file under a passing name, gone at the end unless it got another one."""
    fresh = place.with_name(f".{place.name}.{os.getpid()}.{threading.get_ident()}")
    with suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(b"".join(key + b"\n" for key in keys))
            stream.flush()
            os.fsync(stream.fileno())
        yield fresh
    finally:
        with suppress(FileNotFoundError):
            fresh.unlink()


def _make_last(folder: Path) -> None:
    """A new name in a folder survives a power cut once the folder is synced too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fingerprint(parts: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(parts.items())).encode()).hexdigest()
