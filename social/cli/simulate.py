"""``social simulate``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from social.cli.command import Config, Json, new_app, print_json, text_given

if TYPE_CHECKING:
    from social.engine.rehearse import Rehearsal, Scene, Stage
    from social.settings import ProfileSettings, Settings

app = new_app()


@app.command()
def simulate(
    text: Annotated[
        str, typer.Argument(metavar="TEXT|-", help="What the customer writes to the profile; - reads standard input.")
    ],
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="When: 2026-12-24T18:00 (the brand's time). Default: now; the demo's first minute.",
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", metavar="NAME", help="Where. Default: the first profile.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """What would happen with a text at a time, and why. Nothing is written or sent, and no database is needed.

    The text counts as a new post that addresses the profile, by somebody who never wrote before.
    """
    from social.cli import logs
    from social.engine.build import load_judge
    from social.engine.rehearse import rehearse
    from social.settings import load_settings

    settings, text = load_settings(config), text_given(text)
    logs.set_up(level="WARNING")
    where = _profile(settings, profile)
    scene = _scene(settings, where)
    when = _time(at, scene) if at else _now(settings)
    judge, _ = load_judge(settings)
    found = rehearse(text, at=when, scene=scene, classifier=judge)
    if as_json:
        print_json(as_dict(found, where.name))
    else:
        print("\n".join(in_words(found, scene, where.name)))


def _profile(settings: Settings, name: str | None) -> ProfileSettings:
    from social.domain.errors import NotFound

    found = settings.profiles[0] if name is None else settings.profile(name)
    if found is None:
        known = ", ".join(profile.name for profile in settings.profiles)
        raise NotFound(f"there is no profile {name!r}.", next_step=f"There are: {known}.")
    return found


def _scene(settings: Settings, where: ProfileSettings) -> Scene:
    from connectors import registry
    from responders.snapshot import Limits
    from social.engine import build
    from social.engine.calendars import calendar_of
    from social.engine.rehearse import Scene

    brand = settings.brand(where.brand)
    connector = registry.load(where.connector)
    return Scene(
        brand=brand.name,
        languages=brand.languages,
        calendar=calendar_of(brand),
        mode=where.mode,
        closed_notice=bool(where.closed_notice),
        rules=connector.reply_rules,
        capabilities=connector.capabilities,
        timing=build.timing_of(settings),
        limits=Limits(
            per_author_an_hour=settings.responders.per_author_an_hour,
            per_profile_an_hour=settings.responders.per_profile_an_hour,
        ),
        formal_deadline=settings.responders.formal_deadline,
    )


def _now(settings: Settings) -> datetime:
    """Without a database nobody knows how far the demo's world has got: it is asked about its beginning."""
    from social import clock

    return settings.clock.start or clock.machine_now()


def _time(text: str, scene: Scene) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time; write it like 2026-12-24T18:00") from None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=scene.calendar.timezone)
    # an hour that the clocks skip is the moment that it names, not a wall time that never was
    return aware.astimezone(UTC).astimezone(scene.calendar.timezone)


# --- for people --------------------------------------------------------------------------------------------------------


def in_words(found: Rehearsal, scene: Scene, profile: str) -> Iterator[str]:
    from social.cli.wording import language_name, moment

    zone = scene.calendar.timezone
    judged = found.assessment
    yield f"{moment(found.at, zone)} on {profile} ({scene.brand}): {_desk(found, scene)}"
    yield ""
    yield (
        f"Judged as {judged.sentiment.value} ({judged.sentiment_scores[judged.sentiment]:.0%}), "
        f"{judged.urgency.value} ({judged.urgency_scores[judged.urgency]:.0%}), {language_name(judged.language)}, "
        f"{'needs an answer' if judged.needs_reply else 'needs no answer'}  [{judged.model}]"
    )
    if judged.flags:
        yield f"  says: {', '.join(sorted(judged.flags))}"
    if judged.abstained:
        yield f"  unsure of: {', '.join(sorted(judged.abstained))}"
    for reason in judged.reasons:
        words = f' "{reason.evidence}"' if reason.evidence else ""
        yield f"  {reason.source} {reason.name}{words}{f': {reason.effect}' if reason.effect else ''}"
    for stage in found.stages:
        yield ""
        yield from _stage_in_words(stage, scene)


def _desk(found: Rehearsal, scene: Scene) -> str:
    from social.cli.wording import moment

    zone = scene.calendar.timezone
    if found.is_open:
        return f"open until {moment(found.closes_at, zone)}" if found.closes_at else "open without a break in sight"
    return f"closed until {moment(found.next_opening, zone)}" if found.next_opening else "closed, no opening in sight"


def _stage_in_words(stage: Stage, scene: Scene) -> Iterator[str]:
    from social.cli.wording import indented, moment

    zone, decision = scene.calendar.timezone, stage.decision
    where = f"goes into the people's queue as {decision.urgency.value}" if decision.escalate else "is not put to people"
    yield f"{moment(stage.at, zone)}: the post {where}."
    yield f"  rule {decision.rule}: {decision.reason}"
    if decision.formal:
        yield f"  a formal complaint: it needs an answer within {scene.formal_deadline.days} days, or a reason"
    if decision.alert:
        yield "  somebody is rung at once"
    if decision.opt_out:
        yield "  the author gets no automatic texts any more"
    elif decision.silence:
        yield "  no automation in this conversation from here"
    if decision.decide_again_at is not None:
        yield f"  decided again at {moment(decision.decide_again_at, zone)}"
    if decision.reply is None:
        yield "  The robot says nothing."
    else:
        reply = decision.reply
        yield f"  {_promise(stage, scene)} ({reply.kind.value}, {moment(reply.due_at, zone)}, variant {_variant(stage)}):"
        if stage.words is not None:
            yield indented(stage.words.text)
        if stage.obstacle:
            yield f"  But not: {stage.obstacle}"


def _promise(stage: Stage, scene: Scene) -> str:
    if stage.sent:
        return "The robot says, unless a person answers first"
    return f"The robot would say, but says nothing (mode {scene.mode.value})" if not stage.obstacle else "Wanted"


def _variant(stage: Stage) -> str:
    return stage.words.variant if stage.words else "none"


# --- for scripts -------------------------------------------------------------------------------------------------------


def as_dict(found: Rehearsal, profile: str) -> dict[str, Any]:
    from social.cli.classify import described

    return {
        "at": found.at,
        "profile": profile,
        "open": found.is_open,
        "closes_at": found.closes_at,
        "next_opening": found.next_opening,
        "judgement": described(None, found.assessment),
        "decisions": [_stage_as_dict(stage) for stage in found.stages],
    }


def _stage_as_dict(stage: Stage) -> dict[str, Any]:
    decision, reply = stage.decision, stage.decision.reply
    return {
        "at": stage.at,
        "rule": decision.rule,
        "reason": decision.reason,
        "policy_version": decision.policy_version,
        "outcome": decision.outcome,
        "urgency": decision.urgency,
        "alert": decision.alert,
        "formal": decision.formal,
        "silence": decision.silence,
        "opt_out": decision.opt_out,
        "decide_again_at": decision.decide_again_at,
        "reply": None
        if reply is None
        else {
            "kind": reply.kind,
            "due_at": reply.due_at,
            "not_after": reply.not_after,
            "text": stage.words.text if stage.words else None,
            "language": stage.words.language if stage.words else None,
            "variant": stage.words.variant if stage.words else None,
            "sent": stage.sent,
            "obstacle": stage.obstacle or None,
        },
    }
