"""What a batch of judged posts leaves in the database, written in a few statements instead of a few a post."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from social.domain.assessment import Assessment
from social.domain.decision import Decision
from social.engine.claims import Claim, finish_all
from social.store.mapping import assessment_values, decision_values
from social.store.recall import RecalledPost
from social.store.rows import insert_rows, upsert
from social.store.tables import AssessmentRow, DecisionRow


@dataclass(slots=True)
class Recording:
    """Collects; ``write`` puts everything down and begins anew. What is read meanwhile does not see it yet."""

    assessments: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    finished: dict[int, dict[str, Any]] = field(default_factory=dict)

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

    def write(self, session: Session, claimed: Claim) -> None:
        if self.assessments:
            key = ("post_id", "revision_number")
            change = tuple(name for name in self.assessments[0] if name not in key)
            upsert(session, AssessmentRow, self.assessments, key=key, change=change)
        insert_rows(session, DecisionRow, self.decisions)
        finish_all(session, claimed, self.finished)
        self.assessments, self.decisions, self.finished = [], [], {}
