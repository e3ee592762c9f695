"""Finds what should not stand in a public reply: numbers that identify a person or open an account, ways to reach one.

Numbers with a check digit count only where it is right, so that a price or a parcel's length is not taken for a PESEL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class DataKind(StrEnum):
    IBAN = "bank account"
    CARD = "payment card"
    PESEL = "PESEL"
    NIP = "NIP"
    EMAIL = "e-mail address"
    PHONE = "phone number"
    ORDER = "order number"


#: With these somebody else can act in the customer's name: never in public, whoever writes.
SENSITIVE = frozenset({DataKind.IBAN, DataKind.CARD, DataKind.PESEL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Where it stands (``text[start:end]``); the value itself is not kept, so that no log can show it."""

    kind: DataKind
    start: int
    end: int


EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_IBAN = re.compile(r"(?<!\w)[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}")
_POLISH_ACCOUNT = re.compile(r"(?<!\d)\d{2}(?:[ -]?\d{4}){6}(?!\d)")  # an IBAN as Polish banks write it, without PL
_CARD = re.compile(r"(?<!\d)[2-6](?:[ -]?\d){12,18}(?!\d)")
_PESEL = re.compile(r"(?<!\d)\d{11}(?!\d)")
_NIP = re.compile(r"(?<!\d)(?:\d{10}|\d{3}-\d{3}-\d{2}-\d{2}|\d{3}-\d{2}-\d{2}-\d{3})(?!\d)")
_PHONE = re.compile(
    r"(?<![\d.,])(?:(?:\+|00)\d{1,3}[ -]?(?:\d[ -]?){6,11}\d"
    r"|\d{3}[ -]?\d{3}[ -]?\d{3}|\d{2}[ -]\d{3}[ -]\d{2}[ -]\d{2})(?!\d)"
)
_ORDER = re.compile(
    r"\b(?:zamówieni\w*|zam\.|przesyłk\w*|paczk\w*|reklamacj\w*|order|parcel|ticket|invoice|faktur\w*)\W{0,3}"
    r"(?:(?:o|with)\s+)?(?:(?:nr|numer\w*|no|number)\b\.?\W{0,3})?#?\s?(?=[\w/-]*\d)[\w/-]{5,}",
    re.IGNORECASE,
)


def find_personal_data(text: str) -> tuple[Finding, ...]:
    """All findings in the order of the text. What one kind has claimed is not looked at by the next."""
    findings: list[Finding] = []
    for kind, candidates in _DETECTORS:
        for start, end in candidates(text):
            findings.append(Finding(kind=kind, start=start, end=end))
            text = text[:start] + "\0" * (end - start) + text[end:]
    return tuple(sorted(findings, key=lambda finding: finding.start))


Spans = Callable[[str], Iterator[tuple[int, int]]]


def _matching(pattern: re.Pattern[str], valid: Callable[[str], bool] = bool) -> Spans:
    def spans(text: str) -> Iterator[tuple[int, int]]:
        return (match.span() for match in pattern.finditer(text) if valid(match.group()))

    return spans


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    from stdnum import iban  # its tables of banks are loaded only where a text holds so long a number

    for match in _IBAN.finditer(text):
        # The pattern may run into the words that follow: the longest beginning with a right check digit is the number.
        for end in range(match.end(), match.start() + 14, -1):
            if iban.is_valid(text[match.start() : end]) and text[end - 1].isalnum():
                yield match.start(), end
                break
    for match in _POLISH_ACCOUNT.finditer(text):
        if iban.is_valid("PL" + match.group()):
            yield match.span()


def _card(found: str) -> bool:
    from stdnum import luhn

    return bool(luhn.is_valid(re.sub(r"[ -]", "", found)))


def _pesel(found: str) -> bool:
    from stdnum.pl import pesel

    return bool(pesel.is_valid(found))


def _nip(found: str) -> bool:
    from stdnum.pl import nip

    return bool(nip.is_valid(found))


_DETECTORS: tuple[tuple[DataKind, Spans], ...] = (
    (DataKind.EMAIL, _matching(EMAIL)),
    (DataKind.IBAN, _ibans),
    (DataKind.CARD, _matching(_CARD, _card)),
    (DataKind.ORDER, _matching(_ORDER)),
    (DataKind.PESEL, _matching(_PESEL, _pesel)),
    (DataKind.NIP, _matching(_NIP, _nip)),
    (DataKind.PHONE, _matching(_PHONE)),
)
