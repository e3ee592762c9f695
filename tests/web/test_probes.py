"""What machines learn of the desk, and what nobody else does."""

from __future__ import annotations

from collections.abc import Callable

from fastapi.testclient import TestClient

from social.clock import machine_now
from social.store import control, profiles
from tests.cast import PROFILE, at
from tests.factories import profile
from tests.web.conftest import NOW, Browser, Shop


def alive(shop: Shop, parts: str = "poll,triage,respond") -> None:
    with shop.database.write() as session:
        control.beat(session, name="here:1", parts=parts, started_at=NOW, at=machine_now(), model=None)


def test_the_process_answers_without_looking_at_anything(shop: Shop) -> None:
    shop.database.close()
    page = Browser(shop).get("/healthz")
    assert (page.status, page.html) == (200, "ok\n")


def test_it_is_ready_while_a_daemon_lives_and_profiles_are_read_in_time(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    profile(shop.database, network="bluesky", first_polled_at=at("2026-11-20 10:34"))
    for parts in ("", "poll,respond"):  # pages alone; nobody judges
        assert Browser(shop).get("/readyz").status == 503
        alive(shop, parts)
    assert Browser(shop).get("/readyz").status == 503
    alive(shop)
    answer = Browser(shop).get("/readyz").response
    assert answer.status_code == 200
    assert answer.json()["checks"] == {"database": True, "daemon": True, f"profile {PROFILE}": True}


def test_it_is_not_ready_where_a_profile_is_late_or_broken_and_tells_no_words(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    found = profile(shop.database, network="bluesky", first_polled_at=at("2026-11-20 10:00"))
    alive(shop)
    assert Browser(shop).get("/readyz").response.json()["checks"][f"profile {PROFILE}"] is False
    with shop.database.write() as session:
        profiles.record_error(session, found.id, "token canary", now=NOW)
    answer = Browser(shop).get("/readyz").response
    assert answer.status_code == 503
    assert "canary" not in answer.text


def test_its_numbers_are_those_of_the_database_and_only_for_this_machine(shop: Shop) -> None:
    alive(shop, "poll,respond")
    here = TestClient(shop.app, base_url="http://127.0.0.1:8710", client=("127.0.0.1", 5000))
    text = here.get("/metrics").text
    assert 'dyzur_cases_waiting{urgency="normal"} 1.0' in text
    assert "dyzur_daemons 1.0" in text
    assert 'dyzur_part_running{part="poll"} 1.0' in text and 'dyzur_part_running{part="triage"} 0.0' in text
    assert "paczka" not in text
    elsewhere = TestClient(shop.app, base_url="http://127.0.0.1:8710", client=("10.0.0.9", 5000))
    assert elsewhere.get("/metrics").status_code == 404
    assert here.get("/metrics", headers={"x-forwarded-for": "10.0.0.9"}).status_code == 404
