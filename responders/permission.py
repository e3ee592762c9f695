"""May this reply be published? Evaluates the rules that a connector declares; knows no network by name."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

from social.domain.decision import PostFacts
from social.domain.reply import ReplyKind, SentBy
from social.ports import ALLOWED, Permission, ReplyRules, Verdict


def evaluate(
    rules: ReplyRules,
    *,
    post: PostFacts,
    last_customer_post_at: datetime,
    automatic_replies: int,
    kind: ReplyKind,
    sent_by: SentBy,
    now: datetime,
    network: Verdict = ALLOWED,
    private_reply: bool = False,
    private_replies: int = 0,
) -> Verdict:
    """The first rule that forbids ``kind`` as an answer to ``post``, or ``ALLOWED``.

    ``automatic_replies`` are the robot's texts already published (or perhaps published) in this conversation;
    ``network`` is what only the network knows (blocked, replies off, gone) and goes first; ``private_reply`` marks a
    private message in answer to a public post, of which there were ``private_replies``. ``DRAFT_ONLY`` leaves the way
    open to a person; ``OPEN_IN_APP`` closes the API to everybody.
    """
    if not network.allowed:
        return network if network.reason else replace(network, reason="The network takes no reply to this post.")
    if rules.summoned_only and not (post.summoned or post.private):
        return _verdict(
            rules,
            "summoned_only",
            Permission.OPEN_IN_APP,
            "The network lets an app reply only where the author mentioned or quoted the profile; use its own app.",
        )
    age = now - last_customer_post_at
    if rules.human_window is not None and age > rules.human_window:
        return _verdict(
            rules,
            "human_window",
            Permission.OPEN_IN_APP,
            f"The network takes replies only within {_words(rules.human_window)} of the customer's last message.",
        )
    if private_reply:
        verdict = _private_reply(rules, now - post.created_at, private_replies)
        if not verdict.allowed:
            return verdict
    return _automatic(rules, kind, automatic_replies, age) if sent_by is SentBy.ROBOT else ALLOWED


def _private_reply(rules: ReplyRules, age: timedelta, private_replies: int) -> Verdict:
    if rules.private_reply_window is not None and age > rules.private_reply_window:
        reason = f"The network takes a private reply only within {_words(rules.private_reply_window)} of the post."
        return _verdict(rules, "private_reply_window", Permission.OPEN_IN_APP, reason)
    limit = rules.private_replies_per_comment
    if limit is not None and private_replies >= limit:
        reason = (
            f"The network takes {_count(limit, 'private reply', 'private replies')} to one post, and that is used up."
        )
        return _verdict(rules, "private_replies_per_comment", Permission.OPEN_IN_APP, reason)
    return ALLOWED


def _automatic(rules: ReplyRules, kind: ReplyKind, automatic_replies: int, age: timedelta) -> Verdict:
    if kind is ReplyKind.ANSWER:
        return Verdict(
            permission=Permission.DRAFT_ONLY, reason="An answer is a person's words; the robot only suggests them."
        )
    limit = rules.automatic_replies_per_interaction
    if limit is not None and automatic_replies >= limit:
        return _verdict(
            rules,
            "automatic_replies_per_interaction",
            Permission.DRAFT_ONLY,
            f"The network allows {_count(limit, 'automatic reply', 'automatic replies')} in a conversation; "
            "the rest is for a person.",
        )
    if rules.automatic_window is not None and age > rules.automatic_window:
        return _verdict(
            rules,
            "automatic_window",
            Permission.DRAFT_ONLY,
            f"The network takes automatic texts only within {_words(rules.automatic_window)} of the customer's last "
            "message; a person may still write.",
        )
    return ALLOWED


#: Connectors quote their platform's sentence as ``RuleSource.rule``; these words tell which rule it speaks of.
_SPOKEN_OF = {
    "summoned_only": re.compile(r"mention|quot|summon", re.IGNORECASE),
    "automatic_replies_per_interaction": re.compile(r"automat\w* repl", re.IGNORECASE),
    "automatic_window": re.compile(r"automat\w*\b.*\b(?:hours?|days?|window)\b", re.IGNORECASE),
    "human_window": re.compile(r"\b(?:human|agent|person|people)\b.*\b(?:hours?|days?|window)\b", re.IGNORECASE),
    "private_reply_window": re.compile(r"private repl", re.IGNORECASE),
    "private_replies_per_comment": re.compile(r"private repl", re.IGNORECASE),
}


def _verdict(rules: ReplyRules, rule: str, permission: Permission, reason: str) -> Verdict:
    spoken_of = (source for source in rules.sources if _SPOKEN_OF[rule].search(source.rule))
    found = next(spoken_of, None)
    source = f"{found.source} (read {found.as_of.isoformat()})" if found else ""
    return Verdict(permission=permission, reason=reason, source=source)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _words(span: timedelta) -> str:
    if span < timedelta(hours=1):
        return _count(round(span.total_seconds() / 60), "minute", "minutes")
    hours = round(span.total_seconds() / 3600)
    return _count(hours // 24, "day", "days") if hours > 24 and hours % 24 == 0 else _count(hours, "hour", "hours")
