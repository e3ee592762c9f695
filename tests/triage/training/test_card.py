"""The card's tables say what was measured."""

from __future__ import annotations

from triage.training.card import tables

SENTIMENT = {
    "set": "wust_tweets", "head": "sentiment", "lang": "pl", "count": 1560, "accuracy": [0.693, 0.65, 0.73],
    "macro_f1": [0.674, 0.641, 0.7], "macro_recall": [0.777, 0.7, 0.8], "ece": 0.0721, "brier": None,
    "majority_accuracy": 0.5, "majority_f1": 0.262,
}  # fmt: skip
TOPIC = {
    "set": "corpus", "head": "topics", "label": "delivery", "count": 700, "have": 61, "precision": 0.8, "recall": 0.75,
    "f1": 0.774,
}  # fmt: skip


def test_a_set_stands_in_its_heads_table_with_its_interval() -> None:
    written = list(tables([SENTIMENT]))
    assert written[0] == "### Sentiment"
    assert written[3] == "| wust tweets | pl | 1,560 | 0.262 | **0.674** (0.641 to 0.700) | 0.693 | 0.777 | 0.072 |  |"


def test_answers_of_many_have_a_table_of_their_own() -> None:
    written = list(tables([SENTIMENT, TOPIC]))
    assert written[-1] == "| own corpus, held out | topics | delivery | 61 | 700 | 0.80 | 0.75 | 0.77 |"
    assert not any("Urgency" in line for line in written)
