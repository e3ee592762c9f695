"""What the public could read: the simulated networks' own posts and history, as plain values."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from connectors.simulated.history import read_history
from connectors.simulated.process import RunningSimulator
from social.domain.post import PostKind
from tests.reliability.networks import NEWS

#: How a post reaches the shop without naming it, where it stands under nothing of the shop's.
_ADDRESSED = {PostKind.QUOTE.value, PostKind.VISITOR_POST.value, PostKind.TAGGED.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicPost:
    """A post of the simulated world. ``sequence`` is the world's own number, ``native_id`` the network's."""

    sequence: int
    network: str
    native_id: str
    author: str
    handle: str
    text: str
    created_at: datetime
    kind: str
    root: int
    parent: int | None
    via: str
    ours: bool
    mentions_brand: bool
    edited_at: datetime | None = None
    deleted_at: datetime | None = None

    def __str__(self) -> str:
        return f"{self.network} post {self.sequence}"


@dataclass(frozen=True, kw_only=True)
class PublicHistory:
    """``refused``: posts that somebody tried to publish again, which their network itself prevented. ``looks``: when each
    network showed what was new."""

    start: datetime
    posts: Mapping[int, PublicPost]
    refused: Sequence[int] = ()
    looks: Mapping[str, Sequence[datetime]] = field(default_factory=dict)

    @classmethod
    def of(cls, networks: RunningSimulator) -> PublicHistory:
        """From the control API and the history file, after a run."""
        found = [post for network in networks.get("health")["networks"] for post in _posts(networks, network)]
        lines = read_history(networks.history)
        return cls(
            start=datetime.fromisoformat(lines[0]["start"]),
            posts={post.sequence: post for post in sorted(found, key=lambda post: post.sequence)},
            refused=[line["sequence"] for line in lines if line.get("event") == "refused-repeat"],
            looks=_looks(lines),
        )

    def looks_between(self, network: str, begin: datetime, end: datetime) -> int:
        times = self.looks.get(network, ())
        return bisect_right(times, end) - bisect_left(times, begin)

    @cached_property
    def said(self) -> list[PublicPost]:
        """What our programs published."""
        return [post for post in self.posts.values() if post.ours and post.via == "api" and post.parent is not None]

    @cached_property
    def by_people_in_the_app(self) -> list[PublicPost]:
        return [post for post in self.posts.values() if post.ours and post.via == "native" and post.parent is not None]

    @cached_property
    def of_customers(self) -> list[PublicPost]:
        """Live posts that the networks show to the shop, its own not among them."""
        return [post for post in self.posts.values() if self._shown(post)]

    def _shown(self, post: PublicPost) -> bool:
        if post.ours or post.created_at <= self.start:
            return False
        parent, root = self.posts.get(post.parent or 0), self.posts.get(post.root)
        if post.mentions_brand or post.kind in _ADDRESSED or (parent is not None and parent.ours):
            return True
        return post.kind == PostKind.COMMENT.value and root is not None and root.ours

    def above(self, post: PublicPost) -> PublicPost:
        """The post that this one answers."""
        return self.posts[post.parent or 0]

    @cached_property
    def by_conversation(self) -> Mapping[tuple[str, int, str], list[PublicPost]]:
        """What was said to one customer in one thread, in order: (network, root, author) -> posts of ours."""
        found: dict[tuple[str, int, str], list[PublicPost]] = defaultdict(list)
        for post in self.said:
            above = self.above(post)
            found[post.network, above.root, above.author].append(post)
        return found


def _posts(networks: RunningSimulator, network: str) -> list[PublicPost]:
    return [public(values) for values in networks.get(f"posts?network={network}")["posts"]]


def public(values: Mapping[str, Any]) -> PublicPost:
    """One post of the control API's answer."""
    names = ("sequence", "network", "native_id", "author", "handle", "text", "kind", "root", "parent", "via", "ours")
    moments = {name: values[name] and datetime.fromisoformat(values[name]) for name in ("edited_at", "deleted_at")}
    return PublicPost(
        **{name: values[name] for name in names},
        mentions_brand=values["mentions_brand"],
        created_at=datetime.fromisoformat(values["created_at"]),
        **moments,
    )


def _looks(lines: Sequence[Mapping[str, Any]]) -> dict[str, list[datetime]]:
    found: defaultdict[str, list[datetime]] = defaultdict(list)
    for line in lines:
        network = line.get("network", "")
        if line.get("request") == "GET" and line["status"] == 200 and re.search(NEWS.get(network, "$^"), line["path"]):
            found[network].append(datetime.fromisoformat(line["at"]))
    return {network: sorted(times) for network, times in found.items()}
