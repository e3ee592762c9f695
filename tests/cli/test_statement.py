"""`social statement`: crises on a terminal and for scripts; nothing is said that nobody approved by name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from responders import holding
from social import clock
from social.domain.post import ProfileMode
from social.engine.crisis import alert_kind, subject_of
from social.store import incidents, schema, statements
from social.store.mapping import Profile
from social.store.session import Database
from social.store.tables import AlertRow, EventRow, PostRow
from tests.cast import at
from tests.cli.conftest import SHOP, Done, Social
from tests.engine.looking import rows
from tests.factories import case, post, profile, remembered, row_of
from tests.fakes import FAKE_RULES

NOON = at("2026-11-20 12:00")
#: A world in which it is 12:10 on a Friday, for as long as a test lasts.
FRIDAY = """\
[clock]
mode = "paced"
start = 2026-11-20T12:10:00+01:00
speed = 0.000001

"""


@pytest.fixture(autouse=True)
def _english_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


@pytest.fixture
def database(shop: Path) -> Iterator[Database]:
    (shop / "config.toml").write_text(FRIDAY + SHOP, encoding="utf-8")
    found = Database(f"sqlite:///{shop}/var/shop.db")
    schema.upgrade(found, now=clock.machine_now())
    yield found
    found.close()


@pytest.fixture
def page(database: Database) -> Profile:
    return profile(database, "shop-page", brand="Shop", network="facebook")


def crisis(database: Database, page: Profile) -> int:
    """What the brake leaves when it is pulled; one customer waits."""
    waiting = case(database, remembered(database, page, post("Skandal!", when=NOON - timedelta(minutes=5))))
    with database.write() as session:
        detail = {"cases": 0, "posts": 14, "customers": 12, "usual": 0.8, "probability": 1e-9}
        found = incidents.open_crisis(session, brand_id=page.brand_id, profile_id=page.id, detail=detail, now=NOON)
        for language in ("pl", "en"):
            composed = holding.prepare(language=language, brand="Shop", rules=FAKE_RULES)
            assert composed is not None
            statements.prepare(session, found.id, composed, now=NOON)
        incidents.join(session, found.id, [waiting], now=NOON)
        session.add(
            AlertRow(
                kind=alert_kind(found.kind),
                subject=subject_of(found.id),
                message="crisis",
                raised_at=NOON,
                due_at=NOON,
                state="raised",
            )
        )
        return found.id


def worked(done: Done) -> Done:
    assert done.code == 0, done.err
    return done


def refused(done: Done, code: int, *words: str) -> None:
    assert (done.code, done.out) == (code, "")
    for word in words:
        assert word in done.err
    assert "Traceback" not in done.err


# --- look --------------------------------------------------------------------------------------------------------------


def test_it_lists_what_runs_and_who_has_to_decide(social: Social, database: Database, page: Profile) -> None:
    assert worked(social("statement", "list")).out == "No crisis and no outage.\n"
    number = crisis(database, page)
    with database.write() as session:
        incidents.outage_of(session, brand_id=page.brand_id, now=NOON)
    out = worked(social("statement", "list")).out
    assert f"#{number}  crisis on shop-page, since Fri 20 Nov 12:00, running" in out
    assert "12 customers complained within an hour, 0.8 are usual; 1 waiting cases, 1 of them within their hour" in out
    assert out.count("waits for a person") == 2
    assert "outage on Shop" in out


def test_it_shows_the_whole_texts_and_what_can_be_done(social: Social, database: Database, page: Profile) -> None:
    number = crisis(database, page)
    out = worked(social("statement", "show", str(number))).out
    assert "Treść zatwierdził człowiek" in out or "Tekst zatwierdzony przez człowieka" in out
    assert "Checked by a person, sent automatically" in out
    assert "--problem: payments, delivery" in out
    assert f"social statement approve {number}" in out
    told = worked(social("statement", "show", str(number), "--json")).json
    assert (told["kind"], told["state"], told["profile"]) == ("crisis", "running", "shop-page")
    assert [item["state"] for item in told["statements"]] == ["waiting", "waiting"]
    refused(social("statement", "show", "99"), 2, "there is no incident 99", "social statement list")


# --- decide ------------------------------------------------------------------------------------------------------------


def test_it_approves_under_a_persons_name_and_decides_again_who_waits(
    social: Social, database: Database, page: Profile
) -> None:
    number = crisis(database, page)
    out = worked(social("statement", "approve", str(number), "--problem", "payments", "--as", "hanna")).out
    assert out.startswith(
        "Approved by hanna.\nCustomers who complain on shop-page are told once, inside their hour (pl, en)."
    )
    assert "1 of 1 waiting cases" in out
    told = worked(social("statement", "list", "--json")).json[0]["statements"]
    assert {(item["state"], item["decided_by"], item["problem"]) for item in told} == {
        ("approved", "hanna", "payments")
    }
    assert "z płatnościami" in told[0]["text"]
    assert row_of(database, PostRow, 1)["state"] == "waiting"
    events = [row for row in rows(database, EventRow) if row.subject_kind == "statement"]
    assert [(row.actor, row.verb) for row in events] == [("hanna", "approved")] * 2
    assert rows(database, AlertRow) == []  # somebody cared: nobody else is rung

    refused(social("statement", "approve", str(number)), 8, "approved already, by hanna", "statement reject")
    out = worked(social("statement", "reject", str(number), "--as", "marek")).out
    assert "Rejected by marek." in out
    assert "social queue list" in out


def test_it_takes_a_persons_own_words_if_a_machine_may_say_them(
    social: Social, database: Database, page: Profile
) -> None:
    number = str(crisis(database, page))
    own = "Wiemy o awarii i ją usuwamy. (Wysłane automatycznie)"
    approve = ("statement", "approve", number, "--as", "hanna")
    refused(social(*approve, "--text", own), 8, "--language (pl, en)")
    refused(social(*approve, "-l", "pl", "--text", "Wiemy o awarii."), 2, "sent automatically")
    refused(social(*approve, "-l", "pl", "--text", own, "--problem", "app"), 2, "leave out --problem")
    refused(social(*approve, "-l", "pl", "--problem", "weather"), 2, "payments")
    worked(social(*approve, "-l", "pl", "--text", "-", stdin=own + "\n"))
    polish, english = worked(social("statement", "show", number, "--json")).json["statements"]
    assert (polish["text"], polish["state"]) == (own, "approved")
    assert english["state"] == "waiting"


def test_it_says_that_nothing_is_sent_in_dry_run(social: Social, shop: Path, database: Database) -> None:
    page = profile(database, "shop-page", brand="Shop", network="facebook", mode=ProfileMode.DRY_RUN)
    out = worked(social("statement", "approve", str(crisis(database, page)))).out
    assert "The profile is dry-run: nothing is sent." in out


def test_it_ends_a_crisis_once(social: Social, database: Database, page: Profile) -> None:
    number = str(crisis(database, page))
    out = worked(social("statement", "end", number, "--as", "hanna")).out
    assert out.startswith("Ended by hanna.\nThe robot acknowledges again on shop-page")
    assert "ended Fri 20 Nov 12:10 by hanna; complaints still come" in worked(social("statement", "list")).out
    for verb in ("end", "reject", "approve"):
        refused(social("statement", verb, number, "--as", "marek"), 8, "ended by hanna")


def test_an_outage_has_no_statement_and_can_be_ended(social: Social, database: Database, page: Profile) -> None:
    with database.write() as session:
        number = str(incidents.outage_of(session, brand_id=page.brand_id, now=NOON).id)
    refused(social("statement", "approve", number), 8, "no holding statement", "social statement end")
    assert "rings again" in worked(social("statement", "end", number, "--as", "hanna")).out


@pytest.mark.parametrize("name", ["robot", "  ", "x" * 61])
def test_nobody_approves_without_a_name(social: Social, database: Database, page: Profile, name: str) -> None:
    number = str(crisis(database, page))
    refused(social("statement", "approve", number, "--as", name), 2, "Say who you are")
    assert worked(social("statement", "list", "--json")).json[0]["statements"][0]["state"] == "waiting"
