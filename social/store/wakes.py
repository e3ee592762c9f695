"""Who has something to do now: said in the transaction that makes it, heard once that is committed.

A wake is a hint, never the truth: the truth is what is due in the database, and whoever hears nothing finds it at the next
tick. Within a process ``Database.on_wake`` passes it on; between machines PostgreSQL's NOTIFY does.
"""

from __future__ import annotations

from sqlmodel import Session

POLL, TRIAGE, RESPOND, RING = "poll", "triage", "respond", "ring"
EVERYBODY = frozenset({POLL, TRIAGE, RESPOND, RING})

#: The channel of LISTEN and NOTIFY. A database of PostgreSQL has channels of its own.
CHANNEL = "dyzur"


def wake(session: Session, *parts: str) -> None:
    """Once this session's transaction is committed, ``parts`` look at once instead of at their next tick."""
    session.info.setdefault(CHANNEL, set()).update(parts)


def of(session: Session) -> frozenset[str]:
    return frozenset(session.info.get(CHANNEL, ()))
