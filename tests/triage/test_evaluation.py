"""Labelled texts in, a report out: counted by hand on a handful of texts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from social.domain.assessment import Assessment, Flag, Head, Reason, Sentiment, Urgency
from tests.factories import assessment
from triage.evaluation import Evaluation, Gold, LabelledText
from triage.evaluation_report import ALL, HeadReport, Report, report

NEGATIVE, NEUTRAL, POSITIVE = Sentiment
EVEN = dict.fromkeys(Sentiment, 1 / 3)


def labelled(text: str = "Gdzie moja paczka?", line: int = 1, **gold: object) -> LabelledText:
    return LabelledText(line=line, text=text, gold=Gold(**gold))  # type: ignore[arg-type]


def felt(chosen: Sentiment, chance: float = 0.8, **more: object) -> Assessment:
    """A judgement with this probability, the rest shared out evenly."""
    scores = {label: chance if label is chosen else (1 - chance) / 2 for label in Sentiment}
    return replace(assessment(sentiment=chosen, **more), sentiment_scores=scores)  # type: ignore[arg-type]


def evaluated(*pairs: tuple[LabelledText, Assessment], mistakes: int = 0) -> Evaluation:
    evaluation = Evaluation(mistakes=mistakes)
    evaluation.add([row for row, _ in pairs], [judged for _, judged in pairs])
    return evaluation


def of(found: Report, head: Head, language: str = ALL) -> HeadReport:
    (one,) = (entry for entry in found.heads if (entry.head, entry.language) == (head, language))
    return one


def test_it_measures_only_what_somebody_labelled() -> None:
    found = report(
        evaluated(
            (labelled(sentiment=NEUTRAL), felt(NEUTRAL)),
            (labelled(urgency=Urgency.HIGH), assessment(urgency=Urgency.NORMAL)),
        )
    )
    assert {entry.head for entry in found.heads} == {Head.SENTIMENT, Head.URGENCY}
    assert of(found, Head.SENTIMENT).score.count == 1
    assert of(found, Head.URGENCY).score.accuracy.value == 0.0


def test_it_counts_by_language_too_where_there_are_several() -> None:
    found = report(
        evaluated(
            (labelled(sentiment=NEGATIVE, language="pl"), felt(NEGATIVE)),
            (labelled(sentiment=NEUTRAL, language="pl"), felt(NEGATIVE)),
            (labelled(sentiment=POSITIVE, language="en"), felt(POSITIVE, language="en")),
        )
    )
    assert of(found, Head.SENTIMENT).score.accuracy.value == pytest.approx(2 / 3)
    assert of(found, Head.SENTIMENT, "pl").score.accuracy.value == 0.5
    assert of(found, Head.SENTIMENT, "en").score.accuracy.value == 1.0
    assert of(found, Head.SENTIMENT, "pl").table == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert of(found, Head.LANGUAGE).score.count == 3


def test_it_tells_how_much_is_sure_and_how_right_that_is() -> None:
    unsure = {Head.SENTIMENT}
    found = of(
        report(
            evaluated(
                (labelled(sentiment=NEGATIVE), felt(NEGATIVE)),
                (labelled(sentiment=NEUTRAL), felt(NEUTRAL)),
                (labelled(sentiment=NEUTRAL), felt(POSITIVE, 0.4, abstained=unsure)),
                (labelled(sentiment=NEGATIVE), felt(NEUTRAL, abstained={Head.URGENCY})),
            )
        ),
        Head.SENTIMENT,
    )
    assert found.covered == 0.75
    assert found.accuracy_when_sure == pytest.approx(2 / 3)


def test_without_neutral_texts_the_likelier_of_the_two_ends_is_the_answer() -> None:
    leaning = replace(felt(NEUTRAL), sentiment_scores={NEGATIVE: 0.3, NEUTRAL: 0.6, POSITIVE: 0.1})
    rows = (
        (labelled(sentiment=NEGATIVE), leaning),
        (labelled(sentiment=POSITIVE), felt(POSITIVE)),
    )
    found = report(evaluated(*rows))
    assert found.two_class
    assert of(found, Head.SENTIMENT).score.accuracy.value == 1.0
    assert (of(found, Head.SENTIMENT).ece, of(found, Head.SENTIMENT).brier) == (None, None)
    assert of(report(evaluated(*rows), two_class=False), Head.SENTIMENT).score.accuracy.value == 0.5
    with_neutral = evaluated(*rows, (labelled(sentiment=NEUTRAL), felt(NEUTRAL)))
    assert not report(with_neutral).two_class


def test_only_probabilities_that_are_there_are_measured() -> None:
    nobody_knows = replace(assessment(sentiment=NEUTRAL), sentiment_scores=EVEN)
    found = report(evaluated((labelled(sentiment=NEUTRAL), nobody_knows)), target_precision=0.9)
    assert of(found, Head.SENTIMENT).ece is None
    assert found.suggestions == ()


def test_the_calibration_is_the_models_own_and_the_label_that_of_rules_and_model() -> None:
    raised = replace(assessment(urgency=Urgency.NORMAL), urgency=Urgency.CRITICAL)
    found = of(report(evaluated((labelled(urgency=Urgency.CRITICAL), raised))), Head.URGENCY)
    assert found.score.accuracy.value == 1.0
    assert found.ece == pytest.approx(0.7)  # sure of normal by 0.7, and wrong


def test_flags_are_measured_as_sets() -> None:
    found = of(
        report(
            evaluated(
                (labelled(flags=frozenset({Flag.LEGAL})), assessment(flags={Flag.LEGAL, Flag.PRESS})),
                (labelled(flags=frozenset({Flag.LEGAL})), assessment(flags={Flag.LEGAL})),
                (labelled(flags=frozenset()), assessment()),
                (labelled(flags=None), assessment(flags={Flag.SPAM})),
            )
        ),
        Head.FLAGS,
    )
    assert found.score.count == 3
    assert found.score.accuracy.value == pytest.approx(2 / 3)
    assert found.score.macro_f1.value == 1.0
    labels = {label.label: label for label in found.labels}
    assert (labels["legal"].hits, labels["press"].chosen, labels["spam"].chosen) == (2, 1, 0)


def test_needs_reply_is_measured() -> None:
    rows = [
        (labelled(needs_reply=wanted), assessment(needs_reply=said)) for wanted, said in ((True, True), (False, True))
    ]
    assert of(report(evaluated(*rows)), Head.NEEDS_REPLY).table == [[0, 1], [0, 1]]


# --- slices -----------------------------------------------------------------------------------------------------------


def test_the_worst_slices_are_named_with_their_figures() -> None:
    questions = [(labelled("Czy to jest dobre?", sentiment=NEUTRAL), felt(NEGATIVE)) for _ in range(40)]
    others = [(labelled("Świetny sklep, bardzo polecam wszystkim", sentiment=POSITIVE), felt(POSITIVE))] * 160
    few = [(labelled("👍", sentiment=POSITIVE), felt(NEGATIVE))] * 29
    found = report(evaluated(*questions, *others, *few)).slices
    assert (found[0].name, found[0].count, found[0].accuracy) == ("has a question mark", 40, 0.0)
    assert found[0].whole == pytest.approx(160 / 229)
    assert "has an emoji" not in {one.name for one in found}  # too few to say anything
    assert all(one.accuracy < one.whole for one in found)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Gdzie jest moja zaginiona paczka", "Polish without its letters"),
        ("super ❤️", "has an emoji"),
        ("🇵🇱", "has an emoji"),
        ("🇵🇱", "no words"),
        ("@sklep gdzie paczka", "has a handle or a link"),
        ("#żenada", "has a hashtag"),
        ("GDZIE JEST PACZKA", "typed in capitals"),
        ("dramat!", "has an exclamation mark"),
        ("słowo " * 51, "more than 50 words"),
    ],
)
def test_slices_are_told_by_how_a_text_is_typed(text: str, name: str) -> None:
    from triage.slices import slices_of

    assert name in slices_of(text, "pl", assessment())
    assert name not in slices_of("Żółta świeca stoi tu od środy", "pl", assessment())


def test_a_rule_that_fired_is_a_slice_and_a_missing_model_is_not() -> None:
    from triage.slices import slices_of

    fired = assessment(reasons=(Reason(source="rule", name="law", evidence="prawnik"),))
    absent = assessment(reasons=(Reason(source="rule", name="no-model"), Reason(source="model", name="sentiment")))
    assert "a rule fired" in slices_of("x", "pl", fired)
    assert "a rule fired" not in slices_of("x", "pl", absent)


def test_it_takes_more_languages_than_a_number_has_bits() -> None:
    codes = [first + second for first in "abcdefghij" for second in "abcdefghij"]
    rows = [(labelled(sentiment=NEUTRAL, language=code), felt(NEUTRAL, language=code)) for code in codes]
    found = report(evaluated(*rows))
    assert len([entry for entry in found.heads if entry.head is Head.SENTIMENT]) == 101


# --- thresholds -------------------------------------------------------------------------------------------------------


def sure_and_unsure(language: str, count: int) -> list[tuple[LabelledText, Assessment]]:
    """``count`` texts judged surely and rightly, and half as many unsurely and wrongly."""
    right = [(labelled(sentiment=NEGATIVE, language=language), felt(NEGATIVE, 0.9))] * count
    wrong = [(labelled(sentiment=NEUTRAL, language=language), felt(NEGATIVE, 0.6))] * (count // 2)
    return [*right, *wrong]


def test_a_threshold_is_suggested_for_each_language_with_fifty_positives() -> None:
    rows = [*sure_and_unsure("pl", 60), *sure_and_unsure("en", 50)]
    found = report(evaluated(*rows), target_precision=0.9).suggestions
    negative = {one.languages: one for one in found if one.label == "negative"}
    assert set(negative) == {("pl",), ("en",)}
    threshold = negative["pl",].threshold
    assert threshold is not None
    assert 0.6 < threshold.value < 0.9
    assert (threshold.precision, threshold.recall, threshold.answers) == (1.0, 1.0, 60)


def test_languages_with_fewer_are_taken_together_and_it_says_so() -> None:
    rows = [*sure_and_unsure("pl", 60), *sure_and_unsure("de", 30), *sure_and_unsure("fr", 30)]
    found = [one for one in report(evaluated(*rows), target_precision=0.9).suggestions if one.label == "negative"]
    assert {one.languages for one in found} == {("pl",), ("de", "fr")}
    assert "fewer than 50 positives each, so taken together" in found[1].note
    rows = [*sure_and_unsure("pl", 60), *sure_and_unsure("de", 30)]
    found = [one for one in report(evaluated(*rows), target_precision=0.9).suggestions if one.label == "negative"]
    assert [(one.languages, one.positives) for one in found] == [(("pl",), 60), (("pl", "de"), 90)]
    assert "de: fewer than 50 positives, so all together" in found[1].note


def test_on_fewer_than_fifty_positives_nothing_is_suggested() -> None:
    rows = [*sure_and_unsure("pl", 24), *sure_and_unsure("en", 25)]
    found = [one for one in report(evaluated(*rows), target_precision=0.9).suggestions if one.label == "negative"]
    assert [(one.threshold, one.positives) for one in found] == [(None, 49)]
    assert "at least 50" in found[0].note


def test_a_precision_that_cannot_be_reached_is_said() -> None:
    wrong = [(labelled(sentiment=NEUTRAL, language="pl"), felt(NEGATIVE, 0.95))] * 60
    rows = [*sure_and_unsure("pl", 60), *wrong]
    found = [one for one in report(evaluated(*rows), target_precision=0.9).suggestions if one.label == "negative"]
    assert found[0].threshold is None
    assert "no threshold reaches 90%" in found[0].note


def test_critical_and_high_share_a_threshold() -> None:
    urgent = {Urgency.CRITICAL: 0.45, Urgency.HIGH: 0.45, Urgency.NORMAL: 0.05, Urgency.LOW: 0.05}
    calm = {Urgency.CRITICAL: 0.1, Urgency.HIGH: 0.1, Urgency.NORMAL: 0.7, Urgency.LOW: 0.1}
    rows = [
        (labelled(urgency=level, language="pl"), replace(assessment(urgency=Urgency.CRITICAL), urgency_scores=urgent))
        for level in (Urgency.CRITICAL, Urgency.HIGH)
        for _ in range(30)
    ] + [(labelled(urgency=Urgency.NORMAL, language="pl"), replace(assessment(), urgency_scores=calm))] * 60
    found = {one.label: one for one in report(evaluated(*rows), target_precision=0.9).suggestions}
    both = found["critical or high"].threshold
    assert both is not None
    assert (both.positives, both.recall) == (60, 1.0)
    assert found["critical"].threshold is None  # thirty positives


def test_on_two_classes_no_threshold_is_suggested() -> None:
    rows = [(labelled(sentiment=NEGATIVE), felt(NEGATIVE)), (labelled(sentiment=POSITIVE), felt(POSITIVE))] * 60
    (one,) = report(evaluated(*rows), target_precision=0.9).suggestions
    assert one.threshold is None
    assert "neutral" in one.note


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_the_surest_mistakes_are_kept_surest_first() -> None:
    rows = [
        (labelled(f"tekst {line}", line=line, sentiment=NEUTRAL), felt(NEGATIVE, chance))
        for line, chance in enumerate((0.5, 0.9, 0.7, 0.95, 0.6, 0.95), start=1)
    ]
    rows.append((labelled("dobrze", line=9, sentiment=NEUTRAL), felt(NEUTRAL, 0.99)))
    found = report(evaluated(*rows, mistakes=3)).mistakes[Head.SENTIMENT]
    assert [(one.line, one.confidence, one.text) for one in found] == [
        (4, 0.95, "tekst 4"),
        (6, 0.95, "tekst 6"),
        (2, 0.9, "tekst 2"),
    ]
    assert [(one.gold, one.chosen) for one in found] == [("neutral", "negative")] * 3


def test_the_mistakes_of_two_classes_are_those_of_two_classes() -> None:
    leaning = replace(felt(NEUTRAL), sentiment_scores={NEGATIVE: 0.3, NEUTRAL: 0.6, POSITIVE: 0.1})
    rows = ((labelled(line=1, sentiment=NEGATIVE), leaning), (labelled(line=2, sentiment=POSITIVE), leaning))
    (wrong,) = report(evaluated(*rows, mistakes=5)).mistakes[Head.SENTIMENT]
    assert (wrong.line, wrong.chosen, wrong.confidence) == (2, "negative", pytest.approx(0.75))


def test_what_a_rule_raised_is_as_sure_as_a_rule() -> None:
    raised = replace(assessment(urgency=Urgency.LOW), urgency=Urgency.CRITICAL)
    (wrong,) = report(evaluated((labelled(urgency=Urgency.LOW), raised), mistakes=1)).mistakes[Head.URGENCY]
    assert wrong.confidence == 1.0


def test_no_text_is_kept_where_nobody_asks_for_mistakes() -> None:
    evaluation = evaluated((labelled("tajne", sentiment=NEUTRAL), felt(NEGATIVE)))
    assert all(not one.mistakes and not one.two_class_mistakes for one in evaluation.heads.values())
    assert "tajne" not in repr(evaluated((labelled("tajne", sentiment=NEUTRAL), felt(NEGATIVE)), mistakes=3).heads)
