"""What must stand on every page: a pause, a dry-run that somebody may have forgotten, a judge that broke, no daemon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from social import clock
from social.domain.post import ProfileMode
from social.settings import ClockMode, TriageBackend
from social.store import control
from social.store.rows import c
from social.store.tables import ProfileRow
from social.web.desk import WebDesk


@dataclass(frozen=True, slots=True, kw_only=True)
class Banners:
    paused_at: datetime | None
    paused_by: str
    dry_run: tuple[tuple[str, datetime | None], ...]  # (profile, since)
    no_daemon: bool
    absent: tuple[str, ...]  # what no daemon does, where others do something
    rules_only: bool
    simulated: bool


def banners(desk: WebDesk) -> Banners:
    columns = c(ProfileRow)
    with desk.database.read() as session:
        paused = control.paused_since(session)
        daemons = control.running(session, at=clock.machine_now())
        done = control.parts_done(daemons)
        rehearsing = session.execute(
            select(columns.name, columns.dry_run_since)
            .where(columns.mode == ProfileMode.DRY_RUN.value, columns.state == "active")
            .order_by(columns.name)
        ).all()
    wanted = desk.settings.triage.backend is not TriageBackend.RULES
    return Banners(
        paused_at=paused[0] if paused else None,
        paused_by=paused[1] if paused else "",
        dry_run=tuple((row.name, row.dry_run_since) for row in rehearsing),
        no_daemon=not done,
        absent=tuple(part for part in control.PARTS if part not in done) if done else (),
        rules_only=wanted and any((daemon.model or "").startswith("rules-only") for daemon in daemons),
        simulated=desk.settings.clock.mode is ClockMode.PACED,
    )
