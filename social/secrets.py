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
import stat
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from social.domain.errors import ConfigurationError
from social.ports import Secrets

_FINGERPRINT = "__configured__"


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


class EncryptedCredentials:
    """The run-time ``CredentialStore``. ``load_sealed`` and ``save_sealed`` are the database's two functions (the second
    commits before it returns); the key lies in its own file beside the database, never in it."""

    def __init__(
        self,
        *,
        directory: Path,
        key_file: Path,
        load_sealed: Callable[[str], bytes | None],
        save_sealed: Callable[[str, bytes], None],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory
        self._key_file = key_file
        self._load_sealed = load_sealed
        self._save_sealed = save_sealed
        self._environment = environment

    def load(self, name: str) -> Secrets:
        configured = configured_parts(name, directory=self._directory, environment=self._environment)
        saved = self._saved(name)
        if saved.pop(_FINGERPRINT, None) != _fingerprint(configured):
            saved = {}  # the operator gave new ones: those win
        return Secrets({**configured, **saved})

    def save(self, name: str, parts: Mapping[str, str]) -> None:
        configured = configured_parts(name, directory=self._directory, environment=self._environment)
        saved = self._saved(name)
        if saved.get(_FINGERPRINT) != _fingerprint(configured):
            saved = {}
        merged = {**saved, **parts, _FINGERPRINT: _fingerprint(configured)}
        self._save_sealed(name, self._fernet(make=True).encrypt(json.dumps(merged).encode()))

    def _saved(self, name: str) -> dict[str, str]:
        sealed = self._load_sealed(name)
        if sealed is None:
            return {}
        try:
            opened: dict[str, str] = json.loads(self._fernet(make=False).decrypt(sealed))
        except InvalidToken:
            raise ConfigurationError(
                f"what was kept for the credential {name!r} was sealed with another key.",
                resource=str(self._key_file),
                next_step="Bring the old key back as a further line of that file, or renew the credential.",
            ) from None
        return opened

    def _fernet(self, *, make: bool) -> MultiFernet:
        """All keys of the file, one a line, the first one seals."""
        if make and not self._key_file.exists():
            self._key_file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(Fernet.generate_key() + b"\n")
        try:
            keys = self._key_file.read_bytes().split()
            return MultiFernet([Fernet(key) for key in keys])
        except (OSError, ValueError):
            raise ConfigurationError(
                "the key for refreshed credentials cannot be read.",
                resource=str(self._key_file),
                next_step="Restore that file from your backup, or delete it and renew the credentials.",
            ) from None


def _fingerprint(parts: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(parts.items())).encode()).hexdigest()
