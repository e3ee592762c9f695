"""Measure an exported model: `python -m triage.training.evaluate --model DIR --data DIR [--out FILE]`.

Runs the ONNX file itself, not the torch network it came from. Besides the sets of `sources.toml` (their dev parts, also
of those that never teach) it measures the tenth of the project's own corpus that never taught.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from triage.calibrate import answers, probabilities
from triage.encoder import VECTOR
from triage.measures import Estimate, brier, calibration_error, confusion, rates, score
from triage.training import data as sets
from triage.training.data import ABSENT, NEEDS_REPLY, NEUTRAL, SENTIMENT, SHIPPED_HEADS, URGENCY, Example
from triage.training.limits import f1, labels_of, precision_recall

PENALTY = 0.01
MOST_ABSTENTIONS = 1 / 3
POOLED = "all"
"""Where a set's languages are taken together: some are too few texts alone."""
Runner = Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]


def onnx_runner(model: Path, threads: int = 0) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(tokens: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, {"input_ids": tokens, "attention_mask": mask}), strict=True))

    return run


def openvino_runner(model: Path, precision: str) -> Runner:
    """`precision` is the hint "f32" or "bf16"; without bf16 units the runtime itself falls back to f32."""
    import openvino

    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    # an output has the names of all its nodes; ours is the one that a head has
    known = {head.name for head in SHIPPED_HEADS} | {VECTOR}
    names = [name for output in compiled.outputs for name in output.get_names() if name in known]

    def run(tokens: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
        results = compiled({"input_ids": tokens, "attention_mask": mask})
        return {name: np.array(results[name]) for name in names}

    return run


def predict(
    runner: Runner, tokenizer: Any, texts: Sequence[str], *, prefix: str, tokens: int, batch: int = 16
) -> dict[str, np.ndarray]:
    """Raw outputs in the order of `texts`; batches are of like length."""
    ids = tokenizer([prefix + text for text in texts], truncation=True, max_length=tokens)["input_ids"]
    order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
    found: dict[str, np.ndarray] = {}
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        width = max(len(ids[place]) for place in places)
        table = np.full((len(places), width), tokenizer.pad_token_id, dtype=np.int64)
        mask = np.zeros_like(table)
        for row, place in enumerate(places):
            table[row, : len(ids[place])] = ids[place]
            mask[row, : len(ids[place])] = 1
        for name, values in runner(table, mask).items():
            found.setdefault(name, np.zeros((len(texts), values.shape[1]), dtype=np.float32))[places] = values
    return found


def macro_f1(truth: np.ndarray, chosen: np.ndarray, labels: int) -> float:
    """Over the labels that occur in ``truth``, without an interval."""
    return float(rates(confusion(truth, chosen, labels))[1])


def fit_temperature(logits: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The temperature of a grid with the least (weighted) log-loss: it softens the probabilities and never changes a label."""

    def loss(temperature: float) -> float:
        chances = probabilities(logits, temperature)[np.arange(len(truth)), truth]
        return float(-np.average(np.log(chances + 1e-12), weights=weights))

    return float(min(np.arange(0.3, 4.01, 0.02), key=loss).round(2))


def fit_bias(logits: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> tuple[float, list[float]]:
    """Temperature and a bias for each label with the least weighted log-loss, plus a little of their squares so that a few
    hundred texts cannot drive them far. Unlike a temperature alone a bias does change labels."""
    from scipy.optimize import minimize

    places, share = np.arange(len(truth)), weights / weights.sum()

    def loss(parameters: np.ndarray) -> float:
        chances = probabilities(logits, float(np.exp(parameters[-1])), parameters[:-1])
        return float(-(share * np.log(chances[places, truth] + 1e-12)).sum() + PENALTY * (parameters**2).sum())

    found = minimize(loss, np.zeros(logits.shape[1] + 1)).x
    return round(float(np.exp(found[-1])), 2), [round(float(value), 2) for value in found[:-1]]


def cross_validate(
    logits: np.ndarray, truth: np.ndarray, weights: np.ndarray, groups: Sequence[str], folds: int = 5
) -> np.ndarray:
    """Labels that `fit_bias` gives to texts it has not seen. Each group (a set and language) is spread evenly by label."""
    fold = np.zeros(len(truth), dtype=int)
    for group in sorted(set(groups)):
        for label in range(logits.shape[1]):
            places = [i for i, name in enumerate(groups) if name == group and truth[i] == label]
            fold[places] = np.arange(len(places)) % folds
    chosen = np.zeros(len(truth), dtype=int)
    for number in range(folds):
        inside, outside = fold != number, fold == number
        temperature, bias = fit_bias(logits[inside], truth[inside], weights[inside])
        chosen[outside] = probabilities(logits[outside], temperature, bias).argmax(axis=1)
    return chosen


def fit_abstention(chances: np.ndarray, truth: np.ndarray) -> float:
    """The top probability under which an answer is more often wrong than right, within 0.34 to 0.6, but never so high that
    more than a third of the texts fall below: a head that is unsure of nearly everything tells nobody anything."""
    sure, right = chances.max(axis=1), chances.argmax(axis=1) == truth
    best = 0.34
    for limit in np.arange(0.34, 0.601, 0.02):
        if (sure < limit).mean() > MOST_ABSTENTIONS:
            break
        near = (sure >= limit - 0.04) & (sure < limit)
        if near.sum() >= 10 and right[near].mean() < 0.5:
            best = float(limit)
    return round(best, 2)


def dev_sets(plan: sets.Plan, data: Path, corpus: Path = sets.HERE / "corpus") -> dict[str, list[Example]]:
    """Every measured set by name: the dev parts, and the corpus' own test."""
    found = {s.name: sets.read_source(plan, s, data, "dev") for s in plan.sources if s.task not in ("intent", "irony")}
    found[sets.CORPUS] = sets.read_corpus(plan, held_out=True, folder=corpus)
    return {name: examples for name, examples in found.items() if examples}


def choose(chances: np.ndarray, rows: Sequence[Example], head: str) -> np.ndarray:
    """Labels chosen; a set that has no neutral is answered between the two labels it has."""
    logits = chances.copy()
    if head == "sentiment":
        logits[[row.two_class for row in rows], NEUTRAL] = -np.inf
    picked: np.ndarray = logits.argmax(axis=1)
    return picked


def measure(name: str, rows: Sequence[Example], outputs: dict[str, np.ndarray], heads: dict[str, Any]) -> list[Any]:
    """One line a head and language, and one for all languages of a set together: name, head, language, scores, per-label recall
    and precision."""
    lines = []
    spoken = np.array([row.lang for row in rows])
    languages = sorted(set(spoken.tolist()))
    for head, labels in (("sentiment", SENTIMENT), ("urgency", URGENCY), ("needs_reply", NEEDS_REPLY)):
        if head not in heads["labels"]:
            continue
        truth = np.array([getattr(row, head) for row in rows])
        chances = np.zeros(outputs[head].shape)
        for lang in languages:
            chances[spoken == lang] = calibrated(outputs[head][spoken == lang], heads, head, lang)
        for lang in (*languages, *([POOLED] if len(languages) > 1 else [])):
            keep = ((spoken == lang) | (lang == POOLED)) & (truth != ABSENT)
            if keep.any():
                kept = [row for row, wanted in zip(rows, keep, strict=True) if wanted]
                figures = _figures(truth[keep], chances[keep], kept, head, labels)
                lines.append({"set": name, "head": head, "lang": lang, **figures})
    return lines


def _figures(
    truth: np.ndarray, chances: np.ndarray, rows: Sequence[Example], head: str, labels: Sequence[str]
) -> dict[str, Any]:
    chosen = choose(chances, rows, head)
    found = score(truth, chosen, len(labels))
    majority = np.full_like(chosen, np.bincount(truth).argmax())
    # between two of three labels there is no probability to hold against the truth
    two_class = rows[0].two_class
    return {
        "count": found.count,
        "accuracy": _told(found.accuracy),
        "macro_f1": _told(found.macro_f1),
        "macro_recall": _told(found.macro_recall),
        "ece": None if two_class else calibration_error(truth, chances),
        "brier": None if two_class else brier(truth, chances),
        "majority_accuracy": float((majority == truth).mean()),
        "majority_f1": macro_f1(truth, majority, len(labels)),
        "labels": {
            label: {
                "recall": _ratio((truth == i) & (chosen == i), truth == i),
                "precision": _ratio((truth == i) & (chosen == i), chosen == i),
            }
            for i, label in enumerate(labels)
        },
    }


def calibrated(logits: np.ndarray, heads: dict[str, Any], head: str, lang: str) -> np.ndarray:
    """Probabilities by the numbers of `heads.json`, the language's own where it has some."""
    own = heads.get("by_language", {}).get(lang, {})
    settings = own if head in own.get("temperature", {}) else heads
    return probabilities(logits, settings["temperature"][head], settings.get("bias", {}).get(head, ()))


def measure_many(
    name: str, rows: Sequence[Example], outputs: dict[str, np.ndarray], heads: dict[str, Any]
) -> list[dict[str, Any]]:
    """One line a label of the heads of many answers that occurs: how many have it, precision, recall and F1 at its limit."""
    lines = []
    for head in (head for head in SHIPPED_HEADS if head.many and head.name in heads["labels"]):
        truth = labels_of([getattr(row, head.name) for row in rows], len(head.labels))
        chances = answers(outputs[head.name], heads["temperature"][head.name])
        for place, label in enumerate(head.labels):
            known = truth[:, place] != ABSENT
            right = truth[known, place] == 1
            if not right.any():
                continue
            given = chances[known, place] >= heads["limits"][head.name][place]
            precision, recall = precision_recall(given, right)
            found = {"precision": precision, "recall": recall, "f1": f1(given, right)}
            lines.append(
                {
                    "set": name,
                    "head": head.name,
                    "label": label,
                    "count": int(known.sum()),
                    "have": int(right.sum()),
                    **found,
                }
            )
    return lines


def _told(estimate: Estimate) -> list[float]:
    """The value, and the ends of its interval of 95 %."""
    return [round(number, 4) for number in (estimate.value, estimate.low, estimate.high)]


def _ratio(hits: np.ndarray, of: np.ndarray) -> float | None:
    return round(float(hits.sum() / of.sum()), 3) if of.any() else None


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=os.environ.get("DYZUR_DATA"))
    parser.add_argument("--out", type=Path, help="write the figures as JSON here as well")
    options = parser.parse_args(arguments)
    if options.data is None:
        parser.error("--data is missing: give the folder that holds train/ and dev/, or set DYZUR_DATA")
    from transformers import AutoTokenizer

    heads = json.loads((options.model / "heads.json").read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    runner = onnx_runner(options.model / "model.onnx")
    lines: list[dict[str, Any]] = []
    for name, rows in dev_sets(sets.load_plan(), Path(options.data)).items():
        texts = [row.text for row in rows]
        outputs = predict(runner, tokenizer, texts, prefix=heads["prefix"], tokens=heads["max_tokens"])
        for line in measure(name, rows, outputs, heads):
            lines.append(line)
            ece = "   - " if line["ece"] is None else f"{line['ece']:.3f}"
            print(
                f"{line['set']:22} {line['head']:11} {line['lang']} n={line['count']:5} acc={line['accuracy'][0]:.3f} "
                f"F1={line['macro_f1'][0]:.3f} ({line['macro_f1'][1]:.3f} to {line['macro_f1'][2]:.3f}) "
                f"recall={line['macro_recall'][0]:.3f} ece={ece} "
                f"majority acc={line['majority_accuracy']:.3f} F1={line['majority_f1']:.3f}",
                flush=True,
            )
        for line in measure_many(name, rows, outputs, heads):
            lines.append(line)
            print(
                f"{name:22} {line['head']:9} {line['label']:14} n={line['count']:5} have={line['have']:4} "
                f"precision={line['precision']:.3f} recall={line['recall']:.3f} F1={line['f1']:.3f}",
                flush=True,
            )
    if options.out:
        options.out.write_text(json.dumps(lines, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
