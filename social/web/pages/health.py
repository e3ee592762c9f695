"""How every profile is: last poll, lag, limits, mode, the last error with its cure; and the daemons behind the desk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import Response

from connectors import registry
from social import clock
from social.domain.errors import DyzurError
from social.engine.watch import TOKEN_NEAR
from social.store import control
from social.store.health import ProfileHealth, of_profiles
from social.web.desk import WebDesk
from social.web.rendering import page
from social.web.visitor import Viewer, desk_of

router = APIRouter()

#: A profile that was not read for so many of its own intervals is late.
LATE_AFTER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileState:
    """One profile for people. ``late_by`` is how much longer ago the last poll is than it should be."""

    health: ProfileHealth
    network: str
    poll_every: timedelta | None
    late_by: timedelta | None
    closed_notice: bool | None
    access_is_near: bool  # the network ends it soon


@router.get("/health")
def show(request: Request, visitor: Viewer) -> Response:
    desk = desk_of(request)
    now = desk.now()
    with desk.database.read() as session:
        found = of_profiles(session, now=now)
        daemons = control.running(session, at=clock.machine_now())
    states = [_state(desk, item, now) for item in found]
    return page(request, "health.html", visitor, states=states, daemons=daemons, machine_now=clock.machine_now())


def _state(desk: WebDesk, found: ProfileHealth, now: datetime) -> ProfileState:
    settings = desk.settings.profile(found.name)
    late_by = None
    if settings is not None and found.last_polled_at is not None:
        over = now - found.last_polled_at - LATE_AFTER * settings.poll_every
        late_by = over if over >= timedelta(minutes=1) else None
    return ProfileState(
        health=found,
        network=_label(found.network),
        poll_every=settings.poll_every if settings else None,
        late_by=late_by,
        closed_notice=settings.closed_notice if settings else None,
        access_is_near=found.access_ends_at is not None and found.access_ends_at <= now + TOKEN_NEAR,
    )


def _label(kind: str) -> str:
    try:
        return registry.load(kind).label
    except DyzurError:
        return kind
