"""The application: routes, what every answer carries, and what is shown when something goes wrong."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from social.domain.errors import Conflict, DyzurError, NotFound, StoreError
from social.store.access import LastAdmin, LinkUsedUp
from social.web import live, static
from social.web.desk import WebDesk
from social.web.pages import account, case, health, invitation, pause, people, probes, queue, report, sign_in
from social.web.rendering import problem_page
from social.web.security import Guard
from social.web.visitor import Forbidden, ForeignForm, SignInRequired

log = logging.getLogger("social.web")


def create_app(desk: WebDesk) -> FastAPI:
    """The desk's pages over ``desk``. No interactive documentation: it would load scripts from elsewhere."""
    app = FastAPI(title="Dyżur", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.desk = desk
    app.state.pulse = live.Pulse(desk)
    for page in (sign_in, invitation, queue, case, health, pause, account, people, probes, report):
        app.include_router(page.router)
    app.include_router(live.router)
    app.include_router(static.router)
    app.add_middleware(Guard, desk=desk)
    _errors(app)
    return app


def _errors(app: FastAPI) -> None:
    @app.exception_handler(SignInRequired)
    def sign_in_first(request: Request, error: SignInRequired) -> Response:
        if request.method != "GET" or request.headers.get("hx-request"):
            return problem_page(request, 401, "signed-out")
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(wanted, safe='')}", status_code=303)

    @app.exception_handler(Forbidden)
    def forbidden(request: Request, error: Forbidden) -> Response:
        return problem_page(request, 403, "forbidden")

    @app.exception_handler(ForeignForm)
    def foreign_form(request: Request, error: ForeignForm) -> Response:
        return problem_page(request, 403, "foreign-form")

    @app.exception_handler(DyzurError)
    def told(request: Request, error: DyzurError) -> Response:
        kinds: tuple[tuple[type[DyzurError], int, str], ...] = ((LinkUsedUp, 404, "link"), (LastAdmin, 409, "refused"))
        kinds += ((NotFound, 404, "not-found"), (Conflict, 409, "conflict"), (StoreError, 503, "store"))
        status, name = next(((code, name) for kind, code, name in kinds if isinstance(error, kind)), (400, "refused"))
        if isinstance(error, StoreError):
            log.error("the desk cannot use its database: %s", error)
        return problem_page(request, status, name, error=None if name == "link" else error)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        return problem_page(request, error.status_code, "not-found" if error.status_code == 404 else "refused")

    @app.exception_handler(RequestValidationError)
    def not_understood(request: Request, error: RequestValidationError) -> Response:
        return problem_page(request, 404, "not-found")

    @app.exception_handler(Exception)
    def broken(request: Request, error: Exception) -> Response:
        # the traceback goes to the log by way of the server; the page says no more than that
        return problem_page(request, 500, "broken")


def redirect(to: str, **cookies: Any) -> RedirectResponse:
    """After a form, so that a reload does not send it again."""
    return RedirectResponse(to, status_code=303)
