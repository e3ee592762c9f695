"""Ask finished checkpoints what they think of every text that teaches: `python -m triage.training.teach --teachers DIR [DIR ...]
--data DIR --out FILE`.

The mean of their probabilities is what the student stage learns from beside the labels (Hinton et al. 2015, "Distilling the
knowledge in a neural network"), and all that it learns of sentiment from texts that carry another label only (Polish posts that
were read for abuse, say). Only texts that may teach are read; nothing of a set that is only measured.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from triage.training import data as sets
from triage.training.evaluate import softmax
from triage.training.model import batches_by_length, encode, pad
from triage.training.thoughts import TAUGHT, write_thoughts
from triage.training.train import load_checkpoint

TOKENS, BATCH = 96, 64


def thoughts_of(folder: Path, texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Head -> probabilities [N, labels] of one checkpoint, in the order of ``texts``."""
    network, tokenizer = load_checkpoint(folder)
    ids = encode(tokenizer, texts, TOKENS)
    labels = {head.name: len(head.labels) for head in sets.HEADS if head.name in TAUGHT}
    found = {name: np.zeros((len(texts), width)) for name, width in labels.items()}
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for number, places in enumerate(batches_by_length(ids, BATCH)):
            outputs = network(*pad([ids[place] for place in places], tokenizer.pad_token_id))
            for name, table in found.items():
                table[places] = softmax(outputs[name].float().numpy())
            if number % 200 == 0:
                print(f"{folder}: {number * BATCH}/{len(texts)} texts", flush=True)
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--teachers", type=Path, nargs="+", required=True, help="stages' folders, as train.py leaves them"
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("DYZUR_DATA"), help="folder with train/ and dev/")
    parser.add_argument("--out", type=Path, required=True, help="file for their thoughts (.npz)")
    options = parser.parse_args(arguments)
    if options.data is None:
        parser.error("--data is missing: give the folder that holds train/ and dev/, or set DYZUR_DATA")
    examples = sets.read_training(sets.load_plan(), Path(options.data))
    texts = list(dict.fromkeys(example.text for example in examples))
    told = [thoughts_of(folder, texts) for folder in options.teachers]
    mean = {name: np.mean([one[name] for one in told], axis=0) for name in TAUGHT}
    write_thoughts(options.out, texts, mean)
    print(f"{options.out}: {len(texts)} texts, {len(told)} teachers")


if __name__ == "__main__":
    main()
