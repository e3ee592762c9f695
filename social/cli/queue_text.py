"""The queue on a terminal and as JSON. The JSON keys are a promise to scripts; times in it are ISO 8601 with a zone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from social.cli.classify import described
from social.cli.wording import indented, language_name, moment, mood, printable, span
from social.domain.assessment import Assessment
from social.domain.deadline import Deadline
from social.domain.escalation import WAITING_STATES
from social.domain.reply import ACTIVE_STATES, ReplyState
from social.store.queue import Calendars, CaseView, Contact, QueueItem
from social.store.threads import Entry, Said, Side

_STATES = {
    ReplyState.PLANNED: "due",
    ReplyState.SENDING: "being sent since",
    ReplyState.SENT: "sent",
    ReplyState.REFUSED: "REFUSED",
    ReplyState.CANCELLED: "cancelled, was due",
    ReplyState.LATE: "too late, was due",
    ReplyState.UNKNOWN: "UNKNOWN whether sent",
    ReplyState.WOULD_HAVE_SENT: "would have been sent (dry-run)",
}


# --- the list ----------------------------------------------------------------------------------------------------------


def listing(items: Sequence[QueueItem], *, now: datetime, total: int, calendars: Calendars) -> str:
    shown = "" if len(items) == total else f", {len(items)} shown"
    blocks = [_block(item, now, _zone(item, calendars)) for item in items]
    return "\n".join([f"{total} waiting{shown}, most urgent first.", *blocks])


def nothing(*, taken_by: str | None, profile: str | None, others: int) -> str:
    """An empty list; ``others`` wait outside what was asked for."""
    where = f" on {profile}" if profile else ""
    told = f"Nothing waits{where}." if taken_by is None else f"{taken_by} has taken nothing that waits{where}."
    return f"{told} Of all there are {others}: social queue list" if others else told


def _block(item: QueueItem, now: datetime, zone: tzinfo) -> str:
    taken = f"  taken by {item.taken_by}" if item.taken_by else ""
    felt = mood(item.sentiment, item.language, sure=item.sentiment_sure)
    lines = [
        f"#{item.case_id:<5} {item.urgency.value.upper():<8}  {item.profile}  {printable(item.author)}  ({felt}){taken}",
        f"       {clocks_in_words(item, now, zone)}",
        f"       {_excerpt(item)}",
    ]
    if item.said:
        lines.append("       robot: " + "; ".join(_said_in_words(said, zone) for said in item.said))
    if item.formal and item.deadline_at is not None:
        lines.append(f"       formal complaint: answer it by {moment(item.deadline_at, zone)}")
    if item.note:
        lines.append(f"       note: {printable(item.note)}")
    return "\n".join(lines)


def _excerpt(item: QueueItem) -> str:
    if item.deleted:
        return "(the customer deleted this post)"
    more = f"  ({item.messages} messages)" if item.messages > 1 else ""
    return f"{printable(item.excerpt) or '(no text)'}{more}"


def clocks_in_words(item: QueueItem, now: datetime, zone: tzinfo) -> str:
    """Both clocks, always: the customer's hour on the wall, and the one that stands still while nobody is there."""
    waits = f"waits {span(now - item.waiting_since)} since {moment(item.waiting_since, zone)}"
    business = item.clocks.business
    return (
        f"{waits} | customer's hour: {_left(item.clocks.wall, now)} | "
        f"business hour: {_left(business, now) if business else 'no opening in sight'}"
    )


def _left(deadline: Deadline, now: datetime) -> str:
    left = deadline.time_left(now)
    kept = left >= timedelta(0)
    if deadline.running:
        return f"{span(left)} left" if kept else f"BROKEN {span(left)} ago"
    return "kept" if kept else f"broken by {span(left)}"


def _said_in_words(said: Said, zone: tzinfo) -> str:
    return f"{said.kind.value} {_STATES[said.state]} {moment(said.at, zone)}"


def unsettled(reply: Said) -> str:
    who = reply.by or "the robot"
    return (
        f"Nobody can tell whether reply {reply.reply_id} ({reply.kind.value} of {who}) was published. Look, and say: "
        f"social queue settle {reply.reply_id} --sent or --not-sent"
    )


# --- one case ----------------------------------------------------------------------------------------------------------


def whole(view: CaseView, *, now: datetime, calendars: Calendars) -> str:
    item, zone = view.item, _zone(view.item, calendars)
    state = f"{item.state.value} by {item.taken_by}" if item.taken_by else item.state.value
    lines = [
        f"Case {item.case_id}: {state}, {item.urgency.value}, on {item.profile} ({item.network}) for {item.brand}",
        f"  {clocks_in_words(item, now, zone)}",
        f"  Customer: {printable(item.author)}, account {printable(item.account)} on {item.network}",
        f"  Here because of {item.rule}: {printable(item.reason)}",
    ]
    if item.formal and item.deadline_at is not None:
        lines.append(f"  Formal complaint: it needs an answer by {moment(item.deadline_at, zone)}, or a reason.")
    if item.note:
        lines.append(f"  Note: {printable(item.note)}")
    if view.close_reason:
        lines.append(f"  Closed: {printable(view.close_reason)}")
    lines += ["", *_judgement(view.assessment), "", "Thread:"]
    for entry in view.thread:
        lines += _entry(entry, zone)
    if view.earlier:
        lines += ["", f"Earlier contacts of {printable(item.author)}:"]
        lines += [_contact(contact, zone) for contact in view.earlier]
    lines += ["", "What was decided:"]
    lines += [
        f"  {moment(made.made_at, zone)}  post {made.post_id}: {made.outcome} by {made.rule}, {printable(made.reason)}"
        for made in view.decisions
    ]
    lines += ["", "What was done:"]
    lines += [f"  {moment(done.at, zone)}  {printable(done.actor)} {done.verb}" for done in view.history]
    return "\n".join([*lines, "", *_next_steps(view)])


def _judgement(found: Assessment | None) -> Iterable[str]:
    if found is None:
        yield "Not judged."
        return
    unsure = f"; unsure of {', '.join(sorted(found.abstained))}" if found.abstained else ""
    flags = f"; {', '.join(sorted(found.flags))}" if found.flags else ""
    yield (
        f"Judged as {found.sentiment.value} ({found.sentiment_scores[found.sentiment]:.0%}), {found.urgency.value} "
        f"({found.urgency_scores[found.urgency]:.0%}), {language_name(found.language)}{flags}{unsure}  [{found.model}]"
    )
    for reason in found.reasons:
        words = f': "{printable(reason.evidence)}"' if reason.evidence else ""
        yield f"  {reason.source} {reason.name}{words}{f' -> {reason.effect}' if reason.effect else ''}"


def _entry(entry: Entry, zone: tzinfo) -> Iterable[str]:
    marks = []
    if entry.reply_id is not None and entry.state is not None:
        marks.append(f"{entry.kind}, {_STATES[entry.state].split(',')[0]}, reply {entry.reply_id}")
    if entry.edited_at is not None:
        marks.append(f"edited {moment(entry.edited_at, zone)}")
    if entry.deleted_at is not None:
        marks.append(f"DELETED {moment(entry.deleted_at, zone)}")
    if entry.reason:
        marks.append(printable(entry.reason))
    who = {Side.ROBOT: "robot", Side.OTHER: f"{printable(entry.who)} (somebody else)"}.get(
        entry.side, printable(entry.who)
    )
    told = f"  [{'; '.join(marks)}]" if marks else ""
    yield f"  {moment(entry.at, zone)}  {who}{told}"
    for number, text in enumerate(entry.earlier_texts, start=1):
        yield indented(f"(version {number}: {text})")
    if entry.deleted_at is None:
        yield indented(entry.text or "(no text)")
    for media in entry.media:
        yield indented(f"({media.kind.value}: {media.description or media.url or 'no description'})")


def _contact(contact: Contact, zone: tzinfo) -> str:
    ended = f" -> {printable(contact.ended)}" if contact.ended else ""
    case = f"case {contact.case_id}, " if contact.case_id else ""
    excerpt = printable(contact.excerpt) or "(deleted)"
    return f"  {moment(contact.opened_at, zone)}  {case}{contact.profile}: {excerpt}{ended}"


def _next_steps(view: CaseView) -> Iterable[str]:
    item = view.item
    if item.permalink:
        yield f"On the network: {printable(item.permalink)}"
    for reply in view.unknown:
        yield unsettled(reply)
    answers = [entry for entry in view.thread if entry.side is Side.PERSON and entry.state in ACTIVE_STATES]
    if answers:
        yield f"An answer of {printable(answers[-1].who)} is on its way."
    elif item.state in WAITING_STATES:
        yield f'Answer: social queue answer {item.case_id} "..." --seen {view.seen}'


# --- JSON --------------------------------------------------------------------------------------------------------------


def item_as_json(item: QueueItem, now: datetime) -> dict[str, Any]:
    return {
        "case": item.case_id,
        "state": item.state,
        "urgency": item.urgency,
        "sentiment": item.sentiment,
        "sentiment_sure": item.sentiment_sure,
        "language": item.language,
        "brand": item.brand,
        "profile": item.profile,
        "network": item.network,
        "author": item.author,
        "waiting_since": item.waiting_since,
        "customers_hour": _clock_as_json(item.clocks.wall, now),
        "business_hour": _clock_as_json(item.clocks.business, now),
        "formal": item.formal,
        "deadline_at": item.deadline_at,
        "excerpt": item.excerpt,
        "deleted": item.deleted,
        "messages": item.messages,
        "robot_said": [_said_as_json(said) for said in item.said],
        "taken_by": item.taken_by,
        "rule": item.rule,
        "reason": item.reason,
        "note": item.note,
        "link": item.permalink,
    }


def case_as_json(view: CaseView, now: datetime) -> dict[str, Any]:
    return {
        **item_as_json(view.item, now),
        "account": view.item.account,
        "answered_at": view.answered_at,
        "answered_natively": view.answered_natively,
        "closed_at": view.closed_at,
        "close_reason": view.close_reason,
        "judgement": None if view.assessment is None else described(view.item.newest_post_id, view.assessment),
        "thread": [
            {
                "at": entry.at,
                "side": entry.side,
                "who": entry.who,
                "text": entry.text,
                "post": entry.post_id,
                "reply": entry.reply_id,
                "kind": entry.kind,
                "state": entry.state,
                "reason": entry.reason,
                "edited_at": entry.edited_at,
                "deleted_at": entry.deleted_at,
                "earlier_texts": entry.earlier_texts,
                "link": entry.permalink,
            }
            for entry in view.thread
        ],
        "earlier_contacts": list(view.earlier),
        "decisions": list(view.decisions),
        "unknown_replies": [_said_as_json(said) for said in view.unknown],
        "done": list(view.history),
        "seen": str(view.seen),
    }


def _clock_as_json(deadline: Deadline | None, now: datetime) -> dict[str, Any] | None:
    if deadline is None:
        return None
    return {
        "due_at": deadline.due_at,
        "running": deadline.running,
        "broken": deadline.breached(now),
        "seconds_left": deadline.time_left(now),
    }


def _said_as_json(said: Said) -> dict[str, Any]:
    return {
        "reply": said.reply_id,
        "kind": said.kind,
        "state": said.state,
        "at": said.at,
        "by": said.by or said.sent_by,
        "text": said.text,
        "reason": said.reason,
        "link": said.permalink,
    }


def _zone(item: QueueItem, calendars: Calendars) -> tzinfo:
    return calendars[item.brand].timezone if item.brand in calendars else ZoneInfo("UTC")
