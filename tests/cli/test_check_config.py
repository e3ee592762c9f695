"""`social check-config` names mistakes that the words of the file alone do not show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import SHOP, Social


def edit(shop: Path, before: str, after: str) -> int:
    """Change config.toml; returns the line on which the change stands."""
    assert before in SHOP
    text = SHOP.replace(before, after)
    (shop / "config.toml").write_text(text, encoding="utf-8")
    return text[: text.index(after)].count("\n") + 1


def test_a_good_file_is_told_with_its_profiles(social: Social, shop: Path) -> None:
    done = social("check-config")

    assert done.code == 0
    assert "config.toml can be used." in done.out
    assert "shop-page  facebook  acknowledge" in done.out
    assert done.err == ""


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            'credential = "shop-page"\n',
            'credential = "shop-page"\n\n[profiles.options]\nwatchedposts = 3\n',
            "unknown key",
        ),
        ('connector = "facebook"', 'connector = "myspace"', 'there is no connector "myspace". Known: '),
        ('holidays = "PL"', 'holidays = "XX"', 'no holidays are known for "XX"'),
        ('languages = ["pl", "en"]', 'languages = ["pl", "tlh"]', "brands.0.languages.1"),
        ('languages = ["pl", "en"]', 'languages = ["pl", "xx"]', "there are no automatic texts in 'xx'"),
        (
            'base_url = "http://127.0.0.1:9/facebook"',
            'base_url = "http://graph.facebook.com"',
            "plain http is only for",
        ),
        ("[connectors.facebook]", "[connectors.myspace]", 'there is no connector "myspace"'),
        ("sqlite:///var/shop.db", "mysql://x", "database.url: 'mysql' is not supported; write sqlite:///"),
        ("sqlite:///var/shop.db", "var/shop.db", "database.url: it cannot be read; write sqlite:///"),
        ("sqlite:///var/shop.db", "sqlite:///:memory:", "a database in memory forgets everything"),
        ("sqlite:///var/shop.db", "sqlite+aiosqlite:///x.db", "'sqlite+aiosqlite' is not supported"),
        (
            "[connectors.facebook]",
            '[notify.smtp]\nhost = "mail.invalid"\nsender = "desk@shop.invalid"\ncredential = "mail"\n\n[connectors.facebook]',
            "secrets/mail.toml: the credential 'mail' was not found",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(social: Social, shop: Path, before: str, after: str, told: str) -> None:
    edit(shop, before, after)

    done = social("check-config")

    assert done.code == 3
    assert told in done.err
    assert done.err.startswith("config.toml:")
    assert done.out == ""


def test_an_option_of_a_network_has_its_line_too(social: Social, shop: Path) -> None:
    before = 'credential = "shop-page"\n'
    line = edit(shop, before, f"{before}\n[profiles.options]\nwatched_post = 3\n") + 3

    done = social("check-config")

    assert f"config.toml:{line}: profiles.0.options.watched_post: unknown key 'watched_post'" in done.err
    assert "did you mean 'watched_posts'?" in done.err


def test_json_lists_the_mistakes(social: Social, shop: Path) -> None:
    line = edit(shop, 'timezone = "Europe/Warsaw"', 'timezone = "Warsaw"')

    done = social("check-config", "--json")

    assert done.code == 3
    assert done.json["ok"] is False
    assert done.json["problems"][0].startswith(f"config.toml:{line}: brands.0.timezone: ")


def test_a_missing_credential_is_a_warning_that_names_the_file(social: Social, shop: Path) -> None:
    (shop / "secrets" / "shop-page.toml").unlink()

    done = social("check-config")

    assert done.code == 0
    assert (
        f"warning: shop-page: {shop / 'secrets' / 'shop-page.toml'}: the credential 'shop-page' was not found"
        in done.err
    )


def test_a_way_to_people_without_its_password_is_a_mistake_since_the_desk_would_not_start(
    social: Social, shop: Path
) -> None:
    smtp = '[notify.smtp]\nhost = "mail.invalid"\nsender = "desk@shop.invalid"\ncredential = "mail"\n\n'
    edit(shop, "[connectors.facebook]", f"{smtp}[connectors.facebook]")
    secret = shop / "secrets" / "mail.toml"
    secret.touch(mode=0o600)
    secret.write_text('username = "desk"\n', encoding="utf-8")

    done = social("check-config")

    assert done.code == 3
    assert 'mail.toml: lacks password. Add a line for each: password = "..."' in done.err
    assert social("run").code == 3

    secret.write_text('username = "desk"\npassword = "canary-mail"\n', encoding="utf-8")
    assert social("check-config").code == 0


def test_a_credential_without_a_part_is_a_warning_that_names_the_part(social: Social, shop: Path) -> None:
    secret = shop / "secrets" / "shop-page.toml"
    secret.write_text('access_token = "canary-token-1"\n', encoding="utf-8")

    done = social("check-config")

    assert "lacks app_secret" in done.err
    assert "canary" not in done.err + done.out
