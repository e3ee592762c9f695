"""Templates: everything from outside is escaped; what every page needs is given to it here."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from social import __version__
from social.domain.errors import DyzurError
from social.store.access import Role
from social.web import sentences, static, vocabulary
from social.web.banners import banners
from social.web.visitor import Visitor, chosen_words, desk_of, theme_of


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("social.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(static=static.address, vocabulary=vocabulary, version=__version__)
    environment.globals.update(told=sentences.told, refusal=sentences.refusal)
    environment.filters["safe_link"] = safe_link
    environment.filters["readable"] = readable
    return environment


def page(request: Request, template: str, visitor: Visitor, *, status: int = 200, **values: Any) -> Response:
    """A whole page for somebody who is signed in; with htmx's header, only the part that the template calls ``part``."""
    desk = desk_of(request)
    common = {
        "visitor": visitor,
        "_": visitor.words,
        "theme": visitor.theme,
        "path": request.url.path,
        "now": desk.now(),
        "may_act": visitor.may(Role.AGENT),
        "banners": banners(desk),
    }
    found = _environment().get_template(template)
    if request.headers.get("hx-request") and "part" in found.blocks:
        context = found.new_context({**common, **values})
        return _html("".join(found.blocks["part"](context)), status)
    return _html(found.render(**common, **values), status)


def outside_page(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    """A page without the reader's own things on it: they are not signed in, or something went wrong."""
    words = chosen_words(request)
    common = {"visitor": None, "_": words, "theme": theme_of(request), "path": request.url.path, "banners": None}
    return _html(_environment().get_template(template).render(**common, **values), status)


def _html(content: str, status: int) -> Response:
    """Half a pair of surrogates, which a network may hand over, cannot be written as UTF-8: it is shown as unreadable
    rather than taking the whole page away from everybody."""
    return HTMLResponse(_HALF_PAIRS.sub("\N{REPLACEMENT CHARACTER}", content), status_code=status)


def problem_page(request: Request, status: int, name: str, *, error: DyzurError | None = None) -> Response:
    """What happened, and what to do next."""
    return outside_page(request, "problem.html", status=status, name=name, error=error)


def safe_link(address: str | None) -> str:
    """A network's link, or nothing: never ``javascript:`` or ``data:``."""
    return address if address is not None and address.lower().startswith(("https://", "http://")) else ""


_HALF_PAIRS = re.compile("[\ud800-\udfff]")
#: Signs that turn the direction of reading and could make one text look like another.
_TURNING = dict.fromkeys(
    [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C], "\N{REPLACEMENT CHARACTER}"
)


def readable(text: str) -> str:
    """Somebody's words without signs that turn the reading direction, and without control characters."""
    return "".join(
        sign for sign in text.translate(_TURNING) if sign in "\n\t" or sign.isprintable() or ord(sign) > 0x9F
    )
