"""Before the shop opens, its people read the truth: who waits, what the robot said, and what does not work."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from social.clock import SteppedClock
from social.domain.assessment import Urgency
from social.domain.errors import Unreachable
from social.domain.hours import BusinessCalendar, parse_weekly
from social.domain.post import Author, ProfileMode
from social.domain.reply import ReplyKind, ReplyState
from social.domain.rota import Rota, Shift
from social.engine import alerts, digest, people
from social.engine.desk import Desk
from social.engine.schedule import run_stepped
from social.store import control, outbox, profiles, queue
from social.store.rows import c
from social.store.session import Database
from social.store.tables import NotificationRow, ReplyRow
from tests.cast import ANNA, BRAND, HANNA, MAREK, OFFICE, PIOTR, PROFILE, WARSAW, at
from tests.engine.looking import rows
from tests.engine.on_call import FakeNotifier, on_call, with_digest
from tests.factories import case, desk_for, planned, post, profile, remembered
from tests.fakes import FakeConnector

FRIDAY_CLOSING = at("2026-11-20 17:00")
MORNING = at("2026-11-23 08:45")
OPENING = at("2026-11-23 09:00")


@pytest.fixture
def start() -> str:
    return "2026-11-23 08:30"


@pytest.fixture
def clock(start: str) -> SteppedClock:
    return SteppedClock(at(start))


@pytest.fixture
def mail(clock: SteppedClock) -> FakeNotifier:
    return FakeNotifier(clock)


def opened(database: Database, clock: SteppedClock, mail: FakeNotifier, **how: object) -> Desk:
    desk = desk_for(database, clock, FakeConnector(clock), poll_every=timedelta(days=1), **how)  # type: ignore[arg-type]
    desk.on_call = on_call(mail)
    with_digest(desk)
    return desk


@pytest.fixture
def desk(database: Database, clock: SteppedClock, mail: FakeNotifier) -> Desk:
    return opened(database, clock, mail)


def waiting_case(desk: Desk, when: datetime, urgency: Urgency = Urgency.NORMAL, by: Author = ANNA) -> int:
    shop = profile(desk.database, PROFILE, mode=next(iter(desk.profiles.values())).mode)
    return case(desk.database, remembered(desk.database, shop, post(when=when, by=by)), urgency=urgency)


def said(
    desk: Desk, case_of: Author, kind: ReplyKind, *, sent_at: datetime, state: ReplyState = ReplyState.SENT
) -> int:
    shop = profile(desk.database, PROFILE, mode=next(iter(desk.profiles.values())).mode)
    row_id = remembered(desk.database, shop, post(when=sent_at - timedelta(minutes=5), by=case_of))
    reply_id = planned(desk.database, row_id, kind=kind, due_at=sent_at)
    with desk.database.write() as session:
        session.execute(update(ReplyRow).where(c(ReplyRow).id == reply_id).values(state=state.value, sent_at=sent_at))
    return reply_id


def the_digest(desk: Desk, clock: SteppedClock, mail: FakeNotifier, person: str = HANNA) -> str:
    """In English, unless Marek reads it."""
    run_stepped(desk, clock, until=OPENING)
    (body,) = [item.message.body for item in mail.arrived if item.message.name == person]
    return body


# --- when, and to whom --------------------------------------------------------------------------------------------------


def test_it_comes_a_quarter_of_an_hour_before_opening_to_everybody_and_once(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier
) -> None:
    run_stepped(desk, clock, until=at("2026-11-23 10:00"))

    assert mail.told == [(MAREK, MORNING), (HANNA, MORNING)]
    assert mail.subjects == [
        "Fikcja, pon. 23 listopada: spraw w kolejce 0",
        "Fikcja, Mon 23 November: 0 in the queue",
    ]
    assert {(row.kind, row.state, row.body) for row in rows(desk.database, NotificationRow)} == {("digest", "sent", "")}


@pytest.mark.parametrize("start", ["2026-11-20 08:30"])
def test_it_comes_on_every_working_day_and_on_no_other(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    run_stepped(desk, clock, until=at("2026-11-24 12:00"))

    assert [moment for name, moment in mail.told if name == MAREK] == [
        at("2026-11-20 08:45"),
        MORNING,
        at("2026-11-24 08:45"),
    ]


@pytest.mark.parametrize("start", ["2026-11-23 08:55"])
def test_a_desk_that_starts_late_still_sends_it_and_one_that_starts_after_opening_does_not(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier
) -> None:
    run_stepped(desk, clock, until=at("2026-11-23 08:56"))
    assert mail.told == [(MAREK, at("2026-11-23 08:55")), (HANNA, at("2026-11-23 08:55"))]

    assert digest.plan_due(desk, at("2026-11-24 09:00")) == 0


def test_a_lunch_break_is_no_morning(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    lunch = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon-fri": ["09:00-12:00", "13:00-17:00"]}))
    assert desk.on_call is not None
    desk.on_call = replace(desk.on_call, calendars={BRAND: lunch})

    run_stepped(desk, clock, until=at("2026-11-23 14:00"))

    assert [name for name, _ in mail.told] == [MAREK, HANNA]


def test_it_comes_to_nobody_where_it_is_switched_off(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    with_digest(desk, timedelta(0))

    run_stepped(desk, clock, until=at("2026-11-23 10:00"))

    assert mail.arrived == []


def test_it_comes_to_the_people_of_the_brands_own_rota(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    rota = Rota(
        people=(MAREK, HANNA), shifts=(Shift(people=(HANNA,), brand=BRAND), Shift(people=(MAREK,), brand="Other"))
    )
    desk.on_call = on_call(mail, rota=rota)
    with_digest(desk)

    run_stepped(desk, clock, until=OPENING)

    assert [name for name, _ in mail.told] == [HANNA]


def test_a_desk_that_is_killed_after_writing_it_down_sends_it_once(
    database: Database, clock: SteppedClock, mail: FakeNotifier
) -> None:
    clock.advance_to(MORNING)
    for _ in range(2):
        digest.plan_due(opened(database, clock, mail), MORNING)

    run_stepped(opened(database, clock, mail), clock, until=OPENING)

    assert [name for name, _ in mail.told] == [MAREK, HANNA]


def test_a_mail_server_that_comes_back_at_night_brings_no_digest_of_the_morning(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier
) -> None:
    mail.fails(Unreachable("the mail server cannot be reached."), times=1000)

    run_stepped(desk, clock, until=at("2026-11-23 15:30"))

    assert {(row.state, row.body) for row in rows(desk.database, NotificationRow)} == {("failed", "")}


# --- the truth ----------------------------------------------------------------------------------------------------------


def test_it_tells_of_the_same_cases_as_the_queue(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    oldest = waiting_case(desk, at("2026-11-20 16:30"))
    urgent = waiting_case(desk, at("2026-11-22 02:00"), Urgency.CRITICAL, by=PIOTR)
    done = waiting_case(desk, at("2026-11-21 10:00"), Urgency.HIGH, by=Author(native_id="c3", handle="ewa"))
    people.close(desk.database, done, user=MAREK, now=at("2026-11-22 10:00"), reason="phoned")
    people.take(desk.database, urgent, user=MAREK, now=at("2026-11-22 10:00"), calendar=OFFICE)

    body = the_digest(desk, clock, mail)

    with desk.database.read() as session:
        listed = queue.in_order(session, now=MORNING, calendars={BRAND: OFFICE})
    counts = Counter(item.urgency for item in listed)
    assert (
        f"In the queue: {len(listed)} (urgency critical: {counts[Urgency.CRITICAL]}, high: 0, normal: 1, low: 0)."
        in body
    )
    lines = [line for line in body.splitlines() if line.startswith("- ")]
    assert lines[0].startswith(
        f"- case {oldest}, urgency normal, @\u2060anna.n on {PROFILE}: 2 d 16 h, since Fri 20 November"
    )
    assert lines[1].endswith("taken by marek") and f"case {urgent}" in lines[1]
    assert len(lines) == 2


def test_it_names_the_five_that_wait_longest(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    for number in range(7):
        waiting_case(desk, at("2026-11-21 10:00") + timedelta(hours=number), by=Author(native_id=f"c{number}"))

    body = the_digest(desk, clock, mail)

    named = [line.split(",")[0] for line in body.splitlines() if line.startswith("- ")]
    assert named == [f"- case {number}" for number in range(1, 6)]
    assert "In the queue: 7" in body


def test_a_customer_without_a_name_is_told_by_the_case_alone(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier
) -> None:
    waiting_case(desk, at("2026-11-21 10:00"), by=Author(native_id="nameless"))

    assert f"- sprawa 1, pilność zwykła, {PROFILE}: 1 d. 22 godz." in the_digest(desk, clock, mail, MAREK)


def test_it_counts_what_the_robot_sent_since_closing_and_nothing_else(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier
) -> None:
    said(desk, ANNA, ReplyKind.ACKNOWLEDGEMENT, sent_at=FRIDAY_CLOSING - timedelta(minutes=1))
    said(desk, ANNA, ReplyKind.CLOSED_NOTICE, sent_at=FRIDAY_CLOSING + timedelta(minutes=20))
    said(desk, PIOTR, ReplyKind.CLOSED_NOTICE, sent_at=at("2026-11-22 11:00"))
    said(desk, PIOTR, ReplyKind.HAND_OVER, sent_at=at("2026-11-22 12:00"))
    said(desk, ANNA, ReplyKind.HAND_OVER, sent_at=at("2026-11-22 12:00"), state=ReplyState.CANCELLED)

    body = the_digest(desk, clock, mail)

    assert (
        "Since closing (Fri 20 November, 17:00) the robot sent: notices that you are closed 2, hand-overs to a person 1."
        in body
    )


def test_it_counts_the_customers_who_got_nothing_because_of_dry_run(
    database: Database, clock: SteppedClock, mail: FakeNotifier
) -> None:
    desk = opened(database, SteppedClock(at("2026-11-19 08:00")), mail, mode=ProfileMode.DRY_RUN)
    desk.clock = clock
    for when in ("2026-11-20 10:40", "2026-11-21 10:40"):
        said(desk, ANNA, ReplyKind.ACKNOWLEDGEMENT, sent_at=at(when), state=ReplyState.WOULD_HAVE_SENT)
    said(desk, PIOTR, ReplyKind.CLOSED_NOTICE, sent_at=at("2026-11-21 11:00"), state=ReplyState.WOULD_HAVE_SENT)

    body = the_digest(desk, clock, mail)

    assert f"DRY-RUN: {PROFILE} since Thu 19 November, 8:00 (4 d). Customers without an automatic answer: 2." in body
    assert "the robot sent nothing" in body


def test_it_tells_what_is_broken_unsettled_paused_and_ending(desk: Desk, clock: SteppedClock) -> None:
    (live,) = desk.profiles.values()
    reply_id = said(desk, ANNA, ReplyKind.ANSWER, sent_at=at("2026-11-20 12:00"), state=ReplyState.UNKNOWN)
    with desk.database.write() as session:
        profiles.access_ends(session, live.id, at("2026-11-30 10:00"))
        control.pause(session, by=HANNA, now=at("2026-11-22 20:00"))
        profiles.record_error(session, live.id, "the token is no longer valid.", now=clock.now())
        alerts.raise_once(
            session, kind="connector", subject=live.name, message="down", now=at("2026-11-21 10:00"), profile_id=live.id
        )

    with desk.database.read() as session:
        assert desk.on_call is not None
        news = digest.news_of(session, desk.on_call, BRAND, OPENING, now=MORNING)

    assert news is not None
    assert news.unknown == [reply_id]
    assert news.paused == (at("2026-11-22 20:00"), HANNA)
    assert news.tokens == [(live.name, at("2026-11-30 10:00"))]
    assert news.broken == [(live.name, "the token is no longer valid.")]


def test_it_tells_nothing_of_another_brand(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    other = profile(desk.database, "other-net", brand="Other", mode=ProfileMode.DRY_RUN)
    case(desk.database, remembered(desk.database, other, post(when=at("2026-11-21 10:00"))))
    lost = remembered(desk.database, other, post(when=at("2026-11-21 11:00"), by=PIOTR))
    reply_id = planned(desk.database, lost)
    with desk.database.write() as session:
        outbox.change_state(session, reply_id, ReplyState.PLANNED, ReplyState.SENDING)
        outbox.change_state(session, reply_id, ReplyState.SENDING, ReplyState.UNKNOWN)

    body = the_digest(desk, clock, mail)

    assert "Nothing waits in the queue." in body
    assert "other-net" not in body and "Nobody can tell" not in body
