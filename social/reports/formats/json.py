"""JSON, for scripts and the API."""

from __future__ import annotations

import json
from typing import Any

from social.reports.report import SentimentReport
from social.reports.wording import ALL_COLUMNS

#: Raised when a key is renamed, goes away or changes its meaning; a new key does not raise it.
SCHEMA_VERSION = 1


def document(report: SentimentReport) -> dict[str, Any]:
    """The whole report as plain values. Every key of ``rows``, ``totals`` and ``origin`` is defined in ``definitions``."""
    told = report.provenance
    return {
        "report": "sentiment",
        "schema_version": SCHEMA_VERSION,
        "by": report.query.by.value,
        "origin": {
            **report.origin(),
            "profiles": [
                {"name": name, "network": network, "dry_run_days": told.dry_run.get(name, 0)}
                for name, network in told.profiles.items()
            ],
            "languages": list(report.query.languages),
            "models": [
                {"id": model.id, "version": model.version, "posts": posts} for model, posts in told.models.items()
            ],
        },
        "definitions": {column.key: column.meaning.en for column in ALL_COLUMNS},
        "rows": [row.values() for row in report.rows],
        "totals": report.totals.values(),
    }


def render(report: SentimentReport) -> bytes:
    """The file's bytes, UTF-8."""
    return (json.dumps(document(report), ensure_ascii=False, indent=2) + "\n").encode()
