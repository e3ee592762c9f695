"""Whether this machine's clock and a network's agree. Where they do not, nobody can say how long a customer has waited or
whether the shop is open, so nothing automatic is sent there and people are told. Only a real clock can be wrong: a paced
or stepped world has a time of its own.
"""

from __future__ import annotations

import socket
from datetime import datetime, timedelta

from social.clock import RealClock
from social.domain.assessment import Urgency
from social.engine import alerts
from social.engine.desk import Desk, LiveProfile

#: Less is the daily business of clocks, and of answers that were long on their way.
MOST = timedelta(minutes=5)
CLOCK = "clock"


def agree(desk: Desk, live: LiveProfile, now: datetime) -> bool:
    """Compare with the last answer of the profile's network; raise the alert of this machine, or settle it."""
    if getattr(desk.clock, "mode", None) != RealClock.mode:
        return True
    ahead = live.connector.clock_ahead
    if ahead is not None and isinstance(desk.clock, RealClock):
        desk.clock.witnessed(ahead)
    differ = ahead is not None and abs(ahead) > MOST
    subject = f"{live.name}@{socket.gethostname()}"
    with desk.database.read() as session:
        known = alerts.is_known(session, kind=CLOCK, subject=subject)
    if differ and not known and ahead is not None:
        minutes = round(abs(ahead).total_seconds() / 60)
        with desk.database.write() as session:
            alerts.raise_once(
                session,
                kind=CLOCK,
                subject=subject,
                message=f"the clock of {socket.gethostname()} is {minutes} min {'behind' if ahead > MOST else 'ahead of'} that "
                f"of {live.name}'s network; nothing automatic is sent there until they agree",
                now=now,
                urgency=Urgency.HIGH,
                brand_id=live.brand_id,
                profile_id=live.id,
            )
    elif not differ and ahead is not None and known:
        with desk.database.write() as session:
            alerts.settle(session, kind=CLOCK, subject=subject)
    return not differ


def surely_by(desk: Desk, live: LiveProfile, now: datetime) -> datetime:
    """``now``, or what the network's clock shows where ours is ahead of it: whatever is written there from here on is later.
    Were a first poll dated by a clock that is a day ahead, a day of customers would count as history."""
    ahead = live.connector.clock_ahead
    if getattr(desk.clock, "mode", None) != RealClock.mode or ahead is None or ahead >= -MOST:
        return now
    return now + ahead
