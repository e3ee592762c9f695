"""From a remembered post to a recorded decision: nothing is lost when the model, a post or the network misbehaves."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select, update

from responders.snapshot import Limits
from social.clock import SteppedClock
from social.domain.assessment import RULES_ONLY, Assessment, Flag, Sentiment, TextToAssess, Urgency
from social.domain.errors import StoreError, Unreachable
from social.domain.post import Author, FetchedPost, PostRef, ProfileMode
from social.engine import line, people
from social.engine.claims import MAXIMUM_ATTEMPTS, Claim, Claimed, claim
from social.engine.desk import Leases
from social.engine.schedule import run_stepped
from social.store.mapping import Profile
from social.store.rows import c
from social.store.session import Database
from social.store.tables import AssessmentRow, DecisionRow, PostRow, ProfileRow
from tests.cast import ANNA, MAREK, PIOTR, PROFILE, at
from tests.engine.looking import pragma, profile_row, rows
from tests.factories import assessment, desk_for, post, profile, remembered
from tests.fakes import FAKE_CAPABILITIES, FakeClassifier, FakeConnector
from tests.story.telling import NETWORK_RULES, case_of, cases, leases_run_out, posts, replies, the_case
from triage.load import rules_only

TEN = at("2026-11-20 10:00")  # a Friday
FAR_AHEAD = datetime(
    9999, 12, 31, 23, 30, tzinfo=UTC
)  # no minute 40 after it: an honest date that cannot be worked with


@pytest.fixture
def shop(database: Database) -> Profile:
    return profile(database)


class Meanwhile(FakeClassifier):
    """Something happens while the model thinks."""

    happens: Callable[[], object] | None = None

    def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
        found = super().assess(texts)
        if self.happens is not None:
            self.happens()
        return found


# --- the model --------------------------------------------------------------------------------------------------------


def test_it_goes_on_by_rules_when_the_model_breaks_and_says_so_aloud(
    database: Database, shop: Profile, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    model = FakeClassifier()
    desk = desk_for(database, clock, FakeConnector(clock), classifier=model)
    desk.fallback = rules_only("the model broke while running")
    remembered(database, shop, post("Gdzie jest moja paczka?", when=TEN))
    remembered(database, shop, post("Po kremie mam duszności, wzywam karetkę!", when=TEN, by=PIOTR))
    model.breaks("the session is gone.")

    assert line.work_through(desk, TEN) == 2

    assert [(row.state, row.outcome) for row in posts(database)] == [("judged", "escalated")] * 2
    assert {row.model_id for row in rows(database, AssessmentRow)} == {RULES_ONLY.id}
    assert len(cases(database)) == 2
    errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "THE MODEL IS BROKEN" in errors[0] and "the session is gone." in errors[0]

    remembered(database, shop, post("A druga?", when=TEN + timedelta(minutes=1)))
    line.work_through(desk, TEN + timedelta(minutes=1))
    assert model.asked == []  # it is not tried again and again; the restart after the repair does
    assert {row.state for row in posts(database)} == {"judged"}


def test_it_asks_the_model_once_for_a_whole_batch_and_never_twice_for_one_revision(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    model = FakeClassifier()
    desk = desk_for(database, clock, FakeConnector(clock), classifier=model, closed_notice=False)
    night = at("2026-11-23 08:30")  # a Monday, half an hour before opening: decided again at nine
    clock.advance_to(night)
    for number in range(5):
        author = Author(native_id=f"c{number}")
        remembered(database, shop, post(f"Pytanie {number}.", when=night, by=author))

    assert line.work_through(desk, night) == 5
    assert {row.state for row in posts(database)} == {"waiting"}
    assert line.work_through(desk, at("2026-11-23 09:00")) == 5

    assert sorted(model.asked) == [f"Pytanie {number}." for number in range(5)]
    assert len(rows(database, DecisionRow)) == 10
    assert [row.state for row in replies(database)] == ["planned"] * 5


class Reading(FakeClassifier):
    """Keeps what it was told stands before each text."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, str | None] = {}

    def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
        self.before |= {item.text: item.before for item in texts}
        return super().assess(texts)


def test_a_word_or_two_is_read_with_what_its_customer_wrote_before(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    reading = Reading()
    desk = desk_for(database, clock, FakeConnector(clock), classifier=reading)
    asked = post("Gdzie jest moja paczka?", when=at("2026-11-20 09:50"))
    more = [
        post(text, when=at(f"2026-11-20 09:{minute}"), thread_root=asked.native_id, by=by)
        for minute, text, by in ((51, "Numer 12, dla Anny.", ANNA), (52, "@sklep ???", ANNA), (53, "halo", PIOTR))
    ]
    remembered(database, shop, asked, *more)

    line.work_through(desk, TEN)

    assert reading.before == {
        "Gdzie jest moja paczka?": None,
        "Numer 12, dla Anny.": "Gdzie jest moja paczka?",
        "@sklep ???": "Numer 12, dla Anny.",
        "halo": None,  # another customer's thread is another conversation
    }


def test_what_a_person_has_answered_is_not_read_again_with_the_next_word(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    reading, network = Reading(), FakeConnector(clock)
    desk = desk_for(database, clock, network, classifier=reading)
    asked = network.publishes(post("Gdzie jest moja paczka?", when=at("2026-11-20 10:01")))
    network.answers_by_hand(asked, "Już jedzie.", when=at("2026-11-20 10:03"))
    network.publishes(post("ok", when=at("2026-11-20 10:04"), thread_root=asked.native_id, in_reply_to=asked.native_id))

    run_stepped(desk, clock, until=at("2026-11-20 10:30"))

    assert reading.before == {"Gdzie jest moja paczka?": None, "ok": None}


def test_it_takes_no_more_than_a_batch_at_once(database: Database, shop: Profile, clock: SteppedClock) -> None:
    desk = desk_for(database, clock, FakeConnector(clock))
    desk.batch = 2
    for number in range(5):
        remembered(database, shop, post(f"{number}", when=TEN, by=Author(native_id=f"c{number}")))

    assert [line.work_through(desk, TEN) for _ in range(4)] == [2, 2, 1, 0]


# --- one bad post -----------------------------------------------------------------------------------------------------


def test_it_sets_one_bad_post_aside_with_a_case_and_records_the_rest(
    database: Database, shop: Profile, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    desk = desk_for(database, clock, FakeConnector(clock))
    remembered(database, shop, post("Dobre.", when=TEN))
    remembered(database, shop, post("Z przyszłości.", when=FAR_AHEAD, by=PIOTR), now=TEN)
    remembered(database, shop, post("Też dobre.", when=TEN, by=Author(native_id="c3")))

    assert line.work_through(desk, TEN) == 3
    assert line.work_through(desk, TEN) == 0  # it does not come again and again

    assert {row.text: row.state for row in posts(database)} == {
        "Dobre.": "judged",
        "Też dobre.": "judged",
        "Z przyszłości.": "failed",
    }
    (bad,) = [case for case in cases(database) if case.rule == "failed"]
    assert (bad.state, bad.urgency) == ("open", "high")
    assert "could not be judged (OverflowError)" in bad.reason
    assert len(replies(database)) == 2
    assert "a batch of 3 posts could not be recorded" in caplog.text


def test_it_sets_a_judgement_aside_that_the_database_will_not_take(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    nonsense = replace(assessment(), vector="no bytes")  # type: ignore[arg-type]  # a plug-in's mistake
    model = FakeClassifier().judges("Zepsute", nonsense)
    desk = desk_for(database, clock, FakeConnector(clock), classifier=model)
    remembered(database, shop, post("Dobre.", when=TEN))
    remembered(database, shop, post("Zepsute.", when=TEN, by=PIOTR))

    line.work_through(desk, TEN)

    assert {row.text: row.state for row in posts(database)} == {"Dobre.": "judged", "Zepsute.": "failed"}
    assert sorted(case.rule for case in cases(database)) == ["failed", "open"]


class Kills(FakeClassifier):
    """A text that kills whoever reads it."""

    def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
        raise MemoryError


def test_it_gives_people_a_post_that_kills_every_judge(database: Database, shop: Profile, clock: SteppedClock) -> None:
    desk = desk_for(database, clock, FakeConnector(clock), classifier=Kills())
    desk.leases = Leases(triage=timedelta(0))  # as if each attempt were a restart after the lease
    remembered(database, shop, post("Bomba.", when=TEN))

    for _ in range(MAXIMUM_ATTEMPTS):
        with pytest.raises(MemoryError):
            line.work_through(desk, TEN)
    assert line.work_through(desk, TEN) == 1  # given to people
    assert line.work_through(desk, TEN) == 0

    (row,) = posts(database)
    assert (row.state, row.outcome, row.reason) == (
        "failed",
        "escalated",
        "failed: broke the program each time it was tried",
    )
    assert (case_of(database).rule, case_of(database).urgency) == ("failed", "high")


def test_it_keeps_a_batch_for_later_when_the_database_is_the_trouble(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    model = Meanwhile()
    desk = desk_for(database, clock, FakeConnector(clock), classifier=model)
    remembered(database, shop, post(when=TEN))
    model.happens = lambda: pragma(database, "query_only=ON")
    with pytest.raises(StoreError, match="read-only"):
        line.work_through(desk, TEN)
    assert cases(database) == []

    model.happens = None
    pragma(database, "query_only=OFF")
    leases_run_out(database)
    assert line.work_through(desk, TEN) == 1
    assert [row.state for row in posts(database)] == ["judged"]
    assert len(cases(database)) == 1


# --- complaints -------------------------------------------------------------------------------------------------------


@contextmanager
def written_tables(database: Database) -> Iterator[list[set[str]]]:
    """The tables that each transaction of the block writes to."""
    found: list[set[str]] = [set()]

    def note(connection: object, cursor: object, statement: str, *more: object) -> None:
        found[-1].update(re.findall(r'^(?:UPDATE|INSERT INTO) "?(\w+)', statement))

    def committed(connection: object) -> None:
        found.append(set())

    event.listen(database.engine, "before_cursor_execute", note)
    event.listen(database.engine, "commit", committed)
    try:
        yield found
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
        event.remove(database.engine, "commit", committed)


@pytest.mark.parametrize("bad_post", [False, True], ids=["a batch", "one by one"])
def test_complaints_are_looked_at_soon_but_their_profile_is_not_held_with_their_customers(
    database: Database, shop: Profile, clock: SteppedClock, bad_post: bool
) -> None:
    desk = desk_for(
        database, clock, FakeConnector(clock), classifier=FakeClassifier(assessment(sentiment=Sentiment.NEGATIVE))
    )
    desk.rings = False  # the look itself would only set its next time
    with database.write() as session:
        session.execute(update(ProfileRow).values(crisis_due_at=TEN + timedelta(minutes=5)))
    remembered(database, shop, post("Skandal!", when=TEN))
    if bad_post:
        remembered(database, shop, post("Z przyszłości.", when=FAR_AHEAD, by=PIOTR), now=TEN)

    with written_tables(database) as transactions:
        line.work_through(desk, TEN)

    assert profile_row(desk)["crisis_due_at"] == TEN
    assert {"assessment"} <= set().union(*transactions)
    assert [written for written in transactions if "profile" in written] == [{"profile"}]


# --- one customer, several posts --------------------------------------------------------------------------------------


def test_it_counts_two_posts_of_one_customer_in_one_batch_as_one_contact(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    desk = desk_for(database, clock, FakeConnector(clock))
    first = post("Gdzie paczka?", when=at("2026-11-20 09:57"))
    second = post("Numer 12.", when=at("2026-11-20 09:59"), thread_root=first.native_id)
    remembered(database, shop, first, second)

    assert line.work_through(desk, TEN) == 2

    assert [row.due_at for row in replies(database)] == [at("2026-11-20 10:37")]
    assert len(cases(database)) == 1
    joined = posts(database)[1]
    assert joined.reason is not None and joined.reason.startswith("one-text-a-contact")


def test_it_opens_no_case_for_a_question_that_came_in_together_with_its_answer(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    asked = network.publishes(post("Gdzie paczka?", when=at("2026-11-20 10:01")))
    network.answers_by_hand(asked, "Już jedzie.", when=at("2026-11-20 10:03"))
    again = network.publishes(
        post("A druga?", when=at("2026-11-20 10:04"), thread_root=asked.native_id, in_reply_to=asked.native_id)
    )

    run_stepped(desk, clock, until=at("2026-11-20 11:30"))

    found = {row.native_id: row for row in posts(database)}
    assert found[asked.native_id].reason == "already-answered: a person has answered it already"
    assert case_of(database).post_id == found[again.native_id].id
    assert replies(database) == []


def test_it_leaves_the_night_post_alone_that_a_colleague_answered_before_the_opening(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    night = at("2026-11-23 08:30")  # a Monday, half an hour before opening
    clock.advance_to(night)
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, closed_notice=False)
    asked = network.publishes(post("Gdzie paczka?", when=night))
    network.answers_by_hand(asked, "Już jedzie.", when=at("2026-11-23 08:50"))

    run_stepped(desk, clock, until=at("2026-11-23 10:00"))

    assert replies(database) == []
    assert [row.reason for row in posts(database) if not row.ours] == [
        "already-answered: a person has answered it already"
    ]
    assert {row.state for row in cases(database)} <= {"answered"}


def test_it_leaves_the_night_post_alone_whose_case_was_closed_before_the_opening(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    night = at("2026-11-23 08:30")  # a Monday, half an hour before opening
    clock.advance_to(night)
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, closed_notice=False)
    network.publishes(post("Fajna reklama, kto ją zrobił?", when=night))
    run_stepped(desk, clock, until=at("2026-11-23 08:40"))
    assert [row.state for row in posts(database)] == ["waiting"]
    people.close(database, the_case(database), user=MAREK, now=clock.now(), reason="settled by phone")

    run_stepped(desk, clock, until=at("2026-11-23 10:00"))

    assert network.written == []
    assert (case_of(database).state, case_of(database).close_reason) == ("closed", "settled by phone")


@pytest.mark.parametrize(("edited", "state"), [(False, "open"), (True, "taken")], ids=["a second post", "an edit"])
def test_it_keeps_what_came_in_after_somebody_wrote_their_answer_at_the_desk(
    database: Database, shop: Profile, clock: SteppedClock, edited: bool, state: str
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    asked = network.publishes(post("Gdzie paczka?", when=at("2026-11-20 09:59")))
    run_stepped(desk, clock, until=at("2026-11-20 10:04"))
    if edited:
        network.edits(asked.native_id, "A teraz zniknęły mi pieniądze z konta.", when=at("2026-11-20 10:04"))
    else:
        network.publishes(
            post("A teraz zniknęły mi pieniądze.", when=at("2026-11-20 10:04"), thread_root=asked.native_id)
        )

    people.answer(database, NETWORK_RULES, the_case(database), "Już jedzie.", user=MAREK, now=clock.now())
    run_stepped(desk, clock, until=at("2026-11-20 10:30"))

    # what was judged before stays in the case until its new words are; what was never judged brings it back
    assert case_of(database).state == state


def test_it_sends_people_after_an_urgent_comment_where_only_the_other_one_was_answered(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, classifier=FakeClassifier().judges("uczuliło", urgency=Urgency.HIGH))
    under = {"thread_root": "our-announcement", "in_reply_to": "our-announcement"}
    network.publishes(post("Mydło mnie uczuliło.", when=at("2026-11-20 10:01"), **under))
    thanked = network.publishes(post("A kiedy nowy zapach?", when=at("2026-11-20 10:02"), **under))
    network.answers_by_hand(thanked, "W grudniu!", when=at("2026-11-20 10:03"))

    run_stepped(desk, clock, until=at("2026-11-20 10:10"))

    assert [(row.text, row.outcome) for row in posts(database) if not row.ours] == [
        ("Mydło mnie uczuliło.", "escalated"),
        ("A kiedy nowy zapach?", "ignored"),
    ]


def test_it_stops_at_an_authors_hourly_limit_inside_one_batch(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    desk = desk_for(database, clock, FakeConnector(clock))
    desk.limits = Limits(per_author_an_hour=2)
    for number in range(4):
        remembered(database, shop, post(f"Wątek {number}.", when=TEN, native_id=f"w{number}", by=ANNA))

    line.work_through(desk, TEN)

    assert len(replies(database)) == 2
    assert len(cases(database)) == 4
    assert [row.reason.split(":")[0] for row in posts(database)].count("limit") == 2


def test_it_judges_a_post_again_that_was_edited_while_the_model_thought(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    model = Meanwhile().judges("dwie", urgency=Urgency.HIGH)
    desk = desk_for(database, clock, FakeConnector(clock), classifier=model)
    asked = post("Gdzie moja paczka?", when=TEN)
    remembered(database, shop, asked)
    changed = replace(asked, text="Gdzie moje dwie paczki?", revision="2", edited_at=TEN)
    model.happens = lambda: remembered(database, shop, changed, now=TEN)

    line.work_through(desk, TEN)
    assert cases(database) == replies(database) == rows(database, AssessmentRow) == []
    assert [row.state for row in posts(database)] == ["new"]

    model.happens = None
    line.work_through(desk, TEN)
    assert case_of(database).urgency == "high"
    assert [(row.revision_number, row.urgency) for row in rows(database, AssessmentRow)] == [(2, "high")]


# --- after a gap ------------------------------------------------------------------------------------------------------


def test_it_gives_a_post_to_people_when_its_thread_cannot_be_read_after_a_gap(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    remembered(database, shop, network.publishes(post(when=at("2026-11-20 09:50"))), now=TEN, after_gap=True)
    network.fails("thread", Unreachable("HTML instead of JSON."))

    run_stepped(desk, clock, until=at("2026-11-20 11:30"))

    assert network.public_replies == replies(database) == []
    assert (case_of(database).rule, case_of(database).state) == ("after-gap", "open")


def test_it_gives_a_post_to_people_where_no_thread_can_be_read_at_all(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    network = FakeConnector(clock, capabilities=replace(FAKE_CAPABILITIES, threads=False))
    desk = desk_for(database, clock, network)
    remembered(database, shop, network.publishes(post(when=at("2026-11-20 09:50"))), now=TEN, after_gap=True)

    run_stepped(desk, clock, until=at("2026-11-20 11:30"))

    assert network.public_replies == replies(database) == []
    assert case_of(database).rule == "after-gap"


def test_it_finds_the_answer_that_a_colleague_gave_while_nobody_polled(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network)
    asked = network.publishes(post(when=at("2026-11-20 09:45")))
    network.answers_by_hand(asked, "Już jedzie.", when=at("2026-11-20 09:50"))
    remembered(database, shop, asked, now=TEN, after_gap=True)

    line.work_through(desk, TEN)

    assert replies(database) == []
    assert len(network.calls) == network.calls.count("thread") == 1


def test_a_network_that_dawdles_over_many_threads_does_not_outlast_the_lease(
    database: Database, shop: Profile, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, mode=ProfileMode.OFF)
    for minute in range(40, 44):
        asked = network.publishes(post(when=at(f"2026-11-20 09:{minute}"), by=PIOTR))
        remembered(database, shop, asked, now=TEN, after_gap=True)
    others: list[Claim] = []
    read = network.thread

    def dawdling(ref: PostRef) -> Sequence[FetchedPost]:
        with database.write() as session:  # most of a lease goes by
            for row in session.execute(select(PostRow).where(c(PostRow).leased_until.is_not(None))).scalars():
                assert row.leased_until is not None
                row.leased_until -= desk.leases.triage * 0.6
        others.append(claim(database, Claimed.POST, now=TEN, limit=9, lease=desk.leases.triage, profiles=desk.profiles))
        return read(ref)

    monkeypatch.setattr(network, "thread", dawdling)

    assert line.work_through(desk, TEN) == 4

    assert len(others) == 4
    assert not any(others)
    assert {row.state for row in posts(database)} == {"judged"}


def test_who_asks_for_a_person_twice_gets_one_confirmation(
    database: Database, shop: Profile, clock: SteppedClock
) -> None:
    network = FakeConnector(clock)
    wants = assessment(urgency=Urgency.NORMAL, needs_reply=True, flags=frozenset({Flag.WANTS_HUMAN}))
    desk = desk_for(database, clock, network, classifier=FakeClassifier(wants))
    asked = network.publishes(post("Chcę rozmawiać z człowiekiem.", when=at("2026-11-20 09:58")))
    network.publishes(
        post(
            "Halo, jest tam człowiek?",
            when=at("2026-11-20 09:59"),
            thread_root=asked.native_id,
            in_reply_to=asked.native_id,
        )
    )

    run_stepped(desk, clock, until=at("2026-11-20 10:30"))

    assert [(row.kind, row.state) for row in replies(database)] == [("hand-over", "sent")]


# --- modes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "planned", "said"),
    [
        (ProfileMode.OFF, 0, "-> escalated (profile-off)"),
        (ProfileMode.DRY_RUN, 1, "acknowledgement would be due Fri 10:40"),
        (ProfileMode.ACKNOWLEDGE, 1, "acknowledgement due Fri 10:40"),
    ],
)
def test_it_opens_a_case_in_every_mode_and_plans_a_text_only_where_the_robot_may_write(
    database: Database,
    clock: SteppedClock,
    caplog: pytest.LogCaptureFixture,
    mode: ProfileMode,
    planned: int,
    said: str,
) -> None:
    caplog.set_level(logging.INFO, logger="social.judge")
    desk = desk_for(database, clock, FakeConnector(clock), mode=mode)
    remembered(database, profile(database, network="fake", mode=mode), post(when=TEN))

    line.work_through(desk, TEN)

    assert len(replies(database)) == planned
    assert case_of(database).state == "open"
    assert said in caplog.text


def test_it_tells_of_what_lay_there_before_it_came_in_one_line(
    database: Database, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="social.judge")
    network = FakeConnector(clock)
    for day in (10, 11, 12):
        network.publishes(post(f"Pytanie {day}?", when=at(f"2026-11-{day} 10:00")))
    desk = desk_for(database, clock, network, first_polled_at=None)
    run_stepped(desk, clock, until=TEN)
    told = [record.message for record in caplog.records if record.name == "social.judge"]
    assert told == [f"judged       {PROFILE}: 3 from before its first poll, kept for reports"]


def test_its_log_never_holds_a_customers_words(
    database: Database, shop: Profile, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    network = FakeConnector(clock)
    network.publishes(post("Mój tajny numer to kanarek-77.", when=TEN))
    run_stepped(desk_for(database, clock, network), clock, until=at("2026-11-20 11:00"))
    assert len(network.public_replies) == 1
    assert "kanarek-77" not in caplog.text
