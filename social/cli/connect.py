"""``social connect``: a guided set-up of one account, proven before it is written down."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from social.cli.asking import Asker, spoken_language
from social.cli.command import Config, Json, columns, new_app, print_json, say

if TYPE_CHECKING:
    from pathlib import Path

    from social.cli.connecting import Connected, Place, Setup
    from social.domain.post import ProfileMode
    from social.ports import Ask, SetupForm
    from social.settings import ProfileSettings, Settings

app = new_app()


@app.command()
def connect(
    kind: Annotated[
        str | None, typer.Argument(metavar="NETWORK", help="The kind of network. Without it: which there are.")
    ] = None,
    config: Config = None,
    language: Annotated[str | None, typer.Option("--lang", metavar="pl|en", help="Language of the guide.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Your name for the profile.")] = None,
    brand: Annotated[str | None, typer.Option(metavar="BRAND", help="One of [[brands]]. Default: the first.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="An answer that is no secret; may be given again.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="Which account, where an access opens several.")
    ] = None,
    confirm: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="What you confirm to the network's rules; may be repeated.")
    ] = None,
    closed_notice: Annotated[
        bool | None,
        typer.Option("--closed-notice/--no-closed-notice", help="Outside hours, say when the team is back."),
    ] = None,
    renew: Annotated[
        str | None,
        typer.Option(metavar="PROFILE", help="A new access for a profile that is there; nothing else changes."),
    ] = None,
    secret_from_stdin: Annotated[
        bool,
        typer.Option("--secret-from-stdin", help="Ask nothing: secrets come in, one a line, in the guide's order."),
    ] = False,
    printed: Annotated[
        bool, typer.Option("--print", help="Print the profile instead of adding it to config.toml.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Connect an account: a guide, hidden input, a proof, then the profile in dry-run.

    Says which account and app to make, keeps the secret in a file that only its owner can read, shows who it is, what it
    may do and until when, the latest posts and what a month will cost, and adds the profile to config.toml. A secret never
    stands on the command line. An access that ended is renewed: social connect NETWORK --renew PROFILE
    """
    from connectors import registry
    from connectors import setup as guides
    from social.cli import connecting
    from social.cli.config_file import own_settings, require_writable
    from social.clock import RealClock, SteppedClock
    from social.settings import ClockMode

    spoken = spoken_language(language)
    if kind is None and renew is None:
        _list_networks(spoken, as_json=as_json)
        return
    if kind is not None:
        registry.load(kind)  # an unknown one is told before anything else
    settings, file = own_settings(config)
    profile = None
    if renew is not None:
        profile = _to_renew(settings, file, kind, renew)
        kind = profile.connector
        _require_alone(name=name, brand=brand, confirm=confirm, closed_notice=closed_notice, print=printed or None)
    connector = registry.load(kind or "")
    real = settings.clock.mode is ClockMode.REAL
    words = connecting.words_in(spoken)
    prepared = connecting.Setup(
        settings=settings,
        config=file,
        connector=connector,
        guide=guides.guide(connector, spoken),
        words=words,
        asker=Asker(words=words["say"], silent=secret_from_stdin, silenced_by="--secret-from-stdin"),
        given=connecting.Given(
            name=name, brand=brand, account=account, options=_public_answers(connector.setup, option or [])
        ),
        clock=RealClock() if real else SteppedClock(_simulated_now(settings)),
        polish=spoken == "pl",
    )
    _require_known(connector.setup, confirm or [])
    if profile is not None:
        _require_alone(option=[ask.name for ask in _options_of(connector.setup) if ask.name in prepared.given.options])
    where = None if profile is None else connecting.place_of(prepared, profile)
    if not printed and not (where and where.renews):
        require_writable(file)
    if not secret_from_stdin:
        _show_guide(prepared)
    if where is None:
        where = connecting.place(prepared)
    if where.existing is not None:
        say(words["say"]["renewing" if where.renews else "adopted"].format(name=where.name))
    connected = connecting.connect(prepared, where)
    try:
        if where.renews:
            _put_in_place(prepared, where, connected, as_json=as_json)
        else:
            _finish(prepared, where, connected, confirm or [], closed_notice, printed=printed, as_json=as_json)
    except BaseException:
        connected.secret.remove()
        raise


def _to_renew(settings: Settings, file: Path, kind: str | None, name: str) -> ProfileSettings:
    from social.cli.connecting import renewal

    found = settings.profile(name)
    if found is None:
        known = [profile.name for profile in settings.profiles if kind in (None, profile.connector)]
        told = f"config.toml has no profile {name!r}; there are: {', '.join(known) or 'none of this network'}"
        raise typer.BadParameter(told, param_hint="--renew")
    if kind not in (None, found.connector):
        raise typer.BadParameter(
            f"{name} is a profile of {found.connector}: {renewal(file, found)}", param_hint="--renew"
        )
    return found


def _require_alone(**given: object) -> None:
    """``--renew`` changes nothing in config.toml: what would do that must not be taken silently."""
    for key, value in given.items():
        if value is not None and value != []:
            option = f"--{key.replace('_', '-')}"
            raise typer.BadParameter(f"{option} changes the profile, --renew only its access: leave one out")


def _put_in_place(setup: Setup, where: Place, connected: Connected, *, as_json: bool) -> None:
    """The proof, then the new access in the place of the old one."""
    from zoneinfo import ZoneInfo

    from social.cli import proof

    assert where.existing is not None
    if not as_json:
        zone = ZoneInfo(setup.settings.brand(where.brand).timezone)
        print(
            proof.as_text(connected.proof, setup.guide, setup.words["proof"], zone=zone, polish=setup.polish),
            flush=True,
        )
    connected.secret.take_place_of(where.secret)
    if as_json:
        print_json(_json(setup, where, connected, where.existing.mode, None))
    say(setup.words["say"]["renewed"].format(name=where.name, file=where.secret))


def _list_networks(language: str, *, as_json: bool) -> None:
    from connectors import registry
    from connectors.setup import guide
    from social.domain.errors import ConfigurationError

    rows = []
    for kind in registry.kinds():
        connector = registry.load(kind)
        try:
            takes = guide(connector, language).takes
        except ConfigurationError as error:
            takes = error.what  # another package's, which brought no guide
        rows.append((kind, connector.label, takes))
    if as_json:
        print_json([{"network": kind, "label": label, "takes": takes} for kind, label, takes in rows])
    else:
        print(columns(rows))


def _simulated_now(settings: Settings) -> Any:
    from social.cli.opening import world_now

    return world_now(settings)


def _public_answers(form: SetupForm, given: Sequence[str]) -> dict[str, str]:
    asks = {ask.name: ask for ask in form.asks}
    known = ", ".join(ask.name for ask in form.asks if not ask.hidden) or "none"
    answers = {}
    for text in given:
        key, sign, value = text.partition("=")
        if key in asks and asks[key].hidden:
            # the value is not repeated: it is in the shell's history already
            raise typer.BadParameter(
                f"{key} is a secret, and others can read command lines: make a new one and type it when it is asked, or "
                "send it in with --secret-from-stdin",
                param_hint="--option",
            )
        if not sign or key not in asks:
            raise typer.BadParameter(f"write KEY=VALUE; the keys are: {known}", param_hint="--option")
        answers[key] = value
    return answers


def _options_of(form: SetupForm) -> list[Ask]:
    from social.ports import Goes

    return [ask for ask in form.asks if ask.goes is Goes.OPTION]


def _require_known(form: SetupForm, confirmed: Sequence[str]) -> None:
    unknown = [name for name in confirmed if name not in form.confirmations]
    if unknown:
        known = ", ".join(form.confirmations) or "nothing"
        raise typer.BadParameter(f"{unknown[0]!r} is nothing that this network wants confirmed: {known}")


def _show_guide(setup: Setup) -> None:
    words, guide = setup.words["say"], setup.guide
    say(_folded(f"{words['title'].format(network=setup.connector.label)}. {guide.takes}"))
    say()
    say(words["steps"])
    for number, step in enumerate(guide.steps, start=1):
        say(_folded(f"{number}. {step}", first="  ", rest="     "))
    if guide.review:
        say()
        say(_folded(words["review"].format(review=guide.review)))
    say()


def _folded(text: str, *, first: str = "", rest: str = "") -> str:
    return "\n".join(wrap(text, 110, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False))


def _finish(
    setup: Setup,
    where: Place,
    connected: Connected,
    confirmed: Sequence[str],
    closed_notice: bool | None,
    *,
    printed: bool,
    as_json: bool,
) -> None:
    """The proof, the last questions, the profile."""
    from zoneinfo import ZoneInfo

    from social.cli import connecting, proof
    from social.cli.config_file import replace_text, require_usable
    from social.cli.wizard import options_table, profile_table, words_in

    zone = ZoneInfo(setup.settings.brand(where.brand).timezone)
    if not as_json:
        print(
            proof.as_text(connected.proof, setup.guide, setup.words["proof"], zone=zone, polish=setup.polish),
            flush=True,
        )
    options, mode = _with_confirmations(setup, where, connected, confirmed)
    if where.existing is not None:
        table = options_table(mode.value, options)
        text = connecting.completed_text(setup.config, where, options, mode)
    else:
        question = setup.words["ask"]["closed_notice"]
        table = profile_table(
            name=where.name,
            brand=where.brand,
            kind=setup.connector.kind,
            mode=mode.value,
            closed_notice=setup.asker.choice(question, given=closed_notice, default=True),
            options=options,
            comments=words_in("pl" if setup.polish else "en").comments,
        )
        text = connecting.appended_text(setup.config, where, table)
    require_usable(text, setup.settings)
    if not printed:
        replace_text(setup.config, text)
    if as_json:
        print_json(_json(setup, where, connected, mode, table if printed else None))
    elif printed:
        told = setup.words["say"]["printed_existing" if where.existing else "printed"]
        say(told.format(name=where.name))
        print(table)
    _tell(setup, where, mode, printed=printed)


def _with_confirmations(
    setup: Setup, where: Place, connected: Connected, confirmed: Sequence[str]
) -> tuple[dict[str, Any], ProfileMode]:
    """What the operator confirms, and the mode that follows: where the platform's rules want it first, off until then."""
    from social.domain.post import ProfileMode

    form = setup.connector.setup
    before = connected.options.get("confirmed", ())
    asked = form.confirmations if form.off_until_confirmed else ()
    given = [
        name
        for name in form.confirmations
        if name in before
        or name in confirmed
        or (name in asked and setup.asker.choice(setup.guide.confirm[name], given=None, default=False))
    ]
    options = dict(connected.options) | ({"confirmed": given} if given else {})
    if form.off_until_confirmed and len(given) < len(form.confirmations):
        return options, ProfileMode.OFF
    return options, where.existing.mode if where.existing else ProfileMode.DRY_RUN


def _json(setup: Setup, where: Place, connected: Connected, mode: ProfileMode, table: str | None) -> dict[str, Any]:
    from social.cli import proof

    return {
        "profile": where.name,
        "network": setup.connector.kind,
        "mode": mode,
        "config": setup.config,
        "written": table is None and not where.renews,
        "renewed": where.renews,
        "table": table,
        "secret_file": connected.secret.path,
        **proof.as_json(connected.proof),
    }


def _tell(setup: Setup, where: Place, mode: ProfileMode, *, printed: bool) -> None:
    from social.cli.config_file import called
    from social.domain.post import ProfileMode

    words = setup.words["say"]
    program = called(setup.config)
    say(words["secret"].format(file=where.secret))
    if not printed:
        told = words["completed" if where.existing else "added"]
        say(told.format(file=setup.config, name=where.name, mode=mode.value))
    if mode is ProfileMode.OFF:
        say(words["off"].format(program=program, name=where.name))
    say()
    say(words["next"])
    say(columns([(f"{program} run", words["run"]), (f"{program} go-live {where.name}", words["go_live"])]))
