"""Any Hugging Face checkpoint, and the shipped one, by PyTorch. Needs the extra ``[torch]``; nothing else imports it.

Three kinds of checkpoint are understood:

- a folder with ``heads.json``: the shipped format, on the same weights as the ONNX file;
- a sequence classifier with sentiment labels (negative, neutral, positive, or stars), from a folder or the hub. It
  knows nothing about urgency, so the shipped model adds urgency and vector where it can be loaded; where not, urgency
  is left to rules and people;
- anything else is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from social.domain.assessment import ModelIdentity, Sentiment
from social.domain.errors import ModelUnavailable
from triage.checkpoint import HEADS, SENTIMENTS, SHIPPED, HeadSettings, read_checkpoint, unavailable
from triage.encoder import (
    RUNTIMES,
    VECTOR,
    Encoder,
    Ids,
    OnnxEncoder,
    Outputs,
    Run,
    Scores,
    available_threads,
    batches,
    load_tokenizer,
    open_encoder,
    pad,
    tokenize,
)

_STARS = re.compile(r"^([1-5]) ?stars?$", re.IGNORECASE)


def open_transformers(model: str | Path, *, threads: int = 0, companion: bool = True) -> Encoder:
    """An encoder on ``model``. Raises ``ModelUnavailable`` where torch is missing or the checkpoint cannot be used.
    ``companion`` lets the shipped model add what a sentiment checkpoint does not know."""
    try:
        import torch
    except ImportError as error:
        raise ModelUnavailable(
            "PyTorch is not installed.",
            resource='[triage] backend = "transformers"',
            next_step="Install the extra: pip install 'dyzur[torch]'; the other backends do without it.",
        ) from error
    torch.set_num_threads(available_threads(threads))
    if (Path(model) / HEADS).is_file():
        return _open_own(Path(model))
    sentiment = SentimentCheckpoint(model)
    return WithUrgency(sentiment, _companion(threads)) if companion else sentiment


def _open_own(folder: Path) -> Encoder:
    checkpoint = read_checkpoint(folder)
    tokenizer = load_tokenizer(folder)
    try:
        run, description = _torch_run(folder, tuple(checkpoint.heads))
    except Exception as error:  # torch and transformers have no common tree of errors
        raise unavailable("PyTorch cannot use the weights", folder, error) from error
    encoder = OnnxEncoder(checkpoint, run, description, tokenizer)
    encoder.score(["Dzień dobry", "good morning, where is my parcel?"])
    return encoder


def _torch_run(folder: Path, heads: Sequence[str]) -> tuple[Run, str]:
    """Mean pooling over the mask and linear heads, as in the exported graph."""
    import torch
    from transformers import AutoConfig, AutoModel

    from triage.weights import load_torch_state

    state = {name: torch.from_numpy(np.array(values)) for name, values in load_torch_state(folder).items()}
    body: Any = AutoModel.from_config(  # type: ignore[no-untyped-call]
        AutoConfig.from_pretrained(folder, local_files_only=True), add_pooling_layer=False
    )
    prefix = "encoder."
    missing = body.load_state_dict(
        {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}, strict=False
    )
    if lost := [name for name in missing.missing_keys if "position_ids" not in name]:
        raise ValueError(f"the checkpoint has no {lost[0]}")
    body = body.float().eval()

    def run(ids: Ids, mask: Ids) -> Outputs:
        with torch.inference_mode():
            tokens, seen = torch.from_numpy(ids), torch.from_numpy(mask)
            states = body(input_ids=tokens, attention_mask=seen).last_hidden_state
            weights = seen.unsqueeze(-1).to(states.dtype)
            mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
            found = {
                name: torch.nn.functional.linear(mean, state[f"{name}.weight"].float(), state[f"{name}.bias"].float())
                for name in heads
            }
            found[VECTOR] = torch.nn.functional.normalize(mean, dim=-1)
            return {name: values.numpy() for name, values in found.items()}

    return run, f"PyTorch {torch.__version__}"


class SentimentCheckpoint:
    """A sequence classifier whose labels are sentiments. ``score`` gives no urgency and no vectors."""

    heads: Mapping[str, HeadSettings] = {"sentiment": HeadSettings(abstain=0.5)}

    def __init__(self, model: str | Path) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification

        local = Path(model).exists()  # else a name on the hub; HF_HUB_OFFLINE keeps to what was fetched before
        self._model = str(model)
        self._torch = torch
        self._tokenizer = load_tokenizer(model, local=local)
        try:
            network = AutoModelForSequenceClassification.from_pretrained(model, local_files_only=local)
        except Exception as error:  # transformers raises whatever its parts raise
            raise unavailable("the checkpoint cannot be loaded", model, error) from error
        self._network = network.float().eval()
        self._columns = _columns(network.config.id2label, model)
        self._max_tokens = min(int(getattr(network.config, "max_position_embeddings", 514)) - 2, 256)
        revision = getattr(network.config, "_commit_hash", None) or "local"
        self.identity = ModelIdentity(id=self._model, version=str(revision)[:12])
        self.score(["Dzień dobry"])

    @property
    def runtime(self) -> str:
        return f"PyTorch {self._torch.__version__}"

    def score(self, texts: Sequence[str], languages: Sequence[str] = ()) -> Scores:
        rows = tokenize(self._tokenizer, texts, self._max_tokens)
        sentiment = np.zeros((len(rows), len(SENTIMENTS)))
        for places in batches(rows):
            ids, mask = pad([rows[place] for place in places], self._tokenizer.pad_token_id or 0)
            with self._torch.inference_mode():
                logits = self._network(
                    input_ids=self._torch.from_numpy(ids), attention_mask=self._torch.from_numpy(mask)
                ).logits
                shares = logits.softmax(-1).double().numpy()
            for column, place in self._columns.items():
                sentiment[places, place] += shares[:, column]
        if not np.isfinite(sentiment).all():
            raise unavailable("the model gives numbers that are none", self._model)
        return Scores(sentiment=sentiment / sentiment.sum(-1, keepdims=True), urgency=None, vectors=None)


class WithUrgency:
    """Sentiment from one checkpoint, urgency and vector from another (the shipped one)."""

    def __init__(self, first: SentimentCheckpoint, second: Encoder | None) -> None:
        self._first = first
        self._second = second
        self.identity = first.identity
        self.heads = {**(second.heads if second else {}), **first.heads}

    @property
    def runtime(self) -> str:
        rest = f"urgency by {self._second.identity}" if self._second else "urgency by rules and people"
        return f"{self._first.runtime}; {rest}"

    def score(self, texts: Sequence[str], languages: Sequence[str] = ()) -> Scores:
        scores = self._first.score(texts)
        if self._second is None:
            return scores
        rest = self._second.score(texts, languages)
        return Scores(sentiment=scores.sentiment, urgency=rest.urgency, vectors=rest.vectors, more=rest.more)


def _companion(threads: int) -> Encoder | None:
    """The shipped model, or None where it cannot be loaded: urgency then abstains, which is never silent."""
    for runtime in RUNTIMES:
        try:
            return open_encoder(read_checkpoint(SHIPPED), runtime, threads)
        except (ImportError, ModelUnavailable):
            continue
    return None


def _columns(labels: Mapping[Any, str], model: str | Path) -> dict[int, int]:
    """Which of our sentiments each output of the checkpoint means."""
    columns = {int(index): _sentiment_of(str(label)) for index, label in labels.items()}
    meant = {index: SENTIMENTS.index(sentiment) for index, sentiment in columns.items() if sentiment is not None}
    if len(meant) < len(columns) or not {Sentiment.NEGATIVE, Sentiment.POSITIVE} <= set(columns.values()):
        raise ModelUnavailable(
            f"its labels {sorted(map(str, labels.values()))} are not sentiments.",
            resource=f"model {model}",
            next_step="Understood are negative, neutral, positive, or 1 star to 5 stars (id2label in its config.json).",
        )
    return meant


def _sentiment_of(label: str) -> Sentiment | None:
    if stars := _STARS.match(label):
        count = int(stars.group(1))
        return Sentiment.NEGATIVE if count < 3 else Sentiment.POSITIVE if count > 3 else Sentiment.NEUTRAL
    known = {"neg": Sentiment.NEGATIVE, "neu": Sentiment.NEUTRAL, "pos": Sentiment.POSITIVE}
    name = label.lower().strip()
    return known.get(name[:3]) if name in {"neg", "neu", "pos", "negative", "neutral", "positive"} else None
