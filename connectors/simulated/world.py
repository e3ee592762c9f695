"""The neutral world: accounts, posts, threads, edits, deletions. It knows no network's API; dialects translate.

Everything that happens is a function of the seed, of world time and of what was done from outside (our replies by API
or in a network's own app, the control API): the same seed and the same history give the same world. ``sequence``
numbers rise with time, so posts in order of ``sequence`` are posts in order of ``created_at``.

For a dialect: read with ``posts``, ``mentions``, ``quotes``, ``comments``, ``visitor_posts``, ``tagged``,
``brand_posts``, ``replies``, ``thread``, ``by_author``, ``search``; write with ``publish``, ``edit``, ``delete``; ask
``blocked``, ``post.replies_disabled``, ``find_duplicate`` and ``limits``. Posts are frozen snapshots: read them again
after a change. The server holds the world's lock during ``Dialect.handle`` and has advanced it to ``request.now``
before.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from connectors.simulated.arrivals import Arrival, Arrivals, RecordedPost, ShopArrival
from connectors.simulated.library import CustomerText, Library, WorldOptions, load_library
from connectors.simulated.limits import RateLimits
from connectors.simulated.records import (
    BRAND,
    Account,
    DuplicateKey,
    Revision,
    UnknownPost,
    Via,
    WorldError,
    WorldPost,
    described,
)
from connectors.simulated.timeline import Timeline
from social.domain.errors import ConfigurationError
from social.domain.post import PostKind, require_aware

#: What a dialect needs can all be imported from here.
__all__ = [
    "BRAND",
    "Account",
    "DuplicateKey",
    "Library",
    "Revision",
    "UnknownPost",
    "Via",
    "World",
    "WorldError",
    "WorldOptions",
    "WorldPost",
    "described",
]

#: Gets every event as a JSON-ready mapping; ``History.event`` is one.
Record = Callable[[Mapping[str, Any]], None]

#: Who caused an event: somebody outside (it is done again by ``restore``) or the world itself (it happens again
#: anyway).
OUTSIDE, WORLD = "outside", "world"
#: What an automatic text must say of itself, in Polish and English: customers thank people, not robots.
AUTOMATIC_MARK = "automat"
#: Kinds that need a post of the shop's above them.
UNDER_OURS = frozenset({PostKind.COMMENT, PostKind.REPLY, PostKind.QUOTE})
#: A bot that answers every post of ours would go on for ever; this many answers in a thread show a loop well enough.
BOT_ANSWERS_PER_THREAD = 40


class World(Timeline):
    """One simulated world, all networks in it. Thread-safe by ``lock`` (re-entrant), which the server takes for you."""

    def __init__(
        self,
        *,
        start: datetime,
        options: WorldOptions | None = None,
        library: Library | None = None,
        record: Record | None = None,
    ) -> None:
        self.start = require_aware(start, "start").astimezone(UTC)
        self.options = options or WorldOptions()
        known = library or load_library()
        self._arrivals = Arrivals(library=known, start=self.start, options=self.options)
        super().__init__(known, self._arrivals.begin)
        self.limits = RateLimits()
        self._record = record or _forget
        self._zone = ZoneInfo(self.options.timezone)
        self._generated_until = self._arrivals.begin
        self._due: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._order = 0
        self._thanked: set[int] = set()
        self._recorded: dict[str, int] = {}  # a recording's own keys -> sequences
        #: Networks that refuse the same words under the same post take them twice: nothing but the desk prevents it.
        self.accepts_repeats = False
        #: A network of comments files what answers a nested comment beside it, under the top one, and says so of its parent.
        self.two_levels = False
        self.advance(self.start)

    # --- time -------------------------------------------------------------------------------------------------------

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due until ``now``; an earlier time changes nothing."""
        now = require_aware(now, "now").astimezone(UTC)
        with self.lock:
            while True:
                while self._due and self._due[0][0] <= now and self._due[0][0] < self._generated_until:
                    at, _, action = heapq.heappop(self._due)
                    self._now = max(self._now, at)
                    action(at)
                if self._generated_until > now:
                    break
                for arrival in self._arrivals.hour(self._generated_until):
                    self._at(arrival.at, partial(self._arrive, arrival))
                self._generated_until += timedelta(hours=1)
            self._now = max(self._now, now)

    def _at(self, at: datetime, action: Callable[[datetime], None]) -> None:
        self._order += 1
        heapq.heappush(self._due, (at, self._order, action))

    # --- accounts ---------------------------------------------------------------------------------------------------

    def block(self, network: str, key: str, *, blocked: bool = True) -> None:
        """The customer ``key`` blocks the shop (or takes it back)."""
        with self.lock:
            (self._blocked.add if blocked else self._blocked.discard)((network, key))
            self._tell("block", network=network, author=key, blocked=blocked)

    # --- writing ----------------------------------------------------------------------------------------------------

    def publish(
        self,
        network: str,
        author: Account,
        text: str,
        parent: int | None = None,
        key: str | None = None,
        via: Via = "api",
        *,
        kind: PostKind | None = None,
        quoted: int | None = None,
        photo: str | None = None,
        text_key: str | None = None,
    ) -> WorldPost:
        """Publish as ``author`` at world time now: the shop's replies by API or in its app, or a customer's post.

        ``parent`` is the sequence of the post that is answered. ``kind`` defaults to the network's reply kind (own for
        the shop). Raises ``UnknownPost`` if the parent is absent or deleted, ``DuplicateKey`` if ``key`` was used
        before. Blocks, closed replies, equal texts and length are the dialect's business.
        """
        with self.lock:
            if key is not None and (existing := self.by_key(network, key)) is not None:
                self._tell("refused-repeat", network=network, sequence=existing.sequence)
                raise DuplicateKey(existing)
            target = self._living(parent) if parent is not None else None
            chosen = PostKind.OWN if author.is_brand else kind or self.library.networks[network].conversation
            post = self._add(
                network=network,
                author=author,
                text=text,
                kind=chosen,
                parent=target.sequence if target else None,
                quoted=self._living(quoted).sequence if quoted is not None else None,
                via=via,
                key=key,
                photo=photo,
                text_key=text_key,
            )
            self._tell("publish", **described(post))
            if post.ours:
                self._react(post)
            elif text_key is not None and text_key in self.library.by_key:
                self._follow(post, self.library.by_key[text_key])
            return post

    def find_duplicate(
        self, network: str, author: Account, text: str, *, within: timedelta, parent: int | None = None
    ) -> WorldPost | None:
        """As every network looks for it, told in the history, since it saved somebody from speaking twice; ``None``
        where repeats are accepted.
        """
        found = super().find_duplicate(network, author, text, within=within, parent=parent)
        if found is None or self.accepts_repeats:
            return None
        self._tell("refused-repeat", network=network, sequence=found.sequence)
        return found

    def edit(self, sequence: int, text: str) -> WorldPost:
        """Replace a post's text. Raises ``UnknownPost``."""
        with self.lock:
            post = self._living(sequence)
            self._edit(post.sequence, text, self._now)
            self._tell("edit", network=post.network, sequence=post.sequence, text=text)
            return self._posts[post.sequence]

    def delete(self, sequence: int) -> None:
        """Delete a post, and the comments under it; replies stay. Raises ``UnknownPost``."""
        with self.lock:
            post = self._living(sequence)
            self._delete(post.sequence, self._now)
            self._tell("delete", network=post.network, sequence=post.sequence)

    def disable_replies(self, sequence: int, *, disabled: bool = True) -> WorldPost:
        """Close (or open again) the replies to a post. Raises ``UnknownPost``."""
        with self.lock:
            post = replace(self._living(sequence), replies_disabled=disabled)
            self._posts[post.sequence] = post
            self._tell("disable-replies", network=post.network, sequence=post.sequence, disabled=disabled)
            return post

    def play(self, network: str, posts: Iterable[RecordedPost]) -> None:
        """Let posts that really happened happen again on ``network``, each at its own time, besides what the world does
        by itself. A post whose time is over happens at once; a ``parent`` must happen before its answers.
        """
        with self.lock:
            for post in posts:
                self._at(post.at.astimezone(UTC), partial(self._happen_again, network, post))

    # --- what the world does by itself ------------------------------------------------------------------------------

    def restore(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Do again what was done from outside, at its own time: the events of a history, in order. Raises
        ``ConfigurationError`` where they do not lead to the same world.
        """
        with self.lock:
            record, self._record = self._record, _forget
            try:
                for event in events:
                    self.advance(datetime.fromisoformat(event["at"]))
                    if event.get("by") == OUTSIDE:
                        self._repeat(event)
            except WorldError as error:
                raise ConfigurationError(
                    f"does not lead to the same world ({error})",
                    resource="the history",
                    next_step="Choose another --history file.",
                ) from error
            finally:
                self._record = record

    def _repeat(self, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "publish":
                post = self.publish(
                    event["network"],
                    self.open_account(event["network"], event["author"]),
                    event["text"],
                    event["parent"],
                    event["key"],
                    event["via"],
                    kind=PostKind(event["kind"]),
                    quoted=event["quoted"],
                    photo=event["photo"],
                    text_key=event["text_key"],
                )
                if post.sequence != event["sequence"]:
                    raise WorldError(f"post {event['sequence']} became {post.sequence}")
            case "edit":
                self.edit(event["sequence"], event["text"])
            case "delete":
                self.delete(event["sequence"])
            case "disable-replies":
                self.disable_replies(event["sequence"], disabled=event["disabled"])
            case "block":
                self.block(event["network"], event["author"], blocked=event["blocked"])

    def _arrive(self, arrival: Arrival | ShopArrival, at: datetime) -> None:
        if isinstance(arrival, ShopArrival):
            for network in self.networks:
                post = self._add(
                    network=network,
                    author=self.brand(network),
                    text=arrival.text.text,
                    kind=PostKind.OWN,
                    language=arrival.text.language,
                    photo=arrival.text.photo,
                    text_key=arrival.text.key,
                )
                self._tell("post", WORLD, **described(post))
            return
        text, plan = arrival.text, self.library.networks[arrival.network]
        author = self._open(arrival.network, arrival.author)
        kind, under = self.place(arrival.network, arrival.kind, arrival.draw)
        quotes = kind is PostKind.QUOTE
        post = self._add(
            network=arrival.network,
            author=author,
            text=plan.addressed(text.text, kind, aside=text.role == "mention_only"),
            kind=kind,
            parent=under if not quotes else None,
            quoted=under if quotes else None,
            language=text.language,
            photo=text.photo,
            text_key=text.key,
        )
        self._tell("post", WORLD, **described(post))
        self._follow(post, text)

    def _happen_again(self, network: str, recorded: RecordedPost, at: datetime) -> None:
        under = self._recorded[recorded.parent] if recorded.parent is not None else None
        if recorded.author is None:
            author, kind = self.brand(network), PostKind.OWN
        else:
            author = self._open(network, recorded.author)
            kind = self._first_way(network) if under is None else self.library.networks[network].conversation
        post = self._add(
            network=network, author=author, text=recorded.text, kind=kind, parent=under, text_key=recorded.key
        )
        self._recorded[recorded.key] = post.sequence
        self._tell("post", WORLD, **described(post))

    def place(self, network: str, kind: PostKind, draw: float = 0.999) -> tuple[PostKind, int | None]:
        """Where a first post of this kind goes: under which of the shop's last five posts (``draw``, 0 to 1, the newest
        last) for a comment, a reply or a quote. Another kind where the shop has written nothing yet.
        """
        if kind not in UNDER_OURS:
            return kind, None
        latest = self.brand_posts(network)[-5:]
        if latest:
            return kind, latest[int(draw * len(latest))].sequence
        return self._first_way(network), None

    def _first_way(self, network: str) -> PostKind:
        """How a first post reaches the shop where it has written nothing yet."""
        ways = self.library.networks[network].ways
        return next((way for way in ways if way not in UNDER_OURS), PostKind.MENTION)

    def _follow(self, post: WorldPost, text: CustomerText) -> None:
        """Plan what becomes of a customer's post by itself."""
        born = post.created_at
        for later in text.follow_ups:
            self._at(born + later.after, partial(self._say, post.sequence, post.author, later.text))
        if text.edit is not None:
            changed = self.library.networks[post.network].addressed(text.edit.text, post.kind)
            self._at(born + text.edit.after, partial(self._edit_if_there, post.sequence, changed))
        if text.delete_after is not None:
            self._at(born + text.delete_after, partial(self._delete_if_there, post.sequence))
        if text.owner_answer is not None:
            answer = text.owner_answer
            self._at(born + answer.after, partial(self._owner_answers, post.sequence, answer.text))
        for repeat in self.library.repeats.get(text.key, ()):
            after = timedelta(minutes=self._random("repeat", post.sequence).uniform(65, 180))
            self._at(born + after, partial(self._repeat_if_waiting, post.sequence, repeat))

    def _say(self, parent: int, author: Account, text: str, at: datetime, text_key: str | None = None) -> None:
        """A post inside a thread, unless what it answers is gone by then."""
        above = self._posts[parent]
        if above.deleted:
            return
        plan = self.library.networks[above.network]
        post = self._add(
            network=above.network,
            author=author,
            text=text if author.is_brand else plan.addressed(text, plan.conversation),
            kind=PostKind.OWN if author.is_brand else plan.conversation,
            parent=parent,
            language=above.language,
            text_key=text_key,
        )
        self._tell("post", WORLD, **described(post))
        if author.is_brand:
            self._react(post)

    def _owner_answers(self, parent: int, text: str, at: datetime) -> None:
        if self._answered_by_a_person(parent):
            return
        local = at.astimezone(self._zone)
        if local.hour >= 23 or local.hour < 7:  # the owner sleeps, and answers over her coffee
            morning = local.replace(hour=7, minute=0) + timedelta(days=1 if local.hour >= 23 else 0)
            coffee = timedelta(minutes=self._random("coffee", parent).uniform(5, 90))
            self._at(morning.astimezone(UTC) + coffee, partial(self._owner_answers, parent, text))
        else:
            self._say(parent, self.brand(self._posts[parent].network), text, at)

    def _repeat_if_waiting(self, parent: int, repeat: CustomerText, at: datetime) -> None:
        if not self._answered_by_a_person(parent):
            self._say(parent, self._posts[parent].author, repeat.text, at, repeat.key)

    def _edit_if_there(self, sequence: int, text: str, at: datetime) -> None:
        if not self._posts[sequence].deleted:
            self._edit(sequence, text, at)
            self._tell("edit", WORLD, network=self._posts[sequence].network, sequence=sequence, text=text)

    def _delete_if_there(self, sequence: int, at: datetime) -> None:
        if not self._posts[sequence].deleted:
            self._delete(sequence, at)
            self._tell("delete", WORLD, network=self._posts[sequence].network, sequence=sequence)

    def _answered_by_a_person(self, sequence: int) -> bool:
        """Has somebody of the shop, not the robot, answered this post or its author's later words under it?"""
        author = self._posts[sequence].author
        for post in self.thread(self._posts[sequence].root, after=sequence):
            above = self._posts.get(post.parent) if post.parent is not None else None
            if (
                post.ours
                and above is not None
                and above.author == author
                and AUTOMATIC_MARK not in post.text.casefold()
            ):
                return True
        return False

    def _react(self, ours: WorldPost) -> None:
        """How the customer takes a reply of ours: a bot answers each with its line, a person thanks a person once."""
        above = self._posts.get(ours.parent) if ours.parent is not None else None
        if above is None or above.ours:
            return
        dice = self._random("reaction", ours.sequence)
        member = self.library.members.get(above.author.key)
        if member is not None and member.line:
            said = [post for post in self.thread(ours.root) if post.author == above.author]
            if len(said) < BOT_ANSWERS_PER_THREAD:
                after = timedelta(seconds=dice.uniform(20, 90))
                self._at(ours.created_at + after, partial(self._say, ours.sequence, above.author, member.line))
            return
        if AUTOMATIC_MARK in ours.text.casefold():
            return
        first = self._first_of(above)
        text = self.library.by_key.get(first.text_key or "")
        if text is not None and text.thanks is not None and first.sequence not in self._thanked:
            self._thanked.add(first.sequence)
            after = timedelta(minutes=dice.uniform(2, 25))
            self._at(ours.created_at + after, partial(self._say, ours.sequence, above.author, text.thanks))

    def _first_of(self, post: WorldPost) -> WorldPost:
        """The first post of this author's in the branch: what their follow-ups and repeats belong to."""
        first, above = post, post
        while above.parent is not None:
            above = self._posts[above.parent]
            if above.author == post.author:
                first = above
        return first

    # --- bookkeeping ------------------------------------------------------------------------------------------------

    def _random(self, purpose: str, sequence: int) -> Random:
        return Random(f"{self.options.seed}/{purpose}/{sequence}")

    def _tell(self, event: str, by: str = OUTSIDE, **what: Any) -> None:
        if by == OUTSIDE or self._now > self.start:
            self._record({"event": event, "by": by, "at": self._now.isoformat(), **what})


def _forget(_event: Mapping[str, Any]) -> None:
    """The record of a world that nobody keeps a history of."""
