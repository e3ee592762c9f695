"""How incidents and their statements are put on a terminal and into JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from typing import Any

from responders import holding
from social.cli.wording import indented, moment
from social.domain.incident import IncidentKind, IncidentState, Statement, StatementState
from social.domain.post import ProfileMode
from social.store.incidents import IncidentView

Zones = Mapping[str, tzinfo]


def line(view: IncidentView, zones: Zones) -> str:
    incident, zone = view.incident, zones.get(view.brand, UTC)
    rows = [f"#{incident.id}  {_what(view)}, {_when(view, zone)}", f"    {_numbers(view)}"]
    rows += [f"    {statement.language}  {_decided(statement)}" for statement in incident.statements]
    return "\n".join(rows)


def whole(view: IncidentView, zones: Zones) -> str:
    incident, zone = view.incident, zones.get(view.brand, UTC)
    rows = [f"Incident {incident.id}: {_what(view)}", f"  {_when(view, zone)}", f"  {_numbers(view)}"]
    for statement in incident.statements:
        rows += ["", f"  {statement.language}, {_decided(statement)}:", indented(statement.text)]
    if incident.state is IncidentState.RUNNING:
        if incident.statements:
            words = holding.problems_in(incident.statements[0].language)
            rows += ["", f"  Trouble that can be named with --problem: {', '.join(words)}"]
        rows += ["", *_what_now(view)]
    return "\n".join(rows)


def consequences(view: IncidentView) -> Iterator[str]:
    """What follows from what somebody just did."""
    incident = view.incident
    approved = [item.language for item in incident.statements if item.state is StatementState.APPROVED]
    if incident.state is not IncidentState.RUNNING:
        if incident.kind is IncidentKind.CRISIS:
            yield f"The robot acknowledges again on {view.profile}: customers whose hour still runs, nobody late."
        else:
            yield "The next report of an outage is a new one, and rings again."
        return
    if not approved:
        yield "The robot says nothing to these customers; answer them: social queue list"
        return
    yield f"Customers who complain on {view.profile} are told once, inside their hour ({', '.join(approved)})."
    yield f"{view.in_time} of {view.waiting} waiting cases are still inside it."
    if view.mode is not ProfileMode.ACKNOWLEDGE:
        yield f"The profile is {view.mode}: nothing is sent."
    yield f"Take it back: social statement reject {incident.id}"


def as_json(view: IncidentView) -> dict[str, Any]:
    incident = view.incident
    return {
        "incident": incident.id,
        "kind": incident.kind,
        "state": incident.state,
        "brand": view.brand,
        "profile": view.profile,
        "mode": view.mode,
        "opened_at": incident.opened_at,
        "last_seen_at": incident.last_seen_at,
        "ended_at": incident.ended_at,
        "ended_by": incident.ended_by,
        "detail": dict(incident.detail),
        "waiting": view.waiting,
        "in_time": view.in_time,
        "statements": [
            {
                "language": statement.language,
                "state": statement.state,
                "text": statement.text,
                "problem": statement.problem,
                "decided_by": statement.decided_by,
                "decided_at": statement.decided_at,
            }
            for statement in incident.statements
        ],
    }


def _what(view: IncidentView) -> str:
    where = view.profile or view.brand
    return f"{view.incident.kind} on {where}"


def _when(view: IncidentView, zone: tzinfo) -> str:
    incident = view.incident
    since = f"since {moment(incident.opened_at, zone)}"
    if incident.ended_at is None:
        return f"{since}, running"
    ended = f"{since}, ended {moment(incident.ended_at, zone)} by {incident.ended_by}"
    return f"{ended}; complaints still come" if incident.state is IncidentState.LIFTED else ended


def _numbers(view: IncidentView) -> str:
    detail = view.incident.detail
    cases = f"{view.waiting} waiting cases, {view.in_time} of them within their hour"
    if view.incident.kind is not IncidentKind.CRISIS:
        return cases
    usual = f"{detail['customers']} customers complained within an hour, {detail['usual']:.1f} are usual"
    return f"{usual}; {cases}"


def _decided(statement: Statement) -> str:
    if statement.state is StatementState.WAITING:
        return "waits for a person"
    by = f" by {statement.decided_by}" if statement.decided_by else ""
    return f"{statement.state}{by}"


def _what_now(view: IncidentView) -> list[str]:
    number = view.incident.id
    rows = [f"  End it:  social statement end {number}"]
    if any(item.state is StatementState.WAITING for item in view.incident.statements):
        rows = [
            f"  Say it:  social statement approve {number}",
            f"  Not:     social statement reject {number}",
            *rows,
        ]
    return rows
