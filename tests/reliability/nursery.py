"""Daemons by the dozen: one process that has everything imported, and forks a daemon whenever it is asked to.

A kill is cheap to arrange and a start is not: most of it is imports. What is forked is the same code path as ``social run
--only poll,triage,respond`` (or fewer parts), in a process, a folder and a log of its own. Orders come as JSON lines, news
goes out the same way; at the end of the orders everything that was forked is killed.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from social.cli import running
from social.domain.assessment import Assessment, ModelIdentity, TextToAssess
from social.domain.errors import DyzurError
from social.engine.desk import Leases
from social.settings import load_settings
from triage.load import rules_only

#: Short, so that what a killed daemon held is taken over while the test still runs. The networks here show a reply at once.
LEASES = Leases(
    poll=timedelta(seconds=3),
    triage=timedelta(seconds=8),
    reply=timedelta(seconds=3),
    settle=timedelta(seconds=2),
    read_lag=timedelta(0),
)


class SureRules:
    """Rules alone are sure of nothing, and the robot says nothing then; these are sure, so that there is much to say."""

    def __init__(self) -> None:
        self._rules = rules_only("a test of something else")

    @property
    def identity(self) -> ModelIdentity:
        return self._rules.identity

    def assess(self, texts: Sequence[TextToAssess]) -> list[Assessment]:
        return [replace(found, abstained=frozenset()) for found in self._rules.assess(texts)]


def main() -> None:
    judge = SureRules()
    _warm_up(judge)
    children: set[int] = set()
    _tell(ready=True)
    while True:
        if select.select([sys.stdin], [], [], 0.02)[0]:
            line = sys.stdin.readline()
            if not line:
                break
            order = json.loads(line)
            children.add(_fork(judge, order))
        _tell_what_became(children)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _warm_up(judge: SureRules) -> None:
    """Import and build what every daemon needs, without a thread or a connection: those do not survive a fork."""
    import atproto  # noqa: F401
    import psycopg  # noqa: F401
    import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

    from connectors import registry, session  # noqa: F401
    from connectors.simulated import process  # noqa: F401
    from social.cli import demo_secrets, inspection, standing  # noqa: F401
    from social.engine import build, schedule  # noqa: F401

    for kind in registry.kinds():
        registry.load(kind)
    judge.assess([TextToAssess(text="Gdzie jest moja paczka?")])
    assert threading.active_count() == 1


def _fork(judge: SureRules, order: Mapping[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _be_a_daemon(judge, order)
    _tell(started=pid)
    return pid


def _be_a_daemon(judge: SureRules, order: Mapping[str, Any]) -> None:
    code = 1
    try:
        folder = Path(order["folder"])
        os.chdir(folder)
        os.environ.update(order["environment"])
        log = os.open(folder / order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        try:
            settings = load_settings(folder / "config.toml")
            if order["naive"]:
                from tests.reliability.naive import run_naively

                run_naively(settings, judge, LEASES)
            running.run_settings(
                settings, only=order["parts"], level="info", command="social", judge=(judge, judge), leases=LEASES
            )
            code = 0
        except DyzurError as error:
            print(error, file=sys.stderr, flush=True)
            code = error.exit_code
        except BaseException:  # noqa: BLE001 whatever ends this process, nothing of its parent's may run after it
            import traceback

            traceback.print_exc()
    finally:
        os._exit(code)


def _tell_what_became(children: set[int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        if pid == 0:
            return
        if os.WIFSTOPPED(status):
            _tell(stopped=pid)
        else:
            children.discard(pid)
            _tell(ended=pid, code=os.waitstatus_to_exitcode(status))


def _tell(**news: object) -> None:
    print(json.dumps(news), flush=True)


if __name__ == "__main__":
    main()
