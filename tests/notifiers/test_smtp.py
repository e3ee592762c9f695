"""E-mails arrive as they were meant, or it is known why not; and no trick gets them onto an open wire."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from social.domain.errors import ConfigurationError, DyzurError, Refused, Uncertain, Unreachable
from social.notifiers.smtp import NONE, STARTTLS, TLS, SmtpNotifier, message_id
from social.ports import Message
from tests.notifiers.servers import (
    HOST,
    PASSWORD,
    SIGN_IN,
    USER,
    Certificate,
    Drawer,
    Mailbox,
    mail_server,
    self_made_certificate,
    silent_server,
)

SENDER = "desk@example.com"
BODY = "Na profilu fikcja-net ktoś czeka.\n\n„Zażółć gęślą jaźń”\n.\nKoniec.\n"
QUICK = timedelta(seconds=0.4)


def message(**more: str) -> Message:
    values = {
        "key": "case|1|anna|email",
        "to": "anna@example.com",
        "name": "Anna Żółć",
        "subject": "Pilność krytyczna: sprawa 1 czeka",
        "body": BODY,
    }
    return Message(**{**values, **more})


def notifier(port: int, security: str = NONE, **more: Any) -> SmtpNotifier:
    values: dict[str, Any] = {"credentials": Drawer(), "timeout": timedelta(seconds=5)}
    return SmtpNotifier(host=HOST, port=port, security=security, sender=SENDER, **{**values, **more})


def signing_in(port: int, security: str, *, password: str = PASSWORD, **more: Any) -> SmtpNotifier:
    drawer = Drawer(mail={"username": USER, "password": password})
    return notifier(port, security, credentials=drawer, credential="mail", **more)


def read(box: Mailbox, number: int = 0) -> EmailMessage:
    content = box.envelopes[number].content
    assert isinstance(content, bytes)
    found = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def words(found: EmailMessage) -> str:
    text = found.get_content()
    assert isinstance(text, str)
    return text.replace("\r\n", "\n")


@pytest.fixture
def box() -> Mailbox:
    return Mailbox()


@pytest.fixture
def port(box: Mailbox) -> Iterator[int]:
    with mail_server(box) as found:
        yield found


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return self_made_certificate(tmp_path)


# --- what arrives -------------------------------------------------------------------------------------------------------


def test_it_arrives_as_plain_text_with_its_polish_letters(box: Mailbox, port: int) -> None:
    notifier(port).send(message())

    (envelope,) = box.envelopes
    found = read(box)
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, ["anna@example.com"])
    assert found["From"] == "Dyżur <desk@example.com>"
    assert found["To"] == '"Anna Żółć" <anna@example.com>' or found["To"] == "Anna Żółć <anna@example.com>"
    assert found["Subject"] == "Pilność krytyczna: sprawa 1 czeka"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found.get_content_type() == "text/plain"
    assert words(found) == BODY


def test_it_needs_nothing_of_the_server_but_plain_letters(box: Mailbox, port: int) -> None:
    notifier(port).send(message())

    content = box.envelopes[0].content
    assert isinstance(content, bytes)
    assert content.isascii()


def test_a_repeated_message_is_known_by_its_id_and_another_one_too(box: Mailbox, port: int) -> None:
    for key in ("one", "one", "two"):
        notifier(port).send(message(key=key))

    ids = [read(box, number)["Message-ID"] for number in range(3)]
    assert ids[0] == ids[1] == message_id("one", sender=SENDER)
    assert ids[2] != ids[0]
    assert ids[0].endswith("@example.com>")


@pytest.mark.parametrize("field", ["subject", "name"])
def test_words_cannot_add_a_header_or_a_recipient(box: Mailbox, port: int, field: str) -> None:
    notifier(port).send(message(**{field: "hej\r\nBcc: eve@example.com\r\n\r\nEvil"}))

    found = read(box)
    assert found["Bcc"] is None
    assert box.envelopes[0].rcpt_tos == ["anna@example.com"]
    assert words(found) == BODY


def test_an_address_cannot_add_a_command(box: Mailbox, port: int) -> None:
    with pytest.raises(ValueError, match=r"CR|invalid|address|expected"):
        notifier(port).send(message(to="anna@example.com>\r\nRCPT TO:<eve@example.com"))

    assert box.envelopes == []


# --- encryption ---------------------------------------------------------------------------------------------------------


def test_it_encrypts_checks_the_certificate_and_signs_in(box: Mailbox, certificate: Certificate) -> None:
    with mail_server(box, tls_context=certificate.server, require_starttls=True, auth_required=True, **SIGN_IN) as port:
        signing_in(port, STARTTLS, ca_file=certificate.ca_file).send(message())

    assert words(read(box)) == BODY


def test_it_encrypts_from_the_start(box: Mailbox, certificate: Certificate) -> None:
    with mail_server(box, ssl_context=certificate.server) as port:
        notifier(port, TLS, ca_file=certificate.ca_file).send(message())

    assert len(box.envelopes) == 1


@pytest.mark.parametrize("security", [STARTTLS, TLS])
def test_it_gives_nothing_to_a_server_whose_certificate_nobody_vouches_for(
    box: Mailbox, certificate: Certificate, security: str
) -> None:
    how = {"tls_context": certificate.server} if security == STARTTLS else {"ssl_context": certificate.server}
    with mail_server(box, **how) as port, pytest.raises(Refused, match="certificate is not trusted"):
        signing_in(port, security).send(message())

    assert box.envelopes == []


def test_a_certificate_for_another_host_is_not_trusted(box: Mailbox, tmp_path: Path) -> None:
    other = self_made_certificate(tmp_path, host="127.0.0.2")
    with mail_server(box, tls_context=other.server) as port, pytest.raises(Refused, match="certificate"):
        notifier(port, STARTTLS, ca_file=other.ca_file).send(message())


def test_it_never_goes_on_without_encryption(box: Mailbox, port: int) -> None:
    with pytest.raises(Refused, match="STARTTLS"):
        signing_in(port, STARTTLS).send(message())

    assert box.envelopes == []


def test_certificates_that_cannot_be_read_are_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")

    with pytest.raises(ConfigurationError, match=r"ca\.pem: these certificates cannot be read"):
        notifier(1, STARTTLS, ca_file=tmp_path / "ca.pem")


# --- no -----------------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_told_and_never_repeated(box: Mailbox, certificate: Certificate) -> None:
    with mail_server(box, tls_context=certificate.server, auth_required=True, **SIGN_IN) as port:
        wrong = signing_in(port, STARTTLS, password="canary-wrong", ca_file=certificate.ca_file)
        with pytest.raises(Refused, match="does not take user name and password") as caught:
            wrong.send(message())

    assert "canary" not in str(caught.value) + repr(caught.value.__cause__) + repr(caught.value.__context__)
    assert "social notify test" in str(caught.value)


def test_a_password_that_cannot_be_sent_is_not_quoted(box: Mailbox, certificate: Certificate) -> None:
    with mail_server(box, tls_context=certificate.server, auth_required=True, **SIGN_IN) as port:
        odd = signing_in(port, STARTTLS, password="canary-ż", ca_file=certificate.ca_file)
        with pytest.raises(Refused, match="plain letters") as caught:
            odd.send(message())

    assert "canary" not in str(caught.value)


def test_a_credential_that_lacks_a_part_says_which_lines_it_needs(port: int) -> None:
    half = notifier(port, credentials=Drawer(mail={"username": USER}), credential="mail")

    with pytest.raises(ConfigurationError, match="lacks username or password"):
        half.send(message())


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("451 try again later", Unreachable), ("452 mailbox full", Unreachable), ("550 no such mailbox", Refused)],
)
@pytest.mark.parametrize("stage", ["sender", "recipient", "data"])
def test_what_the_server_says_decides(box: Mailbox, port: int, stage: str, answer: str, kind: type[DyzurError]) -> None:
    if stage == "data":
        box.answers.append(answer)
    else:
        setattr(box, f"{stage}_answer", answer)

    with pytest.raises(kind, match=answer[4:]):
        notifier(port).send(message())

    assert box.envelopes == []


def test_a_server_that_is_busy_from_the_start_is_tried_later() -> None:
    with silent_server(b"421 too many connections\r\n") as port, pytest.raises(Unreachable, match="421 too many"):
        notifier(port).send(message())


def test_words_of_the_server_stay_on_one_line() -> None:
    with silent_server(b"554-go\x1b[31m away\r\n554 now\r\n") as port, pytest.raises(Refused) as caught:
        notifier(port).send(message())

    assert str(caught.value).isprintable()


# --- silence ------------------------------------------------------------------------------------------------------------


def test_nobody_there_is_told_as_such() -> None:
    with silent_server() as port:
        pass

    with pytest.raises(Unreachable, match="cannot be reached"):
        notifier(port).send(message())


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (b"220 hello\r\n",),
        (b"220 hello\r\n", b"250 yes\r\n"),
        (b"220 hello\r\n", b"250 yes\r\n", b"250 sender fine\r\n"),
    ],
)
def test_a_server_that_falls_silent_before_it_has_the_message_surely_has_it_not(lines: tuple[bytes, ...]) -> None:
    with silent_server(*lines) as port, pytest.raises(Unreachable, match=r"said nothing for 0\.4 s"):
        notifier(port, timeout=QUICK).send(message())


def test_silence_during_the_handshake_ends_as_well() -> None:
    with silent_server() as port, pytest.raises(Unreachable):
        notifier(port, TLS, timeout=QUICK).send(message())


def test_of_a_server_that_falls_silent_after_the_message_nobody_can_tell() -> None:
    lines = (b"220 hello\r\n", b"250 yes\r\n", b"250 sender\r\n", b"250 recipient\r\n", b"354 go on\r\n")
    with silent_server(*lines) as port, pytest.raises(Uncertain, match="fell silent after it had the message"):
        notifier(port, timeout=QUICK).send(message())


# --- a look -------------------------------------------------------------------------------------------------------------


def test_a_check_signs_in_and_sends_nothing(box: Mailbox, certificate: Certificate) -> None:
    with mail_server(box, tls_context=certificate.server, auth_required=True, **SIGN_IN) as port:
        signing_in(port, STARTTLS, ca_file=certificate.ca_file).check()
        with pytest.raises(Refused):
            signing_in(port, STARTTLS, password="canary-wrong", ca_file=certificate.ca_file).check()

    assert box.envelopes == []
