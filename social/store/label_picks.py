"""Which posts people are shown next: the most uncertain, and one in five at random.

One fifth of all posts, by a keyed digest of their numbers, is only ever drawn at random, and the other four fifths only by
uncertainty. So the random ones stay a fair sample of everything that was judged, however many rounds went before: no
hard post has been taken out of that fifth because it was hard.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from random import Random
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, select
from sqlmodel import Session

from social.domain.assessment import Head
from social.domain.label import Picked, uncertainty
from social.store.labels import FIRST, SECOND
from social.store.rows import c
from social.store.session import machine_time_of
from social.store.tables import AssessmentRow, LabellingRow, PostRow, ProfileRow

#: So many of the newest judgements are looked through, so that a round begins as quickly in a database of ten years.
LOOKED_THROUGH = 50_000
#: One in so many is drawn at random.
EVERY = 5
_SEED = "labelling-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a round is about. ``head`` orders by one head's uncertainty; ``second``: what somebody else has labelled."""

    head: Head | None = None
    profile: str | None = None
    language: str | None = None
    limit: int = 20
    second: bool = False

    @property
    def turn(self) -> int:
        return SECOND if self.second else FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    post_id: int
    revision_number: int
    network: str
    private: bool
    picked: Picked


def picks(session: Session, wish: Wish, *, user_id: int | None) -> list[Pick]:
    """At most ``wish.limit`` posts that are judged, stand as they were judged, and are free. The same every time, until
    something changes. ``user_id`` is who asks, where they are known already."""
    hard: list[tuple[tuple[bool, float], int, Pick]] = []
    drawn: list[tuple[float, int, Pick]] = []
    for row in session.execute(_free(session, wish, user_id)):
        place = _place(row.id)
        pick = _pick(row, Picked.RANDOM if place < 1 / EVERY else Picked.UNCERTAIN)
        if pick.picked is Picked.RANDOM:
            drawn.append((place, row.id, pick))
            continue
        doubt = uncertainty(
            wish.head, abstained=row.abstained, sentiment=row.sentiment_scores, urgency=row.urgency_scores
        )
        hard.append((doubt, -row.id, pick))  # of equally uncertain ones the newest
    uncertain = [pick for *_, pick in heapq.nsmallest(wish.limit, hard, key=lambda item: item[:2])]
    random = [pick for *_, pick in heapq.nsmallest(wish.limit, drawn, key=lambda item: item[:2])]
    return list(islice(_mixed(uncertain, random), wish.limit))


def _pick(row: Any, picked: Picked) -> Pick:
    return Pick(
        post_id=row.id,
        revision_number=row.revision_number,
        network=row.network,
        private=row.private,
        picked=picked,
    )


def _mixed(uncertain: Sequence[Pick], random: Sequence[Pick]) -> Iterator[Pick]:
    """A random one somewhere among every five, so that nobody knows which it is; what is left over at the end."""
    dice, hard, drawn = Random(_SEED), iter(uncertain), iter(random)
    while True:
        at = dice.randrange(EVERY)
        sources: Iterable[Iterator[Pick]] = (drawn if place == at else hard for place in range(EVERY))
        block = [pick for source in sources for pick in islice(source, 1)]
        yield from block
        if len(block) < EVERY:
            yield from chain(hard, drawn)
            return


def _place(post_id: int) -> float:
    """0 to 1, evenly, and nothing to do with what the post says."""
    digest = hashlib.sha256(f"{_SEED}:{post_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _free(session: Session, wish: Wish, user_id: int | None) -> Any:
    posts, judged = c(PostRow), c(AssessmentRow)
    taken = _row_of(wish.turn)
    living = taken.c.made_at.is_not(None) | (taken.c.leased_until > machine_time_of(session))
    conditions: list[ColumnElement[bool]] = [
        posts.state == "judged",
        posts.ours.is_(False),
        posts.deleted_at.is_(None),
        posts.erased_at.is_(None),
        posts.text != "",
        ~exists().where(_about(taken), living),
    ]
    if wish.second:
        first = _row_of(FIRST)
        conditions.append(
            exists().where(_about(first), first.c.made_at.is_not(None), first.c.user_id != (user_id or 0))
        )
    if wish.language is not None:
        conditions.append(judged.language == wish.language)
    if wish.profile is not None:
        profiles = c(ProfileRow)
        conditions.append(posts.profile_id.in_(select(profiles.id).where(profiles.name == wish.profile)))
    wanted = (posts.id, posts.revision_number, posts.network, posts.private)
    return (
        select(*wanted, judged.abstained, judged.sentiment_scores, judged.urgency_scores)
        .join(PostRow, and_(posts.id == judged.post_id, posts.revision_number == judged.revision_number))
        .where(*conditions)
        .order_by(judged.id.desc())
        .limit(LOOKED_THROUGH)
    )


def _row_of(turn: int) -> Any:
    columns = c(LabellingRow)
    return select(LabellingRow).where(columns.turn == turn).subquery(f"turn_{turn}")


def _about(labelling: Any) -> ColumnElement[bool]:
    posts = c(PostRow)
    return and_(labelling.c.post_id == posts.id, labelling.c.revision_number == posts.revision_number)
