"""Ask finished checkpoints what they think of every text that teaches: `python -m triage.training.teach --sentiment DIR [DIR ...]
--urgency DIR [DIR ...] --data DIR --out FILE`.

Those of the public stage know sentiment best, those of the brand stage urgency and who waits. The mean of their probabilities
is what the student stage learns from beside the labels (Hinton et al. 2015, "Distilling the knowledge in a neural network"), and
all that it learns of sentiment from texts that carry another label only (Polish posts that were read for abuse, say). Only texts
that may teach are read; nothing of a set that is only measured.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from triage.calibrate import probabilities
from triage.training import data as sets
from triage.training.model import padded_batches
from triage.training.thoughts import write_thoughts
from triage.training.train import POOL, load_checkpoint

TOKENS, BATCH = 96, 64


def thoughts_of(folder: Path, texts: Sequence[str], heads: Sequence[str]) -> dict[str, np.ndarray]:
    """Head -> probabilities [N, labels] of one checkpoint, in the order of ``texts``."""
    network, tokenizer = load_checkpoint(folder)
    found = {head.name: np.zeros((len(texts), len(head.labels))) for head in sets.HEADS if head.name in heads}
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for places, ids, mask in padded_batches(tokenizer, texts, tokens=TOKENS, size=BATCH, told=f"{folder}: "):
            outputs = network(ids, mask)
            for name, table in found.items():
                table[places] = probabilities(outputs[name].float().numpy())
    return found


def will_draw(examples: Sequence[sets.Example], stage: sets.Stage, seed: int) -> list[int]:
    """The places of all examples that a run of ``stage`` draws."""
    chances = sets.draw_chances(examples, stage)
    pools = range(-(-stage.samples // POOL))
    return sorted({int(place) for number in pools for place in sets.pick(chances, seed, number, POOL)})


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    told = "stages' folders, as train.py leaves them, that are asked about"
    parser.add_argument("--sentiment", type=Path, nargs="+", required=True, help=f"{told} sentiment")
    parser.add_argument("--urgency", type=Path, nargs="+", required=True, help=f"{told} urgency and who waits")
    parser.add_argument("--data", type=Path, default=os.environ.get("DYZUR_DATA"), help="folder with train/ and dev/")
    parser.add_argument("--out", type=Path, required=True, help="file for their thoughts (.npz)")
    parser.add_argument(
        "--seed", type=int, default=1, help="that of the student: only the texts that it will draw are read"
    )
    options = parser.parse_args(arguments)
    if options.data is None:
        parser.error("--data is missing: give the folder that holds train/ and dev/, or set DYZUR_DATA")
    plan = sets.load_plan()
    examples = sets.read_training(plan, Path(options.data))
    texts = [examples[place].text for place in will_draw(examples, plan.stages["student"], options.seed)]
    texts = list(dict.fromkeys(texts))
    asked = {"sentiment": options.sentiment, "urgency": options.urgency, "needs_reply": options.urgency}
    heads_of: dict[Path, list[str]] = {}
    for head, folders in asked.items():
        for folder in folders:
            heads_of.setdefault(folder, []).append(head)
    said = {folder: thoughts_of(folder, texts, heads) for folder, heads in heads_of.items()}
    mean = {head: np.mean([said[folder][head] for folder in folders], axis=0) for head, folders in asked.items()}
    write_thoughts(options.out, texts, mean)
    print(f"{options.out}: {len(texts)} texts, {len(said)} teachers")


if __name__ == "__main__":
    main()
