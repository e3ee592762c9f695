"""Forgetting an author: everything that ``social.store.personal`` names, in one transaction, and a tombstone.

The rows stay, without a word in them, because the reports count them. What other people's rows repeat of the author (a
mention, a quote in an answer to somebody else) is searched for in small steps: ``social.store.mentions``, which has the whole
of it. Who is let in again and writes gets a new row, which can be erased in its turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, delete, func, literal, null, or_, select, update
from sqlmodel import Session, SQLModel

from social.domain.errors import Conflict, NotFound
from social.domain.escalation import WAITING_STATES
from social.domain.reply import ReplyState
from social.store import escalations, locks, outbox, tombstones
from social.store.journal import note
from social.store.personal import HELD, Held, Special
from social.store.rows import c, t, upsert
from social.store.tables import (
    AlertRow,
    AuthorRow,
    ConversationRow,
    ErasureSaltRow,
    EscalationRow,
    ForgottenRow,
    NotificationRow,
    PersonRow,
    PostRow,
    ProfileRow,
    ReplyRow,
)

#: Replies that may be on the wire at this moment, or of which nobody knows whether they came to be.
_DOUBTFUL = (ReplyState.SENDING.value, ReplyState.UNKNOWN.value)
#: Where an erased address stands once with the same values of these columns.
_ONE_AN_ADDRESS: Mapping[type[SQLModel], tuple[str, ...]] = {
    AuthorRow: ("network",),
    ConversationRow: ("profile_id", "author_id"),
}
#: Rows named in one statement.
_AT_ONCE = 500
_WAITING = tuple(state.value for state in WAITING_STATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An author as this database knows them now. Of one who is erased already it knows neither number nor handle: there
    ``asked_number`` or ``handle`` is what they were asked for by."""

    id: int
    network: str
    native_id: str
    handle: str | None
    display_name: str | None
    asked_number: str | None = None

    @property
    def erased(self) -> bool:
        return self.native_id.startswith(tombstones.ERASED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an erasure would touch. ``rows``: title of ``personal.HELD`` -> how many rows."""

    author: Known
    rows: Mapping[str, int]
    waiting_cases: tuple[int, ...]
    formal_cases: tuple[int, ...]
    planned_replies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """One who is not read in again."""

    id: int
    network: str
    digest: str
    forgotten_at: datetime
    forgotten_by: str
    reason: str
    left_out: int
    last_left_out_at: datetime | None


# --- who ---------------------------------------------------------------------------------------------------------------


def find(session: Session, network: str, who: str) -> Known:
    """By the account's number on its network, or by its handle as it was seen last. Of an account that was let in again the
    row that is not erased, else its last one. Raises ``NotFound``, ``Conflict``."""
    columns, typed, handle = c(AuthorRow), who.strip(), who.strip().lstrip("@")
    salt = tombstones.salt_of(session)
    number = tombstones.account_of(salt, network, typed)
    erased = _numbers_of_handle(session, salt, network, handle) | {number} if salt is not None else set()
    rows = session.execute(
        select(AuthorRow).where(
            columns.network == network,
            or_(
                columns.native_id.in_({typed, *erased}),
                func.lower(columns.handle) == handle.lower(),
                *(columns.native_id.startswith(f"{address}-", autoescape=True) for address in erased),
            ),
        )
    ).scalars()
    accounts: dict[str, AuthorRow] = {}
    for row in sorted(rows, key=lambda row: (not row.native_id.startswith(tombstones.ERASED), row.id)):
        accounts[tombstones.account_of(salt, network, row.native_id)] = row
    if not accounts:
        raise NotFound(
            f"nobody called {who!r} is known here.",
            resource=network,
            next_step="Give the handle as the queue shows it, or the account's number on that network.",
        )
    if len(accounts) > 1 and number not in accounts:
        several = ", ".join(sorted(row.native_id for row in accounts.values()))
        raise Conflict(
            f"several accounts were called {handle!r}.",
            resource=network,
            next_step=f"Name the one that you mean by its number: {several}",
        )
    row = accounts[number] if number in accounts else next(iter(accounts.values()))
    gone, by_number = row.native_id.startswith(tombstones.ERASED), number in accounts
    return Known(
        id=row.id or 0,
        network=row.network,
        native_id=row.native_id,
        handle=handle if gone and not by_number else row.handle,
        display_name=row.display_name,
        asked_number=typed if gone and by_number and not typed.startswith(tombstones.ERASED) else None,
    )


def _numbers_of_handle(session: Session, salt: bytes, network: str, handle: str) -> set[str]:
    columns = c(ForgottenRow)
    wanted = tombstones.handle_digest(salt, network, handle)
    query = select(columns.digest).where(columns.network == network, columns.handle_digest == wanted)
    return {tombstones.ERASED + found[: tombstones.LENGTH] for found in session.execute(query).scalars()}


def networks(session: Session) -> list[str]:
    return list(session.execute(select(c(AuthorRow).network).distinct().order_by(c(AuthorRow).network)).scalars())


def preview(session: Session, author: Known) -> Preview:
    cases, replies = c(EscalationRow), c(ReplyRow)
    own = _conversations(author)
    waiting = session.execute(
        select(cases.id, cases.formal)
        .where(cases.conversation_id.in_(own), cases.state.in_(_WAITING))
        .order_by(cases.id)
    ).all()
    planned = select(func.count()).where(replies.author_id == author.id, replies.state == ReplyState.PLANNED.value)
    return Preview(
        author=author,
        rows={held.title: len(ids) for held, ids in _collect(session, author.id).items()},
        waiting_cases=tuple(row.id for row in waiting),
        formal_cases=tuple(row.id for row in waiting if row.formal),
        planned_replies=session.execute(planned).scalar_one(),
    )


def _conversations(author: Known) -> Select[Any]:
    return select(c(ConversationRow).id).where(c(ConversationRow).author_id == author.id)


# --- forget ------------------------------------------------------------------------------------------------------------


def check(session: Session, author: Known) -> None:
    """Raises ``Conflict`` as ``forget`` would."""
    _refuse_ourselves(session, author)
    _refuse_doubtful(session, author)


def forget(session: Session, author: Known, *, by: str, reason: str, now: datetime) -> dict[str, int]:
    """Everything at once: tombstone, plans cancelled, cases closed, words gone. Returns how many rows of each title changed.
    Again for somebody who is forgotten already: what was missed goes too, and who was let in again is not read in any more.
    Raises ``Conflict`` where a reply to them is on its way, or nobody knows whether it appeared: its text is needed to find
    out."""
    tombstones.lock(session, alone=True)
    # not FOR UPDATE: a person's answer, which may hold a conversation already, refers to the author
    locked = session.get(AuthorRow, author.id, with_for_update={"key_share": True})
    if locked is None:
        raise NotFound("this author is gone.", resource=author.network)
    _refuse_ourselves(session, author)
    # an intent that is being committed is seen once it is there, and the next one finds its plan cancelled
    locks.hold_conversations(session, session.execute(_conversations(author)).scalars().all())
    _refuse_doubtful(session, author)
    salt = tombstones.make_salt(session)
    number = author.asked_number if author.erased else author.native_id
    if number is not None:
        _bury(session, salt, author, number, by=by, reason=reason, now=now)
    outbox.cancel_planned(session, now=now, reason="the author was forgotten", author_id=author.id)
    waiting = preview(session, author).waiting_cases
    for case_id in waiting:
        escalations.close(session, case_id, reason="the author was forgotten", name=by, now=now)
    session.flush()
    collected = _collect(session, author.id)
    our_side = collected[_held("our side of their threads")]
    our_side += _begun_before(session, salt, author)
    _stop_work(session, author)
    changed = {held.title: _erase(session, held, ids, salt, author.network, now) for held, ids in collected.items()}
    _leave_person(session, collected)
    note(session, at=now, actor=by, verb="forgot the author", subject="author", subject_id=author.id)
    return changed


def _bury(session: Session, salt: bytes, author: Known, number: str, *, by: str, reason: str, now: datetime) -> None:
    digest = tombstones.digest(salt, author.network, number)
    handle = None if author.handle is None else tombstones.handle_digest(salt, author.network, author.handle)
    values = {
        "network": author.network,
        "digest": digest,
        "handle_digest": handle,
        "forgotten_at": now,
        "forgotten_by": by,
        "reason": reason,
        "left_out": 0,
    }
    columns = c(ForgottenRow)
    let_in = columns.network == author.network, columns.digest == tombstones.ALLOWED + digest
    session.execute(delete(ForgottenRow).where(*let_in))
    upsert(session, ForgottenRow, [values], key=("network", "digest"))
    # a tombstone that was carried over into a copy knows the later handle, or the only one
    nameless = columns.network == author.network, columns.digest == digest, columns.handle_digest.is_(None)
    session.execute(update(ForgottenRow).where(*nameless).values(handle_digest=handle))


def _refuse_ourselves(session: Session, author: Known) -> None:
    columns = c(ProfileRow)
    ours = select(columns.name).where(columns.network == author.network, columns.account_id == author.native_id)
    name = session.execute(ours.limit(1)).scalar()
    if name is not None:
        raise Conflict(
            f"this is our own account, of the profile {name!r}.",
            resource=author.network,
            next_step="Only customers can be forgotten.",
        )


def _refuse_doubtful(session: Session, author: Known) -> None:
    columns = c(ReplyRow)
    row = session.execute(
        select(columns.id, columns.state).where(columns.author_id == author.id, columns.state.in_(_DOUBTFUL)).limit(1)
    ).first()
    if row is None:
        return
    sending = row.state == ReplyState.SENDING.value
    raise Conflict(
        f"reply {row.id} to them is on its way."
        if sending
        else f"nobody knows whether reply {row.id} to them appeared.",
        next_step="Try again in some minutes: its text is needed to see whether it came to be."
        if sending
        else f"Look, and say: social queue settle {row.id} --sent or --not-sent",
    )


def _collect(session: Session, author_id: int) -> dict[Held, list[int]]:
    """All ids before anything changes: several of the searches go by what is erased."""
    return {held: list(session.execute(held.whose(author_id)).scalars()) for held in HELD}


def _begun_before(session: Session, salt: bytes, author: Known) -> list[int]:
    """Our side of threads whose first post was erased before they were let in again: it stands there by its address once
    more, since they went on writing below it and we answered."""
    threads, posts = c(ConversationRow), c(PostRow)
    answers = _held("our answers in the network's own app").whose(author.id)
    query = select(threads.id, threads.profile_id, threads.thread_root).where(
        threads.id.in_(select(posts.conversation_id).where(posts.id.in_(answers))),
        ~threads.thread_root.startswith(tombstones.ERASED),
    )
    found = []
    for row in session.execute(query).all():
        address = tombstones.erased_address(salt, author.network, row.thread_root)
        first = posts.network == author.network, posts.profile_id == row.profile_id, posts.native_id == address
        if session.execute(select(posts.id).where(*first)).first() is not None:
            found.append(row.id)
    return found


def _stop_work(session: Session, author: Known) -> None:
    """What is not judged yet is never judged; whoever holds it finds its token gone."""
    columns = c(PostRow)
    session.execute(
        update(PostRow)
        .where(columns.author_id == author.id, columns.state.in_(["new", "waiting"]))
        .values(state="judged", outcome="ignored", reason="the author was forgotten", token=None, leased_until=None)
    )
    alerts = list(session.execute(_held("alerts").whose(author.id)).scalars())
    free = {"token": None, "leased_until": None}
    session.execute(update(AlertRow).where(c(AlertRow).id.in_(alerts)).values(state="over", **free))
    messages = c(NotificationRow)
    session.execute(
        update(NotificationRow)
        .where(messages.alert_id.in_(alerts), messages.state == "planned")
        .values(state="failed", **free)
    )


def _held(title: str) -> Held:
    return next(held for held in HELD if held.title == title)


def _erase(session: Session, held: Held, ids: list[int], salt: bytes, network: str, now: datetime) -> int:
    if not ids or not (held.erased or held.rows_go):
        return 0
    for start in range(0, len(ids), _AT_ONCE):
        these = c(held.model).id.in_(ids[start : start + _AT_ONCE])
        if held.rows_go:
            session.execute(delete(t(held.model)).where(these))
        else:
            _overwrite(session, held, these, salt, network, now)
    return len(ids)


def _overwrite(
    session: Session, held: Held, these: ColumnElement[bool], salt: bytes, network: str, now: datetime
) -> None:
    table, columns = t(held.model), c(held.model)
    addresses = [name for name, value in held.erased.items() if value is Special.ADDRESS]
    beside = _ONE_AN_ADDRESS.get(held.model, ())
    query = select(columns.id, *(columns[name] for name in (*addresses, *beside))).where(these)
    for row in session.execute(query).mappings().all():
        new = {
            name: None if row[name] is None else tombstones.erased_address(salt, network, row[name])
            for name in addresses
        }
        if beside:
            new = {
                name: address and _numbered(session, held.model, row, name, address) for name, address in new.items()
            }
        if new:
            session.execute(update(table).where(columns.id == row["id"]).values(**new))
    plain = {
        name: now if value is Special.NOW else null() if value is None else value
        for name, value in held.erased.items()
        if value is not Special.ADDRESS
    }
    if plain:
        session.execute(update(table).where(these).values(**plain))


def _numbered(session: Session, model: type[SQLModel], row: RowMapping, name: str, address: str) -> str:
    """``address``, or the same with a number behind it where it is taken: by what was erased before they were let in again."""
    columns = c(model)
    others = [columns.id != row["id"], *(columns[other] == row[other] for other in _ONE_AN_ADDRESS[model])]
    number, numbered = 1, address
    while session.execute(select(columns.id).where(*others, columns[name] == numbered)).first() is not None:
        number += 1
        numbered = f"{address}-{number}"
    return numbered


def _leave_person(session: Session, collected: Mapping[Held, list[int]]) -> None:
    """A person of whom no other account is left is nobody."""
    persons = next(ids for held, ids in collected.items() if held.model is PersonRow)
    others = select(c(AuthorRow).person_id).where(c(AuthorRow).person_id.in_(persons))
    session.execute(delete(PersonRow).where(c(PersonRow).id.in_(persons), c(PersonRow).id.not_in(others)))


# --- afterwards --------------------------------------------------------------------------------------------------------


def allow(session: Session, network: str, who: str, *, by: str, now: datetime) -> None:
    """Read them in again from now on: what was erased does not come back, from an older copy either. ``who`` is the account's
    number or the handle that it had. Raises ``NotFound``."""
    salt = tombstones.salt_of(session)
    columns, found = c(ForgottenRow), 0
    if salt is not None:
        wanted = tombstones.digest(salt, network, who.strip())
        by_handle = tombstones.handle_digest(salt, network, who)
        found = _let_in(session, network, or_(columns.digest == wanted, columns.handle_digest == by_handle))
    if not found:
        raise NotFound(
            f"nobody called {who!r} is forgotten here.",
            resource=network,
            next_step="Give the account's number on that network; how many are forgotten: social author list",
        )
    note(session, at=now, actor=by, verb="let an author in again", subject="author", subject_id=None)


def _let_in(session: Session, network: str, whom: ColumnElement[bool]) -> int:
    columns = c(ForgottenRow)
    marked = {"digest": literal(tombstones.ALLOWED) + columns.digest, "handle_digest": null()}
    done: Any = session.execute(update(t(ForgottenRow)).where(columns.network == network, whom).values(marked))
    return int(done.rowcount)


def forgotten(session: Session) -> list[Tombstone]:
    """All tombstones of those who are not read in, the newest first."""
    there = ~c(ForgottenRow).digest.startswith(tombstones.ALLOWED)
    return [
        Tombstone(
            id=row.id or 0,
            network=row.network,
            digest=row.digest,
            forgotten_at=row.forgotten_at,
            forgotten_by=row.forgotten_by,
            reason=row.reason,
            left_out=row.left_out,
            last_left_out_at=row.last_left_out_at,
        )
        for row in session.execute(select(ForgottenRow).where(there).order_by(c(ForgottenRow).id.desc())).scalars()
    ]


def carry_over(present: Session, restored: Session, *, now: datetime) -> tuple[Known, ...]:
    """Who was forgotten since a backup was made is forgotten in it too: the key and the tombstones are copied, and those
    authors erased again, also who was let in again since; who was let in again is so in it too. Returns the erased as the
    backup knew them: others' mentions of them are still to be searched for."""
    salt, buried = tombstones.salt_of(present), list(present.execute(select(ForgottenRow)).scalars())
    if salt is None or not buried:
        return ()
    mine = tombstones.salt_of(restored)
    if mine is not None and mine != salt:
        raise Conflict(
            "the backup knows its forgotten authors by another key than this database.",
            next_step="It is a copy of another database. Restore it under another [database] url.",
        )
    upsert(restored, ErasureSaltRow, [{"id": 1, "salt": salt}], key=("id",))
    due, let_in = _carry_stones(restored, buried)
    again = []
    names = ("id", "network", "native_id", "handle", "display_name")
    for author in restored.execute(select(*(c(AuthorRow)[name] for name in names))).mappings().all():
        known = Known(**author)
        row = due.get((known.network, tombstones.digest(salt, known.network, known.native_id)))
        if row is None:
            continue
        _settle_for_good(restored, known)
        forget(restored, known, by=row.forgotten_by, reason=row.reason, now=now)
        again.append(known)
    for network, digest in let_in:
        _let_in(restored, network, c(ForgottenRow).digest == digest)
    return tuple(again)


_Account = tuple[str, str]


def _carry_stones(
    restored: Session, buried: Sequence[ForgottenRow]
) -> tuple[dict[_Account, ForgottenRow], list[_Account]]:
    """Write the present tombstones into the copy, as of people who are not read in. Returns those by which an author in the
    copy is erased, by (network, digest); and whom to let in again afterwards."""
    columns = c(ForgottenRow)
    mine = {
        _account(row.network, row.digest): row.forgotten_at
        for row in restored.execute(select(columns.network, columns.digest, columns.forgotten_at))
    }
    names = [column.name for column in t(ForgottenRow).columns if column.name != "id"]
    due, let_in = {}, []
    for row in buried:
        network, digest = account = _account(row.network, row.digest)
        there = mine.get(account)
        if there is not None and there > row.forgotten_at:
            continue  # the copy is of another past, and knows of a later wish
        both = columns.digest.in_([digest, tombstones.ALLOWED + digest])
        restored.execute(delete(ForgottenRow).where(columns.network == network, both))
        upsert(
            restored,
            ForgottenRow,
            [{**{name: getattr(row, name) for name in names}, "digest": digest}],
            key=("network", "digest"),
        )
        allowed = digest != row.digest
        if allowed:
            let_in.append(account)
        # what they wrote after that erasure, being let in again, is not erased with it
        if not allowed or there != row.forgotten_at:
            due[account] = row
    return due, let_in


def _account(network: str, digest: str) -> _Account:
    return network, digest.removeprefix(tombstones.ALLOWED)


def _settle_for_good(session: Session, author: Known) -> None:
    """In an old copy a reply may seem to be on its way. Its outcome is the past; nobody looks it up any more."""
    for state in (ReplyState.SENDING, ReplyState.UNKNOWN):
        ids = session.execute(
            select(c(ReplyRow).id).where(c(ReplyRow).author_id == author.id, c(ReplyRow).state == state.value)
        ).scalars()
        for reply_id in list(ids):
            outbox.change_state(session, reply_id, state, ReplyState.REFUSED, reason="the author was forgotten")
