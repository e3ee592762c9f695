"""The command line ``social``: data on stdout, everything else on stderr, errors in one sentence, documented exit codes.

``main`` finds the verb in a table and imports only that verb's file; the help of the whole comes from the table alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from social.cli.verbs import ALL, VERBS, Verb

#: What a script may rely on. The classes of ``social.domain.errors`` carry their own code.
EXIT_CODES = {
    0: "done",
    1: "something unexpected (--debug shows where)",
    2: "wrong usage, or no such thing",
    3: "the configuration cannot be used",
    4: "a credential must be renewed",
    5: "a network refused or could not be reached",
    6: "the database cannot be used",
    7: "the model cannot be used",
    8: "the state of the thing does not allow this",
    9: "doctor found something that must be mended",
    130: "interrupted with Ctrl-C",
}
USAGE, INTERRUPTED, CLOSED_PIPE = 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a customer's lone surrogate must not end the command
    rest, config, debug = _global_options(list(sys.argv[1:] if arguments is None else arguments))
    if rest[:1] == ["help"]:
        rest = [*rest[1:], "--help"]
    if not rest or rest[0] in ("--help", "-h"):
        print(_help())
        return 0
    if rest[0] == "--version":
        from social import __version__

        print(__version__)
        return 0
    verb = ALL.get(rest[0])
    if verb is None:
        return _complain(_unknown(rest[0]), USAGE)
    if arguments is None:  # a program of its own, not a call inside one
        from social.cli.logs import guard_process

        guard_process(debug=debug)
    return _guarded(verb, _with_config(verb, rest[1:], config), debug=debug)


def _global_options(given: list[str]) -> tuple[list[str], str | None, bool]:
    """``--debug`` anywhere (before a lone ``--``), ``--config PATH`` also before the verb."""
    end = given.index("--") if "--" in given else len(given)
    debug = "--debug" in given[:end]
    rest = [part for part in given[:end] if part != "--debug"] + given[end:]
    config = None
    if rest and rest[0] in ("--config", "-c") and len(rest) > 1:
        config, rest = rest[1], rest[2:]
    elif rest and rest[0].startswith("--config="):
        config, rest = rest[0].removeprefix("--config="), rest[1:]
    return rest, config, debug


def _with_config(verb: Verb, rest: list[str], config: str | None) -> list[str]:
    if config is None:
        return rest
    if verb.group and rest[:1] and rest[0].startswith("-"):
        # most groups know no file by themselves, only their verbs do
        return [f"--config={config}", *rest] if verb.alone else rest
    depth = 1 if verb.group else 0
    return [*rest[:depth], f"--config={config}", *rest[depth:]]


def _guarded(verb: Verb, rest: list[str], *, debug: bool) -> int:
    from social.domain.errors import DyzurError
    from social.trace import told as named

    try:
        return _call(verb, rest)
    except KeyboardInterrupt:
        return _complain("Interrupted.", INTERRUPTED)
    except BrokenPipeError:
        sys.stdout = None  # the reader went away (`| head`): nothing more to say, and nothing to flush at the end
        return CLOSED_PIPE
    except DyzurError as error:
        if debug:
            raise
        return _complain(str(error), error.exit_code)
    except Exception as error:  # the last line of defence: people get a sentence, not a traceback
        if debug:
            raise
        if callable(told := getattr(error, "format_message", None)):  # Typer's own: wrong options and arguments
            context = getattr(error, "ctx", None)  # of the verb in the group, where it is known
            name = context.command_path if context is not None else f"social {verb.name}"
            return _complain(f"{told()}\nSee: {name} --help", int(getattr(error, "exit_code", USAGE)))
        return _complain(
            f"Something unexpected happened: {named(error)}\n"
            "This is a mistake in the program. The same command with --debug shows where.",
            1,
        )


def _call(verb: Verb, rest: list[str]) -> int:
    from importlib import import_module

    import typer

    app = import_module(verb.module).app
    try:
        code = typer.main.get_command(app).main(args=rest, prog_name=f"social {verb.name}", standalone_mode=False)
    except typer.Exit as end:
        code = end.exit_code
    except typer.Abort:
        return _complain("Interrupted.", INTERRUPTED)
    sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _complain(text: str, code: int) -> int:
    from social.redaction import redact

    print(redact(text.rstrip()), file=sys.stderr)
    return code


def _unknown(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, ALL, n=1)
    hint = f" Did you mean: social {close[0]}" if close else " See: social --help"
    what = "option" if name.startswith("-") else "command"
    return f"There is no {what} {name!r}.{hint}"


def _help() -> str:
    width = max(map(len, ALL)) + 2
    lines = [
        "Usage: social [--config FILE] COMMAND [OPTIONS]",
        "",
        "Watches a brand's social profiles, acknowledges every customer within the hour, and puts in front of people",
        "what people must answer.",
    ]
    for title, verbs in VERBS.items():
        lines += ["", f"{title}:", *(f"  {verb.name:<{width}}{verb.summary}" for verb in verbs)]
    lines += [
        "",
        "Every command has --help. Options of all: --config FILE (default: config.toml here, else the demo), --debug,",
        "--version. Most commands have --json.",
        "",
        "Exit codes:",
        *(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items()),
    ]
    return "\n".join(lines)
