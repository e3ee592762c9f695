"""PostgreSQL goes away and comes back while the daemon works: it waits, says so once, and goes on by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import make_url

from social.clock import machine_now
from social.domain.assessment import Assessment, TextToAssess
from social.domain.errors import Contended, ServerAway
from social.engine.schedule import Daemon
from social.store import schema
from social.store.session import Database
from social.store.tables import PostRow, ReplyRow
from tests.cast import PIOTR, at
from tests.engine.looking import eventually, rows
from tests.factories import post, profile, remembered
from tests.fakes import FakeClassifier
from tests.machines.racing import Race
from tests.machines.worker import open_desk
from tests.postgres_cluster import Cluster, ClusterError, restartable_cluster

pytestmark = pytest.mark.postgres


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    running = restartable_cluster()
    try:
        found = running.__enter__()
    except ClusterError as error:
        pytest.skip(str(error))
    yield found
    running.__exit__(None, None, None)


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    url = make_url(cluster.url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    opened = Database(url)
    schema.upgrade(opened, now=at("2026-11-01 08:00"))
    yield opened
    opened.close()


class Thinking(FakeClassifier):
    """A model that is in the middle of a batch when the server goes."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.go_on = Event(), Event()

    def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
        self.began.set()
        self.go_on.wait(120)
        return super().assess(texts)


def test_a_daemon_outlives_its_server_and_loses_nothing(
    cluster: Cluster, database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    desk = open_desk(database, tmp_path, "one", ["shop"])
    model = Thinking()
    desk.classifier = model
    remembered(database, profile(database, "shop"), post(when=machine_now()))
    daemon = Daemon(desk)
    daemon.start()
    try:
        eventually(model.began.is_set, what="the batch")
        cluster.stop()
        eventually(lambda: complaints(caplog), what="a complaint")
        model.go_on.set()  # the batch is judged, and there is nowhere to write it
        Event().wait(3)
        cluster.start()
        # what was judged is not judged again, and what is new is taken in, judged and answered
        eventually(lambda: [row.state for row in rows(database, PostRow)] == ["judged"], what="the batch in hand")
        eventually(lambda: [row.state for row in rows(database, ReplyRow)] == ["sent"], what="its answer")
        eventually(lambda: "the database is there again" in caplog.text, what="the good news")
        remembered(database, profile(database, "shop"), post("Nowe.", when=machine_now(), by=PIOTR))
        eventually(lambda: [row.state for row in rows(database, ReplyRow)] == ["sent"] * 2, what="the next answer")
    finally:
        model.go_on.set()
        daemon.stop()
    assert len(model.asked) == 2
    assert [record.levelname for record in complaints(caplog)] == ["ERROR"]
    assert "cannot be reached" in complaints(caplog)[0].getMessage()
    assert "Traceback" not in caplog.text


def complaints(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "social.daemon" and record.levelno >= logging.ERROR]


def test_who_clicks_after_a_restart_notices_nothing(cluster: Cluster, database: Database) -> None:
    with database.read() as one, database.read() as two:  # two connections that will be stale
        assert one.connection() is not two.connection()
    cluster.stop()
    with pytest.raises(ServerAway, match="cannot be reached"), database.read() as session:
        session.connection()
    cluster.start()
    for _ in range(3):
        profile(database, "shop")


def test_a_step_that_was_sacrificed_is_run_again(database: Database) -> None:
    """Two steps that wait for each other: the server ends one of them, and it begins anew."""
    shop = profile(database, "shop")
    ids = [remembered(database, shop, post(when=machine_now(), native_id=f"p{n}")) for n in range(2)]
    attempts: list[int] = []

    def step(first: int, second: int) -> Callable[[], None]:
        def work(session: object) -> None:
            attempts.append(first)
            for row_id in (first, second):
                row = session.get(PostRow, row_id, with_for_update=True)  # type: ignore[attr-defined]
                row.reason = f"{row.reason or ''}+"
                session.flush()  # type: ignore[attr-defined]
                Event().wait(0.3)

        return lambda: database.step(work)

    with Race(2) as race:
        race.round(step(*ids), step(*reversed(ids)))
    assert len(attempts) > 2
    assert [row.reason for row in rows(database, PostRow)] == ["++", "++"]


def test_a_write_says_that_somebody_else_was_there(database: Database) -> None:
    shop = profile(database, "shop")
    ids = [remembered(database, shop, post(when=machine_now(), native_id=f"p{n}")) for n in range(2)]

    def clash(first: int, second: int) -> str:
        try:
            with database.write() as session:
                session.get(PostRow, first, with_for_update=True)
                Event().wait(0.5)
                session.get(PostRow, second, with_for_update=True)
        except Contended as error:
            return str(error)
        return ""

    with Race(2) as race:
        said = race.round(lambda: clash(*ids), lambda: clash(*reversed(ids)))
    assert min(said) == ""
    assert "somebody else worked on the same" in max(said)
