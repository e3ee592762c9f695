"""A desk with one waiting customer, and browsers of people who work at it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from responders.snapshot import Timing
from social.clock import SteppedClock, machine_now
from social.domain.post import FetchedPost
from social.engine.calendars import calendars_of
from social.settings import parse_settings
from social.store import access
from social.store.access import Role
from social.store.session import Database
from social.store.tables import EscalationRow
from social.web import passwords
from social.web.app import create_app
from social.web.desk import WebDesk
from social.web.pages import sign_in
from social.web.visitor import SESSION_COOKIE, csrf_of
from tests.cast import BRAND, PROFILE, at
from tests.factories import assessment, case, post, profile, remembered, row_of

NOW = at("2026-11-20 10:35")
ASKED_AT = at("2026-11-20 10:00")
PASSWORD = "cztery małe słowa"

CONFIG = f"""
[[brands]]
name = "{BRAND}"
languages = ["en"]
timezone = "Europe/Warsaw"
holidays = "PL"
hours = {{ "mon-fri" = ["09:00-17:00"] }}

[[profiles]]
name = "{PROFILE}"
brand = "{BRAND}"
connector = "bluesky"
mode = "acknowledge"
closed_notice = true
credential = "none"

[triage]
backend = "rules"
"""


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Costs half a second, so it is made once."""
    return passwords.hashed(PASSWORD)


@pytest.fixture(autouse=True)
def fresh_tries() -> Iterator[None]:
    """Wrong passwords of one test are not held against the next."""
    yield
    sign_in.tries.forget()


@dataclass
class Page:
    """An answer of the desk, as somebody reads it."""

    response: Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def html(self) -> str:
        return self.response.text

    @property
    def words(self) -> str:
        """What stands on the page, without tags, on one line."""
        import html

        words = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", self.html)).split())
        return re.sub(r" ([,.:;])", r"\1", words)

    def field(self, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.html)
        assert found is not None, f"no field {name} on the page"
        return found[1]


class Browser:
    """Somebody's browser: cookies, forms with their hidden fields."""

    def __init__(self, shop: Shop, language: str = "en") -> None:
        self.client = TestClient(
            shop.app, base_url="http://127.0.0.1:8710", headers={"accept-language": language}, follow_redirects=True
        )
        self.csrf = ""

    def get(self, path: str, **headers: str) -> Page:
        return Page(self.client.get(path, headers=headers))

    def post(self, path: str, **fields: str) -> Page:
        """A form of a page of ours; without ``csrf`` among the fields, the session's own."""
        return Page(self.client.post(path, data={"csrf": self.csrf, **fields}))

    def sign_in(self, name: str, password: str = PASSWORD, *, next_page: str = "/queue") -> Page:
        form = self.get("/sign-in").field("form")
        page = self.post("/sign-in", form=form, name=name, password=password, next=next_page)
        if found := re.search(r'name="csrf" content="([^"]+)"', page.html):
            self.csrf = found[1]
        return page


@dataclass
class Shop:
    """A desk with one customer's question of 10:00 in the queue; it is 10:35."""

    database: Database
    clock: SteppedClock
    desk: WebDesk
    app: Any
    password_hash: str
    case_id: int = 0
    post_id: int = 0

    def asks(self, text: str = "Gdzie jest paczka?", *, judgement: Any = None, **how: Any) -> int:
        """One more customer's question; returns its case."""
        asked: FetchedPost = post(text, **{"when": ASKED_AT, **how})
        row_id = remembered(self.database, profile(self.database, network="bluesky"), asked, now=self.clock.now())
        judgement = judgement or assessment()
        self.post_id = row_id
        return case(self.database, row_id, urgency=judgement.urgency, judgement=judgement)

    def writes_again(self, text: str = "Halo?", *, when: Any = NOW) -> None:
        again = post(text, when=when, native_id=f"again-{when:%H%M}", thread_root="q1")
        remembered(self.database, profile(self.database, network="bluesky"), again, now=when)

    def employ(self, name: str, role: Role = Role.AGENT, language: str | None = None) -> None:
        at_, now = machine_now(), self.clock.now()
        with self.database.write() as session:
            token, _ = access.invite(session, role=role, at=at_, now=now, by="test")
            access.accept(
                session, token, name=name, password_hash=self.password_hash, language=language, at=at_, now=now
            )

    def browser(
        self, name: str = "hanna", role: Role = Role.AGENT, language: str = "en", chosen: str | None = None
    ) -> Browser:
        """``name`` signed in (without the half second that a password costs); ``language`` is the browser's, ``chosen`` the
        account's own."""
        self.employ(name, role, chosen)
        browser, at_ = Browser(self, language), machine_now()
        with self.database.write() as session:
            found = access.credentials_of(session, name)
            assert found is not None
            lifetime = self.desk.session_lifetime
            token = access.start_session(session, found.user_id, at=at_, lifetime=lifetime, browser="test")
        browser.client.cookies.set(SESSION_COOKIE, token)
        browser.csrf = csrf_of(token)
        return browser

    @property
    def case(self) -> dict[str, Any]:
        return row_of(self.database, EscalationRow, self.case_id)


@pytest.fixture
def make_shop(database: Database, tmp_path: Path, password_hash: str) -> Callable[..., Shop]:
    def make(config: str = CONFIG) -> Shop:
        settings = parse_settings(config, source=None, home=tmp_path, environment={})
        clock = SteppedClock(NOW)
        desk = WebDesk(
            database=database, clock=clock, settings=settings, calendars=calendars_of(settings), waits=Timing()
        )
        profile(database, network="bluesky")
        return Shop(database=database, clock=clock, desk=desk, app=create_app(desk), password_hash=password_hash)

    return make


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    made = make_shop()
    made.case_id = made.asks(native_id="q1")
    return made
