"""The shipped rules: what they must hear, and what they must not mishear."""

from __future__ import annotations

import pytest

from social.domain.assessment import SILENT_FLAGS, Flag, Urgency
from tests.triage.phrases import FLAGGED, INNOCENT, OPT_OUT, QUOTES_A_MACHINE, WANTS_HUMAN
from triage.prepare import prepare
from triage.rules import Hit, read_rules, rule_book


def judge(text: str) -> tuple[Hit, ...]:
    return rule_book().judge(prepare(text).text)


def flags(text: str) -> set[Flag | None]:
    return {hit.flag for hit in judge(text)}


def test_its_lists_hold_a_hundred_phrasings_each() -> None:
    assert len(set(WANTS_HUMAN)) >= 100
    assert len(set(OPT_OUT)) >= 100


@pytest.mark.parametrize("text", WANTS_HUMAN)
def test_it_hears_a_request_for_a_person(text: str) -> None:
    assert Flag.WANTS_HUMAN in flags(text)


@pytest.mark.parametrize("text", WANTS_HUMAN)
def test_it_hears_it_in_capitals_without_letters_and_behind_a_handle(text: str) -> None:
    assert Flag.WANTS_HUMAN in flags(
        "@sklep_lawenda " + text.upper().translate(str.maketrans("ĄĆĘŁŃÓŚŹŻ", "ACELNOSZZ"))
    )


@pytest.mark.parametrize("text", OPT_OUT)
def test_it_hears_that_messages_are_not_wanted(text: str) -> None:
    assert Flag.OPT_OUT in flags(text)


@pytest.mark.parametrize("line", FLAGGED)
def test_it_flags_what_people_must_know(line: str) -> None:
    flag, text = line.split(" | ", 1)
    assert Flag(flag) in flags(text)


@pytest.mark.parametrize("text", QUOTES_A_MACHINE)
def test_it_takes_a_customer_who_quotes_a_machine_for_a_customer(text: str) -> None:
    assert Flag.AUTO_REPLY not in flags(text)


@pytest.mark.parametrize("text", INNOCENT)
def test_it_takes_idioms_news_and_jokes_for_what_they_are(text: str) -> None:
    hits = judge(text)
    assert not {hit.flag for hit in hits} & (SILENT_FLAGS | {Flag.WANTS_HUMAN, Flag.OPT_OUT})
    assert not any(hit.floor is not None and hit.floor.at_least(Urgency.HIGH) for hit in hits)


def test_it_still_hears_danger_beside_an_idiom() -> None:
    assert Flag.SAFETY in flags("Padam ze zmęczenia, a wasza ładowarka stanęła w płomieniach.")


def test_it_quotes_the_words_as_they_were_written() -> None:
    (hit,) = [hit for hit in judge("Halo! Żądam ROZMOWY z Kierownikiem, teraz.") if hit.flag is Flag.WANTS_HUMAN]
    assert hit.evidence == "ROZMOWY z Kierownikiem"
    assert hit.reason().effect == "wants_human, at least normal"


@pytest.mark.parametrize(
    ("text", "floor"),
    [
        ("Po waszym tatarze cała rodzina wymiotuje", Urgency.CRITICAL),
        ("my lawyer will be in touch", Urgency.CRITICAL),
        ("pluskwy w pokoju 12", Urgency.HIGH),
        ("nie mogę się zalogować na konto", Urgency.HIGH),
        ("piszę trzeci raz w tej sprawie", Urgency.HIGH),
        ("poproszę konsultanta", Urgency.NORMAL),
        ("Składam reklamację", Urgency.NORMAL),
    ],
)
def test_it_raises_the_urgency_to_what_the_guidelines_say(text: str, floor: Urgency) -> None:
    assert min((hit.floor for hit in judge(text) if hit.floor), key=lambda level: level.rank) is floor


def test_it_is_about_a_child_only_where_there_is_harm() -> None:
    assert Flag.MINORS in flags("Moja córka wylądowała w szpitalu po waszej kaszce")
    assert Flag.MINORS not in flags("Córka zachwycona, dziękujemy!")


def test_it_keeps_a_bound_on_time_for_the_longest_texts() -> None:
    # every word is a beginning of some pattern, so that nothing is skipped; it must simply come back
    assert isinstance(judge("proszę o kontakt nie chcę rozmawiać z wasz kurier mi " * 80), tuple)


def test_it_takes_anger_alone_for_no_emergency() -> None:
    hits = judge("Żenada, skandal, kpina")
    assert {hit.flag for hit in hits} == {Flag.RISING_ANGER}
    assert not any(hit.floor is not None and hit.floor.at_least(Urgency.HIGH) for hit in hits)


def test_it_takes_a_tool_that_stays_on_for_a_hazard_and_not_for_a_wish_for_silence() -> None:
    hits = judge("hedge trimmer wouldn't switch off, so I pulled the plug")
    assert [(hit.flag, hit.floor) for hit in hits] == [(Flag.SAFETY, Urgency.HIGH)]


@pytest.mark.parametrize(
    "text", ["hospital bag, and we are in the hospital now", "po kontuzji, a dziś karetka po mnie"]
)
def test_it_blots_an_idiom_and_reads_what_stands_beside_it(text: str) -> None:
    assert Flag.SAFETY in flags(text)


@pytest.mark.parametrize(("minutes", "floor"), [("11", None), ("29", None), ("30", Urgency.HIGH), ("45", Urgency.HIGH)])
def test_it_calls_a_wait_on_hold_long_from_half_an_hour_on(minutes: str, floor: Urgency | None) -> None:
    found = [hit.floor for hit in judge(f"on hold for {minutes} minutes") if hit.rule == "asks-again"]
    assert found == ([floor] if floor else [])


def test_it_explains_what_fired_what_held_back_and_what_was_not_read() -> None:
    found = rule_book().explain("Umieram z głodu. Świeca pali się równo, mam reklamację, poproszę konsultanta")

    assert [hit.rule for hit in found.hits] == ["asks-for-a-person", "formal-complaint-or-withdrawal"]
    assert [(held.rule, held.evidence, held.excuse) for held in found.held_back] == [
        ("immediate-hazard", "pali się", "Świeca pali się równo")
    ]
    assert [words for words, _ in found.blotted] == ["Umieram z głodu"]


def test_it_explains_exactly_the_hits_that_it_judges_by() -> None:
    for line in FLAGGED:
        text = prepare(line.split(" | ", 1)[1]).text
        assert rule_book().explain(text).hits == rule_book().judge(text)


def test_it_refuses_a_rule_that_does_nothing_or_has_an_unknown_key() -> None:
    empty = {"idioms": {}, "harmless": {}}
    with pytest.raises(ValueError, match="needs a flag or a floor"):
        read_rules({**empty, "rule": [{"name": "idle", "pl": ["x"]}]})
    with pytest.raises(ValueError, match="unknown key 'flor'"):
        read_rules({**empty, "rule": [{"name": "typo", "flor": "high", "pl": ["x"]}]})
    with pytest.raises(ValueError, match=r"rules\.toml: rule 'broken': pattern '\(open': a bracket is not closed"):
        read_rules({**empty, "rule": [{"name": "broken", "flag": "spam", "pl": ["fine", "(open"]}]})
