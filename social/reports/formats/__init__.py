"""A report as a file; every format tells the same numbers."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"
