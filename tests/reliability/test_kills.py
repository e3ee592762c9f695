"""Daemons are killed at every named point and at random, paused past their leases, and told to stop under load."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable
from datetime import timedelta

import pytest

from social.clock import machine_now, monotonic
from social.store import control
from social.store.session import Database
from social.store.tables import PostRow, ReplyRow
from tests.engine.looking import eventually, rows
from tests.reliability.checker import Run, violations
from tests.reliability.customers import NETWORKS, everything_ended
from tests.reliability.daemons import Place
from tests.reliability.public import PublicHistory
from tests.reliability.storm import LINE_POINTS, PAUSE_SECONDS, Storm

Open = Callable[..., Place]

#: 1,000 posts and 40 kills in all, shared among the two databases with one daemon and with two. Each of the four has a
#: quarter of the named points.
POSTS, KILLS = 250, 10
PAUSES = {1: 1, 2: 2}


@pytest.mark.parametrize("daemons", [1, 2])
def test_nothing_is_lost_and_nothing_said_twice_while_daemons_die(
    daemons: int, store_database: Database, open_place: Open, seed: int
) -> None:
    part = 2 * (store_database.dialect == "postgresql") + daemons - 1
    points = LINE_POINTS[part::4]
    place = open_place(store_database)
    storm = Storm(place, daemons=daemons, posts=POSTS, kills=KILLS, pauses=PAUSES[daemons], points=points, seed=seed)
    result = storm.run()
    print(result)

    assert result.violations == []
    assert result.kills == KILLS
    assert set(points) <= set(result.hit), f"not reached: {result.missed}"
    assert result.unknown <= result.kills
    assert result.posts >= POSTS * 0.9
    assert result.public >= POSTS / 2


def test_a_daemon_that_was_paused_before_the_wire_stays_silent_when_another_took_over(
    store_database: Database, open_place: Open
) -> None:
    """The intent is committed; then the process sleeps for longer than the intent's lease. Another one looks, finds nothing
    and sends. The first wakes up with its finger on the button."""
    place = open_place(store_database, only="facebook")
    paused = place.start("deliver.before-wire=stop")
    place.first_polls()
    asked = place.post(network="facebook", text="Gdzie jest moja paczka numer 10001?", author="k-1")
    eventually(lambda: paused.paused, what="the pause before the wire")

    place.start()
    eventually(lambda: state_of_replies(store_database) == ["sent"], what="the answer by the second daemon")
    paused.go_on()
    later = place.post(network="facebook", text="Gdzie jest moja paczka numer 10002?", author="k-2")
    eventually(lambda: state_of_replies(store_database) == ["sent", "sent"], what="another answer after that")
    eventually(lambda: "too late to send this now" in place.log.read_text() or len(said(place)) > 2, what="the waking")

    assert sorted(post.parent for post in said(place)) == sorted([asked["sequence"], later["sequence"]])
    since = place.now
    eventually(lambda: everything_ended(place, since), what="the end of everything")
    found = violations(Run(public=PublicHistory.of(place.networks), database=store_database, over_at=since))
    assert found == []


@pytest.mark.parametrize(
    ("point", "found"),
    [("deliver.after-intent", "surely absent on the network"), ("deliver.after-wire", "sent         lawenda-x")],
)
def test_a_reply_whose_sender_died_is_looked_up_and_then_said_once(
    point: str, found: str, store_database: Database, open_place: Open
) -> None:
    """No poll helps here: whoever comes after the death only answers, so that nothing but the look-up can tell."""
    place = open_place(store_database, only="twitter")
    killed = place.start(f"{point}=kill")
    place.first_polls()
    asked = place.post(network="twitter", text="Gdzie jest moja paczka numer 10001?", author="k-1")
    eventually(lambda: not killed.lives, what=f"the death at {point}")
    assert state_of_replies(store_database) == ["sending"]
    length = len(place.log.read_text(encoding="utf-8"))

    place.start(parts=("respond",))
    eventually(lambda: state_of_replies(store_database) == ["sent"], what="the look-up")
    # the log's line comes after the commit that the look-up waits for
    eventually(lambda: found in place.log.read_text(encoding="utf-8")[length:], what=f"the words: {found}")
    place.daemons[-1].kill()
    assert [post.parent for post in said(place)] == [asked["sequence"]]
    assert violations(Run(public=PublicHistory.of(place.networks), database=store_database)) == []


def state_of_replies(database: Database) -> list[str]:
    return [reply.state for reply in rows(database, ReplyRow)]


def said(place: Place) -> list[object]:
    return PublicHistory.of(place.networks).said


ROUNDS = 10
#: The promise is ten seconds; a machine that does a dozen other things may need more for one of them.
STOPS_WITHIN, AT_MOST = 10.0, 40.0


@pytest.mark.slow_on("postgresql")
def test_a_daemon_that_is_told_to_stop_under_load_leaves_nothing_half_said(
    store_database: Database, open_place: Open, seed: int
) -> None:
    dice, took = random.Random(seed), []
    place = open_place(store_database)
    place.start()
    place.first_polls()
    place.daemons[-1].kill()
    number = 10_000
    for _ in range(ROUNDS):
        daemon = place.start()
        for _ in range(12):
            number += 1
            place.post(network=dice.choice(NETWORKS), text=f"Gdzie jest paczka numer {number}?", author=f"k-{number}")
        count = len(rows(store_database, ReplyRow))
        eventually(lambda count=count: len(rows(store_database, ReplyRow)) > count, what="some work")
        pause = dice.uniform(0, 1.0)
        begun = monotonic()
        eventually(lambda begun=begun, pause=pause: monotonic() - begun > pause, what="a moment")
        with store_database.write() as session:  # this test lives in that world too, so the networks go on
            name, at = f"{socket.gethostname()}:{os.getpid()}", machine_now()
            control.beat(session, name=name, parts="", started_at=at, at=at + timedelta(minutes=1), model=None)
        begun = monotonic()
        assert daemon.end_in_order(AT_MOST) == 0
        took.append(monotonic() - begun)
        doubtful = place.log.read_text(encoding="utf-8").count("it will be looked up")
        assert state_of_replies(store_database).count("sending") <= doubtful
    assert sorted(took)[ROUNDS // 2] <= STOPS_WITHIN, took

    place.start()
    since = place.now
    eventually(lambda: everything_ended(place, since), seconds=PAUSE_SECONDS + 120, what="the end of everything")
    place.daemons[-1].kill()
    run = Run(public=PublicHistory.of(place.networks), database=store_database, logs=[place.log], over_at=since)
    assert violations(run) == []
    assert sum(not post.ours for post in rows(store_database, PostRow)) == ROUNDS * 12
