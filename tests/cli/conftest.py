"""A shop's folder with a config.toml, and the command line called as from a shell."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from social.cli import main

SHOP = """\
[database]
url = "sqlite:///var/shop.db"

[triage]
backend = "rules"

[[brands]]
name = "Shop"
languages = ["pl", "en"]
timezone = "Europe/Warsaw"
holidays = "PL"
closed_dates = [2026-12-31]

[brands.hours]
mon-fri = ["09:00-17:00"]

[[profiles]]
name = "shop-page"
brand = "Shop"
connector = "facebook"
mode = "acknowledge"
closed_notice = true
credential = "shop-page"

[connectors.facebook]
base_url = "http://127.0.0.1:9/facebook"
"""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Social = Callable[..., Done]


@pytest.fixture
def social(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Social:
    """Call `social ...`; ``stdin`` is what somebody types or pipes in."""

    def call(*arguments: str, stdin: str | bytes = b"") -> Done:
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with config.toml and a credential that nobody else can read."""
    (tmp_path / "config.toml").write_text(SHOP, encoding="utf-8")
    secret = tmp_path / "secrets" / "shop-page.toml"
    secret.parent.mkdir()
    secret.write_text('access_token = "canary-token-1"\napp_secret = "canary-secret-1"\n', encoding="utf-8")
    secret.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No DYZUR_* variable of this machine, and the log as it was before."""
    for name in [name for name in os.environ if name.startswith("DYZUR_") or name == "CREDENTIALS_DIRECTORY"]:
        monkeypatch.delenv(name)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
