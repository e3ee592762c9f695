"""`social rules`, and what every command says about rules of config.toml that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import SHOP, Social

OWN = """
[triage.rules]
off = ["press"]
idioms = ["pożar smaku"]

[[triage.rules.own]]
name = "hob-e7"
flag = "safety"
floor = "critical"
pl = [
  "kuchenk* .. e7",
  "płyt* .. e7",
]
"""


def write(shop: Path, rules: str) -> None:
    (shop / "config.toml").write_text(SHOP + rules, encoding="utf-8")


def line(text: str) -> int:
    whole = SHOP + OWN
    return whole[: whole.index(text)].count("\n") + 1


def test_the_list_names_every_rule_what_it_does_and_its_first_words(social: Social, shop: Path) -> None:
    write(shop, OWN)

    done = social("rules", "list")

    assert done.code == 0, done.err
    assert any(
        row.split()[:5] == ["harm-to-health", "safety,", "at", "least", "critical"] for row in done.out.splitlines()
    )
    assert any("hob-e7" in row and "own: kuchenk* .. e7" in row for row in done.out.splitlines())
    assert any(row.split() == ["press", "switched", "off"] for row in done.out.splitlines())


def test_the_list_as_json_has_every_pattern(social: Social, shop: Path) -> None:
    write(shop, OWN)

    found = social("rules", "list", "--json").json

    own = [rule for rule in found["rules"] if rule["own"]]
    assert found["off"] == ["press"]
    assert [(rule["name"], rule["floor"], rule["patterns"]) for rule in own] == [
        ("hob-e7", "critical", ["kuchenk* .. e7", "płyt* .. e7"])
    ]
    assert "press" not in [rule["name"] for rule in found["rules"]]


def test_one_rule_is_shown_whole(social: Social, shop: Path) -> None:
    done = social("rules", "show", "leave-it-be")

    assert done.out.startswith("leave-it-be: opt_out\n")
    assert "  (dajcie|daj) spokój\n" in done.out
    assert "only with one of:" in done.out


def test_a_name_that_is_none_is_told_with_the_nearest(social: Social, shop: Path) -> None:
    done = social("rules", "show", "harm-to-heath")

    assert done.code == 2
    assert "Did you mean harm-to-health?" in done.err


def test_a_rule_that_is_off_says_so_when_asked_for(social: Social, shop: Path) -> None:
    write(shop, OWN)

    assert "the rule 'press' is switched off" in social("rules", "show", "press").err


def test_a_text_is_tried(social: Social, shop: Path) -> None:
    write(shop, OWN)

    done = social("rules", "try", "Pożar smaku! Kuchenka pokazuje E7, a świeca pali się równo.")

    assert [row.split("  ")[0] for row in done.out.splitlines()] == ["fires", "held back", "not read"]
    assert '"Kuchenka pokazuje E7": safety, at least critical' in done.out
    assert '"Pożar smaku": pożar smaku' in done.out


def test_a_text_is_tried_as_json(social: Social, shop: Path) -> None:
    write(shop, OWN)

    found = social("rules", "try", "Kuchenka: E7", "--json").json

    assert found["hits"] == [{"rule": "hob-e7", "flag": "safety", "floor": "critical", "evidence": "Kuchenka: E7"}]
    assert found["held_back"] == found["not_read"] == []


def test_a_text_without_a_rule_says_so(social: Social, shop: Path) -> None:
    assert social("rules", "try", "Ładny kolor").out.startswith("No rule finds anything")


@pytest.mark.parametrize(
    "command", [("classify", "E7"), ("simulate", "Kuchenka pokazuje E7", "--at", "2026-11-20T12:00")]
)
def test_own_rules_judge_in_every_command(social: Social, shop: Path, command: tuple[str, ...]) -> None:
    write(shop, OWN.replace("kuchenk* .. e7", "e7"))

    done = social(*command)

    assert done.code == 0, done.err
    assert "hob-e7" in done.out


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('"press"', '"pres"', "triage.rules.off.0: there is no rule 'pres'; did you mean 'press'?"),
        ('"hob-e7"', '"harm-to-health"', "triage.rules.own.0.name: a shipped rule is called 'harm-to-health'"),
        ('"płyt* .. e7"', '"płyt* .."', "triage.rules.own.0.pl.1: rule 'hob-e7': pattern 'płyt* ..': a gap at the end"),
        ('"pożar smaku"', '"(pożar"', "triage.rules.idioms.0: pattern '(pożar': a bracket is not closed"),
        ('"safety"', '"safty"', "triage.rules.own.0.flag: must be"),
        ("floor =", "flor =", "unknown key 'flor'; did you mean 'floor'?"),
    ],
)
@pytest.mark.parametrize("command", [("check-config",), ("classify", "hej"), ("rules", "list")])
def test_a_mistake_is_told_with_its_line_before_anything_is_judged(
    social: Social, shop: Path, command: tuple[str, ...], before: str, after: str, told: str
) -> None:
    write(shop, OWN.replace(before, after))

    done = social(*command)

    assert done.code == 3
    assert f"config.toml:{line(before)}: " in done.err
    assert told in done.err
    assert done.out == ""


def test_a_rule_that_does_nothing_or_stands_twice_is_refused(social: Social, shop: Path) -> None:
    write(shop, '\n[[triage.rules.own]]\nname = "idle"\nfloor = "low"\npl = ["x"]\n')
    assert "rule 'idle' does nothing" in social("check-config").err

    write(shop, '\n[[triage.rules.own]]\nname = "deaf"\nfloor = "high"\nunless = ["x"]\n')
    assert "rule 'deaf' looks for nothing" in social("check-config").err

    write(shop, 2 * '\n[[triage.rules.own]]\nname = "twin"\nfloor = "high"\npl = ["x"]\n')
    assert "two rules are called 'twin'" in social("check-config").err


def test_switching_off_a_guard_of_life_is_possible_and_told(social: Social, shop: Path) -> None:
    write(shop, '\n[triage.rules]\noff = ["harm-to-health", "press"]\nidioms = ["dym"]\n')

    checked, looked = social("check-config"), social("doctor", "--offline", "--json")

    assert checked.code == 0
    assert "the rule 'harm-to-health' guards life (safety) and is switched off" in checked.err
    assert "the idiom 'dym' is one word" in checked.err
    assert "'press'" not in checked.err
    warnings = [item["sentence"] for item in looked.json if item["level"] == "warning" and item["subject"] == "rules"]
    assert len(warnings) == 2
