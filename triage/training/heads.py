"""Fit heads anew on a checkpoint's finished encoder: `python -m triage.training.heads --of DIR --data DIR --heads topics harm`.

Each head of a blend is the mean of heads that were learnt on other encoders, and rare answers suffer most from that. A linear
head on vectors that stay is a small convex problem: the texts are read once, and each head gets the best weights for them
(Kumar et al. 2022, "Fine-tuning can distort pretrained features": a linear probe on what fine-tuning found). `--keep 0.5` takes
the mean with what was there. The checkpoint is changed in place.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from triage.prepare import prepare
from triage.training import data as sets
from triage.training.data import ABSENT, SHIPPED_HEADS, Example, Head
from triage.training.folders import WEIGHTS
from triage.training.model import Network, known_loss, padded_batches, questions_loss
from triage.training.train import load_checkpoint

TOKENS, BATCH, STEPS = 96, 64, 600
LEARNING_RATE, DECAY, DROPOUT = 1e-2, 1e-3, 0.1


def fit_head(vectors: torch.Tensor, rows: Sequence[Example], head: Head, *, seed: int = 1) -> nn.Linear:
    """``vectors`` [N, H], one for each of ``rows``; rows that say nothing of the head do not count, and of a head with one answer
    rare answers count by the square root of their number."""
    torch.manual_seed(seed)
    layer = nn.Linear(vectors.shape[1], len(head.labels))
    given = [getattr(row, head.name) for row in rows]
    spoken = [place for place, answer in enumerate(given) if answer not in (ABSENT, ())]
    inputs, labels = vectors[spoken], torch.tensor([given[place] for place in spoken])
    weights = torch.tensor([rows[place].urgency_weight if head.name == "urgency" else 1.0 for place in spoken])
    if not head.many:
        weights = weights * _balance(labels, weights, len(head.labels))
    optimiser = torch.optim.Adam(layer.parameters(), lr=LEARNING_RATE)
    for _ in range(STEPS):
        logits = layer(nn.functional.dropout(inputs, DROPOUT))
        loss = questions_loss(logits, labels) if head.many else known_loss(logits, labels, weights)
        (loss + DECAY * (layer.weight**2).mean()).backward()
        optimiser.step()
        optimiser.zero_grad()
    print(f"{head.name}: {len(spoken)} texts, loss {float(loss.detach()):.4f}", flush=True)
    return layer


def _balance(labels: torch.Tensor, weights: torch.Tensor, count: int) -> torch.Tensor:
    of_label = torch.bincount(labels, weights=weights, minlength=count)
    return (of_label.sum() / count / of_label.clamp(min=1.0)).sqrt()[labels]


def vectors_of(network: Network, tokenizer: object, texts: Sequence[str]) -> torch.Tensor:
    """What the heads see of each text, [N, H]."""
    found = np.zeros((len(texts), network.encoder.config.hidden_size), dtype=np.float32)  # type: ignore[union-attr]
    prepared = [prepare(text).text for text in texts]
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for places, ids, mask in padded_batches(tokenizer, prepared, tokens=TOKENS, size=BATCH):
            found[places] = network.mean(ids, mask).numpy()
    return torch.from_numpy(found)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    known = {head.name: head for head in SHIPPED_HEADS if head.name != "sentiment"}
    parser.add_argument(
        "--of", type=Path, required=True, help="a checkpoint's folder; its weights are changed in place"
    )
    parser.add_argument("--heads", nargs="+", choices=sorted(known), required=True)
    parser.add_argument("--keep", type=float, default=0.0, help="how much of the old weights stays, 0 to 1 (default 0)")
    parser.add_argument("--data", type=Path, default=os.environ.get("DYZUR_DATA"), help="folder with train/ and dev/")
    options = parser.parse_args(arguments)
    if options.data is None:
        parser.error("--data is missing: give the folder that holds train/ and dev/, or set DYZUR_DATA")
    if not 0 <= options.keep < 1:
        parser.error("--keep is a share from 0 to below 1")
    rows = [
        row
        for row in sets.read_training(sets.load_plan(), Path(options.data))
        if any(getattr(row, name) not in (ABSENT, ()) for name in options.heads)
    ]
    network, tokenizer = load_checkpoint(options.of)
    vectors = vectors_of(network, tokenizer, [row.text for row in rows])
    weights = load_file(options.of / WEIGHTS)
    for name in options.heads:
        fitted = fit_head(vectors, rows, known[name])
        for part, values in (("weight", fitted.weight), ("bias", fitted.bias)):
            weights[f"{name}.{part}"] = torch.lerp(values.detach(), weights[f"{name}.{part}"], options.keep)
    fresh = options.of / f"{WEIGHTS}.new"
    save_file({name: values.contiguous() for name, values in weights.items()}, fresh)
    fresh.replace(options.of / WEIGHTS)
    print(f"{options.of}: {', '.join(options.heads)} fitted anew")


if __name__ == "__main__":
    main()
