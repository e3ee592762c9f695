"""One author's data as plain values: what a person may ask for (GDPR, articles 15 and 20)."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from social.store import schema
from social.store.erasure import Known
from social.store.personal import HELD, Held
from social.store.rows import c, t
from social.store.session import Database

_AT_ONCE = 500


def export_author(database: Database, author: Known, *, now: datetime) -> dict[str, Any]:
    """Every column of every row that ``social.store.personal`` names, title by title, rows in the order they came in; times
    in ISO 8601 (UTC), bytes in base64."""
    with database.read() as session:
        data = {held.title: _rows(session, held, author.id) for held in HELD}
    return {
        "about": f"everything that is kept of {author.handle or author.native_id} on {author.network}",
        "made_at": now.isoformat(),
        "schema": schema.status(database).current,
        "network": author.network,
        "account": author.native_id,
        "data": data,
    }


def _rows(session: Session, held: Held, author_id: int) -> list[dict[str, Any]]:
    ids = sorted(session.execute(held.whose(author_id)).scalars())
    columns = [c(held.model)[name] for name in held.exported]
    rows: list[dict[str, Any]] = []
    for start in range(0, len(ids), _AT_ONCE):
        query = (
            select(*columns).where(t(held.model).c.id.in_(ids[start : start + _AT_ONCE])).order_by(t(held.model).c.id)
        )
        rows += [{name: _plain(value) for name, value in row.items()} for row in session.execute(query).mappings()]
    return rows


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value
