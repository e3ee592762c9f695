"""Rows <-> words: the only place that knows both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from social.domain.assessment import Assessment, Flag, Head, ModelIdentity, Reason, Sentiment, Urgency
from social.domain.decision import Decision, PostFacts
from social.domain.post import FetchedPost, Media, MediaKind, PostKind, PostRef, ProfileMode
from social.store.tables import AssessmentRow, PostRow, ProfileRow

#: A post, or those of its columns that are asked for.
Post = PostRow | Row[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A profile as the engine works with it."""

    id: int
    brand_id: int
    name: str
    network: str
    mode: ProfileMode
    account_id: str | None
    cursor: Any
    first_polled_at: datetime | None
    last_polled_at: datetime | None
    refresh_due_at: datetime | None
    last_error: str | None


def profile_from(row: ProfileRow) -> Profile:
    assert row.id is not None
    return Profile(
        id=row.id,
        brand_id=row.brand_id,
        name=row.name,
        network=row.network,
        mode=ProfileMode(row.mode),
        account_id=row.account_id,
        cursor=row.cursor,
        first_polled_at=row.first_polled_at,
        last_polled_at=row.last_polled_at,
        refresh_due_at=row.refresh_due_at,
        last_error=row.last_error,
    )


def ref_from(row: Post, author_native_id: str) -> PostRef:
    return PostRef(
        native_id=row.native_id,
        thread_root=row.thread_root,
        author_id=author_native_id,
        kind=PostKind(row.kind),
        created_at=row.created_at,
        private=row.private,
        native=row.native or {},
    )


def native_names(post: FetchedPost | Post) -> set[str]:
    """What a network may call ``post`` itself: where every edit has an id of its own, an answer may name any of them."""
    native = post.native or {}
    versions = native.get("versions")
    listed = versions if isinstance(versions, list) else []
    return {post.native_id, *(str(value) for value in (native.get("id"), *listed) if value)}


def facts_from(row: Post) -> PostFacts:
    """What the row itself says of the post; what its surroundings say is for ``social.store.recall``."""
    return PostFacts(
        kind=PostKind(row.kind),
        created_at=row.created_at,
        summoned=row.summoned,
        private=row.private,
        ours=row.ours,
        history=row.history,
    )


def post_values(post: FetchedPost) -> dict[str, Any]:
    """The columns of a post that come from the network."""
    return {
        "native_id": post.native_id,
        "revision": post.revision,
        "kind": post.kind.value,
        "thread_root": post.thread_root,
        "in_reply_to": post.in_reply_to,
        "text": post.text,
        "created_at": post.created_at,
        "edited_at": post.edited_at,
        "summoned": post.summoned,
        "private": post.private,
        "ours": post.ours,
        "language_hint": post.language_hint,
        "permalink": post.permalink,
        "media": [
            {"kind": media.kind.value, "url": media.url, "description": media.description} for media in post.media
        ],
        "native": dict(post.native),
        "raw": dict(post.raw),
    }


def media_from(row: PostRow) -> tuple[Media, ...]:
    return tuple(
        Media(kind=MediaKind(item["kind"]), url=item.get("url"), description=item.get("description"))
        for item in row.media or ()
    )


def assessment_values(assessment: Assessment) -> dict[str, Any]:
    return {
        "language": assessment.language,
        "sentiment": assessment.sentiment.value,
        "sentiment_scores": {key.value: round(score, 4) for key, score in assessment.sentiment_scores.items()},
        "urgency": assessment.urgency.value,
        "urgency_scores": {key.value: round(score, 4) for key, score in assessment.urgency_scores.items()},
        "needs_reply": assessment.needs_reply,
        "flags": sorted(flag.value for flag in assessment.flags),
        "topics": list(assessment.topics),
        "abstained": sorted(head.value for head in assessment.abstained),
        "reasons": [[r.source, r.name, r.evidence, r.effect] for r in assessment.reasons],
        "truncated": assessment.truncated,
        "model_id": assessment.model.id,
        "model_version": assessment.model.version,
        "vector": assessment.vector,
    }


def assessment_from(row: AssessmentRow) -> Assessment:
    return Assessment(
        language=row.language,
        sentiment=Sentiment(row.sentiment),
        sentiment_scores={Sentiment(key): score for key, score in row.sentiment_scores.items()},
        urgency=Urgency(row.urgency),
        urgency_scores={Urgency(key): score for key, score in row.urgency_scores.items()},
        needs_reply=row.needs_reply,
        flags=frozenset(Flag(flag) for flag in row.flags),
        topics=tuple(row.topics),
        abstained=frozenset(Head(head) for head in row.abstained),
        reasons=tuple(Reason(source=s, name=n, evidence=e, effect=f) for s, n, e, f in row.reasons),
        truncated=row.truncated,
        model=ModelIdentity(id=row.model_id, version=row.model_version),
        vector=row.vector,
    )


def decision_values(decision: Decision, *, post_id: int, revision_number: int, now: datetime) -> dict[str, Any]:
    reply = decision.reply
    return {
        "post_id": post_id,
        "revision_number": revision_number,
        "made_at": now,
        "rule": decision.rule,
        "reason": decision.reason,
        "policy_version": decision.policy_version,
        "outcome": decision.outcome.value,
        "urgency": decision.urgency.value,
        "detail": {
            "alert": decision.alert,
            "formal": decision.formal,
            "silence": decision.silence,
            "opt_out": decision.opt_out,
            "decide_again_at": decision.decide_again_at.isoformat() if decision.decide_again_at else None,
            "reply": None
            if reply is None
            else {"kind": reply.kind.value, "due_at": reply.due_at.isoformat(), "complaint": reply.complaint},
        },
    }
