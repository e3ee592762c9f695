"""One cause behind many posts: what kinds of incidents there are, and the only ways in which they, and the statements that
are prepared for them, may change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class IncidentKind(StrEnum):
    CRISIS = "crisis"  # far more complaints than usual on one profile: the brake is on
    OUTAGE = "outage"  # customers of one brand report that something is down


class IncidentState(StrEnum):
    RUNNING = "running"
    LIFTED = (
        "lifted"  # a person lifted the brake while the complaints still come: it stays off until they have calmed down
    )
    ENDED = "ended"


#: state -> states that may follow. Whatever is not here cannot happen.
TRANSITIONS: Mapping[IncidentState, frozenset[IncidentState]] = {
    IncidentState.RUNNING: frozenset({IncidentState.LIFTED, IncidentState.ENDED}),
    IncidentState.LIFTED: frozenset({IncidentState.ENDED}),
    IncidentState.ENDED: frozenset(),
}
if set(TRANSITIONS) != set(IncidentState):
    raise AssertionError("TRANSITIONS must name every incident state exactly once")


class StatementState(StrEnum):
    WAITING = "waiting"  # for a person
    APPROVED = "approved"  # the desk says it to the customers of the incident, as long as it runs
    REJECTED = "rejected"
    ENDED = "ended"  # with its incident


STATEMENT_TRANSITIONS: Mapping[StatementState, frozenset[StatementState]] = {
    StatementState.WAITING: frozenset({StatementState.APPROVED, StatementState.REJECTED, StatementState.ENDED}),
    StatementState.APPROVED: frozenset({StatementState.REJECTED, StatementState.ENDED}),
    StatementState.REJECTED: frozenset({StatementState.APPROVED, StatementState.ENDED}),
    StatementState.ENDED: frozenset(),
}
if set(STATEMENT_TRANSITIONS) != set(StatementState):
    raise AssertionError("STATEMENT_TRANSITIONS must name every statement state exactly once")

#: An outage that nobody reported for so long is over; the next report is another one.
OUTAGE_WINDOW = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A holding statement in one language. ``problem`` is a key of the fixed list in the texts; ``decided_by`` the name of
    who approved or rejected it."""

    id: int
    incident_id: int
    language: str
    text: str
    variant: str
    problem: str | None
    state: StatementState
    decided_by: str | None = None
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """``detail`` holds its numbers (how many customers, cases), never a customer's words."""

    id: int
    kind: IncidentKind
    state: IncidentState
    brand_id: int
    profile_id: int | None
    opened_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    detail: Mapping[str, Any]
    statements: tuple[Statement, ...] = ()

    def approved_for(self, language: str, *, fallback: str) -> Statement | None:
        """The statement that a customer who writes in ``language`` may be told: in it, or in the brand's first language
        where none was prepared in theirs. A rejected one is not replaced by another language."""
        prepared = {statement.language: statement for statement in self.statements}
        found = prepared.get(language.lower().split("-")[0]) or prepared.get(fallback)
        return found if found is not None and found.state is StatementState.APPROVED else None
