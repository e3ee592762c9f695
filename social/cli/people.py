"""``social people``: who may come to the desk."""

from __future__ import annotations

from typing import Annotated

import typer

from social.cli.command import Acting, Config, Json, acting, columns, new_app, print_json

app = new_app()


@app.command("list")
def list_people(config: Config = None, as_json: Json = False) -> None:
    """Who is known: role, whether they can sign in, open sessions."""
    from social.cli.opening import opened_store
    from social.clock import machine_now
    from social.store import access

    with opened_store(config) as opened, opened.database.read() as session:
        found = access.accounts(session, at=machine_now())
    if as_json:
        print_json(found)
        return
    if not found:
        print("Nobody yet. Make a link for the first one: social people invite --role admin")
        return
    rows = []
    for person in found:
        signs_in = "let go" if person.disabled else "can sign in" if person.has_password else "command line only"
        rows.append((person.name, person.role.value, signs_in, f"{person.sessions} sessions"))
    print(columns(rows))


@app.command()
def invite(
    role: Annotated[str, typer.Option(help="viewer, agent or admin.")] = "agent",
    name: Annotated[
        str | None, typer.Option(help="Somebody who is known: a new password. Who has one keeps their role.")
    ] = None,
    user: Acting = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a link with which one person chooses a name and a password. It works once, for a day."""
    from social.cli.opening import opened_store
    from social.clock import machine_now
    from social.domain.errors import UsageError
    from social.store import access
    from social.web.links import welcome_link

    if role not in list(access.Role):
        raise UsageError(f"there is no role {role!r}.", next_step=f"Roles are: {', '.join(access.Role)}.")
    with opened_store(config) as opened:
        with opened.database.write() as session:
            token, expires = access.invite(
                session,
                role=access.Role(role),
                name=name,
                at=machine_now(),
                now=opened.clock.now(),
                by=acting(user),
            )
        link = welcome_link(opened.settings, token)
    if as_json:
        print_json({"link": link, "role": role, "expires_at": expires})
        return
    print(link)
    typer.echo("It works once, for a day. Whoever has it can come in: give it to that one person only.", err=True)
