"""What people add to a case besides an answer: a note for each other, a correction of the judgement, the sign that
somebody is writing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlmodel import Session

from social.domain.assessment import Head, Sentiment, Urgency
from social.domain.errors import Conflict, DyzurError
from social.domain.escalation import EscalationState
from social.engine.answering import customers_posts, locked_case, refuse_if_changed
from social.store import notes, users
from social.store.journal import note
from social.store.queue import Seen
from social.store.rows import c
from social.store.session import Database, machine_time_of
from social.store.tables import AssessmentRow, EscalationRow, LabelRow, PostRow

#: How long a sign of writing holds (machine time); a page that is open with words in it renews it every ten seconds.
DRAFT_HOLDS = timedelta(seconds=30)


def write_note(database: Database, case_id: int, text: str, *, user: str, now: datetime) -> None:
    """A note beside the conversation; it never leaves the desk. Raises ``NotFound``, ``DyzurError``."""
    with database.write() as session:
        case = locked_case(session, case_id)
        notes.add(session, case.conversation_id, user_id=users.user_id(session, user, now=now), text=text, now=now)
        note(session, at=now, actor=user, verb="wrote a note", subject="case", subject_id=case_id)


def correct(
    database: Database,
    case_id: int,
    post_id: int,
    chosen: Mapping[Head, str],
    *,
    user: str,
    now: datetime,
    seen: Seen | None = None,
    was_urgency: str | None = None,
) -> None:
    """A person's judgement of a post, a value for each head that they chose, all of it or nothing: kept as labels beside the
    model's. A corrected urgency is the case's own from now on, up or down. ``seen`` and ``was_urgency`` (of the case) are
    what was on the screen: a judgement of less than what is there now is refused. Raises ``NotFound``, ``Conflict``,
    ``DyzurError``."""
    labels = {head: _checked(head, value) for head, value in chosen.items()}
    with database.write() as session:
        who = users.user_id(session, user, now=now)
        case = locked_case(session, case_id)
        if seen is not None:
            theirs = customers_posts(session, case.conversation_id)
            refuse_if_changed(session, case_id, theirs, seen, None, again="correct it then.")
        if was_urgency is not None and was_urgency != case.urgency:
            raise Conflict(
                f"the urgency of the case is {case.urgency} now.",
                resource=f"case {case_id}",
                next_step="Look again, and correct it then.",
            )
        post, judged = _judged(session, case, post_id)
        for head, value in labels.items():
            was = judged.sentiment if head is Head.SENTIMENT else judged.urgency
            session.add(
                LabelRow(
                    post_id=post_id,
                    revision_number=judged.revision_number,
                    network=post.network,
                    user_id=who,
                    head=head.value,
                    value=value,
                    was=was,
                    made_at=now,
                )
            )
            if head is Head.URGENCY:
                case.urgency, case.urgency_rank = value, Urgency(value).rank
                session.add(case)
            note(
                session,
                at=now,
                actor=user,
                verb="corrected the judgement",
                subject="case",
                subject_id=case_id,
                detail={"post": post_id, "head": head.value, "from": was, "to": value},
            )


def keep_writing(database: Database, case_id: int, *, user: str, now: datetime) -> None:
    """Somebody who has the case is writing: while that holds, no automatic text goes out in the conversation."""
    with database.write() as session:
        who = users.user_id(session, user, now=now)
        session.execute(
            update(EscalationRow)
            .where(
                c(EscalationRow).id == case_id,
                c(EscalationRow).state == EscalationState.TAKEN.value,
                c(EscalationRow).taken_by == who,
            )
            .values(draft_until=machine_time_of(session) + DRAFT_HOLDS)
        )


def _checked(head: Head, value: str) -> str:
    kinds: dict[Head, type[Sentiment] | type[Urgency]] = {Head.SENTIMENT: Sentiment, Head.URGENCY: Urgency}
    if head not in kinds:
        raise DyzurError(f"{head.value} cannot be corrected.", next_step="Correct sentiment or urgency.")
    try:
        return kinds[head](value).value
    except ValueError:
        known = ", ".join(kinds[head])
        raise DyzurError(f"{value!r} is no {head.value}.", next_step=f"Choose one of: {known}.") from None


def _judged(session: Session, case: EscalationRow, post_id: int) -> tuple[PostRow, AssessmentRow]:
    post = session.get(PostRow, post_id)
    columns = c(AssessmentRow)
    judged = session.execute(
        select(AssessmentRow).where(columns.post_id == post_id).order_by(columns.revision_number.desc()).limit(1)
    ).scalar_one_or_none()
    if post is None or post.conversation_id != case.conversation_id or judged is None:
        raise Conflict("that post is not judged, or belongs to another case.", resource=f"case {case.id}")
    return post, judged
