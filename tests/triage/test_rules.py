"""The shipped rules: what they must hear, and what they must not mishear."""

from __future__ import annotations

import pytest

from social.domain.assessment import SILENT_FLAGS, Flag, Urgency
from tests.triage.phrases import FLAGGED, INNOCENT, OPT_OUT, QUOTES_A_MACHINE, WANTS_HUMAN
from triage.prepare import fold, prepare
from triage.rules import Hit, compile_pattern, read_rules, rule_book


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


# --- the notation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("reklamacj*", "Reklamację składam", True),
        ("reklamacj*", "autoreklamacja", False),
        ("stop", "nonstop", False),
        ("proszę o? kontakt", "prosze kontakt", True),
        ("proszę .. kontakt", "proszę dziś bardzo pilnie o kontakt", True),
        ("proszę .. kontakt", "proszę. Kontakt", False),
        ("proszę .. kontakt", "proszę a b c d e kontakt", False),
        ("(nie chcę|wolę) (bot*|automat*)", "wolę automaty", True),
        ("don't reply", "dont reply", True),
        ("don't reply", "don’t reply", True),
        ("< stop >", "@user STOP!!", True),
        ("< stop >", "stop it", False),
        ("# minut", "czekam 40 minut", True),
        ("#letni* syn*", "mojego 11-letniego syna", True),
    ],
)
def test_its_notation_means_what_it_says(pattern: str, text: str, found: bool) -> None:
    book = read_rules(
        {
            "idioms": {},
            "harmless": {},
            "rule": [{"name": "x", "flag": "spam", "any": [pattern]}],
        }
    )
    assert bool(book.judge(prepare(text).text)) is found


@pytest.mark.parametrize("pattern", ["(open", "closed)", "{nobody}", "gap ..", "maybe?", "a|b..c", "50%"])
def test_it_refuses_a_pattern_that_it_cannot_read(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"rules\.toml: pattern"):
        compile_pattern(pattern)


def test_it_refuses_a_rule_that_does_nothing_or_has_an_unknown_key() -> None:
    empty = {"idioms": {}, "harmless": {}}
    with pytest.raises(ValueError, match="needs a flag or a floor"):
        read_rules({**empty, "rule": [{"name": "idle", "pl": ["x"]}]})
    with pytest.raises(ValueError, match="unknown key 'flor'"):
        read_rules({**empty, "rule": [{"name": "typo", "flor": "high"}]})


def test_it_folds_polish_letters_and_keeps_every_position() -> None:
    text = "Zażółć gęślą jaźń ŁÓDŹ „cudzysłów” ﷺ"
    assert fold(text).startswith("zazolc gesla jazn lodz")
    assert len(fold(text)) == len(text)
