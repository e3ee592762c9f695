"""What people say of judgements: one row a post and person, held by a short claim while somebody reads it.

A row is a claim until it has a time. ``turn`` 1 belongs to whoever labels a post first, 2 to somebody else who labels it
again without seeing that. Two people never hold the same turn of a post: the table itself forbids it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlmodel import Session

from social.domain.errors import Conflict
from social.domain.label import Answer, Picked
from social.store import locks
from social.store.rows import c, upsert
from social.store.session import machine_time_of
from social.store.tables import AssessmentRow, LabellingRow, PostRow

#: How long one person may think about one post (machine time). Later the answer still counts, unless somebody else took it.
HOLDS = timedelta(minutes=10)
FIRST, SECOND = 1, 2
#: What is kept of a judgement beside a label: no word of the text, and no vector.
_GUESS = (
    "language",
    "sentiment",
    "sentiment_scores",
    "urgency",
    "urgency_scores",
    "needs_reply",
    "topics",
    "flags",
    "abstained",
)
_NOTHING: dict[str, Any] = {
    "made_at": None,
    "sentiment": None,
    "urgency": None,
    "needs_reply": None,
    "topics": None,
    "flags": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One person's hold on one turn of a post. ``token`` tells whether it is still theirs."""

    id: int
    token: str
    post_id: int
    revision_number: int
    turn: int


def claim(
    session: Session, post_id: int, revision_number: int, *, turn: int, user_id: int, picked: Picked, may_teach: bool
) -> Claim | None:
    """Take this turn. ``None`` where somebody else reads it now or has labelled it, or the post is not what it was."""
    locks.hold_around_posts(session, [post_id])
    post, judged = _standing(session, post_id, revision_number), _judgement(session, post_id, revision_number)
    if post is None or judged is None or not _is_open(session, post_id, revision_number, turn, user_id):
        return None
    machine, token = machine_time_of(session), secrets.token_hex(8)
    values = {
        "user_id": user_id,
        "picked": picked.value,
        "may_teach": may_teach,
        "token": token,
        "leased_until": machine + HOLDS,
        "guess": {name: getattr(judged, name) for name in _GUESS},
        "model_id": judged.model_id,
        "model_version": judged.model_version,
    }
    key = {"post_id": post_id, "revision_number": revision_number, "turn": turn}
    upsert(session, LabellingRow, [{**key, "network": post.network, **values}], key=tuple(key))
    columns = c(LabellingRow)
    same = [columns[name] == value for name, value in key.items()]
    session.execute(
        update(LabellingRow)
        .where(*same, columns.made_at.is_(None), columns.leased_until < machine)  # whoever had it went away
        .values(**values)
    )
    row_id = session.execute(select(columns.id).where(*same, columns.token == token)).scalar()
    if row_id is None:
        return None
    return Claim(id=row_id, token=token, post_id=post_id, revision_number=revision_number, turn=turn)


def keep(session: Session, held: Claim, answer: Answer, *, now: datetime) -> None:
    """The claim becomes a label. Raises ``Conflict`` where it is not theirs any more, or the post is not what they read."""
    locks.hold_around_posts(session, [held.post_id])
    if _standing(session, held.post_id, held.revision_number) is None:
        raise Conflict(
            "the customer changed or deleted this post meanwhile, or it was erased.",
            resource=f"post {held.post_id}",
            next_step="Your answer was not kept.",
        )
    result: Any = session.execute(
        update(LabellingRow).where(*_theirs(held)).values(made_at=now, **answer_values(answer))
    )
    if not result.rowcount:
        raise Conflict(
            "you read it for so long that somebody else took it.",
            resource=f"post {held.post_id}",
            next_step="Your answer was not kept.",
        )


def undo(session: Session, held: Claim) -> bool:
    """The label is a claim again, with new time to think. ``False``: it is gone with its post."""
    result: Any = session.execute(
        update(LabellingRow).where(*_theirs(held)).values(leased_until=machine_time_of(session) + HOLDS, **_NOTHING)
    )
    return bool(result.rowcount)


def release(session: Session, held: Claim) -> None:
    """Nobody reads it any more; a label stays."""
    session.execute(delete(LabellingRow).where(*_theirs(held), c(LabellingRow).made_at.is_(None)))


def answer_values(answer: Answer) -> dict[str, Any]:
    return {
        "sentiment": answer.sentiment,
        "urgency": answer.urgency,
        "needs_reply": answer.needs_reply,
        "topics": None if answer.topics is None else sorted(answer.topics),
        "flags": None if answer.flags is None else sorted(answer.flags),
    }


# --- pieces ------------------------------------------------------------------------------------------------------------


def _theirs(held: Claim) -> tuple[Any, Any]:
    return c(LabellingRow).id == held.id, c(LabellingRow).token == held.token


def _standing(session: Session, post_id: int, revision_number: int) -> PostRow | None:
    post = session.get(PostRow, post_id, populate_existing=True)
    if post is None or post.deleted_at is not None or post.erased_at is not None:
        return None
    return post if post.revision_number == revision_number else None


def _judgement(session: Session, post_id: int, revision_number: int) -> AssessmentRow | None:
    columns = c(AssessmentRow)
    query = select(AssessmentRow).where(columns.post_id == post_id, columns.revision_number == revision_number)
    return session.execute(query).scalar_one_or_none()


def _is_open(session: Session, post_id: int, revision_number: int, turn: int, user_id: int) -> bool:
    """A second turn needs a first one, by somebody else."""
    if turn == FIRST:
        return True
    columns = c(LabellingRow)
    first = session.execute(
        select(columns.user_id).where(
            columns.post_id == post_id,
            columns.revision_number == revision_number,
            columns.turn == FIRST,
            columns.made_at.is_not(None),
        )
    ).scalar()
    return first is not None and first != user_id
