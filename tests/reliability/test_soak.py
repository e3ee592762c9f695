"""The long storm (`make soak`): 10,000 posts and 200 kills on each database; its figures go into benchmarks/RESULTS.md.

``DYZUR_SOAK=1500x40`` makes it shorter; ``DYZUR_RESULTS`` names the file to append to.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from social.clock import machine_now
from social.store.session import Database
from tests.reliability.daemons import Place
from tests.reliability.storm import LINE_POINTS, Result, Storm

COLUMNS = ("database", "daemons", "posts", "public replies", "kills", "pauses", "network faults", "duplicated", "lost")
COLUMNS += ("unknown", "violations", "minutes", "seed")


@pytest.mark.soak
def test_nothing_is_lost_and_nothing_said_twice_in_a_long_storm(
    store_database: Database, open_place: Callable[..., Place], seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    posts, _, kills = os.environ.get("DYZUR_SOAK", "10000x200").partition("x")
    storm = Storm(
        open_place(store_database),
        daemons=2,
        posts=int(posts),
        kills=int(kills),
        pauses=max(1, int(kills) // 20),
        points=_every_point(int(kills)),
        seed=seed,
    )
    result = storm.run()
    table = _table(store_database.dialect, result, seed)
    with capsys.disabled():
        print(f"\n{table}")
    if results := os.environ.get("DYZUR_RESULTS"):
        _append(Path(results), table, f"DYZUR_SOAK={posts}x{kills} DYZUR_SEED={seed} make soak")

    assert result.violations == []
    assert result.kills == int(kills)
    assert result.unknown <= result.kills
    assert set(LINE_POINTS) <= set(result.hit), f"not reached: {result.missed}"


def _every_point(kills: int) -> list[str]:
    """Each point as often as half of the deaths allow, the rest come at random."""
    return list(LINE_POINTS) * max(1, kills // 2 // len(LINE_POINTS))


def _table(database: str, result: Result, seed: int) -> str:
    twice = sum(line.startswith("I2") for line in result.violations)
    lost = sum(line.startswith("I1") for line in result.violations)
    minutes = f"{result.seconds / 60:.1f}"
    figures = (database, 2, result.posts, result.public, result.kills, result.pauses, result.faults, twice, lost)
    figures += (result.unknown, len(result.violations), minutes, seed)
    rows = (COLUMNS, ("---",) * len(COLUMNS), figures)
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def _append(file: Path, table: str, command: str) -> None:
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    head = "" if file.exists() else "# Results\n\nWhat was measured, newest last: when, on what, by which command.\n"
    with file.open("a", encoding="utf-8") as results:
        results.write(f"{head}\n## Soak, {machine_now():%Y-%m-%d}\n\n{machine}; `{command}`\n\n{table}\n")
