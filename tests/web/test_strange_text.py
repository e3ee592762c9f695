"""Two hundred ways to run a script, in a customer's words and name, on every page of the desk: shown, and nothing else."""

from __future__ import annotations

import html
from html.parser import HTMLParser
from itertools import product
from typing import Any

import pytest

from social.domain.post import Author
from social.store.access import Role
from social.web.security import POLICY
from tests.reliability.awkward import AWKWARD
from tests.web.conftest import Shop

_BEGINNINGS = ("", "'>", '">', "</textarea>", "</title>", "-->", "]]>", "\x00", "\u2028", "&lt;")
_SCRIPTS = (
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.invalid/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<form action=//evil.invalid><button>x</button></form>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<math><mtext><script>alert(1)</script></mtext></math>",
    "<style>@import '//evil.invalid/x.css';</style>",
    "<meta http-equiv=refresh content='0;url=//evil.invalid'>",
    "<base href=//evil.invalid/>",
    "<object data=//evil.invalid></object>",
    "<div hx-get=//evil.invalid hx-trigger=load>x</div>",
    "{{ 7*7 }}{% raw %}<script>alert(1)</script>",
    "${alert(1)}`<img src=x onerror=alert(1)>`",
    '" autofocus onfocus=alert(1) x="',
)
PAYLOADS = [beginning + script for beginning, script in product(_BEGINNINGS, _SCRIPTS)]
_HANDLERS = ("on", "srcdoc", "formaction", "hx-get")


class Elements(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def elements(page: str) -> list[tuple[str, dict[str, str]]]:
    parser = Elements()
    parser.feed(page)
    return parser.found


def planted(page: str) -> list[Any]:
    """What a page of ours never has: the payloads' own elements, handlers, addresses."""
    ours = {"svg", "form", "details", "a", "style", "meta"}
    bad: list[Any] = []
    for tag, attributes in elements(page):
        foreign = tag in {"iframe", "object", "animate", "math", "base", "mtext"}
        handled = [name for name in attributes if name.startswith("on") or name == "srcdoc"]
        led = [
            value for value in attributes.values() if "evil.invalid" in value and tag in {*ours, "script", "div", "img"}
        ]
        ran = [value for value in attributes.values() if value.strip().lower().startswith(("javascript:", "data:text"))]
        pictured = tag == "img" and attributes.get("src") == "x"
        if foreign or handled or led or ran or pictured or (tag == "script" and "src" not in attributes):
            bad.append((tag, attributes))
    return bad


def test_the_search_for_what_was_planted_finds_it() -> None:
    for script in _SCRIPTS[:17]:
        assert planted(f"<p>{script}</p>") or script.startswith("<style"), script


@pytest.mark.parametrize("batch", range(10))
def test_a_script_in_words_or_name_is_only_shown(shop: Shop, batch: int) -> None:
    browser = shop.browser(role=Role.ADMIN)
    for number, payload in enumerate(PAYLOADS[batch::10]):
        who = Author(native_id=f"c{number}", handle=payload, display_name=payload)
        case = shop.asks(payload, native_id=f"x{number}", by=who, permalink="javascript:alert(1)")
        for path in (f"/case/{case}", f"/case/{case}/changes"):
            page = browser.get(path)
            assert page.status == 200
            assert planted(page.html) == [], payload
            assert page.response.headers["content-security-policy"] == POLICY
        if "\x00" not in payload:
            assert " ".join(payload.split()) in " ".join(html.unescape(browser.get(f"/case/{case}").html).split())
    for path in (
        "/queue",
        "/queue?view=weekend",
        "/queue?q=<script>alert(1)</script>",
        "/health",
        "/people",
        "/account",
    ):
        page = browser.get(path)
        assert page.status == 200
        assert planted(page.html) == []
    for path in ("/reports/sentiment", "/pause", '/case/"><script>alert(1)</script>', "/<img src=x onerror=alert(1)>"):
        assert planted(browser.get(path).html) == []


def test_the_policy_lets_no_script_of_a_page_run() -> None:
    directives = dict(part.strip().split(" ", 1) for part in POLICY.split(";"))
    assert directives["script-src"] == "'self'"
    assert directives["default-src"] == directives["base-uri"] == "'none'"


@pytest.mark.parametrize("name", AWKWARD)
def test_every_awkward_text_and_name_has_its_page(shop: Shop, name: str) -> None:
    browser, text = shop.browser(), AWKWARD[name]
    who = Author(native_id="awkward", handle=text[:200], display_name=text[:200])
    case = shop.asks(text, native_id="awkward", by=who)
    for path in ("/queue", f"/case/{case}"):
        page = browser.get(path)
        assert page.status == 200
        page.response.content.decode("utf-8")
