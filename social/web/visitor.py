"""Who asks: the session behind a cookie, the proof that a form is ours, and what a role may do."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Path, Request

from social import clock
from social.store import access
from social.store.access import Role, SignedIn
from social.web.desk import WebDesk
from social.web.language import Words, words_for

SESSION_COOKIE = "dyzur_session"
THEME_COOKIE = "dyzur_theme"
LANGUAGE_COOKIE = "dyzur_language"
FORM_COOKIE = "dyzur_form"
THEMES = ("auto", "light", "dark")

#: A row's number in an address. A longer one would be more than the database can compare with; nothing is there either way.
RowId = Annotated[int, Path(ge=0, lt=2**63)]


class SignInRequired(Exception):
    """Nobody is signed in; the page that was wanted comes after the sign-in."""


class Forbidden(Exception):
    """Signed in, but not for this."""


class ForeignForm(Exception):
    """The form was not made by a page of ours for this session, or it is too old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """A signed-in person with what their pages need. ``csrf`` stands in every form of theirs."""

    who: SignedIn
    csrf: str
    words: Words
    theme: str

    @property
    def name(self) -> str:
        return self.who.name

    def may(self, role: Role | str) -> bool:
        return self.who.role.covers(Role(role))


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A form that a visitor sent, proven to be ours."""

    visitor: Visitor
    fields: Mapping[str, str]

    def text(self, name: str) -> str:
        """The field with the browser's line ends made plain; empty where it is missing."""
        return self.fields.get(name, "").replace("\r\n", "\n")

    def number(self, name: str) -> int | None:
        value = self.fields.get(name, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None


def desk_of(request: Request) -> WebDesk:
    desk = request.app.state.desk
    assert isinstance(desk, WebDesk)
    return desk


def words_of(request: Request, chosen: str | None = None) -> Words:
    """The person's own language, else what the browser asked for before, else what it prefers, else the first brand's."""
    desk = desk_of(request)
    return words_for(
        chosen or request.cookies.get(LANGUAGE_COOKIE),
        request.headers.get("accept-language", ""),
        fallback=desk.settings.brands[0].languages[0],
        zone=desk.calendars[desk.settings.brands[0].name].timezone,
    )


def chosen_words(request: Request) -> Words:
    """Of whoever turned out to be signed in while this request was answered, else ``words_of`` the request."""
    found: Words | None = getattr(request.state, "words", None)
    return found or words_of(request)


def theme_of(request: Request) -> str:
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else THEMES[0]


def csrf_of(token: str) -> str:
    """Bound to the session, so it needs no place of its own and ends with it."""
    return hmac.new(token.encode(), b"a form of the desk", hashlib.sha256).hexdigest()


def visitor(request: Request) -> Visitor:
    token = request.cookies.get(SESSION_COOKIE, "")
    desk, at = desk_of(request), clock.machine_now()
    found = None
    if token:
        with desk.database.read() as session:
            found = access.signed_in(session, token, at=at)
    if found is None:
        raise SignInRequired
    who, write_seen = found
    request.state.words = words = words_of(request, who.language)
    if write_seen:
        with desk.database.write() as session:
            access.seen(session, who.session_id, at=at, lifetime=desk.session_lifetime)
    return Visitor(who=who, csrf=csrf_of(token), words=words, theme=theme_of(request))


Viewer = Annotated[Visitor, Depends(visitor)]


def admin(found: Viewer) -> Visitor:
    if not found.may(Role.ADMIN):
        raise Forbidden
    return found


Admin = Annotated[Visitor, Depends(admin)]


def _posted_by(role: Role) -> Callable[..., Coroutine[Any, Any, Posted]]:
    async def posted(request: Request, found: Viewer) -> Posted:
        fields = await form_of(request)
        given = fields.get("csrf") or request.headers.get("x-csrf", "")
        if not same_origin(request) or not hmac.compare_digest(given.encode(), found.csrf.encode()):
            raise ForeignForm
        if not found.may(role):
            raise Forbidden
        return Posted(visitor=found, fields=fields)

    return posted


ViewerPosts = Annotated[Posted, Depends(_posted_by(Role.VIEWER))]
AgentPosts = Annotated[Posted, Depends(_posted_by(Role.AGENT))]
AdminPosts = Annotated[Posted, Depends(_posted_by(Role.ADMIN))]


async def form_of(request: Request) -> dict[str, str]:
    """The form's text fields; files are nobody's business here."""
    form = await request.form(max_files=0, max_fields=50)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def same_origin(request: Request) -> bool:
    """Browsers say where a form comes from. Without that word, only the form's own proof counts."""
    origin = request.headers.get("origin")
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:  # "http://["
        return False
    return parts.scheme in {"http", "https"} and parts.netloc == request.headers.get("host", "")
