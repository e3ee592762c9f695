"""The shipped rules and those that people wrote for themselves become one book."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from social.domain.assessment import Flag
from triage.rules import Problem, Rule, RuleBook, in_order, read_patterns, read_rule

#: Whoever switches off a rule of these is told so whenever the configuration is looked at.
GUARDS_LIFE = frozenset({Flag.SAFETY, Flag.SELF_HARM, Flag.MINORS})


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRules:
    """``off``: names of shipped rules that stay silent; ``own``: tables with the keys of ``rules.toml``; ``idioms``:
    patterns whose words no rule reads."""

    off: Sequence[str] = ()
    own: Sequence[Mapping[str, Any]] = ()
    idioms: Sequence[str] = ()


def merge_rules(shipped: RuleBook, wanted: OwnRules) -> tuple[RuleBook, list[Problem]]:
    """The book with both. Whatever cannot be used is left out and told: a caller that finds problems must not go on
    with the book, since a rule that somebody relies on may be missing."""
    problems: list[Problem] = []
    names = {rule.name for rule in shipped.rules}
    for place, name in enumerate(wanted.off):
        if name not in names:
            problems.append((("off", place), f"there is no rule {name!r}; {_nearest(name, sorted(names))}"))
    kept = [rule for rule in shipped.rules if rule.name not in wanted.off]
    taken = {rule.name for rule in kept}
    own: list[Rule] = []
    for place, entry in enumerate(wanted.own):
        name = entry["name"]
        if name in taken:
            problems.append(
                (
                    ("own", place, "name"),
                    f'a shipped rule is called {name!r}; choose another name, or switch that one off first: off = ["{name}"]',
                )
            )
        rule = read_rule(entry, shipped.words, problems, ("own", place), own=True)
        if rule is not None and name not in taken:
            own.append(rule)
    idioms = read_patterns(wanted.idioms, shipped.words, problems, ("idioms",))
    book = RuleBook(
        rules=in_order([*kept, *own]),
        idioms=(*shipped.idioms, *idioms),
        harmless=shipped.harmless,
        words=shipped.words,
    )
    return book, problems


def doubts(shipped: RuleBook, wanted: OwnRules) -> list[Problem]:
    """What may be wanted, but somebody should look at it again."""
    flags = {rule.name: rule.flag for rule in shipped.rules}
    found: list[Problem] = []
    for place, name in enumerate(wanted.off):
        if (flag := flags.get(name)) in GUARDS_LIFE and flag is not None:
            found.append(
                (
                    ("off", place),
                    f"the rule {name!r} guards life ({flag.value}) and is switched off: what it heard, nobody may hear now",
                )
            )
    for place, idiom in enumerate(wanted.idioms):
        if not any(sign in idiom.strip() for sign in " ("):
            found.append(
                (
                    ("idioms", place),
                    f"the idiom {idiom!r} is one word: it hides that word from every rule, also from those that guard life",
                )
            )
    return found


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else "social rules list names them all"
