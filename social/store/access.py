"""Who may come in: accounts, one-time links, sessions. Only hashes of links and cookies are kept.

Times here are machine time, but for what the audit log and the accounts themselves tell (world time, ``now``).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, func, select, update
from sqlmodel import Session

from social.domain.errors import Conflict, DyzurError, NotFound
from social.redaction import remember_passing
from social.store.journal import note
from social.store.rows import c
from social.store.tables import InvitationRow, UserRow, WebSessionRow
from social.store.users import is_a_name

INVITATION_LIFETIME = timedelta(hours=24)
#: After so many wrong passwords in a row the account waits; each further one doubles the wait, up to the longest.
FREE_TRIES = 5
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)
#: A session's last use is written this often: a write for every page would make the desk wait for the engine.
SEEN_EVERY = timedelta(minutes=1)


class Role(StrEnum):
    """What somebody may do, each with all that stands before it."""

    VIEWER = "viewer"  # look
    AGENT = "agent"  # take, answer, close, correct, pause
    ADMIN = "admin"  # people and their roles

    def covers(self, wanted: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(wanted)


class LinkUsedUp(NotFound):
    """An invitation that was used, is too old or never was."""


class LastAdmin(Conflict):
    """The desk would be without anybody who may invite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person of the desk. ``has_password`` is false for somebody known from the command line only."""

    id: int
    name: str
    role: Role
    language: str | None
    has_password: bool
    disabled: bool
    sessions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Whose session this is. ``session_id`` names it for signing out elsewhere."""

    user_id: int
    name: str
    role: Role
    language: str | None
    session_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An open one-time link. ``name`` is there where it renews a known person's password."""

    id: int
    role: Role
    user_id: int | None
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a sign-in is checked against. ``locked_until``: nothing is checked before."""

    user_id: int
    password_hash: str
    locked_until: datetime | None


# --- one-time links ----------------------------------------------------------------------------------------------------


def invite(
    session: Session, *, role: Role, at: datetime, now: datetime, by: str, name: str | None = None
) -> tuple[str, datetime]:
    """A new one-time link's token and until when it works; with ``name``, for a person who is known: a new password.
    Whoever has one keeps their role, whatever ``role`` says: only ``change_role`` changes it. Raises ``NotFound``."""
    user = _user_named(session, name) if name is not None else None
    if name is not None and user is None:
        raise NotFound(f"there is nobody called {name!r}.", next_step="See who is: social people list")
    if user is not None and user.password_hash is not None:
        role = Role(user.role)
    token, expires = secrets.token_urlsafe(32), at + INVITATION_LIFETIME
    remember_passing(token)
    session.add(
        InvitationRow(
            token_hash=_hash(token),
            role=role.value,
            user_id=user.id if user else None,
            created_at=at,
            expires_at=expires,
        )
    )
    note(
        session, at=now, actor=by, verb=f"invited as {role.value}", subject="user", subject_id=user.id if user else None
    )
    return token, expires


def open_invitation(session: Session, token: str, *, at: datetime) -> Invitation:
    """Raises ``LinkUsedUp`` for a link that was used, is too old or never was."""
    columns = c(InvitationRow)
    row = session.execute(select(InvitationRow).where(columns.token_hash == _hash(token))).scalar_one_or_none()
    if row is None or row.used_at is not None or row.expires_at <= at:
        raise LinkUsedUp(
            "this link was used already, or is too old.", next_step="Ask for a new one: social people invite"
        )
    user = session.get(UserRow, row.user_id) if row.user_id is not None else None
    assert row.id is not None
    return Invitation(id=row.id, role=Role(row.role), user_id=row.user_id, name=user.name if user else None)


def accept(
    session: Session,
    token: str,
    *,
    name: str,
    password_hash: str,
    language: str | None,
    at: datetime,
    now: datetime,
) -> int:
    """Use a link up: the account has a password from now on. Somebody let go is back by a link of their own only: those
    from before ended with ``disable``, so it was made since. Returns the user's id. Raises ``NotFound``, ``Conflict``."""
    invitation = open_invitation(session, token, at=at)
    name = invitation.name or checked_name(name)
    row = _user_named(session, name)
    taken = row is not None and (row.password_hash is not None or row.disabled_at is not None)
    if row is not None and row.id != invitation.user_id and taken:
        raise Conflict(f"somebody is called {name!r} already.", next_step="Choose another name.")
    row = row or UserRow(name=name, created_at=now)
    if row.password_hash is None:
        row.role = invitation.role.value
    row.password_hash, row.language = password_hash, language
    row.failed_sign_ins, row.locked_until, row.disabled_at = 0, None, None
    session.add(row)
    session.flush()
    assert row.id is not None
    used = session.execute(
        update(InvitationRow)
        .where(c(InvitationRow).id == invitation.id, c(InvitationRow).used_at.is_(None))
        .values(used_at=at, user_id=row.id)
    )
    if used.rowcount != 1:  # type: ignore[attr-defined]  # two browsers with one link
        raise LinkUsedUp("this link was used just now.", next_step="Ask for a new one: social people invite")
    end_sessions(session, row.id)
    note(session, at=now, actor=name, verb="chose a password", subject="user", subject_id=row.id)
    return row.id


def checked_name(name: str) -> str:
    """A name that a person can have here. Raises ``DyzurError``."""
    name = " ".join(name.split())
    if not is_a_name(name):
        raise DyzurError(f"{name!r} cannot be a person's name.", next_step="Use 1 to 60 letters, such as anna.")
    return name


# --- signing in --------------------------------------------------------------------------------------------------------


def nobody_yet(session: Session) -> bool:
    """True while no account has a password: the first start prints a link."""
    columns = c(UserRow)
    return session.execute(select(columns.id).where(columns.password_hash.is_not(None)).limit(1)).first() is None


def credentials_of(session: Session, name: str) -> Credentials | None:
    row = _user_named(session, name)
    if row is None or row.password_hash is None or row.disabled_at is not None:
        return None
    assert row.id is not None
    return Credentials(user_id=row.id, password_hash=row.password_hash, locked_until=row.locked_until)


def failed(session: Session, user_id: int, *, at: datetime) -> None:
    """One more wrong password; from the sixth on the account waits."""
    row = session.get(UserRow, user_id, with_for_update=True)
    if row is None:
        return
    row.failed_sign_ins += 1
    beyond = row.failed_sign_ins - FREE_TRIES
    if beyond > 0:
        row.locked_until = at + min(FIRST_WAIT * 2 ** min(beyond - 1, 10), LONGEST_WAIT)
    session.add(row)


def start_session(session: Session, user_id: int, *, at: datetime, lifetime: timedelta, browser: str) -> str:
    """A new session's cookie. Ended sessions of everybody are swept away on the way."""
    token = secrets.token_urlsafe(32)
    remember_passing(token)
    session.execute(delete(WebSessionRow).where(c(WebSessionRow).expires_at <= at))
    session.execute(update(UserRow).where(c(UserRow).id == user_id).values(failed_sign_ins=0, locked_until=None))
    session.add(
        WebSessionRow(
            token_hash=_hash(token),
            user_id=user_id,
            created_at=at,
            seen_at=at,
            expires_at=at + lifetime,
            browser=browser[:200],
        )
    )
    return token


def signed_in(session: Session, token: str, *, at: datetime) -> tuple[SignedIn, bool] | None:
    """Whose session the cookie is, and whether its last use should be written (``seen``); ``None``: nobody's."""
    columns = c(WebSessionRow)
    found = session.execute(
        select(WebSessionRow, UserRow)
        .join(UserRow, c(UserRow).id == columns.user_id)
        .where(columns.token_hash == _hash(token), columns.expires_at > at, c(UserRow).disabled_at.is_(None))
    ).one_or_none()
    if found is None:
        return None
    row, user = found
    remember_passing(token)  # a session from before the last start
    who = SignedIn(user_id=user.id, name=user.name, role=Role(user.role), language=user.language, session_id=row.id)
    return who, at - row.seen_at >= SEEN_EVERY


def seen(session: Session, session_id: int, *, at: datetime, lifetime: timedelta) -> None:
    session.execute(
        update(WebSessionRow).where(c(WebSessionRow).id == session_id).values(seen_at=at, expires_at=at + lifetime)
    )


def end_session(session: Session, session_id: int) -> None:
    session.execute(delete(WebSessionRow).where(c(WebSessionRow).id == session_id))


def end_sessions(session: Session, user_id: int, *, but: int | None = None) -> int:
    """Sign somebody out everywhere, ``but`` for one session. Returns how many ended."""
    columns = c(WebSessionRow)
    ended = session.execute(
        delete(WebSessionRow).where(columns.user_id == user_id, columns.id != (but if but is not None else 0))
    )
    return int(ended.rowcount)  # type: ignore[attr-defined]  # a DELETE's result has it


# --- people ------------------------------------------------------------------------------------------------------------


def accounts(session: Session, *, at: datetime) -> list[Account]:
    columns, sessions = c(UserRow), c(WebSessionRow)
    alive = (
        select(sessions.user_id, func.count().label("count"))
        .where(sessions.expires_at > at)
        .group_by(sessions.user_id)
        .subquery()
    )
    rows = session.execute(
        select(UserRow, alive.c.count).outerjoin(alive, alive.c.user_id == columns.id).order_by(columns.name)
    )
    return [
        Account(
            id=row.id,
            name=row.name,
            role=Role(row.role),
            language=row.language,
            has_password=row.password_hash is not None,
            disabled=row.disabled_at is not None,
            sessions=count or 0,
        )
        for row, count in rows
    ]


def change_role(session: Session, user_id: int, role: Role, *, by: str, now: datetime) -> None:
    """Raises ``NotFound``; ``Conflict`` where nobody would be left who can change roles."""
    row = _known(session, user_id)
    if row.role == Role.ADMIN.value and role is not Role.ADMIN:
        _refuse_last_admin(session, row)
    before, row.role = row.role, role.value
    session.add(row)
    _end_invitations(session, user_id)
    detail = {"from": before, "to": role.value}
    note(session, at=now, actor=by, verb="changed the role", subject="user", subject_id=user_id, detail=detail)


def disable(session: Session, user_id: int, *, disabled: bool, by: str, now: datetime) -> None:
    """Somebody leaves (or comes back): they are signed out at once, and no link of theirs lets them in again. Raises
    ``NotFound``, ``Conflict``."""
    row = _known(session, user_id)
    if disabled:
        _refuse_last_admin(session, row)
        end_sessions(session, user_id)
        _end_invitations(session, user_id)
    row.disabled_at = now if disabled else None
    session.add(row)
    note(session, at=now, actor=by, verb="disabled" if disabled else "enabled", subject="user", subject_id=user_id)


def change_password(session: Session, user_id: int, password_hash: str, *, by: str, now: datetime) -> None:
    row = _known(session, user_id)
    row.password_hash, row.failed_sign_ins, row.locked_until = password_hash, 0, None
    session.add(row)
    note(session, at=now, actor=by, verb="changed the password", subject="user", subject_id=user_id)


def change_language(session: Session, user_id: int, language: str) -> None:
    session.execute(update(UserRow).where(c(UserRow).id == user_id).values(language=language))


def _end_invitations(session: Session, user_id: int) -> None:
    """A link says what was true when it was made; used ones stay, as a trace."""
    columns = c(InvitationRow)
    session.execute(delete(InvitationRow).where(columns.user_id == user_id, columns.used_at.is_(None)))


def _refuse_last_admin(session: Session, row: UserRow) -> None:
    columns = c(UserRow)
    others = session.execute(
        select(columns.id).where(
            columns.role == Role.ADMIN.value,
            columns.disabled_at.is_(None),
            columns.password_hash.is_not(None),
            columns.id != row.id,
        )
    ).first()
    if row.role == Role.ADMIN.value and row.disabled_at is None and others is None:
        raise LastAdmin(f"the only admin is {row.name}.", next_step="Make somebody else admin first.")


def _known(session: Session, user_id: int) -> UserRow:
    row = session.get(UserRow, user_id, with_for_update=True)
    if row is None:
        raise NotFound(f"there is no person {user_id}.", next_step="See who is: social people list")
    return row


def _user_named(session: Session, name: str) -> UserRow | None:
    return session.execute(select(UserRow).where(c(UserRow).name == name)).scalar_one_or_none()


def _hash(token: str) -> str:
    """Tokens are 256 random bits, so a plain hash is enough: nobody can try them all."""
    return hashlib.sha256(token.encode()).hexdigest()
