"""The judgement about one text: language, sentiment, urgency, flags, and how sure we are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

UNKNOWN_LANGUAGE = "und"  # ISO 639-2 "undetermined"


class Sentiment(StrEnum):
    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class Urgency(StrEnum):
    """What happens if nobody looks before the next working morning."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for critical to 3 for low: sorts most urgent first."""
        return _RANK[self]

    @property
    def band(self) -> int:
        """0 critical, 1 high, 2 the rest: normal and low wait side by side, between them only time decides."""
        return min(self.rank, Urgency.NORMAL.rank)

    def at_least(self, other: Urgency) -> bool:
        return self.rank <= other.rank


_RANK = {urgency: rank for rank, urgency in enumerate(Urgency)}


def most_urgent(*urgencies: Urgency) -> Urgency:
    return min(urgencies, key=lambda urgency: urgency.rank)


class Flag(StrEnum):
    """What a text asks for or warns of, beside its urgency."""

    WANTS_HUMAN = "wants_human"
    OPT_OUT = "opt_out"
    FORMAL = "formal"  # reklamacja, odstąpienie, zwrot: has a statutory deadline
    SAFETY = "safety"
    SELF_HARM = "self_harm"
    LEGAL = "legal"
    FRAUD = "fraud"
    MINORS = "minors"
    PRESS = "press"
    RISING_ANGER = "rising_anger"
    OUTAGE = "outage"
    REPEAT_CONTACT = "repeat_contact"
    SPAM = "spam"
    AUTO_REPLY = "auto_reply"  # the text is a machine's answer: "your message is important to us", out of office
    ABUSE = "abuse"  # insults; whom they hit, people see for themselves
    HATE = "hate"  # against a group of people, for what they are


class Topic(StrEnum):
    """What a text is about; there may be several."""

    DELIVERY = "delivery"
    PAYMENT = "payment"
    PRODUCT_FAULT = "product_fault"
    ACCOUNT = "account"
    STAFF = "staff"
    PRICE = "price"
    BUYING_ADVICE = "buying_advice"
    OUTAGE = "outage"
    STORE = "store"
    PRAISE = "praise"
    OTHER = "other"


#: Flags on which the robot says nothing at all (policy row 3).
SILENT_FLAGS = frozenset(
    {Flag.SAFETY, Flag.SELF_HARM, Flag.LEGAL, Flag.FRAUD, Flag.MINORS, Flag.PRESS, Flag.RISING_ANGER, Flag.HATE}
)


#: Flags of what nobody has to read, unless something beside them says otherwise (policy row 1).
NOBODY_FLAGS = frozenset({Flag.SPAM, Flag.AUTO_REPLY})


class Head(StrEnum):
    """What the classifier may abstain on."""

    LANGUAGE = "language"
    SENTIMENT = "sentiment"
    URGENCY = "urgency"
    NEEDS_REPLY = "needs_reply"
    FLAGS = "flags"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a label is what it is. ``source`` is ``rule`` or ``model``; ``evidence`` the words that did it."""

    source: str
    name: str
    evidence: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIdentity:
    """Which weights spoke. ``rules-only`` says that no model was there."""

    id: str
    version: str

    def __str__(self) -> str:
        return f"{self.id}@{self.version}"


RULES_ONLY = ModelIdentity(id="rules-only", version="1")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextToAssess:
    """A text and what is known around it. ``language_hint`` comes from the network, ``context_language`` from the thread,
    the author or the profile and only decides where the text itself is too short to tell. ``before``: what the same customer
    wrote just before in the same thread, where no person has answered it; it is read along where the text says next to nothing.
    """

    text: str
    language_hint: str | None = None
    context_language: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Labels are always a best guess, also where the head is in ``abstained``; scores are probabilities that sum to 1."""

    language: str
    sentiment: Sentiment
    sentiment_scores: Mapping[Sentiment, float]
    urgency: Urgency
    urgency_scores: Mapping[Urgency, float]
    needs_reply: bool
    model: ModelIdentity
    flags: frozenset[Flag] = frozenset()
    topics: tuple[str, ...] = ()
    abstained: frozenset[Head] = frozenset()
    reasons: tuple[Reason, ...] = ()
    truncated: bool = False
    vector: bytes | None = field(default=None, repr=False)  # 384 little-endian float32, L2-normalised

    @property
    def unsure(self) -> bool:
        """True where a person must judge. Unsure sentiment alone only means the neutral text."""
        return bool(self.abstained & {Head.LANGUAGE, Head.NEEDS_REPLY, Head.FLAGS})
