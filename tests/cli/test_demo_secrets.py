"""The demo writes its own credentials, and only ever for networks on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from social.cli.demo_secrets import ensure_demo_secrets
from social.domain.errors import ConfigurationError
from social.secrets import configured_parts
from social.settings import Settings, parse_settings, shipped_config


def demo(home: Path, text: str | None = None) -> Settings:
    return parse_settings(text or shipped_config(), source=None, home=home, environment={})


def test_every_profile_of_the_demo_gets_what_its_network_wants(tmp_path: Path) -> None:
    settings = demo(tmp_path)

    ensure_demo_secrets(settings)

    folder = tmp_path / "var" / "demo-secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    for profile in settings.profiles:
        assert (folder / f"{profile.credential}.toml").stat().st_mode & 0o777 == 0o600
        assert configured_parts(profile.credential, directory=folder, environment={})


def test_they_are_random_and_stay_what_they_are(tmp_path: Path) -> None:
    settings = demo(tmp_path)
    ensure_demo_secrets(settings)
    files = sorted((tmp_path / "var" / "demo-secrets").iterdir())
    before = [file.read_text(encoding="utf-8") for file in files]

    ensure_demo_secrets(settings)

    assert len(set(before)) == len(files) == len(settings.profiles)
    assert [file.read_text(encoding="utf-8") for file in files] == before


def test_none_are_made_for_a_real_world(tmp_path: Path) -> None:
    ensure_demo_secrets(demo(tmp_path, shipped_config().replace('mode = "paced"', 'mode = "real"')))

    assert list(tmp_path.iterdir()) == []


def test_none_are_made_where_a_network_lies_elsewhere(tmp_path: Path) -> None:
    text = shipped_config().replace("http://127.0.0.1:8711/bluesky", "https://bsky.social")

    with pytest.raises(ConfigurationError, match="the clock is paced"):
        ensure_demo_secrets(demo(tmp_path, text))

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file", encoding="utf-8")

    with pytest.raises(ConfigurationError, match="the demo's credentials cannot be written"):
        ensure_demo_secrets(demo(tmp_path))
