"""The words of the messages: pure functions from what is known to a subject and a plain text, in Polish or English.

The texts lie in ``social/notifiers/texts/<language>.toml``. What a network or a customer wrote only ever fills a gap: on one
line, without control characters, and so that no mail program or chat makes a link, a mention or a tag of it.
"""

from __future__ import annotations

import string
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from social.domain.assessment import Urgency
from social.domain.reply import ReplyKind

EXCERPT = 140
#: Alerts of a kind without texts of its own are told by their message.
OTHER = "other"
_JOINER = "\u2060"  # between "@" and a name, ":" and "//": looks the same, and is no mention and no link any more
_DISARMED = str.maketrans({"@": f"@{_JOINER}", "<": "‹", ">": "›"})


@dataclass(frozen=True, slots=True)
class Words:
    subject: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertNews:
    """What may be told about an alert; what is empty or ``None`` is not known, or is not to be told. ``detail`` is the
    alert's own sentence, ``link`` leads to the desk, ``next_at`` is when somebody else is told."""

    kind: str
    urgency: Urgency
    person: str
    now: datetime
    timezone: ZoneInfo
    profile: str = ""
    network: str = ""
    case_id: int | None = None
    reply_id: str = ""
    waiting_since: datetime | None = None
    deadline_at: datetime | None = None
    excerpt: str = ""
    permalink: str = ""
    link: str = ""
    detail: str = ""
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCase:
    """``author`` is empty where the network tells no name."""

    case_id: int
    urgency: Urgency
    author: str
    profile: str
    since: datetime
    taken_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """``customers`` would have got an automatic text since ``since`` and got none."""

    profile: str
    since: datetime
    customers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestNews:
    """The morning of one brand. ``said``: automatic texts that were published since ``closing``; ``unknown``: ids of replies
    that a person has to settle; ``broken``: profile and why; ``tokens``: profile and when its access ends."""

    brand: str
    now: datetime
    opening: datetime
    closing: datetime
    timezone: ZoneInfo
    by_urgency: Mapping[Urgency, int]
    longest: Sequence[WaitingCase] = ()
    said: Mapping[ReplyKind, int]
    unknown: Sequence[int] = ()
    paused: tuple[datetime, str] | None = None
    dry_runs: Sequence[DryRun] = ()
    broken: Sequence[tuple[str, str]] = ()
    tokens: Sequence[tuple[str, datetime]] = ()
    link: str = ""


def about_alert(news: AlertNews, language: str) -> Words:
    """What somebody on call reads, perhaps on a phone at two in the morning."""
    texts = _texts_in(language)
    known: dict[str, str] = {
        "urgency": texts["urgency"][news.urgency.value],
        "person": one_line(news.person),
        "profile": one_line(news.profile),
        "network": one_line(news.network),
        "case": "" if news.case_id is None else str(news.case_id),
        "reply": one_line(news.reply_id),
        "excerpt": disarmed(news.excerpt),
        "permalink": _web_address(news.permalink),
        "link": news.link,
        "detail": one_line(news.detail, 500),
    }
    for name, at in (("since", news.waiting_since), ("deadline", news.deadline_at), ("next_at", news.next_at)):
        known[name] = "" if at is None else _moment(texts, at, news.timezone)
    known["waiting"] = "" if news.waiting_since is None else _span(texts, news.now - news.waiting_since)
    return _filled(texts["alert"].get(news.kind) or texts["alert"][OTHER], known)


def about_test(person: str, language: str) -> Words:
    return _filled(_texts_in(language)["test"], {"person": one_line(person)})


def about_morning(news: DigestNews, language: str) -> Words:
    """Who waits longest, what the robot said, and everything that does not go as it should."""
    texts = _texts_in(language)
    templates: Mapping[str, str] = texts["digest"]
    day = _moment(texts, news.opening, news.timezone).rpartition(",")[0]
    total = sum(news.by_urgency.values())
    lines = [
        templates["opening"].format(opening=_moment(texts, news.opening, news.timezone)),
        "",
        *_queue(news, texts, total),
        "",
        _said(news, texts),
        "",
        *_troubles(news, texts),
        "",
        *([templates["link"].format(link=news.link)] if news.link else []),
    ]
    subject = templates["subject"].format(brand=one_line(news.brand), day=day, total=total)
    return Words(subject, _parted(lines))


def _queue(news: DigestNews, texts: Mapping[str, Any], total: int) -> Iterator[str]:
    templates = texts["digest"]
    if not total:
        yield templates["none"]
        return
    urgencies = ", ".join(
        f"{texts['urgency'][urgency.value]}: {news.by_urgency.get(urgency, 0)}" for urgency in Urgency
    )
    yield templates["total"].format(total=total, urgencies=urgencies)
    yield templates["longest"]
    for case in news.longest:
        author, profile = disarmed(case.author), one_line(case.profile)
        yield templates["case"].format(
            case=case.case_id,
            urgency=texts["urgency"][case.urgency.value],
            who=texts["words"]["author"].format(author=author, profile=profile) if author else profile,
            waiting=_span(texts, news.now - case.since),
            since=_moment(texts, case.since, news.timezone),
            taken=texts["words"]["taken"].format(person=one_line(case.taken_by)) if case.taken_by else "",
        )


def _said(news: DigestNews, texts: Mapping[str, Any]) -> str:
    closing = _moment(texts, news.closing, news.timezone)
    kinds = ", ".join(f"{texts['said'][kind.value]} {count}" for kind, count in news.said.items() if count)
    templates: Mapping[str, str] = texts["digest"]
    return templates["said" if kinds else "silent"].format(closing=closing, kinds=kinds)


def _troubles(news: DigestNews, texts: Mapping[str, Any]) -> Iterator[str]:
    templates = texts["digest"]

    def when(at: datetime) -> str:
        return _moment(texts, at, news.timezone)

    if news.paused is not None:
        yield templates["paused"].format(since=when(news.paused[0]), person=one_line(news.paused[1]))
    for profile, reason in news.broken:
        yield templates["broken"].format(profile=one_line(profile), reason=one_line(reason, 500))
    if news.unknown:
        yield templates["unknown"].format(replies=", ".join(map(str, news.unknown)))
    for dry in news.dry_runs:
        days = (news.now - dry.since).days
        yield templates["dry_run"].format(
            profile=one_line(dry.profile), since=when(dry.since), days=days, customers=dry.customers
        )
    for profile, ends in news.tokens:
        yield templates["token"].format(profile=one_line(profile), ends=when(ends))


# --- pieces ------------------------------------------------------------------------------------------------------------


def languages() -> tuple[str, ...]:
    """The languages that there are texts in, such as ``("en", "pl")``."""
    names = (entry.name for entry in files("social.notifiers").joinpath("texts").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


@cache
def _texts_in(language: str) -> Mapping[str, Any]:
    text = files("social.notifiers").joinpath("texts", f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _filled(template: Mapping[str, Any], known: Mapping[str, str]) -> Words:
    """Lines with a gap that nothing fills are left out; a subject keeps its gaps empty."""
    lines = [line.format_map(known) for line in template["lines"] if all(known.get(name) for name in _gaps(line))]
    return Words(one_line(template["subject"].format_map(known)), _parted(lines))


def _gaps(line: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(line) if name}


def _parted(lines: Iterable[str]) -> str:
    """Blocks of lines with one empty line between them."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def one_line(text: str, limit: int = 200) -> str:
    """``text`` without control and formatting characters (no line break, no reversed reading direction), cut."""
    plain = "".join(letter if unicodedata.category(letter)[0] != "C" else " " for letter in text)
    line = " ".join(plain.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def disarmed(text: str) -> str:
    """Somebody else's words on one line of at most 140 characters, in which nothing is a link, a mention or a tag."""
    line = one_line(text, EXCERPT).translate(_DISARMED).replace("://", f":{_JOINER}//")
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1].rstrip() + "…"


def _web_address(text: str) -> str:
    """A link of a network as it is; anything else is none."""
    fit = text.startswith(("https://", "http://")) and text.isprintable() and not any(map(str.isspace, text))
    return text if fit else ""


def _moment(texts: Mapping[str, Any], at: datetime, timezone: ZoneInfo) -> str:
    """``pt. 20 listopada, 2:05``."""
    local, words = at.astimezone(timezone), texts["words"]
    told: str = words["moment"].format(
        day=words["days"][local.weekday()],
        number=local.day,
        month=words["months"][local.month - 1],
        time=f"{local.hour}:{local.minute:02}",
    )
    return told


def _span(texts: Mapping[str, Any], length: timedelta) -> str:
    minutes = max(0, int(length.total_seconds() // 60))
    form = "minutes" if minutes < 60 else "hours" if minutes < 24 * 60 else "daily"
    hours = minutes // 60 if form == "hours" else minutes // 60 % 24
    told: str = texts["words"][form].format(days=minutes // 1440, hours=hours, minutes=minutes % 60)
    return told
