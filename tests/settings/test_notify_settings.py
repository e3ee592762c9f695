"""Mistakes in [notify] are found when it is read, with their lines, and not in the night when somebody had to be told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from social.domain.assessment import Urgency
from social.domain.errors import ConfigurationError
from social.engine.on_call import credentials_of, people_of, rota_of
from social.settings import (
    NotifySettings,
    PersonSettings,
    Settings,
    ShiftSettings,
    SmtpSettings,
    parse_settings,
    shipped_config,
)
from tests.cast import at

SHOP = """\
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
credential = "shop-x"

[notify]
second_after = "10m"
quiet_hours = "23:00-06:00"
ping = "https://ping.example.com/one"

[notify.smtp]
host = "smtp.example.com"
sender = "desk@example.com"
credential = "mail"

[[notify.people]]
name = "anna"
email = "anna@example.com"
services = "anna-phone"

[[notify.people]]
name = "marek"
email = "marek@example.com"
language = "en"

[[notify.rota]]
people = ["marek", "anna"]
hours = { mon-fri = ["17:00-09:00"], "sat,sun" = "00:00-24:00" }

[[notify.rota]]
people = ["anna"]
brand = "Shop"
"""


def read(text: str) -> Settings:
    return parse_settings(text, source=Path("shop.toml"), home=Path("/srv/shop"), environment={})


def refusal(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    return str(caught.value)


def line_of(text: str, words: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), start=1) if words in line)


def test_it_says_who_is_told_and_when() -> None:
    settings = read(SHOP)
    rota = rota_of(settings)

    assert rota.people == ("anna", "marek")
    assert rota.next_after == timedelta(minutes=10)
    assert rota.on_call(at("2026-11-20 20:00"), "Shop") == ("marek", "anna")
    assert rota.on_call(at("2026-11-20 12:00"), "Shop") == ("anna",)
    assert rota.quiet_until(Urgency.HIGH, at("2026-11-20 23:30")) == at("2026-11-21 06:00")
    assert people_of(settings.notify)["anna"].ways == {"email": "anna@example.com", "services": "anna-phone"}
    assert dict(credentials_of(settings.notify)) == {"mail": ("username", "password"), "anna-phone": ()}


def test_without_a_word_nobody_is_told() -> None:
    settings = read(SHOP.partition("[notify]")[0])

    assert settings.notify == NotifySettings()
    assert people_of(settings.notify) == {}


def test_it_tells_times_in_a_zone_of_its_own_where_it_has_one() -> None:
    settings = read(SHOP.replace("[notify]\n", '[notify]\ntimezone = "Europe/London"\n'))

    assert rota_of(settings).quiet_until(Urgency.HIGH, at("2026-11-21 00:30")) == at("2026-11-21 07:00")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('"anna-phone"', '"tgram://123:canary/456"', "notify.people.0.services: must be the NAME of a credential"),
        ('credential = "mail"', 'credential = "Canary-Password!"', "notify.smtp.credential: must be the NAME"),
        ('"anna@example.com"', '"anna(at)example.com"', "notify.people.0.email: must be one e-mail address"),
        ('"anna@example.com"', '"a@b.pl, c@d.pl"', "notify.people.0.email: must be one e-mail address"),
        (
            '"anna@example.com"',
            '"zażółć@example.com"',
            "notify.people.0.email: must be one e-mail address in plain letters",
        ),
        ('"anna@example.com"', '"anna@example.com\\nBcc: x@y.pl"', "notify.people.0.email: must be one e-mail address"),
        ('"desk@example.com"', '""', "notify.smtp.sender: must be an e-mail address"),
        ('name = "marek"', 'name = "anna"', "notify.people.1.name: two people are called 'anna'"),
        ('name = "marek"', 'name = "marek\\n"', "notify.people.1.name: must be a plain name on one line"),
        ('language = "en"', 'language = "de"', "notify.people.1.language: "),
        (
            'people = ["anna"]',
            'people = ["ewa"]',
            "notify.rota.1.people: 'ewa' stands in no [[notify.people]]; there is: anna, marek",
        ),
        ('people = ["anna"]', "people = []", "notify.rota.1.people: there must be at least one"),
        ('["17:00-09:00"]', '["17-9"]', 'notify.rota.0.hours: "mon-fri": "17-9" is not a slot'),
        ('"23:00-06:00"', '"late"', 'notify.quiet_hours: "late" is not a slot'),
        ('"23:00-06:00"', '"00:00-24:00"', "notify.quiet_hours: nobody would ever be told"),
        ('"10m"', '"5s"', "notify.second_after: second_after must lie between 1m and 12h"),
        ("[notify]\n", '[notify]\ndigest_before_opening = "1d"\n', "must lie between 0s and 4h"),
        ("[notify]\n", '[notify]\ntimezone = "Warsaw"\n', "notify.timezone: 'Warsaw' is not an IANA time zone"),
        ("https://ping.example.com/one", "http://ping.example.com/one", "notify.ping: must be an https address"),
        ("https://ping.example.com/one", "https://me:canary@ping.example.com/", "notify.ping: a password must never"),
        (
            'sender = "desk',
            'security = "ssl"\nsender = "desk',
            "notify.smtp.security: must be 'starttls', 'tls' or 'none'",
        ),
        (
            'sender = "desk',
            'security = "none"\nsender = "desk',
            "notify.smtp: a password would cross the network in clear",
        ),
        (
            'sender = "desk',
            'timeout = "5m"\nsender = "desk',
            "notify.smtp.timeout: timeout must lie between 1s and 30s",
        ),
        ('sender = "desk', 'password = "canary"\nsender = "desk', "a secret must never stand in this file"),
        ("[notify]\n", "[notify]\nsecond = 1\n", "unknown key 'second'; did you mean"),
    ],
)
def test_it_says_what_is_wrong_and_where(before: str, after: str, told: str) -> None:
    assert before in SHOP

    message = refusal(SHOP.replace(before, after, 1))

    assert told in message
    assert message.startswith("shop.toml:")
    assert "canary" not in message.lower()


def test_a_shift_of_a_brand_that_does_not_exist_is_told_with_its_line() -> None:
    text = SHOP.removesuffix('brand = "Shop"\n') + 'brand = "Shoe"\n'

    assert refusal(text).startswith(f"shop.toml:{line_of(text, 'Shoe')}: notify.rota.1.brand: there is no brand 'Shoe'")


def test_somebody_who_cannot_be_reached_is_told() -> None:
    text = SHOP.replace('email = "marek@example.com"\n', "")

    assert "notify.people.1: marek cannot be reached; give email, services or both" in refusal(text)


def test_an_email_without_a_mail_server_is_told() -> None:
    start, end = SHOP.index("[notify.smtp]"), SHOP.index("[[notify.people]]")
    text = SHOP[:start] + SHOP[end:]

    assert f"shop.toml:{line_of(text, 'anna@')}: notify.people.0.email: an e-mail needs [notify.smtp]" in refusal(text)


def test_a_password_in_clear_may_go_to_this_machine_only() -> None:
    here = SHOP.replace('host = "smtp.example.com"', 'host = "127.0.0.1"\nsecurity = "none"')

    assert read(here).notify.smtp is not None


@pytest.mark.parametrize(
    ("table", "model"),
    [
        ("notify", NotifySettings),
        ("notify.smtp", SmtpSettings),
        ("notify.people", PersonSettings),
        ("notify.rota", ShiftSettings),
    ],
)
def test_the_shipped_file_shows_every_key(table: str, model: type[NotifySettings]) -> None:
    text = shipped_config()
    section = text[text.index("[notify]") : text.index("# --- who answers")]

    for key, field in model.model_fields.items():
        shown = f"[notify.{key}]" if key in ("smtp", "people", "rota") and field.annotation is not None else f"{key} ="
        assert shown in section, f"[{table}] {key}"


def test_the_shipped_example_of_notify_can_be_read_once_its_marks_are_taken_away() -> None:
    text = shipped_config()
    start, end = text.index("[notify]"), text.index("# --- who answers")
    keys = [
        line.removeprefix("# ")
        for line in text[start:end].splitlines()
        if line.startswith(("# [", "["))
        or (line.startswith("# ") and " = " in line and line[2:].split(" = ")[0].isidentifier())
    ]
    example = "\n".join(keys).replace('["anna", "marek"]', '["anna"]')
    world = text[end:]

    settings = read(f"{example}\n{world}")

    assert [person.name for person in settings.notify.people] == ["anna"]
    assert settings.notify.smtp is not None
    assert settings.notify.second_after == NotifySettings().second_after
