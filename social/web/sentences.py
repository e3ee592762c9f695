"""Reasons are kept as English sentences, and stand so in the log, in ``social queue`` and in exports; errors are English too.
The desk in the browser reads them again and says them in its reader's language. What it does not know (a network's own words)
stays as it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache

from social.web import vocabulary
from social.web.language import Words

#: Longer ones are cut where they are kept, and are not read.
LONGEST = 500
#: As they are kept; ``%(name)s`` is what differs, of the kind ``name`` (see ``_PLACES``).
SENTENCES = (
    # the policy's
    "our own post",
    "written by another bot",
    "spam",
    "a machine's answer, not a customer's words",
    "a person has answered it already",
    "older than the first poll of the profile, and nothing to answer",
    "more than a day old when the profile was first polled: kept for reports, nobody is sent after it",
    "older than the first poll: never answered by itself",
    "came while nobody polled, and the thread could not be checked for an answer of ours",
    "asks for no automatic texts, and for an answer",
    "asks for no automatic texts, nothing else",
    "no automatic text beside %(flags)s",
    "looks like spam or a machine's answer, and may be more: a person looks",
    "a person already acts in this conversation",
    "the author asked for no automatic texts",
    "the conversation was handed over to a person",
    "automation has ended in this conversation",
    "the judgement is unsure of: %(heads)s",
    "no answer needed; kept for reports",
    "written to another customer, not to us: no automatic text between them",
    "a crisis on the profile",
    "a crisis on the profile: acknowledgements wait",
    "the profile is off",
    "the profile is off: the robot writes nothing",
    "joins the contact: an automatic text is already on its way in this conversation",
    "joins the contact: the customer already knows when the team is back",
    "joins the contact: it is already acknowledged",
    "an automatic text went out in this conversation within the last 24 hours",
    "this author got %(count)s automatic texts within the last hour",
    "the profile sent %(count)s automatic texts within the last hour",
    "asks for a human: confirmed at once",
    "asks for a human; no confirmation: %(why)s",
    "the request is too old",
    "it was confirmed before",
    "the judgement is unsure of the language or of what else the text says",
    "a crisis: the holding statement that a person approved",
    "a crisis, and too late for the holding statement: the customer waits since %(at)s",
    "open: acknowledgement at %(at)s, the last open minute before closing",
    "open: acknowledgement at %(at)s, unless a person answers first",
    "open, but too late to acknowledge: the customer waits since %(at)s",
    "closed, and too late to acknowledge: the customer waits since %(at)s",
    "closed until %(at)s: one notice says so",
    "closed: decided again at opening, %(at)s",
    "closed until %(at)s; no notice is to be sent",
    "closed with no opening in the calendar; no notice is to be sent",
    # the networks' rules
    "the network takes no reply here",
    "The network takes no reply to this post.",
    "The network lets an app reply only where the author mentioned or quoted the profile; use its own app.",
    "The network takes replies only within %(span)s of the customer's last message.",
    "The network takes a private reply only within %(span)s of the post.",
    "The network takes 1 private reply to one post, and that is used up.",
    "The network takes %(count)s private replies to one post, and that is used up.",
    "The network allows 1 automatic reply in a conversation; the rest is for a person.",
    "The network allows %(count)s automatic replies in a conversation; the rest is for a person.",
    "The network takes automatic texts only within %(span)s of the customer's last message; a person may still write.",
    "An answer is a person's words; the robot only suggests them.",
    "The post is deleted.",
    "The post is deleted or no longer visible to us.",
    "The post is no longer visible to the profile.",
    "The author blocked the profile.",
    "The profile blocked the author.",
    "The author closed the replies.",
    "The author restricted replies (%(setting)s).",
    "%(network)s lets the page not answer this comment.",
    # the guard's
    "The text is empty.",
    "The text holds a character that cannot be published (U+%(code)s); write it again without it.",
    "The text is %(count)s long and the network takes %(limit)s (%(unit)s); shorten it.",
    "An automatic text holds no links.",
    "Replies on this network go out without links; leave it out.",
    "Everybody can read this reply, and it seems to hold a %(data)s; leave it out.",
    "The text asks for a private message, and nobody here reads those; name another way.",
    "The text says what becomes of a formal complaint, and that binds; only a person may say it.",
    # what became of a text
    "the profile is in dry-run: nothing is sent",
    "a person answered first",
    "a person answers",
    "a person answered",
    "a person answered in the network's own app",
    "the customer's post was deleted",
    "the customer deleted the post",
    "the customer edited the post",
    "the customer said stop",
    "automation ended in this conversation",
    "no automation from here: %(rule)s",
    "replaced by a %(kind)s",
    "the case was closed",
    "the author was forgotten",
    "their author was forgotten",
    "the profile's mode was changed",
    "the crisis is over",
    "%(who)s took the holding statement back",
    "an automatic text went out in this conversation",
    "a fact in the text is no longer true",
    "the platform's rules do not allow it any more",
    "its time passed before it could be sent",
    "it could not be sent in time: %(why)s",
    "the profile reached its limit of %(count)s automatic texts an hour",
    "the network refused it",
    "refused; the network's answer came late",
    "nobody can tell whether it was published; look",
    "the network calls it a duplicate",
    "still not to be seen; a person looks",
    "still cannot be told; a person looks",
    "a person looked: it was not published",
    "%(who)s looked: it was not published",
    "%(who)s saw it on the network",
    "a colleague was quicker, in the network's own app at %(at)s",
    "perhaps a person answered already: since %(at)s something of ours stands where an answer to this customer would",
    "not sent, its profile was removed from the configuration",
    "its profile was removed from the configuration before anybody could tell whether it was published; look",
    # what became of a case
    "broke the program each time it was tried",
    "not sent, it broke the program each time it was tried",
    "The answer could not be sent yet; answer in the network's own app if it is urgent.",
    "The customer deleted this post.",
    "no answer needed",
    "(erased after its time)",
)
#: What a person wanted and cannot have, and what they can do next on a page. The errors themselves name commands of the shell.
REFUSALS = {
    # of an answer, and of a case
    "an answer of %(person)s is already on its way (%(quoted)s).": "Look again in a minute.",
    "nobody can tell whether the answer of %(person)s was published.": (
        "Look on the network, and say below whether it is there."
    ),
    "the customer deleted everything that could be answered.": "Close the case.",
    "The network lets an app reply only where the author mentioned or quoted the profile; use its own app.": (
        "Then close the case here."
    ),
    "The network takes replies only within %(span)s of the customer's last message.": (
        "Answer in the network's own app, and then close the case here."
    ),
    "the profile of this case is no longer in the configuration, so nothing can be sent.": (
        "Bring the profile back, or answer in the network's own app and close the case."
    ),
    "case %(count)s is a formal complaint with a deadline; it ends with an answer or a reason.": "",
    "case %(count)s is answered already, so there is nothing to close.": "",
    "case %(count)s was changed by somebody else just now.": "Look again and repeat.",
    "that post is not judged, or belongs to another case.": "Look again and repeat.",
    "reply %(count)s is %(reply)s; only an unknown one is settled by a person.": "",
    "a note has 1 to %(limit)s characters.": "Write it anew.",
    "there is no case %(count)s.": "",
    "there is no reply %(count)s.": "",
    # of people
    "the only admin is %(person)s.": "Make somebody else admin first.",
    "there is no person %(count)s.": "",
    "there is nobody called %(quoted)s.": "",
    "%(quoted)s cannot be a person's name.": "Use 1 to 60 letters, such as anna.",
    # of a report
    "no customer's post lies in the days from %(day)s up to %(until)s (not included).": "",
    "no customer's post in %(languages)s lies in the days from %(day)s up to %(until)s (not included).": "",
    "that is not a range of days.": "Choose both days again.",
    "the range from %(day)s to %(until)s holds no day.": "The second day is the first that is not counted; choose a later one.",
    "the range begins on %(day)s, after its end, %(until)s.": "Give the earlier date first.",
    "the range from %(day)s to %(until)s lies outside of what can be counted.": "Choose other days.",
    "these profiles live in %(count)s time zones (%(zones)s), so a day of one is not a day of all.": (
        "Choose the profiles of one time zone, and make a report for each."
    ),
    "there is no profile %(quoted)s.": "Choose another one.",
    "profile %(quoted)s was never watched.": "It can be counted once the desk has read it.",
}


#: Next steps of an error that tell what a page needs.
OFFERED = (
    "These profiles have posts from %(day)s to %(until)s.",
    "These profiles have none at all yet; posts come in while the desk runs.",
)


def refusal(words: Words, what: str, next_step: str = "") -> str | None:
    """What was refused, and what to do next, in the reader's language; ``None`` where it is none of ``REFUSALS``."""
    offered = _one_said(words, OFFERED, next_step)
    for sentence, following in REFUSALS.items():
        said = _said(words, sentence, what)
        if said is not None:
            return " ".join(filter(None, (said, offered or (words(following) if following else ""))))
    return None


def told(words: Words, kept: str) -> str | None:
    """``kept`` in the reader's language; ``None`` where it is not one of ``SENTENCES``. Several stand together with ``; ``
    between them, and after the kind of a text (``acknowledgement: a person answered first``)."""
    if len(kept) > LONGEST:
        return None
    if (whole := _told_once(words, kept)) is not None:
        return whole
    for between in re.finditer("; ", kept):
        first = _told_once(words, kept[: between.start()])
        following = told(words, kept[between.end() :]) if first is not None else None
        if following is not None:
            return f"{str(first).removesuffix('.')}; {following}"
    return None


def _told_once(words: Words, kept: str) -> str | None:
    kind, colon, rest = kept.partition(": ")
    if colon and kind in vocabulary.KIND:
        following = _told_once(words, rest)
        return f"{words(vocabulary.KIND[kind])}: {following}" if following is not None else None
    return _one_said(words, SENTENCES, kept)


def _one_said(words: Words, sentences: Iterable[str], kept: str) -> str | None:
    return next((said for sentence in sentences if (said := _said(words, sentence, kept)) is not None), None)


def _said(words: Words, sentence: str, kept: str) -> str | None:
    found = _pattern(sentence).fullmatch(kept)
    if found is None:
        return None
    return words(sentence, **{name: _PLACES[name][1](words, value) for name, value in found.groupdict().items()})


@cache
def _pattern(sentence: str) -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", sentence)
    names, between = parts[1::2], parts[0::2]
    places = [f"(?P<{name}>{_PLACES[name][0]})" for name in names]
    return re.compile("".join(re.escape(text) + place for text, place in zip(between, [*places, ""], strict=True)))


def _as_it_is(words: Words, value: str) -> str:
    return value


def _moment(words: Words, value: str) -> str:
    """The wall clock of the brand, as it is kept: whatever zone is put beside it, it stays the same."""
    try:
        return words.moment(datetime.fromisoformat(value).replace(tzinfo=words.zone)) if "-" in value else value
    except ValueError:  # a day that there is not: no words of ours
        return value


def _one_of(table: Mapping[str, str]) -> Callable[[Words, str], str]:
    """Names with a comma between them, in the vocabulary's words."""
    return lambda words, value: ", ".join(words(table.get(name, name)) for name in value.split(", "))


def _sentence(words: Words, value: str) -> str:
    return told(words, value) or value


def _span(words: Words, value: str) -> str:
    number, unit = value.split()
    one, many = f"%(count)d {unit.removesuffix('s')}", f"%(count)d {unit.removesuffix('s')}s"
    return words.count(one, many, int(number))


def _quoted(words: Words, value: str) -> str:
    """Somebody's words, which an error holds as Python writes them."""
    try:
        said = ast.literal_eval(value)
        return f"„{said}”" if words.language == "pl" else f"“{said}”"
    except (SyntaxError, ValueError):
        return value


_DAY = r"\d{4}-\d\d-\d\d"
_NAMES = r"[a-z_]+(?:, [a-z_]+)*"
#: What may stand in a place, and how it is said.
_PLACES: Mapping[str, tuple[str, Callable[[Words, str], str]]] = {
    "at": (r"(?:\d{4}-\d\d-\d\d )?\d\d:\d\d", _moment),
    "code": (r"[0-9A-F]+", _as_it_is),
    "count": (r"\d+", _as_it_is),
    "day": (_DAY, _as_it_is),
    "data": (r"[\w -]+", _one_of(vocabulary.PERSONAL_DATA)),
    "flags": (_NAMES, _one_of(vocabulary.FLAG)),
    "heads": (_NAMES, _one_of(vocabulary.HEAD)),
    "kind": (r"[a-z-]+", _one_of(vocabulary.KIND)),
    "languages": (_NAMES, _one_of(vocabulary.LANGUAGE)),
    "limit": (r"\d+", _as_it_is),
    "network": (r"\w+", _as_it_is),
    "person": (r".+?", _as_it_is),
    "quoted": (r"'.*'|\".*\"", _quoted),
    "reply": (r"[a-z-]+", _one_of(vocabulary.REPLY_STATE)),
    "rule": (r"[a-z-]+", _one_of(vocabulary.RULE)),
    "setting": (r"\w+", _as_it_is),
    "span": (r"\d+ (?:minute|hour|day)s?", _span),
    "unit": (r"[\w-]+", _one_of(vocabulary.LENGTH_UNIT)),
    "until": (_DAY, _as_it_is),
    "who": (r"[^;]+?", _as_it_is),
    "why": (r".+", _sentence),
    "zones": (r".+", _as_it_is),
}
