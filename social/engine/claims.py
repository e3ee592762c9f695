"""The queue in the database: claim due rows for a lease, act, finish only what is still ours.

    claim    rows with ``due_at <= world now`` and no living lease get a fresh token and a lease (machine time)
    (act)    HTTP, model: outside any transaction
    finish   ``WHERE id AND token``: no row left = somebody else took over, drop the work

Two statements to claim, not ``UPDATE ... WHERE id IN (SELECT ... LIMIT n FOR UPDATE SKIP LOCKED)``: the planner may run
that sub-select again and take more than n. On SQLite the lock clause vanishes and BEGIN IMMEDIATE does its work.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any

from sqlalchemy import and_, bindparam, func, literal, or_, select, union_all, update
from sqlmodel import Session

from social.clock import lease_now
from social.engine import aside
from social.store.columns import UtcDateTime
from social.store.rows import active, among, t
from social.store.session import Database
from social.store.tables import AlertRow, Claimable, EscalationRow, NotificationRow, PostRow, ProfileRow, ReplyRow

log = logging.getLogger("social.claims")

#: A row that was claimed this often without ever being finished is poison: it is set aside and shown to people.
MAXIMUM_ATTEMPTS = 5
#: Longer than any lease of this program.
LONGEST_LEASE = timedelta(hours=1)
#: Of a batch one row in so many goes to whoever waits longest, whatever it says: urgent ones never starve the others.
#: (Replies are claimed one by one, the urgent ones strictly first: each of them has an end, ``late``.)
ONE_IN = 4


@dataclass(frozen=True, slots=True)
class Kind:
    table: type[Claimable]
    states: tuple[str, ...]
    poison: str = "failed"  # where a row ends that was claimed too often without ever being finished
    urgent_first: bool = False  # by ``priority``, then by time; the others by time alone

    def waits(self) -> Any:
        """In a state to be claimed. Written out in the statement, beside the condition of the partial index: by parameters
        SQLite cannot prove that this index will do, and reads all posts of a profile instead."""
        return and_(active(self.table), _columns(self.table).state.in_(_written_out(self.states)))


def _written_out(states: tuple[str, ...]) -> Any:
    return bindparam(None, states, expanding=True, literal_execute=True, unique=True)


class Claimed(Enum):
    """What can be claimed, and in which states it waits."""

    PROFILE = Kind(ProfileRow, ("active",))
    POST = Kind(PostRow, ("new", "waiting"), urgent_first=True)
    REPLY = Kind(ReplyRow, ("planned",), poison="refused", urgent_first=True)
    DOUBTFUL = Kind(ReplyRow, ("sending",))
    ESCALATION = Kind(EscalationRow, ("open", "taken"))
    ALERT = Kind(AlertRow, ("raised", "told"), poison="over")
    NOTIFICATION = Kind(NotificationRow, ("planned",))


#: Whoever runs tells of these, whichever profiles it has open.
_OF_ALL_PROFILES = frozenset({Claimed.ALERT, Claimed.NOTIFICATION})
#: A profile is always polled again, and a doubtful send ends as ``unknown``, never by a counter.
_NEVER_SET_ASIDE = frozenset({Claimed.PROFILE, Claimed.DOUBTFUL})
#: How long a network takes over all its answers, nobody can say before: who lost the lease over it gets a longer one, twice as
#: long each time, this often.
_ASK_A_NETWORK = frozenset({Claimed.PROFILE, Claimed.DOUBTFUL, Claimed.REPLY})
_DOUBLED_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """Rows that are ours until the lease ends or somebody changes their state."""

    kind: Claimed
    token: str
    ids: tuple[int, ...]
    set_aside: int = 0  # rows that were given to people instead

    def __bool__(self) -> bool:
        return bool(self.ids)


def _columns(table: type[Claimable]) -> Any:
    return t(table).c


def machine_time(session: Session) -> Any:
    """Leases live by the database's clock where it has one of its own, so that skewed machines cannot break them."""
    if session.get_bind().dialect.name == "postgresql":
        return func.clock_timestamp()
    return lease_now()


def nobody_holds(columns: Any, machine: Any, absurd: Any) -> Any:
    """No living lease at ``machine`` time; nobody leases until after ``absurd``: the clock was set back since."""
    lease = columns.leased_until
    return or_(lease.is_(None), lease < machine, lease > absurd)


@dataclass(frozen=True, slots=True)
class _Statements:
    """The statements of a claim, built once: an idle tick is a lookup, not a compilation."""

    probe: Any
    pick: Any
    pick_urgent: Any
    take: Any
    set_aside: Any


def _machine_moments(dialect: str) -> tuple[Any, Any]:
    """Now, and the end of a lease that nobody took; on SQLite the values of ``_moments``."""
    if dialect == "postgresql":
        return func.clock_timestamp(), func.clock_timestamp() + LONGEST_LEASE
    return bindparam("machine", type_=UtcDateTime), bindparam("absurd", type_=UtcDateTime)


def _moments(database: Database) -> dict[str, Any]:
    if database.dialect == "postgresql":
        return {}
    now = lease_now()
    return {"machine": now, "absurd": now + LONGEST_LEASE}


@cache
def _statements(kind: Claimed, dialect: str) -> _Statements:
    table, columns = kind.value.table, _columns(kind.value.table)
    machine, absurd = _machine_moments(dialect)
    due = [
        kind.value.waits(),
        columns.due_at <= bindparam("now", type_=UtcDateTime),
        nobody_holds(columns, machine, absurd),
    ]
    if kind not in _OF_ALL_PROFILES:
        profile = columns.id if kind is Claimed.PROFILE else columns.profile_id
        # + 0: the due ones are few, all of a profile are many, and SQLite would rather read and sort these
        asked = profile if dialect == "postgresql" else profile + 0
        due.append(among(asked, "profiles"))
    lease: Any = func.clock_timestamp() + bindparam("lease") if dialect == "postgresql" else bindparam("lease")
    taken = {"token": bindparam("new_token"), "leased_until": lease, "attempts": columns.attempts + 1}
    aside = {"state": kind.value.poison, "token": None, "leased_until": None}
    these = among(columns.id, "ids")
    pick = select(columns.id, columns.attempts, columns.token).where(*due).limit(bindparam("wanted"))
    pick = pick.with_for_update(skip_locked=True, key_share=True)
    longest_waiting = (columns.due_at, columns.id)
    urgent = columns.priority if kind.value.urgent_first else columns.due_at
    return _Statements(
        probe=select(columns.id).where(*due).limit(1),
        pick=pick.where(columns.id.not_in(bindparam("besides", expanding=True))).order_by(*longest_waiting),
        pick_urgent=pick.order_by(urgent, *longest_waiting),
        take=update(t(table)).where(these).values(taken),
        set_aside=update(t(table)).where(these).values(aside),
    )


def claim(
    database: Database, kind: Claimed, *, now: datetime, limit: int, lease: timedelta, profiles: Collection[int]
) -> Claim:
    """Take at most ``limit`` due rows of ``profiles`` for ``lease`` (machine time). ``now`` is world time. Rows that were
    tried too often are set aside instead. Looks with a plain read first, so that an idle tick never takes the write lock.

    The lease is ``lease`` at a first attempt, and longer where earlier ones came to no end (see ``_ASK_A_NETWORK``)."""
    statements = _statements(kind, database.dialect)
    due = {"now": now, "profiles": list(profiles), **_moments(database)}
    with database.read() as session:
        if session.connection().execute(statements.probe, due).first() is None:
            return Claim(kind, "", ())
    token = secrets.token_hex(16)

    def take(session: Session) -> Claim:
        rows = _pick(session, statements, kind, due, limit)
        poison = [row.id for row in rows if row.attempts >= MAXIMUM_ATTEMPTS and kind not in _NEVER_SET_ASIDE]
        ids = tuple(row.id for row in rows if row.id not in poison)
        if poison:
            session.connection().execute(statements.set_aside, {"ids": poison})
            aside.show_poison(session, kind.value.table, poison, now=now)
            log.error("%s %s set aside after %d attempts", kind.name.lower(), poison, MAXIMUM_ATTEMPTS)
        if ids:
            # whoever came to an end, be it a failure, took the token away
            lost = [row.attempts for row in rows if row.id in ids and row.token is not None]
            longer = lease * _patience(kind, lost)
            until: Any = longer if database.dialect == "postgresql" else lease_now() + longer
            session.connection().execute(statements.take, {"ids": ids, "new_token": token, "lease": until})
        return Claim(kind, token, ids, set_aside=len(poison))

    return database.step(take)


def _patience(kind: Claimed, attempts: Collection[int]) -> int:
    return 2 ** min(max(attempts, default=0), _DOUBLED_AT_MOST) if kind in _ASK_A_NETWORK else 1


def _pick(session: Session, statements: _Statements, kind: Claimed, due: dict[str, Any], limit: int) -> list[Any]:
    """Rows with ``id, attempts, token``, at most ``limit``, locked: the urgent ones, and a share of those that wait longest."""
    share = limit // ONE_IN if kind.value.urgent_first else 0
    rows = list(session.connection().execute(statements.pick_urgent, {**due, "wanted": limit - share}))
    if share and len(rows) == limit - share:
        besides = [row.id for row in rows]
        rows += session.connection().execute(statements.pick, {**due, "wanted": share, "besides": besides})
    return rows


_LINE = (Claimed.PROFILE, Claimed.POST, Claimed.DOUBTFUL, Claimed.REPLY, Claimed.ALERT, Claimed.NOTIFICATION)


@cache
def _due_now(dialect: str) -> Any:
    return union_all(
        *(select(literal(kind.name).label("kind")).where(_statements(kind, dialect).probe.exists()) for kind in _LINE)
    )


@cache
def _due_later() -> Any:
    after = bindparam("after", type_=UtcDateTime)
    soonest = []
    for kind in (Claimed.PROFILE, Claimed.POST, Claimed.REPLY, Claimed.DOUBTFUL, Claimed.ALERT, Claimed.NOTIFICATION):
        columns = _columns(kind.value.table)
        soonest.append(
            select(func.min(columns.due_at).label("due_at")).where(
                kind.value.waits(), columns.due_at > after, columns.leased_until.is_(None)
            )
        )
    return select(func.min(union_all(*soonest).subquery().c.due_at))


def due_now(database: Database, *, now: datetime, profiles: Collection[int]) -> set[Claimed]:
    """Which kinds have something to claim at ``now``: one look instead of a claim of each."""
    with database.engine.connect() as connection:
        found = connection.execute(
            _due_now(database.dialect), {"now": now, "profiles": list(profiles), **_moments(database)}
        )
        return {Claimed[name] for name in found.scalars()}


def next_due(database: Database, *, after: datetime) -> datetime | None:
    """The next world time at which a profile, post, reply, alert or message becomes due."""
    with database.engine.connect() as connection:
        found: datetime | None = connection.execute(_due_later(), {"after": after}).scalar()
        return found


def waiting_posts(database: Database, *, at_most: int) -> int:
    """How many posts wait to be judged; counting ends at ``at_most``."""
    some = select(_columns(PostRow).id).where(Claimed.POST.value.waits()).limit(at_most).subquery()
    with database.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def still_mine(session: Session, claimed: Claim, ids: Collection[int] | None = None) -> set[int]:
    """Which of the claimed rows are still ours; they stay locked until the transaction ends."""
    wanted = claimed.ids if ids is None else tuple(ids)
    held = {"ids": wanted, "held": claimed.token}
    return set(session.connection().execute(_held(claimed.kind), held).scalars())


@cache
def _held(kind: Claimed) -> Any:
    columns = _columns(kind.value.table)
    these = among(columns.id, "ids")
    query = select(columns.id).where(these, columns.token == bindparam("held")).order_by(columns.id)
    # not FOR UPDATE: a poll that writes its page would stop everybody who writes something about that profile
    return query.with_for_update(key_share=True)


def finish(session: Session, claimed: Claim, row_id: int, **values: Any) -> bool:
    """Write ``values`` and give the row back; ``False`` = it was no longer ours and nothing was written."""
    return finish_all(session, claimed, {row_id: values}) == 1


def finish_all(session: Session, claimed: Claim, values: Mapping[int, Mapping[str, Any]]) -> int:
    """The same for many rows, in one statement; all get values for the same columns. Returns how many were still ours (of
    several rows PostgreSQL's driver may not say it: ask ``still_mine`` before, in the same transaction)."""
    if not values:
        return 0
    session.flush()
    statement = _finished(claimed.kind, tuple(next(iter(values.values()))))
    rows = [
        {"this": row_id, "held": claimed.token, **{f"new_{name}": value for name, value in new.items()}}
        for row_id, new in values.items()
    ]
    result: Any = session.connection().execute(statement, rows)
    return int(result.rowcount)


@cache
def _finished(kind: Claimed, names: tuple[str, ...]) -> Any:
    columns = _columns(kind.value.table)
    given = {name: bindparam(f"new_{name}", type_=columns[name].type) for name in names}
    return (
        update(t(kind.value.table))
        .where(columns.id == bindparam("this"), columns.token == bindparam("held"))
        .values({"token": None, "leased_until": None, "attempts": 0, **given})
    )


def release(database: Database, claimed: Claim, *, due_at: datetime | None = None) -> None:
    """Give rows back unworked, keeping their ``attempts``; optionally not before ``due_at`` (world time)."""
    if not claimed:
        return
    columns = _columns(claimed.kind.value.table)
    values: dict[str, Any] = {"token": None, "leased_until": None}
    if due_at is not None:
        values["due_at"] = due_at
    with database.write() as session:
        session.execute(
            update(claimed.kind.value.table)
            .where(columns.id.in_(claimed.ids), columns.token == claimed.token)
            .values(**values)
        )


def renew(session: Session, claimed: Claim, lease: timedelta, **values: Any) -> None:
    """Work that takes longer, in steps: extend the lease with each committed step."""
    columns = _columns(claimed.kind.value.table)
    session.execute(
        update(claimed.kind.value.table)
        .where(columns.id.in_(claimed.ids), columns.token == claimed.token)
        .values(leased_until=machine_time(session) + lease, **values)
        .execution_options(synchronize_session=False)
    )
