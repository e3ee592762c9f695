"""What would happen with a text at a time, and why: the line from ``assess`` to ``compose``, writing nothing.

The text counts as a new post that addresses the profile, by somebody unknown, in a conversation of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from responders import compose, guard
from responders.policy import decide
from responders.snapshot import Limits, Snapshot, Timing
from social.domain.assessment import Assessment, TextToAssess
from social.domain.decision import AuthorFacts, ConversationFacts, Decision, PostFacts, ProfileFacts
from social.domain.hours import BusinessCalendar
from social.domain.post import PostKind, ProfileMode, require_aware
from social.domain.reply import Composed, SentBy
from social.ports import Capabilities, Classifier, ReplyRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One decision. ``sent`` is false where the words would only be rehearsed (dry-run) or stopped; ``obstacle`` says
    why nothing would be said although the policy wants it."""

    at: datetime
    decision: Decision
    words: Composed | None = None
    sent: bool = False
    obstacle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """``stages`` holds one decision, and those that it puts off to a later time."""

    at: datetime
    assessment: Assessment
    is_open: bool
    closes_at: datetime | None
    next_opening: datetime | None
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The profile that the text is imagined on."""

    brand: str
    languages: tuple[str, ...]
    calendar: BusinessCalendar
    mode: ProfileMode
    closed_notice: bool
    rules: ReplyRules
    capabilities: Capabilities
    timing: Timing
    limits: Limits
    formal_deadline: timedelta


def rehearse(text: str, *, at: datetime, scene: Scene, classifier: Classifier) -> Rehearsal:
    """``at`` is when the customer writes (aware); the decision is made in the same instant."""
    at = require_aware(at, "at")
    assessment = classifier.assess([TextToAssess(text=text, context_language=scene.languages[0])])[0]
    stages = [_stage(scene, assessment, posted_at=at, now=at)]
    while (again := stages[-1].decision.decide_again_at) is not None and again > stages[-1].at:
        stages.append(_stage(scene, assessment, posted_at=at, now=again))
    return Rehearsal(
        at=at,
        assessment=assessment,
        is_open=scene.calendar.is_open(at),
        closes_at=scene.calendar.closes_at(at),
        next_opening=scene.calendar.next_opening(at),
        stages=tuple(stages),
    )


def _stage(scene: Scene, assessment: Assessment, *, posted_at: datetime, now: datetime) -> Stage:
    snapshot = Snapshot(
        post=PostFacts(
            kind=PostKind.MENTION,
            created_at=posted_at,
            summoned=True,
            private=False,
            ours=False,
            history=False,
        ),
        assessment=assessment,
        conversation=ConversationFacts(waiting_since=posted_at),
        author=AuthorFacts(),
        profile=ProfileFacts(mode=scene.mode, closed_notice=scene.closed_notice),
        calendar=scene.calendar,
        rules=scene.rules,
        timing=scene.timing,
        limits=scene.limits,
    )
    decision = decide(snapshot, now)
    if decision.reply is None:
        return Stage(at=now, decision=decision)
    words = compose.compose(
        decision.reply.kind,
        language=assessment.language,
        brand=scene.brand,
        at=decision.reply.due_at,
        timezone=scene.calendar.timezone,
        rules=scene.rules,
        complaint=decision.reply.complaint,
        opening=decision.reply.opening,
        closing=decision.reply.closing,
        fallback_language=scene.languages[0],
    )
    if words is None:
        return Stage(at=now, decision=decision, obstacle="no text fits")
    problems = guard.check(
        words.text,
        rules=scene.rules,
        sent_by=SentBy.ROBOT,
        formal=decision.formal,
        private_channel=scene.capabilities.private_channel,
    )
    if problems:
        return Stage(at=now, decision=decision, words=words, obstacle="; ".join(item.message for item in problems))
    return Stage(at=now, decision=decision, words=words, sent=scene.mode is ProfileMode.ACKNOWLEDGE)
