"""`social simulate`: what would happen with a text at a time, and why; nothing is written."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from responders.snapshot import Limits, Timing
from social.cli.simulate import in_words
from social.domain.assessment import Flag, Sentiment, Urgency
from social.domain.hours import BusinessCalendar
from social.domain.post import ProfileMode
from social.engine.rehearse import Rehearsal, Scene, rehearse
from social.store.queue import NEVER_OPEN
from tests.cast import BRAND, OFFICE, at
from tests.cli.conftest import Social
from tests.factories import assessment
from tests.fakes import FAKE_CAPABILITIES, FAKE_RULES, FakeClassifier


@pytest.fixture(autouse=True)
def _english_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


def scene(
    *,
    mode: ProfileMode = ProfileMode.ACKNOWLEDGE,
    closed_notice: bool = True,
    calendar: BusinessCalendar = OFFICE,
) -> Scene:
    return Scene(
        brand=BRAND,
        languages=("pl", "en"),
        calendar=calendar,
        mode=mode,
        closed_notice=closed_notice,
        rules=FAKE_RULES,
        capabilities=FAKE_CAPABILITIES,
        timing=Timing(),
        limits=Limits(),
        formal_deadline=timedelta(days=14),
    )


def played(when: str, where: Scene | None = None, **labels: Any) -> Rehearsal:
    judge = FakeClassifier(assessment(**labels))
    return rehearse("Gdzie paczka?", at=at(when), scene=where or scene(), classifier=judge)


# --- the line, from the judgement to the words --------------------------------------------------------------------------


def test_it_acknowledges_a_daytime_question_at_minute_40() -> None:
    (stage,) = played("2026-11-20 10:00").stages
    assert stage.decision.reply is not None
    assert stage.decision.reply.due_at == at("2026-11-20 10:40")
    assert stage.sent
    assert stage.words is not None
    assert BRAND in stage.words.text


def test_it_says_at_night_when_somebody_is_back() -> None:
    found = played("2026-11-20 23:10", urgency=Urgency.CRITICAL)
    (stage,) = found.stages
    assert (found.is_open, found.next_opening) == (False, at("2026-11-23 09:00"))
    assert stage.decision.alert
    assert stage.words is not None
    assert "w poniedziałek o 9:00" in stage.words.text


def test_it_decides_again_at_opening_where_no_notice_is_wanted() -> None:
    first, second = played("2026-11-20 08:30", scene(closed_notice=False)).stages
    assert first.decision.reply is None
    assert second.at == at("2026-11-20 09:00")
    assert second.decision.reply is not None
    assert second.decision.reply.due_at == at("2026-11-20 09:10")


def test_it_says_nothing_to_praise_and_nothing_beside_a_threat() -> None:
    (praise,) = played("2026-11-20 10:00", needs_reply=False, urgency=Urgency.LOW, sentiment=Sentiment.POSITIVE).stages
    (threat,) = played("2026-11-20 10:00", flags={Flag.LEGAL}).stages
    assert (praise.decision.escalate, praise.words) == (False, None)
    assert (threat.decision.escalate, threat.words) == (True, None)


def test_it_only_rehearses_where_the_profile_does() -> None:
    where = scene(mode=ProfileMode.DRY_RUN)
    found = played("2026-11-20 10:00", where)
    (stage,) = found.stages
    assert stage.words is not None
    assert not stage.sent
    told = "\n".join(in_words(found, where, "shop-page"))
    assert "The robot would say, but says nothing (mode dry-run) (acknowledgement, Fri 20 Nov 10:40" in told


def test_it_tells_no_lie_about_an_opening_that_never_comes() -> None:
    (stage,) = played("2026-11-20 10:00", scene(calendar=NEVER_OPEN)).stages
    assert stage.words is None


# --- the command --------------------------------------------------------------------------------------------------------


def test_it_tells_the_whole_story_in_words(social: Social, shop: Path) -> None:
    done = social("simulate", "Proszę o kontakt z człowiekiem, to pilne!", "--at", "2026-12-24T18:00")
    assert done.code == 0, done.err
    assert "Thu 24 Dec 18:00 on shop-page (Shop): closed until Mon 28 Dec 09:00" in done.out
    assert "rule " in done.out
    assert "people's queue" in done.out


def test_a_dash_stands_for_standard_input(social: Social, shop: Path) -> None:
    for command in (("simulate", "-", "--at", "2026-11-20T10:00", "--json"), ("rules", "try", "-", "--json")):
        words = "Czuć gaz z kuchenki, wzywam straż!"
        written = [words if part == "-" else part for part in command]
        assert social(*command, stdin=f"{words}\n").json == social(*written).json
        nothing = social(*command)
        assert (nothing.code, "nothing came from standard input" in nothing.err) == (2, True)


def test_it_gives_scripts_the_same(social: Social, shop: Path) -> None:
    found = social("simulate", "Gdzie jest moja paczka?", "--at", "2026-11-20T10:00", "--json").json
    assert (found["profile"], found["open"], found["closes_at"]) == ("shop-page", True, "2026-11-20T16:00:00+00:00")
    assert set(found["judgement"]["urgency_scores"]) == {"critical", "high", "normal", "low"}
    (decision,) = found["decisions"]
    assert {"rule", "reason", "outcome", "urgency", "alert", "reply"} <= set(decision)


def test_it_writes_nothing_and_needs_no_database(social: Social, shop: Path) -> None:
    before = sorted(shop.rglob("*"))
    assert social("simulate", "Dzień dobry", "--at", "2026-11-20T10:00").code == 0
    assert sorted(shop.rglob("*")) == before


def test_it_takes_a_time_with_its_own_zone(social: Social, shop: Path) -> None:
    found = social("simulate", "Dzień dobry", "--at", "2026-11-20T17:30:00+02:00", "--json").json
    assert found["open"] is True  # 16:30 in Warsaw


def test_an_hour_that_the_clocks_skip_is_a_moment_like_any_other(social: Social, shop: Path) -> None:
    skipped = social("simulate", "Gdzie paczka?", "--at", "2027-03-28T02:30", "--json")
    after = social("simulate", "Gdzie paczka?", "--at", "2027-03-28T03:30", "--json")
    assert skipped.code == after.code == 0
    assert skipped.json == after.json
    assert skipped.json["at"] == "2027-03-28T03:30:00+02:00"


def test_it_names_what_it_cannot_use(social: Social, shop: Path) -> None:
    bad_time = social("simulate", "x", "--at", "tomorrow")
    assert (bad_time.code, "2026-12-24T18:00" in bad_time.err) == (2, True)
    bad_profile = social("simulate", "x", "--profile", "none")
    assert (bad_profile.code, "There are: shop-page." in bad_profile.err) == (2, True)


@pytest.mark.parametrize("text", ["", "\x00", "\ud800", "x" * 100_000, "\x1b[31m"])
def test_it_survives_any_text(social: Social, shop: Path, text: str) -> None:
    done = social("simulate", "--at", "2026-11-20T10:00", "--", text)
    assert done.code == 0, done.err
    assert not set("\x1b\x00\ud800") & set(done.out)
