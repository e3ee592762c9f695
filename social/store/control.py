"""One-row tables: the global pause, the clock's anchor; and the daemons' heartbeats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlmodel import Session

from social.clock import Anchor
from social.domain.errors import Conflict
from social.store import locks, moved_away, wakes
from social.store.journal import note
from social.store.rows import c, upsert
from social.store.session import machine_time_of
from social.store.tables import ClockRow, ControlRow, DaemonRow

#: What daemons do, each of them all of it or some. The pages are no part: they only show.
PARTS = ("poll", "triage", "respond")
#: A daemon whose heartbeat is older than this is not counted as running.
HEARTBEAT_LIMIT = timedelta(seconds=30)


def pause(session: Session, *, by: str, now: datetime) -> None:
    row = session.get(ControlRow, 1) or ControlRow(id=1)
    if row.paused_at is None:
        row.paused_at, row.paused_by = now, by
        session.add(row)
        note(session, at=now, actor=by, verb="paused", subject="desk", subject_id=None)


def unpause(session: Session, *, by: str, now: datetime) -> None:
    row = session.get(ControlRow, 1)
    if row is not None and row.paused_at is not None:
        row.paused_at, row.paused_by = None, None
        session.add(row)
        wakes.wake(session, wakes.RESPOND)
        note(session, at=now, actor=by, verb="unpaused", subject="desk", subject_id=None)


def paused_since(session: Session) -> tuple[datetime, str] | None:
    row = session.get(ControlRow, 1)
    return None if row is None or row.paused_at is None else (row.paused_at, row.paused_by or "somebody")


def clock_anchor(session: Session) -> tuple[str, Anchor | None, datetime | None] | None:
    """(mode, anchor, latest world time seen), or ``None`` in a database that never ran."""
    row = session.get(ClockRow, 1)
    if row is None:
        return None
    anchor = None
    if row.machine is not None and row.world is not None:
        anchor = Anchor(machine=row.machine, world=row.world, speed=row.speed)
    return row.mode, anchor, row.latest


def set_clock(session: Session, *, mode: str, anchor: Anchor | None) -> None:
    """Fix this database to a clock. A database of real customers never becomes a simulated one, nor the other way."""
    locks.hold_name(session, locks.START)
    row = session.get(ClockRow, 1, populate_existing=True)
    if row is not None and row.mode != mode:
        raise Conflict(
            f"this database lives by a {row.mode} clock, the configuration wants a {mode} one.",
            next_step="Use another [database] url for the other world.",
        )
    row = row or ClockRow(id=1, mode=mode)
    if anchor is not None:
        row.machine, row.world, row.speed = anchor.machine, anchor.world, anchor.speed
        row.latest = max(filter(None, (row.latest, anchor.world)))
    session.add(row)


def saw_time(session: Session, now: datetime) -> None:
    """Keep the latest world time, so that a new start never begins earlier."""
    row = session.get(ClockRow, 1)
    if row is not None and (row.latest is None or now > row.latest):
        row.latest = now
        session.add(row)


def never_saw(session: Session, *, after: datetime) -> None:
    """World time ``after`` this was a mistake: a new start need not go on from it."""
    row = session.get(ClockRow, 1)
    if row is not None and row.latest is not None and row.latest > after:
        row.latest = after
        session.add(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    name: str
    parts: str
    started_at: datetime
    beat_at: datetime
    model: str | None


def beat(session: Session, *, name: str, parts: str, started_at: datetime, at: datetime, model: str | None) -> None:
    moved_away.refuse(session)  # a daemon that had just started when its database was moved: told in words
    beat_at = _shared(session, at)
    upsert(
        session,
        DaemonRow,
        [{"name": name, "parts": parts, "started_at": started_at, "beat_at": beat_at, "model": model}],
        key=("name",),
        change=("parts", "started_at", "beat_at", "model"),
    )


def leave(session: Session, name: str) -> None:
    session.execute(delete(DaemonRow).where(c(DaemonRow).name == name))


def nobody_runs(session: Session) -> None:
    """Heartbeats in a copy are of daemons that work elsewhere, or not at all."""
    session.execute(delete(DaemonRow))


def running(session: Session, *, at: datetime) -> list[Daemon]:
    """Daemons with a fresh heartbeat (machine time; the server's, where there is one)."""
    since = _shared(session, at) - HEARTBEAT_LIMIT
    rows = session.execute(select(DaemonRow).where(c(DaemonRow).beat_at > since)).scalars()
    return [
        Daemon(name=row.name, parts=row.parts, started_at=row.started_at, beat_at=row.beat_at, model=row.model)
        for row in rows
    ]


def parts_done(daemons: Iterable[Daemon]) -> frozenset[str]:
    """Which of ``PARTS`` one of these (see ``running``) does."""
    return frozenset(PARTS) & {part for daemon in daemons for part in daemon.parts.split(",")}


def _shared(session: Session, at: datetime) -> datetime:
    """Machine time that all machines agree on: theirs differ."""
    return machine_time_of(session) if session.get_bind().dialect.name == "postgresql" else at
