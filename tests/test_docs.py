"""The docs say what the code does: names, links, commands and defaults are compared, not believed."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from connectors import registry
from responders.policy import TABLE
from social import __version__, settings_reference
from social.cli import EXIT_CODES
from social.cli.verbs import ALL
from social.domain import errors

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_configuration_reference_is_what_the_settings_say() -> None:
    assert read("docs/configuration.md") == settings_reference.page(), "write it anew with: make docs"


def test_every_setting_has_a_meaning() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\|([^|]*)\|$", settings_reference.page(), flags=re.MULTILINE)

    assert rows
    assert [key for key, meaning in rows if not meaning.strip()] == []


def test_the_decision_page_names_the_rules_in_the_order_of_the_table() -> None:
    named = re.findall(r"^\| `([a-z-]+)` \|", read("docs/how-a-decision-is-made.md"), flags=re.MULTILINE)

    assert named == [rule.name for rule in TABLE]


def test_the_networks_page_tells_of_every_network() -> None:
    page = read("docs/networks.md")

    assert [kind for kind in registry.kinds() if f"`{kind}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_docs_are_commands(page: Path) -> None:
    used = re.findall(
        r"(?:^|[`$/ ])social (?:--config \S+ )?([a-z][a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    commands = {word for word in used if f"`social {word}" in page.read_text(encoding="utf-8")}

    assert commands <= set(ALL)


def test_the_readme_shows_every_command() -> None:
    readme = read("README.md")

    assert [verb for verb in ALL if f"social {verb}" not in readme] == []


def test_make_targets_in_the_docs_are_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))
    used = {word for page in PAGES for word in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))}
    used |= {
        word
        for page in PAGES
        for word in re.findall(r"^make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert used
    assert used <= targets


def test_paths_in_the_contributors_table_are_there() -> None:
    named = re.findall(r"`((?:social|connectors|triage|responders|tests|docs)/[\w./-]+)[`:]", read("CONTRIBUTING.md"))

    assert named
    assert [path for path in named if not (ROOT / path.rstrip("/")).exists()] == []


def test_every_dependency_has_its_line() -> None:
    page = read("docs/dependencies.md")
    wanted = [*PROJECT["project"]["dependencies"], *chain(*PROJECT["project"]["optional-dependencies"].values())]
    names = {re.split(r"[\[<>=~!; ]", requirement, maxsplit=1)[0] for requirement in wanted} - {"dyzur"}

    assert [name for name in sorted(names) if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", page)] == []


def test_every_decision_is_numbered_once() -> None:
    numbers = [file.name[:4] for file in sorted((ROOT / "docs" / "decisions").glob("*.md"))]

    assert numbers
    assert len(set(numbers)) == len(numbers)


def test_the_changelog_knows_this_version() -> None:
    assert f"\n## {__version__}" in read("CHANGELOG.md")


def test_every_exit_code_is_told() -> None:
    def codes(error: type[errors.DyzurError]) -> set[int]:
        return {error.exit_code}.union(*(codes(child) for child in error.__subclasses__()))

    assert codes(errors.DyzurError) <= set(EXIT_CODES)
