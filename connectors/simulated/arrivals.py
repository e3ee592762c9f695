"""When customers write, who they are and what they say: a stream that depends on the seed and on time alone.

Shares: 14 % of customers' posts on brand profiles come at night (22 to 6) and 29 % at weekends (Sotrender, 2017); the
hours within day and night follow a plain double hump.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from zoneinfo import ZoneInfo

from connectors.simulated.library import CustomerText, Library, Member, ShopText, WorldOptions
from social.domain.post import PostKind

NIGHT_SHARE = 0.14
WEEKEND_SHARE = 0.29
#: By local hour; only the proportions within the night (22 to 6) and within the day matter.
HUMPS = (1.5, 0.9, 0.6, 0.5, 0.7, 1.4, 2, 3, 4, 5, 6, 6, 5.5, 5, 5, 5, 5.5, 6, 6.5, 7, 6.5, 5, 3.5, 2.5)
#: Out of ten posts about two are by the named cast, the rest by others, so that nobody writes every day.
CAST_SHARE = 0.2
OTHERS = {"pl": 1500, "en": 400}
WEEK = timedelta(days=7)
#: Roles that do not come by chance: bursts, and what follows from an earlier post.
PLANNED_ROLES = frozenset({"outage", "repeat"})

_WOMAN_SPEAKS = re.compile(r"\w[aeiyuąę][lł](am|abym)\b", re.IGNORECASE)
_MAN_SPEAKS = re.compile(r"\w[aeiyuąę](łem|łbym)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A customer's first post. ``draw`` (0 to 1) picks the shop's post that it stands under."""

    at: datetime
    network: str
    kind: PostKind
    author: Member
    text: CustomerText
    draw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopArrival:
    """A post of the shop's, on every network at once."""

    at: datetime
    text: ShopText


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A post that does not come by chance. ``kind``: by chance where ``None``."""

    at: datetime
    network: str
    text: CustomerText
    kind: PostKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPost:
    """A post that really happened, to happen again at ``at``. ``author`` is ``None`` for the shop, whose people wrote it
    in the network's own app; ``key`` and ``parent`` (the ``key`` that it answers) are the recording's own.
    """

    key: str
    at: datetime
    author: Member | None
    text: str
    parent: str | None = None


def hour_weights() -> tuple[float, ...]:
    """The share of a day's posts in each local hour; they sum to 1, the night's to ``NIGHT_SHARE``."""
    night = sum(weight for hour, weight in enumerate(HUMPS) if is_night(hour))
    day = sum(HUMPS) - night
    return tuple(
        weight / night * NIGHT_SHARE if is_night(hour) else weight / day * (1 - NIGHT_SHARE)
        for hour, weight in enumerate(HUMPS)
    )


def is_night(hour: int) -> bool:
    return hour >= 22 or hour < 6


class Arrivals:
    """Hands out the posts of one hour after the other. Keeps what it needs not to repeat itself."""

    def __init__(self, *, library: Library, start: datetime, options: WorldOptions) -> None:
        self.library = library
        self.options = options
        self.start = start
        self.begin = (start - timedelta(days=options.history_days)).replace(minute=0, second=0, microsecond=0)
        self._zone = ZoneInfo(options.timezone)
        self._hour_weights = hour_weights()
        self._bags: dict[tuple[str, str], list[CustomerText]] = {}
        self._rounds: dict[tuple[str, str], int] = {}
        self._said: dict[tuple[str, str], datetime] = {}
        self._shop_turn = 0
        scene = list(self._scene())
        self._planned = sorted([*scene, *self._outage()], key=lambda planned: planned.at)
        #: The scene's texts are kept for it, so that nobody has read (and their authors have not said) them before.
        self._held = frozenset(planned.text.key for planned in scene)
        self._held_until = max((planned.at for planned in scene), default=start)

    def hour(self, begin: datetime) -> list[Arrival | ShopArrival]:
        """Everything that arrives in the hour from ``begin``, in order of time. Hours must be asked for in order."""
        dice = Random(f"{self.options.seed}/hour/{begin.isoformat()}")
        makers: list[tuple[datetime, Callable[[datetime], Arrival | ShopArrival | None]]] = []
        makers.extend((at, partial(self._chance, dice)) for at in self._moments(begin, dice))
        makers.extend(
            (planned.at, partial(self._said_by, dice, planned.network, planned.text, kind=planned.kind))
            for planned in self._planned
            if begin <= planned.at < begin + timedelta(hours=1)
        )
        makers.extend((at, self._shop_post) for at in self._shop_moments(begin))
        makers.sort(key=lambda maker: maker[0])
        made = (make(at) for at, make in makers)
        return [arrival for arrival in made if arrival is not None]

    # --- when -------------------------------------------------------------------------------------------------------

    def _moments(self, begin: datetime, dice: Random) -> Iterator[datetime]:
        """A Poisson process, thinned where the start (another rate) lies within the hour."""
        local = begin.astimezone(self._zone)
        per_day = WEEKEND_SHARE * 7 / 2 if local.weekday() >= 5 else (1 - WEEKEND_SHARE) * 7 / 5
        share = per_day * self._hour_weights[local.hour]
        before, after = self.options.history_posts_per_day * share, self.options.posts_per_day * share
        end = begin + timedelta(hours=1)
        highest = before if end <= self.start else after if begin >= self.start else max(before, after)
        if highest <= 0:
            return
        at = begin
        while True:
            at += timedelta(hours=dice.expovariate(highest))
            if at >= end:
                return
            rate = before if at < self.start else after
            if dice.random() * highest < rate:
                yield at.replace(microsecond=at.microsecond // 1000 * 1000)

    def _shop_moments(self, begin: datetime) -> Iterator[datetime]:
        """The shop posts once a day, between 9 and 16 h, and at the very beginning, so that there is something to
        answer.
        """
        if not self.library.shop_texts:
            return
        if begin == self.begin:
            yield begin
            return
        local = begin.astimezone(self._zone)
        day = Random(f"{self.options.seed}/shop/{local.date().isoformat()}")
        if local.hour == day.randint(9, 15):
            yield begin + timedelta(minutes=day.randint(0, 59))

    def _shop_post(self, at: datetime) -> ShopArrival:
        text = self.library.shop_texts[self._shop_turn % len(self.library.shop_texts)]
        self._shop_turn += 1
        return ShopArrival(at=at, text=text)

    def _scene(self) -> Iterator[Planned]:
        """The scene's posts, each in its network's commonest way and each with a text of its own."""
        if not self.options.scene:
            return
        taken: set[str] = set()
        for item in self.library.scene:
            text = self.library.scene_text(item, taken)
            taken.add(text.key)
            ways = self.library.networks[item.network].ways
            kind = max(ways, key=lambda way: ways[way]) if text.role != "mention_only" else None
            yield Planned(at=self.start + item.after, network=item.network, text=text, kind=kind)

    def _outage(self) -> Iterator[Planned]:
        """The shop's payments break for an hour: everybody writes at once, most of them early."""
        texts = [text for text in self.library.texts if text.role == "outage"]
        if self.options.outage == "none" or not texts:
            return
        dice = Random(f"{self.options.seed}/outage")
        if isinstance(self.options.outage, str):
            day = (self.start.astimezone(self._zone) + timedelta(days=dice.randint(1, 3))).date()
            begin = datetime(day.year, day.month, day.day, dice.randint(11, 19), dice.randint(0, 59), tzinfo=self._zone)
        else:
            begin = self.start + timedelta(hours=self.options.outage)
        dice.shuffle(texts)
        for text in texts:
            network = self._network(dice, text)
            at = begin.astimezone(UTC) + timedelta(minutes=60 * dice.random() ** 1.6)
            yield Planned(at=at, network=network, text=text)

    # --- who and what -----------------------------------------------------------------------------------------------

    def _chance(self, dice: Random, at: datetime) -> Arrival | None:
        network = self._network(dice, None)
        language = dice.choices(list(self.library.language_weights), list(self.library.language_weights.values()))[0]
        held = self._held if at <= self._held_until else frozenset[str]()
        while (text := self._text(dice, network, language, held)) is not None:
            said = self._said_by(dice, network, text, at)
            if said is not None:  # else a bot's line, and the bot said it this week
                return said
        return None

    def _network(self, dice: Random, text: CustomerText | None) -> str:
        plans = self.library.networks
        names = [name for name in plans if text is None or not text.networks or name in text.networks] or list(plans)
        return dice.choices(names, [plans[name].share for name in names])[0]

    def _text(self, dice: Random, network: str, wanted: str, held: frozenset[str]) -> CustomerText | None:
        """Something in the ``wanted`` language, or in another where there is nothing in it."""
        for language in (wanted, *(other for other in self.library.language_weights if other != wanted)):
            roles = sorted(
                {text.role for text in self.library.texts if text.language == language and text.key not in held}
                - PLANNED_ROLES
            )
            if roles:
                weights = [self.library.role_weights.get(role, 1.0) for role in roles]
                return self._from_bag(dice.choices(roles, weights)[0], language, network, held)
        return None

    def _from_bag(self, role: str, language: str, network: str, held: frozenset[str]) -> CustomerText:
        """The next text of the role that is not held; when all were used they come again in another order."""
        bag = self._bags.setdefault((role, language), [])

        def fitting(texts: list[CustomerText]) -> CustomerText | None:
            free = (text for text in texts if text.key not in held)
            return next((text for text in free if not text.networks or network in text.networks), None)

        text = fitting(bag)
        if text is None:
            turn = self._rounds[role, language] = self._rounds.get((role, language), 0) + 1
            again = [text for text in self.library.texts if text.role == role and text.language == language]
            again = [text for text in again if text not in bag]
            Random(f"{self.options.seed}/bag/{role}/{language}/{turn}").shuffle(again)
            bag.extend(again)
            text = fitting(bag) or next(text for text in bag if text.key not in held)
        bag.remove(text)
        return text

    def _said_by(
        self, dice: Random, network: str, text: CustomerText, at: datetime, *, kind: PostKind | None = None
    ) -> Arrival | None:
        author = self._author(at, text, dice)
        if author is None:
            return None
        self._said[author.key, text.key] = at
        way = kind or self._kind(dice, network, text)
        return Arrival(at=at, network=network, kind=way, author=author, text=text, draw=dice.random())

    def _kind(self, dice: Random, network: str, text: CustomerText) -> PostKind:
        ways = self.library.networks[network].ways
        if text.role == "mention_only":  # about the shop, not to it
            return PostKind.TAGGED if PostKind.TAGGED in ways else PostKind.MENTION
        return dice.choices(list(ways), list(ways.values()))[0]

    def _author(self, at: datetime, text: CustomerText, dice: Random) -> Member | None:
        """Somebody who fits the text and did not say it within a week; ``None`` if only its own bot could have said
        it.
        """
        own = self.library.members.get(text.author or "")
        if own is not None and self._fresh(own, text, at):
            return own
        if own is not None and own.is_bot:
            return None
        woman = speaks_as_woman(text.text)
        if dice.random() < CAST_SHARE:
            fitting = [
                member
                for member in self.library.members.values()
                if member.language == text.language
                and not (member.is_bot or member.deleted)
                and woman in (None, is_woman(member))
                and self._fresh(member, text, at)
            ]
            if fitting:
                return dice.choice(fitting)
        while True:
            other = self.library.other(text.language, dice.randrange(OTHERS.get(text.language, 400)), woman)
            if self._fresh(other, text, at):
                return other

    def _fresh(self, member: Member, text: CustomerText, at: datetime) -> bool:
        last = self._said.get((member.key, text.key))
        return last is None or at - last >= WEEK


def speaks_as_woman(text: str) -> bool | None:
    """Polish past forms tell who speaks; ``None`` where they do not."""
    woman, man = _WOMAN_SPEAKS.search(text) is not None, _MAN_SPEAKS.search(text) is not None
    return woman if woman != man else None


def is_woman(member: Member) -> bool:
    return member.name.split(" ")[0].endswith("a")
