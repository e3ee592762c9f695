"""``social backfill``: a profile's own past, read and judged for the reports; never answered."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from social.cli.command import Config, Json, columns, new_app, print_json, say

if TYPE_CHECKING:
    from social.cli.opening import Opened
    from social.domain.errors import RateLimited
    from social.engine.backfill import Estimate
    from social.engine.desk import Desk, LiveProfile
    from social.store.backfills import Backfill

app = new_app()

GOES_ON = "What was read is kept; the same command goes on where it stopped."


@app.command()
def backfill(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="The name of one of [[profiles]].")],
    since: Annotated[str, typer.Option("--since", metavar="DATE", help="How far back, such as 2026-01-01.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Read a profile's past back to a day and judge it, for the reports. Nothing of it is ever answered.

    First it says how far the network lets an account read, how many requests that takes and what it costs, and asks. It may
    be ended at any time (Ctrl-C): the same command goes on. A running desk is not disturbed, and what its own poll has yet to
    bring is left to it. Where the network asks to wait, it waits; in a simulated world it says when to come back.
    """
    from social.cli import logs
    from social.cli.opening import opened_store
    from social.domain.errors import ConfigurationError, NotFound
    from social.engine import build

    with opened_store(config) as opened:
        settings = opened.settings
        chosen = settings.profile(profile)
        if chosen is None:
            known = ", ".join(item.name for item in settings.profiles)
            raise NotFound(f"there is no profile {profile!r}.", next_step=f"Known: {known}.")
        logs.set_up(level="WARNING")
        zone = ZoneInfo(settings.brand(chosen.brand).timezone)
        start = _moment(since, zone, now=opened.clock.now())
        desk = build.open_desk(settings, opened.database, opened.clock, only=[profile])
        if desk.broken:
            raise ConfigurationError(desk.broken[profile])
        desk.rings = False
        (live,) = desk.profiles.values()
        try:
            done = _Run(opened=opened, desk=desk, live=live, zone=zone).whole(start, ask=not yes)
        finally:
            live.connector.close()
    if done is None:
        say("Nothing was read.")
    elif as_json:
        print_json(done)
    else:
        print(_for_people(done, zone))


def _moment(text: str, zone: ZoneInfo, *, now: datetime) -> datetime:
    """A day begins at midnight in the brand's time zone."""
    from datetime import UTC

    from social.domain.errors import UsageError

    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--since {text!r} is no date.", next_step="Write it as 2026-01-01.") from None
    told = (told if told.tzinfo else told.replace(tzinfo=zone)).astimezone(UTC)
    if told >= now:
        raise UsageError(f"--since {text!r} has not come yet.", next_step="Give a day of the past.")
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    opened: Opened
    desk: Desk
    live: LiveProfile
    zone: ZoneInfo

    def whole(self, since: datetime, *, ask: bool) -> dict[str, Any] | None:
        """From the estimate to the end; ``None`` where somebody said no."""
        from social.engine import backfill as engine
        from social.store import backfills
        from social.store.backfills import BackfillState

        estimate = engine.estimate(self.desk, self.live, since, self.desk.now())
        with self.desk.database.read() as session:
            before = backfills.find(session, self.live.id, since)
        for line in _estimated(estimate, self.live, since.astimezone(self.zone), before):
            say(line)
        if ask and not _agreed(paid=bool(estimate.price)):
            return None
        work = engine.begin(self.desk, self.live, since, self.desk.now())
        with _resumable():
            while work.state is BackfillState.READING:
                work = self._read_on(work)
                self._progress(work)
            self._judge(work)
        with self.desk.database.read() as session:
            ended = backfills.find(session, self.live.id, since) or work
            moods = backfills.sentiments(session, ended)
        return {
            "profile": self.live.name,
            "since": since,
            "oldest": ended.oldest_at,
            "requests": ended.pages,
            "read": ended.read,
            "new": ended.kept,
            "known": ended.known,
            "left_to_the_poll": ended.later,
            "unreadable": ended.unreadable,
            "judged": sum(moods.values()),
            "sentiment": {mood.value: count for mood, count in moods.items()},
            "expected_cost_usd": None if estimate.cost is None else estimate.cost / 1000,
            "reach": estimate.reach.note,
        }

    def _read_on(self, work: Backfill) -> Backfill:
        from social.domain.errors import RateLimited
        from social.engine import backfill as engine

        while True:
            try:
                return engine.read_page(self.desk, self.live, work, self.desk.now())
            except RateLimited as error:
                self._wait(error)

    def _wait(self, error: RateLimited) -> None:
        """Until the network's time; not for money, which no hour brings, and not in a world whose hours are not ours."""
        from connectors.spending import SCOPE
        from social.domain.errors import RateLimited
        from social.settings import ClockMode

        if error.scope == SCOPE:
            raise error
        until = f"{error.until.astimezone(self.zone):%Y-%m-%d %H:%M}"
        if self.opened.settings.clock.mode is not ClockMode.REAL:
            next_step = f"Come back at {until} ({self.zone.key})."
            raise RateLimited(
                error.what, until=error.until, scope=error.scope, resource=error.resource, next_step=next_step
            )
        _end_line()
        say(f"{error} Waiting until {until} ({self.zone.key}); Ctrl-C ends it, and the same command goes on.")
        # a little longer than told: two clocks differ
        Event().wait(max((error.until - self.desk.now()).total_seconds(), 0) + 1)

    def _progress(self, work: Backfill) -> None:
        if sys.stderr.isatty():
            back = f", back to {work.oldest_at.astimezone(self.zone):%Y-%m-%d}" if work.oldest_at else ""
            print(f"\r{work.read} posts read in {work.pages} requests{back} ", end="", file=sys.stderr, flush=True)

    def _judge(self, work: Backfill) -> None:
        from social.engine import backfill as engine
        from social.store import backfills

        _end_line()
        with self.desk.database.read() as session:
            left = backfills.held(session, self.live.id)
        with typer.progressbar(length=left, label=f"Judging {left} posts", file=sys.stderr) as bar:
            while True:
                judged = engine.judge_batch(self.desk, self.live, work, self.desk.now())
                bar.update(judged)
                if judged:
                    continue
                with self.desk.database.read() as session:
                    if not backfills.held(session, self.live.id):
                        return
                # machine time: a process that died in a batch holds its posts for a minute
                Event().wait(2)


@contextmanager
def _resumable() -> Iterator[None]:
    from social.domain.errors import DyzurError

    try:
        yield
    except (DyzurError, KeyboardInterrupt):
        _end_line()
        say(GOES_ON)
        raise


def _end_line() -> None:
    if sys.stderr.isatty():
        say()


def _agreed(*, paid: bool) -> bool:
    """What costs money is not begun by a thoughtless Enter."""
    from social.cli.asking import Asker
    from social.cli.connecting import words_in

    return Asker(words=words_in("en")["say"], silent=False).choice("Read it", given=None, default=not paid)


# --- for people --------------------------------------------------------------------------------------------------------


def _estimated(estimate: Estimate, live: LiveProfile, since: datetime, before: Backfill | None) -> Iterator[str]:
    from social.store.backfills import BackfillState

    yield f"{live.name} ({live.connector.label}) back to {since:%Y-%m-%d %H:%M}, read and judged, never answered."
    yield f"  reach     {estimate.reach.note} ({estimate.reach.source}, {estimate.reach.as_of})"
    yield f"  requests  {_about(estimate.requests, estimate.most_requests)}"
    if not estimate.price:
        yield "  cost      nothing: this network bills no reading"
    else:
        yield f"  cost      {_about(_usd(estimate.cost), _usd(estimate.most_cost))}, by the network's prices"
    if before is not None and before.state is BackfillState.DONE:
        yield "It was read before; it is read again, and what is known is left alone."
    elif before is not None:
        yield f"It goes on: {before.read} posts are read already."


def _about(expected: object, most: object) -> str:
    told = [] if expected is None else [f"about {expected} at the profile's own pace"]
    told += [] if most is None else [f"at most {most}"]
    return ", ".join(told) or "not known before: the profile was not watched for a day yet"


def _usd(amount: int | None) -> str | None:
    return None if amount is None else f"${amount / 1000:.2f}"


def _for_people(done: dict[str, Any], zone: ZoneInfo) -> str:
    oldest = done["oldest"]
    rows = [
        ("read", f"{done['read']} in {done['requests']} requests"),
        ("oldest", f"{oldest.astimezone(zone):%Y-%m-%d %H:%M}" if oldest else "nothing was there"),
        ("new", str(done["new"])),
        ("known", str(done["known"])),
        ("left to the poll", str(done["left_to_the_poll"])),
        ("unreadable", str(done["unreadable"])),
        ("judged", str(done["judged"])),
        *((f"  {mood}", str(count)) for mood, count in done["sentiment"].items()),
    ]
    short = oldest is not None and oldest - done["since"] > timedelta(days=7)
    hint = f"\nNothing older was found. {done['reach']}" if short else ""
    return columns(rows) + hint
