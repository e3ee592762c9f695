"""What people do with an incident: approve or reject its holding statement, end it. One transaction each, and no network.

An approved statement is what the robot says to the customers who complain while the crisis runs: inside their hour, once a
conversation, through the same outbox, guard and platform rules as its acknowledgements.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session

from connectors import registry
from responders import holding
from social.domain.errors import Conflict, DyzurError, NotFound
from social.domain.incident import Incident, IncidentKind, IncidentState, Statement, StatementState
from social.domain.reply import ReplyKind
from social.engine.crisis import lift, somebody_cares
from social.ports import ReplyRules
from social.store import incidents, statements, users
from social.store.journal import note
from social.store.rows import c
from social.store.session import Database
from social.store.tables import BrandRow, ProfileRow

#: What a person's own words are called beside the names of the fixed texts.
OWN_WORDS = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementContext:
    """What the network of the incident's profile declares. Reading it opens nothing."""

    brand: str
    rules: ReplyRules
    private_channel: bool


class UnfitStatement(DyzurError):
    """A machine may not send these words."""

    permanent = True
    exit_code = 2


def context_of(database: Database, incident_id: int) -> StatementContext:
    """Raises ``NotFound``, and ``Conflict`` for an incident that has no statements."""
    with database.read() as session:
        incident = incidents.get(session, incident_id)
        _refuse_without_statements(incident)
        brand, network = session.execute(
            select(c(BrandRow).name, c(ProfileRow).network)
            .join(ProfileRow, c(ProfileRow).brand_id == c(BrandRow).id)
            .where(c(ProfileRow).id == incident.profile_id)
        ).one()
    connector = registry.load(network)
    return StatementContext(
        brand=brand, rules=connector.reply_rules, private_channel=connector.capabilities.private_channel
    )


def approve(
    database: Database,
    context: StatementContext,
    incident_id: int,
    *,
    user: str,
    now: datetime,
    language: str | None = None,
    problem: str | None = None,
    text: str | None = None,
) -> Incident:
    """Let the robot say it. Without ``language``: every statement of the incident that waits. ``problem`` chooses words
    from the fixed list; ``text`` is the person's own, and needs the language where there are several.

    Raises ``NotFound``, ``Conflict`` (over, or approved already), ``UnfitStatement``.
    """
    with database.write() as session:
        who = users.user_id(session, user, now=now)
        incident = _running(session, incident_id)
        chosen = _chosen(incident, language)
        if text is not None and len(chosen) > 1:
            known = ", ".join(statement.language for statement in chosen)
            raise Conflict("the text is in one language.", next_step=f"Say in which: --language ({known})")
        for statement in chosen:
            variant, words = _words(statement, context, problem=problem, text=text)
            objections = holding.objections(words, rules=context.rules, private_channel=context.private_channel)
            if objections:
                raise UnfitStatement(" ".join(objections), resource=f"the statement in {statement.language!r}")
            statements.move(
                session,
                statement,
                StatementState.APPROVED,
                text=words,
                variant=variant,
                problem=problem if text is None else None,
                decided_by=who,
                decided_at=now,
            )
            _note(session, incident, statement, "approved", user=user, now=now, variant=variant)
        incidents.decide_again(session, incident.profile_id or 0, now=now)
        somebody_cares(session, incident)
        return incidents.get(session, incident_id)


def reject(
    database: Database,
    incident_id: int,
    *,
    user: str,
    now: datetime,
    language: str | None = None,
) -> Incident:
    """Not to be said; an approved one is taken back, and what is planned of it is cancelled. Raises ``NotFound``,
    ``Conflict``."""
    with database.write() as session:
        who = users.user_id(session, user, now=now)
        incident = _running(session, incident_id)
        _refuse_without_statements(incident)
        standing = (StatementState.WAITING, StatementState.APPROVED)
        chosen = [item for item in _in(incident, language) if language or item.state in standing]
        if not chosen:
            raise Conflict("every statement is rejected already.", resource=f"incident {incident_id}")
        for statement in chosen:
            statements.move(session, statement, StatementState.REJECTED, decided_by=who, decided_at=now)
            _note(session, incident, statement, "rejected", user=user, now=now)
        profile_id = incident.profile_id or 0
        reason = f"{user.strip()} took the holding statement back"
        if incidents.cancel_plans(session, profile_id, (ReplyKind.HOLDING,), now=now, reason=reason):
            incidents.decide_again(session, profile_id, now=now)
        somebody_cares(session, incident)
        return incidents.get(session, incident_id)


def end(
    database: Database,
    incident_id: int,
    *,
    user: str,
    now: datetime,
) -> Incident:
    """A person ends it: the brake is lifted, and stays so until the complaints have calmed down. Raises ``NotFound``,
    ``Conflict``."""
    with database.write() as session:
        users.user_id(session, user, now=now)
        lift(session, _running(session, incident_id), by=user.strip(), now=now)
        return incidents.get(session, incident_id)


# --- pieces ------------------------------------------------------------------------------------------------------------


def _running(session: Session, incident_id: int) -> Incident:
    incident = incidents.get(session, incident_id, lock=True)
    if incident.state is not IncidentState.RUNNING:
        raise Conflict(f"it is over: ended by {incident.ended_by}.", resource=f"incident {incident_id}")
    return incident


def _refuse_without_statements(incident: Incident) -> None:
    if incident.kind is not IncidentKind.CRISIS:
        raise Conflict(
            f"an {incident.kind} has no holding statement.",
            resource=f"incident {incident.id}",
            next_step="Answer its cases, or end it: social statement end",
        )


def _in(incident: Incident, language: str | None) -> list[Statement]:
    found = [item for item in incident.statements if language in (None, item.language)]
    if not found:
        known = ", ".join(item.language for item in incident.statements) or "none"
        raise NotFound(
            f"no statement was prepared{f' in {language!r}' if language else ''}.",
            resource=f"incident {incident.id}",
            next_step=f"There are: {known}.",
        )
    return found


def _chosen(incident: Incident, language: str | None) -> list[Statement]:
    """What is to be approved: those that wait, or the named one, even if it was rejected before."""
    found = _in(incident, language)
    chosen = [item for item in found if language or item.state is StatementState.WAITING]
    approved = next((item for item in found if item.state is StatementState.APPROVED), None)
    if approved is not None and (language or not chosen):
        raise Conflict(
            f"it is approved already, by {approved.decided_by}.",
            resource=f"incident {incident.id}, {approved.language!r}",
            next_step=f"To say something else, take it back first: social statement reject {incident.id}",
        )
    if not chosen:
        raise Conflict(
            "every statement was rejected.",
            resource=f"incident {incident.id}",
            next_step="To approve one all the same, name its language: --language",
        )
    return chosen


def _words(
    statement: Statement, context: StatementContext, *, problem: str | None, text: str | None
) -> tuple[str, str]:
    """(name of the variant, text)."""
    if text is not None:
        return OWN_WORDS, text.strip()
    if problem is None:
        return statement.variant, statement.text
    known = holding.problems_in(statement.language)
    if problem not in known:
        raise NotFound(f"there are no words for {problem!r}.", next_step=f"There are: {', '.join(known)}.")
    composed = holding.prepare(language=statement.language, brand=context.brand, rules=context.rules, problem=problem)
    if composed is None:
        raise UnfitStatement("no text with these words is short enough for the network.")
    return composed.variant, composed.text


def _note(
    session: Session,
    incident: Incident,
    statement: Statement,
    verb: str,
    *,
    user: str,
    now: datetime,
    variant: str | None = None,
) -> None:
    detail = {"incident": incident.id, "language": statement.language, "variant": variant or statement.variant}
    note(session, at=now, actor=user.strip(), verb=verb, subject="statement", subject_id=statement.id, detail=detail)
