"""A network and a judge that live in memory, behind the same ports as the real ones. Nothing is patched anywhere.

network = FakeConnector(clock)
asked = network.publishes(post("Gdzie paczka?", when=at("2026-11-20 10:00")))   # seen once the clock gets there
network.answers_by_hand(asked, "Już sprawdzam", when=at("2026-11-20 10:39"))     # a colleague, in the network's app
network.fails("reply", Uncertain("time-out"), after_effect=True)                 # published, then the answer is lost
network.public_replies                                                           # what customers can read from us
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from social.domain.assessment import Assessment, ModelIdentity, TextToAssess
from social.domain.errors import CannotTell, ConnectorError, ModelUnavailable
from social.domain.post import Author, FetchedPost, Gone, PostKind, PostRef, Quarantined
from social.domain.reply import Receipt, SentBy
from social.ports import (
    ALLOWED,
    Capabilities,
    Clock,
    ConnectorContext,
    Cursor,
    HistoryReach,
    Idempotency,
    Inspection,
    LengthUnit,
    Page,
    Price,
    Quota,
    ReplyRules,
    RuleSource,
    Verdict,
)
from tests.cast import SHOP
from tests.factories import assessment

FAKE_RULES = ReplyRules(
    length_limit=300,
    length_unit=LengthUnit.CHARACTERS,
    idempotency=Idempotency.LOOKUP,
    read_lag=timedelta(0),
    sources=(RuleSource(rule="summoned_only", source="the fake network's own handbook", as_of=date(2026, 1, 1)),),
)
FAKE_REACH = HistoryReach(
    posts=500,
    own_posts=None,
    days=None,
    page=50,
    note="The fake network shows the newest 500 posts.",
    source="the fake network's own handbook",
    as_of=date(2026, 1, 1),
)
FAKE_CAPABILITIES = Capabilities(threads=True, own_reply_lookup=True, edits=True, deletions=True, history=FAKE_REACH)


class Killed(BaseException):
    """The process dies here: no ``except Exception`` may survive it. Raise it with ``fails(..., after_effect=True)``."""


class NoOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    error: BaseException
    after_effect: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One use of the wire: what ``reply`` was asked to publish, whether or not it came to be."""

    to: str
    text: str
    key: str
    sent_by: SentBy


class FakeConnector:
    """``social.ports.Connector`` in memory. With a clock, posts show once their time has come; without, at once.

    ``page_size`` splits a fetch into pages. ``rules`` and ``capabilities`` may differ per object, so that a test can
    declare a network that it needs. Every ``fails`` is used up by one call of that method.
    """

    kind: ClassVar[str] = "fake"
    label: ClassVar[str] = "Fake"
    Options: ClassVar[type[BaseModel]] = NoOptions
    Settings: ClassVar[type[BaseModel]] = NoOptions
    credential_parts: ClassVar[tuple[str, ...]] = ()
    prices: ClassVar[tuple[Price, ...]] = ()

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        account: Author = SHOP,
        rules: ReplyRules = FAKE_RULES,
        capabilities: Capabilities = FAKE_CAPABILITIES,
        page_size: int = 50,
    ) -> None:
        self.clock = clock
        self.account = account
        self.reply_rules = rules
        self.capabilities = capabilities
        self.threads_add_nothing = False
        self.clock_ahead: timedelta | None = None
        self.page_size = page_size
        self.verdict: Verdict = ALLOWED
        self.lookup_blind = False
        self.quotas: tuple[Quota, ...] = ()
        self.unread: tuple[ConnectorError, ...] = ()
        self.missed: tuple[ConnectorError, ...] = ()
        self.written: list[Written] = []
        self.calls: list[str] = []
        self.closed = False
        self._scheduled: list[FetchedPost] = []
        self._timeline: list[str] = []  # native ids in the order in which the network shows them
        self._posts: dict[str, FetchedPost] = {}
        self._gone: dict[str, Gone] = {}
        self._unreadable: deque[Quarantined] = deque()
        self._faults: dict[str, deque[_Fault]] = defaultdict(deque)

    # --- what happens on the network --------------------------------------------------------------------------------

    def publishes(self, *posts: FetchedPost) -> FetchedPost:
        """Somebody writes; returns the last post. A post whose time lies ahead of the clock shows when it comes."""
        self._scheduled.extend(posts)
        return posts[-1]

    def answers_by_hand(
        self, to: FetchedPost, text: str, *, when: datetime, native_id: str | None = None
    ) -> FetchedPost:
        """A colleague answers in the network's own app."""
        return self.publishes(
            FetchedPost(
                native_id=native_id or f"by-hand-{len(self._scheduled) + len(self._timeline)}",
                author=self.account,
                text=text,
                created_at=when,
                thread_root=to.thread_root,
                kind=PostKind.OWN,
                in_reply_to=to.native_id,
                ours=True,
            )
        )

    def edits(self, native_id: str, text: str, *, when: datetime) -> FetchedPost:
        """The author changes a post that shows already."""
        self._surface()
        changed = replace(self._posts[native_id], text=text, revision=f"edited-{when.isoformat()}", edited_at=when)
        self._posts[native_id] = changed
        return changed

    def deletes(self, native_id: str) -> None:
        self._surface()
        self._gone[native_id] = Gone(native_id=native_id)

    def garbles(self, item: Quarantined) -> None:
        """The next page holds one item that cannot be read."""
        self._unreadable.append(item)

    def fails(self, method: str, error: BaseException, *, times: int = 1, after_effect: bool = False) -> FakeConnector:
        """The next ``times`` calls of ``method`` raise; with ``after_effect`` only after the network has done it."""
        self._faults[method].extend([_Fault(error=error, after_effect=after_effect)] * times)
        return self

    @property
    def public_replies(self) -> list[FetchedPost]:
        """What our account wrote and nobody deleted, oldest first."""
        self._surface()
        return [self._posts[id_] for id_ in self._timeline if self._posts[id_].ours and id_ not in self._gone]

    # --- the port ---------------------------------------------------------------------------------------------------

    @classmethod
    def open(cls, context: ConnectorContext) -> FakeConnector:
        return cls(context.clock)

    def identity(self) -> Author:
        self._call("identity")
        return self.account

    def fetch(self, cursor: Cursor | None) -> Page:
        self._call("fetch")
        self._surface()
        start = int(cursor["seen"]) if cursor else 0
        ids = self._timeline[start : start + self.page_size]
        seen = start + len(ids)
        unreadable = tuple(self._unreadable)
        self._unreadable.clear()
        page = Page(
            posts=tuple(self._posts[native_id] for native_id in ids if native_id not in self._gone),
            cursor={"seen": seen},
            more=seen < len(self._timeline),
            quarantined=unreadable,
            unread=self.unread,
            missed=self.missed,
        )
        self._after("fetch")
        return page

    def history(self, since: datetime, cursor: Cursor | None) -> Page:
        self._call("history")
        self._surface()
        end = int(cursor["before"]) if cursor else len(self._timeline)
        start = max(0, end - self.page_size)
        found = [self._posts[id_] for id_ in self._timeline[start:end] if id_ not in self._gone]
        unreadable = tuple(self._unreadable)
        self._unreadable.clear()
        page = Page(
            posts=tuple(post for post in found if post.created_at >= since),
            cursor={"before": start},
            more=start > 0 and all(post.created_at >= since for post in found),
            quarantined=unreadable,
        )
        self._after("history")
        return page

    def refresh(self, posts: Sequence[PostRef]) -> Mapping[str, FetchedPost | Gone]:
        self._call("refresh")
        self._surface()
        found: dict[str, FetchedPost | Gone] = {}
        for ref in posts:
            if ref.native_id in self._gone:
                found[ref.native_id] = self._gone[ref.native_id]
            elif ref.native_id in self._posts:
                found[ref.native_id] = self._posts[ref.native_id]
        return found

    def thread(self, post: PostRef) -> Sequence[FetchedPost]:
        self._call("thread")
        self._surface()
        shown = [self._posts[id_] for id_ in self._timeline if id_ not in self._gone]
        return sorted(
            (item for item in shown if item.thread_root == post.thread_root), key=lambda item: item.created_at
        )

    def can_reply(self, post: PostRef) -> Verdict:
        self._call("can_reply")
        return self.verdict

    def reply(self, post: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
        self._call("reply")
        self.written.append(Written(to=post.native_id, text=text, key=key, sent_by=sent_by))
        number = len(self.written)
        when = self.clock.now() if self.clock else post.created_at + timedelta(minutes=number)
        own = FetchedPost(
            native_id=f"reply-{number}",
            author=self.account,
            text=text,
            created_at=when,
            thread_root=post.thread_root,
            kind=PostKind.OWN,
            in_reply_to=post.native_id,
            ours=True,
            permalink=f"https://fake.invalid/{number}",
        )
        self._posts[own.native_id] = own
        self._timeline.append(own.native_id)
        self._after("reply")
        return Receipt(native_id=own.native_id, published_at=when, permalink=own.permalink)

    def find_own_reply(self, post: PostRef, text: str, *, key: str) -> Receipt | None:
        self._call("find_own_reply")
        if self.lookup_blind:
            raise CannotTell("the fake network does not show its own replies.")
        for own in self.public_replies:
            if own.in_reply_to == post.native_id and own.text == text:
                return Receipt(native_id=own.native_id, published_at=own.created_at, permalink=own.permalink)
        return None

    def quota(self) -> tuple[Quota, ...]:
        return self.quotas

    def inspect(self) -> Inspection:
        return Inspection(identity=self.identity())

    def close(self) -> None:
        self.closed = True

    # --- machinery --------------------------------------------------------------------------------------------------

    def _surface(self) -> None:
        """Move what the clock has reached onto the timeline, oldest first."""
        now = self.clock.now() if self.clock else None
        due = [item for item in self._scheduled if now is None or item.created_at <= now]
        for item in sorted(due, key=lambda item: item.created_at):
            self._scheduled.remove(item)
            if item.native_id not in self._posts:
                self._timeline.append(item.native_id)
            self._posts[item.native_id] = item

    def _effect_first(self, method: str) -> bool:
        faults = self._faults[method]
        return bool(faults) and faults[0].after_effect

    def _call(self, method: str) -> None:
        self.calls.append(method)
        if self._faults[method] and not self._faults[method][0].after_effect:
            raise self._faults[method].popleft().error

    def _after(self, method: str) -> None:
        if self._effect_first(method):
            raise self._faults[method].popleft().error


class FakeClassifier:
    """Judges by words: the first ``judges(fragment, ...)`` whose fragment stands in the text, else ``default``."""

    def __init__(self, default: Assessment | None = None) -> None:
        self.default = default or assessment()
        self.asked: list[str] = []
        self._rules: list[tuple[str, Assessment]] = []
        self._broken = ""

    def judges(self, fragment: str, judgement: Assessment | None = None, **labels: Any) -> FakeClassifier:
        """``judges("paczka", urgency=Urgency.HIGH)``; the labels are those of ``factories.assessment``."""
        self._rules.append((fragment, judgement or assessment(**labels)))
        return self

    def breaks(self, why: str = "the fake model is broken.") -> None:
        self._broken = why

    @property
    def identity(self) -> ModelIdentity:
        return self.default.model

    def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
        if self._broken:
            raise ModelUnavailable(self._broken)
        self.asked += [item.text for item in texts]
        return [self._judge(item.text) for item in texts]

    def _judge(self, text: str) -> Assessment:
        return next((judgement for fragment, judgement in self._rules if fragment in text), self.default)
