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
from social.store.tables import EscalationRow, PostRow, ReplyRow

HOUR = timedelta(minutes=60)
ASKS_FOR_A_HUMAN = "wants_human"
_ANSWERED_BEFORE = "already-answered: a person has answered it already"

# How the day of an opening is named, told once more than in the texts themselves, so that a wrong table there is found.
_TODAY_TOMORROW = (("dziś", "today"), ("jutro", "tomorrow"))
_WEEKDAYS = (
    ("w poniedziałek", "on Monday"),
    ("we wtorek", "on Tuesday"),
    ("w środę", "on Wednesday"),
    ("w czwartek", "on Thursday"),
    ("w piątek", "on Friday"),
    ("w sobotę", "on Saturday"),
    ("w niedzielę", "on Sunday"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise: how many cases it was checked on, and where it was broken. With no case it says nothing."""

    promise: str
    checked: int
    broken: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        return not self.broken

    @property
    def tried(self) -> bool:
        return self.checked > 0


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

    def in_words(self, opening: datetime, *, said_at: datetime) -> tuple[str, ...]:
        """The beginnings by which a customer knows the day of ``opening``, one a language."""
        day, today = opening.astimezone(self._zone).date(), said_at.astimezone(self._zone).date()
        ahead = (day - today).days
        return _TODAY_TOMORROW[ahead] if ahead < 2 else _WEEKDAYS[day.weekday()]

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
            self.cases = list(session.execute(select(EscalationRow)).scalars())
            session.expunge_all()
        self._rows_at: dict[tuple[str, int], list[PostRow]] = defaultdict(list)
        for row in self.rows:
            self._rows_at[row.network, _second(row.created_at)].append(row)
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

    def _vanished(self, post: WorldPost) -> bool:
        """Gone before anybody could have polled it."""
        return post.deleted_at is not None and post.deleted_at - post.created_at < timedelta(minutes=10)

    # the promises

    def every_post_ends_somewhere(self) -> Check:
        broken: list[str] = []
        checked = 0
        for network in self.networks:
            for post in self.visible(network):
                checked += 1
                if not self._rows_at[network, _second(post.created_at)] and not self._vanished(post):
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
                kind, is_open = self.kind(post), oracle.is_open(post.created_at)
                if kind != "closed-notice" and (kind != "hand-over" or is_open):
                    continue
                checked += 1
                opening = oracle.next_opening(post.created_at)
                if kind == "closed-notice" and not self.profile_of[network].closed_notice:
                    broken.append(f"{network} post {post.sequence}: a notice where they are off")
                elif is_open:
                    broken.append(f"{network} post {post.sequence}: a closed notice at {post.created_at}, open")
                elif not any(
                    re.search(rf"\b{day}\b.{{0,20}}\b{opening.hour}:{opening.minute:02d}\b", post.text)
                    for day in oracle.in_words(opening, said_at=post.created_at)
                ):
                    broken.append(f"{network} post {post.sequence} does not say {opening:%A %H:%M}")
        return Check(
            promise="outside hours the robot tells the true day and hour of the opening, notices only where they are on",
            checked=checked,
            broken=tuple(broken),
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

    def what_a_person_answered_is_done(self) -> Check:
        """By the network's own threads: a customer's last word, a person's answer after it, and no open case. Where the network
        did not show that word to the shop, nobody could know to whom the answer was."""
        broken: list[str] = []
        answers: dict[tuple[str, int, str], datetime] = {}
        for network in self.networks:
            shown = {post.sequence for post in self.visible(network)}
            for answer in self.people(network):
                customer = self.answered_customer(answer)
                if customer.sequence in shown and self.start < answer.created_at <= self.end - HOUR:
                    answers[network, customer.root, customer.author.key] = answer.created_at
        last_words = {
            (post.network, post.root, post.author.key): max(post.created_at, post.edited_at or post.created_at)
            for network in self.networks
            for post in self.world.posts(network)
        }
        done = {key for key, at in answers.items() if last_words.get(key, at) < at}
        open_cases = {case.conversation_id for case in self.cases if case.state in ("open", "taken")}
        for network in self.networks:
            for post in self.world.posts(network):
                if (network, post.root, post.author.key) not in done:
                    continue
                for row in self._rows_at[network, _second(post.created_at)]:
                    if row.conversation_id in open_cases and row.text == post.text:
                        broken.append(f"{network} post {post.sequence} was answered, its case is still open")
        return Check(promise="what a person answered waits for nobody", checked=len(done), broken=tuple(broken))

    def whoever_asks_for_a_human_gets_one(self) -> Check:
        """By the roles in which the simulated customers wrote, whatever the judge made of their words."""
        broken, checked = [], 0
        flags = {text.key: text.flags for text in self.world.library.texts}
        for network in self.networks:
            for post in self.visible(network):
                if ASKS_FOR_A_HUMAN not in flags.get(post.text_key or "", ()) or post.edits or self._vanished(post):
                    continue
                checked += 1
                rows = self._rows_at[network, _second(post.created_at)]
                seen = any(row.outcome == "escalated" or row.reason == _ANSWERED_BEFORE for row in rows)
                if not seen:
                    broken.append(f"{network} post {post.sequence}: no person was sent after {post.text!r}")
        return Check(promise="whoever asks for a human gets to one", checked=checked, broken=tuple(broken))

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
        broken = []
        stops = {row.author_id: row.received_at for row in self.rows if (row.reason or "").startswith("opt-out")}
        for reply in self.replies.values():
            since = stops.get(reply.author_id) if reply.sent_by == "robot" else None
            if since is None or reply.sent_at is None or reply.intended_at is None:
                continue
            if reply.intended_at > since + HOUR:
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
        facts.what_a_person_answered_is_done(),
        facts.whoever_asks_for_a_human_gets_one(),
        facts.one_hand_over(),
        facts.nobody_who_said_stop_hears_the_robot(),
        facts.robots_are_not_answered(),
    ]


def in_words(checks: Sequence[Check]) -> list[str]:
    """The checks for a terminal, each broken one with its first ten cases."""
    lines: list[str] = []
    for check in checks:
        verdict = "BROKEN" if check.broken else "kept" if check.tried else "-"
        tried = f"{check.checked} checked" if check.tried else "nothing to try it on"
        lines.append(f"{verdict:6}  {check.promise} ({tried})")
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
