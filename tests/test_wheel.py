"""One wheel holds the product: four packages, their data, the demo's configuration, and nothing that only we need."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
#: The largest file that the package index takes is 100 MB.
LARGEST = 95_000_000
DATA = {".toml", ".jsonl", ".json", ".mako", ".onnx", ".txt", ".model"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


def test_it_holds_every_module_and_every_data_file(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        str(file.relative_to(ROOT))
        for package in ("social", "connectors", "triage", "responders")
        for file in (ROOT / package).rglob("*")
        if file.suffix in DATA | {".py"} and not file.is_relative_to(ROOT / "triage" / "training")
    }

    assert sorted(wanted - inside) == []


def test_it_holds_the_configuration_of_the_demo(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("social/config.toml") == (ROOT / "config.toml").read_bytes()


def test_it_holds_nothing_else(wheel: Path) -> None:
    allowed = {"social", "connectors", "triage", "responders"}

    inside = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}

    assert {name for name in inside if not name.endswith(".dist-info")} == allowed
    assert not any(name.startswith("triage/training/") for name in zipfile.ZipFile(wheel).namelist())


def test_it_is_small_enough_to_be_published(wheel: Path) -> None:
    assert wheel.stat().st_size < LARGEST


def test_it_brings_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        points = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "social = social.cli:main" in archive.read(points).decode()
