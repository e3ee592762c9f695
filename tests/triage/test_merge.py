"""How rules, language and model become one assessment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from social.domain.assessment import (
    NOBODY_FLAGS,
    SILENT_FLAGS,
    Assessment,
    Flag,
    Head,
    ModelIdentity,
    Sentiment,
    Urgency,
)
from triage.calibrate import probabilities
from triage.checkpoint import OPTIONAL, HeadSettings
from triage.language import LanguageGuess
from triage.merge import ModelOpinion, merge
from triage.prepare import PreparedText
from triage.rules import Hit

POLISH = LanguageGuess(code="pl", certain=True, source="text")
OPINION = ModelOpinion(
    identity=ModelIdentity(id="model", version="1"),
    sentiment=np.array([0.1, 0.2, 0.7]),
    urgency=np.array([0.02, 0.03, 0.05, 0.9]),
    vector=None,
    heads={"sentiment": HeadSettings(abstain=0.5), "urgency": HeadSettings(abstain=0.5)},
)


def hit(flag: Flag | None, floor: Urgency | None = None) -> Hit:
    return Hit(rule=f"about-{flag}", flag=flag, floor=floor, evidence="words")


def merged(*hits: Hit, urgency: list[float] | None = None, language: LanguageGuess = POLISH) -> Assessment:
    opinion = OPINION if urgency is None else replace(OPINION, urgency=np.array(urgency))
    return merge(PreparedText(text="text"), language, hits, opinion)


def test_it_takes_the_models_word_where_no_rule_speaks() -> None:
    assessment = merged()
    assert (assessment.sentiment, assessment.urgency) == (Sentiment.POSITIVE, Urgency.LOW)
    assert not assessment.needs_reply
    assert not assessment.abstained


def test_a_rule_only_ever_raises_the_urgency() -> None:
    assert merged(hit(Flag.SAFETY, Urgency.CRITICAL)).urgency is Urgency.CRITICAL
    assert merged(hit(Flag.FORMAL, Urgency.NORMAL), urgency=[0.02, 0.9, 0.05, 0.03]).urgency is Urgency.HIGH


def test_a_flag_that_needs_people_needs_a_reply() -> None:
    assert merged(hit(Flag.MINORS)).needs_reply
    assert not merged(hit(Flag.OPT_OUT)).needs_reply


@pytest.mark.parametrize("flag", sorted(NOBODY_FLAGS))
def test_what_is_for_nobody_is_low_but_never_hides_what_the_model_holds_to_be_pressing(flag: Flag) -> None:
    assert merged(hit(flag), urgency=[0.02, 0.03, 0.9, 0.05]).urgency is Urgency.LOW
    assert merged(hit(flag), urgency=[0.9, 0.05, 0.03, 0.02]).urgency is Urgency.CRITICAL


@pytest.mark.parametrize("flag", sorted(NOBODY_FLAGS))
def test_beside_a_flag_for_people_nothing_is_for_nobody(flag: Flag) -> None:
    assert merged(hit(flag), hit(Flag.FRAUD, Urgency.CRITICAL)).flags == {Flag.FRAUD}


def test_something_critical_that_no_rule_can_name_leaves_the_flags_unsure() -> None:
    assert Head.FLAGS in merged(urgency=[0.6, 0.2, 0.1, 0.1]).abstained
    assert Head.FLAGS in merged(urgency=[0.36, 0.44, 0.1, 0.1]).abstained
    assert Head.FLAGS in merged(hit(Flag.WANTS_HUMAN), urgency=[0.6, 0.2, 0.1, 0.1]).abstained
    assert Head.FLAGS not in merged(hit(Flag.SAFETY, Urgency.CRITICAL), urgency=[0.6, 0.2, 0.1, 0.1]).abstained
    assert Head.FLAGS not in merged(urgency=[0.1, 0.7, 0.1, 0.1]).abstained


def test_it_is_unsure_whether_to_answer_while_the_model_wavers() -> None:
    assert Head.NEEDS_REPLY in merged(urgency=[0.05, 0.1, 0.35, 0.5]).abstained
    assert Head.NEEDS_REPLY not in merged(urgency=[0.05, 0.1, 0.75, 0.1]).abstained
    assert Head.NEEDS_REPLY not in merged(hit(Flag.FORMAL, Urgency.NORMAL), urgency=[0.05, 0.1, 0.35, 0.5]).abstained


def test_each_head_abstains_below_its_own_threshold_and_still_guesses() -> None:
    assessment = merged(urgency=[0.1, 0.4, 0.3, 0.2])
    assert Head.URGENCY in assessment.abstained
    assert Head.SENTIMENT not in assessment.abstained
    assert assessment.urgency is Urgency.HIGH


def test_a_language_that_is_unsure_is_abstained_on() -> None:
    assert Head.LANGUAGE in merged(language=LanguageGuess(code="de", certain=False, source="text")).abstained


def test_a_checkpoint_without_urgency_is_never_silently_low() -> None:
    assessment = merge(PreparedText(text="text"), POLISH, (), replace(OPINION, urgency=None))
    assert assessment.urgency is Urgency.NORMAL
    assert {Head.URGENCY, Head.NEEDS_REPLY} <= assessment.abstained
    assert assessment.needs_reply


def test_it_tells_who_said_what() -> None:
    reasons = merged(hit(Flag.LEGAL, Urgency.CRITICAL)).reasons
    assert [(reason.source, reason.effect) for reason in reasons] == [
        ("rule", "legal, at least critical"),
        ("model", "positive"),
        ("model", "low"),
    ]


def test_a_temperature_softens_and_keeps_the_order() -> None:
    logits = np.array([[2.0, 1.0, -1.0]])
    cold, warm = probabilities(logits, 1.0)[0], probabilities(logits, 3.0)[0]
    assert cold.sum() == pytest.approx(1.0)
    assert warm.max() < cold.max()
    assert list(cold.argsort()) == list(warm.argsort())


def test_it_does_not_send_sure_praise_to_people_for_a_doubt_about_its_urgency() -> None:
    hesitant = np.array([0.05, 0.15, 0.28, 0.52])
    praise = replace(OPINION, sentiment=np.array([0.03, 0.03, 0.94]), urgency=hesitant)
    lukewarm = replace(praise, sentiment=np.array([0.1, 0.4, 0.5]))
    text = PreparedText(text="Super zapach!")
    assert Head.NEEDS_REPLY not in merge(text, POLISH, (), praise).abstained
    assert Head.NEEDS_REPLY in merge(text, POLISH, (), lukewarm).abstained


MORE = {
    "needs_reply": HeadSettings(abstain=0.6, limits=(0.65, 0.35)),
    "topics": HeadSettings(limits=(0.5,) * 10 + (0.2,)),
    "harm": HeadSettings(limits=(0.8, 0.9)),
}


def seen(
    *hits: Hit,
    yes: float = 0.1,
    topics: dict[str, float] | None = None,
    harm: tuple[float, float] = (0.0, 0.0),
    **changes: object,
) -> Assessment:
    """By a model with all heads."""
    labels = OPTIONAL["topics"]
    more = {
        "needs_reply": np.array([1 - yes, yes]),
        "topics": np.array([(topics or {}).get(label, 0.0) for label in labels]),
        "harm": np.array(harm),
    }
    opinion = replace(OPINION, heads={**OPINION.heads, **MORE}, more=more, **changes)  # type: ignore[arg-type]
    return merge(PreparedText(text="text"), POLISH, hits, opinion)


def test_the_model_itself_says_who_waits_for_an_answer() -> None:
    assert not seen(yes=0.1).needs_reply
    assert seen(yes=0.9).needs_reply
    assert seen(yes=0.36).needs_reply  # its own limit: nobody who waits should be missed
    assert not seen(yes=0.1, urgency=np.array([0.0, 0.1, 0.8, 0.1])).needs_reply
    assert seen(yes=0.1, urgency=np.array([0.1, 0.7, 0.1, 0.1])).needs_reply


def test_rules_may_ask_for_an_answer_where_the_model_would_not() -> None:
    assert seen(hit(Flag.WANTS_HUMAN), yes=0.0).needs_reply
    assert seen(hit(None, Urgency.NORMAL), yes=0.0).needs_reply
    assert not seen(hit(Flag.SPAM), yes=0.9).needs_reply


def test_it_is_unsure_who_waits_while_that_head_wavers() -> None:
    assert Head.NEEDS_REPLY in seen(yes=0.5).abstained
    assert Head.NEEDS_REPLY not in seen(yes=0.9).abstained
    assert Head.NEEDS_REPLY not in seen(hit(Flag.MINORS), yes=0.5).abstained


def test_topics_come_from_their_own_limits_the_surest_first() -> None:
    assert seen().topics == ()
    assert seen(topics={"delivery": 0.6, "payment": 0.9, "staff": 0.49, "other": 0.9}).topics == ("payment", "delivery")


def test_abuse_and_hate_are_flags_with_a_reason_and_hate_keeps_the_robot_silent() -> None:
    assert seen(harm=(0.7, 0.7)).flags == frozenset()
    rude = seen(harm=(0.85, 0.1))
    assert rude.flags == {Flag.ABUSE}
    assert not rude.needs_reply  # who swears may want nothing of us
    assert ("harm", "85%", "abuse") in {(reason.name, reason.evidence, reason.effect) for reason in rude.reasons}
    assert seen(harm=(0.95, 0.95)).flags == {Flag.ABUSE, Flag.HATE}
    assert Flag.HATE in SILENT_FLAGS
    assert Flag.ABUSE not in SILENT_FLAGS
