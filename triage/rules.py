"""Readable rules: what a text asks for or warns of, found by its words. Pure; the words themselves stand in
``rules.toml`` and, those of the people who use it, in ``[triage.rules]`` of config.toml (``triage/own_rules.py``).

A rule can only raise the urgency or set a flag; it never makes a text less urgent and never says that all is well. The
notation of a pattern is explained in ``triage/notation.py`` and, for people, in docs/rules.md.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from social.domain.assessment import Flag, Reason, Urgency
from triage.notation import FoldedText, Pattern, compile_pattern, fold_text

#: Where something stands, from the table that was read on (``("own", 0, "pl", 2)``), and what is wrong with it.
Problem = tuple[tuple[str | int, ...], str]

_FOUND_BY = ("any", "pl", "en")
_KEYS = frozenset({"name", "flag", "floor", "beside", "also", "unless", *_FOUND_BY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``also``: at least one of them must be in the text too; ``unless``: none may be; ``beside``: only where one of
    these flags is set by another rule. ``own``: it stands in config.toml."""

    name: str
    flag: Flag | None = None
    floor: Urgency | None = None
    patterns: tuple[Pattern, ...]
    also: tuple[Pattern, ...] = ()
    unless: tuple[Pattern, ...] = ()
    beside: frozenset[Flag] = frozenset()
    own: bool = False

    @property
    def effect(self) -> str:
        return _effect(self.flag, self.floor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A rule that fired. ``evidence`` are the words of the text that did it."""

    rule: str
    flag: Flag | None
    floor: Urgency | None
    evidence: str

    @property
    def effect(self) -> str:
        return _effect(self.flag, self.floor)

    def reason(self) -> Reason:
        return Reason(source="rule", name=self.rule, evidence=self.evidence, effect=self.effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """A rule that found its words and stayed silent: ``excuse`` are the words that its ``unless`` found, empty where
    nothing of its ``also`` was there."""

    rule: str
    evidence: str
    excuse: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """``blotted``: which words of the text no rule has read, and the idiom that hid them."""

    hits: tuple[Hit, ...]
    held_back: tuple[HeldBack, ...]
    blotted: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """``idioms`` are blotted out before any rule reads the text; ``harmless`` are whole texts that need nobody;
    ``words`` are the lists that ``{name}`` stands for, each as a group."""

    rules: tuple[Rule, ...]
    idioms: tuple[Pattern, ...]
    harmless: tuple[Pattern, ...]
    words: Mapping[str, str] = field(default_factory=dict)

    def judge(self, text: str) -> tuple[Hit, ...]:
        """Every rule that fires on a prepared text, in the order of the book, each once."""
        return tuple(hit for hit in self._read(text, self._without_idioms(fold_text(text))) if isinstance(hit, Hit))

    def explain(self, text: str) -> Explanation:
        """As ``judge``, with what was not said, and why."""
        folded = fold_text(text)
        blotted: dict[str, str] = {}
        for idiom in self.idioms:
            for match in idiom.expression.finditer(folded.text):
                blotted.setdefault(_quote(text, match), idiom.source)
        found = list(self._read(text, self._without_idioms(folded)))
        return Explanation(
            hits=tuple(one for one in found if isinstance(one, Hit)),
            held_back=tuple(one for one in found if isinstance(one, HeldBack)),
            blotted=tuple(blotted.items()),
        )

    def is_harmless(self, text: str) -> bool:
        """True for a text that is nothing but thanks, praise or a heart; only asked where no model is there."""
        folded = fold_text(text)
        letters = any(character.isalnum() for character in folded.text)
        return _first(self.harmless, folded) is not None if letters else bool(text) and set(text) <= _HEARTS

    def _read(self, text: str, folded: FoldedText) -> Iterator[Hit | HeldBack]:
        flags: set[Flag | None] = set()
        for rule in self.rules:
            if rule.beside and not rule.beside & flags:
                continue
            match = _first(rule.patterns, folded)
            if match is None:
                continue
            if rule.also and _first(rule.also, folded) is None:
                yield HeldBack(rule=rule.name, evidence=_quote(text, match), excuse="")
            elif (excuse := _first(rule.unless, folded)) is not None:
                yield HeldBack(rule=rule.name, evidence=_quote(text, match), excuse=_quote(text, excuse))
            else:
                flags.add(rule.flag)
                yield Hit(rule=rule.name, flag=rule.flag, floor=rule.floor, evidence=_quote(text, match))

    def _without_idioms(self, folded: FoldedText) -> FoldedText:
        for idiom in self.idioms:
            if idiom.find(folded):
                blotted = idiom.expression.sub(lambda match: " " * len(match.group()), folded.text)
                folded = FoldedText(blotted, folded.trigrams)
        return folded


_HEARTS = frozenset("❤️🧡💛💚💙💜🖤🤍👍👏🙏😍🥰😊🙂🎉🔥💪 !.\n:)")


def _effect(flag: Flag | None, floor: Urgency | None) -> str:
    """What a rule does, for people: ``safety, at least critical``."""
    raised = f"at least {floor.value}" if floor else ""
    return ", ".join(part for part in (flag.value if flag else "", raised) if part)


def _first(patterns: Iterable[Pattern], folded: FoldedText) -> re.Match[str] | None:
    return next((match for pattern in patterns if (match := pattern.find(folded))), None)


def _quote(text: str, match: re.Match[str]) -> str:
    evidence = " ".join(text[match.start() : match.end()].split())
    return evidence if len(evidence) <= 120 else evidence[:117] + "..."


@cache
def rule_book() -> RuleBook:
    """The shipped rules. Raises ``ValueError`` naming the rule or pattern that cannot be read."""
    text = (resources.files("triage") / "rules.toml").read_text(encoding="utf-8")
    return read_rules(tomllib.loads(text))


def read_rules(document: Mapping[str, Any]) -> RuleBook:
    """A rule book from the parsed ``rules.toml``; see there."""
    words = {name: "(" + "|".join(entries) + ")" for name, entries in document.get("words", {}).items()}
    problems: list[Problem] = []
    rules = [
        rule
        for place, entry in enumerate(document["rule"])
        if (rule := read_rule(entry, words, problems, ("rule", place))) is not None
    ]
    idioms, harmless = (
        [
            pattern
            for key in ("pl", "en")
            for pattern in read_patterns(document[name].get(key, ()), words, problems, (name, key))
        ]
        for name in ("idioms", "harmless")
    )
    if problems:
        raise ValueError("\n".join(f"rules.toml: {sentence}" for _, sentence in problems))
    return RuleBook(rules=in_order(rules), idioms=tuple(idioms), harmless=tuple(harmless), words=words)


def in_order(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Rules that stand beside a flag look at the hits of the others, so they come last."""
    return tuple(sorted(rules, key=lambda rule: bool(rule.beside)))


def read_rule(
    entry: Mapping[str, Any],
    words: Mapping[str, str],
    problems: list[Problem],
    place: tuple[str | int, ...],
    *,
    own: bool = False,
) -> Rule | None:
    """One table of the book. What is wrong with it goes into ``problems``; None where nothing is left of it."""
    before = len(problems)
    told = f"rule {entry.get('name')!r}"
    if unknown := set(entry) - _KEYS:
        problems.append((place, f"{told}: unknown key {min(unknown)!r}"))
    if "flag" not in entry and "floor" not in entry:
        problems.append((place, f"{told}: it needs a flag or a floor, or it does nothing"))
    if not any(entry.get(key) for key in _FOUND_BY):
        problems.append((place, f"{told}: it needs words to look for: pl, en or any"))
    patterns = {
        key: read_patterns(entry.get(key, ()), words, problems, (*place, key), f"{told}: ")
        for key in (*_FOUND_BY, "also", "unless")
    }
    if len(problems) > before:
        return None
    return Rule(
        name=entry["name"],
        flag=Flag(entry["flag"]) if "flag" in entry else None,
        floor=Urgency(entry["floor"]) if "floor" in entry else None,
        patterns=tuple(pattern for key in _FOUND_BY for pattern in patterns[key]),
        also=patterns["also"],
        unless=patterns["unless"],
        beside=frozenset(Flag(flag) for flag in entry.get("beside", ())),
        own=own,
    )


def read_patterns(
    sources: Sequence[str],
    words: Mapping[str, str],
    problems: list[Problem],
    place: tuple[str | int, ...],
    told: str = "",
) -> tuple[Pattern, ...]:
    """The patterns of one list; those that cannot be read go into ``problems``."""
    patterns = []
    for index, source in enumerate(sources):
        try:
            patterns.append(compile_pattern(source, words))
        except ValueError as error:
            problems.append(((*place, index), f"{told}pattern {source!r}: {error}"))
    return tuple(patterns)
