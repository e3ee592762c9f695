"""One sentence instead of a traceback, exit codes for scripts, data on stdout and nothing else there."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import typer

import social as product
from social.cli import EXIT_CODES
from social.cli.verbs import ALL
from tests.cli.conftest import Social


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_the_help_names_every_command_and_every_exit_code(social: Social, arguments: tuple[str, ...]) -> None:
    done = social(*arguments)

    assert done.code == 0
    assert all(f"  {verb.name} " in done.out and verb.summary in done.out for verb in ALL.values())
    assert all(f"  {meaning}" in done.out for meaning in EXIT_CODES.values())


def test_it_says_its_version(social: Social) -> None:
    assert social("--version").out.strip() == product.__version__


@pytest.mark.parametrize("verb", sorted(ALL))
def test_every_command_of_the_table_is_there_and_explains_itself(social: Social, verb: str) -> None:
    done = social(verb, "--help")

    assert done.code == 0, done.err
    assert f"Usage: social {verb}" in done.out


@pytest.mark.parametrize("verb", sorted(ALL))
def test_the_table_knows_which_commands_have_commands_of_their_own(verb: str) -> None:
    command = typer.main.get_command(import_module(ALL[verb].module).app)

    assert hasattr(command, "commands") is ALL[verb].group


def test_a_mistyped_command_is_answered_with_the_one_that_was_meant(social: Social) -> None:
    done = social("pasue")

    assert (done.code, done.out) == (2, "")
    assert "There is no command 'pasue'. Did you mean: social pause" in done.err


def test_a_wrong_option_is_named_and_leads_to_the_help(social: Social) -> None:
    done = social("hours", "--tomorrow")

    assert done.code == 2
    assert "--tomorrow" in done.err
    assert "See: social hours --help" in done.err


def test_a_wrong_option_of_a_command_in_a_group_leads_to_the_help_of_that_command(social: Social) -> None:
    for done in (social("queue", "list", "--mime"), social("queue", "settle", "1")):
        assert done.code == 2
        assert f"See: social queue {'list' if '--mime' in done.err else 'settle'} --help" in done.err


def test_what_is_only_wrong_usage_has_its_code(social: Social, shop: Path, tmp_path: Path) -> None:
    assert social("db", "upgrade").code == 0
    week = ("--from", "2026-11-16", "--to", "2026-11-23")
    for arguments in (
        ("people", "invite", "--role", "boss"),
        ("run", "--log-level", "chatty"),
        ("pause", "--as", "robot"),
        ("export", "sentiment", *week, "-o", str(tmp_path / "none" / "x.csv")),
    ):
        assert social(*arguments).code == 2, arguments


def test_an_error_is_one_sentence_on_stderr_with_its_code(social: Social, tmp_path: Path) -> None:
    done = social("hours", "--config", str(tmp_path / "none.toml"))

    assert (done.code, done.out) == (3, "")
    assert done.err == f"{tmp_path / 'none.toml'}: there is no such file. Make one with: social init\n"


def test_debug_shows_where(social: Social, tmp_path: Path) -> None:
    from social.domain.errors import ConfigurationError

    with pytest.raises(ConfigurationError):
        social("hours", "--debug", "--config", str(tmp_path / "none.toml"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--config", "shop.toml", "check-config"),
        ("-c", "shop.toml", "check-config"),
        ("--config=shop.toml", "check-config"),
        ("check-config", "--config", "shop.toml"),
    ],
)
def test_the_configuration_is_named_before_or_behind_the_command(
    social: Social, shop: Path, arguments: tuple[str, ...]
) -> None:
    (shop / "config.toml").rename(shop / "shop.toml")

    done = social(*arguments)

    assert done.code == 0
    assert "shop.toml can be used." in done.out


def test_the_configuration_before_a_command_of_a_group_reaches_it(social: Social, shop: Path) -> None:
    (shop / "config.toml").rename(shop / "shop.toml")

    assert social("--config", "shop.toml", "db", "upgrade").code == 0
    assert (shop / "var" / "shop.db").exists()


def test_a_group_explains_itself_whatever_configuration_is_named(social: Social) -> None:
    done = social("--config", "somewhere.toml", "db", "--help")

    assert (done.code, "Usage: social db" in done.out) == (0, True), done.err
