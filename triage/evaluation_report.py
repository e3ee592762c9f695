"""What an ``Evaluation`` found: scores for each head and language, the worst slices, thresholds, mistakes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from social.domain.assessment import Head, Sentiment, Urgency
from triage import measures
from triage.calibrate import Floats
from triage.checkpoint import SENTIMENTS, URGENCIES
from triage.evaluation import Collected, Evaluation, Mistake, between_two
from triage.measures import LabelScore, Score, Threshold

ALL = "all"
#: A slice of fewer texts says nothing; so many of the worst are shown.
LEAST_OF_A_SLICE, WORST = 30, 5
NEUTRAL = SENTIMENTS.index(Sentiment.NEUTRAL)

Kept = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadReport:
    """Of one head on the texts of one language (or ``all``). ``table`` [gold][chosen] counts texts over ``labels``, None
    for sets of flags; ``ece`` and ``brier`` are of the model's own probabilities, before rules raise anything. ``covered``
    is the share of texts that the head did not abstain on, ``accuracy_when_sure`` the accuracy on those."""

    head: Head
    language: str
    score: Score
    ece: float | None
    brier: float | None
    labels: tuple[LabelScore, ...]
    table: list[list[int]] | None
    covered: float
    accuracy_when_sure: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A kind of texts on which a head is worse than on the whole (``accuracy`` against ``whole``)."""

    head: Head
    name: str
    count: int
    accuracy: float
    whole: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Above which probability of ``label`` a head reaches the wanted precision; ``label`` is ``any``: above which top
    probability its answer is right so often. ``threshold`` None: ``note`` says why."""

    head: Head
    label: str
    languages: tuple[str, ...]
    positives: int
    threshold: Threshold | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    count: int
    two_class: bool
    heads: tuple[HeadReport, ...]
    slices: tuple[Slice, ...]
    suggestions: tuple[Suggestion, ...]
    mistakes: dict[Head, tuple[Mistake, ...]]


def report(evaluation: Evaluation, *, two_class: bool | None = None, target_precision: float | None = None) -> Report:
    """``two_class`` None: yes where nobody called a text neutral but negative and positive both occur."""
    two = has_two_classes(evaluation) if two_class is None else two_class
    heads: list[HeadReport] = []
    slices: list[Slice] = []
    suggestions: list[Suggestion] = []
    for head, collected in evaluation.heads.items():
        if not collected.gold:
            continue
        view = _View(head, collected, evaluation, two_class=two and head is Head.SENTIMENT)
        heads += view.reports()
        slices += view.worst()
        if target_precision is not None and view.chances is not None:
            suggestions += view.suggestions(target_precision)
    return Report(
        count=evaluation.count,
        two_class=two,
        heads=tuple(heads),
        slices=tuple(slices),
        suggestions=tuple(suggestions),
        mistakes={head: _mistakes(head, evaluation.heads[head], two) for head in evaluation.heads},
    )


def has_two_classes(evaluation: Evaluation) -> bool:
    return set(evaluation.heads[Head.SENTIMENT].gold) == {
        SENTIMENTS.index(label) for label in (Sentiment.NEGATIVE, Sentiment.POSITIVE)
    }


def _mistakes(head: Head, collected: Collected, two_class: bool) -> tuple[Mistake, ...]:
    kept = collected.two_class_mistakes if two_class and head is Head.SENTIMENT else collected.mistakes
    return tuple(replace(mistake, line=-mistake.line) for mistake in sorted(kept, reverse=True))


class _View:
    """One head's columns as arrays, and the choice between two classes made."""

    def __init__(self, head: Head, collected: Collected, evaluation: Evaluation, *, two_class: bool) -> None:
        self.head = head
        self.labels = collected.labels
        self.two_class = two_class
        self.gold, self.chosen = collected.column("gold"), collected.column("chosen")
        self.chances = collected.probabilities()
        if two_class and self.chances is not None:
            self.chosen, _ = between_two(self.chances)
        self.sure = collected.column("unsure") == 0
        self.language, self.languages = collected.column("language"), evaluation.languages
        self.slices, self.slice_names = collected.column("slices"), evaluation.slice_names
        self.right = self.gold == self.chosen

    # --- scores ---

    def reports(self) -> list[HeadReport]:
        """Of all texts, then of each language where there are several; which languages are recognised is one question."""
        found = [self._report(ALL, np.ones(len(self.gold), dtype=bool))]
        spoken = self._spoken()
        if len(spoken) > 1 and self.head is not Head.LANGUAGE:
            found += [self._report(name, self.language == place) for place, name in spoken]
        return found

    def _spoken(self) -> list[tuple[int, str]]:
        """Languages that occur, the most frequent first."""
        counts = np.bincount(self.language, minlength=len(self.languages))
        order = sorted(range(len(self.languages)), key=lambda place: (-counts[place], self.languages[place]))
        return [(place, self.languages[place]) for place in order if counts[place]]

    def _report(self, name: str, kept: Kept) -> HeadReport:
        gold, chosen, sure = self.gold[kept], self.chosen[kept], self.sure[kept]
        table: list[list[int]] | None = None
        if self.head is Head.FLAGS:
            of, said = _sets(gold, len(self.labels)), _sets(chosen, len(self.labels))
            score, labels = measures.score_sets(of, said), measures.set_label_scores(of, said, self.labels)
        else:
            counts = measures.confusion(gold, chosen, len(self.labels))
            score = measures.score(gold, chosen, len(self.labels))
            labels, table = measures.label_scores(counts, self.labels), counts.tolist()
        # without neutral texts nobody can say how honest three probabilities are
        chances = None if self.chances is None or self.two_class else self.chances[kept]
        return HeadReport(
            head=self.head,
            language=name,
            score=score,
            ece=None if chances is None else measures.calibration_error(gold, chances),
            brier=None if chances is None else measures.brier(gold, chances),
            labels=labels,
            table=table,
            covered=float(sure.mean()),
            accuracy_when_sure=float(self.right[kept][sure].mean()) if sure.any() else None,
        )

    # --- slices ---

    def worst(self) -> list[Slice]:
        whole, found = float(self.right.mean()), []
        kinds = [(f"language {name}", self.language == place) for place, name in self._spoken()]
        kinds += [(name, (self.slices >> place & 1).astype(bool)) for place, name in enumerate(self.slice_names)]
        for name, inside in kinds:
            count = int(inside.sum())
            if LEAST_OF_A_SLICE <= count < len(inside) and (share := float(self.right[inside].mean())) < whole:
                found.append(Slice(head=self.head, name=name, count=count, accuracy=share, whole=whole))
        return sorted(found, key=lambda one: (one.accuracy, one.name))[:WORST]

    # --- thresholds ---

    def suggestions(self, target: float) -> list[Suggestion]:
        if self.two_class:
            why = "without neutral texts every precision would look better than it is"
            count = len(self.gold)
            return [Suggestion(head=self.head, label="any", languages=(), positives=count, threshold=None, note=why)]
        assert self.chances is not None  # asked by ``report``
        found = []
        for label, scores, positive in self._questions(self.chances):
            found += self._suggest(label, scores, positive, target)
        return found

    def _questions(self, chances: Floats) -> list[tuple[str, Floats, Kept]]:
        questions = [("any", chances.max(axis=1), chances.argmax(axis=1) == self.gold)]
        questions += [(label, chances[:, place], self.gold == place) for place, label in enumerate(self.labels)]
        if self.head is Head.URGENCY:
            urgent = [URGENCIES.index(Urgency.CRITICAL), URGENCIES.index(Urgency.HIGH)]
            questions.append(("critical or high", chances[:, urgent].sum(axis=1), np.isin(self.gold, urgent)))
        return questions

    def _suggest(self, label: str, scores: Floats, positive: Kept, target: float) -> list[Suggestion]:
        """A threshold for each language with enough positives; the others share one."""
        least = measures.LEAST_POSITIVES
        counts = {place: int(positive[self.language == place].sum()) for place, _ in self._spoken()}
        rich = [place for place, count in counts.items() if count >= least]
        poor = [place for place in counts if place not in rich]
        found = [self._threshold(label, scores, positive, target, [place], "") for place in rich]
        if not poor:
            return found
        names = ", ".join(self.languages[place] for place in poor)
        few = f"{names}: fewer than {least} positives"
        if len(poor) > 1 and sum(counts[place] for place in poor) >= least:
            return [*found, self._threshold(label, scores, positive, target, poor, f"{few} each, so taken together")]
        if rich:
            everything = [*rich, *poor]
            return [*found, self._threshold(label, scores, positive, target, everything, f"{few}, so all together")]
        number = sum(counts.values())
        languages = tuple(self.languages[place] for place in poor)
        note = f"{number} positives in all; at least {least} are needed to choose one"
        return [
            Suggestion(head=self.head, label=label, languages=languages, positives=number, threshold=None, note=note)
        ]

    def _threshold(
        self, label: str, scores: Floats, positive: Kept, target: float, places: Sequence[int], note: str
    ) -> Suggestion:
        kept = np.isin(self.language, places)
        found = measures.threshold_for(scores[kept], positive[kept], target)
        if found is None:
            missed = f"no threshold reaches {target:.0%} on at least {measures.LEAST_ANSWERS} answers"
            note = f"{note}; {missed}" if note else missed
        return Suggestion(
            head=self.head,
            label=label,
            languages=tuple(self.languages[place] for place in places),
            positives=int(positive[kept].sum()),
            threshold=found,
            note=note,
        )


def _sets(bits: NDArray[Any], width: int) -> Kept:
    """[N, width] of the bits of [N] numbers."""
    return (bits[:, None] >> np.arange(width) & 1).astype(bool)
