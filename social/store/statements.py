"""Holding statements: one a language and incident, prepared by the desk, approved or rejected by a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlmodel import Session

from social.domain.errors import Conflict
from social.domain.incident import STATEMENT_TRANSITIONS, Statement, StatementState
from social.domain.reply import Composed
from social.store.rows import c
from social.store.tables import StatementRow, UserRow


def prepare(session: Session, incident_id: int, composed: Composed, *, now: datetime) -> None:
    session.add(
        StatementRow(
            incident_id=incident_id,
            language=composed.language,
            text=composed.text,
            variant=composed.variant,
            state=StatementState.WAITING.value,
            made_at=now,
        )
    )
    session.flush()


def of_incidents(session: Session, incident_ids: Sequence[int]) -> dict[int, tuple[Statement, ...]]:
    """incident -> its statements, in the order of the brand's languages."""
    if not incident_ids:
        return {}
    rows = session.execute(
        select(StatementRow, c(UserRow).name)
        .outerjoin(UserRow, c(UserRow).id == c(StatementRow).decided_by)
        .where(c(StatementRow).incident_id.in_(incident_ids))
        .order_by(c(StatementRow).id)
    )
    found: dict[int, list[Statement]] = defaultdict(list)
    for row, decided_by in rows:
        found[row.incident_id].append(
            Statement(
                id=row.id,
                incident_id=row.incident_id,
                language=row.language,
                text=row.text,
                variant=row.variant,
                problem=row.problem,
                state=StatementState(row.state),
                decided_by=decided_by,
                decided_at=row.decided_at,
            )
        )
    return {incident_id: tuple(statements) for incident_id, statements in found.items()}


def move(session: Session, statement: Statement, following: StatementState, **values: Any) -> None:
    """Raises ``Conflict`` where its state does not allow it, or somebody else was quicker."""
    if following not in STATEMENT_TRANSITIONS[statement.state]:
        raise Conflict(f"the statement in {statement.language!r} is {statement.state} and cannot become {following}.")
    columns = c(StatementRow)
    changed: Any = session.execute(
        update(StatementRow)
        .where(columns.id == statement.id, columns.state == statement.state.value)
        .values(state=following.value, **values)
        .execution_options(synchronize_session="fetch")
    )
    if changed.rowcount != 1:
        raise Conflict("the statement was changed by somebody else just now.", next_step="Look again and repeat.")


def end_with(session: Session, incident_id: int) -> None:
    """Nobody is told of a crisis that is over."""
    session.execute(
        update(StatementRow)
        .where(c(StatementRow).incident_id == incident_id)
        .values(state=StatementState.ENDED.value)
        .execution_options(synchronize_session="fetch")
    )
