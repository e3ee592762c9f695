"""Named points at every step boundary of the line, where a test stops or kills the process. Off unless asked for.

    DYZUR_FAILPOINTS="deliver.after-wire=kill@3,poll.before-commit=stop"

The third pass through ``deliver.after-wire`` kills the process as a power cut would (SIGKILL to itself), the first through
``poll.before-commit`` pauses it (SIGSTOP) until somebody sends SIGCONT. ``count`` only counts. Nothing is caught, closed or
flushed on the way, as at any other moment at which a machine dies. A point that nobody named costs one look at an empty
mapping.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from social.domain.errors import UsageError

log = logging.getLogger("social.failpoints")

#: The environment variable that names points, their actions and at which pass they act.
VARIABLE = "DYZUR_FAILPOINTS"

#: Every point, and what is true there. ``before-commit`` lies inside the transaction, with everything written.
POINTS: Mapping[str, str] = {
    "poll.claimed": "a profile is ours, nothing was asked",
    "poll.fetched": "a page is here, nothing of it is stored",
    "poll.before-commit": "posts and cursor are written, not committed",
    "poll.page-committed": "a page and its cursor are stored, the next page of this turn is not asked for",
    "poll.after-commit": "the last page of the turn is stored and the profile given back",
    "poll.looked": "the second look at open posts is here, nothing of it is stored",
    "poll.look-committed": "what the second look showed is stored, that we looked is not",
    "triage.claimed": "a batch of posts is ours, nothing was judged",
    "triage.threads-read": "threads were read again after a silence of ours, nothing was judged",
    "triage.assessed": "the batch is judged, nothing of it is stored",
    "triage.before-commit": "assessments, decisions, cases and replies are written, not committed",
    "triage.after-commit": "the batch is recorded, nothing else was done",
    "deliver.claimed": "a reply is ours, its thread was not read",
    "deliver.looked": "the last look and every check are done, the intent is not written",
    "deliver.before-intent": "the intent is written, not committed",
    "deliver.after-intent": "the intent is on the disk, nothing is on the wire",
    "deliver.before-wire": "nothing but the network's own client lies between us and the wire",
    "deliver.after-wire": "the network has answered (or has not), nobody has written it down",
    "deliver.before-settle": "the outcome of a reply is written, not committed",
    "deliver.after-settle": "the outcome is on the disk",
    "doubtful.claimed": "an intent whose lease ended is ours, nobody was asked",
    "doubtful.looked-up": "the network has told whether our reply is there, nobody has written it down",
    "doubtful.after-settle": "what the look-up means is on the disk",
    "notify.alert-before-commit": "an alert's step and its messages are written, not committed",
    "notify.claimed": "a message to a person is ours, nothing is on the wire",
    "notify.after-wire": "the message was taken (or was not), nobody has written it down",
    "notify.after-settle": "the message's outcome is on the disk",
}

_NEXT_STEP = f"{VARIABLE} is for tests: NAME=kill, stop or count, with @N for the Nth pass, comma separated."


@dataclass(slots=True)
class _Armed:
    action: Callable[[str], None]
    at: int  # acts at this pass; 0 = never
    passes: int = 0


def _kill(name: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop(name: str) -> None:
    # said before, so that whoever waits for it knows where we stand
    log.warning("stopped at %s", name)
    # to this very thread: a signal to the process is taken by any of its threads, while this one would go on for a moment
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


def _count(name: str) -> None: ...


_ACTIONS: Mapping[str, Callable[[str], None]] = {"kill": _kill, "stop": _stop, "count": _count}
_armed: dict[str, _Armed] = {}
_lock = threading.Lock()


def reach(name: str) -> None:
    """The work stands at the point ``name``."""
    if _armed:
        _pass_through(name)


def _pass_through(name: str) -> None:
    point = _armed.get(name)
    if point is None:
        return
    with _lock:
        point.passes += 1
        acts = point.passes == point.at
    if acts:
        point.action(name)


def arm(words: str) -> None:
    """What ``DYZUR_FAILPOINTS`` says, instead of what was armed before; nothing for ``""``. Raises ``UsageError``."""
    found: dict[str, _Armed] = {}
    for part in filter(None, (part.strip() for part in words.split(","))):
        name, _, told = part.partition("=")
        action, _, at = told.partition("@")
        if name not in POINTS:
            raise UsageError(f"there is no point {name!r}.", resource=VARIABLE, next_step=_NEXT_STEP)
        if action not in _ACTIONS or not (at or "1").isdecimal() or int(at or "1") < 1:
            raise UsageError(f"{part!r} cannot be done.", resource=VARIABLE, next_step=_NEXT_STEP)
        found[name] = _Armed(action=_ACTIONS[action], at=int(at or "1"))
    _armed.clear()
    _armed.update(found)
    if found:
        log.warning("FAILPOINTS ARE ON: %s", words)


def arm_from_environment() -> None:
    """At the start of a daemon, before anything is opened."""
    arm(os.environ.get(VARIABLE, ""))


def passes() -> dict[str, int]:
    """How often each armed point was passed so far."""
    return {name: point.passes for name, point in _armed.items()}
