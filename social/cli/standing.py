"""What must be said at every start and under every list: a pause, a dry-run that somebody may have forgotten, a profile
that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo

from sqlmodel import Session

from social.cli.wording import moment, printable
from social.domain.post import ProfileMode
from social.store import control, health


def standing(session: Session, *, now: datetime, zone: tzinfo) -> Iterator[str]:
    """One sentence each."""
    paused = control.paused_since(session)
    if paused is not None:
        yield f"Paused since {moment(paused[0], zone)} by {paused[1]}: nothing is sent. End it with: social unpause"
    for profile in health.of_profiles(session, now=now):
        if profile.mode is ProfileMode.DRY_RUN:
            since = f" since {moment(profile.dry_run_since, zone)}" if profile.dry_run_since else ""
            yield (
                f"DRY-RUN on {profile.name}{since}: customers get NO automatic answer; {profile.rehearsed} would have had "
                f"one. Go live with: social go-live {profile.name}"
            )
        if profile.last_error is not None:
            yield f"{profile.name} cannot be read: {printable(profile.last_error)}"
