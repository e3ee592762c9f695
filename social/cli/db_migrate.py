"""``social db migrate-to``: from the SQLite file to PostgreSQL, for more than one machine."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from social.cli.command import Config, Json, print_json, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from social.settings import Settings
    from social.store.session import Database


def migrate_to(
    url: Annotated[str, typer.Argument(metavar="URL", help="postgresql+psycopg://user@host/name, an empty database.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Move the SQLite database into an empty PostgreSQL one: everything or nothing, compared row by row.

    Stop the desk first; the old file is closed to it afterwards. The password is better kept out of the URL: PostgreSQL's own
    ~/.pgpass or PGPASSWORD is read.
    """
    from social.clock import machine_now
    from social.engine import build
    from social.settings import load_settings
    from social.store import moving

    settings = load_settings(config)
    target = open_postgresql(url, called="the target")
    try:
        source = build.open_database(_existing(settings))
        try:
            _refuse_while_a_daemon_lives(source)  # before anything is begun
            with _key_for(settings, source) as key, _Bar() as bar:
                moved = moving.move(
                    source,
                    target,
                    now=machine_now(),
                    still_idle=lambda: _refuse_while_a_daemon_lives(source),
                    progress=bar,
                )
        finally:
            source.close()
    finally:
        target.close()
    shown = moving.without_password(target.url)
    if as_json:
        print_json({"from": source.path, "to": shown, "tables": moved, "key_file": key})
        return
    rows = sum(table.rows for table in moved)
    print(f"Moved {rows} rows of {len(moved)} tables; both sides hold the same.")
    for table in moved:
        if table.rows:
            print(f"  {table.table:16} {table.rows:>9}  {table.digest[:16]}")
    print(_next(shown, key, source.path, password=target.url.password is not None))


def _next(shown: str, key: Path | None, old: Path | None, *, password: bool) -> str:
    lines = ["", "Next, in config.toml on every machine:", "", "    [database]", f'    url = "{shown}"', ""]
    if password:
        lines.append(
            "The password stays out of that file: PGPASSWORD in the daemon's environment, or its user's ~/.pgpass."
        )
    if key is not None:
        lines.append(f"Every machine needs this key file beside its config.toml, readable for its owner only: {key}")
    lines.append("Then start the desk: social run.")
    lines.append(
        "No desk works on the old file any more. It still holds what customers wrote, and whoever is forgotten from now on: "
        f"once you need it no more, delete it, and its copies: {old}"
    )
    return "\n".join(lines)


def open_postgresql(url: str, *, called: str) -> Database:
    """The database at an address from the command line; ``called`` is its name there. Raises ``UsageError``."""
    from social.domain.errors import UsageError
    from social.store.session import Database

    database = Database(_with_driver(url))
    if database.dialect != "postgresql":
        database.close()
        raise UsageError(f"{called} must be PostgreSQL.", next_step="Write postgresql+psycopg://user@host/name.")
    return database


def _with_driver(url: str) -> str:
    """``postgres://...``, as hosts of databases write it, with the driver that the desk uses."""
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if separator and scheme in {"postgres", "postgresql"} else url


def _existing(settings: Settings) -> Settings:
    from social.domain.errors import StoreError, UsageError

    name = settings.database.url.removeprefix("sqlite:///")
    if name == settings.database.url:
        raise UsageError("the configured database is not SQLite already.", resource="[database] url")
    if not settings.path(name).exists():
        raise StoreError(
            "there is no database yet, so nothing has to be moved.",
            resource=str(settings.path(name)),
            next_step="Write the new URL into config.toml and make its tables: social db upgrade",
        )
    return settings


def _refuse_while_a_daemon_lives(source: Database) -> None:
    from social.cli.running import living_daemons
    from social.domain.errors import Conflict

    names = living_daemons(source)
    if names:
        raise Conflict(
            f"a daemon works on this database ({', '.join(names)}).",
            resource=str(source.path),
            next_step="Stop it first, and do not start it again before config.toml names the new database.",
        )


@contextmanager
def _key_for(settings: Settings, source: Database) -> Iterator[Path | None]:
    """What was sealed stays sealed by the same key, which a desk on PostgreSQL looks for beside config.toml. The copy is
    there before the move is committed, and gone again if it is not."""
    from social.domain.errors import Conflict, DyzurError
    from social.engine.build import key_file
    from social.secrets import KeyFile
    from social.store import moved_away

    old, new = KeyFile(key_file(settings, source.path)), KeyFile(key_file(settings, None))
    if not old.path.exists():
        yield None
        return
    # whoever could read the one can read the other: whoever moves may be root, and the desk somebody else
    if not new.create(old.keys(), like=old.path):
        if new.keys() != old.keys():
            raise Conflict(
                "there is another key already.",
                resource=str(new.path),
                next_step="Move it away if nothing was sealed with it; else add its lines to the other file's.",
            )
        yield new.path
        return
    try:
        yield new.path
    except BaseException:
        with suppress(DyzurError), source.read() as session:
            if moved_away.find(session) is None:  # else the target may have it all, and needs the key
                new.path.unlink(missing_ok=True)
        raise


class _Bar:
    """Progress on stderr: one line a table, a bar where somebody looks."""

    def __init__(self) -> None:
        self._table = ""
        self._bar: Any = None
        self._done = 0

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def __call__(self, table: str, done: int, in_all: int) -> None:
        if in_all == 0:
            return
        if table != self._table:
            self._close()
            self._open(table, in_all)
        self._bar.update(done - self._done)
        self._done = done

    def _open(self, table: str, in_all: int) -> None:
        import sys

        if not sys.stderr.isatty():
            say(f"{table}: {in_all} rows")
        self._table, self._done = table, 0
        self._bar = typer.progressbar(
            length=in_all, label=f"{table:16}", file=sys.stderr, hidden=not sys.stderr.isatty()
        )
        self._bar.__enter__()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
