"""How long words are kept. What is old loses its words in small steps; the rows stay, because the reports count them.

A conversation with a case that waits for people, or with a formal complaint (waiting or not), is never touched here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, null, or_, select, update
from sqlmodel import Session, SQLModel

from social.domain.escalation import WAITING_STATES
from social.domain.reply import ReplyState
from social.store.rows import c, t
from social.store.tables import (
    AlertRow,
    AssessmentRow,
    AuthorRow,
    DaemonRow,
    EscalationRow,
    EventRow,
    InvitationRow,
    LabellingRow,
    NoteRow,
    NotificationRow,
    PostRow,
    QuarantineRow,
    ReplyRow,
    RevisionRow,
    WebSessionRow,
)

#: Rows changed in one transaction, and ids looked through in one: a write lasts milliseconds, a look too.
BATCH, WINDOW = 200, 20_000
#: What an ended case's reason becomes; a closed case always has one.
ERASED = "(erased after its time)"

_WAITING = [state.value for state in WAITING_STATES]
_OPEN_REPLIES = [ReplyState.PLANNED.value, ReplyState.SENDING.value, ReplyState.UNKNOWN.value]
_DAY, _MONTH = timedelta(days=1), timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long each class is kept, counted from when it came in here."""

    raw_answers: timedelta = timedelta(days=30)
    texts: timedelta = timedelta(days=396)
    vectors: timedelta = timedelta(days=396)
    notifications: timedelta = timedelta(days=90)
    audit: timedelta = timedelta(days=1096)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that is purged. ``limit`` names the field of ``Limits``; ``old(before)`` says which rows are due, those that
    came in before that moment; ``purge`` changes the rows of these ids."""

    name: str
    limit: str
    model: type[SQLModel]
    old: Callable[[datetime], Sequence[ColumnElement[bool]]]
    purge: Callable[[Session, Sequence[int], datetime], None]


# --- what is never purged ----------------------------------------------------------------------------------------------


def _protected() -> Select[Any]:
    cases = c(EscalationRow)
    return select(cases.conversation_id).where(or_(cases.state.in_(_WAITING), cases.formal.is_(True)))


def _answering() -> Select[Any]:
    """Conversations with a text that may still go out, or of which nobody knows whether it did."""
    return select(c(ReplyRow).conversation_id).where(c(ReplyRow).state.in_(_OPEN_REPLIES))


def _done_with() -> ColumnElement[bool]:
    posts = c(PostRow)
    return and_(
        posts.state.not_in(["new", "waiting"]),
        posts.conversation_id.not_in(_protected()),
        posts.conversation_id.not_in(_answering()),
    )


def _of_protected(columns: Any) -> ColumnElement[bool]:
    """Does an entry of the audit log tell of what is never purged?"""
    of = {
        "case": select(c(EscalationRow).id).where(c(EscalationRow).conversation_id.in_(_protected())),
        "reply": select(c(ReplyRow).id).where(c(ReplyRow).conversation_id.in_(_protected())),
        "post": select(c(PostRow).id).where(c(PostRow).conversation_id.in_(_protected())),
    }
    return or_(*(and_(columns.subject_kind == kind, columns.subject_id.in_(ids)) for kind, ids in of.items()))


# --- the steps ---------------------------------------------------------------------------------------------------------


def _change(model: type[SQLModel], **values: Any) -> Callable[[Session, Sequence[int], datetime], None]:
    def change(session: Session, ids: Sequence[int], now: datetime) -> None:
        session.execute(update(t(model)).where(c(model).id.in_(ids)).values(**values))

    return change


def _remove(model: type[SQLModel]) -> Callable[[Session, Sequence[int], datetime], None]:
    def remove(session: Session, ids: Sequence[int], now: datetime) -> None:
        session.execute(delete(t(model)).where(c(model).id.in_(ids)))

    return remove


def _purge_posts(session: Session, ids: Sequence[int], now: datetime) -> None:
    """The post and what repeats its words: earlier forms, what the judgement points at, our answers to it. What people said
    of a text for the classifier's sake goes with the text."""
    empty = {"raw": null(), "media": null(), "native": null(), "permalink": null()}
    session.execute(update(t(PostRow)).where(c(PostRow).id.in_(ids)).values(text="", erased_at=now, **empty))
    session.execute(delete(t(RevisionRow)).where(c(RevisionRow).post_id.in_(ids)))
    session.execute(delete(t(LabellingRow)).where(c(LabellingRow).post_id.in_(ids)))
    judged = c(AssessmentRow).post_id.in_(ids)
    session.execute(update(t(AssessmentRow)).where(judged).values(vector=null(), reasons=[]))
    answers = c(ReplyRow).post_id.in_(ids)
    session.execute(update(t(ReplyRow)).where(answers).values(text="", facts={}, permalink=null(), reason=null()))


def _old_posts(before: datetime) -> Sequence[ColumnElement[bool]]:
    posts = c(PostRow)
    edited = or_(posts.edited_at.is_(None), posts.edited_at < before)
    return posts.erased_at.is_(None), posts.received_at < before, edited, _done_with()


def _silent_authors(before: datetime) -> Sequence[ColumnElement[bool]]:
    """Nothing that they wrote is left."""
    authors, posts = c(AuthorRow), c(PostRow)
    theirs = exists().where(posts.author_id == authors.id)
    return (
        or_(authors.handle.is_not(None), authors.display_name.is_not(None)),
        theirs,
        ~theirs.where(posts.erased_at.is_(None)),
    )


def _told_alerts(before: datetime) -> Sequence[ColumnElement[bool]]:
    alerts = c(AlertRow)
    waiting = select(c(EscalationRow).id).where(c(EscalationRow).state.in_(_WAITING))
    ended = or_(alerts.escalation_id.is_(None), alerts.escalation_id.not_in(waiting))
    return alerts.raised_at < before, alerts.state == "over", ended


def _told_messages(before: datetime) -> Sequence[ColumnElement[bool]]:
    messages = c(NotificationRow)
    running = select(c(AlertRow).id).where(c(AlertRow).state != "over")
    ended = or_(messages.alert_id.is_(None), messages.alert_id.not_in(running))
    return messages.created_at < before, messages.state.in_(["sent", "failed"]), ended


def _ended_cases(before: datetime) -> Sequence[ColumnElement[bool]]:
    cases = c(EscalationRow)
    said = or_(cases.note.is_not(None), and_(cases.close_reason.is_not(None), cases.close_reason != ERASED))
    ended = func.coalesce(cases.closed_at, cases.answered_at, cases.opened_at)
    return cases.state.not_in(_WAITING), cases.formal.is_(False), ended < before, said


def _purge_cases(session: Session, ids: Sequence[int], now: datetime) -> None:
    these = c(EscalationRow).id.in_(ids)
    session.execute(update(t(EscalationRow)).where(these).values(note=null()))
    closed = c(EscalationRow).close_reason.is_not(None)
    session.execute(update(t(EscalationRow)).where(these, closed).values(close_reason=ERASED))


STEPS: tuple[Step, ...] = (
    Step(
        name="raw answers",
        limit="raw_answers",
        model=PostRow,
        old=lambda before: (c(PostRow).raw.is_not(None), c(PostRow).received_at < before, _done_with()),
        purge=_change(PostRow, raw=null()),
    ),
    Step(
        name="unreadable answers",
        limit="raw_answers",
        model=QuarantineRow,
        old=lambda before: (c(QuarantineRow).seen_at < before,),
        purge=_remove(QuarantineRow),
    ),
    Step(name="texts", limit="texts", model=PostRow, old=_old_posts, purge=_purge_posts),
    Step(
        name="notes",
        limit="texts",
        model=NoteRow,
        old=lambda before: (c(NoteRow).made_at < before, c(NoteRow).conversation_id.not_in(_protected())),
        purge=_remove(NoteRow),
    ),
    Step(name="words on ended cases", limit="texts", model=EscalationRow, old=_ended_cases, purge=_purge_cases),
    Step(
        name="names",
        limit="texts",
        model=AuthorRow,
        old=_silent_authors,
        purge=_change(AuthorRow, handle=null(), display_name=null()),
    ),
    Step(
        name="vectors",
        limit="vectors",
        model=AssessmentRow,
        old=lambda before: (
            c(AssessmentRow).vector.is_not(None),
            c(AssessmentRow).made_at < before,
            c(AssessmentRow).post_id.in_(select(c(PostRow).id).where(_done_with())),
        ),
        purge=_change(AssessmentRow, vector=null()),
    ),
    Step(
        name="notifications",
        limit="notifications",
        model=NotificationRow,
        old=_told_messages,
        purge=_remove(NotificationRow),
    ),
    Step(name="alerts", limit="notifications", model=AlertRow, old=_told_alerts, purge=_remove(AlertRow)),
    Step(
        name="details of the audit log",
        limit="texts",
        model=EventRow,
        # a reason that somebody gave for closing may tell of the customer
        old=lambda before: (
            c(EventRow).at < before,
            c(EventRow).detail.is_not(None),
            c(EventRow).subject_kind.in_(["case", "reply", "post"]),
            ~_of_protected(c(EventRow)),
        ),
        purge=_change(EventRow, detail=null()),
    ),
    Step(
        name="audit log",
        limit="audit",
        model=EventRow,
        # when a profile was in dry run stands in the reports for ever
        old=lambda before: (
            c(EventRow).at < before,
            c(EventRow).subject_kind != "profile",
            ~_of_protected(c(EventRow)),
        ),
        purge=_remove(EventRow),
    ),
)


# --- look and purge ----------------------------------------------------------------------------------------------------


def _due(step: Step, limits: Limits, now: datetime) -> Sequence[ColumnElement[bool]]:
    return step.old(now - getattr(limits, step.limit))


def count(session: Session, limits: Limits, *, now: datetime) -> dict[str, int]:
    """Rows that a purge at ``now`` would change, step by step. Names count as they stand now: they go once the last text of
    their owner is gone, which the same purge may do."""
    counted = {}
    for step in STEPS:
        query = select(func.count()).select_from(t(step.model)).where(*_due(step, limits, now))
        counted[step.name] = session.execute(query).scalar_one()
    return counted


def look(session: Session, step: Step, limits: Limits, *, after: int, now: datetime) -> tuple[list[int], int | None]:
    """Ids of at most ``BATCH`` rows that are due, of those whose number is above ``after``; and where the next look begins.
    ``None``: this step is done."""
    column = c(step.model).id
    window = [column > after, column <= after + WINDOW]
    query = select(column).where(*window, *_due(step, limits, now)).order_by(column).limit(BATCH)
    ids = list(session.execute(query).scalars())
    if len(ids) == BATCH:
        return ids, ids[-1]
    following = session.execute(select(column).where(column > after + WINDOW).order_by(column).limit(1)).scalar()
    return ids, None if following is None else following - 1


def purge(session: Session, step: Step, limits: Limits, ids: Sequence[int], *, now: datetime) -> int:
    """Of ``ids``, those that are still due: a case may have come back since the look. Returns how many."""
    column = c(step.model).id
    query = select(column).where(column.in_(ids), *_due(step, limits, now))
    still = list(session.execute(query.with_for_update()).scalars())
    if still:
        step.purge(session, still, now)
    return len(still)


def purge_machine_rows(session: Session, *, machine: datetime) -> int:
    """Ended sessions, used or old links, heartbeats of daemons that are long gone: all by machine time."""
    old = (
        (WebSessionRow, c(WebSessionRow).expires_at < machine),
        (
            InvitationRow,
            or_(c(InvitationRow).expires_at < machine - _MONTH, c(InvitationRow).used_at < machine - _MONTH),
        ),
        (DaemonRow, c(DaemonRow).beat_at < machine - _DAY),
    )
    results: list[Any] = [session.execute(delete(t(model)).where(condition)) for model, condition in old]
    return sum(result.rowcount for result in results)
