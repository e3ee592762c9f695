"""``social go-live``: what a profile in dry-run would have said to whom, and the step to saying it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from social.cli.asking import Asker
from social.cli.command import Config, Json, new_app, print_json, say

if TYPE_CHECKING:
    from pathlib import Path

    from social.cli.opening import Opened
    from social.domain.post import ProfileMode
    from social.ports import Connector
    from social.settings import ProfileSettings
    from social.store.rehearsals import Rehearsed

app = new_app()

ERROR, OK = "error", "ok"


@dataclass(frozen=True, slots=True)
class Check:
    """``level``: ok, note, or error, which stops the step; ``exit_code`` is the command's then."""

    level: str
    sentence: str
    exit_code: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What is shown before anybody is asked."""

    profile: str
    mode: ProfileMode
    to: ProfileMode
    dry_run_since: datetime | None
    since: datetime
    rehearsed: list[Rehearsed]
    unanswered: int
    checks: list[Check]
    unconfirmed: list[str]
    daemons: list[str]


@app.command()
def go_live(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="The name of one of [[profiles]].")],
    config: Config = None,
    days: Annotated[int, typer.Option("--days", min=1, max=90, help="How far back to look.")] = 7,
    confirm: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="What you confirm to the network's rules; may be repeated.")
    ] = None,
    closed_notice: Annotated[
        bool | None,
        typer.Option("--closed-notice/--no-closed-notice", help="Outside hours, say when the team is back."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Switch on without asking.")] = False,
    as_json: Json = False,
) -> None:
    """See what would have been said in dry-run, and switch a profile on.

    One step at a time: off, dry-run, acknowledge. Looks at the credential, what it may do and what you confirmed, asks,
    and changes the mode in config.toml; the desk follows at its next start. What was planned before is never sent. With
    --json and without --yes it only looks.
    """
    from social.cli.config_file import called, own_settings, replace_text, require_usable, require_writable
    from social.cli.connecting import words_in
    from social.cli.opening import opened_store

    settings, file = own_settings(config)
    changes = yes or not as_json
    if changes:
        require_writable(file)
    with opened_store(config) as opened:
        chosen = _chosen(opened, profile)
        connector = _connector_type(chosen)
        review = _review(opened, chosen, connector, days=days, confirmed=confirm or [])
    zone = ZoneInfo(settings.brand(chosen.brand).timezone)
    if not as_json:
        print(_as_text(review, zone), flush=True)
        _say_meaning(review)
    changed = False
    if changes:
        asker = Asker(words=words_in("en")["say"], silent=yes)
        if _agreed(asker, review, connector):
            text = _changed_text(asker, review, chosen, connector, file, closed_notice)
            require_usable(text, settings)
            replace_text(file, text)
            changed = True
    if as_json:
        print_json({**_json(review), "changed": changed, "config": file})
    elif changed:
        print(f"{profile}: mode = {review.to.value} in {file}.")
        if review.daemons:
            print(f"The running desk ({', '.join(review.daemons)}) still works by the old mode: start it again.")
        else:
            print(f"It holds from the next start on: {called(file)} run")
    else:
        print("Nothing was changed.")


# --- looking -----------------------------------------------------------------------------------------------------------


def _chosen(opened: Opened, name: str) -> ProfileSettings:
    from social.domain.errors import Conflict, NotFound
    from social.domain.post import ProfileMode

    found = opened.settings.profile(name)
    if found is None:
        known = ", ".join(item.name for item in opened.settings.profiles)
        raise NotFound(f"there is no profile {name!r}.", next_step=f"Known: {known}.")
    if found.mode is ProfileMode.ACKNOWLEDGE:
        raise Conflict(
            "its mode is acknowledge already.",
            resource=name,
            next_step="If the desk still rehearses, start it again; social pause stops all sending at once.",
        )
    return found


def _connector_type(chosen: ProfileSettings) -> type[Connector]:
    from connectors import registry

    return registry.load(chosen.connector)


def _review(
    opened: Opened, chosen: ProfileSettings, connector: type[Connector], *, days: int, confirmed: Sequence[str]
) -> Review:
    from social import clock
    from social.domain.post import ProfileMode
    from social.store import control, profiles, rehearsals

    since = opened.clock.now() - timedelta(days=days)
    with opened.database.read() as session:
        row = profiles.by_name(session, chosen.name)
        found = rehearsals.rehearsed(session, row.id, since=since) if row is not None else []
        dry = rehearsals.dry_run_since(session, row.id) if row is not None else None
        daemons = control.running(session, at=clock.machine_now())
    already = {*chosen.options.get("confirmed", ()), *confirmed}
    wanted = connector.setup.confirmations
    confirmations = [
        Check(OK, f"you confirmed: {name}") if name in already else Check("note", f"not confirmed yet: {name}")
        for name in wanted
    ]
    return Review(
        profile=chosen.name,
        mode=chosen.mode,
        to=ProfileMode.DRY_RUN if chosen.mode is ProfileMode.OFF else ProfileMode.ACKNOWLEDGE,
        dry_run_since=dry,
        since=since,
        rehearsed=found,
        unanswered=rehearsals.unanswered(found),
        checks=[*_checks(opened, chosen, connector), *confirmations],
        unconfirmed=[name for name in wanted if name not in already],
        daemons=[daemon.name for daemon in daemons],
    )


def _checks(opened: Opened, chosen: ProfileSettings, connector: type[Connector]) -> list[Check]:
    """Does the credential work, may it do what is needed, and for how long?"""
    from connectors.setup import guide
    from social.domain.errors import DyzurError
    from social.engine import build
    from social.engine.meter import StoredMeter
    from social.ports import ConnectorContext

    context = ConnectorContext(
        profile=chosen.name,
        options=chosen.options,
        settings=opened.settings.connectors.get(chosen.connector, {}),
        credential=chosen.credential,
        credentials=build.open_credentials(opened.settings, opened.database),
        clock=opened.clock,
        meter=StoredMeter(database=opened.database, profile=chosen.name),
    )
    try:
        live = connector.open(context)
        try:
            found = live.inspect()
        finally:
            live.close()
    except DyzurError as error:
        return [Check(ERROR, str(error), error.exit_code)]
    words = guide(connector, "en")
    account = found.identity.handle or found.identity.display_name or found.identity.native_id
    checks = [Check(OK, f"the credential works: {connector.label}, {account}")]
    checks += [Check(ERROR, words.problems.get(key, key)) for key in found.problems]
    if found.missing:
        lacks = f"the credential lacks {', '.join(found.missing)}"
        checks.append(Check(ERROR, f"{lacks}: social connect {chosen.connector} --renew {chosen.name}"))
    elif found.granted is not None:
        checks.append(Check(OK, f"it may do all that is needed ({', '.join(found.needed)})"))
    if found.expires_at is not None:
        checks.append(Check("note", f"it ends on {found.expires_at:%Y-%m-%d}"))
    return [*checks, *(Check("note", words.notes.get(key, key)) for key in found.notes)]


# --- showing -----------------------------------------------------------------------------------------------------------


def _as_text(review: Review, zone: ZoneInfo) -> str:
    from social.cli.wording import indented, moment, printable

    lines = []
    for item in review.rehearsed:
        answered = f"a person answered {moment(item.answered_at, zone)}" if item.answered_at else "nobody answered"
        lines += [
            f"{moment(item.at, zone)}  {item.kind.value} to {printable(item.author)} ({answered})",
            indented(item.excerpt or "(deleted by its author)"),
            indented(f"-> {item.text}"),
        ]
    if not review.rehearsed:
        lines.append(f"Nothing would have been said since {moment(review.since, zone)}.")
    lines.append("")
    dry = f"In dry-run since {moment(review.dry_run_since, zone)}. " if review.dry_run_since else ""
    lines.append(
        f"{dry}{len(review.rehearsed)} text(s) would have been sent since {moment(review.since, zone)}; "
        f"{review.unanswered} customer(s) of these got no answer at all."
    )
    lines += [f"  {check.level:<6}{check.sentence}" for check in review.checks]
    return "\n".join(lines)


def _say_meaning(review: Review) -> None:
    from social.domain.post import ProfileMode

    if review.to is ProfileMode.DRY_RUN:
        say(
            f"\n{review.profile} is off. The step to dry-run: texts are planned and shown, none is sent. Go live later."
        )
        return
    say(
        f"\nSwitching on means mode = acknowledge: from the next start on, customers of {review.profile} who wait get ONE "
        "automatic text each, publicly. What was rehearsed or planned until then is never sent. social pause stops "
        "everything within a second."
    )


def _agreed(asker: Asker, review: Review, connector: type[Connector]) -> bool:
    """All checks hold, everything is confirmed, and somebody says yes."""
    from connectors.setup import guide

    broken = [check for check in review.checks if check.level == ERROR]
    if broken:
        say(f"Mend this first: {broken[0].sentence}")
        raise typer.Exit(broken[0].exit_code)
    words = guide(connector, "en").confirm
    for name in review.unconfirmed:
        if asker.silent:
            raise typer.BadParameter(f"{words[name]}\nSay so with: --confirm {name}")
        if not asker.choice(words[name], given=None, default=False):
            say("The network wants that first.")
            return False
    return asker.choice(
        f"Switch {review.profile} to {review.to.value}?", given=True if asker.silent else None, default=False
    )


# --- changing ----------------------------------------------------------------------------------------------------------


def _changed_text(
    asker: Asker,
    review: Review,
    chosen: ProfileSettings,
    connector: type[Connector],
    file: Path,
    closed_notice: bool | None,
) -> str:
    """config.toml as it is now, with the mode, what was confirmed, and what happens outside hours."""
    from social.cli.config_file import with_value
    from social.cli.connecting import words_in
    from social.cli.wizard import toml_value
    from social.settings import load_settings

    settings = load_settings(file)
    index = next(index for index, item in enumerate(settings.profiles) if item.name == review.profile)
    text = with_value(settings.text, ("profiles", index, "mode"), toml_value(review.to.value), after="connector")
    if chosen.closed_notice is None or closed_notice is not None:
        question = words_in("en")["ask"]["closed_notice"]
        notice = asker.choice(question, given=closed_notice, default=True)
        text = with_value(text, ("profiles", index, "closed_notice"), toml_value(notice), after="mode")
    confirmations = list(connector.setup.confirmations)
    if confirmations and list(chosen.options.get("confirmed", ())) != confirmations:
        text = with_value(text, ("profiles", index, "options", "confirmed"), toml_value(confirmations))
    return text


def _json(review: Review) -> dict[str, Any]:
    whole = asdict(review)
    for check in whole["checks"]:
        del check["exit_code"]
    return whole
