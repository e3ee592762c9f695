"""The ticker: three loops that go on beside each other, stop in order, and leave nothing in the air."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from responders.snapshot import Timing
from social.clock import RealClock, SteppedClock, machine_now
from social.domain.assessment import Assessment, TextToAssess
from social.domain.hours import BusinessCalendar, parse_weekly
from social.domain.post import Author, PostRef
from social.domain.reply import Receipt, SentBy
from social.engine.claims import MAXIMUM_ATTEMPTS
from social.engine.desk import Desk, Leases
from social.engine.schedule import PARTS, Daemon, run_stepped
from social.ports import Cursor, Page
from social.store import control
from social.store.session import Database
from tests.cast import PIOTR, WARSAW, at
from tests.engine.looking import eventually
from tests.factories import case, desk_for, planned, post, profile, remembered
from tests.fakes import FakeClassifier, FakeConnector
from tests.story.telling import cases, posts, replies

ALWAYS_OPEN = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon-sun": ["00:00-24:00"]}))
AN_HOUR_AGO = timedelta(hours=1)


def real_desk(database: Database, network: FakeConnector, **how: object) -> Desk:
    """A desk that lives by the machine's time, never closes, and acknowledges at once."""
    since = machine_now() - AN_HOUR_AGO
    desk = desk_for(database, RealClock(), network, calendar=ALWAYS_OPEN, first_polled_at=since, **how)  # type: ignore[arg-type]
    desk.timing = Timing(acknowledge_after=timedelta(0), urgent_acknowledge_after=timedelta(0))
    return desk


@contextmanager
def running(desk: Desk, *parts: str) -> Iterator[Daemon]:
    daemon = Daemon(desk, parts or PARTS)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


def states(database: Database) -> list[str]:
    return [row.state for row in replies(database)]


def test_it_polls_judges_and_sends_by_itself(database: Database) -> None:
    network = FakeConnector()
    network.publishes(post(when=machine_now()))
    with running(real_desk(database, network)):
        eventually(lambda: states(database) == ["sent"], what="the acknowledgement")
    assert len(network.public_replies) == 1
    assert [row.state for row in posts(database) if not row.ours] == ["judged"]
    assert [row.state for row in cases(database)] == ["open"]


@pytest.mark.parametrize(
    ("part", "polled", "judged", "sent"),
    [("poll", True, False, False), ("triage", False, True, False), ("respond", False, False, True)],
)
def test_it_runs_only_the_parts_that_are_asked_for(
    database: Database, part: str, polled: bool, judged: bool, sent: bool
) -> None:
    network = FakeConnector()
    network.publishes(post("Nowe.", when=machine_now(), by=PIOTR))
    model = FakeClassifier()
    desk = real_desk(database, network, classifier=model)
    shop = profile(database, now=machine_now(), first_polled_at=machine_now() - AN_HOUR_AGO)
    remembered(database, shop, post("Zapamiętane.", when=machine_now()))
    answered = remembered(database, shop, post("Odpowiedziane.", when=machine_now(), by=Author(native_id="c3")))
    case(database, answered)
    planned(database, answered, due_at=machine_now())

    with running(desk, part) as daemon:
        eventually(lambda: "fetch" in network.calls or model.asked or network.written, what=f"any work of {part}")
        eventually(lambda: daemon.name in {item.name for item in running_daemons(database)}, what="the heartbeat")
    assert ("fetch" in network.calls, bool(model.asked), bool(network.written)) == (polled, judged, sent)


def running_daemons(database: Database) -> list[control.Daemon]:
    with database.read() as session:
        return control.running(session, at=machine_now())


def test_it_tells_that_it_lives_and_takes_its_leave(database: Database) -> None:
    desk = real_desk(database, FakeConnector())
    with running(desk, "triage", "poll") as daemon:
        eventually(lambda: running_daemons(database), what="the heartbeat")
        (alive,) = running_daemons(database)
        assert (alive.name, alive.parts) == (daemon.name, "poll,triage")
        assert alive.model is not None and "fake" in alive.model
    assert running_daemons(database) == []


def test_it_does_not_count_a_daemon_that_died_long_ago(database: Database) -> None:
    with database.write() as session:
        long_ago = machine_now() - control.HEARTBEAT_LIMIT - timedelta(seconds=1)
        control.beat(session, name="dead:1", parts="poll", started_at=long_ago, at=long_ago, model=None)
    assert running_daemons(database) == []


# --- stopping ---------------------------------------------------------------------------------------------------------


class Slow(FakeConnector):
    """Each reply takes the network a while; ``began`` is set with the first."""

    def __init__(self, *, seconds: float | None) -> None:
        super().__init__()
        self.began, self.go_on = Event(), Event()
        self._seconds = seconds

    def reply(self, ref: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
        self.began.set()
        self.go_on.wait(self._seconds)
        return super().reply(ref, text, key=key, sent_by=sent_by)


def due_replies(database: Database, count: int) -> None:
    now = machine_now()
    shop = profile(database, now=now, first_polled_at=now - AN_HOUR_AGO)
    for number in range(count):
        row_id = remembered(database, shop, post(f"{number}", when=now, by=Author(native_id=f"c{number}")))
        case(database, row_id)
        planned(database, row_id, due_at=now)


def test_it_finishes_the_step_in_hand_when_it_is_stopped(database: Database) -> None:
    network = Slow(seconds=None)
    desk = real_desk(database, network)
    due_replies(database, 1)
    daemon = Daemon(desk, ["respond"])
    daemon.start()
    eventually(network.began.is_set, what="the first reply")
    assert states(database) == ["sending"]
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(daemon.stop)
        network.go_on.set()
        stopping.result()
    assert states(database) == ["sent"]
    assert len(network.public_replies) == 1


def test_it_stops_without_working_through_what_is_left_and_leaves_nothing_in_the_air(database: Database) -> None:
    network = Slow(seconds=0.3)
    desk = real_desk(database, network)
    due_replies(database, 40)
    with running(desk, "respond"):
        eventually(network.began.is_set, what="the first reply")
    left = states(database)
    assert set(left) == {"sent", "planned"}  # never "sending"
    assert left.count("sent") == len(network.public_replies) < 40


# --- trouble ----------------------------------------------------------------------------------------------------------


class Mistaken(FakeConnector):
    """A connector with a mistake in it."""

    def fetch(self, cursor: Cursor | None) -> Page:
        self.calls.append("fetch")
        raise RuntimeError("somebody forgot a None")


def test_it_complains_once_of_a_loop_that_breaks_again_and_again_and_the_others_go_on(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    network = Mistaken()
    desk = real_desk(database, network)
    desk.leases = Leases(poll=timedelta(0))  # so that every tick runs into it
    due_replies(database, 2)
    remembered(database, profile(database, now=machine_now(), first_polled_at=None), post("Nowe.", when=machine_now()))
    with running(desk):
        eventually(lambda: network.calls.count("fetch") > MAXIMUM_ATTEMPTS + 1, what="the failing poll")
        eventually(lambda: states(database).count("sent") == 2, what="the replies")
        eventually(lambda: {row.state for row in posts(database) if not row.ours} == {"judged"}, what="the judging")
    complaints = [record for record in caplog.records if record.name == "social.daemon"]
    assert [record.getMessage() for record in complaints] == ["poll-1: RuntimeError"]  # its words may quote a customer
    assert complaints[0].exc_info  # a mistake of ours comes with its trace


def test_it_says_in_one_sentence_that_the_database_is_damaged_and_goes_on_once_it_is_restored(
    database: Database, new_database: Callable[[], Database], caplog: pytest.LogCaptureFixture
) -> None:
    network = FakeConnector()
    desk = real_desk(database, network)
    database.engine.dispose()  # the daemon's connections are new ones
    before = new_database()
    due_replies(before, 1)
    before.close()
    assert database.path is not None
    sound = database.path.read_bytes()
    database.path.write_bytes(b"this is no database at all" * 500)
    with running(desk, "respond"):
        eventually(lambda: "damaged" in caplog.text and "newest backup" in caplog.text, what="the complaint")
        assert "Traceback" not in caplog.text
        database.path.write_bytes(sound)
        eventually(lambda: network.written, what="the reply")
        eventually(lambda: states(database) == ["sent"], what="the record of it")


class Thinking(FakeClassifier):
    """A model that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = Event()

    def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
        self.go_on.wait(60)
        return super().assess(texts)


def test_it_sends_while_the_model_still_thinks(database: Database) -> None:
    network, model = FakeConnector(), Thinking()
    desk = real_desk(database, network, classifier=model)
    due_replies(database, 1)
    with running(desk):
        try:
            eventually(lambda: "sent" in states(database), what="the reply")
            assert model.asked == []
        finally:
            model.go_on.set()


# --- the stepped twin -------------------------------------------------------------------------------------------------


def an_evening(database: Database) -> list[object]:
    """What a customer-rich Friday evening leaves, told in values."""
    clock = SteppedClock(at("2026-11-20 15:30"))
    network = FakeConnector(clock)
    model = FakeClassifier().judges("7", needs_reply=False)
    desk = desk_for(database, clock, network, classifier=model, poll_every=timedelta(minutes=20))
    for number in range(16):
        author = Author(native_id=f"c{number % 7}")
        when = at("2026-11-20 15:30") + timedelta(minutes=11 * number)
        network.publishes(post(f"Pytanie {number}.", when=when, by=author))
    moved = run_stepped(desk, clock, until=at("2026-11-20 19:30"))
    told = [(row.id, row.kind, row.state, row.text, row.due_at, row.sent_at, row.reason) for row in replies(database)]
    waiting = [(row.id, row.state, row.rule, row.urgency, row.reason) for row in cases(database)]
    said = [(own.native_id, own.in_reply_to, own.text, own.created_at) for own in network.public_replies]
    return [moved, clock.now(), told, waiting, said, network.calls]


def test_it_lives_the_same_evening_twice_when_it_is_stepped(database: Database, tmp_path: Path) -> None:
    assert database.path is not None
    again = tmp_path / "again.db"
    shutil.copyfile(database.path, again)
    twin = Database(f"sqlite:///{again}")
    try:
        first, second = an_evening(database), an_evening(twin)
    finally:
        twin.close()
    assert first == second
    assert first[0] and first[4]


def test_it_never_steps_past_its_end_and_asks_before_every_jump(database: Database) -> None:
    clock = SteppedClock(at("2026-11-20 10:00"))
    desk = desk_for(database, clock, FakeConnector(clock))
    jumps: list[object] = []
    run_stepped(desk, clock, until=at("2026-11-20 10:12"), before_jump=jumps.append)
    assert jumps == [at(f"2026-11-20 10:{minute}") for minute in ("05", "10", "12")]
    assert clock.now() == at("2026-11-20 10:12")
