"""Which incident a case belongs to, and whether it rings: fifty customers who report one outage ring one bell."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from social.domain.assessment import SILENT_FLAGS, Assessment, Flag, Sentiment, Urgency
from social.domain.decision import Decision
from social.domain.incident import Incident
from social.engine import alerts
from social.engine.crisis import subject_of
from social.engine.desk import LiveProfile
from social.store import incidents

#: Rules whose complaints are what the brake was pulled for.
_OF_THE_CRISIS = frozenset({"crisis", "holding"})


def join_and_ring(
    session: Session,
    live: LiveProfile,
    case_id: int,
    decision: Decision,
    assessment: Assessment,
    crisis: Incident | None,
    now: datetime,
) -> None:
    """Safety, law, fraud and their like are never grouped: each of them rings by itself."""
    alone = not assessment.flags.isdisjoint(SILENT_FLAGS)
    if Flag.OUTAGE in assessment.flags and not alone:
        outage = incidents.outage_of(session, brand_id=live.brand_id, now=now)
        incidents.join(session, outage.id, case_id, now=now)
        if decision.alert:
            _ring_once(session, live, case_id, decision, outage, now)
        return
    told = False
    if crisis is not None and decision.rule in _OF_THE_CRISIS and assessment.sentiment is Sentiment.NEGATIVE:
        incidents.join(session, crisis.id, case_id, now=now)
        told = decision.urgency is not Urgency.CRITICAL  # the crisis itself rang
    if decision.alert and not told:
        _ring(session, live, case_id, decision, now, subject=f"{case_id}:{decision.urgency.value}")


def _ring_once(
    session: Session, live: LiveProfile, case_id: int, decision: Decision, outage: Incident, now: datetime
) -> None:
    """Once an incident. Where it turns out to be more urgent than what people were told, the case rings for itself: who
    sleeps through a high one must be woken by a critical one."""
    alerted = outage.detail.get("alerted")
    if alerted is not None and Urgency(alerted).at_least(decision.urgency):
        return
    incidents.seen_again(session, outage.id, now=now, alerted=decision.urgency.value)
    if alerted is None:
        _ring(session, live, case_id, decision, now, subject=subject_of(outage.id), incident_id=outage.id)
    else:
        _ring(session, live, case_id, decision, now, subject=f"{case_id}:{decision.urgency.value}")


def _ring(
    session: Session,
    live: LiveProfile,
    case_id: int,
    decision: Decision,
    now: datetime,
    *,
    subject: str,
    incident_id: int | None = None,
) -> None:
    others = "" if incident_id is None else " More reports of the same outage join it without another alert."
    alerts.raise_once(
        session,
        kind="case",
        subject=subject,
        message=f"case {case_id} on {live.name} is {decision.urgency.value}: {decision.reason}.{others}",
        now=now,
        brand_id=live.brand_id,
        profile_id=live.id,
        escalation_id=case_id,
        urgency=decision.urgency,
        incident_id=incident_id,
    )
