"""The straight line: the whole story of one post, short enough to read aloud.

    fetch -> remember -> assess -> recall -> decide -> compose -> record -> deliver

Three loops, each of which may die anywhere and be run again: ``take_in`` (fetch, remember), ``work_through`` (assess to
record) and ``send_out`` (deliver). Each returns how many rows it moved; 0 means that nothing is due.
"""

from __future__ import annotations

from datetime import datetime

from social.engine import deliver, judge, late, poll
from social.engine.claims import Claimed, claim
from social.engine.desk import Desk


def take_in(desk: Desk, now: datetime) -> int:
    """Fetch what is new on one due profile and remember it, the cursor in the same transaction as the posts."""
    claimed = claim(desk.database, Claimed.PROFILE, now=now, limit=1, lease=desk.leases.poll, profiles=desk.profiles)
    return poll.fetch_and_remember(desk, claimed, now) if claimed else 0


def work_through(desk: Desk, now: datetime) -> int:
    """Assess a batch of posts in one encoder pass, recall, decide, compose, and record it all in one transaction."""
    claimed = claim(
        desk.database, Claimed.POST, now=now, limit=desk.batch, lease=desk.leases.triage, profiles=desk.profiles
    )
    return judge.assess_and_record(desk, claimed, now) if claimed else claimed.set_aside


def send_out(desk: Desk, now: datetime) -> int:
    """Look up what is doubtful, give up what is too late, then deliver one due reply, urgent ones first: the intent is
    committed before the wire."""
    doubtful = claim(desk.database, Claimed.DOUBTFUL, now=now, limit=1, lease=desk.leases.reply, profiles=desk.profiles)
    if doubtful:
        return deliver.settle_doubtful(desk, doubtful, now)
    if given_up := late.give_up_late(desk, now):
        return given_up
    if deliver.paused(desk):
        return 0
    claimed = claim(desk.database, Claimed.REPLY, now=now, limit=1, lease=desk.leases.reply, profiles=desk.profiles)
    return deliver.send_one(desk, claimed, now) if claimed else claimed.set_aside
