"""Servers on this machine that take messages, refuse them or fall silent, and a certificate that somebody made at home."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from social.clock import machine_now
from social.domain.errors import ConfigurationError
from social.ports import Secrets

HOST = "127.0.0.1"
USER, PASSWORD = "desk", "canary-password-1"


class Drawer:
    """Credentials that a test gives."""

    def __init__(self, **named: dict[str, str]) -> None:
        self._named = named

    def load(self, name: str) -> Secrets:
        if name not in self._named:
            raise ConfigurationError(f"the credential {name!r} was not found.")
        return Secrets(self._named[name])

    def save(self, name: str, parts: Mapping[str, str]) -> None:
        raise AssertionError("nothing here is saved")


@dataclass
class Mailbox:
    """What a server took. ``answers`` are given to the next messages instead of taking them."""

    envelopes: list[Envelope] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    recipient_answer: str = ""
    sender_answer: str = ""

    async def handle_MAIL(  # noqa: N802 aiosmtpd's name
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.sender_answer or "250 OK"

    async def handle_RCPT(  # noqa: N802 aiosmtpd's name
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.recipient_answer or "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802 aiosmtpd's name
        if self.answers:
            return self.answers.pop(0)
        self.envelopes.append(envelope)
        return "250 taken"


def _signs_in(server: Any, session: Any, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


class _OnAnyPort(Controller):
    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()


@contextmanager
def mail_server(box: Mailbox, **options: Any) -> Iterator[int]:
    """A real one; its port. ``options`` are aiosmtpd's."""
    controller = _OnAnyPort(box, hostname=HOST, port=0, **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@contextmanager
def silent_server(*lines: bytes) -> Iterator[int]:
    """Takes connections, sends ``lines`` one after the other, each after something came in (the first at once), and then
    nothing more."""
    listener = socket.create_server((HOST, 0))
    over = threading.Event()

    def talk(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            for number, line in enumerate(lines):
                if number and not connection.recv(65536):
                    return
                connection.sendall(line)
            over.wait(10)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed below
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        listener.close()


@dataclass
class Visits:
    """What a web server was asked. ``statuses`` are answered in order, then 200; a redirect leads to ``location``."""

    paths: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    location: str = ""


@contextmanager
def web_server(visits: Visits) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            visits.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer()

        def _answer(self) -> None:
            visits.paths.append(self.path)
            self.send_response(visits.statuses.pop(0) if visits.statuses else 200)
            if visits.location:
                self.send_header("Location", visits.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002 the library's name

    server = ThreadingHTTPServer((HOST, 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Certificate:
    """``ca_file`` is what trusts it; ``server`` is what a server shows."""

    ca_file: Path
    server: ssl.SSLContext


def self_made_certificate(folder: Path, *, host: str = HOST) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made at home")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(machine_now() - timedelta(days=1))
        .not_valid_after(machine_now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return Certificate(ca_file=public, server=context)


SIGN_IN = {"authenticator": _signs_in}
