"""A network's limits belong to the account, not to a process: each daemon asks the database before it asks the network, and
tells it what the network said. A network that said "not before" hears nothing from any machine until then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlmodel import Session

from connectors.spending import SCOPE as MONEY
from social.domain.errors import RateLimited
from social.engine.desk import Desk, LiveProfile
from social.store import profiles

#: What must be free: to poll; and to send, with the reading of the thread before and the look-up after.
POLLING, SENDING = ("read", "all"), ("write", "all")


@contextmanager
def asking(desk: Desk, live: LiveProfile, scopes: tuple[str, ...], now: datetime) -> Iterator[None]:
    """Requests to the network that read. Raises ``RateLimited`` before the first of them where any daemon was told to
    wait; where the network says so now, all daemons know before this returns."""
    with desk.database.read() as session:
        wait = profiles.paused_until(session, live.id, scopes, now=now)
    if wait is not None:
        raise RateLimited("the network asked us to wait.", until=wait, scope="read", resource=live.name)
    try:
        yield
    except RateLimited as error:
        with desk.database.write() as session:
            keep_pause(session, live.id, error, now, stops=scopes[0])
        raise


def keep_pause(session: Session, profile_id: int, error: RateLimited, now: datetime, *, stops: str = "read") -> None:
    """Networks name their budgets as they like. Where one limits all reading, nothing can be sent either, since each send
    looks first; where it limits one kind of request, only what makes these (``stops``) would run into it again. The operator's
    own limit of money is none of the network's: it ends when the operator raises it."""
    if error.scope == MONEY:
        return
    scope = "all" if error.scope in {"all", "read"} else stops
    profiles.record_pause(session, profile_id, scope, error.until, now=now)


def keep_quota(desk: Desk, live: LiveProfile, session: Session, now: datetime) -> None:
    """What the network told this process since it last kept it. What it told before may be older than what another machine
    has kept meanwhile."""
    told = live.connector.quota()
    fresh = [quota for quota in told if desk.quotas_kept.get((live.id, quota.scope)) != quota]
    profiles.record_quota(session, live.id, fresh, now=now)
    desk.quotas_kept.update({(live.id, quota.scope): quota for quota in fresh})
