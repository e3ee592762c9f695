"""assess, recall, decide, compose, record: a batch of posts through one encoder pass and one transaction."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import update
from sqlalchemy.exc import DataError, DBAPIError, StatementError
from sqlmodel import Session

from responders.policy import decide
from responders.snapshot import Snapshot
from social.domain.assessment import Assessment, Sentiment, TextToAssess
from social.domain.decision import Decision, Outcome, ProfileFacts
from social.domain.errors import ConnectorError, ModelUnavailable
from social.domain.incident import Incident, Statement
from social.domain.reply import ReplyKind, SentBy
from social.engine import aside, budgets, failpoints, poll
from social.engine.claims import Claim, finish, renew, still_mine
from social.engine.crisis import look_for_crises
from social.engine.desk import Desk, LiveProfile
from social.engine.planning import plan
from social.engine.recording import Judged, Recording
from social.store import escalations, incidents, locks, outbox, profiles, volume
from social.store.journal import ROBOT, note
from social.store.posts import perhaps_answered
from social.store.recall import (
    ASKED_FOR_A_PERSON,
    RecalledPost,
    ToJudge,
    profile_automatic_in_last_hour,
    recall,
    to_judge,
)
from social.store.rows import c
from social.store.tables import AuthorRow, PostRow

log = logging.getLogger("social.judge")

#: A batch that was judged is worth so many seconds of waiting for a database server that is restarted.
SERVER_MAY_BE_AWAY = 30.0

#: What a post can break by what it holds. ``StatementError``: a value that the database will not take. A database that
#: is full, read-only or away is no post's fault (``StoreError``): the batch comes again.
_BAD_POST = (ArithmeticError, LookupError, TypeError, ValueError, StatementError)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What is the same for all posts of a profile in one batch."""

    sent_last_hour: int
    crisis: Incident | None


def _is_no_posts_fault(error: Exception) -> bool:
    """Two daemons met in one conversation, or the database is ill: the batch comes again when its lease ends."""
    return isinstance(error, DBAPIError) and not isinstance(error, DataError)


def assess_and_record(desk: Desk, claimed: Claim, now: datetime) -> int:
    failpoints.reach("triage.claimed")
    with desk.database.read() as session:
        posts = to_judge(session, claimed.ids)
    cleared = _read_threads_after_gap(desk, claimed, posts, now)
    failpoints.reach("triage.threads-read")
    assessments = _assess(desk, posts)
    failpoints.reach("triage.assessed")
    now = max(now, desk.now())  # the threads and the model took their time: what follows is decided by what is true now
    try:
        record = partial(_record_all, desk, claimed, claimed.ids, assessments, cleared, now)
        complained = desk.database.step(record, patience=SERVER_MAY_BE_AWAY)
    except _BAD_POST as error:
        if _is_no_posts_fault(error):
            raise
        log.exception("a batch of %d posts could not be recorded: %s", len(posts), type(error).__name__)
        complained = _record_one_by_one(desk, claimed, assessments, cleared, now)
    failpoints.reach("triage.after-commit")
    if complained:
        # a hint, in a write of its own: a poll holds its profile's row first, and then what was held till here
        desk.database.step(partial(volume.look_soon, profile_ids=complained, now=now))
    if desk.rings:
        look_for_crises(desk, now)  # before any of the texts that were just planned goes out
    return len(claimed.ids)


def _assess(desk: Desk, posts: Collection[ToJudge]) -> Mapping[int, Assessment]:
    """What is not judged yet, in one pass. A broken model falls back to rules that escalate: never silently neutral."""
    waiting = [post for post in posts if not post.judged]
    texts = [
        TextToAssess(
            text=post.text,
            language_hint=post.language_hint,
            # an emoji is read in the language that its author was last understood in, else in the brand's first
            context_language=post.context_language or desk.profiles[post.profile_id].languages[0],
            before=post.before,
        )
        for post in waiting
    ]
    if not texts:
        return {}
    try:
        found = desk.classifier.assess(texts)
    except ModelUnavailable as error:
        log.error("THE MODEL IS BROKEN, rules only from here, everything doubtful goes to people: %s", error)
        desk.classifier = desk.fallback
        found = desk.classifier.assess(texts)
    return {post.id: assessment for post, assessment in zip(waiting, found, strict=True)}


def _read_threads_after_gap(desk: Desk, claimed: Claim, posts: Collection[ToJudge], now: datetime) -> set[int]:
    """Posts that came in after a silence of ours: their threads are read once, before anything is said. Each reading extends the
    lease: a network that dawdles over many of them would outlast it, time and again."""
    cleared = set()
    for post in posts:
        if not post.after_gap or post.history:
            continue
        live = desk.profiles[post.profile_id]
        if not live.connector.capabilities.threads:
            continue
        with desk.database.write() as session:
            renew(session, claimed, desk.leases.triage)
        try:
            with budgets.asking(desk, live, budgets.POLLING, now):
                thread = live.connector.thread(post.ref)
        except ConnectorError as error:
            log.warning("%s: a thread could not be read after the gap, people decide: %s", live.name, error)
            continue
        with desk.database.read() as session:
            profile = profiles.by_ids(session, [post.profile_id])[0]
        poll.remember_look(desk, profile, list(thread), now)
        with desk.database.read() as session:
            perhaps = perhaps_answered(session, post.id)
        theirs = {item.native_id for item in thread if item.author.native_id == post.ref.author_id}
        if perhaps is None and not any(item.ours and item.in_reply_to in theirs for item in thread):
            cleared.add(post.id)
    return cleared


def _record_all(
    desk: Desk,
    claimed: Claim,
    post_ids: Collection[int],
    assessments: Mapping[int, Assessment],
    cleared: set[int],
    now: datetime,
    session: Session,
) -> set[int]:
    """Returns the profiles on which somebody complains, to be looked at soon: their rows must not be written in here."""
    locks.hold_around_posts(session, post_ids)
    mine = still_mine(session, claimed, post_ids)
    complained: set[int] = set()
    kept: Counter[str] = Counter()
    recalled = recall(session, mine, now=now, cleared=cleared)
    around = _around(session, {post.profile_id for post in recalled}, now)
    recording = Recording()
    for number, turn in enumerate(_one_a_customer(recalled)):
        if number:  # an earlier post of this batch changed what is known about these customers
            turn = recall(session, [post.id for post in turn], now=now, cleared=cleared)
        for post in turn:
            assessment = post.assessment or assessments.get(post.id)
            if assessment is None:
                continue  # edited since it was judged: it comes again
            decision = _record(desk, session, recording, post, assessment, around[post.profile_id], now)
            if post.post.history and not decision.escalate:
                kept[desk.profiles[post.profile_id].name] += 1
            if post.assessment is None and assessment.sentiment is Sentiment.NEGATIVE and not post.post.history:
                complained.add(post.profile_id)
        recording.write(session, claimed, desk, now)
    for name, count in kept.items():
        log.info("judged       %s: %d from before its first poll, kept for reports", name, count)
    failpoints.reach("triage.before-commit")
    return {id_ for id_ in complained if around[id_].crisis is None}


def _one_a_customer(posts: Sequence[RecalledPost]) -> list[list[RecalledPost]]:
    """Turns in which nobody speaks twice; each customer's posts keep their order."""
    turns: list[list[RecalledPost]] = []
    spoken: Counter[int] = Counter()
    for post in posts:
        if spoken[post.author_id] == len(turns):
            turns.append([])
        turns[spoken[post.author_id]].append(post)
        spoken[post.author_id] += 1
    return turns


def _around(session: Session, profile_ids: Collection[int], now: datetime) -> dict[int, _Around]:
    crises = incidents.crises_of(session, profile_ids)
    return {
        id_: _Around(sent_last_hour=profile_automatic_in_last_hour(session, id_, now=now), crisis=crises.get(id_))
        for id_ in profile_ids
    }


def _record(
    desk: Desk,
    session: Session,
    recording: Recording,
    post: RecalledPost,
    assessment: Assessment,
    around: _Around,
    now: datetime,
) -> Decision:
    live = desk.profiles[post.profile_id]
    crisis, fallback = around.crisis, live.languages[0]
    statement = None if crisis is None else crisis.approved_for(assessment.language, fallback=fallback)
    decision = decide(_snapshot(desk, live, post, assessment, around, statement), now)
    if post.assessment is None:
        recording.assessed(post, assessment, now=now)
    recording.decided(post, decision, now=now)
    _end_automation(session, recording, post, decision, now)
    if decision.escalate:
        judged = Judged(created_at=post.post.created_at, decision=decision, assessment=assessment)
        recording.opens(live, _case_of(desk, post, decision), judged, crisis)
    said = ""
    if decision.reply is not None:
        said = plan(session, recording, live, post, decision, decision.reply, assessment, statement, now)
    log.log(
        # hundreds of them at a first start, which are told in one line
        logging.DEBUG if post.post.history and not decision.escalate else logging.INFO,
        "judged       %s #%d: %s, %s, %s -> %s%s",
        live.name,
        post.id,
        assessment.language,
        assessment.sentiment.value,
        assessment.urgency.value,
        f"escalated ({decision.rule})" if decision.escalate else f"ignored ({decision.rule})",
        said,
    )
    return decision


def _snapshot(
    desk: Desk,
    live: LiveProfile,
    post: RecalledPost,
    assessment: Assessment,
    around: _Around,
    statement: Statement | None,
) -> Snapshot:
    return Snapshot(
        post=post.post,
        assessment=assessment,
        conversation=post.conversation,
        author=post.author,
        profile=ProfileFacts(
            mode=live.mode,
            closed_notice=live.closed_notice,
            crisis=around.crisis is not None,
            holding=statement is not None,
            automatic_replies_last_hour=around.sent_last_hour,
        ),
        calendar=live.calendar,
        rules=live.connector.reply_rules,
        timing=desk.timing,
        limits=desk.limits,
    )


def _end_automation(
    session: Session, recording: Recording, post: RecalledPost, decision: Decision, now: datetime
) -> None:
    """The customer said stop, wants a person, or the matter is not for a robot: what is still planned goes."""
    if decision.opt_out:
        session.execute(
            update(AuthorRow)
            .where(c(AuthorRow).id == post.author_id, c(AuthorRow).opted_out_at.is_(None))
            .values(opted_out_at=now)
        )
        outbox.cancel_planned(
            session, now=now, reason="the customer said stop", author_id=post.author_id, sent_by=SentBy.ROBOT
        )
        note(session, at=now, actor=ROBOT, verb="noted opt-out", subject="author", subject_id=post.author_id)
    if decision.silence:
        recording.silences(post, decision.rule, now=now)
    if decision.silence and post.planned:
        outbox.cancel_planned(
            session,
            now=now,
            reason=f"no automation from here: {decision.rule}",
            conversation_id=post.conversation_id,
            sent_by=SentBy.ROBOT,
            # who asks for a person twice gets the one confirmation that the first time planned
            keep=ReplyKind.HAND_OVER if decision.rule == ASKED_FOR_A_PERSON else None,
        )


def _case_of(desk: Desk, post: RecalledPost, decision: Decision) -> escalations.NewCase:
    return escalations.NewCase(
        brand_id=post.brand_id,
        profile_id=post.profile_id,
        conversation_id=post.conversation_id,
        post_id=post.id,
        urgency=decision.urgency,
        rule=decision.rule,
        reason=decision.reason,
        waiting_since=post.conversation.waiting_since,
        formal_deadline=desk.formal_deadline if decision.formal else None,
    )


def _record_one_by_one(
    desk: Desk, claimed: Claim, assessments: Mapping[int, Assessment], cleared: set[int], now: datetime
) -> set[int]:
    """One bad post never blocks its batch: it is set aside with its reason and shown to people. Returns as ``_record_all``."""
    complained: set[int] = set()
    for post_id in claimed.ids:
        try:
            record = partial(_record_all, desk, claimed, (post_id,), assessments, cleared, now)
            complained |= desk.database.step(record)
        except _BAD_POST as error:
            if _is_no_posts_fault(error):
                raise
            _set_aside(desk, claimed, post_id, f"could not be judged ({type(error).__name__})", now)
    return complained


def _set_aside(desk: Desk, claimed: Claim, post_id: int, reason: str, now: datetime) -> None:
    with desk.database.write() as session:
        row = session.get(PostRow, post_id)
        if row is None or not finish(
            session, claimed, post_id, state="failed", outcome=Outcome.ESCALATED.value, reason=f"failed: {reason}"
        ):
            return
        aside.open_case_of_post(session, row, reason, now=now)
