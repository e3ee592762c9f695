"""``social pause``: the kill switch."""

from __future__ import annotations

from social.cli.command import Acting, Config, Json, acting, new_app, print_json

app = new_app()


@app.command()
def pause(config: Config = None, name: Acting = None, as_json: Json = False) -> None:
    """Stop all sending at once, on every profile, until `social unpause`.

    Posts are still read, judged and queued; nothing is published, neither the robot's texts nor people's answers.
    """
    from zoneinfo import ZoneInfo

    from social.cli.opening import opened_store
    from social.cli.wording import moment
    from social.store import control

    with opened_store(config) as opened, opened.database.write() as session:
        zone = ZoneInfo(opened.settings.brands[0].timezone)
        before = control.paused_since(session)
        control.pause(session, by=acting(name), now=opened.clock.now())
        since, by = control.paused_since(session) or (opened.clock.now(), acting(name))
    if as_json:
        print_json({"paused": True, "since": since, "by": by, "changed": before is None})
    elif before is None:
        print("Paused: nothing is sent any more. Let it send again with: social unpause")
    else:
        print(f"It was paused already, since {moment(since, zone)} by {by}.")
