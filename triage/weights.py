"""Reads the weights out of the shipped `model.onnx`, so that another runtime can load them without a second file.

A small reader of the ONNX (protobuf) initializers of its own: neither `onnx` nor torch is needed. Large matrices are
stored as int8 with one scale a row, under `<name>.int8` and `<name>.scale`; they come back as float32 under `<name>`.
Field numbers are those of onnx.proto (ModelProto.graph = 7, GraphProto.initializer = 5, TensorProto: dims = 1,
data_type = 2, float_data = 4, int64_data = 7, name = 8, raw_data = 9).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

INT8 = ".int8"
SCALE = ".scale"
_TYPES: dict[int, np.dtype[np.generic]] = {
    1: np.dtype("<f4"),
    3: np.dtype("i1"),
    7: np.dtype("<i8"),
    10: np.dtype("<f2"),
}


class WeightsUnreadable(ValueError):
    """The file is not a whole ONNX model, or holds a tensor this reader does not know."""


def load_torch_state(model_dir: Path | str) -> dict[str, np.ndarray]:
    """The network's weights under their torch names, float32: `encoder.*`, and `<head>.*` of each head.

    The encoder's part, with `encoder.` taken off, is the state of a `transformers` BERT without pooler. Raises
    WeightsUnreadable when the file is missing, cut short or of another make.
    """
    path = Path(model_dir) / "model.onnx"
    if not path.exists():
        raise WeightsUnreadable(f"{path} is missing: reinstall the package or export the model again")
    stored = dict(_initializers(memoryview(path.read_bytes()), path))
    state: dict[str, np.ndarray] = {}
    for name, values in stored.items():
        if name.endswith(INT8):
            plain = name.removesuffix(INT8)
            if plain + SCALE not in stored:
                raise WeightsUnreadable(f"{path}: {name} has no {plain + SCALE}: export the model again")
            state[plain] = values.astype(np.float32) * stored[plain + SCALE].astype(np.float32)
        elif not name.endswith(SCALE) and name.endswith((".weight", ".bias")):
            state[name] = values.astype(np.float32)
    if not state:
        raise WeightsUnreadable(f"{path}: no weights of this network inside: export the model again")
    return state


def _initializers(model: memoryview, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    try:
        for field, graph in _fields(model):
            if field == 7 and isinstance(graph, memoryview):
                for inner, tensor in _fields(graph):
                    if inner == 5 and isinstance(tensor, memoryview):
                        yield _tensor(tensor)
    except (IndexError, KeyError, ValueError) as error:
        raise WeightsUnreadable(f"{path} cannot be read as an ONNX model ({error}): export it again") from error


def _tensor(message: memoryview) -> tuple[str, np.ndarray]:
    dims: list[int] = []
    kind, name, raw = 0, "", memoryview(b"")
    for field, value in _fields(message):
        if field == 1 and isinstance(value, int):
            dims.append(value)
        elif field == 1 and isinstance(value, memoryview):  # packed
            dims.extend(_varints(value))
        elif field == 2 and isinstance(value, int):
            kind = value
        elif field == 8 and isinstance(value, memoryview):
            name = bytes(value).decode("utf-8")
        elif field == 9 and isinstance(value, memoryview):
            raw = value
    return name, np.frombuffer(raw, dtype=_TYPES[kind]).reshape(dims)


def _varints(packed: memoryview) -> Iterator[int]:
    place = 0
    while place < len(packed):
        value, place = _varint(packed, place)
        yield value


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field number and value of each field: an int, or the bytes of a length-delimited or fixed-width field."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        wire = key & 7
        if wire == 0:
            number, place = _varint(message, place)
            yield key >> 3, number
            continue
        if wire == 2:
            length, place = _varint(message, place)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if place + length > len(message):
            raise ValueError("cut short")
        yield key >> 3, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return value, place
        shift += 7
