"""What `social --help` costs: its CPU time against a bare interpreter with a few modules of the standard library.

    python benchmarks/cli_start.py [--rounds 15]

The promise is a ratio of at most 3; what a verb's own help costs is printed beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

FLOOR = ("-c", "import argparse, sqlite3, json, tomllib")
#: What the installed `social` script runs, without the script.
HELP = ("-c", "import sys; from social.cli import main; sys.exit(main(['--help']))")
VERB_HELP = ("-c", "import sys; from social.cli import main; sys.exit(main(['pause', '--help']))")
PROMISE = 3.0


def cpu_seconds(arguments: tuple[str, ...]) -> float:
    """User and system time of one run of this interpreter."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def median(arguments: tuple[str, ...], rounds: int) -> float:
    cpu_seconds(arguments)  # the first run fills the caches of the disk and of compiled files
    return statistics.median(cpu_seconds(arguments) for _ in range(rounds))


def main() -> int:
    parser = argparse.ArgumentParser(description="CPU time of `social --help`.")
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    floor, top, verb = (median(arguments, rounds) for arguments in (FLOOR, HELP, VERB_HELP))
    print(f"floor                {floor * 1000:7.1f} ms   python -c '{FLOOR[1]}'")
    print(
        f"social --help        {top * 1000:7.1f} ms   {top / floor:.2f} times the floor (promise: at most {PROMISE:g})"
    )
    print(f"social pause --help  {verb * 1000:7.1f} ms   {verb / floor:.2f} times the floor")
    return 0 if top <= PROMISE * floor else 1


if __name__ == "__main__":
    raise SystemExit(main())
