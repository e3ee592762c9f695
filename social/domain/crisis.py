"""Is this a crisis? Whether far more customers complain on a profile than usual at this hour of the week.

Counted are **customers with a negative post within a running hour**, not posts: one angry person writes in clusters, while
customers come one by one, as a Poisson process wants it. What is usual is learned from four weeks: the same hour of the
week in the brand's own time zone counts whole, its neighbours half, the same hour of other days a quarter, and all that is
known of the profile one hour more. These are the observations of a Gamma distribution of the rate, so the count of the
running hour follows a negative binomial: wide where little is known, a Poisson in the end. (Gelman et al., Bayesian Data
Analysis, 3rd ed., sections 2.6 and 2.7.)

A crisis is improbable AND large: at 3 times the usual and a tail of 1 in 100,000 a profile with constant traffic sees one
false alarm in 50 weeks at most, looked at every five minutes, while six times the traffic of 5 customers an hour is found
within its hour (both are tested). Nothing is called a crisis before a day was watched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from social.domain.post import require_aware

HOUR = timedelta(hours=1)
WEEKS = 4
#: So far back it is counted: four weeks, and the neighbours of their first hour, an hour earlier after the clocks changed.
HISTORY = timedelta(weeks=WEEKS, hours=4)
#: A few hours know nothing of nights and days: before this no level is called a crisis.
WATCHED_AT_LEAST = timedelta(days=1)
#: What grows slowly must not become the measure of itself.
TOO_RECENT_HOURS = 6

MINIMUM_POSTS = 5
MINIMUM_CUSTOMERS = 4
#: "Far above" is at least so many times the usual: with much traffic even a little more is improbable.
FAR_ABOVE = 3.0
IMPROBABLE = 1e-5
#: What one in a hundred hours brings by chance is quiet.
QUIET_PROBABILITY = 0.01
QUIET_HOURS = 2

_SAME_HOUR, _NEIGHBOUR, _OTHER_DAY = 1.0, 0.5, 0.25
#: The profile's own average counts as one hour of observation, and is never taken for less than one customer in four hours.
_PRIOR_HOURS = 1.0
_PRIOR_LEAST = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """The negative posts of a profile as seen at ``now`` (world time, aware).

    ``customers``: hours ago -> how many customers wrote something negative in that hour, 0 being the running one; an hour
    that is not in it had none. ``posts``: negative posts of the running hour. ``watched``: how long the profile is
    polled already. ``unusual``: hours ago of earlier crises, from which nothing is learned.
    """

    now: datetime
    zone: ZoneInfo
    posts: int
    customers: Mapping[int, int]
    watched: timedelta
    unusual: frozenset[int] = field(default=frozenset())

    def __post_init__(self) -> None:
        require_aware(self.now, "now")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One hour beside what is usual. ``probability``: of as many customers or more, if nothing were wrong."""

    customers: int
    usual: float
    probability: float

    @property
    def far_above(self) -> bool:
        many = self.customers >= max(MINIMUM_CUSTOMERS, FAR_ABOVE * self.usual)
        return many and self.probability < IMPROBABLE

    @property
    def quiet(self) -> bool:
        return self.customers < MINIMUM_CUSTOMERS or self.probability > QUIET_PROBABILITY


def worth_a_look(*, posts: int, customers: int) -> bool:
    """Could this hour be a crisis at all? So few never are, and need no four weeks of counting."""
    return posts >= MINIMUM_POSTS and customers >= MINIMUM_CUSTOMERS


def read(volume: Volume, *, hours_ago: int = 0) -> Reading:
    """The hour that ended ``hours_ago`` hours before ``now`` beside what is usual at that hour of the week."""
    shape, hours = _rate(volume, hours_ago)
    customers = volume.customers.get(hours_ago, 0)
    return Reading(customers=customers, usual=shape / hours, probability=_tail(customers, shape, hours))


def is_crisis(volume: Volume, reading: Reading) -> bool:
    """``reading`` is that of the running hour."""
    enough = worth_a_look(posts=volume.posts, customers=reading.customers)
    return enough and volume.watched >= WATCHED_AT_LEAST and reading.far_above


def is_calm(volume: Volume) -> bool:
    """Two quiet hours one after the other; the level that ends a crisis lies below the one that begins it."""
    return all(read(volume, hours_ago=hours_ago).quiet for hours_ago in range(QUIET_HOURS))


def _rate(volume: Volume, hours_ago: int) -> tuple[float, float]:
    """What was seen at comparable hours, as shape (customers) and rate (hours) of a Gamma distribution."""
    last = min(int(volume.watched / HOUR), int(HISTORY / HOUR)) - 1
    known = [ago for ago in range(TOO_RECENT_HOURS, last + 1) if ago not in volume.unusual]
    average = sum(volume.customers.get(ago, 0) for ago in known) / len(known) if known else 0.0
    shape, hours = _PRIOR_HOURS * max(average, _PRIOR_LEAST), _PRIOR_HOURS
    for ago, weight in _comparable(volume, hours_ago):
        if TOO_RECENT_HOURS <= ago <= last and ago not in volume.unusual:
            shape += weight * volume.customers.get(ago, 0)
            hours += weight
    return shape, hours


def _comparable(volume: Volume, hours_ago: int) -> list[tuple[int, float]]:
    """(hours ago, weight) of the hours that tell what is usual, by the clock on the brand's wall: a change of the clocks
    moves them with it."""
    now = volume.now.astimezone(UTC)  # within one zone, Python would subtract walls and not instants
    wall = (now - hours_ago * HOUR).astimezone(volume.zone).replace(tzinfo=None)

    def ago(moment: datetime) -> int:
        return round((now - moment.replace(tzinfo=volume.zone)) / HOUR)

    found = []
    for days in range(1, 7 * WEEKS + 1):
        same = wall - timedelta(days=days)
        if days % 7:
            found.append((ago(same), _OTHER_DAY))
        else:
            found += [(ago(same), _SAME_HOUR), (ago(same - HOUR), _NEIGHBOUR), (ago(same + HOUR), _NEIGHBOUR)]
    return found


def _tail(customers: int, shape: float, hours: float) -> float:
    """P(X >= customers) of the negative binomial that a rate of Gamma(shape, hours) gives in one hour."""
    more = 1.0 / (hours + 1.0)
    nobody = shape * math.log1p(-more) - math.lgamma(shape)  # logarithms: a busy profile's terms are below every float
    below = math.fsum(
        math.exp(nobody + math.lgamma(shape + count) - math.lgamma(count + 1) + count * math.log(more))
        for count in range(customers)
    )
    return max(0.0, 1.0 - below)
