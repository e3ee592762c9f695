"""The morning digest: shortly before a brand opens, everybody of its rota reads what waits and what does not work.

Its numbers come from the same read models as ``social queue list``.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime, time, timedelta

from sqlalchemy import func, select
from sqlmodel import Session

from social.domain.hours import BusinessCalendar
from social.domain.post import ProfileMode
from social.domain.reply import ReplyKind, ReplyState, SentBy
from social.engine.desk import Desk
from social.engine.on_call import OnCall, Person
from social.engine.ringing import DIGEST, message_key, plan_message
from social.notifiers.words import DigestNews, DryRun, WaitingCase, about_morning
from social.store import control, queue
from social.store.rows import c
from social.store.tables import AlertRow, BrandRow, NotificationRow, ProfileRow, ReplyRow

log = logging.getLogger("social.notify")

LONGEST_WAITING = 5
#: What the queue shows where the network tells no name, in English.
_NAMELESS = ("(no name)", "(deleted account)")
#: How far back the last closing is looked for.
_LAST_CLOSING = timedelta(days=31)
#: An access that ends so soon is told every morning.
TOKEN_ENDS_SOON = timedelta(days=14)


def plan_due(desk: Desk, now: datetime) -> int:
    """Write down the digests whose time has come, once an opening. Returns for how many brands."""
    on_call = desk.on_call
    if on_call is None or not on_call.people:
        return 0
    planned = 0
    for brand, calendar in on_call.calendars.items():
        opening = calendar.next_opening(now)
        if opening is None or not opening - on_call.digest_before_opening <= now < opening:
            continue
        people = [on_call.people[name] for name in on_call.rota.everybody(brand)]
        about = f"{DIGEST}|{brand}|{opening.isoformat()}"
        if _is_the_days_first(calendar, opening) and not _is_planned(desk, people[0], about):
            planned += _plan(desk, on_call, brand, people, opening, about, now)
    return planned


def next_due(desk: Desk, after: datetime) -> datetime | None:
    """The next time at which a digest may be due (world time)."""
    on_call = desk.on_call
    if on_call is None or not on_call.people or not on_call.digest_before_opening:
        return None
    ahead = after + on_call.digest_before_opening + timedelta(microseconds=1)
    openings = [calendar.next_opening(ahead) for calendar in on_call.calendars.values()]
    soonest = min((opening for opening in openings if opening is not None), default=None)
    return None if soonest is None else soonest - on_call.digest_before_opening


def _is_the_days_first(calendar: BusinessCalendar, opening: datetime) -> bool:
    """A morning, and not the end of a lunch break."""
    day = opening.astimezone(calendar.timezone).date()
    return calendar.next_opening(datetime.combine(day, time(0), tzinfo=calendar.timezone)) == opening


def _is_planned(desk: Desk, person: Person, about: str) -> bool:
    keys = [message_key(about, person.name, channel) for channel in person.ways]
    with desk.database.read() as session:
        return (
            session.execute(select(c(NotificationRow).id).where(c(NotificationRow).key.in_(keys))).first() is not None
        )


def _plan(
    desk: Desk, on_call: OnCall, brand: str, people: list[Person], opening: datetime, about: str, now: datetime
) -> bool:
    with desk.database.write() as session:
        news = news_of(session, on_call, brand, opening, now=now)
        if news is None:
            return False  # no profile of this brand was ever watched
        for person in people:
            words = about_morning(news, person.language)
            plan_message(session, on_call, person, words, kind=DIGEST, about=about, now=now, alert_id=None)
    log.info("digest       of %s for %s", brand, ", ".join(person.name for person in people))
    return True


def news_of(session: Session, on_call: OnCall, brand: str, opening: datetime, *, now: datetime) -> DigestNews | None:
    """What is true of ``brand`` at ``now``; ``None`` for a brand that the database does not know."""
    brand_id = session.execute(select(c(BrandRow).id).where(c(BrandRow).name == brand)).scalar()
    if brand_id is None:
        return None
    calendar = on_call.calendars[brand]
    waiting = [place for place in queue.in_order(session, now=now, calendars=on_call.calendars) if place.brand == brand]
    longest = sorted(waiting, key=lambda place: place.clocks.waiting_since)[:LONGEST_WAITING]
    closing = _last_closing(calendar, now)
    profiles = list(
        session.execute(
            select(ProfileRow)
            .where(c(ProfileRow).brand_id == brand_id, c(ProfileRow).state == "active")
            .order_by(c(ProfileRow).id)
        ).scalars()
    )
    return DigestNews(
        brand=brand,
        now=now,
        opening=opening,
        closing=closing,
        timezone=calendar.timezone,
        by_urgency=Counter(place.urgency for place in waiting),
        longest=[
            WaitingCase(
                case_id=item.case_id,
                urgency=item.urgency,
                author="" if item.author in _NAMELESS else item.author,
                profile=item.profile,
                since=item.waiting_since,
                taken_by=item.taken_by,
            )
            for item in queue.lines(session, longest)
        ],
        said=_said(session, brand_id, since=closing),
        unknown=_unknown(session, brand_id),
        paused=control.paused_since(session),
        dry_runs=[_dry_run(session, row) for row in profiles if row.mode == ProfileMode.DRY_RUN.value],
        broken=_broken(session, profiles),
        tokens=[
            (row.name, ends)
            for row in profiles
            if (ends := row.access_ends_at) is not None and ends <= now + TOKEN_ENDS_SOON
        ],
        link=on_call.address,
    )


def _last_closing(calendar: BusinessCalendar, now: datetime) -> datetime:
    """When the brand's open time ended last; a day ago for one that was not open for a month."""
    ends = [end for _, end in calendar.open_stretches(now - _LAST_CLOSING, now)]
    return ends[-1] if ends else now - timedelta(days=1)


def _said(session: Session, brand_id: int, *, since: datetime) -> dict[ReplyKind, int]:
    columns = c(ReplyRow)
    rows = session.execute(
        select(columns.kind, func.count())
        .where(
            columns.brand_id == brand_id,
            columns.sent_by == SentBy.ROBOT.value,
            columns.state == ReplyState.SENT.value,
            columns.sent_at >= since,
        )
        .group_by(columns.kind)
        .order_by(columns.kind)
    )
    return {ReplyKind(kind): count for kind, count in rows}


def _unknown(session: Session, brand_id: int) -> list[int]:
    unsettled = [said.reply_id for said in queue.unknown_replies(session)]
    columns = c(ReplyRow)
    query = select(columns.id).where(columns.id.in_(unsettled), columns.brand_id == brand_id).order_by(columns.id)
    return list(session.execute(query).scalars())


def _dry_run(session: Session, profile: ProfileRow) -> DryRun:
    columns = c(ReplyRow)
    since = profile.dry_run_since or profile.first_polled_at or profile.due_at
    assert since is not None  # a profile in dry-run is stamped, and one that is polled has its next poll
    customers = session.execute(
        select(func.count(columns.author_id.distinct())).where(
            columns.profile_id == profile.id,
            columns.state == ReplyState.WOULD_HAVE_SENT.value,
            columns.created_at >= since,
        )
    ).scalar()
    return DryRun(profile=profile.name, since=since, customers=int(customers or 0))


def _broken(session: Session, profiles: list[ProfileRow]) -> list[tuple[str, str]]:
    """Profiles of which people were alerted, with what is wrong with them now."""
    columns = c(AlertRow)
    names = select(columns.subject).where(
        columns.kind == "connector", columns.subject.in_([row.name for row in profiles])
    )
    alerted = set(session.execute(names).scalars())
    return [(row.name, row.last_error or "") for row in profiles if row.name in alerted]
