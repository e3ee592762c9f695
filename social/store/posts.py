"""Posts as they come in: new ones remembered once, edits as revisions, deletions as tombstones, our own recognised."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, func, or_, select, update
from sqlmodel import Session

from social.domain.assessment import Urgency
from social.domain.post import Author, FetchedPost, Gone, Quarantined
from social.domain.reply import SentBy
from social.store import escalations, locks, outbox, threads, tombstones, wakes
from social.store.journal import NETWORK_APP, ROBOT, note
from social.store.mapping import Profile, native_names, post_values
from social.store.quotes import unquote
from social.store.rows import among, c, upsert
from social.store.tables import (
    AssessmentRow,
    AuthorRow,
    ConversationRow,
    LabellingRow,
    PostRow,
    QuarantineRow,
    ReplyRow,
    RevisionRow,
)

#: After a longer silence than this (downtime, restored backup) a post is answered only if its thread shows nothing of ours.
GAP = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """How many posts of a page were new, changed, or written by the profile itself; and how many were not read in, because
    their authors are forgotten."""

    new: int = 0
    edited: int = 0
    own: int = 0
    left_out: int = 0


def remember(
    session: Session,
    profile: Profile,
    posts: Sequence[FetchedPost],
    *,
    now: datetime,
    after_gap: bool = False,
    history: bool = False,
    priorities: Mapping[str, int] | None = None,
) -> Remembered:
    """Store what is new in ``posts``; the caller commits it together with the cursor.

    Posts that were there before the first successful poll are history: judged and kept, never answered. ``history``: all of
    these are, whatever their date, and no daemon takes them (they are due at no time): who reads them in judges them, so
    that thousands of them never stand before today's. A post that is known is compared by ``revision``. ``priorities``: native
    id -> ``Urgency.band`` of what a quick look found urgent, which is judged first; the others wait as normal ones.
    """
    if not posts:
        return Remembered()
    posts, left_out = tombstones.leave_out(session, profile, posts, now=now)
    unique = {post.native_id: post for post in posts}
    if not unique:
        return Remembered(left_out=left_out)
    _hold_around(session, profile, list(unique.values()))
    wanted = {"network": profile.network, "profile": profile.id, "ids": list(unique)}
    known = {row.native_id: row for row in session.connection().execute(_KNOWN, wanted)}
    fresh = [post for post in unique.values() if post.native_id not in known]
    authors = _remember_authors(session, profile.network, [post.author for post in unique.values()])
    conversations = _remember_conversations(session, profile, fresh, authors)
    first = profile.first_polled_at
    bands = priorities or {}
    upsert(
        session,
        PostRow,
        [
            {
                **post_values(post),
                "brand_id": profile.brand_id,
                "profile_id": profile.id,
                "network": profile.network,
                "author_id": authors[post.author.native_id],
                "conversation_id": conversations[post.thread_root, authors[post.author.native_id]],
                "received_at": now,
                "state": "judged" if post.ours else "new",
                "due_at": None if history else now,
                "attempts": 0,
                "revision_number": 1,
                "history": history or first is None or post.created_at < first,
                "after_gap": after_gap,
                "priority": bands.get(post.native_id, Urgency.NORMAL.band),
                "outcome": "ignored" if post.ours else None,
                "reason": "our own post" if post.ours else None,
            }
            for post in fresh
        ],
        key=("network", "profile_id", "native_id"),
    )
    changed = [
        (known[post.native_id].id, post)
        for post in unique.values()
        if post.native_id in known and _is_changed(known[post.native_id], post)
    ]
    edited = sum(
        _remember_edit(session, row_id, post, priority=bands.get(post.native_id), now=now) for row_id, post in changed
    )
    own = [post for post in fresh if post.ours]
    if not history and (edited or len(fresh) > len(own)):
        wakes.wake(session, wakes.TRIAGE)
    names = [name for post in fresh if not post.ours for name in native_names(post)]
    # an answer to what the edit left is still one to it; an answer to what it replaced was explained in its time
    names += [str(post.native["id"]) for _, post in changed if not post.ours and post.native.get("id")]
    earlier = _own_answers_to(session, profile, names, own)
    answers: list[FetchedPost | PostRow] = [*own, *earlier]
    for answer in sorted(answers, key=lambda answer: answer.created_at):
        _explain_own_post(session, profile, answer, now=now)
    return Remembered(new=len(fresh) - len(own), edited=edited, own=len(own), left_out=left_out)


def _hold_around(session: Session, profile: Profile, found: Sequence[FetchedPost]) -> None:
    """The authors of these posts, and the conversations that they belong to or answer, before any of them is looked at: an
    edit, or an answer in the network's app, ends what a daemon is about to decide."""
    if not locks.are_needed(session):
        return
    roots, writers = {post.thread_root for post in found}, {post.author.native_id for post in found}
    ids = {post.native_id for post in found} | {post.in_reply_to for post in found if post.ours and post.in_reply_to}
    connection, place = session.connection(), {"network": profile.network, "profile": profile.id}
    authors = connection.execute(_HOLD_AUTHORS, {"network": profile.network, "writers": [*writers]}).scalars().all()
    # no author is known by this number, and an empty list would be another statement
    around = {**place, "ids": [*ids], "roots": [*roots], "authors": [*authors] or [0]}
    connection.execute(_HOLD_CONVERSATIONS, around)


def known(session: Session, profile: Profile, native_ids: Sequence[str]) -> set[str]:
    """Which of ``native_ids`` are remembered."""
    columns = c(PostRow)
    query = select(columns.native_id).where(*_of(profile), among(columns.native_id, native_ids))
    return set(session.execute(query).scalars())


def _of(profile: Profile) -> tuple[Any, Any]:
    """The beginning of the index by native id; without the network SQLite would read all posts of the profile."""
    return c(PostRow).network == profile.network, c(PostRow).profile_id == profile.id


# Built once: for a page of a hundred posts it takes longer to write these than to run them.
_KNOWN = select(
    *(c(PostRow)[name] for name in ("id", "native_id", "revision", "text", "deleted_at", "erased_at"))
).where(
    c(PostRow).network == bindparam("network"),
    c(PostRow).profile_id == bindparam("profile"),
    among(c(PostRow).native_id, "ids"),
)


_HOLD_AUTHORS = locks.held(
    select(c(AuthorRow).id).where(
        c(AuthorRow).network == bindparam("network"),
        among(c(AuthorRow).native_id, "writers"),
    ),
    c(AuthorRow).id,
)
_SPOKEN_TO = select(c(PostRow).conversation_id).where(
    c(PostRow).network == bindparam("network"),
    c(PostRow).profile_id == bindparam("profile"),
    among(c(PostRow).native_id, "ids"),
)
_SAME_THREAD = select(c(ConversationRow).id).where(
    c(ConversationRow).profile_id == bindparam("profile"),
    among(c(ConversationRow).thread_root, "roots"),
    among(c(ConversationRow).author_id, "authors"),
)
_HOLD_CONVERSATIONS = locks.held(
    select(c(ConversationRow).id).where(c(ConversationRow).id.in_(_SPOKEN_TO.union(_SAME_THREAD))),
    c(ConversationRow).id,
)


def customers_of(session: Session, profile: Profile, roots: Collection[str]) -> set[tuple[str, str]]:
    """(thread root, author's native id) of the conversations that people are having with us in these threads."""
    columns = c(ConversationRow)
    rows = session.execute(
        select(columns.thread_root, c(AuthorRow).native_id)
        .join(AuthorRow, c(AuthorRow).id == columns.author_id)
        .where(columns.profile_id == profile.id, among(columns.thread_root, roots))
    )
    return {(root, author) for root, author in rows}


def looked_at(session: Session, conversation_ids: Sequence[int], *, now: datetime) -> None:
    """These conversations had their turn of a second look."""
    columns = c(ConversationRow)
    session.execute(update(ConversationRow).where(columns.id.in_(conversation_ids)).values(looked_at=now))


def _remember_authors(session: Session, network: str, authors: Iterable[Author]) -> dict[str, int]:
    """Native id -> row id. Who is known is only written to where something changed: most authors of a page are. In one
    order, so that two machines never wait for each other."""
    unique = {author.native_id: author for author in sorted(authors, key=lambda author: author.native_id)}
    connection = session.connection()
    found = {row.native_id: row for row in connection.execute(_AUTHORS, {"network": network, "ids": list(unique)})}
    new = [author for native_id, author in unique.items() if native_id not in found]
    told = [
        author
        for author in unique.values()
        # a page that only gives ids says nothing about names
        if author.native_id in found
        and (author.handle or author.display_name or author.deleted)
        and tuple(found[author.native_id])[2:] != _told(author)
    ]
    for group, change in ((new, ()), (told, _TOLD)):
        upsert(
            session,
            AuthorRow,
            [
                {"network": network, "native_id": author.native_id, **dict(zip(_TOLD, _told(author), strict=True))}
                for author in group
            ],
            key=("network", "native_id"),
            change=change,
        )
    ids = {native_id: row.id for native_id, row in found.items()}
    if new:
        wanted = [author.native_id for author in new]
        ids.update((row.native_id, row.id) for row in connection.execute(_AUTHORS, {"network": network, "ids": wanted}))
    return ids


#: What a network tells of an author, beside the id.
_TOLD = ("handle", "display_name", "is_bot", "deleted")
_AUTHORS = select(c(AuthorRow).native_id, c(AuthorRow).id, *(c(AuthorRow)[name] for name in _TOLD)).where(
    c(AuthorRow).network == bindparam("network"), among(c(AuthorRow).native_id, "ids")
)


def _told(author: Author) -> tuple[str | None, str | None, bool, bool]:
    return author.handle, author.display_name, author.is_bot, author.deleted


def _remember_conversations(
    session: Session, profile: Profile, posts: Sequence[FetchedPost], authors: dict[str, int]
) -> dict[tuple[str, int], int]:
    if not posts:
        return {}
    first: dict[tuple[str, int], datetime] = {}
    last: dict[tuple[str, int], datetime] = {}
    for post in posts:
        key = (post.thread_root, authors[post.author.native_id])
        first[key] = min(post.created_at, first.get(key, post.created_at))
        last[key] = max(post.created_at, last.get(key, post.created_at))
    upsert(
        session,
        ConversationRow,
        [
            {
                "brand_id": profile.brand_id,
                "profile_id": profile.id,
                "author_id": author_id,
                "thread_root": root,
                "opened_at": first[root, author_id],
                "last_customer_at": last[root, author_id],
            }
            for root, author_id in sorted(first)
        ],
        key=("profile_id", "thread_root", "author_id"),
    )
    columns = c(ConversationRow)
    found: dict[tuple[str, int], int] = {}
    roots, author_ids = {root for root, _ in first}, {author_id for _, author_id in first}
    wanted = {"profile": profile.id, "roots": list(roots), "authors": list(author_ids)}
    for row in session.connection().execute(_CONVERSATIONS, wanted):
        key = (row.thread_root, row.author_id)
        if key not in first:
            continue
        found[key] = row.id
        if last[key] > row.last_customer_at:
            session.execute(update(ConversationRow).where(columns.id == row.id).values(last_customer_at=last[key]))
    return found


_CONVERSATIONS = select(
    c(ConversationRow).thread_root,
    c(ConversationRow).author_id,
    c(ConversationRow).id,
    c(ConversationRow).last_customer_at,
).where(
    c(ConversationRow).profile_id == bindparam("profile"),
    among(c(ConversationRow).thread_root, "roots"),
    # "+ 0": else SQLite looks up every root with every author, ten thousand times for a page of a hundred
    among(c(ConversationRow).author_id + 0, "authors"),
)


def _is_changed(known: Any, post: FetchedPost) -> bool:
    """``known``: a row or its columns ``revision, text, deleted_at, erased_at``. What is gone does not come back by being seen
    again."""
    gone = known.deleted_at is not None or known.erased_at is not None
    return not gone and (known.revision != post.revision or known.text != post.text)


def _remember_edit(session: Session, row_id: int, post: FetchedPost, *, priority: int | None, now: datetime) -> bool:
    """A changed revision keeps the first native id, is judged again, and re-decides what is still planned. ``False``:
    another process remembered this very edit meanwhile."""
    row = session.get(PostRow, row_id, with_for_update={"key_share": True}, populate_existing=True)
    if row is None or not _is_changed(row, post):
        return False
    session.add(RevisionRow(post_id=row_id, number=row.revision_number, text=row.text, seen_at=now))
    row.revision, row.revision_number = post.revision, row.revision_number + 1
    row.text, row.edited_at = post.text, post.edited_at or now
    row.native, row.raw, row.media = dict(post.native), dict(post.raw), post_values(post)["media"]
    if not row.ours:
        row.state, row.due_at, row.token, row.leased_until, row.attempts = "new", now, None, None, 0
        row.priority = row.priority if priority is None else priority
        outbox.cancel_planned(
            session, now=now, reason="the customer edited the post", post_id=row.id, sent_by=SentBy.ROBOT
        )
        note(session, at=now, actor=NETWORK_APP, verb="edited by author", subject="post", subject_id=row.id)
    session.add(row)
    session.flush()
    return True


def same_text(left: str, right: str) -> bool:
    """Equal up to what networks change on the way: Unicode form, white space, a leading @mention."""

    def normal(text: str) -> str:
        words = unicodedata.normalize("NFC", text).split()
        while words and words[0].startswith("@"):
            words.pop(0)
        return " ".join(words)

    return normal(left) == normal(right)


def _own_answers_to(
    session: Session, profile: Profile, names: Sequence[str], besides: Sequence[FetchedPost]
) -> list[PostRow]:
    """Own posts that came in before the posts that they answer (a later page, another edge of the network)."""
    if not names:
        return []
    wanted = {"profile": profile.id, "parents": list(names)}
    ids = list(session.connection().execute(_OWN_ANSWERS, wanted).scalars())
    if not ids:
        return []
    seen = {post.native_id for post in besides}
    rows = session.execute(select(PostRow).where(among(c(PostRow).id, ids))).scalars()
    return [row for row in rows if row.native_id not in seen]


_OWN_ANSWERS = select(c(PostRow).id).where(
    c(PostRow).profile_id == bindparam("profile"),
    c(PostRow).ours.is_(True),
    among(c(PostRow).in_reply_to, "parents"),
)


def _explain_own_post(session: Session, profile: Profile, post: FetchedPost | PostRow, *, now: datetime) -> None:
    """An own post that no reply row explains is a person's answer in the network's own app: it cancels the plan, stops
    both clocks and closes the case at its own time."""
    replies = c(ReplyRow)
    if session.execute(
        select(replies.id).where(replies.profile_id == profile.id, replies.external_id == post.native_id).limit(1)
    ).first():
        return
    without_address = session.execute(
        select(ReplyRow, PostRow)
        .join(PostRow, c(PostRow).id == replies.post_id)
        .where(
            replies.conversation_id.in_(threads.conversations_in(profile.id, post.thread_root)),
            replies.intended_at.is_not(None),
            replies.external_id.is_(None),
        )
        .order_by(replies.id)
    ).all()
    alike = [(row, asked) for row, asked in without_address if same_text(row.text, post.text)]
    exact = [row for row, asked in alike if post.in_reply_to in (None, asked.native_id)]
    # some networks file a reply under the top of a branch; then only an only candidate can be meant
    branch = [row for row, asked in alike if post.in_reply_to in _addresses(asked)]
    if exact or len(branch) == 1:
        _adopt(session, (exact or branch)[0], post, now=now)
        return
    if branch:
        return  # ours, but nobody can say which: the look-up of each decides
    answered = _answered_conversations(session, profile, post)
    if answered and _others_wait_beside(session, profile, post, besides=answered[0]):
        return  # the look of each decides (``perhaps_answered``): the robot is silent, and people say whom it was for
    for conversation in answered:
        record_person_answer(session, conversation, at=post.created_at, now=now, natively=True)


def _addresses(post: PostRow) -> set[str]:
    """What a network may call the place of an answer to ``post``."""
    native = post.native or {}
    return native_names(post) | {str(value) for value in (post.in_reply_to, native.get("parent")) if value}


def _adopt(session: Session, row: ReplyRow, post: FetchedPost | PostRow, *, now: datetime) -> None:
    """A reply of ours that was doubtful, or settled by a person who did not give its address, is seen on the network."""
    outbox.settle_public(
        session, row, external_id=post.native_id, permalink=post.permalink, at=post.created_at, now=now
    )
    if row.sent_by == SentBy.PERSON.value:
        # whoever delivers it comes too late to end the case
        record_person_answer(
            session,
            session.get_one(ConversationRow, row.conversation_id),
            at=post.created_at,
            now=now,
            natively=False,
            actor="outbox",
            seen_until=row.created_at,
        )


def _answered_conversations(session: Session, profile: Profile, post: FetchedPost | PostRow) -> list[ConversationRow]:
    """Whom an own post speaks to: the first customer above it, past further parts of our own. Nobody, where it hangs under
    our own announcement, or under a post that we have not seen (then it is asked again when that one comes in)."""
    above, seen = post.in_reply_to, {post.native_id}
    while above is not None and above not in seen:
        seen.add(above)
        parent = _post_named(session, profile, above, thread_root=post.thread_root)
        if parent is None:
            return []
        if not parent.ours:
            conversation = session.get(ConversationRow, parent.conversation_id)
            return [conversation] if conversation is not None else []
        above = parent.in_reply_to
    return []


def _others_wait_beside(
    session: Session, profile: Profile, post: FetchedPost | PostRow, *, besides: ConversationRow
) -> bool:
    """Does another customer wait below the one that ``post`` hangs under, on a network that files there what answers them, too?
    Such a network names the place of a nested comment in ``native["parent"]``."""
    columns, conversations = c(PostRow), c(ConversationRow)
    below = session.execute(
        select(columns.native)
        .join(ConversationRow, conversations.id == columns.conversation_id)
        .where(
            conversations.id.in_(threads.conversations_in(profile.id, post.thread_root)),
            conversations.id != besides.id,
            conversations.waiting_since.is_not(None),
            columns.ours.is_(False),
            columns.deleted_at.is_(None),
            columns.in_reply_to == post.in_reply_to,
            columns.created_at <= post.created_at,
        )
    ).scalars()
    return any((native or {}).get("parent") == post.in_reply_to for native in below)


def _post_named(session: Session, profile: Profile, name: str, *, thread_root: str) -> PostRow | None:
    """By its first id or, in its thread, by that of a version: only what was edited has more than one (``native_names``)."""
    posts = c(PostRow)
    found = session.execute(select(PostRow).where(*_of(profile), posts.native_id == name)).scalar_one_or_none()
    if found is not None:
        return found
    edited = select(PostRow).where(
        posts.conversation_id.in_(threads.conversations_in(profile.id, thread_root)), posts.edited_at.is_not(None)
    )
    found = next((row for row in session.execute(edited).scalars() if name in native_names(row)), None)
    if found is not None:
        # nobody could know before that it is spoken to (``_hold_around``)
        locks.hold_conversations(session, [found.conversation_id])
    return found


def record_person_answer(
    session: Session,
    conversation: ConversationRow,
    *,
    at: datetime,
    now: datetime,
    natively: bool,
    actor: str = NETWORK_APP,
    seen_until: datetime | None = None,
) -> None:
    """A person answered ``conversation`` at ``at``: automatic plans end, both clocks stop, the case is answered; except for what
    the customer wrote after it, or, where the answer was written at the desk, for what came in after ``seen_until``, when it was
    written: it may have been published long after."""
    assert conversation.id is not None
    earlier = conversation.person_answered_at
    at = at if earlier is None else max(earlier, at)  # an older answer that is read later brings nothing back
    conversation.person_answered_at = at
    columns = c(PostRow)
    unseen = func.coalesce(columns.edited_at, columns.created_at) > at
    if seen_until is not None:  # as ``recall`` asks of a post that is judged later
        # delivery's own look stores an edit in the very moment of the answer, where the clock is a stepped one
        revisions = c(RevisionRow)
        edited = select(revisions.id).where(revisions.post_id == columns.id, revisions.seen_at >= seen_until)
        unseen = or_(columns.received_at > seen_until, edited.exists())
    later = session.execute(
        select(func.min(columns.created_at)).where(
            columns.conversation_id == conversation.id,
            columns.ours.is_(False),
            columns.outcome == "escalated",
            unseen,
        )
    ).scalar()
    if (
        conversation.waiting_since is not None
    ):  # else people ended it since: an older answer does not start the clock again
        conversation.waiting_since = later
    session.add(conversation)
    if later is None:
        outbox.cancel_planned(
            session,
            now=now,
            reason="a person answered" + (" in the network's own app" if natively else ""),
            conversation_id=conversation.id,
            sent_by=SentBy.ROBOT,
        )
        escalations.answered(session, conversation.id, at=at, now=now, natively=natively, actor=actor)


def answered_natively_since(
    session: Session, conversation_id: int, *, asked_at: datetime, since: datetime
) -> datetime | None:
    """When a person answered this customer in the network's own app, later than ``asked_at`` and in what came in after
    ``since``; whatever has become of the case."""
    conversation = session.get_one(ConversationRow, conversation_id)
    columns = c(PostRow)
    own = session.execute(
        select(columns.in_reply_to, columns.created_at)
        .where(
            columns.conversation_id.in_(threads.conversations_in(conversation.profile_id, conversation.thread_root)),
            columns.ours.is_(True),
            columns.created_at > asked_at,
            columns.received_at >= since,
            ~_through_us(),
        )
        .order_by(columns.created_at)
    ).all()
    if not own:
        return None
    theirs = select(PostRow).where(columns.conversation_id == conversation_id, columns.ours.is_(False))
    names = {name for post in session.execute(theirs).scalars() for name in native_names(post)}
    return next((row.created_at for row in own if row.in_reply_to in names), None)


def perhaps_answered(session: Session, post_id: int, *, since: datetime | None = None) -> datetime | None:
    """When something of ours appeared that may answer the customer of ``post_id``: no older than what they wait with (some
    networks tell whole seconds), where theirs may file an answer to it, and explained by no reply row. Under a comment of our
    own it names nobody, so nobody can tell whom it was for. ``since``: only what came in after."""
    post = session.get_one(PostRow, post_id)
    conversation = session.get_one(ConversationRow, post.conversation_id)
    began = min(post.created_at, conversation.waiting_since or post.created_at)
    columns = c(PostRow)
    theirs = select(PostRow).where(
        columns.conversation_id == post.conversation_id, columns.ours.is_(False), columns.created_at >= began
    )
    places: dict[str, datetime] = {}
    for asked in session.execute(theirs.order_by(columns.created_at.desc())).scalars():
        # beside what stands at the top of a thread no network files an answer to it: that is just one more word of ours
        beside = _addresses(asked) - {asked.thread_root}
        places |= dict.fromkeys(beside | native_names(asked), asked.created_at)
    # compared and ordered here: by time SQLite would read all of the profile's posts, not its own ones in these places
    own = select(columns.in_reply_to, columns.created_at).where(
        columns.profile_id == post.profile_id,
        columns.ours.is_(True),
        among(columns.in_reply_to, places),
        ~_through_us(),
    )
    if since is not None:
        own = own.where(columns.received_at >= since)
    return min(
        (row.created_at for row in session.execute(own) if row.created_at >= places[row.in_reply_to]), default=None
    )


def _through_us() -> Any:
    """A reply row has the address of this own post."""
    columns, replies = c(PostRow), c(ReplyRow)
    through_us = select(replies.id).where(
        replies.profile_id == columns.profile_id, replies.external_id == columns.native_id
    )
    return through_us.exists()


def quarantine(session: Session, profile_id: int, items: Iterable[Quarantined], *, now: datetime) -> int:
    """Keep what could not be read, once each, with its reason; it never blocks the rest of its page."""
    rows = [
        {
            "profile_id": profile_id,
            "native_id": item.native_id,
            "fingerprint": hashlib.sha256(item.raw.encode("utf-8", "surrogatepass")).hexdigest(),
            "reason": item.reason,
            "raw": item.raw[:20_000],
            "seen_at": now,
        }
        for item in items
    ]
    upsert(session, QuarantineRow, rows, key=("profile_id", "fingerprint"))
    return len(rows)


def forget_deleted(session: Session, profile: Profile, gone: Iterable[Gone], *, now: datetime) -> int:
    """Deleted at the network: the plan is cancelled, the case marked, text, raw answer, vector, old revisions and labels for
    the classifier erased; a tombstone stays, so that the post is not read in again."""
    count = 0
    for item in sorted(gone, key=lambda item: item.native_id):
        query = select(PostRow).where(*_of(profile), c(PostRow).native_id == item.native_id)
        # a conversation of a post never changes: it can be held before the post is
        conversation_id = session.execute(query.with_only_columns(c(PostRow).conversation_id)).scalar_one_or_none()
        if conversation_id is not None:
            locks.hold_conversations(session, [conversation_id])
        row = session.execute(query.with_for_update(key_share=True)).scalar_one_or_none()
        if row is None or row.deleted_at is not None:
            continue
        assert row.id is not None
        count += 1
        cancelled = outbox.cancel_planned(session, now=now, reason="the customer deleted the post", post_id=row.id)
        escalations.mark_deleted(session, row.conversation_id, post_id=row.id, now=now)
        unquote(session, row)
        row.text, row.raw, row.media, row.deleted_at = "", None, None, now
        if row.state in ("new", "waiting"):
            row.state, row.outcome, row.reason, row.token = "judged", "ignored", "deleted by its author", None
            row.leased_until = None
        session.add(row)
        session.execute(delete(RevisionRow).where(c(RevisionRow).post_id == row.id))
        session.execute(delete(LabellingRow).where(c(LabellingRow).post_id == row.id))
        session.execute(update(AssessmentRow).where(c(AssessmentRow).post_id == row.id).values(vector=None, reasons=[]))
        session.execute(
            update(ReplyRow).where(c(ReplyRow).post_id == row.id, c(ReplyRow).state == "cancelled").values(text="")
        )
        if cancelled:
            _decide_the_next(session, row, now=now)
        note(session, at=now, actor=ROBOT, verb="erased deleted", subject="post", subject_id=row.id)
    return count


def _decide_the_next(session: Session, deleted: PostRow, *, now: datetime) -> None:
    """Delete and write again is common: what the deleted post's text stood for is decided anew for the post that stands."""
    columns = c(PostRow)
    session.flush()
    standing = (
        session.execute(
            select(PostRow)
            .where(
                columns.conversation_id == deleted.conversation_id,
                columns.ours.is_(False),
                columns.deleted_at.is_(None),
                columns.outcome == "escalated",
                columns.state == "judged",
            )
            .order_by(columns.created_at)
        )
        .scalars()
        .all()
    )
    conversation = session.get(ConversationRow, deleted.conversation_id)
    if not standing or conversation is None or conversation.waiting_since is None:
        return
    conversation.waiting_since = max(conversation.waiting_since, standing[0].created_at)
    wakes.wake(session, wakes.TRIAGE)
    standing[-1].state, standing[-1].due_at, standing[-1].attempts = "waiting", now, 0
    session.add_all([conversation, standing[-1]])
