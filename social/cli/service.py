"""``social service``: the desk as a service of the machine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from social.cli.command import Config, new_app, say

if TYPE_CHECKING:
    from social.settings import Settings

app = new_app(help="The desk as a service of this machine.", no_args_is_help=True)

#: What ProtectHome= hides.
HOMES = ("/home", "/root", "/run/user")

UNIT = """\
# Dyżur as a systemd service. Save as /etc/systemd/system/dyzur.service, then:
#   systemctl daemon-reload && systemctl enable --now dyzur && systemctl status dyzur
[Unit]
Description=Dyzur, a social desk that never sleeps
Documentation=man:systemd.service(5)
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
ExecStart={program} --config {config} run
WorkingDirectory={folder}
# A daemon whose parts hang does not pat the watchdog any more, and is started anew; what it held is picked up.
WatchdogSec=120
Restart=on-failure
RestartSec=5
TimeoutStopSec=30
KillSignal=SIGTERM
{user}
# It reads its secrets in {secrets} itself, so that a renewed one is used without a restart: that folder
# must belong to the user above. (LoadCredential= copies them at the start, and those copies would win.)
# Nothing but its own folders can be written, and nothing of the machine is needed.
ReadWritePaths={writable}
ProtectSystem=strict
ProtectHome={protect_home}
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictSUIDSGID=yes
LockPersonality=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
SystemCallArchitectures=native
UMask=0077

[Install]
WantedBy=multi-user.target
"""


@app.callback()
def service() -> None:
    """One command so far; its name is part of the call, so that others can come beside it."""


@app.command("print")
def print_unit(
    config: Config = None,
    user: Annotated[
        str, typer.Option(help="The user that it runs as; it must own the folder of config.toml.")
    ] = "dyzur",
) -> None:
    """Print a systemd unit for this configuration: started at boot, watched, hardened.

    For example: social service print | sudo tee /etc/systemd/system/dyzur.service
    """
    from social.domain.errors import ConfigurationError
    from social.settings import load_settings

    settings = load_settings(config)
    if settings.source is None:
        raise ConfigurationError(
            "there is no config.toml here, and a demo is no service.", next_step="Write one first: social init"
        )
    file = settings.source.resolve()
    secrets = settings.path(settings.secrets.directory).resolve()
    writable = _written_folders(settings, file.parent)
    for folder in writable:
        if not folder.is_dir():
            say(f"{folder} is not there, and the service cannot make it: sudo install -d -m 700 -o {user} {folder}")
    needed = [file, secrets, *writable, *_program_places()]
    print(
        UNIT.format(
            program=_program(),
            config=file,
            folder=file.parent,
            user=f"User={user}",
            secrets=secrets,
            # a disk that is not plugged in must not keep the desk from starting
            writable=" ".join(str(file.parent) if folder == file.parent else f"-{folder}" for folder in writable),
            protect_home="no" if any(path.is_relative_to(home) for path in needed for home in HOMES) else "yes",
        ),
        end="",
    )


def _program() -> str:
    """How this program is called from anywhere."""
    found = shutil.which(sys.argv[0]) or sys.argv[0]
    path = Path(found).absolute()
    return str(path) if path.name != "__main__.py" else f"{sys.executable} -m social.cli"


def _program_places() -> list[Path]:
    """Where the program and its Python lie, which a service that sees no home could not start."""
    found = Path(shutil.which(sys.argv[0]) or sys.executable).absolute()
    python = Path(sys.executable)
    return [found, found.resolve(), python, python.resolve(), Path(__file__).resolve()]


def _written_folders(settings: Settings, home: Path) -> list[Path]:
    """The folder of config.toml, then what lies elsewhere: the database with its key, and the copies of it."""
    elsewhere = []
    if settings.database.url.startswith("sqlite:///"):
        elsewhere.append(settings.path(settings.database.url.removeprefix("sqlite:///")).resolve().parent)
        if settings.database.daily_backups:
            elsewhere.append(settings.path(settings.database.backup_folder).resolve())
    return [home, *(folder for folder in dict.fromkeys(elsewhere) if not folder.is_relative_to(home))]
