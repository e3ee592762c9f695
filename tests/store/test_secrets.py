"""Secrets: found where the operator put them, refused where others can read them, encrypted where we keep them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from social.domain.errors import ConfigurationError
from social.secrets import EncryptedCredentials, configured_parts, environment_name
from social.store.credentials import StoredCredentials
from social.store.session import Database
from tests.cast import at

NOW = at("2026-11-20 10:00")
PLANTED = "tok-9f8e7d6c5b4a-planted"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A credential ``shop`` in a file that only its owner can read."""
    directory = tmp_path / "secrets"
    directory.mkdir()
    write(directory, access_token=PLANTED, app_id="12")
    return directory


def write(directory: Path, *, mode: int = 0o600, **parts: str) -> None:
    file = directory / "shop.toml"
    file.write_text("".join(f'{name} = "{value}"\n' for name, value in parts.items()))
    file.chmod(mode)


def store(database: Database, folder: Path, **environment: str) -> EncryptedCredentials:
    return EncryptedCredentials(
        directory=folder,
        key_file=folder.parent / "dyzur.key",
        sealed=StoredCredentials(database, lambda: NOW),
        environment=environment,
    )


def test_it_reads_a_secret_file(folder: Path) -> None:
    found = configured_parts("shop", directory=folder, environment={})
    assert found == {"access_token": PLANTED, "app_id": "12"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666])
def test_it_refuses_a_file_that_others_can_read(folder: Path, mode: int) -> None:
    write(folder, mode=mode, access_token=PLANTED)
    with pytest.raises(ConfigurationError, match=f"mode {mode:04o}.*chmod 600") as caught:
        configured_parts("shop", directory=folder, environment={})
    assert PLANTED not in str(caught.value)


def test_it_lets_the_environment_win_over_the_file_and_systemd_over_both(folder: Path, tmp_path: Path) -> None:
    assert environment_name("shop-pl", "access_token") == "DYZUR_SECRET_SHOP_PL__ACCESS_TOKEN"
    environment = {environment_name("shop", "access_token"): "from the environment"}
    assert configured_parts("shop", directory=folder, environment=environment)["access_token"] == "from the environment"
    systemd = tmp_path / "systemd"
    systemd.mkdir()
    (systemd / "shop").write_text('access_token = "from systemd"\n')
    environment["CREDENTIALS_DIRECTORY"] = str(systemd)
    found = configured_parts("shop", directory=folder, environment=environment)
    assert found == {"access_token": "from systemd", "app_id": "12"}


def test_it_says_where_it_looked_for_a_missing_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml.*'none' was not found.*DYZUR_SECRET_NONE__"):
        configured_parts("none", directory=tmp_path, environment={})


@pytest.mark.parametrize("content", [f'access_token = "{PLANTED}', f"access_token = {PLANTED}", "\ufffe", "a = 5"])
def test_it_never_quotes_a_broken_secret_file(folder: Path, content: str) -> None:
    (folder / "shop.toml").write_text(content)
    with pytest.raises(ConfigurationError, match=r"shop\.toml") as caught:
        configured_parts("shop", directory=folder, environment={})
    assert "planted" not in f"{caught.value!s}{caught.value!r}{caught.value.__cause__!r}"


def test_it_shows_names_and_never_values(database: Database, folder: Path) -> None:
    secrets = store(database, folder).load("shop")
    assert PLANTED not in f"{secrets} {secrets!r}"
    assert "access_token" in repr(secrets)
    assert secrets["access_token"] == PLANTED


def test_it_keeps_what_was_refreshed(store_database: Database, folder: Path) -> None:
    kept = store(store_database, folder)
    kept.save("shop", {"access_token": "second", "refresh_token": "r2"})
    kept.save("shop", {"refresh_token": "r3"})
    again = store(store_database, folder).load("shop")
    assert dict(again) == {"access_token": "second", "refresh_token": "r3", "app_id": "12"}


def test_it_forgets_what_was_refreshed_once_the_operator_gives_a_new_one(database: Database, folder: Path) -> None:
    store(database, folder).save("shop", {"access_token": "refreshed"})
    write(folder, access_token="given anew", app_id="12")
    assert store(database, folder).load("shop")["access_token"] == "given anew"
    store(database, folder).save("shop", {"app_id": "13"})
    assert dict(store(database, folder).load("shop")) == {"access_token": "given anew", "app_id": "13"}


def test_it_leaves_no_readable_byte_in_the_database(database: Database, folder: Path) -> None:
    secret = "refreshed-5a4b3c2d1e-planted"
    store(database, folder).save("shop", {"access_token": secret})
    database.close()
    assert database.path is not None
    files = [database.path, *database.path.parent.glob(f"{database.path.name}-*")]
    stored = b"".join(file.read_bytes() for file in files)
    assert b"shop" in stored
    for planted in (secret, PLANTED):
        assert planted.encode() not in stored
        assert planted.encode("utf-16-le") not in stored


def test_it_makes_a_key_file_for_its_owner_only(database: Database, folder: Path) -> None:
    store(database, folder).load("shop")
    key = folder.parent / "dyzur.key"
    assert not key.exists()  # nothing to seal yet
    store(database, folder).save("shop", {"access_token": "x"})
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes().split()) == 1


def test_it_reads_with_an_older_key_and_seals_with_the_newest(database: Database, folder: Path) -> None:
    store(database, folder).save("shop", {"access_token": "sealed with the old key"})
    key = folder.parent / "dyzur.key"
    old = key.read_bytes()
    key.write_bytes(Fernet.generate_key() + b"\n" + old)
    assert store(database, folder).load("shop")["access_token"] == "sealed with the old key"
    store(database, folder).save("shop", {"access_token": "sealed with the new key"})
    key.write_bytes(key.read_bytes().split()[0])
    assert store(database, folder).load("shop")["access_token"] == "sealed with the new key"


@pytest.mark.parametrize(
    "content", [None, b"", b"rubbish\n", Fernet.generate_key()], ids=["gone", "empty", "rubbish", "another"]
)
def test_it_says_what_to_do_without_the_right_key(database: Database, folder: Path, content: bytes | None) -> None:
    store(database, folder).save("shop", {"access_token": "x"})
    key = folder.parent / "dyzur.key"
    key.unlink()
    if content is not None:
        key.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"dyzur\.key.*(Restore|Bring)"):
        store(database, folder).load("shop")
