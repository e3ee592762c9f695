"""The desk speaks Polish and English, wholly."""

from __future__ import annotations

import hashlib
import re
import string
import tomllib
from importlib import resources
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from social.web import sentences, vocabulary
from social.web.language import catalogue, words_for
from tests.cast import WARSAW, at
from triage.rules import rule_book

WEB = Path(str(resources.files("social.web")))
TEMPLATES = sorted((WEB / "templates").glob("*.html"))


def said_by_templates() -> dict[str, str]:
    """Every message in the templates, with the place of one of them."""
    found: dict[str, str] = {}
    for file in TEMPLATES:
        text = file.read_text(encoding="utf-8")
        for match in re.finditer(r"""_\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""", text):
            found[match[1] if match[1] is not None else match[2]] = file.name
    return found


def said_by_sentences() -> dict[str, str]:
    refusals = {*sentences.REFUSALS, *sentences.OFFERED, *filter(None, sentences.REFUSALS.values())}
    return dict.fromkeys(sentences.SENTENCES, "sentences.SENTENCES") | dict.fromkeys(refusals, "sentences.REFUSALS")


def said_by_vocabulary() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in vars(vocabulary):
        table = getattr(vocabulary, name)
        if name.isupper() and isinstance(table, dict):
            for value in table.values():
                found.update(dict.fromkeys([value] if isinstance(value, str) else value, f"vocabulary.{name}"))
    return found


@pytest.fixture(scope="module")
def polish() -> object:
    with (WEB / "locale" / "pl.po").open("rb") as file:
        return read_po(file, locale="pl")


def test_everything_that_is_said_is_said_in_polish_too(polish: object) -> None:
    known = {message.id if isinstance(message.id, str) else message.id[0] for message in polish if message.id}  # type: ignore[attr-defined]
    said = said_by_templates() | said_by_vocabulary() | said_by_sentences()
    assert {message: place for message, place in said.items() if message not in known} == {}


def test_every_shipped_rule_can_be_told_to_people() -> None:
    assert {rule.name for rule in rule_book().rules} <= vocabulary.REASON.keys()


def test_nothing_is_translated_that_nobody_says(polish: object) -> None:
    plurals = "".join(file.read_text(encoding="utf-8") for file in TEMPLATES) + (WEB / "language.py").read_text()
    plurals += "".join(f"%(count)d {unit}s " for unit in ("minute", "hour", "day"))  # of a span in a sentence
    said = said_by_templates() | said_by_vocabulary() | said_by_sentences()
    unused = [
        message.id
        for message in polish  # type: ignore[attr-defined]
        if message.id
        and not (message.id in said if isinstance(message.id, str) else message.id[0] in plurals)
        and (not isinstance(message.id, str) or message.id not in plurals)
    ]
    assert unused == []


def test_a_translation_has_the_places_of_its_message(polish: object) -> None:
    def places(text: str) -> set[str]:
        return set(re.findall(r"%\((\w+)\)", text))

    for message in polish:  # type: ignore[attr-defined]
        if not message.id:
            continue
        source = message.id if isinstance(message.id, str) else message.id[1]
        for text in [message.string] if isinstance(message.string, str) else message.string:
            assert text, f"{source!r} is not translated"
            assert places(text) == places(source), source


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 sprawa"), (3, "3 sprawy"), (5, "5 spraw"), (22, "22 sprawy"), (12, "12 spraw")]
)
def test_polish_counts_as_poles_do(count: int, said: str) -> None:
    words = words_for("pl", "", fallback="en", zone=WARSAW)
    assert words.count("%(count)d case", "%(count)d cases", count) == said


def test_times_are_the_readers(polish: object) -> None:
    when = at("2026-11-20 16:45")
    assert words_for("pl", "", fallback="en", zone=WARSAW).moment(when) == "pt. 20 lis, 16:45"
    assert words_for("en", "", fallback="en", zone=WARSAW).moment(when) == "Fri 20 Nov, 16:45"


@pytest.mark.parametrize(
    ("chosen", "accept", "language"),
    [
        (None, "pl-PL,pl;q=0.9,en;q=0.8", "pl"),
        (None, "de-DE,de;q=0.9,en;q=0.4,pl;q=0.3", "en"),
        (None, "fr", "pl"),
        (None, ";q=x,,,", "pl"),
        ("en", "pl", "en"),
        ("xx", "", "pl"),
    ],
)
def test_the_language_is_chosen_then_preferred_then_the_brands(chosen: str | None, accept: str, language: str) -> None:
    assert words_for(chosen, accept, fallback="pl", zone=WARSAW).language == language


def test_the_source_needs_no_catalogue() -> None:
    assert catalogue("en").gettext("Queue") == "Queue"


# --- what the strict policy and everybody's eyes need ---------------------------------------------------------------------


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_no_template_holds_a_script_a_style_or_an_address_elsewhere(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert not re.search(r"""(?:src|href)=["']https?://""", text)
    assert "|safe\n" not in text and "|safe }" not in text


def test_every_field_has_a_label() -> None:
    for file in TEMPLATES:
        text = file.read_text(encoding="utf-8")
        labelled = set(re.findall(r'<label for="([^"]+)"', text))
        for field in re.findall(r"<(?:input|select|textarea)\b[^>]*>", text):
            if 'type="hidden"' in field or 'type="checkbox"' in field:
                continue
            name = re.search(r'\bid="([^"]+)"', field)
            assert name is not None and name[1] in labelled, f"{file.name}: {field}"


def test_what_is_not_ours_is_what_it_says() -> None:
    folder = WEB / "static" / "vendor"
    listed = {entry["name"]: entry for entry in tomllib.loads((folder / "VENDOR.toml").read_text())["file"]}
    assert {file.name for file in folder.glob("*.js")} == set(listed)
    for name, entry in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == entry["sha256"]
        assert set(entry["sha256"]) <= set(string.hexdigits)
