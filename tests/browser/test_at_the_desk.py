"""A day at the desk in real windows: read, take, answer; never two answers, never over the customer's head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.browser.conftest import Desk, case_link
from tests.engine.looking import eventually

Writes = Callable[..., dict[str, Any]]


def answered(desk: Desk, text: str) -> list[dict[str, Any]]:
    """What the network has seen of our answers with these words."""
    return [line for line in desk.shop.published() if line["via"] == "api" and text in line["text"]]


def open_case(page: Any, text: str) -> Any:
    case_link(page, text).click()
    page.wait_for_url("**/case/*")
    return page


def test_a_customer_is_answered_from_the_desk_and_the_answer_is_public(desk: Desk, customer: Writes) -> None:
    customer("Gdzie jest moja paczka z lawendą?")
    page = open_case(desk.sign_in("zofia", "pl-light"), "paczka z lawendą")
    page.click("text=Biorę tę sprawę")
    page.fill("#text", "Dzień dobry, paczka jest w drodze.")
    assert page.inner_text("#counter").startswith("34 z 8000")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**done=answer")
    eventually(lambda: answered(desk, "paczka jest w drodze"), what="the answer on the network")

    def shown() -> bool:
        page.reload()
        return "odpowiedź: wysłane" in page.inner_text(".thread")

    eventually(shown, what="the sent answer on the page")
    assert len(answered(desk, "paczka jest w drodze")) == 1


def test_of_two_windows_on_one_case_the_second_keeps_its_words(desk: Desk, customer: Writes) -> None:
    customer("Czy otwieracie w sobotę?", author="beata_kuras")
    anna, marek = desk.sign_in("anna"), desk.sign_in("marek")
    open_case(anna, "otwieracie w sobotę")
    open_case(marek, "otwieracie w sobotę")
    marek.fill("#text", "Marek pisze swoją odpowiedź.")
    anna.fill("#text", "Anna była szybsza.")
    anna.click("text=Send the answer")
    anna.wait_for_url("**done=answer")
    marek.wait_for_selector("#changes .problem")  # told before sending
    marek.click("text=Send the answer")
    marek.wait_for_selector("[role=alert]")
    assert "Marek pisze swoją odpowiedź." in marek.inner_text("main")
    eventually(lambda: answered(desk, "Anna była szybsza"), what="the first answer")
    assert answered(desk, "Marek pisze") == []


def test_an_answer_to_what_the_customer_changed_meanwhile_is_held_back(desk: Desk, customer: Writes) -> None:
    asked = customer("Chcę zmienić adres dostawy.", author="grazyna_m")
    page = open_case(desk.sign_in("marek"), "zmienić adres")
    page.fill("#text", "Oczywiście, proszę podać nowy adres w panelu klienta.")
    customer("Jednak już nieaktualne.", author="grazyna_m", kind="comment", parent=asked["sequence"])
    page.wait_for_selector("#changes .problem")
    page.click("text=Send the answer")
    page.wait_for_selector(".problem[role=alert]")
    words = page.inner_text("main")
    assert "The customer wrote something new" in words
    assert "Jednak już nieaktualne." in words
    assert page.input_value("#text") == "Oczywiście, proszę podać nowy adres w panelu klienta."
    assert answered(desk, "panelu klienta") == []


def test_a_pause_stops_an_answer_and_its_end_sends_it(desk: Desk, customer: Writes) -> None:
    customer("Ile kosztuje olejek?", author="kamil_r")
    page = desk.sign_in("marek")
    page.click("text=Pause all sending")
    page.click("main button.stop")
    page.wait_for_selector(".banner.stop")
    try:
        open_case(page, "Ile kosztuje olejek")
        page.fill("#text", "Olejek kosztuje 39 zł.")
        page.click("text=Send the answer")
        page.wait_for_url("**done=answer")
        page.wait_for_timeout(3000)
        assert answered(desk, "39 zł") == []
    finally:
        page.click("text=Let it send again")
    eventually(lambda: answered(desk, "39 zł"), what="the answer after the pause")


def test_a_judgement_is_corrected(desk: Desk, customer: Writes) -> None:
    customer("Pachnie jak zawsze cudownie", author="ewa_s")
    page = open_case(desk.sign_in("marek"), "jak zawsze cudownie")
    page.click("text=Correct it")
    page.select_option("#sentiment", "positive")
    page.select_option("#urgency", "low")
    page.click("button:text-is('Correct')")
    page.wait_for_url("**done=corrected")
    assert "low" in page.inner_text(".case-head")


def test_news_comes_by_itself_in_many_tabs_and_the_list_does_not_jump_under_the_hand(
    desk: Desk, customer: Writes
) -> None:
    first = desk.sign_in("marek")
    tabs = [first, *(first.context.new_page() for _ in range(7))]
    for tab in tabs[1:]:
        tab.goto(f"{desk.address}/queue")
    first.bring_to_front()
    first.locator(".excerpt a").first.focus()
    before = first.locator(".excerpt a").all_inner_texts()
    customer("Nowina, która przychodzi sama.", author="piotr_z")
    tabs[-1].wait_for_selector(".excerpt a:has-text('Nowina, która')")
    first.wait_for_selector("#news button")
    assert first.locator(".excerpt a").all_inner_texts() == before
    first.click("#news button")
    first.wait_for_selector(".excerpt a:has-text('Nowina, która')")


def test_it_works_without_a_script(desk: Desk, customer: Writes) -> None:
    customer("Proszę o fakturę.", author="marcin_ob")
    page = open_case(desk.sign_in("marek", java_script_enabled=False), "Proszę o fakturę")
    page.click("text=Take it")
    page.fill("#text", "Faktura jest w mailu z potwierdzeniem.")
    page.click("text=Send the answer")
    page.wait_for_url("**done=answer")
    eventually(lambda: answered(desk, "Faktura jest w mailu"), what="the answer")


def test_a_phone_that_loses_the_network_keeps_the_words(desk: Desk, customer: Writes) -> None:
    customer("Kiedy warsztaty z mydeł?", author="iwona_lis")
    page = open_case(desk.sign_in("zofia", "pl-phone"), "warsztaty z mydeł")
    page.fill("#text", "Warsztaty są w każdą drugą sobotę.")
    page.context.set_offline(True)
    page.click("text=Wyślij odpowiedź")
    page.wait_for_selector("#offline:visible")
    page.context.set_offline(False)
    page.reload()
    assert page.input_value("#text") == "Warsztaty są w każdą drugą sobotę."
    page.click("text=Wyślij odpowiedź")
    page.wait_for_url("**done=answer")
    eventually(lambda: answered(desk, "każdą drugą sobotę"), what="the answer")
    assert len(answered(desk, "każdą drugą sobotę")) == 1
