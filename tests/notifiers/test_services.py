"""Push services and chats: told once, tried again where nobody took it, and no address with its token in any log."""

from __future__ import annotations

import logging

import pytest

from social.domain.errors import Refused, Unreachable
from social.notifiers.services import ServicesNotifier
from social.ports import Message
from tests.notifiers.servers import HOST, Drawer, Visits, web_server

#: apprise still loads it where it is there, for its plug-in of e-mails.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

TOKEN = "canary-token-42"


def message(body: str = "Ktoś czeka.") -> Message:
    return Message(key="k", to="anna-phone", name="anna", subject="Pilność krytyczna", body=body)


def address(port: int, path: str = "one") -> str:
    return f"json://desk:{TOKEN}@{HOST}:{port}/{path}/{TOKEN}?cto=2&rto=2"


def test_it_tells_a_service(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    visits = Visits()
    with web_server(visits) as port:
        ServicesNotifier(Drawer(**{"anna-phone": {"push": address(port)}})).send(message())

    (body,) = visits.bodies
    assert (body["title"], body["message"]) == ("Pilność krytyczna", "Ktoś czeka.")
    assert TOKEN not in caplog.text


def test_a_customers_words_are_words_and_no_markup() -> None:
    visits = Visits()
    with web_server(visits) as port:
        drawer = Drawer(**{"anna-phone": {"push": f"{address(port)}&format=html"}})
        ServicesNotifier(drawer).send(message("<b>pilne</b> & <script>"))

    assert "<script>" not in visits.bodies[0]["message"]
    assert "&lt;script&gt;" in visits.bodies[0]["message"]


def test_one_service_that_takes_it_is_enough_and_the_other_is_named(caplog: pytest.LogCaptureFixture) -> None:
    visits = Visits(statuses=[500])
    with web_server(visits) as port:
        drawer = Drawer(**{"anna-phone": {"chat": address(port, "chat"), "push": address(port, "push")}})
        ServicesNotifier(drawer).send(message())

    assert [path.split("/")[1] for path in visits.paths] == ["chat", "push"]
    assert "anna was told, but not by: chat" in caplog.text
    assert TOKEN not in caplog.text


def test_where_no_service_takes_it_it_is_tried_again_later(caplog: pytest.LogCaptureFixture) -> None:
    visits = Visits(statuses=[500, 403])
    with web_server(visits) as port:
        drawer = Drawer(**{"anna-phone": {"chat": address(port, "chat"), "push": address(port, "push")}})
        with pytest.raises(Unreachable, match="no service took the message") as caught:
            ServicesNotifier(drawer).send(message())

    assert TOKEN not in str(caught.value) + caplog.text


def test_an_address_that_nobody_understands_is_named_by_its_part_and_not_repeated() -> None:
    notifier = ServicesNotifier(Drawer(**{"anna-phone": {"push": f"nonsense://{TOKEN}"}}))

    with pytest.raises(Refused, match="does not understand the address in push") as caught:
        notifier.check("anna-phone")
    assert TOKEN not in str(caught.value)
