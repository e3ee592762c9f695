"""Labels read again: the post as a person is shown it, and everything that people have said, for files and figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, exists, func, select
from sqlmodel import Session

from social.domain.assessment import Assessment, Flag, ModelIdentity, Sentiment, Urgency
from social.domain.label import Answer, Picked
from social.store.labels import FIRST, SECOND
from social.store.mapping import assessment_from
from social.store.rows import c
from social.store.tables import AssessmentRow, LabellingRow, LabelRow, PostRow, ProfileRow, ReplyRow

_GUESSED = ("sentiment", "urgency", "needs_reply", "flags")


class Voice(StrEnum):
    """Who wrote what this post answers."""

    US = "us"
    SAME = "the same customer"
    OTHER = "somebody else"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One post before somebody's eyes. Without its author: who wrote it must not matter."""

    post_id: int
    profile: str
    network: str
    at: datetime
    private: bool
    text: str
    answered: str
    answered_voice: Voice | None
    our_handle: str | None
    judged: Assessment


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One person's label with its text. ``text`` is ``None`` where the post says something else by now."""

    post_id: int
    revision_number: int
    network: str
    private: bool
    text: str | None
    our_handle: str | None
    language: str
    made_at: datetime
    user_id: int
    turn: int
    picked: Picked
    may_teach: bool | None  # None: nobody asked then
    answer: Answer
    guess: Answer
    model: ModelIdentity


def shown(session: Session, post_id: int) -> Shown | None:
    """The post and its judgement as they are now; ``None`` where one of them is not there."""
    posts, judged = c(PostRow), c(AssessmentRow)
    row = session.execute(
        select(PostRow, AssessmentRow, ProfileRow)
        .join(AssessmentRow, and_(judged.post_id == posts.id, judged.revision_number == posts.revision_number))
        .join(ProfileRow, c(ProfileRow).id == posts.profile_id)
        .where(posts.id == post_id, posts.deleted_at.is_(None), posts.erased_at.is_(None))
    ).first()
    if row is None:
        return None
    post, assessment, profile = row
    answered, voice = _answered(session, post)
    return Shown(
        post_id=post_id,
        profile=profile.name,
        network=post.network,
        at=post.created_at,
        private=post.private,
        text=post.text,
        answered=answered,
        answered_voice=voice,
        our_handle=profile.account_handle,
        judged=assessment_from(assessment),
    )


def _answered(session: Session, post: PostRow) -> tuple[str, Voice | None]:
    """What stands right above it, as far as we have it: a post, or a reply of ours that was not read back yet."""
    if post.in_reply_to is None:
        return "", None
    posts, replies = c(PostRow), c(ReplyRow)
    above = session.execute(
        select(PostRow).where(
            posts.network == post.network, posts.profile_id == post.profile_id, posts.native_id == post.in_reply_to
        )
    ).scalar_one_or_none()
    if above is not None:
        voice = Voice.US if above.ours else Voice.SAME if above.author_id == post.author_id else Voice.OTHER
        return (above.text, voice) if above.text else ("", None)
    ours = select(replies.text).where(replies.profile_id == post.profile_id, replies.external_id == post.in_reply_to)
    text = session.execute(ours.limit(1)).scalar()
    return (text, Voice.US) if text else ("", None)


# --- everything that was said -------------------------------------------------------------------------------------------


def of_rounds(session: Session) -> Iterator[Labelled]:
    """Every label of every round, in the order in which they were made."""
    columns, posts = c(LabellingRow), c(PostRow)
    rows = session.execute(
        select(LabellingRow, PostRow, c(ProfileRow).account_handle)
        .join(PostRow, posts.id == columns.post_id)
        .join(ProfileRow, c(ProfileRow).id == posts.profile_id)
        .where(columns.made_at.is_not(None))
        .order_by(columns.made_at, columns.id)
    )
    for row, post, handle in rows:
        yield Labelled(
            post_id=row.post_id,
            revision_number=row.revision_number,
            network=row.network,
            private=post.private,
            text=_standing_text(post, row.revision_number),
            our_handle=handle,
            language=row.guess["language"],
            made_at=row.made_at,
            user_id=row.user_id,
            turn=row.turn,
            picked=Picked(row.picked),
            may_teach=row.may_teach,
            answer=_answer(
                sentiment=row.sentiment,
                urgency=row.urgency,
                needs_reply=row.needs_reply,
                topics=row.topics,
                flags=row.flags,
            ),
            guess=_guess(row.guess),
            model=ModelIdentity(id=row.model_id, version=row.model_version),
        )


def of_the_desk(session: Session) -> Iterator[Labelled]:
    """Corrections made on a case, of posts that no round has a label of: the newest of each head, one object a post."""
    labels, posts, judged, rounds = c(LabelRow), c(PostRow), c(AssessmentRow), c(LabellingRow)
    newest = select(func.max(labels.id)).group_by(labels.post_id, labels.revision_number, labels.head).scalar_subquery()
    same = and_(
        rounds.post_id == labels.post_id,
        rounds.revision_number == labels.revision_number,
        rounds.made_at.is_not(None),
    )
    rows = session.execute(
        select(LabelRow, PostRow, AssessmentRow, c(ProfileRow).account_handle)
        .join(PostRow, posts.id == labels.post_id)
        .join(ProfileRow, c(ProfileRow).id == posts.profile_id)
        .join(
            AssessmentRow,
            and_(judged.post_id == labels.post_id, judged.revision_number == labels.revision_number),
        )
        .where(labels.id.in_(newest), ~exists().where(same))
        .order_by(labels.post_id, labels.revision_number, labels.id)
    ).all()
    found: dict[tuple[int, int], list[Any]] = {}
    for row in rows:
        found.setdefault((row[0].post_id, row[0].revision_number), []).append(row)
    for (post_id, revision_number), group in found.items():
        last, post, assessment, handle = group[-1]
        yield Labelled(
            post_id=post_id,
            revision_number=revision_number,
            network=last.network,
            private=post.private,
            text=_standing_text(post, revision_number),
            our_handle=handle,
            language=assessment.language,
            made_at=last.made_at,
            user_id=last.user_id,
            turn=FIRST,
            picked=Picked.DESK,
            may_teach=None,
            answer=_answer(**{label.head: label.value for label, *_ in group}),
            guess=_guess({name: getattr(assessment, name) for name in _GUESSED}),
            model=ModelIdentity(id=assessment.model_id, version=assessment.model_version),
        )


def pairs(labelled: Sequence[Labelled]) -> list[tuple[Labelled, Labelled]]:
    """First and second reading of the same text."""
    first = {(one.post_id, one.revision_number): one for one in labelled if one.turn == FIRST}
    second = [(one.post_id, one.revision_number, one) for one in labelled if one.turn == SECOND]
    return [(first[post_id, number], one) for post_id, number, one in second if (post_id, number) in first]


def _standing_text(post: PostRow, revision_number: int) -> str | None:
    """What a customer has taken back by an edit is not handed on."""
    gone = post.deleted_at is not None or post.erased_at is not None
    return None if gone or post.revision_number != revision_number else post.text


def _guess(kept: dict[str, Any]) -> Answer:
    return _answer(**{name: kept[name] for name in _GUESSED})


def _answer(
    *,
    sentiment: str | None = None,
    urgency: str | None = None,
    needs_reply: bool | None = None,
    topics: list[str] | None = None,
    flags: list[str] | None = None,
) -> Answer:
    return Answer(
        sentiment=None if sentiment is None else Sentiment(sentiment),
        urgency=None if urgency is None else Urgency(urgency),
        needs_reply=needs_reply,
        topics=None if topics is None else frozenset(topics),
        flags=None if flags is None else frozenset(map(Flag, flags)),
    )
