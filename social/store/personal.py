"""Where this database holds what belongs to one author: the one table that drives the export of their data and its erasure.

Every table stands here once. ``HELD``: its rows can belong to an author; each of its columns says what becomes of it.
``ELSEWHERE``: its rows belong to nobody, or cannot be told apart; each of its text columns is named, with the reason. A test
walks through the schema and fails where a new table or column has no place here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlmodel import SQLModel

from social.store.rows import c, t
from social.store.tables import (
    AlertRow,
    AssessmentRow,
    AuthorRow,
    ConversationRow,
    DecisionRow,
    EscalationRow,
    EventRow,
    LabellingRow,
    LabelRow,
    NoteRow,
    NotificationRow,
    PersonRow,
    PostRow,
    ReplyRow,
    RevisionRow,
)


class Special(Enum):
    """What an erased column holds afterwards, where that is no fixed value."""

    ADDRESS = "a keyed digest of the address, so that threads still hang together"
    NOW = "the time of the erasure"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # one object a place, used as a key
class Held:
    """``whose(author_id)`` selects the ids of an author's rows. ``erased``: what its columns hold after an erasure; ``kept``:
    why the others stay. ``internal`` columns stay too and are no part of an export: the engine's own bookkeeping. With
    ``rows_go`` the rows are deleted; all their columns are exported. ``title`` is what the export calls them."""

    title: str
    model: type[SQLModel]
    whose: Callable[[int], Select[Any]]
    erased: Mapping[str, Any]
    kept: Mapping[str, str]
    internal: tuple[str, ...] = ()
    rows_go: bool = False

    @property
    def exported(self) -> tuple[str, ...]:
        return tuple(column.name for column in t(self.model).columns if column.name not in self.internal)


_LEASE = ("due_at", "leased_until", "token", "attempts")
_NUMBER = "a number of this database, which says nothing by itself"
_COUNT = "the reports count by it"
_WHEN = "when something happened, which the reports count by"
_STATE = "how far the work on it got"


def _why(**reasons: str) -> dict[str, str]:
    """reason -> columns (``"a b c"``), turned round."""
    told = {"number": _NUMBER, "count": _COUNT, "when": _WHEN, "state": _STATE}
    return {column: told[reason] for reason, columns in reasons.items() for column in columns.split()}


def _posts(author_id: int) -> Select[Any]:
    return select(c(PostRow).id).where(c(PostRow).author_id == author_id)


def _our_answers(author_id: int) -> Select[Any]:
    """Own posts under theirs: words that somebody wrote to this person, in the network's own app or here. They are found by
    their thread, since nothing leads from a post to what answers it."""
    own, theirs, threads = t(PostRow).alias("own"), t(PostRow).alias("theirs"), t(ConversationRow).alias("threads")
    thread = and_(threads.c.profile_id == theirs.c.profile_id, threads.c.thread_root == theirs.c.thread_root)
    answer = and_(own.c.conversation_id == threads.c.id, own.c.in_reply_to == theirs.c.native_id)
    found = theirs.join(threads, thread).join(own, answer)
    return select(own.c.id).distinct().select_from(found).where(theirs.c.author_id == author_id, own.c.ours)


def _conversations(author_id: int) -> Select[Any]:
    return select(c(ConversationRow).id).where(c(ConversationRow).author_id == author_id)


def _our_side(author_id: int) -> Select[Any]:
    """What our account's own posts under theirs are filed under, where the thread's address is theirs."""
    answers = select(c(PostRow).conversation_id).where(c(PostRow).id.in_(_our_answers(author_id)))
    begun = select(c(PostRow).native_id).where(c(PostRow).author_id == author_id)
    columns = c(ConversationRow)
    return select(columns.id).where(columns.id.in_(answers), columns.thread_root.in_(begun))


def _cases(author_id: int) -> Select[Any]:
    return select(c(EscalationRow).id).where(c(EscalationRow).conversation_id.in_(_conversations(author_id)))


def _replies(author_id: int) -> Select[Any]:
    return select(c(ReplyRow).id).where(c(ReplyRow).author_id == author_id)


def _alerts(author_id: int) -> Select[Any]:
    return select(c(AlertRow).id).where(c(AlertRow).escalation_id.in_(_cases(author_id)))


def _of_posts(model: type[SQLModel]) -> Callable[[int], Select[Any]]:
    return lambda author_id: select(c(model).id).where(
        or_(c(model).post_id.in_(_posts(author_id)), c(model).post_id.in_(_our_answers(author_id)))
    )


def _events(author_id: int) -> Select[Any]:
    columns = c(EventRow)
    of = {"post": _posts(author_id), "reply": _replies(author_id), "case": _cases(author_id)}
    about = [and_(columns.subject_kind == kind, columns.subject_id.in_(ids)) for kind, ids in of.items()]
    author = and_(columns.subject_kind == "author", columns.subject_id == author_id)
    return select(columns.id).where(or_(author, *about))


#: In the order in which they are exported. An author's own row comes first.
HELD: tuple[Held, ...] = (
    Held(
        title="author",
        model=AuthorRow,
        whose=lambda author_id: select(c(AuthorRow).id).where(c(AuthorRow).id == author_id),
        erased={"native_id": Special.ADDRESS, "handle": None, "display_name": None, "person_id": None},
        kept=_why(number="id", count="network is_bot deleted", when="opted_out_at"),
    ),
    Held(
        title="person",
        model=PersonRow,
        whose=lambda author_id: select(c(AuthorRow).person_id).where(
            c(AuthorRow).id == author_id, c(AuthorRow).person_id.is_not(None)
        ),
        erased={},
        kept=_why(number="id", when="created_at"),
    ),
    Held(
        title="conversations",
        model=ConversationRow,
        whose=_conversations,
        erased={"thread_root": Special.ADDRESS, "waiting_since": None, "silence_reason": None},
        kept=_why(
            number="id brand_id profile_id author_id",
            when="opened_at last_customer_at last_automated_at handed_over_at silenced_at person_answered_at looked_at",
        ),
    ),
    Held(
        title="our side of their threads",
        model=ConversationRow,
        whose=_our_side,
        erased={"thread_root": Special.ADDRESS},
        kept=_why(
            number="id brand_id profile_id author_id",
            when="opened_at waiting_since last_customer_at last_automated_at handed_over_at silenced_at silence_reason "
            "person_answered_at looked_at",
        ),
    ),
    Held(
        title="posts",
        model=PostRow,
        whose=_posts,
        erased={
            "native_id": Special.ADDRESS,
            "thread_root": Special.ADDRESS,
            "in_reply_to": Special.ADDRESS,
            "revision": "",
            "text": "",
            "permalink": None,
            "media": None,
            "native": None,
            "raw": None,
            "erased_at": Special.NOW,
        },
        kept=_why(
            number="id brand_id profile_id conversation_id author_id",
            count="network revision_number kind summoned private ours history after_gap language_hint outcome reason",
            when="created_at edited_at received_at deleted_at",
            state="state",
        ),
        internal=(*_LEASE, "priority"),
    ),
    Held(
        title="our answers in the network's own app",
        model=PostRow,
        whose=_our_answers,
        erased={
            "thread_root": Special.ADDRESS,
            "in_reply_to": Special.ADDRESS,
            "text": "",
            "permalink": None,
            "media": None,
            "native": None,
            "raw": None,
            "erased_at": Special.NOW,
        },
        kept={
            "native_id": "our own post's address: without it, it would be read in again",
            "revision": "which form of our own post that is",
            **_why(
                number="id brand_id profile_id conversation_id author_id",
                count="network revision_number kind summoned private ours history after_gap language_hint outcome reason",
                when="created_at edited_at received_at deleted_at",
                state="state",
            ),
        },
        internal=(*_LEASE, "priority"),
    ),
    Held(
        title="earlier forms of posts",
        model=RevisionRow,
        whose=_of_posts(RevisionRow),
        erased={},
        kept={},
        rows_go=True,
    ),
    Held(
        title="judgements",
        model=AssessmentRow,
        whose=_of_posts(AssessmentRow),
        erased={"vector": None, "reasons": []},
        kept=_why(
            number="id post_id",
            count="revision_number language sentiment sentiment_scores urgency urgency_scores needs_reply flags topics "
            "abstained truncated model_id model_version",
            when="made_at",
        ),
    ),
    Held(
        title="decisions",
        model=DecisionRow,
        whose=_of_posts(DecisionRow),
        erased={},
        kept=_why(
            number="id post_id",
            # reasons are sentences of the policy's own, without a customer's words
            count="revision_number rule reason policy_version outcome urgency detail",
            when="made_at",
        ),
    ),
    Held(
        title="corrections by people",
        model=LabelRow,
        whose=_of_posts(LabelRow),
        erased={},
        kept=_why(number="id post_id user_id", count="revision_number network head value was", when="made_at"),
    ),
    Held(
        title="labels by people",
        model=LabellingRow,
        whose=_of_posts(LabellingRow),
        # without its text a label teaches nothing and measures nothing
        erased={},
        kept={},
        rows_go=True,
    ),
    Held(
        title="replies to them",
        model=ReplyRow,
        whose=_replies,
        erased={"text": "", "facts": {}, "permalink": None, "reason": None},
        kept={
            "external_id": "our own post's address: without it, it would be taken for a stranger's answer",
            "key": "a digest; it keeps the same reply from being sent twice",
            **_why(
                number="id brand_id profile_id conversation_id post_id author_id user_id",
                count="kind sent_by language variant",
                when="not_after created_at intended_at prior_automated_at sent_at",
                state="state",
            ),
        },
        internal=(*_LEASE, "priority"),
    ),
    Held(
        title="cases",
        model=EscalationRow,
        whose=_cases,
        erased={"note": None, "close_reason": "their author was forgotten"},
        kept=_why(
            number="id brand_id profile_id conversation_id post_id taken_by incident_id",
            count="urgency urgency_rank rule reason formal answered_natively",
            when="opened_at waiting_since deadline_at taken_at draft_until answered_at closed_at",
            state="state",
        ),
        internal=_LEASE,
    ),
    Held(
        title="notes of our people",
        model=NoteRow,
        whose=lambda author_id: select(c(NoteRow).id).where(c(NoteRow).conversation_id.in_(_conversations(author_id))),
        erased={},
        kept={},
        rows_go=True,
    ),
    Held(
        title="alerts",
        model=AlertRow,
        whose=_alerts,
        erased={"message": ""},
        kept=_why(
            number="id incident_id brand_id profile_id escalation_id",
            count="urgency step kind subject",
            when="raised_at",
            state="state",
        ),
        internal=_LEASE,
    ),
    Held(
        title="messages to people on call",
        model=NotificationRow,
        whose=lambda author_id: select(c(NotificationRow).id).where(
            c(NotificationRow).alert_id.in_(_alerts(author_id))
        ),
        erased={"subject": "", "body": "", "error": None},
        kept={
            "recipient": "one of our own people",
            **_why(number="id alert_id key", count="kind channel", when="created_at sent_at", state="state"),
        },
        internal=_LEASE,
    ),
    Held(
        title="audit log",
        model=EventRow,
        whose=_events,
        erased={"detail": None},
        kept={
            "actor": "one of our own people, or the robot",
            "verb": "what was done, in the program's words",
            **_why(number="id subject_id", count="subject_kind", when="at"),
        },
    ),
)

#: Tables without rows of one author: why, and every column of theirs that holds text, with where it comes from.
ELSEWHERE: Mapping[str, tuple[str, frozenset[str]]] = {
    "brand": ("our own", frozenset({"name"})),
    "user": ("our own people", frozenset({"name", "role", "password_hash", "language"})),
    "invitation": ("our own people", frozenset({"token_hash", "role"})),
    "web_session": ("our own people", frozenset({"token_hash", "browser"})),
    "profile": (
        "our own accounts; the cursor may name the post that was read last, and an error repeat an address: both are searched",
        frozenset(
            {"state", "token", "name", "network", "mode", "account_id", "account_handle", "cursor", "last_error"}
        ),
    ),
    "incident": ("numbers and our own words", frozenset({"kind", "state", "ended_by", "detail"})),
    "statement": ("our own words to everybody", frozenset({"language", "text", "variant", "problem", "state"})),
    "budget": ("limits of the networks", frozenset({"scope", "stops"})),
    "backfill": ("how far we read; the cursor is searched", frozenset({"state", "cursor"})),
    "quarantine": (
        "what could not be read, so nobody knows whose it is: searched, and gone after [retention] raw_answers",
        frozenset({"native_id", "fingerprint", "reason", "raw"}),
    ),
    "forgotten_author": (
        "the tombstone itself",
        frozenset({"network", "digest", "handle_digest", "forgotten_by", "reason"}),
    ),
    "erasure_salt": ("random", frozenset({"salt"})),
    "chore": ("numbers", frozenset({"name", "token", "progress"})),
    "credential": ("our own, encrypted", frozenset({"name", "sealed"})),
    "world_clock": ("the clock", frozenset({"mode"})),
    "control": ("our own people", frozenset({"paused_by"})),
    "daemon": ("our own machines", frozenset({"name", "parts", "model"})),
}
