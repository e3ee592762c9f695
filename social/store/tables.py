"""The tables. Rows, not words: nothing outside ``social.store`` and ``social.engine.claims`` touches them.

No ``from __future__ import annotations`` here: SQLModel reads the annotations while the classes are made.
Claimable rows carry ``state, due_at`` (world time: when wanted), ``leased_until`` (machine time), ``token, attempts``.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, LargeBinary, MetaData, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from social.store.columns import JsonText, OutsideText, UtcDateTime

#: Named constraints, so that migrations can find them on both databases.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Table(SQLModel):
    """Base of all tables; ``metadata`` is what the migrations are made from."""

    metadata = MetaData(naming_convention=NAMING)


def _time(**options: Any) -> Any:
    return Field(sa_type=UtcDateTime, **options)


def _json(**options: Any) -> Any:
    return Field(sa_type=JsonText, **options)


def _outside(**options: Any) -> Any:
    return Field(sa_type=OutsideText, **options)


class Claimable(Table):
    """Columns of everything that a loop picks up."""

    state: str
    due_at: datetime | None = _time(default=None)
    leased_until: datetime | None = _time(default=None)
    token: str | None = None
    attempts: int = 0


def _active(table: str, states: str) -> Index:
    """The partial index that claims read: only rows that can still be wanted."""
    condition = text(f"state IN ({states})")
    return Index(f"ix_{table}_active", "due_at", sqlite_where=condition, postgresql_where=condition)


def _urgent(table: str, states: str) -> Index:
    """The same for claims that take the urgent ones first. ``id`` last: the order of the claim, so that nothing is sorted."""
    condition = text(f"state IN ({states})")
    columns = ("priority", "due_at", "id")
    return Index(f"ix_{table}_urgent", *columns, sqlite_where=condition, postgresql_where=condition)


def _one_incident(kind: str, column: str) -> Index:
    """At most one incident of ``kind`` at a time, however many daemons look."""
    condition = text(f"kind = '{kind}' AND state <> 'ended'")
    return Index(f"uq_incident_one_{kind}", column, unique=True, sqlite_where=condition, postgresql_where=condition)


class BrandRow(Table, table=True):
    __tablename__ = "brand"
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)


class UserRow(Table, table=True):
    """People who act, on the command line (``--as NAME``) or at the desk. Without a password hash nobody can sign in."""

    __tablename__ = "user"
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    role: str = "agent"
    created_at: datetime = _time()
    password_hash: str | None = None  # argon2
    language: str | None = None
    disabled_at: datetime | None = _time(default=None)
    failed_sign_ins: int = 0
    locked_until: datetime | None = _time(default=None)  # machine time


class InvitationRow(Table, table=True):
    """A one-time link with which somebody chooses a name and a password. Only the link's hash is kept."""

    __tablename__ = "invitation"
    id: int | None = Field(default=None, primary_key=True)
    token_hash: str = Field(unique=True)
    role: str
    user_id: int | None = Field(default=None, foreign_key="user.id")  # a new password for somebody known
    created_at: datetime = _time()
    expires_at: datetime = _time()  # machine time
    used_at: datetime | None = _time(default=None)


class WebSessionRow(Table, table=True):
    """Somebody signed in at the desk. Only the cookie's hash is kept; times are machine time."""

    __tablename__ = "web_session"
    id: int | None = Field(default=None, primary_key=True)
    token_hash: str = Field(unique=True)
    user_id: int = Field(foreign_key="user.id", index=True)
    created_at: datetime = _time()
    seen_at: datetime = _time()
    expires_at: datetime = _time()
    browser: str = ""


class PersonRow(Table, table=True):
    """Groups authors of several networks, only by consent."""

    __tablename__ = "person"
    id: int | None = Field(default=None, primary_key=True)
    created_at: datetime = _time()


class ProfileRow(Claimable, table=True):
    __tablename__ = "profile"
    __table_args__ = (_active("profile", "'active'"),)
    id: int | None = Field(default=None, primary_key=True)
    brand_id: int = Field(foreign_key="brand.id", index=True)
    name: str = Field(unique=True)
    network: str
    mode: str
    account_id: str | None = None
    account_handle: str | None = None
    cursor: Any = _json(default=None, nullable=True)
    first_polled_at: datetime | None = _time(default=None)
    last_polled_at: datetime | None = _time(default=None)
    refresh_due_at: datetime | None = _time(default=None)
    dry_run_since: datetime | None = _time(default=None)
    crisis_due_at: datetime | None = _time(default=None)  # when its volume of complaints is looked at again
    last_error: str | None = None
    last_error_at: datetime | None = _time(default=None)
    access_ends_at: datetime | None = _time(default=None)  # as the network said; None: it does not end, or was not told


class AuthorRow(Table, table=True):
    __tablename__ = "author"
    __table_args__ = (UniqueConstraint("network", "native_id"),)
    id: int | None = Field(default=None, primary_key=True)
    network: str
    native_id: str
    handle: str | None = _outside(default=None)
    display_name: str | None = _outside(default=None)
    is_bot: bool = False
    deleted: bool = False
    opted_out_at: datetime | None = _time(default=None)
    person_id: int | None = Field(default=None, foreign_key="person.id")


class ConversationRow(Table, table=True):
    """(profile, thread root, customer): the unit that a person takes and a cap applies to."""

    __tablename__ = "conversation"
    __table_args__ = (UniqueConstraint("profile_id", "thread_root", "author_id"),)
    id: int | None = Field(default=None, primary_key=True)
    brand_id: int = Field(foreign_key="brand.id")
    profile_id: int = Field(foreign_key="profile.id")
    author_id: int = Field(foreign_key="author.id", index=True)
    thread_root: str
    opened_at: datetime = _time()
    waiting_since: datetime | None = _time(default=None)
    last_customer_at: datetime = _time()
    last_automated_at: datetime | None = _time(default=None)
    handed_over_at: datetime | None = _time(default=None)
    silenced_at: datetime | None = _time(default=None)
    silence_reason: str | None = None
    person_answered_at: datetime | None = _time(default=None)
    looked_at: datetime | None = _time(default=None)  # when its thread was last read for answers by another client


class PostRow(Claimable, table=True):
    __tablename__ = "post"
    __table_args__ = (
        UniqueConstraint("network", "profile_id", "native_id"),
        _active("post", "'new', 'waiting'"),
        _urgent("post", "'new', 'waiting'"),
        Index("ix_post_conversation", "conversation_id", "created_at"),
        Index("ix_post_profile_created", "profile_id", "created_at"),
        # our own posts under posts that come in: without it every page would read all of the profile's
        Index(
            "ix_post_own_answers",
            "profile_id",
            "in_reply_to",
            sqlite_where=text("ours IS 1"),
            postgresql_where=text("ours IS TRUE"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    brand_id: int = Field(foreign_key="brand.id")
    profile_id: int = Field(foreign_key="profile.id")
    conversation_id: int = Field(foreign_key="conversation.id")
    author_id: int = Field(foreign_key="author.id", index=True)
    network: str
    native_id: str
    revision: str = ""
    revision_number: int = 1
    kind: str
    thread_root: str
    in_reply_to: str | None = None
    text: str = _outside()
    created_at: datetime = _time()
    edited_at: datetime | None = _time(default=None)
    received_at: datetime = _time()
    summoned: bool = False
    private: bool = False
    ours: bool = False
    history: bool = False
    after_gap: bool = False
    priority: int = 2  # ``Urgency.band`` of the quick look that the rules take when it comes in
    language_hint: str | None = None
    permalink: str | None = _outside(default=None)
    media: Any = _json(default=None, nullable=True)
    native: Any = _json(default=None, nullable=True)
    raw: Any = _json(default=None, nullable=True)
    deleted_at: datetime | None = _time(default=None)
    erased_at: datetime | None = _time(default=None)  # its words went after their time, or with their author
    outcome: str | None = None
    reason: str | None = None


class RevisionRow(Table, table=True):
    """What a post said before an edit."""

    __tablename__ = "post_revision"
    __table_args__ = (UniqueConstraint("post_id", "number"),)
    id: int | None = Field(default=None, primary_key=True)
    post_id: int = Field(foreign_key="post.id")
    number: int
    text: str = _outside()
    seen_at: datetime = _time()


class AssessmentRow(Table, table=True):
    __tablename__ = "assessment"
    __table_args__ = (UniqueConstraint("post_id", "revision_number"),)
    id: int | None = Field(default=None, primary_key=True)
    post_id: int = Field(foreign_key="post.id")
    revision_number: int
    made_at: datetime = _time()
    language: str
    sentiment: str
    sentiment_scores: Any = _json()
    urgency: str
    urgency_scores: Any = _json()
    needs_reply: bool
    flags: Any = _json()
    topics: Any = _json()
    abstained: Any = _json()
    reasons: Any = _json()
    truncated: bool = False
    model_id: str
    model_version: str
    vector: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))


class DecisionRow(Table, table=True):
    __tablename__ = "decision"
    __table_args__ = (Index("ix_decision_post_id", "post_id"),)
    id: int | None = Field(default=None, primary_key=True)
    post_id: int = Field(foreign_key="post.id")
    revision_number: int
    made_at: datetime = _time()
    rule: str
    reason: str
    policy_version: str
    outcome: str
    urgency: str
    detail: Any = _json()


class ReplyRow(Claimable, table=True):
    """The outbox. A text is chosen once, stored here, and sent byte-identical."""

    __tablename__ = "reply"
    __table_args__ = (
        _active("reply", "'planned', 'sending'"),
        _urgent("reply", "'planned'"),
        Index(  # what its time passed for, however many wait before it
            "ix_reply_expiring",
            "not_after",
            sqlite_where=text("state = 'planned'"),
            postgresql_where=text("state = 'planned'"),
        ),
        Index(
            "uq_reply_one_active_of_a_kind",
            "conversation_id",
            "kind",
            unique=True,
            sqlite_where=text("sent_by = 'robot' AND state IN ('planned', 'sending')"),
            postgresql_where=text("sent_by = 'robot' AND state IN ('planned', 'sending')"),
        ),
        Index("ix_reply_conversation_id", "conversation_id"),
        Index("ix_reply_profile_sent", "profile_id", "sent_at"),
        Index("ix_reply_profile_intended", "profile_id", "intended_at"),  # what went out in the running hour
        Index("ix_reply_profile_newest", "profile_id", "id"),  # which variants were used last
        # which of our replies an own post on the network is: by its address alone SQLite would read all of the profile's
        Index("ix_reply_profile_external", "profile_id", "external_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    brand_id: int = Field(foreign_key="brand.id")
    profile_id: int = Field(foreign_key="profile.id")
    conversation_id: int = Field(foreign_key="conversation.id")
    post_id: int = Field(foreign_key="post.id", index=True)
    author_id: int = Field(foreign_key="author.id", index=True)
    kind: str
    sent_by: str
    user_id: int | None = Field(default=None, foreign_key="user.id")
    text: str = _outside()
    language: str
    variant: str
    facts: Any = _json()
    key: str = Field(unique=True)
    priority: int = 2  # ``Urgency.band`` of the decision; a person's answer comes first
    not_after: datetime | None = _time(default=None)
    created_at: datetime = _time()
    intended_at: datetime | None = _time(default=None)
    prior_automated_at: datetime | None = _time(default=None)
    sent_at: datetime | None = _time(default=None)
    external_id: str | None = None
    permalink: str | None = _outside(default=None)
    reason: str | None = None


class EscalationRow(Claimable, table=True):
    """The queue's case: at most one open or taken one a conversation."""

    __tablename__ = "escalation"
    __table_args__ = (
        _active("escalation", "'open', 'taken'"),
        Index(
            "uq_escalation_one_waiting",
            "conversation_id",
            unique=True,
            sqlite_where=text("state IN ('open', 'taken')"),
            postgresql_where=text("state IN ('open', 'taken')"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    brand_id: int = Field(foreign_key="brand.id")
    profile_id: int = Field(foreign_key="profile.id")
    conversation_id: int = Field(foreign_key="conversation.id", index=True)
    post_id: int = Field(foreign_key="post.id")
    urgency: str
    urgency_rank: int
    rule: str
    reason: str
    formal: bool = False
    opened_at: datetime = _time()
    waiting_since: datetime = _time()
    deadline_at: datetime | None = _time(default=None)
    taken_by: int | None = Field(default=None, foreign_key="user.id")
    taken_at: datetime | None = _time(default=None)
    draft_until: datetime | None = _time(default=None)  # machine time: somebody is writing an answer just now
    answered_at: datetime | None = _time(default=None)
    answered_natively: bool = False
    closed_at: datetime | None = _time(default=None)
    close_reason: str | None = None
    note: str | None = None
    incident_id: int | None = Field(default=None, foreign_key="incident.id", index=True)


class NoteRow(Table, table=True):
    """What people write to each other about a conversation. It never leaves the desk."""

    __tablename__ = "note"
    id: int | None = Field(default=None, primary_key=True)
    conversation_id: int = Field(foreign_key="conversation.id", index=True)
    user_id: int = Field(foreign_key="user.id")
    text: str = _outside()
    made_at: datetime = _time()


class LabelRow(Table, table=True):
    """A person's correction of a judgement. ``network`` stays beside it: what came from some networks never trains."""

    __tablename__ = "label"
    __table_args__ = (Index("ix_label_post_id", "post_id"),)
    id: int | None = Field(default=None, primary_key=True)
    post_id: int = Field(foreign_key="post.id")
    revision_number: int
    network: str
    user_id: int = Field(foreign_key="user.id")
    head: str  # sentiment or urgency
    value: str
    was: str
    made_at: datetime = _time()


class LabellingRow(Table, table=True):
    """What one person said of one post in a round of labelling; until ``made_at`` only that somebody is reading it.
    ``turn`` 1 is the first person's, 2 a second one's who does not see the first. Without ``may_teach`` no training set
    holds it."""

    __tablename__ = "labelling"
    __table_args__ = (UniqueConstraint("post_id", "revision_number", "turn"),)
    id: int | None = Field(default=None, primary_key=True)
    post_id: int = Field(foreign_key="post.id")
    revision_number: int
    turn: int
    network: str
    user_id: int = Field(foreign_key="user.id")
    picked: str
    may_teach: bool
    token: str
    leased_until: datetime = _time()  # machine time
    made_at: datetime | None = _time(default=None)
    sentiment: str | None = None
    urgency: str | None = None
    needs_reply: bool | None = None
    topics: Any = _json(default=None, nullable=True)
    flags: Any = _json(default=None, nullable=True)
    guess: Any = _json()  # what was judged then: labels and probabilities, without a word of the text
    model_id: str
    model_version: str


class IncidentRow(Table, table=True):
    """One cause behind many posts: an outage, a crisis on a profile. People are rung once for it."""

    __tablename__ = "incident"
    __table_args__ = (
        Index("ix_incident_state", "state", "profile_id"),
        _one_incident("crisis", "profile_id"),
        _one_incident("outage", "brand_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    brand_id: int = Field(foreign_key="brand.id")
    profile_id: int | None = Field(default=None, foreign_key="profile.id")
    kind: str
    state: str
    opened_at: datetime = _time()
    last_seen_at: datetime = _time()
    ended_at: datetime | None = _time(default=None)
    ended_by: str | None = None
    detail: Any = _json(default=None, nullable=True)


class StatementRow(Table, table=True):
    """What the robot would tell the customers of an incident once a person approved it; one a language."""

    __tablename__ = "statement"
    __table_args__ = (UniqueConstraint("incident_id", "language"),)
    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incident.id")
    language: str
    text: str = _outside()
    variant: str
    problem: str | None = None
    state: str
    made_at: datetime = _time()
    decided_at: datetime | None = _time(default=None)
    decided_by: int | None = Field(default=None, foreign_key="user.id")


class AlertRow(Claimable, table=True):
    """Somebody must be reached: ``raised`` (nobody told yet), ``told`` (the next person is told when ``due_at`` comes and
    nobody took it), ``over``. ``step`` counts the people who were told."""

    __tablename__ = "alert"
    __table_args__ = (_active("alert", "'raised', 'told'"), UniqueConstraint("kind", "subject"))
    id: int | None = Field(default=None, primary_key=True)
    urgency: str | None = None
    step: int = 0
    incident_id: int | None = Field(default=None, foreign_key="incident.id")
    brand_id: int | None = Field(default=None, foreign_key="brand.id")
    profile_id: int | None = Field(default=None, foreign_key="profile.id")
    escalation_id: int | None = Field(default=None, foreign_key="escalation.id")
    kind: str
    subject: str
    message: str
    raised_at: datetime = _time()


class NotificationRow(Claimable, table=True):
    """One message to one person: ``planned``, ``sent`` or ``failed``. ``key`` is unique, so that nobody is told the same
    twice; the words are erased once they are sent."""

    __tablename__ = "notification"
    __table_args__ = (_active("notification", "'planned'"),)
    id: int | None = Field(default=None, primary_key=True)
    alert_id: int | None = Field(default=None, foreign_key="alert.id", ondelete="SET NULL")
    kind: str
    recipient: str
    channel: str
    key: str = Field(unique=True)
    subject: str = _outside(default="")
    body: str = _outside(default="")
    created_at: datetime = _time()
    sent_at: datetime | None = _time(default=None)
    error: str | None = None


class BudgetRow(Table, table=True):
    """A limit of a network as last told, kept over restarts."""

    __tablename__ = "budget"
    __table_args__ = (UniqueConstraint("profile_id", "scope"),)
    id: int | None = Field(default=None, primary_key=True)
    profile_id: int = Field(foreign_key="profile.id")
    scope: str
    stops: str = ""
    remaining: int | None = None
    limit: int | None = None
    used_percent: float | None = None
    resets_at: datetime | None = _time(default=None)
    paused_until: datetime | None = _time(default=None)
    seen_at: datetime = _time()


class BackfillRow(Table, table=True):
    """How far a profile's own past was read back to ``since``."""

    __tablename__ = "backfill"
    __table_args__ = (UniqueConstraint("profile_id", "since"),)
    id: int | None = Field(default=None, primary_key=True)
    profile_id: int = Field(foreign_key="profile.id")
    since: datetime = _time()
    state: str  # reading, judging, done
    cursor: Any = _json(default=None, nullable=True)
    pages: int = 0
    read: int = 0
    kept: int = 0  # new to us
    known: int = 0
    later: int = 0  # newer than the last poll, which has yet to bring them
    unreadable: int = 0
    oldest_at: datetime | None = _time(default=None)  # of the posts read
    posts_after: int = 0  # the highest post's id when it began: what came in has a higher one
    made_at: datetime = _time()
    finished_at: datetime | None = _time(default=None)


class QuarantineRow(Table, table=True):
    __tablename__ = "quarantine"
    __table_args__ = (UniqueConstraint("profile_id", "fingerprint"),)
    id: int | None = Field(default=None, primary_key=True)
    profile_id: int = Field(foreign_key="profile.id", index=True)
    native_id: str | None = None
    fingerprint: str
    reason: str
    raw: str = _outside()
    seen_at: datetime = _time()


class EventRow(Table, table=True):
    """The audit log: who did what to what, append only."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_subject", "subject_kind", "subject_id"),)
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = _time()
    actor: str
    verb: str
    subject_kind: str
    subject_id: int | None = None
    detail: Any = _json(default=None, nullable=True)


class ForgottenRow(Table, table=True):
    """The tombstone of an author who was forgotten: enough to know them again, too little to tell who it was."""

    __tablename__ = "forgotten_author"
    __table_args__ = (UniqueConstraint("network", "digest"),)
    id: int | None = Field(default=None, primary_key=True)
    network: str
    digest: str  # of the account's number, marked where they were let in again: see social.store.tombstones
    handle_digest: str | None = None
    forgotten_at: datetime = _time()
    forgotten_by: str
    reason: str = _outside()
    left_out: int = 0  # how often something of theirs was met and not read in
    last_left_out_at: datetime | None = _time(default=None)


class ErasureSaltRow(Table, table=True):
    """One row, made with the first tombstone: what all digests of this database are keyed with."""

    __tablename__ = "erasure_salt"
    id: int = Field(default=1, primary_key=True)
    salt: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class ChoreRow(Table, table=True):
    """What some daemon does once a day, however many there are. ``progress``: how far today's got."""

    __tablename__ = "chore"
    name: str = Field(primary_key=True)
    due_at: datetime = _time()
    leased_until: datetime | None = _time(default=None)  # machine time
    token: str | None = None
    progress: Any = _json(default=None, nullable=True)
    done_at: datetime | None = _time(default=None)


class CredentialRow(Table, table=True):
    """What was refreshed at run time, encrypted."""

    __tablename__ = "credential"
    name: str = Field(primary_key=True)
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    saved_at: datetime = _time()


class ClockRow(Table, table=True):
    """One row: which clock this database lives by."""

    __tablename__ = "world_clock"
    id: int = Field(default=1, primary_key=True)
    mode: str
    machine: datetime | None = _time(default=None)
    world: datetime | None = _time(default=None)
    speed: float = 1.0
    latest: datetime | None = _time(default=None)


class ControlRow(Table, table=True):
    """One row: the global pause."""

    __tablename__ = "control"
    id: int = Field(default=1, primary_key=True)
    paused_at: datetime | None = _time(default=None)
    paused_by: str | None = None


class DaemonRow(Table, table=True):
    """A running daemon's heartbeat (machine time)."""

    __tablename__ = "daemon"
    name: str = Field(primary_key=True)
    parts: str
    started_at: datetime = _time()
    beat_at: datetime = _time()
    model: str | None = None
