"""The second reading of the corpus: enough of it, blind, and measured rightly."""

from __future__ import annotations

import pytest

from triage.training.agreement import both, kappa, report, weighted

LEVELS = ("low", "normal", "high", "critical")


def test_kappa_is_what_the_textbook_says() -> None:
    # Cohen's own example: 50 applications, read by two people
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert kappa(first, second) == pytest.approx(0.4)
    assert kappa(first, first) == 1.0


def test_a_far_miss_weighs_more_than_a_near_one() -> None:
    truth = ["low", "normal", "high", "critical"] * 5
    near, far = ["normal", *truth[1:]], ["critical", *truth[1:]]
    assert 1 > weighted(truth, near, LEVELS) > weighted(truth, far, LEVELS)


def test_six_hundred_texts_were_read_twice_and_the_readers_agree_on_what_matters() -> None:
    first, second = both()
    assert len(second) >= 600 and all("sentiment" not in row or row["id"] in first for row in second.values())
    for head, floor in (("sentiment", 0.75), ("urgency", 0.75), ("needs_reply", 0.75)):
        assert kappa([row[head] for row in first.values()], [second[id_][head] for id_ in first]) > floor
    assert any("urgency" in line for line in report(first, second))
