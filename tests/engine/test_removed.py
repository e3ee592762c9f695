"""A profile leaves the configuration: nothing that it still had to say is stranded, and none of it goes out later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from social.clock import SteppedClock, machine_now
from social.domain.errors import Conflict
from social.domain.post import PostRef
from social.domain.reply import Receipt, ReplyKind, SentBy
from social.engine import build, line, people, removed, watch
from social.engine.claims import LONGEST_LEASE
from social.engine.desk import Desk
from social.settings import Settings, parse_settings
from social.store import erasure, profiles
from social.store.mapping import Profile
from social.store.rows import c
from social.store.session import Database
from social.store.tables import EscalationRow, EventRow, PostRow, ProfileRow, ReplyRow
from tests.cast import ANNA, MAREK, PIOTR, PROFILE, at
from tests.engine.looking import rows
from tests.factories import case, desk_for, planned, post, profile, remembered, row_of
from tests.fakes import FakeClassifier, FakeConnector
from tests.store.test_plans import reads_too_much, written_down
from tests.story.telling import NETWORK_RULES, alerts, case_of, cases, leases_run_out, replies

ASKED, NOW = at("2026-11-20 10:00"), at("2026-11-20 10:10")
LATER = at("2027-03-01 10:00")

#: All that is left of the configuration; the profile of these tests was there before.
ANOTHER = """
[triage]
backend = "rules"

[[brands]]
name = "Fikcja"
languages = ["pl"]
timezone = "Europe/Warsaw"
[brands.hours]
mon-fri = ["09:00-17:00"]

[[profiles]]
name = "another"
brand = "Fikcja"
connector = "facebook"
credential = "nobody-has-it"

[connectors.facebook]
base_url = "http://127.0.0.1:9/facebook"
"""


class Asked:
    """Anna asked, and Marek's answer lies in the outbox when the profile is taken out of the configuration."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.shop: Profile = profile(database)
        self.post_id = remembered(database, self.shop, post(when=ASKED))
        self.case_id = case(database, self.post_id)
        self.reply_id = people.answer(
            database, NETWORK_RULES, self.case_id, "Już jedzie.", user=MAREK, now=NOW
        ).reply_id

    def on_the_wire(self, *, leased_until: datetime | None) -> None:
        sending(self.database, self.reply_id, leased_until=leased_until)

    def removed(self) -> None:
        with self.database.write() as session:
            profiles.synchronise(session, [], now=NOW)

    def ended(self) -> int:
        return removed.end_replies(self.database, NOW)

    @property
    def state(self) -> str:
        return str(row_of(self.database, ReplyRow, self.reply_id)["state"])

    @property
    def note(self) -> str:
        return case_of(self.database).note or ""


def sending(database: Database, reply_id: int, *, leased_until: datetime | None) -> None:
    """The intent is committed; then whoever sent it was killed, or still waits for the network."""
    with database.write() as session:
        session.execute(
            update(ReplyRow)
            .where(c(ReplyRow).id == reply_id)
            .values(state="sending", token="somebody's", intended_at=NOW, due_at=NOW, leased_until=leased_until)
        )


def a_minute_ago() -> datetime:
    return machine_now() - timedelta(minutes=1)


def in_a_minute() -> datetime:
    return machine_now() + timedelta(minutes=1)


@pytest.fixture
def asked(store_database: Database) -> Asked:
    return Asked(store_database)


# --- what is planned --------------------------------------------------------------------------------------------------


def test_a_planned_answer_is_cancelled_and_its_writer_reads_why(asked: Asked) -> None:
    asked.removed()
    assert asked.ended() == 1
    assert asked.state == "cancelled"
    assert asked.note == "answer: not sent, its profile was removed from the configuration"
    assert row_of(asked.database, ReplyRow, asked.reply_id)["reason"] in asked.note
    (said,) = [row for row in rows(asked.database, EventRow) if row.verb == "cancelled"]
    assert (said.subject_kind, said.subject_id) == ("reply", asked.reply_id)
    assert asked.ended() == 0

    people.close(asked.database, asked.case_id, user=MAREK, now=NOW, reason="answered there")
    assert case_of(asked.database).state == "closed"


def test_nothing_goes_out_months_later_when_the_profile_comes_back(database: Database) -> None:
    asked, clock = Asked(database), SteppedClock(LATER)
    planned(database, remembered(database, asked.shop, post(when=ASKED, by=PIOTR)), not_after=LATER)
    asked.removed()
    assert asked.ended() == 2

    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    while line.send_out(desk, LATER):
        pass
    assert network.public_replies == []
    assert {row.state for row in replies(database)} == {"cancelled"}


def test_a_person_whose_case_ended_meanwhile_gets_it_back_and_the_robots_text_opens_none(database: Database) -> None:
    asked = Asked(database)
    planned(database, remembered(database, asked.shop, post(when=ASKED, by=PIOTR)))
    with database.write() as session:
        session.execute(update(EscalationRow).values(state="answered", answered_at=NOW))
    asked.removed()
    assert asked.ended() == 2
    (again,) = cases(database)
    assert (again.state, again.rule, again.urgency) == ("open", "reply-refused", "high")
    assert "removed from the configuration" in asked.note


# --- what may have been published -------------------------------------------------------------------------------------


def test_a_doubtful_answer_that_nobody_can_look_up_any_more_rings_and_can_be_settled(asked: Asked) -> None:
    asked.on_the_wire(leased_until=a_minute_ago())
    asked.removed()
    assert asked.ended() == 1
    assert asked.state == "unknown"
    assert asked.note.startswith("answer: its profile was removed from the configuration before anybody could tell")
    (alert,) = alerts(asked.database)
    assert (alert.kind, alert.subject, alert.escalation_id) == ("unknown", str(asked.reply_id), asked.case_id)
    assert f"on {PROFILE} appeared" in alert.message and f"queue settle {asked.reply_id} --sent" in alert.message
    assert (asked.ended(), len(alerts(asked.database))) == (0, 1)

    with pytest.raises(Conflict, match="queue settle"):
        people.close(asked.database, asked.case_id, user=MAREK, now=NOW, reason="over")
    people.settle(asked.database, asked.reply_id, sent=False, user=MAREK, now=NOW)
    people.close(asked.database, asked.case_id, user=MAREK, now=NOW, reason="answered there")
    with asked.database.write() as session:
        erasure.forget(session, erasure.find(session, "fake", ANNA.native_id), by=MAREK, reason="asked", now=NOW)


def test_a_doubtful_text_of_the_robot_opens_a_case_where_none_waits(database: Database) -> None:
    shop = profile(database)
    sending(database, planned(database, remembered(database, shop, post(when=ASKED))), leased_until=None)
    with database.write() as session:
        profiles.synchronise(session, [], now=NOW)
    assert removed.end_replies(database, NOW) == 1
    assert (case_of(database).rule, case_of(database).state) == ("reply-unknown", "open")
    assert [alert.escalation_id for alert in alerts(database)] == [case_of(database).id]


def test_whoever_is_still_sending_is_left_alone_until_the_lease_ends(asked: Asked) -> None:
    asked.on_the_wire(leased_until=in_a_minute())
    asked.removed()
    assert (asked.ended(), asked.state, alerts(asked.database)) == (0, "sending", [])
    leases_run_out(asked.database)
    assert (asked.ended(), asked.state) == (1, "unknown")


def test_a_lease_that_nobody_ever_took_ends_when_the_clock_was_set_back(asked: Asked) -> None:
    asked.on_the_wire(leased_until=machine_now() + LONGEST_LEASE + timedelta(minutes=1))
    asked.removed()
    assert (asked.ended(), asked.state) == (1, "unknown")


class Slow(FakeConnector):
    """Something happens before its answer to what was published comes back."""

    happens: Callable[[], object] = staticmethod(lambda: None)

    def reply(self, post: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
        receipt = super().reply(post, text, key=key, sent_by=sent_by)
        self.happens()
        return receipt


def test_a_network_that_answers_whoever_was_sending_is_believed_after_all(database: Database) -> None:
    clock = SteppedClock(NOW)
    network = Slow(clock)
    asked = Asked(database)
    desk = desk_for(database, clock, network)  # another machine, which still has the old configuration
    network.publishes(post(when=ASKED))
    seen = []

    def removed_meanwhile() -> None:
        leases_run_out(database)
        asked.removed()
        seen.append((asked.ended(), asked.state))

    network.happens = removed_meanwhile
    line.send_out(desk, NOW)
    assert seen == [(1, "unknown")]
    assert asked.state == "sent"
    assert case_of(database).state == "answered"


def test_two_texts_of_one_conversation_are_both_told_of_in_its_case(asked: Asked) -> None:
    robot = planned(asked.database, asked.post_id, kind=ReplyKind.ACKNOWLEDGEMENT, sent_by=SentBy.ROBOT)
    sending(asked.database, robot, leased_until=a_minute_ago())
    asked.removed()
    assert asked.ended() == 2
    assert "answer: not sent" in asked.note and "acknowledgement: its profile was removed" in asked.note


# --- whose, and when --------------------------------------------------------------------------------------------------


def test_it_touches_no_profile_that_is_there_or_that_this_process_has_open(asked: Asked) -> None:
    assert (asked.ended(), asked.state) == (0, "planned")
    asked.removed()
    assert removed.end_replies(asked.database, NOW, besides=[asked.shop.id]) == 0
    assert asked.state == "planned"
    assert (removed.end_replies(asked.database, NOW, besides=[asked.shop.id + 1]), asked.state) == (1, "cancelled")


def test_many_conversations_are_ended_some_at_a_time(database: Database) -> None:
    asked = Asked(database)
    many = removed.AT_ONCE + 1
    for number in range(many):
        planned(database, remembered(database, asked.shop, post(when=ASKED, native_id=f"p{number}")))
    asked.removed()
    assert asked.ended() == many + 1
    assert {row.state for row in replies(database)} == {"cancelled"}


def test_no_question_of_it_reads_all_that_a_profile_ever_said(database: Database) -> None:
    asked = Asked(database)
    asked.removed()
    with written_down(database) as statements:
        assert asked.ended() == 1
    assert any("profile_id + " in statement for statement in statements)
    assert [reads for given in statements.items() for reads in reads_too_much(database, *given)] == []


def test_what_was_not_judged_yet_is_shown_to_people(store_database: Database) -> None:
    shop = profile(store_database)
    unjudged = remembered(store_database, shop, post("Gdzie moja paczka?", when=ASKED))
    held = remembered(store_database, shop, post("A moja?", when=ASKED, by=PIOTR))
    history = remembered(store_database, shop, post("Dawno temu.", when=ASKED, native_id="old"), history=True)
    with store_database.write() as session:
        profiles.synchronise(session, [], now=NOW)
        row = session.get_one(PostRow, held)
        row.token, row.leased_until = "somebody's", in_a_minute()
        session.add(row)
    with written_down(store_database) as statements:
        assert removed.show_unjudged(store_database, NOW) == 1
    if store_database.dialect == "sqlite":
        assert [reads for given in statements.items() for reads in reads_too_much(store_database, *given)] == []

    states = {row: row_of(store_database, PostRow, row)["state"] for row in (unjudged, held, history)}
    assert (states[unjudged], states[held]) == ("failed", "new")
    (case_,) = cases(store_database)
    assert (case_.post_id, case_.state, case_.rule) == (unjudged, "open", "failed")
    assert removed.NOT_JUDGED in case_.reason

    leases_run_out(store_database)
    assert removed.show_unjudged(store_database, NOW) == 1
    assert removed.show_unjudged(store_database, NOW) == 0
    assert states[history] == row_of(store_database, PostRow, history)["state"]


def test_every_start_shows_what_nobody_judged(database: Database, tmp_path: Path) -> None:
    remembered(database, profile(database), post(when=ASKED))
    open_without_it(database, tmp_path)
    assert len(cases(database)) == 1


def open_without_it(database: Database, home: Path, *, only: list[str] | None = None) -> Desk:
    settings: Settings = parse_settings(ANOTHER, source=home / "config.toml", home=home, environment={})
    judge = FakeClassifier()
    return build.open_desk(settings, database, SteppedClock(NOW), judge=(judge, judge), only=only)


def test_every_start_ends_what_profiles_left_that_were_removed_now_or_earlier(
    database: Database, tmp_path: Path
) -> None:
    asked = Asked(database)
    asked.on_the_wire(leased_until=in_a_minute())
    other = planned(database, remembered(database, asked.shop, post(when=ASKED, by=PIOTR)))
    open_without_it(database, tmp_path)
    assert (row_of(database, ProfileRow, asked.shop.id)["state"], asked.state) == ("removed", "sending")
    assert row_of(database, ReplyRow, other)["state"] == "cancelled"

    leases_run_out(database)
    open_without_it(database, tmp_path)
    assert (asked.state, len(alerts(database))) == ("unknown", 1)


def test_a_running_daemon_ends_what_was_still_on_the_wire_when_it_started(database: Database, tmp_path: Path) -> None:
    asked = Asked(database)
    asked.on_the_wire(leased_until=in_a_minute())
    desk = open_without_it(database, tmp_path)
    watch.look_around(desk, NOW)
    assert asked.state == "sending"

    leases_run_out(database)
    watch.look_around(desk, NOW)
    assert asked.state == "unknown"


def test_a_command_beside_the_daemon_leaves_them_to_it(database: Database, tmp_path: Path) -> None:
    asked = Asked(database)
    open_without_it(database, tmp_path, only=["another"])
    assert asked.state == "planned"
