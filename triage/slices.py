"""Kinds of texts on which a classifier may do worse than on the rest: by length, and how a text is typed."""

from __future__ import annotations

import regex

from social.domain.assessment import Assessment

_WORD = regex.compile(r"\w+")
_EMOJI = regex.compile(r"\p{Extended_Pictographic}|\p{Regional_Indicator}")
_HANDLE_OR_LINK = regex.compile(r"(?<!\w)@\w|https?\b|\bwww\.")
_HASHTAG = regex.compile(r"#\w*\p{L}")
_POLISH_LETTERS = regex.compile("[ąćęłńóśźż]", regex.IGNORECASE)
_LENGTHS = ((3, "1 to 3 words"), (10, "4 to 10 words"), (25, "11 to 25 words"), (50, "26 to 50 words"))
#: A short Polish sentence may well have none of its letters.
_ENOUGH_TO_SHOW_LETTERS = 5


def slices_of(text: str, language: str, assessment: Assessment) -> list[str]:
    """The names of the slices that a text belongs to; ``language`` as people say it, or else as it was recognised. There are
    fewer than sixty, whatever the texts."""
    words = len(_WORD.findall(text))
    letters = [character for character in text if character.isalpha()]
    length = next((name for most, name in _LENGTHS if words <= most), "more than 50 words") if words else "no words"
    signs = {
        "has an emoji": _EMOJI.search(text),
        "has a question mark": "?" in text,
        "has an exclamation mark": "!" in text,
        "has a handle or a link": _HANDLE_OR_LINK.search(text),
        "has a hashtag": _HASHTAG.search(text),
        "typed in capitals": len(letters) >= 8 and sum(map(str.isupper, letters)) > 0.7 * len(letters),
        "Polish without its letters": language == "pl"
        and words >= _ENOUGH_TO_SHOW_LETTERS
        and not _POLISH_LETTERS.search(text),
        "a rule fired": any(reason.source == "rule" and reason.name != "no-model" for reason in assessment.reasons),
        "too long to be read whole": assessment.truncated,
    }
    return [length, *(name for name, there in signs.items() if there)]
