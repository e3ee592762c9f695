"""Composition: settings in, a classifier out. The engine's only door into triage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from social.domain.errors import ModelUnavailable
from social.ports import Health
from social.settings import TriageBackend
from triage.assess import ModelClassifier, RulesClassifier
from triage.checkpoint import HEADS, SHIPPED, read_checkpoint, unavailable
from triage.encoder import RUNTIMES, Encoder, open_encoder
from triage.rules import RuleBook

#: ``auto`` takes the first that is installed and reads the model; the order is measured in docs/decisions/0002.
AUTO_ORDER = ("openvino", "onnxruntime")


def load_classifier(
    backend: TriageBackend = TriageBackend.AUTO,
    model: str | Path = "",
    threads: int = 0,
    languages: Sequence[str] = ("pl", "en"),
    *,
    rules: RuleBook | None = None,
) -> ModelClassifier | RulesClassifier:
    """The classifier that ``[triage]`` asks for, loaded, verified and tried once.

    ``model`` is a checkpoint's folder (for ``transformers`` also a name on the hub); empty: the shipped one.
    ``rules``: another book than the shipped one. Raises
    ``ModelUnavailable`` for a missing or broken model or runtime; the caller goes on with ``rules_only`` and says so.
    """
    if backend is TriageBackend.RULES:
        return rules_only('[triage] backend = "rules"', languages, rules=rules)
    if backend is TriageBackend.TRANSFORMERS:
        from triage.transformers_backend import open_transformers

        return ModelClassifier(open_transformers(model or SHIPPED, threads=threads), languages, rules=rules)
    return ModelClassifier(_open_onnx(backend, Path(model) if model else SHIPPED, threads), languages, rules=rules)


def rules_only(
    reason: str, languages: Sequence[str] = ("pl", "en"), *, rules: RuleBook | None = None
) -> RulesClassifier:
    """What goes on without a model; ``reason`` stands in every assessment, in the banner and in ``doctor``."""
    return RulesClassifier(reason, languages, rules=rules)


def health(classifier: ModelClassifier | RulesClassifier) -> Health:
    """What the classifier says about itself, for the banner and ``doctor``."""
    return classifier.health()


def _open_onnx(backend: TriageBackend, folder: Path, threads: int) -> Encoder:
    if not folder.is_dir():
        raise unavailable("there is no such folder", folder)
    if not (folder / HEADS).is_file():
        raise ModelUnavailable(
            f"{HEADS} is missing.",
            resource=f"model {folder}",
            next_step='A plain Hugging Face checkpoint needs [triage] backend = "transformers"; the shipped one is '
            "restored by reinstalling the package.",
        )
    checkpoint = read_checkpoint(folder)
    wanted = AUTO_ORDER if backend is TriageBackend.AUTO else (backend.value,)
    obstacle: Exception | None = None
    for runtime in wanted:
        try:
            return open_encoder(checkpoint, runtime, threads)
        except ImportError as error:  # the other one may be there
            obstacle = obstacle or error
        except ModelUnavailable as error:
            obstacle = error
    if isinstance(obstacle, ModelUnavailable):
        raise obstacle
    raise ModelUnavailable(
        f"{' and '.join(wanted)} cannot be imported ({obstacle}).",
        resource="triage",
        next_step=f"Install {' or '.join(wanted)} with pip, or set [triage] backend to one of: {', '.join(RUNTIMES)}.",
    ) from obstacle
