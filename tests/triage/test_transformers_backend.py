"""Any Hugging Face checkpoint by PyTorch, and the shipped one on the same weights."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from social.domain.assessment import Head, TextToAssess, Urgency
from social.domain.errors import ModelUnavailable
from social.settings import TriageBackend
from tests.triage.contract import ClassifierContract
from tests.triage.phrases import INNOCENT, WANTS_HUMAN
from tests.triage.tiny_model import write_tiny_tokenizer
from triage.assess import ModelClassifier
from triage.checkpoint import HEADS, SHIPPED
from triage.load import load_classifier

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = [
    pytest.mark.torch,
    pytest.mark.skipif(not HAS_TORCH, reason="PYTORCH IS NOT INSTALLED: the transformers backend was NOT tested here"),
]


def write_sentiment_checkpoint(folder: Path, labels: tuple[str, ...] = ("negative", "neutral", "positive")) -> Path:
    """A random BERT sequence classifier, as ``save_pretrained`` leaves it."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = write_tiny_tokenizer(folder)
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        pad_token_id=1,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["any checkpoint", "the shipped one"])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelClassifier:
    if request.param == "any checkpoint":
        folder = write_sentiment_checkpoint(tmp_path_factory.mktemp("sentiment"))
    elif (SHIPPED / HEADS).is_file():
        folder = SHIPPED
    else:
        pytest.skip("this tree has no triage/model: make it with triage/training")
    return load_classifier(TriageBackend.TRANSFORMERS, folder, 2)  # type: ignore[return-value]


class TestTransformers(ClassifierContract):
    pytestmark = needs_torch

    @pytest.fixture
    def classifier(self, loaded: ModelClassifier) -> ModelClassifier:  # type: ignore[override]
        return loaded


class TestTheShippedModelByTorch:
    pytestmark = needs_torch

    @pytest.mark.skipif(not (SHIPPED / HEADS).is_file(), reason="this tree has no triage/model")
    def test_it_gives_the_labels_that_the_onnx_file_gives(self) -> None:
        texts = [TextToAssess(text=text) for text in (*INNOCENT, *WANTS_HUMAN)]
        onnx = load_classifier(TriageBackend.ONNXRUNTIME, "", 2).assess(texts)
        torch = load_classifier(TriageBackend.TRANSFORMERS, "", 2).assess(texts)
        same = sum(
            one.sentiment is other.sentiment and one.urgency is other.urgency
            for one, other in zip(onnx, torch, strict=True)
        )
        assert same >= 0.99 * len(texts)


class TestOtherCheckpoints:
    pytestmark = needs_torch

    def test_it_understands_stars(self, tmp_path: Path) -> None:
        labels = ("1 star", "2 stars", "3 stars", "4 stars", "5 stars")
        classifier = load_classifier(TriageBackend.TRANSFORMERS, write_sentiment_checkpoint(tmp_path, labels))
        (assessment,) = classifier.assess([TextToAssess(text="gdzie moja paczka?")])
        assert sum(assessment.sentiment_scores.values()) == pytest.approx(1.0)

    def test_it_refuses_labels_that_are_no_sentiments(self, tmp_path: Path) -> None:
        write_sentiment_checkpoint(tmp_path, ("LABEL_0", "LABEL_1", "LABEL_2"))
        with pytest.raises(ModelUnavailable, match=r"LABEL_0.*are not sentiments"):
            load_classifier(TriageBackend.TRANSFORMERS, tmp_path)

    def test_it_refuses_a_broken_checkpoint_by_name(self, tmp_path: Path) -> None:
        write_sentiment_checkpoint(tmp_path)
        (tmp_path / "model.safetensors").write_bytes(b"not a tensor")
        with pytest.raises(ModelUnavailable, match="cannot be loaded"):
            load_classifier(TriageBackend.TRANSFORMERS, tmp_path)

    def test_a_sentiment_checkpoint_alone_leaves_urgency_to_rules_and_people(self, tmp_path: Path) -> None:
        from triage.transformers_backend import open_transformers

        classifier = ModelClassifier(
            open_transformers(write_sentiment_checkpoint(tmp_path), companion=False), ("pl", "en")
        )
        plain, danger = classifier.assess(
            [TextToAssess(text="ładna pogoda"), TextToAssess(text="moje dziecko jest w szpitalu po waszym deserze")]
        )
        assert {Head.URGENCY, Head.NEEDS_REPLY} <= plain.abstained
        assert plain.needs_reply
        assert danger.urgency is Urgency.CRITICAL
        assert plain.vector is None


@pytest.mark.skipif(HAS_TORCH, reason="PyTorch is installed, so nothing is missing")
def test_it_says_what_to_install_where_torch_is_missing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelUnavailable, match=r"PyTorch is not installed.*torch"):
        load_classifier(TriageBackend.TRANSFORMERS, tmp_path)
