"""The policy's table: a promise a row. Friday 2027-01-08, office 9:00 to 17:00."""

from __future__ import annotations

from datetime import timedelta

import pytest

from responders.policy import POLICY_VERSION, TABLE, decide
from social.domain.assessment import SILENT_FLAGS, Assessment, Flag, Head, Sentiment, Urgency
from social.domain.decision import AuthorFacts, ConversationFacts, Outcome
from social.domain.post import PostKind, ProfileMode
from social.domain.reply import ReplyKind
from social.ports import Permission, Verdict
from tests.responders.situations import (
    FREE_RULES,
    STRICT_RULES,
    assessment,
    customer_post,
    snapshot,
    warsaw,
)

NOON = warsaw("2027-01-08 12:00")
NIGHT = warsaw("2027-01-08 23:00")
MINUTE = timedelta(minutes=1)


def test_every_rule_has_its_own_name_and_the_last_takes_whatever_is_left() -> None:
    names = [rule.name for rule in TABLE]
    assert len(set(names)) == len(names)
    assert {rule.row for rule in TABLE} >= {1, 2, 3, 5, 6, 7, 8, 9, 10, 11}
    assert TABLE[-1].name == "closed"


# --- row 1: what nobody asked us ---------------------------------------------------------------------------------------


def test_row_1_ignores_our_own_post_by_any_client() -> None:
    decision = decide(snapshot(NOON, post=customer_post(NOON, ours=True, kind=PostKind.OWN)), NOON)
    assert (decision.rule, decision.outcome, decision.reply) == ("own-post", Outcome.IGNORED, None)


def test_row_1_ignores_another_bot() -> None:
    decision = decide(snapshot(NOON, author=AuthorFacts(is_bot=True)), NOON)
    assert (decision.rule, decision.outcome) == ("other-bot", Outcome.IGNORED)


@pytest.mark.parametrize(("flag", "rule"), [(Flag.SPAM, "spam"), (Flag.AUTO_REPLY, "auto-reply")])
def test_row_1_ignores_spam_and_the_answers_of_machines(flag: Flag, rule: str) -> None:
    decision = decide(snapshot(NOON, judged=assessment(flags={flag})), NOON)
    assert (decision.rule, decision.outcome) == (rule, Outcome.IGNORED)


@pytest.mark.parametrize(
    "judged",
    [
        assessment(flags={Flag.SPAM}, urgency=Urgency.CRITICAL),
        assessment(flags={Flag.SPAM, Flag.SELF_HARM}),
        assessment(flags={Flag.SPAM}, abstained={Head.FLAGS}),
        assessment(flags={Flag.AUTO_REPLY}, urgency=Urgency.HIGH),
    ],
    ids=["critical", "self-harm", "unsure", "a machine's urgent answer"],
)
def test_row_1_shows_people_what_is_only_perhaps_for_nobody(judged: object) -> None:
    decision = decide(snapshot(NOON, judged=judged), NOON)  # type: ignore[arg-type]
    assert decision.escalate
    assert decision.reply is None


# --- row 2: asks for a human -------------------------------------------------------------------------------------------

WANTS_HUMAN = assessment(flags={Flag.WANTS_HUMAN})


@pytest.mark.parametrize("at", [NOON, NIGHT], ids=["by day", "at night"])
def test_row_2_confirms_a_hand_over_at_once_and_ends_automation(at: object) -> None:
    decision = decide(snapshot(at, judged=WANTS_HUMAN), at + MINUTE)  # type: ignore[arg-type, operator]
    assert (decision.rule, decision.escalate, decision.silence) == ("wants-human", True, True)
    assert decision.reply is not None
    assert (decision.reply.kind, decision.reply.due_at) == (ReplyKind.HAND_OVER, at + MINUTE)  # type: ignore[operator]


def test_row_2_tells_only_the_availability_that_is_true() -> None:
    by_day = decide(snapshot(NOON, judged=WANTS_HUMAN), NOON).reply
    at_night = decide(snapshot(NIGHT, judged=WANTS_HUMAN), NIGHT).reply
    assert by_day is not None
    assert at_night is not None
    assert (by_day.closing, by_day.opening) == (warsaw("2027-01-08 17:00"), None)
    assert (at_night.closing, at_night.opening) == (None, warsaw("2027-01-11 09:00"))


def test_row_2_is_allowed_as_a_second_automatic_text() -> None:
    earlier = ConversationFacts(waiting_since=NOON, last_automated_at=NOON, acknowledged=True, automatic_replies=1)
    assert decide(snapshot(NOON, judged=WANTS_HUMAN, conversation=earlier), NOON).reply is not None


def test_row_2_is_never_a_second_text_where_the_network_allows_one() -> None:
    earlier = ConversationFacts(waiting_since=NOON, acknowledged=True, automatic_replies=1)
    decision = decide(snapshot(NOON, judged=WANTS_HUMAN, conversation=earlier, rules=STRICT_RULES), NOON)
    assert (decision.rule, decision.escalate, decision.silence) == ("wants-human", True, True)
    assert decision.reply is None
    assert "1 automatic reply" in decision.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"conversation": ConversationFacts(waiting_since=NOON, handed_over=True, silenced=True)},
        {"conversation": ConversationFacts(waiting_since=NOON, person_acting=True)},
        {"author": AuthorFacts(opted_out=True)},
        {"mode": ProfileMode.OFF},
        {"network": Verdict(permission=Permission.OPEN_IN_APP, reason="blocked")},
        {"network": Verdict(permission=Permission.OPEN_IN_APP)},
        {"author": AuthorFacts(automatic_replies_last_hour=3)},
        {"judged": assessment(flags={Flag.WANTS_HUMAN}, abstained={Head.LANGUAGE})},
        {"judged": assessment(flags={Flag.WANTS_HUMAN, Flag.SELF_HARM})},
        {"judged": assessment(flags={Flag.WANTS_HUMAN, Flag.OPT_OUT})},
    ],
    ids=[
        "twice",
        "person acts",
        "opted out",
        "off",
        "blocked",
        "mute refusal",
        "limit",
        "language",
        "self-harm",
        "stop",
    ],
)
def test_row_2_hands_over_without_a_word_where_a_word_would_be_wrong(changes: dict[str, object]) -> None:
    decision = decide(snapshot(NOON, **{"judged": WANTS_HUMAN, **changes}), NOON)  # type: ignore[arg-type]
    assert decision.escalate
    assert decision.silence
    assert decision.reply is None


def test_row_2_does_not_confirm_a_request_that_is_over_an_hour_old() -> None:
    assert decide(snapshot(NOON, judged=WANTS_HUMAN), NOON + timedelta(minutes=61)).reply is None


# --- row 3: no robot here ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", sorted(SILENT_FLAGS))
def test_row_3_leaves_these_to_people_alone(flag: Flag) -> None:
    decision = decide(snapshot(NOON, judged=assessment(flags={flag}, needs_reply=False)), NOON)
    assert (decision.rule, decision.escalate, decision.reply) == ("no-robot-here", True, None)
    assert decision.silence  # "hello?" ten minutes later must not be thanked for its message


# --- row 4: formal complaints ------------------------------------------------------------------------------------------


def test_row_4_only_adds_a_flag_to_what_happens_anyway() -> None:
    plain = decide(snapshot(NOON), NOON)
    formal = decide(snapshot(NOON, judged=assessment(flags={Flag.FORMAL})), NOON)
    assert (formal.rule, formal.reply) == (plain.rule, plain.reply)
    assert (formal.formal, plain.formal) == (True, False)


def test_row_4_makes_a_case_even_where_no_answer_seems_to_be_needed() -> None:
    decision = decide(snapshot(NOON, judged=assessment(flags={Flag.FORMAL}, needs_reply=False)), NOON)
    assert decision.escalate
    assert decision.formal


# --- row 5: automation has ended ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"author": AuthorFacts(opted_out=True)},
        {"conversation": ConversationFacts(waiting_since=NOON, person_acting=True)},
        {"conversation": ConversationFacts(waiting_since=NOON, silenced=True)},
        {"conversation": ConversationFacts(waiting_since=NOON, handed_over=True)},
    ],
    ids=["opted out", "person acts", "silenced", "handed over"],
)
def test_row_5_opens_or_joins_a_case_without_automation(changes: dict[str, object]) -> None:
    decision = decide(snapshot(NOON, **changes), NOON)  # type: ignore[arg-type]
    assert (decision.rule, decision.escalate, decision.reply) == ("automation-ended", True, None)


def test_row_5_an_opted_out_author_in_an_emergency_still_rings_a_person() -> None:
    judged = assessment(urgency=Urgency.CRITICAL, flags={Flag.SAFETY})
    decision = decide(snapshot(NIGHT, judged=judged, author=AuthorFacts(opted_out=True)), NIGHT)
    assert (decision.escalate, decision.alert, decision.reply) == (True, True, None)


def test_stop_alone_is_obeyed_and_needs_nobody() -> None:
    decision = decide(snapshot(NOON, judged=assessment(flags={Flag.OPT_OUT}, needs_reply=False)), NOON)
    assert (decision.outcome, decision.opt_out, decision.silence) == (Outcome.IGNORED, True, True)
    assert decision.reply is None


@pytest.mark.parametrize(
    "judged",
    [
        assessment(flags={Flag.OPT_OUT}),
        assessment(flags={Flag.OPT_OUT}, needs_reply=False, urgency=Urgency.HIGH),
    ],
    ids=["needs an answer", "urgent"],
)
def test_stop_with_a_question_is_obeyed_and_goes_to_people(judged: object) -> None:
    decision = decide(snapshot(NOON, judged=judged), NOON)  # type: ignore[arg-type]
    assert (decision.escalate, decision.opt_out, decision.silence, decision.reply) == (True, True, True, None)


# --- row 6: unsure -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [Head.LANGUAGE, Head.NEEDS_REPLY, Head.FLAGS])
def test_row_6_lets_a_person_judge_what_the_model_cannot(head: Head) -> None:
    decision = decide(snapshot(NOON, judged=assessment(abstained={head}, needs_reply=False)), NOON)
    assert (decision.rule, decision.escalate, decision.reply) == ("unsure", True, None)
    assert head in decision.reason


def test_row_6_unsure_sentiment_alone_only_means_the_neutral_text() -> None:
    negative = {"sentiment": Sentiment.NEGATIVE}
    unsure = decide(snapshot(NOON, judged=assessment(**negative, abstained={Head.SENTIMENT})), NOON)  # type: ignore[arg-type]
    confident = decide(snapshot(NOON, judged=assessment(**negative)), NOON)  # type: ignore[arg-type]
    assert unsure.reply is not None
    assert confident.reply is not None
    assert (unsure.reply.complaint, confident.reply.complaint) == (False, True)


# --- row 7: nothing to answer ------------------------------------------------------------------------------------------


def test_row_7_keeps_praise_for_the_reports_and_says_nothing() -> None:
    decision = decide(snapshot(NOON, judged=assessment(needs_reply=False, sentiment=Sentiment.POSITIVE)), NOON)
    assert (decision.rule, decision.outcome, decision.reply) == ("no-answer-needed", Outcome.IGNORED, None)


def test_row_7_never_ignores_what_is_urgent() -> None:
    assert decide(snapshot(NOON, judged=assessment(needs_reply=False, urgency=Urgency.HIGH)), NOON).escalate


# --- rows 8 and 9: not now, not here -----------------------------------------------------------------------------------


def test_row_8_pauses_acknowledgements_in_a_crisis() -> None:
    decision = decide(snapshot(NOON, crisis=True), NOON)
    assert (decision.rule, decision.escalate, decision.reply) == ("crisis", True, None)


COMPLAINT = assessment(sentiment=Sentiment.NEGATIVE)
OUTAGE = assessment(flags={Flag.OUTAGE})


@pytest.mark.parametrize("judged", [COMPLAINT, OUTAGE], ids=["complaint", "outage"])
@pytest.mark.parametrize("at", [NOON, NIGHT], ids=["by day", "at night"])
def test_row_8_says_at_once_what_a_person_approved(judged: object, at: object) -> None:
    decision = decide(snapshot(at, judged=judged, crisis=True, holding=True), at + MINUTE)  # type: ignore[arg-type, operator]
    assert (decision.rule, decision.escalate) == ("holding", True)
    assert decision.reply is not None
    assert decision.reply.kind is ReplyKind.HOLDING
    assert (decision.reply.due_at, decision.reply.not_after) == (at + MINUTE, at + 60 * MINUTE)  # type: ignore[operator]


def test_row_8_answers_no_other_question_with_words_about_trouble() -> None:
    question = decide(snapshot(NOON, crisis=True, holding=True), NOON)
    doubtful = assessment(sentiment=Sentiment.NEGATIVE, abstained={Head.SENTIMENT})
    for decision in (question, decide(snapshot(NOON, judged=doubtful, crisis=True, holding=True), NOON)):
        assert (decision.rule, decision.reply) == ("crisis", None)


def test_row_8_says_nothing_late_and_nothing_twice() -> None:
    late = decide(snapshot(NOON, judged=COMPLAINT, crisis=True, holding=True), NOON + 61 * MINUTE)
    assert (late.rule, late.reply) == ("holding", None)
    assert "too late" in late.reason
    told = ConversationFacts(waiting_since=NOON, last_automated_at=NOON, automatic_replies=1)
    again = decide(snapshot(NOON, judged=COMPLAINT, conversation=told, crisis=True, holding=True), NOON)
    assert (again.rule, again.reply) == ("one-text-a-contact", None)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"mode": ProfileMode.OFF}, "profile-off"),
        ({"author": AuthorFacts(automatic_replies_last_hour=3)}, "limit"),
        ({"author": AuthorFacts(opted_out=True)}, "automation-ended"),
        ({"conversation": ConversationFacts(waiting_since=NOON, person_acting=True)}, "automation-ended"),
        ({"post": customer_post(NOON, summoned=False), "rules": STRICT_RULES}, "not-permitted"),
        ({"judged": assessment(sentiment=Sentiment.NEGATIVE, flags={Flag.SAFETY})}, "no-robot-here"),
    ],
)
def test_row_8_changes_nothing_of_what_forbids_every_automatic_text(changes: dict[str, object], rule: str) -> None:
    told = {"judged": COMPLAINT, **changes}
    decision = decide(snapshot(NOON, crisis=True, holding=True, **told), NOON)  # type: ignore[arg-type]
    assert (decision.rule, decision.reply) == (rule, None)


def test_row_8_still_confirms_that_a_person_takes_over() -> None:
    decision = decide(snapshot(NOON, judged=assessment(flags={Flag.WANTS_HUMAN}), crisis=True), NOON)
    assert decision.reply is not None
    assert decision.reply.kind is ReplyKind.HAND_OVER


def test_row_9_gives_the_platforms_rule_as_its_reason() -> None:
    uncalled = customer_post(NOON, summoned=False)
    decision = decide(snapshot(NOON, post=uncalled, rules=STRICT_RULES), NOON)
    assert (decision.rule, decision.escalate, decision.reply) == ("not-permitted", True, None)
    assert "mentioned or quoted" in decision.reason


def test_row_9_writes_nothing_where_the_profile_is_off() -> None:
    decision = decide(snapshot(NOON, mode=ProfileMode.OFF), NOON)
    assert (decision.rule, decision.escalate, decision.reply) == ("profile-off", True, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"author": AuthorFacts(automatic_replies_last_hour=3)}, "this author"),
        ({"profile_texts_last_hour": 200}, "200"),
    ],
    ids=["author", "profile"],
)
def test_row_9_stops_at_the_hours_limits(changes: dict[str, object], words: str) -> None:
    decision = decide(snapshot(NOON, **changes), NOON)  # type: ignore[arg-type]
    assert (decision.rule, decision.escalate, decision.reply) == ("limit", True, None)
    assert words in decision.reason


def test_dry_run_plans_as_usual() -> None:
    assert decide(snapshot(NOON, mode=ProfileMode.DRY_RUN), NOON) == decide(snapshot(NOON), NOON)


# --- history and gaps --------------------------------------------------------------------------------------------------


def test_history_is_never_answered_but_its_questions_are_shown() -> None:
    decision = decide(snapshot(NOON, post=customer_post(NOON, history=True)), NOON)
    assert (decision.rule, decision.escalate, decision.reply) == ("history", True, None)


def test_history_without_a_question_is_ignored_with_its_reason() -> None:
    old = customer_post(NOON, history=True)
    decision = decide(snapshot(NOON, post=old, judged=assessment(needs_reply=False)), NOON)
    assert (decision.outcome, decision.rule) == (Outcome.IGNORED, "history-without-question")


def test_history_rings_a_person_for_todays_danger_and_leaves_last_months_alone() -> None:
    judged = assessment(urgency=Urgency.CRITICAL)
    old = customer_post(NOON, history=True)
    assert decide(snapshot(NOON, post=old, judged=judged), NOON + timedelta(hours=3)).alert
    later = decide(snapshot(NOON, post=old, judged=judged), NOON + timedelta(days=30))
    assert (later.outcome, later.rule, later.alert) == (Outcome.IGNORED, "history-old", False)


@pytest.mark.parametrize("judged", [assessment(), WANTS_HUMAN], ids=["question", "wants a human"])
def test_after_a_gap_nothing_is_answered_unless_the_thread_was_read(judged: object) -> None:
    unclear = customer_post(NOON, after_gap=True)
    cleared = customer_post(NOON, after_gap=True, gap_cleared=True)
    assert decide(snapshot(NOON, post=unclear, judged=judged), NOON).rule == "after-gap"  # type: ignore[arg-type]
    assert decide(snapshot(NOON, post=unclear, judged=judged), NOON).reply is None  # type: ignore[arg-type]
    assert decide(snapshot(NOON, post=cleared, judged=judged), NOON).reply is not None  # type: ignore[arg-type]


# --- alerts and urgency ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("urgency", "at", "rings"),
    [
        (Urgency.CRITICAL, NOON, True),
        (Urgency.CRITICAL, NIGHT, True),
        (Urgency.HIGH, NOON, False),
        (Urgency.HIGH, NIGHT, True),
        (Urgency.NORMAL, NIGHT, False),
    ],
)
def test_critical_always_rings_and_high_outside_hours(urgency: Urgency, at: object, rings: bool) -> None:
    assert decide(snapshot(at, judged=assessment(urgency=urgency)), at).alert is rings  # type: ignore[arg-type]


def test_asking_again_after_an_hour_raises_the_urgency_by_one_level() -> None:
    again = snapshot(NOON + timedelta(hours=1), waiting_since=NOON)
    sooner = snapshot(NOON + timedelta(minutes=59), waiting_since=NOON)
    assert decide(again, NOON + timedelta(hours=1)).urgency is Urgency.HIGH
    assert decide(sooner, NOON + timedelta(minutes=59)).urgency is Urgency.NORMAL


def test_thanks_after_an_hour_are_not_asking_again() -> None:
    acting = ConversationFacts(waiting_since=NOON, person_acting=True)
    later = NOON + timedelta(hours=2)
    thanks = snapshot(later, judged=assessment(needs_reply=False), conversation=acting)
    assert decide(thanks, later).urgency is Urgency.NORMAL


def test_a_normal_question_asked_twice_at_night_rings_nobody() -> None:
    again = snapshot(NIGHT + timedelta(hours=2), waiting_since=NIGHT)
    decision = decide(again, NIGHT + timedelta(hours=2))
    assert (decision.urgency, decision.alert) == (Urgency.HIGH, False)


def test_every_decision_names_its_rule_its_reason_and_the_policy() -> None:
    decision = decide(snapshot(NOON, rules=FREE_RULES), NOON)
    assert (decision.rule, decision.policy_version) == ("open", POLICY_VERSION)
    assert "2027-01-08 12:40" in decision.reason


def test_it_refuses_a_time_without_a_zone() -> None:
    with pytest.raises(ValueError, match="aware"):
        decide(snapshot(NOON), NOON.replace(tzinfo=None))


def test_a_thank_you_after_a_persons_answer_brings_no_case_back() -> None:
    answered = ConversationFacts(waiting_since=NOON, person_acting=True)
    thanks = assessment(needs_reply=False, urgency=Urgency.LOW)
    decision = decide(snapshot(NOON, conversation=answered, judged=thanks), NOON)
    assert (decision.outcome, decision.rule) == (Outcome.IGNORED, "no-answer-needed")


@pytest.mark.parametrize(
    "judged",
    [
        assessment(),
        assessment(urgency=Urgency.CRITICAL, flags={Flag.SAFETY}),
        assessment(flags={Flag.WANTS_HUMAN}),
        assessment(abstained={Head.FLAGS}),
    ],
    ids=["question", "danger", "wants a human", "unsure"],
)
@pytest.mark.parametrize("history", [False, True])
def test_what_a_person_answered_before_it_was_judged_opens_no_case_and_rings_nobody(
    judged: Assessment, history: bool
) -> None:
    acting = ConversationFacts(waiting_since=NOON, person_acting=True)
    asked = customer_post(NOON, history=history, answered=True)
    decision = decide(snapshot(NOON, post=asked, judged=judged, conversation=acting), NOON + 6 * MINUTE)
    assert (decision.rule, decision.outcome, decision.alert) == ("already-answered", Outcome.IGNORED, False)
    assert decision.reply is None


def test_where_only_a_later_post_was_answered_an_urgent_one_still_goes_to_people() -> None:
    acting = ConversationFacts(waiting_since=NOON, person_acting=True)
    asked = customer_post(NOON, answered_since=True)
    plain, urgent, for_people, human = (
        decide(snapshot(NOON, post=asked, judged=judged, conversation=acting), NOON + MINUTE)
        for judged in (
            assessment(),
            assessment(urgency=Urgency.HIGH),
            assessment(flags={Flag.LEGAL}),
            assessment(flags={Flag.WANTS_HUMAN}),
        )
    )
    assert [decision.rule for decision in (plain, urgent, for_people, human)] == [
        "already-answered",
        "automation-ended",
        "no-robot-here",
        "wants-human",
    ]


def test_stop_is_heard_even_where_a_person_has_answered_it() -> None:
    asked = customer_post(NOON, answered=True)
    decision = decide(snapshot(NOON, post=asked, judged=assessment(flags={Flag.OPT_OUT})), NOON + 6 * MINUTE)
    assert (decision.rule, decision.opt_out) == ("already-answered", True)


def test_the_robot_does_not_cut_in_between_two_customers() -> None:
    aside = customer_post(NOON, to_another_customer=True, summoned=False)
    decision = decide(snapshot(NOON, post=aside), NOON)
    assert (decision.rule, decision.escalate, decision.reply) == ("between-customers", True, None)


def test_one_customer_who_sends_another_to_a_human_gets_no_hand_over_and_may_still_ask_for_one() -> None:
    aside = customer_post(NOON, to_another_customer=True, summoned=False)
    decision = decide(snapshot(NOON, post=aside, judged=WANTS_HUMAN), NOON)
    assert (decision.rule, decision.escalate, decision.reply, decision.silence) == (
        "between-customers",
        True,
        None,
        False,
    )
    to_us = customer_post(NOON, to_another_customer=True, summoned=True)
    assert decide(snapshot(NOON, post=to_us, judged=WANTS_HUMAN), NOON).reply is not None
    danger = decide(snapshot(NOON, post=aside, judged=assessment(flags={Flag.WANTS_HUMAN, Flag.SAFETY})), NOON)
    assert (danger.rule, danger.silence) == ("no-robot-here", True)


def test_a_critical_that_only_the_model_says_and_is_not_sure_of_rings_outside_hours_only() -> None:
    doubtful = assessment(urgency=Urgency.CRITICAL, abstained={Head.URGENCY})
    assert not decide(snapshot(NOON, judged=doubtful), NOON).alert
    assert decide(snapshot(NIGHT, judged=doubtful), NIGHT).alert
    explained = assessment(urgency=Urgency.CRITICAL, abstained={Head.URGENCY}, flags={Flag.SAFETY})
    assert decide(snapshot(NOON, judged=explained), NOON).alert
    assert decide(snapshot(NOON, judged=assessment(urgency=Urgency.CRITICAL)), NOON).alert
