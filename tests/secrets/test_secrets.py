"""A secret is read from where the operator put it, kept encrypted where it was renewed, and never told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from social.domain.errors import ConfigurationError
from social.secrets import EncryptedCredentials, SealedRows, configured_parts

CANARY = "canary-0123456789"


def write(folder: Path, name: str, text: str, mode: int = 0o600) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


class Sealed(dict[str, bytes]):
    """The database, in memory."""

    def load(self, name: str) -> bytes | None:
        return self.get(name)

    def change(self, name: str, make: Callable[[bytes | None], bytes]) -> None:
        self[name] = make(self.get(name))

    def exclusive(self) -> AbstractContextManager[SealedRows]:
        raise NotImplementedError

    def store(self, folder: Path, environment: dict[str, str] | None = None) -> EncryptedCredentials:
        return EncryptedCredentials(
            directory=folder / "secrets", key_file=folder / "dyzur.key", sealed=self, environment=environment or {}
        )


def test_a_file_of_its_own_holds_the_parts(tmp_path: Path) -> None:
    write(tmp_path, "shop", f'access_token = "{CANARY}"\n')

    assert configured_parts("shop", directory=tmp_path, environment={}) == {"access_token": CANARY}


def test_the_environment_wins_over_the_file_and_systemd_over_both(tmp_path: Path) -> None:
    write(tmp_path, "shop-x", 'a = "file"\nb = "file"\nc = "file"\n')
    (tmp_path / "systemd").mkdir()
    (tmp_path / "systemd" / "shop-x").write_text('c = "systemd"\n', encoding="utf-8")
    environment = {
        "DYZUR_SECRET_SHOP_X__B": "environment",
        "DYZUR_SECRET_SHOP_X__C": "environment",
        "CREDENTIALS_DIRECTORY": str(tmp_path / "systemd"),
    }

    parts = configured_parts("shop-x", directory=tmp_path, environment=environment)

    assert parts == {"a": "file", "b": "environment", "c": "systemd"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666])
def test_a_file_that_others_can_read_is_refused_with_its_cure(tmp_path: Path, mode: int) -> None:
    file = write(tmp_path, "shop", f'access_token = "{CANARY}"\n', mode)

    with pytest.raises(ConfigurationError) as caught:
        configured_parts("shop", directory=tmp_path, environment={})

    assert f"chmod 600 {file}" in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "text", [f"access_token = {CANARY}", f'access_token = "{CANARY}', f'access_token = ["{CANARY}"]']
)
def test_a_file_that_cannot_be_read_is_told_without_what_it_says(tmp_path: Path, text: str) -> None:
    write(tmp_path, "shop", text)

    with pytest.raises(ConfigurationError) as caught:
        configured_parts("shop", directory=tmp_path, environment={})

    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value.__cause__)


def test_a_missing_credential_names_the_places(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configured_parts("shop-x", directory=tmp_path, environment={})

    assert str(tmp_path / "shop-x.toml") in str(caught.value)
    assert "DYZUR_SECRET_SHOP_X__<PART>" in str(caught.value)


# --- renewed while the desk runs ---------------------------------------------------------------------------------------


def test_a_renewed_part_wins_and_the_others_stay(tmp_path: Path) -> None:
    write(tmp_path / "secrets", "shop", 'access_token = "old"\nclient_id = "id"\n')
    sealed = Sealed()

    sealed.store(tmp_path).save("shop", {"access_token": CANARY})

    assert dict(sealed.store(tmp_path).load("shop")) == {"access_token": CANARY, "client_id": "id"}


def test_what_is_kept_is_encrypted_and_the_key_is_for_nobody_else(tmp_path: Path) -> None:
    write(tmp_path / "secrets", "shop", 'access_token = "old"\n')
    sealed = Sealed()

    sealed.store(tmp_path).save("shop", {"access_token": CANARY})

    assert CANARY.encode() not in sealed["shop"]
    assert (tmp_path / "dyzur.key").stat().st_mode & 0o777 == 0o600


def test_a_credential_that_the_operator_changes_wins_over_what_was_renewed(tmp_path: Path) -> None:
    write(tmp_path / "secrets", "shop", 'access_token = "old"\n')
    sealed = Sealed()
    sealed.store(tmp_path).save("shop", {"access_token": "renewed"})

    write(tmp_path / "secrets", "shop", 'access_token = "new"\n')

    assert dict(sealed.store(tmp_path).load("shop")) == {"access_token": "new"}


def test_another_key_is_told_and_an_old_one_still_opens(tmp_path: Path) -> None:
    write(tmp_path / "secrets", "shop", 'access_token = "old"\n')
    sealed = Sealed()
    sealed.store(tmp_path).save("shop", {"access_token": "renewed"})
    key = tmp_path / "dyzur.key"
    old = key.read_text(encoding="utf-8")
    key.unlink()
    Sealed().store(tmp_path).save("shop", {})  # makes a new key

    with pytest.raises(ConfigurationError, match="sealed with another key"):
        sealed.store(tmp_path).load("shop")

    key.write_text(key.read_text(encoding="utf-8") + old, encoding="utf-8")
    assert sealed.store(tmp_path).load("shop")["access_token"] == "renewed"


def test_its_parts_are_never_shown(tmp_path: Path) -> None:
    write(tmp_path / "secrets", "shop", f'access_token = "{CANARY}"\n')

    loaded = Sealed().store(tmp_path).load("shop")

    assert CANARY not in f"{loaded} {loaded!r} {[loaded]}"
