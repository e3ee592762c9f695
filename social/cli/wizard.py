"""The words and the file of ``social init``: answers in, a commented config.toml out. Asks nobody itself."""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from textwrap import wrap
from typing import Any

_WIDTH = 118


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What is asked, said and written as comments, in one language."""

    ask: Mapping[str, str]
    say: Mapping[str, Any]
    comments: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAnswer:
    """One network to watch. ``options`` is what only it needs."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """All that the file is made of. ``hours`` and ``saturday`` are slots such as ``09:00-17:00``, empty for closed."""

    brand: str
    languages: tuple[str, ...]
    timezone: str
    hours: str
    saturday: str
    holidays: str
    networks: tuple[NetworkAnswer, ...]
    closed_notice: bool
    dry_run: bool

    def profile_name(self, network: NetworkAnswer) -> str:
        return profile_name(self.brand, network.kind)


def words_in(language: str) -> Words:
    text = (resources.files("social.cli") / "init_texts" / f"{language}.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    return Words(ask=document["ask"], say=document["say"], comments=document["comments"])


def config_text(answers: Answers, words: Words) -> str:
    """The file. It can be read by ``social.settings.parse_settings`` if the answers are usable."""
    comments = words.comments
    parts = [
        _comment(comments["head"].strip()),
        _table("[database]", comments, ("database", "url", '"sqlite:///var/dyzur.db"')),
        _table("[secrets]", comments, ("secrets", "directory", '"secrets"')),
        _table(
            "[responders]",
            comments,
            ("responders", "# acknowledge_after", '"40m"'),
            ("urgent", "# urgent_acknowledge_after", '"5m"'),
        ),
        _brand(answers, comments),
        *(_profile(answers, network, comments) for network in answers.networks),
    ]
    return "\n\n".join(parts) + "\n"


def _brand(answers: Answers, comments: Mapping[str, str]) -> str:
    keys = [
        ("brand", "name", _quoted(answers.brand)),
        ("languages", "languages", json.dumps(list(answers.languages))),
        ("timezone", "timezone", _quoted(answers.timezone)),
        ("holidays", "holidays" if answers.holidays else "# holidays", _quoted(answers.holidays or "PL")),
        ("closed_dates", "# closed_dates", "[]"),
    ]
    days = [("hours", "mon-fri", json.dumps([answers.hours]))] if answers.hours else []
    if answers.saturday:
        days.append(("" if days else "hours", "sat", json.dumps([answers.saturday])))
    return _table("[[brands]]", comments, *keys) + "\n\n" + _table("[brands.hours]", comments, *days)


def _profile(answers: Answers, network: NetworkAnswer, comments: Mapping[str, str]) -> str:
    return profile_table(
        name=answers.profile_name(network),
        brand=answers.brand,
        kind=network.kind,
        mode="dry-run" if answers.dry_run else "acknowledge",
        closed_notice=answers.closed_notice,
        options=network.options,
        comments=comments,
    )


def profile_table(
    *,
    name: str,
    brand: str,
    kind: str,
    mode: str,
    closed_notice: bool,
    options: Mapping[str, Any],
    comments: Mapping[str, str],
) -> str:
    """A ``[[profiles]]`` table; its credential is called as the profile is."""
    table = _table(
        "[[profiles]]",
        comments,
        ("profile", "name", _quoted(name)),
        ("", "brand", _quoted(brand)),
        ("", "connector", _quoted(kind)),
        ("mode", "mode", _quoted(mode)),
        ("closed_notice", "closed_notice", "true" if closed_notice else "false"),
        ("poll_every", "poll_every", '"60s"'),
        ("credential", "credential", _quoted(name)),
    )
    if not options:
        return table
    return f"{table}\n\n{_comment(comments['options'])}\n{_options_table(options)}"


def options_table(mode: str, options: Mapping[str, Any]) -> str:
    """What a profile that is there already may lack."""
    lines = f"mode = {_quoted(mode)}"
    return f"{lines}\n\n{_options_table(options)}" if options else lines


def _options_table(options: Mapping[str, Any]) -> str:
    return _table("[profiles.options]", {}, *(("", key, toml_value(value)) for key, value in options.items()))


def toml_value(value: Any) -> str:
    """A text, number, truth or list of them: JSON's form of these is TOML's too."""
    return json.dumps(value, ensure_ascii=False)


def profile_name(brand: str, kind: str) -> str:
    return f"{_slug(brand)}-{kind}"


def _table(header: str, comments: Mapping[str, str], *keys: tuple[str, str, str]) -> str:
    """``keys`` are (comment, key, TOML value)."""
    lines = [header]
    for comment, key, value in keys:
        if comment:
            lines.append(_comment(comments[comment]))
        lines.append(f"{key} = {value}")
    return "\n".join(lines)


def _comment(text: str) -> str:
    return "\n".join(f"# {line}" for paragraph in text.splitlines() for line in wrap(paragraph, _WIDTH) or [""])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a TOML basic string


def _slug(text: str) -> str:
    """``Sklep Żółw & Syn`` -> ``sklep-zolw-syn``."""
    plain = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:40] or "brand"
