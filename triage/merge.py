"""Rules, language and model become one ``Assessment``. Pure, and simple on purpose: everything here can be said aloud.

- Urgency is the most urgent of what the model says and of the floors of the rules that fired. Advertising or a machine's
  answer alone turns ``normal`` into ``low``; neither hides what the model holds to be high or critical.
- A flag comes from a rule and is certain when a rule fires; abuse and hate come from the model. Where the model sees
  something critical and no rule can say what, the flags are unsure: nobody knows yet whether this is injury, fraud or a
  lawsuit, and the robot must not talk.
- ``needs_reply`` is what the model says of it, urgency from high on, or a flag that asks for people; for a checkpoint
  without that head urgency above low. It is unsure while the model wavers, unless a rule has decided it.
- Topics are those that the model gives from each one's own limit on.
- A head abstains below its own threshold (``heads.json``); the label is still the best guess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    Topic,
    Urgency,
    most_urgent,
)
from triage.calibrate import Floats
from triage.checkpoint import OPTIONAL, SENTIMENTS, URGENCIES, HeadSettings
from triage.language import LanguageGuess
from triage.prepare import PreparedText
from triage.rules import Hit

Label = TypeVar("Label")

#: Flags that a person must act on. An opt-out is honoured by the robot itself; who swears may want nothing of us.
PEOPLE_FLAGS = frozenset(Flag) - {Flag.OPT_OUT, Flag.ABUSE} - NOBODY_FLAGS
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
LEANS = Reason(
    source="model",
    name="thread",
    evidence="says too little alone",
    effect="read together with the customer's post before",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOpinion:
    """What the model says about one text; ``urgency`` is None for a checkpoint that only knows sentiment."""

    identity: ModelIdentity
    sentiment: Floats  # [3]
    urgency: Floats | None  # [4]
    vector: NDArray[np.float32] | None  # [384]
    heads: Mapping[str, HeadSettings]
    more: Mapping[str, Floats] = field(default_factory=dict)  # [labels] of each optional head


def merge(
    prepared: PreparedText, language: LanguageGuess, hits: Sequence[Hit], opinion: ModelOpinion, *, leans: bool = False
) -> Assessment:
    """The assessment of one text by rules and model. ``leans``: the model read it together with the customer's post before."""
    sentiment = SENTIMENTS[int(opinion.sentiment.argmax())]
    scores = opinion.urgency if opinion.urgency is not None else np.full(len(URGENCIES), 1 / len(URGENCIES))
    guess = URGENCIES[int(scores.argmax())] if opinion.urgency is not None else Urgency.NORMAL
    harms = tuple(Flag(name) for name in _given("harm", opinion))
    flags = flags_of(hits, harms)
    urgency = _urgency(guess, hits, flags)
    abstained = set() if language.certain else {Head.LANGUAGE}
    if opinion.sentiment.max() < opinion.heads["sentiment"].abstain:
        abstained.add(Head.SENTIMENT)
    if opinion.urgency is None or scores.max() < opinion.heads["urgency"].abstain:
        abstained.add(Head.URGENCY)
    low, critical = float(scores[URGENCIES.index(Urgency.LOW)]), float(scores[URGENCIES.index(Urgency.CRITICAL)])
    decided = bool(flags & (PEOPLE_FLAGS | NOBODY_FLAGS)) or _floor(hits) is not None
    waits, doubtful = _waits(opinion, guess, low)
    if not decided and doubtful:
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
        needs_reply=_needs_reply(waits, urgency, hits, flags),
        model=opinion.identity,
        flags=flags,
        topics=_given("topics", opinion),
        abstained=frozenset(abstained),
        reasons=(
            *(hit.reason() for hit in hits),
            *([LEANS] if leans else []),
            *_model_reasons(sentiment, guess, harms, opinion),
        ),
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


def _waits(opinion: ModelOpinion, guess: Urgency, low: float) -> tuple[bool, bool]:
    """Does the model think that somebody waits for an answer, and does it waver?"""
    chances = opinion.more.get("needs_reply")
    if chances is None:
        praise = guess is Urgency.LOW and float(opinion.sentiment[SENTIMENTS.index(Sentiment.POSITIVE)]) >= SURE_PRAISE
        wavers = opinion.urgency is None or DOUBT_LOW[0] < low < DOUBT_LOW[1]
        return guess is not Urgency.LOW, wavers and not praise
    head, yes = opinion.heads["needs_reply"], float(chances[1])
    return yes >= head.limits[1], max(yes, 1 - yes) < head.abstain


def _needs_reply(waits: bool, urgency: Urgency, hits: Sequence[Hit], flags: frozenset[Flag]) -> bool:
    if urgency.at_least(Urgency.HIGH) or flags & PEOPLE_FLAGS:
        return True
    asked = _floor(hits) not in (None, Urgency.LOW)
    return asked or (waits and not flags & NOBODY_FLAGS)


def _given(name: str, opinion: ModelOpinion) -> tuple[str, ...]:
    """What a head of many answers gives, the surest first; that it is about something else is no topic."""
    chances = opinion.more.get(name)
    if chances is None:
        return ()
    reached = [place for place, limit in enumerate(opinion.heads[name].limits) if chances[place] >= limit]
    labels = [OPTIONAL[name][place] for place in sorted(reached, key=lambda place: -chances[place])]
    return tuple(label for label in labels if label != Topic.OTHER)


def flags_of(hits: Sequence[Hit], harms: Sequence[Flag] = ()) -> frozenset[Flag]:
    """All flags set; beside one that needs people, nothing is for nobody."""
    flags = frozenset(hit.flag for hit in hits if hit.flag is not None) | frozenset(harms)
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


def _model_reasons(sentiment: Sentiment, guess: Urgency, harms: Sequence[Flag], opinion: ModelOpinion) -> list[Reason]:
    reasons = [_model_reason("sentiment", sentiment.value, float(opinion.sentiment.max()))]
    if opinion.urgency is not None:
        reasons.append(_model_reason("urgency", guess.value, float(opinion.urgency.max())))
    for harm in harms:
        chance = float(opinion.more["harm"][OPTIONAL["harm"].index(harm)])
        reasons.append(_model_reason("harm", harm.value, chance))
    return reasons


def _model_reason(name: str, label: str, probability: float) -> Reason:
    return Reason(source="model", name=name, evidence=f"{probability:.0%}", effect=label)
