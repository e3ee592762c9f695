"""A made-up past as plain values, written into a database as rows; and the same past counted by hand, in plain Python.

The count shares nothing with the product's but the names of the figures: loops over values, no SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from social.domain.assessment import Head, ModelIdentity, Sentiment, Urgency
from social.domain.post import ProfileMode
from social.domain.reply import ReplyKind, ReplyState, SentBy
from social.reports.buckets import By
from social.reports.counts import Counts
from social.reports.queries import SentimentQuery
from social.reports.report import SentimentReport, make_report
from social.store import profiles
from social.store.mapping import assessment_values
from social.store.session import Database
from social.store.tables import (
    AssessmentRow,
    AuthorRow,
    ConversationRow,
    LabelRow,
    PostRow,
    ReplyRow,
    UserRow,
)
from tests.cast import WARSAW, at
from tests.factories import assessment

HOUR = timedelta(hours=1)
CANARY = "kanarek-w-tekście"
_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A judgement of one revision of a post. ``unsure``: the sentiment is only a guess."""

    revision: int = 1
    sentiment: Sentiment = Sentiment.NEUTRAL
    urgency: Urgency = Urgency.NORMAL
    unsure: bool = False
    language: str = "pl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a person said of one revision, at ``minute`` (a later one wins)."""

    head: Head
    value: Sentiment | Urgency
    revision: int = 1
    minute: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A customer's post."""

    at: datetime
    conversation: int = 0
    revision: int = 1
    judged: tuple[Judged, ...] = ()
    labels: tuple[Label, ...] = ()
    history: bool = False
    deleted: bool = False
    ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """A row of the outbox, and when it was (or would have been) public."""

    at: datetime
    conversation: int = 0
    kind: ReplyKind = ReplyKind.ACKNOWLEDGEMENT
    state: ReplyState = ReplyState.SENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A post of the profile itself, under customer's post ``to_asked`` or own post ``to_own`` (an earlier one), or under
    nothing of both. ``explained``: a reply of the outbox is this very post."""

    at: datetime
    to_asked: int | None = None
    to_own: int | None = None
    explained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    asked: tuple[Asked, ...]
    replied: tuple[Replied, ...] = ()
    own: tuple[Own, ...] = ()
    mode: ProfileMode = ProfileMode.ACKNOWLEDGE
    name: str = field(default_factory=lambda: f"profile-{next(_numbers)}")


# --- as rows -----------------------------------------------------------------------------------------------------------


def write(database: Database, past: Past, *, since: datetime) -> str:
    """Write it under a profile of its own, which was first polled at ``since``; its name."""
    with database.write() as session:
        wanted = profiles.WantedProfile(name=past.name, brand="Fikcja", network="fake", mode=past.mode)
        profiles.synchronise(session, [wanted], now=since)
        session.flush()
        profile = profiles.by_name(session, past.name)
        assert profile is not None
        _Writing(session, past, profile.id, profile.brand_id).all()
    return past.name


def _judged(when: str, sentiment: Sentiment, **more: Any) -> Asked:
    return Asked(at=at(when), judged=(Judged(sentiment=sentiment, urgency=Urgency.HIGH),), **more)


def made(database: Database, by: By) -> SentimentReport:
    """A week with something of each kind in it."""
    past = Past(
        asked=(
            _judged("2026-11-16 10:00", Sentiment.NEGATIVE),
            _judged("2026-11-16 12:00", Sentiment.NEGATIVE, conversation=1, deleted=True),
            _judged("2026-11-18 10:00", Sentiment.POSITIVE, conversation=2, ignored=True),
            Asked(at=at("2026-11-22 23:59"), conversation=3),
        ),
        replied=(Replied(at=at("2026-11-16 10:40")),),
    )
    name = write(database, past, since=at("2026-11-01 08:00"))
    query = SentimentQuery(
        from_day=date(2026, 11, 16), to_day=date(2026, 11, 23), by=by, time_zone=WARSAW, profiles=(name,)
    )
    with database.read() as session:
        return make_report(session, query, now=at("2026-11-24 09:00"))


def with_names(report: SentimentReport, name: str) -> SentimentReport:
    """The same report of a profile, a network and a model that are called so."""
    told = replace(
        report.provenance, profiles={name: name}, models={ModelIdentity(id=name, version=name): 3}, source=name
    )
    return replace(report, provenance=told)


class _Writing:
    def __init__(self, session: Session, past: Past, profile_id: int, brand_id: int) -> None:
        self.session, self.past = session, past
        self.owner = {"profile_id": profile_id, "brand_id": brand_id}
        self.author = self._add(
            AuthorRow(network="fake", native_id=past.name, handle=CANARY, display_name=f"=HYPERLINK({CANARY})")
        )
        self.user = self._add(UserRow(name=f"{CANARY}-{past.name}", created_at=past.asked[0].at))
        self.conversations: dict[int, int] = {}

    def all(self) -> None:
        asked = [self._asked(f"asked-{number}", item) for number, item in enumerate(self.past.asked)]
        for item in self.past.replied:
            self._replied(asked[0], self._conversation(item.conversation), item)
        for number, item in enumerate(self.past.own):
            self._own(asked[0], f"own-{number}", item)

    def _add(self, row: object) -> int:
        self.session.add(row)
        self.session.flush()
        return int(row.id)  # type: ignore[attr-defined]

    def _conversation(self, number: int) -> int:
        if number not in self.conversations:
            at = self.past.asked[0].at
            row = ConversationRow(
                **self.owner,
                author_id=self.author,
                thread_root=f"thread-{number}",
                opened_at=at,
                last_customer_at=at,
            )
            self.conversations[number] = self._add(row)
        return self.conversations[number]

    def _post(self, native_id: str, at: datetime, conversation: int, **more: object) -> int:
        row = PostRow(
            **self.owner,
            conversation_id=self._conversation(conversation),
            author_id=self.author,
            network="fake",
            native_id=native_id,
            kind="comment",
            thread_root=f"thread-{conversation}",
            text=CANARY,
            created_at=at,
            received_at=at,
            state="judged",
            **more,
        )
        return self._add(row)

    def _asked(self, native_id: str, item: Asked) -> int:
        post = self._post(
            native_id,
            item.at,
            item.conversation,
            revision_number=item.revision,
            history=item.history,
            deleted_at=item.at if item.deleted else None,
            outcome="ignored" if item.ignored else "escalated",
        )
        for judged in item.judged:
            found = assessment(
                language=judged.language,
                sentiment=judged.sentiment,
                urgency=judged.urgency,
                abstained={Head.SENTIMENT, Head.FLAGS} if judged.unsure else {Head.LANGUAGE},
            )
            keys = {"post_id": post, "revision_number": judged.revision, "made_at": item.at}
            self._add(AssessmentRow(**keys, **assessment_values(found)))
        for label in item.labels:
            row = LabelRow(
                post_id=post,
                revision_number=label.revision,
                network="fake",
                user_id=self.user,
                head=label.head.value,
                value=label.value.value,
                was="",
                made_at=item.at + timedelta(minutes=label.minute),
            )
            self._add(row)
        return post

    def _replied(self, post: int, conversation: int, item: Replied, external_id: str | None = None) -> None:
        row = ReplyRow(
            **self.owner,
            conversation_id=conversation,
            post_id=post,
            author_id=self.author,
            kind=item.kind.value,
            sent_by=(SentBy.PERSON if item.kind is ReplyKind.ANSWER else SentBy.ROBOT).value,
            text=CANARY,
            language="pl",
            variant="test",
            facts={},
            key=f"key-{next(_numbers)}",
            state=item.state.value,
            due_at=item.at,
            created_at=item.at,
            sent_at=item.at if item.state is ReplyState.SENT else None,
            external_id=external_id,
        )
        self._add(row)

    def _own(self, post: int, native_id: str, item: Own) -> None:
        above = f"asked-{item.to_asked}" if item.to_asked is not None else None
        above = f"own-{item.to_own}" if item.to_own is not None else above
        # our own announcement (or a post that was never seen) is above nobody's
        self._post(native_id, item.at, 1000, ours=True, in_reply_to=above or "never-seen")
        if item.explained:
            # a robot's doubtful text that was found there: it is nobody's answer, and brings nothing by itself here
            reply = Replied(at=item.at, state=ReplyState.REFUSED)
            self._replied(post, self._conversation(1000), reply, external_id=native_id)


# --- counted by hand ---------------------------------------------------------------------------------------------------


def plain_count(
    past: Past, *, start: datetime, end: datetime, now: datetime, languages: Sequence[str] = ()
) -> list[tuple[datetime, Counts]]:
    """Each post of the range with its own row of figures, ``posts`` 1."""
    answers = _answers(past)
    counted = []
    for item in past.asked:
        judged = next((found for found in item.judged if found.revision == item.revision), None)
        language = judged.language if judged else "und"
        if start <= item.at < end and (not languages or language in languages):
            counted.append((item.at, _figures(item, judged, past, answers, now)))
    return counted


def summed(counted: Sequence[tuple[datetime, Counts]]) -> Counts:
    return sum((counts for _, counts in counted), start=Counts())


def _figures(
    item: Asked, judged: Judged | None, past: Past, answers: Sequence[tuple[int, datetime]], now: datetime
) -> Counts:
    guess = judged.sentiment if judged and not judged.unsure else None
    urgency = judged.urgency if judged else None
    sentiment_said, urgency_said = _newest(item, Head.SENTIMENT), _newest(item, Head.URGENCY)
    corrected = (sentiment_said not in (None, guess)) or (urgency_said not in (None, urgency))
    outcome = _outcome(item, past, answers, now)
    names = [
        str(sentiment_said or guess or "unscored"),
        f"urgency_{urgency_said or urgency or 'unscored'}",
        outcome,
        *(["corrected"] if corrected else []),
        *(["no_answer_needed"] if item.ignored and outcome == "nothing_within_hour" else []),
    ]
    return replace(Counts(posts=1), **dict.fromkeys(names, 1))


def _newest(item: Asked, head: Head) -> Sentiment | Urgency | None:
    said = [label for label in item.labels if label.head is head and label.revision == item.revision]
    # of two in the same minute the one that was written later wins
    return max(enumerate(said), key=lambda pair: (pair[1].minute, pair[0]))[1].value if said else None


def _answers(past: Past) -> list[tuple[int, datetime]]:
    """(conversation, when) of every person's answer."""
    found = [(item.conversation, item.at) for item in past.replied if _public(item) and item.kind is ReplyKind.ANSWER]
    for item in past.own:
        top = item
        while top.to_own is not None:
            top = past.own[top.to_own]
        if top.to_asked is not None and not item.explained:
            found.append((past.asked[top.to_asked].conversation, item.at))
    return found


def _public(item: Replied) -> bool:
    return item.state is ReplyState.SENT


def _outcome(item: Asked, past: Past, answers: Sequence[tuple[int, datetime]], now: datetime) -> str:
    def in_the_hour(conversation: int, at: datetime) -> bool:
        return conversation == item.conversation and item.at <= at <= item.at + HOUR

    if item.history:
        return "not_measured"
    if any(in_the_hour(*answer) for answer in answers):
        return "answered_within_hour"
    kinds = {reply.kind for reply in past.replied if _public(reply) and in_the_hour(reply.conversation, reply.at)}
    if kinds & {ReplyKind.ACKNOWLEDGEMENT, ReplyKind.HAND_OVER, ReplyKind.HOLDING}:
        return "acknowledged_within_hour"
    if ReplyKind.CLOSED_NOTICE in kinds:
        return "told_closed_within_hour"
    return "nothing_within_hour" if now > item.at + HOUR else "not_measured"


def by_hand(counted: Sequence[tuple[datetime, Counts]], zone: ZoneInfo, form: str) -> dict[str, Counts]:
    """Summed by what ``strftime`` makes of the local time: ``%Y-%m-%d``, ``%G-W%V``, ``%a %H:00``."""
    rows: dict[str, Counts] = {}
    for moment, counts in counted:
        label = moment.astimezone(zone).strftime(form)
        rows[label] = rows.get(label, Counts()) + counts
    return rows


def filled(report: SentimentReport) -> dict[str, Counts]:
    """The rows in which something happened."""
    return {row.bucket.label: row.counts for row in report.rows if row.counts.posts}
