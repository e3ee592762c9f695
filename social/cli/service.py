"""``social service``: the desk as a service of the machine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from social.cli.command import Config, new_app

if TYPE_CHECKING:
    from social.settings import Settings

app = new_app(help="The desk as a service of this machine.", no_args_is_help=True)

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
# Secrets: each line makes one file readable to the service alone. They win over [secrets] directory.
{credentials}
# Nothing but its own folder can be written, and nothing of the machine is needed.
ReadWritePaths={folder}
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
    home = file.is_relative_to("/home") or file.is_relative_to("/root")
    print(
        UNIT.format(
            program=_program(),
            config=file,
            folder=file.parent,
            user=f"User={user}",
            credentials="\n".join(
                f"LoadCredential={name}:{secrets / name}.toml" for name in credential_names(settings)
            ),
            protect_home="no" if home else "yes",
        ),
        end="",
    )


def _program() -> str:
    """How this program is called from anywhere."""
    found = shutil.which(sys.argv[0]) or sys.argv[0]
    path = Path(found).absolute()
    return str(path) if path.name != "__main__.py" else f"{sys.executable} -m social.cli"


def credential_names(settings: Settings) -> list[str]:
    """Every credential that this configuration names, each once."""
    notify = settings.notify
    names = [profile.credential for profile in settings.profiles]
    names += [person.services for person in notify.people]
    names += [notify.smtp.credential if notify.smtp else "", notify.ping if "://" not in notify.ping else ""]
    return list(dict.fromkeys(name for name in names if name))
