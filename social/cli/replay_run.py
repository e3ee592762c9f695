"""Lets a recorded history happen to a real desk on the stepped clock, and looks at how the desk met each customer."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from sqlalchemy import select

from connectors.simulated.recorded import brand_handle, recorded_world
from responders.policy import POLICY_VERSION
from social.cli.promises import HOUR, Check, Facts, check_all
from social.cli.replay_history import Contact, Turn, contacts, recorded
from social.domain.decision import Outcome
from social.domain.reply import ReplyKind, ReplyState, SentBy
from social.ports import Classifier
from social.settings import Settings
from social.store.rows import c
from social.store.session import Database
from social.store.tables import AssessmentRow, PostRow, ReplyRow

#: The desk starts this long before a message, so that the message is no history and comes after no gap.
BEFORE = timedelta(minutes=15)
#: ... and goes on this long after it: every automatic text has its time within the hour.
AFTER = timedelta(hours=2)
#: In one go, for the progress bar.
STRIDE = timedelta(hours=1)


class Ending(StrEnum):
    """What a customer's first message met within its hour. Every first message has exactly one."""

    ACKNOWLEDGED = "acknowledged"
    TOLD_CLOSED = "told closed"
    HANDED_OVER = "told that a person comes"
    PERSON_QUICKER = "a person was quicker"
    ESCALATED = "escalated"  # to people, without an automatic word
    IGNORED = "ignored"
    COULD_NOT = "could not"


NOT_SHOWN = "it does not name the brand, so the network does not show it"
#: What the outbox says of a text that a person's answer made needless.
PERSON_ANSWERED = "a person answered"
_FAILED = frozenset(state.value for state in (ReplyState.REFUSED, ReplyState.LATE, ReplyState.UNKNOWN))
_SAID = {
    ReplyKind.ACKNOWLEDGEMENT.value: Ending.ACKNOWLEDGED,
    ReplyKind.CLOSED_NOTICE.value: Ending.TOLD_CLOSED,
    ReplyKind.HAND_OVER.value: Ending.HANDED_OVER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A contact and how the desk met it. ``detail``: the rule, or the obstacle. Judgements are ``None`` for a first
    message that the network did not show to the desk."""

    contact: Contact
    ending: Ending
    detail: str = ""
    sentiment: str | None = None
    urgency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    met: tuple[Met, ...]
    checks: tuple[Check, ...]
    robot_texts: int  # to first and later messages
    model: str
    policy: str  # its version

    @property
    def kept(self) -> bool:
        return all(check.kept for check in self.checks)


def run_replay(
    settings: Settings,
    turns: Sequence[Turn],
    *,
    all_addressed: bool = False,
    judge: tuple[Classifier, Classifier] | None = None,
    keep: Path | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Replay:
    """``turns`` (at least one) through the only profile of ``settings``. ``progress`` is told how many of them are over;
    ``keep`` gets a copy of the desk's database. Deterministic for the same turns, settings and judge."""
    from social.cli.stepped_desk import stepped_desk
    from social.engine.schedule import run_stepped

    (profile,) = settings.profiles
    network = profile.connector
    posts = recorded(turns, handle=brand_handle(network), all_addressed=all_addressed)
    world = recorded_world(network, posts, start=turns[0].at - BEFORE)
    with stepped_desk(settings, world, judge=judge) as stage:
        times = [turn.at for turn in turns]
        for begin, end in _strides(times, AFTER + profile.poll_every):
            stage.clock.advance_to(begin)
            run_stepped(stage.desk, stage.clock, until=end)
            progress(bisect_right(times, end))
        facts = Facts(stage.settings, stage.database, world, world.start, stage.clock.now())
        if keep is not None:
            _copy(stage.database, keep)
        records = _Records(stage.database)
        return Replay(
            met=tuple(records.met(contact) for contact in contacts(turns)),
            checks=tuple(check_all(facts)),
            robot_texts=len(facts.robot(network)),
            model=str(stage.desk.classifier.identity),
            policy=POLICY_VERSION,
        )


def _strides(times: Sequence[datetime], after: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """The stretches in which something happens, in strides; between them the clock jumps. ``times`` in order."""
    stretches: list[tuple[datetime, datetime]] = []
    for at in times:
        begin, end = at - BEFORE, at + after
        if stretches and begin <= stretches[-1][1]:
            begin = stretches.pop()[0]
        stretches.append((begin, end))
    for begin, end in stretches:
        while begin < end:
            yield begin, min(begin + STRIDE, end)
            begin += STRIDE


def _copy(database: Database, target: Path) -> None:
    """The database as it is now, in one file."""
    assert database.path is not None
    with closing(sqlite3.connect(database.path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


# --- how the desk met each customer ------------------------------------------------------------------------------------


class _Records:
    """What the desk wrote down, found by the second of a post (a replayed message has its second for itself)."""

    def __init__(self, database: Database) -> None:
        with database.read() as session:
            posts = session.execute(select(PostRow).where(c(PostRow).ours.is_(False))).scalars()
            self.posts = {int(row.created_at.timestamp()): row for row in posts}
            self.assessments = {row.post_id: row for row in session.execute(select(AssessmentRow)).scalars()}
            self.replies: dict[int, list[ReplyRow]] = defaultdict(list)
            by_robot = c(ReplyRow).sent_by == SentBy.ROBOT.value
            for reply in session.execute(select(ReplyRow).where(by_robot).order_by(c(ReplyRow).id)).scalars():
                self.replies[reply.conversation_id].append(reply)
            session.expunge_all()

    def met(self, contact: Contact) -> Met:
        at = contact.first.at
        row = self.posts.get(int(at.timestamp()))
        if row is None:
            return Met(contact=contact, ending=Ending.COULD_NOT, detail=NOT_SHOWN)
        replies = [reply for reply in self.replies[row.conversation_id] if reply.created_at <= at + HOUR]
        ending, detail = _ending(contact, row, replies)
        judged = self.assessments.get(row.id or 0)
        return Met(
            contact=contact,
            ending=ending,
            detail=detail,
            sentiment=judged.sentiment if judged else None,
            urgency=judged.urgency if judged else None,
        )


def _ending(contact: Contact, row: PostRow, replies: Sequence[ReplyRow]) -> tuple[Ending, str]:
    latest = contact.first.at + HOUR
    rule = (row.reason or "").partition(":")[0]
    for reply in replies:
        sent_in_time = reply.sent_at is not None and reply.sent_at <= latest
        if reply.state == ReplyState.SENT.value and sent_in_time and reply.kind in _SAID:
            return _SAID[reply.kind], rule
    answered = contact.waited is not None and contact.waited <= HOUR
    planned = replies[-1] if replies else None
    cancelled = planned is not None and PERSON_ANSWERED in (planned.reason or "")
    if answered and (cancelled or rule in ("already-answered", "automation-ended")):
        return Ending.PERSON_QUICKER, rule
    if planned is not None and planned.state in _FAILED:
        return Ending.COULD_NOT, f"the {planned.kind} is {planned.state}"
    if row.state == "failed":
        return Ending.COULD_NOT, "the message could not be judged"
    if row.outcome == Outcome.IGNORED.value:
        return Ending.IGNORED, rule
    return Ending.ESCALATED, rule if planned is None else f"{rule}, then {planned.reason}"
