"""Signing in and out."""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
from collections import deque
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from social import clock
from social.store import access
from social.web import passwords
from social.web.rendering import outside_page
from social.web.visitor import (
    FORM_COOKIE,
    SESSION_COOKIE,
    ForeignForm,
    Posted,
    ViewerPosts,
    desk_of,
    form_of,
    same_origin,
)

router = APIRouter()
log = logging.getLogger("social.web")

#: Wrong passwords from one address in so many seconds (machine time) before it is not heard any more.
TRIES, WITHIN = 20, 600.0


class _Tries:
    """Wrong passwords by address, within this process."""

    def __init__(self) -> None:
        self._failed: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def too_many(self, address: str) -> bool:
        with self._lock:
            return len(self._recent(address)) >= TRIES

    def failed(self, address: str) -> None:
        with self._lock:
            self._recent(address).append(clock.monotonic())

    def forget(self) -> None:
        with self._lock:
            self._failed.clear()

    def _recent(self, address: str) -> deque[float]:
        if len(self._failed) > 10_000:
            self._failed.clear()  # somebody tries many addresses; each account still waits by itself
        found = self._failed.setdefault(address, deque(maxlen=TRIES))
        while found and clock.monotonic() - found[0] > WITHIN:
            found.popleft()
        return found


tries = _Tries()


@router.get("/sign-in")
def show(request: Request, next: str = "/queue") -> Response:  # noqa: A002 the usual name of that parameter
    return _form(request, wanted=next)


async def _outside_form(request: Request) -> dict[str, str]:
    """A form of somebody who is not signed in: it must hold what the cookie beside it holds."""
    fields = await form_of(request)
    cookie = request.cookies.get(FORM_COOKIE, "")
    if (
        not cookie
        or not same_origin(request)
        or not hmac.compare_digest(fields.get("form", "").encode(), cookie.encode())
    ):
        raise ForeignForm
    return fields


OutsideForm = Annotated[dict[str, str], Depends(_outside_form)]


@router.post("/sign-in")
def sign_in(request: Request, fields: OutsideForm) -> Response:
    desk, at = desk_of(request), clock.machine_now()
    address = request.client.host if request.client else ""
    name, wanted = " ".join(fields.get("name", "").split())[:60], fields.get("next", "")
    if tries.too_many(address):
        return _form(request, wanted=wanted, name=name, problem="wait", status=429)
    with desk.database.read() as session:
        found = access.credentials_of(session, name)
    if found is not None and found.locked_until is not None and found.locked_until > at:
        return _form(request, wanted=wanted, name=name, problem="wait", status=429)
    if not passwords.matches(fields.get("password", ""), found.password_hash if found else None):
        tries.failed(address)
        if found is not None:
            with desk.database.write() as session:
                access.failed(session, found.user_id, at=at)
        log.warning("a sign-in failed")
        return _form(request, wanted=wanted, name=name, problem="wrong", status=403)
    assert found is not None
    return signed_in(request, found.user_id, to=local_path(wanted))


@router.post("/sign-out")
def sign_out(request: Request, posted: ViewerPosts) -> Response:
    with desk_of(request).database.write() as session:
        access.end_session(session, posted.visitor.who.session_id)
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


@router.post("/sign-out-elsewhere")
def sign_out_elsewhere(request: Request, posted: ViewerPosts) -> Response:
    who = posted.visitor.who
    with desk_of(request).database.write() as session:
        access.end_sessions(session, who.user_id, but=who.session_id)
    return RedirectResponse("/account?done=elsewhere", status_code=303)


def signed_in(request: Request, user_id: int, *, to: str) -> Response:
    """A new session, with a new cookie: what somebody may have put there before is worth nothing."""
    desk = desk_of(request)
    with desk.database.write() as session:
        token = access.start_session(
            session,
            user_id,
            at=clock.machine_now(),
            lifetime=desk.session_lifetime,
            browser=request.headers.get("user-agent", ""),
        )
    answer = RedirectResponse(to, status_code=303)
    answer.set_cookie(SESSION_COOKIE, token, httponly=True, samesite="lax", secure=desk.secure)
    answer.delete_cookie(FORM_COOKIE)
    return answer


def _form(request: Request, *, wanted: str, name: str = "", problem: str = "", status: int = 200) -> Response:
    with desk_of(request).database.read() as session:
        nobody = access.nobody_yet(session)
    form = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
    answer = outside_page(
        request,
        "sign_in.html",
        status=status,
        form=form,
        wanted=local_path(wanted),
        name=name,
        problem=problem,
        nobody=nobody,
    )
    return with_form_cookie(request, answer, form)


def with_form_cookie(request: Request, answer: Response, form: str) -> Response:
    answer.set_cookie(FORM_COOKIE, form, httponly=True, samesite="strict", secure=desk_of(request).secure)
    return answer


def local_path(wanted: str) -> str:
    """Where to go after the sign-in: a path of ours, never another host."""
    try:
        parts = urlsplit(wanted)
    except ValueError:  # "//["
        return "/queue"
    fine = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc and wanted.isprintable()
    return wanted if fine else "/queue"


__all__ = ["OutsideForm", "Posted", "local_path", "router", "signed_in", "with_form_cookie"]
