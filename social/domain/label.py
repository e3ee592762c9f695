"""What a person says of a post that the classifier has judged, and how unsure the classifier was."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from social.domain.assessment import Flag, Head, Sentiment, Topic, Urgency
from social.domain.errors import UsageError

#: The heads that a round asks about, in the order in which it asks.
ASKED = (Head.SENTIMENT, Head.URGENCY, Head.NEEDS_REPLY)
#: What a post may be about; the corpus of `triage/training/` uses the same words.
TOPICS = tuple(Topic)


class Picked(StrEnum):
    """Why a person was shown this post. Only ``random`` ones say how good the judgement is in general."""

    UNCERTAIN = "uncertain"
    RANDOM = "random"
    DESK = "desk"  # nobody was shown it: somebody corrected it while working on its case


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One person's word on one post. ``None``: not asked, or left open."""

    sentiment: Sentiment | None = None
    urgency: Urgency | None = None
    needs_reply: bool | None = None
    topics: frozenset[str] | None = None
    flags: frozenset[Flag] | None = None

    def __post_init__(self) -> None:
        if unknown := (self.topics or frozenset()) - set(TOPICS):
            raise UsageError(f"{min(unknown)!r} is no topic.", next_step=f"There are: {', '.join(TOPICS)}.")

    @property
    def empty(self) -> bool:
        return all(value is None for value in (self.sentiment, self.urgency, self.needs_reply, self.topics, self.flags))


def margin(head: Head, sentiment: Mapping[str, float], urgency: Mapping[str, float]) -> float:
    """How far the likeliest label is ahead of the next, 0 to 1. Of ``needs_reply`` no probability is kept; it hangs on
    urgency, so there it is how far "low" and all the rest are apart."""
    if head is Head.NEEDS_REPLY:
        return abs(1 - 2 * urgency.get(Urgency.LOW, 0.0))
    scores = sentiment if head is Head.SENTIMENT else urgency
    first, second, *_ = (*sorted(scores.values(), reverse=True), 0.0, 0.0)
    return first - second


def uncertainty(
    head: Head | None, *, abstained: Collection[str], sentiment: Mapping[str, float], urgency: Mapping[str, float]
) -> tuple[bool, float]:
    """Sorts the most uncertain first: abstained ones, then by the smallest margin. ``None``: of whichever head is worst."""
    heads = ASKED if head is None else (head,)
    smallest = min(margin(one, sentiment, urgency) for one in heads)
    return not any(one in abstained for one in heads), round(smallest, 4)
