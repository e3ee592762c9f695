"""What somebody said, where, and to whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


def require_aware(value: datetime, name: str) -> datetime:
    """Return ``value``; refuse a naive datetime, because a time without a zone is not a time."""
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError(f"{name} must be an aware datetime, got {value!r}")
    return value


class PostKind(StrEnum):
    """How a post reached the profile."""

    MENTION = "mention"
    QUOTE = "quote"
    REPLY = "reply"
    COMMENT = "comment"
    VISITOR_POST = "visitor-post"
    TAGGED = "tagged"
    DIRECT = "direct"
    OWN = "own"


class MediaKind(StrEnum):
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A reference only; nothing is downloaded."""

    kind: MediaKind
    url: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote it, as the network tells. ``native_id`` is opaque; a deleted account keeps it and loses its names."""

    native_id: str
    handle: str | None = None
    display_name: str | None = None
    is_bot: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRef:
    """The address of a post: all that a connector needs to read its thread or to reply to it.

    ``native`` is opaque JSON that the same connector put there (a cid, a parent ...); it survives the database.
    """

    native_id: str
    thread_root: str
    author_id: str
    kind: PostKind
    created_at: datetime
    private: bool = False
    native: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedPost:
    """A post as a connector read it. ``native_id`` is the FIRST id of the post, stable over edits.

    ``revision`` tells two contents of the same post apart (an edit's own id or time; ``""`` where nothing is edited).
    ``summoned`` is true where the author @mentioned or quoted the profile. ``ours`` is true for whatever the profile's
    own account wrote, by any client. ``in_reply_to`` is the native id of the direct parent.
    """

    native_id: str
    author: Author
    text: str
    created_at: datetime
    thread_root: str
    kind: PostKind
    revision: str = ""
    edited_at: datetime | None = None
    in_reply_to: str | None = None
    summoned: bool = False
    private: bool = False
    ours: bool = False
    permalink: str | None = None
    language_hint: str | None = None
    media: tuple[Media, ...] = ()
    native: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_aware(self.created_at, "created_at")
        if self.edited_at is not None:
            require_aware(self.edited_at, "edited_at")

    @property
    def ref(self) -> PostRef:
        return PostRef(
            native_id=self.native_id,
            thread_root=self.thread_root,
            author_id=self.author.native_id,
            kind=self.kind,
            created_at=self.created_at,
            private=self.private,
            native=self.native,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """What ``refresh`` says of a post that the network no longer shows."""

    native_id: str
    reason: str = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """One item of a page that could not be read. It is kept with its reason and never blocks its page."""

    native_id: str | None
    reason: str
    raw: str


class ProfileMode(StrEnum):
    """What the robot may do on a profile."""

    OFF = "off"
    DRY_RUN = "dry-run"
    ACKNOWLEDGE = "acknowledge"
