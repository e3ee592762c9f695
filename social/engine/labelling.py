"""A round of labelling, step by step, for whoever shows it: the terminal now, a page later. And the rule about teaching.

for pick in labelling.picks(database, wish, user=user, now=now):
    held = labelling.take(database, pick, wish, user=user, now=now)    # None: somebody else was quicker
    if held is not None:
        labelling.keep(database, held, Answer(sentiment=Sentiment.NEGATIVE), now=now)   # or release it
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from connectors import registry
from social.domain.errors import ConfigurationError
from social.domain.label import Answer
from social.store import label_picks, label_rows, labels, users
from social.store.label_picks import Pick, Wish
from social.store.label_rows import Shown
from social.store.labels import Claim
from social.store.rows import c
from social.store.session import Database
from social.store.tables import UserRow

_UNREAD = "Nobody has read that this network's terms let a classifier learn from what its users write."
PRIVATE = "Private messages teach nothing, whatever the network allows."


@dataclass(frozen=True, slots=True, kw_only=True)
class Teaching:
    """May texts of a network enter a training set? ``reason`` is one sentence for people, with its source."""

    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A post in somebody's hands."""

    claim: Claim
    shown: Shown


def teaching(network: str) -> Teaching:
    """As its connector declares now; of a network that is not known here nothing teaches."""
    try:
        capabilities = registry.load(network).capabilities
    except ConfigurationError:
        return Teaching(allowed=False, reason=_UNREAD)
    rule = capabilities.teaching_rule
    reason = _UNREAD if rule is None else f"{rule.rule} ({rule.source}, {rule.as_of})"
    return Teaching(allowed=capabilities.texts_may_teach, reason=reason)


def may_teach(network: str, *, private: bool) -> bool:
    return teaching(network).allowed and not private


def picks(database: Database, wish: Wish, *, user: str) -> list[Pick]:
    """What a round would ask, in its order. Nothing is held by that."""
    with database.read() as session:
        known = session.execute(select(c(UserRow).id).where(c(UserRow).name == user)).scalar()
        return label_picks.picks(session, wish, user_id=known)


def look(database: Database, pick: Pick) -> Shown | None:
    with database.read() as session:
        return label_rows.shown(session, pick.post_id)


def take(database: Database, pick: Pick, wish: Wish, *, user: str, now: datetime) -> Held | None:
    """Hold one post for ``user``. ``None``: somebody else reads or has labelled it, or it changed or went since."""
    teaches = may_teach(pick.network, private=pick.private)
    with database.write() as session:
        claim = labels.claim(
            session,
            pick.post_id,
            pick.revision_number,
            turn=wish.turn,
            user_id=users.user_id(session, user, now=now),
            picked=pick.picked,
            may_teach=teaches,
        )
        shown = None if claim is None else label_rows.shown(session, pick.post_id)
    return None if claim is None or shown is None else Held(claim=claim, shown=shown)


def keep(database: Database, held: Held, answer: Answer, *, now: datetime) -> None:
    """One label, one transaction. Raises ``Conflict`` where it could not be kept."""
    with database.write() as session:
        labels.keep(session, held.claim, answer, now=now)


def undo(database: Database, held: Held) -> bool:
    """Take a kept label back; the post is in the same hands again. ``False``: it went away meanwhile."""
    with database.write() as session:
        return labels.undo(session, held.claim)


def release(database: Database, held: Held) -> None:
    """Somebody else may have it."""
    with database.write() as session:
        labels.release(session, held.claim)
