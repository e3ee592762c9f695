"""The last look before publication."""

from __future__ import annotations

from dataclasses import replace

import pytest

from responders.guard import Problem, ProblemCode, check, length
from social.domain.reply import SentBy
from social.ports import LengthUnit, ReplyRules
from tests.responders.situations import FREE_RULES, STRICT_RULES

# Made-up numbers with right check digits.
PESEL, WRONG_PESEL = "44051401359", "44051401358"
NIP = "856-734-62-15"
IBAN = "PL61 1090 1014 0000 0712 1981 2874"
CARD = "4111 1111 1111 1111"


def problems(
    text: str,
    *,
    rules: ReplyRules = FREE_RULES,
    sent_by: SentBy = SentBy.PERSON,
    formal: bool = False,
    private_channel: bool = False,
    private: bool = False,
) -> dict[ProblemCode, bool]:
    """Code -> blocking."""
    found = check(text, rules=rules, sent_by=sent_by, formal=formal, private_channel=private_channel, private=private)
    return {problem.code: problem.blocking for problem in found}


def robot(text: str, **changes: object) -> dict[ProblemCode, bool]:
    return problems(text, sent_by=SentBy.ROBOT, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "weighted"),
    [
        ("Dzień dobry, sprawdzamy to.", 27),
        ("a" * 280, 280),
        ("ż" * 10, 10),
        ("z\u0307" * 10, 10),  # decomposed ż is composed first
        ("こんにちは", 10),
        ("👍", 2),
        ("👩‍👩‍👧‍👦", 2),  # one sequence, not seven characters
        ("🇵🇱", 2),
        ("1️⃣", 2),
        ("❤️", 2),
        ("„cytat” – tak…", 15),  # the ellipsis weighs 2, quotes and dashes 1
        ("Zobacz https://example.com/a/very/long/path?with=query#and-more.", 31),
        ("Zobacz example.com", 30),
    ],
)
def test_it_counts_as_x_counts(text: str, weighted: int) -> None:
    assert length(text, LengthUnit.X_WEIGHTED) == weighted


def test_it_counts_graphemes_as_a_reader_does() -> None:
    assert length("👩‍👩‍👧‍👦e\u0301🇵🇱", LengthUnit.GRAPHEMES) == 3
    assert length("👩‍👩‍👧‍👦", LengthUnit.CHARACTERS) == 7


@pytest.mark.parametrize("sent_by", SentBy)
def test_it_stops_what_is_too_long_for_the_network(sent_by: SentBy) -> None:
    assert problems("あ" * 140, rules=STRICT_RULES, sent_by=sent_by) == {}
    assert problems("あ" * 141, rules=STRICT_RULES, sent_by=sent_by) == {ProblemCode.TOO_LONG: True}


@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_it_stops_an_empty_text(text: str) -> None:
    assert problems(text) == {ProblemCode.EMPTY: True}


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\ud83d", "\r", "\x85"])
def test_it_stops_characters_that_no_network_takes(char: str) -> None:
    assert problems(f"Dzień{char}dobry") == {ProblemCode.CONTROL_CHARACTERS: True}


def test_it_lets_new_lines_pass() -> None:
    assert problems("Dzień dobry,\n\nsprawdzamy.") == {}


@pytest.mark.parametrize("link", ["https://example.com/a", "www.example.com", "example.com", "Lipowa.PL", "bit.ly/x1"])
def test_a_robot_sends_no_links_and_nobody_does_where_they_are_not_wanted(link: str) -> None:
    text = f"Więcej: {link}."
    assert robot(text) == {ProblemCode.LINK: True}
    assert problems(text) == {}
    assert problems(text, rules=replace(FREE_RULES, links_allowed=False)) == {ProblemCode.LINK: True}


@pytest.mark.parametrize(
    "text", ["Dziękujemy.Wracamy o 9:00.", "Cena: 12.50 zł, czyli ok. 3 euro", "m.in. tak", "@lipowa.pl"]
)
def test_it_takes_no_sentence_for_a_link(text: str) -> None:
    assert ProblemCode.LINK not in robot(text)


@pytest.mark.parametrize("number", [PESEL, IBAN, IBAN.replace(" ", ""), IBAN[2:], CARD, CARD.replace(" ", "-")])
def test_nobody_publishes_a_number_that_opens_a_life_or_an_account(number: str) -> None:
    assert problems(f"Numer {number} JEST U NAS.") == {ProblemCode.PERSONAL_DATA: True}
    assert problems(f"Numer {number} jest u nas.", private=True) == {}


@pytest.mark.parametrize(
    "contact",
    [NIP, "+48 601 202 303", "601 202 303", "601202303", "22 123 45 67", "+44 20 7946 0958", "kontakt@lipowa.pl"],
)
def test_a_person_is_asked_again_about_a_contact_and_a_robot_is_stopped(contact: str) -> None:
    assert problems(f"Kontakt: {contact}.") == {ProblemCode.PERSONAL_DATA: False}
    assert robot(f"Kontakt: {contact}.") == {ProblemCode.PERSONAL_DATA: True}


@pytest.mark.parametrize(
    "text",
    [
        "Zamówienie nr 123456 jest w drodze.",
        "numer zamówienia: AB-2027/123",
        "Przesyłka 00359007738913 czeka.",
        "Your order #A10045 is on its way.",
        "order number 10045-2",
    ],
)
def test_it_notices_an_order_number(text: str) -> None:
    assert problems(text) == {ProblemCode.ORDER_NUMBER: False}
    assert robot(text) == {ProblemCode.ORDER_NUMBER: True}


@pytest.mark.parametrize(
    "text",
    [
        f"Kod {WRONG_PESEL[:5]} działa",
        "Promocja trwa do 2027-01-31, taniej o 1 299,99 zł.",
        "Prosimy nie podawać numeru zamówienia (ani danych osobowych).",
        "Zamówienie z 2027-01-08 jest opóźnione o 14 dni.",
        "Jesteśmy od 9:00 do 17:00, w 2027 roku także w soboty.",
    ],
)
def test_it_takes_no_price_date_or_plain_word_for_personal_data(text: str) -> None:
    assert problems(text) == {}


def test_its_messages_repeat_no_personal_data() -> None:
    found = check(
        f"PESEL {PESEL}, karta {CARD}", rules=FREE_RULES, sent_by=SentBy.PERSON, formal=False, private_channel=False
    )
    assert len(found) == 2
    assert not any(PESEL in str(problem) or "4111" in str(problem) for problem in found)
    assert [where(problem) for problem in found] == [(6, 17), (25, 44)]


def where(problem: Problem) -> tuple[int, int] | None:
    return problem.span


@pytest.mark.parametrize(
    "text",
    [
        "Reklamacja została przyjęta.",
        "Reklamacja jest uznana.",
        "Zwrot odrzucono, reklamacja odrzucona.",
        "Nieuznana reklamacja",
        "Uznajemy reklamację.",
        "Your complaint has been accepted.",
        "The claim was REJECTED",
        "We recognise your claim.",
        "Your return is approved",
    ],
)
def test_only_a_person_says_what_becomes_of_a_formal_complaint(text: str) -> None:
    assert robot(text, formal=True) == {ProblemCode.COMPLAINT_VERDICT: True}
    assert problems(text, formal=True) == {ProblemCode.COMPLAINT_VERDICT: False}
    assert robot(text) == {}


@pytest.mark.parametrize(
    "text",
    [
        "Prosimy o wiadomość prywatną.",
        "Prosimy napisać na priv.",
        "Zapraszamy do prywatnej wiadomości",
        "Please DM us.",
        "Send us a private message",
        "Contact us via DM",
    ],
)
def test_nobody_is_sent_to_a_letter_box_that_nobody_opens(text: str) -> None:
    assert robot(text) == {ProblemCode.PRIVATE_INVITATION: True}
    assert problems(text) == {ProblemCode.PRIVATE_INVITATION: False}
    assert problems(text, private_channel=True) == {}


def test_an_ordinary_answer_has_no_problems() -> None:
    text = "Dzień dobry, Pani Anno! Awaria w Gdyni jest usunięta od 10:30, przepraszamy za kłopot."
    assert problems(text, formal=True) == {}
