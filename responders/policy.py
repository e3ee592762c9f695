"""What is to happen with a post: a table of named rules over a snapshot, the first match wins.

``TABLE`` reads from top to bottom. A rule is a condition and its consequence; what holds whatever the rule (urgency
that a repeat raises, the alert that rings a person, the formal flag, the customer's "stop") is added in ``decide``.
Everything is pure: the same snapshot and the same ``now`` give the same decision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from responders import timing
from responders.snapshot import Snapshot
from responders.view import View
from social.domain.assessment import NOBODY_FLAGS, SILENT_FLAGS, Flag, Head, Urgency
from social.domain.decision import Decision, Outcome, PlannedReply
from social.domain.post import ProfileMode, require_aware
from social.domain.reply import ReplyKind

#: Stored with every decision; raise it with every change of the table.
POLICY_VERSION = "5"

#: A post from before the first poll waits in the queue if it is not older than this; older ones are only kept.
HISTORY_WAITS_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What a rule concludes; ``decide`` adds the rest."""

    reason: str
    outcome: Outcome = Outcome.ESCALATED
    reply: PlannedReply | None = None
    decide_again_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """``row`` is the row of the table in the manual; 0 is what comes before it: history and gaps are never answered."""

    row: int
    name: str
    applies: Callable[[View], bool]
    conclude: Callable[[View], Conclusion]


def _ignore(reason: str) -> Callable[[View], Conclusion]:
    return lambda _: Conclusion(reason=reason, outcome=Outcome.IGNORED)


def _escalate(reason: str | Callable[[View], str]) -> Callable[[View], Conclusion]:
    return lambda view: Conclusion(reason=reason if isinstance(reason, str) else reason(view))


# --- conditions that need more than a line ----------------------------------------------------------------------------


def _for_nobody(flag: Flag) -> Callable[[View], bool]:
    """Spam, or a machine's answer. What somebody should see after all (a critical post called spam, an unsure flag) is not
    thrown away: it goes on, and gets no automatic text."""

    def applies(view: View) -> bool:
        unsure = Head.FLAGS in view.snapshot.assessment.abstained
        return view.has(flag) and not view.pressing and not unsure

    return applies


def _is_old_history(view: View) -> bool:
    """What lay there before we came and is no longer today's business must not bury it in the queue."""
    post = view.snapshot.post
    return post.history and view.now - post.created_at > HISTORY_WAITS_WITHIN


def _automation_ended(view: View) -> bool:
    """What needs an answer goes to the people who act here; a thank-you after their answer brings no case back."""
    conversation = view.snapshot.conversation
    ended = view.snapshot.author.opted_out or conversation.silenced or conversation.handed_over
    return view.needs_person and (conversation.person_acting or ended)


def _why_automation_ended(view: View) -> str:
    conversation = view.snapshot.conversation
    if conversation.person_acting:
        return "a person already acts in this conversation"
    if view.snapshot.author.opted_out:
        return "the author asked for no automatic texts"
    if conversation.handed_over:
        return "the conversation was handed over to a person"
    return "automation has ended in this conversation"


def _had_its_text(view: View) -> bool:
    conversation = view.snapshot.conversation
    told = conversation.automated_pending or conversation.acknowledged or conversation.noticed
    return told or view.recently_automated


def _why_no_second_text(view: View) -> str:
    conversation = view.snapshot.conversation
    if conversation.automated_pending:
        return "joins the contact: an automatic text is already on its way in this conversation"
    if conversation.noticed:
        return "joins the contact: the customer already knows when the team is back"
    if conversation.acknowledged:
        return "joins the contact: it is already acknowledged"
    return "an automatic text went out in this conversation within the last 24 hours"


def _crisis_waits(view: View) -> bool:
    """The brake is on, and no approved statement speaks of what this customer wrote about: a question about opening hours
    is not answered with words about trouble."""
    profile = view.snapshot.profile
    concerned = view.complaint or view.has(Flag.OUTAGE)
    return profile.crisis and not (profile.holding and concerned)


# --- consequences that plan a text ------------------------------------------------------------------------------------


def _hand_over(view: View) -> Conclusion:
    reply, obstacle = None, _no_confirmation(view)
    if not obstacle:
        snapshot = view.snapshot
        reply = timing.hand_over(snapshot.calendar, snapshot.timing, asked_at=snapshot.post.created_at, now=view.now)
        obstacle = "" if reply else "the request is too old"
    reason = "asks for a human: confirmed at once" if reply else f"asks for a human; no confirmation: {obstacle}"
    return Conclusion(reason=reason, reply=reply)


def _no_confirmation(view: View) -> str:
    """Why the hand-over cannot be confirmed automatically; empty where it can."""
    conversation, assessment = view.snapshot.conversation, view.snapshot.assessment
    if conversation.handed_over:
        return "it was confirmed before"
    if _automation_ended(view):
        return _why_automation_ended(view)
    if view.has(*NOBODY_FLAGS) or assessment.abstained & {Head.LANGUAGE, Head.FLAGS}:
        return "the judgement is unsure of the language or of what else the text says"
    if view.snapshot.profile.mode is ProfileMode.OFF:
        return "the profile is off"
    return _not_permitted(view, ReplyKind.HAND_OVER) or view.over_limit


def _not_permitted(view: View, kind: ReplyKind = ReplyKind.ACKNOWLEDGEMENT) -> str:
    """The platform's rule against a text of ``kind``; empty where it is allowed."""
    verdict = view.permission(kind)
    return "" if verdict.allowed else verdict.reason or "the network takes no reply here"


def _holding(view: View) -> Conclusion:
    """At once, day and night: a person has just said that these words are true."""
    since = view.snapshot.conversation.waiting_since
    latest = since + view.snapshot.timing.acknowledge_within
    if view.now > latest:
        return Conclusion(
            reason=f"a crisis, and too late for the holding statement: the customer waits since {view.local(since)}"
        )
    reply = PlannedReply(kind=ReplyKind.HOLDING, due_at=view.now, not_after=latest, complaint=view.complaint)
    return Conclusion(reason="a crisis: the holding statement that a person approved", reply=reply)


def _open(view: View) -> Conclusion:
    snapshot = view.snapshot
    since = snapshot.conversation.waiting_since
    slot = timing.acknowledgement_slot(
        snapshot.calendar,
        snapshot.timing,
        since=since,
        urgent=view.urgency.at_least(Urgency.HIGH),
        now=view.now,
    )
    if slot is None:
        return Conclusion(reason=f"open, but too late to acknowledge: the customer waits since {view.local(since)}")
    reply = timing.acknowledgement(snapshot.calendar, snapshot.timing, slot=slot, since=since, complaint=view.complaint)
    which = "the last open minute before closing" if slot.last_minute else "unless a person answers first"
    return Conclusion(reason=f"open: acknowledgement at {view.local(slot.due_at)}, {which}", reply=reply)


def _closed(view: View) -> Conclusion:
    snapshot = view.snapshot
    since = snapshot.conversation.waiting_since
    latest = since + snapshot.timing.acknowledge_within
    if view.now > latest:
        return Conclusion(reason=f"closed, and too late to acknowledge: the customer waits since {view.local(since)}")
    opening = snapshot.calendar.next_opening(view.now)
    if snapshot.profile.closed_notice:
        notice = timing.closed_notice(
            snapshot.calendar, snapshot.timing, since=since, complaint=view.complaint, now=view.now
        )
        if notice is not None and opening is not None:
            return Conclusion(reason=f"closed until {view.local(opening)}: one notice says so", reply=notice)
    if opening is not None and opening <= latest:
        return Conclusion(reason=f"closed: decided again at opening, {view.local(opening)}", decide_again_at=opening)
    until = f"until {view.local(opening)}" if opening else "with no opening in the calendar"
    return Conclusion(reason=f"closed {until}; no notice is to be sent")


# --- the table --------------------------------------------------------------------------------------------------------

TABLE: tuple[Rule, ...] = (
    Rule(1, "own-post", lambda view: view.ours, _ignore("our own post")),
    Rule(1, "other-bot", lambda view: view.snapshot.author.is_bot, _ignore("written by another bot")),
    Rule(1, "spam", _for_nobody(Flag.SPAM), _ignore("spam")),
    Rule(1, "auto-reply", _for_nobody(Flag.AUTO_REPLY), _ignore("a machine's answer, not a customer's words")),
    # A question and its answer can come in together: by one poll, after a silence, or at the opening it waited for.
    Rule(5, "already-answered", lambda view: view.answered, _ignore("a person has answered it already")),
    # What the robot may never answer, whatever it says.
    Rule(
        0,
        "history-without-question",
        lambda view: view.snapshot.post.history and not view.needs_person,
        _ignore("older than the first poll of the profile, and nothing to answer"),
    ),
    Rule(
        0,
        "history-old",
        _is_old_history,
        _ignore("more than a day old when the profile was first polled: kept for reports, nobody is sent after it"),
    ),
    Rule(
        0,
        "history",
        lambda view: view.snapshot.post.history,
        _escalate("older than the first poll: never answered by itself"),
    ),
    Rule(
        0,
        "after-gap",
        lambda view: view.snapshot.post.after_gap and not view.snapshot.post.gap_cleared and view.needs_person,
        _escalate("came while nobody polled, and the thread could not be checked for an answer of ours"),
    ),
    # "Stop" goes before everything that could answer it, a request for a human included.
    Rule(
        5,
        "opt-out",
        lambda view: view.has(Flag.OPT_OUT) and view.needs_person,
        _escalate("asks for no automatic texts, and for an answer"),
    ),
    Rule(5, "opt-out-only", lambda view: view.has(Flag.OPT_OUT), _ignore("asks for no automatic texts, nothing else")),
    # A text with a silent flag gets no confirmation either, nor does what another customer is told: they go on to their rules.
    Rule(
        2,
        "wants-human",
        lambda view: view.has(Flag.WANTS_HUMAN) and not view.silent_flags and not view.between_customers,
        _hand_over,
    ),
    Rule(
        3,
        "no-robot-here",
        lambda view: bool(view.silent_flags),
        _escalate(lambda view: f"no automatic text beside {', '.join(view.silent_flags)}"),
    ),
    Rule(
        6,
        "perhaps-spam",
        lambda view: view.has(*NOBODY_FLAGS),
        _escalate("looks like spam or a machine's answer, and may be more: a person looks"),
    ),
    Rule(5, "automation-ended", _automation_ended, _escalate(_why_automation_ended)),
    Rule(
        6,
        "unsure",
        lambda view: view.snapshot.assessment.unsure,
        _escalate(lambda view: f"the judgement is unsure of: {', '.join(sorted(view.snapshot.assessment.abstained))}"),
    ),
    Rule(7, "no-answer-needed", lambda view: not view.needs_person, _ignore("no answer needed; kept for reports")),
    Rule(
        9,
        "between-customers",
        lambda view: view.between_customers,
        _escalate("written to another customer, not to us: no automatic text between them"),
    ),
    Rule(
        8,
        "crisis",
        _crisis_waits,
        _escalate("a crisis on the profile: acknowledgements wait"),
    ),
    Rule(
        9,
        "profile-off",
        lambda view: view.snapshot.profile.mode is ProfileMode.OFF,
        _escalate("the profile is off: the robot writes nothing"),
    ),
    Rule(10, "one-text-a-contact", _had_its_text, _escalate(_why_no_second_text)),
    Rule(9, "not-permitted", lambda view: bool(_not_permitted(view)), _escalate(_not_permitted)),
    Rule(9, "limit", lambda view: bool(view.over_limit), _escalate(lambda view: view.over_limit)),
    Rule(8, "holding", lambda view: view.snapshot.profile.crisis, _holding),
    Rule(10, "open", lambda view: view.is_open, _open),
    Rule(11, "closed", lambda _: True, _closed),
)


def decide(snapshot: Snapshot, now: datetime) -> Decision:
    """The decision for ``snapshot`` at ``now`` (world time, aware). Never raises for a valid snapshot: the last rule
    takes whatever is left."""
    view = View(snapshot=snapshot, now=require_aware(now, "now"))
    rule = next(rule for rule in TABLE if rule.applies(view))
    conclusion = rule.conclude(view)
    escalated = conclusion.outcome is Outcome.ESCALATED
    stop = view.has(Flag.OPT_OUT) and not view.ours
    wants_human = view.has(Flag.WANTS_HUMAN) and not view.between_customers
    for_people_only = escalated and (wants_human or bool(view.silent_flags))
    decision = Decision(
        rule=rule.name,
        reason=conclusion.reason,
        policy_version=POLICY_VERSION,
        outcome=conclusion.outcome,
        urgency=view.urgency if escalated else snapshot.assessment.urgency,
        reply=conclusion.reply,
        formal=escalated and view.has(Flag.FORMAL),
        silence=stop or for_people_only,
        opt_out=stop,
        decide_again_at=conclusion.decide_again_at,
    )
    return replace(decision, alert=escalated and _rings(view))


def _rings(view: View) -> bool:
    """Critical always, high outside hours. A normal question asked again at night moves up and rings nobody. Where only the
    model says critical, and is not sure of it, the case stands first in the queue and rings outside hours only: too many
    false bells teach people not to listen."""
    judged = view.snapshot.assessment
    explained = Head.URGENCY not in judged.abstained or view.has(*SILENT_FLAGS, Flag.OUTAGE)
    if view.urgency is Urgency.CRITICAL and (explained or judged.urgency is not Urgency.CRITICAL):
        return True
    return judged.urgency.at_least(Urgency.HIGH) and not view.is_open
