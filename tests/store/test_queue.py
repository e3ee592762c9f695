"""What people see: the order in which to answer, and everything about one case."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from social.domain.assessment import Flag, Sentiment, Urgency
from social.domain.errors import NotFound
from social.domain.escalation import EscalationState
from social.domain.post import Gone, PostKind
from social.domain.reply import ReplyKind, ReplyState, SentBy
from social.store import escalations, outbox, posts, queue, users
from social.store.queue import CaseView, QueueItem
from social.store.session import Database
from social.store.tables import ReplyRow
from social.store.threads import Side
from tests.cast import ANNA, BRAND, MAREK, OFFICE, PIOTR, SHOP, at
from tests.factories import assessment, case, planned, post, profile, remembered

NOW = at("2026-11-20 12:00")  # a Friday
CALENDARS = {BRAND: OFFICE}


def waits(
    database: Database, since: str, urgency: Urgency = Urgency.NORMAL, *, text: str = "Gdzie paczka?", **more: object
) -> int:
    asked = remembered(database, profile(database), post(text, when=at(since), native_id=f"p{since}{urgency}"))
    return case(database, asked, urgency=urgency, **more)  # type: ignore[arg-type]


def listed(database: Database, *, now: datetime = NOW, **how: object) -> list[QueueItem]:
    with database.read() as session:
        return queue.lines(session, queue.in_order(session, now=now, calendars=CALENDARS, **how))  # type: ignore[arg-type]


def shown(database: Database, case_id: int, *, now: datetime = NOW) -> CaseView:
    with database.read() as session:
        return queue.case(session, case_id, now=now, calendars=CALENDARS)


def ids(items: Sequence[QueueItem]) -> list[int]:
    return [item.case_id for item in items]


# --- the order ----------------------------------------------------------------------------------------------------------


def test_it_shows_the_most_urgent_first(store_database: Database) -> None:
    normal = waits(store_database, "2026-11-20 11:30")
    high = waits(store_database, "2026-11-20 11:40", Urgency.HIGH)
    low = waits(store_database, "2026-11-20 11:20", Urgency.LOW)
    critical = waits(store_database, "2026-11-20 11:50", Urgency.CRITICAL)
    assert ids(listed(store_database)) == [critical, high, low, normal]


def test_it_shows_the_next_clock_to_break_before_the_longest_waiting(store_database: Database) -> None:
    broken = waits(store_database, "2026-11-20 09:00")
    soon = waits(store_database, "2026-11-20 11:05")
    later = waits(store_database, "2026-11-20 11:20")
    assert ids(listed(store_database)) == [broken, soon, later]
    # Thursday night: its hour on the wall is long over, its business hour ends at ten
    night = waits(store_database, "2026-11-19 23:00")
    early = listed(store_database, now=at("2026-11-20 09:30"))
    assert early[0].case_id == night
    assert early[0].clocks.business is not None
    assert early[0].clocks.business.due_at == at("2026-11-20 10:00")
    assert early[0].clocks.wall.breached(at("2026-11-20 09:30"))


def test_it_times_a_case_from_what_nobody_answered(store_database: Database) -> None:
    shop = profile(store_database)
    asked = post(when=at("2026-11-20 09:00"), native_id="a")
    later = post("A faktura?", when=at("2026-11-20 11:00"), native_id="b", thread_root="a")
    case_id = case(store_database, remembered(store_database, shop, asked))
    case(store_database, remembered(store_database, shop, later))
    assert listed(store_database)[0].waiting_since == at("2026-11-20 09:00")
    own = post(
        "Paczka jutro",
        when=at("2026-11-20 10:00"),
        by=SHOP,
        native_id="own",
        thread_root="a",
        in_reply_to="a",
        ours=True,
        kind=PostKind.OWN,
    )
    remembered(store_database, shop, own)
    (item,) = listed(store_database)
    assert (item.case_id, item.waiting_since, item.messages) == (case_id, at("2026-11-20 11:00"), 1)


def test_it_shows_nothing_that_has_ended(store_database: Database) -> None:
    case_id = waits(store_database, "2026-11-20 11:00")
    with store_database.write() as session:
        escalations.close(session, case_id, reason="by phone", name=MAREK, now=NOW)
    assert listed(store_database) == []


def test_it_shows_one_profile_one_persons_cases_or_the_first_few(store_database: Database) -> None:
    here = waits(store_database, "2026-11-20 11:00")
    there_shop = profile(store_database, "other-net")
    there = case(store_database, remembered(store_database, there_shop, post(when=at("2026-11-20 11:01"))))
    with store_database.write() as session:
        marek = users.user_id(session, MAREK, now=NOW)
        escalations.take(session, there, user=marek, name=MAREK, now=NOW)
    assert ids(listed(store_database, profile="other-net")) == [there]
    assert ids(listed(store_database, taken_by=MAREK)) == [there]
    with store_database.read() as session:
        places = queue.in_order(session, now=NOW, calendars=CALENDARS)
        assert ids(queue.lines(session, places[:1])) == [here]
    assert listed(store_database)[1].taken_by == MAREK


# --- a line of the list -------------------------------------------------------------------------------------------------


def test_it_says_what_matters_in_a_line(store_database: Database) -> None:
    judged = assessment(sentiment=Sentiment.NEGATIVE, urgency=Urgency.HIGH, flags={Flag.FORMAL})
    text = "Reklamacja!\n\nKubek   przyszedł\tpęknięty. " + "x" * 300
    case_id = waits(
        store_database,
        "2026-11-20 11:30",
        Urgency.HIGH,
        text=text,
        judgement=judged,
        formal_deadline=timedelta(days=14),
    )
    (item,) = listed(store_database)
    assert item.case_id == case_id
    assert (item.sentiment, item.language, item.sentiment_sure) == (Sentiment.NEGATIVE, "pl", True)
    assert (item.author, item.profile, item.network, item.brand) == ("@anna.n", "fikcja-net", "fake", BRAND)
    assert item.excerpt.startswith("Reklamacja! Kubek przyszedł pęknięty. xxx")
    assert (len(item.excerpt), item.excerpt[-1]) == (140, "…")
    assert (item.formal, item.deadline_at) == (True, at("2026-12-04 11:30"))
    assert item.clocks.formal is not None
    assert item.clocks.formal.due_at == at("2026-12-04 11:30")
    assert item.permalink == "https://fake.invalid/p/p2026-11-20 11:30high"


def test_it_says_what_the_robot_has_said_and_will_say(store_database: Database) -> None:
    asked = remembered(store_database, profile(store_database), post(when=at("2026-11-20 11:30")))
    case(store_database, asked)
    dropped = planned(store_database, asked, kind=ReplyKind.CLOSED_NOTICE)
    with store_database.write() as session:
        outbox.change_state(session, dropped, ReplyState.PLANNED, ReplyState.CANCELLED)
    planned(store_database, asked)
    planned(store_database, asked, kind=ReplyKind.ANSWER, sent_by=SentBy.PERSON)
    (item,) = listed(store_database)
    assert [(said.kind, said.state, said.at) for said in item.said] == [
        (ReplyKind.ACKNOWLEDGEMENT, ReplyState.PLANNED, at("2026-11-20 12:10"))
    ]


def test_it_shows_a_case_whose_post_was_deleted_without_its_text(store_database: Database) -> None:
    shop = profile(store_database)
    asked = remembered(store_database, shop, post("Mój numer to ...", when=at("2026-11-20 11:30"), native_id="d"))
    case(store_database, asked)
    with store_database.write() as session:
        posts.forget_deleted(session, shop, [Gone(native_id="d")], now=NOW)
    (item,) = listed(store_database)
    assert (item.deleted, item.excerpt) == (True, "")
    assert "deleted" in (item.note or "")


def test_it_shows_an_author_without_a_name_and_a_brand_without_hours(store_database: Database) -> None:
    from dataclasses import replace

    gone = replace(ANNA, native_id="x", handle=None, display_name=None, deleted=True)
    shop = profile(store_database, brand="Left The Configuration")
    case(store_database, remembered(store_database, shop, post(when=at("2026-11-20 11:30"), by=gone)))
    (item,) = listed(store_database)
    assert (item.author, item.clocks.business) == ("(deleted account)", None)


# --- one case -----------------------------------------------------------------------------------------------------------


def test_it_tells_the_whole_story_of_a_case(store_database: Database) -> None:
    shop = profile(store_database)
    earlier = post("Czy macie zielone?", when=at("2026-11-10 10:00"), native_id="old")
    old_case = case(store_database, remembered(store_database, shop, earlier))
    with store_database.write() as session:
        escalations.close(session, old_case, reason="answered by phone", name=MAREK, now=at("2026-11-10 11:00"))

    asked = post("Gdzie paczka?", when=at("2026-11-20 11:00"), native_id="q1")
    row_id = remembered(store_database, shop, asked)
    edited = post("Gdzie PACZKA?", when=at("2026-11-20 11:00"), native_id="q1", revision="2", edited_at=NOW)
    remembered(store_database, shop, edited, now=NOW)
    case_id = case(store_database, row_id)
    planned(store_database, row_id)
    also = post("Ja też czekam", when=at("2026-11-20 11:05"), by=PIOTR, native_id="q2", thread_root="q1")
    by_hand = post(
        "Piotrze, sprawdzam",
        when=at("2026-11-20 11:06"),
        by=SHOP,
        native_id="own",
        thread_root="q1",
        in_reply_to="q2",
        ours=True,
        kind=PostKind.OWN,
    )
    remembered(store_database, shop, also, by_hand)

    view = shown(store_database, case_id)
    assert [(entry.side, entry.who, entry.text) for entry in view.thread][:3] == [
        (Side.CUSTOMER, "@anna.n", "Gdzie PACZKA?"),
        (Side.OTHER, "@piotrek", "Ja też czekam"),
        (Side.PERSON, "network-app", "Piotrze, sprawdzam"),
    ]
    robot = view.thread[3]
    assert (robot.side, robot.state, robot.at) == (Side.ROBOT, ReplyState.PLANNED, at("2026-11-20 11:40"))
    assert view.thread[0].earlier_texts == ("Gdzie paczka?",)
    assert view.thread[0].edited_at == NOW
    (contact,) = view.earlier
    assert (contact.case_id, contact.excerpt, contact.ended) == (
        old_case,
        "Czy macie zielone?",
        "closed: answered by phone",
    )
    assert [(made.rule, made.reason) for made in view.decisions] == [("open", "open: a person answers")]
    assert view.assessment is not None
    assert [done.verb for done in view.history] == ["opened"]
    assert (view.seen.post_id, view.seen.revision_number) == (row_id, 2)
    assert view.unknown == ()


def test_it_shows_a_published_reply_once(store_database: Database) -> None:
    shop = profile(store_database)
    row_id = remembered(store_database, shop, post(when=at("2026-11-20 11:00"), native_id="q1"))
    case_id = case(store_database, row_id)
    reply = planned(store_database, row_id, text="Sprawdzamy.")
    with store_database.write() as session:
        row = session.get(ReplyRow, reply)
        assert row is not None
        row.state, row.external_id, row.sent_at = "sent", "own-7", at("2026-11-20 11:40")
    own = post(
        "Sprawdzamy.",
        when=at("2026-11-20 11:40"),
        by=SHOP,
        native_id="own-7",
        thread_root="q1",
        in_reply_to="q1",
        ours=True,
        kind=PostKind.OWN,
    )
    remembered(store_database, shop, own)
    view = shown(store_database, case_id)
    assert [(entry.side, entry.state) for entry in view.thread] == [
        (Side.CUSTOMER, None),
        (Side.ROBOT, ReplyState.SENT),
    ]


def test_it_names_what_must_be_settled(store_database: Database) -> None:
    row_id = remembered(store_database, profile(store_database), post(when=at("2026-11-20 11:00")))
    case_id, reply = case(store_database, row_id), planned(store_database, row_id)
    with store_database.write() as session:
        outbox.change_state(session, reply, ReplyState.PLANNED, ReplyState.SENDING)
        outbox.change_state(session, reply, ReplyState.SENDING, ReplyState.UNKNOWN)
    assert [said.reply_id for said in shown(store_database, case_id).unknown] == [reply]
    with store_database.read() as session:
        assert [said.reply_id for said in queue.unknown_replies(session)] == [reply]


def test_it_keeps_the_clocks_of_an_ended_case_where_they_stopped(store_database: Database) -> None:
    case_id = waits(store_database, "2026-11-20 11:00")
    with store_database.write() as session:
        escalations.close(session, case_id, reason="by phone", name=MAREK, now=at("2026-11-20 11:20"))
    view = shown(store_database, case_id, now=at("2026-11-25 11:00"))
    assert view.item.state is EscalationState.CLOSED
    assert view.item.clocks.wall.time_left(NOW) == timedelta(minutes=40)
    assert (view.close_reason, view.closed_at) == ("by phone", at("2026-11-20 11:20"))


def test_it_says_that_there_is_no_such_case(store_database: Database) -> None:
    with pytest.raises(NotFound, match=r"no case 7.*queue list"):
        shown(store_database, 7)
