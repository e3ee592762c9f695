"""``social replay``: real conversations of the past through the desk, on simulated networks and a clock that jumps."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from social.cli.command import Config, Json, new_app, print_json, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from social.cli.replay_file import Skipped
    from social.settings import ProfileSettings, Settings

app = new_app()

#: Of the lines that cannot be used so many are named on the terminal; ``--json`` has them all.
NAMED_LINES = 20
#: The networks are asked as often as the profile says, but not more often than this: a replay need not see seconds.
OFTEN_ENOUGH = timedelta(minutes=1)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON Lines, plain or gzip: docs/replay.md.")],
    config: Config = None,
    profile: Annotated[
        str | None,
        typer.Option("--profile", "-p", metavar="NAME", help="Default: the first that customers reach by a mention."),
    ] = None,
    brand: Annotated[
        str | None, typer.Option("--brand", metavar="NAME", help="Only this brand of the file. Default: all as one.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many conversations.")] = None,
    shift_to: Annotated[
        str | None,
        typer.Option(
            "--shift-to", metavar="DATE", help="Let it begin in that week, weekdays kept. Default: as it was."
        ),
    ] = None,
    all_addressed: Annotated[
        bool, typer.Option("--all-addressed", help="Take every customer's message as one that names the brand.")
    ] = False,
    rules_only: Annotated[
        bool, typer.Option("--rules-only", help="Without the model: quicker, but everything doubtful goes to people.")
    ] = False,
    keep_database: Annotated[
        Path | None,
        typer.Option(
            "--keep-database", metavar="FILE", help="Keep the desk's database (it holds the customers' texts)."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """What would have been acknowledged, escalated, ignored, and when people really answered.

    Nothing leaves this machine: the networks are simulated, the desk is the real one. Exit code 1 if a promise is broken.
    """
    from zoneinfo import ZoneInfo

    from social.cli import logs, replay_history, replay_report
    from social.cli.replay_file import read_threads
    from social.cli.replay_run import run_replay
    from social.domain.errors import NotFound
    from social.settings import load_settings

    settings = _for_replay(load_settings(config), profile, rules_only=rules_only)
    logs.set_up(level="ERROR")
    read = read_threads(file)
    _name(read.skipped)
    messages = replay_history.chosen(read.messages, brand=brand, limit=limit)
    if not messages:
        raise NotFound("no line can be replayed.", resource=str(file), next_step="docs/replay.md tells the format.")
    (chosen,) = settings.profiles
    zone = ZoneInfo(settings.brand(chosen.brand).timezone)
    shift = replay_history.shift_to(messages, _day(shift_to), zone) if shift_to else timedelta(0)
    turns = replay_history.arranged(messages, shift=shift, mended=read.mended)
    with _place_for(keep_database), _bar(len(turns)) as progress:
        done = run_replay(settings, turns, all_addressed=all_addressed, keep=keep_database, progress=progress)
    told = replay_report.Told(
        file=read,
        replay=done,
        threads=len({message.thread for message in messages}),
        messages=len(turns),
        first_at=turns[0].at,
        last_at=turns[-1].at,
        shift=shift,
        profile=chosen.name,
        brand=chosen.brand,
        zone=zone,
        closed_notice=bool(chosen.closed_notice),
        brand_of_file=brand,
    )
    summary = replay_report.summarise(done.met)
    if as_json:
        print_json(replay_report.as_dict(told, summary))
    else:
        print("\n".join(replay_report.words(told, summary)))
    if not done.kept:
        raise typer.Exit(1)


def _for_replay(settings: Settings, wanted: str | None, *, rules_only: bool) -> Settings:
    """The one profile, as if it were live, on the simulated account of its network."""
    from social.domain.post import ProfileMode
    from social.settings import TriageBackend, parse_settings, shipped_config

    profile = _profile(settings, wanted)
    demo = parse_settings(shipped_config(), source=None, home=settings.home, environment={})
    options: dict[str, Any] = next(
        (item.options for item in demo.profiles if item.connector == profile.connector), profile.options
    )
    live = profile.model_copy(
        update={
            "mode": ProfileMode.ACKNOWLEDGE,
            "closed_notice": profile.closed_notice is not False,  # what is recommended, where nothing is said yet
            "poll_every": max(profile.poll_every, OFTEN_ENOUGH),
            "options": options,
        }
    )
    backend = TriageBackend.RULES if rules_only else settings.triage.backend
    return settings.model_copy(
        update={
            "brands": (settings.brand(profile.brand),),
            "profiles": (live,),
            "triage": settings.triage.model_copy(update={"backend": backend}),
        }
    )


def _profile(settings: Settings, name: str | None) -> ProfileSettings:
    from connectors.simulated.recorded import simulated_networks
    from social.domain.errors import NotFound

    networks = simulated_networks()
    fitting = [profile for profile in settings.profiles if profile.connector in networks]
    by_mention = [profile for profile in fitting if networks[profile.connector]]
    if name is not None:
        fitting = [profile for profile in fitting if profile.name == name]
        by_mention = []
    if not fitting:
        known = ", ".join(profile.name for profile in settings.profiles if profile.connector in networks) or "none"
        raise NotFound(
            f"there is no profile {name!r} that can be simulated." if name else "no profile can be simulated.",
            next_step=f"These can: {known}.",
        )
    return (by_mention or fitting)[0]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date; write it like 2026-11-23", param_hint="--shift-to") from None


def _name(skipped: Sequence[Skipped]) -> None:
    for item in skipped[:NAMED_LINES]:
        say(f"line {item.line} is skipped: {item.reason}")
    if len(skipped) > NAMED_LINES:
        say(f"... and {len(skipped) - NAMED_LINES} more lines (--json names them all)")


@contextmanager
def _place_for(database: Path | None) -> Iterator[None]:
    """A bad place is told before the work, not after it. Customers' texts are for the owner's eyes only."""
    from social.domain.errors import Conflict, StoreError

    if database is None:
        yield
        return
    try:
        database.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise Conflict("there is already such a file.", resource=str(database), next_step="Choose another.") from None
    except OSError as error:
        raise StoreError(f"cannot be written ({error.strerror}).", resource=str(database)) from error
    try:
        yield
    finally:
        if not database.stat().st_size:
            database.unlink()


@contextmanager
def _bar(length: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr; where that is no terminal, a line at the beginning."""
    import sys

    with typer.progressbar(length=length, label=f"Replaying {length} messages", file=sys.stderr) as bar:

        def progress(done: int) -> None:
            bar.update(done - bar.pos)

        yield progress
