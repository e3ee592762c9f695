"""What may teach the shipped model, and what never may."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from triage.training.data import ABSENT, FLAGS, TOPICS, Source, load_plan, read_corpus, read_source, weak_urgency

NEVER_TEACH = ("airline", "twcs", "wust", "ceneo", "urgency_weak", "urgency_gold")


def test_it_never_lets_a_non_commercial_or_unlicensed_set_teach() -> None:
    teachers = load_plan().to_train()
    assert teachers
    for source in teachers:
        assert not [name for name in NEVER_TEACH if name in source.name or name in source.file], source.name


def test_it_names_a_licence_for_every_set_that_teaches() -> None:
    for source in load_plan().to_train():
        assert source.licence and "non-commercial" not in source.licence and "none" not in source.licence, source.name


def test_it_refuses_to_read_the_training_part_of_a_set_that_is_only_measured(tmp_path: Path) -> None:
    plan = load_plan()
    measured = next(source for source in plan.sources if source.name == "wust_tweets")
    with pytest.raises(ValueError, match="only ever measured"):
        read_source(plan, measured, tmp_path, "train")


def test_it_refuses_a_use_it_does_not_know(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "triage/training/sources.toml").read_text(encoding="utf-8")
    broken = tmp_path / "sources.toml"
    broken.write_text(text.replace('\nuse = "evaluate"', '\nuse = "borrow"', 1), encoding="utf-8")
    with pytest.raises(ValueError, match="borrow"):
        load_plan(broken)


def test_it_says_which_file_is_missing(tmp_path: Path) -> None:
    plan = load_plan()
    with pytest.raises(FileNotFoundError, match="--data"):
        read_source(plan, plan.to_train()[0], tmp_path, "train")


def test_it_names_the_line_that_is_not_json(tmp_path: Path) -> None:
    plan = load_plan()
    source = plan.to_train()[0]
    (tmp_path / "train").mkdir()
    row = json.dumps({"text": "fine", "lang": "en", "label": "neutral"})
    with gzip.open(tmp_path / "train" / f"{source.file}.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(row + "\n{broken\n")
    with pytest.raises(ValueError, match="line 2"):
        read_source(plan, source, tmp_path, "train")


def test_it_guesses_urgency_only_where_a_rule_is_nearly_sure() -> None:
    plan = load_plan()
    review = Source(name="r", file="r", licence="own", use="train", urgency="review")
    tweet = replace(review, urgency="tweet")
    intent = replace(review, urgency="intent")
    assert weak_urgency(plan, review, "negative", "Pokój był mały i głośny.") == "normal"
    assert weak_urgency(plan, review, "negative", "Po zabiegu trafiłam do szpitala.") is None
    assert weak_urgency(plan, tweet, "positive", "Love this new phone!") == "low"
    assert weak_urgency(plan, tweet, "negative", "This phone is awful") is None
    assert weak_urgency(plan, tweet, "neutral", "Is the shop open?") is None
    assert weak_urgency(plan, intent, "compromised_card", "someone used my card") == "critical"
    assert weak_urgency(plan, intent, "an_intent_nobody_named", "hello") is None
    assert weak_urgency(plan, replace(review, urgency=""), "positive", "Super!") is None


def test_a_harm_set_says_only_what_it_was_asked(tmp_path: Path) -> None:
    plan = load_plan()
    rows = {
        "offensive_en": {"offensive": (1, -1), "not-offensive": (0, 0)},
        "hate_en": {"hate": (1, 1), "not-hate": (-1, 0)},
    }
    rows["harm_pl"] = {"hate-speech": (1, 1), "cyberbullying": (1, 0), "non-harmful": (0, 0)}
    (tmp_path / "train").mkdir()
    for name, labels in rows.items():
        source = next(source for source in plan.to_train() if source.name == name)
        with gzip.open(tmp_path / "train" / f"{source.file}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": label, "lang": "en", "label": label}) + "\n" for label in labels)
        read = read_source(plan, source, tmp_path, "train")
        assert {row.text: row.harm for row in read} == labels
        assert {(row.sentiment, row.irony, row.topics) for row in read} == {(ABSENT, ABSENT, ())}


def test_the_corpus_teaches_every_head_that_it_knows() -> None:
    rows = read_corpus(load_plan(), held_out=False)
    assert {row.needs_reply for row in rows} == {0, 1}
    assert {len(row.topics) for row in rows} == {len(TOPICS)}
    assert all(sum(row.topics) >= 1 for row in rows)  # what is about nothing else is about "other"
    assert all(any(row.topics[place] for row in rows) for place in range(len(TOPICS)))
    assert all(any(row.flags[place] for row in rows) for place in range(len(FLAGS)))
    assert {row.harm for row in rows} == {()}
