"""The oracle behind the self-test: it notices what it is there for, and does not pass by having had nothing to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from social.cli.promises import Check, Oracle, in_words
from social.cli.selftest import Report, render
from social.settings import parse_settings, shipped_config
from tests.cast import at

KEPT = Check(promise="nobody waits", checked=3)
UNTRIED = Check(promise="nobody is answered twice", checked=0)
BROKEN = Check(promise="no robot is answered", checked=2, broken=("bluesky post 7 answers a bot",))


@pytest.fixture
def oracle(tmp_path: Path) -> Oracle:
    return Oracle(parse_settings(shipped_config(), source=None, home=tmp_path).brands[0])


def test_a_promise_that_nothing_tried_fails_a_week_and_is_named_on_a_single_day() -> None:
    assert Report(checks=[KEPT], days=7).kept
    assert Report(checks=[KEPT, UNTRIED], days=1).kept
    assert not Report(checks=[KEPT, UNTRIED], days=7).kept
    assert render(Report(checks=[KEPT, UNTRIED], days=1))[-1] == (
        "1 passed, 0 failed, 1 with nothing to try them on (a whole week has it)"
    )
    assert render(Report(checks=[KEPT, UNTRIED], days=7))[-1] == "1 passed, 1 failed"


def test_a_broken_promise_fails_however_short_the_run_and_names_its_cases() -> None:
    report = Report(checks=[KEPT, BROKEN], days=1)
    assert not report.kept
    assert render(report)[-1] == "1 passed, 1 failed"
    assert in_words([UNTRIED, BROKEN]) == [
        "-       nobody is answered twice (nothing to try it on)",
        "BROKEN  no robot is answered (2 checked)",
        "          bluesky post 7 answers a bot",
    ]


@pytest.mark.parametrize(
    ("now", "opening", "words"),
    [
        ("2026-11-20 17:00", "2026-11-23 09:00", ("w poniedziałek", "on Monday")),  # a Friday evening
        ("2026-11-22 23:59", "2026-11-23 09:00", ("jutro", "tomorrow")),
        ("2026-11-23 00:01", "2026-11-23 09:00", ("dziś", "today")),
        ("2026-11-28 12:00", "2026-11-29 10:00", ("jutro", "tomorrow")),  # a Sunday with hours of its own
        ("2026-12-24 17:30", "2026-12-28 09:00", ("w poniedziałek", "on Monday")),  # Christmas
    ],
)
def test_it_knows_the_next_opening_and_how_its_day_is_called(
    oracle: Oracle, now: str, opening: str, words: tuple[str, str]
) -> None:
    assert oracle.next_opening(at(now)) == at(opening)
    assert oracle.in_words(at(opening), said_at=at(now)) == words
