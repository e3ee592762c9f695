"""Two hundred scripts in customers' words and names, in a real Chromium: none runs, and the policy has nothing to stop."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Desk
from tests.engine.looking import eventually
from tests.web.test_strange_text import PAYLOADS

MARK = "ZNAK"


@pytest.mark.parametrize("batch", range(4))
def test_no_script_of_a_customer_runs(desk: Desk, batch: int) -> None:
    page = desk.sign_in("anna")
    alarms: list[str] = []
    page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
    before = len(desk.violations)
    mine = PAYLOADS[batch::4]
    for number, payload in enumerate(mine):
        desk.shop.networks.post(
            "post",
            network="facebook",
            text=f"{MARK}-{batch}-{number} {payload}",
            author=f"{MARK.lower()}_{batch}_{number}",
            kind="visitor-post",
        )
    shown: set[str] = set()

    def all_were_shown() -> bool:
        """Every page of the queue, and every case of ours that stands on it."""
        number = 1
        while True:
            page.goto(f"{desk.address}/queue?page_number={number}")
            links = page.locator(".excerpt a", has_text=f"{MARK}-{batch}-")
            addresses = [links.nth(index).get_attribute("href") for index in range(links.count())]
            further = page.locator(f"a.button[href*='page_number={number + 1}']").count()
            for address in addresses:
                if address not in shown:
                    page.goto(f"{desk.address}{address}")
                    shown.add(address)
            if not further:
                return len(shown) >= len(mine)
            number += 1

    eventually(all_were_shown, seconds=180, what="a case for every payload")
    assert alarms == []
    assert desk.violations[before:] == []
