"""The network on a tiny random encoder: what its loss counts, and that the exported file says the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.triage.tiny_model import write_tiny_tokenizer
from triage.training.data import HEADS, SHIPPED_HEADS, Example, Stage

MISSING = [name for name in ("torch", "transformers", "onnx", "safetensors") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        bool(MISSING), reason=f"{', '.join(MISSING).upper()} NOT INSTALLED: training was NOT tested here"
    ),
]


def write_encoder(folder: Path) -> Path:
    import torch
    from transformers import BertConfig, BertModel

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = write_tiny_tokenizer(folder)
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=128, pad_token_id=1,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture
def network(tmp_path: Path) -> Any:
    from triage.training.model import build

    return build(write_encoder(tmp_path / "encoder")).eval()


def numbers(network: Any) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy() for name, value in network.state_dict().items()}


def test_it_counts_only_rows_whose_label_is_known() -> None:
    import torch

    from triage.training.model import known_loss

    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    weights = torch.ones(2)
    both = known_loss(logits, torch.tensor([0, 0]), weights)
    first = known_loss(logits, torch.tensor([0, -1]), weights)
    assert first < both
    assert float(known_loss(logits, torch.tensor([-1, -1]), weights)) == 0.0


def test_it_teaches_nothing_about_neutral_from_a_set_without_it() -> None:
    import torch

    from triage.training.model import known_loss

    logits = torch.zeros((1, 3), requires_grad=True)
    forbidden = torch.tensor([[False, True, False]])
    known_loss(logits, torch.tensor([2]), torch.ones(1), forbidden).backward()
    assert logits.grad is not None
    assert float(logits.grad[0, 1]) == 0.0
    assert float(logits.grad[0, 2]) < 0.0 < float(logits.grad[0, 0])


def test_it_counts_only_the_questions_of_a_head_of_many_that_are_answered() -> None:
    import torch

    from triage.training.model import questions_loss

    logits = torch.tensor([[3.0, -3.0], [0.0, 9.0]])
    right = questions_loss(logits, torch.tensor([[1, 0], [-1, -1]]))
    wrong = questions_loss(logits, torch.tensor([[1, 0], [-1, 0]]))
    assert float(right) < 0.2 < float(wrong)
    assert float(questions_loss(logits, torch.full((2, 2), -1))) == 0.0


def test_every_head_learns_from_the_rows_that_know_it_and_no_other(network: Any) -> None:
    import torch

    from triage.training.model import batch_loss

    tokens, mask = torch.tensor([[0, 9, 30, 2], [0, 7, 8, 2]]), torch.ones((2, 4), dtype=torch.long)
    rows = [
        Example(text="a", lang="en", source="s", sentiment=0, topics=(1,) + (0,) * 10),
        Example(text="b", lang="en", source="s", harm=(1, -1)),
    ]
    batch_loss(network, rows, tokens, mask).backward()
    moved = {head.name for head in HEADS if float(network.get_submodule(head.name).weight.grad.abs().sum()) > 0}
    assert moved == {"sentiment", "topics", "harm"}
    assert float(network.harm.weight.grad[1].abs().sum()) == 0.0  # nobody said whether it is hate


def test_it_exports_the_same_answers_as_the_network(network: Any, tmp_path: Path) -> None:
    import torch

    from triage.training.evaluate import onnx_runner
    from triage.training.export import write_model

    write_model(numbers(network), network.encoder.config, tmp_path / "model.onnx", int8=False)
    tokens = np.array([[0, 9, 30, 2], [0, 7, 2, 1]])
    mask = np.array([[1, 1, 1, 1], [1, 1, 1, 0]])
    found = onnx_runner(tmp_path / "model.onnx")(tokens, mask)
    with torch.no_grad():
        wanted = network(torch.from_numpy(tokens), torch.from_numpy(mask))
    assert set(found) == {*(head.name for head in SHIPPED_HEADS), "vector"}
    for name, values in found.items():
        np.testing.assert_allclose(values, wanted[name].numpy(), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found["vector"], axis=1), 1.0, atol=1e-5)


def test_it_answers_a_text_alike_whatever_it_is_batched_with(network: Any, tmp_path: Path) -> None:
    from triage.training.evaluate import onnx_runner
    from triage.training.export import write_model

    write_model(numbers(network), network.encoder.config, tmp_path / "model.onnx", int8=True)
    run = onnx_runner(tmp_path / "model.onnx")
    alone = run(np.array([[0, 9, 2]]), np.array([[1, 1, 1]]))
    among = run(np.array([[0, 40, 41, 42, 43, 2], [0, 9, 2, 1, 1, 1]]), np.array([[1] * 6, [1, 1, 1, 0, 0, 0]]))
    assert set(alone) > {"sentiment", "urgency", "needs_reply", "topics", "harm"}
    for name in alone:
        np.testing.assert_allclose(alone[name][0], among[name][1], atol=1e-5)


def test_it_reads_the_weights_back_from_the_file_within_int8_steps(network: Any, tmp_path: Path) -> None:
    from triage.training.export import write_model
    from triage.weights import load_torch_state

    state = numbers(network)
    write_model(state, network.encoder.config, tmp_path / "model.onnx", int8=True)
    read = load_torch_state(tmp_path)
    hidden = {f"{head.name}.{part}" for head in HEADS if not head.shipped for part in ("weight", "bias")}
    assert set(read) == set(state) - hidden
    for name in read:
        values = state[name]
        step = np.abs(values).max() / 108
        np.testing.assert_allclose(read[name], values, atol=step)


SHORT = Stage(
    name="public", samples=96, batch=24, tokens=16, learning_rate=1e-3, head_learning_rate=1e-2, warm_up=0.1,
    corpus_share=0.0, max_repeat=100.0, augment=0.0, shares={"other": 1.0},
)  # fmt: skip


@pytest.mark.parametrize("rate", [0.0, 1e-3])
def test_word_vectors_move_only_where_they_have_a_rate(tmp_path: Path, rate: float) -> None:
    from dataclasses import replace

    from transformers import AutoTokenizer

    from triage.training.model import build
    from triage.training.train import run_stage

    encoder = write_encoder(tmp_path / "encoder")
    network, tokenizer = build(encoder), AutoTokenizer.from_pretrained(encoder)
    rows = [Example(text=f"text {i}", lang="en", source="set", sentiment=i % 3) for i in range(60)]
    before = network.encoder.embeddings.word_embeddings.weight.detach().clone()
    stage = replace(SHORT, embedding_learning_rate=rate)
    run_stage(stage, network, tokenizer, rows, tmp_path / "run", seed=1, minutes=None, resume=False)
    assert bool((network.encoder.embeddings.word_embeddings.weight == before).all()) is (rate == 0)


def test_a_student_learns_what_its_teachers_think_where_nobody_gave_a_label(tmp_path: Path) -> None:
    from dataclasses import replace

    import torch
    from transformers import AutoTokenizer

    from triage.training.model import build, encode, pad
    from triage.training.train import run_stage

    encoder = write_encoder(tmp_path / "encoder")
    network, tokenizer = build(encoder), AutoTokenizer.from_pretrained(encoder)
    thought = {"sentiment": (0.0, 0.0, 1.0)}
    rows = [Example(text=f"text {i}", lang="en", source="set", irony=0, taught=thought) for i in range(60)]
    tokens, mask = pad(encode(tokenizer, [row.text for row in rows], 16), tokenizer.pad_token_id)
    stage = replace(SHORT, samples=480, taught=0.5)
    run_stage(stage, network, tokenizer, rows, tmp_path / "run", seed=1, minutes=None, resume=False)
    with torch.inference_mode():
        found = network.eval()(tokens, mask)["sentiment"].argmax(-1)
    assert (found == 2).all()


def test_it_takes_a_stopped_run_up_again_where_it_left_off(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from triage.training.model import build
    from triage.training.train import load_checkpoint, run_stage

    encoder = write_encoder(tmp_path / "encoder")
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    rows = [Example(text=f"text {i}", lang="en", source="set", sentiment=i % 3, urgency=i % 4) for i in range(60)]
    stage = SHORT
    out = tmp_path / "run"
    network = build(encoder)
    before = network.encoder.embeddings.word_embeddings.weight.detach().clone()
    done = run_stage(stage, network, tokenizer, rows, out, seed=1, minutes=None, resume=False)
    assert done["samples"] == 96
    again = run_stage(stage, build(encoder), tokenizer, rows, out, seed=1, minutes=None, resume=True)
    assert again["samples"] == 96 and again["pool"] == done["pool"]
    kept, _ = load_checkpoint(out)
    assert bool((kept.encoder.embeddings.word_embeddings.weight == before).all())  # frozen on purpose
    longer = Stage(**{**{name: getattr(stage, name) for name in Stage.__slots__}, "samples": 144})
    more = run_stage(longer, build(encoder), tokenizer, rows, out, seed=1, minutes=None, resume=True)
    assert more["samples"] == 144
