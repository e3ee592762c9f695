"""Somebody is told: in time, once, the next one if nobody comes, and nobody for what is taken care of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from social.clock import SteppedClock
from social.domain.assessment import Flag, Urgency
from social.domain.errors import CredentialsExpired, RefusalReason, Refused, Uncertain, Unreachable
from social.domain.post import ProfileMode
from social.domain.rota import Rota, Shift
from social.engine import alerts, people, ringing
from social.engine.desk import Desk
from social.engine.schedule import run_stepped
from social.notifiers.smtp import NONE, SmtpNotifier
from social.ports import Message
from social.store import incidents
from social.store.session import Database
from social.store.tables import AlertRow, EventRow, NotificationRow, ProfileRow
from tests.cast import BRAND, HANNA, MAREK, OFFICE, PIOTR, PROFILE, at
from tests.engine.looking import rows
from tests.engine.on_call import ADDRESS, QUIET, FakeNotifier, on_call
from tests.factories import case, desk_for, post, profile, remembered
from tests.fakes import FakeClassifier, FakeConnector, Killed
from tests.notifiers.servers import HOST, Drawer, Mailbox, mail_server
from tests.story.telling import cases, leases_run_out, posts, the_case

NIGHT = at("2026-11-21 02:00")  # a Saturday
FIFTEEN = timedelta(minutes=15)
DOWN = Unreachable("the mail server cannot be reached.", resource="mail:587")


@pytest.fixture
def start() -> str:
    """When a story begins; a test that begins at another time says so in ``parametrize``."""
    return "2026-11-21 01:55"


@pytest.fixture
def clock(start: str) -> SteppedClock:
    return SteppedClock(at(start))


@pytest.fixture
def mail(clock: SteppedClock) -> FakeNotifier:
    return FakeNotifier(clock)


@pytest.fixture
def network(clock: SteppedClock) -> FakeConnector:
    return FakeConnector(clock)


def judge() -> FakeClassifier:
    return (
        FakeClassifier()
        .judges("duszności", urgency=Urgency.CRITICAL, flags={Flag.SAFETY})
        .judges("pilne", urgency=Urgency.HIGH)
    )


@pytest.fixture
def poll_every() -> timedelta:
    return timedelta(minutes=5)


@pytest.fixture
def desk(
    database: Database, clock: SteppedClock, network: FakeConnector, mail: FakeNotifier, poll_every: timedelta
) -> Desk:
    desk = desk_for(database, clock, network, classifier=judge(), poll_every=poll_every)
    desk.on_call = on_call(mail)
    return desk


def a_case(
    desk: Desk,
    urgency: Urgency = Urgency.CRITICAL,
    *,
    when: datetime,
    text: str = "Po kremie mam duszności!",
    **how: object,
) -> int:
    """In the queue, with its alert, as the judge leaves it."""
    (live,) = desk.profiles.values()
    shop = profile(desk.database, live.name, mode=live.mode)
    case_id = case(desk.database, remembered(desk.database, shop, post(text, when=when, **how)), urgency=urgency)  # type: ignore[arg-type]
    alerted(desk, case_id, urgency, when=when)
    return case_id


def alerted(desk: Desk, case_id: int, urgency: Urgency, *, when: datetime) -> None:
    (live,) = desk.profiles.values()
    with desk.database.write() as session:
        alerts.raise_once(
            session,
            kind="case",
            subject=f"{case_id}:{urgency.value}",
            message=f"case {case_id} is {urgency.value}",
            now=when,
            profile_id=live.id,
            brand_id=live.brand_id,
            escalation_id=case_id,
        )


def states(desk: Desk) -> list[str]:
    return [row.state for row in rows(desk.database, AlertRow)]


def run(desk: Desk, clock: SteppedClock, until: datetime) -> None:
    run_stepped(desk, clock, until=until)


# --- in time ------------------------------------------------------------------------------------------------------------


def test_a_night_safety_post_is_told_within_a_minute_of_being_judged(
    desk: Desk, clock: SteppedClock, network: FakeConnector, mail: FakeNotifier
) -> None:
    network.publishes(post("Po kremie mam duszności!", when=NIGHT))

    run(desk, clock, at("2026-11-21 02:10"))

    (arrived,) = mail.arrived
    judged = next(row for row in rows(desk.database, EventRow) if row.verb == "opened").at
    assert arrived.message.name == MAREK
    assert timedelta(0) <= arrived.at - judged <= timedelta(seconds=60)


def test_what_is_told_holds_all_that_is_needed_to_act(
    desk: Desk, clock: SteppedClock, network: FakeConnector, mail: FakeNotifier
) -> None:
    network.publishes(post("Po kremie mam duszności!", when=NIGHT))
    run(desk, clock, at("2026-11-21 02:10"))

    (body,), (subject,) = mail.bodies, mail.subjects
    number = the_case(desk.database)
    assert subject == f"Pilność krytyczna: sprawa {number} na {PROFILE} czeka"
    assert "Po kremie mam duszności!" in body
    assert posts(desk.database)[0].permalink in body
    assert f"{ADDRESS}/case/{number}" in body
    assert f"social queue take {number} --as {MAREK}" in body
    assert "od: sob. 21 listopada, 2:00" in body


def test_a_real_mail_server_receives_it(database: Database, clock: SteppedClock, network: FakeConnector) -> None:
    box = Mailbox()
    network.publishes(post("Po kremie mam duszności!", when=NIGHT))
    desk = desk_for(database, clock, network, classifier=judge())
    with mail_server(box) as port:
        smtp = SmtpNotifier(host=HOST, port=port, security=NONE, sender="desk@example.com", credentials=Drawer())
        desk.on_call = on_call(smtp)
        run(desk, clock, at("2026-11-21 02:10"))

    (envelope,) = box.envelopes
    assert envelope.rcpt_tos == [f"{MAREK}@example.com"]
    assert {row.state for row in rows(database, NotificationRow)} == {"sent"}


def test_dry_run_rings_as_well(database: Database, clock: SteppedClock, network: FakeConnector) -> None:
    mail = FakeNotifier(clock)
    desk = desk_for(database, clock, network, classifier=judge(), mode=ProfileMode.DRY_RUN)
    desk.on_call = on_call(mail)
    network.publishes(post("Po kremie mam duszności!", when=NIGHT))

    run(desk, clock, at("2026-11-21 02:10"))

    assert [name for name, _ in mail.told] == [MAREK]
    assert network.public_replies == []


def test_it_works_on_both_databases(store_database: Database, clock: SteppedClock, network: FakeConnector) -> None:
    mail = FakeNotifier(clock)
    desk = desk_for(store_database, clock, network, classifier=judge())
    desk.on_call = on_call(mail)
    network.publishes(post("Po kremie mam duszności!", when=NIGHT))

    run(desk, clock, at("2026-11-21 02:40"))

    assert [name for name, _ in mail.told] == [MAREK, HANNA]
    assert states(desk) == ["over"]


def test_without_anybody_in_notify_an_alert_stays_raised(desk: Desk, clock: SteppedClock) -> None:
    desk.on_call = None
    a_case(desk, when=NIGHT)

    run(desk, clock, at("2026-11-21 02:40"))

    assert states(desk) == ["raised"]
    assert rows(desk.database, NotificationRow) == []


# --- one after the other ------------------------------------------------------------------------------------------------


def test_an_untaken_one_reaches_the_second_person_after_a_quarter_of_an_hour_and_then_it_is_over(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier
) -> None:
    a_case(desk, when=NIGHT)

    run(desk, clock, at("2026-11-21 02:50"))

    assert mail.told == [(MAREK, NIGHT), (HANNA, NIGHT + FIFTEEN)]
    assert mail.bodies[0].startswith("Na profilu") and "następna osoba" in mail.bodies[0]
    assert mail.bodies[1].startswith("A customer") and "next person" not in mail.bodies[1]
    assert states(desk) == ["over"]


def test_a_taken_one_reaches_nobody_else(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    case_id = a_case(desk, when=NIGHT)
    run(desk, clock, at("2026-11-21 02:14"))
    people.take(desk.database, case_id, user=MAREK, now=clock.now(), calendar=OFFICE)

    run(desk, clock, at("2026-11-21 02:50"))

    assert mail.told == [(MAREK, NIGHT)]
    assert states(desk) == ["over"]


@pytest.mark.parametrize("end", ["closed", "answered"])
def test_an_ended_one_reaches_nobody_else(
    desk: Desk, clock: SteppedClock, network: FakeConnector, mail: FakeNotifier, end: str
) -> None:
    asked = network.publishes(post("Po kremie mam duszności!", when=NIGHT))
    run(desk, clock, at("2026-11-21 02:06"))
    if end == "answered":
        network.answers_by_hand(asked, "Proszę dzwonić na 112.", when=at("2026-11-21 02:08"))
    else:
        people.close(desk.database, the_case(desk.database), user=MAREK, now=clock.now(), reason="phoned")

    run(desk, clock, at("2026-11-21 02:50"))

    assert [name for name, _ in mail.told] == [MAREK]
    assert [row.state for row in cases(desk.database)] == [end]


def test_the_case_tells_who_was_told(desk: Desk, clock: SteppedClock) -> None:
    a_case(desk, when=NIGHT)
    run(desk, clock, at("2026-11-21 02:40"))

    verbs = [row.verb for row in rows(desk.database, EventRow) if row.subject_kind == "case"]
    assert verbs[-2:] == [f"told {MAREK} (email)", f"told {HANNA} (email)"]


def test_two_daemons_tell_it_once(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier, new_database: Callable[[], Database]
) -> None:
    other = desk_for(new_database(), clock, FakeConnector(clock))
    other.on_call = on_call(mail)
    a_case(desk, when=NIGHT)
    clock.advance_to(NIGHT)

    for _ in range(3):
        ringing.ring(desk, NIGHT)
        ringing.ring(other, NIGHT)

    assert mail.told == [(MAREK, NIGHT)]


# --- who may sleep ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["2026-11-20 22:55"])
@pytest.mark.parametrize("poll_every", [timedelta(minutes=30)])
def test_high_at_eleven_waits_for_seven_and_critical_does_not(
    desk: Desk, clock: SteppedClock, network: FakeConnector, mail: FakeNotifier
) -> None:
    network.publishes(post("To pilne!", when=at("2026-11-20 23:20")))
    network.publishes(post("Mam duszności!", when=at("2026-11-20 23:50"), by=PIOTR))

    run(desk, clock, at("2026-11-21 07:30"))

    urgent, late = at("2026-11-20 23:55"), at("2026-11-21 07:00")
    assert mail.told == [(MAREK, urgent), (HANNA, urgent + FIFTEEN), (MAREK, late), (HANNA, late + FIFTEEN)]
    assert "wysoka" in mail.subjects[2]


@pytest.mark.parametrize("start", ["2026-11-21 01:55"])
@pytest.mark.parametrize("poll_every", [timedelta(hours=1)])
def test_high_rings_at_night_where_it_shall(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    desk.on_call = on_call(mail, rota=Rota(people=(MAREK,), quiet=QUIET, high_at_night=True))
    a_case(desk, Urgency.HIGH, when=NIGHT)

    run(desk, clock, at("2026-11-21 02:10"))

    assert mail.told == [(MAREK, NIGHT)]


# --- one cause, one alert -----------------------------------------------------------------------------------------------


def test_it_rings_once_for_an_incident(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    (live,) = desk.profiles.values()
    with desk.database.write() as session:
        outage = incidents.outage_of(session, brand_id=live.brand_id, now=NIGHT)
        for number in range(3):
            alerts.raise_once(
                session,
                kind="case",
                subject=f"{number}",
                message="the shop is down",
                now=NIGHT,
                urgency=Urgency.CRITICAL,
                profile_id=live.id,
                brand_id=live.brand_id,
                incident_id=outage.id,
            )

    run(desk, clock, at("2026-11-21 02:10"))

    assert mail.told == [(MAREK, NIGHT)]
    assert sorted(states(desk)) == ["over", "over", "told"]


@pytest.mark.parametrize("start", ["2026-11-20 22:55"])
@pytest.mark.parametrize("poll_every", [timedelta(minutes=30)])
def test_a_case_that_turns_critical_rings_anew_and_its_older_alert_is_over(
    desk: Desk, clock: SteppedClock, network: FakeConnector, mail: FakeNotifier
) -> None:
    first = network.publishes(post("To pilne!", when=at("2026-11-20 23:20")))
    network.publishes(post("Mam duszności!", when=at("2026-11-20 23:50"), thread_root=first.native_id))

    run(desk, clock, at("2026-11-21 07:30"))

    urgent = at("2026-11-20 23:55")
    assert mail.told == [(MAREK, urgent), (HANNA, urgent + FIFTEEN)]
    assert "Mam duszności!" in mail.bodies[0]  # the words that made it so urgent
    assert states(desk) == ["over", "over"]


@pytest.mark.parametrize("start", ["2026-11-21 01:55"])
@pytest.mark.parametrize("poll_every", [timedelta(minutes=10)])
def test_a_case_that_comes_back_rings_again(
    desk: Desk, clock: SteppedClock, network: FakeConnector, mail: FakeNotifier
) -> None:
    """SQLite gives the number of the deleted alert to the new one: the messages must not be taken for the old ones."""
    first = network.publishes(post("Mam duszności!", when=NIGHT))
    run(desk, clock, at("2026-11-21 02:06"))
    people.close(desk.database, the_case(desk.database), user=MAREK, now=clock.now(), reason="phoned")
    network.publishes(post("Nadal mam duszności!", when=at("2026-11-21 02:50"), thread_root=first.native_id))

    run(desk, clock, at("2026-11-21 03:00"))

    assert mail.told == [(MAREK, at("2026-11-21 02:05")), (MAREK, at("2026-11-21 02:55"))]


# --- a mail server that refuses, hangs or dies --------------------------------------------------------------------------


def test_a_mail_server_that_is_down_loses_nothing_and_gets_nothing_twice(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier
) -> None:
    mail.fails(DOWN, times=8)
    a_case(desk, when=NIGHT)

    run(desk, clock, at("2026-11-21 02:50"))

    assert sorted(name for name, _ in mail.told) == [HANNA, MAREK]
    assert len(mail.tried) == 10
    assert all(row.state == "sent" and row.error is None for row in rows(desk.database, NotificationRow))


def test_a_person_who_cannot_be_reached_does_not_hold_up_the_next_one(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier
) -> None:
    mail.fails(Refused("no such mailbox.", reason=RefusalReason.PERMISSION))
    a_case(desk, when=NIGHT)

    run(desk, clock, at("2026-11-21 02:05"))

    assert mail.told[0] == (HANNA, NIGHT)
    assert [name for name, _ in mail.told[1:]] == [MAREK]  # tried again, once it works


@pytest.mark.parametrize("start", ["2026-11-21 01:55"])
@pytest.mark.parametrize("poll_every", [timedelta(days=1)])
def test_it_tries_less_and_less_often_and_gives_up_after_a_day(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier, caplog: pytest.LogCaptureFixture
) -> None:
    desk.on_call = on_call(mail, rota=Rota(people=(MAREK,)))
    mail.fails(DOWN, times=500)
    a_case(desk, when=NIGHT)

    run(desk, clock, at("2026-11-22 09:00"))

    (row,) = rows(desk.database, NotificationRow)
    assert (row.state, row.subject, row.body) == ("failed", "", "")
    assert "GIVEN UP" in caplog.text
    gaps = [later - earlier for earlier, later in zip(mail.tried, mail.tried[1:], strict=False)]
    assert gaps[0] == ringing.SOONEST_RETRY and max(gaps) <= ringing.LATEST_RETRY
    assert len(mail.tried) < 120


@pytest.mark.parametrize("start", ["2026-11-20 21:45"])
@pytest.mark.parametrize("poll_every", [timedelta(hours=1)])
def test_a_mail_server_that_is_back_at_night_wakes_nobody_for_less_than_critical(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier
) -> None:
    mail.down_until = at("2026-11-20 22:30")
    a_case(desk, Urgency.HIGH, when=at("2026-11-20 21:50"), text="To pilne!")
    a_case(desk, Urgency.CRITICAL, when=at("2026-11-20 21:51"), by=PIOTR)

    run(desk, clock, at("2026-11-21 07:10"))

    late = [moment for name, moment in mail.told if name == MAREK]
    assert at("2026-11-20 22:30") <= late[0] <= at("2026-11-20 22:45")
    assert late[1:] == [at("2026-11-21 07:00")]


def test_what_is_taken_care_of_is_not_told_late(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    mail.fails(DOWN, times=12)
    case_id = a_case(desk, when=NIGHT)
    run(desk, clock, at("2026-11-21 02:03"))
    people.take(desk.database, case_id, user=HANNA, now=clock.now(), calendar=OFFICE)

    run(desk, clock, at("2026-11-21 02:50"))

    assert mail.arrived == []
    assert {(row.state, row.body) for row in rows(desk.database, NotificationRow)} == {("failed", "")}


def test_a_kill_between_the_mail_servers_yes_and_our_note_costs_one_more_mail_with_the_same_id(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier
) -> None:
    mail.fails(Killed(), after_effect=True)
    a_case(desk, when=NIGHT)
    with pytest.raises(Killed):
        run(desk, clock, at("2026-11-21 02:10"))
    leases_run_out(desk.database)

    run(desk, clock, at("2026-11-21 02:10"))

    first, second = mail.arrived
    assert first.message.key == second.message.key
    assert [row.state for row in rows(desk.database, NotificationRow)] == ["sent"]


def test_a_kill_before_the_mail_server_has_it_costs_nothing(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier
) -> None:
    mail.fails(Killed())
    a_case(desk, when=NIGHT)
    with pytest.raises(Killed):
        run(desk, clock, at("2026-11-21 02:10"))
    leases_run_out(desk.database)

    run(desk, clock, at("2026-11-21 02:10"))

    assert [name for name, _ in mail.told] == [MAREK]


def test_a_server_that_falls_silent_after_it_has_the_message_gets_it_once_more_and_no_third_time(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier
) -> None:
    desk.on_call = on_call(mail, rota=Rota(people=(MAREK,)))
    mail.fails(Uncertain("the mail server fell silent."), times=9, after_effect=True)
    a_case(desk, when=NIGHT)

    run(desk, clock, at("2026-11-21 02:50"))

    assert len(mail.arrived) == 2
    assert len({arrived.message.key for arrived in mail.arrived}) == 1
    assert [row.state for row in rows(desk.database, NotificationRow)] == ["failed"]


class Careless(FakeNotifier):
    """A channel with a mistake in it."""

    def send(self, message: Message) -> None:
        raise KeyError(message.body)


def test_a_channel_with_a_mistake_in_it_is_told_without_quoting_the_message(
    desk: Desk, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    desk.on_call = on_call(Careless(clock))
    a_case(desk, when=NIGHT)

    run(desk, clock, at("2026-11-21 02:05"))

    assert "the channel email broke: KeyError" in caplog.text
    assert "duszności" not in caplog.text
    assert {row.state for row in rows(desk.database, NotificationRow)} == {"planned"}


# --- what is kept -------------------------------------------------------------------------------------------------------


def test_words_are_erased_once_they_are_sent_and_kept_until_then(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier
) -> None:
    mail.fails(DOWN)
    a_case(desk, when=NIGHT)
    clock.advance_to(NIGHT)

    ringing.ring(desk, NIGHT)
    (waiting,) = rows(desk.database, NotificationRow)
    assert (waiting.state, "duszności" in waiting.body) == ("planned", True)

    run(desk, clock, at("2026-11-21 02:10"))
    kept = rows(desk.database, NotificationRow)
    assert {(row.state, row.subject, row.body) for row in kept} == {("sent", "", "")}


def test_no_excerpt_where_it_is_switched_off(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    desk.on_call = on_call(mail, excerpt=False)
    mail.fails(DOWN)
    a_case(desk, when=NIGHT)
    clock.advance_to(NIGHT)

    ringing.ring(desk, NIGHT)
    (planned,) = rows(desk.database, NotificationRow)
    run(desk, clock, at("2026-11-21 02:20"))

    assert planned.body
    assert "duszności" not in planned.subject + planned.body
    assert len(mail.bodies) == 2
    assert not any("duszności" in text for text in mail.bodies + mail.subjects)
    assert all("https://fake.invalid/p/" in body for body in mail.bodies)


def test_no_link_to_a_desk_that_has_no_address(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    desk.on_call = on_call(mail, address="")
    a_case(desk, when=NIGHT)

    run(desk, clock, at("2026-11-21 02:05"))

    assert "W Dyżurze" not in mail.bodies[0] and "/case/" not in mail.bodies[0]


def test_no_word_of_a_customer_reaches_the_log(
    desk: Desk, clock: SteppedClock, mail: FakeNotifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    mail.fails(DOWN)
    a_case(desk, when=NIGHT)

    run(desk, clock, at("2026-11-21 02:20"))

    assert "told" in caplog.text
    assert "duszności" not in caplog.text


# --- other causes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["2026-11-20 15:00"])
def test_an_unknown_reply_is_told_with_what_to_do(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    (live,) = desk.profiles.values()
    shop = profile(desk.database, live.name)
    case_id = case(desk.database, remembered(desk.database, shop, post(when=at("2026-11-20 15:00"))))
    with desk.database.write() as session:
        alerts.raise_once(
            session,
            kind="unknown",
            subject="7",
            message="nobody can tell",
            now=clock.now(),
            profile_id=live.id,
            brand_id=live.brand_id,
            escalation_id=case_id,
        )

    run(desk, clock, at("2026-11-20 15:05"))

    assert mail.told[0] == (MAREK, at("2026-11-20 15:00"))
    assert "social queue settle 7 --sent" in mail.bodies[0]


@pytest.mark.parametrize("start", ["2026-11-20 15:00"])
def test_what_has_no_case_is_told_too(
    desk: Desk, clock: SteppedClock, network: FakeConnector, mail: FakeNotifier
) -> None:
    network.fails("fetch", CredentialsExpired("the token is dead"), times=9)

    run(desk, clock, at("2026-11-20 15:20"))

    assert [name for name, _ in mail.told] == [MAREK, HANNA]
    assert mail.subjects[0] == f"Profil {PROFILE} nie jest czytany"
    assert "the token is dead" in mail.bodies[0]


@pytest.mark.parametrize("start", ["2026-11-20 15:00"])
def test_a_cause_that_is_gone_reaches_nobody_else(
    desk: Desk, clock: SteppedClock, network: FakeConnector, mail: FakeNotifier
) -> None:
    mail.fails(DOWN, times=3)
    network.fails("fetch", CredentialsExpired("the token is dead"))
    run(desk, clock, at("2026-11-20 15:00"))
    with desk.database.write() as session:  # a new token: it is read at once
        session.execute(update(ProfileRow).values(due_at=clock.now()))

    run(desk, clock, at("2026-11-20 15:40"))

    assert mail.arrived == []
    assert {(row.state, row.error) for row in rows(desk.database, NotificationRow)} == {("failed", "its cause is gone")}


@pytest.mark.parametrize("start", ["2026-11-20 15:00"])
def test_the_owners_warning_reaches_the_owner_and_nobody_else(
    desk: Desk, clock: SteppedClock, network: FakeConnector, mail: FakeNotifier
) -> None:
    network.publishes(post("Gdzie paczka?", when=at("2026-11-20 15:05")))
    run(desk, clock, at("2026-11-20 15:10"))
    people.take(desk.database, the_case(desk.database), user=HANNA, now=clock.now(), calendar=OFFICE)

    run(desk, clock, at("2026-11-20 16:30"))

    assert [name for name, _ in mail.told] == [HANNA]
    assert mail.told[0][1] - at("2026-11-20 15:55") <= timedelta(minutes=1)
    assert "is about to acknowledge" in mail.subjects[0]


def test_an_alert_of_another_brand_reaches_its_own_people(desk: Desk, clock: SteppedClock, mail: FakeNotifier) -> None:
    shifts = (Shift(people=(MAREK,), brand="Other"), Shift(people=(HANNA,), brand=BRAND))
    desk.on_call = on_call(mail, rota=Rota(people=(MAREK, HANNA), shifts=shifts))
    a_case(desk, when=NIGHT)

    run(desk, clock, at("2026-11-21 02:40"))

    assert [name for name, _ in mail.told] == [HANNA]
