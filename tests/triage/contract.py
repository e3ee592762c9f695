"""What every classifier promises, whatever runs it. Subclass it and give a ``classifier`` fixture."""

from __future__ import annotations

import random

import numpy as np
import pytest

from social.domain.assessment import Assessment, Flag, Head, ModelIdentity, TextToAssess, Urgency
from social.ports import Classifier, Health
from tests.triage.phrases import INNOCENT, OPT_OUT, WANTS_HUMAN

#: What a network can deliver and a naive program trips over.
HOSTILE = (
    "",
    " \n\t ",
    "❤️❤️❤️",
    "a",
    "\x00",
    "\x00" * 5000,
    "\ud800 sam surogat \udfff",
    "\u202eodwrócony\u202c\u200b\ufeff",
    "a" + "\u0301" * 10_000,
    "z" * 100_000,
    "gdzie moja paczka? " * 6_000,
    "@" * 3000,
    "http://" * 2000,
    "&#0;&#xD800;&lt;script&gt;&amp;amp;",
    "👨‍👩‍👧‍👦" * 500,
    "\n".join("x" for _ in range(3000)),
    "'" * 4000,
    "nie " * 5000,
)


def ask(classifier: Classifier, texts: list[str]) -> list[Assessment]:
    return classifier.assess([TextToAssess(text=text, context_language="pl") for text in texts])


class ClassifierContract:
    @pytest.fixture
    def classifier(self) -> Classifier:
        raise NotImplementedError

    def test_it_judges_every_text_in_order(self, classifier: Classifier) -> None:
        texts = ["chcę rozmawiać z człowiekiem", "dziękuję!", "chcę rozmawiać z człowiekiem"]
        first, second, third = ask(classifier, texts)
        assert first == third
        assert Flag.WANTS_HUMAN in first.flags
        assert Flag.WANTS_HUMAN not in second.flags

    def test_it_judges_nothing_where_nothing_is_asked(self, classifier: Classifier) -> None:
        assert classifier.assess([]) == []

    def test_it_gives_probabilities_that_sum_to_one(self, classifier: Classifier) -> None:
        for assessment in ask(classifier, ["gdzie moja paczka?", "", "great shop, thank you"]):
            assert sum(assessment.sentiment_scores.values()) == pytest.approx(1.0)
            assert sum(assessment.urgency_scores.values()) == pytest.approx(1.0)
            assert min(*assessment.sentiment_scores.values(), *assessment.urgency_scores.values()) >= 0.0

    def test_it_names_the_model_that_spoke(self, classifier: Classifier) -> None:
        assert isinstance(classifier.identity, ModelIdentity)
        assert {assessment.model for assessment in ask(classifier, ["a", "b"])} == {classifier.identity}

    @pytest.mark.parametrize("text", HOSTILE, ids=lambda text: f"{text[:12]!r}x{len(text)}")
    def test_it_judges_or_abstains_but_never_raises(self, classifier: Classifier, text: str) -> None:
        (assessment,) = ask(classifier, [text])
        assert isinstance(assessment.urgency, Urgency)
        assert assessment.truncated or len(text) < 100_000

    def test_it_gives_a_text_the_same_judgement_alone_and_in_any_company(self, classifier: Classifier) -> None:
        texts = [*INNOCENT, *WANTS_HUMAN[:40], *OPT_OUT[:40], "gdzie moja paczka? " * 30]
        alone = {text: ask(classifier, [text])[0] for text in texts}
        chance = random.Random(3)
        for _ in range(3):
            chance.shuffle(texts)
            start = 0
            while start < len(texts):
                size = chance.choice((2, 3, 7, 19, 50))
                for text, judged in zip(
                    texts[start : start + size], ask(classifier, texts[start : start + size]), strict=True
                ):
                    assert labels(judged) == labels(alone[text]), text
                start += size

    def test_it_marks_what_a_rule_found_with_the_words_that_did_it(self, classifier: Classifier) -> None:
        (assessment,) = ask(classifier, ["Dzień dobry, składam reklamację na buty."])
        reasons = [reason for reason in assessment.reasons if reason.source == "rule"]
        assert "reklamację" in {reason.evidence for reason in reasons}
        assert assessment.urgency.at_least(Urgency.NORMAL)
        assert assessment.needs_reply

    def test_it_abstains_on_a_language_that_the_brand_does_not_speak(self, classifier: Classifier) -> None:
        (assessment,) = ask(classifier, ["Wo ist mein Paket? Ich warte schon seit drei Wochen auf eine Antwort."])
        assert assessment.language == "de"
        assert Head.LANGUAGE in assessment.abstained

    def test_its_vector_is_384_numbers_of_length_one_or_absent(self, classifier: Classifier) -> None:
        (assessment,) = ask(classifier, ["gdzie moja paczka?"])
        if assessment.vector is not None:
            numbers = np.frombuffer(assessment.vector, dtype="<f4")
            assert numbers.shape == (384,)
            assert np.linalg.norm(numbers) == pytest.approx(1.0, abs=0.01)

    def test_it_says_how_it_is(self, classifier: Classifier) -> None:
        report = classifier.health()  # type: ignore[attr-defined]
        assert isinstance(report, Health)
        assert report.summary


def labels(assessment: Assessment) -> tuple[object, ...]:
    """Everything of an assessment but the decimals of its scores."""
    return (
        assessment.language,
        assessment.sentiment,
        assessment.urgency,
        assessment.needs_reply,
        assessment.flags,
        assessment.abstained,
    )
