"""A model that is missing or broken is said so by name, and rules go on alone without calling anything neutral in earnest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from social.domain.assessment import RULES_ONLY, Flag, Head, TextToAssess, Urgency
from social.domain.errors import ModelUnavailable
from social.settings import TriageBackend
from tests.triage.contract import ClassifierContract
from tests.triage.tiny_model import write_heads, write_tiny_model
from triage.assess import RulesClassifier
from triage.load import health, load_classifier, rules_only


def _cut(folder: Path) -> None:
    model = folder / "model.onnx"
    model.write_bytes(model.read_bytes()[:5000])
    write_heads(folder)  # its checksum is right: it was broken before it was packed


def _other_labels(folder: Path) -> None:
    write_heads(folder, labels={"sentiment": ["bad", "good"], "urgency": ["critical", "high", "normal", "low"]})


def _flip_a_byte(folder: Path) -> None:
    data = bytearray((folder / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.onnx").write_bytes(data)


BREAKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no model file": (lambda folder: (folder / "model.onnx").unlink(), "model.onnx is missing"),
    "no heads file": (lambda folder: (folder / "heads.json").unlink(), "heads.json is missing"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "a cut model": (_cut, "cannot read model.onnx"),
    "another byte": (_flip_a_byte, "its checksum differs"),
    "other labels": (_other_labels, "has other labels"),
    "heads that are no JSON": (lambda folder: (folder / "heads.json").write_text("{"), "heads.json cannot be used"),
    "heads without temperature": (lambda folder: write_heads(folder, temperature={}), "heads.json cannot be used"),
    "a temperature of 0": (
        lambda folder: write_heads(folder, temperature={"sentiment": 0, "urgency": 1}),
        "out of range",
    ),
    "topics without limits": (
        lambda folder: write_heads(folder, limits={"needs_reply": [0.5, 0.5], "harm": [0.5, 0.5]}),
        "limits",
    ),
    "a limit above 1": (lambda folder: write_heads(folder, limits={"needs_reply": [0.5, 7]}), "limits"),
    "a language at a temperature of 0": (
        lambda folder: write_heads(folder, by_language={"pl": {"temperature": {"urgency": 0}}}),
        "out of range",
    ),
    "no checksum of the model": (lambda folder: write_heads(folder, sha256={}), "no checksum of model.onnx"),
    "an empty tokenizer": (
        lambda folder: ((folder / "tokenizer.json").write_text("{}"), write_heads(folder)),
        "the tokenizer cannot be read",
    ),
}


@pytest.mark.parametrize("backend", [TriageBackend.ONNXRUNTIME, TriageBackend.OPENVINO, TriageBackend.AUTO])
@pytest.mark.parametrize("name", BREAKS)
def test_it_refuses_a_broken_model_by_name(tmp_path: Path, name: str, backend: TriageBackend) -> None:
    spoil, message = BREAKS[name]
    spoil(write_tiny_model(tmp_path / "model"))
    with pytest.raises(ModelUnavailable, match=message) as caught:
        load_classifier(backend, tmp_path / "model")
    assert str(tmp_path / "model") in str(caught.value)
    assert caught.value.next_step


@pytest.mark.parametrize("backend", [TriageBackend.ONNXRUNTIME, TriageBackend.OPENVINO])
def test_it_refuses_a_model_that_answers_nonsense(tmp_path: Path, backend: TriageBackend) -> None:
    write_tiny_model(tmp_path, weight=float("nan"))
    with pytest.raises(ModelUnavailable, match="numbers that are none"):
        load_classifier(backend, tmp_path)


def test_it_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no such folder"):
        load_classifier(model=tmp_path / "nowhere")


class TestRulesAlone(ClassifierContract):
    @pytest.fixture
    def classifier(self) -> RulesClassifier:  # type: ignore[override]
        return rules_only("the model is missing")


def test_it_works_by_rules_where_the_settings_say_so() -> None:
    classifier = load_classifier(TriageBackend.RULES)
    assert classifier.identity == RULES_ONLY


@pytest.mark.parametrize("text", ["gdzie moja paczka?", "Your kettle gave me a shock", "ok", "?", ""])
def test_without_a_model_everything_not_obviously_harmless_goes_to_people(text: str) -> None:
    (assessment,) = rules_only("the model is missing").assess([TextToAssess(text=text)])
    assert assessment.urgency.at_least(Urgency.NORMAL)
    assert assessment.needs_reply
    assert assessment.unsure
    assert assessment.abstained == frozenset(Head)
    assert "the model is missing" in {reason.evidence for reason in assessment.reasons}


@pytest.mark.parametrize("text", ["Dziękuję!", "dzieki wielkie", "Thank you so much!", "❤️❤️", "super, polecam"])
def test_without_a_model_plain_thanks_need_nobody(text: str) -> None:
    (assessment,) = rules_only("the model is missing").assess([TextToAssess(text=text)])
    assert not assessment.needs_reply
    assert assessment.urgency is Urgency.LOW


@pytest.mark.parametrize("text", ["dzięki za nic, ukradli mi kartę u was", "Thanks, my son is in hospital now"])
def test_without_a_model_thanks_hide_nothing(text: str) -> None:
    (assessment,) = rules_only("the model is missing").assess([TextToAssess(text=text)])
    assert assessment.urgency is Urgency.CRITICAL
    assert assessment.flags & {Flag.FRAUD, Flag.SAFETY}


def test_it_says_in_the_banner_that_people_must_look() -> None:
    report = health(rules_only("model.onnx is missing"))
    assert not report.ok
    assert "rules alone" in report.summary
    assert "model.onnx is missing" in report.summary


def test_it_says_which_model_and_runtime_judge(tmp_path: Path) -> None:
    report = health(load_classifier(TriageBackend.ONNXRUNTIME, write_tiny_model(tmp_path), 1))
    assert report.ok
    assert report.details["model"] == "tiny@1"
    assert report.details["runtime"].startswith("onnxruntime")
    assert json.dumps(dict(report.details))
