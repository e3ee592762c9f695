"""The steps of ``social connect``: where the profile will stand, the answers, an access that was tried, the line in the
file. Knows no network: each declares its questions (``Connector.setup``) and brings its words (``connectors.setup``)."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import typer
from pydantic import BaseModel

from connectors.setup import Guide
from social.cli.asking import Asker
from social.cli.command import say
from social.cli.config_file import called, with_value
from social.cli.init import option_check
from social.cli.proof import Proof, prove
from social.cli.secret_file import SecretFile
from social.cli.wizard import profile_name, toml_value
from social.cli.wording import printable
from social.domain.errors import ConfigurationError, ConnectorError, CredentialsExpired, RateLimited, Unreachable
from social.domain.post import ProfileMode
from social.ports import Access, Ask, Clock, Connector, ConnectorContext, Goes, Secrets, SetupContext, SetupProblem
from social.secrets import configured_parts, environment_name
from social.settings import ProfileSettings, Settings, load_settings

Words = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line said already. Secrets never stand there."""

    name: str | None
    brand: str | None
    account: str | None
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the profile will stand. ``existing``: it stands in the file already, without its access or (``renews``) with
    one that is to be replaced. ``account_id``: whose it is, as the desk knows it."""

    name: str
    brand: str
    secret: Path
    existing: ProfileSettings | None = None
    renews: bool = False
    account_id: str | None = None

    @property
    def options(self) -> Mapping[str, Any]:
        return self.existing.options if self.existing else {}


@dataclass(slots=True)
class Answers:
    """What was answered so far; kept where only the network was away."""

    shown: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)  # what is proposed again


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """An access that works, its secret in the file, and the profile's options with it."""

    options: Mapping[str, Any]
    secret: SecretFile
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One set-up: what is connected, in which words, with whom."""

    settings: Settings
    config: Path
    connector: type[Connector]
    guide: Guide
    words: Words
    asker: Asker
    given: Given
    clock: Clock
    polish: bool

    def wrong(self, key: str, **parts: object) -> str:
        sentence: str = self.words["wrong"][key]
        return sentence.format(**parts)


def words_in(language: str) -> Words:
    text = (resources.files("social.cli") / "connect_texts" / f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


# --- where -------------------------------------------------------------------------------------------------------------


def place(setup: Setup) -> Place:
    """A name that is free, or a profile of this network whose access is missing: both are told before a secret is typed."""
    settings, given, asker = setup.settings, setup.given, setup.asker
    brands = [brand.name for brand in settings.brands]

    def known_brand(text: str) -> str:
        if text not in brands:
            raise ValueError(setup.wrong("unknown_brand", names=", ".join(brands)))
        return text

    def usable(text: str) -> Place:
        if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,59}", text) is None:
            raise ValueError(setup.wrong("name_form"))
        existing = settings.profile(text)
        credential = existing.credential if existing else text
        secret = settings.path(settings.secrets.directory) / f"{credential}.toml"
        if existing is not None and existing.connector != setup.connector.kind:
            raise ValueError(setup.wrong("name_taken", name=text))
        if existing is not None and secret.exists():
            raise ValueError(setup.wrong("name_connected", name=text, renewal=renewal(setup.config, existing)))
        if secret.exists():
            raise ValueError(setup.wrong("secret_there", file=secret))
        return Place(name=text, brand=existing.brand if existing else brand, secret=secret, existing=existing)

    brand = brands[0]
    if len(brands) > 1 or given.brand is not None:
        question = setup.words["ask"]["brand"]
        brand = asker.text(question, given=given.brand, default=brand, check=known_brand, option="--brand")
    question, proposed = setup.words["ask"]["name"], profile_name(brand, setup.connector.kind)
    found: Place = asker.text(question, given=given.name, default=proposed, check=usable, option="--name")
    return found


def place_of(setup: Setup, existing: ProfileSettings) -> Place:
    """The profile whose access is renewed, or, where that is not there at all, completed."""
    settings, name = setup.settings, existing.credential
    _require_own_file(name)
    secret = settings.path(settings.secrets.directory) / f"{name}.toml"
    return Place(
        name=existing.name,
        brand=existing.brand,
        secret=secret,
        existing=existing,
        renews=secret.exists(),
        account_id=_known_account(settings, existing),
    )


def renewal(config: Path, profile: ProfileSettings) -> str:
    return f"{called(config)} connect {profile.connector} --renew {profile.name}"


def _require_own_file(name: str) -> None:
    """A part from elsewhere wins over the file: to renew that would change nothing."""
    prefix = environment_name(name, "")
    found = next((key for key in os.environ if key.startswith(prefix)), None)
    if found is not None:
        raise ConfigurationError(
            f"the credential {name!r} comes from the environment, which wins over its file.",
            resource=found,
            next_step="Put the new one there and start the desk again, or unset it first.",
        )


def _known_account(settings: Settings, profile: ProfileSettings) -> str | None:
    from social.cli.opening import opened_for_a_look
    from social.store import profiles

    with opened_for_a_look(settings.source) as opened, opened.database.read() as session:
        found = profiles.by_name(session, profile.name)
    return found.account_id if found is not None and found.network == profile.connector else None


def _parts_before(setup: Setup, where: Place) -> Mapping[str, str]:
    """What is no secret is proposed again (the number of an app)."""
    try:
        return configured_parts(where.secret.stem, directory=where.secret.parent) if where.renews else {}
    except ConfigurationError:
        return {}  # nobody but us may be able to read it, which is what the new one mends


# --- the access --------------------------------------------------------------------------------------------------------


def connect(setup: Setup, where: Place) -> Connected:
    """Ask and try until it works; whoever cannot be asked is told why it does not. Whatever does not work leaves no
    secret behind."""
    answers = Answers(before=_parts_before(setup, where))
    while True:
        _ask_all(setup, where, answers)
        say(setup.words["say"]["trying"].format(network=setup.connector.label))
        try:
            return _tried(setup, where, answers)
        except ConnectorError as error:
            say(sentence_of(error, setup))
            if setup.asker.silent or not setup.asker.choice(setup.words["ask"]["again"], given=None, default=True):
                raise typer.Exit(error.exit_code) from None
            if not isinstance(error, Unreachable | RateLimited):
                answers = Answers(before={**answers.before, **answers.shown})


def _ask_all(setup: Setup, where: Place, answers: Answers) -> None:
    for ask in setup.connector.setup.asks:
        question = setup.guide.ask.get(ask.name, ask.name)
        if ask.hidden and ask.name not in answers.hidden:
            answers.hidden[ask.name] = _whole(setup, f"{question} ({setup.words['say']['hidden']})")
        elif where.renews and ask.goes is Goes.OPTION:
            answers.shown[ask.name] = str(where.options.get(ask.name, ""))  # config.toml stays as it is
        elif not ask.hidden and ask.name not in answers.shown:
            proposed = answers.before.get(ask.name, where.options.get(ask.name))
            answers.shown[ask.name] = _shown(setup, ask, question, proposed)


def _whole(setup: Setup, question: str) -> str:
    """A secret without a piece of something else in it."""
    while True:
        secret = setup.asker.hidden(question)
        if secret.isprintable() and " " not in secret:
            return secret
        problem = setup.wrong("torn")
        if setup.asker.silent:
            raise typer.BadParameter(f"{question}: {problem}")
        say(setup.words["say"]["again"].format(problem=problem))


def _shown(setup: Setup, ask: Ask, question: str, proposed: object) -> str:
    check = option_check(setup.connector.Options, ask.name, {})

    def usable(text: str) -> str:
        if not text and not ask.optional:
            raise ValueError(setup.wrong("empty"))
        return check(text) if text and ask.goes is Goes.OPTION else text

    default = str(proposed) if proposed else ("-" if ask.optional else None)
    given = setup.given.options.get(ask.name)
    answer: str = setup.asker.text(
        question, given=given, default=default, check=usable, option=f"--option {ask.name}=..."
    )
    return answer


def _tried(setup: Setup, where: Place, answers: Answers) -> Connected:
    connector, settings = setup.connector, setup.settings
    table = settings.connectors.get(connector.kind, {})
    context = SetupContext(answers=answers.shown, secrets=Secrets(answers.hidden), settings=table, clock=setup.clock)
    access = _picked(setup, where, connector.accesses(context))
    options = coerced(connector.Options, {**where.options, **access.options})
    # until it has proven itself, beside the one that it renews
    file = where.secret.with_name(f".{where.secret.name}.new") if where.renews else where.secret
    if where.renews:
        file.unlink(missing_ok=True)  # of a try that was cut short
    secret = SecretFile(file, access.credential)
    secret.create(like=setup.config)
    try:
        opened = connector.open(
            ConnectorContext(
                profile=where.name,
                options=options,
                settings=table,
                credential=where.secret.stem,
                credentials=secret,
                clock=setup.clock,
            )
        )
        try:
            proof = prove(opened, now=setup.clock.now())
        finally:
            opened.close()
        _require_enough(setup, proof)
        _require_same_account(setup, where, proof)
    except BaseException:
        secret.remove()
        raise
    return Connected(options=options, secret=secret, proof=proof)


def _require_enough(setup: Setup, proof: Proof) -> None:
    found = proof.inspection
    for key in found.problems:
        raise SetupProblem(key, key)
    if found.missing:
        missing = ", ".join(found.missing)
        raise SetupProblem("", setup.wrong("missing", missing=missing))


def _require_same_account(setup: Setup, where: Place, proof: Proof) -> None:
    identity = proof.inspection.identity
    if where.account_id not in (None, identity.native_id):
        found = f"@{identity.handle}" if identity.handle else identity.display_name
        account = f"{found} ({identity.native_id})" if found else identity.native_id
        raise SetupProblem(
            "", setup.wrong("other_account", account=printable(account), name=where.name, known=where.account_id)
        )


def _picked(setup: Setup, where: Place, accesses: Sequence[Access]) -> Access:
    """The one that was named, that the file already speaks of, or that the owner chooses."""
    names = ", ".join(f"{access.label} ({access.native_id})" for access in accesses)
    wanted = setup.given.account
    fitting = [
        access
        for access in accesses
        if (wanted is None or access.native_id == wanted)
        and all(where.options.get(key, value) == value for key, value in access.options.items() if access.native_id)
    ]
    if not fitting:
        account = wanted or ", ".join(f"{key} = {value}" for key, value in where.options.items())
        raise SetupProblem("", setup.wrong("not_yours", account=account, names=names))
    if len(fitting) == 1:
        return fitting[0]
    if setup.asker.silent:
        raise SetupProblem("", f"{setup.words['say']['several']} {names}. --account ID")
    say(setup.words["say"]["several"])
    for number, access in enumerate(fitting, start=1):
        say(f"  {number}  {printable(access.label)} ({access.native_id})")

    def chosen(text: str) -> Access:
        if not text.isdecimal() or not 1 <= int(text) <= len(fitting):
            raise ValueError(setup.wrong("number", count=len(fitting)))
        return fitting[int(text) - 1]

    question = setup.words["ask"]["account"]
    picked: Access = setup.asker.text(question, given=None, default=None, check=chosen, option="--account")
    return picked


def sentence_of(error: ConnectorError, setup: Setup) -> str:
    """What went wrong and what to do, in the user's language."""
    said = printable(error.what).rstrip(".")
    if isinstance(error, SetupProblem):
        told = setup.guide.problems.get(error.key)
        return told.format(**error.words) if told is not None else error.what
    if isinstance(error, RateLimited):
        zone = ZoneInfo(setup.settings.brands[0].timezone)
        until: datetime = error.until.astimezone(zone)
        return setup.guide.problems.get(error.scope) or setup.wrong("busy", until=f"{until:%H:%M}", said=said)
    if isinstance(error, CredentialsExpired):
        return setup.wrong("credentials", said=said)
    if isinstance(error, Unreachable):
        return setup.wrong("unreachable", said=said)
    return str(error)


# --- the file ----------------------------------------------------------------------------------------------------------


def coerced(model: type[BaseModel], options: Mapping[str, Any]) -> dict[str, Any]:
    """Answers as the network's own model reads them: a number is written as one."""
    whole = model.model_validate(dict(options))
    values = {key: getattr(whole, key) for key in options}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def completed_text(config: Path, where: Place, options: Mapping[str, Any], mode: ProfileMode) -> str:
    """The file as it is now, with what an existing profile lacked. Read again: it may have been edited meanwhile."""
    settings = load_settings(config)
    text = settings.text
    index = next(index for index, profile in enumerate(settings.profiles) if profile.name == where.name)
    for key, value in options.items():
        if settings.profiles[index].options.get(key) != value:
            text = with_value(text, ("profiles", index, "options", key), toml_value(value))
    if settings.profiles[index].mode is not mode:
        text = with_value(text, ("profiles", index, "mode"), toml_value(mode.value), after="connector")
    return text


def appended_text(config: Path, where: Place, table: str) -> str:
    settings = load_settings(config)
    if settings.profile(where.name) is not None:
        raise ConfigurationError(
            f"a profile {where.name!r} was added meanwhile.",
            resource=str(config),
            next_step="Start again with another name.",
        )
    return f"{settings.text.rstrip()}\n\n{table}\n"
