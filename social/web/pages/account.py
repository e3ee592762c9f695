"""My own: language, look, password, where I am signed in."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from social.domain.errors import DyzurError
from social.store import access
from social.web import passwords
from social.web.language import LANGUAGES
from social.web.rendering import page
from social.web.visitor import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, Viewer, ViewerPosts, desk_of

router = APIRouter()

_A_YEAR = 365 * 24 * 3600


@router.get("/account")
def show(request: Request, visitor: Viewer, done: str = "") -> Response:
    return page(
        request,
        "account.html",
        visitor,
        themes=THEMES,
        languages=LANGUAGES,
        done=done,
        problem="",
        shortest=passwords.SHORTEST,
    )


@router.post("/account/look")
def look(request: Request, posted: ViewerPosts) -> Response:
    desk, answer = desk_of(request), RedirectResponse("/account?done=look", status_code=303)
    language, theme = posted.text("language"), posted.text("theme")
    if language in LANGUAGES:
        with desk.database.write() as session:
            access.change_language(session, posted.visitor.who.user_id, language)
        answer.set_cookie(LANGUAGE_COOKIE, language, max_age=_A_YEAR, samesite="lax", secure=desk.secure)
    if theme in THEMES:
        answer.set_cookie(THEME_COOKIE, theme, max_age=_A_YEAR, samesite="lax", secure=desk.secure)
    return answer


@router.post("/account/password")
def password(request: Request, posted: ViewerPosts) -> Response:
    desk, who = desk_of(request), posted.visitor.who
    with desk.database.read() as session:
        found = access.credentials_of(session, who.name)
    problem = ""
    if not passwords.matches(posted.fields.get("present", ""), found.password_hash if found else None):
        problem = "wrong"
    else:
        try:
            new = passwords.hashed(passwords.checked(posted.fields.get("password", ""), posted.fields.get("again", "")))
        except DyzurError:
            differ = posted.fields.get("password") != posted.fields.get("again")
            problem = "differ" if differ else "length"
    if problem:
        return page(
            request,
            "account.html",
            posted.visitor,
            status=400,
            themes=THEMES,
            languages=LANGUAGES,
            done="",
            problem=problem,
            shortest=passwords.SHORTEST,
        )
    with desk.database.write() as session:
        access.change_password(session, who.user_id, new, by=who.name, now=desk.now())
        access.end_sessions(session, who.user_id, but=who.session_id)
    return RedirectResponse("/account?done=password", status_code=303)
