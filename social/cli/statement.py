"""``social statement``: what the robot would tell customers in a crisis, once a person approves it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from social.cli.command import Acting, Config, Json, acting, new_app, print_json

if TYPE_CHECKING:
    from social.cli.opening import Opened
    from social.store.incidents import IncidentView

app = new_app(help="Crises and outages: read, approve or reject a holding statement, end it.", no_args_is_help=True)

IncidentId = Annotated[int, typer.Argument(metavar="INCIDENT", help="The number in `social statement list`.", min=1)]
Language = Annotated[
    str | None, typer.Option("--language", "-l", metavar="CODE", help="Only the one in this language, such as pl.")
]


@app.command("list")
def list_incidents(
    config: Config = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """Crises and outages, what runs first, each with its statements."""
    from social.cli import statement_text
    from social.cli.opening import opened_store
    from social.store import incidents

    with opened_store(config) as opened, opened.database.read() as session:
        found = incidents.views(session, now=opened.clock.now(), limit=limit)
    if as_json:
        print_json([statement_text.as_json(view) for view in found])
        return
    zones = _zones(opened)
    print("\n".join(statement_text.line(view, zones) for view in found) or "No crisis and no outage.")


@app.command()
def show(incident: IncidentId, config: Config = None, as_json: Json = False) -> None:
    """One incident: its numbers, the whole texts, who decided, and what else could be said."""
    from social.cli import statement_text
    from social.cli.opening import opened_store

    with opened_store(config) as opened:
        view = _view(opened, incident)
    if as_json:
        print_json(statement_text.as_json(view))
    else:
        print(statement_text.whole(view, _zones(opened)))


@app.command()
def approve(
    incident: IncidentId,
    config: Config = None,
    name: Acting = None,
    language: Language = None,
    problem: Annotated[
        str | None,
        typer.Option("--problem", metavar="WORD", help="Name the trouble: payments, delivery ... (see `show`)."),
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="TEXT", help="Your own words instead; - reads standard input.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let the robot say it, to the customers who complain while the crisis runs.

    Each is told once, within an hour of writing. Your name goes into the audit log.
    """
    from social.cli.opening import opened_store
    from social.engine import statements

    if text is not None and problem is not None:
        raise typer.BadParameter("--text has its own words; leave out --problem")
    words = sys.stdin.read() if text == "-" else text
    with opened_store(config) as opened:
        context = statements.context_of(opened.database, incident)
        statements.approve(
            opened.database,
            context,
            incident,
            user=acting(name),
            now=opened.clock.now(),
            language=language,
            problem=problem,
            text=words,
        )
        view = _view(opened, incident)
    _tell(view, as_json, f"Approved by {acting(name)}.")


@app.command()
def reject(
    incident: IncidentId,
    config: Config = None,
    name: Acting = None,
    language: Language = None,
    as_json: Json = False,
) -> None:
    """Not to be said. One that was approved is taken back; what went out already cannot be."""
    from social.cli.opening import opened_store
    from social.engine import statements

    with opened_store(config) as opened:
        statements.reject(opened.database, incident, user=acting(name), now=opened.clock.now(), language=language)
        view = _view(opened, incident)
    _tell(view, as_json, f"Rejected by {acting(name)}.")


@app.command()
def end(incident: IncidentId, config: Config = None, name: Acting = None, as_json: Json = False) -> None:
    """End it: the robot acknowledges again.

    A crisis comes back only after the complaints have calmed down for two hours.
    """
    from social.cli.opening import opened_store
    from social.engine import statements

    with opened_store(config) as opened:
        statements.end(opened.database, incident, user=acting(name), now=opened.clock.now())
        view = _view(opened, incident)
    _tell(view, as_json, f"Ended by {acting(name)}.")


# --- pieces ------------------------------------------------------------------------------------------------------------


def _view(opened: Opened, incident_id: int) -> IncidentView:
    from social.store import incidents

    with opened.database.read() as session:
        incidents.get(session, incident_id)  # says so where there is none
        return incidents.views(session, now=opened.clock.now(), incident_id=incident_id)[0]


def _zones(opened: Opened) -> dict[str, Any]:
    from zoneinfo import ZoneInfo

    return {brand.name: ZoneInfo(brand.timezone) for brand in opened.settings.brands}


def _tell(view: IncidentView, as_json: bool, done: str) -> None:
    from social.cli import statement_text

    if as_json:
        print_json(statement_text.as_json(view))
        return
    print(done)
    print("\n".join(statement_text.consequences(view)))
