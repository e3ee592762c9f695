"""What a story looks at when it is over."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update

from social.clock import machine_now
from social.domain.post import FetchedPost
from social.domain.reply import SentBy
from social.engine.claims import Claimed
from social.engine.people import AnswerContext
from social.store.rows import c
from social.store.session import Database
from social.store.tables import AlertRow, EscalationRow, PostRow, ReplyRow
from tests.fakes import FAKE_RULES, FakeConnector

#: What a person's answer is checked against on the fake network.
NETWORK_RULES = AnswerContext(rules=FAKE_RULES, private_channel=False)


def cases(database: Database) -> list[EscalationRow]:
    with database.read() as session:
        found = list(session.execute(select(EscalationRow).order_by(c(EscalationRow).id)).scalars())
        session.expunge_all()
    return found


def case_of(database: Database) -> EscalationRow:
    """The only case there is."""
    (found,) = cases(database)
    return found


def the_case(database: Database) -> int:
    """Its number."""
    return case_of(database).id or 0


def replies(database: Database) -> list[ReplyRow]:
    with database.read() as session:
        found = list(session.execute(select(ReplyRow).order_by(c(ReplyRow).id)).scalars())
        session.expunge_all()
    return found


def posts(database: Database) -> list[PostRow]:
    with database.read() as session:
        found = list(session.execute(select(PostRow).order_by(c(PostRow).created_at)).scalars())
        session.expunge_all()
    return found


def leases_run_out(database: Database) -> None:
    """Machine time passes, as it does before a restarted daemon picks up what a killed one held."""
    with database.write() as session:
        for kind in Claimed:
            columns = c(kind.value.table)
            session.execute(
                update(kind.value.table)
                .where(columns.leased_until.is_not(None))
                .values(leased_until=machine_now() - timedelta(seconds=1))
            )


def alerts(database: Database) -> list[AlertRow]:
    with database.read() as session:
        found = list(session.execute(select(AlertRow).order_by(c(AlertRow).id)).scalars())
        session.expunge_all()
    return found


def robot_said(network: FakeConnector) -> list[FetchedPost]:
    """Public replies that went through the robot's hands, not the app."""
    robot = [written.text for written in network.written if written.sent_by is SentBy.ROBOT]
    return [reply for reply in network.public_replies if reply.text in robot]
