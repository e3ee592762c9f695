"""K2: whoever is killed between judging and writing it down is judged again, and the judgement is the same, whatever batch it
came in."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from social.clock import SteppedClock
from social.domain.assessment import Assessment, ModelIdentity, TextToAssess
from social.domain.post import Author
from social.engine import line
from social.store import schema
from social.store.session import Database
from social.store.tables import AssessmentRow, PostRow
from tests.cast import at
from tests.engine.looking import rows
from tests.factories import desk_for, post
from tests.fakes import FakeConnector, Killed
from tests.story.telling import leases_run_out
from triage.load import rules_only

TEXTS = (
    "Gdzie jest moja paczka?",
    "Aplikacja nie działa nikomu, nie mogę zapłacić",
    "Czekam na zwrot, już trzeci raz piszę!!!",
    "Dziękuję!",
    "Your kettle gave me a shock",
    "ok",
    "Składam reklamację, chcę rozmawiać z człowiekiem",
)


class Mortal:
    """The rules' judge, in a process that is killed after it has thought, now and then."""

    def __init__(self, chance: random.Random | None) -> None:
        self.judge, self.chance, self.killed = rules_only("no model here"), chance, 0

    @property
    def identity(self) -> ModelIdentity:
        return self.judge.identity

    def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
        found = self.judge.assess(texts)
        if self.chance is not None and self.chance.random() < 0.4:
            self.killed += 1
            raise Killed
        return found


def labels(database: Database, mortal: Mortal, batch: int) -> dict[str, tuple[Any, ...]]:
    """Every post's judgement, by its native id, once all are judged."""
    clock = SteppedClock(at("2026-11-20 10:00"))
    network = FakeConnector(clock)
    for number in range(140):
        text = f"{TEXTS[number % len(TEXTS)]} {number}"
        network.publishes(post(text, when=clock.now() - timedelta(seconds=number), by=Author(native_id=f"c{number}")))
    desk = desk_for(database, clock, network, classifier=mortal)
    desk.batch = batch
    while line.take_in(desk, clock.now()):
        pass
    for _ in range(400):
        try:
            if not line.work_through(desk, clock.now()):
                break
        except Killed:
            leases_run_out(database)
            desk = desk_for(database, clock, network, classifier=mortal)  # started anew
            desk.batch = batch
    names = {row.id: row.native_id for row in rows(database, PostRow)}
    assert {row.state for row in rows(database, PostRow)} == {"judged"}
    found = rows(database, AssessmentRow)
    assert len(found) == len(names) == 140  # each once
    return {
        names[row.post_id]: (
            row.language,
            row.sentiment,
            row.urgency,
            row.needs_reply,
            str(row.flags),
            str(row.reasons),
        )
        for row in found
    }


def test_labels_are_those_of_a_run_that_nobody_killed(store_database: Database, tmp_path: Path) -> None:
    mortal = Mortal(random.Random(3))
    again = labels(store_database, mortal, batch=11)
    assert mortal.killed >= 5
    untouched = Database(f"sqlite:///{tmp_path}/untouched.db")
    schema.upgrade(untouched, now=at("2026-11-01 08:00"))
    assert again == labels(untouched, Mortal(None), batch=200)
    untouched.close()
