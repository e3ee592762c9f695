"""The robot's words, filled with facts."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from responders.compose import compose, languages, opening_in_words, still_true, texts_in
from social.domain.hours import BusinessCalendar, parse_weekly
from social.domain.reply import Composed, ReplyKind
from tests.responders.situations import FREE_RULES, OFFICE, STRICT_RULES, WARSAW, warsaw

NOON = warsaw("2027-01-08 12:00")  # a Friday
NIGHT = warsaw("2027-01-08 23:00")
MONDAY = warsaw("2027-01-11 09:00")
CLOSING = warsaw("2027-01-08 17:00")


def composed(kind: ReplyKind = ReplyKind.ACKNOWLEDGEMENT, **changes: object) -> Composed | None:
    arguments = {
        "language": "pl",
        "brand": "Lipowa",
        "at": NOON,
        "timezone": WARSAW,
        "rules": FREE_RULES,
        **changes,
    }
    return compose(kind, **arguments)  # type: ignore[arg-type]


def text(kind: ReplyKind = ReplyKind.ACKNOWLEDGEMENT, **changes: object) -> str:
    found = composed(kind, **changes)
    assert found is not None
    return found.text


def test_it_speaks_the_customers_language_or_the_brands_first_or_not_at_all() -> None:
    assert languages() == ("en", "pl")
    assert "automatyczn" in text()
    assert "automated" in text(language="en-GB")
    assert "automatyczn" in text(language="uk", fallback_language="pl")
    assert composed(language="und") is None
    assert composed(language="und", fallback_language="de") is None


@pytest.mark.parametrize(
    ("at", "opening", "polish", "english"),
    [
        ("2027-01-11 07:00", "2027-01-11 09:00", "dziś o 9:00", "today at 9:00"),
        ("2027-01-11 00:10", "2027-01-11 09:30", "dziś o 9:30", "today at 9:30"),
        ("2027-01-11 23:50", "2027-01-12 09:00", "jutro o 9:00", "tomorrow at 9:00"),
        ("2027-01-08 20:00", "2027-01-11 09:00", "w poniedziałek o 9:00", "on Monday at 9:00"),
        ("2027-01-08 20:00", "2027-01-12 09:00", "we wtorek o 9:00", "on Tuesday at 9:00"),
        ("2026-12-30 20:00", "2027-01-05 14:05", "we wtorek o 14:05", "on Tuesday at 14:05"),
        ("2026-12-30 20:00", "2027-01-07 09:00", "w czwartek 7 stycznia o 9:00", "on Thursday 7 January at 9:00"),
    ],
)
def test_it_words_an_opening_as_a_person_would(at: str, opening: str, polish: str, english: str) -> None:
    for language, words in (("pl", polish), ("en", english)):
        said = opening_in_words(texts_in(language), warsaw(opening), at=warsaw(at), timezone=WARSAW)
        assert said == words


def test_it_counts_days_on_the_brands_own_calendar() -> None:
    # 23:30 UTC on Sunday is already Monday in Warsaw.
    sunday_evening_utc = datetime.fromisoformat("2027-01-10T23:30+00:00")
    assert "dziś o 9:00" in text(ReplyKind.CLOSED_NOTICE, at=sunday_evening_utc, opening=MONDAY)


def test_it_skips_a_variant_whose_fact_is_not_known() -> None:
    assert composed(ReplyKind.CLOSED_NOTICE) is None  # every notice names the opening
    for _ in range(3):
        assert "{" not in text(ReplyKind.HAND_OVER)
    assert "kłopotach z płatnościami" in text(ReplyKind.HOLDING, problem="z płatnościami")
    assert "kłopot" not in text(ReplyKind.HOLDING)


def used_in_turn(times: int, **changes: object) -> list[str]:
    recent: list[str] = []
    for _ in range(times):
        found = composed(recent_variants=tuple(recent), **changes)
        assert found is not None
        recent.insert(0, found.variant)
    return recent


def test_it_takes_the_variant_that_the_profile_used_longest_ago() -> None:
    used = used_in_turn(8, closing=CLOSING)
    assert len(set(used[:4])) == 4
    assert used[:4] == used[4:]
    assert all(one != other for one, other in pairwise(used))


def test_it_keeps_public_warnings_out_of_private_messages() -> None:
    private = set(used_in_turn(6, closing=CLOSING, private=True))
    assert len(private) == 3
    assert not any("publicznie" in text(recent_variants=(name,), private=True) for name in private)


def test_a_complaint_gets_words_that_show_understanding() -> None:
    assert "Przykro nam" in text(complaint=True)
    assert "Przykro nam" in text(ReplyKind.CLOSED_NOTICE, complaint=True, opening=MONDAY, at=NIGHT)
    assert text(ReplyKind.HAND_OVER, complaint=True)  # has one tone only


def test_it_leaves_out_what_the_network_has_no_room_for() -> None:
    short = composed(rules=STRICT_RULES, brand="B" * 60)
    assert short is not None
    assert len(short.text) <= STRICT_RULES.length_limit
    assert composed(rules=STRICT_RULES, brand="B" * 260) is None


def test_it_tells_a_closing_only_where_that_helps() -> None:
    def tells(closing: str, at: datetime = NOON) -> bool:
        return any(
            "Dyżur zespołu trwa do" in text(closing=warsaw(closing), at=at, recent_variants=tuple(recent))
            for recent in ([], used_in_turn(1), used_in_turn(2), used_in_turn(3))
        )

    assert tells("2027-01-08 17:00")
    assert tells("2027-01-09 00:00")  # "do północy"
    assert not tells("2027-01-08 12:05")  # about to close
    assert not tells("2027-01-09 06:00")  # a bare "6:00" would be read as today's


def test_the_last_minute_acknowledgement_still_knows_the_closing_that_it_must_not_miss() -> None:
    late = composed(at=warsaw("2027-01-08 16:59"), closing=CLOSING)
    assert late is not None
    assert still_true(late.facts, OFFICE, warsaw("2027-01-08 16:59"))
    assert not still_true(late.facts, OFFICE, CLOSING)


def test_a_notice_is_true_only_until_the_door_opens_and_while_the_calendar_stays() -> None:
    notice = composed(ReplyKind.CLOSED_NOTICE, opening=MONDAY, at=NIGHT)
    assert notice is not None
    assert still_true(notice.facts, OFFICE, NIGHT + timedelta(minutes=20))
    assert not still_true(notice.facts, OFFICE, MONDAY)

    early = warsaw("2027-01-11 08:30")
    same_morning = composed(ReplyKind.CLOSED_NOTICE, opening=MONDAY, at=early)
    assert same_morning is not None
    assert still_true(same_morning.facts, OFFICE, MONDAY - timedelta(seconds=1))
    assert not still_true(same_morning.facts, OFFICE, MONDAY)

    saturday_too = BusinessCalendar(timezone=WARSAW, weekly=parse_weekly({"mon-sat": "09:00-17:00"}))
    assert not still_true(notice.facts, saturday_too, NIGHT)


def test_tomorrow_is_not_true_any_more_after_midnight() -> None:
    monday_night = warsaw("2027-01-11 23:58")
    notice = composed(ReplyKind.CLOSED_NOTICE, opening=warsaw("2027-01-12 09:00"), at=monday_night)
    assert notice is not None
    assert "jutro" in notice.text
    assert still_true(notice.facts, OFFICE, warsaw("2027-01-11 23:59"))
    assert not still_true(notice.facts, OFFICE, warsaw("2027-01-12 00:01"))


def test_a_text_without_facts_stays_true() -> None:
    plain = composed()
    assert plain is not None
    assert plain.facts == {}
    assert still_true(plain.facts, OFFICE, NOON + timedelta(days=3))


def test_a_hand_over_says_when_people_are_there() -> None:
    assert "Dyżur zespołu trwa do 17:00." in text(ReplyKind.HAND_OVER, closing=CLOSING)
    assert "Zespół wraca w poniedziałek o 9:00." in text(ReplyKind.HAND_OVER, opening=MONDAY, at=NIGHT)


@pytest.mark.parametrize(("language", "words"), [("pl", "w poniedziałek o 9:00"), ("en", "on Monday at 9:00")])
def test_a_hand_over_at_night_never_leaves_the_opening_out(language: str, words: str) -> None:
    recent: list[str] = []
    for _ in range(5):
        found = composed(
            ReplyKind.HAND_OVER, opening=MONDAY, at=NIGHT, language=language, recent_variants=tuple(recent)
        )
        assert found is not None
        assert words in found.text
        recent.insert(0, found.variant)
    assert len(set(recent)) == 2


def test_a_hand_over_that_tells_no_hours_cannot_go_stale() -> None:
    recent: list[str] = []
    for _ in range(4):
        found = composed(ReplyKind.HAND_OVER, closing=CLOSING, recent_variants=tuple(recent))
        assert found is not None
        assert bool(found.facts) is ("Dyżur zespołu" in found.text)
        recent.insert(0, found.variant)
    assert len(set(recent)) == 4
    silent = composed(ReplyKind.HAND_OVER, closing=NOON + timedelta(minutes=5))
    assert silent is not None
    assert silent.facts == {}


def test_a_name_with_braces_is_a_name() -> None:
    assert "{opening}" in text(brand="{opening}")


def test_it_names_the_language_that_it_has_no_texts_in() -> None:
    with pytest.raises(LookupError, match='"de"'):
        texts_in("de")
