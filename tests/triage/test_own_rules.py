"""People's own rules beside the shipped ones: what they may do, and what is refused before anything starts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from social.domain.assessment import Flag, TextToAssess, Urgency
from social.ports import Classifier
from social.settings import TriageBackend
from triage.load import load_classifier, rules_only
from triage.own_rules import GUARDS_LIFE, OwnRules, doubts, merge_rules
from triage.prepare import prepare
from triage.rules import RuleBook, rule_book

HOB = {
    "name": "hob-e7",
    "floor": "critical",
    "flag": "safety",
    "pl": ["błąd e7"],
    "any": ["e7"],
    "unless": ["serwis był"],
}


def book_of(**wanted: object) -> RuleBook:
    book, problems = merge_rules(rule_book(), OwnRules(**wanted))  # type: ignore[arg-type]
    assert problems == []
    return book


def problems_of(**wanted: object) -> list[tuple[tuple[str | int, ...], str]]:
    return merge_rules(rule_book(), OwnRules(**wanted))[1]  # type: ignore[arg-type]


def test_an_own_rule_fires_with_its_name_as_the_reason() -> None:
    (hit,) = book_of(own=[HOB]).judge("Kuchenka pokazuje E7, co robić?")

    assert (hit.rule, hit.flag, hit.floor) == ("hob-e7", Flag.SAFETY, Urgency.CRITICAL)
    assert (hit.reason().name, hit.reason().evidence) == ("hob-e7", "E7")


def test_an_own_rule_knows_also_unless_and_the_shipped_lists() -> None:
    child = {"name": "child-and-cot", "flag": "minors", "pl": ["łóżeczk* .. {child}"], "also": ["k7"]}
    book = book_of(own=[HOB, child])

    assert book.judge("E7 znika, serwis był wczoraj") == ()
    assert book.judge("łóżeczko dla dziecka") == ()
    assert [hit.rule for hit in book.judge("łóżeczko dla dziecka, K7")] == ["child-and-cot"]


def test_an_own_rule_may_stand_beside_a_shipped_flag() -> None:
    beside = {"name": "vip", "floor": "high", "any": ["klub platinum"], "beside": ["formal"]}
    book = book_of(own=[beside])

    assert "vip" not in [hit.rule for hit in book.judge("Klub Platinum, pytanie o kolor")]
    assert "vip" in [hit.rule for hit in book.judge("Klub Platinum, składam reklamację")]


def test_a_rule_that_is_off_stays_silent_and_the_others_do_not() -> None:
    text = "Żądam rozmowy z kierownikiem, składam reklamację"
    book = book_of(off=["asks-for-a-person"])

    assert [hit.rule for hit in rule_book().judge(text)] == ["asks-for-a-person", "formal-complaint-or-withdrawal"]
    assert [hit.rule for hit in book.judge(text)] == ["formal-complaint-or-withdrawal"]


def test_an_own_idiom_hides_its_words_only() -> None:
    book = book_of(idioms=["pożar smaku"])

    assert book.judge("Nasz nowy sos: pożar smaku, dla mnie hit") == ()
    assert [hit.rule for hit in book.judge("Pożar smaku, a teraz u mnie pożar w kuchni")] == ["immediate-hazard"]


def test_the_shipped_book_is_not_touched() -> None:
    before = rule_book()
    book_of(off=["press"], own=[HOB], idioms=["pożar smaku"])

    assert rule_book() is before
    assert "press" in [rule.name for rule in before.rules]


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    ((place, sentence),) = problems_of(off=["pres"])

    assert place == ("off", 0)
    assert "'pres'" in sentence
    assert "did you mean 'press'?" in sentence


def test_a_name_that_is_taken_is_refused_unless_the_shipped_one_is_off() -> None:
    mine = {**HOB, "name": "press"}

    ((place, sentence),) = problems_of(own=[mine])
    assert place == ("own", 0, "name")
    assert 'off = ["press"]' in sentence
    assert [hit.rule for hit in book_of(own=[mine], off=["press"]).judge("E7")] == ["press"]


def test_every_broken_pattern_is_told_with_its_place() -> None:
    broken = {**HOB, "pl": ["dobry", "(zły"], "unless": ["luka .."]}

    found = problems_of(own=[HOB | {"name": "fine"}, broken], idioms=["{nikt} tu"])

    assert [place for place, _ in found] == [("own", 1, "pl", 1), ("own", 1, "unless", 0), ("idioms", 0)]
    assert "rule 'hob-e7': pattern '(zły': a bracket is not closed" in found[0][1]
    assert "{child}" in found[2][1]


def test_it_doubts_whoever_switches_off_a_guard_of_life() -> None:
    guards = [rule.name for rule in rule_book().rules if rule.flag in GUARDS_LIFE]

    assert {"harm-to-health", "may-harm-themselves", "a-child-is-concerned"} <= set(guards)
    assert len(doubts(rule_book(), OwnRules(off=guards))) == len(guards)
    assert doubts(rule_book(), OwnRules(off=["press", "advertising"])) == []


def test_it_doubts_an_idiom_of_one_word() -> None:
    assert [place for place, _ in doubts(rule_book(), OwnRules(idioms=["pożar smaku", "pożar", "dym*"]))] == [
        ("idioms", 1),
        ("idioms", 2),
    ]


@pytest.mark.parametrize(
    "load",
    [
        lambda rules: rules_only("no model here", rules=rules),
        lambda rules: load_classifier(TriageBackend.RULES, rules=rules),
        lambda rules: load_classifier(threads=1, rules=rules),
    ],
    ids=["fallback", "rules", "model"],
)
def test_every_classifier_judges_by_the_merged_book(load: Callable[[RuleBook], Classifier]) -> None:
    judge = load(book_of(own=[HOB], off=["asks-for-a-person"]))

    found = judge.assess([TextToAssess(text=prepare("Pokazuje E7, poproszę konsultanta").text)])[0]

    assert found.urgency is Urgency.CRITICAL
    assert Flag.SAFETY in found.flags
    assert Flag.WANTS_HUMAN not in found.flags
    assert next(reason.name for reason in found.reasons if reason.source == "rule") == "hob-e7"
