"""People are told: due alerts become messages, and due messages are sent.

An alert's next step is decided by ``social.domain.rota``; the message is written down in the same transaction, once a person
and channel, and sent outside of any. A message that did not get through is tried again for a day, and the next person is told
at once. A message is sent at least once: where the program dies (or the line falls silent) between the mail server's taking
and our writing it down, one more follows, with the same Message-ID. Words are erased once they are sent or given up.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session

from social.domain.assessment import Urgency
from social.domain.errors import DyzurError, RefusalReason, Refused, Uncertain
from social.domain.rota import Over, Tell, Wait, next_step
from social.engine import failpoints
from social.engine.alert_facts import ended, facts_of, news_of, urgency_of
from social.engine.claims import Claim, Claimed, claim, finish, release, still_mine
from social.engine.desk import Desk
from social.engine.on_call import OnCall, Person
from social.notifiers.words import Words, about_alert
from social.ports import Message
from social.store.journal import ROBOT, note
from social.store.rows import c, upsert
from social.store.tables import AlertRow, NotificationRow

log = logging.getLogger("social.notify")

#: A message is tried again after as long as it has been tried, within these bounds (world time).
SOONEST_RETRY, LATEST_RETRY = timedelta(seconds=30), timedelta(minutes=15)
#: From then on the case in the queue, and the next digest, must do; a digest is of no use at noon any more.
GIVE_UP_AFTER, DIGEST_IS_OLD_AFTER = timedelta(hours=24), timedelta(hours=6)
DIGEST = "digest"
_UNCERTAIN = "perhaps taken: "


def ring(desk: Desk, now: datetime) -> int:
    """Decide one due alert, send one due message. Returns how many rows it moved; 0 means that nothing is due."""
    if desk.on_call is None or not desk.on_call.people:
        return 0
    return _advance_one(desk, desk.on_call, now) + _send_one(desk, desk.on_call, now)


def plan_message(
    session: Session,
    on_call: OnCall,
    person: Person,
    words: Words,
    *,
    kind: str,
    about: str,
    now: datetime,
    alert_id: int | None,
) -> None:
    """Write ``words`` down for ``person``, once for each of their channels. ``about`` names the cause for ever: together with
    person and channel it is the key, so that nobody is told the same twice."""
    upsert(
        session,
        NotificationRow,
        [
            {
                "state": "planned",
                "due_at": now,
                "attempts": 0,
                "alert_id": alert_id,
                "kind": kind,
                "recipient": person.name,
                "channel": channel,
                "key": message_key(about, person.name, channel),
                "subject": words.subject,
                "body": words.body,
                "created_at": now,
            }
            for channel in person.ways
            if channel in on_call.notifiers
        ],
        key=("key",),
    )


def message_key(about: str, person: str, channel: str) -> str:
    return hashlib.sha256(f"{about}|{person}|{channel}".encode()).hexdigest()


# --- alerts become messages --------------------------------------------------------------------------------------------


def _advance_one(desk: Desk, on_call: OnCall, now: datetime) -> int:
    claimed = claim(desk.database, Claimed.ALERT, now=now, limit=1, lease=desk.leases.alert, profiles=desk.profiles)
    if not claimed:
        return 0
    with desk.database.write() as session:
        alert = session.get(AlertRow, claimed.ids[0])
        if alert is not None and still_mine(session, claimed):
            _advance(desk, on_call, session, claimed, alert, now)
            failpoints.reach("notify.alert-before-commit")
    return 1


def _advance(desk: Desk, on_call: OnCall, session: Session, claimed: Claim, alert: AlertRow, now: datetime) -> None:
    alert_id = claimed.ids[0]
    step = next_step(facts_of(session, alert), on_call.rota, now)
    if isinstance(step, Wait):
        finish(session, claimed, alert_id, due_at=step.until)
    elif isinstance(step, Over):
        finish(session, claimed, alert_id, state="over")
        log.info("over         alert %d (%s %s): %s", alert_id, alert.kind, alert.subject, step.reason)
    else:
        _tell(desk, on_call, session, alert, step, now)
        finish(session, claimed, alert_id, state="told", step=alert.step + 1, due_at=now + on_call.rota.next_after)


def _tell(desk: Desk, on_call: OnCall, session: Session, alert: AlertRow, step: Tell, now: datetime) -> None:
    person = on_call.people[step.person]
    news = news_of(session, desk, on_call, alert, person.name, now=now, next_at=step.next_at)
    plan_message(
        session,
        on_call,
        person,
        about_alert(news, person.language),
        kind=alert.kind,
        # not the row's number: SQLite gives that of a deleted alert to the next one
        about=f"{alert.kind}|{alert.subject}|{alert.raised_at.isoformat()}",
        now=now,
        alert_id=alert.id,
    )
    log.info("telling      %s of %s %s", person.name, alert.kind, alert.subject)


# --- messages are sent -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A claimed message as plain values; ``dropped`` says why it is not needed any more, ``not_before`` when a repeated
    attempt may ring at the earliest."""

    id: int
    alert_id: int | None
    case_id: int | None
    recipient: str
    channel: str
    message: Message
    created_at: datetime
    give_up_after: timedelta
    error: str
    dropped: str
    not_before: datetime | None


def _send_one(desk: Desk, on_call: OnCall, now: datetime) -> int:
    claimed = claim(
        desk.database, Claimed.NOTIFICATION, now=now, limit=1, lease=desk.leases.message, profiles=desk.profiles
    )
    if not claimed:
        return 0
    failpoints.reach("notify.claimed")
    work = _load(desk, on_call, claimed, now)
    if work.not_before is not None and not work.dropped:
        release(desk.database, claimed, due_at=work.not_before)
        return 1
    error = None if work.dropped else _attempt(on_call, work)
    failpoints.reach("notify.after-wire")
    with desk.database.write() as session:
        if work.dropped:
            finish(session, claimed, work.id, state="failed", subject="", body="", error=work.dropped)
            log.info("not needed   message to %s: %s", work.recipient, work.dropped)
        elif error is None:
            _sent(session, claimed, work, desk.now())
        else:
            _failed(session, claimed, work, error, desk.now())
    failpoints.reach("notify.after-settle")
    return 1


def _load(desk: Desk, on_call: OnCall, claimed: Claim, now: datetime) -> _Work:
    with desk.database.read() as session:
        row = session.get(NotificationRow, claimed.ids[0])
        assert row is not None
        assert row.id is not None
        alert = session.get(AlertRow, row.alert_id) if row.alert_id is not None else None
        person = on_call.people.get(row.recipient)
        dropped = ""
        if alert is not None:
            dropped = ended(session, alert)
        elif row.kind != DIGEST:
            dropped = "its cause is gone"
        if person is None or row.channel not in person.ways or row.channel not in on_call.notifiers:
            dropped = dropped or "nobody of that name can be reached that way any more"
        urgency = Urgency.NORMAL if alert is None else urgency_of(session, alert)
        return _Work(
            id=row.id,
            alert_id=row.alert_id,
            case_id=alert.escalation_id if alert is not None else None,
            recipient=row.recipient,
            channel=row.channel,
            message=Message(
                key=row.key,
                to=person.ways.get(row.channel, "") if person is not None else "",
                name=row.recipient,
                subject=row.subject,
                body=row.body,
            ),
            created_at=row.created_at,
            give_up_after=DIGEST_IS_OLD_AFTER if row.kind == DIGEST else GIVE_UP_AFTER,
            error=row.error or "",
            dropped=dropped,
            # the first attempt comes when the rota says so; a mail server that is back at three wakes nobody for less
            not_before=on_call.rota.quiet_until(urgency, now) if row.error else None,
        )


def _attempt(on_call: OnCall, work: _Work) -> DyzurError | None:
    try:
        on_call.notifiers[work.channel].send(work.message)
    except DyzurError as error:
        return error
    except Exception as error:  # noqa: BLE001 a mistake in one way to reach people must not close the others
        # its name only: the text of a stranger's error may quote what was sent
        log.error("the channel %s broke: %s", work.channel, type(error).__name__)
        return Refused(f"it broke ({type(error).__name__}).", reason=RefusalReason.INVALID, resource=work.channel)
    return None


def _sent(session: Session, claimed: Claim, work: _Work, now: datetime) -> None:
    finish(session, claimed, work.id, state="sent", sent_at=now, subject="", body="", error=None)
    if work.case_id is not None:
        verb = f"told {work.recipient} ({work.channel})"
        note(session, at=now, actor=ROBOT, verb=verb, subject="case", subject_id=work.case_id)
    log.info("told         %s by %s", work.recipient, work.channel)


def _failed(session: Session, claimed: Claim, work: _Work, error: DyzurError, now: datetime) -> None:
    """Tried again later; but what may have been taken twice already is left at that."""
    uncertain = isinstance(error, Uncertain)
    said = f"{_UNCERTAIN if uncertain else ''}{error}"[:500]
    tried = now - work.created_at
    if tried >= work.give_up_after or (uncertain and work.error.startswith(_UNCERTAIN)):
        finish(session, claimed, work.id, state="failed", subject="", body="", error=said)
        log.error("GIVEN UP     %s was not told by %s: %s", work.recipient, work.channel, error)
    else:
        pause = min(max(tried, SOONEST_RETRY), LATEST_RETRY)
        finish(session, claimed, work.id, due_at=now + pause, error=said)
        log.warning("%s cannot be told by %s, tried again in %s: %s", work.recipient, work.channel, pause, error)
    if work.alert_id is not None:  # look at it now: if nothing else reached this person, the next one is told
        columns = c(AlertRow)
        session.execute(
            update(AlertRow)
            .where(columns.id == work.alert_id, columns.state == "told", columns.due_at > now)
            .values(due_at=now)
        )
