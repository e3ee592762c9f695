"""Marked ``browser``: the desk as people meet it, in a real Chromium, over a running daemon on simulated networks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.processes import Shop
from tests.engine.looking import eventually

_HERE = Path(__file__).parent
CHROMIUM = os.environ.get("DYZUR_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
#: Where `make screens` wants its pictures.
PICTURES = os.environ.get("DYZUR_SCREENS")
PASSWORD = "cztery małe słowa"
AXE = "axe-core@4"
FORWARD = re.compile("^(Next|Dalej)$")
_missing: list[str] = []

#: Language, colours and size of window that every page is looked at in.
LOOKS = {
    "pl-light": {"locale": "pl-PL", "color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "en-dark": {"locale": "en-GB", "color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "pl-phone": {
        "locale": "pl-PL",
        "color_scheme": "dark",
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
    },
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.browser)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reason in _missing:
        terminalreporter.write_line(f"NOT LOOKED AT IN A BROWSER: {reason}", red=True, bold=True)


def _absent(reason: str) -> None:
    """DYZUR_REAL=required turns the skip into a failure (for CI)."""
    _missing.append(reason)
    if os.environ.get("DYZUR_REAL") == "required":
        pytest.fail(f"DYZUR_REAL=required, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _absent("playwright is not installed (pip)")
    if CHROMIUM is None:
        _absent("chromium is not on PATH (apt install chromium)")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*flags, "--disable-sync", "--no-first-run"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, the accessibility checker, from npm."""
    npm = shutil.which("npm")
    if npm is None:
        _absent("npm is not on PATH, so axe-core cannot be had")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(
        [str(npm), "install", "--no-audit", "--no-fund", "--no-package-lock", AXE],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode != 0:
        _absent(f"npm could not install {AXE}: {done.stderr.strip()[-200:]}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


class Desk:
    """The running desk of one shop, and people's windows to it."""

    def __init__(self, shop: Shop, chromium: Any) -> None:
        self.shop = shop
        self._chromium = chromium
        self._contexts: list[Any] = []
        self.violations: list[str] = []  # of the content security policy, and scripts that broke
        # pictures show what people will see: the model, and all networks
        shop.run(**({"DYZUR_TRIAGE__BACKEND": "auto"} if PICTURES else {}))
        shop.logs("Come in")
        self.address = re.search(r"The desk\s+(\S+)", shop.log)[1]  # type: ignore[index]
        self.first_link = re.search(r"Come in\s+(\S+)", shop.log)[1]  # type: ignore[index]

    def window(self, look: str = "en-dark", **options: Any) -> Any:
        """A fresh window of nobody."""
        context = self._chromium.new_context(**{**LOOKS[look], **options})
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)

        def heard(message: Any) -> None:
            if "Content Security Policy" in message.text or message.type == "error":
                self.violations.append(message.text)

        page.on("console", heard)
        page.on("pageerror", lambda error: self.violations.append(str(error)))
        return page

    def accept(self, page: Any, link: str, name: str) -> Any:
        page.goto(link)
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.fill("#again", PASSWORD)
        page.click("button.main")
        page.wait_for_url("**/queue")
        return page

    def sign_in(self, name: str, look: str = "en-dark", **options: Any) -> Any:
        page = self.window(look, **options)
        page.goto(f"{self.address}/sign-in")
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.click("button.main")
        page.wait_for_url("**/queue")
        return page

    def reader(self, look: str) -> Any:
        """A window of somebody who reads the language of ``look``."""
        return self.sign_in("zofia" if look.startswith("pl") else "anna", look)

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        self.shop.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Desk]:
    """A shop with customers; anna (admin) and marek (agent) read English, zofia (admin) reads Polish."""
    how = {"poll_every": "5m"} if PICTURES else {"only": "facebook"}
    running = Desk(Shop.make(tmp_path_factory.mktemp("shop"), **how), chromium)
    try:
        anna = running.accept(running.window("en-dark"), running.first_link, "anna")
        for name, role, look in (("marek", "agent", "en-dark"), ("zofia", "admin", "pl-light")):
            anna.goto(f"{running.address}/people")
            anna.select_option("#role", role)
            anna.click("text=Make a link")
            running.accept(running.window(look), anna.inner_text("code.link"), name)
        yield running
    finally:
        running.close()


@pytest.fixture
def customer(desk: Desk) -> Callable[..., dict[str, Any]]:
    """Somebody writes to the shop now; returns the post once it has a case."""

    def writes(text: str, *, author: str = "ola_wrona", **how: Any) -> dict[str, Any]:
        placed = {"kind": "visitor-post", **how}
        return dict(desk.shop.networks.post("post", network="facebook", text=text, author=author, **placed))

    return writes


def case_link(page: Any, text: str) -> Any:
    """The row of the queue with ``text``, once it is there, whichever page of the queue it is on."""
    row, further = page.locator(".excerpt a", has_text=text), page.locator("a.button[href*='page_number=']")
    first = page.url

    def there() -> bool:
        page.goto(first)
        while not row.count():
            if not (forward := further.filter(has_text=FORWARD)).count():
                return False
            forward.click()
            page.wait_for_load_state()
        return True

    eventually(there, what=f"{text!r} in the queue")
    return row.first
