"""The queue's case: what people must answer, and the only ways in which its state may change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum


class EscalationState(StrEnum):
    OPEN = "open"
    TAKEN = "taken"
    ANSWERED = "answered"
    CLOSED = "closed"


TRANSITIONS: Mapping[EscalationState, frozenset[EscalationState]] = {
    EscalationState.OPEN: frozenset({EscalationState.TAKEN, EscalationState.ANSWERED, EscalationState.CLOSED}),
    EscalationState.TAKEN: frozenset({EscalationState.OPEN, EscalationState.ANSWERED, EscalationState.CLOSED}),
    # a new post of the customer within REOPEN_WITHIN brings the same case back
    EscalationState.ANSWERED: frozenset({EscalationState.OPEN}),
    EscalationState.CLOSED: frozenset({EscalationState.OPEN}),
}
if set(TRANSITIONS) != set(EscalationState):
    raise AssertionError("TRANSITIONS must name every escalation state exactly once")

WAITING_STATES = frozenset({EscalationState.OPEN, EscalationState.TAKEN})

#: A customer's new post brings an ended case back within this time; later it opens a new one.
REOPEN_WITHIN = timedelta(hours=72)

#: Statutory time to answer a consumer's complaint in Poland (Ustawa o prawach konsumenta, art. 7a): 14 days.
FORMAL_DEADLINE = timedelta(days=14)


def may_follow(state: EscalationState, following: EscalationState) -> bool:
    return following in TRANSITIONS[state]
