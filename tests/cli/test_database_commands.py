"""`social db`, `pause` and `unpause`."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from social.clock import machine_now
from social.store import moved_away
from social.store.session import Database
from tests.cli.conftest import Social

MOVED_TO = "postgresql+psycopg://desk@db.example/desk"


def test_status_says_how_to_make_a_database_that_is_not_there(social: Social, shop: Path) -> None:
    done = social("db", "status")

    assert done.code == 6
    assert "there is no database yet. Make it with: social db upgrade" in done.err
    assert not (shop / "var").exists()


def test_upgrade_makes_it_and_the_second_time_has_nothing_to_do(social: Social, shop: Path) -> None:
    first, second = social("db", "upgrade"), social("db", "upgrade")

    assert first.code == second.code == 0
    assert first.out.startswith("Upgraded from nothing to ")
    assert second.out.startswith("Nothing to do")
    status = social("db", "status", "--json").json
    assert status["up_to_date"] is True
    assert status["damage"] is None


def test_a_backup_is_a_whole_database_that_only_its_owner_reads(social: Social, shop: Path) -> None:
    social("db", "upgrade")

    made = Path(social("db", "backup", "--to", str(shop / "copies"), "--json").json["backup"])

    assert made.parent == shop / "copies"
    assert made.stat().st_mode & 0o777 == 0o600
    connection = sqlite3.connect(made)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM post").fetchone() == (0,)
    connection.close()


def test_a_file_that_is_no_database_is_told_in_a_sentence(social: Social, shop: Path) -> None:
    (shop / "var").mkdir()
    (shop / "var" / "shop.db").write_bytes(b"this is no database" * 100)

    done = social("db", "status")

    assert done.code != 0
    assert "Something unexpected" not in done.err
    assert str(shop / "var" / "shop.db") in done.err


@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["upgrade"], ["backup"]])
def test_no_command_shows_a_password_that_stands_behind_the_question_mark(
    social: Social, shop: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("DYZUR_DATABASE__URL", "postgresql+psycopg://desk@127.0.0.1:9/desk?password=open-sesame")

    done = social("db", *command)

    assert done.code == 3
    assert "PGPASSWORD" in done.err
    assert "open-sesame" not in done.out + done.err


@pytest.fixture
def moved(social: Social, shop: Path) -> Path:
    """The file of a shop whose rows went to another database."""
    social("db", "upgrade")
    social("pause", "--as", "anna")
    file = shop / "var" / "shop.db"
    database = Database(f"sqlite:///{file}")
    with database.write() as session:
        moved_away.close(session, to=MOVED_TO, at=machine_now())
    database.close()
    return file


@pytest.mark.parametrize("command", [["run"], ["unpause"], ["queue", "list"], ["db", "upgrade"], ["db", "purge"]])
def test_nobody_works_on_a_database_that_was_moved(social: Social, moved: Path, command: list[str]) -> None:
    done = social(*command)

    assert done.code == 8
    assert f"{moved}: its rows were moved to {MOVED_TO}" in done.err
    assert "social db restore" in done.err


def test_status_says_where_a_database_was_moved_to(social: Social, moved: Path) -> None:
    assert social("db", "status", "--json").json["moved_to"] == MOVED_TO
    assert f"moved to {MOVED_TO}" in social("db", "status").out


def test_a_copy_of_a_moved_database_takes_it_back_into_use(social: Social, moved: Path) -> None:
    copy = social("db", "backup", "--json").json["backup"]
    assert social("unpause").code == 8

    assert social("db", "restore", copy, "--yes").code == 0

    assert social("db", "status", "--json").json["moved_to"] is None
    assert social("unpause", "--json").json == {"paused": False, "changed": True}


def test_pause_stops_the_desk_and_unpause_lets_it_go_on(social: Social, shop: Path) -> None:
    social("db", "upgrade")

    paused = social("pause", "--as", "anna", "--json").json
    again = social("pause")
    ended = social("unpause", "--json").json

    assert (paused["paused"], paused["by"], paused["changed"]) == (True, "anna", True)
    assert "paused already" in again.out
    assert "by anna" in again.out
    assert ended == {"paused": False, "changed": True}
    assert social("unpause").out == "It was not paused.\n"


def test_pause_without_a_database_says_what_makes_one(social: Social, shop: Path) -> None:
    done = social("pause")

    assert done.code == 6
    assert "Start the desk once: social run" in done.err
