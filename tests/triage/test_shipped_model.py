"""The model that is shipped: whole, small enough, sane, and the same for a text alone and in company."""

from __future__ import annotations

import hashlib
import json
from functools import cache

import pytest

from social.domain.assessment import Assessment, Flag, Head, Sentiment, TextToAssess, Urgency
from tests.triage.contract import labels
from triage.assess import ModelClassifier, RulesClassifier
from triage.checkpoint import HEADS, SHIPPED, read_checkpoint
from triage.load import load_classifier
from triage.training.data import SENTIMENT, URGENCY, Example, load_plan, read_corpus, strip_diacritics

pytestmark = pytest.mark.skipif(
    not (SHIPPED / HEADS).is_file(), reason="this tree has no triage/model: make it with triage/training"
)

#: Our own sentences, in no file that taught: text, sentiment, the levels of urgency that a reader would accept.
SENTENCES = (
    ("Pani w okienku była przemiła, wszystko załatwione w pięć minut, dziękuję!", "positive", ("low", "normal")),
    ("Kocham wasze nowe świece, pięknie pachną", "positive", ("low",)),
    ("Trzeci tydzień czekam na paczkę i nikt nie odbiera telefonu. Dramat.", "negative", ("high",)),
    ("Czy sklep w Lublinie będzie otwarty w sobotę?", "neutral", ("normal",)),
    ("Po waszej sałatce cała rodzina wymiotuje, jedziemy do szpitala", "negative", ("critical",)),
    ("Ktoś zrobił zakupy moją kartą zapisaną u was w aplikacji!", "negative", ("critical",)),
    ("Zimna kawa i niemiła obsługa, więcej nie przyjdę", "negative", ("normal", "high")),
    ("Your team sorted it out in ten minutes, absolutely brilliant, thank you!", "positive", ("low",)),
    ("Love the new lavender candles, they smell amazing", "positive", ("low",)),
    ("Do you ship to Ireland?", "neutral", ("normal",)),
    ("My charger caught fire last night and burned my hand", "negative", ("critical",)),
    ("Worst customer service ever, my order never arrived and you ignore my emails", "negative", ("critical", "high")),
    ("Someone got into my account and emptied my gift cards", "negative", ("critical",)),
)


@cache
def classifier() -> ModelClassifier | RulesClassifier:
    return load_classifier(threads=2)


def judge(texts: list[str]) -> list[Assessment]:
    return classifier().assess([TextToAssess(text=text, context_language="pl") for text in texts])


def held_out() -> list[Example]:
    return read_corpus(load_plan(), held_out=True)


def test_its_files_are_those_that_were_exported() -> None:
    heads = json.loads((SHIPPED / HEADS).read_text(encoding="utf-8"))
    found = {name: hashlib.sha256((SHIPPED / name).read_bytes()).hexdigest() for name in heads["sha256"]}
    assert found == heads["sha256"]
    assert {"model.onnx", "tokenizer.json", "config.json"} <= set(found)


def test_it_fits_into_a_package() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 45_000_000


def test_it_reads_the_bias_of_urgency() -> None:
    checkpoint = read_checkpoint(SHIPPED)
    assert len(checkpoint.urgency.bias) == len(URGENCY)
    # training made critical as frequent as the rest; among posts it is the rarest
    assert checkpoint.urgency.bias[0] == min(checkpoint.urgency.bias) < 0


@pytest.mark.parametrize(("text", "sentiment", "levels"), SENTENCES)
def test_it_judges_plain_sentences_as_a_reader_would(text: str, sentiment: str, levels: tuple[str, ...]) -> None:
    (judged,) = judge([text])
    assert judged.sentiment is Sentiment(sentiment)
    assert judged.urgency in {Urgency(level) for level in levels}


@pytest.mark.parametrize(
    ("text", "sentiment", "levels"), [row for row in SENTENCES if strip_diacritics(row[0]) != row[0]]
)
def test_it_judges_them_the_same_without_polish_letters(text: str, sentiment: str, levels: tuple[str, ...]) -> None:
    (judged,) = judge([strip_diacritics(text).lower()])
    assert judged.sentiment is Sentiment(sentiment) or Head.SENTIMENT in judged.abstained
    assert judged.urgency in {Urgency(level) for level in levels}


@pytest.mark.parametrize("one_in", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_it_gives_the_held_out_corpus_the_same_labels_alone_and_in_batches(one_in: int) -> None:
    texts = [row.text for row in held_out()[::one_in]]
    alone = [labels(judge([text])[0]) for text in texts]
    assert [labels(judged) for judged in judge(texts)] == alone
    assert [labels(judged) for judged in reversed(judge(texts[::-1]))] == alone


def test_it_is_far_better_than_chance_on_texts_that_never_taught() -> None:
    rows = held_out()
    judged = judge([row.text for row in rows])
    pairs = list(zip(rows, judged, strict=True))
    assert sum(SENTIMENT[row.sentiment] == one.sentiment for row, one in pairs) >= 0.73 * len(rows)
    assert sum(URGENCY[row.urgency] == one.urgency for row, one in pairs) >= 0.7 * len(rows)


def test_it_hardly_loses_anything_critical_below_high() -> None:
    """Most of them were written without any word of alarm, some as dark jokes; where it says that it is unsure, people look
    themselves."""
    rows = [row for row in held_out() if URGENCY[row.urgency] == "critical"]
    judged = judge([row.text for row in rows])
    missed = {row.text: one for row, one in zip(rows, judged, strict=True) if not one.urgency.at_least(Urgency.HIGH)}
    sure = [text for text, one in missed.items() if Head.URGENCY not in one.abstained]
    assert len(missed) <= 0.05 * len(rows), missed
    assert len(sure) <= 0.015 * len(rows), sure


def test_it_is_not_unsure_of_nearly_everything() -> None:
    judged = judge([row.text for row in held_out()])
    for head in Head:
        assert sum(head in one.abstained for one in judged) <= 0.4 * len(judged), head


def test_a_rule_speaks_where_the_model_is_calm() -> None:
    (judged,) = judge(["Dzień dobry, uprzejmie informuję, że mój prawnik skontaktuje się z Państwem."])
    assert Flag.LEGAL in judged.flags
    assert judged.urgency is Urgency.CRITICAL
