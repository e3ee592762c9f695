"""A report made: rows over time, their totals, and where the numbers come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session

from social import __version__
from social.domain.assessment import ModelIdentity
from social.domain.errors import NotFound
from social.reports.buckets import Bucket, bucket_of, buckets_between
from social.reports.counting import Slot, count_posts
from social.reports.counts import Counts, Value
from social.reports.dry_run import days_of_dry_run
from social.reports.queries import SentimentQuery
from social.store import control
from social.store.rows import c
from social.store.tables import PostRow, ProfileRow

ALL_LANGUAGES = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentimentRow:
    bucket: Bucket
    counts: Counts

    def values(self) -> dict[str, Value]:
        start = self.bucket.start
        return {
            "bucket": self.bucket.label,
            "bucket_start": None if start is None else start.isoformat(),
            **self.counts.values(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the numbers come from. ``profiles`` name -> network; ``models`` -> posts that each judged; ``dry_run`` name ->
    days of the range in dry run, without those that had none; ``dry_run_days`` counts each day once."""

    source: str
    profiles: Mapping[str, str]
    models: Mapping[ModelIdentity, int]
    dry_run: Mapping[str, int]
    dry_run_days: int
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SentimentReport:
    """``rows`` in order of time, also those in which nothing happened; ``totals`` is their sum."""

    query: SentimentQuery
    rows: tuple[SentimentRow, ...]
    totals: Counts
    provenance: Provenance

    def origin(self) -> dict[str, Value]:
        """The columns that say where the numbers come from, each as one text or number."""
        told = self.provenance
        return {
            "from": self.query.from_day.isoformat(),
            "to": self.query.to_day.isoformat(),
            "time_zone": self.query.time_zone.key,
            "profiles": ", ".join(f"{name} ({network})" for name, network in told.profiles.items()),
            "languages": ", ".join(self.query.languages) or ALL_LANGUAGES,
            "source": told.source,
            "models": ", ".join(f"{model}: {posts}" for model, posts in told.models.items()),
            "dry_run_days": told.dry_run_days,
            "made_at": told.made_at.isoformat(timespec="seconds"),
        }


def make_report(session: Session, query: SentimentQuery, *, now: datetime) -> SentimentReport:
    """Count what ``query`` asks for. Raises ``NotFound`` for a profile that the database does not know, and where not a
    single post lies in the range."""
    profiles = _profiles(session, query.profiles)
    ids = [profile.id or 0 for profile in profiles]
    found = count_posts(session, ids, start=query.start, end=query.end, languages=query.languages, now=now)
    if not found:
        raise _nothing_to_count(session, ids, query)
    rows = _rows(query, found)
    return SentimentReport(
        query=query,
        rows=rows,
        totals=sum((row.counts for row in rows), start=Counts()),
        provenance=_provenance(session, profiles, query, found, now),
    )


def _profiles(session: Session, names: Sequence[str]) -> list[ProfileRow]:
    columns = c(ProfileRow)
    found = {row.name: row for row in session.execute(select(ProfileRow).where(columns.name.in_(names))).scalars()}
    for name in names:
        if name not in found:
            raise NotFound(f"profile {name!r} was never watched.", next_step="Start the desk once: social run")
    return [found[name] for name in names]


def _nothing_to_count(session: Session, ids: Sequence[int], query: SentimentQuery) -> NotFound:
    """An empty report would look like a quiet week; whoever asked for the wrong days is told which there are."""
    columns = c(PostRow)
    oldest, newest = session.execute(
        select(func.min(columns.created_at), func.max(columns.created_at)).where(
            columns.profile_id.in_(ids), columns.ours.is_(False)
        )
    ).one()
    if oldest is None:
        step = "These profiles have none at all yet; posts come in while the desk runs."
    else:
        first, last = (moment.astimezone(query.time_zone).date() for moment in (oldest, newest))
        step = f"These profiles have posts from {first} to {last}."
    of_languages = f" in {', '.join(query.languages)}" if query.languages else ""
    return NotFound(
        f"no customer's post{of_languages} lies in the days from {query.from_day} up to {query.to_day} (not included).",
        resource=", ".join(query.profiles),
        next_step=step,
    )


def _rows(query: SentimentQuery, found: Sequence[Slot]) -> tuple[SentimentRow, ...]:
    counted = {bucket: Counts() for bucket in buckets_between(query.from_day, query.to_day, query.time_zone, query.by)}
    for at, _, counts in found:
        counted[bucket_of(at.astimezone(query.time_zone), query.by)] += counts
    return tuple(SentimentRow(bucket=bucket, counts=counts) for bucket, counts in counted.items())


def _provenance(
    session: Session, profiles: Sequence[ProfileRow], query: SentimentQuery, found: Sequence[Slot], now: datetime
) -> Provenance:
    judged: Counter[ModelIdentity] = Counter()
    for _, model, counts in found:
        if model is not None:
            judged[model] += counts.posts
    dry_run = days_of_dry_run(session, profiles, query, now=now)
    anchor = control.clock_anchor(session)
    simulated = anchor is not None and anchor[0] != "real"
    return Provenance(
        source=f"Dyżur {__version__}" + (", simulated networks" if simulated else ""),
        profiles={profile.name: profile.network for profile in profiles},
        models=dict(judged.most_common()),
        dry_run={name: len(days) for name, days in dry_run.items() if days},
        dry_run_days=len(set().union(*dry_run.values())),
        made_at=now.astimezone(query.time_zone),
    )
