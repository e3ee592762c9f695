"""A real desk, a real connector and one simulated network over real sockets, on a clock that only moves when told.

town.customer_says("Gdzie paczka?")            # ... and the network misbehaves
town.fault("drop-answer", method="POST", path=WRITE[town.kind])
town.run(minutes=45)
town.published()                               # what the public can read from us
town.requests("POST", WRITE[town.kind])        # what the network was asked, with its world times
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.simulated.facebook import APP_ID
from connectors.simulated.history import History, read_history
from connectors.simulated.server import Dialect, SimulatedRequest, SimulatedResponse, SimulatedServer, discover_dialects
from connectors.simulated.twitter import TwitterDialect
from connectors.simulated.world import World
from social.clock import SteppedClock
from social.domain.post import FetchedPost
from social.engine.desk import Desk
from social.engine.schedule import run_stepped
from social.ports import Connector, CredentialStore
from social.store.session import Database
from tests.connectors.contract import QUIET, START, RememberedCredentials, Stage
from tests.factories import desk_for
from tests.story.telling import leases_run_out

KINDS = ("twitter", "facebook", "bluesky")
SECRETS: Mapping[str, Mapping[str, str]] = {
    "twitter": {
        "consumer_key": "canary-consumer-key",
        "consumer_secret": "canary-consumer-secret",
        "access_token": "canary-access-token-of-x",
        "access_token_secret": "canary-token-secret",
    },
    "facebook": {
        "access_token": "canary-page-token-of-meta",
        "app_secret": "canary-app-secret-of-meta",
        "app_id": APP_ID,  # as `social connect` keeps it
    },
    "bluesky": {"app_password": "canary-app-password-1"},
}
OPTIONS: Mapping[str, Mapping[str, Any]] = {"bluesky": {"handle": "sklep-lawenda.test"}}
#: Where a reply is written, and where news are read.
WRITE = {"twitter": r"^/2/tweets$", "facebook": r"/comments$", "bluesky": r"repo\.createRecord$"}
NEWS = {"twitter": r"/mentions$", "facebook": r"/published_posts$", "bluesky": r"listNotifications$"}


class Overheard:
    """A network whose requests are kept as they came, secrets and all."""

    def __init__(self, dialect: Dialect) -> None:
        self.network, self.refuse = dialect.network, dialect.refuse
        self._dialect = dialect
        self.heard: list[SimulatedRequest] = []
        self.revoked: set[str] = set()

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        self.heard.append(request)
        # whoever signs in is known by their password alone
        given = request.body.decode() if request.path.endswith("createSession") else _whole(request)
        if any(secret in given for secret in self.revoked):
            return self.refuse(401, request, world, resets_at=None, reset="missing")
        return self._dialect.handle(request, world)

    def revoke(self, *secrets: str) -> None:
        """These, and whatever was opened with them, are no longer good."""
        bearers = (request.bearer() for request in self.heard)
        self.revoked.update(secrets, (token for token in bearers if token))


def _whole(request: SimulatedRequest) -> str:
    given = [value for values in request.query.values() for value in values]
    return " ".join([request.headers.get("authorization", ""), request.body.decode("utf-8", "replace"), *given])


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the network's own log has it. ``status``: ``None`` where nobody was answered."""

    method: str
    path: str
    status: int | None
    at: datetime


@dataclass
class Town:
    stage: Stage
    desk: Desk
    connector: Connector
    ear: Overheard
    history: Path
    database: Database = field(init=False)

    def __post_init__(self) -> None:
        self.database = self.desk.database

    @property
    def kind(self) -> str:
        return self.stage.kind

    @property
    def clock(self) -> SteppedClock:
        return self.stage.clock

    def customer_says(self, text: str, **how: Any) -> Any:
        return self.stage.customer_says(text, **how)

    def fault(self, kind: str, **how: Any) -> None:
        self.stage.fault(kind, **how)

    def clear(self) -> None:
        self.stage.server.faults.clear()

    def run(self, **by: float) -> None:
        run_stepped(self.desk, self.clock, until=self.clock.now() + timedelta(**by))

    def run_and_settle(self, **by: float) -> None:
        """Machine time passes too: what is doubtful is looked up."""
        leases_run_out(self.database)
        self.run(**by)

    def published(self) -> list[Any]:
        return self.stage.published()

    def requests(self, method: str, path: str) -> list[Asked]:
        found = [line for line in read_history(self.history) if line.get("request") == method]
        return [
            Asked(method, line["path"], line["status"], datetime.fromisoformat(line["at"]))
            for line in found
            if re.search(path, line["path"])
        ]

    def writes(self) -> list[Asked]:
        return self.requests("POST", WRITE[self.kind])

    def news(self) -> list[Asked]:
        return self.requests("GET", NEWS[self.kind])


def dialect_of(kind: str) -> Dialect:
    return TwitterDialect() if kind == "twitter" else discover_dialects()[kind]


@contextmanager
def town(
    kind: str,
    database: Database,
    folder: Path,
    *,
    credentials: CredentialStore | None = None,
    options: Mapping[str, Any] | None = None,
    clock: SteppedClock | None = None,
    **settings: Any,
) -> Iterator[Town]:
    """A Wednesday noon in Warsaw; the shop has one old post and its profile was polled once."""
    clock = clock or SteppedClock(START)
    history = History.open(folder / f"{kind}.jsonl", START, QUIET)
    world = World(start=START, options=QUIET, record=history.event)
    ear = Overheard(dialect_of(kind))
    with SimulatedServer(world, clock, dialects={kind: ear}, history=history) as server:
        stage = Stage(
            kind=kind,
            world=world,
            clock=clock,
            server=server,
            credentials=RememberedCredentials("own", SECRETS[kind]),
            options={**OPTIONS.get(kind, {}), **(options or {})},
        )
        if credentials is not None:
            stage.credentials = credentials  # type: ignore[assignment]
        stage.shop_post()
        connector = stage.connector(**settings)
        desk = desk_for(database, clock, connector, first_polled_at=START - timedelta(days=1))
        opened = Town(stage, desk, connector, ear, history.path)
        opened.run(seconds=0)
        try:
            yield opened
        finally:
            for one in stage.opened:
                one.close()
            history.close()


def of_customers(posts: list[FetchedPost]) -> list[FetchedPost]:
    return [post for post in posts if not post.ours]
