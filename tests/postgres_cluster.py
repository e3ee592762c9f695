"""A PostgreSQL cluster of one's own on 127.0.0.1: made for a test session, thrown away after it.

No system service is used or touched: `initdb` writes a new data directory, the server listens on a free loopback
port with a random password, and it is stopped by its own process. PostgreSQL refuses to run as root, so a root user
(a container, usually) hands the work to an unprivileged account.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NEEDED = ("initdb", "postgres", "pg_isready")
_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)
_UNPRIVILEGED = ("postgres", "nobody")
_START_SECONDS = 90.0
_STOP_SECONDS = 60.0


class ClusterError(RuntimeError):
    """The cluster could not be made or started; the message ends with the server's own last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """Whom the server runs as; all None: as ourselves. The names are those of `subprocess`."""

    uid: int | None = None
    gid: int | None = None
    extra_groups: tuple[int, ...] | None = None

    def give(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def find_binaries() -> Path | None:
    """The directory that holds `initdb`, `postgres` and `pg_isready`; the newest version wins; None if there is none.

    Distributions keep the server's programs off PATH (Debian: /usr/lib/postgresql/<version>/bin), so PATH alone is
    not enough.
    """
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    for pattern in _PLACES:
        candidates.extend(sorted(Path("/").glob(pattern.lstrip("/")), key=_version, reverse=True))
    for directory in candidates:
        if all((directory / name).is_file() for name in _NEEDED):
            return directory
    return None


@contextlib.contextmanager
def temporary_cluster() -> Iterator[str]:
    """Start a fresh cluster and yield `postgresql://postgres:<password>@127.0.0.1:<port>/postgres`; stop it at the end.

    `fsync` is off: these clusters outlive a killed client, not a power cut. Raises ClusterError when PostgreSQL is not
    installed or does not start.
    """
    with restartable_cluster() as cluster:
        yield cluster.url


class Cluster:
    """A server that can be taken away and brought back at the same address, with what was committed."""

    def __init__(self, binaries: Path, home: Path, account: _Account, password: str) -> None:
        self._binaries, self._home, self._account = binaries, home, account
        self._server, self._port = _start(binaries, home, account)
        self.url = f"postgresql://postgres:{password}@127.0.0.1:{self._port}/postgres"

    def stop(self) -> None:
        _stop(self._server)

    def start(self) -> None:
        self._server, _ = _start(self._binaries, self._home, self._account, port=self._port)


@contextlib.contextmanager
def restartable_cluster() -> Iterator[Cluster]:
    """As ``temporary_cluster``, for tests that take the server away."""
    binaries = find_binaries()
    if binaries is None:
        raise ClusterError("no PostgreSQL server programs on PATH or under /usr/lib/postgresql; install 'postgresql'")
    account = _account()
    home = Path(tempfile.mkdtemp(prefix="dyzur-postgres-"))
    try:
        account.give(home)
        password = secrets.token_urlsafe(24)
        _initialise(binaries, home, account, password)
        cluster = Cluster(binaries, home, account, password)
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _initialise(binaries: Path, home: Path, account: _Account, password: str) -> None:
    secret = home / "password"
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="ascii")
    account.give(secret)
    command = [
        str(binaries / "initdb"),
        f"--pgdata={home / 'data'}",
        "--username=postgres",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
    ]
    result = subprocess.run(
        command,
        cwd=home,
        env=_environment(home),
        user=account.uid,
        group=account.gid,
        extra_groups=account.extra_groups,
        capture_output=True,
        text=True,
        check=False,
    )
    secret.unlink()
    if result.returncode != 0:
        raise ClusterError(
            f"initdb ended with code {result.returncode}: {result.stderr.strip() or result.stdout.strip()}"
        )


def _start(
    binaries: Path, home: Path, account: _Account, *, port: int | None = None
) -> tuple[subprocess.Popen[bytes], int]:
    """Another program may take the free port between our look and the server's bind, hence a few tries."""
    log = home / "server.log"
    for _ in range(3):
        chosen = port or _free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(chosen),
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
        }
        command = [str(binaries / "postgres"), "-D", str(home / "data")]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with log.open("wb") as output:
            server = subprocess.Popen(
                command,
                cwd=home,
                env=_environment(home),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=account.uid,
                group=account.gid,
                extra_groups=account.extra_groups,
            )
        if _answers(binaries, server, chosen):
            return server, chosen
        _stop(server)
    raise ClusterError(f"PostgreSQL did not start: {log.read_text(errors='replace').strip()[-2000:]}")


def _answers(binaries: Path, server: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    probe = [str(binaries / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={port}"]
    while time.monotonic() < deadline:
        if server.poll() is not None:
            return False
        if subprocess.run(probe, check=False).returncode == 0:
            return True
        time.sleep(0.1)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Fast shutdown (SIGINT: roll back, disconnect, exit), then without asking."""
    if server.poll() is not None:
        return
    server.send_signal(signal.SIGINT)
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _account() -> _Account:
    if os.geteuid() != 0:
        return _Account()
    for name in _UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return _Account(uid=entry.pw_uid, gid=entry.pw_gid, extra_groups=())
    raise ClusterError("PostgreSQL refuses to run as root and there is neither a 'postgres' nor a 'nobody' account")


def _environment(home: Path) -> dict[str, str]:
    """Nothing of the caller's PG* variables may decide how a throw-away cluster behaves."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"HOME": str(home)}


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _version(directory: Path) -> tuple[int, ...]:
    digits = "".join(character if character.isdigit() else " " for character in str(directory))
    return tuple(int(part) for part in digits.split())
