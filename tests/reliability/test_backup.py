"""D4 a backup of yesterday is restored, D3 a database that is new: whatever was answered before, here or in the networks' own
apps, is not answered again. On all three networks, over HTTP, with a world that edits, deletes and answers by itself."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from connectors.simulated.library import WorldOptions
from connectors.simulated.world import BRAND, World
from social.cli.stepped_desk import SteppedDesk, stepped_desk
from social.engine import build
from social.engine.desk import Desk
from social.engine.schedule import run_stepped
from social.settings import Settings, parse_settings, shipped_config
from social.store import schema
from social.store.rows import c
from social.store.session import Database
from social.store.tables import EscalationRow, PostRow
from tests.factories import assessment
from tests.fakes import FakeClassifier
from triage.load import rules_only

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
#: A model that is always sure, so that the robot answers as much as the rules let it.
SURE = (FakeClassifier(assessment()), rules_only("the model broke"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = parse_settings(shipped_config(), source=None, home=tmp_path)
    profiles = tuple(
        profile.model_copy(update={"poll_every": timedelta(minutes=20), "closed_notice": True})
        for profile in found.profiles
    )
    return found.model_copy(update={"profiles": profiles})


@contextmanager
def opened_again(stage: SteppedDesk) -> Iterator[tuple[Desk, Database]]:
    """The desk as another process opens it, on the file that lies there now."""
    database = build.open_database(stage.settings)
    build.prepare_database(database)
    desk = build.open_desk(stage.settings, database, stage.clock, judge=SURE)
    try:
        yield desk, database
    finally:
        desk.close()


def automatic(world: World) -> Counter[tuple[str, int]]:
    """(network, whose first message) -> how many texts of ours came through the program."""
    said: Counter[tuple[str, int]] = Counter()
    for network in world.networks:
        for own in world.by_author(network, BRAND):
            if own.via == "api":
                said[network, own.parent or 0] += 1
    return said


def just_answered(world: World, now: datetime) -> list[int]:
    return [
        own.sequence
        for network in world.networks
        for own in world.by_author(network, BRAND)
        if own.via == "api" and now - own.created_at < timedelta(minutes=45)
    ]


def answered_by_hand(world: World, now: datetime) -> set[tuple[str, int]]:
    """A colleague answers, in the networks' own apps, one customer of each network who got no answer of a person yet."""
    world.advance(now)
    found = set()
    for network in world.networks:
        done = {own.parent for own in world.by_author(network, BRAND) if own.via == "native"}
        for asked in world.posts(network):
            fresh = now - asked.created_at < timedelta(hours=2)
            if fresh and not asked.author.is_brand and not asked.author.is_bot and asked.sequence not in done:
                world.publish(
                    network, world.brand(network), "Dzień dobry, już pomagam. Zofia", asked.sequence, via="native"
                )
                found.add((network, asked.sequence))
                break
    return found


def replace_file(path: Path, backup: Path) -> None:
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(backup, path)


@pytest.mark.slow
def test_a_restored_backup_of_yesterday_answers_nobody_again(settings: Settings, tmp_path: Path) -> None:
    start = settings.clock.start
    assert start is not None
    world = World(start=start, options=WorldOptions(seed=7, posts_per_day=60.0))
    by_hand: set[tuple[str, int]] = set()
    with stepped_desk(settings, world, judge=SURE) as stage:
        run_stepped(stage.desk, stage.clock, until=start + DAY)
        backup = schema.backup_sqlite(stage.database, label="day-one", now=stage.clock.now(), folder=tmp_path)
        assert backup is not None
        before = automatic(world)
        for hours in range(0, 24, 2):
            run_stepped(stage.desk, stage.clock, until=start + DAY + hours * HOUR + timedelta(minutes=25))
            by_hand |= answered_by_hand(world, stage.clock.now())
        run_stepped(stage.desk, stage.clock, until=start + 2 * DAY)
        while len(just_answered(world, stage.clock.now())) < 2:  # whose hour is not over: they could be answered again
            run_stepped(stage.desk, stage.clock, until=stage.clock.now() + timedelta(minutes=10))
        end = stage.clock.now()
        second_day = automatic(world) - before
        assert {network for network, _ in second_day} == set(world.networks)  # or nothing would be tried
        assert {network for network, _ in by_hand} == set(world.networks)
        assert stage.database.path is not None
        stage.database.close()
        replace_file(stage.database.path, backup)

        with opened_again(stage) as (desk, database):
            run_stepped(desk, stage.clock, until=end + 4 * HOUR)
            after = automatic(world)
            said_again = {place: count for place, count in after.items() if count > 1}
            assert said_again == {}
            assert not [place for place in after - (before + second_day) if place in by_hand]
            deleted = {
                (network, post.sequence): post.deleted_at
                for network in world.networks
                for post in world.posts(network, deleted=True)
                if post.deleted_at is not None
            }
            said = [own for network in world.networks for own in world.by_author(network, BRAND) if own.via == "api"]
            too_late = [
                own
                for own in said
                if own.created_at > end and deleted.get((own.network, own.parent or 0), own.created_at) < own.created_at
            ]
            assert too_late == []
            with database.read() as session:
                lost = session.execute(select(func.count()).where(c(PostRow).state.in_(("new", "failed")))).scalar_one()
                unread = (
                    select(func.count())
                    .select_from(PostRow)
                    .where(c(PostRow).after_gap.is_(True), c(PostRow).reason.like("after-gap:%"))
                )
                cases = (
                    select(func.count())
                    .select_from(PostRow)
                    .join(EscalationRow, c(EscalationRow).conversation_id == c(PostRow).conversation_id)
                    .where(c(PostRow).after_gap.is_(True), c(PostRow).reason.like("after-gap:%"))
                )
                assert lost == 0
                assert session.execute(cases).scalar_one() >= session.execute(unread).scalar_one()


def test_a_new_database_answers_nothing_that_lay_there_before(settings: Settings) -> None:
    start = settings.clock.start
    assert start is not None
    world = World(start=start, options=WorldOptions(seed=8, posts_per_day=60.0))
    with stepped_desk(settings, world, judge=SURE) as stage:
        run_stepped(stage.desk, stage.clock, until=start + timedelta(hours=8))
        before = automatic(world)
        assert {network for network, _ in before} == set(world.networks)
        path = stage.database.path
        assert path is not None
        stage.database.close()
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        emptied_at = stage.clock.now()
        with opened_again(stage) as (desk, database):
            run_stepped(desk, stage.clock, until=emptied_at + 3 * HOUR)
            with database.read() as session:
                history = session.execute(select(func.count()).where(c(PostRow).history.is_(True))).scalar_one()
        assert history > 10  # there was something to answer
        fresh = {
            (network, post.sequence)
            for network in world.networks
            for post in world.posts(network, deleted=True)
            if post.created_at > emptied_at
        }
        after = automatic(world)
        assert set(after - before) <= fresh
        assert max(after.values()) == 1
