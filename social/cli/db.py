"""``social db``: upgrade, status, backup; ``migrate-to`` lies in a file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from social.cli.command import Config, Json, new_app, print_json
from social.cli.db_migrate import migrate_to

if TYPE_CHECKING:
    from social.store.session import Database

app = new_app(help="The database: bring it up to date, look at it, copy it.", no_args_is_help=True)
app.command()(migrate_to)


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
    from social.store import schema

    with _database(config, must_exist=True) as database:
        found = schema.status(database)
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
                "damage": damage,
                "bytes": size,
            }
        )
    else:
        print(place)
        print(f"  form {found.current or 'none (empty)'}, needed {found.head}: {_advice(found)}")
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
    """A complete copy of the SQLite file, while the desk runs. Keep the .key file beside it in another place."""
    from social import clock
    from social.domain.errors import DyzurError
    from social.store import schema

    with _database(config, must_exist=True) as database:
        if to is not None:
            to.mkdir(parents=True, exist_ok=True)
        made = schema.backup_sqlite(database, label="backup", now=clock.machine_now(), folder=to)
        if made is None:
            raise DyzurError(
                "PostgreSQL has its own tools for copies.",
                resource=database.url.render_as_string(hide_password=True),
                next_step="Use: pg_dump",
            )
    if as_json:
        print_json({"backup": made, "bytes": made.stat().st_size})
    else:
        print(made)


@contextmanager
def _database(config: Path | None, *, must_exist: bool = False) -> Iterator[Database]:
    from social.domain.errors import NotFound
    from social.engine import build
    from social.settings import load_settings

    settings = load_settings(config)
    url = settings.database.url
    if must_exist and url.startswith("sqlite:///") and not settings.path(url.removeprefix("sqlite:///")).exists():
        raise NotFound(
            "there is no database yet.",
            resource=str(settings.path(url.removeprefix("sqlite:///"))),
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
