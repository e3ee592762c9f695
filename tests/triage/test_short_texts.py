"""A word or two says nothing alone; the customer's post before tells what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from social.domain.assessment import Assessment, Flag, ModelIdentity, TextToAssess, Urgency
from triage.assess import ModelClassifier
from triage.checkpoint import HeadSettings
from triage.encoder import Scores
from triage.merge import LEANS
from triage.prepare import prepare, says_little

LOST = "Moja paczka zginęła, a w niej leki"


class WordByWord:
    """An encoder that finds everything high in which a parcel is lost, else low; keeps what it read."""

    identity = ModelIdentity(id="word-by-word", version="1")
    runtime = "a test"
    heads: Mapping[str, HeadSettings] = {"sentiment": HeadSettings(), "urgency": HeadSettings()}

    def __init__(self) -> None:
        self.read: list[str] = []

    def score(self, texts: Sequence[str], languages: Sequence[str] = ()) -> Scores:
        self.read += texts
        high, low = [0.0, 0.9, 0.1, 0.0], [0.0, 0.0, 0.1, 0.9]
        urgency = np.array([high if "zginęła" in text else low for text in texts])
        return Scores(sentiment=np.tile([0.1, 0.8, 0.1], (len(texts), 1)), urgency=urgency, vectors=None)


def judged(text: str, before: str | None) -> tuple[Assessment, list[str]]:
    encoder = WordByWord()
    (found,) = ModelClassifier(encoder, ("pl", "en")).assess(
        [TextToAssess(text=text, context_language="pl", before=before)]
    )
    return found, encoder.read


@pytest.mark.parametrize("text", ["???", "ok", "halo?", "i co?", "😡", "", "@sklep ?!", "no i jak"])
def test_what_says_little_is_read_with_the_post_before(text: str) -> None:
    alone, read_alone = judged(text, None)
    together, read = judged(text, LOST)
    assert (alone.urgency, together.urgency) == (Urgency.LOW, Urgency.HIGH)
    assert read == [f"{LOST}\n{prepare(text).text}"] and read_alone == [prepare(text).text]
    assert LEANS in together.reasons and LEANS not in alone.reasons


@pytest.mark.parametrize(
    "text", ["Dziękuję!", "❤️", "thanks", "Paczka jednak przyszła, wszystko dobrze", "Zamówienie 20391"]
)
def test_thanks_and_what_speaks_for_itself_are_read_alone(text: str) -> None:
    together, read = judged(text, LOST)
    assert together.urgency is Urgency.LOW
    assert read == [text]


def test_the_rules_hear_only_what_was_said_now() -> None:
    found, _ = judged("no i?", "chcę rozmawiać z człowiekiem")
    assert Flag.WANTS_HUMAN not in found.flags


@pytest.mark.parametrize(
    ("text", "little"),
    [
        ("", True),
        ("ok", True),
        ("@user http", True),
        ("😡😡😡", True),
        ("no i co", True),
        ("nie ma jej tu", False),
        ("reklamacja", True),
    ],
)
def test_it_counts_words_and_letters_of_the_author_alone(text: str, little: bool) -> None:
    assert says_little(text) is little
