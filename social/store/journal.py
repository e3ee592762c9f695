"""The audit log: who did what to what. Append only; texts of customers never go in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from social.store.rows import insert_rows
from social.store.tables import EventRow

ROBOT = "robot"
NETWORK_APP = "network-app"  # somebody of the brand, by another client


def note(
    session: Session,
    *,
    at: datetime,
    actor: str,
    verb: str,
    subject: str,
    subject_id: int | None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    row = {
        "at": at,
        "actor": actor,
        "verb": verb,
        "subject_kind": subject,
        "subject_id": subject_id,
        "detail": dict(detail or {}) or None,
    }
    insert_rows(session, EventRow, [row])
