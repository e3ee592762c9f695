"""Customers who write while daemons die: a share of everything that can happen to a post, from one seed."""

from __future__ import annotations

import re
import threading
from collections import Counter, deque
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import func, select

from connectors.simulated.library import load_library
from social.clock import monotonic
from social.store.rows import c
from social.store.tables import PostRow, ReplyRow
from tests.reliability.daemons import Place

NETWORKS = ("twitter", "facebook", "bluesky")
#: How many of a hundred, and their words. What a person or a stop word asks for goes other ways through the policy.
SHARES = {
    "question": (72, "Gdzie jest moja paczka numer {n}? Czekam od tygodnia."),
    "human": (9, "Chcę rozmawiać z człowiekiem w sprawie zamówienia {n}!"),
    "stop": (4, "Nie piszcie do mnie automatycznych wiadomości, sprawa {n}."),
    "danger": (5, "Po olejku {n} mam duszności i wysypkę, co robić?!"),
    "praise": (5, "Dziękuję!"),
    "shipped": (5, ""),
}
#: What those words look like, whatever their author added later.
WRITTEN_BY_A_CUSTOMER = re.compile(r"\b1\d{4}\b")
#: Words by which a post is urgent, or says stop, to everybody who can read. The simulator's own stops are whole posts.
URGENT = re.compile(re.escape(SHARES["danger"][1].partition("{n}")[0]))
STOPS = re.compile(
    "{}|^(?:@\\S+ )*(?:{})(?: @\\S+)*$".format(
        re.escape(SHARES["stop"][1].partition("{n}")[0]),
        "|".join(re.escape(text.text) for text in load_library().texts if text.role == "opt_out"),
    )
)
#: Roles of the simulator's own texts, with edits, deletions, answers in the app and robots in them.
SHIPPED = ("question", "complaint", "native_answered", "bot", "wants_human", "opt_out", "chatter")
#: What a network does now and then, one at a time: the first two after or instead of publishing.
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "drop-answer", "method": "POST"},
    {"kind": "status", "status": 502, "method": "POST"},
    {"kind": "drop-answer", "method": "GET"},
    {"kind": "reset"},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429, "reset": "valid", "reset_after": 60.0},
    {"kind": "html"},
    {"kind": "truncated"},
    {"kind": "latency", "seconds": 0.7},
)
#: So many posts may wait for the desk; more are not written before it has caught up.
PATIENCE = 60
TRICKLE_SECONDS = 0.4
#: What a desk that polls every half second has not read after so long was deleted before it could be.
UNSEEN_FOR_GOOD_SECONDS = 10.0


class Customers:
    """Writes ``count`` posts in a thread of its own, as fast as the desk keeps up and ``allowed`` says, so that there is
    something to do until the last daemon has died; a trickle goes on all the time."""

    def __init__(self, place: Place, *, count: int, seed: int, fault_every: int = 25) -> None:
        self.written = 0
        self.allowed = count
        self.faults: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()
        self.error: BaseException | None = None
        self._place, self._count, self._fault_every = place, count, fault_every
        self._dice = Random(f"{seed}/customers")
        self._recent: deque[dict[str, Any]] = deque(maxlen=40)
        self._said_stop: list[dict[str, Any]] = []
        self._stored, self._since, self._never_seen = 0, monotonic(), 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="customers")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def one_more(self) -> None:
        """A question beyond the ``count``, once they are ``done``."""
        self._place.post(
            network=self._dice.choice(NETWORKS), text=SHARES["question"][1].format(n=10_000 + self.written)
        )
        self.written += 1

    def _run(self) -> None:
        try:
            while self.written < self._count and not self._over.is_set():
                room = PATIENCE - self._waiting_for_the_desk()
                for _ in range(min(room, self._count - self.written, max(self.allowed - self.written, 1), 10)):
                    self._write_one()
                self._over.wait(0.1 if self.written < self.allowed else TRICKLE_SECONDS)
        except BaseException as error:  # noqa: BLE001 shown by whoever started this
            self.error = error

    def _waiting_for_the_desk(self) -> int:
        """Posts that are not stored, not judged, or whose reply is still to be sent."""
        stored, unfinished = stored_and_unfinished(self._place)
        if stored != self._stored:
            self._stored, self._since = stored, monotonic()
        elif monotonic() - self._since > UNSEEN_FOR_GOOD_SECONDS:
            self._never_seen = max(0, self.written - stored)
        return max(0, self.written - stored - self._never_seen) + unfinished

    def _write_one(self) -> None:
        what = self._dice.choices(list(SHARES), [share for share, _ in SHARES.values()])[0]
        n, network = self.written, self._dice.choice(NETWORKS)
        if what == "shipped":
            self._place.post(network=network, role=self._dice.choice(SHIPPED))
        else:
            text = SHARES[what][1].format(n=10_000 + n)
            self._recent.append(self._place.post(network=network, text=text, author=f"klient-{n}"))
            if what == "stop":
                self._said_stop.append(self._recent[-1])
        self.written += 1
        self.happened[what] += 1
        if self._dice.random() < 0.03 and self._said_stop:
            self._who_said_stop_asks_elsewhere(self._dice.choice(self._said_stop))
        if self._dice.random() < 0.15 and self._recent:
            self._something_follows(self._dice.choice(self._recent))
        if self.written % self._fault_every == 0:
            fault = self._dice.choice(FAULTS)
            self._place.networks.post("fault", network=self._dice.choice(NETWORKS), **fault)
            self.faults[f"{fault['kind']} {fault.get('status', '')}".strip()] += 1

    def _who_said_stop_asks_elsewhere(self, stop: dict[str, Any]) -> None:
        text = SHARES["question"][1].format(n=10_000 + self.written)
        self._place.post(network=stop["network"], text=text, author=stop["author"])
        self.written += 1
        self.happened["after a stop"] += 1

    def _something_follows(self, post: dict[str, Any]) -> None:
        """The customer writes again, perhaps in need, thinks better of it, or a colleague answers in the network's own app."""
        what = self._dice.choice(("again", "edit", "delete", "answer"))
        networks, sequence = self._place.networks, post["sequence"]
        try:
            if what == "again":
                words = ("I jeszcze jedno pytanie do sprawy {n}, pomożecie?", SHARES["danger"][1])
                again = self._dice.choice(words).format(n=10_000 + self.written)
                networks.post("post", network=post["network"], text=again, author=post["author"], parent=sequence)
                self.written += 1
            elif what == "edit":
                networks.post("edit", sequence=sequence, text=f"{post['text']} Proszę o odpowiedź.")
            elif what == "delete":
                networks.post("delete", sequence=sequence)
                self._recent.remove(post)
            else:
                networks.post("native-answer", parent=sequence, text="Dzień dobry, już sprawdzamy. Hanna")
        except OSError:
            return  # it was deleted before
        self.happened[what] += 1


def stored_and_unfinished(place: Place) -> tuple[int, int]:
    """Customers' posts in the store; and how many of them are not judged, plus replies still to be sent."""
    posts, replies = c(PostRow), c(ReplyRow)
    with place.database.read() as session:
        stored = session.execute(select(func.count()).where(posts.ours.is_(False))).scalar_one()
        new = session.execute(select(func.count()).where(posts.state == "new")).scalar_one()
        unsaid = session.execute(select(func.count()).where(replies.state.in_(("planned", "sending")))).scalar_one()
    return stored, new + unsaid


def everything_ended(place: Place, since: datetime) -> bool:
    """Every profile was read after ``since``, and nothing that came before is still under way."""
    from social.store.tables import ProfileRow

    posts, replies, profiles = c(PostRow), c(ReplyRow), c(ProfileRow)
    with place.database.read() as session:
        polled = session.execute(select(func.min(profiles.last_polled_at))).scalar()
        new = session.execute(select(func.count()).where(posts.state == "new", posts.created_at <= since)).scalar_one()
        unsaid = session.execute(
            select(func.count())
            .select_from(ReplyRow)
            .join(PostRow, posts.id == replies.post_id)
            .where(
                replies.state.in_(("planned", "sending")),
                posts.created_at <= since,
                replies.due_at <= since + timedelta(hours=1),
            )
        ).scalar_one()
    return polled is not None and polled > since and new == unsaid == 0
