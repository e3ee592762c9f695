"""The table of verbs. A verb is one file with an ``app`` (``social.cli.command.new_app``) and one line here.

Nothing heavy is imported to show this table: `social --help` must stay as cheap as a small script.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """``module`` is imported when the verb is used. ``group``: the verb has verbs of its own (``queue list``); ``alone``: it
    also does something without one."""

    name: str
    module: str
    summary: str
    group: bool = False
    alone: bool = False


#: Title of the section in the help, and its verbs in the order in which somebody new needs them.
VERBS: dict[str, tuple[Verb, ...]] = {
    "First steps": (
        Verb("demo", "social.cli.demo", "A simulated shop in a folder of its own; --selftest checks every promise."),
        Verb("init", "social.cli.init", "Ask a few questions and write a commented config.toml."),
        Verb(
            "connect",
            "social.cli.connect",
            "Connect an account: a guide, hidden input, a proof; the quickest takes a minute.",
        ),
        Verb("check-config", "social.cli.check_config", "Name every mistake in config.toml, with its line."),
        Verb("doctor", "social.cli.doctor", "Look at everything that the desk needs, and say what to mend."),
    ),
    "The desk": (
        Verb("run", "social.cli.run", "Watch the profiles, judge, acknowledge, escalate; until Ctrl-C."),
        Verb("go-live", "social.cli.go_live", "What would have been said in dry-run, and switching it on."),
        Verb("queue", "social.cli.queue", "What people must answer: list, show, take, answer, close, settle.", True),
        Verb("statement", "social.cli.statement", "A crisis: approve or reject its holding statement, end it.", True),
        Verb("pause", "social.cli.pause", "Stop all sending at once, on every profile."),
        Verb("unpause", "social.cli.unpause", "Let the desk send again."),
        Verb("service", "social.cli.service", "The desk as a service of this machine: print a systemd unit.", True),
        Verb("notify", "social.cli.notify", "Do messages reach the people on call? Send them a test.", True),
        Verb("people", "social.cli.people", "Who may come to the desk in the browser: list, invite.", True),
    ),
    "Questions": (
        Verb("hours", "social.cli.hours", "Is somebody there now? The next opening, the next ten holidays."),
        Verb("classify", "social.cli.classify", "Judge a text, or JSON Lines from standard input (-)."),
        Verb("evaluate", "social.cli.evaluate", "How right the judgement is on texts that people have labelled."),
        Verb("simulate", "social.cli.simulate", "What would happen with a text at a time, and why."),
        Verb("rules", "social.cli.rules", "The words that judge beside the model: list, show, try.", True),
        Verb(
            "replay", "social.cli.replay", "Real conversations of the past through the desk: what would have happened."
        ),
        Verb("backfill", "social.cli.backfill", "Read a profile's past and judge it for the reports; never answer it."),
        Verb("poll", "social.cli.poll", "Ask one network once and show what is new there."),
        Verb("label", "social.cli.label", "Correct the judgement of uncertain posts; status, export.", True, True),
        Verb(
            "export",
            "social.cli.export",
            "Sentiment, and what customers got within the hour, as CSV, JSON or XLSX.",
            True,
        ),
    ),
    "Upkeep": (
        Verb("db", "social.cli.db", "The database: upgrade, status, backup, restore, purge, migrate-to.", True),
        Verb("author", "social.cli.author", "One customer's data: export it, forget them, let them in again.", True),
        Verb("secrets", "social.cli.secrets", "The key that seals renewed credentials: rotate-key.", True),
    ),
}

ALL: dict[str, Verb] = {verb.name: verb for verbs in VERBS.values() for verb in verbs}
