"""The composition root: one clock for ever, what cannot be opened left out with its reason, and the rest goes on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from responders.snapshot import Timing
from social.clock import PacedClock, RealClock, SteppedClock, machine_now
from social.domain.assessment import RULES_ONLY, TextToAssess
from social.domain.errors import ConfigurationError, Conflict, DyzurError, StoreError
from social.domain.post import ProfileMode
from social.engine import build, watch
from social.settings import Settings, parse_settings
from social.store import control, profiles
from social.store.session import Database
from social.store.tables import ProfileRow
from tests.cast import at
from tests.engine.looking import rows
from tests.fakes import FakeClassifier

START = at("2026-11-20 15:30")
PACED = {"DYZUR_CLOCK__MODE": "paced", "DYZUR_CLOCK__START": START.isoformat(), "DYZUR_CLOCK__SPEED": "60"}

SHOP = """
[triage]
backend = "rules"

[responders]
acknowledge_after = "30m"
per_author_an_hour = 2

[[brands]]
name = "Fikcja"
languages = ["pl"]
timezone = "Europe/Warsaw"
[brands.hours]
mon-fri = ["09:00-17:00"]

[[profiles]]
name = "page"
brand = "Fikcja"
connector = "facebook"
mode = "acknowledge"
closed_notice = true
credential = "page"

[[profiles]]
name = "other-page"
brand = "Fikcja"
connector = "facebook"
credential = "nobody-has-it"

[connectors.facebook]
base_url = "http://127.0.0.1:9/facebook"
"""


def settings(home: Path, environment: Mapping[str, str] | None = None, text: str = SHOP) -> Settings:
    return parse_settings(text, source=home / "config.toml", home=home, environment=environment or {})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    secret = tmp_path / "secrets" / "page.toml"
    secret.parent.mkdir()
    secret.write_text('access_token = "canary-token-1"\napp_secret = "canary-secret-1"\n', encoding="utf-8")
    secret.chmod(0o600)
    return tmp_path


# --- the clock --------------------------------------------------------------------------------------------------------


def test_it_anchors_a_paced_clock_once_for_every_process(database: Database, home: Path) -> None:
    paced = settings(home, PACED)
    first = build.open_clock(paced, database)
    second = build.open_clock(settings(home, {**PACED, "DYZUR_CLOCK__SPEED": "9"}), database)
    assert isinstance(first, PacedClock) and isinstance(second, PacedClock)
    assert first.anchor == second.anchor
    assert (first.anchor.world, first.anchor.speed) == (START, 60)


def test_it_goes_on_where_the_world_stood_when_it_is_resumed(database: Database, home: Path) -> None:
    paced = settings(home, PACED)
    build.open_clock(paced, database)
    latest = at("2026-11-21 09:00")
    with database.write() as session:
        control.saw_time(session, latest)

    resumed = build.open_clock(paced, database, resume=True)
    assert isinstance(resumed, PacedClock)
    assert resumed.anchor.world == latest
    assert resumed.now() >= latest
    again = build.open_clock(paced, database)
    assert isinstance(again, PacedClock)
    assert again.anchor == resumed.anchor


@pytest.mark.parametrize("start", ["2026-11-19T10:00:00+01:00", "2026-11-22T10:00:00+01:00"])
def test_its_time_never_goes_back_whatever_start_the_configuration_names_later(
    database: Database, home: Path, start: str
) -> None:
    build.open_clock(settings(home, PACED), database)
    latest = at("2026-11-21 09:00")
    with database.write() as session:
        control.saw_time(session, latest)
    other = settings(home, {**PACED, "DYZUR_CLOCK__START": start})
    resumed = build.open_clock(other, database, resume=True)
    assert resumed.now() >= latest
    with database.write() as session:
        control.saw_time(session, START)
        found = control.clock_anchor(session)
    assert found is not None and found[2] is not None
    assert found[2] >= latest


@pytest.mark.parametrize(("first", "second"), [({}, PACED), (PACED, {})])
def test_it_refuses_to_turn_a_real_world_into_a_simulated_one_or_back(
    database: Database, home: Path, first: dict[str, str], second: dict[str, str]
) -> None:
    build.open_clock(settings(home, first), database)
    with pytest.raises(Conflict, match=r"lives by a (real|paced) clock.*Use another \[database\] url"):
        build.open_clock(settings(home, second), database)


def test_it_lives_by_the_machines_time_when_the_clock_is_real(database: Database, home: Path) -> None:
    before = machine_now()
    clock = build.open_clock(settings(home), database)
    assert isinstance(clock, RealClock)
    assert before <= clock.now() <= machine_now()


def test_it_refuses_a_simulated_clock_where_a_network_is_real(database: Database, home: Path) -> None:
    real = SHOP.replace("http://127.0.0.1:9/facebook", "https://graph.facebook.com")
    with pytest.raises(ConfigurationError, match=r"the clock is paced, but \[connectors.facebook\] goes to"):
        build.open_clock(settings(home, PACED, real), database)


# --- the database -----------------------------------------------------------------------------------------------------


def test_it_makes_and_upgrades_a_database_beside_the_configuration(home: Path) -> None:
    database = build.open_database(settings(home, {"DYZUR_DATABASE__URL": "sqlite:///var/shop.db"}))
    try:
        assert database.path == home / "var" / "shop.db"
        build.prepare_database(database)
        build.prepare_database(database)
        assert rows(database, ProfileRow) == []
        assert list(database.path.parent.glob("*before*")) == []  # nothing was there to lose
    finally:
        database.close()


def test_it_says_what_to_do_with_a_damaged_database(home: Path) -> None:
    (home / "shop.db").write_bytes(b"this is no database at all" * 500)
    database = build.open_database(settings(home, {"DYZUR_DATABASE__URL": "sqlite:///shop.db"}))
    try:
        with pytest.raises(DyzurError, match=r"shop\.db: the database file is damaged.*restore the newest backup"):
            build.prepare_database(database)
    finally:
        database.close()


def test_it_says_what_to_do_with_a_database_that_is_damaged_inside(database: Database) -> None:
    assert database.path is not None
    with database.write() as session:
        for number in range(400):
            control.beat(session, name=f"{number}", parts="x" * 200, started_at=START, at=START, model=None)
    database.close()  # everything lies in the one file now
    raw = bytearray(database.path.read_bytes())
    for page in range(len(raw) // 4096 // 2, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    database.path.write_bytes(raw)

    damaged = Database(f"sqlite:///{database.path}")
    try:
        with pytest.raises(DyzurError, match=r"damaged.*restore the newest backup"):
            build.prepare_database(damaged)
    finally:
        damaged.close()


def test_it_says_that_the_database_cannot_be_written(home: Path) -> None:
    (home / "shop.db").mkdir()
    database = build.open_database(settings(home, {"DYZUR_DATABASE__URL": "sqlite:///shop.db"}))
    try:
        with pytest.raises(StoreError, match=r"shop\.db: the database cannot be opened.*writable"):
            build.prepare_database(database)
    finally:
        database.close()


# --- profiles ---------------------------------------------------------------------------------------------------------


def test_it_leaves_a_broken_profile_out_with_its_reason_and_opens_the_others(
    database: Database, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    judge = FakeClassifier()
    desk = build.open_desk(settings(home), database, SteppedClock(START), judge=(judge, judge))
    try:
        assert [live.name for live in desk.profiles.values()] == ["page"]
        assert list(desk.broken) == ["other-page"]
        assert "nobody-has-it" in desk.broken["other-page"]
        assert "other-page stays off" in caplog.text
        with database.read() as session:
            page, other = profiles.by_name(session, "page"), profiles.by_name(session, "other-page")
        assert page is not None and other is not None
        assert page.last_error is None
        assert other.last_error == desk.broken["other-page"]
        assert "canary" not in caplog.text
    finally:
        for live in desk.profiles.values():
            live.connector.close()


def test_the_pages_alone_open_no_network_no_model_and_no_secret(database: Database, home: Path) -> None:
    wanted = settings(home, text=f'[notify]\nping = "not-there"\n{SHOP}')
    with pytest.raises(ConfigurationError, match="not-there"):
        build.open_desk(wanted, database, SteppedClock(START), parts=["respond"])
    with database.write() as session:
        for row in session.execute(select(ProfileRow)).scalars():
            row.last_error = None
    desk = build.open_desk(wanted, database, SteppedClock(START), parts=())
    assert (desk.profiles, desk.broken, desk.on_call, desk.expects_model) == ({}, {}, None, False)
    assert [row.last_error for row in rows(database, ProfileRow)] == [None, None]
    desk.close()


@pytest.mark.parametrize(("how", "told"), [({}, True), (PACED, False)], ids=["real", "simulated"])
def test_it_tells_of_times_that_a_clock_before_it_left_ahead(
    database: Database, home: Path, caplog: pytest.LogCaptureFixture, how: dict[str, str], told: bool
) -> None:
    build.open_desk(settings(home, how), database, SteppedClock(START), parts=())
    with database.write() as session:
        session.execute(update(ProfileRow).values(last_polled_at=START + timedelta(minutes=9)))
    build.open_desk(settings(home, how), database, SteppedClock(START), parts=())
    assert ("lay ahead of this clock" in caplog.text) is told


@pytest.mark.parametrize("parts", [("poll",), ("respond",), ("poll", "respond")])
def test_who_judges_nothing_loads_no_model_and_complains_of_none(
    database: Database, home: Path, monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...]
) -> None:
    monkeypatch.setattr(build, "load_judge", lambda settings: pytest.fail("loaded"))
    text = SHOP.replace('backend = "rules"', 'backend = "onnxruntime"')
    desk = build.open_desk(settings(home, text=text), database, SteppedClock(START), parts=parts)
    try:
        assert [live.name for live in desk.profiles.values()] == ["page"]
        assert watch.look_around(desk, START + watch.NOBODY_DOES) == 1  # of the profile that cannot be opened
        watch.beat(desk, name="here:1", parts=",".join(parts), started_at=START)
        with database.read() as session:
            assert [daemon.model for daemon in control.running(session, at=machine_now())] == [None]
    finally:
        for live in desk.profiles.values():
            live.connector.close()


def test_it_names_an_option_that_the_connector_does_not_know(database: Database, home: Path) -> None:
    wrong = SHOP.replace('credential = "page"\n', 'credential = "page"\n[profiles.options]\ncolour = "blue"\n')
    judge = FakeClassifier()
    desk = build.open_desk(settings(home, text=wrong), database, SteppedClock(START), judge=(judge, judge))
    assert desk.profiles == {}
    assert "colour" in desk.broken["page"]


def test_it_gives_the_desk_what_the_configuration_says(database: Database, home: Path) -> None:
    judge = FakeClassifier()
    desk = build.open_desk(settings(home), database, SteppedClock(START), judge=(judge, judge), only=["page"])
    try:
        (live,) = desk.profiles.values()
        assert desk.broken == {}  # the other one was not asked for
        assert (live.mode, live.closed_notice, live.languages) == (ProfileMode.ACKNOWLEDGE, True, ("pl",))
        assert live.poll_every == timedelta(minutes=1)
        assert live.calendar.is_open(at("2026-11-20 16:59")) and not live.calendar.is_open(at("2026-11-20 17:00"))
        assert desk.timing == Timing(acknowledge_after=timedelta(minutes=30))
        assert (desk.limits.per_author_an_hour, desk.batch) == (2, 200)
    finally:
        live.connector.close()


def test_it_switches_a_profile_off_that_left_the_configuration_and_on_again(database: Database, home: Path) -> None:
    judge = FakeClassifier()
    alone = SHOP[: SHOP.index('[[profiles]]\nname = "other-page"')] + SHOP[SHOP.index("[connectors") :]
    states = []
    for text in (SHOP, alone, SHOP):
        desk = build.open_desk(settings(home, text=text), database, SteppedClock(START), judge=(judge, judge), only=[])
        assert desk.profiles == {}
        states.append({row.name: row.state for row in rows(database, ProfileRow)})
    assert states == [
        {"page": "active", "other-page": "active"},
        {"page": "active", "other-page": "removed"},
        {"page": "active", "other-page": "active"},
    ]


# --- the judge --------------------------------------------------------------------------------------------------------


def test_it_goes_on_by_rules_and_says_so_aloud_when_the_model_cannot_be_loaded(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = settings(home, {"DYZUR_TRIAGE__BACKEND": "onnxruntime", "DYZUR_TRIAGE__MODEL": str(home / "nowhere")})
    judge, fallback = build.load_judge(broken)
    assert judge.identity == fallback.identity == RULES_ONLY
    (error,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "THE MODEL CANNOT BE LOADED" in error and "nowhere" in error
    (found,) = judge.assess([TextToAssess(text="Dziękuję, ale gdzie jest reszta zamówienia?", language_hint=None)])
    assert found.needs_reply or found.unsure  # never silently neutral


def test_it_loads_no_model_where_rules_are_wanted(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    judge, _ = build.load_judge(settings(home))
    assert judge.identity == RULES_ONLY
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
