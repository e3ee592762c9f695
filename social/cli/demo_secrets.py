"""Credentials for a simulated world: made up, since a simulated network asks for no real ones."""

from __future__ import annotations

import os
import secrets

from connectors import registry
from social.domain.errors import ConfigurationError
from social.settings import ClockMode, Settings, require_loopback


def ensure_demo_secrets(settings: Settings) -> None:
    """Write the credential files (mode 0600, random) that the profiles name and that are not there yet. Does nothing
    where the clock is real, and refuses unless every network lies on this machine."""
    if settings.clock.mode is ClockMode.REAL:
        return
    require_loopback(settings)
    directory = settings.path(settings.secrets.directory)
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for profile in settings.profiles:
            file = directory / f"{profile.credential}.toml"
            if not file.exists():
                parts = registry.load(profile.connector).credential_parts
                lines = [f'{part} = "demo-{secrets.token_hex(16)}"\n' for part in parts]
                descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                    stream.writelines(["# made up for the simulated networks\n", *lines])
    except OSError as error:
        raise ConfigurationError(
            f"the demo's credentials cannot be written ({error.strerror}).",
            resource=str(directory),
            next_step="Make that folder writable, or name another in [secrets] directory.",
        ) from error
