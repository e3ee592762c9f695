"""`social doctor` finds what is ill, names the cure, and changes nothing."""

from __future__ import annotations

from pathlib import Path

from social.clock import machine_now
from social.store import moved_away
from social.store.session import Database
from tests.cli.conftest import SHOP, Done, Social


def levels(done: Done) -> dict[str, str]:
    """Subject -> worst level."""
    order = ["ok", "note", "warning", "error"]
    found: dict[str, str] = {}
    for item in done.json:
        found[item["subject"]] = max(found.get(item["subject"], "ok"), item["level"], key=order.index)
    return found


def sentence(done: Done, subject: str) -> str:
    return " ".join(item["sentence"] for item in done.json if item["subject"] == subject)


def test_a_desk_that_is_ready_has_no_errors(social: Social, shop: Path) -> None:
    social("db", "upgrade")

    done = social("doctor", "--offline", "--json")

    assert done.code == 0, done.out
    assert set(levels(done).values()) <= {"ok", "note"}
    assert "rules-only" in sentence(done, "model")
    assert "UTC+0100 in winter" in sentence(done, "time zones")


def test_before_the_first_start_the_database_is_only_noted(social: Social, shop: Path) -> None:
    done = social("doctor", "--offline", "--json")

    assert levels(done)["database"] == "note"
    assert not (shop / "var").exists()


def test_a_folder_that_takes_no_copies_is_an_error_with_its_cure(social: Social, shop: Path) -> None:
    assert levels(social("doctor", "--offline", "--json"))["copies"] == "note"
    (shop / "var").mkdir(exist_ok=True)
    (shop / "var" / "backups").touch()

    done = social("doctor", "--offline", "--json")

    assert done.code == 9
    assert "is no folder, so no daily copy can lie in" in sentence(done, "copies")

    (shop / "var" / "backups").unlink()
    (shop / "var" / "backups").mkdir()
    assert levels(social("doctor", "--offline", "--json"))["copies"] == "ok"


def test_a_secret_that_others_can_read_is_an_error_with_its_cure(social: Social, shop: Path) -> None:
    (shop / "secrets" / "shop-page.toml").chmod(0o644)

    done = social("doctor", "--offline", "--json")

    assert done.code == 9
    assert "chmod 600" in sentence(done, "secrets")
    assert "canary" not in done.out + done.err


def test_a_network_that_does_not_answer_is_an_error(social: Social, shop: Path) -> None:
    done = social("doctor", "--json")

    assert done.code == 9
    assert "http://127.0.0.1:9/facebook cannot be reached" in sentence(done, "network")


def test_a_broken_configuration_is_told_and_does_not_hide_the_rest(social: Social, shop: Path) -> None:
    (shop / "config.toml").write_text(SHOP.replace("mode =", "mood ="), encoding="utf-8")

    done = social("doctor", "--json")

    assert done.code == 9
    assert "did you mean 'mode'?" in sentence(done, "configuration")
    assert levels(done)["program"] == "ok"


def test_a_database_that_others_can_read_is_a_warning_with_its_cure(social: Social, shop: Path) -> None:
    social("db", "upgrade")
    file = shop / "var" / "shop.db"
    assert "other users" not in sentence(social("doctor", "--offline", "--json"), "database")
    file.chmod(0o644)

    done = social("doctor", "--offline", "--json")

    assert done.code == 0
    assert levels(done)["database"] == "warning"
    assert f"other users can read it: chmod 600 {file}" in sentence(done, "database")


def test_a_database_that_was_moved_is_an_error_that_says_where_to(social: Social, shop: Path) -> None:
    social("db", "upgrade")
    with Database(f"sqlite:///{shop}/var/shop.db").write() as session:
        moved_away.close(session, to="postgresql+psycopg://desk@db/desk", at=machine_now())

    done = social("doctor", "--offline", "--json")

    assert done.code == 9
    assert "moved to postgresql+psycopg://desk@db/desk" in sentence(done, "database")


def test_a_damaged_database_is_an_error(social: Social, shop: Path) -> None:
    (shop / "var").mkdir()
    (shop / "var" / "shop.db").write_bytes(b"this is no database" * 100)

    done = social("doctor", "--offline", "--json")

    assert done.code == 9
    assert levels(done)["database"] == "error"


def test_a_missing_model_is_an_error_and_not_silence(social: Social, shop: Path) -> None:
    (shop / "config.toml").write_text(
        SHOP.replace('backend = "rules"', 'backend = "onnxruntime"\nmodel = "nowhere"'), encoding="utf-8"
    )

    done = social("doctor", "--offline", "--json")

    assert done.code == 9
    assert levels(done)["model"] == "error"


def test_a_profile_that_only_rehearses_is_a_warning(social: Social, shop: Path) -> None:
    (shop / "config.toml").write_text(SHOP.replace('"acknowledge"', '"dry-run"'), encoding="utf-8")

    done = social("doctor", "--offline", "--json")

    assert "its customers get no automatic answer" in sentence(done, "configuration")


def test_a_pause_is_a_warning(social: Social, shop: Path) -> None:
    social("db", "upgrade")
    social("pause", "--as", "anna")

    assert "by anna: nothing is sent" in sentence(social("doctor", "--offline", "--json"), "desk")


def test_in_words_it_prints_a_line_a_finding(social: Social, shop: Path) -> None:
    done = social("doctor", "--offline")

    assert "ok     program " in done.out or "ok    program " in done.out
    assert done.err == ""
