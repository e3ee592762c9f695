"""A refusal may be one post's, or concern all that we say there: then people are told, and after abuse nothing more is said."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session

from social.domain.assessment import Urgency
from social.domain.errors import RefusalReason, Refused
from social.engine import alerts
from social.engine.desk import Desk, LiveProfile
from social.store import profiles

#: To go on after a network spoke of abuse is what accounts are locked for.
ABUSE_PAUSE = timedelta(hours=1)
#: Who may not answer one post may answer others (X says "permission" of whatever it does not explain): so many in a row are an
#: affair of the account.
TOLD_AFTER = 3
_OF_THE_ACCOUNT = frozenset({RefusalReason.ABUSE, RefusalReason.PERMISSION})


def mind_the_account(desk: Desk, live: LiveProfile, error: Refused, now: datetime) -> None:
    """After a refusal: raise the profile's alert, once, where it is more than one post's affair; where it is one of abuse,
    nothing is sent there for ``ABUSE_PAUSE``, by no machine."""
    if error.reason not in _OF_THE_ACCOUNT:
        return
    before = desk.refused_in_a_row.get(live.id, 0)
    if before >= TOLD_AFTER:
        with desk.database.read() as session:
            if not alerts.is_known(session, kind="connector", subject=_subject(live)):
                before = 0  # another machine has published since
    in_a_row = desk.refused_in_a_row[live.id] = before + 1
    abuse = error.reason is RefusalReason.ABUSE
    if not abuse and in_a_row < TOLD_AFTER:
        return
    how = "so nothing is sent there for an hour" if abuse else f"{in_a_row} replies in a row"
    with desk.database.write() as session:
        if abuse:
            profiles.record_pause(session, live.id, "write", now + ABUSE_PAUSE, now=now)
        alerts.raise_once(
            session,
            kind="connector",
            subject=_subject(live),
            message=f"{live.name} refuses what we send, {how}: {error}",
            now=now,
            urgency=Urgency.HIGH,
            brand_id=live.brand_id,
            profile_id=live.id,
        )


def settle(session: Session, live: LiveProfile) -> None:
    """Something was published there."""
    alerts.settle(session, kind="connector", subject=_subject(live))


def _subject(live: LiveProfile) -> str:
    return f"{live.name}/sending"
