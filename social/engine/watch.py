"""What nobody asks for and everybody needs: the owner's warning, what breaks in silence, the latest time, the heartbeat."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlmodel import Session

from social import clock
from social.domain.assessment import RULES_ONLY, Urgency
from social.domain.errors import ConnectorError
from social.domain.escalation import EscalationState
from social.domain.reply import ReplyKind, ReplyState, SentBy
from social.engine import alerts, backlog, budgets, deliver, removed
from social.engine.desk import Desk
from social.engine.poll import unread_for
from social.store import control, profiles
from social.store.rows import active, c
from social.store.tables import AlertRow, ConversationRow, EscalationRow, PostRow, ProfileRow, ReplyRow, UserRow

log = logging.getLogger("social.watch")

#: The owner of a taken case is warned five minutes before the robot steps in at minute 55.
WARN_OWNER_AFTER = timedelta(minutes=50)
#: A formal complaint without an answer rings so long before its deadline.
DEADLINE_NEAR = timedelta(hours=24)
#: Something of a profile that this daemon cannot open was due so long ago, and nobody else has done it.
NOBODY_DOES = timedelta(minutes=10)
#: An access that ends so soon is told of.
TOKEN_NEAR = timedelta(days=7)
ASK_ACCESS_EVERY = timedelta(days=1)

#: Causes within a daemon, which end when it does not find them any more; but not sooner than this, so that what comes and
#: goes is one alert.
_LASTING, LASTS_AT_LEAST = ("model", "daemon", "clock"), timedelta(hours=1)
#: A part that no daemon does: of all of them, not of one, so that it rings once.
_ABSENT = "absent"
_NOT_DONE = {"poll": "no network is being read", "triage": "nothing that comes in is being judged"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cause:
    """What ``alerts.raise_once`` is told."""

    kind: str
    subject: str
    message: str
    urgency: Urgency
    profile_id: int | None = None
    brand_id: int | None = None
    escalation_id: int | None = None


def watch_over(desk: Desk, now: datetime) -> int:
    """Warn the owners of taken cases whose acknowledgement is near."""
    replies, cases, conversations = c(ReplyRow), c(EscalationRow), c(ConversationRow)
    with desk.database.read() as session:
        rows = session.execute(
            select(replies.id, cases.id, cases.profile_id, cases.brand_id, c(UserRow).name)
            .join(ConversationRow, conversations.id == replies.conversation_id)
            .join(EscalationRow, cases.conversation_id == conversations.id)
            .join(UserRow, c(UserRow).id == cases.taken_by)
            .where(
                active(ReplyRow),
                active(EscalationRow),
                replies.state == ReplyState.PLANNED.value,
                replies.kind == ReplyKind.ACKNOWLEDGEMENT.value,
                replies.sent_by == SentBy.ROBOT.value,
                cases.state == EscalationState.TAKEN.value,
                conversations.waiting_since <= now - WARN_OWNER_AFTER,
            )
        ).all()
    if not rows:
        return 0
    with desk.database.write() as session:
        for reply_id, case_id, profile_id, brand_id, owner in rows:
            alerts.raise_once(
                session,
                kind="owner",
                subject=str(reply_id),
                message=f"{owner}: case {case_id} is yours and the customer waits for 50 minutes; "
                "the robot acknowledges at minute 55",
                now=now,
                brand_id=brand_id,
                profile_id=profile_id,
                escalation_id=case_id,
            )
    return len(rows)


def look_around(
    desk: Desk,
    now: datetime,
    *,
    daemon: str = "",
    ills: Mapping[str, str] | None = None,
    absent: Collection[str] = (),
    present: Collection[str] = (),
) -> int:
    """Raise alerts of what breaks in silence: deadlines, networks, accesses, the model, and the daemons themselves. ``ills``:
    what of ``daemon`` does not work, and why. ``absent``: parts that no daemon has done for a while; ``present``: those that
    one does. Returns how many alerts are new."""
    removed.end_replies(desk.database, now, besides=desk.profiles)  # what was still on the wire when we started
    removed.show_unjudged(desk.database, now, besides=desk.profiles)
    behind = backlog.look(desk, now)
    with desk.database.read() as session:
        found = [
            *_deadlines(session, now),
            *_late_answers(session, desk, now),
            *_silent_profiles(session, desk, now),
            *_left_undone(session, desk, daemon, now),
            *_ending_accesses(session, desk, now),
            *_of_this_daemon(desk, daemon, ills or {}),
            *_of_no_daemon(absent),
        ]
    return _tell(desk, now, found, daemon=daemon, present=present) + behind


def look_at_itself(desk: Desk, now: datetime, *, daemon: str, ills: Mapping[str, str]) -> int:
    """For a daemon that only shows pages: what of it does not work, and whether its clock is right, by which what people write
    there is due. Returns how many alerts are new."""
    return _tell(desk, now, list(_of_this_daemon(desk, daemon, ills)), daemon=daemon)


def _tell(desk: Desk, now: datetime, found: Sequence[_Cause], *, daemon: str, present: Collection[str] = ()) -> int:
    with desk.database.read() as session:
        known = _known(session)
    new = [cause for cause in found if (cause.kind, cause.subject) not in known]
    still = {(cause.kind, cause.subject) for cause in found}
    gone = [
        (kind, subject)
        for (kind, subject), since in known.items()
        if kind in _LASTING
        and subject.partition("/")[0] == daemon
        and (kind, subject) not in still
        and not now - LASTS_AT_LEAST < since <= now  # later than now: under a clock that was ahead
    ]
    gone += [(_ABSENT, part) for part in present if (_ABSENT, part) in known]
    if new or gone:
        with desk.database.write() as session:
            for kind, subject in gone:
                alerts.settle(session, kind=kind, subject=subject)
            for cause in new:
                alerts.raise_once(
                    session,
                    kind=cause.kind,
                    subject=cause.subject,
                    message=cause.message,
                    now=now,
                    urgency=cause.urgency,
                    profile_id=cause.profile_id,
                    brand_id=cause.brand_id,
                    escalation_id=cause.escalation_id,
                )
    return len(new)


def ask_when_accesses_end(desk: Desk, now: datetime) -> int:
    """Ask every network once a day how long its access lasts (``look_around``, the digest and the health page tell of it);
    a near end is asked for each time, since somebody may have renewed it. Returns how many said."""
    with desk.database.read() as session:
        near = {row.id for row in profiles.accesses_ending(session, before=now + TOKEN_NEAR)}
    told: dict[int, datetime | None] = {}
    for live in desk.profiles.values():
        asked = desk.accesses_asked.get(live.id)
        if asked is not None and now - asked < ASK_ACCESS_EVERY and live.id not in near:
            continue
        try:
            with budgets.asking(desk, live, budgets.POLLING, now):
                told[live.id] = live.connector.inspect().expires_at
        except ConnectorError as error:
            # what is wrong with the network is the poll's to tell; what it said before still holds
            log.debug("%s: nothing was said of its access: %s", live.name, error)
        else:
            desk.accesses_asked[live.id] = now
    if told:
        with desk.database.write() as session:
            for profile_id, ends_at in told.items():
                profiles.access_ends(session, profile_id, ends_at)
    known = sum(ends_at is not None for ends_at in told.values())
    log.debug("%s: %d accesses end by themselves", now.isoformat(), known)
    return known


def _known(session: Session) -> dict[tuple[str, str], datetime]:
    """(kind, subject) -> since when."""
    columns = c(AlertRow)
    kinds = ("deadline", "late-answer", "connector", "token", _ABSENT, *_LASTING)
    rows = session.execute(select(columns.kind, columns.subject, columns.raised_at).where(columns.kind.in_(kinds)))
    return {(kind, subject): raised_at for kind, subject, raised_at in rows}


def _deadlines(session: Session, now: datetime) -> Iterator[_Cause]:
    columns = c(EscalationRow)
    rows = session.execute(
        select(EscalationRow, c(ProfileRow).name)
        .join(ProfileRow, c(ProfileRow).id == columns.profile_id)
        .where(
            columns.formal.is_(True),
            active(EscalationRow),
            columns.deadline_at <= now + DEADLINE_NEAR,
        )
    )
    for case, profile in rows:
        yield _Cause(
            kind="deadline",
            subject=f"{case.id}:{case.deadline_at.isoformat()}",
            message=f"the formal complaint in case {case.id} on {profile} has no answer, and its deadline is near",
            urgency=Urgency.HIGH,
            profile_id=case.profile_id,
            brand_id=case.brand_id,
            escalation_id=case.id,
        )


def _late_answers(session: Session, desk: Desk, now: datetime) -> Iterator[_Cause]:
    """A person believes that their answer went out. Whoever delivers it tells of it after an hour; but nobody delivers for a
    profile that cannot be opened. What is paused waits because somebody wants it to."""
    if control.paused_since(session) is not None:
        return
    columns, cases = c(ReplyRow), c(EscalationRow)
    case = (
        select(func.max(cases.id)).where(cases.conversation_id == columns.conversation_id).scalar_subquery()
    )  # perhaps ended, but an answer has one
    rows = session.execute(
        select(ReplyRow, c(ProfileRow).name, case)
        .join(ProfileRow, c(ProfileRow).id == columns.profile_id)
        .where(
            active(ReplyRow),
            columns.profile_id.not_in(list(desk.profiles)),
            columns.sent_by == SentBy.PERSON.value,
            columns.created_at <= now - deliver.GIVE_UP_LOOKING_AFTER,
        )
    )
    for reply, profile, case_id in rows:
        yield _Cause(
            kind="late-answer",
            subject=str(reply.id),
            message=f"an answer on {profile} (case {case_id}) could not be sent for an hour",
            urgency=Urgency.HIGH,
            profile_id=reply.profile_id,
            brand_id=reply.brand_id,
            escalation_id=case_id,
        )


def _silent_profiles(session: Session, desk: Desk, now: datetime) -> Iterator[_Cause]:
    """Also those that could not be opened at the start, unless another daemon reads them. A poll that succeeds settles the
    alert."""
    columns = c(ProfileRow)
    failing = [
        (columns.id == live.id)
        & columns.last_error.is_not(None)
        & or_(columns.last_polled_at.is_(None), columns.last_polled_at <= now - unread_for(live))
        for live in desk.profiles.values()
    ]
    rows = session.execute(
        select(columns.id, columns.name, columns.brand_id, columns.last_error).where(
            columns.state == "active",
            or_(columns.name.in_(desk.broken) & (columns.due_at <= now - NOBODY_DOES), *failing),
        )
    )
    for profile_id, name, brand_id, error in rows:
        yield _Cause(
            kind="connector",
            subject=name,
            message=f"{name} is not being read: {desk.broken.get(name, error)}",
            urgency=Urgency.HIGH,
            profile_id=profile_id,
            brand_id=brand_id,
        )


def _left_undone(session: Session, desk: Desk, daemon: str, now: datetime) -> Iterator[_Cause]:
    """Profiles that another daemon reads and this one cannot open, where what this one is for stays undone: posts to judge,
    replies to send or to look up."""
    if not desk.broken:
        return
    profiles, posts, replies = c(ProfileRow), c(PostRow), c(ReplyRow)
    since = now - NOBODY_DOES
    undone = [
        select(posts.id)
        .where(active(PostRow), posts.profile_id == profiles.id, posts.state == "new", posts.due_at <= since)
        .exists()
    ]
    if control.paused_since(session) is None:
        undone.append(
            select(replies.id)
            .where(active(ReplyRow), replies.profile_id == profiles.id, replies.due_at <= since)
            .exists()
        )
    rows = session.execute(
        select(profiles.id, profiles.name, profiles.brand_id).where(
            profiles.state == "active", profiles.name.in_(desk.broken), profiles.due_at > since, or_(*undone)
        )
    )
    for profile_id, name, brand_id in rows:
        yield _Cause(
            kind="daemon",
            subject=f"{daemon}/{name}",
            message=f"what is due on {name} stays undone: {daemon or 'this daemon'} cannot open it: {desk.broken[name]}",
            urgency=Urgency.HIGH,
            profile_id=profile_id,
            brand_id=brand_id,
        )


def _ending_accesses(session: Session, desk: Desk, now: datetime) -> Iterator[_Cause]:
    for row in profiles.accesses_ending(session, before=now + TOKEN_NEAR):
        if row.id in desk.profiles and row.access_ends_at is not None:
            yield _Cause(
                kind="token",
                subject=f"{row.name}:{row.access_ends_at.isoformat()}",
                message=f"the access of {row.name} ends on {row.access_ends_at:%Y-%m-%d}; renew it",
                urgency=Urgency.NORMAL,
                profile_id=row.id,
                brand_id=row.brand_id,
            )


def _of_this_daemon(desk: Desk, daemon: str, ills: Mapping[str, str]) -> Iterator[_Cause]:
    if desk.expects_model and desk.classifier.identity.id == RULES_ONLY.id:
        yield _Cause(
            kind="model",
            subject=f"{daemon}/model",
            message="the model is broken or cannot be loaded; rules alone judge",
            urgency=Urgency.HIGH,
        )
    if isinstance(desk.clock, clock.RealClock) and (astray := desk.clock.astray):
        how = f"{_span(abs(astray))} {'ahead' if astray > timedelta(0) else 'back'}"
        message = (
            f"the clock of {daemon or 'this machine'} jumped {how}; until it is set right, the desk counts on from before, and "
            "does not follow a jump ahead for ten minutes"
        )
        if desk.clock.refuted:
            message = (
                f"the desk on {daemon or 'this machine'} is {_span(abs(astray))} ahead of the networks and of its machine: it "
                "was started under a clock that was wrong. Start it again, and it is right at once"
            )
        yield _Cause(
            kind="clock",
            subject=f"{daemon}/clock",
            message=message,
            urgency=Urgency.HIGH,
        )
    for name, why in ills.items():
        yield _Cause(
            kind="daemon",
            subject=f"{daemon}/{name}",
            message=f"{name} on {daemon}: {why}",
            # a desk that does not read or judge would not see an emergency either
            urgency=Urgency.CRITICAL,
        )


def _of_no_daemon(absent: Collection[str]) -> Iterator[_Cause]:
    """That nobody does ``respond`` can ring nobody; the dead man's switch notices, which is not told "all is well" then."""
    for part in absent:
        yield _Cause(
            kind=_ABSENT,
            subject=part,
            message=f"{_NOT_DONE[part]}: no running daemon does {part}; start one (social run --only {part})",
            urgency=Urgency.CRITICAL,
        )


def _span(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def beat(desk: Desk, *, name: str, parts: str, started_at: datetime) -> None:
    """Say that this daemon lives (machine time), and keep the latest world time for the next start."""
    with desk.database.write() as session:
        if not isinstance(desk.clock, clock.RealClock) or desk.clock.sure:
            control.saw_time(session, desk.now())
        elif desk.clock.refuted:
            control.never_saw(session, after=desk.now() + desk.clock.astray)
        control.beat(
            session,
            name=name,
            parts=parts,
            started_at=started_at,
            at=clock.machine_now(),
            model=str(desk.classifier.identity) if "triage" in parts.split(",") else None,  # others judge nothing
        )


def others(desk: Desk, *, name: str) -> list[control.Daemon]:
    """Other daemons on the same database with a fresh heartbeat."""
    with desk.database.read() as session:
        return [daemon for daemon in control.running(session, at=clock.machine_now()) if daemon.name != name]
