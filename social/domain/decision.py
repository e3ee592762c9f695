"""What is to happen with a post, and the facts that it was decided on. Values only: the table lives in ``responders``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from social.domain.assessment import Urgency
from social.domain.post import PostKind, ProfileMode
from social.domain.reply import ReplyKind


class Outcome(StrEnum):
    """Where the post stands after the decision. Every post is always in exactly one."""

    IGNORED = "ignored"  # with a reason; kept for reports
    ESCALATED = "escalated"  # in the people's queue, perhaps with an automatic text beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedReply:
    """An automatic text to come. ``due_at`` is when, ``not_after`` when it would be too late (world time, aware)."""

    kind: ReplyKind
    due_at: datetime
    not_after: datetime
    complaint: bool = False  # confident negative sentiment: choose the complaint variant
    opening: datetime | None = None  # the calendar fact that the text states (closed notice, hand-over)
    closing: datetime | None = None  # "today until ..." (acknowledgement, hand-over)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The first matching row of the policy, with everything that follows from it."""

    rule: str
    reason: str
    policy_version: str
    outcome: Outcome
    urgency: Urgency = Urgency.NORMAL
    reply: PlannedReply | None = None
    alert: bool = False  # a person must be reached now
    formal: bool = False  # own deadline; cannot be closed without an answer or a reason
    silence: bool = False  # no automation in this conversation any more (hand-over, opt-out, a person acts)
    opt_out: bool = False  # the author said stop
    decide_again_at: datetime | None = None  # closed without a notice, but the hour reaches past opening

    @property
    def escalate(self) -> bool:
        return self.outcome is Outcome.ESCALATED


@dataclass(frozen=True, slots=True, kw_only=True)
class PostFacts:
    """The post as the policy sees it. ``created_at`` is the network's time of the post."""

    kind: PostKind
    created_at: datetime
    summoned: bool
    private: bool
    ours: bool
    history: bool  # older than the first successful poll: never answered
    answered: bool = False  # a person answered these very words, or wrote at the desk when they lay there
    answered_since: bool = False  # a person answered something that the same customer wrote here later
    to_another_customer: bool = False  # its direct parent was written by neither the author nor us
    after_gap: bool = False  # came in after a silence of ours: answered only where thread() shows nothing of ours
    gap_cleared: bool = False  # ... and the thread was read and shows nothing of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFacts:
    """(profile, thread root, customer): the unit that a person takes and a cap applies to."""

    waiting_since: datetime  # first customer post that nobody answered; the contact is timed from it
    last_automated_at: datetime | None = None
    automated_pending: bool = False  # an automatic reply is planned, being sent, or of unknown outcome
    noticed: bool = False  # this contact already got (or has planned) a closed notice
    acknowledged: bool = False  # this contact already got (or has planned) an acknowledgement
    handed_over: bool = False  # the hand-over confirmation was sent or planned
    silenced: bool = False  # no automation here any more
    person_acting: bool = False  # a case is taken, a person's draft is open, or a person answered this contact
    automatic_replies: int = 0  # robot texts ever published here


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorFacts:
    is_bot: bool = False
    opted_out: bool = False
    automatic_replies_last_hour: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFacts:
    mode: ProfileMode
    closed_notice: bool
    crisis: bool = False  # the brake is on: acknowledgements wait
    holding: bool = False  # ... and a person approved a holding statement that this customer can read
    automatic_replies_last_hour: int = 0
