"""The promises, checked after a run on simulated networks by an oracle that shares no code with the desk.

``Facts`` lays the networks' own history (``World``) beside what the desk wrote down, and ``check_all`` reads every promise
off it. The self-test and the replay both end with it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sqlalchemy import select

from connectors.simulated.world import AUTOMATIC_MARK, BRAND, World, WorldPost
from social.domain.post import PostKind
from social.settings import BrandSettings, Settings
from social.store.session import Database
from social.store.tables import PostRow, ReplyRow

HOUR = timedelta(minutes=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise: how many cases it was checked on, and where it was broken."""

    promise: str
    checked: int
    broken: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        return not self.broken


class Oracle:
    """Opening hours by brute force: minute by minute, from the configuration's own strings."""

    _DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

    def __init__(self, brand: BrandSettings) -> None:
        import holidays

        self._zone = ZoneInfo(brand.timezone)
        self._closed = set(brand.closed_dates)
        self._holidays = holidays.country_holidays(brand.holidays) if brand.holidays else {}
        self._slots: dict[int | date, list[str]] = defaultdict(list)
        for days, slots in ((part, slots) for key, slots in brand.hours.items() for part in key.split(",")):
            first, _, last = days.partition("-")
            for day in range(self._DAYS.index(first), self._DAYS.index(last or first) + 1):
                self._slots[day].extend(slots)
        self._openings: dict[datetime, datetime] = {}  # minutes walked through before, and where that led
        self._own_days = {date.fromisoformat(str(day)): list(slots) for day, slots in brand.open_dates.items()}

    def is_open(self, at: datetime) -> bool:
        local = at.astimezone(self._zone)
        day = local.date()
        slots = self._own_days.get(day)
        if slots is None:
            slots = [] if day in self._closed or self._holiday(day) else self._slots[local.weekday()]
        return any(begin <= f"{local:%H:%M}" < end for begin, _, end in (slot.partition("-") for slot in slots))

    def next_opening(self, at: datetime) -> datetime:
        minute = at.replace(second=0, microsecond=0) + timedelta(minutes=1)
        walked = []
        while minute not in self._openings and not self.is_open(minute):
            walked.append(minute)
            minute += timedelta(minutes=1)
        opening = self._openings.get(minute, minute)
        self._openings.update(dict.fromkeys(walked, opening))
        return opening.astimezone(self._zone)

    def _holiday(self, day: date) -> bool:
        return day in self._holidays


class Facts:
    """The public history beside the database."""

    def __init__(self, settings: Settings, database: Database, world: World, start: datetime, end: datetime) -> None:
        self.settings, self.world, self.start, self.end = settings, world, start, end
        self.oracles = {brand.name: Oracle(brand) for brand in settings.brands}
        self.networks = [profile.connector for profile in settings.profiles]
        self.brand_of = {profile.connector: settings.brand(profile.brand) for profile in settings.profiles}
        self.profile_of = {profile.connector: profile for profile in settings.profiles}
        with database.read() as session:
            self.rows = list(session.execute(select(PostRow)).scalars())
            self.replies = {row.id: row for row in session.execute(select(ReplyRow)).scalars()}
            session.expunge_all()
        self.counts = Counter(f"posts {row.outcome or row.state}" for row in self.rows if not row.ours)
        self.counts.update(f"replies {row.kind} {row.state}" for row in self.replies.values())
        self._robot = {
            network: list(filter(_is_automatic, world.by_author(network, BRAND))) for network in self.networks
        }

    # the networks' side

    def robot(self, network: str) -> list[WorldPost]:
        """What our API published and calls itself automatic."""
        return self._robot[network]

    def people(self, network: str) -> list[WorldPost]:
        mine = self.world.by_author(network, BRAND)
        return [post for post in mine if post.parent is not None and not _is_automatic(post)]

    def answered_customer(self, post: WorldPost) -> WorldPost:
        parent = self.world.post(post.parent or 0)
        assert parent is not None
        return parent

    def kind(self, post: WorldPost) -> str:
        """Which reply of the desk this public post is."""
        parent = self.answered_customer(post)
        for row in self.replies.values():
            if row.state in ("sent", "sending", "unknown") and row.text == _without_mention(post.text):
                at = row.sent_at or row.intended_at
                if at is not None and abs((at - post.created_at).total_seconds()) < 120:
                    return row.kind
        return f"unexplained under {parent.sequence}"

    def visible(self, network: str) -> Iterator[WorldPost]:
        """Customers' live posts that this network shows to the shop."""
        ours = {post.sequence for post in self.world.by_author(network, BRAND)}
        for post in self.world.posts(network, deleted=True):
            if post.author.key == BRAND or not self.start < post.created_at <= self.end - HOUR:
                continue
            addressed = post.mentions_brand or post.kind in (PostKind.QUOTE, PostKind.VISITOR_POST, PostKind.TAGGED)
            if addressed or post.parent in ours or (post.kind is PostKind.COMMENT and post.root in ours):
                yield post

    # the promises

    def every_post_ends_somewhere(self) -> Check:
        broken: list[str] = []
        known = Counter((row.network, _second(row.created_at), row.kind) for row in self.rows)
        checked = 0
        for network in self.networks:
            for post in self.visible(network):
                checked += 1
                if post.deleted and (post.deleted_at or self.end) - post.created_at < timedelta(minutes=10):
                    continue  # gone before anybody could have polled it
                if not any(known[network, _second(post.created_at), kind.value] for kind in PostKind):
                    broken.append(f"{network} post {post.sequence} of {post.created_at} is not in the database")
        for row in self.rows:
            if row.state in ("new", "failed") or (row.outcome is None and row.state != "waiting"):
                broken.append(f"post row {row.id} is {row.state}")
            if row.outcome == "ignored" and not row.reason:
                broken.append(f"post row {row.id} is ignored without a reason")
        return Check(
            promise="every inbound post ends as answered, escalated, ignored with a reason, or waiting",
            checked=checked,
            broken=tuple(broken),
        )

    def nobody_is_answered_twice(self) -> Check:
        broken, checked = [], 0
        for network in self.networks:
            by_conversation: dict[tuple[int, str], list[WorldPost]] = defaultdict(list)
            for post in self.robot(network):
                parent = self.answered_customer(post)
                by_conversation[parent.root, parent.author.key].append(post)
            for (root, author), posts in by_conversation.items():
                checked += 1
                plain = sorted(post.created_at for post in posts if self.kind(post) != "hand-over")
                close = [later for earlier, later in pairwise(plain) if later - earlier < 24 * HOUR]
                if close or len(posts) - len(plain) > 1:
                    broken.append(f"{network} thread {root}, {author}: {len(posts)} automatic texts")
        return Check(promise="nobody is answered twice by the robot", checked=checked, broken=tuple(broken))

    def nobody_waits_longer_than_the_hour(self) -> Check:
        broken, checked = [], 0
        for network in self.networks:
            for post in self.robot(network):
                checked += 1
                waited = post.created_at - self.answered_customer(post).created_at
                if waited > HOUR:
                    broken.append(f"{network} post {post.sequence} came {waited} after the customer")
        return Check(promise="no automatic text is later than 60 minutes", checked=checked, broken=tuple(broken))

    def no_acknowledgement_outside_hours(self) -> Check:
        broken, checked = [], 0
        for network in self.networks:
            oracle = self.oracles[self.brand_of[network].name]
            for post in self.robot(network):
                if self.kind(post) == "acknowledgement":
                    checked += 1
                    if not oracle.is_open(post.created_at):
                        broken.append(f"{network} post {post.sequence} acknowledged at {post.created_at}, closed")
        return Check(promise="no acknowledgement outside hours", checked=checked, broken=tuple(broken))

    def notices_tell_the_truth(self) -> Check:
        broken, checked = [], 0
        for network in self.networks:
            oracle = self.oracles[self.brand_of[network].name]
            for post in self.robot(network):
                if self.kind(post) != "closed-notice":
                    continue
                checked += 1
                opening = oracle.next_opening(post.created_at)
                if not self.profile_of[network].closed_notice:
                    broken.append(f"{network} post {post.sequence}: a notice where they are off")
                elif oracle.is_open(post.created_at):
                    broken.append(f"{network} post {post.sequence}: a closed notice at {post.created_at}, open")
                elif not re.search(rf"\b0?{opening.hour}:{opening.minute:02d}\b", post.text):
                    broken.append(f"{network} post {post.sequence} does not say {opening:%A %H:%M}")
        return Check(
            promise="closed notices only where on, with the true opening time", checked=checked, broken=tuple(broken)
        )

    def the_robot_is_silent_after_a_person(self) -> Check:
        broken, checked = [], 0
        for network in self.networks:
            for answer in self.people(network):
                customer = self.answered_customer(answer)
                if customer.author.key == BRAND:
                    continue
                checked += 1
                for post in self.robot(network):
                    parent = self.answered_customer(post)
                    same = (parent.root, parent.author.key) == (customer.root, customer.author.key)
                    if same and parent.created_at <= answer.created_at < post.created_at:
                        broken.append(f"{network} post {post.sequence} came after the answer {answer.sequence}")
        return Check(promise="nothing automatic where a person answered", checked=checked, broken=tuple(broken))

    def one_hand_over(self) -> Check:
        broken: list[str] = []
        handed: Counter[int] = Counter()
        for row in self.replies.values():
            if row.kind == "hand-over" and row.state in ("sent", "unknown", "sending"):
                handed[row.conversation_id] += 1
        asked = {row.conversation_id for row in self.rows if (row.reason or "").startswith("wants-human")}
        broken += [f"conversation {key}: {count} confirmations" for key, count in handed.items() if count > 1]
        broken += [f"conversation {key}: handed over, nobody asked" for key in handed if key not in asked]
        confirmed = {
            row.conversation_id
            for row in self.rows
            if (row.reason or "").startswith("wants-human: asks for a human: conf")
        }
        broken += [
            f"conversation {key}: a person was asked for and nobody confirmed"
            for key in confirmed - set(handed)
            if not self._gone_or_answered(key)
        ]
        return Check(
            promise="one hand-over confirmation where a human was asked for", checked=len(asked), broken=tuple(broken)
        )

    def _gone_or_answered(self, conversation_id: int) -> bool:
        mine = [row for row in self.replies.values() if row.conversation_id == conversation_id]
        return any(row.state == "cancelled" and "person answered" in (row.reason or "") for row in mine) or any(
            row.deleted_at for row in self.rows if row.conversation_id == conversation_id
        )

    def nobody_who_said_stop_hears_the_robot(self) -> Check:
        broken, checked = [], 0
        stops = {
            (row.network, row.author_id): row.received_at
            for row in self.rows
            if (row.reason or "").startswith("opt-out")
        }
        for reply in self.replies.values():
            for (_network, author_id), since in stops.items():
                if reply.author_id == author_id and reply.sent_by == "robot":
                    checked += 1
                    if reply.sent_at is not None and reply.intended_at is not None and reply.intended_at > since + HOUR:
                        broken.append(f"reply {reply.id} was sent to an author who had said stop")
        return Check(promise="nobody who said stop hears the robot again", checked=len(stops), broken=tuple(broken))

    def robots_are_not_answered(self) -> Check:
        broken, checked = [], 0
        for network in self.networks:
            for post in self.robot(network):
                checked += 1
                if self.answered_customer(post).author.is_bot:
                    broken.append(f"{network} post {post.sequence} answers a bot")
        return Check(promise="no robot is answered", checked=checked, broken=tuple(broken))


def check_all(facts: Facts) -> list[Check]:
    """Every promise, in the order in which they are told."""
    return [
        facts.every_post_ends_somewhere(),
        facts.nobody_is_answered_twice(),
        facts.nobody_waits_longer_than_the_hour(),
        facts.no_acknowledgement_outside_hours(),
        facts.notices_tell_the_truth(),
        facts.the_robot_is_silent_after_a_person(),
        facts.one_hand_over(),
        facts.nobody_who_said_stop_hears_the_robot(),
        facts.robots_are_not_answered(),
    ]


def in_words(checks: Sequence[Check]) -> list[str]:
    """The checks for a terminal, each broken one with its first ten cases."""
    lines: list[str] = []
    for check in checks:
        lines.append(f"{'kept  ' if check.kept else 'BROKEN'}  {check.promise} ({check.checked} checked)")
        lines += [f"          {text}" for text in check.broken[:10]]
        if len(check.broken) > 10:
            lines.append(f"          ... and {len(check.broken) - 10} more")
    return lines


def as_dicts(checks: Sequence[Check]) -> list[dict[str, object]]:
    """The checks for scripts."""
    return [{"promise": check.promise, "checked": check.checked, "broken": check.broken} for check in checks]


def _is_automatic(post: WorldPost) -> bool:
    return post.via == "api" and AUTOMATIC_MARK in post.text.casefold()


def _without_mention(text: str) -> str:
    words = text.split(" ")
    while words and words[0].startswith("@"):
        words.pop(0)
    return " ".join(words)


def _second(at: datetime) -> int:
    return int(at.timestamp())
