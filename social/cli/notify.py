"""``social notify``: whether messages reach the people of ``[notify]``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from social.cli.command import Config, Json, columns, new_app, print_json

if TYPE_CHECKING:
    from social.engine.on_call import OnCall, Person

app = new_app(help="Do messages reach the people who are to be told?", no_args_is_help=True)

NOT_ARRIVED = 5


@app.callback()
def notify() -> None:
    """Do messages reach the people who are to be told?"""


@app.command("test")
def send_test(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Only to this person. Default: everybody.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Send a test message by every channel, and say what became of it.

    The mail server or service took it: whether it arrived, the person knows. Exit code 5 where one was not taken.
    """
    from social.domain.errors import ConfigurationError, NotFound
    from social.engine.on_call import configured_credentials, open_on_call
    from social.settings import load_settings, require_loopback

    settings = load_settings(config)
    require_loopback(settings)
    on_call = open_on_call(settings, configured_credentials(settings))
    if not on_call.people:
        raise ConfigurationError(
            "there is nobody to be told.",
            resource="[[notify.people]]",
            next_step="Add somebody with a name and an email.",
        )
    if name is not None and name not in on_call.people:
        raise NotFound(
            f"there is no {name!r} in [[notify.people]].", next_step=f"There is: {', '.join(on_call.people)}."
        )
    people = on_call.people.values() if name is None else [on_call.people[name]]
    tried = [result for person in people for result in _try(on_call, person)]
    if as_json:
        print_json(tried)
    else:
        print(columns([(item["person"], item["channel"], item["error"] or "taken") for item in tried], indent=0))
    if any(item["error"] for item in tried):
        raise typer.Exit(NOT_ARRIVED)


def _try(on_call: OnCall, person: Person) -> Iterator[dict[str, Any]]:
    from social.clock import machine_now
    from social.domain.errors import DyzurError
    from social.notifiers.words import about_test
    from social.ports import Message

    words = about_test(person.name, person.language)
    for channel, where in person.ways.items():
        key = f"test|{person.name}|{channel}|{machine_now().isoformat()}"
        message = Message(key=key, to=where, name=person.name, subject=words.subject, body=words.body)
        error = ""
        try:
            on_call.notifiers[channel].send(message)
        except DyzurError as problem:
            error = str(problem)
        yield {"person": person.name, "channel": channel, "error": error}
