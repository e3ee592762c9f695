"""A configuration that is broken in many ways at once: every mistake with its line, before anything is opened."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from social.domain.errors import ConfigurationError
from tests.cli.processes import TREE, environment

BROKEN = """\
[database]
url = "sqlite:///var/shop.db"
pool = 5

[triage]
backend = "guess"
threads = -1

[responders]
acknowledge_after = "2h"
per_author_an_hour = "many"

[web]
port = 70000
host = "0.0.0.0"

[notify]
quiet_hours = "25:00-07:00"
ping = "ftp://example.com"

[[notify.people]]
name = "marek"

[[brands]]
name = "Shop"
languages = ["polish"]
timezone = "Warsaw"
hours = { mon-fri = ["9-17"] }

[[profiles]]
name = "Shop Page"
brand = "Shop"
connector = "facebook"
mode = "acknowledge"
poll_every = "1s"
credential = "shop-page"

[unheard]
of = true
"""


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "social.cli", *arguments],
        cwd=folder,
        env={**environment(**more), "PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("verb", [("check-config",), ("run",), ("poll", "shop-page", "--once")])
def test_every_mistake_is_told_at_once_with_its_line_and_nothing_is_opened(
    tmp_path: Path, verb: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as network:
        port = network.getsockname()[1]
        table = f'\n[connectors.facebook]\nbase_url = "http://127.0.0.1:{port}/facebook"\n'
        (tmp_path / "config.toml").write_text(BROKEN + table, encoding="utf-8")

        # the tests' own environment sets some keys; here the file alone speaks
        done = run(tmp_path, *verb, DYZUR_TRIAGE__BACKEND="guess", DYZUR_WEB__PORT="70000", DYZUR_CLOCK__SPEED="1")

        network.setblocking(False)
        with pytest.raises(BlockingIOError):
            network.accept()  # nobody has knocked
    lines = BROKEN.splitlines()
    assert done.returncode == ConfigurationError.exit_code
    for words in (
        "pool = 5",
        "threads = -1",
        'acknowledge_after = "2h"',
        'per_author_an_hour = "many"',
        'quiet_hours = "25:00-07:00"',
        'ping = "ftp://example.com"',
        'languages = ["polish"]',
        'timezone = "Warsaw"',
        "hours = {",
        'name = "Shop Page"',
        'poll_every = "1s"',
        "[unheard]",
    ):
        line = next(number for number, text in enumerate(lines, start=1) if text.startswith(words))
        assert f"config.toml:{line}:" in done.stderr, (words, done.stderr)
    assert "DYZUR_TRIAGE__BACKEND" in done.stderr and "DYZUR_WEB__PORT" in done.stderr
    assert not re.search(r"Traceback|pydantic\.dev", done.stderr)
    assert done.stdout == ""
    assert [item.name for item in tmp_path.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[database\n", "config.toml:1: this is not valid TOML"),
        (b'a = "\xff\xfe"', "it is not UTF-8 text"),
        (b"\x00", "this is not valid TOML"),
        (b"", "'brands' is missing"),
        (b"brands = 5\nprofiles = []\n", "brands"),
        (b'[[brands]]\n[[profiles]]\nname = """', "not valid TOML"),
        (b'[database]\nurl = "postgresql://user:canary-0123@host/name"\n', "a secret must never stand in this file"),
        (b'[[profiles]]\ncredential = "EAAcanary0123canary0123canary"\n', "NAME of a credential"),
    ],
)
def test_a_file_that_is_hardly_one_is_told_in_a_sentence(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "config.toml").write_bytes(content)

    done = run(tmp_path, "run")

    assert done.returncode == ConfigurationError.exit_code
    assert told in done.stderr
    assert "canary" not in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "var").exists()


def test_a_secret_that_is_missing_is_told_by_name_before_the_desk_opens_its_pages(tmp_path: Path) -> None:
    good = BROKEN[BROKEN.index("[[brands]]") : BROKEN.index("[unheard]")]
    for wrong, right in (
        ('["polish"]', '["pl"]'),
        ('"Warsaw"', '"Europe/Warsaw"'),
        ('"9-17"', '"09:00-17:00"'),
        ("Shop Page", "shop-page"),
        ('"acknowledge"\n', '"acknowledge"\nclosed_notice = true\n'),
        ('"1s"', '"1m"'),
    ):
        good = good.replace(wrong, right)
    (tmp_path / "config.toml").write_text(good, encoding="utf-8")

    done = run(tmp_path, "check-config", DYZUR_CLOCK__SPEED="1")

    assert done.returncode == 0, done.stderr
    assert "warning: shop-page" in done.stderr and "'shop-page' was not found" in done.stderr
