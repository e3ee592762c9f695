"""What the world is made of, read from ``texts/``: people, what they say, the shop's own posts, the networks, the
scene.
"""

from __future__ import annotations

import hashlib
import json
import re
import string
import tomllib
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from social.domain.errors import ConfigurationError
from social.domain.post import PostKind

T = TypeVar("T")

_OTHER_KEY = re.compile(r"([a-z]{2})-([fm])-(\d+)")
_INITIALS = "".join(letter for letter in string.ascii_uppercase if letter not in "QVXY")

TEXTS = Path(__file__).with_name("texts")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldOptions:
    """What the world is like. Stored in the history's first line: a history belongs to one set of options.

    ``posts_per_day`` is the live rate, ``history_posts_per_day`` that of the ``history_days`` before the start.
    ``outage``: ``"seeded"`` (one to three days after the start, between 11 and 20 h), ``"none"``, or hours after the
    start. ``scene``: play the opening scene of ``texts/scene.toml``.
    """

    seed: int = 1
    posts_per_day: float = 400.0
    history_posts_per_day: float = 60.0
    history_days: int = 14
    outage: str | float = "seeded"
    scene: bool = True
    timezone: str = "Europe/Warsaw"

    def __post_init__(self) -> None:
        if self.posts_per_day < 0 or self.history_posts_per_day < 0 or self.history_days < 0:
            raise ValueError("posts_per_day, history_posts_per_day and history_days must not be negative")
        if isinstance(self.outage, str) and self.outage not in ("seeded", "none"):
            raise ValueError(f'outage must be "seeded", "none" or hours after the start, got {self.outage!r}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """Something said ``after`` a post."""

    after: timedelta
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerText:
    """One entry of ``customers.jsonl``: a post and what becomes of it."""

    key: str
    language: str
    role: str
    text: str
    sentiment: str = "neutral"
    urgency: str = "normal"
    flags: tuple[str, ...] = ()
    follow_ups: tuple[Later, ...] = ()
    edit: Later | None = None
    delete_after: timedelta | None = None
    photo: str | None = None
    thanks: str | None = None
    owner_answer: Later | None = None
    author: str | None = None
    repeat_of: str | None = None
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopText:
    """One entry of ``shop.jsonl``: what the shop publishes by itself."""

    key: str
    language: str
    text: str
    photo: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody of the cast; the same person on every network. ``line``: answers every post to them with it."""

    key: str
    name: str
    handle: str
    language: str
    joined: date
    is_bot: bool = False
    deleted: bool = False
    line: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlan:
    """How customers reach the shop on one network. ``ways`` weighs the kinds of a first post; ``conversation`` is the
    kind of a post inside a thread; ``address`` says, by kind, how a text addresses the shop (``{brand}``,
    ``{text}``).
    """

    name: str
    share: float
    brand_handle: str
    handle: str
    ways: Mapping[PostKind, float]
    conversation: PostKind
    address: Mapping[PostKind, str]

    def addressed(self, text: str, kind: PostKind, *, aside: bool = False) -> str:
        """``text`` as a customer writes it here; ``aside``: the shop is only named along, at the end."""
        template = self.address.get(kind, "{text}")
        if aside and "{brand}" in template:
            template = "{text} @{brand}"
        return template.format(text=text, brand=self.brand_handle)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneItem:
    """One post of the opening scene: a text by ``key``, or the first of ``role`` (and ``urgency``, ``language``)."""

    after: timedelta
    network: str
    key: str | None = None
    role: str | None = None
    urgency: str | None = None
    language: str | None = None


@dataclass(frozen=True, kw_only=True)  # no slots: cached_property needs a dict
class Library:
    shop_name: str
    owner: str
    members: Mapping[str, Member]
    texts: tuple[CustomerText, ...]
    shop_texts: tuple[ShopText, ...]
    networks: Mapping[str, NetworkPlan]
    scene: tuple[SceneItem, ...] = ()
    role_weights: Mapping[str, float] = field(default_factory=dict)
    language_weights: Mapping[str, float] = field(default_factory=lambda: {"pl": 0.8, "en": 0.2})
    given_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def fingerprint(self) -> str:
        """Changes with any text, person or plan: a history replays only over the library that it was written over."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def member(self, key: str) -> Member | None:
        """The cast member or the other customer with this key."""
        if key in self.members:
            return self.members[key]
        return self.other_by_key(key) if _OTHER_KEY.fullmatch(key) else None

    @cached_property
    def by_key(self) -> Mapping[str, CustomerText]:
        return {text.key: text for text in self.texts}

    @cached_property
    def repeats(self) -> Mapping[str, tuple[CustomerText, ...]]:
        """Texts that ask again, by the key of the text that they repeat."""
        found: dict[str, tuple[CustomerText, ...]] = {}
        for text in self.texts:
            if text.repeat_of is not None:
                found[text.repeat_of] = (*found.get(text.repeat_of, ()), text)
        return found

    def scene_text(self, item: SceneItem, taken: Collection[str] = ()) -> CustomerText:
        """The text of a scene item, not one of those ``taken``. Raises ``ConfigurationError`` where none fits."""
        if item.network not in self.networks:
            raise ConfigurationError(
                f"the scene item at {item.after} is for {item.network!r}, but there are {', '.join(self.networks)}",
                resource="scene.toml",
            )
        for text in self.texts:
            if (
                text.key not in taken
                and item.key in (None, text.key)
                and item.role in (None, text.role)
                and item.urgency in (None, text.urgency)
                and item.language in (None, text.language)
                and (not text.networks or item.network in text.networks)
            ):
                return text
        raise ConfigurationError(
            f"no text fits the scene item at {item.after} (key {item.key}, role {item.role}, urgency {item.urgency}, "
            f"language {item.language}, network {item.network})",
            resource="scene.toml",
            next_step="Add a text or change the item.",
        )

    def other(self, language: str, number: int, woman: bool | None = None) -> Member:
        """One of the many customers outside the cast: a given name and an initial. The key tells everything."""
        gender = {True: "f", False: "m", None: "fm"[number % 2]}[woman]
        return self.other_by_key(f"{language}-{gender}-{number}")

    def other_by_key(self, key: str) -> Member:
        """The customer behind a key of ``other``. Raises ``KeyError`` for any other key."""
        match = _OTHER_KEY.fullmatch(key)
        if match is None:
            raise KeyError(key)
        language, gender, number = match.groups()
        names = self.given_names[f"{language}_{gender}"]
        index = int(number)
        given, initial = names[index % len(names)], _INITIALS[index // len(names) % len(_INITIALS)]
        handle = unicodedata.normalize("NFKD", given.lower().replace("ł", "l")).encode("ascii", "ignore").decode()
        joined = date(2009, 1, 1) + timedelta(days=index * 37 % 5900)
        return Member(
            key=key,
            name=f"{given} {initial}.",
            handle=f"{handle}{initial.lower()}{index}",
            language=language,
            joined=joined,
        )


# --- reading the files ----------------------------------------------------------------------------------------------


def load_library(folder: Path = TEXTS) -> Library:
    """Read ``cast.toml``, ``customers.jsonl``, ``shop.jsonl`` and ``scene.toml``. Raises ``ConfigurationError``
    naming file and line.
    """
    cast, scene = _toml(folder / "cast.toml"), _toml(folder / "scene.toml")
    members = {entry["id"]: _member(entry) for entry in cast.get("customer", [])}
    library = Library(
        shop_name=cast["shop"]["name"],
        owner=cast["shop"].get("owner", ""),
        members=members,
        texts=tuple(_parsed(folder / "customers.jsonl", customer_text)),
        shop_texts=tuple(_parsed(folder / "shop.jsonl", shop_text)),
        networks={name: network_plan(name, values) for name, values in scene["networks"].items()},
        scene=tuple(_scene_item(values) for values in scene.get("scene", [])),
        role_weights=scene.get("roles", {}),
        language_weights=scene.get("languages", {"pl": 0.8, "en": 0.2}),
        given_names={name: tuple(names) for name, names in scene.get("given_names", {}).items()},
    )
    keys = [text.key for text in library.texts]
    twice = sorted({key for key in keys if keys.count(key) > 1}) if len(set(keys)) < len(keys) else []
    if twice:
        raise ConfigurationError(
            f"keys used twice: {', '.join(twice)}",
            resource=str(folder / "customers.jsonl"),
            next_step="Give every text its own key.",
        )
    return library


def customer_text(values: Mapping[str, Any]) -> CustomerText:
    """One object of ``customers.jsonl``. Raises ``KeyError`` or ``TypeError`` where a field is missing or odd."""
    edit, answer, deleted = values.get("edit"), values.get("owner_answer"), values.get("delete_after_minutes")
    return CustomerText(
        key=values["key"],
        language=values["lang"],
        role=values["role"],
        text=values["text"],
        sentiment=values.get("sentiment", "neutral"),
        urgency=values.get("urgency", "normal"),
        flags=tuple(values.get("flags", ())),
        follow_ups=tuple(_later(later) for later in values.get("follow_ups", ())),
        edit=_later(edit) if edit else None,
        delete_after=timedelta(minutes=deleted) if deleted is not None else None,
        photo=values.get("photo"),
        thanks=values.get("thanks"),
        owner_answer=_later(answer) if answer else None,
        author=values.get("author"),
        repeat_of=values.get("repeat_of"),
        networks=tuple(values.get("networks", ())),
    )


def shop_text(values: Mapping[str, Any]) -> ShopText:
    return ShopText(key=values["key"], language=values["lang"], text=values["text"], photo=values.get("photo"))


def network_plan(name: str, values: Mapping[str, Any]) -> NetworkPlan:
    """One ``[networks.<name>]`` table of ``scene.toml``."""
    return NetworkPlan(
        name=name,
        share=values["share"],
        brand_handle=values["brand_handle"],
        handle=values["handle"],
        ways={PostKind(kind): weight for kind, weight in values["ways"].items()},
        conversation=PostKind(values["conversation"]),
        address={PostKind(kind): template for kind, template in values.get("address", {}).items()},
    )


def _later(values: Mapping[str, Any]) -> Later:
    return Later(after=timedelta(minutes=values["after_minutes"]), text=values["text"])


def _member(values: Mapping[str, Any]) -> Member:
    return Member(
        key=values["id"],
        name=values["name"],
        handle=values["handle"],
        language=values.get("lang", "pl"),
        joined=values["joined"],
        is_bot=values.get("bot", False),
        deleted=values.get("deleted", False),
        line=values.get("line"),
    )


def _scene_item(values: Mapping[str, Any]) -> SceneItem:
    return SceneItem(
        after=timedelta(minutes=values["after_minutes"]),
        network=values["network"],
        key=values.get("key"),
        role=values.get("role"),
        urgency=values.get("urgency"),
        language=values.get("lang"),
    )


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"cannot be read: {error}", resource=str(path)) from None


def _parsed(path: Path, parse: Callable[[Mapping[str, Any]], T]) -> Iterator[T]:
    """Each line of a JSON Lines file, parsed; empty lines and lines that start with ``#`` are skipped."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error}", resource=str(path)) from None
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            try:
                yield parse(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigurationError(
                    f"is not a text of this file ({type(error).__name__}: {error})",
                    resource=f"{path}:{number}",
                    next_step="Compare it with the other lines.",
                ) from None
