"""``social demo --selftest``: a simulated week on the stepped clock, then every promise of ``social.cli.promises`` checked.

The desk is the real one (store, triage, policy, delivery, connectors over HTTP); only time jumps. Two people, Anna and
Marek, answer cases during business hours, so that the robot has somebody to keep out of the way of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select

from connectors.simulated.world import World, WorldOptions
from social.cli.promises import Check, Facts, Oracle, check_all, in_words
from social.clock import monotonic
from social.domain.errors import DyzurError
from social.engine.calendars import calendar_of
from social.settings import Settings
from social.store.rows import c
from social.store.session import Database
from social.store.tables import EscalationRow

#: So many days bring every kind of customer.
WEEK = 7
#: So long before each full hour somebody looks into the apps; the desk polls at the full hour.
JUST_BEFORE = timedelta(minutes=5)


@dataclass(slots=True)
class Report:
    checks: list[Check] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    days: int = 0

    @property
    def failed(self) -> list[Check]:
        """Broken promises; in a whole week also those that nothing tried, because then something is wrong with the week."""
        return [check for check in self.checks if not check.kept or not (check.tried or self.days < WEEK)]

    @property
    def kept(self) -> bool:
        return not self.failed


def run_selftest(
    settings: Settings, *, days: int = 7, seed: int = 1, progress: Callable[[str], None] = lambda text: None
) -> Report:
    """Run ``days`` of simulated time in a temporary folder and check the promises. Deterministic for a seed."""
    from social.cli.stepped_desk import stepped_desk
    from social.engine.schedule import run_stepped

    begun = monotonic()
    start = settings.clock.start
    if start is None:
        raise DyzurError(
            "the self-test needs a simulated world.", next_step="Leave out --config, or set [clock] start."
        )
    world = World(start=start, options=WorldOptions(seed=seed, posts_per_day=300.0))
    with stepped_desk(_adapted(settings), world) as stage:
        people = People(stage.database, stage.settings)
        for day in range(days):
            for hour in range(24):
                full_hour = start + timedelta(days=day, hours=hour + 1)
                run_stepped(stage.desk, stage.clock, until=full_hour - JUST_BEFORE)
                people.answer_in_the_apps(world, stage.clock.now())
                run_stepped(stage.desk, stage.clock, until=full_hour)
                people.work(stage.clock.now())
            progress(f"day {day + 1} of {days}")
        # nothing may be left in the air: the last posts get their hour
        run_stepped(stage.desk, stage.clock, until=stage.clock.now() + timedelta(hours=2))
        facts = Facts(stage.settings, stage.database, world, start, stage.clock.now())
        counts = facts.counts + Counter(
            {"people's answers": people.answers, "people's answers in the apps": people.app_answers}
        )
        return Report(checks=check_all(facts), counts=counts, seconds=monotonic() - begun, days=days)


def _adapted(settings: Settings) -> Settings:
    profiles = tuple(
        profile.model_copy(
            update={
                "poll_every": timedelta(minutes=10),
                # customers of the last one hear nothing outside hours, so that this side of the rules is tried too
                "closed_notice": profile.closed_notice and profile != settings.profiles[-1],
            }
        )
        for profile in settings.profiles
    )
    return settings.model_copy(update={"profiles": profiles})


class People:
    """Anna and Marek: each open hour they take the most pressing cases and answer some of them; and Zofia, who answers on
    her phone, in the networks' own apps, before the desk has seen the question."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._calendar = calendar_of(settings.brands[0])
        self._oracle = Oracle(settings.brands[0])
        self._turn = 0
        self.answers = self.app_answers = 0

    def answer_in_the_apps(self, world: World, now: datetime) -> None:
        if not self._oracle.is_open(now):
            return
        world.advance(now)
        for network in world.networks:
            fresh = [post for post in world.posts(network) if now - JUST_BEFORE <= post.created_at]
            asked = [post for post in fresh if not post.author.is_brand and not post.author.is_bot]
            if asked:
                brand = world.brand(network)
                world.publish(network, brand, "Dzień dobry, już pomagam. Zofia", asked[-1].sequence, via="native")
                self.app_answers += 1

    def work(self, now: datetime) -> None:
        from social.engine import people

        if not self._oracle.is_open(now):
            return
        with self._database.read() as session:
            columns = c(EscalationRow)
            cases = list(
                session.execute(
                    select(columns.id)
                    .where(columns.state == "open")
                    .order_by(columns.urgency_rank, columns.waiting_since)
                    .limit(6)
                ).scalars()
            )
        for case_id in cases:
            self._turn += 1
            name = "anna" if self._turn % 2 else "marek"
            text = (
                f"Dzień dobry, tu {name.title()} ze Sklepu Lawenda. Sprawdzone, sprawa numer {case_id} jest załatwiona."
            )
            try:
                if self._turn % 3 == 0:
                    people.take(self._database, case_id, user=name, now=now, calendar=self._calendar)
                else:
                    context = people.context_of(self._database, case_id)
                    people.answer(self._database, context, case_id, text, user=name, now=now, accept_warnings=True)
                    self.answers += 1
            except DyzurError:
                continue  # not permitted by the network, or changed meanwhile: people skip it


def render(report: Report) -> Sequence[str]:
    """The report for a terminal, its last line in the form "N passed, N failed"."""
    failed = len(report.failed)
    untried = sum(check.kept and not check.tried and check not in report.failed for check in report.checks)
    return [
        *in_words(report.checks),
        "",
        *(f"  {count:6d}  {name}" for name, count in sorted(report.counts.items())),
        "",
        f"{report.days} simulated day{'' if report.days == 1 else 's'} in {report.seconds:.0f} s",
        f"{len(report.checks) - failed - untried} passed, {failed} failed"
        + (f", {untried} with nothing to try them on (a whole week has it)" if untried else ""),
    ]
