"""``[triage.rules]`` -> the book of rules, with file and line for whatever cannot be used."""

from __future__ import annotations

from collections.abc import Sequence

from social.settings import Settings
from social.settings_problems import dotted, unusable
from triage.own_rules import OwnRules, doubts, merge_rules
from triage.rules import Problem, RuleBook, rule_book

_TABLE = ("triage", "rules")


def open_rules(settings: Settings) -> RuleBook:
    """The shipped rules without those that are switched off, and the own ones. Raises ``ConfigurationError`` with every
    problem: the desk never starts without a rule that somebody relies on."""
    book, problems = merge_rules(rule_book(), _wanted(settings))
    if problems:
        raise unusable(_told(settings, problems))
    return book


def rule_problems(settings: Settings) -> list[str]:
    """What ``open_rules`` would refuse, a sentence each."""
    return _told(settings, merge_rules(rule_book(), _wanted(settings))[1])


def rule_doubts(settings: Settings) -> list[str]:
    """What can be used, but should be looked at again: a guard of life switched off, an idiom of one word."""
    return _told(settings, doubts(rule_book(), _wanted(settings)))


def _wanted(settings: Settings) -> OwnRules:
    rules = settings.triage.rules
    return OwnRules(off=rules.off, own=[rule.model_dump(exclude_unset=True) for rule in rules.own], idioms=rules.idioms)


def _told(settings: Settings, problems: Sequence[Problem]) -> list[str]:
    sentences = []
    for inner, sentence in problems:
        location = (*_TABLE, *inner)
        end = "" if sentence.endswith("?") else "."
        sentences.append(f"{settings.where(*location)}: {dotted(location)}: {sentence}{end}")
    return sentences
