"""Live updates: one stream of signals a browser. A signal says that something changed, never what: pages fetch their own,
permission-checked parts again, so nothing leaks between roles and a missed signal heals itself."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool

from social import clock
from social.domain.errors import DyzurError
from social.store import control
from social.store.rows import c
from social.store.tables import AlertRow, DecisionRow, EventRow, NoteRow, PostRow, ReplyRow
from social.web.desk import WebDesk
from social.web.visitor import Viewer

router = APIRouter()

LOOK_EVERY = 1.0
#: A comment on the line, so that proxies keep it open and a closed browser is noticed.
BREATHE_EVERY = 15.0


class Pulse:
    """A number that changes when the desk does, looked up at most once a second for all streams together."""

    def __init__(self, desk: WebDesk) -> None:
        self._desk = desk
        self._looked = -LOOK_EVERY
        self._value = ""
        self._lock = asyncio.Lock()

    async def value(self) -> str:
        async with self._lock:
            if clock.monotonic() - self._looked >= LOOK_EVERY:
                with suppress(DyzurError):  # the database is away: the pages that people open say so
                    self._value = await run_in_threadpool(self._look)
                self._looked = clock.monotonic()
            return self._value

    def _look(self) -> str:
        replies = c(ReplyRow)
        with self._desk.database.read() as session:
            found = [
                session.execute(select(func.max(c(table).id))).scalar()
                for table in (EventRow, DecisionRow, PostRow, ReplyRow, NoteRow, AlertRow)
            ]
            states = session.execute(
                select(func.count(), func.max(replies.sent_at)).where(
                    replies.state.in_(("planned", "sending", "unknown"))
                )
            ).one()
            paused = control.paused_since(session)
        return hashlib.sha256(repr((found, tuple(states), paused)).encode()).hexdigest()[:16]


@router.get("/live")
async def signals(request: Request, visitor: Viewer) -> Response:
    pulse: Pulse = request.app.state.pulse

    async def stream() -> AsyncIterator[str]:
        last, breath = "", clock.monotonic()
        while not await request.is_disconnected():
            value = await pulse.value()
            if value != last:
                last, breath = value, clock.monotonic()
                yield f'data: {{"seen": "{value}"}}\n\n'
            elif clock.monotonic() - breath > BREATHE_EVERY:
                breath = clock.monotonic()
                yield ": still here\n\n"
            await asyncio.sleep(LOOK_EVERY)

    return StreamingResponse(
        stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
