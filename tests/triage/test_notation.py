"""The notation of the rules: what a pattern means, and that nobody can write one that a text makes slow."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from triage.notation import MOST_WAYS, compile_pattern, fold_text
from triage.prepare import MAXIMUM_CHARACTERS, fold, prepare
from triage.rules import read_rules


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


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(open", "not closed"),
        ("closed)", "never opened"),
        ("a|b", "in no bracket"),
        ("{nobody}", "no list {nobody}"),
        ("gap ..", "a gap at the end"),
        (".. gap", "a gap must stand between"),
        ("maybe?", "nothing that must be there"),
        ("", "nothing that must be there"),
        ("a|b..c", "is no word|in no bracket"),
        ("50%", "'50%' is no word"),
        (r"\w+", "is no word"),
        ("(a+)+", "is no word"),
        ("a**", "is no word"),
        ("*", "is no word"),
        ("-", "is no word"),
        ("x " * 4000, "longer than"),
        ("(" * 900 + "x" + ")" * 900, "brackets inside each other"),
    ],
)
def test_it_refuses_a_pattern_that_it_cannot_read(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        compile_pattern(pattern)


#: Patterns whose every word begins with the same letter, near the bound; none of them is found in ``HOSTILE``.
GREEDY = ["a* ... a* ... b", "(a|a*) .. (a|a*) .. (a|a*) b", "a? a? a? a? a? a? b", "< a* ... b >"]
HOSTILE = ["a " * 50_000, "a" * 100_000, "a'" * 50_000, "a" + "," * 99_999]


@pytest.mark.parametrize("pattern", GREEDY)
def test_it_reads_a_hundred_thousand_characters_with_the_greediest_pattern(pattern: str) -> None:
    # it must simply come back: a pattern that could begin anew without a bound would not end in this century
    compiled = compile_pattern(pattern)
    for text in HOSTILE:
        assert compiled.find(fold_text(text)) is None
        assert len(prepare(text).text) <= MAXIMUM_CHARACTERS


@pytest.mark.parametrize(
    "pattern",
    [
        "a ... b ... c ... d",
        "(a*|a*|ab*) " * 7 + "z",
        "a? " * 12 + "z",
        "(" + "a .. " * 6 + "a) .. b",
        "(#|5|#*x) " * 9 + "z",
    ],
)
def test_it_refuses_a_pattern_that_could_begin_anew_too_often(pattern: str) -> None:
    with pytest.raises(ValueError, match=f"at most {MOST_WAYS}|is no word"):
        compile_pattern(pattern)


def test_it_does_not_count_choices_that_exclude_each_other() -> None:
    compile_pattern("(" + "|".join(f"word{number}" for number in range(300)) + ") .. (" + "one|two|three" + ")")


def test_the_shipped_patterns_stay_far_below_the_bound() -> None:
    def patterns(value: Any) -> Iterator[str]:
        for key, inner in value.items():
            if key in ("any", "pl", "en", "also", "unless"):
                yield from inner

    document = tomllib.loads((resources.files("triage") / "rules.toml").read_text(encoding="utf-8"))
    words = {name: "(" + "|".join(entries) + ")" for name, entries in document["words"].items()}
    sources = [source for rule in document["rule"] for source in patterns(rule)] + [*patterns(document["idioms"])]
    assert len(sources) > 800
    assert all(compile_pattern(source, words) for source in sources)


def test_it_folds_polish_letters_and_keeps_every_position() -> None:
    text = "Zażółć gęślą jaźń ŁÓDŹ „cudzysłów” ﷺ"
    assert fold(text).startswith("zazolc gesla jazn lodz")
    assert len(fold(text)) == len(text)
