"""APScheduler as the ticker and nothing more: it stores nothing, and every tick only wakes a lane to claim what is due.

The stepped twin (self-test, tests, benchmarks) needs no scheduler: it runs the same steps and jumps to the next due time.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from social import clock
from social.clock import SteppedClock
from social.domain.errors import DyzurError, ServerAway, StoreError
from social.engine import crisis, digest, line, ringing, upkeep, watch
from social.engine.claims import Claimed, due_now, next_due
from social.engine.desk import Desk
from social.engine.lanes import Lane, Listener
from social.store import control, wakes
from social.store.control import PARTS

log = logging.getLogger("social.daemon")

TICK_SECONDS = 0.5
#: A lane that was not ticked for so many ticks works all the same: the scheduler goes by the machine's clock, which somebody
#: may set back.
MISSED_TICKS = 4
#: A stop waits so long for the steps in hand. A supervisor kills what is not gone after ten or more.
STOP_SECONDS = 5.0
#: Whose complaint it is when the database is away: nobody's in particular.
DATABASE = "database"
#: A tick works until nothing is due, but not longer than this, so that a stop is quick.
TICK_BUDGET_SECONDS = 4.0
#: The same complaint of a failing tick is logged this often.
REPEAT_SECONDS = 60.0
#: For so long after it was lost a database server may still answer whoever has a connection: it closes them one by one.
CLOSING_SECONDS = 1.0

#: A part that fails, or hangs in one step, for so long is ill, and people are told.
FAILS_SECONDS, HANGS_SECONDS = 180.0, 900.0
#: A part that no daemon does for so long is told of: a new start takes less.
ABSENT_SECONDS = 300.0
#: What a step held when it failed nobody can claim before its lease ends (at most 40 minutes). Till then a tick that finds
#: nothing to do is no sign of health.
FORGOTTEN_AFTER_SECONDS = 3600.0
#: A failure so fresh that the dead man's switch is not told "all is well".
FRESH_SECONDS = 60.0
#: How many messages may be on their way at once: a mail server that hangs must not hold up the others.
RINGING_LANES = 2

#: The stepped twins of the watch's five and the look's sixty machine seconds (world time).
WATCH_EVERY, LOOK_EVERY = timedelta(minutes=1), timedelta(minutes=10)

Step = Callable[[Desk, datetime], int]


@dataclass(frozen=True, slots=True)
class _Failing:
    """A part that failed, at least once, since when (monotonic seconds), and has finished nothing since."""

    since: float
    last: float
    why: str
    database: bool = False

    @property
    def ill(self) -> bool:
        return self.last - self.since >= FAILS_SECONDS


class Daemon:
    """The three loops, each in lanes (threads) of this process. A lane works when APScheduler ticks it, or as soon as
    something is committed that it has to do with: here, or (PostgreSQL) on another machine."""

    def __init__(self, desk: Desk, parts: Collection[str] = PARTS, *, tick_seconds: float = TICK_SECONDS) -> None:
        from apscheduler.schedulers.background import BackgroundScheduler

        self.desk = desk
        self.parts = tuple(part for part in PARTS if part in parts)
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.started_at = clock.machine_now()
        self._complaints: dict[str, float] = {}
        self._complaining = threading.Lock()
        self._failing: dict[str, _Failing] = {}  # by part: its lanes claim the same rows
        self._at_work: dict[str, float] = {}  # since when
        self._absent: dict[str, float] = {}  # parts that nobody does, since when
        self._stopping = threading.Event()
        self._lanes: list[Lane] = []
        self._listener: Listener | None = None
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}, timezone="UTC"
        )
        lanes = max(1, min(4, len(desk.profiles)))
        if "poll" in self.parts:
            for lane in range(lanes):  # a network that hangs holds one lane, not the others
                self._tick(f"poll-{lane + 1}", line.take_in, seconds=tick_seconds, woken_by=wakes.POLL)
        if "triage" in self.parts:
            self._tick("triage", line.work_through, seconds=tick_seconds, woken_by=wakes.TRIAGE)
        if "respond" in self.parts:
            for lane in range(lanes):
                self._tick(f"respond-{lane + 1}", line.send_out, seconds=tick_seconds, woken_by=wakes.RESPOND)
            self._tick("watch", watch.watch_over, seconds=5, once=True)
            self._tick("crisis", crisis.look_for_crises, seconds=5, once=True)
            self._tick("accesses", watch.ask_when_accesses_end, seconds=3600, once=True)
            self._tick("purge", upkeep.purge_some, seconds=1, once=True)  # one small step a second
            self._tick("backup", self._back_up, seconds=30, once=True)
            if desk.on_call is not None and desk.on_call.people:
                for lane in range(RINGING_LANES):
                    self._tick(f"ring-{lane + 1}", ringing.ring, seconds=max(1, tick_seconds), woken_by=wakes.RING)
                self._tick("digest", digest.plan_due, seconds=5, once=True)
        self._tick("look", self._look, seconds=60, once=True)
        self._tick("heartbeat", self._beat, seconds=10, once=True)
        desk.database.on_wake(self._wake)
        if desk.database.dialect == "postgresql":
            self._listener = Listener(desk.database, self._wake)

    def start(self) -> None:
        gc.collect()
        gc.freeze()  # what is loaded by now stays: the collector need not look through it every few batches
        for lane in self._lanes:
            lane.start()
        self._scheduler.start()
        if self._listener is not None:
            self._listener.start()

    def stop(self, *, within: float = STOP_SECONDS) -> list[str]:
        """Finish the current steps, but wait no longer than ``within`` seconds (a network may hang). Returns the lanes that
        are still at work then: what they hold is picked up when its lease ends, by this daemon or another."""
        end = clock.monotonic() + within
        self._stopping.set()
        self._scheduler.shutdown(wait=False)
        if self._listener is not None:
            self._listener.ask_to_stop()
        for lane in self._lanes:
            lane.ask_to_stop()
        left = [lane.name for lane in self._lanes if not lane.stopped(by=end)]
        if self._listener is not None and not self._listener.stopped(by=end):
            left.append("listener")
        if left:
            log.warning("left in the middle, for whoever comes after its lease: %s", ", ".join(left))
        if DATABASE in self._complaints:
            return left  # it is away: the heartbeat ends by itself
        try:
            with self.desk.database.write() as session:
                control.leave(session, self.name)
        except DyzurError as error:
            log.warning("the heartbeat could not be withdrawn: %s", error)
        return left

    def ills(self) -> dict[str, str]:
        """What of this daemon does not work for a while already, and why."""
        # copies: the ticks go on in their threads
        failing = {part: failing.why for part, failing in self._failing.copy().items() if failing.ill}
        return {**failing, **dict.fromkeys(self.hanging(), "it hangs")}

    def hanging(self) -> list[str]:
        """Parts that have been in one step for so long that it will not end by itself."""
        now = clock.monotonic()
        return [name for name, since in self._at_work.copy().items() if now - since >= HANGS_SECONDS]

    def absent(self) -> list[str]:
        """Parts that no daemon on this database has done for a while: what they are for is not done at all."""
        with self.desk.database.read() as session:
            done = control.parts_done(control.running(session, at=clock.machine_now())).union(self.parts)
        now = clock.monotonic()
        self._absent = {part: self._absent.get(part, now) for part in PARTS if part not in done}
        return [part for part, since in self._absent.items() if now - since >= ABSENT_SECONDS]

    def _back_up(self, desk: Desk, now: datetime) -> int:
        return upkeep.back_up(desk, now, stop=self._stopping.is_set)

    def _look(self, desk: Desk, now: datetime) -> int:
        name = f"{socket.gethostname()} ({','.join(self.parts) or 'web'})"
        if not self.parts:
            return watch.look_at_itself(desk, now, daemon=name, ills=self.ills())
        ills, absent = self.ills(), self.absent()
        found = watch.look_around(
            desk,
            now,
            daemon=name,
            ills=ills,
            absent=() if "respond" in self._absent else absent,  # who would ring? And whoever comes back rings too late
            present=set(PARTS) - self._absent.keys(),
        )
        fresh = any(clock.monotonic() - failing.last < FRESH_SECONDS for failing in self._failing.copy().values())
        if desk.on_call is not None and desk.on_call.ping is not None and not (ills or fresh or absent):
            try:
                desk.on_call.ping.send()
            except DyzurError as error:
                log.warning("%s", error)
        return found

    def _wake(self, parts: Collection[str]) -> None:
        for lane in self._lanes:
            if lane.woken_by in parts:
                lane.wake()

    def _tick(self, name: str, step: Step, *, seconds: float, once: bool = False, woken_by: str = "") -> None:
        part = woken_by or name

        def work() -> None:
            begun = clock.monotonic()
            end, moved = begun + TICK_BUDGET_SECONDS, 0
            try:
                while step_moved := self._timed(name, step):
                    moved += step_moved
                    if once or self._stopping.is_set() or clock.monotonic() > end:
                        break
                    begun = clock.monotonic()
                self._complaints.pop(name, None)
                self._works(part, finished=once or moved > 0)
                if self._there_again(begun):
                    log.warning("the database is there again; work goes on")
            except ServerAway as error:
                self._complain(DATABASE, str(error))  # one complaint of all lanes
                self._fails(part, str(error), database=True)
            except DyzurError as error:
                self._complain(name, str(error))
                self._fails(part, str(error), database=isinstance(error, StoreError))
            except Exception as error:  # noqa: BLE001 one broken step must not stop the others; it is tried again
                # its name only: the text of a driver's error may quote a customer, and this goes into log and alert
                self._complain(name, type(error).__name__, trace=True)
                self._fails(part, type(error).__name__)

        lane = Lane(name, work, woken_by=woken_by, at_least_every=max(MISSED_TICKS * seconds, 5.0))
        self._lanes.append(lane)
        self._scheduler.add_job(lane.wake, "interval", seconds=seconds, id=name, next_run_time=clock.machine_now())

    def _timed(self, name: str, step: Step) -> int:
        self._at_work[name] = clock.monotonic()
        try:
            return step(self.desk, self.desk.now())
        finally:
            self._at_work.pop(name, None)

    def _fails(self, part: str, why: str, *, database: bool = False) -> None:
        now = clock.monotonic()
        begun = self._failing.get(part) or _Failing(now, now, why)
        self._failing[part] = replace(begun, last=now, why=why, database=database)

    def _works(self, part: str, *, finished: bool) -> None:
        """A tick ended well. That it finished something, or reached the database that it complained of, says that the part is
        well; that it found nothing to do says so only when what failed can be claimed again."""
        failing = self._failing.get(part)
        if failing is None:
            return
        if finished or failing.database or clock.monotonic() - failing.last > FORGOTTEN_AFTER_SECONDS:
            self._failing.pop(part, None)

    def _there_again(self, begun: float) -> bool:
        """Whether a step that began then and has ended well says that the database is back. One that began before another lane
        lost it, or while the server was still closing its connections one by one, says nothing: it had its own already."""
        with self._complaining:
            lost = self._complaints.get(DATABASE)
            if lost is None or begun <= lost + CLOSING_SECONDS:
                return False
            del self._complaints[DATABASE]
            return True

    def _complain(self, name: str, message: str, *, trace: bool = False) -> None:
        with self._complaining:
            last = self._complaints.get(name)
            if last is not None and clock.monotonic() - last <= REPEAT_SECONDS:
                return
            self._complaints[name] = clock.monotonic()
        log.error("%s: %s", name, message, exc_info=trace)

    def _beat(self, desk: Desk, now: datetime) -> int:
        watch.beat(desk, name=self.name, parts=",".join(self.parts), started_at=self.started_at)
        return 0


def run_stepped(
    desk: Desk, stepped: SteppedClock, *, until: datetime, before_jump: Callable[[datetime], None] | None = None
) -> int:
    """Run the line to ``until`` on a clock that jumps to the next due time when idle. Returns the steps that did work."""
    moved = 0
    watched = looked = None
    while True:
        now = stepped.now()
        due = due_now(desk.database, now=now, profiles=desk.profiles)
        busy = sum(step(desk, now) for step, kinds in _STEPS if due & kinds)
        if busy:
            moved += busy
            continue
        if watched is None or now - watched >= WATCH_EVERY:
            watch.watch_over(desk, now)
            crisis.look_for_crises(desk, now)
            if looked is None or now - looked >= LOOK_EVERY:
                watch.look_around(desk, now)
                looked = now
            watched = now
            continue  # what was raised is told of before time goes on
        if digest.plan_due(desk, now):
            continue
        if now >= until:
            return moved
        following = filter(None, (next_due(desk.database, after=now), digest.next_due(desk, after=now)))
        target = min(until, *following)
        if before_jump is not None:
            before_jump(target)
        stepped.advance_to(target)


#: Which step has something to do when these are due.
_STEPS: tuple[tuple[Step, frozenset[Claimed]], ...] = (
    (line.take_in, frozenset({Claimed.PROFILE})),
    (line.work_through, frozenset({Claimed.POST})),
    (line.send_out, frozenset({Claimed.DOUBTFUL, Claimed.REPLY})),
    (ringing.ring, frozenset({Claimed.ALERT, Claimed.NOTIFICATION})),
)
