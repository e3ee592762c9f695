"""What people read at two in the morning: in their language, short, true, and with nothing in it that a stranger steers."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from social.domain.assessment import Urgency
from social.domain.reply import ReplyKind
from social.notifiers.words import (
    EXCERPT,
    AlertNews,
    DigestNews,
    DryRun,
    WaitingCase,
    _texts_in,
    about_alert,
    about_morning,
    about_test,
    disarmed,
    languages,
)
from tests.cast import BRAND, MAREK, PROFILE, WARSAW, at

NIGHT = at("2026-11-21 02:05")
NEWS = AlertNews(
    kind="case",
    urgency=Urgency.CRITICAL,
    person=MAREK,
    now=NIGHT,
    timezone=WARSAW,
    profile=PROFILE,
    network="Fake",
    case_id=12,
    waiting_since=NIGHT - timedelta(minutes=5),
    excerpt="Po kremie mam duszności!",
    permalink="https://fake.invalid/p/1",
    link="https://desk.example.com/case/12",
    next_at=NIGHT + timedelta(minutes=15),
)
KINDS = [kind for kind in _texts_in("pl")["alert"]]


def test_it_says_all_that_somebody_needs_to_act() -> None:
    words = about_alert(NEWS, "pl")

    assert words.subject == "Pilność krytyczna: sprawa 12 na fikcja-net czeka"
    assert words.body.splitlines() == [
        "Na profilu fikcja-net (Fake) klient czeka na człowieka.",
        "Pilność: krytyczna. Czeka 5 min, od: sob. 21 listopada, 2:00.",
        "",
        "„Po kremie mam duszności!”",
        "",
        "Wpis w serwisie: https://fake.invalid/p/1",
        "Sprawa w Dyżurze: https://desk.example.com/case/12",
        "Przejęcie z wiersza poleceń: social queue take 12 --as marek",
        "",
        "Bez przejęcia do sob. 21 listopada, 2:20 powiadomienie dostanie następna osoba.",
    ]


def test_it_says_it_in_english_too() -> None:
    words = about_alert(NEWS, "en")

    assert words.subject == "Urgency critical: case 12 on fikcja-net waits"
    assert "Waiting for 5 min, since Sat 21 November, 2:00." in words.body
    assert "If nobody takes it by Sat 21 November, 2:20, the next person is told." in words.body


def test_what_is_not_known_leaves_no_trace() -> None:
    words = about_alert(replace(NEWS, excerpt="", permalink="", link="", next_at=None), "pl")

    assert words.body.splitlines() == [
        "Na profilu fikcja-net (Fake) klient czeka na człowieka.",
        "Pilność: krytyczna. Czeka 5 min, od: sob. 21 listopada, 2:00.",
        "",
        "Przejęcie z wiersza poleceń: social queue take 12 --as marek",
    ]


def test_an_alert_of_an_unknown_kind_tells_its_own_sentence() -> None:
    words = about_alert(replace(NEWS, kind="new-kind", detail="something new happened"), "en")

    assert words.subject == "The desk: something needs attention"
    assert "something new happened" in words.body


@pytest.mark.parametrize("kind", KINDS)
def test_both_languages_tell_the_same_of_every_alert(kind: str) -> None:
    complete = replace(NEWS, kind=kind, detail="why", reply_id="7", deadline_at=NIGHT)
    known = {"since", "case", "person", "urgency", "profile", "network", "excerpt", "permalink", "link", "detail"}
    known |= {"deadline", "next_at", "waiting", "reply"}
    gaps = {}
    for language in languages():
        template = _texts_in(language)["alert"][kind]
        gaps[language] = [sorted(name for name in known if f"{{{name}}}" in line) for line in template["lines"]]
        assert "{" not in about_alert(complete, language).subject + about_alert(complete, language).body

    assert languages() == ("en", "pl")
    assert gaps["pl"] == gaps["en"]


@pytest.mark.parametrize("language", ["pl", "en"])
def test_it_has_a_word_for_every_urgency_and_every_kind_of_automatic_text(language: str) -> None:
    texts = _texts_in(language)

    assert set(texts["urgency"]) == {urgency.value for urgency in Urgency}
    assert set(texts["said"]) == {kind.value for kind in ReplyKind} - {"answer"}
    assert (len(texts["words"]["days"]), len(texts["words"]["months"])) == (7, 12)


def test_a_test_message_names_whom_it_is_for() -> None:
    assert MAREK in about_test(MAREK, "pl").body
    assert MAREK in about_test(MAREK, "en").body


# --- somebody else's words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "evil",
    [
        "@everyone <!channel> <script>alert(1)</script>",
        "kliknij https://evil.example/take",
        "pierwsza\r\nBcc: eve@example.com\r\n\r\ndruga",
        "odwrócone \u202etxet",
        "{person} {0} %s",
        "\x1b[31m\x00\u2028nowa",
    ],
)
def test_a_strangers_words_stay_words(evil: str) -> None:
    words = about_alert(replace(NEWS, excerpt=evil), "pl")
    line = next(line for line in words.body.splitlines() if line.startswith("„"))

    assert len(words.body.splitlines()) == 10
    assert "://" not in line and "@e" not in line and "<" not in line
    assert not any(character in line for character in "\u202e\x1b\x00\u2028\r")


@given(st.text(max_size=400))
def test_an_excerpt_is_one_short_line_whatever_was_written(text: str) -> None:
    line = disarmed(text)

    assert len(line) <= EXCERPT
    assert len(line.splitlines()) <= 1
    assert "://" not in line and "<" not in line


@pytest.mark.parametrize(
    "permalink",
    [
        "javascript:alert(1)",
        "https://fake.invalid/p 1",
        "https://fake.invalid/\nBcc: x",
        "fake.invalid/p/1",
        "https://\u202e",
    ],
)
def test_what_is_no_web_address_is_no_link(permalink: str) -> None:
    assert "Wpis w serwisie" not in about_alert(replace(NEWS, permalink=permalink), "pl").body


# --- the morning --------------------------------------------------------------------------------------------------------

MORNING = at("2026-11-23 08:45")
DIGEST = DigestNews(
    brand=BRAND,
    now=MORNING,
    opening=at("2026-11-23 09:00"),
    closing=at("2026-11-20 17:00"),
    timezone=WARSAW,
    by_urgency={Urgency.CRITICAL: 1, Urgency.NORMAL: 2},
    longest=[
        WaitingCase(case_id=3, urgency=Urgency.NORMAL, author="@anna.n", profile=PROFILE, since=at("2026-11-20 16:30")),
        WaitingCase(
            case_id=7,
            urgency=Urgency.CRITICAL,
            author="@piotrek",
            profile=PROFILE,
            since=at("2026-11-23 08:40"),
            taken_by=MAREK,
        ),
    ],
    said={ReplyKind.CLOSED_NOTICE: 5, ReplyKind.HAND_OVER: 1},
)


def test_a_quiet_morning_is_told_in_a_few_lines() -> None:
    words = about_morning(replace(DIGEST, by_urgency={}, longest=[], said={}), "pl")

    assert words.subject == "Fikcja, pon. 23 listopada: spraw w kolejce 0"
    assert words.body.splitlines() == [
        "Otwarcie: pon. 23 listopada, 9:00.",
        "",
        "W kolejce nic nie czeka.",
        "",
        "Od zamknięcia (pt. 20 listopada, 17:00) robot niczego nie wysłał.",
    ]


def test_a_full_morning_tells_who_waits_and_what_the_robot_said() -> None:
    words = about_morning(DIGEST, "pl")

    assert words.body.splitlines()[2:9] == [
        "Spraw w kolejce: 3 (pilność krytyczna: 1, wysoka: 0, zwykła: 2, niska: 0).",
        "Najdłużej czekają:",
        "- sprawa 3, pilność zwykła, @\u2060anna.n na fikcja-net: 2 d. 16 godz., od: pt. 20 listopada, 16:30",
        "- sprawa 7, pilność krytyczna, @\u2060piotrek na fikcja-net: 5 min, od: pon. 23 listopada, 8:40, zajmuje się: marek",
        "",
        "Od zamknięcia (pt. 20 listopada, 17:00) robot wysłał: informacje o zamknięciu 5, przekazania człowiekowi 1.",
    ]


def test_a_bad_morning_hides_nothing() -> None:
    bad = replace(
        DIGEST,
        unknown=[4, 9],
        paused=(at("2026-11-22 12:00"), MAREK),
        dry_runs=[DryRun(profile="fikcja-second", since=at("2026-11-19 08:00"), customers=12)],
        broken=[("fikcja-third", "the token is no longer valid.")],
        tokens=[(PROFILE, at("2026-11-30 10:00"))],
        link="https://desk.example.com",
    )

    settle = "Settle them: social queue settle NUMBER --sent or --not-sent"
    assert about_morning(bad, "en").body.splitlines()[-7:] == [
        "SENDING IS PAUSED by marek since Sun 22 November, 12:00. Go on with: social unpause",
        "PROFILE fikcja-third DOES NOT WORK: the token is no longer valid.",
        f"Nobody can tell whether these replies appeared: 4, 9. {settle}",
        "DRY-RUN: fikcja-second since Thu 19 November, 8:00 (4 d). Customers without an automatic answer: 12.",
        "The access to profile fikcja-net expires Mon 30 November, 10:00.",
        "",
        "The queue: https://desk.example.com",
    ]


def test_both_languages_tell_the_same_of_the_morning() -> None:
    assert _texts_in("pl")["digest"].keys() == _texts_in("en")["digest"].keys()
    assert {field.name for field in fields(DigestNews)} >= {"unknown", "dry_runs", "broken", "tokens", "paused"}
