"""Words are kept as long as `[retention]` says and no longer; what people still need, and every number, stays."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from social import clock as clocks
from social.clock import SteppedClock
from social.domain.errors import ConfigurationError
from social.engine import people, upkeep
from social.engine.desk import Desk
from social.engine.schedule import run_stepped
from social.settings import parse_settings, shipped_config
from social.store import notes, posts, retention, users
from social.store.retention import STEPS, Limits
from social.store.rows import c, t
from social.store.session import Database
from social.store.tables import (
    AlertRow,
    AssessmentRow,
    AuthorRow,
    ChoreRow,
    DaemonRow,
    EscalationRow,
    EventRow,
    NoteRow,
    NotificationRow,
    PostRow,
    QuarantineRow,
    ReplyRow,
    RevisionRow,
)
from tests.cast import ANNA, HANNA, MAREK, OFFICE, PIOTR, at
from tests.engine.looking import rows
from tests.factories import case, desk_for, judged, planned, post, profile, remembered, row_of
from tests.fakes import FakeConnector
from tests.reliability.lived import Canary, living_desk, numbers, report

DAY = timedelta(days=1)
ASKED = at("2026-11-20 10:00")


def purge(desk: Desk, now: datetime) -> int:
    """As a daemon does, until nothing is due."""
    steps = 0
    while upkeep.purge_some(desk, now):
        steps += 1
        assert steps < 10_000
    return steps


def left(database: Database) -> dict[str, int]:
    """How much is there of what is purged."""
    wanted = {
        "raw": c(PostRow).raw.is_not(None),
        "texts": c(PostRow).text != "",
        "vectors": c(AssessmentRow).vector.is_not(None),
        "names": c(AuthorRow).display_name.is_not(None),
        "notes": c(NoteRow).id > 0,
        "revisions": c(RevisionRow).id > 0,
        "quarantine": c(QuarantineRow).id > 0,
        "notifications": c(NotificationRow).id > 0,
        "alerts": c(AlertRow).id > 0,
        "events": c(EventRow).id > 0,
        "replies": c(ReplyRow).text != "",
    }
    with database.read() as session:
        return {
            name: session.execute(select(func.count()).select_from(condition.left.table).where(condition)).scalar_one()
            for name, condition in wanted.items()
        }


# --- a year -------------------------------------------------------------------------------------------------------------


def test_over_a_year_and_more_nothing_is_kept_longer_than_it_may_be(store_database: Database) -> None:
    """Every sixteenth day somebody writes and is answered; the daemon purges every day. No row ever shows words that are too
    old, nothing younger is touched, and the report of the first weeks stays the same to the last digit."""
    clock = SteppedClock(ASKED)
    network = FakeConnector(clock)
    desk = desk_for(store_database, clock, network, poll_every=timedelta(days=1))
    limits = desk.retention = Limits(texts=timedelta(days=100), vectors=timedelta(days=60), audit=timedelta(days=200))
    first_report: Any = None
    for day in range(0, 400, 16):
        now = ASKED + day * DAY
        clock.advance_to(now)
        raw = {"text": f"surowe {day}"}
        network.publishes(
            post(
                f"Pytanie z dnia {day}",
                when=now,
                by=replace(ANNA, native_id=f"anna-{day}"),
                native_id=f"q{day}",
                raw=raw,
            )
        )
        run_stepped(desk, clock, until=now + timedelta(hours=3))
        case_id = max(row.id for row in rows(store_database, EscalationRow))
        people.close(store_database, case_id, user=MAREK, now=clock.now(), reason=f"odpowiedź telefoniczna {day}")
        with store_database.write() as session:
            session.execute(update(t(AssessmentRow)).where(c(AssessmentRow).vector.is_(None)).values(vector=b"v"))
            row = session.get(EscalationRow, case_id)
            assert row is not None
            who = users.user_id(session, HANNA, now=now)
            notes.add(session, row.conversation_id, user_id=who, text=f"notatka {day}", now=now)
        purge(desk, clock.now())
        _nothing_is_too_old(store_database, limits, clock.now())
        if day == 32:
            first_report = report(store_database, now=clock.now())
    day_32 = ASKED + 32 * DAY + timedelta(hours=3)

    assert numbers(report(store_database, now=day_32)) == numbers(first_report)
    with store_database.read() as session:
        assert session.execute(select(func.count()).select_from(t(PostRow)).where(~c(PostRow).ours)).scalar() == 25
    told = [row.detail for row in rows(store_database, EventRow) if row.verb == "purged"]
    assert told
    assert told[-1]["raw answers"] == 2  # a question, and our own acknowledgement of it


def _nothing_is_too_old(database: Database, limits: Limits, now: datetime) -> None:
    a_day = timedelta(days=16)  # they write, and a purge follows, so seldom
    for row in rows(database, PostRow):
        age = now - row.received_at
        assert (row.text == "") is (age > limits.texts), (row.id, age)
        assert (row.raw is None) is (age > limits.raw_answers), (row.id, age)
    for judgement in rows(database, AssessmentRow):
        assert (judgement.vector is None) is (now - judgement.made_at > limits.vectors)
    for reply in rows(database, ReplyRow):
        asked = row_of(database, PostRow, reply.post_id)
        assert (reply.text == "") is (now - asked["received_at"] > limits.texts)
    assert all(now - row.made_at <= limits.texts for row in rows(database, NoteRow))
    assert all(now - row.at <= limits.audit + a_day for row in rows(database, EventRow))
    for ended in rows(database, EscalationRow):
        old = now - (ended.closed_at or now) > limits.texts
        assert (ended.close_reason == retention.ERASED) is old
    kept = {row.author_id for row in rows(database, PostRow) if row.text}
    assert all((row.display_name is None) is (row.id not in kept) for row in rows(database, AuthorRow))


# --- the numbers stay ---------------------------------------------------------------------------------------------------


def test_a_report_is_the_same_before_and_after(store_database: Database) -> None:
    canaries = [Canary(number) for number in range(5)]
    desk, clock, _ = living_desk(store_database, canaries)
    for case_id in [row.id for row in rows(store_database, EscalationRow)]:
        if row_of(store_database, EscalationRow, case_id)["state"] in ("open", "taken"):
            people.take(store_database, case_id, user=MAREK, now=clock.now(), calendar=OFFICE, over=True)
            people.close(store_database, case_id, user=MAREK, now=clock.now(), reason="załatwione")
    with store_database.write() as session:
        session.execute(update(t(AlertRow)).values(state="over"))
        session.execute(update(t(NotificationRow)).values(state="sent"))
    later = clock.now() + 1200 * DAY
    before, was = report(store_database, now=clock.now()), left(store_database)
    assert all(was.values()), was

    with store_database.read() as session:
        counted = retention.count(session, desk.retention, now=later)
    assert counted["raw answers"] == was["raw"]
    assert counted["texts"] >= was["texts"]
    purge(desk, later)

    assert numbers(report(store_database, now=clock.now())) == numbers(before)
    assert left(store_database) == {**dict.fromkeys(was, 0), "events": 1}  # the last tells of the purge
    with store_database.read() as session:
        assert not any(retention.count(session, desk.retention, now=later).values())


# --- never purged -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["open", "taken", "formal and closed"])
def test_open_cases_and_formal_complaints_are_never_purged(store_database: Database, how: str) -> None:
    shop = profile(store_database)
    desk = _desk(store_database)
    row_id = remembered(store_database, shop, post("Reklamacja.", when=ASKED, raw={"a": 1}))
    formal = timedelta(days=14) if how.startswith("formal") else None
    case_id = case(store_database, row_id, formal_deadline=formal)
    if how == "taken":
        people.take(store_database, case_id, user=MAREK, now=ASKED, calendar=OFFICE)
    elif how != "open":
        people.close(store_database, case_id, user=MAREK, now=ASKED, reason="uznano, zwrot w kasie")
    with store_database.write() as session:
        who = users.user_id(session, MAREK, now=ASKED)
        notes.add(session, 1, user_id=who, text="ważne", now=ASKED)
    other = remembered(store_database, shop, post("Dzień dobry.", when=ASKED, by=PIOTR))
    judged(store_database, other)
    before = row_of(store_database, PostRow, row_id), row_of(store_database, EscalationRow, case_id)
    about_case = [row.id for row in rows(store_database, EventRow) if row.subject_kind == "case"]

    purge(desk, ASKED + 3000 * DAY)

    assert (row_of(store_database, PostRow, row_id), row_of(store_database, EscalationRow, case_id)) == before
    assert [row.text for row in rows(store_database, NoteRow)] == ["ważne"]
    assert [row.id for row in rows(store_database, EventRow) if row.subject_kind == "case"] == about_case
    assert row_of(store_database, PostRow, other)["text"] == ""  # the rest is


def test_what_may_still_be_sent_keeps_its_words(store_database: Database) -> None:
    shop = profile(store_database)
    row_id = remembered(store_database, shop, post("Halo?", when=ASKED))
    judged(store_database, row_id)
    reply_id = planned(store_database, row_id)

    purge(_desk(store_database), ASKED + 3000 * DAY)

    assert row_of(store_database, PostRow, row_id)["text"] == "Halo?"
    assert row_of(store_database, ReplyRow, reply_id)["text"]


def test_a_case_that_comes_back_between_the_look_and_the_purge_is_left_alone(store_database: Database) -> None:
    shop = profile(store_database)
    row_id = remembered(store_database, shop, post("Halo?", when=ASKED))
    judged(store_database, row_id)
    step = next(step for step in STEPS if step.name == "texts")
    later = ASKED + 3000 * DAY
    with store_database.read() as session:
        ids, _ = retention.look(session, step, Limits(), after=0, now=later)
    assert ids == [row_id]
    case(store_database, row_id)

    with store_database.write() as session:
        assert retention.purge(session, step, Limits(), ids, now=later) == 0
    assert row_of(store_database, PostRow, row_id)["text"] == "Halo?"


# --- what is gone stays gone --------------------------------------------------------------------------------------------


def test_what_was_purged_does_not_look_edited_when_it_is_seen_again(store_database: Database) -> None:
    shop = profile(store_database)
    asked = post("Gdzie paczka?", when=ASKED)
    row_id = remembered(store_database, shop, asked)
    judged(store_database, row_id)
    purge(_desk(store_database), ASKED + 400 * DAY)
    erased = row_of(store_database, PostRow, row_id)

    with store_database.write() as session:
        seen = posts.remember(
            session, shop, [asked, replace(asked, text="Inaczej", revision="2")], now=ASKED + 401 * DAY
        )

    assert (seen.new, seen.edited) == (0, 0)
    assert row_of(store_database, PostRow, row_id) == erased
    assert (erased["text"], erased["state"]) == ("", "judged")


# --- by the daemon, in small steps --------------------------------------------------------------------------------------


def _desk(database: Database) -> Desk:
    return desk_for(database, SteppedClock(ASKED), FakeConnector())


def _many(database: Database, count: int) -> None:
    shop = profile(database)
    remembered(
        database, shop, *(post(f"Pytanie {n}", when=ASKED, native_id=f"q{n}", raw={"n": n}) for n in range(count))
    )
    with database.write() as session:
        session.execute(update(t(PostRow)).values(state="judged", outcome="ignored"))


def test_it_writes_little_at_a_time_and_goes_on_where_it_was(
    store_database: Database, new_store_database: Callable[[], Database]
) -> None:
    _many(store_database, 2 * retention.BATCH + 7)
    desk, later = _desk(store_database), ASKED + 40 * DAY

    sizes = []
    for turn in range(4):
        # another process every time, as after a kill
        another = _desk(new_store_database()) if turn % 2 else desk
        before = left(store_database)["raw"]
        assert upkeep.purge_some(another, later) == 1
        sizes.append(before - left(store_database)["raw"])

    assert sizes[:3] == [retention.BATCH, retention.BATCH, 7]
    purge(desk, later)
    (told,) = [row.detail for row in rows(store_database, EventRow) if row.verb == "purged"]
    assert told == {"raw answers": 2 * retention.BATCH + 7}
    assert upkeep.purge_some(desk, later + DAY / 2) == 0  # once a day
    assert upkeep.purge_some(desk, later + DAY) == 1


def test_of_two_daemons_one_does_a_step(new_store_database: Callable[[], Database]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    first, second = new_store_database(), new_store_database()
    _many(first, 3 * retention.BATCH)
    later = ASKED + 40 * DAY

    def work(database: Database) -> int:
        desk = _desk(database)
        return sum(upkeep.purge_some(desk, later) for _ in range(30))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, (first, second)))
    purge(_desk(first), later)

    (told,) = [row.detail for row in rows(first, EventRow) if row.verb == "purged"]
    assert told == {"raw answers": 3 * retention.BATCH}  # no step counted twice


def test_a_step_that_another_daemon_took_over_is_rolled_back(store_database: Database, caplog: Any) -> None:
    from social.store import chores

    caplog.set_level(logging.INFO)
    _many(store_database, 5)
    later = ASKED + 40 * DAY
    now = clocks.machine_now()
    mine = chores.claim(
        store_database, chores.PURGE, now=later, first_at=later, machine=now, lease=timedelta(seconds=30)
    )
    assert mine is not None
    taken = chores.claim(
        store_database, chores.PURGE, now=later, first_at=later, machine=now, lease=timedelta(seconds=30)
    )
    assert taken is None
    with store_database.write() as session:
        session.execute(update(t(ChoreRow)).values(token="somebody-else"))

    upkeep._purge_step(store_database, Limits(), mine, later)

    assert left(store_database)["raw"] == 5
    assert "another daemon took the purge over" in caplog.text


def test_daemons_that_are_long_gone_are_swept_away(store_database: Database) -> None:
    now = clocks.machine_now()
    with store_database.write() as session:
        for name, age in (("gone:1", 2 * DAY), ("here:2", timedelta(seconds=5))):
            session.add(DaemonRow(name=name, parts="poll", started_at=now - age, beat_at=now - age))

    purge(_desk(store_database), ASKED)

    with store_database.read() as session:
        assert list(session.execute(select(c(DaemonRow).name)).scalars()) == ["here:2"]


# --- settings -----------------------------------------------------------------------------------------------------------


def configured(lines: str) -> Any:
    text = shipped_config().replace("[retention]\n", f"[retention]\n{lines}\n")
    return parse_settings(text, source=None, home=Path()).retention


def test_the_settings_are_the_classes_of_the_purge() -> None:
    from social.settings import RetentionSettings

    names = set(RetentionSettings.model_fields)

    assert names == set(Limits.__dataclass_fields__) == {step.limit for step in STEPS}
    defaults = RetentionSettings()
    assert {name: getattr(defaults, name) for name in names} == {name: getattr(Limits(), name) for name in names}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('texts = "3d"', r"retention\.texts.*between 7d"),
        ('audit = "9999d"', r"retention\.audit.*3660d"),
        ('texts = "60d"\nvectors = "61d"', r"retention\.vectors.*would outlive texts"),
        ('raw = "30d"', r"raw"),
    ],
)
def test_what_makes_no_sense_is_refused(lines: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        configured(lines)


def test_shorter_texts_alone_are_enough() -> None:
    assert configured('texts = "14d"').texts == timedelta(days=14)
