"""``social run``: the daemon."""

from __future__ import annotations

from typing import Annotated

import typer

from social.cli.command import Config, new_app

app = new_app()


@app.command()
def run(
    config: Config = None,
    only: Annotated[
        str, typer.Option(metavar="PARTS", help="Some parts only, comma separated: poll,triage,respond,web.")
    ] = "",
    log_level: Annotated[str, typer.Option(metavar="LEVEL", help="debug, info, warning or error.")] = "info",
) -> None:
    """Watch the profiles, judge, acknowledge, escalate; until Ctrl-C.

    Without a config.toml it runs the shipped demo: a simulated shop on simulated networks, no account, no key.
    """
    from social.cli import running

    running.run(config, only=[part.strip() for part in only.split(",") if part.strip()], level=log_level)
