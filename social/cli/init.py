"""``social init``: asks a few questions and writes a commented config.toml."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from social.cli.asking import NOTHING, Asker, spoken_language
from social.cli.command import Config, new_app, say
from social.cli.wizard import Answers, NetworkAnswer, Words, config_text, words_in

if TYPE_CHECKING:
    from pydantic import BaseModel

app = new_app()

Text = Annotated[str | None, typer.Option(metavar="TEXT")]


@app.command()
def init(
    config: Config = None,
    language: Annotated[
        str | None, typer.Option("--lang", metavar="pl|en", help="Language of the questions and comments.")
    ] = None,
    brand: Text = None,
    languages: Annotated[str | None, typer.Option(help='Languages of the texts: "pl,en".')] = None,
    timezone: Annotated[str | None, typer.Option(help="IANA name, for example Europe/Warsaw.")] = None,
    hours: Annotated[str | None, typer.Option(help="Monday to Friday, for example 09:00-17:00.")] = None,
    saturday: Annotated[str | None, typer.Option(help="For example 10:00-14:00.")] = None,
    holidays: Annotated[str | None, typer.Option(help="Country code, for example PL.")] = None,
    network: Annotated[list[str] | None, typer.Option(help="A network to watch; may be given again.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="NETWORK.KEY=VALUE", help="What a network needs; may be given again.")
    ] = None,
    closed_notice: Annotated[
        bool | None,
        typer.Option("--closed-notice/--no-closed-notice", help="Outside hours, say when the team is back."),
    ] = None,
    dry_run: Annotated[bool | None, typer.Option("--dry-run/--live", help="Send nothing automatic at first.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing: what is not given takes its default, if it has one.")
    ] = False,
) -> None:
    """Ask a few questions and write a commented config.toml.

    Never overwrites a file. For scripts: --yes with --brand, --network, --option for what that network cannot do without
    (as it says by itself), and --timezone where this machine runs on UTC; the rest has defaults.
    """
    from social.domain.errors import Conflict
    from social.settings import DEFAULT_CONFIG

    target = config or Path(DEFAULT_CONFIG)
    if target.exists():
        raise Conflict(
            "this file is there already and is never overwritten.",
            resource=str(target),
            next_step="Move it away, or write elsewhere: social init --config other.toml",
        )
    spoken = spoken_language(language)
    words = words_in(spoken)
    asker = Asker(words=words.say, silent=yes)
    if not yes:
        say(words.say["intro"])
    given = _Given(brand, languages, timezone, hours, saturday, holidays, network, option or [], closed_notice, dry_run)
    answers = _answers(asker, words, given, spoken)
    _write(target, config_text(answers, words))
    _tell_next_steps(target, answers, words)


@dataclass(frozen=True, slots=True)
class _Given:
    """What the command line said already; the rest is asked."""

    brand: str | None
    languages: str | None
    timezone: str | None
    hours: str | None
    saturday: str | None
    holidays: str | None
    networks: list[str] | None
    options: list[str]
    closed_notice: bool | None
    dry_run: bool | None


def _answers(asker: Asker, words: Words, given: _Given, spoken: str) -> Answers:
    from connectors import registry
    from social.holiday_calendar import holiday_lookup

    def country(text: str) -> str:
        if text:
            holiday_lookup(text)  # raises ValueError, with its reason
        return text.upper()

    def networks(text: str) -> tuple[str, ...]:
        known = registry.kinds()
        chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        if not chosen or not set(chosen) <= set(known):
            raise ValueError(f"choose from {', '.join(known)}")
        return chosen

    def ask(name: str, given: str | None, default: str | None, check: Callable[[str], Any]) -> Any:
        return asker.text(words.ask[name], given=given, default=default, check=check, option=f"--{name}")

    brand = ask("brand", given.brand, None, _brand)
    languages = ask("languages", given.languages, "pl,en" if spoken == "pl" else "en", _text_languages)
    timezone = ask(
        "timezone", given.timezone, suggested_zone(place_of_this_machine(), spoken, asked=not asker.silent), _zone
    )
    hours = ask("hours", given.hours, "09:00-17:00", _slots)
    saturday = ask("saturday", given.saturday, NOTHING, _slots)
    holidays = ask("holidays", given.holidays, "PL" if spoken == "pl" else NOTHING, country)
    said = None if given.networks is None else ",".join(given.networks)
    kinds = ask("networks", said, ",".join(registry.kinds()), networks)
    _require_known_options(kinds, given.options)
    chosen = tuple(NetworkAnswer(kind=kind, options=_options(asker, words, kind, given.options)) for kind in kinds)
    return Answers(
        brand=brand,
        languages=languages,
        timezone=timezone,
        hours=hours,
        saturday=saturday,
        holidays=holidays,
        networks=chosen,
        closed_notice=asker.choice(words.ask["closed_notice"], given=given.closed_notice, default=True),
        dry_run=asker.choice(words.ask["mode"], given=given.dry_run, default=True),
    )


def _require_known_options(kinds: Sequence[str], given: Sequence[str]) -> None:
    """One that nobody asks for would be lost without a word."""
    from connectors import registry

    known = [f"{kind}.{key}" for kind in kinds for key in registry.load(kind).Options.model_fields]
    unknown = [key for key, _ in map(_split, given) if key not in known]
    if unknown:
        told = f"nothing is called {unknown[0]!r} on the networks {', '.join(kinds)}; known: {', '.join(known) or 'nothing'}"
        raise typer.BadParameter(told, param_hint="--option")


def _options(asker: Asker, words: Words, kind: str, given: Sequence[str]) -> Mapping[str, Any]:
    """The options that a network cannot do without, each checked by the network's own model."""
    from connectors import registry

    model = registry.load(kind).Options
    said = dict(_split(text) for text in given)
    found: dict[str, Any] = {}
    for key, field in model.model_fields.items():
        given_text = said.get(f"{kind}.{key}")
        if given_text is not None or field.is_required():
            question = words.ask["option"].format(
                network=kind, key=key, meaning=field.description or _docstring_of(kind, key)
            )
            usable = option_check(model, key, found)
            option = f"--option {kind}.{key}=..."
            found[key] = asker.text(question, given=given_text, default=None, check=usable, option=option)
    return found


def option_check(model: type[BaseModel], key: str, others: Mapping[str, Any]) -> Callable[[str], str]:
    """A check of one of a network's own options, by the network's own model: raises ``ValueError`` in its words."""

    def usable(text: str) -> str:
        from pydantic import ValidationError

        try:
            model.model_validate({**others, key: text})
        except ValidationError as error:
            mine = [problem for problem in error.errors(include_url=False) if problem["loc"][:1] == (key,)]
            if mine:
                raise ValueError(str(mine[0]["msg"]).removeprefix("Value error, ")) from None
        return text

    return usable


def _docstring_of(kind: str, key: str) -> str:
    from social.settings_reference import option_meanings

    return option_meanings(kind).get(key, "docs/networks.md").split(". ")[0].rstrip(".")


def _split(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or "." not in key:
        raise typer.BadParameter(f"{text!r}: write it like NETWORK.KEY=VALUE", param_hint="--option")
    return key, value


def _brand(text: str) -> str:
    if not 1 <= len(text) <= 60:
        raise ValueError("1 to 60 characters")
    return text


def _text_languages(text: str) -> tuple[str, ...]:
    from responders import compose

    known = compose.languages()
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not chosen or not set(chosen) <= set(known):
        raise ValueError(f"there are texts in {', '.join(known)}")
    return chosen


def _zone(text: str) -> str:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        raise ValueError("write for example Europe/Warsaw") from None
    return text


def _slots(text: str) -> str:
    from social.domain.hours import parse_slots

    if text:
        parse_slots(text)
    return text


def place_of_this_machine() -> str | None:
    """Its time zone, if that is a place; a server usually runs on UTC, and customers do not."""
    try:
        zone = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    except OSError:
        return None
    return zone if "/" in zone and not zone.startswith("Etc/") else None


def suggested_zone(place: str | None, spoken: str, *, asked: bool) -> str | None:
    """A guess is only for somebody who is ``asked`` and can say no: a wrong zone tells customers a wrong hour."""
    guess = "Europe/Warsaw" if spoken == "pl" else "Europe/London"
    return place or (guess if asked else None)


def _write(target: Path, text: str) -> None:
    from social.domain.errors import ConfigurationError
    from social.settings import parse_settings

    parse_settings(text, source=target, home=target.resolve().parent)  # never write what could not be read
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise ConfigurationError(
            f"this file cannot be written ({error.strerror}).", resource=str(target), next_step="Choose another place."
        ) from error


def _tell_next_steps(target: Path, answers: Answers, words: Words) -> None:
    from connectors import registry
    from social.settings import DEFAULT_CONFIG

    say(words.say["written"].format(file=target))
    say()
    say(words.say["secrets"])
    program = "social" if target == Path(DEFAULT_CONFIG) else f"social --config {target}"
    for network in answers.networks:
        say(f"  {program} connect {network.kind}")
    say(words.say["by_hand"])
    for network in answers.networks:
        parts = ", ".join(f'{part} = "..."' for part in registry.load(network.kind).credential_parts)
        say(f"  {target.parent / 'secrets' / answers.profile_name(network)}.toml   {parts}")
    say()
    say(words.say["next"])
    for verb in ("check-config", "doctor", "run"):
        say(f"  {program} {verb}")
    if answers.dry_run:
        say()
        say(words.say["dry_run"])
        for network in answers.networks:
            say(f"  {program} go-live {answers.profile_name(network)}")
