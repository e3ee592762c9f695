"""Who wrote it, what was said before, who is on it: the facts that a decision looks at, read in bulk."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, func, or_, select
from sqlmodel import Session

from social.domain.assessment import Assessment
from social.domain.decision import AuthorFacts, ConversationFacts, PostFacts
from social.domain.escalation import REOPEN_WITHIN, EscalationState
from social.domain.post import PostRef
from social.domain.reply import ACTIVE_STATES, PUBLIC_STATES, ReplyKind, ReplyState, SentBy
from social.store import outbox
from social.store.mapping import Post, assessment_from, facts_from, native_names, ref_from
from social.store.rows import among, c, t
from social.store.tables import (
    AssessmentRow,
    AuthorRow,
    ConversationRow,
    EscalationRow,
    PostRow,
    ReplyRow,
    RevisionRow,
)
from social.store.threads import conversations_in

_COUNTED = tuple(state.value for state in PUBLIC_STATES | ACTIVE_STATES)
#: The rule whose end of automation leaves room for its own confirmation; any other reason leaves none, and takes its place.
ASKED_FOR_A_PERSON = "wants-human"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecalledPost:
    """One post with everything known around it. ``assessment`` is there if this revision was judged before; ``planned`` says
    that a text of the robot is planned in its conversation."""

    id: int
    revision_number: int
    brand_id: int
    profile_id: int
    conversation_id: int
    author_id: int
    post: PostFacts
    conversation: ConversationFacts
    author: AuthorFacts
    assessment: Assessment | None
    planned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ToJudge:
    """What the classifier needs of a post, and who reads its thread. ``judged``: this revision has an assessment; ``before``:
    what its customer wrote just before in this conversation, unless a person has answered that."""

    id: int
    profile_id: int
    text: str
    before: str | None
    language_hint: str | None
    context_language: str | None
    judged: bool
    after_gap: bool
    history: bool
    ref: PostRef


def to_judge(session: Session, post_ids: Collection[int]) -> list[ToJudge]:
    """The texts of ``post_ids``, oldest first. Nothing here decides anything: whatever does is recalled again under locks."""
    posts, judged = c(PostRow), c(AssessmentRow)
    same_revision = and_(judged.post_id == posts.id, judged.revision_number == posts.revision_number)
    rows = session.execute(
        select(*(posts[name] for name in _TO_JUDGE), c(AuthorRow).native_id.label("author"), judged.id.label("judged"))
        .join(AuthorRow, c(AuthorRow).id == posts.author_id)
        .outerjoin(AssessmentRow, same_revision)
        .where(among(posts.id, post_ids))
        .order_by(posts.created_at, posts.id)
    ).all()
    languages = _languages(session, {row.author_id for row in rows})
    waiting = [row for row in rows if row.judged is None]
    before = _written_before(session, [row for row in waiting if len(_HANDLES.sub("", row.text).strip()) <= SHORT])
    return [
        ToJudge(
            id=row.id,
            profile_id=row.profile_id,
            text=row.text,
            before=before.get(row.id),
            language_hint=row.language_hint,
            context_language=languages.get(row.author_id),
            judged=row.judged is not None,
            after_gap=row.after_gap,
            history=row.history,
            ref=ref_from(row, row.author),
        )
        for row in rows
    ]


def _written_before(session: Session, rows: Sequence[Row[Any]]) -> dict[int, str]:
    """Id of a post -> the text that its customer wrote before it in the same conversation, where no person has answered since
    (the robot's acknowledgement answers nothing)."""
    if not rows:
        return {}
    post, earlier, talk = c(PostRow), t(PostRow).alias("earlier").c, c(ConversationRow)
    text = (
        select(earlier.text)
        .where(
            earlier.conversation_id == post.conversation_id,
            earlier.created_at < post.created_at,
            earlier.ours.is_(False),
            earlier.deleted_at.is_(None),
            or_(talk.person_answered_at.is_(None), talk.person_answered_at < earlier.created_at),
        )
        .order_by(earlier.created_at.desc(), earlier.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    found = session.execute(
        select(post.id, text.label("before"))
        .join(ConversationRow, talk.id == post.conversation_id)
        .where(among(post.id, [row.id for row in rows]))
    )
    return {row.id: row.before for row in found if row.before}


#: A text of more characters, the handles in front of it left out, is never too short to be judged alone.
SHORT = 40
_HANDLES = re.compile(r"@\S+")
_REFERENCE = ("native_id", "thread_root", "kind", "created_at", "private", "native")
_TO_JUDGE = ("id", "profile_id", "author_id", "text", "language_hint", "after_gap", "history", *_REFERENCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What a person answered to a customer. In the network's app it is to one post (``to``), written at ``at``, and they saw
    what was there; at the desk (``to`` is ``None``) they saw what had come in until ``at``, when they wrote: when we stored it
    counts, not when the network had it."""

    at: datetime
    to: str | None = None
    to_written_at: datetime | None = None

    def is_to(self, post: Row[Any]) -> bool:
        if self.to is None:
            return max(post.received_at, post.revised_at or post.received_at) < self.at
        return self.to == post.native_id and self._saw(post)

    def is_after(self, post: Row[Any]) -> bool:
        return self.to_written_at is not None and self.to_written_at > post.created_at and self._saw(post)

    def _saw(self, post: Row[Any]) -> bool:
        return (post.edited_at or post.created_at) < self.at


def recall(
    session: Session, post_ids: Collection[int], *, now: datetime, cleared: Collection[int] = ()
) -> list[RecalledPost]:
    """The facts about ``post_ids``, oldest post first. ``cleared`` are posts after a gap whose threads were read since
    and show nothing of ours."""
    rows = session.execute(
        # objects of whole posts cost more than everything that is decided by them
        select(
            *(c(PostRow)[name] for name in _FACTS),
            _REVISED,
            c(AuthorRow).is_bot,
            c(AuthorRow).opted_out_at,
            ConversationRow,
        )
        .join(AuthorRow, c(AuthorRow).id == c(PostRow).author_id)
        .join(ConversationRow, c(ConversationRow).id == c(PostRow).conversation_id)
        .where(among(c(PostRow).id, post_ids))
        .order_by(c(PostRow).created_at, c(PostRow).id)
        .execution_options(populate_existing=True)  # what this transaction wrote past the objects counts too
    ).all()
    if not rows:
        return []
    conversations = [row.conversation_id for row in rows]
    replies: dict[int, list[ReplyRow]] = defaultdict(list)
    for reply in outbox.of_conversations(session, conversations):
        replies[reply.conversation_id].append(reply)
    taken = set(
        session.execute(
            select(c(EscalationRow).conversation_id).where(
                among(c(EscalationRow).conversation_id, conversations),
                c(EscalationRow).state == EscalationState.TAKEN.value,
            )
        ).scalars()
    )
    author_ids = [row.author_id for row in rows]
    recent = automatic_in_last_hour(session, author_ids, now=now)
    assessments = {
        (judged.post_id, judged.revision_number): assessment_from(judged)
        for judged in session.execute(select(AssessmentRow).where(among(c(AssessmentRow).post_id, post_ids))).scalars()
    }
    parents = _parents(session, rows)
    answers = _answers(session, rows, replies)
    return [
        RecalledPost(
            id=row.id,
            revision_number=row.revision_number,
            brand_id=row.brand_id,
            profile_id=row.profile_id,
            conversation_id=row.conversation_id,
            author_id=row.author_id,
            post=replace(
                facts_from(row),
                to_another_customer=_to_another_customer(row, parents),
                after_gap=row.after_gap,
                gap_cleared=row.id in cleared,
                answered=any(answer.is_to(row) for answer in answers[row.conversation_id]),
                answered_since=any(answer.is_after(row) for answer in answers[row.conversation_id]),
            ),
            conversation=conversation_facts(
                row.ConversationRow, replies[row.conversation_id], row, taken=row.conversation_id in taken, now=now
            ),
            author=AuthorFacts(
                is_bot=row.is_bot,
                opted_out=row.opted_out_at is not None,
                automatic_replies_last_hour=recent[row.author_id],
            ),
            assessment=assessments.get((row.id, row.revision_number)),
            planned=any(
                reply.state == ReplyState.PLANNED.value and reply.sent_by == SentBy.ROBOT.value
                for reply in replies[row.conversation_id]
            ),
        )
        for row in rows
    ]


#: What is decided by, of a post itself.
_FACTS = (
    *(
        "id",
        "brand_id",
        "profile_id",
        "conversation_id",
        "author_id",
        "network",
        "native_id",
        "revision_number",
        "kind",
    ),
    *("in_reply_to", "created_at", "edited_at", "received_at", "summoned", "private", "ours", "history", "after_gap"),
)
#: When we stored the words that stand now, where they are not the first.
_REVISED = (
    select(func.max(c(RevisionRow).seen_at))
    .where(c(RevisionRow).post_id == c(PostRow).id)
    .correlate(t(PostRow))
    .scalar_subquery()
    .label("revised_at")
)


def conversation_facts(
    conversation: ConversationRow, replies: Sequence[ReplyRow], post: Post, *, taken: bool, now: datetime
) -> ConversationFacts:
    waiting_since = conversation.waiting_since or post.created_at
    robot = [reply for reply in replies if reply.sent_by == SentBy.ROBOT.value]
    rehearsed = [reply for reply in robot if reply.state == ReplyState.WOULD_HAVE_SENT.value]
    counted = [reply for reply in robot if reply.state in _COUNTED] + rehearsed
    of_contact = [reply for reply in counted if reply.created_at >= waiting_since]
    times = [reply.due_at for reply in rehearsed if reply.due_at and reply.kind != ReplyKind.HAND_OVER.value]
    if conversation.last_automated_at is not None:
        times.append(conversation.last_automated_at)
    answered = conversation.person_answered_at
    return ConversationFacts(
        waiting_since=min(waiting_since, post.created_at),
        last_automated_at=max(times, default=None),
        automated_pending=any(
            reply.state in (ReplyState.PLANNED.value, ReplyState.SENDING.value, ReplyState.UNKNOWN.value)
            and reply.kind != ReplyKind.HAND_OVER.value
            for reply in robot
        ),
        noticed=any(reply.kind == ReplyKind.CLOSED_NOTICE.value for reply in of_contact),
        acknowledged=any(reply.kind == ReplyKind.ACKNOWLEDGEMENT.value for reply in of_contact),
        handed_over=conversation.handed_over_at is not None
        or any(reply.kind == ReplyKind.HAND_OVER.value for reply in counted),
        silenced=conversation.silenced_at is not None and not _confirmation_fell_through(conversation, robot),
        person_acting=taken or (answered is not None and answered > now - REOPEN_WITHIN),
        automatic_replies=sum(
            reply.state in (ReplyState.SENT.value, ReplyState.UNKNOWN.value, ReplyState.SENDING.value)
            for reply in robot
        )
        + len(rehearsed),
    )


def _confirmation_fell_through(conversation: ConversationRow, robot: Sequence[ReplyRow]) -> bool:
    """The hand-over was planned and cancelled (an edit, a fact that went stale): it may be planned once more, unless the robot
    has been silenced by more than the request since."""
    confirmations = [reply for reply in robot if reply.kind == ReplyKind.HAND_OVER.value]
    return (
        conversation.handed_over_at is None
        and conversation.silence_reason == ASKED_FOR_A_PERSON
        and bool(confirmations)
        and all(reply.state == ReplyState.CANCELLED.value for reply in confirmations)
    )


def automatic_in_last_hour(session: Session, author_ids: Collection[int], *, now: datetime) -> Counter[int]:
    """How many automatic texts each author got, or has planned, in the running hour."""
    columns = c(ReplyRow)
    rows = session.execute(
        select(columns.author_id, func.count())
        .where(
            among(columns.author_id, author_ids),
            columns.sent_by == SentBy.ROBOT.value,
            or_(columns.state.in_(tuple(state.value for state in ACTIVE_STATES)), columns.intended_at > now - _HOUR),
            columns.state != ReplyState.CANCELLED.value,
        )
        .group_by(columns.author_id)
    )
    return Counter({author_id: count for author_id, count in rows})


def profile_automatic_in_last_hour(session: Session, profile_id: int, *, now: datetime) -> int:
    columns = c(ReplyRow)
    count = session.execute(
        select(func.count())
        .select_from(ReplyRow)
        .where(
            columns.profile_id == profile_id,
            columns.sent_by == SentBy.ROBOT.value,
            columns.intended_at > now - _HOUR,
            columns.state.in_((ReplyState.SENDING.value, ReplyState.SENT.value, ReplyState.UNKNOWN.value)),
        )
    ).scalar()
    return int(count or 0)


def _parents(session: Session, posts: Sequence[Row[Any]]) -> dict[tuple[int, str], tuple[int, bool]]:
    """(profile, native id) of the direct parents that we know -> (author, ours)."""
    columns = c(PostRow)
    wanted = {post.in_reply_to for post in posts if post.in_reply_to is not None}
    if not wanted:
        return {}
    rows = session.execute(
        select(columns.profile_id, columns.native_id, columns.author_id, columns.ours).where(
            among(columns.network, {post.network for post in posts}),  # the index by native id begins with it
            among(columns.profile_id, {post.profile_id for post in posts}),
            among(columns.native_id, wanted),
        )
    )
    found = {(profile_id, native_id): (author_id, ours) for profile_id, native_id, author_id, ours in rows}
    return found | _edited_parents(
        session, [post for post in posts if (post.profile_id, post.in_reply_to) not in found]
    )


def _edited_parents(session: Session, posts: Sequence[Row[Any]]) -> dict[tuple[int, str], tuple[int, bool]]:
    """As ``_parents``, of those that are named by the id of a version (``native_names``); in the thread only, as no index has
    these."""
    wanted = {(post.profile_id, post.in_reply_to) for post in posts if post.in_reply_to is not None}
    if not wanted:
        return {}
    columns, talks = c(PostRow), c(ConversationRow)
    in_thread = select(talks.id).where(
        among(talks.profile_id, {post.profile_id for post in posts}),
        among(talks.thread_root, {post.ConversationRow.thread_root for post in posts}),
    )
    rows = session.execute(
        select(columns.profile_id, columns.native_id, columns.native, columns.author_id, columns.ours).where(
            columns.conversation_id.in_(in_thread), columns.edited_at.is_not(None)
        )
    )
    named = {(row.profile_id, name): (row.author_id, row.ours) for row in rows for name in native_names(row)}
    return {place: parent for place, parent in named.items() if place in wanted}


def _answers(
    session: Session,
    asked: Sequence[Row[Any]],
    replies: Mapping[int, Sequence[ReplyRow]],
) -> dict[int, list[_Answer]]:
    """Conversation -> what people answered there, where they did."""
    found: dict[int, list[_Answer]] = defaultdict(list)
    conversations = {row.conversation_id: row.ConversationRow for row in asked}
    answered = {id_: row for id_, row in conversations.items() if row.person_answered_at}
    columns = c(PostRow)
    for id_, conversation in answered.items():
        mine = replies[id_]
        found[id_] += [
            _Answer(at=reply.created_at)
            for reply in mine
            if reply.sent_by == SentBy.PERSON.value and reply.state == ReplyState.SENT.value
        ]
        through_us = {reply.external_id for reply in mine}
        thread = session.execute(
            select(
                *(columns[name] for name in ("native_id", "native", "in_reply_to", "ours", "created_at", "edited_at"))
            ).where(
                columns.conversation_id.in_(conversations_in(conversation.profile_id, conversation.thread_root)),
                or_(columns.ours, columns.conversation_id == id_),
            )
        ).all()
        by_name = {row.native_id: row for row in thread}
        for row in thread:
            if row.edited_at is not None:  # only what was edited has more than one
                by_name.update(dict.fromkeys(native_names(row) - by_name.keys(), row))
        for row in thread:
            if not row.ours or row.native_id in through_us or row.created_at > conversation.person_answered_at:
                continue
            to, seen = by_name.get(row.in_reply_to), {row.native_id}
            while to is not None and to.ours and to.native_id not in seen:  # further parts of one answer
                seen.add(to.native_id)
                to = by_name.get(to.in_reply_to)
            if to is not None and not to.ours:
                found[id_].append(_Answer(at=row.created_at, to=to.native_id, to_written_at=to.created_at))
    return found


def _to_another_customer(post: Row[Any], parents: dict[tuple[int, str], tuple[int, bool]]) -> bool:
    """A parent that we never saw says nothing: the network showed us the post, so it counts as meant for us."""
    author, ours = parents.get((post.profile_id, post.in_reply_to or ""), (post.author_id, True))
    return not ours and author != post.author_id


def _languages(session: Session, author_ids: Collection[int]) -> dict[int, str]:
    """The language that each author was last understood in."""
    rows = session.execute(
        select(c(PostRow).author_id, c(AssessmentRow).language)
        .join(AssessmentRow, c(AssessmentRow).post_id == c(PostRow).id)
        .where(among(c(PostRow).author_id, author_ids), c(AssessmentRow).language != "und")
        .order_by(c(PostRow).created_at)
    )
    return {author_id: language for author_id, language in rows}


_HOUR = timedelta(hours=1)
