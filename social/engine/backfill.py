"""A profile's own past: read back page by page, then judged. Nothing of it is ever answered, and nobody is rung for it.

Each page is committed together with its cursor, each batch with its judgements, so a process may die anywhere and the next
goes on. The profile's own poll and its cursor are left alone; what that has yet to bring is left to it, so that a customer
of today is not put away as history.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import or_, select, update

from social.domain.assessment import RULES_ONLY
from social.domain.errors import Conflict, ModelUnavailable, RateLimited
from social.domain.post import FetchedPost
from social.engine import budgets
from social.engine.aside import POISON
from social.engine.claims import MAXIMUM_ATTEMPTS, Claim, Claimed, machine_time
from social.engine.desk import Desk, LiveProfile
from social.engine.judge import assess_and_record
from social.ports import Charge, HistoryReach, Page
from social.store import backfills, posts, profiles
from social.store.backfills import Backfill, BackfillState
from social.store.mapping import Profile
from social.store.rows import c
from social.store.tables import PostRow

DAY = timedelta(days=1)
#: A profile's pace is taken from so much of its last time.
PACE_OF = timedelta(days=28)
#: A batch takes seconds; who died in one holds its posts no longer than this (machine time).
LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What reading the past will take. ``None``: cannot be known. ``posts`` by the profile's own pace so far, ``most`` what
    the network lets us read; money in thousandths of a US dollar, 0 where the network bills nothing."""

    reach: HistoryReach
    price: int
    posts: int | None
    most: int | None

    @property
    def requests(self) -> int | None:
        return self._requests(self.posts)

    @property
    def most_requests(self) -> int | None:
        return self._requests(self.most)

    def _requests(self, count: int | None) -> int | None:
        return None if count is None else ceil(count / self.reach.page) + 1  # a second list begins a page of its own

    @property
    def cost(self) -> int | None:
        return 0 if not self.price else None if self.posts is None else self.posts * self.price

    @property
    def most_cost(self) -> int | None:
        return 0 if not self.price else None if self.most is None else self.most * self.price


def estimate(desk: Desk, live: LiveProfile, since: datetime, now: datetime) -> Estimate:
    reach = live.connector.capabilities.history
    prices = {price.charge: price.amount for price in live.connector.prices}
    most = None if reach.posts is None or reach.own_posts is None else reach.posts + reach.own_posts
    with desk.database.read() as session:
        first = profiles.by_ids(session, [live.id])[0].first_polled_at
        start = None if first is None else max(first, now - PACE_OF)
        seen = 0 if start is None else backfills.posts_between(session, live.id, start, now)
    expected = None
    if start is not None and now - start >= DAY:
        back = min(now - since, timedelta(days=reach.days)) if reach.days else now - since
        expected = ceil(seen * (back / (now - start)))
        expected = expected if most is None else min(expected, most)
    return Estimate(reach=reach, price=prices.get(Charge.OWN_READ, 0), posts=expected, most=most)


def begin(desk: Desk, live: LiveProfile, since: datetime, now: datetime) -> Backfill:
    """The one that was interrupted, or a new one."""
    with desk.database.write() as session:
        return backfills.begin(session, live.id, since, now=now)


def read_page(desk: Desk, live: LiveProfile, work: Backfill, now: datetime) -> Backfill:
    """One request further back. Raises what the connector raises; nothing is lost by it."""
    with desk.database.read() as session:
        profile = profiles.by_ids(session, [live.id])[0]
        wait = profiles.paused_until(session, live.id, ("read", "all"), now=now)
    if wait is not None:
        raise RateLimited("the network asked to wait.", until=wait, scope="read", resource=f'profile "{live.name}"')
    try:
        page = live.connector.history(work.since, work.cursor)
    except RateLimited as error:
        with desk.database.write() as session:  # the poll would run into the same limit
            budgets.keep_pause(session, live.id, error, now)
        raise
    return _keep(desk, live, profile, work, page, now)


def _keep(desk: Desk, live: LiveProfile, profile: Profile, work: Backfill, page: Page, now: datetime) -> Backfill:
    more = page.more and page.cursor != work.cursor  # a repeated cursor would page for ever
    with desk.database.write() as session:
        row = backfills.still_there(session, work)
        if row is None:
            raise _somebody_else(live)
        known = posts.known(session, profile, [post.native_id for post in page.posts])
        unknown = [post for post in page.posts if post.native_id not in known]
        past = [post for post in unknown if _is_past(post, profile)]
        kept = posts.remember(session, profile, past, now=now, history=True)
        unreadable = posts.quarantine(session, profile.id, page.quarantined, now=now)
        profiles.record_quota(session, profile.id, live.connector.quota(), now=now)
        return backfills.save(
            session,
            row,
            state=(BackfillState.READING if more else BackfillState.JUDGING).value,
            cursor=dict(page.cursor),
            pages=work.pages + 1,
            read=work.read + len(page.posts),
            kept=work.kept + kept.new + kept.own,
            known=work.known + len(page.posts) - len(unknown),
            later=work.later + len(unknown) - len(past),
            unreadable=work.unreadable + unreadable,
            oldest_at=_oldest(work.oldest_at, page.posts),
        )


def _is_past(post: FetchedPost, profile: Profile) -> bool:
    """Not what the profile's next poll brings by itself, to be answered as any other."""
    return profile.last_polled_at is None or post.created_at < profile.last_polled_at - posts.GAP


def _oldest(before: datetime | None, found: Sequence[FetchedPost]) -> datetime | None:
    return min([post.created_at for post in found] + ([before] if before is not None else []), default=None)


def judge_batch(desk: Desk, live: LiveProfile, work: Backfill, now: datetime) -> int:
    """Judge some of what was read; how many. 0 with posts left (``store.backfills.held``): another process has them, or had
    them when it died, for at most ``LEASE``. Finishes ``work`` when nothing is left."""
    assert not desk.rings
    if desk.expects_model and desk.classifier.identity.id == RULES_ONLY.id:
        raise ModelUnavailable(
            "the model cannot be used, and rules alone do not judge a sentiment.",
            next_step="Mend it (social doctor). What was read is kept, and the same command goes on.",
        )
    claimed = _claim(desk, live)
    if claimed:
        return assess_and_record(desk, claimed, now)
    with desk.database.write() as session:
        if not backfills.held(session, live.id):
            row = backfills.still_there(session, work)
            if row is None:
                raise _somebody_else(live)
            backfills.save(session, row, state=BackfillState.DONE.value, finished_at=now)
    return 0


def _claim(desk: Desk, live: LiveProfile) -> Claim:
    """As ``social.engine.claims.claim``, of posts that are due at no time. One that killed the process again and again is
    set aside without a case: it is the past."""
    columns, token = c(PostRow), secrets.token_hex(16)
    with desk.database.write() as session:
        machine = machine_time(session)
        free = *backfills.is_held(live.id), or_(columns.leased_until.is_(None), columns.leased_until < machine)
        poison = {"state": "failed", "outcome": "ignored", "reason": f"failed: {POISON}", "token": None}
        session.execute(update(PostRow).where(*free, columns.attempts >= MAXIMUM_ATTEMPTS).values(**poison))
        oldest = select(columns.id).where(*free).order_by(columns.created_at, columns.id).limit(desk.batch)
        ids = tuple(session.execute(oldest.with_for_update(skip_locked=True)).scalars())
        taken = {"token": token, "leased_until": machine + LEASE, "attempts": columns.attempts + 1}
        session.execute(update(PostRow).where(columns.id.in_(ids)).values(**taken))
    return Claim(Claimed.POST, token, ids)


def _somebody_else(live: LiveProfile) -> Conflict:
    return Conflict(
        "another process reads this past right now.",
        resource=f'profile "{live.name}"',
        next_step="Let it finish; if it was ended, run the same command again.",
    )
