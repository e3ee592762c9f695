"""How a text is levelled before rules and model read it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some

from triage.prepare import MAXIMUM_CHARACTERS, prepare


@pytest.mark.parametrize(
    ("text", "levelled"),
    [
        ("@anna.bsky.social hej", "@user hej"),
        ("@anna@mastodon.social.", "@user."),
        ("pisz na anna@example.org!", "pisz na email@example.com!"),
        ("zobacz https://t.co/abc?x=1 teraz", "zobacz http teraz"),
        ("Tom &amp; Jerry &lt;3", "Tom & Jerry <3"),
        ("z\u200bw\u200br\u200bo\u200bt", "zwrot"),
        ("\u202ezwrot\u202c", "zwrot"),
        ("zwro\u200dt", "zwrot"),
        ("👩\u200d🚒", "👩\u200d🚒"),
        ("za\u0307z\u0307o\u0301\u0142c\u0301", unicodedata.normalize("NFC", "za\u0307z\u0307o\u0301\u0142c\u0301")),
        ("a  b\t\tc\r\n\r\n d", "a b c\nd"),
        ("\x00a\x07b", "a b"),
        ("\ud800a\udfff", "a"),
    ],
)
def test_it_levels_what_the_training_data_levelled(text: str, levelled: str) -> None:
    assert prepare(text).text == levelled


def test_it_cuts_long_texts_and_says_so() -> None:
    assert prepare("ab " * 50_000).truncated
    assert len(prepare("z" * 100_000).text) == MAXIMUM_CHARACTERS
    assert not prepare("z" * MAXIMUM_CHARACTERS).truncated


def test_it_keeps_only_a_few_marks_on_a_letter() -> None:
    prepared = prepare("a" + "\u0301" * 10_000 + "b")
    assert len(prepared.text) < 6
    assert not prepared.truncated


@given(some.text(alphabet=some.characters(), max_size=300))
def test_it_always_gives_clean_text_and_changes_nothing_the_second_time(text: str) -> None:
    once = prepare(text).text
    once.encode("utf-8")
    assert "\x00" not in once
    # an entity may hide another one; everything else is settled at once
    if "&" not in text:
        assert prepare(once).text == once
