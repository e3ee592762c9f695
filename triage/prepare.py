"""A post as the model learnt to read it: handles, links and invisible characters are levelled, nothing else is
changed."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass

#: What the rules and the model read at most. X allows 25,000 characters, Facebook 63,206: beyond this a person must
#: look.
MAXIMUM_CHARACTERS = 4_000
#: A longer text is cut here before anything else looks at it, so that every step below has a bound.
_RAW_LIMIT = 5 * MAXIMUM_CHARACTERS

_SURROGATES = re.compile("[\ud800-\udfff]")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
#: A joiner belongs to emoji; between letters it only hides words.
_JOINER_IN_WORDS = re.compile(r"(?<=\w)\u200d|\u200d(?=\w)")
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_TOO_MANY_MARKS = re.compile(f"([{_MARKS}]{{3}})[{_MARKS}]+")
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_EMAIL = re.compile(r"[\w.+-]{1,64}@\w[\w-]{0,62}(?:\.[\w-]{1,63})+")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
#: ``@name``, ``@name.bsky.social`` and ``@name@server``; a full stop after the handle stays.
_HANDLE = re.compile(r"(?<![\w@])@\w+(?:[.-]\w+)*(?:@\w+(?:[.-]\w+)*)?")
_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedText:
    """``text`` is at most 4,000 characters of NFC; ``truncated`` says that there was more."""

    text: str
    truncated: bool = False


def prepare(text: str) -> PreparedText:
    """Level what the training data levelled too (``@user``, ``http``, ``email@example.com``). Never raises for a
    string."""
    truncated = len(text) > _RAW_LIMIT
    text = html.unescape(text[:_RAW_LIMIT])
    text = _SURROGATES.sub("", text)
    text = _INVISIBLE.sub("", text)
    text = _JOINER_IN_WORDS.sub("", text)
    text = _TOO_MANY_MARKS.sub(r"\1", text)  # before NFC, which sorts long runs of marks slowly
    text = unicodedata.normalize("NFC", text)
    text = _CONTROLS.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _EMAIL.sub("email@example.com", text)
    text = _LINK.sub("http", text)
    text = _HANDLE.sub(lambda match: "@brand" if match.group() == "@brand" else "@user", text)
    text = _LINES.sub("\n", _SPACES.sub(" ", text)).strip()
    if len(text) > MAXIMUM_CHARACTERS:
        text, truncated = text[:MAXIMUM_CHARACTERS].rstrip(), True
    return PreparedText(text=text, truncated=truncated)


#: What stands for something else, and is no word of its author's.
_STANDS_FOR = re.compile(r"@user|@brand|email@example\.com|\bhttp\b")
_WORD = re.compile(r"\w+")
#: "???", "ok", "i co?", a heart: at most so many words with so many letters in all.
FEW_WORDS, FEW_LETTERS = 3, 12


def says_little(text: str) -> bool:
    """Whether a prepared text means next to nothing to somebody who has not read what stands before it."""
    words = _WORD.findall(_STANDS_FOR.sub(" ", text))
    return len(words) <= FEW_WORDS and sum(map(len, words)) <= FEW_LETTERS


def fold(text: str) -> str:
    """Lower case without diacritics, ``ł`` included; one character for each of ``text``, so that positions carry
    over."""
    return "".join(_fold_character(character) for character in text)


_SPECIAL = {
    "ł": "l", "đ": "d", "ø": "o", "ß": "s", "ı": "i", "æ": "a", "œ": "o",
    "’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
    "–": "-", "—": "-", "‑": "-", "…": ".",
}  # fmt: skip
_folded: dict[str, str] = {}


def _fold_character(character: str) -> str:
    if character.isascii():
        return character.lower()
    if character not in _folded:
        lower = character.lower()
        plain = _SPECIAL.get(lower) or unicodedata.normalize("NFKD", lower)[:1]
        if len(_folded) > 10_000:  # texts from outside choose the characters
            _folded.clear()
        _folded[character] = plain if len(plain) == 1 else character
    return _folded[character]
