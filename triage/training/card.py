"""The model card's tables of figures, in Markdown: `python -m triage.training.card FIGURES.json`, as evaluate.py writes them.

Written by a program so that the card says what was measured, and nothing else.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]
TITLES = {"sentiment": "Sentiment", "urgency": "Urgency, by the model alone", "needs_reply": "Who waits for an answer"}


def tables(lines: Sequence[Line]) -> Iterator[str]:
    """The card's lines, a table for each head that gives one answer and one for those that give several."""
    for head, title in TITLES.items():
        rows = [line for line in lines if line["head"] == head]
        if rows:
            yield f"### {title}"
            yield "| set | language | texts | majority F1 | **macro-F1** (95 %) | accuracy | macro-recall | ECE | Brier |"
            yield "|---|---|---:|---:|---|---:|---:|---:|---:|"
            yield from (_row(line) for line in rows)
            yield ""
    several = [line for line in lines if line["head"] not in TITLES]
    if several:
        yield "### Topics and harm, each answer at its own limit"
        yield "| set | head | answer | have it | of | precision | recall | F1 |"
        yield "|---|---|---|---:|---:|---:|---:|---:|"
        for line in several:
            shares = " | ".join(f"{line[name]:.2f}" for name in ("precision", "recall", "f1"))
            yield f"| {_named(line['set'])} | {line['head']} | {line['label']} | {line['have']} | {line['count']} | {shares} |"


def _row(line: Line) -> str:
    value, low, high = line["macro_f1"]
    ece, brier = (f"{line[name]:.3f}" if line[name] is not None else "" for name in ("ece", "brier"))
    return (
        f"| {_named(line['set'])} | {line['lang']} | {line['count']:,} | {line['majority_f1']:.3f} | **{value:.3f}** "
        f"({low:.3f} to {high:.3f}) | {line['accuracy'][0]:.3f} | {line['macro_recall'][0]:.3f} | {ece} | {brier} |"
    )


def _named(name: str) -> str:
    return "own corpus, held out" if name == "corpus" else name.replace("_", " ")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("figures", type=Path, help="what evaluate.py --out wrote")
    options = parser.parse_args(arguments)
    print("\n".join(tables(json.loads(options.figures.read_text(encoding="utf-8")))))


if __name__ == "__main__":
    main()
