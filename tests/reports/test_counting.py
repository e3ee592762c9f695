"""What the report says is what a plain count over the same posts, judgements, answers and corrections says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from social.domain.assessment import Head, Sentiment, Urgency
from social.domain.reply import ACTIVE_STATES, ReplyKind, ReplyState
from social.reports.buckets import By
from social.reports.counts import OUTCOMES, SENTIMENTS, URGENCIES, Counts
from social.reports.queries import SentimentQuery
from social.reports.report import SentimentReport, make_report
from social.store.session import Database
from tests.cast import WARSAW, at
from tests.reports.happened import (
    HOUR,
    Asked,
    Judged,
    Label,
    Own,
    Past,
    Replied,
    by_hand,
    filled,
    plain_count,
    summed,
    write,
)

FIRST, LAST = date(2027, 3, 22), date(2027, 4, 2)  # the clocks are put forward on the 28th
# in UTC: an hour added to a local time is an hour on the wall, not an hour of waiting
START, END = at("2027-03-22 00:00").astimezone(UTC), at("2027-04-02 00:00").astimezone(UTC)
LATER = at("2027-06-01 12:00").astimezone(UTC)
BEFORE = at("2027-01-01 08:00").astimezone(UTC)
TEN = at("2027-03-23 10:00").astimezone(UTC)
MICROSECOND = timedelta(microseconds=1)
FORMS = {By.DAY: "%Y-%m-%d", By.WEEK: "%G-W%V", By.HOUR_OF_WEEK: "%a %H:00"}


def report_on(
    database: Database,
    past: Past,
    *,
    by: By = By.DAY,
    zone: ZoneInfo = WARSAW,
    languages: tuple[str, ...] = (),
    now: datetime = LATER,
) -> SentimentReport:
    name = write(database, past, since=BEFORE)
    query = SentimentQuery(from_day=FIRST, to_day=LAST, by=by, time_zone=zone, profiles=(name,), languages=languages)
    with database.read() as session:
        return make_report(session, query, now=now)


def counts_of(database: Database, *asked: Asked, now: datetime = LATER, **more: tuple[object, ...]) -> Counts:
    return report_on(database, Past(asked=asked, **more), now=now).totals  # type: ignore[arg-type]


#: A conversation has at most one active text of a kind, so "planned" and "sending" have a test of their own.
STATES = [ReplyState.SENT, ReplyState.SENT, *sorted(set(ReplyState) - ACTIVE_STATES)]

# --- any past at all ---------------------------------------------------------------------------------------------------

moments = st.one_of(
    st.sampled_from([START - MICROSECOND, START, END - MICROSECOND, END, TEN, TEN + timedelta(minutes=50)]),
    st.builds(
        lambda minutes, extra: START + timedelta(minutes=minutes, microseconds=extra),
        st.integers(-60, 11 * 24 * 60),
        st.sampled_from([0, 499_500, 999_999]),
    ),
)
waits = st.sampled_from([-MICROSECOND, timedelta(0), timedelta(minutes=30), HOUR, HOUR + MICROSECOND, 2 * HOUR])
judgements = st.lists(
    st.builds(
        Judged,
        revision=st.sampled_from([1, 2]),
        sentiment=st.sampled_from(Sentiment),
        urgency=st.sampled_from(Urgency),
        unsure=st.booleans(),
        language=st.sampled_from(["pl", "en"]),
    ),
    max_size=2,
    unique_by=lambda judged: judged.revision,
).map(tuple)
labels = st.lists(
    st.one_of(
        st.builds(
            Label,
            head=st.just(Head.SENTIMENT),
            value=st.sampled_from(Sentiment),
            revision=st.sampled_from([1, 2]),
            minute=st.integers(0, 2),
        ),
        st.builds(
            Label,
            head=st.just(Head.URGENCY),
            value=st.sampled_from(Urgency),
            revision=st.sampled_from([1, 2]),
            minute=st.integers(0, 2),
        ),
    ),
    max_size=3,
).map(tuple)
posts = st.builds(
    Asked,
    at=moments,
    conversation=st.integers(0, 2),
    revision=st.sampled_from([1, 1, 2]),
    judged=judgements,
    labels=labels,
    history=st.sampled_from([False, False, False, True]),
    deleted=st.booleans(),
    ignored=st.booleans(),
)


@st.composite
def pasts(draw: st.DrawFn) -> Past:
    asked = tuple(draw(st.lists(posts, min_size=1, max_size=8)))
    at_some_post = st.builds(lambda post, wait: (post, post.at + wait), st.sampled_from(asked), waits)
    replied = tuple(
        Replied(
            at=when,
            conversation=draw(st.sampled_from([post.conversation, 0])),
            kind=draw(st.sampled_from(ReplyKind)),
            state=draw(st.sampled_from(STATES)),
        )
        for post, when in draw(st.lists(at_some_post, max_size=6))
    )
    own: list[Own] = []
    for _, when in draw(st.lists(at_some_post, max_size=4)):
        under_own = st.sampled_from([None, *range(len(own))])
        own.append(
            Own(
                at=when,
                to_asked=draw(st.sampled_from([None, *range(len(asked))])),
                to_own=draw(under_own),
                explained=draw(st.booleans()),
            )
        )
    return Past(asked=asked, replied=replied, own=tuple(own))


@pytest.mark.parametrize("by", list(By))
@settings(
    max_examples=40,
    deadline=None,
    # every example writes a profile of its own and looks at that alone: the database may be the same
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    past=pasts(), zone=st.sampled_from([WARSAW, ZoneInfo("Asia/Kathmandu")]), languages=st.sampled_from([(), ("pl",)])
)
def test_it_counts_what_a_plain_count_counts(
    store_database: Database, by: By, past: Past, zone: ZoneInfo, languages: tuple[str, ...]
) -> None:
    start, end = (datetime(day.year, day.month, day.day, tzinfo=zone) for day in (FIRST, LAST))
    expected = plain_count(past, start=start, end=end, now=LATER, languages=languages)
    if not expected:
        return

    report = report_on(store_database, past, by=by, zone=zone, languages=languages)

    assert report.totals == summed(expected)
    assert filled(report) == by_hand(expected, zone, FORMS[by])
    assert sum(report.provenance.models.values()) <= report.totals.posts


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(past=pasts())
def test_sentiments_urgencies_and_outcomes_each_sum_to_the_posts(database: Database, past: Past) -> None:
    if not plain_count(past, start=START, end=END, now=LATER):
        return

    for row in report_on(database, past).rows:
        figures = row.counts.values()
        for group in (SENTIMENTS, URGENCIES, OUTCOMES):
            assert sum(figures[name] or 0 for name in group) == row.counts.posts


# --- what happened within the hour -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (ReplyKind.ANSWER, "answered_within_hour"),
        (ReplyKind.ACKNOWLEDGEMENT, "acknowledged_within_hour"),
        (ReplyKind.HAND_OVER, "acknowledged_within_hour"),
        (ReplyKind.HOLDING, "acknowledged_within_hour"),
        (ReplyKind.CLOSED_NOTICE, "told_closed_within_hour"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_each_kind_of_text_brings_its_outcome_up_to_the_sixtieth_minute(
    store_database: Database, kind: ReplyKind, outcome: str, late: bool
) -> None:
    reply = Replied(at=TEN + HOUR + (MICROSECOND if late else timedelta(0)), kind=kind)

    figures = counts_of(store_database, Asked(at=TEN), replied=(reply,)).values()

    assert [name for name in OUTCOMES if figures[name]] == ["nothing_within_hour" if late else outcome]


def test_a_persons_answer_is_worth_more_than_an_earlier_automatic_text(database: Database) -> None:
    robot = Replied(at=TEN + timedelta(minutes=40))
    person = Replied(at=TEN + timedelta(minutes=55), kind=ReplyKind.ANSWER)

    assert counts_of(database, Asked(at=TEN), replied=(robot, person)).answered_within_hour == 1


@pytest.mark.parametrize("state", sorted(set(ReplyState) - {ReplyState.SENT}))
def test_what_was_not_surely_sent_is_nothing_and_so_is_what_a_dry_run_would_have_sent(
    database: Database, state: ReplyState
) -> None:
    reply = Replied(at=TEN + timedelta(minutes=40), state=state)

    assert counts_of(database, Asked(at=TEN), replied=(reply,)).nothing_within_hour == 1


def test_an_answer_in_the_networks_own_app_counts_also_below_the_robots_text(store_database: Database) -> None:
    acknowledgement = Own(at=TEN + timedelta(minutes=40), to_asked=0, explained=True)
    person = Own(at=TEN + timedelta(minutes=50), to_own=0)

    assert counts_of(store_database, Asked(at=TEN), own=(acknowledgement,)).answered_within_hour == 0
    assert counts_of(store_database, Asked(at=TEN), own=(acknowledgement, person)).answered_within_hour == 1


def test_a_thread_that_is_tied_into_a_ring_ends_the_search(store_database: Database) -> None:
    past = Past(asked=(Asked(at=TEN),), own=(Own(at=TEN, to_own=1), Own(at=TEN, to_own=0)))

    assert report_on(store_database, past).totals.nothing_within_hour == 1


def test_an_answer_to_somebody_else_in_the_thread_is_not_theirs(database: Database) -> None:
    asked = Asked(at=TEN), Asked(at=TEN, conversation=1)
    answer = Replied(at=TEN + timedelta(minutes=5), kind=ReplyKind.ANSWER, conversation=1)

    counts = counts_of(database, *asked, replied=(answer,))

    assert (counts.answered_within_hour, counts.nothing_within_hour) == (1, 1)


def test_history_has_a_sentiment_but_no_hour(database: Database) -> None:
    answer = Replied(at=TEN + timedelta(minutes=5), kind=ReplyKind.ANSWER)
    old = Asked(at=TEN, history=True, judged=(Judged(sentiment=Sentiment.NEGATIVE),))

    counts = counts_of(database, old, replied=(answer,))

    assert (counts.negative, counts.not_measured, counts.answered_within_hour) == (1, 1, 0)


def test_an_hour_that_still_runs_is_not_called_nothing(database: Database) -> None:
    assert counts_of(database, Asked(at=TEN), now=TEN + HOUR).not_measured == 1
    assert counts_of(database, Asked(at=TEN), now=TEN + HOUR + MICROSECOND).nothing_within_hour == 1


def test_a_post_of_the_last_minute_has_its_hour_beyond_the_range(database: Database) -> None:
    asked = Asked(at=END - timedelta(minutes=1))
    answer = Replied(at=END + timedelta(minutes=50), kind=ReplyKind.ANSWER)
    native = Own(at=END + timedelta(minutes=50), to_asked=0)

    assert counts_of(database, asked, replied=(answer,)).answered_within_hour == 1
    assert counts_of(database, asked, own=(native,)).answered_within_hour == 1


# --- judgements and corrections ----------------------------------------------------------------------------------------


def test_a_persons_newest_word_counts_instead_of_the_models(store_database: Database) -> None:
    said = [(Head.SENTIMENT, Sentiment.POSITIVE), (Head.SENTIMENT, Sentiment.NEGATIVE), (Head.URGENCY, Urgency.HIGH)]
    labels = tuple(Label(head=head, value=value, minute=minute) for minute, (head, value) in enumerate(said))  # type: ignore[arg-type]

    counts = counts_of(store_database, Asked(at=TEN, judged=(Judged(),), labels=labels))

    assert (counts.negative, counts.urgency_high, counts.corrected, counts.corrected_share) == (1, 1, 1, 100.0)
    assert (counts.neutral, counts.positive, counts.urgency_normal) == (0, 0, 0)


def test_a_label_that_agrees_with_the_model_is_no_correction(database: Database) -> None:
    agrees = Label(head=Head.SENTIMENT, value=Sentiment.NEUTRAL)

    assert counts_of(database, Asked(at=TEN, judged=(Judged(),), labels=(agrees,))).corrected == 0


def test_an_edited_post_counts_by_its_present_words(database: Database) -> None:
    before, now = Judged(sentiment=Sentiment.NEGATIVE), Judged(revision=2, sentiment=Sentiment.POSITIVE)
    of_before = Label(head=Head.SENTIMENT, value=Sentiment.NEGATIVE)

    assert counts_of(database, Asked(at=TEN, revision=2, judged=(before, now), labels=(of_before,))).positive == 1
    assert counts_of(database, Asked(at=TEN, revision=2, judged=(before,))).unscored == 1


def test_an_unsure_sentiment_is_no_score_but_its_urgency_was_acted_on(database: Database) -> None:
    unsure = Judged(sentiment=Sentiment.NEUTRAL, urgency=Urgency.HIGH, unsure=True)

    counts = counts_of(database, Asked(at=TEN, judged=(unsure,)))

    assert (counts.neutral, counts.unscored, counts.urgency_high, counts.net_sentiment) == (0, 1, 1, None)


def test_net_sentiment_is_of_the_scored_posts_alone(database: Database) -> None:
    found = [Sentiment.POSITIVE, Sentiment.NEGATIVE, Sentiment.NEGATIVE]
    judged = [Asked(at=TEN, judged=(Judged(sentiment=sentiment),)) for sentiment in found]

    assert counts_of(database, *judged, Asked(at=TEN)).net_sentiment == -33.3


def test_a_deleted_post_is_still_counted(database: Database) -> None:
    gone = Asked(at=TEN, judged=(Judged(sentiment=Sentiment.NEGATIVE),), deleted=True)

    assert counts_of(database, gone).negative == 1


def test_other_profiles_posts_are_not_counted(database: Database) -> None:
    write(database, Past(asked=(Asked(at=TEN), Asked(at=TEN))), since=BEFORE)

    assert counts_of(database, Asked(at=TEN)).posts == 1
