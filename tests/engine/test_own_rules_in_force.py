"""Rules of config.toml reach every judge that the desk opens: the model's, the spare one, and the one in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from social.domain.assessment import TextToAssess, Urgency
from social.domain.errors import ConfigurationError
from social.engine.build import load_judge
from social.settings import Settings, parse_settings, shipped_config

OWN = """
[triage.rules]
off = ["asks-for-a-person"]

[[triage.rules.own]]
name = "hob-e7"
floor = "critical"
any = ["e7"]
"""


def settings(tmp_path: Path, triage: str) -> Settings:
    before, heading, after = shipped_config().partition("[triage]\n")
    return parse_settings(f"{before}{heading}{triage}{OWN}{after}", source=None, home=tmp_path)


@pytest.mark.parametrize("triage", ['backend = "rules"\n', 'model = "nowhere"\n', "threads = 1\n"])
def test_every_judge_knows_them(tmp_path: Path, triage: str) -> None:
    for judge in load_judge(settings(tmp_path, triage)):
        (found,) = judge.assess([TextToAssess(text="Pokazuje E7, poproszę konsultanta")])

        assert found.urgency is Urgency.CRITICAL
        assert [reason.name for reason in found.reasons if reason.source == "rule"][:1] == ["hob-e7"]


def test_nothing_is_judged_where_a_rule_is_broken(tmp_path: Path) -> None:
    broken = parse_settings(shipped_config() + OWN.replace('"e7"', '"(e7"'), source=None, home=tmp_path)

    with pytest.raises(ConfigurationError, match="a bracket is not closed"):
        load_judge(broken)
