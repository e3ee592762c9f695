"""The project's own texts: valid, unlike each other, and urgent enough."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from social.domain.assessment import Flag, Sentiment, Urgency
from triage.training.data import CORPUS, SENTIMENT, URGENCY, is_held_out, load_plan, read_corpus, read_rows

FOLDER = Path(__file__).parents[3] / "triage/training/corpus"
FIELDS = {"id", "text", "lang", "sentiment", "urgency", "needs_reply", "topics", "flags", "industry"}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [row for path in sorted(FOLDER.glob("*.jsonl")) for row in read_rows(path)]


def test_it_gives_every_text_all_its_labels(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert set(row) == FIELDS, row["id"]
        assert row["sentiment"] in SENTIMENT and row["urgency"] in URGENCY and row["lang"] in ("pl", "en"), row["id"]
        assert isinstance(row["needs_reply"], bool) and isinstance(row["topics"], list), row["id"]
        assert isinstance(row["flags"], list) and row["text"].strip() == row["text"] != "", row["id"]


def test_it_uses_only_flags_and_levels_that_the_product_knows(rows: list[dict[str, Any]]) -> None:
    known = {flag.value for flag in Flag}
    assert {flag for row in rows for flag in row["flags"]} <= known
    assert {row["urgency"] for row in rows} == {level.value for level in Urgency}
    assert {row["sentiment"] for row in rows} == {sentiment.value for sentiment in Sentiment}


def test_it_repeats_no_id_and_no_text(rows: list[dict[str, Any]]) -> None:
    ids = Counter(row["id"] for row in rows)
    texts = Counter(re.sub(r"\W+", " ", row["text"].lower()).strip() or row["text"] for row in rows)
    assert [name for name, times in ids.items() if times > 1] == []
    assert [text for text, times in texts.items() if times > 1] == []


def test_it_holds_enough_urgent_polish_texts(rows: list[dict[str, Any]]) -> None:
    urgent = [row for row in rows if row["lang"] == "pl" and row["urgency"] in ("critical", "high")]
    assert len(urgent) >= 400


def test_it_holds_neutral_polish_texts_in_quantity(rows: list[dict[str, Any]]) -> None:
    assert sum(row["lang"] == "pl" and row["sentiment"] == "neutral" for row in rows) >= 400


def test_it_keeps_about_a_tenth_for_its_own_test_and_never_trains_on_it() -> None:
    plan = load_plan()
    kept = {row.text for row in read_corpus(plan, held_out=True)}
    taught = {row.text for row in read_corpus(plan, held_out=False)}
    assert not kept & taught
    assert 0.07 < len(kept) / (len(kept) + len(taught)) < 0.13
    assert {row.source for row in read_corpus(plan, held_out=True)} == {CORPUS}


def test_it_decides_by_the_id_alone_what_is_held_out() -> None:
    assert [is_held_out(f"x-{number}", 10) for number in range(40)].count(True) in range(1, 10)
    assert is_held_out("same", 10) == is_held_out("same", 10)
    assert is_held_out("anything", 1)
