"""A shop in which every secret that the configuration knows is a canary, with networks and servers that take or refuse
things, the daemon and the commands as processes, and a look at everything that they leave behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import select, text

from connectors import registry
from connectors.simulated.control import customer_posts
from connectors.simulated.faults import Fault
from connectors.simulated.library import WorldOptions
from connectors.simulated.server import SimulatedServer
from connectors.simulated.world import World
from social.clock import RealClock, machine_now
from social.store.rows import t
from social.store.session import Database
from social.store.tables import AssessmentRow, Table
from tests.cli.processes import TREE
from tests.engine.looking import eventually
from tests.notifiers.servers import PASSWORD, SIGN_IN, USER, Mailbox, Visits, mail_server, web_server

CALM = WorldOptions(posts_per_day=0, history_posts_per_day=0, history_days=0, outage="none", scene=False)

CONFIG = """\
[database]
url = "sqlite:///var/shop.db"

[triage]
backend = "rules"

[responders]
acknowledge_after = "0s"
urgent_acknowledge_after = "0s"

[web]
port = 0

[[brands]]
name = "Fikcja"
languages = ["pl", "en"]
timezone = "Europe/Warsaw"
hours = {{ mon-sun = ["00:00-24:00"] }}

[notify]
ping = "ping"
quiet_hours = ""

[notify.smtp]
host = "127.0.0.1"
port = {mail}
security = "none"
sender = "desk@example.com"
credential = "mail"
timeout = "5s"

[[notify.people]]
name = "marek"
email = "marek@example.com"
services = "marek-services"
{profiles}
"""

PROFILE = """
[[profiles]]
name = "fikcja-{kind}"
brand = "Fikcja"
connector = "{kind}"
mode = "acknowledge"
closed_notice = true
poll_every = "5s"
credential = "fikcja-{kind}"
{options}
[connectors.{kind}]
base_url = "{base_url}"
timeout = 2
total_timeout = 4
"""


@dataclass
class Planted:
    """``secrets``: name -> value. ``told``: what commands said, on stdout and stderr. ``command_lines``: of every process
    of ours that was seen."""

    folder: Path
    networks: SimulatedServer
    database_url: str
    mails: Mailbox
    visits: Visits
    secrets: dict[str, str] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    command_lines: set[str] = field(default_factory=set)
    #: A line of the log that people are meant to use, once.
    shown_on_purpose: str = ""
    daemon: subprocess.Popen[bytes] | None = None

    # --- what runs ----------------------------------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DYZUR_")}
        chosen = {"DYZUR_DATABASE__URL": self.database_url} if self.database_url else {}
        return {**kept, "PYTHONPATH": str(TREE), "LC_ALL": "C.UTF-8", **chosen}

    @property
    def log_file(self) -> Path:
        return self.folder.parent / f"{self.folder.name}.log"

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def start(self, level: str) -> None:
        with self.log_file.open("ab") as log:
            self.daemon = subprocess.Popen(
                [sys.executable, "-m", "social.cli", "run", "--log-level", level],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        for kind in registry.kinds():
            self.wait_for(f"polled       fikcja-{kind}")

    def wait_for(self, *words: str, after: int = 0) -> None:
        for word in words:
            eventually(lambda word=word: word in self.log[after:] or self._died(), what=f"{word!r} in the log")
            assert word in self.log[after:], self.log
        self.look_at_command_lines()

    def _died(self) -> bool:
        return self.daemon is None or self.daemon.poll() is not None

    def stop(self) -> None:
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.terminate()
            self.daemon.wait(timeout=60)

    def call(self, *arguments: str, stdin: str = "", **more: str) -> str:
        """``social ...`` to its end, whatever comes of it; what it wrote on stdout. ``more`` in its environment."""
        running = subprocess.Popen(
            [sys.executable, "-m", "social.cli", *arguments],
            cwd=self.folder,
            env={**self.environment, **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.look_at_command_lines()
        out, err = running.communicate(stdin, timeout=180)
        self.told[f"stdout of {' '.join(arguments)}"] = out
        self.told[f"stderr of {' '.join(arguments)}"] = err
        return out

    def look_at_command_lines(self) -> None:
        """Of every process that descends from this test."""
        parents: dict[int, tuple[int, str]] = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                status = (entry / "stat").read_text()
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue  # it ended meanwhile
            parents[int(entry.name)] = (int(status.rpartition(")")[2].split()[1]), line)
        for pid, (parent, line) in parents.items():
            while parent in parents and parent != os.getpid():
                parent = parents[parent][0]
            if parent == os.getpid() and "postgres" not in line.split(" ")[0]:
                self.command_lines.add(f"{pid}: {line}")

    # --- what happens --------------------------------------------------------------------------------------------------

    def customer(self, words: str, *, kind: str = "facebook", author: str = "ola_wrona") -> None:
        customer_posts(self.networks.world, kind, words, author=author)

    def fault(self, kind: str, **how: Any) -> None:
        self.networks.faults.add(Fault(kind=kind, **how))

    def break_recording(self) -> None:
        """From now on the database refuses every judgement; PostgreSQL says in its error what customers wrote."""
        with self.opened() as database, database.write() as session:
            if database.dialect == "sqlite":
                session.execute(
                    text(
                        "CREATE TRIGGER broken BEFORE INSERT ON assessment "
                        "BEGIN SELECT RAISE(ABORT, 'planted trouble'); END"
                    )
                )
                return
            session.execute(
                text(
                    "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
                    "'planted trouble: %', (SELECT string_agg(text, ' ') FROM post) USING ERRCODE = '22000'; END $$"
                )
            )
            session.execute(
                text("CREATE TRIGGER broken BEFORE INSERT ON assessment FOR EACH ROW EXECUTE FUNCTION broken()")
            )

    @contextmanager
    def opened(self) -> Iterator[Database]:
        database = Database(self.database_url or f"sqlite:///{self.folder / 'var' / 'shop.db'}")
        try:
            yield database
        finally:
            database.close()

    # --- what is left --------------------------------------------------------------------------------------------------

    def plant(self, name: str, value: str) -> str:
        self.secrets[name] = value
        return value

    def credential(self, name: str, **parts: str) -> None:
        file = self.folder / "secrets" / f"{name}.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(f'{part} = "{value}"\n' for part, value in parts.items()), encoding="utf-8")
        file.chmod(0o600)

    def rows_as_text(self) -> str:
        """Every row of every table, as the database gives it back."""
        with self.opened() as database, database.read() as session:
            return "\n".join(
                repr(tuple(row)) for table in Table.metadata.sorted_tables for row in session.execute(select(table))
            )

    def everything(self) -> Iterator[tuple[str, bytes]]:
        """Name and content of whatever a secret could have reached, but for the places where it belongs."""
        yield "the log", self.log.replace(self.shown_on_purpose or "\0", "", 1).encode()
        for name, words in self.told.items():
            yield name, words.encode()
        yield "command lines", "\n".join(sorted(self.command_lines)).encode()
        yield "rows of the database", self.rows_as_text().encode("utf-8", "backslashreplace")
        for file in sorted(self.folder.rglob("*")):
            if file.is_file() and file.parent.name != "secrets" and file.suffix != ".key":
                yield str(file), file.read_bytes()
                if file.suffix == ".xlsx":
                    with zipfile.ZipFile(file) as archive:
                        for part in archive.namelist():
                            yield f"{file}: {part}", archive.read(part)
        for envelope in self.mails.envelopes:
            yield "an e-mail", bytes(envelope.content or b"")  # type: ignore[arg-type]
        for body in self.visits.bodies:
            yield "a message to a service", repr(body).encode()

    def hits(self) -> list[str]:
        """Where a secret stands that must not: by value, in a URL, as UTF-16."""
        found = []
        for place, content in self.everything():
            for name, value in self.secrets.items():
                forms = {value.encode(), quote(value, safe="").encode(), value.encode("utf-16-le")}
                if any(form in content for form in forms):
                    found.append(f"{name} in {place}")
        return found


@contextmanager
def echoing_network() -> Iterator[int]:
    """Says in its error all that it was sent, headers and body too, as helpful proxies do; in each network's own shape."""

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = f"{self.headers['Authorization']} {self.path} {self.rfile.read(length).decode()}"
            error: object = {"message": sent, "code": 100, "type": "OAuthException"}
            if "/xrpc/" in self.path:
                error = "InvalidRequest"
            body = json.dumps({"error": error, "message": sent, "title": "No", "detail": sent}).encode()
            self.send_response(400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 the library's name

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002 the library's name

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def planted_shop(folder: Path, database_url: str = "") -> Iterator[Planted]:
    """Three networks on this machine, a mail server that wants a password, a web server for services and the ping."""
    folder.mkdir()
    now = machine_now()
    with ExitStack() as stack:
        networks = stack.enter_context(
            SimulatedServer(World(start=now - timedelta(hours=1), options=CALM), RealClock())
        )
        networks.now()
        mails, visits = Mailbox(), Visits()
        mail = stack.enter_context(mail_server(mails, auth_require_tls=False, **SIGN_IN))
        web = stack.enter_context(web_server(visits))
        shop = Planted(folder=folder, networks=networks, database_url=database_url, mails=mails, visits=visits)
        stack.callback(shop.stop)
        _configure(shop, mail=mail, web=web)
        yield shop


def _configure(shop: Planted, *, mail: int, web: int) -> None:
    profiles = []
    for number, kind in enumerate(registry.kinds()):
        parts = registry.load(kind).credential_parts
        values = {part: shop.plant(f"{part} of {kind}", f"canary-{part}-{number}-0a1b2c3d4e") for part in parts}
        shop.credential(f"fikcja-{kind}", **values)
        options = '[profiles.options]\nhandle = "sklep-lawenda.test"\n' if kind == "bluesky" else ""
        profiles.append(PROFILE.format(kind=kind, options=options, base_url=shop.networks.base_url(kind)))
    shop.credential("mail", username=USER, password=shop.plant("the mail server's password", PASSWORD))
    address = f"json://desk:{shop.plant('a service password', 'canary-service-password-77')}@127.0.0.1:{web}"
    token = shop.plant("a service token", "canary-service-token-88")
    shop.credential("marek-services", hook=f"{address}/{token}")
    ping = shop.plant("the ping's token", "canary-ping-99")
    shop.credential("ping", url=f"http://127.0.0.1:{web}/{ping}")
    if found := re.search(r"://[^:]+:([^@]+)@", shop.database_url):
        shop.plant("the database password", found[1])
    (shop.folder / "config.toml").write_text(CONFIG.format(mail=mail, profiles="".join(profiles)), encoding="utf-8")


def judged(shop: Planted) -> int:
    with shop.opened() as database, database.read() as session:
        return len(session.execute(select(t(AssessmentRow))).all())
