"""Databases for everybody: a migrated SQLite file a test, and PostgreSQL for the promises that hold on both.

``database``         a fresh, migrated SQLite file
``store_database``   the same test on SQLite and on PostgreSQL 15 (the latter marked ``postgres``)

Both are copied from one that was migrated once, since a migration costs more than most tests.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from social import redaction
from social.store import schema
from social.store.session import Database
from tests.cast import at
from tests.postgres_cluster import ClusterError, temporary_cluster

MIGRATED_AT = at("2026-11-01 08:00")
_missing: set[str] = set()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``slow_on("postgresql")``: there the promise is kept by `make test-all`; the other database tries it every time."""
    for item in items:
        params = getattr(item, "callspec", None)
        for mark in item.iter_markers("slow_on"):
            if params is not None and mark.args[0] in params.params.values():
                item.add_marker(pytest.mark.slow)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist tells the process that prints the summary what was missing where it ran."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["missing"] = sorted(_missing)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    _missing.update(getattr(node, "workeroutput", {}).get("missing", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reason in sorted(_missing):
        terminalreporter.write_line(f"NOT TESTED ON POSTGRESQL: {reason}", red=True, bold=True)


@pytest.fixture(autouse=True)
def _nothing_to_hide() -> Iterator[None]:
    """A secret of one test is an ordinary word of the next."""
    yield
    redaction.forget()


# --- SQLite ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "template.db"
    database = Database(f"sqlite:///{file}")
    schema.upgrade(database, now=MIGRATED_AT)
    database.close()
    return file


@pytest.fixture
def new_database(_migrated_file: Path, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Further connections to this test's SQLite file, as other processes would have them."""
    file = tmp_path / "dyzur.db"
    shutil.copyfile(_migrated_file, file)
    opened: list[Database] = []

    def open_another() -> Database:
        opened.append(Database(f"sqlite:///{file}"))
        return opened[-1]

    yield open_another
    for database in opened:
        database.close()


@pytest.fixture
def database(new_database: Callable[[], Database]) -> Database:
    return new_database()


# --- PostgreSQL ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _postgres_template() -> Iterator[Callable[[], str]]:
    """Gives the URL of a fresh, migrated PostgreSQL database. DYZUR_POSTGRES=required turns the skip into a failure."""
    running = temporary_cluster()
    try:
        url = make_url(running.__enter__()).set(drivername="postgresql+psycopg")
    except ClusterError as error:
        _missing.add(str(error))
        if os.environ.get("DYZUR_POSTGRES") == "required":
            pytest.fail(f"DYZUR_POSTGRES=required, but {error}", pytrace=False)
        pytest.skip(str(error))
    administration = create_engine(url, isolation_level="AUTOCOMMIT")
    numbers = count(1)

    def fresh() -> str:
        name = f"test_{next(numbers)}"
        with administration.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE migrated"))
        return url.set(database=name).render_as_string(hide_password=False)

    try:
        with administration.connect() as connection:
            connection.execute(text("CREATE DATABASE migrated"))
        database = Database(url.set(database="migrated").render_as_string(hide_password=False))
        schema.upgrade(database, now=MIGRATED_AT)
        database.close()
        yield fresh
    finally:
        administration.dispose()
        running.__exit__(None, None, None)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def new_store_database(request: pytest.FixtureRequest) -> Iterator[Callable[[], Database]]:
    """Connections to one database of this test, each as another process would have it; on both kinds of database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("new_database")
        return
    url = request.getfixturevalue("_postgres_template")()
    opened: list[Database] = []

    def open_another() -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield open_another
    for database in opened:
        database.close()


@pytest.fixture
def store_database(new_store_database: Callable[[], Database]) -> Database:
    return new_store_database()
