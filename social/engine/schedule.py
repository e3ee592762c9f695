"""APScheduler as the ticker and nothing more: it stores nothing, and every tick only claims what is due.

The stepped twin (self-test, tests, benchmarks) needs no scheduler: it runs the same steps and jumps to the next due time.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from social import clock
from social.clock import SteppedClock
from social.domain.errors import DyzurError
from social.engine import crisis, digest, line, ringing, upkeep, watch
from social.engine.claims import Claimed, due_now, next_due
from social.engine.desk import Desk
from social.store import control

log = logging.getLogger("social.daemon")

PARTS = ("poll", "triage", "respond")
TICK_SECONDS = 0.5
#: A tick works until nothing is due, but not longer than this, so that a stop is quick.
TICK_BUDGET_SECONDS = 4.0
#: The same complaint of a failing tick is logged this often.
REPEAT_SECONDS = 60.0

#: A part that fails, or hangs in one step, for so long is ill, and people are told.
FAILS_SECONDS, HANGS_SECONDS = 180.0, 900.0
#: How many messages may be on their way at once: a mail server that hangs must not hold up the others.
RINGING_LANES = 2

#: The stepped twins of the watch's five and the look's sixty machine seconds (world time).
WATCH_EVERY, LOOK_EVERY = timedelta(minutes=1), timedelta(minutes=10)

Step = Callable[[Desk, datetime], int]


class Daemon:
    """The three loops, ticking in threads of this process."""

    def __init__(self, desk: Desk, parts: Collection[str] = PARTS) -> None:
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        self.desk = desk
        self.parts = tuple(part for part in PARTS if part in parts)
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.started_at = clock.machine_now()
        self._complaints: dict[str, float] = {}
        self._failing: dict[str, tuple[float, str]] = {}  # since when, and why
        self._at_work: dict[str, float] = {}  # since when
        self._stopping = threading.Event()
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        lanes = max(1, min(4, len(desk.profiles)))
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(2 * lanes + RINGING_LANES + 9)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        if "poll" in self.parts:
            for lane in range(lanes):  # a network that hangs holds one lane, not the others
                self._tick(f"poll-{lane + 1}", line.take_in)
        if "triage" in self.parts:
            self._tick("triage", line.work_through)
        if "respond" in self.parts:
            for lane in range(lanes):
                self._tick(f"respond-{lane + 1}", line.send_out)
            self._tick("watch", watch.watch_over, seconds=5, once=True)
            self._tick("crisis", crisis.look_for_crises, seconds=5, once=True)
            self._tick("accesses", watch.ask_when_accesses_end, seconds=3600, once=True)
            self._tick("purge", upkeep.purge_some, seconds=1, once=True)  # one small step a second
            self._tick("backup", self._back_up, seconds=30, once=True)
            if desk.on_call is not None and desk.on_call.people:
                for lane in range(RINGING_LANES):
                    self._tick(f"ring-{lane + 1}", ringing.ring, seconds=1)
                self._tick("digest", digest.plan_due, seconds=5, once=True)
        self._tick("look", self._look, seconds=60, once=True)
        self._scheduler.add_job(self._beat, "interval", seconds=10, id="heartbeat", next_run_time=clock.machine_now())

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """Finish the current steps; what is not finished is picked up at the next start when its lease ends."""
        self._stopping.set()
        self._scheduler.shutdown(wait=True)
        try:
            with self.desk.database.write() as session:
                control.leave(session, self.name)
        except DyzurError as error:
            log.warning("the heartbeat could not be withdrawn: %s", error)

    def ills(self) -> dict[str, str]:
        """What of this daemon does not work for a while already, and why."""
        now = clock.monotonic()
        # copies: the ticks go on in their threads
        failing = {name: why for name, (since, why) in self._failing.copy().items() if now - since >= FAILS_SECONDS}
        return {**failing, **dict.fromkeys(self.hanging(), "it hangs")}

    def hanging(self) -> list[str]:
        """Parts that have been in one step for so long that it will not end by itself."""
        now = clock.monotonic()
        return [name for name, since in self._at_work.copy().items() if now - since >= HANGS_SECONDS]

    def _back_up(self, desk: Desk, now: datetime) -> int:
        return upkeep.back_up(desk, now, stop=self._stopping.is_set)

    def _look(self, desk: Desk, now: datetime) -> int:
        ills = self.ills()
        found = watch.look_around(desk, now, daemon=f"{socket.gethostname()} ({','.join(self.parts)})", ills=ills)
        if desk.on_call is not None and desk.on_call.ping is not None and not ills and not self._failing:
            try:
                desk.on_call.ping.send()
            except DyzurError as error:
                log.warning("%s", error)
        return found

    def _tick(self, name: str, step: Step, *, seconds: float = TICK_SECONDS, once: bool = False) -> None:
        def tick() -> None:
            end = clock.monotonic() + TICK_BUDGET_SECONDS
            try:
                while self._timed(name, step) and not once:
                    if self._stopping.is_set() or clock.monotonic() > end:
                        break
                self._complaints.pop(name, None)
                self._failing.pop(name, None)
            except DyzurError as error:
                self._complain(name, str(error))
                self._fails(name, str(error))
            except Exception as error:  # noqa: BLE001 one broken step must not stop the others; it is tried again
                # its name only: the text of a driver's error may quote a customer, and this goes into log and alert
                self._complain(name, type(error).__name__, trace=True)
                self._fails(name, type(error).__name__)

        self._scheduler.add_job(tick, "interval", seconds=seconds, id=name, next_run_time=clock.machine_now())

    def _timed(self, name: str, step: Step) -> int:
        self._at_work[name] = clock.monotonic()
        try:
            return step(self.desk, self.desk.now())
        finally:
            self._at_work.pop(name, None)

    def _fails(self, name: str, why: str) -> None:
        since, _ = self._failing.get(name, (clock.monotonic(), ""))
        self._failing[name] = (since, why)

    def _complain(self, name: str, message: str, *, trace: bool = False) -> None:
        last = self._complaints.get(name)
        if last is None or clock.monotonic() - last > REPEAT_SECONDS:
            self._complaints[name] = clock.monotonic()
            log.error("%s: %s", name, message, exc_info=trace)

    def _beat(self) -> None:
        try:
            watch.beat(self.desk, name=self.name, parts=",".join(self.parts), started_at=self.started_at)
        except DyzurError as error:
            self._complain("heartbeat", str(error))


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
