"""How a wrong configuration is told: every problem with its file and line, and never a secret repeated."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from social.database_url import secret_parameters
from social.domain.errors import ConfigurationError
from social.toml_lines import line_of

Location = tuple[str | int, ...]

NEVER_HERE = (
    "a secret must never stand in this file: put it into a file of its own in [secrets] directory (mode 0600) or into "
    "the environment, and renew it, since it stood here"
)
_SECRET_KEY = re.compile(r"(?i)(?:^|_)(?:token|secret|password|passwd|passphrase|api_?key|private_key|bearer)$")
#: How the tokens of the common networks look. Some app passwords would pass as the name of a credential.
_SECRET_VALUE = re.compile(
    r"EAA[A-Za-z0-9]{20,}|eyJ[\w-]{10,}\.[\w.-]+|AAAAAAAA[\w%]{20,}|(?i:bearer)\s+\S{8,}"
    r"|(?:[a-z0-9]{4}-){3}[a-z0-9]{4}|[0-9a-f]{24,}"
)
#: ``://user:password@``, as SQLAlchemy reads it: a password may hold what ends a host elsewhere (/ ? #).
_PASSWORD = re.compile(r"://[^:/@]*:[^@]*@")
#: What people can do about a value of the wrong kind, in the words of the file rather than of Python.
_IN_TOML = {
    "too_short": "there must be at least one",
    "tuple_type": 'write a list, for example ["pl", "en"]',
    "dict_type": "write a table, not a single value",
    "model_type": "write a table, not a single value",
    "string_type": 'write a text in quotes, for example "name"',
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "float_parsing": "write a number",
}


def looks_like_a_secret(value: str) -> bool:
    return _SECRET_VALUE.fullmatch(value) is not None


def literal_secrets(value: object, path: Location = ()) -> Iterator[Location]:
    """Where a document holds something that is a secret by its name or its look."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, str) and inner and _SECRET_KEY.search(str(key)):
                yield (*path, key)
            else:
                yield from literal_secrets(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from literal_secrets(inner, (*path, index))
    elif isinstance(value, str) and path[-1:] != ("credential",):  # that key has its own, more helpful refusal
        password = path == ("database", "url") and _has_password(value)
        if password or looks_like_a_secret(value):
            yield path


def misplaced(location: Location, message: str) -> PydanticCustomError:
    """A problem that a check of the whole file found at one of its keys."""
    return PydanticCustomError("misplaced", "{message}", {"message": message, "location": location})


def unusable(problems: Sequence[str]) -> ConfigurationError:
    return ConfigurationError("\n".join(problems), next_step="\nEvery key is explained in docs/configuration.md.")


def place(text: str, location: Sequence[str | int], name: str) -> str:
    """``file:line``, or the file alone where the line cannot be told."""
    line = line_of(text, location)
    return f"{name}:{line}" if line else name


def dotted(location: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in location) or "the file"


def problems_of(
    error: ValidationError,
    *,
    text: str,
    name: str,
    model: type[BaseModel],
    prefix: Location = (),
    given: Mapping[Location, str] | None = None,
    hidden: frozenset[str] = frozenset(),
) -> list[str]:
    """One sentence a problem. ``prefix`` is where the table stands that ``model`` describes, ``given`` which environment
    variable set which key, ``hidden`` the fields that are no keys of the file."""
    described = []
    found = error.errors(include_url=False, include_input=False)
    for problem in found:
        if problem["type"] == "too_short" and any(_lies_in(other["loc"], problem["loc"]) for other in found):
            continue  # only short because of what is told for its own line
        inner = tuple(part for part in problem["loc"] if not str(part).startswith("function-"))
        if problem["type"] == "misplaced":
            inner = tuple(problem["ctx"]["location"])
        location = (*prefix, *inner)
        where = (given or {}).get(location) or place(text, location, name)
        sentence = _sentence(problem, inner, model, hidden)
        described.append(f"{where}: {dotted(location)}: {sentence}{'' if sentence.endswith('?') else '.'}")
    return described


def _lies_in(location: Location, table: Location) -> bool:
    return len(location) > len(table) and location[: len(table)] == table


def _sentence(problem: Mapping[str, Any], location: Location, model: type[BaseModel], hidden: frozenset[str]) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ").replace("Input should be", "must be").rstrip(".")
    if problem["type"] in _IN_TOML:
        return _IN_TOML[problem["type"]]
    if problem["type"] == "missing":
        return f"the key {str(location[-1])!r} is missing"
    if problem["type"] != "extra_forbidden":
        return message
    key = str(location[-1])
    known = [name for name in _keys_beside(location, model) if name not in hidden]
    close = difflib.get_close_matches(key, known, n=1)
    return f"unknown key {key!r}; " + (f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}")


def _keys_beside(location: Location, model: Any) -> list[str]:
    """The keys of the table that ``location`` stands in."""
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        field = getattr(model, "model_fields", {}).get(part)
        annotation = field.annotation if field is not None else None
        choices = (annotation, *getattr(annotation, "__args__", ()))
        model = next((choice for choice in choices if hasattr(choice, "model_fields")), None)
    return list(getattr(model, "model_fields", {}))


def _has_password(url: str) -> bool:
    parameters = parse_qsl(url.partition("?")[2], keep_blank_values=True)
    return _PASSWORD.search(url) is not None or bool(secret_parameters(name for name, _ in parameters))


def source_name(source: Path | None, default: str) -> str:
    return str(source) if source is not None else f"the shipped {default}"
