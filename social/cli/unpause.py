"""``social unpause``: the end of a pause."""

from __future__ import annotations

from social.cli.command import Acting, Config, Json, acting, new_app, print_json

app = new_app()


@app.command()
def unpause(config: Config = None, name: Acting = None, as_json: Json = False) -> None:
    """Let the desk send again.

    What became too late during the pause is not sent: it is in the queue.
    """
    from social.cli.opening import opened_store
    from social.store import control

    with opened_store(config) as opened, opened.database.write() as session:
        before = control.paused_since(session)
        control.unpause(session, by=acting(name), now=opened.clock.now())
    if as_json:
        print_json({"paused": False, "changed": before is not None})
    elif before is None:
        print("It was not paused.")
    else:
        print(f"The desk sends again. It was paused by {before[1]} since {before[0]:%Y-%m-%d %H:%M} UTC.")
