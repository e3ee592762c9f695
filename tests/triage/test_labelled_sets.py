"""The shipped model on public labelled sets, which are not this project's to ship: `DYZUR_DATA` says where they lie.

The floors are what the model card promises.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest

from triage.checkpoint import HEADS, SHIPPED, read_checkpoint
from triage.encoder import OnnxEncoder, Scores, available_threads, open_encoder
from triage.measures import score
from triage.prepare import prepare
from triage.training.data import SENTIMENT, Example, load_plan, strip_diacritics
from triage.training.evaluate import choose, dev_sets

DATA = os.environ.get("DYZUR_DATA", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA, reason="DYZUR_DATA IS NOT SET: the floors of the model were NOT tested here"),
    pytest.mark.skipif(not (SHIPPED / HEADS).is_file(), reason="this tree has no triage/model"),
]
ROUNDS = 20
#: Set -> measure -> the least that is promised.
FLOORS = {
    "tweeteval_sentiment": ("macro_recall", 0.70),
    "airline": ("macro_f1", 0.68),
    "poleval2024_sentences": ("macro_f1", 0.77),
    "wust_tweets": ("macro_f1", 0.52),
    "mozetic_pl": ("accuracy", 0.80),
}
NEIGHBOURS, NEIGHBOURS_FLOOR = ("xlmt_de", "xlmt_es", "xlmt_fr", "xlmt_it", "xlmt_pt"), 0.66
WITHOUT_LETTERS = ("poleval2024_sentences", "wust_tweets", "mozetic_pl")


@cache
def encoder() -> OnnxEncoder:
    return open_encoder(read_checkpoint(SHIPPED), "openvino", available_threads(0))


@cache
def measured() -> dict[str, list[Example]]:
    return dev_sets(load_plan(), Path(DATA))


def scored(texts: Sequence[str], languages: Sequence[str] = ()) -> Scores:
    return encoder().score([prepare(text).text for text in texts], languages)


def found(rows: Sequence[Example], texts: Sequence[str], measure: str = "macro_f1") -> float:
    chances = scored(texts, [row.lang for row in rows]).sentiment
    result = score(np.array([row.sentiment for row in rows]), choose(chances, rows, "sentiment"), len(SENTIMENT))
    value: float = getattr(result, measure).value
    return value


@pytest.mark.parametrize("name", FLOORS)
def test_the_floors_of_sentiment_hold(name: str) -> None:
    rows, (measure, floor) = measured()[name], FLOORS[name]
    assert found(rows, [row.text for row in rows], measure) >= floor


def test_the_floor_of_the_neighbours_holds() -> None:
    sets = [measured()[name] for name in NEIGHBOURS]
    assert np.mean([found(rows, [row.text for row in rows]) for rows in sets]) >= NEIGHBOURS_FLOOR


def test_polish_without_its_letters_loses_little() -> None:
    lost = []
    for name in WITHOUT_LETTERS:
        rows = measured()[name]
        whole, bare = (found(rows, texts) for texts in ([row.text for row in rows], bared(rows)))
        lost.append(whole - bare)
    assert np.mean(lost) <= 0.03


def bared(rows: Sequence[Example]) -> list[str]:
    return [strip_diacritics(row.text) for row in rows]


def test_no_label_depends_on_what_a_text_is_judged_with() -> None:
    """Alone, and in twenty draws of an eighth of all texts, cut into random batches: the same labels of every head."""
    texts = sorted({prepare(row.text).text for rows in measured().values() for row in rows if row.lang in ("pl", "en")})
    alone = labels([encoder().score([text]) for text in texts])
    dice = Random(20)
    for _ in range(ROUNDS):
        order = dice.sample(range(len(texts)), len(texts) // 8)
        together = labels([encoder().score([texts[place] for place in batch]) for batch in cut(order, dice)])
        flips = [texts[place] for place, said in zip(order, together, strict=True) if not (said == alone[place]).all()]
        assert flips == []


def cut(order: Sequence[int], dice: Random) -> Iterator[Sequence[int]]:
    begin = 0
    while begin < len(order):
        size = dice.randint(2, 200)
        yield order[begin : begin + size]
        begin += size


def labels(parts: Sequence[Scores]) -> np.ndarray:
    """[N, sentiment and urgency, then a yes or no for each answer of the other heads]."""
    rows = []
    for scores in parts:
        several = [table > 0.5 for _, table in sorted(scores.more.items())]
        chosen = [scores.sentiment.argmax(axis=1)[:, None], scores.urgency.argmax(axis=1)[:, None]]
        rows.append(np.concatenate([*chosen, *several], axis=1))
    return np.concatenate(rows)


def test_every_set_that_is_measured_has_its_labels() -> None:
    assert set(FLOORS) | set(NEIGHBOURS) <= set(measured())
    assert {SENTIMENT[row.sentiment] for row in measured()["wust_tweets"]} == set(SENTIMENT)
