"""Turn a checkpoint into the shipped folder: `python -m triage.training.export --checkpoint DIR --data DIR --out DIR`.

The folder holds `model.onnx`, the tokenizer, the encoder's `config.json` and `heads.json` (labels, prefix, temperatures
and abstention limits fitted on dev sets, a hash of every file). `prove` checks the int8 weights against float weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from triage.calibrate import answers, probabilities
from triage.prepare import prepare
from triage.rules import Hit, rule_book
from triage.training import data as sets
from triage.training.data import ABSENT, SHIPPED_HEADS, URGENCY, Example, Head
from triage.training.evaluate import (
    Runner,
    cross_validate,
    dev_sets,
    fit_abstention,
    fit_bias,
    fit_temperature,
    macro_f1,
    onnx_runner,
    openvino_runner,
    predict,
)
from triage.training.graph import build_model
from triage.training.limits import fit_limits, fit_many_temperature, fit_reply_limit, labels_of
from triage.training.pieces import write_pieces

PREFIX = "query: "
MAX_TOKENS = 128
MODEL_ID = "dyzur-triage-small"
LANGUAGES = ("pl", "en", "de", "es", "fr", "it", "pt")
FILES = ("model.onnx", "tokenizer.model", "tokenizer.json", "tokenizer_config.json", "config.json")
#: In temperature and bias a corpus text counts a quarter, and all of them 0.8 of the other texts, however many there are: the
#: corpus is full of critical texts and of rare words on purpose, posts are not.
CORPUS_TEXT_COUNTS, CORPUS_COUNTS = 0.25, 0.8
CALIBRATED_ON = {
    "sentiment": ("tweeteval_sentiment", "brand_products", "poleval2024_sentences", sets.CORPUS),
    "urgency": ("urgency_gold", sets.CORPUS),
    "needs_reply": (sets.CORPUS,),
    "topics": (sets.CORPUS,),
    "harm": ("harm_pl", "offensive_en", "hate_en"),
}
#: How precise an answer of a head of many must be: a topic sorts a queue, a word about abuse is held against somebody.
PRECISION = {"topics": 0.6, "harm": 0.75}
#: Below this probability of its answer nobody should rely on who waits.
REPLY_ABSTAIN = 0.6
#: From so many texts on a language is calibrated by itself.
ENOUGH_OF_A_LANGUAGE = 150


def write_model(state: dict[str, np.ndarray], config: Any, path: Path, *, int8: bool, version: str = "") -> None:
    """Every ``version`` has an int8 grid of its own (`quantise` says why)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    model = build_model(state, config, int8=int8, seed=zlib.crc32(version.encode()))
    path.write_bytes(model.SerializeToString())


Fitted = dict[str, dict[str, Any]]


def calibrate(rows: dict[str, list[Example]], runner: Runner, tokenizer: Any) -> Fitted:
    """The numbers of `heads.json` for each head, fitted on the sets of `CALIBRATED_ON`. Prints what urgency's bias does."""
    found: Fitted = {"temperature": {}, "bias": {}, "abstain": {}, "limits": {}, "by_language": {}}
    for head in SHIPPED_HEADS:
        known = [row for name in CALIBRATED_ON[head.name] for row in rows.get(name, [])]
        used = [row for row in known if getattr(row, head.name) not in (ABSENT, ())]
        texts = [prepare(row.text).text for row in used]
        logits = predict(runner, tokenizer, texts, prefix=PREFIX, tokens=MAX_TOKENS)[head.name]
        if head.many:
            _fit_many(found, head, used, logits)
        else:
            _fit_one_of(found, head, used, texts, logits)
    return found


def _fit_many(found: Fitted, head: Head, used: Sequence[Example], logits: np.ndarray) -> None:
    truth = labels_of([getattr(row, head.name) for row in used], len(head.labels))
    temperature = fit_many_temperature(logits, truth)
    found["temperature"][head.name], found["abstain"][head.name] = temperature, 0.5
    found["limits"][head.name] = fit_limits(answers(logits, temperature), truth, precision=PRECISION[head.name])


def _fit_one_of(found: Fitted, head: Head, used: Sequence[Example], texts: Sequence[str], logits: np.ndarray) -> None:
    truth = np.array([getattr(row, head.name) for row in used])
    ours = np.array([row.source == sets.CORPUS for row in used])
    of_ours = min(CORPUS_TEXT_COUNTS, CORPUS_COUNTS * (~ours).sum() / max(ours.sum(), 1))
    weights = np.where(ours & (not ours.all()), of_ours, 1.0)
    temperature, bias = _fit_calibration(head, logits, truth, weights)
    chances = probabilities(logits, temperature, bias)
    found["temperature"][head.name], found["bias"][head.name] = temperature, bias
    if head.name == "urgency":
        _tell(used, texts, truth, logits, chances.argmax(axis=1), weights)
    for language in LANGUAGES:
        keep = np.array([row.lang == language for row in used])
        if keep.sum() < ENOUGH_OF_A_LANGUAGE:
            continue
        own, own_bias = _fit_calibration(head, logits[keep], truth[keep], weights[keep])
        chances[keep] = probabilities(logits[keep], own, own_bias)
        of_language = found["by_language"].setdefault(language, {"temperature": {}, "bias": {}})
        of_language["temperature"][head.name], of_language["bias"][head.name] = own, own_bias
    if head.name == "needs_reply":
        limit = fit_reply_limit(chances[:, 1], truth)
        found["limits"][head.name], found["abstain"][head.name] = [round(1 - limit, 2), limit], REPLY_ABSTAIN
    else:
        found["abstain"][head.name] = fit_abstention(chances, truth)


def _fit_calibration(
    head: Head, logits: np.ndarray, truth: np.ndarray, weights: np.ndarray
) -> tuple[float, list[float]]:
    """Only urgency has a bias: its levels were made equally frequent in training, which posts' are not."""
    if head.name == "urgency":
        return fit_bias(logits, truth, weights)
    return fit_temperature(logits, truth, weights), []


def _tell(
    rows: Sequence[Example],
    texts: Sequence[str],
    truth: np.ndarray,
    logits: np.ndarray,
    fitted: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Macro-F1 of urgency without the bias, with it, and with biases fitted on other folds; alone and under the rules."""
    groups = [f"{row.source} {row.lang}" for row in rows]
    book = rule_book()
    floors = np.array([min((_place(hit) for hit in book.judge(text)), default=len(URGENCY)) for text in texts])
    for name, chosen in (
        ("no bias", logits.argmax(axis=1)),
        ("bias", fitted),
        ("bias, 5 folds", cross_validate(logits, truth, weights, groups)),
    ):
        for group in sorted(set(groups)):
            keep = np.array([one == group for one in groups])
            alone, both = (macro_f1(truth[keep], c[keep], len(URGENCY)) for c in (chosen, np.minimum(chosen, floors)))
            print(f"urgency, {name:14} {group:18} macro-F1 {alone:.3f} alone, {both:.3f} under the rules")
        for part in sorted({row.source for row in rows}):
            critical = np.array([row.source == part for row in rows]) & (truth == URGENCY.index("critical"))
            recall = [(c[critical] == 0).mean() for c in (chosen, np.minimum(chosen, floors))]
            print(
                f"urgency, {name:14} {part:18} recall of critical {recall[0]:.2f} alone, {recall[1]:.2f} under the rules"
            )


def _place(hit: Hit) -> int:
    return len(URGENCY) if hit.floor is None else URGENCY.index(hit.floor.value)


def write_heads(out: Path, fitted: dict[str, dict[str, Any]], version: str) -> None:
    heads = {
        "id": MODEL_ID,
        "version": version,
        "labels": {head.name: list(head.labels) for head in SHIPPED_HEADS},
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
    for head in ("sentiment", "urgency", "needs_reply"):
        found[f"{head}_agreement"] = float((reference[head].argmax(1) == other[head].argmax(1)).mean())
        found[f"{head}_flips"] = int((reference[head].argmax(1) != other[head].argmax(1)).sum())
        found[f"{head}_largest"] = float(np.abs(probabilities(reference[head]) - probabilities(other[head])).max())
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
    parser.add_argument("--checkpoint", type=Path, help="a stage's folder, as train.py leaves it")
    parser.add_argument("--data", type=Path, default=os.environ.get("DYZUR_DATA"), help="for the calibration")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--version", default="1")
    parser.add_argument("--recalibrate", action="store_true", help="only write heads.json anew for the model in OUT")
    parser.add_argument("--proof", type=Path, help="compare with float weights and write the figures here (slow)")
    options = parser.parse_args(arguments)
    if options.data is None:
        parser.error("--data is missing: give the folder that holds train/ and dev/, or set DYZUR_DATA")
    rows = dev_sets(sets.load_plan(), Path(options.data))
    if options.recalibrate:
        from transformers import AutoTokenizer

        fitted = calibrate(rows, onnx_runner(options.out / "model.onnx"), AutoTokenizer.from_pretrained(options.out))
        write_heads(options.out, fitted, options.version)
        return
    if options.checkpoint is None:
        parser.error("--checkpoint is missing: give a stage's folder, as train.py leaves it")
    from triage.training.train import load_checkpoint

    network, tokenizer = load_checkpoint(options.checkpoint)
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    write_model(state, network.encoder.config, options.out / "model.onnx", int8=True, version=options.version)
    tokenizer.save_pretrained(options.out)
    write_pieces(options.out)
    network.encoder.config.save_pretrained(options.out)
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
