"""A one-time link: choose a name and a password."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, Request
from fastapi.responses import Response

from social import clock
from social.domain.errors import Conflict, DyzurError
from social.store import access
from social.web import passwords
from social.web.pages.sign_in import OutsideForm, signed_in, with_form_cookie
from social.web.rendering import outside_page
from social.web.visitor import FORM_COOKIE, desk_of, words_of

router = APIRouter()


@router.get("/welcome/{token}")
def show(request: Request, token: str) -> Response:
    return _form(request, token)


@router.post("/welcome/{token}")
def accept(request: Request, token: str, fields: OutsideForm) -> Response:
    desk, at = desk_of(request), clock.machine_now()
    name = fields.get("name", "")
    try:
        with desk.database.read() as session:
            invitation = access.open_invitation(session, token, at=at)
            access.checked_name(invitation.name or name)
        password = passwords.hashed(passwords.checked(fields.get("password", ""), fields.get("again", "")))
        with desk.database.write() as session:
            user_id = access.accept(
                session,
                token,
                name=name,
                password_hash=password,
                language=words_of(request).language,
                at=at,
                now=desk.now(),
            )
    except Conflict:
        return _form(request, token, name=name, problem="name-taken", status=409)
    except DyzurError as error:
        if error.permanent:
            raise
        return _form(request, token, name=name, problem=_problem(fields), status=400)
    return signed_in(request, user_id, to="/queue")


def _problem(fields: dict[str, str]) -> str:
    password = fields.get("password", "")
    if password != fields.get("again", ""):
        return "differ"
    return "name" if passwords.SHORTEST <= len(password) <= passwords.LONGEST else "length"


def _form(request: Request, token: str, *, name: str = "", problem: str = "", status: int = 200) -> Response:
    with desk_of(request).database.read() as session:
        invitation = access.open_invitation(session, token, at=clock.machine_now())
    form = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
    answer = outside_page(
        request,
        "welcome.html",
        status=status,
        form=form,
        invitation=invitation,
        name=invitation.name or name,
        problem=problem,
        shortest=passwords.SHORTEST,
    )
    return with_form_cookie(request, answer, form)
