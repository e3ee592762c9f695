"""Every shipped variant, one by one: what an automatic text may look like."""

from __future__ import annotations

import re
import unicodedata

import pytest

from responders.compose import COMPLAINT, NEUTRAL, Texts, Variant, languages, texts_in
from responders.guard import check, length
from social.domain.reply import ReplyKind, SentBy
from social.ports import LengthUnit
from tests.responders.situations import STRICT_RULES

LONGEST_BRAND = "Kawiarnia pod Starą Lipą i Nowym Dębem 7"
LONGEST_OPENING = {"pl": "w poniedziałek 30 października o 10:30", "en": "on Wednesday 30 September at 10:30"}
PROBLEMS = {language: texts_in(language).problems for language in languages()}

#: What says that a machine wrote this.
DISCLOSURE = {
    "pl": re.compile(r"\bautomat", re.IGNORECASE),
    "en": re.compile(r"\bautomat(?:ed|ic|ically)\b", re.IGNORECASE),
}
#: Words that promise a time, a result or speed.
PROMISE = re.compile(
    r"wkrótce|niebawem|zaraz|niezwłocznie|natychmiast|jak najszybciej|obiecuj|gwarant|w ciągu|rozwiąż|napraw|zwróci|odezwiemy"
    r"|\bsoon|shortly|right away|immediately|as soon as|promis|guarant|\bwithin\b|resolve|\bfix|refund|get back to you",
    re.IGNORECASE,
)
#: Verbs and names that know whether a customer is a man or a woman.
GENDERED = re.compile(
    r"\w(?:łeś|łaś|łbyś|łabyś)\b|\b(?:pan|pani|panu|panią|państwo|państwa)\b|\b(?:sir|madam|mr|mrs)\b", re.IGNORECASE
)
VERDICT = re.compile(
    r"przyjęt|uznan|odrzucon|uwzględnion|\b(?:accepted|recogni[sz]ed|rejected|approved|upheld)\b", re.IGNORECASE
)

ALL = [
    pytest.param(texts, kind, variant, id=f"{language}-{kind}-{tone}-{variant.id}")
    for language in languages()
    for texts in [texts_in(language)]
    for (kind, tone), variants in texts.variants.items()
    for variant in variants
]
every_variant = pytest.mark.parametrize(("texts", "kind", "variant"), ALL)


def filled(texts: Texts, variant: Variant) -> str:
    """The variant at its longest."""
    longest = max(PROBLEMS[texts.language].values(), key=len)
    known = {"brand": LONGEST_BRAND, "opening": LONGEST_OPENING[texts.language], "problem": longest}
    known["availability"] = texts.words["back"].format_map(known)
    return variant.text.format_map(known)


@pytest.mark.parametrize("language", languages())
def test_every_kind_has_at_least_three_variants_with_their_own_names(language: str) -> None:
    texts = texts_in(language)
    for kind, tone in [
        (ReplyKind.ACKNOWLEDGEMENT, NEUTRAL),
        (ReplyKind.ACKNOWLEDGEMENT, COMPLAINT),
        (ReplyKind.CLOSED_NOTICE, NEUTRAL),
        (ReplyKind.CLOSED_NOTICE, COMPLAINT),
        (ReplyKind.HAND_OVER, NEUTRAL),
        (ReplyKind.HOLDING, NEUTRAL),
    ]:
        variants = texts.variants[kind, tone]
        assert len({variant.id for variant in variants}) == len(variants) >= 3


@pytest.mark.parametrize("language", languages())
def test_acknowledgements_and_hand_overs_can_be_said_without_knowing_any_hours(language: str) -> None:
    for (kind, _), variants in texts_in(language).variants.items():
        if kind in {ReplyKind.ACKNOWLEDGEMENT, ReplyKind.HAND_OVER}:
            assert sum(variant.needs <= {"brand"} and not variant.public_only for variant in variants) >= 2


@every_variant
def test_it_says_that_it_is_automatic(texts: Texts, kind: ReplyKind, variant: Variant) -> None:
    assert DISCLOSURE[texts.language].search(variant.text)


@every_variant
def test_it_is_short_enough_everywhere(texts: Texts, kind: ReplyKind, variant: Variant) -> None:
    assert len(LONGEST_BRAND) == 40
    for unit in LengthUnit:
        assert length(filled(texts, variant), unit) < 250


@every_variant
def test_it_passes_the_guard_for_robots_even_for_a_formal_complaint(
    texts: Texts, kind: ReplyKind, variant: Variant
) -> None:
    text = filled(texts, variant)
    assert check(text, rules=STRICT_RULES, sent_by=SentBy.ROBOT, formal=True, private_channel=False) == ()


@every_variant
def test_it_promises_nothing_and_decides_nothing(texts: Texts, kind: ReplyKind, variant: Variant) -> None:
    assert not PROMISE.search(variant.text)
    assert not VERDICT.search(variant.text)


@every_variant
def test_it_does_not_say_when_the_message_came(texts: Texts, kind: ReplyKind, variant: Variant) -> None:
    """A question of 16:57 that is read at 17:00 came inside the hours: only what is so now is known."""
    assert re.search(r"dotarł\w* (po|poza|przed) |arrived (after|before|outside) ", variant.text) is None


@every_variant
def test_it_guesses_nobodys_gender_and_draws_no_faces(texts: Texts, kind: ReplyKind, variant: Variant) -> None:
    assert not GENDERED.search(variant.text)
    assert not re.search(r"[:;]-?[)(DP]", variant.text)
    assert all(unicodedata.category(char) not in {"So", "Sk", "Cs"} for char in variant.text)


@every_variant
def test_it_uses_only_facts_that_exist(texts: Texts, kind: ReplyKind, variant: Variant) -> None:
    assert variant.needs <= {"brand", "opening", "closing", "availability", "problem"}
    assert kind is not ReplyKind.CLOSED_NOTICE or "opening" in variant.needs


@every_variant
def test_it_never_asks_for_order_numbers_and_warns_of_them_only_in_public(
    texts: Texts, kind: ReplyKind, variant: Variant
) -> None:
    warns = bool(re.search(r"nie podawać|don't post", variant.text))
    assert warns is variant.public_only
    assert warns or not re.search(r"numer|order", variant.text)


@every_variant
def test_only_a_hand_over_says_that_it_is_the_last_automatic_text(
    texts: Texts, kind: ReplyKind, variant: Variant
) -> None:
    says_last = bool(re.search(r"ostatni|\blast\b", variant.text))
    assert says_last is (kind is ReplyKind.HAND_OVER)


@every_variant
def test_only_a_holding_statement_says_that_a_person_saw_it_first(
    texts: Texts, kind: ReplyKind, variant: Variant
) -> None:
    seen = bool(re.search(r"zatwierdz|checked", variant.text, re.IGNORECASE))
    assert seen is (kind is ReplyKind.HOLDING)


def test_every_language_can_name_the_same_troubles() -> None:
    (first, *others) = PROBLEMS.values()
    assert all(set(other) == set(first) for other in others)
    assert all(words.startswith(("z ", "ze ")) for words in PROBLEMS["pl"].values())
    assert all(words.startswith("with ") for words in PROBLEMS["en"].values())


def test_every_language_has_a_holding_statement_that_names_no_trouble_yet() -> None:
    for language in languages():
        variants = texts_in(language).variants[ReplyKind.HOLDING, NEUTRAL]
        assert any(variant.needs <= {"brand"} and not variant.public_only for variant in variants)


def test_polish_names_are_not_declined_so_a_noun_carries_the_case() -> None:
    for variants in texts_in("pl").variants.values():
        for variant in variants:
            for before in re.findall(r"(\w+) \{brand\}", variant.text):
                assert before in {"zespół", "Zespół", "zespołu", "profilu"}
            assert variant.text.count("{brand}") == len(re.findall(r"\w+ \{brand\}", variant.text))
