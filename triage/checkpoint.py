"""A checkpoint folder as it is exported: verified before it is believed. See ``triage/model/`` for the shipped one.

``heads.json`` names the labels in the order of the logits, the prefix, the longest input, a temperature and the
threshold of each head, for a head that needs one a bias for each label, for one of many answers the limit of each, and the
SHA-256 of every other file. Sentiment and urgency must be there; who waits for an answer, topics and harm may be.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from social.domain.assessment import Flag, ModelIdentity, Sentiment, Topic, Urgency
from social.domain.errors import ModelUnavailable

SHIPPED = Path(__file__).parent / "model"
HEADS = "heads.json"
MODEL = "model.onnx"
#: float32 numbers of the sentence vector that the store keeps.
VECTOR_LENGTH = 384
#: The order of the logits; the export keeps it too.
SENTIMENTS = tuple(Sentiment)
URGENCIES = tuple(Urgency)
REQUIRED: Mapping[str, tuple[str, ...]] = {"sentiment": SENTIMENTS, "urgency": URGENCIES}
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "needs_reply": ("no", "yes"),
    "topics": tuple(Topic),
    "harm": (Flag.ABUSE.value, Flag.HATE.value),
}
LABELS: Mapping[str, tuple[str, ...]] = {**REQUIRED, **OPTIONAL}
#: Heads of which each label is a question of its own; of the others one label is right.
MANY = frozenset({"topics", "harm"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """``logits / temperature + bias`` are what the probabilities are made of."""

    temperature: float
    bias: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSettings:
    """``temperature`` divides the logits, ``bias`` (a number a label, or empty for none) is added then; below
    ``abstain`` (a probability) the head only gives its best guess. ``limits``, one a label: from which probability on a head
    of many answers gives this one; for ``needs_reply`` from which on somebody waits. ``by_language`` (ISO 639-1) has its own
    temperature and bias: a model is not equally sure of itself in every language."""

    temperature: float = 1.0
    abstain: float = 0.5
    bias: tuple[float, ...] = ()
    limits: tuple[float, ...] = ()
    by_language: Mapping[str, Calibration] = field(default_factory=dict)

    def calibration(self, language: str) -> Calibration:
        """That of the language, where it has one of its own."""
        return self.by_language.get(language) or Calibration(temperature=self.temperature, bias=self.bias)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A verified folder. ``max_tokens`` counts the special tokens and the prefix."""

    folder: Path
    identity: ModelIdentity
    prefix: str
    max_tokens: int
    heads: Mapping[str, HeadSettings]

    @property
    def sentiment(self) -> HeadSettings:
        return self.heads["sentiment"]

    @property
    def urgency(self) -> HeadSettings:
        return self.heads["urgency"]


def unavailable(what: str, folder: Path | str, cause: BaseException | None = None) -> ModelUnavailable:
    """The one error of this package, with what to do about it."""
    detail = f" ({type(cause).__name__}: {str(cause).splitlines()[0][:200] if str(cause) else ''})" if cause else ""
    return ModelUnavailable(
        f"{what}{detail}.",
        resource=f"model {folder}",
        next_step="Reinstall the package, or set [triage] model to a whole checkpoint; until then rules judge alone.",
    )


def read_checkpoint(folder: Path, *, verify: bool = True) -> Checkpoint:
    """Raises ``ModelUnavailable`` for a missing file, a wrong checksum, other labels or settings out of range."""
    try:
        heads = json.loads((folder / HEADS).read_text(encoding="utf-8"))
        if verify:
            _verify_files(folder, heads["sha256"])
        _verify_labels(folder, heads["labels"])
        checkpoint = Checkpoint(
            folder=folder,
            identity=ModelIdentity(id=str(heads["id"]), version=str(heads["version"])),
            prefix=str(heads["prefix"]),
            max_tokens=int(heads["max_tokens"]),
            heads=_heads(heads),
        )
    except FileNotFoundError as error:
        raise unavailable(f"{Path(error.filename or HEADS).name} is missing", folder) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise unavailable(f"{HEADS} cannot be used", folder, error) from error
    if not 8 <= checkpoint.max_tokens <= 8192:
        raise unavailable(f"{HEADS} asks for {checkpoint.max_tokens} tokens; 8 to 8192 are possible", folder)
    return checkpoint


def _verify_files(folder: Path, expected: Mapping[str, str]) -> None:
    if MODEL not in expected:
        raise unavailable(f"{HEADS} has no checksum of {MODEL}", folder)
    for name, checksum in expected.items():
        path = folder / name
        if path.parent != folder:
            raise unavailable(f"{HEADS} names {name!r}, which is not a file of the folder", folder)
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != checksum:
                raise unavailable(f"{name} is not the file that was exported (its checksum differs)", folder)


def _verify_labels(folder: Path, labels: Mapping[str, Any]) -> None:
    for name, expected in LABELS.items():
        if (name in REQUIRED or name in labels) and tuple(labels[name]) != expected:
            raise unavailable(f"{HEADS} has other labels for {name} than {[*map(str, expected)]}", folder)


def _heads(heads: Mapping[str, Any]) -> dict[str, HeadSettings]:
    """Those that this program knows; what a newer training added beside them is left alone."""
    return {name: _head(heads, name, len(labels)) for name, labels in LABELS.items() if name in heads["labels"]}


def _head(heads: Mapping[str, Any], name: str, labels: int) -> HeadSettings:
    abstain = float(heads["abstain"][name])
    if not 0 <= abstain <= 1:
        raise ValueError(f"{name}: threshold {abstain} out of range")
    limits = tuple(float(value) for value in heads.get("limits", {}).get(name, ()))
    if len(limits) != (labels if name in OPTIONAL else 0) or not all(0 <= value <= 1 for value in limits):
        raise ValueError(f"{name}: limits {list(limits)} are not a probability for each of its labels")
    overall = _calibration(heads, name, labels)
    of_languages = {
        language: _calibration(settings, name, labels)
        for language, settings in heads.get("by_language", {}).items()
        if name in settings["temperature"]
    }
    return HeadSettings(
        temperature=overall.temperature, bias=overall.bias, abstain=abstain, limits=limits, by_language=of_languages
    )


def _calibration(settings: Mapping[str, Any], name: str, labels: int) -> Calibration:
    temperature = float(settings["temperature"][name])
    if not 0 < temperature < 100:
        raise ValueError(f"{name}: temperature {temperature} out of range")
    bias = tuple(float(value) for value in settings.get("bias", {}).get(name, ()))
    if len(bias) not in (0, labels) or not all(-10 <= value <= 10 for value in bias):
        raise ValueError(f"{name}: bias {list(bias)} is not {labels} numbers from -10 to 10")
    return Calibration(temperature=temperature, bias=bias)
