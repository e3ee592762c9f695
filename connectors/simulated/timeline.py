"""The accounts and posts of the world, kept in order of time and found from every side a network's API asks for."""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from connectors.simulated.library import Library, Member
from connectors.simulated.records import BRAND, Account, Revision, UnknownPost, Via, WorldPost
from social.domain.post import PostKind


class Timeline:
    """Reading for everybody; the underscored writers are for the ``World``, which decides when. Sequences rise with
    time, so lists in order of ``sequence`` are in order of ``created_at``.
    """

    def __init__(self, library: Library, begin: datetime) -> None:
        self.library = library
        self.lock = threading.RLock()
        self._now = begin
        self._sequence = 0
        self._posts: dict[int, WorldPost] = {}
        self._revisions: dict[int, int] = {}
        self._by_network: dict[str, list[int]] = defaultdict(list)
        self._by_root: dict[int, list[int]] = defaultdict(list)
        self._by_parent: dict[int, list[int]] = defaultdict(list)
        self._by_author: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._by_kind: dict[tuple[str, PostKind], list[int]] = defaultdict(list)
        self._by_key: dict[tuple[str, str], int] = {}
        self._accounts: dict[tuple[str, str], Account] = {}
        self._numbers: dict[tuple[str, int], str] = {}
        self._handles: dict[tuple[str, str], str] = {}
        self._blocked: set[tuple[str, str]] = set()
        shop = Member(key=BRAND, name=self.library.shop_name, handle=BRAND, language="pl", joined=date(2012, 3, 1))
        for network in self.networks:
            self._open(network, shop, is_brand=True)

    @property
    def now(self) -> datetime:
        """World time up to which everything has happened (UTC)."""
        return self._now

    # --- accounts ---------------------------------------------------------------------------------------------------

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks' names, as they stand in URLs (``/<network>/...``)."""
        return tuple(self.library.networks)

    def brand(self, network: str) -> Account:
        """The shop's account on ``network``."""
        return self._accounts[network, BRAND]

    def account(self, network: str, key: str) -> Account | None:
        """The account of the cast member ``key``, if they ever wrote on ``network``."""
        return self._accounts.get((network, key))

    def account_by_number(self, network: str, number: int) -> Account | None:
        key = self._numbers.get((network, number))
        return self._accounts[network, key] if key is not None else None

    def account_by_handle(self, network: str, handle: str) -> Account | None:
        key = self._handles.get((network, handle.removeprefix("@").lower()))
        return self._accounts[network, key] if key is not None else None

    def accounts(self, network: str) -> list[Account]:
        """Everybody who ever wrote on ``network``, the shop first."""
        return [account for (where, _), account in self._accounts.items() if where == network]

    def open_account(self, network: str, key: str) -> Account:
        """The account of ``key`` on ``network``, made now if they never wrote there (a stranger gets ``key`` as
        name).
        """
        with self.lock:
            known = self._accounts.get((network, key))
            if known is not None:
                return known
            return self._open(network, self.library.member(key) or _stranger(key))

    def blocked(self, account: Account) -> bool:
        """Has this customer blocked the shop? Dialects refuse a reply to them where the network does."""
        return (account.network, account.key) in self._blocked

    # --- reading ----------------------------------------------------------------------------------------------------

    def post(self, sequence: int) -> WorldPost | None:
        """The post with this sequence, or the one whose edit has it. Deleted posts too: look at ``deleted``."""
        return self._posts.get(self._revisions.get(sequence, sequence))

    def posts(self, network: str, *, after: int = 0, deleted: bool = False) -> list[WorldPost]:
        """All posts of ``network`` in order of time; ``after``: only sequences above it; ``deleted``: those too."""
        return self._read(self._by_network[network], after, deleted)

    def mentions(self, network: str, *, after: int = 0) -> list[WorldPost]:
        """Customers' posts whose text holds the brand's handle, in order of time (replies among them)."""
        return [post for post in self.posts(network, after=after) if post.mentions_brand and not post.ours]

    def quotes(self, network: str, *, after: int = 0) -> list[WorldPost]:
        """Customers' posts that quote a post of the shop's."""
        return self._read(self._by_kind[network, PostKind.QUOTE], after, False)

    def visitor_posts(self, network: str, *, after: int = 0) -> list[WorldPost]:
        """Posts that customers wrote on the shop's page."""
        return self._read(self._by_kind[network, PostKind.VISITOR_POST], after, False)

    def tagged(self, network: str, *, after: int = 0) -> list[WorldPost]:
        """Posts on customers' own pages that tag the shop."""
        return self._read(self._by_kind[network, PostKind.TAGGED], after, False)

    def brand_posts(self, network: str, *, after: int = 0) -> list[WorldPost]:
        """What the shop published by itself (thread roots), in order of time."""
        return [post for post in self.by_author(network, BRAND, after=after) if post.parent is None]

    def comments(self, root: int, *, after: int = 0) -> list[WorldPost]:
        """Everything under a post at any depth, the root left out, in order of time."""
        return [post for post in self.thread(root, after=after) if post.sequence != root]

    def replies(self, parent: int, *, after: int = 0) -> list[WorldPost]:
        """The direct replies to a post, in order of time."""
        return self._read(self._by_parent[parent], after, False)

    def replies_to_brand(self, network: str, *, after: int = 0) -> list[WorldPost]:
        """Customers' posts whose direct parent is a post of the shop's, in order of time."""
        found = []
        for post in self.posts(network, after=after):
            parent = self._posts.get(post.parent) if post.parent is not None else None
            if parent is not None and parent.ours and not post.ours:
                found.append(post)
        return found

    def thread(self, root: int, *, after: int = 0, deleted: bool = False) -> list[WorldPost]:
        """A whole thread, its root first, in order of time."""
        return self._read(self._by_root[root], after, deleted)

    def by_author(self, network: str, key: str, *, after: int = 0) -> list[WorldPost]:
        """What one account wrote, in order of time; the shop's key is ``BRAND``."""
        return self._read(self._by_author[network, key], after, False)

    def search(self, network: str, words: str, *, after: int = 0) -> list[WorldPost]:
        """Posts whose text holds ``words`` (case folded), in order of time."""
        sought = words.casefold()
        return [post for post in self.posts(network, after=after) if sought in post.text.casefold()]

    def by_key(self, network: str, key: str) -> WorldPost | None:
        """The post that was published with this idempotency key (a deleted one too)."""
        sequence = self._by_key.get((network, key))
        return self._posts[sequence] if sequence is not None else None

    def find_duplicate(
        self, network: str, author: Account, text: str, *, within: timedelta, parent: int | None = None
    ) -> WorldPost | None:
        """A living post by ``author`` with exactly this text, not older than ``within`` (and under ``parent`` if
        given).
        """
        for sequence in reversed(self._by_author[network, author.key]):
            post = self._posts[sequence]
            if post.created_at < self._now - within:
                return None
            if not post.deleted and post.text == text and parent in (None, post.parent):
                return post
        return None

    def _read(self, sequences: Sequence[int], after: int, deleted: bool) -> list[WorldPost]:
        found = (self._posts[sequence] for sequence in sequences[bisect_right(sequences, after) :])
        return [post for post in found if deleted or not post.deleted]

    # --- writing, for the world -------------------------------------------------------------------------------------

    def _living(self, sequence: int) -> WorldPost:
        post = self.post(sequence)
        if post is None:
            raise UnknownPost(f"there is no post {sequence}")
        if post.deleted:
            raise UnknownPost(f"post {sequence} is deleted")
        return post

    def _add(
        self,
        *,
        network: str,
        author: Account,
        text: str,
        kind: PostKind,
        parent: int | None = None,
        quoted: int | None = None,
        language: str | None = None,
        photo: str | None = None,
        via: Via = "native",
        key: str | None = None,
        text_key: str | None = None,
    ) -> WorldPost:
        sequence = self._next()
        post = WorldPost(
            sequence=sequence,
            network=network,
            author=author,
            text=text,
            original_text=text,
            created_at=self._now.replace(microsecond=self._now.microsecond // 1000 * 1000),
            kind=kind,
            root=self._posts[parent].root if parent is not None else sequence,
            parent=parent,
            quoted=quoted,
            mentions_brand=f"@{self.brand(network).handle}".casefold() in text.casefold(),
            language=language or author.language,
            photo=photo,
            via=via,
            key=key,
            text_key=text_key,
        )
        self._posts[sequence] = post
        self._by_network[network].append(sequence)
        self._by_root[post.root].append(sequence)
        self._by_author[network, author.key].append(sequence)
        self._by_kind[network, kind].append(sequence)
        if parent is not None:
            self._by_parent[parent].append(sequence)
        if key is not None:
            self._by_key[network, key] = sequence
        return post

    def _edit(self, sequence: int, text: str, at: datetime) -> None:
        revision = Revision(sequence=self._next(), at=at, text=text)
        post = self._posts[sequence]
        self._revisions[revision.sequence] = sequence
        mentions = f"@{self.brand(post.network).handle}".casefold() in text.casefold()
        self._posts[sequence] = replace(post, text=text, edits=(*post.edits, revision), mentions_brand=mentions)

    def _delete(self, sequence: int, at: datetime) -> None:
        """Comments go with what they stand under; replies and quotes are posts of their own and stay."""
        post = self._posts[sequence]
        self._posts[sequence] = replace(post, deleted_at=at)
        if self.library.networks[post.network].conversation is PostKind.COMMENT:
            for below in self._by_parent[sequence]:
                if not self._posts[below].deleted:
                    self._delete(below, at)

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _open(self, network: str, member: Member, *, is_brand: bool = False) -> Account:
        key = BRAND if is_brand else member.key
        known = self._accounts.get((network, key))
        if known is not None:
            return known
        plan = self.library.networks[network]
        number = _number(network, key)
        while (network, number) in self._numbers:
            number += 1
        handle = plan.brand_handle if is_brand else plan.handle.format(handle=member.handle)
        while (network, handle.lower()) in self._handles:
            handle = plan.handle.format(handle=f"{member.handle}{number % 1000}")
        account = Account(
            network=network,
            key=key,
            number=number,
            handle=handle,
            name=member.name,
            joined=member.joined,
            language=member.language,
            is_brand=is_brand,
            is_bot=member.is_bot,
            deleted=member.deleted,
        )
        self._accounts[network, key] = account
        self._numbers[network, number] = key
        self._handles[network, handle.lower()] = key
        return account


def _number(network: str, key: str) -> int:
    digest = hashlib.sha256(f"{network}/{key}".encode()).digest()
    return 10**9 + int.from_bytes(digest[:8], "big") % (9 * 10**9)


def _stranger(key: str) -> Member:
    handle = "".join(letter for letter in key.lower() if letter.isascii() and letter.isalnum()) or "nieznajomy"
    return Member(key=key, name=key, handle=handle, language="pl", joined=date(2020, 1, 1))
