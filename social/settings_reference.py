"""``python -m social.settings_reference`` writes docs/configuration.md from the settings' own models.

``--check`` only compares, and ends with 1 where the page is not what the models say.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import types
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from connectors import registry
from social.settings import BrandSettings, ProfileSettings, Settings

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"

_HEAD = """\
# Configuration

<!-- Written by `make docs` from the settings' models; `make check` fails where it is out of date. -->

One file, `config.toml`, in the folder where `social` is started, or the one that `--config FILE` names. The file that
comes along runs the demo and explains its keys on the spot; `social init` writes one for a brand of your own;
`social check-config` names every mistake with its line. A key that nobody reads is a mistake, not a surprise.

- **Durations** are written `"30s"`, `"40m"`, `"1h 30m"`, `"2d"`, or as a number of seconds.
- **Paths** start at the folder of the file.
- **The environment wins**: `DYZUR_SECTION__KEY=value` sets a key of `[section]`, `DYZUR_CONNECTORS__KIND__KEY=value` one of
  `[connectors.kind]`. Brands and profiles are set in the file only.
- **Secrets never stand in the file.** A profile names a credential; its parts are looked for in this order, the later one
  wins: `NAME.toml` in `[secrets] directory` (mode 0600, refused where other users can read it), `DYZUR_SECRET_NAME__PART`
  in the environment, and the file `NAME` in systemd's `$CREDENTIALS_DIRECTORY`. A network's credential that is renewed in
  `NAME.toml` is used without a restart; the other two places are as they were when the desk started. A token in
  `config.toml` is refused without being repeated. What a network renews while the desk runs is kept encrypted in the
  database; its key lies in a file of its own beside the database (`.key`). Keep a copy of it in another place than the
  copies of the database.
"""


def page() -> str:
    """The whole of docs/configuration.md."""
    parts = [_HEAD]
    for name, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            parts += [_section(f"`[{name}]`", model), *_inner_tables(name, model)]
    parts += [_section("`[[brands]]`", BrandSettings), _section("`[[profiles]]`", ProfileSettings), *_networks()]
    return "\n".join(parts)


def option_meanings(kind: str) -> dict[str, str]:
    """What each of a network's own options means, in its author's words."""
    model = registry.load(kind).Options
    return {key: _meaning(model, key, field) for key, field in model.model_fields.items()}


def main(arguments: Sequence[str]) -> int:
    current = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if "--check" in arguments:
        if current != page():
            print(f"{PAGE} is not what the settings say. Write it anew with: make docs", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Written: {PAGE}", file=sys.stderr)
    return 0


def _networks() -> Iterator[str]:
    yield "## Networks\n\nWhat each network can do and what its rules are: [networks.md](networks.md).\n"
    for kind in registry.kinds():
        connector = registry.load(kind)
        if not connector.__module__.startswith("connectors."):
            continue  # another package's: not ours to describe
        parts = ", ".join(f"`{part}`" for part in connector.credential_parts)
        needed = f"The credential needs {parts} (`social connect {kind}` asks for it and for what goes with it)."
        yield f'### {connector.label}: `connector = "{kind}"`\n\n{needed}\n'
        yield f"`[connectors.{kind}]`, for all profiles of this network:\n\n{_table(connector.Settings)}"
        yield f"`[profiles.options]`, for one profile:\n\n{_table(connector.Options)}"


def _section(title: str, model: type[BaseModel]) -> str:
    doc = inspect.getdoc(model) or ""
    about = " ".join(doc.partition(":")[2].split()) if doc.startswith("[") else ""
    sentence = f"{about[0].upper()}{about[1:]}\n\n" if about else ""
    return f"## {title}\n\n{sentence}{_table(model)}"


def _inner_tables(name: str, model: type[BaseModel]) -> Iterator[str]:
    for key, field in model.model_fields.items():
        choices = (field.annotation, *get_args(field.annotation))
        inner = next((choice for choice in choices if isinstance(choice, type) and issubclass(choice, BaseModel)), None)
        if inner is not None:
            several = get_origin(field.annotation) is tuple
            yield _section(f"`[[{name}.{key}]]`" if several else f"`[{name}.{key}]`", inner)
            yield from _inner_tables(f"{name}.{key}", inner)


def _table(model: type[BaseModel]) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, field in model.model_fields.items():
        cells = (f"`{key}`", _type(field.annotation, field), _default(field), _meaning(model, key, field))
        rows.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(rows) + "\n" if len(rows) > 2 else "None.\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}) or isinstance(value, BaseModel):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, timedelta):
        return f'`"{_duration(value)}"`'
    if isinstance(value, StrEnum | str | Path):
        return f'`"{value}"`'
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _duration(value: timedelta) -> str:
    left = int(value.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if left and left % size == 0:
            return f"{left // size}{unit}"
    return f"{left}s"


#: Keys whose own file leaves them to their name.
_OF_ALL = {
    "base_url": "Where the network is reached; on 127.0.0.1 for a simulated one.",
    "page_size": "Items in one answer of the network.",
    "graph_version": "Version of the API that is asked.",
    "visitor_posts": "Watch what visitors write on the page.",
    "tagged": "Watch posts that tag the page.",
}

_NAMES = {
    bool: "`true` or `false`",
    str: "text",
    Path: "path",
    timedelta: "duration",
    datetime: "time with its zone offset",
    date: "date",
}


def _type(annotation: Any, field: FieldInfo | None = None) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _type(next(argument for argument in arguments if argument is not type(None)), field)
    if origin is tuple:
        return f"list of {_plural(_type(arguments[0]))}"
    if origin is dict:
        return f"table of {_plural(_type(arguments[1]))}" if arguments[1] is not Any else "table"
    if origin is not None and arguments:  # Annotated
        return _type(arguments[0], field)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table, see below"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(f'`"{choice.value}"`' for choice in annotation)
    if annotation in (int, float):
        return f"{'whole number' if annotation is int else 'number'}{_bounds(field)}"
    return _NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _plural(name: str) -> str:
    if name == "table, see below":
        return "tables, see below"
    if name.startswith('`"'):
        return f"these: {name}"
    return name if name.startswith(("list", "table")) else f"{name}s"


def _bounds(field: FieldInfo | None) -> str:
    limits: dict[str, Any] = {}
    for item in field.metadata if field is not None else ():
        limits.update({sign: getattr(item, sign) for sign in ("ge", "gt", "le", "lt") if hasattr(item, sign)})
    words = [f"above {limits['gt']:g}"] if "gt" in limits else [f"from {limits['ge']:g}"] if "ge" in limits else []
    words += [f"below {limits['lt']:g}"] if "lt" in limits else [f"to {limits['le']:g}"] if "le" in limits else []
    return f", {' '.join(words)}" if words else ""


def _meaning(model: type[BaseModel], key: str, field: FieldInfo) -> str:
    if field.description:
        return field.description
    for owner in model.__mro__:
        if key in vars(owner).get("__annotations__", {}) and (comment := _comment_on(owner, key)):
            return comment
    return _OF_ALL.get(key, "")


def _comment_on(owner: type, key: str) -> str:
    """The ``#:`` lines above a field, or the ``#`` at its end: a plug-in says it once, where it is written."""
    lines = textwrap.dedent(inspect.getsource(owner)).splitlines()
    body = ast.parse("\n".join(lines)).body[0]
    assert isinstance(body, ast.ClassDef)
    for statement in body.body:
        if not isinstance(statement, ast.AnnAssign) or getattr(statement.target, "id", "") != key:
            continue
        above: list[str] = []
        for line in reversed(lines[: statement.lineno - 1]):
            if not line.strip().startswith("#:"):
                break
            above.insert(0, line.strip().removeprefix("#:").strip())
        if above:
            return " ".join(above)
        rest = lines[(statement.end_lineno or statement.lineno) - 1][statement.end_col_offset :].strip()
        if rest.startswith("#"):
            text = rest.lstrip("#: ").strip()
            return f"{text[0].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
    return ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
