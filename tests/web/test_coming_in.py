"""Who comes in, and who does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from social.clock import machine_now
from social.store import access
from social.store.access import Role
from social.store.tables import EventRow, InvitationRow, UserRow, WebSessionRow
from social.web.pages.sign_in import local_path
from tests.engine.looking import rows
from tests.web.conftest import CONFIG, PASSWORD, Browser, Shop


def link(shop: Shop, **how: object) -> str:
    with shop.database.write() as session:
        values = {"role": Role.ADMIN, "at": machine_now(), "now": shop.clock.now(), "by": "test", **how}
        token, _ = access.invite(session, **values)  # type: ignore[arg-type]
    return f"/welcome/{token}"


def accept(browser: Browser, address: str, **fields: str) -> object:
    form = browser.get(address).field("form")
    return browser.post(address, **{"form": form, "name": "hanna", "password": PASSWORD, "again": PASSWORD, **fields})


def test_it_lets_nobody_in_who_is_not_signed_in_and_goes_on_where_they_wanted_to_be(shop: Shop) -> None:
    shop.employ("hanna")
    browser = Browser(shop)
    page = browser.get(f"/case/{shop.case_id}")
    assert page.response.url.path == "/sign-in"
    wanted = page.field("next")
    assert wanted == f"/case/{shop.case_id}"
    assert browser.sign_in("hanna", next_page=wanted).response.url.path == wanted


def test_it_makes_the_first_account_by_a_link_that_works_once(shop: Shop) -> None:
    address, browser = link(shop), Browser(shop)
    page = accept(browser, address)
    assert page.status == 200 and page.response.url.path == "/queue"  # type: ignore[attr-defined]
    (person,) = rows(shop.database, UserRow)
    assert (person.name, person.role) == ("hanna", "admin")
    assert person.password_hash.startswith("$argon2id$")
    again = Browser(shop).get(address)
    assert again.status == 404
    assert "This link does not work any more" in again.words
    assert 'class="button" href="/sign-in"' in again.html


def test_a_link_is_too_old_after_a_day(shop: Shop) -> None:
    address = link(shop, at=machine_now() - timedelta(hours=25))
    assert Browser(shop).get(address).status == 404


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"again": "something else"}, "The two passwords differ."),
        ({"password": "short", "again": "short"}, "at least 10 characters"),
        ({"name": "robot"}, "cannot be a person's name"),
        ({"name": "  "}, "cannot be a person's name"),
    ],
)
def test_it_says_what_is_wrong_with_a_name_or_password_and_the_link_still_works(
    shop: Shop, fields: dict[str, str], said: str
) -> None:
    address, browser = link(shop), Browser(shop)
    page = accept(browser, address, **fields)
    assert said in page.words  # type: ignore[attr-defined]
    assert accept(browser, address).status == 200  # type: ignore[attr-defined]


def test_nobody_takes_the_name_of_somebody_else(shop: Shop) -> None:
    shop.employ("hanna")
    page = accept(Browser(shop), link(shop))
    assert "Somebody has that name already." in page.words  # type: ignore[attr-defined]


def test_a_link_for_somebody_known_gives_a_new_password_and_ends_old_sessions(shop: Shop) -> None:
    old = shop.browser("hanna")
    new = Browser(shop)
    assert (
        accept(
            new, link(shop, name="hanna", role=Role.AGENT), password="inne małe słowa", again="inne małe słowa"
        ).status
        == 200
    )  # type: ignore[attr-defined]
    assert old.get("/queue").response.url.path == "/sign-in"
    assert Browser(shop).sign_in("hanna").status == 403
    assert Browser(shop).sign_in("hanna", "inne małe słowa").status == 200


def test_it_keeps_only_hashes_of_links_and_cookies(shop: Shop) -> None:
    address = link(shop)
    browser = shop.browser("hanna")
    cookie = browser.client.cookies["dyzur_session"]
    stored = str(
        [vars(row) for table in (InvitationRow, WebSessionRow, EventRow) for row in rows(shop.database, table)]
    )
    assert address.rpartition("/")[2] not in stored
    assert cookie not in stored


def test_a_wrong_password_and_an_unknown_name_are_told_alike(shop: Shop) -> None:
    shop.employ("hanna")
    wrong, unknown = Browser(shop).sign_in("hanna", "falsch falsch"), Browser(shop).sign_in("nobody")
    assert wrong.status == unknown.status == 403
    assert wrong.words.replace("hanna", "") == unknown.words.replace("nobody", "")


def test_an_account_waits_after_many_wrong_passwords_even_for_the_right_one(shop: Shop) -> None:
    shop.employ("hanna")
    browser = Browser(shop)
    for _ in range(access.FREE_TRIES + 1):
        assert browser.sign_in("hanna", "falsch falsch").status == 403
    page = browser.sign_in("hanna")
    assert page.status == 429
    assert "Wait a few minutes" in page.words
    with shop.database.write() as session:
        row = session.get(UserRow, 1)
        assert row is not None
        row.locked_until = machine_now() - timedelta(seconds=1)
        session.add(row)
    assert browser.sign_in("hanna").status == 200


def test_an_address_that_tries_many_names_is_not_heard_any_more(shop: Shop) -> None:
    from social.web.pages import sign_in

    browser = Browser(shop)
    for _ in range(sign_in.TRIES):
        sign_in.tries.failed("testclient")
    assert browser.sign_in("nobody").status == 429


def test_signing_out_ends_the_session_on_the_server(shop: Shop) -> None:
    browser = shop.browser()
    cookie = browser.client.cookies["dyzur_session"]
    browser.post("/sign-out")
    browser.client.cookies.set("dyzur_session", cookie)
    assert browser.get("/queue").response.url.path == "/sign-in"
    assert rows(shop.database, WebSessionRow) == []


def test_a_session_ends_when_nobody_used_it_for_long(shop: Shop) -> None:
    browser = shop.browser()
    with shop.database.write() as session:
        session.execute(update(WebSessionRow).values(expires_at=machine_now() - timedelta(seconds=1)))
    assert browser.get("/queue").response.url.path == "/sign-in"


def test_somebody_who_is_let_go_is_out_at_once_and_the_last_admin_cannot_be(shop: Shop) -> None:
    admin, agent = shop.browser("marek", Role.ADMIN), shop.browser("hanna")
    people = {row.name: row.id for row in rows(shop.database, UserRow)}
    admin.post(f"/people/{people['hanna']}/disable", disabled="yes")
    assert agent.get("/queue").response.url.path == "/sign-in"
    assert Browser(shop).sign_in("hanna").status == 403
    refused = admin.post(f"/people/{people['marek']}/disable", disabled="yes")
    assert refused.status == 409
    assert "That could not be done The only admin is marek. Make somebody else admin first." in refused.words
    assert admin.post(f"/people/{people['marek']}/role", role="viewer").status == 409


@pytest.mark.parametrize("role", ["viewer", "agent"])
def test_a_link_from_before_brings_nobody_back_and_gives_no_role_back(shop: Shop, role: str) -> None:
    admin = shop.browser("marek", Role.ADMIN)
    shop.employ("hanna", Role.ADMIN)
    person = next(row.id for row in rows(shop.database, UserRow) if row.name == "hanna")
    before, again = link(shop, name="hanna"), link(shop, name="hanna")
    others = link(shop)
    admin.post(f"/people/{person}/role", role=role)
    assert Browser(shop).get(before).status == 404
    admin.post(f"/people/{person}/disable", disabled="yes")
    assert Browser(shop).get(again).status == 404
    assert Browser(shop).get(others).status == 200
    assert Browser(shop).sign_in("hanna").status == 403


def test_a_link_that_was_open_in_a_browser_ends_when_its_person_is_let_go(shop: Shop) -> None:
    admin = shop.browser("marek", Role.ADMIN)
    shop.employ("hanna")
    person = next(row.id for row in rows(shop.database, UserRow) if row.name == "hanna")
    address, browser = link(shop, name="hanna"), Browser(shop)
    form = browser.get(address).field("form")
    admin.post(f"/people/{person}/disable", disabled="yes")
    assert browser.post(address, form=form, name="hanna", password=PASSWORD, again=PASSWORD).status == 404
    assert browser.get("/queue").response.url.path == "/sign-in"


def test_somebody_let_go_is_taken_back_by_a_new_link_with_the_role_they_had(shop: Shop) -> None:
    admin = shop.browser("marek", Role.ADMIN)
    shop.employ("hanna", Role.VIEWER)
    person = next(row.id for row in rows(shop.database, UserRow) if row.name == "hanna")
    admin.post(f"/people/{person}/disable", disabled="yes")
    assert accept(Browser(shop), link(shop, name="hanna")).status == 200  # type: ignore[attr-defined]
    (back,) = [row for row in rows(shop.database, UserRow) if row.name == "hanna"]
    assert (back.role, back.disabled_at) == ("viewer", None)


def test_nobody_comes_back_by_a_link_for_somebody_new(shop: Shop) -> None:
    """Also not who was known from the command line only, and so has no password to lose."""
    with shop.database.write() as session:
        session.add(UserRow(name="hanna", created_at=shop.clock.now(), disabled_at=shop.clock.now()))
    page = accept(Browser(shop), link(shop))
    assert page.status == 409  # type: ignore[attr-defined]
    assert "Somebody has that name already." in page.words  # type: ignore[attr-defined]


def test_who_was_known_from_the_command_line_only_gets_the_links_role(shop: Shop) -> None:
    with shop.database.write() as session:
        session.add(UserRow(name="hanna", created_at=shop.clock.now()))
    accept(Browser(shop), link(shop, name="hanna", role=Role.ADMIN))
    (person,) = rows(shop.database, UserRow)
    assert (person.role, person.password_hash is not None) == ("admin", True)


def test_an_admin_invites_and_the_link_lets_an_agent_in(shop: Shop) -> None:
    admin = shop.browser("marek", Role.ADMIN)
    page = admin.post("/people/invite", role="agent")
    address = page.html.partition("http://127.0.0.1:8710")[2].partition("<")[0]
    accepted = accept(Browser(shop), address)
    assert accepted.status == 200  # type: ignore[attr-defined]
    assert {row.name: row.role for row in rows(shop.database, UserRow)}["hanna"] == "agent"


@pytest.mark.parametrize("path", ["/people", "/people/invite", "/people/1/role"])
def test_only_admins_manage_people(shop: Shop, path: str) -> None:
    agent = shop.browser("hanna")
    page = agent.get(path) if path == "/people" else agent.post(path, role="admin")
    assert page.status == 403
    assert "not for your role" in page.words


def test_a_viewer_looks_and_changes_nothing(shop: Shop) -> None:
    viewer = shop.browser("wanda", Role.VIEWER)
    assert viewer.get(f"/case/{shop.case_id}").status == 200
    assert "Send the answer" not in viewer.get(f"/case/{shop.case_id}").words
    for path in ("take", "answer", "note", "close", "correct", "draft"):
        assert viewer.post(f"/case/{shop.case_id}/{path}", text="x", reason="x").status == 403
    assert viewer.post("/pause").status == 403
    assert shop.case["state"] == "open"


def test_a_form_without_its_proof_changes_nothing(shop: Shop) -> None:
    browser = shop.browser()
    for proof in ("", "0" * 64):
        page = browser.post(f"/case/{shop.case_id}/take", csrf=proof)
        assert page.status == 403
        assert "could not be trusted" in page.words
    assert shop.case["state"] == "open"


def test_a_form_from_another_site_changes_nothing(shop: Shop) -> None:
    browser = shop.browser()
    for origin in ("https://evil.example", "null", "http://["):
        response = browser.client.post(
            f"/case/{shop.case_id}/take", data={"csrf": browser.csrf}, headers={"origin": origin}
        )
        assert response.status_code == 403
    assert shop.case["state"] == "open"


def test_a_sign_in_form_from_elsewhere_is_refused(shop: Shop) -> None:
    shop.employ("hanna")
    response = Browser(shop).client.post("/sign-in", data={"name": "hanna", "password": PASSWORD, "form": "made up"})
    assert response.status_code == 403


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(CONFIG + '\n[web]\naddress = "https://desk.example.com"\nbehind_proxy = true\n')
    shop.employ("hanna")
    browser = Browser(shop)
    browser.client.base_url = "https://desk.example.com"
    form = browser.get("/sign-in").field("form")
    answer = browser.client.post(
        "/sign-in", data={"form": form, "name": "hanna", "password": PASSWORD}, follow_redirects=False
    )
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("dyzur_session"))
    assert {"HttpOnly", "SameSite=lax", "Secure"} <= {part.strip() for part in cookie.split(";")}
    assert "max-age=31536000" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "["])
def test_a_name_that_is_not_ours_is_refused(shop: Shop, host: str) -> None:
    """Another site's name that points at this machine would otherwise read the desk with its visitor's cookies."""
    assert Browser(shop).client.get("/sign-in", headers={"host": host}).status_code == 421


def test_every_answer_carries_the_strict_policy(shop: Shop) -> None:
    browser = shop.browser()
    for path in ("/queue", f"/case/{shop.case_id}", "/nothing-here", "/static/desk.css"):
        headers = browser.get(path).response.headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert browser.get("/queue").response.headers["cache-control"] == "no-store"
    assert "immutable" in browser.get("/static/desk.css").response.headers["cache-control"]


def test_an_endless_form_is_refused(shop: Shop) -> None:
    browser = shop.browser()
    assert browser.post(f"/case/{shop.case_id}/note", text="x" * 300_000).status == 413


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/case/3?x=1", "/case/3?x=1"),
        ("//evil.example", "/queue"),
        ("/\\evil.example", "/queue"),
        ("https://evil.example/", "/queue"),
        ("javascript:alert(1)", "/queue"),
        ("/queue\r\nSet-Cookie: x", "/queue"),
        ("//[", "/queue"),
        ("/[", "/["),
        ("http://[", "/queue"),
    ],
)
def test_after_the_sign_in_nobody_lands_elsewhere(wanted: str, path: str) -> None:
    assert local_path(wanted) == path


def test_a_sign_in_page_with_a_broken_target_still_opens(shop: Shop) -> None:
    page = Browser(shop).get("/sign-in?next=//%5B")
    assert (page.status, page.field("next")) == (200, "/queue")


def test_a_new_password_needs_the_present_one(shop: Shop) -> None:
    browser = shop.browser()
    new = {"password": "inne małe słowa", "again": "inne małe słowa"}
    assert browser.post("/account/password", present="falsch", **new).status == 400
    assert browser.post("/account/password", present=PASSWORD, **new).status == 200
    assert Browser(shop).sign_in("hanna", "inne małe słowa").status == 200


def test_who_changes_the_language_reads_it_everywhere(shop: Shop) -> None:
    browser = shop.browser()
    assert "Queue" in browser.get("/queue").words
    browser.post("/account/look", language="pl", theme="dark")
    page = browser.get("/queue")
    assert "Kolejka" in page.words
    assert '<html lang="pl" data-theme="dark">' in page.html
    assert rows(shop.database, UserRow)[0].language == "pl"
