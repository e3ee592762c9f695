"""The holding statement: fixed words, or a person's, held to what a machine may send to everybody."""

from __future__ import annotations

import pytest

from responders import holding
from responders.compose import languages
from tests.responders.situations import FREE_RULES, STRICT_RULES

GOOD = "Wiemy o kłopotach z płatnościami i je sprawdzamy. (Wysłane automatycznie)"


def objections(text: str) -> list[str]:
    return holding.objections(text, rules=STRICT_RULES, private_channel=False)


@pytest.mark.parametrize("language", languages())
def test_it_is_prepared_without_knowing_the_trouble_and_passes_its_own_rules(language: str) -> None:
    composed = holding.prepare(language=language, brand="Fikcja", rules=STRICT_RULES)
    assert composed is not None
    assert composed.language == language
    assert "{" not in composed.text
    assert objections(composed.text) == []


@pytest.mark.parametrize("language", languages())
def test_it_names_every_trouble_of_the_list_when_somebody_chose_it(language: str) -> None:
    for problem, words in holding.problems_in(language).items():
        composed = holding.prepare(language=language, brand="Fikcja", rules=STRICT_RULES, problem=problem)
        assert composed is not None
        assert words in composed.text
        assert objections(composed.text) == []


def test_it_is_not_prepared_in_a_language_without_texts() -> None:
    assert holding.prepare(language="fi", brand="Fikcja", rules=FREE_RULES) is None


@pytest.mark.parametrize(
    "text", [GOOD, "We know and are checking. (Sent automatically)", "To pisze automat: sprawdzamy."]
)
def test_a_persons_words_may_be_said(text: str) -> None:
    assert objections(text) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("   \n", "empty"),
        ("Wiemy i sprawdzamy.", "automatically"),
        (GOOD + " Więcej: https://fikcja.example/awaria", "no links"),
        (GOOD + " Pytania: 501 502 503", "phone number"),
        (GOOD + " Prosimy o wiadomość prywatną.", "private message"),
        (GOOD + " Każda reklamacja zostanie uznana.", "only a person may say it"),
        (GOOD * 6, "shorten it"),
        (GOOD + "\x1b[31m", "character that cannot be published"),
    ],
)
def test_no_words_that_a_machine_may_not_say(text: str, why: str) -> None:
    assert why in " ".join(objections(text))
