"""A whole checkpoint in the exported format with random weights: small, quick, and wrong about everything."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from triage.checkpoint import LABELS, OPTIONAL

WIDTH = 384
HEADS = {name: len(labels) for name, labels in LABELS.items()}


def write_tiny_model(folder: Path, *, seed: int = 7, weight: float = 1.0) -> Path:
    """``weight`` multiplies the heads; ``nan`` makes a model that answers nonsense."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = write_tiny_tokenizer(folder)
    write_onnx(folder / "model.onnx", vocabulary, seed=seed, weight=weight)
    config = {"model_type": "bert", "hidden_size": WIDTH, "vocab_size": vocabulary, "pad_token_id": 1}
    (folder / "config.json").write_text(json.dumps(config))
    write_heads(folder)
    return folder


def write_heads(folder: Path, **changes: Any) -> None:
    files = ("model.onnx", "tokenizer.json", "tokenizer_config.json", "config.json")
    heads = {
        "id": "tiny",
        "version": "1",
        "labels": {name: list(labels) for name, labels in LABELS.items()},
        "prefix": "query: ",
        "max_tokens": 128,
        "temperature": dict.fromkeys(HEADS, 1.0),
        "abstain": {**dict.fromkeys(HEADS, 0.5), "urgency": 0.4},
        "limits": {name: [0.5] * len(labels) for name, labels in OPTIONAL.items()},
        "sha256": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files},
        "languages": ["pl", "en"],
    }
    (folder / "heads.json").write_text(json.dumps({**heads, **changes}))


def write_tiny_tokenizer(folder: Path) -> int:
    """One token a byte, so that every text can be read. Returns the size of the vocabulary."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces = special + sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(special)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "cls_token": "<s>"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return len(pieces)


def write_onnx(path: Path, vocabulary: int, *, seed: int, weight: float) -> None:
    """Embeddings, a mean over the mask, two linear heads and the unit vector: the shape of the real graph."""
    from onnx import TensorProto, helper, numpy_helper, save

    random = np.random.default_rng(seed)
    weights = {
        "embeddings": random.normal(size=(vocabulary, WIDTH)),
        **{f"{name}_weight": random.normal(size=(WIDTH, labels)) * weight for name, labels in HEADS.items()},
    }
    constants = [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()]
    constants += [numpy_helper.from_array(np.array([axis], dtype=np.int64), f"axis{axis}") for axis in (1, 2)]
    node = helper.make_node
    nodes = [
        node("Gather", ["embeddings", "input_ids"], ["states"], axis=0),
        node("Cast", ["attention_mask"], ["flat"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["flat", "axis2"], ["mask"]),
        node("Mul", ["states", "mask"], ["seen"]),
        node("ReduceSum", ["seen", "axis1"], ["sum"], keepdims=0),
        node("ReduceSum", ["mask", "axis1"], ["count"], keepdims=0),
        node("Div", ["sum", "count"], ["mean"]),
        *(node("MatMul", ["mean", f"{name}_weight"], [name]) for name in HEADS),
        node("ReduceL2", ["mean"], ["length"], axes=[1], keepdims=1),
        node("Div", ["mean", "length"], ["vector"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "tiny",
        [value(name, TensorProto.INT64, ["batch", "tokens"]) for name in ("input_ids", "attention_mask")],
        [value(name, TensorProto.FLOAT, ["batch", width]) for name, width in (*HEADS.items(), ("vector", WIDTH))],
        constants,
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
