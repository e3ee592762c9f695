"""The queue: who waits for a person, most urgent first, then whose clock breaks next. The address holds the whole view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from social.domain.assessment import Urgency
from social.store import queue as store
from social.store.queue import QueueItem
from social.web.desk import WebDesk
from social.web.rendering import page
from social.web.visitor import Viewer, desk_of

router = APIRouter()

#: Lines of one page; the most urgent come first, so nobody has to turn many.
A_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cases of one incident or of one customer, in the queue's own order."""

    incident_id: int | None
    author: str
    items: tuple[QueueItem, ...]


@router.get("/")
def start(visitor: Viewer) -> Response:
    return RedirectResponse("/queue", status_code=303)


@router.get("/queue")
def show(
    request: Request, visitor: Viewer, profile: str = "", mine: str = "", view: str = "", page_number: int = 1
) -> Response:
    desk = desk_of(request)
    now = desk.now()
    with desk.database.read() as session:
        places = store.in_order(
            session,
            now=now,
            calendars=desk.calendars,
            profile=profile or None,
            taken_by=visitor.name if mine else None,
        )
        since = _closed_since(desk, now) if view == "weekend" else None
        if since is not None:
            places = [place for place in places if place.clocks.waiting_since >= since]
        pages = max(1, -(-len(places) // A_PAGE))
        page_number = min(max(1, page_number), pages)
        shown = store.lines(session, places[(page_number - 1) * A_PAGE : page_number * A_PAGE])
        # an empty choice must not read as an empty queue
        elsewhere = 0 if places else len(store.in_order(session, now=now, calendars=desk.calendars))
        unknown = store.unknown_replies(session)
    return page(
        request,
        "queue.html",
        visitor,
        items=shown,
        groups=grouped(shown) if view == "weekend" else (),
        total=len(places),
        elsewhere=elsewhere,
        page_number=page_number,
        pages=pages,
        profiles=[item.name for item in desk.settings.profiles],
        chosen={"profile": profile, "mine": mine, "view": view},
        since=since,
        unknown=unknown,
        zones={brand: calendar.timezone for brand, calendar in desk.calendars.items()},
        next_opening=_next_opening(desk, now),
    )


def grouped(items: Sequence[QueueItem]) -> tuple[Group, ...]:
    """By incident, else by customer; groups in the order of their most pressing case."""
    place = {item.case_id: number for number, item in enumerate(items)}

    def key(item: QueueItem) -> tuple[int, int]:
        return (0, item.incident_id) if item.incident_id is not None else (1, item.author_id)

    groups = []
    for _, found in groupby(sorted(items, key=key), key=key):
        mine = sorted(found, key=lambda item: place[item.case_id])
        groups.append(Group(incident_id=mine[0].incident_id, author=mine[0].author, items=tuple(mine)))
    return tuple(sorted(groups, key=lambda group: place[group.items[0].case_id]))


def urgent(items: Sequence[QueueItem]) -> int:
    return sum(item.urgency.at_least(Urgency.HIGH) for item in items)


def _closed_since(desk: WebDesk, now: datetime) -> datetime:
    """When the brands' last open stretch before the present one ended, the earliest of them; at most ten days ago."""
    ends = []
    for calendar in desk.calendars.values():
        stretches = list(calendar.open_stretches(now - timedelta(days=10), now))
        if stretches and stretches[-1][1] >= now:
            stretches.pop()  # the desk is open: what counts is the end of the stretch before
        ends.append(stretches[-1][1] if stretches else now - timedelta(days=10))
    return min(ends, default=now - timedelta(days=10))


def _next_opening(desk: WebDesk, now: datetime) -> datetime | None:
    if any(calendar.is_open(now) for calendar in desk.calendars.values()):
        return None
    openings = [opening for calendar in desk.calendars.values() if (opening := calendar.next_opening(now))]
    return min(openings, default=None)
