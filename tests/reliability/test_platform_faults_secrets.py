"""Every call of the Graph API carries the app's proof, and the token in its address is in no log line."""

from __future__ import annotations

import hashlib
import hmac
import logging
from pathlib import Path

import pytest

from connectors.simulated.facebook import APP_ID
from social.store.session import Database
from tests.reliability.networks import KINDS, SECRETS, town


@pytest.mark.parametrize("kind", KINDS)
def test_no_log_line_of_a_day_with_troubles_holds_a_secret(
    kind: str, database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with town(kind, database, tmp_path) as place:
        for number, fault in enumerate(("status", "reset", "truncated", "drop-answer", "html", "gzip-bomb")):
            place.customer_says(f"Gdzie jest paczka numer {number}?", author=f"c{number}")
            place.fault(fault, status=503)
            place.run_and_settle(hours=1)
        place.ear.revoke(*SECRETS[kind].values())
        place.run(minutes=30)
        assert place.published()
    assert caplog.records
    shown = [logging.Formatter().format(record) for record in caplog.records]
    assert not [line for line in shown for secret in SECRETS[kind].values() if secret in line]


def test_every_call_of_a_day_proves_that_the_token_is_the_apps_own(database: Database, tmp_path: Path) -> None:
    secret, token = SECRETS["facebook"]["app_secret"], SECRETS["facebook"]["access_token"]
    proof = hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()
    with town("facebook", database, tmp_path) as place:
        for number in range(8):
            said = place.customer_says(f"Gdzie jest paczka numer {number}?", author=f"c{number}")
            place.run(hours=1)
            if number % 3 == 0:
                place.stage.world.delete(said.sequence)
        place.connector.inspect()
        place.run(hours=16)

        assert place.published()
        assert {request.method for request in place.ear.heard} == {"GET", "POST"}
        for request in place.ear.heard:
            given = (
                request.form() if request.method == "POST" else {name: request.param(name) for name in request.query}
            )
            if request.path.endswith("/debug_token"):  # what a token may do, only the app itself may ask
                assert given["access_token"] == f"{APP_ID}|{secret}"
                assert given["input_token"] == token
                continue
            assert given["access_token"] == token
            assert given["appsecret_proof"] == proof
