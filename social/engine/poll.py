"""fetch, remember: one profile's news, its open posts looked at again, its errors and limits kept."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy import select, union
from sqlmodel import Session

from social.domain.errors import CannotTell, ConnectorError, CredentialsExpired, DyzurError, RateLimited, Unreachable
from social.domain.post import FetchedPost, Gone, PostRef
from social.domain.reply import ReplyState
from social.engine import alerts, budgets, failpoints, quick_look, skew
from social.engine.claims import Claim, finish, renew, still_mine
from social.engine.desk import Desk, LiveProfile
from social.ports import Page
from social.store import posts, profiles
from social.store.mapping import Profile, ref_from
from social.store.rows import active, c
from social.store.tables import AuthorRow, ConversationRow, EscalationRow, PostRow, ProfileRow, ReplyRow

log = logging.getLogger("social.poll")

#: Pages taken in one turn; what is left is taken in the next, so that no profile starves the others.
PAGES_A_TURN = 10
#: How often posts that people still have to answer are looked at again (edits, deletions, answers in the network's app).
REFRESH_EVERY = timedelta(minutes=15)
REFRESHED_AT_ONCE = 50
#: Threads read in one look, in rotation: what a poll does not show by itself (it shows our own posts where the network
#: does). A reply reads its own thread just before it is sent, whatever this says.
THREADS_AT_ONCE = 4
#: Of so many conversations a process knows when it read their threads.
THREADS_REMEMBERED = 10_000
#: A network that fails is asked less and less: one bad answer costs seconds, then every pause is twice the last, up to ten
#: minutes, which is soon enough for the hour.
RETRY_UNREACHABLE, RETRY_AT_MOST = timedelta(seconds=3), timedelta(minutes=10)
RETRY_CREDENTIALS = timedelta(minutes=15)
#: A profile that is not read for so long is silent: shorter troubles of a network mend themselves.
SILENT_AFTER = timedelta(minutes=30)
#: The second look alone fails: when it comes again, and after how long people are told.
RETRY_LOOK, LOOK_FAILS = timedelta(minutes=2), timedelta(minutes=30)


@dataclass(slots=True)
class _Turn:
    new: int = 0
    edited: int = 0
    own: int = 0
    quarantined: int = 0


def fetch_and_remember(desk: Desk, claimed: Claim, now: datetime) -> int:
    failpoints.reach("poll.claimed")
    live = desk.profiles[claimed.ids[0]]
    with desk.database.read() as session:
        profile = profiles.by_ids(session, claimed.ids)[0]
        wait = profiles.paused_until(session, profile.id, budgets.POLLING, now=now)
    if wait is not None:
        with desk.database.write() as session:
            mine = finish(session, claimed, profile.id, due_at=wait)
            if mine and wait - (profile.last_polled_at or now) > unread_for(live):
                # whichever request met the limit: customers who write meanwhile are not read, and people must hear of it
                profiles.record_error(session, profile.id, f"its network is asked again only at {_utc(wait)}", now=now)
        return 0
    turn = _Turn()
    try:
        if profile.account_id is None:
            account = live.connector.identity()
            with desk.database.write() as session:
                profiles.know_account(session, profile.id, account)
        _take_pages(desk, claimed, live, profile, turn, now)
        if profile.refresh_due_at is None or profile.refresh_due_at <= now:
            _look_again_and_tell(desk, live, profile, now)
    except ConnectorError as error:
        _failed(desk, claimed, profile, error, now)
        return 1
    except DyzurError:
        raise
    except Exception as error:
        # a connector's own mistake, or a page that the database refuses: whoever looks at the profile must see it
        with desk.database.write() as session:
            profiles.record_error(
                session, profile.id, f"reading it broke ({type(error).__name__}), see the log", now=now
            )
        raise
    skew.agree(desk, live, now)
    _report(profile, turn)
    return 1


def _take_pages(desk: Desk, claimed: Claim, live: LiveProfile, profile: Profile, turn: _Turn, now: datetime) -> None:
    """Page after page, each committed with its cursor; the last one also gives the profile back."""
    cursor = profile.cursor
    gap = profile.last_polled_at is not None and now - profile.last_polled_at > max(posts.GAP, 3 * live.poll_every)
    for number in range(1, PAGES_A_TURN + 1):
        page = live.connector.fetch(cursor)
        failpoints.reach("poll.fetched")
        more = page.more and page.cursor != cursor  # a repeated cursor would page for ever
        last = number == PAGES_A_TURN or not more
        urgent = quick_look.priorities(desk, page.posts)

        def keep(
            session: Session, page: Page = page, more: bool = more, last: bool = last, urgent: dict[str, int] = urgent
        ) -> posts.Remembered | None:
            if not still_mine(session, claimed):
                return None
            # not ``now``: who answers while the network is asked has not seen what it shows
            at = desk.now()
            remembered = posts.remember(session, profile, page.posts, now=at, after_gap=gap, priorities=urgent)
            posts.quarantine(session, profile.id, page.quarantined, now=now)
            if last:
                _finish_turn(
                    desk, session, claimed, live, profile, page, now, due_at=now if more else now + live.poll_every
                )
            else:
                renew(session, claimed, desk.leases.poll, cursor=dict(page.cursor))
            failpoints.reach("poll.before-commit")
            return remembered

        remembered = desk.database.step(keep)
        if remembered is None:
            log.info("%s: another process took over this poll", profile.name)
            return
        turn.quarantined += len(page.quarantined)
        turn.new += remembered.new
        turn.edited += remembered.edited
        turn.own += remembered.own
        failpoints.reach("poll.after-commit" if last else "poll.page-committed")
        if last:
            return
        cursor = page.cursor


def _finish_turn(
    desk: Desk,
    session: Session,
    claimed: Claim,
    live: LiveProfile,
    profile: Profile,
    page: Page,
    now: datetime,
    *,
    due_at: datetime,
) -> None:
    finish(
        session,
        claimed,
        profile.id,
        cursor=dict(page.cursor),
        due_at=due_at,
        first_polled_at=profile.first_polled_at or skew.surely_by(desk, live, now),
        last_polled_at=now if not page.more else profile.last_polled_at,  # the rest of a gap is still in the gap
        last_error=None,
    )
    budgets.keep_quota(desk, live, session, now)
    # whoever raised it, and since when: an alert that stays hides the next one. But not before all is read: in the midst of
    # it a network may make us wait again, and people would be rung each time
    if not page.more and alerts.is_known(session, kind="connector", subject=profile.name):
        alerts.settle(session, kind="connector", subject=profile.name)
    _tell_of_unread(session, profile, page, now)


def _tell_of_unread(session: Session, profile: Profile, page: Page, now: datetime) -> None:
    """Where our own posts are refused, a network may let nobody look before a text goes out, so that none ever does; where some
    of the customers' are, those customers wait for nobody. What passes by itself is nobody's affair."""
    for part, errors, what in (
        ("own", page.unread, "our own posts cannot be read, so that answers may not be sent"),
        ("missed", page.missed, "some of what customers write is not read"),
    ):
        subject = f"{profile.name}/{part}"
        refused = next((error for error in errors if error.permanent), None)
        if refused is not None:
            alerts.raise_once(
                session,
                kind="connector",
                subject=subject,
                message=f"{profile.name}: {what}: {refused}",
                now=now,
                profile_id=profile.id,
            )
        elif not errors:
            alerts.settle(session, kind="connector", subject=subject)


def _look_again_and_tell(desk: Desk, live: LiveProfile, profile: Profile, now: datetime) -> None:
    """The pages came in and their profile was given back: that the second look fails is an affair of its own. It comes again
    soon, and people are told once, where the network refuses it or it does not succeed for ``LOOK_FAILS``."""
    subject = f"{profile.name}/look"
    try:
        look_again(desk, live, profile, now)
    except ConnectorError as error:
        log.warning("%s: the second look: %s", profile.name, error)
        since, last = desk.looks_failing.get(profile.id, (now, now))
        if now - last > RETRY_LOOK + 2 * live.poll_every:
            since = now  # another machine's look succeeded in between
        desk.looks_failing[profile.id] = since, now
        refused = isinstance(error, CredentialsExpired)
        retry = now + (RETRY_CREDENTIALS if refused else RETRY_LOOK)
        with desk.database.write() as session:
            if isinstance(error, RateLimited):
                retry = max(retry, error.until)
                budgets.keep_pause(session, profile.id, error, now)
            profiles.refreshed(session, profile.id, due_at=retry)
            profiles.record_error(session, profile.id, str(error), now=now)
            if refused or now - since >= LOOK_FAILS:
                alerts.raise_once(
                    session,
                    kind="connector",
                    subject=subject,
                    message=f"{profile.name}: edits, deletions and answers from the network's app are not seen: {error}",
                    now=now,
                    profile_id=profile.id,
                )
        return
    desk.looks_failing.pop(profile.id, None)
    alerts.settle_known(desk.database, kind="connector", subject=subject)


def look_again(desk: Desk, live: LiveProfile, profile: Profile, now: datetime) -> None:
    """Refresh what people or the robot still have to answer, and read its threads for answers by another client. Raises
    ``ConnectorError`` once what could be read is kept."""
    with desk.database.read() as session:
        opened = _open_posts(session, profile.id)
    looked: list[int] = []
    refused: ConnectorError | None = None
    if opened:
        found = live.connector.refresh([item.ref for item in opened])
        threads: dict[str, FetchedPost] = {}
        worth_reading = opened if live.connector.capabilities.threads else []
        looked = [item.conversation_id for item in opened]  # the next ones have their turn
        if live.connector.threads_add_nothing:
            # but the first poll did not go back to the answers of what lay there
            worth_reading = [item for item in worth_reading if item.history and item.looked_at is None]
            looked = [item.conversation_id for item in opened if item not in worth_reading]
        for conversation_id, ref in _one_a_thread(worth_reading, desk.threads_read):
            looked.append(conversation_id)
            desk.threads_read.pop(conversation_id, None)  # the newest stand at the end
            desk.threads_read[conversation_id] = now
            try:
                threads.update({post.native_id: post for post in live.connector.thread(ref)})
            except (CannotTell, Unreachable) as error:  # one endless thread must not hide the others
                log.warning("%s: a thread could not be read, it comes again: %s", profile.name, error)
            except ConnectorError as error:  # it would refuse the others too; what was refreshed is kept
                refused = error
                break
        failpoints.reach("poll.looked")
        remember_look(desk, profile, [*found.values(), *threads.values()], now)
        failpoints.reach("poll.look-committed")

    def mark(session: Session) -> None:
        posts.looked_at(session, looked, now=now)
        profiles.refreshed(session, profile.id, due_at=now + REFRESH_EVERY)

    desk.database.step(mark)
    if refused is not None:
        raise refused


def _one_a_thread(opened: Sequence[_OpenPost], read: dict[int, datetime]) -> list[tuple[int, PostRef]]:
    """One post each of as many threads as a look reads, those not ``read`` for longest first. An order of its own: what is
    refreshed goes round by the fifty, and were it to wait for threads, a deletion would be followed days later."""
    for conversation_id in list(read)[:-THREADS_REMEMBERED]:
        read.pop(conversation_id, None)  # poll lanes share it
    roots: dict[str, tuple[int, PostRef]] = {}
    never = datetime.min.replace(tzinfo=UTC)
    for item in sorted(opened, key=lambda item: read.get(item.conversation_id, never)):
        roots.setdefault(item.ref.thread_root, (item.conversation_id, item.ref))
    return list(roots.values())[:THREADS_AT_ONCE]


def remember_look(desk: Desk, profile: Profile, found: list[FetchedPost | Gone], now: datetime) -> None:
    """What a second look showed: edits and deletions of posts that we know, posts of our own account, and what customers
    added under their own posts (not every network tells us of that). Posts of strangers in the thread are left to the
    poll, whose cursor says what is new."""
    seen = [item for item in found if isinstance(item, FetchedPost)]
    with desk.database.read() as session:
        old = posts.known(session, profile, [item.native_id for item in seen])
    urgent = quick_look.priorities(desk, [item for item in seen if item.edited_at or item.native_id not in old])

    def keep(session: Session) -> None:
        posts.forget_deleted(session, profile, [item for item in found if isinstance(item, Gone)], now=now)
        known = posts.known(session, profile, [item.native_id for item in seen])
        customers = posts.customers_of(session, profile, {item.thread_root for item in seen})
        wanted = [
            item
            for item in seen
            if item.ours or item.native_id in known or (item.thread_root, item.author.native_id) in customers
        ]
        posts.remember(session, profile, wanted, now=desk.now(), priorities=urgent)  # as in ``_take_pages``

    desk.database.step(keep)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenPost:
    conversation_id: int
    ref: PostRef
    history: bool
    looked_at: datetime | None


def _open_posts(session: Session, profile_id: int) -> list[_OpenPost]:
    """Posts with a waiting case or a planned reply, those not looked at for longest first."""
    waiting = select(c(EscalationRow).conversation_id).where(
        active(EscalationRow), c(EscalationRow).profile_id + 0 == profile_id
    )
    planned = select(c(ReplyRow).conversation_id).where(
        active(ReplyRow), c(ReplyRow).state == ReplyState.PLANNED.value, c(ReplyRow).profile_id + 0 == profile_id
    )
    rows = session.execute(
        select(PostRow, c(AuthorRow).native_id, c(ConversationRow).looked_at)
        .join(AuthorRow, c(AuthorRow).id == c(PostRow).author_id)
        .join(ConversationRow, c(ConversationRow).id == c(PostRow).conversation_id)
        .where(
            c(PostRow).conversation_id.in_(union(waiting, planned)),
            c(PostRow).ours.is_(False),
            c(PostRow).deleted_at.is_(None),
        )
        .order_by(c(ConversationRow).looked_at.asc().nulls_first(), c(PostRow).created_at)
        .limit(REFRESHED_AT_ONCE)
    )
    return [
        _OpenPost(
            conversation_id=post.conversation_id,
            ref=ref_from(post, native_id),
            history=post.history,
            looked_at=looked_at,
        )
        for post, native_id, looked_at in rows
    ]


def _failed(desk: Desk, claimed: Claim, profile: Profile, error: ConnectorError, now: datetime) -> None:
    """A network that fails costs only its own profile: the reason is kept, people are told once, and it is tried again."""
    attempts = 0
    log.warning("%s: %s", profile.name, error)
    with desk.database.write() as session:
        if isinstance(error, RateLimited):
            retry = error.until
            budgets.keep_pause(session, profile.id, error, now)  # true whoever has the profile now
        elif isinstance(error, CredentialsExpired):
            retry = now + RETRY_CREDENTIALS
        else:
            # every claim counts one; a poll that succeeds counts anew
            attempts = session.execute(
                select(c(ProfileRow).attempts).where(c(ProfileRow).id == profile.id)
            ).scalar_one()
            retry = now + _pause_after(profile.name, attempts)
        if not finish(session, claimed, profile.id, due_at=retry, attempts=attempts):
            return
        profiles.record_error(session, profile.id, str(error), now=now)
        if isinstance(error, CredentialsExpired):
            alerts.raise_once(
                session, kind="connector", subject=profile.name, message=str(error), now=now, profile_id=profile.id
            )


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def unread_for(live: LiveProfile) -> timedelta:
    """So long since the last whole poll, a profile is silent: one that is read every few hours later than another."""
    return max(SILENT_AFTER, 2 * live.poll_every)


def _pause_after(name: str, failures: int) -> timedelta:
    """A little shorter for one profile than for another, so that they do not all come back at once."""
    growing = RETRY_UNREACHABLE * 2 ** min(max(failures - 1, 0), 10)
    return min(growing, RETRY_AT_MOST) * Random(f"{name}/{failures}").uniform(0.75, 1.0)


def _report(profile: Profile, turn: _Turn) -> None:
    parts = [f"{turn.new} new"] if turn.new else []
    parts += [f"{turn.edited} edited"] if turn.edited else []
    parts += [f"{turn.own} of our own"] if turn.own else []
    parts += [f"{turn.quarantined} unreadable, kept aside"] if turn.quarantined else []
    if parts:
        log.info("polled       %s: %s", profile.name, ", ".join(parts))
