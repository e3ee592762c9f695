"""How times, spans, judgements and other people's texts are put on a terminal. Dates follow the user's locale."""

from __future__ import annotations

import os
import textwrap
import unicodedata
from datetime import datetime, timedelta, tzinfo

from social.domain.assessment import Sentiment

_POLISH_DAYS = ("pon.", "wt.", "śr.", "czw.", "pt.", "sob.", "niedz.")
_POLISH_MONTHS = ("sty", "lut", "mar", "kwi", "maj", "cze", "lip", "sie", "wrz", "paź", "lis", "gru")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: What customers of a Polish or English brand write in most; others keep their ISO 639 code.
_LANGUAGES = {
    "pl": "Polish",
    "en": "English",
    "de": "German",
    "uk": "Ukrainian",
    "ru": "Russian",
    "cs": "Czech",
    "sk": "Slovak",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "und": "unknown language",
}
_JOINERS = "\u200c\u200d"  # emoji and some scripts are made with them
_REPLACEMENT = "\ufffd"


def speaks_polish() -> bool:
    """The POSIX order: LC_ALL, then LC_TIME, then LANG."""
    chosen = next(filter(None, (os.environ.get(name) for name in ("LC_ALL", "LC_TIME", "LANG"))), "")
    return chosen.lower().startswith("pl")


def moment(at: datetime, zone: tzinfo, *, polish: bool | None = None) -> str:
    """``Fri 20 Nov 16:45``, or ``pt. 20 lis 16:45`` where the locale is Polish."""
    local = at.astimezone(zone)
    polish = speaks_polish() if polish is None else polish
    days, months = (_POLISH_DAYS, _POLISH_MONTHS) if polish else (_DAYS, _MONTHS)
    return f"{days[local.weekday()]} {local.day} {months[local.month - 1]} {local:%H:%M}"


def span(length: timedelta) -> str:
    """``25 min``, ``1 h 10 min``, ``3 d 4 h``; the sign is the caller's to tell."""
    minutes = int(abs(length).total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def language_name(code: str) -> str:
    return _LANGUAGES.get(code.lower().split("-")[0], code)


def mood(sentiment: Sentiment | None, language: str | None, *, sure: bool = True) -> str:
    """``negative, Polish``; ``perhaps negative, Polish``; ``not judged``."""
    if sentiment is None or language is None:
        return "not judged"
    return f"{'' if sure else 'perhaps '}{sentiment.value}, {language_name(language)}"


def printable(text: str) -> str:
    """A customer's text, fit for a terminal: no escape sequence, no reversed reading direction, no half character."""
    return "".join(
        _REPLACEMENT
        if unicodedata.category(char) in {"Cc", "Cs", "Cf"} and char not in "\n\t" and char not in _JOINERS
        else char
        for char in text.replace("\r\n", "\n").replace("\r", "\n")
    )


def indented(text: str, *, by: int = 4, width: int = 100) -> str:
    """``text`` folded at ``width``, its own line breaks kept."""
    pad = " " * by
    lines = [line for part in printable(text).splitlines() or [""] for line in textwrap.wrap(part, width - by) or [""]]
    return "\n".join(pad + line for line in lines)
