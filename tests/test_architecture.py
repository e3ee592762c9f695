"""The picture of the house holds: who imports whom, who names a network, who reads a clock, what is imported when."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

from connectors import registry

ROOT = Path(__file__).parent.parent
PACKAGES = ("social", "connectors", "triage", "responders")
SOURCES = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: They cost a tenth of a second to seven seconds of import.
HEAVY = {
    "apprise",
    "atproto",
    "atproto_client",
    "facebook",
    "holidays",
    "onnxruntime",
    "openvino",
    "torch",
    "transformers",
    "tweepy",
}


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


KINDS = registry.kinds()


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def test_everybody_imports_downwards_only() -> None:
    lint = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert lint.returncode == 0, lint.stdout + lint.stderr
    assert "0 broken" in lint.stdout


# --- only its own file names a network ----------------------------------------------------------------------------------


def named_kinds(file: Path) -> set[str]:
    """Network kinds in a file's names and texts; comments and docstrings may explain."""
    tree = tree_of(file)
    explained = {
        id(body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and (body := node.body)
        and isinstance(body[0], ast.Expr)
    }
    words: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in explained:
            words.append(node.value)
        elif isinstance(node, ast.Name):
            words.append(node.id)
        elif isinstance(node, ast.Attribute):
            words.append(node.attr)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            words += [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
    text = " ".join(words).lower()
    return {kind for kind in KINDS if re.search(rf"(?<![a-z]){kind}(?![a-z])", text)}


def test_only_a_networks_own_file_names_it() -> None:
    named = {}
    for file in SOURCES:
        own = {file.stem} if file.parent.name in ("connectors", "simulated") else set()
        if foreign := named_kinds(file) - own:
            named[name_of(file)] = foreign

    assert named == {}


def test_the_search_for_names_finds_one(tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    file.write_text('"""bluesky may stand here."""\nif kind == "bluesky":  # and facebook here\n    pass\n')

    assert named_kinds(file) == {"bluesky"}


def test_every_network_of_the_house_is_found_without_a_list() -> None:
    files = {file.stem for file in (ROOT / "connectors").glob("*.py")} - registry.WORKSHOP - {"__init__"}

    assert set(registry.kinds()) >= files
    assert files


# --- only the clock reads a clock --------------------------------------------------------------------------------------

_CLOCKS = re.compile(
    r"(?:datetime(?:\.datetime)?\.(?:now|utcnow|today)|date\.today|time\.(?:time|time_ns|monotonic|perf_counter|localtime|gmtime|sleep))"
)


def clock_calls(file: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(file)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and _CLOCKS.fullmatch(called := ast.unparse(node.func))
        ):
            yield f"{name_of(file)}:{node.lineno}: {called}"


def test_only_the_clock_reads_a_clock() -> None:
    allowed = {"social/clock.py"}
    training = ROOT / "triage" / "training"  # hours of work that print how long they took

    found = [
        call
        for file in SOURCES
        if name_of(file) not in allowed and not file.is_relative_to(training)
        for call in clock_calls(file)
    ]

    assert found == []


# --- what is imported when ---------------------------------------------------------------------------------------------


def imports_at_start(tree: ast.Module) -> Iterator[str]:
    """Modules that are imported as soon as the file is; what stands in functions or under TYPE_CHECKING is not."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending += ast.iter_child_nodes(node)


@pytest.mark.parametrize("package", PACKAGES)
def test_heavy_libraries_are_imported_only_by_what_uses_them(package: str) -> None:
    training = ROOT / "triage" / "training"
    found = {
        name_of(file): heavy
        for file in SOURCES
        if file.is_relative_to(ROOT / package) and not file.is_relative_to(training)
        if (heavy := HEAVY & set(imports_at_start(tree_of(file))))
    }

    assert found == {}


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules, sep='\\n', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return {line.partition(".")[0] for line in done.stderr.splitlines()}


def test_the_help_of_the_whole_costs_nothing_but_the_table() -> None:
    loaded = modules_after("from social.cli import main\nassert main(['--help']) == 0")

    assert not loaded & (HEAVY | {"typer", "pydantic", "sqlmodel", "sqlalchemy", "numpy", "requests"})


def test_the_help_of_a_verb_does_not_open_the_house() -> None:
    loaded = modules_after("from social.cli import main\nassert main(['pause', '--help']) == 0")

    assert "typer" in loaded
    assert not loaded & (HEAVY | {"sqlmodel", "sqlalchemy", "numpy", "requests"})


# --- dependencies ------------------------------------------------------------------------------------------------------

#: Declared, though no file imports them.
NOT_IMPORTED = {
    "tzdata": "zoneinfo reads it where the machine has no time zones",
    "python-multipart": "Starlette reads forms with it",
    "psycopg": "SQLAlchemy loads it for postgresql+psycopg://",
}


def distributions(requirements: list[str]) -> set[str]:
    return {
        re.split(r"[\[<>=~!; ]", requirement, maxsplit=1)[0].lower().replace("_", "-") for requirement in requirements
    }


def test_what_the_product_imports_is_declared_and_what_is_declared_is_imported() -> None:
    imported: set[str] = set()
    for file in SOURCES:
        if file.is_relative_to(ROOT / "triage" / "training"):
            continue
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                imported.add(node.module.partition(".")[0])
    imported -= set(sys.stdlib_module_names) | set(PACKAGES)
    known = metadata.packages_distributions()
    needed = {known.get(module, [module])[0].lower().replace("_", "-") for module in imported}
    extras = PROJECT["project"]["optional-dependencies"]
    declared = distributions(
        PROJECT["project"]["dependencies"] + extras["postgres"] + extras["torch"] + extras["notify"]
    )

    # a library may be reached through the one that brings it: its own parts are not declared twice
    brought = {"sqlmodel": {"sqlalchemy"}, "requests": {"urllib3"}, "pydantic": {"pydantic-core"}, "atproto": {"httpx"}}
    for owner, parts in brought.items():
        if owner in declared:
            declared |= parts & needed

    assert needed - declared == set()
    assert declared - needed == set(NOT_IMPORTED)


def test_tests_have_no_packages_of_their_own() -> None:
    """A tests/connectors/__init__.py would hide the real connectors."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []
