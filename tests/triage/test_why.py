"""Which words moved the model: by a judge whose weights are known, by a tiny random model, and by the shipped one."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from social.domain.assessment import Assessment, Head, ModelIdentity, Sentiment, TextToAssess, Urgency
from social.settings import TriageBackend
from tests.factories import FAKE_MODEL, assessment
from tests.triage.contract import HOSTILE
from tests.triage.phrases import INNOCENT
from tests.triage.tiny_model import write_tiny_model
from triage.checkpoint import HEADS, SHIPPED
from triage.load import load_classifier, rules_only
from triage.prepare import prepare
from triage.why import MOST_SPANS, Explanation, explain

WEIGHTS = {"okropna": 0.4, "dramat": 0.2, "ale": -0.1, "miła": -0.25, "!!!": 0.05, "❤️": 0.3, "@user": 0.03}


class Scales:
    """A judge that adds up known weights: negative is 0.5 and what the words add, urgency follows half of it."""

    def __init__(self, weights: Mapping[str, float] = WEIGHTS, *, urgency: bool = True) -> None:
        self._weights = weights
        self._urgency = urgency
        self.asked: list[int] = []

    @property
    def identity(self) -> ModelIdentity:
        return FAKE_MODEL

    def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
        self.asked.append(len(texts))
        return [self._assess(prepare(item.text).text) for item in texts]

    def _assess(self, text: str) -> Assessment:
        negative = 0.5 + sum(weight * text.count(word) for word, weight in self._weights.items())
        high = 0.4 + (negative - 0.5) / 2 if self._urgency else 0.25
        return replace(
            assessment(sentiment=Sentiment.NEGATIVE),
            sentiment_scores={
                Sentiment.NEGATIVE: negative,
                Sentiment.NEUTRAL: (1 - negative) / 2,
                Sentiment.POSITIVE: (1 - negative) / 2,
            },
            urgency_scores={level: high if level is Urgency.HIGH else (1 - high) / 3 for level in Urgency},
        )


def why(text: str, scales: Scales | None = None) -> Explanation:
    return explain(scales or Scales(), TextToAssess(text=text))


def changes(explanation: Explanation) -> dict[str, float]:
    return {word.text: round(word.sentiment or 0.0, 6) for word in explanation.words}


def test_a_words_change_is_what_it_adds_to_the_label() -> None:
    found = why("Obsługa okropna ale szybka, dramat!!!")
    assert changes(found) == {"Obsługa": 0, "okropna": 0.4, "ale": -0.1, "szybka": 0, "dramat": 0.2, "!!!": 0.05}
    assert found.sentiment == (Sentiment.NEGATIVE, pytest.approx(1.05))
    assert {word.text: word.urgency for word in found.words}["okropna"] == pytest.approx(0.2)


def test_where_weights_add_up_the_changes_sum_to_all_that_the_words_did() -> None:
    found = why("Okropna kawa? okropna obsługa, ale miła pani")
    assert found.sentiment is not None
    assert sum(word.sentiment or 0 for word in found.words) == pytest.approx(found.sentiment[1] - 0.5)


def test_words_stand_in_the_order_of_the_text_whose_places_they_name() -> None:
    found = why("@sklep.pl  dramat,\n\n okropna   obsługa ❤️ https://x.pl/a?b=1 #nie-polecam")
    assert found.read == "@user dramat,\nokropna obsługa ❤️ http #nie-polecam"
    assert [word.text for word in found.words] == ["@user", "dramat", "okropna", "obsługa", "❤️", "http", "#nie-polecam"]
    assert [found.read[word.start : word.end] for word in found.words] == [word.text for word in found.words]
    assert changes(found)["@user"] == 0.03


def test_the_order_of_the_words_does_not_matter_to_a_judge_that_counts() -> None:
    assert changes(why("okropna ale miła")) == changes(why("miła okropna ale"))


def test_the_heaviest_are_told_first_whichever_way_they_pull() -> None:
    found = why("miła pani, ale obsługa okropna, dramat")
    assert [word.text for word in found.heaviest(Head.SENTIMENT)] == ["okropna", "miła", "dramat", "ale"]
    assert [word.text for word in found.heaviest(Head.URGENCY, most=1)] == ["okropna"]


@pytest.mark.parametrize("text", ["", "   \n", "\u200b", "\x00"])
def test_of_nothing_there_is_nothing_to_tell(text: str) -> None:
    assert why(text).words == ()


def test_an_emoji_is_a_word() -> None:
    assert changes(why("❤️")) == {"❤️": 0.3}


def test_punctuation_alone_is_only_asked_about_where_there_is_nothing_else() -> None:
    assert [word.text for word in why("no, tak...").words] == ["no", "tak"]
    assert [word.text for word in why("...").words] == ["..."]


def test_letters_with_their_marks_are_one_word() -> None:
    decomposed = "z\u0307o\u0301ł\u0105w क्षि e\u0301\u0323x a" + "\u0301" * 10_000
    assert len(why(decomposed).words) == 4


def test_a_long_text_costs_one_batch_of_at_most_forty_groups_of_neighbours() -> None:
    scales = Scales()
    found = why("gdzie jest moja paczka, dramat " * 320, scales)
    assert len(found.words) <= MOST_SPANS
    assert scales.asked[-1] == len(found.words) + 1
    assert len(scales.asked) == 2
    ends = [word.end for word in found.words]
    assert all(start >= end for end, start in zip(ends, [word.start for word in found.words][1:], strict=False))
    assert found.words[0].start == 0
    assert ends[-1] >= len(found.read) - len("dramat,")


def test_a_judge_without_an_opinion_is_not_asked_about_words() -> None:
    judge = rules_only("no model here")
    found = explain(judge, TextToAssess(text="Mój prawnik się odezwie, dramat"))
    assert (found.sentiment, found.urgency, found.words) == (None, None, ())
    assert any(reason.name == "law-or-authorities" for reason in found.assessment.reasons)


def test_a_head_that_says_nothing_is_not_explained() -> None:
    found = why("dramat", Scales(urgency=False))
    assert found.urgency is None
    assert [(word.sentiment, word.urgency) for word in found.words] == [(pytest.approx(0.2), None)]
    assert found.heaviest(Head.URGENCY) == ()


@pytest.mark.parametrize(
    "text", [*HOSTILE, "&amp;lt;b&amp;gt; &amp;amp;amp; <b> &", "a@b.pl @x@y.z www.x.pl", "a\u200db \u0301x @brand @ x"]
)
def test_what_was_prepared_once_is_not_changed_by_being_prepared_again(text: str) -> None:
    once = prepare(text).text
    assert prepare(html.escape(once, quote=False)).text == once


def test_signs_that_a_customer_wrote_out_are_not_read_as_signs() -> None:
    found = why("&amp;lt;b dramat", Scales({"<": 0.3, "dramat": 0.2}))
    assert found.read == "&lt;b dramat"
    assert changes(found) == {"&": 0, "lt": 0, "b": 0, "dramat": 0.2}


# --- models -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"), weight=3.0)


@pytest.mark.parametrize("backend", [TriageBackend.ONNXRUNTIME, TriageBackend.OPENVINO])
def test_the_change_is_what_the_model_says_with_the_word_less_what_it_says_without(
    tiny_folder: Path, backend: TriageBackend
) -> None:
    pytest.importorskip(backend.value)
    judge = load_classifier(backend, tiny_folder, 1)
    for text in (*INNOCENT[:5], "gdzie moja paczka"):
        found = explain(judge, TextToAssess(text=text))
        assert found.sentiment is not None
        assert found.urgency is not None
        for word in found.words:
            rest = found.read[: word.start].rstrip(" ") + " " + found.read[word.end :].lstrip(" ")
            (without,) = judge.assess([TextToAssess(text=rest)])
            assert word.sentiment == pytest.approx(
                found.sentiment[1] - without.sentiment_scores[found.sentiment[0]], abs=1e-4
            )
            assert word.urgency == pytest.approx(found.urgency[1] - without.urgency_scores[found.urgency[0]], abs=1e-4)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: f"{text[:12]!r}x{len(text)}")
def test_no_text_is_too_strange_to_be_explained(tiny_folder: Path, text: str) -> None:
    judge = load_classifier(TriageBackend.ONNXRUNTIME, tiny_folder, 1)
    found = explain(judge, TextToAssess(text=text))
    assert len(found.words) <= MOST_SPANS
    assert found == explain(judge, TextToAssess(text=text))
    assert all(-1 <= (word.sentiment or 0) <= 1 and -1 <= (word.urgency or 0) <= 1 for word in found.words)


@pytest.mark.skipif(
    not (SHIPPED / HEADS).is_file(), reason="this tree has no triage/model: make it with triage/training"
)
def test_the_shipped_model_is_moved_most_by_the_word_that_decides() -> None:
    judge = load_classifier()
    decisive = (
        ("Kurier ukradł moją paczkę", "ukradł"),
        ("Zakupy w tym sklepie to koszmar", "koszmar"),
        ("Paczka przyszła wczoraj, dziękuję", "dziękuję"),
        ("Dostawa była wczoraj, świetnie", "świetnie"),
        ("The new store in Lublin is wonderful", "wonderful"),
        ("The waiter was horrible", "horrible"),
        ("This phone is terrible", "terrible"),
    )
    found = [explain(judge, TextToAssess(text=text)).heaviest(Head.SENTIMENT, most=1) for text, _ in decisive]
    heaviest = [word.text if word.sentiment and word.sentiment > 0 else "" for (word,) in found]
    # another model may see one of them otherwise; most of them no model that reads can miss
    assert sum(word == wanted for word, (_, wanted) in zip(heaviest, decisive, strict=True)) >= len(decisive) - 1
