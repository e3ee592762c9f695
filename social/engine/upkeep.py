"""What some daemon does once a day: purge what is older than ``[retention]`` allows, and copy an SQLite database.

The purge goes in steps of milliseconds, one a tick, so that it never stands in the way of a customer; a restart goes on where
it was. Of several daemons one does it, whichever comes first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlmodel import Session

from social import clock
from social.domain.errors import DyzurError
from social.engine.desk import Desk
from social.store import chores, copies, retention
from social.store.chores import Chore
from social.store.journal import ROBOT, note
from social.store.retention import STEPS, Limits
from social.store.session import Database

log = logging.getLogger("social.upkeep")

DAY = timedelta(days=1)
#: A purge's step takes milliseconds, a copy of a large database minutes (machine time).
STEP_LEASE, COPY_LEASE = timedelta(minutes=2), timedelta(hours=2)
#: After a first start or a failure the copy waits so long.
COPY_SOON = timedelta(hours=1)


class _NotOurs(Exception):
    """Somebody else took the chore over; the step is rolled back."""


# --- purge -------------------------------------------------------------------------------------------------------------


def purge_some(desk: Desk, now: datetime) -> int:
    """One small step of today's purge, where it is due. Returns 1 while there is more to do, else 0."""
    chore = _claim(desk.database, chores.PURGE, now=now, first_at=now, lease=STEP_LEASE)
    return 0 if chore is None else int(_purge_step(desk.database, desk.retention, chore, now))


def purge_all(database: Database, limits: Limits, now: datetime, *, pause: Callable[[], object]) -> dict[str, int]:
    """The whole purge at once, for the command line, whether or not it is due; ``pause`` is called between its steps."""
    purged: dict[str, int] = {}
    for number in range(len(STEPS)):
        after: int | None = 0
        while after is not None:
            after, count = _purge_batch(database, limits, number, after, now)
            purged[STEPS[number].name] = purged.get(STEPS[number].name, 0) + count
            pause()
    with database.write() as session:
        _tell(session, purged, now)
    return purged


def _purge_step(database: Database, limits: Limits, chore: Chore, now: datetime) -> bool:
    number, after = int(chore.progress.get("step", 0)), int(chore.progress.get("after", 0))
    purged = dict(chore.progress.get("purged", {}))
    if number >= len(STEPS):
        with _still_ours(database) as session:
            retention.purge_machine_rows(session, machine=clock.machine_now())
            _tell(session, purged, now)
            if not chores.finish(session, chore, now=now, due_at=now + DAY):
                raise _NotOurs
        return False
    name = STEPS[number].name
    with database.read() as session:
        ids, following = retention.look(session, STEPS[number], limits, after=after, now=now)
    with _still_ours(database) as session:
        if ids:
            purged[name] = purged.get(name, 0) + retention.purge(session, STEPS[number], limits, ids, now=now)
        place = {"step": number + 1, "after": 0} if following is None else {"step": number, "after": following}
        if not chores.keep(session, chore, {**place, "purged": purged}):
            raise _NotOurs
    return True


def _purge_batch(database: Database, limits: Limits, number: int, after: int, now: datetime) -> tuple[int | None, int]:
    with database.read() as session:
        ids, following = retention.look(session, STEPS[number], limits, after=after, now=now)
    if not ids:
        return following, 0
    with database.write() as session:
        return following, retention.purge(session, STEPS[number], limits, ids, now=now)


@contextmanager
def _still_ours(database: Database) -> Iterator[Session]:
    try:
        with database.write() as session:
            yield session
    except _NotOurs:
        log.info("another daemon took the purge over")


def _tell(session: Session, purged: dict[str, int], now: datetime) -> None:
    told = {name: count for name, count in purged.items() if count}
    if told:
        note(session, at=now, actor=ROBOT, verb="purged", subject="desk", subject_id=None, detail=told)
        log.info("purged       %s", ", ".join(f"{count} {name}" for name, count in told.items()))


# --- copy --------------------------------------------------------------------------------------------------------------


def back_up(desk: Desk, now: datetime, *, stop: Callable[[], bool]) -> int:
    """Copy an SQLite database once a day and drop the oldest copies. ``stop``: asked now and then, ends it at once."""
    if desk.copies is None or desk.copies.keep == 0 or desk.database.path is None:
        return 0
    chore = _claim(desk.database, chores.BACKUP, now=now, first_at=now + COPY_SOON, lease=COPY_LEASE)
    if chore is None:
        return 0
    following = now + DAY
    try:
        made = copies.daily(desk.database, desk.copies.folder, keep=desk.copies.keep, now=now, stop=stop)
        if made is not None:
            log.info("backup       %s (%.1f MB)", made, made.stat().st_size / 1_000_000)
    except DyzurError as error:
        following = now + COPY_SOON
        log.error("THE DAILY BACKUP FAILED, tried again in an hour: %s", error)
    with desk.database.write() as session:
        chores.finish(session, chore, now=now, due_at=following)
    return 1


def _claim(database: Database, name: str, *, now: datetime, first_at: datetime, lease: timedelta) -> Chore | None:
    return chores.claim(database, name, now=now, first_at=first_at, machine=clock.machine_now(), lease=lease)
