"""What a batch of judged posts leaves in the database, written in a few statements instead of a few a post."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, update
from sqlmodel import Session

from social.domain.assessment import Assessment
from social.domain.decision import Decision
from social.domain.incident import Incident
from social.engine import grouping
from social.engine.claims import Claim, finish_all
from social.engine.desk import Desk, LiveProfile
from social.store import escalations, incidents, outbox
from social.store.escalations import NewCase
from social.store.mapping import assessment_values, decision_values
from social.store.outbox import NewReply
from social.store.recall import ASKED_FOR_A_PERSON, RecalledPost
from social.store.rows import c, insert_rows, t, upsert
from social.store.tables import AssessmentRow, ConversationRow, DecisionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is known of the post that needs a person."""

    created_at: datetime
    decision: Decision
    assessment: Assessment


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    live: LiveProfile
    case: NewCase
    judged: Judged
    crisis: Incident | None


@dataclass(slots=True)
class Recording:
    """Collects; ``write`` puts everything down and begins anew. What is read meanwhile does not see it yet."""

    assessments: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    finished: dict[int, dict[str, Any]] = field(default_factory=dict)
    opened: list[Opened] = field(default_factory=list)
    silenced: list[dict[str, Any]] = field(default_factory=list)
    planned: list[NewReply] = field(default_factory=list)
    variants: dict[int, list[str]] = field(default_factory=dict)

    def assessed(self, post: RecalledPost, assessment: Assessment, *, now: datetime) -> None:
        keys = {"post_id": post.id, "revision_number": post.revision_number}
        self.assessments.append({**keys, **assessment_values(assessment), "made_at": now})

    def decided(self, post: RecalledPost, decision: Decision, *, now: datetime) -> None:
        self.decisions.append(decision_values(decision, post_id=post.id, revision_number=post.revision_number, now=now))
        self.finished[post.id] = {
            "state": "waiting" if decision.decide_again_at else "judged",
            "due_at": decision.decide_again_at or now,
            "outcome": decision.outcome.value,
            "reason": f"{decision.rule}: {decision.reason}",
        }

    def silences(self, post: RecalledPost, rule: str, *, now: datetime) -> None:
        """No automation in this conversation from here. The first reason stays, but a request for a person gives way to any
        other: it leaves room for a confirmation."""
        self.silenced.append({"conversation": post.conversation_id, "at": now, "why": rule})

    def plans(self, reply: NewReply) -> None:
        """A text of the robot; at most one a conversation before the next ``write``."""
        self.planned.append(reply)
        if reply.profile_id in self.variants:
            self.variants[reply.profile_id].insert(0, reply.composed.variant)

    def recent_variants(self, session: Session, profile_id: int) -> list[str]:
        """Those that this profile used or planned last, newest first, this batch's included."""
        if profile_id not in self.variants:
            self.variants[profile_id] = outbox.recent_variants(session, profile_id)
        return self.variants[profile_id][: outbox.RECENT]

    def opens(self, live: LiveProfile, case: NewCase, judged: Judged, crisis: Incident | None) -> None:
        """A case for people; one a conversation before the next ``write``."""
        self.opened.append(Opened(live=live, case=case, judged=judged, crisis=crisis))

    def write(self, session: Session, claimed: Claim, desk: Desk, now: datetime) -> None:
        if self.assessments:
            key = ("post_id", "revision_number")
            change = tuple(name for name in self.assessments[0] if name not in key)
            upsert(session, AssessmentRow, self.assessments, key=key, change=change)
        insert_rows(session, DecisionRow, self.decisions)
        finish_all(session, claimed, self.finished)
        if self.silenced:
            session.connection().execute(_SILENCE, self.silenced)
            graver = [
                {"conversation": item["conversation"], "why": item["why"]}
                for item in self.silenced
                if item["why"] != ASKED_FOR_A_PERSON
            ]
            if graver:
                session.connection().execute(_GRAVER, graver)
        outbox.plan_all(session, self.planned, now=now)
        if self.opened:
            self._write_cases(session, desk, now)
        self.assessments, self.decisions, self.finished = [], [], {}
        self.opened, self.silenced, self.planned = [], [], []

    def _write_cases(self, session: Session, desk: Desk, now: datetime) -> None:
        waits = [{"conversation": item.case.conversation_id, "since": item.judged.created_at} for item in self.opened]
        session.connection().execute(_WAITS, waits)
        numbers = escalations.open_or_join_all(session, [item.case for item in self.opened], now=now)
        if not desk.rings:
            return
        joining: dict[int, list[int]] = defaultdict(list)
        for item, case_id in zip(self.opened, numbers, strict=True):
            decision, assessment = item.judged.decision, item.judged.assessment
            joins = grouping.join_and_ring(session, item.live, case_id, decision, assessment, item.crisis, now)
            if joins and item.crisis is not None:
                joining[item.crisis.id].append(case_id)
        for incident_id, case_ids in joining.items():
            incidents.join(session, incident_id, case_ids, now=now)


_WAITS = (
    update(t(ConversationRow))
    .where(c(ConversationRow).id == bindparam("conversation"), c(ConversationRow).waiting_since.is_(None))
    .values(waiting_since=bindparam("since"))
)
_SILENCE = (
    update(t(ConversationRow))
    .where(c(ConversationRow).id == bindparam("conversation"), c(ConversationRow).silenced_at.is_(None))
    .values(silenced_at=bindparam("at"), silence_reason=bindparam("why"))
)
_GRAVER = (
    update(t(ConversationRow))
    .where(c(ConversationRow).id == bindparam("conversation"), c(ConversationRow).silence_reason == ASKED_FOR_A_PERSON)
    .values(silence_reason=bindparam("why"))
)
