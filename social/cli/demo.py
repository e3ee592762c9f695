"""``social demo``: the simulated shop, fresh each time; ``--selftest`` lets it live a week and checks every promise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from social.cli.command import Json, new_app, print_json, say

app = new_app()


@app.command()
def demo(
    speed: Annotated[float | None, typer.Option(help="World seconds in a machine second.")] = None,
    seed: Annotated[int, typer.Option(help="Another world: other customers, other days.")] = 1,
    port: Annotated[int, typer.Option(help="Where the simulated networks listen; 0: a free port.")] = 0,
    selftest: Annotated[bool, typer.Option("--selftest", help="Live a simulated week in minutes, then check.")] = False,
    days: Annotated[int, typer.Option(help="How long the self-test lives.", min=1, max=60)] = 7,
    rules_only: Annotated[
        bool, typer.Option("--rules-only", help="Without the model: quicker, more escalations.")
    ] = False,
    as_json: Json = False,
) -> None:
    """A simulated shop on simulated networks, in a temporary folder that is gone afterwards.

    Exit code 1 if the self-test finds a broken promise.
    """
    from social.settings import parse_settings, shipped_config

    environment = {"DYZUR_TRIAGE__BACKEND": "rules"} if rules_only else {}
    if selftest:
        settings = parse_settings(shipped_config(), source=None, home=Path.cwd(), environment=environment)
        _selftest(settings, days=days, seed=seed, as_json=as_json)
        return
    _demo(speed=speed, seed=seed, port=port, environment=environment)


def _selftest(settings: Any, *, days: int, seed: int, as_json: bool) -> None:
    from social.cli import logs, promises, selftest

    logs.set_up(level="error")
    say(f"Living {days} simulated days; a few minutes.")
    report = selftest.run_selftest(settings, days=days, seed=seed, progress=say)
    if as_json:
        print_json(
            {
                "kept": report.kept,
                "seconds": round(report.seconds, 1),
                "counts": dict(report.counts),
                "checks": promises.as_dicts(report.checks),
            }
        )
    else:
        print("\n".join(selftest.render(report)))
    if not report.kept:
        raise typer.Exit(1)


def _demo(*, speed: float | None, seed: int, port: int, environment: dict[str, str]) -> None:
    """The shipped configuration in a folder of its own, on a port of its own."""
    import tempfile

    from social.cli import running
    from social.cli.opening import free_port, with_port
    from social.settings import load_settings, shipped_config

    with tempfile.TemporaryDirectory(prefix="dyzur-demo-") as folder:
        file = Path(folder) / "config.toml"
        file.write_text(with_port(shipped_config(), port or free_port()), encoding="utf-8")
        if speed is not None:
            environment = {**environment, "DYZUR_CLOCK__SPEED": str(speed)}
        # a free port of its own, since `social run` may be there too
        settings = load_settings(file, environment={"DYZUR_WEB__PORT": "0", **environment})
        say(f"This demo lives in {folder} and is gone when you stop it.")
        running.run_settings(settings, seed=seed, command=running.called_as(file))
