"""Read models of the people's queue: what the list shows of every case, and everything about one of them.

Plain values, made in one short read. Texts are those of customers: whoever shows them decides how to make them safe.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlmodel import Session

from social.domain.assessment import Assessment, Head, Sentiment, Urgency
from social.domain.deadline import Clocks, Targets, clocks, queue_key
from social.domain.errors import NotFound
from social.domain.escalation import WAITING_STATES, EscalationState
from social.domain.hours import BusinessCalendar
from social.domain.reply import ReplyState, SentBy
from social.store import outbox
from social.store.mapping import assessment_from
from social.store.notes import Note, notes_of
from social.store.rows import among, c
from social.store.session import machine_time_of
from social.store.tables import (
    AssessmentRow,
    AuthorRow,
    BrandRow,
    ConversationRow,
    DecisionRow,
    EscalationRow,
    EventRow,
    PostRow,
    ProfileRow,
    ReplyRow,
    UserRow,
)
from social.store.threads import Entry, Said, Side, name_of, names_of, said_of, thread

__all__ = [
    "CaseView",
    "Entry",
    "Place",
    "QueueItem",
    "Said",
    "Seen",
    "Side",
    "case",
    "in_order",
    "lines",
    "read_mark",
    "seen_of",
    "unknown_replies",
]

EXCERPT = 140
EARLIER_CONTACTS = 10
#: A brand that left the configuration has no hours: its business clock never runs out.
NEVER_OPEN = BusinessCalendar(timezone=ZoneInfo("UTC"), weekly=((),) * 7)

Calendars = Mapping[str, BusinessCalendar]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem:
    """One line of the queue. ``excerpt`` is the start of the post that opened the case, on one line, empty where its
    author deleted it; ``newest_post_id`` is the customer's last word."""

    case_id: int
    state: EscalationState
    urgency: Urgency
    sentiment: Sentiment | None
    sentiment_sure: bool
    language: str | None
    brand: str
    profile: str
    network: str
    author: str
    account: str  # the author's number on the network, as `social author` takes it
    waiting_since: datetime
    clocks: Clocks
    post_id: int
    newest_post_id: int
    excerpt: str
    deleted: bool
    messages: int  # how many posts of the customer the contact holds
    said: tuple[Said, ...]  # the robot's texts in this conversation, cancelled ones left out
    taken_by: str | None
    taken_at: datetime | None
    formal: bool
    deadline_at: datetime | None
    rule: str
    reason: str
    note: str | None
    permalink: str | None
    author_id: int
    incident_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A case's place in the queue, and what it depends on."""

    case_id: int
    brand: str
    urgency: Urgency
    clocks: Clocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """An earlier conversation of the same author (or of the same person, where a customer's consent joined them)."""

    conversation_id: int
    profile: str
    opened_at: datetime
    excerpt: str
    case_id: int | None
    ended: str  # "answered", "closed: answered by phone", "taken", "" where there was no case
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoned:
    """Why the policy did what it did with one post."""

    post_id: int
    made_at: datetime
    rule: str
    reason: str
    urgency: Urgency
    outcome: str
    policy_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """A line of the audit log."""

    at: datetime
    actor: str
    verb: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What of the customer was on the screen: whoever acts says what they read. Post and revision are those of the newest
    message; how many there are, and the sum of their revisions, tell of an older one that was edited or came late. A mark
    of a version before these counts has none, so that it fits nothing."""

    post_id: int
    revision_number: int
    posts: int = 0
    revisions: int = 0

    def __str__(self) -> str:
        return f"{self.post_id}:{self.revision_number}:{self.posts}:{self.revisions}"

    @property
    def tells_all(self) -> bool:
        return self.posts > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    item: QueueItem
    opened_at: datetime
    answered_at: datetime | None
    answered_natively: bool
    closed_at: datetime | None
    close_reason: str | None
    thread: tuple[Entry, ...]
    earlier: tuple[Contact, ...]
    decisions: tuple[Reasoned, ...]
    assessment: Assessment | None
    unknown: tuple[Said, ...]  # nobody can tell whether these were published: a person must look
    history: tuple[Happening, ...]
    notes: tuple[Note, ...]
    writing: bool  # somebody's draft is open just now
    seen: Seen


# --- the list ----------------------------------------------------------------------------------------------------------


def in_order(
    session: Session,
    *,
    now: datetime,
    calendars: Calendars,
    profile: str | None = None,
    taken_by: str | None = None,
) -> list[Place]:
    """All cases that wait for a person: critical, high, then the next clock to break, then the longest waiting.
    ``calendars`` by the brand's name. Reads no more of each than that takes: after a flood they are very many."""
    cases = c(EscalationRow)
    query = (
        select(
            cases.id,
            cases.state,
            cases.urgency,
            cases.waiting_since,
            cases.deadline_at,
            cases.formal,
            cases.answered_at,
            cases.closed_at,
            c(ConversationRow).waiting_since.label("contact_since"),
            c(BrandRow).name.label("brand"),
        )
        .join(ConversationRow, c(ConversationRow).id == cases.conversation_id)
        .join(BrandRow, c(BrandRow).id == cases.brand_id)
        .where(cases.state.in_([state.value for state in WAITING_STATES]))
    )
    if profile is not None:
        query = query.join(ProfileRow, c(ProfileRow).id == cases.profile_id).where(c(ProfileRow).name == profile)
    if taken_by is not None:
        query = query.join(UserRow, c(UserRow).id == cases.taken_by).where(c(UserRow).name == taken_by)
    found = [
        Place(
            case_id=row.id,
            brand=row.brand,
            urgency=Urgency(row.urgency),
            clocks=_clocks_of(row, row.contact_since, calendars.get(row.brand, NEVER_OPEN)),
        )
        for row in session.execute(query)
    ]
    return sorted(found, key=lambda place: (*queue_key(place.urgency, place.clocks, now), place.case_id))


def lines(session: Session, places: Sequence[Place]) -> list[QueueItem]:
    """What the list shows of these cases, in this order."""
    wanted = [place.case_id for place in places]
    rows = {row[0].id: row for row in session.execute(_cases().where(among(c(EscalationRow).id, wanted)))}
    return _items(session, [(rows[place.case_id], place.clocks) for place in places if place.case_id in rows])


def unknown_replies(session: Session) -> list[Said]:
    """Every reply that waits to be settled by a person, oldest first."""
    query = select(ReplyRow).where(c(ReplyRow).state == ReplyState.UNKNOWN.value).order_by(c(ReplyRow).id)
    rows = list(session.execute(query).scalars())
    names = names_of(session, rows)
    return [said_of(row, names) for row in rows]


def _cases() -> Select[Any]:
    return (
        select(EscalationRow, ConversationRow, PostRow, AuthorRow, ProfileRow, c(BrandRow).name, c(UserRow).name)
        .join(ConversationRow, c(ConversationRow).id == c(EscalationRow).conversation_id)
        .join(PostRow, c(PostRow).id == c(EscalationRow).post_id)
        .join(AuthorRow, c(AuthorRow).id == c(ConversationRow).author_id)
        .join(ProfileRow, c(ProfileRow).id == c(EscalationRow).profile_id)
        .join(BrandRow, c(BrandRow).id == c(EscalationRow).brand_id)
        .outerjoin(UserRow, c(UserRow).id == c(EscalationRow).taken_by)
    )


def _clocks_of(case: Any, contact_since: datetime | None, calendar: BusinessCalendar) -> Clocks:
    """``case``: its row, or as much of it as clocks need. ``contact_since``: since when the customer waits."""
    ended = case.state not in {state.value for state in WAITING_STATES}
    # part of the contact may be answered already: then it is the rest that waits
    since = case.waiting_since if ended else contact_since or case.waiting_since
    targets = Targets()
    if case.deadline_at is not None and case.deadline_at > since:
        targets = Targets(formal=case.deadline_at - since)
    return clocks(
        waiting_since=since,
        calendar=calendar,
        answered_at=(case.answered_at or case.closed_at) if ended else None,
        formal=case.formal and case.deadline_at is not None,
        targets=targets,
    )


def _items(session: Session, timed: Sequence[tuple[Any, Clocks]]) -> list[QueueItem]:
    conversations = [row[1].id for row, _ in timed]
    replies = outbox.of_conversations(session, conversations)
    names = names_of(session, replies)
    said: dict[int, list[Said]] = defaultdict(list)
    for reply in replies:
        if reply.sent_by == SentBy.ROBOT.value and reply.state != ReplyState.CANCELLED.value:
            said[reply.conversation_id].append(said_of(reply, names))
    theirs = _customers_posts(session, conversations)
    judged = _assessments(session, [row[2] for row, _ in timed])
    return [_item(row, running, judged.get(row[2].id), theirs[row[1].id], said[row[1].id]) for row, running in timed]


def _item(
    row: Any, running: Clocks, judged: Assessment | None, theirs: Sequence[Any], said: Sequence[Said]
) -> QueueItem:
    case, _, post, author, profile, brand, user = row
    return QueueItem(
        case_id=case.id,
        state=EscalationState(case.state),
        urgency=Urgency(case.urgency),
        sentiment=judged.sentiment if judged else None,
        sentiment_sure=judged is not None and Head.SENTIMENT not in judged.abstained,
        language=judged.language if judged else None,
        brand=brand,
        profile=profile.name,
        network=profile.network,
        author=name_of(author),
        account=author.native_id,
        waiting_since=running.waiting_since,
        clocks=running,
        post_id=post.id,
        newest_post_id=max((item.created_at, item.id) for item in theirs)[1] if theirs else post.id,
        excerpt=excerpt(post.text),
        deleted=post.deleted_at is not None,
        messages=sum(item.created_at >= running.waiting_since for item in theirs),
        said=tuple(said),
        taken_by=user,
        taken_at=case.taken_at,
        formal=case.formal,
        deadline_at=case.deadline_at,
        rule=case.rule,
        reason=case.reason,
        note=case.note,
        permalink=post.permalink,
        author_id=author.id,
        incident_id=case.incident_id,
    )


# --- one case ----------------------------------------------------------------------------------------------------------


def case(session: Session, case_id: int, *, now: datetime, calendars: Calendars) -> CaseView:
    """Everything about one case, also an ended one. Raises ``NotFound``."""
    row = session.execute(_cases().where(c(EscalationRow).id == case_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no case {case_id}.", next_step="See them with: social queue list")
    found, conversation, post, author = row[0], row[1], row[2], row[3]
    running = _clocks_of(found, conversation.waiting_since, calendars.get(row[5], NEVER_OPEN))
    (item,) = _items(session, [(row, running)])
    replies = outbox.of_conversations(session, [conversation.id])
    names = names_of(session, replies)
    posts = list(
        session.execute(
            select(PostRow)
            .where(c(PostRow).conversation_id == conversation.id)
            .order_by(c(PostRow).created_at, c(PostRow).id)
        ).scalars()
    )
    newest = next(row for row in posts if row.id == item.newest_post_id)
    judged = _assessments(session, [newest, post])
    return CaseView(
        item=item,
        opened_at=found.opened_at,
        answered_at=found.answered_at,
        answered_natively=found.answered_natively,
        closed_at=found.closed_at,
        close_reason=found.close_reason,
        thread=thread(session, conversation, posts, replies, names),
        earlier=_earlier(session, conversation, author),
        decisions=_decisions(session, [row.id or 0 for row in posts]),
        assessment=judged.get(newest.id or 0) or judged.get(post.id),
        unknown=tuple(said_of(reply, names) for reply in replies if reply.state == ReplyState.UNKNOWN.value),
        history=_history(session, case_id),
        notes=notes_of(session, conversation.id),
        writing=found.draft_until is not None and found.draft_until > machine_time_of(session),
        seen=seen_of(posts),
    )


def _earlier(session: Session, conversation: ConversationRow, author: AuthorRow) -> tuple[Contact, ...]:
    authors = select(c(AuthorRow).id).where(
        (c(AuthorRow).id == author.id) if author.person_id is None else (c(AuthorRow).person_id == author.person_id)
    )
    columns = c(ConversationRow)
    rows = session.execute(
        select(ConversationRow, c(ProfileRow).name)
        .join(ProfileRow, c(ProfileRow).id == columns.profile_id)
        .where(columns.author_id.in_(authors), columns.id != conversation.id)
        .order_by(columns.opened_at.desc())
        .limit(EARLIER_CONTACTS)
    ).all()
    ids = [row.id for row, _ in rows]
    first: dict[int, str] = {}
    posts = select(PostRow).where(c(PostRow).conversation_id.in_(ids)).order_by(c(PostRow).created_at.desc())
    for post in session.execute(posts).scalars():
        first[post.conversation_id] = excerpt(post.text)
    cases: dict[int, EscalationRow] = {}
    found = select(EscalationRow).where(c(EscalationRow).conversation_id.in_(ids)).order_by(c(EscalationRow).id)
    for item in session.execute(found).scalars():
        cases[item.conversation_id] = item
    return tuple(_contact(row, name, first.get(row.id, ""), cases.get(row.id)) for row, name in rows)


def _contact(row: ConversationRow, profile: str, text: str, found: EscalationRow | None) -> Contact:
    ended = ""
    if found is not None:
        ended = found.state if found.close_reason is None else f"{found.state}: {found.close_reason}"
    return Contact(
        conversation_id=row.id or 0,
        profile=profile,
        opened_at=row.opened_at,
        excerpt=text,
        case_id=found.id if found else None,
        ended=ended,
        ended_at=(found.closed_at or found.answered_at) if found else row.person_answered_at,
    )


def _decisions(session: Session, post_ids: Sequence[int]) -> tuple[Reasoned, ...]:
    query = select(DecisionRow).where(c(DecisionRow).post_id.in_(post_ids)).order_by(c(DecisionRow).id)
    return tuple(
        Reasoned(
            post_id=row.post_id,
            made_at=row.made_at,
            rule=row.rule,
            reason=row.reason,
            urgency=Urgency(row.urgency),
            outcome=row.outcome,
            policy_version=row.policy_version,
        )
        for row in session.execute(query).scalars()
    )


def _history(session: Session, case_id: int) -> tuple[Happening, ...]:
    columns = c(EventRow)
    query = select(EventRow).where(columns.subject_kind == "case", columns.subject_id == case_id).order_by(columns.id)
    return tuple(Happening(at=row.at, actor=row.actor, verb=row.verb) for row in session.execute(query).scalars())


# --- what was seen -----------------------------------------------------------------------------------------------------


def seen_of(posts: Sequence[PostRow]) -> Seen:
    """The mark of a conversation's ``posts``, oldest first, as they are now."""
    theirs = [post for post in posts if not post.ours]
    if not theirs:
        return Seen(post_id=0, revision_number=0)
    return Seen(
        post_id=theirs[-1].id or 0,
        revision_number=theirs[-1].revision_number,
        posts=len(theirs),
        revisions=sum(post.revision_number for post in theirs),
    )


def read_mark(told: str) -> Seen | None:
    """``12:1:3:4`` -> what was seen; ``12:1`` or ``12``, as earlier versions wrote it, fits nothing. ``None``: no mark."""
    parts = told.split(":")
    digits = all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts)
    if not digits or len(parts) not in (1, 2, 4):
        return None
    post, revision, posts, revisions = (*map(int, parts), *(1, 0, 0)[len(parts) - 1 :])
    return Seen(post_id=post, revision_number=revision, posts=posts, revisions=revisions)


# --- pieces ------------------------------------------------------------------------------------------------------------


def excerpt(text: str) -> str:
    """The first 140 characters on one line."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1].rstrip() + "…"


def _customers_posts(session: Session, conversations: Sequence[int]) -> dict[int, list[Any]]:
    columns = c(PostRow)
    found: dict[int, list[Any]] = defaultdict(list)
    query = select(columns.conversation_id, columns.id, columns.created_at).where(
        columns.conversation_id.in_(conversations)
    )
    for row in session.execute(query):
        found[row.conversation_id].append(row)
    return found


def _assessments(session: Session, posts: Sequence[PostRow]) -> dict[int, Assessment]:
    """Of each post's present revision; an edited post that is not judged again yet keeps the older judgement."""
    columns = c(AssessmentRow)
    query = select(AssessmentRow).where(columns.post_id.in_([post.id for post in posts]))
    return {
        row.post_id: assessment_from(row) for row in session.execute(query.order_by(columns.revision_number)).scalars()
    }
