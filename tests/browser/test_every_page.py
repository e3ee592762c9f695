"""Every page in both languages, light, dark and on a phone: readable by everybody, inside the strict policy, no wider than
the window. With DYZUR_SCREENS=FOLDER the pictures are kept (`make screens`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import LOOKS, PICTURES, Desk, case_link

PAGES = ("weekend", "queue", "case", "health", "report", "people", "account", "pause", "sign-in", "not-found")
WHILE_SIGNED_OUT = ("sign-in",)


def shown(desk: Desk, name: str, look: str) -> Any:
    if name in WHILE_SIGNED_OUT:
        page = desk.window(look)
        page.goto(f"{desk.address}/{name}")
        return page
    page = desk.reader(look)
    if name == "case":
        case_link(page, "Etykiety odklejają").click()
        page.wait_for_url("**/case/*")
        return page
    path = {"weekend": "queue?view=weekend", "report": "reports/sentiment", "not-found": "case/99999"}.get(name, name)
    page.goto(f"{desk.address}/{path}")
    return page


@pytest.fixture(scope="module", autouse=True)
def a_case(desk: Desk) -> None:
    text = "Etykiety odklejają się po jednym prysznicu, a tusz płynie po rękach. Kto za to odpowiada?"
    posted = desk.shop.networks.post("post", network="facebook", text=text, author="ola_wrona", kind="visitor-post")
    case_link(desk.sign_in("anna"), "Etykiety odklejają")
    desk.shop.networks.post(
        "post", network="facebook", text="Halo?", author="ola_wrona", kind="comment", parent=posted["sequence"]
    )


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_read_it(desk: Desk, axe: str, name: str, look: str) -> None:
    before = len(desk.violations)
    page = shown(desk, name, look)
    page.wait_for_timeout(300)
    # what is folded away is read too
    page.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true })")
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [
        (violation["id"], [node["html"][:160] for node in violation["nodes"]]) for violation in found["violations"]
    ] == []
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if name != "not-found":  # there the missing page itself is an error in the console
        assert desk.violations[before:] == []
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(PICTURES) / f"{name}-{look}.png")
