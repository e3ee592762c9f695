"""A token ends while the desk runs: people are told once, nothing is lost, and a renewed credential is used without a restart."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from atproto import Session

from connectors.simulated.bluesky import ACCESS, REFRESH, token_for
from connectors.simulated.server import SimulatedRequest
from social.domain.errors import ConnectorError, CredentialsExpired, Unreachable
from social.domain.reply import ReplyState
from social.ports import Secrets
from social.secrets import EncryptedCredentials, SealedRows
from social.store.session import Database
from tests.connectors.contract import RememberedCredentials
from tests.reliability.networks import KINDS, SECRETS, Town, town
from tests.story.telling import alerts, posts, replies


class SecretFile:
    """The operator's file, and the sealed parts in a database of one row."""

    def __init__(self, folder: Path, parts: Mapping[str, str]) -> None:
        self.file = folder / "own.toml"
        self.write(parts)
        self.sealed: dict[str, bytes] = {}
        self.store = EncryptedCredentials(directory=folder, key_file=folder / "key", sealed=self, environment={})

    def load(self, name: str) -> bytes | None:
        return self.sealed.get(name)

    def change(self, name: str, make: Callable[[bytes | None], bytes]) -> None:
        self.sealed[name] = make(self.sealed.get(name))

    def exclusive(self) -> AbstractContextManager[SealedRows]:
        raise NotImplementedError

    def write(self, parts: Mapping[str, str]) -> None:
        self.file.touch(mode=0o600)
        self.file.write_text("".join(f'{name} = "{value}"\n' for name, value in parts.items()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_that_ended_is_told_of_once_and_a_new_one_is_used_without_a_restart(
    kind: str, database: Database, tmp_path: Path
) -> None:
    file = SecretFile(tmp_path, SECRETS[kind])
    with town(kind, database, tmp_path, credentials=file.store) as place:
        place.customer_says("Gdzie jest moja paczka?", author="c0")
        place.run(minutes=10)
        place.ear.revoke(*SECRETS[kind].values())
        for number in range(1, 4):
            place.run(minutes=20)
            place.customer_says(f"Gdzie jest paczka numer {number}?", author=f"c{number}")
        place.run(minutes=20)

        (alert,) = [alert for alert in alerts(database) if alert.kind == "connector"]
        assert f"social connect {kind} --renew " in alert.message
        assert len([post for post in posts(database) if not post.ours]) == 1
        assert place.published() == []

        file.write({name: f"renewed-{name}-of-the-shop" for name in SECRETS[kind]})
        place.run(minutes=16)

        assert len([post for post in posts(database) if not post.ours]) == 4
        assert [alert for alert in alerts(database) if alert.kind == "connector"] == []
        place.run(hours=1)
        states = [reply.state for reply in replies(database)]
        assert ReplyState.SENT in states
        assert len(place.published()) == states.count(ReplyState.SENT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_that_ends_just_before_a_reply_costs_only_time(kind: str, database: Database, tmp_path: Path) -> None:
    file = SecretFile(tmp_path, SECRETS[kind])
    with town(kind, database, tmp_path, credentials=file.store) as place:
        place.customer_says("Gdzie jest moja paczka?")
        place.run(minutes=38)
        place.ear.revoke(*SECRETS[kind].values())
        file.write({name: f"renewed-{name}-of-the-shop" for name in SECRETS[kind]})
        place.run(minutes=20)
        assert [reply.state for reply in replies(database)] == [ReplyState.SENT]
        assert len(place.published()) == 1
        assert alerts(database) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_file_that_cannot_be_read_meanwhile_is_no_crash(kind: str, database: Database, tmp_path: Path) -> None:
    file = SecretFile(tmp_path, SECRETS[kind])
    with town(kind, database, tmp_path, credentials=file.store) as place:
        place.run(minutes=5)
        place.ear.revoke(*SECRETS[kind].values())
        file.file.write_text("half a li")
        place.run(minutes=20)
        assert [alert.kind for alert in alerts(database)] == ["connector"]


# --- two at once -------------------------------------------------------------------------------------------------------


def ended_session(place: Town) -> dict[str, str]:
    """A session whose access token has ended; its refresh token is good."""
    brand = place.stage.world.brand("bluesky")
    did = next(request for request in place.ear.heard if request.param("actor")).param("actor") or ""
    session = Session(
        brand.handle,
        did,
        token_for(brand, timedelta(seconds=-5), ACCESS),
        token_for(brand, timedelta(days=1), REFRESH),
        place.stage.server.base_url("bluesky"),
    )
    belongs = f"sklep-lawenda.test at {place.stage.server.base_url('bluesky')}"
    return {**SECRETS["bluesky"], "session": session.encode(), "session_for": belongs}


def asked(place: Town, method: str) -> list[SimulatedRequest]:
    return [request for request in place.ear.heard if request.path.endswith(method)]


def test_two_lanes_renew_one_session_once_and_keep_it_before_its_first_use(database: Database, tmp_path: Path) -> None:
    with town("bluesky", database, tmp_path) as place:
        kept = RememberedCredentials("own", ended_session(place))
        connector = place.stage.connector(credentials=kept)
        before = len(asked(place, "createSession"))
        start, failures = threading.Barrier(4), []

        def lane() -> None:
            start.wait()
            try:
                connector.fetch(None)
            except ConnectorError as error:
                failures.append(error)

        lanes = [threading.Thread(target=lane) for _ in range(4)]
        for one in lanes:
            one.start()
        for one in lanes:
            one.join()

        assert failures == []
        assert len(asked(place, "refreshSession")) == 1
        assert len(asked(place, "createSession")) == before
        saved = Session.decode(kept.saved[0]["session"])
        assert asked(place, "listNotifications")[-1].bearer() == saved.access_jwt


def test_a_process_that_renews_second_takes_what_the_first_one_kept(database: Database, tmp_path: Path) -> None:
    """Each refresh token works once."""
    with town("bluesky", database, tmp_path) as place:
        kept = RememberedCredentials("own", ended_session(place))
        first, second = (place.stage.connector(credentials=kept) for _ in range(2))
        second.identity()  # has read the old session by now
        first.fetch(None)
        used = asked(place, "refreshSession")[-1].bearer()
        place.ear.revoked.add(used or "")
        before = len(asked(place, "createSession"))
        second.fetch(None)
        assert len(asked(place, "createSession")) == before
        assert len(kept.saved) == 1


class LookedTooEarly(RememberedCredentials):
    """The other process saves between our look and our question."""

    def __init__(self, name: str, parts: Mapping[str, str], other: RememberedCredentials) -> None:
        super().__init__(name, parts)
        self.old = Secrets(parts)
        self.other = other
        self.looks = 0

    def load(self, name: str) -> Secrets:
        self.looks += 1
        return self.old if self.looks <= 2 else self.other.load(name)


def test_a_refresh_token_that_another_process_spent_is_no_dead_access(database: Database, tmp_path: Path) -> None:
    parts = {"access_token": "expired-token", "refresh_token": "refresh-token-1", "client_id": "shop"}
    with town("twitter", database, tmp_path) as place:
        kept = RememberedCredentials("own", parts)
        first = place.stage.connector(credentials=kept)
        second = place.stage.connector(credentials=LookedTooEarly("own", parts, kept))
        first.fetch(None)
        second.fetch(None)
        assert [request.form()["refresh_token"] for request in asked(place, "/token")] == ["refresh-token-1"] * 2
        assert len(kept.saved) == 1
        place.ear.revoked.add(kept.parts["own"]["access_token"])
        kept.parts["own"]["refresh_token"] = "refresh-token-1"
        late = place.stage.connector(credentials=kept)
        with pytest.raises(Unreachable, match="another process may be at it"):
            late.fetch(None)
        place.stage.pass_time(seconds=3)
        with pytest.raises(CredentialsExpired):
            late.fetch(None)
