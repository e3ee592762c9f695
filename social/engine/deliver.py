"""deliver: one reply through its states, at most once in public.

1  claim a due reply
2  look: the thread again, the post again, the network's own word; whatever changed is remembered and may cancel it
3  check: its time, a person's answer, the platform's rules, the facts in the text, the guard
4  commit the intent (``planned -> sending``), together with the conversation's cap, BEFORE the wire
5  one attempt on the wire, never a retry
6  settle: sent, refused, planned again (surely not published), or stay ``sending`` until the look-up
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, select, update
from sqlmodel import Session

from responders import compose, delivery, guard, permission
from responders.delivery import Consequence, Event, Step
from social import clock
from social.domain.decision import PostFacts
from social.domain.errors import (
    CannotTell,
    ConnectorError,
    CredentialsExpired,
    Duplicate,
    DyzurError,
    RateLimited,
    Refused,
    Uncertain,
    Unreachable,
)
from social.domain.escalation import EscalationState
from social.domain.post import FetchedPost, Gone, PostRef, ProfileMode
from social.domain.reply import Receipt, ReplyKind, ReplyState, SentBy
from social.engine import alerts, aside, budgets, failpoints, late, poll, refusals, skew
from social.engine.claims import Claim, machine_time, release
from social.engine.desk import Desk, LiveProfile
from social.ports import ALLOWED, Verdict
from social.store import control, escalations, incidents, locks, outbox, posts, profiles, wakes
from social.store.mapping import facts_from, ref_from
from social.store.recall import ASKED_FOR_A_PERSON, conversation_facts
from social.store.rows import c
from social.store.session import machine_time_of
from social.store.tables import AuthorRow, ConversationRow, EscalationRow, PostRow, ReplyRow

log = logging.getLogger("social.deliver")

#: A look before sending that fails is tried again after this (world time), until the text's own time is over: soon for what
#: was asked just now, later for what waits for a network that is away.
LOOK_AGAIN_SOON, LOOK_AGAIN_AFTER = timedelta(seconds=3), timedelta(minutes=1)
#: Machine time beside the network's read lag, after which the outcome of a write that was answered can be looked up.
OUTCOME_SHOWS = timedelta(seconds=1)
#: The record of what was published is worth so many seconds of waiting for a database server that is restarted.
SERVER_MAY_BE_AWAY = 20.0
#: A person's answer waits so long (world time) while an automatic text of the same conversation is on the wire.
LET_FINISH = timedelta(seconds=5)
#: A doubtful send that nobody could look up for this long (world time) is shown to people.
GIVE_UP_LOOKING_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A reply with what surrounds it, as plain values: nothing here is tied to a session."""

    id: int
    kind: ReplyKind
    sent_by: SentBy
    user_id: int | None
    text: str
    key: str
    facts: dict[str, str]
    due_at: datetime | None
    not_after: datetime | None
    intended_at: datetime | None
    post_id: int
    conversation_id: int
    created_at: datetime
    author_id: int
    revision_number: int
    ref: PostRef
    post: PostFacts
    last_customer_at: datetime
    automatic_replies: int
    formal: bool
    duplicate: bool

    @property
    def robot(self) -> bool:
        return self.sent_by is SentBy.ROBOT


class _NotOurs(Exception):
    """Somebody changed the reply meanwhile; the transaction is rolled back and the work dropped."""


def paused(desk: Desk) -> bool:
    with desk.database.read() as session:
        return control.paused_since(session) is not None


def send_one(desk: Desk, claimed: Claim, now: datetime) -> int:
    failpoints.reach("deliver.claimed")
    work, live = _load(desk, claimed)
    if work is None:
        return 1
    if work.robot and _somebody_writes(desk, work):
        _put_off(desk, claimed, live, work, now + LOOK_AGAIN_AFTER, now)
        return 1
    if not work.robot and _robot_is_speaking(desk, work):
        _put_off(desk, claimed, live, work, now + LET_FINISH, now)
        return 1
    if work.robot and (since := _unjudged(desk, work)) is not None:
        _put_off(desk, claimed, live, work, _look_again_at(since, now), now)
        return 1
    if _is_full(desk, live, claimed, work, now):
        return 1
    try:
        step = _before_the_wire(desk, live, work, now)
    except ConnectorError as error:
        retry = _after(error, _look_again_at(work.created_at, now), now)
        log.warning("%s: reply #%d waits, the thread cannot be read: %s", live.name, work.id, error)
        _put_off(desk, claimed, live, work, retry, now)
        return 1
    if step.state is not ReplyState.SENDING:
        _apply(desk, live, work, ReplyState.PLANNED, step, now, token=claimed.token)
        return 1
    failpoints.reach("deliver.looked")
    patience = max(desk.leases.settle / 2, timedelta(seconds=1))
    soon = clock.Window.lasting(patience)
    # the last of the requests of an attempt is the one that publishes
    in_time = clock.Window.lasting(patience + live.longest_attempt * 2 / 3)
    if not _commit_intent(desk, live, claimed, work, now):
        return 1
    failpoints.reach("deliver.after-intent")
    if not soon.open:  # paused or a slow disk: the lease may be over, so only the look-up may decide
        log.warning(
            "%s: reply #%d took long to be noted down, so it will be looked up before it is sent", live.name, work.id
        )
        return 1
    with clock.leaving_within(in_time):
        _use_the_wire(desk, claimed, live, work, now)
    return 1


def settle_doubtful(desk: Desk, claimed: Claim, now: datetime) -> int:
    """An intent whose lease ended: look for our own reply; never send blindly."""
    failpoints.reach("doubtful.claimed")
    work, live = _load(desk, claimed)
    if work is None:
        return 1
    receipt: Receipt | None = None
    try:
        with budgets.asking(desk, live, budgets.POLLING, now):  # it reads; whether we may write is another matter
            receipt = live.connector.find_own_reply(work.ref, work.text, key=work.key)
        event = Event.FOUND if receipt else Event.ABSENT
    except CannotTell:
        event = Event.CANNOT_TELL
    except ConnectorError as error:
        if now - (work.intended_at or now) < GIVE_UP_LOOKING_AFTER:
            log.warning("%s: reply #%d is doubtful and cannot be looked up yet: %s", live.name, work.id, error)
            began = (work.intended_at or now) + _read_lag(desk, live) + OUTCOME_SHOWS
            later = _after(error, _look_again_at(began, now), now)
            # a limit may last for a day: it is said in time that nobody can tell
            release(desk.database, claimed, due_at=min(later, (work.intended_at or now) + GIVE_UP_LOOKING_AFTER))
            return 1
        event = Event.CANNOT_TELL
    except DyzurError:
        raise
    except Exception:
        # the connector's own mistake: it is tried again when the lease ends, as long as any other failure
        if now - (work.intended_at or now) < GIVE_UP_LOOKING_AFTER:
            raise
        log.exception("%s: reply #%d cannot be looked up", live.name, work.id)
        event = Event.CANNOT_TELL
    failpoints.reach("doubtful.looked-up")
    said = ""
    if event is Event.ABSENT and work.duplicate:
        # to send it again would be refused again; whether it is ours, somewhere, a person has to see
        event, said = Event.CANNOT_TELL, "; the network calls it a duplicate"
    step = delivery.advance(ReplyState.SENDING, event, sent_by=work.sent_by)
    if receipt is not None:
        _sent(desk, live, work, receipt, now)
    else:
        step, due_at = replace(step, reason=f"{step.reason}{said}"), None
        if event is Event.ABSENT and not work.robot:  # a robot's text has an end; a person's would be tried for ever
            due_at = _in_time_to_warn(work, _look_again_at(work.created_at, now), now)
        _apply(desk, live, work, ReplyState.SENDING, step, now, token=claimed.token, due_at=due_at)
        if due_at is not None:
            with desk.database.write() as session:
                _warn_of_a_late_answer(session, live, work, now)
    failpoints.reach("doubtful.after-settle")
    return 1


# --- 1: load -----------------------------------------------------------------------------------------------------------


def _load(desk: Desk, claimed: Claim) -> tuple[_Work | None, LiveProfile]:
    with desk.database.read() as session:
        row, post, author, conversation = session.execute(
            select(ReplyRow, PostRow, AuthorRow, ConversationRow)
            .join(PostRow, c(PostRow).id == c(ReplyRow).post_id)
            .join(AuthorRow, c(AuthorRow).id == c(PostRow).author_id)
            .join(ConversationRow, c(ConversationRow).id == c(ReplyRow).conversation_id)
            .where(c(ReplyRow).id == claimed.ids[0])
        ).one()
        live = desk.profiles[row.profile_id]
        if row.token != claimed.token:
            return None, live
        others = [reply for reply in outbox.of_conversations(session, [row.conversation_id]) if reply.id != row.id]
        facts = conversation_facts(conversation, others, post, taken=False, now=row.created_at)
        formal = session.execute(
            select(c(EscalationRow).formal).where(
                c(EscalationRow).conversation_id == row.conversation_id, c(EscalationRow).formal.is_(True)
            )
        ).first()
        work = _Work(
            id=row.id or 0,
            kind=ReplyKind(row.kind),
            sent_by=SentBy(row.sent_by),
            user_id=row.user_id,
            text=row.text,
            key=row.key,
            facts=row.facts,
            due_at=row.due_at,
            not_after=row.not_after,
            intended_at=row.intended_at,
            post_id=row.post_id,
            conversation_id=row.conversation_id,
            created_at=row.created_at,
            author_id=row.author_id,
            revision_number=post.revision_number,
            ref=ref_from(post, author.native_id),
            post=facts_from(post),
            last_customer_at=conversation.last_customer_at,
            automatic_replies=facts.automatic_replies,
            formal=formal is not None,
            duplicate=outbox.is_called_duplicate(row),
        )
    return work, live


# --- 2, 3: look and check ----------------------------------------------------------------------------------------------


def _before_the_wire(desk: Desk, live: LiveProfile, work: _Work, now: datetime) -> Step:
    def step(event: Event) -> Step:
        return delivery.advance(ReplyState.PLANNED, event, sent_by=work.sent_by)

    if work.robot and live.mode is ProfileMode.OFF:
        return step(Event.SILENCED)
    if work.not_after is not None and now > work.not_after:
        return step(Event.TOO_LATE)
    if work.robot and not compose.still_true(work.facts, live.calendar, now):
        return step(Event.FACT_STALE)
    network = _look(desk, live, work, now)
    if isinstance(network, Gone):
        return step(Event.DELETED)
    colleague = None if work.robot else _answered_in_the_app(desk, work)
    if colleague is not None:
        reason = (
            f"a colleague was quicker, in the network's own app at {colleague.astimezone(live.calendar.timezone):%H:%M}"
        )
        return Step(state=ReplyState.REFUSED, reason=reason, consequence=Consequence.ESCALATE)
    beside = _perhaps_answered(desk, work)
    if beside is not None:
        at = f"{beside.astimezone(live.calendar.timezone):%H:%M}"
        reason = f"perhaps a person answered already: since {at} something of ours stands where an answer to this customer would"
        state = ReplyState.CANCELLED if work.robot else ReplyState.REFUSED
        return Step(state=state, reason=reason, consequence=Consequence.ESCALATE)
    verdict = permission.evaluate(
        live.connector.reply_rules,
        post=work.post,
        last_customer_post_at=work.last_customer_at,
        automatic_replies=work.automatic_replies,
        kind=work.kind,
        sent_by=work.sent_by,
        now=now,
        network=network,
    )
    if not verdict.allowed:
        return Step(state=ReplyState.REFUSED, reason=verdict.reason, consequence=Consequence.ESCALATE)
    problems = guard.check(
        work.text,
        rules=live.connector.reply_rules,
        sent_by=work.sent_by,
        formal=work.formal,
        private_channel=live.connector.capabilities.private_channel,
        private=work.post.private,
    )
    blocking = dict.fromkeys(problem.message for problem in problems if problem.blocking)
    if blocking:
        return Step(state=ReplyState.REFUSED, reason="; ".join(blocking), consequence=Consequence.ESCALATE)
    if work.robot and live.mode is ProfileMode.DRY_RUN:
        return step(Event.DUE_IN_DRY_RUN)
    return step(Event.DUE)


def _look(desk: Desk, live: LiveProfile, work: _Work, now: datetime) -> Verdict | Gone:
    """The thread and the post as they are now. What is new is remembered, which may cancel this very reply: the intent
    then finds its token gone."""
    connector = live.connector
    with desk.database.read() as session:
        profile = profiles.by_ids(session, [live.id])[0]
    thread: list[FetchedPost] = []
    with budgets.asking(desk, live, budgets.SENDING, now):
        found = list(connector.refresh([work.ref]).values())
        if connector.capabilities.threads:
            try:
                thread = list(connector.thread(work.ref))
            except CannotTell:
                if work.robot:
                    raise
                # too long a thread to read to its end keeps the robot silent, not a person
    poll.remember_look(desk, profile, [*found, *thread], now)
    if work.robot and not skew.agree(desk, live, now):
        raise Unreachable("its clock and ours do not agree.", resource=live.name)
    for item in found:
        if isinstance(item, Gone):
            return item
    if not work.robot and not connector.capabilities.threads:
        return ALLOWED
    with budgets.asking(desk, live, budgets.SENDING, now):
        return connector.can_reply(work.ref)


# --- 4: the intent -----------------------------------------------------------------------------------------------------


def _commit_intent(desk: Desk, live: LiveProfile, claimed: Claim, work: _Work, now: datetime) -> bool:
    """True once ``sending`` is on the disk. False: paused, capped, cancelled meanwhile; nothing may be sent."""
    lease = desk.leases.settle + live.longest_attempt + _read_lag(desk, live)
    try:
        with desk.database.write() as session:
            if control.paused_since(session) is not None:
                release_in(session, claimed, work)
                return False
            # the profile's limit counts what other daemons commit in this moment, too
            locks.hold_name(session, locks.PROFILE_LIMIT, live.id)
            locks.hold_conversations(session, [work.conversation_id])
            if work.robot and _writes_more(session, work) is not None:
                release_in(session, claimed, work)
                return False
            if _wait_for_room(desk, session, live, claimed, work, now):
                return False
            row = session.get(ReplyRow, work.id)
            overtaken = _overtaken(session, work, desk.now())
            if overtaken is not None:
                step = delivery.advance(ReplyState.PLANNED, overtaken, sent_by=work.sent_by)
                changed = outbox.change_state(
                    session, work.id, ReplyState.PLANNED, step.state, token=claimed.token, reason=step.reason
                )
                if changed and step.consequence is Consequence.ESCALATE:
                    _tell_people(session, live, work, step, now)
                log.info("%-12s %s #%d: %s", step.state.value, live.name, work.post_id, step.reason)
                return False
            leased_until = machine_time(session) + lease
            if row is None or not outbox.intend(session, row, token=claimed.token, now=now, leased_until=leased_until):
                raise _NotOurs
            failpoints.reach("deliver.before-intent")
    except _NotOurs:
        with desk.database.write() as session:
            if outbox.change_state(
                session,
                work.id,
                ReplyState.PLANNED,
                ReplyState.CANCELLED,
                token=claimed.token,
                reason="an automatic text went out in this conversation",
            ):
                log.info("cancelled    %s #%d: capped", live.name, work.post_id)
        return False
    return True


def _overtaken(session: Session, work: _Work, now: datetime) -> Event | None:
    """What happened since the text was planned, looked at in the intent's own transaction: a reply that came back from
    ``sending`` was out of reach of everything that cancels plans."""
    if work.not_after is not None and now > work.not_after:
        return Event.TOO_LATE
    conversation = session.get(ConversationRow, work.conversation_id, with_for_update=True)
    post, author = session.get(PostRow, work.post_id), session.get(AuthorRow, work.author_id)
    if post is None or post.deleted_at is not None:
        return Event.DELETED
    if not work.robot or conversation is None or author is None:
        return None
    if author.opted_out_at is not None:
        return Event.OPTED_OUT
    columns = c(ReplyRow)
    answering = session.execute(
        select(columns.id)
        .where(
            columns.conversation_id == work.conversation_id,
            columns.sent_by == SentBy.PERSON.value,
            columns.state.in_((ReplyState.PLANNED.value, ReplyState.SENDING.value, ReplyState.UNKNOWN.value)),
        )
        .limit(1)
    ).first()
    answered = conversation.person_answered_at
    if answering is not None or (answered is not None and answered >= work.post.created_at):
        return Event.ANSWERED
    if incidents.stops(session, post.profile_id, work.kind, work.text):
        return Event.SILENCED  # a crisis began while the text was on its way
    if post.revision_number != work.revision_number or post.state == "new":
        return Event.FACT_STALE  # edited: the new words are judged before anything is said
    confirms = work.kind is ReplyKind.HAND_OVER and conversation.silence_reason == ASKED_FOR_A_PERSON
    ended = conversation.silenced_at is not None and not confirms
    if ended or escalations.waiting_case(session, work.conversation_id) is None:
        return Event.SILENCED
    return None


def _somebody_writes(desk: Desk, work: _Work) -> bool:
    """A person's draft is open at the desk: the robot does not cut in."""
    with desk.database.read() as session:
        case = escalations.waiting_case(session, work.conversation_id)
        return case is not None and case.draft_until is not None and case.draft_until > machine_time_of(session)


def _unjudged(desk: Desk, work: _Work) -> datetime | None:
    with desk.database.read() as session:
        return _writes_more(session, work)


def _writes_more(session: Session, work: _Work) -> datetime | None:
    """Since when something that the customer wrote here waits to be judged: it may be an emergency, or say that they want no
    robot. What a backfill holds is not due."""
    columns = c(PostRow)
    query = select(func.min(columns.received_at)).where(
        columns.conversation_id == work.conversation_id,
        columns.ours.is_(False),
        columns.deleted_at.is_(None),
        columns.state == "new",
        columns.due_at.is_not(None),
        columns.id != work.post_id,  # its own edit is no news: the text is decided anew
    )
    since: datetime | None = session.execute(query).scalar()
    return since


def _robot_is_speaking(desk: Desk, work: _Work) -> bool:
    """An automatic text is on the wire: its intent came before the person's answer was written, and so must it."""
    columns = c(ReplyRow)
    with desk.database.read() as session:
        query = select(columns.id).where(
            columns.conversation_id == work.conversation_id,
            columns.sent_by == SentBy.ROBOT.value,
            columns.state == ReplyState.SENDING.value,
            columns.leased_until > machine_time(session),
        )
        return session.execute(query.limit(1)).first() is not None


def _answered_in_the_app(desk: Desk, work: _Work) -> datetime | None:
    """When a colleague answered there, and we learned of it since this answer was written: its writer could not know. The case
    may have come back meanwhile. A second answer from the desk is never planned beside this one."""
    columns = c(EscalationRow)
    with desk.database.read() as session:
        case = session.execute(
            select(EscalationRow)
            .where(columns.conversation_id == work.conversation_id)
            .order_by(columns.id.desc())
            .limit(1)
        ).scalar()
        if case is not None and case.state == EscalationState.ANSWERED.value and case.answered_natively:
            return case.answered_at
        return posts.answered_natively_since(
            session, work.conversation_id, asked_at=work.post.created_at, since=work.created_at
        )


def _perhaps_answered(desk: Desk, work: _Work) -> datetime | None:
    """When something of ours appeared that may answer this customer. Whoever writes at the desk has seen what lay there."""
    with desk.database.read() as session:
        return posts.perhaps_answered(session, work.post_id, since=None if work.robot else work.created_at)


def release_in(session: Session, claimed: Claim, work: _Work) -> None:
    """Give the reply back inside an open transaction; a pause is no fault of the reply's, so its attempts start anew."""
    session.execute(
        update(ReplyRow)
        .where(c(ReplyRow).id == work.id, c(ReplyRow).token == claimed.token)
        .values(token=None, leased_until=None, attempts=0)
    )


def _wait_for_room(desk: Desk, session: Session, live: LiveProfile, claimed: Claim, work: _Work, now: datetime) -> bool:
    """Where the profile reached its hourly limit, all of the robot's texts wait for room, and those whose time is over by
    then are given up at once: people learn of them while they can still do something."""
    room_at = _room_at(desk, session, live, work, now)
    if room_at is None:
        return False
    why = f"the profile reached its limit of {desk.limits.per_profile_an_hour} automatic texts an hour"
    release_in(session, claimed, work)
    outbox.put_off(session, live.id, until=room_at, reason=why)
    late.give_up(session, before=room_at, why=why, profile_id=live.id)
    log.info("waiting      %s: %s", live.name, why)
    return True


def _room_at(desk: Desk, session: Session, live: LiveProfile, work: _Work, now: datetime) -> datetime | None:
    """``None``: there is room now, as there always is for a person's answer; and a rehearsal fills none."""
    if not work.robot or live.mode is ProfileMode.DRY_RUN:
        return None
    return outbox.room_at(session, live.id, an_hour=desk.limits.per_profile_an_hour, now=now)


def _is_full(desk: Desk, live: LiveProfile, claimed: Claim, work: _Work, now: datetime) -> bool:
    """Asked before the thread is read: a text that cannot go out must not cost the network's budget."""
    with desk.database.read() as session:
        if _room_at(desk, session, live, work, now) is None:
            return False
    with desk.database.write() as session:
        return _wait_for_room(desk, session, live, claimed, work, now)


def _put_off(desk: Desk, claimed: Claim, live: LiveProfile, work: _Work, until: datetime, now: datetime) -> None:
    with desk.database.write() as session:
        _warn_of_a_late_answer(session, live, work, now)
        session.execute(
            update(ReplyRow)
            .where(c(ReplyRow).id == work.id, c(ReplyRow).token == claimed.token)
            .values(token=None, leased_until=None, attempts=0, due_at=_in_time_to_warn(work, until, now))
        )


def _in_time_to_warn(work: _Work, until: datetime, now: datetime) -> datetime:
    """A network's limit may last for a day: a person's answer is looked at once more when its writer must be told. That costs
    no request, the limit is known."""
    warned_at = work.created_at + GIVE_UP_LOOKING_AFTER
    return until if work.robot or now >= warned_at else min(until, warned_at)


def _warn_of_a_late_answer(session: Session, live: LiveProfile, work: _Work, now: datetime) -> None:
    """A person believes that their answer went out: after an hour of trying they are told that it did not."""
    case = escalations.waiting_case(session, work.conversation_id)
    if work.robot or case is None or now - work.created_at < GIVE_UP_LOOKING_AFTER:
        return
    case.note = "The answer could not be sent yet; answer in the network's own app if it is urgent."
    session.add(case)
    alerts.raise_once(
        session,
        kind="late-answer",
        subject=str(work.id),
        message=f"an answer on {live.name} (case {case.id}) could not be sent for an hour",
        now=now,
        brand_id=live.brand_id,
        profile_id=live.id,
        escalation_id=case.id,
    )


# --- 5: the wire -------------------------------------------------------------------------------------------------------


def _use_the_wire(desk: Desk, claimed: Claim, live: LiveProfile, work: _Work, now: datetime) -> None:
    failpoints.reach("deliver.before-wire")
    try:
        receipt = live.connector.reply(work.ref, work.text, key=work.key, sent_by=work.sent_by)
    except DyzurError as error:
        failpoints.reach("deliver.after-wire")
        event = delivery.event_of(error) if isinstance(error, ConnectorError) else Event.UNCERTAIN
        if isinstance(error, Refused):
            step = delivery.advance(ReplyState.SENDING, event, sent_by=work.sent_by)
            refused = Step(state=step.state, reason=f"{error.reason.value}: {error}", consequence=step.consequence)
            _apply(desk, live, work, ReplyState.SENDING, refused, now, token=claimed.token)
            refusals.mind_the_account(desk, live, error, now)
        elif event is Event.NOT_ACCEPTED:
            _not_accepted(desk, claimed, live, work, error, now)
        else:
            log.warning("%s: reply #%d is doubtful, it will be looked up: %s", live.name, work.id, error)
            if isinstance(error, Duplicate):
                keep = partial(outbox.called_duplicate, reply_id=work.id, said=str(error))
                desk.database.step(keep, patience=SERVER_MAY_BE_AWAY)
            if isinstance(error, Uncertain) and error.over:
                _look_up_soon(desk, claimed, live, work)
    else:
        failpoints.reach("deliver.after-wire")
        _sent(desk, live, work, receipt, now)


def _look_up_soon(desk: Desk, claimed: Claim, live: LiveProfile, work: _Work) -> None:
    """Nothing of the attempt is on its way any more: only what the network takes to show it is waited for."""
    lag = _read_lag(desk, live) + OUTCOME_SHOWS
    with desk.database.write() as session:
        columns = c(ReplyRow)
        session.execute(
            update(ReplyRow)
            .where(columns.id == work.id, columns.state == ReplyState.SENDING.value, columns.token == claimed.token)
            .values(leased_until=machine_time(session) + lag)
            .execution_options(synchronize_session=False)
        )


def _read_lag(desk: Desk, live: LiveProfile) -> timedelta:
    return live.connector.reply_rules.read_lag if desk.leases.read_lag is None else desk.leases.read_lag


def _look_again_at(since: datetime, now: datetime) -> datetime:
    """After as long as it has been tried already, within bounds."""
    return now + min(max(now - since, LOOK_AGAIN_SOON), LOOK_AGAIN_AFTER)


def _after(error: DyzurError, otherwise: datetime, now: datetime) -> datetime:
    """When to try again. An access that ended is not renewed within a minute, and each try may count as a failed sign-in."""
    if isinstance(error, RateLimited):
        return error.until
    return now + poll.RETRY_CREDENTIALS if isinstance(error, CredentialsExpired) else otherwise


# --- 6: settle ---------------------------------------------------------------------------------------------------------


def _sent(desk: Desk, live: LiveProfile, work: _Work, receipt: Receipt, now: datetime) -> None:
    at = receipt.published_at or now

    def keep(session: Session) -> None:
        locks.hold_conversations(session, [work.conversation_id])
        row = session.get_one(ReplyRow, work.id)
        known = row.state == ReplyState.SENT.value
        outbox.settle_public(session, row, external_id=receipt.native_id, permalink=receipt.permalink, at=at, now=now)
        conversation = session.get(ConversationRow, work.conversation_id)
        if not known and conversation is not None and not work.robot:  # also where it was given up: the customer has it
            # an answer stops the clock of what the customer had written when it was planned
            posts.record_person_answer(
                session, conversation, at=at, now=now, natively=False, actor="outbox", seen_until=work.created_at
            )
        budgets.keep_quota(desk, live, session, now)
        refusals.settle(session, live)
        if not work.robot:
            alerts.settle(session, kind="late-answer", subject=str(work.id))
        failpoints.reach("deliver.before-settle")

    desk.database.step(keep, patience=SERVER_MAY_BE_AWAY)
    failpoints.reach("deliver.after-settle")
    desk.refused_in_a_row.pop(live.id, None)
    waited = now - work.post.created_at
    log.info("sent         %s #%d: %s, %s after the post", live.name, work.post_id, work.kind.value, _minutes(waited))


def _not_accepted(desk: Desk, claimed: Claim, live: LiveProfile, work: _Work, error: DyzurError, now: datetime) -> None:
    retry = _after(error, _look_again_at(work.created_at, now), now)
    log.warning("%s: reply #%d was not accepted: %s", live.name, work.id, error)
    step = delivery.advance(ReplyState.SENDING, Event.NOT_ACCEPTED, sent_by=work.sent_by)
    due_at = _in_time_to_warn(work, retry, now)
    _apply(desk, live, work, ReplyState.SENDING, step, now, token=claimed.token, due_at=due_at)
    with desk.database.write() as session:
        _warn_of_a_late_answer(session, live, work, now)
        profiles.record_error(session, live.id, str(error), now=now)
        if isinstance(error, RateLimited):
            budgets.keep_pause(session, live.id, error, now, stops="write")
        elif isinstance(error, CredentialsExpired):
            alerts.raise_once(
                session, kind="connector", subject=live.name, message=str(error), now=now, profile_id=live.id
            )


def _apply(
    desk: Desk,
    live: LiveProfile,
    work: _Work,
    state: ReplyState,
    step: Step,
    now: datetime,
    *,
    token: str | None = None,
    due_at: datetime | None = None,
) -> None:
    """Move the reply as ``step`` says and do what follows from it, in one transaction."""

    def move(session: Session) -> None:
        locks.hold_conversations(session, [work.conversation_id])
        values: dict[str, Any] = {"due_at": due_at} if due_at is not None else {}
        if state is ReplyState.SENDING and step.state is ReplyState.PLANNED:
            values["attempts"] = 0  # those of the look-up, which has come to its end
        if not outbox.change_state(session, work.id, state, step.state, token=token, reason=step.reason, **values):
            return
        if state is ReplyState.SENDING and step.state in (ReplyState.PLANNED, ReplyState.REFUSED):
            row = session.get(ReplyRow, work.id)
            if row is not None:
                outbox.release_cap(session, row)
        if step.consequence is Consequence.DECIDE_AGAIN:
            _decide_again(session, work, now)
        elif step.consequence is Consequence.ESCALATE and step.state is not ReplyState.WOULD_HAVE_SENT:
            _tell_people(session, live, work, step, now)
        failpoints.reach("deliver.before-settle")

    desk.database.step(move)
    failpoints.reach("deliver.after-settle")
    log.info("%-12s %s #%d: %s, %s", step.state.value, live.name, work.post_id, work.kind.value, step.reason)


def _decide_again(session: Session, work: _Work, now: datetime) -> None:
    wakes.wake(session, wakes.TRIAGE)
    session.execute(
        update(PostRow)
        .where(c(PostRow).id == work.post_id, c(PostRow).state == "judged", c(PostRow).deleted_at.is_(None))
        .values(state="waiting", due_at=now, token=None, leased_until=None, attempts=0)
    )


def _tell_people(session: Session, live: LiveProfile, work: _Work, step: Step, now: datetime) -> None:
    """The customer did not get this text, or nobody can tell: the case says so, and an unknown rings."""
    row = session.get_one(ReplyRow, work.id)
    case = aside.case_of_reply(session, row, step.reason, state=step.state, now=now)
    if case is None:
        return
    case.note = f"{work.kind.value}: {step.reason}"[:500]
    session.add(case)
    if step.state is ReplyState.UNKNOWN:
        alerts.nobody_can_tell(session, work.id, case, profile=live.name, now=now)


def _minutes(duration: timedelta) -> str:
    minutes = round(duration.total_seconds() / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
