"""Two people and the robot at one thread in the same moment: the network that they crowd, the starting line, the judge."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Barrier, Event, RLock, Thread, local

from social.clock import SteppedClock
from social.domain.errors import Conflict
from social.domain.post import FetchedPost, Gone, PostRef
from social.domain.reply import Receipt, SentBy
from social.engine import deliver
from social.engine.claims import Claimed, claim
from social.engine.desk import Desk
from tests.fakes import FakeConnector

#: What, and for which reply (0: none of the desk's).
Happened = tuple[str, int]


class Crowded(FakeConnector):
    """A network that several threads use at once, and that remembers in which order things happened on each thread:
    ``look``, ``robot``, ``person`` (through the desk), each with the number of the reply that it was for, and ``app``."""

    def __init__(self, clock: SteppedClock, chance: random.Random) -> None:
        super().__init__(clock)
        self.chance, self.lock, self.lane = chance, RLock(), local()
        self.happened: dict[str, list[Happened]] = {}

    @contextmanager
    def asked_for(self, reply_id: int) -> Iterator[None]:
        """What the calling thread asks and writes in here is for this reply."""
        self.lane.reply_id = reply_id
        yield
        self.lane.reply_id = 0

    def note(self, root: str, what: str) -> None:
        self.happened.setdefault(root, []).append((what, getattr(self.lane, "reply_id", 0)))

    def thread(self, ref: PostRef) -> Sequence[FetchedPost]:
        with self.lock:
            self.note(ref.thread_root, "look")
            return super().thread(ref)

    def refresh(self, posts: Sequence[PostRef]) -> Mapping[str, FetchedPost | Gone]:
        with self.lock:
            return super().refresh(posts)

    def reply(self, ref: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
        Event().wait(self.chance.random() * 0.01)  # on its way
        with self.lock:
            self.note(ref.thread_root, sent_by.value)
            receipt = super().reply(ref, text, key=key, sent_by=sent_by)
        Event().wait(self.chance.random() * 0.01)  # and back
        return receipt

    def by_hand(self, asked: FetchedPost) -> None:
        with self.lock:
            assert self.clock is not None
            self.answers_by_hand(asked, "Już się tym zajmuję.", when=self.clock.now())
            self._surface()
            self.note(asked.thread_root, "app")


@dataclass
class Outcome:
    """What one race left, per thread: who was refused, and what they were told."""

    refused: list[str] = field(default_factory=list)
    broken: list[BaseException] = field(default_factory=list)


def race(*runners: Callable[[], object], chance: random.Random, robot_first: bool = False) -> Outcome:
    """Everybody starts at once, give or take a few milliseconds. ``robot_first``: the last two, who are people, up to half a
    second later: on a busy machine the robot would else never get as far as its text."""
    start, outcome = Barrier(len(runners)), Outcome()

    def run(runner: Callable[[], object], pause: float) -> None:
        start.wait()
        Event().wait(pause)
        try:
            runner()
        except Conflict as error:
            outcome.refused.append(str(error))
        except BaseException as error:  # noqa: BLE001 a thread's failure is told where the test can see it
            outcome.broken.append(error)

    people = range(len(runners) - 2, len(runners)) if robot_first else ()
    pauses = [chance.random() * (0.5 if place in people else 0.03) for place in range(len(runners))]
    threads = [Thread(target=run, args=pair) for pair in zip(runners, pauses, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return outcome


def send_all(desk: Desk, network: Crowded, now: datetime) -> None:
    """``line.send_out`` until nothing is due, taken apart so that the network knows which reply it is asked for."""
    while True:
        take = partial(claim, desk.database, now=now, limit=1, lease=desk.leases.reply, profiles=desk.profiles)
        if doubtful := take(Claimed.DOUBTFUL):
            deliver.settle_doubtful(desk, doubtful, now)
        elif claimed := take(Claimed.REPLY):
            with network.asked_for(claimed.ids[0]):
                deliver.send_one(desk, claimed, now)
        else:
            return


def check(happened: list[Happened], story: object = None) -> None:
    """One automatic text at most, never after a person's that could be seen; one person through the desk at most, and not
    after a colleague's in the app that could be seen."""
    what = [kind for kind, _ in happened]
    assert what.count("robot") <= 1, story
    assert what.count("person") <= 1, story
    assert what.count("person") + what.count("app") >= 1, story
    if "robot" in what and "person" in what:
        assert what.index("robot") < what.index("person"), story
    app = what.index("app") if "app" in what else len(what)
    for place, (kind, reply) in enumerate(happened):
        if kind in ("robot", "person"):
            looks = [at for at, before in enumerate(happened[:place]) if before == ("look", reply)]
            assert looks, story  # nobody writes on the strength of another one's look
            assert place < app or looks[-1] < app, story
