"""``social label``: people correct the classifier, post by post; files and figures of what they said."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from social.cli.command import Acting, Config, Json, acting, columns, new_app, print_json, say

if TYPE_CHECKING:
    from social.cli.label_round import Tally
    from social.cli.opening import Opened
    from social.domain.assessment import Head
    from social.reports.labels import Accuracy, Agreement, LabelStatus
    from social.store.label_picks import Wish

app = new_app(invoke_without_command=True)


class AskedHead(StrEnum):
    SENTIMENT = "sentiment"
    URGENCY = "urgency"
    NEEDS_REPLY = "needs_reply"


class For(StrEnum):
    TRAINING = "training"
    EVALUATION = "evaluation"


@app.callback()
def label(
    context: typer.Context,
    config: Config = None,
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", metavar="NAME", help="Only posts of this profile.")
    ] = None,
    head: Annotated[
        AskedHead | None, typer.Option("--head", help="Ask only this. Default: all three, most doubtful first.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most so many posts.")] = 20,
    language: Annotated[
        str | None, typer.Option("--language", metavar="CODE", help="Only posts judged to be in it: pl, en.")
    ] = None,
    second: Annotated[
        bool, typer.Option("--second", help="Posts that somebody else labelled, without seeing how.")
    ] = False,
    name: Acting = None,
    as_json: Json = False,
) -> None:
    """Say of uncertain posts what they are, and of some drawn at random: one key an answer.

    Every answer is kept at once. With --json it only lists what would be asked. Without a terminal it reads a line for each
    key. docs/labelling.md tells what becomes of the texts, and why those of some networks never teach.
    """
    if context.invoked_subcommand is not None:
        return
    from social.cli.opening import opened_store
    from social.domain.assessment import Head
    from social.store.label_picks import Wish

    wish = Wish(
        head=None if head is None else Head(head.value),
        profile=profile,
        language=language,
        limit=limit,
        second=second,
    )
    with opened_store(config) as opened:
        _known_profile(opened, profile)
        if as_json:
            print_json(list(_listed(opened, wish, acting(name))))
        else:
            _round(opened, wish, acting(name))


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write JSON Lines (mode 0600).")],
    config: Config = None,
    purpose: Annotated[
        For, typer.Option("--for", help="For training only what may teach is written.")
    ] = For.EVALUATION,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    name: Acting = None,
    as_json: Json = False,
) -> None:
    """Write labels and texts as JSON Lines.

    A post a line, as `social evaluate` and a training read them. Delete such files when you need them no more: what
    customers delete later goes from here, not from them.
    """
    from social.cli.opening import opened_store
    from social.domain.errors import UsageError
    from social.engine.label_file import Purpose, label_file, told
    from social.reports.files import replacing
    from social.store.journal import note

    if file.exists() and not force:
        raise UsageError("there is a file already.", resource=str(file), next_step="Replace it with --force.")
    with opened_store(config) as opened:
        made = label_file(opened.database, Purpose(purpose.value))
        with opened.database.write() as session:
            detail = {"for": purpose.value, "rows": len(made.rows)}
            now, who = opened.clock.now(), acting(name)
            note(session, at=now, actor=who, verb="exported", subject="labels", subject_id=None, detail=detail)
    with replacing(file) as target:
        os.fchmod(target.fileno(), 0o600)
        for row in made.rows:
            # a lone surrogate is no UTF-8; as an escape it is JSON
            target.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace"))
    if as_json:
        print_json({"file": file, "for": purpose, "rows": len(made.rows), "left_out": dict(made.left_out)})
        return
    print(f"{file}: {len(made.rows)} labelled posts for {purpose.value}.")
    for line in told(made.left_out):
        say(line)


@app.command()
def status(config: Config = None, as_json: Json = False) -> None:
    """Count labels, and who agrees with whom.

    How often the classifier is right on random posts, and how far it and people, and people among themselves, agree.
    """
    from social.cli.opening import opened_store
    from social.reports.labels import status_of
    from social.store.label_rows import of_rounds

    with opened_store(config) as opened, opened.database.read() as session:
        found = status_of(list(of_rounds(session)))
    if as_json:
        print_json(found)
    else:
        print("\n".join(_status(found)))


# --- the round ---------------------------------------------------------------------------------------------------------


def _known_profile(opened: Opened, profile: str | None) -> None:
    from social.domain.errors import NotFound

    if profile is not None and opened.settings.profile(profile) is None:
        known = ", ".join(item.name for item in opened.settings.profiles)
        raise NotFound(f"there is no profile {profile!r}.", next_step=f"There are: {known}.")


def _listed(opened: Opened, wish: Wish, user: str) -> Iterator[dict[str, object]]:
    from social.cli.label_round import as_json
    from social.engine import labelling

    for pick in labelling.picks(opened.database, wish, user=user):
        shown = labelling.look(opened.database, pick)
        if shown is not None:
            yield as_json(pick, shown)


def _round(opened: Opened, wish: Wish, user: str) -> None:
    from social.cli.keys import keys_of_stdin
    from social.cli.label_round import LEGEND, Round
    from social.engine import labelling
    from social.engine.calendars import calendars_of

    picks = labelling.picks(opened.database, wish, user=user)
    if not picks:
        none = "Nothing of this kind waits for a label: it is all labelled, or nothing was judged yet."
        print("Nothing waits for a second label." if wish.second else none)
        return
    zone = calendars_of(opened.settings)[opened.settings.brands[0].name].timezone
    say(f"{len(picks)} posts, labelled by {user}.  {LEGEND}")
    with keys_of_stdin() as keys:
        tally = Round(
            database=opened.database,
            clock=opened.clock,
            zone=zone,
            user=user,
            wish=wish,
            picks=picks,
            keys=keys,
        ).run()
    say()
    print(_summary(tally))


def _summary(tally: Tally) -> str:
    parts = [f"{tally.kept} labelled"]
    parts += [f"{tally.skipped} skipped"] if tally.skipped else []
    parts += [f"{tally.lost} lost to others or gone"] if tally.lost else []
    return ", ".join(parts) + ".  How it looks now: social label status"


# --- figures -----------------------------------------------------------------------------------------------------------


def _status(found: LabelStatus) -> Iterator[str]:
    if not found.posts:
        yield "No labels yet. Make some with: social label"
        return
    yield f"{found.posts} posts labelled, {found.second} of them by a second person; {found.may_teach} may teach."
    yield columns(
        [
            ("by head", _counts(found.by_head)),
            ("by language", _counts(found.by_language)),
            ("by network", _counts(found.by_network)),
            ("picked", _counts(found.by_pick)),
        ]
    )
    older = f" ({found.older} labels are about guesses of other models and do not count here)" if found.older else ""
    yield f"People and {found.model}{older}:"
    rows = [("", "right on random posts", "kappa, all posts", "kappa, two people")]
    rows += [
        (_name(figures.head), _share(figures.accuracy), _kappa(figures.model), _kappa(figures.people))
        for figures in found.heads
    ]
    yield columns(rows)
    yield "Only posts drawn at random say how good it is in general: the others were chosen because they are hard."


def _name(head: Head) -> str:
    return head.value.replace("_", " ")


def _counts(counted: object) -> str:
    assert isinstance(counted, dict)
    return ", ".join(f"{name} {count}" for name, count in counted.items()) or "none"


def _share(found: Accuracy) -> str:
    if found.share is None or found.low is None or found.high is None:
        return "none yet"
    return f"{found.share:.0%} ({found.low:.0%} to {found.high:.0%}, {found.right} of {found.posts})"


def _kappa(found: Agreement) -> str:
    if not found.posts:
        return "none yet"
    return f"{'undefined' if found.kappa is None else f'{found.kappa:.2f}'} ({found.posts})"
