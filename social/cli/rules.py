"""``social rules``: the words that judge beside the model, to read and to try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from social.cli.command import Config, Json, columns, new_app, print_json, text_given

if TYPE_CHECKING:
    from triage.rules import Explanation, Rule, RuleBook

app = new_app()

_SHOWN = 3
_WIDTH = 60


@app.command("list")
def list_rules(config: Config = None, as_json: Json = False) -> None:
    """Every rule in force, shipped and own: its name, what it does, the first words that it looks for."""
    book, off = _book(config)
    if as_json:
        print_json({"rules": [_described(rule) for rule in book.rules], "off": off})
        return
    rows = [(rule.name, rule.effect, f"{'own: ' if rule.own else ''}{_beginning(rule)}") for rule in book.rules]
    print(columns([*rows, *((name, "switched off", "") for name in off)]))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name that social rules list shows.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """One rule with all its patterns. How to read them: docs/rules.md."""
    from difflib import get_close_matches

    from social.domain.errors import NotFound

    book, off = _book(config)
    rule = next((rule for rule in book.rules if rule.name == name), None)
    if rule is None:
        if name in off:
            raise NotFound(f"the rule {name!r} is switched off.", next_step="It stands in [triage.rules] off.")
        close = get_close_matches(name, [rule.name for rule in book.rules], n=1)
        hint = f"Did you mean {close[0]}?" if close else "They are named by: social rules list"
        raise NotFound(f"there is no rule {name!r} in force.", next_step=hint)
    described = _described(rule)
    if as_json:
        print_json(described)
        return
    print(f"{rule.name}: {rule.effect}")
    if rule.beside:
        print(f"only beside a hit that sets: {', '.join(described['beside'])}")
    for title, key in (("looks for", "patterns"), ("only with one of", "also"), ("never with one of", "unless")):
        if described[key]:
            print(f"\n{title}:")
            print("\n".join(f"  {source}" for source in described[key]))


@app.command("try")
def try_text(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="What a customer may write; - reads it from standard input.")
    ],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Which rules fire on a text and on which of its words; which held back, and which words no rule has read."""
    from triage.prepare import prepare

    book, text = _book(config)[0], text_given(text)
    found = book.explain(prepare(text).text)
    if as_json:
        print_json(_explained(found))
        return
    rows = [("fires", hit.rule, f'"{hit.evidence}": {hit.effect}') for hit in found.hits]
    for held in found.held_back:
        why = f'because of "{held.excuse}"' if held.excuse else "because nothing else that it needs is there"
        rows.append(("held back", held.rule, f'"{held.evidence}", {why}'))
    rows += [("not read", "idiom", f'"{words}": {idiom}') for words, idiom in found.blotted]
    print(columns(rows, indent=0) if rows else "No rule finds anything; the model judges alone.")


def _book(config: Any) -> tuple[RuleBook, list[str]]:
    from social.engine.rules import open_rules
    from social.settings import load_settings

    settings = load_settings(config)
    return open_rules(settings), sorted(set(settings.triage.rules.off))


def _beginning(rule: Rule) -> str:
    """The first patterns, as far as they fit beside the rest."""
    words = ", ".join(pattern.source for pattern in rule.patterns[:_SHOWN])
    return words if len(words) <= _WIDTH else words[: _WIDTH - 3].rstrip() + "..."


def _described(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "own": rule.own,
        "flag": rule.flag.value if rule.flag else None,
        "floor": rule.floor.value if rule.floor else None,
        "beside": sorted(flag.value for flag in rule.beside),
        "patterns": [pattern.source for pattern in rule.patterns],
        "also": [pattern.source for pattern in rule.also],
        "unless": [pattern.source for pattern in rule.unless],
    }


def _explained(found: Explanation) -> dict[str, Any]:
    return {
        "hits": [
            {
                "rule": hit.rule,
                "flag": hit.flag.value if hit.flag else None,
                "floor": hit.floor.value if hit.floor else None,
                "evidence": hit.evidence,
            }
            for hit in found.hits
        ],
        "held_back": [
            {"rule": held.rule, "evidence": held.evidence, "because": held.excuse or None} for held in found.held_back
        ],
        "not_read": [{"words": words, "idiom": idiom} for words, idiom in found.blotted],
    }
