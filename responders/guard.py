"""The last look at a text before it may be published, whoever wrote it.

What stops a robot often only warns a person: they may have a reason to give the hotline's number, the robot never has.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import regex

from responders.personal_data import EMAIL, SENSITIVE, DataKind, find_personal_data
from social.domain.reply import SentBy
from social.ports import LengthUnit, ReplyRules


class ProblemCode(StrEnum):
    EMPTY = "empty"
    TOO_LONG = "too-long"
    CONTROL_CHARACTERS = "control-characters"
    LINK = "link"
    PERSONAL_DATA = "personal-data"
    ORDER_NUMBER = "order-number"
    COMPLAINT_VERDICT = "complaint-verdict"
    PRIVATE_INVITATION = "private-invitation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """``blocking`` stops the text; otherwise the writer is asked to look again. ``span`` is where, as ``text[a:b]``;
    the message never repeats personal data."""

    code: ProblemCode
    message: str
    blocking: bool = True
    span: tuple[int, int] | None = None


def check(
    text: str,
    *,
    rules: ReplyRules,
    sent_by: SentBy,
    formal: bool,
    private_channel: bool,
    private: bool = False,
) -> tuple[Problem, ...]:
    """All problems of ``text`` as a reply under ``rules``; empty where there is none.

    ``formal`` marks a complaint or withdrawal, about which only a person may say how it ends. ``private_channel`` is
    true where the desk reads private messages, so that customers may be asked to write one; ``private`` where the reply
    itself is one.
    """
    robot = sent_by is SentBy.ROBOT
    problems = [*_shape(text, rules), *_links(text, rules, robot=robot)]
    if not private:
        problems += _personal_data(text, robot=robot)
        if not private_channel:
            problems += _invitations(text, robot=robot)
    if formal:
        problems += _verdicts(text, robot=robot)
    return tuple(problems)


# --- length -----------------------------------------------------------------------------------------------------------

#: twitter-text's configuration v3 (2018, still current): code points of these ranges weigh 1, all others 2; a URL 23.
_X_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
_X_URL = 23
_X_EMOJI = 2

_GRAPHEME = regex.compile(r"\X")
_EMOJI = regex.compile(r"\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3")
_TOP_LEVEL = (
    "pl|com|eu|net|org|info|biz|shop|store|online|app|dev|page|site|blog|io|me|co|ai|tv|ly|gl|gg|link|"
    "de|uk|cz|sk|fr|it|es|nl|be|at|ch|us|ua|ie|pt|se|no|dk|fi|ro|hu|lt|lv|ee"
)
_LINK = regex.compile(
    rf"(?:https?://|www\.)[^\s<>]*[^\s<>.,;:!?)\]\"'»”]"
    rf"|(?<![@\w.-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:{_TOP_LEVEL})(?![\w-])(?:/[^\s<>]*[^\s<>.,;:!?)\]\"'»”])?",
    regex.IGNORECASE,
)


def length(text: str, unit: LengthUnit) -> int:
    """The length of ``text`` as the network counts it.

    ``CHARACTERS`` are Unicode code points, ``GRAPHEMES`` what a reader sees as one sign (UAX 29), ``X_WEIGHTED`` the
    rules of twitter-text: composed form, a link 23, an emoji 2 however long its sequence.
    """
    match unit:
        case LengthUnit.CHARACTERS:
            return len(text)
        case LengthUnit.GRAPHEMES:
            return sum(1 for _ in _GRAPHEME.finditer(text))
        case LengthUnit.X_WEIGHTED:
            return _x_length(unicodedata.normalize("NFC", text))


def _x_length(text: str) -> int:
    total, position = 0, 0
    for start, end in _link_spans(text):
        total += _x_weight(text[position:start]) + _X_URL
        position = end
    return total + _x_weight(text[position:])


def _x_weight(text: str) -> int:
    total = 0
    for match in _GRAPHEME.finditer(text):
        sign = match.group()
        if len(sign) > 1 and _EMOJI.search(sign):
            total += _X_EMOJI
        else:
            total += sum(1 if any(low <= ord(char) <= high for low, high in _X_LIGHT) else 2 for char in sign)
    return total


def _link_spans(text: str) -> Iterator[tuple[int, int]]:
    """Links, and bare domains that networks turn into one; the domain of an e-mail address is none."""
    addresses = [match.span() for match in EMAIL.finditer(text)]
    for match in _LINK.finditer(text):
        if not any(start <= match.start() < end for start, end in addresses):
            yield match.span()


# --- what is looked at ------------------------------------------------------------------------------------------------


def _shape(text: str, rules: ReplyRules) -> Iterator[Problem]:
    if not text.strip():
        yield Problem(code=ProblemCode.EMPTY, message="The text is empty.")
    for position, char in enumerate(text):
        if unicodedata.category(char) in {"Cc", "Cs"} and char not in "\n\t":
            message = (
                f"The text holds a character that cannot be published (U+{ord(char):04X}); write it again without it."
            )
            yield Problem(code=ProblemCode.CONTROL_CHARACTERS, message=message, span=(position, position + 1))
            break
    counted = length(text, rules.length_unit)
    if counted > rules.length_limit:
        message = (
            f"The text is {counted} long and the network takes {rules.length_limit} ({rules.length_unit}); shorten it."
        )
        yield Problem(code=ProblemCode.TOO_LONG, message=message)


def _links(text: str, rules: ReplyRules, *, robot: bool) -> Iterator[Problem]:
    if rules.links_allowed and not robot:
        return
    message = (
        "An automatic text holds no links." if robot else "Replies on this network go out without links; leave it out."
    )
    for span in _link_spans(text):
        yield Problem(code=ProblemCode.LINK, message=message, span=span)


def _personal_data(text: str, *, robot: bool) -> Iterator[Problem]:
    for finding in find_personal_data(text):
        order = finding.kind is DataKind.ORDER
        yield Problem(
            code=ProblemCode.ORDER_NUMBER if order else ProblemCode.PERSONAL_DATA,
            message=f"Everybody can read this reply, and it seems to hold a {finding.kind}; leave it out.",
            blocking=robot or finding.kind in SENSITIVE,
            span=(finding.start, finding.end),
        )


_PRIVATE_INVITATION = regex.compile(
    r"""\b(?:
        (?:wiadomo[śs]\w*\s+)prywatn\w* | prywatn\w+\s+wiadomo[śs]\w* | (?:na|w)\s+pri[vw]\w* | w\s+dm\b | na\s+dm\b
        | (?:send|drop|write|message)\s+(?:us\s+)?(?:(?:a|an|via|in|by)\s+)?(?:[dp]m\b|(?:direct|private)\s+message)
        | dm\s+us | (?:private|direct)\s+messages? | (?:via|by|in|to)\s+(?:our\s+|your\s+|a\s+)?dms?\b
    )""",
    regex.IGNORECASE | regex.VERBOSE,
)


def _invitations(text: str, *, robot: bool) -> Iterator[Problem]:
    for match in _PRIVATE_INVITATION.finditer(text):
        yield Problem(
            code=ProblemCode.PRIVATE_INVITATION,
            message="The text asks for a private message, and nobody here reads those; name another way.",
            blocking=robot,
            span=match.span(),
        )


#: What becomes of a complaint is said by a person: who calls it accepted may have accepted it.
_COMPLAINT_VERDICT = regex.compile(
    r"""\b(?:
        (?:nie)?(?:przyj[ęe]t|uznan|odrzucon|rozpatrzon|zaakceptowan|uwzgl[ęe]dnion)(?:[ayeo]|y[mc]h?|ą|ego|ej)?
        | (?:uznajemy|przyjmujemy|odrzucamy|akceptujemy|uwzgl[ęe]dniamy|uznali[śs]my|przyj[ęe]li[śs]my|odrzucili[śs]my)
        | (?:accept|reject|recogni[sz]e|approve|dismisse|grante?|declin|uphel)(?:e?d|d)
        | (?:we|will)\s+(?:accept|reject|recogni[sz]e|approve|dismiss|grant|decline|uphold)
    )\b""",
    regex.IGNORECASE | regex.VERBOSE,
)


def _verdicts(text: str, *, robot: bool) -> Iterator[Problem]:
    for match in _COMPLAINT_VERDICT.finditer(text):
        yield Problem(
            code=ProblemCode.COMPLAINT_VERDICT,
            message="The text says what becomes of a formal complaint, and that binds; "
            + ("only a person may say it." if robot else "is it meant so?"),
            blocking=robot,
            span=match.span(),
        )
