"""The default backends, on a tiny random model and on the shipped one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from social.domain.assessment import TextToAssess
from social.settings import TriageBackend
from tests.triage.contract import ClassifierContract
from tests.triage.phrases import INNOCENT, WANTS_HUMAN
from tests.triage.tiny_model import write_heads, write_tiny_model
from triage.assess import ModelClassifier
from triage.checkpoint import HEADS, OPTIONAL, SHIPPED, read_checkpoint
from triage.encoder import WIDTH_STEP, batches, open_encoder, open_tokenizer, pad, tokenize
from triage.load import load_classifier
from triage.prepare import prepare
from triage.training.data import load_plan, read_corpus

BACKENDS = (TriageBackend.ONNXRUNTIME, TriageBackend.OPENVINO)
MODELS = ("tiny", "shipped")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {"tiny": write_tiny_model(tmp_path_factory.mktemp("tiny")), "shipped": SHIPPED}


@pytest.fixture(scope="module", params=[(model, backend) for model in MODELS for backend in BACKENDS], ids=str)
def loaded(request: pytest.FixtureRequest, folders: dict[str, Path]) -> ModelClassifier:
    model, backend = request.param
    pytest.importorskip(backend.value)
    if not (folders[model] / HEADS).is_file():
        pytest.skip("this tree has no triage/model: make it with triage/training")
    return load_classifier(backend, folders[model], 2, ("pl", "en"))  # type: ignore[return-value]


class TestOnnxBackends(ClassifierContract):
    @pytest.fixture
    def classifier(self, loaded: ModelClassifier) -> ModelClassifier:  # type: ignore[override]
        return loaded


def test_it_gives_the_same_labels_under_both_runtimes(folders: dict[str, Path]) -> None:
    texts = [TextToAssess(text=text) for text in (*INNOCENT, *WANTS_HUMAN)]
    first, second = (load_classifier(backend, folders["tiny"], 2) for backend in BACKENDS)
    pairs = list(zip(first.assess(texts), second.assess(texts), strict=True))
    # random weights put texts on the very border, where bfloat16 may fall to the other side
    assert sum(one.sentiment is other.sentiment for one, other in pairs) >= 0.97 * len(pairs)
    assert sum(one.urgency is other.urgency for one, other in pairs) >= 0.97 * len(pairs)


def test_it_fills_batches_with_texts_of_one_width_and_keeps_the_budget() -> None:
    rows = [[0] * length for length in (3, 120, 9, 7, 9, 64, 2, 128, 8, 200)]
    found = list(batches(rows, budget=64))
    assert sorted(place for batch in found for place in batch) == list(range(len(rows)))
    for batch in found:
        widths = {-(-len(rows[place]) // WIDTH_STEP) * WIDTH_STEP for place in batch}
        assert len(widths) == 1
        assert len(batch) == 1 or len(batch) * widths.pop() <= 64


def test_at_most_a_tenth_of_what_it_reads_is_filling() -> None:
    plan = load_plan()
    rows = [*read_corpus(plan, held_out=False), *read_corpus(plan, held_out=True)]
    pieces = open_tokenizer(SHIPPED)
    for language in ("pl", "en"):
        texts = ["query: " + prepare(row.text).text for row in rows if row.lang == language][:1_000]
        ids = tokenize(pieces, texts, 128)
        read = sum(pad([ids[place] for place in batch], pieces.pad_token_id)[0].size for batch in batches(ids))
        assert 1 - sum(map(len, ids)) / read <= 0.1, language


def test_it_neither_imports_torch_nor_asks_the_network_on_the_default_path(folders: dict[str, Path]) -> None:
    program = f"""
import socket, sys
def refuse(*arguments, **options):
    raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
import triage.load
assert not {{"transformers", "onnxruntime", "openvino", "torch"}} & set(sys.modules), "imported before it is needed"
from social.domain.assessment import TextToAssess
classifier = triage.load.load_classifier(model={str(folders["tiny"])!r}, threads=1)
classifier.assess([TextToAssess(text="gdzie moja paczka?")])
assert not {{"torch", "transformers"}} & set(sys.modules), "more was imported than is needed"
print("fine")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120, cwd=Path.cwd()
    )
    assert done.stdout.strip() == "fine", done.stderr
    assert "PyTorch was not found" not in done.stderr


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_language_with_numbers_of_its_own_is_calibrated_by_them(tmp_path: Path, backend: TriageBackend) -> None:
    pytest.importorskip(backend.value)
    folder = write_tiny_model(tmp_path)
    write_heads(folder, by_language={"pl": {"temperature": {"sentiment": 5.0}, "bias": {"sentiment": [0, 0, 3]}}})
    encoder = open_encoder(read_checkpoint(folder), backend.value, 2)
    texts = ["Gdzie moja paczka?", "Gdzie moja paczka?", "Gdzie moja paczka?"]
    scores = encoder.score(texts, ["pl", "en", "und"])
    assert scores.sentiment[0].argmax() == 2
    assert scores.sentiment[0].tolist() != scores.sentiment[1].tolist() == scores.sentiment[2].tolist()
    assert scores.urgency is not None
    assert scores.urgency[0].tolist() == scores.urgency[1].tolist()  # Polish has no numbers of its own for it
    assert scores.sentiment.tolist()[1:] == encoder.score(texts[1:]).sentiment.tolist()


def test_it_gives_every_head_of_a_checkpoint_its_chances(tmp_path: Path) -> None:
    encoder = open_encoder(read_checkpoint(write_tiny_model(tmp_path)), BACKENDS[0].value, 2)
    scores = encoder.score(["ok", "gdzie jest moja paczka, czekam trzeci tydzień"])
    assert {name: values.shape for name, values in scores.more.items()} == {
        name: (2, len(labels)) for name, labels in OPTIONAL.items()
    }
    assert scores.more["needs_reply"].sum(axis=1).tolist() == pytest.approx([1.0, 1.0])
    for name in ("topics", "harm"):  # questions of their own: they need not add up to anything
        assert ((scores.more[name] > 0) & (scores.more[name] < 1)).all()
        assert scores.more[name].sum(axis=1).tolist() != pytest.approx([1.0, 1.0])
