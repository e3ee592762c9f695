"""A storm: the desk works, customers write, and daemons are killed and paused at named points and at random."""

from __future__ import annotations

import signal
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from social.clock import monotonic
from social.domain.errors import StoreError
from social.engine.failpoints import POINTS
from social.store.tables import PostRow, ReplyRow
from tests.engine.looking import eventually, rows
from tests.reliability.checker import Run, labels_differ, violations
from tests.reliability.customers import NETWORKS, STOPS, URGENT, WRITTEN_BY_A_CUSTOMER, Customers, everything_ended
from tests.reliability.daemons import SPEED, TOTAL_TIMEOUT, Daemon, Place
from tests.reliability.nursery import LEASES, SureRules
from tests.reliability.public import PublicHistory

#: Where a daemon can die on the line. Messages to people have their own promise: at least once.
LINE_POINTS = tuple(name for name in POINTS if not name.startswith("notify."))
#: Where a pause hurts most: something was read or decided, and is acted on after the pause.
PAUSE_POINTS = (
    "poll.fetched",
    "triage.assessed",
    "deliver.looked",
    "deliver.after-intent",
    "deliver.before-wire",
    "deliver.after-wire",
    "doubtful.looked-up",
)
#: Past every lease, that of an intent too.
PAUSE_SECONDS = LEASES.settle.total_seconds() + 3 * TOTAL_TIMEOUT + 1.5
#: A point that is not reached for so long is given up, and the daemon killed where it stands.
PATIENCE_SECONDS = 120.0
#: After so long a wait for a point, daemons whose fate is over step aside: they may be doing what leads to it.
STEP_ASIDE_SECONDS = 10.0
#: How long everything may take to come to its end once nobody is killed any more.
DRAIN_SECONDS = 300.0
#: A paused daemon may hold a SQLite file for longer than another one waits for it at its start.
MOST_RESTARTS = 30


@dataclass(kw_only=True)
class Result:
    """What a storm came to. ``hit``: the points at which daemons really died or stopped; ``missed``: those given up."""

    seconds: float = 0.0
    posts: int = 0
    public: int = 0
    unknown: int = 0
    kills: int = 0
    pauses: int = 0
    restarts: int = 0
    faults: int = 0
    hit: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    replies: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fate:
    """What becomes of the next daemon: at a ``point`` (its ``nth`` pass), or ``after`` so many seconds, when what was allowed
    to be written is written."""

    pause: bool = False
    point: str = ""
    nth: int = 1
    after: float = 0.0

    @property
    def failpoints(self) -> str:
        return f"{self.point}={'stop' if self.pause else 'kill'}@{self.nth}" if self.point else ""


class Storm:
    """``kills`` deaths by SIGKILL, at each of ``points`` and else at random, ``pauses`` of them after a pause by SIGSTOP."""

    def __init__(
        self, place: Place, *, daemons: int, posts: int, kills: int, pauses: int, points: Sequence[str], seed: int
    ) -> None:
        self.place, self.result = place, Result()
        self._dice = Random(f"{seed}/storm")
        self._customers = Customers(place, count=posts, seed=seed)
        self._fates = deque(self._plan(posts, kills, pauses, points, daemons))
        self._calm = [threading.Event() for _ in range(daemons)]
        self._lock, self._over, self._aside = threading.Lock(), threading.Event(), threading.Event()
        self._errors: list[BaseException] = []
        self._posts, self._kills = posts, kills
        self._allow_more()
        self._places = [threading.Thread(target=self._keep_alive, name=f"daemon-{n + 1}") for n in range(daemons)]

    def _plan(self, posts: int, kills: int, pauses: int, points: Sequence[str], daemons: int) -> list[_Fate]:
        dice, named = self._dice, list(points[: kills - pauses])
        often = max(
            1, min(5, posts // kills // (2 * daemons))
        )  # between two deaths so many replies pass through each daemon
        fates = [
            _Fate(point=point, nth=dice.randint(1, often) if point.startswith("deliver") else 1) for point in named
        ]
        fates += [_Fate(after=dice.uniform(0.2, 1.5)) for _ in range(kills - pauses - len(named))]
        for number in range(pauses):
            at_random = number % 4 == 3
            where = "" if at_random else dice.choice(PAUSE_POINTS)
            fates.append(_Fate(pause=True, point=where, nth=dice.randint(1, 3), after=dice.uniform(0.3, 1.5)))
        dice.shuffle(fates)
        return fates

    def _allow_more(self) -> None:
        self._customers.allowed = self._posts * (self.result.kills + len(self._calm)) // self._kills

    def run(self) -> Result:
        begun = monotonic()
        first = self.place.start()
        self.place.first_polls()
        first.kill()
        try:
            self._customers.start()
            for thread in self._places:
                thread.start()
            eventually(self._storm_is_over, seconds=3600, what="the end of the storm")
            since = self.place.now
            self.place.networks.post("fault", clear=True)
            eventually(lambda: self._ended(since), seconds=DRAIN_SECONDS, what="the end of everything")
        finally:
            self._customers.stop()
            self._over.set()
            for thread in self._places:
                thread.join()
        self._look(since)
        self.result.seconds = monotonic() - begun
        return self.result

    def _storm_is_over(self) -> bool:
        self._complain()
        threading.Event().wait(0.1)
        return self._customers.done and all(calm.is_set() for calm in self._calm)

    def _ended(self, since: datetime) -> bool:
        self._complain()
        threading.Event().wait(0.2)
        return everything_ended(self.place, since)

    def _complain(self) -> None:
        for error in filter(None, (self._customers.error, *self._errors)):
            raise error

    # --- the daemons --------------------------------------------------------------------------------------------------

    def _keep_alive(self) -> None:
        """One place for a daemon: whoever dies in it is replaced at once, by one with the next fate."""
        calm = self._calm[self._places.index(threading.current_thread())]
        try:
            while not self._over.is_set():
                fate = self._next_fate()
                daemon = self._start(fate)
                if fate is None:
                    calm.set()
                    self._leave_alone(daemon)
                else:
                    while not self._suffer(daemon, fate):
                        daemon = self._start(fate)
        except BaseException as error:  # noqa: BLE001 shown by run()
            self._errors.append(error)

    def _next_fate(self) -> _Fate | None:
        with self._lock:
            return self._fates.popleft() if self._fates else None

    def _start(self, fate: _Fate | None) -> Daemon:
        with self._lock:
            if fate is not None and fate.point.startswith("doubtful"):  # there must be something to look up
                for network in NETWORKS:
                    self.place.networks.post(
                        "fault", kind="status", status=502, network=network, method="POST", count=2
                    )
            return self.place.start(fate.failpoints if fate else "")

    def _leave_alone(self, daemon: Daemon) -> None:
        while not self._over.wait(0.05):
            if self._aside.is_set():
                daemon.kill()
                while self._aside.is_set() and not self._over.wait(0.05):
                    pass
                daemon = self._start(None)
            if not daemon.lives:
                if daemon.code == StoreError.exit_code and self.result.restarts < MOST_RESTARTS:
                    self.result.restarts += 1
                    daemon = self._start(None)
                    continue
                raise AssertionError(f"a daemon ended by itself with code {daemon.code}; its log is {self.place.log}")
        daemon.kill()

    def _suffer(self, daemon: Daemon, fate: _Fate) -> bool:
        """``False``: the daemon could not begin, because a paused one holds the database; whoever runs it starts it again."""
        died = self._wait(daemon, fate)
        if died and daemon.code == StoreError.exit_code and self.result.restarts < MOST_RESTARTS:
            self.result.restarts += 1
            return False
        if died and daemon.code != -signal.SIGKILL:
            raise AssertionError(f"a daemon ended by itself with code {daemon.code}; its log is {self.place.log}")
        if fate.point:
            where = f"{fate.point}{' (pause)' if fate.pause else ''}"
            if died or daemon.paused:
                self._count(where)
            else:
                self.result.missed.append(where)
        if fate.pause and not died:
            self._pause(daemon)
        daemon.kill()
        with self._lock:
            self.result.kills += 1
            self._allow_more()
        return True

    def _wait(self, daemon: Daemon, fate: _Fate) -> bool:
        """Until its fate has come, for a named point, or it is time to bring it about. Has it died?"""
        begun, more_at = monotonic(), STEP_ASIDE_SECONDS
        while daemon.lives and not daemon.paused and not self._over.is_set():
            waited = monotonic() - begun
            due = waited > fate.after and (self._customers.done or self._customers.written >= self._customers.allowed)
            if waited > PATIENCE_SECONDS if fate.point else due:
                break
            if fate.point and waited > STEP_ASIDE_SECONDS:
                self._aside.set()
            if fate.point and waited > more_at and self._customers.done:
                more_at += STEP_ASIDE_SECONDS  # all is written and done: nothing else leads to the point any more
                with self._lock:
                    self._customers.one_more()
            threading.Event().wait(0.005)
        self._aside.clear()
        return not daemon.lives

    def _pause(self, daemon: Daemon) -> None:
        daemon.pause()
        eventually(lambda: daemon.paused, what="the pause of a daemon")
        threading.Event().wait(PAUSE_SECONDS)
        daemon.go_on()
        threading.Event().wait(1.5)  # it acts on what it knew
        with self._lock:
            self.result.pauses += 1

    def _count(self, where: str) -> None:
        with self._lock:
            self.result.hit[where] += 1

    # --- what came of it ----------------------------------------------------------------------------------------------

    def _look(self, since: datetime) -> None:
        place, result = self.place, self.result
        public = PublicHistory.of(place.networks)
        run = Run(
            public=public,
            database=place.database,
            logs=[place.log],
            secrets=place.secrets,
            over_at=since,
            urgent=URGENT,
            stops=STOPS,
            judging=LEASES.triage * SPEED,
        )
        result.violations = [*violations(run), *labels_differ(place.database, SureRules(), only=WRITTEN_BY_A_CUSTOMER)]
        result.posts, result.public = len(public.of_customers), len(public.said)
        result.faults = self._customers.faults.total()
        result.replies = Counter(reply.state for reply in rows(place.database, ReplyRow))
        result.unknown = result.replies["unknown"]
        result.outcomes = Counter(
            f"{post.state} {post.outcome}" for post in rows(place.database, PostRow) if not post.ours
        )
