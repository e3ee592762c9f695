"""What the pages work with, put together once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from responders.snapshot import Timing
from social.domain.hours import BusinessCalendar
from social.ports import Clock
from social.settings import LOOPBACK, Settings
from social.store.session import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDesk:
    """One process's view of the desk for its pages. ``calendars`` by the brand's name."""

    database: Database
    clock: Clock
    settings: Settings
    calendars: Mapping[str, BusinessCalendar]
    waits: Timing

    def now(self) -> datetime:
        """World time: what customers, cases and pages live by."""
        return self.clock.now()

    @property
    def session_lifetime(self) -> timedelta:
        return timedelta(hours=self.settings.web.session_hours)

    @property
    def secure(self) -> bool:
        """People come by TLS, so cookies may never travel without it."""
        return self.settings.web.address.startswith("https://")

    @property
    def hosts(self) -> frozenset[str]:
        """Names that a request may be for. A page of somebody else whose name points at this machine is refused."""
        own = urlsplit(self.settings.web.address).hostname
        return LOOPBACK | ({own} if own else set())
