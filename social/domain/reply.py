"""A reply and the only ways in which its state may change (DESIGN: "At most once in public")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ReplyKind(StrEnum):
    ACKNOWLEDGEMENT = "acknowledgement"
    CLOSED_NOTICE = "closed-notice"
    HAND_OVER = "hand-over"
    HOLDING = "holding"
    ANSWER = "answer"  # a person's words


class SentBy(StrEnum):
    ROBOT = "robot"
    PERSON = "person"


class ReplyState(StrEnum):
    PLANNED = "planned"
    SENDING = "sending"  # the intent is committed; the wire may have been used
    SENT = "sent"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    LATE = "late"  # its time passed before it could be sent
    UNKNOWN = "unknown"  # nobody can tell; a person looks, the robot never sends again
    WOULD_HAVE_SENT = "would-have-sent"  # dry-run


#: state -> states that may follow. Whatever is not here cannot happen.
TRANSITIONS: Mapping[ReplyState, frozenset[ReplyState]] = {
    ReplyState.PLANNED: frozenset(
        {
            ReplyState.SENDING,
            ReplyState.CANCELLED,
            ReplyState.LATE,
            ReplyState.REFUSED,
            ReplyState.WOULD_HAVE_SENT,
        }
    ),
    ReplyState.SENDING: frozenset({ReplyState.SENT, ReplyState.REFUSED, ReplyState.PLANNED, ReplyState.UNKNOWN}),
    ReplyState.UNKNOWN: frozenset(
        {ReplyState.SENT, ReplyState.REFUSED}
    ),  # a person settled it, or the network told late
    ReplyState.SENT: frozenset(),
    ReplyState.REFUSED: frozenset(),
    ReplyState.CANCELLED: frozenset(),
    ReplyState.LATE: frozenset(),
    ReplyState.WOULD_HAVE_SENT: frozenset(),
}
if set(TRANSITIONS) != set(ReplyState) or not all(targets <= set(ReplyState) for targets in TRANSITIONS.values()):
    raise AssertionError("TRANSITIONS must name every reply state exactly once")

#: Replies that still may reach, or may have reached, the public.
ACTIVE_STATES = frozenset({ReplyState.PLANNED, ReplyState.SENDING})
#: Replies that the public can see, or might.
PUBLIC_STATES = frozenset({ReplyState.SENDING, ReplyState.SENT, ReplyState.UNKNOWN})


def may_follow(state: ReplyState, following: ReplyState) -> bool:
    return following in TRANSITIONS[state]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A text ready to be planned. ``facts`` are the statements in it that can go stale, name -> ISO 8601 or text."""

    text: str
    language: str
    variant: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the network gave back for a published reply."""

    native_id: str
    published_at: datetime | None = None
    permalink: str | None = None
