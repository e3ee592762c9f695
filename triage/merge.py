"""Rules, language and model become one ``Assessment``. Pure, and simple on purpose: everything here can be said aloud.

- Urgency is the most urgent of what the model says and of the floors of the rules that fired. Advertising or a machine's
  answer alone turns ``normal`` into ``low``; neither hides what the model holds to be high or critical.
- A flag comes from a rule and is certain when a rule fires. Where the model sees something critical and no rule can say
  what, the flags are unsure: nobody knows yet whether this is injury, fraud or a lawsuit, and the robot must not talk.
- ``needs_reply`` is urgency above low, or a flag that asks for people. It is unsure while the model wavers between
  low and the rest, unless a rule has decided it.
- A head abstains below its own threshold (``heads.json``); the label is still the best guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from social.domain.assessment import (
    NOBODY_FLAGS,
    RULES_ONLY,
    Assessment,
    Flag,
    Head,
    ModelIdentity,
    Reason,
    Sentiment,
    Urgency,
    most_urgent,
)
from triage.calibrate import Floats
from triage.checkpoint import SENTIMENTS, URGENCIES, HeadSettings
from triage.language import LanguageGuess
from triage.prepare import PreparedText
from triage.rules import Hit

Label = TypeVar("Label")

#: Flags that a person must act on. An opt-out is honoured by the robot itself.
PEOPLE_FLAGS = frozenset(Flag) - {Flag.OPT_OUT} - NOBODY_FLAGS
#: Flags that say what is critical about a text.
EXPLAINS_CRITICAL = frozenset(
    {Flag.SAFETY, Flag.SELF_HARM, Flag.LEGAL, Flag.FRAUD, Flag.MINORS, Flag.PRESS, Flag.OUTAGE}
)
#: From this probability of critical on, something must explain it. Low on purpose: a person who looks in vain costs a
#: minute, a cheerful robot under a report of an injury costs much more. It belongs to the bias in ``heads.json``, which
#: lowers this probability: measured in triage/model/README.md, "Calibration".
DOUBT_CRITICAL = 0.25
#: Between these probabilities of "low" nobody knows whether an answer is needed ...
DOUBT_LOW = (0.4, 0.6)
#: ... unless the text is this surely praise: of 22 such dev texts called "low" one wanted an answer, of the others a third.
SURE_PRAISE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOpinion:
    """What the model says about one text; ``urgency`` is None for a checkpoint that only knows sentiment."""

    identity: ModelIdentity
    sentiment: Floats  # [3]
    urgency: Floats | None  # [4]
    vector: NDArray[np.float32] | None  # [384]
    sentiment_head: HeadSettings
    urgency_head: HeadSettings


def merge(prepared: PreparedText, language: LanguageGuess, hits: Sequence[Hit], opinion: ModelOpinion) -> Assessment:
    """The assessment of one text by rules and model."""
    sentiment = SENTIMENTS[int(opinion.sentiment.argmax())]
    scores = opinion.urgency if opinion.urgency is not None else np.full(len(URGENCIES), 1 / len(URGENCIES))
    guess = URGENCIES[int(scores.argmax())] if opinion.urgency is not None else Urgency.NORMAL
    flags = flags_of(hits)
    urgency = _urgency(guess, hits, flags)
    abstained = set() if language.certain else {Head.LANGUAGE}
    if opinion.sentiment.max() < opinion.sentiment_head.abstain:
        abstained.add(Head.SENTIMENT)
    if scores.max() < opinion.urgency_head.abstain or opinion.urgency is None:
        abstained.add(Head.URGENCY)
    low, critical = float(scores[URGENCIES.index(Urgency.LOW)]), float(scores[URGENCIES.index(Urgency.CRITICAL)])
    decided = bool(flags & (PEOPLE_FLAGS | NOBODY_FLAGS)) or _floor(hits) is not None
    praise = guess is Urgency.LOW and float(opinion.sentiment[SENTIMENTS.index(Sentiment.POSITIVE)]) >= SURE_PRAISE
    if not decided and not praise and (opinion.urgency is None or DOUBT_LOW[0] < low < DOUBT_LOW[1]):
        abstained.add(Head.NEEDS_REPLY)
    unexplained = critical >= DOUBT_CRITICAL or guess is Urgency.CRITICAL
    if opinion.urgency is not None and unexplained and not flags & EXPLAINS_CRITICAL:
        abstained.add(Head.FLAGS)
    return Assessment(
        language=language.code,
        sentiment=sentiment,
        sentiment_scores=_by_label(SENTIMENTS, opinion.sentiment),
        urgency=urgency,
        urgency_scores=_by_label(URGENCIES, scores),
        needs_reply=urgency is not Urgency.LOW or bool(flags & PEOPLE_FLAGS),
        model=opinion.identity,
        flags=flags,
        abstained=frozenset(abstained),
        reasons=(*(hit.reason() for hit in hits), *_model_reasons(sentiment, guess, opinion)),
        truncated=prepared.truncated,
        vector=None if opinion.vector is None else opinion.vector.astype("<f4").tobytes(),
    )


def rules_alone(
    prepared: PreparedText, language: LanguageGuess, hits: Sequence[Hit], *, harmless: bool, why: str
) -> Assessment:
    """The assessment without a model: every head abstains and everything not obviously harmless needs people."""
    flags = flags_of(hits)
    nobody = (harmless or bool(flags & NOBODY_FLAGS)) and not flags & PEOPLE_FLAGS
    urgency = most_urgent(_floor(hits) or Urgency.LOW, Urgency.LOW if nobody else Urgency.NORMAL)
    even = {sentiment: 1 / len(SENTIMENTS) for sentiment in SENTIMENTS}
    return Assessment(
        language=language.code,
        sentiment=Sentiment.NEUTRAL,
        sentiment_scores=even,
        urgency=urgency,
        urgency_scores={level: 1 / len(URGENCIES) for level in URGENCIES},
        needs_reply=not nobody,
        model=RULES_ONLY,
        flags=flags,
        abstained=frozenset(Head),
        reasons=(
            *(hit.reason() for hit in hits),
            Reason(source="rule", name="no-model", evidence=why, effect="unsure of everything: a person decides"),
        ),
        truncated=prepared.truncated,
    )


def flags_of(hits: Sequence[Hit]) -> frozenset[Flag]:
    """All flags set; beside one that needs people, nothing is for nobody."""
    flags = frozenset(hit.flag for hit in hits if hit.flag is not None)
    return flags - NOBODY_FLAGS if flags & PEOPLE_FLAGS else flags


def _floor(hits: Sequence[Hit]) -> Urgency | None:
    floors = [hit.floor for hit in hits if hit.floor is not None]
    return most_urgent(*floors) if floors else None


def _urgency(guess: Urgency, hits: Sequence[Hit], flags: frozenset[Flag]) -> Urgency:
    if flags & NOBODY_FLAGS and not guess.at_least(Urgency.HIGH):
        guess = Urgency.LOW
    return most_urgent(guess, _floor(hits) or Urgency.LOW)


def _by_label(labels: Sequence[Label], scores: Floats) -> dict[Label, float]:
    return {label: float(score) for label, score in zip(labels, scores, strict=True)}


def _model_reasons(sentiment: Sentiment, guess: Urgency, opinion: ModelOpinion) -> list[Reason]:
    reasons = [_model_reason("sentiment", sentiment.value, float(opinion.sentiment.max()))]
    if opinion.urgency is not None:
        reasons.append(_model_reason("urgency", guess.value, float(opinion.urgency.max())))
    return reasons


def _model_reason(name: str, label: str, probability: float) -> Reason:
    return Reason(source="model", name=name, evidence=f"{probability:.0%}", effect=label)
