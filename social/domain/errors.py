"""Every error that Dyżur raises on purpose.

DyzurError                      what happened, to which resource, permanent or not, what to do next
├── ConfigurationError          the configuration cannot be used (file and line where known)
├── UsageError                  called in a way that cannot work
├── NotFound                    no such profile, case, post ...
├── Conflict                    somebody else was quicker, or the state does not allow it
├── StoreError                  the database cannot be used (read-only, full, locked, wrong schema)
│   ├── Contended               another transaction came in between; nothing was changed, a repeat helps
│   └── ServerAway              the database server is not there at the moment; work goes on when it is back
├── ModelUnavailable            the classifier cannot be loaded or gave nonsense
└── ConnectorError              a network said no, or said nothing
    ├── RateLimited             not before ``until``
    ├── CredentialsExpired      the token must be renewed by a person (or a refresh failed for good)
    ├── Refused                 a definite no: nothing was published and a repeat would not help
    ├── Uncertain               sent, outcome unknown: look up before anything else
    │   └── Duplicate           ... the network says that these words stand there already
    ├── CannotTell              the look-up of our own reply could not decide
    └── Unreachable             nothing was published; the network, or the way to it, is ill
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar


class DyzurError(Exception):
    """Base of the tree. ``str()`` is one sentence for people: what, where, what to do next."""

    permanent: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, resource: str = "", next_step: str = "") -> None:
        self.what = what
        self.resource = resource
        self.next_step = next_step
        super().__init__(what)

    def __str__(self) -> str:
        where = f"{self.resource}: " if self.resource else ""
        cure = f" {self.next_step}" if self.next_step else ""
        return f"{where}{self.what}{cure}"


class ConfigurationError(DyzurError):
    """The configuration cannot be used; ``resource`` is ``file:line`` where it is known."""

    permanent = True
    exit_code = 3


class UsageError(DyzurError):
    """A command was called in a way that cannot work."""

    permanent = True
    exit_code = 2


class NotFound(DyzurError):
    permanent = True
    exit_code = 2


class Conflict(DyzurError):
    """The thing is there, but its state (or its owner) does not allow this."""

    exit_code = 8


class StoreError(DyzurError):
    exit_code = 6


class Contended(StoreError):
    """The database ended this transaction so that another one could go on."""


class ServerAway(StoreError):
    """The server cannot be reached, or was shut down in the middle."""


class ModelUnavailable(DyzurError):
    exit_code = 7


class ConnectorError(DyzurError):
    exit_code = 5


class RateLimited(ConnectorError):
    """The network asks to wait. ``until`` is world time, aware; ``scope`` names the budget (``read``, ``write`` ...)."""

    def __init__(
        self, what: str, *, until: datetime, scope: str = "all", resource: str = "", next_step: str = ""
    ) -> None:
        super().__init__(what, resource=resource, next_step=next_step)
        self.until = until
        self.scope = scope


class CredentialsExpired(ConnectorError):
    permanent = True
    exit_code = 4


class RefusalReason(StrEnum):
    """Why a network will not publish a reply; the value is stored and shown."""

    NOT_SUMMONED = "not-summoned"
    REPLIES_DISABLED = "replies-disabled"
    BLOCKED = "blocked"
    WINDOW_CLOSED = "window-closed"
    GONE = "gone"
    TOO_LONG = "too-long"
    PERMISSION = "permission"
    ABUSE = "abuse"
    INVALID = "invalid"


class Refused(ConnectorError):
    """A definite no before acceptance. The robot never tries again; a person is told ``reason``."""

    permanent = True

    def __init__(self, what: str, *, reason: RefusalReason, resource: str = "", next_step: str = "") -> None:
        super().__init__(what, resource=resource, next_step=next_step)
        self.reason = reason


class Uncertain(ConnectorError):
    """The request may have been accepted (time-out, 5xx, broken connection, "duplicate"). ``over``: the network answered,
    so nothing of it is on its way any more; what it accepted shows within its read lag."""

    def __init__(self, what: str, *, over: bool = False, resource: str = "", next_step: str = "") -> None:
        super().__init__(what, resource=resource, next_step=next_step)
        self.over = over


class Duplicate(Uncertain):
    """The network says that these words stand there already. They may be our own first attempt, so this is no "no"; nor is it
    any proof of absence that they are not to be seen."""


class CannotTell(ConnectorError):
    """Neither "it is there" nor "it is surely absent" can be said about our own reply."""


class Unreachable(ConnectorError):
    """Nothing was published: connection refused, 5xx or HTML instead of JSON on a read, a time-out on a read."""
