"""The questions that the rules of the policy ask about a snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from responders import permission
from responders.snapshot import Snapshot
from social.domain.assessment import SILENT_FLAGS, Flag, Head, Sentiment, Urgency
from social.domain.post import PostKind
from social.domain.reply import ReplyKind, SentBy
from social.ports import Verdict

#: No second automatic text in a conversation within this time, the hand-over confirmation excepted.
QUIET_TIME = timedelta(hours=24)
#: Asking again after this long raises the urgency by one level.
ASKING_AGAIN_AFTER = timedelta(hours=1)
_RAISED = {
    Urgency.CRITICAL: Urgency.CRITICAL,
    Urgency.HIGH: Urgency.CRITICAL,
    Urgency.NORMAL: Urgency.HIGH,
    Urgency.LOW: Urgency.NORMAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A snapshot at a moment, with the questions that several rules ask."""

    snapshot: Snapshot
    now: datetime

    def has(self, *flags: Flag) -> bool:
        return not self.snapshot.assessment.flags.isdisjoint(flags)

    @property
    def silent_flags(self) -> list[str]:
        return sorted(self.snapshot.assessment.flags & SILENT_FLAGS)

    @property
    def ours(self) -> bool:
        return self.snapshot.post.ours or self.snapshot.post.kind is PostKind.OWN

    @property
    def between_customers(self) -> bool:
        """One customer answers another, and does not speak to us."""
        return self.snapshot.post.to_another_customer and not self.snapshot.post.summoned

    @property
    def is_open(self) -> bool:
        return self.snapshot.calendar.is_open(self.now)

    @property
    def pressing(self) -> bool:
        """Somebody must look, whatever the needs-reply head says."""
        if self.snapshot.assessment.urgency.at_least(Urgency.HIGH) or self.silent_flags:
            return True
        return self.has(Flag.FORMAL, Flag.WANTS_HUMAN)

    @property
    def needs_person(self) -> bool:
        return self.pressing or self.snapshot.assessment.needs_reply or self.snapshot.assessment.unsure

    @property
    def urgency(self) -> Urgency:
        """The judged urgency, one level up where the customer asks again after an hour of silence."""
        judged = self.snapshot.assessment.urgency
        waited = self.snapshot.post.created_at - self.snapshot.conversation.waiting_since
        return _RAISED[judged] if waited >= ASKING_AGAIN_AFTER and self.needs_person else judged

    @property
    def complaint(self) -> bool:
        """Confidently negative: the text may say that we are sorry."""
        assessment = self.snapshot.assessment
        return assessment.sentiment is Sentiment.NEGATIVE and Head.SENTIMENT not in assessment.abstained

    @property
    def answered(self) -> bool:
        """A person has answered it. Where only a later post of the customer's was answered, an urgent one may have been
        overlooked: under a page's post two comments of one customer can be about two things."""
        post = self.snapshot.post
        return post.answered or (post.answered_since and not self.pressing)

    @property
    def recently_automated(self) -> bool:
        last = self.snapshot.conversation.last_automated_at
        return last is not None and self.now - last < QUIET_TIME

    @property
    def over_limit(self) -> str:
        """The running hour's cap that is used up, or an empty text."""
        limits, author, profile = self.snapshot.limits, self.snapshot.author, self.snapshot.profile
        if author.automatic_replies_last_hour >= limits.per_author_an_hour:
            return f"this author got {author.automatic_replies_last_hour} automatic texts within the last hour"
        if profile.automatic_replies_last_hour >= limits.per_profile_an_hour:
            return f"the profile sent {profile.automatic_replies_last_hour} automatic texts within the last hour"
        return ""

    def permission(self, kind: ReplyKind) -> Verdict:
        snapshot = self.snapshot
        return permission.evaluate(
            snapshot.rules,
            post=snapshot.post,
            last_customer_post_at=snapshot.post.created_at,
            automatic_replies=snapshot.conversation.automatic_replies,
            kind=kind,
            sent_by=SentBy.ROBOT,
            now=self.now,
            network=snapshot.network,
        )

    def local(self, at: datetime) -> str:
        return f"{at.astimezone(self.snapshot.calendar.timezone):%Y-%m-%d %H:%M}"
