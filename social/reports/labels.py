"""How far people and the classifier agree, and people among themselves: pure arithmetic over labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from social.domain.assessment import Head
from social.domain.label import ASKED, Answer, Picked
from social.store.label_rows import Labelled, pairs
from social.store.labels import FIRST
from triage.measures import wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of two opinions on the same posts. ``kappa`` is ``None`` where chance alone would agree always, or nothing is there."""

    posts: int
    same: int
    kappa: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Of the classifier, on posts drawn at random. ``low`` to ``high`` holds the true share in 95 of 100 such samples."""

    posts: int
    right: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadFigures:
    head: Head
    model: Agreement  # people and the classifier, on everything that was labelled: hard posts on purpose
    accuracy: Accuracy
    people: Agreement  # first and second readers


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelStatus:
    """``model`` is the one whose guesses are compared (the latest); labels of other models' guesses are ``older``."""

    posts: int
    second: int
    may_teach: int
    by_head: Mapping[str, int]
    by_language: Mapping[str, int]
    by_network: Mapping[str, int]
    by_pick: Mapping[str, int]
    model: str | None
    older: int
    heads: tuple[HeadFigures, ...]


def status_of(labelled: Sequence[Labelled]) -> LabelStatus:
    """``labelled`` in the order in which they were made."""
    first = [one for one in labelled if one.turn == FIRST]
    model = first[-1].model if first else None
    now = [one for one in first if one.model == model]
    return LabelStatus(
        posts=len(first),
        second=len(labelled) - len(first),
        may_teach=sum(one.may_teach is True for one in first),
        by_head={name: sum(_said(one.answer, name) is not None for one in first) for name in _NAMES},
        by_language=_counted(one.language for one in first),
        by_network=_counted(one.network for one in first),
        by_pick=_counted(one.picked.value for one in first),
        model=None if model is None else str(model),
        older=len(first) - len(now),
        heads=tuple(_figures(head, now, pairs(labelled)) for head in ASKED),
    )


def _figures(head: Head, now: Sequence[Labelled], twice: Sequence[tuple[Labelled, Labelled]]) -> HeadFigures:
    random = [one for one in now if one.picked is Picked.RANDOM]
    right = agreement([(_said(one.guess, head), _said(one.answer, head)) for one in random])
    return HeadFigures(
        head=head,
        model=agreement([(_said(one.guess, head), _said(one.answer, head)) for one in now]),
        accuracy=accuracy(right.same, right.posts),
        people=agreement([(_said(one.answer, head), _said(again.answer, head)) for one, again in twice]),
    )


def agreement(opinions: Sequence[tuple[Hashable, Hashable]]) -> Agreement:
    """Cohen's kappa: 1 where both always agree, 0 where chance would do as well. Pairs with ``None`` do not count."""
    both = [(first, second) for first, second in opinions if first is not None and second is not None]
    total, same = len(both), sum(first == second for first, second in both)
    ours, theirs = Counter(first for first, _ in both), Counter(second for _, second in both)
    chance = sum(ours[label] * theirs[label] for label in ours)
    if chance == total**2:
        return Agreement(posts=total, same=same, kappa=None)
    kappa = (same * total - chance) / (total**2 - chance)
    return Agreement(posts=total, same=same, kappa=round(kappa, 3))


def accuracy(right: int, posts: int) -> Accuracy:
    """With Wilson's interval, which also holds for few posts and for shares near 0 and 1."""
    if not posts:
        return Accuracy(posts=0, right=0, share=None, low=None, high=None)
    low, high = wilson(right, posts)
    return Accuracy(posts=posts, right=right, share=round(right / posts, 3), low=round(low, 3), high=round(high, 3))


_NAMES = ("sentiment", "urgency", "needs_reply", "topics", "flags")


def _said(answer: Answer, name: str) -> Any:
    return getattr(answer, name)


def _counted(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())
