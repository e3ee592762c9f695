"""What breaks in silence is found: deadlines, networks, accesses, the model, and the daemon itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from social import clock as clocks
from social.clock import RealClock, SteppedClock, machine_now
from social.domain.assessment import RULES_ONLY, ModelIdentity
from social.domain.errors import CredentialsExpired, RateLimited, Unreachable
from social.engine import alerts as engine_alerts
from social.engine import budgets, line, people, watch
from social.engine.desk import Desk
from social.engine.poll import SILENT_AFTER
from social.engine.schedule import Daemon, run_stepped
from social.notifiers.ping import Ping
from social.ports import Inspection, Quota
from social.store import control
from social.store.rows import c
from social.store.session import Database
from social.store.tables import AlertRow, PostRow, ProfileRow
from tests.cast import MAREK, SHOP, at
from tests.engine.looking import eventually, rows
from tests.engine.on_call import FakeNotifier, on_call
from tests.factories import assessment, case, desk_for, planned, post, profile, remembered
from tests.fakes import FakeClassifier, FakeConnector
from tests.notifiers.servers import HOST, Drawer, Visits, web_server
from tests.story.telling import alerts

NOON = at("2026-11-20 12:00")
HOST_A, HOST_B = "a (poll,triage,respond)", "b (poll,triage,respond)"
DOWN = Unreachable("the network cannot be reached.")


class Inspected(FakeConnector):
    """A network that says until when it lets us in."""

    expires_at: datetime | None = None

    def inspect(self) -> Inspection:
        self._call("inspect")
        return Inspection(identity=SHOP, expires_at=self.expires_at)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(NOON)


@pytest.fixture
def network(clock: SteppedClock) -> Inspected:
    return Inspected(clock)


@pytest.fixture
def desk(database: Database, clock: SteppedClock, network: Inspected) -> Desk:
    return desk_for(database, clock, network)


def told(database: Database) -> list[tuple[str, str | None]]:
    return [(alert.kind, alert.urgency) for alert in alerts(database)]


# --- deadlines ----------------------------------------------------------------------------------------------------------


def test_it_rings_a_day_before_a_formal_deadline_and_once(database: Database, desk: Desk, clock: SteppedClock) -> None:
    shop = profile(database)
    case_id = case(database, remembered(database, shop, post(when=NOON)), formal_deadline=timedelta(days=14))
    near = NOON + timedelta(days=13)

    assert watch.look_around(desk, near - timedelta(seconds=1)) == 0
    assert watch.look_around(desk, near) == 1
    assert watch.look_around(desk, near + timedelta(hours=2)) == 0

    (alert,) = alerts(database)
    assert (alert.kind, alert.urgency, alert.escalation_id) == ("deadline", "high", case_id)


def test_it_rings_for_a_taken_complaint_too_and_not_for_an_answered_one(database: Database, desk: Desk) -> None:
    shop = profile(database)
    for number, user in enumerate((MAREK, None)):
        row_id = remembered(database, shop, post(f"{number}", when=NOON + timedelta(minutes=number)))
        case_id = case(database, row_id, formal_deadline=timedelta(hours=12))
        if user is not None:
            people.close(database, case_id, user=user, now=NOON, reason="settled by letter")

    watch.look_around(desk, NOON + timedelta(minutes=5))

    assert told(database) == [("deadline", "high")]


def test_a_customers_hour_that_breaks_rings_nobody(database: Database, desk: Desk, clock: SteppedClock) -> None:
    case(database, remembered(database, profile(database), post(when=NOON)))
    desk.on_call = on_call(mail := FakeNotifier(clock))

    run_stepped(desk, clock, until=NOON + timedelta(minutes=75))

    assert mail.arrived == []


# --- networks -----------------------------------------------------------------------------------------------------------


def test_a_network_that_stays_silent_for_half_an_hour_rings_once_and_again_the_next_time(
    database: Database, desk: Desk, clock: SteppedClock, network: Inspected
) -> None:
    desk.on_call = on_call(mail := FakeNotifier(clock))
    run_stepped(desk, clock, until=NOON + timedelta(minutes=1))
    network.fails("fetch", DOWN, times=12)

    run_stepped(desk, clock, until=NOON + timedelta(minutes=25))
    assert mail.arrived == []
    run_stepped(desk, clock, until=NOON + timedelta(minutes=46))

    assert [name for name, _ in mail.told] == [MAREK]
    assert timedelta(minutes=30) <= mail.told[0][1] - NOON <= timedelta(minutes=45)
    assert "the network cannot be reached" in mail.bodies[0]
    run_stepped(desk, clock, until=NOON + timedelta(hours=2))  # it answers again
    assert told(database) == []


def of_today(network: Inspected, clock: SteppedClock, desk: Desk) -> None:
    """The last good answer says that nothing is left for today."""
    network.quotas = (Quota(scope="day", stops="read", remaining=0, limit=9, resets_at=NOON + timedelta(hours=8)),)


def of_a_look_up(network: Inspected, clock: SteppedClock, desk: Desk) -> None:
    """Not a poll was told, but whoever looked at a thread."""
    (live,) = desk.profiles.values()
    error = RateLimited("enough for today.", until=NOON + timedelta(hours=8), scope="all")
    with desk.database.write() as session:
        budgets.keep_pause(session, live.id, error, clock.now())


@pytest.mark.parametrize("limited", [of_today, of_a_look_up])
def test_people_hear_of_a_limit_that_keeps_a_profile_unread_whoever_was_told_of_it(
    database: Database,
    desk: Desk,
    clock: SteppedClock,
    network: Inspected,
    limited: Callable[[Inspected, SteppedClock, Desk], None],
) -> None:
    run_stepped(desk, clock, until=NOON + timedelta(minutes=1))
    limited(network, clock, desk)
    run_stepped(desk, clock, until=NOON + timedelta(minutes=25))
    assert told(database) == []
    run_stepped(desk, clock, until=NOON + timedelta(minutes=50))

    (alert,) = alerts(database)
    assert (alert.kind, alert.subject) == ("connector", next(iter(desk.profiles.values())).name)
    assert alert.message.endswith("its network is asked again only at 2026-11-20 19:00 UTC")
    network.quotas = ()
    run_stepped(desk, clock, until=NOON + timedelta(hours=8, minutes=10))
    assert told(database) == []


def test_a_limit_of_minutes_rings_nobody(
    database: Database, desk: Desk, clock: SteppedClock, network: Inspected
) -> None:
    run_stepped(desk, clock, until=NOON + timedelta(minutes=1))
    network.quotas = (
        Quota(scope="minute", stops="read", remaining=0, limit=9, resets_at=NOON + timedelta(minutes=16)),
    )
    run_stepped(desk, clock, until=NOON + timedelta(minutes=15))
    assert [row.last_error for row in rows(database, ProfileRow)] == [None]


def test_a_profile_that_one_machine_cannot_open_and_another_reads_rings_nobody(
    database: Database, desk: Desk, clock: SteppedClock, network: Inspected, new_database: Callable[[], Database]
) -> None:
    (live,) = desk.profiles.values()
    lacks_a_file = replace(
        desk, database=new_database(), profiles={}, broken={live.name: "its credential was not found."}
    )
    for _ in range(20):
        line.take_in(desk, clock.now())
        watch.look_around(lacks_a_file, clock.now(), daemon=HOST_B)
        watch.look_around(desk, clock.now(), daemon=HOST_A)
        assert told(database) == []
        clock.advance(timedelta(minutes=1))


@pytest.mark.parametrize("what", ["post", "reply"])
def test_what_a_machine_leaves_undone_since_it_cannot_open_a_profile_rings_once_though_another_reads_it(
    database: Database, desk: Desk, clock: SteppedClock, new_database: Callable[[], Database], what: str
) -> None:
    """One machine reads, another one judges and sends, and that one lacks a secret file."""
    (live,) = desk.profiles.values()
    shop = profile(database)
    row_id = remembered(database, shop, post(when=NOON), now=NOON)
    if what == "reply":
        with database.write() as session:
            session.execute(update(PostRow).values(state="judged"))
        planned(database, row_id, due_at=NOON)
    lacks = replace(desk, database=new_database(), profiles={}, broken={live.name: "its credential was not found."})
    for minute in range(40):
        line.take_in(desk, clock.now())
        watch.look_around(lacks, clock.now(), daemon=HOST_B)
        watch.look_around(desk, clock.now(), daemon=HOST_A)
        assert told(database) == ([] if minute < 10 else [("daemon", "high")]), minute
        clock.advance(timedelta(minutes=1))
    (alert,) = alerts(database)
    assert alert.message.startswith(f"what is due on {live.name} stays undone: {HOST_B} cannot open it")
    lacks.broken = {}
    watch.look_around(lacks, NOON + timedelta(minutes=75), daemon=HOST_B)
    assert told(database) == []


@pytest.mark.parametrize(("hours", "kinds"), [(0.1, []), (8, ["connector"])])
def test_a_profile_that_is_read_every_hour_is_not_silent_after_half_of_one(
    database: Database, clock: SteppedClock, network: Inspected, hours: float, kinds: list[str]
) -> None:
    desk = desk_for(database, clock, network, poll_every=timedelta(hours=1))
    run_stepped(desk, clock, until=NOON + timedelta(minutes=59))
    of_hours = RateLimited("slow down.", until=NOON + timedelta(hours=1 + hours), scope="all")
    with database.write() as session:
        (live,) = desk.profiles.values()
        budgets.keep_pause(session, live.id, of_hours, clock.now())
    run_stepped(desk, clock, until=NOON + timedelta(hours=3))
    assert [alert.kind for alert in alerts(database)] == kinds


def test_a_limit_in_the_midst_of_a_long_catching_up_rings_once(
    database: Database, desk: Desk, clock: SteppedClock, network: Inspected
) -> None:
    """After an outage: ten pages, then a wait of a quarter of an hour, again and again."""
    (live,) = desk.profiles.values()
    with database.write() as session:
        session.execute(update(ProfileRow).values(last_polled_at=NOON - timedelta(hours=2)))
        engine_alerts.raise_once(session, kind="connector", subject=live.name, message="silent", now=NOON)
    raised = alerts(database)[0].id
    network.publishes(*(post(when=NOON, native_id=f"q{n}", thread_root=f"q{n}") for n in range(30)))
    network.page_size = 1
    for _ in range(2):
        line.take_in(desk, clock.now())
        assert [alert.id for alert in alerts(database)] == [raised]
        clock.advance(timedelta(minutes=15))
    while rows(database, ProfileRow)[0].last_polled_at < NOON:
        line.take_in(desk, clock.now())
        clock.advance(timedelta(minutes=15))
    assert alerts(database) == []


def test_a_daemon_that_only_shows_pages_tells_of_its_clock_and_asks_no_switch(database: Database) -> None:
    visits, passed = Visits(), [0.0]
    shown = [NOON]
    clock = RealClock(None, machine=lambda: shown[0], seconds=lambda: passed[0])
    with web_server(visits) as port:
        daemon = Daemon(replace(desk_for(database, clock, FakeConnector()), profiles={}), [])
        daemon.desk.on_call = on_call(FakeNotifier(RealClock()), ping=Ping(f"http://{HOST}:{port}/check", Drawer()))
        look(daemon)
        assert told(database) == []
        shown[0], passed[0] = NOON + timedelta(days=1), 60.0
        look(daemon)
        look(daemon)
    assert told(database) == [("clock", "high")]
    assert visits.paths == []


def test_an_alert_that_was_raised_while_a_poll_was_under_way_does_not_hide_the_next_one(
    database: Database, desk: Desk, clock: SteppedClock, network: Inspected
) -> None:
    (live,) = desk.profiles.values()
    with database.write() as session:  # by a text that met the end of the access, while the poll was asking
        engine_alerts.raise_once(session, kind="connector", subject=live.name, message="no access", now=NOON)
    line.take_in(desk, clock.now())
    assert told(database) == []
    clock.advance(timedelta(minutes=5))
    network.fails("fetch", CredentialsExpired("the access ended."))
    line.take_in(desk, clock.now())
    assert [alert.message for alert in alerts(database)] == ["the access ended."]


def test_a_profile_that_could_not_be_opened_rings(database: Database, desk: Desk) -> None:
    profile(database, "fikcja-second")
    desk.broken = {"fikcja-second": "its credential was not found."}

    with database.read() as session:
        (due_at,) = session.execute(select(c(ProfileRow).due_at).where(c(ProfileRow).name == "fikcja-second")).one()
    watch.look_around(desk, due_at + timedelta(minutes=9))
    assert told(database) == []  # perhaps another machine can
    watch.look_around(desk, due_at + timedelta(minutes=10))
    watch.look_around(desk, due_at + timedelta(minutes=20))

    (alert,) = alerts(database)
    assert (alert.kind, alert.subject) == ("connector", "fikcja-second")
    assert "credential" in alert.message


def test_a_short_trouble_rings_nobody(database: Database, desk: Desk) -> None:
    (profile_id,) = desk.profiles
    with database.write() as session:
        session.execute(
            update(ProfileRow)
            .where(c(ProfileRow).id == profile_id)
            .values(last_error="once", last_polled_at=NOON - SILENT_AFTER + timedelta(seconds=1))
        )

    assert watch.look_around(desk, NOON) == 0
    assert watch.look_around(desk, NOON + timedelta(seconds=1)) == 1


# --- accesses -----------------------------------------------------------------------------------------------------------


def test_an_access_that_ends_within_a_week_is_told_once_and_anew_after_it_was_renewed(
    database: Database, desk: Desk, network: Inspected
) -> None:
    network.expires_at = NOON + timedelta(days=7, minutes=1)
    watch.ask_when_accesses_end(desk, NOON)
    assert watch.look_around(desk, NOON) == 0

    for minute in (1, 2, 3):
        watch.look_around(desk, NOON + timedelta(minutes=minute))
    assert told(database) == [("token", "normal")]

    network.expires_at = NOON + timedelta(days=60)
    watch.ask_when_accesses_end(desk, NOON + timedelta(hours=1))  # sooner than tomorrow, since the end was near
    assert watch.look_around(desk, NOON + timedelta(days=50)) == 0
    assert watch.look_around(desk, NOON + timedelta(days=53)) == 1


def test_an_access_without_an_end_and_a_network_that_does_not_answer_ring_nobody(
    database: Database, desk: Desk, network: Inspected
) -> None:
    assert watch.ask_when_accesses_end(desk, NOON) == 0
    network.fails("inspect", DOWN)
    assert watch.ask_when_accesses_end(desk, NOON) == 0

    watch.look_around(desk, NOON)

    assert alerts(database) == []


def test_a_network_is_asked_for_its_access_once_a_day_and_again_soon_where_it_did_not_answer(
    desk: Desk, network: Inspected
) -> None:
    network.fails("inspect", DOWN)
    for hour in range(30):
        watch.ask_when_accesses_end(desk, NOON + timedelta(hours=hour))
    assert network.calls.count("inspect") == 3  # no answer, then one, and a day later the next


def test_what_a_network_said_of_its_access_holds_over_a_restart_and_while_it_does_not_answer(
    database: Database, desk: Desk, network: Inspected
) -> None:
    network.expires_at = NOON + timedelta(days=3)
    watch.ask_when_accesses_end(desk, NOON)
    network.fails("inspect", DOWN)
    assert watch.ask_when_accesses_end(desk, NOON) == 0

    restarted = replace(desk)
    assert watch.look_around(restarted, NOON) == 1
    assert told(database) == [("token", "normal")]


# --- the daemon itself --------------------------------------------------------------------------------------------------


def rules_only() -> FakeClassifier:
    judgement = assessment()
    broken = FakeClassifier(judgement)
    broken.default = type(judgement)(
        **{name: getattr(judgement, name) for name in judgement.__slots__ if name != "model"}, model=RULES_ONLY
    )
    return broken


def test_a_broken_model_rings_once_until_it_works_again(database: Database, desk: Desk) -> None:
    working, desk.expects_model = desk.classifier, True
    assert working.identity == ModelIdentity(id="fake", version="1")
    assert watch.look_around(desk, NOON, daemon=HOST_A) == 0

    desk.classifier = rules_only()
    for minute in range(3):
        watch.look_around(desk, NOON + timedelta(minutes=minute), daemon=HOST_A)
    assert told(database) == [("model", "high")]

    desk.classifier = working
    watch.look_around(desk, NOON + timedelta(minutes=59), daemon=HOST_A)
    assert told(database) == [("model", "high")]  # what comes and goes is one alert
    watch.look_around(desk, NOON + timedelta(minutes=60), daemon=HOST_A)
    assert told(database) == []


def test_who_wants_no_model_is_not_told_that_there_is_none(database: Database, desk: Desk) -> None:
    desk.classifier = rules_only()

    assert watch.look_around(desk, NOON) == 0


def test_a_healthy_daemon_does_not_take_back_what_another_one_rang_for(database: Database, desk: Desk) -> None:
    watch.look_around(desk, NOON, daemon=HOST_A, ills={"poll-1": "RuntimeError"})
    watch.look_around(desk, NOON + timedelta(hours=2), daemon=HOST_B)

    assert told(database) == [("daemon", "critical")]
    watch.look_around(desk, NOON + timedelta(hours=2), daemon=HOST_A)
    assert told(database) == []


class Mistaken(Inspected):
    """A connector with a mistake in it, which quotes what it read."""

    def fetch(self, cursor: object) -> object:  # type: ignore[override]
        raise RuntimeError("canary: a customer's words")


def a_daemon(database: Database, network: FakeConnector, parts: list[str]) -> Daemon:
    desk = desk_for(database, RealClock(), network, first_polled_at=machine_now() - timedelta(hours=1))
    return Daemon(desk, parts)


def test_a_part_that_fails_again_and_again_is_ill_and_the_alert_quotes_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = a_daemon(database, Mistaken(), ["poll"])
    daemon.start()
    try:
        eventually(lambda: daemon._failing, what="the failing poll")
        assert daemon.ills() == {}  # not yet for long enough
        eventually(lambda: "poll-1" not in daemon._at_work, what="the end of the tick")
        daemon._works("poll", finished=False)  # what failed is leased: that there is nothing to do is no sign of health
        monkeypatch.setattr(clocks, "monotonic", lambda: time.monotonic() + 300)
        daemon._fails("poll", "RuntimeError")  # the lease is over
        assert daemon.ills() == {"poll": "RuntimeError"}
        daemon._look(daemon.desk, daemon.desk.now())
        daemon._works("poll", finished=True)
        assert daemon.ills() == {}
    finally:
        daemon.stop()

    (alert,) = [row for row in rows(database, AlertRow) if row.kind == "daemon"]
    assert "RuntimeError" in alert.message and "canary" not in alert.message


def test_one_failure_is_no_illness_and_is_forgotten_when_its_lease_is_over(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = a_daemon(database, FakeConnector(), ["poll"])
    moment = 0.0
    monkeypatch.setattr(clocks, "monotonic", lambda: moment)
    daemon._fails("poll", "RuntimeError")
    moment = 3000.0
    daemon._works("poll", finished=False)
    assert daemon.ills() == {} and daemon._failing
    moment = 3601.0
    daemon._works("poll", finished=False)
    assert not daemon._failing


def test_a_server_that_answers_again_ends_the_illness_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = a_daemon(database, FakeConnector(), ["poll"])
    moment = 0.0
    monkeypatch.setattr(clocks, "monotonic", lambda: moment)
    daemon._fails("poll", "no server", database=True)
    moment = 200.0
    daemon._fails("poll", "no server", database=True)
    assert daemon.ills() == {"poll": "no server"}
    daemon._works("poll", finished=False)
    assert daemon.ills() == {}


# --- a part that nobody does --------------------------------------------------------------------------------------------


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """``minutes(6)``: so long after the start, by the clock that no one sets."""
    begun = time.monotonic()

    def pass_(minutes: float) -> None:
        monkeypatch.setattr(clocks, "monotonic", lambda: begun + 60 * minutes)

    return pass_


def elsewhere(database: Database, parts: str) -> None:
    """A daemon of another machine, alive."""
    with database.write() as session:
        control.beat(session, name="there:1", parts=parts, started_at=NOON, at=machine_now(), model=None)


def look(daemon: Daemon) -> None:
    daemon._look(daemon.desk, daemon.desk.now())


def test_a_part_that_no_daemon_does_is_told_once_until_somebody_does_it(
    database: Database, minutes: Callable[[float], None]
) -> None:
    one, other = (a_daemon(database, FakeConnector(), ["respond"]) for _ in range(2))
    look(one)
    minutes(4)
    look(one)
    assert told(database) == []  # a new start takes as long
    minutes(6)
    look(one)
    look(other)
    assert told(database) == [("absent", "critical"), ("absent", "critical")]
    texts = sorted(alert.message for alert in alerts(database))
    assert texts == [
        "no network is being read: no running daemon does poll; start one (social run --only poll)",
        "nothing that comes in is being judged: no running daemon does triage; start one (social run --only triage)",
    ]

    elsewhere(database, "poll")
    look(other)  # whoever sees it
    assert [alert.subject for alert in alerts(database)] == ["triage"]
    elsewhere(database, "poll,triage,respond")
    look(one)
    assert told(database) == []
    minutes(20)
    elsewhere(database, "")  # pages alone do none of it
    look(one)
    assert told(database) == []  # anew from the start
    minutes(26)
    look(one)
    assert told(database) == [("absent", "critical"), ("absent", "critical")]


def test_where_nobody_rings_nothing_is_raised_and_the_dead_mans_switch_is_not_asked(
    database: Database, minutes: Callable[[float], None]
) -> None:
    """An alert that waits for somebody to ring would ring when all is well again."""
    visits = Visits()
    with web_server(visits) as port:
        daemon = a_daemon(database, FakeConnector(), ["poll", "triage"])
        daemon.desk.on_call = on_call(FakeNotifier(RealClock()), ping=Ping(f"http://{HOST}:{port}/check", Drawer()))
        look(daemon)
        assert len(visits.paths) == 1
        minutes(6)
        look(daemon)
        assert (len(visits.paths), told(database)) == (1, [])
        elsewhere(database, "respond")
        look(daemon)
        assert len(visits.paths) == 2


# --- the dead man's switch ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("connector", "asked"), [(FakeConnector, True), (Mistaken, False)])
def test_the_dead_mans_switch_is_asked_only_while_all_is_well(
    database: Database, connector: Callable[[], FakeConnector], asked: bool
) -> None:
    visits = Visits()
    daemon = a_daemon(database, connector(), ["poll"])
    daemon.start()
    try:
        eventually(lambda: daemon._failing or (daemon.desk.profiles and _polled(database)), what="the first poll")
    finally:
        daemon.stop()  # so that none of its own looks comes in between
    with web_server(visits) as port:
        daemon.desk.on_call = on_call(FakeNotifier(RealClock()), ping=Ping(f"http://{HOST}:{port}/check", Drawer()))
        look(daemon)

    assert bool(visits.paths) is asked


def _polled(database: Database) -> bool:
    lately = machine_now() - timedelta(minutes=5)
    return any(row.last_polled_at is not None and row.last_polled_at > lately for row in rows(database, ProfileRow))


def test_a_switch_that_does_not_answer_is_told_and_harms_nothing(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    visits = Visits(statuses=[503])
    with web_server(visits) as port:
        daemon = a_daemon(database, FakeConnector(), ["triage"])
        ping = Ping(f"http://{HOST}:{port}/canary-id", Drawer())
        daemon.desk.on_call = on_call(FakeNotifier(RealClock()), ping=ping)
        daemon._look(daemon.desk, clocks.machine_now())

    assert "[notify] ping: the answer is 503" in caplog.text
    assert "canary" not in caplog.text
