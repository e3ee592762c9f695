"""One pass of the encoder over texts, by onnxruntime or OpenVINO. Neither needs torch, a GPU or the network.

What a text gets does not depend on the texts beside it: a batch holds only texts padded to the same width, and the
width is a function of the text alone.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from social.domain.assessment import ModelIdentity
from social.domain.errors import ModelUnavailable
from triage.calibrate import Floats, answers, probabilities
from triage.checkpoint import LABELS, MANY, MODEL, VECTOR_LENGTH, Checkpoint, HeadSettings, unavailable

#: Tokens in a batch, padding included; what keeps two cores busy without leaving their caches.
TOKEN_BUDGET = 1_024
#: Compiled kernels that OpenVINO keeps at most, in each of its two caches.
KERNELS_KEPT = 32
#: The quickest in which a text's numbers do not depend on the texts beside it, on AMD's processors and on Intel's.
PRECISION = "f32"
#: Widths are multiples of this.
WIDTH_STEP = 4
#: After so many texts the C library gives back what the runtime has freed in pieces: it costs nothing to speak of, and without it
#: a daemon grows by some megabytes a day.
GIVE_BACK_EVERY = 5_000

Ids = NDArray[np.int64]
#: By name: the logits of each head [B, labels], and ``vector``, unit vectors [B, 384].
Outputs = Mapping[str, NDArray[Any]]
#: input_ids and attention_mask, both [B, T] int64
Run = Callable[[Ids, Ids], Outputs]
VECTOR = "vector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Of N texts. ``urgency`` [N, 4] and ``vectors`` [N, 384] are None where the checkpoint has no such head; ``more`` has
    the probabilities [N, labels] of the optional heads that it has."""

    sentiment: Floats  # [N, 3]
    urgency: Floats | None
    vectors: NDArray[np.float32] | None
    more: Mapping[str, Floats] = field(default_factory=dict)


class Encoder(Protocol):
    """What the classifier needs of a model, whatever runs it."""

    @property
    def identity(self) -> ModelIdentity: ...

    @property
    def runtime(self) -> str:
        """For people: which library runs the model, and how."""
        ...

    @property
    def heads(self) -> Mapping[str, HeadSettings]:
        """Settings of each head by name; sentiment is always there."""
        ...

    def score(self, texts: Sequence[str], languages: Sequence[str] = ()) -> Scores:
        """Probabilities in the order of ``texts``; ``languages``, one a text or none at all, choose the calibration. Raises
        ``ModelUnavailable`` if the model is broken."""
        ...


PIECES, TOKENIZER, PAD = "tokenizer.model", "tokenizer.json", "<pad>"


class OnnxEncoder:
    """A checkpoint's ``model.onnx`` under a runtime that was opened for it."""

    def __init__(self, checkpoint: Checkpoint, run: Run, runtime: str, tokenizer: Any) -> None:
        self._checkpoint = checkpoint
        self._run = run
        self._runtime = runtime
        self._tokenizer = tokenizer
        self._read = 0  # texts since memory was given back

    @property
    def identity(self) -> ModelIdentity:
        return self._checkpoint.identity

    @property
    def runtime(self) -> str:
        return self._runtime

    @property
    def heads(self) -> Mapping[str, HeadSettings]:
        return self._checkpoint.heads

    def score(self, texts: Sequence[str], languages: Sequence[str] = ()) -> Scores:
        rows = tokenize(
            self._tokenizer, [self._checkpoint.prefix + text for text in texts], self._checkpoint.max_tokens
        )
        logits = {name: np.zeros((len(rows), len(LABELS[name]))) for name in self.heads}
        vectors = np.zeros((len(rows), VECTOR_LENGTH), dtype=np.float32)
        for places in batches(rows):
            try:
                outputs = self._run(*pad([rows[place] for place in places], self._tokenizer.pad_token_id))
                for name, values in logits.items():
                    values[places] = outputs[name]
                vectors[places] = outputs[VECTOR]
            except ModelUnavailable:
                raise
            except Exception as error:  # each runtime has its own tree of errors
                raise unavailable("the model cannot be run", self._checkpoint.folder, error) from error
        self._read += len(rows)
        if self._read >= GIVE_BACK_EVERY:
            self._read = 0
            _give_memory_back()
        sound = all(np.isfinite(values).all() for values in logits.values()) and np.isfinite(vectors).all()
        if not sound:
            raise unavailable("the model gives numbers that are none", self._checkpoint.folder)
        found = {name: _chances(name, values, self.heads[name], languages) for name, values in logits.items()}
        return Scores(sentiment=found.pop("sentiment"), urgency=found.pop("urgency"), vectors=vectors, more=found)


def _chances(name: str, logits: Floats, head: HeadSettings, languages: Sequence[str]) -> Floats:
    turn = answers if name in MANY else probabilities
    found = turn(logits, head.temperature, head.bias)
    for language in set(languages) & head.by_language.keys():
        places = [place for place, spoken in enumerate(languages) if spoken == language]
        of_language = head.calibration(language)
        found[places] = turn(logits[places], of_language.temperature, of_language.bias)
    return found


# --- texts into batches -----------------------------------------------------------------------------------------------


def load_tokenizer(folder: Path | str, *, local: bool = True) -> Any:
    """A fast tokenizer by ``transformers``; ``local`` never asks the network."""
    # importing it without PyTorch prints advice, and its absence is on purpose
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    from transformers import AutoConfig, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it would tell every start that PyTorch was not found, which is on purpose
    try:
        AutoConfig.from_pretrained(folder, local_files_only=local)
        return AutoTokenizer.from_pretrained(folder, local_files_only=local)
    except Exception as error:  # transformers raises whatever its parts raise
        raise unavailable("the tokenizer or config cannot be read", folder, error) from error


class PieceTokenizer:
    """A checkpoint's ``tokenizer.model``, read by SentencePiece in a sixth of the memory that ``tokenizer.json`` takes. Called
    as those of ``transformers`` are. What looks like a special token in a post (``<mask>``) is text here."""

    def __init__(self, file: Path) -> None:
        from sentencepiece import SentencePieceProcessor

        try:
            self._pieces = SentencePieceProcessor(model_file=str(file))
        except Exception as error:  # the library raises whatever its parts raise
            raise unavailable("the tokenizer cannot be read", file.parent, error) from error
        self.pad_token_id = int(self._pieces.pad_id())
        if min(self.pad_token_id, self._pieces.bos_id(), self._pieces.eos_id()) < 0:
            raise unavailable("the tokenizer has no pieces for beginning, end and filling", file.parent)

    def __call__(self, texts: list[str], *, verbose: bool = False) -> dict[str, list[list[int]]]:
        return {"input_ids": self._pieces.encode(texts, add_bos=True, add_eos=True)}


class FastTokenizer:
    """The ``tokenizer.json`` of a checkpoint that brings no ``tokenizer.model``: any tokenizer of Hugging Face. Called as
    those of ``transformers`` are."""

    def __init__(self, file: Path) -> None:
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises a bare Exception
            raise unavailable("the tokenizer cannot be read", file.parent, error) from error
        self._tokenizer.no_truncation()  # what does not fit is cut by tokenize()
        self._tokenizer.no_padding()
        self.pad_token_id = int(self._tokenizer.token_to_id(PAD) or 0)

    def __call__(self, texts: list[str], *, verbose: bool = False) -> dict[str, list[list[int]]]:
        return {"input_ids": [row.ids for row in self._tokenizer.encode_batch(texts)]}


def open_tokenizer(folder: Path) -> PieceTokenizer | FastTokenizer:
    """That of a checkpoint, without ``transformers``. Raises ``ModelUnavailable``."""
    pieces = folder / PIECES
    return PieceTokenizer(pieces) if pieces.is_file() else FastTokenizer(folder / TOKENIZER)


def tokenize(tokenizer: Any, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    """Token ids [N][<= max_tokens]. Of a text that does not fit, the beginning and the end are kept: complaints tell a
    story, and what happened in the end is what counts (Sun et al. 2019, "How to fine-tune BERT", head + tail)."""
    rows: list[list[int]] = tokenizer(list(texts), verbose=False)["input_ids"]
    head = max_tokens - max_tokens // 3
    return [row if len(row) <= max_tokens else row[:head] + row[head - max_tokens :] for row in rows]


def batches(rows: Sequence[Sequence[int]], budget: int = TOKEN_BUDGET) -> Iterator[list[int]]:
    """Places of ``rows`` in batches of one width each, within ``budget`` tokens (a single row may exceed it)."""
    order = sorted(range(len(rows)), key=lambda place: (_width(rows[place]), place))
    batch: list[int] = []
    for place in order:
        width = _width(rows[place])
        if batch and (width != _width(rows[batch[0]]) or (len(batch) + 1) * width > budget):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _width(row: Sequence[int]) -> int:
    return -(-len(row) // WIDTH_STEP) * WIDTH_STEP


def pad(rows: Sequence[Sequence[int]], filler: int) -> tuple[Ids, Ids]:
    """``input_ids`` and ``attention_mask``, both [B, T]."""
    width = max(map(_width, rows))
    ids = np.full((len(rows), width), filler, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return ids, mask


# --- runtimes ---------------------------------------------------------------------------------------------------------


def available_threads(wanted: int) -> int:
    """0 means as many as this process may use (a container often has fewer than the machine)."""
    if wanted > 0:
        return wanted
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_onnxruntime(model: Path, threads: int, names: Sequence[str]) -> tuple[Run, str]:
    """``names``: the outputs that are wanted. Raises ``ImportError`` where onnxruntime is not installed, its own errors for
    a broken file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def run(ids: Ids, mask: Ids) -> Outputs:
        return dict(zip(names, session.run([*names], {"input_ids": ids, "attention_mask": mask}), strict=True))

    return run, f"onnxruntime {onnxruntime.__version__}, {threads} threads"


def open_openvino(model: Path, threads: int, names: Sequence[str]) -> tuple[Run, str]:
    """``names``: the outputs that are wanted. Raises ``ImportError`` where OpenVINO is not installed, its own errors for a
    broken file."""
    # Every new shape of a batch leaves kernels behind, and thousands of them are kept: 200 MB after a day. With these two bounds
    # the memory stays flat, at the same speed; the first is read when the library is loaded.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(KERNELS_KEPT))
    import openvino

    core = openvino.Core()
    options = {
        # in bf16 Intel's processors answer a little differently alone and in a batch: see docs/decisions/0002
        "INFERENCE_PRECISION_HINT": PRECISION,
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        # bound to cores, two daemons of one machine would share the first and leave the second alone
        "ENABLE_CPU_PINNING": False,
        "CPU_RUNTIME_CACHE_CAPACITY": KERNELS_KEPT,
    }
    compiled = core.compile_model(core.read_model(str(model)), "CPU", options)
    request = compiled.create_infer_request()

    def run(ids: Ids, mask: Ids) -> Outputs:
        answer = request.infer({"input_ids": ids, "attention_mask": mask})
        # the request's memory is used again by the next batch
        return {name: np.array(answer[name]) for name in names}

    return run, f"OpenVINO {openvino.__version__.split('-')[0]} {PRECISION}, {threads} threads"


RUNTIMES: Mapping[str, Callable[[Path, int, Sequence[str]], tuple[Run, str]]] = {
    "openvino": open_openvino,
    "onnxruntime": open_onnxruntime,
}


def open_encoder(checkpoint: Checkpoint, runtime: str, threads: int) -> OnnxEncoder:
    """The checkpoint under ``runtime``, tried on two texts. Raises ``ImportError`` where the runtime is not installed,
    ``ModelUnavailable`` for everything else."""
    tokenizer = open_tokenizer(checkpoint.folder)
    count = available_threads(threads)
    try:
        run, description = RUNTIMES[runtime](checkpoint.folder / MODEL, count, (*checkpoint.heads, VECTOR))
    except ImportError:
        raise
    except Exception as error:  # each runtime has its own tree of errors
        raise unavailable(f"{runtime} cannot read {MODEL}", checkpoint.folder, error) from error
    encoder = OnnxEncoder(checkpoint, run, description, tokenizer)
    encoder.score(["Dzień dobry", "good morning, where is my parcel?"])
    _give_memory_back()
    return encoder


def _give_memory_back() -> None:
    """What reading the model, or many batches of many shapes, took and freed again: glibc would keep it for as long as the
    daemon lives."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
