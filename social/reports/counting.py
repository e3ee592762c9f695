"""The counting itself, in one statement that SQLite and PostgreSQL both understand.

Every post is labelled first (sentiment, urgency, what happened within its hour), then posts are counted by quarter of an
hour in UTC: the offsets of all time zones are multiples of that, so Python puts the quarters into local days and hours.

What happened is found without joining every post with every answer: posts, replies and the brand's own posts become one
stream of moments a conversation, in which a window function looks for the next answer after each post.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    String,
    Subquery,
    and_,
    case,
    cast,
    exists,
    extract,
    func,
    literal,
    null,
    select,
    type_coerce,
    union_all,
)
from sqlmodel import Session

from social.domain.assessment import UNKNOWN_LANGUAGE, Head, ModelIdentity, Sentiment, Urgency
from social.domain.deadline import CUSTOMERS_HOUR
from social.domain.decision import Outcome
from social.domain.post import require_aware
from social.domain.reply import ReplyKind, ReplyState
from social.reports.counts import Counts
from social.store.rows import c, t
from social.store.tables import AssessmentRow, LabelRow, PostRow, ReplyRow

_MICROSECOND = timedelta(microseconds=1)
_HOUR = CUSTOMERS_HOUR // _MICROSECOND
_SLOT = timedelta(minutes=15) // _MICROSECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Which outcome a public text of ours brings.
_BROUGHT_BY = {
    ReplyKind.ANSWER: "answered_within_hour",
    ReplyKind.ACKNOWLEDGEMENT: "acknowledged_within_hour",
    ReplyKind.HAND_OVER: "acknowledged_within_hour",
    ReplyKind.HOLDING: "acknowledged_within_hour",
    ReplyKind.CLOSED_NOTICE: "told_closed_within_hour",
}
if set(_BROUGHT_BY) != set(ReplyKind):
    raise AssertionError("_BROUGHT_BY must name every kind of reply")
#: The best first: a post that brought several counts for the first of them.
_OUTCOMES = tuple(dict.fromkeys(_BROUGHT_BY.values()))


#: A quarter of an hour by its beginning (UTC), the model that judged the posts of it (None: no judgement), their counts.
Slot: TypeAlias = tuple[datetime, ModelIdentity | None, Counts]


def count_posts(
    session: Session,
    profile_ids: Collection[int],
    *,
    start: datetime,
    end: datetime,
    languages: Collection[str],
    now: datetime,
) -> list[Slot]:
    """The posts of the range by quarter of an hour and model; ``end`` is not in the range."""
    labelled = _labelled(session, profile_ids, start, end, now).subquery("labelled")
    columns = labelled.c
    counted = {
        "posts": func.count(),
        **{f"{label}": _number(columns.sentiment == label.value) for label in Sentiment},
        "unscored": _number(columns.sentiment.is_(None)),
        **{f"urgency_{label}": _number(columns.urgency == label.value) for label in Urgency},
        "urgency_unscored": _number(columns.urgency.is_(None)),
        **{
            outcome: _number(columns.outcome == outcome)
            for outcome in (*_OUTCOMES, "nothing_within_hour", "not_measured")
        },
        "no_answer_needed": _number(and_(columns.outcome == "nothing_within_hour", columns.set_aside)),
        "corrected": _number(columns.corrected),
    }
    slot = columns.at - columns.at % _SLOT
    query = select(slot, columns.model_id, columns.model_version, *(counted[field.name] for field in fields(Counts)))
    if languages:
        query = query.where(columns.language.in_(languages))
    rows = session.execute(query.group_by(slot, columns.model_id, columns.model_version)).all()
    return [
        (
            _EPOCH + at * _MICROSECOND,
            None if model_id is None else ModelIdentity(id=model_id, version=version),
            Counts(**{field.name: int(number) for field, number in zip(fields(Counts), numbers, strict=True)}),
        )
        for at, model_id, version, *numbers in rows
    ]


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


# --- one row a post ----------------------------------------------------------------------------------------------------


def _labelled(
    session: Session, profile_ids: Collection[int], start: datetime, end: datetime, now: datetime
) -> Select[Any]:
    timeline = _timeline(session, profile_ids, start, end)
    posts, judged = c(PostRow), c(AssessmentRow)
    sentiment_label, urgency_label = _corrections(Head.SENTIMENT), _corrections(Head.URGENCY)
    # an unsure sentiment is a best guess, and without a model it is a mere "neutral": neither is a score
    unsure = type_coerce(judged.abstained, String).like(f'%"{Head.SENTIMENT.value}"%')
    guessed = case((unsure, null()), else_=judged.sentiment)
    return (
        select(
            timeline.c.at,
            func.coalesce(sentiment_label.c.value, guessed).label("sentiment"),
            func.coalesce(urgency_label.c.value, judged.urgency).label("urgency"),
            _outcome(timeline, now).label("outcome"),
            (posts.outcome == Outcome.IGNORED.value).label("set_aside"),
            (_changed(sentiment_label, guessed) | _changed(urgency_label, judged.urgency)).label("corrected"),
            func.coalesce(judged.language, UNKNOWN_LANGUAGE).label("language"),
            judged.model_id,
            judged.model_version,
        )
        .join(PostRow, posts.id == timeline.c.post_id)
        .outerjoin(AssessmentRow, _of_present_words(judged))
        .outerjoin(sentiment_label, _of_present_words(sentiment_label.c))
        .outerjoin(urgency_label, _of_present_words(urgency_label.c))
    )


def _of_present_words(columns: Any) -> ColumnElement[bool]:
    posts = c(PostRow)
    return and_(columns.post_id == posts.id, columns.revision_number == posts.revision_number)


def _changed(label: Subquery, judged: Any) -> ColumnElement[bool]:
    return and_(label.c.value.is_not(None), label.c.value.is_distinct_from(judged))


def _outcome(timeline: Subquery, now: datetime) -> ColumnElement[str]:
    columns = timeline.c
    over = columns.at + _HOUR < (require_aware(now, "now") - _EPOCH) // _MICROSECOND
    return case(
        (c(PostRow).history, "not_measured"),
        *((columns[outcome] <= columns.at + _HOUR, outcome) for outcome in _OUTCOMES),
        (over, "nothing_within_hour"),
        else_="not_measured",
    )


def _corrections(head: Head) -> Subquery:
    """The newest correction of ``head`` for each revision of a post."""
    labels = c(LabelRow)
    age = func.row_number().over(
        partition_by=(labels.post_id, labels.revision_number), order_by=(labels.made_at.desc(), labels.id.desc())
    )
    ranked = select(labels.post_id, labels.revision_number, labels.value, age.label("age"))
    of_head = ranked.where(labels.head == head.value).subquery()
    newest = select(of_head.c.post_id, of_head.c.revision_number, of_head.c.value).where(of_head.c.age == 1)
    return newest.subquery(f"{head.value}_label")


# --- what happened after each post -------------------------------------------------------------------------------------


def _timeline(session: Session, profile_ids: Collection[int], start: datetime, end: datetime) -> Subquery:
    """``post_id, at``, and for each outcome the moment of the next text that brings it, at ``at`` or later (or null)."""
    posts = c(PostRow)
    asked = select(
        posts.id.label("post_id"),
        posts.conversation_id,
        _instant(session, posts.created_at).label("at"),
        cast(null(), String).label("brings"),
    ).where(posts.profile_id.in_(profile_ids), posts.ours.is_(False), posts.created_at >= start, posts.created_at < end)
    latest = end + CUSTOMERS_HOUR
    moments = union_all(
        asked, _replies(session, profile_ids, start, latest), _answers_by_app(session, profile_ids, start, latest)
    ).subquery("moments")

    def next_moment(outcome: str) -> ColumnElement[int]:
        # backwards in time, and by RANGE (the default), so that a text of the same microsecond is "at" the post
        found = func.min(case((moments.c.brings == outcome, moments.c.at)))
        return found.over(partition_by=moments.c.conversation_id, order_by=moments.c.at.desc())

    seen = select(
        moments.c.post_id, moments.c.at, *(next_moment(outcome).label(outcome) for outcome in _OUTCOMES)
    ).subquery("seen")
    return select(seen).where(seen.c.post_id.is_not(None)).subquery("timeline")


def _replies(session: Session, profile_ids: Collection[int], start: datetime, latest: datetime) -> Select[Any]:
    """Only what was really sent: a dry run's ``would-have-sent`` is nothing to a customer."""
    replies = c(ReplyRow)
    brings = case({kind.value: outcome for kind, outcome in _BROUGHT_BY.items()}, value=replies.kind)
    return select(cast(null(), Integer), replies.conversation_id, _instant(session, replies.sent_at), brings).where(
        replies.profile_id.in_(profile_ids),
        replies.state == ReplyState.SENT.value,
        replies.sent_at >= start,
        replies.sent_at <= latest,
    )


def _answers_by_app(session: Session, profile_ids: Collection[int], start: datetime, latest: datetime) -> Select[Any]:
    """Own posts that no reply explains: a person's answers in the network's own app, each to the first customer above it,
    past further parts of our own (as ``social.store.posts`` finds them when they come in)."""
    posts, replies = c(PostRow), c(ReplyRow)
    # a difference, since by "profile = profile" SQLite would read all replies of the profile for each own post
    explained = exists().where(replies.external_id == posts.native_id, replies.profile_id - posts.profile_id == 0)
    climb = (
        select(
            posts.id,
            _instant(session, posts.created_at).label("at"),
            posts.network,
            posts.profile_id,
            posts.in_reply_to.label("above"),
        )
        .where(
            posts.profile_id.in_(profile_ids),
            posts.ours,
            posts.in_reply_to.is_not(None),
            posts.created_at >= start,
            posts.created_at <= latest,
            ~explained,
        )
        .cte("climb", recursive=True)
    )
    own, customers = t(PostRow).alias("own"), t(PostRow).alias("customers")
    # UNION, not UNION ALL: a thread that some network ties into a ring ends the climb
    climb = climb.union(
        select(climb.c.id, climb.c.at, climb.c.network, climb.c.profile_id, own.c.in_reply_to)
        .join(own, _is_above(own.c, climb))
        .where(own.c.ours, own.c.in_reply_to.is_not(None))
    )
    return (
        select(
            cast(null(), Integer),
            customers.c.conversation_id,
            climb.c.at,
            literal(_BROUGHT_BY[ReplyKind.ANSWER], String),
        )
        .join(customers, _is_above(customers.c, climb))
        .where(customers.c.ours.is_(False))
    )


def _is_above(columns: Any, climb: CTE) -> ColumnElement[bool]:
    return and_(
        columns.network == climb.c.network,
        columns.profile_id == climb.c.profile_id,
        columns.native_id == climb.c.above,
    )


def _instant(session: Session, column: Any) -> ColumnElement[int]:
    """Microseconds since 1970, exactly, so that "within the hour" is no matter of rounding."""
    if session.get_bind().dialect.name == "postgresql":
        return cast(extract("epoch", column) * 1_000_000, BigInteger)
    # SQLite keeps "2027-03-28 01:59:59.999900" and rounds it to milliseconds when asked for seconds
    written = type_coerce(column, String)
    seconds = cast(func.strftime("%s", func.substr(written, 1, 19)), BigInteger)
    return seconds * 1_000_000 + cast(func.substr(written, 21, 6), BigInteger)
