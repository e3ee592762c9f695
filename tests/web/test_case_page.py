"""What people do with a case at the desk: never two of them, never over the customer's head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from social.clock import machine_now
from social.domain.assessment import Reason, Urgency
from social.domain.post import Author
from social.domain.reply import ReplyState
from social.engine import line
from social.store import outbox
from social.store.access import Role
from social.store.rows import c
from social.store.session import Database
from social.store.tables import EscalationRow, EventRow, LabelRow, NoteRow, PostRow, ReplyRow
from tests.cast import SHOP, at
from tests.engine.looking import rows
from tests.factories import assessment, case, desk_for, planned, post, profile, remembered
from tests.fakes import FakeConnector
from tests.web.conftest import NOW, Browser, Page, Shop

ANSWER = "Paczka wyjechała dziś rano, będzie jutro."


def answer(browser: Browser, shop: Shop, text: str = ANSWER, **fields: str) -> Page:
    seen = fields.pop("seen", None) or browser.get(f"/case/{shop.case_id}").field("seen")
    return browser.post(f"/case/{shop.case_id}/answer", text=text, seen=seen, **fields)


def close(browser: Browser, shop: Shop, reason: str, *, seen: str | None = None) -> Page:
    seen = seen if seen is not None else browser.get(f"/case/{shop.case_id}").field("seen")
    return browser.post(f"/case/{shop.case_id}/close", reason=reason, seen=seen)


def correct(browser: Browser, made: Page, **fields: str) -> Page:
    """The form of the page ``made``; what is not in ``fields`` stays as it was."""
    was = {name: made.field(f"was_{name}") for name in ("sentiment", "urgency")}
    hidden = {name: made.field(name) for name in ("post", "seen", "was_sentiment", "was_urgency")}
    return browser.post(made.response.url.path.removesuffix("/correct") + "/correct", **{**hidden, **was, **fields})


def becomes_critical(shop: Shop, text: str = "Dziecko połknęło część zabawki!") -> None:
    """The customer's next message is judged, and raises the case."""
    again = post(text, when=NOW, native_id="critical", thread_root="q1")
    row_id = remembered(shop.database, profile(shop.database, network="bluesky"), again, now=NOW)
    case(shop.database, row_id, urgency=Urgency.CRITICAL)


def changes_the_first(shop: Shop, text: str = "Dziecko się dusi po waszym leku!") -> None:
    edited = post(text, when=at("2026-11-20 10:00"), native_id="q1", revision="2", edited_at=at("2026-11-20 10:36"))
    remembered(shop.database, profile(shop.database, network="bluesky"), edited, now=at("2026-11-20 10:36"))


def comes_late(shop: Shop, text: str = "Dziecko się dusi po waszym leku!") -> None:
    """Written before the newest message, seen after it."""
    late = post(text, when=at("2026-11-20 10:15"), native_id="late", thread_root="q1")
    remembered(shop.database, profile(shop.database, network="bluesky"), late, now=at("2026-11-20 10:36"))


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
    assert "account customer-anna on bluesky" in words  # what `social author` asks for


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


@pytest.mark.parametrize("happens", [changes_the_first, comes_late])
def test_an_answer_is_refused_when_an_older_message_changed_or_came_late(
    shop: Shop, happens: Callable[[Shop], None]
) -> None:
    shop.writes_again(when=at("2026-11-20 10:20"))
    browser = shop.browser()
    seen = browser.get(f"/case/{shop.case_id}").field("seen")
    happens(shop)
    live = browser.get(f"/case/{shop.case_id}/changes?seen={seen}", **{"hx-request": "true"})
    assert "The customer wrote something new" in live.words
    page = answer(browser, shop, seen=seen)
    assert page.status == 409
    assert "The customer wrote something new" in page.words
    assert "Dziecko się dusi po waszym leku!" in page.words
    assert answers(shop.database) == []
    assert "on its way" in answer(browser, shop, seen=page.field("seen")).words


@pytest.mark.parametrize("mark", ["1:1", "1", "", "x", "1:1:1", "9" * 40])
def test_a_page_from_before_an_upgrade_is_asked_to_look_again(shop: Shop, mark: str) -> None:
    browser = shop.browser()
    page = browser.post(f"/case/{shop.case_id}/answer", text=ANSWER, seen=mark)
    assert page.status == 409
    assert "Nobody can tell what that page showed." in page.words
    assert browser.get(f"/case/{shop.case_id}/changes?seen={mark}").status == 200
    assert ANSWER in page.html
    assert close(browser, shop, "załatwione", seen=mark).status == 409
    assert (answers(shop.database), shop.case["state"]) == ([], "open")
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
    page = close(shop.browser(), shop, "załatwione telefonicznie")
    assert "The case is closed." in page.words
    assert (shop.case["state"], shop.case["close_reason"]) == ("closed", "załatwione telefonicznie")


def test_a_case_is_not_closed_over_what_the_customer_wrote_since(shop: Shop) -> None:
    browser = shop.browser()
    seen = browser.get(f"/case/{shop.case_id}").field("seen")
    becomes_critical(shop)
    page = close(browser, shop, "to tylko pytanie", seen=seen)
    assert page.status == 409
    assert "The customer wrote something new" in page.words
    assert "Dziecko połknęło część zabawki!" in page.words
    assert 'value="to tylko pytanie"' in page.html
    assert (shop.case["state"], shop.case["urgency"]) == ("open", "critical")
    assert "The case is closed." in close(browser, shop, "zadzwoniliśmy", seen=page.field("seen")).words


def test_a_case_that_was_answered_meanwhile_stays_answered(shop: Shop) -> None:
    browser = shop.browser()
    seen = browser.get(f"/case/{shop.case_id}").field("seen")
    native = post("Już wysłane!", native_id="ours", by=SHOP, in_reply_to="q1", thread_root="q1", ours=True, when=NOW)
    remembered(shop.database, profile(shop.database, network="bluesky"), native, now=NOW)
    page = close(browser, shop, "załatwione", seen=seen)
    assert page.status == 409
    assert "answered in the network's own app" in page.words
    assert (shop.case["state"], shop.case["close_reason"]) == ("answered", None)


def test_an_old_page_takes_nothing_over_from_whoever_has_it_by_then(shop: Shop) -> None:
    anna, cela, marek = shop.browser("anna"), shop.browser("cela"), shop.browser("marek")
    anna.post(f"/case/{shop.case_id}/take")
    old = marek.get(f"/case/{shop.case_id}").field("from")
    cela.post(f"/case/{shop.case_id}/take", over="yes", **{"from": old})
    page = marek.post(f"/case/{shop.case_id}/take", over="yes", **{"from": old})
    assert page.status == 409
    assert "cela has this case now." in page.words
    assert [row.actor for row in rows(shop.database, EventRow) if row.verb == "took over"] == ["cela"]
    again = marek.post(f"/case/{shop.case_id}/take", over="yes", **{"from": page.field("from")})
    assert "The case is yours." in again.words


def test_somebody_elses_case_is_not_closed_and_can_be_taken_over(shop: Shop) -> None:
    hanna, marek = shop.browser("hanna"), shop.browser("marek")
    hanna.post(f"/case/{shop.case_id}/take")
    assert close(marek, shop, "x").status == 409
    assert "hanna has this case now." in marek.post(f"/case/{shop.case_id}/take").words
    over = {"over": "yes", "from": marek.get(f"/case/{shop.case_id}").field("from")}
    assert "The case is yours." in marek.post(f"/case/{shop.case_id}/take", **over).words
    assert [row.actor for row in rows(shop.database, EventRow) if row.verb == "took over"] == ["marek"]


def test_a_correction_is_kept_as_a_label_with_its_network_and_moves_the_case(shop: Shop) -> None:
    browser = shop.browser()
    page = correct(browser, browser.get(f"/case/{shop.case_id}"), sentiment="negative", urgency="critical")
    assert "Corrected; thank you." in page.words
    assert [(row.head, row.was, row.value, row.network) for row in rows(shop.database, LabelRow)] == [
        ("sentiment", "neutral", "negative", "bluesky"),
        ("urgency", "normal", "critical", "bluesky"),
    ]
    assert (shop.case["urgency"], shop.case["urgency_rank"]) == ("critical", 0)


@pytest.mark.parametrize("fields", [{"post": "999"}, {"urgency": "huge"}])
def test_a_correction_of_nothing_known_changes_nothing(shop: Shop, fields: dict[str, str]) -> None:
    browser = shop.browser()
    made = browser.get(f"/case/{shop.case_id}")
    assert correct(browser, made, **{"sentiment": "negative", **fields}).status in (400, 409)  # both heads or neither
    assert rows(shop.database, LabelRow) == []


def test_an_old_page_does_not_correct_a_case_down_that_became_critical(shop: Shop) -> None:
    browser = shop.browser()
    made = browser.get(f"/case/{shop.case_id}")
    becomes_critical(shop)
    page = correct(browser, made, urgency="low", sentiment="negative")
    assert page.status == 409
    assert "The customer wrote something new" in page.words
    assert "The urgency of the case is now: critical." in page.words
    assert "Dziecko połknęło część zabawki!" in page.words
    assert '<option value="low" selected>' in page.html and '<option value="negative" selected>' in page.html
    assert (shop.case["urgency"], rows(shop.database, LabelRow)) == ("critical", [])
    assert "Corrected; thank you." in correct(browser, page, urgency="low").words  # who has read it may
    assert shop.case["urgency"] == "low"


def test_two_corrections_of_one_urgency_do_not_undo_each_other(shop: Shop) -> None:
    hanna, marek = shop.browser("hanna"), shop.browser("marek")
    made = marek.get(f"/case/{shop.case_id}")
    correct(hanna, hanna.get(f"/case/{shop.case_id}"), urgency="critical")
    page = correct(marek, made, urgency="low")
    assert page.status == 409
    assert "The urgency of the case is now: critical." in page.words
    assert shop.case["urgency"] == "critical"
    assert "Corrected" in correct(marek, made, sentiment="negative").words  # another head is no dispute
    assert shop.case["urgency"] == "critical"


def test_a_field_that_was_left_alone_follows_the_case_on_the_page_that_comes_back(shop: Shop) -> None:
    browser = shop.browser()
    made = browser.get(f"/case/{shop.case_id}")
    becomes_critical(shop)
    page = correct(browser, made, sentiment="negative")
    assert page.status == 409
    assert '<option value="critical" selected>' in page.html


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


def test_why_a_text_was_not_sent_is_said_in_the_readers_language_and_a_networks_words_as_they_are(shop: Shop) -> None:
    for reason in ("a person answered first", "permission: (#200) <b>no</b>"):
        reply_id = planned(shop.database, shop.post_id)
        with shop.database.write() as session:
            outbox.change_state(session, reply_id, ReplyState.PLANNED, ReplyState.CANCELLED, reason=reason)
    with shop.database.write() as session:
        session.execute(update(EscalationRow).values(note=f"answer: {reason}; the network calls it a duplicate"))
    html = shop.browser(language="pl").get(f"/case/{shop.case_id}").html
    assert ">człowiek odpowiedział szybciej<" in html
    assert '<span lang="en">permission: (#200) &lt;b&gt;no&lt;/b&gt;</span>' in html
    assert '<span lang="en">answer: permission: (#200) &lt;b&gt;no&lt;/b&gt;; the network calls it' in html


def test_why_an_act_was_refused_is_said_in_the_readers_language_and_names_no_command(shop: Shop) -> None:
    hanna, polish = shop.browser(), shop.browser("marek", chosen="pl")
    answer(hanna, shop)
    with shop.database.write() as session:  # a case of nobody, so that the page does not say who has it
        session.execute(update(EscalationRow).values(state="open", taken_by=None))
    said = ANSWER.replace("\n", " ")
    page = answer(polish, shop, "Moja odpowiedź.")
    assert page.status == 409
    assert (
        f"Nie udało się: inna odpowiedź jest już w drodze (hanna: „{said}”). Zajrzyj ponownie za minutę." in page.words
    )
    assert "Moja odpowiedź." in page.words

    (reply,) = answers(shop.database)
    page = polish.post(f"/case/{shop.case_id}/settle/{reply.id}", sent="yes")
    assert page.status == 409
    assert f"Nie udało się: odpowiedź {reply.id} ma już stan „zaplanowane”; rozstrzyga się" in page.words


def test_what_went_wrong_is_said_in_the_language_of_the_account_not_of_its_browser(shop: Shop) -> None:
    polish = shop.browser("marek", chosen="pl")
    page = polish.get("/case/99999")
    assert page.status == 404
    assert "Nie ma takiej strony ani sprawy Nie ma sprawy 99999. Wróć do kolejki." in page.words
    page = polish.post(f"/case/{shop.case_id}/note", text=" ")
    assert page.status == 400
    assert "Notatka może mieć od 1 do" in page.words


@pytest.mark.parametrize(
    ("later", "leads_to"),
    [
        ({"permalink": "https://bsky.app/later"}, "later"),
        ({"permalink": None}, "first"),
        ({"permalink": "https://bsky.app/later", "deleted_at": NOW}, "first"),
    ],
)
def test_the_way_to_the_networks_own_app_leads_to_the_customers_last_message(
    shop: Shop, later: dict[str, Any], leads_to: str
) -> None:
    shop.writes_again()
    with shop.database.write() as session:
        session.execute(update(PostRow).values(later))
        first = update(PostRow).where(c(PostRow).id == shop.post_id)
        session.execute(first.values(permalink="https://bsky.app/first", deleted_at=None))
    assert f'class="button" href="https://bsky.app/{leads_to}"' in shop.browser().get(f"/case/{shop.case_id}").html


def test_a_doubtful_answer_is_told_as_such_to_the_next_who_answers(shop: Shop) -> None:
    browser = shop.browser()
    answer(browser, shop)
    (reply,) = answers(shop.database)
    with shop.database.write() as session:
        outbox.change_state(session, reply.id, ReplyState.PLANNED, ReplyState.SENDING)
        outbox.change_state(session, reply.id, ReplyState.SENDING, ReplyState.UNKNOWN)
    page = answer(browser, shop, "Jeszcze raz.")
    assert page.status == 409
    assert "nobody can tell whether the answer of hanna was published." in page.words
    assert "Look on the network, and say below whether it is there." in page.words
    assert "Is it there?" in page.words  # below
    assert "social queue" not in page.words


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


@pytest.mark.parametrize(
    "path",
    [
        "/case/999",
        "/case/abc",
        "/case/0/changes",
        "/nowhere",
        "/case/99999999999999999999",
        "/case/-99999999999999999999",
    ],
)
def test_what_is_not_there_is_said(shop: Shop, path: str) -> None:
    page = shop.browser().get(path)
    assert page.status == 404
    assert "There is no such page or case" in page.words


def test_a_viewer_reads_the_whole_case(shop: Shop) -> None:
    words = shop.browser("wanda", Role.VIEWER).get(f"/case/{shop.case_id}").words
    assert "Gdzie jest paczka?" in words
    assert "Take it" not in words
