"""The real Bluesky servers on this machine: PLC directory, PDS and AppView from the makers' own npm package.

Nothing here imitates Bluesky. The modules (some 360 MB) are installed once into a cache outside the work tree
(`DYZUR_NODE_CACHE`, default `~/.cache/dyzur`); the database is a throw-away cluster of `tests/postgres_cluster.py`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

from tests.postgres_cluster import find_binaries, temporary_cluster

if TYPE_CHECKING:
    from atproto import Client

_PROJECT = Path(__file__).parent / "bluesky"
_INSTALL_SECONDS = 1800  # compiles better-sqlite3; ten minutes on a busy machine
_START_SECONDS = 180
_STOP_SECONDS = 30


class NetworkUnavailable(RuntimeError):
    """What is missing on this machine, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A real account on the real PDS. `client` is an ordinary SDK client: what the person's own app would do."""

    handle: str
    did: str
    password: str
    client: Client

    def post(
        self,
        text: str,
        *,
        mention: Account | None = None,
        reply_to: tuple[dict[str, str], dict[str, str]] | None = None,
        quote: dict[str, str] | None = None,
        created_at: str | None = None,
        **record: Any,
    ) -> dict[str, str]:
        """Publish; `reply_to` is (root, parent). A `mention` must stand in the text as @handle. Returns {uri, cid}."""
        body: dict[str, Any] = {"$type": "app.bsky.feed.post", "text": text, **record}
        body["createdAt"] = created_at or self.client.get_current_time_iso()
        if mention is not None:
            start = len(text[: text.index(f"@{mention.handle}")].encode())
            body["facets"] = [
                {
                    "index": {"byteStart": start, "byteEnd": start + len(mention.handle.encode()) + 1},
                    "features": [{"$type": "app.bsky.richtext.facet#mention", "did": mention.did}],
                }
            ]
        if reply_to is not None:
            body["reply"] = {"root": reply_to[0], "parent": reply_to[1]}
        if quote is not None:
            body["embed"] = {"$type": "app.bsky.embed.record", "record": quote}
        return self.create("app.bsky.feed.post", body)

    def create(self, collection: str, record: dict[str, Any], rkey: str | None = None) -> dict[str, str]:
        data: dict[str, Any] = {"repo": self.did, "collection": collection, "record": record}
        if rkey is not None:
            data["rkey"] = rkey
        answer = self.procedure("com.atproto.repo.createRecord", data)
        return {"uri": answer["uri"], "cid": answer["cid"]}

    def delete(self, uri: str) -> None:
        collection, rkey = uri.removeprefix("at://").split("/")[1:]
        self.procedure("com.atproto.repo.deleteRecord", {"repo": self.did, "collection": collection, "rkey": rkey})

    def block(self, other: Account) -> str:
        record = {
            "$type": "app.bsky.graph.block",
            "subject": other.did,
            "createdAt": self.client.get_current_time_iso(),
        }
        return self.create("app.bsky.graph.block", record)["uri"]

    def procedure(self, nsid: str, data: dict[str, Any]) -> Any:
        from atproto_client.models.dot_dict import DotDict

        headers = {"Content-Type": "application/json"}
        return self.client.invoke_procedure(nsid, data=DotDict(data) if data else None, headers=headers).content

    def query(self, nsid: str, **params: Any) -> Any:
        from atproto_client.models.dot_dict import DotDict

        return self.client.invoke_query(nsid, params=DotDict(params)).content


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueskyNetwork:
    pds: str
    appview: str
    plc: str

    def create_account(self, name: str) -> Account:
        from atproto import Client
        from atproto.exceptions import AtProtocolError

        handle, password = f"{name}.test", f"password-of-{name}"
        client = Client(base_url=self.pds)
        data = {"handle": handle, "email": f"{name}@example.test", "password": password}
        created = Account(handle=handle, did="", password=password, client=client).procedure(
            "com.atproto.server.createAccount", data
        )
        client.login(handle, password, fetch_bsky_profile=False)
        client.update_base_url(self.pds)
        account = Account(handle=handle, did=created["did"], password=password, client=client)

        def known() -> bool:
            try:
                return bool(account.query("app.bsky.actor.getProfile", actor=account.did))
            except AtProtocolError:
                return False

        wait_until(f"{handle} in the index", known)
        return account


def ask(customer: Account, brand: Account, text: str = "gdzie moja paczka?", **record: Any) -> dict[str, str]:
    """The customer mentions the brand."""
    return customer.post(f"@{brand.handle} {text}", mention=brand, **record)


def replies_in(customer: Account, uri: str) -> list[str]:
    """The texts under a post, as the customer sees them."""
    thread = customer.query("app.bsky.feed.getPostThread", uri=uri, depth=5, parentHeight=0)["thread"]
    return [reply["post"]["record"]["text"] for reply in thread.get("replies", [])]


@contextlib.contextmanager
def bluesky_network() -> Iterator[BlueskyNetwork]:
    """Start everything, yield the addresses, stop everything. Raises NetworkUnavailable with the missing part."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NetworkUnavailable("node and npm are not on PATH")
    if find_binaries() is None:
        raise NetworkUnavailable("there is no PostgreSQL server on this machine")
    modules = _installed_modules(npm)
    with tempfile.TemporaryDirectory(prefix="dyzur-bluesky-") as scratch, temporary_cluster() as postgres:
        command = [node, "--no-deprecation", str(_PROJECT / "start.mjs"), str(modules)]
        log = Path(scratch) / "servers.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                command,
                env=os.environ | {"DYZUR_POSTGRES_URL": postgres, "TMPDIR": scratch},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        try:
            yield BlueskyNetwork(**_first_line(process, log))
        finally:
            _stop(process)


def wait_until(what: str, look: Callable[[], Any], *, seconds: float = 30.0) -> Any:
    """The AppView lags behind the PDS by up to a second: look again until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(0.1)
    raise AssertionError(f"not seen within {seconds:.0f} s: {what}")


def _installed_modules(npm: str) -> Path:
    """Another package.json is another directory, so an old cache is never half updated."""
    manifest = (_PROJECT / "package.json").read_bytes()
    cache = Path(os.environ.get("DYZUR_NODE_CACHE") or Path.home() / ".cache" / "dyzur").expanduser()
    directory = cache / f"bluesky-{hashlib.sha256(manifest).hexdigest()[:12]}"
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs install once
        done = directory / ".installed"
        if not done.exists():
            (directory / "package.json").write_bytes(manifest)
            command = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock"]
            try:
                result = subprocess.run(
                    command, cwd=directory, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
                )
            except subprocess.TimeoutExpired as error:
                raise NetworkUnavailable(f"npm install took longer than {_INSTALL_SECONDS} s in {directory}") from error
            if result.returncode != 0:
                last = (result.stderr.strip() or result.stdout.strip() or "no output").splitlines()[-1]
                raise NetworkUnavailable(f"npm install failed in {directory}: {last}")
            done.touch()
    return directory


def _first_line(process: subprocess.Popen[bytes], log: Path) -> dict[str, str]:
    assert process.stdout is not None
    lines: Queue[bytes] = Queue()
    threading.Thread(target=lambda stream: lines.put(stream.readline()), args=(process.stdout,), daemon=True).start()
    try:
        line = lines.get(timeout=_START_SECONDS)
    except Empty:
        line = b""
    if not line:
        raise RuntimeError(f"the Bluesky servers did not start: {log.read_text(errors='replace')[-2000:]}")
    addresses: dict[str, str] = json.loads(line)
    return addresses


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
