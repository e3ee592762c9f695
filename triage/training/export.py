"""Turn a checkpoint into the shipped folder: `python -m triage.training.export --checkpoint DIR --data DIR --out DIR`.

The folder holds `model.onnx`, the tokenizer, the encoder's `config.json` and `heads.json` (labels, prefix, temperatures
and abstention limits fitted on dev sets, a hash of every file). `prove` checks the int8 weights against float weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from triage.training import data as sets
from triage.training.data import ABSENT, SENTIMENT, URGENCY, Example
from triage.training.evaluate import (
    Runner,
    dev_sets,
    fit_abstention,
    fit_temperature,
    onnx_runner,
    openvino_runner,
    predict,
    softmax,
)
from triage.training.graph import build_model

PREFIX = "query: "
MAX_TOKENS = 128
MODEL_ID = "dyzur-triage-small"
LANGUAGES = ("pl", "en", "de", "es", "fr", "it", "pt")
FILES = ("model.onnx", "tokenizer.json", "tokenizer_config.json", "config.json")
CALIBRATED_ON = {
    "sentiment": ("tweeteval_sentiment", "brand_products", "poleval2024_sentences", sets.CORPUS),
    "urgency": ("urgency_gold", sets.CORPUS),
}


def write_model(state: dict[str, np.ndarray], config: Any, path: Path, *, int8: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(build_model(state, config, int8=int8).SerializeToString())


def calibrate(rows: dict[str, list[Example]], runner: Runner, tokenizer: Any) -> dict[str, dict[str, float]]:
    """Temperature and abstention limit of each head, on the sets of `CALIBRATED_ON`."""
    found: dict[str, dict[str, float]] = {"temperature": {}, "abstain": {}}
    for head, names in CALIBRATED_ON.items():
        used = [row for name in names for row in rows.get(name, []) if getattr(row, head) != ABSENT]
        logits = predict(runner, tokenizer, [row.text for row in used], prefix=PREFIX, tokens=MAX_TOKENS)[head]
        truth = np.array([getattr(row, head) for row in used])
        temperature = fit_temperature(logits, truth)
        found["temperature"][head] = temperature
        found["abstain"][head] = fit_abstention(softmax(logits, temperature), truth)
    return found


def write_heads(out: Path, fitted: dict[str, dict[str, float]], version: str) -> None:
    heads = {
        "id": MODEL_ID,
        "version": version,
        "labels": {"sentiment": list(SENTIMENT), "urgency": list(URGENCY)},
        "prefix": PREFIX,
        "max_tokens": MAX_TOKENS,
        "replace": {"handle": "@user", "link": "http", "email": "email@example.com"},
        **fitted,
        "sha256": {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in FILES},
        "languages": list(LANGUAGES),
    }
    (out / "heads.json").write_text(json.dumps(heads, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def compare(reference: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> dict[str, float]:
    """Per head, the share of equal labels and the largest difference between two runs' probabilities."""
    found = {}
    for head in ("sentiment", "urgency"):
        found[f"{head}_agreement"] = float((reference[head].argmax(1) == other[head].argmax(1)).mean())
        found[f"{head}_flips"] = int((reference[head].argmax(1) != other[head].argmax(1)).sum())
        found[f"{head}_largest"] = float(np.abs(softmax(reference[head]) - softmax(other[head])).max())
    return found


def prove(exact: Path, shipped: Path, tokenizer: Any, texts: Sequence[str]) -> dict[str, Any]:
    """Agreement of the shipped file with float weights, and between one text a batch and sixteen, in each runtime."""

    def run(runner: Runner, batch: int) -> dict[str, np.ndarray]:
        return predict(runner, tokenizer, texts, prefix=PREFIX, tokens=MAX_TOKENS, batch=batch)

    reference = run(onnx_runner(exact), 16)
    found: dict[str, Any] = {"texts": len(texts)}
    runtimes = {
        "onnxruntime f32": lambda: onnx_runner(shipped),
        "openvino f32": lambda: openvino_runner(shipped, "f32"),
        "openvino bf16": lambda: openvino_runner(shipped, "bf16"),
    }
    for name, make in runtimes.items():
        runner = make()
        many, one = run(runner, 16), run(runner, 1)
        found[name] = {"against float weights": compare(reference, many), "batch 1 against 16": compare(one, many)}
        print(name, json.dumps(found[name]), flush=True)
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoint", type=Path, required=True, help="a stage's folder, as train.py leaves it")
    parser.add_argument("--data", type=Path, default=os.environ.get("DYZUR_DATA"), help="for the calibration")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--version", default="1")
    parser.add_argument("--proof", type=Path, help="compare with float weights and write the figures here (slow)")
    options = parser.parse_args(arguments)
    if options.data is None:
        parser.error("--data is missing: give the folder that holds train/ and dev/, or set DYZUR_DATA")
    from triage.training.train import load_checkpoint

    network, tokenizer = load_checkpoint(options.checkpoint)
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    write_model(state, network.encoder.config, options.out / "model.onnx", int8=True)
    tokenizer.save_pretrained(options.out)
    network.encoder.config.save_pretrained(options.out)
    rows = dev_sets(sets.load_plan(), Path(options.data))
    write_heads(options.out, calibrate(rows, onnx_runner(options.out / "model.onnx"), tokenizer), options.version)
    if options.proof:
        exact = options.proof.with_suffix(".onnx")
        write_model(state, network.encoder.config, exact, int8=False)
        texts = [row.text for some in rows.values() for row in some][:: max(1, sum(map(len, rows.values())) // 2000)]
        options.proof.write_text(json.dumps(prove(exact, options.out / "model.onnx", tokenizer, texts), indent=1))
        exact.unlink()
    size = sum(path.stat().st_size for path in options.out.iterdir()) / 1e6
    print(f"{options.out}: {size:.1f} MB")


if __name__ == "__main__":
    main()
