"""E-mail through a mail server: encrypted, certificate checked, one attempt, every answer with its time-out.

What the server said decides: a "no" before it had the message, or a clear one after, is no; silence after it had the whole
message is ``Uncertain``. The Message-ID is made of the message's key, so that a repeated e-mail is known for the same one.
"""

from __future__ import annotations

import hashlib
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import ClassVar

from social.clock import machine_now
from social.domain.errors import ConfigurationError, ConnectorError, RefusalReason, Refused, Uncertain, Unreachable
from social.ports import CredentialStore, Message

SENDER_NAME = "Dyżur"
#: What every mail server takes: with "8bit" the words would need one that offers 8BITMIME.
_POLICY = SMTP.clone(cte_type="7bit")
STARTTLS, TLS, NONE = "starttls", "tls", "none"


class SmtpNotifier:
    """``security`` is ``starttls``, ``tls`` or ``none``; ``credential`` the name of one with ``username`` and ``password``,
    empty to send without signing in; ``ca_file`` are the certificates to trust instead of the machine's own."""

    channel: ClassVar[str] = "email"

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: str,
        sender: str,
        credentials: CredentialStore,
        credential: str = "",
        timeout: timedelta = timedelta(seconds=20),
        ca_file: Path | None = None,
    ) -> None:
        self._host, self._port, self._security = host, port, security
        self._sender = sender
        self._credentials, self._credential = credentials, credential
        self._seconds = timeout.total_seconds()
        self._context = None if security == NONE else _context(ca_file)

    @property
    def _resource(self) -> str:
        return f"{self._host}:{self._port}"

    def send(self, message: Message) -> None:
        content = composed(message, sender=self._sender).as_bytes()
        with self._signed_in() as server:
            _agreed(server.mail(self._sender), 250)
            _agreed(server.rcpt(message.to), 250, 251)
            try:
                answer = server.data(content)
            except smtplib.SMTPDataError:
                raise  # "no" before it had the message
            except (OSError, smtplib.SMTPServerDisconnected):
                raise Uncertain(
                    "the mail server fell silent after it had the message.", resource=self._resource
                ) from None
            _agreed(answer, 250)

    def check(self) -> None:
        """Connect, encrypt, sign in, and send nothing. Raises as ``send`` does, and ``ConfigurationError``."""
        with self._signed_in():
            pass

    @contextmanager
    def _signed_in(self) -> Iterator[smtplib.SMTP]:
        secrets = self._credentials.load(self._credential) if self._credential else None
        if secrets is not None and not (secrets.get("username") and secrets.get("password")):
            raise ConfigurationError(
                "it lacks username or password.",
                resource=f"credential {self._credential!r}",
                next_step='It needs two lines: username = "..." and password = "...".',
            )
        server: smtplib.SMTP | None = None
        try:
            server = self._connected()
            server.ehlo_or_helo_if_needed()
            if self._security == STARTTLS:
                _agreed(server.starttls(context=self._context), 220)
                server.ehlo()
            if secrets is not None:
                self._sign_in(server, secrets)
            yield server
            _take_leave(server)
        except (smtplib.SMTPException, OSError) as error:
            raise self._explained(error) from None
        finally:
            if server is not None:
                server.close()

    def _connected(self) -> smtplib.SMTP:
        # a name of our own: smtplib would ask the name server for one, which may hang
        name = re.sub(r"[^A-Za-z0-9.-]", "", socket.gethostname()) or "localhost"
        if self._security == TLS:
            return smtplib.SMTP_SSL(
                self._host, self._port, local_hostname=name, timeout=self._seconds, context=self._context
            )
        return smtplib.SMTP(self._host, self._port, local_hostname=name, timeout=self._seconds)

    def _sign_in(self, server: smtplib.SMTP, secrets: Mapping[str, str]) -> None:
        try:
            server.login(secrets["username"], secrets["password"])
        except UnicodeEncodeError:  # it holds the password
            raise self._refused("user name and password may have plain letters, digits and signs only.") from None

    def _explained(self, error: Exception) -> ConnectorError:
        """Never the server's answer to a password, and of its other answers one short line."""
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return self._refused(f"the mail server does not take user name and password ({error.smtp_code}).")
        if isinstance(error, smtplib.SMTPResponseException):
            said = f"the mail server said {error.smtp_code} {_one_line(error.smtp_error)}."
            if 400 <= error.smtp_code < 500:
                return Unreachable(said, resource=self._resource)
            return self._refused(said)
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return self._refused("the mail server does not offer what is wanted (STARTTLS, or a sign-in).")
        if isinstance(error, ssl.SSLCertVerificationError):
            return self._refused(f"the mail server's certificate is not trusted ({error.verify_message}).")
        if isinstance(error, TimeoutError) or "timed out" in str(error):  # smtplib calls some of them a hang-up
            return Unreachable(f"the mail server said nothing for {self._seconds:g} s.", resource=self._resource)
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it hung up"
        return Unreachable(f"the mail server cannot be reached ({why}).", resource=self._resource)

    def _refused(self, what: str) -> Refused:
        return Refused(
            what,
            reason=RefusalReason.PERMISSION,
            resource=self._resource,
            next_step="Mend [notify.smtp], then try: social notify test",
        )


def composed(message: Message, *, sender: str) -> EmailMessage:
    """The e-mail, plain text in UTF-8. A line break cannot get into a header: the words lose theirs, an address with one is
    refused by the header classes."""
    email = EmailMessage(policy=_POLICY)
    email["From"] = Address(display_name=SENDER_NAME, addr_spec=sender)
    email["To"] = Address(display_name=_one_line(message.name), addr_spec=message.to)
    email["Subject"] = _one_line(message.subject)
    email["Date"] = format_datetime(machine_now())
    email["Message-ID"] = message_id(message.key, sender=sender)
    email["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answer, please
    email.set_content(message.body)
    return email


def message_id(key: str, *, sender: str) -> str:
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{sender.rpartition('@')[2]}>"


def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError):
        raise ConfigurationError(
            "these certificates cannot be read.",
            resource=str(ca_file),
            next_step="[notify.smtp] ca_file is a text file with BEGIN CERTIFICATE in it.",
        ) from None


def _agreed(answer: tuple[int, bytes], *codes: int) -> None:
    code, said = answer
    if code not in codes:
        raise smtplib.SMTPResponseException(code, said)


def _take_leave(server: smtplib.SMTP) -> None:
    """What it has, it has: a server that hangs up without a goodbye changes nothing."""
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def _one_line(text: str | bytes, limit: int = 200) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
