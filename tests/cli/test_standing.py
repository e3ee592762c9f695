"""What nobody may forget stands at every start and under every list."""

from __future__ import annotations

from social.cli.standing import standing
from social.domain.post import ProfileMode
from social.store import control, profiles
from social.store.session import Database
from social.store.tables import ReplyRow
from tests.cast import WARSAW, at
from tests.factories import planned, post, profile, remembered

NOW = at("2026-11-20 10:35")


def told(database: Database) -> list[str]:
    with database.read() as session:
        return list(standing(session, now=NOW, zone=WARSAW))


def test_a_desk_without_trouble_says_nothing(database: Database) -> None:
    profile(database)
    assert told(database) == []


def test_it_says_since_when_a_dry_run_lasts_and_how_many_went_unanswered(database: Database) -> None:
    shop = profile(database, "shop-page", mode=ProfileMode.DRY_RUN, now=at("2026-11-16 12:00"))
    reply_id = planned(database, remembered(database, shop, post(when=at("2026-11-20 10:00"))))
    with database.write() as session:
        row = session.get(ReplyRow, reply_id)
        assert row is not None
        row.state = "would-have-sent"
        session.add(row)
    (line,) = told(database)
    assert line.startswith("DRY-RUN on shop-page since Mon 16 Nov 12:00: customers get NO automatic answer; 1 would")
    assert "social go-live shop-page" in line


def test_it_says_which_profile_cannot_be_read_and_that_nothing_is_sent(database: Database) -> None:
    shop = profile(database, "shop-page")
    with database.write() as session:
        profiles.record_error(session, shop.id, "the token expired\x1b[31m", now=NOW)
        control.pause(session, by="anna", now=NOW)
    paused, broken = told(database)
    assert paused.startswith("Paused since Fri 20 Nov 10:35 by anna")
    assert broken == "shop-page cannot be read: the token expired\N{REPLACEMENT CHARACTER}[31m"
