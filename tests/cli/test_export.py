"""`social export`: data on standard output or in a file, never half of one, and a clear word where it cannot be."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest

from social import clock
from social.domain.assessment import Sentiment
from social.domain.post import ProfileMode
from social.domain.reply import ReplyState
from social.store import outbox, schema
from social.store.session import Database
from tests.cast import ANNA, PIOTR, at
from tests.cli.conftest import SHOP, Done, Social
from tests.factories import assessment, judged, planned, post, profile, remembered

TUESDAY = """\
[clock]
mode = "paced"
start = 2026-11-24T09:00:00+01:00
speed = 0.000001

"""
WEEK = ("--from", "2026-11-16", "--to", "2026-11-23")


@pytest.fixture
def week(shop: Path) -> Path:
    """Anna was told off and acknowledged on Friday, Piotr is happy on Sunday."""
    (shop / "config.toml").write_text(TUESDAY + SHOP, encoding="utf-8")
    database = Database(f"sqlite:///{shop}/var/shop.db")
    schema.upgrade(database, now=clock.machine_now())
    page = profile(database, "shop-page", brand="Shop", network="facebook")
    angry = remembered(database, page, post("Skandal, dość tego!", when=at("2026-11-20 10:00"), by=ANNA))
    happy = remembered(database, page, post("Super!", when=at("2026-11-22 12:00"), by=PIOTR))
    judged(database, angry, assessment(sentiment=Sentiment.NEGATIVE))
    judged(database, happy, assessment(sentiment=Sentiment.POSITIVE, language="en"))
    reply = planned(database, angry)
    sent_at = at("2026-11-20 10:00") + timedelta(minutes=40)
    with database.write() as session:
        assert outbox.change_state(session, reply, ReplyState.PLANNED, ReplyState.SENDING)
        assert outbox.settle_sent(session, reply, external_id="o1", permalink=None, at=sent_at, now=sent_at)
    database.close()
    return shop


def worked(done: Done) -> Done:
    assert done.code == 0, done.err
    return done


def lines_of(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_it_writes_csv_to_standard_output_and_the_rest_to_people(social: Social, week: Path) -> None:
    done = worked(social("export", "sentiment", *WEEK))

    lines = lines_of(done.out)
    assert [line["bucket"] for line in lines] == [*(f"2026-11-{day}" for day in range(16, 23)), "total"]
    assert (lines[4]["negative"], lines[4]["acknowledged_within_hour"], lines[6]["positive"]) == ("1", "1", "1")
    assert {line["time_zone"] for line in lines} == {"Europe/Warsaw"}
    assert done.err == "2 posts from 2026-11-16 up to 2026-11-23 (Europe/Warsaw).\n"


def test_no_words_and_no_names_leave_the_desk(social: Social, week: Path) -> None:
    for form in ("csv", "json"):
        out = worked(social("export", "sentiment", *WEEK, "--format", form)).out
        assert not [word for word in ("Skandal", "Super", "anna", "piotr") if word in out.lower() or word in out]


def test_it_writes_json_by_week_and_by_hour(social: Social, week: Path) -> None:
    weeks = worked(social("export", "sentiment", *WEEK, "--by", "week", "--format", "json")).json
    hours = worked(social("export", "sentiment", *WEEK, "--by", "hour-of-week", "--format", "json")).json

    assert [row["bucket"] for row in weeks["rows"]] == ["2026-W47"]
    assert [row["bucket"] for row in hours["rows"] if row["posts"]] == ["Fri 10:00", "Sun 12:00"]
    assert weeks["totals"] == hours["totals"]
    assert weeks["origin"]["made_at"].startswith("2026-11-24T09:00")


def test_it_counts_only_the_chosen_profile_and_language(social: Social, week: Path) -> None:
    done = social("export", "sentiment", *WEEK, "--profile", "shop-page", "--language", "pl", "--format", "json")

    assert worked(done).json["totals"]["posts"] == 1
    assert done.json["origin"]["languages"] == ["pl"]


def test_the_file_is_what_standard_output_would_be(social: Social, week: Path) -> None:
    shown = worked(social("export", "sentiment", *WEEK, "--excel-pl")).out
    done = worked(social("export", "sentiment", *WEEK, "--excel-pl", "--output", "week.csv"))

    def without_time(text: str) -> list[dict[str, str]]:
        return [{**line, "made_at": ""} for line in lines_of(text.removeprefix("\ufeff"), ";")]

    written = (week / "week.csv").read_bytes().decode("utf-8")
    assert shown.startswith("\ufeffbucket;")
    assert without_time(written) == without_time(shown)
    assert done.out == ""
    assert done.err.startswith("week.csv: 2 posts")


def test_it_writes_a_workbook_with_the_same_totals(social: Social, week: Path) -> None:
    worked(social("export", "sentiment", *WEEK, "--format", "xlsx", "-o", "week.xlsx"))
    totals = worked(social("export", "sentiment", *WEEK, "--format", "json")).json["totals"]

    last = list(openpyxl.load_workbook(week / "week.xlsx").worksheets[0].iter_rows(values_only=True))[-1]
    assert list(last[2:]) == list(totals.values())


def test_a_dry_run_is_told_with_every_report(social: Social, week: Path) -> None:
    database = Database(f"sqlite:///{week}/var/shop.db")
    profile(
        database, "shop-page", brand="Shop", network="facebook", mode=ProfileMode.DRY_RUN, now=at("2026-11-21 08:00")
    )
    database.close()

    done = worked(social("export", "sentiment", *WEEK))

    assert "shop-page was in dry run on 2 of these days" in done.err
    assert {line["dry_run_days"] for line in lines_of(done.out)} == {"2"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--format", "xlsx"], "say where to write it: --output week.xlsx"),
        (["--format", "json", "--excel-pl"], "--excel-pl is a form of CSV"),
        (["--format", "xlsx", "-o", "a.xlsx", "--excel-pl"], "--excel-pl is a form of CSV"),
        (["-o", "week.xlsx"], "week.xlsx is called .xlsx and would hold csv; say --format xlsx"),
        (["--format", "parquet"], "parquet"),
        (["--by", "month"], "month"),
        (["--profile", "shop"], "there is no profile 'shop'. There are: shop-page."),
        (["--language", "de"], "no customer's post in de lies in"),
        (["--from", "2026-11-23"], "holds no day"),
        (["--from", "2026-11-24"], "begins on 2026-11-24, after its end"),
        (["--from", "2026-12-01", "--to", "2026-12-08"], "These profiles have posts from 2026-11-20 to 2026-11-22."),
        (["--from", "yesterday"], "--from: 'yesterday' is not a day; write it like 2026-11-16"),
        (["--to", "2026-02-30"], "--to: '2026-02-30' is not a day"),
    ],
)
def test_what_does_not_go_together_is_said_and_nothing_is_written(
    social: Social, week: Path, options: list[str], words: str
) -> None:
    before = sorted(week.iterdir())

    done = social("export", "sentiment", *WEEK, *options)

    assert done.code == 2
    assert words in done.err
    assert done.out == ""
    assert sorted(week.iterdir()) == before


def test_a_place_that_cannot_be_written_is_named(social: Social, week: Path) -> None:
    done = social("export", "sentiment", *WEEK, "-o", "nowhere/week.csv")

    assert done.code == 2
    assert "nowhere/week.csv: the file cannot be written (No such file or directory)." in done.err


def test_without_a_database_it_says_how_one_comes_to_be(social: Social, shop: Path) -> None:
    done = social("export", "sentiment", *WEEK)

    assert "there is no database yet. Start the desk once: social run" in done.err


def test_without_a_reports_name_it_shows_which_there_are(social: Social, shop: Path) -> None:
    assert "sentiment" in social("export").out + social("export").err
    assert social("export", "sales", *WEEK).code == 2
