"""How many posts a second each runtime judges, what it costs in processor time, and whether the labels agree.

    python benchmarks/triage_speed.py [--model FOLDER] [--posts 400] [--threads 0] [--texts FILE.jsonl]

Every runtime sees the same texts, sorted and batched as in production; the reference for agreement is onnxruntime in
float32. The Hugging Face pipeline (what one would write first) runs where PyTorch is installed. ``cpu`` is posts in a
second of processor time times the threads: what an idle machine would show, also while this one is busy.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from social.domain.assessment import TextToAssess
from social.domain.errors import ModelUnavailable
from social.settings import TriageBackend
from triage.assess import RulesClassifier
from triage.checkpoint import SHIPPED, read_checkpoint
from triage.encoder import Encoder, available_threads, open_encoder
from triage.load import load_classifier
from triage.prepare import prepare

CORPUS = Path(__file__).parent.parent / "triage" / "training" / "corpus"
#: The pipeline runs on fewer texts: it is slow, and its pace does not depend on how many there are.
PIPELINE_POSTS = 96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHIPPED, help="a checkpoint's folder; default: the shipped one")
    parser.add_argument("--posts", type=int, default=400, help="how many texts")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as this process may use")
    parser.add_argument("--texts", type=Path, help="JSON lines with a key text; default: the project's corpus")
    options = parser.parse_args()
    texts = read_texts(options.texts, options.posts)
    threads = available_threads(options.threads)
    print(f"{len(texts)} posts, {threads} threads, model {options.model}")
    print(f"{'runtime':46} {'posts/s':>8} {'cpu':>6} {'single':>7} {'agrees':>7} {'flips':>5}")
    reference: np.ndarray | None = None
    for name, open_it in runtimes(options.model, threads):
        try:
            encoder = open_it()
        except (ImportError, ModelUnavailable) as error:
            print(f"{name:46} not here: {str(error)[:80]}")
            continue
        reference = measure(encoder, [prepare(text).text for text in texts], threads, reference)
    measure_rules(texts)
    measure_pipeline(options.model, texts, threads)


def read_texts(path: Path | None, posts: int) -> list[str]:
    """``posts`` texts, spread evenly over the file or the corpus."""
    files = [path] if path else sorted(CORPUS.glob("*.jsonl"))
    texts = [json.loads(line)["text"] for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return texts[:: max(1, len(texts) // posts)][:posts]


def runtimes(folder: Path, threads: int) -> list[tuple[str, Callable[[], Encoder]]]:
    def by_torch() -> Encoder:
        from triage.transformers_backend import open_transformers

        return open_transformers(folder, threads=threads)

    return [
        ("onnxruntime", lambda: open_encoder(read_checkpoint(folder), "onnxruntime", threads)),
        ("openvino", lambda: open_encoder(read_checkpoint(folder), "openvino", threads)),
        ("PyTorch", by_torch),
    ]


def measure(encoder: Encoder, texts: Sequence[str], threads: int, reference: np.ndarray | None) -> np.ndarray:
    """Prints one line; gives the labels [N, 2] that the next runtimes are compared with."""
    encoder.score(texts[:64])  # the first batches pay for memory and kernels
    wall, cpu = time.perf_counter(), time.process_time()
    labels = labels_of(encoder, texts)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    some = texts[: min(len(texts), 100)]
    alone = time.perf_counter()
    singles = np.concatenate([labels_of(encoder, [text]) for text in some])
    alone = time.perf_counter() - alone
    flips = int((singles != labels[: len(some)]).any(axis=1).sum())
    agreement = "" if reference is None else f"{(labels == reference).mean():.2%}"
    print(
        f"{encoder.runtime:46} {len(texts) / wall:8.0f} {len(texts) / cpu * threads:6.0f} {len(some) / alone:7.0f} "
        f"{agreement:>7} {flips:5}"
    )
    return labels if reference is None else reference


def labels_of(encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
    scores = encoder.score(texts)
    urgency = scores.urgency if scores.urgency is not None else np.zeros((len(texts), 1))
    return np.stack([scores.sentiment.argmax(-1), urgency.argmax(-1)], axis=1)


def measure_rules(texts: Sequence[str]) -> None:
    classifier = load_classifier(TriageBackend.RULES)
    assert isinstance(classifier, RulesClassifier)
    items = [TextToAssess(text=text) for text in texts]
    classifier.assess(items[:20])
    wall, cpu = time.perf_counter(), time.process_time()
    classifier.assess(items)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{'rules and language (beside every runtime)':46} {len(texts) / wall:8.0f} {len(texts) / cpu:6.0f}")


def measure_pipeline(folder: Path, texts: Sequence[str], threads: int) -> None:
    """``transformers.pipeline`` with float32 and batches of 32, on a classifier of the same size."""
    try:
        import torch
        from transformers import AutoConfig, BertForSequenceClassification, pipeline
    except ImportError:
        print(f"{'Hugging Face pipeline':46} not here: PyTorch is not installed")
        return
    from triage.encoder import load_tokenizer

    torch.set_num_threads(threads)
    network: Any = BertForSequenceClassification(AutoConfig.from_pretrained(folder, local_files_only=True)).eval()
    judge = pipeline("text-classification", model=network.float(), tokenizer=load_tokenizer(folder), device="cpu")
    some = [prepare(text).text for text in texts[:PIPELINE_POSTS]]
    judge(some[:8])
    wall, cpu = time.perf_counter(), time.process_time()
    judge(some, batch_size=32, truncation=True, max_length=128)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"{'Hugging Face pipeline, float32, batches of 32':46} {len(some) / wall:8.0f} {len(some) / cpu * threads:6.0f}"
    )


if __name__ == "__main__":
    main()
