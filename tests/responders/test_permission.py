"""Platform rules, declared as data and evaluated by one function."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from responders.permission import evaluate
from social.domain.decision import PostFacts
from social.domain.reply import ReplyKind, SentBy
from social.ports import ALLOWED, Permission, ReplyRules, Verdict
from tests.responders.situations import FREE_RULES, STRICT_RULES, customer_post, warsaw

NOON = warsaw("2027-01-08 12:00")
#: A messenger: automatic texts for a day, people for a week, one private reply to a comment within a week.
WINDOWS = replace(
    FREE_RULES,
    automatic_window=timedelta(hours=24),
    human_window=timedelta(days=7),
    private_reply_window=timedelta(days=7),
    private_replies_per_comment=1,
)


def verdict(
    rules: ReplyRules,
    *,
    post: PostFacts | None = None,
    age: timedelta = timedelta(0),
    sent_by: SentBy = SentBy.ROBOT,
    kind: ReplyKind = ReplyKind.ACKNOWLEDGEMENT,
    automatic_replies: int = 0,
    network: Verdict = ALLOWED,
    private_reply: bool = False,
    private_replies: int = 0,
) -> Verdict:
    return evaluate(
        rules,
        post=post or customer_post(NOON),
        last_customer_post_at=NOON,
        automatic_replies=automatic_replies,
        kind=kind,
        sent_by=sent_by,
        now=NOON + age,
        network=network,
        private_reply=private_reply,
        private_replies=private_replies,
    )


def test_a_network_without_rules_allows() -> None:
    assert verdict(FREE_RULES).allowed
    assert verdict(FREE_RULES, sent_by=SentBy.PERSON, kind=ReplyKind.ANSWER, age=timedelta(days=300)).allowed


def test_a_refusal_always_has_a_reason() -> None:
    mute = Verdict(permission=Permission.OPEN_IN_APP)
    assert verdict(FREE_RULES, network=mute).reason


def test_what_the_network_itself_says_goes_first() -> None:
    blocked = Verdict(permission=Permission.OPEN_IN_APP, reason="the author blocked the profile")
    assert verdict(FREE_RULES, network=blocked) is blocked


@pytest.mark.parametrize("sent_by", SentBy)
def test_unsummoned_the_api_is_closed_to_robot_and_person_alike(sent_by: SentBy) -> None:
    refused = verdict(STRICT_RULES, post=customer_post(NOON, summoned=False), sent_by=sent_by)
    assert refused.permission is Permission.OPEN_IN_APP
    assert refused.source == "developer guidelines (read 2026-02-23)"


def test_a_private_message_is_a_summons() -> None:
    assert verdict(STRICT_RULES, post=customer_post(NOON, summoned=False, private=True)).allowed


def test_one_automatic_reply_is_one_and_a_person_may_go_on() -> None:
    assert verdict(STRICT_RULES).allowed
    assert verdict(STRICT_RULES, automatic_replies=1).permission is Permission.DRAFT_ONLY
    assert verdict(STRICT_RULES, automatic_replies=1).source == "automation rules (read 2026-02-23)"
    assert verdict(STRICT_RULES, automatic_replies=1, sent_by=SentBy.PERSON, kind=ReplyKind.ANSWER).allowed


@pytest.mark.parametrize(
    ("age", "robot", "person"),
    [
        (timedelta(hours=24), Permission.ALLOWED, Permission.ALLOWED),
        (timedelta(hours=25), Permission.DRAFT_ONLY, Permission.ALLOWED),
        (timedelta(days=7), Permission.DRAFT_ONLY, Permission.ALLOWED),
        (timedelta(days=8), Permission.OPEN_IN_APP, Permission.OPEN_IN_APP),
    ],
)
def test_windows_close_first_for_the_robot_then_for_people(
    age: timedelta, robot: Permission, person: Permission
) -> None:
    assert verdict(WINDOWS, age=age).permission is robot
    assert verdict(WINDOWS, age=age, sent_by=SentBy.PERSON, kind=ReplyKind.ANSWER).permission is person


def test_reasons_name_the_span_in_words() -> None:
    assert "24 hours" in verdict(WINDOWS, age=timedelta(hours=25)).reason
    assert "7 days" in verdict(WINDOWS, age=timedelta(days=8)).reason
    short = replace(WINDOWS, automatic_window=timedelta(minutes=20))
    assert "20 minutes" in verdict(short, age=timedelta(hours=2)).reason


def test_a_comment_gets_one_private_reply_within_its_window() -> None:
    long_human = replace(WINDOWS, human_window=None, automatic_window=None)
    assert verdict(long_human, private_reply=True).allowed
    assert verdict(long_human, private_reply=True, private_replies=1).permission is Permission.OPEN_IN_APP
    assert verdict(long_human, private_reply=True, age=timedelta(days=8)).permission is Permission.OPEN_IN_APP
    assert verdict(long_human, private_replies=1, age=timedelta(days=8)).allowed  # a public reply is another matter


def test_the_robot_never_writes_an_answer() -> None:
    assert verdict(FREE_RULES, kind=ReplyKind.ANSWER).permission is Permission.DRAFT_ONLY
