"""The history checker: what the public could read, the database and the audit log, held against eight invariants.

I1  every post that a network showed to the shop is stored exactly once
I2  nothing was said twice: one automatic text a post, and one a customer and thread in 24 hours (a hand-over besides)
I3  every post ends as answered, escalated, ignored with a reason, or waiting; every reply as what it really became
I4  an urgent post is acknowledged or in front of people within the hour, or an alert says why not
I5  no cursor passed a post that is not stored
I6  nothing automatic after a stop, a deletion or a person's answer
I7  the database is sound, and nothing in it points nowhere
I8  no secret and no customer's words in a log

Shares no code with the desk but its tables. ``violations`` gives one line for each breach: invariant, post, what is wrong.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from sqlalchemy import select, text

from social.domain.assessment import TextToAssess
from social.ports import Classifier
from social.store.mapping import assessment_values
from social.store.session import Database
from social.store.tables import (
    AlertRow,
    AssessmentRow,
    AuthorRow,
    DecisionRow,
    EscalationRow,
    EventRow,
    PostRow,
    ProfileRow,
    QuarantineRow,
    ReplyRow,
    Table,
)
from tests.engine.looking import rows
from tests.reliability.logs import leaks
from tests.reliability.public import PublicHistory, PublicPost

HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
HAND_OVER, ROBOT = "hand-over", "robot"
_LABELS = ("language", "sentiment", "urgency", "needs_reply", "flags", "abstained")
_PERHAPS_PUBLIC = ("sent", "sending", "unknown")


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run left behind. ``over_at``: whatever is older (world time) had the time to come to its end; ``None``: the run
    was cut off, nothing needs to have ended.

    ``within``: the customer's hour of I4. ``in_flight``: world time between the last look at a thread and the wire, in
    which nobody can know what happens. ``vanishes``: a post deleted so soon may never have been shown to anybody; nor one that
    was deleted before the networks were asked so many ``looks``: nobody polls while dead, and a poll may die with its page.
    """

    public: PublicHistory
    database: Database
    logs: Sequence[Path] = ()
    secrets: Sequence[str] = ()
    over_at: datetime | None = None
    within: timedelta = HOUR
    in_flight: timedelta = timedelta(minutes=5)
    vanishes: timedelta = timedelta(minutes=10)
    looks: int = 3


@dataclass(frozen=True, slots=True)
class Violation:
    invariant: str
    subject: object
    what: str

    def __str__(self) -> str:
        return f"{self.invariant}  {self.subject}: {self.what}"


def violations(run: Run) -> list[str]:
    """Every breach of an invariant, as a line; nothing where all hold."""
    facts = _Facts(run)
    checks = (facts.stored_once, facts.said_once, facts.ends_somewhere, facts.in_time, facts.no_cursor_runs_ahead)
    checks += (facts.silent_where_told, facts.sound, facts.logs_tell_nothing)
    return [str(found) for check in checks for found in check()]


def labels_differ(database: Database, judge: Classifier, *, only: re.Pattern[str]) -> list[str]:
    """Posts whose words match ``only`` and whose judgement is not the one that an undisturbed pass gives."""
    posts = [
        post for post in rows(database, PostRow) if not post.ours and only.search(post.text) and not post.edited_at
    ]
    judged = {(row.post_id, row.revision_number): row for row in rows(database, AssessmentRow)}
    fresh = judge.assess([TextToAssess(text=post.text, context_language="pl") for post in posts])
    found = []
    for post, assessment in zip(posts, fresh, strict=True):
        row, values = judged.get((post.id, post.revision_number)), assessment_values(assessment)
        differ = [name for name in _LABELS if row is not None and getattr(row, name) != values[name]]
        if differ:
            found.append(str(Violation("K2", f"post row {post.id}", f"was judged otherwise: {', '.join(differ)}")))
    return found


@dataclass
class _Facts:
    run: Run
    posts: list[PostRow] = field(init=False)
    replies: list[ReplyRow] = field(init=False)

    def __post_init__(self) -> None:
        database, self.public = self.run.database, self.run.public
        self.posts = [post for post in rows(database, PostRow) if not post.ours]
        self.replies = rows(database, ReplyRow)
        self.profiles = {profile.id: profile for profile in rows(database, ProfileRow)}
        self.authors = {author.id: author for author in rows(database, AuthorRow)}
        self.cases = rows(database, EscalationRow)
        self.events = rows(database, EventRow)
        self.alerts = rows(database, AlertRow)
        self.aside = {row.native_id for row in rows(database, QuarantineRow)}
        self.judged = {(row.post_id, row.revision_number): row for row in rows(database, AssessmentRow)}
        self.decided = {(row.post_id, row.revision_number): row for row in rows(database, DecisionRow)}
        self.by_id = {post.id: post for post in self.posts}
        self.stored: dict[tuple[str, str], list[PostRow]] = defaultdict(list)
        for post in self.posts:
            self.stored[post.network, post.native_id].append(post)
        self.replies_to: dict[int, list[ReplyRow]] = defaultdict(list)
        for reply in self.replies:
            self.replies_to[reply.post_id].append(reply)
        self.cases_of: dict[int, list[EscalationRow]] = defaultdict(list)
        for case in self.cases:
            self.cases_of[case.conversation_id].append(case)
        self.written = {id_: reply for reply in self.replies for id_ in self._public_ids(reply)}

    def _public_ids(self, reply: ReplyRow) -> Iterator[int]:
        """The public posts that this row of the outbox accounts for: by the network's id, or, where the answer of the network
        is still missing, by its words."""
        asked = self.by_id.get(reply.post_id)
        if asked is None or reply.state not in _PERHAPS_PUBLIC:
            return
        for said in self._said_under.get((asked.network, asked.native_id), ()):
            by_words = reply.external_id is None and _words(said.text) == _words(reply.text)
            if said.native_id == reply.external_id or by_words:
                yield said.sequence

    @property
    def _said_under(self) -> dict[tuple[str, str], list[PublicPost]]:
        if not hasattr(self, "_under"):
            self._under: dict[tuple[str, str], list[PublicPost]] = defaultdict(list)
            for said in self.public.said:
                above = self.public.above(said)
                self._under[above.network, above.native_id].append(said)
        return self._under

    def _over(self, since: datetime) -> bool:
        return self.run.over_at is not None and since < self.run.over_at

    def _network_polled_until(self, network: str) -> datetime | None:
        polled = [row.last_polled_at for row in self.profiles.values() if row.network == network]
        return min((at for at in polled if at is not None), default=None)

    # --- I1, I5 -------------------------------------------------------------------------------------------------------

    def stored_once(self) -> Iterator[Violation]:
        for post in self.public.of_customers:
            count = len(self.stored[post.network, post.native_id])
            if count > 1:
                yield Violation("I1", post, f"is stored {count} times")
            elif count == 0 and self._over(post.created_at) and not self._excused(post):
                yield Violation("I1", post, f"of {post.created_at:%H:%M:%S} is not in the database")
        shown = {(post.network, post.native_id) for post in self.public.posts.values()}
        for post in self.posts:
            if (post.network, post.native_id) not in shown and not post.edited_at:
                yield Violation("I1", f"post row {post.id}", f"{post.native_id} was never published on {post.network}")

    def _excused(self, post: PublicPost) -> bool:
        if post.native_id in self.aside:
            return True
        if post.deleted_at is None:
            return False
        looks = self.public.looks_between(post.network, post.created_at, post.deleted_at)
        return post.deleted_at - post.created_at < self.run.vanishes or looks < self.run.looks

    def no_cursor_runs_ahead(self) -> Iterator[Violation]:
        for post in self.public.of_customers:
            until = self._network_polled_until(post.network)
            if until is None or post.created_at >= until or self._excused(post):
                continue
            if not self.stored[post.network, post.native_id]:
                yield Violation("I5", post, f"is not stored, and its profile counts as read until {until:%H:%M:%S}")

    # --- I2 -----------------------------------------------------------------------------------------------------------

    def said_once(self) -> Iterator[Violation]:
        for (network, root, author), said in self.public.by_conversation.items():
            yield from self._said_to_one(f"{network} thread {root}, {author}", said)
        for sequence in self.public.refused:
            yield Violation("I2", self.public.posts[sequence], "was sent a second time; only its network prevented it")
        accounts = Counter(reply.id for sequence, reply in self.written.items())
        for id_, count in accounts.items():
            if count > 1:
                yield Violation("I2", f"reply {id_}", f"stands {count} times in public")
        for said in self.public.said:
            if said.sequence not in self.written:
                yield Violation(
                    "I2", said, f"is public, and no reply of the database accounts for it{self._state(said)}"
                )

    def _said_to_one(self, subject: str, said: list[PublicPost]) -> Iterator[Violation]:
        for (parent, words), count in Counter((post.parent, _words(post.text)) for post in said).items():
            if count > 1:
                yield Violation("I2", f"{subject}, under post {parent}", f"{count} times {words[:40]!r}")
        robot = [post for post in said if self._by_robot(post)]
        plain = [post for post in robot if self._kind(post) != HAND_OVER]
        for earlier, later in pairwise(sorted(plain, key=lambda post: post.created_at)):
            if later.created_at - earlier.created_at < DAY:
                yield Violation("I2", later, f"is a second automatic text in a day, after post {earlier.sequence}")
        if len(robot) - len(plain) > 1:
            yield Violation("I2", subject, f"{len(robot) - len(plain)} hand-over confirmations")

    def _by_robot(self, said: PublicPost) -> bool:
        reply = self.written.get(said.sequence)
        return reply is None or reply.sent_by == ROBOT

    def _kind(self, said: PublicPost) -> str:
        reply = self.written.get(said.sequence)
        return "" if reply is None else reply.kind

    def _state(self, said: PublicPost) -> str:
        above = self.public.above(said)
        asked = self.stored.get((above.network, above.native_id), [])
        known = [f"reply {reply.id} is {reply.state}" for post in asked for reply in self.replies_to[post.id or 0]]
        return f" ({', '.join(known)})" if known else ""

    # --- I3 -----------------------------------------------------------------------------------------------------------

    def ends_somewhere(self) -> Iterator[Violation]:
        for post in self.posts:
            if post.deleted_at is None and (wrong := self._where_it_stands(post)):
                yield Violation("I3", f"post row {post.id}", wrong)
        sent = Counter(event.subject_id for event in self.events if event.verb == "sent")
        settled = {event.subject_id for event in self.events if event.verb == "settled as sent"}
        public = {reply.id for reply in self.written.values()}
        for reply in self.replies:
            for wrong in self._wrong_with(reply, sent[reply.id], reply.id in settled, reply.id in public):
                yield Violation("I3", f"reply {reply.id}", wrong)

    def _where_it_stands(self, post: PostRow) -> str:
        """Empty where it stands in exactly one of the four places."""
        if post.state == "new":
            return "was never judged" if self._over(post.created_at) else ""
        key = (post.id, post.revision_number)
        if post.state != "failed" and (key not in self.judged or key not in self.decided):
            return f"is {post.state} without an assessment or a decision"
        promised = self.decided[key].detail.get("reply") if key in self.decided else None
        if promised and not any(reply.kind == promised["kind"] for reply in self.replies_to[post.id or 0]):
            return f"was decided on an {promised['kind']}, and there is none"
        if post.outcome == "escalated":
            return "" if self.cases_of[post.conversation_id] else "is escalated, and its conversation has no case"
        if post.outcome == "ignored":
            return "" if post.reason else "is ignored without a reason"
        return f"ends nowhere ({post.state}, {post.outcome})"

    def _wrong_with(self, reply: ReplyRow, sent: int, settled: bool, public: bool) -> Iterator[str]:
        asked = self.by_id.get(reply.post_id)
        if asked is not None and self._over(asked.created_at) and (reply.state == "sending" or self._overdue(reply)):
            yield f"is still {reply.state}, due {reply.due_at:%H:%M:%S}"
        if reply.state == "unknown" and not self.cases_of[reply.conversation_id]:
            yield "is unknown, and no case tells people of it"
        if reply.state == "sent" and not public:
            yield "counts as sent, and nobody can read it"
        if (reply.state == "sent" and sent + settled != 1) or sent > 1:
            yield f"is {reply.state}, and the audit log tells {sent} times that it was sent"
        if reply.state != "sent" and sent:
            yield f"is {reply.state}, and the audit log tells that it was sent"

    def _overdue(self, reply: ReplyRow) -> bool:
        polled = self._network_polled_until(self.by_id[reply.post_id].network) if reply.post_id in self.by_id else None
        return reply.state == "planned" and polled is not None and reply.due_at is not None and reply.due_at < polled

    # --- I4 -----------------------------------------------------------------------------------------------------------

    def in_time(self) -> Iterator[Violation]:
        alerted = {alert.escalation_id for alert in self.alerts if alert.escalation_id is not None}
        for post in self.posts:
            judged = self.judged.get((post.id, post.revision_number))
            if (
                judged is None
                or judged.urgency not in ("critical", "high")
                or post.outcome != "escalated"
                or post.history
            ):
                continue
            cases = self.cases_of[post.conversation_id]
            seen = [case.opened_at for case in cases] + [r.sent_at for r in self.replies_to[post.id or 0] if r.sent_at]
            late = min(seen, default=None) is None or min(seen) - post.created_at > self.run.within
            if late and not any(case.id in alerted for case in cases):
                yield Violation(
                    "I4", f"post row {post.id}", f"is {judged.urgency}, nobody saw it within {self.run.within}"
                )

    # --- I6 -----------------------------------------------------------------------------------------------------------

    def silent_where_told(self) -> Iterator[Violation]:
        by_hand: dict[tuple[str, int, str], list[PublicPost]] = defaultdict(list)
        for post in (
            *self.public.by_people_in_the_app,
            *(said for said in self.public.said if not self._by_robot(said)),
        ):
            above = self.public.above(post)
            by_hand[post.network, above.root, above.author].append(post)
        for said in filter(self._by_robot, self.public.said):
            above, decided = self.public.above(said), said.created_at - self.run.in_flight
            if above.deleted_at is not None and above.deleted_at < decided:
                yield Violation("I6", said, f"answers post {above.sequence}, deleted at {above.deleted_at:%H:%M:%S}")
            for answer in by_hand[said.network, above.root, above.author]:
                if above.created_at <= answer.created_at < decided:
                    yield Violation("I6", said, f"came after a person's answer, post {answer.sequence}")
        for reply in self.replies:
            since = self.authors[reply.author_id].opted_out_at
            perhaps = reply.sent_by == ROBOT and reply.state in _PERHAPS_PUBLIC and reply.intended_at is not None
            if perhaps and since is not None and reply.intended_at > since + self.run.in_flight:
                yield Violation("I6", f"reply {reply.id}", "went to somebody who had said stop")

    # --- I7 -----------------------------------------------------------------------------------------------------------

    def sound(self) -> Iterator[Violation]:
        database = self.run.database
        with database.engine.connect() as connection:
            if database.dialect == "sqlite":
                told = [row[0] for row in connection.execute(text("PRAGMA integrity_check"))]
                if told != ["ok"]:
                    yield Violation("I7", "the database", "; ".join(map(str, told[:3])))
            for table in Table.metadata.sorted_tables:
                for key in table.foreign_keys:
                    other = key.column.table.alias()
                    there = other.c[key.column.name]
                    lost = connection.execute(
                        select(key.parent)
                        .select_from(table.outerjoin(other, key.parent == there))
                        .where(key.parent.is_not(None), there.is_(None))
                    ).scalars()
                    for value in lost:
                        yield Violation("I7", f"{table.name}.{key.parent.name}", f"{value} is no {other.element.name}")

    # --- I8 -----------------------------------------------------------------------------------------------------------

    def logs_tell_nothing(self) -> Iterator[Violation]:
        words = {str(post): post.text for post in self.public.posts.values() if not post.ours}
        for where, what in leaks(self.run.logs, secrets=self.run.secrets, words=words):
            yield Violation("I8", where, what)


def _words(said: str) -> str:
    """Without the mentions that a network wants before the words."""
    return " ".join(word for word in said.split() if not word.startswith("@"))
