"""The desk as a service: the unit, and the few words that systemd hears."""

from __future__ import annotations

import configparser
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from social.cli import service as module
from social.cli import systemd
from tests.cli.conftest import Done, Social
from tests.cli.processes import Shop, environment


def unit_of(done: Done) -> configparser.SectionProxy:
    assert done.code == 0, done.err
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(done.out)
    return unit["Service"]


def test_the_unit_starts_this_configuration_and_has_nothing_else_to_write(social: Social, shop: Path) -> None:
    done = social("service", "print", "--user", "desk")
    service = unit_of(done)
    assert service["Type"] == "notify"
    assert service["User"] == "desk"
    assert service["ExecStart"].endswith(f"--config {shop}/config.toml run")
    assert "LoadCredential" not in service  # a copy of the start would win over what somebody renewed since
    assert service["ReadWritePaths"] == str(shop)
    assert done.err == ""
    assert service["ProtectSystem"] == "strict"
    assert "canary" not in done.out


def test_a_database_and_copies_that_lie_elsewhere_can_be_written_too(
    social: Social, shop: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    disk = tmp_path_factory.mktemp("disk")
    text = (shop / "config.toml").read_text(encoding="utf-8")
    url = f'url = "sqlite:///{disk}/shop.db"\nbackup_folder = "{disk}/usb/copies"'
    (shop / "config.toml").write_text(text.replace('url = "sqlite:///var/shop.db"', url), encoding="utf-8")
    done = social("service", "print", "--user", "desk")
    assert unit_of(done)["ReadWritePaths"] == f"{shop} -{disk} -{disk}/usb/copies"
    assert f"sudo install -d -m 700 -o desk {disk}/usb/copies" in done.err


def test_what_lies_in_a_home_is_not_hidden_from_the_service(
    social: Social, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_program_places", lambda: [Path("/usr/bin/social")])
    assert unit_of(social("service", "print"))["ProtectHome"] == "yes"
    monkeypatch.setattr(module, "_program_places", lambda: [Path("/home/anna/.venv/bin/social")])
    assert unit_of(social("service", "print"))["ProtectHome"] == "no"
    monkeypatch.undo()
    monkeypatch.chdir(shop)
    monkeypatch.setattr(module, "_program_places", list)
    with (shop / "config.toml").open("a", encoding="utf-8") as stream:
        stream.write('\n[secrets]\ndirectory = "/root/secrets"\n')
    assert unit_of(social("service", "print"))["ProtectHome"] == "no"


def test_a_demo_is_no_service(social: Social, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = social("service", "print")
    assert done.code == 3
    assert "social init" in done.err


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_understands_the_unit(social: Social, shop: Path, tmp_path: Path) -> None:
    text = social("service", "print", "--user", "root").out
    file = tmp_path / "dyzur.service"
    file.write_text(
        "\n".join(
            f"ExecStart={shutil.which('true')}" if line.startswith("ExecStart") else line for line in text.splitlines()
        )
    )
    done = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False)
    assert str(file) not in done.stderr and "Unknown" not in done.stderr, done.stderr


@pytest.fixture
def heard(tmp_path: Path) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    line.bind(str(tmp_path / "notify"))
    line.settimeout(60)
    return line


def test_systemd_hears_when_the_daemon_is_ready_well_and_stopping(tmp_path: Path, heard: socket.socket) -> None:
    (tmp_path / "shop").mkdir()
    shop = Shop.make(tmp_path / "shop", only="facebook")
    try:
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
        process = shop.run(**told)
        assert heard.recv(100) == b"READY=1"
        assert heard.recv(100) == b"WATCHDOG=1"
        process.send_signal(signal.SIGTERM)
        words = heard.recv(100)
        while words == b"WATCHDOG=1":
            words = heard.recv(100)
        assert words == b"STOPPING=1"
        assert process.wait(timeout=30) == 0
    finally:
        shop.close()
        heard.close()


def test_who_is_not_well_keeps_silent(tmp_path: Path, heard: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    watchdog = systemd.Watchdog()
    watchdog.pat(well=False)
    heard.setblocking(False)
    with pytest.raises(BlockingIOError):
        heard.recv(100)
    watchdog.pat(well=True)
    assert heard.recv(100) == b"WATCHDOG=1"
    heard.close()


def test_without_systemd_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd.tell("READY=1")
    assert "NOTIFY_SOCKET" not in environment()
