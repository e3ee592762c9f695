"""The simulated networks as a process of their own: ``python -m connectors.simulated --port 0 --history FILE ...``.

Prints one JSON line ``{"port", "pid"}`` when it is ready. Stops on SIGTERM or SIGINT, or after ``--idle-exit`` seconds
without a request, so that a killed desk leaves nothing behind for ever.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from connectors.simulated.history import History
from connectors.simulated.library import Library, WorldOptions, load_library
from connectors.simulated.server import SimulatedServer
from connectors.simulated.world import World
from social.clock import Anchor, PacedClock, RealClock, SteppedClock, monotonic
from social.domain.errors import DyzurError
from social.domain.post import require_aware
from social.ports import Clock

DEFAULTS = WorldOptions()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop. Exit code 0, or 2 where the arguments or the files cannot be used."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        clock, start = _clock(given)
        options = WorldOptions(
            seed=given.seed,
            posts_per_day=given.posts_per_day,
            history_posts_per_day=given.history_posts_per_day,
            outage=given.outage if given.outage in ("seeded", "none") else float(given.outage),
            scene=given.scene,
        )
        library = load_library()
        history = History.open(given.history, start, options, library.fingerprint)
    except ValueError as error:
        parser.error(str(error))
    except DyzurError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        return _serve(given, clock, history, library)
    except (DyzurError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        history.close()


def _serve(given: argparse.Namespace, clock: Clock, history: History, library: Library) -> int:
    world = World(start=history.start, options=history.options, library=library, record=history.event)
    world.restore(history.events)
    server = SimulatedServer(world, clock, port=given.port, history=history)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.closing.set())
    server.start()
    ready = {"port": server.port, "pid": os.getpid()}
    if given.state is not None:
        _write_state(given.state, {**ready, "history": str(given.history)})
    print(json.dumps(ready), flush=True)
    while not server.closing.wait(0.5):
        if monotonic() - server.last_request > given.idle_exit:
            break
    server.stop()
    if given.state is not None:
        _remove_own_state(given.state)
    return 0


def _clock(given: argparse.Namespace) -> tuple[Clock, datetime]:
    """The clock and the world's start. Raises ``ValueError``."""
    start = _moment(given.start, "--start") if given.start else None
    if given.clock == "paced":
        if not (given.anchor_machine and given.anchor_world):
            raise ValueError("a paced clock needs --anchor-machine and --anchor-world")
        anchor = Anchor(
            machine=_moment(given.anchor_machine, "--anchor-machine"),
            world=_moment(given.anchor_world, "--anchor-world"),
            speed=given.speed,
        )
        return PacedClock(anchor), start or anchor.world
    if given.clock == "stepped":
        if start is None:
            raise ValueError("a stepped clock needs --start")
        return SteppedClock(start), start
    real = RealClock()
    return real, start or real.now()


def _moment(text: str, name: str) -> datetime:
    try:
        return require_aware(datetime.fromisoformat(text), name)
    except ValueError:
        raise ValueError(f"{name} must be an ISO time with its offset, got {text!r}") from None


def _write_state(path: Path, state: dict[str, object]) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(state) + "\n", encoding="utf-8")
    fresh.replace(path)


def _remove_own_state(path: Path) -> None:
    with suppress(OSError, ValueError):
        if json.loads(path.read_text(encoding="utf-8"))["pid"] == os.getpid():
            path.unlink()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="connectors.simulated", description="Simulated social networks on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--history", type=Path, required=True, help="append-only JSON Lines; continued where it exists")
    parser.add_argument("--state", type=Path, help="a file that says where this process listens, removed at its end")
    parser.add_argument("--seed", type=int, default=DEFAULTS.seed)
    parser.add_argument("--clock", choices=("paced", "stepped", "real"), default="paced")
    parser.add_argument("--anchor-machine", help="ISO time of the machine at which ...")
    parser.add_argument("--anchor-world", help="... it is this ISO time in the world")
    parser.add_argument("--speed", type=float, default=1.0, help="world seconds per machine second")
    parser.add_argument("--start", help="ISO world time at which live posts begin (default: --anchor-world)")
    parser.add_argument("--posts-per-day", type=float, default=DEFAULTS.posts_per_day)
    parser.add_argument("--history-posts-per-day", type=float, default=DEFAULTS.history_posts_per_day)
    parser.add_argument("--outage", default="seeded", help='"seeded", "none" or hours after the start')
    parser.add_argument("--no-scene", dest="scene", action="store_false", help="without the opening scene")
    parser.add_argument("--idle-exit", type=float, default=900.0, help="seconds without a request after which it ends")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
