"""`social secrets rotate-key`: what it changes, what it tells, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from social.clock import machine_now
from social.domain.errors import Conflict
from social.secrets import EncryptedCredentials
from social.store import control
from social.store.credentials import StoredCredentials
from social.store.session import Database
from tests.cli.conftest import Social


@pytest.fixture
def started(social: Social, shop: Path) -> Path:
    """A shop whose desk has renewed a token."""
    assert social("db", "upgrade").code == 0
    with_database(shop, lambda database: renewed_in(database, shop))
    return shop


def with_database(shop: Path, act: Callable[[Database], None]) -> None:
    database = Database(f"sqlite:///{shop / 'var' / 'shop.db'}")
    try:
        act(database)
    finally:
        database.close()


def renewed_in(database: Database, shop: Path) -> None:
    EncryptedCredentials(
        directory=shop / "secrets",
        key_file=shop / "var" / "shop.key",
        sealed=StoredCredentials(database, machine_now),
        environment={},
    ).save("shop-page", {"access_token": "canary-renewed-1"})


def test_the_command_changes_the_key_and_shows_neither_key_nor_token(social: Social, started: Path) -> None:
    before = (started / "var" / "shop.key").read_text().strip()

    done = social("secrets", "rotate-key", "--json")

    assert done.code == 0, done.err
    assert done.json == {
        "key_file": str(started / "var" / "shop.key"),
        "step": None,
        "sealed": ["shop-page"],
        "keys": 1,
    }
    after = (started / "var" / "shop.key").read_text().strip()
    assert after != before
    for secret in (before, after, "canary"):
        assert secret not in done.out + done.err


def test_without_anything_sealed_it_says_so(social: Social, shop: Path) -> None:
    assert social("db", "upgrade").code == 0
    done = social("secrets", "rotate-key")
    assert done.code == Conflict.exit_code
    assert "nothing has been sealed yet" in done.err


def test_the_steps_tell_to_copy_the_file(social: Social, started: Path) -> None:
    for step in ("add", "seal", "drop"):
        done = social("secrets", "rotate-key", "--step", step)
        assert done.code == 0, done.err
        assert "Copy the key file to every machine" in done.err
    assert social("secrets", "rotate-key", "--json").json["keys"] == 1


def test_beside_a_desk_on_another_machine_it_wants_the_steps(
    social: Social, shop: Path, store_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYZUR_DATABASE__URL", store_database.url.render_as_string(hide_password=False))
    with store_database.write() as session:
        now = machine_now()
        control.beat(session, name="elsewhere:17", parts="poll", started_at=now, at=now, model=None)

    done = social("secrets", "rotate-key")

    assert done.code == Conflict.exit_code
    if store_database.dialect == "postgresql":
        assert "elsewhere" in done.err and "--step add, seal, drop" in done.err
    else:  # the key file lies beside the database file: another name of this machine, such as a container's
        assert "nothing has been sealed yet" in done.err
