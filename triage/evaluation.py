"""A classifier against labels that people gave: rows go in as they are judged, a report comes out. Pure.

Texts are not kept (a million rows fit into memory), but for the few worst mistakes where somebody asks for them.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from social.domain.assessment import Assessment, Flag, Head, Sentiment, Urgency
from triage.checkpoint import SENTIMENTS, URGENCIES
from triage.slices import slices_of

#: The heads whose probabilities an assessment carries, and their labels in the order of the probabilities.
SCORED: Mapping[Head, tuple[str, ...]] = {
    Head.SENTIMENT: tuple(label.value for label in SENTIMENTS),
    Head.URGENCY: tuple(label.value for label in URGENCIES),
}
YES_NO = ("no", "yes")
FLAGS = tuple(flag.value for flag in Flag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """What a person said about a text; None: nothing."""

    sentiment: Sentiment | None = None
    urgency: Urgency | None = None
    needs_reply: bool | None = None
    flags: frozenset[Flag] | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledText:
    """``line`` is where it stands in its file."""

    line: int
    text: str
    gold: Gold


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Mistake:
    """A wrong label. ``confidence`` is the probability that the model gave it; 1 where a rule said it."""

    confidence: float
    line: int
    gold: str = field(compare=False)
    chosen: str = field(compare=False)
    text: str = field(compare=False, repr=False)


class Judged(NamedTuple):
    """What was said of one text under one head. ``chances`` is None where there are no probabilities."""

    gold: int
    chosen: int
    chances: Sequence[float] | None
    unsure: bool


@dataclass(slots=True)
class Collected:
    """Of one head: places of labels for each text that has a gold label (sets of flags: bits), and what else is known.
    ``languages`` and ``slices`` are names, and for each text the place of its language and a bit for each slice."""

    labels: list[str]
    gold: array[int] = field(default_factory=lambda: array("q"))
    chosen: array[int] = field(default_factory=lambda: array("q"))
    chances: array[float] = field(default_factory=lambda: array("d"))
    unsure: array[int] = field(default_factory=lambda: array("b"))
    language: array[int] = field(default_factory=lambda: array("q"))
    slices: array[int] = field(default_factory=lambda: array("q"))
    mistakes: list[Mistake] = field(default_factory=list)
    #: the same, were only negative and positive to choose from
    two_class_mistakes: list[Mistake] = field(default_factory=list)

    def place(self, label: str) -> int:
        """Of a label that may be new (languages)."""
        return _place(self.labels, label)

    def column(self, name: str) -> NDArray[Any]:
        return np.asarray(getattr(self, name))

    def probabilities(self) -> NDArray[np.float64] | None:
        """[N, labels], or None where one of the texts has none."""
        if not self.gold or len(self.chances) != len(self.gold) * len(self.labels):
            return None
        return np.asarray(self.chances).reshape(len(self.gold), len(self.labels))


class Evaluation:
    """Rows in, in any number of batches; ``triage.evaluation_report.report`` reads what was collected. ``mistakes``: how
    many of the most confident wrong answers of each head are kept with their text."""

    def __init__(self, *, mistakes: int = 0) -> None:
        self.count = 0
        self.languages: list[str] = []
        self.slice_names: list[str] = []
        self.heads: dict[Head, Collected] = {
            Head.SENTIMENT: Collected(list(SCORED[Head.SENTIMENT])),
            Head.URGENCY: Collected(list(SCORED[Head.URGENCY])),
            Head.NEEDS_REPLY: Collected(list(YES_NO)),
            Head.FLAGS: Collected(list(FLAGS)),
            Head.LANGUAGE: Collected([]),
        }
        self._most = mistakes

    def add(self, rows: Sequence[LabelledText], judged: Sequence[Assessment]) -> None:
        """One assessment a row, in order."""
        for row, assessment in zip(rows, judged, strict=True):
            self.count += 1
            language = row.gold.language or assessment.language
            bits = sum(1 << _place(self.slice_names, name) for name in slices_of(row.text, language, assessment))
            for head, said in self._said(row.gold, assessment):
                collected = self.heads[head]
                collected.gold.append(said.gold)
                collected.chosen.append(said.chosen)
                collected.chances.extend(said.chances or ())
                collected.unsure.append(said.unsure)
                collected.language.append(_place(self.languages, language))
                collected.slices.append(bits)
                if self._most:
                    self._remember(head, row, said)

    def _said(self, gold: Gold, assessment: Assessment) -> list[tuple[Head, Judged]]:
        found: list[tuple[Head, Judged]] = []

        def note(head: Head, of: int, chosen: int, chances: Sequence[float] | None = None) -> None:
            found.append((head, Judged(of, chosen, chances, head in assessment.abstained)))

        if gold.sentiment is not None:
            chances = _opinion([assessment.sentiment_scores[label] for label in SENTIMENTS])
            note(Head.SENTIMENT, SENTIMENTS.index(gold.sentiment), SENTIMENTS.index(assessment.sentiment), chances)
        if gold.urgency is not None:
            chances = _opinion([assessment.urgency_scores[label] for label in URGENCIES])
            note(Head.URGENCY, URGENCIES.index(gold.urgency), URGENCIES.index(assessment.urgency), chances)
        if gold.needs_reply is not None:
            note(Head.NEEDS_REPLY, int(gold.needs_reply), int(assessment.needs_reply))
        if gold.flags is not None:
            note(Head.FLAGS, _bits(gold.flags), _bits(assessment.flags))
        if gold.language is not None:
            place = self.heads[Head.LANGUAGE].place
            note(Head.LANGUAGE, place(gold.language), place(assessment.language))
        return found

    def _remember(self, head: Head, row: LabelledText, said: Judged) -> None:
        collected = self.heads[head]
        self._push(collected.mistakes, head, row, said.gold, said.chosen, _confidence(said.chosen, said.chances))
        if head is Head.SENTIMENT and said.chances is not None:
            chosen, chances = between_two(np.asarray([said.chances]))
            self._push(
                collected.two_class_mistakes, head, row, said.gold, int(chosen[0]), float(chances[0, int(chosen[0])])
            )

    def _push(
        self, heap: list[Mistake], head: Head, row: LabelledText, gold: int, chosen: int, confidence: float
    ) -> None:
        if gold == chosen or (len(heap) == self._most and confidence < heap[0].confidence):
            return
        # the line is negative inside the heap, so that of equals the later one leaves first
        mistake = Mistake(
            confidence=confidence,
            line=-row.line,
            gold=self._name(head, gold),
            chosen=self._name(head, chosen),
            text=row.text,
        )
        if len(heap) < self._most:
            heapq.heappush(heap, mistake)
        else:
            heapq.heappushpop(heap, mistake)

    def _name(self, head: Head, value: int) -> str:
        if head is Head.FLAGS:
            return ", ".join(flag for place, flag in enumerate(FLAGS) if value >> place & 1) or "none"
        return self.heads[head].labels[value]


def between_two(chances: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels [N] and probabilities [N, 3] of the sentiment where neutral is no answer."""
    kept = chances.copy()
    kept[:, SENTIMENTS.index(Sentiment.NEUTRAL)] = 0.0
    kept /= np.maximum(kept.sum(axis=1, keepdims=True), 1e-300)
    return kept.argmax(axis=1), kept


def _confidence(chosen: int, chances: Sequence[float] | None) -> float:
    """What a rule has raised over the model's own guess is as sure as rules are."""
    if chances is None or max(chances) > chances[chosen]:
        return 1.0
    return chances[chosen]


def _opinion(scores: list[float]) -> list[float] | None:
    """None where all are alike, which is how a judge without an opinion says so."""
    return scores if max(scores) > min(scores) else None


def _bits(flags: frozenset[Flag]) -> int:
    return sum(1 << FLAGS.index(flag.value) for flag in flags)


def _place(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)
