"""What people do with a case: take, answer, close, settle. One transaction each, and no network: an answer goes into the
same outbox, past the same guard and platform rules as the robot's texts, and the daemon delivers it.

Two people never answer one customer: the second is refused and told who was first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session

from connectors import registry
from responders import guard, permission, timing
from responders.compose import CLOSING, OPENING
from responders.guard import Problem
from responders.snapshot import Timing
from social.domain.assessment import UNKNOWN_LANGUAGE, Urgency
from social.domain.decision import PlannedReply, PostFacts
from social.domain.errors import Conflict, DyzurError, NotFound
from social.domain.escalation import EscalationState
from social.domain.hours import BusinessCalendar
from social.domain.post import PostKind
from social.domain.reply import ACTIVE_STATES, Composed, ReplyKind, ReplyState, SentBy
from social.engine import alerts
from social.ports import ReplyRules, Verdict
from social.store import control, escalations, outbox, posts, users
from social.store.journal import note
from social.store.queue import Seen, excerpt
from social.store.rows import c
from social.store.session import Database
from social.store.tables import (
    AssessmentRow,
    ConversationRow,
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
class Taken:
    """``acknowledgement_at``: when the robot steps in if nobody has answered by then; ``None`` where it says nothing."""

    case_id: int
    user: str
    acknowledgement_at: datetime | None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    reply_id: int
    state: ReplyState
    case_id: int | None  # the case that still waits for an answer


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


# --- take --------------------------------------------------------------------------------------------------------------


def take(
    database: Database,
    case_id: int,
    *,
    user: str,
    now: datetime,
    calendar: BusinessCalendar,
    waits: Timing | None = None,
    over: bool = False,
) -> Taken:
    """The case is ``user``'s. A planned acknowledgement moves to minute 55, so that they have the time to write first.
    ``over`` takes it from whoever has it (who is ill, or gone home), unless their answer is already on its way."""
    with database.write() as session:
        who = users.user_id(session, user, now=now)
        case = _locked(session, case_id)
        if over and case.state == EscalationState.TAKEN.value and case.taken_by != who:
            _take_over(session, case, who, user=user, now=now)
        else:
            escalations.take(session, case_id, user=who, name=user.strip(), now=now)
        at = _postpone_acknowledgement(session, case.conversation_id, calendar, waits or Timing(), now)
    return Taken(case_id=case_id, user=user.strip(), acknowledgement_at=at)


def _take_over(session: Session, case: EscalationRow, who: int, *, user: str, now: datetime) -> None:
    _refuse_second_answer(session, case)
    before = _name(session, case.taken_by)
    case.taken_by, case.taken_at = who, now
    session.add(case)
    note(
        session,
        at=now,
        actor=user.strip(),
        verb="took over",
        subject="case",
        subject_id=case.id,
        detail={"from": before},
    )


def _postpone_acknowledgement(
    session: Session, conversation_id: int, calendar: BusinessCalendar, waits: Timing, now: datetime
) -> datetime | None:
    columns = c(ReplyRow)
    reply = session.execute(
        select(ReplyRow)
        .where(
            columns.conversation_id == conversation_id,
            columns.state == ReplyState.PLANNED.value,
            columns.sent_by == SentBy.ROBOT.value,
            columns.kind == ReplyKind.ACKNOWLEDGEMENT.value,
        )
        .with_for_update()
    ).scalar_one_or_none()
    conversation = session.get(ConversationRow, conversation_id)
    if reply is None or reply.due_at is None or reply.not_after is None or conversation is None:
        return None
    moved = timing.when_taken(
        PlannedReply(
            kind=ReplyKind.ACKNOWLEDGEMENT,
            due_at=reply.due_at,
            not_after=reply.not_after,
            opening=_fact(reply, OPENING),
            closing=_fact(reply, CLOSING),
        ),
        calendar,
        waits,
        since=conversation.waiting_since or reply.created_at,
        now=now,
    )
    if moved.due_at != reply.due_at:
        # without its token, a worker that holds it at this moment finds that it is not its own any more
        reply.due_at, reply.token, reply.leased_until = moved.due_at, None, None
        session.add(reply)
    return moved.due_at


def _fact(reply: ReplyRow, name: str) -> datetime | None:
    value = reply.facts.get(name)
    return datetime.fromisoformat(value) if value else None


# --- answer ------------------------------------------------------------------------------------------------------------


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
    with database.write() as session:
        who = users.user_id(session, user, now=now)
        case = _locked(session, case_id)
        if case.state != EscalationState.TAKEN.value or case.taken_by != who:
            taken_at = None
            escalations.take(session, case_id, user=who, name=user.strip(), now=now)
        else:
            taken_at = case.taken_at
        _refuse_second_answer(session, case)
        theirs = _customers_posts(session, case.conversation_id)
        if not even_if_changed:
            _refuse_if_changed(session, case_id, theirs, seen, taken_at)
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


def _refuse_second_answer(session: Session, case: EscalationRow) -> None:
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
    who = _name(session, found.user_id) or "somebody"
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


def _refuse_if_changed(
    session: Session, case_id: int, theirs: list[PostRow], seen: Seen | None, taken_at: datetime | None
) -> None:
    """The customer wrote again, or changed what they wrote, since the writer looked."""
    newest = theirs[-1]
    changed: PostRow | None = None
    if seen is not None:
        if (newest.id, newest.revision_number) != (seen.post_id, seen.revision_number):
            changed = newest
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
            next_step=f"Read it (social queue show {case_id}) and answer with --seen {newest.id}:"
            f"{newest.revision_number}, or send it all the same: --even-if-changed",
        )


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
            post=PostFacts(
                kind=PostKind(post.kind),
                created_at=post.created_at,
                summoned=post.summoned,
                private=post.private,
                ours=post.ours,
                history=post.history,
            ),
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


def _customers_posts(session: Session, conversation_id: int) -> list[PostRow]:
    columns = c(PostRow)
    query = select(PostRow).where(columns.conversation_id == conversation_id, columns.ours.is_(False))
    return list(session.execute(query.order_by(columns.created_at, columns.id)).scalars())


def _language(session: Session, post: PostRow) -> str:
    columns = c(AssessmentRow)
    query = select(columns.language).where(columns.post_id == post.id).order_by(columns.revision_number.desc())
    return session.execute(query.limit(1)).scalar() or UNKNOWN_LANGUAGE


# --- close -------------------------------------------------------------------------------------------------------------


def close(database: Database, case_id: int, *, user: str, now: datetime, reason: str = "") -> None:
    """End the case without an answer. A formal complaint needs a reason; so does one that somebody else has taken: it is
    theirs to close. Raises ``Conflict``."""
    reason = reason.strip()
    with database.write() as session:
        who = users.user_id(session, user, now=now)
        case = _locked(session, case_id)
        if case.state == EscalationState.TAKEN.value and case.taken_by != who:
            raise Conflict(
                f"case {case_id} is taken by {_name(session, case.taken_by)}.",
                next_step=f"Talk to them, or take it over first: social queue take {case_id} --over",
            )
        _refuse_second_answer(session, case)
        if not reason and case.formal and case.state != EscalationState.ANSWERED.value:
            raise Conflict(
                f"case {case_id} is a formal complaint with a deadline; it ends with an answer or a reason.",
                next_step='Say why: --reason "settled by letter on 3 May"',
            )
        default = "answered" if case.state == EscalationState.ANSWERED.value else "no answer needed"
        escalations.close(session, case_id, reason=reason or default, name=user.strip(), now=now)


# --- settle ------------------------------------------------------------------------------------------------------------


def settle(
    database: Database,
    reply_id: int,
    *,
    sent: bool,
    user: str,
    now: datetime,
    external_id: str | None = None,
    permalink: str | None = None,
) -> Settled:
    """A person looked at a reply of unknown outcome and says whether it is there. The robot never sends it again: what
    was not published stays with the case, for a person to answer. Raises ``NotFound``, ``Conflict``."""
    with database.write() as session:
        users.user_id(session, user, now=now)
        reply = session.execute(select(ReplyRow).where(c(ReplyRow).id == reply_id).with_for_update()).scalar()
        if reply is None:
            raise NotFound(f"there is no reply {reply_id}.", next_step="See what is unsettled with: social queue list")
        if reply.state != ReplyState.UNKNOWN.value:
            raise Conflict(
                f"reply {reply_id} is {reply.state}; only an unknown one is settled by a person.",
                next_step="It is still being looked up; wait." if reply.state == ReplyState.SENDING.value else "",
            )
        if sent:
            _settle_sent(session, reply, external_id, permalink, user=user.strip(), now=now)
        else:
            _settle_not_sent(session, reply, user=user.strip(), now=now)
        alerts.settle(session, kind="unknown", subject=str(reply_id))
        waiting = escalations.waiting_case(session, reply.conversation_id)
        state = ReplyState.SENT if sent else ReplyState.REFUSED
        return Settled(reply_id=reply_id, state=state, case_id=waiting.id if waiting else None)


def _settle_sent(
    session: Session, reply: ReplyRow, external_id: str | None, permalink: str | None, *, user: str, now: datetime
) -> None:
    at = reply.intended_at or now
    outbox.change_state(
        session,
        reply.id or 0,
        ReplyState.UNKNOWN,
        ReplyState.SENT,
        external_id=external_id,
        permalink=permalink,
        sent_at=at,
        reason=f"{user} saw it on the network",
    )
    note(session, at=now, actor=user, verb="settled as sent", subject="reply", subject_id=reply.id)
    conversation = session.get(ConversationRow, reply.conversation_id)
    if reply.sent_by == SentBy.PERSON.value and conversation is not None:
        posts.record_person_answer(session, conversation, at=at, now=now, natively=False, actor=user)


def _settle_not_sent(session: Session, reply: ReplyRow, *, user: str, now: datetime) -> None:
    """The conversation's cap is kept: a person's eyes may err, and a second automatic text would be worse than none."""
    reason = f"{user} looked: it was not published"
    outbox.change_state(session, reply.id or 0, ReplyState.UNKNOWN, ReplyState.REFUSED, reason=reason)
    note(session, at=now, actor=user, verb="settled as not sent", subject="reply", subject_id=reply.id)
    case = escalations.waiting_case(session, reply.conversation_id)
    post = session.get(PostRow, reply.post_id)
    if case is None and post is not None and _still_waits(session, reply):
        case = escalations.open_or_join(
            session,
            escalations.NewCase(
                brand_id=reply.brand_id,
                profile_id=reply.profile_id,
                conversation_id=reply.conversation_id,
                post_id=reply.post_id,
                urgency=Urgency.HIGH,
                rule="reply-refused",
                reason=f"the {reply.kind} did not reach the customer: {reason}",
                waiting_since=post.created_at,
            ),
            now=now,
        )
    if case is not None:
        case.note = f"{reply.kind}: {reason}"
        session.add(case)


def _still_waits(session: Session, reply: ReplyRow) -> bool:
    """Nobody answered the customer since: a case that ended for another reason does not come back for the robot's text."""
    conversation = session.get(ConversationRow, reply.conversation_id)
    if conversation is None or reply.sent_by != SentBy.PERSON.value:
        return False
    last = session.execute(
        select(func.max(c(PostRow).created_at)).where(
            c(PostRow).conversation_id == conversation.id, c(PostRow).ours.is_(False)
        )
    ).scalar()
    answered = conversation.person_answered_at
    return answered is None or last is None or answered < last


# --- pieces ------------------------------------------------------------------------------------------------------------


def _locked(session: Session, case_id: int) -> EscalationRow:
    """The case, held until the transaction ends: of two people at once, the second looks after the first has finished."""
    row = session.execute(select(EscalationRow).where(c(EscalationRow).id == case_id).with_for_update()).scalar()
    return row if row is not None else escalations.get(session, case_id)


def _name(session: Session, user_id: int | None) -> str | None:
    user = session.get(UserRow, user_id) if user_id is not None else None
    return user.name if user is not None else None
