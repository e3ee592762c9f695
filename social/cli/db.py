"""``social db``: upgrade, status, backup, restore, purge; ``migrate-to`` lies in a file of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from social.cli.command import Acting, Config, Json, acting, columns, new_app, print_json
from social.cli.db_migrate import migrate_to, open_postgresql

if TYPE_CHECKING:
    from datetime import datetime

    from social.settings import Settings
    from social.store.session import Database

app = new_app(
    help="The database: bring it up to date, look at it, copy it, go back to a copy, purge what is old, move it to another.",
    no_args_is_help=True,
)
app.command()(migrate_to)

#: What follows every restore.
START_THE_DESK = "Start the desk: social run. It reads in what is missing."


@app.command()
def upgrade(config: Config = None, as_json: Json = False) -> None:
    """Bring the database to the form that this program needs; an SQLite file is copied first."""
    from social import clock
    from social.store import schema

    with _database(config) as database:
        before = schema.status(database)
        backup = schema.upgrade(database, now=clock.machine_now())
        after = schema.status(database)
    if as_json:
        print_json({"before": before.current, "now": after.current, "backup": backup})
    elif before.up_to_date:
        print(f"Nothing to do: the database has form {after.current}.")
    else:
        print(f"Upgraded from {before.current or 'nothing'} to {after.current}.")
        if backup:
            print(f"A copy from before: {backup}")


@app.command()
def status(config: Config = None, as_json: Json = False) -> None:
    """Which form the database has, which one the program needs, and whether the file is sound."""
    from social.store import moved_away, schema

    with _database(config, must_exist=True) as database:
        found = schema.status(database)
        with database.read() as session:
            away = moved_away.find(session)
        damage = schema.check_integrity(database)
        size = database.path.stat().st_size if database.path else None
        place = database.url.render_as_string(hide_password=True)
    if as_json:
        print_json(
            {
                "database": place,
                "schema": found.current,
                "needed": found.head,
                "up_to_date": found.up_to_date,
                "moved_to": away.to if away else None,
                "damage": damage,
                "bytes": size,
            }
        )
    else:
        print(place)
        print(f"  form {found.current or 'none (empty)'}, needed {found.head}: {_advice(found)}")
        if away is not None:
            print(f"  moved to {away.to}: no desk works on this file any more")
        if size is not None:
            print(f"  {size / 1_000_000:.1f} MB, {'sound' if damage is None else damage}")
    if damage is not None:
        raise typer.Exit(6)


@app.command()
def backup(
    config: Config = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Default: beside the database.", file_okay=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """A complete copy, while the desk runs. Keep the .key file beside the database in another place.

    SQLite: a file like the database itself. PostgreSQL: pg_dump is run, into this folder where --to names none. A copy gets its
    name once it is whole.
    """
    from social import clock
    from social.store import copies, postgres_tools

    now = clock.machine_now()
    with _database(config, must_exist=True) as database:
        if database.path is None:
            made = postgres_tools.backup(database, to or Path.cwd(), label="backup", now=now)
        else:
            written = copies.backup_sqlite(database, label="backup", now=now, folder=to)
            assert written is not None  # only a daemon that stops gives one up
            made = written
    if as_json:
        print_json({"backup": made, "bytes": made.stat().st_size})
    else:
        print(made)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A copy that `social db backup` made.", dir_okay=False)],
    config: Config = None,
    previous: Annotated[
        str | None,
        typer.Option(
            "--previous",
            metavar="URL",
            help="PostgreSQL: the database that the copy replaces; it knows who was forgotten.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    user: Acting = None,
    as_json: Json = False,
) -> None:
    """Go back to a copy. Stop the desk first; the present database is kept under another name.

    An older copy is brought up to date, one of a newer program is refused. Who was forgotten since stays forgotten. Posts since
    the copy are read in again; what was answered then is looked up at the networks and not answered twice. On PostgreSQL
    pg_restore is run, into an empty database only, and --previous names the old one.
    """
    from social import clock
    from social.cli.opening import world_now
    from social.domain.errors import UsageError
    from social.engine import build
    from social.settings import load_settings
    from social.store import restoring

    settings = load_settings(config)
    place = build.database_file(settings)
    machine = clock.machine_now()
    now = machine if settings.clock.mode == "real" else world_now(settings)
    if place is None:
        _restore_postgresql(
            settings, file, previous, yes=yes, by=acting(user), machine=machine, now=now, as_json=as_json
        )
        return
    if previous is not None:
        raise UsageError(
            "--previous is for PostgreSQL.", next_step="Leave it out: the present file is asked who was forgotten."
        )
    _agree(f"Put {file} in the place of the present database?", yes)
    done = restoring.restore_sqlite(place, file, by=acting(user), machine=machine, now=now, even_if_unread=yes)
    lines = ["Restored." + (f" The database from before: {done.aside}" if done.aside else "")]
    if done.upgraded_from:
        lines.append(f"The copy had the older form {done.upgraded_from}, and was brought up to date.")
    lines += _of_the_forgotten(done.forgotten)
    if done.unread:
        lines.append(f"The database from before could not be read ({done.unread}), so whom it forgot is not known.")
    lines.append(START_THE_DESK)
    _told(as_json, {"restored": file, **asdict(done)}, lines)


def _of_the_forgotten(count: int) -> list[str]:
    return [f"{count} authors were forgotten since the copy was made; they are forgotten in it too."] if count else []


def _restore_postgresql(
    settings: Settings,
    file: Path,
    previous: str | None,
    *,
    yes: bool,
    by: str,
    machine: datetime,
    now: datetime,
    as_json: bool,
) -> None:
    from social.engine import build
    from social.store import restoring

    unknown = "Whoever was forgotten since the copy was made is in it again"
    with closing(build.open_database(settings)) as database, ExitStack() as stack:
        before = stack.enter_context(closing(open_postgresql(previous, called="--previous"))) if previous else None
        shown = database.url.render_as_string(hide_password=True)
        _agree(
            f"Put {file} into {shown}?" + ("" if before else f" {unknown}, unless --previous names the old database."),
            yes,
        )
        again = restoring.restore_postgresql(database, file, previous=before, by=by, machine=machine, now=now)
    lines = ["Restored."]
    lines += _of_the_forgotten(again)
    if before is None:
        lines.append(f"{unknown}: forget them anew (social author forget).")
    lines.append(START_THE_DESK)
    _told(as_json, {"restored": file, "aside": None, "forgotten": again}, lines)


@app.command()
def purge(
    config: Config = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what is older than [retention] allows.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Erase what is older than [retention] allows, now; a daemon does it every day by itself.

    Counts are kept, so reports stay as they are. Open cases and formal complaints are never purged.
    """
    from threading import Event

    from social.cli.opening import opened_store
    from social.engine import build, upkeep
    from social.store import retention

    pause = Event()
    with opened_store(config) as opened:
        limits, now = build.retention_of(opened.settings), opened.clock.now()
        if dry_run:
            with opened.database.read() as session:
                found = retention.count(session, limits, now=now)
        else:
            # a breath between the steps, for whoever else wants to write
            found = upkeep.purge_all(opened.database, limits, now, pause=lambda: pause.wait(0.02))
    if as_json:
        print_json({"dry_run": dry_run, "rows": found})
        return
    touched = {name: count for name, count in found.items() if count}
    if not touched:
        print("Nothing is older than [retention] allows.")
        return
    print("Would be purged:" if dry_run else "Purged:")
    print(columns([(name, str(count)) for name, count in touched.items()]))


def _agree(question: str, yes: bool) -> None:
    from social.domain.errors import UsageError

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("this wants a yes, and nobody can be asked here.", next_step="Repeat it with --yes.")
    typer.confirm(question, abort=True, err=True)


def _told(as_json: bool, facts: dict[str, object], lines: list[str]) -> None:
    if as_json:
        print_json(facts)
    else:
        print("\n".join(lines))


@contextmanager
def _database(config: Path | None, *, must_exist: bool = False) -> Iterator[Database]:
    from social.domain.errors import StoreError
    from social.engine import build
    from social.settings import load_settings

    settings = load_settings(config)
    file = build.database_file(settings)
    if must_exist and file is not None and not file.exists():
        raise StoreError(
            "there is no database yet.",
            resource=str(file),
            next_step="Make it with: social db upgrade (social run does it too).",
        )
    database = build.open_database(settings)
    try:
        yield database
    finally:
        database.close()


def _advice(found: object) -> str:
    if getattr(found, "up_to_date", False):
        return "up to date"
    return "upgrade it with: social db upgrade" if getattr(found, "known", False) else "made by a newer program"
