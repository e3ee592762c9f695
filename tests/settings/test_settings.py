"""A mistake in config.toml is named with its file and line, and a secret in it is never repeated."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from social.domain.errors import ConfigurationError
from social.domain.post import ProfileMode
from social.settings import Settings, load_settings, parse_settings, require_loopback, shipped_config

SHOP = """\
[database]
url = "sqlite:///var/shop.db"

[[brands]]
name = "Shop"
languages = ["pl"]
timezone = "Europe/Warsaw"

[brands.hours]
mon-fri = ["09:00-17:00"]

[[profiles]]
name = "shop-x"
brand = "Shop"
connector = "twitter"
mode = "dry-run"
credential = "shop-x"

[[profiles]]
name = "shop-page"
brand = "Shop"
connector = "facebook"
mode = "acknowledge"
closed_notice = true
poll_every = "2m"
credential = "shop-page"

[profiles.options]
watched_posts = 10
"""


LAST = len(SHOP.splitlines())


def read(text: str, **environment: str) -> Settings:
    return parse_settings(text, source=Path("shop.toml"), home=Path("/srv/shop"), environment=environment)


def refusal(text: str, **environment: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(text, **environment)
    return str(caught.value)


def line_of(text: str, words: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), start=1) if words in line)


def test_it_reads_a_file_and_fills_in_the_defaults() -> None:
    settings = read(SHOP)

    assert [profile.mode for profile in settings.profiles] == [ProfileMode.DRY_RUN, ProfileMode.ACKNOWLEDGE]
    assert settings.profiles[0].poll_every == timedelta(minutes=1)
    assert settings.profiles[1].poll_every == timedelta(minutes=2)
    assert settings.responders.acknowledge_after == timedelta(minutes=40)


def test_it_takes_relative_paths_from_the_folder_of_the_file() -> None:
    settings = read(SHOP)

    assert settings.path("var/shop.db") == Path("/srv/shop/var/shop.db")
    assert settings.path("/var/shop.db") == Path("/var/shop.db")


def test_it_reads_the_configuration_that_comes_along() -> None:
    settings = load_settings(Path("config.toml"), environment={})

    require_loopback(settings)
    assert [profile.name for profile in settings.profiles] == ["lawenda-x", "lawenda-facebook", "lawenda-bluesky"]
    assert all(profile.closed_notice for profile in settings.profiles)


def test_it_runs_the_demo_where_there_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    settings = load_settings(environment={})

    assert settings.brands[0].name == "Sklep Lawenda"
    assert settings.home == tmp_path


# --- mistakes -----------------------------------------------------------------------------------------------------------


def test_it_names_a_typo_with_its_line_and_the_word_that_was_meant() -> None:
    text = SHOP.replace("poll_every", "pol_every")

    told = refusal(text)

    assert f"shop.toml:{line_of(text, 'pol_every')}: profiles.1.pol_every: unknown key 'pol_every'" in told
    assert "did you mean 'poll_every'?" in told
    assert told.count("shop.toml:") == 1


def test_it_names_a_table_that_nobody_reads() -> None:
    assert f"shop.toml:{LAST + 1}: tirage: unknown key 'tirage'; did you mean 'triage'?" in refusal(f"{SHOP}[tirage]\n")


def test_it_tells_every_mistake_at_once() -> None:
    text = SHOP.replace("Europe/Warsaw", "Europe/Warszawa").replace('"dry-run"', '"dryrun"')

    told = refusal(text)

    assert f"shop.toml:{line_of(text, 'Warszawa')}: brands.0.timezone: 'Europe/Warszawa' is not an IANA" in told
    assert f"shop.toml:{line_of(text, 'dryrun')}: profiles.0.mode: " in told


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('"09:00-17:00"', '"9-17"', 'brands.0.hours: "mon-fri": "9-17" is not a slot'),
        ("mon-fri =", "mon-fry =", '"mon-fry" is not a day or a range of days'),
        ('poll_every = "2m"', 'poll_every = "2 minutes"', "profiles.1.poll_every: '2 minutes' is not a duration"),
        ('poll_every = "2m"', 'poll_every = "1s"', "profiles.1.poll_every: poll_every must lie between 5s and 1d"),
        ('poll_every = "2m"', "poll_every = true", "a duration is written for example"),
        ('connector = "facebook"\n', "", "profiles.1.connector: the key 'connector' is missing"),
        ('name = "shop-page"', 'name = "shop-x"', "profiles.1.name: two profiles are called 'shop-x'"),
        ('name = "shop-page"\nbrand = "Shop"', 'name = "shop-page"\nbrand = "Shoe"', "there is only 'Shop'"),
        (
            'name = "shop-page"',
            'name = "Shop page"',
            "profiles.1.name: 'Shop page' must be small letters without accents",
        ),
        (
            "[brands.hours]",
            'closed_dates = ["31.12.2026"]\n[brands.hours]',
            '"31.12.2026" is not a date; write it like 2026-',
        ),
        (
            "[brands.hours]",
            'closed_dates = "2026-12-31"\n[brands.hours]',
            "write a list of dates, for example [2026-12-31]",
        ),
        ("[brands.hours]", "closed_dates = [2026-12-31T10:00:00]\n[brands.hours]", "is not a date"),
        ("[database]", '[responders]\nacknowledge_after = "1h"\n[database]', "customers are promised an hour"),
        ("[brands.hours]", '[brands.open_dates]\n"24.12.2026" = []\n[brands.hours]', '"24.12.2026" is not a date'),
        ("[brands.hours]", '[brands.open_dates]\n2026-12-24 = ["9-12"]\n[brands.hours]', '"2026-12-24": "9-12" is not'),
        (
            "[brands.hours]",
            'closed_dates = [2026-12-24]\n[brands.open_dates]\n2026-12-24 = ["09:00-12:00"]\n[brands.hours]',
            "2026-12-24 stands in closed_dates and in open_dates",
        ),
        ('languages = ["pl"]', 'languages = "pl"', 'brands.0.languages: write a list, for example ["pl", "en"]'),
        ('name = "Shop"', "name = 7", "brands.0.name: write a text in quotes"),
        ("closed_notice = true", 'closed_notice = "perhaps"', "profiles.1.closed_notice: write true or false"),
        ('mode = "dry-run"', 'mode = "loud"', "profiles.0.mode: must be 'off', 'dry-run' or 'acknowledge'"),
        ("[database]", '[triage]\nbatch = "many"\n[database]', "triage.batch: write a whole number"),
        ("[database]", "[triage]\nbatch = 0\n[database]", "triage.batch: must be greater than or equal to 1"),
        ("[database]", 'triage = "fast"\n[database]', "triage: write a table, not a single value"),
        ('languages = ["pl"]', "languages = []", "brands.0.languages: there must be at least one"),
        (
            'languages = ["pl"]',
            'languages = ["Polish"]',
            "brands.0.languages.0: 'Polish' is not the code of a language",
        ),
        ("[database]", '[clock]\nmode = "paced"\n[database]', "a paced clock needs start"),
        ("[database]", "[clock]\nstart = 2026-11-20T15:20:00\n[database]", "start needs its zone offset"),
    ],
)
def test_it_says_what_is_wrong_and_where(before: str, after: str, told: str) -> None:
    assert before in SHOP

    message = refusal(SHOP.replace(before, after))

    assert told in message
    assert message.startswith("shop.toml:")
    assert "docs/configuration.md" in message


def test_it_names_the_line_of_broken_toml() -> None:
    text = SHOP.replace('languages = ["pl"]', 'languages = ["pl"')

    assert refusal(text).startswith("shop.toml:7: this is not valid TOML")


def test_it_says_that_there_is_no_brand_rather_than_nothing() -> None:
    assert "brands: the key 'brands' is missing" in refusal("")


@pytest.mark.parametrize("key", ["home", "source", "text"])
def test_it_takes_its_own_marks_for_unknown_keys(key: str) -> None:
    assert f"unknown key '{key}'" in refusal(f'{key} = "x"\n{SHOP}')


# --- no silent default ---------------------------------------------------------------------------------------------------


def test_it_refuses_a_profile_that_answers_but_does_not_say_what_happens_outside_hours() -> None:
    told = refusal(SHOP.replace("closed_notice = true\n", ""))

    assert "profile 'shop-page' answers customers" in told
    assert "closed_notice = true (recommended) or closed_notice = false" in told
    assert told.startswith("shop.toml:19: profiles.1: ")


def test_a_profile_in_dry_run_need_not_say_it() -> None:
    assert read(SHOP).profiles[0].closed_notice is None


# --- secrets ------------------------------------------------------------------------------------------------------------

TOKENS = [
    "EAABsbCS1iHgBO7ZCexample0123456789",
    "AAAAAAAAAAAAAAAAAAAAAMLheAAAAAAA0BuSeBearer",
    "abcd-efgh-ijkl-mnop",
    "0123456789abcdef0123456789abcdef",
    "MixedCaseTokenWithoutAShape",
]


@pytest.mark.parametrize("token", TOKENS)
def test_it_refuses_a_token_in_place_of_a_credential_without_repeating_it(token: str) -> None:
    told = refusal(SHOP.replace('credential = "shop-x"', f'credential = "{token}"'))

    assert told.startswith("shop.toml:17: profiles.0.credential: must be the NAME of a credential")
    assert token not in told


@pytest.mark.parametrize("key", ["access_token", "app_password", "client_secret", "api_key", "token"])
def test_it_refuses_a_key_that_is_named_like_a_secret_wherever_it_stands(key: str) -> None:
    told = refusal(f'{SHOP}{key} = "hunter2"\n')

    assert told.startswith(f"shop.toml:{LAST + 1}: profiles.1.options.{key}: a secret must never stand in this file")
    assert "hunter2" not in told


@pytest.mark.parametrize("token", TOKENS[:4])
def test_it_refuses_a_value_that_looks_like_a_token(token: str) -> None:
    told = refusal(f'{SHOP}[connectors.twitter]\nnote = "{token}"\n')

    assert f"shop.toml:{LAST + 2}: connectors.twitter.note: a secret must never stand in this file" in told
    assert token not in told


def test_it_refuses_a_password_in_the_database_url_of_the_file_but_not_of_the_environment() -> None:
    url = "postgresql+psycopg://desk:hunter2@127.0.0.1/desk"

    told = refusal(SHOP.replace("sqlite:///var/shop.db", url))

    assert "shop.toml:2: database.url: a secret must never stand in this file" in told
    assert "hunter2" not in told
    assert read(SHOP, DYZUR_DATABASE__URL=url).database.url == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://desk@127.0.0.1/desk?sslmode=require&password=hunter2",
        "postgresql+psycopg://desk@127.0.0.1/desk?pass%77ord=hunter2",
        "postgresql+psycopg://desk@127.0.0.1/desk?PASSWD=hunter2",
        "postgresql+psycopg://desk@127.0.0.1/desk?sslpassword=hunter2",
        "postgresql+psycopg://desk:hunter2/more@127.0.0.1/desk",
        "postgresql+psycopg://desk:hunter2#more@127.0.0.1/desk",
    ],
)
def test_it_finds_a_password_wherever_a_database_url_takes_one(url: str) -> None:
    told = refusal(SHOP.replace("sqlite:///var/shop.db", url))

    assert "shop.toml:2: database.url: a secret must never stand in this file" in told
    assert "hunter2" not in told


def test_a_database_url_may_name_files_and_options() -> None:
    url = "postgresql+psycopg://desk@127.0.0.1:5432/desk?passfile=/etc/pgpass&sslkey=/etc/key&sslmode=require"

    assert read(SHOP.replace("sqlite:///var/shop.db", url)).database.url == url


# --- the environment ---------------------------------------------------------------------------------------------------


def test_the_environment_wins_over_the_file() -> None:
    settings = read(
        SHOP,
        DYZUR_TRIAGE__THREADS="2",
        DYZUR_DATABASE__URL="sqlite:///elsewhere.db",
        DYZUR_CONNECTORS__TWITTER__BASE_URL="http://127.0.0.1:1/twitter",
        DYZUR_SECRET_SHOP_X__ACCESS_TOKEN="not a setting",
        DYZUR_REAL="not a setting either",
        HOME="/root",
    )

    assert settings.triage.threads == 2
    assert settings.database.url == "sqlite:///elsewhere.db"
    assert settings.connectors["twitter"]["base_url"] == "http://127.0.0.1:1/twitter"


def test_a_wrong_value_from_the_environment_is_told_with_the_name_of_its_variable() -> None:
    assert refusal(SHOP, DYZUR_TRIAGE__THREADS="many").startswith("DYZUR_TRIAGE__THREADS: triage.threads: ")


@pytest.mark.parametrize("name", ["DYZUR_TRIAG__BACKEND", "DYZUR_BRANDS__NAME", "DYZUR_TRIAGE__A__B", "DYZUR_HOME__X"])
def test_a_variable_that_sets_nothing_is_told(name: str) -> None:
    assert refusal(SHOP, **{name: "x"}).startswith(f"{name}: this environment variable sets nothing")


def test_a_variable_with_a_typo_in_its_key_is_told() -> None:
    assert "DYZUR_TRIAGE__BACKENT: triage.backent: unknown key 'backent'" in refusal(SHOP, DYZUR_TRIAGE__BACKENT="x")


# --- the file itself ---------------------------------------------------------------------------------------------------


def test_a_missing_file_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such file"):
        load_settings(tmp_path / "config.toml")


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xff\xfe\x00b")

    with pytest.raises(ConfigurationError, match="it is not UTF-8 text"):
        load_settings(file)


def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Is a directory"):
        load_settings(tmp_path)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(SHOP, encoding="utf-8-sig")

    assert load_settings(file, environment={}).brands[0].name == "Shop"


# --- a simulated world never reaches real customers --------------------------------------------------------------------

PACED = f"""\
[clock]
mode = "paced"
start = 2026-11-20T15:30:00+01:00
speed = 120

{SHOP}
[connectors.twitter]
base_url = "http://127.0.0.1:8711/twitter"
"""


@pytest.mark.parametrize("host", ["127.0.0.1:8711", "[::1]:8711", "localhost:8711"])
def test_a_paced_clock_may_reach_this_machine(host: str) -> None:
    require_loopback(read(f'{PACED}[connectors.facebook]\nbase_url = "http://{host}/facebook"\n'))


def test_a_paced_clock_is_refused_where_a_network_would_be_the_real_one() -> None:
    settings = read(PACED)

    with pytest.raises(ConfigurationError) as caught:
        require_loopback(settings)

    assert str(caught.value).startswith("shop.toml:27: the clock is paced, but [connectors.facebook] has no base_url")


@pytest.mark.parametrize("address", ["https://graph.facebook.com", "http://127.0.0.1.example.com/", "nonsense"])
def test_a_paced_clock_is_refused_where_a_network_lies_elsewhere(address: str) -> None:
    settings = read(f'{PACED}[connectors.facebook]\nbase_url = "{address}"\n')

    with pytest.raises(
        ConfigurationError, match=r"shop.toml:39: the clock is paced, but \[connectors.facebook\] goes to"
    ):
        require_loopback(settings)


def test_a_real_clock_may_go_anywhere() -> None:
    require_loopback(read(SHOP))


def test_the_shipped_file_shows_every_key_of_the_simple_sections() -> None:
    """A key that the file does not mention might as well not exist for whoever edits it."""
    text = shipped_config()

    for name in ("clock", "database", "secrets", "triage", "responders"):
        model = Settings.model_fields[name].annotation
        for key, field in model.model_fields.items():  # type: ignore[union-attr]
            inner = hasattr(field.annotation, "model_fields")
            assert (f"[{name}.{key}]" if inner else f"{key} =") in text, f"[{name}] {key}"
