"""``social secrets``: rotate-key."""

from __future__ import annotations

import socket
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from social.cli.command import Config, Json, new_app, print_json, say

if TYPE_CHECKING:
    from social.store.session import Database

app = new_app(help="The key that seals renewed credentials.", no_args_is_help=True)


class Step(StrEnum):
    ADD = "add"
    SEAL = "seal"
    DROP = "drop"


#: What to do after each step where several machines have a copy of the key file.
_NEXT = {
    Step.ADD: "Copy the key file to every machine, then: social secrets rotate-key --step seal",
    Step.SEAL: "Copy the key file to every machine, then: social secrets rotate-key --step drop",
    Step.DROP: "Copy the key file to every machine.",
}


@app.callback()
def secrets() -> None:
    """One command so far; its name is part of the command, so that others can come beside it."""


@app.command("rotate-key")
def rotate_key(
    step: Annotated[
        Step | None,
        typer.Option(help="Only this step, for several machines; copy the key file to all of them after each."),
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Seal what was renewed at run time (tokens, sessions) with a new key, and forget the old one.

    Safe while the desk runs, and after a kill: run it again. A database backup from before needs the old key: keep a copy
    of the key file with it. What the operator wrote into files or the environment is not touched.
    """
    from social.cli.opening import opened_store
    from social.clock import machine_now
    from social.engine.build import key_file
    from social.key_rotation import KeyRotation
    from social.secrets import KeyFile
    from social.store.credentials import StoredCredentials

    with opened_store(config) as opened:
        file = key_file(opened.settings, opened.database.path)
        if step is None:
            _refuse_beside_other_machines(opened.database)
        rotation = KeyRotation(KeyFile(file), StoredCredentials(opened.database, machine_now))
        steps = {None: rotation.rotate, Step.ADD: rotation.add, Step.SEAL: rotation.seal, Step.DROP: rotation.drop}
        done = steps[step]()
    if as_json:
        print_json({"key_file": file, "step": step, "sealed": done.sealed, "keys": done.keys})
        return
    print(f"{file}: {len(done.sealed)} credential(s) sealed anew; the file holds {done.keys} key(s).")
    say(_NEXT[step] if step is not None else "A database backup from before can only be read with the old key.")


def _refuse_beside_other_machines(database: Database) -> None:
    """Another machine's copy of the key file would not know the new key: its desk would lose what it has renewed."""
    from social.clock import machine_now
    from social.domain.errors import Conflict
    from social.store import control

    if database.path is not None:
        return  # the key file lies beside the file of the database: whoever has the one has the other
    with database.read() as session:
        hosts = {daemon.name.rpartition(":")[0] for daemon in control.running(session, at=machine_now())}
    if others := sorted(hosts - {socket.gethostname()}):
        raise Conflict(
            f"the desk also runs on {', '.join(others)}, which may have a key file of its own.",
            resource="social secrets rotate-key",
            next_step="Go in steps, each followed by a copy of the key file to every machine: --step add, seal, drop.",
        )
