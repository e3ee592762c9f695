"""A person's answer on its way into the outbox: the same guard and platform rules as the robot's texts, and the daemon
delivers it. Whoever answers says what they saw; what the customer wrote since stops them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session

from connectors import registry
from responders import guard, permission
from responders.guard import Problem
from social.domain.assessment import UNKNOWN_LANGUAGE
from social.domain.errors import Conflict, DyzurError
from social.domain.escalation import EscalationState
from social.domain.reply import ACTIVE_STATES, Composed, ReplyKind, ReplyState, SentBy
from social.ports import ReplyRules, Verdict
from social.store import control, escalations, locks, outbox, users
from social.store.journal import note
from social.store.mapping import facts_from
from social.store.queue import Seen, excerpt, seen_of
from social.store.rows import c
from social.store.session import Database
from social.store.tables import (
    AssessmentRow,
    EscalationRow,
    PostRow,
    ProfileRow,
    ReplyRow,
    RevisionRow,
    UserRow,
)

_ON_ITS_WAY = tuple(state.value for state in ACTIVE_STATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerContext:
    """What the network of the case's profile declares. Reading it opens nothing."""

    rules: ReplyRules
    private_channel: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAnswer:
    """An answer in the outbox, due now. ``robot_on_its_way``: an automatic text could not be stopped any more;
    ``paused_since``: nothing is sent until somebody unpauses."""

    reply_id: int
    case_id: int
    post_id: int
    profile: str
    cancelled: int
    robot_on_its_way: bool
    paused_since: datetime | None


class UnfitText(DyzurError):
    """The text cannot go out as it is, or (``only_warnings``) the writer should look again and confirm."""

    permanent = True
    exit_code = 2

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        self.only_warnings = not any(problem.blocking for problem in problems)
        what = " ".join(
            dict.fromkeys(problem.message for problem in problems if problem.blocking or self.only_warnings)
        )
        super().__init__(
            what,
            resource="the answer",
            next_step="If it is meant so, confirm it: --yes" if self.only_warnings else "",
        )


def context_of(database: Database, case_id: int) -> AnswerContext:
    """The declared rules of the network that the case came from."""
    with database.read() as session:
        case = escalations.get(session, case_id)
        network = session.execute(select(c(ProfileRow).network).where(c(ProfileRow).id == case.profile_id)).scalar_one()
    connector = registry.load(network)
    return AnswerContext(rules=connector.reply_rules, private_channel=connector.capabilities.private_channel)


def answer(
    database: Database,
    context: AnswerContext,
    case_id: int,
    text: str,
    *,
    user: str,
    now: datetime,
    seen: Seen | None = None,
    even_if_changed: bool = False,
    accept_warnings: bool = False,
) -> PlannedAnswer:
    """Plan ``text`` as ``user``'s answer to the customer's last message, due now; the case becomes theirs.

    ``seen`` is what was on the screen (``CaseView.seen``); without it, what was there when ``user`` took the case.
    Raises ``Conflict`` where somebody else has the case or was quicker, the customer wrote again, or the platform's rules
    leave only its own app; ``UnfitText`` where the guard stops the text, or warns and ``accept_warnings`` is not given.
    """

    def put_into_the_outbox(session: Session) -> PlannedAnswer:
        case = locked_case(session, case_id)
        who = users.user_id(session, user, now=now)
        if case.state != EscalationState.TAKEN.value or case.taken_by != who:
            taken_at = None
            escalations.take(session, case_id, user=who, name=user.strip(), now=now)
        else:
            taken_at = case.taken_at
        refuse_second_answer(session, case)
        theirs = customers_posts(session, case.conversation_id)
        if not even_if_changed:
            again = "answer with --seen {mark}, or send it all the same: --even-if-changed"
            refuse_if_changed(session, case_id, theirs, seen, taken_at, again=again)
        post = _choose_post(session, context, case, theirs, now)
        problems = guard.check(
            text,
            rules=context.rules,
            sent_by=SentBy.PERSON,
            formal=case.formal,
            private_channel=context.private_channel,
            private=post.private,
        )
        if any(problem.blocking for problem in problems) or (problems and not accept_warnings):
            raise UnfitText(problems)
        return _plan(session, case, post, text, who=who, user=user.strip(), now=now)

    return database.step(put_into_the_outbox)


def _plan(
    session: Session, case: EscalationRow, post: PostRow, text: str, *, who: int, user: str, now: datetime
) -> PlannedAnswer:
    profile = session.get(ProfileRow, case.profile_id)
    if profile is None or profile.state != "active":
        raise Conflict(
            "the profile of this case is no longer in the configuration, so nothing can be sent.",
            resource=f"case {case.id}",
            next_step="Bring the profile back, or answer in the network's own app and close the case.",
        )
    cancelled = outbox.cancel_planned(
        session, now=now, reason="a person answers", conversation_id=case.conversation_id, sent_by=SentBy.ROBOT
    )
    columns = c(ReplyRow)
    sending = session.execute(
        select(columns.id).where(
            columns.conversation_id == case.conversation_id, columns.state == ReplyState.SENDING.value
        )
    ).first()
    reply = outbox.plan(
        session,
        outbox.NewReply(
            brand_id=case.brand_id,
            profile_id=case.profile_id,
            conversation_id=case.conversation_id,
            post_id=post.id or 0,
            author_id=post.author_id,
            kind=ReplyKind.ANSWER,
            sent_by=SentBy.PERSON,
            composed=Composed(text=text, language=_language(session, post), variant="person"),
            due_at=now,
            not_after=None,
            user_id=who,
        ),
        now=now,
    )
    detail = {"reply": reply.id, "post": post.id}
    note(session, at=now, actor=user, verb="planned an answer", subject="case", subject_id=case.id, detail=detail)
    pause = control.paused_since(session)
    return PlannedAnswer(
        reply_id=reply.id or 0,
        case_id=case.id or 0,
        post_id=post.id or 0,
        profile=profile.name,
        cancelled=cancelled,
        robot_on_its_way=sending is not None,
        paused_since=pause[0] if pause else None,
    )


def refuse_second_answer(session: Session, case: EscalationRow) -> None:
    columns = c(ReplyRow)
    found = session.execute(
        select(ReplyRow).where(
            columns.conversation_id == case.conversation_id,
            columns.sent_by == SentBy.PERSON.value,
            columns.state.in_((*_ON_ITS_WAY, ReplyState.UNKNOWN.value)),
        )
    ).scalar()
    if found is None:
        return
    who = user_name(session, found.user_id) or "somebody"
    if found.state == ReplyState.UNKNOWN.value:
        raise Conflict(
            f"nobody can tell whether the answer of {who} was published.",
            resource=f"case {case.id}",
            next_step=f"Look, and say: social queue settle {found.id} --sent or --not-sent",
        )
    raise Conflict(
        f"an answer of {who} is already on its way ({excerpt(found.text)!r}).",
        resource=f"case {case.id}",
        next_step="Look again in a minute.",
    )


def refuse_if_changed(
    session: Session,
    case_id: int,
    theirs: list[PostRow],
    seen: Seen | None,
    taken_at: datetime | None,
    *,
    again: str,
) -> None:
    """The customer wrote again, or changed what they wrote, since whoever acts looked. ``again`` says what they can do
    once they have read it; ``{mark}`` in it becomes what is there now."""
    mark = seen_of(theirs)
    changed: PostRow | None = None
    if seen is not None and not seen.tells_all:
        raise Conflict(
            "nobody can tell from that what you have seen.",
            resource=f"case {case_id}",
            next_step=_read_again(case_id, again, mark),
        )
    if seen is not None:
        if mark != seen:
            changed = max(reversed(theirs), key=lambda post: max(post.received_at, post.edited_at or post.received_at))
    elif taken_at is not None:
        edited = set(
            session.execute(
                select(c(RevisionRow).post_id).where(
                    c(RevisionRow).post_id.in_([post.id for post in theirs]), c(RevisionRow).seen_at > taken_at
                )
            ).scalars()
        )
        changed = next((post for post in theirs if post.received_at > taken_at or post.id in edited), None)
    if changed is not None:
        raise Conflict(
            f"the customer wrote something new since you looked: {excerpt(changed.text)!r}.",
            resource=f"case {case_id}",
            next_step=_read_again(case_id, again, mark),
        )


def _read_again(case_id: int, again: str, mark: Seen) -> str:
    return f"Read it (social queue show {case_id}) and {again.format(mark=mark)}"


def _choose_post(
    session: Session, context: AnswerContext, case: EscalationRow, theirs: list[PostRow], now: datetime
) -> PostRow:
    """The newest message that may be answered by API; a network may take replies to one message and not to another."""
    standing = [post for post in reversed(theirs) if post.deleted_at is None]
    if not standing:
        raise Conflict(
            "the customer deleted everything that could be answered.",
            resource=f"case {case.id}",
            next_step=f'Close it: social queue close {case.id} --reason "deleted by the customer"',
        )
    verdict: Verdict | None = None
    for post in standing:
        found = permission.evaluate(
            context.rules,
            post=facts_from(post),
            last_customer_post_at=max(item.created_at for item in theirs),
            automatic_replies=0,
            kind=ReplyKind.ANSWER,
            sent_by=SentBy.PERSON,
            now=now,
        )
        if found.allowed:
            return post
        verdict = verdict or found
    assert verdict is not None
    link = next((post.permalink for post in standing if post.permalink), None)
    raise Conflict(
        verdict.reason,
        resource=f"case {case.id}",
        next_step=f"Answer there{f': {link}' if link else ' in its own app'}, and then close the case here.",
    )


def customers_posts(session: Session, conversation_id: int) -> list[PostRow]:
    columns = c(PostRow)
    query = select(PostRow).where(columns.conversation_id == conversation_id, columns.ours.is_(False))
    return list(session.execute(query.order_by(columns.created_at, columns.id)).scalars())


def _language(session: Session, post: PostRow) -> str:
    columns = c(AssessmentRow)
    query = select(columns.language).where(columns.post_id == post.id).order_by(columns.revision_number.desc())
    return session.execute(query.limit(1)).scalar() or UNKNOWN_LANGUAGE


# --- pieces ------------------------------------------------------------------------------------------------------------


def locked_case(session: Session, case_id: int) -> EscalationRow:
    """The case with its conversation, held until the transaction ends: of two people, or a person and a daemon, the
    second looks after the first has finished."""
    found = session.execute(select(c(EscalationRow).conversation_id).where(c(EscalationRow).id == case_id)).scalars()
    locks.hold_conversations(session, found.all())
    row = session.execute(select(EscalationRow).where(c(EscalationRow).id == case_id).with_for_update()).scalar()
    return row if row is not None else escalations.get(session, case_id)


def user_name(session: Session, user_id: int | None) -> str | None:
    user = session.get(UserRow, user_id) if user_id is not None else None
    return user.name if user is not None else None
