"""Switching a profile on: what was rehearsed, or planned while it rehearsed, is never said."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from social.clock import SteppedClock
from social.domain.post import Author, ProfileMode
from social.domain.reply import SentBy
from social.engine import build
from social.settings import parse_settings
from social.store import profiles
from social.store.mapping import Profile
from social.store.session import Database
from social.store.tables import ProfileRow, ReplyRow
from tests.cast import ANNA, PIOTR, at
from tests.engine.looking import rows
from tests.factories import case, planned, post, remembered
from tests.fakes import FakeClassifier

NOW = at("2026-11-20 10:30")
SHOP = """
[triage]
backend = "rules"

[[brands]]
name = "Fikcja"
languages = ["pl"]
timezone = "Europe/Warsaw"
[brands.hours]
mon-fri = ["09:00-17:00"]

[[profiles]]
name = "page"
brand = "Fikcja"
connector = "facebook"
mode = "dry-run"
closed_notice = true
credential = "page"

[connectors.facebook]
base_url = "http://127.0.0.1:9/facebook"
"""


class Shop:
    """A database, and daemons and commands that open it by what config.toml says now."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database, self.home = database, home
        self.clock = SteppedClock(NOW)
        secret = home / "secrets" / "page.toml"
        secret.parent.mkdir()
        secret.write_text('access_token = "made-up-1"\napp_secret = "made-up-2"\n')
        secret.chmod(0o600)

    def opens(self, mode: ProfileMode, *, beside_the_daemon: bool = False) -> None:
        text = SHOP.replace('"dry-run"', f'"{mode.value}"')
        settings = parse_settings(text, source=None, home=self.home, environment={})
        judge = FakeClassifier()
        only = ["page"] if beside_the_daemon else None
        desk = build.open_desk(settings, self.database, self.clock, judge=(judge, judge), only=only)
        for live in desk.profiles.values():
            assert live.mode is mode
            live.connector.close()

    @property
    def profile(self) -> Profile:
        with self.database.read() as session:
            found = profiles.by_name(session, "page")
        assert found is not None
        return found

    def plans(self, by: Author = ANNA, *, sent_by: SentBy = SentBy.ROBOT) -> None:
        asked = remembered(self.database, self.profile, post(when=NOW, by=by))
        case(self.database, asked)
        planned(self.database, asked, sent_by=sent_by)

    @property
    def states(self) -> list[str]:
        return [row.state for row in rows(self.database, ReplyRow)]

    @property
    def mode(self) -> str:
        (row,) = rows(self.database, ProfileRow)
        return str(row.mode)


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Shop:
    return Shop(database, tmp_path)


def test_what_was_planned_in_dry_run_is_cancelled_at_the_first_start_in_earnest(shop: Shop) -> None:
    shop.opens(ProfileMode.DRY_RUN)
    shop.plans()
    shop.opens(ProfileMode.DRY_RUN)
    assert shop.states == ["planned"]  # a mere new start drops nothing

    shop.opens(ProfileMode.ACKNOWLEDGE)

    assert shop.states == ["cancelled"]
    shop.plans(by=PIOTR)
    shop.opens(ProfileMode.ACKNOWLEDGE)
    assert shop.states == ["cancelled", "planned"]


def test_a_command_beside_a_daemon_that_still_rehearses_does_not_let_its_later_plans_through(shop: Shop) -> None:
    shop.opens(ProfileMode.DRY_RUN)
    shop.plans()

    # the file says acknowledge now, but the daemon was not started again
    shop.opens(ProfileMode.ACKNOWLEDGE, beside_the_daemon=True)
    assert shop.mode == "dry-run"
    shop.plans(by=PIOTR)
    shop.clock.advance(timedelta(minutes=5))
    shop.opens(ProfileMode.ACKNOWLEDGE)

    assert shop.mode == "acknowledge"
    assert shop.states == ["cancelled", "cancelled"]


def test_a_persons_answer_outlives_the_change(shop: Shop) -> None:
    shop.opens(ProfileMode.DRY_RUN)
    shop.plans(sent_by=SentBy.PERSON)

    shop.opens(ProfileMode.ACKNOWLEDGE)

    assert shop.states == ["planned"]


def test_since_when_it_rehearses_is_kept_until_it_goes_live(shop: Shop) -> None:
    shop.opens(ProfileMode.DRY_RUN)
    shop.clock.advance(timedelta(days=2))
    shop.opens(ProfileMode.DRY_RUN)
    (row,) = rows(shop.database, ProfileRow)
    assert row.dry_run_since == NOW

    shop.opens(ProfileMode.ACKNOWLEDGE)
    (row,) = rows(shop.database, ProfileRow)
    assert row.dry_run_since is None
