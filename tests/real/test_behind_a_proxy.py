"""The recipes of docs/desk.md, with the real proxies: what stands there is what runs here."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from social.clock import machine_now
from social.web.serve import WebServer
from tests.engine.looking import eventually
from tests.web.conftest import CONFIG, PASSWORD, Shop

HOST = "localhost"
DOCS = Path(__file__).parents[2] / "docs" / "desk.md"


def recipe(name: str, after: str) -> str:
    """The code block of docs/desk.md that follows the line beginning with ``after``."""
    text = DOCS.read_text(encoding="utf-8").partition(after)[2]
    found = re.search(r"```\w*\n(.*?)```", text, re.DOTALL)
    assert found is not None, f"the recipe for {name} is not in {DOCS}"
    return found[1]


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        reason = f"{name} is not on this machine (apt install {name})"
        if os.environ.get("DYZUR_REAL") == "required":
            pytest.fail(f"DYZUR_REAL=required, but {reason}", pytrace=False)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(certificate, key) of our own for HOST."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = machine_now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return public, private


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("wb") as words:
        process = subprocess.Popen(command, stdout=words, stderr=words)
    try:

        def listens() -> bool:
            assert process.poll() is None, log.read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        eventually(listens, what="the proxy")
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture
def desk(make_shop: Callable[..., Shop]) -> Iterator[tuple[Shop, WebServer, int]]:
    """A desk that is known by the proxy's name; the port is the proxy's."""
    port = free_port()
    shop = make_shop(CONFIG + f'\n[web]\nport = 0\nbehind_proxy = true\naddress = "https://{HOST}:{port}"\n')
    server = WebServer(shop.desk)
    server.start()
    yield shop, server, port
    server.stop()


def come_in(shop: Shop, port: int, certificate: Path) -> None:
    """Sign in through the proxy, as a browser does, and look."""
    shop.employ("hanna")
    address = f"https://{HOST}:{port}"
    with requests.Session() as browser:
        browser.trust_env, browser.verify = False, str(certificate)
        form = re.search(r'name="form" value="([^"]+)"', browser.get(f"{address}/sign-in", timeout=20).text)
        assert form is not None
        fields = {"form": form[1], "name": "hanna", "password": PASSWORD, "next": "/queue"}
        page = browser.post(f"{address}/sign-in", data=fields, headers={"Origin": address}, timeout=20)
        assert page.url == f"{address}/queue"
        assert "Nothing waits." in page.text
        assert all(cookie.secure for cookie in browser.cookies)
        for private in ("metrics", "readyz"):
            assert browser.get(f"{address}/{private}", timeout=20).status_code == 404
        assert browser.get(f"{address}/healthz", timeout=20).text == "ok\n"
        with browser.get(f"{address}/live", stream=True, timeout=20) as line:
            assert next(line.iter_lines()).startswith(b'data: {"seen"')
    with requests.Session() as stranger:
        stranger.trust_env, stranger.verify = False, str(certificate)
        refused = stranger.get(f"{address}/sign-in", headers={"Host": "evil.example"}, timeout=20)
        assert refused.status_code in (404, 421) or "Sign in" not in refused.text


def test_the_desk_behind_nginx(
    desk: tuple[Shop, WebServer, int], certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    shop, server, port = desk
    site = recipe("nginx", "nginx:").replace("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    site = site.replace("desk.example.com;", f"{HOST};").replace("127.0.0.1:8710", f"127.0.0.1:{server.port}")
    for ending, file in zip(("fullchain.pem", "privkey.pem"), certificate, strict=True):
        site = site.replace(f"/etc/letsencrypt/live/desk.example.com/{ending}", str(file))
    site = site.replace("$host", "$http_host")  # only because the port is not 443 here
    paths = " ".join(
        f"{name}_temp_path {tmp_path}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr;\nevents {{}}\nhttp {{ access_log off; {paths}\n{site} }}\n"
    )
    command = [program("nginx"), "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    with running(command, port, tmp_path / "log"):
        come_in(shop, port, certificate[0])


def test_the_desk_behind_caddy(
    desk: tuple[Shop, WebServer, int], certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    shop, server, port = desk
    site = recipe("Caddy", "Caddy, which").replace("desk.example.com {", f"https://{HOST}:{port} {{\n\tbind 127.0.0.1")
    site = site.replace("127.0.0.1:8710", f"127.0.0.1:{server.port}")
    site = site.replace("\treverse_proxy", f"\ttls {certificate[0]} {certificate[1]}\n\treverse_proxy", 1)
    (tmp_path / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\n{site}")
    command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")]
    with running(["env", f"HOME={tmp_path}", *command], port, tmp_path / "log"):
        come_in(shop, port, certificate[0])
