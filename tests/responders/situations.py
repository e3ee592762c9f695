"""Snapshots for the policy: an ordinary question on an ordinary profile, and whatever a test changes in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from responders.snapshot import Limits, Snapshot, Timing
from social.domain.assessment import Assessment, Flag, Head, ModelIdentity, Sentiment, Urgency
from social.domain.decision import AuthorFacts, ConversationFacts, PostFacts, ProfileFacts
from social.domain.hours import BusinessCalendar, parse_weekly
from social.domain.post import PostKind, ProfileMode
from social.holiday_calendar import holiday_lookup
from social.ports import ALLOWED, Idempotency, LengthUnit, ReplyRules, RuleSource, Verdict

WARSAW = ZoneInfo("Europe/Warsaw")
OFFICE = BusinessCalendar(
    timezone=WARSAW, weekly=parse_weekly({"mon-fri": "09:00-17:00"}), holiday=holiday_lookup("PL")
)
ALWAYS = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon-sun": "00:00-24:00"}))
NEVER = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({}))

FREE_RULES = ReplyRules(
    length_limit=300,
    length_unit=LengthUnit.GRAPHEMES,
    idempotency=Idempotency.SERVER_KEY,
    read_lag=timedelta(0),
)
#: A network that is summoned and answered once.
STRICT_RULES = ReplyRules(
    length_limit=280,
    length_unit=LengthUnit.X_WEIGHTED,
    idempotency=Idempotency.LOOKUP,
    read_lag=timedelta(seconds=30),
    summoned_only=True,
    automatic_replies_per_interaction=1,
    links_allowed=False,
    sources=(
        RuleSource(
            rule="An app replies only to an author who mentioned or quoted the account.",
            source="developer guidelines",
            as_of=date(2026, 2, 23),
        ),
        RuleSource(
            rule="At most one automated reply per interaction.", source="automation rules", as_of=date(2026, 2, 23)
        ),
    ),
)


def warsaw(text: str) -> datetime:
    """``2027-01-08 16:45`` on Warsaw's walls (a Friday)."""
    return datetime.fromisoformat(text).replace(tzinfo=WARSAW)


def assessment(
    *,
    urgency: Urgency = Urgency.NORMAL,
    sentiment: Sentiment = Sentiment.NEUTRAL,
    needs_reply: bool = True,
    flags: Iterable[Flag] = (),
    abstained: Iterable[Head] = (),
) -> Assessment:
    return Assessment(
        language="pl",
        sentiment=sentiment,
        sentiment_scores={each: 0.9 if each is sentiment else 0.05 for each in Sentiment},
        urgency=urgency,
        urgency_scores={each: 0.7 if each is urgency else 0.1 for each in Urgency},
        needs_reply=needs_reply,
        model=ModelIdentity(id="test", version="1"),
        flags=frozenset(flags),
        abstained=frozenset(abstained),
    )


def snapshot(
    at: datetime,
    *,
    judged: Assessment | None = None,
    waiting_since: datetime | None = None,
    post: PostFacts | None = None,
    conversation: ConversationFacts | None = None,
    author: AuthorFacts | None = None,
    mode: ProfileMode = ProfileMode.ACKNOWLEDGE,
    closed_notice: bool = True,
    crisis: bool = False,
    holding: bool = False,
    profile_texts_last_hour: int = 0,
    calendar: BusinessCalendar = OFFICE,
    rules: ReplyRules = FREE_RULES,
    network: Verdict = ALLOWED,
    limits: Limits | None = None,
) -> Snapshot:
    """A customer's mention at ``at``, neutral, normal, in need of an answer, first of its contact."""
    return Snapshot(
        post=post or customer_post(at),
        assessment=judged or assessment(),
        conversation=conversation or ConversationFacts(waiting_since=waiting_since or at),
        author=author or AuthorFacts(),
        profile=ProfileFacts(
            mode=mode,
            closed_notice=closed_notice,
            crisis=crisis,
            holding=holding,
            automatic_replies_last_hour=profile_texts_last_hour,
        ),
        calendar=calendar,
        rules=rules,
        network=network,
        timing=Timing(),
        limits=limits or Limits(),
    )


def customer_post(at: datetime, **changes: object) -> PostFacts:
    post = PostFacts(kind=PostKind.MENTION, created_at=at, summoned=True, private=False, ours=False, history=False)
    return replace(post, **changes)  # type: ignore[arg-type]
