"""What most bots do: publish, then write it down. It is here to be caught by the checker."""

from __future__ import annotations

import threading

from sqlalchemy import select

from social.cli.demo_secrets import ensure_demo_secrets
from social.domain.reply import SentBy
from social.engine import build, failpoints, line
from social.engine.desk import Desk, Leases
from social.ports import Classifier
from social.settings import Settings
from social.store.journal import ROBOT, note
from social.store.mapping import ref_from
from social.store.rows import c
from social.store.tables import AuthorRow, PostRow, ReplyRow


def run_naively(settings: Settings, judge: Classifier, leases: Leases) -> None:
    """The desk as it is, but for the sending."""
    failpoints.arm_from_environment()
    ensure_demo_secrets(settings)
    database = build.open_database(settings)
    world = build.open_clock(settings, database)
    desk = build.open_desk(settings, database, world, judge=(judge, judge), leases=leases)
    while True:
        # first of all, or the desk's own poll would find the texts in public and spoil the show
        if not _send_what_is_due(desk) + line.take_in(desk, desk.now()) + line.work_through(desk, desk.now()):
            threading.Event().wait(0.05)


def _send_what_is_due(desk: Desk) -> int:
    with desk.database.read() as session:
        due = select(ReplyRow, PostRow, AuthorRow).where(
            c(ReplyRow).state == "planned",
            c(ReplyRow).due_at <= desk.now(),
            c(PostRow).id == c(ReplyRow).post_id,
            c(AuthorRow).id == c(ReplyRow).author_id,
        )
        found = [(reply, ref_from(post, author.native_id)) for reply, post, author in session.execute(due)]
        session.expunge_all()
    for reply, ref in found:
        receipt = desk.profiles[reply.profile_id].connector.reply(ref, reply.text, key=reply.key, sent_by=SentBy.ROBOT)
        failpoints.reach("deliver.after-wire")
        with desk.database.write() as session:
            row = session.get(ReplyRow, reply.id)
            assert row is not None
            row.state, row.external_id, row.sent_at = "sent", receipt.native_id, desk.now()
            note(session, at=desk.now(), actor=ROBOT, verb="sent", subject="reply", subject_id=row.id)
    return len(found)
