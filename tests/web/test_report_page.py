"""The numbers on the screen are those of the file."""

from __future__ import annotations

import csv
import io
import re

import pytest

from social.domain.assessment import Sentiment
from tests.cast import at
from tests.factories import assessment
from tests.web.conftest import Shop

RANGE = "from=2026-11-16&to=2026-11-23"


@pytest.fixture
def week(shop: Shop) -> Shop:
    for number, mood in enumerate((Sentiment.NEGATIVE, Sentiment.NEGATIVE, Sentiment.POSITIVE)):
        shop.asks(
            f"Post {number}", native_id=f"w{number}", when=at("2026-11-18 12:00"), judgement=assessment(sentiment=mood)
        )
    return shop


def total_row(html: str) -> list[str]:
    foot = html.partition("<tfoot>")[2].partition("</tfoot>")[0]
    return re.findall(r"<td>([^<]*)</td>", foot)


def test_the_totals_of_page_and_file_are_one(week: Shop) -> None:
    browser = week.browser("wanda")
    page = browser.get(f"/reports/sentiment?{RANGE}")
    assert page.status == 200
    file = browser.get(f"/reports/sentiment.csv?{RANGE}").response
    assert file.headers["content-disposition"] == 'attachment; filename="sentiment-2026-11-16-2026-11-23.csv"'
    found = list(csv.DictReader(io.StringIO(file.text)))
    counted = sum(int(row["posts"]) for row in found if row["bucket"] != "total")
    assert counted == 4
    assert total_row(page.html)[:4] == ["4", "2", "1", "1"]
    assert "Wednesday" not in page.words and "2026-11-18" in page.words


def test_it_draws_inside_the_strict_policy(week: Shop) -> None:
    html = week.browser().get(f"/reports/sentiment?{RANGE}").html
    assert html.count("<svg") == 2
    assert not re.search(r"\sstyle=|<style|<script(?![^>]* src=)", html)


@pytest.mark.parametrize("ending", ["csv", "json", "xlsx"])
def test_every_format_comes_from_the_desk(week: Shop, ending: str) -> None:
    answer = week.browser().get(f"/reports/sentiment.{ending}?{RANGE}").response
    assert answer.status_code == 200
    assert len(answer.content) > 100
    assert b"Gdzie jest paczka" not in answer.content


@pytest.mark.parametrize(
    "address",
    ["from=2026-11-23&to=2026-11-16", "from=x&to=y", "from=2030-01-01&to=2030-01-02", "by=moon", "profile=nobody"],
)
def test_a_question_that_cannot_be_answered_says_why(week: Shop, address: str) -> None:
    page = week.browser().get(f"/reports/sentiment?{address}")
    assert page.status == 400
    assert 'class="problem"' in page.html


def test_a_pole_is_told_in_polish_which_days_there_are(week: Shop) -> None:
    page = week.browser(chosen="pl").get("/reports/sentiment?from=2030-01-01&to=2030-01-02")
    said = "W dniach od 2030-01-01 do 2030-01-02 (bez ostatniego) nie ma żadnego wpisu klienta. Te profile mają wpisy od 2026-11-"
    assert said in page.words


def test_it_opens_with_the_last_seven_days(week: Shop) -> None:
    page = week.browser().get("/reports/sentiment")
    assert page.status == 200
    assert 'name="from" value="2026-11-14"' in page.html.replace('id="from" ', "")
