"""``social poll``: ask one network once, and show what is new there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from social.cli.command import Config, Json, new_app, print_json

app = new_app()


@app.command()
def poll(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="The name of one of [[profiles]].")],
    once: Annotated[bool, typer.Option("--once", help="Ask once and stop (the daemon asks for ever).")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look: nothing is stored, the cursor stays.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Ask one network once and show what is new there.

    With --dry-run nothing is stored. Without it, posts and cursor are kept and the daemon goes on from there.
    """
    from social.cli import logs
    from social.cli.opening import opened_for_a_look, opened_store
    from social.domain.errors import ConfigurationError, NotFound, UsageError
    from social.engine import build
    from triage.load import rules_only

    if not once:
        raise UsageError(
            "this command asks once.",
            next_step=f"Say so: social poll {profile} --once (the daemon asks for ever: social run)",
        )
    logs.set_up(level="ERROR")  # what a turn warns of ends this command, and is told then
    with opened_for_a_look(config) if dry_run else opened_store(config) as opened:
        if opened.settings.profile(profile) is None:
            known = ", ".join(item.name for item in opened.settings.profiles)
            raise NotFound(f"there is no profile {profile!r}.", next_step=f"Known: {known}.")
        nobody = rules_only("polling needs no judge")
        desk = build.open_desk(opened.settings, opened.database, opened.clock, judge=(nobody, nobody), only=[profile])
        if desk.broken:
            raise ConfigurationError(desk.broken[profile])
        (live,) = desk.profiles.values()
        try:
            found, unreadable = _look(desk, live) if dry_run else _poll(desk, live, opened.clock.now())
        finally:
            live.connector.close()
    if as_json:
        print_json({"profile": profile, "stored": not dry_run, "posts": found, "unreadable": unreadable})
        return
    for item in found:
        # one line a post, whatever its text holds
        item = {key: " ".join(str(value).split()) for key, value in item.items()}
        print(f"{item['created_at']}  {item['kind']:<12}  {item['author']}: {item['text']}")
    print(f"{len(found)} new, {unreadable} unreadable; {'nothing stored' if dry_run else 'stored'}.")


def _look(desk: Any, live: Any) -> tuple[list[dict[str, Any]], int]:
    """One page from the stored cursor, kept nowhere."""
    from social.store import profiles

    with desk.database.read() as session:
        cursor = profiles.by_ids(session, [live.id])[0].cursor
    page = live.connector.fetch(cursor)
    shown = [_shown(post, post.kind.value, post.author.handle or post.author.native_id) for post in page.posts]
    return shown, len(page.quarantined)


def _shown(post: Any, kind: str, author: str) -> dict[str, Any]:
    """A post as fetched or as stored, for people and for JSON."""
    return {
        "created_at": post.created_at.isoformat(),
        "kind": kind,
        "author": author,
        "text": post.text,
        "ours": post.ours,
        "permalink": post.permalink,
    }


class _Overheard:
    """A connector whose last failure is kept: a turn writes down its words alone, and a script goes by its exit code."""

    def __init__(self, connector: Any) -> None:
        self._connector = connector
        self.failure: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        from social.domain.errors import ConnectorError

        found = getattr(self._connector, name)
        if not callable(found):
            return found

        def called(*args: Any, **kwargs: Any) -> Any:
            try:
                return found(*args, **kwargs)
            except ConnectorError as error:
                self.failure = error
                raise

        return called


def _poll(desk: Any, live: Any, now: datetime) -> tuple[list[dict[str, Any]], int]:
    """A turn as the daemon takes it, whatever the profile's own due time."""
    from dataclasses import replace

    from sqlalchemy import func, select

    from social.domain.errors import DyzurError
    from social.engine.claims import Claimed, claim
    from social.engine.poll import fetch_and_remember
    from social.store import profiles
    from social.store.rows import c
    from social.store.tables import AuthorRow, PostRow, QuarantineRow

    columns = c(PostRow)
    with desk.database.read() as session:
        highest = session.execute(select(func.max(columns.id))).scalar() or 0
        aside = session.execute(select(func.max(c(QuarantineRow).id))).scalar() or 0
    claimed = claim(
        desk.database,
        Claimed.PROFILE,
        now=now + timedelta(days=36500),
        limit=1,
        lease=desk.leases.poll,
        profiles=[live.id],
    )
    if not claimed:
        raise DyzurError(f"a daemon is polling {live.name} right now.", next_step="Try again in a moment.")
    overheard = _Overheard(live.connector)
    desk.profiles[live.id] = replace(live, connector=overheard)
    fetch_and_remember(desk, claimed, now)
    with desk.database.read() as session:
        after = profiles.by_ids(session, [live.id])[0]
        if after.last_error is not None:
            raise overheard.failure or DyzurError(after.last_error, resource=live.name)
        rows = session.execute(
            select(PostRow, c(AuthorRow).handle, c(AuthorRow).native_id)
            .join(AuthorRow, c(AuthorRow).id == columns.author_id)
            .where(columns.profile_id == live.id, columns.id > highest)
            .order_by(columns.created_at)
        ).all()
        unreadable = session.execute(
            select(func.count()).select_from(QuarantineRow).where(c(QuarantineRow).id > aside)
        ).scalar()
        shown = [_shown(post, post.kind, handle or native_id) for post, handle, native_id in rows]
    return shown, unreadable or 0
