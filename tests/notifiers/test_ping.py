"""The dead man's switch asks one address and goes nowhere else."""

from __future__ import annotations

import pytest

from social.domain.errors import ConfigurationError, Unreachable
from social.notifiers.ping import Ping
from tests.notifiers.servers import HOST, Drawer, Visits, silent_server, web_server


def test_it_asks_its_address_and_logs_it_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    visits = Visits()
    with web_server(visits) as port:
        Ping(f"http://{HOST}:{port}/check-1", Drawer()).send()
        Ping("dead-man", Drawer(**{"dead-man": {"url": f"http://{HOST}:{port}/check-2"}})).send()

    assert visits.paths == ["/check-1", "/check-2"]
    assert "check-" not in caplog.text


def test_it_says_that_it_was_refused_without_the_address() -> None:
    visits = Visits(statuses=[404])
    with web_server(visits) as port, pytest.raises(Unreachable, match="the answer is 404") as caught:
        Ping(f"http://{HOST}:{port}/canary-id", Drawer()).send()

    assert "canary" not in str(caught.value)


def test_it_follows_nobody_elsewhere() -> None:
    visits = Visits(statuses=[302], location="/elsewhere")
    with web_server(visits) as port, pytest.raises(Unreachable, match="302"):
        Ping(f"http://{HOST}:{port}/check", Drawer()).send()

    assert visits.paths == ["/check"]


def test_nobody_there_is_told_without_the_address() -> None:
    with silent_server() as port:
        pass

    with pytest.raises(Unreachable, match="nobody answers") as caught:
        Ping(f"http://{HOST}:{port}/canary-id", Drawer()).send()
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://example.com/canary", "ftp://example.com/canary", "", "canary"])
def test_an_address_without_tls_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not an https address") as caught:
        Ping("dead-man", Drawer(**{"dead-man": {"url": url}}))
    assert "canary" not in str(caught.value)
