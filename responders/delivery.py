"""What becomes of a reply when something happens to it: a table from (state, event) to the next state.

The engine drives it: it claims, commits the intent, uses the wire, and asks here what the result means. Whatever is not
in the table cannot happen and raises, because a guess here could publish a text twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from social.domain.errors import (
    CannotTell,
    ConnectorError,
    CredentialsExpired,
    RateLimited,
    Refused,
    Unreachable,
)
from social.domain.reply import ReplyState, SentBy, may_follow


class Event(StrEnum):
    """What the engine, the network or a person reports."""

    # before the wire
    DUE = "due"  # due and every check passed: the intent may be committed
    DUE_IN_DRY_RUN = "due-in-dry-run"
    ANSWERED = "answered"  # a person answered the customer, here or in the network's own app
    DELETED = "deleted"  # the customer's post is gone
    OPTED_OUT = "opted-out"
    SILENCED = "silenced"  # automation ended in the conversation, or another decision took this one's place
    FACT_STALE = "fact-stale"  # a statement in the text is no longer true
    NOT_PERMITTED = "not-permitted"  # the last look at the platform's rules says no
    TOO_LATE = "too-late"  # past not_after
    # the wire
    PUBLISHED = "published"  # 2xx with an id
    NOT_ACCEPTED = "not-accepted"  # surely nothing was published, and a later attempt may work (429, no connection)
    REFUSED = "refused"  # a definite no
    UNCERTAIN = "uncertain"  # time-out, 5xx, a crash: perhaps published
    # after it
    FOUND = "found"  # our own reply is there
    ABSENT = "absent"  # it is surely not there
    CANNOT_TELL = "cannot-tell"
    PERSON_SAW_IT = "person-saw-it"  # a person looked: it was published
    PERSON_MISSED_IT = "person-missed-it"  # a person looked: it was not


class Consequence(StrEnum):
    """What else the engine has to do."""

    NOTHING = "nothing"
    ESCALATE = "escalate"  # people must know: the customer did not get this text, or nobody can tell
    DECIDE_AGAIN = "decide-again"  # the plan is void, the customer still waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The next state (perhaps the same) and why, in words for people."""

    state: ReplyState
    reason: str
    consequence: Consequence = Consequence.NOTHING


def _step(state: ReplyState, reason: str, consequence: Consequence = Consequence.NOTHING) -> Step:
    return Step(state=state, reason=reason, consequence=consequence)


_S, _E, _C = ReplyState, Event, Consequence

#: Events that only say that the robot's words are not wanted any more; a person's answer goes its way.
AGAINST_THE_ROBOT = frozenset({_E.ANSWERED, _E.OPTED_OUT, _E.SILENCED, _E.FACT_STALE, _E.TOO_LATE})
#: Events from outside, which may come at any time and in any state.
FROM_OUTSIDE = AGAINST_THE_ROBOT | {_E.DELETED, _E.NOT_PERMITTED}

STEPS: Mapping[tuple[ReplyState, Event], Step] = {
    (_S.PLANNED, _E.DUE): _step(_S.SENDING, "due, and every check passed"),
    (_S.PLANNED, _E.DUE_IN_DRY_RUN): _step(_S.WOULD_HAVE_SENT, "the profile is in dry-run: nothing is sent"),
    (_S.PLANNED, _E.ANSWERED): _step(_S.CANCELLED, "a person answered first"),
    (_S.PLANNED, _E.DELETED): _step(_S.CANCELLED, "the customer's post was deleted"),
    (_S.PLANNED, _E.OPTED_OUT): _step(_S.CANCELLED, "the author asked for no automatic texts"),
    (_S.PLANNED, _E.SILENCED): _step(_S.CANCELLED, "automation ended in this conversation"),
    (_S.PLANNED, _E.FACT_STALE): _step(_S.CANCELLED, "a fact in the text is no longer true", _C.DECIDE_AGAIN),
    (_S.PLANNED, _E.NOT_PERMITTED): _step(_S.REFUSED, "the platform's rules do not allow it any more", _C.ESCALATE),
    (_S.PLANNED, _E.TOO_LATE): _step(_S.LATE, "its time passed before it could be sent", _C.ESCALATE),
    (_S.SENDING, _E.PUBLISHED): _step(_S.SENT, "published"),
    (_S.SENDING, _E.NOT_ACCEPTED): _step(_S.PLANNED, "surely not published; to be tried again"),
    (_S.SENDING, _E.REFUSED): _step(_S.REFUSED, "the network refused it", _C.ESCALATE),
    (_S.SENDING, _E.UNCERTAIN): _step(_S.SENDING, "perhaps published: to be looked up before anything else"),
    (_S.SENDING, _E.FOUND): _step(_S.SENT, "found on the network"),
    (_S.SENDING, _E.ABSENT): _step(_S.PLANNED, "surely absent on the network; to be tried again"),
    (_S.SENDING, _E.CANNOT_TELL): _step(_S.UNKNOWN, "nobody can tell whether it was published; look", _C.ESCALATE),
    (_S.UNKNOWN, _E.FOUND): _step(_S.SENT, "found on the network later"),
    (_S.UNKNOWN, _E.PUBLISHED): _step(_S.SENT, "published; the network's answer came late"),
    (_S.UNKNOWN, _E.REFUSED): _step(_S.REFUSED, "refused; the network's answer came late", _C.ESCALATE),
    # Absent is no proof by now, and the robot never sends again from here: a person decides.
    (_S.UNKNOWN, _E.ABSENT): _step(_S.UNKNOWN, "still not to be seen; a person looks"),
    (_S.UNKNOWN, _E.CANNOT_TELL): _step(_S.UNKNOWN, "still cannot be told; a person looks"),
    (_S.UNKNOWN, _E.PERSON_SAW_IT): _step(_S.SENT, "a person saw it on the network"),
    (_S.UNKNOWN, _E.PERSON_MISSED_IT): _step(_S.REFUSED, "a person looked: it was not published", _C.ESCALATE),
    # The same news twice: a lease that ended, two look-ups.
    (_S.SENT, _E.FOUND): _step(_S.SENT, "known to be published"),
    (_S.SENT, _E.PUBLISHED): _step(_S.SENT, "known to be published"),
}

for (_state, _event), _next in STEPS.items():
    if _next.state is not _state and not may_follow(_state, _next.state):
        raise AssertionError(f"{_event} leads from {_state} to {_next.state}, which the reply's states do not allow")
if missing := {event for event in Event if (_S.PLANNED, event) not in STEPS and event in FROM_OUTSIDE}:
    raise AssertionError(f"a planned reply must know what to do on {sorted(missing)}")


def advance(state: ReplyState, event: Event, *, sent_by: SentBy = SentBy.ROBOT) -> Step:
    """The step that follows. News from outside changes nothing once a text is on its way or at its end; a person's
    answer is stopped only by a deletion or the platform's rules. Raises ``ValueError`` for what cannot happen."""
    if sent_by is SentBy.PERSON:
        if event is Event.DUE_IN_DRY_RUN:
            raise ValueError("a person's answer is really sent, in dry-run too")
        if event in AGAINST_THE_ROBOT:
            return Step(state=state, reason=f"{event} does not stop a person's answer")
    if event in FROM_OUTSIDE and state is not ReplyState.PLANNED:
        return Step(state=state, reason=f"{event} came too late to change anything: the reply is {state}")
    try:
        return STEPS[state, event]
    except KeyError:
        raise ValueError(f"{event} cannot happen to a reply that is {state}") from None


def event_of(error: ConnectorError) -> Event:
    """What an error of the wire, or of a look-up, says about the reply. What is not known is uncertain."""
    match error:
        case Refused():
            return Event.REFUSED
        case RateLimited() | CredentialsExpired() | Unreachable():
            return Event.NOT_ACCEPTED
        case CannotTell():
            return Event.CANNOT_TELL
        case _:
            return Event.UNCERTAIN
