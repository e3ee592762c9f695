"""Another machine answers everything that we say: it gets one answer, however long it goes on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from social.store.session import Database
from tests.reliability.networks import KINDS, town
from tests.story.telling import posts, replies

TURNS = 1000


@pytest.mark.parametrize("kind", [KINDS[0], *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])])
def test_a_war_of_a_thousand_turns_with_another_bot_costs_one_reply(
    kind: str, database: Database, tmp_path: Path
) -> None:
    """It does not say that it is one, and goes on day and night under whatever we wrote last."""
    with town(kind, database, tmp_path) as place:
        first = last = place.customer_says("BEEP. Please advise.", author="beeper")
        place.run(minutes=45)
        assert len(place.published()) == 1
        for turn in range(TURNS):
            place.stage.pass_time(seconds=10)
            ours = place.published()
            under = ours[-1].sequence if ours and turn % 2 else last.sequence
            last = place.customer_says(f"BEEP. Re: {turn}", author="beeper", parent=under)
            if turn % 50 == 49:
                place.run(minutes=30)
        place.run(hours=1)

        assert len(place.published()) == 1
        assert len(place.writes()) == 1
        said = [post for post in posts(database) if not post.ours]
        assert len(said) == TURNS + 1
        assert len({post.native_id for post in said}) == TURNS + 1
        assert [reply.state for reply in replies(database)].count("sent") == 1
        assert place.clock.now() - first.created_at > timedelta(hours=12)
