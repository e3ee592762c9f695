"""For machines that watch the desk: is the process there, is it ready, and its numbers for Prometheus.

``/metrics`` answers only to this machine itself: what it tells is nobody else's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import func, select
from sqlmodel import Session
from starlette.exceptions import HTTPException

from social import clock
from social.domain.errors import DyzurError
from social.settings import LOOPBACK
from social.store import control, schema
from social.store.escalations import WAITING
from social.store.health import ProfileHealth, of_profiles
from social.store.rows import c
from social.store.tables import EscalationRow, ReplyRow
from social.web.desk import WebDesk
from social.web.visitor import desk_of

router = APIRouter()

#: A profile that was not read for so many of its own intervals makes the desk not ready.
LATE_AFTER = 5


@router.get("/healthz")
def alive() -> Response:
    """The process answers. Nothing else is looked at, so that an ill database does not make somebody restart it."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
def ready(request: Request) -> Response:
    """200 where the database has our form, daemons read, judge and send, and every profile is read in time; else 503. The
    answer names what is not so, never a customer, a text or an error's words."""
    desk = desk_of(request)
    try:
        with desk.database.read() as session:
            found = of_profiles(session, now=desk.now())
            daemon = control.parts_done(control.running(session, at=clock.machine_now())) == set(control.PARTS)
            paused = control.paused_since(session) is not None
        checks = {"database": schema.status(desk.database).up_to_date, "daemon": daemon}
    except DyzurError:
        return JSONResponse({"ready": False, "checks": {"database": False}}, status_code=503)
    for profile in found:
        checks[f"profile {profile.name}"] = profile.last_error is None and not _late(desk, profile)
    fine = all(checks.values())
    return JSONResponse({"ready": fine, "paused": paused, "checks": checks}, status_code=200 if fine else 503)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """The Prometheus text format."""
    peer = request.client.host if request.client else ""
    if peer not in LOOPBACK or "x-forwarded-for" in request.headers:
        raise HTTPException(404)
    registry = CollectorRegistry()
    registry.register(_Numbers(desk_of(request)))
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")


class _Numbers:
    """Read from the database at each scrape: the truth of all processes, not of this one."""

    def __init__(self, desk: WebDesk) -> None:
        self._desk = desk

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        now = self._desk.now()
        with self._desk.database.read() as session:
            yield from _profiles(self._desk, of_profiles(session, now=now), now)
            yield from _queue(session)
            yield from _replies(session, now)
            daemons = control.running(session, at=clock.machine_now())
            done = control.parts_done(daemons)
            paused = control.paused_since(session) is not None
        yield GaugeMetricFamily("dyzur_daemons", "Daemons with a fresh heartbeat.", value=len(daemons))
        parts = GaugeMetricFamily("dyzur_part_running", "1 where some daemon does this part.", labels=["part"])
        for part in control.PARTS:
            parts.add_metric([part], int(part in done))
        yield parts
        yield GaugeMetricFamily("dyzur_paused", "1 while all sending is paused.", value=int(paused))


def _profiles(desk: WebDesk, found: list[ProfileHealth], now: datetime) -> Iterator[Metric]:
    lag = GaugeMetricFamily("dyzur_profile_lag_seconds", "World time since the last whole poll.", labels=["profile"])
    broken = GaugeMetricFamily("dyzur_profile_error", "1 while the last poll failed.", labels=["profile"])
    judging = GaugeMetricFamily("dyzur_posts_to_judge", "Posts that nobody has judged yet.", labels=["profile"])
    used = GaugeMetricFamily(
        "dyzur_limit_used_ratio", "Used part of a limit of the network, 0 to 1.", labels=["profile", "limit"]
    )
    for profile in found:
        if profile.last_polled_at is not None:
            lag.add_metric([profile.name], (now - profile.last_polled_at).total_seconds())
        broken.add_metric([profile.name], int(profile.last_error is not None))
        judging.add_metric([profile.name], profile.to_judge)
        for limit in profile.limits:
            if limit.used_percent is not None:
                used.add_metric([profile.name, limit.scope], limit.used_percent / 100)
    yield from (lag, broken, judging, used)


def _queue(session: Session) -> Iterator[Metric]:
    columns = c(EscalationRow)
    waiting = GaugeMetricFamily("dyzur_cases_waiting", "Cases that wait for a person.", labels=["urgency"])
    rows = session.execute(
        select(columns.urgency, func.count()).where(columns.state.in_(WAITING)).group_by(columns.urgency)
    )
    for urgency, count in rows:
        waiting.add_metric([urgency], count)
    yield waiting


def _replies(session: Session, now: datetime) -> Iterator[Metric]:
    columns = c(ReplyRow)
    replies = GaugeMetricFamily(
        "dyzur_replies", "Replies by kind, sender and state, since the beginning.", labels=["kind", "sent_by", "state"]
    )
    rows = session.execute(
        select(columns.kind, columns.sent_by, columns.state, func.count()).group_by(
            columns.kind, columns.sent_by, columns.state
        )
    )
    for kind, sent_by, state, count in rows:
        replies.add_metric([kind, sent_by, state], count)
    yield replies
    oldest = session.execute(select(func.min(columns.due_at)).where(columns.state == "planned")).scalar()
    overdue = max(0.0, (now - oldest).total_seconds()) if oldest is not None else 0.0
    yield GaugeMetricFamily("dyzur_outbox_overdue_seconds", "How long the oldest due reply waits.", value=overdue)


def _late(desk: WebDesk, profile: ProfileHealth) -> bool:
    settings = desk.settings.profile(profile.name)
    if settings is None or profile.last_polled_at is None:
        return profile.last_polled_at is None
    return desk.now() - profile.last_polled_at > LATE_AFTER * settings.poll_every
