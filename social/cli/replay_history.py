"""What a file of messages says about the past: who wrote after whom, when, and how long customers waited for people."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.simulated.arrivals import RecordedPost
from connectors.simulated.library import Member
from social.cli.replay_file import EARLIEST, LATEST, Message
from social.domain.errors import DyzurError, NotFound

WEEK = timedelta(weeks=1)
#: How a file that hides the names of accounts calls the brand's own.
ANY_BRAND = "brand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A message where it stands in the replay: ``at`` is unique (whole seconds, UTC), ``parent`` came before it."""

    message: Message
    at: datetime
    parent: Turn | None = field(repr=False, compare=False)  # a thread may be longer than Python's stack

    @property
    def key(self) -> str:
        return f"line {self.message.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One customer in one thread. ``waited``: until a person's first answer, ``None`` where there is none in the file;
    ``answers_known`` is false where the file leaves out what the brand wrote."""

    thread: str
    first: Turn
    waited: timedelta | None
    answers_known: bool


def chosen(messages: Sequence[Message], *, brand: str | None, limit: int | None) -> list[Message]:
    """The messages of one brand, or of all as one; of the first ``limit`` threads of the file. Raises ``NotFound``."""
    known = Counter(message.brand for message in messages if message.brand)
    if brand is not None:
        messages = [message for message in messages if message.brand.casefold() == brand.casefold()]
        if not messages:
            names = ", ".join(name for name, _ in known.most_common(20)) or "none is named"
            raise NotFound(f"no line is of the brand {brand!r}.", next_step=f"The file's brands: {names}.")
    threads = list(dict.fromkeys(message.thread for message in messages))[:limit]
    kept = frozenset(threads)
    return [message for message in messages if message.thread in kept]


def shift_to(messages: Sequence[Message], day: date, zone: ZoneInfo) -> timedelta:
    """Whole weeks, so that weekdays and times of day stay: the first message comes on ``day`` or within six days after."""
    first = min(message.at for message in messages).astimezone(zone).date()
    return -((first - day).days // 7) * WEEK


def arranged(messages: Iterable[Message], *, shift: timedelta, mended: Counter[str]) -> list[Turn]:
    """In order of time, parents first. A second is given to one message only, so that a message is found by its time;
    what names nothing that came before is put under the latest message of its thread that it can belong to."""
    by_key = {(message.thread, message.id): message for message in messages}
    order = sorted(by_key.values(), key=lambda message: (message.at, _depth(message, by_key), message.line))
    turns: dict[tuple[str, str], Turn] = {}
    threads: dict[str, list[Turn]] = defaultdict(list)
    latest = None
    for message in order:
        at = message.at + shift
        if latest is not None and at <= latest:
            at = latest + timedelta(seconds=1)
        if not EARLIEST <= at < LATEST:
            raise DyzurError(
                f"the messages would lie outside {EARLIEST.year} to {LATEST.year - 1}.",
                resource="--shift-to",
                next_step="Choose another day.",
            )
        latest = at
        parent = turns.get((message.thread, message.answers or ""))
        if parent is None:
            parent = _likely_parent(message, threads[message.thread])
            if message.answers is not None:
                why = "comes later" if (message.thread, message.answers) in by_key else "is not in the file"
                mended[f"answers to a message that {why} (put under an earlier one of the thread)"] += 1
        turn = Turn(message=message, at=at, parent=parent)
        turns[message.thread, message.id] = turn
        threads[message.thread].append(turn)
    return list(turns.values())


def _depth(message: Message, by_key: Mapping[tuple[str, str], Message]) -> int:
    """How many messages of the same second stand above this one; a circle ends where it began."""
    passed = {message.id}
    parent = by_key.get((message.thread, message.answers or ""))
    while parent is not None and parent.at == message.at and parent.id not in passed:
        passed.add(parent.id)
        parent = by_key.get((parent.thread, parent.answers or ""))
    return len(passed) - 1


def _likely_parent(message: Message, earlier: Sequence[Turn]) -> Turn | None:
    """The brand speaks to customers; a customer to the brand, or goes on in their own words."""

    def fits(told: Message) -> bool:
        return (not told.inbound or told.author == message.author) if message.inbound else told.inbound

    return next((turn for turn in reversed(earlier) if fits(turn.message)), None)


# --- for the simulator -------------------------------------------------------------------------------------------------


def recorded(turns: Sequence[Turn], *, handle: str, all_addressed: bool) -> list[RecordedPost]:
    """The turns as posts of a network on which the brand, by whatever of its names in the file, is called ``handle``."""
    messages = [turn.message for turn in turns]
    names = {ANY_BRAND, *(told.brand for told in messages), *(told.author for told in messages if not told.inbound)}
    named = re.compile(rf"(?<!\w)@(?:{'|'.join(map(re.escape, sorted(names - {''})))})(?!\w)", re.IGNORECASE)
    customers: dict[str, Member] = {}
    return [
        RecordedPost(
            key=turn.key,
            at=turn.at,
            author=_customer(turn.message.author, customers) if turn.message.inbound else None,
            text=_addressed(turn.message, named, handle, always=all_addressed),
            parent=turn.parent.key if turn.parent is not None else None,
        )
        for turn in turns
    ]


def _customer(author: str, known: dict[str, Member]) -> Member:
    number = len(known) + 1
    return known.setdefault(
        author,
        # "und": networks say so where they do not know a post's language
        Member(
            key=f"author {author}", name=author, handle=f"customer{number}", language="und", joined=date(2010, 1, 1)
        ),
    )


def _addressed(message: Message, named: re.Pattern[str], handle: str, *, always: bool) -> str:
    text, found = named.subn(f"@{handle}", message.text)
    return f"@{handle} {text}" if always and message.inbound and not found else text


# --- what people did ---------------------------------------------------------------------------------------------------


def contacts(turns: Sequence[Turn]) -> list[Contact]:
    """Every customer of every thread, in order of their first message."""
    first: dict[tuple[str, str], Turn] = {}
    answered: dict[tuple[str, str], Turn] = {}
    missing, spoken = set(), set()
    for turn in turns:
        message = turn.message
        if message.inbound:
            first.setdefault((message.thread, message.author), turn)
            if message.parent_missing:
                missing.add(message.thread)
            continue
        spoken.add(message.thread)
        customer = _customer_above(turn)
        if customer is not None:
            answered.setdefault((message.thread, customer), turn)
    return [
        Contact(
            thread=thread,
            first=turn,
            waited=answered[thread, author].message.at - turn.message.at if (thread, author) in answered else None,
            answers_known=thread in spoken or thread not in missing,
        )
        for (thread, author), turn in first.items()
    ]


def _customer_above(turn: Turn) -> str | None:
    """Whom the brand's message speaks to: the first customer above it, past further parts of its own."""
    above = turn.parent
    while above is not None and not above.message.inbound:
        above = above.parent
    return above.message.author if above is not None else None
