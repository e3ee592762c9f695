"""``social author``: what is kept of one customer; forgetting them, and letting them in again."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from social.cli.command import Acting, Config, Json, acting, columns, new_app, print_json, say

if TYPE_CHECKING:
    from social.cli.opening import Opened
    from social.store.erasure import Known, Preview

app = new_app(help="One customer's data: export it, forget them, let them in again.", no_args_is_help=True)

Network = Annotated[str, typer.Argument(metavar="NETWORK", help="The network, by its name in config.toml.")]
Who = Annotated[
    str, typer.Argument(metavar="HANDLE|ID", help="The handle as it was seen last, or the account's number.")
]


@app.command()
def export(
    network: Network,
    who: Who,
    config: Config = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write here (mode 0600) instead of standard output.")
    ] = None,
    user: Acting = None,
) -> None:
    """Everything that is kept of one customer, as JSON. Check who asks before you hand it out."""
    from social.cli.opening import opened_store
    from social.reports.files import replacing
    from social.store.journal import note
    from social.store.subject_access import export_author

    with opened_store(config) as opened:
        author, now = _found(opened, network, who), opened.clock.now()
        document = export_author(opened.database, author, now=now)
        with opened.database.write() as session:
            note(session, at=now, actor=acting(user), verb="exported", subject="author", subject_id=author.id)
    # a lone surrogate is no UTF-8; as an escape it is JSON
    content = (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "backslashreplace")
    if to is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        with replacing(to) as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
    rows = sum(len(found) for found in document["data"].values())
    say(f"{f'{to}: ' if to else ''}{rows} rows of {author.handle or author.native_id} on {author.network}.")


@app.command()
def forget(
    network: Network,
    who: Who,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log; without the customer's name.")],
    config: Config = None,
    user: Acting = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Erase everything of one customer, and read nothing of theirs in again.

    Reports keep their counts. Planned replies are cancelled and open cases closed. From then on what they write is counted,
    kept nowhere and answered by nobody, until `social author allow`. This cannot be undone; docs/data.md says what it means.
    """
    from threading import Event

    from social.cli.opening import opened_store
    from social.store import erasure, mentions, traces

    pause = Event()
    with opened_store(config) as opened:
        author = _found(opened, network, who)
        with opened.database.read() as session:
            erasure.check(session, author)
            preview = erasure.preview(session, author)
        say(_preview(preview))
        _agree(preview, yes)
        who_acts, now = acting(user), opened.clock.now()
        changed, mentioned = mentions.forget_everywhere(
            opened.database, author, by=who_acts, reason=reason, now=now, pause=lambda: pause.wait(0.02)
        )
        left = traces.sweep(opened.database)
        older = _older_copies(opened)
    if as_json:
        print_json({"rows": changed, "mentions": mentioned, "left": left, "older_copies": older})
        return
    print(f"Forgotten: {sum(changed.values())} rows lost their words, {mentioned} mentions elsewhere are gone.")
    if author.erased:
        say(f"They were forgotten before, so elsewhere it was searched for {who.strip()} alone.")
    if left:
        say(f"{left} Repeat the command when it is quieter.")
    if older:
        say("Copies from before still hold them, delete these when you need them no more:")
        say("\n".join(f"  {path}" for path in older))


@app.command()
def allow(network: Network, who: Who, config: Config = None, user: Acting = None, as_json: Json = False) -> None:
    """Read a forgotten customer in again from now on. What was erased does not come back."""
    from social.cli.opening import opened_store
    from social.store import erasure

    with opened_store(config) as opened, opened.database.write() as session:
        erasure.allow(session, network, who, by=acting(user), now=opened.clock.now())
    if as_json:
        print_json({"network": network, "allowed": True})
    else:
        print("What they write from now on is read in again.")


@app.command("list")
def list_forgotten(config: Config = None, as_json: Json = False) -> None:
    """Who is not read in again: when, why and how often they were met since. Their names are not known here."""
    from social.cli.opening import opened_store
    from social.store import erasure

    with opened_store(config) as opened, opened.database.read() as session:
        found = erasure.forgotten(session)
    if as_json:
        print_json(found)
        return
    if not found:
        print("Nobody is forgotten.")
        return
    rows = [
        (
            item.network,
            item.digest[:12],
            f"{item.forgotten_at:%Y-%m-%d}",
            f"left out {item.left_out} times",
            item.reason,
        )
        for item in found
    ]
    print(columns(rows))


def _found(opened: Opened, network: str, who: str) -> Known:
    from social.domain.errors import NotFound
    from social.store import erasure

    with opened.database.read() as session:
        known = erasure.networks(session)
        if network not in known:
            there = ", ".join(known) or "none yet"
            raise NotFound(
                f"nobody on a network {network!r} is known here.", next_step=f"Networks with authors: {there}."
            )
        return erasure.find(session, network, who)


def _preview(preview: Preview) -> str:
    author = preview.author
    name = "an author who is forgotten already" if author.erased else f"{author.handle or author.native_id}"
    rows = [(title, str(count)) for title, count in preview.rows.items() if count]
    lines = [f"{name} on {author.network}:", columns(rows)]
    if preview.planned_replies:
        lines.append(f"  {preview.planned_replies} planned replies would be cancelled.")
    if preview.waiting_cases:
        numbers = ", ".join(map(str, preview.waiting_cases))
        lines.append(f"  Cases that wait for people would be closed: {numbers}.")
    if preview.formal_cases:
        numbers = ", ".join(map(str, preview.formal_cases))
        lines.append(
            f"  FORMAL COMPLAINTS WITHOUT AN ANSWER are among them: {numbers}. The law may oblige you to answer first."
        )
    return "\n".join(lines)


def _agree(preview: Preview, yes: bool) -> None:
    from social.domain.errors import UsageError

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("this cannot be undone, and nobody can be asked here.", next_step="Repeat it with --yes.")
    typer.confirm("Erase all of it? This cannot be undone.", abort=True, err=True)


def _older_copies(opened: Opened) -> list[Path]:
    from social.store import copies

    backups = opened.settings.path(opened.settings.database.backup_folder)
    if opened.database.path is None:
        # the server's own copies, and the SQLite file from before a move with its copies, where they usually lie
        folders = (backups, opened.settings.path(Path("var")))
        return sorted({path for folder in folders for ending in ("dump", "db") for path in folder.glob(f"*.{ending}")})
    folders = (backups, opened.database.path.parent)
    return sorted({path for folder in folders for path in copies.of(opened.database, folder)})
