"""A report says where its numbers come from, and what cannot be asked ends in a sentence."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from social import __version__, clock
from social.domain.assessment import ModelIdentity
from social.domain.errors import DyzurError, NotFound
from social.domain.post import ProfileMode
from social.reports.buckets import By
from social.reports.queries import SentimentQuery, UnusableQuery, query_for
from social.reports.report import SentimentReport, make_report
from social.settings import Settings, parse_settings
from social.store import control, profiles
from social.store.rows import c
from social.store.session import Database
from social.store.tables import ProfileRow
from tests.cast import WARSAW, at
from tests.reports.happened import Asked, Judged, Past, write

MONDAY, NEXT = date(2026, 11, 16), date(2026, 11, 23)
NOW = at("2026-11-24 09:00")


def asked(when: str = "2026-11-18 10:00", **more: object) -> Asked:
    return Asked(at=at(when), **more)  # type: ignore[arg-type]


def report(database: Database, *names: str, now: datetime = NOW, **more: object) -> SentimentReport:
    wanted: dict[str, object] = {"from_day": MONDAY, "to_day": NEXT, "by": By.DAY, "time_zone": WARSAW, **more}
    with database.read() as session:
        return make_report(session, SentimentQuery(profiles=names, **wanted), now=now)  # type: ignore[arg-type]


def turned(database: Database, name: str, mode: ProfileMode, when: str) -> None:
    """The configuration was changed, and the desk started again."""
    with database.write() as session:
        wanted = profiles.WantedProfile(name=name, brand="Fikcja", network="fake", mode=mode)
        profiles.synchronise(session, [wanted], now=at(when))


# --- provenance --------------------------------------------------------------------------------------------------------


def test_it_names_its_source_time_zone_profiles_models_and_when_it_was_made(database: Database) -> None:
    name = write(database, Past(asked=(asked(judged=(Judged(),)), asked())), since=at("2026-11-01 08:00"))

    told = report(database, name)

    assert told.provenance.models == {ModelIdentity(id="fake", version="1"): 1}
    assert told.origin() == {
        "from": "2026-11-16",
        "to": "2026-11-23",
        "time_zone": "Europe/Warsaw",
        "profiles": f"{name} (fake)",
        "languages": "all",
        "source": f"Dyżur {__version__}",
        "models": "fake@1: 1",
        "dry_run_days": 0,
        "made_at": "2026-11-24T09:00:00+01:00",
    }


def test_a_simulated_world_says_that_it_is_one(database: Database) -> None:
    name = write(database, Past(asked=(asked(),)), since=at("2026-11-01 08:00"))
    with database.write() as session:
        anchor = clock.Anchor(machine=NOW, world=NOW, speed=120.0)
        control.set_clock(session, mode="paced", anchor=anchor)

    assert report(database, name).provenance.source == f"Dyżur {__version__}, simulated networks"


def test_days_of_dry_run_are_counted_from_its_beginning_to_its_end(database: Database) -> None:
    past = Past(asked=(asked(),), mode=ProfileMode.DRY_RUN)
    name = write(database, past, since=at("2026-11-17 12:00"))
    assert report(database, name, now=at("2026-11-18 12:00")).provenance.dry_run == {name: 2}
    assert report(database, name).provenance.dry_run == {name: 6}

    turned(database, name, ProfileMode.ACKNOWLEDGE, "2026-11-19 00:00")

    # the first dry run has no stamp any more; nobody was ever polled, so nothing was left unanswered in it
    assert report(database, name).provenance.dry_run == {}

    turned(database, name, ProfileMode.DRY_RUN, "2026-11-20 23:59")
    turned(database, name, ProfileMode.OFF, "2026-11-21 00:00")
    turned(database, name, ProfileMode.DRY_RUN, "2026-11-22 20:00")
    told = report(database, name).provenance
    assert (told.dry_run, told.dry_run_days) == ({name: 2}, 2)


def test_an_ended_first_dry_run_began_with_the_first_poll(database: Database) -> None:
    name = write(database, Past(asked=(asked(),), mode=ProfileMode.DRY_RUN), since=at("2026-11-01 08:00"))
    with database.write() as session:
        polled = update(ProfileRow).where(c(ProfileRow).name == name).values(first_polled_at=at("2026-11-17 08:00"))
        session.execute(polled)
    turned(database, name, ProfileMode.ACKNOWLEDGE, "2026-11-19 10:00")

    assert report(database, name).provenance.dry_run == {name: 3}


def test_a_day_on_which_two_profiles_rehearsed_is_one_day(database: Database) -> None:
    first = write(database, Past(asked=(asked(),), mode=ProfileMode.DRY_RUN), since=at("2026-11-20 08:00"))
    second = write(database, Past(asked=(asked(),), mode=ProfileMode.DRY_RUN), since=at("2026-11-21 08:00"))

    told = report(database, first, second).provenance

    assert (told.dry_run, told.dry_run_days) == ({first: 3, second: 2}, 3)


def test_only_the_chosen_languages_are_counted_and_what_nobody_judged_is_undetermined(database: Database) -> None:
    past = Past(asked=(asked(judged=(Judged(language="pl"),)), asked(judged=(Judged(language="en"),)), asked()))
    name = write(database, past, since=at("2026-11-01 08:00"))

    assert report(database, name).totals.posts == 3
    assert report(database, name, languages=("en",)).totals.posts == 1
    assert report(database, name, languages=("und", "pl")).totals.posts == 2


# --- what cannot be asked ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "end", "words"),
    [
        (
            MONDAY,
            MONDAY,
            "holds no day. The second date is the first day that is not counted; for that one day write 2026-11-17",
        ),
        (NEXT, MONDAY, "begins on 2026-11-23, after its end, 2026-11-16. Give the earlier date first."),
        (date(1, 1, 1), NEXT, "Choose days from 2000-01-01 to 2100-01-01."),
        (MONDAY, date(9999, 12, 31), "Choose days from 2000-01-01 to 2100-01-01."),
    ],
)
def test_a_range_that_holds_no_day_is_refused_with_the_way_out(first: date, end: date, words: str) -> None:
    with pytest.raises(UnusableQuery) as refused:
        SentimentQuery(from_day=first, to_day=end, by=By.DAY, time_zone=WARSAW, profiles=("shop",))

    assert words in str(refused.value)
    assert refused.value.exit_code == 2


def test_a_range_without_a_single_post_says_where_there_are_some(database: Database) -> None:
    past = Past(asked=(asked("2026-10-01 23:30"), asked("2026-10-05 00:10")))
    name = write(database, past, since=at("2026-09-01 08:00"))

    with pytest.raises(NotFound) as nothing:
        report(database, name)

    assert str(nothing.value) == (
        f"{name}: no customer's post lies in the days from 2026-11-16 up to 2026-11-23 (not included). "
        "These profiles have posts from 2026-10-01 to 2026-10-05."
    )


def test_a_language_that_nobody_wrote_in_is_named(database: Database) -> None:
    name = write(database, Past(asked=(asked(judged=(Judged(),)),)), since=at("2026-11-01 08:00"))

    with pytest.raises(NotFound, match="no customer's post in xx, yy lies in"):
        report(database, name, languages=("xx", "yy"))


def test_a_desk_that_never_saw_a_post_says_how_they_come_in(database: Database) -> None:
    with database.write() as session:
        new = profiles.WantedProfile(name="new", brand="Fikcja", network="fake", mode=ProfileMode.OFF)
        profiles.synchronise(session, [new], now=NOW)

    with pytest.raises(NotFound, match="none at all yet; posts come in while the desk runs"):
        report(database, "new")
    with pytest.raises(NotFound, match="'strange' was never watched"):
        report(database, "strange")


# --- a query out of the configuration ----------------------------------------------------------------------------------

TWO_ZONES = """\
[[brands]]
name = "Here"
languages = ["pl"]
timezone = "Europe/Warsaw"
hours = { mon-fri = ["09:00-17:00"] }

[[brands]]
name = "There"
languages = ["en"]
timezone = "Asia/Kolkata"
hours = { mon-fri = ["09:00-17:00"] }

[[profiles]]
name = "here-a"
brand = "Here"
connector = "fake"
credential = "a"

[[profiles]]
name = "here-b"
brand = "Here"
connector = "fake"
credential = "b"

[[profiles]]
name = "there"
brand = "There"
connector = "fake"
credential = "c"
"""


@pytest.fixture
def two_zones() -> Settings:
    return parse_settings(TWO_ZONES, source=None, home=Path())


def test_the_time_zone_is_that_of_the_chosen_profiles_brand(two_zones: Settings) -> None:
    there = query_for(two_zones, from_day=MONDAY, to_day=NEXT, profiles=["there"])
    here = query_for(two_zones, from_day=MONDAY, to_day=NEXT, profiles=["here-b", "here-a", "here-b"])

    assert there.time_zone == ZoneInfo("Asia/Kolkata")
    assert (here.time_zone, here.profiles) == (WARSAW, ("here-b", "here-a"))
    assert there.end - there.start == timedelta(days=7)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "these profiles live in 2 time zones (Asia/Kolkata, Europe/Warsaw)"),
        (["nowhere"], "there is no profile 'nowhere'. There are: here-a, here-b, there."),
    ],
)
def test_profiles_that_do_not_go_together_are_refused(two_zones: Settings, names: list[str], words: str) -> None:
    with pytest.raises(DyzurError) as refused:
        query_for(two_zones, from_day=MONDAY, to_day=NEXT, profiles=names)

    assert words in str(refused.value)
    assert refused.value.exit_code == 2
