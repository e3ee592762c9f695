"""``social init``: asks a few questions and writes a commented config.toml."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from social.cli.command import Config, new_app, say
from social.cli.wizard import LANGUAGES, Answers, NetworkAnswer, Words, config_text, words_in

app = new_app()

Text = Annotated[str | None, typer.Option(metavar="TEXT")]
_NOTHING = "-"


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
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: what is not given takes its default.")] = False,
) -> None:
    """Ask a few questions and write a commented config.toml.

    Never overwrites a file. For scripts: --yes and --brand, the rest as options.
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
    spoken = _language(language)
    words = words_in(spoken)
    asker = _Asker(words=words, silent=yes)
    if not yes:
        say(words.say["intro"])
    given = _Given(brand, languages, timezone, hours, saturday, holidays, network, option or [], closed_notice, dry_run)
    answers = _answers(asker, given, spoken)
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


def _answers(asker: _Asker, given: _Given, spoken: str) -> Answers:
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

    brand = asker.text("brand", given.brand, None, _brand)
    languages = asker.text("languages", given.languages, "pl,en" if spoken == "pl" else "en", _text_languages)
    timezone = asker.text("timezone", given.timezone, _local_zone(spoken), _zone)
    hours = asker.text("hours", given.hours, "09:00-17:00", _slots)
    saturday = asker.text("saturday", given.saturday, _NOTHING, _slots)
    holidays = asker.text("holidays", given.holidays, "PL" if spoken == "pl" else _NOTHING, country)
    said = None if given.networks is None else ",".join(given.networks)
    kinds = asker.text("networks", said, ",".join(registry.kinds()), networks)
    chosen = tuple(NetworkAnswer(kind=kind, options=_options(asker, kind, given.options)) for kind in kinds)
    return Answers(
        brand=brand,
        languages=languages,
        timezone=timezone,
        hours=hours,
        saturday=saturday,
        holidays=holidays,
        networks=chosen,
        closed_notice=asker.choice("closed_notice", given.closed_notice, default=True),
        dry_run=asker.choice("mode", given.dry_run, default=True),
    )


def _options(asker: _Asker, kind: str, given: Sequence[str]) -> Mapping[str, Any]:
    """The options that a network cannot do without, each checked by the network's own model."""
    from pydantic import ValidationError

    from connectors import registry

    model = registry.load(kind).Options
    said = dict(_split(text) for text in given)
    found: dict[str, Any] = {}
    for key, field in model.model_fields.items():

        def usable(text: str, key: str = key) -> str:
            try:
                model.model_validate({**found, key: text})
            except ValidationError as error:
                mine = [problem for problem in error.errors(include_url=False) if problem["loc"][:1] == (key,)]
                if mine:
                    raise ValueError(str(mine[0]["msg"]).removeprefix("Value error, ")) from None
            return text

        given_text = said.get(f"{kind}.{key}")
        if given_text is not None or field.is_required():
            meaning = field.description or _docstring_of(kind, key)
            found[key] = asker.text("option", given_text, None, usable, network=kind, key=key, meaning=meaning)
    return found


def _docstring_of(kind: str, key: str) -> str:
    from social.settings_reference import option_meanings

    return option_meanings(kind).get(key, "docs/networks.md").split(". ")[0].rstrip(".")


def _split(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or "." not in key:
        raise typer.BadParameter(f"{text!r}: write it like NETWORK.KEY=VALUE", param_hint="--option")
    return key, value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asker:
    """Asks on the terminal, or (``silent``) takes what was given and the defaults."""

    words: Words
    silent: bool

    def text(self, name: str, given: str | None, default: str | None, check: Callable[[str], Any], **parts: str) -> Any:
        """The checked answer; a wrong one is asked again, or refused where nobody can be asked."""
        question = self.words.ask[name].format(**parts)
        while True:
            answer = given if given is not None else (default if self.silent else self._read(question, default))
            if answer is None:
                option = f"--option {parts['network']}.{parts['key']}=..." if parts else f"--{name}"
                raise typer.BadParameter(f"{question}: --yes needs {option}")
            try:
                return check("" if answer.strip() == _NOTHING else answer.strip())
            except ValueError as problem:
                if given is not None or self.silent:
                    raise typer.BadParameter(f"{question}: {problem}") from None
                say(self.words.say["again"].format(problem=problem))

    def choice(self, name: str, given: bool | None, *, default: bool) -> bool:
        if given is not None or self.silent:
            return default if given is None else given
        letters = self.words.say["yes_no"]
        shown = letters.split("/")[0 if default else 1]
        while True:
            answer = self._read(f"{self.words.ask[name]} ({letters})", shown).strip().lower()
            if answer in self.words.say["yes"]:
                return True
            if answer in self.words.say["no"]:
                return False

    @staticmethod
    def _read(question: str, default: str | None) -> str:
        print(f"{question}{f' [{default}]' if default else ''}: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            say()
            raise typer.BadParameter("nobody answers: give the answers as options, with --yes")
        return line.strip() or (default or "")


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


def _language(given: str | None) -> str:
    """``--lang``, or what this terminal speaks."""
    if given is not None:
        if given not in LANGUAGES:
            raise typer.BadParameter(f"{given!r}: choose {' or '.join(LANGUAGES)}", param_hint="--lang")
        return given
    spoken = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "pl" if spoken.lower().startswith("pl") else "en"


def _local_zone(spoken: str) -> str:
    """The zone of this machine, if it is a place; a server usually runs on UTC, and customers do not."""
    try:
        zone = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    except OSError:
        zone = ""
    return (
        zone
        if "/" in zone and not zone.startswith("Etc/")
        else ("Europe/Warsaw" if spoken == "pl" else "Europe/London")
    )


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
    for network in answers.networks:
        parts = ", ".join(f'{part} = "..."' for part in registry.load(network.kind).credential_parts)
        say(f"  {target.parent / 'secrets' / answers.profile_name(network)}.toml   {parts}")
    say()
    say(words.say["next"])
    program = "social" if target == Path(DEFAULT_CONFIG) else f"social --config {target}"
    for verb in ("check-config", "doctor", "run"):
        say(f"  {program} {verb}")
    if answers.dry_run:
        say()
        say(words.say["dry_run"].format(file=target))
