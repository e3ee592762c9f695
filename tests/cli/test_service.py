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

from social.cli import systemd
from tests.cli.conftest import Social
from tests.cli.processes import Shop, environment


def test_the_unit_starts_this_configuration_with_its_secrets_and_nothing_else_to_write(
    social: Social, shop: Path
) -> None:
    done = social("service", "print", "--user", "desk")
    assert done.code == 0, done.err
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(done.out)
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["User"] == "desk"
    assert service["ExecStart"].endswith(f"--config {shop}/config.toml run")
    assert service["LoadCredential"] == f"shop-page:{shop}/secrets/shop-page.toml"
    assert service["ReadWritePaths"] == str(shop)
    assert service["ProtectSystem"] == "strict"
    assert "canary" not in done.out


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
