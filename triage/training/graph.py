"""Builds the shipped ONNX file from the network's weights.

The graph is written by hand instead of traced, so that every weight keeps its torch name (`triage/weights.py` reads
them back) and large matrices can lie in the file as int8 with one scale a row. The arithmetic stays in float: runtimes
unfold the constants when they load the file. So nothing about a text depends on the other texts of its batch, which is
what dynamic int8 arithmetic gets wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from triage.training.data import SHIPPED_HEADS
from triage.weights import INT8, SCALE

OPSET = 17
MASKED = -10_000.0
"""Added to the score of a padding position; its exponential is exactly 0 in float32."""


def quantise(matrix: np.ndarray, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """int8 values and float32 scales [rows, 1]; a row's largest value becomes a number from 108 to 127, drawn by ``seed``.

    A network that went on from an exported file lies close to that file's grid. On the same grid its small changes would be
    rounded back to where they began (seen: 2.1 % of labels differ from float weights, 0.4 % on another grid), so every export
    has a grid of its own; it is 8 % coarser in the mean than the finest.
    """
    steps = np.random.default_rng([seed, *matrix.shape]).uniform(108, 127, size=(len(matrix), 1)).astype(np.float32)
    scale = np.abs(matrix).max(axis=1, keepdims=True).astype(np.float32) / steps
    scale[scale == 0] = 1.0
    return np.clip(np.rint(matrix / scale), -127, 127).astype(np.int8), scale


class Builder:
    """Collects nodes and initializers; each method returns the name of the value it makes."""

    def __init__(self, state: dict[str, np.ndarray], *, int8: bool, seed: int) -> None:
        self.state = state
        self.int8 = int8
        self.seed = seed
        self.nodes: list[Any] = []
        self.tensors: dict[str, np.ndarray] = {}

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        from onnx import helper

        name = f"{kind}_{len(self.nodes)}"
        outs = [name] + [f"{name}_{number}" for number in range(1, outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), outs, name=name, **attributes))
        return name

    def constant(self, name: str, values: Any, dtype: Any = np.int64) -> str:
        self.tensors[name] = np.asarray(values, dtype=dtype)
        return name

    def weight(self, name: str) -> str:
        """A small float weight as it is."""
        self.tensors[name] = self.state[name].astype(np.float32)
        return name

    def matrix(self, name: str) -> str:
        """A large matrix [rows, columns], from int8 if so wished."""
        if not self.int8:
            return self.weight(name)
        self.tensors[name + INT8], self.tensors[name + SCALE] = quantise(self.state[name], seed=self.seed)
        return self.node("Mul", self.node("Cast", name + INT8, to=1), name + SCALE)

    def rows(self, name: str, indices: str) -> str:
        """Rows of a table; int8 rows are widened after they are picked, the table itself never is."""
        if not self.int8:
            return self.node("Gather", self.weight(name), indices)
        self.tensors[name + INT8], self.tensors[name + SCALE] = quantise(self.state[name], seed=self.seed)
        picked = self.node("Cast", self.node("Gather", name + INT8, indices), to=1)
        return self.node("Mul", picked, self.node("Gather", name + SCALE, indices))

    def linear(self, value: str, name: str) -> str:
        turned = self.node("Transpose", self.matrix(f"{name}.weight"), perm=[1, 0])
        return self.node("Add", self.node("MatMul", value, turned), self.weight(f"{name}.bias"))

    def norm(self, value: str, name: str, epsilon: float) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", value, scale, bias, axis=-1, epsilon=epsilon)

    def gelu(self, value: str) -> str:
        inner = self.node("Erf", self.node("Div", value, self.constant("sqrt_two", np.sqrt(2.0), np.float32)))
        grown = self.node("Mul", value, self.node("Add", inner, self.constant("one", 1.0, np.float32)))
        return self.node("Mul", grown, self.constant("half", 0.5, np.float32))


def build_model(state: dict[str, np.ndarray], config: Any, *, int8: bool, seed: int = 0) -> Any:
    """An `onnx.ModelProto` of a BERT encoder with mean pooling and the heads that are shipped.

    Inputs `input_ids`, `attention_mask` int64 [batch, tokens]; outputs the logits of each head [batch, labels] under its name,
    `vector` [batch, hidden] of length 1. `state` has the names of `Network`; `config` is its encoder's; `seed` draws the grid
    of int8.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    b = Builder(state, int8=int8, seed=seed)
    value = _embed(b, config)
    mask = b.node("Cast", "attention_mask", to=1)
    spread = b.node("Unsqueeze", mask, b.constant("axes_heads", [1, 2]))
    absent = b.node("Sub", b.constant("one", 1.0, np.float32), spread)
    penalty = b.node("Mul", absent, b.constant("masked", MASKED, np.float32))
    for layer in range(config.num_hidden_layers):
        value = _layer(b, value, penalty, f"encoder.encoder.layer.{layer}", config)
    heads = _pool(b, value, mask)
    names = {head.name: b.linear(heads, head.name) for head in SHIPPED_HEADS}
    length = b.node("ReduceL2", heads, axes=[1], keepdims=1)
    names["vector"] = b.node("Div", heads, b.node("Max", length, b.constant("tiny", 1e-12, np.float32)))
    for output, inner in names.items():
        b.nodes.append(helper.make_node("Identity", [inner], [output], name=f"output_{output}"))
    graph = helper.make_graph(
        b.nodes,
        "triage",
        [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "tokens"]) for n in _INPUTS],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
            for name, size in (
                *((head.name, len(head.labels)) for head in SHIPPED_HEADS),
                ("vector", config.hidden_size),
            )
        ],
        [numpy_helper.from_array(values, name) for name, values in b.tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="triage.training")
    model.ir_version = 8  # the oldest that knows opset 17: older runtimes can read it too
    checker.check_model(model)
    return model


_INPUTS = ("input_ids", "attention_mask")


def _embed(b: Builder, config: Any) -> str:
    words = b.rows("encoder.embeddings.word_embeddings.weight", "input_ids")
    shape = b.node("Shape", "input_ids")
    tokens = b.node("Slice", shape, b.constant("from_one", [1]), b.constant("to_two", [2]))
    positions = b.node(
        "Slice",
        b.weight("encoder.embeddings.position_embeddings.weight"),
        b.constant("from_zero", [0]),
        tokens,
        b.constant("axis_zero", [0]),
    )
    kind = b.node("Gather", b.weight("encoder.embeddings.token_type_embeddings.weight"), b.constant("kind_zero", [0]))
    summed = b.node("Add", b.node("Add", words, positions), kind)
    return b.norm(summed, "encoder.embeddings.LayerNorm", config.layer_norm_eps)


def _layer(b: Builder, value: str, penalty: str, name: str, config: Any) -> str:
    heads, size = config.num_attention_heads, config.hidden_size // config.num_attention_heads
    split = b.constant("split_heads", [0, 0, heads, size])

    def head(part: str, order: list[int]) -> str:
        projected = b.linear(value, f"{name}.attention.self.{part}")
        return b.node("Transpose", b.node("Reshape", projected, split), perm=order)

    query, keys, values = head("query", [0, 2, 1, 3]), head("key", [0, 2, 3, 1]), head("value", [0, 2, 1, 3])
    scores = b.node("Mul", b.node("MatMul", query, keys), b.constant("per_root", size**-0.5, np.float32))
    weights = b.node("Softmax", b.node("Add", scores, penalty), axis=-1)
    mixed = b.node("Transpose", b.node("MatMul", weights, values), perm=[0, 2, 1, 3])
    merged = b.node("Reshape", mixed, b.constant("merge_heads", [0, 0, config.hidden_size]))
    attended = b.linear(merged, f"{name}.attention.output.dense")
    value = b.norm(b.node("Add", attended, value), f"{name}.attention.output.LayerNorm", config.layer_norm_eps)
    grown = b.gelu(b.linear(value, f"{name}.intermediate.dense"))
    shrunk = b.linear(grown, f"{name}.output.dense")
    return b.norm(b.node("Add", shrunk, value), f"{name}.output.LayerNorm", config.layer_norm_eps)


def _pool(b: Builder, value: str, mask: str) -> str:
    """Mean over the tokens that are there."""
    axis = b.constant("axis_one", [1])
    spread = b.node("Unsqueeze", mask, b.constant("axis_last", [2]))
    summed = b.node("ReduceSum", b.node("Mul", value, spread), axis, keepdims=0)
    return b.node("Div", summed, b.node("ReduceSum", mask, axis, keepdims=1))
