"""Moving an acknowledgement when a person takes the case."""

from __future__ import annotations

from datetime import timedelta

from responders import timing
from responders.snapshot import Timing
from social.domain.decision import PlannedReply
from social.domain.hours import BusinessCalendar, parse_weekly
from tests.responders.situations import ALWAYS, OFFICE, WARSAW, warsaw


def planned(since: str) -> PlannedReply:
    at = warsaw(since)
    slot = timing.acknowledgement_slot(OFFICE, Timing(), since=at, urgent=False, now=at)
    assert slot is not None
    return timing.acknowledgement(OFFICE, Timing(), slot=slot, since=at, complaint=False)


def moved(reply: PlannedReply, since: str, now: str) -> PlannedReply:
    return timing.when_taken(reply, OFFICE, Timing(), since=warsaw(since), now=warsaw(now))


def test_a_taken_case_gives_its_person_until_minute_55() -> None:
    later = moved(planned("2027-01-08 12:00"), "2027-01-08 12:00", "2027-01-08 12:10")
    assert later.due_at == warsaw("2027-01-08 12:55")
    assert later.not_after == warsaw("2027-01-08 13:00")


def test_it_is_never_moved_behind_closing() -> None:
    reply = planned("2027-01-08 16:10")
    assert moved(reply, "2027-01-08 16:10", "2027-01-08 16:20") == reply


def test_it_is_not_moved_over_a_break_because_its_words_may_name_the_closing_before_it() -> None:
    pause = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"fri": ["09:00-12:45", "12:50-17:00"]}))
    at = warsaw("2027-01-08 12:00")
    slot = timing.acknowledgement_slot(pause, Timing(), since=at, urgent=False, now=at)
    assert slot is not None
    reply = timing.acknowledgement(pause, Timing(), slot=slot, since=at, complaint=False)
    assert timing.when_taken(reply, pause, Timing(), since=at, now=at) == reply


def test_there_is_no_notice_that_could_only_go_out_after_the_hour() -> None:
    night = warsaw("2027-01-08 23:00")
    late = night + timedelta(minutes=61)
    assert timing.closed_notice(OFFICE, Timing(), since=night, complaint=False, now=late) is None


def test_it_is_never_moved_behind_its_hour_or_brought_forward() -> None:
    reply = planned("2027-01-08 12:00")
    assert moved(reply, "2027-01-08 12:00", "2027-01-08 13:05") == reply
    at_58 = moved(reply, "2027-01-08 12:00", "2027-01-08 12:58")
    assert at_58.due_at == warsaw("2027-01-08 12:58")


def test_a_notice_or_a_hand_over_is_not_moved() -> None:
    night = warsaw("2027-01-08 23:00")
    notice = timing.closed_notice(OFFICE, Timing(), since=night, complaint=False, now=night)
    hand_over = timing.hand_over(OFFICE, Timing(), asked_at=night, now=night)
    assert notice is not None
    assert hand_over is not None
    for reply in (notice, hand_over):
        assert moved(reply, "2027-01-08 23:00", "2027-01-08 23:01") == reply


def test_a_longer_wait_than_the_hour_leaves_only_the_last_open_minute() -> None:
    slow = Timing(acknowledge_after=timedelta(minutes=90))
    at = warsaw("2027-01-08 12:00")
    assert timing.acknowledgement_slot(ALWAYS, slow, since=at, urgent=False, now=at) is None
