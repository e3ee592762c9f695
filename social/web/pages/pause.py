"""The kill switch: all sending stops within a second, and goes on."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from social.store import control
from social.web.pages.sign_in import local_path
from social.web.rendering import page
from social.web.visitor import AgentPosts, Viewer, desk_of

router = APIRouter()


@router.get("/pause")
def ask(request: Request, visitor: Viewer) -> Response:
    return page(request, "pause.html", visitor)


@router.post("/pause")
def pause(request: Request, posted: AgentPosts) -> Response:
    desk = desk_of(request)
    with desk.database.write() as session:
        control.pause(session, by=posted.visitor.name, now=desk.now())
    return RedirectResponse(local_path(posted.text("back")), status_code=303)


@router.post("/unpause")
def unpause(request: Request, posted: AgentPosts) -> Response:
    desk = desk_of(request)
    with desk.database.write() as session:
        control.unpause(session, by=posted.visitor.name, now=desk.now())
    return RedirectResponse(local_path(posted.text("back")), status_code=303)
