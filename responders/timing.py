"""When an automatic text goes out: inside the customer's hour, inside open minutes, and never once it is too late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from responders.snapshot import Timing
from social.domain.decision import PlannedReply
from social.domain.hours import BusinessCalendar
from social.domain.reply import ReplyKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Slotted:
    """A due time and why it is this one."""

    due_at: datetime
    last_minute: bool = False  # nothing later lies inside the hour: the last open minute before closing


def acknowledgement_slot(
    calendar: BusinessCalendar, timing: Timing, *, since: datetime, urgent: bool, now: datetime
) -> Slotted | None:
    """The earliest open minute once the customer has waited long enough; the last one before closing where the hour has
    none; ``None`` where there is neither (closed now, or the hour is over). Never before ``now``."""
    wait = timing.urgent_acknowledge_after if urgent else timing.acknowledge_after
    latest = since + timing.acknowledge_within
    earliest = max(since + wait, now).astimezone(UTC)
    if earliest <= latest:
        opened = calendar.first_open_minute(earliest)
        if opened is not None and opened <= latest:
            return Slotted(due_at=opened)
    last_open = calendar.last_open_minute_before_close(now)
    if last_open is None:
        return None
    due_at = max(last_open, now).astimezone(UTC)  # within the last minute itself: at once
    return Slotted(due_at=due_at, last_minute=True) if due_at <= latest else None


def acknowledgement(
    calendar: BusinessCalendar, timing: Timing, *, slot: Slotted, since: datetime, complaint: bool
) -> PlannedReply:
    """``closing`` ends the stretch in which the text is due, so that it goes stale where it is not sent in time."""
    return PlannedReply(
        kind=ReplyKind.ACKNOWLEDGEMENT,
        due_at=slot.due_at,
        not_after=since + timing.acknowledge_within,
        complaint=complaint,
        closing=calendar.closes_at(slot.due_at),
    )


def closed_notice(
    calendar: BusinessCalendar, timing: Timing, *, since: datetime, complaint: bool, now: datetime
) -> PlannedReply | None:
    """One truthful notice; ``None`` where it could only go out after the hour, or after the doors are open again, or
    where no opening is known that it could name."""
    due_at = max(since + timing.notice_after, now).astimezone(UTC)
    latest = since + timing.acknowledge_within
    opening = calendar.next_opening(now)
    if due_at > latest or opening is None or opening <= due_at:
        return None
    return PlannedReply(
        kind=ReplyKind.CLOSED_NOTICE, due_at=due_at, not_after=latest, complaint=complaint, opening=opening
    )


def hand_over(calendar: BusinessCalendar, timing: Timing, *, asked_at: datetime, now: datetime) -> PlannedReply | None:
    """The confirmation that a person takes over: at once, day and night; ``None`` an hour after the request."""
    latest = asked_at + timing.acknowledge_within
    if now > latest:
        return None
    is_open = calendar.is_open(now)
    return PlannedReply(
        kind=ReplyKind.HAND_OVER,
        due_at=now,
        not_after=latest,
        opening=None if is_open else calendar.next_opening(now),
        closing=calendar.closes_at(now) if is_open else None,
    )


def when_taken(
    planned: PlannedReply, calendar: BusinessCalendar, timing: Timing, *, since: datetime, now: datetime
) -> PlannedReply:
    """The same acknowledgement once a person has taken the case: minute 55, so that they have the time to write first.

    It is never brought forward, and stays where it is when minute 55 is not an open one (its stretch ends before).
    """
    later = max(since + timing.taken_acknowledge_after, planned.due_at, now)
    if planned.kind is not ReplyKind.ACKNOWLEDGEMENT or later > planned.not_after:
        return planned
    if not calendar.is_open(later) or calendar.closes_at(later) != planned.closing:
        return planned
    return PlannedReply(
        kind=planned.kind,
        due_at=later.astimezone(UTC),
        not_after=planned.not_after,
        complaint=planned.complaint,
        opening=planned.opening,
        closing=planned.closing,
    )
