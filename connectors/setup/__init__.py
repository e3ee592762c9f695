"""Guides for ``social connect``: a network's steps, questions and sentences, one TOML file a language beside its connector.

``connectors/setup/<kind>.<language>.toml`` belongs to ``connectors/<kind>.py``; another package's connector keeps its
own in a folder ``setup`` of that package. Which questions there are says the connector (``Connector.setup``); this is
only what people read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

from social.domain.errors import ConfigurationError
from social.ports import Access, Connector, ConnectorContext, Goes, Secrets, SetupContext, SetupForm

LANGUAGES = ("pl", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """``steps`` are done on the platform before anything is asked. ``review`` says what cannot be known before the
    platform looked at the app. Tables are by the names that the connector uses."""

    takes: str
    steps: tuple[str, ...]
    review: str
    ask: Mapping[str, str] = field(default_factory=dict)
    confirm: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


def guide(connector: type[Connector], language: str) -> Guide:
    """The guide of a network. Raises ``ConfigurationError`` where its package has none."""
    package = connector.__module__.rpartition(".")[0] or connector.__module__
    name = f"{connector.kind}.{language}.toml"
    try:
        text = (resources.files(package) / "setup" / name).read_text(encoding="utf-8")
    except (OSError, TypeError):  # TypeError: a lone module is no package
        raise ConfigurationError(
            f"there is no guide to connect {connector.label}.",
            resource=f"{package}/setup/{name}",
            next_step=f"Write the profile and its credential by hand: {', '.join(connector.credential_parts)}.",
        ) from None
    document = tomllib.loads(text)
    return Guide(**{**document, "steps": tuple(document["steps"])})


def sole_access(form: SetupForm, context: SetupContext) -> Access:
    """The access of a network where nothing is exchanged and nothing is picked: every answer goes where the form says."""
    given = {**context.answers, **context.secrets}
    credential = {ask.name: given[ask.name] for ask in form.asks if ask.goes is Goes.CREDENTIAL and given.get(ask.name)}
    options = {ask.name: given[ask.name] for ask in form.asks if ask.goes is Goes.OPTION and given.get(ask.name)}
    return Access(options=options, credential=Secrets(credential))


class PassingCredentials:
    """A ``CredentialStore`` for as long as a set-up lasts: in memory, one credential, whatever it is called."""

    def __init__(self, parts: Mapping[str, str]) -> None:
        self._parts = dict(parts)

    def load(self, name: str) -> Secrets:
        return Secrets(self._parts)

    def save(self, name: str, parts: Mapping[str, str]) -> None:
        self._parts.update(parts)


def on_trial(context: SetupContext, parts: Mapping[str, str]) -> ConnectorContext:
    """What a connector is opened with while the answers are still being exchanged."""
    return ConnectorContext(
        profile="set-up",
        options={},
        settings=context.settings,
        credential="set-up",
        credentials=PassingCredentials(parts),
        clock=context.clock,
    )
