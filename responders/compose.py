"""The robot's words: a fixed text in the customer's language, filled only with facts that are known to be true.

The texts lie in ``responders/texts/<language>.toml``. Nothing is generated: what the robot may say was written and read
by people beforehand. People's own answers do not come through here.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from responders.guard import length
from social.domain.hours import BusinessCalendar
from social.domain.post import require_aware
from social.domain.reply import Composed, ReplyKind
from social.ports import ReplyRules

NEUTRAL = "neutral"
COMPLAINT = "complaint"

#: Names in ``Composed.facts``: instants as ISO 8601, and the local day on which "today" was said.
OPENING = "opening"
CLOSING = "closing"
WORDED_ON = "worded_on"

#: "On duty until 17:00" at 16:58 is true and no help; such a text is skipped.
WORTH_TELLING = timedelta(minutes=15)
#: A date without a year is plain only so far ahead.
DATED_AHEAD = timedelta(days=180)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One text. ``id`` is unique in its language and tone; ``needs`` are its placeholders."""

    id: str
    text: str
    public_only: bool = False

    @property
    def needs(self) -> frozenset[str]:
        return frozenset(name for _, name, _, _ in string.Formatter().parse(self.text) if name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """All texts of one language. ``variants`` by kind and tone (neutral, complaint), ``words`` for times and days,
    ``problems`` what a holding statement may name, in words that follow "trouble"."""

    language: str
    words: Mapping[str, str]
    days: tuple[str, ...]
    months: tuple[str, ...]
    variants: Mapping[tuple[ReplyKind, str], tuple[Variant, ...]]
    problems: Mapping[str, str]


def languages() -> tuple[str, ...]:
    """The languages that there are texts in, such as ``("en", "pl")``."""
    names = (entry.name for entry in files("responders").joinpath("texts").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


@cache
def texts_in(language: str) -> Texts:
    """The texts of ``language``. Raises ``LookupError`` where there are none."""
    if language not in languages():
        raise LookupError(f'no automatic texts in "{language}"; there are {", ".join(languages())}')
    table = tomllib.loads(files("responders").joinpath("texts", f"{language}.toml").read_text(encoding="utf-8"))
    words = table["words"]
    return Texts(
        language=table["language"],
        words={name: word for name, word in words.items() if isinstance(word, str)},
        days=tuple(words["days"]),
        months=tuple(words["months"]),
        variants={
            (kind, tone): tuple(Variant(**variant) for variant in variants)
            for kind in ReplyKind
            for tone, variants in table.get(kind.value, {}).items()
        },
        problems=table["problems"],
    )


def compose(
    kind: ReplyKind,
    *,
    language: str,
    brand: str,
    at: datetime,
    timezone: ZoneInfo,
    rules: ReplyRules,
    complaint: bool = False,
    opening: datetime | None = None,
    closing: datetime | None = None,
    problem: str | None = None,
    recent_variants: Sequence[str] = (),
    private: bool = False,
    fallback_language: str | None = None,
) -> Composed | None:
    """The text of ``kind`` that fits, or ``None`` where there is none.

    ``at`` is when it is to go out: "today" and "tomorrow" are said from there, in ``timezone``. ``opening``,
    ``closing`` and ``problem`` (in the customer's language, with its preposition) are the known facts.
    ``recent_variants`` are those that this profile used, newest first: the one used longest ago, or never, is taken.
    A text in ``language`` is looked for first (``pl-PL`` is ``pl``), then in ``fallback_language``.
    """
    require_aware(at, "at")
    wanted = (_base(name) for name in (language, fallback_language) if name)
    spoken = next((name for name in wanted if name in languages()), None)
    if spoken is None:
        return None
    texts = texts_in(spoken)
    known = _known(texts, brand=brand, at=at, timezone=timezone, opening=opening, closing=closing, problem=problem)
    for tone in (COMPLAINT, NEUTRAL) if complaint else (NEUTRAL,):
        fitting = {
            f"{spoken}/{kind.value}/{tone}/{variant.id}": variant
            for variant in texts.variants.get((kind, tone), ())
            if variant.needs <= known.keys() and not (private and variant.public_only)
            if length(variant.text.format_map(known), rules.length_unit) <= rules.length_limit
        }
        if opening is not None:  # whoever writes at night wants to know when, in every kind of text that can tell
            telling = {name: variant for name, variant in fitting.items() if variant.needs & {OPENING, "availability"}}
            fitting = telling or fitting
        if fitting:
            name = _least_recent(list(fitting), recent_variants)
            chosen = fitting[name]
            # An acknowledgement stands on the closing even where its words do not name it: it belongs to open minutes.
            timed = kind is ReplyKind.ACKNOWLEDGEMENT or bool(chosen.needs & {OPENING, CLOSING, "availability"})
            facts = _facts(at=at, timezone=timezone, opening=opening, closing=closing) if timed else {}
            return Composed(text=chosen.text.format_map(known), language=spoken, variant=name, facts=facts)
    return None


def still_true(facts: Mapping[str, str], calendar: BusinessCalendar, now: datetime) -> bool:
    """Are the facts of a composed text (``Composed.facts``) true at ``now``? Checked just before it is sent.

    A named opening must be the next one, with the desk closed until then, and "tomorrow" must be said on the same day.
    A closing must still end the stretch that is open now: an acknowledgement that missed the closing is decided again.
    """
    if (worded_on := facts.get(WORDED_ON)) and _local_day(now, calendar.timezone) != date.fromisoformat(worded_on):
        return False
    if opening := facts.get(OPENING):
        return not calendar.is_open(now) and calendar.next_opening(now) == datetime.fromisoformat(opening)
    if closing := facts.get(CLOSING):
        return calendar.closes_at(now) == datetime.fromisoformat(closing)
    return True


def opening_in_words(texts: Texts, opening: datetime, *, at: datetime, timezone: ZoneInfo) -> str:
    """``dziś o 9:00``, ``jutro o 9:00``, ``w poniedziałek o 9:00``; beyond 6 days ``w środę 7 stycznia o 9:00``."""
    local = opening.astimezone(timezone)
    days = (local.date() - _local_day(at, timezone)).days
    form = "today" if days == 0 else "tomorrow" if days == 1 else "weekday" if days <= 6 else "date"
    return texts.words[form].format(
        time=_time(local),
        day=texts.days[local.weekday()],
        number=local.day,
        month=texts.months[local.month - 1],
    )


def _known(
    texts: Texts,
    *,
    brand: str,
    at: datetime,
    timezone: ZoneInfo,
    opening: datetime | None,
    closing: datetime | None,
    problem: str | None,
) -> dict[str, str]:
    """Placeholder -> words, for the facts that are known and worth telling."""
    known = {"brand": brand}
    if problem:
        known["problem"] = problem
    if opening is not None and timedelta(0) < opening - at <= DATED_AHEAD:
        known["opening"] = opening_in_words(texts, opening, at=at, timezone=timezone)
        known["availability"] = texts.words["back"].format(opening=known["opening"])
    elif until := _closing_in_words(texts, closing, at=at, timezone=timezone):
        known["closing"] = until
        known["availability"] = texts.words["on_duty"].format(closing=until)
    return known


def _closing_in_words(texts: Texts, closing: datetime | None, *, at: datetime, timezone: ZoneInfo) -> str:
    """``17:00`` or ``północy``; empty where it is too near to be of use, or on another day, which a bare hour would not
    tell."""
    if closing is None or closing - at < WORTH_TELLING:
        return ""
    local = closing.astimezone(timezone)
    days = (local.date() - _local_day(at, timezone)).days
    if days == 1 and local.hour == local.minute == 0:
        return texts.words["midnight"]
    return _time(local) if days == 0 else ""


def _facts(*, at: datetime, timezone: ZoneInfo, opening: datetime | None, closing: datetime | None) -> dict[str, str]:
    """What the text stands on."""
    if opening is not None:
        return {OPENING: opening.isoformat(), WORDED_ON: _local_day(at, timezone).isoformat()}
    return {} if closing is None else {CLOSING: closing.isoformat()}


def _least_recent(names: Sequence[str], recent: Sequence[str]) -> str:
    """The first name that was not used, or the one whose last use lies furthest back."""
    last_use = {name: age for age, name in reversed(list(enumerate(recent)))}
    return max(names, key=lambda name: last_use.get(name, len(recent)))


def _base(language: str) -> str:
    return language.lower().replace("_", "-").split("-")[0]


def _local_day(at: datetime, timezone: ZoneInfo) -> date:
    return at.astimezone(timezone).date()


def _time(local: datetime) -> str:
    return f"{local.hour}:{local.minute:02}"
