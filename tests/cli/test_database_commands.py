"""`social db`, `pause` and `unpause`."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.cli.conftest import Social


def test_status_says_how_to_make_a_database_that_is_not_there(social: Social, shop: Path) -> None:
    done = social("db", "status")

    assert done.code == 2
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
