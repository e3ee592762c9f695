"""The crisis brake: far more customers complain on a profile than usual at this hour of the week.

It pauses the robot's acknowledgements and notices on that profile, rings people once, and prepares a holding statement that
says nothing before a person approves it (``social.engine.statements``). Calm or a person lifts it, and what still waits is
decided again. People's answers go their way all the time. In dry-run everything happens but the sending, as always.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlmodel import Session

from responders import holding
from social.domain import crisis
from social.domain.assessment import Urgency
from social.domain.crisis import HOUR, QUIET_HOURS, Reading, Volume
from social.domain.incident import Incident, IncidentKind, IncidentState
from social.domain.reply import ReplyKind
from social.engine import alerts
from social.engine.desk import Desk, LiveProfile
from social.store import incidents, statements, volume
from social.store.volume import Watched

log = logging.getLogger("social.crisis")

#: Each profile is looked at so often (world time), and soon after a batch with complaints.
LOOK_EVERY = timedelta(minutes=5)
#: Older than this (or than two polls), what was polled last does not show that it is quiet.
FRESH = timedelta(minutes=10)


def look_for_crises(desk: Desk, now: datetime) -> int:
    """Pull or lift the brake where it is due; cheap where nothing is. Returns how many incidents began or ended."""
    with desk.database.read() as session:
        due = volume.due(session, list(desk.profiles), now=now)
        quiet = incidents.quiet_outages(session, now=now)
    changed = sum(_look(desk, desk.profiles[watched.profile_id], watched, now) for watched in due)
    if quiet:
        with desk.database.write() as session:
            for outage in incidents.quiet_outages(session, now=now):
                lift(session, outage, by=incidents.CALM, now=now)
                changed += 1
    return changed


def lift(session: Session, incident: Incident, *, by: str, now: datetime) -> None:
    """End an incident, and with it the brake. By calm it is over; by a person the brake stays off until the complaints have
    calmed down. Nothing is sent late: who waits for longer than their hour gets no automatic text any more."""
    by_calm = by == incidents.CALM
    following = IncidentState.LIFTED if incident.profile_id is not None and not by_calm else IncidentState.ENDED
    incidents.end(session, incident.id, following=following, by=by, now=now)
    if incident.profile_id is not None and incident.state is IncidentState.RUNNING:
        reason = "the crisis is over"
        incidents.cancel_plans(session, incident.profile_id, (ReplyKind.HOLDING,), now=now, reason=reason)
        incidents.decide_again(session, incident.profile_id, now=now)
    if incident.kind is IncidentKind.CRISIS or not by_calm:  # an outage of the night is still told of in the morning
        somebody_cares(session, incident)


def somebody_cares(session: Session, incident: Incident) -> None:
    """Who decides on an incident has seen its alert: nobody else need be told."""
    alerts.settle(session, kind=alert_kind(incident.kind), subject=subject_of(incident.id))


def subject_of(incident_id: int) -> str:
    """The subject of an incident's alert."""
    return f"incident:{incident_id}"


def alert_kind(kind: IncidentKind) -> str:
    """An outage is told of as the case that was its first."""
    return "crisis" if kind is IncidentKind.CRISIS else "case"


# --- one profile -------------------------------------------------------------------------------------------------------


def _look(desk: Desk, live: LiveProfile, watched: Watched, now: datetime) -> int:
    with desk.database.read() as session:
        known = incidents.crises_of(session, [live.id], lifted=True).get(live.id)
        seen = _volume(session, live, watched, now, thoroughly=known is not None)
        calm = known is not None and seen is not None and crisis.is_calm(seen) and _sees(session, live, watched, now)
    reading = None if seen is None else crisis.read(seen)
    breaks_out = known is None and seen is not None and reading is not None and crisis.is_crisis(seen, reading)
    with desk.database.write() as session:
        if not volume.looked(session, watched, due_at=now + LOOK_EVERY):
            return 0
        if breaks_out and seen is not None and reading is not None:
            _pull(session, live, seen, reading, now)
        elif known is not None and calm:
            lift(session, known, by=incidents.CALM, now=now)
            log.warning("CALM         %s: the crisis (incident %d) is over", live.name, known.id)
        elif known is not None and reading is not None and not reading.quiet:
            worst = max(known.detail["customers"], reading.customers)
            incidents.seen_again(session, known.id, now=now, customers=worst)
    return int(breaks_out or calm)


def _volume(session: Session, live: LiveProfile, watched: Watched, now: datetime, *, thoroughly: bool) -> Volume | None:
    """``None`` where the running hour has too little for any crisis, so that the four weeks need not be counted."""
    posts, customers = volume.running_hour(session, live.id, now=now)
    if not thoroughly and not crisis.worth_a_look(posts=posts, customers=customers):
        return None
    return Volume(
        now=now,
        zone=live.calendar.timezone,
        posts=posts,
        customers={**volume.customers_by_hour(session, live.id, now=now), 0: customers},
        watched=now - watched.first_polled_at,
        unusual=volume.hours_of_crises(session, live.id, now=now),
    )


def _sees(session: Session, live: LiveProfile, watched: Watched, now: datetime) -> bool:
    """Nothing read is not the same as nothing written: who did not look, or did not judge, cannot say that it is calm."""
    fresh = now - watched.last_polled_at <= max(FRESH, 2 * live.poll_every)
    return fresh and volume.everything_is_judged(session, live.id, now=now, within=QUIET_HOURS * HOUR)


def _pull(session: Session, live: LiveProfile, seen: Volume, reading: Reading, now: datetime) -> None:
    incident = incidents.open_crisis(
        session,
        brand_id=live.brand_id,
        profile_id=live.id,
        detail={"cases": 0, **_numbers(seen.posts, reading)},
        now=now,
    )
    reason = "a crisis on the profile"
    incidents.cancel_plans(session, live.id, incidents.PAUSED_KINDS, now=now, reason=reason)
    incidents.decide_again(session, live.id, now=now)
    prepared = [
        composed
        for language in live.languages
        if (composed := holding.prepare(language=language, brand=live.brand, rules=live.connector.reply_rules))
    ]
    for composed in prepared:
        statements.prepare(session, incident.id, composed, now=now)
    approve = f" Read the holding statement: social statement show {incident.id}" if prepared else ""
    alerts.raise_once(
        session,
        kind=alert_kind(incident.kind),
        subject=subject_of(incident.id),
        message=f"crisis on {live.name}: {reading.customers} customers complained within an hour, "
        f"{reading.usual:.1f} are usual at this hour. The robot's acknowledgements wait there.{approve}",
        now=now,
        brand_id=live.brand_id,
        profile_id=live.id,
        urgency=Urgency.CRITICAL,
        incident_id=incident.id,
    )


def _numbers(posts: int, reading: Reading) -> dict[str, float]:
    return {
        "posts": posts,
        "customers": reading.customers,
        "usual": round(reading.usual, 2),
        "probability": float(f"{reading.probability:.1e}"),
    }
