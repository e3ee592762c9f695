"""From the moment at which a post can be seen on its network to the moment at which our reply stands there.

    python benchmarks/latency.py [--posts 10000] [--errors 0.05] [--seed 1]

A simulated day of ``--posts`` posts on ten profiles of three networks, polled every 60 seconds, ``acknowledge_after = 0``,
open round the clock; each network answers ``--errors`` of its requests with a 5xx, reads and writes alike (of the writes
half are done all the same). Everything is real but the networks and the time: connectors over HTTP on this machine, the
shipped model, SQLite. The clock only moves when told, but what the desk computes is counted: it goes on by as much as each
step took. One step at a time; the daemon's own lanes work side by side, so this is the slower way.

Leases are machine time; here they pass as the world's time does, so that a doubtful reply is looked up when it would be.

Promises: half of the replies within 35 seconds, 99 of 100 within 90; without errors the daemon's own share (what lies
between the poll that brought a post and its reply) is at most 2 seconds for 99 of 100.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
from sqlalchemy import select, update

from connectors import registry
from connectors.simulated.library import WorldOptions
from connectors.simulated.server import Dialect, SimulatedRequest, SimulatedResponse, SimulatedServer, discover_dialects
from connectors.simulated.world import World
from responders.snapshot import Limits, Timing
from social import clock as clocks
from social.clock import SteppedClock
from social.domain.hours import BusinessCalendar, parse_weekly
from social.domain.post import ProfileMode
from social.engine import line
from social.engine.claims import next_due
from social.engine.desk import Desk, LiveProfile
from social.ports import ConnectorContext
from social.store import schema
from social.store.rows import active, c
from social.store.session import Database
from social.store.tables import PostRow, ProfileRow, ReplyRow
from tests.cast import BRAND, WARSAW
from tests.connectors.contract import RememberedCredentials
from tests.factories import profile
from tests.reliability.networks import OPTIONS, SECRETS
from triage.load import load_classifier, rules_only

START = datetime(2026, 8, 5, 0, 0, tzinfo=UTC)
POLL_EVERY = timedelta(seconds=60)
#: Ten profiles: on four worlds, each with one account of the shop's on every network.
PROFILES = tuple((world, kind) for world in range(4) for kind in ("twitter", "facebook", "bluesky"))[:10]
ALWAYS = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon-sun": ["00:00-24:00"]}), holiday=lambda day: None)
MEDIAN, LATE, OWN = 35.0, 90.0, 2.0


class Flaky:
    """Answers a share of the requests with a 5xx; of those that write, every second one is done before."""

    def __init__(self, dialect: Dialect, share: float, draw: Random) -> None:
        self.network, self.refuse = dialect.network, dialect.refuse
        self._dialect, self._share, self._draw = dialect, share, draw

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        if self._draw.random() >= self._share:
            return self._dialect.handle(request, world)
        if request.method == "POST" and self._draw.random() < 0.5:
            self._dialect.handle(request, world)
        return SimulatedResponse(status=self._draw.choice((500, 502, 503)), body={"error": "something broke"})


@contextmanager
def day(posts: int, errors: float, seed: int) -> Iterator[tuple[Desk, SteppedClock]]:
    draw, clock = Random(seed), SteppedClock(START)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dyzur-latency-")))
        database = Database(f"sqlite:///{folder}/desk.db")
        stack.callback(database.close)
        schema.upgrade(database, now=START)
        servers = []
        for number in range(1 + PROFILES[-1][0]):
            options = WorldOptions(
                seed=seed + number,
                posts_per_day=posts * 12 / len(PROFILES) / 4,
                history_posts_per_day=0,
                history_days=0,
                outage="none",
                scene=False,
            )
            world = World(start=START, options=options)
            dialects = {kind: Flaky(dialect, errors, draw) for kind, dialect in discover_dialects().items()}
            servers.append(stack.enter_context(SimulatedServer(world, clock, dialects=dialects)))
        opened = {}
        for number, (place, kind) in enumerate(PROFILES):
            live = open_profile(database, clock, servers[place], kind, f"{kind}-{place}")
            opened[live.id] = live
            with database.write() as session:  # polls spread over the minute, as in a daemon that runs for a while
                session.execute(
                    update(ProfileRow)
                    .where(c(ProfileRow).id == live.id)
                    .values(due_at=START + number * POLL_EVERY / 10)
                )
            stack.callback(live.connector.close)
        desk = Desk(
            database=database,
            clock=clock,
            classifier=load_classifier(),
            fallback=rules_only("the benchmark's spare"),
            profiles=opened,
            timing=Timing(acknowledge_after=timedelta(0), urgent_acknowledge_after=timedelta(0)),
            limits=Limits(per_author_an_hour=1000, per_profile_an_hour=100_000),
        )
        yield desk, clock


def open_profile(database: Database, clock: SteppedClock, server: SimulatedServer, kind: str, name: str) -> LiveProfile:
    shop = profile(database, name, network=kind, now=START, first_polled_at=START)
    context = ConnectorContext(
        profile=name,
        options=dict(OPTIONS.get(kind, {})),
        settings={"base_url": server.base_url(kind)},
        credential=name,
        credentials=RememberedCredentials(name, SECRETS[kind]),
        clock=clock,
    )
    return LiveProfile(
        id=shop.id,
        name=name,
        brand=BRAND,
        brand_id=shop.brand_id,
        languages=("pl", "en"),
        calendar=ALWAYS,
        mode=ProfileMode.ACKNOWLEDGE,
        closed_notice=True,
        poll_every=POLL_EVERY,
        connector=registry.load(kind).open(context),
    )


# --- the day ----------------------------------------------------------------------------------------------------------------


class LivedThrough:
    """Steps on a clock that goes on by what they took."""

    def __init__(self, desk: Desk, clock: SteppedClock) -> None:
        self.desk, self.clock = desk, clock
        self.ends: dict[
            tuple[int, datetime], datetime
        ] = {}  # a doubtful reply's lease -> world time at which it is over

    def until(self, end: datetime) -> None:
        while self.clock.now() < end:
            if not sum(self.take(step) for step in (line.take_in, line.work_through, line.send_out)):
                self.jump(end)
            self.let_leases_end()

    def take(self, step: Callable[[Desk, datetime], int]) -> int:
        began = time.perf_counter()
        moved = step(self.desk, self.clock.now())
        self.clock.advance(timedelta(seconds=time.perf_counter() - began))
        return moved

    def jump(self, end: datetime) -> None:
        due = next_due(self.desk.database, after=self.clock.now())
        following = [moment for moment in (due, *self.ends.values(), end) if moment is not None]
        self.clock.advance_to(max(self.clock.now(), min(following)))

    def let_leases_end(self) -> None:
        columns = c(ReplyRow)
        with self.desk.database.read() as session:
            doubtful = session.execute(
                select(columns.id, columns.leased_until, columns.due_at).where(
                    active(ReplyRow), columns.state == "sending"
                )
            ).all()
        now, machine = self.clock.now(), clocks.lease_now()
        leased = [(row.id, row.leased_until) for row in doubtful if row.leased_until is not None]
        self.ends = {lease: self.ends.get(lease, now + (lease[1] - machine)) for lease in leased}
        # one that could not be looked up is due again by the world's time, without a lease
        self.ends |= {
            (row.id, row.due_at): row.due_at for row in doubtful if row.leased_until is None and row.due_at > now
        }
        over = [lease[0] for lease in leased if self.ends[lease] <= now]
        if over:
            with self.desk.database.write() as session:
                past = machine - timedelta(seconds=1)
                session.execute(update(ReplyRow).where(columns.id.in_(over)).values(leased_until=past))


def measure(posts: int, errors: float, seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Seconds from visible to replied, and from received to replied, of every automatic reply; and how many posts."""
    with day(posts, errors, seed) as (desk, clock):
        LivedThrough(desk, clock).until(START + timedelta(days=1, minutes=10))
        with desk.database.read() as session:
            rows = session.execute(
                select(c(PostRow).created_at, c(PostRow).received_at, c(ReplyRow).sent_at)
                .join(ReplyRow, c(ReplyRow).post_id == c(PostRow).id)
                .where(c(ReplyRow).sent_by == "robot", c(ReplyRow).state == "sent")
            ).all()
            taken = session.execute(select(c(PostRow).id).where(c(PostRow).ours.is_(False))).all()
    whole = np.array([(sent - created).total_seconds() for created, _, sent in rows])
    own = np.array([(sent - received).total_seconds() for _, received, sent in rows])
    return whole, own, len(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--errors", type=float, default=0.05, help="share of the requests that get a 5xx")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    whole, _, taken = measure(options.posts, options.errors, options.seed)
    median, late = np.percentile(whole, (50, 99))
    print(f"{taken} posts, {options.errors:.0%} of the requests get a 5xx; {len(whole)} automatic replies")
    print(f"visible to replied: p50 {median:.1f} s (promise {MEDIAN:g}), p99 {late:.1f} s (promise {LATE:g})")
    quiet, own, taken = measure(options.posts // 5, 0.0, options.seed)
    share = float(np.percentile(own, 99))
    print(f"{taken} posts without errors, {len(quiet)} replies: own share p99 {share:.2f} s (promise {OWN:g})")
    return 0 if median <= MEDIAN and late <= LATE and share <= OWN else 1


if __name__ == "__main__":
    raise SystemExit(main())
