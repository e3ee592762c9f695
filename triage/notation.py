"""The notation of a pattern, and what it becomes: a regular expression that no text can make slow.

===================  =====================================================================================
``reklamacj*``       a word that begins so; without ``*`` the whole word
``(a|b c|d*)``       one of these; ``{name}`` stands for a list in ``[words]``
``word?`` ``(a|b)?``  may be missing
``..`` ``...``       up to four, up to ten words in between, within one sentence
``<`` ``>``          the text begins, ends here (handles and punctuation aside)
``#``                a number; ``#latk*`` a number or a hash sign, then the word ("5-latka", "#latka")
===================  =====================================================================================

A pattern is matched on lower case without diacritics. Nothing in the notation repeats without a bound, and how often a
pattern may begin anew at one place of a text is counted when it is read: see ``MOST_WAYS``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from triage.prepare import fold

#: At one place of a text, a pattern may be tried in at most so many ways: each gap multiplies them by its length, and so
#: do choices that begin with the same word. Whatever a customer writes costs at most that much a word.
MOST_WAYS = 300
#: Characters of a pattern once its lists are filled in, and brackets inside brackets.
MOST_CHARACTERS, MOST_BRACKETS = 5_000, 8

# Possessive wherever nothing that follows could use what was given back: a long word or a row of apostrophes in a text
# is then read once, however many ways a pattern has.
_BETWEEN = r"[^\w.!?\n]+"
_WORD_BETWEEN = r"[^\w.!?\n]++\w++(?:'\w++)?+"
_GAPS = {"..": 4, "...": 10}
_TOKEN = re.compile(r"\)\?|[()|]|[^\s()|]+")
_HANDLES = r"\A\W*+(?:(?:user|brand)\W++)*"


@dataclass(frozen=True, slots=True)
class FoldedText:
    """A text as the patterns see it. ``trigrams`` are all its runs of three characters: nine patterns in ten are ruled
    out by them without being tried, which is what makes a thousand patterns cheap."""

    text: str
    trigrams: frozenset[str]


def fold_text(text: str) -> FoldedText:
    folded = fold(text)
    return FoldedText(folded, frozenset(folded[place : place + 3] for place in range(len(folded) - 2)))


@dataclass(frozen=True, slots=True)
class Pattern:
    """``source`` is what was written. ``anchors``: one of these must occur in the text, or the (slower) expression is not
    tried at all. ``starts`` are their first three characters; empty where one of them is shorter."""

    source: str
    expression: re.Pattern[str]
    anchors: tuple[str, ...]
    starts: frozenset[str]

    def find(self, folded: FoldedText) -> re.Match[str] | None:
        if self.starts and self.starts.isdisjoint(folded.trigrams):
            return None
        if self.anchors and not any(anchor in folded.text for anchor in self.anchors):
            return None
        return self.expression.search(folded.text)


def compile_pattern(source: str, words: Mapping[str, str] | None = None) -> Pattern:
    """One pattern. ``words``: each list of ``[words]`` as a group. Raises ``ValueError`` for what the notation does not
    know, and for a pattern that could become slow."""
    text = source
    for name, group in (words or {}).items():
        text = text.replace("{" + name + "}", group)
    if unknown := re.search(r"\{[^{}\s]*\}", text):
        known = ", ".join("{" + name + "}" for name in sorted(words or {})) or "none"
        raise ValueError(f"there is no list {unknown.group()}; there is: {known}")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it is longer than {MOST_CHARACTERS} characters; write several patterns")
    tokens = _TOKEN.findall(fold(text))
    begins, ends = tokens[:1] == ["<"], tokens[-1:] == [">"]
    tokens = tokens[1 if begins else 0 : -1 if ends else None]
    piece = _sequence(tokens, 0)
    if tokens:
        raise ValueError("a bracket is closed that was never opened" if tokens[0] != "|" else "| stands in no bracket")
    if piece.ways > MOST_WAYS:
        raise ValueError(
            f"it could begin anew {piece.ways} times at each word (at most {MOST_WAYS}): write fewer or shorter gaps"
        )
    expression = (_HANDLES if begins else r"(?<!\w)") + piece.expression + (r"\W*+\Z" if ends else "")
    quick = all(len(anchor) >= 3 for anchor in piece.anchors)
    starts = frozenset(anchor[:3] for anchor in piece.anchors) if quick else frozenset()
    return Pattern(source, re.compile(expression), piece.anchors, starts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A part of a pattern: its expression, literals of which one must occur wherever it matches, the words that it may
    begin with (``*`` at the end: and all that begin so), and in how many ways it may match at one place."""

    expression: str
    anchors: tuple[str, ...] = ()
    first: tuple[str, ...]
    ways: int = 1
    optional: bool = False


def _sequence(tokens: list[str], depth: int) -> _Piece:
    """Pieces one after the other, up to the end of the pattern, a ``|`` or a closing bracket (both left in place)."""
    expression, gap = "", ""
    pieces: list[_Piece] = []
    ways: list[int] = []
    while tokens and tokens[0] not in ("|", ")", ")?"):
        token = tokens.pop(0)
        if token in _GAPS:
            gap = rf"(?:{_WORD_BETWEEN}){{0,{_GAPS[token]}}}"
            ways.append(_GAPS[token] + 1)
            continue
        opens = token == "("  # noqa: S105 - a bracket, not a secret
        piece = _group(tokens, depth + 1) if opens else _word(token)
        required = any(not before.optional for before in pieces)
        if required:
            body = gap + _BETWEEN + piece.expression
        elif gap:
            raise ValueError("a gap must stand between two words that are not optional")
        else:
            body = piece.expression + (_BETWEEN if piece.optional else "")
        expression += f"(?:{body})?" if piece.optional else body
        pieces.append(piece)
        ways.append(piece.ways + piece.optional)
        gap = ""
    if gap or not any(not piece.optional for piece in pieces):
        raise ValueError("a gap at the end, or nothing that must be there")
    anchored = [piece.anchors for piece in pieces if piece.anchors and not piece.optional]
    return _Piece(
        expression=expression,
        anchors=max(anchored, key=lambda found: min(map(len, found)), default=()),
        first=_first_of(pieces),
        ways=prod(ways),
    )


def _first_of(pieces: list[_Piece]) -> tuple[str, ...]:
    found: list[str] = []
    for piece in pieces:
        found += piece.first
        if not piece.optional:
            break
    return tuple(found)


def _group(tokens: list[str], depth: int) -> _Piece:
    if depth > MOST_BRACKETS:
        raise ValueError(f"more than {MOST_BRACKETS} brackets inside each other")
    choices = [_sequence(tokens, depth)]
    while tokens and tokens[0] == "|":
        tokens.pop(0)
        choices.append(_sequence(tokens, depth))
    if not tokens:
        raise ValueError("a bracket is not closed")
    anchors: tuple[str, ...] = ()
    if all(choice.anchors for choice in choices):
        anchors = tuple(dict.fromkeys(anchor for choice in choices for anchor in choice.anchors))
    return _Piece(
        expression="(?:" + "|".join(choice.expression for choice in choices) + ")",
        anchors=anchors,
        first=tuple(dict.fromkeys(word for choice in choices for word in choice.first)),
        ways=_ways_of(choices),
        optional=tokens.pop(0) == ")?",
    )


def _ways_of(choices: list[_Piece]) -> int:
    """Choices that begin with different words exclude each other; only those that one word may begin add up."""
    by_first: dict[str, int] = {}
    for choice in choices:
        for first in set(choice.first):
            by_first[first] = by_first.get(first, 0) + choice.ways
    stems = [(first[:-1], ways) for first, ways in by_first.items() if first.endswith("*")]
    return max(
        sum(ways for stem, ways in stems if first.removesuffix("*").startswith(stem))
        + (0 if first.endswith("*") else ways_alone)
        for first, ways_alone in by_first.items()
    )


def _word(token: str) -> _Piece:
    optional = token.endswith("?")
    word = token.removesuffix("?")
    if word == "#":
        return _Piece(expression=r"\d++(?!\w)", first=("#*",), optional=optional)
    stem = word.removesuffix("*")
    if not re.fullmatch(r"#?[\w'-]*\w[\w'-]*", stem):
        raise ValueError(f"{token!r} is no word")
    # "don't" is also typed "dont"
    literal = stem.removeprefix("#")
    expression = re.escape(literal).replace("'", "'?").replace(r"\-", r"[\W_]?")
    if stem.startswith("#"):
        expression = r"(?:\d+[\W_]?|\#)" + expression
    parts = re.split(r"['-]", literal)
    open_ended = word.endswith("*") or len(parts) > 1
    first = ("#" if stem.startswith("#") or literal[0].isdigit() else "") + parts[0] + ("*" if open_ended else "")
    return _Piece(
        expression=expression + (r"\w*+" if word.endswith("*") else r"(?!\w)"),
        anchors=(max(parts, key=len),),
        first=(first,),
        optional=optional,
    )
