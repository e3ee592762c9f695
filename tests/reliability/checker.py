"""The history checker: what the public could read, the database and the audit log, held against eight invariants.

I1  every post that a network showed to the shop is stored exactly once
I2  nothing was said twice: one automatic text a post, and one a customer and thread in 24 hours (a hand-over besides, but
    never on X)
I3  every post ends as answered, escalated, ignored with a reason, or waiting; every reply as what it really became
I4  an urgent post is acknowledged or in front of people within the hour, or an alert of what was in the way says why not
I5  no cursor passed a post that is not stored
I6  nothing automatic after a stop, a deletion or a person's answer
I7  the database is sound, and nothing in it points nowhere
I8  no secret and no customer's words in a log

Shares no code with the desk but its tables, and believes the public rather than the desk's own memory where both know: who
said stop, what is urgent by its words, who answered. ``violations`` gives one line for each breach: invariant, post, what is
wrong.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import filterfalse, pairwise
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
#: Networks that allow one automatic text in a conversation, ever: no hand-over is confirmed beside it.
ONE_TEXT_ONLY = frozenset({"twitter"})
_URGENT, _WAITING = ("critical", "high"), ("open", "taken")
#: Alerts that say why a post may not be seen in its hour; all others tell of something else, or of the post itself.
NOT_READ, NOT_WORKED_OFF, PART_IS_ILL = "connector", "behind", "daemon"
_LABELS = ("language", "sentiment", "urgency", "needs_reply", "flags", "abstained")
_PERHAPS_PUBLIC = ("sent", "sending", "unknown")
_NO_WORDS = re.compile(r"(?!)")


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run left behind. ``over_at``: whatever is older (world time) had the time to come to its end; ``None``: the run
    was cut off, nothing needs to have ended.

    ``within``: the customer's hour of I4. ``in_flight``: world time between the last look at a thread and the wire, in
    which nobody can know what happens. ``judging``: world time between a decision and its commit, the lease of a batch.
    ``vanishes``: a post deleted so soon may never have been shown to anybody; nor one that
    was deleted before the networks were asked so many ``looks``: nobody polls while dead, and a poll may die with its page.

    ``urgent`` and ``stops``: words by which a post is urgent, or says stop, whatever the desk made of it.
    """

    public: PublicHistory
    database: Database
    logs: Sequence[Path] = ()
    secrets: Sequence[str] = ()
    over_at: datetime | None = None
    within: timedelta = HOUR
    in_flight: timedelta = timedelta(minutes=5)
    judging: timedelta = timedelta(0)
    vanishes: timedelta = timedelta(minutes=10)
    looks: int = 3
    urgent: re.Pattern[str] = _NO_WORDS
    stops: re.Pattern[str] = _NO_WORDS


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
    """Posts whose words match ``only`` and whose judgement is not the one that an undisturbed pass gives, or that have none:
    an undisturbed pass judges everything. What is still ``new`` comes yet, and what was given up as ``failed`` is told to people
    as such; both are for I3."""
    posts = [
        post for post in rows(database, PostRow) if not post.ours and only.search(post.text) and not post.edited_at
    ]
    judged = {(row.post_id, row.revision_number): row for row in rows(database, AssessmentRow)}
    fresh = judge.assess([TextToAssess(text=post.text, context_language="pl") for post in posts])
    found = []
    for post, assessment in zip(posts, fresh, strict=True):
        row, values = judged.get((post.id, post.revision_number)), assessment_values(assessment)
        if row is None:
            if post.state not in ("new", "failed"):
                found.append(str(Violation("K2", f"post row {post.id}", f"is {post.state}, and was never judged")))
            continue
        differ = [name for name in _LABELS if getattr(row, name) != values[name]]
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
        self.shown = {(post.network, post.native_id): post for post in self.public.of_customers}
        self.stored: dict[tuple[str, str], list[PostRow]] = defaultdict(list)
        for post in self.posts:
            self.stored[post.network, post.native_id].append(post)
        self.replies_to: dict[int, list[ReplyRow]] = defaultdict(list)
        for reply in self.replies:
            self.replies_to[reply.post_id].append(reply)
        self.cases_of: dict[int, list[EscalationRow]] = defaultdict(list)
        conversation_of: dict[int, int] = {}
        for case in self.cases:
            self.cases_of[case.conversation_id].append(case)
            conversation_of[case.id or 0] = case.conversation_id
        self.shown_to_people: dict[int, set[datetime]] = defaultdict(set)  # by conversation: when its case came up
        for event in self.events:
            if event.subject_kind == "case" and event.verb in ("opened", "joined", "reopened"):
                self.shown_to_people[conversation_of.get(event.subject_id, 0)].add(event.at)
        self.decisions_on: dict[int, list[DecisionRow]] = defaultdict(list)
        for decision in rows(database, DecisionRow):
            self.decisions_on[decision.post_id].append(decision)
        # by post: what of it was judged urgent, the first revision first
        self.urgent: dict[int, list[AssessmentRow]] = defaultdict(list)
        for judgement in sorted(self.judged.values(), key=lambda row: row.revision_number):
            if judgement.urgency in _URGENT:
                self.urgent[judgement.post_id].append(judgement)
        self.written = {id_: reply for reply in self.replies for id_ in self._public_ids(reply)}
        self.by_hand: dict[tuple[str, int, str], list[PublicPost]] = defaultdict(list)
        for post in (*self.public.by_people_in_the_app, *filterfalse(self._by_robot, self.public.said)):
            above = self.public.above(post)
            self.by_hand[post.network, above.root, above.author].append(post)
        self.stops_of: dict[tuple[str, str], list[PublicPost]] = defaultdict(list)
        for post in self.public.of_customers:
            if self.run.stops.search(post.text):
                self.stops_of[post.network, post.author].append(post)

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
        robot = sorted(filter(self._by_robot, said), key=lambda post: post.created_at)
        for later in robot[1:] if robot and robot[0].network in ONE_TEXT_ONLY else ():
            yield Violation(
                "I2", later, f"is a second automatic text where one is allowed, after post {robot[0].sequence}"
            )
        plain = [post for post in robot if self._kind(post) != HAND_OVER]
        for earlier, later in pairwise(plain):
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
        if post.state == "new":  # some networks do not say when an edit was made: then it is of when the desk read it
            return "was never judged" if self._over(post.edited_at or post.created_at) else ""
        key = (post.id, post.revision_number)
        if post.state != "failed" and (key not in self.judged or key not in self.decided):
            return f"is {post.state} without an assessment or a decision"
        promised = self.decided[key].detail.get("reply") if key in self.decided else None
        if promised and not any(reply.kind == promised["kind"] for reply in self.replies_to[post.id or 0]):
            return f"was decided on an {promised['kind']}, and there is none"
        if post.outcome == "escalated":
            return self._not_in_a_case(post)
        if post.outcome == "ignored":
            return "" if post.reason else "is ignored without a reason"
        return f"ends nowhere ({post.state}, {post.outcome})"

    def _not_in_a_case(self, post: PostRow) -> str:
        """A case that ended before these words were written is not theirs."""
        cases, written = self.cases_of[post.conversation_id], post.edited_at or post.created_at
        if not cases:
            return "is escalated, and its conversation has no case"
        ends = [case.answered_at or case.closed_at for case in cases if case.state not in _WAITING]
        if len(ends) < len(cases) or any(end is not None and end >= written for end in ends):
            return ""
        return f"is escalated, and its case had ended before it was written at {written:%H:%M:%S}"

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
        for post in self.posts:
            public = self.shown.get((post.network, post.native_id))
            if public is None or post.profile_id not in self.profiles or self._for_nobody(post):
                continue
            urgency, since = self._urgent_since(post, public)
            if since is None:
                continue
            seen = self._seen_at(post, public, since)
            late = self._over(since) if seen is None else seen - since > self.run.within
            if late and not self._gone_in_time(public, since, seen) and not self._explained(post, since, seen):
                yield Violation("I4", f"post row {post.id}", f"is {urgency}, nobody saw it within {self.run.within}")

    def _for_nobody(self, post: PostRow) -> bool:
        """The network says that a machine wrote it, or it was there before the desk was."""
        first = self.profiles[post.profile_id].first_polled_at
        there_before = post.history and first is not None and post.created_at <= first
        return self.authors[post.author_id].is_bot or there_before

    def _urgent_since(self, post: PostRow, public: PublicPost) -> tuple[str, datetime | None]:
        """How urgent, and when it was written so: by its judgement, or by its words where the desk made nothing of them."""
        judged, written = self.urgent[post.id or 0], post.edited_at or post.created_at
        if judged:
            return judged[0].urgency, post.created_at if judged[0].revision_number == 1 else written
        return "urgent by its words", written if self.run.urgent.search(public.text) else None

    def _seen_at(self, post: PostRow, public: PublicPost, since: datetime) -> datetime | None:
        """When this post itself came up in a case: the decision and the case's entry in the audit log are one transaction, so
        an older case, or what another post brought up, does not count. Or when it was answered, by anybody."""
        in_a_case, decisions = self.shown_to_people[post.conversation_id], self.decisions_on[post.id or 0]
        escalated = {decision.made_at for decision in decisions if decision.outcome == "escalated"}
        seen = in_a_case if post.state == "failed" else in_a_case & escalated
        answered = [reply.sent_at for reply in self.replies_to[post.id or 0] if reply.sent_at is not None]
        by_hand = [answer.created_at for answer in self.by_hand[post.network, public.root, public.author]]
        return min((at for at in (*seen, *answered, *by_hand) if at >= since), default=None)

    def _gone_in_time(self, public: PublicPost, since: datetime, seen: datetime | None) -> bool:
        gone = public.deleted_at
        return gone is not None and gone - since <= self.run.within and (seen is None or gone < seen)

    def _explained(self, post: PostRow, since: datetime, seen: datetime | None) -> bool:
        """Does an alert say what was in the way? The post's own is none: it is raised when people see it. One of a network that
        is not read, or of more than can be worked off, is taken back once that is over. One of a daemon may outlive it, so it
        must be of the time in which the post waited."""
        profile = self.profiles[post.profile_id].name
        for alert in self.alerts:
            if seen is not None and alert.raised_at > seen:
                continue
            of_then = alert.kind == PART_IS_ILL and since - self.run.within <= alert.raised_at
            # by its subject: the network may be read, and something else of it not work
            if of_then or (alert.kind in (NOT_READ, NOT_WORKED_OFF) and alert.subject == profile):
                return True
        return False

    # --- I6 -----------------------------------------------------------------------------------------------------------

    def silent_where_told(self) -> Iterator[Violation]:
        for said in filter(self._by_robot, self.public.said):
            above, decided = self.public.above(said), said.created_at - self.run.in_flight
            if above.deleted_at is not None and above.deleted_at < decided:
                yield Violation("I6", said, f"answers post {above.sequence}, deleted at {above.deleted_at:%H:%M:%S}")
            for answer in self.by_hand[said.network, above.root, above.author]:
                if above.created_at <= answer.created_at < decided:
                    yield Violation("I6", said, f"came after a person's answer, post {answer.sequence}")
            for stop in self.stops_of[said.network, above.author]:
                # under the stop itself nothing is in flight: whoever judged it had read it
                heard = self._heard_at(stop)
                in_time = heard is not None and heard + self.run.judging < decided
                if (stop is above and stop.edited_at is None) or in_time:
                    who = f"went to {above.author}, who had said stop in post {stop.sequence}"
                    yield Violation("I6", said, f"{who} ({self._fate_of(stop)}); this is of {said.created_at:%H:%M:%S}")
        for reply in self.replies:
            since = self.authors[reply.author_id].opted_out_at
            perhaps = reply.sent_by == ROBOT and reply.state in _PERHAPS_PUBLIC and reply.intended_at is not None
            if perhaps and since is not None and reply.intended_at > since + self.run.in_flight:
                yield Violation("I6", f"reply {reply.id}", "went to somebody who had said stop")

    def _heard_at(self, stop: PublicPost) -> datetime | None:
        """When the desk had judged it, whatever it made of it; where it never did, an hour was enough. ``None``: its author took
        it back before anybody had to read it."""
        judged = self._judged_since(stop)
        if not judged and self._excused(stop):
            return None
        return min(judged, default=(stop.edited_at or stop.created_at) + HOUR)

    def _judged_since(self, stop: PublicPost) -> list[datetime]:
        said_at = stop.edited_at or stop.created_at
        stored = self.stored[stop.network, stop.native_id]
        judged = [decision.made_at for row in stored for decision in self.decisions_on[row.id or 0]]
        return [at for at in judged if at >= said_at]

    def _fate_of(self, stop: PublicPost) -> str:
        """When a stop was said, changed, taken back and judged: where to look when one was not heeded."""
        fate = [("said", stop.created_at), ("edited", stop.edited_at), ("deleted", stop.deleted_at)]
        for row in self.stored[stop.network, stop.native_id]:
            fate += [("noted as deleted", row.deleted_at)]
            fate += [(f"judged as {decision.rule}", decision.made_at) for decision in self.decisions_on[row.id or 0]]
        times = [f"{what} {at:%H:%M:%S}" for what, at in fate if at is not None]
        judged = self._judged_since(stop)
        return ", ".join(times if judged else [*times, "never judged"])

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
