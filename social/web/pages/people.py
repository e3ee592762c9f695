"""Who works at the desk, for admins: invite, change a role, let go."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from social import clock
from social.domain.errors import DyzurError
from social.store import access
from social.store.access import Role
from social.web.links import welcome_link
from social.web.rendering import page
from social.web.visitor import Admin, AdminPosts, Posted, RowId, Visitor, desk_of

router = APIRouter()


@router.get("/people")
def show(request: Request, visitor: Admin) -> Response:
    return _page(request, visitor)


@router.post("/people/invite")
def invite(request: Request, posted: AdminPosts) -> Response:
    desk = desk_of(request)
    name = posted.text("name") or None
    with desk.database.write() as session:
        token, expires = access.invite(
            session, role=_role(posted), at=clock.machine_now(), now=desk.now(), by=posted.visitor.name, name=name
        )
    return _page(request, posted.visitor, link=welcome_link(desk.settings, token, request.url.netloc), expires=expires)


@router.post("/people/{user_id}/role")
def role(request: Request, user_id: RowId, posted: AdminPosts) -> Response:
    desk = desk_of(request)
    with desk.database.write() as session:
        access.change_role(session, user_id, _role(posted), by=posted.visitor.name, now=desk.now())
    return RedirectResponse("/people", status_code=303)


@router.post("/people/{user_id}/disable")
def disable(request: Request, user_id: RowId, posted: AdminPosts) -> Response:
    desk = desk_of(request)
    with desk.database.write() as session:
        gone = posted.text("disabled") == "yes"
        access.disable(session, user_id, disabled=gone, by=posted.visitor.name, now=desk.now())
    return RedirectResponse("/people", status_code=303)


def _role(posted: Posted) -> Role:
    try:
        return Role(posted.text("role"))
    except ValueError:
        raise DyzurError(f"there is no role {posted.text('role')!r}.", next_step="Choose one of the list.") from None


def _page(request: Request, visitor: Visitor, *, link: str = "", expires: object = None) -> Response:
    with desk_of(request).database.read() as session:
        found = access.accounts(session, at=clock.machine_now())
    return page(request, "people.html", visitor, accounts=found, roles=list(Role), link=link, expires=expires)
