"""One case: the whole conversation, why it is here, and everything that people can do with it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from responders import guard
from social.domain.assessment import Head, Sentiment, Urgency
from social.domain.errors import Conflict
from social.domain.escalation import WAITING_STATES, EscalationState
from social.domain.reply import ACTIVE_STATES
from social.engine import correcting, people
from social.engine.people import UnfitText
from social.store import queue as store
from social.store.queue import CaseView, Seen
from social.store.threads import Side
from social.web.rendering import page
from social.web.visitor import AgentPosts, Posted, RowId, Viewer, Visitor, desk_of

router = APIRouter()


@router.get("/case/{case_id}")
def show(request: Request, case_id: RowId, visitor: Viewer, done: str = "") -> Response:
    return _page(request, case_id, visitor, done=done)


@router.get("/case/{case_id}/changes")
def changes(request: Request, case_id: RowId, visitor: Viewer, seen: str = "") -> Response:
    """What happened since the page was made; the words in the answer's field stay as they are."""
    view = _view(request, case_id)
    return page(request, "case_changes.html", visitor, view=view, stale=_stale(view, visitor, store.read_mark(seen)))


@router.post("/case/{case_id}/take")
def take(request: Request, case_id: RowId, posted: AgentPosts) -> Response:
    desk = desk_of(request)
    brand = _view(request, case_id).item.brand
    try:
        people.take(
            desk.database,
            case_id,
            user=posted.visitor.name,
            now=desk.now(),
            calendar=desk.calendars.get(brand, store.NEVER_OPEN),
            waits=desk.waits,
            over=posted.text("over") == "yes",
            over_from=posted.text("from"),
        )
    except Conflict as error:
        return _page(request, case_id, posted.visitor, status=409, error=error)
    return RedirectResponse(f"/case/{case_id}?done=taken#answer", status_code=303)


@router.post("/case/{case_id}/answer")
def answer(request: Request, case_id: RowId, posted: AgentPosts) -> Response:
    desk, text = desk_of(request), posted.text("text").strip()
    kept: dict[str, Any] = {"draft": text, "seen": _seen(posted)}
    try:
        context = people.context_of(desk.database, case_id)
        people.answer(
            desk.database,
            context,
            case_id,
            text,
            user=posted.visitor.name,
            now=desk.now(),
            seen=_seen(posted),
            even_if_changed=posted.text("even_if_changed") == "yes",
            accept_warnings=posted.text("confirmed") == "yes",
        )
    except UnfitText as error:
        return _page(request, case_id, posted.visitor, status=422, unfit=error, **kept)
    except Conflict as error:
        return _page(request, case_id, posted.visitor, status=409, error=error, **kept)
    return RedirectResponse(f"/case/{case_id}?done=answer", status_code=303)


@router.post("/case/{case_id}/draft")
def draft(request: Request, case_id: RowId, posted: AgentPosts) -> Response:
    """Sent every ten seconds while somebody is writing."""
    desk = desk_of(request)
    correcting.keep_writing(desk.database, case_id, user=posted.visitor.name, now=desk.now())
    return Response(status_code=204)


@router.post("/case/{case_id}/note")
def note(request: Request, case_id: RowId, posted: AgentPosts) -> Response:
    desk = desk_of(request)
    correcting.write_note(desk.database, case_id, posted.text("text"), user=posted.visitor.name, now=desk.now())
    return RedirectResponse(f"/case/{case_id}?done=note#notes", status_code=303)


@router.post("/case/{case_id}/close")
def close(request: Request, case_id: RowId, posted: AgentPosts) -> Response:
    desk, reason, seen = desk_of(request), posted.text("reason")[:500], _seen(posted)
    try:
        people.close(desk.database, case_id, user=posted.visitor.name, now=desk.now(), reason=reason, seen=seen)
    except Conflict as error:
        return _page(request, case_id, posted.visitor, status=409, error=error, seen=seen, reason=reason)
    return RedirectResponse(f"/case/{case_id}?done=closed", status_code=303)


@router.post("/case/{case_id}/correct")
def correct(request: Request, case_id: RowId, posted: AgentPosts) -> Response:
    desk, post_id, seen = desk_of(request), posted.number("post"), _seen(posted)
    values = {head: posted.text(head.value) for head in (Head.SENTIMENT, Head.URGENCY)}
    # a field that was left as it was is no judgement, and must not become one on a page that is made anew
    chosen = {head: value for head, value in values.items() if value and value != posted.text(f"was_{head.value}")}
    was_urgency = posted.text("was_urgency") if Head.URGENCY in chosen else None
    try:
        if post_id is not None and chosen:
            correcting.correct(
                desk.database,
                case_id,
                post_id,
                chosen,
                user=posted.visitor.name,
                now=desk.now(),
                seen=seen,
                was_urgency=was_urgency,
            )
    except Conflict as error:
        kept: dict[str, Any] = {"seen": seen, "was_urgency": was_urgency, "chosen": chosen}
        return _page(request, case_id, posted.visitor, status=409, error=error, **kept)
    return RedirectResponse(f"/case/{case_id}?done=corrected", status_code=303)


@router.post("/case/{case_id}/settle/{reply_id}")
def settle(request: Request, case_id: RowId, reply_id: RowId, posted: AgentPosts) -> Response:
    desk = desk_of(request)
    sent = posted.text("sent") == "yes"
    try:
        people.settle(desk.database, reply_id, sent=sent, user=posted.visitor.name, now=desk.now())
    except Conflict as error:
        return _page(request, case_id, posted.visitor, status=409, error=error)
    return RedirectResponse(f"/case/{case_id}?done=settled", status_code=303)


def _view(request: Request, case_id: int) -> CaseView:
    desk = desk_of(request)
    with desk.database.read() as session:
        return store.case(session, case_id, now=desk.now(), calendars=desk.calendars)


def _page(
    request: Request,
    case_id: int,
    visitor: Visitor,
    *,
    status: int = 200,
    done: str = "",
    draft: str = "",
    reason: str = "",
    chosen: Mapping[Head, str] = MappingProxyType({}),
    seen: Seen | None = None,
    was_urgency: str | None = None,
    error: Conflict | None = None,
    unfit: UnfitText | None = None,
) -> Response:
    """``draft``, ``reason`` and ``chosen`` are what a refused form held; ``seen`` and ``was_urgency`` what it was made of."""
    desk = desk_of(request)
    view = _view(request, case_id)
    context = people.context_of(desk.database, case_id)
    stale = _stale(view, visitor, seen, was_urgency)
    return page(
        request,
        "case.html",
        visitor,
        status=status,
        view=view,
        item=view.item,
        newest_link=_newest_link(view),
        zone=desk.calendars[view.item.brand].timezone if view.item.brand in desk.calendars else visitor.words.zone,
        rules=context.rules,
        used=guard.length(draft, context.rules.length_unit),
        waits=view.item.state in WAITING_STATES,
        mine=view.item.state is EscalationState.TAKEN and view.item.taken_by == visitor.name,
        on_its_way=[entry for entry in view.thread if entry.side is Side.PERSON and entry.state in ACTIVE_STATES],
        done=done,
        draft=draft,
        reason=reason,
        chosen=chosen,
        stale=stale if seen is not None or error is not None else (),
        error=error,
        unfit=unfit,
        sentiments=list(Sentiment),
        urgencies=list(Urgency),
    )


def _newest_link(view: CaseView) -> str | None:
    """Where to answer in the network's own app: the customer's last message that still stands."""
    theirs = (entry for entry in reversed(view.thread) if entry.side is Side.CUSTOMER and entry.deleted_at is None)
    return next((entry.permalink for entry in theirs if entry.permalink), view.item.permalink)


def _seen(posted: Posted) -> Seen:
    """What a form was made of. One that does not say it (a page from before an upgrade) fits nothing."""
    return store.read_mark(posted.text("seen")) or Seen(post_id=0, revision_number=0)


def _stale(view: CaseView, visitor: Visitor, seen: Seen | None, was_urgency: str | None = None) -> tuple[str, ...]:
    """What a page that was made with ``seen`` does not show, by name: the reader's own language says it."""
    found = []
    if view.item.state is EscalationState.ANSWERED:
        found.append("answered-in-app" if view.answered_natively else "answered")
    elif view.item.state is EscalationState.CLOSED:
        found.append("closed")
    elif view.item.taken_by is not None and view.item.taken_by != visitor.name:
        found.append("taken")
    if seen is not None and seen != view.seen:
        found.append("customer-wrote" if seen.tells_all else "old-page")
    if was_urgency is not None and was_urgency != view.item.urgency:
        found.append("urgency")
    return tuple(found)


__all__ = ["Posted", "router"]
