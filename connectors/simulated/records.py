"""What the world keeps: accounts, posts, edits. Frozen snapshots, read again after a change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from social.domain.post import PostKind

Via = Literal["api", "native"]

#: The shop's account key on every network.
BRAND = "shop"


class WorldError(Exception):
    """A request that the world cannot carry out; dialects translate it into their network's own error."""


class UnknownPost(WorldError):
    """There is no such post, or it is deleted."""


class DuplicateKey(WorldError):
    """This idempotency key was used before. ``existing`` is the post that it published then."""

    def __init__(self, existing: WorldPost) -> None:
        super().__init__(f"key {existing.key!r} was used for post {existing.sequence}")
        self.existing = existing


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account on one network. ``key`` is the cast id (the same person has the same key on every network),
    ``number`` a ten-digit integer, unique on its network, from which a dialect makes native ids. ``handle`` is
    written as the network writes it, without ``@``.
    """

    network: str
    key: str
    number: int
    handle: str
    name: str
    joined: date
    language: str
    is_brand: bool = False
    is_bot: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One edit. ``sequence`` is its own, for networks where an edit has a new id."""

    sequence: int
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldPost:
    """A post as it is now.

    ``text`` is the present text (the last revision's), ``original_text`` the first. ``parent`` and ``root`` are
    sequences (``root`` is the post's own where it starts a thread), ``quoted`` the sequence of the quoted post.
    ``kind`` is how it reaches the brand; inside a thread it is the network's reply kind. ``mentions_brand``: the text
    holds the brand's handle. ``via`` says how an own post was written. ``key`` is the idempotency key of an API post.
    ``text_key`` names the entry in the texts that it came from. Deleted posts stay, with ``deleted_at``.
    """

    sequence: int
    network: str
    author: Account
    text: str
    created_at: datetime
    kind: PostKind
    root: int
    parent: int | None = None
    quoted: int | None = None
    mentions_brand: bool = False
    language: str = "pl"
    photo: str | None = None
    original_text: str = ""
    edits: tuple[Revision, ...] = ()
    deleted_at: datetime | None = None
    via: Via = "native"
    key: str | None = None
    text_key: str | None = None
    replies_disabled: bool = False

    @property
    def ours(self) -> bool:
        return self.author.is_brand

    @property
    def deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def edited_at(self) -> datetime | None:
        return self.edits[-1].at if self.edits else None

    @property
    def sequences(self) -> tuple[int, ...]:
        """The post's own sequence and those of its edits, oldest first."""
        return (self.sequence, *(edit.sequence for edit in self.edits))


def described(post: WorldPost) -> dict[str, Any]:
    """A post as JSON, for the history and the control API."""
    return {
        "sequence": post.sequence,
        "network": post.network,
        "author": post.author.key,
        "handle": post.author.handle,
        "text": post.text,
        "created_at": post.created_at.isoformat(),
        "kind": post.kind.value,
        "root": post.root,
        "parent": post.parent,
        "quoted": post.quoted,
        "via": post.via,
        "key": post.key,
        "ours": post.ours,
        "photo": post.photo,
        "text_key": post.text_key,
        "edited_at": post.edited_at.isoformat() if post.edited_at else None,
        "deleted_at": post.deleted_at.isoformat() if post.deleted_at else None,
    }
