"""What the queue shows, and that nothing of a customer's does more than be read."""

from __future__ import annotations

import html as html_lib
from collections.abc import Callable
from dataclasses import replace

import pytest

from social.clock import machine_now
from social.domain.assessment import Flag, Head, Sentiment, Urgency
from social.domain.post import ProfileMode
from social.store import control, profiles
from social.store.tables import ReplyRow
from social.web import vocabulary
from tests.cast import ANNA, PIOTR, PROFILE, at
from tests.factories import assessment, case, judged, planned, post, profile, remembered
from tests.web.conftest import NOW, Browser, Shop


def test_it_shows_who_waits_with_both_clocks_and_what_the_robot_said(shop: Shop) -> None:
    planned(shop.database, shop.post_id)
    page = shop.browser().get("/queue")
    assert "1 case waits" in page.words
    assert "@anna.n" in page.words
    assert "Gdzie jest paczka?" in page.words
    assert "customer's hour: 25 min left" in page.words
    assert "business hour: 25 min left" in page.words
    assert "robot: acknowledgement, planned Fri 20 Nov, 10:40" in page.words
    assert PROFILE in page.words


def test_it_has_the_order_of_the_command_line(shop: Shop) -> None:
    shop.asks("Kiedy otwieracie?", native_id="later", when=at("2026-11-20 10:10"), by=PIOTR)
    shop.asks("Pali się!", native_id="fire", by=PIOTR, judgement=assessment(urgency=Urgency.CRITICAL))
    html = shop.browser().get("/queue").html
    places = [html.index(text) for text in ("Pali się!", "Gdzie jest paczka?", "Kiedy otwieracie?")]
    assert places == sorted(places)


def test_it_says_unsure_sentiment_as_what_it_is(shop: Shop) -> None:
    unsure = assessment(sentiment=Sentiment.NEGATIVE, abstained={Head.SENTIMENT})
    shop.asks("No super.", native_id="irony", judgement=unsure)
    assert "perhaps negative, Polish" in shop.browser().get("/queue").words


def test_it_says_that_nothing_waits_and_when_the_desk_opens(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    shop.clock.advance_to(at("2026-11-20 18:00"))
    words = shop.browser().get("/queue").words
    assert "Nothing waits." in words
    assert "it opens on Mon 23 Nov, 09:00" in words


def test_it_filters_by_profile_and_by_owner_and_the_address_holds_it(shop: Shop) -> None:
    other = profile(shop.database, "second", network="bluesky")
    row_id = remembered(shop.database, other, post("Na drugim profilu", native_id="x1", when=NOW))
    judged(shop.database, row_id)
    taken = case(shop.database, row_id)
    browser = shop.browser()
    assert "Na drugim profilu" not in browser.get(f"/queue?profile={PROFILE}").words
    browser.post(f"/case/{taken}/take")
    mine = browser.get("/queue?mine=yes").words
    assert "Na drugim profilu" in mine
    assert "Gdzie jest paczka?" not in mine
    assert "taken by hanna" in mine


def test_an_empty_choice_is_not_an_empty_queue(shop: Shop) -> None:
    browser = shop.browser()
    mine = browser.get("/queue?mine=yes").words
    assert "Nothing of this choice waits. The whole queue: 1 case" in mine
    shop.clock.advance_to(at("2026-11-20 18:00"))
    since_closing = browser.get("/queue?view=weekend").words
    assert "Nothing that came since Fri 20 Nov, 17:00 waits. The whole queue: 1 case" in since_closing
    assert "Nothing waits" not in mine + since_closing


def test_after_the_weekend_it_groups_by_customer(shop: Shop) -> None:
    shop.asks("A poza tym?", native_id="q2", when=at("2026-11-20 19:00"))
    shop.asks("Dzień dobry", native_id="p1", when=at("2026-11-21 12:00"), by=PIOTR)
    shop.asks("Ktoś tu jest?", native_id="p2", when=at("2026-11-22 12:00"), by=PIOTR)
    shop.clock.advance_to(at("2026-11-23 09:05"))
    words = shop.browser().get("/queue?view=weekend").words
    assert "What came since Fri 20 Nov, 17:00" in words
    assert "@piotrek 2 cases" in words
    assert "@anna.n 1 case" in words
    assert "Gdzie jest paczka?" not in words  # Friday morning is not the weekend


def test_many_cases_come_in_pages(shop: Shop) -> None:
    for number in range(60):
        shop.asks(f"Pytanie numer {number}.", native_id=f"n{number}", when=at("2026-11-20 10:01"))
    browser = shop.browser()
    first, second = browser.get("/queue"), browser.get("/queue?page_number=2")
    assert "61 cases wait" in first.words
    assert first.html.count('class="case-row') == 50
    assert second.html.count('class="case-row') == 11
    assert browser.get("/queue?page_number=999").html.count('class="case-row') == 11


def test_the_part_alone_comes_for_a_page_that_refreshes_itself(shop: Shop) -> None:
    part = shop.browser().get("/queue", **{"hx-request": "true"})
    assert "<html" not in part.html
    assert "Gdzie jest paczka?" in part.words


def test_a_refresh_without_a_session_gives_no_case_away(shop: Shop) -> None:
    answer = Browser(shop).get("/queue", **{"hx-request": "true"})
    assert answer.status == 401
    assert "paczka" not in answer.words


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<svg onload=alert(1)>",
    "</textarea><script>alert(1)</script>",
    "{{ 7*7 }} {% raw %}",
    "javascript:alert(1)",
    '=HYPERLINK("http://evil")',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_are_words_on_every_page(shop: Shop, text: str) -> None:
    author = replace(ANNA, handle=None, display_name=text)
    case_id = shop.asks(text, native_id="hostile", by=author, permalink="javascript:alert(1)")
    browser = shop.browser()
    for path in ("/queue", f"/case/{case_id}"):
        html = browser.get(path).html
        assert html_lib.escape(text, quote=True).replace("&#x27;", "&#39;") in html.replace("&#34;", "&quot;")
        for live in ("<script>alert", "<img src=x", "<svg onload", 'href="javascript:'):
            assert live not in html


def test_signs_that_turn_the_reading_direction_are_taken_out(shop: Shop) -> None:
    shop.asks("abc\u202egnp.exe\u2066", native_id="turned")
    html = shop.browser().get("/queue").html
    assert "\u202e" not in html and "\u2066" not in html
    assert "abc\ufffdgnp.exe" in html


def test_a_dry_run_a_pause_and_a_missing_daemon_stand_on_every_page(shop: Shop) -> None:
    profile(shop.database, "rehearsing", network="bluesky", mode=ProfileMode.DRY_RUN, now=at("2026-11-16 12:00"))
    with shop.database.write() as session:
        control.pause(session, by="marek", now=NOW)
    words = shop.browser().get("/health").words
    assert "Dry-run on rehearsing since Mon 16 Nov, 12:00" in words
    assert "All sending is paused since Fri 20 Nov, 10:35 by marek." in words
    assert "No daemon is running" in words


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([""], ["No daemon is running"]),
        (
            ["", "respond,triage"],
            ["No network is being read. No daemon does this part; start one: social run --only poll"],
        ),
        (["poll"], ["Nothing that comes in is being judged.", "Nothing is being sent, and nobody is rung."]),
        (["poll", "respond", "triage"], []),
    ],
)
def test_a_part_that_nobody_does_stands_on_every_page(shop: Shop, parts: list[str], said: list[str]) -> None:
    with shop.database.write() as session:
        for number, done in enumerate(parts):
            control.beat(session, name=f"here:{number}", parts=done, started_at=NOW, at=machine_now(), model=None)
    words = shop.browser().get("/health").words
    known = ("No daemon is running", *vocabulary.ABSENT.values())
    assert [sentence for sentence in known if sentence in words] == [
        sentence for sentence in known if any(each.startswith(sentence) for each in said)
    ]
    assert all(each in words for each in said)


def test_an_unknown_reply_is_shown_above_everything(shop: Shop) -> None:
    reply_id = planned(shop.database, shop.post_id)
    with shop.database.write() as session:
        row = session.get(ReplyRow, reply_id)
        assert row is not None
        row.state, row.intended_at = "unknown", NOW
        session.add(row)
    assert "Nobody can tell whether this was published" in shop.browser().get("/queue").words


def test_it_speaks_polish_with_its_plural_forms(shop: Shop) -> None:
    flagged = assessment(flags={Flag.FORMAL}, urgency=Urgency.HIGH, sentiment=Sentiment.NEGATIVE)
    for number in range(4):
        shop.asks(f"Pytanie {number}", native_id=f"n{number}", judgement=flagged)
    words = shop.browser(language="pl-PL,pl;q=0.9,en;q=0.5").get("/queue").words
    assert "Czeka 5 spraw" in words
    assert "negatywny, polski" in words
    assert "godzina klienta: zostało 25 min" in words


def test_the_settings_of_the_shop_are_shown_by_health(shop: Shop) -> None:
    words = shop.browser().get("/health").words
    assert "Bluesky" in words
    assert "live: acknowledges customers" in words
    assert "tells customers when the team is back" in words


def test_health_tells_when_an_access_ends_and_asks_to_renew_it_in_time(shop: Shop) -> None:
    browser = shop.browser()
    found = profile(shop.database, network="bluesky")
    for ends_at, words in (
        (at("2026-12-20 10:00"), "Access until Sun 20 Dec, 10:00"),
        (at("2026-11-23 10:00"), "Access ends Mon 23 Nov, 10:00, renew it"),
    ):
        with shop.database.write() as session:
            profiles.access_ends(session, found.id, ends_at)
        assert words in browser.get("/health").words
    with shop.database.write() as session:
        profiles.access_ends(session, found.id, None)
    assert "Access" not in browser.get("/health").words


def test_a_late_profile_and_its_error_are_shown_with_the_cure(shop: Shop) -> None:
    shop.clock.advance_to(at("2026-11-20 12:00"))
    found = profile(shop.database, network="bluesky", first_polled_at=at("2026-11-20 11:00"))
    with shop.database.write() as session:
        profiles.record_error(
            session, found.id, "the token expired. Connect the profile again.", now=at("2026-11-20 11:01")
        )
    words = shop.browser().get("/health").words
    assert "late by 57 min" in words
    assert "the token expired. Connect the profile again." in words
