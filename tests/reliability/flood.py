"""A hundred thousand posts in five minutes, on a network that keeps none of them in memory; and a desk that lives through
them. Run as a program it prints what happened as one line of JSON, its own memory included:

    python -m tests.reliability.flood DATABASE 5000
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from social.clock import SteppedClock
from social.domain.assessment import Assessment, TextToAssess, Urgency
from social.domain.post import Author, FetchedPost, Gone, PostKind, PostRef
from social.domain.reply import Receipt, SentBy
from social.engine.schedule import run_stepped
from social.ports import Cursor, Page
from social.store import queue
from social.store.rows import c
from social.store.session import Database
from social.store.tables import AlertRow, DecisionRow, EscalationRow, PostRow, ReplyRow
from tests.cast import BRAND, OFFICE, SHOP, at
from tests.factories import assessment, desk_for, post
from tests.fakes import FakeClassifier, FakeConnector
from triage.load import rules_only

BEGINS, LASTS = at("2026-11-20 10:00"), timedelta(minutes=5)
#: One post in so many is urgent: "I am writing for the third time" is known to the rules, and no matter for silence.
URGENT_ONE_IN = 100
URGENT, NORMAL = "Czekam na zwrot, już trzeci raz piszę!!!", "Gdzie jest moja paczka?"


class Flood(FakeConnector):
    """``count`` customers write within five minutes, each once. Every post is made when somebody asks for it."""

    def __init__(self, clock: SteppedClock, count: int) -> None:
        super().__init__(clock, page_size=100)
        self.count = count
        self.said: dict[str, FetchedPost] = {}

    def made(self, number: int) -> FetchedPost:
        urgent = number % URGENT_ONE_IN == URGENT_ONE_IN // 2
        return post(
            f"{URGENT if urgent else NORMAL} ({number})",
            when=BEGINS + LASTS * number / self.count,
            by=Author(native_id=f"a{number}", handle=f"kto{number}"),
            native_id=f"p{number}",
        )

    def fetch(self, cursor: Cursor | None) -> Page:
        assert self.clock is not None
        written = int((self.clock.now() - BEGINS) / LASTS * self.count) + 1
        shown = max(0, min(self.count, written))
        start = int(cursor["seen"]) if cursor else 0
        seen = min(start + self.page_size, shown)
        posts = tuple(self.made(number) for number in range(start, seen))
        return Page(posts=posts, cursor={"seen": seen}, more=seen < shown)

    def refresh(self, posts: Sequence[PostRef]) -> Mapping[str, FetchedPost | Gone]:
        return {ref.native_id: self.made(int(ref.native_id[1:])) for ref in posts}

    def thread(self, post: PostRef) -> Sequence[FetchedPost]:
        answer = self.said.get(post.native_id)
        return [self.made(int(post.native_id[1:])), *([answer] if answer else [])]

    def reply(self, post: PostRef, text: str, *, key: str, sent_by: SentBy) -> Receipt:
        assert self.clock is not None
        assert post.native_id not in self.said, "said twice"
        self.said[post.native_id] = FetchedPost(
            native_id=f"own-{len(self.said)}",
            author=SHOP,
            text=text,
            created_at=self.clock.now(),
            thread_root=post.thread_root,
            kind=PostKind.OWN,
            in_reply_to=post.native_id,
            ours=True,
        )
        return Receipt(native_id=self.said[post.native_id].native_id, published_at=self.clock.now())


class SureRules(FakeClassifier):
    """A model's sureness with the rules' urgency; keeps no text."""

    def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
        return [assessment(urgency=Urgency.HIGH if URGENT in item.text else Urgency.NORMAL) for item in texts]


def memory(field: str) -> int:
    """Of this process, in kB: ``VmRSS`` now, ``VmHWM`` at its highest."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def happened(database: Database, network: Flood) -> dict[str, Any]:
    """What a burst left behind, counted."""
    judged, posts, replies, cases = c(DecisionRow), c(PostRow), c(ReplyRow), c(EscalationRow)
    with database.read() as session:
        states = Counter(dict(session.execute(select(replies.state, func.count()).group_by(replies.state)).all()))
        order = [
            priority
            for (priority,) in session.execute(
                select(posts.priority).join(DecisionRow, judged.post_id == posts.id).order_by(judged.id)
            )
        ]
        noted = session.execute(
            select(func.count())
            .select_from(EscalationRow)
            .join(ReplyRow, replies.conversation_id == cases.conversation_id)
            .where(replies.state == "late", cases.state == "open", cases.note.like("%in time%"))
        ).scalar_one()
        alerts = [(row.kind, row.message) for row in session.execute(select(AlertRow)).scalars()]
        unjudged = session.execute(select(func.count()).where(posts.state == "new")).scalar_one()
        waits = session.execute(
            select(func.max(text("julianday(reply.sent_at) - julianday(post.created_at)")))
            .select_from(ReplyRow)
            .join(PostRow, posts.id == replies.post_id)
            .where(replies.state == "sent", posts.priority < Urgency.NORMAL.band)
        ).scalar()
        places = queue.in_order(session, now=BEGINS + timedelta(hours=2), calendars={BRAND: OFFICE})
        shown = queue.lines(session, places[:20])
    urgent = [place for place, priority in enumerate(order) if priority < Urgency.NORMAL.band]
    sent_to = [int(native_id[1:]) for native_id in network.said]
    return {
        "posts": len(order),
        "unjudged": unjudged,
        "states": states,
        "late_with_a_case": noted,
        "alerts": alerts,
        "urgent": len(urgent),
        "last_urgent_judged_at": max(urgent),
        "urgent_sent": sum(NORMAL not in network.made(number).text for number in sent_to),
        "urgent_sent_first": all(NORMAL not in network.made(number).text for number in sent_to[: len(urgent)]),
        "longest_urgent_wait_minutes": round((waits or 0) * 24 * 60, 1),
        "queue": [item.urgency for item in shown],
    }


def main(url: str, count: int) -> None:
    clock = SteppedClock(BEGINS - timedelta(minutes=5))
    database = Database(url)
    network = Flood(clock, count)
    desk = desk_for(database, clock, network, classifier=SureRules(), fallback=rules_only("the quick look"))
    run_stepped(desk, clock, until=BEGINS)  # all is loaded, nothing happens yet
    idle = memory("VmRSS")
    desk.profiles = {id_: replace(live, poll_every=timedelta(minutes=1)) for id_, live in desk.profiles.items()}
    run_stepped(desk, clock, until=BEGINS + timedelta(minutes=75))
    peak = memory("VmHWM")
    print(json.dumps({"idle_kb": idle, "peak_kb": peak, **happened(database, network)}))
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
