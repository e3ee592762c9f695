"""The network: one encoder, mean pooling, a linear head a question, and the loss that only counts what is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from triage.encoder import VECTOR
from triage.training.data import ABSENT, HEADS, NEUTRAL, Example

PREFIX = "query: "
"""The encoder's family was trained with this in front of every question-like text."""
SMOOTHING = 0.05
FORBIDDEN = -1e4


class Network(nn.Module):
    """input_ids, attention_mask [B,T] -> logits of each head [B,labels] by name, and ``vector``, unit vectors [B,H]."""

    def __init__(self, encoder: nn.Module, hidden: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        for head in HEADS:
            self.add_module(head.name, nn.Linear(hidden, len(head.labels)))

    def mean(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """What the heads see, [B,H]: the mean over the tokens that are no padding."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state.float()
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        return (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        mean = self.mean(input_ids, attention_mask)
        dropped = self.dropout(mean)
        found = {head.name: self.get_submodule(head.name)(dropped) for head in HEADS}
        return {**found, VECTOR: functional.normalize(mean, dim=-1)}


def build(encoder: Path, *, from_weights: bool = True) -> Network:
    """A network on the encoder in a folder; `from_weights=False` takes its shape only (a checkpoint follows)."""
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(encoder)
    if from_weights:
        body = AutoModel.from_pretrained(encoder, add_pooling_layer=False, dtype=torch.float32)
    else:
        body = AutoModel.from_config(config, add_pooling_layer=False, dtype=torch.float32)
    return Network(body, config.hidden_size)


def freeze_embeddings(network: Network) -> None:
    """Word vectors stay as they are."""
    for parameter in network.encoder.embeddings.parameters():  # type: ignore[union-attr]
        parameter.requires_grad_(False)


def encode(tokenizer: Any, texts: Sequence[str], tokens: int) -> list[list[int]]:
    """Token ids of each text, prefix in front, cut to `tokens`, no padding."""
    ids: list[list[int]] = tokenizer([PREFIX + text for text in texts], truncation=True, max_length=tokens)["input_ids"]
    return ids


def padded_batches(
    tokenizer: Any, texts: Sequence[str], *, tokens: int, size: int, told: str = ""
) -> Iterator[tuple[list[int], torch.Tensor, torch.Tensor]]:
    """All of ``texts`` to be read once: the places of a batch, its token ids and its mask [B,T]. Says now and then how far it is,
    ``told`` in front."""
    ids = encode(tokenizer, texts, tokens)
    for number, places in enumerate(batches_by_length(ids, size)):
        yield places, *pad([ids[place] for place in places], tokenizer.pad_token_id)
        if number % 200 == 0:
            print(f"{told}{number * size}/{len(texts)} texts", flush=True)


def batches_by_length(ids: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    """Positions cut into batches of texts of like length, so that little of a batch is padding."""
    order = sorted(range(len(ids)), key=lambda position: len(ids[position]))
    return [order[start : start + size] for start in range(0, len(order), size)]


def pad(ids: Sequence[Sequence[int]], filler: int) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(row) for row in ids)
    tokens = np.full((len(ids), width), filler, dtype=np.int64)
    mask = np.zeros((len(ids), width), dtype=np.int64)
    for number, row in enumerate(ids):
        tokens[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return torch.from_numpy(tokens), torch.from_numpy(mask)


def known_loss(
    logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, forbidden: torch.Tensor | None = None
) -> torch.Tensor:
    """Smoothed cross-entropy over rows with a label, as a weighted mean; 0 when no row has one.

    `forbidden` [B, labels] marks answers a row's set could not give: they leave both the softmax and the smoothing.
    """
    known = labels != ABSENT
    allowed = torch.ones_like(logits, dtype=torch.bool) if forbidden is None else ~forbidden
    logs = functional.log_softmax(logits.masked_fill(~allowed, FORBIDDEN), dim=-1)
    target = allowed.float() * SMOOTHING / allowed.sum(-1, keepdim=True)
    target = target + (1 - SMOOTHING) * functional.one_hot(labels.clamp(min=0), logits.shape[-1])
    losses = -(target * logs.masked_fill(~allowed, 0.0)).sum(-1)
    counted = weights * known
    return (losses * counted).sum() / counted.sum().clamp(min=1.0)


def taught_loss(logits: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
    """Cross-entropy against the teachers' probabilities [B, labels], a mean over the rows that have them (the others are all
    0); 0 when there is none."""
    losses = -(taught * functional.log_softmax(logits, dim=-1)).sum(-1)
    return losses.sum() / taught.sum().clamp(min=1.0)


def questions_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy [B, labels] as a mean over the answers that are known; 0 when there is none."""
    known = (labels != ABSENT).float()
    target = labels.clamp(min=0).float() * (1 - SMOOTHING) + SMOOTHING / 2
    losses = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (losses * known).sum() / known.sum().clamp(min=1.0)


def batch_loss(
    network: Network, rows: Sequence[Example], tokens: torch.Tensor, mask: torch.Tensor, *, taught: float = 0.0
) -> torch.Tensor:
    """The heads' losses by their weights, each for as much of the batch as knows its answer: a head of which one row speaks
    does not pull as hard as one of which all do. ``taught``: the part of the teachers' word in it."""
    outputs = network(tokens, mask)
    total = torch.zeros(())
    for head in HEADS:
        logits = outputs[head.name].float()
        given = [getattr(row, head.name) for row in rows]
        if head.many:
            labels = torch.tensor([answer or (ABSENT,) * len(head.labels) for answer in given])
            loss, spoken = questions_loss(logits, labels), sum(bool(answer) for answer in given)
        else:
            labels, weights, forbidden = (
                torch.tensor(given),
                torch.ones(len(rows)),
                torch.zeros_like(logits, dtype=torch.bool),
            )
            if head.name == "urgency":
                weights = torch.tensor([row.urgency_weight for row in rows])
            if head.name == "sentiment":
                forbidden[:, NEUTRAL] = torch.tensor([row.two_class for row in rows])
            loss, spoken = known_loss(logits, labels, weights, forbidden), sum(answer != ABSENT for answer in given)
        part = 1 - taught if any(head.name in row.taught for row in rows) else 1.0
        total = total + part * head.weight * min(1.0, 2 * spoken / len(rows)) * loss
        if part < 1:
            silent = (0.0,) * len(head.labels)
            thought = torch.tensor([row.taught.get(head.name, silent) for row in rows])
            told = int((thought.sum(-1) > 0).sum())
            total = total + taught * head.weight * min(1.0, 2 * told / len(rows)) * taught_loss(logits, thought)
    return total
