"""What people do with a case at the desk: never two of them, never over the customer's head."""

from __future__ import annotations

import pytest

from social.clock import machine_now
from social.domain.assessment import Reason
from social.domain.post import Author
from social.domain.reply import ReplyState
from social.engine import line
from social.store import outbox
from social.store.access import Role
from social.store.session import Database
from social.store.tables import EventRow, LabelRow, NoteRow, ReplyRow
from tests.cast import SHOP, at
from tests.engine.looking import rows
from tests.factories import assessment, desk_for, planned, post, profile, remembered
from tests.fakes import FakeConnector
from tests.web.conftest import NOW, Browser, Page, Shop

ANSWER = "Paczka wyjechała dziś rano, będzie jutro."


def answer(browser: Browser, shop: Shop, text: str = ANSWER, **fields: str) -> Page:
    seen = fields.pop("seen", None) or browser.get(f"/case/{shop.case_id}").field("seen")
    return browser.post(f"/case/{shop.case_id}/answer", text=text, seen=seen, **fields)


def answers(database: Database) -> list[ReplyRow]:
    return [row for row in rows(database, ReplyRow) if row.sent_by == "person"]


def test_it_shows_the_conversation_the_reasons_and_earlier_contacts(shop: Shop) -> None:
    shop.asks("Dawna sprawa", native_id="old", when=at("2026-10-02 10:00"))
    planned(shop.database, shop.post_id)
    shop.asks(
        "Nie działa!",
        native_id="new",
        judgement=assessment(
            reasons=(
                Reason(source="rule", name="does-not-work", evidence="Nie działa"),
                Reason(source="rule", name="our-own-rule", evidence="działa"),
                Reason(source="model", name="urgency", evidence="87%", effect="high"),
            )
        ),
    )
    browser = shop.browser()
    words = browser.get("/case/3").words
    assert "Nie działa!" in words
    assert "does not work: Nie działa" in words
    assert "our-own-rule: działa" in words
    assert "the model on urgency: high, 87%" in words
    assert "Earlier contacts" in words and "Dawna sprawa" in words
    assert "needs an answer" in words


def test_an_answer_goes_into_the_outbox_once_and_the_robots_plan_ends(shop: Shop) -> None:
    acknowledgement = planned(shop.database, shop.post_id)
    page = answer(shop.browser(), shop)
    assert "Your answer is on its way" in page.words
    (mine,) = answers(shop.database)
    assert (mine.text, mine.state, mine.due_at) == (ANSWER, "planned", NOW)
    robot = next(row for row in rows(shop.database, ReplyRow) if row.id == acknowledgement)
    assert robot.state == "cancelled"
    assert shop.case["state"] == "taken"


def test_a_double_click_sends_one_answer(shop: Shop) -> None:
    browser = shop.browser()
    seen = browser.get(f"/case/{shop.case_id}").field("seen")
    answer(browser, shop, seen=seen)
    again = answer(browser, shop, seen=seen)
    assert again.status == 409
    assert len(answers(shop.database)) == 1


def test_of_two_people_the_second_is_told_and_keeps_their_words(shop: Shop) -> None:
    hanna, marek = shop.browser("hanna"), shop.browser("marek")
    seen = marek.get(f"/case/{shop.case_id}").field("seen")
    hanna.post(f"/case/{shop.case_id}/take")
    page = answer(marek, shop, "Moja odpowiedź.", seen=seen)
    assert page.status == 409
    assert "hanna has this case now." in page.words
    assert "Moja odpowiedź." in page.words
    assert answers(shop.database) == []


def test_an_answer_is_refused_when_the_customer_wrote_again_and_both_texts_stay(shop: Shop) -> None:
    browser = shop.browser()
    seen = browser.get(f"/case/{shop.case_id}").field("seen")
    shop.writes_again("Jednak anuluję zamówienie.")
    page = answer(browser, shop, seen=seen)
    assert page.status == 409
    assert "The customer wrote something new" in page.words
    assert "Jednak anuluję zamówienie." in page.words
    assert ANSWER in page.html
    assert answers(shop.database) == []
    assert "on its way" in answer(browser, shop, seen=page.field("seen")).words


def test_an_answer_is_refused_when_a_colleague_answered_in_the_networks_own_app(shop: Shop) -> None:
    browser = shop.browser()
    seen = browser.get(f"/case/{shop.case_id}").field("seen")
    found = profile(shop.database, network="bluesky")
    native = post("Już wysłane!", native_id="ours", by=SHOP, in_reply_to="q1", thread_root="q1", ours=True, when=NOW)
    remembered(shop.database, found, native, now=NOW)
    page = answer(browser, shop, seen=seen)
    assert page.status == 409
    assert "answered in the network's own app" in page.words
    assert ANSWER in page.words
    assert answers(shop.database) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The answer is empty."),
        ("ż" * 301, "The answer is too long for this network. 301 of 300."),
        ("Proszę zadzwonić: 601 234 567", "personal data"),
    ],
)
def test_the_guard_says_what_is_wrong_and_the_words_stay(shop: Shop, text: str, said: str) -> None:
    page = answer(shop.browser(), shop, text)
    assert page.status == 422
    assert said in page.words
    assert text in page.html
    assert answers(shop.database) == []


def test_a_warning_is_confirmed_by_looking_again(shop: Shop) -> None:
    browser, text = shop.browser(), "Proszę zadzwonić: 601 234 567"
    page = answer(browser, shop, text)
    assert "I have looked again" in page.words
    assert "on its way" in answer(browser, shop, text, confirmed="yes").words


def test_a_note_stays_inside(shop: Shop) -> None:
    browser = shop.browser()
    page = browser.post(f"/case/{shop.case_id}/note", text="Dzwoniła wczoraj, jest miła.")
    assert "Dzwoniła wczoraj" in page.words
    (kept,) = rows(shop.database, NoteRow)
    assert kept.text == "Dzwoniła wczoraj, jest miła."
    assert rows(shop.database, ReplyRow) == []
    assert browser.post(f"/case/{shop.case_id}/note", text="   ").status == 400


def test_a_case_is_closed_with_a_reason(shop: Shop) -> None:
    page = shop.browser().post(f"/case/{shop.case_id}/close", reason="załatwione telefonicznie")
    assert "The case is closed." in page.words
    assert (shop.case["state"], shop.case["close_reason"]) == ("closed", "załatwione telefonicznie")


def test_somebody_elses_case_is_not_closed_and_can_be_taken_over(shop: Shop) -> None:
    hanna, marek = shop.browser("hanna"), shop.browser("marek")
    hanna.post(f"/case/{shop.case_id}/take")
    assert marek.post(f"/case/{shop.case_id}/close", reason="x").status == 409
    assert "hanna has this case now." in marek.post(f"/case/{shop.case_id}/take").words
    assert "The case is yours." in marek.post(f"/case/{shop.case_id}/take", over="yes").words
    assert [row.actor for row in rows(shop.database, EventRow) if row.verb == "took over"] == ["marek"]


def test_a_correction_is_kept_as_a_label_with_its_network_and_moves_the_case(shop: Shop) -> None:
    browser = shop.browser()
    page = browser.post(
        f"/case/{shop.case_id}/correct",
        post=str(shop.post_id),
        sentiment="negative",
        was_sentiment="neutral",
        urgency="critical",
        was_urgency="normal",
    )
    assert "Corrected; thank you." in page.words
    assert [(row.head, row.was, row.value, row.network) for row in rows(shop.database, LabelRow)] == [
        ("sentiment", "neutral", "negative", "bluesky"),
        ("urgency", "normal", "critical", "bluesky"),
    ]
    assert (shop.case["urgency"], shop.case["urgency_rank"]) == ("critical", 0)


@pytest.mark.parametrize("fields", [{"post": "999"}, {"post": "1", "urgency": "huge"}])
def test_a_correction_of_nothing_known_changes_nothing(shop: Shop, fields: dict[str, str]) -> None:
    values = {"sentiment": "negative", "was_sentiment": "neutral", **fields}
    if "urgency" in fields:
        values |= {"sentiment": "", "was_urgency": "normal"}
    assert shop.browser().post(f"/case/{shop.case_id}/correct", **values).status in (400, 409)
    assert rows(shop.database, LabelRow) == []


def test_an_unknown_reply_is_settled_by_whoever_looked(shop: Shop) -> None:
    reply_id = planned(shop.database, shop.post_id)
    with shop.database.write() as session:
        outbox.change_state(session, reply_id, ReplyState.PLANNED, ReplyState.SENDING)
        outbox.change_state(session, reply_id, ReplyState.SENDING, ReplyState.UNKNOWN)
    browser = shop.browser()
    assert "Is it there?" in browser.get(f"/case/{shop.case_id}").words
    browser.post(f"/case/{shop.case_id}/settle/{reply_id}", sent="yes")
    (reply,) = rows(shop.database, ReplyRow)
    assert (reply.state, reply.reason) == ("sent", "hanna saw it on the network")


def test_the_page_learns_of_changes_without_losing_what_is_typed(shop: Shop) -> None:
    hanna, marek = shop.browser("hanna"), shop.browser("marek")
    seen = marek.get(f"/case/{shop.case_id}").field("seen")
    ask = f"/case/{shop.case_id}/changes?seen={seen}"
    htmx = {"hx-request": "true"}
    assert marek.get(ask, **htmx).words == ""
    shop.writes_again()
    hanna.post(f"/case/{shop.case_id}/take")
    words = marek.get(ask, **htmx).words
    assert "hanna has this case now." in words
    assert "The customer wrote something new" in words


def test_while_somebody_writes_the_robot_does_not_cut_in(shop: Shop) -> None:
    network = FakeConnector(shop.clock)
    desk = desk_for(shop.database, shop.clock, network, name="fake-net")
    network.publishes(post("Gdzie paczka?", when=at("2026-11-20 10:00"), native_id="f1", by=Author(native_id="c9")))
    line.take_in(desk, NOW)
    line.work_through(desk, NOW)
    mine = next(row for row in rows(shop.database, ReplyRow))
    browser = shop.browser()
    case_id = shop.case_id + 1
    browser.post(f"/case/{case_id}/take")
    assert browser.post(f"/case/{case_id}/draft").status == 204
    shop.clock.advance_to(at("2026-11-20 10:55"))
    line.send_out(desk, shop.clock.now())
    assert network.public_replies == []
    waiting = next(row for row in rows(shop.database, ReplyRow) if row.id == mine.id)
    assert (waiting.state, waiting.due_at) == ("planned", at("2026-11-20 10:56"))
    with shop.database.write() as session:  # the draft is left alone: the sign runs out
        from social.store.tables import EscalationRow

        row = session.get(EscalationRow, case_id)
        assert row is not None
        row.draft_until = machine_now()
        session.add(row)
    shop.clock.advance_to(at("2026-11-20 10:56"))
    line.send_out(desk, shop.clock.now())
    assert len(network.public_replies) == 1


def test_only_who_has_the_case_holds_the_robot_back(shop: Shop) -> None:
    shop.browser().post(f"/case/{shop.case_id}/draft")
    assert shop.case["draft_until"] is None


def test_everything_stops_and_goes_on_by_one_form(shop: Shop) -> None:
    browser = shop.browser()
    assert "Pause all sending?" in browser.get("/pause").words
    assert "All sending is paused" in browser.post("/pause", back="/queue").words
    page = answer(browser, shop)
    assert "All sending is paused" in page.words
    assert "All sending is paused" not in browser.post("/unpause", back="/queue").words
    assert [row.verb for row in rows(shop.database, EventRow) if row.subject_kind == "desk"] == ["paused", "unpaused"]


@pytest.mark.parametrize("path", ["/case/999", "/case/abc", "/case/0/changes", "/nowhere"])
def test_what_is_not_there_is_said(shop: Shop, path: str) -> None:
    page = shop.browser().get(path)
    assert page.status == 404
    assert "There is no such page or case" in page.words


def test_a_viewer_reads_the_whole_case(shop: Shop) -> None:
    words = shop.browser("wanda", Role.VIEWER).get(f"/case/{shop.case_id}").words
    assert "Gdzie jest paczka?" in words
    assert "Take it" not in words
