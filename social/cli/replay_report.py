"""The numbers of a replay, for people and for scripts. No customer's text stands in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from social.cli.promises import HOUR, as_dicts, in_words
from social.cli.replay_file import ThreadFile
from social.cli.replay_run import Ending, Met, Replay
from social.cli.wording import printable, span

LONGEST_WAITS = 10
#: What the judge is called where there is no model.
WITHOUT_MODEL = "rules-only"
#: Endings in which the customer heard from the robot.
SAID = (Ending.ACKNOWLEDGED, Ending.TOLD_CLOSED, Ending.HANDED_OVER)
#: Endings that have reasons worth counting.
EXPLAINED = (Ending.ESCALATED, Ending.IGNORED, Ending.COULD_NOT)

_ENDINGS = {
    Ending.ACKNOWLEDGED: "acknowledged by the robot",
    Ending.TOLD_CLOSED: "told by the robot that nobody is there, and until when",
    Ending.HANDED_OVER: "asked for a person, and told that one comes",
    Ending.PERSON_QUICKER: "nothing from the robot: a person was quicker",
    Ending.ESCALATED: "put to people without an automatic word, by the rule",
    Ending.IGNORED: "ignored, by the rule",
    Ending.COULD_NOT: "could not be met",
}

#: The rules of the policy for somebody who never read its table; docs/how-a-decision-is-made.md tells all of each.
RULES_IN_WORDS = {
    "after-gap": "came while nobody polled",
    "already-answered": "a person answered before it was judged",
    "auto-reply": "a machine's answer",
    "automation-ended": "a person acts here already, or automation ended",
    "between-customers": "written to another customer",
    "closed": "outside hours, and no notice was to be sent",
    "crisis": "far more complaints than usual: acknowledgements wait",
    "limit": "too many automatic texts in this hour",
    "no-answer-needed": "praise, chatter",
    "no-robot-here": "safety, law, fraud, press, rising anger: not for a robot",
    "not-permitted": "the network's rules forbid an automatic answer",
    "one-text-a-contact": "had its one automatic text already",
    "open": "within hours",
    "opt-out": "wants no automatic texts, and an answer",
    "opt-out-only": "wants no automatic texts",
    "other-bot": "another bot",
    "perhaps-spam": "looks like spam, and may be more",
    "spam": "spam",
    "unsure": "the judgement is not sure enough for a robot",
    "wants-human": "asks for a person",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """When people really answered ``customers`` of which that is known. Times are until the first answer."""

    customers: int
    answered: int
    within_hour: int
    median: timedelta | None
    nine_in_ten: timedelta | None  # the shortest wait that 90 % of the answered did not exceed

    @property
    def never(self) -> int:
        return self.customers - self.answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Who spoke within the customer's hour, over the customers whose real answers are known: each is in one of
    ``only_person``, ``both``, ``only_robot`` and ``nobody``."""

    only_person: int
    kept_out: int  # of these: the robot had something to say, and a person was quicker
    both: int
    only_robot: Counter[Ending]
    nobody: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    endings: Counter[Ending]
    details: dict[Ending, Counter[str]]
    people: People
    together: Together
    sentiment: Counter[str]
    urgency: Counter[str]
    longest: tuple[Met, ...]
    never: tuple[str, ...]  # thread ids
    ignored_but_answered: int  # what the desk would not have shown to people, and a person answered


def summarise(met: Sequence[Met]) -> Summary:
    known = [one for one in met if one.contact.answers_known]
    waits = sorted(one.contact.waited for one in known if one.contact.waited is not None)
    longest = sorted(
        (one for one in known if one.contact.waited is not None),
        key=lambda one: (-(one.contact.waited or timedelta(0)), one.contact.thread),
    )
    return Summary(
        endings=Counter({ending: sum(one.ending is ending for one in met) for ending in Ending}),
        details={ending: Counter(one.detail for one in met if one.ending is ending) for ending in EXPLAINED},
        people=People(
            customers=len(known),
            answered=len(waits),
            within_hour=sum(wait <= HOUR for wait in waits),
            median=timedelta(seconds=median(wait.total_seconds() for wait in waits)) if waits else None,
            nine_in_ten=waits[ceil(0.9 * len(waits)) - 1] if waits else None,
        ),
        together=_together(known),
        sentiment=Counter(one.sentiment for one in met if one.sentiment is not None),
        urgency=Counter(one.urgency for one in met if one.urgency is not None),
        longest=tuple(longest[:LONGEST_WAITS]),
        ignored_but_answered=sum(one.ending is Ending.IGNORED and one.contact.waited is not None for one in known),
        never=tuple(dict.fromkeys(one.contact.thread for one in known if one.contact.waited is None)),
    )


def _together(known: Sequence[Met]) -> Together:
    by_person = [one.contact.waited is not None and one.contact.waited <= HOUR for one in known]
    pairs = list(zip(known, by_person, strict=True))
    return Together(
        only_person=sum(one.ending not in SAID and person for one, person in pairs),
        kept_out=sum(one.ending is Ending.PERSON_QUICKER for one in known),
        both=sum(one.ending in SAID and person for one, person in pairs),
        only_robot=Counter(one.ending for one, person in pairs if one.ending in SAID and not person),
        nobody=sum(one.ending not in SAID and not person for one, person in pairs),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a report is about, besides the numbers."""

    file: ThreadFile
    replay: Replay
    threads: int
    messages: int
    first_at: datetime  # of the messages as they were played
    last_at: datetime
    shift: timedelta
    profile: str
    brand: str
    zone: ZoneInfo
    closed_notice: bool
    brand_of_file: str | None


# --- for people --------------------------------------------------------------------------------------------------------


def words(told: Told, summary: Summary) -> Iterator[str]:
    total = summary.endings.total()
    yield from _header(told)
    yield ""
    yield f"What customers' first messages ({total}) would have met within the hour"
    for ending, text in _ENDINGS.items():
        yield _row(summary.endings[ending], text)
        for detail, count in _most_first(summary.details.get(ending, Counter())):
            yield _row(count, _explained(detail), deeper=True)
        if ending is Ending.IGNORED and summary.ignored_but_answered:
            yield _row(summary.ignored_but_answered, "of them really got a person's answer: look at some", deeper=True)
    yield f"  In all the robot would have written {told.replay.robot_texts} texts, to later messages too."
    yield ""
    yield from _people(summary.people)
    yield ""
    yield from _together_in_words(summary.together)
    yield ""
    yield f"Sentiment of the first messages:  {_mix(summary.sentiment, ('negative', 'neutral', 'positive'))}"
    yield f"Urgency of the first messages:    {_mix(summary.urgency, ('critical', 'high', 'normal', 'low'))}"
    if summary.longest:
        yield ""
        yield "The longest waits for a person, by thread, and what the desk would have done:"
        for one in summary.longest:
            assert one.contact.waited is not None
            what = f"{one.ending.value}{f' ({one.detail})' if one.ending in EXPLAINED else ''}"
            yield f"  {span(one.contact.waited):>12}  {printable(one.contact.thread)}: {what}"
    yield ""
    yield from in_words(told.replay.checks)


def _header(told: Told) -> Iterator[str]:
    of = f"of {printable(told.brand_of_file)}" if told.brand_of_file else "all brands of the file as one,"
    moved = f", moved by {told.shift.days // 7} weeks" if told.shift else ""
    yield f"Conversations: {told.threads}, messages: {told.messages}, {of} on profile {told.profile}"
    yield (
        f"  from {told.first_at.astimezone(told.zone):%d %B %Y} to {told.last_at.astimezone(told.zone):%d %B %Y}{moved}, "
        f"in the hours of {told.brand} ({told.zone.key})"
    )
    notices = "on" if told.closed_notice else "off"
    yield f"  automatic texts as if live, notices outside hours {notices}"
    yield f"  judged by {told.replay.model}, policy {told.replay.policy}"
    if told.replay.model.startswith(WITHOUT_MODEL):
        yield "  Without the model everything doubtful goes to people: hardly anything is acknowledged."
    if told.file.skipped:
        yield f"  {len(told.file.skipped)} lines of the file were skipped, each with its reason above"
    for what, count in sorted(told.file.mended.items()):
        yield f"  {count} {what}"


def _people(people: People) -> Iterator[str]:
    yield f"When people really answered (customers of whom the file tells it: {people.customers})"
    yield _row(people.within_hour, f"within the hour ({_share(people.within_hour, people.customers)})")
    yield _row(people.answered - people.within_hour, "later")
    yield _row(people.never, "never, as far as the file goes")
    if people.median is not None and people.nine_in_ten is not None:
        yield (
            f"  Of the answered, half waited {span(people.median)} at most, nine in ten {span(people.nine_in_ten)} at most."
        )


def _together_in_words(together: Together) -> Iterator[str]:
    heard = together.only_robot
    yield "Whom these customers would have heard from within the hour"
    yield _row(together.only_person, "a person only, as it really was")
    yield _row(together.kept_out, "of them: the robot kept out because a person was quicker", deeper=True)
    yield _row(together.both, "the robot, and after it a person")
    yield _row(heard.total(), "the robot, where no person really answered within the hour")
    yield _row(heard[Ending.ACKNOWLEDGED], "acknowledged", deeper=True)
    yield _row(heard[Ending.TOLD_CLOSED], "told that nobody is there", deeper=True)
    yield _row(heard[Ending.HANDED_OVER], "told that a person comes", deeper=True)
    yield _row(together.nobody, "nobody")


def _row(count: int, text: str, *, deeper: bool = False) -> str:
    return f"{'      ' if deeper else ''}{count:6d}  {text}"


def _explained(detail: str) -> str:
    rule, _, then = detail.partition(", then ")
    return f"{rule}: {then or RULES_IN_WORDS[rule]}" if then or rule in RULES_IN_WORDS else detail


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"


def _mix(counted: Counter[str], order: Sequence[str]) -> str:
    whole = counted.total()
    return ", ".join(f"{name} {counted[name]} ({_share(counted[name], whole)})" for name in order)


def _most_first(counted: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


# --- for scripts -------------------------------------------------------------------------------------------------------


def as_dict(told: Told, summary: Summary) -> dict[str, Any]:
    """Waits are in seconds, times in UTC."""
    people, together = summary.people, summary.together
    return {
        "kept": told.replay.kept,
        "file": {
            "conversations": told.threads,
            "messages": told.messages,
            "skipped": [{"line": item.line, "reason": item.reason} for item in told.file.skipped],
            "mended": dict(sorted(told.file.mended.items())),
        },
        "replayed": {
            "profile": told.profile,
            "brand": told.brand,
            "timezone": told.zone.key,
            "closed_notice": told.closed_notice,
            "model": told.replay.model,
            "policy": told.replay.policy,
            "from": told.first_at,
            "to": told.last_at,
            "shifted": told.shift,
        },
        "first_messages": {
            "total": summary.endings.total(),
            **{ending.name.lower(): summary.endings[ending] for ending in Ending},
            "ignored_but_answered": summary.ignored_but_answered,
            "reasons": {ending.name.lower(): dict(_most_first(summary.details[ending])) for ending in EXPLAINED},
        },
        "robot_texts": told.replay.robot_texts,
        "people": {
            "customers": people.customers,
            "answered": people.answered,
            "within_hour": people.within_hour,
            "never": people.never,
            "median": people.median,
            "nine_in_ten": people.nine_in_ten,
        },
        "together": {
            "only_person": together.only_person,
            "kept_out": together.kept_out,
            "both": together.both,
            "only_robot": {ending.name.lower(): together.only_robot[ending] for ending in SAID},
            "nobody": together.nobody,
        },
        "sentiment": dict(sorted(summary.sentiment.items())),
        "urgency": dict(sorted(summary.urgency.items())),
        "longest_waits": [
            {
                "thread": one.contact.thread,
                "waited": one.contact.waited,
                "ending": one.ending.name.lower(),
                "detail": one.detail,
            }
            for one in summary.longest
        ],
        "never_answered": list(summary.never),
        "checks": as_dicts(told.replay.checks),
    }
