"""Finds connectors: the files of this package, and what other installed packages offer.

A connector is ``connectors/<kind>.py`` with one class whose ``kind`` is ``<kind>``, or an entry point ``<kind>`` in
the group ``dyzur.connectors`` (``module:Class``). Listing kinds imports nothing; loading one imports its file, which
keeps its client library for ``open``.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module, metadata
from types import ModuleType

import connectors
from social.domain.errors import ConfigurationError
from social.ports import Connector

ENTRY_POINTS = "dyzur.connectors"
#: Files of the package that belong to no network.
WORKSHOP = frozenset({"breaker", "kit", "registry", "session", "spending"})


def kinds() -> tuple[str, ...]:
    """The names that ``connector = "..."`` may have, in alphabetical order."""
    return tuple(sorted({*_built_in(), *_offered()}))


def load(kind: str) -> type[Connector]:
    """The connector class of ``kind``. Raises ``ConfigurationError`` for an unknown or unusable one.

    A built-in file wins over an entry point of the same name, so that nothing installed later can take over a network.
    """
    if kind in _built_in():
        return _class_of(kind, import_module(f"{connectors.__name__}.{kind}"))
    offered = _offered().get(kind)
    if offered is None:
        raise ConfigurationError(
            f'there is no connector "{kind}".', resource="connector", next_step=f"Known: {', '.join(kinds())}."
        )
    try:
        found = offered.load()
    except Exception as error:  # foreign code: whatever it raises, the operator needs to know whose it is
        raise ConfigurationError(
            f'the connector "{kind}" cannot be imported ({type(error).__name__}: {error}).',
            resource=f"entry point {offered.value}",
            next_step="Repair or remove the package that offers it.",
        ) from error
    return _checked(kind, found, f"entry point {offered.value}")


def _built_in() -> tuple[str, ...]:
    return tuple(
        module.name
        for module in pkgutil.iter_modules(connectors.__path__)
        if not module.ispkg and module.name not in WORKSHOP and not module.name.startswith("_")
    )


def _offered() -> Mapping[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=ENTRY_POINTS)}


def _class_of(kind: str, module: ModuleType) -> type[Connector]:
    for value in vars(module).values():
        if isinstance(value, type) and value.__module__ == module.__name__ and getattr(value, "kind", None) == kind:
            return _checked(kind, value, f"{module.__name__}.{value.__name__}")
    raise ConfigurationError(
        f'no class with kind = "{kind}".', resource=module.__name__, next_step="A connector's kind is its file's name."
    )


def _checked(kind: str, found: object, where: str) -> type[Connector]:
    wanted = set(Connector.__annotations__) | {name for name, value in vars(Connector).items() if callable(value)}
    missing = sorted(name for name in wanted if not name.startswith("_") and not hasattr(found, name))
    if not isinstance(found, type) or missing or getattr(found, "kind", None) != kind:
        complaint = f"lacks {', '.join(missing)}" if missing else f'is no class with kind = "{kind}"'
        raise ConfigurationError(f"{complaint}.", resource=where, next_step="See social.ports.Connector.")
    return found
