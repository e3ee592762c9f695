"""`social init` writes a file that the desk can use, and never over another."""

from __future__ import annotations

from pathlib import Path

import pytest

from social.cli.init import suggested_zone
from social.domain.post import ProfileMode
from social.settings import load_settings
from tests.cli.conftest import Social

WARSAW = ("--timezone", "Europe/Warsaw")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_asks_and_writes_what_was_answered(social: Social, tmp_path: Path) -> None:
    typed = ["Żółw & Syn", "pl", "Europe/Warsaw", "08:00-16:00", "10:00-14:00", "PL", "facebook,bluesky"]
    typed += ["zolw.bsky.social", "t", "n"]

    done = social("init", "--lang", "pl", stdin="\n".join(typed) + "\n")

    assert done.code == 0, done.err
    settings = load_settings(tmp_path / "config.toml", environment={})
    brand = settings.brands[0]
    assert (brand.name, brand.languages, brand.holidays) == ("Żółw & Syn", ("pl",), "PL")
    assert brand.hours == {"mon-fri": ("08:00-16:00",), "sat": ("10:00-14:00",)}
    assert [profile.name for profile in settings.profiles] == ["zolw-syn-facebook", "zolw-syn-bluesky"]
    assert settings.profiles[1].options == {"handle": "zolw.bsky.social"}
    assert all(profile.closed_notice for profile in settings.profiles)
    assert {profile.mode for profile in settings.profiles} == {ProfileMode.ACKNOWLEDGE}
    assert social("check-config").code == 0


def test_it_asks_again_until_the_answer_can_be_used(social: Social) -> None:
    typed = [
        "Shop",
        "en",
        "Moon",
        "Europe/London",
        "9-5",
        "09:00-17:00",
        "-",
        "Narnia",
        "GB",
        "myspace",
        "facebook",
        "",
        "",
    ]

    done = social("init", "--lang", "en", stdin="\n".join(typed) + "\n")

    assert done.code == 0, done.err
    assert done.err.count("That cannot be used: ") == 4


def test_it_recommends_the_closed_notice_and_takes_it_by_default(social: Social, tmp_path: Path) -> None:
    done = social("init", "--lang", "en", stdin="Shop\n\n\n\n\n\nfacebook\n\n\n")

    assert "Recommended: silence until Monday reads as indifference. (y/n) [y]" in done.err
    assert load_settings(tmp_path / "config.toml", environment={}).profiles[0].closed_notice is True


def test_for_scripts_it_asks_nothing_and_starts_in_dry_run(social: Social, tmp_path: Path) -> None:
    done = social(
        "init",
        "--yes",
        "--brand",
        "Shop",
        "--network",
        "twitter",
        "--holidays",
        "PL",
        "--no-closed-notice",
        *WARSAW,
    )

    assert done.code == 0, done.err
    profile = load_settings(tmp_path / "config.toml", environment={}).profiles[0]
    assert (profile.mode, profile.closed_notice) == (ProfileMode.DRY_RUN, False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--yes",), "--yes needs --brand"),
        (("--yes", "--brand", "Shop", "--network", "bluesky", *WARSAW), "--yes needs --option bluesky.handle="),
        (
            ("--yes", "--brand", "Shop", "--network", "bluesky", "--option", "bluesky.handle=me@x.com", *WARSAW),
            "the whole handle",
        ),
        (("--yes", "--brand", "Shop", "--option", "nonsense", *WARSAW), "write it like NETWORK.KEY=VALUE"),
        (
            ("--yes", "--brand", "Shop", "--network", "facebook", "--option", "bluesky.handle=a.b", *WARSAW),
            "nothing is called 'bluesky.handle' on the networks facebook; known: facebook.page_id",
        ),
        (
            ("--yes", "--brand", "Shop", "--network", "facebook", "--option", "facebook.pageid=1", *WARSAW),
            "known: facebook.page_id",
        ),
        (("--yes", "--brand", "Shop", "--timezone", "Moon"), "write for example Europe/Warsaw"),
        (("--yes", "--brand", "Shop", "--hours", "9-5", *WARSAW), '"9-5" is not a slot'),
        (("--yes", "--brand", "Shop", "--network", "myspace", *WARSAW), "choose from"),
        (("--lang", "de"), "choose pl or en"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(
    social: Social, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = social("init", *arguments)

    assert done.code == 2
    assert told in done.err
    assert list(tmp_path.iterdir()) == []


def test_it_does_not_wait_for_ever_where_nobody_answers(social: Social, tmp_path: Path) -> None:
    done = social("init", "--lang", "en", stdin="Shop\n")

    assert done.code == 2
    assert "nobody answers" in done.err
    assert list(tmp_path.iterdir()) == []


def test_it_never_overwrites(social: Social, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("mine", encoding="utf-8")

    done = social("init", "--yes", "--brand", "Shop", "--network", "twitter", *WARSAW)

    assert done.code == 8
    assert "never overwritten" in done.err
    assert (tmp_path / "config.toml").read_text(encoding="utf-8") == "mine"


def test_it_says_which_secrets_are_wanted_and_what_to_do_next(social: Social, tmp_path: Path) -> None:
    done = social(
        "--config", "shop.toml", "init", "--yes", "--brand", "Shop", "--network", "facebook", "--lang", "en", *WARSAW
    )

    assert 'secrets/shop-facebook.toml   access_token = "...", app_secret = "..."' in done.err
    assert "social --config shop.toml connect facebook" in done.err
    assert "social --config shop.toml check-config" in done.err
    assert (tmp_path / "shop.toml").exists()


def test_it_says_how_to_leave_the_dry_run(social: Social) -> None:
    done = social("init", "--yes", "--brand", "Shop", "--network", "twitter", "--lang", "pl", *WARSAW)

    assert "  social go-live shop-twitter" in done.err


def test_it_guesses_a_time_zone_only_for_somebody_who_can_say_no() -> None:
    assert suggested_zone(None, "pl", asked=True) == "Europe/Warsaw"
    assert suggested_zone(None, "pl", asked=False) is None
    assert suggested_zone("Europe/Berlin", "pl", asked=False) == "Europe/Berlin"
