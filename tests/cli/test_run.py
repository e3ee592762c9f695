"""`social run` as a process: what it tells, how it ends, and that a kill costs the customer nothing."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.simulated.process import find_running
from connectors.simulated.world import AUTOMATIC_MARK
from social.store.session import Database
from tests.cli.conftest import Social
from tests.cli.processes import SPEED, Shop, environment, lines_of
from tests.engine.looking import eventually
from tests.story.telling import leases_run_out, replies

PLEASE_A_PERSON = "Proszę o kontakt z człowiekiem, chcę rozmawiać z konsultantem."


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Shop]:
    """The shipped demo, all its networks."""
    shop = Shop.make(tmp_path)
    yield shop
    shop.close()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Shop]:
    """One profile only, which starts sooner."""
    shop = Shop.make(tmp_path, only="facebook")
    yield shop
    shop.close()


def test_it_says_what_is_simulated_and_what_to_try_works_and_ends_in_order(demo: Shop) -> None:
    process = demo.run()
    demo.logs("polled ", "judged ", "escalated", "sent ")

    banner = demo.log[: demo.log.index("Stop with Ctrl-C.")]
    assert "SIMULATED" in banner
    assert re.search(r"Friday 20 November 2026, 15:[34]\d \(Europe/Warsaw\)", banner)
    assert f"runs {SPEED} times as fast as yours" in banner
    assert "lawenda-x (acknowledge), lawenda-facebook (acknowledge), lawenda-bluesky (acknowledge)" in banner
    assert "rules-only" in banner
    assert lines_of(demo.log, "polled ")[0].startswith("Fri 15:")  # the world's time starts every line
    assert "Traceback" not in demo.log

    commands = [line.strip() for line in lines_of(banner, "social.cli")]
    assert [command.split("config.toml ")[1].split()[0] for command in commands[:4]] == [
        "queue",
        "queue",
        "queue",
        "simulate",
    ]
    tried = shlex.split(commands[0])
    assert tried[0] == "python"
    done = subprocess.run(
        [sys.executable, *tried[1:]],
        cwd=demo.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "lawenda-" in done.stdout

    networks = demo.networks
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert find_running(demo.state_file) is None
    assert not demo.state_file.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(networks.pid, 0)
    assert "sending" not in {row.state for row in read(demo)}


def read(shop: Shop) -> list[object]:
    database = Database(f"sqlite:///{shop.folder}/var/demo.db")
    try:
        return list(replies(database))
    finally:
        database.close()


def test_it_answers_nobody_twice_when_it_is_killed_while_a_reply_is_on_the_wire(page: Shop) -> None:
    killed = page.run()
    page.logs("polled ")
    networks = page.networks
    # the reply is published at once, its answer takes longer than anybody waits
    networks.post("fault", kind="trickle", network="facebook", method="POST", path="/comments$", count=None, seconds=5)
    asked = networks.post("post", network="facebook", text=PLEASE_A_PERSON, author="kanarek")
    eventually(lambda: page.replies_to(asked), what="the confirmation")
    killed.kill()
    killed.wait()

    assert find_running(page.state_file) == networks  # customers do not vanish with our program
    networks.post("fault", clear=True)
    database = Database(f"sqlite:///{page.folder}/var/demo.db")
    assert "sending" in {row.state for row in replies(database)}
    leases_run_out(database)  # as after a minute

    length = len(page.log)
    heir = page.run()
    page.logs("still running; the world went on without the desk", "polled ", after=length)
    eventually(lambda: "sending" not in {row.state for row in replies(database)}, what="the look-up")
    second = networks.post("post", network="facebook", text=PLEASE_A_PERSON, author="wrona")
    eventually(lambda: page.replies_to(second), what="an answer of the restarted desk")
    heir.send_signal(signal.SIGTERM)
    networks_history = page.published()
    assert heir.wait(timeout=10) == 0
    database.close()

    ours = [line for line in networks_history if line["via"] == "api"]
    assert [line["parent"] for line in ours].count(asked["sequence"]) == 1
    assert all(AUTOMATIC_MARK in line["text"].casefold() for line in ours)
    assert set(Counter(line["parent"] for line in ours).values()) == {1}
    assert find_running(page.state_file) is None


def test_it_says_that_the_port_is_taken_and_leaves_nothing_behind(page: Shop) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", page.port))
        other.listen()
        process = page.run()
        assert process.wait(timeout=60) != 0
    said = page.log.strip().splitlines()[-1]
    assert str(page.port) in said
    assert "Traceback" not in page.log
    assert find_running(page.state_file) is None


def test_it_refuses_a_part_that_does_not_exist(social: Social, shop: Path) -> None:
    done = social("run", "--only", "poll,juggle")
    assert done.code != 0
    assert "there is no part 'juggle'" in done.err
    assert "poll, triage, respond" in done.err
    assert not (shop / "var").exists()


def test_it_refuses_a_log_level_that_does_not_exist(social: Social, shop: Path) -> None:
    done = social("run", "--log-level", "loud")
    assert done.code != 0
    assert "'loud' is not a log level" in done.err
    assert not (shop / "var").exists()


def test_it_says_what_to_do_with_a_damaged_database(social: Social, shop: Path) -> None:
    (shop / "var").mkdir()
    (shop / "var" / "shop.db").write_bytes(b"this is no database at all" * 500)
    done = social("run")
    assert done.code == 6
    assert "damaged" in done.err and "newest backup" in done.err
