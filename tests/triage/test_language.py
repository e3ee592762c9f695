"""Which language a short post is in."""

from __future__ import annotations

import pytest

from social.domain.assessment import TextToAssess
from triage.language import guess_language
from triage.prepare import prepare

BRAND = ("pl", "en")


def guess(text: str, *, hint: str | None = None, context: str | None = None) -> tuple[str, bool]:
    item = TextToAssess(text=text, language_hint=hint, context_language=context)
    found = guess_language(prepare(text).text, item, BRAND)
    return found.code, found.certain


@pytest.mark.parametrize(
    "text",
    [
        "gdzie moja paczka",
        "Gdzie jest moja paczka?",
        "czy ktos moze mi pomoc",
        "Żenada",
        "dzień dobry",
        "dziekuje bardzo",
        "zamowienie nadal nie przyszlo",
        "@sklep jest super! #lawenda #sale #love",
        "Płatność nie przechodzi",
        "prosze o zwrot pieniedzy za zamowienie 48213",
        "Wasz support jest super slow, czekam drugi tydzień",
        "NIE DZIAŁA WAM STRONA",
    ],
)
def test_it_knows_polish_with_and_without_its_letters(text: str) -> None:
    assert guess(text) == ("pl", True)


@pytest.mark.parametrize(
    "text",
    [
        "where is my order",
        "Where's my parcel?",
        "is anyone there",
        "thank you so much",
        "WHY IS THE SITE DOWN",
        "still no refund, been 3 weeks http @user",
        "I love this lavender soap",
    ],
)
def test_it_knows_english(text: str) -> None:
    assert guess(text) == ("en", True)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Wo ist mein Paket? Ich warte schon seit drei Wochen.", "de"),
        ("Де моя посилка? Чекаю вже три тижні на відповідь", "uk"),
        ("Где моя посылка? Жду уже три недели ответа", "ru"),
        ("¿Dónde está mi pedido? Llevo tres semanas esperando", "es"),
        ("Où est ma commande ? J'attends depuis trois semaines", "fr"),
        ("Hol van a csomagom? Három hete várok a válaszra", "hu"),
    ],
)
def test_it_says_another_language_and_never_forces_it_into_the_brands(text: str, code: str) -> None:
    assert guess(text) == (code, False)
    assert guess(text, hint="pl", context="pl") == (code, False)


@pytest.mark.parametrize("text", ["", "❤️", "10/10", "???", "http", "@user @user", "hmm"])
def test_it_takes_the_context_where_the_text_is_too_short_to_tell(text: str) -> None:
    assert guess(text) == ("und", False)
    assert guess(text, hint="und", context="pl") == ("pl", True)
    assert guess(text, hint="en", context="pl") == ("en", True)
    assert guess(text, hint="pl-PL") == ("pl", True)


def test_it_believes_a_network_that_names_a_foreign_language_for_a_short_text() -> None:
    assert guess("hmm", hint="de", context="pl") == ("de", False)


def test_it_trusts_the_text_more_than_the_context() -> None:
    assert guess("Where is my order? I have been waiting for weeks", hint="pl", context="pl") == ("en", True)
