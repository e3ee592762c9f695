"""Scores counted by hand, and beside scikit-learn where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from triage import measures

TRUTH = np.array([0, 0, 0, 1, 1, 2])
CHOSEN = np.array([0, 0, 1, 1, 2, 2])


def some_predictions(count: int = 400, labels: int = 4, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Truth [N] and probabilities [N, labels] that lean towards it."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, count)
    powers = np.exp(rng.normal(size=(count, labels)) + 1.3 * np.eye(labels)[truth])
    return truth, powers / powers.sum(axis=1, keepdims=True)


def test_it_counts_who_was_taken_for_whom() -> None:
    table = measures.confusion(TRUTH, CHOSEN, 3)
    assert table.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]


def test_it_scores_as_counted_by_hand() -> None:
    found = measures.score(TRUTH, CHOSEN, 3)
    assert found.count == 6
    assert found.accuracy.value == pytest.approx(4 / 6)
    assert found.macro_recall.value == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert found.macro_f1.value == pytest.approx((4 / 5 + 2 / 4 + 2 / 3) / 3)


def test_it_scores_each_label_as_counted_by_hand() -> None:
    first, second, third, never = measures.label_scores(measures.confusion(TRUTH, CHOSEN, 4), ["a", "b", "c", "d"])
    assert (first.precision, first.recall, first.f1) == (1.0, 2 / 3, 4 / 5)
    assert (second.precision, second.recall, second.f1) == (0.5, 0.5, 0.5)
    assert (third.precision, third.recall) == (0.5, 1.0)
    assert (never.gold, never.precision, never.recall, never.f1) == (0, None, None, None)


def test_a_label_that_nobody_gave_does_not_enter_the_mean_but_costs_precision() -> None:
    found = measures.score(np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1]), 3)
    assert found.macro_recall.value == pytest.approx((1 / 2 + 1) / 2)
    assert found.macro_f1.value == pytest.approx((2 / 3 + 1) / 2)


def test_its_interval_is_the_binomial_one_for_an_accuracy() -> None:
    from scipy.stats import binom

    truth = np.zeros(200, dtype=int)
    chosen = (np.arange(200) >= 160).astype(int)
    found = measures.score(truth, chosen, 2).accuracy
    assert found.value == pytest.approx(0.8)
    assert found.low == pytest.approx(binom.ppf(0.025, 200, 0.8) / 200, abs=0.011)
    assert found.high == pytest.approx(binom.ppf(0.975, 200, 0.8) / 200, abs=0.011)


def test_drawing_tables_is_drawing_texts() -> None:
    truth, chances = some_predictions(150)
    chosen = chances.argmax(axis=1)
    rng = np.random.default_rng(9)
    drawn = [rng.integers(0, 150, 150) for _ in range(3_000)]
    f1s = [float(measures.rates(measures.confusion(truth[places], chosen[places], 4))[1]) for places in drawn]
    found = measures.score(truth, chosen, 4, draws=3_000).macro_f1
    assert found.low == pytest.approx(np.percentile(f1s, 2.5), abs=0.012)
    assert found.high == pytest.approx(np.percentile(f1s, 97.5), abs=0.012)


def test_it_gives_the_same_intervals_for_the_same_texts_and_narrower_ones_for_more() -> None:
    truth, chances = some_predictions(100)
    chosen = chances.argmax(axis=1)
    once, again = measures.score(truth, chosen, 4), measures.score(truth, chosen, 4)
    assert once == again
    often = measures.score(np.tile(truth, 25), np.tile(chosen, 25), 4)
    assert often.macro_f1.value == pytest.approx(once.macro_f1.value)
    assert often.macro_f1.high - often.macro_f1.low < (once.macro_f1.high - once.macro_f1.low) / 3


def test_it_scores_sets_of_labels_as_counted_by_hand() -> None:
    gold = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0]], dtype=bool)
    chosen = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]], dtype=bool)
    found = measures.score_sets(gold, chosen)
    assert found.accuracy.value == pytest.approx(2 / 4)
    assert found.macro_recall.value == pytest.approx((1 + 1 / 2) / 2)
    assert found.macro_f1.value == pytest.approx((1 + 2 / 3) / 2)
    assert found.accuracy.low < found.accuracy.value < found.accuracy.high
    scores = measures.set_label_scores(gold, chosen, ["a", "b", "c"])
    assert [(one.gold, one.chosen, one.hits) for one in scores] == [(2, 2, 2), (2, 1, 1), (0, 1, 0)]


def test_it_says_that_there_is_no_mean_where_no_text_bears_a_label() -> None:
    nothing = np.zeros((5, 3), dtype=bool)
    found = measures.score_sets(nothing, nothing)
    assert found.accuracy.value == 1.0
    assert np.isnan(found.macro_f1.value)


def test_it_counts_overconfidence_as_an_error_of_calibration() -> None:
    sure_and_half_right = np.array([[0.99, 0.01]] * 4)
    assert measures.calibration_error(np.array([0, 1, 0, 1]), sure_and_half_right) == pytest.approx(0.49)
    # two bins by hand: 0.55 with 1 of 2 right, 0.95 with 2 of 2 right, each half of the texts
    chances = np.array([[0.55, 0.45], [0.55, 0.45], [0.95, 0.05], [0.95, 0.05]])
    assert measures.calibration_error(np.array([0, 1, 0, 0]), chances) == pytest.approx((0.05 + 0.05) / 2)
    assert measures.calibration_error(np.zeros(4, dtype=int), np.array([[1.0, 0.0]] * 4)) == pytest.approx(0.0)


def test_its_brier_score_is_as_counted_by_hand() -> None:
    chances = np.array([[0.8, 0.2], [0.4, 0.6]])
    assert measures.brier(np.array([0, 1]), chances) == pytest.approx((0.04 + 0.04 + 0.16 + 0.16) / 2)
    assert measures.brier(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(2.0)


def test_it_agrees_with_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    truth, chances = some_predictions()
    chosen = chances.argmax(axis=1)
    found = measures.score(truth, chosen, 4)
    assert found.macro_f1.value == pytest.approx(sklearn.f1_score(truth, chosen, average="macro"))
    assert found.macro_recall.value == pytest.approx(sklearn.balanced_accuracy_score(truth, chosen))
    assert measures.confusion(truth, chosen, 4).tolist() == sklearn.confusion_matrix(truth, chosen).tolist()
    two = (truth == 0).astype(int)
    pair = np.stack([1 - chances[:, 0], chances[:, 0]], axis=1)
    assert measures.brier(two, pair) == pytest.approx(2 * sklearn.brier_score_loss(two, chances[:, 0]))


# --- thresholds -------------------------------------------------------------------------------------------------------


def ranked(*runs: tuple[int, bool]) -> tuple[np.ndarray, np.ndarray]:
    """Falling scores and whether they are right: ``(30, True), (10, False)`` are thirty right ones, then ten wrong ones."""
    positive = np.array([right for count, right in runs for _ in range(count)])
    return np.linspace(0.95, 0.05, len(positive)), positive


def test_it_takes_the_lowest_threshold_that_reaches_the_precision() -> None:
    scores, positive = ranked((30, True), (10, False), (60, True), (100, False))
    found = measures.threshold_for(scores, positive, 0.9)
    assert found is not None
    # the thirty first alone would do, and so does everything down to the hundredth: 90 of 100
    assert (found.answers, found.positives, found.precision, found.recall) == (100, 90, 0.9, 1.0)
    assert scores[99] > found.value > scores[100]
    assert found.low < 0.9 < found.high


def test_it_suggests_nothing_that_stands_on_a_few_answers() -> None:
    scores, positive = ranked((19, True), (100, False))
    assert measures.threshold_for(scores, positive, 0.96) is None
    scores, positive = ranked((20, True), (100, False))
    assert measures.threshold_for(scores, positive, 0.96) is not None


def test_it_never_tears_equal_scores_apart() -> None:
    scores = np.array([0.9] * 30 + [0.5] * 30)
    positive = np.array([True] * 30 + [True] * 15 + [False] * 15)
    found = measures.threshold_for(scores, positive, 0.8)
    assert found is not None
    assert (found.answers, found.precision) == (30, 1.0)


def test_it_reads_everything_where_everything_is_precise() -> None:
    scores, positive = ranked((50, True))
    found = measures.threshold_for(scores, positive, 0.9)
    assert found is not None
    assert (found.value, found.answers) == (pytest.approx(scores[-1]), 50)


def test_its_interval_of_a_share_is_wilsons() -> None:
    # 8 of 10: the textbook's 0.490 to 0.943
    assert measures.wilson(8, 10) == (pytest.approx(0.490, abs=0.001), pytest.approx(0.943, abs=0.001))
    low, high = measures.wilson(10, 10)
    assert (low > 0.7, high) == (True, pytest.approx(1.0))
