"""What the loops work with: the open parts, put together once by ``build``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from responders.snapshot import Limits, Timing
from social.domain.hours import BusinessCalendar
from social.domain.post import ProfileMode
from social.engine.on_call import OnCall
from social.ports import Classifier, Clock, Connector, Quota
from social.store.retention import Limits as Retention
from social.store.session import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveProfile:
    """A profile with its open connector. ``closed_notice`` is what the operator said, never a silent default."""

    id: int
    name: str
    brand: str
    brand_id: int
    languages: tuple[str, ...]
    calendar: BusinessCalendar
    mode: ProfileMode
    closed_notice: bool
    poll_every: timedelta
    connector: Connector
    #: The longest that one ``reply`` may be on the wire, all its requests together (machine time).
    longest_attempt: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leases:
    """How long work may take before somebody else picks it up (machine time)."""

    poll: timedelta = timedelta(seconds=90)
    triage: timedelta = timedelta(seconds=300)
    reply: timedelta = timedelta(seconds=90)
    #: An intent waits this long, plus the longest attempt and the network's read lag, before our replies are looked up.
    settle: timedelta = timedelta(seconds=20)
    #: Instead of each network's own read lag: a simulated one shows a reply at once.
    read_lag: timedelta | None = None
    alert: timedelta = timedelta(seconds=30)
    #: Longer than a mail server can take over all its answers.
    message: timedelta = timedelta(seconds=360)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """Daily copies of an SQLite database: how many are kept (0: none are made), and where."""

    keep: int
    folder: Path


@dataclass(slots=True, kw_only=True)
class Desk:
    """One process's view of the desk. ``classifier`` may be exchanged for the rules when the model breaks."""

    database: Database
    clock: Clock
    classifier: Classifier
    fallback: Classifier
    profiles: Mapping[int, LiveProfile]
    timing: Timing = field(default_factory=Timing)
    limits: Limits = field(default_factory=Limits)
    formal_deadline: timedelta = timedelta(days=14)
    batch: int = 200
    leases: Leases = field(default_factory=Leases)
    #: Profiles of the configuration whose connector could not be opened, with the reason for people.
    broken: Mapping[str, str] = field(default_factory=dict)
    #: Who is told of alerts, and how; without it they wait in the database.
    on_call: OnCall | None = None
    #: When each network was last asked how long its access lasts, by profile.
    accesses_asked: dict[int, datetime] = field(default_factory=dict)
    #: Replies that the network refused one after another for want of a permission, or as abuse, by profile.
    refused_in_a_row: dict[int, int] = field(default_factory=dict)
    #: When each open conversation's thread was last read here, by conversation.
    threads_read: dict[int, datetime] = field(default_factory=dict)
    #: Since when each profile's second look fails here, and when it did last.
    looks_failing: dict[int, tuple[datetime, datetime]] = field(default_factory=dict)
    #: What each network told of its limits, as this process last kept it in the database, by profile and limit.
    quotas_kept: dict[tuple[int, str], Quota] = field(default_factory=dict)
    #: A classifier that only knows rules is a breakdown, and no choice of the operator's.
    expects_model: bool = False
    #: Whether what is judged may wake people, join an incident or look like a crisis. The past that a backfill reads may not.
    rings: bool = True
    #: How long words are kept.
    retention: Retention = field(default_factory=Retention)
    copies: Copies | None = None

    def now(self) -> datetime:
        return self.clock.now()

    def close(self) -> None:
        for live in self.profiles.values():
            live.connector.close()
        self.database.close()
