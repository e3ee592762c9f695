"""`social queue`: what people must answer, on a terminal and for scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from social import clock
from social.domain.assessment import Flag, Reason, Sentiment, Urgency
from social.domain.reply import ReplyKind, ReplyState, SentBy
from social.store import control, outbox, schema
from social.store.mapping import Profile
from social.store.session import Database
from social.store.tables import ReplyRow
from tests.cast import ANNA, PIOTR, at
from tests.cli.conftest import SHOP, Done, Social
from tests.factories import assessment, case, planned, post, profile, remembered, row_of

#: A world in which it is 10:35 on a Friday, for as long as a test lasts.
FRIDAY = """\
[clock]
mode = "paced"
start = 2026-11-20T10:35:30+01:00
speed = 0.000001

"""


@dataclass(frozen=True, slots=True)
class Desk:
    """The shop's database, and what waits in it."""

    database: Database
    shop: Profile

    def asks(self, text: str = "Gdzie jest moja paczka?", *, when: str = "10:00", **how: Any) -> int:
        """Somebody asks; the case's number."""
        judgement = how.pop("judgement", None)
        urgency = how.pop("urgency", Urgency.NORMAL)
        deadline = how.pop("formal_deadline", None)
        asked = remembered(self.database, self.shop, post(text, when=at(f"2026-11-20 {when}"), **how))
        return case(self.database, asked, urgency=urgency, judgement=judgement, formal_deadline=deadline)

    def runs(self, parts: str = "poll,triage,respond") -> None:
        """A daemon is there."""
        now = clock.machine_now()
        with self.database.write() as session:
            control.beat(session, name="test:1", parts=parts, started_at=now, at=now, model=None)


@pytest.fixture
def desk(shop: Path) -> Iterator[Desk]:
    (shop / "config.toml").write_text(FRIDAY + SHOP, encoding="utf-8")
    database = Database(f"sqlite:///{shop}/var/shop.db")
    schema.upgrade(database, now=clock.machine_now())
    yield Desk(database, profile(database, "shop-page", brand="Shop", network="facebook"))
    database.close()


@pytest.fixture(autouse=True)
def _english_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


def worked(done: Done) -> Done:
    assert done.code == 0, done.err
    return done


# --- list ---------------------------------------------------------------------------------------------------------------


def test_it_lists_what_waits_the_most_urgent_first(social: Social, desk: Desk) -> None:
    judged = assessment(sentiment=Sentiment.NEGATIVE, urgency=Urgency.CRITICAL)
    plain = desk.asks(when="10:00")
    urgent = desk.asks("Czuć gaz z kuchenki!", when="10:30", by=PIOTR, urgency=Urgency.CRITICAL, judgement=judged)
    out = worked(social("queue", "list")).out
    assert out.startswith("2 waiting, most urgent first.")
    assert out.index(f"#{urgent}") < out.index(f"#{plain}")
    assert "CRITICAL  shop-page  @piotrek  (negative, Polish)" in out
    assert "Czuć gaz z kuchenki!" in out
    assert "waits 35 min since Fri 20 Nov 10:00 | customer's hour: 24 min left | business hour: 24 min left" in out


def test_it_says_what_the_robot_will_say_and_who_is_on_it(social: Social, desk: Desk) -> None:
    case_id = desk.asks()
    planned(desk.database, 1, facts={"closing": at("2026-11-20 17:00").isoformat()})
    worked(social("queue", "take", str(case_id), "--as", "marek"))
    out = worked(social("queue", "list")).out
    assert "taken by marek" in out
    assert "robot: acknowledgement due Fri 20 Nov 10:55" in out


def test_it_tells_the_date_in_the_users_language(social: Social, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.asks()
    monkeypatch.setenv("LC_ALL", "pl_PL.UTF-8")
    assert "since pt. 20 lis 10:00" in worked(social("queue", "list")).out


def test_it_lists_the_same_for_scripts(social: Social, desk: Desk) -> None:
    formal = {"flags": {Flag.FORMAL}, "urgency": Urgency.HIGH}
    case_id = desk.asks(
        "Reklamacja", judgement=assessment(**formal), urgency=Urgency.HIGH, formal_deadline=timedelta(14)
    )
    (item,) = worked(social("queue", "list", "--json")).json
    assert (item["case"], item["state"], item["urgency"], item["language"]) == (case_id, "open", "high", "pl")
    assert item["waiting_since"] == "2026-11-20T09:00:00+00:00"
    assert item["customers_hour"]["due_at"] == "2026-11-20T10:00:00+00:00"
    assert (item["customers_hour"]["broken"], item["business_hour"]["running"]) == (False, True)
    assert 1460 < item["customers_hour"]["seconds_left"] <= 1470
    assert (item["formal"], item["deadline_at"]) == (True, "2026-12-04T09:00:00+00:00")
    assert (item["excerpt"], item["taken_by"], item["robot_said"]) == ("Reklamacja", None, [])


def test_it_lists_one_profile_or_ones_own_cases(social: Social, desk: Desk) -> None:
    first, second = desk.asks(), desk.asks(by=PIOTR)
    worked(social("queue", "take", str(second), "--as", "marek"))
    assert [item["case"] for item in social("queue", "list", "--mine", "--as", "marek", "--json").json] == [second]
    assert len(social("queue", "list", "--profile", "shop-page", "--json").json) == 2
    assert [item["case"] for item in social("queue", "list", "-n", "1", "--json").json] == [first]
    unknown = social("queue", "list", "--profile", "shop-pag")
    assert (unknown.code, "There are: shop-page." in unknown.err) == (2, True)


def test_it_says_that_nothing_waits(social: Social, desk: Desk) -> None:
    assert worked(social("queue", "list")).out == "Nothing waits.\n"
    assert worked(social("queue", "list", "--json")).json == []


def test_an_empty_list_says_what_it_was_asked_for_and_what_waits_beside(social: Social, desk: Desk) -> None:
    desk.asks()
    mine = worked(social("queue", "list", "--mine", "--as", "marek")).out
    assert mine == "marek has taken nothing that waits. Of all there are 1: social queue list\n"


def test_it_reminds_of_the_pause_and_of_what_must_be_settled(social: Social, desk: Desk) -> None:
    desk.asks()
    reply = planned(desk.database, 1)
    unknown(desk, reply)
    worked(social("pause", "--as", "hanna"))
    err = worked(social("queue", "list")).err
    assert f"social queue settle {reply} --sent or --not-sent" in err
    assert "by hanna: nothing is sent" in err


def test_it_says_that_there_is_no_database(social: Social, shop: Path) -> None:
    done = social("queue", "list")
    assert done.code != 0
    assert "no database yet" in done.err
    assert "social run" in done.err


# --- show ---------------------------------------------------------------------------------------------------------------


def test_it_shows_the_whole_case(social: Social, desk: Desk) -> None:
    reason = Reason(source="rule", name="outage", evidence="nie działa", effect="urgency high")
    case_id = desk.asks("Płatność nie działa", judgement=assessment(reasons=(reason,)), native_id="q1")
    remembered(desk.database, desk.shop, post("U mnie też", when=at("2026-11-20 10:05"), by=PIOTR, thread_root="q1"))
    planned(desk.database, 1, text="Dziękujemy, to automatyczna odpowiedź.")
    out = worked(social("queue", "show", str(case_id))).out
    for told in (
        f"Case {case_id}: open, normal, on shop-page (facebook) for Shop",
        "Customer: @anna.n, account customer-anna on facebook",
        "Here because of open: open: a person answers",
        "Judged as neutral (80%), normal (70%), Polish  [fake@1]",
        'rule outage: "nie działa" -> urgency high',
        "Fri 20 Nov 10:00  @anna.n\n    Płatność nie działa",
        "Fri 20 Nov 10:05  @piotrek (somebody else)\n    U mnie też",
        "Fri 20 Nov 10:40  robot  [acknowledgement, due, reply 1]\n    Dziękujemy, to automatyczna odpowiedź.",
        "On the network: https://fake.invalid/p/q1",
        f'Answer: social queue answer {case_id} "..." --seen 1:1:1:1',
    ):
        assert told in out


def test_it_shows_the_same_for_scripts(social: Social, desk: Desk) -> None:
    case_id = desk.asks()
    planned(desk.database, 1)
    found = worked(social("queue", "show", str(case_id), "--json")).json
    assert [(entry["side"], entry["state"]) for entry in found["thread"]] == [("customer", None), ("robot", "planned")]
    assert found["judgement"]["sentiment_scores"]["neutral"] == 0.8
    assert found["seen"] == "1:1:1:1"
    assert (found["network"], found["account"]) == ("facebook", "customer-anna")  # what `social author` asks for
    assert [made["rule"] for made in found["decisions"]] == ["open"]


def test_it_lets_no_customer_write_to_the_terminal(social: Social, desk: Desk) -> None:
    case_id = desk.asks("\x1b[31mred\x1b]0;title\x07 \u202eright to left\u202c \ud800 \x00 👩‍👩‍👧")
    for command in (("list",), ("show", str(case_id))):
        out = worked(social("queue", *command)).out
        assert not set("\x1b\x07\x00\u202e\ud800") & set(out)
        assert "👩‍👩‍👧" in out
    assert social("queue", "list", "--json").json[0]["excerpt"].startswith("\x1b[31mred")


def test_it_names_the_case_that_is_not_there(social: Social, desk: Desk) -> None:
    for command in (("show", "9"), ("take", "9"), ("answer", "9", "x"), ("close", "9")):
        done = social("queue", *command)
        assert (done.code, "no case 9" in done.err) == (2, True)


@pytest.mark.parametrize("command", [("show",), ("take",), ("close",), ("settle", "--sent")])
def test_it_refuses_a_number_that_no_row_can_have(social: Social, desk: Desk, command: tuple[str, ...]) -> None:
    done = social("queue", *command, "99999999999999999999")
    assert (done.code, "less than or equal to" in done.err) == (2, True)


# --- take, answer, close, settle ----------------------------------------------------------------------------------------


def test_it_takes_a_case_and_says_when_the_robot_steps_in(social: Social, desk: Desk) -> None:
    case_id = desk.asks()
    closing = at("2026-11-20 17:00").isoformat()
    planned(desk.database, 1, facts={"closing": closing})
    out = worked(social("queue", "take", str(case_id), "--as", "marek")).out
    assert f"Case {case_id} is yours, marek." in out
    assert "by Fri 20 Nov 10:55, the robot acknowledges" in out
    refused = social("queue", "take", str(case_id), "--as", "hanna")
    assert (refused.code, "taken by marek" in refused.err) == (8, True)
    assert f"social queue take {case_id} --over" in refused.err
    unanswered = social("queue", "answer", str(case_id), "Jutro u Pani.", "--as", "hanna")
    assert (unanswered.code, f"social queue take {case_id} --over" in unanswered.err) == (8, True)
    assert "is yours, hanna" in worked(social("queue", "take", str(case_id), "--over", "--as", "hanna")).out


def test_it_plans_an_answer_and_says_that_no_desk_runs(social: Social, desk: Desk) -> None:
    case_id = desk.asks()
    acknowledgement = planned(desk.database, 1)
    out = worked(social("queue", "answer", str(case_id), "Jutro u Pani.", "--as", "marek")).out
    assert "No desk is running now: it is sent when one is started (social run)." in out
    assert "The robot's planned text is cancelled." in out
    assert "An answer of marek is on its way." in social("queue", "show", str(case_id)).out
    answer = row_of(desk.database, ReplyRow, acknowledgement + 1)
    assert (answer["text"], answer["sent_by"], answer["state"]) == ("Jutro u Pani.", SentBy.PERSON, ReplyState.PLANNED)


def test_it_says_that_the_running_desk_sends_it(social: Social, desk: Desk) -> None:
    desk.runs()
    first, second = desk.asks(), desk.asks(by=PIOTR)
    assert "publishes it within seconds" in worked(social("queue", "answer", str(first), "Jutro.", "--as", "marek")).out
    worked(social("pause"))
    paused = worked(social("queue", "answer", str(second), "Jutro.", "--as", "marek"))
    assert "it is sent after `social unpause`" in paused.out
    assert "within seconds" not in paused.out


def test_it_counts_only_a_desk_that_sends(social: Social, desk: Desk) -> None:
    desk.runs("poll,triage")
    done = worked(social("queue", "answer", str(desk.asks()), "Jutro.", "--as", "marek", "--json"))
    assert (done.json["daemon_running"], done.json["case"], done.json["post"]) == (False, 1, 1)


def test_it_reads_a_longer_answer_from_standard_input(social: Social, desk: Desk) -> None:
    case_id = desk.asks()
    worked(social("queue", "answer", str(case_id), "-", "--as", "marek", stdin="Dzień dobry,\n\njutro u Pani.\n"))
    assert row_of(desk.database, ReplyRow, 1)["text"] == "Dzień dobry,\n\njutro u Pani."


def test_it_stops_an_answer_to_what_the_customer_wrote_since(social: Social, desk: Desk) -> None:
    case_id = desk.asks(native_id="q1")
    remembered(desk.database, desk.shop, post("Już jest!", when=at("2026-11-20 10:30"), by=ANNA, thread_root="q1"))
    done = social("queue", "answer", str(case_id), "Jutro.", "--as", "marek", "--seen", "1:1:1:1")
    assert (done.code, "Już jest!" in done.err, "--seen 2:1:2:2" in done.err) == (8, True, True)
    worked(social("queue", "answer", str(case_id), "Jutro.", "--as", "marek", "--seen", "2:1:2:2"))


def test_it_asks_to_look_again_where_a_mark_is_an_earlier_versions(social: Social, desk: Desk) -> None:
    case_id = desk.asks()
    for command in (("answer", str(case_id), "Jutro."), ("close", str(case_id), "-r", "by phone")):
        done = social("queue", *command, "--as", "marek", "--seen", "1:1")
        assert (done.code, "--seen 1:1:1:1" in done.err) == (8, True)


def test_it_closes_nothing_over_what_the_customer_wrote_since(social: Social, desk: Desk) -> None:
    case_id = desk.asks(native_id="q1")
    remembered(desk.database, desk.shop, post("Dym leci!", when=at("2026-11-20 10:30"), by=ANNA, thread_root="q1"))
    close = ("queue", "close", str(case_id), "--reason", "by phone", "--as", "marek", "--seen")
    done = social(*close, "1:1:1:1")
    assert (done.code, "Dym leci!" in done.err, "--seen 2:1:2:2" in done.err) == (8, True, True)
    worked(social(*close, "2:1:2:2"))


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("", 2, "The text is empty"),
        ("x" * 8001, 2, "8001 long and the network takes 8000"),
        ("Napisz na priv", 2, "confirm it: --yes"),
    ],
)
def test_it_says_what_to_change_in_a_text(social: Social, desk: Desk, text: str, code: int, told: str) -> None:
    done = social("queue", "answer", str(desk.asks()), text, "--as", "marek")
    assert (done.code, told in done.err) == (code, True)


def test_it_takes_a_confirmed_warning(social: Social, desk: Desk) -> None:
    worked(social("queue", "answer", str(desk.asks()), "Napisz na priv", "--as", "marek", "--yes"))


@pytest.mark.parametrize("seen", ["x", "1:x", "-1", ""])
def test_it_refuses_a_message_that_is_none(social: Social, desk: Desk, seen: str) -> None:
    done = social("queue", "answer", str(desk.asks()), "Jutro.", f"--seen={seen}")
    assert done.code == 2


def test_it_closes_a_case_with_its_reason(social: Social, desk: Desk) -> None:
    case_id = desk.asks(formal_deadline=timedelta(days=14))
    refused = social("queue", "close", str(case_id), "--as", "marek")
    assert (refused.code, "--reason" in refused.err) == (8, True)
    done = worked(social("queue", "close", str(case_id), "--reason", "by phone", "--as", "marek"))
    assert done.out == f"Case {case_id} is closed: by phone.\n"
    assert "Closed: by phone" in social("queue", "show", str(case_id)).out


def unknown(desk: Desk, reply: int) -> None:
    with desk.database.write() as session:
        outbox.change_state(session, reply, ReplyState.PLANNED, ReplyState.SENDING)
        outbox.change_state(session, reply, ReplyState.SENDING, ReplyState.UNKNOWN)


@pytest.mark.parametrize(("option", "state", "told"), [("--sent", "sent", "was"), ("--not-sent", "refused", "was not")])
def test_it_settles_what_nobody_could_tell(social: Social, desk: Desk, option: str, state: str, told: str) -> None:
    case_id = desk.asks()
    reply = planned(desk.database, 1, kind=ReplyKind.CLOSED_NOTICE)
    unknown(desk, reply)
    done = worked(social("queue", "settle", str(reply), option, "--as", "marek"))
    assert f"it {told} published" in done.out
    assert f"Case {case_id} still waits" in done.out
    assert row_of(desk.database, ReplyRow, reply)["state"] == state
    again = social("queue", "settle", str(reply), option, "--as", "marek", "--json")
    assert (again.code, f"reply {reply} is {state}" in again.err) == (8, True)


@pytest.mark.parametrize("name", ["robot", "Robot", "system"])
def test_nobody_acts_under_the_name_of_what_acts_by_itself(social: Social, desk: Desk, name: str) -> None:
    for command in (("pause",), ("queue", "take", str(desk.asks()))):
        done = social(*command, "--as", name)
        assert (done.code, "Say who you are" in done.err) == (2, True)
    assert "It was not paused." in worked(social("unpause")).out


def test_it_wants_to_know_which(social: Social, desk: Desk) -> None:
    done = social("queue", "settle", "1")
    assert (done.code, "say --sent or --not-sent; look at the network first" in done.err) == (2, True)
    odd = social("queue", "settle", "1", "--not-sent", "--id", "x")
    assert (odd.code, "--sent" in odd.err) == (2, True)
