"""The reasons that the desk keeps are English; its pages say them in the reader's language."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings

import responders
import social
from connectors import registry
from responders import guard
from responders.delivery import STEPS
from responders.guard import ProblemCode
from responders.permission import evaluate
from responders.personal_data import DataKind
from responders.policy import TABLE, decide
from responders.snapshot import Snapshot
from social.domain.reply import ReplyKind, ReplyState, SentBy
from social.engine import aside, late, removed
from social.ports import LengthUnit, ReplyRules
from social.store.queue import excerpt
from social.store.retention import ERASED
from social.web import vocabulary
from social.web.language import words_for
from social.web.sentences import REFUSALS, SENTENCES, refusal, told
from tests.cast import WARSAW
from tests.responders.situations import STRICT_RULES, customer_post
from tests.responders.test_policy_promises import situations

POLISH, ENGLISH = (words_for(language, "", fallback="en", zone=WARSAW) for language in ("pl", "en"))
GONE, LOOK = "profil usunięto z konfiguracji", "trzeba zajrzeć do serwisu"
WITHIN = "przez pewien czas od ostatniej wiadomości klienta"
SHOWN = (ReplyState.CANCELLED, ReplyState.REFUSED, ReplyState.LATE, ReplyState.UNKNOWN)


@given(situations())
@settings(max_examples=400, deadline=None)
def test_whatever_the_policy_decides_is_said(situation: tuple[Snapshot, datetime]) -> None:
    reason = decide(*situation).reason
    said = told(POLISH, reason)
    assert said is not None, reason
    assert said != reason or reason == "spam"  # the same word in both languages


def test_every_rule_has_its_words() -> None:
    assert {rule.name for rule in TABLE} <= vocabulary.RULE.keys()


def kept_by_code() -> Iterator[tuple[str, str]]:
    """Every sentence that the code hands on as a ``reason``, with 12 for what differs; and where."""
    for package in (responders, social):
        for file in sorted(Path(str(package.__file__)).parent.rglob("*.py")):
            if not {"engine", "store", "responders"} & set(file.parts[-2:-1]):
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if (isinstance(node, ast.keyword) and node.arg == "reason") or (
                    isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("reason", "why")
                ):
                    value = node.value
                else:
                    continue
                for text in texts_of(value):
                    yield text, f"{file.name}:{value.lineno}"


def texts_of(value: ast.expr, fill: Callable[[ast.FormattedValue], str] = lambda part: "12") -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and " " in value.value:
        yield value.value
    elif isinstance(value, ast.JoinedStr):
        yield "".join(
            fill(part) if isinstance(part, ast.FormattedValue) else ast.literal_eval(part) for part in value.values
        )
    elif isinstance(value, ast.IfExp):
        yield from texts_of(value.body, fill)
        yield from texts_of(value.orelse, fill)


#: Kept where no page of the desk shows them, or made of somebody else's words; and three made of pieces, which the tests of
#: what is decided go through whole.
NOT_ON_A_PAGE = re.compile(
    r"failed: 12|this post 12; .*|the 12 did not reach the customer: 12|12: 12|12 \(12, 12\)|1212|12 does not stop .*"
    r"|12 came too late .*|deleted by its author|another program reads it"
    r"|The network takes 12 to one post, and that is used up\.|closed 12; no notice is to be sent|open: acknowledgement at 12, 12"
)
STAND_INS = ("12", "12:00", "2 hours", "harm")


def test_whatever_the_code_keeps_is_said() -> None:
    found = list(kept_by_code())
    unsaid = {
        text: place
        for text, place in found
        if not NOT_ON_A_PAGE.fullmatch(text)
        and all(told(POLISH, text.replace("12", stand_in)) is None for stand_in in STAND_INS)
    }
    assert unsaid == {}
    assert len(found) > 40  # the search itself still finds them


ACTS = ("engine/answering.py", "engine/people.py", "engine/correcting.py", "store/escalations.py", "store/access.py")
ACTS += ("store/notes.py", "reports/queries.py", "reports/report.py", "web/pages/report.py")
ERRORS = {"Conflict", "NotFound", "DyzurError", "LastAdmin", "UnusableQuery"}
#: By what the code puts into a place: a name with everything that a name may hold, a quotation, a state, a day, a number.
FILLED = (
    ("of_languages", " in pl, en"),
    (r"name|who|before", "Żaneta; 'Ć'"),
    (r"state|urgency", "sent"),
    (r"_day$|EARLIEST|LATEST", "2026-11-20"),
    ("", "12"),
)


def filled(part: ast.FormattedValue) -> str:
    if part.conversion == ord("r"):
        return repr("tam \"i\" 'sam'; \xad👨‍👩‍👧")
    told_by = ast.unparse(part.value)
    return next(stand_in for pattern, stand_in in FILLED if re.search(pattern, told_by))


def refused_by_code() -> Iterator[tuple[str, str]]:
    """What the acts of a page may refuse, with something in its places; and where."""
    for name in ACTS:
        for node in ast.walk(ast.parse((Path(str(social.__file__)).parent / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ERRORS:
                for text in texts_of(node.args[0], filled):
                    yield text, f"{name}:{node.lineno}"


#: What the page says by itself, from the case as it is now; a choice that no form offers; and what only a command can ask for.
NOT_AS_AN_ERROR = re.compile(
    r"case 12 is taken by .*\.|case 12 is sent12\.|case 12 is closed already\.|the urgency of the case is sent now\."
    r"|the customer wrote something new since you looked: .*\.|nobody can tell from that what you have seen\."
    r"|case 12 is sent and cannot become 12\.|case 12 cannot be closed without a reason\."
    r"|12 cannot be corrected\.|.* is no 12\.|somebody is called .* already\."
)


def test_whatever_a_page_may_refuse_is_said() -> None:
    found = list(refused_by_code())
    unsaid = {
        text: place
        for text, place in found
        if not NOT_AS_AN_ERROR.fullmatch(text) and refusal(POLISH, text) in (None, text)
    }
    assert unsaid == {}
    assert len(found) > 20  # the search itself still finds them


NAMED, CLOSE_IT = "autor oznaczył lub zacytował profil", "Potem zamknij sprawę tutaj."
HEART = "Dzień dobry, \"już\" 'sprawdzamy' 👩‍👧"


def stops_a_person(rules: ReplyRules) -> str:
    """A rule as an agent meets it: their answer comes ten days late to somebody who named nobody."""
    asked = customer_post(datetime(2026, 11, 10, tzinfo=WARSAW), summoned=False)
    return evaluate(
        rules,
        post=asked,
        last_customer_post_at=asked.created_at,
        automatic_replies=0,
        kind=ReplyKind.ANSWER,
        sent_by=SentBy.PERSON,
        now=asked.created_at + timedelta(days=10),
    ).reason


@pytest.mark.parametrize(
    ("what", "polish"),
    [
        (
            f"an answer of Ćwik; Ż. is already on its way ({excerpt(HEART)!r}).",
            f"inna odpowiedź jest już w drodze (Ćwik; Ż.: „{HEART}”). Zajrzyj ponownie za minutę.",
        ),
        (
            "reply 7 is sending; only an unknown one is settled by a person.",
            "odpowiedź 7 ma już stan „w trakcie wysyłania”; rozstrzyga się tylko te, o których nie wiadomo, czy się ukazały.",
        ),
        (
            stops_a_person(replace(STRICT_RULES, summoned_only=True)),
            f"Serwis pozwala aplikacjom odpowiadać tylko tam, gdzie {NAMED}; odpowiedz w aplikacji serwisu. {CLOSE_IT}",
        ),
        (
            stops_a_person(replace(STRICT_RULES, summoned_only=False, human_window=timedelta(days=7))),
            f"Serwis przyjmuje odpowiedzi tylko {WITHIN} (7 dni). Odpowiedz w aplikacji serwisu, a potem zamknij sprawę tutaj.",
        ),
    ],
)
def test_a_refusal_reads_as_a_pole_would_write_it(what: str, polish: str) -> None:
    assert refusal(POLISH, what) == polish


def test_no_refusal_on_a_page_names_a_command() -> None:
    assert [
        following for following in (*REFUSALS, *REFUSALS.values()) if "social " in following or "--" in following
    ] == []


def test_a_refusal_in_nobodys_words_stays_as_it_is() -> None:
    assert refusal(POLISH, "(#200) no") is None


#: What the guard stops: nothing, a control character, too much, a link, data of somebody, an invitation, a verdict.
STOPPED = ("", "a\x07b", "a" * 400, "https://example.test", "Proszę o DM na priv", "Reklamacja została uznana.")
STOPPED += ("PESEL 44051401458", "anna@example.test", "tel. 601 234 567", "zamówienie 12345678", "4111 1111 1111 1111")


def test_whatever_the_guard_stops_is_said() -> None:
    rules = replace(registry.load("twitter").reply_rules, links_allowed=False)
    stopped = {}
    for text, sent_by in product((*STOPPED, f"{STOPPED[5]} {STOPPED[3]}"), SentBy):
        problems = guard.check(text, rules=rules, sent_by=sent_by, formal=True, private_channel=False)
        for problem in filter(lambda problem: problem.blocking, problems):
            stopped[problem.message] = problem.code
        if said := "; ".join(problem.message for problem in problems if problem.blocking):
            assert told(POLISH, said) not in (None, said), said
    assert set(stopped.values()) == set(ProblemCode)
    assert (set(vocabulary.PERSONAL_DATA), set(vocabulary.LENGTH_UNIT)) == (set(DataKind), set(LengthUnit))
    assert "zamówienia" in str(told(POLISH, next(said for said in stopped if "order number" in said)))


@pytest.mark.parametrize("step", [step for step in STEPS.values() if step.state in SHOWN], ids=lambda step: step.reason)
def test_whatever_becomes_of_a_reply_is_said(step: object) -> None:
    reason = step.reason  # type: ignore[attr-defined]
    for kept in (reason, f"{ReplyKind.ACKNOWLEDGEMENT}: {reason}", f"{reason}; the network calls it a duplicate"):
        said = told(POLISH, kept)
        assert said is not None and reason not in said


@pytest.mark.parametrize(
    ("kept", "polish"),
    [
        (
            f"answer: {removed.NOT_SENT}; acknowledgement: {removed.NOBODY_LOOKS}",
            f"odpowiedź: nie wysłano: {GONE}; potwierdzenie: {GONE}, zanim było wiadomo, czy to się ukazało; {LOOK}",
        ),
        (
            f"closed-notice: it could not be sent in time: {late.TOO_LATE}",
            "informacja o godzinach: nie dało się tego wysłać na czas: czas minął, zanim dało się to wysłać",
        ),
        (f"answer: not sent, it {aside.POISON}", "odpowiedź: nie wysłano: za każdym razem powodowało błąd programu"),
        (ERASED, "(usunięte po upływie czasu przechowywania)"),
        (
            "no automatic text beside legal, self_harm",
            "bez automatycznej wiadomości; oznaczenia: groźba prawna, samookaleczenie",
        ),
        (
            "The network takes automatic texts only within 24 hours of the customer's last message; a person may still write.",
            f"Serwis przyjmuje automatyczne wiadomości tylko {WITHIN} (24 godziny); człowiek nadal może pisać.",
        ),
        (
            "closed: decided again at opening, 2026-11-20 09:00",
            "zamknięte: ponowna decyzja przy otwarciu, pt. 20 lis, 09:00",
        ),
        ("Żaneta Ćwik looked: it was not published", "sprawdzone (Żaneta Ćwik): nie ukazało się"),
    ],
)
def test_it_reads_as_a_pole_would_write_it(kept: str, polish: str) -> None:
    assert told(POLISH, kept) == polish


@pytest.mark.parametrize(
    "kept",
    ["", "; ", "spam; " * 1200 + "spam", "a network's own words", "spam; and more", "permission: (#200) no", "a: b: c"],
)
def test_what_is_no_sentence_of_ours_stays_as_it_is(kept: str) -> None:
    assert told(POLISH, kept) is None


def test_a_day_that_there_is_not_breaks_no_page() -> None:
    assert told(POLISH, "closed: decided again at opening, 2026-02-30 10:00") is not None


def test_in_english_names_become_words_and_the_rest_is_as_it_was_kept() -> None:
    assert told(ENGLISH, "no automatic text beside self_harm") == "no automatic text beside self-harm"
    plain = [sentence for sentence in SENTENCES if "%" not in sentence]
    assert [told(ENGLISH, sentence) for sentence in plain] == plain


def test_a_text_of_nothing_but_separators_comes_to_an_end() -> None:
    """Where every way of cutting it were tried, this would take years."""
    assert told(POLISH, "spam; " * 80 + "and then words of a network; " * 20) is None
    assert told(POLISH, "it could not be sent in time: " * 16) is not None
