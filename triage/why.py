"""Which words moved the model: leave one out at a time, and see what becomes of the label's probability (occlusion).

On demand only, never while posts are judged: one text costs up to forty more passes, in one batch. It asks nothing of a
classifier but ``assess``, so it works for every backend. What is left out is a word of the text as the model reads it;
the prefix and the special tokens stay.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import regex

from social.domain.assessment import Assessment, Head, Sentiment, TextToAssess, Urgency
from social.ports import Classifier
from triage.prepare import PreparedText, prepare

#: Words of a longer text are left out in groups, so that no text costs more passes than this.
MOST_SPANS = 40

Label = TypeVar("Label", bound=StrEnum)

#: Words with their marks, handles and hashtags in one piece; runs of emoji and of punctuation.
_WORDS = regex.compile(
    r"email@example\.com|[@#]?\w[\w\p{M}]*(?:['’-]\w[\w\p{M}]*)*|(?:[^\w\s\p{M}][\p{M}\u200d]*)+|[^\s\w]+"
)
#: A mark of these alone is not worth a pass.
_QUIET = frozenset(".,;:()[]\"'„”“«»–—-/\\|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A word, or a group of neighbours, of ``Explanation.read``. ``sentiment`` and ``urgency`` are the probability of the
    chosen label less what it is without these words: above zero they speak for the label, below against it. None where
    the model says nothing about that head."""

    text: str
    start: int
    end: int
    sentiment: float | None
    urgency: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """``read`` is the text as the model reads it (handles, links and invisible characters levelled). ``sentiment`` and
    ``urgency`` are the model's own best guesses with their probabilities, before any rule raised them; None where the
    model says nothing, as rules alone do. ``words`` stand in the order of the text."""

    assessment: Assessment
    read: str
    sentiment: tuple[Sentiment, float] | None
    urgency: tuple[Urgency, float] | None
    words: tuple[Moved, ...]

    def heaviest(self, head: Head, most: int = 5, least: float = 0.01) -> tuple[Moved, ...]:
        """The words that moved ``head`` (sentiment or urgency) most, whichever way, heaviest first."""
        changes = [(word.sentiment if head is Head.SENTIMENT else word.urgency, word) for word in self.words]
        kept = [(change, word) for change, word in changes if change is not None and abs(change) >= least]
        return tuple(word for _, word in sorted(kept, key=lambda pair: -abs(pair[0]))[:most])


def explain(classifier: Classifier, item: TextToAssess) -> Explanation:
    """Judge a text and find what moved the judgement. Never raises for a text; ``ModelUnavailable`` if the model is broken."""
    prepared = prepare(item.text)
    (assessment,) = classifier.assess([item])
    sentiment, urgency = _best(assessment.sentiment_scores), _best(assessment.urgency_scores)
    spans = _spans(prepared) if sentiment or urgency else []
    whole, *without = classifier.assess(
        [_again(text, item) for text in (prepared.text, *_left_out(prepared.text, spans))]
    )
    words = tuple(
        Moved(
            text=prepared.text[start:end],
            start=start,
            end=end,
            sentiment=_change(sentiment, whole.sentiment_scores, less.sentiment_scores),
            urgency=_change(urgency, whole.urgency_scores, less.urgency_scores),
        )
        for (start, end), less in zip(spans, without, strict=True)
    )
    return Explanation(assessment=assessment, read=prepared.text, sentiment=sentiment, urgency=urgency, words=words)


def _again(text: str, item: TextToAssess) -> TextToAssess:
    """A prepared text of ``item``, such that preparing it once more changes nothing: ``&lt;`` that a customer wrote stays
    ``&lt;``."""
    return TextToAssess(text=html.escape(text, quote=False), before=item.before)


def _best(scores: Mapping[Label, float]) -> tuple[Label, float] | None:
    """The likeliest label; None where all are alike, which is how a judge without an opinion says so."""
    label = max(scores, key=lambda one: scores[one])
    return None if scores[label] == min(scores.values()) else (label, scores[label])


def _change(
    best: tuple[Label, float] | None, whole: Mapping[Label, float], without: Mapping[Label, float]
) -> float | None:
    return None if best is None else whole[best[0]] - without[best[0]]


def _spans(prepared: PreparedText) -> list[tuple[int, int]]:
    """Where the words stand, at most ``MOST_SPANS``; those of a longer text are taken together, neighbours evenly."""
    found = [match.span() for match in _WORDS.finditer(prepared.text)]
    loud = [(start, end) for start, end in found if not set(prepared.text[start:end]) <= _QUIET] or found
    size = -(-len(loud) // MOST_SPANS)
    return [
        (group[0][0], group[-1][1])
        for group in (loud[place : place + size] for place in range(0, len(loud), size or 1))
    ]


def _left_out(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    return [text[:start].rstrip(" ") + " " + text[end:].lstrip(" ") for start, end in spans]
