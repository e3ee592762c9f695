"""Texts with labels that people gave. A row that cannot be used is counted with its reason and its line, never fatal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from social.cli.table_file import Row, UnusableRow, column_name, numbered_rows
from social.cli.wording import printable
from social.domain.assessment import Flag, Sentiment, Urgency
from social.domain.errors import UsageError
from triage.evaluation import Gold, LabelledText

#: What can be measured, and the columns that hold it where nothing else is said.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "sentiment": ("sentiment",),
    "urgency": ("urgency",),
    "needs_reply": ("needs_reply",),
    "flags": ("flags",),
    "language": ("language", "lang"),
}
#: In a file with these two columns the second says what the first means.
LABEL, TASK = "label", "task"

#: A wrong column may hold a million different labels.
_MOST_REASONS = 50
_YES, _NO = {"true", "yes", "1", "tak"}, {"false", "no", "0", "nie"}
#: Other words that people have for them.
_SHORT = {
    "neg": "negative",
    "neu": "neutral",
    "pos": "positive",
    **dict.fromkeys(("negatywny", "negatywna", "negatywne"), "negative"),
    **dict.fromkeys(("neutralny", "neutralna", "neutralne"), "neutral"),
    **dict.fromkeys(("pozytywny", "pozytywna", "pozytywne"), "positive"),
}
_LANGUAGE = re.compile(r"([a-z]{2,3})([-_].*)?")
_BETWEEN_FLAGS = re.compile(r"[\s,;|]+")

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(slots=True)
class LeftOut:
    """Rows that could not be used for one reason, and the first line of them."""

    line: int
    count: int = 0


@dataclass(slots=True)
class LabelledFile:
    """``text_column`` and ``gold`` (head -> column) are names that the user gave. While ``rows`` go by, ``used`` says from
    which column each head is read, ``left_out`` (by reason) what cannot be used."""

    path: Path
    text_column: str = "text"
    gold: Mapping[str, str] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, LeftOut] = field(default_factory=dict)
    #: names of columns of the first row
    columns: tuple[str, ...] = ()

    def rows(self) -> Iterator[LabelledText]:
        """Usable rows in the order of the file. Raises ``NotFound`` for a file that cannot be read, ``UsageError`` where
        nothing in it can be used."""
        usable = 0
        for number, row in numbered_rows(self.path):
            try:
                if isinstance(row, UnusableRow):
                    raise row
                labelled = self._labelled(number, row)
            except UnusableRow as error:
                known = str(error) in self.left_out or len(self.left_out) < _MOST_REASONS
                self.left_out.setdefault(str(error) if known else "other reasons", LeftOut(number)).count += 1
            else:
                usable += 1
                yield labelled
        if not usable:
            raise self._nothing_usable()

    @property
    def lost(self) -> int:
        return sum(left.count for left in self.left_out.values())

    @property
    def unexplained_label(self) -> bool:
        """There is a column ``label`` that no head was read from."""
        return LABEL in self.columns and LABEL not in self.used.values()

    def _labelled(self, number: int, row: Row) -> LabelledText:
        self.columns = self.columns or tuple(row)
        name = column_name(self.text_column)
        if name not in row:
            raise UnusableRow(f'no "{self.text_column}"')
        text = row[name]
        if not isinstance(text, str) or not text.strip():
            raise UnusableRow(f'"{self.text_column}" is empty or not a text')
        found: dict[str, Any] = {}
        for head, column in self._columns(row).items():
            if column not in row:
                raise UnusableRow(f'no "{column}"')
            if (value := row[column]) is not None and value != "":
                found[head] = _READ[head](value, column)
                self.used.setdefault(head, column)
        if not found:
            raise UnusableRow("no label that can be measured")
        return LabelledText(line=number, text=text, gold=Gold(**found))

    def _columns(self, row: Row) -> dict[str, str]:
        """Which column of this row holds the label of which head."""
        found = {head: column for head, columns in COLUMNS.items() for column in columns if column in row}
        task = str(row.get(TASK, "")).strip().casefold()
        if LABEL in row and task in COLUMNS and COLUMNS[task][0] not in row:
            found[task] = LABEL
        return {**found, **{head: column_name(column) for head, column in self.gold.items()}}

    def _nothing_usable(self) -> UsageError:
        if not self.left_out:
            return UsageError(
                "there is nothing in this file.",
                resource=str(self.path),
                next_step='One object a line: {"text": "...", "sentiment": "negative"}; or CSV with such columns.',
            )
        reasons = sorted(self.left_out.items(), key=lambda item: -item[1].count)[:3]
        told = "; ".join(f"line {left.line}: {reason}" for reason, left in reasons)
        seen = f" Its columns: {', '.join(self.columns)}." if self.columns else ""
        return UsageError(
            f"none of its {self.lost} rows can be used ({told}).{seen}",
            resource=str(self.path),
            next_step=f"Wanted are a text and at least one of {', '.join(COLUMNS)}; "
            "--text-column NAME and --gold sentiment=NAME say which columns hold them.",
        )


# --- labels -----------------------------------------------------------------------------------------------------------


def _one_of(choices: type[Choice], value: object, column: str) -> Choice:
    word = str(value).strip().casefold()
    try:
        return choices(_SHORT.get(word, word))
    except ValueError:
        raise UnusableRow(f'"{column}" is {_shown(value)}, known are: {", ".join(choices)}') from None


def _yes_or_no(value: object, column: str) -> bool:
    word = str(value).strip().casefold()
    if word not in _YES | _NO:
        raise UnusableRow(f'"{column}" is {_shown(value)}, known are: true, false')
    return word in _YES


def _flags(value: object, column: str) -> frozenset[Flag]:
    """A list, or names with commas, semicolons, bars or spaces between; ``-`` and ``none`` are the empty set."""
    names = value if isinstance(value, list) else _BETWEEN_FLAGS.split(str(value).strip(" []"))
    return frozenset(_one_of(Flag, name, column) for name in names if str(name).strip() not in ("", "-", "none"))


def _language(value: object, column: str) -> str:
    match = _LANGUAGE.fullmatch(str(value).strip().casefold())
    if match is None:
        raise UnusableRow(f'"{column}" is {_shown(value)}, wanted is a code like pl')
    return match.group(1)


_READ: Mapping[str, Callable[[object, str], object]] = {
    "sentiment": lambda value, column: _one_of(Sentiment, value, column),
    "urgency": lambda value, column: _one_of(Urgency, value, column),
    "needs_reply": _yes_or_no,
    "flags": _flags,
    "language": _language,
}


def _shown(value: object) -> str:
    """A wrong label, shortened: it may be anything, even the customer's text in the wrong column."""
    return json.dumps(printable(str(value)[:24]), ensure_ascii=False)
