"""What the policy looks at: one post with everything known around it, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from social.domain.assessment import Assessment
from social.domain.decision import AuthorFacts, ConversationFacts, PostFacts, ProfileFacts
from social.domain.hours import BusinessCalendar
from social.ports import ALLOWED, ReplyRules, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps on automatic texts within a running hour."""

    per_author_an_hour: int = 3
    per_profile_an_hour: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When automatic texts are due, counted from the customer's first waiting post."""

    acknowledge_after: timedelta = timedelta(minutes=40)
    urgent_acknowledge_after: timedelta = timedelta(minutes=5)
    taken_acknowledge_after: timedelta = timedelta(minutes=55)
    acknowledge_within: timedelta = timedelta(minutes=60)
    notice_after: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    post: PostFacts
    assessment: Assessment
    conversation: ConversationFacts
    author: AuthorFacts
    profile: ProfileFacts
    calendar: BusinessCalendar
    rules: ReplyRules
    network: Verdict = ALLOWED  # what the connector's can_reply said, where it was asked
    timing: Timing = field(default_factory=Timing)
    limits: Limits = field(default_factory=Limits)
