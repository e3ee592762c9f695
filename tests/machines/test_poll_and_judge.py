"""A poll holds its profile, then the customers it writes of: whoever judges them must not want it the other way round."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from social.clock import SteppedClock
from social.domain.assessment import Sentiment
from social.engine import line
from social.engine.claims import Claimed, claim, still_mine
from social.store import posts
from social.store.rows import c
from social.store.session import Database
from social.store.tables import PostRow, ProfileRow
from tests.cast import ANNA, at
from tests.engine.looking import eventually, profile_row, rows
from tests.factories import assessment, desk_for, post, profile, remembered
from tests.fakes import FakeClassifier, FakeConnector
from tests.machines.test_one_conversation import deadlocks

NOW = at("2026-11-20 10:00")
LONG = timedelta(minutes=10)


@pytest.mark.postgres
def test_a_complaint_is_recorded_while_a_poll_is_at_its_profile(machine: Callable[[], Database]) -> None:
    polling, judging, looking = machine(), machine(), machine()
    angry = FakeClassifier(assessment(sentiment=Sentiment.NEGATIVE))
    desk = desk_for(judging, SteppedClock(NOW), FakeConnector(), classifier=angry)
    desk.rings = False  # the look itself would only set its next time
    shop = profile(polling)
    complaint = post("Skandal!", when=NOW)
    remembered(polling, shop, complaint)
    with polling.write() as session:
        session.execute(update(ProfileRow).where(c(ProfileRow).id == shop.id).values(crisis_due_at=NOW + LONG))
    turn = claim(polling, Claimed.PROFILE, now=NOW, limit=1, lease=LONG, profiles=[shop.id])

    with ThreadPoolExecutor(1) as beside:
        with polling.write() as session:
            assert still_mine(session, turn)
            judged = beside.submit(line.work_through, desk, NOW)
            # less than what PostgreSQL lets a write stand idle
            eventually(
                lambda: [row.state for row in rows(looking, PostRow)] == ["judged"], seconds=50, what="the record"
            )
            renamed = replace(ANNA, display_name="Anna Nowa")
            again = post("I co?", when=NOW, by=renamed, native_id="again", thread_root=complaint.thread_root)
            assert posts.remember(session, shop, [again], now=NOW).new == 1
        assert judged.result(60) == 1

    assert profile_row(desk)["crisis_due_at"] == NOW
    assert deadlocks(looking) == 0
