"""Readable rules: what a text asks for or warns of, found by its words. Pure; the words themselves stand in
``rules.toml``.

A rule can only raise the urgency or set a flag; it never makes a text less urgent and never says that all is well. The
notation of a pattern, matched on lower case without diacritics:

===================  =====================================================================================
``reklamacj*``       a word that begins so; without ``*`` the whole word
``(a|b c|d*)``       one of these; ``{name}`` stands for a list in ``[words]``
``word?`` ``(a|b)?``  may be missing
``..`` ``...``       up to four, up to ten words in between, within one sentence
``<`` ``>``          the text begins, ends here (handles and punctuation aside)
``#``                a number; ``#latk*`` a number or a hash sign, then the word ("5-latka", "#latka")
===================  =====================================================================================
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from social.domain.assessment import Flag, Reason, Urgency
from triage.prepare import fold

_BETWEEN = r"[^\w.!?\n]+"
_GAPS = {"..": 4, "...": 10}
_TOKEN = re.compile(r"\)\?|[()|]|[^\s()|]+")
_HANDLES = r"\A\W*(?:(?:user|brand)\W+)*"


@dataclass(frozen=True, slots=True)
class FoldedText:
    """A text as the patterns see it. ``trigrams`` are all its runs of three characters: nine patterns in ten are ruled
    out by them without being tried, which is what makes a thousand patterns cheap."""

    text: str
    trigrams: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pattern:
    """``anchors``: one of these must occur in the text, or the (slower) expression is not tried at all. ``starts`` are
    their first three characters; empty where one of them is shorter."""

    expression: re.Pattern[str]
    anchors: tuple[str, ...]
    starts: frozenset[str]

    def find(self, folded: FoldedText) -> re.Match[str] | None:
        if self.starts and self.starts.isdisjoint(folded.trigrams):
            return None
        if self.anchors and not any(anchor in folded.text for anchor in self.anchors):
            return None
        return self.expression.search(folded.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``also``: at least one of them must be in the text too; ``unless``: none may be; ``beside``: only where one of
    these flags is set by another rule."""

    name: str
    flag: Flag | None = None
    floor: Urgency | None = None
    patterns: tuple[Pattern, ...]
    also: tuple[Pattern, ...] = ()
    unless: tuple[Pattern, ...] = ()
    beside: frozenset[Flag] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A rule that fired. ``evidence`` are the words of the text that did it."""

    rule: str
    flag: Flag | None
    floor: Urgency | None
    evidence: str

    def reason(self) -> Reason:
        raised = f"at least {self.floor.value}" if self.floor else ""
        effect = ", ".join(part for part in (self.flag.value if self.flag else "", raised) if part)
        return Reason(source="rule", name=self.rule, evidence=self.evidence, effect=effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """``idioms`` are blotted out before any rule reads the text; ``harmless`` are whole texts that need nobody."""

    rules: tuple[Rule, ...]
    idioms: tuple[Pattern, ...]
    harmless: tuple[Pattern, ...]

    def judge(self, text: str) -> tuple[Hit, ...]:
        """Every rule that fires on a prepared text, in the order of the book, each once."""
        folded = self._without_idioms(_fold(text))
        hits: list[Hit] = []
        for rule in self.rules:
            if rule.beside and not any(hit.flag in rule.beside for hit in hits):
                continue
            found = next((match for pattern in rule.patterns if (match := pattern.find(folded))), None)
            if found is None or (rule.also and not _any(rule.also, folded)) or _any(rule.unless, folded):
                continue
            evidence = " ".join(text[found.start() : found.end()].split())
            hits.append(Hit(rule=rule.name, flag=rule.flag, floor=rule.floor, evidence=_shorten(evidence)))
        return tuple(hits)

    def is_harmless(self, text: str) -> bool:
        """True for a text that is nothing but thanks, praise or a heart; only asked where no model is there."""
        folded = _fold(text)
        letters = any(character.isalnum() for character in folded.text)
        return _any(self.harmless, folded) if letters else bool(text) and set(text) <= _HEARTS

    def _without_idioms(self, folded: FoldedText) -> FoldedText:
        for idiom in self.idioms:
            if idiom.find(folded):
                blotted = idiom.expression.sub(lambda match: " " * len(match.group()), folded.text)
                folded = FoldedText(blotted, folded.trigrams)
        return folded


_HEARTS = frozenset("❤️🧡💛💚💙💜🖤🤍👍👏🙏😍🥰😊🙂🎉🔥💪 !.\n:)")


def _fold(text: str) -> FoldedText:
    folded = fold(text)
    return FoldedText(folded, frozenset(folded[place : place + 3] for place in range(len(folded) - 2)))


def _any(patterns: Iterable[Pattern], folded: FoldedText) -> bool:
    return any(pattern.find(folded) for pattern in patterns)


def _shorten(evidence: str) -> str:
    return evidence if len(evidence) <= 120 else evidence[:117] + "..."


@cache
def rule_book() -> RuleBook:
    """The shipped rules. Raises ``ValueError`` naming the rule or pattern that cannot be read."""
    text = (resources.files("triage") / "rules.toml").read_text(encoding="utf-8")
    return read_rules(tomllib.loads(text))


def read_rules(document: Mapping[str, Any]) -> RuleBook:
    """A rule book from the parsed ``rules.toml``; see there."""
    words = {name: "(" + "|".join(entries) + ")" for name, entries in document.get("words", {}).items()}

    def patterns(entry: Mapping[str, Any], *keys: str) -> tuple[Pattern, ...]:
        return tuple(compile_pattern(source, words) for key in keys for source in entry.get(key, ()))

    rules = []
    for entry in document["rule"]:
        if unknown := set(entry) - {"name", "flag", "floor", "beside", "pl", "en", "any", "also", "unless"}:
            raise ValueError(f"rules.toml, rule {entry.get('name')!r}: unknown key {min(unknown)!r}")
        rule = Rule(
            name=entry["name"],
            flag=Flag(entry["flag"]) if "flag" in entry else None,
            floor=Urgency(entry["floor"]) if "floor" in entry else None,
            patterns=patterns(entry, "any", "pl", "en"),
            also=patterns(entry, "also"),
            unless=patterns(entry, "unless"),
            beside=frozenset(Flag(flag) for flag in entry.get("beside", ())),
        )
        if rule.flag is None and rule.floor is None:
            raise ValueError(f"rules.toml, rule {rule.name!r}: it needs a flag or a floor, or it does nothing")
        rules.append(rule)
    # rules that stand beside a flag look at the hits of the others, so they come last
    rules.sort(key=lambda rule: bool(rule.beside))
    return RuleBook(
        rules=tuple(rules),
        idioms=patterns(document["idioms"], "pl", "en"),
        harmless=patterns(document["harmless"], "pl", "en"),
    )


# --- the notation -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A part of a pattern: its expression, and literals of which one must occur wherever it matches."""

    expression: str
    anchors: tuple[str, ...] = ()
    optional: bool = False


def compile_pattern(source: str, words: Mapping[str, str] | None = None) -> Pattern:
    """One pattern of the notation above. Raises ``ValueError`` for what the notation does not know."""
    text = source
    for name, group in (words or {}).items():
        text = text.replace("{" + name + "}", group)
    tokens = _TOKEN.findall(fold(text))
    begins, ends = tokens[:1] == ["<"], tokens[-1:] == [">"]
    tokens = tokens[1 if begins else 0 : -1 if ends else None]
    try:
        piece = _sequence(tokens)
        if tokens:
            raise ValueError("a bracket is closed that was never opened")
        expression = (_HANDLES if begins else r"(?<!\w)") + piece.expression + (r"\W*\Z" if ends else "")
        quick = all(len(anchor) >= 3 for anchor in piece.anchors)
        starts = frozenset(anchor[:3] for anchor in piece.anchors) if quick else frozenset()
        return Pattern(re.compile(expression), piece.anchors, starts)
    except ValueError as error:
        raise ValueError(f"rules.toml: pattern {source!r}: {error}") from error


def _sequence(tokens: list[str]) -> _Piece:
    """Pieces one after the other, up to the end of the pattern, a ``|`` or a closing bracket (both left in place)."""
    expression, gap = "", ""
    pieces: list[_Piece] = []
    while tokens and tokens[0] not in ("|", ")", ")?"):
        token = tokens.pop(0)
        if token in _GAPS:
            gap = rf"(?:{_BETWEEN}\w+(?:'\w+)?){{0,{_GAPS[token]}}}"
            continue
        opens = token == "("  # noqa: S105 - a bracket, not a secret
        piece = _group(tokens) if opens else _word(token)
        required = any(not before.optional for before in pieces)
        if required:
            body = gap + _BETWEEN + piece.expression
        elif gap:
            raise ValueError("a gap must stand between two words that are not optional")
        else:
            body = piece.expression + (_BETWEEN if piece.optional else "")
        expression += f"(?:{body})?" if piece.optional else body
        pieces.append(piece)
        gap = ""
    if gap or not any(not piece.optional for piece in pieces):
        raise ValueError("a gap at the end, or nothing that must be there")
    anchored = [piece.anchors for piece in pieces if piece.anchors and not piece.optional]
    return _Piece(expression=expression, anchors=max(anchored, key=lambda found: min(map(len, found)), default=()))


def _group(tokens: list[str]) -> _Piece:
    choices = [_sequence(tokens)]
    while tokens and tokens[0] == "|":
        tokens.pop(0)
        choices.append(_sequence(tokens))
    if not tokens:
        raise ValueError("a bracket is not closed")
    anchors: tuple[str, ...] = ()
    if all(choice.anchors for choice in choices):
        anchors = tuple(dict.fromkeys(anchor for choice in choices for anchor in choice.anchors))
    expression = "(?:" + "|".join(choice.expression for choice in choices) + ")"
    return _Piece(expression=expression, anchors=anchors, optional=tokens.pop(0) == ")?")


def _word(token: str) -> _Piece:
    optional = token.endswith("?")
    word = token.removesuffix("?")
    if word == "#":
        return _Piece(expression=r"\d+(?!\w)", optional=optional)
    stem = word.removesuffix("*")
    if not re.fullmatch(r"#?[\w'-]+", stem):
        raise ValueError(f"{token!r} is no word")
    # "don't" is also typed "dont"
    literal = stem.removeprefix("#")
    expression = re.escape(literal).replace("'", "'?").replace(r"\-", r"[\W_]?")
    if stem.startswith("#"):
        expression = r"(?:\d+[\W_]?|\#)" + expression
    anchor = max(re.split(r"['-]", literal), key=len)
    return _Piece(
        expression=expression + (r"\w*" if word.endswith("*") else r"(?!\w)"), anchors=(anchor,), optional=optional
    )
